"""Limits of time and memory for a long computation: when one is reached, the main thread gets a KeyboardInterrupt.

One thread watches over all blocks of the process. It stays for a second after the last, since starting one for each of
thousands of short blocks would take a tenth of their time.
"""

from __future__ import annotations

import _thread
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from types import FrameType

from clexact.support.system import largest_resident, need_posix

INTERVAL = 0.02  # seconds between two looks
REPEAT = 2.0  # seconds between two interrupts
LINGER = 1.0  # seconds that the watching thread stays without a block
MIB = 2**20
PAGE = 4096  # bytes of /proc/self/status, at most
PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


@dataclass(eq=False)
class Limits:
    """``limit`` names the one that was reached, or is empty; ``doing`` is what the block does, for who says so."""

    limit: str = ""
    doing: str = ""
    seconds: float | None = None
    mebibytes: int | None = None
    start: float = field(default_factory=time.monotonic)
    interrupted: float = 0.0  # when the last interrupt was sent
    over: bool = False

    @property
    def reached(self) -> str:
        """Which limit was reached, as a sentence without its full stop; empty if none was."""
        return self.limit and f"{self.limit} is reached"

    def look(self) -> None:
        """Interrupt the main thread if a limit is reached; again after a while: one inside a finalizer is lost."""
        now = time.monotonic()
        if self.limit:
            if now - self.interrupted < REPEAT:
                return
        elif self.seconds is not None and now - self.start > self.seconds:
            self.limit = f"the time limit of {self.seconds:g} s"
        elif self.mebibytes is not None and peak_memory() > self.mebibytes * MIB:
            self.limit = f"the memory limit of {self.mebibytes} MiB"
        else:
            return
        self.interrupted = now
        _thread.interrupt_main()


def peak_memory() -> int:
    """The largest resident size of this process so far, or since ``forget_peak`` on Linux, in bytes; 0: not known."""
    with suppress(OSError), open("/proc/self/status", "rb", buffering=0) as file:  # rusage holds the parent's peak too
        if found := PEAK.search(file.read(PAGE)):
            return 1024 * int(found[1])
    return largest_resident()


def forget_peak() -> None:
    """Let the peak of resident memory begin anew, where Linux allows it."""
    with suppress(OSError), open("/proc/self/clear_refs", "wb", buffering=0) as file:
        file.write(b"5")


class _Watch:
    """The blocks watched over, and the thread that does it while there are some."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks: list[Limits] = []
        self.thread: threading.Thread | None = None

    def begin(self, block: Limits) -> None:
        """Watch over a block."""
        with self.lock:
            self.blocks.append(block)
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="clexact limits", daemon=True)
                self.thread.start()

    def end(self, block: Limits) -> None:
        """No interrupt is sent for it from now on; one on its way may come here."""
        block.over = True
        with self.lock:
            pass

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(INTERVAL)
            with self.lock:
                self.blocks = [block for block in self.blocks if not block.over]
                for block in self.blocks:
                    block.look()
                last = time.monotonic() if self.blocks else last
                if time.monotonic() - last > LINGER:
                    self.thread = None
                    return


@cache
def _watch(process: int) -> _Watch:
    """One a process: threads do not survive a fork."""
    return _Watch()


@contextmanager
def limits(seconds: float | None = None, mebibytes: int | None = None, start: float | None = None) -> Iterator[Limits]:
    """Watch over the block from a second thread. ValueError unless the limits are positive, outside the main thread,
    and for a memory limit where the system does not say how much is used.

    ``start`` is the time (``time.monotonic``) from which seconds count, by default now. The interrupt comes as
    KeyboardInterrupt, at the next point where Python or a kernel looks for signals.
    """
    for value, what in ((seconds, "time limit"), (mebibytes, "memory limit")):
        if value is not None and not value > 0:
            raise ValueError(f"the {what} must be positive, not {value}.")
    if (seconds is not None or mebibytes is not None) and threading.current_thread() is not threading.main_thread():
        raise ValueError("limits interrupt the main thread, and this is another: set none here.")
    if mebibytes is not None:
        need_posix("a memory limit", "give none, or a time limit")
    found = Limits(seconds=seconds, mebibytes=mebibytes, start=time.monotonic() if start is None else start)
    if seconds is None and mebibytes is None:
        yield found
        return
    watch = _watch(os.getpid())
    try:
        with _heard(found):
            watch.begin(found)
            yield found
    finally:
        watch.end(found)


@contextmanager
def _heard(block: Limits) -> Iterator[None]:
    """Let interrupts of this block come where SIGINT is ignored, as in a command that a script runs with ``&``."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if block.limit:  # ours; others stay ignored
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
