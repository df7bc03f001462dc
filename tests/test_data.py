"""W_g(theta) from data: exact rows, true gates, all linear regions, and the talk's theorem and conclusion."""

import random
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import inf, prod

import numpy as np
import pytest
import sympy

import clexact
from clexact import functions
from clexact.algebra.linalg import rational_rank
from clexact.counting.minimality import MinimalityStatus, data_fields, minimality, phi_bounds
from clexact.flows.gradient import GradientFlow
from clexact.functions import relu
from clexact.models import relu as relu_net
from clexact.programs.network import Network, inner_points, intervals, spanning_inputs

EQUAL, SMALLER, NOT_REACHED = MinimalityStatus
HALF = Fraction(1, 2)

# Each network as a function of its arrays and of what relu and maximum are: symbols of clexact, numbers or SymPy.


def layers(relu, maximum, x, **arrays):
    """A ReLU network with biases, slope -1/2."""
    for n in range(len(arrays) // 2, 0, -1):
        x = relu(arrays[f"U{n}"] @ x + arrays[f"b{n}"], -HALF)
    return x


def pooled(relu, maximum, U, V, b, x):
    """Two filters of width 2 on four inputs, a relu, max-pool over windows that overlap, a bias, a dense layer."""
    hidden = relu(V @ x[[[0, 1, 2], [1, 2, 3]]], 0)  # (filters, places)
    return U @ (maximum(hidden[:, [[0, 1], [1, 2]]], 1).reshape(4) + b)


def squares(relu, maximum, U, V, c, x, y):
    """Pieces of degree 3 in the input, constants, two probes."""
    return U @ (relu(V * x * x + (c - 3), 0) * x) + y[::-1] * c


def scalars(relu, maximum, u, v, x):
    """Arrays without axes."""
    return u * relu(v * x + 1, Fraction(1, 3))


def shared(relu, maximum, W, x):
    """One matrix in two layers, and as an output by its transpose."""
    return W.T @ relu(W @ relu(W @ x, 0), 0)


NETS = {
    "layers": (layers, {"U1": (2, 3), "b1": (2,), "U2": (3, 2), "b2": (3,)}, {"x": (2,)}),
    "sizes 1": (layers, {"U1": (1, 1), "b1": (1,), "U2": (1, 1), "b2": (1,)}, {"x": (1,)}),
    "pooled": (pooled, {"U": (2, 4), "V": (2, 2), "b": (4,)}, {"x": (4,)}),
    "squares": (squares, {"U": (2, 3), "V": (3,), "c": ()}, {"x": (), "y": (2,)}),
    "scalars": (scalars, {"u": (), "v": ()}, {"x": ()}),
    "shared": (shared, {"W": (2, 2)}, {"x": (2,)}),
}


def model_of(name):
    """The network as a model."""
    net, parameters, probes = NETS[name]
    return clexact.Model(parameters, probes, lambda **arrays: net(relu, functions.maximum, **arrays), name)


def arrays_of(shapes, numbers):
    """Consecutive numbers as arrays."""
    found, first = {}, 0
    for name, shape in shapes.items():
        found[name] = np.array(numbers[first : first + prod(shape)], dtype=object).reshape(shape)
        first += prod(shape)
    return found


def drawn(shapes, rng):
    """Random nonzero rationals of both signs."""
    return [Fraction(rng.choice([-1, 1]) * rng.randint(1, 50), rng.randint(1, 5)) for _ in range(total(shapes))]


def total(shapes):
    return sum(map(prod, shapes.values()))


def evaluated(name, point, given, number=lambda z: z):
    """Outputs in Python numbers, or in SymPy with the piece of each relu and maximum chosen at ``number(z)``."""
    net, parameters, probes = NETS[name]

    def slow_relu(z, slope):
        return np.vectorize(lambda c: c if number(c) > 0 else slope * c, otypes=[object])(z)

    def slow_maximum(z, axis):
        assert axis == 1
        return np.array([[max(z[i, :, j], key=number) for j in range(z.shape[2])] for i in range(len(z))], dtype=object)

    arrays = arrays_of(parameters, point) | arrays_of(probes, given)
    return np.asarray(net(slow_relu, slow_maximum, **arrays), dtype=object).ravel().tolist()


def number_at(place, z):
    return sympy.sympify(z).subs(place)


# --- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_rows_are_sympy_gradients_with_the_gates_fixed(name):
    model, rng = model_of(name), random.Random(name)
    _, parameters, probes = NETS[name]
    symbols = sympy.symbols(f"t:{total(parameters)}")
    for _ in range(3):
        point, given = drawn(parameters, rng), drawn(probes, rng)
        place = dict(zip(symbols, map(sympy.Rational, point), strict=True))
        expected = [
            [Fraction(int(d.p), int(d.q)) for d in (sympy.diff(g, t).subs(place) for t in symbols)]
            for g in evaluated(name, symbols, list(map(sympy.Rational, given)), partial(number_at, place))
        ]
        found = data_fields(model, [arrays_of(probes, given)], point)
        assert found.rows.tolist() == expected
        assert found.rows.shape == (prod(model.program.shape), model.dimension)
        assert found.rank == sympy.Matrix(expected).rank()


@pytest.mark.parametrize("name", ["layers", "sizes 1", "pooled", "scalars"])
def test_rows_are_difference_quotients_within_a_region(name):
    """A network without shared weights is affine in each parameter while no gate changes: quotients are exact."""
    model, rng, step = model_of(name), random.Random(name), Fraction(1, 10**6)
    _, parameters, probes = NETS[name]
    point, given = drawn(parameters, rng), drawn(probes, rng)
    inputs = [arrays_of(probes, given)]
    here = data_fields(model, inputs, point)
    for j in range(model.dimension):
        moved = [c + step * (i == j) for i, c in enumerate(point)]
        there = data_fields(model, inputs, moved)
        assert all((here.gates[0][gate] == there.gates[0][gate]).all() for gate in here.gates[0])
        pairs = zip(evaluated(name, moved, given), evaluated(name, point, given), strict=True)
        assert [(a - b) / step for a, b in pairs] == here.rows[:, j].tolist()


def test_gates_are_read():
    net = relu_net([1, 2, 1], slope=HALF)
    found = data_fields(net, [[1], [-2]], [1, 1, 3, -3])
    assert [read["gate1"].tolist() for read in found.gates] == [[1, HALF], [HALF, 1]]
    choice = clexact.Model({"v": (3,)}, {"x": ()}, lambda v, x: functions.maximum(v * x, axis=0))
    found = data_fields(choice, [1, -1], [3, 7, 2])
    assert [read["choice1"].tolist() for read in found.gates] == [[0, 1, 0], [0, 0, 1]]
    assert found.rows.tolist() == [[0, 1, 0], [0, 0, -1]]


def test_rows_of_several_inputs_follow_each_other():
    net, point = relu_net([2, 2, 2]), [1, 2, 3, 4, 5, -6, 7, 8]
    together = data_fields(net, [[1, 2], [3, -1]], point).rows
    apart = [data_fields(net, [x], point).rows for x in ([1, 2], [3, -1])]
    assert together.tolist() == np.concatenate(apart).tolist()
    assert data_fields(net, [], point).rows.shape == (0, 8)
    assert data_fields(net, [], point).rank == 0


def test_a_model_without_probes_has_one_input():
    square = clexact.Model({"U": (2, 1)}, output=lambda U: U @ U.T)
    assert data_fields(square, [{}], [3, 5]).rows.tolist() == [[6, 0], [5, 3], [5, 3], [0, 10]]
    assert minimality(square).status is EQUAL


# --- ties and wrong inputs -------------------------------------------------------------------------------------------


def test_a_tie_of_a_relu_is_refused():
    with pytest.raises(ValueError, match=r"input 1: unit gate1\[1\] receives exactly 0"):
        data_fields(relu_net([1, 2, 1], bias=True), [[1], [2]], [1, 1, 3, 3, 1, -6])


def test_a_tie_of_a_maximum_is_refused():
    net = clexact.Model({"V": (2, 3)}, {"x": ()}, lambda V, x: functions.maximum(V * x))
    with pytest.raises(ValueError, match=r"input 0: entry choice1\[1,2\] ties with the largest"):
        data_fields(net, [1], [1, 2, 3, 7, 4, 7])
    assert data_fields(net, [-1], [1, 2, 3, 7, 4, 7]).rows.tolist() == [[-1, 0, 0, 0, 0, 0], [0, 0, 0, 0, -1, 0]]


def test_a_unit_behind_a_layer_that_is_off_is_no_tie():
    """It is 0 for all parameters near the point, so the network has a gradient there, and it is 0."""
    assert data_fields(relu_net([1, 1, 1, 1]), [[1], [-1], [0]], [3, 5, 7]).rows.tolist() == [
        [35, 21, 15],
        [0, 0, 0],
        [0, 0, 0],
    ]
    pool = clexact.Model({"u": (), "v": (2,)}, {"x": ()}, lambda u, v, x: u * functions.maximum(relu(v * x), 0))
    assert data_fields(pool, [-1, 1], [3, 5, 7]).rows.tolist() == [[0, 0, 0], [7, 0, 3]]


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        ([[1, 2], [1, 2, 3]], ValueError, r"x of input 1 must have shape \(2,\), not \(3,\)"),
        ([1], ValueError, r"x of input 0 must have shape \(2,\), not \(\)"),
        ([[[1], [1, 2]]], TypeError, "an entry of x of input 0 must be an integer or a rational"),
        ([[0.5, 1]], TypeError, "an entry of x of input 0 must be an integer or a rational"),
        ([{"y": [1, 2]}], ValueError, r"input 0 must give the probes \['x'\], not \['y'\]"),
        ([{"x": [1, 2], "gate1": [1, 1]}], ValueError, r"not \['x', 'gate1'\]"),
        ("ab", TypeError, "inputs must be a list"),
        ({"x": [1, 2]}, TypeError, "inputs must be a list"),
        (3, TypeError, "inputs must be a list"),
    ],
)
def test_wrong_inputs_are_named(inputs, error, match):
    net = relu_net([1, 2, 2])
    with pytest.raises(error, match=match):
        data_fields(net, inputs, [1, 2, 3, 4, 5, 6])
    if not isinstance(inputs, str | dict | int):
        with pytest.raises(error, match=match):
            minimality(net, inputs=inputs)


