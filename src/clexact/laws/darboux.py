r"""``darboux_polynomials``: invariant hypersurfaces of a family of polynomial fields, exactly.

p is a Darboux polynomial when $X_i p = \lambda_i p$ for every field, with polynomials $\lambda_i$, its cofactors.
Cofactors add where polynomials multiply, so relations between cofactors are laws (``relations.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from typing import overload

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.field_grading import grading
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms, concatenate, monomials_of_degree
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow, check_no_parameters
from clexact.laws.extactic import Extactic
from clexact.laws.polynomial_laws import check_degree
from clexact.support.display import gathered

MOST_FIELD_TERMS = 20_000  # of expanded fields
MOST_MONOMIALS = 3000  # of the degree asked for; beyond, lower degrees only
MOST_IN_CLASS = 64  # monomials of an ansatz
LINES = (6, 24)  # along which special points are looked for, at least and at most
LINE_WORK = 5 * 10**7  # multiplications for which more than the least number of lines are tried
MOST_TERMS = 400  # of a component that is factored


@dataclass(frozen=True, eq=False)
class DarbouxPolynomials(Sequence[Polynomial]):
    """Irreducible Darboux polynomials of every field of a family, each checked.

    A sequence of ``Polynomial``.

    Attributes
    ----------
    polynomials : tuple of Polynomial
        The p_j.
    cofactors : tuple of tuple of Polynomial
        ``cofactors[j][i]`` is X_i p_j / p_j.
    degree : int
        Of the p_j, at most.
    skipped : int
        Number of spaces of polynomials that were too large to search.
    seed : int
        Of all random choices.

    Examples
    --------
    >>> found = darboux_polynomials(VectorFields.from_strings(["x", "y"], [["x", "2*y"]]), 1)
    >>> list(found), found.cofactors[1]
    ([Polynomial('x'), Polynomial('y')], (Polynomial('2'),))
    """

    polynomials: tuple[Polynomial, ...]
    cofactors: tuple[tuple[Polynomial, ...], ...]
    degree: int
    skipped: int
    seed: int

    def __len__(self) -> int:
        return len(self.polynomials)

    @overload
    def __getitem__(self, j: int) -> Polynomial: ...
    @overload
    def __getitem__(self, j: slice) -> list[Polynomial]: ...
    def __getitem__(self, j: int | slice) -> Polynomial | list[Polynomial]:
        return list(self.polynomials[j]) if isinstance(j, slice) else self.polynomials[j]

    def __repr__(self) -> str:
        return f"DarbouxPolynomials([{', '.join(map(str, self.polynomials))}])"

    def _repr_latex_(self) -> str:
        return gathered([p.to_latex() for p in self.polynomials], len(self), "no Darboux polynomial found")


def darboux_polynomials(flow: Given, degree: int, *, seed: int = 0) -> DarbouxPolynomials:
    r"""Irreducible polynomials p of degree at most ``degree`` with $X_i p = \lambda_i p$ for every field, those found.

    Irreducible over Q. Candidates are the variables, the factors of the components of the fields, and polynomials that
    vanish on the orbits of special points of random lines (``extactic.py``); a candidate counts when p divides every
    $X_i p$, exactly. Every grading of the fields splits the search: homogeneous polynomials are looked for.

    Proved: each polynomial with its cofactors. Not proved: that there is no other. Where there are finitely many, one
    is missed only if it has no point rational modulo a random prime on any of 6 to 24 lines, or coefficients of more
    than some 25 bits, or was ``skipped``. Where a rational law f / g exists there are infinitely many, such as the
    factors of f - c g: a few that generate it are given.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    degree : int
        Of the polynomials, at most; at least 1.
    seed : int
        Of all random choices.

    Returns
    -------
    DarbouxPolynomials
        The polynomials and their cofactors $\lambda_i$.

    Raises
    ------
    TypeError, ValueError
        For a wrong flow, degree or seed; ValueError for fields of more than 20,000 terms.

    Examples
    --------
    >>> X = VectorFields.from_strings(["x", "y"], [["x - x*y", "x*y - y"]])
    >>> found = darboux_polynomials(X, 2)
    >>> found, found.cofactors
    (DarbouxPolynomials([x, y]), ((Polynomial('-y + 1'),), (Polynomial('x - 1'),)))
    >>> all(lie_derivative(p, X) == [c * p for c in cs] for p, cs in zip(found, found.cofactors))
    True
    """
    flow = as_flow(flow)
    check_degree(degree)
    check_listable_fields(flow)
    search = _Search(flow.fields, flow.draws(seed), degree)
    search.run()
    polynomials = sorted(search.cofactors_of, key=lambda p: (p.degree, _order(p)))
    cofactors = tuple(search.cofactors_of[p] for p in polynomials)
    return DarbouxPolynomials(tuple(polynomials), cofactors, degree, search.skipped, seed)


def check_listable_fields(flow: Flow) -> None:
    """ValueError if the fields of a flow are too large for this search, or not all known."""
    check_no_parameters(flow, "a search for laws that are not polynomials")
    if not flow.whole:
        raise ValueError(f"not all gates of {flow.description} near this start are known: certify says what is.")
    if flow.expanded_size > MOST_FIELD_TERMS:
        raise ValueError(
            f"laws that are not polynomials are looked for in fields of at most {MOST_FIELD_TERMS} terms, "
            f"but {flow.description} may have {flow.expanded_size}."
        )


def _order(p: Polynomial) -> list[tuple[tuple[int, int], ...]]:
    return [monomial for monomial, _ in p.items()]


def cofactors(p: Polynomial, fields: VectorFields) -> tuple[Polynomial, ...] | None:
    r"""The $\lambda_i$ with $X_i p = \lambda_i p$, exactly, or None if p is no Darboux polynomial."""
    found = []
    for derivative in lie_derivative(p, fields):
        quotient = derivative.quotient(p)
        if quotient is None:
            return None
        found.append(quotient)
    return tuple(found)


class _Search:
    """Candidates from everywhere, and those that pass."""

    def __init__(self, fields: VectorFields, draws: Draws, degree: int) -> None:
        self.fields, self.draws, self.degree = fields, draws, degree
        self.cofactors_of: dict[Polynomial, tuple[Polynomial, ...]] = {}
        self._refused = set[Polynomial]()
        self.skipped = 0

    def run(self) -> None:
        names = self.fields.variables
        self.offer(Polynomial.from_string(name, names) for name in names)
        for i in range(len(self.fields)):
            self.offer(p for p in self.fields.components(i) if 0 < len(p) <= MOST_TERMS)
        for monomials in self._classes() if len(self.fields.terms) else ():  # along zero, every polynomial is Darboux
            self._search(monomials)

    def offer(self, candidates: Iterable[Polynomial]) -> None:
        """Keep the irreducible factors that are Darboux polynomials."""
        for candidate in candidates:
            for p in candidate.factors() if not candidate.is_zero else []:
                if p in self.cofactors_of or p in self._refused or p.degree > self.degree:
                    continue
                if (cofactor := cofactors(p, self.fields)) is None:
                    self._refused.add(p)
                else:
                    self.cofactors_of[p] = cofactor

    def _classes(self) -> Iterator[Terms]:
        """Monomials of degree at most 1, 2, ... that every scaling of the fields weighs alike; larger classes last."""
        D, weigh = self.fields.dimension, grading(self.fields, int(self.draws.residues((1,), 2**32)[0]))
        sizes = dict[int, int]()
        for degree in range(1, self.degree + 1):
            if comb(D + degree, degree) > MOST_MONOMIALS:
                self.skipped += 1
                return
            monomials = concatenate([monomials_of_degree(D, k) for k in range(degree + 1)])
            label, _ = weigh.labels(monomials)
            for name in dict.fromkeys(label.tolist()):
                members = np.flatnonzero(label == name)
                if len(members) > max(1, sizes.get(name, 1)):
                    sizes[name] = len(members)
                    yield monomials.take(members)

    def _search(self, monomials: Terms) -> None:
        """Candidates in the span of some monomials."""
        if len(monomials) > MOST_IN_CLASS:
            self.skipped += 1
            return
        space = Extactic(self.fields, monomials, self.draws)
        if space.too_large:
            self.skipped += 1
            return
        for f, g in space.invariants():
            self.offer([f, g])
        fewest, most = LINES
        for _ in range(min(most, max(fewest, LINE_WORK // space.line_work))):
            for point in space.special_points():
                if all(value_mod(p, point.tolist(), space.prime) for p in self.cofactors_of):
                    self.offer(space.equations(point))
            space = Extactic(self.fields, monomials, self.draws)  # a new prime: p may split modulo one, not another


def value_mod(p: Polynomial, point: Sequence[int], prime: int) -> int:
    """The value of p at a point mod a prime that divides no denominator."""
    total = 0
    for monomial, c in p.items():
        term = c.numerator * pow(c.denominator, -1, prime)
        for v, k in monomial:
            term = term * pow(point[v], k, prime) % prime
        total += term
    return total % prime
