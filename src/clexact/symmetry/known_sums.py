r"""Which sums of entries along axes are known numbers: 0 after a mean is subtracted, 1 after a softmax.

An algebra for programs. A total is known by what it is the total of, so that $x - \bar x$ and $y / \sum y$ are
recognised however they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Number
from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra
from clexact.programs.places import OuterIndex, Shape
from clexact.programs.program import LEAVES, Program
from clexact.symmetry.grading import matching

Axes = tuple[int, ...]  # increasing, none of size 1
Sums = Mapping[Axes, Number]  # {axes: the number to which the entries along them add up, wherever on the others}


@dataclass(frozen=True)
class Total:
    """``factor`` times the sum along axes of the array of this number and shape."""

    number: int
    shape: Shape
    axes: Axes
    factor: Number = 1

    @property
    def kept(self) -> Shape:
        """Its own shape, where these axes stay with one entry."""
        return tuple(1 if n in self.axes else size for n, size in enumerate(self.shape))


@dataclass(frozen=True)
class Known:
    """An array: what is known of its sums, what it is a total of, or one over such, the number that all entries are.

    Arrays of one number have the same entries in the same order. ``centred``: the number of an array and an axis along
    which it is that array less its mean.
    """

    shape: Shape
    number: int
    sums: Sums
    total: Total | None = None
    inverse: Total | None = None
    centred: tuple[int, int] | None = None
    value: Number | None = None

    def along(self, axes: Axes, shape: Shape) -> Number | None:
        """The sum along axes, broadcast to a shape."""
        if self.value is not None:
            return self.value * prod(shape[axis] for axis in axes)
        return self.sums.get(axes) if all(self.shape[axis] == shape[axis] for axis in axes) else None

    def still(self, axes: Axes) -> bool:
        """Whether it is the same along axes."""
        return self.value is not None or all(self.shape[axis] == 1 for axis in axes)


class KnownSums(Algebra[Known]):
    """The algebra of known sums."""

    def __init__(self) -> None:
        self._numbers = count()

    def made(self, shape: Shape, sums: Sums | None = None) -> Known:
        """An array of a new number."""
        return Known(shape, next(self._numbers), sums or {})

    def constant(self, value: NDArray[Any]) -> Known:
        sums = dict[Axes, Number]()
        for axis in (axis for axis, size in enumerate(value.shape if value.size else ()) if size > 1):
            along = value.sum(axis=axis, keepdims=True).ravel()
            if np.all(along == along[0]):
                sums[axis,] = along[0]
        same = bool(value.size) and bool(np.all(value == value.ravel()[0]))
        return replace(self.made(value.shape, sums), value=value.ravel()[0] if same else None)

    def add(self, a: Known, b: Known) -> Known:
        shape = np.broadcast_shapes(a.shape, b.shape)
        pairs = {axes: (a.along(axes, shape), b.along(axes, shape)) for axes in (*a.sums, *b.sums)}
        sums = {axes: x + y for axes, (x, y) in pairs.items() if x is not None and y is not None}
        centred = None
        for one, other in ((a, b), (b, a)):
            axes = _summed(one, other, other.total)
            if axes and other.total and prod(shape[axis] for axis in axes) * other.total.factor == -1:
                sums[axes] = 0
                centred = (one.number, axes[0]) if axes == other.total.axes and one.shape == other.total.shape else None
        return replace(self.made(shape, sums), centred=centred)

    def multiply(self, a: Known, b: Known) -> Known:
        """Times a number; times what does not vary along the axes, where sums vanish; over its own sum."""
        shape, sums, total = np.broadcast_shapes(a.shape, b.shape), dict[Axes, Number](), None
        for one, other in ((a, b), (b, a)):
            found = {axes: one.along(axes, shape) for axes in one.sums}
            factor = other.value
            sums |= {axes: c * factor for axes, c in found.items() if c is not None and factor is not None}
            sums |= {axes: 0 for axes, c in found.items() if c == 0 and other.still(axes)}
            if one.total and factor and one.shape == shape:
                total = replace(one.total, factor=one.total.factor * factor)
            if other.inverse and (divided := _summed(one, other, other.inverse)):
                sums[divided] = 1 / Fraction(other.inverse.factor)
        return replace(self.made(shape, sums), total=total)

    def matmul(self, a: Known, b: Known) -> Known:
        """Sums of columns of a product are those of columns of the right factor, summed on; likewise of rows."""
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        row, column, sums = len(shape) - 2, len(shape) - 1, dict[Axes, Number]()
        for one, outer, other, inner in ((b, column, a, column), (a, row, b, row)):
            outside = one.sums.get((outer,))
            inside = 0 if outside == 0 else other.sums.get((inner,))
            if outside is not None and inside is not None:
                sums[outer,] = outside * inside
        return self.made(shape, sums)

    def transpose(self, a: Known, axes: tuple[int, ...]) -> Known:
        place = {axis: n for n, axis in enumerate(axes)}
        return self.made(tuple(a.shape[axis] for axis in axes), _renamed(a.sums, place))

    def reshape(self, a: Known, shape: Shape) -> Known:
        groups = matching(a.shape, shape) if prod(shape) else []
        sums = {}
        for axes, c in a.sums.items():
            met = [(before, after) for before, after in groups if set(before) & set(axes)]
            if {axis for before, _ in met for axis in before if a.shape[axis] > 1} == set(axes):
                sums[tuple(axis for _, after in met for axis in after if shape[axis] > 1)] = c
        return replace(a, shape=shape, sums=sums, centred=None)

    def select(self, a: Known, chosen: OuterIndex) -> Known:
        """Sums along axes that are passed on whole."""
        place = {axis: first for axis, first in enumerate(chosen.firsts) if chosen.whole(axis)}
        whole = {axes: c for axes, c in a.sums.items() if set(axes) <= place.keys()}
        return self.made(chosen.shape, _renamed(whole, place))

    def take(self, a: Known, index: Ints) -> Known:
        return self.made(index.shape)

    def concatenate(self, parts: list[Known], axis: int) -> Known:
        """Sums that all parts have, along other axes."""
        shape = (*parts[0].shape[:axis], sum(part.shape[axis] for part in parts), *parts[0].shape[axis + 1 :])
        alike = {
            axes: c
            for axes, c in parts[0].sums.items()
            if axis not in axes and all(part.along(axes, shape) == c for part in parts)
        }
        return self.made(shape, alike)

    def sum(self, a: Known, axis: int) -> Known:
        shape = a.shape[:axis] + a.shape[axis + 1 :]
        place = {n: n - (n > axis) for n in range(len(a.shape)) if n != axis}
        left = {axes: c * a.shape[axis] for axes, c in a.sums.items() if axis not in axes}
        left |= {tuple(n for n in axes if n != axis): c for axes, c in a.sums.items() if axis in axes and len(axes) > 1}
        return replace(self.made(shape, _renamed(left, place)), total=_totalled(a, axis))

    def function(self, a: Known, name: str) -> Known:
        return replace(self.made(a.shape), inverse=a.total if name == "reciprocal" else None)

    def softmax(self, a: Known, axis: int) -> Known:
        return self.made(a.shape, {(axis,): 1})


def _renamed(sums: Sums, place: Mapping[int, int]) -> Sums:
    return {tuple(sorted(place[axis] for axis in axes)): c for axes, c in sums.items()}


def _summed(a: Known, b: Known, total: Total | None) -> Axes:
    """The axes of a along which b has its total, which it meets entry by entry; none if it is not known that it has."""
    if not total or total.number != a.number:
        return ()
    every = prod(total.kept) == 1 == prod(b.shape)  # whatever the shape of a
    if not every and (total.shape != a.shape or total.kept != b.shape):
        return ()
    axes = range(len(a.shape)) if every else total.axes
    return tuple(axis for axis in axes if a.shape[axis] > 1)


def _totalled(a: Known, axis: int) -> Total:
    """The sum along an axis: of an array, or of one that was summed along others."""
    if a.total:
        rest = [n for n in range(len(a.total.shape)) if n not in a.total.axes]
        if a.shape == tuple(a.total.shape[n] for n in rest):
            return replace(a.total, axes=tuple(sorted((*a.total.axes, rest[axis]))))
    return Total(a.number, a.shape, (axis,))


def known(program: Program) -> list[Known]:
    """What is known of every node."""
    algebra = KnownSums()
    leaves = {node.data: algebra.made(node.shape) for node in program.nodes if node.op in LEAVES}
    return program.run(algebra, leaves)
