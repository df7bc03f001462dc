"""Rules of piecewise linear functions: their gates and choices are those of ``clexact.functions``."""

from __future__ import annotations

from typing import Any

import numpy as np

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.arithmetic import axes
from clexact.torch.translation.rule import Call, number, rule, symbols


@rule("relu")
def _relu(call: Call, x: Array) -> Array:
    return functions.relu(x)


@rule("leaky_relu")
def _leaky_relu(call: Call, x: Array, negative_slope: float = 0.01) -> Array:
    return x if negative_slope == 1 else functions.relu(x, number(negative_slope))


@rule("prelu")
def _prelu(call: Call, x: Any, weight: Any) -> Array:
    """relu(x) + a (x - relu(x)), with a for each channel."""
    z, slopes = symbols(x, weight)
    positive = functions.relu(z)
    return positive + slopes.reshape((-1, *[1] * max(0, z.ndim - 2))) * (z - positive)


@rule("abs", "absolute")
def _magnitude(call: Call, x: Array) -> Array:
    return functions.absolute(x)


@rule("clamp", "clip", "clamp_min", "clamp_max")
def _clamp(call: Call, x: Array, min: Any = None, max: Any = None) -> Array:
    if {min, max} == {None, 0}:
        return functions.relu(x) if max is None else x - functions.relu(x)
    raise call.refuse("but at 0, from one side")


@rule("threshold")
def _threshold(call: Call, x: Array, threshold: float, value: float) -> Array:
    if threshold != 0 or value != 0:
        raise call.refuse("but at 0, to 0")
    return functions.relu(x)


@rule("maximum", "fmax", "minimum", "fmin")
def _larger_or_smaller(call: Call, x: Any, other: Any) -> Any:
    choose: Any = np.maximum if "max" in call.name else np.minimum
    return choose(*symbols(x, other))


@rule("amax", "amin")
def _largest_or_least(call: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return (np.max if "max" in call.name else np.min)(x, axes(dim), keepdims=keepdim)


@rule("max", "min")
def _extreme(call: Call, x: Any, dim: int | None = None, keepdim: bool = False, other: Any = None) -> Any:
    """Of all entries, along an axis with their places, or of two arrays."""
    if other is not None:
        return _larger_or_smaller(call, x, other)
    found = _largest_or_least(call, x, dim, keepdim)
    return found if dim is None else (found, None)
