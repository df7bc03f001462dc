"""Mirror and momentum flows, damping, weight decay, covectors and orbits against fields written by hand with SymPy."""

import math
import pickle
import random
from fractions import Fraction
from functools import partial

import numpy as np
import oracles
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_element, names_of, rank_mod, ring_of, same_field_span, value_mod

import clexact
from clexact import HeavyBall, Model, Nesterov, functions, gradient_flow, mirror_flow, models, momentum_flow
from clexact.counting.orbit import orbit_dimension
from clexact.laws.polynomial_laws import proposed_laws
from clexact.lie.closure import values_at

HALF, PRIME = Fraction(1, 2), 2**61 - 1
FEW = settings(max_examples=25, deadline=None, derandomize=True)
DAMPINGS = [None, HeavyBall(1), HeavyBall(Fraction(2, 3)), Nesterov()]
ONE, INNER, SQUARE = models.linear([1, 1, 1]), models.linear([1, 2, 1]), models.linear([2, 2, 2])
NMF, ICNN = models.nmf(2, 1, 1), models.icnn(1, 1, 2)


def factors(model):
    """U and V^T as matrices of symbols: those of a linear or ReLU net, or of U, V."""
    x, shapes = map(sympy.Symbol, model.variables), model.parameters.values()
    U, V = (sympy.Matrix(*shape, [next(x) for _ in range(math.prod(shape))]) for shape in shapes)
    return (U, V.T) if "V" in model.parameters else (U, V)


def summed(model):
    """phi = U V^T."""
    U, V = factors(model)
    return list(U * V)


def gated(model):
    """u_ik v_kj, each alone."""
    U, V = factors(model)
    return [U[i, k] * V[k, j] for k in range(U.cols) for i in range(U.rows) for j in range(V.cols)]


def positions(model):
    """Its entries as symbols, and their velocities."""
    primed = names_of({f"{name}'": shape for name, shape in model.parameters.items()})
    return [sympy.Symbol(v) for v in model.variables], [sympy.Symbol(v) for v in primed]


def in_ring(names, fields):
    """SymPy expressions as fields of the oracle."""
    ring = ring_of(list(names))
    return [[ring.from_expr(sympy.expand(c)) for c in X] for X in fields]


def first_order(model, phi, diagonal=lambda x: 1, decay=0):
    """theta' = -M(grad + decay theta), on (e^(decay t), theta) with decay."""
    x, _ = positions(model)
    fields = [[diagonal(v) * sympy.diff(p, v) for v in x] for p in phi]
    if not decay:
        return in_ring(model.variables, fields)
    s = sympy.Symbol("s")
    drift = [decay * s, *(-decay * diagonal(v) * v for v in x)]
    return in_ring(["s", *model.variables], [drift, *([0, *X] for X in fields)])


def second_order(model, phi, damping=None, positive=(), decay=0):
    """theta'' = -tau theta' - decay theta - grad, on (clock, theta, theta'); the clock is e^(tau t) or t."""
    (x, v), exponential = positions(model), isinstance(damping, HeavyBall)
    clock, clearing = sympy.Symbol("s" if exponential else "t"), 1
    tau = sympy.Rational(str(damping.tau)) if exponential else 0
    if isinstance(damping, Nesterov):
        tau, clearing = 3 / clock, clock
    fields = [[tau * clock if exponential else 1, *v, *(-tau * b - decay * a for a, b in zip(x, v, strict=True))]]
    for p in phi:
        metric = [tau * a + b if str(a)[0] in positive else 1 for a, b in zip(x, v, strict=True)]
        fields.append([0] * (1 + len(x)) + [m * sympy.diff(p, a) for m, a in zip(metric, x, strict=True)])
    cleared = [[c * clearing for c in X] if n == 0 or positive else X for n, X in enumerate(fields)]
    return in_ring(map(str, [clock, *x, *v]), cleared)


