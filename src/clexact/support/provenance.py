"""What computed a result: the versions, and a hash of the sources."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from clexact.support.version import __version__

PACKAGE = Path(__file__).parent
SUFFIXES = {".py", ".pyx", ".pxd", ".h"}
LIBRARIES = ("python-flint", "numpy", "sympy")


@cache
def versions() -> dict[str, str]:
    """Of clexact, Python and the libraries that compute."""
    return {"clexact": __version__, "python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


@cache
def source_hash() -> str:
    """SHA-256 of the names and contents of the package's source files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in SUFFIXES):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def engine() -> str:
    """The version with the beginning of the sources' hash: what a stored result was computed by."""
    return f"{__version__}-{source_hash()[:16]}"
