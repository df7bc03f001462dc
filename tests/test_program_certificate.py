"""Program-level certificates: true ones are verified, by evaluation that agrees with the engine's; forged ones never.

The verifier's rule of shapes is compared with exact identities; its evaluation with ``clexact.lie.closure.values_at``.
"""

import copy
import gzip
import json
import random
import subprocess
import sys
import time
from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import prod

import numpy as np
import pytest
from function_programs import output_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import random_net
from test_symmetry import COMPLETE, OTHERS

import clexact
from clexact import concatenate, models
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import lie_derivatives
from clexact.algebra.linalg import flint_rank
from clexact.algebra.polynomial import Polynomial
from clexact.cli import main as cli
from clexact.lie.closure import values_at
from clexact.programs.characters import Characters
from clexact.proofs import fields_certificate
from clexact.proofs import program_certificate as pc
from clexact.proofs.certificate import Certificate, VerdictStatus
from clexact.proofs.verifier import large as pv
from clexact.proofs.verifier.large import check, ranks

PRIME, CHAIN = 4194301, 1067999  # the second of three fields, for functions
MODELS = {
    "linear": lambda: models.linear([3, 2, 3]),
    "deep linear": lambda: models.linear([2, 3, 2, 2]),
    "one unit": lambda: models.linear([2, 1, 2]),
    "relu": lambda: models.relu([2, 3, 2], bias=True),
    "leaky relu": lambda: models.relu([2, 2, 2, 2], slope=Fraction(1, 3)),
    "attention": lambda: models.attention(3, 2),
    "rotary attention": lambda: models.attention(2, 2, rope=True),
    "heads": lambda: models.attention(2, 1, heads=2),
    "conv1d": lambda: models.conv1d([1, 2, 2], kernel=2),
    "conv1d, relu": lambda: models.conv1d([1, 2, 1], kernel=2, relu=True),
    "conv2d": lambda: models.conv2d([1, 2, 1], kernel=2),
    "residual": lambda: models.residual(3, 2),
    "shared": lambda: models.shared(3, 2),
    "tanh": lambda: models.tanh(2, 2, 2),
    "swiglu": lambda: models.swiglu(2, 2, 2),
    "recurrent": lambda: models.recurrent(2, 2, 2),
    "transformer": lambda: models.transformer(2, 1, 2),
    "moe": lambda: models.moe(2, 2, 2),
    "maxpool": lambda: models.maxpool(2, 2, 2),
    "avgpool": lambda: models.avgpool(2, 2, 2),
    "neuron": lambda: models.neuron(2, 2, [1, 3]),
    "stacks": lambda: clexact.Model(
        {"A": (2, 1, 2, 3), "B": (1, 2, 3, 2)}, {"x": (2, 2)}, lambda A, B, x: (A @ B @ x).sum(1), "stacks"
    ),
    "broadcast": lambda: clexact.Model(
        {"A": (2, 3), "b": (1, 3), "c": ()}, {"x": (3,)}, lambda A, b, c, x: concatenate([(A + b) * c, A * b]) @ x
    ),
}


def flow_of(name, loss="full"):
    return clexact.gradient_flow(MODELS[name](), loss)


def certified(name, loss="full"):
    return pc.of_count(clexact.certify(flow_of(name, loss)))


def program_of(flow):
    """The program of a flow as the verifier reads it."""
    return pv.Program(pc.written_model(flow))


def judged(document, rank=None):
    """Exit status and sentences of a document."""
    return pv.verify_bytes(json.dumps(document).encode(), rank)


def one_hot(n, sizes, first=0):
    """A linear network at U1 = I, U2 = 0 (n >= its width r): members with seeds of two ones each, and the point."""
    a, r, b = sizes
    seed = lambda i, j: {j: 1, b + i: 1}  # noqa: E731  C = e_i, x = e_j
    point = {k * r + k: 1 for k in range(r)}
    fields = [[seed(i, j)] for i in range(a) for j in range(b)]
    brackets = [[seed(i, j), seed(k, j)] for j in range(b) for i in range(a) for k in range(i)]
    return pc.ModularPoint(point, PRIME), fields + brackets


@pytest.fixture
def large(monkeypatch):
    """A certificate with solutions: dense seeds and a dense point, nothing is peeled; little work is allowed."""
    monkeypatch.setattr(pc, "SOLVED", 50)
    document = pc.of_count(clexact.certify(clexact.gradient_flow(models.linear([7, 7, 7]))))
    assert len(document["lie"]["solutions"]) == 6
    monkeypatch.setattr(ranks, "MAX_ELIMINATION", 10**4)
    return document


