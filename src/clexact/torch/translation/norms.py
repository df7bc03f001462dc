"""Rules of norms, variances and normalisations: by roots of sums of squares."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.arithmetic import axes
from clexact.torch.translation.rule import Call, constants, number, rule, symbols
from clexact.torch.translation.softmax import inverse_root


def affine(x: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    """With a factor and a summand, if they are given, that are broadcast in this shape."""
    x = x if weight is None else x * symbols(x, weight)[1].reshape(shape)
    return x if bias is None else x + symbols(x, bias)[1].reshape(shape)


def _of_channels(x: Any) -> tuple[int, ...]:
    """The shape of what each channel, along axis 1, has one of."""
    return (-1, *[1] * (x.ndim - 2))


@rule("layer_norm")
def _layer_norm(
    call: Call, x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:  # fmt: skip
    a, shape = _varying(call, x), tuple(normalized_shape)
    return affine(functions.layer_norm(a, _last(a, shape), number(eps)), weight, bias, shape)


@rule("native_layer_norm")
def _native_layer_norm(call: Call, x: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    return _layer_norm(call, x, normalized_shape, weight, bias, eps), None, None


@rule("rms_norm")
def _rms_norm(call: Call, x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Without an eps that is the least number above 1, less 1, of its type."""
    eps = torch.finfo(call.dtype).eps if eps is None else eps
    a, shape = _varying(call, x), tuple(normalized_shape)
    return affine(functions.rms_norm(a, _last(a, shape), number(eps)), weight, None, shape)


def _last(x: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """As many of its last axes."""
    return tuple(range(x.ndim - len(shape), x.ndim))


def _varying(call: Call, x: Any) -> Array:
    """What is normalised, unless it is constant."""
    if not isinstance(x, Array):
        raise call.refuse("of constants, with weights that are trained")
    return x


@rule("group_norm")
def _group_norm(
    call: Call, x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:  # fmt: skip
    return affine(functions.group_norm(_varying(call, x), num_groups, eps=number(eps)), weight, bias, _of_channels(x))


@rule("instance_norm")
def _instance_norm(
    call: Call, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,
    momentum: float, eps: float, cudnn_enabled: bool,
) -> Any:  # fmt: skip
    if not use_input_stats:
        return _constant_statistics(call, x, weight, bias, running_mean, running_var, eps)
    return affine(functions.instance_norm(_varying(call, x), eps=number(eps)), weight, bias, _of_channels(x))


@rule("_native_batch_norm_legit_functional", "_native_batch_norm_legit")
def _batch_norm(
    call: Call, x: Any, weight: Any, bias: Any, running_mean: Any = None, running_var: Any = None,
    training: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> tuple[Any, ...]:  # fmt: skip
    """With the statistics of the batch: functions of the parameters before it."""
    if not training:
        out = _constant_statistics(call, x, weight, bias, running_mean, running_var, eps)
    else:
        out = functions.batch_norm(_varying(call, x), (0, *range(2, x.ndim)), number(eps))
        out = affine(out, weight, bias, _of_channels(x))
    return out, None, None, None, None


@rule("_native_batch_norm_legit_no_training")
def _batch_norm_off(
    call: Call, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> tuple[Any, None, None]:
    return _constant_statistics(call, x, weight, bias, running_mean, running_var, eps), None, None


def _constant_statistics(
    call: Call, x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, eps: float
) -> Any:
    """(x - mean) / sqrt(var + eps), then weight and bias, for each channel."""
    if not all(isinstance(part, torch.Tensor) for part in (running_mean, running_var)):
        raise call.refuse("with statistics that are trained")
    shape = _of_channels(x)
    squares, which = np.unique(constants(running_var), return_inverse=True)
    factor = np.array([inverse_root(call, square + number(eps)) for square in squares], dtype=object)
    x = (x - constants(running_mean).reshape(shape)) * factor[which.ravel()].reshape(shape)
    return affine(x, weight, bias, shape)


# --- lengths ---------------------------------------------------------------------------------------------------------


@rule("linalg_vector_norm", "norm")
def _length(call: Call, x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, p: Any = None) -> Any:
    order = next((given for given in (ord, p) if given is not None), 2)
    over = axes(dim)
    if order in (1, float("inf")) or (order != 0 and x.size == prod(call.shape)):  # of one entry: its magnitude
        sizes = functions.absolute(x)
        return (sizes.max(over) if order == float("inf") else sizes.sum(over)).reshape(call.shape)
    if order != 2:
        raise call.refuse(f"of order {order}")
    return np.linalg.norm(x, None, over, keepdim)


@rule("linalg_norm", "linalg_matrix_norm", "frobenius_norm")
def _size(
    call: Call, x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:  # fmt: skip
    """Of vectors along one axis; of matrices the root of the sum of squares, not the norms of operators."""
    if isinstance(dim, int) or (dim is not None and len(dim) == 1):
        return _length(call, x, ord, dim, keepdim)
    if ord not in (None, "fro") and not (dim is None and x.ndim == 1):
        raise call.refuse(f"of order {ord} of matrices")
    return _length(call, x, None if ord == "fro" else ord, dim, keepdim)


@rule("_weight_norm")
def _weight_norm(call: Call, v: Any, g: Any, dim: int = 0) -> Any:
    """g v / |v|, of slices along an axis; of all entries where it is -1."""
    a, b = symbols(v, g)
    return functions.weight_norm(a, b, None if dim == -1 else dim)


@rule("cosine_similarity")
def _cosine(call: Call, x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    call.assume(f"lengths in cosine_similarity are above its eps {eps:g}")
    a, b = symbols(x1, x2)
    return functions.cosine_similarity(a, b, dim)


@rule("pairwise_distance")
def _distance(call: Call, x1: Any, x2: Any, p: float = 2, eps: float = 1e-6, keepdim: bool = False) -> Any:
    a, b = symbols(x1, x2)
    return _length(call, a - b + number(eps), p, -1, keepdim)


@rule("cdist")
def _distances(call: Call, x1: Any, x2: Any, p: float = 2, compute_mode: Any = None) -> Any:
    a, b = symbols(x1, x2)
    return _length(call, np.expand_dims(a, -2) - np.expand_dims(b, -3), p, -1)


@rule("var", "std", "var_mean", "std_mean")
def _variance(
    call: Call, x: Any, dim: Any = None, correction: Any = None, keepdim: bool = False, unbiased: bool = True
) -> Any:
    lost = number(unbiased if correction is None else correction)
    of: Any = np.std if "std" in call.name else np.var
    spread = of(x, axes(dim), ddof=lost, keepdims=keepdim)
    return (spread, x.mean(axes(dim), keepdims=keepdim)) if "mean" in call.name else spread
