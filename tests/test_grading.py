"""Gradings: every field is homogeneous for the labels, and no coarser labels would do."""

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import (
    MODEST,
    as_fields,
    naive_rank,
    names,
    pack,
    random_fields,
    random_monomial,
    rational_rank,
    vector_fields,
)

from clexact.algebra.draws import Draws
from clexact.algebra.field_grading import PRIME, grading
from clexact.algebra.fields import VectorFields
from clexact.algebra.terms import EMPTY, Terms

LINEAR = VectorFields.from_ode("""
u' = v*s
v' = u*s
s' = 0
---
u' = v
v' = u
""")


def network_fields():
    """The fields of the linear network x -> U V^T x with U, V of size 2 x 2: gradients of the entries of U V^T."""
    variables = [f"{matrix}{i}{k}" for matrix in "uv" for i in range(2) for k in range(2)]
    fields = []
    for i, j in product(range(2), repeat=2):
        field = dict.fromkeys(variables, "0")
        for k in range(2):
            field[f"u{i}{k}"], field[f"v{j}{k}"] = f"v{j}{k}", f"u{i}{k}"
        fields.append(list(field.values()))
    return VectorFields.from_strings(variables, fields)


EXAMPLES = {
    "linear layer pair": network_fields(),
    "two fields with a parameter": LINEAR,
    "weighted homogeneous": VectorFields.from_strings(["x", "y", "z"], [["y^2 + x*z", "x*y*z", "z^2 - 3*z*z"]]),
    "weights of both signs": VectorFields.from_strings(["x", "y"], [["x^2*y", "x*y^2 + y"], ["x", "-y"]]),
    "sign flips only": VectorFields.from_strings(["x", "y"], [["x + x^3", "y^2*x^2"]]),
    "odd torsion": VectorFields.from_strings(["x", "y"], [["x + x^4", "y"]]),
    "not graded": VectorFields.from_strings(["x", "y"], [["1 + x + y^2", "x"]]),
    "zero": VectorFields.from_strings(["x", "y"], [["0", "0"], ["0", "0"]]),
    "no field": VectorFields(["x", "y"], []),
    "no variable": VectorFields([], [[], []]),
    "large coefficients": VectorFields.from_strings(["x", "y"], [[f"{2**70}*x^2*y", f"{3**50}/7*x"]]),
    "large powers": VectorFields.from_strings(["x", "y"], [["x*y^2147483647", "y + x^2147483646*y"]]),
}


def exponents(monomial, dimension):
    return [dict(monomial).get(j, 0) for j in range(dimension)]


def degrees(fields):
    """For each field the vectors beta - e_j of its terms x^beta d_j."""
    D = fields.dimension
    return [
        [[b - (i == j) for i, b in enumerate(exponents(m, D))] for j, p in enumerate(field) for m in p]
        for field in as_fields(fields)
    ]


def relations(fields):
    """Generators of the lattice: differences of degrees within each field."""
    return [[a - b for a, b in zip(d, of[0], strict=True)] for of in degrees(fields) for d in of[1:]]


def labels_of(g, monomials):
    """Labels of monomials as Python pairs."""
    ones = np.ones(len(monomials), dtype=np.int64)
    free, sign = g.labels(Terms(np.zeros(len(monomials), dtype=np.int64), ones, *pack(monomials)))
    assert free.dtype == sign.dtype == np.uint64 and all(int(f) < PRIME for f in free)
    return list(zip(free.tolist(), sign.tolist(), strict=True))


def check_homogeneous(fields, g):
    """labels(beta) - label(e_j) is one value for all terms of a field, in both words."""
    for field in as_fields(fields):
        terms = [(j, m) for j, p in enumerate(field) for m in p]
        upper, lower = labels_of(g, [m for _, m in terms]), labels_of(g, [((j, 1),) for j, _ in terms])
        shifts = {((a - c) % PRIME, b ^ d) for (a, b), (c, d) in zip(upper, lower, strict=True)}
        assert len(shifts) <= 1


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("seed", [0, 1])
def test_examples_are_homogeneous(name, seed):
    fields = EXAMPLES[name]
    g = grading(fields, seed)
    check_homogeneous(fields, g)
    assert g.rank == fields.dimension - rational_rank(relations(fields))
    assert g.weights.shape == g.signs.shape == (fields.dimension,)


