"""Laws, and whatever else is to be watched, as numbers along a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from clexact.certify import LawCount, certify
from clexact.flow import Flow
from clexact.forms import Form, Law, constant
from clexact.laws import ConservationLaws
from clexact.polynomial import Polynomial
from clexact.terms import Ints, Terms, concatenate
from clexact.training.data import Values

BLOCK = 10**7  # numbers held at a time


class PolynomialMap:
    """Polynomials 0, ..., count - 1 evaluated at many points, in floats or in Fractions.

    ``terms`` are canonical and owned by the number of their polynomial, which is divided by its denominator.
    """

    def __init__(self, terms: Terms, dimension: int, denominators: Sequence[int]) -> None:
        self.terms, self.dimension, self.denominators = terms, dimension, list(denominators)
        self.count = len(self.denominators)
        factors, degree = np.repeat(terms.var.astype(np.int64), terms.power), terms.degrees()
        first = np.cumsum(degree) - degree
        row = np.repeat(np.arange(len(terms)), degree)
        self._factors = np.full((int(degree.max(initial=0)), len(terms)), dimension)  # (degree, terms); D stands for 1
        self._factors[np.arange(len(row)) - first[row], row] = factors
        self._owners, self._first = np.unique(terms.owner, return_index=True)
        exact = [
            Fraction(c, self.denominators[n]) for c, n in zip(terms.coef.tolist(), terms.owner.tolist(), strict=True)
        ]
        self._exact = np.array(exact, dtype=object)
        self._floats = np.array([float(c) for c in exact])

    @classmethod
    def of(cls, polynomials: Sequence[Polynomial], dimension: int) -> PolynomialMap:
        """One row of values for each polynomial."""
        terms = concatenate([p.terms.owned_by(n) for n, p in enumerate(polynomials)])
        return cls(terms, dimension, [p.denominator for p in polynomials])

    def __call__(self, points: Values) -> Values:
        """Values at points (T, D), of shape (T, count)."""
        out = np.zeros((len(points), self.count), dtype=points.dtype)
        size = max(1, BLOCK // max(1, len(self.terms), self.dimension))
        for first, last in pairwise([*range(0, len(points), size), len(points)]):
            out[first:last, self._owners] = self._sums(points[first:last])
        return out

    def _sums(self, points: Values) -> Values:
        extended = np.concatenate([points, np.ones((len(points), 1), dtype=points.dtype)], axis=1)
        rational = points.dtype == object
        products = np.broadcast_to(self._exact if rational else self._floats, (len(points), len(self.terms)))
        for column in self._factors:
            products = products * extended[:, column]
        if not len(self._first):
            return products
        return np.asarray(np.add.reduceat(products, self._first, axis=1))

    @cached_property
    def _derivatives(self) -> tuple[PolynomialMap, Ints]:
        """The partial derivatives that are not zero, and the entry of the Jacobian that each is."""
        partial, variable = self.terms.partials()
        partial = partial.owned_by(partial.owner * self.dimension + variable).canonical()
        entries, number = np.unique(partial.owner, return_inverse=True)
        denominators = [self.denominators[n] for n in (entries // self.dimension).tolist()]
        return PolynomialMap(partial.owned_by(number), self.dimension, denominators), entries

    def jacobian(self, point: Values) -> Values:
        """Gradients at one point (D,), of shape (count, D)."""
        partial, entries = self._derivatives
        out = np.zeros(self.count * self.dimension, dtype=point.dtype)
        out[entries] = partial(point[None])[0]
        return out.reshape(self.count, self.dimension)

    def hessian(self, point: Values, weights: Values) -> Values:
        """The sum of the Hessians times weights (count,), of shape (D, D)."""
        (partial, entries), D = self._derivatives, self.dimension
        second, places = partial._derivatives
        row, column = np.divmod(places, D)
        values = second(point[None])[0] * weights[entries[row] // D]
        out = np.zeros((D, D), dtype=values.dtype)
        np.add.at(out, (entries[row] % D, column), values)
        return out


@dataclass(frozen=True)
class Watched:
    """What is watched along a trajectory: names, and laws (of any form) or what might be one."""

    names: tuple[str, ...]
    laws: tuple[Law, ...]

    @cached_property
    def polynomials(self) -> list[Polynomial | None]:
        """Each as a polynomial; None for other forms."""
        return [law.rest if law.form is Form.POLYNOMIAL else None for law in self.laws]

    def values(self, states: Values) -> Values:
        """Values (laws, T) along states (T, D)."""
        D = states.shape[1]
        out = np.zeros((len(self.laws), len(states)), dtype=states.dtype)
        plain = [n for n, p in enumerate(self.polynomials) if p is not None]
        if plain:
            out[plain] = PolynomialMap.of([self.laws[n].rest for n in plain], D)(states).T
        for n, law in enumerate(self.laws):
            if law.form is not Form.POLYNOMIAL:
                out[n] = _value(law, states)
        return out


def _value(law: Law, states: Values) -> Values:
    """A product of powers, or a sum of logarithms, along states (T, D)."""
    factors = PolynomialMap.of(law.factors, states.shape[1])(states)
    if law.form is Form.RATIONAL:
        powers = [factors[:, j] ** constant(weight) for j, weight in enumerate(law.weights)]
        return np.asarray(np.prod(powers, axis=0))
    weights = PolynomialMap.of(law.weights, states.shape[1])(states)
    rest = PolynomialMap.of([law.rest], states.shape[1])(states)[:, 0]
    return np.asarray((weights * np.log(np.abs(factors))).sum(axis=1) + rest)


def watched(given: Any, flow: Flow) -> Watched:
    """Laws as users give them: those of ``certify`` if None, a result of it, polynomials, texts, forms, or named ones.

    None of them needs to be a law of the flow. TypeError or ValueError for what is no quantity in its variables.
    """
    if isinstance(given, Watched):
        return given
    if given is None:
        given = certify(flow)
    if isinstance(given, LawCount):
        given = given.laws
    if isinstance(given, ConservationLaws):
        given = dict(zip(given.written(), given, strict=True))
    if isinstance(given, (str, Polynomial, Law)):
        given = [given]
    if not isinstance(given, (Mapping, Sequence)):
        raise TypeError(f"laws must be polynomials, texts or laws that clexact found, not {given!r}.")
    pairs = given.items() if isinstance(given, Mapping) else [(_name(law), law) for law in given]
    named = [(str(name), _law(law, flow)) for name, law in pairs]
    return Watched(tuple(name for name, _ in named), tuple(law for _, law in named))


def _name(law: object) -> str:
    return law.written() if isinstance(law, Law) else str(law)


def _law(given: object, flow: Flow) -> Law:
    if isinstance(given, str):
        given = Polynomial.from_string(given, flow.variables)
    if isinstance(given, Polynomial):
        given = Law(Form.POLYNOMIAL, (), (), given, dict(flow.exponentials))
    if not isinstance(given, Law):
        raise TypeError(f"a law must be a Polynomial, a text or a Law, not {given!r}.")
    if given.rest.variables != flow.variables:
        raise ValueError(
            f"the law {_name(given)} is in {len(given.rest.variables)} variables {given.rest.variables[0]}, ..., but "
            f"the flow has {flow.dimension}: {flow.variables[0]}, ..."
        )
    return given
