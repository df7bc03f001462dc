r"""``general_laws``: laws that are rational or logarithmic, made of Darboux polynomials.

If $X_i p_j = \lambda_{ji} p_j$ for every field, then $X_i \log p_j = \lambda_{ji}$: a linear relation between cofactors
(and derivatives of a polynomial q) is a law (G. Darboux 1878; M. J. Prelle, M. F. Singer 1983 for the forms).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import comb, prod
from typing import TYPE_CHECKING, overload

import numpy as np

from clexact.basis import Vector, short_basis
from clexact.darboux import DarbouxPolynomials, check_listable_fields, cofactors, darboux_polynomials, value_mod
from clexact.draws import Draws
from clexact.echelon import Echelon
from clexact.fields import VectorFields, lie_derivative
from clexact.flow import Flow, as_flow
from clexact.grading import Grading, grading
from clexact.laws import ConservationLaws, polynomial_laws, with_exponentials
from clexact.linalg import Words, rational_nullspace
from clexact.polynomial import Polynomial, latex_name
from clexact.terms import concatenate, monomials_of_degree

if TYPE_CHECKING:
    import sympy

MOST_UNKNOWNS = 400  # of one linear system
MOST_EQUATIONS = 20_000
MOST_EXPONENT = 60  # sum of the exponents of a product that is multiplied out


class Form(Enum):
    """What a law is made of; the value is the word a user reads."""

    POLYNOMIAL = "polynomial"
    RATIONAL = "rational"
    LOGARITHMIC = "logarithmic"


@dataclass(frozen=True)
class Law:
    r"""A law: q, or $\prod_j p_j^{c_j}$ with integers c_j, or $\sum_j c_j \log p_j + q$ with polynomial laws c_j.

    ``factors`` are the p_j, ``weights`` the c_j (constants, unless they are laws), ``rest`` is q. A logarithm is that
    of $|p_j|$; a law holds where no p_j vanishes.
    """

    form: Form
    factors: tuple[Polynomial, ...]
    weights: tuple[Polynomial, ...]
    rest: Polynomial
    exponentials: Mapping[str, Fraction] = field(default_factory=dict, hash=False)  # {variable: r}: it is e^(r t)

    def check(self, flow: Flow | VectorFields) -> bool:
        r"""Whether it is a law of the flow, by exact identities made anew.

        $X_i c_j = 0$, $X_i p_j = \lambda_{ji} p_j$ and $\sum_j c_j \lambda_{ji} + X_i q = 0$ for every field.
        """
        fields = as_flow(flow).fields
        if not self._well_formed:
            return False
        sums = lie_derivative(self.rest, fields)
        for p, weight in zip(self.factors, self.weights, strict=True):
            cofactor = cofactors(p, fields)
            if cofactor is None or any(not moved.is_zero for moved in lie_derivative(weight, fields)):
                return False
            sums = [total + weight * c for total, c in zip(sums, cofactor, strict=True)]
        return all(total.is_zero for total in sums)

    @property
    def _well_formed(self) -> bool:
        """A polynomial has no factors, a product has integers for weights and no rest."""
        if self.form is Form.POLYNOMIAL:
            return not self.factors
        whole = all(w.degree <= 0 and w.denominator == 1 for w in self.weights)
        return self.form is Form.LOGARITHMIC or (whole and self.rest.is_zero)

    @property
    def gradient(self) -> list[Polynomial]:
        r"""$\prod_j p_j$ times $\sum_j c_j \nabla p_j / p_j + \nabla q$, a polynomial vector.

        For a product, a multiple of its gradient; for logarithms likewise, up to the gradients of the c_j, which are
        laws themselves.
        """
        one = Polynomial.from_sparse(self.rest.variables, {(): Fraction(1)})
        total = [prod(self.factors, start=one) * d for d in self.rest.gradient]
        for j, (p, weight) in enumerate(zip(self.factors, self.weights, strict=True)):
            scale = prod(self.factors[:j] + self.factors[j + 1 :], start=one) * weight
            total = [t + scale * d for t, d in zip(total, p.gradient, strict=True)]
        return total

    def to_sympy(self) -> sympy.Expr:
        """The law in SymPy, variables as symbols of the same names."""
        import sympy

        pairs = [(p.to_sympy(), c.to_sympy()) for p, c in zip(self.factors, self.weights, strict=True)]
        if self.form is Form.RATIONAL:
            return sympy.Mul(*(p**c for p, c in pairs))
        return sympy.Add(*(c * sympy.log(p) for p, c in pairs), self.rest.to_sympy())

    def written(self) -> str:
        """The law as text, with e^(r*t) in place of a variable that stands for it."""
        return with_exponentials(str(self), self.exponentials, r"\^(\d+)", "e^({}*t)")

    def to_latex(self) -> str:
        """LaTeX source, likewise."""
        if self.form is Form.RATIONAL:
            above, below = self._product(latex=True)
            text = rf"\frac{{{above}}}{{{below}}}"
        else:
            text = self._sum(r"\log\left({}\right)", " ", latex=True)
        rates = {latex_name(name): rate for name, rate in self.exponentials.items()}
        return with_exponentials(text, rates, r"\^\{(\d+)\}", r"e^{{{} t}}")

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"

    def __str__(self) -> str:
        if self.form is Form.RATIONAL:
            above, below = self._product(latex=False)
            return f"{above}/({below})" if "*" in below else f"{above}/{below}"
        return self._sum("log({})", "*", latex=False)

    def _product(self, latex: bool) -> tuple[str, str]:
        """Numerator and denominator as text."""
        sides: tuple[list[str], list[str]] = [], []
        for p, weight in zip(self.factors, self.weights, strict=True):
            power = abs(c := constant(weight))
            text = p.to_latex() if latex else str(p)
            if len(p) > 1:
                text = rf"\left({text}\right)" if latex else f"({text})"
            raised = f"^{{{power}}}" if latex else f"^{power}"
            sides[c < 0].append(text + (raised if power > 1 else ""))
        above, below = ((" " if latex else "*").join(side) or "1" for side in sides)
        return above, below

    def _sum(self, log: str, times: str, latex: bool) -> str:
        """Terms c log p and q, joined by signs."""
        out = ""
        for p, weight in zip(self.factors, self.weights, strict=True):
            negative = next(weight.items())[1] < 0
            size = -weight if negative else weight
            text = size.to_latex() if latex else str(size)
            if len(size) > 1:
                text = rf"\left({text}\right)" if latex else f"({text})"
            term = ("" if size == 1 else text + times) + log.format(p.to_latex() if latex else str(p))
            out += (" - " if negative else " + ") + term
        rest = self.rest.to_latex() if latex else str(self.rest)
        if not self.rest.is_zero or not out:
            out += f" - {rest[1:]}" if rest.startswith("-") else f" + {rest}"
        return f"-{out[3:]}" if out.startswith(" - ") else out[3:]


def constant(p: Polynomial) -> int:
    """The integer that a constant polynomial is."""
    return int(p(*[0] * len(p.variables)))


@dataclass(frozen=True, eq=False)
class GeneralLaws(Sequence[Law]):
    """Polynomial laws of a degree, then others that are independent of them and of each other, each checked exactly."""

    polynomial: ConservationLaws
    further: tuple[Law, ...]
    darboux: DarbouxPolynomials
    independent: int  # number of independent ones, proved: the rank of their gradients mod a prime at a point
    truncated: bool  # whether the fields are Taylor coefficients up to an order: laws of these alone

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
        rows = r" \\ ".join(law.to_latex() for law in self)
        return rf"$$\begin{{gathered}} {rows} \end{{gathered}}$$" if len(self) else "no law found"


def general_laws(flow: Flow | VectorFields, degree: int, *, seed: int = 0) -> GeneralLaws:
    r"""Polynomial laws of degree at most ``degree``, and rational and logarithmic ones made of Darboux polynomials.

    Rational: $\prod_j p_j^{c_j}$ with integers c_j and $\sum_j c_j \lambda_{ji} = 0$ for every field, p_j irreducible
    over Q of degree at most ``degree``; a polynomial where no c_j is negative. Logarithmic: $\sum_j c_j \log p_j + q$
    with $\sum_j c_j \lambda_{ji} + X_i q = 0$, q of degree at most ``degree``, c_j rational, or else polynomial laws of
    degree at most ``degree``. Both are null spaces of exact linear systems. Of each kind those are kept that are
    independent of the ones before.

    Proved: each law (``Law.check``); that ``independent`` of them are independent. Not proved: that there are no
    others, as ``darboux_polynomials`` says. ``truncated`` is set where the fields are Taylor coefficients: then the
    others are laws of these alone.

    Raises TypeError or ValueError for a wrong flow, degree or seed, ValueError for fields of more than 20,000 terms.

    >>> laws = general_laws(VectorFields.from_strings(["x", "y"], [["x - x*y", "x*y - y"]]), 2)
    >>> print(laws[0], laws[0].form.value)
    log(x) + log(y) - x - y logarithmic
    """
    flow = as_flow(flow)
    check_listable_fields(flow)
    return further_than(flow, polynomial_laws(flow, degree, seed=seed), degree, seed)


def further_than(flow: Flow, known: ConservationLaws, degree: int, seed: int) -> GeneralLaws:
    """As ``general_laws``, with the polynomial laws that are known."""
    darboux, draws = darboux_polynomials(flow, degree, seed=seed), Draws(seed)
    fields = flow.fields
    moved = [j for j, cofactor in enumerate(darboux.cofactors) if any(not c.is_zero for c in cofactor)]
    search = _Relations(fields, [darboux[j] for j in moved], [darboux.cofactors[j] for j in moved], degree, draws)
    rank = _Independence(known, draws)
    kept: list[Law] = []
    for law in search.laws(known):
        if rank.would_grow(law) and law.check(fields):
            rank.add(law)
            kept.append(law)
    return GeneralLaws(known, tuple(kept), darboux, rank.rank, flow.truncated)


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
        columns = [[w * c for c in cofactor] for cofactor in self.cofactors for w in weights]
        columns += [lie_derivative(monomial, self.fields) for monomial in additions]
        if not self.factors or len(columns) > MOST_UNKNOWNS:
            return []
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
