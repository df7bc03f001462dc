"""Which solutions may be mixed by a matrix: those whose units match so that all equations stay the same.

A matrix acts on the hidden units of several solutions at once, the k-th unit of one with the k-th of every other. Where
a solution holds several units of an axis, their order must be the same to every operation: h + shuffled(h) ties the
units of each cycle of the shuffle, and two cycles of equal length need not run through their places alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

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

    def key(self, vector: dict[int, int]) -> tuple[tuple[int, int, int], ...]:
        """The axis, degree and label of each unit of a solution: equal for those that may be mixed."""
        return tuple(sorted((int(self.origins[u]), degree, int(self.labels[u])) for u, degree in vector.items()))

    def holds(self, vectors: Sequence[dict[int, int]]) -> bool:
        """Whether exchanging two solutions, and rotating all, takes every set of equations to itself."""
        keyed = [
            sorted((int(self.origins[u]), degree, int(self.labels[u]), u) for u, degree in v.items()) for v in vectors
        ]
        if any([key[:3] for key in each] != [key[:3] for key in keyed[0]] for each in keyed[1:]):
            return False
        matched = np.array([[key[3] for key in each] for each in keyed], dtype=np.int64)
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
