"""The product of all parameters, and random polynomial fields (published notebook of arXiv 2307.00144)."""

from __future__ import annotations

from itertools import combinations
from math import comb

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.batches import random_fields
from clexact.claims.checks import counted, lawful, spanned
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.lie.closure import lie_closure

FACTORS = Grid(("D",), lambda size: size[0], quick=7, full=14)
SMALL_FACTORS = Grid(("D",), lambda size: size[0], quick=4, full=6)
FIELDS = Grid(("D", "fields"), lambda size: size[0] + size[1] - 1, quick=5, full=8, edges=((1, 1), (6, 1), (1, 6)))
FIELD_DEGREE, LAW_DEGREE = 2, 3


def flow(size: Size) -> Flow:
    """Of x_1 ... x_D."""
    return gradient_flow(models.product(size[0]))


def differences(size: Size) -> list[Polynomial]:
    """All x_i^2 - x_j^2, i < j."""
    names = flow(size).variables
    return [Polynomial.from_string(f"{a}^2 - {b}^2", names) for a, b in combinations(names, 2)]


def _all_generated(size: Size, seed: int) -> Check:
    """As many linearly independent laws of degree at most 5 as polynomials of degree at most 2 in D - 1 variables."""
    found = polynomial_laws(flow(size), 5, seed=seed)
    stated = comb(size[0] + 1, 2) - 1
    holds = len(found) == stated if found.complete else None
    return Check(
        holds, f"{stated} linearly independent laws of degree <= 5, constants left out", f"{len(found)} of them",
        f"exact identities; {found.known}", size[0], laws=tuple(found.to_latex()[:6]),
    )  # fmt: skip


def fields(size: Size, seed: int) -> VectorFields:
    """Drawn polynomial fields of degree 2, every coefficient in -9..9."""
    return random_fields(Draws(seed), size[1], size[0], FIELD_DEGREE)


def stated_fields(size: Size) -> int:
    """D - 1 for one field, none for more."""
    return size[0] - 1 if size[1] == 1 else 0


def _no_polynomial(size: Size, seed: int) -> Check:
    found = polynomial_laws(fields(size, seed), LAW_DEGREE, seed=seed)
    holds = not len(found) and (True if found.complete else None)
    return Check(
        holds, f"no polynomial law of degree <= {LAW_DEGREE}", f"{len(found)} polynomial laws",
        found.known, size[0], more=f"{stated_fields(size)} laws in all by Frobenius' theorem",
    )  # fmt: skip


def _no_surface(size: Size, seed: int) -> Check:
    """Brackets leave W at a generic point."""
    closure = lie_closure(fields(size, seed), seed=seed)
    ranks = " -> ".join(map(str, closure.dims))
    return Check(
        closure.rank > closure.dims[0], "dim W_infinity > dim W", f"dim W = {ranks}", closure.status.value, size[0]
    )


CLAIMS = [
    Claim(
        "product.laws",
        "The laws of a product",
        "arXiv 2307.00144, published notebook",
        Statement(
            "x_i^2 - x_j^2 is conserved for all i, j, where phi(x) = x_1 ... x_D",
            r"\varphi(x) = x_1 \cdots x_D: \quad x_i^2 - x_j^2",
            lambda size, seed: lawful(flow(size), differences(size), seed),
        ),
        FACTORS,
    ),
    Claim(
        "product.count",
        "How many laws a product has",
        "arXiv 2307.00144, published notebook",
        Statement(
            "there are D - 1 independent laws",
            r"D - 1 \text{ conservation laws}",
            lambda size, seed: counted(flow(size), size[0] - 1, seed),
        ),
        FACTORS,
    ),
    Claim(
        "product.degree",
        "They are all of degree 2",
        "arXiv 2307.00144, published notebook",
        Statement(
            "every law of degree at most 2 is a linear combination of the x_i^2 - x_j^2",
            r"\text{all of degree } 2",
            lambda size, seed: spanned(flow(size), differences(size), 2, seed),
        ),
        FACTORS,
    ),
    Claim(
        "product.generated",
        "Laws of higher degree are polynomials in those of degree 2",
        "arXiv 2307.00144, published notebook",
        Statement(
            "all laws of degree at most 5 are polynomials in the x_i^2 - x_j^2",
            r"h = \Phi(x_1^2 - x_2^2, \dots, x_1^2 - x_D^2)",
            _all_generated,
        ),
        SMALL_FACTORS,
        note="By counting: the D - 1 polynomials x_1^2 - x_j^2 are independent, so their monomials are too.",
    ),
    Claim(
        "fields.count",
        "Random fields have no laws",
        "arXiv 2307.00144, published notebook",
        Statement(
            "D - 1 laws for one random polynomial field, none for two or more",
            r"D - 1 \text{ for one field, } 0 \text{ for two or more}",
            lambda size, seed: counted(fields(size, seed), stated_fields(size), seed),
        ),
        FIELDS,
        note="Fields of degree 2, drawn from the seed.",
    ),
    Claim(
        "fields.polynomial",
        "Random fields have no polynomial laws",
        "arXiv 2307.00144, published notebook",
        Statement(
            "no polynomial law, even of one field, which has D - 1 laws that are not polynomials",
            r"\text{no polynomial law}",
            _no_polynomial,
        ),
        FIELDS,
        note=f"Searched up to degree {LAW_DEGREE}.",
    ),
    Claim(
        "fields.no-surface",
        "In general no surface is tangent to W",
        "talk, slide 21",
        Statement(
            "in general no surface of the dimension of W(theta) is tangent to all W(theta)",
            r"\text{Issue: in general, impossible! } \dim(\Sigma) = \dim(W(\theta))",
            _no_surface,
        ),
        FIELDS,
        note="Generic fields: one has curves, and D or more fill the space; all other numbers have no such surface.",
    ),
]
