"""The statements of the sources, each with the sizes on which it is checked: ``TOPICS``.

A file for each topic lists its claims; ``judge`` finds the verdict of one.
"""

from clexact.claims import attention, convolution, experts, gated, linear, losses, others, residual
from clexact.claims.claim import Claim

TOPICS: dict[str, list[Claim]] = {
    "Two-layer linear networks": linear.CLAIMS,
    "Convolution and pooling": convolution.CLAIMS,
    "Residual networks": residual.CLAIMS,
    "Attention": attention.CLAIMS,
    "Cross-entropy": losses.CLAIMS,
    "Analytic activations and gated units": gated.CLAIMS,
    "Mixtures of experts": experts.CLAIMS,
    "Other sources": others.CLAIMS,
}
