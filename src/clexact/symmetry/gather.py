"""From degrees to groups: the rescalings of a program's parameters, and the matrices that mix them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import groupby

import numpy as np

from clexact.algebra.sparse_vectors import SparseVectors, together
from clexact.algebra.terms import Ints
from clexact.programs.program import Program
from clexact.symmetry.axes import AxisDegrees, graded
from clexact.symmetry.families import Family, Kind
from clexact.symmetry.frames import Frames, Solutions, ordered
from clexact.symmetry.grading import Units
from clexact.symmetry.mixing import Matching
from clexact.symmetry.shorter import shortened
from clexact.symmetry.solutions import independent_rows, solutions
from clexact.symmetry.views import Term, view_of

Part = tuple[Ints, int]  # entries of theta, one row for each of the units that are mixed, and their common degree


class Rescalings:
    """All rescalings that leave the output of a program alone, and which of them belong to one matrix.

    ``complete``: whether none was given up for its size. Rows of the parameters ``apart`` are not mixed.
    """

    def __init__(self, program: Program, offsets: Mapping[str, int], apart: Collection[str] = ()) -> None:
        degrees = AxisDegrees()
        leaves = graded(program, degrees.units)
        for name in apart:
            degrees.units.isolate(leaves[name].factors)
        self._frames = Frames({name: leaves[name] for name in offsets if name in leaves}, offsets)
        degrees.fix(program.run(degrees, leaves)[program.output])
        vectors = solutions(degrees.units)
        every = ordered(self._frames, vectors)
        by_size = np.argsort(every.lengths, kind="stable")
        every, vectors = every.chosen(by_size), vectors.chosen(by_size)
        fresh = np.flatnonzero(independent_rows(self._frames.told_apart(every)))
        self._chosen = every.chosen(fresh)
        self._matched = _matched(degrees.units, self._chosen, vectors.chosen(fresh))
        self.complete = degrees.complete

    @cached_property
    def scalings(self) -> tuple[dict[int, int], ...]:
        """{entry of theta: degree}, a basis."""
        return tuple(self._frames.degrees(self._chosen).dicts())

    @cached_property
    def mixed(self) -> tuple[tuple[Part, ...], ...]:
        """Parts on which one matrix, or its inverse, acts."""
        return tuple(self._parts(members, members) for members in self._fitting)

    def first_planes(self) -> list[tuple[Part, ...]]:
        """Of each of the parts that are mixed, the first two rows."""
        return [self._parts(members, members[:2]) for members in self._fitting]

    @cached_property
    def _measures(self) -> Ints:
        return self._frames.measures(self._chosen)

    @cached_property
    def _fitting(self) -> list[Ints]:
        """Those matched that scale equally many entries of each frame and degree."""
        return [members for members in self._matched if len(np.unique(self._measures[members])) == 1]

    def _parts(self, members: Ints, some: Ints) -> tuple[Part, ...]:
        """For each frame and degree, the entries that some of the solutions scale."""
        every, found = self._chosen.chosen(some), list[Part]()
        first = every.start[0], every.start[1]
        for frame, degree in dict.fromkeys(
            zip(every.frame[slice(*first)].tolist(), every.degree[slice(*first)].tolist(), strict=True)
        ):
            units = every.unit[(every.frame == frame) & (every.degree == degree)]
            found.append((self._frames.every[frame].scaled(units).reshape(len(some), -1), degree))
        return tuple(found)

    def families(self, still: Collection[int], known: Collection[frozenset[tuple[int, int]]]) -> list[Family]:
        """The same as few stacks of matrices: of those that are mixed, and of single rows, of equal shape.

        Without those that scale only entries of theta that are ``still``, which do not move at all, and those whose
        (entry, degree) pairs are ``known``.
        """
        frames, single = self._frames, np.ones(len(self._chosen), dtype=bool)
        single[np.concatenate([np.empty(0, dtype=np.int64), *self._fitting])] = False
        stacks: dict[tuple[int, int], list[Ints]] = {}
        firsts = np.array([members[0] for members in self._fitting], dtype=np.int64)
        within = frames.within(self._chosen.chosen(firsts), still)
        for members, left_out in zip(self._fitting, within, strict=True):
            if not left_out:
                stacks.setdefault((int(self._measures[members[0]]), len(members)), []).append(members)
        found = [_family(frames, self._chosen, np.stack(stack)) for stack in stacks.values()]
        shorter = shortened(frames, self._chosen.chosen(np.flatnonzero(single)))
        left_out = frames.within(shorter, still)
        if known:
            scalings = frames.degrees(shorter).dicts()
            left_out |= np.array([frozenset(scaling.items()) in known for scaling in scalings], dtype=bool)
        kept = np.flatnonzero(~left_out)
        alike = together(frames.measures(shorter)[kept])
        return found + [_family(frames, shorter, kept[same][:, None]) for same in alike]


def _matched(units: Units, every: Solutions, vectors: SparseVectors) -> list[Ints]:
    """Solutions whose units are labelled alike, and match in order: a matrix may mix them."""
    turned = np.abs(every.degree) != 1
    able = np.setdiff1d(np.flatnonzero(every.lengths), np.repeat(np.arange(len(every)), every.lengths)[turned])
    if len(able) < 2:
        return []
    matching = Matching(units)
    by_label, alike = matching.sorted(vectors.chosen(able))
    out = []
    for numbers in together(every.chosen(able).shapes(), alike, least=2):
        members = every.chosen(able[numbers])
        width = int(members.lengths[0])
        pairs = set(zip(members.frame[:width].tolist(), members.degree[:width].tolist(), strict=True))
        if len(pairs) == width or matching.holds(by_label.chosen(numbers).index.reshape(len(numbers), -1)):
            out.append(able[numbers[np.lexsort(members.unit.reshape(-1, width).T[::-1])]])
    return out


def _family(frames: Frames, every: Solutions, blocks: Ints) -> Family:
    """One family of blocks of solutions, their numbers in a row, all of one measure."""
    firsts = every.chosen(blocks[:, 0])
    blocks = blocks[sorted(range(len(blocks)), key=firsts.units().__getitem__)]
    stack = every.chosen(blocks.ravel())
    terms, width = list[Term](), int(stack.start[1])
    pairs = dict.fromkeys(zip(stack.frame[:width].tolist(), stack.degree[:width].tolist(), strict=True))
    for name, same in groupby(pairs, key=lambda pair: frames.every[pair[0]].name):
        chosen = list(same)
        whole = _of_one(frames, stack, chosen) if len(chosen) > 1 and blocks.shape[1] == 1 else {}
        shape = frames.every[chosen[0][0]].shape
        for degree, entries in whole.items():
            terms.append(Term(name, degree, view_of(entries, shape), shape))
        for w, degree in chosen if not whole else ():
            units = stack.unit[(stack.frame == w) & (stack.degree == degree)]
            entries = frames.every[w].seen(units).reshape(*blocks.shape, -1)
            terms.append(Term(name, degree, view_of(entries, shape, frames.every[w].whole), shape))
    kind: Kind = (
        "gram" if blocks.shape[1] > 1 else "scale" if all(term.coefficient > 0 for term in terms) else "diagonal"
    )
    return Family(kind, tuple(terms))


def _of_one(frames: Frames, stack: Solutions, pairs: Sequence[tuple[int, int]]) -> dict[int, Ints]:
    """{degree: entries of a parameter} where what one frame scales holds what the others do; else nothing."""
    found: dict[int, list[Ints]] = {}
    for solution in stack.rows():
        own = [x for x in solution if x[:2] in pairs]
        total, most = dict[int, int](), 0
        for frame, degree, unit in own:
            entries = frames.every[frame].scaled(np.array([unit])) - frames.every[frame].offset
            most = max(most, len(entries))
            for entry in entries.tolist():
                total[entry] = total.get(entry, 0) + degree
        if len(total) > most:
            return {}
        for degree in set(total.values()) - {0}:
            found.setdefault(degree, []).append(np.array([e for e, d in total.items() if d == degree]))
    if any(len(each) != len(stack) or len(set(map(len, each))) > 1 for each in found.values()):
        return {}
    return {degree: np.array(each)[:, None] for degree, each in sorted(found.items(), reverse=True)}
