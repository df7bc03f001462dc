r"""``general_laws``: rational and logarithmic laws, from linear relations between the cofactors of Darboux polynomials.

The forms are those of G. Darboux (1878) and of M. J. Prelle and M. F. Singer (Trans. AMS 279, 1983). A rational part
A / B of a sum of logarithms is an exponential factor e^(A/B) of theirs (C. Christopher, J. Llibre, J. V. Pereira,
Pacific J. Math. 229, 2007): B is a product of Darboux polynomials, to any powers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, lcm, prod
from typing import NamedTuple, overload

import numpy as np

from clexact.algebra.basis import Vector, short_basis
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.field_grading import grading
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.linalg import Words, flint_rank, rational_nullspace
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import concatenate, monomials_of_degree
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.laws.angles import Angle, angle_of
from clexact.laws.darboux import DarbouxPolynomials, check_listable_fields, darboux_polynomials, value_mod
from clexact.laws.logarithmic import Form, Law, constant
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.result import ConservationLaws
from clexact.support.display import gathered

MOST_UNKNOWNS = 400  # of one linear system
MOST_EQUATIONS = 20_000
MOST_PRODUCTS = 50_000  # of polynomials, to write it down
MOST_EXPONENT = 60  # degree of a product that is multiplied out
MOST_DENOMINATORS = 24  # of rational parts, simplest first


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
    with $\sum_j c_j \lambda_{ji} + X_i q = 0$, the c_j rational numbers, or else laws: polynomials of degree at most
    ``degree``, or the rational ones found. q is A / B, B one of the first products of Darboux polynomials, of degree at
    most ``degree``, and A of a degree at most ``degree`` higher. Where p_j splits over $\mathbb{Q}(\sqrt d)$, the
    logarithms of its conjugate factors are there too, as an arctangent or a logarithm (``angles.py``). All are null
    spaces of exact linear systems, left out where they have more than 400 unknowns. Of each kind those are kept that
    are independent of the ones before; the search ends when there are as many as there can be.

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
    search, rank = _Relations(fields, darboux, degree, draws), _Independence(known, draws)
    kept: list[Law] = []
    most = flow.dimension - _rank(fields, draws)
    for law in search.laws(known, kept) if rank.rank < most else ():
        if rank.would_grow(law) and law.check(fields):
            rank.add(law)
            kept.append(law)
            if rank.rank == most:
                break
    return GeneralLaws(known, tuple(kept), darboux, rank.rank)


def _rank(fields: VectorFields, draws: Draws) -> int:
    """The rank of the fields modulo a prime at a point: so many functions, at least, are no laws."""
    return fields.rank_at(draws.residues((fields.dimension,), 2**20).tolist()) if len(fields) else 0


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


class _Ratio(NamedTuple):
    """A law that is a weight, or 1: top / bottom."""

    top: Polynomial
    bottom: Polynomial


class _Bottom(NamedTuple):
    r"""B = prod p_j^k_j, and its cofactors $\sum_j k_j \lambda_{ji}$."""

    product: Polynomial
    cofactor: list[Polynomial]


class _Relations:
    r"""Solutions (c, A) of $\sum_j c_j \lambda_{ji} + X_i (A / B) = 0$, for logarithms and angles alike."""

    def __init__(self, fields: VectorFields, darboux: DarbouxPolynomials, degree: int, draws: Draws) -> None:
        self.fields, self.degree, self.draws = fields, degree, draws
        self.one = Polynomial.from_sparse(fields.variables, {(): Fraction(1)})
        self.darboux = [(p, list(c)) for p, c in zip(darboux, darboux.cofactors, strict=True)]
        moved = [(p, rates) for p, rates in self.darboux if any(not c.is_zero for c in rates)]
        self.factors, self.rates = [p for p, _ in moved], [rates for _, rates in moved]
        self.angles, self.turns = self._angles()
        self.grading = grading(fields, int(draws.residues((1,), 2**32)[0]))

    def _angles(self) -> tuple[list[Angle], list[list[Polynomial]]]:
        """Those of the Darboux polynomials, whose derivatives are polynomials that are not all 0."""
        angles, turns = list[Angle](), list[list[Polynomial]]()
        for angle in (found for p, _ in self.darboux if (found := angle_of(p)) is not None):
            norm = angle.norm
            turn = [d.quotient(norm) for d in angle.moved(lambda p: lie_derivative(p, self.fields))]
            whole = [t for t in turn if t is not None]
            if len(whole) == len(turn) and any(not t.is_zero for t in whole):
                angles.append(angle)
                turns.append(whole)
        return angles, turns

    def laws(self, known: ConservationLaws, kept: Sequence[Law]) -> Iterator[Law]:
        """Products; then sums by their denominators: weights are constants, or polynomial laws; last, rational ones."""
        rates, one = dict(known.exponentials), _Ratio(self.one, self.one)
        plain = _Bottom(self.one, [self.one * 0] * len(self.fields))
        for vector in self._solutions([one], plain, [], self.rates):
            yield self._product(vector, rates)
        if not self.factors and not self.angles:
            return
        bottoms = [plain, *self._bottoms()]
        weights = [one, *(_Ratio(h, self.one) for h in known)]
        for bottom in bottoms:
            for given in [[one], weights] if len(known) else [[one]]:
                yield from self._sums(given, bottom, rates)
        if fractions := [self._ratio(law) for law in kept if law.form is Form.RATIONAL]:
            for bottom in bottoms:
                yield from self._sums([*weights, *fractions], bottom, rates)

    def _ratio(self, law: Law) -> _Ratio:
        """A rational law as one fraction."""
        sides = [self.one, self.one]
        for p, weight in zip(law.factors, law.weights, strict=True):
            c = constant(weight)
            sides[c < 0] = sides[c < 0] * p ** abs(c)
        return _Ratio(*sides)

    def _bottoms(self) -> list[_Bottom]:
        """Products of Darboux polynomials of degree at most ``degree``, lowest degree first; not all, if many."""
        found = [_Bottom(self.one, [self.one * 0] * len(self.fields))]
        for p, cofactor in self.darboux:
            for product, rate in list(found):
                while (product.degree + p.degree) <= self.degree and len(found) < MOST_DENOMINATORS**2:
                    product, rate = product * p, [r + c for r, c in zip(rate, cofactor, strict=True)]
                    found.append(_Bottom(product, rate))
        return sorted(found[1:], key=lambda b: (b.product.degree, len(b.product)))[:MOST_DENOMINATORS]

    def _sums(self, weights: Sequence[_Ratio], bottom: _Bottom, rates: Mapping[str, Fraction]) -> Iterator[Law]:
        """Sums with these weights, of which the denominators divide B, and A / B: by classes of A in the grading."""
        classes: dict[int | None, list[_Ratio]] = {}
        for w in weights:
            whole = bottom.product.quotient(w.bottom)
            if whole is not None:
                labels = set(self.grading.labels((w.top * whole).terms)[0].tolist())
                classes.setdefault(labels.pop() if len(labels) == 1 else None, []).append(w)
        for label, some in classes.items():
            additions = self._monomials(label, bottom)
            for vector in self._solutions(some, bottom, additions, [*self.rates, *self.turns]):
                if min(vector) < len(some) * (len(self.factors) + len(self.angles)):
                    yield self._sum(vector, some, bottom, additions, rates)

    def _monomials(self, label: int | None, bottom: _Bottom) -> list[Polynomial]:
        """The monomials of one class of the grading, if they are not too many; without 1 where B = 1."""
        D, most, least = self.fields.dimension, self.degree + bottom.product.degree, int(bottom.product.degree == 0)
        if comb(D + most, D) > MOST_UNKNOWNS**2:
            return []
        monomials = concatenate([monomials_of_degree(D, k) for k in range(least, most + 1)])
        labels = self.grading.labels(monomials)[0]
        members = np.arange(len(monomials)) if label is None else np.flatnonzero(labels == label)
        names = self.fields.variables
        return [Polynomial.from_sparse(names, {monomials.monomial(j): Fraction(1)}) for j in members.tolist()]

    def _solutions(
        self, weights: Sequence[_Ratio], bottom: _Bottom, additions: list[Polynomial], rates: list[list[Polynomial]]
    ) -> list[Vector]:
        """A readable basis of the relations; unknowns are pairs (function, weight), then the monomials of A."""
        unknowns = len(rates) * len(weights) + len(additions)
        if not rates or unknowns > MOST_UNKNOWNS or unknowns * len(self.fields) > MOST_PRODUCTS:
            return []
        scaled = [w.top * whole for w in weights if (whole := bottom.product.quotient(w.bottom)) is not None]
        columns = [[w * c for c in rate] for rate in rates for w in scaled]
        columns += [
            [d - m * c for d, c in zip(lie_derivative(m, self.fields), bottom.cofactor, strict=True)] for m in additions
        ]
        rows = self._rows(columns)
        if len(rows) > MOST_EQUATIONS or self._only_additions(rows, unknowns, len(additions)):
            return []
        basis = rational_nullspace(rows, len(columns))
        return short_basis([{x: c for x, c in enumerate(v) if c} for v in basis], [], self.draws)

    def _rows(self, columns: list[list[Polynomial]]) -> list[list[Fraction]]:
        """The equations, one for each field and monomial, each once."""
        equations: dict[tuple[object, ...], dict[int, Fraction]] = {}
        for x, column in enumerate(columns):
            for i, p in enumerate(column):
                for monomial, c in p.items():
                    equations.setdefault((i, monomial), {})[x] = c
        distinct = {tuple(equation.items()): equation for equation in equations.values()}
        return [[equation.get(x, Fraction(0)) for x in range(len(columns))] for equation in distinct.values()]

    def _only_additions(self, rows: list[list[Fraction]], unknowns: int, additions: int) -> bool:
        """Whether no solution has a logarithm: shown by ranks modulo a prime, of all columns and of those of A."""
        prime = self.draws.prime(61, avoiding=lcm(1, *(c.denominator for row in rows for c in row)))
        residues = [[c.numerator * pow(c.denominator, -1, prime) % prime for c in row] for row in rows]
        first = unknowns - additions
        own = flint_rank([row[first:] for row in residues], prime) if additions and rows else 0
        return (flint_rank(residues, prime) if rows else 0) - own == first

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

    def _sum(
        self,
        vector: Vector,
        weights: Sequence[_Ratio],
        bottom: _Bottom,
        additions: list[Polynomial],
        rates: Mapping[str, Fraction],
    ) -> Law:
        """The sum with these coefficients."""
        sign = 1 if vector[min(vector)] > 0 else -1
        found, rest = dict[int, list[tuple[_Ratio, int]]](), self.one * 0
        functions = len(self.factors) + len(self.angles)
        for x, c in sorted(vector.items()):
            j, w = divmod(x, len(weights))
            if j < functions:
                found.setdefault(j, []).append((weights[w], sign * c))
            else:
                rest = rest + additions[x - functions * len(weights)] * (sign * c)
        fractions = [self._combined(terms) for terms in found.values()]
        fractions.append(self._lowest(_Ratio(rest, bottom.product)))
        angles = tuple(self.angles[j - len(self.factors)] for j in found if j >= len(self.factors))
        below = tuple(r.bottom for r in fractions)
        return Law(
            Form.ANGULAR if angles else Form.LOGARITHMIC,
            tuple(self.factors[j] for j in found if j < len(self.factors)),
            tuple(r.top for r in fractions[:-1]),
            fractions[-1].top,
            rates,
            angles,
            below if any(b != self.one for b in below) else (),
        )

    def _combined(self, terms: list[tuple[_Ratio, int]]) -> _Ratio:
        """A sum of multiples of weights as one fraction."""
        total = _Ratio(self.one * 0, self.one)
        for w, c in terms:
            total = _Ratio(total.top * w.bottom + w.top * total.bottom * c, total.bottom * w.bottom)
        return self._lowest(total)

    def _lowest(self, r: _Ratio) -> _Ratio:
        """Without the Darboux polynomials that divide both."""
        top, bottom = r
        if top.is_zero:
            return _Ratio(top, self.one)
        for p, _ in self.darboux:
            while (below := bottom.quotient(p)) is not None and (above := top.quotient(p)) is not None:
                top, bottom = above, below
        return _Ratio(top, bottom)
