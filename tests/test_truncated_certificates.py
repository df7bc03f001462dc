"""Certificates of models with analytic functions: laws count only where the program before expansion has them."""

import json
import random

import numpy as np
import pytest
import sympy

import clexact
from clexact import models
from clexact.algebra.draws import Draws
from clexact.flows.gradient import GradientFlow
from clexact.functions import exp, gelu, reciprocal, softmax, tanh
from clexact.programs.opaque import OpaqueJets
from clexact.proofs import program_certificate as pc
from clexact.proofs import program_verifier as pv
from clexact.proofs.certificate import Certificate, VerdictStatus, verify

FLOWS = {
    "tanh": clexact.gradient_flow(models.tanh(2, 2, 2, order=1)),
    "gelu": clexact.gradient_flow(models.gelu(1, 2, 1, order=1)),
    "attention": clexact.gradient_flow(models.attention(2, 2, tokens=2, order=1)),
    "sigmoid gates": clexact.gradient_flow(models.moe(2, 2, 1, gate="sigmoid", order=2)),
    "softmax gates": clexact.gradient_flow(models.moe(2, 2, 1)),
    "classes": clexact.gradient_flow(models.attention(2, 2, tokens=2), "cross_entropy"),
    "gated": clexact.gradient_flow(models.swiglu(1, 2, 1)),
}


def of_coefficients(flow):
    """The truth about the Taylor coefficients, said of the model: all but the claim is what the model has."""
    document = json.loads(clexact.certify(flow.fields).certificate.to_json())
    document["model"], document["assumptions"] = (
        {"description": flow.description, **flow.recipe},
        list(flow.assumptions),
    )
    return document


def refused(document, word="Taylor"):
    """Whether a document is refused when its model is made anew, in these words."""
    verdict = verify(Certificate(document), rebuild=True)
    return verdict.status is VerdictStatus.FALSE and word in verdict.sentences[-1]


@pytest.mark.parametrize("name", FLOWS)
def test_laws_of_coefficients_are_no_laws_of_the_model(name):
    document = of_coefficients(FLOWS[name])
    verdict = verify(Certificate(document))
    assert verdict and "a proof about the" in verdict.sentences[-1] and "was not checked" in verdict.sentences[-1]
    assert document["claim"]["lower"] > 0 and refused(document)


def test_closure_of_one_coefficient_is_none_of_the_model():
    """A single field is closed, so there are D - 1 laws: of the coefficient."""
    flow = clexact.gradient_flow(models.tanh(1, 1, 1, order=1))
    document = of_coefficients(flow)
    document |= {"laws": [], "closure": {"kind": "one field"}}
    document["independence"] |= {"laws": [], "rank": 0}
    assert verify(Certificate(document)) and refused(document)


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid gates"])
def test_bounds_from_above_by_coefficients_stand(name):
    """Without laws the same document says what is true."""
    document = of_coefficients(FLOWS[name])
    document |= {"laws": [], "closure": {"kind": "none"}}
    document["independence"] |= {"laws": [], "rank": 0}
    document["claim"] |= {"lower": 0, "lower_evidence": "proved"}
    assert verify(Certificate(document), rebuild=True)


@pytest.mark.parametrize("name", FLOWS)
def test_true_certificates_prove_their_laws_on_the_source(name):
    count = clexact.certify(FLOWS[name])
    document = json.loads(count.certificate.to_json())
    assert document["format"] == pv.FORMAT and document["claim"]["lower"] == count.lower
    assert any(node[0] in pv.FUNCTIONS for node in document["source"]["nodes"])
    assert verify(count.certificate, rebuild=True)
    laws = [said for said in verify(count.certificate).sentences if said.split()[1:2] in (["laws"], ["polynomials"])]
    assert all("of the source, functions opaque" in said for said in laws)
    assert bool(laws) == bool(count.lower)


def program_level_lies(flow):
    """Documents with the program of the coefficients, of which more is a law than of the model."""
    document = json.loads(clexact.certify(flow).certificate.to_json())
    fields = clexact.certify(flow.fields)
    laws = {"polynomials": [str(h) for h in fields.laws]}
    point = {j: int(x) for j, x in enumerate(fields.shown.point) if x}
    shown = pc.ModularPoint(point, fields.shown.prime)
    lie = document | {
        "laws": [laws],
        "independence": {**shown.written(), "laws": pc.ranges(fields.shown.laws), "rank": fields.exhibited},
        "claim": document["claim"] | {"lower": fields.exhibited},
    }
    yield "laws of the coefficients", lie
    without = {key: value for key, value in lie.items() if key != "source"}
    yield "without the source", without | {"sha256": pv.program_hash(without)}
    same = lie | {"source": lie["program"]}
    yield "the coefficients as the source", same | {"sha256": pv.program_hash(same)}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_program_level_lies_are_refused(name):
    flow = FLOWS[name]
    if clexact.certify(flow.fields).exhibited <= clexact.certify(flow).lower:
        pytest.skip("the coefficients have no laws of their own")
    for what, document in program_level_lies(flow):
        verdict = verify(Certificate(document), rebuild=True)
        assert verdict.status is VerdictStatus.FALSE, what
        if what == "laws of the coefficients":
            assert "no law" in verdict.sentences[-1]