def test_inputs_of_several_probes_must_be_named():
    with pytest.raises(TypeError, match=r"input 0 must map the probes \['x', 'y'\] to arrays"):
        data_fields(model_of("squares"), [[1, 2, 3]], [1] * 10)


def test_wrong_points_and_models_are_refused():
    net = relu_net([1, 2, 2])
    with pytest.raises(ValueError, match="point must have 6 coordinates, not 5"):
        data_fields(net, [[1, 2]], [1] * 5)
    with pytest.raises(TypeError, match="a coordinate of point"):
        minimality(net, [0.5] * 6)
    with pytest.raises(ValueError, match="patience must be at least 1"):
        minimality(net, patience=0)
    analytic = clexact.Model({"v": ()}, {"x": ()}, lambda v, x: functions.tanh(v * x), "net")
    for refused in (lambda: data_fields(analytic, [1], [1]), lambda: minimality(analytic)):
        with pytest.raises(ValueError, match="net applies tanh: rows from data are exact for polynomial pieces only"):
            refused()


# --- the talk's theorem and conclusion -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0, HALF, -1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sizes", [[1, 1, 1], [1, 4, 2], [3, 1, 2], [2, 5, 3], [1, 7, 3], [4, 3, 5], [2, 12, 2]])
def test_two_layers_are_minimal(sizes, bias, slope):
    """phi = (u_i v_i^T)_i: W_g = W_phi, of dimension D - r (one law for each hidden unit)."""
    net = relu_net(sizes, bias=bias, slope=slope)
    found = minimality(net, seed=1)
    assert found.status is EQUAL and found.minimal
    assert found.rank == net.dimension - sizes[1] == data_fields(net, found.inputs, found.point).rank
    assert found.phi_rank == (found.rank, found.rank)


