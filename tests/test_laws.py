"""Polynomial laws: against a dense exact nullspace, planted integrals, classical systems and the formulas of theory."""

import json
import pickle
import random
from fractions import Fraction
from itertools import pairwise
from math import gcd

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    as_clexact,
    as_element,
    coefficient_rows,
    dense_laws,
    derivative,
    gradient,
    gradient_rank,
    is_law,
    random_point,
    random_system,
    rank,
    read,
    ring_of,
    same_span,
)
from sympy import QQ

import clexact
from clexact import Completeness, polynomial_laws
from clexact.laws import polynomial_laws as laws_module

FEW = settings(max_examples=30, deadline=None, derandomize=True)

# (variables, fields, degree searched, number of linearly independent laws of degree 1 to that degree)
CLASSICAL = {
    "Euler top": (["x", "y", "z"], [["-y*z", "2*x*z", "-1/3*x*y"]], 4, 5),
    "Lorenz": (["x", "y", "z"], [["10*(y - x)", "x*(28 - z) - y", "x*y - 8/3*z"]], 5, 0),
    "Lorenz without coupling": (["x", "y", "z"], [["0", "x*(28 - z) - y", "x*y - 8/3*z"]], 3, 3),
    "Lotka-Volterra": (["x", "y"], [["x*(2 - y)", "y*(x - 3)"]], 6, 0),
    "SIR": (["S", "I", "R"], [["-2*S*I", "2*S*I - 3*I", "3*I"]], 3, 3),
    "Michaelis-Menten": (
        ["S", "E", "C", "P"],
        [["-2*S*E + C", "-2*S*E + 6*C", "2*S*E - 6*C", "5*C"]],
        2,
        5,
    ),
    "Henon-Heiles": (["x", "y", "p", "q"], [["p", "q", "-x - 2*x*y", "-y - x**2 + y**2"]], 5, 1),
    "harmonic oscillator": (["x", "p"], [["p", "-4*x"]], 4, 2),
    "pendulum on the circle": (["c", "s", "w"], [["-s*w", "c*w", "-s"]], 3, 2),
    "Toda": (
        ["a1", "a2", "b1", "b2", "b3"],
        [["a1*(b2 - b1)", "a2*(b3 - b2)", "2*a1**2", "2*a2**2 - 2*a1**2", "-2*a2**2"]],
        3,
        6,
    ),
    "three waves": (
        ["x1", "y1", "x2", "y2", "x3", "y3"],
        [["x2*y3 + y2*x3", "x2*x3 - y2*y3", "x3*y1 + y3*x1", "x3*x1 - y3*y1", "x1*y2 + y1*x2", "x1*x2 - y1*y2"]],
        3,
        3,
    ),
    "Volterra chain": (["x", "y", "z"], [["x*y", "y*(z - x)", "-z*y"]], 2, 3),
    "rotations": (["x", "y", "z"], [["y", "-x", "0"], ["0", "z", "-y"]], 4, 2),
    "translations": (["x", "y"], [["1", "0"], ["0", "1"]], 3, 0),
    "scaling": (["x", "y"], [["x", "y"]], 3, 0),
    "hyperbolic scaling": (["x", "y"], [["x", "-y"]], 4, 2),
    "no field": (["x", "y"], [["0", "0"]], 2, 5),
    "one variable": (["x"], [["x**2 - 1"]], 4, 0),
}


def elements(laws):
    """Laws as elements of the oracle's ring."""
    ring = ring_of(laws.variables)
    return [as_element(h, ring) for h in laws]


