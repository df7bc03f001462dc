"""Conservation laws of PyTorch modules. Needs the extra ``[torch]``."""

from __future__ import annotations

try:
    import torch as _torch
except ImportError as error:
    raise ImportError("this needs torch: pip install 'clexact[torch]'.") from error

from clexact.torch.check import check
from clexact.torch.diagnosis import Cause, Finding
from clexact.torch.failures import RuleFailedWarning
from clexact.torch.find import laws
from clexact.torch.law import ModuleLaw, Status, Term, View
from clexact.torch.laws import Block, ModuleLaws, Uncovered
from clexact.torch.monitor import LawMonitor
from clexact.torch.translate import model

__all__ = [
    "Block",
    "Cause",
    "Finding",
    "LawMonitor",
    "ModuleLaw",
    "ModuleLaws",
    "RuleFailedWarning",
    "Status",
    "Term",
    "Uncovered",
    "View",
    "check",
    "laws",
    "model",
]

del _torch
