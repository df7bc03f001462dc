"""What the library says of its architectures: two that are one function, choices that occur, options refused."""

import json
import random
from itertools import combinations

import numpy as np
import pytest

import clexact
from clexact import models
from clexact.counting.minimality import MinimalityStatus
from clexact.functions import maximum

EQUAL, SMALLER = MinimalityStatus.EQUAL, MinimalityStatus.SMALLER


def counted(model):
    """D and the number of laws, exactly."""
    found = clexact.certify(clexact.gradient_flow(model))
    assert found.exact and found.error == 0, str(found)
    return model.dimension, found.lower


SAME = [
    (models.nmf(2, 3, 4), models.linear([2, 3, 4])),
    (models.nmf(1, 4, 2), models.linear([1, 4, 2])),
    (models.icnn(2, 5, 2), models.relu([2, 5, 2])),
    (models.icnn(2, 2, 1, bias=True), models.relu([2, 2, 1], bias=True)),
    (models.residual(3, 2), models.linear([3, 2, 3])),
    (models.residual(2, 5), models.linear([2, 5, 2])),
    (models.residual(2, 3, relu=True), models.relu([2, 3, 2])),
    (models.maxpool(2, 3, 2, pool=1), models.linear([2, 3, 2])),
    (models.avgpool(3, 2, 1, pool=1), models.relu([1, 2, 3])),
    (models.recurrent(2, 1, 3, steps=1, relu=True), models.relu([3, 1, 2])),
    (models.neuron(3, 2, [1]), models.linear([2, 1, 3])),
    (models.product(2), models.linear([1, 1, 1])),
    (models.conv1d([2, 3, 1], kernel=1), models.linear([1, 3, 2])),
    (models.conv1d([2, 3, 1], kernel=1, stride=4), models.linear([1, 3, 2])),
    (models.conv1d([2, 5, 2], kernel=1, relu=True), models.relu([2, 5, 2])),
    (models.conv2d([2, 3, 1], kernel=1, length=1, relu=True, bias=True), models.relu([1, 3, 2], bias=True)),
    (models.attention(2, 2, tokens=2), models.attention(2, 2)),
    (models.attention(2, 1, 2, keys=1, tokens=3), models.attention(2, 1, 2, keys=1)),
    (models.attention(2, 1, 2, keys=1, tokens=2), models.attention(2, 1, 2, keys=1)),
    (models.attention(2, 1, heads=2, keys=2), models.attention(2, 1, heads=2)),
    (models.attention(2, 2, rope=True, tokens=2), models.attention(2, 2, rope=True)),
    (models.moe(2, 3, 1, "topk", 3), models.moe(2, 3, 1)),
    (models.mlp([2, 3, 2]), models.relu([2, 3, 2])),
    (models.mlp([2, 3, 2], "none"), models.linear([2, 3, 2])),
    (models.mlp([2, 2, 2], "tanh"), models.tanh(2, 2, 2)),
    (models.mlp([1, 3, 2], "gelu_tanh"), models.gelu(2, 3, 1)),
    (models.ssm(2, 2, 1, steps=1, dense=True), models.recurrent(2, 2, 1, steps=1)),
    (models.lora([3, 2], 2), models.linear([3, 2, 2])),
    (models.factorization([3, 2], 2), models.nmf(3, 2, 2)),
    (models.factorization([3, 3], 2, "shared"), models.shared(3, 2)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "twin"), SAME, ids=lambda model: model.name)
def test_one_function_by_two_architectures(model, twin):
    """As many parameters, as many laws (recurrent: W is idle, r^2 more of both)."""
    idle = np.prod(model.parameters["W"]) if model.recipe["family"] == "recurrent" else 0
    assert counted(model) == tuple(n + idle for n in counted(twin))


# --- choices that occur ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "status"), [
    (models.conv1d([1, 3, 1], 2, relu=True), EQUAL),
    (models.conv1d([1, 2, 1], 2, length=3, relu=True), EQUAL),
    (models.conv1d([1, 2, 1], 2, stride=3, relu=True), EQUAL),
    (models.conv1d([1, 3, 1], 1, relu=True), SMALLER),
    (models.conv1d([1, 3, 1], 1, relu=True, bias=True), EQUAL),
    (models.conv2d([1, 2, 1], 2, relu=True), EQUAL),
    (models.icnn(1, 3, 1), SMALLER),
    (models.icnn(1, 3, 1, bias=True), EQUAL),
    (models.maxpool(1, 1, 1), EQUAL),
    (models.maxpool(2, 2, 1), EQUAL),
    (models.maxpool(2, 2, 2, pool=1), EQUAL),
    (models.maxpool(2, 1, 1, pool=3), EQUAL),
    (models.maxpool(1, 1, 1, pool=3), SMALLER),
    (models.avgpool(2, 2, 1), EQUAL),
    (models.residual(2, 2, relu=True), EQUAL),
], ids=lambda x: getattr(x, "name", ""))  # fmt: skip
def test_gates_of_data_are_free_or_not(model, status):
    """Units that see one number, and pools of more than m + 1 units, are where they are not."""
    assert clexact.minimality(model).status is status


def test_a_sum_of_maxima_keeps_the_differences_of_sums():
    """max(a x, b x) + max(c x, d x): a and b move together by as much as c and d."""
    net = clexact.Model({"V": (2, 4)}, {"x": (2,)}, lambda V, x: maximum((V.T @ x).reshape((2, 2))).sum().reshape((1,)))
    found = clexact.certify(clexact.gradient_flow(net))
    assert found.exact and found.lower == 2
    assert clexact.minimality(net).status is EQUAL


