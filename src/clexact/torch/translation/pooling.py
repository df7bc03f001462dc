"""Rules of pooling: windows along each axis, of which each gives one result."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from clexact import functions
from clexact.algebra.terms import Ints
from clexact.programs.array import Array
from clexact.torch.translation.convolution import each, padded
from clexact.torch.translation.resampling import along
from clexact.torch.translation.rule import Call, Masked, rule


def _settings(call: Call, x: Array, kernel_size: Any, stride: Any, padding: Any) -> tuple[list[int], ...]:
    """Sizes of the windows, steps, borders before and behind, for each axis."""
    count = int(call.name[-2])
    kernel, steps, border = each(kernel_size, count), each(stride or kernel_size, count), each(padding, count)
    ends = [(size - 1) * s + k for size, s, k in zip(call.shape[-count:], steps, kernel, strict=True)]
    over = [end - size - 2 * p for end, size, p in zip(ends, x.shape[-count:], border, strict=True)]  # by ceil_mode
    return kernel, steps, border, [p + max(0, more) for p, more in zip(border, over, strict=True)]


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average(
    call: Call, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    kernel, steps, border, behind = _settings(call, x, kernel_size, stride, padding)
    out = functions.average_pool(padded(x, border, behind), kernel, steps)
    if divisor_override is not None:
        return out * Fraction(prod(kernel), divisor_override)
    share = np.array(Fraction(1), dtype=object)
    for size, count, k, s, p in zip(
        x.shape[-len(kernel) :], out.shape[-len(kernel) :], kernel, steps, border, strict=True
    ):
        share = share[..., None] * _shares(size, np.arange(count) * s - p, k, p if count_include_pad else 0)
    return out if (share == 1).all() else out / share


def _shares(size: int, first: Ints, kernel: int, border: int) -> Any:
    """Which part of each window counts: what is in the input, and in its border as far as that counts."""
    inside = np.minimum(first + kernel, size + border) - np.maximum(first, -border)
    return np.array([Fraction(n, kernel) for n in inside.tolist()], dtype=object)


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def _largest(
    call: Call, x: Array | Masked, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:  # fmt: skip
    """A border repeats the entry beside it, which stands in the same windows, so that it is never larger."""
    scores = x.scores if isinstance(x, Masked) else x
    kernel, steps, border, behind = _settings(call, scores, kernel_size, stride, padding)
    gaps = each(dilation, len(kernel))
    if isinstance(x, Array) and set(gaps) == {1}:
        return functions.max_pool(padded(x, border, behind, "edge"), kernel, steps)
    windows = [
        (np.arange(count) * s - p)[:, None] + d * np.arange(k)
        for count, k, s, p, d in zip(call.shape[-len(kernel) :], kernel, steps, border, gaps, strict=True)
    ]
    seen = [set(range(size)) for size in scores.shape] if isinstance(x, Array) else _seen(call, x)
    axes = zip(windows, seen[-len(kernel) :], strict=True)
    return _largest_of(call, scores, [[[i for i in row if i in places] for row in table.tolist()]
                                      for table, places in axes])  # fmt: skip


def _seen(call: Call, x: Masked) -> list[set[int]]:
    """The places along each axis that are not hidden, where what is hidden is a border."""
    others = [tuple(axis for axis in range(x.hidden.ndim) if axis != n) for n in range(x.hidden.ndim)]
    seen = [np.flatnonzero(~x.hidden.all(along)) for along in others]
    if x.hidden[np.ix_(*seen)].any():
        raise call.refuse("of minus infinities that are no border")
    return [set(places.tolist()) for places in seen]


@rule("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices")
def _largest_and_where(call: Call, x: Array | Masked, **settings: Any) -> tuple[Array, None]:
    return _largest(_named(call, call.name.removesuffix("_with_indices")), x, **settings), None


def _named(call: Call, name: str) -> Call:
    return Call(**(vars(call) | {"name": name}))


def _largest_of(call: Call, x: Array, windows: Sequence[Sequence[Sequence[int]]]) -> Array:
    """The largest entry of each window, given by its places along each axis; shorter windows repeat one of theirs."""
    sizes = [max(map(len, rows)) for rows in windows]
    if not all(all(rows) for rows in windows):
        raise call.refuse("with windows in the border")
    tables = [
        np.array([[*row, *[row[0]] * (k - len(row))] for row in rows]) for rows, k in zip(windows, sizes, strict=True)
    ]
    outer = x.ndim - len(windows)
    chosen = x.select([*map(np.arange, x.shape[:outer]), *(table.ravel() for table in tables)])
    apart = chosen.reshape((*x.shape[:outer], *(n for table in tables for n in table.shape)))
    order = [*range(outer), *range(outer, apart.ndim, 2), *range(outer + 1, apart.ndim, 2)]
    turned = apart.transpose(order)
    return functions.maximum(turned.reshape((*turned.shape[: outer + len(windows)], -1)))


# --- adaptive --------------------------------------------------------------------------------------------------------


def _parts(size: int, count: int) -> list[list[int]]:
    """The places of each of so many windows that fill an axis; they overlap where it cannot be divided."""
    return [list(range(n * size // count, -(-(n + 1) * size // count))) for n in range(count)]


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive_average(call: Call, x: Array, output_size: Any) -> Array:
    count = int(call.name[-2])
    sizes, results = x.shape[-count:], call.shape[-count:]
    if not any(size % result for size, result in zip(sizes, results, strict=True)):
        return functions.average_pool(x, [size // result for size, result in zip(sizes, results, strict=True)])
    for axis, (size, result) in enumerate(zip(sizes, results, strict=True), x.ndim - count):
        means = np.full((size, result), Fraction(0), dtype=object)
        for n, places in enumerate(_parts(size, result)):
            means[places, n] = Fraction(1, len(places))
        x = along(x, axis, means)
    return x


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_largest(call: Call, x: Array, output_size: Any) -> tuple[Array, None]:
    count = int(call.name[-2])
    sizes, results = x.shape[-count:], call.shape[-count:]
    if not any(size % result for size, result in zip(sizes, results, strict=True)):
        return functions.max_pool(x, [size // result for size, result in zip(sizes, results, strict=True)]), None
    return _largest_of(call, x, [_parts(size, n) for size, n in zip(sizes, results, strict=True)]), None
