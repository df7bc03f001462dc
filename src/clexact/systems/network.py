"""Reaction networks: species, reactions with what each changes and, where it is known, how fast; to fields.

With kinetics: one field. Structural: a field for each reaction, its stoichiometry, so that a law is one whatever the
rates are: the left nullspace of the stoichiometric matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import gcd, lcm

from clexact.algebra import systems
from clexact.algebra.bounded import Number
from clexact.algebra.fields import VectorFields
from clexact.algebra.quotients import Quotient, Quotients
from clexact.algebra.terms import EMPTY, Terms

Change = dict[int, Number]  # {species: how many of it a reaction makes, or uses}


@dataclass
class Network:
    """A reaction network.

    Attributes
    ----------
    builder : Builder
        The names: the species that change have the first numbers.
    species : list of str
        Those that reactions or rules change.
    changes : list of dict
        Of each reaction, {number of a species: net stoichiometry}.
    rates : list of callable
        Of each reaction: its rate, made when it is asked for.
    slopes : dict
        Further right sides, of rate rules: {number: callable}.
    notes : list of str
        What was left out.
    """

    builder: systems.Builder
    species: list[str]
    changes: list[Change]
    rates: list[Callable[[], Quotient]]
    slopes: dict[int, Callable[[], Quotient]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def kinetic(self) -> VectorFields:
        """The one field of the kinetics as written."""
        ring, terms = Quotients(), dict[int, list[Quotient]]()
        for change, rate in zip(self.changes, self.rates, strict=True):
            value = rate()
            for s, n in change.items():
                scaled = Quotient({m: c * n for m, c in value.top.items()}, value.bottom)
                terms.setdefault(s, []).append(scaled)
        for s, slope in self.slopes.items():
            terms.setdefault(s, []).append(slope())
        field = {s: ring.total(parts) for s, parts in sorted(terms.items())}
        return VectorFields.from_system(systems.finish(self.builder, [field], self.notes))

    def structural(self) -> VectorFields:
        """A constant field for each reaction that changes anything, equal ones and their multiples once."""
        if self.slopes:
            names = ", ".join(self.species[s] for s in self.slopes)
            raise ValueError(f"laws for all rates are of reactions alone, but rate rules change {names}.")
        directions = dict.fromkeys(filter(None, map(_primitive, self.changes)))
        notes = [*self.notes, f"a field for each of {len(directions)} directions of {len(self.changes)} reactions: "
                 "laws for all rates"]  # fmt: skip
        D, owner, coef = len(self.species), list[int](), list[int]()
        for i, direction in enumerate(directions):
            for s, n in direction:
                owner.append(i * D + s)
                coef.append(n)
        terms = Terms.from_monomials(owner, coef, [()] * len(coef)).canonical() if coef else EMPTY
        count = max(1, len(directions))
        return VectorFields._from_checked(tuple(self.species), terms, [1] * count, 0, tuple(notes))


def _primitive(change: Change) -> tuple[tuple[int, int], ...]:
    """The direction of a change: coprime integers, the first one positive."""
    given = sorted((s, n) for s, n in change.items() if n)
    if not given:
        return ()
    common = 1 if all(type(n) is int for _, n in given) else lcm(*(n.denominator for _, n in given))
    whole = [int(n * common) for _, n in given]
    divisor = gcd(*whole) * (1 if whole[0] > 0 else -1)
    return tuple((s, n // divisor) for (s, _), n in zip(given, whole, strict=True))
