"""Sparse elimination, sparse jets and sparse witnesses, against their dense twins."""

import itertools
import random
import sys
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import pytest
from reference import naive_rank

import clexact
from clexact import functions, models
from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import lie_derivatives
from clexact.algebra.polynomial import display_key
from clexact.algebra.sparse_vectors import SparseVectors
from clexact.laws.families import sparse_independent
from clexact.laws.listing import LawList
from clexact.laws.polynomial_laws import laws_from_dicts, listed_laws, proposed_laws
from clexact.laws.result import independent
from clexact.lie.closure import SparseWitness, nested_bracket, values_at
from clexact.lie.sparse_witnesses import SparseSpanBuilder, supports, wrapped_diagonal
from clexact.programs.paths import MonomialPaths
from clexact.programs.sparse_jets import ROWS, Part, SparseJets
from clexact.symmetry.solutions import PRIME, independent_rows

P = 4194301


def mixed(U, V, x):
    """Scalars, sums, products, slices and repeated factors."""
    h = functions.relu(V.T @ x)
    y = U @ h + (U * U).sum(axis=1) * 2 - x[:2]
    return clexact.concatenate([y, (h * h)[1:], (U.T @ U).reshape((-1,))])


MODELS = {
    "linear": models.linear([3, 2, 4]),
    "deep linear": models.linear([2, 3, 3, 2]),
    "relu": models.relu([2, 3, 2], bias=True),
    "leaky relu": models.relu([2, 3, 3, 1], slope=Fraction(1, 2)),
    "neuron": models.neuron(2, 2, powers=[1, 3]),
    "product": models.product(4),
    "attention": models.attention(4, 2, heads=2),
    "rotary": models.attention(4, 2, rope=True),
    "shared keys": models.attention(3, 2, heads=2, keys=1),
    "softmax": models.attention(3, 1, tokens=2),
    "conv1d": models.conv1d([2, 2, 2], kernel=2),
    "conv1d relu": models.conv1d([1, 2, 2], kernel=2, relu=True, stride=2),
    "conv2d": models.conv2d([1, 2, 2], kernel=2),
    "residual": models.residual(3, 2, relu=True),
    "maxpool": models.maxpool(2, 2, 2),
    "mixture": models.moe(2, 3, 2),
    "shared": models.shared(3, 2),
    "swiglu": models.swiglu(2, 3, 2),
    "tanh": models.tanh(2, 2, 2),
    "icnn": models.icnn(2, 3, 2),
    "mixed": clexact.Model({"U": (2, 3), "V": (4, 3)}, {"x": (4,)}, mixed),
}


def sparse_rows(rng, n, m, p, weight):
    """(start, column, value) of random rows, some entries twice, some values beyond p."""
    rows = [[(rng.randrange(m), rng.randrange(3 * p)) for _ in range(rng.randrange(weight + 1))] for _ in range(n)]
    start = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    column, value = ([entry[k] for row in rows for entry in row] for k in (0, 1))
    dense = [[0] * m for _ in rows]
    for row, entries in zip(dense, rows, strict=True):
        for c, v in entries:
            row[c] = (row[c] + v) % p
    return start, np.array(column, dtype=np.int64), np.array(value, dtype=np.uint64), dense


@pytest.mark.slow
@pytest.mark.parametrize("p", [2, 3, P, 2**61 - 1])
@pytest.mark.parametrize(
    ("n", "m", "weight"), [(12, 9, 2), (30, 30, 3), (25, 40, 6), (40, 12, 12), (5, 5, 0), (1, 1, 1)]
)
def test_sparse_form_finds_the_first_independent_rows(p, n, m, weight):
    """In the order given, in several batches; its own rows span them all."""
    rng = random.Random(n * m + p)
    form, given = SparseForm(m, p), []
    for _ in range(3):
        start, column, value, dense = sparse_rows(rng, n, m, p, weight)
        order = np.array(rng.sample(range(n), n), dtype=np.int64)
        fresh = form.add(start, column, value, order, 10**6)
        for i in order.tolist():
            before = naive_rank(given, p) if given else 0
            given.append(dense[i])
            assert bool(fresh[i]) == (naive_rank(given, p) > before)
    assert form.rank == naive_rank(given, p) == len(set(form.pivots.tolist()))
    begin, columns, values = form.rows()
    held = [[0] * m for _ in range(form.rank)]
    for k, row in enumerate(held):
        for e in range(begin[k], begin[k + 1]):
            row[columns[e]] = int(values[e])
        assert row[form.pivots[k]] == 1 and not any(row[c] for c in form.pivots[:k].tolist())
    assert form.entries == len(columns) and (not held or naive_rank([*given, *held], p) == form.rank)


