"""Level sets of laws and curves on them, in floating point: nothing is proved by them.

Level surfaces are found by marching tetrahedra: every cube of a grid is cut into six tetrahedra, on each of which the
law is interpolated linearly; the corners are then moved onto the level set by Newton steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.evaluation import PolynomialMap
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms
from clexact.flows.flow import Flow
from clexact.laws.logarithmic import Form, Law
from clexact.support.extras import needed

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]
Box = tuple[tuple[float, float], ...]  # (low, high) of each coordinate

# corners of the six tetrahedra of the unit cube around its diagonal (Kuhn)
TETRAHEDRA = np.array(
    [np.cumsum([(0, 0, 0), *np.eye(3, dtype=int)[list(order)]], 0) for order in permutations(range(3))]
)
CELLS = 26  # of the grid, along each axis
RAY = 80  # points of the way to the eye
STEPS = 40  # of Newton's method, at most
TOLERANCE = 1e-12  # of a point on a level set, relative to 1 + |level|
POINTS = 300  # of a curve
TARGETS = 8  # that are drawn, of which one is chosen
TIME = 12.0  # of a curve, unless it leaves the box before


@dataclass(frozen=True)
class Smooth:
    """A function of points (..., D) in floating point, and its gradient (..., D)."""

    value: Function
    gradient: Function


def together(evaluate: PolynomialMap) -> Function:
    """Polynomials as one function of points (..., D), with values (..., count)."""
    return lambda points: evaluate(points.reshape(-1, evaluate.dimension)).reshape(*points.shape[:-1], evaluate.count)


def smooth(law: Polynomial | Law) -> Smooth:
    """A law in floating point; where a logarithm or a quotient is not defined, its value is not finite."""
    if isinstance(law, Polynomial):
        D = len(law.variables)
        value = together(PolynomialMap.of([law], D))
        return Smooth(lambda points: value(points)[..., 0], together(PolynomialMap.of(law.gradient, D)))
    pairs = [(smooth(p), smooth(weight)) for p, weight in zip(law.factors, law.weights, strict=True)]
    return _product(pairs) if law.form is Form.RATIONAL else _sum_of_logarithms(pairs, smooth(law.rest))


def _product(pairs: Sequence[tuple[Smooth, Smooth]]) -> Smooth:
    """The product of p^c."""

    @np.errstate(all="ignore")
    def value(points: Floats) -> Floats:
        return np.asarray(prod(p.value(points) ** c.value(points) for p, c in pairs))

    @np.errstate(all="ignore")
    def gradient(points: Floats) -> Floats:
        powers = [(p.value(points), c.value(points)) for p, c in pairs]
        total = np.zeros(points.shape)
        for j, (p, _) in enumerate(pairs):
            others = prod(q**c for i, (q, c) in enumerate(powers) if i != j)
            q, c = powers[j]
            total = total + (c * q ** (c - 1) * others)[..., None] * p.gradient(points)
        return total

    return Smooth(value, gradient)


def _sum_of_logarithms(pairs: Sequence[tuple[Smooth, Smooth]], rest: Smooth) -> Smooth:
    """The sum of c log|p|, and the rest."""

    @np.errstate(all="ignore")
    def value(points: Floats) -> Floats:
        return np.asarray(rest.value(points) + sum(c.value(points) * _log(p, points) for p, c in pairs))

    @np.errstate(all="ignore")
    def gradient(points: Floats) -> Floats:
        total = rest.gradient(points)
        for p, c in pairs:
            total = total + c.gradient(points) * _log(p, points)[..., None]
            total = total + (c.value(points) / p.value(points))[..., None] * p.gradient(points)
        return total

    return Smooth(value, gradient)


def _log(p: Smooth, points: Floats) -> Floats:
    return np.asarray(np.log(np.abs(p.value(points))))


# --- points on level sets --------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def onto(laws: Sequence[Smooth], levels: Sequence[float], points: Floats, steps: int = STEPS) -> Floats:
    """Points (N, D) moved onto the set where each law has its level, by Newton steps of least norm.

    A step is J^T (J J^T)^+ (level - h). Those that do not arrive, see ``misses``, end anywhere.
    """
    for _ in range(steps):
        away = np.asarray(levels) - np.stack([h.value(points) for h in laws], axis=-1)
        J = np.stack([h.gradient(points) for h in laws], axis=-2)
        usable = np.isfinite(J).all(axis=(-2, -1)) & np.isfinite(away).all(axis=-1)
        J, away = np.where(usable[:, None, None], J, 0), np.where(usable[:, None], away, 0)
        back = np.swapaxes(J, -1, -2)
        points = points + np.squeeze(back @ np.linalg.pinv(J @ back) @ away[..., None], -1)
    return points


@np.errstate(all="ignore")
def misses(laws: Sequence[Smooth], levels: Sequence[float], points: Floats) -> Floats:
    """How far the laws are from their levels at points (N, D), relative to 1 + |level|; the largest over the laws."""
    parts = [np.abs(h.value(points) - c) / (1 + abs(c)) for h, c in zip(laws, levels, strict=True)]
    return np.asarray(np.nan_to_num(np.max(parts, axis=0), nan=np.inf))


def inside(points: Floats, box: Box) -> NDArray[np.bool_]:
    """Which points (..., D) lie in the box."""
    low, high = np.array(box).T
    return np.asarray(((points >= low) & (points <= high)).all(axis=-1))


def scattered(laws: Sequence[Smooth], levels: Sequence[float], box: Box, count: int, seed: int) -> Floats:
    """At most so many points of the box on a level set, far from each other; (N, D), N = 0 where none is found."""
    low, high = np.array(box).T
    draws = np.random.default_rng(seed)
    points = onto(laws, levels, low + (high - low) * draws.random((60 * count, len(box))))
    points = points[inside(points, box) & (misses(laws, levels, points) <= TOLERANCE)]
    chosen = points[:1]
    while 0 < len(chosen) < min(count, len(points)):
        nearest = np.linalg.norm(points[:, None] - chosen, axis=-1).min(axis=1)
        chosen = np.vstack([chosen, points[nearest.argmax()]])
    return chosen


def surface(law: Smooth, level: float, box: Box, cells: int = CELLS) -> Floats:
    """Triangles (N, 3, 3) whose corners lie on the level set, those of the box.

    A corner from which Newton's method leads farther than a cell, where the gradient nearly vanishes, is left where
    the linear function has it.
    """
    axes = [np.linspace(low, high, cells + 1) for low, high in box]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    heights = law.value(points) - level
    cubes = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 1, 3)
    corners = tuple(np.moveaxis((cubes + TETRAHEDRA).reshape(-1, 4, 3), -1, 0))
    triangles = _cut(points[corners], heights[corners])
    flat = triangles.reshape(-1, 3)
    moved = onto([law], [level], flat, steps=4)
    near = np.linalg.norm(moved - flat, axis=1) < max(high - low for low, high in box) / cells
    return np.where(near[:, None], moved, flat).reshape(-1, 3, 3)


def _cut(points: Floats, heights: Floats) -> Floats:
    """Triangles where a function, linear on each tetrahedron (N, 4, 3), with these values (N, 4), vanishes."""
    order = np.argsort(heights, axis=1)
    heights, points = np.take_along_axis(heights, order, 1), np.take_along_axis(points, order[..., None], 1)
    below = (heights < 0).sum(axis=1)
    found = []
    for count, edges in (
        (1, [(0, 1), (0, 2), (0, 3)]),
        (3, [(0, 3), (1, 3), (2, 3)]),
        (2, [(0, 2), (0, 3), (1, 3), (1, 2)]),
    ):
        here = (below == count) & np.isfinite(heights).all(axis=1)
        h, p = heights[here], points[here]
        cuts = _crossings(p, h, edges)
        found += [cuts[:, :3], cuts[:, [0, 2, 3]]] if count == 2 else [cuts]
    return np.concatenate(found)


def _crossings(points: Floats, values: Floats, edges: Sequence[tuple[int, int]]) -> Floats:
    """The points (N, edges, 3) of edges between corners (N, corners, 3) where a linear function vanishes."""
    found = []
    for a, b in edges:
        share = values[:, a] / (values[:, a] - values[:, b])
        found.append(points[:, a] + share[:, None] * (points[:, b] - points[:, a]))
    return np.stack(found, axis=1)


def slices(triangles: Floats, axis: int, heights: Floats) -> Floats:
    """Segments (N, 2, 3) in which planes, one for each height, cut triangles."""
    found = [np.empty((0, 2, 3))]
    for height in heights:
        order = np.argsort(triangles[..., axis], axis=1)
        p = np.take_along_axis(triangles, order[..., None], 1)
        z = p[..., axis] - height
        for count, edges in ((1, [(0, 1), (0, 2)]), (2, [(0, 2), (1, 2)])):
            here = (z < 0).sum(axis=1) == count
            a, q = z[here], p[here]
            found.append(_crossings(q, a, edges))
    return np.concatenate(found)


def hidden(laws: Sequence[Smooth], levels: Sequence[float], points: Floats, eye: Floats, box: Box) -> NDArray[np.bool_]:
    """Which points (N, 3) are behind a level surface, seen from far away in the direction ``eye``.

    Those from which the way to the eye meets a level again before it leaves the box.
    """
    size = float(np.linalg.norm(np.ptp(np.array(box), axis=1)))
    way = points[:, None] + (size * np.linspace(0.02, 1, RAY))[:, None] * eye
    within = inside(way, box)
    met = np.zeros(len(points), dtype=bool)
    for law, level in zip(laws, levels, strict=True):
        above = law.value(way) > level
        met |= ((above[:, 1:] != above[:, :-1]) & within[:, 1:]).any(axis=1)
    return met


# --- curves ----------------------------------------------------------------------------------------------------------


def velocity(flow: Flow, start: Floats, box: Box, seed: int) -> Function:
    r"""A field of the flow at points (D,), drawn by the seed, for a curve that starts at a point.

    Of a gradient or mirror flow: $-M \nabla |\varphi(\theta) - y|^2 / 2$ with the re-parametrization $\varphi$. The
    target y is $\varphi$ at a point of the box: of some drawn at random, the one farthest from $\varphi$ at the start.
    Of explicit fields: a combination with random weights of norm 1; the field itself where there is only one.
    """
    draws = np.random.default_rng(seed)
    base = flow.gradients
    if base is None:
        fields = [together(PolynomialMap.of(flow.fields.components(i), len(box))) for i in range(len(flow.fields))]
        weights = draws.normal(size=len(fields)) if len(fields) > 1 else np.ones(1)
        weights = weights / np.linalg.norm(weights)
        return lambda point: sum((w * X(point) for w, X in zip(weights, fields, strict=True)), start=0 * point)
    parts = [p for p in _polynomials(base.coefficients(), base.variables) if p.degree > 0]
    evaluate = PolynomialMap.of(parts, len(box))
    phi = together(evaluate)
    low, high = np.array(box).T
    targets = phi(low + (high - low) * draws.random((TARGETS, len(box))))
    y = targets[np.linalg.norm(targets - phi(start), axis=1).argmax()]
    M = None if flow.metric is None else together(PolynomialMap.of(_polynomials(flow.metric, flow.variables), len(box)))

    def descent(point: Floats) -> Floats:
        slope = (phi(point) - y) @ evaluate.jacobian(point)
        return np.asarray(-slope if M is None else -M(point) * slope)

    return descent


def _polynomials(terms: Terms, variables: tuple[str, ...]) -> list[Polynomial]:
    """Packed polynomials 0, 1, ..."""
    count = int(terms.owner.max(initial=-1)) + 1
    return [Polynomial._from_checked(variables, part) for part in terms.canonical().split(count)]


def curve(field: Function, start: Floats, box: Box) -> Floats:
    """The states (T, D) of x' = field(x) from a start, while they are in the box."""
    solve_ivp = needed("scipy.integrate", "training", "curves of a flow need").solve_ivp
    low, high = np.array(box).T

    def leaves(_: float, point: Floats) -> float:
        return float(np.min(np.minimum(point - low, high - point)) + 1e-9)

    leaves.terminal = True  # type: ignore[attr-defined]
    times = TIME * np.linspace(0, 1, POINTS) ** 2  # a gradient flow is fast at first
    found = solve_ivp(lambda _, x: field(x), (0, TIME), start, "DOP853", times, events=leaves, rtol=1e-11, atol=1e-12)
    return np.vstack([found.y.T, *found.y_events[0]])
