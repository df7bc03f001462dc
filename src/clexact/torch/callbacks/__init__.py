"""``LawMonitor`` in the training loops of others: Accelerate, Lightning, Hugging Face's ``Trainer``.

Each needs its own package, and is imported when it is asked for. Modules that are cut into shards (FSDP, DeepSpeed) are
not covered: the laws are those of whole parameters.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clexact.torch.callbacks.accelerate import AcceleratedMonitor
    from clexact.torch.callbacks.lightning import LightningCallback
    from clexact.torch.callbacks.trainer import TrainerCallback

HOMES = {"AcceleratedMonitor": "accelerate", "LightningCallback": "lightning", "TrainerCallback": "trainer"}

__all__ = ["AcceleratedMonitor", "LightningCallback", "TrainerCallback"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
