"""Polynomial laws as a result: a sequence in display order, which of them are independent, whether there are more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from clexact._kernels.sparse import SparseForm
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.linalg import Words, rational_rank, residues
from clexact.algebra.polynomial import Polynomial, html_name, latex_name
from clexact.algebra.terms import Ints, Terms, ranges, starts
from clexact.programs.gates import qualification
from clexact.programs.jets import Jets
from clexact.programs.sparse_jets import Part, compressed
from clexact.support.digest import digest
from clexact.support.display import MOST_LAWS, MOST_TERMS, Markup, gathered, listed

if TYPE_CHECKING:
    import sympy

MOST_ENTRIES = 2 * 10**8  # of a sparse echelon form
LAW_BLOCK = 256  # laws whose gradients are reduced at a time


class Completeness(Enum):
    """Whether the laws given are all polynomial laws of their degree; the value is the sentence a user reads.

    Examples
    --------
    >>> print(Completeness.PROVED.value)
    these are all polynomial laws of this degree: as many as the nullity modulo a prime
    """

    PROVED = "these are all polynomial laws of this degree: as many as the nullity modulo a prime"
    POWERS = "these are all polynomial laws of this degree with the powers of the clock searched: there may be others"
    OPEN = "these laws are proved, but the search for others was too large to make: there may be more"


@dataclass(frozen=True, eq=False)
class ConservationLaws(Sequence[Polynomial]):
    """Linearly independent polynomial laws, each proved exactly: primitive integers, positive leading coefficient.

    A sequence of ``Polynomial``, lowest degree first.

    Attributes
    ----------
    variables : tuple of str
        Those of the flow.
    degree : int
        Of the laws, at most.
    homogeneous : bool
        Whether only laws of exactly that degree were looked for.
    completeness : Completeness
        Whether there can be others of this degree.
    seed : int
        Of the random primes and points.
    terms : Terms
        The terms of all laws, canonical, owned by the number of the law.
    exponentials : mapping of str to Fraction
        {variable: r}: it stands for e^(r t).
    scope : str
        Of which data and starts, and of which gates, the completeness speaks.
    parameters : tuple of str
        The last variables, where these are parameters: the laws have coefficients in Q(parameters).

    Examples
    --------
    >>> import clexact
    >>> laws = clexact.polynomial_laws(clexact.gradient_flow(clexact.models.product(3)), 2)
    >>> print(laws[0], laws.complete, laws.independent)
    x[0]^2 - x[1]^2 True (0, 1)
    """

    variables: tuple[str, ...]
    degree: int
    homogeneous: bool
    completeness: Completeness
    seed: int
    terms: Terms  # canonical, owned by the number of the law
    exponentials: Mapping[str, Fraction] = field(default_factory=dict)  # {variable: r}: it stands for e^(r t)
    scope: str = ""  # of which data and starts, and of which gates, the completeness speaks
    parameters: tuple[str, ...] = ()  # the last variables, where these are parameters

    @cached_property
    def _start(self) -> Ints:
        return starts(self.terms.owner, int(self.terms.owner.max(initial=-1)) + 1)

    def __len__(self) -> int:
        return len(self._start) - 1

    @property
    def size(self) -> int:
        """How many polynomials they are."""
        return len(self)

    @overload
    def __getitem__(self, i: int) -> Polynomial: ...
    @overload
    def __getitem__(self, i: slice) -> list[Polynomial]: ...
    def __getitem__(self, i: int | slice) -> Polynomial | list[Polynomial]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        return Polynomial._from_checked(self.variables, self.packed(i, i + 1).owned_by(0))

    def packed(self, first: int, last: int) -> Terms:
        """The terms of the laws first, ..., last - 1.

        Parameters
        ----------
        first : int
            The number of a law, from 0.
        last : int
            At most the number of laws.

        Returns
        -------
        Terms
            Owned by the numbers of the laws.

        Examples
        --------
        >>> import clexact
        >>> laws = clexact.polynomial_laws(clexact.gradient_flow(clexact.models.product(3)), 2)
        >>> len(laws.packed(0, 1)), len(laws.packed(0, 2))
        (2, 4)
        """
        return self.terms.take(np.arange(self._start[first], self._start[last]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConservationLaws):
            return NotImplemented
        return self.variables == other.variables and self.degree == other.degree and self.terms == other.terms

    __hash__ = None  # type: ignore[assignment]

    @property
    def complete(self) -> bool:
        """Whether these are proved to be all polynomial laws of this degree."""
        return self.completeness is Completeness.PROVED

    @property
    def known(self) -> str:
        """The completeness as a sentence, with what it assumes of gates."""
        free = qualification(self.scope)
        if self.parameters:
            return f"{self.completeness.value}, with coefficients in Q({', '.join(self.parameters)})"
        return self.completeness.value + (f",{free}" if free else "")

    @cached_property
    def independent(self) -> tuple[int, ...]:
        """Numbers of laws that are functionally independent (gradients independent at a point), lowest degree first.

        Proved independent; that no other one is independent of them is the generic case (the point is random).
        """
        draws = Draws(self.seed, digest(*self.terms.arrays))
        prime = draws.prime(61)
        return independent(self, draws.residues((len(self.variables),), prime), prime)

    def written(self) -> list[str]:
        """The laws as text, with e^(r*t) in place of a variable that stands for it.

        Returns
        -------
        list of str
            One for each.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.product(2), weight_decay=1)
        >>> laws = clexact.polynomial_laws(flow, 2)
        >>> str(laws[0]), laws.written()[0]
        ('s^2*x[0]^2 - s^2*x[1]^2', 'e^(2*t)*x[0]^2 - e^(2*t)*x[1]^2')
        """
        if self.parameters:
            return [str(_parameters_first(h, len(self.parameters))) for h in self]
        return [with_exponentials(str(h), self.exponentials, r"\^(\d+)", "e^({}*t)") for h in self]

    def to_sympy(self) -> list[sympy.Expr]:
        """The laws as SymPy expressions.

        Returns
        -------
        list of sympy.Expr
            One for each.

        Examples
        --------
        >>> import clexact
        >>> clexact.polynomial_laws(clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]]), 2).to_sympy()
        [x**2 - y**2]
        """
        return [h.to_sympy() for h in self]

    def to_json(self) -> str:
        """One JSON object: degree, homogeneous, complete, seed, scope, variables, laws (strings).

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> laws = clexact.polynomial_laws(clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]]), 2)
        >>> json.loads(laws.to_json())["laws"]
        ['x^2 - y^2']
        """
        keys = {"degree": self.degree, "homogeneous": self.homogeneous, "complete": self.complete, "seed": self.seed}
        data = {"scope": self.scope, "variables": self.variables, "laws": [str(h) for h in self]}
        return json.dumps(keys | data)

    def to_latex(self, most: int | None = None) -> list[str]:
        """The laws as LaTeX, with e^(r t) in place of a variable that stands for it.

        Parameters
        ----------
        most : int, optional
            How many, the first ones; default all.

        Returns
        -------
        list of str
            One for each, without dollar signs.

        Examples
        --------
        >>> import clexact
        >>> clexact.polynomial_laws(clexact.gradient_flow(clexact.models.product(3)), 2).to_latex(1)
        ['x_{0}^{2} - x_{1}^{2}']
        """
        rates = {latex_name(name): rate for name, rate in self.exponentials.items()}
        return [with_exponentials(h.to_latex(), rates, r"\^\{(\d+)\}", r"e^{{{} t}}") for h in self[:most]]

    def to_html(self, most: int = MOST_LAWS) -> Markup:
        """The first laws as a table in HTML, with e^(r t) in place of a variable that stands for it; long ones are cut.

        Parameters
        ----------
        most : int
            How many.

        Returns
        -------
        Markup
            The source of the table.

        Examples
        --------
        >>> import clexact
        >>> laws = clexact.polynomial_laws(clexact.gradient_flow(clexact.models.product(3)), 2)
        >>> "<i>x</i><sub>0</sub><sup>2</sup>" in laws.to_html()
        True
        """
        return listed(html_texts(self, most), len(self))

    def _repr_latex_(self) -> str:
        return gathered(self.to_latex(MOST_LAWS), len(self), "no polynomial law")

    def _repr_html_(self) -> str:
        degree = f"degree {self.degree}" if self.homogeneous else f"degree at most {self.degree}"
        headline = f"{len(self)} polynomial law{'s' * (len(self) != 1)} of {degree}"
        return f"<div><b>{headline}</b>{self.to_html()}{self.known}</div>"

    def __repr__(self) -> str:
        shown = ", ".join(str(h) for h in self[:6]) + (", ..." if len(self) > 6 else "")
        return f"ConservationLaws([{shown}])"


def _parameters_first(h: Polynomial, count: int) -> Polynomial:
    """The same polynomial with its last variables first, as coefficients are written."""
    names, states = h.variables, len(h.variables) - count
    moved = {tuple(sorted(((v + count) % len(names), k) for v, k in m)): c for m, c in h.items()}
    return Polynomial.from_sparse((*names[states:], *names[:states]), moved)


def html_texts(laws: ConservationLaws, most: int) -> list[str]:
    """The first laws in HTML; long ones are cut."""
    rates, power = {html_name(name): rate for name, rate in laws.exponentials.items()}, r"<sup>(\d+)</sup>"
    return [with_exponentials(h.to_html(MOST_TERMS), rates, power, "<i>e</i><sup>{} t</sup>") for h in laws[:most]]


def with_exponentials(text: str, rates: Mapping[str, Fraction], power: str, shown: str) -> str:
    """A law with e^(k*r*t) in place of s^k; ``power`` is the pattern of ^k, ``shown`` has a place for k*r."""
    for name, rate in rates.items():
        for match in reversed(list(re.finditer(rf"(?<![\w'\\]){re.escape(name)}(?:{power})?(?![\w'\[])", text))):
            value = shown.format(int(match[1] or 1) * rate)
            text = text[: match.start()] + value + text[match.end() :]
    return text


def without(terms: Terms, owners: Ints) -> Terms:
    """The terms of all other laws."""
    return terms.take(np.flatnonzero(~np.isin(terms.owner, owners))) if len(owners) else terms


def _display_ranks(terms: Terms) -> Ints:
    """A number for each term, smaller for what is shown first: higher degree, then x_0 x_0 before x_0 x_1 before ..."""
    degree = terms.degrees()
    most, size = int(degree.max(initial=0)), int(terms.var.max(initial=0)) + 1
    row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
    row, var = np.repeat(row, terms.power), np.repeat(terms.var.astype(np.int64), terms.power)
    place = np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree)
    written = np.zeros((most, len(terms)), dtype=np.int64)
    written[place, row] = var
    if (most + 1) * size**most < 2**63:  # as one number to the base ``size``
        number = most - degree
        for column in written:
            number = number * size + column
        return np.asarray(number)
    ranks = np.empty(len(terms), dtype=np.int64)
    ranks[np.lexsort((*written[::-1], -degree))] = np.arange(len(terms))
    return ranks


def _leading(terms: Terms) -> tuple[Ints, Ints]:
    """(laws, the term of each that is shown first); canonical terms."""
    laws, first = np.unique(terms.owner, return_index=True)
    if not len(laws):
        return laws, first
    ranks = _display_ranks(terms)
    smallest = np.minimum.reduceat(ranks, first)
    length = np.diff(np.append(first, len(terms)))
    return laws, np.flatnonzero(ranks == np.repeat(smallest, length))


def positive(terms: Terms) -> Terms:
    """Laws with positive leading coefficients."""
    laws, leading = _leading(terms)
    sign = np.where(terms.coef[leading] > 0, 1, -1)
    return terms.scaled(sign[np.searchsorted(laws, terms.owner)]) if len(laws) else terms


def arranged(terms: Terms) -> Terms:
    """Laws numbered anew in display order: lowest degree first."""
    laws, leading = _leading(terms)
    if not len(laws):
        return terms
    degree = terms.degrees()[leading]
    order = np.lexsort((_display_ranks(terms)[leading], degree))
    if (order == np.arange(len(laws))).all() and laws[-1] == len(laws) - 1:
        return terms
    number, member = ranges(np.append(np.unique(terms.owner, return_index=True)[1], len(terms)), order)
    return terms.take(member).owned_by(number)


def spans(laws: ConservationLaws, h: Polynomial) -> bool:
    """Whether h is a linear combination of the laws, over Q, and a constant."""
    varying = h.terms.take(np.flatnonzero(h.terms.degrees()))
    columns = {key: n for n, key in enumerate(sorted({*laws.terms.hashes().tolist(), *varying.hashes().tolist()}))}
    rows = [[Fraction(0)] * len(columns) for _ in range(len(laws) + 1)]
    for terms, first in ((laws.terms, 0), (varying, len(laws))):
        for owner, key, c in zip(terms.owner.tolist(), terms.hashes().tolist(), terms.coef.tolist(), strict=True):
            rows[first + owner][columns[key]] = Fraction(c)
    return rational_rank(rows) == rational_rank(rows[:-1])


def further(known: Terms, found: ConservationLaws) -> NDArray[np.bool_]:
    """Which of the laws found raise the rank, as polynomials, of those known (packed) and of the ones before them."""
    monomials, column = np.unique(np.concatenate([known.hashes(), found.terms.hashes()]), return_inverse=True)
    prime = Draws(found.seed, digest(*known.arrays, *found.terms.arrays)).prime(61)
    form, parts = SparseForm(len(monomials), prime), []
    for terms, columns in ((known, column[: len(known)]), (found.terms, column[len(known) :])):
        rows = Part((len(monomials),), terms.owner, columns.astype(np.int64), residues(terms.coef, prime))
        start, place, value, _ = compressed(rows, count := int(terms.owner.max(initial=-1)) + 1)
        parts.append(form.add(start, place, value, np.arange(count), MOST_ENTRIES))
    return parts[1]


class Packed(Protocol):
    """Laws that are written out some at a time."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Those of the flow."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The last ones, which are constants."""

    @property
    def size(self) -> int:
        """How many polynomials they are."""

    def packed(self, first: int, last: int) -> Terms:
        """The terms of some, owned by their numbers."""


def independent(laws: Packed, point: Words, prime: int) -> tuple[int, ...]:
    """Numbers of the first laws whose gradients at the point are linearly independent mod p (so also over Q)."""
    return tuple(n for block in independent_blocks(laws, point, prime) for n in block)


def independent_blocks(laws: Packed, point: Words, prime: int) -> Iterator[list[int]]:
    """As ``independent``, some hundred laws at a time, so that a long run can be stopped with what it has."""
    ring, D = Jets(prime), len(laws.variables)
    states = D - len(laws.parameters)
    form = Echelon(states, prime)
    for first in range(0, laws.size, LAW_BLOCK):
        last = min(first + LAW_BLOCK, laws.size)
        partial, variable = laws.packed(first, last).partials()
        owned = partial.owned_by((partial.owner - first) * D + variable)
        gradients = ring.polynomials(owned, {0: point[None]}, (last - first) * D)[0]
        fresh = form.add(np.ascontiguousarray(gradients.reshape(last - first, D)[:, :states]))
        yield (first + np.flatnonzero(fresh)).tolist()


def sparse_gradients(laws: ConservationLaws, point: Words, prime: int) -> Part:
    """The gradients at a sparse point: only terms that do not vanish there are touched."""
    terms, D = laws.terms, len(laws.variables)
    dead = np.concatenate([[0], np.cumsum(point[terms.var] == 0)])
    few = np.flatnonzero(dead[terms.start[1:]] - dead[terms.start[:-1]] <= 1)
    partial, variable = terms.take(few).partials()
    values = Jets(prime).monomials(partial, {0: point[None]})[0][0]
    values = linalg.multiply(values, residues(partial.coef, prime), prime)
    return Part((D,), partial.owner, variable.astype(np.int64), values)
