r"""How many numbers of several laws are independent: the rank of all their gradients together.

At a point of integers, and modulo a prime, the rank is at most the generic one over Q: a rank found is a proof that so
many are independent. Most laws need no elimination. A law with entries of parameters that no other law touches is
independent of the others as far as it is on these entries alone, since their gradients are 0 there; set aside, it
leaves entries to the others. On entries that it holds once, the rank of a law has a formula: with k columns, the
entries of the n x n matrix $\sum_k c_k P_k P_k^\top$ have rank $k(2n + 1 - k)/2$, k <= n.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import torch
from torch import Tensor

from clexact import linalg
from clexact._kernels.sparse import SparseForm
from clexact.draws import Draws
from clexact.linalg import Words
from clexact.sparsejets import Part, collected, compressed
from clexact.terms import Ints
from clexact.torch.law import ModuleLaw, Term

PRIME = 2**61 - 1
MOST_NONZERO = 4 * 10**6  # entries of the gradients that are eliminated together
MOST_WORK = 2 * 10**9  # numbers times these, some seconds
MOST_ENTRIES = 3 * 10**7  # of the echelon form

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Independent:
    """``count`` numbers are proved to be independent, and no more than ``most`` are; equal where the rank was found."""

    count: int
    most: int


NOTHING = Independent(0, 0)


def independent(laws: Iterable[ModuleLaw], shapes: Shapes, seed: int = 0) -> Independent:
    """How many numbers of these laws, of parameters of these shapes, are independent at a generic point."""
    pool, count, missed = _Pool(laws, shapes), 0, 0
    while pool.laws:
        while (law := pool.free()) is not None:
            count += formula(law)
            pool.remove(law)
        for part in pool.components():
            if _quick(part) and (rank := _rank(part, shapes, seed)) is not None:
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


def disjoint(law: ModuleLaw, shapes: Shapes) -> bool:
    """Whether no two terms of a law share an entry of a parameter."""
    return _Pool([law], shapes).most_touched <= 1


class _Pool:
    """Laws, and how often they touch each entry of the parameters that are touched more than once."""

    def __init__(self, laws: Iterable[ModuleLaw], shapes: Shapes) -> None:
        self.laws = list(laws)
        times = Counter(term.parameter for law in self.laws for term in law.terms)
        often = [name for name, n in times.items() if n > 1]
        self._touched = {name: torch.zeros(tuple(shapes[name]), dtype=torch.int16) for name in often}
        self._known: dict[int, int] = {}
        for law in self.laws:
            self._touch(law, 1)

    @property
    def most_touched(self) -> int:
        """How often the entry is touched that is touched most, of the parameters of several terms."""
        return max((int(times.max()) for times in self._touched.values() if times.numel()), default=0)

    def remove(self, *laws: ModuleLaw) -> None:
        """Without some laws, whose entries are then free for the others."""
        gone = set(map(id, laws))
        self.laws = [law for law in self.laws if id(law) not in gone]
        for law in laws:
            self._touch(law, -1)
        mine = {name for law in laws for name in law.parameters}
        for other in self.laws:
            if not mine.isdisjoint(other.parameters):
                self._known.pop(id(other), None)

    def _touch(self, law: ModuleLaw, times: int) -> None:
        for term in law.terms:
            if term.parameter in self._touched:
                _add(self._touched[term.parameter], term, times)

    def free(self) -> ModuleLaw | None:
        """A law that has its full rank on entries that it alone touches, each once."""
        return next((law for law in self.laws if self.private(law) == formula(law)), None)

    def private(self, law: ModuleLaw) -> int:
        """The rank of a law on the entries that it alone touches, each once."""
        if id(law) not in self._known:
            self._known[id(law)] = _by_formula(law, [self._private(law, term) for term in law.terms])
        return self._known[id(law)]

    def _private(self, law: ModuleLaw, term: Term) -> Ints:
        if term.parameter not in self._touched:
            return _whole(law, term)
        once = term.matrices(self._touched[term.parameter] == 1)
        match law.kind:
            case "gram":
                return np.asarray(once.all(dim=1).sum(dim=1))
            case "translation":
                return np.asarray(once.sum(dim=1)).ravel()
            case _:
                return np.asarray(once.sum(dim=2)).ravel()

    def components(self) -> list[list[ModuleLaw]]:
        """The laws in groups that share no parameter."""
        found: list[tuple[set[str], list[ModuleLaw]]] = []
        for law in self.laws:
            names, members = set(law.parameters), [law]
            for other in [group for group in found if group[0] & names]:
                found.remove(other)
                names, members = names | other[0], other[1] + members
            found.append((names, members))
        return [members for _, members in found]


def _whole(law: ModuleLaw, term: Term) -> Ints:
    """How many entries of a term each matrix (gram: columns) or each number holds."""
    view = term.view
    match law.kind:
        case "gram":
            return np.full(view.groups, view.columns)
        case "translation":
            return np.full(view.groups * view.columns, view.rows)
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
        places = torch.from_numpy(_places(term, touched.shape)).reshape(-1)
        touched.view(-1).index_add_(0, places, torch.full(places.shape, times, dtype=touched.dtype))


# -- elimination ------------------------------------------------------------------------------------------------------


def _quick(laws: Sequence[ModuleLaw]) -> bool:
    """Whether the gradients are few and short enough for elimination."""
    numbers, nonzero = sum(prod(law.shape) for law in laws), sum(map(_nonzero, laws))
    return nonzero <= MOST_NONZERO and numbers * nonzero <= MOST_WORK


def _nonzero(law: ModuleLaw) -> int:
    rows = law.shape[-1] if law.kind == "gram" else 1
    return sum(rows * term.view.groups * term.view.rows * term.view.columns for term in law.terms)


def _rank(laws: Sequence[ModuleLaw], shapes: Shapes, seed: int) -> int | None:
    """The rank modulo a prime, at a random point, of the gradients of all numbers of some laws; None if they fill."""
    sizes = {name: prod(shapes[name]) for law in laws for name in law.parameters}
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    point = Draws(seed).residues((sum(sizes.values()),), PRIME)
    parts, count = list[tuple[Ints, Ints, Words]](), 0
    for law in laws:
        for term in law.terms:
            index = first[term.parameter] + _places(term, shapes[term.parameter])
            for number, place, value in _gradient(law, index, point):
                parts.append((count + number.ravel(), place.ravel(), _times(value.ravel(), term.coefficient)))
        count += prod(law.shape)
    row, place, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    gradients = collected(Part((len(point),), row, place, value), PRIME)
    form = SparseForm(len(point), PRIME)
    try:
        form.add(*compressed(gradients, count), MOST_ENTRIES)
    except MemoryError:
        return None
    return int(form.rank)


def _places(term: Term, shape: Sequence[int]) -> Ints:
    """The flat places of a term's entries in its parameter: (groups, rows, columns)."""
    return np.asarray(term.matrices(torch.arange(prod(shape)).reshape(tuple(shape))))


def _times(values: Words, coefficient: int) -> Words:
    return linalg.multiply(values, np.full(values.shape, coefficient % PRIME, dtype=np.uint64), PRIME)


def _gradient(law: ModuleLaw, index: Ints, point: Words) -> list[tuple[Ints, Ints, Words]]:
    """(numbers, entries, derivatives) for a term of coefficient 1 with entries ``index`` (groups, rows, columns)."""
    groups, rows, columns = index.shape
    if law.kind == "translation":
        numbers = np.arange(groups * columns).reshape(groups, 1, columns)
        return [(np.broadcast_to(numbers, index.shape), index, np.ones(index.shape, dtype=np.uint64))]
    if law.kind != "gram":
        numbers = np.arange(groups * rows).reshape(groups, rows, 1)
        return [(np.broadcast_to(numbers, index.shape), index, point[index])]
    found, numbers = [], np.arange(groups).reshape(groups, 1) * rows * rows
    for i, j in combinations_with_replacement(range(rows), 2):
        number = np.broadcast_to(numbers + i * rows + j, (groups, columns))
        found += [(number, index[:, i], point[index[:, j]]), (number, index[:, j], point[index[:, i]])]
    return found
