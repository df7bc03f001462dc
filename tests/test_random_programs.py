"""Random programs against the oracle, and the oracle against itself. ``bench/fuzz_programs.py`` runs 25,000."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from math import prod
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
import torch
from program_checks import Judgement, check_further_laws, flow_of, judged
from program_oracle import Oracle, monomial_gradients, movement, parsed, ranks
from random_programs import Case, case
from smaller_programs import minimal

import clexact
from clexact.programs.algebras import Numbers

# PyTorch says so of itself, where forward derivatives are first taken
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
FIRST, COUNT = 5_000_000, 160
LINEAR = Case(1, {"U": (2, 2), "V": (2, 2)}, {"x": (2,)}, (("h", "V.T @ x"), ("y", "U @ h")), "y")
LOGITS = Case(
    2, {"G": (2,), "u": (2,)}, {"x": ()},
    (("t", "(G * x)[[0, 1]]"), ("p", "u * softmax(t)"), ("q", "t * t"), ("y", "p.sum() + q.sum()")), "y",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_random_programs(part):
    """No law and no bound that the oracle denies; few programs are refused."""
    size = COUNT // 8
    programs = [case(FIRST + part * size + n) for n in range(size)]
    found = [judged(program, thorough=n % 8 == 5) for n, program in enumerate(programs)]
    for program, judgement in zip(programs, found, strict=True):
        assert not judgement.violations, f"{judgement.violations}\n{program.script}"
    assert sum(judgement.outcome == "refused" for judgement in found) <= size / 5


def test_every_operation_occurs():
    """The programs use the whole interface, and all flows and losses."""
    programs = [case(FIRST + n) for n in range(2 * COUNT)]
    words = set().union(*(program.words for program in programs))
    assert words >= {
        "+", "-", "*", "@", "stacked @", "**", "constant", "len", "transpose", "reshape", "pick", "slice", "ellipsis",
        "new axis", "sum", "concatenate", "join", "relu", "maximum", "repeated", "equal expression", "softmax", "exp",
        "tanh", "sigmoid", "silu", "gelu", "reciprocal",
    }  # fmt: skip
    assert {program.flow["flow"] for program in programs} == {"gradient", "mirror", "momentum"}
    assert {program.flow.get("damping") for program in programs} > {"none", "heavy-ball", "nesterov"}
    assert {str(program.loss)[:4] for program in programs} >= {"full", "cros"} and any(
        isinstance(program.loss, list) for program in programs
    )
    assert max(len(shape) for program in programs for shape in program.parameters.values()) == 3


@pytest.mark.slow
def test_a_seed_gives_the_same_program_everywhere():
    """In this process, and in a fresh one whose sets have another order."""
    code = (
        "import hashlib; from random_programs import case;"
        f"text = ''.join(case({FIRST} + n).script for n in range(60)); "
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    here = [hashlib.sha256("".join(case(FIRST + n).script for n in range(60)).encode()).hexdigest() for _ in range(2)]
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, env={"PYTHONHASHSEED": "7"}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert {run.stdout.strip()} == set(here)
    assert judged(case(FIRST + 1), True) == judged(case(FIRST + 1), True)


# --- a check that cannot fail is a defect ----------------------------------------------------------------------------


class Texts(list):
    """Laws as the checks read them: their polynomials."""

    def polynomials(self):
        return self


def lying(**changes):
    """``certify``, with some of what it says replaced: by values, or by functions of the count."""

    def certify(flow):
        count = clexact.certify(flow)
        names = ("dimension", "lower", "upper", "exact", "laws", "shown", "filtration", "exhibited")
        said = SimpleNamespace(**{name: getattr(count, name) for name in names})
        said.laws = Texts(map(str, count.laws.polynomials()))
        vars(said).update({name: new(said) if callable(new) else new for name, new in changes.items()})
        said.laws = Texts(said.laws)
        return said

    return certify


def kinds(program, certify=clexact.certify, reading="shared"):
    """The kinds of violations found."""
    return set(dict(judged(program, certify=certify, reading=reading).violations))


def test_planted_laws_are_denied():
    """A law with one coefficient changed, a true one of other flows, and one law given twice."""
    assert kinds(LINEAR) == set()
    assert "false law" in kinds(LINEAR, lying(laws=lambda s: [f"{s.laws[0]} + U[0,0]", *s.laws[1:]]))
    assert "false law" in kinds(LINEAR, lying(laws=lambda s: ["U[0,0]*V[1,0] - U[1,0]*V[0,0]", *s.laws[1:]]))
    assert "dependent laws" in kinds(LINEAR, lying(laws=lambda s: [s.laws[1], *s.laws[1:]]))


def test_planted_laws_of_other_forms_are_denied():
    """A logarithm of a law is one; with that of another polynomial it is none."""
    program = Case(
        6, {"a": (), "b": ()}, {"x": ()}, (("y", "a * a * b * x"),), "y", flow={"flow": "mirror", "positive": ["b"]}
    )
    count = clexact.certify(flow_of(program))
    oracle, found = Oracle(program), Judgement()
    for text, said in [("log(a) + 2*log(a**2 - 4*b)", 1), ("2*log(a**2 - 4*b)", 0), ("atan((a**2 - 4*b)/a)", 1)]:
        found = Judgement()
        law = SimpleNamespace(to_sympy=lambda text=text: sympy.sympify(text))
        check_further_laws(found, oracle, SimpleNamespace(further_laws=lambda law=law: (law,)))
        assert len(found.violations) == said, (count, found)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [
    {"flow": "momentum", "damping": "none"}, {"flow": "momentum", "damping": "heavy-ball", "tau": "1/2"},
    {"flow": "momentum", "damping": "nesterov"}, {"flow": "mirror", "positive": ["U"]},
    {"flow": "mirror", "metric": "lambda U, V: {'V': V + 1}"}, {"flow": "gradient", "weight_decay": "1/2"},
    {"flow": "momentum", "damping": "nesterov", "weight_decay": "1"},
    {"flow": "mirror", "positive": ["U", "V"], "weight_decay": "-1"},
])  # fmt: skip
def test_planted_bounds_are_denied_for_every_flow(flow):
    """One law more than there is, one less than there is, and the laws of the plain gradient flow."""
    program = replace(LINEAR, flow=flow)
    assert kinds(program) == set()
    more, fewer = lying(lower=lambda s: s.lower + 1, upper=lambda s: s.upper + 1), lying(
        lower=lambda s: s.lower - 1, upper=lambda s: s.upper - 1, exhibited=0, laws=[]
    )  # fmt: skip
    if clexact.certify(flow_of(program)).exact:
        assert "false lower bound" in kinds(program, more)
    if clexact.certify(flow_of(program)).upper:
        assert "false upper bound" in kinds(program, fewer)
    dims = clexact.certify(flow_of(program)).filtration
    if dims[0] < dims[-1]:
        assert "false upper bound" in kinds(program, lying(filtration=(dims[0] + 1, *dims[1:])))
    plain = [str(h) for h in clexact.certify(flow_of(LINEAR)).laws.polynomials()]
    assert "false law" in kinds(program, lying(laws=plain, exhibited=0))


def test_softmax_of_logits_that_are_seen_elsewhere():
    """A translation of the logits moves the rest of the output, which has no law."""
    claim = lying(lower=1, upper=1, laws=["G[0] + G[1]"], exhibited=1, shown=SimpleNamespace(laws=(0,)), exact=True)
    assert kinds(LOGITS, claim) == {"false law", "false lower bound"}
    alone = replace(LOGITS, result="p")  # here it is one
    assert "false law" not in kinds(alone, claim)


def test_gates_have_three_readings():
    """Equal expressions have one gate, or one each, or gates with the values that they have."""
    lines = (("s", "u * x"), ("t", "u * x"), ("y", "relu(s) * v + relu(t)"))
    twice = Case(3, {"u": (), "v": ()}, {"x": ()}, lines, "y")
    oracles = {reading: Oracle(twice, reading) for reading in ("shared", "separate", "binary")}
    assert [len(oracle.gates) for oracle in oracles.values()] == [1, 2, 1]
    found = {name: ranks(o.brackets(o.points(1)[0], 0, 6)) for name, o in oracles.items()}
    assert found == {"shared": (1, 1), "separate": (2, 2), "binary": (1, 1)}
    squared = replace(twice, lines=(("h", "relu(u * x)"), ("y", "h * h + v * x * h")))
    found = {name: ranks(o.brackets(o.points(1)[0], 0, 6)) for name in oracles for o in [Oracle(squared, name)]}
    assert found == {"shared": (2, 2), "separate": (2, 2), "binary": (1, 1)}


@pytest.mark.parametrize("other, gates, rank", [
    ("2 * (u * x)", 1, 1), ("(u * x) / -3", 1, 2), ("2 * u * x", 2, 2), ("u * x + 0", 2, 2),
])  # fmt: skip
def test_multiples_have_one_gate(other, gates, rank):
    """A gate, or what is left of it; as far as it is written so."""
    program = Case(3, {"u": (), "v": ()}, {"x": ()}, (("y", f"relu(u * x) * v + relu({other})"),), "y")
    oracle = Oracle(program)
    assert len(oracle.gates) == gates
    assert ranks(oracle.brackets(oracle.points(1)[0], 0, 6)) == (rank, rank)


def test_bounds_for_the_values_that_gates_have(monkeypatch):
    """A count is held against them where this is asked for, unless it says that inputs may open fewer gates."""
    squared = Case(3, {"u": (), "v": ()}, {"x": ()}, (("h", "relu(u * x)"), ("y", "h * h + v * x * h")), "y")
    none = lying(lower=0, upper=0, laws=[], exhibited=0, filtration=(2,), exact=True)
    assert not judged(squared, certify=none).violations
    assert not judged(squared, certify=none, gates=True).violations
    monkeypatch.setattr("program_checks.warned", lambda flow: False)
    found = judged(squared, certify=none, gates=True).violations
    assert [kind for kind, _ in found] == ["false upper bound, gates of values 0 and 1"]


def test_a_gate_that_no_probe_moves():
    """relu of parameters is linear near a generic point, with one gate for all data."""
    program = Case(4, {"a": (), "b": ()}, {"x": ()}, (("y", "(relu(a) + b) * x"),), "y")
    for reading, rank in [("shared", 2), ("binary", 1)]:
        oracle = Oracle(program, reading)
        assert ranks(oracle.brackets(oracle.points(1)[0], 0, 6)) == (rank, rank)


# --- the oracle ------------------------------------------------------------------------------------------------------


def test_forward_values_agree():
    """Programs without analytic functions, on rationals in the package's algebra and in floats here."""
    rng, compared = np.random.default_rng(0), 0
    for n in range(COUNT):
        program = case(FIRST + n)
        if is_analytic(program):
            continue
        operations = {name: getattr(clexact.functions, name) for name in ("relu", "maximum")}
        operations["concatenate"] = clexact.concatenate
        model = clexact.Model(program.parameters, program.probes, program.function(**operations))
        shapes = program.parameters | program.probes
        leaves = {name: rationals(rng, shape) for name, shape in shapes.items()}
        gates = {  # a third of the way from the slope to 1
            gate.probe: np.full(model.probes[gate.probe], (2 * Fraction(gate.slope) + 1) / 3, dtype=object)
            for gate in model.program.gates
        }
        exact = model.program.run(Numbers(), leaves | gates)[model.program.output]
        oracle = Oracle(program)
        flat = [torch.tensor([float(c) for name in names for c in leaves[name].ravel()], dtype=torch.float64)
                for names in (program.parameters, program.probes)]  # fmt: skip
        free = torch.full((sum(prod(gate.shape) for gate in oracle.gates),), 1 / 3, dtype=torch.float64)
        value = oracle.output(flat[0], torch.cat([flat[1], free])).numpy()
        np.testing.assert_allclose(value, exact.astype(float), rtol=1e-9, atol=1e-9)
        compared += 1
    assert compared > COUNT / 5


