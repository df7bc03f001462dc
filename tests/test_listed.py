"""What has no order, or whose members are not what they seem, is refused wherever a list is expected."""

from fractions import Fraction

import numpy as np
import pytest

import clexact
from clexact import Model, VectorFields
from clexact.functions import relu
from clexact.support.listed import listed, shown
from clexact.sweeps.columns import checked

NET = clexact.models.nmf(2, 1, 2)
UNIT = Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * relu(v * x))
X = VectorFields.from_strings(["x", "y"], [["y", "-x"]])
ODD = [{"U", "V"}, {"U": True, "V": False}, frozenset("U"), b"UV", 3]


@pytest.mark.parametrize(
    "given", [[1, 2], (1, 2), iter([1, 2]), {1: 0, 2: 0}.keys(), {0: 1, 3: 2}.values(), np.array([1, 2])]
)
def test_what_has_an_order_is_listed(given):
    assert listed(given, "expected numbers") == [1, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [("ab", "the string 'ab'"), ({1: 2}, "the mapping {1: 2}"), ({7}, "the set {7}"), (b"a", "the bytes b'a'"),
     (None, "None"), (3, "3"), ({1: 2}.items(), "the set dict_items"), (range, "<class 'range'>")],
)  # fmt: skip
def test_the_rest_is_refused_in_one_sentence(given, said):
    with pytest.raises(TypeError) as error:
        listed(given, "expected numbers")
    assert str(error.value).startswith(f"expected numbers, not {said}")


def test_values_in_messages_are_short():
    assert shown(list(range(1000))).endswith("...") and len(shown(list(range(1000)))) < 90
    assert shown(10**5000) == "a very long int" and shown([10**5000]) == "a very long list"


@pytest.mark.parametrize("names", ODD)
def test_positive_parameters(names):
    with pytest.raises(TypeError, match="positive must be a list of names"):
        clexact.mirror_flow(NET, names)
    with pytest.raises(TypeError, match="positive must be a list of names"):
        clexact.momentum_flow(NET, positive=names)
    with pytest.raises(TypeError, match="positive must be a list of names"):
        clexact.momentum_flow(X, positive=names)


def test_iterators_of_positive_parameters():
    flow = clexact.mirror_flow(NET, iter(["U", "V"]))
    assert flow.description == clexact.mirror_flow(NET, ["U", "V"]).description
    assert clexact.momentum_flow(X, positive=iter([])).dimension == 5
    with pytest.raises(ValueError, match="explicit fields have none"):
        clexact.momentum_flow(X, positive=iter(["U"]))


@pytest.mark.parametrize("point", [{1: 5, 2: 6}, {1, 2}, {"x": 1, "y": 2}, "12", 3])
def test_points(point):
    for read in (lambda: clexact.lie_closure(X, point), lambda: clexact.data_fields(UNIT, [3], point)):
        with pytest.raises(TypeError, match="point must be a list of 2 rationals, not"):
            read()
    if not isinstance(point, str):
        with pytest.raises(TypeError, match="point must be a list of 2 rationals, not"):
            clexact.orbit_dimension(X, point)


def test_points_may_be_iterators():
    assert clexact.orbit_dimension(X, iter([1, Fraction(1, 2)])).point == (1, Fraction(1, 2))


@pytest.mark.parametrize("inputs", [{1: 5}, {1, 2}, "12", 3])
def test_inputs(inputs):
    for read in (lambda: clexact.data_fields(UNIT, inputs, [1, 2]), lambda: clexact.minimality(UNIT, inputs=inputs)):
        with pytest.raises(TypeError, match="inputs must be a list of inputs, not"):
            read()


@pytest.mark.parametrize("names", [{"n", "r"}, {"n": 1, "r": 2}, "nr", 3])
def test_names_of_sizes(names):
    with pytest.raises(TypeError, match="the names of the sizes must be a sequence of strings"):
        clexact.fit({(1, 1): 1, (2, 1): 2}, names)


@pytest.mark.parametrize("terms", [[((1, 0), 2)], {(1, 0)}, "x", None])
def test_terms_of_a_polynomial(terms):
    with pytest.raises(TypeError, match=r"terms must map exponents such as \(2, 0\) to coefficients, not be"):
        clexact.Polynomial(["x", "y"], terms)


@pytest.mark.parametrize("sizes", [{4, 3, 5}, {4: 1, 3: 2}, "435", 3.0])
def test_sizes_of_networks(sizes):
    with pytest.raises(TypeError, match=r"linear takes a list of sizes \[n_1, \.\.\., n_\(q\+1\)\], not"):
        clexact.models.linear(sizes)
    with pytest.raises(TypeError, match="powers must be a list of one or more integers, not"):
        clexact.models.neuron(2, 1, powers=sizes)


@pytest.mark.parametrize("key", [frozenset([1]), "1", 1, None])
def test_exponents(key):
    with pytest.raises(TypeError, match="exponents must be a tuple of integers >= 0, not"):
        clexact.Polynomial(["x"], {key: 1})


@pytest.mark.parametrize("point", [{0: 1, 1: 2}, {1, 2}, "12"])
def test_points_of_a_rank(point):
    with pytest.raises(TypeError, match="point must be a list of 2 rationals, not"):
        X.rank_at(point)
    with pytest.raises(ValueError, match="point must have 2 coordinates, not 1"):
        X.rank_at([1])
    assert X.rank_at(iter([1, 2])) == 1


def joined(arrays):
    return Model({"U": (2,), "V": (3,)}, {}, lambda U, V: clexact.concatenate(arrays(U, V)))


def test_arrays_to_join():
    for arrays in (lambda U, V: {U, V}, lambda U, V: {"a": U, "b": V}, lambda U, V: "UV", lambda U, V: 3):
        with pytest.raises(TypeError, match="concatenate takes a list of arrays, not"):
            joined(arrays)
    assert joined(lambda U, V: (a for a in (U, V))).program.shape == (5,)


@pytest.mark.parametrize("columns", [{"label"}, {"label": 1}, "label"])
def test_columns_of_a_store(columns):
    with clexact.Store(":memory:") as store, pytest.raises(TypeError, match="columns must be a list of names, not"):
        store.rows(columns=columns)


def test_an_iterator_of_columns_is_not_used_up_by_its_check():
    """Before, it gave every column."""
    assert checked(iter(["label", "lower"])) == ("label", "lower")


def test_sizes_that_hold_or_fail_are_not_mappings():
    for given in (({(1, 1): False}, [(2, 1)]), ([(1, 1)], {(2, 1): False})):
        with pytest.raises(TypeError, match="must be lists or sets of tuples, not mappings"):
            clexact.boundary(*given, ("n", "r"))


@pytest.mark.parametrize("numbers", [{0.1, 0.2}, {0.1: 0.2}, "12"])
def test_levels_and_rates(numbers):
    with pytest.raises(ValueError, match="levels must be a list of numbers"):
        clexact.plot.level_sets(levels=numbers)
    with pytest.raises(TypeError, match="rates must be a list of step sizes, not"):
        clexact.training.slope(UNIT, ([1], [1]), start=[1, 1], rates=numbers)


def test_other_kinds_of_objects_are_refused_in_one_sentence():
    for wrong in (lambda: clexact.bracket([1], [2]), lambda: clexact.bracket(X, "y"), lambda: clexact.grading("x")):
        with pytest.raises(TypeError, match=r"^expected VectorFields, not"):
            wrong()
    with pytest.raises(TypeError, match=r"^expected a Polynomial and VectorFields, not 'x' and VectorFields"):
        clexact.lie_derivative("x", X)
