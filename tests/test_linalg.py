"""Linear algebra mod p against FLINT and naive elimination; rational reconstruction."""

import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from math import gcd, isqrt

import flint
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    MODEST,
    PRIMES,
    SHAPES,
    dense_equations,
    naive_matmul,
    naive_nullspace,
    naive_rank,
    naive_rref,
    random_equations,
    random_matrix,
    words,
)
from threadpoolctl import threadpool_info, threadpool_limits

from clexact.algebra import echelon, linalg, sparse_nullspace
from clexact.algebra.echelon import Echelon
from clexact.algebra.linalg import dense_nullspace, primitive, reconstruct
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.support import threads

BLAS_PRIMES = [2, 3, 65537, 2**22 - 3]  # float64 products
BIG_PRIMES = [2**22 + 15, 2**31 - 1, 2**61 - 1, 2**62 - 57]


@pytest.mark.parametrize(
    "rows", [[], [[0, 0, 0]], [[0, 2, 4]], [[1, 2, 3], [Fraction(1, 2), 1, 0]], np.eye(3, dtype=object)]
)
def test_rational_nullspace(rows):
    """As many as the rank leaves, independent, and annihilated; of no rows everything."""
    matrix = sympy.Matrix([[*row] for row in rows] or sympy.zeros(0, 3))
    basis = linalg.rational_nullspace([[*row] for row in rows], 3)
    assert len(basis) == 3 - matrix.rank() == sympy.Matrix(basis or sympy.zeros(0, 3)).rank()
    assert all(not any(matrix * sympy.Matrix(vector)) for vector in basis)
    assert linalg.rational_nullspace([], 0) == []


@pytest.mark.parametrize("n", [*range(-3, 60), 2**31 - 1, 2**31, 2**61 - 1, 2**62 - 57, 3215031751, 2**127 - 1])
def test_is_prime(n):
    assert linalg.is_prime(n) is sympy.isprime(n)


def test_the_primes_stand_on_both_sides_of_the_float_limit():
    assert max(BLAS_PRIMES) < linalg.BLAS_PRIME < min(BIG_PRIMES)
    assert all(map(sympy.isprime, BLAS_PRIMES + BIG_PRIMES))
    assert 512 * (linalg.BLAS_PRIME - 1) ** 2 < 2**53


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("left", "right"), [((5,), (5,)), ((0,), (0,)), ((4, 1), (1, 3)), ((2, 3), (3,)), ((1,), ())])
def test_entrywise_arithmetic(p, left, right):
    rng = random.Random(len(left))
    flat = [random_matrix(rng, 1, int(np.prod(shape)), p)[0] for shape in (left, right)]
    a, b = (np.array(x, dtype=np.uint64).reshape(shape) for x, shape in zip(flat, (left, right), strict=True))
    wide, tall = a.astype(object), b.astype(object)
    assert np.array_equal(linalg.add(a, b, p), (wide + tall) % p)
    assert np.array_equal(linalg.subtract(a, b, p), (wide - tall) % p)
    assert np.array_equal(linalg.multiply(a, b, p), (wide * tall) % p)


@pytest.mark.slow
@pytest.mark.parametrize("p", BLAS_PRIMES + BIG_PRIMES)
@pytest.mark.parametrize(("n", "m", "k"), [(1, 3, 2), (32, 32, 32), (40, 512, 33), (33, 513, 40), (0, 4, 2), (3, 0, 2)])
def test_matmul(p, n, m, k):
    rng = random.Random(n + m + k)
    a, b = (random_matrix(rng, *shape, p) for shape in ((n, m), (m, k)))
    out = linalg.matmul(words(a, m)[None], words(b, k)[None], p)
    assert out.shape == (1, n, k) and out.dtype == np.uint64
    assert out[0].tolist() == (naive_matmul(a, b, p) if m else [[0] * k] * n)


