r"""What an optimizer does to laws of the gradient flow.

A step $\theta^+ = \theta - \eta g$ changes a quadratic law by $\eta^2 h(g)$ and a linear one not at all; with weight
decay $\lambda$, h becomes $(1 - \eta\lambda)^2 h + \eta^2 h(g)$, or $(1 - \eta\lambda) h$: in time $t = k\eta$,
$e^{-2\lambda t}h$ and $e^{-\lambda t}h$. Momentum keeps linear laws, and no quadratic one (arXiv 2405.12888); a step
that rescales each entry of the gradient keeps neither; not even what has no gradient but rounding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from clexact.torch.law import ModuleLaw

ENTRYWISE = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Rprop")
IGNORED = ("params", "lr", "foreach", "fused", "maximize", "differentiable", "capturable", "param_names", "initial_lr")

WRAPPERS = {"AcceleratedOptimizer", "LightningOptimizer"}  # they step as what they wrap, or not at all


def unwrapped_optimizer(optimizer: Any) -> Any:
    """The optimizer inside the wrappers of Accelerate and Lightning.

    TypeError for another wrapper, which may step in its own way: one that torch's own constructor never saw.
    """
    while any(kind.__name__ in WRAPPERS for kind in type(optimizer).__mro__) and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    if isinstance(optimizer, torch.optim.Optimizer) and not hasattr(optimizer, "_optimizer_step_pre_hooks"):
        raise TypeError(
            f"{type(optimizer).__name__} wraps an optimizer in a way that is not known: give that optimizer."
        )
    return optimizer


def effect(law: ModuleLaw, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[bool, str]:
    """Whether the optimizer keeps a law, to second order in the step size, and a sentence on what it does to it."""
    groups = _groups(law, module, optimizer)
    missing = [name for name, number in groups.items() if number is None]
    if len(missing) == len(groups):
        return True, "The optimizer is not given its parameters, which stay as they are."
    if missing:
        return False, f"The optimizer is not given {missing[0]}, which stays as it is while the others move."
    settings = {number: optimizer.param_groups[number] for number in groups.values() if number is not None}
    if different := _different(settings.values()):
        return False, _across(groups, settings, different)
    return _step(law, type(optimizer).__name__, next(iter(settings.values())))


def _groups(law: ModuleLaw, module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, int | None]:
    """{parameter: number of its group, None if it has none}."""
    number = {id(p): n for n, group in enumerate(optimizer.param_groups) for p in group["params"]}
    named = dict(module.named_parameters(remove_duplicate=False))
    return {name: number.get(id(named[name])) for name in law.parameters}


def _different(groups: Iterable[dict[str, Any]]) -> list[str]:
    """The settings that differ between groups."""
    first, *others = groups
    return [
        key for key in first if key not in IGNORED[:1] + IGNORED[2:] and any(g.get(key) != first[key] for g in others)
    ]


def _across(groups: dict[str, int | None], settings: dict[int, dict[str, Any]], different: list[str]) -> str:
    key = different[0]
    values = ", ".join(f"{name}: {settings[n][key]}" for name, n in groups.items() if n is not None)
    return f"Its parameters are in groups of different {key} ({values})."


def _step(law: ModuleLaw, name: str, group: dict[str, Any]) -> tuple[bool, str]:
    """A law whose parameters are all in one group, or in equal ones."""
    untouched = law.kind == "translation" and all(term.view.unit is None for term in law.terms)
    eta, decay = float(group["lr"]), float(group.get("weight_decay", 0) or 0)
    power = law.degree
    if name == "ASGD" and not law.mixed:
        return True, _asgd(power, float(group["lambd"]) + decay)
    if name == "SAM" and power == 2:
        return False, "SAM takes the gradient at other weights theta + e: a step adds 2 eta b(e, g) + eta^2 h(g)."
    if name == "Muon":
        return False, _muon(law)
    if name == "SGD" and group.get("momentum"):
        if power == 2:
            return False, _momentum(law, float(group["momentum"]))
        return (True, "Momentum keeps a linear law.") if not decay else (False, "Momentum with weight decay breaks it.")
    if name in ENTRYWISE and untouched:
        return False, f"Its gradient is 0 but for rounding, which {name} rescales to steps of a usual size."
    if name in ENTRYWISE:
        return False, f"{name} rescales each entry of the gradient by itself."
    if name != "SGD":
        return False, f"It is not known what {name} does to it."
    if law.mixed:
        if decay:
            return False, "Weight decay shrinks its squares and its sums at different rates."
        return True, "Each step adds eta^2 times its squares, of the gradient."
    if not decay:
        return True, "Each step adds eta^2 h(gradient)." if power == 2 else "Each step keeps it, up to rounding."
    factor = (1 - eta * decay) ** power
    after = f"(1 - eta lambda)^{power} h + eta^2 h(gradient)" if power == 2 else "(1 - eta lambda) h"
    rate = "e^{-2 lambda t}" if power == 2 else "e^{-lambda t}"
    return True, f"With weight decay, each step takes h to {after}, a factor {factor:.10g}: {rate} h in time t = eta k."


def _asgd(power: int, decay: float) -> str:
    second = " + eta^2 h(gradient)" if power == 2 else ""
    return (
        f"A step of ASGD with step size eta takes h to (1 - eta lambda)^{power} h{second}, where "
        f"lambda = {decay:g} (its lambd "
        "and the weight decay); the averaged parameters keep no quadratic law."
    )


def _muon(law: ModuleLaw) -> str:
    said = "Muon steps along sums of past gradients whose singular values are all made about 1."
    if law.kind != "gram" or len(law.terms) != 2:
        return said
    return (
        f"{said} Where the singular vectors of both factors and of their gradients are aligned, it keeps "
        "sqrt(P P^T) - sqrt(Q Q^T) instead, as far as its steps are orthogonal and of one size (arXiv 2606.30509)."
    )


def _momentum(law: ModuleLaw, momentum: float) -> str:
    said = f"Momentum {momentum:g} breaks it at first order."
    if law.kind != "gram":
        return f"{said} Rescalings have no law of Noether."
    rows = law.shape[-1]
    number = rows * (rows - 1) // 2 * (law.shape[0] if len(law.shape) == 3 else 1)
    return (
        f"{said} Rotations of the units leave {number} laws of Noether, in parameters P and velocities P': with "
        "heavy-ball friction tau, e^{tau t} times the antisymmetric part of sum_k P_k P'_k^T, as a flow."
    )
