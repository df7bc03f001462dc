"""The modular rank kernel against FFLAS-FFPACK and FLINT: dense matrices of residues, each tool in its own process.

A matrix is made once from a seeded generator, without code of clexact, and written to a file that every tool reads.
Reading is not timed; FLINT's conversion is. Ranks must agree.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from peers import MissingPeerError, fflas, flint_peer
from timing import MEMORY, fresh, median_limited

Row = dict[str, Any]
Residues = NDArray[np.uint64]

RANK = "from clexact.algebra.echelon import rank"  # the one place that says where ours is
LARGE_PRIME = 4194301  # the largest below 2^22
SIZES, QUICK_SIZES = (1000, 2000, 4000, 8000), (500, 1000)
SMALL_PRIMES = (2, 3)
SMALL_PRIME_LIMIT = 4000  # the largest n with small primes
TWO_THREADS = (4000, 8000)  # n of the random matrices that also run with two threads
ONE_RUN = 8000  # from this n on, FLINT runs once
LIMIT = 600.0  # seconds for all runs of a peer on one matrix
FFLAS_TARGET, FLINT_TARGET, MEMORY_TARGET = 1.0, 5.0, 1.5  # times as fast, times as fast, times the matrix
CHUNK = 512  # products of residues below 2^22 that sum below 2^53

OURS = f"""
import json, sys, time
import numpy as np
{RANK}
{MEMORY}
n, prime, repeats = map(int, sys.argv[2:])
rows = np.fromfile(sys.argv[1], dtype=np.uint64).reshape(n, n)
rank(rows[:256, :256].copy(), prime)  # BLAS takes its buffers
before = memory("VmRSS")
rank(rows, prime)  # the warm-up
used = max(memory("VmHWM") - before, 0) / rows.nbytes + 1
runs = []
for _ in range(repeats):
    start = time.perf_counter()
    found = rank(rows, prime)
    runs.append([time.perf_counter() - start, int(found)])
