"""A numerical check of laws on the module itself, in floating point: no proof, but the module as it really runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clexact.torch.law import ModuleLaw
from clexact.torch.trace import arguments


def check(
    module: nn.Module,
    example_input: Any,
    laws: Iterable[ModuleLaw],
    *,
    loss: str | None = "mse",
    class_axis: int | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> dict[str, float]:
    r"""{name of a law: relative size of $\langle\nabla h, \nabla L\rangle$} at random parameters, inputs and targets.

    The loss is $\langle C, g\rangle$ for a random covector C on all outputs, of sum zero over the classes for
    cross-entropy: its gradient is that of any loss of the kind. The residual is the largest $|\langle\nabla h,
    \nabla L\rangle|$ of the numbers of the law over the sum of the absolute sizes of its terms, and at least the
    largest entry of the gradient: rounding, about 1e-15 in float64, if the law holds. The module is not changed.
    """
    parameters, gradients = random_gradient(module, example_input, loss, class_axis, dtype, seed)
    return {law.name: residual(law, parameters, gradients) for law in laws}


def residual(law: ModuleLaw, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> float:
    """The relative size of the change of a law along a gradient."""
    change, size = law.change(parameters, gradients)
    largest = max((float(g.abs().max()) for g in gradients.values() if g.numel()), default=0.0)
    return float((change.abs() / size.clamp_min(largest or 1.0)).max()) if change.numel() else 0.0


def random_gradient(
    module: nn.Module, example: Any, loss: str | None, class_axis: int | None, dtype: torch.dtype, seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random parameters near those of the module, and the gradient there of a random loss on random inputs."""
    draws = torch.Generator().manual_seed(seed)
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    moved = {name: _moved(p.detach(), draws, dtype).requires_grad_() for name, p in trained.items()}
    fixed = {n: _cast(t.detach().clone(), dtype) for n, t in _others(module).items()}
    positional, keywords = arguments(example)
    inputs = [_drawn(value, draws, dtype) for value in positional]
    named = {key: _drawn(value, draws, dtype) for key, value in keywords.items()}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)  # dropout draws from the global generator, which is restored
        output = functional_call(module, {**fixed, **moved}, tuple(inputs), named)
        total = sum(
            ((out * _covector(out, draws, loss, class_axis)).sum() for out in _floating(output)), torch.zeros(())
        )
        found = torch.autograd.grad(total, list(moved.values()), allow_unused=True)
    gradients = {
        name: torch.zeros_like(p) if g is None else g.to_dense()
        for (name, p), g in zip(moved.items(), found, strict=True)
    }
    return {name: p.detach() for name, p in moved.items()}, gradients


def _others(module: nn.Module) -> dict[str, Tensor]:
    frozen = {name: p for name, p in module.named_parameters() if not p.requires_grad}
    return frozen | dict(module.named_buffers())


def _moved(p: Tensor, draws: torch.Generator, dtype: torch.dtype) -> Tensor:
    noise = torch.randn(p.shape, generator=draws, dtype=torch.float32).to(p.device, dtype)
    spread = p.float().std(correction=0) if p.numel() > 1 else torch.zeros(())
    return p.to(dtype) + (0.1 + float(spread)) * noise


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def _drawn(value: Any, draws: torch.Generator, dtype: torch.dtype) -> Any:
    """A random tensor in place of one of floating point; anything else as it is."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return torch.randn(value.shape, generator=draws, dtype=torch.float32).to(value.device, dtype)
    return value


def _floating(output: Any) -> list[Tensor]:
    """All tensors of floating point in an output that have a gradient."""
    leaves = torch.utils._pytree.tree_leaves(output)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.requires_grad]


def _covector(out: Tensor, draws: torch.Generator, loss: str | None, class_axis: int | None) -> Tensor:
    c = torch.randn(out.shape, generator=draws, dtype=torch.float32).to(out.device, out.dtype)
    return c - c.mean(class_axis, keepdim=True) if loss == "cross_entropy" and class_axis is not None else c
