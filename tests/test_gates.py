"""Free gates: one gate for one source, the words that say so, and the cases in which true gates are fewer."""

import json
from fractions import Fraction

import pytest

import clexact
from clexact.cli.main import run
from clexact.functions import maximum, relu, tanh

PARAMETERS = {"U": (2, 2), "W": (2, 2), "V": (2, 2)}


def model(output, parameters=PARAMETERS, probes=None):
    return clexact.Model(parameters, probes or {"x": (2,)}, output)


ONE_SOURCE = {
    "twice the same": lambda U, W, V, x: U @ relu(V @ x) + W @ relu(V @ x),
    "sum the other way": lambda U, W, V, x: U @ relu(V @ x + x) + W @ relu(x + V @ x),
    "two slopes": lambda U, W, V, x: U @ relu(V @ x) + W @ relu(V @ x, slope=3),
    "an absolute value": lambda U, W, V, x: U @ relu(V @ x, slope=-1) + W @ relu(V @ x),
    "two maxima": lambda U, W, V, x: U[0, 0] * maximum(V @ x) + W[0, 0] * maximum(V @ x),
}


@pytest.mark.parametrize("name", ONE_SOURCE)
def test_gates_of_one_source_are_one_gate(name):
    assert len(model(ONE_SOURCE[name]).program.gates) == 1


@pytest.mark.parametrize(("slope", "other"), [(0, 0), (0, 3), (-1, 2)])
def test_shared_gates_span_what_one_does(slope, other):
    """U relu_s(z) + W relu_t(z): as with h = relu(z) written once, and relu_s = s z + (1 - s) relu."""
    twice = model(lambda U, W, V, x: U @ relu(V @ x, slope) + W @ relu(V @ x, other))

    def once(U, W, V, x):
        z = V @ x
        h = relu(z)
        return U @ (slope * z + (1 - slope) * h) + W @ (other * z + (1 - other) * h)

    counts = [clexact.certify(clexact.gradient_flow(m)) for m in (twice, model(once))]
    assert counts[0].exact and counts[0].lower == counts[1].lower
    assert counts[0].laws == counts[1].laws


@pytest.mark.parametrize("slope", [0, 3])
@pytest.mark.parametrize("factor", [2, -1, Fraction(-2, 3)])
def test_gates_of_multiples_are_one_gate(slope, factor):
    """relu(c z): the gate of z for c > 0, the other one for c < 0: relu(-z) = relu(z) - z."""
    twice = model(lambda U, W, V, x: U @ relu(V @ x, slope) + W @ relu(factor * (V @ x), 5))
    assert len(twice.program.gates) == 1

    def once(U, W, V, x):
        z = V @ x
        h = relu(z)
        positive, negative = (h, h - z) if factor > 0 else (h - z, h)
        return U @ (h - slope * (h - z)) + W @ (abs(factor) * (positive - 5 * negative))

    counts = [clexact.certify(clexact.gradient_flow(m)) for m in (twice, model(once))]
    assert counts[0].exact and counts[0].laws == counts[1].laws


def test_a_unit_and_its_negative_are_on_in_turn():
    """relu(z) relu(-z) = 0, and a maximum of a negative multiple is another one."""
    both = model(lambda U, W, V, x: maximum(V @ x) * U[0, 0] + maximum(-3 * (V @ x)) * W[0, 0])
    assert len(both.program.gates) == 2
    scaled = model(lambda U, W, V, x: maximum(V @ x) * U[0, 0] + maximum(3 * (V @ x)) * W[0, 0])
    assert len(scaled.program.gates) == 1


def test_same_units_with_summed_weights():
    """(U + W) relu(V x): the differences U - W are conserved, and one norm for each unit."""
    assert clexact.certify(clexact.gradient_flow(model(ONE_SOURCE["twice the same"]))).lower == 4 + 2


