"""The two published algorithms in plain SymPy, as a theorist would write them: the peer that clexact is timed against.

No code of clexact is used: the fields are the gradients of the entries of phi, written out from its definition.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations_with_replacement, pairwise

import sympy

Field = list[sympy.Expr]
Variables = list[sympy.Symbol]


def matrices(sizes: Sequence[int]) -> list[sympy.Matrix]:
    """U_1, ..., U_q of symbols; U_l is n_l x n_{l+1}."""
    return [
        sympy.Matrix(n, m, lambda i, j, layer=layer: sympy.Symbol(f"U{layer}_{i}_{j}"))
        for layer, (n, m) in enumerate(pairwise(sizes), start=1)
    ]


def linear(sizes: Sequence[int]) -> tuple[list[sympy.Expr], Variables]:
    """phi = the entries of U_1 ... U_q."""
    layers = matrices(sizes)
    return list(sympy.prod(layers[1:], layers[0])), [x for U in layers for x in U]


def relu(sizes: Sequence[int]) -> tuple[list[sympy.Expr], Variables]:
    """phi = the products of the weights along all paths."""
    layers = matrices(sizes)
    paths = [((i,), sympy.Integer(1)) for i in range(sizes[0])]
    for U in layers:
        paths = [((*path, j), value * U[path[-1], j]) for path, value in paths for j in range(U.cols)]
    return [value for _, value in paths], [x for U in layers for x in U]


def product(sizes: Sequence[int]) -> tuple[list[sympy.Expr], Variables]:
    """phi = x_1 ... x_D."""
    variables = list(sympy.symbols(f"x1:{sizes[0] + 1}"))
    return [sympy.prod(variables)], variables


def gradient_fields(family: str, sizes: Sequence[int]) -> tuple[list[Field], Variables]:
    """The gradients of the entries of phi, with the variables."""
    phi, variables = {"linear": linear, "relu": relu, "product": product}[family](sizes)
    return [[sympy.diff(f, x) for x in variables] for f in phi], variables


def monomial_system(fields: list[Field], variables: Variables, degree: int) -> list[list[sympy.Rational]]:
    """The equations that make a polynomial of at most that degree a law, one column for each monomial but 1."""
    monomials = [
        sympy.Mul(*chosen) for k in range(1, degree + 1) for chosen in combinations_with_replacement(variables, k)
    ]
    rows: dict[tuple[int, tuple[int, ...]], list[sympy.Rational]] = {}
    for column, monomial in enumerate(monomials):
        for i, field in enumerate(fields):
            derivative = sum(sympy.diff(monomial, x) * component for x, component in zip(variables, field, strict=True))
            for exponents, c in sympy.Poly(derivative, *variables).terms():
                if c:
                    rows.setdefault((i, exponents), [sympy.Integer(0)] * len(monomials))[column] = c
    return list(rows.values())


def law_count(fields: list[Field], variables: Variables, degree: int) -> int:
    """Dimension of the space of polynomial laws of degree at most ``degree``, constants excluded; fields not all 0."""
    return len(sympy.Matrix(monomial_system(fields, variables, degree)).nullspace())


def bracket(X: Field, Y: Field, variables: Variables) -> Field:
    """dX Y - dY X."""
    jacobian_X, jacobian_Y = sympy.Matrix(X).jacobian(variables), sympy.Matrix(Y).jacobian(variables)
    return [sympy.expand(e) for e in jacobian_X * sympy.Matrix(Y) - jacobian_Y * sympy.Matrix(X)]


def lie_rank(fields: list[Field], variables: Variables, seed: int) -> int:
    """Rank of all brackets at a random rational point: W_{k+1} = W_k + [W_0, W_k] until the rank stalls."""
    rng = random.Random(seed)
    point = {x: sympy.Rational(rng.randint(1, 1000), rng.randint(1, 1000)) for x in variables}

    def rank(family: list[Field]) -> int:
        return int(sympy.Matrix([[e.subs(point) for e in field] for field in family]).rank())

    family, level, found = list(fields), list(fields), rank(fields)
    while True:
        level = [b for X in fields for Y in level if any(b := bracket(X, Y, variables))]
        family = family + level
        larger = rank(family)
        if larger == found:
            return found
        found = larger
