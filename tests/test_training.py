"""Training in numbers: flows, steps and balanced starts against formulas, exact numbers and other libraries."""

import importlib.util
import subprocess
import sys
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import erf, j1, log_softmax, logsumexp

import clexact
from clexact import functions, models
from clexact.algebra.draws import Draws
from clexact.algebra.polynomial import Polynomial
from clexact.laws.logarithmic import Form, Law
from clexact.models import FAMILIES
from clexact.support import extras
from clexact.training import (
    CROSS_ENTROPY,
    GD,
    SGD,
    Adam,
    AdamW,
    HeavyBallStep,
    Loss,
    NesterovStep,
    Risk,
    project,
    simulate,
    slope,
    train,
)
from clexact.training.projection import ProjectionError
from clexact.training.quantities import PolynomialMap, Watched

SIZES = {
    "linear": ([3, 2, 2], {}),
    "relu": ([2, 3, 2], {"bias": True, "slope": "1/3"}),
    "neuron": ([2, 2], {"powers": [2]}),
    "product": ([3], {}),
    "nmf": ([2, 2, 3], {}),
    "icnn": ([2, 2, 2], {"bias": True}),
    "shared": ([3, 2], {}),
    "tanh": ([2, 2, 2], {}),
    "gelu": ([2, 2, 2], {}),
    "silu": ([2, 2, 2], {}),
    "glu": ([2, 2, 2], {}),
    "swiglu": ([2, 2, 2], {}),
    "conv1d": ([1, 2, 1], {"kernel": 2, "relu": True, "padding": 1}),
    "conv2d": ([1, 2, 1], {"kernel": 2, "length": 3, "relu": True}),
    "attention": ([2, 2], {"tokens": 2, "causal": True}),
    "transformer": ([2, 1, 2], {}),
    "residual": ([2, 2], {"relu": True}),
    "maxpool": ([2, 2, 2], {}),
    "avgpool": ([2, 2, 2], {}),
    "recurrent": ([2, 2, 1], {}),
    "moe": ([2, 2, 2], {"gate": "topk", "k": 2}),
    "mlp": ([2, 3, 2], {"act": "gelu", "bias": True}),
    "gru": ([1, 2, 1], {}),
    "lstm": ([1, 1, 1], {}),
    "ssm": ([2, 2, 1], {}),
    "lora": ([2, 1, 2], {}),
    "cosine": ([2, 2, 2], {}),
    "weight_norm": ([2, 2, 2], {}),
    "factorization": ([2, 2, 2], {}),
    "diagonal": ([3], {}),
}


def family(name):
    sizes, options = SIZES[name]
    return FAMILIES[name].model(name, sizes, options)


def inputs_of(model):
    gates = {gate.probe for gate in model.program.gates}
    return {name: shape for name, shape in model.probes.items() if name not in gates}


def drawn(model, seed=1, count=5):
    """Data and a start without small entries."""
    draws = np.random.default_rng(seed)
    inputs = {name: draws.standard_normal((count, *shape)) for name, shape in inputs_of(model).items()}
    data = inputs, draws.standard_normal((count, *model.program.shape))
    return data, draws.uniform(0.3, 1, model.dimension) * draws.choice([-1, 1], model.dimension)


def rational(model, seed=1, count=3):
    """Likewise, in rationals."""
    draws = Draws(seed)

    def array(shape):
        size = int(np.prod(shape))
        return np.array([Fraction(c or 3, 4) for c in draws.integers(-8, 8, size)], dtype=object).reshape(shape)

    inputs = {name: array((count, *shape)) for name, shape in inputs_of(model).items()}
    return (inputs, array((count, *model.program.shape))), array((model.dimension,)).tolist()


# --- every family ----------------------------------------------------------------------------------------------------


def test_every_family_is_here():
    assert set(SIZES) == set(FAMILIES)


FLOWS = {
    "gradient": clexact.gradient_flow,
    "heavy ball": lambda model: clexact.momentum_flow(model, clexact.HeavyBall(Fraction(3, 2))),
    "nesterov": lambda model: clexact.momentum_flow(model, clexact.Nesterov()),
    "no damping": clexact.momentum_flow,
    "decay": lambda model: clexact.gradient_flow(model, weight_decay=Fraction(1, 3)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOWS)
@pytest.mark.parametrize("name", FAMILIES)
def test_laws_stay_and_what_is_no_law_drifts(name, kind):
    """At tolerance 1e-12: every certified law below 1e-9; a planted square of one parameter is seen to move."""
    model = family(name)
    flow, (data, start) = FLOWS[kind](model), drawn(model)
    count = clexact.certify(flow)
    run = simulate(flow, data, start=start, time=[0.5, 1, 1.5], laws=count)
    assert len(run.laws) == len(count.laws.polynomials()) >= count.exhibited
    assert run.drift().max(initial=0) < 1e-9
    assert run.losses[-1] < run.losses[0]
    planted = simulate(flow, data, start=start, time=[0.5, 1, 1.5], laws=f"{model.variables[0]}^2", rtol=1e-6)
    assert planted.drift().max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].positive])
