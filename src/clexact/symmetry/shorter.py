"""Rescalings of the same span that scale fewer entries, by which laws are shown."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from clexact.algebra.sparse_vectors import SparseVectors, components, distinct, joined, labels, runs, together
from clexact.algebra.terms import Ints, starts
from clexact.symmetry.frames import Frames, Solutions, ordered

MOST_TURNS = 10**5  # of the search
MOST_NEAR = 50  # others that are tried for each

Vector = dict[int, int]


def shortened(frames: Frames, basis: Solutions) -> Solutions:
    """Solutions of the same span: each less, or plus, another where that makes it smaller.

    Those that share units are searched together; where others share units of as many entries alike, once for all.
    """
    if not len(basis):
        return basis
    label, _ = components(basis.start, basis.unit, int(basis.unit.max()) + 1)
    several = np.flatnonzero(np.bincount(label)[label] > 1)
    if not len(several):
        return basis
    alone = np.setdiff1d(np.arange(len(basis)), several)
    left = basis.chosen(alone)
    found, owners = _shorter(frames, basis.chosen(several), label[several])
    every = joined([SparseVectors(left.start, left.unit, left.degree), found])
    return ordered(frames, every.chosen(np.argsort(np.concatenate([alone, several[owners]]))))


def _shorter(frames: Frames, basis: Solutions, label: Ints) -> tuple[SparseVectors, Ints]:
    """The same of those that share units with others, and the numbers of those in whose places they are."""
    by_label = np.argsort(label, kind="stable")
    rows, first = basis.chosen(by_label), runs(label[by_label])
    first = np.append(first, len(rows)).astype(np.int64)  # of each group
    group = np.repeat(np.arange(len(first) - 1), np.diff(rows.start[first]))  # of each unit
    order = np.lexsort((rows.unit, group))
    new = runs(group[order], rows.unit[order])
    units, begin = rows.unit[order][new], starts(group[order][new], len(first) - 1)
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.repeat(np.arange(len(new)), np.diff(np.append(new, len(order))))
    local = replace(rows, unit=number - begin[group])
    size = frames.sizes[frames.numbers(rows.frame, rows.unit)]
    columns = (rows.owner - first[group], local.unit, rows.frame, rows.degree, size)
    alike, span = labels(rows.start[first], *columns), rows.start[first]
    linked = [n for n in distinct(alike).tolist() if not frames.apart(rows.frame[span[n] : span[n + 1]])]
    alike = np.where(np.isin(alike, linked), np.arange(len(alike)), alike)
    parts, owners, turns = list[SparseVectors](), list[Ints](), MOST_TURNS
    for same in together(alike):
        numbers = np.arange(first[same[0]], first[same[0] + 1])
        own = units[begin[same[0]] : begin[same[0] + 1]].tolist()
        vectors = [{own[u]: c for _, c, u in row} for row in local.chosen(numbers).rows()]
        turns = _search(frames, vectors, turns) if len(vectors) > 1 else turns
        place = {unit: n for n, unit in enumerate(own)}
        for n, vector in enumerate(vectors):
            index = units[begin[same][:, None] + np.array([place[unit] for unit in vector], dtype=np.int64)]
            value = np.tile(np.array(list(vector.values()), dtype=np.int64), len(same))
            parts.append(SparseVectors(len(vector) * np.arange(len(same) + 1), index.ravel(), value))
            owners.append(by_label[first[same] + n])
    return joined(parts), np.concatenate(owners)


def _search(frames: Frames, vectors: list[Vector], turns: int) -> int:
    """Change the vectors until none gets smaller, or the turns are used up; what is left of them."""
    sizes = [frames.touched(vector) for vector in vectors]
    users: dict[int, set[int]] = {}
    for n, vector in enumerate(vectors):
        for unit in vector:
            users.setdefault(unit, set()).add(n)
    waiting = deque(range(len(vectors)))
    while waiting and turns:
        n, turns = waiting.popleft(), turns - 1
        near = sorted({m for unit in vectors[n] for m in users[unit]} - {n})[:MOST_NEAR]
        sums = [_combined(vectors[n], vectors[m], sign) for m in near for sign in (1, -1)]
        size, best = min(((frames.touched(each), k) for k, each in enumerate(sums) if each), default=(sizes[n], -1))
        if size < sizes[n]:
            for unit in vectors[n]:
                users[unit].discard(n)
            for unit in sums[best]:
                users[unit].add(n)
            vectors[n], sizes[n] = sums[best], size
            waiting.append(n)
    return turns


def _combined(a: Vector, b: Vector, sign: int) -> Vector:
    total = {unit: a.get(unit, 0) + sign * b.get(unit, 0) for unit in {**a, **b}}
    return {unit: degree for unit, degree in total.items() if degree}
