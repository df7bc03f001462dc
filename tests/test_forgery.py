"""Forged certificates of every kind: none whose claim is untrue is accepted, none makes the verifier raise or hang.

``bench/forgery.py`` makes 10,000 and more. The truth is decided by ``forged_truth.py``, with no code of engine or
verifier.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import forged_changes
import forged_truth
import forgery
import pytest
from oracles import ring_of

import clexact
from clexact.algebra.linalg import flint_rank
from clexact.cli import main as cli
from clexact.proofs.verifier import large, tiers

SECONDS, BYTES = 10, 2**30  # that judging one mutant may take
CHECKED = ["format", "sha256", "dimension", "fields", "laws", "independence", "lie", "closure", "claim"]
UNCHECKED = ["version", "model", "assumptions"]  # words: their type is checked, what they say is not (docs/trust.md)


class Hung(BaseException):
    """A mutant takes too long."""


@pytest.fixture
def alarm():
    """After SECONDS of one judgement, ``Hung`` is raised; the fixture starts the clock."""

    def ring(*_):
        raise Hung

    old = signal.signal(signal.SIGALRM, ring)
    yield signal.alarm
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def judge(mutant, alarm):
    """Exit status of a mutant; the fast rank must agree."""
    alarm(SECONDS)
    try:
        status, said = large.verify_bytes(mutant.text.encode("utf-8", "surrogatepass"))
        assert said and all(isinstance(sentence, str) for sentence in said)
        assert large.verify_bytes(mutant.text.encode("utf-8", "surrogatepass"), flint_rank)[0] == status, mutant
    except Hung:
        pytest.fail(f"hung: {mutant.change}")
    finally:
        alarm(0)
    return status


# --- the suite itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", forged_changes.base_texts(), ids=lambda t: json.loads(t)["model"]["description"])
def test_the_base_is_accepted_and_true(text):
    """The oracle reads each certificate and agrees with it."""
    assert large.verify_bytes(text.encode())[0] == 0
    assert forged_truth.may_be_accepted(text)
    assert large.program_hash(json.loads(text)) == forged_truth.canonical_hash(json.loads(text))


def test_the_base_has_every_kind_of_closure():
    """None, one field, random points; no field, no law, laws and none of them shown."""
    documents = forged_changes.bases()
    assert {d.get("closure") for d in documents} == {None, "one field", "random points"}
    assert {len(d["fields"]["components"]) for d in documents} >= {0, 1, 2, 4}
    assert max(d["dimension"] for d in documents) <= 8


LIES = {
    "a bound": lambda d: d["claim"].update(lower=d["claim"]["lower"] + 1, upper=d["claim"]["upper"] + 1),
    "a wrong evidence": lambda d: d["claim"].update(lower_evidence=forged_truth.CLOSED),
    "a dependent law": lambda d: (d["laws"].append(d["laws"][0]), d["independence"].update(laws=[[0, 1]], rank=2)),
    "no law": lambda d: d["laws"][0]["polynomials"].append("U1[0,0]"),
    "a composite number": lambda d: d["lie"].update(prime="3103761"),
    "a rank": lambda d: d["lie"].update(ranks=[2, 3]),
    "a bracket": lambda d: d["lie"]["members"].append([0, 0]),
    "closure": lambda d: d.update(closure="one field"),
    "a boolean": lambda d: d["claim"].update(lower=True),
    "the hash": lambda d: d.update(sha256="0" * 64),
}


@pytest.mark.parametrize("name", LIES)
def test_the_oracle_knows_a_lie(name):
    """The oracle alone refuses it, so that an accepted one would be found."""
    d = forged_changes.bases()[0]
    LIES[name](d)
    if name != "the hash":
        d["sha256"] = forged_truth.canonical_hash(d)
    assert not forged_truth.may_be_accepted(json.dumps(d))
    assert large.verify_bytes((json.dumps(d)).encode())[0] != 0


@pytest.mark.slow
def test_mutants_are_distinct_and_the_same_each_time():
    """The same in two fresh processes, with different hashes of strings."""
    first = list(forgery.mutants(300, seed=3))
    assert len({m.text for m in first}) == 300 and not {m.text for m in first} & set(forged_changes.base_texts())
    assert {m.kind for m in first} == set(forgery.ALL_KINDS)
    assert _digest_elsewhere("0") == _digest_elsewhere("7")


def _digest_elsewhere(seed):
    """SHA-256 of the mutants that a fresh process makes, whose strings have hashes of this seed."""
    code = "import forgery, hashlib; text = ascii([m.text for m in forgery.mutants(300, seed=3)]); "
    code += "print(hashlib.sha256(text.encode()).hexdigest())"
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    environment = os.environ | {
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "PYTHONUTF8": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout


# --- forged ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in forgery.ALL_KINDS if kind != "deep brackets"])
def test_nothing_untrue_is_accepted(kind, alarm):
    """Every kind: accepted only what is true, nothing raised, nothing slow."""
    outcomes = Counter()
    for mutant in forgery.mutants(40, seed=11, kinds=[kind]):
        status = judge(mutant, alarm)
        outcomes[status] += 1
        assert status != 0 or mutant.truth, f"accepted: {mutant.change}\n{mutant.text}"
    assert sum(outcomes.values()) == 40
    assert outcomes[0] == 40 if kind == "harmless" else outcomes[1] + outcomes[2] > 0


def limited():
    """At most BYTES of memory, and SECONDS of work, however busy the machine is."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))


