"""From degrees to groups: the rescalings of a program's parameters, and the matrices that mix them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import NamedTuple

import numpy as np

from clexact.algebra.terms import Ints, starts
from clexact.programs.program import Program
from clexact.symmetry.axes import AxisDegrees, graded
from clexact.symmetry.grading import Graded, Units
from clexact.symmetry.mixing import Matching
from clexact.symmetry.solutions import independent, solutions

Part = tuple[Ints, int]  # entries of theta, one row for each of the units that are mixed, and their common degree


@dataclass(frozen=True)
class Rescalings:
    """``scalings``: {entry of theta: degree}, a basis; ``mixed``: parts on which one matrix, or its inverse, acts.

    ``complete``: whether none was given up for its size.
    """

    scalings: tuple[dict[int, int], ...]
    mixed: tuple[tuple[Part, ...], ...]
    complete: bool


def rescalings(program: Program, offsets: Mapping[str, int]) -> Rescalings:
    """All rescalings that leave the output of a program alone, and which of them belong to one matrix."""
    degrees = AxisDegrees()
    leaves = graded(program, degrees.units)
    frames = _Frames({name: leaves[name] for name in offsets if name in leaves}, offsets)
    degrees.fix(program.run(degrees, leaves)[program.output])
    every = [_ordered(frames, vector) for vector in solutions(degrees.units)]
    chosen = frames.independent(sorted(every, key=lambda solution: len(solution.unit)))
    scalings = tuple(frames.scaling(solution) for solution in chosen)
    return Rescalings(scalings, tuple(_mixed(frames, degrees.units, chosen)), degrees.complete)


@dataclass(frozen=True)
class _Solution:
    """Units of parameters with their degrees, by frame, degree and unit; the first degree positive."""

    frame: tuple[int, ...]
    degree: tuple[int, ...]
    unit: tuple[int, ...]
    vector: dict[int, int]  # of all units, those of no parameter too

    @property
    def shape(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """How many units of each frame and degree."""
        pairs = zip(self.frame, self.degree, strict=True)
        return tuple((pair, len(list(same))) for pair, same in groupby(pairs))


class _Table(NamedTuple):
    """The entries of theta that each of some consecutive units scales: entries[start[k] : start[k + 1]]."""

    entries: Ints
    start: Ints

    def of(self, place: int) -> Ints:
        return self.entries[self.start[place] : self.start[place + 1]]


class _Frames:
    """The factors of all parameters, in the order of their units, with the entries of theta that each unit scales.

    ``whole`` has all of them, ``firsts`` those that are the first of some unit: degrees of rows plus those of columns
    are determined by their values there.
    """

    def __init__(self, leaves: Mapping[str, Graded], offsets: Mapping[str, int]) -> None:
        self.first, self.whole, self.firsts, self.size = list[int](), list[_Table](), list[_Table](), 0
        for name, tensor in leaves.items():
            tables = [_table(np.broadcast_to(f.units, tensor.shape).ravel(), offsets[name]) for f in tensor.factors]
            some = np.unique(np.concatenate([table.entries[table.start[:-1]] for table in tables]))
            self.first += [int(factor.units.min()) for factor in tensor.factors]
            self.whole += tables
            self.firsts += [_restricted(table, some) for table in tables]
            self.size = max(self.size, offsets[name] + prod(tensor.shape))

    def of(self, units: Ints) -> Ints:
        """The frame of each unit; -1 for one that belongs to no parameter."""
        frame = np.searchsorted(self.first, units, side="right") - 1
        ends = np.array(self.first) + [len(table.start) - 1 for table in self.whole]
        return np.where((frame >= 0) & (units < ends[frame]), frame, -1)

    def scaled(self, frame: int, unit: int) -> Ints:
        """The entries that a unit scales."""
        return self.whole[frame].of(unit - self.first[frame])

    def degrees(self, tables: Sequence[_Table], solution: _Solution) -> tuple[Ints, Ints]:
        """The entries of tables that a solution scales, increasing, and their degrees."""
        parts = [tables[f].of(u - self.first[f]) for f, u in zip(solution.frame, solution.unit, strict=True)]
        entries = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        each, inverse = np.unique(entries, return_inverse=True)
        total = np.zeros(len(each), dtype=np.int64)
        np.add.at(total, inverse, np.repeat(np.array(solution.degree, dtype=np.int64), [len(part) for part in parts]))
        return each[total != 0], total[total != 0]

    def independent(self, solutions: Sequence[_Solution]) -> list[_Solution]:
        """Those that are independent, as degrees of entries, of the ones before them."""
        fresh = independent([self.degrees(self.firsts, solution) for solution in solutions], self.size)
        return [solution for solution, new in zip(solutions, fresh, strict=True) if new]

    def scaling(self, solution: _Solution) -> dict[int, int]:
        """{entry: degree}."""
        entries, degrees = self.degrees(self.whole, solution)
        return dict(zip(entries.tolist(), degrees.tolist(), strict=True))


def _table(units: Ints, offset: int) -> _Table:
    first, count = int(units.min()), int(units.max()) - int(units.min()) + 1
    order = np.argsort(units, kind="stable")
    return _Table(order + offset, starts(units[order] - first, count))


def _restricted(table: _Table, some: Ints) -> _Table:
    """The entries that are among some."""
    kept = np.isin(table.entries, some)
    return _Table(table.entries[kept], np.concatenate([[0], np.cumsum(kept)])[table.start])


def _ordered(frames: _Frames, vector: dict[int, int]) -> _Solution:
    of_parameters = zip(frames.of(np.array(list(vector), dtype=np.int64)).tolist(), vector.items(), strict=True)
    rows = sorted((frame, unit, degree) for frame, (unit, degree) in of_parameters if frame >= 0)
    sign = -1 if rows and rows[0][2] < 0 else 1
    rows = sorted(rows, key=lambda row: (row[0], -sign * row[2], row[1]))
    return _Solution(
        tuple(frame for frame, _, _ in rows), tuple(sign * degree for _, _, degree in rows),
        tuple(unit for _, unit, _ in rows), vector,
    )  # fmt: skip


def _mixed(frames: _Frames, units: Units, every: Sequence[_Solution]) -> list[tuple[Part, ...]]:
    """The parts of matrices: solutions whose units are labelled alike, and match in order."""
    matching = Matching(units)
    blocks: dict[object, list[_Solution]] = {}
    able = [solution for solution in every if solution.unit and all(abs(degree) == 1 for degree in solution.degree)]
    for solution in able if len(able) > 1 else ():
        blocks.setdefault((solution.shape, matching.key(solution.vector)), []).append(solution)
    out = []
    for members in blocks.values():
        single = all(count == 1 for _, count in members[0].shape)
        if len(members) > 1 and (single or matching.holds([m.vector for m in members])):
            out.append(_parts(frames, sorted(members, key=lambda m: m.unit)))
    return [parts for parts in out if parts]


def _parts(frames: _Frames, members: Sequence[_Solution]) -> tuple[Part, ...]:
    """For each frame and degree, the entries that the solutions scale; nothing if they are not equally many."""
    found, place = list[Part](), 0
    for (frame, degree), count in members[0].shape:
        rows = [
            np.concatenate([frames.scaled(frame, unit) for unit in member.unit[place : place + count]])
            for member in members
        ]
        if len({len(row) for row in rows}) > 1:
            return ()
        found.append((np.stack(rows), degree))
        place += count
    return tuple(found)