@pytest.mark.parametrize("decay", [0, Fraction(1, 2)])
def test_mirror_flows(name, decay):
    model = family(name)
    flow = clexact.mirror_flow(model, FAMILIES[name].positive, weight_decay=decay)
    data, start = drawn(model)
    run = simulate(flow, data, start=np.abs(start), time=1)
    assert bool(run.laws) == (decay == 0)
    assert run.drift().max(initial=0) < 1e-9
    for parameter in FAMILIES[name].positive:
        assert (run.parameters[parameter] > 0).all()
    euclidean = clexact.certify(clexact.gradient_flow(model)).laws.polynomials()
    planted = [str(law) for law in euclidean] if decay == 0 else [f"s^2*({law})" for law in euclidean]
    assert simulate(flow, data, start=np.abs(start), time=1, laws=planted, rtol=1e-6).drift().max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_agree_with_finite_differences(name):
    model = family(name)
    data, start = drawn(model)
    risk = Risk(model, data)
    steps = 1e-5 * np.eye(model.dimension)
    differences = np.array([(risk(start + step) - risk(start - step)) / 2e-5 for step in steps])
    assert np.abs(differences - risk.gradient(start)).max() < 1e-8 * (1 + np.abs(differences).max())


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_lie_in_the_span_of_the_exact_fields(name):
    """Of polynomial pieces: up to a relative residual of 1e-12. Of analytic functions: orthogonal to the laws."""
    model = family(name)
    flow, (data, _) = clexact.gradient_flow(model), drawn(model)
    point = [Fraction(c or 5, 8) for c in Draws(3).integers(-8, 8, model.dimension)]
    g = Risk(model, data).gradient(np.array(point, dtype=float))
    if flow.analytic:
        laws = clexact.certify(flow).laws.polynomials()
        slopes = np.array([[float(p(*point)) for p in law.gradient] for law in laws]).reshape(
            len(laws), model.dimension
        )
        assert np.abs(slopes @ g).max(initial=0) < 1e-12 * np.linalg.norm(g)
        return
    rows = np.zeros((len(flow.fields), model.dimension))
    for owner, value in flow.fields.values(point).items():
        rows[divmod(owner, model.dimension)] = float(value)
    weights = np.linalg.lstsq(rows.T, g, rcond=None)[0]
    assert np.linalg.norm(rows.T @ weights - g) < 1e-12 * np.linalg.norm(g)
    assert name == "shared" or np.linalg.matrix_rank(rows) < model.dimension  # else nothing was tested


@pytest.mark.parametrize("name", ["relu", "maxpool", "avgpool", "recurrent", "conv2d", "icnn", "glu", "product"])
def test_rational_gradients_are_residuals_times_the_exact_rows(name):
    model = family(name)
    data, start = rational(model)
    risk = Risk(model, data, rational=True)
    theta = risk.start(start)
    listed = [{key: array[n] for key, array in data[0].items()} for n in range(3)]
    rows = clexact.data_fields(model, listed, start).rows
    residual = (risk.outputs(theta) - data[1]).ravel()
    assert (risk.gradient(theta) == residual @ rows / Fraction(3)).all()


# --- true functions --------------------------------------------------------------------------------------------------


def test_outputs_are_those_of_the_true_functions():
    draws = np.random.default_rng(5)
    x, U, V = draws.standard_normal((6, 3)), draws.standard_normal((2, 4)), draws.standard_normal((3, 4))
    z, start = x @ V, {"U": U, "V": V}
    activations = {
        "tanh": np.tanh(z), "gelu": z * (1 + erf(z / np.sqrt(2))) / 2, "silu": z / (1 + np.exp(-z)),
    }  # fmt: skip
    for name, hidden in activations.items():
        model = getattr(models, name)(3, 4, 2)
        risk = Risk(model, (x, np.zeros((6, 2))))
        assert np.allclose(risk.outputs(risk.start(start)), hidden @ U.T, rtol=1e-13)
    pooled = models.maxpool(3, 2, 2)
    risk = Risk(pooled, (x, np.zeros((6, 2))))
    wanted = z.reshape(6, 2, 2).max(axis=2) @ U[:, :2].T
    assert np.allclose(risk.outputs(risk.start({"U": U[:, :2], "V": V})), wanted, rtol=1e-13)


@pytest.mark.parametrize("name", ["log", "sin", "cos", "log_sigmoid", "logsumexp", "log_softmax"])
def test_outputs_and_slopes_of_logarithms_and_turns(name):
    """Against the functions of NumPy and SciPy, and differences of the risk."""
    true = {
        "log": np.log, "sin": np.sin, "cos": np.cos, "log_sigmoid": lambda z: -np.logaddexp(0, -z),
        "logsumexp": lambda z: logsumexp(z, axis=-1, keepdims=True), "log_softmax": lambda z: log_softmax(z, axis=-1),
    }[name]  # fmt: skip
    shift = 9 if name == "log" else 0

    def output(W, x):
        z = W @ x + shift
        return functions.logsumexp(z, keepdims=True) if name == "logsumexp" else getattr(functions, name)(z)

    draws = np.random.default_rng(3)
    x, W = draws.standard_normal((4, 3)), draws.standard_normal((2, 3))
    wanted = true(x @ W.T + shift)
    risk = Risk(clexact.Model({"W": (2, 3)}, {"x": (3,)}, output), (x, np.zeros_like(wanted)))
    theta = risk.start({"W": W})
    assert np.allclose(risk.outputs(theta), wanted, rtol=1e-13)
    steps = [(risk(theta + h) - risk(theta - h)) / 2e-6 for h in 1e-6 * np.eye(6)]
    assert np.allclose(risk.gradient(theta), steps, rtol=1e-6, atol=1e-8)


def test_attention_is_the_true_softmax():
    model = models.attention(3, 2, heads=2, tokens=4, causal=True)
    draws = np.random.default_rng(2)
    X = draws.standard_normal((5, 4, 3))
    W = {name: draws.standard_normal(shape) for name, shape in model.parameters.items()}
    risk = Risk(model, (X, np.zeros((5, 4, 3))))
    total = 0
    for i in (1, 2):
        scores = np.exp(X @ W[f"Q{i}"] @ W[f"K{i}"].T @ X.transpose(0, 2, 1)) * np.tri(4)
        total = total + scores / scores.sum(axis=2, keepdims=True) @ X @ W[f"V{i}"] @ W[f"O{i}"].T
    assert np.allclose(risk.outputs(risk.start(W)), total, rtol=1e-12)


