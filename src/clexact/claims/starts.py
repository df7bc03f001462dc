r"""Special starts: "for some theta(0), there exist new conservation laws" (talk, slide 33)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.polynomial import Number
from clexact.claims.checks import dimension_of, identity, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored, layers, weights
from clexact.counting.orbit import Orbit, orbit_dimension
from clexact.counting.starts import STARTS, named_start
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow

SLIDE = "talk, slide 33"
SLIDE_LATEX = r"\text{For some } \theta(0) \text{, there exist new conservation laws}"
GATES = "The gates are free, as near a generic point; at a dead unit the true network has a kink."


@cache
def _orbit(family: str, size: Size, start: str, seed: int) -> Orbit:
    return orbit_dimension(_flow(family, size), start, seed=seed, free_gates=True)


def _flow(family: str, size: Size) -> Flow:
    """Two layers n x r, r x m, or the layers of all widths."""
    widths = [size[0], size[1], size[2]]
    match family:
        case "linear":
            return gradient_flow(models.linear(widths))
        case "relu":
            return gradient_flow(models.relu(widths))
        case _:
            return gradient_flow(models.relu(widths, bias=True))


def _more(orbit: Orbit, stated: int | None = None) -> Check:
    """Whether there are so many laws more than generic, or any; open unless both orbit dimensions are exact."""
    extra = orbit.extra_laws if orbit.closed else None
    holds = None if extra is None else extra > 0 if stated is None else extra == stated
    words = "new laws" if stated is None else f"{stated} more"
    return Check(holds, words, str(orbit), orbit.evidence, orbit.dimension, orbit.scope)


# --- two-layer linear networks ---------------------------------------------------------------------------------------


def reachable(n: int, m: int, k: int) -> int:
    """k N - k(k + 1)/2, N = n + m: the orbit of SO(n, m) through k independent vectors."""
    return k * (n + m) - k * (k + 1) // 2


def rank_at(size: Size, start: Sequence[Number]) -> int:
    """Of (U; V) at a start of U1 (n x r), U2 (r x m)."""
    n, r, m = size
    rows = [[start[i * r + k] for i in range(n)] + [start[n * r + k * m + j] for j in range(m)] for k in range(r)]
    return dimension_of([dict(enumerate(row)) for row in rows])


def linear_extra(size: Size, start: Sequence[Number]) -> int:
    """Laws more than generic, by the ranks of (U; V) here and at a generic point."""
    n, r, m = size
    return reachable(n, m, min(r, n + m)) - reachable(n, m, rank_at(size, start))


def _rank_start(size: Size, rank: int, isotropic: bool, seed: int) -> list[Number]:
    """(U; V) of this rank: drawn columns, or (e_k; e_k), whose Gram matrix U^T U - V^T V vanishes; then their sums."""
    n, r, m = size
    draws = Draws(seed)
    drawn = [draws.integers(-9, 9, n + m) for _ in range(rank)]
    unit = [[int(i in (k, n + k)) for i in range(n + m)] for k in range(rank)]
    columns = unit if isotropic else drawn
    zero = [0] * (n + m)
    columns += [[sum(entries) for entries in zip(zero, *columns, strict=True)] for _ in range(r - rank)]
    first: list[Number] = [columns[k][i] for i in range(n) for k in range(r)]
    return first + [columns[k][n + j] for k in range(r) for j in range(m)]


def _ranks(size: Size, seed: int) -> Check:
    """The orbit dimension at starts of every rank, generic ones and balanced ones."""
    n, r, m = size
    found = []
    for rank in range(min(r, n + m) + 1):
        for isotropic in (False, True):
            start = _rank_start(size, rank, isotropic and rank <= min(n, m), seed)
            k = rank_at(size, start)
            orbit, stated = orbit_dimension(_flow("linear", size), start, seed=seed), reachable(n, m, k)
            holds = orbit.orbit_dimension == stated if orbit.closed else None
            found.append(Check(holds, f"{stated} at rank {k}", str(orbit), orbit.evidence, orbit.dimension))
    return together(found)


# --- ReLU networks ---------------------------------------------------------------------------------------------------


def relu_extra(family: str, size: Size, start: Sequence[Number]) -> int:
    """n + m - 1 (with a bias, n + m) for each hidden unit whose weights all vanish."""
    n, r, m = size
    bias = family == "relu with biases"
    dead = [
        not any(start[i * r + k] for i in range(n)) and not any(start[n * r + k * m : n * r + (k + 1) * m])
        and not (bias and start[(n + m) * r + k])
        for k in range(r)
    ]  # fmt: skip
    return sum(dead) * (n + m + bias - 1)


# --- claims ----------------------------------------------------------------------------------------------------------

RELUS = ("relu", "relu with biases")


def _exists(families: Sequence[str]) -> Callable[[Size, int], Check]:
    """Whether one of the named starts has more laws than a generic one."""

    def check(size: Size, seed: int) -> Check:
        return together([_of_starts([_orbit(family, size, start, seed) for start in STARTS]) for family in families])

    return check


def _of_starts(orbits: Sequence[Orbit]) -> Check:
    found = {start: orbit for start, orbit in zip(STARTS, orbits, strict=True) if orbit.closed and orbit.extra_laws}
    said = ", ".join(f"{start}: {orbit.extra_laws} more" for start, orbit in found.items())
    evidence = "; ".join(dict.fromkeys(orbit.evidence for orbit in found.values()))
    evidence = evidence or "none of the starts named"
    return identity(bool(found), "a start with new laws", said or "none", evidence, orbits[0].dimension)


def _deep_exists(widths: Size, seed: int) -> Check:
    flows = [gradient_flow(models.linear(widths)), gradient_flow(models.relu(widths))]
    orbits = [[orbit_dimension(flow, start, seed=seed) for start in ("zero", "dead-unit")] for flow in flows]
    return together([
        _more(max(pair, key=lambda orbit: (orbit.closed, orbit.extra_laws or 0)))
        for pair in orbits
    ])  # fmt: skip


def _new_at(families: Sequence[str], start: str) -> Callable[[Size, int], Check]:
    return lambda size, seed: together([_more(_orbit(family, size, start, seed)) for family in families])


def _number_at(families: Sequence[str], start: str) -> Callable[[Size, int], Check]:
    """The number of new laws beside that of the formula."""

    def check(size: Size, seed: int) -> Check:
        found = []
        for family in families:
            point = named_start(_flow(family, size), start, seed)
            stated = linear_extra(size, point) if family == "linear" else relu_extra(family, size, point)
            found.append(_more(_orbit(family, size, start, seed), stated))
        return together(found)

    return check


GRID = Grid(
    ("n", "r", "m"), factored, quick=2, full=10,
    edges=(
        (1, 2, 1), (1, 3, 1), (1, 2, 2), (1, 3, 2), (2, 2, 1), (2, 3, 1), (2, 1, 2), (2, 2, 2), (2, 3, 2), (3, 3, 2),
    ),
)  # fmt: skip
RELU = Grid(
    ("n", "r", "m"), factored, quick=2, full=8,
    edges=((1, 2, 1), (1, 3, 1), (1, 2, 2), (2, 2, 1), (2, 1, 2), (2, 3, 2)),
)  # fmt: skip

WORDS = {
    "zero": "U = V = 0",
    "identity": "U and V of ones on the diagonal",
    "balanced": "U and V diagonal with U^T U = V^T V, the entries 1, 2, ...",
    "rank-deficient": "U and V random, of rank one less than full (at least 1) each",
    "dead-unit": "one hidden unit with all weights zero",
}


NUMBERS = {
    "linear": (
        "there are f(min(r, n + m)) - f(k) more, k the rank of (U; V) at the start, f(k) = k(n + m) - k(k + 1)/2",
        r"f(\min(r, n+m)) - f(k), \quad k = \text{rank}(U; V), \quad f(k) = k(n+m) - k(k+1)/2",
        "f(N - 1) = f(N), N = n + m: a rank of N - 1 has no new law, nor has a balanced start of full rank; U and V of "
        "deficient ranks have new laws only if (U; V) is of deficient rank too.",
    ),
    "relu": (
        "there are n + m - 1 more (with biases n + m) for each hidden unit of zero weights, and no others",
        r"(n+m-1)\,\#\{k: u_k = 0, v_k = 0\}",
        f"With and without biases. {GATES}",
    ),
}


def _claim(kind: str, start: str) -> Claim:
    """New laws of linear or ReLU networks at a start of this name."""
    families, grid, title = (["linear"], GRID, "Linear") if kind == "linear" else (RELUS, RELU, "ReLU")
    words, latex, note = NUMBERS[kind]
    return Claim(
        f"starts.{kind}-{start}",
        f"{title} networks from the start {start}",
        f"{SLIDE}, which names no start",
        Statement(f"there are new laws at {WORDS[start]}", SLIDE_LATEX, _new_at(families, start)),
        grid,
        instead=Statement(words, latex, _number_at(families, start)),
        note=note,
    )


CLAIMS = [
    Claim(
        "starts.linear",
        "New laws at some starts of linear networks",
        SLIDE,
        Statement(
            "for some theta(0) there exist new conservation laws",
            SLIDE_LATEX,
            _exists(["linear"]),
        ),
        GRID,
    ),
    Claim(
        "starts.relu",
        "New laws at some starts of ReLU networks",
        SLIDE,
        Statement(
            "for some theta(0) there exist new conservation laws, with and without biases",
            SLIDE_LATEX,
            _exists(RELUS),
        ),
        RELU,
        note=GATES,
    ),
    Claim(
        "starts.deep",
        "New laws at some starts of deep networks",
        SLIDE,
        Statement(
            "for some theta(0) there exist new conservation laws: linear and ReLU, zero or a dead unit",
            SLIDE_LATEX,
            _deep_exists,
        ),
        layers(weights, quick=3, full=6, depths=(3, 4), edges=((1, 2, 1, 1),)),
        note=GATES,
    ),
    Claim(
        "starts.linear-rank",
        "Which starts of linear networks have new laws",
        f"{SLIDE}, made precise",
        Statement(
            "the reachable set has dimension k N - k(k + 1)/2, N = n + m, k being the rank of (U; V): no more matters",
            r"\dim W_\infty(\theta_0) = kN - k(k+1)/2, \quad k = \text{rank}(U_0; V_0), \quad N = n + m",
            _ranks,
        ),
        Grid(("n", "r", "m"), factored, quick=3, full=10, edges=((1, 3, 1), (2, 2, 2), (1, 3, 2))),
        note="At starts of every rank, drawn and balanced (columns (e_k; e_k)). W_infinity is so(n, m) acting on the "
        "columns, and by Witt's theorem its orbits are those of the Gram matrix U^T U - V^T V.",
    ),
    *(_claim(kind, start) for kind in NUMBERS for start in STARTS),
]
