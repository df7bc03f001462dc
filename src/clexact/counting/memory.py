"""How much memory a certification takes, from above, known before it starts (measured in ``bench/``)."""

from __future__ import annotations

import os
import sys
from math import prod

from clexact.flows.flow import Flow
from clexact.lie.closure import LARGEST_BATCH, MEMORY

MIB = 2**20
BASE = 96 * MIB  # Python, NumPy, FLINT and the model itself
FOR_A_LAW_TERM = 200  # bytes for each term of the laws of factors, sorted in packed arrays
FOR_A_COORDINATE = 12_000  # bytes for each coordinate, of walks, sparse rows and their echelon form
FOR_AN_ENTRY = 4  # bytes of the dense echelon form


class MemoryLimitError(MemoryError):
    """A computation that was not started, since it would take more memory than allowed.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.linear([4, 3, 5]))
    >>> clexact.certify(flow, memory_limit=1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    clexact.counting.memory.MemoryLimitError: ... over the memory limit of 1 MiB: not started.
    """


def law_terms(flow: Flow) -> int:
    """Number of terms of the laws of factors."""
    if flow.plain_gradients is None:  # the laws of a lifted flow are listed one by one
        return 0
    found = flow.symmetries
    sizes = ((factor.size, len(factor.entries)) for factor in (*found.free_factors, *found.uniform))
    return sum((size - 1) * entries // 2 for size, entries in sizes)


def sparse_bytes(flow: Flow) -> int:
    """Of the laws and of sparse brackets, in all."""
    return BASE + FOR_A_LAW_TERM * law_terms(flow) + FOR_A_COORDINATE * flow.dimension


def dense_bytes(flow: Flow) -> int:
    """Of the laws and of dense brackets: half a square form, and the values of a batch of brackets of depth 1."""
    batch = min(MEMORY, 2 * LARGEST_BATCH * (flow.work + flow.dimension))
    form = FOR_AN_ENTRY * flow.dimension**2 // 2
    return BASE + FOR_A_LAW_TERM * law_terms(flow) + form + 4 * 8 * batch


def machine_bytes() -> int:
    """Memory of this machine."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return prod(os.sysconf(name) for name in ("SC_PAGE_SIZE", "SC_PHYS_PAGES"))
    return sys.maxsize


def over_limit(needed: int, what: str, mebibytes: int | None) -> str:
    """A sentence if so many bytes are more than the limit (by default, than the machine has), else nothing."""
    allowed = machine_bytes() if mebibytes is None else mebibytes * MIB
    if needed <= allowed:
        return ""
    whose = "the machine's" if mebibytes is None else "the memory limit of"
    return f"{what} may take {-(-needed // MIB)} MiB, over {whose} {allowed // MIB} MiB"
