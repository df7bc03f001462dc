"""The causes of the drift of one law, each seen in the settings, the steps or the gradients. Floating point throughout.

What speaks for a cause also says what a person can do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from clexact.torch.evidence import NOISE, Evidence, ratio
from clexact.torch.sample import EIGHT, ELEVEN, START, STEP
from clexact.torch.settings import Rule

SAME = 1e-4  # relative difference up to which two factors count as one
COARSE_UNIT = 1e-4  # rounding units above are those of types of 16 bits
ALIKE = 0.2  # relative difference up to which measured decays of parameters count as one
STUCK = 0.05  # of the entries with a gradient do not move where rounding matters
MOVED = 8  # units of rounding by which a parameter may come back to where it was
ENOUGH = 3  # numbers of a law that no accident puts in proportion to their slopes
COARSE = 0.95  # of the entries of a gradient have few significant bits where it was computed in 16 bits


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
    ELSEWHERE = "a gradient taken at other weights"
    NEARLY = "the eps of a normalisation"
    OTHER = "something else"


BACK = "clexact.torch.balance puts the laws of rescalings back without a change of the function."
ADVICE = {
    Rule.MOMENTUM: f"Momentum 0 keeps them; with momentum a smaller learning rate makes the drift smaller. {BACK}",
    Rule.ADAPTIVE: f"SGD keeps them; a smaller learning rate does not help. {BACK}",
    Rule.ORTHOGONAL: (
        "Where the singular vectors of the two factors of a matrix law P P^T - Q Q^T and those of their gradients are "
        "aligned, the differences of the singular values of P and Q are kept instead, so sqrt(P P^T) - sqrt(Q Q^T), as "
        f"far as the steps are orthogonal and of one size (arXiv 2606.30509). {BACK}"
    ),
    Rule.UNKNOWN: f"SGD without momentum keeps them. {BACK}",
}


class Seen(NamedTuple):
    """What speaks for a cause of the drift of one law; laws with the same cause and key are told together."""

    cause: Cause
    key: str
    said: str
    numbers: Mapping[str, float] = {}
    advice: str = ""


def seen_causes(evidence: Evidence, law: int) -> list[Seen]:
    """All that was seen of one law, or that nothing was."""
    return [seen for detect in DETECTORS if (seen := detect(evidence, law)) is not None] or [_other(evidence, law)]


def _optimizer(evidence: Evidence, law: int) -> Seen | None:
    parameters = evidence.touched(law)
    used = (settings[evidence.parameters[p]] for settings in evidence.settings for p in parameters)
    setting = next((setting for setting in used if not setting.plain), None)
    if setting is None:
        return None
    away, seen = evidence.away(evidence.off_gradient, parameters)
    if setting.rule is Rule.UNKNOWN and not seen:
        return None
    name = setting.name or "the optimizer"
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
    return Seen(Cause.OPTIMIZER, told, f"{told}; {measured}", {"away": away}, ADVICE[setting.rule])


def _elsewhere(evidence: Evidence, law: int) -> Seen | None:
    """Where backward() saw other parameters than the optimizer finds: not the same up to coming back with rounding."""
    parameters = evidence.touched(law)
    away = np.nan_to_num(evidence.elsewhere[:, parameters])
    size = np.nan_to_num(evidence.dot(START, START)[:, parameters])
    moved = np.flatnonzero((away > (MOVED * evidence.units[parameters]) ** 2 * size).any(axis=1))
    if not len(moved):
        return None
    distance = float(np.sqrt(ratio(away[moved].sum(), size[moved].sum())))
    said = (
        f"in {len(moved)} of {len(away)} steps seen the gradient was taken {distance:.2g} of their length away from "
        "the weights that the optimizer moves (SAM, or weights changed after backward()): it keeps the law there to "
        "first order, not here"
    )
    advice = (
        "The drift falls with this distance (rho of SAM) and with the learning rate; linear laws are kept. If this is "
        "not meant, let nothing change the weights between backward() and the step."
    )
    slope = {"slope": evidence.slope(law)} if len(evidence.slopes) else {}
    return Seen(Cause.ELSEWHERE, "", said, {"distance": distance, **slope}, advice)


def _groups(evidence: Evidence, law: int) -> Seen | None:
    names = evidence.laws[law].parameters
    for time, each in enumerate(evidence.settings):
        settings = {name: each[name] for name in names if each[name].moves}
        if len({(setting.rate, setting.decay, setting.name) for setting in settings.values()}) > 1:
            fitted = dict(zip(evidence.parameters, evidence.fit[0][time], strict=True))
            told = ", ".join(
                f"{name}: {setting.name} lr {setting.rate:g}, decay {setting.decay:g}, "
                f"measured step -{fitted[name]:.4g} gradient"
                for name, setting in settings.items()
            )
            rates = {f"lr of {name}": setting.rate for name, setting in settings.items()}
            some = len({setting.decay for setting in settings.values()}) > 1
            factor = "; as weight decay is not the same for all of them, the law shrinks by no factor" if some else ""
            advice = "Give all parameters of a law one learning rate and one weight decay to keep it."
            return Seen(Cause.GROUPS, "", f"its parameters have different settings ({told}){factor}", rates, advice)
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
            advice = "Train all parameters of a law or none, to keep it: what is left of it is no law of the others."
            return Seen(Cause.FROZEN, why, said, {"steps": float(still.sum())}, advice)
    return None


def _clipping(evidence: Evidence, law: int) -> Seen | None:
    parameters = evidence.touched(law)
    factors = [{p: row[p] for p in parameters if p in row} for row in evidence.rescaled]
    times = [time for time, row in enumerate(factors) if one_factor(row) is None]
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
        return Seen(Cause.CLIPPING, "entries", said, {**slope, "bound": top, "entries": float(hits)}, CLIP)
    if any(np.isnan(value) for row in factors for value in row.values()):
        said = f"gradients were changed between backward() and the step {seen}, neither by a factor nor by a clip"
        advice = "Find what changes gradients after backward(): hooks, clips, noise, a reduction over processes."
        return Seen(Cause.OTHER, "gradients", said, slope, advice)
    named = {evidence.parameters[p]: value for p, value in last.items()}
    told = ", ".join(f"that of {name} by {value:.4g}" for name, value in named.items())
    numbers = {**slope, **{f"factor of {n}": value for n, value in named.items()}}
    if len(times) > 2 and all(one_factor({t: factors[t].get(p, np.nan) for t in times}) is not None for p in last):
        said = f"gradients were rescaled after backward() {seen}, each by a factor that is always the same: {told}"
        advice = "Give all parameters of a law one factor: what differs acts as learning rates that differ."
        return Seen(Cause.OTHER, "factors", said, numbers, advice)
    said = f"gradients were rescaled each by its own factor after backward() {seen} (a clip of each norm), last {told}"
    return Seen(Cause.CLIPPING, "norms", said, numbers, CLIP)


CLIP = (
    "Clip the norm of all gradients together (torch.nn.utils.clip_grad_norm_ with all parameters): one factor changes "
    "the step size alone."
)


def _precision(evidence: Evidence, law: int) -> Seen | None:
    return _rounded_parameters(evidence, law) or _rounded_gradients(evidence, law)


def _rounded_parameters(evidence: Evidence, law: int) -> Seen | None:
    """Parameters of 16 bits, or steps too small for the bits that there are."""
    parameters = evidence.touched(law)
    stuck = ratio(evidence.stuck.sum(0), evidence.nonzero.sum(0))  # (P,)
    budget = float(evidence.norm(evidence.budget)[law])
    explained = evidence.norm(evidence.excess)[law] <= budget
    for p in parameters:
        if evidence.units[p] > COARSE_UNIT or (explained and stuck[p] > STUCK and evidence.setting(-1, p).moves):
            said = (
                f"{evidence.parameters[p]} has {_digits(evidence.units[p])} significant bits: rounding may move it "
                f"by {budget:.2g} in all; {stuck[p]:.0%} of the entries watched do not move at a step, with a gradient"
            )
            advice = "Keep a copy of the parameters with more bits for the optimizer to move, or take larger steps."
            return Seen(Cause.PRECISION, "parameters", said, {"budget": budget, "stuck": float(stuck[p])}, advice)
    return None


def _rounded_gradients(evidence: Evidence, law: int) -> Seen | None:
    """Gradients computed in 16 bits: in 32 bits, a number ends in that many zeros once in 2^13 or 2^16 times."""
    parameters = evidence.touched(law)
    share = ratio(evidence.short.sum(0), evidence.nonzero.sum(0)[:, None])  # (P, 2)
    for column, bits, kind in ((EIGHT, 8, "bfloat16"), (ELEVEN, 11, "float16")):
        for p in parameters:
            if share[p, column] > COARSE:
                said = (
                    f"the gradient of {evidence.parameters[p]} was computed in {kind} (autocast): "
                    f"{share[p, column]:.0%} of its entries watched have at most {bits} significant bits"
                )
                advice = "Leave it, if the drift is small enough; without autocast the law is kept."
                return Seen(Cause.PRECISION, kind, said, {"slope": evidence.slope(law), "bits": float(bits)}, advice)
    return None


def _other(evidence: Evidence, law: int) -> Seen:
    """What no setting says."""
    if not np.isfinite(evidence.values[evidence.owner == law]).all():
        advice = "Take a smaller learning rate, or clip the norm of all gradients together."
        return Seen(Cause.OTHER, "diverged", "its parameters are no longer finite: the training diverged", {}, advice)
    if (name := _strange(evidence, law)) is not None:
        said = f"{name} is not among the optimizer's parameters, and yet it moves: by another optimizer?"
        return Seen(Cause.OTHER, "another", said, {}, "Give the monitor all: LawMonitor(module, [first, second], ...).")
    away, seen = evidence.away(evidence.off_rule, evidence.touched(law))
    if seen and evidence.optimizer and (shrink := _shrink(evidence, law)):
        said = f"each step also multiplies its parameters by {1 - shrink:.6g}, as measured, which no setting says"
        advice = "Leave it to the optimizer's weight_decay: then the factor of the law is known."
        return Seen(Cause.WEIGHT_DECAY, "measured", said, {"shrink": shrink}, advice)
    if seen and evidence.optimizer:
        said = (
            f"its parameters were changed by more than the optimizer's step: {away:.2g} of the change is not that step"
        )
        advice = "Find what writes into them: a constraint on weights, an average swapped in, another optimizer."
        return Seen(Cause.OTHER, "step", said, {"away": away}, advice)
    return _loss(evidence, law)


def _loss(evidence: Evidence, law: int) -> Seen:
    """What is seen in the gradient alone."""
    slope, noise = evidence.slope(law), NOISE * float(evidence.resolution[evidence.owner == law].max())
    if evidence.laws[law].name in evidence.nearly:
        said = "it is a law only up to the small constant eps of a normalisation"
        advice = "Nothing is wrong with the training: the drift falls with eps over the variance that it is added to."
        return Seen(Cause.NEARLY, "", said, {"slope": slope}, advice)
    if evidence.carried:
        said = (
            f"backward() added to gradients left from the step before, in {evidence.carried} of {evidence.count} "
            "steps: a sum of gradients at other weights is not the gradient here"
        )
        advice = "Call optimizer.zero_grad() once for each step, before its first backward()."
        numbers = {"carried": float(evidence.carried)} | ({"slope": slope} if np.isfinite(slope) else {})
        return Seen(Cause.OTHER, "carried", said, numbers, advice)
    if not slope > noise:
        advice = "Compare with SGD without momentum in float64, each step watched (every=1)."
        if not evidence.optimizer:
            advice = "Give the monitor the optimizer: then it sees the settings, and gradients before the step."
        return Seen(Cause.OTHER, "", "no cause was seen in the settings, the steps or the gradients", {}, advice)
    if penalty := _penalty(evidence, law):
        said = f"the loss holds a penalty (lambda / 2) |theta|^2 with lambda = {penalty:.4g}, by its gradients"
        advice = "Give this lambda to the optimizer as weight_decay: then the factor of the law is known."
        return Seen(Cause.OTHER, "penalty", said, {"slope": slope, "penalty": penalty}, advice)
    said = (
        "the gradient is not that of a loss that keeps it: another term in the loss, another use of the module, "
        "or arithmetic with few bits"
    )
    advice = "Compare with a loss of the module's outputs alone, in float32, gradients set to zero before each."
    return Seen(Cause.OTHER, "loss", said, {"slope": slope}, advice)


def _strange(evidence: Evidence, law: int) -> str | None:
    """A parameter that moves though it is not the optimizer's."""
    for parameter in evidence.touched(law):
        name = evidence.parameters[parameter]
        for time, settings in enumerate(evidence.settings):
            if settings[name].why_not.startswith("it is not among") and evidence.dot(STEP, STEP)[time, parameter] > 0:
                return name
    return None


