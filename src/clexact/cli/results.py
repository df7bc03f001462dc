"""``clexact results``: what a store of sweeps holds, as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from clexact.support.files import check_place, write_atomically

if TYPE_CHECKING:  # sweeps are read where they are used
    from clexact.sweeps.store import Store

FORMATS = ("table", "csv", "json", "parquet")
SHOWN = ("label", "status", "dimension", "lower", "upper", "error", "seconds", "failure")  # in a table
LISTED = 100  # rows of a table, unless more are asked for
WIDTH = 140  # of tables that do not go to a terminal
EPILOG = """\
examples:
  clexact results sweep.db --where "family = 'relu' and lower < upper" --sort "seconds desc"
  clexact results sweep.db --summary
  clexact results sweep.db --starts --where "family = 'relu'"
  clexact results sweep.db --columns label,lower,upper --format csv
  clexact results sweep.db --out sweep.parquet
  clexact results sweep.db --where "label like '%bias%'" --certificates proofs

--where is a condition in the SQL of SQLite on the columns of a row; "case" is a word of SQL and needs its quotes.
"""
SUMMARY = {  # of each family and flow
    "family": "family",
    "flow": "flow",
    "rows": "count(*)",
    "done": "sum(status = 'done')",
    "exact": "coalesce(sum(exact), 0)",
    "proved": "coalesce(sum(exact AND error = '0'), 0)",
    "stopped": "sum(status = 'stopped')",
    "failed": "sum(status = 'failed')",
    "certificates": "count(certificate_sha256)",
    "largest_dimension": "max(dimension)",
    "seconds": "round(sum(seconds), 3)",
    "longest": "round(max(seconds), 3)",
    "peak_mebibytes": "max(peak_memory) / 1048576",
}
REASONS = "GROUP BY status, failure HAVING failure <> '' ORDER BY 3 DESC LIMIT 5"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which rows, which columns, and how they are written."""
    parser.add_argument("store", metavar="DB", help="the store of a sweep")
    parser.add_argument("--where", metavar="CONDITION", default="", help="only rows that meet it (SQL)")
    parser.add_argument("--columns", metavar="NAMES", default="", help="as label,lower,upper; all: every column")
    parser.add_argument("--sort", metavar="NAMES", default="", help='as "seconds desc, label" (default: as written)')
    parser.add_argument("--limit", type=int, metavar="N", help=f"at most N rows (a printed table: default {LISTED})")
    parser.add_argument("--all-engines", action="store_true", help="also rows of other versions than the last one used")
    parser.add_argument("--summary", action="store_true", help="a line for each family and flow")
    parser.add_argument("--starts", action="store_true", help="how often which count was met near random starts")
    parser.add_argument("--format", choices=FORMATS, help="default: by the name of FILE, else table")
    parser.add_argument("--out", metavar="FILE", help="write there; parquet needs it")
    parser.add_argument("--certificates", metavar="DIR", help="write the rows' certificates there, as KEY.json.gz")


def run(arguments: argparse.Namespace) -> None:
    """Print, or write to a file."""
    kind = _format(arguments)
    if arguments.limit is not None and arguments.limit < 0:
        raise ValueError(f"--limit must not be negative, not {arguments.limit}.")
    if arguments.summary and (arguments.columns or arguments.sort or arguments.limit is not None):
        raise ValueError("--summary has its own lines: give it without --columns, --sort and --limit.")
    if arguments.starts:
        _check_starts(arguments, kind)
    if arguments.out is not None:
        check_place(Path(arguments.out))
    from clexact.sweeps.store import Store

    with Store(arguments.store, write=False) as store:
        if arguments.certificates is not None:
            _write_certificates(store, arguments)
        elif arguments.starts:
            _print_starts(store, arguments, kind)
        elif arguments.summary:
            _write(kind, arguments.out, *_summary(store, arguments))
        else:
            _write(kind, arguments.out, *_rows(store, arguments, kind))


def _format(arguments: argparse.Namespace) -> str:
    """The format asked for."""
    suffix = Path(arguments.out or "").suffix.removeprefix(".").lower()
    kind = str(arguments.format or (suffix if suffix in FORMATS else "table"))
    if kind == "parquet" and (arguments.out is None or arguments.summary):
        raise ValueError("--format parquet needs --out FILE, and is for rows, not for --summary.")
    return kind


Rows = Iterable[dict[str, Any]]