def judged_alone(path, alone):
    """Exit status in a fresh process with limited time and memory."""
    command = [sys.executable, "-I", "-S", alone, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode != -signal.SIGXCPU, f"more than {SECONDS} seconds of work"
    assert "Traceback" not in done.stderr, done.stderr[-500:]
    return done.returncode


TRUE_BOMBS = ["12 nested brackets", "900 nested linear brackets", "40 nested brackets of huge coefficients",
              "60 nested brackets of huge powers"]  # few terms, when multiplied out modulo p  # fmt: skip


def leaves_so_few(text):
    """Whether the brackets of the fields listed leave no more laws than the document says, by the oracle."""
    d = json.loads(text)
    names = d["fields"]["variables"]
    gens = dict(zip(names, ring_of([f"v{i}" for i in range(len(names))]).gens, strict=True))
    fields = [[forged_truth.parsed(X.get(name, "0"), gens) for name in names] for X in d["fields"]["components"]]
    return d["dimension"] - forged_truth.closed_rank(forged_truth.frozen(fields, len(names))) <= d["claim"]["upper"]


@pytest.mark.slow
@pytest.mark.parametrize("name", forgery.bombs())
def test_no_short_document_takes_long(name, tmp_path, alone):
    """All of the work is bounded, not only that of one bracket; so is the size of every number."""
    path = tmp_path / "bomb.json"
    path.write_text(forgery.bombs()[name])
    status = judged_alone(path, alone)
    assert status in (1, 2, 3) or (name in TRUE_BOMBS and leaves_so_few(path.read_text()))


@pytest.mark.slow
def test_what_takes_too_much_is_undecided_and_not_false(tmp_path, capsys):
    """Exit status 3; a false certificate beside it counts for more, whatever their order."""
    deep, wrong = tmp_path / "deep.json", tmp_path / "wrong.json"
    deep.write_text(forgery.bombs()["40 nested brackets of dense fields"])
    d = forged_changes.bases()[0]
    d["claim"]["lower"] += 1
    wrong.write_text(json.dumps(d))
    verdict = clexact.verify(deep)
    assert verdict.status is clexact.VerdictStatus.UNDECIDED and not verdict
    assert verdict.sentences[-1].startswith("undecided: ") and "FALSE" not in str(verdict)
    assert tiers.main([str(deep)]) == 3
    with pytest.raises(SystemExit, match="1"):
        cli.run(["verify", str(wrong), str(deep)])
    assert "UNDECIDED" in capsys.readouterr().out


def test_deep_brackets(alarm):
    """A tower of brackets is judged or refused, in time."""
    for mutant in forgery.mutants(60, seed=11, kinds=["deep brackets"]):
        assert judge(mutant, alarm) != 0 or mutant.truth, mutant.change


@pytest.mark.slow
@pytest.mark.parametrize("key", [*CHECKED, *UNCHECKED])
def test_every_key_is_load_bearing(key):
    """Each key can make a certificate rejected: what it says if checked, its type and presence always."""
    refused = Counter()
    for document in forged_changes.bases():
        if key not in document:
            continue
        others = [other[key] for other in forged_changes.bases() if key in other and other[key] != document[key]]
        for value in [*others, None, 0, "x", [], {}]:
            forged = document | {key: value}
            if key != "sha256" and type(forged["dimension"]) is int:
                forged["sha256"] = forged_truth.canonical_hash(forged)
            status, _ = large.verify_bytes((json.dumps(forged)).encode())
            assert status != 0 or forged_truth.may_be_accepted(json.dumps(forged))
            refused[status] += 1
        document.pop(key)
        if key == "closure":  # without it the claim is one more than the laws shown
            assert large.verify_bytes(json.dumps(document).encode())[0] == 1
            continue
        assert large.verify_bytes((json.dumps(document)).encode())[0] == 2
    assert refused[2] > 0 or key == "dimension"
    assert (refused[1] > 0) == (key in CHECKED and key != "format")


# --- files and processes ---------------------------------------------------------------------------------------------


def lie(d):
    """Something false."""
    d["claim"]["upper"] += 1


def unfit(d):
    """No certificate."""
    del d["claim"]


@pytest.mark.slow
@pytest.mark.parametrize(("forge", "status"), [(lambda d: None, 0), (lie, 1), (unfit, 2)])
def test_certify_save_and_verify_in_a_fresh_process(forge, status, tmp_path, alone):
    """The verifier alone, without site packages; and the command of the package."""
    path = tmp_path / "c.json"
    clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 2, 1]))).certificate.save(path)
    d = json.loads(path.read_text())
    forge(d)
    path.write_text(json.dumps(d))
    assert judged_alone(path, alone) == status
    done = subprocess.run([sys.executable, "-m", "clexact", "verify", str(path)], capture_output=True, text=True)
    assert done.returncode == status and "Traceback" not in done.stderr


