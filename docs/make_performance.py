"""Write docs/performance.md: python docs/make_performance.py [bench-results.json]

The text of the page stands in docs/performance.md.in; this fills in the tables from a run of the benchmark.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
Row = dict[str, Any]
COLUMNS = {  # of each table, from the rows that bench/run.py wrote
    "kernel": ["matrix", "n", "p", "threads", "clexact, s", "GFLOP/s", "x FFLAS", "x FLINT", "memory", "missed"],
    "elimination": ["system", "D", "rank", "entries", "seconds", "MiB", "dense, s"],
    "counts": ["certify", "D", "laws", "seconds", "target, s", "MiB"],
    "laws": ["search", "D", "degree", "laws, independent", "seconds", "target, s", "MiB"],
    "exponents": ["family", "D fitted", "exponent", "theory", "largest D", "seconds"],
    "engine": ["batch", "seconds", "published, s", "ratio", "target, s"],
    "peers": ["model", "D", "what", "x SymPy", "x Sage"],
}


def cell(value: Any) -> str:
    """Floats with three digits; nothing is '-'."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return " of them independent: ".join(map(str, value)) if isinstance(value, list) else str(value)


def line(cells: list[Any]) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(cell, cells))} |"


def table(rows: list[Row], columns: list[str]) -> str:
    """The rows of a table of results."""
    return "\n".join(line([row[column] for column in columns]) for row in rows)


def target(what: str, seconds: float | None, judged: str | None, peak: float | None = None) -> str:
    """One line of the table of targets; ``judged`` is "60 met" or "60 MISSED"."""
    limit, verdict = judged.split() if judged else ("-", "MISSED")
    memory = "" if peak is None else f", {cell(peak)} MiB"
    return line([what, f"{limit} s", f"{cell(seconds)} s{memory}", verdict])


def targets(tables: dict[str, list[Row]]) -> str:
    """The figures to reach, with what was seen."""
    lines = [
        target(f"`clexact certify {row['certify']}` (D = {row['D']})", row["seconds"], row["target, s"], row["MiB"])
        for row in tables["counts"]
    ]
    for row in tables["laws"]:
        what = f"`clexact laws {row['search']} --degree {row['degree']}` (D = {row['D']})"
        lines.append(target(what, row["seconds"], row["target, s"], row["MiB"]))
    largest = tables["elimination"][-1]
    what = "rank of the witness system of U V^T, n = m = r = 223, 8 GiB (table elimination)"
    lines.append(target(what, largest["seconds"], f"60 {largest['60 s, 8 GiB']}", largest["MiB"]))
    batches = [row for row in tables["engine"] if row["target, s"]]
    return "\n".join(
        lines
        + [target(f"published batches, {r['batch']} (table engine)", r["seconds"], r["target, s"]) for r in batches]
    )


def missed(rows: list[Row]) -> str:
    """What the kernel missed, in words."""
    found = [f"{r['matrix']}, n = {r['n']}, p = {r['p']}, {r['threads']} thread(s): {r['missed']}" for r in rows
             if r["missed"] != "none"]  # fmt: skip
    return f"Missed: {'; '.join(found)}." if found else "All met."


def page(record: dict[str, Any]) -> str:
    """The whole page."""
    tables, machine = record["tables"], record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    largest = {row["family"]: row for row in tables["growth"]}
    filled = {name: table(tables[name], columns) for name, columns in COLUMNS.items()}
    return (
        (DOCS / "performance.md.in")
        .read_text(encoding="utf-8")
        .format(
            machine=f"{machine['cpus']} cores, {machine['platform']}; Python {record['python']}, {versions}",
            repeats=record["repeats"],
            targets=targets(tables),
            kernel_verdict=missed(tables["kernel"]),
            stages=table(list(largest.values()), ["family", "D", "most time"]),
            **filled,
        )
    )


def main(results: Path) -> None:
    """Write the page."""
    record = json.loads(results.read_text(encoding="utf-8"))
    (DOCS / "performance.md").write_text(page(record), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS.parent / "bench-results.json")
