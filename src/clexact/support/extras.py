"""Optional packages: imported where they are used; a missing one is named with the extra that brings it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str, extra: str, what: str = "this needs") -> Any:
    """An optional package; ModuleNotFoundError, in one sentence, if it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(f"{what} {module}: pip install 'clexact[{extra}]'.") from error
