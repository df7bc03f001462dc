"""Proofs for Coq: what they list is what the certificate says; Coq accepts them, and none that is forged."""

import json
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import pytest

import clexact
from clexact import models
from clexact.cli import main as cli
from clexact.proofs import coq_proof, fields_certificate
from clexact.proofs.coq_reader import added, multiplied, parsed, read_claim
from clexact.proofs.verifier import large, referee

needs_coq = [pytest.mark.slow, pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is not installed")]
FLOWS = {
    "linear": lambda: clexact.gradient_flow(models.linear([2, 2, 2])),
    "deep linear": lambda: clexact.gradient_flow(models.linear([2, 1, 2, 2])),
    "leaky relu": lambda: clexact.gradient_flow(models.relu([2, 2, 1], slope=Fraction(1, 3), bias=True)),
    "attention": lambda: clexact.gradient_flow(models.attention(2, 1)),
    "momentum": lambda: clexact.momentum_flow(models.linear([2, 1, 2]), clexact.HeavyBall(1)),
    "mirror": lambda: clexact.mirror_flow(models.nmf(2, 1, 2), positive=["U", "V"]),
}


def saved(flow):
    return json.loads(clexact.certify(flow).certificate.to_json())


def claim_of(flow):
    return read_claim(saved(flow))


def listing(flow):
    """The certificate that lists the fields."""
    return json.loads(json.dumps(fields_certificate.of_count(clexact.certify(flow))))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """``count.v``, compiled once."""
    folder = tmp_path_factory.mktemp("coq")
    (folder / "count.v").write_text(coq_proof.library())
    subprocess.run(["coqc", "count.v"], cwd=folder, check=True)
    return folder


def said_by_coq(folder, text):
    """The exit status of Coq and what it prints."""
    (folder / "proof.v").write_text("Require Import ZArith List Bool count.\nImport ListNotations.\n" + text)
    ran = subprocess.run(["coqc", "proof.v"], cwd=folder, capture_output=True, text=True)
    assert not ran.returncode or "Error" in ran.stderr
    return ran.returncode, ran.stdout


def module(n, text):
    return f"Module M{n}.\n{text}\nEnd M{n}.\n"


@pytest.mark.parametrize("name", ["linear", "deep linear", "leaky relu", "momentum"])
def test_members_of_a_program_are_those_of_the_verifier(name):
    """Multiplied out and then evaluated, or by dual numbers through the program: the same up to a factor."""
    document = saved(FLOWS[name]())
    assert "program" in document
    claim, (rows, p) = read_claim(document), large.Checker(document).members()
    assert len(rows) == len(claim.members) > 0
    for theirs, member in zip(rows, claim.members, strict=True):
        mine, first = coq_proof._member_row(claim, member, p), next(iter(theirs))
        assert all((x * theirs[first] - theirs.get(i, 0) * mine[first]) % p == 0 for i, x in enumerate(mine))
        assert mine[first]


@pytest.mark.parametrize("name", ["linear", "mirror", "momentum", "attention"])
def test_members_of_listed_fields_are_those_of_the_verifier(name):
    document = listing(FLOWS[name]())
    claim, (rows, p) = read_claim(document), large.Checker(document).members()
    mine = [coq_proof._member_row(claim, member, p) for member in claim.members]
    assert rows == [{j: x for j, x in enumerate(row) if x} for row in mine] and rows


def test_fields_and_program_tell_the_same_laws():
    flow = FLOWS["linear"]()
    listed, program = read_claim(listing(flow)), claim_of(flow)
    assert listed.coordinates == program.coordinates
    monomials = sorted({m for h in listed.laws + program.laws for m in h})
    rows = [[int(h.get(m, 0)) for m in monomials] for h in listed.laws]
    both = rows + [[int(h.get(m, 0)) for m in monomials] for h in program.laws]
    assert referee.rank(rows, 65537) == referee.rank(both, 65537) == 3


def test_polynomials_are_read():
    numbers = {"x": 1, "y": 2}
    square = multiplied(parsed("2/3*x - y", numbers), parsed("2/3*x - y", numbers))
    assert square == parsed("4/9*x^2 - 4/3*x*y + y^2", numbers)
    assert added(square, square, -1) == {}


def test_the_inverse_is_one():
    claim = claim_of(FLOWS["linear"]())
    p, found = coq_proof.inverse(claim)
    rows = coq_proof._rows(claim, p)
    for i, row in enumerate(rows):
        products = [sum(x * y for x, y in zip(row, column, strict=True)) % p for column in zip(*found, strict=True)]
        assert products == [int(i == j) for j in range(len(rows))]


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (lambda: clexact.gradient_flow(models.tanh(1, 1, 1)), "tanh is no polynomial"),
        (lambda: clexact.VectorFields.from_strings(["x", "y"], [["x", "-2*y"]]), "by closure"),
    ],
)
def test_what_is_not_covered_is_said(flow, said):
    with pytest.raises(ValueError, match=said):
        clexact.coq(clexact.certify(flow(), degree=1).certificate)


def test_the_command_prints_the_proof(tmp_path, capsys):
    path = tmp_path / "linear.json"
    clexact.certify(FLOWS["linear"]()).certificate.save(path)
    with pytest.raises(SystemExit) as left:
        cli.main(["export", "--coq", str(path)])
    assert not left.value.code
    text = capsys.readouterr().out
    assert text == clexact.coq(str(path))
    assert "Theorem count : length laws = 3%nat /\\ exactly 8 fields laws point." in text


def changed(items, place, value):
    """The list with another entry."""
    return [*items[:place], value, *items[place + 1 :]]


