"""The two readings of a program, over polynomials and over jets modulo a prime, say the same."""

import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    Net,
    as_clexact,
    as_element,
    combination,
    lie_bracket,
    random_net,
    random_system,
    rank_mod,
    read,
    same_field_span,
    value_mod,
)

import clexact
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import FieldsFlow
from clexact.lie.closure import bracket_values, values_at
from clexact.programs.jets import Jets

PRIMES = [65537, 2**22 - 3, 2**31 - 1, 2**61 - 1]
FEW = settings(max_examples=30, deadline=None, derandomize=True)
seeded = given(st.integers(0, 10**6), st.sampled_from(PRIMES))


def words(rng, shape, p):
    """Random residues."""
    return np.array([rng.randrange(p) for _ in range(int(np.prod(shape)))], dtype=np.uint64).reshape(shape)


def elements(flow, ring):
    """The exact fields of a flow as elements of the ring."""
    return [[as_element(p, ring) for p in flow.fields.components(i)] for i in range(len(flow.fields))]


def readings_agree(net, loss, rng, p):
    """The exact fields span those of the oracle; at a point, the values of random members span the same."""
    flow, exact = net.flow(loss), net.fields(loss)
    assert same_field_span(elements(flow, net.ring), exact)
    point = words(rng, (net.dimension,), p)
    members = values_at(flow, words(rng, (1, net.dimension + 2, flow.seed_size), p), point, p)
    expected = [value_mod(X, point.tolist(), p) for X in exact]
    ranks = [rank_mod(rows, p) for rows in (members.tolist(), expected, [*members.tolist(), *expected])]
    assert ranks[0] == ranks[1] == ranks[2]
    return ranks[0]


@FEW
@seeded
def test_fields_of_random_models(seed, p):
    """Programs made of all operations."""
    rng = random.Random(seed)
    readings_agree(random_net(rng, steps=rng.randint(2, 8)), "full", rng, p)


@FEW
@seeded
def test_fields_of_random_models_under_cross_entropy(seed, p):
    """Covectors of sum zero along the last axis."""
    rng = random.Random(seed)
    net = random_net(rng, steps=rng.randint(2, 6))
    if net.expanded.ndim:
        readings_agree(net, "cross_entropy", rng, p)


def test_random_models_are_not_trivial():
    """Most of the models drawn above have fields, and some have many."""
    ranks = []
    for seed in range(30):
        rng = random.Random(seed)
        ranks.append(readings_agree(random_net(rng, steps=5), "full", rng, 2**61 - 1))
    assert sum(r > 0 for r in ranks) >= 15 and max(ranks) >= 5


@FEW
@seeded
def test_members_of_random_models_exactly(seed, p):
    """The member named by (probes, covector) has the value of the oracle's gradient: same seeds, same numbers."""
    rng = random.Random(seed)
    net = random_net(rng, steps=rng.randint(2, 8))
    flow, point = net.flow(), words(rng, (net.dimension,), p)
    seeds = words(rng, (1, 3, flow.seed_size), p)
    found = values_at(flow, seeds, point, p)
    for row, names in zip(found.tolist(), seeds[0].tolist(), strict=True):
        assert row == value_mod(net.member(names), point.tolist(), p)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_brackets_of_random_models_exactly(depth, seed):
    """Nested brackets by jets are those of the oracle's exact members: same seeds, same numbers."""
    rng, p = random.Random(seed), PRIMES[seed % 4]
    net = random_net(rng, steps=rng.randint(2, 5))
    flow, point = net.flow(), words(rng, (net.dimension,), p)
    seeds = np.array([[[rng.randint(0, 3) for _ in range(flow.seed_size)]] for _ in range(depth + 1)], dtype=np.uint64)
    members = [net.member(names[0]) for names in seeds.tolist()]
    assert values_at(flow, seeds, point, p)[0].tolist() == value_mod(nested(members), point.tolist(), p)


def nested(members):
    """[X_0, [X_1, ...]]."""
    return members[0] if len(members) == 1 else lie_bracket(members[0], nested(members[1:]))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("p", PRIMES)
