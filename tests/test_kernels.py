"""Each kernel against its plain-Python twin."""

import random
from collections import defaultdict
from itertools import accumulate, pairwise

import numpy as np
import pytest
import sympy
from reference import (
    PRIMES,
    SHAPES,
    dense_equations,
    naive_hash,
    naive_lie_derivative,
    naive_matmul,
    naive_mix,
    naive_nullspace,
    naive_partials,
    naive_product,
    naive_rank,
    naive_rref,
    pack,
    random_equations,
    random_matrix,
    random_monomial,
    unpack,
    words,
)

from clexact._kernels import balanced, bits, modular, monomials, system

MAX_POWER = 2**31 - 1
EDGES = [(), ((0, 1),), ((0, MAX_POWER),), ((3, 1), (2**31 - 1, MAX_POWER)), ((2**31 - 1, 1),)]
EMPTY_PACK = pack([])


def some_monomials(seed, count=30, variables=6):
    """Random monomials between the edge cases, some repeated."""
    rng = random.Random(seed)
    fresh = [random_monomial(rng, variables) for _ in range(count)]
    return [*EDGES, *fresh, *fresh[:5]]


@pytest.mark.parametrize("p", PRIMES)
def test_the_primes_of_the_tests_are_primes_that_fit(p):
    assert sympy.isprime(p) and p < 2**62


# --- monomials -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_hashes(seed):
    chosen = some_monomials(seed)
    assert monomials.hashes(*pack(chosen)).tolist() == [naive_hash(m) for m in chosen]


def test_hashes_of_no_row():
    assert monomials.hashes(*EMPTY_PACK).shape == (0,)


def test_hashes_are_additive_and_variables_differ():
    rng = random.Random(1)
    pairs = [(random_monomial(rng, 9), random_monomial(rng, 9)) for _ in range(40)]
    left, right, both = ([*map(f, pairs)] for f in (lambda s: s[0], lambda s: s[1], lambda s: naive_product(*s)))
    total = monomials.hashes(*pack(left)) + monomials.hashes(*pack(right))
    assert np.array_equal(total, monomials.hashes(*pack(both)))
    single = monomials.hashes(*pack([((v, 1),) for v in range(10**4)]))
    assert len(np.unique(single)) == 10**4
    assert single[9999] == naive_mix(9999)


@pytest.mark.parametrize("index", [[], [0], [2, 2, 0, 1], list(range(20)), list(range(19, -1, -3))])
def test_take(index):
    chosen = some_monomials(5)
    taken = monomials.take(*pack(chosen), np.array(index, dtype=np.int64))
    assert unpack(*taken) == [chosen[i] for i in index]
    assert taken[0].dtype == np.int64 and taken[1].dtype == taken[2].dtype == np.int32


@pytest.mark.parametrize("seed", range(3))
def test_products(seed):
    rng = random.Random(seed)
    a, b = ([random_monomial(rng, 5) for _ in range(n)] for n in (12, 9))
    ia, ib = (np.array([rng.randrange(n) for _ in range(60)], dtype=np.int64) for n in (12, 9))
    out = monomials.products(*pack(a), *pack(b), ia, ib)
    assert unpack(*out) == [naive_product(a[i], b[j]) for i, j in zip(ia, ib, strict=True)]


def test_products_of_no_pair():
    none = np.empty(0, dtype=np.int64)
    assert unpack(*monomials.products(*pack(EDGES), *EMPTY_PACK, none, none)) == []


@pytest.mark.parametrize(("k", "l"), [(1, MAX_POWER - 1), (2**30, 2**30 - 1), (MAX_POWER - 1, 1)])
def test_products_reach_the_largest_power(k, l):  # noqa: E741
    zero = np.zeros(1, dtype=np.int64)
    out = monomials.products(*pack([((0, 2), (4, k))]), *pack([((4, l),)]), zero, zero)
    assert unpack(*out) == [((0, 2), (4, MAX_POWER))]


