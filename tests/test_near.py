"""Counts near starts, gates as they truly are: against floats (``near_oracle.py``), theory, and what may fool."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from near_checks import Case, judged, random_cases
from near_networks import make

import clexact
from clexact.cli.main import main
from clexact.functions import relu

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
GRADIENT = clexact.gradient_flow
CASES = [
    Case(make(kind, seed), "near", start, "one", seed)
    for kind, seed, start in (
        ("mlp", 1, "random"), ("mlp", 2, "integers"), ("mlp", 3, "equal_rows"), ("absolute", 4, "opposite_rows"),
        ("maximum", 5, "random"), ("residual", 6, "small_integers"), ("convolution", 7, "integers"),
        ("tied", 8, "random"), ("permuted", 9, "no_bias"), ("linear_below", 10, "random"),
        ("two_gates", 11, "integers"),
        ("gated_parameter", 12, "positive"), ("gates_below", 13, "random"), ("gates_above", 14, "random"),
    )
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bounds_and_laws_against_floats(case):
    found = judged(case)
    assert not found.violations
    assert found.outcome in ("exact", "bounds")


@pytest.mark.slow
def test_many_random_networks_against_floats():
    assert not [said for case in random_cases(181, 12, ("near",)) for said in judged(case).violations]


# --- theory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("positive", "negative"), [(2, 0), (1, 2), (3, 2), (0, 4)])
def test_units_of_one_sign_on_a_scalar_input_are_a_linear_network(positive, negative):
    """Those of each sign are one product: k units have 2 k - 1 laws."""
    units = positive + negative
    start = [*range(1, units + 1), *[1] * positive, *[-2] * negative]
    count = clexact.certify(GRADIENT(clexact.models.relu([1, units, 1])), near=start)
    groups = [k for k in (positive, negative) if k]
    assert count.exact and count.lower == sum(2 * k - 1 for k in groups)
    for k in groups:
        linear = clexact.certify(GRADIENT(clexact.models.linear([1, k, 1])))
        assert (linear.lower, linear.upper) == (2 * k - 1, 2 * k - 1)


def test_units_that_are_never_apart_have_the_laws_of_linear_ones_whatever_their_order():
    """relu(V x) in another order: Gram laws belong to the units that are alike, not to the places of gates."""
    for order in ([2, 1, 0], [1, 2, 0], [2, 0, 1]):
        for late in (False, True):
            model = clexact.Model(
                {"U": (2, 3), "V": (3, 1)},
                {"x": (1,)},
                lambda U, V, x, o=order, late=late: U @ (relu(V @ x)[o] if late else relu((V @ x)[o])),
            )
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                count = clexact.certify(GRADIENT(model), near=[1, 2, 3, 4, 5, 6, 1, 1, -1])
            i, j = order.index(0), order.index(1)
            law = f"{' + '.join(f'U[{k},{i}]*U[{k},{j}]' for k in range(2))} - V[0,0]*V[1,0]"
            assert count.exact and clexact.check_law(count.flow, law)


def test_gates_that_span_those_that_are_free_have_their_count():
    model = clexact.models.relu([2, 3, 2], bias=True)
    near, free = clexact.certify(GRADIENT(model), near="random"), clexact.certify(GRADIENT(model))
    assert near.flow.start.spans and (near.lower, near.upper) == (free.lower, free.upper) == (3, 3)
    assert near.headline.endswith("near this start")


def test_regions_are_met_by_their_inputs():
    """Gates are read once more, with Fractions and nothing of the package."""
    model = clexact.models.relu([1, 3, 2, 2], bias=True)
    numbers = iter(clexact.random_start(model, seed=5))
    start = {
        name: np.array([next(numbers) for _ in range(np.prod(shape))], dtype=object).reshape(shape)
        for name, shape in model.parameters.items()
    }
    count = clexact.certify(GRADIENT(model), near=start)
    assert len(count.flow.start.regions.found) > 10
    for region in count.flow.start.regions.found:
        below = start["U3"] @ [Fraction(c) for c in region.input["x"].tolist()] + start["b3"]
        above = start["U2"] @ np.maximum(below, 0) + start["b2"]
        read = [[int(c > 0) for c in values] for values in (below, above)]
        assert sorted(read, key=len) == sorted((gate.tolist() for gate in region.gates.values()), key=len)


# --- what fools ------------------------------------------------------------------------------------------------------


def test_gates_that_terms_of_second_order_decide_are_not_read_at_the_start():
    """relu(w^2) is w^2 near w = 0, and not 0: with the gate read there, w/a would not be conserved."""
    model = clexact.Model(
        {"a": (), "b": (), "w": ()},
        {"x": (2,)},
        lambda a, b, w, x: x[0] * (a * a + w * w) + x[1] * (b * (a * a + relu(w * w))),
    )
    assert clexact.certify(GRADIENT(model), near=[1, 1, 1]).lower == 1
    with pytest.raises(clexact.TieError, match="second order"):
        clexact.certify(GRADIENT(model), near=[1, 1, 0])
    with pytest.raises(clexact.TieError, match="input 0: terms of second order"):
        clexact.certify(GRADIENT(model, inputs=[[1, 0], [0, 1]]), near=[1, 1, 0])


def test_nothing_is_claimed_where_no_gates_are_known():
    """No input drawn tells the gates of V W x at V = W = 0: free gates would be no answer in their place."""
    model = clexact.Model(
        {"U": (1, 1), "V": (1, 2), "W": (2, 4), "b": (13,), "c": (13,)},
        {"x": (4,)},
        lambda U, V, W, b, c, x: U @ relu(V @ (W @ x)) + (c * relu(b)).sum(),
    )
    with pytest.raises(clexact.TieError, match="no gates of the network near this start are known"):
        clexact.certify(GRADIENT(model), near=[1] + [0] * 10 + [1] * 13 + [2] * 13)


def test_a_flow_near_one_start_is_asked_about_another():
    flow = GRADIENT(clexact.models.relu([1, 2, 1]))
    near = clexact.certify(flow, near=[1, 2, 3, 4]).flow
    again = clexact.certify(near, near=[1, 2, 3, -4])
    assert (again.lower, again.upper) == (2, 2) and again.flow.start.free is flow


def test_momentum_of_a_flow_near_a_start_compares_with_momentum():
    near = clexact.certify(GRADIENT(clexact.models.relu([1, 2, 1])), near=[1, 2, 3, 4]).flow
    flow = clexact.momentum_flow(near)
    assert flow.start.free.description == flow.description and flow.start.free.start is None
    one, other = (
        clexact.certify(flow),
        clexact.certify(clexact.momentum_flow(clexact.models.relu([1, 2, 1])), near=[1, 2, 3, 4]),
    )
    assert (one.lower, one.upper, one.explanation) == (other.lower, other.upper, other.explanation)


def test_where_not_all_gates_are_known_only_laws_of_the_shape_are_claimed():
    """Two units alike at the start are alike near it only with care: their Gram law is moved by a unit's bias."""
    count = clexact.certify(GRADIENT(clexact.models.relu([1, 2, 1], bias=True)), near=[1, 2, 3, 3, 1, 1])
    assert not count.exact and not count.flow.whole and count.exhibited == 2
    found = clexact.polynomial_laws(count.flow, 2)
    assert len(found) == 2 and not found.complete
    both = clexact.check_law(count.flow, "U1[0,0]*U1[0,1] - U2[0,0]*U2[1,0] - b2[0]*b2[1]")
    assert both.status is clexact.LawStatus.OPEN
    assert clexact.check_law(count.flow, "U1[0,0]").status is clexact.LawStatus.FALSE
    assert clexact.lie_closure(count.flow).status is clexact.ClosureStatus.OPEN
    with pytest.raises(ValueError, match="not all gates"):
        clexact.general_laws(count.flow, 2)
    nearby = clexact.certify(GRADIENT(clexact.models.relu([1, 2, 1], bias=True)), near=[1, 2, 3, 3, 1, 2])
    assert (nearby.lower, nearby.upper) == (2, 2)


