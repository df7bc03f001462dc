"""Rows of parameters that a program does not read, such as positions beyond a text: set aside, for they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from clexact.programs.places import OuterIndex, Shape
from clexact.programs.program import Program
from clexact.symmetry.families import Family
from clexact.symmetry.views import Term, View

FEW = 1000  # unread entries that are not set aside


@dataclass(frozen=True)
class Rows:
    """The rows ``first``, ..., ``last`` - 1 of a parameter, which hold all that is read of it."""

    shape: Shape
    first: int
    last: int

    @property
    def met(self) -> Shape:
        """Their shape."""
        return (self.last - self.first, *self.shape[1:])

    @property
    def width(self) -> int:
        """Entries of a row."""
        return prod(self.shape[1:])

    @property
    def rest(self) -> list[tuple[int, int]]:
        """Where the rows begin and end that are not read."""
        return [(a, b) for a, b in ((0, self.first), (self.last, self.shape[0])) if a < b]

    def placed(self, term: Term) -> Term:
        """A term of these rows as one of the parameter."""
        view = term.view
        if view.index is not None and view.axis is None:
            index = tuple(n + self.first * self.width for n in view.index)
            return replace(term, view=replace(view, index=index), shape=self.shape)
        if view.index is not None and view.axis == 0:
            index = tuple(n + self.first for n in view.index)
            return replace(term, view=replace(view, index=index), shape=self.shape)
        if view.axis == 0:
            stop = (view.stop if view.stop is not None else self.last - self.first) + self.first
            return replace(term, view=replace(view, start=view.start + self.first, stop=stop), shape=self.shape)
        entries = term.entries + self.first * self.width
        shape = entries.shape if view.unit is not None else (entries.shape[0], entries.shape[2])
        unit = 1 if view.unit is not None else None
        return replace(
            term, view=View(shape, (0,), unit, None, index=tuple(entries.ravel().tolist())), shape=self.shape
        )

    def families(self, name: str) -> list[Family]:
        """Of each entry that is not read."""
        axes = tuple(range(len(self.shape)))
        return [
            Family("translation", (Term(name, 1, View((b - a, *self.shape[1:]), axes, None, 0, a, b), self.shape),))
            for a, b in self.rest
        ]


def read_rows(program: Program) -> tuple[Program, dict[str, Rows]]:
    """The program with the rows alone that it reads, and which they are, of parameters with many that it does not."""
    users: dict[int, list[int]] = {}
    for n, node in enumerate(program.nodes):
        for i in node.inputs:
            users.setdefault(i, []).append(n)
    nodes, found = list(program.nodes), dict[str, Rows]()
    for n, node in enumerate(program.nodes):
        mine = users.get(n, [])
        if node.op != "parameter" or not node.shape or n == program.output or not mine:
            continue
        if any(program.nodes[m].op != "select" for m in mine):
            continue
        index = np.concatenate([program.nodes[m].data.along[0].ravel() for m in mine])
        rows = Rows(node.shape, int(index.min(initial=0)), int(index.max(initial=-1)) + 1)
        if sum((b - a) * rows.width for a, b in rows.rest) > FEW and index.size:
            found[node.data] = rows
            nodes[n] = replace(node, shape=rows.met)
            for m in mine:
                chosen: OuterIndex = program.nodes[m].data
                along = (chosen.along[0] - rows.first, *chosen.along[1:])
                nodes[m] = replace(nodes[m], data=OuterIndex(rows.met, along))
    return (Program(nodes, program.output) if found else program), found


def moved(offsets: Mapping[str, int], rows: Mapping[str, Rows]) -> dict[str, int]:
    """The offsets of the rows read."""
    return {
        name: first + (rows[name].first * rows[name].width if name in rows else 0) for name, first in offsets.items()
    }
