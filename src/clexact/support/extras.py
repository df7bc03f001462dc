"""Optional packages: imported where they are used; a missing one is named with the extra that brings it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]  # of a checkout, where clexact runs from one
EXTRAS = {  # what each brings, and what for
    "accelerate": ("a monitor in loops of Accelerate", ("accelerate",)),
    "bench": ("what the benchmarks draw", ("matplotlib", "joblib")),
    "cluster": ("sweeps on several machines", ("distributed",)),
    "completion": ("words completed in a shell", ("shtab",)),
    "docs": ("the site", ("sphinx", "myst_nb", "pydata_sphinx_theme")),
    "frame": ("results as DataFrames and Parquet", ("pandas", "pyarrow")),
    "lightning": ("a monitor in Lightning's Trainer", ("lightning",)),
    "notebook": ("the notebooks of examples/", ("ipykernel", "nbclient", "nbformat", "sklearn")),
    "plot": ("pictures", ("matplotlib", "scipy")),
    "report": ("the report of clexact reproduce", ("jinja2", "latex2mathml")),
    "sweep": ("clexact sweep", ("joblib",)),
    "systems": ("models written in Antimony", ("antimony",)),
    "torch": ("laws of PyTorch modules", ("torch",)),
    "trainer": ("a monitor in Hugging Face's Trainer", ("transformers", "accelerate")),
    "training": ("flows and optimizers in numbers", ("scipy",)),
    "test": ("the tests", ("hypothesis", "pytest", "xdist", "ruff", "mypy")),
}


def command(extra: str) -> str:
    """What brings an extra: from the checkout, where clexact runs from one and may not be installed at all."""
    place = ROOT if (ROOT / "pyproject.toml").is_file() else "clexact"
    return f"pip install '{place}[{extra}]'"


def needed(module: str, extra: str, what: str = "this needs") -> Any:
    """An optional package; ModuleNotFoundError, in one sentence, if it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(f"{what} {module}: {command(extra)}.") from error
