"""Laws of exponentials of parameters, 2 g - |W|^2, by SymPy and against certified counts; and where there are none."""

import warnings

import numpy as np
import pytest
import sympy

import clexact
from clexact import functions, models
from clexact.programs.program import Program
from clexact.symmetry.exponentials import Exponentials


def tanh(v):
    """As the model has it, for SymPy's symbols too."""
    return functions.tanh(v) if not isinstance(v, np.ndarray) else np.vectorize(sympy.tanh, otypes=[object])(v)


def exp(v):
    return functions.exp(v) if not isinstance(v, np.ndarray) else np.vectorize(sympy.exp, otypes=[object])(v)


# {name: (parameters, output of an input x of two entries, number of laws, laws of sums beside squares)}
SHOWN = {
    "scaled rows": ({"W": (2, 2), "g": (2,)}, lambda x, W, g: tanh(exp(g) * (W @ x)), 2, ["|W[i]|^2 - 2 g[i]"]),
    "with a bias": (
        {"W": (2, 2), "b": (2,), "g": (2,)},
        lambda x, W, b, g: tanh(exp(g) * (W @ x + b)),
        2,
        ["|W[i]|^2 + b[i]^2 - 2 g[i]"],
    ),
    "one for all": ({"W": (2, 2), "g": ()}, lambda x, W, g: tanh(exp(g) * (W @ x)), 1, ["|W|^2 - 2 g"]),
    "moved": (
        {"W": (2, 2), "g": (2, 1)},
        lambda x, W, g: tanh(exp(g.reshape((2,))[::-1]) * (W @ x)),
        2,
        None,
    ),
    "a matrix": ({"G": (2, 2), "W": (2, 1)}, lambda x, G, W: tanh((exp(G) * x) @ W), 2, ["2 sum_j G[j,i] - W[i,0]^2"]),
    "columns of a matrix": ({"G": (1, 2), "w": (2,)}, lambda x, G, w: tanh(exp(G) * w * x), 2, ["2 G[0,i] - w[i]^2"]),
    "two logarithms": (
        {"w": (2,), "g": (2,), "h": (2,)},
        lambda x, w, g, h: tanh(exp(g) * exp(h) * w * x),
        4,
        None,
    ),
    "seen otherwise": ({"w": (2,), "g": (2,)}, lambda x, w, g: tanh(exp(g) * w * x) + g, 0, []),
    "seen by another function": ({"w": (2,), "g": (2,)}, lambda x, w, g: tanh(exp(g) * w * x) + tanh(g), 0, []),
    "of a multiple": (
        {"w": (2,), "g": (2,)},
        lambda x, w, g: tanh(exp(3 * g / 2) * w * x),
        2,
        ["3 w[i]^2 - 4 g[i]"],
    ),
    "of the negative": ({"w": (2,), "g": (2,)}, lambda x, w, g: tanh(exp(-g) * w * x), 2, ["w[i]^2 + 2 g[i]"]),
    "of both signs": (
        {"w": (2,), "v": (2,), "g": (2,)},
        lambda x, w, v, g: tanh(exp(g) * w * x) + v * exp(-g),
        2,
        ["w[i]^2 - v[i]^2 - 2 g[i]"],
    ),
    "of several powers": (
        {"w": (2,), "v": (2,), "g": (2,)},
        lambda x, w, v, g: tanh(exp(-g / 2) * w * x) + tanh(exp(-g / 3) * v * x),
        2,
        ["3 w[i]^2 + 2 v[i]^2 + 12 g[i]"],
    ),
    "of two multiples": ({"w": (2,), "g": ()}, lambda x, w, g: tanh(exp(g) * w * x) * exp(-g), 0, []),
}


def model(name):
    parameters, output, *_ = SHOWN[name]
    return clexact.Model(parameters=parameters, probes={"x": (2,)}, output=lambda x, **theta: output(x, **theta))


def mixed(flow):
    """The families of sums beside squares."""
    return [family for family in flow.families if family.mixed]


@pytest.mark.parametrize("name", SHOWN)
def test_all_laws_are_known(name):
    """Bounds meet; the families are those expected, and certificates verify."""
    _, _, count, formulas = SHOWN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = clexact.gradient_flow(model(name))
        found = clexact.certify(flow)
    assert (found.lower, found.upper) == (count, count)
    assert formulas is None or [family.formula for family in mixed(flow)] == formulas
    assert formulas is not None or mixed(flow)
    assert clexact.verify(found.certificate)


