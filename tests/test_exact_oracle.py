"""The oracle modulo other primes: it is a homomorphism, has the ranks known by hand, and agrees with counts."""

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from exact_oracle import Applied, ExactModel, Jets, Residues, Rows, exact_rank
from network_checks import judged
from random_networks import make, random_networks

import clexact
from clexact import functions, models

SEED, COUNT = 1717, 12
R = Residues(3)
U, V = ([tuple(random.Random(k + 9 * n).randrange(p) for p in R.primes) for n in range(3)] for k in (1, 2))


def of(name, u):
    return R.value(name, u)


def times(*factors):
    product = R.constant(1)
    for factor in factors:
        product = R.multiply(product, factor)
    return product


def plus(*terms):
    total = R.constant(0)
    for term in terms:
        total = R.add(total, term)
    return total


ONE = R.constant(1)
IDENTITIES = {  # each is 0
    "exponentials": lambda u, v: plus(of("exp", plus(u, v)), R.scaled(times(of("exp", u), of("exp", v)), -1)),
    "a circle": lambda u, v: plus(times(of("sin", u), of("sin", u)), times(of("cos", u), of("cos", u)), R.constant(-1)),
    "a sum of angles": lambda u, v: plus(
        of("sin", plus(u, v)),
        R.scaled(times(of("sin", u), of("cos", v)), -1),
        R.scaled(times(of("cos", u), of("sin", v)), -1),
    ),
    "tanh": lambda u, v: plus(
        times(of("tanh", u), plus(of("exp", R.scaled(u, 2)), ONE)), ONE, R.scaled(of("exp", R.scaled(u, 2)), -1)
    ),
    "a sigmoid": lambda u, v: plus(of("sigmoid", u), of("sigmoid", R.scaled(u, -1)), R.constant(-1)),
    "softplus": lambda u, v: plus(of("softplus", u), R.scaled(of("softplus", R.scaled(u, -1)), -1), R.scaled(u, -1)),
    "a distribution": lambda u, v: plus(of("normal_cdf", u), of("normal_cdf", R.scaled(u, -1)), R.constant(-1)),
    "a density": lambda u, v: plus(of("density", u), R.scaled(of("density", R.scaled(u, -1)), -1)),
    "an inverse": lambda u, v: plus(times(u, of("reciprocal", u)), R.constant(-1)),
    "a root": lambda u, v: plus(times(of("rsqrt", u), of("rsqrt", u), u), R.constant(-1)),
    "the logarithm of 1": lambda u, v: of("log", ONE),
}


def test_primes_are_a_chain_of_others():
    """Each divides the one before less 1; -1 is a square modulo each, and modulo none of the package's."""
    for p, q in zip(R.primes, R.primes[1:], strict=False):
        assert (p - 1) % (4 * q) == 0 and q > 2**40
    assert Residues(4).primes != R.primes


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_of_functions(name):
    """Modulo all primes at which what is said is defined; modulo the first somewhere."""
    met = [IDENTITIES[name](u, v) for u, v in zip(U + V, V + U, strict=True)]
    assert {r for residues in met for r in residues} <= {0, None}
    assert any(residues[0] == 0 for residues in met)


def test_relations_that_do_not_hold_are_not_met():
    u, v = U[0], V[0]
    assert of("exp", u)[0] != of("exp", v)[0] and of("exp", R.scaled(u, 3))[0] != of("exp", u)[0]
    assert plus(of("softplus", u), of("softplus", R.scaled(u, -1)))[0] != 0
    assert of("rsqrt", R.constant(Fraction(1, 100))) == R.constant(10)


SECOND = {  # derivatives, by u, f(u), and a function of u that the slope is made of
    "exp": (lambda u, y, f: y, "exp"), "sin": (lambda u, y, f: -y, "sin"), "cos": (lambda u, y, f: -y, "cos"),
    "tanh": (lambda u, y, f: -2 * y * (1 - y * y), "tanh"), "log": (lambda u, y, f: -f * f, "reciprocal"),
    "sigmoid": (lambda u, y, f: y * (1 - y) * (1 - 2 * y), "sigmoid"),
    "softplus": (lambda u, y, f: f * (1 - f), "sigmoid"), "normal_cdf": (lambda u, y, f: -u * f, "density"),
    "reciprocal": (lambda u, y, f: 2 * y**3, "reciprocal"),
    "rsqrt": (lambda u, y, f: 3 * y * f * f * pow(4, -1, R.p), "reciprocal"),
}  # fmt: skip


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name):
    """Of u + e1 + e2, the coefficient of e1 e2."""
    formula, other = SECOND[name]
    u = next(u for u in U + V if R.with_slope(name, u)[0] is not None)
    second = Applied(Jets(R.p), R, u).value(name, ((u[0], 1), (1, 0)))[1][1]
    assert (second - formula(u[0], of(name, u)[0], of(other, u)[0])) % R.p == 0


