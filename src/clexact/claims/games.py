r"""Learning in zero-sum games: the replicator equation keeps the Fenchel coupling (arXiv 2505.12609).

Two players with strategies x and y, payoffs A and -A: $\dot x_i = x_i ((A y)_i - x^\top A y)$ and
$\dot y_j = -y_j ((A^\top x)_j - x^\top A y)$. With an interior equilibrium (p, q), $\prod x_i^{p_i} \prod y_j^{q_j}$ is
kept: its logarithm is the coupling. The fields are those of all games with this equilibrium, on the simplices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import complete
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Size, cases

Weights = Sequence[int]  # of an equilibrium, up to a factor


def strategy(name: str, size: int, names: Sequence[str]) -> list[Polynomial]:
    """Probabilities that sum to 1: the last one is 1 less the others."""
    free = [Polynomial.from_string(f"{name}{i}", names) for i in range(size - 1)]
    return [*free, Polynomial.from_string("1", names) - sum(free, Polynomial(names, {}))]


def replicator(x: list[Polynomial], payoffs: list[Polynomial]) -> list[Polynomial]:
    """x_i (payoff_i - mean payoff), but for the last i."""
    mean = sum((a * b for a, b in zip(x, payoffs, strict=True)), x[0] - x[0])
    return [a * (b - mean) for a, b in zip(x[:-1], payoffs[:-1], strict=True)]


def games(p: Weights, q: Weights) -> list[list[list[int]]]:
    """A basis, up to constants in rows and columns that no player sees, of the payoffs A with A q = 0 and p A = 0."""
    n, m = len(p) - 1, len(q) - 1
    found = []
    for i, j in product(range(n), range(m)):
        A = [[0] * (m + 1) for _ in range(n + 1)]
        A[i][j], A[i][m], A[n][j], A[n][m] = p[n] * q[m], -p[n] * q[j], -p[i] * q[m], p[i] * q[j]
        found.append(A)
    return found


def fields(p: Weights, q: Weights) -> VectorFields:
    """One field for each game of the basis."""
    names = [f"x{i}" for i in range(len(p) - 1)] + [f"y{j}" for j in range(len(q) - 1)]
    x, y = strategy("x", len(p), names), strategy("y", len(q), names)
    zero, components = Polynomial(names, {}), []
    for A in games(p, q):
        first = [sum((A[i][j] * y[j] for j in range(len(q))), zero) for i in range(len(p))]
        second = [sum((-A[i][j] * x[i] for i in range(len(p))), zero) for j in range(len(q))]
        components.append([*replicator(x, first), *replicator(y, second)])
    return VectorFields(names, components)


def coupling(p: Weights, q: Weights) -> Polynomial:
    """prod x_i^p_i prod y_j^q_j, where p and q have the same sum."""
    names = fields(p, q).variables
    result = Polynomial.from_string("1", names)
    for factor, power in zip(strategy("x", len(p), names) + strategy("y", len(q), names), [*p, *q], strict=True):
        result = result * factor**power
    return result


EQUILIBRIA: tuple[tuple[Weights, Weights], ...] = (
    ((1, 1), (1, 1)), ((1, 2), (2, 1)), ((1, 3), (2, 2)), ((2, 1, 1), (1, 3)), ((1, 1, 1), (1, 1, 1)),
    ((1, 1, 2), (2, 1, 1)), ((1, 1, 1, 1), (1, 1, 2)),
)  # fmt: skip


def _coupling(size: Size, seed: int) -> Check:
    p, q = EQUILIBRIA[size[0] - 1]
    law = coupling(p, q)
    return complete(fields(p, q), [law], seed, law.degree)


CLAIMS = [
    Claim(
        "games.coupling",
        "Zero-sum games of one equilibrium keep the Fenchel coupling, and nothing else",
        "arXiv 2505.12609 (that it is kept); this package (no others)",
        Statement(
            "prod x_i^p_i prod y_j^q_j is kept by the replicator equation of every zero-sum game whose interior "
            "equilibrium is (p, q), and there are no other laws of all these games",
            r"\prod_i x_i^{p_i} \prod_j y_j^{q_j}",
            _coupling,
        ),
        cases("equilibrium", len(EQUILIBRIA)),
        note="Two players with two to four strategies, seven equilibria of rational weights.",
    ),
]
