"""A few entries of each parameter, followed through a step: before, the gradient by backward() and at the step, after.

From them the actual step is compared with the gradient without a copy of the parameters. Floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

ENTRIES = 64  # of each parameter
STEP, GRADIENT, START, BACKWARD = range(4)  # the four vectors of Sample.products
EIGHT, ELEVEN = 0, 1  # columns of Sample.short


@dataclass(frozen=True)
class Sample:
    """One step, seen on the entries that are watched of P parameters; tensors on the parameters' device."""

    products: Tensor  # (P, 4, 4) inner products of the step, the gradient at it, the start, the gradient by backward()
    top: Tensor  # () largest |gradient| at the step
    changed: Tensor  # (P,) entries of the gradient that are not as backward() left them
    clipped: Tensor  # (P,) those among them with |gradient| = top that were larger before; 0 if some were smaller
    nonzero: Tensor  # (P,) entries of the gradient that are not 0, of the first backward() after the last step
    short: Tensor  # (P, 2) those with at most 8 (bfloat16) and 11 (float16) significant bits
    stuck: Tensor  # (P,) entries that did not move though their gradient is not 0
    elsewhere: Tensor  # (P,) squared distance of the parameter at backward() from where the optimizer finds it

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Entries:
    """Which entries are watched: ENTRIES of each parameter, or all, drawn once from the seed."""

    def __init__(self, parameters: Sequence[nn.Parameter], seed: int) -> None:
        self.device = parameters[0].device
        self.real = torch.float32 if self.device.type == "mps" else torch.float64
        generator = torch.Generator().manual_seed(seed)
        self.indices, masks = [], []
        for parameter in parameters:
            drawn = torch.randint(parameter.numel(), (ENTRIES,), generator=generator)
            drawn = drawn.unique() if parameter.numel() > ENTRIES else torch.arange(parameter.numel())
            masks.append(torch.arange(ENTRIES) < len(drawn))
            padded = torch.cat([drawn, torch.zeros(ENTRIES - len(drawn), dtype=torch.int64)])
            self.indices.append(padded.to(parameter.device))
        self.mask = torch.stack(masks).to(self.device)

    def take(self, index: int, tensor: Tensor) -> Tensor:
        """The watched entries of parameter number ``index``, or of its gradient."""
        tensor = tensor.detach()
        return torch.take(tensor.to_dense() if tensor.is_sparse else tensor, self.indices[index].to(tensor.device)).to(
            self.device
        )

    def take_all(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """(P, ENTRIES) of the first P parameters or of their gradients, zeros where there is no tensor."""
        return self.stacked([None if tensor is None else self.take(i, tensor) for i, tensor in enumerate(tensors)])

    def stacked(self, rows: Sequence[Tensor | None]) -> Tensor:
        """(P, ENTRIES) of rows already taken, zeros where there is none."""
        zero = torch.zeros(ENTRIES, dtype=self.real, device=self.device)
        return torch.stack([zero if row is None else row.to(self.real) for row in rows]) * self.mask[: len(rows)]

    def sample(
        self, before: Tensor, after: Tensor, gradient: Tensor, first: Tensor, backward: Tensor, away: Tensor
    ) -> Sample:
        """The watched vectors of each parameter, summed up; ``first`` and ``backward``: 0 where none was seen.

        ``first`` is the gradient by the first backward() after the last step, ``backward`` that by the last one;
        ``away`` the parameter at the last one less that before the step.
        """
        step = after - before
        vectors = torch.stack([step, gradient, before, backward], dim=1)
        size = gradient.abs()
        top = size.max()
        usable = (first != 0).any(1, keepdim=True) & first.isfinite().all(1, keepdim=True)  # not of a step skipped
        source = torch.where(usable, first, gradient)
        changed = (gradient != backward) & (backward != 0).any(1, keepdim=True)
        at_top = changed & (size == top)
        raised = (at_top & (backward.abs() < top)).any()  # by no clip
        return Sample(
            products=vectors @ vectors.mT,
            top=top,
            changed=changed.sum(1),
            clipped=(at_top & (backward.abs() > top) & ~raised).sum(1),
            nonzero=(source != 0).sum(1),
            short=torch.stack([(_fits(source, bits) & (source != 0)).sum(1) for bits in (8, 11)], dim=1),
            stuck=((gradient != 0) & (step == 0)).sum(1),
            elsewhere=away.square().sum(1),
        )


def _fits(numbers: Tensor, bits: int) -> Tensor:
    """Which of the numbers have at most so many significant bits."""
    mantissa, _ = torch.frexp(numbers)
    scaled = mantissa * 2**bits
    return scaled == scaled.round()