@pytest.mark.slow
@pytest.mark.parametrize("p", BLAS_PRIMES + BIG_PRIMES)
@pytest.mark.parametrize("size", [3, 40])
def test_matmul_of_stacks_shares_a_stack_of_one(p, size):
    rng = random.Random(size)
    a, b = (np.array([random_matrix(rng, size, size, p) for _ in range(n)], dtype=np.uint64) for n in (1, 3))
    for left, right in ((a, b), (b, a), (b, b)):
        out = linalg.matmul(left, right, p)
        pairs = zip(np.broadcast_to(left, b.shape), np.broadcast_to(right, b.shape), strict=True)
        assert out.tolist() == [naive_matmul(x.tolist(), y.tolist(), p) for x, y in pairs]


@pytest.mark.parametrize("p", BLAS_PRIMES)
def test_matmul_of_largest_residues_is_exact(p):
    a = np.full((1, 32, 512), p - 1, dtype=np.uint64)
    assert (linalg.matmul(a, a.transpose(0, 2, 1), p) == 512 % p).all()


@pytest.mark.parametrize("p", [2, 7, 2**31 - 1, 2**61 - 1, 2**62 - 57])
def test_residues(p):
    values = [0, 1, -1, 10**30, -(10**30), Fraction(3, 5), Fraction(-(10**20), 11)]
    out = linalg.residues(np.array(values, dtype=object), p)
    assert [int(r) * Fraction(v).denominator % p for r, v in zip(out, values, strict=True)] == [
        Fraction(v).numerator % p for v in values
    ]
    assert out.dtype == np.uint64 and all(int(r) < p for r in out)


@pytest.mark.parametrize("p", [2, 7, 2**31 - 1, 2**61 - 1, 2**62 - 57])
def test_residues_of_machine_integers(p):
    values = np.array([[0, 1, -1], [5, 2**63 - 1, -(2**63)]], dtype=np.int64)
    assert linalg.residues(values, p).tolist() == [[int(v) % p for v in row] for row in values]


@pytest.mark.parametrize("p", [2, 7, 2**61 - 1])
def test_residues_rejects_a_denominator_that_p_divides(p):
    with pytest.raises(ZeroDivisionError):
        linalg.residues(np.array([1, Fraction(1, p)], dtype=object), p)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("start", [[0], [0, 0, 4], [1, 3, 3, 6]])
def test_segment_sums(p, start):
    rows = random_matrix(random.Random(2), 6, 4, p)
    turned = words(rows).T  # not contiguous
    out = linalg.segment_sums(turned, np.array(start, dtype=np.int64), p)
    assert out.tolist() == [[sum(column[a:b]) % p for a, b in pairwise(start)] for column in turned.tolist()]


# --- rank and echelon form -------------------------------------------------------------------------------------------


def flint_rank(rows, p):
    return flint.nmod_mat(rows.shape[0], rows.shape[1], [int(x) for x in rows.ravel()], p).rank() if rows.size else 0


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rank(p, shape):
    rows = words(random_matrix(random.Random(sum(shape)), *shape, p), shape[1])
    before = rows.copy()
    assert echelon.rank(rows, p) == flint_rank(rows, p)
    assert np.array_equal(rows, before)


@pytest.mark.slow
@pytest.mark.parametrize("p", BLAS_PRIMES + BIG_PRIMES)
@pytest.mark.parametrize(("n", "m", "rank"), [(300, 260, 190), (150, 400, 150), (400, 150, 149), (200, 200, 0)])
def test_rank_of_large_matrices(p, n, m, rank):
    generator = np.random.default_rng(n)
    left, right = (generator.integers(0, p, shape, dtype=np.uint64) for shape in ((n, rank), (rank, m)))
    rows = linalg.matmul(left[None], right[None], p)[0]
    assert echelon.rank(rows, p) == flint_rank(rows, p) <= rank


@pytest.mark.slow
@pytest.mark.parametrize("p", [7, 2**22 - 3, 2**61 - 1])
def test_rank_past_the_chunks_of_512(p):
    rows = np.random.default_rng(1).integers(0, p, (600, 640), dtype=np.uint64)
    rows[560:] = linalg.add(rows[:40], rows[200:240], p)
    assert echelon.rank(rows, p) == flint_rank(rows, p) == 560


