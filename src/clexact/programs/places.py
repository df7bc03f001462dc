"""Flat places of entries of arrays: places in one array of what stands at places in another."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Shape

Mask = NDArray[np.bool_]


def places(shape: Shape) -> Ints:
    """The array of this shape that holds the flat place of each entry."""
    return np.arange(prod(shape)).reshape(shape)


def raveled(coordinates: Sequence[Ints], shape: Shape, count: int) -> Ints:
    """Flat places of ``count`` entries."""
    if not shape:
        return np.zeros(count, dtype=np.int64)
    return np.asarray(np.ravel_multi_index(tuple(coordinates), shape), dtype=np.int64)


def unraveled(place: Ints, shape: Shape) -> list[Ints]:
    """The coordinates of flat places, one array for each axis."""
    return list(np.unravel_index(place, shape)) if shape else []


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
