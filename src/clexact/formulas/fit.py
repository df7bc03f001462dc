"""``fit``: a formula for certified counts on a grid of sizes, found on some of them and tested on the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words, multiply, rational_nullspace, residues, row_reduce
from clexact.formulas.boundary import Condition, atoms, boundary
from clexact.formulas.formula import Exponents, Formula, values
from clexact.formulas.quantities import (
    Indicator,
    Quantity,
    Relation,
    Sizes,
    check_names,
    check_sizes,
    columns_of,
    number,
    size,
)
from clexact.formulas.vocabulary import vocabulary

Mask = NDArray[np.bool_]

DEGREES = (4, 3, 2)  # largest degrees with no, one and two quantities
HELD_OUT = 4  # one size of so many is held out
SPARE = 2  # values of a size beyond its degree, at least
LEAST_TESTED = 2  # sizes held out, at least, for a formula to be presented
PER_COEFFICIENT = 2  # sizes fitted for each coefficient that is searched for, at least
PAIRED = 60  # classes of quantities of which two are used at a time
MOST_TERMS = {1: 6, 2: 4}  # with so many quantities; what is excluded counts as one
CORES = 80  # parts of the grid that are tried when no formula fits all of it
WORDY = 3  # relations in the description of what is excluded, at most
LISTED = 2  # sizes that may be excluded by listing them


def fit(
    counts: Mapping[Sizes, int], names: Sequence[str], *, seed: int = 0, max_degree: int = DEGREES[0]
) -> Formula | None:
    """Return the simplest formula for counts on a grid of sizes, or None if none is found.

    A formula is a polynomial over Q in the sizes and in at most two quantities such as min(r, n + m), max(0, r - n - m)
    or [n = 1]. Fewer quantities come first, then smaller degrees, then fewer terms. All arithmetic is exact.

    A seed chooses the sizes held out: at least a quarter, both of those at the boundary of the grid and of those
    inside. The others alone determine the coefficients. There are at least twice as many of them as coefficients to
    choose (of all monomials searched, not only of those that remain), so no polynomial that merely interpolates is
    presented. For the same reason the degree in a size, or in a minimum or maximum, of v values is at most v - 2. What
    misses one size held out is refused. So is what rests on a single size (every count must be implied by the others),
    what has more than six terms beside one quantity or four beside two (many quantities are tried, and the more terms,
    the more of them fit by chance), and what is found among monomials that span all functions of one of the sizes.

    When nothing fits the whole grid, formulas of a part of it are extended as far as they hold. The one that holds at
    the most sizes is returned with a condition that describes the others, if that takes at most three relations, or
    lists at most two sizes; at least half of the grid must remain. That region is chosen in view of all counts.

    A formula is a finding about the sizes of the grid: it is proved nowhere else.

    Parameters
    ----------
    counts : mapping of tuple of int to int
        For each size of the grid its count.
    names : sequence of str
        What the entries of a size are called.
    seed : int
        Of the choice of the sizes held out.
    max_degree : int
        Largest total degree of a formula, at least 0.

    Returns
    -------
    Formula or None
        None if no formula passes.

    Raises
    ------
    TypeError, ValueError
        For counts that are not integers, or sizes that are not tuples of as many integers as there are names.

    Examples
    --------
    >>> counts = {(n, r): min(n, r) * (r + 1) for n in range(1, 6) for r in range(1, 8)}
    >>> print(fit(counts, ("n", "r")))
    k*(r + 1) with k = min(n, r)
    """
    names = check_names(names)
    if isinstance(max_degree, bool) or not isinstance(max_degree, int) or max_degree < 0:
        raise ValueError(f"max_degree must be an integer of at least 0, not {max_degree!r}.")
    sizes = [check_sizes(at, names) for at in counts]
    for at, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
            raise TypeError(f"the count at {at} must be an integer, not {count!r}.")
    if not sizes:
        raise ValueError("expected counts at some sizes, not none.")
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    grid = _Grid(names, [sizes[i] for i in order], [int(list(counts.values())[i]) for i in order], seed, max_degree)
    everywhere = np.ones(len(sizes), dtype=bool)
    best = grid.simplest(everywhere, 2)
    return grid.formula(best, everywhere, None) if best is not None else grid.in_a_region()


def held_out(sizes: Sequence[Sizes], seed: int) -> Mask:
    """Which sizes are held out: a quarter, rounded up, of those at the boundary of the grid and of those inside."""
    table = np.array(sizes).reshape(len(sizes), -1)
    edge = ((table == table.min(axis=0)) | (table == table.max(axis=0))).any(axis=1)
    keys = Draws(seed).residues((len(sizes),), 2**61 - 1)
    held = np.zeros(len(sizes), dtype=bool)
    for stratum in (edge, ~edge):
        members = np.flatnonzero(stratum)
        held[members[np.argsort(keys[members], kind="stable")[: -(-len(members) // HELD_OUT)]]] = True
    return held


@dataclass(frozen=True)
class _Candidate:
    """A polynomial that fits, with what makes it simple or not."""

    terms: tuple[tuple[Exponents, Fraction], ...]  # exponents of all names, then of the quantities
    quantities: tuple[Quantity, ...]
    cost: int  # of the quantities
    refused: int = 0

    @property
    def description(self) -> tuple[int, ...]:
        """Quantities, degree, terms, cost, then digits of the coefficients: what is compared."""
        digits = sum(len(str(c)) for _, c in self.terms)
        return len(self.quantities), max((sum(e) for e, _ in self.terms), default=0), len(self.terms), self.cost, digits


class _Grid:
    """Counts on a grid, what is held out, and the quantities that may be used."""

    def __init__(
        self, names: tuple[str, ...], sizes: list[Sizes], counts: list[int], seed: int, max_degree: int
    ) -> None:
        self.names, self.sizes, self.counts, self.seed, self.max_degree = names, sizes, counts, seed, max_degree
        self.held_out = held_out(sizes, seed)
        self.prime = Draws(seed).prime(31)  # rules out combinations quickly; what remains is solved over Q
        columns = columns_of(sizes, names)
        self.words = vocabulary(columns)
        self.base = [residues(columns[x], self.prime) for x in names]
        self.extra = [residues(np.asarray(q.value(columns), dtype=np.int64), self.prime) for q, _ in self.words]
        self.target = residues(np.array(counts, dtype=object), self.prime)
        self.classes = self._classes()
        self.distinct: dict[tuple[bool, int, bytes], int] = {}
        self.spaces: dict[tuple[tuple[int, ...], int], Words] = {}

    def _classes(self) -> list[list[int]]:
        """Quantities that differ by a multiple and by a polynomial of degree 1 in the sizes span the same spaces."""
        flat = [np.ones(len(self.sizes), dtype=np.uint64), *self.base]
        found: dict[bytes, list[int]] = {}
        for i, column in enumerate(self.extra):
            last = row_reduce(np.array([*flat, column]), self.prime)[-1]
            if last.any():
                found.setdefault(last.tobytes(), []).append(i)
        return list(found.values())

    def simplest(self, inside: Mask, quantities: int) -> _Candidate | None:
        """The simplest polynomial with at most so many quantities that fits inside and passes the test."""
        refused = 0
        for k in range(quantities + 1):
            classes = self.classes if k < 2 else self.classes[:PAIRED]
            open_ = [group for group in combinations(classes, k) if self._possible(group, DEGREES[k], inside)]
            for degree in range(1 if k else 0, min(DEGREES[k], self.max_degree) + 1):
                fits = [found for group in open_ for found in self._fits(group, degree, inside)]
                right = [found for found in fits if self.passes(found, inside)]
                if right:
                    best = min(right, key=lambda found: found.description)
                    return replace(best, refused=refused + sum(f.description < best.description for f in fits))
                refused += len(fits)
        return None

    def _possible(self, group: Sequence[Sequence[int]], degree: int, inside: Mask) -> bool:
        """Whether all sizes and these quantities together can give the counts inside: necessary for a fit with them."""
        first = tuple(members[0] for members in group)
        key = first, min(degree, self.max_degree)
        if key not in self.spaces:
            self.spaces[key] = _monomials(self._columns(range(len(self.names)), first), key[1], self.prime)[1]
        space, where = self.spaces[key], np.flatnonzero(inside)
        if len(group) == 2 and len(space) >= len(where):
            return False  # too few sizes to rule anything out
        few = where[np.linspace(0, len(where) - 1, min(len(where), len(space) + 8)).astype(int)]
        return self._spans(space[:, few], few) and self._spans(space[:, where], where)

    def _spans(self, rows: Words, where: NDArray[np.int64]) -> bool:
        """Whether the counts at those sizes are a combination of the rows."""
        return not row_reduce(np.concatenate([rows, self.target[None, where]]), self.prime)[-1].any()

    def _fits(self, group: Sequence[Sequence[int]], degree: int, inside: Mask) -> Iterator[_Candidate]:
        """Polynomials of that degree, for each choice of quantities in the classes and of some of the sizes."""
        if not self._possible(group, degree, inside):
            return
        fitted, everything = inside & ~self.held_out, range(len(self.names))
        for extras in product(*group):
            if not self._spans(self._space(everything, extras, degree, fitted)[1], np.flatnonzero(fitted)):
                continue
            for count in range(len(self.names) + 1):
                found = [self._fit(used, extras, degree, inside) for used in combinations(everything, count)]
                if some := [f for f in found if f is not None]:
                    yield min(some, key=lambda f: f.description)
                    break

    def _space(
        self, used: Sequence[int], extras: Sequence[int], degree: int, fitted: Mask
    ) -> tuple[list[Exponents], Words]:
        """The monomials searched: up to a degree, and in each variable as far as its values leave something to test."""
        columns = self._columns(used, extras)[:, fitted]
        return _monomials(columns, degree, self.prime, self._caps(used, extras, fitted))

    def _fit(self, used: Sequence[int], extras: Sequence[int], degree: int, inside: Mask) -> _Candidate | None:
        """The polynomial in these sizes and quantities that fits the counts that are not held out, or None."""
        fitted = inside & ~self.held_out
        exponents, rows = self._space(used, extras, degree, fitted)
        reduced = row_reduce(np.concatenate([rows, self.target[None, fitted]]), self.prime)
        independent = np.flatnonzero(reduced[:-1].any(axis=1))
        if reduced[-1].any() or PER_COEFFICIENT * len(independent) > fitted.sum():
            return None
        if any(self._interpolates(rows[independent], column[fitted]) for column in self.base):
            return None
        quantities = tuple(self.words[i][0] for i in extras)
        full = [_spread(e, used, len(self.names), len(extras)) for e in exponents]
        terms = self._solved([full[i] for i in independent], full, quantities, fitted)
        if terms is None or any(all(not e[len(self.names) + j] for e, _ in terms) for j in range(len(extras))):
            return None
        found = _Candidate(terms, quantities, sum(self.words[i][1] for i in extras))
        return found if self._short(found, inside) else None

    def _short(self, candidate: _Candidate, inside: Mask) -> bool:
        """Whether it has few terms for its quantities and what it leaves out."""
        count = len(candidate.terms)
        return count <= MOST_TERMS.get(len(candidate.quantities) + (not inside.all()), count)

    def _caps(self, used: Sequence[int], extras: Sequence[int], fitted: Mask) -> list[int]:
        """The largest degrees in each size and quantity. With [x = c], one value of x is spoken for."""
        indicators = [q for q in (self.words[i][0] for i in extras) if isinstance(q, Indicator)]
        single = [str(q.relations[0].left) for q in indicators if q.one_value]
        caps = [self._distinct(self.base, i, fitted) - SPARE - single.count(self.names[i]) for i in used]
        for i in extras:
            least = int(isinstance(self.words[i][0], Indicator))
            caps.append(max(least, self._distinct(self.extra, i, fitted) - SPARE))
        return [max(0, cap) for cap in caps]

    def _distinct(self, columns: list[Words], i: int, fitted: Mask) -> int:
        """How many values a size or a quantity has."""
        key = columns is self.base, i, fitted.tobytes()
        if key not in self.distinct:
            self.distinct[key] = len(np.unique(columns[i][fitted]))
        return self.distinct[key]

    def _solved(
        self, independent: list[Exponents], every: list[Exponents], quantities: tuple[Quantity, ...], fitted: Mask
    ) -> tuple[tuple[Exponents, Fraction], ...] | None:
        """The coefficients over Q, with as few terms as rewriting by the relations of the monomials can leave."""
        sizes = [self.sizes[i] for i in np.flatnonzero(fitted)]
        counts = [self.counts[i] for i in np.flatnonzero(fitted)]
        columns = {e: values([(e, Fraction(1))], quantities, self.names, sizes) for e in every}
        solutions = rational_nullspace(
            list(zip(*(columns[e] for e in independent), counts, strict=True)), len(independent) + 1
        )
        if len(solutions) != 1 or not solutions[0][-1]:
            return None
        *numerators, denominator = solutions[0]
        found = {e: Fraction(-c, denominator) for e, c in zip(independent, numerators, strict=True) if c}
        if len(independent) < len(every):
            relations = rational_nullspace(list(zip(*columns.values(), strict=True)), len(every))
            found = _shortened(found, [{e: c for e, c in zip(every, r, strict=True) if c} for r in relations])
        return tuple(sorted(found.items(), key=lambda item: (-sum(item[0]), [-k for k in item[0]])))

    def passes(self, candidate: _Candidate, inside: Mask) -> bool:
        """Whether it has the counts at all sizes inside, enough of them held out, each implied by the others."""
        if (inside & self.held_out).sum() < LEAST_TESTED or (inside & ~self.right(candidate)).any():
            return False
        words = [q for q, _ in self.words]
        columns = self._columns(range(len(self.names)), [words.index(q) for q in candidate.quantities])[:, inside]
        exponents, rows = _monomials(columns, max((sum(e) for e, _ in candidate.terms), default=0), self.prime)
        rows = rows[[exponents.index(e) for e, _ in candidate.terms]]
        return not ((row_reduce(rows, self.prime) != 0).sum(axis=1) == 1).any()

    def _interpolates(self, rows: Words, column: Words) -> bool:
        """Whether the rows span all functions of a size that varies: then its values are no test."""
        slices = np.array([column == v for v in np.unique(column)], dtype=np.uint64)
        return len(slices) > 1 and not row_reduce(np.concatenate([rows, slices]), self.prime)[len(rows) :].any()

    def _columns(self, used: Sequence[int], extras: Sequence[int]) -> Words:
        """Some of the sizes and of the quantities, a row for each."""
        rows = [*(self.base[i] for i in used), *(self.extra[i] for i in extras)]
        return np.array(rows, dtype=np.uint64).reshape(len(rows), len(self.sizes))

    def right(self, candidate: _Candidate) -> Mask:
        """Where its value is the count."""
        computed = values(candidate.terms, candidate.quantities, self.names, self.sizes)
        return np.array([value == count for value, count in zip(computed, self.counts, strict=True)], dtype=bool)

    def in_a_region(self) -> Formula | None:
        """The formula with at most one quantity that holds at the most sizes, if the others are simply described."""
        tried: dict[bytes, tuple[_Candidate, Mask]] = {}
        for core in self._cores():
            if any(not (core & ~right).any() for _, right in tried.values()):
                continue  # a formula that holds at more is there
            found = self.simplest(core, 1)
            if found is not None:
                right = self.right(found)
                tried.setdefault(right.tobytes(), (found, right))
        for found, right in sorted(tried.values(), key=lambda item: (-int(item[1].sum()), item[0].description)):
            if 2 * right.sum() >= len(right) and self.passes(found, right):
                condition = self._described(right)
                if condition is not None:
                    return self.formula(found, right, condition)
        return None

    def _cores(self) -> list[Mask]:
        """Parts of the grid, largest first: where one relation, or none of two equalities, is false."""
        columns = columns_of(self.sizes, self.names)
        outside = [np.asarray(atom.relation.value(columns)) for atom in atoms(self.sizes, self.names)]
        least = [Relation(size(x), "=", number(int(columns[x].min()))).value(columns) for x in self.names]
        outside += [a | b for a, b in combinations(least, 2)]
        masks = {(~mask).tobytes(): ~mask for mask in outside if len(mask) <= 2 * (~mask).sum() < 2 * len(mask)}
        return sorted(masks.values(), key=lambda mask: -int(mask.sum()))[:CORES]

    def _described(self, right: Mask) -> Condition | None:
        """A condition for the sizes where it is not right: simple, or a list of one or two."""
        inside, outside = ([s for s, ok in zip(self.sizes, right, strict=True) if ok == want] for want in (True, False))
        found = boundary(inside, outside, self.names)
        if found is not None and found.atoms <= WORDY:
            return found
        if len(outside) > LISTED:
            return None
        return Condition(self.names, tuple(tuple(_equals(s, self.names)) for s in outside))

    def formula(self, candidate: _Candidate, inside: Mask, condition: Condition | None) -> Formula:
        """The result, with where it was fitted, tested and what is excluded."""

        def chosen(mask: Mask) -> tuple[Sizes, ...]:
            return tuple(self.sizes[i] for i in np.flatnonzero(mask))

        excluded = tuple((self.sizes[i], self.counts[i]) for i in np.flatnonzero(~inside))
        fitted, tested = chosen(inside & ~self.held_out), chosen(inside & self.held_out)
        return Formula(
            self.names,
            candidate.quantities,
            candidate.terms,
            fitted,
            tested,
            condition,
            excluded,
            candidate.refused,
            self.seed,
        )


def _equals(sizes: Sizes, names: Sequence[str]) -> Iterator[Relation]:
    return (Relation(size(x), "=", number(v)) for x, v in zip(names, sizes, strict=True))


def _monomials(
    columns: Words, degree: int, prime: int, caps: Sequence[int] | None = None
) -> tuple[list[Exponents], Words]:
    """The monomials up to a degree, and up to one in each variable, and a row of values modulo the prime for each."""
    exponents = _exponents(tuple(min(degree, cap) for cap in (caps or [degree] * len(columns))), degree)
    rows = {(0,) * len(columns): np.ones(columns.shape[1], dtype=np.uint64)}
    for e in exponents[1:]:
        i = next(i for i, k in enumerate(e) if k)
        rows[e] = multiply(rows[(*e[:i], e[i] - 1, *e[i + 1 :])], columns[i], prime)
    return list(exponents), np.array(list(rows.values()), dtype=np.uint64)


@cache
def _exponents(caps: tuple[int, ...], degree: int) -> tuple[Exponents, ...]:
    """All exponents up to a degree, and up to one for each variable, by degree."""
    found = (e for e in product(*(range(cap + 1) for cap in caps)) if sum(e) <= degree)
    return tuple(sorted(found, key=lambda e: (sum(e), [-k for k in e])))


def _spread(exponents: Exponents, used: Sequence[int], names: int, extras: int) -> Exponents:
    """Exponents of some of the sizes and of the quantities, as exponents of all sizes and of the quantities."""
    sizes = dict(zip(used, exponents, strict=False))
    return (*(sizes.get(i, 0) for i in range(names)), *exponents[len(exponents) - extras :][:extras])


def _shortened(
    found: dict[Exponents, Fraction], relations: Sequence[Mapping[Exponents, int]]
) -> dict[Exponents, Fraction]:
    """Add multiples of relations (polynomials that vanish at the sizes fitted) while that leaves fewer terms."""
    better = True
    while better:
        better = False
        for relation, pivot in ((r, e) for r in relations for e in r):
            scale = found.get(pivot, Fraction(0)) / relation[pivot]
            other = {e: found.get(e, Fraction(0)) - scale * relation.get(e, 0) for e in found.keys() | relation.keys()}
            other = {e: c for e, c in other.items() if c}
            if len(other) < len(found):
                found, better = other, True
    return found
