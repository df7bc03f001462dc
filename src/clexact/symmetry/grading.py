r"""Which rescalings of parameters leave the outputs of a program alone, entry by entry of its hidden layers.

Every axis of a parameter gets *units*, each with an unknown degree; the degree of an entry of a tensor is a sum of
degrees of units, kept as small integer arrays that broadcast to its shape (never one number an entry). Each operation
says what the degrees of its result are, and which equations it demands; an operation that is not known demands degree 0
of all that enters it. A solution of all equations is a rescaling $\theta_j \mapsto t^{a_j}\theta_j$ that leaves the
outputs alone, so $\sum_j a_j \theta_j^2$ is conserved.

Units of one axis may also be *mixed* by a matrix where every operation commutes with that: ``label`` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.sparse_vectors import distinct, labels, runs
from clexact.algebra.terms import Ints
from clexact.programs.places import Shape

Item = TypeVar("Item")
Kind = TypeVar("Kind", bound=np.generic)
FIXED = 0  # the unit of degree 0
MAX_EQUATIONS = 10**6


class TooManyError(Exception):
    """More equations than are solved quickly."""


@dataclass(frozen=True)
class Factor:
    """``coefficient`` times the degrees of ``units``, an array with as many axes as the tensor, broadcasting to it."""

    coefficient: int
    units: Ints

    def varies(self, axis: int) -> bool:
        """Whether the degree depends on the index along an axis."""
        return bool(self.units.shape[axis] > 1)

    @property
    def axes(self) -> tuple[int, ...]:
        """All such axes."""
        return tuple(axis for axis, size in enumerate(self.units.shape) if size > 1)

    def times(self, coefficient: int) -> Factor:
        """The same degrees, multiplied."""
        return Factor(self.coefficient * coefficient, self.units)

    def seen(self, units: Ints) -> Factor:
        """The same with the units rearranged."""
        return Factor(self.coefficient, units)


@dataclass(frozen=True)
class Graded:
    """A tensor's shape and the factors whose degrees add up to its own; none for what no rescaling changes."""

    shape: Shape
    factors: tuple[Factor, ...] = ()
    zero: bool = False  # all entries are the number 0, of any degree
    constant: bool = False  # the same for all inputs
    alive: NDArray[np.bool_] | None = None  # which entries are not the number 0; broadcasts to the shape; None: all

    def over(self, shape: Shape) -> Graded:
        """The tensor with axes of size 1 in front, as broadcasting to ``shape`` adds them."""
        more = len(shape) - len(self.shape)
        lead = (1,) * more
        return Graded(
            lead + self.shape, tuple(f.seen(f.units.reshape(lead + f.units.shape)) for f in self.factors), self.zero
        )


