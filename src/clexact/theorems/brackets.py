r"""Brackets of any depth at a point, and those of momentum flows, as polynomials in what is alive there.

A derivative removes at most one factor that is zero at the point: of a field of which d brackets are still taken,
monomials with more than d such factors are left out. In a momentum flow with the drift $X = (\theta', 0)$ the fields
$V_\varphi = (0, \nabla\varphi)$ make $[V_\psi, [V_\varphi, X]] = -V_{\langle\nabla\psi, \nabla\varphi\rangle}$.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any

from clexact.theorems.network import DRIFT, Alive, Part, Universe, Vector, add, members, velocity

MOST = 1500  # brackets taken at one depth, at few indices


@dataclass(frozen=True)
class Moving:
    """A field near the point; of positive parameters, the components of their logarithms."""

    recipe: Any
    vector: Vector


class Brackets:
    """Fields of a part at few indices, their brackets, and the values of these at a point."""

    def __init__(self, part: Part, universe: Universe, alive: Alive) -> None:
        self.part, self.universe = part, universe
        self.dead = cache(lambda c: not alive(c))

    def rows(self, depth: int) -> list[tuple[Any, Vector]]:
        """All that are looked at, with what they are: those that are not zero at the point."""
        found = self.of_momentum(depth) if self.part.momentum else self.of_gradients(depth)
        values = ((one.recipe, self.cut(one.vector, 0)) for one in found)
        return [(recipe, vector) for recipe, vector in values if vector]

    def of_gradients(self, depth: int) -> list[Moving]:
        """Members, their brackets, brackets with these, ..."""
        first = level = self.members(depth)
        found = list(first)
        for left in reversed(range(depth)):
            pairs = combinations(first, 2) if level is first else product(first, level)
            level = self.different((self.bracket(x, y, left) for x, y in pairs), found)
            found += level
        return found

    def of_momentum(self, depth: int) -> list[Moving]:
        r"""V of members and of their products, and [V, X] of these; at depth 2 brackets of the latter, at 3 all.

        At depth 4 of products of products, too: $|U_i|^2 + |U_k|^2$ beside $|U_i|^2 + |V_j|^2$.
        """
        drift, single = self.drift(), self.members(5)
        lifts = [self.bracket(one, drift, 4) for one in single]
        products = self.multiplied(single, lifts, single, 4)
        raised = [self.bracket(one, drift, 3) for one in products]
        if depth > 3:
            second = self.multiplied(products, raised, [*single, *products], 3)
            products += second
            raised += [self.bracket(one, drift, 2) for one in second]
        found = [*single, *products, *lifts, *raised]
        if depth > 1:
            found += self.different((self.bracket(x, y, 2) for x, y in combinations(lifts, 2)), found)
        if depth > 2:
            mixed = [*product(lifts, raised), *combinations(raised, 2), *((x, drift) for x in (*lifts, *raised))]
            found += self.different((self.bracket(x, y, 2) for x, y in mixed), found)
        return found

    def multiplied(self, fields: list[Moving], lifts: list[Moving], known: list[Moving], order: int) -> list[Moving]:
        r"""V of $\langle\nabla\psi, \nabla\varphi\rangle$ for all pairs of functions, of which ``lifts`` are [V, X]."""
        pairs = ((one, lifts[k]) for k, _ in enumerate(fields) for one in fields[k:])
        return self.different((self.bracket(one, lift, order) for one, lift in pairs), known)

    def members(self, order: int) -> list[Moving]:
        """Of the family, as gradients; of a momentum flow they move velocities."""
        found = []
        for seed, poly in members(self.part, self.universe).items():
            vector: Vector = {}
            for monomial, coefficient in poly.items():
                for k, c in enumerate(monomial):
                    moved = velocity(c) if self.part.momentum else c
                    add(vector.setdefault(moved, {}), monomial[:k] + monomial[k + 1 :], coefficient)
            found.append(Moving(seed, self.cut(vector, order)))
        return found

    def drift(self) -> Moving:
        """The velocities, as a field."""
        axes = self.part.parameters.items()
        entries = [(name, *at) for name, own in axes for at in product(*(self.universe[sort] for sort in own))]
        return Moving(DRIFT, {c: {(velocity(c),): 1} for c in entries})

    def cut(self, vector: Vector, order: int) -> Vector:
        """Without monomials of more than so many factors that are zero at the point."""
        found = {}
        for c, poly in vector.items():
            own = {m: v for m, v in poly.items() if v and sum(map(self.dead, m)) <= order}
            if own:
                found[c] = own
        return found

    def bracket(self, x: Moving, y: Moving, order: int) -> Moving:
        """[X, Y], of which so many brackets are still taken."""
        vector: Vector = {}
        self._along(vector, x, y, 1, order)
        self._along(vector, y, x, -1, order)
        return Moving((x.recipe, y.recipe), self.cut(vector, order))

    def _along(self, found: Vector, x: Moving, y: Moving, sign: int, order: int) -> None:
        """Add the derivative of the one field along the other."""
        moves, positive, dead = y.vector, self.part.positive, self.dead
        for c, poly in x.vector.items():
            for monomial, coefficient in poly.items():
                for k, v in enumerate(monomial):
                    if v in moves:
                        rest = monomial if v[0] in positive else monomial[:k] + monomial[k + 1 :]
                        left = order - sum(map(dead, rest))
                        for other, theirs in moves[v].items() if left >= 0 else ():
                            if sum(map(dead, other)) <= left:
                                add(found.setdefault(c, {}), tuple(sorted(rest + other)), sign * coefficient * theirs)

    def different(self, made: Iterable[Moving], known: Iterable[Moving]) -> list[Moving]:
        """Those that are neither zero nor, up to sign, another one; no more than are looked at."""
        seen = {key for one in known for key in _keys(one.vector)}
        found: list[Moving] = []
        for one in made:
            keys = _keys(one.vector)
            if one.vector and keys[0] not in seen:
                seen |= {*keys}
                found.append(one)
                if len(found) == MOST:
                    break
        return found


def _keys(vector: Vector) -> tuple[object, object]:
    """Of a field and its opposite."""
    return tuple(  # type: ignore[return-value]
        frozenset((c, frozenset((m, sign * v) for m, v in poly.items())) for c, poly in vector.items())
        for sign in (1, -1)
    )
