"""Rules of convolutions and of averages over windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.array import Array, concatenate
from clexact.programs.places import Shape
from clexact.torch.translation.arithmetic import array
from clexact.torch.translation.rule import Call, at, rule, symbol

Places = list[Ints]  # along each axis of the result, -1 where there is nothing


def spread(value: int | Sequence[int], count: int) -> list[int]:
    """A setting for each axis, given as one number or a list."""
    given = [value] if isinstance(value, int) else list(value)
    return given * count if len(given) == 1 else given


def bordered(x: Array, axes: Sequence[int]) -> Array:
    """With a border of zeros behind, along these axes: place -1 is zero then."""
    for axis in axes:
        zeros = np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype=int)
        x = concatenate([x, zeros], axis)
    return x


@rule("conv1d", "conv2d", "conv3d")
def _convolve(
    call: Call, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Array:  # fmt: skip
    axes = weight.ndim - 2
    steps, wide = spread(stride, axes), spread(dilation, axes)
    if isinstance(padding, str):  # "same": what is left over stands behind
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(wide, weight.shape[2:], strict=True)]
        before = [t // 2 for t in total]
    else:
        before = spread(padding, axes)

    def places(axis: int, offset: int, sizes: Shape, results: Shape) -> Ints:
        return np.arange(results[axis]) * steps[axis] + offset * wide[axis] - before[axis]

    return _summed(call, input, weight, bias, groups, False, places)


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _convolve_transposed(
    call: Call, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Array:  # fmt: skip
    axes = weight.ndim - 2
    steps, before, wide = (spread(each, axes) for each in (stride, padding, dilation))

    def places(axis: int, offset: int, sizes: Shape, results: Shape) -> Ints:
        place, rest = np.divmod(np.arange(results[axis]) + before[axis] - offset * wide[axis], steps[axis])
        return np.where(rest == 0, place, -1)

    return _summed(call, input, weight, bias, groups, True, places)


@rule("convolution")
def _convolution(
    call: Call, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Array:  # fmt: skip
    if transposed:
        return _convolve_transposed(call, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(call, input, weight, bias, stride, padding, dilation, groups)


def _summed(
    call: Call, input: Any, weight: Any, bias: Any, groups: int, transposed: bool,
    places: Callable[[int, int, Shape, Shape], Ints],
) -> Array:  # fmt: skip
    r"""$\sum_k W_k x_k$, where x_k holds the entries at ``places(axis, k, ...)``: channels stay axes of matrices."""
    like = array(input, weight, bias)
    x, w = symbol(like, input), symbol(like, weight)
    axes = w.ndim - 2
    x = x if x.ndim == w.ndim else x.reshape((1, *x.shape))  # a sample without a batch
    results, sizes, count = call.shape[-axes:], x.shape[2:], x.shape[0]
    tables = [[places(n, k, sizes, results) for k in range(size)] for n, size in enumerate(w.shape[2:])]
    inside = [[(t >= 0) & (t < size) for t in table] for table, size in zip(tables, sizes, strict=True)]
    outside = [n for n, known in enumerate(inside) if not np.all(known)]
    x = bordered(x.transpose(1, 0, *range(2, x.ndim)), [n + 2 for n in outside])
    total: Array | None = None
    for offset in product(*map(range, w.shape[2:])):
        along = [np.where(inside[n][k], tables[n][k], sizes[n]) for n, k in enumerate(offset)]
        if any(not inside[n][k].any() for n, k in enumerate(offset)):
            continue  # only zeros
        window = x.select([np.arange(x.shape[0]), np.arange(count), *along]).reshape((x.shape[0], -1))
        part = _channels(w[(slice(None), slice(None), *offset)], window, groups, transposed)
        total = part if total is None else total + part
    assert total is not None
    out = total.reshape((total.shape[0], count, *results)).transpose(1, 0, *range(2, axes + 2))
    out = out if bias is None else out + symbol(like, bias).reshape((-1, *[1] * axes))
    return out.reshape(call.shape)


def _channels(w: Array, x: Array, groups: int, transposed: bool) -> Array:
    """The product of one matrix of the kernel, in groups a stack of them, with the entries that it meets."""
    if groups == 1:
        return (w.T if transposed else w) @ x
    w = w.reshape((groups, -1, w.shape[1]))
    out = (w.transpose(0, 2, 1) if transposed else w) @ x.reshape((groups, -1, x.shape[1]))
    return out.reshape((-1, x.shape[1]))


def windows(sizes: Shape, results: Shape, kernel: Places, stride: Sequence[int], padding: Sequence[int]) -> Places:
    """Places (result, place in the kernel) along each axis; those outside are negative, or beyond the size."""
    return [
        np.arange(count)[:, None] * step - before + inner
        for count, inner, step, before in zip(results, kernel, stride, padding, strict=True)
    ]


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average(
    call: Call, x: Array | None = None, kernel_size: Any = None, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None, input: Any = None,
) -> Array:  # fmt: skip
    x = input if x is None else x
    axes = int(call.name[-2])
    kernel = spread(kernel_size, axes)
    steps, before = spread(stride or kernel, axes), spread(padding, axes)
    if ceil_mode:
        raise call.refuse("with ceil_mode")
    sizes, results = x.shape[-axes:], call.shape[-axes:]
    tables = windows(sizes, results, [np.arange(k) for k in kernel], steps, before)
    inside = [(table >= 0) & (table < size) for table, size in zip(tables, sizes, strict=True)]
    total = _window_sums(x, tables, inside)
    if divisor_override is not None or count_include_pad:
        return total / (divisor_override or prod(kernel))
    counts = np.ones((), dtype=int)
    for known in inside:
        counts = counts[..., None] * known.sum(axis=1)
    return total * np.array([Fraction(1, c) for c in counts.ravel().tolist()], dtype=object).reshape(counts.shape)


def _window_sums(x: Array, tables: Places, inside: Sequence[Any]) -> Array:
    """Sums over windows: over the second axis of each table."""
    axes, first = len(tables), x.ndim - len(tables)
    for n, (table, known) in enumerate(zip(tables, inside, strict=True)):
        axis, size = first + n, x.shape[first + n]
        x = x if known.all() else bordered(x, [axis])
        x = at(x, axis, np.where(known, table, size)).sum(axis + 1)
    assert x.ndim == first + axes
    return x


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d")
def _adaptive_average(call: Call, x: Array | None = None, output_size: Any = None, input: Any = None) -> Array:
    x = input if x is None else x
    tables = blocks(call, x)
    return _window_sums(x, tables, [table >= 0 for table in tables]) / prod(table.shape[1] for table in tables)


def blocks(call: Call, x: Array) -> Places:
    """The places of equal blocks of which each gives one result; they must fill the sizes."""
    axes = int(call.name[-2])
    sizes, results = x.shape[-axes:], call.shape[-axes:]
    if any(size % count for size, count in zip(sizes, results, strict=True)):
        raise call.refuse("to sizes that do not divide those of its input")
    return [np.arange(size).reshape(count, -1) for size, count in zip(sizes, results, strict=True)]
