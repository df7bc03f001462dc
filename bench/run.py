"""Time clexact: published batches, law searches, counts, import, the rank kernel and other peers, growth with D.

    python bench/run.py [--repeats N] [--quick] [--only TABLES] [--out FILE]

Medians of N repeats after a warm-up; ratios come from one run. BLAS has one thread unless OPENBLAS_NUM_THREADS is set:
a second thread makes the figures depend on what else runs. What failed or took too long is shown as '-'. Exit status 1
if an answer is wrong or clexact crashed; a speed target missed only shows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import log
from typing import Any

import cases
import elimination
import integers
import kernel
import machine
from peers import MissingPeerError, sage_peer, sympy_peer
from rich.console import Console
from rich.table import Table
from timing import MEMORY, FailedRunError, Timed, fresh, median_limited, median_of, run_python, timed

import clexact
from clexact.claims import batches as reproduce
from clexact.sweeps.certified import Row as SweptRow

Count = Callable[[cases.Case], int]
Row = dict[str, Any]  # cells by column; "right" is None where there is no answer to compare
SEED = 0
WITHOUT_PROOF = clexact.Budget(certificate_mebibytes=0)
WIDTH = 160  # of the tables when piped
PEER_LIMIT = 60.0  # seconds a peer may take
FITTED = 5  # sizes of which an exponent is fitted, at least
GRADIENT_TARGET, FLOWS_TARGET = 1.0, 10.0  # seconds, for all batches of gradient flows, of mirror and momentum flows
IMPORT_TARGET, MEMORY_TARGET = 0.5, 1024.0  # seconds, MiB
NOT_SHOWN = {  # in the JSON only
    "stages", "failure", "failures", "missing", "ranks", "answers", "spread of clexact", "FFLAS method",
}  # fmt: skip
SEARCH = f"""{MEMORY}
import json, sys, time
from clexact import gradient_flow, models, polynomial_laws
family, *sizes = sys.argv[1].replace(" --bias", "").split()
bias = {{"bias": True}} if "--bias" in sys.argv[1] else {{}}
model = models.rebuild({{"family": family, "sizes": [int(n) for n in sizes], **bias}})
start = time.perf_counter()
laws = polynomial_laws(gradient_flow(model), int(sys.argv[2]), seed=int(sys.argv[3]))
seconds = time.perf_counter() - start
peak = memory("VmHWM") / 2**20
print(json.dumps({{"seconds": seconds, "peak": peak, "answer": [len(laws), len(laws.independent)],
                  "complete": laws.complete}}))
"""
ENGINE = """
import json, re, sys, time
from clexact.claims import batches as reproduce
out = []
for batch in reproduce.batches(int(sys.argv[1])):
    begun = time.perf_counter()
    rows = list(reproduce.run(batch))
    seconds = time.perf_counter() - begun
    confirmed = sum(row.verdict == "confirmed" for row in rows)
    # what is stated of U V^T is false for one input and one output: there it must be refuted by an exact count
    refuted = [row for row in rows if row.verdict == f"refuted: {row.lower}"]
    edges = sum(bool(re.search(r" 1 x \\d+ x 1\\b", row.network)) for row in refuted)
    out.append([seconds, confirmed, len(rows), confirmed + edges])
