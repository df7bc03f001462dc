"""What an optimizer says it does to each parameter: its class and the settings of the parameter's group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import nn

ADAPTIVE = {"Adadelta", "Adafactor", "Adagrad", "RMSprop", "Rprop"}
ADAPTIVE |= {"Adam", "AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam"}
DECOUPLED = {"AdamW", "Muon"}  # weight decay that multiplies the parameter, beside the step


class Rule(Enum):
    """How the step follows from the gradient."""

    GRADIENT = "minus the learning rate times the gradient"
    MOMENTUM = "a sum of past gradients"
    ADAPTIVE = "the gradient rescaled entry by entry"
    ORTHOGONAL = "a sum of past gradients whose singular values are all made about 1"
    UNKNOWN = "not known from its class"


@dataclass(frozen=True)
class Setting:
    """The rule for one parameter: ``rate`` (negative to maximize), weight decay, and ``shrink``.

    ``shrink`` is the s with theta+ = (1 - s) theta - ..., where weight decay does just this: rate * decay. ``moves``
    is False where the parameter is frozen, has no gradient or is not the optimizer's. ``name`` is the optimizer's.
    """

    rule: Rule
    rate: float = 0.0
    decay: float = 0.0
    shrink: float = 0.0
    momentum: float = 0.0
    moves: bool = True
    why_not: str = ""
    name: str = ""

    @property
    def plain(self) -> bool:
        """Whether the step is known to be that of gradient descent, with weight decay or without."""
        return self.rule is Rule.GRADIENT


def read_settings(
    optimizers: Sequence[torch.optim.Optimizer], parameters: Mapping[str, nn.Parameter]
) -> dict[str, Setting]:
    """The present setting of each parameter, by name; of the first optimizer that has it."""
    known: dict[int, tuple[torch.optim.Optimizer, Mapping[str, object], Setting]] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            setting = _setting(type(optimizer), group)
            for parameter in group["params"]:
                known.setdefault(id(parameter), (optimizer, group, setting))
    return {
        name: _of_parameter(parameter, known.get(id(parameter)), bool(optimizers))
        for name, parameter in parameters.items()
    }


def _of_parameter(
    parameter: nn.Parameter, known: tuple[torch.optim.Optimizer, Mapping[str, object], Setting] | None, owned: bool
) -> Setting:
    if not parameter.requires_grad:
        return Setting(Rule.GRADIENT, moves=False, why_not="requires_grad is False")
    if known is None and owned:
        return Setting(Rule.GRADIENT, moves=False, why_not="it is not among the optimizer's parameters")
    if known is None:
        return Setting(Rule.UNKNOWN)
    optimizer, group, setting = known
    return _averaged(optimizer, group, parameter, setting) if type(optimizer) is torch.optim.ASGD else setting


def _setting(kind: type, group: Mapping[str, object]) -> Setting:
    rate, decay = (_number(group, key) for key in ("lr", "weight_decay"))
    momentum = _number(group, "momentum")
    rule = _rule(kind, momentum)
    decoupled = kind.__name__ in DECOUPLED and rule is not Rule.UNKNOWN
    decoupled |= rule is Rule.ADAPTIVE and bool(group.get("decoupled_weight_decay"))
    shrink = rate * decay if rule is Rule.GRADIENT or decoupled else 0.0
    return Setting(rule, -rate if group.get("maximize") else rate, decay, shrink, momentum, name=kind.__name__)


def _rule(kind: type, momentum: float) -> Rule:
    if kind in (torch.optim.SGD, torch.optim.ASGD):
        return Rule.MOMENTUM if momentum else Rule.GRADIENT
    if not kind.__module__.startswith("torch.optim"):
        return Rule.UNKNOWN
    if kind.__name__ == "Muon":
        return Rule.ORTHOGONAL
    return Rule.ADAPTIVE if kind.__name__ in ADAPTIVE else Rule.UNKNOWN


def _averaged(
    optimizer: torch.optim.Optimizer, group: Mapping[str, object], parameter: nn.Parameter, setting: Setting
) -> Setting:
    """ASGD: theta+ = (1 - eta (lambd + decay)) theta - eta g, eta = lr / (1 + lambd lr t)^alpha; the average is apart.

    The eta of a step is that of the steps before it, and lr at first.
    """
    state = optimizer.state.get(parameter, {})
    rate = float(state["eta"]) if "eta" in state else _number(group, "lr")
    decay = setting.decay + _number(group, "lambd")
    shrink = rate * (_number(group, "lambd") + setting.decay)
    return replace(setting, rate=-rate if group.get("maximize") else rate, decay=decay, shrink=shrink)


def _number(group: Mapping[str, object], key: str) -> float:
    return float(group.get(key) or 0.0)  # type: ignore[arg-type]


def without_gradient(setting: Setting) -> Setting:
    """The setting of a parameter that has no gradient: optimizers pass it over."""
    return replace(setting, moves=False, shrink=0.0, why_not=setting.why_not or "it has no gradient")
