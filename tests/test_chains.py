"""Chains of brackets of a drift: against the brackets themselves, as polynomials; ranks known by hand; edges."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import FEW

import clexact
from clexact import VectorFields, accessibility, bracket
from clexact.algebra.draws import Draws
from clexact.lie.chains import drift_chains


def of(names, *rows):
    return VectorFields.from_strings(names.split(), [row.split(", ") for row in rows])


@FEW
@given(st.lists(st.integers(-3, 3), min_size=12, max_size=12), st.lists(st.integers(-5, 5), min_size=3, max_size=3))
def test_chains_are_iterated_brackets(c, point):
    """ad_f^k g / k! at a rational point, k to 4, up to the sign of the convention."""
    f = of("x y z", f"{c[0]}*x*y + {c[1]}/2*z^2, {c[2]}*x + {c[3]}*y*z - 1, {c[4]}*x^2 + {c[5]}")
    g = of("x y z", f"{c[6]}*y, {c[7]}*x^2 - 1/3, {c[8]}*z", f"1, {c[9]}*z, {c[10]}*x*y + {c[11]}")
    p, where = 2**61 - 1, [Fraction(a, 2) for a in point]
    found = drift_chains(f, g, where, 4, p, Draws(0))
    for i in range(2):
        field, factorial = g[i], 1
        for k in range(5):
            factorial *= max(1, k)
            plus = [component(*where) / factorial for component in field.components(0)]
            residues = [v.numerator * pow(v.denominator, -1, p) % p for v in plus]
            assert found[k, i].tolist() in (residues, [-r % p for r in residues])
            field = bracket(f, field)


@pytest.mark.parametrize("point", [None, 0, 1, Fraction(1, 3)])
@pytest.mark.parametrize("step", ["{0}", "{0} + {0}^2", "{0}^3 + 2*{0}"])
def test_long_chains_are_accessible(step, point):
    """x_k' = p(x_{k-1}) with p' without real zeros at the point, 20 deep: the rank grows by one with each bracket."""
    names = [f"x{k}" for k in range(21)]
    f = VectorFields.from_strings(names, [["0", *(step.format(name) for name in names[:-1])]])
    g = VectorFields.from_strings(names, [["1", *["0"] * 20]])
    found = accessibility(f, g, None if point is None else [point] * 21)
    assert (found.rank, found.strong_rank, found.exact) == (21, 21, True)
    assert (found.chain.rank, found.chain.depth) == (21, 20)


@FEW
@given(st.lists(st.integers(-2, 2), min_size=12, max_size=12))
def test_kalman(entries):
    """x' = A x + b u at 0: the strong rank is that of b, A b, A^2 b, by SymPy."""
    A, b = sympy.Matrix(3, 3, entries[:9]), sympy.Matrix(entries[9:])
    names = ["x", "y", "z"]
    f = VectorFields.from_strings(names, [[f"{A[i, 0]}*x + {A[i, 1]}*y + {A[i, 2]}*z" for i in range(3)]])
    g = VectorFields.from_strings(names, [[str(c) for c in b]])
    found = accessibility(f, g, [0, 0, 0])
    assert found.strong_rank == found.rank == sympy.Matrix.hstack(b, A * b, A * A * b).rank() == found.chain.rank


def test_edges():
    """No drift, no control that acts, one variable, a system that turns back on itself."""
    zero = of("x y", "0, 0")
    assert accessibility(zero, of("x y", "1, 0")).strong_rank == 1
    assert accessibility(zero, zero).rank == 0
    assert accessibility(of("x", "1"), of("x", "0")).rank == 1
    assert accessibility(of("x", "1"), of("x", "0")).strong_rank == 0
    turning = accessibility(of("x y z", "-y, x, 0"), of("x y z", "1, 0, 0"), [0, 0, 0])
    assert turning.rank == turning.strong_rank == 2
    brackets = accessibility(of("x y z", "0, 0, 0"), of("x y z", "1, 0, 0", "0, 1, x"))  # of the controls alone
    assert (brackets.strong_rank, brackets.chain.rank, brackets.exact) == (3, 2, True)
    large = accessibility(*_line(120), [0] * 120)
    assert large.chain.depth < 30
    with pytest.raises(ValueError, match="point must have 2 coordinates"):
        accessibility(zero, zero, [0])
    with pytest.raises(TypeError, match="coordinate of point"):
        accessibility(zero, zero, [0.5, 0])
    assert np.array_equal(drift_chains(zero, zero, [1, 2], 2, 101, Draws(0)), np.zeros((3, 1, 2)))


def _line(count):
    names = [f"x{i}" for i in range(count)]
    rows = [["0", *names[:-1]], ["1", *["0"] * (count - 1)]]
    return [VectorFields.from_strings(names, [row]) for row in rows]


def test_the_same_seed_gives_the_same_answer():
    f, g = of("x y z", "y*z, -x, 0"), of("x y z", "0, 0, 1")
    first, again, other = (accessibility(f, g, seed=seed) for seed in (0, 0, 1))
    assert first.chain == again.chain and first.chain.point != other.chain.point
    assert clexact.Accessibility is type(first)