@pytest.mark.parametrize(("n", "m", "weight"), [(12, 40, 2), (30, 30, 3), (12, 8, 4), (5, 5, 0), (0, 3, 1)])
def test_rows_raise_the_rank_of_those_before(n, m, weight):
    """Also rows with a column of their own, which are not eliminated; an entry may be there twice, or 0."""
    rng = random.Random(n + m)
    start, column, value, _ = sparse_rows(rng, n, m, P, weight)
    raising = independent_rows(SparseVectors(start, column, (value % P).astype(np.int64) * (value % 3 > 0)))
    dense = [[0] * m for _ in range(n)]
    for row, a, b in zip(dense, start[:-1].tolist(), start[1:].tolist(), strict=True):
        for c, v in zip(column[a:b].tolist(), value[a:b].tolist(), strict=True):
            row[c] = (row[c] + v % P * (v % 3 > 0)) % PRIME
    ranks = [naive_rank(dense[:k], PRIME) if k else 0 for k in range(n + 1)]
    assert raising.tolist() == [b > a for a, b in itertools.pairwise(ranks)]


def test_sparse_form_stops_where_it_fills_in():
    rng = random.Random(1)
    start, column, value, dense = sparse_rows(rng, 60, 50, P, 9)
    form = SparseForm(50, P)
    with pytest.raises(MemoryError, match="more than 200 entries"):
        form.add(start, column, value, np.arange(60), 200)
    assert 0 < form.rank <= naive_rank(dense, P) and form.entries > 200


def random_part(rng, rows, size, p, weight):
    """A sparse part with some random entries in each row."""
    entries = sorted({(i, rng.randrange(size)) for i in range(rows) for _ in range(weight)})
    row, place = (np.array([e[k] for e in entries], dtype=np.int64) for k in (0, 1))
    return Part((size,), row, place, np.array([rng.randrange(1, p) for _ in entries], dtype=np.uint64))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_sparse_brackets_have_the_values_of_dense_ones(name, depth):
    """At points with and without zeros, for seeds with few and with many entries."""
    flow, rng = clexact.gradient_flow(MODELS[name]), random.Random(depth)
    prime = flow.draw_prime(flow.draws(depth), 22)
    for density, weight in ((0.4, 2), (1.0, flow.seed_size)):
        rows, ring = 4, flow.sparse_ring(prime, 4)
        point = [rng.randrange(1, prime) * (rng.random() < density) for _ in range(flow.dimension)]
        point = np.array(point, dtype=np.uint64)
        seeds = [random_part(rng, rows, flow.seed_size, prime, weight) for _ in range(depth + 1)]
        place = np.flatnonzero(point)
        theta = {0: Part((flow.dimension,), None, place, point[place])}
        found = nested_bracket(ring, partial(flow.sparse_values, ring=ring), seeds, theta).get(ROWS)
        out = np.zeros((rows, flow.dimension), dtype=np.uint64)
        if found is not None:
            out[found.rows, found.place] = found.value % np.uint64(prime)
        dense = np.zeros((depth + 1, rows, flow.seed_size), dtype=np.uint64)
        for level, part in zip(dense, seeds, strict=True):
            level[part.rows, part.place] = part.value
        assert out.tolist() == values_at(flow, dense, point, prime).tolist()


