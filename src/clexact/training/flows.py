"""``simulate``: gradient, mirror and momentum flows of a model on data, integrated by SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from clexact.algebra.evaluation import PolynomialMap, Values
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.programs.model import Model, check_size
from clexact.support.nearest import one_of
from clexact.training.data import numbers
from clexact.training.loss import Loss, as_loss
from clexact.training.quantities import watched
from clexact.training.risk import Risk, parameter_vector
from clexact.training.trajectory import Trajectory

METHODS = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")
SEEN = 1e-9  # an entry of a gradient below it, relative to 1 + the largest, is zero
LEAST_RTOL = 1e-13  # below it, rounding in the solver is larger


class Motion:
    r"""The equations of motion of a flow on data: $y' = \mu\,d(x) - M(x) \nabla E$ in the positions (and velocities) y.

    x is y with the clock, t or $e^{rt}$, in front. d is the exact drift of the flow and M its exact metric, both read
    in floats; $\mu$ gives the clock its true speed, which clearing denominators has changed.
    """

    def __init__(self, flow: Flow, risk: Risk) -> None:
        self._flow, self._risk, self.phase, D = flow, risk, flow.phase, flow.dimension
        self._drift = self._metric = None
        if flow.phase.drift is not None:
            self._drift = PolynomialMap(flow.phase.drift.terms, D, [flow.phase.drift.denominators[0]] * D)
        if flow.metric is not None:
            self._metric = PolynomialMap(flow.metric, D, [flow.cleared[0]] * self.phase.count)

    @property
    def rate(self) -> float | None:
        """r, where the clock is e^(rt)."""
        rates = self._flow.exponentials
        return float(next(iter(rates.values()))) if rates else None

    @property
    def switches(self) -> bool:
        """Whether the field jumps where a gate or a choice changes."""
        return bool(self._risk.model.program.gates)

    @property
    def singular(self) -> bool:
        """Whether the equations hold for t > 0 only: Nesterov's damping 3/t."""
        return self.phase.start == 1 and self.rate is None

    def states(self, times: Values, y: Values) -> Values:
        """Points of the phase space, (T, D), from times (T,) and positions and velocities (T, ...)."""
        if self.phase.clock is None:
            return y
        clock = times if self.rate is None else np.exp(self.rate * times)
        return np.concatenate([clock[:, None], y], axis=1)

    def __call__(self, t: float, y: Values) -> Values:
        first, D = self.phase.positions, self.phase.count
        x = self.states(np.array([t]), y[None])[0]
        speed = np.zeros_like(x)
        if self._drift is not None:
            drift = self._drift(x[None])[0]
            speed = drift * ((1.0 if self.rate is None else self.rate * x[0]) / drift[0])
        kick = self._risk.gradient(x[first : first + D])
        if self._metric is not None:
            kick = kick * self._metric(x[None])[0] / x[0] ** self._flow.cleared[1]
        speed[self.phase.gradient_offset : self.phase.gradient_offset + D] -= kick
        return np.asarray(speed[first:])


def simulate(
    flow: Flow | Model,
    data: object,
    loss: str | Loss = "squared",
    start: object = None,
    *,
    time: float | Sequence[float],
    velocity: object = None,
    laws: object = None,
    method: str = "DOP853",
    rtol: float = 1e-12,
    atol: float = 1e-12,
    max_evaluations: int = 10**5,
) -> Trajectory:
    r"""Integrate a flow of a model on data, in floating point, and watch its laws.

    $\theta' = -\nabla E$, $\theta' = -M(\theta)\nabla E$ or $\theta'' + \tau(t)\theta' = -\nabla E$ with
    $E(\theta) = \frac1N \sum_i \ell(g(\theta, x_i), y_i)$. The true gates, maxima and analytic functions are used.

    Where units switch, the field of a ReLU network jumps. If it points to the switch from both sides, a solution slides
    along it (in the sense of Filippov), and a solver creeps with steps of the size of the tolerance: it gives up after
    ``max_evaluations`` of the gradient. Laws hold on both sides, so also there.

    Parameters
    ----------
    flow : Flow or Model
        What ``gradient_flow``, ``mirror_flow`` or ``momentum_flow`` made of a model (damping, weight decay and metric
        are theirs), or a model, for its gradient flow.
    data : Data or pair
        (inputs, targets), see ``Data.read``.
    loss : str or Loss
        "squared", "cross_entropy" or a loss of one's own.
    start : sequence or mapping
        $\theta$, (D,) or {parameter: array}.
    time : float or sequence of float
        The end, the states being those of the solver's own steps; or increasing times t_0, t_1, ..., at which the
        solver stops (none is interpolated). A flow starts at 0, with Nesterov's damping at t_0 > 0 (1 if only the end
        is given).
    velocity : sequence or mapping, optional
        $\theta'$ at the start, like ``start``; default 0.
    laws : object
        What is watched, see ``quantities.watched``; default: those that ``clexact.certify`` finds.
    method : str
        One of SciPy's ``solve_ivp``; Radau, BDF and LSODA are for stiff problems.
    rtol : float
        Relative tolerance of the solver.
    atol : float
        Absolute tolerance of the solver.
    max_evaluations : int
        Of the gradient, at most.

    Returns
    -------
    Trajectory
        The states and the laws along the run.

    Raises
    ------
    TypeError, ValueError
        For what does not fit, before the start.
    ArithmeticError
        Where the solver fails.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.models.linear([2, 1, 2])
    >>> data = [[1, 0], [0, 1]], [[2, 0], [0, 1]]
    >>> run = simulate(net, data, start=[1, 0.5, -0.5, 1], time=5)
    >>> run.laws, bool(run.drift().max() < 1e-10)
    (('U1[0,0]^2 + U1[1,0]^2 - U2[0,0]^2 - U2[0,1]^2',), True)
    """
    chosen = as_loss(loss)
    lifted = _flow_of(flow, chosen)
    base = _gradients_of(lifted)
    model = base.model
    if method not in METHODS:
        raise ValueError(one_of("method", method, METHODS))
    if not (rtol >= LEAST_RTOL and atol >= 0):
        raise ValueError(f"rtol must be at least {LEAST_RTOL:g} and atol at least 0, not {rtol!r} and {atol!r}.")
    limit, risk = check_size(max_evaluations, "max_evaluations"), Risk(model, data, chosen)
    motion = Motion(lifted, risk)
    theta = risk.start(start)
    y = np.concatenate([theta, _velocity(motion, model, velocity)])
    times = _times(time, motion)
    risk.check_loss(theta)
    _check_covectors(base, risk, theta)
    named = watched(laws, lifted)
    options = {"method": method, "rtol": rtol, "atol": atol}
    reached, states, evaluations = _integrate(motion, times, y, bool(np.ndim(time)), limit, options)
    points = motion.states(reached, states)
    return Trajectory(
        model=model,
        flow=lifted,
        description=lifted.description,
        times=reached,
        states=points,
        laws=named.names,
        values=named.values(points),
        losses=np.array([risk(row[: model.dimension]) for row in states]),
        evaluations=evaluations,
    )


