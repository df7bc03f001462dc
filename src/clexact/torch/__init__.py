"""Conservation laws of PyTorch modules. Needs the extra ``[torch]``."""

from __future__ import annotations

from clexact.support.extras import command as _command

try:
    import torch as _torch
except ImportError as error:
    raise ImportError(f"this needs torch: {_command('torch')}.") from error

from clexact.symmetry.views import Term, View
from clexact.torch.balance import Balanced, balance, orbit_basis
from clexact.torch.causes import Cause
from clexact.torch.check import check
from clexact.torch.diagnosis import Finding
from clexact.torch.dimension import dimension
from clexact.torch.failures import RuleFailedWarning
from clexact.torch.find import laws
from clexact.torch.law import ModuleLaw, Status
from clexact.torch.laws import Block, Bounds, ModuleLaws, Uncovered
from clexact.torch.missing import missing
from clexact.torch.monitor import LawMonitor
from clexact.torch.noise import NoiseLedger, noise_ledger
from clexact.torch.translate import model

__all__ = [
    "Balanced",
    "Block",
    "Bounds",
    "Cause",
    "Finding",
    "LawMonitor",
    "ModuleLaw",
    "ModuleLaws",
    "NoiseLedger",
    "RuleFailedWarning",
    "Status",
    "Term",
    "Uncovered",
    "View",
    "balance",
    "check",
    "dimension",
    "laws",
    "missing",
    "model",
    "noise_ledger",
    "orbit_basis",
]

del _command, _torch
