"""Exact linear algebra over Q at small sizes: clexact against FLINT's fmpz_mat and fmpq_mat, conversion counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cases
import numpy as np
from peers import flint_peer, sympy_peer
from timing import FailedRunError, median_limited

import clexact
from clexact.algebra.linalg import rational_nullspace, rational_rank

Row = dict[str, Any]
Rows = list[list[int]]
SIZES, QUICK_SIZES = (20, 40, 80, 160), (10, 20)
BOUND = 10**6  # of the entries
LIMIT = 60.0  # seconds of one run
TOOLS = ("clexact", "fmpz_mat", "fmpq_mat")


def table(seed: int, repeats: int, quick: bool) -> list[Row]:
    """Rank and nullspace of random matrices, and the laws of some models by the nullspace of their monomial systems."""
    rows = []
    _laws(cases.PEER_WARM_UP, cases.PEER_DEGREE, seed)  # what is imported late
    for n in QUICK_SIZES if quick else SIZES:
        full, half = matrix(seed, n, n, n), matrix(seed, n, n, n // 2)
        rows.append(_rank_row("rank", full, repeats))
        rows.append(_rank_row("rank, half", half, repeats))
        rows.append(_nullspace_row("nullspace, half", half, repeats))
    return rows + [_system_row(system, seed, repeats) for system in cases.SYSTEMS[: 2 if quick else None]]


def matrix(seed: int, rows: int, columns: int, rank: int) -> Rows:
    """Random integers below ``BOUND``; below full rank, the later rows are small combinations of the first ones."""
    draws = np.random.default_rng(seed)
    first = draws.integers(-BOUND, BOUND, (rank, columns))
    combined = draws.integers(-9, 10, (rows - rank, rank)) @ first
    out: Rows = np.concatenate([first, combined]).tolist()
    return out


def _rank_row(what: str, rows: Rows, repeats: int) -> Row:
    calls = (rational_rank, flint_peer.integer_rank, flint_peer.rational_rank)
    return _row(what, rows, [partial(call, rows) for call in calls], repeats)


def _nullspace_row(what: str, rows: Rows, repeats: int) -> Row:
    calls = (_nullity, flint_peer.integer_nullity, flint_peer.rational_nullity)
    return _row(what, rows, [partial(call, rows) for call in calls], repeats)


def _nullity(rows: Rows) -> int:
    return len(rational_nullspace(rows, len(rows[0])))


def _system_row(system: cases.System, seed: int, repeats: int) -> Row:
    """clexact makes the system and solves it; FLINT is given its matrix, made by SymPy, whose time does not count."""
    case, degree = system
    fields, variables = sympy_peer.gradient_fields(case.family, case.sizes)
    rows = [[int(c) for c in row] for row in sympy_peer.monomial_system(fields, variables, degree)]
    calls = [partial(_laws, case, degree, seed)]
    calls += [partial(call, rows) for call in (flint_peer.integer_nullity, flint_peer.rational_nullity)]
    return _row(f"laws of degree {degree}, {case.name}", rows, calls, repeats)


def _laws(case: cases.Case, degree: int, seed: int) -> int:
    return len(clexact.polynomial_laws(clexact.gradient_flow(case.model), degree, seed=seed))


def _row(what: str, rows: Rows, calls: Sequence[Callable[[], int]], repeats: int) -> Row:
    """Each call in children of its own; answers must agree."""
    row: Row = {"what": what, "rows": len(rows), "columns": len(rows[0]), "answer": None}
    seconds: dict[str, float | None] = dict.fromkeys(TOOLS)
    answers, failures = dict[str, int](), dict[str, str]()
    for tool, call in zip(TOOLS, calls, strict=True):
        try:
            seconds[tool], _, answers[tool] = median_limited(call, repeats, LIMIT, warm_up=True)
        except FailedRunError as error:
            failures[tool] = str(error)
    ours = seconds["clexact"]
    row |= {"answer": answers.get("clexact")} | {f"{tool}, s": seconds[tool] for tool in TOOLS}
    row |= {f"x {tool}": (seconds[tool] or 0) / ours if ours and seconds[tool] else None for tool in TOOLS[1:]}
    compared = len(answers) > 1 or "clexact" not in answers
    right = ("clexact" in answers and len(set(answers.values())) == 1) if compared else None
    return row | {"right": right, "answers": answers, "failures": failures}