def test_brackets_of_explicit_fields_exactly(depth, p):
    """Members sum s_i X_i: jets, ``clexact.bracket`` and the oracle agree, and many rows at once are each right."""
    rng = random.Random(depth)
    fields = read(["x", "y", "z"], [["x*y - 2", "z**2", "3*x"], ["y*z", "1", "x**2 - y"], ["0", "-z", "x*y*z"]])
    flow = FieldsFlow(as_clexact(fields))
    point = words(rng, (flow.dimension,), p)
    seeds = words(rng, (depth + 1, 4, len(fields)), p)
    found = values_at(flow, seeds, point, p).tolist()
    for n in range(4):
        members = [combination([int(c) for c in level[n]], fields) for level in seeds]
        expected = nested(members)
        engine = as_clexact([members[-1]])
        for X in reversed(members[:-1]):
            engine = clexact.bracket(as_clexact([X]), engine)
        assert [as_element(q, fields[0][0].ring) for q in engine.components(0)] == expected
        assert found[n] == value_mod(expected, point.tolist(), p)


def test_fields_with_denominators_and_large_coefficients():
    """A field is named up to its denominator; coefficients beyond 64 bits are reduced exactly."""
    fields = clexact.VectorFields.from_strings(["x", "y"], [[f"{10**40}*x*y", "1/3*x"], ["-1/2", f"{2**64}*y"]])
    p, point = 2**61 - 1, [5, 7]
    found = values_at(FieldsFlow(fields), np.array([[[1, 0], [0, 1]]], dtype=np.uint64), np.array(point, np.uint64), p)
    assert found.tolist() == [[3 * 10**40 * 35 % p, 5], [-1 % p, 2 * 2**64 * 7 % p]]


@pytest.mark.parametrize("p", PRIMES)
def test_batches_do_not_change_values(p, monkeypatch):
    """Evaluation in batches that fit little memory gives the same rows."""
    rng, flow = random.Random(1), gradient_flow(clexact.models.relu([2, 3, 2], bias=True))
    seeds, point = words(rng, (2, 7, flow.seed_size), p), words(rng, (flow.dimension,), p)
    whole = values_at(flow, seeds, point, p)
    monkeypatch.setattr("clexact.lie.closure.MEMORY", 1)
    assert whole.tolist() == values_at(flow, seeds, point, p).tolist()


# --- jets ------------------------------------------------------------------------------------------------------------


def random_jet(rng, shape, p, bits=2, fields=2):
    """A jet with its ordinary part and some of the others, shared by all fields or not."""
    masks = [0] + [mask for mask in range(1, 1 << bits) if rng.random() < 0.7]
    return {mask: words(rng, (fields if rng.random() < 0.7 else 1, *shape), p) for mask in masks}


def parts(jet, shape, bits=2, fields=2):
    """All parts of a jet as nested lists, absent ones zero."""
    zero = np.zeros((1, *shape), dtype=np.uint64)
    return [np.broadcast_to(jet.get(mask, zero), (fields, *shape)).tolist() for mask in range(1 << bits)]


def times(a, b, p):
    """The product of two jets of numbers from the definition: e_i^2 = 0."""
    out = [0] * len(a)
    for s, t in product(range(len(a)), repeat=2):
        if s & t == 0:
            out[s | t] = (out[s | t] + a[s] * b[t]) % p
    return out


def entry(jet, field, place):
    """One number's jet, bits 0 and 1."""
    zero = np.zeros(1, dtype=np.uint64)
    found = []
    for mask in range(4):
        part = jet.get(mask, np.broadcast_to(zero, next(iter(jet.values())).shape))
        found.append(int(part[(min(field, len(part) - 1), *place)]))
    return found


@pytest.mark.parametrize("p", PRIMES)
def test_products_of_jets_are_those_of_the_definition(p):
    """Entry by entry, with broadcasting."""
    rng, ring = random.Random(p), Jets(p)
    a, b = random_jet(rng, (2, 3), p), random_jet(rng, (1, 3), p)
    found = ring.multiply(a, b)
    for f, i, j in product(range(2), range(2), range(3)):
        assert entry(found, f, (i, j)) == times(entry(a, f, (i, j)), entry(b, f, (0, j)), p)


@FEW
@seeded
def test_jets_are_a_commutative_ring(seed, p):
    """Associative, commutative, distributive; subtraction undoes addition."""
    rng, ring, shape = random.Random(seed), Jets(p), (2, 2)
    a, b, c = (random_jet(rng, shape, p) for _ in range(3))
    same = lambda x, y: parts(x, shape) == parts(y, shape)  # noqa: E731
    assert same(ring.multiply(a, b), ring.multiply(b, a))
    assert same(ring.multiply(a, ring.multiply(b, c)), ring.multiply(ring.multiply(a, b), c))
    assert same(ring.multiply(a, ring.add(b, c)), ring.add(ring.multiply(a, b), ring.multiply(a, c)))
    assert same(ring.subtract(ring.add(a, b), b), a)
    assert same(ring.matmul(a, ring.add(b, c)), ring.add(ring.matmul(a, b), ring.matmul(a, c)))
    assert same(ring.matmul(a, ring.matmul(b, c)), ring.matmul(ring.matmul(a, b), c))