@pytest.mark.slow
def test_gradient_agrees_with_sympy():
    """Analytic gates, softmax and a leaky relu in one network, cross-entropy."""
    model = clexact.Model(
        {"A": (2, 2), "B": (3, 2), "c": (2,)},
        {"x": (2,)},
        lambda A, B, c, x: B @ (functions.softmax(A @ x) * functions.silu(A.T @ x) + functions.relu(A @ x + c, 2)),
    )
    theta = [sympy.Rational(k, 7) for k in (3, -5, 2, 6, 1, -2, 4, 3, -6, 5, 2, -3)]
    symbols = sympy.symbols("t0:12")
    A, B, c = sympy.Matrix(2, 2, symbols[:4]), sympy.Matrix(3, 2, symbols[4:10]), sympy.Matrix(symbols[10:])
    x = sympy.Matrix([sympy.Rational(1, 2), -2])
    z, w = A * x, A.T * x
    exps = [sympy.exp(entry) for entry in z]
    point = dict(zip(symbols, theta, strict=True))
    gates = [1 if entry.subs(point) > 0 else 2 for entry in z + c]
    assert set(gates) == {1, 2}
    hidden = [exps[i] / sum(exps) * w[i] / (1 + sympy.exp(-w[i])) + gates[i] * (z + c)[i] for i in range(2)]
    out = B * sympy.Matrix(hidden)
    loss = sympy.log(sum(sympy.exp(entry) for entry in out)) - out[1]
    wanted = [float(sympy.diff(loss, s).subs(point)) for s in symbols]
    risk = Risk(model, ([[0.5, -2]], [1]), "cross_entropy")
    assert np.allclose(risk.gradient(risk.start([float(t) for t in theta])), wanted, rtol=1e-12)


def test_shared_factors_on_many_samples():
    """Parameters that meet each other before the data, and a constant joined to the data."""
    model = clexact.Model(
        {"U": (2, 2), "V": (2, 2)},
        {"x": (1,)},
        lambda U, V, x: (U @ V @ U.T) @ clexact.concatenate([x, np.array([1])]) + V[0] * U[1],
    )
    data, start = drawn(model)
    risk, step = Risk(model, data), 1e-6 * np.eye(8)
    differences = [(risk(start + e) - risk(start - e)) / 2e-6 for e in step]
    assert np.allclose(risk.gradient(start), differences, atol=1e-8)


# --- equations of motion ---------------------------------------------------------------------------------------------

SCALAR = clexact.Model({"w": ()}, {"x": ()}, lambda w, x: w * x, "one weight")
ONE = ([1.0], [2.0])  # E(w) = (w - 2)^2 / 2
TIMES = [0, 0.7, 2.0]


def test_flows_with_known_solutions():
    t = np.array(TIMES)
    run = simulate(SCALAR, ONE, start=[0.5], time=TIMES, laws=[])
    assert np.allclose(run.states[:, 0], 2 - 1.5 * np.exp(-t), atol=1e-11)
    decayed = simulate(
        clexact.gradient_flow(SCALAR, weight_decay=Fraction(1, 2)), ONE, start=[0.5], time=TIMES, laws=[]
    )
    assert np.allclose(decayed.states[:, 0], np.exp(t / 2), atol=1e-11)
    assert np.allclose(decayed.states[:, 1], 4 / 3 - (4 / 3 - 0.5) * np.exp(-1.5 * t), atol=1e-11)
    logistic = simulate(clexact.mirror_flow(SCALAR, "w"), ONE, start=[0.5], time=TIMES, laws=[])
    assert np.allclose(logistic.states[:, 0], 2 / (1 + 3 * np.exp(-2 * t)), atol=1e-11)
    half = clexact.mirror_flow(SCALAR, metric=lambda w: {"w": w / 2})
    halved = simulate(half, ONE, start=[0.5], time=TIMES, laws=[])
    assert np.allclose(halved.states[:, 0], 2 / (1 + 3 * np.exp(-t)), atol=1e-11)


def test_nesterov_damping_is_a_bessel_function():
    """w'' + 3 w'/t + (w - 2) = 0 has the solution w = 2 + J_1(t)/t."""
    t = np.array([0.5, 1, 4.0])
    bessel, step = lambda s: 2 + j1(s) / s, 1e-6
    velocity = (bessel(0.5 + step) - bessel(0.5 - step)) / (2 * step)
    flow = clexact.momentum_flow(SCALAR, clexact.Nesterov())
    run = simulate(flow, ONE, start=[bessel(0.5)], velocity=[velocity], time=t, laws=[])
    assert np.allclose(run.states[:, 0], t)
    assert np.allclose(run.parameters["w"], bessel(t), atol=1e-9)
    assert run.velocities["w"].shape == (3,)


