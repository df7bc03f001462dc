"""Jobs on the engines of joblib, whose workers have them run in sandboxes: processes of loky, or ``cluster.py``."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Protocol

from clexact.sweeps.sandbox import Death, Job, Outcome, Sandbox

DEATHS = 3  # of workers while a job is in flight, at which the job is given up
BARREN = 5  # deaths of workers one after the other, with no outcome between them, at which the sweep is given up
PARCEL, MOST = 0.1, 50  # estimated seconds, and jobs, at which a parcel for a worker is full
SHARES = 4  # parcels for each worker, at least, of the jobs that are left
LOOK = 0.5  # seconds between two looks of a worker at its driver

_own = threading.local()


class SweepError(RuntimeError):
    """A sweep cannot go on. What is done is in the store, and the same sweep goes on from there."""


class WorkerLostError(RuntimeError):
    """A worker was killed. What is in flight must be run anew."""


def relay(parcel: bytes) -> list[Outcome]:
    """What a worker does with pickled jobs: the sandbox of this thread runs them."""
    return _sandbox().run(pickle.loads(parcel), _is_wanted)


def _sandbox() -> Sandbox:
    if not hasattr(_own, "sandbox"):
        _own.sandbox = Sandbox()
    found: Sandbox = _own.sandbox
    return found


def _is_wanted() -> bool:
    """Whether somebody waits for the jobs of this thread: dask cannot end a running task whose driver is gone."""
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

    def run(self, parcels: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """The outcomes, as they come; no more parcels at a time than slots, or a few. WorkerLostError, SweepError."""

    def close(self) -> None:
        """End what this driver has started."""


class Local:
    """Processes on this machine. A single one is the driver's own sandbox."""

    def __init__(self, jobs: int) -> None:
        self.slots = self.crowd = jobs

    def run(self, parcels: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """By loky, whose workers end when the driver is gone and never see Ctrl-C, which is the driver's."""
        follow = {"initializer": _follow, "initargs": (os.getpid(),)}
        with _no_interrupts():
            outcomes = parallel(parcels, one_by_one, "loky", n_jobs=self.slots, **follow)
        try:
            with closing(outcomes):
                yield from chain.from_iterable(outcomes)
        except BrokenProcessPool:
            raise WorkerLostError from None

    def close(self) -> None:
        """The workers and the sandboxes."""
        from joblib.externals.loky import get_reusable_executor

        _sandbox().close()
        if self.slots > 1:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def parallel(parcels: Iterator[bytes], one_by_one: bool, backend: Any, **options: Any) -> Any:
    """joblib's generator of lists of outcomes. It pulls the parcels from a thread of its own."""
    from joblib import Parallel, delayed, parallel_config

    ahead = {"batch_size": 1, "pre_dispatch": "n_jobs"} if one_by_one else {"batch_size": "auto"}
    with parallel_config(backend, **options):
        workers = Parallel(return_as="generator_unordered", max_nbytes=None, **ahead)
    return workers(map(delayed(relay), parcels))


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Threads and processes that are started in the block never get SIGINT. One that comes meanwhile comes after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow(driver: int) -> None:
    """Have this worker end when its driver is gone: loky's own would wait for five minutes.

    It ignores SIGINT, also where loky has started it anew, from a thread in which the signal is not blocked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Flight(Iterator[bytes]):
    """The jobs in parcels, each in flight from when it is pulled until its outcome is here. Any thread may pull."""

    def __init__(self, jobs: Iterable[Job], total: int, slots: int) -> None:
        self.left, self.total, self.slots, self._lock = iter(jobs), total, slots, threading.Lock()
        self.flying: dict[str, Job] = {}

    def __next__(self) -> bytes:
        with self._lock:
            most = min(MOST, self.total // (SHARES * self.slots))  # all workers shall have work until the end
            parcel, cost = list[Job](), 0.0
            while len(parcel) < max(1, most) and cost < PARCEL and (job := next(self.left, None)) is not None:
                self.flying[job.key] = job
                parcel.append(job)
                cost += job.cost
            self.total -= len(parcel)
        if not parcel:
            raise StopIteration
        return pickle.dumps(parcel)


def execute(jobs: Iterable[Job], total: int, pool: Pool) -> Generator[Outcome]:
    """The outcomes of the jobs, so many at most, as they come, whoever is killed on the way.

    SweepError, SandboxError and EngineError end it.

    After the death of a worker the pool starts anew. What was in flight goes first then, and alone, so that a job which
    brings down its worker is found: it is given up after ``DEATHS`` deaths.
    """
    suspects, others = _Flight((), 0, pool.slots), _Flight(jobs, total, pool.slots)
    deaths, barren = Counter[str](), 0
    while True:
        try:
            for flight in (suspects, others):
                with closing(pool.run(flight, one_by_one=flight is suspects)) as outcomes:
                    for key, outcome in outcomes:
                        del flight.flying[key]
                        barren = 0
                        yield key, outcome
            if not suspects.flying and not others.flying:
                return
        except WorkerLostError:
            pass
        barren += 1
        if barren == BARREN:
            raise SweepError(f"{BARREN} workers died one after the other, and no case came to its end.")
        flown = suspects.flying | others.flying
        deaths.update(list(flown))
        for key in flown:
            if deaths[key] == DEATHS:
                yield key, Death(False, f"{DEATHS} workers were killed while it ran", 0.0)
        again = [job for key, job in flown.items() if deaths[key] < DEATHS]
        suspects = _Flight([*again, *suspects.left], 0, pool.slots)
        others.flying.clear()