def assert_basis(laws, fields, degree, homogeneous=False):
    """The contract: exact laws, independent, primitive, positive leading coefficient, all there are."""
    found, ring = elements(laws), fields[0][0].ring
    assert laws.complete and laws.degree == degree
    assert all(is_law(h, fields) for h in found)
    assert rank(coefficient_rows(found)) == len(found)
    assert same_span(found, dense_laws(fields, ring, degree, homogeneous))
    for h in laws:
        coefficients = [c for _, c in h.items()]
        assert coefficients[0] > 0 and all(c.denominator == 1 for c in coefficients)
        assert gcd(*(c.numerator for c in coefficients)) == 1
        assert 1 <= h.degree <= degree and (not homogeneous or h.degree == degree)
    assert [h.degree for h in laws] == sorted(h.degree for h in laws)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_systems(name):
    """The known numbers of polynomial laws, and the oracle's space."""
    variables, texts, degree, count = CLASSICAL[name]
    fields = read(variables, texts)
    laws = polynomial_laws(as_clexact(fields), degree)
    assert len(assert_basis(laws, fields, degree)) == count


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Euler top", ["2*x**2 + y**2", "x**2 - 3*z**2"]),
        ("SIR", ["S + I + R"]),
        ("Michaelis-Menten", ["E + C", "S + C + P"]),
        ("Henon-Heiles", ["3*(p**2 + q**2 + x**2 + y**2) + 6*x**2*y - 2*y**3"]),
        ("harmonic oscillator", ["4*x**2 + p**2"]),
        ("pendulum on the circle", ["c**2 + s**2", "w**2 - 2*c"]),
        ("Toda", ["b1 + b2 + b3", "2*a1**2 + 2*a2**2 + b1**2 + b2**2 + b3**2", "a1**2*b3 + a2**2*b1 - b1*b2*b3"]),
        ("three waves", ["x1**2 + y1**2 - x2**2 - y2**2", "x1**2 + y1**2 - x3**2 - y3**2",
                         "x1*x2*x3 - x1*y2*y3 - y1*x2*y3 - y1*y2*x3"]),
        ("Volterra chain", ["x + y + z", "x*z"]),
        ("rotations", ["x**2 + y**2 + z**2"]),
    ],
)  # fmt: skip
def test_known_integrals_are_found(name, expected):
    """Each known integral lies in the span, and they are as many as there are independent laws."""
    variables, texts, degree, _ = CLASSICAL[name]
    laws = polynomial_laws(as_clexact(read(variables, texts)), degree)
    space = dict(zip(variables, sympy.symbols(variables), strict=True))
    known = [ring_of(variables).from_expr(sympy.sympify(text, space)) for text in expected]
    found = elements(laws)
    assert same_span([*found, *known], found)
    assert len(laws.independent) == len(expected) == gradient_rank(known, random_point(len(variables)))


@FEW
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 3))
def test_random_systems(seed, rational, degree):
    """Small sparse systems, with rational coefficients or not."""
    fields = random_system(random.Random(seed), rational)
    assert_basis(polynomial_laws(as_clexact(fields), degree, seed=seed), fields, degree)


@FEW
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_homogeneous_laws_of_random_systems(seed, degree):
    """Only those that are homogeneous of this degree."""
    fields = random_system(random.Random(seed))
    assert_basis(polynomial_laws(as_clexact(fields), degree, homogeneous=True), fields, degree, homogeneous=True)


def random_quadric(rng, ring):
    """A random polynomial of degree 2 without constant."""
    gens = ring.gens
    squares = sum(rng.randint(-3, 3) * x * y for x in gens for y in gens)
    return squares + sum(rng.randint(-3, 3) * x for x in gens) + gens[0] * gens[-1]


@pytest.mark.parametrize("seed", range(8))
def test_planted_quadrics(seed):
    """x' = grad h1 x grad h2 conserves both quadrics h1, h2 (Nambu)."""
    rng, ring = random.Random(seed), ring_of(["x", "y", "z"])
    h1, h2 = random_quadric(rng, ring), random_quadric(rng, ring)
    a, b = gradient(h1), gradient(h2)
    X = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    found = assert_basis(polynomial_laws(as_clexact([X]), 2), [X], 2)
    assert same_span([*found, h1, h2], found) and len(found) == 2