@pytest.mark.parametrize("sizes", [[1, 6, 1], [3, 4, 1], [1, 1, 1]])
def test_two_layers_on_a_scalar_input_need_biases(sizes):
    """Without biases all units change at x = 0 only: two regions, so W_g has at most two dimensions per output."""
    outputs, hidden, _ = sizes
    assert minimality(relu_net(sizes, bias=True)).status is EQUAL
    signs = [(-1) ** k for k in range(hidden)]
    point = [k + 2 for k in range(outputs * hidden)] + [s * (k + 1) for k, s in enumerate(signs)]
    found = minimality(relu_net(sizes), point)
    assert found.rank == min(2, hidden) * outputs
    assert found.phi_rank == (outputs * hidden,) * 2
    assert found.minimal is (hidden == 1) and found.exhaustive


@pytest.mark.parametrize("seed", range(4))
def test_a_deep_network_is_not_minimal_on_an_open_set(seed):
    """A unit of the second layer with negative weights and bias is off for every input, at all parameters nearby."""
    net, rng = relu_net([1, 2, 2, 1], bias=True), random.Random(seed)
    base = {"U1": [3, 5], "U2": [-2, -3, 4, 5], "U3": [7, -6], "b2": [-1, 9], "b3": [2, 3]}
    point = [c + Fraction(rng.randint(-99, 99), 200) for name in net.parameters for c in base[name]]
    found = minimality(net, point)
    assert found.status is SMALLER and found.minimal is False and found.exhaustive
    assert found.phi_rank == (8, 8)  # D - 4 hidden units
    assert found.rank == data_fields(net, found.inputs, point).rank < 8
    assert "all regions visited" in repr(found)


