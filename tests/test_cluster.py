"""A sweep on a real cluster: a dask scheduler and two workers in processes of their own, on this machine."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from faults import Field, lost_and_wrong

import clexact
from clexact.support.provenance import engine
from clexact.sweeps.certified import Budget, certified
from clexact.sweeps.store import Store

pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
NAPS, IN_FLIGHT = 30, 24
SANDBOX = "clexact.sweeps.sandbox"
STUCK = """
[budget]
seconds = 600
[[cases]]
python = "{file}:is_stuck"
sizes = ["n"]
grid = {{ n = "1..2" }}
"""


class Cluster(Field):
    """The commands of docs/cluster.md, on free ports."""

    def __init__(self, folder, naps):
        super().__init__(folder, naps)
        dask, quiet = [sys.executable, "-m", "dask"], {"stdout": None, "stderr": None, "text": None}
        self.errors = (folder / "dask.log").open("wb")
        quiet |= {"stdout": self.errors, "stderr": self.errors}
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        file = folder / "scheduler.json"
        words = ["scheduler", *here, "--port", "0", "--scheduler-file", str(file)]
        self.scheduler = self.popen([*dask, *words], **quiet)
        self.address = self.wait(lambda: file.exists() and file.read_text() and json.loads(file.read_text())["address"])
        words = ["worker", self.address, *here, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        self.workers = [self.popen([*dask, *words], **quiet) for _ in range(2)]
        self.wait(lambda: (folder / "dask.log").read_text().count("Registered to:") == 2)

    def end(self):
        """The log too."""
        super().end()
        self.errors.close()


@pytest.fixture
def cluster(tmp_path):
    """Ended whatever happens."""
    cluster = Cluster(tmp_path, NAPS)
    yield cluster
    cluster.end()


def rows_without_faults(field):
    """The rows that the spec gives in this process."""
    with Store(":memory:") as store:
        rows = Field.__new__(Field)
        rows.db = store.path
        for case in field.cases:
            store.add(certified(case, Budget(), engine()))
        return rows.rows()


def finished(process):
    """Exit status, what was printed, what was said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def other_sources(folder):
    """A copy of clexact with one more line."""
    copy = folder / "other" / "clexact"
    shutil.copytree(Path(clexact.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "support" / "version.py").open("a") as file:
        file.write("# other sources\n")
    return str(copy.parent)


def test_a_worker_and_a_sandbox_are_killed(cluster):
    """The other worker goes on; every row is that of a sweep without a cluster; the workers then wait for the next."""
    sweep = cluster.start("--cluster", cluster.address)
    cluster.wait_for_runs(4)
    cluster.kill(SANDBOX)
    cluster.wait_for_runs(10)
    cluster.workers[0].kill()
    status, out, err = finished(sweep)
    assert status == 0 and "38 done" in out and "Traceback" not in err, err
    assert lost_and_wrong(cluster, rows_without_faults(cluster)) == (0, 0)
    ran = cluster.ran()
    assert len(ran) == NAPS and ran.total() - NAPS <= IN_FLIGHT
    cluster.environment["PYTHONPATH"] = other_sources(cluster.folder)
    status, _, err = finished(cluster.start("--cluster", cluster.address))
    assert status == 2 and "the driver computes with clexact" in err and err.count("\n") == 1


def test_the_driver_and_the_scheduler_are_gone(cluster):
    """What a driver has left, the workers give up; without a scheduler the sweep ends with one sentence."""
    spec, db = cluster.spec, cluster.db
    cluster.spec, cluster.db = cluster.folder / "stuck.toml", cluster.folder / "stuck.db"
    cluster.spec.write_text(STUCK.format(file=Path(__file__).with_name("wicked.py")))
    sweep = cluster.start("--cluster", cluster.address)
    cluster.wait_for_runs(2)
    os.killpg(sweep.pid, signal.SIGINT)
    status, _, err = finished(sweep)
    assert status == 130 and "the same command goes on" in err and "Traceback" not in err
    cluster.wait(lambda: not cluster.processes(SANDBOX))

    cluster.spec, cluster.db = spec, db
    sweep = cluster.start("--cluster", cluster.address)
    cluster.wait_for_runs(10)
    cluster.scheduler.kill()
    status, _, err = finished(sweep)
    assert status == 3 and "Traceback" not in err, err
    assert f"the scheduler at {cluster.address} is lost." in err.splitlines()[-1]
    expected = rows_without_faults(cluster)
    before = cluster.rows()
    assert before and all(before[label] == expected[label] for label in before)
    status, _, err = finished(cluster.start("--jobs", "1"))
    assert status == 0 and lost_and_wrong(cluster, expected) == (0, 0), err
    cluster.wait(lambda: all(worker.poll() is not None for worker in cluster.workers))
    assert cluster.no_process_is_left()
