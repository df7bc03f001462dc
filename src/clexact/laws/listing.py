"""``LawList``: the laws of a flow as ``certify`` lists them: families first, written out only when someone asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from itertools import accumulate
from typing import overload

import numpy as np

from clexact.algebra.linalg import Words
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms, concatenate
from clexact.laws.result import Completeness, ConservationLaws, further, html_texts, independent
from clexact.support.display import MOST_LAWS, Markup, counted, gathered, listed
from clexact.symmetry.families import Family
from clexact.symmetry.folding import folded


@dataclass(frozen=True, eq=False)
class LawList(Sequence["Family | Polynomial"]):
    """Laws of a flow, each proved: families of symmetry first, then polynomials that belong to no family.

    A sequence of ``Family`` and ``Polynomial``. ``polynomials()`` is the flat list of all of them.

    Attributes
    ----------
    families : tuple of Family
        Each confirmed at random residues.
    others : ConservationLaws
        The polynomials that belong to none, with what is known of their completeness.
    dependent : int
        How many polynomials, functions of these by their gradients at a point, are left out.

    Examples
    --------
    >>> import clexact
    >>> laws = clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 3, 2]))).laws
    >>> print(len(laws), laws.size, laws[0])
    1 6 U1ᵀU1 − U2U2ᵀ  (i ≤ j < 3)
    >>> print(laws.polynomials()[0])
    U1[0,0]^2 + U1[1,0]^2 - U2[0,0]^2 - U2[0,1]^2
    """

    families: tuple[Family, ...]
    others: ConservationLaws
    dependent: int = 0

    @property
    def variables(self) -> tuple[str, ...]:
        """Those of the flow."""
        return self.others.variables

    @property
    def parameters(self) -> tuple[str, ...]:
        """The last variables, where these are parameters."""
        return self.others.parameters

    @property
    def degree(self) -> int:
        """Of the laws, at most."""
        return self.others.degree

    @property
    def completeness(self) -> Completeness:
        """Whether there can be other polynomial laws of this degree."""
        return self.others.completeness

    @property
    def complete(self) -> bool:
        """Whether these, and those left out, span all polynomial laws of this degree, as is proved."""
        return self.others.complete

    @property
    def known(self) -> str:
        """The completeness as a sentence, with what it assumes of gates."""
        left_out = f"; {self.dependent} that depend on others are not listed" if self.dependent else ""
        return self.others.known + left_out

    def __len__(self) -> int:
        return len(self.families) + len(self.others)

    @overload
    def __getitem__(self, i: int) -> Family | Polynomial: ...
    @overload
    def __getitem__(self, i: slice) -> list[Family | Polynomial]: ...
    def __getitem__(self, i: int | slice) -> Family | Polynomial | list[Family | Polynomial]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        count = len(self.families)
        return self.families[i] if i < count else self.others[i - count]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LawList):
            return NotImplemented
        return self.families == other.families and self.others == other.others

    __hash__ = None  # type: ignore[assignment]

    # -- as polynomials -------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many polynomials they are: the length of ``polynomials()``."""
        return self.first[-1] + len(self.others)

    @cached_property
    def first(self) -> list[int]:
        """For each family the number of its first polynomial, and that of the first that belongs to none."""
        return list(accumulate((family.size for family in self.families), initial=0))

    def packed(self, first: int, last: int) -> Terms:
        """The polynomials first, ..., last - 1 as packed terms; others are not written out.

        Parameters
        ----------
        first : int
            The number of a polynomial, from 0.
        last : int
            At most ``size``.

        Returns
        -------
        Terms
            Owned by the numbers of the polynomials.

        Examples
        --------
        >>> import clexact
        >>> laws = clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 3, 2]))).laws
        >>> len(laws.packed(0, 1)), len(laws.packed(0, 6))
        (4, 24)
        """
        parts = []
        for family, start in zip(self.families, self.first, strict=False):
            a, b = max(first - start, 0), min(last - start, family.size)
            if a < b:
                terms = family.expanded(a, b)
                parts.append(terms.owned_by(terms.owner + start + a))
        start = self.first[-1]
        if last > start:
            terms = self.others.packed(max(first - start, 0), last - start)
            parts.append(terms.owned_by(terms.owner + start))
        return concatenate(parts)

    def polynomials(self) -> ConservationLaws:
        """All numbers of all laws as polynomials, in order: families written out, then the others.

        Returns
        -------
        ConservationLaws
            As many as ``size``.

        Examples
        --------
        >>> import clexact
        >>> print(*clexact.certify(clexact.gradient_flow(clexact.models.product(3))).laws.polynomials(), sep=", ")
        x[0]^2 - x[1]^2, x[1]^2 - x[2]^2
        """
        return self._polynomials

    @cached_property
    def _polynomials(self) -> ConservationLaws:
        return replace(self.others, terms=self.packed(0, self.size)) if self.families else self.others

    def beside(self, found: ConservationLaws) -> LawList:
        """These families, and of polynomial laws found otherwise those that are no combinations of their numbers.

        Parameters
        ----------
        found : ConservationLaws
            Laws of the same flow.

        Returns
        -------
        LawList
            With their completeness.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.diagonal(2))
        >>> laws = clexact.certify(flow).laws
        >>> laws.beside(clexact.polynomial_laws(flow, 2)) == laws
        True
        """
        if not self.families:
            return LawList((), found)
        fresh = further(self.packed(0, self.first[-1]), found)
        kept, number = found.terms.take(np.flatnonzero(fresh[found.terms.owner])), np.cumsum(fresh) - 1
        return LawList(self.families, replace(found, terms=kept.owned_by(number[kept.owner])))

    def simplest(self, point: Words, prime: int) -> tuple[int, ...]:
        """Numbers of polynomials with independent gradients at a point mod p, of lowest degree and fewest terms first.

        Parameters
        ----------
        point : numpy.ndarray
            Residues, of shape (D,).
        prime : int
            The prime.

        Returns
        -------
        tuple of int
            In increasing order.

        Examples
        --------
        >>> import clexact, numpy as np
        >>> laws = clexact.certify(clexact.gradient_flow(clexact.models.product(3))).laws
        >>> laws.simplest(np.array([2, 3, 5], dtype=np.uint64), 101)
        (0, 1)
        """
        terms = self.packed(0, self.size)
        degree = np.zeros(self.size, dtype=np.int64)
        np.maximum.at(degree, terms.owner, terms.degrees())
        order = np.lexsort((np.bincount(terms.owner, minlength=self.size), degree))
        ordered = terms.owned_by(np.argsort(order, kind="stable")[terms.owner]).canonical()
        return tuple(sorted(order[list(independent(replace(self.others, terms=ordered), point, prime))].tolist()))

    def only(self, numbers: Sequence[int]) -> tuple[LawList, tuple[int, ...]]:
        """The families with some of these polynomials, and of the others these alone; and their numbers there.

        Of a linear family only a part of which is among them, that part is written out.

        Parameters
        ----------
        numbers : sequence of int
            Of polynomials, in increasing order.

        Returns
        -------
        LawList
            It says how many are left out.
        tuple of int
            The numbers of the same polynomials in it.

        Examples
        --------
        >>> import clexact
        >>> laws = clexact.certify(clexact.gradient_flow(clexact.models.product(3))).laws
        >>> laws.only([0, 1]) == (laws, (0, 1))
        True
        """
        kept, renumbered, alone, first = list[Family](), list[int](), list[int](), 0
        chosen = np.array(numbers, dtype=np.int64)
        for family, a, b in zip(self.families, self.first, self.first[1:], strict=False):
            here = chosen[(a <= chosen) & (chosen < b)]
            if family.degree == 1 and len(here) < family.size:
                alone += here.tolist()
            elif len(here):
                kept.append(family)
                renumbered += (here - a + first).tolist()
                first += family.size
        alone += chosen[chosen >= self.first[-1]].tolist()
        parts = [self.packed(n, n + 1) for n in alone]
        terms = concatenate([part.owned_by(0 * part.owner + n) for n, part in enumerate(parts)])
        made = LawList(tuple(kept), replace(self.others, terms=terms.canonical()))
        return replace(made, dependent=self.dependent + self.size - made.size), (
            *renumbered,
            *range(first, made.size),
        )

    # -- as text --------------------------------------------------------------------------------------------------

    def written(self) -> list[str]:
        """The laws as text in ASCII, one for each: formulas of families with their indices, then polynomials.

        Returns
        -------
        list of str
            As many as the laws.

        Examples
        --------
        >>> import clexact
        >>> clexact.certify(clexact.gradient_flow(clexact.models.relu([2, 3, 2]))).laws.written()
        ['|U1[:,i]|^2 - |U2[i]|^2  (i < 3)']
        """
        return [family.plain for family in self.families] + self.others.written()

    def lines(self, plain: bool = False) -> list[str]:
        """The laws as a person writes them, repeated blocks in one line.

        Parameters
        ----------
        plain : bool
            Whether in ASCII.

        Returns
        -------
        list of str
            At most as many as the laws.

        Examples
        --------
        >>> import clexact
        >>> print(*clexact.certify(clexact.gradient_flow(clexact.models.linear([2] * 6))).laws.lines(), sep=", ")
        U_kᵀU_k − U_(k+1)U_(k+1)ᵀ  (i ≤ j < 2) for k = 1, ..., 4
        """
        folds = folded(self.families)
        return [fold.plain if plain else str(fold) for fold in folds] + self.others.written()

    def to_latex(self, most: int | None = None) -> list[str]:
        """The laws as LaTeX.

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
        >>> clexact.certify(clexact.gradient_flow(clexact.models.linear([1, 2, 1]))).laws.to_latex()
        ['U_{1}^\\\\top\\\\,U_{1} - U_{2}\\\\,U_{2}^\\\\top']
        """
        texts = [family.latex for family in self.families[:most]]
        return texts + self.others.to_latex(None if most is None else most - len(texts))

    def to_html(self, most: int = MOST_LAWS) -> Markup:
        """The first laws as a table in HTML, repeated blocks in one line; long polynomials are cut.

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
        >>> "U1ᵀU1 − U2U2ᵀ" in clexact.certify(clexact.gradient_flow(clexact.models.linear([1, 2, 1]))).laws.to_html()
        True
        """
        folds, total = folded(self.families), len(self)
        texts = [escape(str(fold)) for fold in folds][:most] + html_texts(self.others, max(0, most - len(folds)))
        numbers = [*(fold.first for fold in folds), *range(len(self.families), total)]
        return listed(texts, len(numbers), numbers)

    def _repr_latex_(self) -> str:
        return gathered(self.to_latex(MOST_LAWS), len(self), "no polynomial law")

    def _repr_html_(self) -> str:
        headline = f"{counted(len(self), 'law')} of degree at most {self.degree}: {counted(self.size, 'polynomial')}"
        return f"<div><b>{headline}</b>{self.to_html()}{self.known}</div>"

    def __repr__(self) -> str:
        lines = self.lines()
        return f"LawList([{', '.join(lines[:6])}{', ...' * (len(lines) > 6)}])"
