"""Sweeps in this process and in two: the answers, what is run again, and cases that do what no case should do."""

import io
import json
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import clexact
from clexact.cli.main import run
from clexact.proofs.certificate import verify
from clexact.support.extras import command
from clexact.sweeps import execute, sandbox, spec
from clexact.sweeps import sweep as module
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Budget
from clexact.sweeps.display import Tally, shown
from clexact.sweeps.execute import SweepError, WorkerLostError
from clexact.sweeps.sandbox import Death, EngineError, Job
from clexact.sweeps.store import Store

WICKED = Path(__file__).with_name("wicked.py")
CASES = [Case.of("linear", n, 2, 3) for n in (1, 2, 3)] + [Case.of("relu", 2, n, 1, bias=True) for n in (1, 2)]
SPEC = """
[[cases]]
family = "product"
sizes = ["d"]
grid = { d = "2..6" }
"""


def wicked(name, n=1):
    """A case of the user's file."""
    return Case.of(f"{WICKED}:{name}", n)


def ended(pid):
    """Whether there is no process of that number, or only its remains; waits some seconds for it."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


# --- the answers -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_answers_as_certify_does(jobs, tmp_path):
    """Bounds, filtrations and certificates, in the order of the cases; the certificates are verified."""
    found = clexact.sweep(CASES, tmp_path / "s.db", jobs=jobs)
    assert [row.label for row in found] == [case.label for case in CASES]
    assert found.counts == {"done": len(CASES), "stopped": 0, "failed": 0}
    for case, row in zip(CASES, found, strict=True):
        count = clexact.certify(case.flow())
        assert (row.lower, row.upper, row.filtration) == (count.lower, count.upper, count.filtration)
        path = tmp_path / "certificate.json.gz"
        path.write_bytes(row.certificate)
        assert verify(path)
    assert [row.key for row in found[1:3]] == [found[1].key, found[2].key]


@pytest.mark.slow
def test_what_is_done_is_not_run_again(tmp_path, monkeypatch):
    """The second sweep runs the new case; the third what was stopped by a smaller budget, and what failed if asked."""
    monkeypatch.setenv("CLEXACT_RUNS", str(tmp_path / "runs"))
    db, cases = tmp_path / "s.db", [wicked("nap", 1), wicked("raises"), wicked("sleeps")]

    def runs():
        return (tmp_path / "runs").read_text().split("\n")[:-1]

    first = clexact.sweep(cases, db, budget=Budget(1.0))
    assert first.counts == {"done": 1, "stopped": 1, "failed": 1}
    assert sorted(runs()) == ["nap 1", "sleeps 1"]
    second = clexact.sweep([wicked("nap", 2), *cases], db, budget=Budget(1.0))
    assert (second.tally.ended, second.tally.reused, len(second)) == (1, 3, 4)
    assert sorted(runs()) == ["nap 1", "nap 2", "sleeps 1"]
    third = clexact.sweep(cases, db, budget=Budget(1.2), retry_failed=True)
    assert (third.tally.counts, third.tally.reused) == ({"stopped": 1, "failed": 1}, 1)
    assert sorted(runs()) == ["nap 1", "nap 2", "sleeps 1", "sleeps 1"]
    assert third[2].budget_seconds == 1.2


@pytest.mark.slow
def test_nothing_to_do():
    """No cases, no rows; equal cases are one."""
    assert list(clexact.sweep([])) == []
    assert len(clexact.sweep([CASES[0], CASES[0]])) == 1


@pytest.mark.slow
def test_a_sweep_becomes_a_frame():
    """A column for each value of a row but the certificate."""
    frame = clexact.sweep(CASES[:2]).to_frame()
    assert list(frame.label) == [case.label for case in CASES[:2]]
    assert "certificate" not in frame and list(frame.status) == ["done", "done"]


# --- cases that do what no case should do ----------------------------------------------------------------------------

ENDS = {
    "sleeps": ("stopped", "time limit of 1 s is reached"),
    "is_stuck": ("stopped", "killed, since it did not stop at its time limit of 1"),
    "eats": ("stopped", "memory"),
    "gulps": ("stopped", "memory"),
    "predicted": ("stopped", "MiB"),
    "raises": ("failed", "KeyError: 'no such thing'"),
    "exits": ("failed", "exit status 0"),
    "aborts": ("failed", "signal 6"),
    "crashes": ("failed", "signal 11"),
    "is_killed": ("failed", "signal 9"),
    "leaves": ("failed", "SystemExit: 4"),
    "interrupts": ("failed", "signal 2"),
    "forks": ("failed", "exit status 3"),
    "prints": ("done", ""),
}


@pytest.mark.slow
def test_a_wicked_case_costs_its_own_row_only(tmp_path, monkeypatch):
    """Every way to misbehave gives a row that says so, and the cases between them are as ever."""
    monkeypatch.setenv("CLEXACT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sandbox, "GRACE", 0.5)
    sizes = {"gulps": 3, "predicted": 1000}
    asked = {
        wicked(name, sizes.get(name, 1)): Budget(1.0 if name in ("sleeps", "is_stuck") else 60.0, 300) for name in ENDS
    }
    good = [wicked("nap", 1), *(Case.of("linear", n, 1, 2) for n in (1, 2))]
    cases = dict.fromkeys(good[:1], Budget()) | asked | dict.fromkeys(good, Budget())
    found = {row.key: row for row in clexact.sweep(cases)}
    rows = {case: found[case.key(module.engine())] for case in cases}
    for case, (status, said) in zip(asked, ENDS.values(), strict=True):
        assert (rows[case].status, case.label) == (status, case.label), rows[case].failure
        assert said in rows[case].failure
        assert rows[case].lower is None or status != "failed"
    for case in good:
        count = clexact.certify(case.flow())
        assert (rows[case].status, rows[case].lower, rows[case].upper) == ("done", count.lower, count.upper)
    ran = (tmp_path / "runs").read_text().split("\n")
    assert ran.count("is_killed 1") == sandbox.KILLS and ran.count("is_stuck 1") == 1


@pytest.fixture
def stuck(tmp_path):
    """A job that says the number of its process, and never ends, inside a C call that holds the GIL; that number."""
    said = tmp_path / "pid"
    text = "import ctypes, os, pathlib\ndef net(n):\n"
    text += f"    pathlib.Path({str(said)!r}).write_text(f'{{os.getpid()}}.')\n    ctypes.PyDLL(None).sleep(1000)\n"
    case = Case.from_dict({"python": "stuck.py:net", "text": text, "sizes": [1]})

    def number():
        found = said.read_text() if said.exists() else ""
        return int(found[:-1]) if found.endswith(".") else None

    return Job("key", case.to_json(), Budget(), module.engine(), 1.0, 1), number


@pytest.mark.slow
def test_what_nobody_wants_is_given_up(stuck):
    job, number = stuck
    ((key, death),) = sandbox.Sandbox().run([job], lambda: number() is None)
    assert key == "key" and isinstance(death, Death)
    assert ended(number())


@pytest.mark.slow
def test_a_child_dies_with_its_driver(stuck):
    """By the kernel, which closes the child's lifeline: the child is stuck."""
    job, number = stuck
    code = (
        "import sys\n"
        "from clexact.sweeps.certified import Budget\n"
        "from clexact.sweeps.sandbox import Job, Sandbox\n"
        "Sandbox().run([Job('key', sys.argv[1], Budget(), sys.argv[2], 1.0, 1)])\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, job.case, job.engine])
    while number() is None:
        assert driver.poll() is None
        time.sleep(0.05)
    driver.kill()
    assert driver.wait() == -9 and ended(number())


@pytest.mark.slow
def test_other_sources_are_refused(monkeypatch):
    """The engine of the worker must be the driver's."""
    monkeypatch.setattr(module, "engine", lambda: "0.0.9-feedface")
    with pytest.raises(EngineError, match=r"computes with clexact 0\.0\.9-feedface, the worker on .* with .*: install"):
        clexact.sweep(CASES[:1])


# --- deaths of workers, without processes ----------------------------------------------------------------------------


class Mortal:
    """A pool that does each job at once, and in which a worker dies where it is told to."""

    slots = crowd = 2

    def __init__(self, dies):
        self.dies, self.runs = dies, []

    def run(self, jobs, one_by_one):
        """The outcomes of a parcel after the other."""
        for parcel in jobs:
            flying = [job.key for job in pickle.loads(parcel)]
            assert len(flying) == (1 if one_by_one else 2)
            for key in flying:
                self.runs.append(key)
                if self.dies(key, self.runs.count(key)):
                    raise WorkerLostError
                yield key, b"row"


def jobs(count):
    """With keys a, b, c, ..."""
    return [Job(chr(97 + n), "", Budget(), "", execute.PARCEL / 2, 1) for n in range(count)]


def test_what_was_in_flight_is_run_again_and_nothing_else():
    """A worker dies at c, with d in flight: both run again, the others once."""
    pool = Mortal(lambda key, times: (key, times) == ("c", 1))
    assert sorted(execute.execute(jobs(6), 100, pool)) == [(key, b"row") for key in "abcdef"]
    assert sorted(pool.runs) == ["a", "b", "c", "c", "d", "e", "f"]


def test_a_job_that_kills_its_workers_is_given_up():
    """After three deaths; whoever was in flight with it at the first is not blamed."""
    pool = Mortal(lambda key, times: key == "c")
    outcomes = dict(execute.execute(jobs(6), 100, pool))
    assert isinstance(outcomes["c"], Death) and "3 workers were killed" in outcomes["c"].sentence
    assert all(outcomes[key] == b"row" for key in "abdef") and pool.runs.count("c") == execute.DEATHS


def test_workers_that_all_die_end_the_sweep():
    """One clear sentence, no endless loop."""
    with pytest.raises(SweepError, match=r"5 workers died one after the other"):
        list(execute.execute(jobs(100), 100, Mortal(lambda key, times: True)))


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cases", "options", "error", "said"),
    [
        (CASES, {"jobs": 0}, ValueError, "number of jobs must be at least 1, not 0"),
        (CASES, {"jobs": 1.5}, TypeError, "number of jobs must be an integer, not 1.5"),
        (["linear 2 2 2"], {}, TypeError, "a sweep takes cases"),
        ({CASES[0]: 5}, {}, TypeError, "each with a Budget"),
        (CASES, {"db": "/no/such/folder/s.db"}, ValueError, "no folder"),
        (CASES, {"cluster": "nowhere"}, ValueError, "no dask scheduler answers at 'nowhere'"),
        (CASES, {"cluster": "tcp://127.0.0.1:9"}, ValueError, "no dask scheduler answers"),
    ],
)
def test_wrong_input_is_refused(cases, options, error, said, monkeypatch):
    """Before any work, in one sentence."""
    monkeypatch.setattr("clexact.sweeps.cluster.PATIENCE", 0.5)
    with pytest.raises(error, match=said) as raised:
        clexact.sweep(cases, **options)
    assert "\n" not in str(raised.value)