def elements(flow, ring):
    """The exact fields of a flow in the ring."""
    return [[as_element(c, ring) for c in X.components(0)] for X in flow.fields]


def same(flow, fields):
    """The exact fields span those by hand, exactly; so do values of members mod p at a random point."""
    ring, D, rng = fields[0][0].ring, flow.dimension, random.Random(3)
    assert [str(x) for x in ring.symbols] == list(flow.variables)
    words = [[rng.randrange(PRIME) for _ in range(size)] for size in [D] + [flow.seed_size] * (D + 2)]
    members = values_at(flow, np.array([words[1:]], dtype=np.uint64), np.array(words[0], dtype=np.uint64), PRIME)
    values = [value_mod(X, words[0], PRIME) for X in fields]
    modular = rank_mod(members, PRIME) == rank_mod(values, PRIME) == rank_mod([*members, *values], PRIME)
    return modular and same_field_span(elements(flow, ring), fields)


def check(flow, fields, number=None):
    """Same fields, the oracle's count, and laws that are laws of the fields by hand."""
    assert same(flow, fields)
    exact, count = flow.dimension - oracles.generic_rank(fields, flow.dimension), clexact.certify(flow)
    assert count.lower == count.upper == exact and number in (None, exact)
    assert all(oracles.is_law(as_element(h, fields[0][0].ring), fields) for h in count.laws.polynomials())


# --- fields by hand --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("damping", DAMPINGS, ids=str)
@pytest.mark.parametrize("decay", [0, HALF], ids=str)
@pytest.mark.parametrize(("model", "phi", "positive", "number"), [
    (ONE, summed, (), 0), (INNER, summed, (), None), (SQUARE, summed, (), 1), (models.linear([2, 2, 1]), summed, (), 1),
    (models.relu([1, 2, 1]), gated, (), 0), (NMF, summed, ("U", "V"), 0), (ICNN, gated, ("U",), 0),
], ids=["u v", "inner product", "square", "2 2 1", "relu", "nmf", "icnn"])  # fmt: skip
def test_momentum_by_hand(model, phi, positive, number, damping, decay):
    """Every damping, with weight decay or not, mirror momentum too."""
    flow = momentum_flow(model, damping, positive=positive, weight_decay=decay)
    check(flow, second_order(model, phi(model), damping, positive, decay), number if not decay else None)


@pytest.mark.parametrize("decay", [0, Fraction(2, 3)], ids=str)
def test_mirror_and_decay_by_hand(decay):
    """Positive parameters, a polynomial metric, and the plain flow."""
    half, kept = (lambda v: v if str(v)[0] == "U" else 1), {"weight_decay": decay}
    check(mirror_flow(NMF, ["U", "V"], **kept), first_order(NMF, summed(NMF), lambda v: v, decay), None if decay else 1)
    check(mirror_flow(ICNN, ["U"], **kept), first_order(ICNN, gated(ICNN), half, decay), None if decay else 1)
    check(gradient_flow(SQUARE, **kept), first_order(SQUARE, summed(SQUARE), decay=decay), 3)


@FEW
@given(st.integers(0, 10**6), st.sampled_from([ONE, NMF, INNER]), st.sampled_from([0, 1, Fraction(-3, 2)]))
def test_random_metrics(seed, model, decay):
    """Diagonals a + b theta + c theta^2 with random rational entries, zeros among them."""
    rng = random.Random(seed)
    rows = {v: [rng.choice([0, 1, -2, Fraction(1, 3)]) for _ in range(3)] for v in model.variables}

    def metric(**arrays):
        entry = {name: names_of({name: x.shape}) for name, x in arrays.items()}
        part = lambda name, x, k: x**k * oracles.filled([rows[v][k] for v in entry[name]], x.shape)  # noqa: E731
        return {name: part(name, x, 0) + part(name, x, 1) + part(name, x, 2) for name, x in arrays.items()}

    flow = mirror_flow(model, metric=metric, weight_decay=decay)
    by_hand = lambda v: sympy.sympify(sum(c * v**k for k, c in enumerate(rows[str(v)])))  # noqa: E731
    assert same(flow, first_order(model, summed(model), by_hand, decay))


