"""Why the laws of a training run drift: causes, each with the numbers that it rests on. Floating point throughout.

Gradient descent breaks a quadratic law at second order only, h(theta - eta g) = h(theta) + eta^2 h(g), since
<grad h, g> = 0. What drifts more has a cause in the gradient, which is not that of the loss, or in the step, which is
not -eta g.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clexact.torch.law import ModuleLaw
from clexact.torch.sample import BACKWARD, EIGHT, ELEVEN, GRADIENT, START, STEP
from clexact.torch.settings import Rule, Setting

Floats = NDArray[np.float64]

NOISE = 30  # relative error of a gradient, in units of rounding, that is put down to its computation
CANCELLED = 10  # the same where a gradient is small by cancellation, in units of rounding of the largest gradient
VISIBLE = 1e-3  # a part of the step, relative to the step, that is put down to the rule and not to rounding
SAME = 1e-4  # relative difference up to which two factors count as one
COARSE_UNIT = 1e-4  # rounding units above are those of types of 16 bits
ALIKE = 0.2  # relative difference up to which measured decays of parameters count as one
STUCK = 0.05  # of the entries with a gradient do not move where rounding matters
COARSE = 0.95  # of the entries of a gradient have few significant bits where it was computed in 16 bits
SHOWN = 3  # names in a sentence


class Cause(Enum):
    """What makes a law drift.

    Examples
    --------
    >>> print(Cause.WEIGHT_DECAY.value)
    weight decay
    """

    OPTIMIZER = "the optimizer"
    WEIGHT_DECAY = "weight decay"
    CLIPPING = "clipping"
    PRECISION = "mixed precision"
    GROUPS = "groups with different step sizes"
    FROZEN = "a frozen parameter"
    OTHER = "something else"


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

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a monitor saw: T steps, P parameters, C entries of laws, K steps whose slopes <grad h, g> were taken."""

    laws: tuple[ModuleLaw, ...]
    owner: NDArray[np.intp]  # (C,) the law of each entry
    parameters: tuple[str, ...]
    units: Floats  # (P,) rounding unit of each parameter's type
    optimizer: str  # class name, or empty
    count: int  # steps so far
    settings: Sequence[Mapping[str, Setting]]  # T of them
    products: Floats  # (T, P, 4, 4), see Sample
    top: Floats  # (T,)
    changed: Floats  # (T, P)
    clipped: Floats  # (T, P)
    nonzero: Floats  # (T, P)
    short: Floats  # (T, P, 2)
    stuck: Floats  # (T, P)
    start: Floats  # (C,) the laws at the start
    values: Floats  # (C,) and now
    factor: Floats  # (C,) the product of the (1 - shrink)^degree
    excess: Floats  # (C,) the drift less the one predicted
    length: Floats  # (C,) the drift that Cauchy and Schwarz allow at first order, summed over the steps
    noise: Floats  # (C,) the drift that one unit of rounding in the largest gradient entry could make at first order
    rounding: Floats  # (C,) the drift that rounding may make, evaluation included
    budget: Floats  # (C,) the same for the type of the parameters, every rounding in the same direction
    resolution: Floats  # (C,) rounding unit of the evaluation
    slopes: Floats  # (K, C) <grad h, g>
    bounds: Floats  # (K, C) |grad h| |g|, up to the factors of Cauchy and Schwarz
    heights: Floats  # (K, C) the laws at these steps

    def norm(self, vector: Floats) -> Floats:
        """The norm of each law's part of a vector (..., C): (..., laws)."""
        first = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return np.asarray(np.sqrt(np.add.reduceat(vector**2, first, axis=-1)))

    @cached_property
    def broken(self) -> list[int]:
        """The laws that drift more than predicted, beyond rounding and the error of gradients."""
        excess, allowed = self.norm(self.excess), self.norm(self.rounding)
        noise = self.norm(NOISE * self.resolution * self.length) + CANCELLED * self.norm(self.noise)
        return [law for law in range(len(self.laws)) if not excess[law] <= max(allowed[law], noise[law])]

    def touched(self, law: int) -> list[int]:
        """Numbers of the parameters of a law."""
        return [self.parameters.index(name) for name in self.laws[law].parameters]

    def setting(self, time: int, parameter: int) -> Setting:
        """The setting of a parameter at an observed step."""
        return self.settings[time][self.parameters[parameter]]

    def dot(self, left: int, right: int) -> Floats:
        """(T, P) inner products of two of the watched vectors."""
        found: Floats = self.products[:, :, left, right]
        return found

    @cached_property
    def fit(self) -> tuple[Floats, Floats, Floats]:
        """The best c and d, and |step + c g + d theta|^2 for them: (T, P)."""
        gg, tt, gt = self.dot(GRADIENT, GRADIENT), self.dot(START, START), self.dot(GRADIENT, START)
        sg, st = self.dot(STEP, GRADIENT), self.dot(STEP, START)
        det = gg * tt - gt**2
        free = det > 1e-12 * gg * tt
        c = np.where(free, _ratio(gt * st - tt * sg, det), -_ratio(sg, gg))
        d = np.where(free, _ratio(gt * sg - gg * st, det), 0.0)
        return c, d, np.maximum(self.dot(STEP, STEP) + c * sg + d * st, 0.0)

    @cached_property
    def off_rule(self) -> Floats:
        """(T, P) squared distance of the step from -rate g - shrink theta."""
        rate, shrink = (
            np.array([[getattr(setting[name], key) for name in self.parameters] for setting in self.settings])
            for key in ("rate", "shrink")
        )
        weights = np.stack([np.ones_like(rate), rate, shrink], axis=-1)
        squares = np.einsum("tpi,tpij,tpj->tp", weights, self.products[:, :, :3, :3], weights)
        return np.asarray(np.maximum(squares, 0.0))

    @cached_property
    def off_gradient(self) -> Floats:
        """(T, P) squared distance of the step from every combination of the gradient and the parameter."""
        return self.fit[2]

    @cached_property
    def rescaled(self) -> list[dict[int, float]]:
        """For each step, what each gradient was multiplied by after backward(); NaN where by no one number."""
        bb, gb, gg = (self.dot(*pair) for pair in ((BACKWARD, BACKWARD), (GRADIENT, BACKWARD), (GRADIENT, GRADIENT)))
        factor = _ratio(gb, bb)
        error = np.sqrt(np.maximum(gg - factor * gb, 0))
        factor = np.where(error <= (16 * self.units + 1e-6) * np.sqrt(gg), factor, np.nan)
        return [
            {int(p): float(row[p]) for p in np.flatnonzero(length > 0)} for row, length in zip(factor, bb, strict=True)
        ]

    def away(self, distance: Floats, parameters: Sequence[int]) -> tuple[float, bool]:
        """A distance relative to the step, over all steps and these parameters; whether it stands out of rounding."""
        each = np.nansum(distance[:, parameters], axis=0)
        steps = np.nansum(self.dot(STEP, STEP)[:, parameters], axis=0)
        noise = 16 * self.units[parameters] ** 2 * np.nansum(self.dot(START, START)[:, parameters], axis=0)
        seen = (each > noise) & (each > VISIBLE**2 * steps)
        return float(np.sqrt(_ratio(each.sum(), steps.sum()))), bool(seen.any())

    def slope(self, law: int) -> float:
        """|<grad h, g>| / (|grad h| |g|) of a law, over the steps where it was taken; NaN where it was not."""
        if not len(self.slopes):
            return float("nan")
        return float(_ratio(self.norm(self.slopes)[:, law].sum(), self.norm(self.bounds)[:, law].sum()))