@pytest.mark.parametrize("seed", range(6))
def test_planted_laws_in_other_coordinates(seed):
    """A polynomial change of variables with polynomial inverse carries laws to laws of twice the degree."""
    rng, ring = random.Random(seed), ring_of(["x", "y", "z"])
    x, y, z = ring.gens
    a, b, c = (rng.choice([-2, -1, 1, 3]) for _ in range(3))
    new = [x, y + a * x**2, z + b * x + c * y]  # u, v, w in terms of x, y, z
    along = [new[1] * new[2], -2 * new[0] * new[2], new[0] * new[1]]  # u', v', w'
    X = [along[0], along[1] - 2 * a * x * along[0], 0]
    X[2] = along[2] - b * X[0] - c * X[1]
    integrals = [2 * new[0] ** 2 + new[1] ** 2, new[0] ** 2 - new[2] ** 2]
    assert all(derivative(h, X) == 0 for h in integrals)
    found = assert_basis(polynomial_laws(as_clexact([X]), 4), [X], 4)
    assert same_span([*found, *integrals], found)


@pytest.mark.parametrize("seed", range(6))
def test_planted_product_in_linear_coordinates(seed):
    """The fields of u v w in rotated, scaled coordinates keep two quadrics."""
    rng = random.Random(seed)
    while True:
        A = sympy.Matrix(3, 3, lambda i, j: rng.randint(-3, 3))
        if A.det():
            break
    ring = ring_of(["x", "y", "z"])
    u = [sum(int(A[i, j]) * ring.gens[j] for j in range(3)) for i in range(3)]
    along, inverse = [u[1] * u[2], u[0] * u[2], u[0] * u[1]], A.inv()
    X = [sum(QQ(int(c.p), int(c.q)) * f for c, f in zip(inverse.row(i), along, strict=True)) for i in range(3)]
    found = assert_basis(polynomial_laws(as_clexact([X]), 2), [X], 2)
    assert same_span(found, [u[0] ** 2 - u[1] ** 2, u[1] ** 2 - u[2] ** 2])


@pytest.mark.parametrize(("a", "b"), [(2**63, 3), (10**30, 7**40), (2**61 - 1, 2**64 + 1), (10**300 + 1, 10**299 + 3)])
def test_coefficients_beyond_64_bits(a, b):
    """x' = a y, y' = -b x conserves b x^2 + a y^2."""
    laws = polynomial_laws(clexact.VectorFields.from_strings(["x", "y"], [[f"{a}*y", f"-{b}*x"]]), 2)
    g = gcd(a, b)
    assert [dict(h.items()) for h in laws] == [{((0, 2),): b // g, ((1, 2),): a // g}]
    assert laws.complete


def test_coefficients_that_grow_by_elimination():
    """A chain whose only linear law has coefficients of hundreds of digits."""
    rng = random.Random(0)
    n, c = 12, [rng.randint(10**19, 10**20) for _ in range(12)]
    variables = [f"x{i}" for i in range(n)]
    fields = [["0"] * n for _ in range(n - 1)]
    for i in range(n - 1):
        fields[i][i], fields[i][i + 1] = str(c[i]), f"-{c[i + 1] + 1}"
    read_back = read(variables, fields)
    laws = polynomial_laws(clexact.VectorFields.from_strings(variables, fields), 1)
    assert_basis(laws, read_back, 1)
    assert len(laws) == 1 and max(c for _, c in laws[0].items()) > 10**200


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(-5, 7), 10**25])
def test_scaling_a_field_changes_no_law(scale):
    """Rational multiples of a field have the same laws, printed alike."""
    texts = [["y*z", "-2*x*z", "x*y"]]
    scaled = [[f"({scale})*({text})" for text in texts[0]]]
    plain, other = (clexact.VectorFields.from_strings(["x", "y", "z"], f) for f in (texts, scaled))
    assert polynomial_laws(plain, 3) == polynomial_laws(other, 3)


def test_rational_coefficients():
    """x' = y/2, y' = -x/3 conserves 2 x^2 + 3 y^2."""
    laws = polynomial_laws(clexact.VectorFields.from_strings(["x", "y"], [["1/2*y", "-1/3*x"]]), 2)
    assert [str(h) for h in laws] == ["2*x^2 + 3*y^2"]


