"""NumPy's functions that add up entries of arrays of a model, all or those that a mask leaves."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from clexact.programs.array import Array, symbols
from clexact.programs.dispatch import implements
from clexact.programs.rearrange import Axes, constant, diagonal, moveaxis, ravel


@implements(np.sum)
def _sum(a: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    return a.sum(axis, keepdims)


@implements(np.mean)
def _mean(a: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    count = prod(a.shape[each] for each in axes)
    if not count:
        raise ValueError("no entries have no mean.")
    return a.sum(axis, keepdims) * Fraction(1, count)


@implements(np.cumsum)
def _cumsum(a: Array, axis: int | None = None) -> Array:
    if axis is None:
        return _cumsum(ravel(a), 0)
    last = moveaxis(a, axis, -1)
    return moveaxis(last @ np.triu(np.ones((last.shape[-1],) * 2, dtype=int)), -1, axis)


@implements(np.trace)
def _trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return diagonal(a, offset, axis1, axis2).sum(-1)


@implements(np.tril)
def _tril(m: Array, k: int = 0) -> Array:
    return m * np.tril(np.ones(m.shape, dtype=int), k)


@implements(np.triu)
def _triu(m: Array, k: int = 0) -> Array:
    return m * np.triu(np.ones(m.shape, dtype=int), k)


@implements(np.where)
def _where(condition: Any, x: Any, y: Any) -> Array:
    chosen = np.asarray(constant(condition, "the condition of np.where")).astype(bool)
    a, b = symbols([x, y])
    chosen = np.broadcast_to(chosen, np.broadcast_shapes(chosen.shape, a.shape, b.shape))
    terms = [each * mask.astype(int) for each, mask in ((a, chosen), (b, ~chosen)) if not each.is_zero]
    return sum(terms[1:], terms[0]) if terms else a.symbol(np.zeros(chosen.shape, dtype=int))
