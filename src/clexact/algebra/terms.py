"""Lists of sparse polynomials in packed arrays: the one representation that everything exact shares.

A term is ``coef * x^monomial`` and belongs to the polynomial number ``owner``. Monomials are rows of sorted
(variable, power) pairs, so their size does not depend on the number of variables. Coefficients are int64 while a
bound computed beforehand shows that they fit, and Python numbers otherwise; no operation can overflow silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels import monomials as kernel

Ints = NDArray[np.int64]
Coefs = NDArray[Any]  # int64, or object holding int or Fraction
Monomial = tuple[tuple[int, int], ...]  # ((variable, power), ...), variables increasing

INT64_MAX = 2**63 - 1
MAX_POWER = 2**31 - 1


def pack_coefs(values: Sequence[Any]) -> Coefs:
    """Return the numbers as int64 if they all fit, as objects otherwise."""
    if all(type(v) is int and -INT64_MAX <= v <= INT64_MAX for v in values):
        return np.array(values, dtype=np.int64)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def largest(coefs: Coefs) -> Any:
    """Return max |c| as a Python number, 0 for none."""
    if len(coefs) == 0:
        return 0
    return max(abs(c) for c in coefs) if coefs.dtype == object else max(int(coefs.max()), -int(coefs.min()))


def widened(coefs: Coefs, bound: Any) -> Coefs:
    """Return the coefficients in a type in which numbers up to ``bound`` cannot overflow."""
    return coefs.astype(object) if coefs.dtype != object and bound > INT64_MAX else coefs


def ranges(start: Ints, index: Ints) -> tuple[Ints, Ints]:
    """List the members of the segments ``index``: returns (position in ``index``, member) for each.

    Segment s holds the members start[s], ..., start[s + 1] - 1.
    """
    first, count = start[index], start[index + 1] - start[index]
    position = np.repeat(np.arange(len(index)), count)
    ends = np.cumsum(count)
    return position, np.arange(len(position)) - np.repeat(ends - count, count) + np.repeat(first, count)


def starts(sorted_labels: Ints, count: int) -> Ints:
    """Return the (count + 1,) starts of the segments of equal labels 0, ..., count - 1."""
    found = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(sorted_labels, minlength=count), out=found[1:])
    return found


@dataclass(frozen=True, eq=False)
class Terms:
    """Packed terms. ``canonical()`` sorts them by owner, merges equal monomials and drops zeros."""

    owner: Ints  # (T,)
    coef: Coefs  # (T,)
    start: Ints  # (T + 1,) row t of the monomials is start[t]:start[t + 1]
    var: NDArray[np.int32]
    power: NDArray[np.int32]

    @classmethod
    def from_monomials(cls, owner: Sequence[int], coef: Sequence[Any], monomials: Sequence[Monomial]) -> Terms:
        """Pack Python terms; the result is canonical."""
        start = np.zeros(len(monomials) + 1, dtype=np.int64)
        np.cumsum([len(m) for m in monomials], out=start[1:])
        if any(k > MAX_POWER for m in monomials for _, k in m):
            raise OverflowError("a power exceeds 2^31 - 1, the largest that clexact handles.")
        pairs = np.array([pair for m in monomials for pair in m], dtype=np.int64).reshape(-1, 2)
        var, power = pairs.astype(np.int32).T
        owners = np.asarray(owner, dtype=np.int64).reshape(len(monomials))
        return cls(owners, pack_coefs(list(coef)), start, var.copy(), power.copy()).canonical()

    @classmethod
    def variables(cls, first: int, count: int) -> Terms:
        """The polynomials x_first, ..., x_{first + count - 1}, owned by 0, ..., count - 1."""
        ones = np.ones(count, dtype=np.int32)
        var = np.arange(first, first + count, dtype=np.int32)
        return cls(np.arange(count), np.ones(count, dtype=np.int64), np.arange(count + 1), var, ones)

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def rows(self) -> tuple[Ints, NDArray[np.int32], NDArray[np.int32]]:
        """The monomials, as the kernels take them."""
        return self.start, self.var, self.power

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All of it."""
        return self.owner, self.coef, *self.rows

    def hashes(self) -> NDArray[np.uint64]:
        """Additive hash of each monomial: hash(a b) = hash(a) + hash(b) mod 2^64."""
        return kernel.hashes(*self.rows)

    def monomial(self, t: int) -> Monomial:
        """Monomial of term t as Python pairs."""
        row = slice(self.start[t], self.start[t + 1])
        return tuple(zip(self.var[row].tolist(), self.power[row].tolist(), strict=True))

    def degrees(self) -> Ints:
        """Total degree of each term."""
        sums = np.concatenate([[0], np.cumsum(self.power, dtype=np.int64)])
        return np.asarray(sums[self.start[1:]] - sums[self.start[:-1]])

    def take(self, index: Ints) -> Terms:
        """The terms named by ``index``, in that order."""
        return Terms(self.owner[index], self.coef[index], *kernel.take(*self.rows, index))

    def owned_by(self, owner: Ints | int) -> Terms:
        """The same terms with new owners: one for each, or one for all."""
        return Terms(np.broadcast_to(np.asarray(owner, dtype=np.int64), len(self)).copy(), self.coef, *self.rows)

    def shifted(self, by: int) -> Terms:
        """The same terms in variables numbered higher by ``by``."""
        return Terms(self.owner, self.coef, self.start, (self.var + by).astype(np.int32), self.power)

    def scaled(self, factor: Any) -> Terms:
        """Multiply every coefficient by ``factor`` (a number, or one for each term)."""
        bound = max(1, largest(self.coef)) * (largest(factor) if isinstance(factor, np.ndarray) else abs(factor))
        return Terms(self.owner, widened(self.coef, bound) * factor, *self.rows)

    def segments(self, count: int) -> Ints:
        """Starts of the terms of the owners 0, ..., count - 1; canonical terms only."""
        return starts(self.owner, count)

    def split(self, count: int) -> list[Terms]:
        """The polynomials 0, ..., count - 1, each owned by 0; canonical terms only."""
        first = self.segments(count)
        return [self.take(np.arange(first[n], first[n + 1])).owned_by(0) for n in range(count)]

    def canonical(self) -> Terms:
        """Sort by (owner, monomial), merge equal monomials, drop zeros.

        Monomials are ordered by hash; equal hashes are compared in full, and if two different monomials of one owner
        ever collide, the terms are sorted by the monomials themselves.
        """
        hashes = self.hashes()
        order = np.lexsort((hashes, self.owner))
        owner, hashes = self.owner[order], hashes[order]
        same = (owner[1:] == owner[:-1]) & (hashes[1:] == hashes[:-1])
        pairs = np.flatnonzero(same)
        if not kernel.equal_pairs(*self.rows, order[pairs], order[pairs + 1]).all():
            order = np.array(sorted(range(len(self)), key=lambda t: (self.owner[t], self.monomial(t))), dtype=np.int64)
            owner = self.owner[order]
            same = (owner[1:] == owner[:-1]) & kernel.equal_pairs(*self.rows, order[:-1], order[1:])
        first = np.flatnonzero(np.concatenate([np.ones(min(1, len(self)), dtype=bool), ~same]))
        coef = widened(self.coef, largest(self.coef) * len(self))[order]
        if len(first):
            coef = np.add.reduceat(coef, first)
        kept = coef != 0
        if len(kept) == len(order) and kept.all():
            return self._ordered(coef, order)
        return self._ordered(coef[kept], order[first[kept]])

    def _ordered(self, coef: Coefs, index: Ints) -> Terms:
        if coef.dtype == object and largest(coef) <= INT64_MAX and all(type(c) is int for c in coef):
            coef = coef.astype(np.int64)
        return Terms(self.owner[index], coef, *kernel.take(*self.rows, index))

    def times(self, other: Terms, mine: Ints, theirs: Ints) -> Terms:
        """Products of the listed pairs of terms, owned by the owner of mine; not canonical."""
        bound = largest(self.coef) * largest(other.coef)
        coef = widened(self.coef[mine], bound) * widened(other.coef[theirs], bound)
        return Terms(self.owner[mine], coef, *kernel.products(*self.rows, *other.rows, mine, theirs))

    def partials(self) -> tuple[Terms, Ints]:
        """All partial derivatives of all terms, with the variable of each; owners stay, not canonical."""
        source, variable, factor, rows = kernel.partials(*self.rows)
        coef = widened(self.coef, largest(self.coef) * largest(factor))[source] * factor
        return Terms(self.owner[source], coef, *rows), variable

    def __eq__(self, other: object) -> bool:
        """Equality of canonical terms. Where hashes collided, equal terms may stand in another order."""
        if not isinstance(other, Terms):
            return NotImplemented
        mine: list[NDArray[Any]] = [self.owner, self.coef, *self.rows]
        theirs: list[NDArray[Any]] = [other.owner, other.coef, *other.rows]
        if all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)):
            return True
        return len(self) == len(other) and len(concatenate([self, other.scaled(-1)]).canonical()) == 0

    __hash__ = None  # type: ignore[assignment]


