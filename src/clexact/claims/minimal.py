r"""Minimal re-parametrizations, $W_g(\theta) = W_\varphi(\theta)$ (talk, slides 12 to 15 and 33)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from clexact import models
from clexact.algebra.draws import Draws
from clexact.claims.checks import drawn_point, identity
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored, layers
from clexact.claims.relu import hidden, with_biases
from clexact.counting.minimality import Minimality, MinimalityStatus, data_fields, minimality
from clexact.programs.model import Model
from clexact.programs.reverse import Exact

GRID = Grid(
    ("n", "r", "m"), factored, quick=6, full=16,
    edges=((1, 5, 1), (5, 1, 1), (1, 1, 5), (2, 3, 2), (1, 4, 2)),
)  # fmt: skip
DEEPER = layers(with_biases, quick=8, full=12, depths=(3, 4, 5), edges=((1, 2, 2, 1), (2, 2, 2, 2), (1, 1, 1, 1, 1, 1)))
TRIES = 12  # points at which a large W_g is looked for


def linear_f(size: Size) -> Model:
    """f(M, x) = M x."""
    n, _, m = size
    return Model({"M": (n, m)}, {"x": (m,)}, lambda M, x: M @ x)


def _linear(size: Size, seed: int) -> Check:
    """The gradients of M x in M, over drawn inputs, have rank n m."""
    n, _, m = size
    draws = Draws(seed)
    inputs = [draws.integers(-9, 9, m) for _ in range(m + 3)]
    found = data_fields(linear_f(size), inputs, [0] * (n * m)).rank
    return identity(found == n * m, f"dim W_f = {n * m}", f"dim W_f = {found}", "exact rank over Q", n * m)


def points(dimension: int, seed: int) -> list[tuple[int, ...]]:
    """Drawn ones: two of both signs and one of positive coordinates, all of them in open sets of such points."""
    drawn = [drawn_point(dimension, 2 * seed + k, 99) for k in range(3)]
    return [drawn[0], drawn[1], tuple(map(abs, drawn[2]))]


def _relu(size: Size, seed: int, bias: bool) -> Check:
    """W_g = W_phi at all the points."""
    model = models.relu(list(size), bias=bias)
    return _of_minimality([minimality(model, point, seed=seed) for point in points(model.dimension, seed)], model)


def _of_minimality(found: list[Minimality], model: Model) -> Check:
    holds = False if any(x.minimal is False for x in found) else None if any(x.minimal is None for x in found) else True
    shown = "; ".join(f"dim W_g = {x.rank} of dim W_phi = {x.phi_rank[1]}" for x in found)
    evidence = "; ".join(dict.fromkeys(x.status.value for x in found))
    return Check(holds, "W_g = W_phi at drawn points", shown, evidence, model.dimension)


# --- the chain rule --------------------------------------------------------------------------------------------------


def pulled_back(U: Exact, V: Exact, active: Exact, x: Exact) -> Iterator[list[int]]:
    r"""$\partial\varphi^\top$ of the gradients of f: the units' (M v_k, M^T u_k) with M = a_k e_i x^T."""
    n, r = U.shape
    for i in range(n):
        dU = np.zeros((n, r), dtype=object)
        dU[i] = active * (V.T @ x)
        dV = np.outer(active * U[i], x)  # r x m, as the models have it
        yield [int(c) for c in (*dU.ravel(), *dV.ravel())]


def _chain_rule(size: Size, seed: int) -> Check:
    """Jacobians of the network at drawn inputs, and phi's own times those of f, for ReLU and for linear networks."""
    n, r, m = size
    draws, dimension = Draws(seed), (n + m) * r
    point = drawn_point(dimension, seed)
    theta = np.array(point, dtype=object)
    U, V = theta[: n * r].reshape(n, r), theta[n * r :].reshape(r, m).T
    inputs = [np.array(draws.integers(-9, 9, m) if m > 1 else [k], dtype=object) for k in (1, -1, 3, -2)]
    inputs = [x for x in inputs if (V.T @ x != 0).all()]
    gates: dict[str, tuple[Model, Callable[[Exact], Exact]]] = {
        "linear": (models.linear([n, r, m]), lambda x: np.ones(r, dtype=object)),
        "ReLU": (models.relu([n, r, m]), lambda x: np.array([int(c > 0) for c in V.T @ x], dtype=object)),
    }
    wrong = [
        name
        for name, (model, active) in gates.items()
        for rows in [[row for x in inputs for row in pulled_back(U, V, active(x), x)]]
        if data_fields(model, inputs, point).rows.tolist() != rows
    ]
    shown = f"not equal: {', '.join(wrong)}" if wrong else f"equal at {len(inputs)} drawn inputs"
    return identity(not wrong, "the same rows", shown, "exact arithmetic at a drawn integer point", dimension)


