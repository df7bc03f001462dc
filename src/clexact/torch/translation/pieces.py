"""Rules of piecewise linear functions: their gates and choices are those of ``clexact.functions``."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.arithmetic import array, axes_of
from clexact.torch.translation.convolution import Places, blocks, spread, windows
from clexact.torch.translation.rule import Call, number, rule, symbol


@rule("relu")
def _relu(call: Call, x: Array) -> Array:
    return functions.relu(x)


@rule("leaky_relu")
def _leaky_relu(call: Call, x: Array, negative_slope: float = 0.01) -> Array:
    return x if negative_slope == 1 else functions.relu(x, number(negative_slope))


@rule("prelu", "_prelu_kernel")
def _prelu(call: Call, x: Array, weight: Any) -> Array:
    """relu(x) + a (x - relu(x)), a for each channel."""
    slope = symbol(x, weight)
    slope = slope.reshape((-1, *[1] * max(0, x.ndim - 2))) if slope.ndim == 1 else slope
    positive = functions.relu(x)
    return positive + slope * (x - positive)


@rule("abs", "absolute")
def _magnitude(call: Call, x: Array) -> Array:
    return functions.relu(x, -1)


@rule("clamp", "clip", "clamp_min", "clamp_max")
def _clamp(call: Call, x: Array, min: Any = None, max: Any = None) -> Array:
    if any(isinstance(bound, Array) or (bound is not None and bound != 0) for bound in (min, max)):
        raise call.refuse("at bounds that are not 0")
    if min is not None and max is not None:
        raise call.refuse("to a constant")
    return functions.relu(x) if max is None else x - functions.relu(x)


@rule("threshold")
def _threshold(call: Call, x: Array, threshold: float, value: float) -> Array:
    if threshold != 0 or value != 0:
        raise call.refuse("at a number that is not 0")
    return functions.relu(x)


@rule("maximum", "fmax")
def _larger(call: Call, x: Any, other: Any) -> Array:
    like = array(x, other)
    a, b = symbol(like, x), symbol(like, other)
    return b + functions.relu(a - b)


@rule("minimum", "fmin")
def _smaller(call: Call, x: Any, other: Any) -> Array:
    like = array(x, other)
    a, b = symbol(like, x), symbol(like, other)
    return a - functions.relu(a - b)


@rule("amax")
def _largest(call: Call, x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    chosen = axes_of(dim, x.ndim)
    kept = [axis for axis in range(x.ndim) if axis not in chosen]
    flat = x.transpose(*kept, *chosen).reshape([x.shape[axis] for axis in kept] + [-1])
    return functions.maximum(flat).reshape(call.shape)


@rule("amin")
def _least(call: Call, x: Array, dim: Any = None, keepdim: bool = False) -> Array:
    return -_largest(call, -x, dim, keepdim)


@rule("max", "min")
def _extreme(call: Call, x: Any, dim: int | None = None, keepdim: bool = False, other: Any = None) -> Any:
    """Of all entries, along an axis with places, or of two arrays."""
    if other is not None:
        return (_larger if call.name == "max" else _smaller)(call, x, other)
    found = (_largest if call.name == "max" else _least)(call, x, dim, keepdim)
    return found if dim is None else (found, None)


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def _max_pool(
    call: Call, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:  # fmt: skip
    axes = int(call.name[-2])
    kernel, wide = spread(kernel_size, axes), spread(dilation, axes)
    steps, before = spread(stride or kernel, axes), spread(padding, axes)
    sizes, results = x.shape[-axes:], call.shape[-axes:]
    inner = [np.arange(k) * d for k, d in zip(kernel, wide, strict=True)]
    tables = windows(sizes, results, inner, steps, before)
    return _largest_of(x, [_inside(table, size) for table, size in zip(tables, sizes, strict=True)])


def _inside(table: Any, size: int) -> Any:
    """Places outside, which are never largest, replaced by one inside that stands in the same window already."""
    known = (table >= 0) & (table < size)
    return np.where(known, table, np.take_along_axis(table, known.argmax(axis=1)[:, None], axis=1))


def _largest_of(x: Array, tables: Places) -> Array:
    """The largest entry of each window."""
    axes, first = len(tables), x.ndim - len(tables)
    wide = x.select([*(np.arange(size) for size in x.shape[:first]), *tables])
    outer, inner = [first + 2 * n for n in range(axes)], [first + 2 * n + 1 for n in range(axes)]
    flat = wide.transpose(*range(first), *outer, *inner)
    return functions.maximum(flat.reshape((*flat.shape[: first + axes], prod(flat.shape[first + axes :]))))


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_max_pool(call: Call, x: Array, output_size: Any) -> Any:
    return _largest_of(x, blocks(call, x)), None
