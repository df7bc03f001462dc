"""Conditions that separate sizes: planted ones are found again, and nothing else is claimed."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clexact import Condition, boundary

NAMES = ("n", "m", "r")
GRID = list(product(range(1, 5), range(1, 5), range(1, 7)))

ATOMS = [
    lambda n, m, r: n == 1,
    lambda n, m, r: m == 2,
    lambda n, m, r: r >= 3,
    lambda n, m, r: r <= 2,
    lambda n, m, r: n > m,
    lambda n, m, r: n == m,
    lambda n, m, r: r > n + m,
    lambda n, m, r: r >= 2 * (n + m),
    lambda n, m, r: min(n, m) == 1,
    lambda n, m, r: max(n, m) <= 2,
    lambda n, m, r: r >= 2 * n,
]


def split(rule, sizes):
    """Sizes where the rule is false, and where it is true."""
    return [s for s in sizes if not rule(*s)], [s for s in sizes if rule(*s)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda n, m, r: n == m == 1 and r >= 2, "n = m = 1 and r >= 2"),
        (lambda n, m, r: n == 1 or m == 1, "n = 1 or m = 1"),
        (lambda n, m, r: r > n + m, "r > n + m"),
        (lambda n, m, r: n == m, "n = m"),
        (lambda n, m, r: r >= 2 * (n + m), "r >= 2*(n + m)"),
        (lambda n, m, r: 2 <= r <= 4 and n == 3, "n = 3 and 2 <= r <= 4"),
        (lambda n, m, r: (n, m, r) == (2, 3, 4), "n = 2 and m = 3 and r = 4"),
        (lambda n, m, r: (n == 2 and r > m) or (m == 1 and n == 4), "n = 2 and r > m, or n = 4 and m = 1"),
    ],
)
def test_simplest_condition_in_words(rule, text):
    """The text that a reader would choose, and the same answer in any order of the input."""
    holds, fails = split(rule, GRID)
    condition = boundary(holds, fails, NAMES)
    assert str(condition) == text
    assert boundary(holds[::-1], fails[::-1], NAMES).at(GRID) == condition.at(GRID)
    assert [condition(n=n, m=m, r=r) for n, m, r in GRID] == [rule(*s) for s in GRID] == condition.at(GRID)
    assert r"\text{ and }" in condition.to_latex() or " and " not in text


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=2), min_size=1, max_size=2))
def test_planted_conditions_are_recovered(clauses):
    """Any union of two conjunctions of two: the condition found is true at the same sizes."""

    def rule(n, m, r):
        return any(all(atom(n, m, r) for atom in clause) for clause in clauses)

    condition = boundary(*split(rule, GRID), NAMES)
    assert condition is not None and condition.at(GRID) == [rule(*s) for s in GRID]


def test_a_simpler_condition_is_not_missed():
    """No single atom is passed over for a longer condition."""
    for atom in ATOMS:
        assert boundary(*split(atom, GRID), NAMES).atoms <= 2


def test_what_cannot_be_said_is_none():
    """A pattern outside the language."""
    assert boundary(*split(lambda n, m, r: (n * 7 + m * 3 + r * r * 5 + n * m) % 3 == 0, GRID), NAMES) is None


def test_degenerate_collections():
    """Nothing fails, nothing holds, one size each."""
    assert str(boundary(GRID, [], NAMES)) == "never" and not boundary(GRID, [], NAMES)(n=1, m=1, r=1)
    assert str(boundary([], GRID, NAMES)) == "always" and boundary([], GRID, NAMES)(n=9, m=9, r=9)
    assert str(boundary([], [], NAMES)) == "never"
    assert str(boundary([], [(1,)], ("d",))) == "always"
    assert str(boundary([(2,)], [(1,)], ("d",))) == "d = 1"
    assert boundary([], [], NAMES).to_latex() == r"\text{never}"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            lambda *w: any(w[i] > w[i - 1] + w[i + 1] for i in range(1, len(w) - 1)),
            "a hidden layer is wider than its two neighbours together",
        ),
        (lambda *w: len(w) == 4 and w[0] == 1, "depth = 3 and outputs = 1"),
        (lambda *w: len(w) == 2, "depth = 1"),
        (lambda *w: len(w) > 2 and min(w[1:-1]) == 1, "narrowest = 1"),
        (lambda *w: len(w) > 2 and max(w[1:-1]) > w[-1], "widest > inputs"),
    ],
)
def test_widths_of_networks(rule, text):
    """Tuples of different lengths are described by depth, ends, hidden widths and neighbours."""
    widths = [w for length in (2, 3, 4) for w in product(range(1, 5), repeat=length)]
    condition = boundary(*split(rule, widths))
    assert str(condition) == text
    assert [condition(*w) for w in widths] == [rule(*w) for w in widths]


def test_boundary_rejects_wrong_input():
    """One sentence each."""
    with pytest.raises(ValueError, match=r"not both, as \(1, 2, 3\) does"):
        boundary([(1, 2, 3)], [(1, 2, 3)], NAMES)
    with pytest.raises(ValueError, match=r"expected 3 sizes, for n, m, r, not \(1, 2\)"):
        boundary([(1, 2)], [], NAMES)
    with pytest.raises(TypeError, match="tuple of integers"):
        boundary([(1, 2, 0.5)], [], NAMES)
    with pytest.raises(TypeError, match="sequence of strings"):
        boundary([], [], "nmr")
    with pytest.raises(ValueError, match="distinct identifiers"):
        boundary([], [], ("n", "n"))
    with pytest.raises(ValueError, match="at least two"):
        boundary([(1,)], [(2, 3)])
    condition = Condition(NAMES, ())
    with pytest.raises(TypeError, match="expected the sizes n, m, r, not n, x"):
        condition(n=1, x=2)
    with pytest.raises(TypeError, match="by name"):
        condition(1, 2, 3)
    with pytest.raises(TypeError, match="in their order"):
        boundary([(1, 2)], [(2, 2)])(n=1)
