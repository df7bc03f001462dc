"""A second way to every law of symmetry, and bounds that may not contradict each other."""

import dataclasses
import warnings

import numpy as np
import pytest

import clexact
from clexact.flows.flow import pack_laws
from clexact.flows.gradient import GradientFlow
from clexact.functions import exp, gelu, reciprocal, relu, sigmoid, silu, softmax, tanh
from clexact.laws.confirmation import RefutedLawWarning, confirmed, moved
from clexact.laws.polynomial_laws import proposed_laws
from clexact.support.bounds import ContradictionError, check_bounds
from clexact.symmetry.families import Family
from clexact.symmetry.views import Term, View

PICKS = {"list": [0, 1], "slice": slice(0, 2), "backwards": slice(None, None, -1), "all": slice(None)}


def softmax_and(other, pick):
    """A softmax of a pick, which is used by something else too."""
    return clexact.Model(
        {"G": (2,), "u": (4,)},
        {"x": ()},
        lambda G, u, x: (lambda t: (u[:2] * softmax(t)).sum() + other(u, t))((G * x)[pick]),
    )


OTHERS = {
    "square": lambda u, t: (t * t).sum(),
    "product": lambda u, t: (u[2:] * t).sum(),
    "exp": lambda u, t: (u[2:] * tanh(t)).sum(),
    "one entry": lambda u, t: u[3] * t[0],
}


@pytest.mark.slow
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("pick", PICKS)
def test_pick_seen_by_more_than_a_softmax_lets_no_translation_pass(pick, other):
    """u may be conserved where nothing reads it; G is not."""
    flow = clexact.gradient_flow(softmax_and(OTHERS[other], PICKS[pick]))
    assert not any("G" in str(law) for law in flow.proposed_laws() for law in proposed_laws(flow, 1))
    assert all("G" not in str(law) or "u" in str(law) for law in clexact.certify(flow).laws.polynomials())


def test_softmax_beside_its_own_logits_has_no_law():
    """The output holds the pick itself: that is a use too."""
    model = clexact.Model(
        {"G": (2,), "u": (4,)}, {"x": ()},
        lambda G, u, x: (lambda t: u * clexact.concatenate([softmax(t), t]))((G * x)[[0, 1]]),
    )  # fmt: skip
    assert clexact.certify(clexact.gradient_flow(model)).upper == 0
    bare = clexact.Model(
        {"G": (2,)}, {"x": ()},
        lambda G, x: (lambda t: t + 0 * softmax(t))((G * x)[[0, 1]]),
    )  # fmt: skip
    assert not clexact.gradient_flow(bare).proposed_laws()


def test_softmax_of_a_pick_alone_still_has_its_law():
    """One softmax of a pick, or several of overlapping ones, whose logits move together."""
    one = clexact.Model({"G": (3,), "u": (2,)}, {"x": ()}, lambda G, u, x: u * softmax((G * x)[[0, 2]]))
    found = clexact.certify(clexact.gradient_flow(one)).laws.polynomials()
    assert sorted(map(str, found)) == ["G[0] + G[2]", "G[1]"]
    two = clexact.Model(
        {"G": (3,), "u": (2,)}, {"x": ()},
        lambda G, u, x: clexact.concatenate([u * softmax((G * x)[[0, 1]]), u * softmax((G * x)[[1, 2]])]),
    )  # fmt: skip
    assert (
        str(clexact.certify(clexact.gradient_flow(two)).laws.polynomials()) == "ConservationLaws([G[0] + G[1] + G[2]])"
    )


# --- the second way itself -------------------------------------------------------------------------------------------

NETWORKS = {
    "linear": clexact.models.linear([2, 3, 2]),
    "softmax": clexact.models.attention(2, 2, tokens=2),
    "experts": clexact.models.moe(2, 2, 1, gate="sigmoid"),
    "functions": clexact.Model(
        {"u": (2,), "v": (2,), "w": (2,)},
        {"x": (2,)},
        lambda u, v, w, x: (
            (u * u * relu(v * x)).sum()
            + (gelu(w * x) + exp(w * x) * reciprocal(1 + sigmoid(w * x)) + silu(w * x)).sum()
        ),
    ),
}