# --- what is true ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_counts_are_those_of_certify(name):
    """Built from a count, verified in both ways, with the bounds of the count."""
    count = clexact.certify(flow_of(name))
    document = pc.of_count(count)
    for rank in (None, flint_rank):
        status, said = judged(document, rank)
        assert status == 0, said
        assert said[-2] == f"at least {count.lower} independent laws (proved), at most {count.upper} (proved)"
        assert "recomputed, a proof" in said[-4] and said[-3].startswith("it rests on this: ")


def test_cross_entropy_and_covectors():
    """What the loss sees is part of the program; the laws of translations are polynomials."""
    for loss in ("cross_entropy", [[1, -1, 0]]):
        count = clexact.certify(clexact.gradient_flow(models.relu([3, 2, 2]), loss))
        status, said = judged(pc.of_count(count))
        assert status == 0 and said[-2].startswith(f"at least {count.lower} ")


def jets(part, columns):
    return pc.dense([part.get(0, {})], columns)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("density", [1, 0.3])
def test_the_evaluation_agrees_with_the_engine(name, density):
    """Fields and brackets of depth 1 and 2, at dense and sparse points, with dense and sparse seeds."""
    assert_same_values(flow_of(name), random.Random(name), density)


def assert_same_values(flow, draws, density):
    """Of the verifier and of ``values_at``, on random members of depth 0, 1, 2 at a random point."""
    program, prime, modulus, images = program_of(flow), PRIME, PRIME, None
    assert (program.theta.starts[-1], program.seed.starts[-1]) == (flow.dimension, flow.seed_size)
    if flow.analytic:
        chosen, prime = Characters(CHAIN).written(), CHAIN
        images = pv.Homomorphism([prime, *chosen["fields"]], chosen["bases"], chosen["key"])
        modulus = images.m

    def draw(size):
        return {i: draws.randrange(prime) for i in range(size) if draws.random() <= density}

    theta = draw(flow.dimension)
    at = pv.Point(program, modulus, theta, pv.Allowance(10**8), images)
    for depth in range(3):
        seeds = [draw(flow.seed_size) for _ in range(depth + 1)]
        words = np.stack([pc.dense([seed], flow.seed_size) for seed in seeds])
        wanted = values_at(flow, words, pc.dense([theta], flow.dimension)[0], prime)[0]
        found = at.bracket([program.seed.split(pv.reduced(seed, prime)) for seed in seeds], {})
        assert found.keys() <= {0}
        assert (jets(found, flow.dimension) % np.uint64(prime)).tolist() == wanted.tolist()


@pytest.mark.parametrize("name", [name for name in MODELS if not flow_of(name).analytic])
def test_the_bounds_hold_for_the_fields(name):
    """Degree and size of a field, denominators cleared: what the error of a test of laws rests on."""
    flow = flow_of(name)
    degree, bits = program_of(flow).bounds()
    coefs, owners = np.abs(flow.fields.terms.coef.astype(object)), flow.fields.terms.owner
    assert degree == flow.degree >= flow.fields.terms.degrees().max()
    assert 2**bits >= max(coefs[owners == owner].sum() for owner in np.unique(owners))


@pytest.mark.parametrize("sizes", [[3, 2, 4], [5, 5, 5], [4, 3, 2], [9, 8, 9]])
def test_sparse_witnesses(sizes):
    """One-hot seeds at a sparse point, chosen greedily by the engine's elimination: the same bounds, all is peeled."""
    flow = clexact.gradient_flow(models.linear(sizes))
    place, members = one_hot(sizes[0], sizes)
    program = program_of(flow)
    at = pv.Point(program, PRIME, place.point, pv.Allowance(10**8))
    rows = [at.bracket([program.seed.split(seed) for seed in member], {}).get(0, {}) for member in members]
    form = Echelon(flow.dimension, PRIME)
    chosen = [m for m, fresh in zip(members, form.add(pc.dense(rows, flow.dimension)), strict=True) if fresh]
    families = pc.law_families(flow)
    document = pc.document(flow, families, pc.independent_laws(flow, families, place), place, pc.Members(place, chosen))
    status, said = judged(document)
    count = clexact.certify(flow)
    if sizes[1] <= min(sizes):  # else the point is special
        assert document["claim"]["upper"] == count.upper
    assert status == 0 and document["claim"]["lower"] == count.lower, said
    assert len(pv.core(pv.Checker(document).members()[0], pv.Allowance(10**6))) == 0


def test_tanh_has_no_laws():
    """True functions: that none is left is proved."""
    document = certified("tanh")
    assert document["laws"] == [] and document["claim"]["upper"] == 0


# --- laws ------------------------------------------------------------------------------------------------------------


