"""Parameters seen as stacks of matrices: how a family of laws names its entries, without listing them.

A term reads NumPy arrays, of any numbers, and PyTorch's tensors alike; axes in front of those of the parameter are
batches, which all that it returns has too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.places import Shape, corner, places

SHOWN = 12  # entries of an index that are written out


@dataclass(frozen=True)
class View:
    """A parameter, or a slice of it, seen as matrices (group, unit, rest); a view of its memory.

    Entries ``start`` to ``stop``, or those of ``index``, along ``axis``, their axes split into ``shape``. Only
    ``index`` takes a copy.

    Attributes
    ----------
    shape : tuple of int
        Of the slice, its axes split.
    group : tuple of int
        The axes that number the matrices.
    unit : int or None
        The axis that numbers their rows; None: one row. All others, together, number their columns.
    axis : int or None
        Along which the slice is taken; None: of the flat parameter.
    start : int
        Where the slice starts.
    stop : int or None
        Where it stops; None: at the end.
    index : tuple of int or None
        The entries chosen, instead.

    Examples
    --------
    >>> heads = View((2, 3, 4), (0,), 1)  # two heads of three rows
    >>> heads.groups, heads.rows, heads.columns
    (2, 3, 4)
    """

    shape: tuple[int, ...]
    group: tuple[int, ...]
    unit: int | None
    axis: int | None = 0
    start: int = 0
    stop: int | None = None
    index: tuple[int, ...] | None = None

    @property
    def groups(self) -> int:
        """Number of matrices."""
        return prod(self.shape[axis] for axis in self.group)

    @property
    def rows(self) -> int:
        """Rows of each matrix."""
        return 1 if self.unit is None else self.shape[self.unit]

    @property
    def columns(self) -> int:
        """Columns of each matrix."""
        return prod(self.shape[axis] for axis in self.rest)

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """The axes that number matrices and rows."""
        return (*self.group, *(() if self.unit is None else (self.unit,)))

    @cached_property
    def rest(self) -> tuple[int, ...]:
        """The axes of the columns."""
        return tuple(axis for axis in range(len(self.shape)) if axis not in self.kept)

    def split(self, array: Any, lead: int = 0) -> Any:
        """The slice with its axes split: no copy where the array is contiguous.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The whole parameter.
        lead : int
            How many axes, in front, number the entries of a batch.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, *shape).

        Examples
        --------
        >>> View((2, 1), (), 0, axis=0, start=1, stop=3).split(np.arange(4))
        array([[1],
               [2]])
        """
        batch = tuple(array.shape[:lead])
        if self.axis is None:
            array = array.reshape((*batch, -1))
        place = lead + (self.axis or 0)
        before = (slice(None),) * place
        if self.index is not None:
            array = array[(*before, list(self.index))]
        elif self.axis is not None and self.stop is not None and self.stop - self.start < array.shape[place]:
            array = array[(*before, slice(self.start, self.stop))]
        return array.reshape((*batch, *self.shape))

    def matrices(self, array: Any, lead: int = 0) -> Any:
        """The matrices of a parameter.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.
        lead : int
            How many axes, in front, number the entries of a batch.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups, rows, columns).

        Examples
        --------
        >>> View((2, 3, 4), (0,), 2).matrices(np.zeros((2, 3, 4))).shape
        (2, 4, 3)
        """
        turned = self._turned(self.split(array, lead), lead)
        return turned.reshape((*array.shape[:lead], self.groups, self.rows, self.columns))

    def _turned(self, part: Any, lead: int) -> Any:
        """The axes of ``split`` with those of the columns last."""
        return _permuted(part, (*range(lead), *(lead + axis for axis in (*self.kept, *self.rest))))


@dataclass(frozen=True)
class Term:
    """A part of a law: ``coefficient`` times the square of a parameter, its sum, or its product with its velocity.

    Attributes
    ----------
    parameter : str
        Its name.
    coefficient : int
        By which it is multiplied.
    view : View
        How it is seen as matrices.
    shape : tuple of int, optional
        Of the parameter; if it is not said, that of the view.
    velocity : str
        The name of its velocities, where the law speaks of them: of them alone, or of their product with it.
    power : int
        Of the clock, by which the term is multiplied.
    linear : bool
        Whether sums of rows stand where the law has their squares: of parameters that a mirror flow keeps positive.

    Examples
    --------
    >>> term = Term("fc.weight", -1, View((2, 3), (), 0))
    >>> term.written, term.norms(np.ones((2, 3)))
    ('fc.weight', array([3., 3.]))
    """

    parameter: str
    coefficient: int
    view: View
    shape: tuple[int, ...] | None = None  # of the parameter; if it is not said, that of the view
    velocity: str = field(default="", kw_only=True)
    power: int = field(default=0, kw_only=True)
    linear: bool = field(default=False, kw_only=True)

    @property
    def written(self) -> str:
        """The parameter and what of it is meant: its slice."""
        view = self.view
        if view.index is not None:
            some = ", ".join(map(str, view.index[:SHOWN])) + ", ..." * (len(view.index) > SHOWN)
            before = ".flatten()[" if view.axis is None else f"[{':, ' * view.axis}"
            return f"{self.parameter}{before}[{some}]]"
        part = "" if view.stop is None or view.axis is None else f"[{':, ' * view.axis}{view.start}:{view.stop}]"
        return f"{self.parameter}{part}"

    def gram(self, array: Any, other: Any = None) -> Any:
        """The symmetric part of P Q^T for the matrices P of one array and Q of the other.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.
        other : numpy.ndarray or torch.Tensor, optional
            Another; default: the same.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups, rows, rows).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).gram(np.array([[1, 2], [0, 1]]))
        array([[[5, 2],
                [2, 1]]])
        """
        p = self.matrices(array)
        if other is None:
            return p @ p.mT
        product = p @ self.matrices(other).mT
        return (product + product.mT) / 2

    def turning(self, array: Any, velocity: Any) -> Any:
        """P Q^T - Q P^T for the matrices P of the parameter and Q of its velocities.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter.
        velocity : numpy.ndarray or torch.Tensor
            Its velocities.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups, rows, rows).

        Examples
        --------
        >>> Term("W", 1, View((2, 1), (), 0)).turning(np.array([[1], [2]]), np.array([[3], [4]]))
        array([[[ 0, -2],
                [ 2,  0]]])
        """
        product = self.matrices(array) @ self.matrices(velocity).mT
        return product - product.mT

    @property
    def whole(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        return self.view.shape if self.shape is None else self.shape

    def _lead(self, array: Any) -> int:
        """How many axes in front number a batch; none where the shape of the parameter is not said."""
        return 0 if self.shape is None else len(array.shape) - len(self.shape)

    def norms(self, array: Any, other: Any = None) -> Any:
        """The product of each row with that of the other array.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.
        other : numpy.ndarray or torch.Tensor, optional
            Another; default: the same, so squared norms.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups * rows).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).norms(np.array([[1, 2], [0, 1]]))
        array([5, 1])
        """
        return self.totals(array * (array if other is None else other))

    def totals(self, array: Any) -> Any:
        """The sum of each row.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups * rows).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).totals(np.array([[1, 2], [0, 1]]))
        array([3, 1])
        """
        rest, first, lead = self.view.rest, min(self.view.kept, default=0), self._lead(array)
        part = self.view.split(array, lead)
        outer = tuple(lead + axis for axis in rest if axis < first)
        if outer:  # the outer axes first: the inner loop then runs along the memory
            part = part.sum(axis=outer, keepdims=True)
        if len(outer) < len(rest):
            part = part.sum(axis=tuple(lead + axis for axis in rest if axis >= first), keepdims=True)
        return self.view._turned(part, lead).reshape((*array.shape[:lead], -1))

    def sums(self, array: Any) -> Any:
        """The sum over the rows.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups * columns).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).sums(np.array([[1, 2], [0, 1]]))
        array([1, 3])
        """
        lead = self._lead(array)
        part = self.view.split(array, lead)
        if self.view.unit is not None:
            part = part.sum(axis=(lead + self.view.unit,), keepdims=True)
        return self.view._turned(part, lead).reshape((*array.shape[:lead], -1))

    def square(self, array: Any, other: Any = None) -> Any:
        """The product of the sum over the rows with that of the other array.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.
        other : numpy.ndarray or torch.Tensor, optional
            Another; default: the same.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (*batch, groups).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).square(np.array([[1, 2], [0, 1]]))
        array([10])
        """
        sums = self.sums(array)
        product = sums * (sums if other is None else self.sums(other))
        return product.reshape((*product.shape[:-1], self.view.groups, self.view.columns)).sum(-1)

    def matrices(self, array: Any) -> Any:
        """The matrices P that the view sees.

        Parameters
        ----------
        array : numpy.ndarray or torch.Tensor
            The parameter, or an array of its shape.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            Of shape (groups, rows, columns).

        Examples
        --------
        >>> Term("W", 1, View((2, 3, 4), (0,), 2)).matrices(np.zeros((2, 3, 4))).shape
        (2, 4, 3)
        """
        return self.view.matrices(array, self._lead(array))

    @property
    def entries(self) -> Ints:
        """Flat places in the parameter: (groups, rows, columns)."""
        found: Ints = self.matrices(places(self.whole))
        return found


def _permuted(array: Any, axes: Sequence[int]) -> Any:
    """With its axes in this order."""
    return array.permute(axes) if hasattr(array, "permute") else np.transpose(array, axes)


# -- from entries to views --------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """Places that follow each other at equal distance: ``size`` of them, ``stride`` apart."""

    size: int
    stride: int


def view_of(entries: Ints, shape: Shape, whole: Sequence[int] = ()) -> View:
    """The view of a parameter whose matrices hold these flat places: (groups, rows, columns).

    Along the axes ``whole`` all entries are meant, those given being the first.
    """
    return _strided(entries, shape, whole) or _indexed(entries, shape, whole)


def _indexed(entries: Ints, shape: Shape, whole: Sequence[int]) -> View:
    """Entry by entry; by places along one axis, if along all others the entries are meant."""
    if len(whole) == len(shape) - 1:
        return _along(entries, shape, *set(range(len(shape))) - set(whole))
    table = corner(shape, [size if axis in whole else 1 for axis, size in enumerate(shape)]).ravel()
    entries = (entries[..., None] + table).reshape(*entries.shape[:2], -1)
    groups, rows, columns = entries.shape
    index = tuple(entries.ravel().tolist())
    if rows == 1:
        return View((groups, columns), (0,), None, None, index=index)
    return View((groups, rows, columns), (0,), 1, None, index=index)


def _along(entries: Ints, shape: Shape, axis: int) -> View:
    """By their places along an axis."""
    chosen = np.unravel_index(entries, shape)[axis]
    sizes = [n for n in chosen.shape if n > 1] or [1]
    place = [axis + sum(m > 1 for m in chosen.shape[:n]) for n in range(2)]
    return View(
        (*shape[:axis], *sizes, *shape[axis + 1 :]),
        (place[0],) if chosen.shape[0] > 1 else (),
        place[1] if chosen.shape[1] > 1 else None,
        axis,
        index=tuple(chosen.ravel().tolist()),
    )


def _strided(entries: Ints, shape: Shape, whole: Sequence[int]) -> View | None:
    """As one slice whose axes are split, where that is what the entries are."""
    found = _slice(entries, shape, whole)
    if found is None:
        return None
    axis, start, stop, sliced, local = found
    groups, rows = _steps(local[:, 0, 0]), _steps(local[0, :, 0])
    if groups is None or rows is None or len(rows) > 1:
        return None
    own = [(step.stride, step.stride * step.size) for step in (*groups, *rows)]
    strides = [prod(sliced[n:]) for n in range(len(sliced) + 1)]
    cuts = {s for s in strides if not any(low < s < high for low, high in own)} | {s for pair in own for s in pair}
    order = sorted(cuts, reverse=True)
    if any(high % low for high, low in pairwise(order)):
        return None
    axes = [_Step(high // low, low) for high, low in pairwise(order)]
    if not set(axes) >= {*groups, *rows}:
        return None
    meant = {prod(sliced[n + 1 :]) for n in whole}  # the strides of axes of which the first entries are given
    rest = [step for step in axes if step not in (*groups, *rows) and step.stride not in meant]
    if not _filled(local, groups, rows, rest):
        return None
    axes = [step for step in axes if step.size > 1]
    split, place = tuple(step.size for step in axes), list(range(len(axes)))
    if split == tuple(size for size in sliced if size > 1):  # as the parameter has them, those of size 1 too
        split, place = sliced, [n for n, size in enumerate(sliced) if size > 1]
    group, unit = (tuple(place[axes.index(step)] for step in steps) for steps in (groups, rows))
    return View(split, group, unit[0] if unit else None, axis, start, stop)


def _slice(entries: Ints, shape: Shape, whole: Sequence[int]) -> tuple[int, int, int | None, Shape, Ints] | None:
    """(axis, start, stop, shape of the slice, places in it) if the entries are all of one slice along one axis."""
    if not entries.size or entries.size * prod(shape[axis] for axis in whole) > prod(shape):
        return None
    along = np.unravel_index(entries, shape) if shape else ()
    spans = [(0, shape[n]) if n in whole else (int(x.min()), int(x.max()) + 1) for n, x in enumerate(along)]
    partial = [n for n, span in enumerate(spans) if span != (0, shape[n])]
    sliced = tuple(stop - start for start, stop in spans)
    if len(partial) > 1 or entries.size * prod(shape[axis] for axis in whole) != prod(sliced):
        return None
    local = np.zeros(entries.shape, dtype=np.int64)
    for (start, _), size, x in zip(spans, sliced, along, strict=True):
        local = local * size + (x - start)
    axis = partial[0] if partial else 0
    start, stop = spans[axis] if partial else (0, None)
    return axis, start, stop, sliced, local


def _steps(places: Ints) -> list[_Step] | None:
    """The steps, outer ones first, by which places follow each other from the first; None if they do not so."""
    found, seen = list[_Step](), places
    while len(seen) > 1:
        stride = int(seen[1] - seen[0])
        changes = np.flatnonzero(np.diff(seen) != stride)
        size = int(changes[0]) + 1 if len(changes) else len(seen)
        if stride < 1 or len(seen) % size or size == 1:
            return None
        found.insert(0, _Step(size, stride))
        seen = seen[::size]
    return found if np.array_equal(_grid(found), places - places[0]) else None


def _grid(steps: Sequence[_Step]) -> Ints:
    """All sums of steps, the last ones fastest."""
    out = np.zeros(1, dtype=np.int64)
    for step in steps:
        out = (out[:, None] + step.stride * np.arange(step.size)).ravel()
    return out


def _filled(local: Ints, groups: Sequence[_Step], rows: Sequence[_Step], rest: Sequence[_Step]) -> bool:
    """Whether each row of each group holds the same columns, moved: all of those that are left."""
    base = _grid(groups)[:, None] + _grid(rows)
    columns = local - base[:, :, None]
    return bool(np.all(columns == columns[:1, :1])) and np.array_equal(np.sort(columns[0, 0]), _grid(rest))
