"""Cases as plain data, their specs, and one case run within a budget."""

import dataclasses
import gzip
import itertools
import json
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clexact
from clexact import models
from clexact.claims import batches
from clexact.cli import main as cli
from clexact.models.dimension import COUNTS, parameter_count
from clexact.support import provenance
from clexact.support.limits import limits
from clexact.support.threads import thread_count
from clexact.sweeps.case import KEYS, Case
from clexact.sweeps.certified import DONE, FAILED, STOPPED, Budget, certified, died
from clexact.sweeps.selection import Selection
from clexact.sweeps.spec import Spec, dry_run, examples, parse_spec, read_spec, spec_of

ENGINE = provenance.engine()
ROTATION = "x' = y\ny' = -x\n"
INPUTS = "1, 2\n0.5 1/3\n"
MINE = "import clexact\ndef net(n, r): return clexact.models.linear([n, r, n])\nfixed = net(2, 1)\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a system, a Python file and a start, in which the test runs."""
    (tmp_path / "rotation.ode").write_text(ROTATION)
    (tmp_path / "bound.jl").write_text("rn = @reaction_network begin\n  (k1, k2), E + S <--> C\nend\n")
    (tmp_path / "scaled.ode").write_text("x' = a*y\ny' = b*x\n")
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "start.txt").write_text("1, 2\n0 1/2\n")
    (tmp_path / "inputs.csv").write_text(INPUTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- cases -----------------------------------------------------------------------------------------------------------

LINES = [
    "certify linear 4 3 5",
    "certify relu 2 5 3 --bias --slope 1/3",
    "certify neuron 3 1 --powers 1,3",
    "certify conv1d 1 2 1 --kernel 3 --relu",
    "certify moe 3 2 2 --gate topk --k 1",
    "certify attention 2 2 --heads 2 --rope",
    "certify linear 4 3 5 --flow momentum --damping heavy-ball --tau 1/2",
    "certify linear 4 3 5 --flow momentum --damping nesterov --weight-decay 2",
    "certify icnn 2 2 1 --flow mirror",
    "certify nmf 2 2 1 --flow momentum --positive U,V --loss cross-entropy",
    "certify linear 2 2 2 --degree 3 --max-depth 4 --seed 7",
    "certify --system rotation.ode --degree 3",
    "certify --system scaled.ode --parameters a,b --values a=2,b=-1/2",
    "certify mine.py:net 2 1",
    "certify mine.py:fixed --flow momentum",
    "orbit relu 2 2 2 --at dead-unit --max-depth 3 --seed 2",
    "certify relu 2 2 --data inputs.csv",
    "certify relu 2 2 2 --bias --near random --init kaiming --bias-init zero --seed 3",
    "certify relu 2 2 --flow momentum --data inputs.csv --near start.txt",
]


def case_of(line):
    """The case of a command line, by way of ``Case.of``."""
    words, options, target = line.split()[1:], {}, []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            target.append(word)
            continue
        key = word[2:].replace("-", "_")
        value = True if key in ("bias", "relu", "rope") else words.pop(0)
        if key in ("degree", "max_depth", "seed", "kernel", "k", "heads"):
            value = int(value)
        options[key] = [int(k) for k in value.split(",")] if key == "powers" else value
        if key == "parameters":
            options[key] = value.split(",")
        if key == "values":
            options[key] = dict(part.split("=") for part in value.split(","))
    if "system" in options:
        target = [options.pop("system")]
    return Case.of(target[0], *map(int, target[1:]), **options)


@pytest.mark.parametrize("line", LINES)
def test_a_case_says_what_a_command_line_says(folder, line, monkeypatch):
    """Its label is that line, and the flow and the question that the command works on are its own."""
    case, seen = case_of(line), {}
    assert case.label == line.replace("start.txt", "1,2,0,1/2")

    def noted(flow, *arguments, **options):
        seen["flow"], seen["options"] = flow, options
        raise ValueError("seen.")

    for name in ("certify", "orbit_dimension"):
        monkeypatch.setattr(cli, name, noted)
    assert cli.run(line.split()) == cli.WRONG_INPUT
    flow = case.flow()
    assert flow.variables == seen["flow"].variables and flow.description == seen["flow"].description
    assert flow.recipe == seen["flow"].recipe and flow.dimension == (case.dimension or flow.dimension)
    assert (seen["options"]["seed"], seen["options"]["max_depth"]) == (case.seed, case.depth)
    assert seen["options"].get("near") == case.parameters(flow) and flow.scope == seen["flow"].scope


@pytest.mark.parametrize("line", LINES)
def test_a_case_travels(folder, line):
    """Through JSON and pickle, without its files, to an equal case with an equal hash and key."""
    case = case_of(line)
    text = case.to_json()
    for name in ("rotation.ode", "mine.py", "inputs.csv", "start.txt"):
        (folder / name).unlink()
    again = Case.from_dict(json.loads(text))
    for other in (again, pickle.loads(pickle.dumps(case))):
        assert other == case and hash(other) == hash(case) and other.key(ENGINE) == case.key(ENGINE)
    assert again.to_json() == text and again.flow().description == case.flow().description


def test_keys_are_of_the_content_and_the_engine():
    """The same content has one key, however it is said; all else another."""
    same = [
        Case.of("relu", 2, 2, 2),
        Case.of("relu", 2, 2, 2, bias=False, slope=0, weight_decay=0, degree=2, max_depth=None, loss="full"),
        Case.from_dict({"sizes": [2, 2, 2], "family": "relu", "flow": "gradient", "slope": "0/5"}),
    ]
    other = [
        Case.of("relu", 2, 2, 2, bias=True), Case.of("relu", 2, 2, 3), Case.of("relu", 2, 2, 2, seed=1),
        Case.of("relu", 2, 2, 2, degree=3), Case.of("relu", 2, 2, 2, at="zero"), Case.of("linear", 2, 2, 2),
        Case.of("relu", 2, 2, 2, flow="momentum"), Case.of("relu", 2, 2, 2, loss="cross-entropy"),
    ]  # fmt: skip
    assert len({case.key("a") for case in same}) == 1 and len(set(same)) == 1
    assert len({case.key("a") for case in [same[0], *other]}) == 1 + len(other)
    assert same[0].key("a") != same[0].key("b")
    assert Case.of("neuron", 2, powers=[1]) == Case.of("neuron", 2) != Case.of("neuron", 2, powers=[1, 1])
    two = [Case.of("nmf", 2, 1, 2, flow="momentum", damping="heavy-ball", tau=tau) for tau in ("1/2", Fraction(2, 4))]
    assert two[0] == two[1]


def test_the_text_of_a_file_is_part_of_a_case(folder):
    """Changed text, another key; the folder of the file does not matter."""
    first = Case.of("mine.py:net", 2, 1)
    (folder / "inner").mkdir()
    (folder / "inner" / "mine.py").write_text(MINE)
    assert Case.of("inner/mine.py:net", 2, 1) == first
    (folder / "mine.py").write_text(MINE + "# changed\n")
    assert Case.of("mine.py:net", 2, 1).key(ENGINE) != first.key(ENGINE)


EXAMPLES = {  # sizes and options of each family, edges included
    "linear": [([1, 1], {}), ([3, 1, 4, 2], {})],
    "relu": [([1, 1], {"bias": True}), ([2, 3, 4, 1], {"bias": True}), ([2, 3, 1], {"slope": "1/2"})],
    "neuron": [([3], {}), ([3, 2], {"powers": [1, 2]})],
    "product": [([1], {}), ([6], {})],
    "nmf": [([2, 3, 1], {})],
    "icnn": [([2, 3, 1], {}), ([2, 3, 1], {"bias": True})],
    "shared": [([3, 2], {})],
    **{family: [([2, 3, 1], {}), ([2, 3, 4], {})] for family in ("tanh", "gelu", "silu", "swiglu")},
    "glu": [([2, 3, 1], {})],
    "conv1d": [([2, 3, 1], {"kernel": 2}), ([2, 3, 4], {"kernel": 3, "bias": True, "relu": True, "stride": 2})],
    "conv2d": [([2, 3, 1], {"kernel": 2}), ([1, 2, 3], {"kernel": 1, "bias": True, "padding": 1})],
    "attention": [([3, 2], {}), ([3, 2], {"heads": 4, "keys": 2, "rope": True}), ([2, 1], {"tokens": 2}),
                  ([3, 2], {"tokens": 2, "heads": 4, "keys": 2, "bias": True})],
    "transformer": [([2, 1, 3], {}), ([2, 1, 3], {"heads": 2}),
                    ([3, 2, 4], {"heads": 2, "keys": 1, "bias": True, "norm": "pre-rms", "gain": True, "swiglu": True}),
                    ([3, 1, 4], {"norm": "post-layer", "gain": True, "eps": "1/9"}), ([3, 1, 4], {"bias": True})],
    "residual": [([3, 2], {}), ([3, 2], {"blocks": 3, "relu": True})],
    "maxpool": [([2, 3, 1], {}), ([2, 3, 1], {"pool": 3})],
    "avgpool": [([2, 3, 1], {}), ([2, 3, 1], {"pool": 1})],
    "recurrent": [([2, 3, 1], {}), ([2, 3, 1], {"steps": 3, "relu": True})],
    "moe": [([2, 3, 1], {}), ([3, 4, 2], {"gate": "topk", "k": 3})],
    "mlp": [([2, 1], {}), ([2, 3, 4, 1], {"bias": True}), ([2, 3, 4, 2], {"norm": "layer", "gain": True}),
            ([2, 3, 4, 2], {"norm": "batch", "gain": True, "bias": True, "batch": 2})],
    **{family: [([2, 3, 1], {}), ([2, 3, 4], {"bias": True, "steps": 1})] for family in ("gru", "lstm")},
    "ssm": [([2, 3, 1], {}), ([2, 3, 4], {"dense": True})],
    "lora": [([2, 3], {}), ([2, 3, 4], {"rank": 2, "act": "relu", "fixed": True})],
    "cosine": [([2, 3, 1], {})],
    "weight_norm": [([2, 3, 1], {}), ([3, 2, 4], {"gain": True}), ([3, 2, 4], {"gain": True, "bias": True})],
    "factorization": [([2, 3], {}), ([2, 3, 1], {"rank": 2, "scheme": "tucker"}),
                      ([3, 3], {"rank": 2, "scheme": "shared", "measurements": 2})],
    "diagonal": [([3], {}), ([1], {"layers": 4})],
}  # fmt: skip


def test_the_dimension_is_known_without_building_anything():
    """That of the model built, for every family, and of its flows on their phase spaces."""
    assert EXAMPLES.keys() == COUNTS.keys() == models.FAMILIES.keys()
    for family, examples_ in EXAMPLES.items():
        for sizes, options in examples_:
            model = models.FAMILIES[family].model(family, sizes, options)
            assert parameter_count(family, sizes, options) == model.dimension, (family, sizes, options)
    for flow in ({}, {"weight_decay": "1/2"}, {"flow": "mirror"}, {"flow": "mirror", "weight_decay": 1},
                 {"flow": "momentum", "damping": "nesterov", "weight_decay": 1}):  # fmt: skip
        case = Case.of("nmf", 2, 3, 1, **flow)
        assert case.dimension == case.flow().dimension


def test_user_files_have_no_dimension_before_they_run(folder):
    """Nobody runs them to ask, and their estimates are those of a fixed size."""
    (folder / "wicked.py").write_text("raise SystemExit(9)\n")
    case = Case.of("wicked.py:net", 3)
    assert case.dimension is None and case.cost > 0 and case.memory > 0
    assert parse_spec('[[cases]]\npython = "wicked.py:net"\nsizes = [3]', folder).cases == (case,)
    assert Case.of("rotation.ode", flow="momentum").dimension == 5


WRONG_CASES = [
    (("linear", 2), {}, ValueError, "at least two sizes"),
    (("nmf", 2, 2), {}, ValueError, "nmf takes the sizes n r m, not 2 sizes"),
    (("nmf", 2, 2, 0), {}, ValueError, "at least 1, not 0"),
    (("resnet", 18), {}, ValueError, "unknown family 'resnet'"),
    (("linear", 2, 2), {"bias": True}, ValueError, "linear has no option 'bias'"),
    (("relu", 2, 2), {"bias": 1}, TypeError, "bias of relu must be true or false, not 1"),
    (("moe", 2, 2, 2), {"gate": "hard"}, ValueError, "gate of moe must be one of softmax, topk, sigmoid, not 'hard'"),
    (("neuron", 2), {"powers": 3}, TypeError, "powers of neuron must be a list"),
    (("linear", 2, 2), {"tau": 1}, ValueError, "--tau belongs to"),
    (("linear", 2, 2), {"weight_decay": 0.3}, TypeError, r"must be exact, .*: write Fraction\(3, 10\)"),
    (("linear", 2, 2), {"flow": "heat"}, ValueError, "--flow must be one of gradient, mirror, momentum, not 'heat'"),
    (("linear", 2, 2), {"seed": -1}, ValueError, "seed must be at least 0"),
    (("linear", 2, 2), {"degree": 0}, ValueError, "degree must be at least 1"),
    (("linear", 2, 2), {"at": "zero", "degree": 3}, ValueError, "degree belongs to certify"),
    (("linear", 2, 2), {"at": ["1", "2"]}, ValueError, "at has 2 rationals, but the flow has D = 4"),
    (("linear", 2, 2), {"at": "nowhere"}, ValueError, "the start must be one of zero"),
    (("linear", 2, 2), {"near": ["1", "2"]}, ValueError, "near has 2 rationals, but the model has D = 4"),
    (("linear", 2, 2), {"near": "nowhere"}, ValueError, "the start must be one of random, zero"),
    (("linear", 2, 2), {"near": 3}, TypeError, "near must be one of random, zero, .* or a list of rationals, not 3"),
    (("linear", 2, 2), {"near": ["1", "x", "1", "1"]}, ValueError, "near: "),
    (("linear", 2, 2), {"near": "random", "at": "zero"}, ValueError, "near belongs to certify, not to the orbit"),
    (("linear", 2, 2), {"near": "random", "init": "he"}, ValueError, "init must be one of .*kaiming, xavier, not 'he'"),
    (("linear", 2, 2), {"near": "zero", "init": "kaiming"}, ValueError, 'init belongs to near = "random"'),
    (("linear", 2, 2), {"bias_init": "zero"}, ValueError, 'bias_init belongs to near = "random"'),
    (("linear", 2, 2), {"data": 3}, TypeError, "data must name a file with a row of numbers for each input, not 3"),
    (("linear", 2, 2), {"data": "inputs.csv", "at": "zero"}, ValueError, "data belongs to certify, not to the orbit"),
    (("rotation.ode",), {"near": "random"}, ValueError, "near belongs to models: the fields of rotation.ode"),
    (("rotation.ode",), {"data": "inputs.csv"}, ValueError, "data belongs to models: the fields of rotation.ode"),
    (("linear", 2, 2), {"positive": 3}, TypeError, "positive must be a list of names"),
    (("linear", 2, 2), {"budget": 3}, ValueError, "unknown key 'budget'"),
    (("linear", 2, "2"), {}, TypeError, "sizes must be a list of integers"),
    (("rotation.ode", 2), {}, ValueError, "sizes belong to families and Python files"),
    (("rotation.ode",), {"bias": True}, ValueError, "bias belongs to families"),
    (("missing.py:net",), {}, ValueError, "no file 'missing.py'"),
    (("mine.py",), {}, ValueError, "expected FILE.py:NAME, not 'mine.py'"),
]  # fmt: skip


@pytest.mark.parametrize(("target", "options", "error", "message"), WRONG_CASES)
def test_wrong_cases_are_refused_in_one_sentence(folder, target, options, error, message):
    """Before anything is built."""
    with pytest.raises(error, match=message) as caught:
        Case.of(*target, **options)
    assert str(caught.value).endswith(".")


# --- certified -------------------------------------------------------------------------------------------------------


def test_a_row_says_what_certify_says(folder):
    """Bounds, evidence and certificate are those of ``certify``; the row is plain and pickles."""
    case = Case.of("relu", 2, 3, 2, bias=True, seed=3)
    count = clexact.certify(case.flow(), seed=3)
    row = certified(case, Budget(seconds=60, mebibytes=4000), ENGINE)
    assert (row.status, row.lower, row.upper, row.exhibited) == (DONE, count.lower, count.upper, count.exhibited)
    assert (row.evidence_lower, row.evidence_upper) == (count.evidence.lower, count.evidence.upper)
    assert (row.filtration, row.assumptions, row.error) == (count.filtration, count.assumptions, "0")
    assert gzip.decompress(row.certificate).decode() == count.certificate.to_json()
    assert row.key == case.key(ENGINE) and Case.from_dict(json.loads(row.case)) == case
    assert row.seconds > 0 and row.peak_memory > 2**20 and row.failure == row.certificate_note == ""
    assert pickle.loads(pickle.dumps(row)) == row
    plain = (str, int, float, bytes, tuple, type(None))
    assert all(isinstance(value, plain) for value in dataclasses.asdict(row).values())


def test_a_count_with_an_error_says_so():
    """Closed with error at most 2^-100: the row has it."""
    case = Case.from_dict({"system": "random.ode", "text": "x' = x*y + 1\ny' = y^2 + x\nz' = 0\n---\nx' = y + x^2\n"})
    count = clexact.certify(case.flow())
    row = certified(case, Budget(), ENGINE)
    assert (row.lower, row.upper) == (count.lower, count.upper)
    assert row.error == ("2^-100" if count.error else "0")


@pytest.mark.parametrize(("start", "laws"), [("zero", 8), ("dead-unit", 5), ("rank-deficient", None)])
def test_special_starts_have_rows(start, laws):
    """The quantities conserved on the orbit, D minus its dimension; no certificate."""
    case = Case.of("linear", 2, 2, 2, at=start)
    orbit = clexact.orbit_dimension(case.flow(), start)
    row = certified(case, Budget(), ENGINE)
    assert row.status == DONE and row.certificate is None and "start" in row.certificate_note
    assert (row.lower, row.upper) == (8 - orbit.upper, 8 - orbit.orbit_dimension) and orbit.closed
    assert laws in (None, row.lower)


@pytest.mark.slow
def test_an_orbit_that_is_not_closed_has_two_bounds():
    """Brackets of too small a depth: lower < upper, and the truth lies between."""
    case = Case.of("nmf", 2, 2, 2, at="zero", flow="momentum", max_depth=0)
    row, deep = (certified(c, Budget(), ENGINE) for c in (case, dataclasses.replace(case, max_depth=5)))
    assert row.status == deep.status == DONE and row.lower <= deep.lower <= deep.upper <= row.upper
    orbit = clexact.orbit_dimension(case.flow(), "zero", max_depth=0)
    assert orbit.upper >= orbit.orbit_dimension and row.upper == row.dimension - orbit.orbit_dimension


def python_case(body, **options):
    """A case of a Python file with this function body."""
    text = "import clexact, sys, time\ndef net():\n    " + body.replace("\n", "\n    ")
    return Case.from_dict({"python": "user.py:net", "text": text, **options})


FAILURES = [
    ("raise RuntimeError('no\\nluck')", FAILED, "RuntimeError: no luck"),
    ("return 3", FAILED, "must be a Model, a Flow or VectorFields, not int"),
    ("sys.exit(4)", FAILED, "SystemExit: 4"),
    ("raise MemoryError", STOPPED, "the memory does not suffice"),
    ("while True: time.sleep(0.01)", STOPPED, "the time limit of 0.2 s is reached"),
]


@pytest.mark.parametrize(("body", "status", "failure"), FAILURES)
def test_whatever_happens_there_is_a_row(body, status, failure):
    """What the user's code raises or does not end becomes the status and one sentence."""
    row = certified(python_case(body), Budget(seconds=0.2), ENGINE)
    assert row.status == status and failure in row.failure and "\n" not in row.failure
    assert row.lower is row.upper is row.dimension is row.certificate is None and row.certificate_note


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # an interrupt may hit a finalizer first
def test_a_stopped_case_keeps_its_bounds():
    """The time ends in the middle: the bounds hold, the true number is between them."""
    row = certified(Case.of("linear", 60, 60, 60, flow="momentum"), Budget(seconds=0.5), ENGINE)
    assert row.status == STOPPED and row.failure == "the time limit of 0.5 s is reached"
    assert 0 <= row.lower <= 1770 <= row.upper <= row.dimension == 14401 and row.certificate is None


@pytest.mark.slow
def test_a_case_that_needs_more_memory_than_allowed_is_not_started():
    """Known before the start; all that is known are the trivial bounds."""
    case = Case.of("nmf", 80, 80, 80, flow="mirror")
    (row,) = clexact.sweep([case], budget=Budget(mebibytes=300))  # in a process that holds nothing else
    assert row.status == STOPPED and "over the memory limit of 300 MiB" in row.failure
    assert (row.lower, row.upper) == (0, row.dimension)


def test_certificates_that_are_not_kept_have_a_note(monkeypatch):
    """One that is too large, and one whose fields cannot be listed; the bounds are there."""
    case = Case.of("linear", 3, 3, 3, flow="momentum")
    monkeypatch.setattr(sys.modules["clexact.sweeps.certified"], "MIB", 100)
    large = certified(case, Budget(certificate_mebibytes=1), ENGINE)
    monkeypatch.setattr(sys.modules["clexact.proofs.fields_certificate"], "MAX_TERMS", 1)
    listed = Case.from_dict({"system": "rotation.ode", "text": "x' = -y\ny' = x\n"})
    unlisted = certified(listed, Budget(), ENGINE)
    none = certified(case, Budget(certificate_mebibytes=0), ENGINE)
    assert none.certificate is None and none.certificate_note == "none was asked for"
    assert "certificate" in json.loads(large.stages) and sum(json.loads(large.stages).values()) <= large.seconds
    assert "MiB, over 1 MiB" in large.certificate_note and "would list" in unlisted.certificate_note
    assert large.certificate is unlisted.certificate is None
    assert (large.status, large.lower) == (none.status, none.lower) == (DONE, 3)
    assert (unlisted.status, unlisted.lower) == (DONE, 1)


@pytest.mark.slow
def test_an_interrupt_from_outside_is_not_swallowed():
    """Ctrl-C in the middle of a certification, with limits and without."""
    for budget in (Budget(), Budget(seconds=60)):
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            certified(python_case("while True: time.sleep(0.01)"), budget, ENGINE)
        timer.join()


def test_another_engine_is_refused():
    """With both names, before any work."""
    with pytest.raises(ValueError, match=r"this process computes with clexact .*, but other was asked for"):
        certified(Case.of("linear", 2, 2), Budget(), "other")


def test_one_thread_is_used_and_the_number_restored():
    """Inside one, after as before."""
    clexact.set_threads(3)
    count = "from clexact.support.threads import thread_count\nassert thread_count() == 1\n"
    body = f"{count}return clexact.models.linear([2, 2])"
    try:
        row = certified(python_case(body), Budget(), ENGINE)
        assert row.status == DONE, row.failure
        assert thread_count() == 3
    finally:
        clexact.set_threads(1)


def test_the_peak_is_that_of_the_case():
    """A large case before does not count for a small one after, where Linux allows it."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux forgets a peak")
    body = "waste = bytearray(300 * 2**20)\ndel waste\nreturn clexact.models.linear([2, 2])"
    large = certified(python_case(body), Budget(), ENGINE)
    small = certified(Case.of("linear", 2, 2), Budget(), ENGINE)
    assert large.peak_memory > small.peak_memory + 200 * 2**20


def test_a_process_that_died_has_a_row():
    """Without building anything."""
    case = python_case("import os\nos._exit(3)")
    row = died(case, Budget(seconds=1), ENGINE, FAILED, "its process ended", 2.5)
    assert (row.status, row.failure, row.seconds, row.lower) == (FAILED, "its process ended", 2.5, None)
    assert row.key == case.key(ENGINE)


@pytest.mark.parametrize("wrong", [
    {"seconds": 0}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": "1"}, {"seconds": True},
    {"mebibytes": -1}, {"mebibytes": 1.5}, {"certificate_mebibytes": -1},
])  # fmt: skip
def test_budgets_are_positive(wrong):
    """One sentence."""
    with pytest.raises((ValueError, TypeError), match=r"of a budget must be .*\.$"):
        Budget(**wrong)


def test_limits_of_blocks_one_in_the_other():
    """The inner one is reached; the outer one goes on; after it nothing comes."""
    with limits(seconds=60) as outer:
        with pytest.raises(KeyboardInterrupt), limits(seconds=0.1) as inner:
            while True:
                time.sleep(0.01)
        time.sleep(0.1)
    assert inner.reached and not outer.reached


# --- conditions ------------------------------------------------------------------------------------------------------

CONDITIONS = {
    "r <= n + m": lambda n, r, m: r <= n + m,
    "r <= n + m and n != m": lambda n, r, m: r <= n + m and n != m,
    "n = m or r > 2*(n - m)^2 and m >= 2": lambda n, r, m: n == m or (r > 2 * (n - m) ** 2 and m >= 2),
    "1 < n <= r/2 + m/2": lambda n, r, m: 1 < n <= r / 2 + m / 2,
    "n*m == r**2": lambda n, r, m: n * m == r**2,
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions_hold_where_python_says(text):
    """On all sizes up to 5."""
    condition = Selection.read(text, ["n", "r", "m"])
    for at in itertools.product(range(1, 6), repeat=3):
        assert condition.holds(dict(zip("nrm", at, strict=True))) is CONDITIONS[text](*at), at


@pytest.mark.parametrize(("text", "message"), [
    ("", "expected a comparison"), ("r", "expected a comparison"), ("r <", "column 4: expected a number"),
    ("r < q", "column 5: unknown variable 'q'"), ("r < 0.5q", "column 8: unknown variable 'q'"),
    ("r < n^99", "at most 16"),
    ("r < n and", "column 10: expected a comparison"), ("r < n or q > 1", "column 10: unknown variable 'q'"),
    ("__import__('os')", "expected a comparison"), ("(r < n)", "expected ')'"),
])  # fmt: skip
def test_wrong_conditions_name_the_column(text, message):
    """Nothing is evaluated."""
    with pytest.raises(ValueError) as caught:
        Selection.read(text, ["n", "r", "m"])
    assert message in str(caught.value)


# --- specs -----------------------------------------------------------------------------------------------------------


def block(text, **top):
    """The spec of one block."""
    head = "".join(f"{key} = {value}\n" for key, value in top.items())
    return parse_spec(f"{head}[[cases]]\n{text}")


def labels(text, folder=""):
    """Of the cases of one block."""
    return [case.label for case in parse_spec(f"[[cases]]\n{text}", folder).cases]


def test_a_grid_with_a_condition_and_all_combinations_of_options():
    """Counted by hand, and the options left out where they do not belong."""
    spec = block("""family = "linear"
        sizes = ["n", "r", "m"]
        grid = { n = "1..3", r = [1, "3..4"], m = 2 }
        where = "r <= n + m"
        flow = ["gradient", "momentum"]
        damping = ["none", "heavy-ball", "nesterov"]
        tau = ["1/2", 1]""")
    sizes = [(n, r, 2) for n in (1, 2, 3) for r in (1, 3, 4) if r <= n + 2]
    momentum = [{"damping": "none"}, {"damping": "heavy-ball", "tau": "1/2"}, {"damping": "heavy-ball", "tau": 1},
                {"damping": "nesterov"}]  # fmt: skip
    flows = [{}, *({"flow": "momentum"} | damping for damping in momentum)]
    assert set(spec.cases) == {Case.of("linear", *size, **flow) for size in sizes for flow in flows}
    assert len(spec.cases) == len(sizes) * len(flows) and spec.skipped == 0


def test_everything_a_case_can_say_can_be_said(folder):
    """Every key of a case, in one block or another."""
    texts = [
        'family = "relu"\nsizes = [[2, 2, 2], [1, 3, 1]]\nbias = true\nslope = "1/2"\nseed = [0, "2..3"]',
        'family = "neuron"\nsizes = [2, 1]\npowers = [[1], [1, 2]]\ndegree = "1..2"\nmax_depth = 3',
        'family = ["tanh", "gelu"]\nsizes = [[1, 1, 1], [2, 1, 1]]\nloss = ["full", "cross-entropy"]',
        'family = "conv1d"\nsizes = [1, 1]\nkernel = 2\nstride = 2\nlength = 4\npadding = "0..1"\nrelu = true',
        'family = "attention"\nsizes = [2, 2]\nheads = 2\nrope = true\nkeys = [1, 2]\ncausal = true\ntokens = 2',
        'family = "residual"\nsizes = [2, 2]\nblocks = "1..2"',
        'family = ["maxpool", "avgpool"]\nsizes = [1, 2, 1]\npool = "1..3"',
        'family = "recurrent"\nsizes = [1, 2, 1]\nsteps = [1, 3]',
        'family = "moe"\nsizes = [2, 3, 1]\ngate = ["softmax", "topk"]\nk = "1..2"',
        'family = "mlp"\nsizes = [1, 3, 2]\nact = ["tanh", "gelu"]\nnorm = ["rms", "batch"]\ngain = true\neps = "1/9"',
        'family = "mlp"\nsizes = [1, 3, 2]\nnorm = "batch"\nbatch = "3..4"',
        'family = "transformer"\nsizes = [2, 1, 1]\nswiglu = [true, false]',
        'family = "ssm"\nsizes = [1, 2, 1]\ndense = [true, false]',
        'family = "lora"\nsizes = [2, 2]\nrank = "1..2"\nfixed = true',
        'family = "factorization"\nsizes = [2, 2]\nscheme = ["cp", "tucker"]\nmeasurements = "2..4"',
        'family = "diagonal"\nsizes = [2]\nlayers = "1..3"',
        'family = "nmf"\nsizes = [2, 1, 2]\nflow = "mirror"\npositive = [["U"], ["U", "V"]]\nweight_decay = [0, "1/2"]',
        'family = "nmf"\nsizes = [2, 1, 1]\nflow = "momentum"\ndamping = "heavy-ball"\ntau = 3',
        'system = "rotation.ode"\ndegree = "1..3"',
        'system = "scaled.ode"\nparameters = ["a", "b"]\nvalues = { a = "1/2" }\nseed = [0, 1]',
        'system = "bound.jl"\nstructural = true',
        'python = ["mine.py:net"]\ngrid = { n = "1..2", r = 1 }',
        'python = "mine.py:net"\nsizes = ["r", 3]\ngrid = { r = "1..2" }',
        'family = "relu"\nsizes = [2, 2]\ndata = ["inputs.csv"]\n'
        'near = ["random", "zero", "start.txt", [1, 0, 2, "1/3"]]\ninit = ["kaiming", "uniform"]\nbias_init = "zero"',
        'family = "linear"\nsizes = [2, 2]\nat = ["zero", "identity", "start.txt", [1, 0, "1/2", -3]]',
    ]
    counts = [2 * 3, 2 * 2, 2 * 2 * 2, 2, 2, 2, 2 * 3, 2, 3, 2 * 2, 2, 2, 2, 2, 2 * 3, 3, 4, 1, 3, 2, 1, 2, 2, 2 + 3, 4]
    found = [parse_spec(f"[[cases]]\n{text}", folder) for text in texts]
    assert [len(spec.cases) for spec in found] == counts
    said = {key for spec in found for case in spec.cases for key in case.to_dict()}
    assert set(KEYS) == said
    assert found[-1].cases[2].at == ("1", "2", "0", "1/2") and found[-1].cases[3].at == ("1", "0", "1/2", "-3")


def test_draws_depend_on_the_seed_and_on_their_own_block_only():
    """A block before changes nothing; another seed does; after goes on with the draws of another block."""
    drawn = 'family = "relu"\ndraw = { count = 20, depth = "2..4", width = "2..9" }\n'
    first = parse_spec(f"[[cases]]\nname = 'one'\n{drawn}")
    assert parse_spec(f"[[cases]]\nname = 'one'\n{drawn}").cases == first.cases
    before = parse_spec(
        f"[[cases]]\nfamily = 'linear'\ndraw = {{ count = 5, depth = 2, width = 3 }}\n[[cases]]\n{drawn}"
    )
    assert before.cases[-len(first.cases) :] == first.cases
    assert parse_spec(f"seed = 1\n[[cases]]\n{drawn}").cases != first.cases
    own = drawn.replace("count = 20", "count = 20, seed = 1")
    sizes = [[case.model.sizes for case in spec.cases] for spec in
             (parse_spec(f"seed = 1\n[[cases]]\n{drawn}"), parse_spec(f"[[cases]]\n{own}"))]  # fmt: skip
    assert sizes[0] == sizes[1]
    half, rest = (drawn.replace("count = 20", f"count = 10{more}") for more in ("", ', after = "half"'))
    assert parse_spec(f"[[cases]]\nname = 'half'\n{half}\n[[cases]]\n{rest}").cases == first.cases
    assert all(2 <= len(s) - 1 <= 4 and all(2 <= n <= 9 for n in s) for s in sizes[0])


def test_options_and_axes_are_drawn_too():
    """Each network has its own; a condition leaves networks out."""
    cases = block("""family = "icnn"
        draw = { count = 60, n = "1..2", r = 3, m = [1, 4], bias = [false, true], tau = [0, "1/2"] }
        where = "n < m"
        flow = "momentum"
        damping = "heavy-ball" """).cases
    said = {(case.model.sizes, dict(case.model.options).get("bias", False), case.dynamics.tau) for case in cases}
    expected = itertools.product([(1, 3, 4), (2, 3, 4)], [False, True], ["0", "1/2"])
    assert said == set(expected)


def test_budgets_of_blocks_and_duplicates():
    """A block's budget adds to the spec's; a case of two blocks is one, with the larger limits."""
    spec = parse_spec("""
        [budget]
        seconds = 60
        mebibytes = 500
        [[cases]]
        family = "linear"
        sizes = [[2, 2], [3, 3]]
        [[cases]]
        family = "linear"
        sizes = [[3, 3], [4, 4]]
        budget = { seconds = 5, mebibytes = 900 }
    """)
    found = {case.model.sizes: budget for case, budget in spec.budgets.items()}
    assert found == {(2, 2): Budget(60, 500), (3, 3): Budget(60, 900), (4, 4): Budget(5, 900)}
    assert Budget(None, 3).largest(Budget(5, 2)) == Budget(None, 3)


def test_networks_that_are_too_large_are_skipped():
    """By the dimension of the phase space; counted."""
    spec = block('family = "linear"\nsizes = ["n", "n"]\ngrid = { n = "1..9" }\nmax_dimension = 16')
    assert [case.dimension for case in spec.cases] == [1, 4, 9, 16] and spec.skipped == 5
    assert len(block('family = "linear"\nsizes = [2, 2]\nflow = "momentum"', max_dimension=8).cases) == 0


WRONG = [
    ("", "a spec needs at least one block of cases"),
    ("cases = 3", "a spec needs at least one block"),
    ("x = [", "not TOML"),
    ("sed = 0", r"a spec has no key 'sed' \(= 0\); expected seed, budget"),
    ("[budget]\nseconds = -1", "seconds of a budget must be positive, not -1"),
    ("seed = 1.5", "seed must be an integer, not 1.5"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\n[[cases]]\nfamily = 'linear'\nsize = [2, 2]",
     r"block 2 \(linear\): a block has no key 'size'"),
    ("[[cases]]\nsizes = [2, 2]", "block 1: a block takes one of family, system and python, not none"),
    ("[[cases]]\nfamily = [['linear']]\nsizes = [2, 2]", "family must be a text or a list of texts"),
    ("[[cases]]\nfamily = 'resnet'\nsizes = [2, 2]", "unknown family 'resnet': expected one of linear"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2]", "block 1.*linear takes at least two sizes"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nbias = true", "bias = True belongs to relu.*, not to 'linear'"),
    ("[[cases]]\nfamily = 'relu'\nsizes = [2, 2]\nbias = 'yes'", "bias of relu must be true or false, not 'yes'"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nflow = 'momentm'", "flow must be one of gradient.*, not 'momentm'"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\ndamping = 'nesterov'",
     "damping = 'nesterov' belongs to flow = \"momentum\""),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nflow = 'momentum'\ndamping = 'heavy-ball'\ntau = 0.1",
     r"tau must be exact, which the float 0.1 is not: write Fraction\(1, 10\) or '0.1'"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nflow = 'mirror'", "needs --positive NAMES"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2, 2]\nflow = 'mirror'\npositive = 'U3'", "none of the parameters U1"),
    ("[[cases]]\nfamily = 'attention'\ngrid = { d = 2, h = '1..3' }\nrope = true", "attention 2 1 .*even, not 1"),
    ("[[cases]]\nfamily = 'conv1d'\nsizes = [1, 1]\nkernel = [2, 9]\nlength = 4", "kernel of size 9 does not fit"),
    ("[[cases]]\nfamily = 'product'\nsizes = [3]\nloss = 'cross-entropy'", "not a scalar"),
    ("[[cases]]\nfamily = 'linear'\nsizes = ['n', 'q']\ngrid = { n = 1 }", r"sizes takes axes of the grid \(n\).*'q'"),
    ("[[cases]]\nfamily = 'linear'\nsizes = ['n', 'n']\ngrid = { n = '3..1' }", "n takes integers of at least 1"),
    ("[[cases]]\nfamily = 'linear'\nsizes = ['n', 'n']\ngrid = { n = 1.5 }", "n takes integers or ranges"),
    ("[[cases]]\nfamily = 'linear'\nsizes = ['n', 'n']\ngrid = { n = '1..3' }\nwhere = 'n < q'",
     "where = 'n < q': line 1, column 5: unknown variable 'q'"),
    ("[[cases]]\nfamily = 'linear'\nsizes = ['n', 'n']\ngrid = { n = '1..3' }\nwhere = 'n < 0'", "no network meets"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nwhere = 'n < 0'", "where = 'n < 0' needs a grid or a draw"),
    ("[[cases]]\nfamily = 'nmf'\ngrid = { n = 1 }\ndraw = { count = 1 }", "a grid or a draw, not both"),
    ("[[cases]]\nfamily = 'nmf'\ngrid = { n = '1..1000', r = '1..1000', m = '1..1000' }", "at most 1000000 sizes"),
    ("[[cases]]\nfamily = 'nmf'\nsizes = [1, 1, 1]\nseed = '0..9999999'", "seed may take at most 1000000 values"),
    ("[[cases]]\nfamily = 'nmf'\nsizes = [1, 1, 1]\nseed = '0..9999'\nmax_depth = '0..999'", "at most 1000000 cases"),
    ("[[cases]]\nfamily = 'linear'\ndraw = { count = 3 }", "draw takes depth and width"),
    ("[[cases]]\nfamily = 'linear'\ndraw = { width = 3 }", "draw needs a count"),
    ("[[cases]]\nfamily = 'nmf'\ndraw = { count = 3, width = 3, after = 'x' }", "name of an earlier block"),
    ("[[cases]]\nfamily = 'nmf'\ndraw = { count = 3, width = 3, tau = 1 }\ntau = 1", "tau is drawn"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [20000, 20000]", "D = 400000000 is too large"),
    ("[[cases]]\nfamily = 'linear'\ngrid = { depth = 10000, width = 2 }", "depth takes integers from 1 to 1000"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nat = 'nowhere'", "the start must be one of zero"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nat = [[1, 2]]", "at has 2 rationals, but the flow has D = 4"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\ninit = 'kaiming'", "init = 'kaiming' belongs to near = \"random\""),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\nnear = 'random'\nbias_init = 'none'", "bias_init must be one of"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\ndata = 'none.csv'", "cannot open 'none.csv': No such file"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [[2, 2], [2, 3]]\ndata = 'inputs.csv'",
     r"certify linear 2 3 --data inputs.csv: inputs for 'x' must have shape \(N, 3\)"),
    ("[[cases]]\nfamily = 'linear'\nsizes = [2, 2]\ndata = 'rotation.ode'",
     "rotation.ode: expected numbers such as 3, -1/2 or 0.25"),
    ("[[cases]]\nfamily = 'nmf'\nsizes = [2, 2, 2]\ndata = 'inputs.csv'\nflow = 'mirror'",
     "data go with --flow gradient and --flow momentum"),
    ("[[cases]]\nfamily = 'moe'\nsizes = [2, 2, 2]\nk = 2", 'k = 2 belongs to gate = "topk"'),
    ("[[cases]]\nsystem = 'none.ode'", "cannot open 'none.ode': No such file"),
    ("[[cases]]\nsystem = 'rotation.ode'\nflow = 'mirror'", "belong to models"),
    ("[[cases]]\npython = 'none.py:net'", "no file 'none.py'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_specs_are_refused_in_one_sentence(folder, text, message):
    """With the number of the block, before any work."""
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        parse_spec(text)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    assert ("[[cases]]" in text) is said.startswith("block ")


def test_files_that_are_no_specs(folder):
    """A missing one, a folder, bytes: the sentence names it."""
    (folder / "bytes.toml").write_bytes(b"\xff\xfe")
    (folder / "deep.toml").write_text("x = " + "[" * 100_000)
    for name in ("none.toml", ".", "bytes.toml", "deep.toml"):
        with pytest.raises(ValueError, match=r"\.$") as caught:
            read_spec(name)
        assert name in str(caught.value)


LEAF = st.one_of(
    st.integers(-2, 6),
    st.sampled_from([10**30, "1..3", "1/2", "n", "zero", "linear", "relu", "momentum", "heavy-ball", "U1"]),
    st.booleans(),
    st.floats(),
    st.text(max_size=4),
)  # fmt: skip
AXES = ["n", "m", "count", "depth", "width", "seed", "bias", "x y"]
OTHER_KEYS = ["grid", "draw", "where", "budget", "max_dimension", "name"]
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(AXES), inner, max_size=3),
    ),
    max_leaves=5,
)  # fmt: skip
MODEL = st.one_of(
    st.just({"family": "linear", "sizes": ["n", 2], "grid": {"n": "1..2"}}),
    st.just({"family": ["relu", "nmf"], "sizes": [2, 1, 2]}),
    st.just({"family": "attention", "sizes": [2, 2]}),
    st.just({"family": "linear", "draw": {"count": 2, "depth": "1..2", "width": "1..2"}}),
    st.just({}),
)
BLOCK = st.builds(
    lambda model, more: model | more,
    MODEL,
    st.dictionaries(
        st.sampled_from([*KEYS, "grid", "draw", "where", "budget", "max_dimension", "name"]), VALUE, max_size=3
    ),
)
TABLE = st.dictionaries(st.sampled_from(["seed", "budget", "max_dimension", "other"]), VALUE, max_size=1)
FUZZ = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@FUZZ
@given(top=TABLE, blocks=st.one_of(st.lists(BLOCK, min_size=1, max_size=2), VALUE))
def test_any_data_is_a_spec_or_one_sentence(top, blocks):
    """ValueError or TypeError, and what is read is made of cases that travel."""
    try:
        spec = spec_of(top | {"cases": blocks})
    except (ValueError, TypeError) as error:
        assert "\n" not in str(error)
        return
    assert isinstance(spec, Spec)
    for case in spec.cases[:3]:
        assert Case.from_dict(json.loads(case.to_json())) == case


@FUZZ
@given(st.one_of(st.text(max_size=40), st.text(alphabet="[]={}\"\n'.casefmilynr123", max_size=40)))
def test_any_text_is_a_spec_or_one_sentence(text):
    """TOML or not."""
    try:
        parse_spec(text)
    except (ValueError, TypeError) as error:
        assert str(error)


# --- the examples ----------------------------------------------------------------------------------------------------


def test_the_examples_are_read_by_name():
    """All six; the largest cases come first in a dry run, whose totals are finite."""
    assert examples() == ["atlas", "linear", "momentum", "published", "starts", "true-networks"]
    for name in examples():
        spec = read_spec(name)
        planned = dry_run(spec.cases)
        seconds = [one.seconds for one in planned]
        assert {one.case for one in planned} == set(spec.cases) and seconds == sorted(seconds, reverse=True)
        assert all(0 < one.seconds < 3600 and one.memory < 2**32 for one in planned), name


def test_the_linear_grid_is_what_it_says():
    """Every size of the grid, once."""
    sizes = {case.model.sizes for case in read_spec("linear").cases}
    two = set(itertools.product(range(1, 7), range(1, 9), range(1, 7)))
    assert {s for s in sizes if len(s) == 3} == two
    assert {s for s in sizes if len(s) == 4} == set(itertools.product(range(1, 5), repeat=4))
    assert {s for s in sizes if len(s) == 5} == {
        (n, w, w, w, m) for n, w, m in itertools.product(range(1, 5), repeat=3)
    }


def sizes_of(batch):
    """Those of the networks of a published batch, from the calls that certify them."""
    second = [call.args[1] for call in batch.cases]
    return [tuple(net.recipe["sizes"] if isinstance(net, clexact.Model) else net) for net in second]


@pytest.mark.slow
def test_published_networks_are_those_of_the_batches():
    """Under the gradient flow network by network: 120 of four batches, the ReLU ones with biases too, and the products.

    The flows' batches are drawn after random fields, which are no networks: their numbers and ranges are compared.
    """
    published = {batch.name: batch for batch in batches.batches(0)}
    cases = read_spec("published").cases

    def having(family, kind, positive=None):
        found = [c for c in cases if (c.family, c.dynamics.kind, c.dynamics.positive) == (family, kind, positive)]
        assert found
        return found

    linear = sizes_of(published["50 linear networks"]) + sizes_of(published["law search, 10 linear networks"])
    relu, searched = sizes_of(published["50 ReLU networks"]), sizes_of(published["law search, 10 ReLU networks"])
    assert (len(linear), len(relu), len(searched)) == (60, 50, 10)
    assert set(having("linear", "gradient")) == {Case.of("linear", *sizes) for sizes in linear}
    both = {Case.of("relu", *sizes, bias=bias) for sizes in relu for bias in (False, True)}
    assert set(having("relu", "gradient")) == both | {Case.of("relu", *sizes) for sizes in searched}
    assert having("product", "gradient") == [Case.of("product", d) for d in range(2, 9)]
    names = [batch.name for batch in batches.FLOW_BATCHES]
    blocks = [("nmf", "momentum"), ("relu", "momentum"), ("nmf", "mirror"), ("nmf", "momentum", ("U", "V")),
              ("icnn", "mirror"), ("icnn", "momentum", ("U",))]  # fmt: skip
    for batch, name, block in zip(batches.FLOW_BATCHES, names, blocks, strict=True):
        found = having(*block)
        assert 15 <= len(found) <= 20, name  # a few are drawn twice
        assert all(len(case.model.sizes) == 3 and max(case.model.sizes) <= batch.width for case in found), name
        taus = {case.dynamics.tau for case in found}
        assert taus <= ({"0", "1/2", "1", "3/2"} if "momentum" in name else {None}), name


def test_the_driver_of_user_files_is_not_their_runner(folder):
    """Reading a spec and a dry run of it run nothing of the user's."""
    (folder / "touch.py").write_text("open('ran', 'w').close()\nnet = 3\n")
    dry_run(parse_spec('[[cases]]\npython = "touch.py:net"', folder).cases)
    assert not (folder / "ran").exists()
    assert certified(Case.of("touch.py:net"), Budget(), ENGINE).status == FAILED
    assert (folder / "ran").exists()


@pytest.mark.slow
def test_importing_the_package_does_not_import_sweeps():
    """It stays light."""
    code = "import sys, clexact; sys.exit(any(name.startswith('clexact.sweeps') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_documentation_is_true():
    """Its spec is read, and its table has the numbers of cases."""
    page = Path(__file__).parents[1] / "docs" / "sweeps.md"
    text = page.read_text()
    for spec in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        assert len(parse_spec(spec).cases) > 100
    table = dict(re.findall(r"^\| `([\w-]+)` \| (\d+) \|", text, re.MULTILINE))
    assert table == {name: str(len(read_spec(name).cases)) for name in examples()}
