"""Families of momentum and mirror flows and under weight decay: they are their polynomials, and those are laws."""

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
import pytest
import torch

import clexact
from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import lie_derivative
from clexact.flows.dynamics import HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.functions import softmax
from clexact.laws.confirmation import RefutedLawWarning, confirmed_families
from clexact.laws.families import change, gradients
from clexact.laws.polynomial_laws import listed_laws
from clexact.symmetry.families import Family

PRIME = 2**61 - 1
HALF = Fraction(1, 2)
# a sum that a softmax does not see, and entries that are not read
NET = clexact.Model(
    {"U": (2, 2), "V": (2, 2), "b": (3,), "e": (3,)},
    {"x": (2,)},
    lambda U, V, b, e, x: (V @ (U @ x)) + e[2] * softmax(b + e[2] * x[0], axis=0)[0],
)
MODELS = {
    "linear": models.linear([2, 3, 1]),
    "shared": models.shared(2, 3),
    "relu": models.relu([2, 2, 1], bias=True),
    "conv": models.conv1d([1, 2, 1], 2),
    "heads": models.attention(2, 2, heads=2),
    "net": NET,
}
FLOWS = {
    "decay": lambda model, names: gradient_flow(model, weight_decay=HALF),
    "mirror": lambda model, names: mirror_flow(model, positive=names[:1]),
    "all positive": lambda model, names: mirror_flow(model, positive=names),
    "mirror, decay": lambda model, names: mirror_flow(model, positive=names[:1], weight_decay=2),
    "momentum": lambda model, names: momentum_flow(model),
    "heavy ball": lambda model, names: momentum_flow(model, HeavyBall(Fraction(2, 3))),
    "Nesterov": lambda model, names: momentum_flow(model, Nesterov()),
    "momentum, decay": lambda model, names: momentum_flow(model, HeavyBall(2), weight_decay=-1),
    "mirror momentum": lambda model, names: momentum_flow(model, Nesterov(), positive=names[:1]),
}
CASES = [(flow, model) for flow in FLOWS for model in MODELS]


def flow_of(flow, model):
    return FLOWS[flow](MODELS[model], list(MODELS[model].parameters))


def numbers(law, value):
    """The numbers of ``polynomials()`` among those of a value (*batch, *shape), along a last axis."""
    batch = np.shape(value)[: np.ndim(value) - len(law.shape)]
    if law.kind not in ("gram", "rotation"):
        return np.reshape(value, (*batch, -1))
    i, j = np.triu_indices(law.rows, int(law.kind == "rotation"))
    return value[..., i, j].reshape(*batch, -1)


@pytest.mark.parametrize("flow, model", CASES)
def test_a_law_is_its_polynomials(flow, model):
    """Its values and gradients, at integers and in floats, by names and in parts; and their sparse gradients mod p."""
    flow = flow_of(flow, model)
    point = np.random.default_rng(0).integers(-9, 10, (2, flow.dimension))
    for law in flow.families:
        polynomials = law.polynomials()
        assert len(polynomials) == law.size
        expected = [[h(*map(int, x)) for h in polynomials] for x in point]
        assert numbers(law, law(point)).tolist() == expected
        found = law.gradient(point[0])
        rows = np.zeros((*law.shape, flow.dimension), dtype=object)
        for name, shape in law.layout:
            if name in found:
                rows[..., law.offsets[name] : law.offsets[name] + prod(shape)] = found[name].reshape(*law.shape, -1)
        slopes = [[d(*map(int, point[0])) for d in h.gradient] for h in polynomials]
        assert numbers(law, np.moveaxis(rows, -1, 0)).T.tolist() == slopes
        assert np.allclose(law(torch.tensor(point).double()), law(point).astype(float))
        weights = np.arange(prod(law.shape)).reshape(law.shape)
        pulled = law.gradient(point[0], weights)
        for name, each in found.items():
            assert np.array_equal(pulled[name], np.tensordot(weights, each, len(law.shape)))
        residues = point[0].astype(np.uint64) % PRIME
        dense = np.zeros((law.size, flow.dimension), dtype=object)
        for number, place, value in gradients(law, residues, PRIME):
            np.add.at(dense, (number, place), value.astype(object))
        slopes = np.array([[int(d(*map(int, residues))) % PRIME for d in h.gradient] for h in polynomials])
        first = flow.phase.positions
        assert np.array_equal((dense % PRIME)[:, first:], slopes.reshape(law.size, -1)[:, first:])


@pytest.mark.parametrize("flow, model", CASES)
def test_laws_are_laws_and_false_ones_are_not(flow, model):
    """By an exact identity where the fields are polynomials; else a random member leaves them alone."""
    flow = flow_of(flow, model)
    kept, others = confirmed_families(flow, flow.families, flow.draws(3))
    assert tuple(kept) == flow.families and not len(others)
    if not flow.analytic:
        for law in flow.families:
            for h in law.polynomials():
                assert not any(len(rate.terms) for rate in lie_derivative(h, flow.fields))
    draws = Draws(1, b"")
    theta, field = (draws.residues((flow.dimension,), PRIME) for _ in range(2))
    for law in flow.families:
        moving = change(law, theta, field, PRIME, draws)
        assert moving.any()
        if law.kind not in ("gram", "rotation"):
            rates = [
                sum(d(*theta.tolist()) * v for d, v in zip(h.gradient, field.tolist(), strict=True))
                for h in law.polynomials()
            ]
            assert [int(x) % PRIME for x in moving] == [int(r) % PRIME for r in rates]


