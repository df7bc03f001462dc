"""``clexact eliminate FILE``: a system without the variables that its laws determine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clexact.cli.inputs import add_system, notes_of, read_system
from clexact.flows.dynamics import as_flow
from clexact.laws.elimination import Elimination, eliminate
from clexact.support.files import check_place, write_atomically

FORMATS = ("ode", "sbml", "sympy")
EPILOG = """\
examples:
  clexact eliminate enzyme.ode
  clexact eliminate model.xml --out smaller.xml
  clexact eliminate network.jl --degree 2 --format sympy
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which system, by which laws, and how it is written."""
    parser.add_argument("target", nargs="*", metavar="FILE", help="a file with a system")
    add_system(parser)
    parser.add_argument("--degree", type=int, default=1, metavar="K", help="degree of the laws used (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default 0)")
    parser.add_argument("--format", choices=FORMATS, help="default: by the name of FILE, else ode")
    parser.add_argument("--out", metavar="FILE", help="write there")
    parser.add_argument("--quiet", action="store_true", help="only the system")


def run(arguments: argparse.Namespace) -> None:
    """Print, or write to a file."""
    if arguments.out is not None:
        check_place(Path(arguments.out))
    fields = read_system(arguments)
    found = eliminate(fields, arguments.degree, seed=arguments.seed)
    if not arguments.quiet:
        for line in [*notes_of(as_flow(fields)), *_said(found)]:
            print(line, file=sys.stderr)
    suffix = Path(arguments.out or "").suffix.lower()
    text = _written(found, arguments.format or ("sbml" if suffix in (".xml", ".sbml") else "ode"))
    if arguments.out is None:
        print(text, end="")
    else:
        write_atomically(Path(arguments.out), text.encode())


def _said(found: Elimination) -> list[str]:
    lines = [f"{len(found.rules)} variables left out; each rule is checked against its equation"]
    if found.unused:
        lines.append(f"laws that determine no variable as a polynomial: {'; '.join(map(str, found.unused))}")
    return lines


def _written(found: Elimination, kind: str) -> str:
    match kind:
        case "sbml":
            return found.to_sbml()
        case "sympy":
            parts = found.to_sympy()
            return "".join(
                f"{key} = {{{', '.join(f'{n!r}: {e}' for n, e in part.items())}}}\n" for key, part in parts.items()
            )
        case _:
            return found.to_ode()
