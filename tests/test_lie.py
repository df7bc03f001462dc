"""Lie closures: dimensions at generic and at special points, against exact ranks of all brackets."""

import pickle
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_clexact, generic_rank, layered, lie_dims, random_net, random_point, random_system, rank_mod, read

import clexact
from clexact import ClosureStatus, VectorFields, lie_closure
from clexact.algebra.draws import Draws
from clexact.flows.dynamics import as_flow
from clexact.lie.closure import Witness, closed, closure_error, values_at

FEW = settings(max_examples=40, deadline=None, derandomize=True)
MAX_ERROR = Fraction(1, 2**100)


def assert_levels(closure, dims):
    """The engine's levels are the oracle's; either stops early only where nothing can grow."""
    levels = max(len(closure.dims), len(dims))
    assert padded(closure.dims, levels) == padded(dims, levels)


def padded(dims, levels):
    """The last dimension repeated."""
    return [*dims, *[dims[-1]] * (levels - len(dims))]


def assert_consistent(closure, exact):
    """A lower bound always; the exact value when the status says so, with the error that belongs to it."""
    assert closure.rank <= exact
    if closure.status is not ClosureStatus.OPEN:
        assert closure.rank == exact
    assert (0 < closure.error <= MAX_ERROR) == (closure.status is ClosureStatus.CLOSED)
    assert list(closure.dims) == sorted(closure.dims)


@FEW
@given(st.integers(0, 10**6))
def test_generic_closure_of_random_systems(seed):
    """Exact for every small system: proved, or closed with an error; level by level the ranks of all brackets."""
    fields = random_system(random.Random(seed))
    dimension = len(fields[0])
    closure = lie_closure(as_clexact(fields), seed=seed)
    assert_consistent(closure, generic_rank(fields, dimension))
    assert closure.rank == generic_rank(fields, dimension) and closure.generic
    assert_levels(closure, lie_dims(fields, random_point(dimension), min(3, len(closure.dims) - 1))[0])


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6))
def test_generic_closure_of_random_models(seed):
    """The same for programs, where brackets come from jets."""
    net = random_net(random.Random(seed), steps=4)
    closure = lie_closure(net.flow(), seed=seed)
    exact = generic_rank(net.fields(), net.dimension)
    assert_consistent(closure, exact)
    assert closure.rank == exact


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        ([2, 1, 2], [3]),
        ([2, 2, 2], [4, 5]),
        ([2, 3, 2], [4, 6]),
        ([1, 2, 2], [2, 3]),
        ([1, 3, 1], [1]),
        ([2, 2, 2, 2], None),
    ],
    ids=str,
)
def test_filtration_of_linear_networks(dims, expected):
    """dim W_0 = rank of the Jacobian of phi; W_1 = W_infinity for two layers (theory 4.5)."""
    net = layered(dims)
    closure = lie_closure(net.flow())
    exact = lie_dims(net.fields(), random_point(net.dimension), 1)[0]
    assert_levels(closure, exact)
    assert closure.status is ClosureStatus.PROVED or dims[0] == dims[-1] == 1
    assert expected is None or list(closure.dims[: len(expected)]) == expected
    assert closure.rank == generic_rank(net.fields(), net.dimension)


@pytest.mark.parametrize("dims", [[1, 2, 1], [2, 3, 2], [2, 2, 2, 1]], ids=str)
def test_two_layer_relu_networks_are_involutive(dims):
    """W_infinity = W_0 (theory 4.3), also with more layers when every path is a field."""
    closure = lie_closure(clexact.gradient_flow(clexact.models.relu(dims)))
    assert len(closure.dims) == 1 and closure.status is ClosureStatus.PROVED
    assert closure.rank == closure.dimension - sum(dims[1:-1])


# --- special points --------------------------------------------------------------------------------------------------

