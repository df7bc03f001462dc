"""Rules of convolutions and of pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from clexact import functions
from clexact.programs.array import Array
from clexact.torch.translation.rule import Call, rule, symbols


def each(value: int | Sequence[int], count: int) -> list[int]:
    """A setting for each axis, given as one number or a list."""
    given = [value] if isinstance(value, int) else list(value)
    return given * count if len(given) == 1 else given


def padded(x: Any, before: Sequence[int], after: Sequence[int], mode: Any = "constant") -> Any:
    """With more entries along the last axes."""
    widths = [(0, 0)] * (x.ndim - len(before)) + list(zip(before, after, strict=True))
    return np.pad(x, widths, mode) if any(map(any, widths)) else x


@rule("conv1d", "conv2d", "conv3d")
def _convolve(
    call: Call, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Array:  # fmt: skip
    a, w, *added = symbols(*(part for part in (x, weight, bias) if part is not None))
    kernel = w.shape[2:]
    gaps = each(dilation, len(kernel))
    if isinstance(padding, str):
        sides = [(k - 1) * d * (padding == "same") for k, d in zip(kernel, gaps, strict=True)]
        a = padded(a, [side // 2 for side in sides], [side - side // 2 for side in sides])  # the odd one goes behind
        padding = 0
    out = functions.convolve(a, w, each(stride, len(kernel)), each(padding, len(kernel)), gaps, groups)
    return _with_bias(out, added, len(kernel))


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _convolve_transposed(
    call: Call, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Array:  # fmt: skip
    a, w, *added = symbols(*(part for part in (x, weight, bias) if part is not None))
    s, p, o, d = (each(value, w.ndim - 2) for value in (stride, padding, output_padding, dilation))
    return _with_bias(functions.convolve_transposed(a, w, s, p, o, d, groups), added, w.ndim - 2)


def _with_bias(out: Array, bias: Sequence[Array], count: int) -> Array:
    return out + bias[0].reshape((-1, *[1] * count)) if bias else out


@rule("convolution")
def _convolution(
    call: Call, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Array:  # fmt: skip
    if transposed:
        return _convolve_transposed(call, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(call, x, weight, bias, stride, padding, dilation, groups)


# --- pooling ---------------------------------------------------------------------------------------------------------


def _settings(call: Call, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> tuple[list[int], ...]:
    """Sizes of the windows, steps and borders, for each axis."""
    if ceil_mode:
        raise call.refuse("with ceil_mode")
    count = int(call.name[-2])
    kernel = each(kernel_size, count)
    return kernel, each(stride or kernel, count), each(padding, count)


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average(
    call: Call, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    kernel, steps, border = _settings(call, kernel_size, stride, padding, ceil_mode)

    def means(values: Any) -> Any:
        return functions.average_pool(padded(values, border, border), kernel, steps)

    out: Array = means(x)
    if divisor_override is not None:
        return out * Fraction(int(np.prod(kernel)), divisor_override)
    return out if count_include_pad or not any(border) else out / _shares(x, kernel, steps, border)


def _shares(x: Array, kernel: Sequence[int], steps: Sequence[int], border: Sequence[int]) -> Any:
    """Which part of each window is no border."""
    share = np.array(Fraction(1), dtype=object)
    for size, k, s, p in zip(x.shape[-len(kernel) :], kernel, steps, border, strict=True):
        first = np.arange(0, size + 2 * p - k + 1, s) - p
        inside = np.minimum(first + k, size) - np.maximum(first, 0)
        share = share[..., None] * np.array([Fraction(n, k) for n in inside.tolist()], dtype=object)
    return share


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def _largest(
    call: Call, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Array:  # fmt: skip
    """A border repeats the entry beside it, which stands in the same windows, so that it is never larger."""
    kernel, steps, border = _settings(call, kernel_size, stride, padding, ceil_mode)
    if set(each(dilation, len(kernel))) == {1}:
        return functions.max_pool(padded(x, border, border, "edge"), kernel, steps)
    if any(border):
        raise call.refuse("with dilation and padding")
    found = functions.windows(x, kernel, steps, each(dilation, len(kernel)))
    return functions.maximum(found.reshape((*found.shape[: x.ndim], -1)))


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive_average(call: Call, x: Array, output_size: Any) -> Array:
    return _blocks(call, x, functions.average_pool)


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_largest(call: Call, x: Array, output_size: Any) -> tuple[Array, None]:
    return _blocks(call, x, functions.max_pool), None


def _blocks(call: Call, x: Array, pool: Callable[..., Array]) -> Array:
    """Pool equal blocks, of which each gives one result: they must fill the input."""
    count = int(call.name[-2])
    sizes, results = x.shape[-count:], call.shape[-count:]
    if any(size % result for size, result in zip(sizes, results, strict=True)):
        raise call.refuse("to sizes that do not divide those of its input")
    return pool(x, [size // result for size, result in zip(sizes, results, strict=True)])
