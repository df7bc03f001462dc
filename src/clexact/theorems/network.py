"""A part of a network at few indices: its fields and their brackets at a point, as polynomials in what is alive there.

An index is (atom, number), or (atom, -number) its twin; a coordinate (parameter, indices...). ``Part`` is what a
theorem speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, permutations, product
from typing import Any

from clexact.theorems.contraction import Product

MEMBERS = 100  # of which all brackets are looked at
Index = tuple[str, int]
Coordinate = tuple[Any, ...]
Poly = dict[tuple[Coordinate, ...], int]
Vector = dict[Coordinate, Poly]
Alive = Callable[[Coordinate], bool]
Seed = tuple[tuple[str, tuple[Index, ...]], ...]
DRIFT = ()  # the recipe of the drift of a momentum flow


@dataclass(frozen=True)
class IndexLaw:
    """A law as a sum of products; ``free`` are the sorts of its own indices, variables 0, 1, ... of each product."""

    free: tuple[str, ...]
    products: tuple[Product, ...]


@dataclass(frozen=True)
class Part:
    """Products that share no parameter with the rest of the network, their sorts of indices, and their laws.

    ``copies`` name the leaves of each part of the network that is this one but for names.
    """

    products: tuple[Product, ...]
    parameters: Mapping[str, tuple[str, ...]]  # to the sorts of its axes
    seeds: Mapping[str, tuple[str, ...]]
    sorts: Mapping[str, str]  # to letters
    positive: frozenset[str] = frozenset()
    laws: tuple[IndexLaw, ...] = ()
    momentum: bool = False  # then the phase space has velocities, too: with a prime
    copies: list[dict[str, str]] = field(default_factory=list)
    made: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)  # its members and laws at few indices

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The sorts of the axes of all leaves."""
        return {**self.moving, **self.seeds}

    @property
    def moving(self) -> dict[str, tuple[str, ...]]:
        """The sorts of the axes of what is a coordinate: parameters, and velocities if there are."""
        velocities = {velocity((leaf,))[0]: own for leaf, own in self.parameters.items() if self.momentum}
        return {**self.parameters, **velocities}

    def sorts_of(self, term: Product) -> dict[int, str]:
        """The sort of each variable."""
        axes = self.axes
        return {v: sort for leaf, own in term.factors for v, sort in zip(own, axes[leaf], strict=True)}


Universe = Mapping[str, Sequence[Index]]  # the indices of each sort


@cache
def indices_of(c: Coordinate) -> frozenset[Index]:
    """Those of a coordinate; a twin counts as the index of which it is one."""
    return frozenset((name, abs(number)) for name, number in c[1:])


def velocity(c: Coordinate) -> Coordinate:
    """The time derivative of a position."""
    return (f"{c[0]}'", *c[1:])


def entries(part: Part, term: Product, universe: Universe, fixed: Mapping[int, Index]) -> Iterator[list[Coordinate]]:
    """The products of entries that a product stands for."""
    sorts = part.sorts_of(term)
    loose = [v for v in sorts if v not in fixed]
    for chosen in product(*(universe[sorts[v]] for v in loose)):
        value = {**fixed, **dict(zip(loose, chosen, strict=True))}
        yield [(leaf, *(value[v] for v in own)) for leaf, own in term.factors]


def members(part: Part, universe: Universe) -> dict[Seed, Poly]:
    """The network at elementary seeds, as polynomials of the parameters: those that are not zero.

    A seed that stands in a product twice has two entries that are 1, too.
    """
    single: dict[Seed, Poly] = {}
    for term in part.products:
        for found in entries(part, term, universe, {}):
            seed = tuple(sorted((c[0], c[1:]) for c in found if c[0] in part.seeds))
            add(single.setdefault(tuple(dict.fromkeys(seed)), {}), own(part, found), int(term.coefficient))
    whole: dict[Seed, Poly] = {}
    for seed in single:
        whole[seed] = {}
        for other, poly in single.items():
            if set(other) <= set(seed):
                for monomial, c in poly.items():
                    add(whole[seed], monomial, c)
    return whole


def own(part: Part, found: Sequence[Coordinate]) -> tuple[Coordinate, ...]:
    """The parameters among entries."""
    return tuple(sorted(c for c in found if c[0] in part.parameters))


def law(part: Part, which: IndexLaw, indices: Sequence[Index], universe: Universe) -> Poly:
    """A law at these indices, as a polynomial of the parameters."""
    poly: Poly = {}
    for term in which.products:
        for found in entries(part, term, universe, dict(enumerate(indices))):
            add(poly, tuple(sorted(found)), int(term.coefficient))
    return poly


