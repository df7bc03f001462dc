r"""Iterated brackets $\mathrm{ad}_f^k g_i$ at a point, to any depth: coefficients of fields carried back by a flow.

Along $x' = f(x)$ with $\Phi' = Df(x)\,\Phi$, $\Phi(0) = I$, the vector $\Phi^{-1} g(x(t))$ has the derivative
$\Phi^{-1} [f, g](x(t))$: its k-th coefficient is $\mathrm{ad}_f^k g(x_0) / k!$. So no bracket is ever made as a
polynomial, and depth k costs k^2 products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.polynomial import Number, Polynomial
from clexact.algebra.terms import Monomial, Terms
from clexact.laws.extactic import Curves

PRIME_BITS = 61
Entry = tuple[int, int, Monomial, Fraction]  # row, column, and a term of what stands there


def draw_prime(fields: VectorFields, point: Sequence[Number], draws: Draws) -> int:
    """A random prime that divides no denominator of the fields or of the point."""
    return draws.prime(PRIME_BITS, avoiding=lcm(*fields.denominators, *(c.denominator for c in point)))


def drift_chains(
    drift: VectorFields, controls: VectorFields, point: Sequence[Number], depth: int, prime: int, draws: Draws
) -> Words:
    """Values (depth + 1, controls, D) of multiples of ad_f^k g_i at a point, modulo a prime above ``depth``."""
    D = drift.dimension
    slopes = [entry for i, p in enumerate(drift.components(0)) for entry in _partials(i, p)]
    given = [
        (i, j, m, c) for i in range(len(controls)) for j, p in enumerate(controls.components(i)) for m, c in p.items()
    ]
    every = {((0, 1),): None, **dict.fromkeys(m for _, _, m, _ in (*slopes, *given))}  # one at least is not constant
    monomials = Terms.from_monomials([0] * len(every), [1] * len(every), list(every))
    place = {monomials.monomial(t): t for t in range(len(monomials))}
    start = linalg.residues(np.array([list(point)], dtype=object), prime)
    series = Curves(drift, monomials, depth + 1, prime, draws).matrices(start)[0]  # (depth + 1, monomials)
    jacobian = _along(slopes, (D, D), place, series, prime)  # (depth + 1, D, D)
    back = np.zeros((depth + 1, D, D), dtype=np.uint64)
    back[0] = np.eye(D, dtype=np.uint64)
    for k in range(depth):
        total = linalg.matmul(back[: k + 1], np.ascontiguousarray(jacobian[k::-1]), prime)
        scale = np.uint64(-pow(k + 1, -1, prime) % prime)
        back[k + 1] = linalg.multiply(_summed(total, prime), np.broadcast_to(scale, (D, D)), prime)
    fields = _along(given, (len(controls), D), place, series, prime)  # (depth + 1, controls, D)
    out = np.zeros_like(fields)
    for k in range(depth + 1):
        earlier = np.ascontiguousarray(fields[k::-1])
        out[k] = _summed(linalg.matmul(earlier, np.ascontiguousarray(back[: k + 1].transpose(0, 2, 1)), prime), prime)
    return out


def _partials(i: int, p: Polynomial) -> Iterator[Entry]:
    """The terms of the derivatives of component i by each variable."""
    for monomial, c in p.items():
        for v, k in monomial:
            yield i, v, tuple((w, n - (w == v)) for w, n in monomial if n > (w == v)), c * k


def _along(
    entries: Sequence[Entry], shape: tuple[int, int], place: Mapping[Monomial, int], series: Words, prime: int
) -> Words:
    """The Taylor coefficients (orders, *shape) of a matrix of polynomials along a curve, from the monomials'."""
    out = np.zeros((len(series), *shape), dtype=np.uint64)
    for i, j, monomial, c in entries:
        scale = np.full(len(series), c.numerator * pow(c.denominator, -1, prime) % prime, dtype=np.uint64)
        term = linalg.multiply(np.ascontiguousarray(series[:, place[monomial]]), scale, prime)
        out[:, i, j] = linalg.add(out[:, i, j], term, prime)
    return out


def _summed(stack: Words, prime: int) -> Words:
    """The sum of a stack of matrices."""
    total: Words = stack[0]
    for matrix in stack[1:]:
        total = linalg.add(total, matrix, prime)
    return total
