"""What the callbacks have in common: the options of a monitor, made once training begins, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from clexact.torch.monitor import LawMonitor


class Watched:
    """A monitor that is made later. ``monitor`` is None until then."""

    def __init__(self, options: dict[str, Any]) -> None:
        if options.get("laws") is None and options.get("example_input") is None:
            raise ValueError("give the laws to watch, or an example_input to find them with.")
        self.options = options
        self.monitor: LawMonitor | None = None
        self.recorded: dict[str, Any] | None = None  # by a run that this one goes on from

    def start(self, module: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Attach a monitor; one of an earlier run is closed."""
        self.stop()
        self.monitor = LawMonitor.attach(module, list(optimizers), **self.options)
        if self.recorded is not None:
            self.monitor.load_state_dict(self.recorded)
            self.recorded = None

    def stop(self) -> None:
        """Remove its hooks; it can still be read."""
        if self.monitor is not None:
            self.monitor.close()

    @property
    def scalars(self) -> dict[str, float]:
        """What goes to a log: empty before the first step."""
        return {} if self.monitor is None else self.monitor.scalars()