def polynomials_of(flow, family):
    """The laws of a family, written out from their definition."""
    if "polynomials" in family:
        return [Polynomial.from_string(text, flow.variables) for text in family["polynomials"]]
    (kind, data), laws = next(iter(family.items())), []
    slices = []
    for name, axis, sign in data["parts"]:
        shape, first = flow.model.parameters[name], flow.model.offsets()[name]
        places = np.moveaxis(np.arange(first, first + prod(shape)).reshape(shape), axis, 0)
        slices.append((places.reshape(len(places), -1).tolist(), sign))
    size = len(slices[0][0])
    for k, m in combinations_with_replacement(range(size), 2):
        if kind == "gram" or k == m:
            text = "0"
            for rows, sign in slices:
                for i, j in zip(rows[k], rows[m], strict=True):
                    text += f" {'+' if sign > 0 else '-'} {abs(sign)}*{flow.variables[i]}*{flow.variables[j]}"
            laws.append(Polynomial.from_string(text, flow.variables))
    return laws


def without_flattening(flow):
    """Its program, with what is taken from W flattened taken from W itself: a flattening lets nothing act."""
    model, written = flow.model, pc.written_program(flow.program, pc.kept_nodes(flow.program))
    flat = next(n for n, node in enumerate(written["nodes"]) if node[0] == "reshape" and node[2] == [4])
    written["nodes"][flat][2] = [2, 2]
    shapes = {"parameters": {name: list(shape) for name, shape in model.parameters.items()}, "probes": {}}
    return pv.Program({**shapes, "program": written})


def accepted_families(flow, draws, most=120, program=None):
    """Families of random signs on axes of one size that the rule of shapes accepts; few axes: all of them."""
    program, shapes = program or program_of(flow), flow.model.parameters
    for size in sorted({n for shape in shapes.values() for n in shape}):
        axes = [(key, axis) for key, shape in shapes.items() for axis, n in enumerate(shape) if n == size]
        assignments = list(product((0, 1, -1), repeat=len(axes))) if len(axes) <= 4 else []
        assignments = assignments or [[draws.choice((0, 0, 1, -1, 2)) for _ in axes] for _ in range(most)]
        for signs in assignments:
            parts = [[*axis, sign] for axis, sign in zip(axes, signs, strict=True) if sign]
            for kind in ("gram", "diagonal") if parts else ():
                try:
                    read = pv.laws_of({kind: {"parts": parts}}, program, "laws", pv.Allowance(10**6))
                    read.check(pv.Allowance(10**7))
                    yield {kind: {"parts": parts}}
                except (pv.Untrue, pv.NotACertificate):
                    continue


NETS = COMPLETE | OTHERS
SHOWN = (
    "linear [2, 3, 2]",
    "relu [2, 3, 1] with bias",
    "head",
    "residual with gates",
    "bilinear gated unit",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_the_rule_of_shapes_shows_laws_only(name):
    """What it accepts, of all assignments of signs, on the programs made against the engine's rule: identities."""
    flow = NETS[name].flow()
    accepted = list(accepted_families(flow, random.Random(name)))
    for family in accepted:
        assert len(lie_derivatives(polynomials_of(flow, family), flow.fields)) == 0, family
    assert accepted or name not in SHOWN


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_random_programs(first):
    """The rule shows no false law of random compositions of all operations, and their values are the engine's."""
    for seed in range(first, first + 20):
        draws = random.Random(seed)
        flow = random_net(draws, steps=draws.randint(3, 8)).flow()
        for family in accepted_families(flow, draws, most=40):
            assert len(lie_derivatives(polynomials_of(flow, family), flow.fields)) == 0, (seed, family)
        assert_same_values(flow, draws, draws.choice([0.3, 1]))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(2,), (2, 2)], ids=str)
def test_takes(shape):
    """All ways to pick a vector or a matrix from four entries, contracted with another: no false law is shown."""
    accepted = 0
    for table in product(range(4), repeat=prod(shape)):
        index = np.array(table).reshape(shape)
        output = lambda W, V, index=index: W.reshape(4)[index] @ V  # noqa: E731
        flow = clexact.gradient_flow(clexact.Model({"W": (2, 2), "V": (2, 1)}, {}, output))
        for family in accepted_families(flow, random.Random(0), program=without_flattening(flow)):
            accepted += 1
            assert len(lie_derivatives(polynomials_of(flow, family), flow.fields)) == 0, (table, family)
    assert accepted > 0


@pytest.mark.parametrize("name", MODELS)
def test_the_families_are_laws_and_have_their_gradients(name):
    """Exact identities, and the sparse gradients are those of the polynomials."""
    flow, draws = flow_of(name), random.Random(name)
    program, theta = (
        program_of(flow),
        {j: draws.randrange(PRIME) for j in range(flow.dimension) if draws.random() < 0.6},
    )
    for family in pc.law_families(flow):
        laws = polynomials_of(flow, family)
        if flow.analytic:
            assert all(clexact.check_law(flow, str(law)) for law in laws)
        else:
            assert len(lie_derivatives(laws, flow.fields)) == 0
        read = pv.laws_of(family, program, "laws", pv.Allowance(10**6))
        gradients = read.gradients(theta, PRIME, pv.Allowance(10**6))
        assert read.count == len(laws) == len(gradients)
        point = [theta.get(j, 0) for j in range(flow.dimension)]
        for law, gradient in zip(laws, gradients, strict=True):
            wanted = [int(slope(*point)) % PRIME for slope in law.gradient]
            assert [gradient.get(j, 0) for j in range(flow.dimension)] in (wanted, [-x % PRIME for x in wanted])


