"""Rules of interpolation: matrices along each axis, of the weights that entries have in results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clexact.programs.array import Array
from clexact.programs.rearrange import moveaxis, selected
from clexact.torch.translation.rule import Call, rule


def along(x: Array, axis: int, matrix: NDArray[Any]) -> Array:
    """The entries along an axis, as a row, times a constant matrix."""
    return moveaxis(moveaxis(x, axis, -1) @ matrix, -1, axis)


@rule(
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
)  # fmt: skip
def _nearest(call: Call, x: Array, **sizes: Any) -> Array:
    """PyTorch moves the places along each axis."""
    places = {}
    for axis, size in enumerate(x.shape[2:], 2):
        numbers = torch.arange(size, dtype=torch.float64).reshape(-1, *[1] * (x.ndim - axis - 1))
        moved = call.target(numbers.expand(1, 1, *x.shape[2:]), **sizes)
        places[axis] = moved.movedim(axis, -1).reshape(-1, moved.shape[axis])[0].long().numpy()
    return selected(x, places)


@rule("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d")
def _interpolated(
    call: Call, x: Array, output_size: Any, align_corners: bool, scale_factors: Any = None, **scales: Any
) -> Array:  # fmt: skip
    given = scale_factors or list(scales.values()) or [None] * (x.ndim - 2)
    for axis, (size, result, factor) in enumerate(zip(x.shape[2:], call.shape[2:], given, strict=True), 2):
        points = [_point(n, size, result, align_corners, factor) for n in range(result)]
        x = along(x, axis, _weights(size, points, _cubic if "cubic" in call.name else _linear))
    return x


def _point(n: int, size: int, count: int, align_corners: bool, factor: float | None) -> Fraction:
    """Where the n-th of so many points lies among the places of an axis."""
    if align_corners:
        return Fraction(n * (size - 1), max(1, count - 1))
    step = Fraction(size, count) if factor is None else 1 / Fraction(factor)
    return (n + Fraction(1, 2)) * step - Fraction(1, 2)


def _weights(size: int, points: Sequence[Fraction], near: Callable[[Fraction], list[Fraction]]) -> NDArray[Any]:
    """Of the entries beside each point; beyond an end, the last entry stands."""
    weights = np.full((size, len(points)), Fraction(0), dtype=object)
    for n, point in enumerate(points):
        found = near(point - floor(point))
        for k, weight in enumerate(found, floor(point) - len(found) // 2 + 1):
            weights[min(max(k, 0), size - 1), n] += weight
    return weights


def _linear(t: Fraction) -> list[Fraction]:
    return [1 - t, t]


def _cubic(t: Fraction) -> list[Fraction]:
    """The kernel of Keys (1981), with A = -3/4, at distances 1 + t, t, 1 - t, 2 - t."""
    a = Fraction(-3, 4)
    inner = [(a + 2) * s**3 - (a + 3) * s**2 + 1 for s in (t, 1 - t)]
    outer = [a * (s**3 - 5 * s**2 + 8 * s - 4) for s in (1 + t, 2 - t)]
    return [outer[0], *inner, outer[1]]
