"""Pictures of conservation laws: ``draw``. Illustrations, integrated in floating point: nothing is proved by them.

The same name gives the same bytes with the same matplotlib and NumPy.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.support.palette import BLUE, GREEN, GREY, ORANGE

Floats = NDArray[np.float64]
Field = Callable[[float, Floats], Floats]  # (t, state) -> velocity

CAPTIONS = {
    "level-sets": "Illustration: the level sets -1, 0 and 1 of h = v1² + v2² - u², and gradient flows of squared losses"
    " of (u v1, u v2), integrated numerically from points on them: each stays on its set.",
    "fields": "Illustration: the two fields (v1, u, 0) and (v2, 0, u) of (u v1, u v2) at points of the level set h = 1:"
    " both are tangent to it.",
    "drift": "Illustration: how far gradient descent moves a law h = ⟨u1, u2⟩ - ⟨v1, v2⟩ of U Vᵀ. Left, in one step:"
    " exactly η² gᵀA g. Right, until a fixed time: the sum of these, of first order in η.",
    "momentum": "Illustration: with momentum (heavy ball) the law of the gradient flow moves, left, and the law of"
    " Noether with its factor exp(τ t) stays, right. Integrated numerically.",
}
FORMATS = {"level-sets": "png", "fields": "png", "drift": "svg", "momentum": "svg"}


def file_name(name: str) -> str:
    """Of a picture's file."""
    return f"{name}.{FORMATS[name]}"


def draw(name: str) -> bytes:
    """A picture as the bytes of its file. KeyError for an unknown name."""
    with _style() as pyplot:
        figure = DRAWN[name](pyplot)
        out = io.BytesIO()
        metadata = {"Date": None} if FORMATS[name] == "svg" else {"Software": None}
        figure.savefig(out, format=FORMATS[name], dpi=130, metadata=metadata)
        pyplot.close(figure)
    return out.getvalue()


@contextmanager
def _style() -> Iterator[Any]:
    """pyplot without a display, its settings as they were afterwards."""
    import matplotlib

    settings: Any = {"font.size": 10, "svg.hashsalt": "clexact", "svg.fonttype": "path", "axes.spines.top": False,
                "axes.spines.right": False}  # fmt: skip
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(settings):
        yield pyplot
    matplotlib.use(before)


def integrate(field: Field, start: Floats, end: float, steps: int) -> Floats:
    """The states at equal times from 0 to the end, by Runge and Kutta's method of order 4; shape (steps + 1, D)."""
    states, step = [np.asarray(start, dtype=float)], end / steps
    for k in range(steps):
        t, x = k * step, states[-1]
        a = field(t, x)
        b = field(t + step / 2, x + step / 2 * a)
        c = field(t + step / 2, x + step / 2 * b)
        d = field(t + step, x + step * c)
        states.append(x + step / 6 * (a + 2 * b + 2 * c + d))
    return np.array(states)


def cone_law(state: Floats) -> Floats:
    """h = v1^2 + v2^2 - u^2 of states (u, v1, v2)."""
    u, v1, v2 = np.moveaxis(state, -1, 0)
    return np.asarray(v1**2 + v2**2 - u**2)


def cone_flow(target: Floats) -> Field:
    """The gradient flow of |(u v1, u v2) - target|^2 / 2."""

    def field(_: float, state: Floats) -> Floats:
        u, v = state[0], state[1:]
        error = u * v - target
        return -np.concatenate([[error @ v], u * error])

    return field


def _level_sets(pyplot: Any) -> Any:
    figure = pyplot.figure(figsize=(10, 3.9))
    figure.subplots_adjust(left=0, right=0.97, bottom=0.04, top=0.93, wspace=0)
    for place, level in enumerate((-1, 0, 1), start=1):
        axes = _space(figure.add_subplot(1, 3, place, projection="3d", computed_zorder=False), level)
        for line in cone_lines(level):
            axes.plot(line[:, 1], line[:, 2], line[:, 0], color=ORANGE, linewidth=1.6, zorder=3)
            axes.plot(*line[-1:, [1, 2, 0]].T, "o", color=ORANGE, markersize=3.5, zorder=4)
    return figure


