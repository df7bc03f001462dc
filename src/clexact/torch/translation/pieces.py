"""Rules of piecewise functions: their gates and choices are those of ``clexact.functions``."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from clexact import functions
from clexact.algebra.terms import Ints
from clexact.functions.piecewise import gate
from clexact.programs.array import Array
from clexact.programs.places import Mask
from clexact.torch.translation.arithmetic import axes
from clexact.torch.translation.masks import by_rows, hiding
from clexact.torch.translation.rule import Call, Masked, number, rule, symbols

LENGTHS = ("linalg_vector_norm", "norm")
LEAST = 1e-3  # a bound of lengths below it keeps quotients finite, and is not met


@rule("relu")
def _relu(call: Call, x: Array) -> Array:
    return functions.relu(x)


@rule("leaky_relu")
def _leaky_relu(call: Call, x: Array, negative_slope: float = 0.01) -> Array:
    return x if negative_slope == 1 else functions.relu(x, number(negative_slope))


@rule("rrelu")
def _random_relu(call: Call, x: Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Array:
    if training:
        raise call.refuse("with random slopes")
    return _leaky_relu(call, x, (lower + upper) / 2)


@rule("prelu")
def _prelu(call: Call, x: Any, weight: Any) -> Array:
    """relu(x) + a (x - relu(x)), with a for each channel."""
    z, slopes = symbols(x, weight)
    positive = functions.relu(z)
    return positive + slopes.reshape((-1, *[1] * max(0, z.ndim - 2))) * (z - positive)


@rule("abs", "absolute")
def _magnitude(call: Call, x: Array) -> Array:
    return functions.absolute(x)


@rule("clamp", "clip", "clamp_min", "clamp_max", "hardtanh", "relu6")
def _clamp(call: Call, x: Array, min: Any = None, max: Any = None, min_val: float = -1, max_val: float = 1) -> Any:
    if call.name in ("hardtanh", "relu6"):
        min, max = (0, 6) if call.name == "relu6" else (min_val, max_val)
    if isinstance(min, float) and 0 < min < LEAST and max is None and call.argument(0) in LENGTHS:
        call.assume(f"lengths are above {min:g}, their least in clamp_min")
        return x
    min, max = None if min == -inf else min, None if max == inf else max
    at_least: Any = np.maximum
    at_most: Any = np.minimum
    x = x if min is None else at_least(*symbols(x, min))
    return x if max is None else at_most(*symbols(x, max))


@rule("hardsigmoid", "hardswish")
def _hard_sigmoid(call: Call, x: Array) -> Any:
    most: Any = np.minimum
    gates = most(functions.relu(x + 3), 6) / 6
    return gates if call.name == "hardsigmoid" else x * gates


@rule("threshold")
def _threshold(call: Call, x: Array, threshold: float, value: float) -> Array:
    on = _above(x, threshold)
    return on * x if value == 0 else number(value) + on * (x - number(value))


@rule("hardshrink")
def _hard_shrink(call: Call, x: Array, lambd: float = 0.5) -> Array:
    return (_above(x, lambd) + _above(-x, lambd)) * x


@rule("softshrink")
def _soft_shrink(call: Call, x: Array, lambd: float = 0.5) -> Array:
    return functions.relu(x - number(lambd)) - functions.relu(-x - number(lambd))


@rule("maximum", "fmax", "minimum", "fmin")
def _larger_or_smaller(call: Call, x: Any, other: Any) -> Any:
    if isinstance(x, Masked):
        return _least_of_its_type(call, x, other)
    choose: Any = np.maximum if "max" in call.name else np.minimum
    return choose(*symbols(x, other))


def _least_of_its_type(call: Call, scores: Masked, least: Any) -> Masked:
    """Scores that are raised to the least number, so that none is minus infinity: they hide as before."""
    hidden = hiding(least)
    if "max" not in call.name or hidden is None or not hidden.all():
        raise call.refuse("of minus infinities")
    call.assume("scores are above the least number of their type")
    return scores


@rule("amax", "amin")
def _largest_or_least(call: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(x, Masked):
        return _largest_seen(call, x, dim, keepdim)
    return (np.max if "max" in call.name else np.min)(x, axes(dim), keepdims=keepdim)


def _largest_seen(call: Call, x: Masked, dim: Any, keepdim: bool) -> Any:
    """The largest of what each row along an axis sees."""
    along = dim if isinstance(dim, int) else dim[0] if dim is not None and len(dim) == 1 else None
    if "max" not in call.name or along is None:
        raise call.refuse("of minus infinities")

    def largest(rows: Array, chosen: Ints, hidden: Mask) -> Any:
        return np.max(rows.select([chosen, np.flatnonzero(~hidden)]), 1, keepdims=True)

    found: Any = by_rows(call, x, along, largest)
    return found if keepdim else found.take(0, along)


@rule("max", "min")
def _extreme(call: Call, x: Any, dim: int | None = None, keepdim: bool = False, other: Any = None) -> Any:
    """Of all entries, along an axis with their places, or of two arrays."""
    if other is not None:
        return _larger_or_smaller(call, x, other)
    found = _largest_or_least(call, x, dim, keepdim)
    return found if dim is None else (found, None)


# --- choices: 1 or 0, near a generic point constant, without gradient ------------------------------------------------

COMPARED = {"gt", "ge", "lt", "le", "greater", "greater_equal", "less", "less_equal", "sign", "sgn"}
OF_CHOICES = {"logical_not", "bitwise_not", "logical_and", "bitwise_and", "__and__", "logical_or", "bitwise_or",
              "__or__", "to", "_to", "type_as", "clone", "contiguous", "view", "reshape", "unsqueeze", "squeeze",
              "expand", "transpose", "permute", "select", "slice", "flatten", "unflatten"}  # fmt: skip
READ_CHOICES = OF_CHOICES | {"where", "masked_fill", "mul", "multiply", "add"}


def _above(a: Array, b: Any) -> Array:
    """Where a is larger."""
    return gate(a if isinstance(b, (int, float)) and b == 0 else a - b if isinstance(b, Array) else a - number(b))


@rule("gt", "ge", "greater", "greater_equal")
def _greater(call: Call, x: Any, other: Any) -> Array:
    a, b = symbols(x, other)
    return gate(a if b.is_zero else a - b)


@rule("lt", "le", "less", "less_equal")
def _less(call: Call, x: Any, other: Any) -> Array:
    """The complement of the opposite, which has the same gates."""
    return 1 - _greater(call, x, other)


@rule("sign", "sgn")
def _sign(call: Call, x: Array) -> Array:
    return 2 * gate(x) - 1


@rule("logical_not", "bitwise_not")
def _not(call: Call, x: Array) -> Array:
    return 1 - x


@rule("logical_and", "bitwise_and", "__and__")
def _and(call: Call, x: Any, other: Any) -> Array:
    a, b = symbols(x, other)
    return a * b


@rule("logical_or", "bitwise_or", "__or__")
def _or(call: Call, x: Any, other: Any) -> Array:
    a, b = symbols(x, other)
    return a + b - a * b