print(json.dumps({"batches": out}))
"""


def met(value: float | None, target: float) -> str | None:
    """A target beside a figure."""
    return None if value is None else f"{target:g} {'met' if value <= target else 'MISSED'}"


def ratio(published: float | None, seconds: float | None) -> float | None:
    """How many times less."""
    return published / seconds if published and seconds else None


def engine(repeats: int, quick: bool) -> list[Row]:
    """All published batches in one fresh process, after imports."""
    try:
        runs = fresh(ENGINE, str(SEED), repeats=repeats)
    except FailedRunError as error:
        return [_engine_row("total", None, None, None, False) | {"failure": str(error)}]
    rows = []
    for n, batch in enumerate(reproduce.batches(SEED)):
        results = [run["batches"][n] for run in runs]
        confirmed = f"{min(result[1] for result in results)} of {results[0][2]}"
        seconds = statistics.median(result[0] for result in results)
        right = all(result[3] == result[2] for result in results)
        rows.append(_engine_row(batch.name, seconds, batch.published, confirmed, right))
    first = len(rows) - len(reproduce.FLOW_BATCHES)
    totals = [("gradient flows", rows[:first], GRADIENT_TARGET), ("mirror and momentum", rows[first:], FLOWS_TARGET)]
    return rows + [_engine_total(name, chosen, target) for name, chosen, target in totals]


def _engine_total(name: str, rows: list[Row], target: float) -> Row:
    seconds, published = (sum(row[key] or 0 for row in rows) for key in ("seconds", "published, s"))
    total = _engine_row(f"total, {name}", seconds, published, None, all(row["right"] for row in rows))
    return total | {"target, s": met(seconds, target)}


def _engine_row(name: str, seconds: float | None, published: int | None, confirmed: str | None, right: bool) -> Row:
    return {"batch": name, "confirmed": confirmed, "seconds": seconds, "published, s": published,
            "ratio": ratio(published, seconds), "target, s": None, "right": right}  # fmt: skip


def laws(repeats: int, quick: bool) -> list[Row]:
    """Law searches, each in fresh processes with their peak memory; expanding the fields included."""
    return [_search_row(search, repeats) for search in (cases.SEARCHES[1:] if quick else cases.SEARCHES)]


def _search_row(search: cases.Search, repeats: int) -> Row:
    seconds, peak, answer, right, failure = None, None, None, False, None
    try:
        runs = fresh(SEARCH, search.case.name, str(search.degree), str(SEED), repeats=repeats)
        seconds, peak = statistics.median(run["seconds"] for run in runs), max(run["peak"] for run in runs)
        answer = tuple(runs[-1]["answer"])
        right = all(run["complete"] and tuple(run["answer"]) == search.answer for run in runs)
    except FailedRunError as error:
        failure = str(error)
    return {"search": search.case.name, "D": search.case.model.dimension, "degree": search.degree,
            "laws, independent": answer, "known": search.answer, "seconds": seconds,
            "target, s": met(seconds, search.target), "MiB": peak, "target, MiB": met(peak, MEMORY_TARGET),
            "right": right, "failure": failure}  # fmt: skip


def counts(repeats: int, quick: bool) -> list[Row]:
    """Counts at the sizes of the targets, each a sweep of its own in a fresh process; building the flow is left out."""
    return [_count_row(count, repeats) for count in (cases.COUNTS[:1] if quick else cases.COUNTS)]


def _count_row(count: cases.Count, repeats: int) -> Row:
    seconds, peak, failure = None, None, None
    rows = [clexact.sweep([count.case], budget=WITHOUT_PROOF)[0] for _ in range(repeats + 1)][1:]
    answer, D = answer_of(rows[0]), rows[0].dimension
    if any(row.failure for row in rows):
        failure = next(row.failure for row in rows if row.failure)
    else:
        seconds = statistics.median(sum(stages_of(row).values()) for row in rows)
        peak = max(row.peak_memory for row in rows) / 2**20
    return {"certify": count.case.label.removeprefix("certify "), "D": D, "laws": answer, "known": count.known,
            "seconds": seconds, "target, s": met(seconds, count.target), "MiB": peak,
            "target, MiB": met(peak, count.memory), "right": answer == count.known, "failure": failure}  # fmt: skip


def answer_of(row: SweptRow) -> int | None:
    """The count, if it is exact and proved."""
    return row.lower if row.status == "done" and row.lower == row.upper and row.error == "0" else None


def stages_of(row: SweptRow) -> dict[str, float]:
    """Seconds of each stage of a certification, without building the flow."""
    return {stage: seconds for stage, seconds in json.loads(row.stages).items() if stage != "flow"}


def imports(repeats: int, quick: bool) -> list[Row]:
    """Import in a fresh interpreter, the bare interpreter taken off."""
    bare = median_of(lambda: run_python("pass"), repeats).seconds
    whole = median_of(lambda: run_python("import clexact"), repeats).seconds
    return [{"what": "import clexact", "interpreter": bare, "with clexact": whole, "seconds": whole - bare,
             "target, s": met(whole - bare, IMPORT_TARGET), "right": None}]  # fmt: skip


def peers(repeats: int, quick: bool) -> list[Row]:
    """Both published algorithms in SymPy, SageMath and clexact, from the model on: same answers, ratios of times."""
    _sympy_laws(cases.PEER_WARM_UP), _sympy_rank(cases.PEER_WARM_UP)  # SymPy imports some of itself late
    rows = []
    for case in cases.PEERS[:3] if quick else cases.PEERS:
        rows.append(_peer_row(case, "laws", _clexact_laws, _sympy_laws, repeats))
        rows.append(_peer_row(case, "rank", _clexact_rank, _sympy_rank, repeats))
    return rows


PEER_NAMES = {"laws": f"laws of degree {cases.PEER_DEGREE}", "rank": "rank of brackets"}


def _peer_row(case: cases.Case, what: str, ours: Count, theirs: Count, repeats: int) -> Row:
    answer, mine, expected, peer, right, failure = None, None, None, None, False, None
    try:
        mine, _, answer = median_of(partial(ours, case), repeats)
        right = None
        peer, _, expected = median_limited(partial(theirs, case), repeats, PEER_LIMIT)
        right = answer == expected
    except Exception as error:  # whatever it is, the row shows it
        failure = f"{type(error).__name__}: {error}"
    sage = _sage(case, what, repeats)
    return {"model": case.name, "D": case.model.dimension, "what": PEER_NAMES[what], "clexact": answer,
            "SymPy": expected, "Sage": sage["answer"], "clexact, s": mine, "SymPy, s": peer, "Sage, s": sage["seconds"],
            "x SymPy": ratio(peer, mine), "x Sage": ratio(sage["seconds"], mine), "right": right,
            "missing": sage["missing"], "failure": failure, "failures": sage["failures"]}  # fmt: skip


def _sage(case: cases.Case, what: str, repeats: int) -> Row:
    """SageMath's row: floats and a tolerance, so an answer that differs shows but is not counted as wrong."""
    found: Row = {"seconds": None, "answer": None, "missing": {}, "failures": {}}
    try:
        times, answers = sage_peer.runs(what, case.family, case.sizes, repeats, PEER_LIMIT * repeats)
        found |= {"seconds": statistics.median(times), "answer": answers[-1]}
    except MissingPeerError as error:
        found["missing"] = {"Sage, s": str(error)}
    except subprocess.SubprocessError as error:
        found["failures"] = {"Sage": f"{type(error).__name__}: {error}"}
    return found


