"""Certified counts: against the oracle, the formulas of theory.md section 4, and the promises of the result."""

import json
import pickle
import random
import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import (
    Net,
    as_clexact,
    as_element,
    block,
    dense_laws,
    generic_rank,
    gradient_rank,
    is_law,
    join,
    layered,
    random_net,
    random_point,
    random_system,
    read,
    ring_of,
)

import clexact
from clexact import ClosureStatus, VectorFields, certify

FEW = settings(max_examples=40, deadline=None, derandomize=True)
CLOSED = r"closed with error <= 2\^-(\d+)"
TURN = np.array([[0, -1], [1, 0]])


def assert_sound(count, fields, dimension):
    """Everything a result promises, against the exact number of laws."""
    exact = dimension - generic_rank(fields, dimension) if fields else dimension
    ring, point = ring_of(count.laws.variables), random_point(dimension)
    laws = [as_element(h, ring) for h in count.laws.polynomials()]
    assert 0 <= count.exhibited <= count.lower <= exact <= count.upper <= dimension
    assert count.exact == (count.lower == count.upper)
    assert all(is_law(h, fields) for h in laws)
    assert count.exhibited <= gradient_rank(laws, point)
    assert count.upper == dimension - count.filtration[-1] == dimension - count.closure.rank
    if count.lower > count.exhibited:
        assert count.exhibited == gradient_rank(dense_laws(fields, ring, count.degree), point)
    assert_evidence(count)
    return exact


def assert_evidence(count):
    """Words and error say which bounds are proved; what rests on random points is never called proved."""
    assert re.match(r"proved: brackets of depth \d+ or less have rank \d+ mod \d+ at a point", count.evidence.upper)
    if count.error:
        k = int(re.match(CLOSED, count.evidence.lower)[1])
        assert k >= 100 and Fraction(1, 2 ** (k + 1)) < count.error <= Fraction(1, 2**k)
        assert "proved" not in count.evidence.lower and "Frobenius" in count.evidence.lower
        assert count.headline == f"exactly {count.lower} {noun(count.lower)}, closed with error <= 2^-{k}"
        assert count.exhibited < count.lower == count.upper and count.closure.status is ClosureStatus.CLOSED
    else:
        assert count.evidence.lower.startswith("proved: ") and "closed with error" not in str(count)
        assert ("Frobenius" in count.evidence.lower) == (count.exhibited < count.lower)


def noun(count):
    """In English."""
    return "independent conservation law" + "s" * (count != 1)


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6))
def test_random_systems(seed):
    """Exact for every small system, and right."""
    fields = random_system(random.Random(seed))
    count = certify(as_clexact(fields), seed=seed)
    assert count.lower == count.upper == assert_sound(count, [X for X in fields if any(X)], len(fields[0]))


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6), st.sampled_from(["full", "cross_entropy"]))
def test_random_models(seed, loss):
    """Exact for every small program, and right."""
    net = random_net(random.Random(seed), steps=5)
    loss = loss if net.expanded.ndim else "full"
    count = certify(net.flow(loss), seed=seed)
    assert count.lower == count.upper == assert_sound(count, net.fields(loss), net.dimension)


@pytest.mark.parametrize("seed", range(6))
def test_random_dense_fields_have_no_law(seed):
    """Two random quadratic fields in three variables (theory 4.8)."""
    rng, ring = random.Random(seed), ring_of(["x", "y", "z"])
    monomials = [a * b for a in (1, *ring.gens) for b in (1, *ring.gens)]
    fields = [[sum(rng.randint(-9, 9) * m for m in monomials) + ring.zero for _ in range(3)] for _ in range(2)]
    count = certify(as_clexact(fields))
    assert count.lower == count.upper == 0 == assert_sound(count, fields, 3)
    assert str(count).startswith("exactly 0 independent conservation laws (D = 3, dim W = 2 -> 3")


# --- the formulas of theory.md, section 4 ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_homogeneous_neuron(k):
    """4.1: one law in one dimension, u^2/2 - v^2/(2k)."""
    count = certify(clexact.gradient_flow(clexact.models.neuron(1, 1, [k])))
    assert count.lower == count.upper == 1
    assert [str(h) for h in count.laws.polynomials()] == [f"{k}*u[0]^2 - v[0]^2" if k > 1 else "u[0]^2 - v[0]^2"]


