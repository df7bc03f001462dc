"""NumPy's functions that move entries of arrays of a model, repeat them, join them, or leave some out.

What moves along axes is a selection: the same function of NumPy, applied to the places along an axis, says which. So a
flip is that of 0, 1, ..., n - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from operator import index as integer
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from clexact.algebra.terms import Ints
from clexact.programs.array import Array, concatenate, symbols
from clexact.programs.dispatch import implements
from clexact.programs.places import Shape, places

Axes = int | Sequence[int] | None


def selected(a: Array, along: Mapping[int, Ints]) -> Array:
    """The entries at places along some of the axes, all along the others."""
    return a.select([np.asarray(along.get(axis, np.arange(n)), dtype=np.int64) for axis, n in enumerate(a.shape)])


def permuted(a: Array, order: Sequence[int]) -> Array:
    """The axes in this order."""
    return a if list(order) == list(range(a.ndim)) else a.transpose(tuple(order))


def constant(value: object, what: str) -> Any:
    """What is no array of a model; TypeError for one."""
    if isinstance(value, Array):
        raise TypeError(f"{what} must be constant, not an array of a model.")
    return value


# --- shapes ----------------------------------------------------------------------------------------------------------


@implements(np.shape)
def _shape(a: Array) -> Shape:
    return a.shape


@implements(np.ndim)
def _ndim(a: Array) -> int:
    return a.ndim


@implements(np.size)
def _size(a: Array, axis: int | None = None) -> int:
    return a.size if axis is None else a.shape[axis]


@implements(np.zeros_like)
def _zeros_like(a: Array) -> Array:
    return a.symbol(np.zeros(a.shape, dtype=int))


@implements(np.ones_like)
def _ones_like(a: Array) -> Array:
    return a.symbol(np.ones(a.shape, dtype=int))


@implements(np.reshape)
def _reshape(a: Array, shape: Any) -> Array:
    return a.reshape(shape)


@implements(np.ravel)
def ravel(a: Array) -> Array:
    """All entries, along one axis."""
    return a.reshape((a.size,))


@implements(np.expand_dims)
def _expand_dims(a: Array, axis: int | Sequence[int]) -> Array:
    return a.reshape(np.expand_dims(np.empty(a.shape, dtype=bool), axis).shape)


@implements(np.squeeze)
def _squeeze(a: Array, axis: Axes = None) -> Array:
    return a.reshape(np.empty(a.shape, dtype=bool).squeeze(axis).shape)  # type: ignore[arg-type]


@implements(np.transpose)
def _transpose(a: Array, axes: Sequence[int] | None = None) -> Array:
    return a.transpose() if axes is None else a.transpose(tuple(axes))


@implements(np.matrix_transpose)
def _matrix_transpose(x: Array) -> Array:
    return _swapaxes(x, -1, -2)


@implements(np.swapaxes)
def _swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    order = list(range(a.ndim))
    i, j = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    order[i], order[j] = j, i
    return permuted(a, order)


@implements(np.moveaxis)
def moveaxis(a: Array, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """As ``numpy.moveaxis``."""
    sources, targets = normalize_axis_tuple(source, a.ndim), normalize_axis_tuple(destination, a.ndim)
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis takes equally many axes to equally many, not {len(sources)} to {len(targets)}.")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return permuted(a, order)


def merged(a: Array, axis: Axes) -> tuple[Array, Shape]:
    """Some of the axes (None: all) as one, the last; and the shape in which they are of size 1."""
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    kept = tuple(1 if n in axes else size for n, size in enumerate(a.shape))
    if len(axes) == 1:
        return moveaxis(a, axes[0], -1), kept
    others = [n for n in range(a.ndim) if n not in axes]
    last = permuted(a, [*others, *sorted(axes)])
    return last.reshape((*last.shape[: len(others)], prod(last.shape[len(others) :]))), kept


@implements(np.broadcast_to)
def broadcast_to(array: Array, shape: int | Sequence[int]) -> Array:
    """As ``numpy.broadcast_to``."""
    wide = np.broadcast_to(np.empty(array.shape, dtype=bool), shape).shape
    a = array.reshape((1,) * (len(wide) - array.ndim) + array.shape)
    return selected(a, {axis: np.zeros(n, int) for axis, n in enumerate(wide) if a.shape[axis] != n})


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any) -> tuple[Array, ...]:
    arrays = symbols(args)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(broadcast_to(a, shape) for a in arrays)


# --- selections ------------------------------------------------------------------------------------------------------


@implements(np.flip)
def _flip(m: Array, axis: Axes = None) -> Array:
    axes = normalize_axis_tuple(range(m.ndim) if axis is None else axis, m.ndim)
    return selected(m, {each: np.arange(m.shape[each])[::-1] for each in axes})


@implements(np.roll)
def _roll(a: Array, shift: int | Sequence[int], axis: Axes = None) -> Array:
    if axis is None:
        return _roll(ravel(a), shift, 0).reshape(a.shape)
    along: dict[int, Ints] = {}
    for step, each in np.broadcast(shift, axis):
        axis = normalize_axis_index(each, a.ndim)
        along[axis] = np.roll(along.get(axis, np.arange(a.shape[axis])), step)
    return selected(a, along)


@implements(np.repeat)
def repeat(a: Array, repeats: int | Sequence[int], axis: int | None = None) -> Array:
    """As ``numpy.repeat``."""
    if axis is None:
        return repeat(ravel(a), repeats, 0)
    axis = normalize_axis_index(axis, a.ndim)
    return selected(a, {axis: np.repeat(np.arange(a.shape[axis]), constant(repeats, "how often to repeat"))})


@implements(np.tile)
def _tile(A: Array, reps: int | Sequence[int]) -> Array:
    times = [reps] if isinstance(reps, (int, np.integer)) else list(reps)
    ndim = max(A.ndim, len(times))
    a, times = A.reshape((1,) * (ndim - A.ndim) + A.shape), [1] * (ndim - len(times)) + times
    return a.select([np.tile(np.arange(n), t) for n, t in zip(a.shape, times, strict=True)])


@implements(np.take)
def _take(a: Array, indices: Any, axis: int | None = None) -> Array:
    if axis is None:
        return _take(ravel(a), indices, 0)
    axis = normalize_axis_index(axis, a.ndim)
    return selected(a, {axis: np.take(np.arange(a.shape[axis]), constant(indices, "the indices of take"))})


@implements(np.take_along_axis)
def _take_along_axis(arr: Array, indices: Any, axis: int | None = -1) -> Array:
    index = np.take_along_axis(places(arr.shape), constant(indices, "the indices of take_along_axis"), axis)
    return arr.then("take", index.shape, np.asarray(index, dtype=np.int64))


@implements(np.diagonal)
def diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """As ``numpy.diagonal``: of merged axes, every entry after the width and one more."""
    a = moveaxis(a, (axis1, axis2), (-2, -1))
    *stack, rows, columns = a.shape
    place = np.diagonal(places((rows, columns)), offset)
    return selected(a.reshape((*stack, rows * columns)), {len(stack): place})


@implements(np.array_split)
def _array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    axis = normalize_axis_index(axis, ary.ndim)
    parts = np.array_split(np.arange(ary.shape[axis]), constant(indices_or_sections, "where to split"))
    return [selected(ary, {axis: part}) for part in parts]


@implements(np.split)
def _split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    if np.ndim(indices_or_sections) == 0 and ary.shape[axis] % integer(indices_or_sections):
        raise ValueError(f"{ary.shape[axis]} entries do not make {indices_or_sections} equal parts.")
    return _array_split(ary, indices_or_sections, axis)


# --- joining ---------------------------------------------------------------------------------------------------------


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Array:
    return concatenate([ravel(a) for a in symbols(arrays)] if axis is None else arrays, axis or 0)


@implements(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Array:
    """As ``numpy.stack``."""
    parts = symbols(arrays, "stack")
    if len({part.shape for part in parts}) > 1:
        raise ValueError(f"stack takes arrays of one shape, not {' and '.join(str(part.shape) for part in parts)}.")
    return concatenate([_expand_dims(part, axis) for part in parts], axis)


@implements(np.vstack)
def _vstack(tup: Sequence[Any]) -> Array:
    return concatenate([a if a.ndim > 1 else a.reshape((1, a.size)) for a in symbols(tup, "vstack")])


@implements(np.hstack)
def _hstack(tup: Sequence[Any]) -> Array:
    parts = [a if a.ndim else a.reshape((1,)) for a in symbols(tup, "hstack")]
    return concatenate(parts, int(parts[0].ndim > 1))


@implements(np.pad)
def pad(array: Array, pad_width: Any, mode: str = "constant", constant_values: object = 0) -> Array:
    """As ``numpy.pad``: with one constant, or in the modes that repeat entries."""
    widths = np.broadcast_to(np.asarray(pad_width, dtype=object), (array.ndim, 2)).tolist()
    if any(integer(width) < 0 for pair in widths for width in pair):
        raise ValueError(f"the widths of pad must be at least 0, not {pad_width!r}.")
    if mode == "constant":
        for axis, pair in enumerate(widths):
            array = _fenced(array, axis, pair, constant_values)
        return array
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"the modes of pad are constant, edge, reflect, symmetric and wrap, not {mode!r}.")
    return array.select(
        [np.pad(np.arange(n), pair, mode=mode) for n, pair in zip(array.shape, widths, strict=True)]  # type: ignore[call-overload]
    )


def _fenced(a: Array, axis: int, widths: Sequence[int], value: object) -> Array:
    """A constant before and after, along an axis."""
    shapes = [(*a.shape[:axis], width, *a.shape[axis + 1 :]) for width in widths]
    before, after = (np.full(shape, value, dtype=object) for shape in shapes)
    parts = [part for part in (before, a, after) if part is a or np.size(part)]
    return concatenate(parts, axis) if len(parts) > 1 else a
