r"""An order of the types of contents, and for each combinations of rows that prove its rank.

A row is local to the few indices it was made of. The rank of a type is that of the rows, on the coordinates of one
content, modulo what they do elsewhere but at earlier types. Ranks are looked for modulo a prime at random residues;
what is written down are combinations with polynomial coefficients, which vanish identically where they must.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from typing import Any

from clexact.support.digest import digest
from clexact.theorems.network import Coordinate, Index, Part, Poly, Universe, Vector, combined, indices_of

PRIME = 2**61 - 1
AUXILIARY = 2  # indices beside those of a content, at most
ROWS = 400  # from which combinations are made
Content = tuple[tuple[str, int], ...]  # how many indices of each atom, in order
Combination = list[tuple[Poly, Any]]  # coefficients and recipes


@dataclass(frozen=True)
class Atom:
    """A kind of indices: the sorts that have them, whether there is exactly one, and the sorts that have each twice."""

    name: str
    sorts: frozenset[str]
    single: bool = False
    twins: frozenset[str] = frozenset()


@dataclass
class Way:
    """How the rank of a type is shown: with these indices beside its own."""

    auxiliary: dict[str, int]
    rows: list[Combination]


@dataclass
class Block:
    """A type of contents, its rank, and ways to show it."""

    content: Content
    rank: int
    ways: list[Way] = field(default_factory=list)


Rows = Callable[[Universe], list[tuple[Any, Vector]]]


class Search:
    """Types of contents and their ranks, for rows of one kind at one point."""

    def __init__(self, part: Part, atoms: Sequence[Atom], rows: Rows) -> None:
        self.part, self.atoms, self.make = part, {atom.name: atom for atom in atoms}, rows
        self.placed: list[Content] = []  # the types, in the order of the blocks
        self._rows: dict[tuple[tuple[str, int], ...], list[tuple[Any, Vector, dict[Coordinate, int]]]] = {}

    def types(self) -> list[Content]:
        """The types of contents of all coordinates."""
        found: dict[Content, None] = {}
        for axes in self.part.parameters.values():
            at = [[atom for atom in self.atoms.values() if sort in atom.sorts] for sort in axes]
            for chosen in product(*at):
                for numbers in product(range(1, len(axes) + 1), repeat=len(axes)):
                    indices = {(a.name, 1 if a.single else k) for a, k in zip(chosen, numbers, strict=True)}
                    found[content_of(indices)] = None
        return sorted(found, key=lambda content: (sum(k for _, k in content), content))

    def universe(self, counts: Mapping[str, int]) -> Universe:
        """So many indices of each atom, and those that are alone."""
        indices = [
            (name, k) for name, atom in self.atoms.items() for k in range(1, max(counts.get(name, 0), atom.single) + 1)
        ]
        twins = [(name, -k) for name, k in indices]
        return {
            sort: [i for i in indices if sort in self.atoms[i[0]].sorts]
            + [i for i in twins if sort in self.atoms[i[0]].twins]
            for sort in self.part.sorts
        }

    def rows(self, counts: Mapping[str, int]) -> list[tuple[Any, Vector, dict[Coordinate, int]]]:
        """All rows of so many indices, with their residues."""
        key = tuple(sorted((name, k) for name, k in counts.items() if k and not self.atoms[name].single))
        if key not in self._rows:
            made = self.make(self.universe(dict(key)))
            self._rows[key] = [(recipe, vector, residues(vector)) for recipe, vector in made]
        return self._rows[key]

    def auxiliaries(self, content: Content) -> list[dict[str, int]]:
        """Sets of indices to add, smaller ones first."""
        names = [name for name, atom in self.atoms.items() if not atom.single]
        return [
            {name: chosen.count(name) for name in set(chosen)}
            for size in range(AUXILIARY + 1)
            for chosen in combinations_with_replacement(names, size)
        ]

    def touching(
        self, content: Content, auxiliary: Mapping[str, int]
    ) -> list[tuple[Any, Vector, dict[Coordinate, int]]]:
        """Rows that are not zero on the content."""
        own = first_of(content)
        return [row for row in self.rows(_joined(content, auxiliary)) if any(indices_of(c) == own for c in row[2])]

    def rank(self, content: Content, auxiliary: Mapping[str, int], earlier: set[Content] | None) -> int:
        """Of the rows on the content; ``earlier`` None: whatever they do elsewhere."""
        own, touching = first_of(content), self.touching(content, auxiliary)
        if earlier is None or not touching:
            return rank({c: v for c, v in row[2].items() if indices_of(c) == own} for row in touching)

        def elsewhere(c: Coordinate) -> bool:
            return indices_of(c) != own and content_of(indices_of(c)) not in earlier

        every = [row[2] for row in self.rows(_joined(content, auxiliary))]
        seen = [{c: v for c, v in row.items() if indices_of(c) == own or elsewhere(c)} for row in every]
        return rank(seen) - rank({c: v for c, v in row.items() if elsewhere(c)} for row in seen)

    def most(self, content: Content, earlier: set[Content] | None, enough: int) -> int:
        """The largest rank with any indices beside those of the content; it stops once there is enough."""
        found = 0
        for auxiliary in self.auxiliaries(content):
            found = max(found, self.rank(content, auxiliary, earlier))
            if found >= enough:
                break
        return found

    def coordinates(self, content: Content) -> int:
        """How many have exactly the first indices of this content, which is the most that its rank can be."""
        universe, own = self.universe(dict(content)), first_of(content)
        every = (c for leaf, axes in self.part.moving.items() for c in product((leaf,), *(universe[s] for s in axes)))
        return sum(indices_of(c) == own for c in every)

    def order(self) -> list[tuple[Content, int]]:
        """All types with their ranks, greedily: first those that can gain nothing by waiting, else what loses least."""
        left, earlier, found = self.types(), set[Content](), list[tuple[Content, int]]()
        best = {t: self.most(t, None, self.coordinates(t)) for t in left}
        for t in [t for t in left if not best[t]]:
            left.remove(t)
            earlier.add(t)
            found.append((t, 0))
        while left:
            now, full = dict[Content, int](), None
            for t in left:
                now[t] = self.most(t, earlier, best[t])
                if now[t] == best[t]:
                    full = t
                    break
            chosen = full or min(left, key=lambda t: (self.freedom(t), best[t] - now[t]))
            left.remove(chosen)
            earlier.add(chosen)
            found.append((chosen, now[chosen]))
        return found

    def freedom(self, content: Content) -> int:
        """The degree of the number of contents of this type."""
        return sum(k for name, k in content if not self.atoms[name].single)

    def blocks(self) -> list[Block]:
        """The types with their ranks and all small ways to show them."""
        found, earlier = list[Block](), set[Content]()
        for content, most in self.order():
            self.placed.append(content)
            if most:
                block = Block(content, most)
                for auxiliary in self.auxiliaries(content):
                    if not any(_within(way.auxiliary, auxiliary) for way in block.ways):
                        chosen = self.combinations(content, auxiliary, earlier, most)
                        if chosen is not None:
                            block.ways.append(Way(auxiliary, chosen))
                if block.ways:
                    found.append(block)
            earlier.add(content)
        return found

    def combinations(
        self, content: Content, auxiliary: Mapping[str, int], earlier: set[Content], most: int
    ) -> list[Combination] | None:
        """As many as the rank says, or None."""
        own = first_of(content)
        touching = sorted(self.touching(content, auxiliary), key=lambda row: (len(row[1]), repr(row[0])))
        pivots, kept = Echelon(), list[Combination]()

        def take(vector: Vector, combination: Combination) -> bool:
            part = residues({c: p for c, p in vector.items() if indices_of(c) == own})
            if pivots.adds(part):
                kept.append(combination)
            return len(kept) == most

        def elsewhere(vector: Vector) -> list[Coordinate]:
            return sorted(c for c in vector if indices_of(c) != own and content_of(indices_of(c)) not in earlier)

        if self.rank(content, auxiliary, earlier) < most:
            return None
        mixed: list[tuple[Vector, Combination]] = []
        for recipe, vector, _ in touching:
            combination: Combination = [({(): 1}, recipe)]
            if elsewhere(vector):
                mixed.append((vector, combination))
            elif take(vector, combination):
                return kept
        others: list[tuple[Vector, Combination]] = [
            (vector, [({(): 1}, recipe)])
            for recipe, vector, _ in self.rows(_joined(content, auxiliary))
            if elsewhere(vector) and not any(indices_of(c) == own for c in vector)
        ]
        return kept if _eliminated(mixed + others, elsewhere, take) else None


def _eliminated(
    rows: Sequence[tuple[Vector, Combination]],
    elsewhere: Callable[[Vector], list[Coordinate]],
    take: Callable[[Vector, Combination], bool],
) -> bool:
    """Elimination without fractions, of pivots with few monomials, until enough combinations are taken."""
    left = [(vector, dict(_keyed(combination))) for vector, combination in rows[:ROWS]]
    while left:
        left.sort(key=lambda row: len(row[0]))
        vector, own = left.pop(0)
        where = elsewhere(vector)
        if not where:
            if take(vector, [(poly, recipe) for recipe, poly in _unkeyed(own)]):
                return True
            continue
        lead = min(where, key=lambda c: len(vector[c]))
        for n, (other, theirs) in enumerate(left):
            if lead in other:
                factor, pivot = other[lead], vector[lead]
                mixed = combined(other, pivot, vector, factor)
                joined = combined(theirs, pivot, own, factor)
                left[n] = (mixed, joined)
        left = [row for row in left if row[0]]
        if any(sum(map(len, row[0].values())) > ROWS for row in left):
            return False
    return False


def _keyed(combination: Combination) -> Iterable[tuple[Any, Poly]]:
    return ((recipe, poly) for poly, recipe in combination)


def _unkeyed(own: Mapping[Any, Poly]) -> Iterable[tuple[Any, Poly]]:
    return own.items()


def _joined(content: Content, auxiliary: Mapping[str, int]) -> dict[str, int]:
    """How many indices of each atom."""
    own = dict(content)
    return {name: own.get(name, 0) + auxiliary.get(name, 0) for name in {**own, **auxiliary}}


def content_of(indices: Iterable[Index]) -> Content:
    """The type of the content of these indices."""
    counts: dict[str, int] = {}
    for name, _ in set(indices):
        counts[name] = counts.get(name, 0) + 1
    return tuple(sorted(counts.items()))


def first_of(content: Content) -> set[Index]:
    """The first so many of each atom."""
    return {(name, number) for name, k in content for number in range(1, k + 1)}


def _within(small: Mapping[str, int], large: Mapping[str, int]) -> bool:
    return all(large.get(name, 0) >= k for name, k in small.items())


def residues(vector: Vector) -> dict[Coordinate, int]:
    """The values of its polynomials modulo the prime, at a residue for each coordinate."""
    found = {}
    for c, poly in vector.items():
        value = 0
        for monomial, coefficient in poly.items():
            for variable in monomial:
                coefficient = coefficient * weight(variable) % PRIME
            value += coefficient
        if value % PRIME:
            found[c] = value % PRIME
    return found


_WEIGHTS: dict[Coordinate, int] = {}


def weight(c: Coordinate) -> int:
    """A residue that depends on the coordinate alone."""
    if c not in _WEIGHTS:
        _WEIGHTS[c] = int.from_bytes(digest(repr(c)), "big") % PRIME
    return _WEIGHTS[c]


class Echelon:
    """Rows in echelon form, modulo the prime."""

    def __init__(self) -> None:
        self.pivots: dict[Coordinate, dict[Coordinate, int]] = {}

    def adds(self, row: Mapping[Coordinate, int]) -> bool:
        """Whether a row is independent of those before; it then is one of them."""
        left = dict(row)
        while left:
            lead = min(left)
            if lead not in self.pivots:
                inverse = pow(left[lead], -1, PRIME)
                self.pivots[lead] = {c: v * inverse % PRIME for c, v in left.items()}
                return True
            factor = left[lead]
            for c, v in self.pivots[lead].items():
                value = (left.get(c, 0) - factor * v) % PRIME
                if value:
                    left[c] = value
                else:
                    left.pop(c, None)
        return False


def rank(rows: Iterable[Mapping[Coordinate, int]]) -> int:
    """Modulo the prime."""
    echelon = Echelon()
    return sum(echelon.adds(row) for row in rows)
