"""Rules of convolutions."""

from __future__ import annotations

from collections.abc import Sequence
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
