"""Linear laws as families: sums of entries of parameters, those of one pattern in a stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.places import Shape
from clexact.symmetry.families import Family
from clexact.symmetry.shifts import Leaf, Shift
from clexact.symmetry.views import Term, View, view_of

Row = tuple[Leaf, int, tuple[int, ...]]  # (parameter, coefficient, first places in it)


def gathered(shifts: Sequence[Shift]) -> list[Family]:
    """The laws of translations."""
    stacks: dict[object, list[list[Row]]] = {}
    for shift in shifts:
        rows = _rows(shift)
        stacks.setdefault(tuple((leaf, c, len(places)) for leaf, c, places in rows), []).append(rows)
    return [family for stack in stacks.values() for family in _families(stack)]


def _rows(shift: Shift) -> list[Row]:
    """The entries of each parameter with each coefficient, the first of which is positive."""
    unknowns = sorted(shift.velocity)
    sign = 1 if shift.velocity[unknowns[0]] > 0 else -1
    every = [(shift.owner(u), sign * shift.velocity[u], u) for u in unknowns]
    every.sort(key=lambda row: (row[0].first, -row[1], row[2]))
    return [
        (leaf, c, tuple(leaf.place(u) for _, _, u in same))
        for (leaf, c), same in groupby(every, key=lambda row: row[:2])
    ]


def _families(stack: Sequence[list[Row]]) -> list[Family]:
    """One family, or one for each run of consecutive entries where each law is a single entry."""
    stack = sorted(stack, key=lambda rows: [places for _, _, places in rows])
    ((leaf, _, places), *others) = stack[0]
    parts = _runs(stack) if not others and len(places) == 1 and leaf.alike is None else [stack]
    return [_family(part) for part in parts]


def _runs(stack: Sequence[list[Row]]) -> list[Sequence[list[Row]]]:
    """Parts of single entries that are consecutive."""
    places = np.array([rows[0][2][0] for rows in stack])
    cuts = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(stack)]
    return [stack[i:j] for i, j in pairwise(cuts)]


def _family(stack: Sequence[list[Row]]) -> Family:
    terms = []
    for n, (leaf, coefficient, _) in enumerate(stack[0]):
        entries = np.array([rows[n][2] for rows in stack], dtype=np.int64)[:, :, None]
        terms.append(Term(leaf.name, coefficient, _view(entries, leaf), leaf.shape))
    return Family("translation", tuple(terms))


def _view(entries: Ints, leaf: Leaf) -> View:
    """The rows are added up; those along the axis of a large parameter along which all are alike too."""
    if leaf.alike is None:
        return view_of(entries, leaf.shape)
    if entries.shape[1] > 1:
        return _listed(entries, leaf.shape, leaf.alike)
    view = view_of(entries, leaf.shape, [leaf.alike])
    if view.index is not None or len(view.rest) != 1:
        return _listed(entries, leaf.shape, leaf.alike)
    return replace(view, unit=view.rest[0])


def _listed(entries: Ints, shape: Shape, alike: int) -> View:
    """With all entries along an axis."""
    step = int(np.prod(shape[alike + 1 :]))
    whole = entries[:, :, :1] + step * np.arange(shape[alike])
    return view_of(whole.reshape(len(entries), -1, 1), shape)
