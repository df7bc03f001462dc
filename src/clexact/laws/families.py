r"""Families of laws modulo a prime, never written out: whether the flow moves them, and their sparse gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words, add, matmul, multiply, subtract
from clexact.algebra.terms import Ints
from clexact.laws.listing import LawList
from clexact.laws.result import MOST_ENTRIES, sparse_gradients
from clexact.programs.sparse_jets import Part, collected, compressed
from clexact.symmetry.families import Family
from clexact.symmetry.views import Term


def change(family: Family, theta: Words, field: Words, prime: int, draws: Draws) -> Words:
    r"""$\langle\nabla h, X\rangle$ at a point and a value of X, both (D,); of a matrix, times a vector.

    A matrix that is not zero takes a random vector to zero with a probability of at most 1/p (Freivalds), and
    $(P X^\top + X P^\top) w$ costs no more than to read P and X.
    """
    weight = draws.residues((1, family.rows, 1), prime)
    total: Words | None = None
    for term in family.terms:
        part = _changed(_Form(family, term, weight, prime), theta, field)
        part = multiply(part, _number(term.coefficient, prime), prime)
        total = part if total is None else add(total, part, prime)
    assert total is not None
    return total.ravel()


def _number(c: int, prime: int) -> Words:
    return np.array(c % prime, dtype=np.uint64)


def _changed(form: _Form, theta: Words, field: Words) -> Words:
    """The derivative along X of clock^k h, h the form of a term."""
    prime, power = form.prime, form.term.power
    rate = add(form.of(field, theta), form.of(theta, field), prime) if not form.linear else form.of(field, field)
    if not power or form.family.phase is None:
        return rate
    place = form.family.offsets[form.family.phase.clock]
    clock, moved = int(theta[place]), int(field[place])
    turning = _number(power * pow(clock, power - 1, prime) * moved, prime)
    value = multiply(form.of(theta, theta), turning, prime)
    return add(multiply(rate, _number(pow(clock, power, prime), prime), prime), value, prime)


class _Form:
    """A term as a form b, linear or bilinear: the law has b(theta), or b(theta, theta)."""

    def __init__(self, family: Family, term: Term, weight: Words, prime: int) -> None:
        self.family, self.term, self.weight, self.prime = family, term, weight, prime
        self.linear = family.kind == "translation" or term.linear

    def of(self, left: Words, right: Words) -> Words:
        """P Q^T w, or the antisymmetric part, or products of rows, or of sums of rows, Q on the right; or sums of P."""
        term, prime = self.term, self.prime
        moving = self.family.kind == "translation" and term.velocity
        p = self._matrices(left, term.velocity if moving else term.parameter)
        if self.linear:
            return _summed(p.mT if self.family.kind == "translation" else p, prime)
        q = self._matrices(right, term.velocity if self.family.kind == "rotation" else term.parameter)
        match self.family.kind:
            case "gram":
                return self._product(p, q)
            case "rotation":
                return subtract(self._product(p, q), self._product(q, p), prime)
            case "total":
                return _summed(multiply(_summed(p.mT, prime), _summed(q.mT, prime), prime).mT, prime)
            case _:
                return _summed(multiply(p, q, prime), prime)

    def _product(self, p: Words, q: Words) -> Words:
        """P Q^T w."""
        weights = np.broadcast_to(self.weight, (len(p), *self.weight.shape[1:]))
        return matmul(p, matmul(q.mT, weights, self.prime), self.prime)

    def _matrices(self, values: Words, name: str) -> Words:
        """The matrices of an array, of a vector of all coordinates."""
        return np.ascontiguousarray(values[self.term.entries + self.family.offsets[name]])


def _summed(a: Words, prime: int) -> Words:
    """The sums of the rows, (stack, rows, 1)."""
    return matmul(a, np.ones((len(a), a.shape[2], 1), dtype=np.uint64), prime)


def negate(a: Words, prime: int) -> Words:
    """-a."""
    return subtract(np.zeros_like(a), a, prime)


Gradients = tuple[Ints, Ints, Words]  # numbers of a family, places, values: not zero; several at a place add up


def gradients(family: Family, point: Words, prime: int) -> Iterator[Gradients]:
    """The gradients of the numbers of a family at a point (D,), term by term: what is not zero of each.

    Without the derivatives by the clock: what is independent without them is independent.
    """
    for term in family.terms:
        clock = 1 if family.phase is None else int(point[family.offsets[family.phase.clock]])
        factor = _number(term.coefficient * pow(clock, term.power, prime), prime)
        for number, place, value in _gradients(family, term, point, prime):
            yield number, place, multiply(value, factor, prime)


def turnings(family: Family, point: Words, prime: int) -> Iterator[Gradients]:
    """The directions in which rotations of the rows of its matrices move a point (D,), one for every two rows."""
    for term in family.terms:
        entries = term.entries + family.offsets[term.parameter]
        yield _of_turning(entries, point[entries], prime)


def _gradients(family: Family, term: Term, point: Words, prime: int) -> Iterator[Gradients]:
    entries = term.entries + family.offsets[term.parameter]
    groups, rows, columns = entries.shape
    ones = np.ones(entries.size, dtype=np.uint64)
    if family.kind == "gram":
        yield _of_matrices(entries, point[entries], prime)
    elif family.kind == "rotation":
        moving = term.entries + family.offsets[term.velocity]
        yield _of_turning(entries, point[moving], prime)
        number, place, value = _of_turning(moving, point[entries], prime)
        yield number, place, negate(value, prime)
    elif family.kind == "translation":
        number = np.arange(groups * columns).reshape(groups, 1, columns)
        summed = term.entries + family.offsets[term.velocity or term.parameter]
        yield np.broadcast_to(number, entries.shape).ravel(), summed.ravel(), ones
    elif term.linear:
        number = np.broadcast_to(np.arange(groups * rows).reshape(groups, rows, 1), entries.shape)
        yield number.ravel(), entries.ravel(), ones
    else:
        values = point[entries]
        if family.kind == "total":
            values = np.broadcast_to(_summed(values.mT, prime).mT, entries.shape)
            number = np.broadcast_to(np.arange(groups)[:, None, None], entries.shape)
        else:
            number = np.broadcast_to(np.arange(groups * rows).reshape(groups, rows, 1), entries.shape)
        met = values != 0
        yield number[met], entries[met], add(values[met], values[met], prime)


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


def _of_turning(entries: Ints, values: Words, prime: int) -> Gradients:
    """Of <P_k, Q_m> - <P_m, Q_k>, k < m, by the entries of P: Q_m at the places of P_k, and -Q_k at those of P_m."""
    _, rows, _ = entries.shape
    group, m, column = np.nonzero(values)
    value, k = values[group, m, column], np.arange(rows)
    low, high = np.minimum(k, m[:, None]), np.maximum(k, m[:, None])
    number = group[:, None] * (rows * (rows - 1) // 2) + low * rows - low * (low + 1) // 2 + high - low - 1
    place = entries[group[:, None], k, column[:, None]]
    each = np.where(k < m[:, None], value[:, None], negate(value, prime)[:, None])
    other = k != m[:, None]
    return number[other], place[other], each[other]


def sparse_independent(laws: LawList, point: Words, prime: int) -> tuple[int, ...]:
    """Numbers of polynomials with independent gradients at a sparse point mod p; families are not written out."""
    part = law_gradients(laws, point, prime)
    fresh = SparseForm(len(laws.variables), prime).add(*compressed(part, laws.size), MOST_ENTRIES)
    return tuple(np.flatnonzero(fresh).tolist())


def law_gradients(laws: LawList, point: Words, prime: int) -> Part:
    """The gradients of all polynomials at a sparse point mod p, a row each."""
    others = sparse_gradients(laws.others, point, prime)
    number, place, value = [others.rows + laws.first[-1]], [others.place], [others.value]
    for family, first in zip(laws.families, laws.first, strict=False):
        for numbers, places, values in gradients(family, point, prime):
            number.append(numbers + first)
            place.append(places)
            value.append(values)
    whole = Part((len(laws.variables),), np.concatenate(number), np.concatenate(place), np.concatenate(value))
    return collected(whole, prime)