# --- deeper networks -------------------------------------------------------------------------------------------------


def with_dead(widths: Size, dead: int, seed: int) -> tuple[int, ...]:
    """A point where so many units of the last hidden layer, which receive numbers >= 0, have negative weights only."""
    model = models.relu(list(widths), bias=True)
    names = tuple(start for k in range(dead) for start in (f"U2[{k},", f"b2[{k}]"))
    off = [name.startswith(names) for name in model.variables]
    return tuple(-abs(c) if dark else c for c, dark in zip(drawn_point(model.dimension, seed, 99), off, strict=True))


def without(widths: Size, dead: int) -> int:
    """At least the dimension of W_phi of the network without these units: parameters less laws; 0 without a layer."""
    smaller = (widths[0], widths[1] - dead, *widths[2:])
    return with_biases(smaller) - hidden(smaller) if smaller[1] else 0


def largest(widths: Size, seed: int, goal: int) -> int:
    """The largest dim W_g found at drawn points of positive weights or of both signs: proved lower bounds."""
    model, best = models.relu(list(widths), bias=True), 0
    for k in range(TRIES):
        point = drawn_point(model.dimension, seed + k, 99)
        if k % 2 == 0:
            signs = Draws(seed + k).integers(0, 3, model.dimension)
            point = tuple(abs(c) if s else c for c, s in zip(point, signs, strict=True))
        best = max(best, minimality(model, point, seed=seed, patience=20).rank)
        if best > goal:
            break
    return best


def _two_dimensions(widths: Size, seed: int) -> Check:
    """dim W_g takes two values on open sets, so it is not the rank of one analytic family almost everywhere."""
    model = models.relu(list(widths), bias=True)
    for dead in (1, widths[1]):
        most = without(widths, dead)
        large = largest(widths, seed, most)
        if large > most:
            break
    small = minimality(model, with_dead(widths, dead, seed), seed=seed, patience=20)
    consistent = small.rank <= most and small.status is not MinimalityStatus.EQUAL
    return Check(
        consistent and (large > most or None), "dim W_g differs between open sets",
        f"at most {most} where {dead} unit{'s are' if dead > 1 else ' is'} dead ({small.rank} found), at least {large} "
        f"on another open set; dim W_phi = {small.phi_rank[1]}",
        "a unit of the last hidden layer with negative weights and bias is off for all inputs, on an open set: there "
        "W_g lies in W_phi of the network without it; exact ranks of gradients at rational inputs elsewhere",
        model.dimension,
    )  # fmt: skip


CLAIMS = [
    Claim(
        "minimal.chain-rule",
        "The fields through a re-parametrization",
        "talk, slides 12 and 13",
        Statement(
            "W_g(theta) is the transposed Jacobian of phi applied to W_f(theta)",
            r"W_g(\theta) = \partial\varphi(\theta)^\top W_f(\theta)",
            _chain_rule,
        ),
        GRID,
        note="Row by row: for phi = U V^T and for phi = (u_i v_i^T)_i with the gates of each input.",
    ),
    Claim(
        "minimal.linear",
        "U V^T is minimal",
        "talk, slide 15, theorem",
        Statement(
            "for sigma = Id, W_f(theta) is the whole space of n x m matrices",
            r"\sigma = \text{Id}, \ \varphi(U, V) = UV^\top \text{ is minimal}",
            _linear,
        ),
        GRID,
    ),
    Claim(
        "minimal.relu",
        "(u_i v_i^T)_i is minimal",
        "talk, slide 15, theorem",
        Statement(
            "for sigma = ReLU, phi = (u_i v_i^T)_i is minimal outside a set of measure 0",
            r"\sigma = \text{ReLu}, \ \varphi(U, V) = (u_i v_i^\top)_i \text{ is minimal. Outside a set of 0 measure}",
            lambda size, seed: _relu(size, seed, False),
        ),
        GRID,
        instead=Statement(
            "with biases, phi = (u_i v_i^T, u_i b_i)_i is minimal at generic theta",
            r"\varphi(U, V, b) = (u_i v_i^\top, u_i b_i)_i",
            lambda size, seed: _relu(size, seed, True),
        ),
        note="A scalar input without biases has two regions only, x > 0 and x < 0, so two units with v of the same "
        "sign are on together: on an open set W_g is smaller, and there are more laws than the h_k.",
    ),
    Claim(
        "minimal.deeper",
        "Deeper networks",
        "talk, slide 33",
        Statement(
            "with more than two layers no parameterization is minimal at almost all theta",
            r"\text{Deeper networks: no minimal parameterization valid for almost all } \theta",
            _two_dimensions,
        ),
        DEEPER,
        note="ReLU networks with biases. Shown for analytic phi: the rank of the gradients of such a phi is the same "
        "at almost all theta, while dim W_g takes two values on open sets.",
    ),
]
