"""What a picture of level sets holds: laws in floating point, levels, a box, and the flow whose curves are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.counting.count import LawCount
from clexact.flows.dynamics import as_flow, gradient_flow
from clexact.flows.flow import Flow
from clexact.laws.listing import LawList
from clexact.laws.logarithmic import Law
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.relations import GeneralLaws, general_laws
from clexact.laws.result import ConservationLaws
from clexact.plot.surfaces import Box, Floats, Smooth, curve, scattered, smooth, velocity
from clexact.programs.model import Model
from clexact.support.listed import listed
from clexact.symmetry.families import Family

DIMENSIONS = (2, 3)
LEVELS = (-1.0, 0.0, 1.0)
SAMPLES = 400  # points of the box at which the laws are looked at
MARGIN = 0.9  # curves start in a box smaller by this factor
LONG = 60  # characters of a law in LaTeX that is not written out

AnyLaw = Polynomial | Law
Level = tuple[float, ...]  # one number for each law


@dataclass(frozen=True)
class Scene:
    """Laws of the coordinates named, in a box, and the flow whose curves are drawn, if there is one."""

    names: tuple[str, ...]
    laws: tuple[Smooth, ...]
    written: tuple[str, ...]  # the laws as LaTeX
    box: Box
    flow: Flow | None
    curves: int  # on each level set
    seed: int
    given: tuple[Floats, ...]  # trajectories, (T, D)

    def lines(self, level: Level) -> list[Floats]:
        """The curves (T, D) of the flow that start on a level set, and the trajectories given."""
        if self.flow is None:
            return list(self.given)
        low, high = np.array(self.box).T
        middle, half = (low + high) / 2, MARGIN * (high - low) / 2
        smaller = tuple(zip((middle - half).tolist(), (middle + half).tolist(), strict=True))
        starts = scattered(self.laws, level, smaller, self.curves, self.seed)
        fields = [velocity(self.flow, start, self.box, self.seed + k) for k, start in enumerate(starts)]
        return [curve(field, start, self.box) for field, start in zip(fields, starts, strict=True)] + list(self.given)

    def occurs(self, level: Level) -> bool:
        """Whether a point of the box was found on a level set."""
        return len(scattered(self.laws, level, self.box, 1, self.seed)) > 0

    def equations(self, level: Level) -> list[str]:
        """Those of a level set, as LaTeX; long laws are called h."""
        names = [f"h_{n}" if len(level) > 1 else "h" for n in range(len(level))]
        texts = [text if len(text) <= LONG else name for text, name in zip(self.written, names, strict=True)]
        return [f"{text} = {c:g}" for text, c in zip(texts, level, strict=True)]


def read_scene(
    given: object, laws: object, degree: int, box: object, curves: int, trajectories: Sequence[Any], seed: int
) -> Scene:
    """The scene that the arguments of ``level_sets`` describe; TypeError or ValueError, as there."""
    flow, found = _read(given, laws, degree, seed)
    names = found[0].rest.variables if isinstance(found[0], Law) else found[0].variables
    D = len(names)
    _check_dimension(D)
    if len(found) >= D:
        raise ValueError(f"level sets of {len(found)} laws in {D} dimensions are points: choose fewer laws.")
    if isinstance(curves, bool) or not isinstance(curves, int) or curves < 0:
        raise ValueError(f"curves must be an integer of at least 0, not {curves!r}.")
    written = tuple(law.to_latex() for law in found)
    lines = tuple(_states(trajectory, D) for trajectory in trajectories)
    return Scene(names, tuple(map(smooth, found)), written, _box(box, D), flow, curves, seed, lines)


def _check_dimension(dimension: int) -> None:
    if dimension not in DIMENSIONS:
        raise ValueError(f"level sets are drawn in 2 or 3 dimensions, not in {dimension}.")


def _read(given: object, laws: object, degree: int, seed: int) -> tuple[Flow | None, list[AnyLaw]]:
    """The flow, if one is given, and its independent laws."""
    if isinstance(given, LawCount):
        polynomials = given.laws.polynomials() if laws is None else ()
        laws = [polynomials[n] for n in given.shown.laws] if laws is None else laws
        given = given.flow
    if isinstance(given, Model):
        given = gradient_flow(given)
    if isinstance(given, (Flow, VectorFields)):
        flow = as_flow(given)
        if flow.clocks:
            raise ValueError(f"the {flow.description} has the time among its coordinates: no level sets are drawn.")
        return flow, _found(flow, degree, seed) if laws is None else _listed(laws)
    if given is not None and laws is not None:
        raise TypeError(f"expected a Model, a flow or VectorFields beside laws, not {given!r}.")
    return None, _listed(given if laws is None else laws)


def _found(flow: Flow, degree: int, seed: int) -> list[AnyLaw]:
    """Independent laws: polynomials, or others where there are none."""
    _check_dimension(flow.dimension)
    known = polynomial_laws(flow, degree, seed=seed)
    found: list[AnyLaw] = [known[n] for n in known.independent]
    found = found or list(general_laws(flow, degree, seed=seed))
    if not found:
        raise ValueError(f"no law of degree at most {degree} is known for the {flow.description}: nothing to draw.")
    return found


def _listed(laws: object) -> list[AnyLaw]:
    """Laws as users give them: one, or several."""
    if isinstance(laws, (Polynomial, Law, Family)):
        laws = [laws]
    if isinstance(laws, LawList):
        laws = laws.polynomials()
    if isinstance(laws, ConservationLaws):
        laws = [laws[n] for n in laws.independent]
    if not isinstance(laws, (list, tuple, GeneralLaws)):
        raise TypeError(f"expected a Model, a flow, VectorFields, a LawCount or laws, not {laws!r}.")
    laws = [h for law in laws for h in (law.polynomials() if isinstance(law, Family) else [law])]
    for law in laws:
        if not isinstance(law, (Polynomial, Law)):
            raise TypeError(f"a law must be a Polynomial or a Law, not {law!r}.")
    if not len(laws):
        raise ValueError("there are no laws among those given: nothing to draw.")
    return list(laws)


def _box(box: object, dimension: int) -> Box:
    try:
        pairs = np.broadcast_to(np.asarray(box, dtype=float), (dimension, 2))
    except (TypeError, ValueError):
        raise ValueError(f"box must be (low, high), or {dimension} such pairs, not {box!r}.") from None
    if not np.isfinite(pairs).all() or not (pairs[:, 0] < pairs[:, 1]).all():
        raise ValueError(f"box must have low < high, not {box!r}.")
    return tuple((float(low), float(high)) for low, high in pairs)


def _states(trajectory: Any, dimension: int) -> Floats:
    states = np.asarray(getattr(trajectory, "states", trajectory), dtype=float)
    if states.ndim != 2 or states.shape[1] != dimension:
        raise ValueError(f"a trajectory must be an array of shape (T, {dimension}), not {states.shape}.")
    return states


def read_levels(scene: Scene, given: Sequence[float | Sequence[float]] | None) -> list[Level]:
    """The levels given, or those of ``default_levels``; ValueError for one of which no point is found in the box."""
    if given is None:
        return default_levels(scene)
    count = len(scene.laws)
    try:
        levels = [
            tuple(np.broadcast_to(np.asarray(level, dtype=float), (count,)).tolist())
            for level in listed(given, "levels must be a list")
        ]
    except (TypeError, ValueError):
        raise ValueError(f"levels must be a list of numbers, or of {count} numbers each, not {given!r}.") from None
    if not levels:
        raise ValueError("levels must hold at least one level.")
    for level in levels:
        if not scene.occurs(level):
            where = " and ".join(scene.equations(level))
            raise ValueError(f"no point of the box was found on the level set {where}.")
    return levels


def default_levels(scene: Scene) -> list[Level]:
    """-1, 0 and 1 where they occur; else rounded values of the laws at points where the first has its quartiles."""
    levels = [(level,) * len(scene.laws) for level in LEVELS]
    if all(map(scene.occurs, levels)):
        return levels
    low, high = np.array(scene.box).T
    points = low + (high - low) * np.random.default_rng(scene.seed).random((SAMPLES, len(scene.box)))
    with np.errstate(all="ignore"):
        values = np.stack([h.value(points) for h in scene.laws], axis=-1)
    values = values[np.isfinite(values).all(axis=-1)]
    if not len(values):
        raise ValueError("the laws are not defined in the box: choose another box.")
    ordered = values[np.argsort(values[:, 0])]
    chosen = ordered[[len(ordered) * k // 4 for k in (1, 2, 3)]]
    return [tuple(float(f"{c:.2g}") for c in level) for level in chosen]