@pytest.mark.parametrize(("k", "l"), [(1, MAX_POWER), (2**30, 2**30), (MAX_POWER, MAX_POWER)])
def test_products_reject_a_larger_power(k, l):  # noqa: E741
    pairs = np.array([0, 1, 0], dtype=np.int64)
    with pytest.raises(OverflowError, match=r"power exceeds 2\^31 - 1"):
        monomials.products(*pack([(), ((4, k),)]), *pack([(), ((4, l),)]), pairs, pairs)


@pytest.mark.parametrize("seed", range(3))
def test_partials(seed):
    chosen = some_monomials(seed)
    source, variable, factor, rows = monomials.partials(*pack(chosen))
    given = list(zip(source.tolist(), variable.tolist(), factor.tolist(), unpack(*rows), strict=True))
    assert given == [(t, *part) for t, m in enumerate(chosen) for part in naive_partials(m)]


@pytest.mark.parametrize("chosen", [[], [()], [(), ()]])
def test_partials_of_constants_are_none(chosen):
    source, variable, factor, rows = monomials.partials(*pack(chosen))
    assert len(source) == len(variable) == len(factor) == 0
    assert unpack(*rows) == []


def test_equal_pairs():
    chosen = some_monomials(7, count=12, variables=3)
    n = len(chosen)
    i, j = (side.astype(np.int64).ravel().copy() for side in np.indices((n, n)))
    same = monomials.equal_pairs(*pack(chosen), i, j)
    assert same.dtype == np.bool_
    assert same.tolist() == [a == b for a in chosen for b in chosen]


@pytest.mark.parametrize("pair", [(((0, 1),), ((0, 2),)), (((0, 1),), ((1, 1),)), (((0, 1),), ((0, 1), (1, 1)))])
def test_equal_pairs_sees_power_variable_and_length(pair):
    zero, one = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    assert not monomials.equal_pairs(*pack(list(pair)), zero, one)[0]
    assert not monomials.equal_pairs(*pack(list(pair)), one, zero)[0]
    assert monomials.equal_pairs(*pack(list(pair)), one, one)[0]


# --- modular ---------------------------------------------------------------------------------------------------------


def stack_of(rng, count, n, m, p):
    return np.array([random_matrix(rng, n, m, p) for _ in range(count)], dtype=np.uint64).reshape(count, n, m)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("n", "m", "k"), [(1, 1, 1), (3, 5, 2), (2, 40, 3), (1, 7, 4)])
@pytest.mark.parametrize(("left", "right"), [(1, 1), (3, 3), (1, 3), (3, 1)])
def test_matmul(p, n, m, k, left, right):
    rng = random.Random(n * m + k)
    a, bt = stack_of(rng, left, n, m, p), stack_of(rng, right, k, m, p)
    out = modular.matmul(a, bt, p)
    assert out.shape == (max(left, right), n, k)
    for s, c in enumerate(out):
        x, y = a[s % left], bt[s % right]
        assert c.tolist() == naive_matmul(x.tolist(), y.T.tolist(), p)


@pytest.mark.parametrize("shapes", [((0, 2, 3), (0, 2, 3)), ((0, 2, 3), (1, 4, 3)), ((2, 0, 3), (2, 4, 3))])
def test_matmul_of_nothing(shapes):
    a, bt = (np.zeros(s, dtype=np.uint64) for s in shapes)
    assert modular.matmul(a, bt, 7).shape == (min(shapes[0][0], shapes[1][0]), shapes[0][1], shapes[1][1])


