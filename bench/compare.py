"""Compare two files of bench/run.py: what got slower or faster, and which answers differ.

    python bench/compare.py OLD.json NEW.json [--tolerance 1.3]

Only clexact's own seconds and answers count, not those of its peers; rows of less than a millisecond on both sides are
not compared. Exit status 1 if an answer differs or a row got slower than the tolerance, 2 if a file is no result file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from math import isfinite
from typing import Any, NamedTuple

Row = dict[str, Any]
Record = dict[str, Any]
FLOOR = 1e-3  # seconds


class Columns(NamedTuple):
    """The cells of a table that identify a row, its seconds, its answer."""

    identity: tuple[str, ...]
    seconds: str
    answer: str | None


TABLES = {
    "engine": Columns(("batch",), "seconds", "confirmed"),
    "laws": Columns(("search", "degree"), "seconds", "laws, independent"),
    "counts": Columns(("certify",), "seconds", "laws"),
    "imports": Columns(("what",), "seconds", None),
    "elimination": Columns(("system",), "seconds", "rank"),
    "kernel": Columns(("matrix", "n", "p", "threads"), "clexact, s", "rank"),
    "integers": Columns(("what", "rows", "columns"), "clexact, s", "answer"),
    "peers": Columns(("model", "what"), "clexact, s", "clexact"),
    "growth": Columns(("family", "n"), "seconds", "laws"),
}
DERIVED = {"exponents"}  # from the rows of another table


class NoResultFileError(Exception):
    """A file that bench/run.py did not write; the text is the sentence to show."""


class Findings(NamedTuple):
    """Lines to print, by kind."""

    answers: list[str]
    slower: list[str]
    faster: list[str]
    notes: list[str]


def load(path: str) -> Record:
    """The record in a result file."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except OSError as error:
        raise NoResultFileError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise NoResultFileError(f"{path} is no result file of bench/run.py: it is not JSON.") from None
    tables = record.get("tables") if isinstance(record, dict) else None
    if not isinstance(tables, dict) or not all(_is_table(rows) for rows in tables.values()):
        raise NoResultFileError(f"{path} is no result file of bench/run.py: it has no tables of rows.")
    return dict(record)


def _is_table(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def compared(old: Record, new: Record, tolerance: float) -> Findings:
    """All that differs between two records."""
    findings = Findings([], [], [], list(_circumstances(old, new)))
    for name in dict.fromkeys([*old["tables"], *new["tables"]]):
        if name in TABLES:
            _compare_tables(name, old["tables"].get(name, []), new["tables"].get(name, []), tolerance, findings)
        elif name not in DERIVED:
            findings.notes.append(f"table {name} is unknown here and left out")
    return findings


def _circumstances(old: Record, new: Record) -> Iterator[str]:
    """What else differs between the runs: machine, Python, versions, seed."""
    for title in ("machine", "python", "versions", "seed", "repeats", "quick"):
        before, after = ({"": record} if not isinstance(record, dict) else record
                         for record in (old.get(title), new.get(title)))  # fmt: skip
        for key in dict.fromkeys([*before, *after]):
            if before.get(key) != after.get(key) and key != "load":
                yield f"other {f'{title} {key}'.strip()}: {before.get(key)} -> {after.get(key)}"


def _compare_tables(name: str, old: list[Row], new: list[Row], tolerance: float, findings: Findings) -> None:
    before, after = _by_identity(name, old), _by_identity(name, new)
    findings.notes.extend(f"only in OLD: {title}" for title in before if title not in after)
    findings.notes.extend(f"only in NEW: {title}" for title in after if title not in before)
    for title in before:
        if title in after:
            _compare_answers(title, TABLES[name], before[title], after[title], findings)
            _compare_seconds(title, TABLES[name].seconds, before[title], after[title], tolerance, findings)


def _by_identity(name: str, rows: list[Row]) -> dict[str, Row]:
    return {f"{name}: {', '.join(str(row.get(cell)) for cell in TABLES[name].identity)}": row for row in rows}


def _compare_answers(title: str, columns: Columns, old: Row, new: Row, findings: Findings) -> None:
    before, after = (row.get(columns.answer) if columns.answer else None for row in (old, new))
    if before is None and after is not None:
        findings.notes.append(f"{title}: no {columns.answer} in OLD")
    elif before != after:
        findings.answers.append(f"{title}: {columns.answer} {before} -> {after}")
    elif new.get("right") is False and old.get("right") is not False:
        findings.answers.append(f"{title}: marked wrong in NEW")


def _compare_seconds(title: str, column: str, old: Row, new: Row, tolerance: float, findings: Findings) -> None:
    before, after = _seconds(old.get(column)), _seconds(new.get(column))
    if before is None and after is None:
        return
    if after is None:
        findings.slower.append(f"{title}: no time in NEW")
    elif before is None:
        findings.notes.append(f"{title}: no time in OLD")
    elif max(before, after) >= FLOOR and not 1 / tolerance <= after / before <= tolerance:
        kind = findings.slower if after > before else findings.faster
        kind.append(f"{title}: {before:.3g} s -> {after:.3g} s, new / old {after / before:.2f}")


def _seconds(cell: Any) -> float | None:
    """A positive number of seconds, None for anything else."""
    usable = isinstance(cell, int | float) and not isinstance(cell, bool) and isfinite(cell) and cell > 0
    return float(cell) if usable else None


def main(words: list[str] | None = None) -> int:
    """Print what differs and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD.json")
    parser.add_argument("new", metavar="NEW.json")
    parser.add_argument("--tolerance", type=float, default=1.3, help="ratio of seconds that passes, 1.3 if not given")
    arguments = parser.parse_args(words)
    if not 1 <= arguments.tolerance < float("inf"):
        parser.error(f"--tolerance must be a number of at least 1, not {arguments.tolerance}.")
    try:
        old, new = load(arguments.old), load(arguments.new)
    except NoResultFileError as error:
        print(error, file=sys.stderr)
        return 2
    findings = compared(old, new, arguments.tolerance)
    for title, lines in zip(("answers differ", "slower", "faster", "notes"), findings, strict=True):
        print("\n  ".join([f"{title}: {len(lines)}", *lines]))
    return 1 if findings.answers or findings.slower else 0


if __name__ == "__main__":
    sys.exit(main())
