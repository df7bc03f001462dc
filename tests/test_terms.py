"""Packed terms: each operation against dicts, the choice of int64 or Python integers, and colliding hashes."""

import random
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    BIG,
    MODEST,
    coefficients,
    monomials,
    naive_hash,
    naive_mix,
    naive_partials,
    naive_product,
    naive_sum,
    naive_times,
    names,
    random_sparse,
    sparse_polynomials,
)

from clexact.algebra import terms as module
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import (
    EMPTY,
    INT64_MAX,
    Terms,
    concatenate,
    largest,
    pack_coefs,
    ranges,
    starts,
    sum_of_products,
    widened,
)

FAMILIES = st.lists(sparse_polynomials(3), max_size=4)
RAW = st.lists(st.tuples(st.integers(0, 3), coefficients(), monomials(2, 1)), max_size=12)


def packed(family):
    """The dict polynomials of a list as canonical terms, owned by their places."""
    entries = [(i, c, m) for i, p in enumerate(family) for m, c in p.items()]
    return from_entries(entries)


def from_entries(entries):
    entries = [(i, int(c) if Fraction(c).denominator == 1 else c, m) for i, c, m in entries]
    return Terms.from_monomials(*([entry[k] for entry in entries] for k in range(3)))


def entries_of(terms):
    """Terms as (owner, coefficient, monomial)."""
    listed = zip(terms.owner.tolist(), terms.coef.tolist(), range(len(terms)), strict=True)
    return [(i, Fraction(c), terms.monomial(t)) for i, c, t in listed]


def unpacked(terms, count):
    """Canonical or other terms as a list of dict polynomials, equal monomials added up."""
    return [naive_sum(*({m: c} for i, c, m in entries_of(terms) if i == k)) for k in range(count)]


def is_canonical(terms):
    """Sorted by owner, no zero, no monomial twice, int64 exactly when all coefficients are integers that fit."""
    keys = [(i, terms.monomial(t)) for t, i in enumerate(terms.owner.tolist())]
    fits = all(type(c) is int and abs(c) <= INT64_MAX for c in terms.coef.tolist())
    distinct = len(set(keys)) == len(keys) and bool(np.all(np.diff(terms.owner) >= 0))
    return distinct and bool(np.all(terms.coef != 0)) and (terms.coef.dtype != object) == fits


# --- helpers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[], [0, 1, -5], [INT64_MAX, -INT64_MAX]])
def test_pack_coefs_that_fit(values):
    out = pack_coefs(values)
    assert out.dtype == np.int64 and out.tolist() == values


@pytest.mark.parametrize("values", [[1, 2**63], [-(2**63)], [1, Fraction(1, 2)], [BIG, -BIG]])
def test_pack_coefs_that_do_not_fit(values):
    out = pack_coefs(values)
    assert out.dtype == object and out.tolist() == values


@pytest.mark.parametrize("values", [[], [0], [3, -7, 2], [INT64_MAX, -INT64_MAX], [BIG, -2 * BIG], [Fraction(-7, 2)]])
def test_largest(values):
    assert largest(pack_coefs(values)) == max(map(abs, values), default=0)


def test_largest_of_the_least_int64():
    assert largest(np.array([-(2**63), 5])) == 2**63


@pytest.mark.parametrize(("bound", "dtype"), [(0, np.int64), (INT64_MAX, np.int64), (2**63, object)])
def test_widened(bound, dtype):
    out = widened(np.array([1, -2]), bound)
    assert out.dtype == dtype and out.tolist() == [1, -2]


@pytest.mark.parametrize("index", [[], [0], [1], [2, 0, 2, 1], [3]])
def test_ranges(index):
    start = np.array([0, 3, 3, 5, 9])
    position, member = ranges(start, np.array(index, dtype=np.int64))
    expected = [(n, m) for n, s in enumerate(index) for m in range(start[s], start[s + 1])]
    assert list(zip(position.tolist(), member.tolist(), strict=True)) == expected


@pytest.mark.parametrize(("labels", "count"), [([], 0), ([], 3), ([0, 0, 2], 4), ([1, 1, 1], 2), ([0, 1, 2], 3)])
def test_starts(labels, count):
    out = starts(np.array(labels, dtype=np.int64), count)
    assert out.tolist() == [sum(x < k for x in labels) for k in range(count + 1)]


