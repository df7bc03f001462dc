"""The float oracle against exact ranks, PyTorch's functions and the other oracle; counts that lie are found out."""

from fractions import Fraction
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from float_oracle import FUNCTIONS, OPERATIONS, FloatModel, decided, float_rank, spectrum
from network_checks import judged
from program_oracle import OPERATIONS as SAID
from program_oracle import Oracle, movement, parsed
from random_networks import FUNCTIONS as NAMES
from random_networks import KINDS, LEAST, MOST, Network, applied, make, random_networks
from random_programs import case

import clexact
from clexact import functions, models

# PyTorch says so of itself, where forward derivatives are first taken
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
POLYNOMIAL = [
    models.linear([2, 2, 2]), models.linear([2, 3, 2]), models.linear([3, 2, 2]), models.linear([2, 2, 2, 2]),
    models.glu(2, 2, 2), models.relu([2, 2, 2]), models.relu([2, 2, 2, 1], bias=True), models.attention(3, 2),
    models.attention(2, 1, heads=2), models.product(4), models.recurrent(2, 2, 2), models.residual(2, 2),
    models.nmf(2, 2, 2), models.shared(2, 2), models.conv1d([1, 2, 1], 2), models.maxpool(2, 2, 2),
    models.neuron(2, 2, [1, 2]),
]  # fmt: skip


@pytest.mark.parametrize("loss", ["full", "cross_entropy"])
@pytest.mark.parametrize("model", POLYNOMIAL, ids=lambda model: model.name)
def test_ranks_of_polynomial_models_are_the_exact_ones(model, loss):
    """At each depth, and no more at the next; the laws found are orthogonal to the fields."""
    if loss != "full" and (not model.program.shape or model.program.several):
        with pytest.raises(ValueError):
            clexact.gradient_flow(model, loss)
        return
    count = clexact.certify(clexact.gradient_flow(model, loss))
    found = float_rank(model, loss, len(count.filtration))
    assert found.ranks == (*count.filtration, count.filtration[-1]) and found.gap > 1e6
    for law in map(str, count.laws.polynomials()):
        for points, fields in FloatModel(model, loss).samples:
            assert movement((parsed(law, list(count.flow.variables)), []), points, fields).max() < 1e-9


@pytest.mark.parametrize("text, ranks", [
    ("expression('p * exp(a * x)')", (2, 2)),  # e^(a x) and x e^(a x) are independent
    ("expression('p * exp(a * x + b)')", (2, 2, 2)),  # p^2 - 2 b is a law
    ("expression('p * softplus(a * x) - p * softplus(-a * x)')", (1, 1, 1)),  # p a x
    ("expression('p * normal_cdf(a * x) + p * normal_cdf(-a * x)')", (1, 1)),  # p
    ("expression('p * tanh(a * x) + 2 * p * sigmoid(-2 * a * x)')", (1, 1)),  # p
    ("expression('rsqrt(a * x) * p * p')", (1, 1)),  # p^2 / sqrt(a) where a x is positive
    ("related('p * rsqrt(A * A) + q * reciprocal(A)', 'affine')", (3, 3)),  # (p + q) / A
    ("attention(2, 1, 1, 1, '', 'none', 'none', False, None, False)", (2, 2)),  # Q K and V
    ("mlp([2, 2, 1], ['tanh'], [True, True])", (9,)),
])  # fmt: skip
def test_ranks_known_by_hand(text, ranks):
    """Of small networks, through every function."""
    network = make(text)
    assert float_rank(network.model(), network.loss, len(ranks) - 1).ranks == ranks


def test_ranks_with_true_gates():
    """The two branches of tanh are tanh, if the gates are true; the largest of two numbers is one of them."""
    network = make("expression('p * tanh(relu(a * x)) + p * tanh(-1 * relu(-1 * a * x)) + q * tanh(a * x)')")
    ranks = [float_rank(network.model(), "full", 0, true_gates=true).ranks for true in (False, True)]
    assert ranks == [(3,), (2,)]
    shapes = {"u": (2,), "v": (2,)}
    model = clexact.Model(shapes, {"x": ()}, lambda u, v, x: (u * functions.maximum((v * x).reshape(1, 2))).sum())
    leaves = {"u": torch.ones(2).double(), "v": torch.tensor([2.0, -3.0]).double(), "x": torch.tensor(-1.0).double()}
    assert FloatModel(model, true_gates=True).value(leaves) == 6


def test_a_rank_needs_a_gap_at_two_points():
    """Where the singular values fall slowly there is none; a larger rank at one point outweighs others."""
    rng = np.random.default_rng(0)
    left, right = np.linalg.qr(rng.normal(size=(12, 12)))[0], np.linalg.qr(rng.normal(size=(6, 6)))[0]

    def values(*sizes):
        return spectrum(left[:, :6] * np.array(sizes) @ right)

    three, four = values(1, 1, 0.1, 1e-13, 1e-13, 1e-13), values(1, 1, 0.1, 1e-3, 1e-13, 0)
    slow, full = values(1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-12), values(1, 1, 1, 1e-2, 1e-3, 1e-4)
    assert decided([three, three], 6)[0] == 3 and decided([three, three], 6)[1] > 1e10
    assert decided([three], 6)[0] is decided([three, slow], 6)[0] is decided([slow, slow], 6)[0] is None
    assert decided([three, three, four], 6)[0] is None and decided([four, three, four], 6)[0] == 4
    assert decided([full, full], 6)[0] == 6 and decided([full, full], 7)[0] is None
    nothing = spectrum(np.zeros((12, 4)))
    assert decided([nothing, nothing], 4)[0] == 0
    assert decided([spectrum(np.full((9, 4), np.nan))] * 2, 4) == (None, 1.0)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) | {"relu"} & set(dir(functions))))
