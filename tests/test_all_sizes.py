"""Statements about all sizes, held against theorems: planted ones, and formulas read as Python reads them."""

from dataclasses import asdict, replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact.claims import TOPICS, linear
from clexact.claims.all_sizes import AllSizes, Everywhere, everywhere, network, number_at
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Reach
from clexact.claims.judge import ClaimVerdict, judge
from clexact.theorems.agreement import agreement, pieces, value_of

RANK = "min(r, n + m)"
TRUE = f"{RANK}*(2*r + 1 - {RANK})/2"
SLIDE = "r*(r + 1)/2"
NARROW = Grid(("n", "r", "m"), linear.GRID.dimension, quick=4, full=4, edges=((2, 2, 2),))  # here r <= n + m
CLAIMS = {one.id: one for claims in TOPICS.values() for one in claims}


def claim(number, letters=(linear.GRAM,), holds=None, complete=False):
    """A claim on U V^T of which the grid is narrow, and the statement of all sizes is given."""

    def check(size, seed):
        true = linear.independent(size)
        return Check(
            true == number(size) if holds is None else holds, str(number(size)), str(true), "planted", 1, count=true
        )

    stated = AllSizes((network("nmf", "n r m", *letters),), letters and None, complete)
    return Claim("planted", "Planted", "slide 6", Statement("planted", "planted", check, stated), NARROW, fitted=False)


def with_number(found, text):
    """The same claim, stating this number at all sizes."""
    statement = replace(found.statement, all_sizes=AllSizes((network("nmf", "n r m"),), text))
    return replace(found, statement=statement)


@pytest.fixture(scope="module")
def theorem():
    return clexact.theorem(clexact.models.linear("n", "r", "m"))


def test_a_formula_that_is_true_is_proved():
    found = judge(with_number(claim(linear.independent), TRUE), Reach.QUICK)
    assert found.verdict is ClaimVerdict.PROVED, found.sentence
    assert "proved for all n >= 1, r >= 1, m >= 1" in found.sentence
    [evidence] = found.written.everywhere.theorems
    assert evidence.title == "gradient flow of nmf(n, r, m)" and evidence.bytes > 1000 and len(evidence.sha256) == 64


