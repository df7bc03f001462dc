"""Sweeps in processes of their own, to be killed: what they are, what ran, what is in the store, and what should be."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from clexact.sweeps.spec import read_spec
from clexact.sweeps.store import Store

WICKED = Path(__file__).with_name("wicked.py")
SPEC = """
[[cases]]
python = "{file}:nap"
sizes = ["n"]
grid = {{ n = "1..{naps}" }}
[[cases]]
family = "linear"
sizes = ["n", "r", "m"]
grid = {{ n = "1..2", r = "1..2", m = "1..2" }}
"""
SECONDS = 120  # of patience, for slow machines
GONE = 5  # seconds after which no process may be left
SAME = (
    "key",
    "status",
    "dimension",
    "lower",
    "upper",
    "exhibited",
    "error",
    "filtration",
    "evidence_lower",
    "certificate",
)


class Field:
    """A folder in which sweeps of one spec are run, killed and resumed. All its processes know it by a variable."""

    def __init__(self, folder, naps):
        self.folder, self.db, self.runs = folder, folder / "sweep.db", folder / "runs"
        self.spec = folder / "sweep.toml"
        self.spec.write_text(SPEC.format(file=WICKED, naps=naps))
        self.environment = os.environ | {"CLEXACT_RUNS": str(self.runs)}
        self.started = []

    def start(self, *words):
        """A sweep of the spec, as from a terminal: in a process group of its own."""
        command = [sys.executable, "-m", "clexact", "sweep", str(self.spec), "--db", str(self.db), *words]
        return self.popen(command, start_new_session=True)

    def popen(self, command, **options):
        """A process of this folder."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.started.append(subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes | options))
        return self.started[-1]

    def processes(self, word=""):
        """Numbers of the living processes of this folder with a word in their command lines, the oldest first."""
        marker = f"CLEXACT_RUNS={self.runs}\0".encode()
        return sorted(int(path.name) for path in Path("/proc").glob("[0-9]*") if self._is_ours(path, marker, word))

    @staticmethod
    def _is_ours(path, marker, word):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            return marker in (path / "environ").read_bytes() and word.encode() in (path / "cmdline").read_bytes()

    def kill(self, word, index=0):
        """kill -9 the process of this folder with that word, as soon as there is one."""
        victim = self.wait(lambda: self.processes(word))[index]
        os.kill(victim, signal.SIGKILL)

    def ran(self):
        """How often each slow case ran."""
        return Counter(self.runs.read_text().split("\n")[:-1] if self.runs.exists() else [])

    def wait_for_runs(self, count):
        """Until so many slow cases were begun."""
        self.wait(lambda: self.ran().total() >= count)

    def wait(self, condition):
        """What the condition says, once that is true."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.02)
        raise TimeoutError(f"nothing for {SECONDS} s")

    def no_process_is_left(self):
        """Within seconds."""
        until = time.monotonic() + GONE
        while self.processes() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.processes()

    def end(self):
        """Whatever still runs."""
        for number in self.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for process in self.started:
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    @cached_property
    def cases(self):
        """Those of the spec."""
        return read_spec(self.spec).cases

    def rows(self):
        """What the store holds, by label."""
        with Store(self.db) as store:
            keys = [row["key"] for row in store.rows(columns=["key"])]
            rows = [store.row(key) for key in keys]
        return {row.label: {name: getattr(row, name) for name in SAME} for row in rows}


def lost_and_wrong(field, expected):
    """How many rows of a run without faults are not in the store, and how many are other than there."""
    rows = field.rows()
    lost = sum(label not in rows for label in expected)
    return lost, sum(rows[label] != expected[label] for label in expected if label in rows)
