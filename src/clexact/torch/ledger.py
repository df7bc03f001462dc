"""The books of a monitor: the laws along the run, their prediction, and the sums by which the two are compared.

All tensors stay on the device of the parameters; nothing here waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from clexact.torch.forms import Forms
from clexact.torch.sample import Sample
from clexact.torch.settings import Rule, Setting

KEEP = 512  # records kept; past it every second one is dropped


@dataclass(frozen=True)
class Gradients:
    """What is read from the gradients of a step before they are gone; C entries of laws."""

    settings: Mapping[str, Setting]
    second: Tensor  # (C,) h(rate g), 0 for linear laws
    size: Tensor  # (C,) its size; that of |rate g| for linear laws
    watched: Tensor  # (P, entries) of the gradients
    top: Tensor  # () largest |entry| watched in all gradients of the module
    slopes: Tensor | None = None  # (C,) <grad h, g>, at some steps
    bound: Tensor | None = None  # (C,) |grad h| |g|, by Cauchy and Schwarz

    def joined(self, other: Gradients, forms: Forms) -> Gradients:
        """With those of other parameters, over which all is summed up."""
        settings = {name: theirs if theirs.moves else self.settings[name] for name, theirs in other.settings.items()}
        return Gradients(
            settings, self.second + other.second, forms.added(self.size, other.size), self.watched + other.watched,
            torch.maximum(self.top, other.top), _both(self.slopes, other.slopes, torch.add),
            _both(self.bound, other.bound, forms.added),
        )  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A step observed."""

    step: int
    values: Tensor  # (C,)
    predicted: Tensor  # (C,)
    sample: Sample
    settings: Mapping[str, Setting]


@dataclass(frozen=True)
class Probe:
    """A step at which the slopes of the laws along the gradient were taken."""

    slopes: Tensor  # (C,)
    bound: Tensor  # (C,)
    heights: Tensor  # (C,) the laws before it