class Seen(NamedTuple):
    """What speaks for a cause of the drift of one law; laws with the same cause and key are told together."""

    cause: Cause
    key: str
    said: str
    numbers: Mapping[str, float] = {}


def diagnose(evidence: Evidence) -> tuple[Finding, ...]:
    """The causes found, for laws that drift more than predicted or that weight decay shrinks."""
    groups: dict[tuple[Cause, str], dict[int, Seen]] = {}
    for law in evidence.broken:
        found = [seen for detect in DETECTORS if (seen := detect(evidence, law)) is not None]
        for seen in found or [_other(evidence, law)]:
            groups.setdefault((seen.cause, seen.key), {})[law] = seen
    return (*_weight_decay(evidence), *(_finding(evidence, seen) for seen in groups.values()))


def notes(evidence: Evidence) -> list[str]:
    """What was seen and breaks no law."""
    same = [_one_factor(row) for row in evidence.rescaled]
    factors = [factor for factor in same if factor is not None and abs(factor - 1) > SAME]
    if not factors or None in same:
        return []
    return [
        f"Between backward() and the step all gradients were multiplied by one factor, {_span(factors)}, in "
        f"{len(factors)} of {len(same)} steps seen (a clip of the global norm, or the scale of a GradScaler): "
        "this changes the step size alone and breaks no law."
    ]