@pytest.mark.parametrize("count", [0, 1])
def test_families_without_a_field_conserve_everything(count):
    """All monomials of the degrees, constants left out."""
    fields = clexact.VectorFields.from_strings(["x", "y"], [["0", "0"]] * count)
    assert [str(h) for h in polynomial_laws(fields, 2)] == ["x", "y", "x^2", "x*y", "y^2"]
    assert [str(h) for h in polynomial_laws(fields, 2, homogeneous=True)] == ["x^2", "x*y", "y^2"]


# --- networks --------------------------------------------------------------------------------------------------------


def normal(expression):
    """A SymPy polynomial up to sign, as a set of terms."""
    terms = sympy.Poly(expression).as_dict()
    names = [str(s) for s in sympy.Poly(expression).gens]
    pairs = {(tuple(sorted((n, k) for n, k in zip(names, m, strict=True) if k)), c) for m, c in terms.items()}
    return min((frozenset(pairs), frozenset((m, -c) for m, c in pairs)), key=sorted)


def weights(dims):
    """U1, U2, ... with the model's names of entries."""
    return [
        sympy.Matrix(n, m, lambda i, j, k=k: sympy.Symbol(f"U{k}[{i},{j}]"))
        for k, (n, m) in enumerate(pairwise(dims), start=1)
    ]


@pytest.mark.parametrize("dims", [[2, 1, 2], [2, 2, 2], [4, 3, 5], [2, 4, 1], [2, 2, 3, 2], [3, 1, 2, 2]], ids=str)
def test_laws_of_linear_networks_read_as_the_formula(dims):
    """The entries of U_l^T U_l - U_(l+1) U_(l+1)^T, each once."""
    grams = [U.T * U - V * V.T for U, V in pairwise(weights(dims))]
    expected = {normal(G[i, j]) for G in grams for i in range(G.rows) for j in range(i, G.rows)}
    laws = polynomial_laws(clexact.gradient_flow(clexact.models.linear(dims)), 2)
    assert laws.complete and len(laws) == len(expected)
    assert {normal(h) for h in laws.to_sympy()} == expected


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dims", [[1, 1, 1], [2, 3, 2], [1, 4, 2], [2, 2, 2, 2], [1, 2, 1, 2]], ids=str)
def test_laws_of_relu_networks_read_as_the_formula(dims, bias):
    """For each hidden unit, what enters squared (its bias too) minus what leaves squared."""
    layers, expected = weights(dims), set()
    for l, (U, V) in enumerate(pairwise(layers), start=2):  # noqa: E741
        for k in range(U.cols):
            enters = sum(e**2 for e in V.row(k)) + (sympy.Symbol(f"b{l}[{k}]") ** 2 if bias else 0)
            expected.add(normal(sum(e**2 for e in U.col(k)) - enters))
    laws = polynomial_laws(clexact.gradient_flow(clexact.models.relu(dims, bias=bias)), 2)
    assert laws.complete and len(laws) == len(expected)
    assert {normal(h) for h in laws.to_sympy()} == expected


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_laws_of_a_homogeneous_neuron(k):
    """k |u|^2 - |v|^2, and none when there are two powers."""
    u = [sympy.Symbol("u[0]"), sympy.Symbol("u[1]")]
    v = [sympy.Symbol("v[0]"), sympy.Symbol("v[1]")]
    laws = polynomial_laws(clexact.gradient_flow(clexact.models.neuron(2, 2, [k])), 2)
    assert {normal(h) for h in laws.to_sympy()} == {normal(k * (u[0] ** 2 + u[1] ** 2) - v[0] ** 2 - v[1] ** 2)}
    assert len(polynomial_laws(clexact.gradient_flow(clexact.models.neuron(2, 2, [k, k + 1])), 4)) == 0


def test_laws_of_higher_degree_of_a_network_match_the_explicit_fields():
    """The flow of a model and its fields given explicitly have the same laws of degree 4."""
    flow = clexact.gradient_flow(clexact.models.linear([1, 2, 1]))
    fromflow, explicit = polynomial_laws(flow, 4), polynomial_laws(flow.fields, 4)
    assert fromflow.complete and explicit.complete
    assert same_span(elements(fromflow), elements(explicit))