@pytest.mark.parametrize("p", PRIMES)
def test_rank_leaves_out_columns_of_zeros(p):
    rows = np.random.default_rng(2).integers(0, p, (90, 150), dtype=np.uint64)
    rows[:, ::3] = rows[:, 140:] = 0
    assert echelon.rank(rows, p) == flint_rank(rows, p)
    assert echelon.rank(np.zeros_like(rows), p) == 0


@pytest.mark.parametrize("p", [0, 1, 4, 2**22, 2**31 * 3, 2**62 + 135, 2**64])
def test_rank_refuses_what_is_no_prime_below_2_62(p):
    with pytest.raises(ValueError, match=rf"prime below 2\^62, not {p}"):
        echelon.rank(np.ones((2, 2), dtype=np.uint64), p)


def check_echelon(form, rows, fresh, p):
    """Fresh rows are the first independent ones, regular on the pivots; what is reduced is zero there, and no more."""
    ranks = [naive_rank(rows[:i], p) for i in range(len(rows) + 1)]
    assert list(fresh) == [b > a for a, b in pairwise(ranks)]
    assert form.rank == ranks[-1] == len(form.pivots)
    pivots = form.pivots.tolist()
    assert naive_rank([[row[j] for j in pivots] for row, kept in zip(rows, fresh, strict=True) if kept], p) == form.rank
    width = len(rows[0])
    probes = [[int(i == j) for j in range(width)] for i in range(width)]
    rest = form.reduced(words(probes, width)).tolist()
    assert not any(row[j] for row in rest for j in pivots)
    taken = [[(a - b) % p for a, b in zip(*pair, strict=True)] for pair in zip(probes, rest, strict=True)]
    assert naive_rank([*rows, *taken], p) == form.rank


@pytest.mark.slow
@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("n", "m", "rank"), [(1, 1, 0), (1, 5, 1), (9, 4, 2), (70, 12, 11), (20, 40, 13)])
@pytest.mark.parametrize("step", [1, 5, 100])
def test_echelon_grows_by_rows(p, n, m, rank, step):
    rows = random_matrix(random.Random(n * m), n, m, p, rank)
    form = Echelon(m, p)
    fresh = [form.add(words(rows[i : i + step])) for i in range(0, n, step)]
    check_echelon(form, rows, np.concatenate(fresh), p)


@pytest.mark.parametrize("p", [3, 2**22 - 3, 2**61 - 1])
def test_echelon_of_many_rows_has_the_rank_of_flint(p):
    rows = np.random.default_rng(8).integers(0, p, (130, 150), dtype=np.uint64)
    rows[64:70] = rows[:6]
    form = Echelon(150, p)
    fresh = form.add(rows)
    assert form.rank == flint_rank(rows, p) == fresh.sum() and not fresh[64:70].any()
    assert flint_rank(rows[fresh][:, form.pivots], p) == form.rank


@pytest.mark.slow
@pytest.mark.parametrize("p", [2, 3, 251, 257, 2**22 - 3, 2**61 - 1])
@pytest.mark.parametrize("kind", ["zero columns", "rows on columns of their own", "columns reversed", "half rank"])
def test_echelon_where_the_first_columns_do_not_do(p, kind):
    """Blocks whose pivots lie anywhere, so that columns change places: FLINT's rank, and regular on the pivots."""
    rng = np.random.default_rng(4)
    rows = rng.integers(0, p, (330, 300), dtype=np.uint64)
    if kind == "zero columns":
        rows[:, ::3] = 0
    elif kind == "columns reversed":
        rows[:100, :200] = 0
    elif kind == "half rank":
        rows[165:] = linalg.add(rows[:165], np.roll(rows[:165], 1, axis=0), p)
    else:
        rows = np.kron(np.eye(10, dtype=np.uint64), rng.integers(0, p, (33, 30), dtype=np.uint64))
    form = Echelon(300, p)
    fresh = np.concatenate([form.add(rows[a:b]) for a, b in pairwise([0, 7, 90, 91, 330])])
    assert form.rank == fresh.sum() == flint_rank(rows, p)
    assert flint_rank(rows[fresh][:, form.pivots], p) == form.rank and not form.reduced(rows).any()


