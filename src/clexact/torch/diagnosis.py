"""Why the laws of a training run drift: causes, each with the numbers that it rests on. Floating point throughout.

Gradient descent breaks a quadratic law at second order only, h(theta - eta g) = h(theta) + eta^2 h(g), since
<grad h, g> = 0. What drifts more has a cause in the gradient, which is not that of the loss, or in the step, which is
not -eta g.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clexact.torch.causes import SAME, Cause, Seen, one_factor, seen_causes, span
from clexact.torch.evidence import Evidence
from clexact.torch.sample import GRADIENT

SHOWN = 3  # names in a sentence
DECAY = "This is what decay does; with decay 0 the laws stay."


@dataclass(frozen=True)
class Finding:
    """A cause, the laws it touches, a sentence, and the floating-point numbers that it rests on.

    Attributes
    ----------
    cause : Cause
        What makes them drift.
    laws : tuple of str
        Names of the laws.
    sentence : str
        What a user reads.
    numbers : mapping of str to float
        The measurements behind the sentence.
    advice : str
        What a person can do about it.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> from clexact.torch import LawMonitor
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> optimizer, x = torch.optim.Adam(net.parameters(), lr=0.1), torch.ones(4, 2)
    >>> monitor = LawMonitor.attach(net, optimizer, example_input=x)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (net(x) - 1).square().mean().backward()
    ...     optimizer.step()
    >>> [(found.cause.name, found.laws) for found in monitor.diagnose()]
    [('OPTIMIZER', ('0 -> 2',))]
    """

    cause: Cause
    laws: tuple[str, ...]
    sentence: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


def diagnose(evidence: Evidence) -> tuple[Finding, ...]:
    """The causes found, for laws that drift more than predicted or that weight decay shrinks."""
    groups: dict[tuple[Cause, str], dict[int, Seen]] = {}
    for law in evidence.broken:
        for seen in seen_causes(evidence, law):
            groups.setdefault((seen.cause, seen.key), {})[law] = seen
    return (*_weight_decay(evidence), *(_finding(evidence, seen) for seen in groups.values()))


def notes(evidence: Evidence) -> list[str]:
    """What was seen and breaks no law."""
    return [*_without_gradient(evidence), *_one_factor(evidence)]


def _without_gradient(evidence: Evidence) -> list[str]:
    gradients = np.nan_to_num(evidence.dot(GRADIENT, GRADIENT), nan=1.0)
    idle = int((gradients.sum(1) == 0).sum())
    if not idle:
        return []
    return [
        f"In {idle} of {len(gradients)} steps seen no gradient of the entries watched was other than 0: is backward() "
        "called before each step, on a loss that depends on the module?"
    ]


def _one_factor(evidence: Evidence) -> list[str]:
    same = [one_factor(row) for row in evidence.rescaled]
    factors = [factor for factor in same if factor is not None and abs(factor - 1) > SAME]
    if not factors or None in same:
        return []
    return [
        f"Between backward() and the step all gradients were multiplied by one factor, {span(factors)}, in "
        f"{len(factors)} of {len(same)} steps seen (a clip of the global norm, or the scale of a GradScaler): "
        "this changes the step size alone and breaks no law."
    ]


def _weight_decay(evidence: Evidence) -> list[Finding]:
    cases: dict[tuple[float, float, int, bool], list[int]] = {}
    for number, law in enumerate(evidence.laws):
        settings = [evidence.settings[-1][name] for name in law.parameters] if evidence.settings else []
        moving = [setting for setting in settings if setting.moves]
        alike = len({(setting.decay, setting.shrink) for setting in moving}) == 1 and len(moving) == len(settings)
        if alike and (decayed := [setting for setting in moving if setting.decay]):  # else it shrinks by no factor
            key = (decayed[0].decay, decayed[0].shrink, law.degree, number in evidence.broken)
            cases.setdefault(key, []).append(number)
    return [_decayed(evidence, laws, *case) for case, laws in cases.items()]


def _decayed(evidence: Evidence, laws: Sequence[int], decay: float, shrink: float, degree: int, off: bool) -> Finding:
    names, told = _all_names(evidence, laws), _names(evidence, laws)
    if not shrink:
        said = (
            f"Weight decay {decay:g} acts on {told} through the optimizer's own rule: by no factor that can be stated."
        )
        return Finding(Cause.WEIGHT_DECAY, names, said, {"decay": decay}, DECAY)
    inside, factor = np.isin(evidence.owner, laws), (1 - shrink) ** degree
    total = float(np.mean(evidence.factor[inside]))
    excess = float(np.linalg.norm(evidence.excess[inside])) / (float(np.linalg.norm(evidence.start[inside])) or 1.0)
    said = (
        f"Weight decay {decay:g} shrinks {told}: by (1 - lr * decay){'^2' * (degree == 2)} = {factor:.8g} at a step "
        f"now, by {total:.4g} in {evidence.count} steps. With the second-order drift, the laws "
        f"{'differ from this' if off else 'agree with this'}: {excess:.1g} of their size at the start."
    )
    return Finding(
        Cause.WEIGHT_DECAY, names, said, {"decay": decay, "factor": factor, "total": total, "excess": excess}, DECAY
    )


def _finding(evidence: Evidence, seen: Mapping[int, Seen]) -> Finding:
    """One finding for all laws with the same cause, with the numbers of the law that is furthest off."""
    excess = evidence.norm(evidence.excess)
    worst = max(seen, key=lambda law: float(excess[law]))
    cause, _, said, given, advice = seen[worst]
    drift = float(evidence.norm(evidence.values - evidence.start)[worst])
    numbers = {**given, "drift": drift, "excess": float(excess[worst])}
    slope = f"; <grad h, g> is {given['slope']:.2g} of |grad h| |g|" if given.get("slope", 0) > 0 else ""
    which = "" if len(seen) == 1 else f"for '{evidence.laws[worst].name}', "
    more = f"at the steps observed, {excess[worst]:.2g} more than predicted"
    return Finding(
        cause,
        _all_names(evidence, sorted(seen)),
        f"Broken by {cause.value}: {_names(evidence, sorted(seen))}: {which}{said}{slope}. Drift {drift:.2g}; {more}.",
        numbers,
        advice,
    )


def _all_names(evidence: Evidence, laws: Sequence[int]) -> tuple[str, ...]:
    return tuple(evidence.laws[law].name for law in laws)


def _names(evidence: Evidence, laws: Sequence[int]) -> str:
    names = [f"'{name}'" for name in _all_names(evidence, laws)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