@pytest.mark.parametrize("text, ranks", [
    ("expression('p * exp(a * x)')", (2,)),  # e^(a x) and x e^(a x) are independent
    ("expression('p * exp(a * x + b)')", (2, 2)),  # p^2 - 2 b is a law
    ("expression('p * softplus(a * x) - p * softplus(-a * x)')", (1, 1)),  # p a x
    ("expression('p * normal_cdf(a * x) + p * normal_cdf(-a * x)')", (1, 1)),  # p
    ("expression('p * tanh(a * x) + 2 * p * sigmoid(-2 * a * x)')", (1, 1)),  # p
    ("related('p * (sin(2 * u) - 2 * sin(u) * cos(u)) + q * sin(u)', 'linear')", (2, 2)),
    ("mlp([1, 1, 1, 2], ['sigmoid', 'cos'], [False, False, True])", (6,)),
    ("attention(2, 1, 1, 1, '', 'none', 'none', False, None, False)", (2, 2)),  # Q K and V
    ("mlp([2, 2, 1], ['tanh'], [True, True])", (9,)),
])  # fmt: skip
def test_ranks_known_by_hand(text, ranks):
    network = make(text)
    assert exact_rank(network.model(), network.loss, len(ranks) - 1) == ranks


@pytest.mark.parametrize("model", [
    models.linear([2, 2, 2]), models.linear([2, 2, 2, 2]), models.relu([2, 2, 2, 1], bias=True), models.product(4),
    models.attention(2, 1, heads=2), models.conv1d([1, 2, 1], 2), models.maxpool(2, 2, 2), models.recurrent(2, 2, 2),
], ids=lambda model: model.name)  # fmt: skip
@pytest.mark.parametrize("loss", ["full", "cross_entropy"])
def test_ranks_of_polynomial_models_are_the_exact_ones(model, loss):
    if loss != "full" and (not model.program.shape or model.program.several):
        return
    count = clexact.certify(clexact.gradient_flow(model, loss))
    assert exact_rank(model, loss, len(count.filtration) - 1) == count.filtration


def test_norms_and_gates_are_read():
    """LayerNorm with eps above closed units: a root of eps itself."""
    shapes = {"W": (3, 2), "g": (3,)}
    for parts in (
        (shapes, lambda W, g, x: g * functions.layer_norm(functions.relu(W @ x), eps=Fraction(1, 4))),
        (shapes, lambda W, g, x: g * functions.softmax(functions.layer_norm(W @ x))),
    ):
        model = clexact.Model(parts[0], {"x": (2,)}, parts[1])
        count = clexact.certify(clexact.gradient_flow(model))
        assert exact_rank(model, "full", len(count.filtration) - 1)[-1] == count.filtration[-1]


def test_brackets_are_antisymmetric():
    """And [X, X] = 0."""
    network = ExactModel(make("mlp([1, 2, 1], ['tanh'], [False, False])").model())
    theta = network.defined_point()
    place = [theta[number][0] for number in network.order]
    X, Y = network.drawn(theta), network.drawn(theta)
    there, back = network.bracket(X, Y)(place), network.bracket(Y, X)(place)
    assert any(there) and not any((a + b) % network.ring.p for a, b in zip(there, back, strict=True))
    assert not any(network.bracket(X, X)(place))


def test_rows():
    rows = Rows(7)
    assert [rows.add(row) for row in ([1, 2, 3], [2, 4, 6], [0, 1, 1], [1, 3, 4], [0, 0, 5])] == [1, 0, 1, 0, 1]


# PyTorch says so of itself, where forward derivatives are first taken
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_a_count_that_claims_too_much_is_found():
    """As a false relation would make it: e^(2u) and the square of e^u taken as independent."""
    network = make("related('p * exp(u) * exp(u) + q * exp(2 * u)', 'linear')")
    assert not judged(network, exactly=True).violations

    def claimed(flow):
        count = clexact.certify(flow)
        return replace(count, filtration=(count.filtration[0] + 1,))

    kinds = [kind for kind, _ in judged(network, certify=claimed, exactly=True).violations]
    assert "false dimension, modulo other primes" in kinds


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_random_networks():
    """Most have ranks modulo other primes, none below a dimension that is claimed."""
    found = [judged(network, exactly=True) for network in random_networks(SEED, COUNT)]
    assert not [violation for each in found for violation in each.violations]
    counted = [each for each in found if each.outcome in ("exact", "bounds")]
    assert sum("exact ranks" in each.checks for each in counted) >= 2 / 3 * len(counted)
