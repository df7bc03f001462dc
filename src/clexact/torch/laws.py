"""``ModuleLaws``: the laws of a module, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, overload

import torch
from torch import Tensor, nn

from clexact.extras import needed
from clexact.torch.law import ModuleLaw, Status


@dataclass(frozen=True)
class Block:
    """Layers that share laws: how many laws touch these parameters, and how it is known that there are no others."""

    name: str
    parameters: tuple[str, ...]
    count: int
    status: Status
    evidence: str
    complete: bool  # whether, at the size certified, all that enters and leaves it being free, it has no other laws


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
    notes: tuple[str, ...] = ()  # how the module was read, what is assumed, what the optimizer and the loss do
    _ideal: Callable[[], tuple[tuple[ModuleLaw, str], ...]] = tuple

    @cached_property
    def approximate(self) -> tuple[tuple[ModuleLaw, str], ...]:
        """Laws but for the small constant eps of a normalisation, and why; found when they are asked for."""
        return self._ideal()

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
        missing = [name for law in self for name in law.parameters if name not in parameters]
        if missing:
            raise ValueError(f"a law speaks of the parameter {missing[0]!r}, which the module does not have.")
        with torch.no_grad():
            return {law.name: law.value(parameters) for law in self.laws}

    def to_frame(self) -> Any:
        """One row a law, as a pandas DataFrame. ImportError, in one sentence, without pandas."""
        pandas = needed("pandas", "frame")
        columns = ["name", "kind", "degree", "count", "shape", "formula", "parameters", "status", "evidence", "reason"]
        rows = [
            [law.name, law.kind, law.degree, law.count, law.shape, law.formula, law.parameters, law.status.name,
             law.evidence, law.reason]
            for law in self
        ]  # fmt: skip
        return pandas.DataFrame(rows, columns=columns)

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        complete = [block.status for block in self.blocks if block.complete]
        small = complete.count(Status.CERTIFIED_SMALLER)
        found = f"{self.count} conserved numbers in {len(self)} law{'s' * (len(self) != 1)} of {self.module}"
        sizes = f" ({small} of them at a smaller size only)" if small else ""
        return f"{found}; {len(complete)} of {len(self.blocks)} blocks are certified to have no others{sizes}"

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  {law}" for law in self]
        lines += [f"  not conserved: {law.name}. {why}" for law, why in self.broken]
        lines += [f"  nearly conserved: {law.name}: {law.formula}. {why}" for law, why in self.approximate]
        lines += [f"  not covered: {part.name}: {part.reason}" for part in self.uncovered]
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in ("law", "formula", "kind", "numbers", "status"))
        rows = "".join(
            f"<tr><td>{escape(law.name)}</td><td>{escape(law.formula)}</td><td>{law.kind}</td><td>{law.count}</td>"
            f'<td title="{escape(law.evidence)}">{law.status.name.lower().replace("_", ", ")}</td></tr>'
            for law in self
        )
        rest = [f"{law.name} is not conserved. {why}" for law, why in self.broken]
        rest += [f"{law.name} is nearly conserved. {why}" for law, why in self.approximate]
        rest += [f"{part.name}: {part.reason}" for part in self.uncovered] + list(self.notes)
        listed = "".join(f"<li>{escape(line)}</li>" for line in rest)
        return f"<p>{escape(self.headline)}.</p><table><tr>{head}</tr>{rows}</table><ul>{listed}</ul>"

    def _repr_latex_(self) -> str:
        lines = [rf"\text{{{_texed(law.name)}:}}\quad & {law.latex}" for law in self]
        return "$$\\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$$" if lines else ""


def _texed(text: str) -> str:
    return text.replace("_", r"\_").replace("->", r"$\to$")