@pytest.mark.parametrize("p", PRIMES)
def test_nilpotents_square_to_zero(p):
    """(x + y e)^2 = x**2 + 2 x y e, and e * e = 0."""
    ring, e = Jets(p), {1: np.array([[p - 1]], dtype=np.uint64)}
    assert ring.multiply(e, e) == {}
    x = {0: np.array([[3]], dtype=np.uint64), 1: np.array([[5]], dtype=np.uint64)}
    assert entry(ring.multiply(x, x), 0, (0,)) == [9, 30, 0, 0]


@pytest.mark.parametrize("exponent", [1, 2, 3, 4, 5, 6, 7, 12])
@pytest.mark.parametrize("p", PRIMES)
def test_powers_of_jets(p, exponent):
    """Repeated multiplication."""
    ring, a = Jets(p), random_jet(random.Random(exponent), (3,), p)
    expected = a
    for _ in range(exponent - 1):
        expected = ring.multiply(expected, a)
    assert parts(ring.power(a, exponent), (3,)) == parts(expected, (3,))


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 1)), ((1, 2, 3), (4, 3, 2)), ((2, 0), (0, 3))])
@pytest.mark.parametrize("p", PRIMES)
def test_matmul_of_jets_is_a_sum_of_products(p, shapes):
    """Also for stacks, and for no contracted entry at all."""
    rng, ring = random.Random(7), Jets(p)
    a, b = (random_jet(rng, shape, p) for shape in shapes)
    found = ring.matmul(a, b)
    spread = ring.multiply(
        {mask: part[..., :, None, :] for mask, part in a.items()},
        {mask: part.swapaxes(-1, -2)[..., None, :, :] for mask, part in b.items()},
    )
    shape = (*np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2]), shapes[0][-2], shapes[1][-1])
    expected = {mask: (part.astype(object).sum(axis=-1) % p).astype(np.uint64) for mask, part in spread.items()}
    assert parts(found, shape) == parts(expected, shape)


@pytest.mark.parametrize("p", PRIMES)
def test_sums_of_many_largest_residues_do_not_overflow(p):
    """A thousand times p - 1."""
    jet = {0: np.full((1, 1000, 2), p - 1, dtype=np.uint64)}
    assert Jets(p).sum(jet, 0)[0].tolist() == [[1000 * (p - 1) % p] * 2]
    index = np.zeros((1000, 2), dtype=np.int64)
    assert Jets(p).scatter(jet, index, (2,))[0].tolist() == [[2000 * (p - 1) % p, 0]]


@pytest.mark.parametrize("index", [[[0, 2], [2, 5]], [5, 5, 5, 0], [], [[[3]]]], ids=range(4))
def test_scatter_is_the_transpose_of_take(index):
    """<take(a), b> = <a, scatter(b)>."""
    p, rng, index = 2**61 - 1, random.Random(3), np.array(index, dtype=np.int64)
    a, b = words(rng, (1, 2, 3), p), words(rng, (1, *index.shape), p)
    taken, scattered = Jets(p).take({0: a}, index)[0], Jets(p).scatter({0: b}, index, (2, 3))[0]
    inner = lambda x, y: sum((x.astype(object) * y.astype(object)).ravel()) % p  # noqa: E731
    assert inner(taken, b) == inner(a, scattered)


def test_concatenate_fills_absent_parts_with_zeros():
    """One operand has the e-part, the other not; one is shared by all fields, the other not."""
    a = {0: np.array([[1, 2]], dtype=np.uint64), 1: np.array([[3, 4]], dtype=np.uint64)}
    b = {0: np.array([[5], [6]], dtype=np.uint64)}
    found = Jets(7).concatenate([a, b], 0)
    assert found[0].tolist() == [[1, 2, 5], [1, 2, 6]]
    assert np.broadcast_to(found[1], (2, 3)).tolist() == [[3, 4, 0], [3, 4, 0]]


def test_constants_are_residues():
    """Negative integers and fractions."""
    value = np.array([-1, Fraction(1, 2), 10**30], dtype=object)
    assert Jets(101).constant(value)[0].tolist() == [[100, 51, 10**30 % 101]]


