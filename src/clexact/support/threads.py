"""How many threads the dense kernels use. Results are the same for any number: all of it is exact.

The work is cut into pieces of our own, each of which runs with one thread of BLAS: so the kernels between two products
run on all cores too, and nothing is oversubscribed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import threadpoolctl

T = TypeVar("T")


def available() -> int:
    """Number of cores that this process may use, or what OPENBLAS_NUM_THREADS or OMP_NUM_THREADS allow, if less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = (os.environ.get(name, "") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"))
    return min([cores, *(int(text) for text in asked if text.isdecimal() and int(text) > 0)])


@dataclass
class _Setting:
    """What ``set_threads`` sets, for all of the process."""

    count: int = field(default_factory=available)


_setting = _Setting()


def thread_count() -> int:
    """Number of threads in use."""
    return _setting.count


def set_threads(count: int) -> None:
    """Use so many threads from now on, by default as many as there are cores; no answer depends on it.

    Parameters
    ----------
    count : int
        At least 1.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is less than 1.

    Examples
    --------
    >>> before = thread_count()
    >>> set_threads(1)
    >>> thread_count()
    1
    >>> set_threads(before)
    """
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"the number of threads must be an integer, not {count!r}.")
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}.")
    _setting.count = count


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use so many threads inside the block."""
    before = thread_count()
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)


class _Blas:
    """The number of threads of BLAS, one to a process: the first block that wants one sets it, the last restores it."""

    def __init__(self) -> None:
        self.controller = threadpoolctl.ThreadpoolController()
        self.lock = threading.Lock()
        self.blocks = 0
        self.limit = ExitStack()

    def begin(self) -> None:
        """A block begins."""
        with self.lock:
            if not self.blocks:
                self.limit.enter_context(self.controller.limit(limits=1, user_api="blas"))
            self.blocks += 1

    def end(self) -> None:
        """A block ends."""
        with self.lock:
            self.blocks -= 1
            if not self.blocks:
                self.limit.close()


@cache
def _blas(process: int) -> _Blas:
    """One a process: a lock that is held survives a fork, who holds it does not."""
    return _Blas()


@cache
def _pool(process: int, count: int) -> ThreadPoolExecutor:
    """One pool a process (threads do not survive a fork) and number of threads."""
    return ThreadPoolExecutor(count, thread_name_prefix="clexact")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products inside the block run with one thread of BLAS each."""
    blas = _blas(os.getpid())
    blas.begin()
    try:
        yield
    finally:
        blas.end()


def for_each(work: Callable[[T], None], pieces: Sequence[T], shared: bool = True) -> None:
    """Do the work for all pieces, which are independent of each other, on all threads if it is to be shared."""
    count = thread_count()
    if count == 1 or len(pieces) < 2 or not shared:
        for piece in pieces:
            work(piece)
        return
    for _ in _pool(os.getpid(), count).map(work, pieces):
        pass