@pytest.mark.parametrize("positive", [[], ["w"]])
@pytest.mark.parametrize("decay", [0, Fraction(2, 3)])
@pytest.mark.parametrize("damping", [None, clexact.HeavyBall(Fraction(3, 4)), clexact.Nesterov()])
def test_momentum_is_the_equation_of_its_docstring(damping, decay, positive):
    flow = clexact.momentum_flow(SCALAR, damping, positive=positive, weight_decay=decay)

    def speed(t, y):
        tau = 3 / t if isinstance(damping, clexact.Nesterov) else 0.75 if damping else 0
        kick = (y[0] - 2) * (tau * y[0] + y[1] if positive else 1)
        return [y[1], -tau * y[1] - kick - float(decay) * y[0]]

    wanted = solve_ivp(speed, (1, 2), [0.5, 0.25], method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    run = simulate(flow, ONE, start=[0.5], velocity=[0.25], time=[1, 2], laws=[])
    assert np.allclose(run.states[-1, 1:], wanted, atol=1e-11)
    clock = np.exp(0.75 * 2) if isinstance(damping, clexact.HeavyBall) else 2
    assert np.isclose(run.states[-1, 0], clock)


@pytest.mark.parametrize("method", ["RK45", "Radau", "BDF", "LSODA"])
def test_solvers_agree(method):
    model = family("linear")
    data, start = drawn(model)
    end = simulate(model, data, start=start, time=1).final
    other = simulate(model, data, start=start, time=1, method=method, rtol=1e-8, atol=1e-8)
    assert np.allclose(other.final, end, atol=1e-5)
    assert 0 < other.drift().max() < 1e-5


def test_drift_follows_the_tolerance():
    model = family("relu")
    data, start = drawn(model)
    drifts = [simulate(model, data, start=start, time=1, rtol=r, atol=r).drift().max() for r in (1e-4, 1e-8)]
    assert drifts[0] > 100 * drifts[1] > 0


def test_a_unit_that_slides_is_reported():
    """|w| kinks at 0, and both sides push there: the solver would take steps of the size of the tolerance for ever."""
    kink = clexact.Model({"w": ()}, {"x": ()}, lambda w, x: functions.relu(w * x) + functions.relu(-w * x))
    with pytest.raises(ArithmeticError, match="a unit slides along its switch"):
        simulate(kink, ([1.0], [-1.0]), start=[1], time=5, laws=[], max_evaluations=2000)


def test_a_solution_that_explodes_is_reported():
    grow = Loss("growing", lambda z, y: -(z**3) / 3, lambda z, y: -(z**2))
    with pytest.raises(ArithmeticError, match=r"DOP853 stopped at time 1 of 2|at time 1 of 2"):
        simulate(SCALAR, ONE, grow, [1], time=2, laws=[])


# --- laws to watch ---------------------------------------------------------------------------------------------------


def test_cross_entropy_adds_the_column_sums():
    model = models.linear([3, 2, 2])
    data, start = drawn(model)
    labels = [0, 1, 2, 1, 0]
    sums = [f"U1[0,{k}] + U1[1,{k}] + U1[2,{k}]" for k in (0, 1)]
    run = simulate(model, (data[0], labels), "cross_entropy", start, time=1)
    assert set(sums) <= set(run.laws)
    assert run.drift().max() < 1e-10
    assert simulate(model, data, "squared", start, time=1, laws=sums).drift().min(axis=0)[-1] > 1e-3
    soft = simulate(model, (data[0], np.eye(3)[labels]), "cross_entropy", start, time=1)
    assert np.allclose(soft.final, run.final, atol=1e-12)


def test_covectors_given():
    """A loss that sees the sum of the outputs only: the laws of the flow with the covector (1, 1, 1)."""
    total = Loss(
        "sum", lambda z, y: (z.sum(axis=1) - y) ** 2 / 2, lambda z, y: np.outer(z.sum(axis=1) - y, np.ones(z.shape[1]))
    )
    model = models.linear([3, 2, 2])
    flow, (data, start) = clexact.gradient_flow(model, [[1, 1, 1]]), drawn(model)
    run = simulate(flow, (data[0], data[1].sum(axis=1)), total, start, time=1)
    assert len(run.laws) > len(clexact.certify(clexact.gradient_flow(model)).laws.polynomials())
    assert run.drift().max() < 1e-10
    with pytest.raises(ValueError, match="the loss 'squared' has gradients outside the covectors"):
        simulate(flow, data, "squared", start, time=1)


def test_momentum_keeps_noether_and_breaks_the_others():
    """2-layer linear: r(r - 1)/2 Noether laws stay, the r(r + 1)/2 laws of the gradient flow do not."""
    model = models.linear([2, 2, 2])
    data, start = drawn(model)
    flow = clexact.momentum_flow(model, clexact.HeavyBall(1))
    noether = " + ".join(
        f"U{n}'[{a}]*U{n}[{b}] - U{n}'[{b}]*U{n}[{a}]"
        for n, pairs in ((1, [("0,0", "0,1"), ("1,0", "1,1")]), (2, [("0,0", "1,0"), ("0,1", "1,1")]))
        for a, b in pairs
    )
    velocity = np.linspace(-1, 1, 8)
    run = simulate(flow, data, start=start, velocity=velocity, time=2, laws={"Noether": f"s*({noether})"})
    assert abs(run.values[0, 0]) > 0.1
    assert run.drift().max() < 1e-10
    assert run.laws == ("Noether",)
    assert run.values[0, 0] == pytest.approx(float(Polynomial.from_string(noether, flow.variables)(
        *[Fraction(x) for x in run.states[0]])))  # fmt: skip
    old = [str(law) for law in clexact.certify(clexact.gradient_flow(model)).laws.polynomials()]
    broken = simulate(flow, data, start=start, velocity=velocity, time=2, laws=old).drift().max(axis=1)
    assert len(broken) == 3
    assert (broken > 1e-2).all()


def test_values_agree_with_exact_and_with_sympy():
    names = ("x", "y", "z")
    texts = ["x^3*y - 2/3*z", "5", "x*y*z - z^2 + 1/7", "0"]
    polynomials = [Polynomial.from_string(text, names) for text in texts]
    points = [[Fraction(k, 3), Fraction(-k, 5), Fraction(k + 1, 2)] for k in range(1, 5)]
    exact = PolynomialMap.of(polynomials, 3)(np.array(points, dtype=object))
    assert exact.tolist() == [[p(*point) for p in polynomials] for point in points]
    floats = np.array(points, dtype=float)
    assert np.allclose(PolynomialMap.of(polynomials, 3)(floats), exact.astype(float), rtol=1e-14)
    p, q = polynomials[0], Polynomial.from_string("y - 4", names)
    rational_law = Law(Form.RATIONAL, (p, q), tuple(_constant(c, names) for c in (2, -1)), _constant(0, names))
    logarithmic = Law(Form.LOGARITHMIC, (p, q), (_constant(3, names), q), polynomials[2])
    values = Watched(("a", "b"), (rational_law, logarithmic)).values(floats)
    for law, row in zip((rational_law, logarithmic), values, strict=True):
        written = law.to_sympy().replace(sympy.log, lambda a: sympy.log(sympy.Abs(a)))
        wanted = [float(written.subs(dict(zip(names, map(sympy.Rational, point), strict=True)))) for point in points]
        assert np.allclose(row, wanted, rtol=1e-12)


def _constant(c, names):
    return Polynomial.from_string(str(c), names)


def test_derivatives_of_polynomials():
    names = ("x", "y", "z")
    polynomials = [Polynomial.from_string(text, names) for text in ("x^3*y - 2/3*z", "x*y*z - z^2", "3")]
    maps, point, weights = PolynomialMap.of(polynomials, 3), np.array([2.0, -3.0, 0.5]), np.array([2.0, -1.0, 5.0])
    at = [Fraction(x) for x in point]
    assert maps.jacobian(point).tolist() == [[float(d(*at)) for d in p.gradient] for p in polynomials]
    second = sum(w * np.array([[float(e(*at)) for e in d.gradient] for d in p.gradient])
                 for w, p in zip(weights, polynomials, strict=True))  # fmt: skip
    assert np.allclose(maps.hessian(point, weights), second, rtol=1e-14)


def test_the_exponential_clock_in_laws_and_names():
    model = models.linear([2, 1, 2])
    data, start = drawn(model)
    flow = clexact.gradient_flow(model, weight_decay=Fraction(1, 2))
    run = simulate(flow, data, start=start, time=1)
    assert run.laws == tuple(clexact.certify(flow).laws.polynomials().written())
    assert run.laws[0].startswith("e^(1*t)*")
    h = clexact.certify(clexact.gradient_flow(model)).laws.polynomials()[0]
    decayed = [float(h(*[Fraction(x) for x in row[1:]])) for row in run.states]
    assert np.allclose(decayed, run.values[0, 0] * np.exp(-run.times), rtol=1e-10)


# --- discrete steps --------------------------------------------------------------------------------------------------

THIRD = Fraction(1, 30)


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0, Fraction(1, 4)])
@pytest.mark.parametrize("optimizer", [GD(THIRD), SGD(THIRD, 2, seed=3), SGD(THIRD)])
@pytest.mark.parametrize("name", ["relu", "linear", "maxpool", "icnn", "residual"])
def test_the_ledger_is_an_identity_over_the_rationals(name, optimizer, decay):
    model = family(name)
    data, start = rational(model)
    run = train(model, data, start=start, steps=3, optimizer=optimizer, weight_decay=decay, exact=True)
    assert all(type(c) is Fraction for c in run.values.ravel())
    assert (run.values - run.values[:, :1] == run.predicted).all()
    assert (run.values[:, -1] != run.values[:, 0]).all()
    planted = train(model, data, start=start, steps=3, optimizer=optimizer, weight_decay=decay, exact=True,
                    laws=f"{model.variables[0]}^2")  # fmt: skip
    assert planted.values[0, -1] - planted.values[0, 0] != planted.predicted[0, -1]


