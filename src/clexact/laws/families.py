r"""Families of laws modulo a prime, never written out: whether the flow moves them, and their sparse gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words, add, matmul, multiply
from clexact.algebra.terms import Ints
from clexact.laws.listing import LawList
from clexact.laws.result import MOST_ENTRIES, sparse_gradients
from clexact.programs.sparse_jets import Part, collected, compressed
from clexact.symmetry.families import Family
from clexact.symmetry.views import Term


def change(family: Family, theta: Words, field: Words, prime: int, draws: Draws) -> Words:
    r"""$\langle\nabla h, X\rangle$ at a point and a value of X, both (D,), up to a factor; of a matrix, times a vector.

    A matrix that is not zero takes a random vector to zero with a probability of at most 1/p (Freivalds), and
    $(P X^\top + X P^\top) w$ costs no more than to read P and X.
    """
    weight = draws.residues((1, family.rows, 1), prime)
    total: Words | None = None
    for term in family.terms:
        p, x = (_matrices(term, family, values) for values in (theta, field))
        part = multiply(_moved(family, p, x, weight, prime), np.array(term.coefficient % prime, dtype=np.uint64), prime)
        total = part if total is None else add(total, part, prime)
    assert total is not None
    return total.ravel()


def _moved(family: Family, p: Words, x: Words, weight: Words, prime: int) -> Words:
    """Half the derivative along X of P P^T w, of squared norms, or of squared sums of rows; that of sums of rows."""
    match family.kind:
        case "gram":
            weights = np.broadcast_to(weight, (len(p), *weight.shape[1:]))
            first = matmul(p, matmul(x.mT, weights, prime), prime)
            return add(first, matmul(x, matmul(p.mT, weights, prime), prime), prime)
        case "translation":
            return _summed(x.mT, prime)
        case "total":
            return _summed(multiply(_summed(p.mT, prime), _summed(x.mT, prime), prime).mT, prime)
        case _:
            return _summed(multiply(p, x, prime), prime)


def _summed(a: Words, prime: int) -> Words:
    """The sums of the rows, (stack, rows, 1)."""
    return matmul(a, np.ones((len(a), a.shape[2], 1), dtype=np.uint64), prime)


def _matrices(term: Term, family: Family, values: Words) -> Words:
    """The matrices of a term, of a vector of all parameters."""
    return np.ascontiguousarray(values[term.entries + family.offsets[term.parameter]])


Gradients = tuple[Ints, Ints, Words]  # numbers of a family, places, values: not zero; several at a place add up


def gradients(family: Family, point: Words, prime: int) -> Iterator[Gradients]:
    """The gradients of the numbers of a family at a point (D,), term by term: what is not zero of each."""
    for term in family.terms:
        entries = term.entries + family.offsets[term.parameter]
        number, place, value = _gradients(family.kind, entries, point[entries], prime)
        yield number, place, multiply(value, np.array(term.coefficient % prime, dtype=np.uint64), prime)


def _gradients(kind: str, entries: Ints, values: Words, prime: int) -> Gradients:
    groups, rows, columns = entries.shape
    if kind == "gram":
        return _of_matrices(entries, values, prime)
    if kind == "translation":
        number = np.arange(groups * columns).reshape(groups, 1, columns)
        return np.broadcast_to(number, entries.shape).ravel(), entries.ravel(), np.ones(entries.size, dtype=np.uint64)
    if kind == "total":
        values = np.broadcast_to(_summed(values.mT, prime).mT, entries.shape)
        number = np.broadcast_to(np.arange(groups)[:, None, None], entries.shape)
    else:
        number = np.broadcast_to(np.arange(groups * rows).reshape(groups, rows, 1), entries.shape)
    met = values != 0
    return number[met], entries[met], add(values[met], values[met], prime)


def _of_matrices(entries: Ints, values: Words, prime: int) -> Gradients:
    """Of <P_k, P_m>, k <= m: P_m at the places of P_k, and P_k at those of P_m."""
    _, rows, _ = entries.shape
    group, m, column = np.nonzero(values)
    value, k = values[group, m, column], np.arange(rows)
    low, high = np.minimum(k, m[:, None]), np.maximum(k, m[:, None])
    number = group[:, None] * (rows * (rows + 1) // 2) + low * rows - low * (low - 1) // 2 + high - low
    place = entries[group[:, None], k, column[:, None]]
    each = np.where(k == m[:, None], add(value, value, prime)[:, None], value[:, None])
    return number.ravel(), place.ravel(), each.ravel()


def sparse_independent(laws: LawList, point: Words, prime: int) -> tuple[int, ...]:
    """Numbers of polynomials with independent gradients at a sparse point mod p; families are not written out."""
    D, others = len(laws.variables), sparse_gradients(laws.others, point, prime)
    number, place, value = [others.rows + laws.first[-1]], [others.place], [others.value]
    for family, first in zip(laws.families, laws.first, strict=False):
        for numbers, places, values in gradients(family, point, prime):
            number.append(numbers + first)
            place.append(places)
            value.append(values)
    part = Part((D,), np.concatenate(number), np.concatenate(place), np.concatenate(value))
    fresh = SparseForm(D, prime).add(*compressed(collected(part, prime), laws.size), MOST_ENTRIES)
    return tuple(np.flatnonzero(fresh).tolist())
