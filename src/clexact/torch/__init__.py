"""Conservation laws of PyTorch modules. Needs the extra ``[torch]``."""

from __future__ import annotations

from typing import Any

try:
    import torch
except ImportError as error:
    raise ImportError("this needs torch: pip install 'clexact[torch]'.") from error

from clexact.torch.diagnosis import Cause, Finding
from clexact.torch.law import ModuleLaw, Status, Term, View
from clexact.torch.laws import Block, ModuleLaws, Uncovered
from clexact.torch.monitor import LawMonitor


def laws(
    module: torch.nn.Module,
    example_input: Any,
    *,
    loss: str | None = "mse",
    optimizer: torch.optim.Optimizer | None = None,
    certify: bool = True,
    seed: int = 0,
) -> ModuleLaws:
    """The laws of a module: see docs/pytorch.md."""
    raise NotImplementedError("the rules come with the next commits.")


__all__ = [
    "Block",
    "Cause",
    "Finding",
    "LawMonitor",
    "ModuleLaw",
    "ModuleLaws",
    "Status",
    "Term",
    "Uncovered",
    "View",
    "laws",
]
