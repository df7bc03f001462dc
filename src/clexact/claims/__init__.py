"""The statements of the sources, each with the sizes on which it is checked: ``TOPICS``.

A file for each topic lists its claims; ``judge`` finds the verdict of one.
"""

from clexact.claims import (
    batches,
    brackets,
    deep,
    discrete,
    independence,
    linear,
    minimal,
    mirror,
    momentum,
    neuron,
    product,
    relu,
    starts,
)
from clexact.claims.claim import Claim

TOPICS: dict[str, list[Claim]] = {
    "Laws and their independence": independence.CLAIMS,
    "One hidden neuron": neuron.CLAIMS,
    "Two-layer linear networks": linear.CLAIMS,
    "ReLU networks": relu.CLAIMS,
    "Minimal parametrizations": minimal.CLAIMS,
    "Brackets and the number of laws": brackets.CLAIMS,
    "Deep linear networks": deep.CLAIMS,
    "Products and random fields": product.CLAIMS,
    "Momentum flows": momentum.CLAIMS,
    "Mirror flows and other metrics": mirror.CLAIMS,
    "Special starts": starts.CLAIMS,
    "Discrete steps": discrete.CLAIMS,
    "Published batches": batches.CLAIMS,
}
