r"""Linear networks of any depth, $\varphi = U_1 U_2 \cdots U_q$ (arXiv 2307.00144)."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import (
    POINT,
    compared,
    count_at,
    drawn_point,
    gradient_rank,
    gram_laws,
    identity,
    lawful,
    matrix,
    spanned,
)
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Size, layers, weights
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow

EDGES = (
    (2, 3, 1), (1, 3, 2), (2, 3, 2), (1, 4, 2, 1), (1, 2, 2, 1, 1), (1, 2, 1, 2, 1),
    (1, 1, 1, 1, 1, 1), (1, 2, 2, 1), (1, 4, 1), (1, 3, 1, 2), (2, 2, 2, 2),
    (2, 1, 3, 1, 2), (1, 2, 4, 1), (1, 5, 2, 1), (1, 2, 3, 2), (1, 2, 2, 1, 2),
    (2, 2, 2, 1), (1, 2, 2, 2),
)  # fmt: skip
GRID = layers(weights, quick=5, full=11, edges=EDGES)


def flow(widths: Size) -> Flow:
    """Of U_1 ... U_q."""
    return gradient_flow(models.linear(list(widths)))


@lru_cache(maxsize=1)
def entries(widths: Size) -> tuple[Polynomial, ...]:
    """Those of U_l^T U_l - U_(l+1) U_(l+1)^T on and above the diagonal, for all hidden layers."""
    net, found = flow(widths), list[Polynomial]()
    for layer, (rows, width, columns) in enumerate(zip(widths, widths[1:], widths[2:], strict=False), start=1):
        leaving, entering = matrix(f"U{layer}", (rows, width)), matrix(f"U{layer + 1}", (width, columns), axis=0)
        found += gram_laws(net, leaving, entering)
    return tuple(found)


def crossed(widths: Size) -> list[Polynomial]:
    """u_i v_j - u_j v_i for hidden layers with neighbours of one unit, u being the weights out and v those in."""
    names = flow(widths).variables
    texts = [
        f"U{layer}[0,{i}]*U{layer + 1}[{j},0] - U{layer}[0,{j}]*U{layer + 1}[{i},0]"
        for layer, (rows, width, columns) in enumerate(zip(widths, widths[1:], widths[2:], strict=False), start=1)
        if rows == columns == 1
        for i in range(width)
        for j in range(i + 1, width)
    ]
    return [Polynomial.from_string(text, names) for text in texts]


def written(widths: Size) -> int:
    """How many entries there are: r(r + 1)/2 for each hidden width r."""
    return sum(r * (r + 1) // 2 for r in widths[1:-1])


def excess(widths: Size) -> list[int]:
    """By how much each hidden layer is wider than its two neighbours together."""
    return [max(0, r - left - right) for left, r, right in zip(widths, widths[1:], widths[2:], strict=False)]


def independent(widths: Size) -> int:
    """The entries, less s(s + 1)/2 for each excess s."""
    return written(widths) - sum(s * (s + 1) // 2 for s in excess(widths))


def parts(widths: Size) -> list[Size]:
    """The networks between one layer of one unit and the next."""
    single = [place for place, width in enumerate(widths) if width == 1]
    return [widths[first : last + 1] for first, last in pairwise(single)]


def all_laws(widths: Size) -> int:
    """The independent entries, but D' - 1 laws within each part between layers of one unit that has D' weights."""
    return independent(widths) + sum(weights(part) - 1 - independent(part) for part in parts(widths))


def entries_rank(widths: Size, seed: int) -> int:
    """Rank over Q of the gradients of the entries at a drawn integer point."""
    return gradient_rank(entries(widths), drawn_point(weights(widths), seed, POINT))


def _rank_is(stated: int, widths: Size, seed: int) -> Check:
    found = entries_rank(widths, seed)
    return identity(
        found == stated, f"{stated} independent entries", f"{found} independent entries",
        "exact rank over Q of their gradients at a drawn integer point", weights(widths),
    )  # fmt: skip


CLAIMS = [
    Claim(
        "deep.laws",
        "The laws of a deep linear network",
        "arXiv 2307.00144, published notebook",
        Statement(
            "every entry of U_l^T U_l - U_(l+1) U_(l+1)^T is conserved, for all hidden layers",
            r"U_l^\top U_l - U_{l+1} U_{l+1}^\top",
            lambda size, seed: lawful(flow(size), entries(size), seed),
        ),
        GRID,
    ),
    Claim(
        "deep.independent",
        "How many of them are independent",
        "arXiv 2307.00144, published notebook; talk, slide 28, for each hidden layer",
        Statement(
            "they define r(r + 1)/2 independent laws for each hidden layer of width r",
            r"\sum_l r_l(r_l + 1)/2",
            lambda size, seed: _rank_is(written(size), size, seed),
        ),
        GRID,
        instead=Statement(
            "the sum of r(r + 1)/2 - s(s + 1)/2, s = max(0, r - r' - r'') with the widths r', r'' before and after",
            r"\sum_l r_l(r_l+1)/2 - s_l(s_l+1)/2, \quad s_l = \max(0, r_l - r_{l-1} - r_{l+1})",
            lambda size, seed: _rank_is(independent(size), size, seed),
        ),
        note="The s dimensions of a hidden layer that neither neighbour sees: the entries there vanish.",
    ),
    Claim(
        "deep.no-others",
        "No other laws",
        "arXiv 2307.00144, published notebook",
        Statement(
            "there are no more independent laws than independent entries",
            r"U_l^\top U_l - U_{l+1} U_{l+1}^\top \text{ and no others}",
            lambda size, seed: compared(count_at(flow, (size,), seed), entries_rank(size, seed)),
        ),
        GRID,
        instead=Statement(
            "there are as many laws as independent entries, but D' - 1 within each part between two layers of one unit "
            "that has D' weights",
            r"\sum_l r_l(r_l+1)/2 - s_l(s_l+1)/2; \ D' - 1 \text{ for each part between layers of one unit}",
            lambda size, seed: compared(count_at(flow, (size,), seed), all_laws(size)),
        ),
        note="A part between layers of one unit computes one number, so it moves along one field, and has D' - 1 laws. "
        "Where the entries are fewer, the other laws are no polynomials of degree 2.",
    ),
    Claim(
        "deep.span",
        "No other laws of degree 2",
        "arXiv 2307.00144, published notebook",
        Statement(
            "every law of degree at most 2 is a linear combination of these entries",
            r"\text{no other laws of degree } 2",
            lambda size, seed: spanned(flow(size), entries(size), 2, seed),
        ),
        GRID,
        instead=Statement(
            "it is one of these entries and of u_i v_j - u_j v_i, for every hidden layer between layers of one unit, u "
            "being its weights out and v its weights in",
            r"U_l^\top U_l - U_{l+1} U_{l+1}^\top \text{ and } u_i v_j - u_j v_i \text{ where } r_{l-1} = r_{l+1} = 1",
            lambda size, seed: spanned(flow(size), [*entries(size), *crossed(size)], 2, seed),
        ),
        note="With one unit before and after, u + v grows and u - v falls at the same rate: u_i v_j - u_j v_i is "
        "conserved. Its square is a function of the entries, so it is not independent of them.",
    ),
]
