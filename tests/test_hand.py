"""What a hand expects of the API: sizes one by one, models called, counts as numbers, SymPy in and out."""

import json
import threading
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch

import clexact
from clexact import models

LINEAR = models.linear(2, 2, 3)


@pytest.mark.parametrize("family", ["linear", "relu", "mlp", "lora", "factorization"])
@pytest.mark.parametrize("sizes", [(3, 2, 4), (np.int64(3), 2, 4), ([3, 2, 4],), (np.array([3, 2, 4]),)])
def test_sizes_come_one_by_one_or_as_any_list(family, sizes):
    """All are the same model."""
    build = getattr(models, family)
    assert build(*sizes).program.digest == build([3, 2, 4]).program.digest


def test_options_come_by_name_behind_sizes():
    """A number behind the sizes is a size."""
    assert models.conv1d(1, 2, 1, kernel=3).program.digest == models.conv1d([1, 2, 1], 3).program.digest
    assert models.relu(2, 3, 1, bias=True).dimension == models.relu([2, 3, 1], True).dimension
    with pytest.raises(TypeError, match="kernel"):
        models.conv1d(1, 2, 1, 3)


def test_a_model_stands_for_its_gradient_flow():
    """Wherever a flow is expected."""
    flow = clexact.gradient_flow(LINEAR)
    assert clexact.certify(LINEAR) == clexact.certify(flow)
    assert clexact.check_law(LINEAR, "U1[0,0]").status is clexact.LawStatus.FALSE
    assert len(clexact.polynomial_laws(LINEAR, 2)) == 3
    assert clexact.lie_closure(LINEAR).rank == 7
    assert clexact.orbit_dimension(LINEAR, "zero").orbit_dimension == 0
    assert clexact.momentum_flow(LINEAR, loss="mse").digest == clexact.momentum_flow(flow).digest
    with pytest.raises(TypeError, match=r"Linear; for a PyTorch module take clexact\.torch\.model\(module"):
        clexact.certify(torch.nn.Linear(2, 2))


def test_counts_are_numbers_and_values():
    """The number where the bounds meet; equal and hashed alike if they say the same of the same."""
    count = clexact.certify(LINEAR)
    assert int(count) == 3 and len({count, clexact.certify(LINEAR), clexact.certify(LINEAR, seed=1)}) == 2
    assert count != clexact.certify(models.linear(2, 2, 4)) and count != 3
    bounded = clexact.certify(clexact.Model({"u": 2}, {"x": 2}, lambda u, x: np.exp(np.log(u)) * x))
    assert bounded.lower < bounded.upper
    with pytest.raises(ValueError, match=r"the number of laws is not known: "):
        int(bounded)


def test_orbits_are_values():
    """As counts are."""
    orbits = [clexact.orbit_dimension(LINEAR, start) for start in ("zero", "zero", "identity")]
    assert orbits[0] == orbits[1] and hash(orbits[0]) == hash(orbits[1]) and orbits[0] != orbits[2]


def test_a_count_is_saved_shown_and_framed(tmp_path):
    """A certificate, LaTeX, a row of a table."""
    count = clexact.certify(LINEAR)
    count.save(tmp_path / "linear.json.gz")
    assert clexact.verify(tmp_path / "linear.json.gz")
    text = count.to_latex()
    assert text.startswith("Exactly 3 independent conservation laws ($D = 10$, $\\dim W = 6 \\to 7$):")
    assert text.count("&") == len(count.laws) == 1
    assert clexact.certify(models.mlp([1, 2, 2], act="gelu", bias=True)).to_latex().endswith("$).")
    row = count.to_frame()
    assert row.shape[0] == 1 and row["lower"][0] == 3 and row["evidence_upper"][0] == count.evidence.upper
    assert set(json.loads(count.to_json())) - {"evidence"} <= set(row.columns)


def test_what_is_not_shown_is_named():
    """A law that is no polynomial: how to look for it."""
    count = clexact.certify(clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]]))
    assert repr(count).endswith("1 further law is no polynomial of degree at most 2: count.further_laws() looks for it")
    assert len(count.further_laws()) == 1
    assert not clexact.certify(LINEAR).hint and "further" not in repr(clexact.certify(LINEAR))


def test_time_limits_return_the_bounds_so_far():
    """Valid bounds, before the search has ended."""
    block = models.transformer(6, 4, 8, norm="pre-layer", bias=True, heads=2)
    count = clexact.certify(block, time_limit=0.2)
    assert count.interrupted and count.stage and count.lower <= 81 <= count.upper
    errors = []

    def elsewhere():
        try:
            clexact.certify(LINEAR, time_limit=5)
        except ValueError as error:
            errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert errors == ["limits interrupt the main thread, and this is another: set none here."]
    with pytest.raises(ValueError, match="the time limit must be positive, not 0"):
        clexact.certify(LINEAR, time_limit=0)


def test_progress_is_a_line_or_a_function(capsys):
    """No line where nobody looks; every stage where a function listens."""
    seen = []
    clexact.certify(LINEAR, progress=lambda stage, done, total: seen.append((stage, done <= total)))
    assert seen and all(within for _, within in seen)
    clexact.certify(LINEAR, progress=True)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(TypeError, match=r"progress must be True, False, None or a function .*, not 3\."):
        clexact.certify(LINEAR, progress=3)


