"""The library of architectures: shapes, names, and the formulas of their re-parametrizations."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import sympy
from oracles import names_of, ring_of

import clexact
from clexact import models

LINEAR_DIMS = [[1, 1], [2, 3], [1, 1, 1], [2, 1, 3], [1, 3, 1], [2, 3, 2], [3, 2, 1, 2], [1, 1, 1, 1, 1]]
RELU_DIMS = [[1, 1], [2, 3], [1, 1, 1], [2, 3, 2], [1, 2, 1], [2, 2, 1, 2]]


def matrices(dims):
    """SymPy matrices U1, U2, ... with the model's names of entries."""
    return [
        sympy.Matrix(n, m, lambda i, j, layer=layer: sympy.Symbol(f"U{layer}[{i},{j}]"))
        for layer, (n, m) in enumerate(pairwise(dims), start=1)
    ]


def gradients(polynomials, variables):
    """The set of gradients as tuples of SymPy polynomials, zero ones left out."""
    ring = ring_of(variables)
    elements = [ring.from_expr(sympy.sympify(p)) for p in polynomials]
    return {tuple(p.diff(x) for x in ring.gens) for p in elements if any(p.diff(x) for x in ring.gens)}


def exact_fields(model):
    """The fields of the gradient flow, in the same form."""
    fields = clexact.gradient_flow(model).fields
    ring = ring_of(model.variables)
    return [tuple(ring.from_expr(e) for e in X) for X in fields.to_sympy()]


def assert_phi(model, phi):
    """The fields are the gradients of phi's entries, each once."""
    found = exact_fields(model)
    assert set(found) == gradients(phi, list(model.variables))
    assert len(found) == len(set(found))


@pytest.mark.parametrize("dims", LINEAR_DIMS, ids=str)
def test_linear(dims):
    """phi = U1 U2 ... Uq, entry by entry."""
    net = models.linear(dims)
    layers = matrices(dims)
    assert net.parameters == {f"U{k}": U.shape for k, U in enumerate(layers, start=1)}
    assert net.variables == tuple(names_of(net.parameters))
    assert net.dimension == sum(n * m for n, m in pairwise(dims))
    assert_phi(net, list(math.prod(layers[1:], start=layers[0])))
    assert len(clexact.gradient_flow(net).fields) == dims[0] * dims[-1]


def bias_paths(dims):
    """Products of a hidden unit's bias and the weights from that unit to an output."""
    found = []
    for layer in range(2, len(dims)):
        for units in product(*map(range, dims[:layer])):
            weights = [sympy.Symbol(f"U{k}[{i},{j}]") for k, (i, j) in enumerate(pairwise(units), start=1)]
            found.append(math.prod(weights, start=sympy.Symbol(f"b{layer}[{units[-1]}]")))
    return found


def full_paths(dims):
    """Products of weights along paths from an input to an output."""
    return [
        math.prod(sympy.Symbol(f"U{k}[{i},{j}]") for k, (i, j) in enumerate(pairwise(units), start=1))
        for units in product(*map(range, dims))
    ]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dims", RELU_DIMS, ids=str)
def test_relu(dims, bias):
    """phi = all path products; a bias starts a path at its unit."""
    net = models.relu(dims, bias=bias)
    expected = full_paths(dims) + (bias_paths(dims) if bias else [])
    assert_phi(net, expected)
    hidden = sum(dims[1:-1])
    assert net.dimension == sum(n * m for n, m in pairwise(dims)) + (hidden if bias else 0)
    assert len(clexact.gradient_flow(net).fields) == len(expected)


def test_relu_names_its_biases():
    """Biases come after the weights; the output has none."""
    net = models.relu([2, 3, 1, 2], bias=True)
    assert list(net.parameters.items()) == [("U1", (2, 3)), ("U2", (3, 1)), ("U3", (1, 2)), ("b2", (3,)), ("b3", (1,))]
    assert net.variables[-4:] == ("b2[0]", "b2[1]", "b2[2]", "b3[0]")
    assert net.probes == {"x": (2,), "gate1": (1,), "gate2": (3,)}


