"""Laws of a certificate by the chain rule: velocities against PyTorch's, and which laws are seen to be laws.

A velocity is compared with the derivative that automatic differentiation finds in float64, of programs of models and of
random ones, along random polynomial fields: so what is said to be zero is zero.
"""

import json
import random
from functools import cache
from math import prod

import pytest
import torch
from forged_programs import FUNCTIONS, run, split, wrong
from function_programs import Nodes
from program_checks import flow_of
from random_programs import case

import clexact
from clexact import models
from clexact.laws.confirmation import moved
from clexact.proofs import program_certificate as pc
from clexact.proofs.verifier import large as pv

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

gradient, momentum = clexact.gradient_flow, clexact.momentum_flow
MODELS = {
    "attention": lambda: models.attention(2, 1, tokens=2, bias=True),
    "norm": lambda: models.mlp([1, 3, 2], act="gelu", norm="layer", bias=True),
    "rotary": lambda: models.attention(2, 4, rope=True, tokens=2),
    "cosine": lambda: models.cosine(2, 2, 2),
    "weight_norm": lambda: models.weight_norm(2, 2, 2, gain=True),
    "lstm": lambda: models.lstm(1, 2, 1, steps=2, bias=True),
    "moe": lambda: models.moe(2, 2, 2),
    "conv": lambda: models.conv1d([2, 2, 2], kernel=2, relu=True, bias=True),
    "batch": lambda: models.mlp([2, 2, 2], act="softplus", norm="batch", batch=3, bias=True),
    "tucker": lambda: models.factorization([2, 2, 2], rank=2, scheme="tucker"),
}


def moves_of(document, work=10**8):
    program = pv.Program(document)
    return pv.Moves(program, 0, program.theta.starts[-1], pv.Allowance(work))


def random_field(rng, D):
    """{coordinate: polynomial}, some of them moving by themselves, others by numbers and products."""
    kinds = [lambda j: (j,), lambda j: (), lambda j: (rng.randrange(D),), lambda j: (0, rng.randrange(D))]
    moving = rng.sample(range(D), min(D, rng.choice([1, 2, D])))
    terms = {j: [rng.choice(kinds)(j) for _ in range(rng.choice([1, 1, 2]))] for j in moving}
    return {j: {tuple(sorted(term)): rng.choice([-2, -1, 1, 3]) for term in some} for j, some in terms.items()}


def atoms_at(moves, document, leaves):
    """{atom: its value in float64}."""
    nodes, out = document["program"]["nodes"], {}
    values = [run({"nodes": nodes[: n + 1], "output": n}, leaves) for n in range(len(nodes))]
    flat = torch.cat([leaves[name].reshape(-1) for name in document["parameters"]])
    out |= dict(enumerate(flat.tolist()))
    for name, start in moves.probes.items():
        out |= dict(enumerate(leaves[name].reshape(-1).tolist(), start))
    for n, (op, inputs, _, data) in enumerate(nodes):
        out |= dict(enumerate(values[n].reshape(-1).tolist(), moves.starts[n]))
        if op == "function":
            u = values[inputs[0]].detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(FUNCTIONS[data](u).sum(), u)
            out |= {-1 - moves.starts[n] - e: s for e, s in enumerate(slope.reshape(-1).tolist())}
    return out


def value(form, at):
    return sum(float(c) * prod(at[a] for a in atoms) for atoms, c in form.items())


def assert_velocities(document, rng, fields=2):
    """The numbers of fields whose velocities were compared, and of those that were zero."""
    moves, D = moves_of(document), sum(map(prod, document["parameters"].values()))
    generator, compared, zero = torch.Generator().manual_seed(rng.randrange(10**6)), 0, 0
    for _ in range(fields):
        field = random_field(rng, D)
        theta = torch.randn(D, dtype=torch.float64, generator=generator)
        probes = {
            n: torch.randn(s, dtype=torch.float64, generator=generator).abs() for n, s in document["probes"].items()
        }
        at = dict(enumerate(theta.tolist()))
        direction = torch.tensor([value(field.get(j, {}), at) for j in range(D)], dtype=torch.float64)

        def output(theta, probes=probes):
            return run(document["program"], split(theta, document["parameters"]) | probes)

        _, wanted = torch.func.jvp(output, (theta,), (direction,))
        try:
            found = moves.velocity(field)
        except pv.TooMuch:
            continue
        if not torch.isfinite(wanted).all():
            continue
        at = atoms_at(moves, document, split(theta, document["parameters"]) | probes)
        got = torch.tensor([value(found.get(e, {}), at) for e in range(wanted.numel())], dtype=torch.float64)
        scale = 1 + wanted.abs().max() if wanted.numel() else 1
        assert ((got - wanted.reshape(-1)).abs() < 1e-6 * scale).all(), field
        for form in found.values():
            opened = moves.opened(form) or form
            assert abs(value(opened, at) - value(form, at)) < 1e-6 * scale
        compared, zero = compared + 1, zero + (not found)
    return compared, zero


