"""Laws of piecewise linear networks near one parameter, with their true gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from clexact import functions
from clexact.algebra.draws import Draws
from clexact.algebra.polynomial import Number
from clexact.claims.checks import compared
from clexact.claims.claim import Check
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.dynamics import gradient_flow
from clexact.programs.array import Array
from clexact.programs.model import Model

Activation = Callable[[Array], Array]
Key = tuple[int, ...]
LARGEST = 99  # absolute coordinate of a point that is drawn


@cache
def near_count(make: Callable[..., Model], size: Key, seed: int, point: tuple[Number, ...] | None = None) -> LawCount:
    """The count of ``make(*size)`` near a parameter, drawn from the seed if not given."""
    model = make(*size)
    return certify(gradient_flow(model), near=drawn(model.dimension, seed) if point is None else point, seed=seed)


def drawn(dimension: int, seed: int) -> tuple[int, ...]:
    """Integers from -99 to 99 without 0: parameters of all sizes, so that some units are off for all inputs."""
    return tuple(c + (c >= 0) for c in Draws(seed).integers(-LARGEST, LARGEST - 1, dimension))


def local_count(
    make: Callable[..., Model], size: Key, stated: int, seed: int, point: Sequence[Number] | None = None
) -> Check:
    """The certified number of laws near one parameter beside the number stated."""
    return compared(near_count(make, size, seed, None if point is None else tuple(point)), stated)


def never_chosen(count: LawCount, gate: str) -> int:
    """How many entries of a gate are 0 for all inputs near the start of a count."""
    assert count.flow.start is not None
    return int((np.stack([region.gates[gate] for region in count.flow.start.regions.found]) == 0).all(0).sum())


def relu(z: Array) -> Array:
    """The ReLU of a vector, the maximum of the rows of a matrix."""
    return functions.relu(z) if z.ndim == 1 else functions.maximum(z)
