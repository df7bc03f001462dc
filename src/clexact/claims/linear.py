r"""Two-layer linear networks, $\varphi = U V^\top$, U n x r, V m x r (arXiv 2307.00144)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.field_span import finite_algebra
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import rational_rank
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import compared, count_at, filtered, gram_laws, lawful, matrix, spanned
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored
from clexact.flows.gradient import GradientFlow
from clexact.lie.closure import LieClosure

GRID = Grid(
    ("n", "r", "m"), factored, quick=14, full=30,
    edges=((1, 5, 1), (1, 6, 2), (2, 5, 2), (1, 1, 5), (5, 1, 1), (4, 3, 5),
           (1, 3, 2), (2, 3, 1), (2, 5, 1), (2, 2, 2)),
)  # fmt: skip

GRAM = "U[i,k]*U[i,l] - V[j,k]*V[j,l]"
FACTORS = (network("nmf", "n r m", GRAM),)
RANK = "min(r, n + m)"  # of (U; V)

STARTS = Grid(
    ("n", "r", "m"), factored, quick=4, full=12,
    edges=((1, 5, 1), (1, 4, 2), (1, 1, 5), (5, 1, 1), (2, 2, 2)),
)  # fmt: skip


def flow(size: Size) -> GradientFlow:
    """Of U V^T."""
    return GradientFlow(models.nmf(*size))


def gram(size: Size) -> list[Polynomial]:
    """The h_kk' = <u_k, u_k'> - <v_k, v_k'>, k <= k'."""
    n, r, m = size
    return gram_laws(flow(size), matrix("U", (n, r)), matrix("V", (m, r)))


def crossed(size: Size) -> list[Polynomial]:
    """The u_k v_k' - u_k' v_k, k < k', where n = m = 1."""
    n, r, m = size
    names = flow(size).variables
    pairs = combinations(range(r), 2) if n == m == 1 else ()
    return [Polynomial.from_string(f"U[0,{k}]*V[0,{j}] - U[0,{j}]*V[0,{k}]", names) for k, j in pairs]


def rank(size: Size) -> int:
    """Of (U; V) at a generic point."""
    n, r, m = size
    return min(r, n + m)


def independent(size: Size) -> int:
    """k (2 r + 1 - k) / 2 with k = rank(U; V)."""
    r, k = size[1], rank(size)
    return k * (2 * r + 1 - k) // 2


def _slide_27(n: int, r: int, m: int) -> int:
    """(n + m) k - k (k + 1) / 2 with k = rank(U; V)."""
    k = rank((n, r, m))
    return (n + m) * k - k * (k + 1) // 2


def _dimension_of(stated: int, size: Size, seed: int) -> Check:
    """The last dimension of the Lie algebra beside the one stated."""
    return filtered(flow(size), f"dim W_infinity = {stated}", lambda closure: closure.rank == stated, seed)


def _strict_then_constant(closure: LieClosure) -> bool:
    """W_0 smaller than W_1, and W_1 the last: exactly two dimensions where the laws leave no more."""
    ranks = closure.dims
    return len(ranks) >= 2 and ranks[0] < ranks[1] and ranks[-1] == ranks[1]


def point_of_rank(size: Size, k: int, seed: int) -> tuple[int, ...]:
    """A drawn integer point at which (U; V) has rank k: a product through k columns."""
    n, r, m = size
    draws = Draws(seed)
    while True:
        left, right = ([draws.integers(-5, 5, columns) for _ in range(rows)] for rows, columns in ((n + m, k), (k, r)))
        rows = [[sum(a * right[i][j] for i, a in enumerate(row)) for j in range(r)] for row in left]
        if rational_rank(rows) == k:
            return tuple(entry for row in rows for entry in row)


def balanced_point(size: Size, k: int) -> tuple[int, ...]:
    """U and V with 1, ..., k on the diagonal: rank(U; V) = k and all h_kk' are 0; k at most n, r and m."""
    n, r, m = size
    return tuple(i + 1 if i == j < k else 0 for rows in (n, m) for i in range(rows) for j in range(r))


