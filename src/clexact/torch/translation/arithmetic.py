"""Rules of sums, products, powers and means, and of what leaves values as they are."""

from __future__ import annotations

from fractions import Fraction
from math import isinf, prod
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.rule import Call, Masked, constants, number, rule, symbol, widened


@rule("contiguous", "clone", "alias", "to", "_to_copy", "type_as", "float", "double", "lift_fresh_copy", "conj",
      "resolve_conj", "resolve_neg", "positive", "requires_grad_")  # fmt: skip
def _same(call: Call, x: Any, **_: Any) -> Any:
    return x


def array(*values: Any) -> Array:
    """The first array among values; there is one, or the operation would be a constant."""
    return next(v for v in values if isinstance(v, Array))


def hiding(value: Any) -> np.ndarray[Any, Any] | None:
    """Where constants are minus infinity, or the least number of their type; None if nowhere."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        lowest = isinstance(value, float) and (isinf(value) and value < 0)
        return np.array(True) if lowest else None
    hidden = (value <= torch.finfo(value.dtype).min).cpu().numpy()
    return hidden if hidden.any() else None


@rule("add")
def _add(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    if isinstance(other, Masked) or isinstance(x, Masked):
        return _add_to_scores(call, x, other) if alpha == 1 else _refuse_scores(call)
    for scores, mask in ((x, other), (other, x)):
        if isinstance(scores, Array) and alpha == 1 and (hidden := hiding(mask)) is not None:
            return Masked.hide(_add(call, scores, _seen(mask, hidden)), hidden)
    like = array(x, other)
    other = symbol(like, other)
    return symbol(like, x) + (other if alpha == 1 else other * number(alpha))


def _seen(mask: Any, hidden: Any) -> Any:
    """Constants with 0 where they hide."""
    return mask.masked_fill(torch.from_numpy(hidden), 0) if isinstance(mask, torch.Tensor) else 0


def _add_to_scores(call: Call, x: Any, other: Any) -> Masked:
    masked, rest = (x, other) if isinstance(x, Masked) else (other, x)
    added = _add(call, masked.scores, rest)
    return Masked.hide(added, masked.hidden)


def _refuse_scores(call: Call) -> Any:
    raise call.refuse("of minus infinity")


@rule("sub")
def _subtract(call: Call, x: Any, other: Any, alpha: float = 1) -> Array:
    like = array(x, other)
    other = symbol(like, other)
    return symbol(like, x) - (other if alpha == 1 else other * number(alpha))


@rule("rsub")
def _subtract_from(call: Call, x: Any, other: Any, alpha: float = 1) -> Array:
    return _subtract(call, other, x, alpha)


@rule("mul", "multiply")
def _multiply(call: Call, x: Any, other: Any) -> Any:
    if isinstance(x, Masked) or isinstance(other, Masked):
        masked, factor = (x, other) if isinstance(x, Masked) else (other, x)
        if isinstance(factor, (int, float)) and factor > 0:
            return Masked(masked.scores * number(factor), masked.hidden)
        raise call.refuse("of minus infinity")
    like = array(x, other)
    return symbol(like, x) * symbol(like, other)


@rule("div", "divide", "true_divide")
def _divide(call: Call, x: Any, other: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise call.refuse("that rounds")
    if isinstance(x, Masked) and isinstance(other, (int, float)) and other > 0:
        return Masked(x.scores / number(other), x.hidden)
    if isinstance(other, Array):
        return symbol(other, x) * functions.reciprocal(other)
    divisors = constants(other) if isinstance(other, torch.Tensor) else np.array(number(other), dtype=object)
    if not np.all(divisors != 0):
        raise call.refuse("by 0")
    inverse = np.array([1 / Fraction(c) for c in divisors.ravel().tolist()], dtype=object).reshape(divisors.shape)
    return x * inverse


@rule("reciprocal")
def _reciprocal(call: Call, x: Array) -> Array:
    return functions.reciprocal(x)


@rule("neg", "negative")
def _negate(call: Call, x: Array) -> Array:
    return -x


@rule("pow")
def _power(call: Call, x: Any, exponent: Any) -> Array:
    if not isinstance(x, Array) or not isinstance(exponent, (int, float)) or exponent != int(exponent):
        raise call.refuse("with an exponent that is no integer")
    return x ** int(exponent) if exponent >= 0 else functions.reciprocal(x) ** int(-exponent)


@rule("square")
def _square(call: Call, x: Array) -> Array:
    return x * x


def axes_of(dim: Any, ndim: int) -> list[int]:
    """The axes that a reduction names, increasing: all if none are."""
    given = range(ndim) if dim is None or dim == [] else dim if isinstance(dim, (list, tuple)) else [dim]
    return sorted(range(ndim)[axis] if ndim else 0 for axis in given)


@rule("sum")
def _sum(call: Call, x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    for axis in reversed(axes_of(dim, x.ndim)) if x.ndim else ():
        x = x.sum(axis)
    return x.reshape(call.shape)


@rule("mean")
def _mean(call: Call, x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    count = prod(x.shape[axis] for axis in axes_of(dim, x.ndim)) if x.ndim else 1
    return _sum(call, x, dim, keepdim) / count


@rule("where")
def _where(call: Call, condition: Any, x: Any, other: Any) -> Any:
    if not isinstance(condition, torch.Tensor):
        raise call.refuse("with a condition that depends on values")
    if isinstance(x, Array) and _nowhere(other):
        return Masked.hide(x, ~condition.cpu().numpy())
    if isinstance(other, Array) and _nowhere(x):
        return Masked.hide(other, condition.cpu().numpy())
    like = array(x, other)
    kept = symbol(like, condition)
    first, second = kept * symbol(like, x), (1 - kept) * symbol(like, other)
    return widened(first + second, call.shape)


def _nowhere(value: Any) -> bool:
    """Whether all constants hide what they stand for."""
    hidden = hiding(value)
    return hidden is not None and bool(hidden.all())


@rule("masked_fill")
def _masked_fill(call: Call, x: Any, mask: Any, value: Any) -> Any:
    if isinstance(mask, torch.Tensor) and isinstance(x, Masked) and _nowhere(value):
        return Masked.hide(x, mask.cpu().numpy())
    if isinstance(x, Masked):
        raise call.refuse("of minus infinity")
    return _where(call, mask, value, x)


@rule("tril", "triu")
def _triangle(call: Call, x: Array, diagonal: int = 0) -> Array:
    return x * constants(call.target(torch.ones(x.shape, dtype=torch.int64), diagonal))


@rule("addcmul")
def _add_product(call: Call, x: Any, tensor1: Any, tensor2: Any, value: float = 1) -> Array:
    like = array(x, tensor1, tensor2)
    return symbol(like, x) + symbol(like, tensor1) * symbol(like, tensor2) * number(value)


@rule("rand", "randn", "rand_like", "randn_like", "normal", "uniform")
def _random(call: Call, **_: Any) -> Array:
    return call.probe()


@rule("dropout", "feature_dropout", "native_dropout")
def _dropout(call: Call, x: Array | None = None, input: Array | None = None, p: float = 0.5, train: bool = True) -> Any:
    given = input if x is None else x
    out = given if not train or p == 0 else given * call.probe()
    return (out, None) if call.name == "native_dropout" else out
