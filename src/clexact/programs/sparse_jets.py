"""Sparse jets modulo a prime: arrays of few entries, for very many rows at once.

As in ``jets.py``, a jet is {mask: part}; a part holds only its nonzero entries, as (row, place, value), or as (place,
value) where all rows share it. A jet is the sum of its parts: for each mask one that all rows share, and one that they
do not, whose mask has the bit ``ROWS``. One program is so read for a hundred thousand sparse seeds at a sparse point,
at a cost that follows the number of nonzero entries. Products are joins, as of tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels import joins
from clexact.algebra import linalg
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.programs.algebras import Reversible
from clexact.programs.places import OuterIndex, Shape, places, raveled, unraveled


@dataclass(frozen=True)
class Part:
    """Nonzero entries of an array of this shape: their rows (None if all rows share it), flat places, values."""

    shape: Shape
    row: Ints | None
    place: Ints
    value: Words

    @property
    def rows(self) -> Ints:
        """The row of each entry, of a part that is not shared."""
        assert self.row is not None
        return self.row

    def moved(self, shape: Shape, place: Ints) -> Part:
        """The same entries at other places."""
        return Part(shape, self.row, place, self.value)

    def coordinates(self) -> list[Ints]:
        """One array for each axis."""
        return unraveled(self.place, self.shape)

    def chosen(self, which: NDArray[Any], shape: Shape, place: Ints) -> Part:
        """Some of the entries, at other places."""
        return Part(shape, None if self.row is None else self.row[which], place, self.value[which])


SparseJet = dict[int, Part]
ROWS = 1 << 60  # of a mask: the part differs from row to row


def piece(part: Part, first: int, shape: Shape) -> Part:
    """Entries first, first + 1, ... of an array with one axis, as an array of this shape."""
    inside = (part.place >= first) & (part.place < first + prod(shape))
    return part.chosen(inside, shape, part.place[inside] - first)


def repeated(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """(number of its range, member) for all members of the ranges first[i], ..., first[i] + count[i] - 1."""
    owner = np.repeat(np.arange(len(first)), count)
    ends = np.cumsum(count)
    return owner, np.arange(len(owner)) - np.repeat(ends - count, count) + np.repeat(first, count)


class SparseJets(Reversible[SparseJet]):
    """The ring of sparse jets of ``rows`` rows modulo ``prime`` < 2^32, as an algebra for programs."""

    def __init__(self, prime: int, rows: int) -> None:
        if prime >= linalg.LARGEST:
            raise ValueError(f"sparse jets need a modulus below 2^62, not {prime}.")
        self.prime, self.rows = prime, rows
        self.entries = 0  # joined, added and selected so far: what the work grows with

    def constant(self, value: NDArray[Any]) -> SparseJet:
        flat = linalg.residues(value, self.prime).ravel()
        place = np.flatnonzero(flat)
        return {0: Part(value.shape, None, place, flat[place])}

    def add(self, a: SparseJet, b: SparseJet) -> SparseJet:
        shape = np.broadcast_shapes(*(part.shape for jet in (a, b) for part in list(jet.values())[:1]))
        a, b = self._broadcast(a, shape), self._broadcast(b, shape)
        out = a | b
        for mask in a.keys() & b.keys():
            x, y = a[mask], b[mask]
            row = None if x.row is None or y.row is None else np.concatenate([x.row, y.row])
            place, value = np.concatenate([x.place, y.place]), np.concatenate([x.value, y.value])
            self.entries += len(place)
            out[mask] = collected(Part(shape, row, place, value), self.prime)
        return out

    def subtract(self, a: SparseJet, b: SparseJet) -> SparseJet:
        """a - b."""
        minus = {mask: Part(y.shape, y.row, y.place, np.uint64(self.prime) - y.value) for mask, y in b.items()}
        return self.add(a, minus)

    def multiply(self, a: SparseJet, b: SparseJet) -> SparseJet:
        return self._bilinear(a, b, contracted=False)

    def matmul(self, a: SparseJet, b: SparseJet) -> SparseJet:
        return self._bilinear(a, b, contracted=True)

    def _bilinear(self, a: SparseJet, b: SparseJet, contracted: bool) -> SparseJet:
        out: SparseJet = {}
        for s, x in a.items():
            for t, y in b.items():
                if s & t & ~ROWS == 0:
                    value = {s | t: self._product(x, y, contracted)}
                    out = self.add(out, value) if s | t in out else out | value
        return out

    def _product(self, x: Part, y: Part, contracted: bool) -> Part:
        """Join the entries that meet: in the same row, on the axes that both run along; then sum the contracted one."""
        last = len(x.shape) - 2 if contracted else len(x.shape)
        common = [t for t in range(last) if x.shape[t] == y.shape[t]]
        mine, theirs = x.coordinates(), y.coordinates()
        keys = [(mine[t], theirs[t], x.shape[t]) for t in common]
        out_axes = [(0, t) if x.shape[t] > 1 else (1, t) for t in range(last)]
        if contracted:
            keys.append((mine[last + 1], theirs[last], x.shape[last + 1]))
            out_axes += [(0, last), (1, last + 1)]
        if x.row is not None and y.row is not None:
            keys.append((x.row, y.row, self.rows))
        left, right = np.zeros(len(x.place), dtype=np.int64), np.zeros(len(y.place), dtype=np.int64)
        for a, b, size in keys:
            left, right = left * size + a, right * size + b
        i, j = joins.join(left, right)
        self.entries += len(i)
        shape = tuple((x, y)[side].shape[t] for side, t in out_axes)
        place = raveled([mine[t][i] if side == 0 else theirs[t][j] for side, t in out_axes], shape, len(i))
        row = x.row[i] if x.row is not None else None if y.row is None else y.row[j]
        joined = Part(shape, row, place, linalg.multiply(x.value[i], y.value[j], self.prime))
        return collected(joined, self.prime) if contracted else joined

    def transpose(self, a: SparseJet, axes: tuple[int, ...]) -> SparseJet:
        out = {}
        for mask, part in a.items():
            shape, own = tuple(part.shape[axis] for axis in axes), part.coordinates()
            out[mask] = part.moved(shape, raveled([own[axis] for axis in axes], shape, len(part.place)))
        return out

    def reshape(self, a: SparseJet, shape: Shape) -> SparseJet:
        return {mask: part.moved(shape, part.place) for mask, part in a.items()}

    def take(self, a: SparseJet, index: NDArray[np.int64]) -> SparseJet:
        order = np.argsort(index, axis=None, kind="stable")
        ordered = index.ravel()[order]
        out = {}
        for mask, part in a.items():
            first = np.searchsorted(ordered, part.place)
            which, member = repeated(first, np.searchsorted(ordered, part.place, "right") - first)
            out[mask] = part.chosen(which, index.shape, order[member])
        return out

    def select(self, a: SparseJet, places: OuterIndex) -> SparseJet:
        """Axis by axis: what is selected several times is repeated."""
        out = {mask: _selected(part, places) for mask, part in a.items()}
        self.entries += sum(len(part.place) for part in out.values())
        return out

    def pull_back_select(self, g: SparseJet, places: OuterIndex) -> SparseJet:
        out = {}
        for mask, part in g.items():
            at = unraveled(part.place, places.sizes)
            back = [index.ravel()[c] for c, index in zip(at, places.along, strict=True)]
            moved = part.moved(places.source, raveled(back, places.source, len(part.place)))
            out[mask] = collected(moved, self.prime)
        return out

    def scatter(self, a: SparseJet, index: NDArray[np.int64], shape: Shape) -> SparseJet:
        """The transpose of ``take``: add the entries of a at the places ``index`` of zeros."""
        flat = index.ravel()
        return {mask: collected(part.moved(shape, flat[part.place]), self.prime) for mask, part in a.items()}

    def concatenate(self, parts: list[SparseJet], axis: int) -> SparseJet:
        shapes = [next(iter(part.values())).shape for part in parts]
        whole = list(shapes[0])
        whole[axis] = sum(shape[axis] for shape in shapes)
        out: SparseJet = {}
        first = 0
        for part, own in zip(parts, shapes, strict=True):
            moved = {}
            for mask, piece in part.items():
                coordinates = piece.coordinates()
                coordinates[axis] = coordinates[axis] + first
                moved[mask] = piece.moved(tuple(whole), raveled(coordinates, tuple(whole), len(piece.place)))
            out = self.add(out, moved) if out else moved
            first += own[axis]
        return out

    def sum(self, a: SparseJet, axis: int) -> SparseJet:
        out = {}
        for mask, part in a.items():
            coordinates = [c for t, c in enumerate(part.coordinates()) if t != axis]
            shape = tuple(size for t, size in enumerate(part.shape) if t != axis)
            out[mask] = collected(part.moved(shape, raveled(coordinates, shape, len(part.place))), self.prime)
        return out

    def unbroadcast(self, a: SparseJet, shape: Shape) -> SparseJet:
        """Sum over the axes along which an operand of this shape was repeated."""
        out = {}
        for mask, part in a.items():
            if part.shape != shape:
                coordinates = [c if size > 1 else 0 * c for c, size in zip(part.coordinates(), shape, strict=True)]
                part = collected(part.moved(shape, raveled(coordinates, shape, len(part.place))), self.prime)
            out[mask] = part
        return out

    def _broadcast(self, a: SparseJet, shape: Shape) -> SparseJet:
        """Repeat the entries along the axes of length 1 that are longer in ``shape``."""
        if not a or next(iter(a.values())).shape == shape:
            return a
        own = next(iter(a.values())).shape
        return self.take(a, np.broadcast_to(places(own), shape))


def collected(part: Part, prime: int) -> Part:
    """Entries at the same place added up modulo ``prime``, zeros left out."""
    if not len(part.place):
        return part
    key = part.place if part.row is None else part.row * max(1, prod(part.shape)) + part.place
    which, total = joins.collect(np.ascontiguousarray(key), np.ascontiguousarray(part.value), prime)
    return Part(part.shape, None if part.row is None else part.row[which], part.place[which], total)


def compressed(part: Part, rows: int) -> tuple[Ints, Ints, Words, Ints]:
    """(start of each row, columns, values, rows in the order of their weight): what ``SparseForm`` takes."""
    order = joins.order(part.rows * prod(part.shape) + part.place)
    start = np.searchsorted(part.rows[order], np.arange(rows + 1))
    return start, part.place[order], part.value[order], np.argsort(np.diff(start), kind="stable")


def _selected(part: Part, places: OuterIndex) -> Part:
    """The entries of a part that are selected, as often as they are."""
    which, chosen = np.arange(len(part.place)), list[Ints]()
    for axis, (c, index) in enumerate(zip(part.coordinates(), places.along, strict=True)):
        c = c[which]
        if not places.whole(axis):
            order = np.argsort(index, axis=None, kind="stable")
            ordered = index.ravel()[order]
            first = np.searchsorted(ordered, c)
            copy, member = repeated(first, np.searchsorted(ordered, c, "right") - first)
            which, chosen, c = which[copy], [each[copy] for each in chosen], order[member]
        chosen.append(c)
    return part.chosen(which, places.shape, raveled(chosen, places.sizes, len(which)))
