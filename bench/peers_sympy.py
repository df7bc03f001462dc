"""The two published algorithms in plain SymPy, as a theorist would write them: the peer that clexact is timed against.

No code of clexact is used: fields are SymPy expressions.
"""

from __future__ import annotations

import random
from itertools import combinations_with_replacement

import sympy

Fields = list[list[sympy.Expr]]


def law_count(fields: Fields, variables: list[sympy.Symbol], degree: int) -> int:
    """Dimension of the space of polynomial laws of degree at most ``degree``, constants excluded."""
    monomials = [
        sympy.Mul(*chosen) for k in range(1, degree + 1) for chosen in combinations_with_replacement(variables, k)
    ]
    rows: dict[tuple[int, tuple[int, ...]], dict[int, sympy.Rational]] = {}
    for column, monomial in enumerate(monomials):
        for i, field in enumerate(fields):
            derivative = sum(sympy.diff(monomial, x) * component for x, component in zip(variables, field, strict=True))
            for exponents, c in sympy.Poly(derivative, *variables).terms():
                if c:
                    rows.setdefault((i, exponents), {})[column] = c
    if not rows:
        return len(monomials)
    matrix = sympy.zeros(len(rows), len(monomials))
    for r, row in enumerate(rows.values()):
        for column, c in row.items():
            matrix[r, column] = c
    return len(matrix.nullspace())


def bracket(X: list[sympy.Expr], Y: list[sympy.Expr], variables: list[sympy.Symbol]) -> list[sympy.Expr]:
    """dX Y - dY X."""
    jacobian_X, jacobian_Y = sympy.Matrix(X).jacobian(variables), sympy.Matrix(Y).jacobian(variables)
    return [sympy.expand(e) for e in jacobian_X * sympy.Matrix(Y) - jacobian_Y * sympy.Matrix(X)]


def lie_rank(fields: Fields, variables: list[sympy.Symbol], seed: int = 0) -> int:
    """Rank of all brackets at a random rational point: W_{k+1} = W_k + [W_0, W_k] until the rank stalls."""
    rng = random.Random(seed)
    point = {x: sympy.Rational(rng.randint(1, 1000), rng.randint(1, 1000)) for x in variables}

    def rank(family: Fields) -> int:
        return int(sympy.Matrix([[e.subs(point) for e in field] for field in family]).rank())

    family, level, found = list(fields), list(fields), rank(fields)
    while True:
        level = [b for X in fields for Y in level if any(b := bracket(X, Y, variables))]
        family = family + level
        larger = rank(family)
        if larger == found:
            return found
        found = larger
