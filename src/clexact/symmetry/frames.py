"""Which entries of parameters each unit scales, and the solutions of the equations in these terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from clexact.algebra.sparse_vectors import Compressed, SparseVectors, labels, runs, segments
from clexact.algebra.terms import Ints, starts
from clexact.programs.places import Mask, Shape, corner
from clexact.symmetry.grading import Graded


@dataclass(frozen=True)
class _Table:
    """The entries that each of some consecutive units scales: entries[start[k] : start[k + 1]]."""

    entries: Ints
    start: Ints

    def of(self, places: Ints) -> tuple[Ints, Ints]:
        """The starts of the entries of these units, one after another, and the entries."""
        start, found = segments(self.start, places)
        return start, self.entries[found]


class Frame:
    """One factor of the degrees of a parameter: some consecutive units, each of which scales some of its entries."""

    def __init__(self, name: str, offset: int, shape: Shape, units: Ints) -> None:
        self.name, self.offset, self.shape, self.units = name, offset, shape, units
        self.first = int(units.min())
        self.size = int(units.max()) - self.first + 1

    @cached_property
    def whole(self) -> tuple[int, ...]:
        """The axes along which all entries have the same unit."""
        return tuple(n for n, size in enumerate(self.units.shape) if size == 1 < self.shape[n])

    @cached_property
    def firsts(self) -> _Table:
        """For each unit the places in the parameter of its entries, of those that are the first along these axes."""
        return _table(self.units.ravel() - self.first, corner(self.shape, self.units.shape).ravel(), self.size)

    def seen(self, units: Ints) -> Ints:
        """Those of some units, one after another."""
        return self.firsts.of(units - self.first)[1]

    def degrees(self, units: Ints, degree: Ints) -> Ints:
        """Those of all entries, where units have these: an array that broadcasts to the parameter."""
        each = np.zeros(self.size, dtype=np.int64)
        each[units - self.first] = degree
        return np.asarray(each[self.units - self.first])

    def scaled(self, units: Ints) -> Ints:
        """The entries of theta that units scale, one after another, increasing for each."""
        start, first = self.firsts.of(units - self.first)
        unit = np.repeat(np.arange(len(units)), np.diff(start) * len(self._whole_places))
        entries = (first[:, None] + self._whole_places).ravel() + self.offset
        return entries[np.lexsort((entries, unit))]

    @cached_property
    def sizes(self) -> Ints:
        """How many entries each unit scales."""
        return np.diff(self.firsts.start) * len(self._whole_places)

    @cached_property
    def _whole_places(self) -> Ints:
        """The places of all entries that have the same unit as the first of the parameter."""
        counts = [size if n in self.whole else 1 for n, size in enumerate(self.shape)]
        return corner(self.shape, counts).ravel()

    def among(self, some: Ints) -> _Table:
        """For each unit its entries among some of the parameter, as entries of theta."""
        place = np.unravel_index(some, self.shape or (1,))
        units = np.broadcast_to(self.units, self.shape or (1,))[place]
        return _table(units - self.first, some + self.offset, self.size)


@dataclass(frozen=True)
class Solutions(Compressed):
    """Units of parameters with their degrees, in compressed rows, by frame, degree and unit; the first is positive."""

    frame: Ints
    degree: Ints
    unit: Ints

    def shapes(self) -> Ints:
        """Labels: equal for those with as many units of each frame and degree."""
        return labels(self.start, self.frame, self.degree)

    def rows(self) -> list[list[tuple[int, int, int]]]:
        """Each as (frame, degree, unit) triples."""
        every = list(zip(self.frame.tolist(), self.degree.tolist(), self.unit.tolist(), strict=True))
        return [every[a:b] for a, b in zip(self.start[:-1].tolist(), self.start[1:].tolist(), strict=True)]

    def units(self) -> list[list[int]]:
        """The units of each."""
        every = self.unit.tolist()
        return [every[a:b] for a, b in zip(self.start[:-1].tolist(), self.start[1:].tolist(), strict=True)]


class Frames:
    """The frames of all parameters, in the order of their units.

    Degrees of rows plus those of columns are determined by their values at the entries that are the first of a unit.
    """

    def __init__(self, leaves: Mapping[str, Graded], offsets: Mapping[str, int]) -> None:
        self.every, firsts = list[Frame](), list[_Table]()
        for name, tensor in leaves.items():
            mine = [Frame(name, offsets[name], tensor.shape, factor.units) for factor in tensor.factors]
            first = [frame.firsts.entries[frame.firsts.start[:-1]] for frame in mine]
            some = np.unique(np.concatenate([*first, np.empty(0, dtype=np.int64)]))
            self.every += mine
            firsts += [frame.among(some) for frame in mine]
        self._begin = np.array([frame.first for frame in self.every], dtype=np.int64)
        sizes = np.array([frame.size for frame in self.every], dtype=np.int64)
        self._end = self._begin + sizes
        self._number = np.cumsum([0, *sizes.tolist()])  # of the first unit of each frame, among all
        self._firsts = _Table(
            np.concatenate([*(table.entries for table in firsts), np.empty(0, dtype=np.int64)]),
            _joined([table.start for table in firsts]),
        )

    def of(self, units: Ints) -> Ints:
        """The frame of each unit; -1 for one that belongs to no parameter."""
        frame = np.searchsorted(self._begin, units, side="right") - 1
        return np.where((frame >= 0) & (units < self._end[frame]), frame, -1)

    def numbers(self, frame: Ints, unit: Ints) -> Ints:
        """The place of each unit among all."""
        return self._number[frame] + unit - self._begin[frame]

    @cached_property
    def sizes(self) -> Ints:
        """How many entries of theta each unit scales."""
        return np.concatenate([*(frame.sizes for frame in self.every), np.empty(0, dtype=np.int64)])

    @cached_property
    def _seen(self) -> Ints:
        """How many entries of each unit are the first along the axes that its frame takes whole."""
        return np.concatenate([*(np.diff(f.firsts.start) for f in self.every), np.empty(0, dtype=np.int64)])

    @cached_property
    def _lowest(self) -> Ints:
        """The first entry of theta that each unit scales."""
        lowest = [np.minimum.reduceat(f.firsts.entries, f.firsts.start[:-1]) + f.offset for f in self.every]
        return np.concatenate([*lowest, np.empty(0, dtype=np.int64)])

    def within(self, solutions: Solutions, entries: Collection[int]) -> Mask:
        """Whether each solution scales only entries among these."""
        found = np.zeros(len(solutions), dtype=bool)
        if not entries or not len(solutions):
            return found
        first = solutions.start[:-1]
        lowest = self._lowest[self.numbers(solutions.frame[first], solutions.unit[first])]
        able = np.flatnonzero(np.isin(lowest, list(entries)))
        for n, scaling in zip(able.tolist(), self.degrees(solutions.chosen(able)).dicts(), strict=True):
            found[n] = all(entry in entries for entry in scaling)
        return found

    def measures(self, solutions: Solutions) -> Ints:
        """As the shapes of solutions, with how many entries they scale in place of units."""
        first = runs(solutions.owner, solutions.frame, solutions.degree)
        if not len(first):
            return np.zeros(len(solutions), dtype=np.int64)
        count = np.add.reduceat(self._seen[self.numbers(solutions.frame, solutions.unit)], first)
        start = np.searchsorted(first, solutions.start).astype(np.int64)
        return labels(start, solutions.frame[first], solutions.degree[first], count)

    def told_apart(self, solutions: Solutions) -> SparseVectors:
        """Degrees of the entries by which solutions are told apart."""
        start, entries = self._firsts.of(self.numbers(solutions.frame, solutions.unit))
        times = np.diff(start)
        return _summed(np.repeat(solutions.owner, times), entries, np.repeat(solutions.degree, times), len(solutions))

    def degrees(self, solutions: Solutions) -> SparseVectors:
        """Degrees of all entries of theta."""
        owner, entry, degree = ([np.empty(0, dtype=np.int64)] for _ in range(3))
        for n, frame in enumerate(self.every):
            mine = solutions.frame == n
            units = solutions.unit[mine]
            times = frame.sizes[units - frame.first]
            owner.append(np.repeat(solutions.owner[mine], times))
            entry.append(frame.scaled(units))
            degree.append(np.repeat(solutions.degree[mine], times))
        return _summed(np.concatenate(owner), np.concatenate(entry), np.concatenate(degree), len(solutions))

    def touched(self, vector: Mapping[int, int]) -> int:
        """How many entries of theta units with these degrees scale."""
        units = np.array(list(vector), dtype=np.int64)
        frame = self.of(units)
        if self.apart(frame):  # units of one frame share no entries
            return int(self.sizes[self.numbers(frame, units)].sum())
        degree, found = np.array(list(vector.values()), dtype=np.int64), 0
        totals, shapes = dict[str, Any](), dict[str, Shape]()
        for f in np.unique(frame).tolist():
            mine, own = frame == f, self.every[f]
            totals[own.name] = totals.get(own.name, 0) + own.degrees(units[mine], degree[mine])
            shapes[own.name] = own.shape
        for name, total in totals.items():
            found += np.count_nonzero(total) * (prod(shapes[name]) // max(1, total.size))
        return found

    def apart(self, frame: Ints) -> bool:
        """Whether all these frames are of different parameters."""
        every = set(frame.tolist())
        return len({self.every[n].name for n in every}) == len(every)


def _joined(starts: list[Ints]) -> Ints:
    """The starts of tables one after another."""
    ends = np.cumsum([0, *(int(start[-1]) for start in starts)])
    return np.concatenate([*(start[:-1] + end for start, end in zip(starts, ends, strict=False)), ends[-1:]])


def _summed(owner: Ints, entry: Ints, degree: Ints, count: int) -> SparseVectors:
    """Vectors of which entries are added up, in order, without zeros."""
    order = np.lexsort((entry, owner))
    owner, entry = owner[order], entry[order]
    first = runs(owner, entry)
    total = np.add.reduceat(degree[order], first) if len(first) else degree
    kept = first[total != 0]
    return SparseVectors(starts(owner[kept], count), entry[kept], total[total != 0])


def _table(units: Ints, entries: Ints, count: int) -> _Table:
    order = np.argsort(units, kind="stable")
    return _Table(entries[order], starts(units[order], count))


def ordered(frames: Frames, vectors: SparseVectors) -> Solutions:
    """Solutions in terms of the units of parameters."""
    frame, owner = frames.of(vectors.index), vectors.owner
    kept = np.flatnonzero(frame >= 0)
    frame, unit, degree, owner = frame[kept], vectors.index[kept], vectors.value[kept], owner[kept]
    order = np.lexsort((unit, frame, owner))
    frame, unit, degree, owner = frame[order], unit[order], degree[order], owner[order]
    first = runs(owner)
    degree = degree * np.repeat(np.sign(degree[first]), np.diff(np.append(first, len(owner))))
    order = np.lexsort((unit, -degree, frame, owner))
    return Solutions(starts(owner, len(vectors)), frame[order], degree[order], unit[order])