@pytest.mark.slow
def test_a_deep_network_is_minimal_elsewhere():
    """So neither holds for almost all parameters."""
    net = relu_net([2, 2, 2, 1], bias=True)
    seen = {minimality(net, seed=seed).status for seed in range(30)}
    assert seen == {EQUAL, SMALLER}


def test_max_pool_is_minimal():
    def output(U, V, x):
        return U @ functions.maximum(relu(V @ x), axis=1)

    net = clexact.Model({"U": (2, 3), "V": (3, 2, 2)}, {"x": (2,)}, output)
    found = minimality(net)
    assert found.status is EQUAL and found.rank == net.dimension - 3


def test_more_inputs_than_are_enumerated_are_drawn():
    """A network of three inputs, one unit of which is always off: nothing is proved but a lower bound."""
    net = relu_net([1, 1, 2, 3], bias=True)
    names = {"U1": [2], "U2": [-3, -4], "U3": [1, 2, 3, 4, 5, 7], "b2": [-1], "b3": [1, 2]}
    found = minimality(net, [c for name in net.parameters for c in names[name]], patience=10)
    assert found.status is NOT_REACHED and found.minimal is None and not found.exhaustive
    assert found.rank == 0 and len(found.inputs) == 20
    assert (
        repr(found) == f"Minimality(not reached: dim W_g at least 0 of dim W_phi {found.phi_rank[0]}, after 20 inputs)"
    )


def test_what_enters_a_gate_must_be_affine_to_enumerate_regions():
    found = minimality(clexact.Model({"u": (2,), "v": (2,)}, {"x": ()}, lambda u, v, x: u @ relu(v * x * x)))
    assert not found.exhaustive


def test_given_inputs_come_first():
    net, point = relu_net([1, 2, 2]), [1, 2, 3, 4, -5, 6]
    given = [[1, 2], [1, -2], [-1, 1], [-2, -1]]
    found = minimality(net, point, inputs=given)
    assert [x["x"].tolist() for x in found.inputs[:4]] == given
    with pytest.raises(ValueError, match="input 0: unit gate1"):
        minimality(net, point, inputs=[[4, -3]])


def test_a_unit_that_is_always_tied_is_refused():
    with pytest.raises(ValueError, match=r"unit gate1\[0\] receives exactly 0|a unit is tied"):
        minimality(relu_net([1, 1, 1], bias=True), [1, 0, 0])