class Ledger:
    """Sums over the steps observed, each of one entry for each number of the laws."""

    SUMS = ("start", "values", "predicted", "excess", "length", "noise", "squares", "budget", "factor", "infinite")

    def __init__(self, forms: Forms, values: Tensor) -> None:
        zeros = torch.zeros_like(values)
        self.forms = forms
        self.start = self.values = self.predicted = values
        self.excess = zeros  # h less what was predicted of it
        self.length = zeros  # the change that a first-order term could make
        self.noise = zeros  # the change that one unit of rounding in the largest gradient could make
        self.squares = zeros  # of the rounding of each evaluation
        self.budget = zeros  # the change by rounding the parameters, always to the same side
        self.factor = zeros + 1  # by which weight decay shrank the laws
        self.infinite = torch.zeros((), dtype=torch.int64, device=values.device)  # steps with a gradient not finite
        self.observed = 0
        self.records: list[Record] = []
        self.probes: list[Probe] = []
        self._told: tuple[list[tuple[float, float]], Tensor, Tensor] = ([], zeros, zeros)

    def enter(
        self,
        step: int,
        times: int,
        before: tuple[Tensor, Tensor],
        after: tuple[Tensor, Tensor],
        gradients: Gradients,
        sample: Sample,
    ) -> None:
        """An observed step that stands for ``times`` of them; ``before`` and ``after``: values and sizes of the laws.

        With f = (1 - shrink)^degree and q = h(rate g), a step predicts h <- f h + q.
        """
        (old, size), (new, new_size) = before, after
        second, length = gradients.second, self._bound(size, gradients.size)
        factor, rate = self._from_settings(gradients.settings)
        if any(setting.rule is Rule.UNKNOWN and setting.rate == 0 for setting in gradients.settings.values()):
            rate = _fitted_rate(sample)  # no optimizer says it
            second, length = rate**2 * second, rate.abs() * length
        noise = rate.abs() * self._bound(size, self.forms.entries * gradients.top ** (2 - self.forms.linear.int()))
        finite = gradients.size.isfinite().all()
        second, length, noise = second.where(finite, 0), length.where(finite, 0), noise.where(finite, 0)
        factor = factor.where(finite, 1)
        self.values = new
        self.predicted = self.predicted * factor**times + times * second
        self.excess = self.excess * factor + (new - factor * old - second)
        self.length = self.length + length
        self.noise = self.noise + self.forms.resolution * noise
        self.squares = self.squares + (self.forms.resolution * new_size) ** 2
        self.budget = self.budget + self.forms.unit * new_size
        self.factor = self.factor * factor**times
        self.infinite = self.infinite + ~finite
        if gradients.slopes is not None and gradients.bound is not None:
            self.probes.append(Probe(gradients.slopes, self._bound(size, gradients.bound), old))
        self.records.append(Record(step, new, self.predicted, sample, gradients.settings))
        self.observed += 1

    @property
    def full(self) -> bool:
        """Whether ``thin`` will drop records."""
        return len(self.records) > KEEP

    def thin(self) -> None:
        """Drop every second record where there are too many; the last one stays."""
        if self.full:
            self.records = self.records[::-2][::-1]
        if len(self.probes) > KEEP:
            self.probes = self.probes[::-2][::-1]

    def _bound(self, size: Tensor, gradient_size: Tensor) -> Tensor:
        """|<grad h, g>| is at most this: 2 |P| |G| for the rows P and G of a quadratic law."""
        return torch.where(self.forms.linear, gradient_size, 2 * (size * gradient_size).sqrt())

    def _from_settings(self, settings: Mapping[str, Setting]) -> tuple[Tensor, Tensor]:
        """For each entry (1 - shrink)^degree, 1 where a law's parameters do not share one, and the largest rate."""
        told = []
        for law in self.forms.laws:
            moving = [settings[name] for name in law.parameters if settings[name].moves]
            shrinks = {setting.shrink for setting in moving}
            factor = (1 - shrinks.pop()) ** law.degree if len(shrinks) == 1 else 1.0
            told.append((factor, max((abs(setting.rate) for setting in moving), default=0.0)))
        if told != self._told[0]:
            factors, rates = (self.forms.spread(numbers) for numbers in zip(*told, strict=True))
            self._told = told, factors, rates
        return self._told[1:]

    def state_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and tensors, for ``torch.save``."""
        return {
            **{name: getattr(self, name) for name in self.SUMS},
            "observed": self.observed,
            "records": [
                {
                    "step": record.step,
                    "values": record.values,
                    "predicted": record.predicted,
                    "sample": record.sample.tensors(),
                    "settings": {name: _packed(setting) for name, setting in record.settings.items()},
                }
                for record in self.records
            ],
            "probes": [[probe.slopes, probe.bound, probe.heights] for probe in self.probes],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the books of another run."""
        device = self.forms.device
        for name in self.SUMS:
            setattr(self, name, state[name].to(device))
        self.observed = state["observed"]
        self.records = [
            Record(
                each["step"],
                each["values"].to(device),
                each["predicted"].to(device),
                Sample(**{name: tensor.to(device) for name, tensor in each["sample"].items()}),
                {name: _unpacked(setting) for name, setting in each["settings"].items()},
            )
            for each in state["records"]
        ]
        self.probes = [Probe(*(tensor.to(device) for tensor in each)) for each in state["probes"]]


def _both(mine: Tensor | None, other: Tensor | None, plus: Callable[[Tensor, Tensor], Tensor]) -> Tensor | None:
    return None if mine is None or other is None else plus(mine, other)


def _fitted_rate(sample: Sample) -> Tensor:
    """The c for which -c g is closest to the step."""
    step_gradient, gradient_gradient = sample.products[:, 0, 1].sum(), sample.products[:, 1, 1].sum()
    return torch.where(gradient_gradient > 0, -step_gradient / gradient_gradient, 0)


def _packed(setting: Setting) -> dict[str, Any]:
    return {**asdict(setting), "rule": setting.rule.name}


def _unpacked(setting: Mapping[str, Any]) -> Setting:
    return Setting(**{**setting, "rule": Rule[setting["rule"]]})