DETECTORS: tuple[Callable[[Evidence, int], Seen | None], ...] = (
    _optimizer, _elsewhere, _groups, _frozen, _clipping, _precision,
)  # fmt: skip


def _shrink(evidence: Evidence, law: int) -> float | None:
    """The mean d of a step -c g - d theta; None where the step is something else, or parameters differ in d."""
    parameters = evidence.touched(law)
    weights = np.nan_to_num(evidence.dot(START, START)[:, parameters])
    each = ratio((evidence.fit[1][:, parameters] * weights).sum(0), weights.sum(0))
    shrink = float(ratio(each @ weights.sum(0), weights.sum()))
    if (np.abs(each - shrink) > ALIKE * abs(shrink)).any():
        return None
    return None if evidence.away(evidence.off_gradient, parameters)[1] or shrink <= 0 else shrink


def _penalty(evidence: Evidence, law: int) -> float | None:
    """The lambda of a penalty that explains the slopes: by this law, or by another one where it has too few numbers.

    One number that hardly moves is in proportion to anything that hardly changes: it alone shows no penalty.
    """
    penalty = _proportion(evidence, law)
    if penalty is None or int((evidence.owner == law).sum()) >= ENOUGH:
        return penalty
    others = [_proportion(evidence, other) for other in evidence.broken if (evidence.owner == other).sum() >= ENOUGH]
    return penalty if any(other is not None and abs(other - penalty) < 0.05 * penalty for other in others) else None


def _proportion(evidence: Evidence, law: int) -> float | None:
    """The lambda with <grad h, g> = lambda * degree * h at all steps where it was taken, to one part in twenty."""
    inside = evidence.owner == law
    slopes = evidence.slopes[:, inside].ravel()
    heights = evidence.laws[law].degree * evidence.heights[:, inside].ravel()
    penalty = float(ratio(slopes @ heights, heights @ heights))
    close = np.linalg.norm(slopes - penalty * heights) < 0.05 * np.linalg.norm(slopes)
    return penalty if penalty > 0 and len(slopes) > 2 and close else None


def one_factor(factors: Mapping[int, float]) -> float | None:
    """The common factor, 1 where there is none to compare, None where they differ."""
    values = list(factors.values())
    if not values:
        return 1.0
    middle = sorted(values)[len(values) // 2]
    return middle if all(abs(value - middle) <= SAME * abs(middle) for value in values) else None


def span(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:.4g}" if high - low <= SAME * abs(high) else f"{low:.4g} to {high:.4g}"


def _digits(unit: float) -> int:
    return 1 - round(float(np.log2(unit)))
