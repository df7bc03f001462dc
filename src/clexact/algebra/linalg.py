"""Arithmetic modulo a prime, exact rank and nullspace. The only file that speaks to FLINT.

rank mod p at an integer point <= rank over Q there <= generic rank, so a rank found here is a proved lower bound.
nullity mod p >= nullity over Q, so as many verified vectors over Q as the nullity mod p are all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import gcd, isqrt, lcm, prod
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from clexact._kernels import balanced, modular, system
from clexact._kernels.sparse import SparseForm
from clexact.algebra.terms import Ints

Words = NDArray[np.uint64]

PANEL = 512  # products in a sum of a matrix product in floating point, at most
LARGEST = 2**62  # primes are below: sums of two products of residues fit 128 bits
DENSE = 2000  # unknowns of systems that are solved densely
MOST_FILLED = 10**7  # entries of the echelon form of sparse ones
BLAS_PRIME = 2**22  # below it, 512 products of residues sum below 2^53: float64 matrix products are exact


def is_prime(n: int) -> bool:
    """Return whether n is prime (proved, by FLINT)."""
    return bool(n >= 2 and flint.fmpz(n).is_prime())


def odd_prime_factors(n: int) -> set[int]:
    """The primes that divide n an odd number of times, by FLINT: those of its squarefree part."""
    return {int(p) for p, power in flint.fmpz(n).factor() if power % 2}


def check_prime(p: int) -> None:
    """ValueError unless p is a prime below ``LARGEST``, with which words are reduced."""
    if not (p < LARGEST and is_prime(p)):
        raise ValueError(f"p must be a prime below 2^62, not {p}.")


def add(a: Words, b: Words, p: int) -> Words:
    """a + b mod p, with broadcasting."""
    total = a + b
    wrapped = total - np.uint64(p)  # a huge number where total < p
    return np.asarray(np.minimum(total, wrapped))


def subtract(a: Words, b: Words, p: int) -> Words:
    """a - b mod p, with broadcasting."""
    difference = a - b
    return np.asarray(np.minimum(difference, difference + np.uint64(p)))


def multiply(a: Words, b: Words, p: int) -> Words:
    """a * b mod p, with broadcasting."""
    if p < 2**32:
        return a * b % np.uint64(p)
    a, b = np.broadcast_arrays(a, b)
    return modular.multiply(a.ravel(), b.ravel(), p).reshape(a.shape)


def matmul(a: Words, b: Words, p: int) -> Words:
    """a @ b mod p for stacks (s, n, m) @ (s, m, k); a stack of one is shared by all."""
    if p < BLAS_PRIME and a.shape[2] <= PANEL and min(a.shape[1], a.shape[2], b.shape[2]) >= 32:
        exact = np.matmul(a.astype(np.float64), b.astype(np.float64))
        return balanced.words(exact.reshape(-1, exact.shape[2]), p).reshape(exact.shape)
    return modular.matmul(np.ascontiguousarray(a), np.ascontiguousarray(b.transpose(0, 2, 1)), p)


def residues(values: NDArray[Any], p: int) -> Words:
    """Integers or fractions as residues mod p; ZeroDivisionError if p divides a denominator."""
    if values.dtype != object:
        return np.asarray(values % p).astype(np.uint64)
    fractions = [(v, 1) if isinstance(v, int) else (v.numerator, v.denominator) for v in values.ravel().tolist()]
    if any(d % p == 0 for _, d in fractions):
        raise ZeroDivisionError(f"{p} divides a denominator.")
    flat = [n % p if d == 1 else n * pow(d, -1, p) % p for n, d in fractions]
    return np.array(flat, dtype=np.uint64).reshape(values.shape)


def segment_sums(a: Words, start: Ints, p: int) -> Words:
    """Sums mod p over the segments start[j]:start[j + 1] of each row of a."""
    return modular.segment_sums(np.ascontiguousarray(a), start, p)


def row_reduce(rows: Words, p: int) -> Words:
    """Reduced echelon form mod p, dependent rows zero, rows in their order."""
    out = np.ascontiguousarray(rows).copy()
    modular.echelon(out, p)
    return out


def flint_rank(rows: list[list[int]], prime: int) -> int:
    """Rank mod p of rows of Python integers, by FLINT."""
    return int(flint.nmod_mat(rows, prime).rank()) if rows and rows[0] else 0


def dense_nullspace(rows: list[list[int]], columns: int, prime: int) -> dict[int, dict[int, int]]:
    """Nullspace mod p as {free column f: vector}, vector[f] = 1, zero before f and on the other free columns."""
    if not rows:
        return {f: {f: 1} for f in range(columns)}
    # Columns reversed: pivots are taken as far right as possible, so each basis vector leads with its free column.
    form, form_rank = flint.nmod_mat([row[::-1] for row in rows], prime).rref()
    pivots: dict[int, list[int]] = {}
    for i in range(form_rank):
        row = [int(form[i, j]) for j in range(columns)]
        pivots[columns - 1 - next(j for j in range(columns) if row[j])] = row
    basis = {f: {f: 1} for f in range(columns) if f not in pivots}
    for pivot, row in pivots.items():
        for f, vector in basis.items():
            if row[columns - 1 - f]:
                vector[pivot] = prime - row[columns - 1 - f]
    return basis


def rational_rank(rows: Sequence[Sequence[int | Fraction]]) -> int:
    """The rank over Q of rows of equally many numbers, exactly.

    With the rows as primitive integers, an (r + 1)-minor is at most the product of its rows' lengths (Hadamard). If
    all of them vanish modulo primes whose product is larger, they vanish: the rank is at most r.
    """
    whole = sorted({tuple(sorted(primitive(dict(enumerate(row))).items())) for row in rows} - {()})
    if not whole:
        return 0
    matrix = flint.fmpz_mat([[entries.get(j, 0) for j in range(len(rows[0]))] for entries in map(dict, whole)])
    squares = sorted((sum(c * c for _, c in entries) for entries in whole), reverse=True)
    found, prime, product = 0, 2**63, 1
    while found < min(len(whole), len(rows[0])) and product**2 <= prod(squares[: found + 1]):
        prime = next(p for p in range(prime - 1, 0, -1) if is_prime(p))
        product *= prime
        found = max(found, int(flint.nmod_mat(matrix, prime).rank()))
    return found


def rational_nullspace(rows: Sequence[Sequence[int | Fraction]], columns: int) -> list[list[int]]:
    """A basis of the nullspace over Q of a small matrix, as primitive integers, by FLINT."""
    scaled = [[int(c * lcm(*(Fraction(x).denominator for x in row))) for c in row] for row in rows]
    basis, nullity = flint.fmpz_mat(scaled).nullspace()
    vectors = [primitive({i: int(basis[i, j]) for i in range(columns)}) for j in range(nullity)]
    return [[vector.get(i, 0) for i in range(columns)] for vector in vectors]


def determinants(matrices: Words, p: int) -> list[int]:
    """The determinants mod p of a stack (s, n, n), by FLINT."""
    return [int(flint.nmod_mat(matrix.tolist(), p).det()) for matrix in matrices]


def roots_through(values: Sequence[int], p: int) -> list[int]:
    """The roots in F_p, once each, of the polynomial of degree below len(values) <= p with these values at 0, 1, 2, ...

    By Newton's forward differences. All of F_p are roots of zero, for which nothing is returned.
    """
    differences, row = [], np.array(values, dtype=np.uint64)
    while len(row):
        differences.append(int(row[0]))
        row = subtract(row[1:], row[:-1], p)
    found, factorial, inverses = flint.nmod_poly([0], p), 1, list[int]()
    for k in range(len(differences)):
        factorial = factorial * max(1, k) % p
        inverses.append(pow(factorial, -1, p))
    for k in reversed(range(len(differences))):
        found = found * flint.nmod_poly([-k % p, 1], p) + differences[k] * inverses[k] % p
    if found.degree() < 1:
        return []
    simple = found // found.gcd(found.derivative())
    return sorted(int(root) for root, _ in simple.roots())


def short_vectors(basis: Mapping[int, Mapping[int, int]], columns: int, prime: int) -> list[list[int]]:
    """Integer vectors that lie in a subspace of F_p^columns modulo p, much shorter than a random subspace has any.

    ``basis`` is as ``dense_nullspace`` gives it. Short vectors of the lattice of all integer vectors that reduce into
    the subspace, by LLL (Lenstra, Lenstra, Lovasz 1982); those at least 2^5 below the scale p^(1 - k / columns) of its
    determinant. Candidates only: that they mean anything over Q is for the caller to check.
    """
    if not basis:
        return []
    rows = [[vector.get(j, 0) for j in range(columns)] for vector in basis.values()]
    rows += [[prime * (i == j) for j in range(columns)] for i in range(columns) if i not in basis]
    bits = (prime.bit_length() - 1) * (columns - len(basis)) // columns - 5
    reduced = [[int(c) for c in row] for row in flint.fmpz_mat(rows).lll().tolist()]
    return sorted(
        (row for row in reduced if max(map(abs, row)).bit_length() <= bits), key=lambda row: max(map(abs, row))
    )


Whole = dict[tuple[int, ...], int]  # {exponents: integer coefficient}


def _flint_polynomial(terms: Whole) -> Any:
    size = len(next(iter(terms)))
    return flint.fmpz_mpoly_ctx.get([f"x{i}" for i in range(size)], "lex").from_dict(terms)


def _terms(polynomial: Any) -> Whole:
    return {tuple(map(int, exponents)): int(c) for exponents, c in polynomial.to_dict().items()}


def irreducible_factors(terms: Whole) -> list[Whole]:
    """The factors over Z of a polynomial that is not zero, constants left out, each once, by FLINT."""
    return [_terms(factor) for factor, _ in _flint_polynomial(terms).factor()[1]]


def exact_quotient(dividend: Whole, divisor: Whole) -> Whole | None:
    """The quotient in Z[x] of polynomials that are not zero, None where the division is not exact, by FLINT."""
    quotient, remainder = divmod(_flint_polynomial(dividend), _flint_polynomial(divisor))
    return None if remainder else _terms(quotient)


def reconstruct(residue: int, modulus: int) -> Fraction | None:
    """Return n/d with n = d * residue mod m and |n|, d <= sqrt(m / 2), which is unique, or None (Wang 1981)."""
    bound = isqrt(modulus // 2)
    r0, r1, t0, t1 = modulus, residue % modulus, 0, 1
    while r1 > bound:
        quotient = r0 // r1
        r0, r1, t0, t1 = r1, r0 - quotient * r1, t1, t0 - quotient * t1
    if t1 == 0 or abs(t1) > bound or gcd(r1, t1) != 1:
        return None
    return Fraction(r1, t1)


def primitive(vector: Mapping[int, int | Fraction]) -> dict[int, int]:
    """The multiple of a rational vector with coprime integers and a positive first entry."""
    nonzero = {k: v for k, v in sorted(vector.items()) if v}
    scale = lcm(*(v.denominator for v in nonzero.values()))
    whole = {k: v.numerator * (scale // v.denominator) for k, v in nonzero.items()}
    content = gcd(*whole.values())
    if whole and next(iter(whole.values())) < 0:
        content = -content
    return {k: v // content for k, v in whole.items()}


class SparseRows:
    """Equations over unknowns 0..columns-1 in compressed rows, mod p."""

    def __init__(self, key: NDArray[Any], unknown: Ints, value: Words, columns: int, prime: int) -> None:
        """Entries with equal keys belong to one equation."""
        self.columns, self.prime = columns, prime
        order = np.argsort(key)
        key = key[order]
        new = np.flatnonzero(np.concatenate([np.ones(min(1, len(key)), dtype=bool), key[1:] != key[:-1]]))
        self.start = np.append(new, len(key)).astype(np.int64)
        self.unknown, self.value = unknown[order], value[order]

    def nullspace(self) -> list[dict[int, int]]:
        """A basis of the nullspace mod p in reduced form, each vector 1 at its first column."""
        root, weight, zero, rows = system.presolve(self.start, self.unknown, self.value, self.columns, self.prime)
        live = np.flatnonzero(~zero[root])
        members: dict[int, list[int]] = {}
        for x in live.tolist():
            members.setdefault(int(root[x]), []).append(x)
        basis = []
        for columns, equations in _components(list(members), self._core(root, weight, zero, rows)):
            for vector in _core_nullspace(columns, equations, self.prime):
                basis.append({x: int(weight[x]) * c % self.prime for r, c in vector.items() for x in members[r]})
        return sorted((dict(sorted(vector.items())) for vector in basis), key=lambda v: next(iter(v)))

    def _core(self, root: Ints, weight: Words, zero: NDArray[np.bool_], rows: Ints) -> list[dict[int, int]]:
        """The equations left open by the presolve, rewritten in the roots; equal ones once."""
        equations: dict[tuple[tuple[int, int], ...], None] = {}
        for r in rows.tolist():
            entries = slice(self.start[r], self.start[r + 1])
            sums: dict[int, int] = {}
            for x, value in zip(self.unknown[entries].tolist(), self.value[entries].tolist(), strict=True):
                if not zero[root[x]]:
                    y = int(root[x])
                    sums[y] = (sums.get(y, 0) + value * int(weight[x])) % self.prime
            kept = sorted((x, v) for x, v in sums.items() if v)
            scale = pow(kept[0][1], -1, self.prime) if kept else 1
            equations[tuple((x, v * scale % self.prime) for x, v in kept)] = None
        return [dict(e) for e in equations if e]


def _components(
    unknowns: list[int], equations: list[dict[int, int]]
) -> Iterator[tuple[list[int], list[dict[int, int]]]]:
    """Split unknowns and equations into connected components."""
    parent = {x: x for x in unknowns}

    def find(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for equation in equations:
        first, *others = equation
        for x in others:
            parent[find(x)] = find(first)
    groups: dict[int, tuple[list[int], list[dict[int, int]]]] = {}
    for x in sorted(unknowns):
        groups.setdefault(find(x), ([], []))[0].append(x)
    for equation in equations:
        groups[find(next(iter(equation)))][1].append(equation)
    yield from groups.values()


def _core_nullspace(unknowns: list[int], equations: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """Nullspace mod p of one component: peel, solve the dense rest, put the peeled unknowns back."""
    equations, peeled = _peel(equations)
    solved = {x for x, _ in peeled}
    left = sorted(set(unknowns) - solved)
    basis = (_dense_core if len(left) <= DENSE else _sparse_core)(left, equations, prime)
    _put_back(basis, peeled, prime)
    return basis


def _put_back(basis: list[dict[int, int]], aside: list[tuple[int, dict[int, int]]], prime: int) -> None:
    """Extend vectors to unknowns set aside, each defined by its equation in those left and those set aside later."""
    values: dict[int, dict[int, int]] = {}  # {unknown: {number of a vector: its entry there}}
    for n, vector in enumerate(basis):
        for x, c in vector.items():
            values.setdefault(x, {})[n] = c
    for x, equation in reversed(aside):
        total: dict[int, int] = {}
        for y, v in equation.items():
            for n, c in values.get(y, {}).items():
                total[n] = total.get(n, 0) + v * c
        scale = pow(-equation[x], -1, prime)
        for n, c in total.items():
            if c % prime:
                values.setdefault(x, {})[n] = basis[n][x] = c * scale % prime


def _peel(equations: list[dict[int, int]]) -> tuple[list[dict[int, int]], list[tuple[int, dict[int, int]]]]:
    """Set aside, again and again, an equation whose last unknown occurs in no other: it only defines that unknown."""
    holders: dict[int, set[int]] = {}
    for n, equation in enumerate(equations):
        for x in equation:
            holders.setdefault(x, set()).add(n)
    peeled, gone, queue = [], set(), list(range(len(equations)))
    while queue:
        n = queue.pop()
        last = max(equations[n])
        if n in gone or len(holders[last]) > 1:
            continue
        gone.add(n)
        peeled.append((last, equations[n]))
        for x in equations[n]:
            holders[x].discard(n)
            queue.extend(holders[x] if len(holders[x]) == 1 else ())
    return [e for n, e in enumerate(equations) if n not in gone], peeled


def _dense_core(unknowns: list[int], equations: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """Nullspace mod p by FLINT. Equations enter lazily: first a slice of them, then those that are violated."""
    place = {x: i for i, x in enumerate(unknowns)}
    chosen = equations[:: max(1, len(equations) // (2 * len(unknowns) + 1))]
    while True:
        dense = [[0] * len(unknowns) for _ in chosen]
        for row, equation in zip(dense, chosen, strict=True):
            for x, v in equation.items():
                row[place[x]] = v
        solved = dense_nullspace(dense, len(unknowns), prime)
        basis = [{unknowns[i]: c for i, c in vector.items()} for vector in solved.values()]
        broken = [e for e in equations if any(sum(v * b.get(x, 0) for x, v in e.items()) % prime for b in basis)]
        if not broken:
            return basis
        chosen = chosen + broken[: len(unknowns)]


def _sparse_core(unknowns: list[int], equations: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """As ``_dense_core``, by sparse elimination; nothing where that fills in."""
    place = {x: i for i, x in enumerate(unknowns)}
    start = np.cumsum([0, *map(len, equations)])
    column = np.array([place[x] for e in equations for x in e], dtype=np.int64)
    value = np.array([v for e in equations for v in e.values()], dtype=np.uint64)
    form = SparseForm(len(unknowns), prime)
    try:
        form.add(start, column, value, np.argsort(np.diff(start), kind="stable"), MOST_FILLED)
    except MemoryError:
        return []
    starts, columns, entries = (array.tolist() for array in form.rows())
    names = [unknowns[c] for c in columns]
    rows = [dict(zip(names[a:b], entries[a:b], strict=True)) for a, b in pairwise(starts)]
    pivots = [unknowns[c] for c in form.pivots.tolist()]
    basis = [{x: 1} for x in sorted(set(unknowns) - set(pivots))]
    _put_back(basis, list(zip(pivots, rows, strict=True)), prime)  # a row is zero on the pivots before its own
    return _reduced(basis, prime)


def _reduced(vectors: list[dict[int, int]], prime: int) -> list[dict[int, int]]:
    """The reduced form: each 1 at its first column, where all others are 0."""
    found: dict[int, dict[int, int]] = {}
    for vector in vectors:
        while vector and (first := min(vector)) in found:
            vector = _less(vector, found[first], vector[first], prime)
        if vector:
            scale = pow(vector[min(vector)], -1, prime)
            found[min(vector)] = {x: c * scale % prime for x, c in vector.items()}
    for first in sorted(found, reverse=True):
        for later in sorted(x for x in found[first] if x != first and x in found):
            if c := found[first].get(later, 0):
                found[first] = _less(found[first], found[later], c, prime)
    return [found[first] for first in sorted(found)]


def _less(a: dict[int, int], b: dict[int, int], c: int, prime: int) -> dict[int, int]:
    """a - c b."""
    out = dict(a)
    for x, v in b.items():
        if left := (out.get(x, 0) - c * v) % prime:
            out[x] = left
        else:
            out.pop(x, None)
    return out
