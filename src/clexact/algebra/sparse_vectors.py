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


def keys(start: Ints, *columns: Ints) -> list[bytes]:
    """For each row the bytes of its entries in these columns: equal for equal rows."""
    data = np.ascontiguousarray(np.stack([column.astype(np.int64) for column in columns], axis=1)).tobytes()
    ends = (start * (8 * len(columns))).tolist()
    return [data[a:b] for a, b in pairwise(ends)]


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
