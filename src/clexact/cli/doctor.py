"""``clexact doctor``: what is installed here, and how the kernels were built. Nothing private: no paths, no names."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import threadpoolctl

from clexact._kernels import balanced, modular
from clexact.support import provenance, system, threads
from clexact.support.extras import EXTRAS

DISTRIBUTIONS = {
    "myst_nb": "myst-nb",
    "pydata_sphinx_theme": "pydata-sphinx-theme",
    "sklearn": "scikit-learn",
    "xdist": "pytest-xdist",
}
BRING = "pip install 'clexact[NAME]' brings one; in a checkout: pip install '.[NAME]'."
NEXT = "python -m clexact.selftest tries whether this installation computes what it should."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only the form of the output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Print what is found."""
    found = examined()
    if arguments.json:
        print(json.dumps(found))
        return
    for line in written(found):
        print(line)


def examined() -> dict[str, Any]:
    """Versions, kernels, BLAS, threads, limits and extras, as plain data."""
    return {
        "versions": provenance.versions() | {name: version(name) for name in ("rich", "threadpoolctl")},
        "sources": provenance.source_hash()[:16],
        "system": f"{platform.system()} {platform.machine()}, {platform.python_implementation()}",
        "kernels": {"integers of 128 bits": modular.wide(), "loops for AVX2": balanced.cloned()},
        "blas": [
            {name: each.get(name) for name in ("internal_api", "version", "architecture", "num_threads")}
            for each in threadpoolctl.threadpool_info()
            if each["user_api"] == "blas"
        ],
        "threads": threads.thread_count(),
        "limits": {"time": True, "memory": system.resource is not None, "sweeps": system.fcntl is not None},
        "extras": {name: _extra(name) for name in EXTRAS},
    }


def _extra(name: str) -> dict[str, Any]:
    """What an extra is for, its versions, and what is missing of it."""
    use, modules = EXTRAS[name]
    return {
        "for": use,
        "versions": {module: _version(module) for module in modules if find_spec(module) is not None},
        "missing": [module for module in modules if find_spec(module) is None],
    }


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:  # on the path, and not installed by a name that we know
        return "?"


def written(found: Mapping[str, Any]) -> Iterator[str]:
    """The same in lines."""
    yield ", ".join(f"{name} {each}" for name, each in found["versions"].items())
    yield f"system: {found['system']}; sources {found['sources']}"
    built = found["kernels"]
    path = "portable" if not any(built.values()) else "with " + " and ".join(name for name, has in built.items() if has)
    yield f"kernels: compiled, {path}"
    for blas in found["blas"]:
        of_its_own = f"{blas['num_threads']} threads of its own"
        yield f"BLAS: {blas['internal_api']} {blas['version']}, {blas['architecture']}, {of_its_own}"
    yield f"threads of the dense kernels: {found['threads']}"
    limits = {"time": "--time-limit", "memory": "--memory-limit", "sweeps": "clexact sweep"}
    for has, word in ((True, "works here"), (False, "not on this system, which is not POSIX")):
        names = [limits[name] for name, each in found["limits"].items() if each is has]
        if names:
            yield f"{', '.join(names)}: {word}"
    yield f"extras: {BRING}"
    for name, extra in found["extras"].items():
        there = ", ".join(f"{module} {each}" for module, each in extra["versions"].items())
        lacks = f"without {', '.join(extra['missing'])}" if extra["missing"] else ""
        yield f"  {name:<11} {extra['for']}: {'; '.join(filter(None, (there, lacks)))}"
    yield NEXT
