"""Families of laws written out as polynomials, packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clexact.algebra.terms import Ints, Terms, concatenate
from clexact.symmetry.views import Term


def expanded(
    kind: str,
    terms: Sequence[Term],
    offsets: Mapping[str, int],
    first: int = 0,
    last: int | None = None,
    clock: int = 0,
) -> Terms:
    """The numbers first, ..., last - 1 of a family, canonical; of matrices those of i <= j, or i < j, row by row.

    ``clock`` is the variable of which terms have powers.
    """
    parts = []
    for term in terms:
        places, some = term.entries, slice(first, last)
        entries = places + offsets[term.velocity if kind == "translation" and term.velocity else term.parameter]
        match kind:
            case "gram":
                part = _products(*_upper(entries, some), term.coefficient)
            case "rotation":
                part = _turning(entries, places + offsets[term.velocity], some, term.coefficient)
            case "translation":
                sums = entries.swapaxes(1, 2).reshape(-1, entries.shape[1])
                part = _sums(sums[some], term.coefficient)
            case "total":
                part = _square_of_sums(entries[some], term.coefficient)
            case _:
                rows = entries.reshape(-1, entries.shape[2])[some]
                part = _sums(rows, term.coefficient) if term.linear else _products(rows, rows, term.coefficient)
        parts.append(_timed(part, clock, term.power))
    return concatenate(parts).canonical()


def _timed(terms: Terms, clock: int, power: int) -> Terms:
    """The terms times a power of the clock."""
    if not power:
        return terms
    factor = Terms.from_monomials([0], [1], [((clock, power),)])
    return terms.times(factor, np.arange(len(terms)), np.zeros(len(terms), dtype=np.int64))


def _upper(entries: Ints, some: slice, above: int = 0) -> tuple[Ints, Ints]:
    """The entries (numbers, columns) of the rows i and j, of all i + ``above`` <= j, group by group."""
    groups, rows, _ = entries.shape
    i, j = np.triu_indices(rows, above)
    group = np.repeat(np.arange(groups), len(i))[some]
    return entries[group, np.tile(i, groups)[some]], entries[group, np.tile(j, groups)[some]]


def _turning(entries: Ints, velocities: Ints, some: slice, coefficient: int) -> Terms:
    """Of P Q^T - Q P^T, P the entries and Q the velocities."""
    (i, j), (moving_i, moving_j) = _upper(entries, some, 1), _upper(velocities, some, 1)
    return concatenate([_products(i, moving_j, coefficient), _products(j, moving_i, -coefficient)])


def _products(left: Ints, right: Ints, coefficient: int) -> Terms:
    """For each row n the sum of the products of its entries: left[n, c] * right[n, c]."""
    owner = np.repeat(np.arange(len(left)), left.shape[1])
    pairs = np.sort(np.stack([left.ravel(), right.ravel()], axis=1), axis=1)
    square = pairs[:, 0] == pairs[:, 1]
    chosen = np.stack([np.ones_like(square), ~square], axis=1)
    start = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
    power = np.stack([1 + square, np.ones_like(square)], axis=1)[chosen]
    coefficients = np.full(len(pairs), coefficient, dtype=np.int64)
    return Terms(owner, coefficients, start, pairs[chosen].astype(np.int32), power.astype(np.int32))


def _sums(entries: Ints, coefficient: int) -> Terms:
    """The sum of each row."""
    var = entries.ravel().astype(np.int32)
    owner = np.repeat(np.arange(len(entries)), entries.shape[1])
    coefficients = np.full(len(var), coefficient, dtype=np.int64)
    return Terms(owner, coefficients, np.arange(len(var) + 1), var, np.ones_like(var))


def _square_of_sums(entries: Ints, coefficient: int) -> Terms:
    """For each group the sum, over the columns, of the square of the sum of the column."""
    groups, rows, columns = entries.shape
    left, right = np.broadcast_arrays(entries[:, :, None], entries[:, None])
    shape = (groups, rows * rows * columns)
    return _products(left.reshape(shape), right.reshape(shape), coefficient)
