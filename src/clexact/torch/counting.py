r"""How many numbers of several laws are independent: the rank of all their gradients together.

At a point of integers, and modulo a prime, the rank is at most the generic one over Q: a rank found is a proof that so
many are independent. Most laws need no elimination. A law with entries of parameters that no other law touches is
independent of the others as far as it is on these entries alone, since their gradients are 0 there; set aside, it
leaves entries to the others. On entries that it holds once, the rank of a law has a formula: with k columns, the
entries of the n x n matrix $\sum_k c_k P_k P_k^\top$ have rank $k(2n + 1 - k)/2$, k <= n.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
import torch
from torch import Tensor

from clexact._kernels.sparse import SparseForm
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.programs.sparse_jets import Part, collected, compressed
from clexact.support.bounds import check_bounds
from clexact.symmetry.grading import connected
from clexact.symmetry.views import Term, View
from clexact.torch.law import ModuleLaw

PRIME = 2**61 - 1
MOST_TOUCHED = 10**7  # entries of the parameters of laws that are eliminated together
MOST_NONZERO = 4 * 10**6  # entries of the gradients that are eliminated together
MOST_WORK = 2 * 10**9  # numbers times these, some seconds
MOST_ENTRIES = 3 * 10**7  # of the echelon form

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Independent:
    """``count`` numbers are proved to be independent, and no more than ``most`` are.

    ``most`` is the numbers of all laws added up, but where elimination finds the rank of some laws together it is this
    rank, which is the generic one but for bad luck with the point. The two are equal where all was found.
    """

    count: int
    most: int

    def __post_init__(self) -> None:
        check_bounds(self.count, self.most, "the independent numbers of a module")


NOTHING = Independent(0, 0)


def independent(laws: Iterable[ModuleLaw], shapes: Shapes, seed: int = 0) -> Independent:
    """How many numbers of these laws, of parameters of these shapes, are independent at a generic point."""
    whole = _Terms(laws)
    count, missed = whole.set_aside(), 0
    pool = _Entries(whole.laws, shapes)
    while pool.laws:
        count += pool.set_aside()
        for part in pool.components():
            if (rank := _eliminated(part, shapes, seed)) is not None:
                count += rank
                pool.remove(*part)
        if pool.laws:
            law = min(pool.laws, key=lambda law: formula(law) - pool.private(law))
            count, missed = count + pool.private(law), missed + formula(law) - pool.private(law)
            pool.remove(law)
    return Independent(count, count + missed)


def formula(law: ModuleLaw) -> int:
    """The rank of the gradients of a law whose terms share no entry; otherwise it is at most this."""
    return _by_formula(law, [_whole(law, term) for term in law.terms])


class _Pool:
    """Laws that are set aside one by one, each with its rank on entries that it alone touches, each once."""

    def __init__(self, laws: Iterable[ModuleLaw]) -> None:
        self.laws = list(laws)
        self._full = {id(law): formula(law) for law in self.laws}
        self._known: dict[int, int] = {}

    def _held(self, law: ModuleLaw, term: Term) -> Ints:
        """As ``_whole``, of the entries of a term that nothing else touches."""
        raise NotImplementedError

    def set_aside(self) -> int:
        """Remove laws that are independent of all others that are left, as long as there are any; their numbers."""
        count, waiting = 0, deque(self.laws)
        while waiting:
            law = waiting.popleft()
            if id(law) in self._full and self.private(law) == self._full[id(law)]:
                count += self._full[id(law)]
                waiting.extend(self.remove(law))
        return count

    def private(self, law: ModuleLaw) -> int:
        """The rank of a law on the entries that it alone touches."""
        if id(law) not in self._known:
            self._known[id(law)] = _by_formula(law, [self._held(law, term) for term in law.terms])
        return self._known[id(law)]

    def remove(self, *laws: ModuleLaw) -> list[ModuleLaw]:
        """Leave out some laws, whose entries are then free for others: for those that are returned."""
        gone, mine = set(map(id, laws)), {name for law in laws for name in law.parameters}
        for law in laws:
            self._full.pop(id(law))
        self.laws = [law for law in self.laws if id(law) not in gone]
        freer = [law for law in self.laws if not mine.isdisjoint(law.parameters)]
        for law in freer:
            self._known.pop(id(law), None)
        return freer

    def components(self) -> list[list[ModuleLaw]]:
        """The laws in groups that share no parameter."""
        return connected(self.laws, lambda law: law.parameters)


class _Terms(_Pool):
    """By whole terms: those that share no slice with others. No array is made."""

    def __init__(self, laws: Iterable[ModuleLaw]) -> None:
        super().__init__(laws)
        self._terms: dict[str, list[Term]] = {}
        for law in self.laws:
            for term in law.terms:
                self._terms.setdefault(term.parameter, []).append(term)

    def remove(self, *laws: ModuleLaw) -> list[ModuleLaw]:
        for law in laws:
            for term in law.terms:
                self._terms[term.parameter].remove(term)
        return super().remove(*laws)

    def _held(self, law: ModuleLaw, term: Term) -> Ints:
        whole = _whole(law, term)
        return whole if self._apart(term) else np.zeros_like(whole)

    def _apart(self, term: Term) -> bool:
        """Whether a term holds each entry once and shares none with the others of its parameter."""
        others = self._terms[term.parameter]
        return not _repeats(term) and sum(not _separate(term.view, other.view) for other in others) == 1  # itself


class _Entries(_Pool):
    """By single entries of the parameters, of which it is counted how often they are touched."""

    def __init__(self, laws: Iterable[ModuleLaw], shapes: Shapes) -> None:
        super().__init__(laws)
        times = Counter(term.parameter for law in self.laws for term in law.terms)
        times.update(term.parameter for law in self.laws for term in law.terms if _repeats(term))
        often = [name for name, n in times.items() if n > 1]
        self._touched = {name: torch.zeros(tuple(shapes[name]), dtype=torch.int16) for name in often}
        for law in self.laws:
            self._touch(law, 1)

    def remove(self, *laws: ModuleLaw) -> list[ModuleLaw]:
        for law in laws:
            self._touch(law, -1)
        return super().remove(*laws)

    def _touch(self, law: ModuleLaw, times: int) -> None:
        for term in law.terms:
            if term.parameter in self._touched:
                _add(self._touched[term.parameter], term, times)

    def _held(self, law: ModuleLaw, term: Term) -> Ints:
        if term.parameter not in self._touched:
            return _whole(law, term)
        once = term.matrices(self._touched[term.parameter] == 1)
        match law.kind:
            case "gram":
                return np.asarray(once.all(dim=1).sum(dim=1))
            case "translation":
                return np.asarray(once.sum(dim=1)).ravel()
            case "total":
                return np.asarray(once.sum(dim=(1, 2))).ravel()
            case _:
                return np.asarray(once.sum(dim=2)).ravel()


def _repeats(term: Term) -> bool:
    """Whether a term holds an entry twice."""
    return term.view.index is not None and len(set(term.view.index)) < len(term.view.index)


def _separate(a: View, b: View) -> bool:
    """Whether two views take different slices of one axis, or different places along it."""
    if a.axis is None or a.axis != b.axis:
        return False
    if a.index is not None and b.index is not None:
        return not np.isin(a.index, b.index).any()
    if a.index is not None:
        a, b = b, a
    if b.index is not None:  # of which a takes a slice
        return not any(a.start <= n and (a.stop is None or n < a.stop) for n in b.index)
    return (a.stop is not None and a.stop <= b.start) or (b.stop is not None and b.stop <= a.start)


def _whole(law: ModuleLaw, term: Term) -> Ints:
    """How many entries of a term each matrix (gram: columns) or each number holds."""
    view = term.view
    match law.kind:
        case "gram":
            return np.full(view.groups, view.columns)
        case "translation":
            return np.full(view.groups * view.columns, view.rows)
        case "total":
            return np.full(view.groups, view.rows * view.columns)
        case _:
            return np.full(view.groups * view.rows, view.columns)


def _by_formula(law: ModuleLaw, held: Sequence[Ints]) -> int:
    """The rank of a law on these entries: of a matrix by its columns, of single numbers one each that holds any."""
    total = np.sum(held, axis=0)
    if law.kind != "gram":
        return int(np.count_nonzero(total))
    n = law.shape[-1]
    k = np.minimum(total, n)
    return int((k * (2 * n + 1 - k) // 2).sum())


def _add(touched: Tensor, term: Term, times: int) -> None:
    """Count a term at each entry that it touches."""
    if term.view.index is None:
        term.view.split(touched).add_(times)  # a view of the memory
    else:
        places = term.matrices(torch.arange(touched.numel()).reshape(touched.shape)).reshape(-1)
        touched.view(-1).index_add_(0, places, torch.full(places.shape, times, dtype=touched.dtype))


# -- elimination ------------------------------------------------------------------------------------------------------


def _eliminated(laws: Sequence[ModuleLaw], shapes: Shapes, seed: int) -> int | None:
    """The rank of some laws together; None if it takes too long.

    At a random point it is the generic rank, but for bad luck. At a point of few entries it may be less, and so is
    taken only if all are independent there.
    """
    names = list(dict.fromkeys(name for law in laws for name in law.parameters))
    numbers, nonzero = sum(prod(law.shape) for law in laws), sum(_nonzero(law) for law in laws)
    if sum(prod(shapes[name]) for name in names) > MOST_TOUCHED:
        return None
    draws = Draws(seed)
    if nonzero <= MOST_NONZERO and numbers * nonzero <= MOST_WORK:
        return _rank(laws, {name: draws.residues(tuple(shapes[name]), PRIME) for name in names})
    rank = _rank(laws, {name: draws.residues(tuple(shapes[name]), PRIME) * _few(shapes[name]) for name in names})
    return rank if rank == sum(map(formula, laws)) else None


def _few(shape: Sequence[int]) -> Words:
    """1 on the diagonal of a matrix, wrapped around its shorter axis; a kernel is a matrix of its first axis."""
    rows, columns = (shape[0], prod(shape[1:])) if shape else (1, 1)
    i, j = np.arange(rows)[:, None], np.arange(columns)
    return np.asarray(i % columns == j % rows).reshape(tuple(shape)).astype(np.uint64)


def _nonzero(law: ModuleLaw) -> int:
    rows = law.shape[-1] if law.kind == "gram" else 1
    return sum(rows * term.view.groups * term.view.rows * term.view.columns for term in law.terms)


def _rank(laws: Sequence[ModuleLaw], point: Mapping[str, Words]) -> int | None:
    """The rank modulo a prime, at a point, of the gradients of all numbers of some laws; None if they are too many."""
    first = dict(zip(point, np.cumsum([0, *(values.size for values in point.values())]).tolist(), strict=False))
    parts, count, size = list[tuple[Ints, Ints, Words]](), 0, 0
    for law in laws:
        for term in law.terms:
            values = point[term.parameter]
            index = np.asarray(term.matrices(torch.arange(values.size).reshape(values.shape)))
            number, place, value = _gradient(law, index, values.ravel(), term.linear)
            parts.append((count + number, first[term.parameter] + place, _times(value, term.coefficient)))
            size += len(number)
            if size > MOST_NONZERO:
                return None
        count += prod(law.shape)
    row, column, value = (np.concatenate(each) for each in zip(*parts, strict=True))
    entries = sum(values.size for values in point.values())
    gradients = collected(Part((entries,), row, column, value), PRIME)
    form = SparseForm(entries, PRIME)
    try:
        form.add(*compressed(gradients, count), MOST_ENTRIES)
    except MemoryError:
        return None
    return int(form.rank)


def _times(values: Words, coefficient: int) -> Words:
    return linalg.multiply(values, np.full(values.shape, coefficient % PRIME, dtype=np.uint64), PRIME)


def _gradient(law: ModuleLaw, index: Ints, point: Words, linear: bool) -> tuple[Ints, Ints, Words]:
    """(numbers, entries, derivatives) of a term of coefficient 1 with entries ``index`` (groups, rows, columns)."""
    groups, rows, columns = index.shape
    if law.kind == "translation":
        number = np.broadcast_to(np.arange(groups * columns).reshape(groups, 1, columns), index.shape)
        return number.ravel(), index.ravel(), np.ones(index.size, dtype=np.uint64)
    if law.kind == "total":
        number = np.broadcast_to(np.arange(groups)[:, None, None], index.shape)
        sums = reduce(lambda a, b: linalg.add(a, b, PRIME), np.moveaxis(point[index], 1, 0))[:, None]
        return number.ravel(), index.ravel(), _times(np.repeat(sums, rows, axis=1).ravel(), 2)
    if linear:
        number = np.broadcast_to(np.arange(groups * rows).reshape(groups, rows, 1), index.shape)
        return number.ravel(), index.ravel(), np.ones(index.size, dtype=np.uint64)
    g, j, c = np.nonzero(point[index])
    value = point[index[g, j, c]]
    if law.kind != "gram":
        return g * rows + j, index[g, j, c], _times(value, 2)
    g, j, c, value = np.repeat(g, rows), np.repeat(j, rows), np.repeat(c, rows), np.repeat(value, rows)
    i = np.tile(np.arange(rows), len(g) // rows)  # the entry (i, j) of P P^T has the derivative P[j, c] by P[i, c]
    value = np.where(i == j, _times(value, 2), value)
    return (g * rows + np.minimum(i, j)) * rows + np.maximum(i, j), index[g, i, c], value