def is_analytic(program):
    """Whether a program uses an analytic function."""
    return bool(program.words & {"softmax", "exp", "tanh", "sigmoid", "silu", "gelu", "reciprocal"})


def rationals(rng, shape):
    """An array of small fractions."""
    above, below = rng.integers(-9, 10, prod(shape)).tolist(), rng.integers(1, 6, prod(shape)).tolist()
    entries = [Fraction(a, b) for a, b in zip(above, below, strict=True)]
    return np.array([*entries, None], dtype=object)[:-1].reshape(shape)


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "silu", "gelu", "reciprocal", "softmax"])
def test_analytic_functions_are_the_true_ones(name):
    """Against PyTorch's own, and the gradient against differences."""
    program = Case(5, {"A": (2, 3)}, {}, (("y", f"{name}(A)"),), "y")
    oracle, theta = Oracle(program), torch.tensor([0.3, -0.7, 1.1, 0.9, -0.2, 0.5], dtype=torch.float64)
    known = {
        "silu": torch.nn.functional.silu,
        "gelu": torch.nn.functional.gelu,
        "softmax": lambda z: torch.softmax(z, -1),
    }
    expected = known.get(name, getattr(torch, name, None))(theta.reshape(2, 3))
    nothing = torch.zeros(0, dtype=torch.float64)
    assert torch.allclose(oracle.output(theta, nothing), expected, rtol=1e-13)
    covector, direction = torch.arange(1.0, 7.0, dtype=torch.float64), torch.tensor([1.0, 2, -1, 0.5, 1, -2]).double()
    member = oracle.member(torch.cat([torch.ones(1).double(), covector]), theta)
    step = [oracle.output(theta + e * direction, nothing).reshape(-1) @ covector for e in (1e-5, -1e-5)]
    assert float((step[0] - step[1]) / 2e-5) == pytest.approx(float(member @ direction), rel=1e-7)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 2), (2, 3, 2), (3, 1, 2)])