EMPTY = Terms.variables(0, 0)


def concatenate(parts: Sequence[Terms]) -> Terms:
    """All terms of all parts, in order; not canonical."""
    if not parts:
        return EMPTY
    shifts = np.cumsum([0] + [len(part.var) for part in parts])
    start = [part.start[:-1] + shift for part, shift in zip(parts, shifts, strict=False)] + [shifts[-1:]]
    coefs = [part.coef for part in parts]
    if any(coef.dtype == object for coef in coefs):
        coefs = [coef.astype(object) for coef in coefs]
    return Terms(
        np.concatenate([part.owner for part in parts]),
        np.concatenate(coefs),
        np.concatenate(start).astype(np.int64),
        np.concatenate([part.var for part in parts]),
        np.concatenate([part.power for part in parts]),
    )


def sum_of_products(a: Terms, b: Terms, a_count: int, b_count: int, ia: Ints, ib: Ints, out: Ints) -> Terms:
    """The polynomials sum over l with out[l] = k of a[ia[l]] * b[ib[l]], for every k; a and b canonical.

    All of matrix products, elementwise products and Lie derivatives are this, for some lists of pairs.
    """
    pair, mine = ranges(a.segments(a_count), ia)
    deeper, theirs = ranges(b.segments(b_count), ib[pair])
    pair, mine = pair[deeper], mine[deeper]
    return a.times(b, mine, theirs).owned_by(out[pair]).canonical()


def monomials_of_degree(variables: int, degree: int) -> Terms:
    """All monomials of one degree in display order, as packed terms owned by 0."""
    index = np.empty((1, 0), dtype=np.int64)  # rows of non-decreasing variables
    for _ in range(degree):
        last = index[:, -1] if index.shape[1] else np.zeros(1, dtype=np.int64)
        count = variables - last
        row = np.repeat(np.arange(len(index)), count)
        following = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(last, count)
        index = np.column_stack([index[row], following])
    new = np.ones(index.shape, dtype=bool)
    new[:, 1:] = index[:, 1:] != index[:, :-1]
    entry = np.flatnonzero(new.ravel())
    power = np.diff(np.append(entry, index.size))
    start = np.concatenate([[0], np.cumsum(new.sum(axis=1))])
    ones = np.ones(len(index), dtype=np.int64)
    return Terms(0 * ones, ones, start, index.ravel()[entry].astype(np.int32), power.astype(np.int32))