def _clexact_laws(case: cases.Case) -> int:
    return len(clexact.polynomial_laws(clexact.gradient_flow(case.model), cases.PEER_DEGREE, seed=SEED))


def _clexact_rank(case: cases.Case) -> int:
    return clexact.lie_closure(clexact.gradient_flow(case.model), seed=SEED).rank


def _sympy_laws(case: cases.Case) -> int:
    return sympy_peer.law_count(*sympy_peer.gradient_fields(case.family, case.sizes), cases.PEER_DEGREE)


def _sympy_rank(case: cases.Case) -> int:
    return sympy_peer.lie_rank(*sympy_peer.gradient_fields(case.family, case.sizes), SEED)


def growth(repeats: int, quick: bool) -> list[Row]:
    """Seconds of certify, and of a law search, against D: every size of every family, the flow built anew each time.

    Each repeat is one sweep of the whole grid, in a process of its own; the first is a warm-up.
    """
    grid = [(family, n) for family in cases.GROWTH for n in (family.sizes[:4] if quick else family.sizes)]
    every = [family.case(n) for family, n in grid]
    sweeps = [clexact.sweep(every, budget=WITHOUT_PROOF) for _ in range(repeats + 1)][1:]
    rows = [_growth_row(family, n, [found[at] for found in sweeps]) for at, (family, n) in enumerate(grid)]
    searched = cases.SEARCH_GROWTH
    return rows + [_search_growth_row(searched, n, repeats) for n in (searched.sizes[:4] if quick else searched.sizes)]


def _growth_row(family: cases.Growth, n: int, found: Sequence[SweptRow]) -> Row:
    failure = next((row.failure for row in found if row.failure), None)
    median = None if failure else timed([row.seconds for row in found], answer_of(found[0]))
    return _grown(family, n, found[0].dimension, median, stages_of(found[-1]), failure)


def _search_growth_row(family: cases.Growth, n: int, repeats: int) -> Row:
    case, median, failure = family.case(n), None, None
    try:
        median = median_of(partial(_searched, case), repeats)
    except Exception as error:  # whatever it is, the row shows it
        failure = f"{type(error).__name__}: {error}"
    return _grown(family, n, case.dimension, median, {}, failure)


