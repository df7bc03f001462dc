"""The rescalings that solve all equations between degrees of units, modulo a prime and then exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels.sparse import SparseForm
from clexact.algebra.linalg import primitive, reconstruct
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.algebra.sparse_vectors import SparseVectors, numbered, packed, runs, segments
from clexact.algebra.terms import Ints, starts
from clexact.symmetry.grading import FIXED, Units

PRIME = 2**61 - 1
MOST_ENTRIES = 2 * 10**8  # of the echelon form


def equations(units: Units) -> tuple[Ints, Ints, Ints]:
    """All equations as triples (equation, unit, coefficient), a unit once in each, and that ``FIXED`` is 0."""
    rows, unknowns, values, first = list[Ints](), list[Ints](), list[Ints](), 0
    for coefficients, members in units.equations:
        count, width = members.shape
        rows.append(np.repeat(np.arange(first, first + count), width))
        unknowns.append(members.ravel())
        values.append(np.tile(np.array(coefficients), count))
        first += count
    rows.append(np.array([first]))
    unknowns.append(np.array([FIXED]))
    values.append(np.array([1]))
    place = np.concatenate(rows) * units.count + np.concatenate(unknowns)
    entry, value = _added(place, np.concatenate(values))
    return entry // units.count, entry % units.count, value


def solutions(units: Units) -> SparseVectors:
    """A basis of the integer solutions, degrees of units, inner units first in the reduced form."""
    equation, unit, value = equations(units)
    order = units.order()
    found = integer_nullspace(equation, order[unit], value, units.count)
    return replace(found, index=np.argsort(order)[found.index])


def integer_nullspace(equation: Ints, unknown: Ints, value: NDArray[Any], columns: int) -> SparseVectors:
    """Primitive integer multiples of a basis in reduced form mod p of the solutions of integer equations.

    Each is checked over the integers; those that do not hold, or are large, are left out.
    """
    residues = (value % PRIME).astype(np.uint64)
    exact = _primitive(SparseRows(equation, unknown, residues, columns, PRIME).basis())
    return exact.chosen(np.flatnonzero(_satisfy(equation, unknown, value, exact)))


def independent(rows: Sequence[tuple[Ints, Ints]]) -> NDArray[np.bool_]:
    """Which rows (columns, integers) raise the rank of those before them, modulo the prime."""
    start = np.cumsum([0] + [len(column) for column, _ in rows])
    none = np.empty(0, dtype=np.int64)
    column, value = (np.concatenate([none, *(row[k] for row in rows)]) for k in (0, 1))
    return independent_rows(SparseVectors(start, column, value))


def independent_rows(rows: SparseVectors) -> NDArray[np.bool_]:
    """The same of compressed rows. One with a column of its own raises it, and takes no part in sums of others."""
    column, count = numbered(rows.index)
    nonzero = rows.value % PRIME != 0
    once = nonzero & (np.bincount(column[nonzero], minlength=count)[column] == 1)
    raising = np.zeros(len(rows), dtype=bool)
    raising[rows.owner[once]] = True
    left = np.flatnonzero(~raising)
    linked = replace(rows, index=column).chosen(left)
    residues = (linked.value % PRIME).astype(np.uint64)
    form = SparseForm(count, PRIME)
    raising[left] = form.add(linked.start, linked.index, residues, np.arange(len(left)), MOST_ENTRIES)
    return raising


def _primitive(basis: SparseVectors) -> SparseVectors:
    """The primitive integer multiples of rational vectors given mod p, without those that have none that is small."""
    signs = (basis.value == 1) | (basis.value == PRIME - 1)
    others = np.unique(basis.owner[~signs])
    if not len(others):
        return replace(basis, value=np.where(basis.value == 1, 1, -1))
    plain = np.setdiff1d(np.arange(len(basis)), others)
    vectors = dict(zip(plain.tolist(), _primitive(basis.chosen(plain)).dicts(), strict=True))
    vectors |= dict(zip(others.tolist(), map(_small, basis.chosen(others).dicts()), strict=True))
    return packed([vectors[n] for n in range(len(basis)) if vectors[n]])


def _small(vector: dict[int, int]) -> dict[int, int]:
    """The primitive integer multiple of one; nothing if it has none that is small."""
    found = {x: reconstruct(c, PRIME) for x, c in vector.items()}
    return primitive({x: c for x, c in found.items() if c is not None}) if None not in found.values() else {}


def _satisfy(equation: Ints, unknown: Ints, value: NDArray[Any], vectors: SparseVectors) -> NDArray[np.bool_]:
    """Whether each vector satisfies all equations, over the integers."""
    owner, member, degree = vectors.owner, vectors.index, vectors.value
    order = np.argsort(unknown, kind="stable")
    ends, entries = segments(starts(unknown, 1 + max(int(unknown.max(initial=0)), int(member.max(initial=0)))), member)
    times, place = np.diff(ends), order[entries]
    key = np.repeat(owner, times) * (int(equation.max(initial=0)) + 1) + equation[place]
    largest = int(np.abs(degree).max(initial=0)) * int(np.abs(value).max(initial=0))
    kind: type = np.int64 if largest * max(1, len(key)) < 2**62 else object
    products: NDArray[Any] = np.repeat(degree, times).astype(kind) * value[place].astype(kind)
    keys, _ = _added(key, products)
    holds = np.ones(len(vectors), dtype=bool)
    holds[keys // (int(equation.max(initial=0)) + 1)] = False
    return holds


def _added(key: Ints, value: NDArray[Any]) -> tuple[Ints, NDArray[Any]]:
    """Values of equal keys added up, by key in order, without those that are 0 then."""
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[order]
    first = runs(key)
    if len(first) < len(key):
        key, value = key[first], np.add.reduceat(value, first)
    kept = (value != 0).astype(bool)
    return key[kept], value[kept]