@pytest.mark.parametrize("powers", [[1, 2], [1, 3], [2, 5], [1, 2, 4]], ids=str)
@pytest.mark.parametrize("inputs", [1, 2])
def test_other_neurons_have_no_law(powers, inputs):
    """4.1: two exponents already leave none."""
    net = Net(
        {"u": (1,), "v": (inputs,)}, {"x": (inputs,), **{f"t{k}": () for k in powers}}, lambda u, v, x, **t: u * sum(
            t[f"t{k}"] * (v @ x) ** k for k in powers)
    )  # fmt: skip
    assert certify(net.flow()).upper == 0
    count = certify(clexact.gradient_flow(clexact.models.neuron(inputs, 1, powers)))
    assert count.lower == count.upper == 0


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("m", [1, 2, 4])
@pytest.mark.parametrize("r", [1, 2, 3, 5, 8])
def test_two_layer_linear_networks(n, m, r):
    """4.2 and 4.5: rk (2r + 1 - rk) / 2 laws, rk = min(r, n + m), also for n = 1, m = 1 and wide layers."""
    rk = min(r, n + m)
    count = certify(clexact.gradient_flow(clexact.models.linear([n, r, m])))
    assert count.lower == count.upper == rk * (2 * r + 1 - rk) // 2
    assert count.error == 0 and count.dimension == (n + m) * r


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize("r", [1, 2, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_two_layer_relu_networks(n, m, r, bias):
    """4.3: r laws, W_infinity = W_0."""
    count = certify(clexact.gradient_flow(clexact.models.relu([n, r, m], bias=bias)))
    assert count.lower == count.upper == count.exhibited == r and len(count.filtration) == 1
    assert count.error == 0 and len(count.laws.polynomials()) == r


def test_one_scalar_times_a_vector():
    """4.4: v1^2 + v2^2 - u^2 alone."""
    net = Net({"u": (), "v": (2,)}, {}, lambda u, v: u * v)
    count = certify(net.flow())
    assert count.lower == count.upper == 1 and [str(h) for h in count.laws.polynomials()] == ["u^2 - v[0]^2 - v[1]^2"]


def deep_linear_number(dims):
    """Rank of the gradients of the entries of U_l^T U_l - U_(l+1) U_(l+1)^T."""
    net = layered(dims)
    gens, layers = iter(net.ring.gens), []
    for n, m in pairwise(dims):
        layers.append(np.array([next(gens) for _ in range(n * m)], dtype=object).reshape(n, m))
    grams = [U.T @ U - V @ V.T for U, V in pairwise(layers)]
    entries = [G[i, j] for G in grams for i in range(len(G)) for j in range(i, len(G))]
    return gradient_rank(entries, random_point(net.dimension))


@pytest.mark.parametrize("dims", [[2, 2, 2, 2], [3, 2, 2, 3], [2, 3, 1, 2], [2, 1, 1, 2], [1, 1, 1, 1, 1]], ids=str)
def test_deep_linear_networks(dims):
    """4.6: as many as the Gram matrices give, when no layer pair is a row times a column."""
    count = certify(clexact.gradient_flow(clexact.models.linear(dims)))
    assert count.lower == count.upper == deep_linear_number(dims) and count.error == 0


@pytest.mark.parametrize("dims", [[1, 2, 1, 2], [2, 1, 3, 1], [1, 2, 2, 1], [2, 2, 1], [1, 2, 2, 2]], ids=str)
def test_narrow_linear_networks(dims):
    """Where a layer has one entry: at least the Gram matrices', and the oracle's number."""
    net = layered(dims)
    count = certify(net.flow())
    assert count.lower == count.upper == assert_sound(count, net.fields(), net.dimension)
    assert count.lower >= deep_linear_number(dims)


@pytest.mark.parametrize("dims", [[2, 2, 2, 2], [1, 2, 3, 1], [2, 1, 2, 1], [1, 1, 1, 1, 1]], ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_deep_relu_networks(dims, bias):
    """4.6: one law for each hidden unit, for the family of all paths."""
    count = certify(clexact.gradient_flow(clexact.models.relu(dims, bias=bias)))
    assert count.lower == count.upper == sum(dims[1:-1]) and count.error == 0


@pytest.mark.parametrize("d", [1, 2, 3, 7, 20])
def test_product_of_all_parameters(d):
    """4.8: d - 1 laws, all of degree 2."""
    count = certify(clexact.gradient_flow(clexact.models.product(d)))
    assert count.lower == count.upper == count.exhibited == d - 1
    assert {h.degree for h in count.laws} <= {2} and count.error == 0


OTHERS = {
    "head": Net(
        {"Q": (2, 1), "K": (2, 1), "V": (2, 1), "P": (1, 2)},
        {"x": (2,), "y": (2,), "z": (2,)},
        lambda Q, K, V, P, x, y, z: join([block((Q.T @ x) @ (K.T @ y)), P.T @ (V.T @ z)]),
    ),
    "rotary scores": Net(
        {"q": (2, 2), "k": (2, 2)},
        {"x": (2,), "y": (2,), "c": (), "s": ()},
        lambda q, k, x, y, c, s: (x @ q) @ (c * np.eye(2, dtype=int) + s * TURN) @ (y @ k),
    ),
    "bilinear gated unit": Net(
        {"u": (1,), "a": (2,), "b": (2,)}, {"x": (2,)}, lambda u, a, b, x: u * (a @ x) * (b @ x)
    ),
    "gated unit": Net(
        {"u": (1,), "a": (2,), "b": (2,)},
        {"x": (2,)},
        lambda u, a, b, x: join([u * (a @ x) * (b @ x), u * (a @ x) * (b @ x) ** 2]),
    ),
    "U U^T": Net({"U": (2, 2)}, {"x": (2,)}, lambda U, x: U @ (U.T @ x)),
    "residual": Net({"U": (2, 2), "V": (2, 2)}, {"x": (2,)}, lambda U, V, x: x + U @ (V @ x)),
    "outer square": Net({"a": (3,)}, {}, lambda a: a[:, None] * a[None, :]),
    "commutator": Net({"A": (2, 2), "B": (2, 2)}, {}, lambda A, B: A @ B - B @ A),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [("head", 2), ("rotary scores", 1), ("bilinear gated unit", 2), ("gated unit", 1), ("residual", 3),
     ("U U^T", 0), ("outer square", 0), ("commutator", None)],
)  # fmt: skip
def test_other_architectures(name, number):
    """4.11 for attention, rotary positions, gated units and skips; and the oracle's number for all."""
    net = OTHERS[name]
    count = certify(net.flow())
    exact = assert_sound(count, net.fields(), net.dimension)
    assert count.lower == count.upper == exact
    assert number is None or exact == number


@pytest.mark.parametrize("dims", [[3, 2], [3, 2, 2], [2, 1, 3], [1, 2, 2]], ids=str)
def test_cross_entropy_adds_the_column_sums(dims):
    """4.11: as many more laws as the last layer has columns, where the oracle agrees."""
    net = layered(dims)
    count = certify(net.flow("cross_entropy"))
    exact = assert_sound(count, net.fields("cross_entropy"), net.dimension)
    assert count.lower == count.upper == exact
    assert "sum zero" in count.assumptions[0]


# --- laws that are not polynomial ------------------------------------------------------------------------------------

LOGARITHMIC = {
    "Lotka-Volterra": (["x", "y"], [["x*(2 - y)", "y*(x - 3)"]], 1, True),
    "SIR": (["S", "I", "R"], [["-2*S*I", "2*S*I - 3*I", "3*I"]], 2, True),
    "Lorenz": (["x", "y", "z"], [["10*(y - x)", "x*(28 - z) - y", "x*y - 8/3*z"]], 2, True),
    "two commuting scalings": (["x", "y", "z"], [["x", "0", "2*z"], ["0", "y", "0"]], 1, False),
    "scalings and a rotation": (["x", "y", "z", "w"], [["x", "y", "z", "0"], ["y", "-x", "0", "0"]], 2, False),
    "affine group": (["x", "y", "z"], [["1", "0", "z"], ["x", "0", "x*z"]], 2, False),
}


@pytest.mark.parametrize("name", LOGARITHMIC)
def test_laws_that_are_not_polynomial(name):
    """One field is closed by itself, proved; several are closed with an error of at most 2^-100, never proved."""
    variables, texts, number, single = LOGARITHMIC[name]
    fields = read(variables, texts)
    count = certify(as_clexact(fields))
    assert count.lower == count.upper == number == assert_sound(count, fields, len(variables))
    assert count.exhibited < number and (count.error == 0) == single
    assert ("a single field is closed under brackets" in count.evidence.lower) == single


def test_polynomial_laws_of_higher_degree_need_that_degree():
    """x' = y^2, y' = -x^2 keeps x^3 + y^3: exhibited with degree 3, counted with degree 2."""
    fields = VectorFields.from_strings(["x", "y"], [["y^2", "-x^2"]])
    low, high = certify(fields, degree=2), certify(fields, degree=3)
    assert (low.lower, low.upper, low.exhibited) == (1, 1, 0)
    assert (high.lower, high.upper, high.exhibited) == (1, 1, 1)
    assert [str(h) for h in high.laws.polynomials()] == ["x^3 + y^3"]


@pytest.mark.parametrize("dims", [[2, 2, 2], [1, 3, 1]], ids=str)
def test_degree_one(dims):
    """No linear law is exhibited; the number is the same, and several fields are then not proved."""
    flow = layered(dims).flow()
    one, two = certify(flow, degree=1), certify(flow)
    assert (one.lower, one.upper) == (two.lower, two.upper) and one.exhibited == len(one.laws.polynomials()) == 0
    assert one.degree == 1
    assert_evidence(one)
    assert (one.error == 0) == (dims[0] == dims[-1] == 1)


# --- open ends -------------------------------------------------------------------------------------------------------

CHAIN = (["x", "a", "b", "c", "d"], [["1", "0", "0", "0", "0"], ["0", "1", "x", "x**2", "x**3"]])


@pytest.mark.parametrize("max_depth", [0, 1, 2, 3])
def test_bounded_depth_leaves_bounds_open(max_depth):
    """At least 0, at most as many as the depth leaves: both valid."""
    fields = read(*CHAIN)
    count = certify(as_clexact(fields), max_depth=max_depth)
    assert assert_sound(count, fields, 5) == 0
    assert (count.lower, count.upper) == (0, 3 - max_depth) and count.exact == (max_depth == 3)
    if max_depth < 3:
        assert count.headline == f"at least 0, at most {3 - max_depth} {noun(3 - max_depth)}"
        assert count.closure.status is ClosureStatus.OPEN


class Interruption:
    """Presses Ctrl-C at the n-th report of progress."""

    def __init__(self, n):
        self.left = n

    def __call__(self, stage, done, total):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_valid_bounds_that_only_get_better():
    """With keep_partial, the later it comes the better the bounds; without, it is raised."""
    fields = read(*CHAIN)
    flow, full = as_clexact(fields), certify(as_clexact(fields), max_depth=1)
    with pytest.raises(KeyboardInterrupt):
        certify(flow, max_depth=1, progress=Interruption(0))
    uppers = []
    for n in range(100):
        count = certify(flow, max_depth=1, progress=Interruption(n), keep_partial=True)
        assert_sound(count, fields, 5)
        if not count.interrupted:
            break
        uppers.append(count.upper)
    assert len(uppers) > 2 and not count.interrupted and count.upper == full.upper
    assert uppers == sorted(uppers, reverse=True)


def test_progress_is_reported():
    """Stages with (done, total), done at most total."""
    seen = []
    certify(layered([2, 2, 2]).flow(), degree=1, progress=lambda *report: seen.append(report))
    assert {stage for stage, _, _ in seen} >= {"brackets of depth 0", "brackets of depth 1"}
    assert all(0 <= done <= total for _, done, total in seen)


# --- the result ------------------------------------------------------------------------------------------------------

EXAMPLES = {
    "linear": lambda: layered([2, 2, 2]).flow(),
    "cross-entropy": lambda: layered([2, 2, 1]).flow("cross_entropy"),
    "explicit": lambda: VectorFields.from_strings(["x", "y"], [["y", "x"]]),
    "logarithmic": lambda: as_clexact(read(*LOGARITHMIC["two commuting scalings"][:2])),
    "no field": lambda: VectorFields.from_strings(["x", "y"], []),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_json(name):
    """Plain data with fixed keys, consistent with the result."""
    count = certify(EXAMPLES[name](), seed=3)
    data = json.loads(count.to_json())
    assert list(data) == [
        "model", "scope", "assumptions", "dimension", "fields", "lower", "upper", "exact", "exhibited", "degree",
        "filtration", "evidence", "error", "prime", "seed", "interrupted", "stopped", "left_out", "seconds", "blocks",
    ]  # fmt: skip
    assert data == json.loads(json.dumps(count.to_dict()))
    assert sum(block["laws"] for block in data["blocks"]) == count.exhibited
    numbers = ("dimension", "fields", "lower", "upper", "exact", "exhibited", "degree", "seed", "interrupted")
    assert all(data[key] == getattr(count, key) for key in numbers)
    assert data["filtration"] == list(count.filtration) and data["assumptions"] == list(count.assumptions)
    assert (data["error"] == "0") == (count.error == 0) and data["seconds"] >= 0
    assert json.loads(count.to_json(laws=True)).pop("laws") == count.laws.written()


@pytest.mark.parametrize("name", EXAMPLES)
def test_pickle(name):
    """A copy reads the same, has the same laws and can be certified again."""
    count = certify(EXAMPLES[name]())
    copy = pickle.loads(pickle.dumps(count))
    assert str(copy) == str(count) and repr(copy) == repr(count) and copy.laws == count.laws
    assert copy.to_json() == count.to_json() and copy.evidence == count.evidence
    assert str(certify(copy.flow)) == str(count)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("seed", [1, 2])
def test_seeds(name, seed):
    """The same seed gives the same result, another one the same count by another point."""
    first, again, other = (certify(EXAMPLES[name](), seed=s) for s in (seed, seed, seed + 5))
    drop = lambda c: {k: v for k, v in c.to_dict(laws=True).items() if k != "seconds"}  # noqa: E731
    assert drop(first) == drop(again) and first.closure.point == again.closure.point
    assert (first.lower, first.upper, first.filtration) == (other.lower, other.upper, other.filtration)
    assert first.closure.point != other.closure.point and first.seed == seed


def test_assumptions_are_stated():
    """The loss, the re-parametrization, the start; for explicit fields, what a law is."""
    full, logits = (certify(layered([2, 2, 2]).flow(loss)) for loss in ("full", "cross_entropy"))
    assert "all output covectors" in full.assumptions[0] and "sum zero" in logits.assumptions[0]
    assert "minimal re-parametrization" in full.assumptions[1] and full.assumptions[-1] == "generic start"
    explicit = certify(EXAMPLES["explicit"]())
    assert "every field given conserves it" in explicit.assumptions[0] and explicit.assumptions[-1] == "generic start"
    assert explicit.description == "1 explicit field on Q^2"


def test_certify_reads_the_same_from_a_model_and_from_its_fields():
    """The flow of a model and its explicit fields have the same number of laws and the same growing dimensions."""
    flow = layered([2, 3, 2]).flow()
    first, second = certify(flow), certify(flow.fields)
    assert (first.lower, first.upper) == (second.lower, second.upper)
    assert sorted(set(first.filtration)) == sorted(set(second.filtration))


def test_unlucky_constants_are_no_error():
    """A constant whose denominator is the prime drawn: another prime is drawn."""
    p = certify(layered([1, 2]).flow()).closure.prime
    net = Net({"u": (2,)}, {"x": (2,)}, lambda u, x: u * x / p)
    count = certify(net.flow())
    assert count.lower == count.upper == 0 and count.closure.prime != p


def test_a_field_that_vanishes_modulo_the_prime():
    """p d/dx: the bounds hold, and another point and prime make them meet."""
    p = certify(VectorFields.from_strings(["x"], [["x"]])).closure.prime
    count = certify(VectorFields.from_strings(["x"], [[str(p)]]))
    assert count.lower == count.upper == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"degree": 0}, ValueError, "degree must be at least 1, not 0"),
        ({"degree": 1.5}, TypeError, "degree must be an integer, not 1.5"),
        ({"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        ({"seed": "x"}, TypeError, "seed must be an integer, not 'x'"),
        ({"max_depth": -1}, ValueError, "max_depth must be at least 0, not -1"),
        ({"max_depth": 2.0}, TypeError, "max_depth must be an integer, not 2.0"),
    ],
)
def test_certify_rejects(arguments, error, message):
    """Before any work starts."""
    with pytest.raises(error, match=message):
        certify(VectorFields.from_strings(["x"], [["x"]]), **arguments)


def test_certify_rejects_what_is_no_flow():
    """Text, None."""
    for wrong in ("x' = y", None, [["y", "x"]]):
        with pytest.raises(TypeError, match=r"expected a flow, a Model .* or VectorFields, not"):
            certify(wrong)
