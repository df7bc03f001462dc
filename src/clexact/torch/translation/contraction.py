"""Rules of layers and products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from clexact.programs.array import Array
from clexact.torch.translation.arithmetic import array
from clexact.torch.translation.rule import Call, number, rule, symbol


@rule("linear")
def _linear(call: Call, input: Any, weight: Any, bias: Any = None) -> Array:
    """On rows: all axes of the input but the last in one."""
    like = array(input, weight, bias)
    x, w = symbol(like, input), symbol(like, weight)
    if w.ndim == 1:
        return (x @ w).reshape(call.shape)
    out = x.reshape((-1, x.shape[-1])) @ w.T
    return (out if bias is None else out + symbol(like, bias)).reshape(call.shape)


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner")
def _matmul(call: Call, **operands: Any) -> Array:
    a, b = operands.values()
    like = array(a, b)
    a, b = symbol(like, a), symbol(like, b)
    return _product(a, b if call.name != "inner" or b.ndim < 2 else b.T)


def _product(a: Array, b: Array) -> Array:
    """As matmul; stacks of one matrix as that matrix, so that its rows may be mixed."""
    ndim = max(a.ndim, b.ndim)
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) if ndim > 2 else ()
    if stack and set(stack) == {1} and min(a.ndim, b.ndim) > 1:
        out = a.reshape(a.shape[-2:]) @ b.reshape(b.shape[-2:])
        return out.reshape((*stack, *out.shape))
    if b.ndim == 2 and a.ndim > 2:
        return (a.reshape((-1, a.shape[-1])) @ b).reshape((*a.shape[:-1], b.shape[1]))
    return a @ b


@rule("addmm", "baddbmm", "addmv")
def _add_product(call: Call, x: Any, beta: float = 1, alpha: float = 1, **operands: Any) -> Array:
    a, b = operands.values()
    like = array(x, a, b)
    product = _product(symbol(like, a), symbol(like, b))
    product = product if alpha == 1 else product * number(alpha)
    return product if beta == 0 else symbol(like, x) * number(beta) + product


@rule("outer", "ger")
def _outer(call: Call, x: Any, vec2: Any) -> Array:
    like = array(x, vec2)
    return symbol(like, x).reshape((-1, 1)) * symbol(like, vec2).reshape((1, -1))


@rule("embedding")
def _embedding(
    call: Call,
    weight: Any,
    indices: Any,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Array:
    if not isinstance(indices, torch.Tensor) or scale_grad_by_freq:
        raise call.refuse("that scales gradients" if scale_grad_by_freq else "of indices that depend on values")
    rows = indices.cpu().numpy()
    found = weight.select([rows, np.arange(weight.shape[1])])
    padded = (rows == padding_idx) & (padding_idx >= 0)
    if not padded.any():
        return found
    if call.value(0)[padding_idx].any():  # the row keeps its value, and has no gradient
        raise call.refuse("with a padding row that is not 0")
    return found * symbol(found, torch.from_numpy(~padded)[..., None])