def test_one_step_in_rationals_by_hand():
    """w x on one sample: g = (w x - y) x."""
    run = train(SCALAR, ([2], [3]), start=[1], steps=1, optimizer=GD(Fraction(1, 5)), weight_decay=Fraction(1, 2),
                exact=True, laws=["w^2", "w", "w^3"])  # fmt: skip
    g = Fraction((2 - 3) * 2)
    w = (1 - Fraction(1, 10)) * 1 - g / 5
    assert run.states[:, 0].tolist() == [1, w]
    kept = Fraction(9, 10)
    assert run.predicted[:, 1].tolist() == [kept**2 + g**2 / 25 - 1, kept - 1, None]
    assert run.losses.tolist() == [Fraction(1, 2), (2 * w - 3) ** 2 / 2]


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0, 0.3])
@pytest.mark.parametrize("optimizer", [GD(0.05), SGD(0.05, 2, seed=1), GD(0.05, batch=3)])
@pytest.mark.parametrize("name", ["relu", "attention", "transformer", "conv1d", "swiglu"])
def test_gd_and_sgd_drift_as_predicted_to_rounding(name, optimizer, decay):
    model = family(name)
    data, start = drawn(model)
    run = train(model, data, start=start, steps=30, optimizer=optimizer, weight_decay=decay)
    assert run.unexplained().max() < 1e-13
    assert run.drift().max() > 1e-7


@pytest.mark.parametrize(
    "optimizer", [HeavyBallStep(0.05), NesterovStep(0.05), NesterovStep(0.05, momentum=0.5), Adam(0.05), AdamW(0.05)]
)
def test_other_optimizers_are_not_explained_by_gradient_steps(optimizer):
    model = family("relu")
    data, start = drawn(model)
    run = train(model, data, start=start, steps=30, optimizer=optimizer)
    assert run.unexplained().max(axis=1).min() > 1e-3
    assert run.losses[-1] < run.losses[0]


def test_optimizers_are_those_of_torch():
    torch = pytest.importorskip("torch")
    model = models.relu([2, 3, 2], bias=True)
    data, start = drawn(model)
    x, y = torch.tensor(data[0]["x"]), torch.tensor(data[1])
    cases = [
        (HeavyBallStep(0.05, momentum=0.8), lambda p: torch.optim.SGD(p, 0.05, momentum=0.8, weight_decay=0.1)),
        (GD(0.05), lambda p: torch.optim.SGD(p, 0.05, weight_decay=0.1)),
        (Adam(0.05), lambda p: torch.optim.Adam(p, 0.05, weight_decay=0.1)),
        (AdamW(0.05, beta1=0.7), lambda p: torch.optim.AdamW(p, 0.05, betas=(0.7, 0.999), weight_decay=0.1)),
    ]
    for ours, make in cases:
        run = train(model, data, start=start, steps=10, optimizer=ours, weight_decay=0.1)
        weights = {name: torch.tensor(array[0], requires_grad=True) for name, array in run.parameters.items()}
        theirs = make(list(weights.values()))
        for _ in range(10):
            theirs.zero_grad()
            hidden = torch.relu(x @ weights["U2"].T + weights["b2"])
            (((hidden @ weights["U1"].T - y) ** 2).sum() / 2 / len(x)).backward()
            theirs.step()
        for name, array in run.parameters.items():
            assert np.allclose(array[-1], weights[name].detach().numpy(), atol=1e-12)