SPECIAL = {
    "zero": [0] * 8,
    "balanced": [1, 2, 3, 4, 1, 3, 2, 4],  # U^T U = V V^T with V = U^T
    "identities": [1, 0, 0, 1, 1, 0, 0, 1],
    "rank one": [1, 2, 2, 4, 1, 1, 1, 1],
    "one layer zero": [1, 2, 3, 4, 0, 0, 0, 0],
    "one layer zero, the other singular": [1, 1, 1, 1, 0, 0, 0, 0],
    "one unit idle": [1, 0, 2, 0, 3, 4, 0, 0],
    "rational": [Fraction(1, 2), Fraction(-2, 3), 1, 0, Fraction(5, 7), 2, 0, 1],
    "generic": [3, 1, 4, 1, 5, 9, 2, 6],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_orbits_of_a_linear_network(name):
    """At special starts the levels are exact ranks there, down to the smallest orbits."""
    net, point = layered([2, 2, 2]), SPECIAL[name]
    closure = lie_closure(net.flow(), point, max_depth=3)
    dims, _ = lie_dims(net.fields(), point, 3)
    assert_levels(closure, dims)
    assert closure.point == tuple(point) and not closure.generic
    assert closure.status in (ClosureStatus.PROVED, ClosureStatus.OPEN) and closure.error == 0


def test_orbits_are_smaller_on_strata():
    """At zero the flow never moves; at a balanced start it moves in fewer directions than at a generic one."""
    flow = layered([2, 2, 2]).flow()
    rank = {name: lie_closure(flow, point, max_depth=3).rank for name, point in SPECIAL.items()}
    assert rank["zero"] == 0 < rank["balanced"] <= rank["generic"] == 5
    assert rank["one unit idle"] < rank["generic"]


@pytest.mark.parametrize("seed", range(12))
def test_special_points_of_random_systems(seed):
    """Points with zeros: exact ranks at that point, level by level."""
    rng = random.Random(seed)
    fields = random_system(rng)
    point = [rng.choice([0, 0, 1, -2]) for _ in fields[0]]
    closure = lie_closure(as_clexact(fields), point, max_depth=3, seed=seed)
    dims, complete = lie_dims(fields, point, 3)
    assert_levels(closure, dims)
    if complete:
        assert_consistent(closure, dims[-1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_special_points_of_random_models(seed):
    """The same for programs."""
    rng = random.Random(100 + seed)
    net = random_net(rng, steps=4)
    point = [rng.choice([0, 0, 1, -2]) for _ in range(net.dimension)]
    assert_levels(lie_closure(net.flow(), point, max_depth=2), lie_dims(net.fields(), point, 2)[0])


@pytest.mark.parametrize("power", [1, 2, 3, 5])
def test_a_chain_that_stalls_and_grows_later(power):
    """d/dx and x^k d/dy at 0: nothing new until depth k, so a stall proves nothing."""
    texts = [["1", "0"], ["0", f"x**{power}"]]
    fields = as_clexact(read(["x", "y"], texts))
    closure = lie_closure(fields, [0, 0])
    assert closure.dims == (1,) * power + (2,) and closure.status is ClosureStatus.PROVED
    assert list(closure.dims) == lie_dims(read(["x", "y"], texts), [0, 0], power)[0]
    partial = lie_closure(fields, [0, 0], max_depth=power - 1)
    assert partial.dims == (1,) * power and partial.status is ClosureStatus.OPEN
    generic = lie_closure(fields)
    assert generic.dims == (2,) and generic.status is ClosureStatus.PROVED


@pytest.mark.parametrize("max_depth", [0, 1, 2, 3, 4])
def test_bounded_depth_gives_partial_answers(max_depth):
    """A chain of four directions, one a level: each bound is proved, and exact only at the end."""
    variables = ["x", "a", "b", "c", "d"]
    fields = read(variables, [["1", "0", "0", "0", "0"], ["0", "1", "x", "x**2", "x**3"]])
    closure = lie_closure(as_clexact(fields), max_depth=max_depth)
    levels, _ = lie_dims(fields, random_point(5), 3)
    assert levels == [2, 3, 4, 5] and list(closure.dims) == levels[: max_depth + 1]
    assert (closure.status is ClosureStatus.OPEN) == (max_depth < 3)


# --- small families --------------------------------------------------------------------------------------------------


def test_single_fields():
    """One field: dimension 1 where it does not vanish, 0 where it does; closed either way."""
    fields = VectorFields.from_strings(["x", "y"], [["x*y", "x^2"]])
    for point, rank in ((None, 1), ([1, 2], 1), ([0, 5], 0), ([0, 0], 0)):
        closure = lie_closure(fields, point, max_depth=2)
        assert closure.rank == rank and closure.status is ClosureStatus.PROVED and closure.error == 0


def test_a_repeated_field_is_no_second_one():
    """X and 2 X: their bracket vanishes, the rank is 1, and closure is shown."""
    closure = lie_closure(VectorFields.from_strings(["x", "y"], [["x", "3*y"], ["2*x", "6*y"]]))
    assert set(closure.dims) == {1} and closure.status is ClosureStatus.CLOSED


@pytest.mark.parametrize("point", [None, [1, 2]])
def test_families_without_fields(point):
    """Dimension 0, proved."""
    closure = lie_closure(VectorFields.from_strings(["x", "y"], []), point)
    assert closure.rank == 0 and closure.status is ClosureStatus.PROVED and closure.witnesses == ()


@pytest.mark.parametrize("count", [1, 2])
def test_families_of_zero_fields(count):
    """Dimension 0 as well; never claimed to be less than closed."""
    closure = lie_closure(VectorFields.from_strings(["x", "y"], [["0", "0"]] * count))
    assert closure.rank == 0


def test_closed_families_without_polynomial_laws():
    """x d/dx + 2 z d/dz and y d/dy keep z / x^2: closed with an error of at most 2^-100, not proved."""
    closure = lie_closure(VectorFields.from_strings(["x", "y", "z"], [["x", "0", "2*z"], ["0", "y", "0"]]))
    assert closure.rank == 2 and closure.status is ClosureStatus.CLOSED and 0 < closure.error <= MAX_ERROR


@pytest.mark.parametrize(
    ("texts", "dims"),
    [
        ([["1", "0", "0"], ["0", "1", "x"]], (2, 3)),  # Heisenberg
        ([["y", "-x", "0"], ["0", "z", "-y"]], (2,)),  # so(3)
        ([["1", "0", "0"], ["0", "x", "0"]], (2,)),
        ([["1", "0", "0"], ["0", "x", "y"]], (2, 3)),
        ([["1", "x", "x**2"]], (1,)),
    ],
)
def test_small_algebras(texts, dims):
    """Their levels at a generic point."""
    fields = read(["x", "y", "z"], texts)
    closure = lie_closure(as_clexact(fields))
    exact = lie_dims(fields, random_point(3), 3)[0]
    assert closure.dims[: len(dims)] == dims and closure.rank == dims[-1] == exact[-1]


def test_the_error_grows_with_what_it_counts():
    """More brackets, deeper ones, more tests at a point and smaller primes: a larger chance of error."""
    flow = layered([2, 2, 2]).flow()
    base = closure_error(flow, [0, 0, 1], 3)
    assert 0 < base < Fraction(1, 2**40)
    assert closure_error(flow, [0, 0, 0, 1], 3) > base
    assert closure_error(flow, [0, 0, 2], 3) > base
    assert closure_error(flow, [0, 0, 1], 4) > base
    assert closure_error(flow, [0, 0, 1], 3, bits=31) > base


@pytest.mark.parametrize("dims", [[2, 2, 2], [1, 2, 2], [2, 3, 1]], ids=str)
def test_closed_tells_fields_from_the_algebra_they_generate(dims):
    """All witnesses together are closed; without the brackets, or without one field, they are not."""
    flow = layered(dims).flow()
    witnesses = lie_closure(flow).witnesses
    error = closed(flow, witnesses, Draws(1))
    assert error is not None and 0 < error <= MAX_ERROR
    assert closed(flow, [w for w in witnesses if w.depth == 0], Draws(1)) is None
    assert closed(flow, [Witness(0, witnesses[0].seeds[:, 1:]), *witnesses[1:]], Draws(1)) is None


# --- primes that divide what they should not -------------------------------------------------------------------------


def test_a_field_that_vanishes_modulo_the_prime_is_not_proved_to_vanish():
    """The constant field p d/dx, and x d/dx at x = p, have rank 1 over Q, whatever the prime p drawn."""
    p = lie_closure(VectorFields.from_strings(["x"], [["x"]]), [1]).prime
    for text, point in ((str(p), 0), ("x", p), ("x", Fraction(p, 2))):
        closure = lie_closure(VectorFields.from_strings(["x"], [[text]]), [point], max_depth=1)
        assert closure.rank == 1 or closure.status is ClosureStatus.OPEN


def test_a_constant_whose_denominator_is_the_prime():
    """Another prime is drawn, or the error says so."""
    p = lie_closure(layered([1, 1]).flow()).prime
    net = clexact.Model({"u": (2,)}, {"x": (2,)}, lambda u, x: u * x / p)
    closure = lie_closure(clexact.gradient_flow(net))
    assert closure.rank == 2 and closure.prime != p


def test_a_point_whose_denominator_is_the_prime_is_refused():
    """With the advice to take another seed, which helps."""
    fields = VectorFields.from_strings(["x"], [["x"]])
    p = lie_closure(fields, [1]).prime
    with pytest.raises(ValueError, match=f"divisible by {p}; take another seed"):
        lie_closure(fields, [Fraction(1, p)])
    assert lie_closure(fields, [Fraction(1, p)], seed=1).rank == 1


# --- the result and its arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [[2, 2, 2], [2, 3, 1]], ids=str)
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_witnesses_prove_the_rank(dims, seed):
    """Evaluated again at the point, the brackets named are independent mod p, as many as the rank."""
    flow = layered(dims).flow()
    closure = lie_closure(flow, seed=seed)
    point = np.array(closure.point, dtype=np.uint64)
    rows = [row for w in closure.witnesses for row in values_at(as_flow(flow), w.seeds, point, closure.prime).tolist()]
    assert len(rows) == closure.rank == rank_mod(rows, closure.prime)
    assert all(w.seeds.shape[0] == w.depth + 1 for w in closure.witnesses)
    assert [sum(w.seeds.shape[1] for w in closure.witnesses if w.depth <= k) for k in range(len(closure.dims))] == list(
        closure.dims
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_gives_the_same_closure(seed):
    """Point, prime and dimensions; other seeds draw other points and find the same dimensions."""
    flow = layered([2, 2, 2]).flow()
    first, again, other = (lie_closure(flow, seed=s) for s in (seed, seed, seed + 1))
    assert (first.point, first.prime, first.dims) == (again.point, again.prime, again.dims)
    assert first.seed == seed and first.point != other.point and first.dims == other.dims
    copy = pickle.loads(pickle.dumps(first))
    assert repr(copy) == repr(first) and copy.point == first.point


@pytest.mark.parametrize("point", [(1, 2), [Fraction(1), sympy.Integer(2)], np.array([1, 2]), [True, 2]], ids=range(4))
def test_points_of_exact_numbers(point):
    """Tuples, SymPy numbers and NumPy integers."""
    closure = lie_closure(VectorFields.from_strings(["x", "y"], [["x", "0"], ["0", "y"]]), point)
    assert closure.point == (1, 2) and closure.rank == 2


@pytest.mark.parametrize(
    ("point", "error", "message"),
    [
        ([1], ValueError, "point must have 2 coordinates, not 1"),
        ([1, 2, 3], ValueError, "point must have 2 coordinates, not 3"),
        ([], ValueError, "point must have 2 coordinates, not 0"),
        ([1.0, 2.0], TypeError, "a coordinate of point must be an integer or a rational"),
        (np.array([0.5, 1.0]), TypeError, "a coordinate of point must be an integer or a rational"),
        ([1, None], TypeError, "a coordinate of point must be an integer or a rational"),
        ([1, sympy.sqrt(2)], TypeError, "a coordinate of point must be an integer or a rational"),
        (3, TypeError, "point must be a list of 2 rationals"),
        ("12", TypeError, "point must be a list of 2 rationals"),
    ],
)
def test_lie_closure_rejects_points(point, error, message):
    """Before any work."""
    with pytest.raises(error, match=message):
        lie_closure(VectorFields.from_strings(["x", "y"], [["x", "y"]]), point)


@pytest.mark.parametrize(
    ("max_depth", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_lie_closure_rejects_depths(max_depth, error):
    """Integers from 0 on."""
    with pytest.raises(error, match="max_depth must be"):
        lie_closure(VectorFields.from_strings(["x"], [["x"]]), max_depth=max_depth)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (0.0, TypeError), ("0", TypeError)])
def test_lie_closure_rejects_seeds(seed, error):
    """Integers from 0 on."""
    with pytest.raises(error, match="seed must be"):
        lie_closure(VectorFields.from_strings(["x"], [["x"]]), seed=seed)


@pytest.mark.parametrize("sizes", [[2, 2, 2], [1, 3, 2], [2, 1, 2, 1]])
def test_a_start_where_all_fields_vanish_is_proved_to_stay(sizes):
    """Fields that vanish at a point have brackets that vanish there: the orbit of zero is zero, exactly."""
    flow = clexact.gradient_flow(clexact.models.linear(sizes))
    closure = lie_closure(flow, [0] * flow.dimension)
    assert closure.rank == 0 and closure.status is ClosureStatus.PROVED
    moved = lie_closure(flow, [1] + [0] * (flow.dimension - 1), max_depth=2)
    if len(sizes) == 3:  # one layer is not zero: the other moves
        assert moved.rank >= 1
    else:  # two layers are zero: nothing moves
        assert moved.rank == 0 and moved.status is ClosureStatus.PROVED