def _fields(pyplot: Any) -> Any:
    figure = pyplot.figure(figsize=(5.2, 4.4))
    figure.subplots_adjust(left=0, right=0.95, bottom=0.04, top=0.93)
    axes = _space(figure.add_subplot(projection="3d", computed_zorder=False), 1)
    u, angle = (part.ravel() for part in np.meshgrid((-1.2, 0.0, 1.2), np.linspace(0, 2 * np.pi, 9)[:-1]))
    v1, v2, zero = np.sqrt(u**2 + 1) * np.cos(angle), np.sqrt(u**2 + 1) * np.sin(angle), np.zeros_like(u)
    for color, name, (du, dv1, dv2) in (
        (ORANGE, r"$\nabla\varphi_1 = (v_1, u, 0)$", (v1, u, zero)),
        (GREEN, r"$\nabla\varphi_2 = (v_2, 0, u)$", (v2, zero, u)),
    ):
        axes.quiver(v1, v2, u, dv1, dv2, du, length=0.4, color=color, linewidth=1.3, zorder=3, label=name)
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    return figure


def _space(axes: Any, level: int) -> Any:
    """Axes v1, v2, u with a level set of h."""
    for u, v1, v2 in _sheets(level):
        axes.plot_surface(v1, v2, u, color=BLUE, alpha=0.22, linewidth=0, antialiased=True, zorder=1)
        axes.plot_wireframe(v1, v2, u, color=BLUE, alpha=0.25, linewidth=0.4, rcount=8, ccount=16, zorder=1)
    axes.set_title(f"$h = {level}$", y=0.98)
    axes.set(xlabel="$v_1$", ylabel="$v_2$", zlabel="$u$", xticks=(-2, 2), yticks=(-2, 2), zticks=(-2, 2))
    axes.set(xlim=(-2, 2), ylim=(-2, 2), zlim=(-2, 2))
    axes.xaxis.labelpad = axes.yaxis.labelpad = axes.zaxis.labelpad = -6
    axes.view_init(elev=16, azim=-58)
    axes.set_box_aspect((1, 1, 1), zoom=0.92)
    return axes


def _sheets(level: int) -> Iterator[tuple[Floats, Floats, Floats]]:
    """The level set of h in the cube |u| <= 2 as surfaces of revolution (u, v1, v2)."""
    angle = np.linspace(0, 2 * np.pi, 49)
    heights = {-1: [(-2, -1), (1, 2)], 0: [(-2, 0), (0, 2)], 1: [(-np.sqrt(3), np.sqrt(3))]}[level]
    for low, high in heights:
        u, around = np.meshgrid(np.linspace(low, high, 33), angle)
        radius = np.sqrt(np.maximum(u**2 + level, 0))
        yield u, radius * np.cos(around), radius * np.sin(around)


def cone_lines(level: int) -> list[Floats]:
    """Gradient flows that start on a level set, with targets on a circle."""
    lines = []
    for k, angle in enumerate(np.linspace(0, 2 * np.pi, 7)[:-1]):
        u = (1.75 if level <= 0 else 1.5) * (1 if k % 2 else -1)
        radius = np.sqrt(u**2 + level)
        start = np.array([u, radius * np.cos(angle), radius * np.sin(angle)])
        target = 1.2 * np.array([np.cos(angle + 2.0), np.sin(angle + 2.0)])
        lines.append(integrate(cone_flow(target), start, 6.0, 600))
    return lines


class SmallNetwork:
    """U V^T on fixed random data: a loss |U V^T X - Y|^2 / (2 N), its gradient, and quadratic laws."""

    n, m, r, samples = 3, 4, 2, 12

    def __init__(self, seed: int = 0) -> None:
        draws = np.random.default_rng(seed)
        self.X = draws.normal(size=(self.m, self.samples))
        self.Y = draws.normal(size=(self.n, self.samples))
        self.start = 0.8 * draws.normal(size=(self.n + self.m) * self.r)
        self.velocity = 0.8 * draws.normal(size=(self.n + self.m) * self.r)

    def parts(self, state: Floats) -> tuple[Floats, Floats]:
        """U and V."""
        return state[: self.n * self.r].reshape(self.n, self.r), state[self.n * self.r :].reshape(self.m, self.r)

    def gradient(self, state: Floats) -> Floats:
        """Of the loss."""
        U, V = self.parts(state)
        slope = (U @ V.T @ self.X - self.Y) @ self.X.T / self.samples
        return np.concatenate([(slope @ V).ravel(), (slope.T @ U).ravel()])

    def law(self, state: Floats) -> float:
        """h = <u_1, u_2> - <v_1, v_2>, which is its own quadratic form g^T A g."""
        U, V = self.parts(state)
        return float(U[:, 0] @ U[:, 1] - V[:, 0] @ V[:, 1])

    def noether(self, state: Floats, velocity: Floats) -> float:
        """<U', U A> + <V', V A> with A = [[0, 1], [-1, 0]]."""
        total = 0.0
        for part, moved in zip(self.parts(state), self.parts(velocity), strict=True):
            total += float(moved[:, 1] @ part[:, 0] - moved[:, 0] @ part[:, 1])
        return total

    def descend(self, step: float, steps: int) -> tuple[float, float]:
        """The drift of the law by gradient descent, and the sum of eta^2 g^T A g."""
        state, predicted = self.start, 0.0
        for _ in range(steps):
            g = self.gradient(state)
            predicted += step**2 * self.law(g)
            state = state - step * g
        return self.law(state) - self.law(self.start), predicted


