"""Arithmetic modulo a prime, exact rank and nullspace. The only file that speaks to FLINT.

rank mod p at an integer point <= rank over Q there <= generic rank, so a rank found here is a proved lower bound.
nullity mod p >= nullity over Q, so as many verified vectors over Q as the nullity mod p are all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, isqrt, lcm, prod
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from clexact._kernels import balanced, modular
from clexact.algebra.terms import Ints

Words = NDArray[np.uint64]

PANEL = 512  # products in a sum of a matrix product in floating point, at most
LARGEST = 2**62  # primes are below: sums of two products of residues fit 128 bits
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
    pivots, j = list[int](), 0
    for i in range(form_rank):  # each further right than the one before
        while not form[i, j]:
            j += 1
        pivots.append(columns - 1 - j)
        j += 1
    bound = set(pivots)
    basis = {f: {f: 1} for f in range(columns) if f not in bound}
    for f, vector in basis.items():
        for i, pivot in enumerate(pivots):
            if entry := int(form[i, columns - 1 - f]):
                vector[pivot] = prime - entry
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
    """A basis of the nullspace over Q of a small matrix, as primitive integers; of no rows: of everything."""
    scaled = [_cleared(row) for row in rows] or [[0] * columns]
    basis, nullity = flint.fmpz_mat(scaled).nullspace()
    vectors = [primitive({i: int(basis[i, j]) for i in range(columns)}) for j in range(nullity)]
    return [[vector.get(i, 0) for i in range(columns)] for vector in vectors]


def _cleared(row: Sequence[int | Fraction]) -> list[int]:
    """Times what makes all entries integers."""
    clearing = lcm(*(c.denominator for c in row))
    return [int(c * clearing) for c in row]


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
