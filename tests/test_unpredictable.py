"""Inputs built against the primes and points of a seed: random tests hold for them too."""

from math import prod

import pytest

import clexact
from clexact.algebra.draws import Draws
from clexact.laws.check import LawStatus

OF_SEED_0 = [Draws(0).prime(61), *(draws.prime(61) for draws in [Draws(0)] for _ in range(40))]
M = prod({*OF_SEED_0})


def deep():
    """Nine matrices of 6 x 6: too many terms to be expanded, so laws of it are tested at random points."""
    return clexact.gradient_flow(clexact.models.linear([6] * 9))


def flow_of(factor):
    """Two fields on three coordinates, the second times a factor: their bracket is a third one."""
    return clexact.VectorFields.from_strings(["x", "y", "z"], [["1", "0", "0"], ["0", str(factor), f"{factor}*x"]])


@pytest.mark.parametrize("law", ["{}*U1[0,0]", "{}*U1[0,0]^2 + {}*U2[1,1]", "U1[0,0]*{}"])
def test_a_multiple_of_no_law_is_no_law(law):
    """M kills everything modulo the primes that divide it; contents are divided out, and primes follow the input."""
    found = clexact.check_law(deep(), law.format(M, M))
    assert found.status is LawStatus.FALSE


def test_a_true_law_times_anything_is_one():
    gram = clexact.gradient_flow(clexact.models.linear([6] * 9)).proposed_laws()[0]
    text = " + ".join(f"{c * M}*{'*'.join(deep().variables[j] for j in key)}" for key, c in gram.items())
    assert clexact.check_law(deep(), text.replace("+ -", "- ")).status is LawStatus.PROBABLE


def test_a_mixed_multiple_is_no_law():
    """The content is 1, but all that is false of it is divisible by the primes of the seed."""
    gram = deep().proposed_laws()[0]
    true = " + ".join(f"{c}*{'*'.join(deep().variables[j] for j in key)}" for key, c in gram.items())
    found = clexact.check_law(deep(), f"{true} + {M}*U1[0,0]".replace("+ -", "- "))
    assert found.status is LawStatus.FALSE


@pytest.mark.parametrize("factor", [1, M])
def test_scaling_a_field_changes_no_count(factor):
    count = clexact.certify(flow_of(factor))
    assert count.exact and count.lower == 0 and not count.error


def test_a_model_against_the_primes_of_a_seed():
    """u (v x) + M (w x): without M there is a further field."""
    model = clexact.Model({"u": (), "v": (), "w": ()}, {"x": (), "y": ()}, lambda u, v, w, x, y: u * v * x + M * w * y)
    count = clexact.certify(clexact.gradient_flow(model))
    assert count.exact and count.lower == 1 and not count.error


def test_draws_follow_what_they_are_for():
    """The same input and seed give the same draws, another input or seed others."""
    flows = [clexact.gradient_flow(clexact.models.linear(sizes)) for sizes in ([2, 2, 2], [2, 2, 2], [2, 2, 3])]
    flows += [
        clexact.gradient_flow(clexact.models.linear([2, 2, 2]), "cross_entropy"),
        clexact.momentum_flow(clexact.models.linear([2, 2, 2])),
    ]
    flows += [clexact.momentum_flow(clexact.models.linear([2, 2, 2]), clexact.HeavyBall(k)) for k in (1, 2)]
    flows += [clexact.certify(flow_of(k)).flow for k in (1, 2)]
    primes = [flow.draws(0).prime(61) for flow in flows]
    assert primes[0] == primes[1] and len({*primes}) == len(primes) - 1
    assert flows[0].draws(0).prime(61) != flows[0].draws(1).prime(61)
    assert primes == [flow.draws(0).prime(61) for flow in flows]
