"""The statements of the sources, each with the sizes on which it is checked: ``TOPICS``.

A file for each topic lists its claims; ``judge`` finds the verdict of one.
"""

from clexact.claims import discrete, linear, mirror, momentum, starts
from clexact.claims.claim import Claim

TOPICS: dict[str, list[Claim]] = {
    "Two-layer linear networks": linear.CLAIMS,
    "Momentum flows": momentum.CLAIMS,
    "Mirror flows and other metrics": mirror.CLAIMS,
    "Special starts": starts.CLAIMS,
    "Discrete steps": discrete.CLAIMS,
}
