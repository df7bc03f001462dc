"""``certify`` against an oracle that shares no code with it: more than 500 random systems and models, proofs included.

The oracle is exact over Q: dimension of the Lie algebra by all brackets over Q(x), laws by a dense nullspace.
A mismatch prints the system.
"""

import random

import pytest
from oracles import (
    as_clexact,
    as_element,
    dense_laws,
    generic_rank,
    gradient_rank,
    is_law,
    random_net,
    random_point,
    random_system,
    read,
    ring_of,
)

import clexact

SYSTEMS, MODELS, CHUNK = 480, 60, 20


def large(rng, fields):
    """One field times a number beyond 2^63."""
    return [[p * 10**25 for p in fields[0]], *fields[1:]]


def with_zero_and_repetition(rng, fields):
    """A zero field, and a field twice (the second time scaled)."""
    ring = fields[0][0].ring
    return [*fields, [ring.zero for _ in fields[0]], [p * -3 for p in rng.choice(fields)]]


def vanishing_at_the_origin(rng, fields):
    """Each field times a linear form without constant term: same laws, other brackets."""
    return [[p * sum(X[0].ring.gens) for p in X] for X in fields]


def unchanged(rng, fields):
    """As drawn."""
    return fields


KINDS = [
    ("integers", False, unchanged),
    ("rationals", True, unchanged),
    ("beyond 2^63", False, large),
    ("repeated and zero fields", True, with_zero_and_repetition),
    ("vanishing at the origin", False, vanishing_at_the_origin),
]


def check(count, fields, dimension, degree=2):
    """Bounds meet at the oracle's number; the laws are laws, and as many independent ones as there are."""
    described = f"{count} for {[[str(p.as_expr()) for p in X] for X in fields]}"
    fields = [X for X in fields if any(X)]
    exact = dimension - generic_rank(fields, dimension) if fields else dimension
    assert count.lower == count.upper == exact, f"oracle says {exact}: {described}"
    ring, point = ring_of(count.laws.variables), random_point(dimension)
    assert all(is_law(as_element(h, ring), fields) for h in count.laws.polynomials()), described
    if dimension <= 6:
        expected = gradient_rank(dense_laws(fields, ring, degree), point)
        assert count.exhibited == min(expected, exact), f"oracle exhibits {expected}: {described}"
    verdict = clexact.verify(count.certificate)
    assert verdict, f"{verdict}: {described}"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SYSTEMS, CHUNK))
def test_random_systems(first):
    """Small systems of every kind, each with its certificate verified."""
    for seed in range(first, first + CHUNK):
        rng = random.Random(seed)
        _, rational, change = KINDS[seed % len(KINDS)]
        fields = change(rng, random_system(rng, rational))
        check(clexact.certify(as_clexact(fields), seed=seed), fields, len(fields[0]))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, MODELS, CHUNK))
def test_random_models(first):
    """Random programs under both losses."""
    for seed in range(first, first + CHUNK):
        net = random_net(random.Random(seed), steps=4)
        loss = "cross_entropy" if seed % 2 and net.expanded.ndim else "full"
        check(clexact.certify(net.flow(loss), seed=seed), net.fields(loss), net.dimension)


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        (["x", "y"], [["x - x*y", "x*y - y"]]),  # log x + log y - x - y
        (["x", "y"], [["x", "2*y"]]),  # x^2 / y
        (["x", "y", "z"], [["x", "2*y", "0"], ["0", "0", "z"]]),
        (["x", "y", "z"], [["x", "0", "y"], ["0", "y", "x"]]),
        (["x", "y", "z", "w"], [["x", "y", "0", "w"], ["0", "y", "z", "w"]]),
        (["s", "i", "r"], [["-s*i", "s*i - i", "i"]]),  # s + i + r, and s + i - log s
    ],
)
def test_laws_that_are_not_polynomials_are_counted(variables, texts):
    """The number is the oracle's though fewer polynomial laws exist."""
    fields = read(variables, texts)
    count = clexact.certify(as_clexact(fields), degree=2)
    check(count, fields, len(variables))