@dataclass
class Field:
    """A field at the point: its value, and its derivatives there.

    Where a parameter is positive, a component is that of its logarithm: divided by the parameter, it is no zero where
    the parameter is, and ranks are the same at a generic point.
    """

    value: Vector
    slope: dict[Coordinate, Vector]  # by the coordinate along which it is taken
    positive: frozenset[str]
    alive: Alive

    def along(self, other: Field) -> Vector:
        """The derivative along another field."""
        found: Vector = {}
        for variable, poly in other.value.items():
            if variable[0] in self.positive:
                poly = times(poly, {(variable,): 1}) if self.alive(variable) else {}
            for c, partial in self.slope.get(variable, {}).items():
                _add_product(found.setdefault(c, {}), poly, partial, 1)
        return found


def field_of(part: Part, function: Poly, alive: Alive) -> Field:
    """The gradient at the point, with its derivatives: what is left of a monomial without one or two of its factors."""
    value, slope = gradient_of(function, alive), dict[Coordinate, Vector]()
    for monomial, coefficient in function.items():
        dead = [k for k, c in enumerate(monomial) if not alive(c)]
        if len(dead) > 2:
            continue
        for k, j in permutations(range(len(monomial)), 2):
            if all(d in (k, j) for d in dead):
                rest = tuple(c for n, c in enumerate(monomial) if n not in (k, j))
                add(slope.setdefault(monomial[j], {}).setdefault(monomial[k], {}), rest, coefficient)
    return Field(value, slope, part.positive, alive)


def gradient_of(function: Poly, alive: Alive) -> Vector:
    """The gradient at the point: all factors of a monomial but one must be alive."""
    value: Vector = {}
    for monomial, coefficient in function.items():
        dead = [k for k, c in enumerate(monomial) if not alive(c)]
        if len(dead) <= 1:
            for k in dead or range(len(monomial)):
                add(value.setdefault(monomial[k], {}), monomial[:k] + monomial[k + 1 :], coefficient)
    return value


def bracket(x: Field, y: Field) -> Vector:
    """[X, Y] at the point."""
    found, other = x.along(y), y.along(x)
    for c, poly in other.items():
        for monomial, coefficient in poly.items():
            add(found.setdefault(c, {}), monomial, -coefficient)
    return {c: poly for c, poly in found.items() if poly}


def _made(part: Part, what: str, universe: Universe, make: Callable[[], Any]) -> Any:
    """What does not depend on the point, once for all points."""
    key = (what, *((sort, *indices) for sort, indices in universe.items()))
    if key not in part.made:
        part.made[key] = make()
    return part.made[key]


def _laws(part: Part, universe: Universe) -> list[tuple[Any, Poly]]:
    """The laws at all these indices, each with its number and its own ones."""
    return [
        ((number, indices), law(part, which, indices, universe))
        for number, which in enumerate(part.laws)
        for indices in product(*(universe[sort] for sort in which.free))
    ]


def rows(part: Part, universe: Universe, alive: Alive, depth: int) -> list[tuple[Any, Vector]]:
    """Fields and, at depth 1, their brackets at the point, with what they are: those that are not zero."""
    single = _made(part, "members", universe, lambda: members(part, universe))
    if not depth:
        plain = ((seed, gradient_of(poly, alive)) for seed, poly in single.items())
        return [(seed, vector) for seed, vector in ((s, {c: p for c, p in v.items() if p}) for s, v in plain) if vector]
    fields = {seed: field_of(part, poly, alive) for seed, poly in single.items()}
    found: list[tuple[Any, Vector]] = [
        (seed, {c: p for c, p in one.value.items() if p}) for seed, one in fields.items()
    ]
    if len(fields) <= MEMBERS:
        found += [((a, b), bracket(fields[a], fields[b])) for a, b in combinations(fields, 2)]
    return [(recipe, vector) for recipe, vector in found if vector]


def law_rows(part: Part, universe: Universe, alive: Alive, seen: Alive) -> list[tuple[Any, Vector]]:
    """The gradients of the laws at the point, on the coordinates that are looked at."""
    found = []
    for recipe, poly in _made(part, "laws", universe, lambda: _laws(part, universe)):
        found.append((recipe, {c: p for c, p in gradient_of(poly, alive).items() if p and seen(c)}))
    return [(recipe, vector) for recipe, vector in found if vector]


def add(poly: Poly, monomial: tuple[Coordinate, ...], coefficient: int) -> None:
    """Add a multiple of a monomial."""
    value = poly.get(monomial, 0) + coefficient
    if value:
        poly[monomial] = value
    else:
        poly.pop(monomial, None)


def _add_product(poly: Poly, a: Poly, b: Poly, sign: int) -> None:
    for m, x in a.items():
        for n, y in b.items():
            add(poly, tuple(sorted(m + n)), sign * x * y)


def times(a: Poly, b: Poly) -> Poly:
    """The product."""
    found: Poly = {}
    _add_product(found, a, b, 1)
    return found


def combined(a: Vector, p: Poly, b: Vector, q: Poly) -> Vector:
    """p a - q b."""
    found: Vector = {}
    for c in a.keys() | b.keys():
        poly: Poly = {}
        _add_product(poly, a.get(c, {}), p, 1)
        _add_product(poly, b.get(c, {}), q, -1)
        if poly:
            found[c] = poly
    return found
