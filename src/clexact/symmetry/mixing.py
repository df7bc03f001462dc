"""Which solutions may be mixed by a matrix: those whose units match so that all equations stay the same.

A matrix acts on the hidden units of several solutions at once, the k-th unit of one with the k-th of every other. Where
a solution holds several units of an axis, their order must be the same to every operation: h + shuffled(h) ties the
units of each cycle of the shuffle, and two cycles of equal length need not run through their places alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from clexact.algebra.sparse_vectors import SparseVectors, distinct, labels
from clexact.algebra.terms import Ints, starts
from clexact.symmetry.grading import Units, distinct_rows


class Matching:
    """Units matched by their axis, degree, label and then in order."""

    def __init__(self, units: Units) -> None:
        self.units, self.origins = units, units.origins()

    @cached_property
    def labels(self) -> Ints:
        """Those of all units."""
        return self.units.labels()

    @cached_property
    def _touched(self) -> SparseVectors:
        """For each unit the numbers of the sets of equations that speak of it."""
        every = self.units.equations
        number = np.repeat(np.arange(len(every)), [members.size for _, members in every])
        unit = np.concatenate([np.empty(0, dtype=np.int64), *(members.ravel() for _, members in every)])
        pair = distinct(unit * (len(every) + 1) + number)
        unit, number = pair // (len(every) + 1), pair % (len(every) + 1)
        return SparseVectors(starts(unit, self.units.count), number, number)

    def sorted(self, vectors: SparseVectors) -> tuple[SparseVectors, Ints]:
        """Solutions with their units by axis, degree and label; a label that is equal for those that may be mixed."""
        origin, label = self.origins[vectors.index], self.labels[vectors.index]
        order = np.lexsort((vectors.index, label, vectors.value, origin, vectors.owner))
        found = SparseVectors(vectors.start, vectors.index[order], vectors.value[order])
        return found, labels(vectors.start, origin[order], found.value, label[order])

    def holds(self, matched: Ints) -> bool:
        """Whether exchanging two solutions, and rotating all, takes every set of equations to itself.

        ``matched`` has a row for each, of its units in order: those in one column are matched.
        """
        if len(distinct(matched)) < matched.size:
            return False
        speaking = distinct(self._touched.chosen(matched.ravel()).index)
        equations = [self.units.equations[n][1] for n in speaking.tolist()]
        inside = np.zeros(self.units.count, dtype=bool)
        inside[matched] = True
        equations = [members[inside[members].any(axis=1)] for members in equations]
        return all(
            self._same(equations, matched, image)
            for image in (matched[[1, 0, *range(2, len(matched))]], np.roll(matched, -1, axis=0))
        )

    def _same(self, equations: Sequence[Ints], matched: Ints, image: Ints) -> bool:
        """Whether a permutation of units takes each of these sets of equations, one a row, to itself."""
        moved = np.arange(self.units.count)
        moved[matched] = image
        return all(np.array_equal(distinct_rows(moved[rows]), rows) for rows in equations)
