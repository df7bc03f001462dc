"""Clocks: medians in this process, in fresh interpreters, in a child with a time limit."""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

PROCESS_LIMIT = 600.0  # seconds of a fresh interpreter
MEMORY = """
def memory(name):
    # VmRSS: bytes of this process now; VmHWM: its peak. On Linux ru_maxrss starts at the peak of the parent.
    import resource, sys
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name)) * 2**10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)
"""  # a function for the code of fresh interpreters


class FailedRunError(Exception):
    """A run that crashed or took too long; its row shows '-'."""


class Timed(NamedTuple):
    """Median seconds of the repeats, the slowest over the fastest (a noisy row shows there), the last answer."""

    seconds: float
    spread: float
    answer: Any


def timed(times: list[float], answer: Any) -> Timed:
    """The summary of some repeats."""
    return Timed(statistics.median(times), max(times) / min(times), answer)


def median_of(call: Callable[[], Any], repeats: int) -> Timed:
    """Wall time after one warm-up."""
    call()
    times, answer = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
    return timed(times, answer)


def run_python(code: str, *arguments: str, threads: int | None = None) -> str:
    """What the code prints, run by a new interpreter; with so many threads of BLAS, or as many as here."""
    command = [sys.executable, "-c", code, *arguments]
    environment = os.environ | (
        {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)} if threads else {}
    )
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=PROCESS_LIMIT, env=environment
        ).stdout
    except subprocess.CalledProcessError as error:
        raise FailedRunError((error.stderr.strip().splitlines() or ["no message"])[-1]) from None
    except subprocess.TimeoutExpired:
        raise FailedRunError(f"more than {PROCESS_LIMIT:.0f} s") from None


def fresh(
    code: str, *arguments: str, repeats: int, warm_up: bool = True, threads: int | None = None
) -> list[dict[str, Any]]:
    """The JSON objects that the code prints in each of several new interpreters; one more goes first as a warm-up."""
    runs = [json.loads(run_python(code, *arguments, threads=threads)) for _ in range(repeats + warm_up)]
    return runs[int(warm_up) :]


def median_limited(call: Callable[[], Any], repeats: int, limit: float, warm_up: bool = False) -> Timed:
    """Wall time in children, one for each repeat so that no cache is shared; FailedRunError past the limit.

    With a warm-up, each child makes the call twice: what it touches first, it must copy from its parent.
    """
    runs = [_limited(call, limit, warm_up) for _ in range(repeats)]
    return timed([seconds for seconds, _ in runs], runs[-1][1])


def _limited(call: Callable[[], Any], limit: float, warm_up: bool) -> tuple[float, Any]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_send_time, args=(sender, call, warm_up))
    process.start()
    sender.close()
    try:
        if not receiver.poll(limit):
            raise FailedRunError(f"more than {limit:.0f} s")
        found: tuple[float, Any] = receiver.recv()
        return found
    except EOFError:
        raise FailedRunError("the child ended without an answer") from None
    finally:
        process.kill()
        process.join()


def _send_time(sender: Any, call: Callable[[], Any], warm_up: bool) -> None:
    if warm_up:
        call()
    start = time.perf_counter()
    answer = call()
    sender.send((time.perf_counter() - start, answer))
