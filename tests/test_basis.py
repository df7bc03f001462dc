"""Short bases: the same space, as many vectors, no longer than given, preferred vectors first."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import MODEST, rational_rank

from clexact.algebra.basis import short_basis
from clexact.algebra.draws import Draws

VECTORS = st.lists(
    st.dictionaries(st.integers(0, 7), st.integers(-3, 3).filter(bool), min_size=1, max_size=5), max_size=5
)


def dense(vectors, columns=60):
    return [[vector.get(x, 0) for x in range(columns)] for vector in vectors]


def rank(vectors):
    return rational_rank(dense(vectors))


def independent(vectors):
    """The first vectors that are independent of those before them."""
    kept = []
    for vector in vectors:
        if rank([*kept, vector]) > len(kept):
            kept.append(vector)
    return kept


def check_basis(given_vectors, basis):
    assert len(basis) == len(given_vectors) == rank(basis) == rank([*given_vectors, *basis])
    assert all(type(c) is int and c for vector in basis for c in vector.values())


@pytest.mark.slow
@MODEST
@given(VECTORS.map(independent), st.integers(0, 99))
def test_short_basis_spans_the_same_space(vectors, seed):
    check_basis(vectors, short_basis(vectors, [], Draws(seed)))


@pytest.mark.slow
@MODEST
@given(VECTORS.map(independent))
def test_short_basis_is_no_longer_than_what_is_given(vectors):
    basis = short_basis(vectors, [], Draws(0))
    assert sum(map(len, basis)) <= sum(map(len, vectors))


@pytest.mark.slow
@MODEST
@given(VECTORS.map(independent), st.data())
def test_preferred_vectors_come_first(vectors, data):
    weights = [data.draw(st.lists(st.integers(-2, 2), min_size=len(vectors), max_size=len(vectors))) for _ in range(2)]
    sums = [{x: sum(w * v.get(x, 0) for w, v in zip(ws, vectors, strict=True)) for x in range(8)} for ws in weights]
    inside = [{x: c for x, c in vector.items() if c} for vector in sums]
    outside = [{50: 1}, {0: 1, 50: 2}]
    basis = short_basis(vectors, [outside[0], *inside, outside[1]], Draws(1))
    check_basis(vectors, basis)
    wanted = independent(inside)
    assert basis[: len(wanted)] == wanted


@pytest.mark.parametrize("preferred", [{0: 1, 2: -1}, {0: -1, 1: -2, 2: 1}, {1: 5}])
def test_a_preferred_vector_outside_the_span_is_not_taken(preferred):
    vectors = [{0: 1, 1: 2, 3: 1}, {2: 1, 3: 4}]
    basis = short_basis(vectors, [preferred], Draws(0))
    check_basis(vectors, basis)
    assert preferred not in basis


@pytest.mark.parametrize("preferred", [{0: -1, 3: 2}, {0: 1, 3: -2}])
def test_a_preferred_vector_of_a_line_is_taken(preferred):
    assert short_basis([{0: 2, 3: -4}], [preferred], Draws(0)) == [preferred]


def test_short_basis_of_nothing_and_of_one():
    assert short_basis([], [], Draws(0)) == []
    assert short_basis([{4: 1, 9: -2}], [], Draws(0)) == [{4: 1, 9: -2}]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [2, 5, 12])
def test_short_basis_finds_disjoint_vectors_behind_a_mixture(k, seed):
    rng = random.Random(seed)
    hidden = [{3 * i: 1, 3 * i + 1: rng.choice([-2, 1, 3])} for i in range(k)]
    mixed = [[rng.randint(-2, 2) for _ in range(k)] for _ in range(k)]
    mixed = [[row[j] if j != i else row[j] + 7 * k for j in range(k)] for i, row in enumerate(mixed)]
    vectors = [{x: w * c for w, v in zip(ws, hidden, strict=True) for x, c in v.items() if w} for ws in mixed]
    basis = short_basis(vectors, [], Draws(seed))
    assert sorted(basis, key=min) == hidden


@pytest.mark.parametrize("seed", [0, 3])
def test_a_seed_gives_the_same_basis(seed):
    rng = random.Random(5)
    vectors = independent([{x: rng.randint(1, 4) for x in rng.sample(range(20), 6)} for _ in range(6)])
    given_vectors = [dict(vector) for vector in vectors]
    assert short_basis(vectors, [], Draws(seed)) == short_basis(vectors, [], Draws(seed))
    assert vectors == given_vectors


def test_large_entries_keep_the_space():
    vectors = [{0: 10**9 + 7, 1: 3**30, 2: 1}, {1: 10**12 + 39, 2: -(2**50)}, {0: 1, 3: Fraction(2**80).numerator}]
    check_basis(vectors, short_basis(vectors, [], Draws(0)))
