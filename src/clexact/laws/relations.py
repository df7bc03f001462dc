r"""``general_laws``: rational and logarithmic laws, from linear relations between the cofactors of Darboux polynomials.

The forms are those of G. Darboux (1878) and of M. J. Prelle and M. F. Singer (Trans. AMS 279, 1983).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, prod
from typing import overload

import numpy as np

from clexact.algebra.basis import Vector, short_basis
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.field_grading import Grading, grading
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.linalg import Words, rational_nullspace
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import concatenate, monomials_of_degree
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.laws.darboux import DarbouxPolynomials, check_listable_fields, darboux_polynomials, value_mod
from clexact.laws.logarithmic import Form, Law
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.result import ConservationLaws
from clexact.support.display import gathered

MOST_UNKNOWNS = 400  # of one linear system
MOST_EQUATIONS = 20_000
MOST_PRODUCTS = 50_000  # of polynomials, to write it down
MOST_EXPONENT = 60  # degree of a product that is multiplied out


@dataclass(frozen=True, eq=False)
class GeneralLaws(Sequence[Law]):
    """Polynomial laws of a degree, then others that are independent of them and of each other, each checked exactly.

    A sequence of ``Law``.

    Attributes
    ----------
    polynomial : ConservationLaws
        The polynomial ones.
    further : tuple of Law
        The others.
    darboux : DarbouxPolynomials
        Of which the others are made.
    independent : int
        Number of independent ones, proved: the rank of their gradients mod a prime at a point.

    Examples
    --------
    >>> laws = general_laws(VectorFields.from_strings(["x", "y", "z"], [["x", "2*y", "0"]]), 2)
    >>> print(*laws, sep="; ")
    z; z^2; y/x^2
    >>> len(laws.polynomial), len(laws.further), laws.independent
    (2, 1, 2)
    """

    polynomial: ConservationLaws
    further: tuple[Law, ...]
    darboux: DarbouxPolynomials
    independent: int  # number of independent ones, proved: the rank of their gradients mod a prime at a point

    def __len__(self) -> int:
        return len(self.polynomial) + len(self.further)

    @overload
    def __getitem__(self, i: int) -> Law: ...
    @overload
    def __getitem__(self, i: slice) -> list[Law]: ...
    def __getitem__(self, i: int | slice) -> Law | list[Law]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        known = self.polynomial
        if i >= len(known):
            return self.further[i - len(known)]
        return Law(Form.POLYNOMIAL, (), (), known[i], known.exponentials)

    def __repr__(self) -> str:
        return f"GeneralLaws([{', '.join(map(str, self))}])"

    def _repr_latex_(self) -> str:
        return gathered([law.to_latex() for law in self], len(self), "no law found")


def general_laws(flow: Given, degree: int, *, seed: int = 0) -> GeneralLaws:
    r"""Polynomial laws of degree at most ``degree``, and rational and logarithmic ones made of Darboux polynomials.

    Rational: $\prod_j p_j^{c_j}$ with integers c_j and $\sum_j c_j \lambda_{ji} = 0$ for every field, p_j irreducible
    over Q of degree at most ``degree``; a polynomial where no c_j is negative. Logarithmic: $\sum_j c_j \log p_j + q$
    with $\sum_j c_j \lambda_{ji} + X_i q = 0$, q of degree at most ``degree``, c_j rational, or else polynomial laws of
    degree at most ``degree``. Both are null spaces of exact linear systems, left out where they have more than 400
    unknowns. Of each kind those are kept that are independent of the ones before.

    Proved: each law (``Law.check``); that ``independent`` of them are independent. Not proved: that there are no
    others, as ``darboux_polynomials`` says.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    degree : int
        Of the polynomial laws, of the p_j and of q, at most; at least 1.
    seed : int
        Of all random choices.

    Returns
    -------
    GeneralLaws
        The polynomial laws first.

    Raises
    ------
    TypeError, ValueError
        For a wrong flow, degree or seed; ValueError for fields of more than 20,000 terms.

    Examples
    --------
    >>> laws = general_laws(VectorFields.from_strings(["x", "y"], [["x - x*y", "x*y - y"]]), 2)
    >>> print(laws[0], laws[0].form.value)
    log(x) + log(y) - x - y logarithmic
    """
    flow = as_flow(flow)
    check_listable_fields(flow)
    return further_than(flow, polynomial_laws(flow, degree, seed=seed), degree, seed)


def further_than(flow: Flow, known: ConservationLaws, degree: int, seed: int) -> GeneralLaws:
    """As ``general_laws``, with the polynomial laws that are known."""
    darboux, draws = darboux_polynomials(flow, degree, seed=seed), flow.draws(seed)
    fields = flow.fields
    moved = [j for j, cofactor in enumerate(darboux.cofactors) if any(not c.is_zero for c in cofactor)]
    search = _Relations(fields, [darboux[j] for j in moved], [darboux.cofactors[j] for j in moved], degree, draws)
    rank = _Independence(known, draws)
    kept: list[Law] = []
    for law in search.laws(known):
        if rank.would_grow(law) and law.check(fields):
            rank.add(law)
            kept.append(law)
    return GeneralLaws(known, tuple(kept), darboux, rank.rank)


class _Independence:
    """The rank of the gradients of laws, modulo a random prime at a random point."""

    def __init__(self, known: ConservationLaws, draws: Draws) -> None:
        D = len(known.variables)
        self._prime = draws.prime(61)
        self._point = draws.residues((D,), self._prime).tolist()
        self._form = Echelon(D, self._prime)
        for n in known.independent:
            self._form.add(self._values(known[n].gradient))

    @property
    def rank(self) -> int:
        return self._form.rank

    def _values(self, gradient: list[Polynomial]) -> Words:
        return np.array([[value_mod(d, self._point, self._prime) for d in gradient]], dtype=np.uint64)

    def would_grow(self, law: Law) -> bool:
        """Whether the law is independent of those before; a proof if so."""
        return bool(self._form.reduced(self._values(law.gradient)).any())

    def add(self, law: Law) -> None:
        self._form.add(self._values(law.gradient))


class _Relations:
    r"""Solutions (c, q) of $\sum_j c_j \lambda_{ji} + X_i q = 0$."""

    def __init__(
        self,
        fields: VectorFields,
        factors: list[Polynomial],
        cofactors: list[tuple[Polynomial, ...]],
        degree: int,
        draws: Draws,
    ) -> None:
        self.fields, self.factors, self.cofactors, self.degree, self.draws = fields, factors, cofactors, degree, draws
        self.one = Polynomial.from_sparse(fields.variables, {(): Fraction(1)})
        self.grading = grading(fields, int(draws.residues((1,), 2**32)[0]))

    def laws(self, known: ConservationLaws) -> Iterator[Law]:
        """Products, then logarithms with constant weights, then with weights that are laws."""
        rates = dict(known.exponentials)
        for vector in self._solutions([self.one], []):
            yield self._product(vector, rates)
        weights = _by_class([self.one], self.grading)
        yield from self._logarithms(weights, rates)
        yield from self._logarithms(_by_class([self.one, *known], self.grading), rates)

    def _logarithms(self, classes: dict[int, list[Polynomial]], rates: Mapping[str, Fraction]) -> Iterator[Law]:
        for label, weights in classes.items():
            additions = self._monomials(label)
            for vector in self._solutions(weights, additions):
                yield self._logarithmic(vector, weights, additions, rates)

    def _monomials(self, label: int) -> list[Polynomial]:
        """The monomials of one class of the grading, constants left out, if they are not too many."""
        D = self.fields.dimension
        if comb(D + self.degree, D) > MOST_UNKNOWNS**2:
            return []
        monomials = concatenate([monomials_of_degree(D, k) for k in range(1, self.degree + 1)])
        members = np.flatnonzero(self.grading.labels(monomials)[0] == label)
        names = self.fields.variables
        return [Polynomial.from_sparse(names, {monomials.monomial(j): Fraction(1)}) for j in members.tolist()]

    def _solutions(self, weights: list[Polynomial], additions: list[Polynomial]) -> list[Vector]:
        """A readable basis of the relations; unknowns are pairs (factor, weight), then the monomials of q."""
        unknowns = len(self.factors) * len(weights) + len(additions)
        if not self.factors or unknowns > MOST_UNKNOWNS or unknowns * len(self.fields) > MOST_PRODUCTS:
            return []
        columns = [[w * c for c in cofactor] for cofactor in self.cofactors for w in weights]
        columns += [lie_derivative(monomial, self.fields) for monomial in additions]
        equations: dict[tuple[object, ...], dict[int, Fraction]] = {}
        for x, column in enumerate(columns):
            for i, p in enumerate(column):
                for monomial, c in p.items():
                    equations.setdefault((i, monomial), {})[x] = c
        distinct = {tuple(equation.items()): equation for equation in equations.values()}
        if len(distinct) > MOST_EQUATIONS:
            return []
        rows = [[equation.get(x, Fraction(0)) for x in range(len(columns))] for equation in distinct.values()]
        basis = rational_nullspace(rows or [[0] * len(columns)], len(columns))
        return short_basis([{x: c for x, c in enumerate(v) if c} for v in basis], [], self.draws)

    def _product(self, vector: Vector, rates: Mapping[str, Fraction]) -> Law:
        """The product with these exponents, the last of them positive; a polynomial where all are."""
        sign = 1 if vector[max(vector)] > 0 else -1
        powers = {j: sign * c for j, c in sorted(vector.items())}
        zero = self.one * 0
        degree = sum(c * self.factors[j].degree for j, c in powers.items())
        if min(powers.values()) > 0 and degree <= MOST_EXPONENT:
            whole = prod((self.factors[j] ** c for j, c in powers.items()), start=self.one)
            return Law(Form.POLYNOMIAL, (), (), whole.primitive, rates)
        weights = tuple(self.one * c for c in powers.values())
        return Law(Form.RATIONAL, tuple(self.factors[j] for j in powers), weights, zero, rates)

    def _logarithmic(
        self, vector: Vector, weights: list[Polynomial], additions: list[Polynomial], rates: Mapping[str, Fraction]
    ) -> Law:
        """The sum with these coefficients."""
        sign = 1 if vector[min(vector)] > 0 else -1
        logs, rest = dict[int, Polynomial](), self.one * 0
        for x, c in sorted(vector.items()):
            j, w = divmod(x, len(weights))
            if j < len(self.factors):
                logs[j] = logs.get(j, self.one * 0) + weights[w] * (sign * c)
            else:
                rest = rest + additions[x - len(self.factors) * len(weights)] * (sign * c)
        factors = tuple(self.factors[j] for j in logs)
        return Law(Form.LOGARITHMIC if logs else Form.POLYNOMIAL, factors, tuple(logs.values()), rest, rates)


def _by_class(weights: Sequence[Polynomial], graded: Grading) -> dict[int, list[Polynomial]]:
    """Polynomials by the class of their terms; those with terms of several classes are left out."""
    classes: dict[int, list[Polynomial]] = {}
    for p in weights:
        labels = set(graded.labels(p.terms)[0].tolist())
        if len(labels) == 1:
            classes.setdefault(labels.pop(), []).append(p)
    return classes
