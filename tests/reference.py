"""Slow twins in plain Python, written from the formulas, and the random inputs that the tests share.

A monomial is ((variable, power), ...) with increasing variables, a polynomial a dict {monomial: Fraction} without
zeros, a field a list of D polynomials, a matrix a list of rows of Python integers.
"""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial

Monomial = tuple[tuple[int, int], ...]
Sparse = dict[Monomial, Fraction]
Field = list[Sparse]
Matrix = list[list[int]]

MODEST = settings(max_examples=50, deadline=None, derandomize=True)
FEW = settings(max_examples=25, deadline=None, derandomize=True)

PRIMES = [2, 3, 7, 65537, 2**22 - 3, 2**26 - 5, 2**31 - 1, 2**32 - 5, 2**33 - 9, 2**61 - 1, 2**62 - 57]
SHAPES = [(0, 0), (0, 4), (4, 0), (1, 1), (1, 6), (6, 1), (3, 9), (9, 3), (7, 7)]

XYZ = ("x", "y", "z")
BIG = 2**70 + 1  # beyond int64


# --- monomials -------------------------------------------------------------------------------------------------------


def naive_mix(x: int) -> int:
    """splitmix64 of one word (Steele, Lea and Flood 2014)."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def naive_hash(monomial: Monomial) -> int:
    """Sum of power * mix(variable) mod 2^64."""
    return sum(k * naive_mix(v) for v, k in monomial) % 2**64


def naive_product(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials."""
    powers = {v: 0 for v, _ in a + b}
    for v, k in a + b:
        powers[v] += k
    return tuple(sorted(powers.items()))


def naive_partials(monomial: Monomial) -> list[tuple[int, int, Monomial]]:
    """One (variable, factor, rest) with d monomial / d variable = factor * rest for each variable met."""
    out = []
    for v, k in monomial:
        rest = tuple((w, e - (w == v)) for w, e in monomial if e - (w == v) > 0)
        out.append((v, k, rest))
    return out


