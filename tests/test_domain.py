"""Models that are defined nowhere on the reals are refused, or what is assumed of them is said."""

from fractions import Fraction

import pytest

import clexact
from clexact.functions import exp, layer_norm, log, sqrt

SHAPES, PROBES = {"a": (), "w": ()}, {"x": ()}
NOWHERE = {
    "zero times": lambda a, w, x: a * x / (0 * w),
    "a difference": lambda a, w, x: a * x / (w * x - x * w),
    "a square": lambda a, w, x: a * x / ((w + x) * (w - x) - w * w + x * x),
    "a logarithm": lambda a, w, x: a * x * log(w - w),
    "a root": lambda a, w, x: a * x / sqrt(w * x - x * w),
}


def model(output):
    return clexact.Model(SHAPES, PROBES, output)


@pytest.mark.parametrize("name", NOWHERE)
def test_a_division_by_zero_is_one_sentence(name):
    """Shown at an exact point, whatever floats make of the difference."""
    with pytest.raises(ValueError, match=r"^(a denominator|the argument of a (root|logarithm)) .* defined nowhere\.$"):
        clexact.certify(model(NOWHERE[name]))


def test_what_is_zero_at_a_float_alone_is_not_refused():
    """1/(w - 10^-12) is defined, and so is a norm with a tiny eps."""
    assert clexact.certify(model(lambda a, w, x: a * x / (w * 0 + Fraction(1, 10**12)))).lower == 1
    assert clexact.certify(model(lambda a, w, x: a * x * w / sqrt(Fraction(1, 10**20) + 0 * w))).lower == 1


@pytest.mark.parametrize("output", [
    lambda a, w, x: a * sqrt(-((w * x) ** 2) - 1), lambda a, w, x: a * x * sqrt(w) * sqrt(-w),
    lambda a, w, x: a * log(-(w**2) - x**2),
])  # fmt: skip
def test_what_is_defined_at_no_random_point_is_said(output):
    assert any("it is defined" in words for words in clexact.certify(model(output)).assumptions)


@pytest.mark.parametrize("output", [
    lambda a, w, x: a * x / w, lambda a, w, x: a * sqrt(w) * log(x), lambda a, w, x: a * x * sqrt(1 - w * w / 100),
    lambda a, w, x: a * sqrt(log(1 + exp(w * x))),
])  # fmt: skip
def test_what_is_defined_somewhere_is_left_alone(output):
    assert not any("it is defined" in words for words in clexact.certify(model(output)).assumptions)


def test_many_roots_of_parameters_are_defined_together():
    """Each random sign alone would make all of them defined once in 2^30 times."""
    net = clexact.Model({"a": 30, "w": 30}, {"x": 30}, lambda a, w, x: (sqrt(w) * a * x).sum())
    count = clexact.certify(net)
    assert int(count) == 30 and not any("it is defined" in words for words in count.assumptions)


def test_norms_of_networks_are_defined():
    net = clexact.Model({"A": (3, 2), "B": (2, 3)}, {"x": 2}, lambda A, B, x: B @ layer_norm(A @ x))
    assert not any("it is defined" in words for words in clexact.certify(net).assumptions)