class Units:
    """All units, the equations between their degrees, and which units an operation treats alike."""

    def __init__(self) -> None:
        self.count = 1
        self.equations: list[tuple[tuple[int, ...], Ints]] = []  # coefficients (k,), units (equations, k)
        self._labels: list[Ints] = [np.zeros(1, dtype=np.int64)]
        self._inner = [np.zeros(1, dtype=bool)]
        self._axes = 1
        self._gated: list[Ints] = []
        self._events: list[tuple[Ints, Ints]] = []  # units, keys: units of different keys cannot be mixed

    def fresh(self, shape: Shape, inner: bool = False) -> Ints:
        """New units, which may be mixed until an operation says otherwise; ``inner`` ones belong to no parameter."""
        size = prod(shape)
        self._inner.append(np.full(size, inner))
        units = np.arange(self.count, self.count + size, dtype=np.int64).reshape(shape)
        self.count += size
        self._labels.append(np.full(size, self._axes))
        self._axes += 1
        return units

    def order(self) -> Ints:
        """The place of each unit among the unknowns: inner ones first, so that solutions belong to hidden units.

        Before them those that stand alone, a number for a whole array: else they would enter solutions of others.
        """
        alone = np.concatenate([np.full(len(part), len(part) == 1) for part in self._inner])
        return np.argsort(np.lexsort((~np.concatenate(self._inner), ~alone)))

    def sum_of(self, factors: Sequence[Factor]) -> tuple[Factor, ...]:
        """One factor in place of several, if one of them varies wherever any does; else the factors."""
        widest = max(factors, key=lambda f: len(f.axes), default=None)
        if len(factors) < 2 or widest is None or any(set(f.axes) - set(widest.axes) for f in factors):
            return tuple(factors)
        total = Factor(1, self.fresh(np.broadcast_shapes(*(f.units.shape for f in factors)), inner=True))
        try:
            self.equate((*factors, total.times(-1)))
        except TooManyError:
            return tuple(factors)
        for n, factor in enumerate(factors):  # units are left alike by a number for all of them
            others = {axis for m, other in enumerate(factors) if m != n for axis in other.axes}
            if others:
                self.isolate([factor], sorted(others))
        return (total,)

    def equate(self, factors: Iterable[Factor]) -> None:
        """Demand that the degrees add up to 0, at every entry."""
        for part in _separated(tuple(factors)):
            if prod(np.broadcast_shapes(*(f.units.shape for f in part))) > max(MAX_EQUATIONS, part[0].units.size):
                raise TooManyError
            arrays = np.broadcast_arrays(*(f.units for f in part))
            rows = np.stack([array.ravel() for array in arrays], axis=1)
            self.equations.append((tuple(f.coefficient for f in part), distinct_rows(rows)))

    def fix(self, tensor: Graded) -> None:
        """Demand degree 0 of every entry; of every factor where the entries are too many."""
        if not tensor.zero:
            try:
                self.equate(tensor.factors)
            except TooManyError:
                for factor in tensor.factors:
                    self.equate((factor,))
        self.isolate(tensor.factors)

    def isolate(self, factors: Iterable[Factor], axes: Sequence[int] | None = None) -> None:
        """Units at different places along these axes (None: all) are treated differently: they cannot be mixed."""
        for factor in factors:
            units, shape = factor.units, factor.units.shape
            key = np.arange(units.size).reshape(shape)
            if axes is not None:
                chosen = [axis if axis >= 0 else axis + len(shape) for axis in axes]
                places = np.unravel_index(key, shape)
                key = np.zeros(shape, dtype=np.int64)
                for axis in chosen:
                    key = key * shape[axis] + places[axis]
            self._events.append((units.ravel(), key.ravel()))

    def gate(self, factors: Iterable[Factor]) -> None:
        """Each entry is multiplied by a number of its own that depends on the input: a gate."""
        factors = tuple(factors)
        self.isolate(factors)
        self._gated += [factor.units.ravel() for factor in factors]

    @property
    def gated(self) -> NDArray[np.bool_]:
        """For each unit, whether it goes through a gate."""
        found = np.zeros(self.count, dtype=bool)
        for units in self._gated:
            found[units] = True
        return found

    def part(self, factor: Factor, inside: NDArray[np.bool_]) -> None:
        """Units inside and outside of a part cannot be mixed; ``inside`` broadcasts to the units."""
        key = np.broadcast_to(inside, factor.units.shape).astype(np.int64)
        self._events.append((factor.units.ravel(), key.ravel()))

    def origins(self) -> Ints:
        """The number of the axis that each unit belongs to."""
        return np.concatenate(self._labels)

    def labels(self) -> Ints:
        """A label for each unit: those of one axis with equal labels may be mixed by any matrix."""
        labels, most = self.origins(), self._axes
        for units, key in {_digest(*event): event for event in self._events}.values():  # each once
            chosen, keys = units, key
            if not bool((units[1:] > units[:-1]).all()):
                chosen, first, count = np.unique(units, return_index=True, return_counts=True)
                # units at several places: alike if at the same ones
                keys = _as_sets(units, key) if (count > 1).any() else key[first]
            pairs = labels[chosen] * (int(keys.max(initial=0)) + 1) + keys
            labels[chosen] = most + np.unique(pairs, return_inverse=True)[1]
            most += len(chosen)
        return labels


def _digest(*arrays: Ints) -> bytes:
    """Different for different arrays."""
    found = blake2b(digest_size=16)
    for array in arrays:
        found.update(array.size.to_bytes(8, "little"))
        found.update(array.tobytes())
    return found.digest()