@pytest.mark.parametrize("name", MODELS)
def test_velocities_are_those_of_automatic_differentiation(name):
    document = json.loads(json.dumps(pc.written_model(gradient(MODELS[name]()))))
    compared, _ = assert_velocities(document, random.Random(name))
    assert compared


def test_velocities_of_random_programs():
    compared = 0
    for seed in range(30):
        flow = flow_of(case(seed)).gradients
        document = json.loads(json.dumps(pc.written_model(flow)))
        compared += assert_velocities(document, random.Random(seed), 3)[0]
    assert compared > 60


# --- which laws are proved -------------------------------------------------------------------------------------------

FLOWS = {  # with the number of laws that have no family of their own
    "shared logits": (lambda: gradient(models.relu([3, 3, 2], bias=True), "cross_entropy"), 3),
    "key biases": (lambda: gradient(MODELS["attention"]()), 3),
    "means that a norm subtracts": (lambda: gradient(MODELS["norm"]()), 4),
    "rotary planes": (lambda: gradient(MODELS["rotary"]()), 2),
    "scale-free rows": (lambda: gradient(MODELS["cosine"]()), 2),
    "weight norm": (lambda: gradient(MODELS["weight_norm"]()), 2),
    "two biases of a gate": (lambda: gradient(MODELS["lstm"]()), 8),
    "routers": (lambda: gradient(MODELS["moe"]()), 2),
    "channels": (lambda: gradient(MODELS["conv"]()), 2),
    "biases before a batch norm": (lambda: gradient(MODELS["batch"]()), 4),
    "a core": (lambda: gradient(MODELS["tucker"]()), 9),
    "linear laws of a mirror flow": (lambda: clexact.mirror_flow(models.nmf(2, 2, 3), positive=["U", "V"]), 2),
    "partly linear ones": (lambda: clexact.mirror_flow(models.icnn(2, 2, 2), positive=["U"]), 2),
    "weight decay": (lambda: gradient(models.linear([2, 3, 2]), weight_decay=1), 6),
    "rotations": (lambda: momentum(models.conv1d([2, 3, 2], kernel=2), clexact.HeavyBall(1)), 3),
    "rotations of heads": (lambda: momentum(models.attention(2, 2, tokens=2), clexact.Nesterov()), 2),
    "tied matrices": (lambda: momentum(models.shared(2, 2), clexact.Nesterov()), 1),
    "a centre of mass": (lambda: momentum(models.mlp([1, 2, 1], norm="batch", batch=2, bias=True)), 4),
}


@cache
def certified(name):
    return json.loads(json.dumps(pc.of_count(clexact.certify(FLOWS[name][0]()))))


@pytest.mark.parametrize("name", FLOWS)
def test_no_law_of_symmetry_is_only_tested(name):
    document = certified(name)
    status, said = pv.verify_bytes(json.dumps(document).encode())
    assert status == 0, said
    assert not any("tested" in line for line in said), said
    count = sum(len(family.get("polynomials", ())) for family in document["laws"])
    assert count == FLOWS[name][1]
    assert any(line.startswith(f"{count} law") and "by the chain rule" in line for line in said), said
    assert any("(proved), at most" in line for line in said)


def laws_of(document):
    return [text for family in document["laws"] for text in family.get("polynomials", ())]


def shown(document, text):
    """Whether the chain rule alone proves a law."""
    checker = pv.Checker({**document, "laws": [{"polynomials": [text]}]})
    return not checker.check_by_chain_rule(checker.families)


