"""Nullspaces of sparse equations modulo a prime: what is easy by whole arrays, what is left a component at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels import system
from clexact._kernels.sparse import SparseForm
from clexact.algebra.linalg import Words, add, dense_nullspace, multiply
from clexact.algebra.sparse_vectors import SparseVectors, components, joined, labels, runs, segments, together
from clexact.algebra.terms import Ints

SMALL, DENSE = 200, 2000  # unknowns of systems that are solved densely: at once, and where they fill in
FILLED = 10  # times the entries of a system that is then solved densely
MOST_FILLED = 10**7  # entries of the echelon form of sparse ones
FEW = 50  # of that many equations, one at least is set aside in each round of all at once


class SparseRows:
    """Equations over unknowns 0..columns-1 in compressed rows, mod p."""

    def __init__(self, key: NDArray[Any], unknown: Ints, value: Words, columns: int, prime: int) -> None:
        """Entries with equal keys belong to one equation."""
        self.columns, self.prime = columns, prime
        order = np.argsort(key, kind="stable")  # quick for what is in order, as most are
        key = key[order]
        new = np.flatnonzero(np.concatenate([np.ones(min(1, len(key)), dtype=bool), key[1:] != key[:-1]]))
        self.start = np.append(new, len(key)).astype(np.int64)
        self.unknown, self.value = unknown[order], value[order]

    def nullspace(self) -> list[dict[int, int]]:
        """A basis of the nullspace mod p in reduced form, each vector 1 at its first column."""
        return self.basis().dicts()

    def basis(self) -> SparseVectors:
        """The same, as compressed rows; components whose equations are the same but for names are solved once."""
        root, weight, zero, rows = system.presolve(self.start, self.unknown, self.value, self.columns, self.prime)
        live = np.flatnonzero(~zero[root])
        order = np.argsort(root[live], kind="stable")
        roots, first = np.unique(root[live][order], return_index=True)
        members, start = live[order], np.append(first, len(order)).astype(np.int64)  # of each root
        open_rows = self._core(root, weight, zero, rows)
        place = SparseVectors(open_rows.start, np.searchsorted(roots, open_rows.index), open_rows.value)
        local = _nullspace(place, len(roots), self.prime)
        lengths, (_, entries) = start[local.index + 1] - start[local.index], segments(start, local.index)
        owner, x = np.repeat(local.owner, lengths), members[entries]
        c = multiply(weight[x], np.repeat(local.value, lengths), self.prime)
        order = np.lexsort((x, owner))
        begin = np.searchsorted(owner[order], np.arange(len(local) + 1)).astype(np.int64)
        found = SparseVectors(begin, x[order], c[order])
        return found.chosen(np.argsort(found.index[begin[:-1]], kind="stable"))

    def _core(self, root: Ints, weight: Words, zero: NDArray[np.bool_], rows: Ints) -> SparseVectors:
        """The equations left open by the presolve, rewritten in the roots, 1 at the first; equal ones once."""
        start, entries = segments(self.start, rows)
        unknown, equation = self.unknown[entries], np.repeat(np.arange(len(rows)), np.diff(start))
        y, value = root[unknown], multiply(self.value[entries], weight[unknown], self.prime)
        kept = ~zero[y].astype(bool)
        equation, y, value = _added_up(equation[kept], y[kept], value[kept], self.prime)
        first = runs(equation)
        start = np.append(first, len(equation)).astype(np.int64)
        value = multiply(value, np.repeat(_inverses(value[first], self.prime), np.diff(start)), self.prime)
        first = labels(start, y, value.view(np.int64))
        return SparseVectors(start, y, value).chosen(np.flatnonzero(first == np.arange(len(first))))


def _added_up(equation: Ints, unknown: Ints, value: Words, prime: int) -> tuple[Ints, Ints, Words]:
    """Entries by equation and unknown, each once, without zeros."""
    order = np.lexsort((unknown, equation))
    equation, unknown, value = equation[order], unknown[order], value[order]
    while len(equation):
        first = np.zeros(len(equation), dtype=bool)
        first[runs(equation, unknown)] = True
        second = np.flatnonzero(~first & np.append(True, first[:-1]))  # right after the first of its kind
        if not len(second):
            break
        value[second - 1] = add(value[second - 1], value[second], prime)
        once = np.ones(len(value), dtype=bool)
        once[second] = False
        equation, unknown, value = equation[once], unknown[once], value[once]
    kept = value != 0
    return equation[kept], unknown[kept], value[kept]


def _nullspace(equations: SparseVectors, count: int, prime: int) -> SparseVectors:
    """Of equations of several unknowns."""
    left, rounds = _set_aside(equations, count)
    known = np.zeros(count, dtype=bool)
    known[[x for _, last in rounds for x in last.tolist()]] = True
    free = np.setdiff1d(np.flatnonzero(~known), left.index)
    alone = SparseVectors(np.arange(len(free) + 1), free, np.ones(len(free), dtype=np.uint64))
    found = joined([alone, *_solved_alike(left, count, prime)])
    values = _Values(count, found.index, found.owner, found.value)
    for rows, last in reversed(rounds):
        values.define(last, rows, prime)
    return values.vectors(len(found))


def _set_aside(equations: SparseVectors, count: int) -> tuple[SparseVectors, list[tuple[SparseVectors, Ints]]]:
    """Equations whose last unknown occurs in no other left, many at once; they only define those unknowns."""
    rounds = list[tuple[SparseVectors, Ints]]()
    while len(equations):
        last = np.maximum.reduceat(equations.index, equations.start[:-1])
        alone = np.bincount(equations.index, minlength=count)[last] == 1
        if FEW * alone.sum() <= len(equations):
            break
        gone = np.flatnonzero(alone)
        rounds.append((equations.chosen(gone), last[gone]))
        equations = equations.chosen(np.flatnonzero(~alone))
    return equations, rounds


class _Values:
    """What each unknown is in each vector of a basis, for more and more unknowns."""

    def __init__(self, count: int, unknown: Ints, vector: Ints, value: Words) -> None:
        order = np.argsort(unknown, kind="stable")
        self._parts = [(unknown[order], vector[order], value[order])]
        self._vector, self._value = vector[order], value[order]
        self._start = np.searchsorted(unknown[order], np.arange(count)).astype(np.int64)
        self._count = np.bincount(unknown, minlength=count)

    def define(self, last: Ints, equations: SparseVectors, prime: int) -> None:
        """The unknowns of this number, each from its equation in those known."""
        own = equations.index == last[equations.owner]
        number, unknown, factor = equations.owner[~own], equations.index[~own], equations.value[~own]
        ends = np.concatenate([[0], np.cumsum(self._count[unknown])]).astype(np.int64)
        entries = np.arange(ends[-1]) + np.repeat(self._start[unknown] - ends[:-1], self._count[unknown])
        times = np.diff(ends)
        product = multiply(self._value[entries], np.repeat(factor, times), prime)
        number, vector, value = _added_up(np.repeat(number, times), self._vector[entries], product, prime)
        value = multiply(value, _inverses(prime - equations.value[own], prime)[number], prime)
        self._start[last] = len(self._vector) + np.searchsorted(number, np.arange(len(last)))
        self._count[last] = np.bincount(number, minlength=len(last))
        self._parts.append((last[number], vector, value))
        self._vector, self._value = np.append(self._vector, vector), np.append(self._value, value)

    def vectors(self, count: int) -> SparseVectors:
        """The basis."""
        unknown, vector, value = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        order = np.lexsort((unknown, vector))
        start = np.searchsorted(vector[order], np.arange(count + 1)).astype(np.int64)
        return SparseVectors(start, unknown[order], value[order])


def _inverses(values: Words, prime: int) -> Words:
    """1 / values mod p, of which few are different."""
    different, inverse = np.unique(values, return_inverse=True)
    return np.array([pow(int(c), -1, prime) for c in different], dtype=np.uint64)[inverse.ravel()]


def _solved_alike(equations: SparseVectors, count: int, prime: int) -> Iterator[SparseVectors]:
    """The nullspaces of all components: one is solved of those that are the same, unknowns being renamed in order."""
    row_label, label = components(equations.start, equations.index, count)
    by_label = np.argsort(row_label, kind="stable")
    ordered = equations.chosen(by_label)
    every, first_row = np.unique(row_label[by_label], return_index=True)
    first_row = np.append(first_row, len(by_label)).astype(np.int64)
    met = np.isin(label, every)
    unknowns = np.flatnonzero(met)
    unknowns = unknowns[np.argsort(label[unknowns], kind="stable")]  # by component
    begin = np.searchsorted(label[unknowns], every).astype(np.int64)
    place = np.empty(count, dtype=np.int64)
    place[unknowns] = np.arange(len(unknowns)) - begin[np.searchsorted(every, label[unknowns])]
    local_row = ordered.owner - np.repeat(first_row[:-1], np.diff(ordered.start[first_row]))
    alike = labels(ordered.start[first_row], local_row, place[ordered.index], ordered.value.view(np.int64))
    for same in together(alike):
        rows = ordered.chosen(np.arange(first_row[same[0]], first_row[same[0] + 1]))
        local = SparseVectors(rows.start, place[rows.index], rows.value).dicts()
        size = 1 + max(max(equation) for equation in local)
        for vector in _core_nullspace(list(range(size)), local, prime):
            index = unknowns[begin[same][:, None] + np.array(list(vector), dtype=np.int64)]
            value = np.tile(np.array(list(vector.values()), dtype=np.uint64), len(same))
            yield SparseVectors(len(vector) * np.arange(len(same) + 1), index.ravel(), value)


def _core_nullspace(unknowns: list[int], equations: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """Nullspace mod p of one component: peel, solve the dense rest, put the peeled unknowns back."""
    equations, peeled = _peel(equations)
    solved = {x for x, _ in peeled}
    left = sorted(set(unknowns) - solved)
    most = FILLED * sum(map(len, equations)) if len(left) <= DENSE else MOST_FILLED
    basis = _sparse_core(left, equations, prime, most) if len(left) > SMALL else None
    if basis is None:
        basis = _dense_core(left, equations, prime) if len(left) <= DENSE else []
    _put_back(basis, peeled, prime)
    return basis


def _put_back(basis: list[dict[int, int]], aside: list[tuple[int, dict[int, int]]], prime: int) -> None:
    """Extend vectors to unknowns set aside, each defined by its equation in those left and those set aside later."""
    values: dict[int, dict[int, int]] = {}  # {unknown: {number of a vector: its entry there}}
    for n, vector in enumerate(basis):
        for x, c in vector.items():
            values.setdefault(x, {})[n] = c
    for x, equation in reversed(aside):
        total: dict[int, int] = {}
        for y, v in equation.items():
            for n, c in values.get(y, {}).items():
                total[n] = total.get(n, 0) + v * c
        scale = pow(-equation[x], -1, prime)
        for n, c in total.items():
            if c % prime:
                values.setdefault(x, {})[n] = basis[n][x] = c * scale % prime


def _peel(equations: list[dict[int, int]]) -> tuple[list[dict[int, int]], list[tuple[int, dict[int, int]]]]:
    """Set aside, again and again, an equation whose last unknown occurs in no other: it only defines that unknown."""
    holders: dict[int, set[int]] = {}
    for n, equation in enumerate(equations):
        for x in equation:
            holders.setdefault(x, set()).add(n)
    peeled, gone, queue = [], set(), list(range(len(equations)))
    while queue:
        n = queue.pop()
        last = max(equations[n])
        if n in gone or len(holders[last]) > 1:
            continue
        gone.add(n)
        peeled.append((last, equations[n]))
        for x in equations[n]:
            holders[x].discard(n)
            queue.extend(holders[x] if len(holders[x]) == 1 else ())
    return [e for n, e in enumerate(equations) if n not in gone], peeled


def _dense_core(unknowns: list[int], equations: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """Nullspace mod p by FLINT. Equations enter lazily: first a slice of them, then those that are violated."""
    place = {x: i for i, x in enumerate(unknowns)}
    chosen = equations[:: max(1, len(equations) // (2 * len(unknowns) + 1))]
    while True:
        dense = [[0] * len(unknowns) for _ in chosen]
        for row, equation in zip(dense, chosen, strict=True):
            for x, v in equation.items():
                row[place[x]] = v
        solved = dense_nullspace(dense, len(unknowns), prime)
        basis = [{unknowns[i]: c for i, c in vector.items()} for vector in solved.values()]
        broken = [e for e in equations if any(sum(v * b.get(x, 0) for x, v in e.items()) % prime for b in basis)]
        if not broken:
            return basis
        chosen = chosen + broken[: len(unknowns)]


def _sparse_core(
    unknowns: list[int], equations: list[dict[int, int]], prime: int, most: int
) -> list[dict[int, int]] | None:
    """As ``_dense_core``, by sparse elimination; None where that fills in to more entries."""
    place = {x: i for i, x in enumerate(unknowns)}
    start = np.cumsum([0, *map(len, equations)])
    column = np.array([place[x] for e in equations for x in e], dtype=np.int64)
    value = np.array([v for e in equations for v in e.values()], dtype=np.uint64)
    form = SparseForm(len(unknowns), prime)
    try:
        form.add(start, column, value, np.argsort(np.diff(start), kind="stable"), most)
    except MemoryError:
        return None
    starts, columns, entries = (array.tolist() for array in form.rows())
    names = [unknowns[c] for c in columns]
    rows = [dict(zip(names[a:b], entries[a:b], strict=True)) for a, b in pairwise(starts)]
    pivots = [unknowns[c] for c in form.pivots.tolist()]
    basis = [{x: 1} for x in sorted(set(unknowns) - set(pivots))]
    _put_back(basis, list(zip(pivots, rows, strict=True)), prime)  # a row is zero on the pivots before its own
    return _reduced(basis, prime)


def _reduced(vectors: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """The reduced form: each 1 at its first column, where all others are 0."""
    found: dict[int, dict[int, int]] = {}
    for vector in vectors:
        while vector and (first := min(vector)) in found:
            vector = _less(vector, found[first], vector[first], prime)
        if vector:
            scale = pow(vector[min(vector)], -1, prime)
            found[min(vector)] = {x: c * scale % prime for x, c in vector.items()}
    for first in sorted(found, reverse=True):
        for later in sorted(x for x in found[first] if x != first and x in found):
            if c := found[first].get(later, 0):
                found[first] = _less(found[first], found[later], c, prime)
    return [found[first] for first in sorted(found)]


def _less(a: dict[int, int], b: dict[int, int], c: int, prime: int) -> dict[int, int]:
    """a - c b."""
    out = dict(a)
    for x, v in b.items():
        if left := (out.get(x, 0) - c * v) % prime:
            out[x] = left
        else:
            out.pop(x, None)
    return out