def forgeries(claim, p, inverse):
    """{what is forged: a claim, a modulus, an inverse}: each is false, or is not proved by what it lists."""
    laws, fields, members, point = claim.laws, claim.fields, claim.members, claim.point
    one, D, seed = Fraction(1), len(claim.coordinates), next(m for m in members if isinstance(m, dict))
    bracket = next(i for i, m in enumerate(members) if not isinstance(m, dict))
    wrong, h = added(laws[0], {(1, 1): one}), laws[0]
    term = next(iter(fields[0]))
    other = {
        "a law with another coefficient": {"laws": changed(laws, 0, wrong)},
        "a law without a term": {"laws": changed(laws, 0, dict(list(h.items())[1:]))},
        "a law with another sign": {"laws": changed(laws, 0, {m: abs(c) for m, c in h.items()})},
        "a law with a linear term": {"laws": changed(laws, 0, added(h, {(1,): one}))},
        "a law of a constant of the family": {"laws": changed(laws, 0, {(D + 1,): one})},
        "a number for a law": {"laws": changed(laws, 0, {(): one})},
        "nothing for a law": {"laws": changed(laws, 0, {})},
        "a law twice": {"laws": changed(laws, 0, laws[1])},
        "a square of a law": {"laws": changed(laws, 0, multiplied(h, h))},
        "a law that depends on others": {"laws": changed(laws, 0, added(laws[1], laws[2]))},
        "one law more": {"laws": [*laws, added(h, laws[1])], "count": claim.count + 1},
        "one law less": {"laws": laws[1:], "count": claim.count - 1},
        "a count one larger": {"count": claim.count + 1},
        "a count one smaller": {"count": claim.count - 1},
        "a wrong law in place of a bracket": {
            "laws": [*laws, {(1,): one}],
            "members": members[:bracket] + members[bracket + 1 :],
            "count": claim.count + 1,
        },
        "a bracket left out": {"members": members[:bracket] + members[bracket + 1 :]},
        "a bracket too many": {"members": [*members, members[bracket]]},
        "a member twice": {"members": changed(members, 0, members[1])},
        "a bracket of a field with itself": {"members": changed(members, bracket, (seed, seed))},
        "a bracket turned about": {"members": changed(members, bracket, members[bracket][::-1])},
        "another seed": {"members": changed(members, 0, {k: x + 1 for k, x in seed.items()})},
        "a field without a term": {"fields": changed(fields, 0, {m: c for m, c in fields[0].items() if m != term})},
        "a field with another sign": {"fields": changed(fields, 0, {m: -c for m, c in fields[0].items()})},
        "a field more": {"fields": [*fields, {(1,): one}]},
        "another point": {"point": changed(point, 0, point[0] + 1)},
        "the origin": {"point": [0] * D},
        "a point of fewer coordinates": {"point": point[:-1]},
        "another dimension": {"coordinates": [*claim.coordinates, "z"]},
    }
    for said, change in other.items():
        forged = replace(claim, **change)
        yield said, forged, p, inverse
        with suppress(ValueError, IndexError):
            yield f"{said}, its own inverse", forged, *coq_proof.inverse(forged)
    yield "an entry of the inverse", claim, p, changed(inverse, 0, changed(inverse[0], 0, inverse[0][0] + 1))
    yield "an inverse without a row", claim, p, inverse[1:]
    yield "an inverse turned about", claim, p, [list(row) for row in zip(*inverse, strict=True)]
    yield "no inverse", claim, p, []
    yield "another modulus", claim, p - 2, inverse
    for modulus in (1, 0, -1):
        yield f"modulus {modulus}", claim, modulus, [[0] * D for _ in range(D)]


HARMLESS = {
    f"{said}, its own inverse"
    for said in ("a square of a law", "a bracket turned about", "another point", "another seed")
}


class TestCompiled:
    """What Coq itself says."""

    pytestmark = needs_coq

    def test_certificates_are_proved_without_axioms(self, compiled):
        claims = [claim_of(make()) for make in FLOWS.values()]
        proofs = [module(n, coq_proof.statement(claim, *coq_proof.inverse(claim))) for n, claim in enumerate(claims)]
        status, said = said_by_coq(compiled, "".join(proofs))
        assert (status, said.count("Closed under the global context")) == (0, len(FLOWS))

    def test_no_forgery_is_true(self, compiled):
        """``counted`` asks for a check that is true: Coq computes it of all forgeries at once."""
        claim = claim_of(FLOWS["linear"]())
        tried = [("the proof itself", claim, *coq_proof.inverse(claim)), *forgeries(claim, *coq_proof.inverse(claim))]
        assert len({said.removesuffix(", its own inverse") for said, *_ in tried}) >= 25
        text = []
        for n, (_, forged, p, inverse) in enumerate(tried):
            data, _ = coq_proof.statement(forged, p, inverse).split("Theorem count")
            checks = f"check {len(forged.coordinates)} fields laws members point modulus inverse"
            text.append(module(n, f"{data}Eval vm_compute in Nat.eqb (length laws) {forged.count} && {checks}."))
        status, said = said_by_coq(compiled, "".join(text))
        answers = re.findall(r"= (true|false)", said)
        assert status == 0
        assert len(answers) == len(tried)
        found = {what for (what, *_), answer in zip(tried, answers, strict=True) if answer == "true"}
        assert found == {"the proof itself", *HARMLESS} & {what for what, *_ in tried}  # those are true

    @pytest.mark.parametrize("said", ["a law twice", "one law more", "a wrong law in place of a bracket"])
    def test_no_forgery_compiles(self, compiled, said):
        claim = claim_of(FLOWS["linear"]())
        forged = next(rest for what, *rest in forgeries(claim, *coq_proof.inverse(claim)) if what == said)
        status, printed = said_by_coq(compiled, coq_proof.statement(*forged))
        assert status
        assert "Closed" not in printed