@pytest.mark.parametrize("name", FLOWS)
def test_no_other_polynomial_is_shown_to_be_a_law(name):
    """Of wrong ones it shows none that a random member of the flow moves; and the verifier refuses these."""
    flow, document, rng = FLOWS[name][0](), certified(name), random.Random(name)
    refused = 0
    for text in rng.choices(laws_of(document), k=8):
        other = wrong(rng, text, flow.variables)
        law = clexact.Polynomial.from_string(other, flow.variables)
        true = not len(moved(flow, law.terms, flow.draws(1)))
        assert shown(document, other) <= true, other
        if not true:
            status, _ = pv.verify_bytes(json.dumps({**document, "laws": [{"polynomials": [other]}]}).encode())
            assert status == 1, other
        refused += not true
    assert refused >= 2


def test_the_damping_and_the_metric_matter():
    """A law of one drift, or of one metric, is not one of another."""
    document = certified("rotations")
    (law, *_), drift = laws_of(document), document["phase"]["drift"]
    there = pv.derivatives(pv.form_of(pv.Checker(document).families[0].laws[0]))
    assert shown(document, law)
    for n, place in enumerate(drift[::2]):
        other = [*drift[: 2 * n + 1], drift[2 * n + 1] + " + s^2", *drift[2 * n + 2 :]]
        assert shown({**document, "phase": {**document["phase"], "drift": other}}, law) == (place not in there)
    document = certified("linear laws of a mirror flow")
    metric = document["phase"]["metric"]
    for n in range(1, len(metric), 2):
        other = [*metric[:n], f"2*{metric[n]}", *metric[n + 1 :]]
        other = {**document, "phase": {**document["phase"], "metric": other}}
        assert [shown(other, law) for law in laws_of(document)].count(False) == 1


CASES = {
    "what data do not excite": (lambda: gradient(models.relu([1, 2, 3]), inputs=[[1, 2, 3], [2, 4, 7]]), None),
    "functions on data": (lambda: gradient(models.mlp([1, 2, 3], "tanh"), inputs=[[1, 2, 3], [2, 4, 7]]), None),
    "units that are linear": (lambda: gradient(models.relu([1, 3, 1])), [1, 2, -3, 2, -1, 4]),
    "layers": (lambda: gradient(models.relu([1, 2, 2, 1])), [1, 2, 3, -4, 2, -1, 3, -5]),
}


@pytest.mark.parametrize("name", CASES)
def test_laws_of_given_inputs_and_gates(name):
    make, start = CASES[name]
    count = clexact.certify(make(), near=start)
    document = json.loads(json.dumps(pc.of_count(count)))
    status, said = pv.verify_bytes(json.dumps(document).encode())
    assert status == 0 and "cases" in document
    assert any(line.endswith("identities, by the chain rule") for line in said), said
    assert not any("polynomials are laws" in line for line in said), said


def test_a_law_of_some_inputs_is_none_of_others():
    nodes = Nodes({"v": (1, 2)}, {"x": (2, 1)})
    program = nodes.matmul(nodes.leaf["v"], nodes.leaf["x"])
    leaves = {"parameters": {"v": [1, 2]}, "probes": {"x": [2, 1]}}
    moves = moves_of({**leaves, "program": {"nodes": nodes.nodes, "output": program}})
    field = {0: {(): 2}, 1: {(): -1}}
    x = moves.probes["x"]
    assert moves.still(field, [{x: 1, x + 1: 2}, {x: 3, x + 1: 6}])
    assert not moves.still(field, [{x: 1, x + 1: 2}, {x: 3, x + 1: 5}])
    assert not moves.still(field, [])


def test_sums_that_are_zero():
    """x - x is an entry without terms, which laws may meet."""
    nodes = Nodes({"v": (1, 1), "w": (1, 1)}, {"x": (1, 1)})
    v, w, x = (nodes.leaf[name] for name in "vwx")
    nothing = nodes.plus(x, nodes.times(x, nodes.constant(-1)))
    output = nodes.plus(nodes.times(v, nothing), nodes.times(w, x))
    leaves = {"parameters": {"v": [1, 1], "w": [1, 1]}, "probes": {"x": [1, 1]}}
    moves = moves_of({**leaves, "program": {"nodes": nodes.nodes, "output": output}})
    assert moves.still({0: {(): 1}}, []) and not moves.still({1: {(): 1}}, [])