GOOD = forged_changes.base_texts()[0]
BYTES_OF = {
    "empty": b"",
    "NUL": b"\x00" * 100,
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "gzip": b"\x1f\x8b\x08\x00",
    "UTF-16": GOOD.encode("utf-16"),
    "truncated": GOOD.encode()[:-3],
    "no UTF-8 in words": GOOD.encode().replace(b"generic start", b"generic \xff\xfe"),
    "no UTF-8 in a name": GOOD.encode().replace(b"U1[0,0]", b"\xff[0,0]"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BYTES_OF)
def test_bytes_that_are_no_certificate(name, tmp_path, alone):
    """Status 2 by the verifier alone and by the package, which must not differ; load refuses them too."""
    path = tmp_path / "c.json"
    path.write_bytes(BYTES_OF[name])
    assert judged_alone(path, alone) == 2
    with pytest.raises(ValueError, match="not a certificate"):
        clexact.Certificate.load(path)
    assert clexact.verify(path).status is clexact.VerdictStatus.NOT_A_CERTIFICATE


def test_several_files_and_no_file(tmp_path, alone):
    """The worst status counts; what cannot be read is no certificate."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(forged_changes.base_texts()[0])
    d = forged_changes.bases()[0]
    lie(d)
    bad.write_text(json.dumps(d))
    for paths, status in [([good, good], 0), ([good, bad], 1), ([bad, tmp_path / "none", good], 2), ([tmp_path], 2)]:
        done = subprocess.run([sys.executable, "-I", alone, *paths], capture_output=True, text=True)
        assert done.returncode == status and "Traceback" not in done.stderr


def test_any_name_can_be_printed(tmp_path, alone):
    """A message names what is wrong, in a terminal that knows ASCII only, too."""
    d = forged_changes.bases()[7]
    d["fields"]["components"][0] = {"λ": "x"}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(d))
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, alone, path], capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def rebuild(path):
    """Exit status of clexact verify --rebuild."""
    command = [sys.executable, "-m", "clexact", "verify", "--rebuild", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert "Traceback" not in done.stderr, done.stderr[-500:]
    return done.returncode


OTHER_MODELS = [
    {"sizes": [2, 1, 3]}, {"sizes": [2, 2, 2]}, {"family": "relu"}, {"family": "product", "sizes": [4]},
          {"loss": "cross_entropy"},
    {"family": "attention"}, {"family": None}, {"family": ["linear"]}, {"family": {}}, {"sizes": None}, {"sizes": [2,
          "1", 2]},
    {"sizes": [2, -1, 2]}, {"sizes": []}, {"sizes": [[2], 1, 2]}, {"loss": "none"}, {"loss": []},
    {"loss": {}}, {"loss": 7}, {"bias": True}, {"self": 1}, {"": 1},
          {"description": "gradient flow of linear [3, 1, 2]"},
    {"description": None}, {"sizes": [True, 1, True]}, {"sizes": [10**30, 1, 2]}, {"seed": 1},
]  # fmt: skip


@pytest.mark.parametrize("other", OTHER_MODELS, ids=str)
def test_rebuild_refuses_the_right_certificate_of_another_model(other):
    """True of its fields, so verified without --rebuild; false with it, and never an exception."""
    d = forged_changes.bases()[0]
    d["model"] = d["model"] | other
    certificate = clexact.Certificate(d)
    assert clexact.verify(certificate)
    assert clexact.verify(certificate, rebuild=True).status is clexact.VerdictStatus.FALSE


FORGED_RECIPES = [
    {"weight_decay": "1/0"}, {"weight_decay": "1e999999999"}, {"weight_decay": 3}, {"weight_decay": []},
    {"loss": [["1/0"]]}, {"loss": [[None]]}, {"loss": 3}, {"flow": "mirror", "positive": 3}, {"flow": "mirror"},
    {"flow": "momentum"}, {"flow": "momentum", "damping": "heavy-ball", "tau": "1/0"}, {"flow": ["momentum"]},
    {"steps": 10**7}, {"steps": -1}, {"steps": 2**100}, {"relu": "yes"}, {"sizes": [1, 1]}, {"tokens": 2},
]  # fmt: skip


@pytest.mark.parametrize("change", FORGED_RECIPES, ids=str)
def test_rebuild_of_a_forged_recipe_is_refused_in_time(change):
    """Options and flows of another kind, rationals that are none, and numbers that would take for ever."""
    document = json.loads(
        clexact.certify(clexact.gradient_flow(clexact.models.recurrent(1, 1, 1))).certificate.to_json()
    )
    document["model"].update(change)
    verdict = clexact.verify(clexact.Certificate(document), rebuild=True)
    assert verdict.status is clexact.VerdictStatus.FALSE and verdict.sentences[-1].startswith("FALSE: ")


@pytest.mark.slow
@pytest.mark.parametrize(("n", "status"), [(0, 1), (7, 3)])
def test_rebuild_by_the_command(n, status, tmp_path):
    """The model's own certificate passes, with the fields of another it does not; explicit fields have no model."""
    path, d, other = tmp_path / "c.json", forged_changes.bases()[n], forged_changes.bases()[4]
    path.write_text(json.dumps(d))
    assert rebuild(path) == 0
    other["model"] = d["model"]
    path.write_text(json.dumps(other))
    assert rebuild(path) == status


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[200, 200, 200], [2] * 2000], ids=["wide", "deep"])
def test_rebuild_of_a_huge_model_is_refused_in_time(sizes, tmp_path):
    """The fields given have 4 variables: no need to expand a model of many."""
    d = forged_changes.bases()[0]
    d["model"]["sizes"] = sizes
    path = tmp_path / "c.json"
    path.write_text(json.dumps(d))
    try:
        assert rebuild(path) == 1
    except subprocess.TimeoutExpired:
        pytest.fail(f"not refused within {SECONDS} seconds")


