"""Sweeps of small cases: their rate for each core beside a plain loop's, and what a case costs besides its answer.

    python bench/sweep.py [--cases N] [--jobs N ...] [--out FILE]     # default 10000 cases, 1 and 2 jobs; some minutes

Linear and ReLU networks with D <= 20, each under many seeds, so that all keys differ. The loop makes the certificates
too, in one process with one thread; it runs before and after the sweeps, each in a fresh interpreter. ``steady`` leaves
out the start of processes; ``in cases`` is the part of the workers' time in which they compute. Exit status 1 if a
sweep has not all rows.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import mean
from typing import Any

import machine
from rich.console import Console
from rich.table import Table
from timing import run_python

import clexact
from clexact.support.provenance import engine
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Budget
from clexact.sweeps.display import Tally
from clexact.sweeps.execute import relay
from clexact.sweeps.store import Store
from clexact.sweeps.sweep import planned

BUDGET = Budget(60.0, 2000)
LARGEST = 20  # D
TARGET = 0.9  # of the loop's rate, for each core
PARCEL = 20  # cases
SAMPLE = 1000  # cases of which the parts are measured
CODE = "import sys; sys.path.insert(0, sys.argv[1]); import sweep; "
CODE += "print(getattr(sweep, sys.argv[2])(*map(int, sys.argv[3:])))"


def cases(count: int) -> list[Case]:
    """So many cases, all different."""
    sizes = [(n, r, m) for n in range(1, 5) for r in range(1, 5) for m in range(1, 5)]
    nets = [Case.of(family, *size) for family in ("linear", "relu") for size in sizes]
    small = [case.to_dict() for case in nets if (case.dimension or 0) <= LARGEST]
    return [Case.from_dict(data | {"seed": seed}) for seed, data in enumerate(islice(cycle(small), count))]


def plain(count: int) -> float:
    """Seconds of a loop over the cases."""
    clexact.set_threads(1)
    every = cases(count)
    begun = time.perf_counter()
    for case in every:
        clexact.certify(case.flow(), seed=case.seed).certificate.to_bytes(compressed=True)
    return time.perf_counter() - begun


def swept(count: int, jobs: int) -> str:
    """Seconds of a sweep from its start and from its first row, the part of them in cases, and its rows, as JSON."""
    every, rows = cases(count), list[float]()
    watched = Tally.add

    def add(tally: Tally, status: str, cost: float) -> None:
        rows.append(time.perf_counter())
        watched(tally, status, cost)

    Tally.add = add  # type: ignore[method-assign]
    begun = time.perf_counter()
    found = clexact.sweep(every, jobs=jobs, budget=BUDGET)
    steady = (rows[-1] - rows[0]) * count / (count - 1)
    inside = sum(row.seconds for row in found) / (jobs * steady)
    return json.dumps({"whole": rows[-1] - begun, "steady": steady, "inside": inside, "done": found.counts["done"]})


def rates(count: int, jobs: list[int]) -> list[dict[str, Any]]:
    """A row for the loop and for each number of jobs, from one run."""

    def once(name: str, *words: int) -> Any:
        return json.loads(run_python(CODE, str(Path(__file__).parent), name, *map(str, (count, *words)), threads=1))

    before = once("plain")
    sweeps = {n: once("swept", n) for n in jobs}
    loop = mean([before, once("plain")])
    table: list[dict[str, Any]] = [{"run": "loop", "ms a case": 1000 * loop / count, "a second": count / loop}]
    for n, found in sweeps.items():
        row = {
            "run": f"sweep, {n} jobs",
            "ms a case": 1000 * found["steady"] * n / count,
            "a second": count / found["steady"],
        }
        row |= {
            "of the loop, for each core": loop / (n * found["steady"]),
            "with the start": loop / (n * found["whole"]),
        }
        table.append(row | {"in cases": found["inside"], "rows": found["done"]})
    return table


def parts(count: int) -> dict[str, float]:
    """Microseconds of processor time of the driver and a worker for a case, by part, one after the other."""
    plans = planned(cases(count), BUDGET)
    found = {"plan": used(lambda: planned((plan.case for plan in plans), BUDGET), count)}
    from clexact.sweeps.execute import _Flight  # what it measures is private
    from clexact.sweeps.sweep import _leased

    with Store(":memory:") as store:
        store.pending({plan.key: plan.budget for plan in plans})
        parcels = list[bytes]()
        todo, tally = {plan.key: plan for plan in plans}, Tally(count, 1.0)
        found["claim"] = used(lambda: parcels.extend(_Flight(_leased(todo, store, 1, tally), count, 1)), count)
        relay(parcels[0])
        outcomes = list[Any]()
        found["pipe, of the worker"] = used(lambda: outcomes.extend(chain.from_iterable(map(relay, parcels))), count)
        rows = list[Any]()
        found["unpack"] = used(lambda: rows.extend(pickle.loads(row) for _, row in outcomes), count)
        found["commit"] = used(lambda: [store.add(row) for row in rows], count)
    found["dispatch, by loky"] = dispatch(count)
    return found


def dispatch(count: int) -> float:
    """Of joblib in the driver, for parcels of 20 cases that take 5 ms and come back with rows of the usual size."""
    from joblib import Parallel, delayed

    def run(parcels: int) -> None:
        list(Parallel(2, return_as="generator_unordered")(delayed(echo)(bytes(400 * PARCEL)) for _ in range(parcels)))

    run(2)  # starts the processes
    return used(lambda: run(count // PARCEL), count)


def echo(parcel: bytes) -> list[tuple[str, bytes]]:
    """A stand-in for the cases of a parcel."""
    time.sleep(0.005 * PARCEL)
    return [("0" * 64, bytes(2000)) for _ in range(PARCEL)]


def used(call: Callable[[], Any], count: int) -> float:
    """Microseconds of this process for each of so many."""
    begun = time.process_time()
    call()
    return 1e6 * (time.process_time() - begun) / count


def shown(title: str, rows: Iterable[dict[str, Any]]) -> Table:
    """Numbers with three digits, parts of one as they are."""
    rows = list(rows)
    columns = max(rows, key=len)
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(
            *(f"{row[name]:.3g}" if isinstance(row.get(name), float) else str(row.get(name, "")) for name in columns)
        )
    return table


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000, metavar="N")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--out", metavar="FILE", help="write JSON")
    arguments = parser.parse_args()
    console, load = Console(), os.getloadavg()[0]
    measured = parts(min(SAMPLE, arguments.cases))
    console.print(shown("processor time for a case besides its answer, microseconds", [measured]))
    table = rates(arguments.cases, arguments.jobs)
    console.print(
        shown(f"{arguments.cases:,} cases with D <= {LARGEST}; target {TARGET:g} of the loop for each core", table)
    )
    console.print(f"engine {engine()}, load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    if arguments.out:
        found = {"machine": machine.environment(), "cases": arguments.cases, "rates": table, "parts": measured}
        Path(arguments.out).write_text(json.dumps(found, indent=1) + "\n")
    return 0 if all(row.get("rows", arguments.cases) == arguments.cases for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
