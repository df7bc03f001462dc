"""Time clexact: the published batches, law searches, import, a plain SymPy peer, growth with D.

    python bench/run.py [--repeats N] [--quick] [--out FILE]

Medians of N repeats after a warm-up; ratios come from one run. Exit status 1 if an answer is wrong; speed only shows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from math import log
from typing import Any

import cases
import peers_sympy
import sympy
from rich.console import Console
from rich.table import Table

import clexact
from clexact import reproduce

PEER_LIMIT = 60.0  # seconds a peer may take
SEARCH = """
import json, resource, sys, time
from clexact import gradient_flow, models, polynomial_laws
family, *sizes = sys.argv[1].split()
model = models.rebuild({"family": family, "sizes": [int(n) for n in sizes]})
start = time.perf_counter()
laws = polynomial_laws(gradient_flow(model), int(sys.argv[2]))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, peak, len(laws), len(laws.independent), laws.complete]))
"""
ENGINE = """
import json, time
from clexact import reproduce
out = []
for batch in reproduce.batches(0):
    start = time.perf_counter()
    rows = list(reproduce.run(batch))
    out.append([time.perf_counter() - start, sum(row.verdict == "confirmed" for row in rows), len(rows)])
print(json.dumps(out))
"""


def in_fresh_process(code: str, *arguments: str) -> Any:
    """What the code prints as JSON, run by a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median wall time after one warm-up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def engine(repeats: int) -> list[dict[str, Any]]:
    """All published batches in one fresh process, after imports."""
    runs = [in_fresh_process(ENGINE) for _ in range(repeats)]
    rows = []
    for n, batch in enumerate(reproduce.batches(0)):
        seconds = statistics.median(run[n][0] for run in runs)
        ratio = batch.published / seconds if batch.published else None
        right = all(run[n][1] == run[n][2] for run in runs)
        rows.append(
            {"batch": batch.name, "seconds": seconds, "published": batch.published, "ratio": ratio, "right": right}
        )
    total = statistics.median(sum(x[0] for x in run) for run in runs)
    rows.append(
        {"batch": "total (target 3 s)", "seconds": total, "published": 8978, "ratio": 8978 / total, "right": True}
    )
    return rows


def laws(repeats: int) -> list[dict[str, Any]]:
    """Law searches, each in a fresh process with its peak memory; expansion included."""
    rows = []
    for name, degree, target in cases.SEARCHES:
        runs = [in_fresh_process(SEARCH, name, str(degree)) for _ in range(repeats)]
        seconds = statistics.median(run[0] for run in runs)
        rows.append({"search": f"{name}, degree {degree}", "seconds": seconds, "target": target,
                     "MiB": max(run[1] for run in runs), "laws": runs[0][2], "independent": runs[0][3],
                     "right": all(run[4] for run in runs)})  # fmt: skip
    return rows


def imports(repeats: int) -> list[dict[str, Any]]:
    """Import in a fresh interpreter, the bare interpreter taken off."""

    def started(code: str) -> float:
        return median_seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), repeats)

    bare, whole = started("pass"), started("import clexact")
    return [{"what": "import clexact (target 0.5 s)", "seconds": whole - bare, "right": True}]


def _peer(queue: Any, model: clexact.Model, degree: int) -> None:
    flow = clexact.gradient_flow(model)
    variables = [sympy.Symbol(name) for name in flow.variables]
    fields = flow.fields.to_sympy()
    start = time.perf_counter()
    answer = (peers_sympy.law_count(fields, variables, degree), peers_sympy.lie_rank(fields, variables))
    queue.put((time.perf_counter() - start, answer))


def _peer_seconds(model: clexact.Model, degree: int) -> tuple[float, tuple[int, int]] | None:
    """Time and answer of the peer in a process of its own; None past the limit."""
    queue: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_peer, args=(queue, model, degree))
    process.start()
    process.join(PEER_LIMIT)
    if process.is_alive():
        process.terminate()
        process.join()
        return None
    found: tuple[float, tuple[int, int]] = queue.get()
    return found


