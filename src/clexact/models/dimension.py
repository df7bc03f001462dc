"""What sizes and options alone say of a family, before anything is built: D, and whether functions are analytic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any


def _layered(sizes: Sequence[int], kernel: int = 1, bias: bool = False) -> int:
    """Weights between consecutive layers, and biases of the hidden ones."""
    return kernel * sum(a * b for a, b in pairwise(sizes)) + bias * sum(sizes[1:-1])


def _heads(sizes: Sequence[int], heads: int = 1, keys: int | None = None, bias: bool = False, **_: Any) -> int:
    """Queries and outputs of each head, keys and values of each group; biases of all but the outputs, and of those."""
    groups = keys or heads
    return 2 * (heads + groups) * sizes[0] * sizes[1] + bias * ((heads + 2 * groups) * sizes[1] + sizes[0])


def _block(sizes: Sequence[int], bias: bool = False, gain: bool = False, swiglu: bool = False, **options: Any) -> int:
    """Attention, a layer, and two norms."""
    d, _, f = sizes
    layer = (2 + swiglu) * d * f + bias * (d + (1 + swiglu) * f)
    return _heads(sizes, bias=bias, **options) + layer + 2 * d * gain * (1 + bias)


def _cell(gates: int, sizes: Sequence[int], bias: bool) -> int:
    inputs, width, outputs = sizes
    return outputs * width + gates * width * (inputs + width + 2 * bias)


Count = Callable[..., int]  # of the sizes, as one list, and the options
COUNTS: dict[str, Count] = {
    "linear": _layered,
    "relu": lambda sizes, bias=False, slope=0: _layered(sizes, bias=bias),
    "neuron": lambda sizes, powers=(): sizes[0] + (sizes[1] if len(sizes) > 1 else 1),
    "product": lambda sizes: sizes[0],
    "nmf": _layered,
    "icnn": _layered,
    "shared": lambda sizes: sizes[0] * sizes[1],
    "tanh": lambda sizes: _layered(sizes),
    "gelu": lambda sizes: _layered(sizes),
    "silu": lambda sizes: _layered(sizes),
    "glu": lambda sizes: (2 * sizes[0] + sizes[2]) * sizes[1],
    "swiglu": lambda sizes: (2 * sizes[0] + sizes[2]) * sizes[1],
    "conv1d": lambda sizes, kernel, bias=False, **_: _layered(sizes, kernel, bias),
    "conv2d": lambda sizes, kernel, bias=False, **_: _layered(sizes, kernel**2, bias),
    "attention": _heads,
    "transformer": _block,
    "residual": lambda sizes, blocks=1, relu=False: 2 * blocks * sizes[0] * sizes[1],
    "maxpool": lambda sizes, pool=2: (pool * sizes[0] + sizes[2]) * sizes[1],
    "avgpool": lambda sizes, pool=2: (pool * sizes[0] + sizes[2]) * sizes[1],
    "recurrent": lambda sizes, **_: (sizes[0] + sizes[1] + sizes[2]) * sizes[1],
    "moe": lambda sizes, **_: sizes[1] * sizes[0] * (1 + sizes[2]),
    "mlp": lambda sizes, bias=False, gain=False, **_: (
        _layered(sizes) + bias * sum(sizes[:-1]) + gain * (1 + bias) * sum(sizes[1:-1])
    ),
    "gru": lambda sizes, bias=False, **_: _cell(3, sizes, bias),
    "lstm": lambda sizes, bias=False, **_: _cell(4, sizes, bias),
    "ssm": lambda sizes, dense=False, **_: (sizes[0] + sizes[2] + (sizes[1] if dense else 1)) * sizes[1],
    "lora": lambda sizes, rank=1, **_: rank * sum(a + b for a, b in pairwise(sizes)),
    "cosine": lambda sizes: sizes[0] * (sizes[1] + sizes[2]),
    "weight_norm": lambda sizes, gain=False, bias=False, **_: _layered(sizes) + (gain + bias) * sizes[1],
    "factorization": lambda sizes, rank=1, scheme="cp", **_: (
        rank * (sizes[0] if scheme == "shared" else sum(sizes)) + (scheme == "tucker") * rank ** len(sizes)
    ),
    "diagonal": lambda sizes, layers=2: 2 * sizes[0],
}


ANALYTIC = {"tanh", "gelu", "silu", "swiglu", "transformer", "moe", "gru", "lstm", "cosine", "weight_norm"}
PIECEWISE = ("none", "relu", "leaky")  # activations


def parameter_count(family: str, sizes: Sequence[int], options: Mapping[str, Any]) -> int:
    """D of the model of these sizes."""
    return COUNTS[family](sizes, **options)


def is_analytic(family: str, options: Mapping[str, Any]) -> bool:
    """Whether analytic functions stand in the model."""
    act = options.get("act", PIECEWISE[0])
    return (
        family in ANALYTIC
        or (family == "attention" and "tokens" in options)
        or act not in PIECEWISE
        or options.get("norm", "none") != "none"
    )
