"""Which solutions may be mixed by a matrix: those whose units match so that all equations stay the same.

A matrix acts on the hidden units of several solutions at once, the k-th unit of one with the k-th of every other. Where
a solution holds several units of an axis, their order must be the same to every operation: h + shuffled(h) ties the
units of each cycle of the shuffle, and two cycles of equal length need not run through their places alike.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from clexact.algebra.sparse_vectors import SparseVectors, keys
from clexact.algebra.terms import Ints
from clexact.symmetry.grading import Units


class Matching:
    """Units matched by their axis, degree, label and then in order."""

    def __init__(self, units: Units) -> None:
        self.units, self.origins = units, units.origins()

    @cached_property
    def labels(self) -> Ints:
        """Those of all units."""
        return self.units.labels()

    @cached_property
    def _touched(self) -> dict[int, list[int]]:
        """{unit: numbers of the sets of equations that speak of it}."""
        found: dict[int, list[int]] = {}
        for number, (_, members) in enumerate(self.units.equations):
            for unit in np.unique(members).tolist():
                found.setdefault(unit, []).append(number)
        return found

    def sorted(self, vectors: SparseVectors) -> tuple[SparseVectors, list[bytes]]:
        """Solutions with their units by axis, degree and label; a key that is equal for those that may be mixed."""
        origin, label = self.origins[vectors.index], self.labels[vectors.index]
        order = np.lexsort((vectors.index, label, vectors.value, origin, vectors.owner))
        found = SparseVectors(vectors.start, vectors.index[order], vectors.value[order])
        return found, keys(vectors.start, origin[order], found.value, label[order])

    def holds(self, matched: Ints) -> bool:
        """Whether exchanging two solutions, and rotating all, takes every set of equations to itself.

        ``matched`` has a row for each, of its units in order: those in one column are matched.
        """
        if len(np.unique(matched)) < matched.size:
            return False
        numbers = sorted({number for unit in matched.ravel().tolist() for number in self._touched.get(unit, ())})
        swapped = matched[[1, 0, *range(2, len(matched))]]
        return all(
            self._same(np.asarray(self.units.equations[number][1]), matched, image)
            for image in (swapped, np.roll(matched, -1, axis=0))
            for number in numbers
        )

    def _same(self, members: Ints, matched: Ints, image: Ints) -> bool:
        """Whether a permutation of units takes these equations, one a row, to themselves."""
        moved = np.arange(self.units.count)
        moved[matched] = image
        return np.array_equal(np.unique(moved[members], axis=0), np.unique(members, axis=0))