def test_equal_seeds_give_equal_answers():
    flow = GRADIENT(clexact.models.relu([1, 4, 3, 4], bias=True))
    one, other = (clexact.certify(flow, near="random", seed=3) for _ in range(2))
    kept = [{k: v for k, v in count.to_dict(laws=True).items() if k != "seconds"} for count in (one, other)]
    assert kept[0] == kept[1]
    assert [r.input["x"].tolist() for r in one.flow.start.regions.found] == [
        r.input["x"].tolist() for r in other.flow.start.regions.found
    ]


# --- bad input -------------------------------------------------------------------------------------------------------

MODEL = clexact.models.relu([2, 3, 2], bias=True)
ARRAYS = {name: np.arange(1, np.prod(shape) + 1).reshape(shape) for name, shape in MODEL.parameters.items()}


@pytest.mark.parametrize(
    ("near", "error", "match"),
    [
        ([0] * 15, clexact.TieError, "receives exactly 0"),
        ([0.5] * 15, TypeError, r"not 0\.5"),
        (np.ones(15), TypeError, "rational"),
        ([float("nan")] * 15, TypeError, "nan"),
        ([None] * 15, TypeError, "None"),
        (["1"] * 15, TypeError, "'1'"),
        ([1] * 14, ValueError, "15 coordinates, not 14"),
        (3, TypeError, "list of 15 rationals"),
        ("nowhere", ValueError, "'nowhere'"),
        ({"A": 1}, ValueError, "must give the parameters"),
        (ARRAYS | {"U1": [[1]]}, ValueError, r"U1 of a start must have shape \(2, 3\), not \(1, 1\)"),
        (ARRAYS | {"U1": [[1, 2], [3]]}, ValueError, "U1 of a start must have shape"),
        (ARRAYS | {"b2": [0.5, 1, 2]}, TypeError, "b2"),
    ],
)
def test_a_wrong_start_is_told(near, error, match):
    with pytest.raises(error, match=match) as found:
        clexact.certify(GRADIENT(MODEL), near=near)
    assert "\n" not in str(found.value)


def test_explicit_fields_have_no_gates():
    fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]])
    for flow in (fields, clexact.momentum_flow(fields)):
        with pytest.raises(ValueError, match="near belongs to models"):
            clexact.certify(flow, near=[1, 2])


def test_gates_of_parameters_alone_are_true_too():
    model = clexact.Model({"u": (2,), "v": (2,)}, {}, lambda u, v: u @ relu(v))
    count = clexact.certify(GRADIENT(model), near=[1, 2, 3, -4])
    assert count.exact and count.lower == 3  # u[1], v[1], and the difference of squares
    with pytest.raises(clexact.TieError):
        clexact.certify(GRADIENT(model), near=[1, 2, 3, 0])


@pytest.mark.parametrize(
    "arguments",
    [
        "--near nowhere", "--near zero", "--starts 3", "--near zero --starts 3", "--near random --starts 0",
        "--near random --starts x", "--near random --init foo", "--init normal",
        "--near random --starts 2 --save p.json",
    ],
)  # fmt: skip
def test_the_command_line_refuses_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["certify", "relu", "1", "2", "2", "--bias", *arguments.split()])
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