# --- forged ----------------------------------------------------------------------------------------------------------


def changed(change, name="relu"):
    """A document with one change, its hash made anew."""
    document = copy.deepcopy(BASES[name])
    change(document)
    if isinstance(document.get("program"), dict):
        document["sha256"] = pv.program_hash(document)
    return document


BASES = {name: certified(name) for name in ("linear", "relu", "rotary attention", "swiglu")}


def drop_member(d):
    d["lie"]["members"].pop()
    d["lie"]["ranks"][-1] -= 1


def repeat_member(d):
    d["lie"]["members"].append(d["lie"]["members"][-1])
    d["lie"]["ranks"][-1] += 1
    d["claim"]["upper"] -= 1


def scale_a_member(d):
    """The same field twice, with seeds of which one is a multiple of the other."""
    d["lie"]["seeds"].append([x if n % 2 == 0 else 2 * x for n, x in enumerate(d["lie"]["seeds"][0])])
    d["lie"]["members"].insert(0, [len(d["lie"]["seeds"]) - 1])
    d["lie"]["ranks"] = [rank + 1 for rank in d["lie"]["ranks"]]
    d["claim"]["upper"] -= 1


def false_polynomial(d):
    d["laws"].append({"polynomials": ["U1[0,0]^2 - U2[0,0]^2"]})


def claims_a_false_law(d):
    false_polynomial(d)
    d["independence"]["laws"].append([d["independence"]["rank"]] * 2)
    d["independence"]["rank"] += 1
    d["claim"]["lower"] += 1


def set_at(*path, value):
    def change(d):
        for key in path[:-1]:
            d = d[key]
        d[path[-1]] = value(d[path[-1]]) if callable(value) else value

    return change


PARTS = ("laws", 0, "diagonal", "parts")
FALSE = {
    "lower + 1": set_at("claim", "lower", value=lambda x: x + 1),
    "lower - 1": set_at("claim", "lower", value=lambda x: x - 1),
    "upper + 1": set_at("claim", "upper", value=lambda x: x + 1),
    "upper - 1": set_at("claim", "upper", value=lambda x: x - 1),
    "evidence": set_at("claim", "upper_evidence", value="closed"),
    "boolean": set_at("claim", "lower", value=True),
    "dimension": set_at("dimension", value=lambda x: x + 1),
    "rank": set_at("independence", "rank", value=lambda x: x + 1),
    "a law twice": set_at("independence", "laws", value=[[0, 2], [0, 0]]),
    "a law that is none": set_at("independence", "laws", value=[[0, 3]]),
    "a range from below 0": set_at("independence", "laws", value=[[-1, 2]]),
    "huge range": set_at("independence", "laws", value=[[0, 10**18]]),
    "many ranges": set_at("independence", "laws", value=[[0, 2]] * 10**4),
    "composite": set_at("lie", "prime", value=str(4194301 * 4194287)),
    "prime 1": set_at("lie", "prime", value="1"),
    "prime over 2^64": set_at("lie", "prime", value=str(2**64 + 13)),
    "prime 2": set_at("lie", "prime", value="2"),
    "point 0": set_at("lie", "point", value=[]),
    "point of the laws 0": set_at("independence", "point", value=[]),
    "ranks": set_at("lie", "ranks", value=lambda x: [x[0] - 1, *x[1:]]),
    "more ranks": set_at("lie", "ranks", value=lambda x: [*x, x[-1] + 1]),
    "dropped member": drop_member,
    "member twice": repeat_member,
    "scaled member": scale_a_member,
    "seeds 0": set_at("lie", "seeds", 0, value=[]),
    "bracket with itself": set_at("lie", "members", -1, value=lambda m: [m[0], m[0]]),
    "false polynomial": false_polynomial,
    "false law claimed": claims_a_false_law,
    "sign": set_at(*PARTS, 0, 2, value=lambda x: -x),
    "weight": set_at(*PARTS, 0, 2, value=lambda x: 2 * x),
    "part left out": set_at(*PARTS, value=lambda x: x[1:]),
    "gram of a relu": set_at("laws", 0, value=lambda f: {"gram": f["diagonal"]}),
    "solutions not needed": set_at("lie", "solutions", value=[]),
}
UNFIT = {
    "format": set_at("format", value="clexact-program-certificate-2"),
    "axis": set_at(*PARTS, 0, 1, value=0),
    "axis of no parameter": set_at(*PARTS, 0, 1, value=7),
    "no parameter": set_at(*PARTS, 0, 0, value="W"),
    "weight 0": set_at(*PARTS, 0, 2, value=0),
    "no parts": set_at(*PARTS, value=[]),
    "part twice": set_at(*PARTS, value=lambda x: [x[0], x[0]]),
    "another family": set_at("laws", 0, value={"cubic": []}),
    "text": set_at("laws", value=[{"polynomials": ["U1[0,0]^2 -- U2[0,0]^2"]}]),
    "index": set_at("laws", value=[{"polynomials": ["U1[9,9]"]}]),
    "no member": set_at("lie", "members", 0, value=[]),
    "member of no seed": set_at("lie", "members", 0, value=[10**9]),
    "float": set_at("lie", "point", 1, value=1.5),
    "text in a point": set_at("lie", "point", 1, value="1"),
    "place beyond": set_at("lie", "point", -2, value=10**6),
    "places not in order": set_at("lie", "point", value=lambda x: x[2:4] + x[:2]),
    "odd": set_at("lie", "seeds", 0, value=[0]),
    "place twice": set_at("lie", "point", value=[0, 1, 1, 1, 1, 2, 3, 1]),
    "place beyond, inside": set_at("lie", "point", value=[0, 1, 10**6, 1, 3, 1]),
    "seed from the end": set_at("lie", "members", 0, value=[-1]),
    "further key": lambda d: d["lie"].update(more=1),
    "huge shape": set_at("parameters", "U1", value=[10**9, 10**9]),
    "negative shape": set_at("parameters", "U1", value=[-2, -3]),
    "another shape": set_at("parameters", "U1", value=[3, 2]),
    "name": lambda d: d["parameters"].update({"a b": [1]}),
    "output": set_at("program", "output", value=10**6),
    "operation": set_at("program", "nodes", 5, 0, value="divide"),
    "operation no text": set_at("program", "nodes", 5, 0, value=["matmul"]),
    "later input": set_at("program", "nodes", 5, 1, value=[9, 10]),
    "wide shape": set_at("program", "nodes", 5, 2, value=[3, 10**5]),
    "too many nodes": set_at("program", "nodes", value=lambda x: x + [["add", [0, 0], x[0][2], None]] * 10**5),
    "more nodes": set_at("program", "nodes", value=lambda x: [*x, ["sum", [0], [1], 0]]),
}