@pytest.mark.parametrize("loss", ["full", "cross_entropy"])
@pytest.mark.parametrize("name", ["linear", "softmax", "experts"])
def test_true_laws_are_confirmed(name, loss):
    flow = clexact.gradient_flow(NETWORKS[name], loss)
    terms = flow.shape_terms()
    assert not len(moved(flow, terms, flow.draws(0)))
    assert confirmed(flow, terms, flow.draws(1)) is terms


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("make", [clexact.gradient_flow, clexact.momentum_flow])
def test_false_laws_are_refuted_and_left_out(monkeypatch, name, make):
    """Every coordinate that something moves, proposed as a law between true ones, is found; and none other."""
    flow = make(NETWORKS[name])
    true = flow.proposed_laws()
    false = [{(flow.dimension - 1,): 1}, {(flow.dimension - 1, flow.dimension - 1): 3, (0, 0): 1}]
    monkeypatch.setattr(type(flow), "shape_terms", lambda self: pack_laws([false[0], *true, false[1]]))
    assert moved(flow, flow.shape_terms(), flow.draws(0)).tolist() == [0, len(true) + 1]
    with pytest.warns(RefutedLawWarning, match=r"2 of the laws .* please report"):
        kept = proposed_laws(flow, 2)
    assert len(kept) == len(true)


def test_opaque_gradients_are_those_of_functions():
    """The gradient of an opaque program is its directional derivative: by finite sums of the rule for each node.

    f(u) and f(v) with u = v have equal values and slopes, and a reciprocal is a true one.
    """
    same = clexact.Model(
        {"u": (2,), "v": (2,)}, {"x": ()},
        lambda u, v, x: (
            (tanh(u * x) - tanh((u + 0 * v) * x)).sum() + (v * x * reciprocal(1 + v * x) * (1 + v * x)).sum()
        ),
    )  # fmt: skip
    flow = clexact.gradient_flow(same)
    assert not len(moved(flow, pack_laws([{(0,): 1}, {(1, 1): 5}]), flow.draws(0)))
    assert moved(flow, pack_laws([{(2,): 1}]), flow.draws(0)).tolist() == [0]


def test_laws_are_confirmed_in_blocks(monkeypatch):
    """However many terms are taken at a time, the same laws are refuted."""
    flow = clexact.gradient_flow(clexact.models.linear([3, 3, 3]))
    laws = [law for pair in zip(flow.proposed_laws(), [{(j,): 1} for j in range(6)], strict=True) for law in pair]
    whole = moved(flow, pack_laws(laws), flow.draws(0))
    for block in (1, 2, 7, 50):
        monkeypatch.setattr("clexact.laws.confirmation.BLOCK", block)
        assert np.array_equal(moved(flow, pack_laws(laws), flow.draws(0)), whole)
    assert whole.tolist() == [1, 3, 5, 7, 9, 11]


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_contradicting_bounds_are_no_result():
    check_bounds(2, 2, "it")
    with pytest.raises(ContradictionError, match="it: at least 3 and at most 2 contradict"):
        check_bounds(3, 2, "it")
    count = clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 2, 2])))
    with pytest.raises(ContradictionError):
        dataclasses.replace(count, lower=count.upper + 1)
    orbit = clexact.orbit_dimension(clexact.gradient_flow(clexact.models.linear([2, 2, 2])), "zero")
    with pytest.raises(ContradictionError):
        dataclasses.replace(orbit, upper=orbit.orbit_dimension - 1)


def test_a_false_law_that_all_checks_miss_contradicts_the_brackets(monkeypatch):
    """Brackets go one member beyond what the laws leave, so that a false law cannot hide behind them."""
    flow = clexact.gradient_flow(clexact.models.linear([2, 2, 2]))
    laws = [*flow.proposed_laws(), {(0,): 1}]
    monkeypatch.setattr(GradientFlow, "shape_terms", lambda self: pack_laws(laws))
    monkeypatch.setattr("clexact.laws.polynomial_laws.confirmed", lambda flow, terms, draws: terms)
    false = Family("translation", (Term("U1", 1, View((2, 2), (0, 1), None), (2, 2)),), layout=flow.families[0].layout)
    monkeypatch.setitem(vars(flow), "families", (*flow.families, false))
    monkeypatch.setattr(
        "clexact.laws.polynomial_laws.confirmed_families", lambda flow, families, draws: (families, pack_laws([]))
    )
    with warnings.catch_warnings(), pytest.raises(ContradictionError):
        clexact.certify(flow)
    with pytest.raises(ContradictionError):
        clexact.lie_closure(flow)