@lru_cache(maxsize=512)
def orbits(size: Size, seed: int, balanced: bool = False) -> tuple[int, ...] | None:
    """Dimensions of W_infinity at drawn or balanced points where (U; V) has rank 0, 1, ...: exact, as it is finite."""
    fields = algebra(size)
    if fields is None:
        return None
    if balanced:
        return tuple(fields.rank_at(balanced_point(size, k)) for k in range(min(size) + 1))
    return tuple(fields.rank_at(point_of_rank(size, k, seed)) for k in range(rank(size) + 1))


@lru_cache(maxsize=4)
def algebra(size: Size) -> VectorFields | None:
    """That the fields generate, over Q."""
    return finite_algebra(flow(size).fields)


def _everywhere(size: Size, seed: int) -> Check:
    """The slide's formula, at drawn points of every rank k, and at balanced ones."""
    n, _, m = size
    found, balanced = orbits(size, seed), orbits(size, seed, balanced=True)
    stated = tuple((n + m) * k - k * (k + 1) // 2 for k in range(rank(size) + 1))
    holds = found == stated and balanced == stated[: min(size) + 1]
    return _of_orbits(size, found, holds, f"dimensions {', '.join(map(str, stated))}", balanced or ())


def _new_laws(size: Size, seed: int) -> Check:
    """Some start has a smaller orbit than a generic one."""
    found = orbits(size, seed)
    return _of_orbits(size, found, found is not None and min(found) < found[-1], "a smaller dimension at some start")


def _new_laws_exactly(size: Size, seed: int) -> Check:
    """It has exactly where the rank k is less than min(r, n + m - 1)."""
    n, r, m = size
    found = orbits(size, seed)
    right = found is not None and [d < found[-1] for d in found] == [k < min(r, n + m - 1) for k in range(len(found))]
    return _of_orbits(size, found, right, f"smaller exactly at rank < {min(r, n + m - 1)}")


def _of_orbits(
    size: Size, found: Sequence[int] | None, holds: bool, stated: str, balanced: Sequence[int] = ()
) -> Check:
    dimension = factored(size)
    if found is None:
        return Check(None, stated, "the algebra was not found", "too many fields", dimension)
    shown = f"at rank 0, ..., {len(found) - 1} of (U; V): dimensions {', '.join(map(str, found))}"
    shown += f"; balanced: {', '.join(map(str, balanced))}" if balanced else ""
    evidence = "the algebra is finite, closed over Q; exact ranks at a drawn point for each rank of (U; V)"
    return Check(holds, stated, shown, evidence, dimension)


CLAIMS = [
    Claim(
        "linear.laws",
        "The laws of a two-layer linear network",
        "talk, slide 6; arXiv 2307.00144",
        Statement(
            "every h_kk' = <u_k, u_k'> - <v_k, v_k'> is conserved",
            r"h_{k,k'}(U, V) = \langle u_k, u_{k'}\rangle - \langle v_k, v_{k'}\rangle",
            lambda size, seed: lawful(flow(size), gram(size), seed),
            AllSizes(FACTORS),
        ),
        GRID,
    ),
    Claim(
        "linear.count",
        "How many of them are independent",
        "talk, slide 28, proposition",
        Statement(
            "the h_kk' define r(r + 1)/2 independent conservation laws, r the number of columns",
            r"h_{k,k'} \text{ define } r(r+1)/2 \text{ independent conservation laws}",
            lambda size, seed: compared(count_at(flow, (size,), seed), size[1] * (size[1] + 1) // 2),
            AllSizes(FACTORS, "r*(r + 1)/2"),
        ),
        GRID,
        instead=Statement(
            "there are k(2r + 1 - k)/2, k = min(r, n + m) being the rank of (U; V)",
            r"k(2r+1-k)/2, \quad k = \operatorname{rank}(U; V) = \min(r, n+m)",
            lambda size, seed: compared(count_at(flow, (size,), seed), independent(size)),
            AllSizes(FACTORS, f"{RANK}*(2*r + 1 - {RANK})/2"),
        ),
        note="The slide's r is rank(U; V), at most n + m; with that r, r(r + 1)/2 fails too where r > n + m.",
    ),
    Claim(
        "linear.no-others",
        "No other laws of degree 2",
        "talk, slide 28, corollary",
        Statement(
            "every quadratic law is a linear combination of the h_kk'",
            r"\text{no other conservation laws}",
            lambda size, seed: spanned(flow(size), gram(size), 2, seed),
        ),
        GRID,
        instead=Statement(
            "it is one of the h_kk' and, where n = m = 1, of the u_k v_k' - u_k' v_k",
            r"h_{k,k'} \text{ and, where } n = m = 1, \ u_k v_{k'} - u_{k'} v_k",
            lambda size, seed: spanned(flow(size), [*gram(size), *crossed(size)], 2, seed),
        ),
        note="Of linear combinations. Of functions of the h_kk', linear.count decides: it counts all independent laws.",
    ),
    Claim(
        "linear.filtration",
        "One bracket is enough",
        "talk, slide 27, proposition",
        Statement(
            "W_0 is smaller than W_1, and W_1 = W_2 = ... = W_infinity",
            r"W_0 \subsetneq W_1 = W_2 = W_3 = \dots = W_\infty",
            lambda size, seed: filtered(flow(size), "W_0 < W_1 = W_2", _strict_then_constant, seed),
        ),
        GRID,
        note="Of the traces at a generic point. As spaces of fields they grow up to so(n, m): brackets.infinite.",
    ),
    Claim(
        "linear.dimension",
        "The dimension of the Lie algebra",
        "talk, slide 27, explicit formula",
        Statement(
            "dim W_infinity = (n + m) r - r(r + 1)/2 with r = rank(U; V), except for r = 1",
            r"\dim W_\infty = (n+m)r - r(r+1)/2, \quad r := \operatorname{rank}(U; V)",
            lambda size, seed: _dimension_of(_slide_27(*size), size, seed),
            AllSizes(FACTORS, f"(n + m)*r - ((n + m)*{RANK} - {RANK}*({RANK} + 1)/2)"),  # D - dim W_infinity laws
        ),
        GRID,
        instead=Statement(
            "dim W_infinity = (n + m) r - k(2r + 1 - k)/2 with k = min(r, n + m), r being the number of columns",
            r"\dim W_\infty = (n+m)r - k(2r+1-k)/2, \quad k = \min(r, n+m)",
            lambda size, seed: _dimension_of(factored(size) - independent(size), size, seed),
            AllSizes(FACTORS, f"{RANK}*(2*r + 1 - {RANK})/2"),
        ),
        note="The slide's r is rank(U; V) in both places. At r = 1 the formula holds; what fails is that W_0 < W_1.",
    ),
    Claim(
        "linear.everywhere",
        "The dimension of the Lie algebra at every start",
        "talk, slide 27, explicit formula",
        Statement(
            "dim W_infinity(theta) = (n + m) r - r(r + 1)/2 at every theta, with r = rank(U; V) at that theta",
            r"\dim W_\infty(\theta) = (n+m)r - r(r+1)/2, \quad r := \operatorname{rank}(U; V)",
            _everywhere,
        ),
        STARTS,
        note="The fields generate so(n, m), which acts on the columns of (U; V). By Witt's theorem the orbit of k "
        "independent columns has this dimension, whatever their inner products: balanced starts are not special.",
    ),
    Claim(
        "linear.starts",
        "Starts with new laws",
        "talk, slide 33",
        Statement(
            "for some theta(0) there exist new conservation laws",
            r"\text{For some } \theta(0), \text{ there exists new conservation laws}",
            _new_laws,
        ),
        STARTS,
    ),
    Claim(
        "linear.starts-where",
        "Which starts have new laws",
        "derived from talk, slides 27 and 33",
        Statement(
            "there are new laws exactly where rank(U; V) at theta(0) is less than min(r, n + m - 1)",
            r"\operatorname{rank}(U(0); V(0)) < \min(r, n+m-1)",
            _new_laws_exactly,
        ),
        STARTS,
        note="From rank n + m - 1 to rank n + m the orbits do not grow.",
    ),
]
