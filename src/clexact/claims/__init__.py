"""The statements of the sources, each with the sizes on which it is checked: ``TOPICS``.

A file for each topic lists its claims; ``judge`` finds the verdict of one.
"""

from clexact.claims import (
    attention,
    batches,
    blocks,
    brackets,
    convolution,
    deep,
    discrete,
    experts,
    gated,
    independence,
    linear,
    losses,
    minimal,
    mirror,
    momentum,
    near,
    neuron,
    norms,
    others,
    product,
    relu,
    residual,
    starts,
)
from clexact.claims.claim import Claim

TOPICS: dict[str, list[Claim]] = {
    "Laws and their independence": independence.CLAIMS,
    "One hidden neuron": neuron.CLAIMS,
    "Two-layer linear networks": linear.CLAIMS,
    "ReLU networks": relu.CLAIMS,
    "Minimal parametrizations": minimal.CLAIMS,
    "True gates near starts": near.CLAIMS,
    "Brackets and the number of laws": brackets.CLAIMS,
    "Deep linear networks": deep.CLAIMS,
    "Products and random fields": product.CLAIMS,
    "Momentum flows": momentum.CLAIMS,
    "Mirror flows and other metrics": mirror.CLAIMS,
    "Special starts": starts.CLAIMS,
    "Discrete steps": discrete.CLAIMS,
    "Convolution and pooling": convolution.CLAIMS,
    "Residual networks": residual.CLAIMS,
    "Attention": attention.CLAIMS,
    "Cross-entropy": losses.CLAIMS,
    "Analytic activations and gated units": gated.CLAIMS,
    "Mixtures of experts": experts.CLAIMS,
    "Norms": norms.CLAIMS,
    "Transformer blocks": blocks.CLAIMS,
    "Other sources": others.CLAIMS,
    "Published batches": batches.CLAIMS,
}