def _flow_of(flow: Flow | Model, loss: Loss) -> Flow:
    """The gradient flow of a model, or the flow given."""
    given = gradient_flow(flow, loss.span) if isinstance(flow, Model) else flow
    if not isinstance(given, Flow):
        raise TypeError(f"simulate takes a model, or a flow of one, not {flow!r}.")
    return given


def _gradients_of(flow: Flow) -> GradientFlow:
    if flow.gradients is None:
        raise TypeError(f"simulate needs the flow of a model, not {flow.description}: explicit fields have no loss.")
    return flow.gradients


def _check_covectors(base: GradientFlow, risk: Risk, theta: Values) -> None:
    """ValueError unless the gradients of the loss are covectors that the flow, and so its laws, speaks of."""
    unseen = np.array(base.unseen, dtype=float)
    slopes = risk.loss.gradient(risk.outputs(theta), risk.data.targets)
    if len(unseen) and np.abs(slopes @ unseen.T).max() > SEEN * (1 + np.abs(slopes).max()):
        raise ValueError(f"the loss {risk.loss.name!r} has gradients outside the covectors of the {base.description}.")


def _velocity(motion: Motion, model: Model, given: object) -> Values:
    if motion.phase.velocities is None:
        if given is not None:
            raise ValueError("velocity belongs to momentum flows; this flow has none.")
        return np.zeros(0)
    return np.zeros(model.dimension) if given is None else parameter_vector(model, given, "the velocity")


def _times(time: object, motion: Motion) -> list[float]:
    """Where the solver starts, stops, ..., ends."""
    given = np.atleast_1d(numbers(time, "time", False)).tolist()
    times = given if np.ndim(time) else [float(motion.singular), *given]  # type: ignore[arg-type]
    if len(times) < 2 or any(a >= b for a, b in pairwise(times)):
        raise ValueError(f"time must be an end after the start at {times[0]:g}, or increasing times, not {time!r}.")
    if motion.singular and times[0] <= 0:
        raise ValueError(f"Nesterov's damping 3/t needs times above 0, not {times[0]:g}.")
    return times


def _integrate(
    motion: Motion, times: list[float], y: Values, stops: bool, limit: int, options: dict[str, Any]
) -> tuple[Values, Values, int]:
    """(times, states, evaluations), at all steps or at the stops only."""
    reached, states, evaluations = [times[0]], [y], 0

    def speed(t: float, y: Values) -> Values:
        nonlocal evaluations
        evaluations += 1
        if evaluations > limit:
            slides = ", maybe because a unit slides along its switch" if motion.switches else ""
            raise ArithmeticError(f"after {limit} evaluations the solver was at time {t:.6g} of {times[-1]:g}{slides}.")
        return motion(t, y)

    for begin, end in pairwise(times):
        with np.errstate(over="ignore", invalid="ignore"):
            found = solve_ivp(speed, (begin, end), states[-1], **options)
        if not found.success or not np.isfinite(found.y).all():
            said = f": {found.message.rstrip('.')}" if not found.success else ""
            raise ArithmeticError(f"{options['method']} stopped at time {found.t[-1]:.6g} of {times[-1]:g}{said}.")
        taken = slice(-1, None) if stops else slice(1, None)
        reached += found.t[taken].tolist()
        states += list(found.y.T[taken])
    return np.array(reached), np.array(states), evaluations
