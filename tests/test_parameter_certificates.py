"""Certificates of fields with parameters: against counts at values of these, and forged."""

import copy
from fractions import Fraction

import pytest

import clexact
from clexact import VectorFields
from clexact.cli.main import run
from clexact.proofs.verifier import large, referee

SYSTEMS = {
    "an oscillator": ("par a, b\nx' = a*y\ny' = -b*x", {"a": 2, "b": 3}, 1),
    "Michaelis-Menten": (
        "par k1, k2, k3\nS' = k2*C - k1*E*S\nE' = (k2 + k3)*C - k1*E*S\nC' = k1*E*S - (k2 + k3)*C\nP' = k3*C",
        {"k1": 1, "k2": 2, "k3": Fraction(1, 3)},
        3,
    ),
    "divided by a parameter": ("par a\nx' = x*y/a\ny' = -x*y\nz' = x*y", {"a": 5}, 2),
    "nothing is conserved": ("par a\nx' = a*x", {"a": 2}, 0),
}


def certified(name):
    fields = VectorFields.from_ode(SYSTEMS[name][0])
    return fields, clexact.certify(fields)


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_parameter_is_a_law_beside_those_counted(name):
    """Both tiers accept; the number is that at values of the parameters, which are no part of the dimension."""
    fields, count = certified(name)
    document = count.certificate.data
    p = len(fields.parameters)
    assert count.lower == count.upper == SYSTEMS[name][2] and document["claim"]["upper"] == count.upper + p
    assert document["dimension"] == count.dimension + p
    values = clexact.certify(fields.at(SYSTEMS[name][1]))
    assert (values.lower, values.upper) == (count.lower, count.upper)
    said = f"at generic ones at least {count.lower}, at most {count.upper}"
    for judge in (large, referee):
        status, sentences = judge.verify_bytes(count.certificate.to_bytes())
        assert status == 0 and any(line.endswith(said) for line in sentences)
    assert clexact.verify(count.certificate, rebuild=True)


def test_several_fields_with_parameters():
    """The second stretches z alone, the first turns x and y: an ellipse is left."""
    fields = VectorFields.from_strings(
        ["x", "y", "z"], [["a*y", "-b*x", "a*z"], ["0", "0", "z/b"]], parameters=["a", "b"]
    )
    certificate = clexact.certify(fields).certificate
    assert "x^2*b + y^2*a" in certificate.data["laws"][0]["polynomials"]
    assert clexact.verify(certificate).sentences[-2].endswith("at generic ones at least 1, at most 1")


def _moved(d):
    d["fields"]["components"][0]["a"] = "x"


def _first(d):
    d["fields"]["parameters"] = ["x"]


def _turned(d):
    d["fields"]["parameters"] = ["b", "a"]


def _none(d):
    d["fields"]["parameters"] = []


def _text(d):
    d["fields"]["parameters"] = "ab"


def _more(d):
    d["claim"]["lower"] += 1


def _fewer(d):
    d["claim"]["upper"] -= 1


@pytest.mark.parametrize("forge", [_moved, _first, _turned, _none, _text, _more, _fewer])
def test_forged_parameters_are_refused(forge):
    """By both tiers, the hash being made anew."""
    _, count = certified("an oscillator")
    document = copy.deepcopy(count.certificate.data)
    forge(document)
    document["sha256"] = large.program_hash(document)
    data = clexact.Certificate(document).to_bytes()
    assert large.verify_bytes(data)[0] in (1, 2)
    assert referee.verify_bytes(data)[0] in (1, 2)


def test_parameters_that_are_not_said_to_be_some_are_laws():
    """Without the key, the same document is one about all variables, and says nothing of generic values."""
    _, count = certified("an oscillator")
    document = copy.deepcopy(count.certificate.data)
    del document["fields"]["parameters"]
    document["sha256"] = large.program_hash(document)
    verdict = clexact.verify(clexact.Certificate(document))
    assert verdict and verdict.sentences[-2] == "at least 3 independent laws (proved), at most 3 (proved)"


def test_on_the_command_line(tmp_path, capsys):
    system, saved = tmp_path / "system.ode", tmp_path / "system.json"
    system.write_text(SYSTEMS["an oscillator"][0], encoding="utf-8")
    assert run(["certify", str(system), "--save", str(saved), "--quiet"]) == 0
    assert run(["verify", str(saved)]) == 0
    assert "2 of them say that the parameters a, b stand still" in capsys.readouterr().out
