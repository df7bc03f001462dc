"""Linear laws of constant fields, as those of reactions are: the left nullspace of a large sparse integer matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.basis import Vector, short_basis
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import primitive, reconstruct, residues
from clexact.algebra.terms import Ints, Terms, largest, ranges
from clexact.laws.monomial_system import MonomialSystem

AT_ONCE = 512  # fields
MOST_DENSE = 4000  # variables


def is_constant(fields: VectorFields) -> bool:
    """Whether no variable stands in the fields."""
    return not len(fields.terms.var)


def linear_laws(fields: VectorFields, monomials: Terms, draws: Draws) -> list[Vector]:
    """A basis of the vectors over the variables that are orthogonal to every field, sorted for display.

    Some fields, independent modulo a prime, are solved for; what others violate is solved for with these, until there
    are none: then the nullspace of some is that of all. Of many fields the nullspace modulo a small prime is tried
    first: where its vectors are short and orthogonal to every field, they are all, since there are no more over Q.
    """
    variable = monomials.var.astype(np.int64)  # of each monomial
    form, chosen = _independent(fields, draws)
    if form is not None and (found := _lifted(form, variable)) is not None:
        shorter = short_basis(found, [], draws)
        if not len(_violated(fields, shorter, variable)):
            return sorted(shorter, key=min)
    while True:
        some = fields.select(np.sort(chosen).tolist())
        vectors = MonomialSystem(some, monomials, draws).laws(np.arange(len(monomials)))
        missed = np.setdiff1d(_violated(fields, vectors, variable), chosen)
        if not len(missed):
            break
        chosen = np.concatenate([chosen, missed[: fields.dimension]])
    shorter = short_basis(vectors, [], draws)
    return sorted(vectors if len(_violated(fields, shorter, variable)) else shorter, key=min)


def _lifted(form: Echelon, variable: Ints) -> list[Vector] | None:
    """The vectors mod p that are orthogonal to a form's rows, as integers if they are short; over the monomials."""
    D, place = len(variable), np.argsort(variable)
    free = np.setdiff1d(np.arange(D), form.pivots)
    if D > MOST_DENSE:
        return None
    rows = form.reduced(np.eye(D, dtype=np.uint64))[:, free].T  # what each variable is modulo the rows
    vectors = list[Vector]()
    for row in rows.tolist():
        exact = {int(place[v]): reconstruct(c, form.prime) for v, c in enumerate(row) if c}
        short = {v: c for v, c in exact.items() if c is not None}
        if len(short) < len(exact):
            return None
        vectors.append(primitive(short))
    return vectors


def _independent(fields: VectorFields, draws: Draws) -> tuple[Echelon | None, Ints]:
    """An echelon form mod a prime of independent fields of many, and their numbers: in random order, until few add."""
    terms, D, prime = fields.terms, max(1, fields.dimension), draws.prime(22)
    if len(fields) <= 2 * D:
        return None, np.arange(len(fields))
    order = np.argsort(draws.residues((len(fields),), 2**62), kind="stable")
    form, found, value = Echelon(D, prime), list[Ints](), residues(terms.coef, prime)
    first = fields.field_starts
    for begin in range(0, len(order), AT_ONCE):
        some = order[begin : begin + AT_ONCE]
        row, term = ranges(first, some)
        rows = np.zeros((len(some), D), dtype=np.uint64)
        rows[row, terms.owner[term] % D] = value[term]
        fresh = form.add(rows)
        found.append(some[fresh])
        if form.rank == D or not fresh.any():
            break
    return form, np.concatenate(found)


def _violated(fields: VectorFields, vectors: list[Vector], variable: Ints) -> Ints:
    """The numbers of the fields that are not orthogonal to all vectors, exactly."""
    terms, D = fields.terms, max(1, fields.dimension)
    field, component = terms.owner // D, terms.owner % D
    bad: NDArray[np.bool_] = np.zeros(len(fields), dtype=bool)
    size = int(largest(terms.coef)) if len(terms) else 0
    for vector in vectors:
        most = max(map(abs, vector.values()))
        small = size * most * max(1, len(terms)) < 2**62
        weights = np.zeros(D, dtype=np.int64 if small else object)
        weights[variable[list(vector)]] = list(vector.values())
        totals = np.zeros(len(fields), dtype=weights.dtype)
        coefs = terms.coef if small else terms.coef.astype(object)
        np.add.at(totals, field, coefs * weights[component])
        bad |= totals != 0
    return np.flatnonzero(bad)
