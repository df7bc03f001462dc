"""Counts of networks with analytic functions against floats. ``bench/true_functions.py`` runs more of them."""

import pytest
from network_checks import judged
from random_networks import RELATED, make, random_networks

pytestmark = [
    pytest.mark.slow,
    # PyTorch says so of itself, where forward derivatives are first taken
    pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning"),
]
SEED, COUNT, PARTS = 17, 40, 4


def report(network, found):
    """What is wrong with a network, in words."""
    return f"{found.violations or found.weaker}\n{network.text}, loss {network.loss}: {found.said}"


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks(part):
    """No law and no dimension that floats deny; most networks are counted, and nearly all of these sharply."""
    networks = list(random_networks(SEED, COUNT))[part::PARTS]
    found = [judged(network) for network in networks]
    for network, judgement in zip(networks, found, strict=True):
        assert not judgement.violations, report(network, judgement)
    counted = [judgement for judgement in found if judgement.outcome in ("exact", "bounds")]
    assert len(counted) >= 2 / 3 * len(networks)
    assert sum(bool(judgement.weaker) for judgement in counted) <= 1
    assert sum(bool(judgement.unclear) for judgement in counted) <= len(networks) / 4


@pytest.mark.parametrize("text", RELATED)
def test_related_functions(text):
    """Functions of related arguments: what is not proved is refused, and no relation is overlooked."""
    network = make(f"related({text!r}, 'affine')")
    found = judged(network)
    assert not found.violations, report(network, found)


@pytest.mark.parametrize("text", [
    "related('p * tanh(tanh(u)) + q * sigmoid(2 * tanh(u))', 'linear')",
    "related('p * exp(exp(u / 2)) + q * exp(2 * exp(u / 2))', 'affine')",
    "mlp([1, 2, 1, 1, 1], ['silu', 'exp', 'tanh'], [True, False, False, True])",
])  # fmt: skip
def test_functions_of_functions(text):
    """Functions of functions are told apart too."""
    network = make(text)
    found = judged(network)
    assert not found.weaker, report(network, found)
