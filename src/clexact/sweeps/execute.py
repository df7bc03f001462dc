"""Jobs on the engines of joblib: processes of loky here, or a dask cluster. Each worker has them run in a sandbox."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from typing import Any, Protocol

from clexact.sweeps.sandbox import Death, Job, Outcome, Sandbox

DEATHS = 3  # of workers while a job is in flight, at which the job is given up
BARREN = 5  # deaths of workers one after the other, with no outcome between them, at which the sweep is given up
PATIENCE = 30.0  # seconds in which a scheduler must answer and have a worker
LOOK = 0.5  # seconds between two looks of a worker at its driver

_own = threading.local()


class SweepError(RuntimeError):
    """A sweep cannot go on. What is done is in the store, and the same sweep goes on from there."""


class WorkerLostError(RuntimeError):
    """A worker was killed. What is in flight must be run anew."""


def relay(packed: bytes) -> Outcome:
    """What a worker does with a pickled job: the sandbox of this thread runs it."""
    return _sandbox().run(packed, _is_wanted)


def _sandbox() -> Sandbox:
    if not hasattr(_own, "sandbox"):
        _own.sandbox = Sandbox()
    found: Sandbox = _own.sandbox
    return found


def _is_wanted() -> bool:
    """Whether somebody waits for the job of this thread: dask cannot end a running task whose driver is gone."""
    dask = sys.modules.get("distributed.worker")
    if dask is None:
        return True
    try:
        worker = dask.get_worker()
    except ValueError:  # this is no worker of dask
        return True
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state == "executing"


class Pool(Protocol):
    """Workers."""

    crowd: int  # jobs that run at once on one machine
    slots: int  # jobs that run at once

    def run(self, jobs: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """The outcomes, as they come; a single job in each message or several. WorkerLostError, SweepError."""

    def close(self) -> None:
        """End what this driver has started."""


class Local:
    """Processes on this machine. A single one is the driver's own sandbox."""

    def __init__(self, jobs: int) -> None:
        self.slots = self.crowd = jobs

    def run(self, jobs: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """By loky, whose workers end when the driver is gone and never see Ctrl-C, which is the driver's."""
        follow = {"initializer": _follow, "initargs": (os.getpid(),)}
        with _no_interrupts():
            outcomes = _parallel(jobs, one_by_one, "loky", n_jobs=self.slots, **follow)
        try:
            with closing(outcomes):
                yield from outcomes
        except BrokenProcessPool:
            raise WorkerLostError from None

    def close(self) -> None:
        """The workers and the sandboxes."""
        from joblib.externals.loky import get_reusable_executor

        _sandbox().close()
        if self.slots > 1:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


class Cluster:
    """The workers of a dask scheduler. ValueError if none answers, or if it has no worker."""

    def __init__(self, address: str) -> None:
        from distributed import Client

        self.address = address
        self._logger = logging.getLogger("distributed.client")
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL + 1)  # it tells of lost connections in tracebacks
        try:
            self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError, TimeoutError) as error:
            self._logger.setLevel(self._level)
            raise ValueError(f"no dask scheduler answers at {address!r}: {error}") from None
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            self.close()
            raise ValueError(
                f"the scheduler at {address} has no worker after {PATIENCE:.0f} s: 'dask worker {address}' starts some."
            ) from None
        threads: dict[str, int] = self._client.nthreads()
        hosts = Counter[str]()
        for worker, count in threads.items():
            hosts[worker.rpartition(":")[0]] += count
        self.slots, self.crowd = sum(threads.values()), max(hosts.values())

    def run(self, jobs: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """By joblib's backend of dask, which itself runs anew what a killed worker had in flight."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            with closing(_parallel(jobs, one_by_one, self._backend())) as outcomes:
                yield from outcomes
        except KilledWorker:
            raise WorkerLostError from None
        except (CancelledError, CommClosedError):
            raise SweepError(f"the scheduler at {self.address} is lost.") from None

    def _backend(self) -> Any:
        """joblib's, which would run the jobs in the driver if the cluster has one thread only."""
        from joblib._dask import DaskDistributedBackend

        class Backend(DaskDistributedBackend):  # type: ignore[misc]
            def effective_n_jobs(self, n_jobs: int) -> int:
                return max(2, int(super().effective_n_jobs(n_jobs)))

        return Backend(client=self._client)

    def close(self) -> None:
        """The connection. The scheduler forgets this driver's jobs."""
        with suppress(OSError, TimeoutError):
            self._client.close(timeout=1)
        self._logger.setLevel(self._level)


def _parallel(jobs: Iterator[bytes], one_by_one: bool, backend: Any, **options: Any) -> Any:
    """joblib's generator of outcomes. It pulls the jobs from a thread of its own."""
    from joblib import Parallel, delayed, parallel_config

    ahead = {"batch_size": 1, "pre_dispatch": "n_jobs"} if one_by_one else {"batch_size": "auto"}
    with parallel_config(backend, **options):
        parallel = Parallel(return_as="generator_unordered", max_nbytes=None, **ahead)
    return parallel(map(delayed(relay), jobs))


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Threads and processes that are started in the block never get SIGINT. One that comes meanwhile comes after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(driver: int) -> None:
    """Have this worker end when its driver is gone: loky's own would wait for five minutes."""

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Flight(Iterator[bytes]):
    """The jobs, pickled, each in flight from when it is pulled until its outcome is here. Several threads may pull."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.left, self._lock = iter(jobs), threading.Lock()
        self.flying: dict[str, Job] = {}

    def __next__(self) -> bytes:
        with self._lock:
            job = next(self.left)
            self.flying[job.key] = job
            return pickle.dumps(job)


def execute(jobs: Iterable[Job], pool: Pool) -> Generator[Outcome]:
    """The outcomes of all jobs, as they come, whoever is killed on the way. SweepError, SandboxError, EngineError.

    After the death of a worker the pool starts anew. What was in flight goes first then, and alone, so that a job which
    brings down its worker is found: it is given up after ``DEATHS`` deaths.
    """
    suspects, others = _Flight(()), _Flight(jobs)
    deaths, barren = Counter[str](), 0
    while True:
        try:
            for flight in (suspects, others):
                with closing(pool.run(flight, one_by_one=flight is suspects)) as outcomes:
                    for key, outcome in outcomes:
                        del flight.flying[key]
                        barren = 0
                        yield key, outcome
            return
        except WorkerLostError:
            barren += 1
        if barren == BARREN:
            raise SweepError(f"{BARREN} workers died one after the other, and no case came to its end.")
        flown = suspects.flying | others.flying
        deaths.update(list(flown))
        for key in flown:
            if deaths[key] == DEATHS:
                yield key, Death(False, f"{DEATHS} workers were killed while it ran", 0.0)
        again = [job for key, job in flown.items() if deaths[key] < DEATHS]
        suspects = _Flight([*again, *suspects.left])
        others.flying.clear()
