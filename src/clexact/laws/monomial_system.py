"""The monomial system: every polynomial law is a vector of its nullspace, class by class of the finest grading."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clexact._kernels import monomials as monomials_kernel
from clexact._kernels import system
from clexact.algebra.basis import Vector, short_basis
from clexact.algebra.draws import Draws
from clexact.algebra.field_grading import grading
from clexact.algebra.fields import VectorFields, packed_derivatives
from clexact.algebra.linalg import primitive, reconstruct, residues
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.algebra.terms import Ints, Terms, concatenate, largest, starts

if TYPE_CHECKING:
    pass

MAX_PRIMES = 200  # of 61 bits, for laws with very large coefficients; more where those of the fields are very large
LONGER = 16  # times as long as a coefficient of the fields may one of a law be, then
CHUNK = 2 * 10**6  # entries of the monomial system held at a time


def as_vectors(laws: Terms, monomials: Terms) -> list[Vector]:
    """Packed laws as vectors over the given monomials; those with other monomials are left out."""
    hashes = monomials.hashes()
    order = np.argsort(hashes, kind="stable")
    place = order[np.minimum(np.searchsorted(hashes[order], laws.hashes()), max(0, len(order) - 1))]
    known = concatenate([laws.owned_by(0), monomials.take(place).owned_by(0)])
    here = np.arange(len(laws))
    same = monomials_kernel.equal_pairs(*known.rows, here, here + len(laws))
    vectors: dict[int, Vector] = {}
    for n, x, c in zip(laws.owner.tolist(), place.tolist(), laws.coef.tolist(), strict=True):
        vectors.setdefault(n, {})[x] = c
    foreign = set(laws.owner[~same].tolist())
    return [dict(sorted(vector.items())) for n, vector in vectors.items() if n not in foreign]


def law_vectors(fields: VectorFields, monomials: Terms, preferred: list[Vector], draws: Draws) -> list[Vector]:
    """All laws as sparse integer vectors over the monomials, class by class, sorted for display."""
    labels = grading(fields, int(draws.residues((1,), 2**32)[0])).labels(monomials)
    order = np.lexsort(labels)
    boundary = np.flatnonzero(np.any([label[order][1:] != label[order][:-1] for label in labels], axis=0)) + 1
    class_of = np.zeros(len(monomials), dtype=np.int64)
    class_of[order] = np.searchsorted(boundary, np.arange(len(monomials)), side="right")
    solver = MonomialSystem(fields, monomials, draws)
    vectors = [vector for chunk in _chunks(order, boundary, solver.entries) for vector in solver.laws(np.sort(chunk))]
    by_class: dict[int, list[Vector]] = {}
    for vector in vectors:
        by_class.setdefault(int(class_of[next(iter(vector))]), []).append(vector)
    wanted: dict[int, list[Vector]] = {}
    for vector in preferred:
        wanted.setdefault(int(class_of[next(iter(vector))]), []).append(vector)
    shorter = {name: short_basis(group, wanted.get(name, []), draws) for name, group in by_class.items()}
    if not solver.verified([vector for group in shorter.values() for vector in group]):
        shorter = {name: short if solver.verified(short) else by_class[name] for name, short in shorter.items()}
    sparse = [vector for group in shorter.values() for vector in group]
    degree = monomials.degrees()
    return sorted(sparse, key=lambda v: (max(int(degree[x]) for x in v), min(v)))


def _chunks(order: Ints, boundary: Ints, entries: Ints) -> Iterator[Ints]:
    """Whole classes, as many at a time as have ``CHUNK`` entries of the system in all (one class at the least)."""
    total = np.concatenate([[0], np.cumsum(entries[order])])
    first = 0
    ends = np.append(boundary, len(order))
    while first < len(order):
        fitting = ends[(ends > first) & (total[ends] - total[first] <= CHUNK)]
        end = int(fitting[-1]) if len(fitting) else int(ends[ends > first][0])
        yield order[first:end]
        first = end


class MonomialSystem:
    """The equations X_i(sum_a a x^a) = 0, made for some monomials at a time and solved modulo primes.

    Equations are named by 64-bit hashes. Should two collide, their sum stands in place of both: still a consequence, so
    no law is lost, and what is found is checked exactly.
    """

    def __init__(self, fields: VectorFields, monomials: Terms, draws: Draws) -> None:
        D = fields.dimension
        by_component = np.argsort(fields.terms.owner % max(1, D), kind="stable")
        self._fields, self._monomials = fields, monomials
        self._terms = fields.terms.take(by_component)
        self._component_start = starts(self._terms.owner % max(1, D), D)
        names = Terms.variables(0, D + len(fields)).hashes()
        self._variable_hash = names[:D]
        self._term_hash = self._terms.hashes() + names[D + self._terms.owner // max(1, D)]
        self._monomial_hash = monomials.hashes()
        self._primes = [draws.prime(61)]
        self._draws = draws
        self._most_primes = MAX_PRIMES + 2 * LONGER * (int(largest(fields.terms.coef)).bit_length() // 61)
        counts = np.diff(self._component_start)[monomials.var]
        totals = np.concatenate([[0], np.cumsum(counts)])
        self.entries: Ints = totals[monomials.start[1:]] - totals[monomials.start[:-1]]  # (M,) of each monomial

    def laws(self, chosen: Ints) -> list[Vector]:
        """All laws in the chosen monomials: solve mod p, lift, verify; add primes until every vector is verified."""
        modulus, solution, due = 1, dict[int, dict[int, int]](), 0
        for n in range(self._most_primes):
            if n == len(self._primes):
                self._primes.append(self._draws.prime(61))
            prime = self._primes[n]
            found = {next(iter(vector)): vector for vector in self._solve(chosen, prime)}
            if modulus > 1 and found.keys() != solution.keys():
                # one of the primes is unlucky: the larger nullity is wrong, and a pivot that moved right too
                if (len(found), sorted(found, reverse=True)) > (len(solution), sorted(solution, reverse=True)):
                    continue
                modulus, solution = 1, {}
            solution = {lead: _crt(solution.get(lead, {}), modulus, found[lead], prime) for lead in found}
            modulus *= prime
            if n < due:
                continue
            due = n + 1 + n // 8  # lifting takes longer than what it waits for
            lifted = [_lift(vector, modulus) for vector in solution.values()]
            vectors = [vector for vector in lifted if vector is not None]
            if len(vectors) == len(solution) and self.verified(vectors):
                return vectors
        bits = 30 * self._most_primes
        raise ArithmeticError(f"a law has coefficients of more than {bits} bits; none was found smaller.")

    def _solve(self, chosen: Ints, prime: int) -> list[dict[int, int]]:
        subset = self._monomials.take(chosen)
        key, unknown, value = system.equations(
            *subset.rows,
            self._monomial_hash[chosen],
            self._variable_hash,
            self._component_start,
            self._term_hash,
            residues(self._terms.coef, prime),
            prime,
        )
        vectors = SparseRows(key, unknown, value, len(chosen), prime).nullspace()
        return [{int(chosen[x]): c for x, c in vector.items()} for vector in vectors]

    def verified(self, vectors: list[Vector]) -> bool:
        """Whether every vector is a law, exactly."""
        return len(packed_derivatives(pack_vectors(vectors, self._monomials), len(vectors), self._fields)) == 0


def pack_vectors(vectors: list[Vector], monomials: Terms) -> Terms:
    """The laws as packed terms, owned by their numbers."""
    index = np.array([x for vector in vectors for x in vector], dtype=np.int64)
    owner = np.repeat(np.arange(len(vectors)), [len(vector) for vector in vectors]).astype(np.int64)
    terms = monomials.take(index)
    values = [c for vector in vectors for c in vector.values()]
    coef: NDArray[Any] = np.array(values, dtype=object) if len(values) else terms.coef
    return Terms(owner, coef, *terms.rows).canonical()


def _crt(old: dict[int, int], modulus: int, new: dict[int, int], prime: int) -> dict[int, int]:
    """Residues mod modulus * prime with the given residues."""
    inverse = pow(modulus, -1, prime)
    out = {}
    for x in sorted(old.keys() | new.keys()):
        a = old.get(x, 0)
        out[x] = a + modulus * ((new.get(x, 0) - a) * inverse % prime)
    return out


def _lift(vector: dict[int, int], modulus: int) -> Vector | None:
    """The primitive integer vector with these residues, if every entry reconstructs."""
    exact: dict[int, Fraction] = {}
    for x, c in vector.items():
        lifted = reconstruct(c, modulus)
        if lifted is None:
            return None
        exact[x] = lifted
    return primitive(exact)
