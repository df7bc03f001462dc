"""A basis that a person would write: of all bases of a space of sparse integer vectors, one with short vectors.

A vector of least support is found by elimination in a suitable order of the columns. Several orders are tried, and of
all vectors met the shortest independent ones are kept (the greedy choice is optimal among them, as in any matroid).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.linalg import Words, primitive, reconstruct, row_reduce
from clexact.algebra.terms import Ints

Vector = dict[int, int]

PRIME = 2**61 - 1
MAX_ORDERS = 48
MAX_WORK = 3 * 10**8  # multiplications spent on one space
MAX_LIFTED = 2 * 10**5  # entries lifted to the integers
AT_ONCE = 128  # vectors looked at together
MAX_HEIGHT = 1000  # entries of a candidate; larger residues lift to numbers that mean nothing


def short_basis(vectors: list[Vector], preferred: Sequence[Vector], draws: Draws) -> list[Vector]:
    """A basis of the span of independent vectors; ``preferred`` vectors of the span come first.

    The result has as many vectors, independent, each in the span mod p; that they lie in it over Q is left to the
    caller.
    """
    if not vectors or (len(vectors) == 1 and not preferred):
        return vectors
    if len(vectors) > AT_ONCE and len(parts := _apart(vectors)) > 1:
        return [v for part in parts for v in short_basis(part, _within(part, preferred), draws)]
    columns = sorted({x for vector in vectors for x in vector})
    if not preferred and len(vectors) ** 2 * len(columns) > MAX_WORK // 2:  # no time for another order of the columns
        return vectors
    matrix = _residues(vectors, columns)
    found_vectors = _candidates(matrix, columns, draws) if len(vectors) > 1 else []
    candidates = sorted(found_vectors, key=lambda v: (len(v), _height(v), list(v.items())))
    space = Echelon(len(columns), PRIME)
    space.add(matrix)
    if space.rank < len(vectors):  # an unlucky prime: keep what is given
        return vectors
    wanted = [v for v in preferred if v.keys() <= set(columns)]
    chosen, found, offered = list[Vector](), Echelon(len(columns), PRIME), [*wanted, *candidates, *vectors]
    for first in range(0, len(offered), AT_ONCE):
        rows = _residues(some := offered[first : first + AT_ONCE], columns)
        inside = np.flatnonzero(~space.reduced(rows).any(axis=1))
        fresh = inside[found.add(rows[inside])]
        chosen += [some[n] for n in fresh.tolist()]
        if len(chosen) == len(vectors):
            break
    return chosen


def _apart(vectors: list[Vector]) -> list[list[Vector]]:
    """The vectors in groups that have no column in common."""
    parent: dict[int, int] = {}

    def root(x: int) -> int:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for vector in vectors:
        first, *rest = vector
        for x in rest:
            parent[root(x)] = root(first)
    groups: dict[int, list[Vector]] = {}
    for vector in vectors:
        groups.setdefault(root(next(iter(vector))), []).append(vector)
    return list(groups.values())


def _within(vectors: list[Vector], preferred: Sequence[Vector]) -> list[Vector]:
    columns = {x for vector in vectors for x in vector}
    return [v for v in preferred if v.keys() <= columns]


def _residues(vectors: Sequence[Vector], columns: list[int]) -> Words:
    place = {x: i for i, x in enumerate(columns)}
    out = np.zeros((len(vectors), len(columns)), dtype=np.uint64)
    for row, vector in zip(out, vectors, strict=True):
        for x, c in vector.items():
            row[place[x]] = c % PRIME
    return out


def _height(vector: Vector) -> int:
    return max(map(abs, vector.values()))


def _candidates(matrix: Words, columns: list[int], draws: Draws) -> list[Vector]:
    """Rows of the reduced echelon forms in several orders of the columns, lifted to the integers."""
    k, width = matrix.shape
    orders = min(MAX_ORDERS, width, 1 + MAX_WORK // (k * k * width), 1 + MAX_LIFTED // (k * width))
    found: dict[tuple[tuple[int, int], ...], Vector] = {}
    for n in range(orders):
        shift = n * width // orders
        order = np.roll(np.arange(width), -shift)
        if n % 3 == 2:
            order = np.argsort(draws.residues((width,), PRIME), kind="stable")
        for row in row_reduce(matrix[:, order], PRIME):
            vector = _lifted(row, order, columns)
            if vector:
                found[tuple(vector.items())] = vector
    return list(found.values())


def _primitive(columns: Ints, values: Ints) -> Vector:
    """As ``primitive``, of integers."""
    by_column = np.argsort(columns)
    columns, values = columns[by_column], values[by_column]
    values = values // (int(np.gcd.reduce(values)) * (1 if values[0] > 0 else -1))
    return dict(zip(columns.tolist(), values.tolist(), strict=True))


def _lifted(row: Words, order: Ints, columns: list[int]) -> Vector:
    """The primitive integer vector with these residues, if its entries are small; else nothing."""
    places = np.flatnonzero(row)
    values = row[places].astype(np.int64)
    values -= np.where(values > PRIME // 2, PRIME, 0)
    if (np.abs(values) <= MAX_HEIGHT).all():
        return _primitive(np.array(columns)[order[places]], values)
    exact: list[int | Fraction] = list(values.tolist())
    for n in np.flatnonzero(np.abs(values) > MAX_HEIGHT).tolist():
        value = reconstruct(int(row[places[n]]), PRIME)
        if value is None or max(abs(value.numerator), value.denominator) > MAX_HEIGHT:
            return {}
        exact[n] = value
    return primitive(dict(zip((columns[i] for i in order[places].tolist()), exact, strict=True)))
