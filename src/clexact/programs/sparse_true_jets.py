"""Sparse jets with analytic functions: a value for all places that all rows share, and what differs from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.programs.analytic import Analytic
from clexact.programs.characters import Characters
from clexact.programs.places import Mask, Shape
from clexact.programs.program import LEAVES, Program
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, SparseJets


class SparseTrueJets(SparseJets, Analytic[Part]):
    """Sparse jets modulo m; ``undefined`` says in which rows a function is not."""

    def __init__(self, characters: Characters, rows: int) -> None:
        super().__init__(characters.modulus, rows)
        self.characters = characters
        self.undefined: Mask = np.zeros(rows, dtype=bool)

    @property
    def density(self) -> int:
        return self.characters.density

    def shape(self, a: SparseJet) -> Shape:
        return next(iter(a.values())).shape

    def number(self, value: int | Fraction, shape: Shape) -> SparseJet:
        residue = linalg.residues(np.array([value], dtype=object), self.prime)
        size = prod(shape)
        return {0: Part(shape, None, np.arange(size), np.broadcast_to(residue, size))}

    def at(self, name: str, a: SparseJet) -> SparseJet:
        shape = self.shape(a)
        shared = np.zeros(prod(shape), dtype=np.uint64)
        if 0 in a:
            shared[a[0].place] = a[0].value
        common, poles = self.characters.value(name, shared)
        place = np.flatnonzero(common)
        out = {0: Part(shape, None, place, common[place])}
        covered = np.zeros(self.rows, dtype=np.int64)
        nowhere: Mask = np.logical_or.reduce(poles)
        if ROWS in a:
            own = a[ROWS]
            value, bad = self.characters.value(name, linalg.add(shared[own.place], own.value, self.prime))
            self.undefined[own.rows[bad.any(axis=0)]] = True
            covered += np.bincount(own.rows[nowhere[own.place]], minlength=self.rows)
            change = linalg.subtract(value, common[own.place], self.prime)
            kept = change != 0
            out[ROWS] = Part(shape, own.rows[kept], own.place[kept], change[kept])
            self.entries += len(own.place)
        self.undefined |= covered < nowhere.sum()
        return out

    def read(self, a: SparseJet) -> SparseJet:
        """Members modulo p: zero in the rows in which a function is undefined."""
        out = {}
        for mask, part in a.items():
            value = part.value % np.uint64(self.characters.prime)
            kept = value != 0
            kept &= True if part.row is None else ~self.undefined[part.row]
            row = None if part.row is None else part.row[kept]
            out[mask] = Part(part.shape, row, part.place[kept], value[kept])
        return out


def run_marked(
    program: Program, ring: SparseTrueJets, leaves: Mapping[str, SparseJet], marks: Sequence[Mask]
) -> list[SparseJet]:
    """The value of every node, zero where it is not marked: what is marked must depend on marked entries alone.

    A function that is not defined everywhere is read at 1 where its argument is not marked.
    """
    arguments = {i for node in program.nodes if node.op == "function" for i in node.inputs}
    values = list[SparseJet]([{}] * len(program.nodes))
    for n, (node, mark) in enumerate(zip(program.nodes, marks, strict=True)):
        value = leaves[node.data] if node.op in LEAVES else program.value(ring, node, values)
        if not mark.all():
            value = _marked(value, mark.ravel())
            off = np.flatnonzero(~mark) if n in arguments else np.empty(0, dtype=np.int64)
            value = ring.add(value, {0: Part(mark.shape, None, off, np.ones(len(off), dtype=np.uint64))})
        values[n] = value
    return values


def _marked(a: SparseJet, mark: Mask) -> SparseJet:
    out = {}
    for mask, part in a.items():
        kept = np.flatnonzero(mark[part.place])
        out[mask] = part.chosen(kept, part.shape, part.place[kept])
    return out