@pytest.mark.slow
@pytest.mark.parametrize("p", [2, 251, 2**22 - 3])
def test_rank_is_the_same_for_any_number_of_threads(p):
    rows = np.random.default_rng(5).integers(0, p, (700, 1300), dtype=np.uint64)
    rows[600:] = linalg.add(rows[:100], rows[300:400], p)
    found = []
    for count in (1, 2, 5):
        with threads.threads(count):
            form = Echelon(1300, p)
            found.append((form.add(rows).tolist(), form.pivots.tolist(), form.reduced(rows[::-1] + 0).tolist()))
    assert found[0] == found[1] == found[2] and sum(found[0][0]) == flint_rank(rows, p)


def test_blas_keeps_to_one_thread_until_the_last_block_ends():
    """Blocks of two threads that overlap; then it has as many threads as before."""

    def used():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = used()
        first, second = threads.one_blas_thread(), threads.one_blas_thread()
        first.__enter__()
        held = used()
        with ThreadPoolExecutor(1) as other:
            other.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert 1 in held != before and used() == held
        second.__exit__(None, None, None)
        assert used() == before


@pytest.mark.slow
@pytest.mark.parametrize("p", [3, 2**22 - 3, 2**22 + 15, 2**61 - 1])
def test_echelon_of_more_rows_than_a_panel(p):
    """Several blocks, rows in unequal portions, half of them dependent: FLINT's rank, and which rows raise it."""
    rng = np.random.default_rng(9)
    n, rank = 700, 560
    left, right = (rng.integers(0, p, shape, dtype=np.uint64) for shape in ((n, rank), (rank, 600)))
    rows = np.array(flint_product(left, right, p), dtype=np.uint64)
    form = Echelon(600, p)
    fresh = np.concatenate([form.add(rows[a:b]) for a, b in pairwise([0, 3, 520, 541, 700])])
    assert form.rank == fresh.sum() == flint_rank(rows, p)
    assert flint_rank(rows[fresh], p) == form.rank and not form.reduced(rows[~fresh]).any()


def flint_product(a, b, p):
    """a @ b mod p by FLINT."""
    matrices = [flint.nmod_mat(*x.shape, [int(c) for c in x.ravel()], p) for x in (a, b)]
    product = matrices[0] * matrices[1]
    return [[int(product[i, j]) for j in range(b.shape[1])] for i in range(len(a))]


@pytest.mark.parametrize("p", [7, 2**22 - 3, 2**61 - 1])
@pytest.mark.parametrize("layout", ["C", "F", "reversed", "read-only"])
def test_echelon_takes_any_memory_layout(p, layout):
    rows = np.random.default_rng(3).integers(0, p, (140, 80), dtype=np.uint64)
    rows[100:120] = rows[30:50]
    given = {"C": rows, "F": np.asfortranarray(rows), "reversed": rows[:, ::-1], "read-only": rows.copy()}[layout]
    given.flags.writeable = layout != "read-only"
    form = Echelon(80, p)
    form.add(given[:70])
    form.add(given[70:])
    assert form.rank == flint_rank(rows, p)


@pytest.mark.parametrize("p", PRIMES)
def test_reduced_is_zero_exactly_on_the_row_space(p):
    rng = random.Random(6)
    rows = random_matrix(rng, 6, 9, p, 4)
    form = Echelon(9, p)
    form.add(words(rows))
    inside = naive_matmul(random_matrix(rng, 5, 6, p), rows, p)
    assert not form.reduced(words(inside)).any()
    probes = random_matrix(rng, 12, 9, p)
    rest = form.reduced(words(probes))
    assert not rest[:, form.pivots].any()
    outside = [naive_rank([*rows, probe], p) > form.rank for probe in probes]
    assert rest.any(axis=1).tolist() == outside


