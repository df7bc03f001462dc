"""Sweeps whose processes are killed, or whose disk is full: no row is lost, none is wrong, no process is left."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from faults import Field, lost_and_wrong

from clexact.support.provenance import engine
from clexact.sweeps.certified import Budget, certified
from clexact.sweeps.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
NAPS = 30
IN_FLIGHT = 12  # cases that a death may cost a second run: two workers, batches of a few cases
WORKER, SANDBOX = "LokyProcess", "clexact.sweeps.sandbox"


@pytest.fixture
def field(tmp_path):
    """Ended whatever happens."""
    field = Field(tmp_path, NAPS)
    yield field
    field.end()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The rows of a run without any fault, in this process."""
    field = Field(tmp_path_factory.mktemp("expected"), NAPS)
    with Store(field.db) as store:
        for case in field.cases:
            store.add(certified(case, Budget(), engine()))
    rows = field.rows()
    assert len(rows) == NAPS + 8 and all(row["status"] == "done" for row in rows.values())
    return rows


def finished(process):
    """Exit status, what was printed, what was said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_workers_and_sandboxes_are_killed(field, expected):
    """Two workers and two sandboxes, at seeded moments: the sweep goes on to its end."""
    draw, sweep, faults = random.Random(1), field.start("--jobs", "2"), 0
    for begun, victim in zip((3, 9, 15, 21), (WORKER, SANDBOX, WORKER, SANDBOX), strict=True):
        field.wait_for_runs(begun + draw.randrange(4))
        field.kill(victim, draw.randrange(-1, 1))
        faults += 1
    status, out, err = finished(sweep)
    assert status == 0, err
    assert "38 done" in out and "Traceback" not in err
    assert lost_and_wrong(field, expected) == (0, 0)
    ran = field.ran()
    assert len(ran) == NAPS and ran.total() - NAPS <= faults * IN_FLIGHT
    assert field.no_process_is_left()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_driver_is_killed(field, expected, jobs):
    """At a seeded moment: workers and sandboxes end by themselves, and the same command goes on."""
    draw = random.Random(int(jobs))
    sweep = field.start("--jobs", jobs)
    field.wait_for_runs(3 + draw.randrange(9))
    sweep.kill()
    sweep.wait()
    assert field.no_process_is_left()
    with Store(field.db) as store:
        before = {row["key"] for row in store.rows(columns=["key"])}
    status, out, err = finished(field.start("--jobs", jobs))
    assert status == 0 and (f"{len(before)} from before" in out or not before), err
    assert lost_and_wrong(field, expected) == (0, 0)
    ran = field.ran()
    assert len(ran) == NAPS and ran.total() - NAPS <= IN_FLIGHT


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_it_and_says_how_to_resume(field, jobs):
    """SIGINT for the whole process group, as a terminal sends it."""
    sweep = field.start("--jobs", jobs)
    field.wait_for_runs(5)
    os.killpg(sweep.pid, signal.SIGINT)
    start = time.monotonic()
    status, out, err = finished(sweep)
    assert status == 130 and time.monotonic() - start < 10
    last = err.splitlines()[-1]
    assert last.startswith("clexact: interrupted. ") and last.endswith("and the same command goes on from there.")
    assert "Traceback" not in err and out == ""
    assert field.no_process_is_left()


def test_two_sweeps_share_a_store(field, expected):
    """Each case is run by one of them."""
    sweeps = [field.start("--jobs", "1", "--json") for _ in range(2)]
    ends = [finished(sweep) for sweep in sweeps]
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert lost_and_wrong(field, expected) == (0, 0)
    ran = field.ran()
    assert len(ran) == NAPS == ran.total()


def test_the_disk_is_full(field, expected, tmp_path):
    """One sentence and status 3; what was written is there; with room, the same command goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        field.db = disk / "sweep.db"
        status, _, err = finished(field.start("--jobs", "1"))
        assert status == 3, err
        last = err.splitlines()[-1]
        assert "Traceback" not in err and last.startswith("clexact sweep: the store ") and "no space is left" in last
        before = field.rows()
        assert before and all(before[label] == expected[label] for label in before)
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        status, _, err = finished(field.start("--jobs", "1"))
        assert status == 0, err
        assert lost_and_wrong(field, expected) == (0, 0)
        shutil.copy(field.db, tmp_path / "kept.db")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    assert field.no_process_is_left()


def test_workers_ignore_ctrl_c_however_they_were_started():
    """loky starts workers anew from threads of its own, in which nothing is blocked.

    No public call brings about such a start, so what every worker runs first is run alone.
    """
    code = (
        "import os, signal\n"
        "from clexact.sweeps.execute import _follow\n"
        "_follow(os.getppid())\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "print('on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")