def test_brackets_of_linear_networks(sizes):
    """dim W_inf = (n + m) r - r(r + 1)/2 for r <= n + m (arXiv 2307.00144, proposition 4.3, r > 1), at depth 1."""
    n, r, m = sizes
    program = replace(LINEAR, parameters={"U": (n, r), "V": (m, r)}, probes={"x": (m,)})
    oracle = Oracle(program)
    point = oracle.points(1)[0]
    rows = [oracle.brackets(point, depth, 16) for depth in (0, 1)]
    rank = (n + m) * r - r * (r + 1) // 2
    assert ranks(np.concatenate(rows)) == (rank, rank)


def test_laws_are_read_as_they_are_written():
    """Coefficients, powers, primes and entries of arrays; gradients of the monomials."""
    coefficients, exponents = parsed("2*U[0,1]^2*s - 1/3*U'[0,1] + x", ["s", "U[0,1]", "U'[0,1]", "x"])
    assert coefficients.tolist() == [2, -1 / 3, 1]
    assert exponents.tolist() == [[1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    gradients = monomial_gradients(exponents, np.array([[2.0, 3.0, 5.0, 7.0]]))
    assert gradients[0].tolist() == [[9, 12, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_movement_of_logarithms():
    """log x - log y along (x, y) and along (x, 2 y); x log|y| along (0, y) moves by x."""
    one, minus, x, y, none = (parsed(text, ["x", "y"]) for text in ("1", "-1", "x", "y", "0"))
    point = np.array([[2.0, 3.0]])
    ratio = (none, [(one, x), (minus, y)])
    assert movement(ratio, point, np.array([[2.0, 3.0]])) < 1e-12
    assert movement(ratio, point, np.array([[2.0, 6.0]])) == pytest.approx(1 / 3, rel=1e-3)
    assert movement((none, [(x, y)]), point, np.array([[0.0, 3.0]])) > 0.9
    assert movement((x, []), point, np.array([[0.0, 3.0]])) == 0


def test_a_rank_is_certain_or_possible():
    """Rounding does not count for either; what is in between counts for one."""
    rows = np.diag([1.0, 1e-3, 1e-8, 1e-14])
    assert ranks(rows) == (2, 3)
    assert ranks(np.zeros((3, 4))) == (0, 0) and ranks(np.full((2, 2), 1e-17)) == (0, 0)
    assert ranks(np.array([[np.inf, 0], [0, 1.0]])) == (1, 1)


def test_programs_are_made_smaller():
    """What does not matter is left out; an edit that makes no program is passed over."""
    program = replace(
        LOGITS,
        probes={"x": (), "y": (2,)},
        loss="full",
        flow={"flow": "mirror", "positive": ["u"], "weight_decay": "1"},
    )
    small = minimal(program, lambda other: "t * t" in other.source and flow_of(other) is not None)
    assert small.lines == (("t", "(G * x)[[0, 1]]"), ("q", "t * t")) and small.result == "q"
    assert small.flow == {"flow": "gradient"} and small.parameters == {"G": (2,)} and small.probes == {"x": ()}