@FEW
@given(st.fractions(0, 5, max_denominator=9), st.fractions(0, 3, max_denominator=4), st.integers(0, 10**6))
def test_members_of_random_dampings(tau, decay, seed):
    """c times the drift plus a kick, each up to one common factor: same seeds, same numbers."""
    rng, p = random.Random(seed), PRIME
    model, phi = models.product(2), [sympy.Symbol("x[0]") * sympy.Symbol("x[1]")]
    positive = rng.choice([[], ["x"]])
    flow = momentum_flow(model, HeavyBall(tau), positive=positive, weight_decay=decay)
    fields = second_order(model, phi, HeavyBall(tau) if tau else None, positive, sympy.Rational(str(decay)))
    point, (c, k) = [rng.randrange(p) for _ in range(5)], (rng.randrange(1, p) for _ in range(2))
    found = values_at(flow, np.array([[[c, k]]], dtype=np.uint64), np.array(point, dtype=np.uint64), p)[0].tolist()
    drift, kick = (value_mod(X, point, p) for X in fields)
    scales = [math.lcm(tau.denominator, decay.denominator), tau.denominator if positive else 1]
    assert found == [(c * scales[0] * a + k * scales[1] * b) % p for a, b in zip(drift, kick, strict=True)]


# --- laws ------------------------------------------------------------------------------------------------------------

BIASED, HEAD, LOGITS = models.relu([1, 2, 2], bias=True), models.attention(2, 2), models.linear([3, 2])
FLOWS = (
    [momentum_flow(model, damping, weight_decay=decay) for model in (SQUARE, models.shared(2, 3), HEAD, BIASED)
     for damping in DAMPINGS for decay in (0, HALF)]
    + [momentum_flow(LOGITS, damping, "cross_entropy", weight_decay=w) for damping in DAMPINGS for w in (0, 1)]
    + [momentum_flow(model, damping, positive=["U"]) for model in (NMF, ICNN) for damping in DAMPINGS]
    + [mirror_flow(models.nmf(2, 2, 2), names, weight_decay=w) for names in ("U", "V", ["U", "V"]) for w in (0, 1)]
    + [mirror_flow(models.icnn(2, 2, 1, bias=True), [name]) for name in "UVb"]
    + [mirror_flow(LOGITS, names, loss="cross_entropy") for names in ([], ["U1"])]
    + [gradient_flow(model, "cross_entropy", weight_decay=HALF) for model in (LOGITS, BIASED)]
    + [gradient_flow(model, weight_decay=Fraction(3, 2)) for model in (SQUARE, HEAD, models.product(3))]
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.description)
def test_proposed_laws_are_laws(flow):
    """Annihilated exactly by every field; and most flows have some."""
    laws = proposed_laws(flow, 5)
    assert len(laws) or any(word in flow.description for word in ("positive", "relu", "decay 1"))
    for h in laws:
        assert not any(clexact.lie_derivative(h, flow.fields))


def within(flow, laws, degree, total):
    """Dimension of the laws of these whose monomials have at most this degree and total degree."""
    ring = ring_of(flow.variables)
    elements = [as_element(h, ring) for h in laws]
    clock = flow.variables.index(flow.clocks[0])
    over = lambda m: sum(m) > total or sum(m) - m[clock] > degree  # noqa: E731
    beyond = [ring.from_dict({m: c for m, c in h.terms() if over(m)}) for h in elements]
    return len(elements) - oracles.rank(oracles.coefficient_rows(beyond))