@pytest.mark.parametrize("name", [name for name, case in SHOWN.items() if case[3] != []])
def test_laws_are_orthogonal_to_gradients(name):
    """By SymPy: the gradient of each is that of no output, at all parameters and inputs."""
    _, output, *_ = SHOWN[name]
    made = model(name)
    theta = {
        key: np.array([sympy.Symbol(f"{key}{list(i)}".replace(" ", "") if shape else key) for i in np.ndindex(shape)],
                      dtype=object).reshape(shape)
        for key, shape in made.parameters.items()
    }  # fmt: skip
    x = np.array(sympy.symbols("x0 x1"), dtype=object)
    outputs = np.ravel(output(x, **theta))
    variables = [v for array in theta.values() for v in array.ravel()]
    laws = [h.to_sympy() for family in mixed(clexact.gradient_flow(made)) for h in family.polynomials()]
    assert laws
    for law in laws:
        assert {str(v) for v in law.free_symbols} <= {str(v) for v in variables}
        law = law.subs({v: w for v in law.free_symbols for w in variables if str(v) == str(w)})
        for value in outputs:
            assert sympy.simplify(sum(law.diff(v) * value.diff(v) for v in variables)) == 0


def test_rows_of_logarithms_are_not_mixed():
    """Each row of W by itself in exp(G) W, though any matrix may act on those of W in E W."""
    given = clexact.Model({"G": (2, 3), "W": (3, 2)}, {"x": (2,)}, lambda G, W, x: functions.exp(G) @ (W @ x))
    flow = clexact.gradient_flow(given)
    assert [family.formula for family in mixed(flow)] == ["2 sum_j G[j,i] - |W[i]|^2"]
    found = clexact.certify(flow)
    assert (found.lower, found.upper) == (3, 3) and clexact.verify(found.certificate)


def test_other_flows_have_none():
    """Momentum and weight decay break them; of a mirror flow those stay that speak of no positive logarithm."""
    given = model("scaled rows")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for flow in (
            clexact.momentum_flow(given),
            clexact.gradient_flow(given, weight_decay=1),
            clexact.mirror_flow(given, positive=["g"]),
            clexact.mirror_flow(given, positive=["g", "W"]),
        ):
            assert not mixed(flow) and clexact.certify(flow, time_limit=20).lower == 0
        flow = clexact.mirror_flow(given, positive=["W"])
        assert [family.formula for family in flow.families] == ["sum_j W[i,j] - g[i]"]
        assert clexact.certify(flow).lower == 2


def test_programs_without_exponentials_of_parameters():
    """Are not gone through twice."""
    program = models.relu([2, 3, 1]).program
    assert isinstance(program, Program) and Exponentials(program, {"U1": 0, "U2": 6}).logarithms == {}


def test_modules_say_what_steps_do_to_them():
    """Plain steps keep them to second order, weight decay does not; a monitor leaves them out."""
    torch = pytest.importorskip("torch")
    import clexact.torch

    class Scaled(torch.nn.Module):
        def __init__(self, last):
            super().__init__()
            self.inner, self.last = torch.nn.Linear(2, 3), last
            self.g = torch.nn.Parameter(torch.randn(3))

        def forward(self, x):
            return self.last(torch.tanh(torch.exp(self.g) * self.inner(x)))

    torch.manual_seed(0)
    net, x = Scaled(torch.nn.Linear(3, 2)), torch.randn(4, 2)
    plain = torch.optim.SGD(net.parameters(), lr=0.1)
    law = clexact.torch.laws(net, x, optimizer=plain)[0]
    assert law.mixed and law.count == 3 and "eta^2 times its squares" in law.reason
    assert max(clexact.torch.check(net, x, [law]).values()) < 1e-12
    assert len(clexact.torch.missing(net, x[:1])) == 0
    decaying = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    found = clexact.torch.laws(net, x, optimizer=decaying)
    assert not len(found) and "different rates" in found.broken[0][1]
    with pytest.raises(ValueError, match="sums beside squares"):
        clexact.torch.LawMonitor(net, example_input=x)
    twice = Scaled(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)))
    monitor = clexact.torch.LawMonitor(twice, example_input=x)
    assert [law.mixed for law in monitor.laws] == [False]
    assert not [name for name in clexact.torch.balance(twice, x).after if "g" in name.split()]
