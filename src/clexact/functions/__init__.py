"""Functions for the output of a model: piecewise, analytic, norms, and those of layers that NumPy does not name."""

from __future__ import annotations

from clexact.functions.analytic import (
    elu,
    erf,
    exp,
    gelu,
    mish,
    normal_cdf,
    reciprocal,
    rsqrt,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    sqrt,
    tanh,
)
from clexact.functions.convolutions import average_pool, convolve, convolve_transposed, max_pool, windows
from clexact.functions.layers import channel_shuffle, embedding, pixel_shuffle, upsample
from clexact.functions.norms import (
    batch_norm,
    cosine_similarity,
    group_norm,
    instance_norm,
    layer_norm,
    normalize,
    rms_norm,
    weight_norm,
)
from clexact.functions.piecewise import absolute, maximum, relu

__all__ = [
    "absolute",
    "average_pool",
    "batch_norm",
    "channel_shuffle",
    "convolve",
    "convolve_transposed",
    "cosine_similarity",
    "elu",
    "embedding",
    "erf",
    "exp",
    "gelu",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "max_pool",
    "maximum",
    "mish",
    "normal_cdf",
    "normalize",
    "pixel_shuffle",
    "reciprocal",
    "relu",
    "rms_norm",
    "rsqrt",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "sqrt",
    "tanh",
    "upsample",
    "weight_norm",
    "windows",
]