def test_lies_of_the_suite_are_lies():
    assert sum(clexact.certify(f.fields).exhibited > clexact.certify(f).lower for f in FLOWS.values()) >= 3


def test_functions_stand_in_a_source_alone():
    document = json.loads(clexact.certify(FLOWS["gelu"]).certificate.to_json())
    swapped = document | {"program": document["source"]}
    status, said = pv.verify_bytes(json.dumps(swapped).encode())
    assert status == 2 and "only a source has functions" in said[0]


@pytest.mark.parametrize("flow", [clexact.momentum_flow, lambda m: clexact.gradient_flow(m, weight_decay=1)])
def test_no_certificate_where_the_source_has_no_place(flow):
    """On a phase space only fields are listed, and those are coefficients."""
    with pytest.raises(ValueError, match="has no certificate: its fields are Taylor coefficients"):
        _ = clexact.certify(flow(models.swiglu(1, 2, 1))).certificate


# --- functions in the verifier ---------------------------------------------------------------------------------------

NETWORKS = {
    "nested": lambda U, v, x: (tanh(U @ tanh(v * x)) * v).sum(),
    "quotient": lambda U, v, x: (U @ x * reciprocal(1 + v * v)).sum() * exp(v @ x),
    "softmax": lambda U, v, x: (softmax(U * x, 0) @ v).sum() + softmax(U @ x) @ v,
    "the same twice": lambda U, v, x: gelu(v @ x) * v[0] + gelu((v * x).sum()) * v[1] + exp(v * v).sum(),
}
PRIME = 2**61 - 1


def network(name):
    return clexact.Model({"U": (2, 2), "v": (2,)}, {"x": (2,)}, NETWORKS[name])


def source(flow):
    return pv.Program(pc.written_model(flow) | {"source": pc.written_program(flow.model.program)}, "source")


class Flow(GradientFlow):
    """The flow of a program that is never expanded."""

    def __init__(self, model):
        self.model, self.loss, self.program, self.source = model, "full", model.program, model.program
        self.variables, self.truncated = model.variables, False


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(5))
def test_verifier_and_engine_agree_on_opaque_functions(monkeypatch, name, seed):
    """Two codes, sparse and dense, with the same values of the functions."""
    flow, rng, ring = Flow(network(name)), random.Random(seed), OpaqueJets(PRIME, Draws(seed))

    def value(self, name, u):
        return int(ring.function({0: np.array([u], dtype=np.uint64)}, name)[0][0])

    monkeypatch.setattr(pv.Point, "opaque", value)
    program = source(flow)
    theta, seeds = ([rng.randrange(PRIME) for _ in range(n)] for n in (6, 3))
    place, named = (np.array([numbers], dtype=np.uint64) for numbers in (theta, seeds))
    mine = flow.opaque_values({0: place}, named, ring)
    at = pv.Point(program, PRIME, dict(enumerate(theta)), pv.Allowance(10**6))
    theirs = at.field(program.seed.split(dict(enumerate(seeds))), {}).get(0, {})
    assert [theirs.get(j, 0) for j in range(6)] == mine[0][0].tolist()


@pytest.mark.parametrize("name", ["nested", "quotient", "softmax"])
def test_degrees_bound_those_of_the_numerator(name):
    """Functions and slopes as variables of SymPy, in a common denominator."""
    model = clexact.Model({"u": (2,)}, {"x": ()}, {
        "nested": lambda u, x: tanh(u[0] * tanh(u[1] * x)) * u[0],
        "quotient": lambda u, x: u[0] * reciprocal(3 + u[1] * x) + reciprocal(u[0] * u[0] + x),
        "softmax": lambda u, x: softmax(u * x) @ u,
    }[name])  # fmt: skip
    a, b, x, c = sympy.symbols("a b x c")
    t, E = sympy.Function("t"), sympy.exp
    value = {
        "nested": t(a * t(b * x)) * a,
        "quotient": a / (3 + b * x) + 1 / (a * a + x),
        "softmax": (E(a * x) * a + E(b * x) * b) / (E(a * x) + E(b * x)),
    }[name]
    degree, bits = source(Flow(model)).bounds()
    for variable in (a, b):
        numerator, _ = sympy.fraction(sympy.together((c * value).diff(variable).doit()))
        atoms = sorted(numerator.atoms(sympy.Function, sympy.Derivative, sympy.Subs), key=lambda f: -len(str(f)))
        plain = numerator.subs({f: sympy.Dummy() for f in atoms})
        poly = sympy.Poly(sympy.expand(plain), *plain.free_symbols)
        assert poly.total_degree() <= degree
        assert sum(abs(k) for k in poly.coeffs()) <= 2**bits


def test_a_reciprocal_of_zero_ends():
    """A program that divides by 0 everywhere is undecided, not endless."""
    model = clexact.Model({"u": ()}, {"x": ()}, lambda u, x: u * x * reciprocal(0 * u))
    flow = Flow(model)
    data = {**pc.written_model(flow), "source": pc.written_program(model.program)}
    program = pv.Program(data, "source")
    with pytest.raises(pv.Pole):
        pv.Point(program, PRIME, {0: 3}, pv.Allowance(10**6))
