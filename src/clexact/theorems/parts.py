"""A network as parts that share no parameter, with sorts of indices: axes that are joined by sums are of one sort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from clexact.theorems.contraction import Contraction, NotUniformError, Product, collected
from clexact.theorems.network import IndexLaw, Part, velocity

Axis = tuple[str, int]


class Union:
    """Classes of what is joined."""

    def __init__(self) -> None:
        self.parent: dict[object, object] = {}

    def find(self, x: object) -> object:
        """The representative."""
        while (up := self.parent.setdefault(x, x)) != x:
            x = up
        return x

    def join(self, x: object, y: object) -> None:
        """Make them one class."""
        self.parent[self.find(x)] = self.find(y)


def whole(network: Contraction, laws: Sequence[IndexLaw], positive: Iterable[str], momentum: bool = False) -> Part:
    """The network as one part."""
    products = _moving(network)
    return _part(network, products, _sorts(network, products), laws, set(positive), momentum)


def _moving(network: Contraction) -> list[Product]:
    """The products that have parameters."""
    return [term for term in network.products if any(leaf in network.parameters for leaf, _ in term.factors)]


def parts_of(
    network: Contraction, laws: Sequence[IndexLaw], positive: Iterable[str], momentum: bool = False
) -> list[Part]:
    """The parts, each with its laws; equal parts, but for names, are one with several copies."""
    products = _moving(network)
    if any(sum(v in own for _, own in term.factors) < 2 for term in products for v in term.variables):
        raise NotUniformError("a sum runs over an index of a single factor, as of a vector of ones")
    sorts = _sorts(network, products)
    groups = Union()
    for term in products:
        own = [leaf for leaf, _ in term.factors if leaf in network.parameters]
        for leaf in own:
            groups.join(own[0], leaf)
    for term in products:  # a member of one part must be zero in all others
        for other in products:
            a, b = (next(leaf for leaf, _ in t.factors if leaf in network.parameters) for t in (term, other))
            if groups.find(a) != groups.find(b) and _seeds(other, network) <= _seeds_of(groups, a, products, network):
                groups.join(a, b)
    found: dict[object, list[Product]] = {}
    for term in products:
        first = next(leaf for leaf, _ in term.factors if leaf in network.parameters)
        found.setdefault(groups.find(first), []).append(term)
    return _merged([_part(network, own, sorts, laws, set(positive), momentum) for own in found.values()])


def _seeds(term: Product, network: Contraction) -> set[str]:
    return {leaf for leaf, _ in term.factors if leaf in network.seeds}


def _seeds_of(groups: Union, leaf: str, products: Sequence[Product], network: Contraction) -> set[str]:
    """All seeds of the part of a parameter."""
    return {
        seed
        for term in products
        if groups.find(next(own for own, _ in term.factors if own in network.parameters)) == groups.find(leaf)
        for seed in _seeds(term, network)
    }


def _sorts(network: Contraction, products: Sequence[Product]) -> dict[Axis, str]:
    """The name of the sort of each axis: its letter, and primes where another sort has the same letter."""
    joined = Union()
    for term in products:
        first: dict[int, Axis] = {}
        for leaf, own in term.factors:
            for k, v in enumerate(own):
                joined.join((leaf, k), first.setdefault(v, (leaf, k)))
    names: dict[object, str] = {}
    for leaf, letters in network.axes.items():
        for k, letter in enumerate(letters):
            root = joined.find((leaf, k))
            if root not in names:
                names[root] = letter + "'" * sum(name.rstrip("'") == letter for name in names.values())
    return {(leaf, k): names[joined.find((leaf, k))] for leaf, axes in network.axes.items() for k in range(len(axes))}


def _part(
    network: Contraction, products: Sequence[Product], sorts: Mapping[Axis, str], laws: Sequence[IndexLaw],
    positive: set[str], momentum: bool,
) -> Part:  # fmt: skip
    used = dict.fromkeys(leaf for term in products for leaf, _ in term.factors)
    axes = {leaf: tuple(sorts[leaf, k] for k in range(len(network.axes[leaf]))) for leaf in used}
    mine = {leaf: own for leaf, own in axes.items() if leaf in network.parameters}
    moving = {**axes, **({velocity((leaf,))[0]: own for leaf, own in mine.items()} if momentum else {})}
    coordinates = moving.keys() - network.seeds.keys()
    fitting = [law for law in laws if all(leaf in coordinates for term in law.products for leaf, _ in term.factors)]
    return Part(
        tuple(products), mine, {leaf: own for leaf, own in axes.items() if leaf in network.seeds},
        {sort: sort.rstrip("'") for own in axes.values() for sort in own}, frozenset(positive & mine.keys()),
        tuple(replace(law, free=_free(law, moving)) for law in fitting), momentum, [{leaf: leaf for leaf in axes}],
    )  # fmt: skip


def _free(law: IndexLaw, axes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The sorts of the free indices."""
    sorts = {v: axes[leaf][k] for term in law.products for leaf, own in term.factors for k, v in enumerate(own)}
    return tuple(sorts[v] for v in range(len(law.free)))


def _merged(parts: Sequence[Part]) -> list[Part]:
    """Those that are another but for the names of leaves and sorts become copies of it."""
    kept: list[Part] = []
    for part in parts:
        for first in kept:
            names = _renaming(first, part)
            if names is not None:
                first.copies.append(names)
                break
        else:
            kept.append(part)
    return kept


def _renaming(first: Part, other: Part) -> dict[str, str] | None:
    """The leaves of another part by those of the first, matched in the order of their names; None if it fails."""
    if [len(first.parameters), len(first.seeds)] != [len(other.parameters), len(other.seeds)]:
        return None
    pairs = [*zip(sorted(first.parameters), sorted(other.parameters), strict=True),
             *zip(sorted(first.seeds), sorted(other.seeds), strict=True)]  # fmt: skip
    names = dict(pairs)
    if any([first.sorts[s] for s in first.axes[a]] != [other.sorts[s] for s in other.axes[b]] for a, b in pairs):
        return None
    if {a in first.positive for a in names} and any((a in first.positive) != (b in other.positive) for a, b in pairs):
        return None
    moved = collected(
        Product(term.coefficient, tuple((names[leaf], own) for leaf, own in term.factors)) for term in first.products
    )
    return names if moved == collected(other.products) else None
