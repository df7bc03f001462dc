"""Ranks by FFLAS-FFPACK: ``fflas_rank.cpp``, compiled once, on a file of residues."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from peers import MissingPeerError, Ranked

PACKAGE, BLAS = "fflas-ffpack", "libopenblas-dev"  # of Debian
HERE = Path(__file__).parent
SOURCE, PROGRAM = HERE / "fflas_rank.cpp", HERE / "build" / "fflas_rank"
FLAGS = ["-std=c++17", "-O3", "-march=native", "-fopenmp", "-w"]


@cache
def program() -> Path:
    """The program, compiled if it is older than its source; MissingPeerError without FFLAS-FFPACK or OpenBLAS."""
    library, blas = _flags("fflas-ffpack", PACKAGE, "--cflags"), _flags("openblas", BLAS, "--cflags", "--libs")
    compiler = shutil.which("g++")
    if not compiler:
        raise MissingPeerError("g++")
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        PROGRAM.parent.mkdir(exist_ok=True)
        command = [compiler, *FLAGS, *library, str(SOURCE), "-o", str(PROGRAM), *blas, "-lgivaro", "-lgmpxx", "-lgmp"]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return PROGRAM


def _flags(name: str, package: str, *kinds: str) -> list[str]:
    """What pkg-config says of a library. FFLAS-FFPACK's own --libs name the reference BLAS: they are not asked for."""
    asked = shutil.which("pkg-config")
    found = subprocess.run([asked, *kinds, name], capture_output=True, text=True, check=False) if asked else None
    if not found or found.returncode:
        raise MissingPeerError(package)
    return found.stdout.split()


def version() -> str | None:
    """The version of FFLAS-FFPACK, None if it is not installed."""
    try:
        return _flags("fflas-ffpack", PACKAGE, "--modversion")[0]
    except MissingPeerError:
        return None


def rank(file: Path, shape: tuple[int, int], prime: int, repeats: int, threads: int, limit: float) -> Ranked:
    """Rank of the matrix in the file, by the fastest of FFLAS-FFPACK's fields and methods, which the notes name."""
    words = [str(word) for word in (program(), file, *shape, prime, repeats, threads)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    run = subprocess.run(words, capture_output=True, text=True, check=True, timeout=limit, env=environment)
    notes = json.loads(run.stdout)
    runs = notes.pop("runs")
    return Ranked([seconds for seconds, _ in runs], [rank for _, rank in runs], notes)