@pytest.mark.slow
@MODEST
@given(vector_fields(("x", "y", "z")), st.integers(0, 2**32))
def test_random_families_are_homogeneous(fields, seed):
    g = grading(fields, seed)
    check_homogeneous(fields, g)
    assert g.rank == 3 - rational_rank(relations(fields))


@pytest.mark.parametrize("seed", range(10))
def test_sparse_families_in_many_variables_are_homogeneous(seed):
    fields = random_fields(random.Random(seed), names(12), 2, max_power=3)
    check_homogeneous(fields, grading(fields, seed))


@pytest.mark.parametrize("name", EXAMPLES)
def test_labels_are_equal_only_when_the_field_forces_it(name):
    """Free label: equal modulo the rational span of the lattice; sign: modulo the lattice and the even vectors."""
    fields, D = EXAMPLES[name], EXAMPLES[name].dimension
    g, lattice, rng = grading(fields), relations(EXAMPLES[name]), random.Random(3)
    zero = (0, 0)
    chosen = [random_monomial(rng, D, 4) for _ in range(40)]
    for monomial, label in zip(chosen, labels_of(g, chosen), strict=True):
        vector = exponents(monomial, D)
        assert (label[0] == zero[0]) == (rational_rank([*lattice, vector]) == rational_rank(lattice))
        assert (label[1] == zero[1]) == (naive_rank([*lattice, vector], 2) == naive_rank(lattice, 2))


@pytest.mark.parametrize(
    ("name", "rank"), [("linear layer pair", 2), ("not graded", 0), ("zero", 2), ("no variable", 0), ("odd torsion", 1)]
)
def test_rank_counts_the_scalings(name, rank):
    assert grading(EXAMPLES[name]).rank == rank


def test_sign_flips_of_a_gradient_field_without_scalings():
    fields = VectorFields.from_strings(["x", "y"], [["x + x*y^2 + x^3", "y + x^2*y + y^3"]])
    g = grading(fields)
    even, x, y, both = (label for label in labels_of(g, [((0, 2),), ((0, 1),), ((1, 1),), ((0, 1), (1, 1))]))
    assert g.rank == 0 and even == (0, 0) and len({even, x, y, both}) == 4


@pytest.mark.slow
@MODEST
@given(vector_fields(("x", "y", "z")), st.data())
def test_labels_are_additive(fields, data):
    g = grading(fields)
    seed = data.draw(st.integers(0, 999))
    rng = random.Random(seed)
    vectors = [[rng.choice([0, 1, 2, 5, 2**30 - 1]) for _ in range(3)] for _ in range(8)]
    pairs = list(zip(vectors[:4], vectors[4:], strict=True))
    total = [[a + b for a, b in zip(u, v, strict=True)] for u, v in pairs]
    packed = [tuple((j, k) for j, k in enumerate(v) if k) for v in vectors + total]
    left, right, both = (labels_of(g, packed[n : n + 4]) for n in (0, 4, 8))
    assert both == [((a + c) % PRIME, b ^ d) for (a, b), (c, d) in zip(left, right, strict=True)]


def test_labels_of_nothing_and_of_one():
    g = grading(LINEAR)
    assert [len(part) for part in g.labels(EMPTY)] == [0, 0]
    assert labels_of(g, [()]) == [(0, 0)]


def test_labels_are_those_of_the_formula():
    g = grading(EXAMPLES["linear layer pair"], 5)
    weights, signs = g.weights.tolist(), g.signs.tolist()
    ((free, sign),) = labels_of(g, [((0, 3), (2, 2), (7, 1))])
    assert free == (3 * weights[0] + 2 * weights[2] + weights[7]) % PRIME
    assert sign == signs[0] ^ signs[7]


def test_a_seed_gives_the_same_grading():
    fields = EXAMPLES["linear layer pair"]
    a, b, other = grading(fields, 4), grading(fields, 4), grading(fields, 5)
    assert np.array_equal(a.weights, b.weights) and np.array_equal(a.signs, b.signs)
    assert not np.array_equal(a.weights, other.weights) and not np.array_equal(a.signs, other.signs)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError), ("0", TypeError), (None, TypeError)])
def test_grading_rejects_a_seed(seed, error):
    with pytest.raises(error, match="seed must be"):
        grading(LINEAR, seed)
    with pytest.raises(error, match="seed must be"):
        Draws(seed)