def _as_sets(units: Ints, key: Ints) -> Ints:
    """A number for the collection of keys of each of the units, in order."""
    order = np.lexsort((key, units))
    return labels(np.append(runs(units[order]), len(units)), key[order])


def distinct_rows(rows: Ints) -> Ints:
    """The rows that differ, none negative, in lexicographic order."""
    size = int(rows.max(initial=0)) + 1
    if size ** rows.shape[1] >= 2**62:
        return np.unique(rows, axis=0)
    weights = size ** np.arange(rows.shape[1])[::-1]
    number = rows @ weights
    if bool((number[1:] > number[:-1]).all()):
        return rows
    return rows[np.unique(number, return_index=True)[1]]


def connected(items: Iterable[Item], marks: Callable[[Item], Iterable[Hashable]]) -> list[list[Item]]:
    """The items in groups: together are those that share a mark, or are linked by others that do."""
    groups: list[tuple[set[Hashable], list[Item]]] = []
    for item in items:
        seen, members = set(marks(item)), [item]
        for other in [group for group in groups if group[0] & seen]:
            groups.remove(other)
            seen, members = seen | other[0], other[1] + members
        groups.append((seen, members))
    return [members for _, members in groups]


def _separated(factors: tuple[Factor, ...]) -> list[tuple[Factor, ...]]:
    """Equations equivalent to: the sum is 0 everywhere. A sum f(i) + g(j) is 0 iff f(i) + g(0) and f(0) + g(j) are."""
    if not factors:
        return []
    groups = connected(factors, lambda factor: factor.axes)
    if len(groups) == 1:
        return [tuple(groups[0])]
    zero = [[f.seen(f.units[tuple(slice(0, 1) for _ in f.units.shape)]) for f in members] for members in groups]
    return [
        tuple(f for m, others in enumerate(zero) for f in (members if m == n else others))
        for n, members in enumerate(groups)
        if any(f.axes for f in members) or not any(f.axes for f in factors)
    ]


def repeats(units: Ints) -> bool:
    """Whether some unit stands at several places."""
    return bool(units.size) and len(distinct(units)) < units.size


def aligned(units: Ints) -> bool:
    """Whether the places of each unit are those of any other, moved: then matching them in order is well defined."""
    order = np.argsort(units.ravel(), kind="stable")
    count = len(distinct(units))
    if units.size % count or np.any(np.diff(units.ravel()[order].reshape(count, -1), axis=1)):
        return False
    places = np.stack(np.unravel_index(order, units.shape)).reshape(units.ndim, count, -1)
    offsets = places - places[:, :, :1]
    return bool(np.all(offsets == offsets[:, :1]))


def regrouped(array: NDArray[Kind], old: Shape, new: Shape) -> NDArray[Kind]:
    """An array that broadcasts to ``old``, made to broadcast to ``new`` as the tensor is reshaped."""
    if not prod(old):
        return np.empty(new, dtype=array.dtype)
    middle, final = list[int](), list[int]()
    for before, after in matching(old, new):
        whole = any(array.shape[axis] > 1 for axis in before)
        middle += [old[axis] if whole else 1 for axis in before]
        final += [new[axis] if whole else 1 for axis in after]
    return np.broadcast_to(array, middle).reshape(final)


def matching(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """The axes of two shapes of one size in consecutive groups that hold the same entries."""
    groups, i, j = list[tuple[list[int], list[int]]](), 0, 0
    while i < len(old) or j < len(new):
        before, after = list[int](), list[int]()
        a = b = 1
        while True:
            if (a <= b or j == len(new)) and i < len(old):
                a, i = a * old[i], i + 1
                before.append(i - 1)
            elif j < len(new):
                b, j = b * new[j], j + 1
                after.append(j - 1)
            if a == b and (i == len(old) or j == len(new) or (before and after)):
                break
        while i < len(old) and j == len(new) and old[i] == 1:
            before.append(i)
            i += 1
        while j < len(new) and i == len(old) and new[j] == 1:
            after.append(j)
            j += 1
        groups.append((before, after))
    return groups