print(json.dumps({{"runs": runs, "memory": used}}))
"""


CELLS = ("rank", "clexact, s", "FFLAS, s", "FLINT, s", "x FFLAS", "x FLINT", "GFLOP/s", "memory", "missed", "right",
         "FFLAS method", "spread of clexact")  # fmt: skip


class Matrix(NamedTuple):
    """A matrix to be made, and the threads that BLAS has."""

    kind: str
    n: int
    prime: int
    threads: int


def matrices(quick: bool) -> list[Matrix]:
    """All rows of the table."""
    out = []
    for n in QUICK_SIZES if quick else SIZES:
        primes = (LARGE_PRIME, *SMALL_PRIMES) if n <= SMALL_PRIME_LIMIT else (LARGE_PRIME,)
        out += [Matrix(kind, n, prime, 1) for prime in primes for kind in KINDS]
        out += [Matrix("random", n, LARGE_PRIME, 2)] if n in TWO_THREADS else []
    return out


def uniform(draws: np.random.Generator, rows: int, columns: int, prime: int) -> Residues:
    """Uniform residues."""
    return draws.integers(0, prime, (rows, columns), dtype=np.uint64)


def half_rank(draws: np.random.Generator, n: int, prime: int) -> Residues:
    """A product of n x n/2 and n/2 x n."""
    return product(uniform(draws, n, n // 2, prime), uniform(draws, n // 2, n, prime), prime)


def zero_columns(draws: np.random.Generator, n: int, prime: int) -> Residues:
    """Every third column zero; each row of the last quarter a combination of two rows above."""
    matrix = uniform(draws, n, n, prime)
    matrix[:, ::3] = 0
    first = n - n // 4
    for row in matrix[first:]:
        (i, j), (a, b) = draws.integers(0, first, 2), uniform(draws, 1, 2, prime)[0]
        row[:] = (a * matrix[i] + b * matrix[j]) % np.uint64(prime)
    return matrix


KINDS: dict[str, Callable[[np.random.Generator, int, int], Residues]] = {
    "random": lambda draws, n, prime: uniform(draws, n, n, prime),
    "half rank": half_rank,
    "zero columns": zero_columns,
}


def product(a: Residues, b: Residues, prime: int) -> Residues:
    """a @ b mod p by float64 products that are exact, for p < 2^22."""
    if CHUNK * (prime - 1) ** 2 > 2**53:
        raise ValueError(f"prime must be at most {isqrt(2**53 // CHUNK) + 1}, not {prime}.")
    total = np.zeros((len(a), b.shape[1]))
    for k in range(0, b.shape[0], CHUNK):
        total += a[:, k : k + CHUNK].astype(np.float64) @ b[k : k + CHUNK].astype(np.float64) % prime
    return (total % prime).astype(np.uint64)


def table(seed: int, repeats: int, quick: bool) -> list[Row]:
    """Seconds, ranks and memory of every matrix."""
    with tempfile.TemporaryDirectory() as folder:
        return [_row(matrix, Path(folder) / "matrix", seed, repeats) for matrix in matrices(quick)]


def _row(matrix: Matrix, file: Path, seed: int, repeats: int) -> Row:
    entries = KINDS[matrix.kind](np.random.default_rng(seed), matrix.n, matrix.prime)
    entries.tofile(file)
    row: Row = {"matrix": matrix.kind, "n": matrix.n, "p": matrix.prime, "threads": matrix.threads}
    row |= dict.fromkeys(CELLS) | {"ranks": {}, "missing": {}, "failures": {}}
    _measure(row, "clexact", partial(_ours, matrix, file, repeats))
    _measure(row, "FFLAS", partial(_fflas, matrix, file, repeats))
    _measure(row, "FLINT", partial(_flint, matrix, entries, 1 if matrix.n >= ONE_RUN else repeats))
    return row | _verdict(row)


def _measure(row: Row, tool: str, measure: Callable[[], Row]) -> None:
    """Add what a tool found to its row: seconds, ranks and more, or the package that is missing, or the failure."""
    try:
        found = measure()
        row["ranks"][tool] = found.pop("ranks")
        row[f"{tool}, s"] = found.pop("seconds")
        row |= found
    except MissingPeerError as error:
        row["missing"][f"{tool}, s"] = str(error)
    except Exception as error:  # whatever it is, the row shows it
        row["failures"][tool] = f"{type(error).__name__}: {error} {getattr(error, 'stderr', None) or ''}".strip()


def _ours(matrix: Matrix, file: Path, repeats: int) -> Row:
    words = [str(word) for word in (file, matrix.n, matrix.prime, repeats)]
    (found,) = fresh(OURS, *words, repeats=1, warm_up=False, threads=matrix.threads)
    seconds = [run[0] for run in found["runs"]]
    return {"seconds": statistics.median(seconds), "spread of clexact": max(seconds) / min(seconds),
            "memory": found["memory"], "ranks": sorted({run[1] for run in found["runs"]})}  # fmt: skip


def _fflas(matrix: Matrix, file: Path, repeats: int) -> Row:
    found = fflas.rank(file, (matrix.n, matrix.n), matrix.prime, repeats, matrix.threads, LIMIT)
    return {"seconds": statistics.median(found.seconds), "ranks": sorted(set(found.ranks)), "FFLAS method": found.notes}


def _flint(matrix: Matrix, entries: Residues, repeats: int) -> Row:
    call = partial(flint_peer.modular_rank, entries, matrix.prime, matrix.threads)
    seconds, _, answer = median_limited(call, repeats, LIMIT, warm_up=matrix.n < ONE_RUN)
    return {"seconds": seconds, "ranks": [answer]}


def _verdict(row: Row) -> Row:
    """Ratios, speed, targets missed, and whether all ranks agree; a failure of ours is wrong."""
    found = {rank for ranks in row["ranks"].values() for rank in ranks}
    ours, seconds, n = row["ranks"].get("clexact"), row["clexact, s"], row["n"]
    if not ours:
        return {"right": False}
    ratios = {f"x {peer}": row[f"{peer}, s"] and row[f"{peer}, s"] / seconds for peer in ("FFLAS", "FLINT")}
    missed = [name for name, target in (("FFLAS", FFLAS_TARGET), ("FLINT", FLINT_TARGET))
              if ratios[f"x {name}"] is not None and ratios[f"x {name}"] < target]  # fmt: skip
    missed += ["memory"] if row["memory"] > MEMORY_TARGET else []
    work = 2 / 3 * (n**3 - (n - ours[0]) ** 3)  # of an elimination that stops at the rank
    right = len(found) == 1 if len(row["ranks"]) > 1 or len(ours) > 1 else None
    return {"rank": ours[0], **ratios, "GFLOP/s": work / seconds / 1e9, "missed": " ".join(missed) or "none",
            "right": right}  # fmt: skip
