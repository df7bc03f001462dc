"""Rules of analytic functions, of softmax with masks, and of BatchNorm with constant statistics."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, pi, sqrt
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array, concatenate
from clexact.programs.places import Mask
from clexact.programs.rearrange import moveaxis
from clexact.torch.translation.rule import RULES, Call, Masked, constants, number, rule, symbols

CUBIC = 0.044715  # of the tanh form of GELU


@rule("exp", "tanh", "sigmoid", "silu")
def _function(call: Call, x: Array) -> Any:
    return getattr(functions, call.name)(x)


@rule("gelu")
def _gelu(call: Call, x: Array, approximate: str = "none") -> Array:
    if approximate == "none":
        return functions.gelu(x)
    inner = (x + x**3 * Fraction(CUBIC)) * call.inexact(sqrt(2 / pi))
    return x / 2 * (1 + functions.tanh(inner))


@rule("glu")
def _glu(call: Call, x: Any, dim: int = -1) -> Any:
    value, gate = np.split(x, 2, dim)
    return value * functions.sigmoid(gate)  # type: ignore[arg-type]


@rule("softmax", "_softmax", "_safe_softmax")
def _softmax(call: Call, x: Array | Masked, dim: int, dtype: Any = None, half_to_float: bool = False) -> Array:
    return _masked_softmax(call, x, dim) if isinstance(x, Masked) else functions.softmax(x, dim)


def _masked_softmax(call: Call, masked: Masked, dim: int) -> Array:
    """Rows with the same mask together: the softmax of what they see, and zeros for the rest."""
    z, hidden = moveaxis(masked.scores, dim, -1), np.moveaxis(masked.hidden, dim, -1)
    rows, mask = z.reshape((-1, z.shape[-1])), hidden.reshape(-1, z.shape[-1])
    patterns, which = np.unique(mask, axis=0, return_inverse=True)
    if patterns.all(axis=1).any():
        raise call.refuse("of minus infinities alone")
    parts = [_weights(rows, np.flatnonzero(which == n), pattern) for n, pattern in enumerate(patterns)]
    back = np.argsort(np.argsort(which.ravel(), kind="stable"))
    weights: Any = concatenate(parts).take(back, 0)
    return moveaxis(weights.reshape(z.shape), -1, dim)


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
        k, v = (part.repeat(q.shape[-3] // part.shape[-3], -3) for part in (k, v))
    factor = _inverse_root(call, q.shape[-1]) if scale is None else number(scale)
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


def _inverse_root(call: Call, square: int | Fraction) -> Fraction:
    """1/sqrt, exactly where it is rational."""
    a, b = isqrt(square.numerator), isqrt(square.denominator)
    if (a * a, b * b) == (square.numerator, square.denominator):
        return Fraction(b, a)
    return call.inexact(1 / sqrt(square))


@rule("_native_batch_norm_legit_no_training")
def _batch_norm(
    call: Call, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> tuple[Array, None, None]:
    """(x - mean) / sqrt(var + eps), then weight and bias, for each channel."""
    if not all(isinstance(part, torch.Tensor) for part in (running_mean, running_var)):
        raise call.refuse("with statistics that are trained")
    shape = (-1, *[1] * (x.ndim - 2))
    factor = [_inverse_root(call, square + number(eps)) for square in constants(running_var)]
    x = (x - constants(running_mean).reshape(shape)) * np.array(factor, dtype=object).reshape(shape)
    x = x if weight is None else x * symbols(x, weight)[1].reshape(shape)
    return x if bias is None else x + symbols(x, bias)[1].reshape(shape), None, None
