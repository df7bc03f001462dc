r"""Covectors that sum to zero over the classes, as cross-entropy has them: a network with one class fewer.

Where the index of the classes stands in the covector and one parameter of each product, an orthogonal map of that axis
takes the vector of ones to a multiple of the last unit vector. The covectors are then those of one class fewer, and the
parameters of the last class do not move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from clexact.theorems.conditions import Condition, Domain, Linear
from clexact.theorems.contraction import Contraction, NotUniformError, Product
from clexact.theorems.counts import Count, added, linear, multiplied, scaled
from clexact.theorems.network import IndexLaw

Axis = tuple[str, int]


@dataclass(frozen=True)
class Classes:
    """The size that stands for ``letter`` - 1, the covectors, and how many parameters do not move."""

    seeds: tuple[str, ...]
    fewer: str
    letter: str
    idle: Count

    @property
    def equation(self) -> Domain:
        """That the one size is the other minus 1."""
        difference = Linear.of({self.fewer: 1, self.letter: -1})
        return Condition(difference, -1), Condition(Linear(()).plus(difference, -1), 1)

    def domain(self, conditions: Iterable[Condition]) -> Domain:
        """Conditions on the letters that are said."""
        return tuple(Condition.of(self._form(c.form), c.bound) for c in conditions)

    def count(self, count: Count) -> Count:
        """The number of laws in these letters, with those of the parameters that do not move."""
        one_fewer = linear(Linear.of({self.letter: 1, "": -1}))

        def said(name: str) -> Count:
            return one_fewer if name == self.fewer else linear(Linear.of({name: 1}))

        return added([self.idle, *(scaled(multiplied(map(said, m)), c) for m, c in count.items())])

    def _form(self, form: Linear) -> Linear:
        terms = dict(form.terms)
        of_fewer = terms.pop(self.fewer, 0)
        return Linear.of(terms).plus(Linear.of({self.letter: 1, "": -1}), of_fewer)


def one_fewer(
    network: Contraction, laws: Sequence[IndexLaw], positive: Collection[str], momentum: bool
) -> tuple[Contraction, list[IndexLaw], Classes]:
    """The network with one class fewer and its laws; NotUniformError where the classes stand elsewhere, too."""
    axes = {place for term in network.products for place in _places(term, network)}
    for term in network.products:
        stand = [leaf for leaf, own in term.factors for k in range(len(own)) if (leaf, k) in axes]
        if len(stand) != 2 or {*stand} & {*positive}:
            raise NotUniformError("the classes stand elsewhere than in the last parameters, or these are positive")
    (letter,) = {network.axes[leaf][k] for leaf, k in axes}
    fewer = f"{letter}_"
    while any(fewer in own for own in network.axes.values()):
        fewer += "_"

    def renamed(leaves: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            leaf: tuple(fewer if (leaf, k) in axes else n for k, n in enumerate(own)) for leaf, own in leaves.items()
        }

    moved, idle = renamed(network.parameters), list[Count]()
    for own in moved.values():
        if fewer in own:
            rest = multiplied(linear(Linear.of({name: 1})) for name in own if name != fewer)
            idle.append(scaled(rest, 1 + momentum))
    kept = [law for law in laws if not any(len(t.factors) == 1 and _along(t, axes) for t in law.products)]
    classes = Classes(network.covectors, fewer, letter, added(idle))
    return replace(network, parameters=moved, seeds=renamed(network.seeds)), kept, classes


def _places(term: Product, network: Contraction) -> list[Axis]:
    """The axes of a product where the index of the classes stands."""
    last = [own[-1] for leaf, own in term.factors if leaf in network.covectors and own]
    if len(last) != 1:
        raise NotUniformError("the covectors of sum zero have no axis of symbolic size, or are several")
    return [(leaf, k) for leaf, own in term.factors for k, v in enumerate(own) if v == last[0]]


def _along(term: Product, axes: Collection[Axis]) -> bool:
    return any((leaf, k) in axes for leaf, own in term.factors for k in range(len(own)))
