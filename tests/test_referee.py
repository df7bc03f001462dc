"""The referee: a certificate by hand, its verdict beside that of the large verifier, and the file that holds both."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction
from functools import reduce
from pathlib import Path

import forged_programs
import pytest

import clexact
from clexact import models
from clexact.cli.main import run
from clexact.proofs import fields_certificate, standalone
from clexact.proofs.program_certificate import of_count
from clexact.proofs.verifier import large, referee, tiers

DOCS = Path(__file__).parent.parent / "docs"
U, V = "u[0,0]", "v[0,0]"


def by_hand():
    """The document in docs/certificate.md."""
    text = (DOCS / "certificate.md").read_text(encoding="utf-8")
    return json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])


def judged(document):
    """Verdicts of the referee and of the large verifier."""
    data = json.dumps(document).encode()
    return referee.verify_bytes(data, 10**5)[0], large.verify_bytes(data)[0]


def test_the_walk_by_hand():
    """Each number of the walk in the documentation."""
    document = by_hand()
    one = referee.Referee(document, 10**4)
    one.run()
    x, C = "probe x[0,0]", "C 0"
    assert one.field == {U: {tuple(sorted((C, V, x))): 1}, V: {tuple(sorted((C, U, x))): 1}}
    (h,) = one.laws()
    gradient = one.ring.partials(h)
    assert gradient == {U: {(U,): 2}, V: {(V,): -2}} and one.ring.along(h, one.field) == {}
    at = {U: 2, V: 1, x: 1, C: 3}
    assert [one.ring.at(gradient[name], at) for name in (U, V)] == [{(): 4}, {(): -2}]
    assert [one.ring.at(one.field[name], at) for name in (U, V)] == [{(): 3}, {(): 6}]
    assert judged(document) == (0, 0)
    assert tiers.verify_bytes(json.dumps(document).encode())[1][-2] == (
        "at least 1 independent laws (proved), at most 1 (proved)"
    )


@pytest.mark.parametrize(
    "text", ["u[0,0]^2 + v[0,0]^2", "u[0,0]^2", "u[0,0]*v[0,0]", "u[0,0]^3 - v[0,0]^3", "2*u[0,0]^2 - v[0,0]^2"]
)
def test_false_laws_by_hand(text):
    assert judged(by_hand() | {"laws": [{"polynomials": [text]}]}) == (1, 1)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("claim", {"lower": 2}),
        ("claim", {"upper": 0}),
        ("claim", {"upper": True}),
        ("claim", {"lower_evidence": "closed with error <= 2^-100"}),
        ("lie", {"point": []}),
        ("lie", {"seeds": [[0, 101, 1, 3]]}),
        ("lie", {"members": [[0, 0]], "ranks": [0, 1]}),
        ("lie", {"members": [[0], [0]], "ranks": [2]}),
        ("lie", {"members": [], "ranks": []}),
        ("lie", {"ranks": [2]}),
        ("lie", {"ranks": [0]}),
        ("lie", {"prime": "91"}),
        ("independence", {"rank": 2}),
        ("independence", {"rank": True}),
        ("independence", {"laws": [[0, 1]]}),
        ("independence", {"laws": [[-1, 0]]}),
        ("independence", {"laws": [], "rank": 1}),
        ("independence", {"point": [0, 101]}),
        ("independence", {"laws": [[0, 0], [0, 0]], "rank": 2}),
    ],
)
def test_forged_by_hand(key, change):
    document = by_hand()
    document[key] |= change
    mine, other = judged(document)
    assert mine == 1 and other in (1, 2)


@pytest.mark.parametrize(
    ("gate", "seed", "status"),
    [
        ("0", [0, 1, 1, 3], 0),
        ("0", [0, 2, 1, 3], 1),
        ("1/2", [0, 51, 1, 3], 0),  # 1/2 is 51 modulo 101
        ("1/2", [0, 50, 1, 3], 1),
        ("1/101", [0, 1, 1, 3], 1),
        (0, [0, 1, 1, 3], 0),
        (0, [0, 2, 1, 3], 1),
    ],
)
def test_gates_by_hand(gate, seed, status):
    """Where x is a gate, seeds have its values."""
    document = by_hand() | {"gates": {"x": gate}}
    document["lie"]["seeds"] = [seed]
    document["sha256"] = large.program_hash(document)
    assert judged(document) == (status, status)


@pytest.mark.slow
def test_the_referee_judges_the_large_verifier():
    """Where both decide they agree: a document that one finds true the other does."""
    found = Counter()
    for change, document in forged_programs.mutants(200, seed=3):
        mine, other = judged(document)
        found[mine] += 1
        assert mine == 3 or (mine == 0) == (other == 0), (change, mine, other)
    assert min(found[0], found[1], found[2]) > 10


FLOWS = {
    "gram": clexact.gradient_flow(models.linear([2, 2, 2])),
    "gates": clexact.gradient_flow(models.relu([2, 2, 2], bias=True)),
    "convolution": clexact.gradient_flow(models.conv1d([1, 2, 1], kernel=2, length=3)),
    "momentum": clexact.momentum_flow(models.linear([2, 2, 2]), clexact.HeavyBall(1)),
    "mirror": clexact.mirror_flow(models.linear([2, 1, 2]), positive=["U1"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_small_documents_are_proved(name):
    """No law is tested at random points, and what the seeds and points say matters."""
    document = json.loads(json.dumps(of_count(clexact.certify(FLOWS[name]))))
    data = json.dumps(document).encode()
    status, sentences = referee.verify_bytes(data)
    assert status == 0 and "error" not in str(sentences) and "exact identities" in sentences[0]
    judgement, said = tiers.verify_bytes(data, work=10**6)
    assert judgement == 0 and [one for one in said if not one.startswith("checked by verifier/large (")] == sentences
    assert judged(document | {"lie": document["lie"] | {"point": []}}) == (1, 1)
    for bound in ("lower", "upper"):
        assert judged(document | {"claim": document["claim"] | {bound: 99}}) == (1, 1)


def test_a_refusal_of_the_referee_counts(monkeypatch):
    """Whatever the large verifier accepts."""
    document = by_hand() | {"laws": [{"polynomials": ["u[0,0]^2"]}]}
    monkeypatch.setattr(large, "verify_bytes", lambda data, rank: (0, ["accepted"]))
    status, sentences = tiers.verify_bytes(json.dumps(document).encode())
    assert status == 1 and sentences == ["FALSE: law 0 is no law: a field moves it"]


BOMBS = {
    "squares of a number": [
        ["constant", [], [], [0, "9" * 4000]], *(["multiply", [n, n], [], None] for n in range(40)),
    ],
    "squares of a sum": [
        ["parameter", [], [1, 1], "u"], ["parameter", [], [1, 1], "v"], ["add", [0, 1], [1, 1], None],
        *(["multiply", [n, n], [1, 1], None] for n in range(2, 20)),
    ],
    "an empty array that is wide": [["constant", [], [0, 2**40], []]],
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_short_documents_that_would_take_long(name):
    document = by_hand()
    document["program"] = {"nodes": BOMBS[name], "output": len(BOMBS[name]) - 1}
    document["sha256"] = large.program_hash(document)
    before = time.process_time()
    assert referee.verify_bytes(json.dumps(document).encode(), 10**5)[0] == 3
    assert time.process_time() - before < 5


def test_ranks_and_primes():
    for p in (2, 3, 101, 2**61 - 1):
        assert referee.is_prime(p) and not referee.is_prime(p * p)
    assert [n for n in range(200) if referee.is_prime(n)] == [n for n in range(200) if large.is_prime(n)]
    assert not any(map(referee.is_prime, (561, 3215031751, 3825123056546413051)))  # strong to bases 2, 3, 5, 7, ...
    assert referee.rank([[1, 2], [2, 4], [0, 3]], 5) == 2 and referee.rank([[5, 10]], 5) == 0 == referee.rank([], 7)
    assert referee.Ring(7).number(Fraction(1, 3)) == 5


@pytest.mark.slow
def test_one_file_verifies_by_itself(tmp_path, capsys):
    """In a Python without clexact: 0, 1 and 2; programs, fields, and a document of the first format."""
    program = tmp_path / "clexact-verify.pyz"
    assert not run(["verify", "--standalone", str(program)])
    assert program.read_bytes() == standalone.verifier_archive()
    listed = fields_certificate.of_count(clexact.certify(FLOWS["gram"]))
    clexact.Certificate(listed).save(tmp_path / "fields.json.gz")
    first = (Path(__file__).parent / "data" / "first-closed.json").read_bytes()
    (tmp_path / "first.json").write_bytes(first)
    (tmp_path / "first-false.json").write_bytes(first.replace(b'"upper": 1', b'"upper": 2'))
    (tmp_path / "program.json").write_text(json.dumps(by_hand()))
    (tmp_path / "false.json").write_text(json.dumps(by_hand() | {"dimension": 3}))

    def judge(*names):
        paths = [str(tmp_path / name) for name in names]
        done = subprocess.run([sys.executable, "-I", "-S", program, *paths], capture_output=True, text=True)
        assert not done.stderr
        return done.returncode, done.stdout

    status, said = judge("fields.json.gz", "program.json")
    assert status == 0 and said.count("verified") == 2 and "exact identities of polynomials" in said
    assert judge("program.json", "false.json")[0] == 1 and judge("none.json")[0] == 2
    assert judge("first.json")[0] == 0 and judge("first-false.json")[0] == 1


def test_the_checks_that_the_documentation_names_exist():
    """Every step of docs/trust.md names a function of a verifier."""
    page = (DOCS / "trust.md").read_text(encoding="utf-8").split("## What the engine")[0]
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    modules = {"referee": referee, "large": large}
    for row in rows:
        named = re.findall(r"`(\w+(?:\.\w+)+)`", row.split(" | ")[2])
        assert named, row
        for name in named:
            module, *path = name.split(".")
            assert callable(reduce(getattr, path, modules[module])), name


def test_the_referee_imports_nothing_of_the_package():
    text = Path(referee.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^(?:from|import) clexact", text, re.MULTILINE)
