"""Ranks and nullspaces by python-flint alone, the conversion from a NumPy matrix or from lists counted."""

from __future__ import annotations

from typing import Any

import flint
from numpy.typing import NDArray

Rows = list[list[int]]


def modular_rank(matrix: NDArray[Any], prime: int, threads: int = 1) -> int:
    """Rank mod p."""
    flint.ctx.threads = threads
    rows, columns = matrix.shape
    return int(flint.nmod_mat(rows, columns, matrix.ravel().tolist(), prime).rank())


def integer_rank(rows: Rows) -> int:
    """Rank over Q by fmpz_mat."""
    return int(flint.fmpz_mat(rows).rank())


def rational_rank(rows: Rows) -> int:
    """Rank over Q by fmpq_mat."""
    return int(flint.fmpq_mat(flint.fmpz_mat(rows)).rank())


def integer_nullity(rows: Rows) -> int:
    """Dimension of the nullspace, which is computed, by fmpz_mat."""
    _, nullity = flint.fmpz_mat(rows).nullspace()
    return int(nullity)


def rational_nullity(rows: Rows) -> int:
    """Dimension of the nullspace, read off the reduced echelon form that fmpq_mat computes."""
    _, rank = flint.fmpq_mat(flint.fmpz_mat(rows)).rref()
    return len(rows[0]) - int(rank)
