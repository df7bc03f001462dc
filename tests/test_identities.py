"""Functions of products and sums, written otherwise where they are recorded: the same values, and sharper counts."""

import numpy as np
import pytest

import clexact
from clexact.functions import exp, log, rsqrt, sigmoid, softmax, softplus, sqrt

SHAPES = {"a": (), "b": (), "p": (), "q": ()}
WRITTEN = {  # as it is recorded, and how many functions of this name are left
    "of a product": (lambda u, v: log((1 + u * u) * (2 + v * v)), "log", 2),
    "of a power": (lambda u, v: log((1 + u * u) ** 3), "log", 1),
    "of an inverse": (lambda u, v: log(1 / (1 + u * u)) + 2 * log(1 + u * u), "log", 1),
    "of a root": (lambda u, v: log(sqrt(1 + u * u)), "log", 1),
    "of an exponential": (lambda u, v: log(exp(u)) + log(sigmoid(u) * exp(v)), "exp", 0),
    "of one factor not seen to be positive": (lambda u, v: log((4 + u) * exp(v)), "log", 1),
    "an exponential of a logarithm": (lambda u, v: exp(log(1 + u * u)), "log", 0),
    "an exponential of halves": (lambda u, v: exp(3 * log(1 + u * u) / 2 - log(2 + v * v) + u), "log", 0),
    "an exponential of softplus": (lambda u, v: exp(softplus(u) + v) + exp(-softplus(u)), "softplus", 0),
    "a root of a multiple": (lambda u, v: rsqrt(4 * (5 + u)) + rsqrt(5 + u), "rsqrt", 1),
    "a root of a square": (lambda u, v: rsqrt((1 + u * u) ** 2 * exp(v) ** 3), "rsqrt", 0),
    "a root of a sum of softmax": (lambda u, v: rsqrt(softmax(np.stack([u, v]))[0] ** 2), "rsqrt", 0),
}
KEPT = {  # signs are not seen, or no number is left out
    "a logarithm of a square": (lambda u, v: log(u * u), "log", 1),
    "a logarithm of a product": (lambda u, v: log(u * v), "log", 1),
    "a logarithm of a multiple": (lambda u, v: log(2 * (1 + u * u)), "log", 1),
    "a root of a square": (lambda u, v: rsqrt(u * u * 3), "rsqrt", 1),
    "an exponential of a logarithm": (lambda u, v: exp(log(u * v)), "log", 1),
    "an exponential of a third": (lambda u, v: exp(log(1 + u * u) / 3), "log", 1),
    "an exponential of a product": (lambda u, v: exp(v * log(1 + u * u)), "log", 1),
    "a difference of squares": (lambda u, v: log((u * u + 1) * (u * u - 2)), "log", 2),
}


def model_of(function):
    return clexact.Model(SHAPES, {"x": ()}, lambda a, b, p, q, x: p * function(a * x, b * x) + q)


def functions_of(model, name):
    return sum(node.op == "function" and node.data == name for node in model.program.nodes)


@pytest.mark.parametrize("name", WRITTEN)
def test_identities_change_no_value(name, monkeypatch):
    function, left, count = WRITTEN[name]
    model = model_of(function)
    assert functions_of(model, left) == count
    monkeypatch.setattr("clexact.programs.array.simpler", lambda z, name: None)
    plain = model_of(function)
    assert plain.program.digest != model.program.digest
    for seed in range(4):
        theta, x = np.random.default_rng(seed).normal(size=4), np.float64(seed - 1.5)
        assert np.allclose(model(theta, x=x), plain(theta, x=x), rtol=1e-12)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_seen_to_be_positive_stays(name):
    function, left, count = KEPT[name]
    assert functions_of(model_of(function), left) == count


def test_long_sums_and_high_powers_are_recorded_as_they_are():
    def output(u, x):
        for _ in range(60):
            u = u * u
        return log(u) + exp(sum([x + k for k in range(1000)]) + log(1 + x * x)) + rsqrt(u)

    model = clexact.Model({"u": ()}, {"x": ()}, output)
    assert [functions_of(model, name) for name in ("log", "exp", "rsqrt")] == [2, 1, 1]


@pytest.mark.parametrize("name", WRITTEN)
def test_counts_are_exact(name):
    """What is q alone moves q; a, b and p are moved as far as they are seen."""
    count = clexact.certify(model_of(WRITTEN[name][0]))
    assert count.exact and not count.stopped
    assert clexact.verify(count.certificate).status is clexact.VerdictStatus.VERIFIED


@pytest.mark.parametrize("number", [7, 13, 77])
def test_roots_of_any_constants(number):
    """Attention over keys of width 7 divides by its root."""
    net = clexact.Model(
        {"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * rsqrt(x.symbol(number)) * np.tanh(v * x) * rsqrt(1 + x * x)
    )
    count = clexact.certify(net)
    assert (count.lower, count.upper) == (0, 0)
    assert clexact.verify(count.certificate).status is clexact.VerdictStatus.VERIFIED
