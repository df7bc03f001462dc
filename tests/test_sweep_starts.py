"""Starts as cases of sweeps: the same counts as near_starts, however often a sweep was killed; tables and pictures."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache

import pytest

import clexact
from clexact.cli import main as cli
from clexact.counting.many_starts import FreeCount, StartCount, StartCounts
from clexact.support.provenance import engine
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Budget, certified
from clexact.sweeps.spec import parse_spec
from clexact.sweeps.starts import by_layers, start_counts
from clexact.sweeps.store import Store

ENGINE, STARTS = engine(), 10
SPEC = f"""
[[cases]]
family = "relu"
sizes = [[1, 2, 1], [1, 2, 2, 1]]
bias = true

[[cases]]
family = "relu"
sizes = [[1, 2, 1], [1, 2, 2, 1]]
bias = true
near = "random"
init = "kaiming"
seed = "0..{STARTS - 1}"
"""


@cache
def direct(sizes):
    """As near_starts counts."""
    flow = clexact.gradient_flow(clexact.models.relu(list(sizes), bias=True))
    return clexact.near_starts(flow, STARTS, "kaiming")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of the spec, and of a network whose layers are not equally wide."""
    more = [Case.of("nmf", 2, 1, 1), Case.of("nmf", 2, 1, 1, near="random", seed=3)]
    with Store(tmp_path_factory.mktemp("starts") / "starts.db") as store:
        for case in [*parse_spec(SPEC).cases, *more]:
            store.add(certified(case, Budget(), ENGINE))
        yield store


def test_rows_are_the_counts_of_near_starts(store):
    """Seed by seed, and the gates of each; the table printed is that of certify --starts."""
    found = start_counts(store)
    assert [case.model.sizes for case in found] == [(1, 2, 1), (1, 2, 2, 1), (2, 1, 1)]
    for case, counts in list(found.items())[:2]:
        assert counts == direct(case.model.sizes) and counts.to_dict() == direct(case.model.sizes).to_dict()
    first, second, third = found.values()
    assert set(first.excess) == {0} and max(second.excess) > 1
    assert (third.free, third.counts) == (FreeCount(1, 1, "all data, generic start"), (StartCount(3, 1, 1, True),))
    near = list(store.rows("\"case\" LIKE '%kaiming%'", ["scope", "gates", "all_gates", "lower", "upper"]))
    assert {row["scope"] for row in near} == {"all data, near this start, true gates"} and len(near) == 2 * STARTS
    assert all(row["gates"] >= 1 and row["all_gates"] == 1 and row["lower"] == row["upper"] for row in near)
    free = next(store.rows("label = 'certify relu 1 2 2 1 --bias'", ["scope", "gates", "all_gates"]))
    assert free == {"scope": "all data, generic start, free gates", "gates": None, "all_gates": None}


def test_what_sweeps_leave_open_is_told(tmp_path):
    """A start on a kink, a count that was stopped, one that failed otherwise; free gates that were not counted."""
    case = Case.of("relu", 1, 2, 1, near="random")
    row = certified(case, Budget(), ENGINE)

    def other(seed, **changes):
        at = replace(case, seed=seed)
        return replace(row, key=at.key(ENGINE), case=at.to_json(), **changes)

    none = {"status": "failed", "lower": None, "upper": None, "exhibited": None, "all_gates": None, "scope": ""}
    rows = [
        row, other(1, **none, failure="TieError: a kink."), other(2, **none, failure="ValueError: something else."),
        other(3, status="stopped", lower=0, upper=4, failure="the time limit", scope="", all_gates=None),
    ]  # fmt: skip
    with Store(tmp_path / "s.db") as store:
        for one in rows:
            store.add(one)
        with pytest.raises(
            ValueError, match=r"starts of certify relu .*, but not certify relu 1 2 1, with free gates\."
        ):
            start_counts(store)
        store.add(certified(Case.of("relu", 1, 2, 1), Budget(), ENGINE))
        [counts] = start_counts(store).values()
    assert counts.tied == (1,) and [(c.seed, c.lower, c.upper) for c in counts.counts] == [(0, 2, 2), (3, 0, 4)]
    assert counts.excess == (0, 0) and "on a kink: 1" in str(counts)


def test_a_start_on_a_kink_is_a_row_that_failed():
    """Which says why, and is no count."""
    row = certified(Case.of("relu", 1, 2, 1, near="zero"), Budget(), ENGINE)
    assert (row.status, row.lower, row.scope) == ("failed", None, "") and row.failure.startswith("TieError: ")