def quick(document, rank=None):
    """The status; ten seconds of work are too many."""
    start = time.process_time()
    status, said = judged(document, rank)
    assert time.process_time() - start < 10 and said and all(type(sentence) is str for sentence in said)
    return status


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_refused(name):
    """Each number, law and member is load-bearing."""
    assert quick(changed(FALSE[name])) == quick(changed(FALSE[name]), flint_rank) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", UNFIT)
def test_what_has_not_the_form_is_no_certificate(name):
    """Types, shapes and keys are strict."""
    assert quick(changed(UNFIT[name])) == 2


@pytest.mark.slow
@pytest.mark.parametrize("key", pv.KEYS)
def test_every_key_is_load_bearing(key):
    """Its presence and its type; and what others have there."""
    for name, base in BASES.items():
        document = copy.deepcopy(base)
        for value in (None, 0, "x", [], {}, [[]], {"": 0}, True, 10**30, *(other[key] for other in BASES.values())):
            document[key] = value
            fine = value == base[key] or (key == "assumptions" and type(value) is list)
            fine = fine or (key == "model" and type(value) is dict) or (key == "version" and type(value) is str)
            # of another certificate: at its point they may be independent too
            fine = fine or (key == "independence" and any(value == other[key] for other in BASES.values()))
            assert quick(document) != 0 or fine, (name, value)
        del document[key]
        assert quick(document) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_every_node_is_load_bearing(name):
    """With the old hash: false. With a new one: verified only if the count is that of the new program."""
    base = BASES[name]
    draws = random.Random(name)
    for n, node in enumerate(base["program"]["nodes"]):
        earlier = [other for other in base["program"]["nodes"][:n] if other != node]
        for other in draws.sample(earlier, min(len(earlier), 8)):
            document = copy.deepcopy(base)
            document["program"]["nodes"][n] = other
            assert quick(document) != 0
            document["sha256"] = pv.program_hash(document)
            if quick(document) == 0:
                assert_true(document)


def assert_true(document):
    """The claim holds of the program: the engine counts the laws of a model that runs it."""
    output = output_of(document["program"])
    count = clexact.certify(clexact.gradient_flow(clexact.Model(document["parameters"], document["probes"], output)))
    assert document["claim"]["lower"] <= count.upper and count.lower <= document["claim"]["upper"]


# --- solutions -------------------------------------------------------------------------------------------------------