# --- the result ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2, 12345])
def test_a_seed_gives_the_same_laws(seed):
    """Twice the same; another seed gives another basis of the same space at most."""
    flow = clexact.gradient_flow(clexact.models.linear([1, 2, 1]))
    first, again = (polynomial_laws(flow, 3, seed=seed) for _ in range(2))
    assert first == again and first.seed == seed
    assert same_span(elements(first), elements(polynomial_laws(flow, 3, seed=seed + 1)))


def test_the_result_is_a_sequence():
    """Length, index, slice, iteration."""
    laws = polynomial_laws(clexact.gradient_flow(clexact.models.product(4)), 2)
    assert len(laws) == 3 and [str(h) for h in laws] == [str(laws[i]) for i in range(3)]
    assert laws[-1] == laws[2] and laws[1:] == [laws[1], laws[2]] and laws[2] in laws
    with pytest.raises(IndexError):
        laws[3]


def test_the_result_as_json_and_pickle():
    """Plain data; a copy is equal; the laws read back are the laws."""
    flow = clexact.gradient_flow(clexact.models.relu([2, 2, 1], bias=True))
    laws = polynomial_laws(flow, 2, seed=3)
    data = json.loads(laws.to_json())
    assert data.keys() == {"degree", "homogeneous", "complete", "seed", "scope", "variables", "laws"}
    assert data["degree"] == 2 and data["complete"] is True and data["seed"] == 3
    assert [clexact.Polynomial.from_string(text, data["variables"]) for text in data["laws"]] == list(laws)
    copy = pickle.loads(pickle.dumps(laws))
    assert copy == laws and repr(copy) == repr(laws)


def test_independent_laws_of_low_degree_come_first():
    """Of S = x + y + z and its powers, S alone; of two integrals and their products, the two."""
    fields = clexact.VectorFields.from_strings(["x", "y", "z"], [["x*y", "y*(z - x)", "-z*y"]])
    laws = polynomial_laws(fields, 3)
    chosen = elements(laws)
    assert laws.independent == (0, 1) and len(laws) > 2
    assert gradient_rank(chosen, random_point(3)) == 2


@pytest.mark.parametrize("limit", ["MAX_FIELD_TERMS", "MAX_MONOMIALS"])
def test_searches_that_are_too_large_give_the_laws_of_the_shape(limit, monkeypatch):
    """Proved laws, and the result says that there may be more."""
    flow = clexact.gradient_flow(clexact.models.linear([2, 2, 2]))
    monkeypatch.setattr(laws_module, limit, 0)
    laws = polynomial_laws(flow, 3)
    assert laws.completeness is Completeness.OPEN and not laws.complete and len(laws) == 3
    assert list(polynomial_laws(flow, 2, homogeneous=True)) == list(laws)
    assert len(polynomial_laws(flow, 3, homogeneous=True)) == 0
    assert len(polynomial_laws(flow, 1)) == 0


def test_laws_of_different_flows_are_not_equal():
    """Equality compares variables, degree and laws."""
    first, second = (polynomial_laws(clexact.gradient_flow(clexact.models.product(d)), 2) for d in (3, 4))
    assert first != second and first != list(first)


@pytest.mark.parametrize(
    ("degree", "error", "message"),
    [
        (0, ValueError, "degree must be at least 1, not 0"),
        (-2, ValueError, "degree must be at least 1, not -2"),
        (2.0, TypeError, "degree must be an integer, not 2.0"),
        ("2", TypeError, "degree must be an integer"),
        (True, TypeError, "degree must be an integer, not True"),
        (None, TypeError, "degree must be an integer, not None"),
    ],
)
def test_polynomial_laws_rejects_degrees(degree, error, message):
    """Integers from 1 on."""
    with pytest.raises(error, match=message):
        polynomial_laws(clexact.gradient_flow(clexact.models.product(2)), degree)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.0, TypeError), (None, TypeError), (True, TypeError)])
def test_polynomial_laws_rejects_seeds(seed, error):
    """Integers from 0 on."""
    with pytest.raises(error, match="seed must be"):
        polynomial_laws(clexact.gradient_flow(clexact.models.product(2)), 2, seed=seed)
