r"""``laws_on``: polynomials that are conserved on an invariant surface s = 0, though perhaps nowhere else.

Modulo s every polynomial has one remainder by a graded order, of no higher degree. h is a law on the surface when s
divides every $X_i h$: a linear system for the remainders of $X_i m$, m the monomials that are remainders themselves.
Examples: the integral of Goryachev and Chaplygin on M.g = 0, the vector of Runge and Lenz where rho is 1/r.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any, overload

import numpy as np

from clexact.algebra.basis import Vector, short_basis
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields, lie_derivative
from clexact.algebra.linalg import Words, rational_nullspace, roots_through
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Monomial, concatenate, monomials_of_degree
from clexact.flows.dynamics import Given, as_flow
from clexact.laws.darboux import check_listable_fields, value_mod
from clexact.laws.polynomial_laws import check_degree, polynomial_laws
from clexact.laws.result import ConservationLaws

MOST_MONOMIALS = 1500
TRIES = 60  # lines along which a point of the surface is looked for


@dataclass(frozen=True, eq=False)
class SurfaceLaws(Sequence[Polynomial]):
    """All polynomial laws of a degree on an invariant surface, those that hold everywhere first; no constants.

    A sequence of ``Polynomial``. On the surface those that hold everywhere may depend on each other: s may be one.

    Attributes
    ----------
    surface : Polynomial
        s, without multiple factors.
    everywhere : ConservationLaws
        The polynomial laws of the fields, of the same degree.
    further : tuple of Polynomial
        A basis of the laws on the surface modulo the restrictions of those: remainders modulo s.
    multipliers : tuple of tuple of Polynomial
        For each of the further laws, the $k_i$ with $X_i h = k_i s$: the proof.
    independent : int
        Number of functionally independent ones on the surface (on one component of it), proved: the rank of gradients
        modulo a prime at a smooth point, which lifts to a point over the p-adic numbers. 0 where none was found.

    Examples
    --------
    >>> X = VectorFields.from_strings(["x", "y", "z"], [["y", "-x", "z + x*(x^2 + y^2 - 1)"]])
    >>> found = laws_on(X, "x^2 + y^2 - 1", 2)
    >>> list(found.everywhere), found.further, found.independent
    ([Polynomial('x^2 + y^2')], (), 0)
    """

    surface: Polynomial
    everywhere: ConservationLaws
    further: tuple[Polynomial, ...]
    multipliers: tuple[tuple[Polynomial, ...], ...]
    independent: int

    @cached_property
    def _all(self) -> tuple[Polynomial, ...]:
        return (*self.everywhere, *self.further)

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, i: int) -> Polynomial: ...
    @overload
    def __getitem__(self, i: slice) -> list[Polynomial]: ...
    def __getitem__(self, i: int | slice) -> Polynomial | list[Polynomial]:
        return list(self._all[i]) if isinstance(i, slice) else self._all[i]

    def to_json(self) -> str:
        """One JSON object: surface, degree, seed, independent, everywhere, further, multipliers (texts).

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> X = VectorFields.from_strings(["x", "y"], [["y + x*(x^2 + y^2 - 1)", "-x + y*(x^2 + y^2 - 1)"]])
        >>> json.loads(laws_on(X, "x^2 + y^2 - 1", 2).to_json())["further"]
        []
        """
        texts = [[str(k) for k in each] for each in self.multipliers]
        data = {"surface": str(self.surface), "degree": self.everywhere.degree, "seed": self.everywhere.seed}
        laws = {"everywhere": list(map(str, self.everywhere)), "further": list(map(str, self.further))}
        return json.dumps(data | {"independent": self.independent} | laws | {"multipliers": texts})

    def __repr__(self) -> str:
        return f"SurfaceLaws([{', '.join(map(str, self))}] on {self.surface} = 0)"


def laws_on(flow: Given, surface: Polynomial | str, degree: int, *, seed: int = 0) -> SurfaceLaws:
    r"""All polynomials of degree at most ``degree`` that are conserved on an invariant surface s = 0.

    $X_i s = \lambda_i s$ for every field, and $X_i h = k_i s$ with polynomials $k_i$. h is determined up to multiples
    of s and constants.

    Proved: each law, as $X_i h$ is divided by s exactly; that there is no other on the complex surface, by exact null
    spaces: s has no multiple factor, so that it divides all polynomials that vanish there. (A real surface may be
    smaller, as x^2 + y^2 = 0 is, and have more.)

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    surface : Polynomial or str
        s, in the variables of the flow; multiple factors are dropped.
    degree : int
        Of the laws, at most; at least 1.
    seed : int
        Of all random choices.

    Returns
    -------
    SurfaceLaws
        Those that hold everywhere, and further ones.

    Raises
    ------
    TypeError, ValueError
        For a wrong flow, degree or seed, a constant s, one that a field moves, and fields or degrees that are large.

    Examples
    --------
    The problem of Kepler, rho = 1/r, which holds on the surface rho^2 (x^2 + y^2) = 1:

    >>> X = VectorFields.from_strings(["x", "y", "p", "q", "rho"],
    ...     [["p", "q", "-x*rho^3", "-y*rho^3", "-rho^3*(x*p + y*q)"]])
    >>> found = laws_on(X, "rho^2*(x^2 + y^2) - 1", 3)
    >>> print(*found.further, sep="; ")
    x*p*q - y*p^2 + y*rho; x*q^2 - y*p*q - x*rho
    >>> found.independent
    3
    """
    flow = as_flow(flow)
    check_degree(degree)
    check_listable_fields(flow)
    fields, draws = flow.fields, flow.draws(seed)
    s = _squarefree(Polynomial.given(surface, flow.variables))
    for i, moved in enumerate(lie_derivative(s, fields)):
        if moved.quotient(s) is None:
            which = f"field {i + 1}" if len(fields) > 1 else "the field"
            raise ValueError(f"the surface {s} = 0 is not invariant: {which} moves it.")
    if comb(flow.dimension + degree, degree) > MOST_MONOMIALS:
        raise ValueError(
            f"laws on a surface are looked for among at most {MOST_MONOMIALS} monomials, but there are "
            f"{comb(flow.dimension + degree, degree)} of degree at most {degree} in {flow.dimension} variables."
        )
    everywhere = polynomial_laws(flow, degree, seed=seed)
    space = _Remainders(s, degree, fields)
    known = [space.vector(space.remainder(h)) for h in everywhere]
    further = [space.polynomial(v) for v in space.beyond(known, draws)]
    multipliers = []
    for h in further:
        quotients = [moved.quotient(s) for moved in lie_derivative(h, fields)]
        whole = tuple(q for q in quotients if q is not None)
        if len(whole) < len(quotients):
            raise ArithmeticError(f"{h} is no law on the surface: please report this.")
        multipliers.append(whole)
    independent = _independent_on(s, [*everywhere, *further], draws)
    return SurfaceLaws(s, everywhere, tuple(further), tuple(multipliers), independent)


def _squarefree(s: Polynomial) -> Polynomial:
    if s.degree <= 0:
        raise ValueError(f"a surface is where a polynomial that is no constant vanishes, not {s}.")
    product, *others = s.factors()
    for p in others:
        product = product * p
    return product


class _Remainders:
    """Polynomials modulo s by a graded order, and the laws among those of a degree."""

    def __init__(self, s: Polynomial, degree: int, fields: VectorFields) -> None:
        self.s, self.fields = s, fields
        self._leading, self._scale = next(s.items())  # the largest by degree, then as monomials are shown
        found = concatenate([monomials_of_degree(fields.dimension, k) for k in range(1, degree + 1)])
        every = [found.monomial(n) for n in range(len(found))]
        self.monomials = [m for m in every if not self._divides(m)]
        self._place = {m: n for n, m in enumerate(self.monomials)}

    def _divides(self, monomial: Monomial) -> bool:
        powers = dict(monomial)
        return all(powers.get(v, 0) >= k for v, k in self._leading)

    def remainder(self, h: Polynomial) -> Polynomial:
        """h without multiples of the leading monomial of s, equal to it modulo s."""
        while True:
            multiple: dict[Monomial, Any] = {}
            for monomial, c in h.items():
                if self._divides(monomial):
                    powers = dict(monomial)
                    for v, k in self._leading:
                        powers[v] -= k
                    multiple[tuple((v, k) for v, k in sorted(powers.items()) if k)] = c / self._scale
            if not multiple:
                return h
            h = h - Polynomial.from_sparse(h.variables, multiple) * self.s

    def vector(self, h: Polynomial) -> Vector:
        """The coefficients of a remainder, times its denominator; without its constant."""
        return {self._place[m]: int(c * h.denominator) for m, c in h.items() if m}

    def polynomial(self, vector: Vector) -> Polynomial:
        """The reverse of ``vector``; primitive."""
        return Polynomial.from_sparse(self.s.variables, {self.monomials[n]: c for n, c in vector.items()}).primitive

    def laws(self) -> list[Vector]:
        """All whose derivatives have the remainder 0: an exact null space."""
        equations: dict[tuple[int, Monomial], dict[int, Any]] = {}
        for n, m in enumerate(self.monomials):
            alone = Polynomial.from_sparse(self.s.variables, {m: 1})
            for i, moved in enumerate(lie_derivative(alone, self.fields)):
                for monomial, c in self.remainder(moved).items():
                    equations.setdefault((i, monomial), {})[n] = c
        columns = len(self.monomials)
        distinct = {tuple(row.items()): row for row in equations.values()}
        rows = [[row.get(n, 0) for n in range(columns)] for row in distinct.values()]
        basis = rational_nullspace(rows, columns)
        return [{n: c for n, c in enumerate(v) if c} for v in basis]

    def beyond(self, known: list[Vector], draws: Draws) -> list[Vector]:
        """Laws that complete the known ones to a basis of all, short ones first."""
        every = self.laws()
        short = short_basis(every, [], draws)
        prime = draws.prime(61)
        form = Echelon(len(self.monomials), prime)
        for vector in known:
            form.add(_row(vector, len(self.monomials), prime))
        return [v for v in sorted(short, key=_shown_first) if form.add(_row(v, len(self.monomials), prime)).any()]


def _shown_first(vector: Vector) -> tuple[int, int]:
    return max(vector), len(vector)


def _row(vector: Vector, columns: int, prime: int) -> Words:
    return np.array([[vector.get(n, 0) % prime for n in range(columns)]], dtype=np.uint64)


def _independent_on(s: Polynomial, laws: Sequence[Polynomial], draws: Draws) -> int:
    """The rank of the gradients of s and the laws less one, modulo a prime at a smooth point of the surface."""
    D = len(s.variables)
    for _ in range(TRIES):
        prime = draws.prime(61)
        start, direction = draws.residues((2, D), prime).tolist()
        values = [
            value_mod(s, [(a + t * b) % prime for a, b in zip(start, direction, strict=True)], prime)
            for t in range(s.degree + 1)
        ]
        for t in roots_through(values, prime)[:1]:
            point = [(a + t * b) % prime for a, b in zip(start, direction, strict=True)]
            rows = [[value_mod(d, point, prime) for d in h.gradient] for h in (s, *laws)]
            if not any(rows[0]):
                continue
            form = Echelon(D, prime)
            form.add(np.array(rows, dtype=np.uint64))
            return form.rank - 1
    return 0
