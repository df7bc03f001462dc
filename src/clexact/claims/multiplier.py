r"""The last law of a network of one input and one output, by Jacobi's multiplier.

Such a network moves along one field X, the gradient of its output f, which is multilinear: div X, the Laplacian of f,
is 0. If D - 2 laws h are known, the last one is H with $dH = (X_a\,db - X_b\,da) / J$ on their common level, a and b
being two coordinates and J the minor of the gradients of h in the others (Jacobi 1844; Whittaker, Analytical
dynamics, section 119).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from flint import fmpq, fmpq_mat

from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import POINT, drawn_point, identity
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.deep import entries, flow
from clexact.claims.grid import Grid, Size, weights
from clexact.counting.certify import certify

Point = tuple[int, ...]


class Level(NamedTuple):
    """Near a point, the common level of some laws: its coordinates, and the others as functions of these."""

    laws: list[Polynomial]
    free: list[int]  # a and b
    bound: list[int]


def pivots(matrix: fmpq_mat) -> list[int]:
    """The columns of the pivots of the reduced row echelon form."""
    reduced, rank = matrix.rref()
    rows = range(rank)
    return [next(j for j in range(matrix.ncols()) if reduced[i, j] != 0) for i in rows]


def gradients(laws: Sequence[Polynomial], point: Point) -> fmpq_mat:
    """A row for each law."""
    return fmpq_mat([[rational(partial(*point)) for partial in law.gradient] for law in laws])


def rational(value: Fraction) -> fmpq:
    """The same in FLINT."""
    return fmpq(value.numerator, value.denominator)


def level_of(laws: Sequence[Polynomial], point: Point) -> Level:
    """Of the first laws that are independent at the point."""
    every = gradients(laws, point)
    chosen = [laws[i] for i in pivots(every.transpose())]
    bound = pivots(gradients(chosen, point))
    return Level(chosen, [j for j in range(every.ncols()) if j not in bound], bound)


def divergence(field: Sequence[Polynomial]) -> Polynomial:
    """sum_j dX_j/dx_j."""
    variables = field[0].variables
    return sum((x.diff(name) for x, name in zip(field, variables, strict=True)), Polynomial(variables, {}))


def closed(field: Sequence[Polynomial], level: Level, point: Point) -> bool:
    """Whether T_a(X_a / J) + T_b(X_b / J) = 0 at the point, T_a and T_b being the coordinate fields of the level.

    Times J this is T_a X_a - X_a tr(G^-1 T_a G) and the same of b, G being the gradients in the bound coordinates.
    """
    rows = gradients(level.laws, point)
    size = len(level.bound)
    G = fmpq_mat([[rows[i, j] for j in level.bound] for i in range(size)])
    inverse, total = G.inv(), fmpq(0)
    for a in level.free:
        moved = inverse * fmpq_mat([[-rows[i, a]] for i in range(size)])
        direction = {a: fmpq(1)} | {j: moved[k, 0] for k, j in enumerate(level.bound)}
        change = [[along(law.gradient[j], direction, point) for j in level.bound] for law in level.laws]
        product = inverse * fmpq_mat(change)
        trace = sum((product[k, k] for k in range(size)), fmpq(0))
        total += along(field[a], direction, point) - rational(field[a](*point)) * trace
    return bool(total == 0)


def along(p: Polynomial, direction: dict[int, fmpq], point: Point) -> fmpq:
    """The derivative of p."""
    return sum((step * rational(p.diff(p.variables[j])(*point)) for j, step in direction.items()), fmpq(0))


def _last(widths: Size, seed: int) -> Check:
    """One field without divergence, D - 2 entries that are independent, D - 1 laws; and that the form is closed."""
    net, dimension = flow(widths), weights(widths)
    count = certify(net, 2, seed)
    point = drawn_point(dimension, seed, POINT)
    level, field = level_of(entries(widths), point), net.fields.components(0)
    true = [
        len(net.fields) == 1 and divergence(field).is_zero,
        len(level.laws) == dimension - 2,
        count.exact and count.lower == dimension - 1,
    ]
    return identity(
        all(true) and closed(field, level, point),
        "div X = 0, D - 2 independent entries and D - 1 laws",
        f"{len(level.laws)} independent entries and {count.lower} laws, D = {dimension}",
        "identity of polynomials for div X; exact ranks over Q; that dH is closed, once more at a drawn point over Q",
        dimension,
    )


SIZES = ((1, 2, 2, 1), (1, 1, 2, 2, 1), (1, 2, 2, 1, 1), (1, 2, 3, 1), (1, 3, 2, 1), (1, 2, 4, 1), (1, 1, 2, 2, 1, 1))
CLAIMS = [
    Claim(
        "deep.last",
        "The last law of 1 x 2 x 2 x 1 is an integral",
        "C. G. J. Jacobi (last multiplier); this package",
        Statement(
            "the output is harmonic, so that beside the D - 2 independent entries the last law is the integral of a "
            "closed 1-form on their level: (X_a db - X_b da)/J",
            r"dH = \frac{X_a\,db - X_b\,da}{\det \partial h / \partial (x_j)_{j \ne a, b}}",
            _last,
        ),
        Grid(("widths...",), weights, 0, 0, edges=SIZES, lengths=(2,)),
        note="a and b are two coordinates, J the minor of the gradients of the entries in the others. These are the "
        "laws that deep.no-others counts and are no polynomials. Whether H is an elementary function is open.",
    ),
]
