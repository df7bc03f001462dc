"""The rescalings that solve all equations between degrees of units, modulo a prime and then exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels.sparse import SparseForm
from clexact.algebra.linalg import SparseRows, primitive, reconstruct
from clexact.algebra.terms import Ints
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
    entry, where = np.unique(place, return_inverse=True)
    value = np.bincount(where.ravel(), weights=np.concatenate(values), minlength=len(entry)).astype(np.int64)
    entry, value = entry[value != 0], value[value != 0]
    return entry // units.count, entry % units.count, value


def solutions(units: Units) -> list[dict[int, int]]:
    """A basis of the integer solutions {unit: degree}, inner units first in the reduced form."""
    equation, unit, value = equations(units)
    order = units.order()
    back = np.argsort(order)
    found = integer_nullspace(equation, order[unit], value, units.count)
    return [dict(zip(back[list(v)].tolist(), v.values(), strict=True)) for v in found]


def integer_nullspace(equation: Ints, unknown: Ints, value: NDArray[Any], columns: int) -> list[dict[int, int]]:
    """Primitive integer multiples of a basis in reduced form mod p of the solutions of integer equations.

    Each is checked over the integers; those that do not hold, or are large, are left out.
    """
    residues = (value % PRIME).astype(np.uint64)
    system = SparseRows(equation, unknown, residues, columns, PRIME)
    exact = [found for vector in system.nullspace() if (found := _primitive(vector))]
    holds = _satisfy(equation, unknown, value, exact)
    return [vector for n, vector in enumerate(exact) if holds[n]]


def independent(rows: Sequence[tuple[Ints, Ints]]) -> NDArray[np.bool_]:
    """Which rows (columns, integers) raise the rank of those before them, modulo the prime."""
    start = np.cumsum([0] + [len(column) for column, _ in rows])
    none = np.empty(0, dtype=np.int64)
    column, value = (np.concatenate([none, *(row[k] for row in rows)]) for k in (0, 1))
    met, column = np.unique(column, return_inverse=True)
    residues = (value % PRIME).astype(np.uint64)
    return SparseForm(len(met), PRIME).add(start, column.ravel(), residues, np.arange(len(rows)), MOST_ENTRIES)


def _primitive(vector: dict[int, int]) -> dict[int, int]:
    """The primitive integer multiple of a rational vector given mod p; nothing if it has none that is small."""
    if all(c in (1, PRIME - 1) for c in vector.values()):
        return {x: 1 if c == 1 else -1 for x, c in vector.items()}
    found = {x: reconstruct(c, PRIME) for x, c in vector.items()}
    return primitive({x: c for x, c in found.items() if c is not None}) if None not in found.values() else {}


def _satisfy(equation: Ints, unknown: Ints, value: NDArray[Any], vectors: list[dict[int, int]]) -> NDArray[np.bool_]:
    """Whether each vector satisfies all equations, over the integers."""
    owner = np.repeat(np.arange(len(vectors)), [len(vector) for vector in vectors])
    member = np.array([x for vector in vectors for x in vector], dtype=np.int64)
    degree = np.array([c for vector in vectors for c in vector.values()], dtype=object)
    order = np.argsort(unknown, kind="stable")
    first, last = (np.searchsorted(unknown[order], member, side=side) for side in ("left", "right"))
    times = last - first
    place = order[np.repeat(first - np.cumsum(times) + times, times) + np.arange(times.sum())]
    key = np.repeat(owner, times) * (int(equation.max(initial=0)) + 1) + equation[place]
    largest = max(map(abs, degree.tolist()), default=0) * max(map(abs, value.tolist()), default=0)
    kind: type = np.int64 if largest * max(1, len(key)) < 2**62 else object
    products = np.repeat(degree, times).astype(kind) * value[place].astype(kind)
    keys, where = np.unique(key, return_inverse=True)
    sums: NDArray[Any] = np.zeros(len(keys), dtype=kind)
    np.add.at(sums, where, products)
    broken = np.unique(keys[sums != 0] // (int(equation.max(initial=0)) + 1))
    return ~np.isin(np.arange(len(vectors)), broken)
