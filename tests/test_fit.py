"""Formulas for counts: planted ones are found again, wrong counts are not hidden, noise stays noise."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import clexact
from clexact import fit
from clexact.algebra.draws import Draws
from clexact.formulas.fit import held_out

NAMES = ("n", "m", "r")
GRID = list(product(range(1, 5), range(1, 5), range(1, 7)))
LARGER = list(product(range(1, 9), range(1, 9), range(1, 12)))


def linear(n, m, r):
    """The laws of a two-layer linear network."""
    k = min(r, n + m)
    return k * (2 * r + 1 - k) // 2


def counted(rule, sizes=GRID):
    """A rule on a grid."""
    return {s: rule(*s) for s in sizes}


def at(formula, sizes):
    """The values of a formula."""
    return {s: formula(**dict(zip(formula.names, s, strict=True))) for s in sizes}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "text", "latex"),
    [
        (lambda n, m, r: r * (r + 1) // 2, "r*(r + 1)/2", r"\frac{r (r + 1)}{2}"),
        (linear, "k*(2*r + 1 - k)/2 with k = min(r, n + m)",
         r"\frac{k (2 r + 1 - k)}{2}\text{ with }k = \min(r, n + m)"),
        (lambda n, m, r: r + (r - 1) * (n == m == 1), "r + (r - 1)*[n = m = 1]", "r + (r - 1) [n = m = 1]"),
        (lambda n, m, r: 0, "0", "0"),
        (lambda n, m, r: 7, "7", "7"),
        (lambda n, m, r: n * m * r - r**2, "r*(n*m - r)", "r (n m - r)"),
        (lambda n, m, r: max(0, r - n - m), "k with k = max(0, r - n - m)", r"k\text{ with }k = \max(0, r - n - m)"),
        (lambda n, m, r: n + max(0, r - 2), "n + k with k = max(0, r - 2)", r"n + k\text{ with }k = \max(0, r - 2)"),
    ],
)  # fmt: skip
def test_known_formulas_as_they_are_written(rule, text, latex):
    """The text and the LaTeX that a reader expects, and the values far outside of the grid."""
    formula = fit(counted(rule), NAMES)
    assert (str(formula), formula.to_latex()) == (text, latex)
    assert at(formula, LARGER) == counted(rule, LARGER)
    assert formula.region is None and formula.excluded == ()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from([e for e in product(range(3), repeat=3) if sum(e) <= 2]),
                       st.fractions(-3, 3, max_denominator=2), max_size=4), st.integers(0, 5))  # fmt: skip
def test_planted_polynomials_are_recovered(terms, seed):
    """Every polynomial of degree 2 with integer values, on a much larger grid, whatever is held out."""

    def rule(n, m, r):
        return sum((c * n**a * m**b * r**d for (a, b, d), c in terms.items()), start=Fraction(0))

    assume(all(value.denominator == 1 for value in counted(rule).values()))
    formula = fit({s: int(v) for s, v in counted(rule).items()}, NAMES, seed=seed)
    assert at(formula, LARGER) == counted(rule, LARGER)
    assert not formula.quantities and len(formula.terms) == sum(c != 0 for c in terms.values())


QUANTITIES = [
    lambda n, m, r: min(r, n + m),
    lambda n, m, r: min(n, m),
    lambda n, m, r: min(r, n),
    lambda n, m, r: max(0, r - n - m),
    lambda n, m, r: max(0, r - 2),
    lambda n, m, r: n == 1,
    lambda n, m, r: n == m,
]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.sampled_from(QUANTITIES), st.tuples(*[st.integers(-3, 3)] * 5))
@example(QUANTITIES[0], (0, 1, -1, 1, 0))
def test_planted_piecewise_formulas_are_recovered(quantity, c):
    """Polynomials of degree 2 in a size, r and one quantity: equal on a larger grid."""

    def rule(n, m, r):
        k = int(quantity(n, m, r))
        return c[0] * n + c[1] * k * r + c[2] * k * (k + 1) // 2 + c[3] * k + c[4] * r

    formula = fit(counted(rule), NAMES)
    assert at(formula, LARGER) == counted(rule, LARGER)


@pytest.mark.slow
def test_two_quantities():
    """Found when one does not suffice."""
    rule = lambda n, m, r: min(n, m) * r + max(0, r - 2)  # noqa: E731
    formula = fit(counted(rule), NAMES)
    assert len(formula.quantities) == 2 and at(formula, LARGER) == counted(rule, LARGER)


@pytest.mark.slow
@pytest.mark.parametrize(("wrong", "seed"), [((2, 3, 4), 0), ((2, 3, 4), 1), ((1, 1, 1), 2), ((4, 4, 6), 3)])
def test_a_wrong_count_is_excluded_and_nothing_else(wrong, seed):
    """Whether it is held out or not: the formula is that of the others, and says where it does not hold."""
    counts = counted(linear) | {wrong: linear(*wrong) + 1}
    formula = fit(counts, NAMES, seed=seed)
    assert formula.excluded == ((wrong, counts[wrong]),)
    assert formula.excluding.at(GRID) == [s == wrong for s in GRID]
    assert at(formula, [s for s in LARGER if not formula.excluding.at([s])[0]])[4, 3, 6] == linear(4, 3, 6)
    with pytest.raises(ValueError, match="the formula is not claimed where"):
        formula(**dict(zip(NAMES, wrong, strict=True)))


@pytest.mark.slow
def test_an_excluded_region_is_described():
    """The momentum flow of two linear layers: Noether's laws, and more of them for n = m = 1."""
    rule = lambda n, m, r: r * (r - 1) // 2 if (n, m) != (1, 1) else max(0, 4 * r - 6)  # noqa: E731
    formula = fit(counted(rule, [s for s in GRID if max(s[:2]) < 4]), NAMES)
    assert str(formula) == "r*(r - 1)/2, except where n = m = 1 and r >= 2"
    assert formula.region == "except where n = m = 1 and r >= 2"
    assert formula.excluded == tuple(((1, 1, r), 4 * r - 6) for r in range(2, 7))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_noise_has_no_formula(seed):
    """Random counts, on two grids; and random counts on half of the grid."""
    draws = Draws(seed)
    assert fit(dict(zip(GRID, draws.integers(0, 20, len(GRID)), strict=True)), NAMES, seed=seed) is None
    flat = list(product(range(1, 7), range(1, 7)))
    assert fit(dict(zip(flat, draws.integers(0, 5, len(flat)), strict=True)), ("n", "r"), seed=seed) is None
    noisy = {s: c if sum(s) % 2 else linear(*s) for s, c in zip(GRID, draws.integers(20, 40, len(GRID)), strict=True)}
    assert fit(noisy, NAMES, seed=seed) is None