STILL, STILL2 = (Model({"x": (n,)}, {}, lambda x: x * 0) for n in (1, 2))
PULLED = Model({"x": (2,)}, {}, lambda x: x[0] - x[1])


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0, 2], ids=["", "decay"])
@pytest.mark.parametrize("damping", [*DAMPINGS, HeavyBall(3)], ids=str)
@pytest.mark.parametrize(("model", "degree", "total"), [
    (STILL, 3, 12), (STILL2, 2, 8), (PULLED, 2, 6), (models.shared(1, 2), 2, 5), (models.shared(1, 3), 2, 5),
    (ONE, 2, 5),
], ids=["one still", "two still", "pulled", "turned", "turned in space", "u v"])  # fmt: skip
def test_no_power_of_the_clock_is_missed(model, degree, total, damping, decay):
    """As many laws as a search over all monomials of the explicit fields up to a total degree finds."""
    flow = momentum_flow(model, damping, weight_decay=decay)
    found = clexact.polynomial_laws(flow, degree)
    everything = clexact.polynomial_laws(flow.fields, total)
    assert found.complete or (decay and isinstance(damping, Nesterov))
    assert within(flow, found, degree, total) == within(flow, everything, degree, total)
    if model in (STILL, PULLED) and not decay:
        assert len(found) > 2


@pytest.mark.parametrize("flow", [
    gradient_flow(INNER, weight_decay=2), gradient_flow(LOGITS, "cross_entropy", weight_decay=1),
    mirror_flow(NMF, ["U"], weight_decay=HALF), mirror_flow(STILL, ["x"], weight_decay=1),
    mirror_flow(ONE, metric=lambda U1, U2: {"U1": U1**2, "U2": U2**2}, weight_decay=1),
], ids=lambda flow: flow.description)  # fmt: skip
def test_no_power_is_missed_under_decay(flow):
    """The same for first-order flows."""
    found, everything = clexact.polynomial_laws(flow, 2), clexact.polynomial_laws(flow.fields, 6)
    assert within(flow, found, 2, 6) == within(flow, everything, 2, 6)


GROWING = momentum_flow(STILL, HeavyBall(1), weight_decay=-2)
FASTER = mirror_flow(ONE, metric=lambda U1, U2: {"U1": 3, "U2": 3}, weight_decay=1)


@pytest.mark.parametrize("flow", [GROWING, FASTER], ids=["growing", "metric"])
def test_no_power_is_missed_where_decay_is_negative_or_the_metric_large(flow):
    """The power of the clock can exceed the degree."""
    found, everything = clexact.polynomial_laws(flow, 2), clexact.polynomial_laws(flow.fields, 8)
    assert not found.complete or within(flow, found, 2, 8) == within(flow, everything, 2, 8)


# --- numbers ---------------------------------------------------------------------------------------------------------


def number(flow):
    """The number of laws, all shown."""
    count = clexact.certify(flow)
    assert count.exact and count.error == 0 and count.exhibited == count.lower, str(count)
    return count.lower


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "r"), [(2, 1, 1), (2, 1, 2), (1, 2, 3), (2, 2, 3), (3, 2, 4), (2, 1, 8)])
def test_momentum_of_linear_networks(n, m, r):
    """r(r - 1)/2 - max(0, s)(s - 1)/2, s = r - 2(n + m), at any damping."""
    s = r - 2 * (n + m)
    for damping in DAMPINGS[:2] if r > 4 else DAMPINGS:
        assert number(momentum_flow(models.linear([n, r, m]), damping)) == math.comb(r, 2) - max(0, s) * (s - 1) // 2


