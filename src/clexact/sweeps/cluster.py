"""The workers of a dask cluster, through joblib's backend of dask."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from itertools import chain
from typing import Any

from distributed import CancelledError, Client, KilledWorker
from distributed.comm import CommClosedError
from joblib._dask import DaskDistributedBackend

from clexact.sweeps.execute import SweepError, WorkerLostError, parallel
from clexact.sweeps.sandbox import Outcome

PATIENCE = 30.0  # seconds in which a scheduler must answer and have a worker
LOOK = 0.5  # seconds between two looks at the connection
LOGGERS = ("distributed", "distributed.client", "tornado.application")  # they tell of lost connections in tracebacks


def connected(address: str) -> Client:
    """A client of the scheduler. ValueError if none answers."""
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
    gc.collect()  # a client that could not connect waits for itself for ever if it is collected while another starts
    raise ValueError(f"no dask scheduler answers at {address!r}: {reason}")


class Cluster:
    """A ``Pool``: the workers of a scheduler. ValueError if none answers, or if it has no worker."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._loggers = {name: logging.getLogger(name) for name in LOGGERS}
        self._levels = {name: logger.level for name, logger in self._loggers.items()}
        for logger in self._loggers.values():
            logger.setLevel(logging.CRITICAL + 1)
        try:
            self._client = connected(address)
        except ValueError:
            self._restore_loggers()
            raise
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            self.close()
            hint = f"'dask worker {address}' starts some"
            raise ValueError(f"the scheduler at {address} has no worker after {PATIENCE:.0f} s: {hint}.") from None
        threads: dict[str, int] = self._client.nthreads()
        hosts = Counter[str]()
        for worker, count in threads.items():
            hosts[worker.rpartition(":")[0]] += count
        self.slots, self.crowd = sum(threads.values()), max(hosts.values())

    def run(self, parcels: Iterator[bytes], one_by_one: bool) -> Generator[Outcome]:
        """What a killed worker had in flight, dask runs anew on others, some times."""
        try:
            with closing(parallel(parcels, one_by_one, _Backend(client=self._client))) as outcomes:
                yield from chain.from_iterable(outcomes)
        except KilledWorker:
            raise WorkerLostError from None
        except (CancelledError, CommClosedError):
            raise SweepError(f"the scheduler at {self.address} is lost.") from None

    def close(self) -> None:
        """End the connection. The scheduler forgets this driver's jobs, and workers give up what runs."""
        with suppress(OSError):
            self._client.close(timeout=1)
        self._restore_loggers()

    def _restore_loggers(self) -> None:
        for name, logger in self._loggers.items():
            logger.setLevel(self._levels[name])


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's backend, which alone would wait for ever for what dask has given up, or when the scheduler is lost."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """At least 2: for one, joblib would run the jobs in the driver."""
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def start_call(self) -> None:
        """Collect outcomes, and watch over the connection."""
        super().start_call()
        self.client.loop.add_callback(self._watch)

    async def _watch(self) -> None:
        while self._continue:
            if self.client.status != "running":
                for callback in list(self._callbacks.values()):
                    callback(CommClosedError("the scheduler is lost"))
                return
            await asyncio.sleep(LOOK)

    async def _collect(self) -> None:
        while self._continue:
            async for future, result in self.waiting_futures:
                del self._results[future]
                self._callbacks.pop(future)(result[1] if future.status == "error" else result)
            await asyncio.sleep(0.01)

    def retrieve_result_callback(self, out: Any) -> Any:
        """The outcomes of a batch. What dask says instead of them is raised."""
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)