def test_a_size_that_does_not_vary_is_not_spoken_of():
    """min(r, n) for n = 3 could be min(r, 3) as well."""
    formula = fit({(3, r): max(0, r - 3) for r in range(1, 13)}, ("n", "r"))
    assert str(formula) == "k with k = max(0, r - 3)"


@pytest.mark.slow
def test_interpolation_is_not_a_finding():
    """A polynomial goes through any few points: none is presented, also where it is true."""
    assert fit({(d,): d**2 for d in range(1, 6)}, ("d",)) is None
    assert fit({(1, 1): 1, (2, 2): 2}, ("n", "r")) is None
    assert fit({(3,): 5}, ("d",)) is None
    assert str(fit({(d,): d - 1 for d in range(1, 9)}, ("d",))) == "d - 1"
    exponential = {(n, r): 2**n + r for n, r in product(range(1, 4), range(1, 11))}
    assert fit(exponential, ("n", "r")) is None  # any function of n is a polynomial on three values


@pytest.mark.slow
def test_the_sizes_held_out():
    """A quarter of the boundary and of the inside, chosen by the seed; the fit does not see them."""
    held = held_out(GRID, 0)
    edge = [any(v in (1, top) for v, top in zip(s, (4, 4, 6), strict=True)) for s in GRID]
    assert 4 * held.sum() >= len(GRID) and (held != held_out(GRID, 1)).any()
    for inside in (True, False):
        members = [h for h, e in zip(held, edge, strict=True) if e == inside]
        assert 4 * sum(members) >= len(members)
    formula = fit(counted(linear), NAMES, seed=3)
    assert formula.seed == 3 and set(formula.tested) == {s for s, h in zip(GRID, held_out(GRID, 3), strict=True) if h}
    assert sorted(formula.fitted + formula.tested) == GRID
    wrong = {s: linear(*s) + (s in formula.tested) for s in GRID}
    assert fit(wrong, NAMES, seed=3) is None


def test_depth_is_an_axis():
    """All laws of a deep network of equal layers."""
    rule = lambda depth, width: (depth - 1) * width * (width + 1) // 2  # noqa: E731
    formula = fit({s: rule(*s) for s in product(range(1, 7), range(1, 7))}, ("depth", "width"))
    assert formula(depth=9, width=8) == rule(9, 8) and formula.degree == 3


def test_order_of_the_counts_changes_nothing():
    """The same formula from the same counts."""
    counts = counted(linear)
    assert fit(dict(reversed(counts.items())), NAMES, seed=1) == fit(counts, NAMES, seed=1)


def test_sympy_form_has_the_same_values():
    """Min, Max and Piecewise."""
    for rule in (linear, lambda n, m, r: r + (r - 1) * (n == m == 1), lambda n, m, r: max(0, r - n - m) * n):
        formula = fit(counted(rule), NAMES)
        expression = formula.to_sympy()
        for s in ((1, 1, 5), (3, 2, 9), (7, 2, 4)):
            assert expression.subs(dict(zip(NAMES, s, strict=True))) == rule(*s)


@pytest.mark.slow
def test_certified_counts_of_two_linear_layers():
    """From certified counts to n, m <= 4, r <= 5, the formula of theory on a larger grid."""
    certified = {}
    for n, m, r in product(range(1, 5), range(1, 5), range(1, 6)):
        count = clexact.certify(clexact.gradient_flow(clexact.models.linear([n, r, m])))
        assert count.exact and not count.error
        certified[n, m, r] = count.lower
    formula = fit(certified, NAMES)
    larger = list(product(range(1, 7), range(1, 7), range(1, 10)))
    assert at(formula, larger) == counted(linear, larger)


def test_fit_rejects_wrong_input():
    """One sentence each."""
    with pytest.raises(ValueError, match="expected counts at some sizes, not none"):
        fit({}, NAMES)
    with pytest.raises(TypeError, match=r"the count at \(1, 1, 1\) must be an integer, not 0.5"):
        fit({(1, 1, 1): 0.5}, NAMES)
    with pytest.raises(ValueError, match=r"expected 3 sizes, for n, m, r, not \(1, 1\)"):
        fit({(1, 1): 0}, NAMES)
    with pytest.raises(TypeError, match="tuple of integers"):
        fit({"n": 0}, NAMES)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        fit({(1, 1, 1): 0}, NAMES, seed=-1)
    with pytest.raises(ValueError, match="max_degree must be an integer of at least 0"):
        fit({(1, 1, 1): 0}, NAMES, max_degree=-1)
    with pytest.raises(TypeError, match="expected the sizes n, m, r, not n"):
        fit(counted(linear), NAMES)(n=3)