def pack(monomials: list[Monomial]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The (start, var, power) arrays of the kernels."""
    start = [0]
    for m in monomials:
        start.append(start[-1] + len(m))
    var = [v for m in monomials for v, _ in m]
    power = [k for m in monomials for _, k in m]
    return np.array(start, dtype=np.int64), np.array(var, dtype=np.int32), np.array(power, dtype=np.int32)


def unpack(start: np.ndarray, var: np.ndarray, power: np.ndarray) -> list[Monomial]:
    """The monomials of packed arrays."""
    pairs = list(zip(var.tolist(), power.tolist(), strict=True))
    return [tuple(pairs[a:b]) for a, b in pairwise(start.tolist())]


# --- polynomials and fields ------------------------------------------------------------------------------------------


def naive_sum(*polynomials: Sparse) -> Sparse:
    """The sum of polynomials."""
    out: Sparse = {}
    for p in polynomials:
        for m, c in p.items():
            out[m] = out.get(m, Fraction(0)) + c
    return {m: c for m, c in out.items() if c != 0}


def naive_scaled(c: Fraction | int, p: Sparse) -> Sparse:
    """c * p."""
    return {m: Fraction(c) * d for m, d in p.items() if c}


def naive_times(p: Sparse, q: Sparse) -> Sparse:
    """p * q."""
    return naive_sum(*({naive_product(m, n): c * d} for m, c in p.items() for n, d in q.items()))


def naive_diff(p: Sparse, j: int) -> Sparse:
    """The partial derivative of p by variable j."""
    return naive_sum(*({rest: c * k} for m, c in p.items() for v, k, rest in naive_partials(m) if v == j))


def naive_value(p: Sparse, point: list[Fraction]) -> Fraction:
    """p at a point."""
    total = Fraction(0)
    for m, c in p.items():
        for v, k in m:
            c = c * Fraction(point[v]) ** k
        total += c
    return total


def naive_lie_derivative(h: Sparse, X: Field) -> Sparse:
    """Sum over j of X_j dh/dx_j."""
    return naive_sum(*(naive_times(naive_diff(h, j), X[j]) for j in range(len(X))))


def naive_bracket(X: Field, Y: Field) -> Field:
    """[X, Y]_i = sum over j of (dX_i/dx_j) Y_j - (dY_i/dx_j) X_j."""
    pairs = zip(X, Y, strict=True)
    return [naive_sum(naive_lie_derivative(x, Y), naive_scaled(-1, naive_lie_derivative(y, X))) for x, y in pairs]


def as_sparse(p: Polynomial) -> Sparse:
    """A Polynomial as a dict."""
    return dict(p.items())


def as_fields(X: VectorFields) -> list[Field]:
    """VectorFields as lists of dicts."""
    return [[as_sparse(p) for p in X.components(i)] for i in range(len(X))]


def from_fields(variables: tuple[str, ...], fields: list[Field]) -> VectorFields:
    """Lists of dicts as VectorFields, through the public constructors."""
    return VectorFields(variables, [[from_sparse(variables, p) for p in field] for field in fields])


def from_sparse(variables: tuple[str, ...], p: Sparse) -> Polynomial:
    """A dict as a Polynomial, through the public constructor (dense exponents)."""
    return Polynomial(variables, {tuple(dict(m).get(j, 0) for j in range(len(variables))): c for m, c in p.items()})


# --- linear algebra --------------------------------------------------------------------------------------------------


def naive_rref(rows: Matrix, p: int) -> tuple[Matrix, list[int]]:
    """The reduced row echelon form mod p (nonzero rows only) and its pivot columns."""
    rows = [[x % p for x in row] for row in rows]
    pivots: list[int] = []
    for j in range(len(rows[0]) if rows else 0):
        r = len(pivots)
        i = next((i for i in range(r, len(rows)) if rows[i][j]), None)
        if i is None:
            continue
        rows[r], rows[i] = rows[i], rows[r]
        scale = pow(rows[r][j], -1, p)
        rows[r] = [x * scale % p for x in rows[r]]
        for k in range(len(rows)):
            if k != r and rows[k][j]:
                rows[k] = [(x - rows[k][j] * y) % p for x, y in zip(rows[k], rows[r], strict=True)]
        pivots.append(j)
    return rows[: len(pivots)], pivots


def naive_rank(rows: Matrix, p: int) -> int:
    """Rank mod p."""
    return len(naive_rref(rows, p)[1])


def naive_nullspace(rows: Matrix, columns: int, p: int) -> list[list[int]]:
    """The nullspace mod p in reduced form: each vector leads with a 1, where all others are 0."""
    form, pivots = naive_rref([row[::-1] for row in rows], p)
    pivots = [columns - 1 - j for j in pivots]
    basis = []
    for f in (f for f in range(columns) if f not in pivots):
        vector = [0] * columns
        vector[f] = 1
        for row, j in zip(form, pivots, strict=True):
            vector[j] = -row[columns - 1 - f] % p
        basis.append(vector)
    return basis


def rational_rank(rows: list[list[Fraction | int]]) -> int:
    """Rank over Q, by elimination with fractions."""
    rows, rank = [[Fraction(x) for x in row] for row in rows], 0
    for j in range(len(rows[0]) if rows else 0):
        i = next((i for i in range(rank, len(rows)) if rows[i][j]), None)
        if i is None:
            continue
        rows[rank], rows[i] = rows[i], rows[rank]
        for k in range(rank + 1, len(rows)):
            factor = rows[k][j] / rows[rank][j]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[rank], strict=True)]
        rank += 1
    return rank


def naive_matmul(a: Matrix, b: Matrix, p: int) -> Matrix:
    """a @ b mod p for b with at least one row."""
    return [[sum(x * y for x, y in zip(row, column, strict=True)) % p for column in zip(*b, strict=True)] for row in a]


def words(rows: Matrix, columns: int | None = None) -> np.ndarray:
    """A matrix as an array of words."""
    return np.array(rows, dtype=np.uint64).reshape(len(rows), len(rows[0]) if rows else columns or 0)


# --- random inputs, seeded -------------------------------------------------------------------------------------------


def random_residue(rng: random.Random, p: int) -> int:
    """A residue, often one at the ends of the range."""
    return rng.choice([0, 0, 1, p - 1, rng.randrange(p), rng.randrange(p)])


def random_matrix(rng: random.Random, n: int, m: int, p: int, rank: int | None = None) -> Matrix:
    """An n x m matrix of residues; of rank at most ``rank`` when given, with zero rows for 0."""
    if rank is None:
        return [[random_residue(rng, p) for _ in range(m)] for _ in range(n)]
    base = [[rng.randrange(p) for _ in range(m)] for _ in range(rank)]
    weights = [[random_residue(rng, p) for _ in range(rank)] for _ in range(n)]
    return [[sum(w * row[j] for w, row in zip(ws, base, strict=True)) % p for j in range(m)] for ws in weights]


def random_equations(rng: random.Random, rows: int, columns: int, p: int) -> list[list[tuple[int, int]]]:
    """Sparse equations as (unknown, value) pairs: short ones are frequent, an unknown may repeat, a value may be 0."""
    lengths = [rng.choice([1, 2, 2, 2, 3, 4, 6]) for _ in range(rows)]
    return [[(rng.randrange(columns), random_residue(rng, p)) for _ in range(length)] for length in lengths]


def dense_equations(equations: list[list[tuple[int, int]]], columns: int, p: int) -> Matrix:
    """Sparse equations as a dense matrix."""
    out = [[0] * columns for _ in equations]
    for row, equation in zip(out, equations, strict=True):
        for x, v in equation:
            row[x] = (row[x] + v) % p
    return out


def random_monomial(rng: random.Random, variables: int, max_power: int = 3) -> Monomial:
    """A monomial in few of the variables, sometimes 1."""
    chosen = sorted(rng.sample(range(variables), rng.randint(0, min(3, variables))))
    return tuple((v, rng.randint(1, max_power)) for v in chosen)


def random_coefficient(rng: random.Random) -> Fraction:
    """A small integer, a fraction, or a number beyond int64."""
    small, large = Fraction(rng.randint(-4, 4) or 1), Fraction(rng.choice([-1, 1]) * (BIG + rng.randint(0, 9)))
    return rng.choice([small, small, small / rng.randint(2, 6), large])


def random_sparse(rng: random.Random, variables: int, terms: int = 3, max_power: int = 3) -> Sparse:
    """A sparse polynomial, sometimes 0."""
    return naive_sum(
        *({random_monomial(rng, variables, max_power): random_coefficient(rng)} for _ in range(rng.randint(0, terms)))
    )


def random_fields(rng: random.Random, variables: tuple[str, ...], count: int, max_power: int = 2) -> VectorFields:
    """A family in which a field may be zero or repeated."""
    D = len(variables)
    fields: list[Field] = []
    for _ in range(count):
        fresh = [random_sparse(rng, D, max_power=max_power) for _ in range(D)]
        fields.append(rng.choice([fresh, fresh, fresh, [{}] * D, rng.choice(fields) if fields else fresh]))
    return from_fields(variables, fields)


def names(count: int) -> tuple[str, ...]:
    """x0, x1, ..."""
    return tuple(f"x{i}" for i in range(count))


# --- random inputs, from hypothesis ----------------------------------------------------------------------------------


def coefficients() -> st.SearchStrategy[Fraction]:
    """Rational numbers: small, fractional, at the end of int64, beyond it."""
    edge = st.sampled_from([2**62, 2**63 - 1, -(2**63), 2**63, BIG, -BIG])
    small = st.fractions(min_value=-5, max_value=5, max_denominator=6)
    return st.one_of(st.integers(-5, 5), small, edge, st.fractions(max_denominator=2**70)).map(Fraction)


def monomials(variables: int, max_power: int = 3) -> st.SearchStrategy[Monomial]:
    """Monomials in the given number of variables."""
    exponents = st.lists(st.integers(0, max_power), min_size=variables, max_size=variables)
    return exponents.map(lambda e: tuple((v, k) for v, k in enumerate(e) if k))


def sparse_polynomials(variables: int, max_terms: int = 4, max_power: int = 3) -> st.SearchStrategy[Sparse]:
    """Dict polynomials, with 0."""
    raw = st.dictionaries(monomials(variables, max_power), coefficients(), max_size=max_terms)
    return raw.map(lambda p: {m: c for m, c in p.items() if c})


def polynomials(variables: tuple[str, ...] = XYZ, max_terms: int = 4) -> st.SearchStrategy[Polynomial]:
    """Polynomials in the given variables."""
    return sparse_polynomials(len(variables), max_terms).map(lambda p: from_sparse(variables, p))


@st.composite
def vector_fields(draw: st.DrawFn, variables: tuple[str, ...] = XYZ, count: int | None = None) -> VectorFields:
    """Families of ``count`` (or 0 to 3) fields; zero components, zero fields and repeated fields occur."""
    D, fields = len(variables), []
    for _ in range(draw(st.integers(0, 3)) if count is None else count):
        kind = draw(st.sampled_from(["fresh", "fresh", "fresh", "zero", "repeated"]))
        component = sparse_polynomials(D, max_terms=2, max_power=2)
        fresh = draw(st.lists(component, min_size=D, max_size=D)) if kind == "fresh" or not fields else fields[-1]
        fields.append([{}] * D if kind == "zero" else fresh)
    return from_fields(variables, fields)


@st.composite
def expression_texts(draw: st.DrawFn, variables: tuple[str, ...] = XYZ, depth: int = 3) -> str:
    """Texts of the grammar of clexact.algebra.parse, which Python reads as the same expression once ^ is **."""
    if depth == 0:
        return draw(st.sampled_from([*variables, "0", "1", "2", "7"]))
    inner = expression_texts(variables, depth - 1)
    kind = draw(st.sampled_from(["+", "-", "*", "sign", "power", "divided", "leaf"]))
    if kind == "leaf":
        return draw(expression_texts(variables, 0))
    if kind == "sign":
        return draw(st.sampled_from(["-", "+"])) + draw(inner)
    if kind == "power":
        base = draw(st.one_of(expression_texts(variables, 0), inner.map(lambda t: f"({t})")))
        return f"{base}{draw(st.sampled_from(['^', '**', ' ^ ']))}{draw(st.integers(0, 3))}"
    if kind == "divided":
        return f"({draw(inner)})/{draw(st.sampled_from(['2', '-3', '(1/2 - 2)', '2^2']))}"
    parts = [draw(inner), draw(inner)]
    wrapped = [f"({t})" if draw(st.booleans()) else t for t in parts]
    space = draw(st.sampled_from(["", " "]))
    return f"{wrapped[0]}{space}{kind}{space}{wrapped[1]}"