@pytest.mark.slow
@pytest.mark.parametrize("damping", DAMPINGS, ids=str)
@pytest.mark.parametrize("r", [1, 2, 3, 4, 5, 6])
def test_momentum_of_an_inner_product(r, damping):
    """n = m = 1: u . v = |u + v|^2/4 - |u - v|^2/4, so the formula of U V^T counts each of two rotations, s = r - 2."""
    s = r - 2
    assert number(momentum_flow(models.linear([1, r, 1]), damping)) == 2 * (math.comb(r, 2) - max(0, s) * (s - 1) // 2)


def test_flows_say_what_they_are_made_of():
    """Gradients as they stand, or lifted; fields given, or made; and a copy of plain gradients is plain again."""
    fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]])
    plain, explicit = gradient_flow(SQUARE), clexact.momentum_flow(fields).base
    copy = pickle.loads(pickle.dumps(plain))
    assert plain.plain_gradients is plain.gradients is plain and copy.plain_gradients is copy
    assert (plain.given_fields, plain.lifted) == (None, False)
    assert (explicit.gradients, explicit.plain_gradients, explicit.lifted) == (None, None, False)
    assert explicit.given_fields is explicit.fields is fields
    made = [
        gradient_flow(SQUARE, weight_decay=1),
        mirror_flow(NMF, ["U", "V"]),
        *map(partial(momentum_flow, ONE), DAMPINGS),
    ]
    for flow in (*made, momentum_flow(fields), momentum_flow(plain)):
        assert flow.gradients is flow.base.gradients and flow.lifted
        assert (flow.plain_gradients, flow.given_fields) == (None, None)
    assert momentum_flow(plain).gradients is plain and momentum_flow(fields).gradients is None


def test_no_damping_is_a_heavy_ball_of_zero():
    """Same fields, names and text."""
    a, b = momentum_flow(SQUARE, HeavyBall(0)), momentum_flow(SQUARE)
    assert (a.variables, a.fields, a.description, a.recipe) == (b.variables, b.fields, b.description, b.recipe)


@pytest.mark.slow
@pytest.mark.parametrize("damping", DAMPINGS, ids=str)
def test_momentum_of_gated_and_positive_networks(damping):
    """None: ReLU with biases or not, NMF, ICNN."""
    for bias in (False, True):
        for dims in ([1, 1, 1], [2, 2, 1], [1, 2, 1, 1]):
            assert number(momentum_flow(models.relu(dims, bias=bias), damping)) == 0
        for n, r, m in ((1, 1, 1), (2, 1, 1), (2, 2, 1)):
            assert number(momentum_flow(models.icnn(n, r, m, bias), damping, positive=["U"])) == 0
            assert number(momentum_flow(models.nmf(n, r, m), damping, positive=["U", "V"])) == 0


@pytest.mark.parametrize(("n", "r", "m"), [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 3, 2), (1, 4, 2)])
def test_mirror_flows(n, r, m):
    """NMF and ICNN: r laws, linear in what is positive."""
    nmf, icnn = mirror_flow(models.nmf(n, r, m), ["U", "V"]), mirror_flow(models.icnn(n, r, m), ["U"])
    assert number(nmf) == number(icnn) == number(mirror_flow(models.icnn(n, r, m, True), ["U"])) == r
    U, V = (sum(sympy.Symbol(f"U[{i},0]") for i in range(n)), [sympy.Symbol(f"V[{j},0]") for j in range(m)])
    assert any(h in (U - sum(V), sum(V) - U) for h in clexact.certify(nmf).laws.polynomials().to_sympy())
    h = 2 * U - sum(v**2 for v in V)
    assert any(g in (h, -h) for g in clexact.certify(icnn).laws.polynomials().to_sympy())


def test_text_of_laws_with_time():
    """e^(2 lambda t) h under weight decay, e^(tau t) and t^3 under damping; a parameter may be called s."""
    plain = clexact.certify(gradient_flow(SQUARE)).laws.polynomials()
    decayed = clexact.certify(gradient_flow(SQUARE, weight_decay=Fraction(1, 3))).laws.polynomials().written()
    assert [h.replace("e^(2/3*t)*", "") for h in decayed] == list(map(str, plain)) and decayed[0].count("e^") == 4
    law = "F*U1[0,0]*U1'[0,1] - F*U1[0,1]*U1'[0,0] + F*U2[0,0]*U2'[1,0] - F*U2[1,0]*U2'[0,0]"
    for damping, factor in ((HeavyBall(HALF), "e^(1/2*t)"), (Nesterov(), "t^3")):
        assert law.replace("F", factor) in clexact.certify(momentum_flow(INNER, damping)).laws.polynomials().written()
    named = momentum_flow(Model({"s": ()}, {}, lambda s: s * 0), HeavyBall(HALF))
    assert "e^{1/2 t} s'" in clexact.polynomial_laws(named, 1).to_latex()
    assert named.variables == ("s0", "s", "s'") and "e^(1/2*t)*s'" in clexact.polynomial_laws(named, 1).written()