@FEW
@seeded
def test_jets_are_directional_derivatives(seed, p):
    """X(x + e v) = X(x) + e dX(x) v for random fields, against the oracle's derivative."""
    rng = random.Random(seed)
    fields = random_system(rng)
    ring, flow = fields[0][0].ring, FieldsFlow(as_clexact(fields))
    point, direction = words(rng, (flow.dimension,), p), words(rng, (flow.dimension,), p)
    one = np.eye(len(fields), dtype=np.uint64)
    found = flow.values({0: point[None], 1: direction[None]}, one, p)
    for i, X in enumerate(fields):
        constant = [ring.from_dict({(0,) * ring.ngens: int(c)}) for c in direction.tolist()]
        moved = [sum(c.diff(x) * v for x, v in zip(ring.gens, constant, strict=True)) for c in X]
        assert entry_row(found, 0, i, flow.dimension) == value_mod(X, point.tolist(), p)
        assert entry_row(found, 1, i, flow.dimension) == value_mod(moved, point.tolist(), p)


def entry_row(jet, mask, i, width):
    """Part ``mask`` of field i, zero if absent."""
    part = jet.get(mask, np.zeros((1, width), dtype=np.uint64))
    return part[min(i, len(part) - 1)].tolist()


# --- cross-entropy and edges -----------------------------------------------------------------------------------------


def test_cross_entropy_adds_the_column_sums():
    """Every field of a linear classifier has columns of sum zero; with squared loss they have not."""
    net = Net({"W": (3, 2)}, {"x": (2,)}, lambda W, x: W @ x)
    p, point, rng = 2**31 - 1, [1, 2, 3, 4, 5, 6], random.Random(0)
    for loss, zero in (("cross_entropy", True), ("full", False)):
        flow = net.flow(loss)
        found = values_at(flow, words(rng, (1, 5, flow.seed_size), p), np.array(point, dtype=np.uint64), p)
        sums = found.reshape(5, 3, 2).astype(object).sum(axis=1) % p
        assert (not sums.any()) == zero


def test_cross_entropy_of_one_class_has_no_field():
    """Its gradient is zero: every parameter is conserved."""
    flow = Net({"u": (1, 2)}, {"x": (2,)}, lambda u, x: u @ x).flow("cross_entropy")
    assert len(flow.fields) == 0
    assert clexact.certify(flow).lower == clexact.certify(flow).upper == 2


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
def test_cross_entropy_acts_along_the_last_axis(shape):
    """Logits of shape (positions, classes)."""
    net = Net({"W": shape}, {}, lambda W: W)
    fields = net.flow("cross_entropy").fields
    assert same_field_span(elements(net.flow("cross_entropy"), net.ring), net.fields("cross_entropy"))
    assert len(fields) == shape[0] * (shape[1] - 1)


def test_unused_parameters_and_probes():
    """A parameter that does not reach the output has zero components; an unused probe changes nothing."""
    net = Net({"u": (2,), "idle": (2,)}, {"x": (2,), "y": (5,)}, lambda u, idle, x, y: u * x)
    assert readings_agree(net, "full", random.Random(0), 65537) == 2
    assert clexact.certify(net.flow()).lower == 2


@pytest.mark.parametrize("output", [lambda u, x: u * 0, lambda u, x: x, lambda u, x: u[2:]], ids=range(3))
def test_models_without_fields(output):
    """Outputs that do not depend on the parameters, or have no entry."""
    net = Net({"u": (2,)}, {"x": (2,)}, output)
    flow = net.flow()
    assert len(flow.fields) == 0 and flow.field_count == 0
    assert readings_agree(net, "full", random.Random(0), 65537) == 0


def test_bracket_values_at_jets():
    """The directional derivative of a bracket is the e-part of its value at x + e v."""
    flow, p = gradient_flow(clexact.models.linear([2, 1, 2])), 2**61 - 1
    rng = random.Random(4)
    seeds = [words(rng, (1, flow.seed_size), p) for _ in range(2)]
    point, direction = words(rng, (4,), p), words(rng, (4,), p)
    found = bracket_values(flow, seeds, {0: point[None], 1: direction[None]}, p, bit=1)
    constant = clexact.VectorFields.from_strings(flow.variables, [[str(c) for c in direction.tolist()]])
    assert entry_row(found, 0, 0, 4) == values_at(flow, np.array(seeds), point, p)[0].tolist()
    net = Net({"U1": (2, 1), "U2": (1, 2)}, {"x": (2,)}, lambda U1, U2, x: U1 @ (U2 @ x))
    X, Y = (net.member(s[0].tolist()) for s in seeds)
    along = [as_element(q, net.ring) for q in constant.components(0)]
    moved = [sum(c.diff(x) * v for x, v in zip(net.ring.gens, along, strict=True)) for c in lie_bracket(X, Y)]
    assert entry_row(found, 1, 0, 4) == value_mod(moved, point.tolist(), p)
