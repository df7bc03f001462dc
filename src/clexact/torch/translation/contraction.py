"""Rules of layers and products of matrices, and of embeddings."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.rule import Call, constants, number, rule, symbols


@rule("linear")
def _linear(call: Call, x: Any, weight: Any, bias: Any = None) -> Array:
    """On rows: all axes of the input but the last in one."""
    a, w, *added = symbols(*(part for part in (x, weight, bias) if part is not None))
    out = a.reshape((-1, a.shape[-1])) @ w.T
    return (out + added[0] if added else out).reshape(call.shape)


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def _matmul(call: Call, **operands: Any) -> Array:
    return _product(*symbols(*operands.values()))


def _product(a: Array, b: Array) -> Array:
    """As matmul; where there is one matrix, without a stack, so that its rows may be mixed."""
    if b.ndim == 2 < a.ndim:
        return (a.reshape((-1, a.shape[-1])) @ b).reshape((*a.shape[:-1], b.shape[1]))
    if min(a.ndim, b.ndim) > 1 and max(a.ndim, b.ndim) > 2:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if set(stack) == {1}:
            out = a.reshape(a.shape[-2:]) @ b.reshape(b.shape[-2:])
            return out.reshape((*stack, *out.shape))
    return a @ b


@rule("addmm", "baddbmm", "addmv")
def _add_product(call: Call, x: Any, beta: float = 1, alpha: float = 1, **operands: Any) -> Array:
    added, a, b = symbols(x, *operands.values())
    product = _product(a, b) if alpha == 1 else _product(a, b) * number(alpha)
    return product if beta == 0 else product + (added if beta == 1 else added * number(beta))


@rule("inner")
def _inner(call: Call, x: Any, other: Any) -> Any:
    return np.inner(*symbols(x, other))


@rule("outer", "ger")
def _outer(call: Call, x: Any, vec2: Any) -> Array:
    a, b = symbols(x, vec2)
    return a.reshape((-1, 1)) * b.reshape((1, -1))


@rule("kron")
def _kronecker(call: Call, x: Any, other: Any) -> Array:
    """Each entry of the first times the second: with the axes of both side by side."""
    a, b = symbols(x, other)
    axes = max(a.ndim, b.ndim)
    first, second = ([1] * (axes - part.ndim) + list(part.shape) for part in (a, b))
    left = a.reshape([size for n in first for size in (n, 1)])
    right = b.reshape([size for n in second for size in (1, n)])
    return (left * right).reshape(call.shape)


@rule("_trilinear")
def _trilinear(
    call: Call, i1: Any, i2: Any, i3: Any, expand1: Any, expand2: Any, expand3: Any, sumdim: Any, unroll_dim: int = 1
) -> Any:
    """The product of three arrays, each with more axes, summed over some."""
    a, b, c = (
        np.expand_dims(part, tuple(axes))
        for part, axes in zip(symbols(i1, i2, i3), (expand1, expand2, expand3), strict=True)
    )
    return (a * b * c).sum(tuple(sumdim))


@rule("embedding")
def _embedding(
    call: Call,
    weight: Array,
    indices: Any,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Array:
    tokens = _tokens(call, indices, scale_grad_by_freq)
    if padding_idx < 0 or not (tokens == padding_idx).any():
        return functions.embedding(weight, tokens)
    row = constants(call.leaf(0)[padding_idx])  # it has no gradient, so it stays as it is
    return functions.embedding(weight, tokens, padding_idx, row)


def _tokens(call: Call, indices: Any, scale_grad_by_freq: bool) -> Any:
    if not isinstance(indices, torch.Tensor):
        raise call.refuse("of indices that depend on values")
    if scale_grad_by_freq:
        raise call.refuse("that scales gradients by frequency")
    return indices.cpu().numpy()


@rule("embedding_bag")
def _bags(
    call: Call, weight: Array, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Sums, or means, of the rows of consecutive tokens: the last bag ends with the tokens."""
    if mode > 1 or per_sample_weights is not None or padding_idx is not None:
        raise call.refuse("with maxima, weights or padding")
    tokens = _tokens(call, indices, scale_grad_by_freq)
    ends = [*offsets.tolist(), *([] if include_last_offset else [len(tokens)])]
    share = np.full((len(ends) - 1, len(tokens)), Fraction(0), dtype=object)
    for n, (first, end) in enumerate(itertools.pairwise(ends)):
        share[n, first:end] = Fraction(1, end - first) if mode and end > first else 1
    return share @ functions.embedding(weight, tokens), None, None, None
