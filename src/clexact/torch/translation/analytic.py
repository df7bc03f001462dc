"""Rules of analytic functions, of softmax with masks, and of normalisations with constant statistics."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, pi, sqrt
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array, concatenate
from clexact.torch.translation.arithmetic import array
from clexact.torch.translation.rule import Call, Masked, at, constants, number, rule, symbol, widened

CUBIC = 0.044715  # of the tanh form of GELU


@rule("exp", "tanh", "sigmoid", "silu")
def _function(call: Call, x: Array) -> Array:
    apply: Any = getattr(functions, call.name)
    return apply(x)


@rule("gelu")
def _gelu(call: Call, x: Array, approximate: str = "none") -> Array:
    if approximate == "none":
        return functions.gelu(x)
    inner = (x + x**3 * Fraction(CUBIC)) * call.inexact(sqrt(2 / pi))
    return x * Fraction(1, 2) * (1 + functions.tanh(inner))


@rule("glu")
def _glu(call: Call, x: Array, dim: int = -1) -> Array:
    half = x.shape[dim] // 2
    return at(x, dim, np.arange(half)) * functions.sigmoid(at(x, dim, half + np.arange(half)))


@rule("softmax", "_softmax")
def _softmax(call: Call, x: Any, dim: int, dtype: Any = None, half_to_float: bool = False) -> Array:
    return masked_softmax(call, x, dim) if isinstance(x, Masked) else functions.softmax(x, dim)


def masked_softmax(call: Call, masked: Masked, dim: int) -> Array:
    """Along the last axis, rows with the same mask together: softmax of what they see, zeros for the rest."""
    z, hidden = masked
    order = [axis for axis in range(z.ndim) if axis != range(z.ndim)[dim]] + [range(z.ndim)[dim]]
    turned = z.transpose(*order)
    rows, mask = turned.reshape((-1, turned.shape[-1])), hidden.transpose(order).reshape(-1, turned.shape[-1])
    patterns, which = np.unique(mask, axis=0, return_inverse=True)
    if patterns.all(axis=1).any():
        raise call.refuse("of minus infinities alone")
    parts = [_weights(rows, np.flatnonzero(which == n), pattern) for n, pattern in enumerate(patterns)]
    joined = parts[0] if len(parts) == 1 else concatenate(parts)
    back = np.argsort(np.argsort(which.ravel(), kind="stable"), kind="stable")
    return at(joined, 0, back).reshape(turned.shape).transpose(*np.argsort(order).tolist())


def _weights(rows: Array, chosen: Any, hidden: Any) -> Array:
    """Softmax of the entries that these rows see, with zeros in the places of the others."""
    seen = np.flatnonzero(~hidden)
    weights = functions.softmax(rows.select([chosen, seen]), 1)
    if not hidden.any():
        return weights
    padded = concatenate([weights, np.zeros((len(chosen), 1), dtype=int)], 1)
    return at(padded, 1, np.where(hidden, len(seen), np.cumsum(~hidden) - 1))


@rule("scaled_dot_product_attention")
def _attention(
    call: Call, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Array:  # fmt: skip
    like = array(query, key, value)
    q, k, v = (symbol(like, part) for part in (query, key, value))
    if enable_gqa:
        k, v = (at(part, -3, np.arange(q.shape[-3]) // (q.shape[-3] // part.shape[-3])) for part in (k, v))
    factor = _inverse_root(call, q.shape[-1]) if scale is None else number(scale)
    turned = k.transpose(*range(k.ndim - 2), k.ndim - 1, k.ndim - 2)
    scores: Array | Masked = q @ turned * factor
    if is_causal:
        scores = Masked.hide(scores, ~np.tri(q.shape[-2], k.shape[-2], dtype=bool))
    if attn_mask is not None:
        scores = _with_mask(call, scores, attn_mask)
    weights = _softmax(call, scores, -1)
    return (weights * call.probe() if dropout_p else weights) @ v


def _inverse_root(call: Call, width: int) -> Fraction:
    """1/sqrt(width), exactly where it is rational."""
    root = isqrt(width)
    return Fraction(1, root) if root * root == width else call.inexact(1 / sqrt(width))


def _with_mask(call: Call, scores: Array | Masked, mask: Any) -> Any:
    """Scores with a mask of True for what is seen, or with numbers added."""
    from clexact.torch.translation.rule import RULES

    if isinstance(mask, torch.Tensor) and mask.dtype == torch.bool:
        return scores if mask.all() else Masked.hide(scores, ~mask.cpu().numpy())
    return RULES["add"](call, scores, mask)


@rule("_native_batch_norm_legit_no_training")
def _batch_norm(
    call: Call, input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> Any:
    """(x - mean) / sqrt(var + eps), then weight and bias, for each channel."""
    shape = (-1, *[1] * (input.ndim - 2))
    factor = [_inverse_square_root(call, number(v) + Fraction(eps)) for v in running_var.tolist()]
    x = (input - constants(running_mean).reshape(shape)) * np.array(factor, dtype=object).reshape(shape)
    x = x if weight is None else x * symbol(x, weight).reshape(shape)
    return x if bias is None else x + symbol(x, bias).reshape(shape), None, None


def _inverse_square_root(call: Call, square: int | Fraction) -> Fraction:
    """1/sqrt, exactly where it is rational."""
    ratio = Fraction(square)
    a, b = isqrt(ratio.numerator), isqrt(ratio.denominator)
    if (a * a, b * b) == (ratio.numerator, ratio.denominator):
        return Fraction(b, a)
    return call.inexact(1 / sqrt(ratio))


@rule("_safe_softmax")
def _safe_softmax(call: Call, x: Any, dim: int, dtype: Any = None) -> Array:
    return _softmax(call, x, dim)