@pytest.mark.parametrize("flow, model", [
    ("decay", "linear"), ("decay", "heads"), ("mirror", "relu"), ("momentum", "linear"), ("momentum", "shared"),
    ("heavy ball", "shared"), ("Nesterov", "linear"),
])  # fmt: skip
def test_a_search_finds_no_more(flow, model):
    """All polynomial laws of degree 2 are combinations of the numbers of the families."""
    flow = flow_of(flow, model)
    laws, found = listed_laws(flow, 2), clexact.polynomial_laws(flow, 2)
    assert found.complete and laws.size == len(found) and not len(laws.beside(found).others)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_false_family_is_left_out(monkeypatch, flow):
    """With another coefficient, or another power of the clock."""
    flow = flow_of(flow, "net")
    true, law = flow.families, flow.families[0]
    first, *others = law.terms
    false = [replace(law, terms=(replace(first, coefficient=first.coefficient + 2), *others))]
    if law.phase is not None:
        false.append(replace(law, terms=tuple(replace(term, power=term.power + 1) for term in law.terms)))
    for each in false if others else false[1:]:
        monkeypatch.setitem(vars(flow), "families", (*true, each))
        with pytest.warns(RefutedLawWarning, match=f"{each.size} of the laws proposed"):
            assert listed_laws(flow, 2).families == true


@pytest.mark.parametrize("flow, model, plain, pretty, latex", [
    ("decay", "linear", "e^(t) (U1^T U1 - U2 U2^T)  (i <= j < 3)", "e^(t) (U1ᵀU1 − U2U2ᵀ)  (i ≤ j < 3)",
     r"e^{t} (U_{1}^\top\,U_{1} - U_{2}\,U_{2}^\top)"),
    ("mirror", "relu", "2 sum_j U1[j,i] - |U2[i]|^2 - b2[i]^2  (i < 2)", "2 Σ_j U1[j,i] − U2[i,0]² − b2[i]²  (i < 2)",
     ""),
    ("momentum", "shared", "U^T U' - U'^T U  (i < j < 3)", "UᵀU' − U'ᵀU  (i < j < 3)",
     r"U^\top\,U' - U'^\top\,U"),
    ("heavy ball", "shared", "e^(2/3*t) (U^T U' - U'^T U)  (i < j < 3)", "e^(2/3*t) (UᵀU' − U'ᵀU)  (i < j < 3)",
     r"e^{2/3 t} (U^\top\,U' - U'^\top\,U)"),
    ("Nesterov", "conv", "t^3 (P1 P1'^T - P1' P1^T + P2 P2'^T - P2' P2^T) where P1 = W1.flatten(1); "
     "P2 = W2.movedim(1, 0).flatten(1)  (i < j < 2)", "", ""),
])  # fmt: skip
def test_how_a_law_is_written(flow, model, plain, pretty, latex):
    law = flow_of(flow, model).families[0]
    assert law.plain == plain.replace("|U2[i]|^2", "U2[i,0]^2")
    assert pretty in ("", str(law)) and latex in ("", law.latex)


def test_translations_of_momentum():
    """The sum of what a softmax does not see moves with constant momentum, and its position is known."""
    assert [str(law) for law in flow_of("Nesterov", "net").families if law.degree == 1] == [
        "t³ Σ_i b'[i]", "2 Σ_i b[i] + t Σ_i b'[i]", "t³ e'[i]  (i < 2)", "2 e[i] + t e'[i]  (i < 2)",
    ]  # fmt: skip


def test_a_law_of_momentum_in_parts():
    """theta, velocity and time: flat or by name, exact where the clock is."""
    law = momentum_flow(models.shared(1, 2), Nesterov()).families[0]
    whole = law([2, 3, 5, 1, 4])
    assert whole[0, 1] == 8 * (3 * 4 - 5 * 1) == -whole[1, 0]
    assert np.array_equal(law([3, 5], [1, 4], 2), whole)
    assert np.array_equal(law({"U": [[3, 5]]}, {"U": [[1, 4]]}, 2), whole)
    assert np.array_equal(law(**{"t": 2, "U": [[3, 5]], "U'": [[1, 4]]}), whole)
    assert law.gradient([3, 5], [[0, 1], [0, 0]], velocity=[1, 4], time=2)["t"] == 3 * 4 * 7
    ball = momentum_flow(models.shared(1, 2), HeavyBall(HALF)).families[0]
    assert ball([3, 5], [1, 4], 0)[0, 1] == 7 and np.isclose(ball([3, 5], [1, 4], 4.0)[0, 1], 7 * np.exp(2))
    decay = gradient_flow(models.product(2), weight_decay=1).families[0]
    assert np.allclose(decay([[3.0, 2.0], [1.0, 0.0]], None, 1.0), np.exp(2) * np.array([[5], [1]]))
    for arguments, message in [
        (([3, 5], [1, 4]), "the law depends on the time, but none is given"),
        (([3, 5], None, 2), "the law speaks of velocities, but none are given"),
        (([3, 5], [1], 2), r"theta must have 2 entries"),
    ]:
        with pytest.raises(ValueError, match=message):
            law(*arguments)
    with pytest.raises(TypeError, match="this law has no velocities"):
        decay([3, 2], [1, 1], 2)
    with pytest.raises(TypeError, match="no velocities and no time"):
        gradient_flow(models.product(2)).families[0]([1, 2], None, 1)


def test_a_large_family_is_never_written_out(monkeypatch):
    """Nor are its fields: of millions of polynomials."""
    monkeypatch.setattr(Family, "expanded", lambda *_: pytest.fail("written out"))
    for flow in (momentum_flow(models.linear([60] * 3)), gradient_flow(models.linear([60] * 3), weight_decay=1)):
        (law,) = listed_laws(flow, 2).families
        assert law.size in (1770, 1830)