def test_echelon_without_rows_or_columns():
    form = Echelon(4, 7)
    assert form.add(np.empty((0, 4), dtype=np.uint64)).tolist() == [] and form.rank == 0
    none = Echelon(0, 7)
    assert none.add(np.empty((3, 0), dtype=np.uint64)).tolist() == [False] * 3 and none.rank == 0
    assert form.reduced(words([[1, 2, 3, 4]])).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_row_reduce(p, shape):
    rows = random_matrix(random.Random(sum(shape) + 1), *shape, p)
    given = words(rows, shape[1])
    out = linalg.row_reduce(given, p).tolist()
    leads = [next((j for j, x in enumerate(row) if x), shape[1]) for row in out]
    nonzero = [row for lead, row in sorted(zip(leads, out, strict=True)) if any(row)]
    assert nonzero == naive_rref(rows, p)[0]
    assert given.tolist() == rows


# --- nullspaces ------------------------------------------------------------------------------------------------------


def as_rows(vectors, columns):
    return [[vector.get(x, 0) for x in range(columns)] for vector in vectors]


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("n", "m", "rank"), [(0, 3, 0), (1, 1, 1), (3, 7, 2), (7, 3, 3), (6, 6, 5), (2, 4, 0)])
def test_dense_nullspace(p, n, m, rank):
    rows = random_matrix(random.Random(n + m), n, m, p, rank)
    found = dense_nullspace(rows, m, p)
    assert as_rows([found[f] for f in sorted(found)], m) == naive_nullspace(rows, m, p)
    assert all(min(vector) == f and vector[f] == 1 for f, vector in found.items())


def sparse_rows(equations, columns, p, rng):
    """SparseRows of (unknown, value) pairs, entries shuffled and keyed by arbitrary distinct words."""
    keys = rng.sample(range(2**62), len(equations))
    entries = [(key, *entry) for key, equation in zip(keys, equations, strict=True) for entry in equation]
    rng.shuffle(entries)
    types = (np.uint64, np.int64, np.uint64)
    arrays = [np.array([entry[k] for entry in entries], dtype=dtype) for k, dtype in enumerate(types)]
    return SparseRows(*arrays, columns, p)


def check_nullspace(equations, columns, p, rng):
    found = sparse_rows(equations, columns, p, rng).nullspace()
    dense = dense_equations(equations, columns, p)
    assert as_rows(found, columns) == naive_nullspace(dense, columns, p)
    assert len(found) == columns - naive_rank(dense, p)
    for vector in found:
        assert next(iter(vector.values())) == 1 and list(vector) == sorted(vector) and all(vector.values())
        assert not any(sum(v * vector.get(x, 0) for x, v in equation) % p for equation in equations)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 4), (1, 1), (5, 15), (15, 15), (20, 40), (50, 20), (40, 60)])
def test_sparse_nullspace(p, rows, columns):
    rng = random.Random(rows * columns)
    check_nullspace(random_equations(rng, rows, columns, p), columns, p, rng)