# --- SymPy -----------------------------------------------------------------------------------------------------------


def test_laws_are_expressions():
    """Polynomials, laws with logarithms, and families."""
    family = clexact.certify(LINEAR).laws[0]
    polynomials = clexact.certify(LINEAR).laws.polynomials()
    assert sympy.latex(family) == family.latex and sympy.latex(polynomials[0]) == polynomials[0].to_latex()
    assert list(sympy.sympify(family)) == [law.to_sympy() for law in polynomials]
    assert sympy.sympify(polynomials[0]) - polynomials[0].to_sympy() == 0
    (law,) = clexact.certify(clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])).further_laws()
    assert sympy.sympify(law) == law.to_sympy() and sympy.latex(law) == law.to_latex()


def test_expressions_are_checked():
    """Symbols by their names, whatever their assumptions; entries of matrices."""
    u, v = sympy.MatrixSymbol("U1", 2, 2), sympy.IndexedBase("U2")
    gram = sum(u[k, 0] ** 2 for k in range(2)) - sum(v[0, k] ** 2 for k in range(3))
    assert clexact.check_law(LINEAR, gram).status is clexact.LawStatus.PROVED
    assert clexact.check_law(LINEAR, gram + u[0, 0]).status is clexact.LawStatus.FALSE
    x, y = sympy.symbols("x[0] x[1]", positive=True)
    assert clexact.check_law(models.product(2), (x - y) * (x + y) / 3)
    for wrong in (sympy.gamma(x), sympy.Symbol("z"), 0.5 * x, None):
        with pytest.raises((TypeError, ValueError)):
            clexact.check_law(models.product(2), wrong)


# --- models called ---------------------------------------------------------------------------------------------------


def test_models_are_evaluated_exactly():
    """Integers and rationals stay such; gates are the true ones."""
    net = models.relu(1, 3, 1)
    at = {"U1": [[1, 2, 3]], "U2": [[Fraction(1, 2)], [-1], [2]]}
    assert net(at, x=[5]).tolist() == [Fraction(65, 2)]
    assert net(**at, x=[[5], [-5]]).tolist() == [[Fraction(65, 2)], [10]]
    assert net([1, 2, 3, 0.5, -1, 2], x=[5]).tolist() == [32.5]
    assert models.product(3)([2, 3, 4]) == 24


@pytest.mark.parametrize("act", sorted(set(models.ACTS) - {"none"}))
def test_functions_are_those_of_torch(act):
    """In float64, one input and many."""
    functions = {
        "leaky": torch.nn.LeakyReLU(0.01), "gelu_tanh": torch.nn.GELU("tanh"), "sin": torch.sin,
    }  # fmt: skip
    named = functions.get(act) or getattr(torch.nn.functional, act, None) or getattr(torch, act)
    net = models.mlp([2, 5, 3], act=act, bias=True)
    draws = np.random.default_rng(0)
    theta = {name: draws.normal(size=shape) for name, shape in net.parameters.items()}
    x = draws.normal(size=(7, 3))
    parts = {name: torch.tensor(array) for name, array in theta.items()}
    hidden = named(torch.tensor(x) @ parts["U2"].T + parts["b2"])
    expected = (hidden @ parts["U1"].T + parts["b1"]).numpy()
    assert np.allclose(net(theta, x=x), expected, atol=1e-12)
    assert np.allclose(net(theta, x=x[0]), expected[0], atol=1e-12)


def test_models_say_what_they_take():
    """Names, shapes and numbers."""
    net = models.relu(1, 3, 1)
    for arrays, message in {
        (("x", (1,)),): r"takes the arrays U1, U2, x, not x\.",
        (("U1", (3,)), ("U2", (3, 1)), ("x", (1,))): r"'U1' must have shape \(1, 3\), not \(3,\)",
    }.items():
        with pytest.raises(ValueError, match=message):
            net(**{name: np.zeros(shape) for name, shape in arrays})
    with pytest.raises(TypeError, match="'x' must be an array of numbers, not 'a'"):
        net([0] * 6, x="a")
    with pytest.raises(ValueError, match=r"the parameters must have shape \(6,\), not \(5,\)"):
        net([0] * 5, x=[1])
    with pytest.raises(ValueError, match="of equally many inputs"):
        clexact.Model({"u": 1}, {"x": 1, "y": 1}, lambda u, x, y: u * x * y)(u=[1], x=[[1], [2]], y=[[1]])


def test_starts_of_orbits_come_by_name():
    """Arrays of parameters; velocities are zero, and explicit fields have none."""
    flow = clexact.gradient_flow(LINEAR)
    arrays = {"U1": [[1, 2], [3, 4]], "U2": [[1, 0, 0], [0, 1, 0]]}
    assert clexact.orbit_dimension(flow, arrays) == clexact.orbit_dimension(flow, [1, 2, 3, 4, 1, 0, 0, 0, 1, 0])
    moving = clexact.momentum_flow(LINEAR)
    assert clexact.orbit_dimension(moving, arrays).point == (0, 1, 2, 3, 4, 1, 0, 0, 0, 1, 0, *[0] * 10)
    with pytest.raises(TypeError, match="point must be a list of 1 rationals"):
        clexact.orbit_dimension(clexact.VectorFields.from_strings(["x"], [["x"]]), {"x": 1})
