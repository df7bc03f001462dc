"""Rules of sums, products, powers and means, of masks and of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from clexact.programs.array import Array
from clexact.programs.rearrange import broadcast_to
from clexact.torch.translation.masks import hiding
from clexact.torch.translation.rule import Call, Masked, exactly, number, rule, symbols


@rule("contiguous", "clone", "alias", "to", "_to", "type_as", "positive", "detach")
def _same(call: Call, x: Any, **_: Any) -> Any:
    return x


@rule("add")
def _add(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    if isinstance(x, Masked) or isinstance(other, Masked):
        return _add_to_scores(call, x, other, alpha)
    for scores, mask in ((x, other), (other, x)):
        if isinstance(scores, Array) and alpha == 1 and (hidden := hiding(mask)) is not None:
            seen = mask.masked_fill(torch.from_numpy(hidden).to(mask.device), 0)
            return Masked.hide(_add(call, scores, seen), hidden)
    a, b = symbols(x, other)
    return a + (b if alpha == 1 else b * number(alpha))


def _add_to_scores(call: Call, x: Any, other: Any, alpha: float) -> Masked:
    masked, rest = (x, other) if isinstance(x, Masked) else (other, x)
    if isinstance(rest, Masked) or alpha != 1:
        raise call.refuse("of minus infinities")
    return Masked.hide(_add(call, masked.scores, rest), masked.hidden)


@rule("sub", "subtract")
def _subtract(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    if isinstance(x, Masked) and isinstance(other, Array):
        return Masked.hide(_subtract(call, x.scores, other, alpha), x.hidden)
    if isinstance(x, Masked) or isinstance(other, Masked):
        raise call.refuse("of minus infinities")
    a, b = symbols(x, other)
    return a - (b if alpha == 1 else b * number(alpha))


@rule("rsub")
def _subtract_from(call: Call, x: Any, other: Any, alpha: float = 1) -> Any:
    return _subtract(call, other, x, alpha)


@rule("mul", "multiply")
def _multiply(call: Call, x: Any, other: Any) -> Any:
    if isinstance(x, Masked):
        return _scaled(call, x, other, lambda scores, factor: scores * factor)
    a, b = symbols(x, other)
    return a * b


@rule("div", "divide", "true_divide")
def _divide(call: Call, x: Any, other: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise call.refuse("that rounds")
    if isinstance(x, Masked):
        return _scaled(call, x, other, lambda scores, divisor: scores / divisor)
    if isinstance(other, Array):
        return symbols(x, other)[0] / other
    divisor = exactly(other)
    if not np.all(divisor != 0):
        raise call.refuse("by 0")
    return x / divisor


def _scaled(call: Call, x: Masked, factor: Any, scale: Any) -> Masked:
    if not isinstance(factor, (int, float)) or factor <= 0:
        raise call.refuse("of minus infinities")
    return Masked(scale(x.scores, number(factor)), x.hidden)


@rule("neg", "negative")
def _negate(call: Call, x: Array) -> Array:
    return -x


@rule("addcmul")
def _add_product(call: Call, x: Any, tensor1: Any, tensor2: Any, value: float = 1) -> Array:
    a, b, c = symbols(x, tensor1, tensor2)
    return a + b * c * number(value)


@rule("sum")
def _sum(call: Call, x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    return x.sum(axes(dim), keepdim)


@rule("mean")
def _mean(call: Call, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return x.mean(axes(dim), keepdim)


@rule("cumsum")
def _cumulative(call: Call, x: Any, dim: int, dtype: Any = None) -> Any:
    return x.cumsum(dim)


def axes(dim: Any) -> Any:
    """The axes of a reduction as NumPy names them: None for all."""
    return None if dim is None or dim == [] else dim if isinstance(dim, int) else tuple(dim)


# --- masks, and what is random ---------------------------------------------------------------------------------------


@rule("lerp")
def _between(call: Call, x: Any, end: Any, weight: Any) -> Array:
    a, b, w = symbols(x, end, weight)
    return a + w * (b - a)


@rule("where")
def _where(call: Call, condition: Any, x: Any, other: Any) -> Any:
    """By a mask; or by a choice that depends on values, 0 or 1."""
    if isinstance(condition, Array):
        if isinstance(x, Masked) or isinstance(other, Masked) or _hides(x) or _hides(other):
            raise call.refuse("that hides what depends on values")
        on, a, b = symbols(condition, x, other)
        return b + on * (a - b)
    chosen = condition.bool().cpu().numpy()
    for kept, constant, hidden in ((x, other, ~chosen), (other, x, chosen)):
        if isinstance(kept, (Array, Masked)) and _hides(constant):
            return Masked.hide(kept, hidden)
    if isinstance(x, Masked) or isinstance(other, Masked):
        raise call.refuse("of minus infinities")
    a, b = symbols(x, other)
    return a * chosen.astype(int) + b * (~chosen).astype(int)


def _hides(value: Any) -> bool:
    """Whether a constant is minus infinity, or the least number of its type, everywhere."""
    if isinstance(value, Array):
        return False
    if isinstance(value, float):
        return value <= float(torch.finfo(torch.bfloat16).min)
    hidden = hiding(value)
    return hidden is not None and bool(hidden.all())


@rule("masked_fill")
def _masked_fill(call: Call, x: Any, mask: Any, value: Any) -> Any:
    return _where(call, mask, value, x)


@rule("fill")
def _fill(call: Call, x: Array, value: Any) -> Any:
    return broadcast_to(symbols(x, value)[1], x.shape)


@rule("zero")
def _zero(call: Call, x: Array) -> Any:
    return _fill(call, x, 0)


@rule("copy")
def _copy(call: Call, x: Any, src: Any, non_blocking: bool = False) -> Any:
    return broadcast_to(symbols(x, src)[1], tuple(x.shape))


@rule("tril", "triu")
def _triangle(call: Call, x: Any, diagonal: int = 0) -> Any:
    return (np.tril if call.name == "tril" else np.triu)(x, diagonal)


@rule("rand", "randn", "rand_like", "randn_like")
def _random(call: Call, **_: Any) -> Array:
    return call.probe()


@rule("dropout", "feature_dropout", "native_dropout")
def _dropout(call: Call, x: Any, p: float = 0.5, train: bool = True) -> Any:
    out = call.probe() * exactly(x) if train and p else x
    return (out, None) if call.name == "native_dropout" else out