def test_solutions(large):
    """Where elimination is too much, the verdict states the error; FLINT recomputes the rank."""
    for rank, how in ((None, "error <= 2^-100"), (flint_rank, "proved")):
        status, said = judged(large, rank)
        assert status == 0 and said[-2] == f"at least 28 independent laws (proved), at most 28 ({how})"
        assert ("challenges derived from the document" in said[-4]) == (rank is None)


def test_forged_solutions(large):
    """Altered, left out, exchanged, or those of another document."""
    solutions = large["lie"]["solutions"]
    for forged in (
        solutions[1:],
        [*solutions[1:], solutions[0]],
        [solutions[0][2:], *solutions[1:]],
        [[*solutions[0][:1], solutions[0][1] + 1, *solutions[0][2:]], *solutions[1:]],
        [[]] * len(solutions),
    ):
        assert quick(large | {"lie": {**large["lie"], "solutions": forged}}) == 1
    assert quick(large | {"version": "another"}) == 1  # other challenges
    assert quick(large | {"lie": {**large["lie"], "solutions": [[0, 1.5]]}}) == 2


def test_dependent_members_have_no_solutions(large):
    """A member twice: no solution of the challenges exists, and those of an independent matrix are refused."""
    rows, p = pv.Checker(large).members()
    with pytest.raises(ValueError, match="not independent"):
        pc.solutions([*rows[1:], rows[-1]], [[1] * len(rows)], p)
    forged = copy.deepcopy(large)
    forged["lie"]["members"][-1] = forged["lie"]["members"][-2]
    wanted = pv.challenges(forged, len(rows), p)
    found = pc.solutions(rows, wanted, p)  # of the other matrix
    forged["lie"]["solutions"] = [pc.flat(y) for y in found]
    assert quick(forged) == quick(forged, flint_rank) == 1


def test_challenges_bind_the_document(large):
    """They depend on every key, not on the solutions; enough of them for 2^-128, also for small primes."""
    rows = 7
    base = pv.challenges(large, rows, PRIME)
    assert len(base) == 6 and {len(b) for b in base} == {rows}
    other = large | {"lie": {key: value for key, value in large["lie"].items() if key != "solutions"}}
    assert pv.challenges(other, rows, PRIME) == base
    for key in pv.KEYS:
        if key != "lie":
            assert pv.challenges(large | {key: "other"}, rows, PRIME) != base
    assert len(pv.challenges(large, rows, 2)) == 128 and len(pv.challenges(large, rows, 2**64 - 59)) == 3


# --- ranks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_full_rank_of_sparse_rows(seed):
    """Peeling and elimination say what dense elimination says, by blocks, with and without FLINT."""
    draws, p = random.Random(seed), random.Random(seed).choice([2, 3, 5, 65537, PRIME])
    count, columns, density = draws.randint(0, 12), draws.randint(1, 16), draws.choice([0.1, 0.2, 0.4, 1])
    rows = [{c: draws.randrange(1, p) for c in range(columns) if draws.random() < density} for _ in range(count)]
    if draws.random() < 0.3 and count > 1:
        rows[-1] = pv.reduced({c: sum(row.get(c, 0) for row in rows[:-1]) for c in range(columns)}, p)
    form = Echelon(columns, p)
    full = bool(form.add(pc.dense(rows, columns)).all()) if rows else True
    for rank in (None, flint_rank):
        try:
            pv.check_full_rank(pv.core(rows, pv.Allowance(10**6)), p, rank)
            assert full
        except pv.Untrue:
            assert not full


# --- bytes -----------------------------------------------------------------------------------------------------------

GOOD = pc.to_bytes(BASES["rotary attention"])
PLAIN = gzip.decompress(GOOD)
FUZZ = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def bomb(text, count):
    """Much text, compressed."""
    return gzip.compress(text * count, mtime=0)