def test_rebuild_refuses_other_fields_and_assumptions():
    """Fields in another order or scaled are not those of the model to the letter; assumptions belong to the model."""
    for key, value in [("assumptions", ["generic start"]), ("assumptions", [])]:
        d = forged_changes.bases()[0] | {key: value}
        assert clexact.verify(clexact.Certificate(d))
        assert clexact.verify(clexact.Certificate(d), rebuild=True).status is clexact.VerdictStatus.FALSE


# --- saving ----------------------------------------------------------------------------------------------------------


def full_disk(*_, **__):
    """As the system reports it."""
    raise OSError(28, "No space left on device")


def stopped(*_, **__):
    """Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("failure", [full_disk, stopped])
@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace", "os.fdopen"])
def test_saving_is_atomic(place, failure, existing, tmp_path, monkeypatch):
    """Whatever fails: the old file or none, and nothing beside it."""
    path, certificates = tmp_path / "c.json", [clexact.Certificate(d) for d in forged_changes.bases()[:2]]
    if existing:
        certificates[0].save(path)
    monkeypatch.setattr(place, failure)
    with pytest.raises((OSError, KeyboardInterrupt)):
        certificates[1].save(path)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path] * existing
    assert not existing or path.read_text() == certificates[0].to_json()


def test_saved_where_there_is_no_room():
    """/dev/full refuses every byte; a folder that does not exist, too: OSError."""
    certificate = clexact.Certificate(forged_changes.bases()[0])
    with pytest.raises(OSError):
        certificate.save("/nowhere/c.json")


def test_saved_and_loaded_is_the_same(tmp_path):
    """Byte for byte."""
    for n, d in enumerate(forged_changes.bases()):
        path = tmp_path / f"{n}.json"
        clexact.Certificate(d).save(path)
        assert clexact.Certificate.load(path).to_json() == forged_changes.base_texts()[n] == path.read_text()
        assert clexact.verify(path)
