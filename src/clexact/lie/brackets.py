r"""Brackets as explicit polynomials, level by level, while they are small: none is made twice, so depth costs nothing.

By Leibniz' rule, $[X, fY] = X(f)\,Y + f\,[X, Y]$: over $\mathbb{Q}(\theta)$, $W_{k+1}$ is spanned by $W_k$ and the
brackets of a basis of $W_0$ with those members of a basis of $W_k$ that are not in $W_{k-1}$. So near a generic point
at most (dim W_0) D brackets are made in all. At a given point f may vanish: there a basis over $\mathbb{Q}$, as fields,
takes the place of both, so that no member of $W_{k+1}$ is missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clexact.algebra.echelon import Echelon
from clexact.algebra.field_span import Span
from clexact.algebra.fields import VectorFields, bracket
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints, concatenate, largest
from clexact.programs.jets import Jets

MIN_PRODUCTS, MAX_PRODUCTS = 2 * 10**4, 4 * 10**6  # of terms, in all brackets of a level: 2^depth times the first
MAX_TERMS, MAX_BITS = 10**6, 512  # of all members together; of their coefficients
MAX_MEMBERS, PRODUCTS_THERE = 40, 5000  # at a given point, where elimination over Q takes most of the time
PIECE = 10**4  # products at a time, about, the terms of their factors counted with them


class TooManyTermsError(Exception):
    """The brackets have too many terms to be made one by one."""


@dataclass(frozen=True, eq=False)
class ExplicitWitness:
    """Independent members of one level; columns (depth + 1, count) of numbers of fields name [X_i, [X_j, ...]]."""

    depth: int
    numbers: Ints

    @property
    def count(self) -> int:
        """How many members."""
        return int(self.numbers.shape[1])


@dataclass(frozen=True, eq=False)
class ExplicitMembers:
    """Fields of one level, with the numbers that name each."""

    fields: VectorFields
    numbers: Ints

    def select(self, chosen: Ints) -> ExplicitMembers:
        """Some of them."""
        return ExplicitMembers(self.fields.select(chosen.tolist()), self.numbers[:, chosen])


class ExplicitBases:
    """Bases of W_0, W_1, ... as explicit fields, and the rank of their values at one point modulo a prime."""

    def __init__(self, fields: VectorFields, point: Words, prime: int, *, generic: bool) -> None:
        self.fields, self.point, self.prime, self.generic = fields, point, prime, generic
        self.form = Echelon(fields.dimension, prime)
        self.witnesses: list[ExplicitWitness] = []
        self._levels: list[ExplicitMembers] = []  # what each level adds to a basis of those before
        self._span = Span()

    @property
    def basis(self) -> VectorFields:
        """What all levels have added."""
        return joined([level.fields for level in self._levels])

    @property
    def complete(self) -> bool:
        """Whether the last level has added nothing: then no further one will."""
        return bool(self._levels) and len(self._levels[-1].fields) == 0

    def grow(self, limit: int) -> None:
        """Add the next level, or what of it makes the rank ``limit``. TooManyTermsError, with what was found kept."""
        depth, kept = len(self._levels), list[ExplicitMembers]()
        for made in self._brackets() if depth else self._fields():
            fresh = self.form.add(values_mod(made.fields, self.point, self.prime))
            if fresh.any():
                self.witnesses.append(ExplicitWitness(depth, made.numbers[:, fresh]))
            kept.append(made.select(np.flatnonzero(fresh) if self.generic else self._independent(made.fields)))
            if self.form.rank >= limit:
                break
        numbers = [np.empty((depth + 1, 0), dtype=np.int64), *(part.numbers for part in kept)]
        fields = joined([self.fields.select([]), *(part.fields for part in kept)])
        self._levels.append(ExplicitMembers(fields.in_lowest_terms(), np.concatenate(numbers, axis=1)))

    def _fields(self) -> Iterator[ExplicitMembers]:
        """The fields of the family, those with few terms first."""
        for chosen in _pieces(np.diff(self.fields.field_starts)):
            yield ExplicitMembers(self.fields.select(chosen.tolist()), chosen[None])

    def _brackets(self) -> Iterator[ExplicitMembers]:
        """Brackets of the basis of W_0 with what the level before has added, those with few products first."""
        outer, inner = self._levels[0], self._levels[-1]
        work = _work(outer.fields, inner.fields)
        if len(self._levels) == 1:
            work = np.triu(work)  # [X, Y] = -[Y, X]
        left = min(MAX_PRODUCTS, MIN_PRODUCTS << len(self._levels))  # as the cost of the same level by jets grows
        left = left if self.generic else PRODUCTS_THERE
        for chosen in _pieces(work.ravel()):
            left -= int(work.ravel()[chosen].sum())
            if left < 0 or sum(len(level.fields.terms) for level in self._levels) > MAX_TERMS:
                raise TooManyTermsError
            i, j = np.divmod(chosen, len(inner.fields))
            made = bracket(outer.fields.select(i.tolist()), inner.fields.select(j.tolist()))
            if largest(made.terms.coef) >> MAX_BITS:
                raise TooManyTermsError
            yield ExplicitMembers(made, np.vstack([outer.numbers[:, i], inner.numbers[:, j]]))

    def _independent(self, fields: VectorFields) -> Ints:
        """Which of the fields are independent over Q, as fields, of all before."""
        chosen = []
        for n, X in enumerate(fields):
            if self._span.add(X):
                chosen.append(n)
            if len(self._span) > MAX_MEMBERS:
                raise TooManyTermsError
        return np.array(chosen, dtype=np.int64)


def joined(families: Sequence[VectorFields]) -> VectorFields:
    """The fields of all families, of which there is one at least."""
    D = families[0].dimension
    first = np.cumsum([0, *map(len, families)]).tolist()
    parts = [X.terms.owned_by(X.terms.owner + n * D) for n, X in zip(first, families, strict=False)]
    return VectorFields._from_checked(
        families[0].variables, concatenate(parts), [q for X in families for q in X.denominators]
    )


def values_mod(fields: VectorFields, point: Words, prime: int) -> Words:
    """Values (fields, D) at a point modulo a prime, each times the denominator of its field."""
    count = len(fields) * fields.dimension
    values = Jets(prime).polynomials(fields.terms, {0: point[None]}, count)[0]
    return values.reshape(len(fields), fields.dimension)


def bracket_products(X: VectorFields, Y: VectorFields) -> Ints:
    """Number of products of terms in [X_i, Y_j], shape (len(X), len(Y)); where it is 0, so is the bracket."""
    return _factors(X) @ _sizes(Y).T + _sizes(X) @ _factors(Y).T


def _work(X: VectorFields, Y: VectorFields) -> Ints:
    """The same with the terms of both, which are copied; 0 where the bracket is 0."""
    products = bracket_products(X, Y)
    return np.where(products > 0, products + np.diff(X.field_starts)[:, None] + np.diff(Y.field_starts), 0)


def _sizes(X: VectorFields) -> Ints:
    """(fields, D): number of terms of each component."""
    return np.bincount(X.terms.owner, minlength=len(X) * X.dimension).reshape(len(X), X.dimension)


def _factors(X: VectorFields) -> Ints:
    """(fields, D): how many terms of the field hold each variable."""
    terms, D = X.terms, X.dimension
    field = np.repeat(terms.owner // max(1, D), np.diff(terms.start))
    return np.bincount(field * D + terms.var, minlength=len(X) * D).reshape(len(X), D)


def _pieces(size: Ints) -> list[Ints]:
    """Numbers of what is not of size 0, smallest first, in pieces of about ``PIECE`` together."""
    order = np.argsort(size, kind="stable")
    order = order[size[order] > 0]
    piece = np.cumsum(size[order]) // PIECE
    return np.split(order, np.flatnonzero(np.diff(piece)) + 1) if len(order) else []
