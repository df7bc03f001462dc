"""A numerical check of laws on the module itself, in floating point: no proof, but the module as it really runs."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from clexact.support.losses import check_loss
from clexact.torch.calls import without_cache
from clexact.torch.cuts import moved_randomly
from clexact.torch.failures import first_line
from clexact.torch.law import ModuleLaw, parameters_of
from clexact.torch.trace import arguments, unwrapped


def check(
    module: nn.Module,
    example_input: Any,
    laws: Iterable[ModuleLaw],
    *,
    loss: object = "mse",
    class_axis: int | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> dict[str, float]:
    r"""Relative size of $\langle\nabla h, \nabla L\rangle$ for each law h, at random parameters, inputs and targets.

    The loss is $\langle C, g\rangle$ for a random covector C on all outputs, of sum zero over the classes for
    cross-entropy: its gradient is that of any loss of the kind. The residual is the largest $|\langle\nabla h,
    \nabla L\rangle|$ of the numbers of the law over the sum of the absolute sizes of its terms, and at least the
    largest entry of the gradient: rounding, if the law holds, about 1e-15 in float64 and more where the module casts to
    fewer bits on the way. The module is not changed. Floating point, no proof.

    Parameters
    ----------
    module : torch.nn.Module
        The module, in training or evaluation mode.
    example_input : torch.Tensor, tuple or dict
        A tensor, a tuple of arguments or a dict of keywords: shapes and types of the inputs drawn.
    laws : iterable of ModuleLaw
        Those to be checked.
    loss : {"mse", "cross_entropy"} or torch.nn.Module, optional
        As for ``laws``; None: any loss.
    class_axis : int, optional
        The axis of the classes; default: that of an output of two axes.
    dtype : torch.dtype
        In which the module is evaluated.
    seed : int
        Of the random numbers.

    Returns
    -------
    dict of str to float
        For each law, by name, its residual.

    Raises
    ------
    ValueError
        If a law speaks of a parameter that the module does not have.
    RuntimeError
        If the module fails in ``dtype``.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> x = torch.ones(4, 2)
    >>> {name: residual < 1e-12 for name, residual in check(net, x, laws(net, x)).items()}
    {'0 -> 2': True}
    """
    loss = None if loss is None else check_loss(loss, " or None")
    return checked(module, example_input, laws, loss=loss, class_axis=class_axis, dtype=dtype, seed=seed)[0]


def checked(
    module: nn.Module,
    example: Any,
    laws: Iterable[ModuleLaw],
    *,
    loss: str | None,
    class_axis: int | None,
    dtype: torch.dtype = torch.float64,
    seed: int,
) -> tuple[dict[str, float], torch.dtype]:
    """As ``check``, and the lowest precision of what the gradient passes on its way, whose rounding is in it."""
    laws = tuple(laws)
    parameters_of(laws, module)
    with Precision(dtype) as met:
        parameters, gradients = random_gradient(unwrapped(module), example, loss, class_axis, dtype, seed)
    largest = max((float(g.abs().max()) for g in gradients.values() if g.numel()), default=0.0)
    return {law.name: residual(law, parameters, gradients, largest) for law in laws}, met.lowest


class ModuleFailedError(RuntimeError):
    """The module's own code raised an error in the numerical check; the message is its first line."""


@contextmanager
def _own_code() -> Iterator[None]:
    """Errors of the module's own code, whatever they are, as ModuleFailedError."""
    try:
        yield
    except Exception as error:
        raise ModuleFailedError(first_line(error, 100) or type(error).__name__) from error


class Precision(TorchFunctionMode):  # type: ignore[misc]
    """Notes the lowest precision of tensors that have a gradient, as casts, autocast and constants make it."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.lowest = dtype

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(leaf, Tensor) and leaf.requires_grad and leaf.is_floating_point():
                self.lowest = max(self.lowest, leaf.dtype, key=lambda dtype: torch.finfo(dtype).eps)
        return result


def residual(
    law: ModuleLaw, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], largest: float
) -> float:
    """The relative size of the change of a law along a gradient whose largest entry is ``largest``."""
    change, size = law.change(parameters, gradients)
    return float((change.abs() / size.clamp_min(largest or 1.0)).max()) if change.numel() else 0.0


def random_gradient(
    module: nn.Module, example: Any, loss: str | None, class_axis: int | None, dtype: torch.dtype, seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random parameters near those of the module, and the gradient there of a random loss on random inputs."""
    draws = torch.Generator().manual_seed(seed)
    with _own_code():
        twin = copy.deepcopy(module).to(dtype)
    trained = {name: p for name, p in twin.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for p in trained.values():
            p.copy_(moved_randomly(p, draws))
    positional, keywords = arguments(example)
    inputs = [_drawn(value, draws, dtype) for value in positional]
    named = {key: _drawn(value, draws, dtype) for key, value in keywords.items()}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)  # dropout draws from the global generator, which is restored
        with _own_code(), without_cache(twin):
            outputs = _floating(twin(*inputs, **named))
        total = torch.stack([(out * _covector(out, draws, loss, class_axis)).sum() for out in outputs]).sum()
        with _own_code():
            found = torch.autograd.grad(total, list(trained.values()), allow_unused=True)
    gradients = {
        name: torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g
        for (name, p), g in zip(trained.items(), found, strict=True)
    }
    still = {name: p for name, p in twin.named_parameters() if name not in trained}  # frozen ones do not move
    gradients |= {name: torch.zeros_like(p) for name, p in still.items()}
    return {name: p.detach() for name, p in (trained | still).items()}, gradients


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