def _optimizer(evidence: Evidence, law: int) -> Seen | None:
    parameters = evidence.touched(law)
    used = (settings[evidence.parameters[p]] for settings in evidence.settings for p in parameters)
    setting = next((setting for setting in used if not setting.plain), None)
    if setting is None:
        return None
    away, seen = evidence.away(evidence.off_gradient, parameters)
    if setting.rule is Rule.UNKNOWN and not seen:
        return None
    name = evidence.optimizer or "the optimizer"
    momentum = f" with momentum {setting.momentum:g}" if setting.momentum else ""
    told = f"{name}{momentum} steps along {setting.rule.value}"
    if setting.rule is Rule.UNKNOWN:
        told = f"{name} does not step along the gradient"
    measured = (
        f"the steps seen are {away:.2g} of their length away from every combination of gradient and parameter "
        "(gradient descent: 0, up to rounding)"
        if seen
        else "on the entries watched this does not stand out of rounding"
    )
    return Seen(Cause.OPTIMIZER, told, f"{told}; {measured}", {"away": away})


def _groups(evidence: Evidence, law: int) -> Seen | None:
    names = evidence.laws[law].parameters
    for time, each in enumerate(evidence.settings):
        settings = {name: each[name] for name in names if each[name].moves}
        if len({(setting.rate, setting.decay) for setting in settings.values()}) > 1:
            fitted = dict(zip(evidence.parameters, evidence.fit[0][time], strict=True))
            told = ", ".join(
                f"{name}: lr {setting.rate:g}, decay {setting.decay:g}, measured step -{fitted[name]:.4g} gradient"
                for name, setting in settings.items()
            )
            rates = {f"lr of {name}": setting.rate for name, setting in settings.items()}
            return Seen(Cause.GROUPS, "", f"its parameters have different settings ({told})", rates)
    return None


def _frozen(evidence: Evidence, law: int) -> Seen | None:
    moved = evidence.dot(STEP, STEP) > 0
    others = moved[:, evidence.touched(law)].any(axis=1)
    for parameter in evidence.touched(law):
        name = evidence.parameters[parameter]
        idle = np.array([not settings[name].moves for settings in evidence.settings], dtype=bool)
        if (still := idle & ~moved[:, parameter] & others).any():
            why = evidence.settings[int(np.flatnonzero(still)[-1])][name].why_not
            said = f"{name} did not move in {still.sum()} of {len(still)} steps seen, while others did: {why}"
            return Seen(Cause.FROZEN, why, said, {"steps": float(still.sum())})
    return None


def _clipping(evidence: Evidence, law: int) -> Seen | None:
    parameters = evidence.touched(law)
    factors = [{p: row[p] for p in parameters if p in row} for row in evidence.rescaled]
    times = [time for time, row in enumerate(factors) if _one_factor(row) is None]
    if not times:
        return None
    seen, last = f"in {len(times)} of {len(factors)} steps seen", factors[times[-1]]
    slope = {"slope": evidence.slope(law)}
    hits, changed = (int(each[times][:, parameters].sum()) for each in (evidence.clipped, evidence.changed))
    if hits > len(times) or 0 < hits == changed:  # a largest entry alone may be so by chance
        top = float(evidence.top[times[-1]])
        said = (
            f"gradients were clipped entry by entry {seen}: {hits} of the entries watched were cut, last to {top:.4g}"
        )
        return Seen(Cause.CLIPPING, "entries", said, {**slope, "bound": top, "entries": float(hits)})
    if any(np.isnan(value) for row in factors for value in row.values()):
        said = f"gradients were changed between backward() and the step {seen}, neither by a factor nor by a clip"
        return Seen(Cause.OTHER, "gradients", said, slope)
    named = {evidence.parameters[p]: value for p, value in last.items()}
    told = ", ".join(f"that of {name} by {value:.4g}" for name, value in named.items())
    numbers = {**slope, **{f"factor of {n}": value for n, value in named.items()}}
    if len(times) > 2 and all(_one_factor({t: factors[t].get(p, np.nan) for t in times}) is not None for p in last):
        said = f"gradients were rescaled after backward() {seen}, each by a factor that is always the same: {told}"
        return Seen(Cause.OTHER, "factors", said, numbers)
    said = f"gradients were rescaled each by its own factor after backward() {seen} (a clip of each norm), last {told}"
    return Seen(Cause.CLIPPING, "norms", said, numbers)