# --- operations ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@MODEST
@given(RAW)
def test_canonical_merges_sorts_and_drops(entries):
    terms = from_entries(entries)
    assert is_canonical(terms)
    expected = [naive_sum(*({m: c} for i, c, m in entries if i == k)) for k in range(4)]
    assert unpacked(terms, 4) == expected


@MODEST
@given(RAW, st.randoms(use_true_random=False))
def test_canonical_does_not_depend_on_the_order(entries, rng):
    shuffled = rng.sample(entries, len(entries))
    assert from_entries(shuffled) == from_entries(entries)
    assert from_entries(entries).canonical() == from_entries(entries)


def test_canonical_adds_up_past_int64_and_returns():
    entries = [(0, INT64_MAX, ((0, 1),))] * 3 + [(1, INT64_MAX, ()), (1, INT64_MAX, ()), (1, -INT64_MAX, ())]
    assert unpacked(from_entries(entries), 2) == [{((0, 1),): 3 * INT64_MAX}, {(): INT64_MAX}]
    assert from_entries(entries[3:]).coef.dtype == np.int64


def test_from_monomials_of_nothing_is_empty():
    assert Terms.from_monomials([], [], []) == EMPTY
    assert len(EMPTY) == 0 and EMPTY.canonical() == EMPTY


@pytest.mark.parametrize("power", [2**31, 2**40])
def test_from_monomials_rejects_a_large_power(power):
    with pytest.raises(OverflowError, match=r"power exceeds 2\^31 - 1"):
        Terms.from_monomials([0], [1], [((0, power),)])


def test_variables():
    terms = Terms.variables(4, 3)
    assert unpacked(terms, 3) == [{((v, 1),): 1} for v in (4, 5, 6)]
    assert is_canonical(terms)


@pytest.mark.slow
@MODEST
@given(FAMILIES)
def test_hashes_and_degrees(family):
    terms = packed(family)
    listed = [terms.monomial(t) for t in range(len(terms))]
    assert terms.hashes().tolist() == [naive_hash(m) for m in listed]
    assert terms.degrees().tolist() == [sum(k for _, k in m) for m in listed]


def test_degrees_do_not_overflow():
    terms = from_entries([(0, 1, tuple((v, 2**31 - 1) for v in range(5)))])
    assert terms.degrees().tolist() == [5 * (2**31 - 1)]


@pytest.mark.slow
@MODEST
@given(FAMILIES)
def test_segments_and_take(family):
    terms = packed(family)
    first = terms.segments(len(family))
    for i, p in enumerate(family):
        part = terms.take(np.arange(first[i], first[i + 1]))
        assert unpacked(part.owned_by(0), 1) == [p]


@pytest.mark.slow
@MODEST
@given(FAMILIES, st.one_of(st.sampled_from([0, 1, -1, 2**63, -BIG, Fraction(2, 3)]), st.integers(-9, 9)))
def test_scaled(family, factor):
    scaled = unpacked(packed(family).scaled(factor), len(family))
    assert scaled == [{m: factor * c for m, c in p.items() if factor} for p in family]


@pytest.mark.parametrize("factor", [BIG, 2**63, -(2**64)])
def test_scaled_of_nothing_by_a_large_number(factor):
    assert len(EMPTY.scaled(factor)) == 0


def test_scaled_by_one_factor_for_each_term():
    terms = from_entries([(0, 2**40, ()), (1, 3, ((0, 1),))])
    assert terms.scaled(np.array([2**40, -1])).coef.tolist() == [2**80, -3]


@pytest.mark.slow
@MODEST
@given(FAMILIES)
def test_partials(family):
    terms = packed(family)
    partial, variable = terms.partials()
    given = [(i, v, c, m) for (i, c, m), v in zip(entries_of(partial), variable.tolist(), strict=True)]
    assert given == [(i, v, c * k, rest) for i, c, m in entries_of(terms) for v, k, rest in naive_partials(m)]


def test_partials_widen_when_the_power_overflows():
    partial, _ = from_entries([(0, 2**62, ((0, 5),))]).partials()
    assert partial.coef.tolist() == [5 * 2**62]


