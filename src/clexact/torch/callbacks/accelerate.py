"""``AcceleratedMonitor``: a monitor in a loop of Hugging Face's Accelerate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from clexact.support.extras import needed
from clexact.torch.callbacks.watched import Watched
from clexact.torch.monitor import LawMonitor

needed("accelerate", "accelerate")


class AcceleratedMonitor:
    """Watches the laws of a module in a loop with an ``accelerate.Accelerator``.

    Make it after ``prepare``; it sees the steps that the optimizer makes, and not those that gradient accumulation or a
    scaler leaves out. ``log`` sends the drifts to the accelerator's trackers. Floating point.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Whose trackers are written to.
    module : torch.nn.Module
        As ``accelerator.prepare`` gave it.
    optimizer : torch.optim.Optimizer or sequence of them
        Likewise.
    **options : object
        As of ``LawMonitor``.

    Attributes
    ----------
    monitor : LawMonitor
        At work.

    Raises
    ------
    TypeError, ValueError
        As ``LawMonitor.attach``.

    Examples
    --------
    >>> from clexact.torch.callbacks import AcceleratedMonitor  # doctest: +SKIP
    >>> net, optimizer, loader = accelerator.prepare(net, optimizer, loader)  # doctest: +SKIP
    >>> watched = AcceleratedMonitor(accelerator, net, optimizer, example_input=x)  # doctest: +SKIP
    >>> watched.log(step)  # doctest: +SKIP
    """

    def __init__(
        self,
        accelerator: Any,
        module: nn.Module,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
        **options: Any,
    ) -> None:
        self.accelerator = accelerator
        self._watched = Watched(options)
        several = list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
        self._watched.start(module, several)

    @property
    def monitor(self) -> LawMonitor:
        """The monitor."""
        assert self._watched.monitor is not None
        return self._watched.monitor

    def log(self, step: int | None = None) -> None:
        """Send drift and predicted drift of each law to the trackers: ``laws/<name>/drift``, ``.../predicted``."""
        self.accelerator.log(self._watched.scalars, step=step)

    def close(self) -> None:
        """Remove the hooks."""
        self._watched.stop()
