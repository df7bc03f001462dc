"""Polynomials evaluated at many points, in floats or in Fractions; nothing is proved by floats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Ints, Terms, concatenate

Values = NDArray[Any]  # of floats, or of Fractions
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
