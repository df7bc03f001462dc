"""Ranks of flows with a drift by brackets of their gradients alone, against dense brackets of the flows themselves."""

from fractions import Fraction

import numpy as np
import pytest

import clexact
from clexact import models
from clexact.algebra.draws import Draws
from clexact.flows.dynamics import HeavyBall, Nesterov, gradient_flow, mirror_flow, momentum_flow
from clexact.lie.closure import nested_bracket
from clexact.lie.lifted_witnesses import LiftedSpanBuilder
from clexact.programs.jets import Jets
from clexact.support.errors import RANK_BITS

MODELS = {
    "linear": models.linear([1, 2, 1]),
    "shared": models.shared(2, 2),
    "relu": models.relu([1, 2, 1], bias=True),
    "heads": models.attention(2, 1),
    "gelu": models.mlp([1, 2, 1], act="gelu", bias=True),
    "product": models.product(3),
}
DEPTH = 3  # of brackets
DEEPER = ("linear", "gelu", "product")
FLOWS = {
    "decay": lambda model: gradient_flow(model, weight_decay=Fraction(-1, 2)),
    "momentum": momentum_flow,
    "ball": lambda model: momentum_flow(model, HeavyBall(Fraction(3, 2)), weight_decay=1),
    "Nesterov": lambda model: momentum_flow(model, Nesterov()),
}


def grown(flow, support=None, seed=0):
    gradients, draws = flow.bracketed_gradients, Draws(seed, flow.digest)
    support = np.ones(gradients.dimension, dtype=bool) if support is None else support
    growth = LiftedSpanBuilder(flow, gradients, support, gradients.draw_prime(draws, RANK_BITS), draws)
    growth.run(flow.dimension, DEPTH, None)
    return growth


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("flow", FLOWS)
def test_no_rank_is_more_than_that_of_dense_brackets(flow, model):
    """At each depth, and at other points too; at a dense one the last is that rank, but for few that go deeper."""
    flow = FLOWS[flow](MODELS[model])
    dense = clexact.certify(flow)
    known = [*dense.filtration, *[dense.filtration[-1]] * 20]
    assert dense.exact
    growth = grown(flow)
    assert all(rank <= other for rank, other in zip(growth.ranks, known, strict=False))
    assert growth.form.rank == known[-1] or model in DEEPER
    support = np.random.default_rng(1).integers(0, 2, flow.bracketed_gradients.dimension).astype(bool)
    assert grown(flow, support).form.rank <= known[-1]


def test_symmetric_products():
    """DX Y + DY X of gradients is the gradient of their product: for x y of C = a and b, a b (x^2 + y^2)."""
    flow, prime = gradient_flow(models.product(2)), 2**31 - 1
    theta, seeds = {0: np.array([[3, 5]], dtype=np.uint64)}, [np.array([[c]], dtype=np.uint64) for c in (2, 7)]
    ring = Jets(prime)
    found = [
        nested_bracket(ring, lambda at, row: flow.values_in(ring, at, row), seeds, theta, 0, k)[0].tolist()
        for k in (0, 1)
    ]
    assert found == [[[0, 0]], [[2 * 2 * 7 * 3, 2 * 2 * 7 * 5]]]


def test_flows_with_a_metric_have_none():
    model = models.linear([2, 2, 2])
    for flow in (mirror_flow(model, ["U1"]), mirror_flow(model, ["U1"], weight_decay=1)):
        assert flow.bracketed_gradients is None
    assert momentum_flow(model, positive=["U1"]).bracketed_gradients is None
    assert momentum_flow(gradient_flow(model).fields).bracketed_gradients is None


@pytest.mark.parametrize("flow, count, ranks", [
    (momentum_flow(models.linear([40] * 3)), 780, (1601, 3201, 4021, 5621)),
    (gradient_flow(models.linear([40] * 3), weight_decay=1), 820, (1601, 2381)),
])  # fmt: skip
def test_large_flows_are_counted(flow, count, ranks):
    found = clexact.certify(flow)
    assert (found.lower, found.upper, found.filtration) == (count, count, ranks) and not found.closure.generic
    assert len(found.laws) == 1 and found.laws.size == count and found.blocks == {("U1", "U2"): count}


def test_a_certificate_holds_dense_brackets(monkeypatch):
    """Of the flow itself, at a generic point; where these are too many, none is made."""
    monkeypatch.setattr("clexact.counting.certify.SPARSE_FROM", 10)
    count = clexact.certify(momentum_flow(models.linear([2, 3, 2])))
    assert count.exact and not count.closure.generic
    certificate = clexact.verify(count.certificate)
    assert certificate and "at least 3 independent laws (proved), at most 3 (proved)" in str(certificate)
    monkeypatch.setattr("clexact.proofs.program_certificate.over_limit", lambda *_: "a certificate may take 9 MiB")
    again = clexact.certify(momentum_flow(models.linear([2, 3, 2])))
    with pytest.raises(ValueError, match="9 MiB: it needs dense brackets of momentum flow"):
        _ = again.certificate