def test_nesterov_steps_in_rationals():
    run = train(SCALAR, ([1], [0]), start=[1], steps=3, optimizer=NesterovStep(Fraction(1, 2)), exact=True, laws=[])
    w, before = [Fraction(1)], Fraction(1)
    for k in range(3):
        z = w[-1] + Fraction(k, k + 3) * (w[-1] - before)
        before = w[-1]
        w.append(z - z / 2)
    assert run.states[:, 0].tolist() == w
    steps = NesterovStep(Fraction(1, 2), momentum=1)
    constant = train(SCALAR, ([1], [0]), start=[1], steps=2, optimizer=steps, exact=True, laws=[])
    assert constant.states[:, 0].tolist() == [1, Fraction(1, 2), 0]


@pytest.mark.slow
def test_slopes():
    model = family("relu")
    data, start = drawn(model)
    rates = [1e-2, 3e-3, 1e-3, 3e-4]
    once = slope(model, data, start=start, rates=rates)
    assert once.value == pytest.approx(2, abs=1e-6)
    assert slope(model, data, start=start, rates=rates, time=0.3).value == pytest.approx(1, abs=0.05)
    momentum = slope(model, data, start=start, rates=rates, steps=2, optimizer=HeavyBallStep)
    assert momentum.value == pytest.approx(2, abs=0.1)
    assert slope(model, data, start=start, rates=rates, optimizer=Adam).value == pytest.approx(1, abs=0.1)
    planted = slope(model, data, start=start, rates=rates, laws=f"{model.variables[0]}^2")
    assert planted.value == pytest.approx(1, abs=0.1)
    assert once.drifts == pytest.approx(
        [train(model, data, start=start, steps=1, optimizer=GD(rate)).drift().max() for rate in rates]
    )


def test_a_seed_gives_the_same_batches_and_each_epoch_sees_all():
    first, again, other = (SGD(1, 2, seed=seed).batches(6) for seed in (4, 4, 5))
    taken = [next(first).tolist() for _ in range(6)]
    assert taken == [next(again).tolist() for _ in range(6)] != [next(other).tolist() for _ in range(6)]
    assert sorted(chain(*taken[:3])) == sorted(chain(*taken[3:])) == list(range(6))


# --- what a run shows ------------------------------------------------------------------------------------------------