@pytest.mark.parametrize("p", [2, 65537, 2**61 - 1])
@pytest.mark.parametrize(("rows", "columns", "length"), [(8, 20, 4), (12, 12, 5), (40, 16, 6), (30, 40, 3), (5, 30, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_sparse_nullspace_of_long_equations(p, rows, columns, length, seed):
    rng = random.Random(seed)
    equations = [[(x, rng.randrange(1, p)) for x in rng.sample(range(columns), length)] for _ in range(rows)]
    check_nullspace(equations, columns, p, rng)


@pytest.mark.parametrize("p", [3, 2**61 - 1])
def test_sparse_nullspace_of_redundant_equations(p):
    rng = random.Random(4)
    base = random_matrix(rng, 5, 12, p)
    rows = [*base, *base, *naive_matmul(random_matrix(rng, 40, 5, p), base, p)]
    equations = [list(enumerate(row)) for row in rows]
    check_nullspace(equations, 12, p, rng)


@pytest.mark.parametrize("p", [7, 2**61 - 1])
def test_sparse_nullspace_is_that_of_flint(p):
    rng = random.Random(12)
    chosen = [rng.sample(range(160), rng.choice([2, 3, 3, 5])) for _ in range(120)]
    equations = [[(x, rng.randrange(1, p)) for x in unknowns] for unknowns in chosen]
    found = sparse_rows(equations, 160, p, rng).nullspace()
    dense = flint.nmod_mat(dense_equations(equations, 160, p), p)
    assert len(found) == 160 - dense.rank() > 0
    product = dense * flint.nmod_mat(as_rows(found, 160), p).transpose()
    assert product.rank() == 0
    leads = [next(iter(vector)) for vector in found]
    assert leads == sorted(set(leads))
    assert all(vector[f] == 1 and vector.keys() & set(leads) == {f} for f, vector in zip(leads, found, strict=True))


def test_sparse_nullspace_does_not_depend_on_the_order_of_entries():
    equations = random_equations(random.Random(9), 30, 25, 2**61 - 1)
    spaces = [sparse_rows(equations, 25, 2**61 - 1, random.Random(seed)).nullspace() for seed in range(4)]
    assert all(space == spaces[0] for space in spaces)


# --- lifting ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(st.data())
def test_reconstruct_round_trip(data):
    p = data.draw(st.sampled_from([101, 65537, 2**31 - 1, 2**61 - 1, 2**521 - 1]))
    bound = isqrt(p // 2)
    value = Fraction(data.draw(st.integers(-bound, bound)), data.draw(st.integers(1, bound)))
    assert reconstruct(value.numerator * pow(value.denominator, -1, p), p) == value


@pytest.mark.parametrize("m", [3, 5, 7, 35, 64, 97, 210, 211])
def test_reconstruct_finds_a_fraction_exactly_when_there_is_one(m):
    bound = isqrt(m // 2)
    found = 0
    for residue in range(m):
        small = {
            Fraction(n, d)
            for d in range(1, bound + 1)
            for n in range(-bound, bound + 1)
            if gcd(n, d) == 1 and (n - d * residue) % m == 0
        }
        assert {reconstruct(residue, m)} - {None} == small
        found += bool(small)
    assert 0 < found <= m


def test_reconstruct_takes_any_representative():
    assert reconstruct(-1, 101) == reconstruct(100, 101) == reconstruct(201, 101) == -1


@MODEST
@given(st.dictionaries(st.integers(-9, 9), st.fractions(max_denominator=10**6), max_size=6))
def test_primitive(vector):
    out = primitive(vector)
    assert list(out) == sorted(k for k, v in vector.items() if v)
    if out:
        first = next(iter(out))
        assert out[first] > 0 and gcd(*out.values()) == 1 and all(type(v) is int for v in out.values())
        assert all(out[k] * vector[first] == vector[k] * out[first] for k in out)


@pytest.mark.parametrize("vector", [{}, {3: Fraction(0)}])
def test_primitive_of_zero_is_empty(vector):
    assert primitive(vector) == {}


def test_primitive_drops_zeros_and_turns_the_sign():
    assert primitive({5: Fraction(0), 2: Fraction(4, 3), 1: Fraction(-2)}) == {1: 3, 2: -2}


@given(st.integers(1, 25), st.integers(1, 25), st.randoms(use_true_random=False))
def test_sparse_and_dense_cores_agree(size, count, rng):
    """The reduced form of a nullspace is one, whichever way it is found."""
    prime = 2**61 - 1
    names = sorted(rng.sample(range(100), size))
    chosen = [sorted(rng.sample(names, rng.randint(1, min(4, size)))) for _ in range(count)]
    equations = [{x: rng.choice([1, prime - 1, 2, 3]) for x in unknowns} for unknowns in chosen]
    found = [
        sparse_nullspace._dense_core(names, equations, prime),
        sparse_nullspace._sparse_core(names, equations, prime, 10**4),
    ]
    dense, sparse = (sorted(sorted(vector.items()) for vector in basis) for basis in found)
    assert dense == sparse
    assert all(sum(c * v.get(x, 0) for x, c in e.items()) % prime == 0 for e in equations for v in found[1])
    assert sparse_nullspace._sparse_core(names, equations, prime, 0) is None