def _precision(evidence: Evidence, law: int) -> Seen | None:
    return _rounded_parameters(evidence, law) or _rounded_gradients(evidence, law)


def _rounded_parameters(evidence: Evidence, law: int) -> Seen | None:
    """Parameters of 16 bits, or steps too small for the bits that there are."""
    parameters = evidence.touched(law)
    stuck = _ratio(evidence.stuck.sum(0), evidence.nonzero.sum(0))  # (P,)
    budget = float(evidence.norm(evidence.budget)[law])
    explained = evidence.norm(evidence.excess)[law] <= budget
    for p in parameters:
        if evidence.units[p] > COARSE_UNIT or (explained and stuck[p] > STUCK and evidence.setting(-1, p).moves):
            said = (
                f"{evidence.parameters[p]} has {_digits(evidence.units[p])} significant bits: rounding may move it "
                f"by {budget:.2g} in all; {stuck[p]:.0%} of the entries watched do not move at a step, with a gradient"
            )
            return Seen(Cause.PRECISION, "parameters", said, {"budget": budget, "stuck": float(stuck[p])})
    return None


def _rounded_gradients(evidence: Evidence, law: int) -> Seen | None:
    """Gradients computed in 16 bits: in 32 bits, a number ends in that many zeros once in 2^13 or 2^16 times."""
    parameters = evidence.touched(law)
    share = _ratio(evidence.short.sum(0), evidence.nonzero.sum(0)[:, None])  # (P, 2)
    for column, bits, kind in ((EIGHT, 8, "bfloat16"), (ELEVEN, 11, "float16")):
        for p in parameters:
            if share[p, column] > COARSE:
                said = (
                    f"the gradient of {evidence.parameters[p]} was computed in {kind} (autocast): "
                    f"{share[p, column]:.0%} of its entries watched have at most {bits} significant bits"
                )
                return Seen(Cause.PRECISION, kind, said, {"slope": evidence.slope(law), "bits": float(bits)})
    return None


def _other(evidence: Evidence, law: int) -> Seen:
    if not np.isfinite(evidence.values[evidence.owner == law]).all():
        return Seen(Cause.OTHER, "diverged", "its parameters are no longer finite: the training diverged")
    away, seen = evidence.away(evidence.off_rule, evidence.touched(law))
    slope, noise = evidence.slope(law), NOISE * float(evidence.resolution[evidence.owner == law].max())
    if seen and evidence.optimizer and (shrink := _shrink(evidence, law)):
        said = f"each step also multiplies its parameters by {1 - shrink:.6g}, as measured, which no setting says"
        return Seen(Cause.WEIGHT_DECAY, "measured", said, {"shrink": shrink})
    if seen and evidence.optimizer:
        said = (
            f"its parameters were changed by more than the optimizer's step: {away:.2g} of the change is not that step"
        )
        return Seen(Cause.OTHER, "step", said, {"away": away})
    if not slope > noise:
        return Seen(Cause.OTHER, "", "no cause was seen in the settings, the steps or the gradients")
    if penalty := _penalty(evidence, law):
        said = f"the loss holds a penalty (lambda / 2) |theta|^2 with lambda = {penalty:.4g}, by its gradients"
        return Seen(Cause.OTHER, "penalty", said, {"slope": slope, "penalty": penalty})
    said = (
        "the gradient is not that of a loss that keeps it: another term in the loss, another use of the module, "
        "or arithmetic with few bits"
    )
    return Seen(Cause.OTHER, "loss", said, {"slope": slope})


DETECTORS: tuple[Callable[[Evidence, int], Seen | None], ...] = (_optimizer, _groups, _frozen, _clipping, _precision)


