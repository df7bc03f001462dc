"""Flat places of entries of arrays: places in one array of what stands at places in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints

Shape = tuple[int, ...]
Mask = NDArray[np.bool_]


def places(shape: Shape) -> Ints:
    """The array of this shape that holds the flat place of each entry."""
    return np.arange(prod(shape)).reshape(shape)


def offsets(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """The place of the first entry of each array where all are one vector."""
    ends = accumulate(map(prod, shapes.values()), initial=0)
    return dict(zip(shapes, ends, strict=False))


def corner(shape: Shape, counts: Sequence[int]) -> Ints:
    """The places of the entries whose index along each axis is below a number: of shape ``counts``."""
    steps = [prod(shape[n + 1 :]) * np.arange(count) for n, count in enumerate(counts)]
    return np.asarray(sum(np.ix_(*steps), start=np.zeros((1,) * len(steps), dtype=np.int64)))


class OuterIndex(NamedTuple):
    """Places along each axis, an array of them: x[i, j, ...] for all i in the first, all j in the second, and so on.

    The axes of the result are those of all the arrays: none where one place is selected, two for windows.
    """

    source: Shape
    along: tuple[Ints, ...]

    @property
    def shape(self) -> Shape:
        """Of the result."""
        return tuple(size for index in self.along for size in index.shape)

    @property
    def sizes(self) -> Shape:
        """How many places are selected along each axis."""
        return tuple(index.size for index in self.along)

    @property
    def firsts(self) -> list[int]:
        """For each axis of the source, the first of the axes of the result that come from it."""
        return [0, *accumulate(index.ndim for index in self.along)][:-1]

    def whole(self, axis: int) -> bool:
        """Whether an axis is passed on as it is."""
        index = self.along[axis]
        return index.ndim == 1 and np.array_equal(index, np.arange(self.source[axis]))

    @property
    def table(self) -> Ints:
        """Flat places in the source, in the shape of the result."""
        out, step = np.zeros(self.shape, dtype=np.int64), prod(self.source)
        for index, size, first in zip(self.along, self.source, self.firsts, strict=True):
            step //= max(1, size)
            later = out.ndim - first - index.ndim
            out += step * index.reshape(index.shape + (1,) * later)
        return out


def raveled(coordinates: Sequence[Ints], shape: Shape, count: int) -> Ints:
    """Flat places of ``count`` entries."""
    if not shape:
        return np.zeros(count, dtype=np.int64)
    return np.asarray(np.ravel_multi_index(tuple(coordinates), shape), dtype=np.int64)


def unraveled(place: Ints, shape: Shape) -> list[Ints]:
    """The coordinates of flat places, one array for each axis."""
    return list(np.unravel_index(place, shape)) if shape else []


def product_rows(x: NDArray[Any]) -> NDArray[Any]:
    """The left factor of a matrix product, in the axes (*stack, row, column, contracted)."""
    return x[..., :, None, :]


def product_columns(x: NDArray[Any]) -> NDArray[Any]:
    """The right factor, in the same axes."""
    return np.swapaxes(x, -1, -2)[..., None, :, :]


def projected(place: Ints, shape: Shape, own: Shape) -> Ints:
    """Places in an operand of shape ``own``, of places in a result to which it is broadcast."""
    if own == shape:
        return place
    at = unraveled(place, shape)
    return raveled([c if size > 1 else 0 * c for c, size in zip(at, own, strict=True)], own, len(place))


def any_repeated(mask: Mask, shape: Shape) -> Mask:
    """Whether any of the entries that repeat an entry of an operand of this shape."""
    for axis, size in enumerate(shape):
        if mask.shape[axis] != size:
            mask = np.logical_or.reduce(mask, axis=axis, keepdims=True)
    return mask


def table(mask: Mask) -> tuple[Ints, Ints]:
    """(where each row begins, members): the columns in which each row of a mask is true."""
    start = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return start, np.nonzero(mask)[1]


def rows_of(index: Ints, chosen: Mask, size: int) -> tuple[Ints, Ints]:
    """(where each row begins, members): the places chosen at which an index array holds 0, 1, ..., size - 1."""
    order = np.argsort(index, kind="stable")
    order = order[chosen[order]]
    return np.searchsorted(index[order], np.arange(size + 1)), order
