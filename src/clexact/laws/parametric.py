"""Polynomial laws with coefficients in Q(a), a the parameters of the fields; and which more there are for which a."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from math import comb
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields, lie_derivatives, packed_derivatives
from clexact.algebra.parametric import Branch, Row, Solution, solutions
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.algebra.terms import Monomial, Terms, concatenate, monomials_of_degree
from clexact.flows.flow import FieldsFlow
from clexact.laws.result import Completeness, ConservationLaws, positive
from clexact.support.listed import number_of

MOST_MONOMIALS = 20_000
MOST_POINTS = 200_000  # tried for values in a case
SMALL = tuple(map(Fraction, ("1", "-1", "2", "0", "-2", "3", "1/2", "-1/2", "-3", "1/3", "4", "-1/3", "-4", "3/2")))


def parametric_laws(flow: FieldsFlow, degree: int, homogeneous: bool, seed: int) -> ConservationLaws:
    """All laws of this degree in the variables, over Q(a): each checked, and as many as at residues of the parameters.

    Unknowns that are 0 in the whole nullspace at a random point are left out before the elimination over Q(a).
    """
    states = flow.counted_dimension
    if comb(states + degree, degree) > MOST_MONOMIALS:
        nothing = Terms.from_monomials([], [], [])
        scope, names = "the fields given, generic parameters", flow.parameters
        return ConservationLaws(flow.variables, degree, homogeneous, Completeness.OPEN, seed, nothing, {}, scope, names)
    system = _System(flow.fields, degree, homogeneous)
    near = system.nullspace(flow.draws(seed))
    support = {c for vector in near for c in vector}
    rows = [part for row in system.rows if (part := {c: p for c, p in row.items() if c in support})]
    (found,) = solutions(rows, sorted(support), Branch(system.ring, generic=True))
    laws = system.laws(found)
    if len(lie_derivatives(laws, flow.fields)):
        raise ArithmeticError("a law over Q(a) does not hold: please report this.")
    known = Completeness.PROVED if len(laws) == len(near) else Completeness.OPEN
    return system.listed(laws, known, seed)


@dataclass(frozen=True)
class LawCase:
    """The laws where the parameters meet conditions, over complex values.

    Attributes
    ----------
    zero : tuple of str
        Polynomials in the parameters that vanish.
    nonzero : tuple of str
        Polynomials in the parameters of which none vanishes.
    laws : ConservationLaws
        A basis of all laws of the degree there, each checked to hold where ``zero`` does.

    Examples
    --------
    >>> X = VectorFields.from_ode("par a; x' = a*y; y' = x")
    >>> law_cases(X, 1).cases[0]
    LawCase(a = 0: 1 law)
    """

    zero: tuple[str, ...]
    nonzero: tuple[str, ...]
    laws: ConservationLaws

    @property
    def condition(self) -> str:
        """In one phrase.

        Examples
        --------
        >>> LawCase(("a - b",), ("a",), None).condition
        'a - b = 0, a != 0'
        """
        parts = [f"{p} = 0" for p in self.zero] + [f"{p} != 0" for p in self.nonzero]
        return ", ".join(parts) or "any values"

    def values(self) -> dict[str, Fraction]:
        """Small rational values of the parameters in this case, for ``VectorFields.at``.

        Returns
        -------
        dict of str to Fraction
            The first found that meet the conditions.

        Raises
        ------
        ValueError
            If there are none among those tried; a case such as a^2 + 1 = 0 has none.

        Examples
        --------
        >>> X = VectorFields.from_ode("par a, b; x' = a*x; y' = b*y")
        >>> case = law_cases(X, 2, nonzero=True).cases[0]
        >>> case, case.values() == {"a": 1, "b": -1}, X.at(case.values())
        (LawCase(a + b = 0: 1 law), True, VectorFields(1 field on Q^2: [x, -y]))
        """
        names = self.laws.parameters
        zero, apart = ([Polynomial.from_string(p, names) for p in part] for part in (self.zero, self.nonzero))
        for point in islice(_small_points(len(names)), MOST_POINTS):
            if all(p(*point) == 0 for p in zero) and all(p(*point) != 0 for p in apart):
                return dict(zip(names, point, strict=True))
        raise ValueError(f"no small rational values of {', '.join(names)} with {self.condition} were found.")

    def __repr__(self) -> str:
        return f"LawCase({self.condition}: {number_of(len(self.laws), 'law')})"


@dataclass(frozen=True)
class LawCases:
    """Every case in which there are more laws than for generic parameters, and what holds elsewhere.

    Attributes
    ----------
    generic : ConservationLaws
        The laws over Q(a): as many as there are for all values that are in none of the cases.
    cases : tuple of LawCase
        Those with more laws; they do not overlap.

    Examples
    --------
    >>> X = VectorFields.from_ode("par a; x' = a*y; y' = x")
    >>> law_cases(X, 2), law_cases(X, 2).cases[0].laws
    (LawCases(1 law; a = 0: 2), ConservationLaws([x, x^2]))
    """

    generic: ConservationLaws
    cases: tuple[LawCase, ...]

    def __repr__(self) -> str:
        more = "; ".join(f"{case.condition}: {len(case.laws)}" for case in self.cases)
        return f"LawCases({number_of(len(self.generic), 'law')}; {more or 'for all values of the parameters'})"


def law_cases(fields: VectorFields, degree: int, *, nonzero: bool = False, seed: int = 0) -> LawCases:
    r"""For which values of the parameters there are more polynomial laws, and which: the full case distinction.

    The laws of a degree are the nullspace of a matrix over $\mathbb{Q}[a]$. Elimination cuts the values of a in two
    wherever a pivot is neither zero nor a unit (Groebner bases decide). In each case every law is checked to hold,
    modulo the equations of the case, and the pivots, which vanish nowhere on it, prove that there is no other. Cases
    are over complex values: one such as a^2 + 1 = 0 has no real ones. The task is that of arXiv 2212.14881.

    Parameters
    ----------
    fields : VectorFields
        With parameters.
    degree : int
        Of the laws, at most.
    nonzero : bool
        Whether only values are looked at of which none is 0, as rates of reactions are.
    seed : int
        Of the random primes and points.

    Returns
    -------
    LawCases
        The generic laws, and the cases with more.

    Raises
    ------
    TypeError, ValueError
        For what are no fields with parameters, and for a degree below 1.

    Examples
    --------
    >>> X = VectorFields.from_ode("par a, b; x' = a*y; y' = -b*x")
    >>> found = law_cases(X, 1)
    >>> found
    LawCases(0 laws; a = 0, b = 0: 2; b = 0, a != 0: 1; a = 0, b != 0: 1)
    >>> found.cases[1].laws
    ConservationLaws([y])
    """
    if not isinstance(fields, VectorFields) or not fields.parameters:
        raise TypeError("cases are of VectorFields with parameters, such as  par a  in an .ode file declares them.")
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 1:
        raise ValueError(f"degree must be an integer >= 1, not {degree!r}.")
    generic = parametric_laws(FieldsFlow(fields), degree, False, seed)
    system = _System(fields, degree, False)
    cases = list[LawCase]()
    units = tuple(system.ring.gens) if nonzero else ()
    for found in solutions(system.rows, range(len(system.monomials)), Branch(system.ring, units=units)):
        laws = system.laws(found)
        system.check(laws, found.branch)
        if len(laws) > len(generic):
            zero, apart = found.branch.basis or found.branch.zero, found.branch.units[len(units) :]
            shown = system.listed(laws, Completeness.PROVED, seed)
            cases.append(LawCase(_texts(zero), _texts(apart), shown))
    return LawCases(generic, tuple(cases))


def _texts(polynomials: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(p.clear_denoms()[1].as_expr()).replace("**", "^") for p in polynomials)


def _small_points(count: int) -> Iterator[tuple[Fraction, ...]]:
    """Points of few different coordinates, those with small ones and without 0 first."""
    for size in range(2, len(SMALL) + 1):
        last = SMALL[: size - 1] if size > 2 else ()
        for point in product(SMALL[:size], repeat=count):
            if not last or not set(point) <= set(last):
                yield point


class _System:
    """The equations X_i(sum of c_m m) = 0 over the monomials m in the variables, as rows over Q[a]."""

    def __init__(self, fields: VectorFields, degree: int, homogeneous: bool) -> None:
        from sympy import ZZ, Symbol
        from sympy.polys.rings import PolyRing

        self.fields, self.degree, self.homogeneous = fields, degree, homogeneous
        self.states = fields.dimension - len(fields.parameters)
        degrees = [degree] if homogeneous else range(degree, 0, -1)
        found = concatenate([monomials_of_degree(self.states, k) for k in degrees])
        if len(found) > MOST_MONOMIALS:
            raise ValueError(
                f"{len(found)} monomials of degree at most {degree}, more than {MOST_MONOMIALS}: too many."
            )
        self.ring = PolyRing([Symbol(name) for name in fields.parameters], ZZ, "grevlex")
        self.monomials = [found.monomial(n) for n in range(len(found))]
        owned = found.owned_by(np.arange(len(found)))
        self._derivatives = packed_derivatives(owned, len(found), fields)
        self.rows = self._rows()

    def _split(self, monomial: Monomial) -> tuple[Monomial, tuple[int, ...]]:
        """(the monomial in the variables, the exponents of the parameters)."""
        powers = [0] * len(self.fields.parameters)
        for v, k in monomial:
            if v >= self.states:
                powers[v - self.states] = k
        return tuple((v, k) for v, k in monomial if v < self.states), tuple(powers)

    def _rows(self) -> list[Row]:
        entries: dict[tuple[int, Monomial], dict[int, dict[tuple[int, ...], int]]] = {}
        terms, d = self._derivatives, len(self.fields)
        for t, (owner, c) in enumerate(zip(terms.owner.tolist(), terms.coef.tolist(), strict=True)):
            column, i = divmod(owner, d)
            mine, powers = self._split(terms.monomial(t))
            entries.setdefault((i, mine), {}).setdefault(column, {})[powers] = int(c)
        return [{c: self.ring.from_dict(p) for c, p in row.items()} for row in entries.values()]

    def nullspace(self, draws: Draws) -> list[dict[int, int]]:
        """At random residues of the parameters: no fewer vectors than over Q(a)."""
        prime = draws.prime(61)
        point = [int(a) for a in draws.residues((len(self.fields.parameters),), prime)]
        entries = [(n, c, v) for n, row in enumerate(self.rows) for c, p in row.items() if (v := _at(p, point, prime))]
        key, unknown, value = zip(*entries, strict=True) if entries else ((), (), ())
        found = SparseRows(
            np.array(key, dtype=np.uint64), np.array(unknown, dtype=np.int64), np.array(value, dtype=np.uint64),
            len(self.monomials), prime,
        )  # fmt: skip
        return found.nullspace()

    def laws(self, found: Solution) -> list[Polynomial]:
        """The vectors as polynomials in the variables and the parameters, lowest degree first."""
        names, laws = self.fields.variables, list[tuple[tuple[int, int], Polynomial]]()
        for vector in found.vectors:
            monomials, coefs = list[Monomial](), list[int]()
            for n, p in vector.items():
                for powers, c in p.terms():
                    also = tuple((self.states + v, k) for v, k in enumerate(powers) if k)
                    monomials.append((*self.monomials[n], *also))
                    coefs.append(int(c))
            terms = positive(Terms.from_monomials([0] * len(coefs), coefs, monomials).canonical())
            degree = max(sum(k for _, k in self.monomials[n]) for n in vector)
            laws.append(((degree, min(vector)), Polynomial._from_checked(names, terms).primitive))
        return [law for _, law in sorted(laws, key=lambda item: item[0])]

    def check(self, laws: Sequence[Polynomial], branch: Branch) -> None:
        """ArithmeticError unless every derivative vanishes on the branch."""
        terms = lie_derivatives(laws, self.fields)
        entries: dict[tuple[int, Monomial], dict[tuple[int, ...], int]] = {}
        for t, (owner, c) in enumerate(zip(terms.owner.tolist(), terms.coef.tolist(), strict=True)):
            mine, powers = self._split(terms.monomial(t))
            entries.setdefault((owner, mine), {})[powers] = int(c)
        if any(not branch.vanishes(self.ring.from_dict(p)) for p in entries.values()):
            raise ArithmeticError("a law does not hold in its case: please report this.")

    def listed(self, laws: Sequence[Polynomial], known: Completeness, seed: int) -> ConservationLaws:
        """As a result."""
        terms = concatenate([h.terms.owned_by(n) for n, h in enumerate(laws)]).canonical()
        scope, names = "the fields given, generic parameters", self.fields.variables
        return ConservationLaws(
            names, self.degree, self.homogeneous, known, seed, terms, {}, scope, self.fields.parameters
        )


def _at(p: Any, point: Sequence[int], prime: int) -> int:
    total = 0
    for powers, c in p.terms():
        value = int(c)
        for a, k in zip(point, powers, strict=True):
            value = value * pow(a, k, prime) % prime
        total += value
    return total % prime
