"""``ModuleLaws``: the laws of a module, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, overload

import torch
from torch import Tensor, nn

from clexact.torch.law import ModuleLaw, Status


@dataclass(frozen=True)
class Block:
    """Layers that share laws: how many laws touch these parameters, and how it is known that there are no others."""

    name: str
    parameters: tuple[str, ...]
    count: int
    status: Status
    evidence: str
    complete: bool  # whether, all that enters and leaves the block being free, it has no other laws


@dataclass(frozen=True)
class Uncovered:
    """A part of the module without a law that is listed, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class ModuleLaws:
    """The laws of a module as a sequence."""

    module: str
    laws: tuple[ModuleLaw, ...]
    blocks: tuple[Block, ...]
    uncovered: tuple[Uncovered, ...]
    broken: tuple[tuple[ModuleLaw, str], ...] = ()  # laws of the gradient flow that the optimizer breaks, and why
    approximate: tuple[tuple[ModuleLaw, str], ...] = ()  # laws but for a small constant, such as eps of a norm
    notes: tuple[str, ...] = ()  # how the module was read, what is assumed, what the optimizer and the loss do

    @property
    def count(self) -> int:
        """Number of independent conserved numbers."""
        return sum(law.count for law in self.laws)

    def __len__(self) -> int:
        return len(self.laws)

    @overload
    def __getitem__(self, index: int) -> ModuleLaw: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ModuleLaw, ...]: ...
    def __getitem__(self, index: int | slice) -> ModuleLaw | tuple[ModuleLaw, ...]:
        return self.laws[index]

    def __iter__(self) -> Iterator[ModuleLaw]:
        return iter(self.laws)

    def values(self, module: nn.Module) -> dict[str, Tensor]:
        """{name of a law: its value} at the module's present parameters, on their device. Floating point."""
        parameters = dict(module.named_parameters(remove_duplicate=False))
        with torch.no_grad():
            return {law.name: law.value(parameters) for law in self.laws}

    def to_frame(self) -> Any:
        """One row a law, as a pandas DataFrame."""
        raise NotImplementedError