def test_sparse_jets_refuse_large_primes():
    with pytest.raises(ValueError, match="modulus below 2\\^62"):
        SparseJets(2**63, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_walks_reach_what_matters_and_say_the_same_again(name):
    """Seeds are indicators in range; the same draws give the same walks; members move their coordinates."""
    flow = clexact.gradient_flow(MODELS[name])
    everywhere = np.ones(flow.dimension, dtype=bool)
    coordinates = np.tile(np.arange(flow.dimension), 16)  # some cancel: a selection 1 - s at s = 1
    first, again = (flow.monomial_paths(everywhere, Draws(5)).touching(coordinates, False) for _ in range(2))
    assert first.walk.tolist() == again.walk.tolist() and first.seeds.place.tolist() == again.seeds.place.tolist()
    assert (first.seeds.value == 1).all() and (first.seeds.place < flow.seed_size).all()
    growth = SparseSpanBuilder(flow, everywhere, P, Draws(6))
    moved = growth.values(SparseWitness(0, (first.seeds,)))
    wanted = coordinates[first.walk]
    reached = {j for j, row in zip(wanted.tolist(), moved, strict=True) if row[j]}
    assert reached == set(wanted.tolist())
    dense = np.array(values_at(flow, Draws(7).residues((1, 6, flow.seed_size), P), growth.point, P)).any(axis=0)
    assert set(np.flatnonzero(dense).tolist()) == reached  # whatever any member moves, some walk reaches


def test_a_parameter_that_does_not_enter_is_not_reached():
    model = clexact.Model({"a": (2,), "b": (2,)}, {"x": (2,)}, lambda a, b, x: a * x + 0 * b)
    flow = clexact.gradient_flow(model)
    found = flow.monomial_paths(np.ones(4, dtype=bool), Draws(0)).touching(np.arange(4), False)
    assert set(found.walk.tolist()) == {0, 1}


@pytest.fixture
def counts(monkeypatch):
    """The count with sparse witnesses tried at any size, and the one with dense ones."""

    def both(flow):
        monkeypatch.setattr(sys.modules["clexact.counting.certify"], "SPARSE_FROM", 0)
        sparse = clexact.certify(flow, seed=3)
        monkeypatch.setattr(sys.modules["clexact.counting.certify"], "SPARSE_FROM", 10**9)
        return sparse, clexact.certify(flow, seed=3)

    return both


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["full", "cross_entropy"])
@pytest.mark.parametrize("name", MODELS)
def test_sparse_and_dense_witnesses_give_the_same_count(name, loss, counts):
    """And the sparse ones, evaluated densely, have the ranks that the result claims."""
    if loss != "full" and not MODELS[name].program.shape:
        pytest.skip("a scalar output")
    flow = clexact.gradient_flow(MODELS[name], loss=loss)
    sparse, dense = counts(flow)
    assert (sparse.lower, sparse.upper, sparse.exact) == (dense.lower, dense.upper, dense.exact)
    closure = sparse.closure
    if closure.generic:
        return  # sparse witnesses did not meet the laws
    form, point = Echelon(flow.dimension, closure.prime), np.array(closure.point, dtype=np.uint64)
    ranks = dict.fromkeys(range(len(closure.dims)), 0)
    for witness in closure.witnesses:
        rows = int(witness.seeds[0].rows.max()) + 1
        seeds = np.zeros((witness.depth + 1, rows, flow.seed_size), dtype=np.uint64)
        for level, part in zip(seeds, witness.seeds, strict=True):
            level[part.rows, part.place] = part.value
        assert form.add(values_at(flow, seeds, point, closure.prime)).all()
        for depth in range(witness.depth, len(closure.dims)):
            ranks[depth] += rows
    assert tuple(ranks.values()) == closure.dims and closure.rank == flow.dimension - sparse.upper


@pytest.mark.slow
def test_most_families_have_sparse_witnesses(counts):
    """Otherwise the test above shows little."""
    flows = [clexact.gradient_flow(model) for model in MODELS.values()]
    assert sum(not counts(flow)[0].closure.generic for flow in flows) > len(flows) // 2


@pytest.mark.parametrize("name", MODELS)
def test_sparse_gradients_of_laws_have_the_rank_of_dense_ones(name):
    flow = clexact.gradient_flow(MODELS[name])
    laws = proposed_laws(flow, 2)
    for support in supports(flow, Draws(1)):
        point = np.where(support, Draws(2).residues((flow.dimension,), P - 1) + np.uint64(1), np.uint64(0))
        expected = len(independent(laws, point, P))
        assert len(sparse_independent(LawList((), laws), point, P)) == expected
        assert len(sparse_independent(listed_laws(flow, 2), point, P)) == expected  # families, not written out


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (7, 3), (4,), (1, 6), (2, 3, 3), (5, 2, 2, 1), ()])
def test_the_wrapped_diagonal_has_an_entry_in_each_row_and_column(shape):
    mask = wrapped_diagonal(shape)
    assert mask.shape == shape
    for axis in range(len(shape)):
        assert np.moveaxis(mask, axis, 0).reshape(shape[axis], -1).any(axis=1).all()


FLOWS = [
    clexact.gradient_flow(models.linear([2, 3, 2]), loss="cross_entropy"),
    clexact.gradient_flow(models.relu([2, 2, 3, 2], bias=True)),
    clexact.momentum_flow(models.linear([2, 3, 2]), clexact.HeavyBall(1)),
    clexact.momentum_flow(models.linear([1, 2, 2]), clexact.Nesterov()),
    clexact.mirror_flow(models.icnn(2, 2, 2), positive=["U"]),
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.description)
def test_laws_stand_in_display_order_with_positive_leading_coefficients(flow):
    laws = proposed_laws(flow, 5)
    leading = [lead(h) for h in laws]
    keys = [(sum(k for _, k in m), display_key(m)) for m in leading]
    assert keys == sorted(keys)
    for h, m in zip(laws, leading, strict=True):
        assert dict(terms_of(h))[m] > 0


def terms_of(h):
    """[(monomial, coefficient)] of a polynomial."""
    return [(h.terms.monomial(t), int(h.terms.coef[t])) for t in range(len(h.terms))]


def lead(h):
    """The monomial that is shown first."""
    return min((m for m, _ in terms_of(h)), key=display_key)


