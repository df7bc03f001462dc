"""The functional dimension: against Jacobians in float64, formulas of the literature, and near starts."""

import json

import numpy as np
import pytest

import clexact
from clexact import dimension, models
from clexact.cli.main import run
from clexact.counting import dimension as source


def jacobian_rank(model, seed, count=150, step=1e-5):
    """Of theta -> outputs at many inputs, by central differences; the gap of the singular values is asserted."""
    draws = np.random.default_rng(seed)
    theta = draws.uniform(0.5, 1.5, model.dimension) * draws.choice([-1, 1], model.dimension)
    gates = {gate.probe for gate in model.program.gates}
    probes = {name: shape for name, shape in model.probes.items() if name not in gates}
    given = [{name: draws.normal(size=shape) for name, shape in probes.items()} for _ in range(count)]

    def outputs(place):
        arrays, first = {}, 0
        for name, shape in model.parameters.items():
            size = int(np.prod(shape))
            arrays[name], first = place[first : first + size].reshape(shape), first + size
        return np.concatenate([np.ravel(model(**arrays, **inputs)) for inputs in given])

    steps = step * np.eye(model.dimension)
    jacobian = np.array([(outputs(theta + e) - outputs(theta - e)) / (2 * step) for e in steps])
    sizes = np.linalg.svd(jacobian, compute_uv=False)
    rank = int((sizes > 1e-6 * sizes[0]).sum())
    assert rank == len(sizes) or sizes[rank] < 1e-2 * sizes[rank - 1]
    return rank


@pytest.mark.parametrize(
    "model",
    [
        models.linear(2, 3, 2), models.linear(1, 4, 1), models.linear(2, 2, 3, 2), models.relu([2, 3, 2]),
        models.product(4), models.shared(3, 2), models.glu(2, 2, 2), models.attention(2, 1, tokens=3),
        models.mlp(2, 3, 1, act="tanh", bias=True), models.mlp(2, 3, 2, act="gelu"), models.ssm(1, 2, 1),
        models.recurrent(1, 2, 1), models.lora(2, 3, rank=1), models.conv1d(1, 2, 1, kernel=2),
        models.attention(4, 2, heads=1, rope=True, tokens=3), models.moe(2, 2, 1),
    ],
    ids=lambda model: model.name,
)  # fmt: skip
def test_the_rank_of_the_jacobian(model):
    """Finite differences with the true gates at a random start: for these families free gates are spanned."""
    found = dimension(model)
    assert found.exact == ("rotary, softmax" not in model.name)  # the angles of its planes are no group that is found
    assert found.lower == jacobian_rank(model, 1)


@pytest.mark.parametrize(("n", "r", "m"), [(3, 2, 2), (2, 5, 2), (1, 1, 1), (2, 3, 4)])
def test_products_of_matrices_of_bounded_rank(n, r, m):
    """The variety of n x m matrices of rank r: k (n + m - k), k = min(n, r, m)."""
    k = min(n, r, m)
    assert int(dimension(models.linear(n, r, m))) == k * (n + m - k)


@pytest.mark.parametrize(("heads", "keys"), [(1, 1), (2, 2), (2, 1)])
def test_heads_of_attention(heads, keys):
    """GL(h) of every head of keys on queries and keys, and on values and outputs: 2 h^2 redundant directions a head."""
    h = 2
    found = dimension(models.attention(4, h, heads=heads, keys=keys, tokens=3))
    assert found.exact and found.error == 0 and found.redundant == keys * 2 * h**2


def test_a_start_where_units_are_on_together():
    """u1 v1 + u2 v2 alone is seen of two units of one sign on a scalar input; apart, each is seen."""
    net = models.relu([1, 2, 1])
    assert int(dimension(net, near=[1, 2, 3, 4])) == 1 and int(dimension(net, near=[1, 2, 3, -4])) == 2
    assert dimension(net, near=[1, 2, 3, 4]).unnamed == 1


def test_what_the_loss_does_not_see():
    """Cross-entropy sees outputs but for their sum."""
    net = models.linear(3, 1, 2)
    flow = clexact.gradient_flow(net, loss="cross_entropy")
    assert int(dimension(net)) == 4 and int(dimension(flow)) == 3
    assert int(dimension(clexact.momentum_flow(net, clexact.Nesterov()))) == 4


def test_where_only_chance_shows_the_rank():
    """The error is said; a wrong rank is not shown to span."""
    found = dimension(models.ssm(1, 2, 1))
    assert 0 < found.error <= clexact.certify(clexact.models.product(2)).error + 2**-100
    assert "with error <= 2^-" in str(found) and found.redundant > found.named
    assert found.groups[-1] == "1: along no direction that was found"
    flow = clexact.gradient_flow(models.linear(2, 2, 2))
    assert source.spanned(flow, 3, flow.draws(0)) is None and source.spanned(flow, 5, flow.draws(0)) is None
    assert source.spanned(flow, 4, flow.draws(0)) is not None


def test_a_false_symmetry_is_found_out(monkeypatch):
    """One gradient more than what is left would bear."""
    right = clexact.flows.gradient.GradientFlow.families.func
    wrong = clexact.gradient_flow(models.relu([1, 2, 1])).families
    flow = clexact.gradient_flow(models.mlp(1, 2, 1, act="tanh"))
    assert not right(flow)
    monkeypatch.setattr(clexact.flows.gradient.GradientFlow, "families", wrong)
    with pytest.raises(ArithmeticError, match="functional dimension"):
        dimension(flow)


def test_the_command(capsys):
    """Text and JSON; one sentence for explicit fields."""
    run(["dimension", "linear", "2", "2", "2"])
    assert "functional dimension exactly 4 of 8 (4 redundant directions)" in capsys.readouterr().out
    run(["dimension", "relu", "1", "2", "1", "--near", "random", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert data["exact"] and data["parameters"] == 4 and data["redundant"] == data["named"]
    with pytest.raises(ValueError, match="explicit fields are of no function"):
        dimension(clexact.VectorFields.from_strings(["x"], [["x"]]))
    with pytest.raises(clexact.MemoryLimitError, match="not started"):
        dimension(models.linear(9, 9, 9), memory_limit=1)
