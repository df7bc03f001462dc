"""The published algorithms in SageMath, run by ``sage -python`` on ``sage_script.py``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from peers import MissingPeerError

PACKAGE = "sagemath"
SCRIPT = Path(__file__).parent / "sage_script.py"
START_LIMIT = 120.0  # seconds: the first start after an installation is slow


@cache
def version() -> str | None:
    """The version of SageMath, None if it is not installed or does not start."""
    try:
        return str(_answers("version", limit=START_LIMIT)["version"])
    except (MissingPeerError, subprocess.SubprocessError):
        return None


def runs(what: str, family: str, sizes: Sequence[int], repeats: int, limit: float) -> tuple[list[float], list[int]]:
    """Seconds, start of Sage left out, and answer of each run of ``laws`` (of degree 2) or ``rank`` (of brackets)."""
    if version() is None:
        raise MissingPeerError(PACKAGE)
    found = _answers(what, family, ",".join(map(str, sizes)), str(repeats), limit=limit)
    return found["seconds"], found["answers"]


def _answers(*words: str, limit: float) -> dict[str, Any]:
    sage = shutil.which("sage")
    if not sage:
        raise MissingPeerError(PACKAGE)
    command = [sage, "-python", str(SCRIPT), *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found