def test_different_sources_keep_their_gates():
    different = model(lambda U, W, V, x: U @ relu(V @ x) + W @ relu(V @ x * [1, 2]) + 0 * relu(0 * (V @ x)))
    assert len(different.program.gates) == 3
    two_axes = model(lambda U, W, V, x: maximum(V * x, 0) + maximum(V * x, 1))
    assert [gate.axis for gate in two_axes.program.gates] == [0, 1]


def test_an_unused_gate_or_function_leaves_no_trace():
    """What the output does not need is not there: no gate, no probe, no function."""

    def output(U, W, V, x):
        relu(W @ x), tanh(V @ x)
        return U @ x

    plain = clexact.gradient_flow(model(output))
    assert not plain.analytic and not plain.model.program.gates and list(plain.model.probes) == ["x"]
    count = clexact.certify(plain)
    assert count.lower == 8 and str(count).startswith("exactly 8 independent conservation laws (")


def test_unused_function_leaves_the_search_and_the_closure_on():
    """Two fields that are closed, and a law of degree 3 that no symmetry shows."""
    fields = model(lambda u, v, x: (tanh(v * x), u * v**2 * x)[1], {"u": (), "v": ()}, {"x": ()})
    assert clexact.polynomial_laws(clexact.gradient_flow(fields), 2).complete
    assert clexact.certify(clexact.gradient_flow(fields)).lower == 1


# --- the words -------------------------------------------------------------------------------------------------------

GATED = {
    "relu": clexact.models.relu([2, 3, 1]),
    "narrow": clexact.models.relu([1, 3, 1]),
    "leaky": clexact.models.relu([2, 2, 2, 2], bias=True, slope=3),
    "pool": clexact.models.maxpool(1, 2, 2, pool=3),
    "convolution": clexact.models.conv1d([1, 2, 2, 1], kernel=2, relu=True),
    "deep": clexact.models.relu([1, 2, 2, 1], bias=True),
}
FLOWS = {
    "gradient": clexact.gradient_flow,
    "decay": lambda m: clexact.gradient_flow(m, weight_decay=1),
    "momentum": clexact.momentum_flow,
    "mirror": lambda m: clexact.mirror_flow(m, positive=list(m.parameters)),
}


@pytest.mark.slow
@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("name", GATED)
def test_free_gates_are_in_every_word(name, flow):
    """Headline, JSON, certificate and notebook."""
    count = clexact.certify(FLOWS[flow](GATED[name]))
    assert " with free gates" in count.headline and "with free gates" in count._repr_html_()
    data = json.loads(count.to_json())
    assert data["scope"] == "all data, generic start, free gates"
    assert any(words.startswith("with free gates") for words in data["assumptions"])
    certificate = count.certificate
    assert "with free gates" in repr(certificate) and "with free gates" in certificate.to_json()


@pytest.mark.parametrize("name", ["linear", "attention"])
def test_no_gates_no_words(name):
    count = clexact.certify(
        clexact.gradient_flow(getattr(clexact.models, name)(*([[2, 2, 2]] if name == "linear" else [4, 2])))
    )
    assert "gates" not in count.headline and count.scope == "all data, generic start"
    fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "-x"]])
    assert clexact.certify(fields).scope == "the fields given, generic start"


CASES = {
    "gate1 multiplies itself": model(lambda U, W, V, x: U @ (relu(V @ x) * (V @ x)) + W @ relu(V @ x) ** 2),
    "no input decides gate1": model(lambda U, W, V, x: relu(U) @ (V @ x) + W @ x),
    "the input is one number": clexact.models.relu([1, 3, 1]),
    "choice1 chooses among more entries than the 1 of the input": clexact.models.maxpool(1, 2, 2, pool=3),
}


@pytest.mark.parametrize("words", CASES)
def test_cases_in_which_free_gates_fail_are_named(words):
    count = clexact.certify(clexact.gradient_flow(CASES[words]))
    assert "true inputs may open fewer here" in count.assumptions[1] and words in count.assumptions[1]


