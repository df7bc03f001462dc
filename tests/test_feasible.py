"""Strict inequalities over the rationals: a point or multipliers, by their meaning and against SymPy's simplex."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy.solvers.simplex import lpmax

from clexact.algebra.feasible import Empty, Inside, primitive_row, strictly_feasible
from clexact.algebra.linalg import rational_rank

SMALL = st.integers(-3, 3)
NUMBERS = SMALL | st.fractions(-2, 2, max_denominator=4)


@st.composite
def systems(draw, unknowns, count):
    n = draw(unknowns)
    return n, draw(st.lists(st.lists(NUMBERS, min_size=n + 1, max_size=n + 1), max_size=draw(count)))


def value(row, x):
    return sum(a * c for a, c in zip(row, x, strict=False)) + row[-1]


def check(n, rows):
    """What is returned is what it says; a relation is of minimal support."""
    found = strictly_feasible(rows, n)
    if isinstance(found, Inside):
        assert all(value(row, found.point) > 0 for row in rows)
        rounded = found.rounded([primitive_row(row) for row in rows])
        assert all(value(row, rounded) > 0 for row in rows)
        return found
    y = found.multipliers
    assert y and min(y.values()) > 0
    assert [sum(m * rows[j][c] for j, m in y.items()) for c in range(n)] == [0] * n
    assert sum(m * rows[j][-1] for j, m in y.items()) == -found.excess <= 0
    support = [rows[j] for j in y] + ([[0] * n + [1]] if found.excess else [])
    assert rational_rank(support) == len(support) - 1
    assert rational_rank([rows[j][:-1] for j in y]) == len(y) - 1
    return found


@settings(max_examples=60, deadline=None)
@given(systems(st.integers(0, 4), st.integers(0, 9)))
@example((0, []))
@example((0, [[0]]))
@example((0, [[2], [1]]))
@example((2, [[0, 0, 0]]))
@example((1, [[1, -1], [-1, 1]]))
@example((3, [[1, 0, 0, 0], [-1, 0, 0, 0]]))
def test_either_a_point_or_multipliers(system):
    check(*system)


@settings(max_examples=6, deadline=None)
@given(systems(st.integers(1, 2), st.integers(1, 5)))
def test_as_sympy_decides(system):
    n, rows = system
    t, *x = sympy.symbols(f"t x:{n}")
    exact = [[sympy.Rational(c.numerator, c.denominator) for c in row] for row in rows]
    best, _ = lpmax(t, [t <= 1, *(value(row, x) - t >= 0 for row in exact)])
    assert isinstance(check(n, rows), Inside) == (best > 0)


@pytest.mark.parametrize(("n", "m"), [(14, 30), (3, 60), (40, 6)])
def test_larger_systems(n, m):
    """Rows that are positive at a hidden point; then with one row that their sum forbids."""
    state, rows = 7, []
    hidden = [(-1) ** i * (i + 1) for i in range(n)]
    for _ in range(m):
        row = []
        for _ in range(n + 1):
            state = state * 1103515245 % 2**31
            row.append(state // 2**16 % 199 - 99)
        sign = 1 if value(row, hidden) > 0 else -1
        rows.append([sign * c for c in row])
    rows = [row for row in rows if value(row, hidden)]
    assert isinstance(check(n, rows), Inside)
    against = [-sum(column) for column in zip(*rows[:3], strict=True)]
    against[-1] -= Fraction(1, 3)
    assert isinstance(check(n, [*rows, against]), Empty)


def test_points_are_inside_by_a_margin():
    """max t, t <= 1: in a strip of width 1 the middle is found, in a half-plane a value of 1."""
    found = strictly_feasible([[1, 0], [-1, 1]], 1)
    assert found.point == (Fraction(1, 2),)
    assert value([3, -7], strictly_feasible([[3, -7]], 1).point) >= 1