def test_joblib_is_asked_for(monkeypatch):
    """One sentence that names the extra."""
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ImportError, match=re.escape(f"this needs joblib: {command('sweep')}")):
        clexact.sweep(CASES[:1])


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def spec_file(tmp_path, monkeypatch):
    """In the present folder."""
    monkeypatch.chdir(tmp_path)
    Path("products.toml").write_text(SPEC)
    return "products.toml"


@pytest.mark.slow
def test_the_command_runs_a_spec(spec_file, capsys):
    """Into a store of the spec's name; the second time there is nothing to do."""
    assert run(["sweep", spec_file, "--jobs", "1", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("products.db: 5 done (")
    assert run(["sweep", spec_file, "--jobs", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["db"], found["done"], found["reused"]) == ("products.db", 0, 5)
    with Store("products.db") as store:
        assert sorted(row["lower"] for row in store.rows(columns=["lower"])) == [1, 2, 3, 4, 5]


def test_shards_share_the_cases(spec_file, capsys):
    """Each case is in exactly one, the shards are about as large."""
    seen = []
    for index in (1, 2, 3):
        assert run(["sweep", spec_file, "--shard", f"{index}/3", "--dry-run", "--json"]) == 0
        labels = [row["case"] for row in json.loads(capsys.readouterr().out)["cases"]]
        assert len(labels) in (1, 2)
        seen += labels
    assert sorted(seen) == [f"certify product {d}" for d in range(2, 7)]


def test_a_dry_run_lists_and_runs_nothing(spec_file, capsys):
    """The largest first, with dimensions and estimates."""
    assert run(["sweep", spec_file, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "5 cases, estimated at 0:00:00 of one core" in lines[-1]
    cases = [line for line in lines if "certify" in line]
    assert "certify product 6" in cases[0] and "certify product 2" in cases[-1]
    assert not Path("products.db").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "no spec 'nosuch'"),
        (["products.toml", "--jobs", "0"], "number of jobs must be at least 1"),
        (["products.toml", "--jobs", "2", "--cluster", "tcp://h:1"], "either --jobs or --cluster"),
        (["products.toml", "--time-limit", "-1"], "must be positive, not -1"),
        (["products.toml", "--db", "products.toml"], "no store of clexact"),
    ],
)
def test_the_command_refuses_wrong_input(words, said, spec_file, capsys):
    """Exit status 2, one line."""
    assert run(["sweep", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/2/3"])
def test_wrong_shards_are_refused(shard, spec_file, capsys):
    """By the parser."""
    with pytest.raises(SystemExit) as status:
        run(["sweep", spec_file, "--shard", shard])
    assert status.value.code == 2 and "expected I/N" in capsys.readouterr().err


def test_the_command_ends_with_status_3_when_it_cannot_go_on(spec_file, capsys, monkeypatch):
    """It says what is kept."""

    def lost(*_):
        raise SweepError("the scheduler at tcp://h:1 is lost.")

    monkeypatch.setattr(module, "execute", lost)
    with pytest.raises(SystemExit) as status:
        run(["sweep", spec_file, "--jobs", "1", "--quiet"])
    assert status.value.code == 3
    said = capsys.readouterr().err
    assert said == (
        "clexact sweep: the scheduler at tcp://h:1 is lost. 0 rows are in products.db, "
        "and the same command goes on from there.\n"
    )


# --- what is seen ----------------------------------------------------------------------------------------------------


def test_a_tally_estimates_the_end():
    """By the estimated cost: after 10 s, a fifth of it is done, so 40 s are left."""
    tally = Tally(10, 100.0, slots=2, start=time.monotonic() - 10)
    assert tally.remaining is None
    for status, cost in (("done", 15.0), ("failed", 5.0)):
        tally.add(status, cost, f"case that {status}")
    assert tally.remaining == pytest.approx(40, abs=1)
    assert str(tally).startswith(
        "2 of 10 cases, 0:00:10 so far, 2 running, 1 failed, 0.2 a second, 0:00:40 left, ends about "
    )
    assert str(tally).endswith(", last: case that failed")
    tally.leave([15.0, 5.0])
    assert (tally.total, tally.elsewhere) == (8, 2) and tally.remaining == pytest.approx(30, abs=1)


def test_a_tally_is_drawn():
    """With a bar, on a terminal."""
    text = io.StringIO()
    tally = Tally(4, 4.0)
    tally.add("done", 1.0)
    Console(file=text, force_terminal=True, width=80, color_system=None).print(tally)
    assert "1 of 4 cases" in text.getvalue() and "━" in text.getvalue()


def test_plain_lines_when_there_is_no_terminal(capsys, monkeypatch):
    """One every few seconds, on standard error."""
    monkeypatch.setattr("clexact.sweeps.display.EVERY", 0.05)
    with shown(Tally(4, 4.0), True):
        time.sleep(0.3)
    assert capsys.readouterr().err.startswith("0 of 4 cases, 0:00:00 so far, 1 running\n" * 2)
    with shown(Tally(4, 4.0), False):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_every_example_is_planned():
    """Its cases have keys and costs."""
    for name in spec.examples():
        plans = module.planned(spec.read_spec(name).budgets)
        assert len({plan.key for plan in plans}) == len(plans) > 100, name
        assert all(plan.cost > 0 for plan in plans)
