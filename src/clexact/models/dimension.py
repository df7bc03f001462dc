"""The number of parameters of every family, from its sizes and options alone: nothing is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any


def _layered(sizes: Sequence[int], kernel: int = 1, bias: bool = False) -> int:
    """Weights between consecutive layers, and biases of the hidden ones."""
    return kernel * sum(a * b for a, b in pairwise(sizes)) + bias * sum(sizes[1:-1])


Count = Callable[..., int]  # of the sizes, as one list, and the options
COUNTS: dict[str, Count] = {
    "linear": _layered,
    "relu": lambda sizes, bias=False, slope=0: _layered(sizes, bias=bias),
    "neuron": lambda sizes, powers=(): sizes[0] + (sizes[1] if len(sizes) > 1 else 1),
    "product": lambda sizes: sizes[0],
    "nmf": _layered,
    "icnn": _layered,
    "shared": lambda sizes: sizes[0] * sizes[1],
    "tanh": lambda sizes, order=0: _layered(sizes),
    "gelu": lambda sizes, order=0: _layered(sizes),
    "silu": lambda sizes, order=0: _layered(sizes),
    "glu": lambda sizes: (2 * sizes[0] + sizes[2]) * sizes[1],
    "swiglu": lambda sizes, order=0: (2 * sizes[0] + sizes[2]) * sizes[1],
    "conv1d": lambda sizes, kernel, bias=False, **_: _layered(sizes, kernel, bias),
    "conv2d": lambda sizes, kernel, bias=False, **_: _layered(sizes, kernel**2, bias),
    "attention": lambda sizes, heads=1, keys=None, **_: 2 * (heads + (keys or heads)) * sizes[0] * sizes[1],
    "transformer": lambda sizes, heads=1, **_: 4 * heads * sizes[0] * sizes[1] + 2 * sizes[0] * sizes[2],
    "residual": lambda sizes, blocks=1, relu=False: 2 * blocks * sizes[0] * sizes[1],
    "maxpool": lambda sizes, pool=2: (pool * sizes[0] + sizes[2]) * sizes[1],
    "avgpool": lambda sizes, pool=2: (pool * sizes[0] + sizes[2]) * sizes[1],
    "recurrent": lambda sizes, **_: (sizes[0] + sizes[1] + sizes[2]) * sizes[1],
    "moe": lambda sizes, **_: sizes[1] * sizes[0] * (1 + sizes[2]),
}


def parameter_count(family: str, sizes: Sequence[int], options: Mapping[str, Any]) -> int:
    """D of the model of these sizes."""
    return COUNTS[family](sizes, **options)
