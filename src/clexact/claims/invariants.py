r"""What steps of descent keep exactly, at any rate: of U V^T no polynomial, of one input and one output quotients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement

from flint import nmod_mat

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import drawn_point, identity
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored

PRIME = (1 << 61) - 1  # residues of rationals, for ranks from below
DEGREE = 4
RATE = pow(10, -1, PRIME)  # 1/10
Vector = list[int]


def descent(size: Size, targets: Vector) -> Callable[[Vector], Vector]:
    """One step for |U V^T - Y|^2 / 2 modulo the prime: U - (U V^T - Y) V / 10, and V likewise."""
    n, r, m = size

    def step(theta: Vector) -> Vector:
        U, V = theta[: n * r], theta[n * r :]
        E = [[sum(U[i * r + k] * V[j * r + k] for k in range(r)) - targets[i * m + j] for j in range(m)]
             for i in range(n)]  # fmt: skip
        down = [sum(E[i][j] * V[j * r + k] for j in range(m)) for i in range(n) for k in range(r)]
        down += [sum(E[i][j] * U[i * r + k] for i in range(n)) for j in range(m) for k in range(r)]
        return [(a - RATE * b) % PRIME for a, b in zip(theta, down, strict=True)]

    return step


def monomials(theta: Vector) -> Vector:
    """All of degree 1 to DEGREE, modulo the prime."""
    found = []
    for degree in range(1, DEGREE + 1):
        for factors in combinations_with_replacement(theta, degree):
            value = 1
            for factor in factors:
                value = value * factor % PRIME
            found.append(value)
    return found


def _none(size: Size, seed: int) -> Check:
    """h(theta+) - h(theta) = 0 at all points has a coefficient for each monomial: full rank leaves no h."""
    n, _, m = size
    draws = Draws(seed)
    targets = [int(c) for c in draws.integers(-5, 5, n * m)]
    step, unknown = descent(size, targets), len(monomials([1] * factored(size)))
    rows = []
    for _ in range(unknown):
        theta = [int(c) for c in draws.integers(0, PRIME - 1, factored(size))]
        rows.append([b - a for a, b in zip(monomials(theta), monomials(step(theta)), strict=True)])
    rank = nmod_mat(unknown, unknown, [entry % PRIME for row in rows for entry in row], PRIME).rank()
    return identity(
        rank == unknown, "no polynomial but constants", f"rank {rank} of {unknown} coefficients",
        f"rank modulo 2^61 - 1 of h(theta+) - h(theta) at {unknown} points, rate 1/10, drawn integer targets",
        factored(size),
    )  # fmt: skip


@cache
def forms(r: int) -> tuple[Polynomial, ...]:
    """u_i u_j - v_i v_j for i <= j, and u_i v_j - u_j v_i for i < j, in u, v and t."""
    names = [*(f"u{i}" for i in range(r)), *(f"v{i}" for i in range(r)), "t"]
    texts = [f"u{i}*u{j} - v{i}*v{j}" for i, j in combinations_with_replacement(range(r), 2)]
    texts += [f"u{i}*v{j} - u{j}*v{i}" for i, j in combinations(range(r), 2)]
    return tuple(Polynomial.from_string(text, names) for text in texts)


def stepped(r: int) -> list[Polynomial]:
    """u - t v and v - t u, t being the rate times the derivative of the loss by the output."""
    names = forms(r)[0].variables
    u, v = ([Polynomial.from_string(f"{name}{i}", names) for i in range(r)] for name in "uv")
    t = Polynomial.from_string("t", names)
    return [*(a - t * b for a, b in zip(u, v, strict=True)), *(b - t * a for a, b in zip(u, v, strict=True)), t]


def composed(h: Polynomial, values: Sequence[Polynomial]) -> Polynomial:
    """h at other polynomials."""
    total = Polynomial(h.variables, {})
    for monomial, c in h.items():
        term = Polynomial.from_string("1", h.variables) * c
        for place, power in monomial:
            term = term * values[place] ** power
        total = total + term
    return total


def _quotients(size: Size, seed: int) -> Check:
    """All forms are multiplied by 1 - t^2; their quotients have rank 2r - 2, and (v, u) and (u, v) are tangent."""
    (r,) = size
    laws, values = forms(r), stepped(r)
    factor = Polynomial.from_string("1 - t^2", laws[0].variables)
    scaled = sum(composed(h, values) == factor * h for h in laws)
    names = laws[0].variables[:-1]
    given = [Polynomial.from_string(str(h), names) for h in laws]
    quotients = [[a * x - b * y for x, y in zip(h.gradient, given[0].gradient, strict=True)]
                 for h in given[1:] for a, b in [(given[0], h)]]  # fmt: skip
    found = VectorFields(names, quotients).rank_at(drawn_point(2 * r, seed)) if quotients else 0
    u, v = [f"u{i}" for i in range(r)], [f"v{i}" for i in range(r)]
    most = 2 * r - VectorFields.from_strings(names, [v + u, u + v]).rank_at(drawn_point(2 * r, seed))
    return identity(
        scaled == len(laws) and found == most == 2 * r - 2, f"{len(laws)} forms scaled, 2r - 2 = {2 * r - 2} quotients",
        f"{scaled} forms scaled; at least {found}, at most {most} quotients",
        "identities in u, v and t; exact ranks over Q of the gradients of the quotients, and of two tangent fields",
        2 * r,
    )  # fmt: skip


CLAIMS = [
    Claim(
        "discrete.none",
        "A step of descent keeps no polynomial",
        "this package",
        Statement(
            "no polynomial of degree 1 to 4 in U and V is kept by a step of gradient descent of rate 1/10",
            r"h(\theta - \eta \nabla L(\theta)) = h(\theta) \text{ for all } \theta \implies h \text{ is constant}",
            _none,
        ),
        Grid(("n", "r", "m"), factored, 6, 8, edges=((1, 1, 1), (1, 3, 1), (2, 1, 1))),
        note="Squared loss of U V^T, drawn integer targets: already for one data set and one rate.",
        fitted=False,
    ),
    Claim(
        "discrete.quotients",
        "With one input and one output any descent keeps quotients of the laws",
        "this package",
        Statement(
            "every step of <u, v>, of any rate, loss and batch, multiplies u_i u_j - v_i v_j and u_i v_j - u_j v_i by "
            "one number, so that it keeps their quotients, 2r - 2 of them independent, and no more",
            r"\frac{u_i u_j - v_i v_j}{u_k u_l - v_k v_l}, \quad \frac{u_i v_j - u_j v_i}{u_k u_l - v_k v_l}",
            _quotients,
        ),
        Grid(("r",), lambda size: size[0], 5, 8),
        note="The number is 1 - t^2, t the rate times the derivative of the loss by the output. No more: what all t "
        "keep is constant along (v, u), and along (u, v), as t and -t in turn scale by 1 - t^2.",
    ),
]
