"""The exact boundary: the simplest condition that tells the sizes where something fails from those where it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.formulas.quantities import (
    Extreme,
    Fact,
    Relation,
    Sizes,
    check_call,
    check_names,
    check_sizes,
    columns_of,
    merged,
    number,
    size,
    text,
    total,
)

Bits = NDArray[np.uint64]

VALUES = 12  # values of a size that are compared with, at most
TRIPLES_FROM = 120  # conjunctions of three are made of so many of the simplest atoms
KEPT = 1500  # conjunctions that are combined, at most
CLAUSES = 3  # conjunctions in a union, at most
CLAUSE_COST = 1  # of each conjunction, besides its atoms

WIDER = "a hidden layer is wider than its two neighbours together"
PEAK = "a hidden layer is wider than each of its neighbours"
VALLEY = "a hidden layer is narrower than each of its neighbours"
EVEN = "all hidden layers are equally wide"
ALONE = "a hidden layer of two units or more has neighbours of one unit"
RUN = "two or more hidden layers in a row, of two units or more each, stand between layers of one unit"
DEPTH = "depth"  # is compared with constants only
WIDTHS = (DEPTH, "outputs", "inputs", "narrowest", "widest")
FACTS = (WIDER, PEAK, VALLEY, EVEN, ALONE, RUN)


@dataclass(frozen=True)
class Atom:
    """A relation between sizes, or a fact, and how much it costs to say it."""

    relation: Relation | Fact
    cost: int


@dataclass(frozen=True)
class Condition:
    """A union of conjunctions of relations on named sizes.

    No clause at all is never true, a clause without relations always.

    Attributes
    ----------
    names : tuple of str or None
        The sizes it is called with; None for the widths of a network, which are given in their order:
        ``condition(4, 3, 5)``.
    clauses : tuple of tuple
        The conjunctions, each of ``Relation`` and ``Fact``.

    Examples
    --------
    >>> found = boundary([(1, 2), (2, 2), (2, 3)], [(2, 1), (3, 1), (3, 2)], ("n", "r"))
    >>> print(found, found(n=5, r=4), found(n=4, r=5))
    n > r True False
    """

    names: tuple[str, ...] | None
    clauses: tuple[tuple[Relation | Fact, ...], ...]

    def __call__(self, *widths: int, **sizes: int) -> bool:
        """Whether it is true at these sizes. TypeError or ValueError unless they are all given."""
        if self.names is None:
            if sizes:
                raise TypeError(f"expected the widths in their order, not {', '.join(sizes)}.")
            return self.at([check_sizes(widths, None)]) == [True]
        if widths:
            raise TypeError(f"expected the sizes {', '.join(self.names)} by name, not {widths!r}.")
        return self.at([check_call(sizes, self.names)]) == [True]

    def at(self, sizes: Sequence[Sizes]) -> list[bool]:
        """Where it is true, for many sizes at once.

        Parameters
        ----------
        sizes : sequence of tuple of int
            As many entries as there are names.

        Returns
        -------
        list of bool
            One for each.

        Examples
        --------
        >>> boundary([(1,), (2,)], [(3,), (4,)], ("n",)).at([(2,), (7,)])
        [False, True]
        """
        columns = _columns(sizes, self.names)
        true = np.zeros(len(sizes), dtype=bool)
        for clause in self.clauses:
            inside = np.ones(len(sizes), dtype=bool)
            for relation in clause:
                inside &= relation.value(columns)
            true |= inside
        return [bool(x) for x in true]

    @property
    def atoms(self) -> int:
        """How many relations it is made of."""
        return sum(map(len, self.clauses))

    def __str__(self) -> str:
        return self._written(latex=False)

    def to_latex(self) -> str:
        r"""As LaTeX.

        Returns
        -------
        str
            Without dollar signs.

        Examples
        --------
        >>> boundary([(1,), (2,)], [(3,), (4,)], ("n",)).to_latex()
        'n \\ge 3'
        """
        return self._written(latex=True)

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def _written(self, latex: bool) -> str:
        def said(words: str) -> str:
            return rf"\text{{{words}}}" if latex else words

        if not self.clauses:
            return said("never")
        either = said(", or " if any(len(clause) > 1 for clause in self.clauses) else " or ")
        return either.join(said(" and ").join(_phrases(clause, latex)) or said("always") for clause in self.clauses)


def _phrases(clause: Sequence[Relation | Fact], latex: bool) -> list[str]:
    relations = [atom for atom in clause if isinstance(atom, Relation)]
    return merged(relations, latex) + [text(atom, latex) for atom in clause if isinstance(atom, Fact)]


def boundary(holds: Iterable[Sizes], fails: Iterable[Sizes], names: Sequence[str] | None = None) -> Condition | None:
    """Return the simplest condition that is true on all ``fails`` and false on all ``holds``, None if there is none.

    Conditions are unions of at most three conjunctions of at most three atoms: a size compared with a constant, with
    another size or with the sum of two (once or twice), equal sizes, minima and maxima of sizes, and, for the widths of
    networks (``names`` None; sizes of any lengths), depth, number of outputs and inputs, narrowest and widest hidden
    layer, and some facts about neighbours. The cost of each atom is fixed; the least total cost wins, then the first in
    a fixed order. Conjunctions of three are made of the simplest atoms only, so "simplest" is meant among what is
    searched. Nothing is said about sizes that are not given.

    Parameters
    ----------
    holds : iterable of tuple of int
        The sizes at which something holds.
    fails : iterable of tuple of int
        The sizes at which it fails.
    names : sequence of str, optional
        What the entries of a size are called; None for the widths of a network.

    Returns
    -------
    Condition or None
        None if no condition searched tells them apart.

    Raises
    ------
    TypeError, ValueError
        For sizes that are not tuples of integers, one for each name, or are in both.

    Examples
    --------
    >>> sizes = [(n, m, r) for n in (1, 2, 3) for m in (1, 2, 3) for r in (1, 2, 3, 4)]
    >>> fails = [(1, 1, 2), (1, 1, 3), (1, 1, 4)]
    >>> print(boundary([at for at in sizes if at not in fails], fails, ("n", "m", "r")))
    n = m = 1 and r >= 2
    """
    names = None if names is None else check_names(names)
    if isinstance(holds, Mapping) or isinstance(fails, Mapping):
        raise TypeError("the sizes that hold, and those that fail, must be lists or sets of tuples, not mappings.")
    right = list(dict.fromkeys(check_sizes(s, names) for s in holds))
    wrong = list(dict.fromkeys(check_sizes(s, names) for s in fails))
    if both := sorted(set(right) & set(wrong)):
        raise ValueError(f"sizes must hold or fail, not both, as {both[0]} does.")
    if not wrong:
        return Condition(names, ())
    if not right:
        return Condition(names, ((),))
    found = _Search(atoms(right + wrong, names), _columns(right + wrong, names), len(right)).union()
    return None if found is None else Condition(names, found)


def _columns(sizes: Sequence[Sizes], names: tuple[str, ...] | None) -> dict[str, NDArray[np.int64]]:
    if names is not None:
        return columns_of(sizes, names)
    return columns_of([_described(widths) for widths in sizes], WIDTHS + FACTS)


def _described(widths: Sizes) -> Sizes:
    """The numbers WIDTHS and the facts FACTS about a network; one without hidden layers has hidden widths 0."""
    hidden = widths[1:-1]
    around = list(zip(widths, hidden, widths[2:], strict=False))
    single = [place for place, w in enumerate(widths) if w == 1]
    facts = (
        any(w > left + right for left, w, right in around),
        any(w > max(left, right) for left, w, right in around),
        any(w < min(left, right) for left, w, right in around),
        len(set(hidden)) == 1,
        any(left == right == 1 < w for left, w, right in around),
        any(after - before > 2 for before, after in pairwise(single)),
    )
    return len(widths) - 1, widths[0], widths[-1], min(hidden, default=0), max(hidden, default=0), *map(int, facts)


def atoms(sizes: Sequence[Sizes], names: tuple[str, ...] | None) -> list[Atom]:
    """All atoms of the language with the values that occur in these sizes, simplest first."""
    columns = _columns(sizes, names)
    facts = [] if names is not None else [Atom(Fact(name), 3) for name in FACTS]
    sized = WIDTHS if names is None else names
    alike = [x for x in sized if x != DEPTH]
    found = [*_with_constants(columns, sized), *_with_sizes(alike), *facts, *_with_extremes(columns, alike)]
    return sorted(found, key=lambda atom: atom.cost)


def _values(column: NDArray[np.int64]) -> list[int]:
    """Values of a size: all, or the least and the largest ones."""
    values = [int(v) for v in np.unique(column)]
    return values if len(values) <= VALUES else values[: VALUES // 2] + values[-VALUES // 2 :]


def _with_constants(columns: dict[str, NDArray[np.int64]], names: Sequence[str]) -> Iterator[Atom]:
    for sign in ("=", ">=", "<="):
        for x in names:
            yield from (Atom(Relation(size(x), sign, number(v)), 2) for v in _values(columns[x]))


def _with_sizes(names: Sequence[str]) -> Iterator[Atom]:
    for x, y in combinations(names, 2):
        yield Atom(Relation(size(x), "=", size(y)), 2)
    for x, y in permutations(names, 2):
        yield from (Atom(Relation(size(x), sign, size(y)), 2) for sign in (">", ">="))
        yield from (Atom(Relation(size(x), sign, total([y], factor=2)), 3) for sign in (">=", ">", "<", "<="))
    for x in names:
        for pair in combinations([y for y in names if y != x], 2):
            yield from (Atom(Relation(size(x), sign, total(pair)), 3) for sign in (">", ">=", "=", "<", "<="))
            yield from (Atom(Relation(size(x), sign, total(pair, factor=2)), 4) for sign in (">=", ">", "<", "<="))


def _with_extremes(columns: dict[str, NDArray[np.int64]], names: Sequence[str]) -> Iterator[Atom]:
    groups = [g for k in (2, 3) for g in combinations(names, k) if k <= len(names)]
    for group in groups:
        for kind in ("min", "max"):
            extreme = Extreme(kind, tuple(size(x) for x in group))
            for sign in ("=", ">=", "<="):
                values = _values(extreme.value(columns))
                yield from (Atom(Relation(extreme, sign, number(v)), 6) for v in values)
        for x in (x for x in names if x not in group):
            extremes = [Extreme(kind, tuple(map(size, group))) for kind in ("min", "max")]
            yield from (Atom(Relation(size(x), sign, e), 5) for e in extremes for sign in (">", ">=", "<", "<="))


def _packed(rows: NDArray[np.bool_]) -> Bits:
    """Rows of booleans as rows of 64-bit words."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 64) * 64), dtype=bool)
    padded[:, : rows.shape[1]] = rows
    return np.packbits(padded, axis=1).view(np.uint64)