def _grown(
    family: cases.Growth, n: int, D: int | None, median: Timed | None, stages: dict[str, float], failure: str | None
) -> Row:
    seconds, spread, answer = median or (None, None, None)
    top = sorted(stages, key=lambda stage: -stages[stage])[:2]
    most = ", ".join(f"{stage} {stages[stage] / sum(stages.values()):.0%}" for stage in top) or None
    return {"family": family.name, "n": n, "D": D, "laws": answer, "known": family.known(n),
            "seconds": seconds, "spread": spread, "most time": most, "right": answer == family.known(n),
            "stages": stages, "failure": failure}  # fmt: skip


def _searched(case: clexact.Case) -> int | None:
    found = clexact.polynomial_laws(case.flow(), 2, seed=SEED)
    return len(found) if found.complete else None


def exponents(rows: list[Row]) -> list[Row]:
    """Slope of log seconds against log D over the upper half of the sizes, five at least: least squares."""
    out, theory = [], {family.name: family.theory for family in (*cases.GROWTH, cases.SEARCH_GROWTH)}
    for family in dict.fromkeys(row["family"] for row in rows):
        mine = [row for row in rows if row["family"] == family and row["seconds"] is not None]
        half = mine[-max(FITTED, len(mine) // 2) :]
        x, y = [log(row["D"]) for row in half], [log(row["seconds"]) for row in half]
        slope = statistics.linear_regression(x, y).slope if len(half) > 1 else None
        last: Row = mine[-1] if mine else {}
        out.append({"family": family, "D fitted": f"{half[0]['D']}..{half[-1]['D']}" if half else None,
                    "exponent": slope, "theory": theory[family], "largest D": last.get("D"),
                    "seconds": last.get("seconds")})  # fmt: skip
    return out


def shown(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else str(round(value))
    return {True: "yes", False: "NO"}[value] if isinstance(value, bool) else str(value)


def print_table(console: Console, title: str, rows: list[Row]) -> None:
    """One table; figures to the right, a line between families."""
    table, family = Table(title=title), None
    columns = [name for name in rows[0] if name not in NOT_SHOWN]
    for name in columns:
        table.add_column(name, justify="right" if any(isinstance(row[name], int | float) for row in rows) else "left")
    for row in rows:
        if title == "growth" and row["family"] != family:
            table.add_section()
            family = row["family"]
        missing = row.get("missing", {})
        table.add_row(*(f"- {missing[name]}" if name in missing else shown(row[name]) for name in columns))
    console.print(table)


MEASURES: dict[str, Callable[[int, bool], list[Row]]] = {
    "engine": engine, "laws": laws, "counts": counts, "imports": imports, "kernel": partial(kernel.table, SEED),
    "elimination": partial(elimination.table, SEED),
    "integers": partial(integers.table, SEED), "peers": peers, "growth": growth,
}  # fmt: skip


def kept(file: str) -> dict[str, list[Row]]:
    """The tables of a result file, none if there is no such file."""
    try:
        with open(file, encoding="utf-8") as old:
            tables: dict[str, list[Row]] = json.load(old)["tables"]
    except FileNotFoundError:
        return {}
    return tables


def main() -> None:
    """Run all tables, print and store them."""
    if "OPENBLAS_NUM_THREADS" not in os.environ:  # it is read when NumPy loads: start again with it
        os.execve(sys.executable, sys.orig_argv, os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--only", metavar="TABLES", help="measure these, joined by commas; FILE keeps its other tables")
    parser.add_argument("--out", default="bench-results.json", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be at least 1, not {arguments.repeats}.")
    names = list(MEASURES) if arguments.only is None else arguments.only.split(",")
    if unknown := [name for name in names if name not in MEASURES]:
        parser.error(f"--only takes some of {', '.join(MEASURES)}, not {unknown[0]!r}.")
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    tables = kept(arguments.out) if arguments.only is not None else dict[str, list[Row]]()
    for name in names:
        tables[name] = MEASURES[name](arguments.repeats, arguments.quick)
        print_table(console, name, tables[name])
    tables = {name: tables[name] for name in MEASURES if name in tables}
    wrong = [row for rows in tables.values() for row in rows if row["right"] is False]
    if "growth" in tables:
        tables["exponents"] = exponents(tables["growth"])
        print_table(console, "exponents", tables["exponents"])
    record = machine.environment() | {
        "seed": SEED,
        "repeats": arguments.repeats,
        "quick": arguments.quick,
        "tables": tables,
    }
    with open(arguments.out, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
    console.print(f"{len(wrong)} wrong answers; rows in {arguments.out}", markup=False)
    for row in wrong:
        console.print(row)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