def drifts(steps: Floats, until: float | None) -> tuple[Floats, Floats]:
    """|drift| and |prediction| for each step size: of one step, or until a time."""
    network = SmallNetwork()
    found = [network.descend(step, 1 if until is None else round(until / step)) for step in steps]
    return np.abs([drift for drift, _ in found]), np.abs([predicted for _, predicted in found])


def slope(steps: Floats, values: Floats) -> float:
    """Of a straight line through the logarithms."""
    return float(np.polyfit(np.log(steps), np.log(values), 1)[0])


def _drift(pyplot: Any) -> Any:
    figure, both = pyplot.subplots(1, 2, figsize=(9, 3.9), layout="constrained")
    one, until = np.logspace(-4, -1, 13), 2.0
    fixed = until / np.array([2000, 1000, 500, 250, 125, 64, 40, 20])
    for axes, steps, time in zip(both, (one, fixed), (None, until), strict=True):
        measured, predicted = drifts(steps, time)
        exact = r"$\eta^2\, g^\top A\, g$" if time is None else r"$\sum_k \eta^2\, g_k^\top A\, g_k$"
        found = f"measured, slope {slope(steps, measured):.2f}"
        axes.loglog(steps, predicted, color=BLUE, linewidth=1.5, label=exact)
        axes.loglog(steps, measured, "o", color=ORANGE, markersize=4.5, label=found)
        axes.set(xlabel=r"step size $\eta$", title="one step" if time is None else f"until time {until:g}")
        axes.grid(True, color="0.9", linewidth=0.7)
        axes.legend(frameon=False)
    both[0].set_ylabel("|h(end) - h(start)|")
    return figure


def heavy_ball(network: SmallNetwork, tau: float, end: float, steps: int) -> tuple[Floats, Floats]:
    """States and velocities of theta'' + tau theta' = - grad E."""
    D = len(network.start)

    def field(_: float, both: Floats) -> Floats:
        return np.concatenate([both[D:], -tau * both[D:] - network.gradient(both[:D])])

    states = integrate(field, np.concatenate([network.start, network.velocity]), end, steps)
    return states[:, :D], states[:, D:]


def _momentum(pyplot: Any) -> Any:
    network, tau, end, steps = SmallNetwork(), 0.4, 8.0, 1600
    times = np.linspace(0, end, steps + 1)
    descent = integrate(lambda _, state: -network.gradient(state), network.start, end, steps)
    states, velocities = heavy_ball(network, tau, end, steps)
    noether = np.array([network.noether(x, v) for x, v in zip(states, velocities, strict=True)])
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.7), layout="constrained")
    left.plot(times, [network.law(x) for x in states], color=ORANGE, label="with momentum")
    left.plot(times, [network.law(x) for x in descent], color=BLUE, linestyle="--", label="gradient flow")
    left.set(title=r"$\langle u_1, u_2\rangle - \langle v_1, v_2\rangle$", xlabel="t")
    right.plot(times, noether, color=GREY, linestyle=":", label=r"without $e^{\tau t}$")
    right.plot(times, np.exp(tau * times) * noether, color=GREEN, label="with momentum")
    right.set(title=r"$e^{\tau t}\,(\langle U', U A\rangle + \langle V', V A\rangle)$", xlabel="t")
    for axes in (left, right):
        axes.grid(True, color="0.9", linewidth=0.7)
        axes.legend(frameon=False)
    return figure


DRAWN: dict[str, Callable[[Any], Any]] = {
    "level-sets": _level_sets,
    "fields": _fields,
    "drift": _drift,
    "momentum": _momentum,
}