@pytest.mark.parametrize("sizes", [[1, 3, 2], [1, 2, 2, 3]])
def test_no_case_is_named_where_none_is_known(sizes):
    assert "fewer" not in clexact.certify(clexact.gradient_flow(clexact.models.relu(sizes))).assumptions[1]
    assert (
        "fewer" not in clexact.certify(clexact.gradient_flow(clexact.models.relu([2, 2, 1], bias=True))).assumptions[1]
    )


def test_orbits_have_the_gates_of_the_start():
    """At (3, 0, -1) the unit is off for all inputs, but on for some nearby; zero is a kink, where gates are free."""
    unit = clexact.Model({"u": (), "v": (), "b": ()}, {"x": ()}, lambda u, v, b, x: u * relu(v * x + b))
    orbit = clexact.orbit_dimension(clexact.gradient_flow(unit), [3, 0, -1])
    assert (orbit.orbit_dimension, orbit.upper) == (0, 2)
    assert json.loads(orbit.to_json())["scope"].endswith("true gates")
    kink = clexact.orbit_dimension(clexact.gradient_flow(clexact.models.relu([1, 2, 2, 1])), "zero")
    assert "with free gates" in str(kink) and "with free gates" in kink._repr_html_()
    assert json.loads(kink.to_json())["scope"] == "all data, from this start, free gates"
    two = clexact.gradient_flow(clexact.models.relu([2, 3, 2]))  # true gates span all near a generic start alone
    assert "gates" not in str(clexact.certify(two)) and "with free gates" in str(clexact.orbit_dimension(two, "zero"))
    free = clexact.orbit_dimension(two, [1] * 12, free_gates=True)
    assert free.scope == "all data, from this start, free gates" and "with free gates" in str(free)
    linear = clexact.orbit_dimension(clexact.gradient_flow(clexact.models.linear([1, 1, 1])), "zero")
    assert "gates" not in str(linear) and linear.scope == "all data, from this start"


@pytest.mark.parametrize("make", [lambda: clexact.Model({"a": (2,), "b": (3,)}, {}, lambda a, b: a[:, None] * b)])
def test_laws_that_were_not_looked_for_are_named(monkeypatch, make):
    """Where scalings are not inferred, for the size, the result says so, and only then."""
    count = clexact.certify(clexact.gradient_flow(make()))
    assert count.lower == 1 == count.exhibited and count.left_out == ""
    monkeypatch.setattr("clexact.symmetry.grading.MAX_EQUATIONS", 1)
    count = clexact.certify(clexact.gradient_flow(make()), degree=1)
    assert "scalings" in count.left_out and "may be missing" in json.loads(count.to_json())["left_out"]
    momentum = clexact.certify(clexact.momentum_flow(make()), degree=1, max_depth=0)
    assert momentum.exhibited == momentum.upper or "scalings" in momentum.left_out


def test_the_commands_say_it_too(capsys):
    """All laws of a degree, and a formula for counts, are those of free gates as well."""
    laws = clexact.polynomial_laws(clexact.gradient_flow(GATED["narrow"]), 2)
    assert laws.known.endswith(", with free gates") and "with free gates" in laws._repr_html_()
    assert json.loads(laws.to_json())["scope"] == "all data, generic start, free gates"
    plain = clexact.polynomial_laws(clexact.gradient_flow(clexact.models.linear([1, 2, 1])), 2)
    assert "gates" not in plain.known and plain.scope == "all data, generic start"
    assert run(["laws", "relu", "2", "2", "2", "2"]) == 0 and "with free gates" in capsys.readouterr().out
    assert (
        run(["orbit", "relu", "2", "2", "2", "2", "--at", "zero"]) == 0 and "with free gates" in capsys.readouterr().out
    )
    grid = ["fit", "relu", "--grid", "a=1..3,b=1..3", "--sizes", "a b b 1"]
    assert run(grid) == 0 and "the counts are those with free gates" in capsys.readouterr().out
    assert run([*grid, "--json"]) == 0 and json.loads(capsys.readouterr().out)["scope"].endswith("free gates")
