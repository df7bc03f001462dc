"""From degrees to groups: the rescalings of a program's parameters, and the matrices that mix them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np

from clexact.algebra.terms import Ints, starts
from clexact.programs.places import Shape, corner
from clexact.programs.program import Program
from clexact.symmetry.axes import AxisDegrees, graded
from clexact.symmetry.families import Family, Kind
from clexact.symmetry.grading import Graded, Units
from clexact.symmetry.mixing import Matching
from clexact.symmetry.solutions import independent, solutions
from clexact.symmetry.views import Term, view_of

MOST_TURNS = 10**5  # of the search for shorter solutions
MOST_NEAR = 50  # others that are tried for each

Part = tuple[Ints, int]  # entries of theta, one row for each of the units that are mixed, and their common degree


class Rescalings:
    """All rescalings that leave the output of a program alone, and which of them belong to one matrix.

    ``complete``: whether none was given up for its size.
    """

    def __init__(self, program: Program, offsets: Mapping[str, int]) -> None:
        degrees = AxisDegrees()
        leaves = graded(program, degrees.units)
        self._frames = _Frames({name: leaves[name] for name in offsets if name in leaves}, offsets)
        degrees.fix(program.run(degrees, leaves)[program.output])
        every = [_ordered(self._frames, vector) for vector in solutions(degrees.units)]
        self._chosen = self._frames.independent(sorted(every, key=lambda solution: len(solution.unit)))
        self._matched = _matched(degrees.units, self._chosen)
        self.complete = degrees.complete

    @cached_property
    def scalings(self) -> tuple[dict[int, int], ...]:
        """{entry of theta: degree}, a basis."""
        return tuple(self._frames.scaling(solution) for solution in self._chosen)

    @cached_property
    def mixed(self) -> tuple[tuple[Part, ...], ...]:
        """Parts on which one matrix, or its inverse, acts."""
        found = [_parts(self._frames, members, members) for members in self._matched]
        return tuple(parts for parts in found if parts)

    def first_planes(self) -> list[tuple[Part, ...]]:
        """Of each of the parts that are mixed, the first two rows."""
        found = [_parts(self._frames, members, members[:2]) for members in self._matched]
        return [parts for parts in found if parts]

    def families(self, still: Collection[int], known: Collection[frozenset[tuple[int, int]]]) -> list[Family]:
        """The same as few stacks of matrices: of those that are mixed, and of single rows, of equal shape.

        Without those that scale only entries of theta that are ``still``, which do not move at all, and those whose
        (entry, degree) pairs are ``known``.
        """
        stacks: dict[object, list[list[_Solution]]] = {}
        mixed = set[int]()
        for members in self._matched:
            if _fits(self._frames, members):
                mixed |= set(map(id, members))
                if not self._frames.within(members[0], still):
                    stacks.setdefault((self._frames.measure(members[0]), len(members)), []).append(members)
        singles = [solution for solution in self._chosen if id(solution) not in mixed]
        for solution in _shortened(self._frames, singles):
            listed = bool(known) and frozenset(self._frames.scaling(solution).items()) in known
            if not listed and not self._frames.within(solution, still):
                stacks.setdefault((self._frames.measure(solution), 1), []).append([solution])
        return [_family(self._frames, stack) for stack in stacks.values()]


@dataclass(frozen=True)
class _Solution:
    """Units of parameters with their degrees, by frame, degree and unit; the first degree positive."""

    frame: tuple[int, ...]
    degree: tuple[int, ...]
    unit: tuple[int, ...]
    vector: dict[int, int]  # of all units, those of no parameter too

    @cached_property
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


class _Frame:
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

    def scaled(self, unit: int) -> Ints:
        """The entries of theta that a unit scales."""
        found = (self.firsts.of(unit - self.first)[:, None] + self._whole_places).ravel() + self.offset
        return np.sort(found)

    @property
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


class _Frames:
    """The frames of all parameters, in the order of their units.

    Degrees of rows plus those of columns are determined by their values at the entries that are the first of a unit.
    """

    def __init__(self, leaves: Mapping[str, Graded], offsets: Mapping[str, int]) -> None:
        self.every, self.firsts = list[_Frame](), list[_Table]()
        for name, tensor in leaves.items():
            mine = [_Frame(name, offsets[name], tensor.shape, factor.units) for factor in tensor.factors]
            firsts = [frame.firsts.entries[frame.firsts.start[:-1]] for frame in mine]
            some = np.unique(np.concatenate([*firsts, np.empty(0, dtype=np.int64)]))
            self.every += mine
            self.firsts += [frame.among(some) for frame in mine]
        self._begin = np.array([frame.first for frame in self.every], dtype=np.int64)
        self._end = self._begin + np.array([frame.size for frame in self.every], dtype=np.int64)

    def of(self, units: Ints) -> Ints:
        """The frame of each unit; -1 for one that belongs to no parameter."""
        frame = np.searchsorted(self._begin, units, side="right") - 1
        return np.where((frame >= 0) & (units < self._end[frame]), frame, -1)

    def seen(self, frame: int, unit: int) -> Ints:
        """The places in their parameter of those that are the first along the axes that a frame takes whole."""
        return self.every[frame].firsts.of(unit - self.every[frame].first)

    @cached_property
    def _measures(self) -> dict[int, tuple[int, int]]:
        """{unit: (its frame, how many entries it scales)}."""
        return {
            frame.first + place: (n, size)
            for n, frame in enumerate(self.every)
            for place, size in enumerate(frame.sizes.tolist())
        }

    def touched(self, vector: Mapping[int, int]) -> int:
        """How many entries of theta units with these degrees scale."""
        measures = [self._measures[unit] for unit in vector]
        frames = {frame for frame, _ in measures}
        if len({self.every[frame].name for frame in frames}) == len(frames):  # units of one frame share no entries
            return sum(size for _, size in measures)
        total: dict[int, int] = {}
        for (frame, _), (unit, degree) in zip(measures, vector.items(), strict=True):
            for entry in self.every[frame].scaled(unit).tolist():
                total[entry] = total.get(entry, 0) + degree
        return sum(degree != 0 for degree in total.values())

    def within(self, solution: _Solution, entries: Collection[int]) -> bool:
        """Whether a solution scales only entries among these."""
        first = int(self.every[solution.frame[0]].scaled(solution.unit[0])[0]) if entries else -1
        return first in entries and all(entry in entries for entry in self.scaling(solution))

    def measure(self, solution: _Solution) -> tuple[tuple[tuple[int, int], int], ...]:
        """As the shape of a solution, with how many entries it scales in place of units."""
        counts: dict[tuple[int, int], int] = {}
        for frame, degree, unit in zip(solution.frame, solution.degree, solution.unit, strict=True):
            counts[frame, degree] = counts.get((frame, degree), 0) + len(self.seen(frame, unit))
        return tuple(counts.items())

    def _first(self, frame: int, unit: int) -> Ints:
        """The entries that a unit scales, of those by which degrees are told apart."""
        return self.firsts[frame].of(unit - self.every[frame].first)

    def _degrees(self, solution: _Solution, entries_of: Callable[[int, int], Ints]) -> tuple[Ints, Ints]:
        """The entries that a solution scales, increasing, and their degrees."""
        parts = [entries_of(f, u) for f, u in zip(solution.frame, solution.unit, strict=True)]
        entries = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        each, inverse = np.unique(entries, return_inverse=True)
        total = np.zeros(len(each), dtype=np.int64)
        np.add.at(total, inverse, np.repeat(np.array(solution.degree, dtype=np.int64), [len(part) for part in parts]))
        return each[total != 0], total[total != 0]

    def independent(self, solutions: Sequence[_Solution]) -> list[_Solution]:
        """Those that are independent, as degrees of entries, of the ones before them."""
        fresh = independent([self._degrees(solution, self._first) for solution in solutions])
        return [solution for solution, new in zip(solutions, fresh, strict=True) if new]

    def scaling(self, solution: _Solution) -> dict[int, int]:
        """{entry: degree}."""
        entries, degrees = self._degrees(solution, lambda f, u: self.every[f].scaled(u))
        return dict(zip(entries.tolist(), degrees.tolist(), strict=True))


def _table(units: Ints, entries: Ints, count: int) -> _Table:
    order = np.argsort(units, kind="stable")
    return _Table(entries[order], starts(units[order], count))


def _ordered(frames: _Frames, vector: dict[int, int]) -> _Solution:
    of_parameters = zip(frames.of(np.array(list(vector), dtype=np.int64)).tolist(), vector.items(), strict=True)
    rows = sorted((frame, unit, degree) for frame, (unit, degree) in of_parameters if frame >= 0)
    sign = -1 if rows and rows[0][2] < 0 else 1
    rows = sorted(rows, key=lambda row: (row[0], -sign * row[2], row[1]))
    return _Solution(
        tuple(frame for frame, _, _ in rows), tuple(sign * degree for _, _, degree in rows),
        tuple(unit for _, unit, _ in rows), vector,
    )  # fmt: skip


def _matched(units: Units, every: Sequence[_Solution]) -> list[list[_Solution]]:
    """Solutions whose units are labelled alike, and match in order: a matrix may mix them."""
    matching = Matching(units)
    blocks: dict[object, list[_Solution]] = {}
    able = [solution for solution in every if solution.unit and all(abs(degree) == 1 for degree in solution.degree)]
    for solution in able if len(able) > 1 else ():
        blocks.setdefault((solution.shape, matching.key(solution.vector)), []).append(solution)
    out = []
    for members in blocks.values():
        single = all(count == 1 for _, count in members[0].shape)
        if len(members) > 1 and (single or matching.holds([m.vector for m in members])):
            out.append(sorted(members, key=lambda m: m.unit))
    return out


def _parts(frames: _Frames, members: Sequence[_Solution], some: Sequence[_Solution]) -> tuple[Part, ...]:
    """For each frame and degree, the entries that some of the solutions scale; nothing if all are not equally many."""
    found, place = list[Part](), 0
    for (frame, degree), count in members[0].shape if _fits(frames, members) else ():
        rows = [
            np.concatenate([frames.every[frame].scaled(unit) for unit in member.unit[place : place + count]])
            for member in some
        ]
        found.append((np.stack(rows), degree))
        place += count
    return tuple(found)


def _fits(frames: _Frames, members: Sequence[_Solution]) -> bool:
    """Whether solutions scale equally many entries of each frame and degree."""
    return len({frames.measure(member) for member in members}) == 1


def _shortened(frames: _Frames, basis: Sequence[_Solution]) -> list[_Solution]:
    """Solutions of the same span that scale fewer entries: each less, or plus, another where that makes it smaller."""
    vectors = [dict(zip(solution.unit, solution.degree, strict=True)) for solution in basis]
    sizes = [frames.touched(vector) for vector in vectors]
    users: dict[int, set[int]] = {}
    for n, vector in enumerate(vectors):
        for unit in vector:
            users.setdefault(unit, set()).add(n)
    waiting, turns = deque(range(len(vectors))), MOST_TURNS
    while waiting and turns:
        n, turns = waiting.popleft(), turns - 1
        near = sorted({m for unit in vectors[n] for m in users[unit]} - {n})[:MOST_NEAR]
        sums = [_combined(vectors[n], vectors[m], sign) for m in near for sign in (1, -1)]
        size, best = min(((frames.touched(each), k) for k, each in enumerate(sums) if each), default=(sizes[n], -1))
        if size < sizes[n]:
            for unit in vectors[n]:
                users[unit].discard(n)
            for unit in sums[best]:
                users[unit].add(n)
            vectors[n], sizes[n] = sums[best], size
            waiting.append(n)
    return [_ordered(frames, vector) for vector in vectors]


def _combined(a: Mapping[int, int], b: Mapping[int, int], sign: int) -> dict[int, int]:
    total = {unit: a.get(unit, 0) + sign * b.get(unit, 0) for unit in {**a, **b}}
    return {unit: degree for unit, degree in total.items() if degree}


def _family(frames: _Frames, stack: Sequence[list[_Solution]]) -> Family:
    """One family of blocks of solutions, all of one shape."""
    blocks = sorted(stack, key=lambda block: block[0].unit)
    terms, pairs = list[Term](), dict.fromkeys(zip(blocks[0][0].frame, blocks[0][0].degree, strict=True))
    for name, same in groupby(pairs, key=lambda pair: frames.every[pair[0]].name):
        chosen = list(same)
        whole = _of_one(frames, blocks, chosen) if len(chosen) > 1 and len(blocks[0]) == 1 else {}
        shape = frames.every[chosen[0][0]].shape
        for degree, entries in whole.items():
            terms.append(Term(name, degree, view_of(entries, shape), shape))
        for w, degree in chosen if not whole else ():
            entries = np.array([[_entries(frames, member, w, degree) for member in block] for block in blocks])
            terms.append(Term(name, degree, view_of(entries, shape, frames.every[w].whole), shape))
    rows = len(blocks[0])
    kind: Kind = "gram" if rows > 1 else "scale" if all(term.coefficient > 0 for term in terms) else "diagonal"
    return Family(kind, tuple(terms))


def _of_one(frames: _Frames, blocks: Sequence[list[_Solution]], pairs: Sequence[tuple[int, int]]) -> dict[int, Ints]:
    """{degree: entries of a parameter} where what one frame scales holds what the others do; else nothing."""
    found: dict[int, list[Ints]] = {}
    for (solution,) in blocks:
        own = [x for x in zip(solution.frame, solution.degree, solution.unit, strict=True) if x[:2] in pairs]
        total, most = dict[int, int](), 0
        for frame, degree, unit in own:
            entries = frames.every[frame].scaled(unit) - frames.every[frame].offset
            most = max(most, len(entries))
            for entry in entries.tolist():
                total[entry] = total.get(entry, 0) + degree
        if len(total) > most:
            return {}
        for degree in set(total.values()) - {0}:
            found.setdefault(degree, []).append(np.array([e for e, d in total.items() if d == degree]))
    if any(len(each) != len(blocks) or len(set(map(len, each))) > 1 for each in found.values()):
        return {}
    return {degree: np.array(each)[:, None] for degree, each in sorted(found.items(), reverse=True)}


def _entries(frames: _Frames, solution: _Solution, frame: int, degree: int) -> Ints:
    """The first entries that a solution scales by this degree in this frame."""
    own = zip(solution.frame, solution.degree, solution.unit, strict=True)
    return np.concatenate([frames.seen(w, unit) for w, c, unit in own if (w, c) == (frame, degree)])