BYTES_OF = {
    "empty": b"",
    "NUL": bytes(100),
    "cut off": GOOD[:-1],
    "half": GOOD[: len(GOOD) // 2],
    "header only": GOOD[:10],
    "twice": GOOD + GOOD,
    "followed": GOOD + b"x",
    "bomb": bomb(bytes(10**6), 300),
    "bomb of bombs": gzip.compress(bomb(bytes(10**6), 90)),
    "nested": b"[" * 10**5,
    "nested objects": b'{"a":' * 10**5,
    "nested inside": PLAIN.replace(b'"assumptions":[', b'"assumptions":[' + b"[" * 900 + b"]" * 900 + b","),
    "NaN": PLAIN.replace(b'"dimension":16', b'"dimension":NaN'),
    "float": PLAIN.replace(b'"dimension":16', b'"dimension":16.0'),
    "many digits": PLAIN.replace(b'"dimension":16', b'"dimension":' + b"1" * 5000),
    "a key twice": PLAIN.replace(b'"dimension":16', b'"dimension":16,"dimension":16'),
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "no UTF-8": PLAIN.replace(b"generic start", b"\xff"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BYTES_OF)
def test_bytes_that_are_no_certificate(name):
    """No exception, no hang; status 2 (nested inside what is not read, it may be verified)."""
    start = time.perf_counter()
    status, said = pv.verify_bytes(BYTES_OF[name])
    assert time.perf_counter() - start < 10
    assert status == 2 or (name == "nested inside" and status in (0, 2)), said


@pytest.mark.slow
@FUZZ
@given(data=st.data(), plain=st.booleans())
def test_flipped_bytes(data, plain):
    """Never an exception; never verified when untrue."""
    content = bytearray(PLAIN if plain else GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.sampled_from(b'0123456789[]{},:"-') if plain else st.integers(0, 255)
        )
    status, said = pv.verify_bytes(bytes(content))
    assert status in (0, 1, 2) and said
    if status == 0:
        assert_true(pv.read(pv.unpacked(bytes(content))))


@FUZZ
@given(content=st.binary(max_size=60), packed=st.booleans())
def test_random_bytes(content, packed):
    """Compressed or not."""
    assert pv.verify_bytes(gzip.compress(content) if packed else content)[0] == 2


VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, -1, 3, 2**70, "x", "1/3", "U1", "3"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gram", "parts", "prime"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@FUZZ
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere(data, value):
    """In place of any item of a document, its hash made anew."""
    document = copy.deepcopy(BASES["linear"])
    inner = document
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.integers(0, 3)) == 0:
            break
        inner = inner[key]
    inner[key] = value
    if all(isinstance(document[key], dict) for key in ("parameters", "probes", "program")):
        document["sha256"] = pv.program_hash(document)
    if quick(document) == 0:
        assert_true(document)


def long_documents():
    """Short documents that would take long: their work is bounded."""
    base = BASES["linear"]
    node = base["program"]["nodes"]
    chain = [*node, *(["multiply", [len(node) - 1 + k] * 2, [3], None] for k in range(3000))]
    squares = {"program": {"nodes": chain, "output": len(chain) - 1}}
    yield "squares of squares", squares
    yield "tested squares of squares", squares | {"laws": [{"polynomials": ["U1[0,0]"]}]}
    deep = {**base["lie"], "members": [[0, 1] * 6] * 9, "ranks": [*[0] * 11, 9]}
    yield "deep brackets", {"lie": deep}
    text = "*".join(f"U1[{i % 3},{i % 2}]^{i + 1}" for i in range(5000))
    yield "long product", {"laws": [{"polynomials": [text]}]}
    yield "long sum", {"laws": [{"polynomials": ["+".join([text[:2000].rpartition("*")[0]] * 2000)]}]}
    takes = [["parameter", [], [2] * 15, "U1"], *(["take", [k], [2] * 15, list(range(2**15))] for k in range(8))]
    axes = {"parts": [["U1", axis, 1] for axis in range(15)]}
    program = {"nodes": takes, "output": 8}
    yield (
        "axes",
        {
            "dimension": 2**15,
            "parameters": {"U1": [2] * 15},
            "probes": {},
            "program": program,
            "laws": [{"gram": axes}],
        },
    )
    yield "families", {"laws": [{"gram": base["laws"][0]["gram"]}] * 20_000}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "change"), list(long_documents()), ids=lambda x: x if isinstance(x, str) else "")
