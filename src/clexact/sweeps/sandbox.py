"""A sandbox: a child process that runs cases one after the other, and whose death costs one case only.

The parent sends a case and waits. A case past its time is killed, even inside a C call that no signal reaches; one that
takes too much memory meets the limit of its process; one that ends its process ends nobody else's. The parent may be
any thread, since it needs no signals.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import NamedTuple

from clexact.counting.memory import MIB, machine_bytes
from clexact.support.provenance import engine
from clexact.support.system import fcntl, resource
from clexact.sweeps.case import Case
from clexact.sweeps.certified import DONE, Budget, certified

STEP = 0.5  # seconds between two looks at the child, while it computes
GRACE = 5.0  # seconds past its limit in which a case must end by itself, or a tenth of the limit
REAPED = 1.0  # seconds in which a process that closed its pipe is gone
IDLE = 60.0  # seconds without a case after which a child ends
START = 120.0  # seconds in which a child must be ready
HEADROOM = 512 * MIB  # of address space, above the memory limit, which is one of resident memory
SHARE = 0.9  # of the machine's memory, for all sandboxes together, where no limit is given
KILLS = 3  # times that a case is tried whose process somebody kills
NEXT, LAST = b"+", b"-"  # first byte of an answer: whether the child takes further cases
F_SETSIG = 10  # Linux: the signal that says that a file is ready, by default SIGIO
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Job(NamedTuple):
    """A case as it travels: its key, its canonical JSON text, its limits, the engine that must compute it."""

    key: str
    case: str
    budget: Budget
    engine: str
    cost: float  # estimated seconds
    crowd: int  # jobs that run at once on this machine, and share its memory

    @property
    def patience(self) -> float:
        """Seconds after which its process is killed."""
        seconds = self.budget.seconds
        return float("inf") if seconds is None else seconds + max(GRACE, seconds / 10)

    @property
    def ceiling(self) -> int:
        """Bytes that its process may allocate."""
        if self.budget.mebibytes is None:
            return int(SHARE * machine_bytes()) // self.crowd
        return self.budget.mebibytes * MIB + HEADROOM


class Death(NamedTuple):
    """What is known of a case whose process died: it was past its time limit, or failed, or somebody killed it."""

    stopped: bool
    sentence: str
    seconds: float
    killed: bool = False  # by the kernel, for want of memory, or by a person


Outcome = tuple[str, bytes | Death]  # a job's key, with the pickled row or the death of its process


class SandboxError(RuntimeError):
    """A sandbox cannot be used at all: no case is to blame."""


class EngineError(ValueError):
    """Driver and worker compute with different sources."""


@dataclass
class _Child:
    """A process, the pipe to it, and the writing end of its lifeline: where that is closed, the process dies."""

    process: subprocess.Popen[bytes]
    messages: Connection
    lifeline: int
    ready: select.poll  # says when there is a message

    @classmethod
    def start(cls) -> _Child:
        """Standard streams lead nowhere; a session of its own, which the terminal's Ctrl-C does not reach."""
        ours, theirs = Pipe()
        their_end, lifeline = os.pipe()
        words = [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(their_end)]
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), their_end), start_new_session=True,
                env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        except OSError as error:
            raise SandboxError(f"no process can be started: {error.strerror}.") from None
        finally:
            theirs.close()
            os.close(their_end)
        ready = select.poll()
        ready.register(ours.fileno(), select.POLLIN)
        return cls(process, ours, lifeline, ready)

    def answer(self, until: float, wanted: Callable[[], bool]) -> bytes | None:
        """The child's next message; None if there is none until then, or if nobody wants it. EOFError if it died."""
        while not self.ready.poll(1000 * max(0.0, min(STEP, until - time.monotonic()))):
            if self.process.poll() is not None:
                raise EOFError
            if time.monotonic() >= until or not wanted():
                return None
        try:
            return self.messages.recv_bytes()
        except OSError:  # it died within a message
            raise EOFError from None

    def end(self, grace: float = 0.0) -> int:
        """Its exit status, after killing it and all processes that it started, with some time to end by itself."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        os.close(self.lifeline)
        self.messages.close()
        return self.process.wait()


class Sandbox:
    """Runs cases in a child process, which is started where there is none. For one thread at a time."""

    def __init__(self) -> None:
        self._child: _Child | None = None

    def run(self, jobs: Sequence[Job], wanted: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """The outcomes of the jobs; given up when they are not wanted. SandboxError, EngineError."""
        outcomes, kills = list[Outcome](), 0
        while len(outcomes) < len(jobs) and wanted():
            for found in self._answers(jobs[len(outcomes) :], wanted):
                if isinstance(found, Death) and found.killed and kills < KILLS - 1:
                    kills += 1  # once more
                    break
                outcomes.append((jobs[len(outcomes)].key, found))
                kills = 0
        return outcomes

    def close(self, grace: float = 0.0) -> int:
        """End the child, if there is one; its exit status."""
        child, self._child = self._child, None
        return 0 if child is None else child.end(grace)

    def _answers(self, jobs: Sequence[Job], wanted: Callable[[], bool]) -> Iterator[bytes | Death]:
        """The answers, until the child is gone. It is sent all jobs at once, so that it never waits for the next."""
        child = self._ready(jobs[0].engine)
        with suppress(ConnectionError):  # it died while it was idle
            child.messages.send(jobs)
        for job in jobs:
            yield self._answer(child, job, wanted)
            if self._child is None:
                return

    def _answer(self, child: _Child, job: Job, wanted: Callable[[], bool]) -> bytes | Death:
        start = time.monotonic()
        try:
            answer = child.answer(start + job.patience, wanted)
        except EOFError:
            status = self.close(REAPED)
            return Death(False, _sentence(status), time.monotonic() - start, killed=status == -signal.SIGKILL)
        except BaseException:  # Ctrl-C: it computes on, and its answer would be taken for that of another case
            self.close()
            raise
        if answer is None:
            self.close()
            late = f"killed, since it did not stop at its time limit of {job.budget.seconds} s"
            return Death(True, late, time.monotonic() - start)
        if answer.startswith(LAST):
            self.close()
        return answer[1:]

    def _ready(self, wanted: str) -> _Child:
        """The child, which has imported the engine; another one if somebody kills it before."""
        for _ in range(KILLS):
            if self._child is not None:
                break
            self._start()
        if self._child is None:
            raise SandboxError(f"processes that import clexact are killed, {KILLS} times now, before they are ready.")
        if self._engine != wanted:
            raise EngineError(
                f"the driver computes with clexact {wanted}, the worker on {platform.node()} with {self._engine}: "
                "install the same sources, Python and libraries on both."
            )
        return self._child

    def _start(self) -> None:
        """Start a child; none if somebody kills it."""
        self._child = _Child.start()
        try:
            greeting = self._child.answer(time.monotonic() + START, lambda: True)
        except EOFError:
            status = self.close(REAPED)
            if status == -signal.SIGKILL:
                return
            raise SandboxError(f"a process that imports clexact does not start: {_sentence(status)}.") from None
        if greeting is None:
            self.close()
            raise SandboxError(f"a process that imports clexact is not ready after {START:.0f} s.")
        self._engine = greeting.decode()


def _sentence(status: int) -> str:
    """How a process ended by itself."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    return f"its process was ended by signal {-status} ({signal.strsignal(-status)})"


def main(messages: Connection, lifeline: int) -> None:
    """The child: greet, then run the cases that come until the pipe is closed."""
    _die_when_closed(lifeline)
    messages.send_bytes(engine().encode())
    while True:
        if not messages.poll(IDLE):
            os.kill(os.getpid(), signal.SIGKILL)  # jobs that are sent at this moment are tried again
        try:
            jobs: Sequence[Job] = messages.recv()
        except EOFError:
            return
        for job in jobs:
            with _allowed(job.ceiling):
                row = certified(Case.from_dict(json.loads(job.case)), job.budget, job.engine)
            messages.send_bytes((NEXT if row.status == DONE else LAST) + pickle.dumps(row))
            if row.status != DONE:  # what it has left in memory, no other case must pay for
                break


@contextmanager
def _allowed(size: int) -> Iterator[None]:
    """Within the block, no more than so many bytes can be allocated: MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _die_when_closed(lifeline: int) -> None:
    """Have the kernel kill this process when the other end of a pipe is closed: no Python code need run for it."""
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:  # closed before
            os._exit(1)
        return
    threading.Thread(target=lambda: (os.read(lifeline, 1), os._exit(1)), daemon=True).start()


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