@pytest.mark.parametrize("powers", [[1], [2], [3], [1, 3], [2, 1], [1, 2, 4]], ids=str)
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
def test_neuron(inputs, outputs, powers):
    """phi = u_i v^alpha with its multinomial coefficient, |alpha| in powers."""
    net = models.neuron(inputs, outputs, powers)
    u = sympy.symbols([f"u[{i}]" for i in range(outputs)])
    v = sympy.symbols([f"v[{i}]" for i in range(inputs)])
    assert net.variables == tuple(map(str, u + v))
    alphas = [a for k in powers for a in product(range(k + 1), repeat=inputs) if sum(a) == k]
    weight = lambda a: math.factorial(sum(a)) // math.prod(map(math.factorial, a))  # noqa: E731
    monomials = [weight(a) * math.prod(x**e for x, e in zip(v, a, strict=True)) for a in alphas]
    assert_phi(net, [ui * m for ui in u for m in monomials])


@pytest.mark.parametrize("d", [1, 2, 3, 5, 9])
def test_product(d):
    """phi = x_1 ... x_d, one field."""
    net = models.product(d)
    x = sympy.symbols([f"x[{i}]" for i in range(d)])
    assert net.dimension == d and net.probes == {} and net.program.shape == ()
    assert_phi(net, [math.prod(x)])


@pytest.mark.parametrize(
    ("name", "sizes"), [("linear", [[2, 3]]), ("relu", [[2, 3, 2]]), ("neuron", [2]), ("product", [3])]
)
def test_families_are_named(name, sizes):
    """The table of the command line holds the function of that name, whose models bear it."""
    family = models.FAMILIES[name].build
    assert family is getattr(models, name) and family.__name__ == name and name in models.__all__
    assert family(*sizes).name.split()[0] == name


@pytest.mark.parametrize("family", [models.linear, models.relu])
@pytest.mark.parametrize(
    ("dims", "error", "message"),
    [
        ([2, 0, 2], ValueError, "at least 1, not 0"),
        ([2, -1], ValueError, "at least 1, not -1"),
        ([3], ValueError, "at least two sizes"),
        ([], ValueError, "at least two sizes"),
        (3, ValueError, "at least two sizes"),
        ("23", TypeError, "takes a list of sizes"),
        (None, TypeError, "takes a list of sizes"),
        ([2, 2.0], TypeError, "must be an integer, not 2.0"),
        ([2, True], TypeError, "must be an integer, not True"),
        ([2, "3"], TypeError, "must be an integer, not '3'"),
        ([[2, 2], 2], TypeError, r"must be an integer, not \[2, 2\]"),
    ],
)
def test_layers_reject_bad_sizes(family, dims, error, message):
    """One sentence that names the family and what was given."""
    with pytest.raises(error, match=message) as caught:
        family(dims)
    assert family.__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0,), ValueError, "the inputs of neuron must be at least 1, not 0"),
        ((2, -1), ValueError, "the outputs of neuron must be at least 1"),
        ((2.0,), TypeError, "the inputs of neuron must be an integer"),
        ((True,), TypeError, "the inputs of neuron must be an integer"),
        (("2.5",), TypeError, "the inputs of neuron must be an integer"),  # a text that is a letter is one of all sizes
        ((2, 1, []), TypeError, "powers must be a list of one or more integers"),
        ((2, 1, 3), TypeError, "powers must be a list of one or more integers"),
        ((2, 1, "12"), TypeError, "powers must be a list of one or more integers"),
        ((2, 1, 1.5), TypeError, "powers must be a list of one or more integers"),
        ((2, 1, [0]), ValueError, "a power of neuron must be at least 1, not 0"),
        ((2, 1, [1, 1.5]), TypeError, "a power of neuron must be an integer"),
    ],
)
def test_neuron_rejects_bad_sizes(arguments, error, message):
    """Inputs, outputs and powers are integers >= 1."""
    with pytest.raises(error, match=message):
        models.neuron(*arguments)


@pytest.mark.parametrize(
    ("d", "error"), [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError), ("3", TypeError)]
)
def test_product_rejects_bad_sizes(d, error):
    """d is an integer >= 1."""
    with pytest.raises(error, match="the number of factors of product must be"):
        models.product(d)