@pytest.mark.slow
@MODEST
@given(st.lists(FAMILIES, max_size=3))
def test_concatenate(families):
    joined = concatenate([packed(family) for family in families])
    total = [naive_sum(*(family[i] for family in families if i < len(family))) for i in range(4)]
    assert unpacked(joined.canonical(), 4) == total
    assert len(joined) == sum(len(p) for family in families for p in family)


@pytest.mark.parametrize("seed", range(8))
def test_sum_of_products(seed):
    rng = random.Random(seed)
    a, b = ([random_sparse(rng, 3) for _ in range(n)] for n in (3, 4))
    pairs = [(rng.randrange(3), rng.randrange(4), rng.randrange(5)) for _ in range(rng.randint(0, 12))]
    ia, ib, out = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in range(3))
    total = sum_of_products(packed(a), packed(b), 3, 4, ia, ib, out)
    assert is_canonical(total)
    expected = [naive_sum(*(naive_times(a[i], b[j]) for i, j, k in pairs if k == place)) for place in range(5)]
    assert unpacked(total, 5) == expected


def test_times_overflows_into_python_integers():
    a, b = (from_entries([(0, c, ((0, 1),))]) for c in (2**40, -(2**40)))
    zero = np.zeros(1, dtype=np.int64)
    assert unpacked(a.times(b, zero, zero), 1) == [{((0, 2),): -(2**80)}]


@pytest.mark.slow
@MODEST
@given(FAMILIES, FAMILIES)
def test_equality(a, b):
    a, b = ([p for p in family if p] for family in (a, b))
    assert (packed(a) == packed(b)) == (a == b)
    assert packed(a) == packed([dict(reversed(p.items())) for p in a])


def test_equality_with_something_else():
    assert EMPTY != 3 and not EMPTY == "x"  # noqa: SIM201
    with pytest.raises(TypeError, match="unhashable"):
        hash(EMPTY)


# --- collisions ------------------------------------------------------------------------------------------------------


def constant_hash(start, var, power):
    return np.zeros(len(start) - 1, dtype=np.uint64)


@pytest.mark.slow
@MODEST
@given(RAW)
def test_canonical_when_all_hashes_collide(entries):
    expected = [naive_sum(*({m: c} for i, c, m in entries if i == k)) for k in range(4)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.kernel, "hashes", constant_hash)
        terms = from_entries(entries)
        assert unpacked(terms, 4) == expected
        assert is_canonical(terms)
        assert from_entries(entries[::-1]) == terms


@pytest.fixture(scope="module")
def colliding():
    """Two different monomials of 64 variables with the same hash, from a short vector of a lattice."""
    n, scale = 64, 2**80
    rows = [[int(i == j) for j in range(n)] + [naive_mix(i) * scale] for i in range(n)] + [[0] * n + [2**64 * scale]]
    short = next(row for row in flint.fmpz_mat(rows).lll().tolist() if any(row))
    plus, minus = (tuple((v, s * int(e)) for v, e in enumerate(short[:n]) if s * e > 0) for s in (1, -1))
    assert short[n] == 0 and plus != minus and naive_hash(plus) == naive_hash(minus)
    return plus, minus


def test_canonical_keeps_monomials_whose_true_hashes_collide(colliding):
    a, b = colliding
    entries = [(0, 1, a), (0, 2, b), (1, 5, a), (0, 3, a), (1, -5, a), (2, 7, b)]
    terms = from_entries(entries)
    assert unpacked(terms, 3) == [{a: 4, b: 2}, {}, {b: 7}]
    assert from_entries(entries[::-1]) == terms


@pytest.mark.parametrize("other", range(3))
def test_equality_survives_a_collision_that_cancels(colliding, other):
    a, b = colliding
    rest = [(0, 1, naive_product(((other + k, 1),), a)) for k in range(3)]
    with_b = concatenate([from_entries([(0, 1, a), (0, 1, b), *rest]), from_entries([(0, -1, b)])]).canonical()
    assert unpacked(with_b, 1) == unpacked(from_entries([(0, 1, a), *rest]), 1)
    assert with_b == from_entries([(0, 1, a), *rest])


def test_polynomials_with_colliding_monomials_multiply(colliding):
    variables = names(64)
    a, b = (Polynomial.from_sparse(variables, {m: Fraction(1)}) for m in colliding)
    square = (a + b) * (a - b)
    assert square == a * a - b * b and len(square) == 2
    assert (a + b) - (a + b) == 0 and a != b
