r"""Gradings that make every field homogeneous.

A term $x^\beta \partial_j$ of a field has degree $\beta - e_j \in \mathbb{Z}^D$. Modulo the lattice L spanned by the
differences of the degrees within each field, every field is homogeneous, so a law splits into laws of one class of
$\mathbb{Z}^D / L$ each. Any homomorphism from $\mathbb{Z}^D / L$ grades as soundly as the whole group. Two are used,
both exact: a generic one to $\mathbb{Z}/p$ (all of the free part) and one to $(\mathbb{Z}/2)^{64}$ (sign flips, the
torsion of gradient fields, where degrees differ by $2 e_i - 2 e_j$). Odd torsion is not separated: classes are
coarser there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, multiply
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.algebra.terms import Ints, Terms, ranges
from clexact.support.listed import shown

PRIME = 2**61 - 1


@dataclass(frozen=True)
class Grading:
    """A grading of the polynomials that every field respects, by the images of the unit vectors.

    Attributes
    ----------
    weights : numpy.ndarray
        Residues mod 2^61 - 1, shape (D,).
    signs : numpy.ndarray
        64-bit masks, shape (D,).
    rank : int
        Rank of the free part: the number of independent scalings that respect every field.

    Examples
    --------
    >>> import clexact
    >>> X = clexact.VectorFields.from_strings(["x", "y"], [["x", "y^2"]])
    >>> grading(X).rank  # the degree in x
    1
    """

    weights: Words
    signs: Words
    rank: int  # rank of the free part: the number of independent scalings that respect every field

    def labels(self, terms: Terms) -> tuple[Words, Words]:
        """The class of each monomial as two words; equal classes have equal words.

        Parameters
        ----------
        terms : Terms
            N packed terms.

        Returns
        -------
        free : numpy.ndarray
            The word of the free part, of shape (N,).
        sign : numpy.ndarray
            That of the sign flips, likewise.

        Examples
        --------
        >>> import clexact
        >>> X = clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]])
        >>> p = clexact.Polynomial.from_string("x^2 + y^2 + x", ["x", "y"])
        >>> len(set(grading(X).labels(p.terms)[0].tolist()))  # degrees 2 and 1
        2
        """
        weighted = multiply(self.weights[terms.var], terms.power.astype(np.uint64), PRIME)
        row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
        free = np.zeros(len(terms), dtype=np.uint64)
        for place in _places(terms):
            total = free[row[place]] + weighted[place]
            free[row[place]] = np.minimum(total, total - np.uint64(PRIME))
        flips = np.where(terms.power % 2 == 1, self.signs[terms.var], np.uint64(0))
        sign = np.zeros(len(terms), dtype=np.uint64)
        np.bitwise_xor.at(sign, row, flips)
        return free, sign


def _places(terms: Terms) -> list[Ints]:
    """The entries that stand first in their rows, then those that stand second, ..."""
    length = np.diff(terms.start)
    return [terms.start[:-1][length > k] + k for k in range(int(length.max(initial=0)))]


def grading(fields: VectorFields, seed: int = 0) -> Grading:
    r"""A grading of $\mathbb{Q}[x]$ that makes every field homogeneous.

    Laws then split into those of one class each. The free part of the finest such grading, and its 2-torsion; odd
    torsion is not separated.

    Parameters
    ----------
    fields : VectorFields
        The family.
    seed : int
        Of the random homomorphisms that name the classes.

    Returns
    -------
    Grading
        With one weight and one mask a variable.

    Raises
    ------
    TypeError
        For anything but fields.

    Examples
    --------
    >>> fields = VectorFields.from_strings(["x", "y"], [["y", "x"]])
    >>> grading(fields).rank  # total degree
    1
    """
    if not isinstance(fields, VectorFields):
        raise TypeError(f"expected VectorFields, not {shown(fields)}.")
    draws = Draws(seed)
    relation, unknown, value = _relations(fields)
    D = fields.dimension
    residue = (value % PRIME).astype(np.uint64)
    basis = SparseRows(relation, unknown, residue, D, PRIME).nullspace()
    weights = [0] * D
    for vector, factor in zip(basis, draws.residues((len(basis),), PRIME).tolist(), strict=True):
        for j, c in vector.items():
            weights[j] = (weights[j] + factor * c) % PRIME
    return Grading(np.array(weights, dtype=np.uint64), _sign_masks(relation, unknown, value, D, draws), len(basis))


def _relations(fields: VectorFields) -> tuple[Ints, Ints, Ints]:
    """Generators of L as triples (relation, variable, value): degree of a term minus that of its field's first term."""
    terms, D = fields.terms, max(1, fields.dimension)
    first = fields.field_starts[terms.owner // D]
    later = np.flatnonzero(first != np.arange(len(terms)))
    relation, unknown, value = [], [], []
    for term, sign in ((later, 1), (first[later], -1)):
        row, entry = ranges(terms.start, term)
        relation += [row, np.arange(len(later))]
        unknown += [terms.var[entry].astype(np.int64), terms.owner[term] % D]
        value += [sign * terms.power[entry].astype(np.int64), np.full(len(later), -sign)]
    return np.concatenate(relation), np.concatenate(unknown), np.concatenate(value)


def _sign_masks(relation: Ints, unknown: Ints, value: Ints, D: int, draws: Draws) -> NDArray[np.uint64]:
    """A generic homomorphism Z^D -> (Z/2)^64 that kills L: elimination over GF(2) on rows packed in Python integers."""
    odd = value % 2 == 1
    rows: dict[int, int] = {}
    for r, j in zip(relation[odd].tolist(), unknown[odd].tolist(), strict=True):
        rows[r] = rows.get(r, 0) ^ (1 << j)
    pivots: dict[int, int] = {}  # lowest bit: row
    for row in dict.fromkeys(rows.values()):
        while row:
            low = row & -row
            if low not in pivots:
                pivots[low] = row
                break
            row ^= pivots[low]
    random = draws.residues((D,), 2**63)
    masks = [0] * D
    for j in reversed(range(D)):  # a pivot row gives its lowest variable as the sum of later ones
        others = pivots.get(1 << j, 0) & ~(1 << j)
        if 1 << j not in pivots:
            masks[j] = int(random[j])
        while others:
            low = others & -others
            masks[j] ^= masks[low.bit_length() - 1]
            others ^= low
    return np.array(masks, dtype=np.uint64)
