"""``level_sets``: curves of a flow stay on the level sets of its laws, in 2 and in 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from clexact.certify import LawCount
from clexact.dynamics import gradient_flow
from clexact.fields import VectorFields
from clexact.flow import Flow, as_flow
from clexact.forms import Law
from clexact.laws import ConservationLaws, polynomial_laws
from clexact.model import Model
from clexact.palette import BLUE, GREEN, ORANGE
from clexact.plot.figures import compose
from clexact.plot.surfaces import Box, Floats, Smooth, curve, hidden, scattered, slices, smooth, surface, velocity
from clexact.polynomial import Polynomial, latex_name
from clexact.relations import GeneralLaws, general_laws

LEVELS = (-1.0, 0.0, 1.0)
BOX = (-2.0, 2.0)
CURVES = 4  # on each level set
GRID = 240  # points along each axis, for level sets in the plane
SLICES = 9  # of a surface, drawn as thin lines
MARGIN = 0.9  # curves start in a box smaller by this factor
ELEVATION, AZIMUTH = 18.0, -58.0  # degrees
EYE = np.array(
    [
        np.cos(np.radians(ELEVATION)) * np.cos(np.radians(AZIMUTH)),
        np.cos(np.radians(ELEVATION)) * np.sin(np.radians(AZIMUTH)),
        np.sin(np.radians(ELEVATION)),
    ]
)
LIGHT = np.array([0.8, -0.1, 0.6])
COLORS = (BLUE, GREEN)  # of surfaces
WIDTH, FLAT_HEIGHT, SPACE_HEIGHT, SINGLE = 5.5, 2.7, 2.0, 2.9  # inches


def level_sets(
    flow: object = None,
    levels: Sequence[float | Sequence[float]] | None = None,
    *,
    laws: object = None,
    degree: int = 2,
    box: Sequence[Any] = BOX,
    curves: int = CURVES,
    trajectories: Sequence[Any] = (),
    seed: int = 0,
    ax: Any = None,
) -> Any:
    r"""Draw level sets of conservation laws, with curves of the flow on them, in 2 or 3 dimensions.

    ``flow``: a ``Model`` (its gradient flow), a gradient or mirror flow, ``VectorFields``, a ``LawCount``, or laws
    alone (``Polynomial``, ``Law``, ``ConservationLaws`` or a list). Default: the talk's example, (u v1, u v2), with the
    law v1^2 + v2^2 - u^2. ``laws`` replaces those found up to ``degree`` by ``polynomial_laws`` (or, where there are
    none, by ``general_laws``). There may be D - 1 independent ones.

    In the plane, one panel has all ``levels``; in space, each has a panel of its own, with one surface for each law. A
    level is a number for all laws or one number for each law; default -1, 0 and 1 if these occur in the ``box``, (low,
    high) for all coordinates or a pair for each.

    On each level set start ``curves`` curves, far from each other. For a model, each has other data: $\theta' =
    -\nabla |\varphi(\theta) - y|^2 / 2$ with its own target y; for explicit fields, each is that of a random
    combination of them (``surfaces.velocity``). ``trajectories`` are drawn too: arrays of states (T, D), or objects
    with such ``states``.

    A picture, computed in floating point: it illustrates, and proves nothing. Surfaces are unions of triangles with
    corners on the level set (marching tetrahedra, then Newton steps); curves are integrated to 1e-11, and are dotted
    where they are behind a surface.

    Returns a matplotlib Figure, or ``ax`` if given: one Axes for each panel, made with ``projection="3d"`` in space.
    Raises TypeError or ValueError for what cannot be drawn: another dimension, a flow with a clock, no law.
    """
    scene = _scene(_example() if flow is None and laws is None else flow, laws, degree, box, curves, seed)
    scene = replace(scene, given=tuple(_states(t, len(scene.box)) for t in trajectories))
    chosen = _levels(scene, levels)
    if len(scene.box) == 2:
        return compose(partial(_flat, scene), {scene.title: chosen}, ax, SINGLE, FLAT_HEIGHT)
    parts = {_said(scene, level): [level] for level in chosen}
    width = WIDTH if len(parts) > 1 else SINGLE
    return compose(
        partial(_space, scene),
        parts,
        ax,
        width,
        SPACE_HEIGHT if len(parts) > 1 else FLAT_HEIGHT,
        subplot_kw={"projection": "3d", "computed_zorder": False},
    )


@dataclass(frozen=True)
class Scene:
    """What is drawn: laws with their names, in a box, and the flow whose curves are drawn, if there is one."""

    names: tuple[str, ...]  # of the coordinates
    laws: tuple[Smooth, ...]
    written: tuple[str, ...]  # the laws as LaTeX
    box: Box
    flow: Flow | None
    curves: int
    seed: int
    given: tuple[Floats, ...] = ()

    @property
    def title(self) -> str:
        """The laws, where they are short."""
        return ", ".join(
            f"$h{_number(n, self.laws)} = {text}$" for n, text in enumerate(self.written) if len(text) < 60
        )

    def starts(self, level: Sequence[float]) -> Floats:
        """Points of a level set from which curves start."""
        low, high = np.array(self.box).T
        middle, half = (low + high) / 2, MARGIN * (high - low) / 2
        smaller = tuple(zip((middle - half).tolist(), (middle + half).tolist(), strict=True))
        return scattered(self.laws, level, smaller, self.curves, self.seed)

    def lines(self, level: Sequence[float]) -> list[Floats]:
        """The curves that start on a level set."""
        if self.flow is None:
            return []
        return [
            curve(velocity(self.flow, start, self.box, self.seed + k), start, self.box)
            for k, start in enumerate(self.starts(level))
        ]


def _example() -> Model:
    return Model(
        parameters={"v1": (), "v2": (), "u": ()},
        probes={"x1": (), "x2": ()},
        output=lambda v1, v2, u, x1, x2: u * (v1 * x1 + v2 * x2),
        name="u (v1 x1 + v2 x2)",
    )


# --- what is given ---------------------------------------------------------------------------------------------------


def _scene(given: object, laws: object, degree: int, box: Sequence[Any], curves: int, seed: int) -> Scene:
    flow, found = _read(given, laws, degree, seed)
    names = found[0].rest.variables if isinstance(found[0], Law) else found[0].variables
    if len(names) not in (2, 3):
        raise ValueError(f"level sets are drawn in 2 or 3 dimensions, not in {len(names)}.")
    if len(found) >= len(names):
        raise ValueError(f"level sets of {len(found)} laws in {len(names)} dimensions are points: choose fewer laws.")
    if isinstance(curves, bool) or not isinstance(curves, int) or curves < 0:
        raise ValueError(f"curves must be an integer of at least 0, not {curves!r}.")
    written = tuple(law.to_latex() for law in found)
    return Scene(names, tuple(map(smooth, found)), written, _box(box, len(names)), flow, curves, seed)


def _read(given: object, laws: object, degree: int, seed: int) -> tuple[Flow | None, list[Polynomial | Law]]:
    """The flow, if one is given, and its independent laws."""
    if isinstance(given, LawCount):
        laws = laws if laws is not None else [given.laws[n] for n in given.shown.laws]
        given = given.flow
    if isinstance(given, Model):
        given = gradient_flow(given)
    if not isinstance(given, (Flow, VectorFields)):
        if given is not None and laws is not None:
            raise TypeError(f"expected a Model, a Flow or VectorFields beside laws, not {given!r}.")
        return None, _listed(given if laws is None else laws)
    flow = as_flow(given)
    if flow.clocks:
        raise ValueError(f"the laws of the {flow.description} depend on the time: their level sets move.")
    return flow, _found(flow, degree, seed) if laws is None else _listed(laws)


def _found(flow: Flow, degree: int, seed: int) -> list[Polynomial | Law]:
    if flow.dimension not in (2, 3):
        raise ValueError(f"level sets are drawn in 2 or 3 dimensions, not in {flow.dimension}.")
    known = polynomial_laws(flow, degree, seed=seed)
    found: list[Polynomial | Law] = [known[n] for n in known.independent]
    found = found or list(general_laws(flow, degree, seed=seed))
    if not found:
        raise ValueError(f"no law of degree at most {degree} is known for the {flow.description}: nothing to draw.")
    return found


def _listed(laws: object) -> list[Polynomial | Law]:
    if isinstance(laws, ConservationLaws):
        return [laws[n] for n in laws.independent] or _no_laws()
    listed = (
        [laws]
        if isinstance(laws, (Polynomial, Law))
        else list(laws)
        if isinstance(laws, (list, tuple, GeneralLaws))
        else []
    )
    if not listed:
        return _no_laws() if isinstance(laws, (list, tuple)) else _no_laws(laws)
    if wrong := [law for law in listed if not isinstance(law, (Polynomial, Law))]:
        raise TypeError(f"a law must be a Polynomial or a Law, not {wrong[0]!r}.")
    return listed


def _no_laws(*given: object) -> list[Polynomial | Law]:
    if given:
        raise TypeError(f"expected a Model, a flow, VectorFields, a LawCount or laws, not {given[0]!r}.")
    raise ValueError("there are no laws among those given: nothing to draw.")


def _box(box: Sequence[Any], dimension: int) -> Box:
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


# --- levels ----------------------------------------------------------------------------------------------------------


def _levels(scene: Scene, given: Sequence[float | Sequence[float]] | None) -> list[tuple[float, ...]]:
    """One number for each law, for each level."""
    count = len(scene.laws)
    if given is None:
        return _default_levels(scene)
    try:
        levels = [tuple(np.broadcast_to(np.asarray(level, dtype=float), (count,)).tolist()) for level in given]
    except (TypeError, ValueError):
        raise ValueError(f"levels must be a list of numbers, or of {count} numbers each, not {given!r}.") from None
    for level in levels:
        if not len(scene.starts(level)):
            raise ValueError(f"the level set {_said(scene, level)} has no point in the box, or none was found.")
    if not levels:
        raise ValueError("levels must hold at least one level.")
    return levels


def _default_levels(scene: Scene) -> list[tuple[float, ...]]:
    """-1, 0 and 1 where they occur; else rounded values of the laws at points where the first has its quartiles."""
    levels = [(level,) * len(scene.laws) for level in LEVELS]
    if all(len(scene.starts(level)) for level in levels):
        return levels
    low, high = np.array(scene.box).T
    points = low + (high - low) * np.random.default_rng(scene.seed).random((400, len(scene.box)))
    with np.errstate(all="ignore"):
        values = np.stack([h.value(points) for h in scene.laws], axis=-1)
    values = values[np.isfinite(values).all(axis=-1)]
    if not len(values):
        raise ValueError("the laws are not defined in the box: choose another box.")
    ordered = values[np.argsort(values[:, 0])]
    chosen = ordered[[len(ordered) // 4, len(ordered) // 2, 3 * len(ordered) // 4]]
    return [tuple(float(f"{c:.2g}") for c in level) for level in chosen]


def _number(n: int, laws: Sequence[object]) -> str:
    """The subscript of a law, none where it is alone."""
    return f"_{n + 1}" if len(laws) > 1 else ""


def _said(scene: Scene, level: Sequence[float]) -> str:
    return ", ".join(f"$h{_number(n, scene.laws)} = {c:g}$" for n, c in enumerate(level))


# --- drawing ---------------------------------------------------------------------------------------------------------


def _flat(scene: Scene, axes: Any, title: str, levels: Sequence[Sequence[float]]) -> None:
    x, y = (np.linspace(low, high, GRID) for low, high in scene.box)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    with np.errstate(all="ignore"):
        heights = np.ma.masked_invalid(scene.laws[0].value(points))
    numbers = sorted(level[0] for level in levels)
    lines = axes.contour(x, y, heights, numbers, colors=BLUE, linewidths=0.9, linestyles="-")
    drawn = [line for level in levels for line in scene.lines(level)] + list(scene.given)
    for line in drawn:
        _draw_line(axes, line.T)
    places = [_free_place(np.vstack(segments), drawn, scene.box) for segments in lines.allsegs if segments]
    for text in axes.clabel(lines, fmt="%g", fontsize=6, manual=places, inline_spacing=2):
        text.set(zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set(xlabel=_label(scene.names[0]), ylabel=_label(scene.names[1]), title=title, aspect="equal")
    axes.set(xlim=scene.box[0], ylim=scene.box[1])


def _free_place(line: Floats, drawn: Sequence[Floats], box: Box) -> tuple[float, float]:
    """The point of a line, not at the rim of the box, that is farthest from all that is drawn."""
    low, high = np.array(box).T
    middle = line[(np.abs(2 * line - low - high) < 0.85 * (high - low)).all(axis=1)]
    line = middle if len(middle) else line
    others = np.vstack([*drawn, 2 * high - low])[:, None]
    x, y = line[np.linalg.norm(line - others, axis=-1).min(axis=0).argmax()]
    return float(x), float(y)


def _draw_line(axes: Any, line: Floats) -> None:
    """A curve in orange, an open circle at its start and a dot at its end."""
    axes.plot(*line, color=ORANGE, linewidth=1.4, zorder=3)
    axes.plot(*line[:, :1], "o", color=ORANGE, markersize=3.2, markerfacecolor="white", markeredgewidth=0.9, zorder=4)
    axes.plot(*line[:, -1:], "o", color=ORANGE, markersize=3.2, zorder=4)


def _space(scene: Scene, axes: Any, title: str, levels: Sequence[Sequence[float]]) -> None:
    (level,) = levels
    axes.set_proj_type("ortho")
    axes.view_init(elev=ELEVATION, azim=AZIMUTH)
    surfaces = [surface(law, c, scene.box) for law, c in zip(scene.laws, level, strict=True)]
    _draw_surfaces(axes, scene, level, surfaces)
    for line in [*scene.lines(level), *scene.given]:
        _draw_hidden(axes, line, hidden(scene.laws, level, line, EYE, scene.box))
    axes.set_title(title, y=0.97)
    axes.grid(False)
    low, high = np.array(scene.box).T
    for name, label, ends in zip("xyz", scene.names, scene.box, strict=True):
        getattr(axes, f"set_{name}label")(_label(label), labelpad=-12)
        axes.set(**{f"{name}lim": ends})
        axes.tick_params(axis=name, pad=-4, labelsize=6)
        getattr(axes, f"{name}axis").pane.set(facecolor="white", edgecolor="0.85")
    axes.locator_params(nbins=4, prune="both")
    axes.set_box_aspect((high - low) / (high - low).max(), zoom=0.95)


def _draw_surfaces(axes: Any, scene: Scene, level: Sequence[float], surfaces: Sequence[Floats]) -> None:
    """Opaque surfaces, darker where they turn from the light, with thin lines of equal height where they are seen."""
    from matplotlib.colors import to_rgb
    from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection  # type: ignore[import-untyped]

    faces = []
    for law, triangles, color in zip(scene.laws, surfaces, COLORS, strict=False):
        normal = law.gradient(triangles.mean(axis=1))
        length = np.linalg.norm(normal, axis=1)
        shade = np.abs(normal @ LIGHT) / np.where(length > 0, length, 1)
        white = 0.35 + 0.55 * shade[:, None]
        faces.append(white + (1 - white) * np.array(to_rgb(color)))
        low, high = scene.box[2]
        lines = slices(triangles, 2, np.linspace(low, high, SLICES + 2)[1:-1] + 1e-9 * (high - low))
        lines = lines[~hidden(scene.laws, level, lines.mean(axis=1), EYE, scene.box)]
        axes.add_collection3d(Line3DCollection(lines, colors=color, linewidths=0.4, zorder=2))
    shown, colors = np.concatenate(surfaces), np.concatenate(faces)
    options = {"facecolors": colors, "edgecolors": colors, "linewidths": 0.3, "rasterized": True, "zorder": 1}
    axes.add_collection3d(Poly3DCollection(shown, **options))


def _draw_hidden(axes: Any, line: Floats, behind: Any) -> None:
    """A curve, dotted where it is behind a surface."""
    for seen, style, width in ((~behind, "-", 1.5), (behind, ":", 1.0)):
        # a point of the other kind at each end of a piece joins it to the next
        near = seen | np.append(seen[1:], False) if style == "-" else seen
        axes.plot(*np.where(near[:, None], line, np.nan).T, color=ORANGE, linestyle=style, linewidth=width, zorder=3)
    options = {"color": ORANGE, "markersize": 3.2, "markeredgewidth": 0.9, "zorder": 4}
    for end, face in ((0, "white"), (-1, ORANGE)):
        axes.plot(*line[[end]].T, "o", markerfacecolor=face, alpha=0.45 if behind[end] else 1, **options)


def _label(name: str) -> str:
    return f"${latex_name(name)}$"
