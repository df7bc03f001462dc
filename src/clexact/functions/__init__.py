"""Functions for the output of a model: piecewise and analytic ones, and those of layers that NumPy does not name."""

from __future__ import annotations

from clexact.functions.convolutions import average_pool, convolve, convolve_transposed, max_pool, windows
from clexact.functions.layers import channel_shuffle, embedding, pixel_shuffle, upsample
from clexact.functions.pointwise import (
    absolute,
    exp,
    gelu,
    maximum,
    reciprocal,
    relu,
    sigmoid,
    silu,
    softmax,
    tanh,
)

__all__ = [
    "absolute",
    "average_pool",
    "channel_shuffle",
    "convolve",
    "convolve_transposed",
    "embedding",
    "exp",
    "gelu",
    "max_pool",
    "maximum",
    "pixel_shuffle",
    "reciprocal",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
    "upsample",
    "windows",
]
