"""Many sparse vectors as one: compressed rows, whose parts are taken, sorted and told apart without a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints


def segments(start: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The starts of these rows, one after another, and the entries start[r], ..., start[r + 1] - 1 of each."""
    count = start[rows + 1] - start[rows]
    ends = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return ends, np.arange(ends[-1], dtype=np.int64) + np.repeat(start[rows] - ends[:-1], count)


@dataclass(frozen=True)
class Compressed:
    """Rows one after another: the entries of row n are those from start[n] to start[n + 1], in columns."""

    start: Ints

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def lengths(self) -> Ints:
        """Entries of each."""
        return np.diff(self.start)

    @property
    def owner(self) -> Ints:
        """The row of each entry."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def chosen(self, rows: Ints) -> Self:
        """Some rows, in this order."""
        start, entries = segments(self.start, rows)
        columns = [field.name for field in fields(self) if field.name != "start"]
        return replace(self, start=start, **{name: getattr(self, name)[entries] for name in columns})


@dataclass(frozen=True)
class SparseVectors(Compressed):
    """Vector n has value[s] at index[s] for start[n] <= s < start[n + 1]."""

    index: Ints
    value: NDArray[Any]

    def dicts(self) -> list[dict[int, int]]:
        """Each as {index: value}."""
        index, value, start = self.index.tolist(), self.value.tolist(), self.start.tolist()
        return [dict(zip(index[a:b], value[a:b], strict=True)) for a, b in pairwise(start)]


def packed(vectors: Sequence[dict[int, int]]) -> SparseVectors:
    """From {index: value}; values that are no words stay Python's integers."""
    start = np.cumsum([0, *map(len, vectors)])
    index = np.array([x for vector in vectors for x in vector], dtype=np.int64)
    values = [c for vector in vectors for c in vector.values()]
    small = all(abs(c) < 2**62 for c in values)
    return SparseVectors(start, index, np.array(values, dtype=np.int64 if small else object))


def joined(parts: Sequence[SparseVectors]) -> SparseVectors:
    """The vectors of all parts, one part after another; there is one."""
    ends = np.cumsum([0, *(int(part.start[-1]) for part in parts)])
    start = np.concatenate([*(part.start[:-1] + end for part, end in zip(parts, ends, strict=False)), ends[-1:]])
    index, value = (np.concatenate(each) for each in zip(*((part.index, part.value) for part in parts), strict=True))
    return SparseVectors(start.astype(np.int64), index, value)


def labels(start: Ints, *columns: Ints) -> Ints:
    """For each row the number of the first that has the same entries in these columns.

    Rows are sorted by one word of each, and those of one word compared.
    """
    lengths, rows = np.diff(start), np.arange(len(start) - 1)
    place = np.arange(start[-1]) - np.repeat(start[:-1], lengths)
    found = _words(start, place, columns)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    label: Ints = first[inverse].astype(np.int64)
    twins = np.flatnonzero((label != rows) & (lengths == lengths[label]))
    _, mine = segments(start, twins)
    theirs = np.repeat(start[label[twins]], lengths[twins]) + place[mine]
    if len(twins) < np.count_nonzero(label != rows) or any((c[mine] != c[theirs]).any() for c in columns):
        return _labels_of_bytes(start, columns)
    return label


def _words(start: Ints, place: Ints, columns: Sequence[Ints]) -> NDArray[np.uint64]:
    """A word of each row, of all its entries; they may be equal by chance."""
    word = (2 * place.astype(np.uint64) + np.uint64(1)) * SPREAD[0]
    for column in columns:
        word = (word ^ column.astype(np.uint64)) * SPREAD[1]
        word ^= word >> np.uint64(29)
    total = np.zeros(len(word) + 1, dtype=np.uint64)
    np.cumsum(word * SPREAD[2], out=total[1:])
    return np.asarray(total[start[1:]] - total[start[:-1]])


SPREAD = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)  # odd


def _labels_of_bytes(start: Ints, columns: Sequence[Ints]) -> Ints:
    """The same, by the bytes of all entries."""
    data = np.ascontiguousarray(np.stack([column.astype(np.int64) for column in columns], axis=1)).tobytes()
    first: dict[bytes, int] = {}
    rows = enumerate(pairwise((start * (8 * len(columns))).tolist()))
    return np.array([first.setdefault(data[a:b], n) for n, (a, b) in rows], dtype=np.int64)


def together(*label: Ints, least: int = 1) -> list[Ints]:
    """The places at which all labels are the same, so many at least; in the order of the labels, of one alone."""
    joint = label[0] if len(label) == 1 else labels(np.arange(len(label[0]) + 1), *label)
    order = np.argsort(joint, kind="stable")
    ends = np.append(runs(joint[order]), len(order))
    many = np.flatnonzero(np.diff(ends) >= least)
    return [order[a:b] for a, b in zip(ends[many].tolist(), ends[many + 1].tolist(), strict=True)]


def runs(*columns: NDArray[Any]) -> Ints:
    """Where runs of equal entries begin, those of all columns together."""
    new = np.ones(len(columns[0]), dtype=bool)
    new[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(new)


def distinct(values: Ints) -> Ints:
    """Those that differ, in order: ``np.unique`` by sorting, since its hashing is slow for millions of numbers."""
    ordered = np.sort(values, axis=None)
    return ordered[runs(ordered)]


def numbered(values: Ints) -> tuple[Ints, int]:
    """For each value its place among those that differ, and how many do: by a sort that is quick for ordered runs."""
    order = np.argsort(values, kind="stable")
    new = np.zeros(len(values), dtype=np.int64)
    new[runs(values[order])] = 1
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.cumsum(new) - 1
    return place, int(new.sum())


def components(start: Ints, index: Ints, count: int) -> tuple[Ints, Ints]:
    """Labels of rows and of the indices below ``count``: equal for those linked by rows; a row has an entry."""
    label, rows = np.arange(count), np.repeat(np.arange(len(start) - 1), np.diff(start))
    while len(index):
        least = np.minimum.reduceat(label[index], start[:-1])
        new = label.copy()
        np.minimum.at(new, index, least[rows])
        np.minimum.at(new, label[index], least[rows])
        new = new[new]
        if np.array_equal(new, label):
            return least, label
        label = new
    return np.empty(0, dtype=np.int64), label
