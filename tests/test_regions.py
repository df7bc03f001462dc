"""The gates met near a start: counts of arrangements, brute force on grids, perturbed starts, degenerate ones."""

import random
from fractions import Fraction
from itertools import product
from math import comb, inf

import numpy as np
import pytest

import clexact
from clexact.algebra.draws import Draws
from clexact.functions import maximum, relu
from clexact.models import relu as relu_net
from clexact.programs.network import Network, TieError, intervals
from clexact.programs.regions import regions, sampled_regions, units
from clexact.programs.sources import key

HALF = Fraction(1, 2)
TINY = Fraction(1, 10**12)


def start(model, seed, largest=99):
    rng = random.Random(seed)
    return [rng.choice([-1, 1]) * rng.randint(1, largest) for _ in range(model.dimension)]


def found_at(model, point, seed=0, **options):
    return regions(Network(model, point), Draws(seed), **options)


def named(found):
    return {key(region.gates.values()) for region in found}


def brute(model, point, inputs):
    """The gates read at inputs that are no ties."""
    network, seen = Network(model, point), set()
    for numbers in inputs:
        try:
            seen.add(key(network.values(network.shaped(numbers))[1].values()))
        except TieError:
            continue
    return seen


def grid(count, reach=40, step=Fraction(7, 3)):
    """Points off the axes of a grid, and the same far away."""
    line = [step * k + Fraction(1, 17) for k in range(-reach // 4, reach // 4 + 1)]
    line = [scale * c for c in line for scale in (Fraction(1, 20), 1, 10**4)] if count == 1 else line
    return product(line, repeat=count)


def pooled(U, V, b, x):
    """Two units of three pieces each (maxout), then a leaky unit of all."""
    return U @ relu(maximum(V @ x + b, axis=1), HALF)


def pools(U, V, x):
    """ReLU, then the largest of two neighbours: zeros tie where both are off."""
    return U @ maximum(relu(V @ x).reshape(2, 2), axis=1)


def doubled(U, V, x):
    """The largest of entries of which two are always equal."""
    z = V @ x
    return U[0, 0] * maximum(np.stack([z[0], z[1], z[0], z[2]]), axis=0)


def skipped(U, V, W, b, x):
    """A residual layer whose second gate meets the input again."""
    return U @ relu(W @ relu(V @ x + b) + x)


MODELS = {
    "deep": relu_net([1, 3, 3, 1], bias=True),
    "deep, no bias": relu_net([1, 3, 3, 2]),
    "deep, two inputs": relu_net([1, 3, 3, 2], bias=True),
    "one unit between": relu_net([1, 3, 1, 2, 2], bias=True),
    "leaky": relu_net([1, 3, 2, 2], bias=True, slope=-HALF),
    "maxout": clexact.Model({"U": (1, 2), "V": (2, 3, 2), "b": (2, 3)}, {"x": (2,)}, pooled),
    "pools": clexact.Model({"U": (1, 2), "V": (4, 2)}, {"x": (2,)}, pools),
    "doubled": clexact.Model({"U": (1, 1), "V": (3, 2)}, {"x": (2,)}, doubled),
    "skipped": clexact.Model({"U": (1, 2), "V": (2, 2), "W": (2, 2), "b": (2,)}, {"x": (2,)}, skipped),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", MODELS)
def test_no_input_meets_gates_that_are_not_listed(name, seed):
    model = MODELS[name]
    point = start(model, seed)
    found = found_at(model, point)
    assert found.complete and found.error <= Fraction(1, 2**100)
    listed = named(found.found)
    assert len(listed) == len(found.found)
    network = Network(model, point)
    assert brute(model, point, grid(network.input_size)) <= listed
    for region in found.found:
        read = network.values(region.input)[1]
        assert all(np.array_equal(read[gate], region.gates[gate]) for gate in read)


@pytest.mark.parametrize("name", MODELS)
def test_samples_are_regions_and_few_are_missed(name):
    model = MODELS[name]
    point = start(model, 5)
    network = Network(model, point)
    whole = named(found_at(model, point).found)
    sampled = named(sampled_regions(network, Draws(3), patience=40))
    assert sampled <= whole
    assert len(sampled) >= 0.7 * len(whole)


@pytest.mark.parametrize("name", MODELS)
def test_complete_lists_stay_near_the_start(name):
    model, rng = MODELS[name], random.Random(name)
    point = start(model, 1)
    found = found_at(model, point)
    moved = found_at(model, [c + rng.randint(-9, 9) * TINY for c in point])
    assert found.complete and moved.complete
    assert named(moved.found) == named(found.found)


@pytest.mark.parametrize(("inputs", "width"), [(1, 5), (2, 5), (3, 4), (2, 1)])
def test_arrangements_in_general_position(inputs, width):
    """Schlaefli: sum_k binom(m, k) cells of m planes in n dimensions, 2 sum_k<n binom(m - 1, k) of central ones."""
    affine, central = relu_net([1, width, inputs], bias=True), relu_net([1, width, inputs])
    cells = sum(comb(width, k) for k in range(inputs + 1))
    assert len(found_at(affine, start(affine, 2)).found) == cells
    assert len(found_at(central, start(central, 2)).found) == 2 * sum(comb(width - 1, k) for k in range(inputs))


@pytest.mark.parametrize(("inputs", "width"), [(5, 3), (4, 5), (30, 4)])
def test_many_inputs_and_few_units(inputs, width):
    central = relu_net([1, width, inputs])
    found = found_at(central, start(central, 2))
    assert found.complete
    assert len(found.found) == (2**width if inputs >= width else 2 * sum(comb(width - 1, k) for k in range(inputs)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [[1, 2, 2, 1], [1, 4, 4, 1], [2, 3, 2, 3, 1]])
def test_one_input_as_its_intervals(sizes, seed):
    """A line has no other regions than its intervals; the same gates may come twice."""
    model = relu_net(sizes, bias=True)
    point = start(model, seed)
    network = Network(model, point)
    line = intervals(network, lambda t: network.shaped([t]))
    inner = [
        1 if (a, b) == (-inf, inf) else b - 1 if a == -inf else a + 1 if b == inf else (a + b) / 2 for a, b in line
    ]
    found = found_at(model, point)
    assert found.complete and found.error == 0
    assert named(found.found) == brute(model, point, [[Fraction(t)] for t in inner])


def test_two_layers_on_a_line_by_hand():
    """h = (relu(x), relu(x - 1)), then relu(2 - h1 + 2 h2), which is 2, 2 - x and x: always on."""
    model = relu_net([1, 1, 2, 1], bias=True)
    names = {"U1": [1], "U2": [-1, 2], "U3": [1, 1], "b2": [2], "b3": [0, -1]}
    found = found_at(model, [c for name in model.parameters for c in names[name]])
    assert named(found.found) == {(0, 0, 1), (1, 0, 1), (1, 1, 1)}
    assert found.complete
    told = units(found)
    assert told.on == ("gate2[0]",) and told.off == () and told.together == ()
    assert str(told) == "always on: gate2[0]"


# --- degenerate starts ----------------------------------------------------------------------------------------------


def layer(rows, biases, outputs=1):
    """One hidden layer with these rows and biases."""
    model = relu_net([outputs, len(rows), len(rows[0])], bias=True)
    return model, [*range(1, outputs * len(rows) + 1), *(c for row in rows for c in row), *biases]


@pytest.mark.parametrize(
    ("rows", "biases"),
    [
        ([[1], [1]], [2, 2]),  # equal
        ([[1], [-3]], [2, -6]),  # opposite
        ([[1, 2], [2, 4]], [1, 5]),  # parallel: they meet far away, nearby
        ([[1, 0], [0, 1], [1, 1]], [0, 0, 0]),  # three lines in a point
        ([[0, 0], [1, 2]], [3, 1]),  # no input reaches the first: far away it changes sign, nearby
    ],
)
def test_coincidences_are_not_complete(rows, biases):
    model, point = layer(rows, biases)
    found = found_at(model, point)
    assert not found.complete and "not near it" in found.reason
    rng = random.Random(0)
    moved = [found_at(model, [c + rng.randint(-9, 9) * TINY for c in point]) for _ in range(6)]
    assert all(named(found.found) <= named(one.found) for one in moved)
    assert any(named(found.found) < named(one.found) for one in moved)


def test_coincidences_that_stay_are_complete():
    """Both units read one entry v x: equal at all parameters, whatever the random test has to find out."""
    model = clexact.Model(
        {"u": (2,), "v": ()}, {"x": ()}, lambda u, v, x: u @ relu(np.stack([v * x + 1, v * (x + x) + 2]))
    )
    found = found_at(model, [3, 5, 7])
    assert found.complete and len(found.found) == 2 and 0 < found.error <= Fraction(1, 2**100)
    assert units(found).together == (("gate1[0]", "gate1[1]"),)


def test_a_unit_of_weights_zero_is_a_tie():
    model = relu_net([1, 2, 2])
    with pytest.raises(TieError, match=r"gate1\[1\] receives exactly 0"):
        found_at(model, [1, 2, 3, 4, 0, 0])
    with pytest.raises(TieError):
        found_at(clexact.Model({"u": (), "V": (2, 1)}, {"x": (1,)}, lambda u, V, x: u * maximum(V @ x)), [1, 2, 2])


def test_terms_of_second_order_are_not_complete():
    """v w x with v = w = 0: no gradient, so no tie; but nearby the unit has a sign, and other gates are met."""
    model = clexact.Model({"u": (), "v": (), "w": ()}, {"x": ()}, lambda u, v, w, x: u * relu(v * w * x))
    found = found_at(model, [1, 0, 0])
    assert not found.found and not found.complete and "second order" in found.reason


def test_units_behind_a_layer_that_is_off_are_silent():
    """Without biases a negative hidden unit leaves nothing: one region for it, not one for each sign behind."""
    model = relu_net([1, 2, 1, 1])
    found = found_at(model, [1, 2, 3, -4, 5])
    assert named(found.found) == {(0, 0, 0), (1, 1, 0)} and found.complete and found.error == 0
    off = next(region for region in found.found if not region.gates["gate1"].any())
    assert off.silent["gate2"].all() and not off.silent["gate1"].any()
    told = units(found)
    assert told.on == ("gate2[0]",) and told.off == ("gate2[1]",)


def test_networks_without_gates_or_inputs():
    linear = clexact.models.linear([1, 2, 2])
    found = found_at(linear, start(linear, 0))
    assert len(found.found) == 1 and found.complete and found.found[0].gates == {}
    constant = clexact.Model({"u": (2,), "v": (2,)}, {}, lambda u, v: u @ relu(v))
    found = found_at(constant, [1, 2, 3, -4])
    assert named(found.found) == {(1, 0)} and found.complete


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_what_is_not_affine_or_too_large_is_drawn():
    square = clexact.Model({"u": (2,), "v": (2,), "b": (2,)}, {"x": ()}, lambda u, v, b, x: u @ relu(v * x * x + b))
    found = found_at(square, [1, 2, 3, -4, -50, 60])
    assert not found.complete and "not affine" in found.reason
    assert named(found.found) == brute(square, [1, 2, 3, -4, -50, 60], [[0], [4], [20]])
    wide = relu_net([1, 6, 7, 4], bias=True)
    found = found_at(wide, start(wide, 0), most=40)
    assert not found.complete and len(found.found) == 40 and "more than 12" in found.reason
    assert "in all regions met" in str(units(found)) or units(found).both
    few = relu_net([1, 4, 4, 2], bias=True)
    assert "more than 9" in found_at(few, start(few, 0), most=9).reason


def test_rare_regions_are_met():
    """Strips of width 10^-9 between parallel boundaries, where random inputs do not come."""
    rows = [[3, 1, 2, 5]] * 13
    model, point = layer(rows, [Fraction(k, 10**9) for k in range(13)])
    found = found_at(model, point, patience=60)
    assert len(found.found) == 14


@pytest.mark.parametrize("options", [{}, {"most": 20}])
def test_the_seed_determines_all(options):
    model = relu_net([1, 4, 4, 4], bias=True) if options else relu_net([1, 4, 4, 2], bias=True)
    one, two = (found_at(model, start(model, 3), 11, **options) for _ in range(2))
    assert [key(r.gates.values()) for r in one.found] == [key(r.gates.values()) for r in two.found]
    assert all(np.array_equal(a.input["x"], b.input["x"]) for a, b in zip(one.found, two.found, strict=True))
    assert one.reason == two.reason and one.error == two.error


def test_wrong_options_are_refused():
    network = Network(relu_net([1, 1, 1]), [1, 2])
    with pytest.raises(ValueError, match="most must be at least 1, not 0"):
        regions(network, Draws(0), most=0)
    with pytest.raises(TypeError, match="patience must be an integer"):
        regions(network, Draws(0), patience=0.5)
