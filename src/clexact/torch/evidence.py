"""All numbers that a diagnosis rests on, as a monitor saw them. Floating point throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clexact.torch.law import ModuleLaw
from clexact.torch.sample import BACKWARD, GRADIENT, START, STEP
from clexact.torch.settings import Setting

Floats = NDArray[np.float64]

NOISE = 30  # relative error of a gradient, in units of rounding, that is put down to its computation
CANCELLED = 10  # the same where a gradient is small by cancellation, in units of rounding of the largest gradient
VISIBLE = 1e-3  # a part of the step, relative to the step, that is put down to the rule and not to rounding


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a monitor saw: T steps, P parameters, C entries of laws, K steps whose slopes <grad h, g> were taken."""

    laws: tuple[ModuleLaw, ...]
    owner: NDArray[np.intp]  # (C,) the law of each entry
    parameters: tuple[str, ...]
    units: Floats  # (P,) rounding unit of each parameter's type
    optimizer: str  # class names, or empty
    count: int  # steps so far
    settings: Sequence[Mapping[str, Setting]]  # T of them
    products: Floats  # (T, P, 4, 4), see Sample
    top: Floats  # (T,)
    changed: Floats  # (T, P)
    clipped: Floats  # (T, P)
    nonzero: Floats  # (T, P)
    short: Floats  # (T, P, 2)
    stuck: Floats  # (T, P)
    elsewhere: Floats  # (T, P)
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
    nearly: frozenset[str] = frozenset()  # laws that hold but for an eps
    carried: int = 0  # steps whose backward() added to gradients left from the step before

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
        c = np.where(free, ratio(gt * st - tt * sg, det), -ratio(sg, gg))
        d = np.where(free, ratio(gt * sg - gg * st, det), 0.0)
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
        factor = ratio(gb, bb)
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
        return float(np.sqrt(ratio(each.sum(), steps.sum()))), bool(seen.any())

    def slope(self, law: int) -> float:
        """|<grad h, g>| / (|grad h| |g|) of a law, over the steps where it was taken; NaN where it was not."""
        if not len(self.slopes):
            return float("nan")
        return float(ratio(self.norm(self.slopes)[:, law].sum(), self.norm(self.bounds)[:, law].sum()))


def ratio(above: Floats | float, below: Floats | float) -> Floats:
    """A quotient that is 0 where the denominator is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)
