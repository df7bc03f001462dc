"""That a program's shape shows all quadratic laws, proved by samples: against the exact monomial system."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from reference import naive_rank

import clexact
from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.field_grading import grading
from clexact.algebra.terms import concatenate, monomials_of_degree
from clexact.flows.flow import pack_laws
from clexact.laws import quadratic as lawsearch
from clexact.laws.polynomial_laws import proposed_laws
from clexact.laws.result import Completeness

COMPLETE = {
    "linear": models.linear([3, 2, 3]),
    "deep linear": models.linear([2, 3, 2, 2]),
    "wide linear": models.linear([2, 5, 2]),
    "relu": models.relu([2, 3, 2]),
    "relu with bias": models.relu([2, 2, 3, 2], bias=True),
    "leaky": models.relu([2, 2, 2], slope=Fraction(1, 2)),
    "attention": models.attention(3, 2, heads=2),
    "convolution": models.conv1d([2, 2, 2], kernel=2),
    "product": models.product(4),
    "residual": models.residual(2, 2, relu=True),
}
INCOMPLETE = {  # with laws that the shape does not show
    "one input, one output": models.linear([1, 3, 1]),
    "the same, deeper": models.linear([1, 2, 1, 2]),
}


@pytest.fixture
def at_any_size(monkeypatch):
    """Samples are tried at every dimension."""
    monkeypatch.setattr(sys.modules["clexact.laws.polynomial_laws"], "SAMPLED_FROM", 0)


@pytest.mark.slow
@pytest.mark.parametrize("homogeneous", [False, True])
@pytest.mark.parametrize("name", COMPLETE)
def test_samples_and_the_monomial_system_give_the_same_laws(name, homogeneous, monkeypatch):
    flow = clexact.gradient_flow(COMPLETE[name])
    exact = clexact.polynomial_laws(flow, 2, homogeneous)
    monkeypatch.setattr(sys.modules["clexact.laws.polynomial_laws"], "SAMPLED_FROM", 0)
    sampled = clexact.polynomial_laws(flow, 2, homogeneous)
    assert sampled == exact and sampled.complete and sampled.homogeneous == homogeneous


@pytest.mark.parametrize("loss", ["cross_entropy", [[1, 2]]])
def test_losses_that_see_less_have_laws_of_degree_one(loss, at_any_size):
    flow = clexact.gradient_flow(models.linear([2, 2, 2]), loss=loss)
    laws = clexact.polynomial_laws(flow, 2)
    assert laws.complete and any(h.degree == 1 for h in laws)


@pytest.mark.parametrize("name", INCOMPLETE)
def test_laws_that_the_shape_does_not_show_are_never_denied(name, at_any_size):
    """The samples have a larger nullity, so the exact search is made."""
    flow = clexact.gradient_flow(INCOMPLETE[name])
    assert not lawsearch.all_quadratic_laws(flow, proposed_laws(flow, 2).terms, False, Draws(0))
    assert len(clexact.polynomial_laws(flow, 2)) > len(proposed_laws(flow, 2))


@pytest.mark.slow
@pytest.mark.parametrize("shard", [lawsearch.SHARD, 8])
@pytest.mark.parametrize("name", COMPLETE)
def test_a_law_left_out_is_missed(name, shard, monkeypatch):
    """In one shard or in many: a pair of coordinates in none would lose a law, one in two would find it twice."""
    monkeypatch.setattr(lawsearch, "SHARD", shard)
    flow = clexact.gradient_flow(COMPLETE[name])
    terms = proposed_laws(flow, 2).terms
    last = int(terms.owner.max())
    assert lawsearch.all_quadratic_laws(flow, terms, False, Draws(1))
    fewer = terms.take(np.flatnonzero(terms.owner < last)) if last else pack_laws([])
    assert not lawsearch.all_quadratic_laws(flow, fewer, False, Draws(1))


@pytest.mark.parametrize("name", [*COMPLETE, *INCOMPLETE])
def test_signs_of_the_program_are_a_grading_of_the_fields(name):
    """Monomials in one class of the exact grading of the expanded fields have the same signs on the program."""
    flow = clexact.gradient_flow((COMPLETE | INCOMPLETE)[name])
    labels = lawsearch.sign_labels(flow, Draws(2))
    monomials = concatenate([monomials_of_degree(flow.dimension, k) for k in (1, 2)])
    _, fine = grading(flow.fields).labels(monomials)
    coarse = [
        int(np.bitwise_xor.reduce(labels[list(row)], initial=0))
        for row in ([v for v, k in monomials.monomial(t) for _ in range(k)] for t in range(len(monomials)))
    ]
    pairs = set(zip(fine.tolist(), coarse, strict=True))
    assert len(pairs) == len({f for f, _ in pairs})  # each fine class lies in one coarse class


@pytest.mark.parametrize("p", [2, 3, 7, 2**22 - 3])
@pytest.mark.parametrize("shape", [(5, 3, 4), (40, 6, 3), (1, 1, 1), (9, 12, 5)])
def test_batched_ranks(p, shape):
    systems = np.random.default_rng(sum(shape)).integers(0, p, shape)
    systems[::2, :, -1] = systems[::2, :, 0]
    systems[1::3] = 0
    expected = [naive_rank(each.tolist(), p) for each in systems]
    before = systems.copy()
    assert lawsearch.batched_ranks(systems, p).tolist() == expected
    assert np.array_equal(systems, before)


def test_a_class_that_is_too_large_is_not_decided(monkeypatch):
    monkeypatch.setattr(lawsearch, "MAX_CLASS", 5)
    flow = clexact.gradient_flow(models.linear([2, 2, 2]))
    assert not lawsearch.all_quadratic_laws(flow, proposed_laws(flow, 2).terms, False, Draws(0))


@pytest.mark.slow
def test_large_networks_are_searched_without_expansion():
    """Three hidden layers of ReLU with 160,000 paths."""
    flow = clexact.gradient_flow(models.relu([20, 20, 20, 20], bias=True))
    laws = clexact.polynomial_laws(flow, 2)
    assert laws.completeness is Completeness.PROVED and len(laws) == len(laws.independent) == 40