def test_trajectory():
    model = family("relu")
    data, start = drawn(model)
    run = train(model, data, start=start, steps=10, optimizer=GD(0.1), every=4)
    assert run.times.tolist() == [0, 4, 8, 10]
    assert run.values.shape == run.predicted.shape == run.drift().shape == (3, 4)
    assert {name: array.shape for name, array in run.parameters.items()} == {
        name: (4, *shape) for name, shape in model.parameters.items()
    }
    assert run.velocities == {}
    assert (run.final == run.states[-1]).all()
    assert (run.drift() == np.abs(run.values - run.values[:, :1]) / (1 + np.abs(run.values[:, :1]))).all()
    frame = run.to_frame()
    assert list(frame.columns) == ["time", "loss", *run.laws]
    assert frame["loss"].tolist() == run.losses.tolist()
    text = run._repr_html_()
    assert text.count("<tr>") == 4
    assert "predicted" in text
    assert "10 steps of GD(eta = 0.1)" in repr(run)
    with pytest.raises(ValueError, match="a flow has no prediction"):
        simulate(model, data, start=start, time=0.1).unexplained()
    bare = train(model, data, start=start, steps=1, laws=[])
    assert "0 laws)" in repr(bare)
    assert bare._repr_html_()


ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_bench_on_digits():
    """Two of its tables: each flow keeps its own laws and breaks those of the other."""
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("bench_training", ROOT / "bench" / "training.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    _, mirror, gradient = bench.nmf()
    assert max(mirror[1], gradient[2]) < 1e-9 < 0.1 < min(mirror[2], gradient[1])
    _, first, *others = bench.momentum()
    assert first[1] == 10
    assert first[3] < 1e-9
    for row in others:
        assert row[1] == 6
        assert row[2] < 1e-9 < 0.1 < row[3]


@pytest.mark.slow
def test_scipy_is_imported_with_the_training_only():
    code = (
        "import sys, clexact; assert 'scipy' not in sys.modules; clexact.training.GD(1); assert 'scipy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys; sys.modules['scipy'] = None; import clexact; clexact.training"
    failed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert failed.stderr.splitlines()[-1] == (
        f"ImportError: clexact.training needs scipy: {extras.command('training')}."
    )


# --- balanced starts -------------------------------------------------------------------------------------------------


def values_at(model, laws, point):
    return np.array([float(law(*[Fraction(x) for x in point])) for law in laws])


def optimality(laws, start, found):
    """The part of start - found that is no combination of the gradients of the laws."""
    at = [Fraction(x) for x in found]
    slopes = np.array([[float(p(*at)) for p in law.gradient] for law in laws])
    weights = np.linalg.lstsq(slopes.T, start - found, rcond=None)[0]
    return np.linalg.norm(slopes.T @ weights - (start - found))


def test_projection_with_a_known_answer():
    """On u^2 - v^2 = c: the nearest point solves u(1 + w) = u_0, v(1 - w) = v_0."""
    model = models.linear([1, 1, 1])
    assert np.allclose(project(model, start=[2, 1]), [1.5, 1.5], atol=1e-12)
    assert np.allclose(project(model, start=[2, -1]), [1.5, -1.5], atol=1e-12)
    assert np.allclose(
        np.abs(project(model, start=[2, 0])), 1, atol=1e-12
    )  # Newton's first point is near the cone's tip
    u, v = project(model, values=-3, start=[2, 1])
    assert u**2 - v**2 == pytest.approx(-3, abs=1e-11)
    assert 2 / u - 1 == pytest.approx(1 - 1 / v, abs=1e-8)
    assert np.array_equal(project(model, values=3, start=[2, 1]), [2, 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "relu", "nmf", "conv1d", "attention", "residual", "recurrent", "neuron"])
def test_balanced_starts(name):
    model = family(name)
    laws = clexact.certify(clexact.gradient_flow(model)).laws.polynomials()
    data, start = drawn(model)
    found = project(model, laws, start=start)
    assert np.abs(values_at(model, laws, found)).max() < 1e-11
    assert optimality(laws, start, found) < 1e-8
    if name in ("linear", "relu", "conv1d"):
        rows = PolynomialMap.of(list(laws), model.dimension)
        other = minimize(
            lambda x: np.sum((x - start) ** 2), found + 0.01 * start, jac=lambda x: 2 * (x - start),
            constraints={"type": "eq", "fun": lambda x: rows(x[None])[0], "jac": rows.jacobian}, tol=1e-12,
        )  # fmt: skip
        assert np.linalg.norm(found - start) <= np.linalg.norm(other.x - start) + 1e-6
    kept = simulate(model, data, start=found, time=1, laws=laws)
    assert np.abs(kept.values).max() < 1e-9


def test_projection_on_values_of_each_law():
    model = models.relu([2, 3, 2])
    _, start = drawn(model)
    laws = clexact.certify(clexact.gradient_flow(model)).laws.polynomials()
    found = project(model, laws, [1, 0, -2], start=start)
    assert np.allclose(values_at(model, laws, found), [1, 0, -2], atol=1e-11)
    repeated = project(model, [*laws, laws[0] * 2, laws[1] - laws[2]], [1, 0, -2, 2, 2], start=start)
    assert np.allclose(repeated, found, atol=1e-8)


def test_projection_that_fails_says_so():
    model = models.linear([1, 1, 1])
    with pytest.raises(ProjectionError, match="no point with these values was found"):
        project(model, ["U1[0,0]^2 + U2[0,0]^2"], -1, start=[2, 1])
    with pytest.raises(ProjectionError, match="the start is not generic"):
        project(model, values=1, start=[0, 0])
    with pytest.raises(ProjectionError, match="become dependent on the way"):
        project(model, ["U1[0,0]^2", "U2[0,0]"], start=[2, 1], tolerance=3e-19)  # at x = 2^-31
    with pytest.raises(ValueError, match="there is no law"):
        project(models.tanh(2, 2, 2), start=np.ones(8))
    with pytest.raises(ValueError, match="one for each of the 1 laws"):
        project(model, values=[1, 2], start=[2, 1])
    with pytest.raises(ValueError, match="tolerance must be positive"):
        project(model, start=[2, 1], tolerance=0)
    with pytest.raises(TypeError, match=r"takes a clexact\.Model"):
        project(clexact.gradient_flow(model), start=[2, 1])


# --- wrong input -----------------------------------------------------------------------------------------------------

PAIR = ([[1.0, 0], [0, 1]], [[1.0, 0], [0, 2]])
NET = models.linear([2, 1, 2])
UNIT = np.ones(4)

WRONG_DATA = {
    "a pair": (PAIR[0] * 2, "must be a pair"),
    "shape": (([[1.0], [2]], PAIR[1]), r"input 'x' must have shape \(N, 2\), not \(2, 1\)"),
    "name": (({"z": PAIR[0]}, PAIR[1]), r"must give the probes \['x'\], not \['z'\]"),
    "count": ((PAIR[0], PAIR[1][:1]), r"equally many, at least one, not \[1, 2\]"),
    "none": ((np.zeros((0, 2)), np.zeros((0, 2))), "at least one"),
    "text": (("abc", PAIR[1]), "array of numbers"),
    "nan": (([[np.nan, 0], [0, 1]], PAIR[1]), "must be finite"),
    "target": ((PAIR[0], [1, 2]), r"targets must have shape \(N, 2\)"),
    "ragged": (([[1, 2], [3]], PAIR[1]), "rows of equal length"),
}


@pytest.mark.parametrize("what", WRONG_DATA)
def test_wrong_data(what):
    given, said = WRONG_DATA[what]
    with pytest.raises((TypeError, ValueError), match=said):
        simulate(NET, given, start=UNIT, time=1)
    with pytest.raises((TypeError, ValueError), match=said):
        train(NET, given, start=UNIT)


WRONG_FLOWS = {
    "start": ({"start": [1, 2]}, r"the start must have shape \(4,\)"),
    "no start": ({"start": None}, "the start must be a vector of 4 numbers"),
    "rtol": ({"rtol": 1e-15}, "rtol must be at least 1e-13"),
    "limit": ({"max_evaluations": 0}, "max_evaluations must be at least 1"),
    "parameter": ({"start": {"U1": [[1], [1]]}}, "must give the parameters"),
    "time": ({"time": -1}, "time must be an end after the start at 0"),
    "times": ({"time": [0, 2, 1]}, "increasing times"),
    "method": ({"method": "Euler"}, "method must be one of RK23"),
    "loss": ({"loss": "hinge"}, "loss must be one of 'squared', 'cross_entropy'"),
    "velocity": ({"velocity": UNIT}, "velocity belongs to momentum flows"),
    "law": ({"laws": "U3[0,0]"}, "U3"),
    "laws": ({"laws": 3}, "laws must be polynomials, texts or laws"),
    "one law": ({"laws": [3]}, "a law must be a Polynomial"),
    "ring": ({"laws": Polynomial.from_string("x", ["x"])}, "is in 1 variables"),
}


@pytest.mark.parametrize("what", WRONG_FLOWS)
def test_wrong_flows(what):
    changed, said = WRONG_FLOWS[what]
    with pytest.raises((TypeError, ValueError), match=said):
        simulate(NET, PAIR, **({"start": UNIT, "time": 1} | changed))


def test_other_wrong_flows():
    with pytest.raises(TypeError, match="explicit fields have no loss"):
        simulate(clexact.momentum_flow(clexact.gradient_flow(NET).fields), PAIR, start=UNIT, time=1)
    with pytest.raises(TypeError, match="takes a model, or a flow of one"):
        simulate(clexact.gradient_flow(NET).fields, PAIR, start=UNIT, time=1)
    with pytest.raises(ValueError, match="gradients outside the covectors of the gradient flow of linear"):
        simulate(clexact.gradient_flow(NET, "cross_entropy"), PAIR, start=UNIT, time=1)
    with pytest.raises(ValueError, match="needs times above 0"):
        simulate(clexact.momentum_flow(NET, clexact.Nesterov()), PAIR, start=UNIT, time=[0, 1])


WRONG_STEPS = {
    "steps": ({"steps": 0}, "steps must be at least 1"),
    "every": ({"every": 0}, "every must be at least 1"),
    "optimizer": ({"optimizer": 0.1}, "optimizer must be one of clexact.training"),
    "batch": ({"optimizer": SGD(0.1, 9)}, "batch must be at most the 2 samples given, not 9"),
    "float": ({"exact": True, "start": [1, 1, 1, 1], "optimizer": GD(0.1)}, "integer or a rational"),
    "adam": ({"exact": True, "start": [1, 1, 1, 1], "optimizer": Adam(1)}, "Adam takes square roots"),
    "entropy": ({"exact": True, "start": [1, 1, 1, 1], "loss": "cross_entropy"}, "is not rational"),
}


@pytest.mark.parametrize("what", WRONG_STEPS)
def test_wrong_steps(what):
    changed, said = WRONG_STEPS[what]
    data = ([[1, 0], [0, 1]], [[1, 0], [0, 2]])
    with pytest.raises((TypeError, ValueError), match=said):
        train(NET, data, **({"start": UNIT} | changed))


def test_other_wrong_steps():
    with pytest.raises(ValueError, match="seed must be at least 0"):
        SGD(0.1, 2, seed=-1)
    for wrong in (0, -1, "0.1", None):
        with pytest.raises(ValueError, match="eta must be a positive number"):
            GD(wrong)
    with pytest.raises(ValueError, match="batch must be at least 1"):
        SGD(0.1, 0)
    with pytest.raises(TypeError, match=r"train takes a clexact\.Model"):
        train(clexact.gradient_flow(NET), PAIR, start=UNIT)
    with pytest.raises(ValueError, match="applies tanh: not in exact numbers"):
        train(models.tanh(1, 1, 1), ([[1]], [[1]]), start=[1, 1], exact=True)
    with pytest.raises(ArithmeticError, match="the steps diverge: at step"):
        train(NET, PAIR, start=UNIT, steps=50, optimizer=GD(1e5))
    with pytest.raises(ValueError, match="either steps or time"):
        slope(NET, PAIR, start=UNIT, steps=1, time=1)
    with pytest.raises(ValueError, match="two or more different positive step sizes"):
        slope(NET, PAIR, start=UNIT, rates=[0.1, 0.1])
    with pytest.raises(ValueError, match="no law drifts"):
        slope(NET, PAIR, start=UNIT, laws=[])


def test_losses_are_validated():
    wrong = Loss("wrong", lambda z, y: (z - y).sum(axis=1) ** 2, lambda z, y: z - y)
    with pytest.raises(ValueError, match="gradient of loss 'wrong' gives a slope of"):
        train(NET, PAIR, wrong, 2 * UNIT)
    for value, gradient, said in [
        (lambda z, y: z.sum(), lambda z, y: z, "one value a sample"),
        (lambda z, y: z[:, 0], lambda z, y: z[:, 0], "must have shape"),
        (lambda z, y: np.full(len(z), np.inf), lambda z, y: z, "is not finite"),
    ]:
        with pytest.raises(ValueError, match=said):
            simulate(NET, PAIR, Loss("bad", value, gradient), UNIT, time=1)
    with pytest.raises(ValueError, match="but its sum is not zero"):
        simulate(
            NET, PAIR, Loss("sum", lambda z, y: (z**2).sum(axis=1) / 2, lambda z, y: z, "cross_entropy"), UNIT, time=1
        )
    with pytest.raises(ValueError, match="span of a loss"):
        Loss("bad", np.sum, np.sum, "half")
    with pytest.raises(TypeError, match="two functions"):
        Loss("bad", np.sum, None)
    for targets, said in [([0, 2], "integers from 0 to 1"), ([0.5, 0], "integers"), ([[1, 1], [0, 1]], "of sum 1"),
                          ([[0], [1]], "labels of shape")]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            train(NET, (PAIR[0], targets), CROSS_ENTROPY, UNIT)
    with pytest.raises(ValueError, match="last axis of classes"):
        train(SCALAR, ONE, "cross_entropy", [1])


def test_own_loss():
    """The pseudo-Huber loss: the same laws as the squared one."""
    loss = Loss(
        "pseudo-Huber",
        lambda z, y: (np.sqrt(1 + (z - y) ** 2) - 1).sum(axis=1),
        lambda z, y: (z - y) / np.sqrt(1 + (z - y) ** 2),
    )
    model = family("linear")
    data, start = drawn(model)
    run = simulate(model, data, loss, start, time=1)
    assert len(run.laws) == 3
    assert run.drift().max() < 1e-10


def test_families_are_watched_as_the_polynomials_that_they_are():
    """Under the names of the polynomials, or under a name of their own with a number behind it."""
    model = clexact.models.linear([1, 2, 1])
    law = clexact.certify(clexact.gradient_flow(model)).laws[0]
    data = np.array([[1.0], [2.0]]), np.array([[1.0], [0.5]])
    run = lambda laws: clexact.training.simulate(model, data, start=[0.3, 0.2, 0.1, 0.4], time=0.1, laws=laws)  # noqa: E731
    names = tuple(map(str, law.polynomials()))
    assert run([*law.polynomials()]).laws == names
    named = run({"gram": law, "one": "U1[0,0]"})
    assert named.laws == ("gram [0]", "gram [1]", "gram [2]", "one")
    assert np.array_equal(named.values[:3], run([*law.polynomials()]).values)
    assert np.allclose(named.values[:3, 0], [0.08, 0.02, -0.12])
