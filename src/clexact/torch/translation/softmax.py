"""Rules of softmax, with masks, and of attention."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, sqrt
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array, concatenate
from clexact.programs.places import Mask
from clexact.programs.rearrange import broadcast_to
from clexact.torch.translation.masks import by_rows
from clexact.torch.translation.rule import RULES, Call, Masked, number, rule, symbols


@rule("softmax", "_softmax", "_safe_softmax")
def _softmax(call: Call, x: Array | Masked, dim: int, dtype: Any = None, half_to_float: bool = False) -> Array:
    return _masked_softmax(call, x, dim) if isinstance(x, Masked) else functions.softmax(x, dim)


@rule("log_softmax", "_log_softmax", "special_log_softmax")
def _log_softmax(call: Call, x: Array, dim: int, dtype: Any = None, half_to_float: bool = False) -> Array:
    return functions.log_softmax(x, dim)


def _masked_softmax(call: Call, masked: Masked, dim: int) -> Array:
    """The softmax of what each row sees, and zeros for the rest."""
    return by_rows(call, masked, dim, _weights)


def _weights(rows: Array, chosen: Any, hidden: Mask) -> Array:
    """The softmax of the entries that these rows see, with zeros in the places of the others."""
    seen = np.flatnonzero(~hidden)
    weights: Any = functions.softmax(rows.select([chosen, seen]))
    if not hidden.any():
        return weights  # type: ignore[no-any-return]
    with_zero: Any = concatenate([weights, np.zeros((len(chosen), 1), dtype=int)], 1)
    return with_zero.take(np.where(hidden, len(seen), np.cumsum(~hidden) - 1), 1)  # type: ignore[no-any-return]


@rule("scaled_dot_product_attention")
def _attention(
    call: Call, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Array:  # fmt: skip
    parts: list[Any] = symbols(query, key, value)
    q, k, v = parts
    if enable_gqa:
        k, v = (_shared(part, q.shape[-3]) for part in (k, v))
    factor = inverse_root(call, q.shape[-1]) if scale is None else number(scale)
    scores: Array | Masked = q @ k.swapaxes(-1, -2) * factor
    if is_causal:
        scores = Masked.hide(scores, ~np.tri(q.shape[-2], k.shape[-2], dtype=bool))
    if isinstance(attn_mask, torch.Tensor) and attn_mask.dtype == torch.bool:
        scores = Masked.hide(scores, ~attn_mask.cpu().numpy())
    elif attn_mask is not None:
        scores = RULES["add"](call, scores, attn_mask)
    weights = _softmax(call, scores, -1)
    mixed: Array = (weights * call.probe() if dropout_p else weights) @ v
    return mixed


def _shared(part: Array, heads: int) -> Array:
    """Each head as often as several that share it, one after another."""
    *outer, own, tokens, width = part.shape
    times = broadcast_to(part.reshape((*outer, own, 1, tokens, width)), (*outer, own, heads // own, tokens, width))
    return times.reshape((*outer, heads, tokens, width))


def inverse_root(call: Call, square: int | Fraction) -> Fraction:
    """1/sqrt of a constant, exactly where it is rational; else the float that PyTorch has for it, as it stands."""
    a, b = isqrt(square.numerator), isqrt(square.denominator)
    if (a * a, b * b) == (square.numerator, square.denominator):
        return Fraction(b, a)
    return call.inexact(1 / sqrt(square))
