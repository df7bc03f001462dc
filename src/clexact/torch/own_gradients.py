"""Functions that define a gradient of their own, compared with that of the operations which they are made of."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from clexact.torch.calls import tensors
from clexact.torch.cuts import moved_randomly, run
from clexact.torch.exported import Trace, read

SCALES = (1.0, 1e8, 1e-8)  # of the gradient that enters: what is clipped, or not linear in it, shows
CLOSE = 1e-12  # of the largest entry: rounding in another order, in float64
COMPARED = f"equal at {len(SCALES)} random points in float64, within {CLOSE:g}"
LARGEST = 10**8  # parameters of a module that is copied for it


def are_true(module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    """Whether a module's gradients are those of its operations, at random points: no proof, an assumption to be told.

    Of sums of its outputs, weighted at random, by a copy of the module in float64, and by its exported operations.
    """
    if sum(p.numel() for p in module.parameters()) > LARGEST:
        return False
    draws = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            twin = copy.deepcopy(module).double()
            given = tree_map(_double, (positional, keywords))
            seen = read(twin, *given)
            return all(_agree(twin, seen, given, scale, draws) for scale in SCALES)
        except Exception:  # the module's own code, whatever it raises elsewhere
            return False


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _moved(value: Any, draws: torch.Generator) -> Any:
    return moved_randomly(value, draws) if isinstance(value, Tensor) else value


def _agree(twin: nn.Module, seen: Trace, given: Any, scale: float, draws: torch.Generator) -> bool:
    """At a random point, to which the twin moves."""
    trained = [p for p in twin.parameters() if p.requires_grad]
    with torch.no_grad():
        for p in trained:
            p.copy_(moved_randomly(p, draws))
    positional, keywords = tree_map(
        lambda leaf: moved_randomly(leaf, draws) if isinstance(leaf, Tensor) else leaf, given
    )
    drawn = {id(a): b for a, b in zip(tensors(given), tensors((positional, keywords)), strict=True)}
    weights = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=draws)))
    start = weights.get_state()
    torch.manual_seed(0)  # what dropout draws
    true = _gradients(tensors(twin(*positional, **keywords)), trained, scale, weights)
    weights.set_state(start)
    torch.manual_seed(0)
    leaves = {name: drawn.get(id(leaf), leaf) for name, leaf in seen.given.items()}
    return all(map(_close, true, _gradients(run(seen, leaves), trained, scale, weights)))


def _gradients(
    outputs: list[Tensor], trained: list[nn.Parameter], scale: float, weights: torch.Generator
) -> list[Tensor]:
    """The gradients of a sum of outputs, weighted at random."""
    moving = [out for out in outputs if out.requires_grad]
    covectors = [torch.randn(out.shape, generator=weights, dtype=torch.float64).to(out) for out in moving]
    total = torch.stack([(out * c).sum() for out, c in zip(moving, covectors, strict=True)]).sum() * scale
    found = torch.autograd.grad(total, trained, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)]


def _close(a: Tensor, b: Tensor) -> bool:
    size = float(b.abs().max()) if b.numel() else 0.0
    return bool(torch.isfinite(a).all()) and bool(((a - b).abs() <= CLOSE * size).all())