def selected(W, k):
    """All sets of the k largest scores W x over many inputs."""
    rng = np.random.default_rng(0)
    x = rng.integers(-99, 100, size=(W.shape[1], 20000))
    scores = W @ x
    scores = scores[:, (np.diff(np.sort(scores, axis=0), axis=0) > 0).all(axis=0)]  # no ties
    best = np.sort(np.argsort(scores, axis=0)[-k:], axis=0)
    return set(map(tuple, best.T.tolist()))


@pytest.mark.slow
@pytest.mark.parametrize(("m", "count"), [(1, 2), (2, 2), (2, 3), (3, 4), (1, 3), (1, 4)])
@pytest.mark.parametrize("k", [1, 2])
def test_top_k_sets_that_occur(m, count, k):
    """All of them if experts <= m + 1; for more on a scalar input, only those at the two ends."""
    rng = random.Random(m)
    W = np.array([rng.sample(range(-99, 100), count) for _ in range(m)]).T
    everything = set(combinations(range(count), k))
    assert (selected(W, k) == everything) == (count <= m + 1)
    if m == 1:
        order = np.argsort(W[:, 0]).tolist()
        assert selected(W, k) == {tuple(sorted(order[:k])), tuple(sorted(order[-k:]))}


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("build", "message"), [
    (lambda: models.moe(2, 3, 1, "softmax", 2), "k belongs to the gate topk, not to softmax."),
    (lambda: models.moe(2, 3, 1, "sigmoid", k=9), "k belongs to the gate topk, not to sigmoid."),
    (lambda: models.moe(1, 3, 1, "topk", 1), "topk takes at most m + 1 = 2 experts, not 3"),
    (lambda: models.moe(2, 1, 1, "topk"), "k = 2 experts cannot be chosen of 1."),
    (lambda: models.moe(2, 3, 1, "topk", 0), "k must be at least 1, not 0."),
    (lambda: models.moe(39, 40, 1, "topk", 20), "137846528820 sets of k = 20 of 40 experts are too many"),
    (lambda: models.attention(2, 1, bias=True), "bias needs tokens: the factored form has no sum of weights."),
    (lambda: models.attention(2, 1, causal=True), "causal needs tokens: the factored form has no order of tokens."),
    (lambda: models.attention(2, 1, heads=3, keys=2), "keys = 2 must divide heads = 3."),
    (lambda: models.conv1d([1, 1, 1], 3, stride=2, length=4), "a kernel of size 3 does not fit an input of length 1"),
    (lambda: models.conv2d([1, 1], 2, padding=np.int64(-1)), "the padding of conv2d must be an integer >= 0"),
    (lambda: models.mlp([1, 2, 1], "cos"), "act must be one of relu, leaky, gelu, gelu_tanh, silu, tanh, sigmoid, "),
    (lambda: models.mlp([1, 2, 1], norm="group"), "norm must be one of none, layer, rms, batch, not 'group'."),
    (lambda: models.mlp([1, 2, 1], gain=True), "gain and eps belong to a norm, and this mlp has none."),
    (lambda: models.mlp([1, 2, 1], norm="rms", eps=-1), "eps must be at least 0, not -1."),
    (lambda: models.mlp([1, 2, 1], norm="rms", batch=3), "batch belongs to the norm batch."),
    (lambda: models.transformer(2, 1, 1, norm="layer"), "norm must be one of none, pre-layer, post-layer, pre-rms, "),
    (lambda: models.transformer(2, 1, 1, eps=1), "gain and eps belong to a norm, and this transformer has none."),
    (lambda: models.transformer(2, 1, 1, norm="pre-rms", eps=-1), "eps must be at least 0, not -1."),
    (lambda: models.transformer(2, 1, 1, act="relu", swiglu=True), "swiglu has an activation of its own, and takes "),
    (lambda: models.transformer(2, 1, 1, rope=True), "rope turns planes, so the width of a head must be even, not 1."),
    (lambda: models.cosine(1, 2, 2), "the outputs of cosine must be at least 2, not 1."),
    (lambda: models.weight_norm(1, 2, 2), "the inputs of weight_norm must be at least 2, not 1."),
    (lambda: models.factorization([2, 2], scheme="svd"), "scheme must be one of cp, tucker, shared, not 'svd'."),
    (lambda: models.factorization([2, 3], scheme="shared"), "shared factors have equal sizes, not [2, 3]."),
    (lambda: models.factorization([1] * 9), "factorization takes at most 8 sizes, not 9."),
    (lambda: models.conv1d([1, 1], 2, padding=True), "the padding of conv1d must be an integer >= 0, not True."),
])  # fmt: skip
def test_refused_before_anything_is_built(build, message, monkeypatch):
    """Options that would have no effect, too many sets, kernels that do not fit."""
    monkeypatch.setattr("clexact.programs.model.record", lambda *_: pytest.fail("built"))
    with pytest.raises(ValueError) as caught:
        build()
    assert str(caught.value).startswith(message)


def test_defaults_and_numpy_sizes_are_written_in_recipes():
    """As JSON has them."""
    assert models.moe(2, 3, 1, "topk").recipe["k"] == 2 and "k" not in models.moe(2, 3, 1).recipe
    assert models.attention(2, 1, tokens=2).recipe["tokens"] == 2 and "bias" not in models.attention(2, 1).recipe
    padded = models.conv1d([1, 1], np.int64(3), length=1, padding=np.int64(1))
    assert json.loads(json.dumps(padded.recipe))["padding"] == 1