def _first_of_each(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows are equal to none before them."""
    first = np.zeros(len(rows), dtype=bool)
    first[list({row.tobytes(): i for i, row in reversed(list(enumerate(rows)))}.values())] = True
    return first


@dataclass(frozen=True)
class _Clauses:
    """Conjunctions that are false wherever it holds: their atoms, cost, and where they are true among the fails."""

    members: NDArray[np.int64]  # (clauses, 3), -1 after the last atom
    cost: NDArray[np.int64]
    cover: Bits

    def __add__(self, other: _Clauses) -> _Clauses:
        members = np.concatenate([self.members, other.members])
        cost = np.concatenate([self.cost, other.cost])
        return _Clauses(members, cost, np.concatenate([self.cover, other.cover]))

    def __getitem__(self, chosen: NDArray[Any]) -> _Clauses:
        return _Clauses(self.members[chosen], self.cost[chosen], self.cover[chosen])


Union = tuple[int, list[tuple[int, ...]]]  # cost, the atoms of each clause


class _Search:
    """Atoms as rows of bits, conjunctions that no ``holds`` satisfies, and the cheapest union that covers ``fails``."""

    def __init__(self, found: Sequence[Atom], columns: dict[str, NDArray[np.int64]], holds: int) -> None:
        rows = np.array([atom.relation.value(columns) for atom in found], dtype=bool)
        useful = _first_of_each(rows) & rows[:, holds:].any(axis=1)
        self.atoms = [atom for atom, kept in zip(found, useful, strict=True) if kept]
        self.cost = np.array([atom.cost for atom in self.atoms], dtype=np.int64)
        self.hit, self.cover = _packed(rows[useful, :holds]), _packed(rows[useful, holds:])
        self.all = _packed(np.ones((1, rows.shape[1] - holds), dtype=bool))[0]

    def union(self) -> tuple[tuple[Relation | Fact, ...], ...] | None:
        """The clauses of the cheapest union, None if there is none."""
        everywhere = np.flatnonzero((self.cover == self.all).all(axis=1))
        every = np.arange(len(self.atoms))
        clauses = self.pure(every)
        best = self._cheapest(clauses)
        if best is None or best[0] > 3 * self.cost[0] + CLAUSE_COST:  # less than three atoms cost
            clauses += self.pure_triples(everywhere[:TRIPLES_FROM]) + self.pure_triples(every[:TRIPLES_FROM])
            best = self._cheapest(clauses)
        if best is None:
            return None
        return tuple(tuple(self.atoms[i].relation for i in members) for members in best[1])

    def pure(self, chosen: NDArray[np.int64]) -> _Clauses:
        """The conjunctions of one or two of the chosen atoms."""
        alone = ~self.hit[chosen].any(axis=1)
        members: list[tuple[int, ...]] = [(i,) for i in chosen[alone].tolist()]
        mixed = chosen[~alone]
        for n, i in enumerate(mixed.tolist()):
            others = mixed[n + 1 :]
            both = ~(self.hit[i] & self.hit[others]).any(axis=1) & (self.cover[i] & self.cover[others]).any(axis=1)
            members += [(i, j) for j in others[both].tolist()]
        return self._clauses(members)

    def pure_triples(self, chosen: NDArray[np.int64]) -> _Clauses:
        """The conjunctions of three of the chosen atoms of which no two suffice."""
        mixed = chosen[self.hit[chosen].any(axis=1)]
        members: list[tuple[int, ...]] = []
        for n, i in enumerate(mixed.tolist()):
            hit, cover = self.hit[i] & self.hit[mixed], self.cover[i] & self.cover[mixed]
            open_ = hit.any(axis=1) & cover.any(axis=1)
            for j in (np.flatnonzero(open_[n + 1 :]) + n + 1).tolist():
                third = np.flatnonzero(open_[j + 1 :]) + j + 1
                pure = ~(hit[third] & self.hit[mixed[j]]).any(axis=1)
                pure[pure] = (cover[third[pure]] & self.cover[mixed[j]]).any(axis=1)
                members += [(i, int(mixed[j]), k) for k in mixed[third[pure]].tolist()]
        return self._clauses(members)

    def _clauses(self, members: list[tuple[int, ...]]) -> _Clauses:
        table = np.array([(*m, -1, -1)[:3] for m in members], dtype=np.int64).reshape(len(members), 3)
        cost, cover = np.full(len(table), CLAUSE_COST), np.tile(self.all, (len(table), 1))
        for column in table.T:
            used = column >= 0
            cost[used] += self.cost[column[used]]
            cover[used] &= self.cover[column[used]]
        return _Clauses(table, cost, cover)

    def _cheapest(self, clauses: _Clauses) -> Union | None:
        clauses = clauses[np.lexsort((*clauses.members.T[::-1], clauses.cost))]
        single = np.flatnonzero((clauses.cover == self.all).all(axis=1))[:1]
        best: Union | None = None
        if len(single):
            best = int(clauses.cost[single[0]]), [_members(clauses, int(single[0]))]
        return _united(_undominated(clauses), self.all, best)


def _members(clauses: _Clauses, n: int) -> tuple[int, ...]:
    return tuple(i for i in clauses.members[n].tolist() if i >= 0)


def _undominated(clauses: _Clauses) -> _Clauses:
    """Of clauses in order of cost, those that are not covered by one before; at most KEPT, of the first that differ."""
    clauses = clauses[np.flatnonzero(_first_of_each(clauses.cover.view(bool)))[: 4 * KEPT]]
    kept: list[int] = []
    cover = np.zeros((KEPT, clauses.cover.shape[1]), dtype=np.uint64)
    for n, row in enumerate(clauses.cover):
        if len(kept) < KEPT and not ((cover[: len(kept)] & row) == row).all(axis=1).any():
            cover[len(kept)] = row
            kept.append(n)
    return clauses[np.array(kept, dtype=np.int64)]


def _united(clauses: _Clauses, whole: Bits, best: Union | None) -> Union | None:
    """The cheapest union of two or three clauses that covers the whole, or the best so far.

    One clause of a union covers the fail that the fewest clauses cover; another one the first that is left.
    """
    cost, cover = clauses.cost, clauses.cover
    if not len(cost) or (np.bitwise_or.reduce(cover, axis=0) != whole).any():
        return best
    most = int(np.bitwise_count(cover).sum(axis=1).max())
    bits = np.unpackbits(cover.view(np.uint8), axis=1)[:, np.unpackbits(whole.view(np.uint8)) > 0]
    for a in np.flatnonzero(bits[:, bits.sum(axis=0).argmin()]).tolist():
        left = bits[a] == 0
        rest = np.bitwise_count(whole & ~cover[a] & ~cover).sum(axis=1)
        for b in np.flatnonzero(rest <= most).tolist():
            bound = np.inf if best is None else best[0]
            if cost[a] + cost[b] >= bound:
                break
            if rest[b] == 0:
                best = int(cost[a] + cost[b]), [_members(clauses, a), _members(clauses, b)]
            elif CLAUSES > 2 and bits[b, left.argmax()] and cost[a] + cost[b] + cost[0] < bound:
                open_ = whole & ~cover[a] & ~cover[b]
                for c in np.flatnonzero(((cover & open_) == open_).all(axis=1))[:1].tolist():
                    if cost[a] + cost[b] + cost[c] < bound:
                        best = int(cost[a] + cost[b] + cost[c]), [_members(clauses, n) for n in (a, b, c)]
    return best
