"""Limits of time and memory for a long computation: when one is reached, the main thread gets a KeyboardInterrupt."""

from __future__ import annotations

import _thread
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

INTERVAL = 0.02  # seconds between two looks
REPEAT = 2.0  # seconds between two interrupts
MIB = 2**20


@dataclass
class Limits:
    """``reached`` says which limit was, in one sentence, or is empty."""

    reached: str = ""


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # rusage holds the parent's peak too
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@contextmanager
def limits(seconds: float | None = None, mebibytes: int | None = None) -> Iterator[Limits]:
    """Watch over the block from a second thread. ValueError unless the limits are positive.

    The interrupt comes as KeyboardInterrupt, at the next point where Python or a kernel looks for signals.
    """
    for value, what in ((seconds, "time limit"), (mebibytes, "memory limit")):
        if value is not None and not value > 0:
            raise ValueError(f"the {what} must be positive, not {value}.")
    found, over = Limits(), threading.Event()
    start = time.monotonic()

    def watch() -> None:
        while not over.wait(INTERVAL):
            if seconds is not None and time.monotonic() - start > seconds:
                found.reached = f"the time limit of {seconds:g} s is reached"
            elif mebibytes is not None and peak_memory() > mebibytes * MIB:
                found.reached = f"the memory limit of {mebibytes} MiB is reached"
            if found.reached:
                _thread.interrupt_main()
                over.wait(REPEAT)  # an interrupt that comes while Python runs a finalizer is lost

    watcher = threading.Thread(target=watch, daemon=True)
    if seconds is not None or mebibytes is not None:
        watcher.start()
    try:
        yield found
    finally:
        over.set()
        if watcher.ident is not None:
            watcher.join()