def _shrink(evidence: Evidence, law: int) -> float | None:
    """The mean d of a step -c g - d theta; None where the step is something else, or parameters differ in d."""
    parameters = evidence.touched(law)
    weights = np.nan_to_num(evidence.dot(START, START)[:, parameters])
    each = _ratio((evidence.fit[1][:, parameters] * weights).sum(0), weights.sum(0))
    shrink = float(_ratio(each @ weights.sum(0), weights.sum()))
    if (np.abs(each - shrink) > ALIKE * abs(shrink)).any():
        return None
    return None if evidence.away(evidence.off_gradient, parameters)[1] or shrink <= 0 else shrink


def _penalty(evidence: Evidence, law: int) -> float | None:
    """The lambda with <grad h, g> = lambda * degree * h at all steps where it was taken, to one part in twenty."""
    inside = evidence.owner == law
    slopes = evidence.slopes[:, inside].ravel()
    heights = evidence.laws[law].degree * evidence.heights[:, inside].ravel()
    penalty = float(_ratio(slopes @ heights, heights @ heights))
    close = np.linalg.norm(slopes - penalty * heights) < 0.05 * np.linalg.norm(slopes)
    return penalty if penalty > 0 and len(slopes) > 2 and close else None


def _weight_decay(evidence: Evidence) -> list[Finding]:
    cases: dict[tuple[float, float, int, bool], list[int]] = {}
    for number, law in enumerate(evidence.laws):
        settings = [evidence.settings[-1][name] for name in law.parameters] if evidence.settings else []
        if decayed := [setting for setting in settings if setting.moves and setting.decay]:
            key = (decayed[0].decay, decayed[0].shrink, law.degree, number in evidence.broken)
            cases.setdefault(key, []).append(number)
    return [_decayed(evidence, laws, *case) for case, laws in cases.items()]


def _decayed(evidence: Evidence, laws: Sequence[int], decay: float, shrink: float, degree: int, off: bool) -> Finding:
    names, told = _all_names(evidence, laws), _names(evidence, laws)
    if not shrink:
        said = (
            f"Weight decay {decay:g} acts on {told} through the optimizer's own rule: by no factor that can be stated."
        )
        return Finding(Cause.WEIGHT_DECAY, names, said, {"decay": decay})
    inside, factor = np.isin(evidence.owner, laws), (1 - shrink) ** degree
    total = float(np.mean(evidence.factor[inside]))
    excess = float(np.linalg.norm(evidence.excess[inside])) / (float(np.linalg.norm(evidence.start[inside])) or 1.0)
    said = (
        f"Weight decay {decay:g} shrinks {told}: by (1 - lr * decay){'^2' * (degree == 2)} = {factor:.8g} at a step "
        f"now, by {total:.4g} in {evidence.count} steps. With the second-order drift, the laws "
        f"{'differ from this' if off else 'agree with this'}: {excess:.1g} of their size at the start."
    )
    return Finding(
        Cause.WEIGHT_DECAY, names, said, {"decay": decay, "factor": factor, "total": total, "excess": excess}
    )


def _finding(evidence: Evidence, seen: Mapping[int, Seen]) -> Finding:
    """One finding for all laws with the same cause, with the numbers of the law that is furthest off."""
    excess = evidence.norm(evidence.excess)
    worst = max(seen, key=lambda law: float(excess[law]))
    cause, _, said, given = seen[worst]
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
    )


def _all_names(evidence: Evidence, laws: Sequence[int]) -> tuple[str, ...]:
    return tuple(evidence.laws[law].name for law in laws)


def _names(evidence: Evidence, laws: Sequence[int]) -> str:
    names = [f"'{name}'" for name in _all_names(evidence, laws)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _one_factor(factors: Mapping[int, float]) -> float | None:
    """The common factor, 1 where there is none to compare, None where they differ."""
    values = list(factors.values())
    if not values:
        return 1.0
    middle = sorted(values)[len(values) // 2]
    return middle if all(abs(value - middle) <= SAME * abs(middle) for value in values) else None


def _span(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:.4g}" if high - low <= SAME * abs(high) else f"{low:.4g} to {high:.4g}"


def _digits(unit: float) -> int:
    return 1 - round(float(np.log2(unit)))


def _ratio(above: Floats | float, below: Floats | float) -> Floats:
    """A quotient that is 0 where the denominator is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)
