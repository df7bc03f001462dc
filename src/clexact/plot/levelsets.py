"""``level_sets``: curves of a flow stay on the level sets of its laws, in 2 and in 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from clexact.algebra.polynomial import latex_name
from clexact.plot.figures import compose
from clexact.plot.scene import LONG, Level, Scene, read_levels, read_scene
from clexact.plot.surfaces import Box, Floats, hidden, slices, surface
from clexact.programs.model import Model
from clexact.support.palette import BLUE, GREEN, ORANGE

BOX = (-2.0, 2.0)
CURVES = 4  # on each level set
GRID = 240  # points along each axis, for level sets in the plane
SLICES = 9  # of a surface, drawn as thin lines
ELEVATION, AZIMUTH = 18, -58  # of the eye, in degrees
UP, AROUND = np.radians([ELEVATION, AZIMUTH])
EYE = np.array([np.cos(UP) * np.cos(AROUND), np.cos(UP) * np.sin(AROUND), np.sin(UP)])
LIGHT = np.array([0.8, -0.1, 0.6])
COLORS = (BLUE, GREEN)  # of surfaces
PADS = {"x": -9, "y": -9, "z": -12}  # of the names of the axes
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

    In the plane, one panel has all ``levels``; in space, each has a panel of its own, with one surface for each law. On
    each level set the curves start far from each other. For a model, each has other data: $\theta' = -\nabla
    |\varphi(\theta) - y|^2 / 2$ with its own target y; for explicit fields, each is that of a random combination of
    them (``surfaces.velocity``).

    A picture, computed in floating point: it illustrates, and proves nothing. Surfaces are unions of triangles with
    corners on the level set (marching tetrahedra, then Newton steps); curves are integrated to 1e-11, and are dotted
    where they are behind a surface.

    Parameters
    ----------
    flow : object, optional
        A ``Model`` (its gradient flow), a gradient or mirror flow, ``VectorFields``, a ``LawCount``, or laws alone
        (``Polynomial``, ``Law``, ``ConservationLaws`` or a list). Default: the talk's example, (u v1, u v2), with the
        law v1^2 + v2^2 - u^2.
    levels : sequence of float or of sequence of float, optional
        Each a number for all laws or one number for each law; default -1, 0 and 1 if these occur in the ``box``.
    laws : object, optional
        Instead of those found up to ``degree`` by ``polynomial_laws`` (or, where there are none, by ``general_laws``).
        There may be D - 1 independent ones.
    degree : int
        Of the laws looked for, at most.
    box : sequence
        (low, high) for all coordinates, or a pair for each.
    curves : int
        How many start on each level set.
    trajectories : sequence
        Drawn too: arrays of states (T, D), or objects with such ``states``.
    seed : int
        Of the targets, combinations and starts.
    ax : matplotlib.axes.Axes or sequence of them, optional
        On which to draw, one for each panel, made with ``projection="3d"`` in space.

    Returns
    -------
    matplotlib.figure.Figure
        Or ``ax`` if given.

    Raises
    ------
    TypeError, ValueError
        For what cannot be drawn: another dimension, a flow with a clock, no law.

    Examples
    --------
    >>> import clexact
    >>> figure = level_sets(clexact.models.product(2), [-1, 0, 1], curves=1)
    >>> figure.axes[0].get_title()
    '$h = x_{0}^{2} - x_{1}^{2}$'
    """
    given = _example() if flow is None and laws is None else flow
    scene = read_scene(given, laws, degree, box, curves, trajectories, seed)
    chosen = read_levels(scene, levels)
    if len(scene.box) == 2:
        title = f"$h = {scene.written[0]}$" if len(scene.written[0]) <= LONG else ""
        return compose(partial(_flat, scene), [(title, chosen)], ax, SINGLE, FLAT_HEIGHT)
    panels = [("\n".join(f"${text}$" for text in scene.equations(level)), level) for level in chosen]
    width, height = (SINGLE, FLAT_HEIGHT) if len(panels) == 1 else (WIDTH, SPACE_HEIGHT)
    space = {"projection": "3d", "computed_zorder": False}
    return compose(partial(_space, scene), panels, ax, width, height, subplot_kw=space)


def _example() -> Model:
    return Model(
        parameters={"v1": (), "v2": (), "u": ()},
        probes={"x1": (), "x2": ()},
        output=lambda v1, v2, u, x1, x2: u * (v1 * x1 + v2 * x2),
        name="u (v1 x1 + v2 x2)",
    )


def _flat(scene: Scene, axes: Any, title: str, levels: Sequence[Level]) -> None:
    x, y = (np.linspace(low, high, GRID) for low, high in scene.box)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    with np.errstate(all="ignore"):
        heights = np.ma.masked_invalid(scene.laws[0].value(points))
    numbers = sorted(level[0] for level in levels)
    lines = axes.contour(x, y, heights, numbers, colors=BLUE, linewidths=0.9, linestyles="-")
    drawn = [line for level in levels for line in scene.lines(level)]
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


def _space(scene: Scene, axes: Any, title: str, level: Level) -> None:
    if axes.name != "3d":
        raise ValueError("level sets in space need axes in space: make ax with projection='3d'.")
    axes.set_proj_type("ortho")
    axes.view_init(elev=ELEVATION, azim=AZIMUTH)
    surfaces = [surface(law, c, scene.box) for law, c in zip(scene.laws, level, strict=True)]
    _draw_surfaces(axes, scene, level, surfaces)
    for line in scene.lines(level):
        _draw_hidden(axes, line, hidden(scene.laws, level, line, EYE, scene.box))
    axes.set_title(title, y=0.97)
    axes.grid(False)
    low, high = np.array(scene.box).T
    for name, label, ends in zip("xyz", scene.names, scene.box, strict=True):
        getattr(axes, f"set_{name}label")(_label(label), labelpad=PADS[name])
        axes.set(**{f"{name}lim": ends})
        axes.tick_params(axis=name, pad=-4, labelsize=6)
        getattr(axes, f"{name}axis").pane.set(facecolor="white", edgecolor="0.85")
    axes.locator_params(nbins=4, prune="both")
    axes.set_box_aspect((high - low) / (high - low).max(), zoom=0.95)


def _draw_surfaces(axes: Any, scene: Scene, level: Level, surfaces: Sequence[Floats]) -> None:
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
        if len(lines):
            axes.add_collection3d(Line3DCollection(lines, colors=color, linewidths=0.4, zorder=2))
    shown, colors = np.concatenate(surfaces), np.concatenate(faces)
    options = {"facecolors": colors, "edgecolors": colors, "linewidths": 0.3, "rasterized": True, "zorder": 1}
    if len(shown):
        axes.add_collection3d(Poly3DCollection(shown, **options))


def _draw_hidden(axes: Any, line: Floats, behind: Any) -> None:
    """A curve, dotted where it is behind a surface."""
    joined = ~behind | np.append(~behind[1:], False)  # a solid piece begins where the dotted one before it ends
    for shown, style, width in ((joined, "-", 1.5), (behind, ":", 1.0)):
        axes.plot(*np.where(shown[:, None], line, np.nan).T, color=ORANGE, linestyle=style, linewidth=width, zorder=3)
    options = {"color": ORANGE, "markersize": 3.2, "markeredgewidth": 0.9, "zorder": 4}
    for end, face in ((0, "white"), (-1, ORANGE)):
        axes.plot(*line[[end]].T, "o", markerfacecolor=face, alpha=0.45 if behind[end] else 1, **options)


def _label(name: str) -> str:
    return f"${latex_name(name)}$"