def test_the_seed_determines_everything():
    net = relu_net([2, 4, 3])
    first, again, other = (minimality(net, seed=seed) for seed in (5, 5, 6))
    assert first.point == again.point != other.point and first.seed == 5
    assert [x["x"].tolist() for x in first.inputs] == [x["x"].tolist() for x in again.inputs]
    assert {c > 0 for c in first.point} == {True, False} and 0 not in first.point


# --- the pieces ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_phi_bounds_hold_the_rank_of_all_fields(name):
    """W_phi by SymPy: the coefficients in probes and gates of the gradients, at the point."""
    model, rng = model_of(name), random.Random(name)
    point = drawn(NETS[name][1], rng)
    flow = GradientFlow(model)
    place = dict(zip(map(sympy.Symbol, model.variables), map(sympy.Rational, point), strict=True))
    rank = sympy.Matrix([[sympy.sympify(c).subs(place) for c in field] for field in flow.fields.to_sympy()]).rank()
    lower, upper = phi_bounds(model, point, clexact.algebra.draws.Draws(0))
    assert lower == rank == upper


@pytest.mark.slow
@pytest.mark.parametrize("net", [relu_net([1, 3, 3, 1], bias=True), relu_net([1, 2, 3, 2, 1], bias=True, slope=HALF)])
@pytest.mark.parametrize("seed", range(5))
def test_intervals_against_a_fine_grid(net, seed):
    """Gates are equal within an interval, differ in the next one, and no sample shows gates that were not visited."""
    point = [c + (c >= 0) for c in clexact.algebra.draws.Draws(seed).integers(-9, 8, net.dimension)]
    network = Network(net, point)

    def gates(t):
        return str([read.tolist() for read in network.values(network.shaped([t]))[1].values()])

    found = list(intervals(network, lambda t: network.shaped([t])))
    assert found[0][0] == -inf and found[-1][1] == inf
    assert all(a[1] == b[0] for a, b in pairwise(found))
    visited = [{gates(t) for t in inner_points(left, right, 4)} for left, right in found]
    assert all(len(each) == 1 for each in visited)
    assert all(a != b for a, b in pairwise(visited))
    for n in range(-600, 600):
        t = Fraction(n, 37) + Fraction(1, 10007)
        place = [k for k, (left, right) in enumerate(found) if left < t < right]
        assert len(place) == 1 and {gates(t)} == visited[place[0]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "net", [relu_net([2, 2, 3, 1], bias=True), relu_net([1, 3, 3, 2]), relu_net([2, 2, 2, 2], slope=HALF)]
)
@pytest.mark.parametrize("seed", range(3))
def test_spanning_inputs_span_what_many_random_inputs_do(net, seed):
    point = [c + (c >= 0) for c in clexact.algebra.draws.Draws(seed).integers(-9, 8, net.dimension)]
    network, rng = Network(net, point), random.Random(seed)
    spanning = list(spanning_inputs(network))
    rank = data_fields(net, spanning, point).rank
    size = network.input_size
    scales = [1, 10, 1000] * 100
    others = [network.shaped([Fraction(rng.randint(-9999, 9999), s * 7) for _ in range(size)]) for s in scales]
    assert data_fields(net, spanning + others, point).rank == rank
    assert data_fields(net, others, point).rank <= rank


@pytest.mark.parametrize(
    ("left", "right"), [(-inf, inf), (-inf, Fraction(3)), (Fraction(-5, 2), inf), (Fraction(1, 3), Fraction(1, 2))]
)
def test_inner_points(left, right):
    points = inner_points(left, right, 3)
    assert len(set(points)) == 3 and all(left < t < right for t in points)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 3), (3, 5), (6, 6)])
def test_rational_rank(shape):
    rng = random.Random(str(shape))
    for inner in range(min(shape) + 1):
        A = [[Fraction(rng.randint(-9, 9), rng.randint(1, 9)) for _ in range(inner)] for _ in range(shape[0])]
        B = [[rng.randint(-(2**70), 2**70) for _ in range(shape[1])] for _ in range(inner)]
        rows = [
            [sum((a * b[j] for a, b in zip(row, B, strict=True)), Fraction(0)) for j in range(shape[1])] for row in A
        ]
        assert rational_rank(rows) == (sympy.Matrix(rows).rank() if rows else 0)