def test_sizes_may_be_numpy_integers():
    """Also tuples."""
    assert models.linear((np.int64(2), np.int32(3))).dimension == 6
    assert models.product(np.int64(4)).dimension == 4


# --- Model -----------------------------------------------------------------------------------------------------------


def test_model_accepts_scalars_and_bare_sizes():
    """A shape may be a number, a list or empty."""
    net = clexact.Model({"a": (), "u": 3, "W": [2, 1]}, {"x": 1}, lambda a, u, W, x: a * u.sum() * (W @ x))
    assert net.variables == ("a", "u[0]", "u[1]", "u[2]", "W[0,0]", "W[1,0]")
    assert net.offsets() == {"a": 0, "u": 1, "W": 4}
    assert repr(net) == "Model(model, D = 6, output of shape (2,))"


@pytest.mark.parametrize(
    ("parameters", "probes", "error", "message"),
    [
        ({}, {}, ValueError, "at least one parameter"),
        ({"u": 0}, {}, ValueError, "a size of parameter 'u' must be at least 1, not 0"),
        ({"u": (2, -1)}, {}, ValueError, "a size of parameter 'u' must be at least 1"),
        ({"u": 2.0}, {}, TypeError, "a size of parameter 'u' must be an integer, not 2.0"),
        ({"u": (True,)}, {}, TypeError, "must be an integer, not True"),
        ({"u": "ab"}, {}, TypeError, "must be an integer, not 'a'"),
        ({"u": None}, {}, TypeError, "must be an integer, not None"),
        ({"u": 2}, {"x": 0}, ValueError, "a size of probe 'x'"),
        ({"u": 2}, {"u": 2}, ValueError, "'u' is both a parameter and a probe"),
        ({"2u": 2}, {}, ValueError, "parameter '2u' is not a Python name"),
        ({3: 2}, {}, ValueError, "parameter 3 is not a Python name"),
        ([("u", 2)], {}, TypeError, "parameters must map names to shapes"),
        ({"u": 2}, ["x"], TypeError, "probes must map names to shapes"),
    ],
)
def test_model_rejects_bad_shapes(parameters, probes, error, message):
    """Before the function is called."""
    with pytest.raises(error, match=message):
        clexact.Model(parameters, probes, lambda **arrays: pytest.fail("called"))


@pytest.mark.parametrize("output", [None, 3, "u"])
def test_model_rejects_what_is_no_function(output):
    """The output must be callable."""
    with pytest.raises(TypeError, match="output must be a function of the parameters and probes"):
        clexact.Model({"u": 2}, {}, output)


@pytest.mark.parametrize("loss", ["hinge", "", None, 3])
def test_gradient_flow_rejects_unknown_losses(loss):
    """The known ones are named."""
    with pytest.raises(ValueError, match=r"loss must be one of 'full' .* or a matrix, not"):
        clexact.gradient_flow(models.linear([2, 2]), loss)


def test_gradient_flow_rejects_what_is_no_model():
    """A network of another library, a list of sizes, a scalar output for cross-entropy."""
    with pytest.raises(TypeError, match=r"takes a clexact.Model, not \[2, 2\]"):
        clexact.gradient_flow([2, 2])
    with pytest.raises(ValueError, match="cross_entropy needs an output with a last axis"):
        clexact.gradient_flow(models.product(2), "cross_entropy")


@pytest.mark.parametrize("function", [clexact.certify, clexact.lie_closure, lambda f: clexact.polynomial_laws(f, 2)])
def test_text_is_no_flow(function):
    """The types expected are named."""
    with pytest.raises(TypeError, match=r"expected a flow, a Model \(its gradient flow\) or VectorFields, not 'x'"):
        function("x")


@pytest.mark.parametrize("make", [lambda: models.relu([2, 3, 1], bias=True), lambda: models.neuron(2, 2, [1, 2])])
def test_names_are_those_of_the_laws(make):
    """Variables of the model, its flow, fields and laws are the same, in the order of theta."""
    flow = clexact.gradient_flow(make())
    laws = clexact.polynomial_laws(flow, 2)
    assert flow.variables == flow.fields.variables == laws.variables == tuple(names_of(flow.model.parameters))
