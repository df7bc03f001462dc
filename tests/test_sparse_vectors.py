"""Compressed rows against lists of dicts; nullspaces of systems of which parts are alike or only define unknowns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clexact.algebra import sparse_nullspace, sparse_vectors
from clexact.algebra.sparse_nullspace import SparseRows
from clexact.algebra.sparse_vectors import components, joined, labels, packed, runs, together

PRIME = 2**61 - 1
VECTORS = st.lists(st.dictionaries(st.integers(0, 9), st.integers(-3, 3).filter(bool), max_size=4), max_size=8)


@given(VECTORS, st.randoms(use_true_random=False))
def test_rows_are_those_of_dicts(vectors, rng):
    rows = packed(vectors)
    assert rows.dicts() == vectors and rows.lengths.tolist() == list(map(len, vectors))
    some = [rng.randrange(len(vectors)) for _ in range(5)] if vectors else []
    assert rows.chosen(np.array(some, dtype=np.int64)).dicts() == [vectors[n] for n in some]
    assert joined([rows, packed([]), rows]).dicts() == vectors * 2


@given(VECTORS, st.booleans())
def test_labels_are_the_first_equal_rows(vectors, colliding):
    """Also where the words by which rows are sorted are all the same."""
    rows, items = packed(vectors), [list(vector.items()) for vector in vectors]
    with pytest.MonkeyPatch.context() as patched:
        if colliding:
            patched.setattr(sparse_vectors, "SPREAD", 0 * sparse_vectors.SPREAD)
        label = labels(rows.start, rows.index, rows.value)
    assert label.tolist() == [items.index(item) for item in items]
    sizes = np.array([len(item) for item in items], dtype=np.int64)
    groups = [group.tolist() for group in together(label)]
    assert groups == [[n for n, x in enumerate(label) if x == first] for first in sorted(set(label.tolist()))]
    assert [group.tolist() for group in together(label, sizes)] == groups
    assert [group.tolist() for group in together(label, least=2)] == [group for group in groups if len(group) > 1]


@given(VECTORS)
def test_components_are_those_of_paths(vectors):
    vectors = [vector for vector in vectors if vector]
    rows = packed(vectors)
    row_label, label = components(rows.start, rows.index, 10)
    linked = {x: {x} for x in range(10)}
    for vector in vectors:
        union = set().union(*(linked[x] for x in vector))
        linked |= dict.fromkeys(union, union)
    assert all((label[x] == label[y]) == (y in linked[x]) for x in range(10) for y in range(10))
    assert [label[next(iter(vector))] for vector in vectors] == row_label.tolist()


@given(st.lists(st.integers(0, 2), max_size=9))
def test_runs(values):
    assert runs(np.array(values)).tolist() == [n for n, x in enumerate(values) if n == 0 or values[n - 1] != x]


def system(equations, columns):
    """The rows of equations given as dicts."""
    triples = [(n, x, c % PRIME) for n, equation in enumerate(equations) for x, c in equation.items()]
    key, unknown, value = zip(*triples, strict=True)
    arrays = np.array(key), np.array(unknown), np.array(value, dtype=np.uint64)
    return SparseRows(*arrays, columns, PRIME)


@given(
    st.lists(st.dictionaries(st.integers(0, 5), st.integers(-2, 2).filter(bool), min_size=1), min_size=1, max_size=5)
)
def test_copies_of_a_system_have_copies_of_its_solutions(equations):
    """Side by side, and with their unknowns interleaved."""
    alone = system(equations, 6).nullspace()
    for place in (lambda x, k: x + 6 * k, lambda x, k: 4 * x + k):
        copies = [{place(x, k): c for x, c in equation.items()} for k in range(4) for equation in equations]
        found = system(copies, 24).nullspace()
        wanted = [{place(x, k): c for x, c in vector.items()} for k in range(4) for vector in alone]
        assert sorted(sorted(v.items()) for v in found) == sorted(sorted(v.items()) for v in wanted)


@pytest.mark.parametrize("few", [0, 2, 10**9])
@pytest.mark.parametrize("length", [3, 40])
def test_unknowns_defined_one_after_another(few, length, monkeypatch):
    """x_n = x_(n-1) + x_(n-2), for two copies that share their first unknown: however many are set aside at once."""
    monkeypatch.setattr(sparse_nullspace, "FEW", few)
    place = [[0, *range(1 + k, 2 * length, 2)] for k in range(2)]
    equations = [{p[n]: 1, p[n - 1]: -1, p[n - 2]: -1} for p in place for n in range(2, length)]
    found = system(equations, 2 * length - 1).nullspace()
    fibonacci = [0, 1]
    while len(fibonacci) < length:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    first = {0: 1} | {p[n]: fibonacci[n - 1] for p in place for n in range(2, length)}
    others = [{p[n]: fibonacci[n] for n in range(1, length)} for p in place]
    assert found == [first, *others]