@pytest.mark.slow
def test_display_order_where_a_number_does_not_hold_the_key():
    """Degree 5 in variables beyond 2^20: sorted, not packed into one word."""
    far = 2**21
    laws = [{(far, far, far, far, far - 1): 1, (0, far): -1}, {(5, far, far, far, far): -2}, {(far,): 3, (1, 2): 1}]
    flow = clexact.gradient_flow(clexact.Model({"a": (far + 1,)}, {"x": (1,)}, lambda a, x: a[:1] * x))
    found = laws_from_dicts(flow, laws, 5, 0)
    assert [len(h.terms) for h in found] == [2, 1, 2]
    assert [lead(h)[0][0] for h in found] == [1, 5, far - 1]
    assert all(dict(terms_of(h))[lead(h)] > 0 for h in found)


@pytest.mark.slow
@pytest.mark.parametrize("before", [(2, 3), (6,), (2, 1, 3), (4, 3, 2), (2, 2, 2)])
def test_an_axis_kept_by_reshaping_has_its_gram_laws(before):
    """And what another axis shows are laws: all shapes of as many entries, each axis of them times a matrix."""
    n = int(np.prod(before))
    shapes = [(a, b, n // (a * b)) for a in range(1, n + 1) for b in range(1, n + 1) if n % (a * b) == 0]

    def slices(shape, axis):
        rows = np.moveaxis(np.arange(n).reshape(shape), axis, 0).reshape(shape[axis], -1)
        return [sorted(row) for row in rows.tolist()]

    for after, axis in product(shapes, range(3)):
        order, size = [k for k in range(3) if k != axis] + [axis], after[axis]
        times = lambda W, V, after=after, order=order: W.reshape(after).transpose(order) @ V  # noqa: E731
        flow = clexact.gradient_flow(clexact.Model({"W": before, "V": (size, 2)}, {}, times))
        laws = list(proposed_laws(flow, 2))
        assert len(lie_derivatives(laws, flow.fields)) == 0
        if any(slices(before, k) == slices(after, axis) for k in range(len(before))):
            assert len(laws) >= size * (size + 1) // 2


def test_linear_convolutions_show_all_laws_of_their_channels():
    """r (r + 1) / 2 for each hidden layer, found by the shape and by the search."""
    flow = clexact.gradient_flow(models.conv2d([2, 3, 2], kernel=2))
    count = clexact.certify(flow)
    assert count.lower == count.upper == 6 == len(proposed_laws(flow, 2)) == len(clexact.polynomial_laws(flow, 2))


@pytest.mark.slow
def test_no_more_members_are_evaluated_than_the_rank_needs(monkeypatch):
    """x_1 ... x_D has one field: its 520 coordinates are not all tried."""
    tried, touching = [], MonomialPaths.touching

    def noted(self, coordinates, loose):
        tried.append(len(coordinates))
        return touching(self, coordinates, loose)

    monkeypatch.setattr(MonomialPaths, "touching", noted)
    count = clexact.certify(clexact.gradient_flow(clexact.models.product(520)))
    assert (count.lower, count.upper, count.error) == (519, 519, 0) and 0 < sum(tried) <= 16


@pytest.mark.parametrize("p", [3, 65537, P])
@pytest.mark.parametrize(("n", "m", "entries"), [(0, 4, 1), (5, 1, 1), (30, 40, 3), (60, 20, 4), (25, 25, 25)])
def test_a_vector_orthogonal_to_all_rows_tells_those_of_their_span(n, m, entries, p):
    """It kills every row given, and each combination of them; a row outside the span only by chance."""
    rng = np.random.default_rng(n + m)
    form, dense = SparseForm(m, p), np.zeros((n, m), dtype=object)
    for row in dense:
        row[rng.integers(m, size=entries)] = rng.integers(1, p, size=entries)
    sizes = [np.flatnonzero(row) for row in dense]
    start = np.cumsum([0, *map(len, sizes)])
    column = np.concatenate([*sizes, np.empty(0)]).astype(np.int64)
    value = np.array([c for row, where in zip(dense, sizes, strict=True) for c in row[where]], dtype=np.uint64)
    form.add(start, column, value, np.arange(n), 10**6)
    free = rng.integers(0, 2**63, size=m, dtype=np.uint64)
    vector = form.annihilator(free)
    assert not form.products(start, column, value, vector).any()
    assert not any(dense.dot(vector.astype(object)) % p)
    left = np.setdiff1d(np.arange(m), form.pivots)
    assert (vector[left] == free[left] % p).all()
    others = form.products(np.arange(m + 1), np.arange(m), np.ones(m, dtype=np.uint64), vector)
    assert ((vector.astype(object) + others.astype(object)) % p == 0).all()
