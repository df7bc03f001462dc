"""``clexact export``: a certificate as a proof that another program checks."""

from __future__ import annotations

import argparse

from clexact.proofs.coq_proof import coq
from clexact.support.files import check_readable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is exported, and for which program."""
    parser.add_argument("--coq", required=True, metavar="FILE.json", help="print a proof of its count for Coq 8.16")


def run(arguments: argparse.Namespace) -> None:
    """Print the proof."""
    check_readable(arguments.coq)
    print(coq(arguments.coq), end="")
