"""``clexact verify``: certificates in files, or all those of a store of sweeps."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clexact.proofs.certificate import VerdictStatus, verify
from clexact.proofs.standalone import write_verifier
from clexact.support.files import check_readable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is verified, and how."""
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--db", metavar="DB", help="all certificates in the store of a sweep")
    parser.add_argument(
        "--rebuild", action="store_true",
        help="also rebuild the fields from the model's description (--db: from the case, running its Python file)",
    )  # fmt: skip
    parser.add_argument("--fast", action="store_true", help="compute ranks with FLINT, for large certificates")
    parser.add_argument(
        "--standalone", metavar="FILE.pyz", help="write the verifiers as one file, which needs nothing but Python"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="--db: so many processes (default 1)")


def run(arguments: argparse.Namespace) -> int:
    """Exit status 0 only if all is verified; 1 if something is false, 2 if it is no certificate, 3 if undecided."""
    if arguments.standalone and arguments.db is None and not arguments.files:
        write_verifier(arguments.standalone)
        print(f"{arguments.standalone}: run it with python {arguments.standalone} FILE...")
        return 0
    if arguments.standalone or (arguments.db is None) == (not arguments.files):
        raise ValueError("give either certificates in files or --db DB, or --standalone FILE.pyz alone.")
    if arguments.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {arguments.jobs}.")
    return _verify_files(arguments) if arguments.db is None else _verify_store(arguments)


def _verify_files(arguments: argparse.Namespace) -> int:
    found = set[VerdictStatus]()
    for path in arguments.files:
        check_readable(path)
    for path in arguments.files:
        verdict = verify(path, rebuild=arguments.rebuild, fast=arguments.fast)
        print(f"{path}: {verdict}")
        found.add(verdict.status)
    return _worst(found)


def _worst(found: Collection[VerdictStatus]) -> int:
    return int(max(found, key=lambda status: status.severity).value)


def _verify_store(arguments: argparse.Namespace) -> int:
    """A paragraph for each certificate that is not verified, then one line."""
    from clexact.sweeps.store import Store
    from clexact.sweeps.verification import verify_store

    with Store(arguments.db, write=False) as store:
        with_one = store.counts("certificate_sha256 IS NOT NULL")
        without = store.counts("certificate_sha256 IS NULL")
    total, found = sum(with_one.values()), Counter[VerdictStatus]()
    if not total:
        raise ValueError(f"{arguments.db!r} holds no certificate, in {sum(without.values())} rows.")
    with _shown_bar(total) as advance:
        for checked in verify_store(arguments.db, rebuild=arguments.rebuild, fast=arguments.fast, jobs=arguments.jobs):
            found[checked.verdict.status] += 1
            if not checked.verdict:
                print(f"{checked.label} ({checked.key}): {checked.verdict}")
            advance()
    print(f"{arguments.db}: {_summary(found)}; without a certificate: {_counted(without)}")
    return _worst(found)


def _summary(found: Counter[VerdictStatus]) -> str:
    return ", ".join(f"{found[status]} {status.name.lower().replace('_', ' ')}" for status in VerdictStatus)


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in rows.items() if count) or "none"


@contextmanager
def _shown_bar(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, on a terminal only."""
    console = Console(stderr=True)
    columns = TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