def _rows(store: Store, arguments: argparse.Namespace, kind: str) -> tuple[list[str], Rows, str]:
    """The columns, the rows and what is to be said below a table of them."""
    from clexact.sweeps.columns import checked

    given = arguments.columns.strip()
    names = list(checked(() if given == "all" else [word.strip() for word in given.split(",")] if given else ()))
    if not given and kind == "table":
        names = list(SHOWN)
    printed = kind == "table" and arguments.out is None
    limit = LISTED if arguments.limit is None and printed else arguments.limit
    wide = arguments.all_engines
    rows = store.rows(arguments.where, names, arguments.sort, all_engines=wide, limit=limit)
    if kind != "table":
        return names, rows, ""
    listed, (total,) = list(rows), next(store.select("count(*)", arguments.where, all_engines=wide))
    if not given:
        names = [name for name in names if any(row[name] not in (None, "") for row in listed)] or names
    left = f"{len(listed)} of {total} rows; --limit N lists more, and --format csv all."
    return names, listed, left if len(listed) < total else f"{total} row{'s' * (total != 1)}"


def _summary(store: Store, arguments: argparse.Namespace) -> tuple[list[str], Rows, str]:
    """A row for each family and flow, and below why cases were stopped or failed."""
    where, wide = arguments.where, arguments.all_engines
    what = ", ".join(f"{sql} AS {name}" for name, sql in SUMMARY.items())
    found = store.select(what, where, "GROUP BY family, flow ORDER BY family, flow", all_engines=wide)
    reasons = store.select("status, failure, count(*)", where, REASONS, all_engines=wide)
    counted = ", ".join(f"{count} {status}" for status, count in store.counts(where, all_engines=wide).items())
    said = [counted] + [f"{status} {times} time{'s' * (times != 1)}: {failure}" for status, failure, times in reasons]
    return list(SUMMARY), (dict(zip(SUMMARY, record, strict=True)) for record in found), "\n".join(said)


def _write(kind: str, out: str | None, names: Sequence[str], rows: Rows, below: str) -> None:
    """To the file, or to standard output."""
    from clexact.sweeps import tables

    if kind == "table":
        _write_table(out, names, rows, below)
    elif out is not None:
        tables.save(kind, Path(out), rows, names)
    else:
        tables.TEXTS[kind](rows, names, sys.stdout)


def _write_table(out: str | None, names: Sequence[str], rows: Rows, below: str) -> None:
    listed, table = list(rows), Table()
    for name in names:
        words = any(isinstance(row[name], (str, tuple)) for row in listed)
        table.add_column(name.replace("_", " "), justify="left" if words else "right", overflow="fold")
    for row in listed:
        table.add_row(*(escape(_shown(row[name])) for name in names))
    if out is None:
        _print(Console(width=None if sys.stdout.isatty() else WIDTH), table, below)
        return
    text = io.StringIO()
    _print(Console(file=text, width=WIDTH), table, below)
    write_atomically(Path(out), text.getvalue().encode())


def _print(console: Console, table: Table, below: str) -> None:
    console.print(table)
    if below:
        console.print(below, markup=False, highlight=False)


def _shown(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _check_starts(arguments: argparse.Namespace, kind: str) -> None:
    """ValueError for what does not go with the counts near starts."""
    given = (arguments.columns, arguments.sort, arguments.limit, arguments.summary, arguments.certificates)
    if any(given) or arguments.out is not None or kind not in ("table", "json"):
        raise ValueError("--starts prints tables of its own: it goes with --where, --all-engines and --format json.")


def _print_starts(store: Store, arguments: argparse.Namespace, kind: str) -> None:
    """As ``clexact certify --near random --starts`` does, for each network."""
    from clexact.sweeps.starts import start_counts

    found = start_counts(store, arguments.where, all_engines=arguments.all_engines)
    if kind == "json":
        print(json.dumps([counts.to_dict() for counts in found.values()]))
        return
    print("\n\n".join(map(str, found.values())) or "no row is near a random start")


def _write_certificates(store: Store, arguments: argparse.Namespace) -> None:
    """A file for each row that has one, which the verifiers of the package check by themselves."""
    folder = Path(arguments.certificates)
    folder.mkdir(parents=True, exist_ok=True)
    where = f"({arguments.where or 'TRUE'}\n) AND certificate_sha256 IS NOT NULL"
    count = 0
    for row in store.rows(where, ["key"], arguments.sort, all_engines=arguments.all_engines, limit=arguments.limit):
        if not row["key"].isalnum():  # it becomes the name of a file
            raise ValueError(f"{row['key']!r} is not the key of a case.")
        write_atomically(folder / f"{row['key']}.json.gz", store.certificate(row["key"]))
        count += 1
    print(f"{count} certificate{'s' * (count != 1)} in {folder}")