def said(capsys, *words):
    """Exit status, standard output and error."""
    return cli.run([str(word) for word in words]), *capsys.readouterr()


def test_the_table_of_starts_on_the_command_line(store, capsys):
    """As text and as JSON, with a condition."""
    status, out, _ = said(capsys, "results", store.path, "--starts", "--where", "family = 'relu'")
    assert status == 0 and out == f"{direct((1, 2, 1))}\n\n{direct((1, 2, 2, 1))}\n"
    status, out, _ = said(capsys, "results", store.path, "--starts", "--format", "json")
    assert status == 0 and json.loads(out)[1] == direct((1, 2, 2, 1)).to_dict()
    for words in (["--columns", "label"], ["--format", "csv"], ["--summary"], ["--limit", "3"]):
        status, _, err = said(capsys, "results", store.path, "--starts", *words)
        assert status == 2 and "--starts prints tables of its own" in err and err.count("\n") == 1


def test_the_picture_has_the_numbers_of_the_rows(store, tmp_path, capsys):
    """Share, mean and most of each depth and width, from the rows alone."""
    layers = by_layers(start_counts(store))
    assert list(layers) == ["1 input, 1 output\nrelu --bias --init kaiming"]
    figure = clexact.plot.starts(layers)
    left, right = figure.axes
    excess = direct((1, 2, 2, 1)).excess
    assert [list(line.get_ydata()) for line in left.lines] == [[0], [100 * sum(e > 0 for e in excess) / STARTS]]
    assert [list(line.get_ydata()) for line in right.lines[:4]] == [[0], [0], [sum(excess) / STARTS], [max(excess)]]
    assert all(list(line.get_xdata()) == [2] for line in right.lines[:4]) and left.get_ylim() == (0, 100)
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["1 hidden layer", "2 hidden layers"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["mean", "most"]
    file = tmp_path / "starts.svg"
    assert said(capsys, "plot", "starts", store.path, "--out", file)[:2] == (0, f"{file}\n")
    clexact.plot.save(figure, tmp_path / "again.svg")
    assert file.read_bytes() == (tmp_path / "again.svg").read_bytes()
    for words, sentence in (
        (
            ["starts", store.path, "--where", "family = 'nmf'"],
            "no row is near a random start of a network",
        ),
        (["starts", tmp_path / "none.db"], "there is no store"),
        (["starts", store.path, "other.db"], "starts takes the store of one sweep"),
        (["drift", "--where", "TRUE"], "--where belongs to starts, not to drift"),
    ):
        status, _, err = said(capsys, "plot", *words, "--out", file)
        assert status == 2 and sentence in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "error"), [({}, ValueError), ([1], TypeError), ({(1, 2): 3}, TypeError), ({"t": {1: None}}, TypeError)]
)
def test_pictures_of_other_things_are_refused(wrong, error):
    """In one sentence."""
    with pytest.raises(error, match=r"^starts takes .*\.$"):
        clexact.plot.starts(wrong)


def test_bounds_that_do_not_meet_prove_no_more_than_their_lower_ones():
    """What is drawn is what is proved."""
    counts = (StartCount(0, 3, 9, False), StartCount(1, 6, 7, False))
    found = StartCounts("a flow", "", "uniform", "uniform", FreeCount(4, 5, ""), counts, ())
    assert found.excess == (0, 1)


@pytest.mark.slow  # a real sweep, killed by the system: what no other test shows of starts
def test_a_sweep_of_starts_is_killed_and_goes_on(tmp_path):
    """What was done is not done again, and the counts are those of near_starts."""
    spec, db = tmp_path / "starts.toml", tmp_path / "starts.db"
    spec.write_text(SPEC)
    command = [sys.executable, "-m", "clexact", "sweep", str(spec), "--db", str(db), "--jobs", "1", "--quiet"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not db.exists() or len(before := _finished(db)) < 3:
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.wait()
    before = _finished(db)
    assert 3 <= len(before) < 2 * STARTS + 2
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = _finished(db)
    assert f"{len(before)} from before" in done.stdout and len(after) == 2 * STARTS + 2
    assert before.items() <= after.items()
    with Store(db, write=False) as store:
        assert {case.model.sizes: counts for case, counts in start_counts(store).items()} == {
            sizes: direct(sizes) for sizes in ((1, 2, 1), (1, 2, 2, 1))
        }


def _finished(db):
    """{key: when it was finished} of the rows in a store."""
    with Store(db, write=False) as store:
        return {row["key"]: row["finished"] for row in store.rows(columns=["key", "finished"])}