def test_a_formula_that_only_the_grid_confirms_is_refuted_by_the_theorem():
    """No size of the grid has r > n + m, where the number of the slide is wrong; a theorem knows."""
    assert all(linear.independent(size) == size[1] * (size[1] + 1) // 2 for size in NARROW.sizes(Reach.QUICK))
    found = judge(with_number(claim(lambda size: size[1] * (size[1] + 1) // 2), SLIDE), Reach.QUICK)
    assert found.verdict is ClaimVerdict.PARTLY and found.written.confirmed
    assert "false at some sizes" in found.sentence and "r >= m + n" in found.sentence


def test_a_planted_wrong_number_on_the_grid_is_a_fault():
    """A certified number that a theorem contradicts stops the run: one of them is wrong."""
    stated = AllSizes((network("nmf", "n r m"),), TRUE)
    right = {size: linear.independent(size) for size in NARROW.sizes(Reach.QUICK)}
    assert everywhere(stated, right).holds
    with pytest.raises(ArithmeticError, match="a fault"):
        everywhere(stated, right | {(2, 2, 2): 4})


def test_letters_that_say_another_thing_than_the_check_are_a_fault():
    with pytest.raises(ArithmeticError, match="is not what is stated at"):
        judge(with_number(claim(linear.independent), f"{TRUE} + 1"), Reach.QUICK)


@pytest.mark.parametrize(
    ("law", "holds"),
    [(linear.GRAM, True), ("U[i,k]*U[i,l] + V[j,k]*V[j,l]", False), ("U[i,k]*U[i,k] - 2*V[j,k]*V[j,k]", False)],
)
def test_stated_laws_are_proved_or_refuted(law, holds):
    found = everywhere(AllSizes((network("nmf", "n r m", law),)), {})
    assert found.holds is holds
    assert ("conserved at all sizes" if holds else "is not conserved") in found.sentence
    assert Everywhere.from_dict(asdict(found)) == found


def test_complete_is_said_only_of_all_laws():
    """The diagonal of the Gram matrix is conserved, and is not all: the count is not met."""
    diagonal = AllSizes((network("nmf", "n r m", "U[i,k]*U[i,k] - V[j,k]*V[j,k]"),), complete=True)
    found = everywhere(diagonal, {})
    assert found.holds is None and found.sentence.startswith("not proved for all sizes")
    assert everywhere(AllSizes((network("nmf", "n r m", linear.GRAM),), complete=True), {}).holds


@pytest.mark.parametrize("text", ["U[i,k", "W[i,k]*W[i,l]", "U[i]*U[i]", "U[i,k]*U[i,l] V[j,k]"])
def test_a_law_that_cannot_be_read_is_one_sentence(text):
    with pytest.raises(ValueError, match=r"^[^\n]+\.$"):
        everywhere(AllSizes((network("nmf", "n r m", text),)), {})


def test_part_of_a_statement_proves_no_statement():
    """Of three layers alone, where networks of any depth are meant."""
    stated = CLAIMS["relu.deep-count"].statement.all_sizes
    assert stated.part and everywhere(stated, {}).holds is None


@pytest.mark.parametrize("id", [id for id, one in CLAIMS.items() if one.statement.all_sizes])
def test_formulas_in_letters_are_the_numbers_of_the_claims(id):
    """At the first size of each grid."""
    one = CLAIMS[id]
    size = one.grid.sizes(Reach.QUICK)[0]
    number = number_at(one.statement.all_sizes, size)
    check = one.statement.check(size, 0)
    assert number is None or check.count is None or (number == check.count) is check.holds


def python_value(formula, sizes):
    """Oracle: the formula as Python reads it."""
    return eval(formula, {"min": min, "max": max}, sizes)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_formulas_are_read_as_python_reads_them(data):
    """Sums, products, minima, maxima and conditions, drawn at random."""
    linear_forms = st.recursive(
        st.sampled_from(["n", "m", "r", "1", "2", "3"]),
        lambda below: st.tuples(below, st.sampled_from(["+", "-"]), below).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=3,
    )
    chosen = st.tuples(st.sampled_from(["min", "max"]), linear_forms, linear_forms).map(
        lambda t: f"{t[0]}({t[1]}, {t[2]})"
    )
    tested = st.tuples(linear_forms, linear_forms, linear_forms, linear_forms).map(
        lambda t: f"({t[0]} if {t[1]} <= {t[2]} else {t[3]})"
    )
    part = st.one_of(linear_forms, chosen, tested)
    formula = data.draw(st.tuples(part, part).map(lambda t: f"{t[0]}*{t[1]}/2"))
    for n, m, r in product((1, 2, 4), repeat=3):
        sizes = {"n": n, "m": m, "r": r}
        assert value_of(formula, sizes) == python_value(formula, sizes)
        holding = [where for where, _ in pieces(formula, ("n", "m", "r")) if all(c.holds(sizes) for c in where)]
        assert holding


@pytest.mark.parametrize("formula", ["r +", "foo(r)", "r**n", "q", "r/0", "__import__('os')", "min()", "r*min(n*m, r)"])
def test_a_formula_that_cannot_be_read_is_one_sentence(theorem, formula):
    with pytest.raises(ValueError, match=r"^a formula has [^\n]+\.$"):
        agreement(theorem, formula)


@pytest.mark.parametrize(
    ("formula", "holds"),
    [
        (TRUE, True),
        (f"{TRUE} + max(0, r - n - m - 2)", False),
        (f"{TRUE} + max(0, r - n - m - 9)", None),
        (SLIDE, False),
        (f"{SLIDE} if r <= n + m else 0", False),
    ],
)
def test_agreement_is_that_of_all_small_sizes(theorem, formula, holds):
    """What is said of all sizes is so at each of many; where it differs, it does at the size that is named.

    Where it differs at large sizes alone, none is found, and nothing is said.
    """
    found = agreement(theorem, formula)
    assert found.holds is holds
    for _, _, at in found.differ:
        assert theorem.count(**at) != python_value(formula, at)
    if holds:
        for n, r, m in product(range(1, 9), repeat=3):
            assert theorem.count(n=n, r=r, m=m) == python_value(formula, {"n": n, "r": r, "m": m})
