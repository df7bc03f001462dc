"""What only POSIX systems have, in one place; where it is missing, a sentence says what cannot be done."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def _module(name: str) -> Any:
    """A module of Python's own library that Windows lacks; None there."""
    try:
        return import_module(name)
    except ImportError:
        return None


fcntl, resource = _module("fcntl"), _module("resource")


def need_posix(what: str, instead: str) -> None:
    """ValueError where the system cannot limit and signal processes as POSIX says."""
    if fcntl is None or resource is None:
        raise ValueError(f"{what} needs a POSIX system, which {sys.platform} is not: {instead}.")


def largest_resident() -> int:
    """The largest resident size of this process so far, in bytes; 0 where the system does not say."""
    if resource is None:
        return 0
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else 1024 * peak