# --- losses, certificates, errors, orbits ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    gradient_flow, lambda m, loss: gradient_flow(m, loss, weight_decay=2), lambda m, loss: momentum_flow(m, None, loss),
    lambda m, loss: mirror_flow(m, ["U1"], loss=loss),
], ids=["gradient", "decay", "momentum", "mirror"])  # fmt: skip
def test_losses_by_covectors(make):
    """The identity is the full loss, differences are cross-entropy: same fields, counts and laws of the shape."""
    model = models.linear([3, 2])
    for rows, name in (([[1, 2, 0], [0, HALF, 0], [0, 0, 1]], "full"), ([[1, 0, -1], [1, -2, 1]], "cross_entropy")):
        given_rows, named = make(model, rows), make(model, name)
        a, b = (elements(flow, ring_of(named.variables)) for flow in (given_rows, named))
        assert same_field_span(a, b) and proposed_laws(given_rows, 3) == proposed_laws(named, 3)
        assert clexact.certify(given_rows).lower == clexact.certify(named).lower


CERTIFIED = {
    "gradient": gradient_flow(SQUARE), "covectors": gradient_flow(SQUARE, [[1, HALF]]),
    "heavy ball": momentum_flow(INNER, HeavyBall(HALF), weight_decay=HALF), "time": momentum_flow(INNER, Nesterov()),
    "mirror momentum": momentum_flow(NMF, Nesterov(), positive=["U", "V"]),
    "decay": gradient_flow(SQUARE, "cross_entropy", weight_decay=HALF), "mirror": mirror_flow(NMF, ["U", "V"]),
    "mirror decay": mirror_flow(ICNN, ["U"], weight_decay=3),
    "metric": mirror_flow(ONE, metric=lambda U1, U2: {"U1": U1 * U1}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CERTIFIED)
def test_certificates_of_every_flow(name, tmp_path):
    """Saved, verified, and rebuilt from their description; a metric given has none."""
    clexact.certify(CERTIFIED[name]).certificate.save(tmp_path / "c.json")
    assert clexact.verify(tmp_path / "c.json") and clexact.verify(tmp_path / "c.json", fast=True)
    assert bool(clexact.verify(tmp_path / "c.json", rebuild=True)) == (name != "metric")


@pytest.mark.parametrize("name", CERTIFIED)
def test_results_can_be_pickled(name):
    """As those of gradient flows can."""
    count = clexact.certify(CERTIFIED[name])
    again = pickle.loads(pickle.dumps(count))
    assert str(again) == str(count) and again.laws == count.laws and again.flow.fields == count.flow.fields


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: HeavyBall(-1), ValueError, "tau must be at least 0, not -1"),
    (lambda: HeavyBall(0.1), TypeError, r"tau must be exact, .* write Fraction\(1, 10\) or '0.1'"),
    (lambda: momentum_flow(ONE, "heavy"), TypeError, r"damping must be None, HeavyBall\(tau\) or Nesterov\(\)"),
    (lambda: momentum_flow(ONE, positive=["W"]), ValueError, "positive names 'W', which is none of the parameters"),
    (lambda: momentum_flow(gradient_flow(ONE), loss="cross_entropy"), ValueError, "loss belongs to a model"),
    (lambda: momentum_flow(ONE, positive=3), TypeError, "positive must be a list of names of parameters, not 3"),
    (lambda: momentum_flow(momentum_flow(ONE)), ValueError, "takes a model or a gradient flow"),
    (lambda: momentum_flow(gradient_flow(ONE).fields, positive=["U1"]), ValueError, "explicit fields have none"),
    (lambda: mirror_flow(ONE), ValueError, "takes either positive, names of parameters, or metric"),
    (lambda: mirror_flow(ONE, metric=lambda U1, U2: {"U1": U1[0]}), ValueError, "metric of 'U1' has shape"),
    (lambda: mirror_flow(ONE, metric=lambda U1, U2: {"W": U1}), ValueError, "metric names 'W', which is no parameter"),
    (lambda: mirror_flow(ONE, metric=lambda U1, U2: U1), TypeError, "metric must return a mapping of names to arrays"),
    (lambda: mirror_flow(ONE, metric=lambda U1, U2: {"U1": functions.exp(U1)}), ValueError, "must be polynomial"),
    (lambda: gradient_flow(ONE, weight_decay=0.1), TypeError, "weight_decay must be exact, which the float 0.1 is not"),
])  # fmt: skip
def test_wrong_arguments(make, error, message):
    """One sentence, of the exact kind of error."""
    with pytest.raises(error, match=message) as caught:
        make()
    assert caught.type is error


