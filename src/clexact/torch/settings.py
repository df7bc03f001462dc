"""What an optimizer says it does to each parameter: its class and the settings of the parameter's group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import nn

ADAPTIVE = {"Adadelta", "Adafactor", "Adagrad", "Muon", "RMSprop", "Rprop"}
ADAPTIVE |= {"Adam", "AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam"}


class Rule(Enum):
    """How the step follows from the gradient."""

    GRADIENT = "minus the learning rate times the gradient"
    MOMENTUM = "a sum of past gradients"
    ADAPTIVE = "the gradient rescaled entry by entry"
    UNKNOWN = "not known from its class"


@dataclass(frozen=True)
class Setting:
    """The rule for one parameter: ``rate`` (negative to maximize), weight decay, and ``shrink``.

    ``shrink`` is the s with theta+ = (1 - s) theta - ..., where weight decay does just this: rate * decay. ``moves``
    is False where the parameter is frozen, has no gradient or is not the optimizer's.
    """

    rule: Rule
    rate: float = 0.0
    decay: float = 0.0
    shrink: float = 0.0
    momentum: float = 0.0
    moves: bool = True
    why_not: str = ""

    @property
    def plain(self) -> bool:
        """Whether the step is known to be that of gradient descent, with weight decay or without."""
        return self.rule is Rule.GRADIENT


def read_settings(
    optimizer: torch.optim.Optimizer | None, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Setting]:
    """The present setting of each parameter, by name."""
    groups = [] if optimizer is None else optimizer.param_groups
    group_of = {id(parameter): group for group in groups for parameter in group["params"]}
    known = {key: _setting(type(optimizer), group) for key, group in ((id(group), group) for group in groups)}
    return {
        name: _of_parameter(parameter, known.get(id(group_of.get(id(parameter)))), optimizer is not None)
        for name, parameter in parameters.items()
    }


def _of_parameter(parameter: nn.Parameter, setting: Setting | None, owned: bool) -> Setting:
    base = setting or Setting(Rule.UNKNOWN)
    why_not = (
        "requires_grad is False" if not parameter.requires_grad
        else "it is not among the optimizer's parameters" if owned and setting is None
        else ""
    )  # fmt: skip
    return base if not why_not else Setting(Rule.GRADIENT, moves=False, why_not=why_not)


def _setting(kind: type, group: Mapping[str, object]) -> Setting:
    rate, decay = (float(group.get(key) or 0.0) for key in ("lr", "weight_decay"))  # type: ignore[arg-type]
    momentum = float(group.get("momentum") or 0.0)  # type: ignore[arg-type]
    if kind is torch.optim.SGD:
        rule = Rule.MOMENTUM if momentum else Rule.GRADIENT
    else:
        rule = (
            Rule.ADAPTIVE if kind.__module__.startswith("torch.optim") and kind.__name__ in ADAPTIVE else Rule.UNKNOWN
        )
    decoupled = rule is Rule.ADAPTIVE and (kind.__name__ == "AdamW" or bool(group.get("decoupled_weight_decay")))
    shrink = rate * decay if rule is Rule.GRADIENT or decoupled else 0.0
    return Setting(rule, -rate if group.get("maximize") else rate, decay, shrink, momentum)


def without_gradient(setting: Setting) -> Setting:
    """The setting of a parameter that has no gradient: optimizers pass it over."""
    return replace(setting, moves=False, shrink=0.0, why_not=setting.why_not or "it has no gradient")