def test_no_short_document_takes_long(name, change, monkeypatch):
    """With a tenth of the work that is allowed; all of it is bounded, by the length of the document too."""
    monkeypatch.setattr(check, "MIN_WORK", check.MIN_WORK // 10)
    monkeypatch.setattr(check, "WORK_PER_BYTE", check.WORK_PER_BYTE // 10)
    document = BASES["linear"] | change
    document["sha256"] = pv.program_hash(document)
    assert quick(document) != 0 or name in ("squares of squares", "families")  # true: the laws of f are those of f^k


# --- files -----------------------------------------------------------------------------------------------------------


def test_files(tmp_path, alone):
    """Saved compressed or not, loaded, verified in a fresh process without the package; the same bytes each time."""
    document = BASES["linear"]
    for name in ("c.json.gz", "c.json"):
        Certificate(document).save(tmp_path / name)
        assert Certificate.load(tmp_path / name).data == document
        assert clexact.verify(tmp_path / name)
    assert (tmp_path / "c.json.gz").read_bytes() == pc.to_bytes(document) == pc.to_bytes(certified("linear"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.json", "c.json.gz"]
    (tmp_path / "false.json").write_text(json.dumps(changed(FALSE["upper - 1"], "linear")))
    (tmp_path / "none.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="not a certificate"):
        Certificate.load(tmp_path / "none.json")
    for names, status in [(["c.json.gz", "c.json"], 0), (["c.json", "false.json"], 1), (["none.json"], 2), (["no"], 2)]:
        paths = [str(tmp_path / name) for name in names]
        done = subprocess.run([sys.executable, "-I", "-S", alone, *paths], capture_output=True, text=True)
        assert done.returncode == status and not done.stderr


def test_what_has_no_program_certificate():
    """No gradient flow; what rests on a single field, of which the program has multiples: such fields are listed."""
    fields = clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]])
    with pytest.raises(ValueError, match="no gradient flow"):
        pc.of_count(clexact.certify(fields))
    one = clexact.gradient_flow(clexact.Model({"u": (2,)}, {"x": ()}, lambda u, x: x * (u[0] * u[1] ** 2 + u[0])))
    with pytest.raises(ValueError, match="closure"):
        pc.of_count(clexact.certify(one))
    assert not clexact.certify(one).certificate.of_program


def test_dependent_members_are_not_written():
    """The same field twice; the sizes of a seed."""
    flow = clexact.gradient_flow(models.linear([2, 2, 2]))
    place = pc.ModularPoint({0: 1, 3: 1}, PRIME)
    for seeds in ([[{0: 1, 2: 1}], [{0: 2, 2: 1}]], [[{9: 1}]]):
        with pytest.raises(ValueError, match="no certificate"):
            pc.document(flow, [], [], place, pc.Members(place, seeds))
        assert judged(pc.document(flow, [], [], place, pc.Members(place, seeds), solve=False))[0] != 0


def test_what_the_document_is_about():
    """The program of the model described, or of another; and which bytes are such a document."""
    assert pc.same_program(BASES["linear"], flow_of("linear"))
    assert pc.same_program(json.loads(json.dumps(BASES["swiglu"])), flow_of("swiglu"))
    for other in (flow_of("relu"), clexact.gradient_flow(models.linear([3, 2, 4])), flow_of("linear", "cross_entropy")):
        assert not pc.same_program(BASES["linear"], other)
    listed = fields_certificate.of_count(clexact.certify(flow_of("linear")))
    assert not Certificate(listed).of_program and Certificate(BASES["linear"]).of_program


def test_the_command_verifies_and_rebuilds(tmp_path, capsys):
    """Both kinds, compressed or not; damaged bytes are no certificate."""
    Certificate(BASES["linear"]).save(tmp_path / "program.json.gz")
    Certificate(fields_certificate.of_count(clexact.certify(flow_of("linear")))).save(tmp_path / "fields.json.gz")
    for name in ("program.json.gz", "fields.json.gz"):
        assert cli.run(["verify", "--rebuild", "--fast", str(tmp_path / name)]) == 0
        assert "of the gradient flow of linear" in capsys.readouterr().out
    described = {**BASES["linear"], "model": {**BASES["linear"]["model"], "sizes": [3, 2, 4]}}
    Certificate(described).save(tmp_path / "other.json")
    assert cli.run(["verify", str(tmp_path / "other.json")]) == 0
    with pytest.raises(SystemExit, match="1"):
        cli.run(["verify", "--rebuild", str(tmp_path / "other.json")])
    (tmp_path / "cut.json.gz").write_bytes((tmp_path / "program.json.gz").read_bytes()[:-9])
    with pytest.raises(SystemExit, match="2"):
        cli.run(["verify", str(tmp_path / "cut.json.gz")])
    assert "not a certificate" in capsys.readouterr().out


def test_counts_with_sparse_witnesses_are_saved_with_their_program(tmp_path):
    """By default from a dimension on; the claim is that of the count."""
    for model in (models.linear([16, 17, 18]), models.relu([14, 14, 12, 12], bias=True)):
        count = clexact.certify(clexact.gradient_flow(model))
        assert not count.closure.generic and count.certificate.of_program
        count.certificate.save(tmp_path / "c.json.gz")
        verdict = clexact.verify(tmp_path / "c.json.gz", rebuild=True)
        assert verdict and "recomputed, a proof" in str(verdict)
        claim = Certificate.load(tmp_path / "c.json.gz").data["claim"]
        assert (claim["lower"], claim["upper"]) == (count.lower, count.upper)


def test_a_degree_too_large_for_random_points_is_undecided(monkeypatch):
    """Without the chain rule: a - b is a law, but the chance of an error cannot be made small. Nothing is false."""

    def output(a, b, u):
        power = u
        for _ in range(31):
            power = power * power
        return concatenate([(a + b).reshape((1,)), power.reshape((1,))])

    model = clexact.Model({"a": (), "b": (), "u": ()}, {}, output)
    count = clexact.certify(clexact.gradient_flow(model))
    assert (count.lower, count.upper) == (1, 1)
    assert clexact.verify(count.certificate)
    monkeypatch.setattr(pv.Checker, "check_by_chain_rule", lambda self, families: families)
    verdict = clexact.verify(count.certificate)
    assert verdict.status is VerdictStatus.UNDECIDED and "degree of the output is too large" in str(verdict)