def peers(repeats: int, quick: bool) -> list[dict[str, Any]]:
    """Both published algorithms in SymPy and in clexact: same answers, ratio of times."""
    rows = []
    for name, model in cases.PEERS[:3] if quick else cases.PEERS:

        def ours(model: clexact.Model = model) -> tuple[int, int]:
            flow = clexact.gradient_flow(model)
            count = clexact.certify(flow)
            return len(clexact.polynomial_laws(flow.fields, 2)), flow.dimension - count.upper

        theirs = [_peer_seconds(model, 2) for _ in range(1 if quick else repeats)]
        times = [run[0] for run in theirs if run]
        peer = statistics.median(times) if len(times) == len(theirs) else None
        mine = median_seconds(ours, repeats)
        answer = ours()
        right = all(run[1] == answer for run in theirs if run)
        rows.append({"model": name, "D": model.dimension, "laws and rank": str(answer), "clexact": mine, "sympy": peer,
                     "ratio": peer / mine if peer else None, "right": right})  # fmt: skip
    return rows


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log seconds against log D over the upper half of the sizes, least squares."""
    half = len(sizes) // 2
    x, y = [log(n) for n in sizes[half:]], [log(s) for s in seconds[half:]]
    return statistics.linear_regression(x, y).slope


def growth(repeats: int, quick: bool) -> list[dict[str, Any]]:
    """Seconds against D for each family, with where the time goes at the largest size."""
    rows = []
    for name, make, sizes in cases.GROWTH:
        flows = [clexact.gradient_flow(make(n)) for n in (sizes[:4] if quick else sizes)]
        seconds = [median_seconds(lambda f=flow: clexact.certify(f), repeats) for flow in flows]
        stages = clexact.certify(flows[-1]).stats
        top = max(stages, key=lambda stage: stages[stage])
        rows.append(_growth_row(name, flows, seconds, f"{top} {stages[top] / sum(stages.values()):.0%}"))
    name, make, sizes = cases.SEARCH_GROWTH
    flows = [clexact.gradient_flow(make(n)) for n in (sizes[:4] if quick else sizes)]
    seconds = [median_seconds(lambda f=flow: clexact.polynomial_laws(f, 2), repeats) for flow in flows]
    rows.append(_growth_row(name, flows, seconds, ""))
    return rows


def _growth_row(name: str, flows: list[Any], seconds: list[float], top: str) -> dict[str, Any]:
    D = [flow.dimension for flow in flows]
    times = " ".join(f"{d}:{s:.3g}" for d, s in zip(D, seconds, strict=True))
    return {"family": name, "D: seconds": times, "exponent": exponent(D, seconds), "most time": top, "right": True}


def shown(value: Any) -> str:
    """A cell of a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else str(round(value))
    return str(value)


def main() -> None:
    """Run all tables, print and store them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--out", default="bench-results.json")
    arguments = parser.parse_args()
    repeats, quick = arguments.repeats, arguments.quick
    tables = {"engine": engine(repeats), "laws": laws(repeats), "imports": imports(repeats),
              "peers": peers(repeats, quick), "growth": growth(repeats, quick)}  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 180)
    for title, rows in tables.items():
        table = Table(*rows[0], title=title)
        for row in rows:
            table.add_row(*map(shown, row.values()))
        console.print(table)
    versions = {name: version(name) for name in ("clexact", "numpy", "python-flint", "sympy")}
    machine = {"platform": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()}
    with open(arguments.out, "w", encoding="utf-8") as file:
        json.dump({"machine": machine, "versions": versions, "repeats": repeats, "tables": tables}, file, indent=1)
    wrong = [row for rows in tables.values() for row in rows if not row["right"]]
    if wrong:
        console.print(f"{len(wrong)} wrong answers: {wrong}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
