"""Dense elimination modulo a prime, by blocks of rows: rank, and which rows raise it.

Below ``BLAS_PRIME`` the rows are balanced residues in floating point and nearly all the work is products of BLAS, exact
because sums of ``PANEL`` products stay below 2^53 (2^24 in single precision, for primes below 2^8). Above, the rows are
64-bit words. The rank alone modulo 2 and 3 is found on bits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from clexact._kernels import balanced, bits, modular
from clexact.algebra import linalg
from clexact.algebra.linalg import BLAS_PRIME, PANEL, Words, check_prime
from clexact.algebra.terms import Ints
from clexact.support.threads import for_each, one_blas_thread

Rows = NDArray[Any]
Elimination = tuple[NDArray[np.bool_], Ints, Rows]  # (which rows are independent of those before, pivots, reduced rows)

BLOCK = 16  # rows eliminated at a time by the scalar kernel
TILE = 1024  # columns of a matrix product, which so stays in the cache
MANY = 2**14  # entries of the left factor from which tiles go to several threads
SPARE = 32  # columns more than rows among which the pivots of a block are sought first
SINGLE_PRIME = 2**8  # PANEL * ((p + 1) / 2)^2 + p < 2^24


class Ring(Protocol):
    """Arithmetic of rows modulo p."""

    def enter(self, rows: Words) -> Rows: ...
    def leave(self, rows: Rows) -> Words: ...
    def stored(self, rows: Rows) -> Rows: ...
    def subtract_product(self, a: Rows, b: Rows, c: Rows) -> None: ...
    def product(self, a: Rows, b: Rows) -> Rows: ...
    def echelon(self, rows: Rows) -> Ints: ...


class Balanced:
    """Rows of balanced residues in floating point; those kept in the form are float32, which holds p < 2^24."""

    def __init__(self, prime: int) -> None:
        self.prime = prime
        self.type = np.float32 if prime < SINGLE_PRIME else np.float64

    def enter(self, rows: Words) -> Rows:
        """Words as rows, copied."""
        entered = rows.astype(self.type, order="C")
        balanced.reduce(entered, self.prime)
        return entered

    def leave(self, rows: Rows) -> Words:
        """Rows as words in [0, p)."""
        return balanced.words(rows, self.prime)

    def stored(self, rows: Rows) -> Rows:
        """A copy of rows, to be kept."""
        return np.array(rows, dtype=np.float32, order="C")

    def subtract_product(self, a: Rows, b: Rows, c: Rows) -> None:
        """a <- a - b @ c, for at most ``PANEL`` rows c."""

        def work(tile: slice) -> None:
            right, out = c[:, tile], _workspace("product", (len(a), c[:, tile].shape[1]), self.type)
            if right.dtype != self.type:
                right = _workspace("right", right.shape, self.type)
                right[...] = c[:, tile]
            balanced.subtract(a[:, tile], np.matmul(b, right, out=out), self.prime)

        b = np.ascontiguousarray(b)
        if b.any():
            for_each(work, tiles(a.shape[1]), len(a) * len(c) >= MANY)

    def product(self, a: Rows, b: Rows) -> Rows:
        """a @ b, for at most ``PANEL`` rows b."""
        out = np.empty((len(a), b.shape[1]), dtype=self.type)

        def work(tile: slice) -> None:
            np.matmul(a, b[:, tile], out=out[:, tile])
            balanced.reduce(out[:, tile], self.prime)

        for_each(work, tiles(b.shape[1]), len(a) * len(b) >= MANY)
        return out

    def echelon(self, rows: Rows) -> Ints:
        """Reduced echelon form of a few rows, in place; the pivot of each, -1 for a dependent one."""
        pivots: Ints = balanced.echelon(rows, self.prime)
        return pivots


_local = threading.local()


def _workspace(name: str, shape: tuple[int, int], kind: type) -> Rows:
    """An array of this thread to write to, kept from one tile to the next: fresh memory costs as much as the work."""
    size, kept = shape[0] * shape[1], getattr(_local, name, np.empty(0))
    if kept.dtype != kind or kept.size < size:
        kept = np.empty(size, dtype=kind)
        setattr(_local, name, kept)
    return np.asarray(kept[:size].reshape(shape))


class Word:
    """Rows of 64-bit residues in [0, p), for any prime p < 2^62."""

    def __init__(self, prime: int) -> None:
        self.prime = prime

    def enter(self, rows: Words) -> Rows:
        return np.array(rows, dtype=np.uint64, order="C")

    def leave(self, rows: Rows) -> Words:
        return rows

    def stored(self, rows: Rows) -> Rows:
        return np.array(rows, order="C")

    def subtract_product(self, a: Rows, b: Rows, c: Rows) -> None:
        if b.any():
            a[...] = linalg.subtract(a, self.product(b, c), self.prime)

    def product(self, a: Rows, b: Rows) -> Rows:
        out: Rows = linalg.matmul(a[None], b[None], self.prime)[0]
        return out

    def echelon(self, rows: Rows) -> Ints:
        form = np.ascontiguousarray(rows)
        pivots = modular.echelon(form, self.prime)
        rows[...] = form
        return pivots


def tiles(columns: int) -> list[slice]:
    """Slices of ``TILE`` columns, or of half of all: what is kept for a product stays small beside a small matrix."""
    width = min(TILE, max(TILE // 4, columns // 2))
    return [slice(first, first + width) for first in range(0, columns, width)]


class RowBlock(NamedTuple):
    """Rows on the columns after their pivots; on the pivots they are the unit matrix, or what ``inverse`` inverts."""

    rows: Rows
    inverse: Rows | None = None


class Echelon:
    """A growing echelon form mod p: add rows, learn which of them raised the rank.

    The columns are kept in an order in which the pivots come first, row by row. The form is a list of blocks of rows; a
    block is zero before its own pivots and regular on them, and what is stored of it are the columns after them. A full
    one is not multiplied by its inverse: rows to be reduced take their coefficients times that instead.
    """

    def __init__(self, columns: int, prime: int) -> None:
        self.prime = prime
        self._ring: Ring = Balanced(prime) if prime < BLAS_PRIME else Word(prime)
        self.panel = min(PANEL, 64 + columns // 20)  # rows of a block, at most: where the time was least
        self._order = np.arange(columns)
        self._blocks: list[RowBlock] = []

    @property
    def rank(self) -> int:
        """Number of independent rows so far."""
        return sum(len(block.rows) for block in self._blocks)

    @property
    def pivots(self) -> Ints:
        """(rank,) pivot column of each row."""
        return self._order[: self.rank]

    def add(self, rows: Words) -> NDArray[np.bool_]:
        """Add rows (k, columns); return for each whether it is independent of all rows before it."""
        with one_blas_thread():
            fresh = [self._add_panel(rows[i : i + self.panel]) for i in range(0, len(rows), self.panel)]
        return np.concatenate(fresh) if fresh else np.empty(0, dtype=bool)

    def reduced(self, rows: Words) -> Words:
        """Rows (k, columns) minus their combinations of the form's rows: zero for what lies in its row space."""
        out = np.zeros(rows.shape, dtype=np.uint64)
        with one_blas_thread():
            out[:, self._order[self.rank :]] = self._ring.leave(self._reduced(rows))
        return out

    def _reduced(self, rows: Words) -> Rows:
        """On the columns after all pivots."""
        moved = self._ring.enter(rows if self._in_order() else rows[:, self._order])
        for block in self._blocks:
            moved, coefficients = moved[:, len(block.rows) :], moved[:, : len(block.rows)]
            if block.inverse is not None:
                coefficients = self._ring.product(np.ascontiguousarray(coefficients), block.inverse)
            self._ring.subtract_product(moved, coefficients, block.rows)
        return moved

    def _in_order(self) -> bool:
        return bool((self._order == np.arange(len(self._order))).all())

    def _add_panel(self, rows: Words) -> NDArray[np.bool_]:
        moved = self._reduced(rows)
        if len(rows) == self.panel and (found := self._pivot_columns(moved)):
            self._pivots_first(found[0], moved)
            self._blocks.append(RowBlock(*map(self._ring.stored, (moved[:, len(rows) :], found[1]))))
            return np.ones(len(rows), dtype=bool)
        fresh, pivots, reduced = self._eliminated(moved)
        if len(pivots):
            self._pivots_first(pivots, reduced)
            self._append(reduced[:, len(pivots) :])
        return fresh

    def _pivots_first(self, pivots: Ints, reduced: Rows) -> None:
        """Exchange columns after all pivots, here and in all blocks, so that the new pivots come first."""
        width, k = reduced.shape[1], len(pivots)
        place = np.arange(width)  # which column comes to each place
        place[:k] = pivots
        place[np.setdiff1d(pivots, np.arange(k))] = np.setdiff1d(np.arange(k), pivots)
        moved = np.flatnonzero(place != np.arange(width))
        if len(moved):
            for columns in (self._order[None], *(block.rows for block in self._blocks), reduced):
                tail = columns[:, columns.shape[1] - width :]
                tail[:, moved] = tail[:, place[moved]]

    def _append(self, rows: Rows) -> None:
        """Add rows, without their pivots; if they fit into the last block, that is made zero on their pivots first."""
        if self._blocks and len(self._blocks[-1].rows) + len(rows) <= self.panel:
            above = np.asarray(self._blocks.pop().rows, dtype=rows.dtype)
            coefficients, above = above[:, : len(rows)], above[:, len(rows) :]
            self._ring.subtract_product(above, coefficients, rows)
            rows = np.concatenate([above, rows])
        self._blocks.append(RowBlock(self._ring.stored(rows)))

    def _eliminated(self, rows: Rows) -> Elimination:
        """The rows are overwritten."""
        some: NDArray[np.bool_] = np.asarray(rows.any(axis=1))
        if not some.all():
            if not some.any():
                return some, np.empty(0, dtype=np.int64), rows[:0]
            fresh, pivots, reduced = self._eliminated(rows[some])
            some[some] = fresh
            return some, pivots, reduced
        if len(rows) <= BLOCK:
            return self._few(rows)
        return self._by_pivot_columns(rows) or self._by_halves(rows, self._eliminated)

    def _few(self, rows: Rows) -> Elimination:
        pivots = self._ring.echelon(rows)
        fresh = pivots >= 0
        return fresh, pivots[fresh], rows[fresh]

    def _pivot_columns(self, rows: Rows) -> tuple[Ints, Rows] | None:
        """Where a few columns show that all rows are independent: such columns, and the inverse of the rows there."""
        k = len(rows)
        columns = np.flatnonzero(rows.any(axis=0))[: k + SPARE]
        if len(columns) < k:
            return None
        beside = np.concatenate([rows[:, columns], np.eye(k, dtype=rows.dtype)], axis=1)
        fresh, pivots, reduced = self._by_halves(beside, self._only_halves)
        if not fresh.all() or pivots.max() >= len(columns):
            return None
        return columns[pivots], np.ascontiguousarray(reduced[:, len(columns) :])

    def _by_pivot_columns(self, rows: Rows) -> Elimination | None:
        """Invert where few columns do, and multiply the rows once."""
        found = self._pivot_columns(rows)
        return found and (np.ones(len(rows), dtype=bool), found[0], self._ring.product(found[1], rows))

    def _only_halves(self, rows: Rows) -> Elimination:
        return self._few(rows) if len(rows) <= BLOCK else self._by_halves(rows, self._only_halves)

    def _by_halves(self, rows: Rows, eliminated: Callable[[Rows], Elimination]) -> Elimination:
        half = len(rows) // 2
        fresh, pivots, above = eliminated(rows[:half])
        below = rows[half:]
        self._ring.subtract_product(below, below[:, pivots], above)
        more, further, below = eliminated(below)
        self._ring.subtract_product(above, above[:, further], below)
        return np.concatenate([fresh, more]), np.concatenate([pivots, further]), np.concatenate([above, below])


def rank(rows: Words, prime: int) -> int:
    """Rank mod p of a dense matrix of residues, for any prime p < 2^62; ValueError for another number.

    Memory beside it: about half as much, and less below ``BLAS_PRIME``; 1/32 for p = 3, 1/64 for p = 2.
    """
    check_prime(prime)
    if prime <= 3:
        return int(bits.rank(rows, prime))
    used = np.flatnonzero(np.bitwise_or.reduce(rows, axis=0))
    form = Echelon(len(used), prime)
    for first in range(0, len(rows), form.panel):
        panel = rows[first : first + form.panel]
        form.add(panel if len(used) == rows.shape[1] else panel[:, used])
    return form.rank