@pytest.mark.parametrize("dims", [[2, 2, 1], [2, 2, 2], [2, 3, 2], [1, 3, 2], [3, 2, 2]], ids=str)
def test_orbits_with_a_dead_unit(dims):
    """That of the net without the unit; at zero nothing moves."""
    flow, smaller = (gradient_flow(models.linear([dims[0], r, dims[2]])) for r in (dims[1], dims[1] - 1))
    dead, zero = orbit_dimension(flow, "dead-unit"), orbit_dimension(flow, "zero")
    assert dead.closed and dead.orbit_dimension == smaller.dimension - number(smaller)
    assert zero.closed and zero.orbit_dimension == 0


@pytest.mark.parametrize("dims", [[1, 1, 1], [2, 2, 1], [1, 3, 1]], ids=str)
def test_orbits_by_all_brackets(dims):
    """The algebra of a two-layer linear net is finite: its exact values at special points."""
    model = models.linear(dims)
    flow, fields = gradient_flow(model), first_order(model, summed(model))
    for seed in range(6):
        point = [random.Random((seed, j).__repr__()).choice([0, 1, 1, 2]) for j in range(model.dimension)]
        exact, closed = oracles.lie_dims(fields, point, 6)
        orbit = orbit_dimension(flow, point)
        assert closed and orbit.closed and orbit.orbit_dimension == exact[-1]


def test_velocities_of_variables_with_primes_have_names_of_their_own():
    """No name stands twice."""
    flow = momentum_flow(clexact.VectorFields.from_strings(["x", "x'"], [["1", "x"]]))
    assert flow.variables == ("t", "x", "x'", "x''", "x'''") and len(set(flow.variables)) == flow.dimension


@pytest.mark.parametrize(("text", "value"), [("1/100", Fraction(1, 100)), ("1e-2", Fraction(1, 100)), ("3", 3)])
def test_numbers_may_be_text(text, value):
    """Wherever an exact number is an option."""
    assert gradient_flow(ONE, weight_decay=text).digest == gradient_flow(ONE, weight_decay=value).digest
    assert HeavyBall(text) == HeavyBall(value) and HeavyBall(text).rate == value
    assert models.relu(1, 2, 1, slope=text).program.digest == models.relu(1, 2, 1, slope=value).program.digest


@pytest.mark.parametrize("text", ["", "x", "1/0", "1e9999", "nan", "1/2/3", "٣", "0x10", "1" * 5000])
def test_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"weight_decay must be a rational such as 3, 1/2 or 0.5, not"):
        gradient_flow(ONE, weight_decay=text)