def test_matmul_over_no_inner_column_is_zero():
    out = modular.matmul(np.zeros((2, 3, 0), dtype=np.uint64), np.zeros((2, 4, 0), dtype=np.uint64), 7)
    assert out.shape == (2, 3, 4) and not out.any()


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("m", [14, 15, 16, 31, 4094, 4095, 4096, 9001])
def test_matmul_of_largest_residues_does_not_overflow(p, m):
    a = np.full((1, 1, m), p - 1, dtype=np.uint64)
    assert modular.matmul(a, a, p)[0, 0, 0] == m % p  # (-1)(-1) m


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("n", [0, 1, 50])
def test_multiply(p, n):
    rng = random.Random(n)
    a, b = (random_matrix(rng, 1, n, p)[0] for _ in range(2))
    out = modular.multiply(np.array(a, dtype=np.uint64), np.array(b, dtype=np.uint64), p)
    assert out.tolist() == [x * y % p for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("start", [[0], [0, 9], [0, 0, 3, 3, 9], [2, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_segment_sums(p, start):
    rows = [*random_matrix(random.Random(3), 2, 9, p), [p - 1] * 9]
    out = modular.segment_sums(words(rows), np.array(start, dtype=np.int64), p)
    assert out.tolist() == [[sum(row[a:b]) % p for a, b in pairwise(start)] for row in rows]


def echelon_of(rows, columns, p):
    form = words(rows, columns)
    pivots = modular.echelon(form, p)
    return form.tolist(), pivots.tolist()


def check_echelon(rows, columns, p):
    """The contract: pivots of the first independent rows, zero rows elsewhere, the reduced form of the same space."""
    form, pivots = echelon_of(rows, columns, p)
    ranks = [naive_rank(rows[:i], p) for i in range(len(rows) + 1)]
    assert [j >= 0 for j in pivots] == [b > a for a, b in pairwise(ranks)]
    assert all(j == -1 and not any(row) for row, j in zip(form, pivots, strict=True) if j < 0)
    by_pivot = [row for _, row in sorted((j, row) for row, j in zip(form, pivots, strict=True) if j >= 0)]
    assert (by_pivot, sorted(j for j in pivots if j >= 0)) == naive_rref(rows, p)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_echelon(p, shape):
    rng = random.Random(sum(shape))
    check_echelon(random_matrix(rng, *shape, p), shape[1], p)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("n", "m", "rank"), [(6, 6, 0), (8, 5, 3), (5, 8, 3), (9, 9, 8), (1, 4, 0), (12, 7, 1)])
def test_echelon_of_deficient_rank(p, n, m, rank):
    check_echelon(random_matrix(random.Random(n + m), n, m, p, rank), m, p)


@pytest.mark.parametrize("p", PRIMES)
def test_echelon_names_the_row_that_repeats(p):
    rows = [[0, 0, 1], [0, 0, p - 1], [1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert echelon_of(rows, 3, p)[1] == [2, -1, 0, -1, 1]


# --- system ----------------------------------------------------------------------------------------------------------


def random_integer_fields(rng, dimension, count, p):
    """Fields as lists of dict polynomials with coefficients in [0, p)."""

    def component():
        return {random_monomial(rng, dimension, 2): rng.randrange(1, p) for _ in range(rng.randint(0, 2))}

    return [[component() for _ in range(dimension)] for _ in range(count)]


def packed_components(fields, salts, dimension):
    """Terms of all fields sorted by component: (component_start, term_hash, term_coef)."""
    salted = list(zip(fields, salts, strict=True))
    by_component = [
        [((naive_hash(m) + salt) % 2**64, c) for field, salt in salted for m, c in field[j].items()]
        for j in range(dimension)
    ]
    start = [0, *accumulate(map(len, by_component))]
    flat = [entry for component in by_component for entry in component]
    arrays = [np.array([entry[i] for entry in flat], dtype=np.uint64) for i in (0, 1)]
    return np.array(start, dtype=np.int64), *arrays


@pytest.mark.parametrize("p", [2, 7, 65537, 2**33 - 9, 2**62 - 57])
@pytest.mark.parametrize(("dimension", "count", "chosen"), [(1, 1, 3), (4, 3, 20), (5, 0, 4), (3, 2, 0), (6, 2, 40)])
def test_equations_are_the_lie_derivatives_of_monomials(p, dimension, count, chosen):
    rng = random.Random(dimension + count + chosen)
    fields = random_integer_fields(rng, dimension, count, p)
    salts = [rng.randrange(2**64) for _ in range(count)]
    unknowns = sorted({random_monomial(rng, dimension, 4) for _ in range(chosen)})
    rows = pack(unknowns)
    variable_hash = np.array([naive_mix(v) for v in range(dimension)], dtype=np.uint64)
    key, unknown, value = system.equations(
        *rows, monomials.hashes(*rows), variable_hash, *packed_components(fields, salts, dimension), p
    )
    given = defaultdict(int)
    for k, x, v in zip(key.tolist(), unknown.tolist(), value.tolist(), strict=True):
        assert v < p
        given[k, x] = (given[k, x] + v) % p
    expected = {}
    for x, monomial in enumerate(unknowns):
        for field, salt in zip(fields, salts, strict=True):
            for m, c in naive_lie_derivative({monomial: 1}, field).items():
                expected[(naive_hash(m) + salt) % 2**64, x] = int(c) % p
    assert {k: v for k, v in given.items() if v} == {k: v for k, v in expected.items() if v}


def presolved(equations, columns, p):
    """Run presolve on (unknown, value) pairs; the results as lists."""
    start = [0, *accumulate(map(len, equations))]
    flat = [entry for equation in equations for entry in equation]
    arrays = np.array([x for x, _ in flat], dtype=np.int64), np.array([v for _, v in flat], dtype=np.uint64)
    return [out.tolist() for out in system.presolve(np.array(start, dtype=np.int64), *arrays, columns, p)]


def check_presolve(equations, columns, p):
    """Nothing is lost (all solutions obey root, weight, zero) and nothing is added (the dimensions agree)."""
    root, weight, zero, left = presolved(equations, columns, p)
    assert all(root[root[x]] == root[x] <= x and 0 < weight[x] < p for x in range(columns))
    assert all(weight[x] == 1 for x in range(columns) if root[x] == x)
    dense = dense_equations(equations, columns, p)
    solutions = naive_nullspace(dense, columns, p)
    for v in solutions:
        assert all(v[x] == weight[x] * v[root[x]] % p for x in range(columns))
        assert not any(v[x] for x in range(columns) if zero[root[x]])
    live = sorted({r for r in root if not zero[r]})
    rewritten = []
    for r in left:
        entries = [(live.index(root[x]), v * weight[x]) for x, v in equations[r] if not zero[root[x]]]
        rewritten += dense_equations([entries], len(live), p)
    assert all(sum(v != 0 for v in row) >= 3 for row in rewritten)
    assert len(live) - naive_rank(rewritten, p) == len(solutions)


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 5), (1, 1), (4, 12), (12, 12), (20, 30), (60, 25)])
def test_presolve(p, rows, columns):
    check_presolve(random_equations(random.Random(rows + columns), rows, columns, p), columns, p)


@pytest.mark.parametrize("p", PRIMES)
def test_presolve_follows_long_chains(p):
    rng, n = random.Random(2), 40
    links = [[(i, rng.randrange(1, p)), (i + 1, rng.randrange(1, p))] for i in range(n - 1)]
    rng.shuffle(links)
    check_presolve(links, n, p)
    assert presolved(links, n, p)[0] == [0] * n
    check_presolve([*links, [(n // 2, 1)]], n, p)
    root, _, zero, left = presolved([*links, [(n // 2, 1)]], n, p)
    assert zero[root[0]] and left == []


@pytest.mark.parametrize("p", [3, 7, 2**31 - 1, 2**62 - 57])
def test_presolve_zeroes_a_class_that_contradicts_itself(p):
    root, _, zero, left = presolved([[(0, 1), (1, 1)], [(0, 1), (1, p - 1)]], 3, p)  # a = -b and a = b
    assert zero[root[0]] and zero[root[1]] and not zero[root[2]] and left == []


@pytest.mark.parametrize("p", PRIMES)
def test_presolve_reopens_an_equation_that_becomes_short(p):
    equations = [[(0, 1), (1, 1), (2, 1), (3, 1)], [(2, 1)], [(3, 1)]]
    root, weight, zero, left = presolved(equations, 4, p)
    assert (root[1], weight[1], left) == (0, p - 1, [])
    assert [zero[r] for r in root] == [False, False, True, True]


# --- balanced residues in floating point -----------------------------------------------------------------------------

FLOATS = [(np.float32, p, 2**24) for p in (2, 3, 5, 251)] + [(np.float64, p, 2**53) for p in (2, 3, 65537, 2**22 - 3)]


@pytest.mark.parametrize(("kind", "p", "limit"), FLOATS)
def test_balanced_reduction_is_exact_up_to_its_limit(kind, p, limit):
    """Every value up to the limit, multiples of p and halves between them included."""
    rng = random.Random(p)
    top = min(limit - 2 * p - 2, p * limit // 4 - p)
    values = [0, 1, p - 1, p, p + 1, p // 2, p // 2 + 1, top, top - top % p, top - top % p - 1]
    values += [rng.randrange(top) for _ in range(2000)] + [p * rng.randrange(top // p) + p // 2 for _ in range(200)]
    given = np.array([values, [-v for v in values]], dtype=kind)
    for reduced in (given.copy(), given / 1):
        balanced.reduce(reduced, p)
        assert all((int(a) - int(b)) % p == 0 for a, b in zip(given.ravel(), reduced.ravel(), strict=True))
        assert abs(reduced).max() <= (p + 1) // 2
    assert balanced.words(given.copy(), p).tolist() == [[v % p for v in values], [-v % p for v in values]]
    far = np.array([[*values[1:], 0], values], dtype=kind)
    difference = np.array([[0] * len(values), values], dtype=kind)
    balanced.subtract(difference, far, p)
    assert [int(d) % p for d in difference.ravel()] == [-v % p for v in [*values[1:], 0]] + [0] * len(values)


@pytest.mark.parametrize(("kind", "p", "limit"), FLOATS)
@pytest.mark.parametrize(("n", "m", "rank"), [(1, 1, 0), (1, 4, 1), (6, 9, 4), (16, 5, 5), (3, 0, 0)])
def test_balanced_echelon(kind, p, limit, n, m, rank):
    rows = random_matrix(random.Random(n * m + p), n, m, p, rank) if m else [[] for _ in range(n)]
    form = np.array(rows, dtype=kind).reshape(n, m)
    balanced.reduce(form, p)
    pivots = balanced.echelon(form, p)
    fresh = pivots >= 0
    assert form[~fresh].any() == np.False_
    reduced, expected = naive_rref(rows, p) if m else ([], [])
    assert sorted(pivots[fresh].tolist()) == expected
    order = np.argsort(pivots[fresh])
    assert balanced.words(form[fresh][order], p).tolist() == reduced


def test_balanced_kernels_refuse_rows_that_are_not_contiguous():
    with pytest.raises(ValueError, match="contiguous"):
        balanced.reduce(np.zeros((4, 3)).T, 7)
    with pytest.raises(ValueError, match="same shape"):
        balanced.subtract(np.zeros((4, 3)), np.zeros((4, 2)), 7)


# --- bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("p", [2, 3])
@pytest.mark.parametrize("shape", [*SHAPES, (5, 63), (63, 64), (65, 64), (70, 65), (40, 129), (129, 40)])
@pytest.mark.parametrize("least", [0, 1])
def test_rank_by_bits(p, shape, least):
    """Dense matrices, matrices of low rank and all columns at the edges of words."""
    n, m = shape
    rng = random.Random(n * m + least)
    inner = max(1, min(n, m) // 2) if least else max(n, m)
    rows = naive_matmul(random_matrix(rng, n, inner, p), random_matrix(rng, inner, m, p), p) if n and m else []
    assert bits.rank(words(rows, m).reshape(n, m), p) == naive_rank(rows, p)


@pytest.mark.parametrize("p", [2, 3])
def test_packed_bits(p):
    rows = np.array([[(i * j) % p for j in range(70)] for i in range(3)], dtype=np.uint64)
    packed = bits.packed(rows[:, ::-1], p)  # not contiguous
    assert packed.shape == (p - 1, 3, 2)
    for i, j in np.ndindex(3, 70):
        found = [v for v in range(1, p) if int(packed[v - 1, i, j // 64]) >> (j % 64) & 1]
        assert found == [v for v in [int(rows[i, 69 - j])] if v]


@pytest.mark.parametrize("p", [2, 3])
def test_bits_refuse_what_is_no_residue(p):
    with pytest.raises(ValueError, match=f"below {p}, not {p}"):
        bits.rank(np.array([[0, p]], dtype=np.uint64), p)
