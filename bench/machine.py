"""The machine and the versions behind the figures."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import flint
import numpy as np
from peers import fflas, sage_peer

PACKAGES = ("clexact", "numpy", "python-flint", "sympy")
VARIABLES = ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # the last two choose its kernels


def environment() -> dict[str, Any]:
    """Machine, Python, versions of clexact and of the peers, None for what is not installed."""
    machine: dict[str, Any] = {"platform": platform.platform(), "machine": platform.machine(), "processor": processor()}
    machine |= {"cpus": os.cpu_count(), "load": os.getloadavg(), "BLAS of NumPy": numpy_blas()}
    machine |= {name: os.environ.get(name) for name in VARIABLES}
    versions: dict[str, str | None] = {package: version(package) for package in PACKAGES}
    versions |= {"flint": flint.__FLINT_VERSION__, "fflas-ffpack": fflas.version(), "sagemath": sage_peer.version()}
    return {"machine": machine, "python": platform.python_version(), "versions": versions}


def processor() -> str:
    """The processor's name and model number."""
    try:
        lines = [line.split(":") for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()]
    except OSError:
        return platform.processor()
    said = {line[0].strip(): line[-1].strip() for line in lines}
    return f"{said.get('model name')}, family {said.get('cpu family')}, model {said.get('model')}"


def numpy_blas() -> str | None:
    """OpenBLAS inside NumPy's wheel, with the kernel that it chose for this processor: speeds depend on it."""
    for library in Path(np.__file__).parent.parent.glob("numpy.libs/libscipy_openblas*"):
        blas = ctypes.CDLL(str(library))
        for suffix in ("64_", ""):
            config, core = (
                getattr(blas, f"scipy_openblas_get_{name}{suffix}", None) for name in ("config", "corename")
            )
            if config and core:
                config.restype = core.restype = ctypes.c_char_p
                return f"{config().decode().split(' NO_')[0].strip()}, {core().decode()}"
    return None
