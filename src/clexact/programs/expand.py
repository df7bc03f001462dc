"""The exact reading of a program: every entry of every array as an expanded polynomial in packed terms."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints, Terms, concatenate, ranges, starts, sum_of_products
from clexact.programs.algebras import Algebra
from clexact.programs.places import Shape, places, product_columns, product_rows


@dataclass(frozen=True)
class PolynomialArray:
    """An array of polynomials: canonical terms owned by flat positions."""

    shape: Shape
    terms: Terms

    def rearranged(self, index: NDArray[np.int64]) -> PolynomialArray:
        """The entries at the flat positions ``index``, in its shape."""
        flat = index.ravel()
        position, term = ranges(starts(self.terms.owner, prod(self.shape)), flat)
        return PolynomialArray(index.shape, self.terms.take(term).owned_by(position))

    def positions(self) -> Ints:
        """Flat positions in the array's shape."""
        return places(self.shape)


class Polynomials(Algebra[PolynomialArray]):
    """The algebra of arrays of polynomials. Coefficients may be Python fractions, from rational constants."""

    def constant(self, value: NDArray[Any]) -> PolynomialArray:
        flat = value.ravel().tolist()
        terms = Terms.from_monomials(range(len(flat)), flat, [()] * len(flat))
        return PolynomialArray(value.shape, terms)

    def add(self, a: PolynomialArray, b: PolynomialArray) -> PolynomialArray:
        shape = np.broadcast_shapes(a.shape, b.shape)
        wide = [x.rearranged(np.broadcast_to(x.positions(), shape)).terms for x in (a, b)]
        return PolynomialArray(shape, concatenate(wide).canonical())

    def multiply(self, a: PolynomialArray, b: PolynomialArray) -> PolynomialArray:
        ia, ib = np.broadcast_arrays(a.positions(), b.positions())
        return self._products(a, b, ia.shape, ia, ib, np.arange(ia.size))

    def matmul(self, a: PolynomialArray, b: PolynomialArray) -> PolynomialArray:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        shape = (*stack, a.shape[-2], b.shape[-1])
        # triples (row i, column j, contracted k) in the shape (*stack, i, j, k)
        ia, ib = np.broadcast_arrays(product_rows(a.positions()), product_columns(b.positions()))
        return self._products(a, b, shape, ia, ib, np.repeat(np.arange(prod(shape)), a.shape[-1]))

    @staticmethod
    def _products(
        a: PolynomialArray, b: PolynomialArray, shape: Shape, ia: Ints, ib: Ints, out: Ints
    ) -> PolynomialArray:
        terms = sum_of_products(a.terms, b.terms, prod(a.shape), prod(b.shape), ia.ravel(), ib.ravel(), out)
        return PolynomialArray(shape, terms)

    def transpose(self, a: PolynomialArray, axes: tuple[int, ...]) -> PolynomialArray:
        return a.rearranged(a.positions().transpose(axes))

    def reshape(self, a: PolynomialArray, shape: Shape) -> PolynomialArray:
        return PolynomialArray(shape, a.terms)

    def take(self, a: PolynomialArray, index: NDArray[np.int64]) -> PolynomialArray:
        return a.rearranged(index)

    def concatenate(self, parts: list[PolynomialArray], axis: int) -> PolynomialArray:
        sizes = np.cumsum([0] + [prod(part.shape) for part in parts])
        order = np.concatenate([part.positions() + n for part, n in zip(parts, sizes, strict=False)], axis=axis)
        moved = [part.terms.owned_by(part.terms.owner + n) for part, n in zip(parts, sizes, strict=False)]
        return PolynomialArray((int(sizes[-1]),), concatenate(moved)).rearranged(order)

    def sum(self, a: PolynomialArray, axis: int) -> PolynomialArray:
        shape = a.shape[:axis] + a.shape[axis + 1 :]
        target = np.broadcast_to(np.expand_dims(np.arange(prod(shape)).reshape(shape), axis), a.shape).ravel()
        return PolynomialArray(shape, a.terms.owned_by(target[a.terms.owner]).canonical())
