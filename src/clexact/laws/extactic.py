r"""Where orbits satisfy more equations than elsewhere: extactic matrices modulo a prime.

Let V be a space of polynomials with a basis of monomials. Along a curve $\gamma' = \sum_i u_i(t) X_i(\gamma)$ from
$\theta$, u random, row n of the matrix $M(\theta)$ has the coefficients of $t^n$ in the monomials at $\gamma(t)$.
$M(\theta) c = 0$ says that the polynomial with coefficients c vanishes on the curve up to the order of M.

If $X_i p = \lambda_i p$ for every i, then $p(\gamma(t)) = p(\theta) \exp \int \sum_i u_i \lambda_i(\gamma)$: all of
$M(\theta) c$ is a multiple of $p(\theta)$. So a Darboux polynomial p in V divides every minor of M of the generic rank
that involves it, and at a point of $\{p = 0\}$ the kernel of M has p in it (M. N. Lagutinskii; C. Christopher,
J. Llibre, J. V. Pereira, Pacific J. Math. 229, 2007). Where M has a kernel generically, the coefficients of the
kernel's reduced basis are rational laws.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, dense_nullspace, determinants, residues, roots_through, short_vectors
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Ints, Terms, starts

PRIME_BITS = 61
EXTRA = 3  # orders beyond the number of monomials, which tell orbits from curves that only bend little
MOST_NUMBERS = 2 * 10**7  # held at a time
MOST_POINTS = 1500  # of a line
MOST_WORK = 4 * 10**8  # multiplications for one line
MOST_INVARIANTS = 6  # coefficients of kernels that are made rational functions, for one space


class Curves:
    """Taylor coefficients mod p of monomials along random curves tangent to a family, from many points at once."""

    def __init__(self, fields: VectorFields, monomials: Terms, orders: int, prime: int, draws: Draws) -> None:
        self.dimension, self.orders, self.prime = fields.dimension, orders, prime
        D, d, terms = fields.dimension, len(fields), fields.terms
        order = np.argsort(terms.owner % max(1, D), kind="stable")
        terms = terms.take(order)
        field, component = terms.owner // max(1, D), terms.owner % max(1, D)
        self._component_start = starts(component, D)
        scales = [Fraction(c, fields.denominators[i]) for c, i in zip(terms.coef.tolist(), field.tolist(), strict=True)]
        self._coef = residues(np.array(scales, dtype=object), prime)
        self._controls = draws.residues((d, orders), prime)
        if d == 1:  # one field: its own curve
            self._controls = np.eye(1, orders, dtype=np.uint64)
        self._terms = len(terms)
        self._table = _table(
            [[D + i, *_written(terms, t)] for t, i in enumerate(field.tolist())]
            + [_written(monomials, t) for t in range(len(monomials))],
            padding=D + d,
        )

    @property
    def work(self) -> int:
        """Multiplications for one point, about."""
        return self._table.size * self.orders**2 // 2

    def matrices(self, points: Words) -> Words:
        """M at each of the points (E, D): a stack (E, orders, monomials)."""
        some = max(1, MOST_NUMBERS // (self._table.size * self.orders))
        parts = [self._matrices(points[first : first + some]) for first in range(0, len(points), some)]
        return np.concatenate(parts)

    def _matrices(self, points: Words) -> Words:
        D, E, R, p, width = self.dimension, len(points), self.orders, self.prime, self._table.shape[1]
        series = np.zeros((D + len(self._controls) + 1, E, R), dtype=np.uint64)  # variables, controls, one
        series[:D, :, 0], series[D:-1], series[-1, :, 0] = points.T, self._controls[:, None], 1
        product = np.zeros((width, len(self._table), E, R), dtype=np.uint64)  # of the first factors of each row
        for n in range(R):
            product[0, :, :, n] = series[self._table[:, 0], :, n]
            for k in range(1, width):
                later = series[self._table[:, k], :, : n + 1][..., ::-1]
                product[k, :, :, n] = _dots(product[k - 1, :, :, : n + 1], later, p)
            if n + 1 < R:
                rates = linalg.multiply(product[-1, : self._terms, :, n], self._coef[:, None], p).T
                sums = linalg.segment_sums(rates, self._component_start, p)
                series[:D, :, n + 1] = linalg.multiply(sums.T, np.array([[pow(n + 1, -1, p)]], dtype=np.uint64), p)
        return np.ascontiguousarray(product[-1, self._terms :].transpose(1, 2, 0))


def _written(terms: Terms, t: int) -> list[int]:
    """The variables of a monomial, with repetition."""
    return [v for v, k in terms.monomial(t) for _ in range(k)]


def _table(rows: list[list[int]], padding: int) -> Ints:
    width = max(map(len, rows))
    return np.array([row + [padding] * (width - len(row)) for row in rows], dtype=np.int64).reshape(len(rows), width)


def _dots(a: Words, b: Words, p: int) -> Words:
    """Sums over the last axis of a * b mod p."""
    m = a.shape[-1]
    sums = linalg.matmul(np.ascontiguousarray(a).reshape(-1, 1, m), np.ascontiguousarray(b).reshape(-1, m, 1), p)
    return sums.reshape(a.shape[:-1])


class Extactic:
    """The extactic matrix of a family on the space of some monomials, modulo a random prime."""

    def __init__(self, fields: VectorFields, monomials: Terms, draws: Draws) -> None:
        self._variables, self._monomials, self._draws = fields.variables, monomials, draws
        self.prime = draws.prime(PRIME_BITS, avoiding=lcm(*fields.denominators))
        self._curves = Curves(fields, monomials, len(monomials) + EXTRA, self.prime, draws)
        self._bend = max(0, int(fields.terms.degrees().max(initial=0)) - 1)  # degrees that one more order adds
        self._degree = int(monomials.degrees().max(initial=0))

    @cached_property
    def rows(self) -> list[int]:
        """The first orders whose rows are independent at a random point: as many as the generic rank."""
        reduced = linalg.row_reduce(self._at_random(1)[0], self.prime)
        return np.flatnonzero(reduced.any(axis=1)).tolist()

    @property
    def nullity(self) -> int:
        """Dimension of the kernel at a random point."""
        return len(self._monomials) - len(self.rows)

    @property
    def minor_degree(self) -> int:
        """Degree of a minor of the rows chosen, at most."""
        return sum(self._degree + n * self._bend for n in self.rows)

    @property
    def too_large(self) -> bool:
        """Whether one line would take more than the stated work."""
        if self._curves.work > MOST_WORK:
            return True
        return self.minor_degree >= MOST_POINTS or self.line_work > MOST_WORK

    @property
    def line_work(self) -> int:
        """Multiplications for one line, about: the matrices, and the roots of a minor."""
        points = self.minor_degree + 1
        return points * (self._curves.work + 2 * PRIME_BITS * points)

    def _at_random(self, count: int) -> Words:
        return self._curves.matrices(self._draws.residues((count, self._curves.dimension), self.prime))

    def special_points(self) -> Words:
        """The points (E, D) of a random line, rational mod p, where a random minor of the generic rank vanishes."""
        p, D, N = self.prime, self._curves.dimension, len(self._monomials)
        start, direction = self._draws.residues((2, D), p)
        times = np.arange(self.minor_degree + 1, dtype=np.uint64)[:, None]
        stack = self._curves.matrices(_line(start, direction, times, p))[:, self.rows]
        if self.nullity:
            stack = linalg.matmul(stack, self._draws.residues((1, N, len(self.rows)), p), p)
        roots = roots_through(determinants(stack, p), p)
        return _line(start, direction, np.array(roots, dtype=np.uint64).reshape(-1, 1), p)

    def equations(self, point: Words) -> Iterator[Polynomial]:
        """Candidates, shortest first: polynomials over Q that may vanish on the orbit of a special point (D,)."""
        kernel = self._kernel(self._curves.matrices(point[None])[0])
        if len(kernel) > self.nullity:
            yield from map(self._polynomial, short_vectors(kernel, len(self._monomials), self.prime))

    def _kernel(self, matrix: Words) -> dict[int, dict[int, int]]:
        return dense_nullspace(matrix.tolist(), len(self._monomials), self.prime)

    def _polynomial(self, vector: list[int]) -> Polynomial:
        sparse = {self._monomials.monomial(j): Fraction(c) for j, c in enumerate(vector) if c}
        return Polynomial.from_sparse(self._variables, sparse)

    def invariants(self) -> Iterator[tuple[Polynomial, Polynomial]]:
        """Candidates for rational laws f / g, f and g in the space: coefficients of the generic kernel."""
        if not self.nullity:
            return
        matrices = self._at_random(2 * len(self._monomials) + EXTRA)
        kernels = [self._kernel(matrix) for matrix in matrices]
        places = sorted({(f, j) for f, vector in kernels[0].items() for j in vector if j != f})
        tried = set[tuple[int, ...]]()
        for f, j in places:
            values = tuple(kernel.get(f, {}).get(j, 0) for kernel in kernels)
            if len(set(values)) == 1 or values in tried:
                continue
            tried.add(values)
            yield from self._fraction(matrices[:, 0], values)
            if len(tried) == MOST_INVARIANTS:
                return

    def _fraction(self, monomials: Words, values: tuple[int, ...]) -> Iterator[tuple[Polynomial, Polynomial]]:
        """f / g with these values at the points where the monomials (points, N) have theirs."""
        N, p = len(self._monomials), self.prime
        column = np.array([-v % p for v in values], dtype=np.uint64)[:, None]
        rows = np.concatenate([monomials, linalg.multiply(monomials, column, p)], axis=1)
        kernel = dense_nullspace(rows.tolist(), 2 * N, p)
        for vector in short_vectors(kernel, 2 * N, p)[:1]:
            f, g = self._polynomial(vector[:N]), self._polynomial(vector[N:])
            if not f.is_zero and not g.is_zero:
                yield f, g


def _line(start: Words, direction: Words, times: Words, p: int) -> Words:
    """start + times * direction mod p."""
    return linalg.add(start[None], linalg.multiply(direction[None], times, p), p)
