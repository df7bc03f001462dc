"""Sparse elimination mod p of witness systems: members of linear networks at sparse points, each in a fresh process.

The rows are those that ``certify`` uses, at a diagonal point and at one with some more entries, where rows fill in. The
rank is known (arXiv 2307.00144, proposition on the dimension of the Lie algebra); dense ranks of the same rows agree.
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from timing import MEMORY, FailedRunError, fresh

Row = dict[str, Any]
TARGET, MEMORY_TARGET = 60.0, 8192.0  # seconds, MiB, for D = 99,458
SYSTEM = f"""{MEMORY}
import json, sys, time
import numpy as np
from clexact import gradient_flow, models
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import rank
from clexact.lie.sparse_witnesses import SparseSpanBuilder, supports
n, which, known, dense, seed = map(int, sys.argv[1:])
flow, draws = gradient_flow(models.linear([n, n, n])), Draws(seed)
support = [mask for mask in supports(flow, draws)][which]
start = time.perf_counter()
growth = SparseSpanBuilder(flow, support, draws.prime(22), draws)
growth.run(known, 2, None)
seconds, peak = time.perf_counter() - start, memory("VmHWM") / 2**20
found = {{"seconds": seconds, "peak": peak, "rank": growth.form.rank, "entries": growth.form.entries}}
if dense:
    rows = np.concatenate([growth.values(witness) for witness in growth.witnesses])
    begun = time.perf_counter()
    found |= {{"dense rank": rank(rows, growth.prime), "dense, s": time.perf_counter() - begun}}
print(json.dumps(found))
"""


class System(NamedTuple):
    """A linear network n n n at one of the points."""

    n: int
    point: str
    dense: bool

    @property
    def known(self) -> int:
        """D minus the laws: 2 n^2 - n (n + 1) / 2."""
        return 2 * self.n**2 - self.n * (self.n + 1) // 2


POINTS = ["diagonal", "diagonal and more"]
SYSTEMS = [
    System(40, "diagonal", True), System(40, "diagonal and more", True), System(60, "diagonal", True),
    System(100, "diagonal", False), System(223, "diagonal", False),
]  # fmt: skip


def table(seed: int, repeats: int, quick: bool) -> list[Row]:
    """Seconds, memory and rank of every system."""
    return [_row(system, seed, repeats) for system in (SYSTEMS[:2] if quick else SYSTEMS)]


def _row(system: System, seed: int, repeats: int) -> Row:
    words = [system.n, POINTS.index(system.point), system.known, int(system.dense), seed]
    row: Row = {"system": f"linear {system.n} {system.n} {system.n}, {system.point}", "D": 2 * system.n**2}
    try:
        runs = fresh(SYSTEM, *map(str, words), repeats=repeats)
    except FailedRunError as error:
        return row | dict.fromkeys(COLUMNS) | {"known": system.known, "right": False, "failure": str(error)}
    seconds, peak = statistics.median(run["seconds"] for run in runs), max(run["peak"] for run in runs)
    ranks = {rank for run in runs for rank in (run["rank"], run.get("dense rank", run["rank"]))}
    met = "met" if seconds <= TARGET and peak <= MEMORY_TARGET else "MISSED"
    return row | {"rank": runs[0]["rank"], "known": system.known, "entries": runs[0]["entries"], "seconds": seconds,
                  "MiB": peak, "60 s, 8 GiB": met, "dense, s": runs[0].get("dense, s"),
                  "right": ranks == {system.known}, "failure": None}  # fmt: skip


COLUMNS = ("rank", "known", "entries", "seconds", "MiB", "60 s, 8 GiB", "dense, s", "right", "failure")