def test_functions_are_those_of_pytorch(name):
    """What the package records under a name, against PyTorch's own function, at values of both signs."""
    known = {
        "silu": torch.nn.functional.silu, "gelu": torch.nn.functional.gelu, "softplus": torch.nn.functional.softplus,
        "normal_cdf": torch.special.ndtr, "relu": torch.nn.functional.relu,
    }  # fmt: skip
    z = torch.tensor(
        [0.3, 2.4, 1.1, 0.9, 5.5] if name in ("rsqrt", "log") else [0.3, -2.4, 1.1, -0.9, 5.5], dtype=torch.float64
    )
    model = clexact.Model({"z": (5,)}, {}, lambda z: applied(name, z))
    gates = {gate.probe: (z > 0).double() for gate in model.program.gates}
    found = FloatModel(model).value({"z": z} | gates)
    assert torch.allclose(found, known.get(name, getattr(torch, name, None))(z), rtol=1e-13, atol=1e-15)


def test_outputs_are_those_of_the_other_oracle():
    """Which runs the text of a program, and nothing of the package."""
    rng, words, nothing = np.random.default_rng(0), set(), torch.zeros(0, dtype=torch.float64)
    for n in range(120):
        program = case(5_000_000 + n)
        operations = {name: getattr(functions, name) for name in SAID if hasattr(functions, name)}
        function = program.function(**operations | {"concatenate": clexact.concatenate})
        model = clexact.Model(program.parameters, program.probes, function)
        leaves = {name: torch.tensor(rng.normal(size=s)) for name, s in (program.parameters | program.probes).items()}
        gates = {  # a third of the way from the slope to 1
            gate.probe: torch.full(
                model.probes[gate.probe], float(2 * Fraction(gate.slope) + 1) / 3, dtype=torch.float64
            )
            for gate in model.program.gates
        }
        oracle = Oracle(program)
        theta, xi = (torch.cat([nothing, *(leaves[name].reshape(-1) for name in names)])
                     for names in (program.parameters, program.probes))  # fmt: skip
        free = torch.full((sum(prod(gate.shape) for gate in oracle.gates),), 1 / 3, dtype=torch.float64)
        expected = oracle.output(theta, torch.cat([xi, free]))
        network = FloatModel(model)
        assert torch.allclose(network.value(leaves | gates), expected, rtol=1e-9, atol=1e-9, equal_nan=True)
        words |= {node.op for node in model.program.nodes}
    assert words == {*OPERATIONS, "parameter", "probe", "constant"} - {"take"}
    picked = clexact.Model({"W": (2, 3)}, {}, lambda W: W[[0, 1, 1], [2, 0, 2]])
    assert FloatModel(picked).value({"W": torch.arange(6.0).reshape(2, 3)}).tolist() == [2, 3, 5]
    assert {node.op for node in picked.program.nodes} == {"parameter", "take"}


# --- random networks -------------------------------------------------------------------------------------------------


def test_random_networks_are_of_every_kind():
    """With every function, and of the sizes given; a seed and a text give the same network."""
    networks = list(random_networks(0, 300))
    assert {network.kind for network in networks} == set(KINDS)
    assert all(LEAST <= network.dimension <= MOST for network in networks)
    assert {network.loss for network in networks} == {"full", "cross_entropy"}
    assert {name for network in networks for name in NAMES if name in network.text} == set(NAMES)
    assert networks == list(random_networks(0, 300)) and networks[7] == make(networks[7].text, networks[7].loss)
    for network in networks[::20]:
        assert network.model().program.digest == make(network.text).model().program.digest


def test_floats_decide_nearly_always():
    """The oracle would say nothing otherwise."""
    networks = list(random_networks(1, 40))
    found = [float_rank(network.model(), network.loss, 1) for network in networks]
    assert sum(None in each.ranks for each in found) <= 2
    assert any(each.ranks[0] < each.ranks[1] for each in found if None not in each.ranks)


# --- a check that cannot fail is a defect ----------------------------------------------------------------------------


class Texts(list):
    """Laws as the checks read them: their polynomials."""

    def polynomials(self):
        return self


def lying(**changes):
    """``certify``, with some of what it says replaced."""

    def certify(flow):
        count = clexact.certify(flow)
        names = ("dimension", "lower", "upper", "exact", "laws", "shown", "filtration", "exhibited")
        said = SimpleNamespace(**{name: getattr(count, name) for name in names})
        said.laws = Texts(map(str, count.laws.polynomials()))
        vars(said).update({name: new(said) for name, new in changes.items()})
        said.laws = Texts(said.laws)
        return said

    return certify


def test_lies_are_found_out():
    """One dimension more at a depth, one law more or less, a false law."""
    shapes = {"U": (2, 2), "V": (2, 2)}
    network = Network("linear", shapes, {"x": (2,)}, lambda U, V, x: U @ (V.T @ x))

    def kinds(**changes):
        found = judged(network, lying(**changes))
        return {kind for kind, _ in found.violations} | ({"weaker"} if found.weaker else set())

    assert kinds() == set()
    assert kinds(filtration=lambda s: (s.filtration[0] + 1, *s.filtration[1:])) == {"false upper bound"}
    assert kinds(filtration=lambda s: (*s.filtration[:-1], s.filtration[-1] + 1)) == {"false upper bound"}
    assert kinds(lower=lambda s: s.lower + 1) == {"false lower bound"}
    assert kinds(upper=lambda s: s.upper + 1) == {"weaker"}
    assert kinds(laws=lambda s: [f"{s.laws[0]} + U[0,0]", *s.laws[1:]]) == {"false law"}
    assert kinds(dimension=lambda s: s.dimension + 1) >= {"dimension"}
