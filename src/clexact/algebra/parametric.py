"""Linear systems over Q[a]: nullspaces over Q(a), and for every value of a, case by case.

Gaussian elimination without fractions whose pivots are units: over Q(a) whatever is not zero; on a branch, which has
equations and inequations for a, what vanishes nowhere on it. Where no entry left is a unit, the branch is cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heappop, heappush
from math import gcd, lcm
from typing import Any

Row = dict[int, Any]  # {unknown: polynomial in the parameters}, an element of a SymPy PolyRing over ZZ
Pivot = tuple[int, Row]


@dataclass(frozen=True)
class Branch:
    """The values of the parameters where all ``zero`` vanish and no ``units`` does; generic: no value, but Q(a) itself.

    Values are complex numbers. ``basis`` is a Groebner basis of the ideal of ``zero``.
    """

    ring: Any
    zero: tuple[Any, ...] = ()
    units: tuple[Any, ...] = ()
    basis: tuple[Any, ...] = ()
    generic: bool = False

    def vanishes(self, p: Any) -> bool:
        """Whether p is 0 on the whole branch: in the ideal, or never different from 0 there."""
        if not p or not self.zero:
            return not p
        return not p.set_ring(self._field_ring).rem(list(self.basis)) or self._inconsistent([], p)

    def is_unit(self, p: Any) -> bool:
        """Whether p vanishes nowhere on the branch: proved."""
        if self.generic or p.is_ground:
            return bool(p)
        return all(f in self.units or (bool(self.zero) and _never_zero(self, f)) for f in factors(p))

    def with_zero(self, f: Any) -> Branch | None:
        """The part where f vanishes, None if there is none."""
        from sympy.polys.groebnertools import groebner

        given = [p.set_ring(self._field_ring) for p in (*self.zero, f)]
        branch = replace(self, zero=(*self.zero, f), basis=tuple(groebner(given, self._field_ring)))
        return None if branch._inconsistent([], None) else branch

    def with_unit(self, f: Any) -> Branch | None:
        """The part where f does not vanish, None if there is none."""
        branch = replace(self, units=(*self.units, f))
        return None if self.zero and branch._inconsistent([], None) else branch

    @property
    def _field_ring(self) -> Any:
        from sympy import QQ

        return self.ring.clone(domain=QQ)

    def _inconsistent(self, also_zero: list[Any], also_unit: Any) -> bool:
        """Whether no complex value is on the branch with these too: 1 is in the ideal (Rabinowitsch)."""
        from sympy import QQ, Dummy
        from sympy.polys.groebnertools import groebner
        from sympy.polys.rings import PolyRing

        ring = PolyRing((*self.ring.symbols, Dummy()), QQ, "grevlex")
        product = ring.gens[-1]
        for f in (*self.units, *([also_unit] if also_unit is not None else [])):
            product *= f.set_ring(ring)
        given = [f.set_ring(ring) for f in (*self.zero, *also_zero)]
        found = groebner([*given, product - 1], ring)
        return any(p.is_ground and p for p in found)


@lru_cache(maxsize=4096)
def _never_zero(branch: Branch, f: Any) -> bool:
    return branch._inconsistent([f], None)


def factors(p: Any) -> list[Any]:
    """The irreducible factors of p, each once, primitive."""
    return [f for f, _ in p.factor_list()[1]]


@dataclass(frozen=True)
class Solution:
    """A basis of the nullspace on a branch, each vector {unknown: polynomial}; the pivots prove it complete."""

    branch: Branch
    vectors: list[Row]
    pivots: list[Pivot]


def solutions(rows: Sequence[Row], unknowns: Sequence[int], branch: Branch) -> Iterator[Solution]:
    """The nullspaces on branches that together are this one."""
    waiting = [branch]
    while waiting:
        here = waiting.pop()
        pivots, cut = _eliminated([dict(row) for row in rows], here)
        if cut is None:
            yield Solution(here, _vectors(pivots, unknowns, here), pivots)
            continue
        waiting += [part for part in (here.with_unit(cut), here.with_zero(cut)) if part is not None]


def _eliminated(rows: list[Row], branch: Branch) -> tuple[list[Pivot], Any]:
    """(pivots, None), or what decides the next pivot and is neither zero nor a unit. Shortest rows first."""
    pivots, stuck = list[Pivot](), list[int]()
    for n, row in enumerate(rows):
        rows[n] = _tidied(row, branch)
    holders: dict[int, set[int]] = {}
    for n, row in enumerate(rows):
        for column in row:
            holders.setdefault(column, set()).add(n)
    heap = [(len(row), n) for n, row in enumerate(rows) if row]
    heap.sort()
    alive = {n for _, n in heap}
    while heap:
        size, n = heappop(heap)
        if n not in alive or size != len(rows[n]):
            continue
        chosen = _pivot_column(rows[n], holders, branch)
        if chosen is None:
            stuck.append(n)
            continue
        column = chosen
        pivot = rows[n]
        alive.discard(n)
        for c in pivot:
            holders[c].discard(n)
        pivots.append((column, pivot))
        for m in list(holders[column]):
            for c in rows[m]:
                holders[c].discard(m)
            rows[m] = _tidied(_without_column(rows[m], pivot, column), branch)
            for c in rows[m]:
                holders.setdefault(c, set()).add(m)
            if rows[m]:
                heappush(heap, (len(rows[m]), m))
            else:
                alive.discard(m)
    left = [rows[n] for n in stuck if n in alive and rows[n]]
    if not left:
        return pivots, None
    entry = min((p for row in left for p in row.values()), key=lambda p: (p.degree() if p else 0, len(p)))
    return pivots, next(f for f in factors(entry) if not branch.is_unit(f))


def _pivot_column(row: Row, holders: dict[int, set[int]], branch: Branch) -> int | None:
    """A unit of the row, in as few rows and terms as can be."""
    found = [c for c, p in row.items() if branch.is_unit(p)]
    return min(found, key=lambda c: (len(holders[c]), len(row[c]), c)) if found else None


def _without_column(row: Row, pivot: Row, column: int) -> Row:
    """A combination of the two in which the column has no entry; the row is multiplied by a unit only."""
    p, q = pivot[column], row[column]
    common = p.gcd(q)
    p, q = p.exquo(common), q.exquo(common)
    out = {c: p * v for c, v in row.items() if c != column}
    for c, v in pivot.items():
        if c != column:
            value = out.get(c, 0) - q * v
            if value:
                out[c] = value
            else:
                out.pop(c, None)
    return out


def _tidied(row: Row, branch: Branch) -> Row:
    """The row without what vanishes, and without common factors that are units."""
    if branch.zero:
        row = _normal_form(row, branch)
    if not row:
        return row
    common: Any = branch.ring.zero
    for p in row.values():
        common = common.gcd(p)
        if common.is_ground and abs(common.LC) == 1:
            return row
    if not branch.is_unit(common):
        common = common.ring(common.content())
    return {c: p.exquo(common) for c, p in row.items()}


def _vectors(pivots: list[Pivot], unknowns: Sequence[int], branch: Branch) -> list[Row]:
    """One for each unknown without a pivot, by substitution backwards."""
    bound = {column for column, _ in pivots}
    one = branch.ring.one
    uses: dict[int, list[int]] = {}
    for n, (column, row) in enumerate(pivots):
        for c in row:
            if c != column:
                uses.setdefault(c, []).append(n)
    return [_vector(pivots, uses, free, one, branch) for free in unknowns if free not in bound]


def _vector(pivots: list[Pivot], uses: dict[int, list[int]], free: int, one: Any, branch: Branch) -> Row:
    values: Row = {free: one}
    heap, seen = list[int](), set[int]()

    def push(column: int) -> None:
        for n in uses.get(column, ()):
            if n not in seen:
                seen.add(n)
                heappush(heap, -n)

    push(free)
    while heap:
        column, row = pivots[-heappop(heap)]
        total = sum((p * values[c] for c, p in row.items() if c != column and c in values), branch.ring.zero)
        if branch.vanishes(total):
            continue
        p = row[column]
        common = p.gcd(total)
        scale, share = p.exquo(common), total.exquo(common)
        if scale != one:
            values = {c: v * scale for c, v in values.items()}
        values[column] = -share
        push(column)
    return _tidied(values, branch)


def _normal_form(row: Row, branch: Branch) -> Row:
    """An integer times the row, its entries reduced by the equations of the branch; those that vanish left out."""
    found = {c: p.set_ring(branch._field_ring).rem(list(branch.basis)) for c, p in row.items()}
    common = lcm(*(int(p.clear_denoms()[0]) for p in found.values()))
    whole = {c: (p * common).set_ring(branch.ring) for c, p in found.items() if p}
    whole = {c: p for c, p in whole.items() if p.is_ground or not branch.vanishes(p)}
    content = gcd(*(int(v.content()) for v in whole.values()))
    return {c: v.quo_ground(content) for c, v in whole.items()}
