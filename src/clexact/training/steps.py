"""``train``: discrete steps with the exact second-order ledger of every law; ``slope``: drift against step size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from clexact.algebra.evaluation import PolynomialMap, Values
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms, concatenate
from clexact.flows.dynamics import gradient_flow
from clexact.programs.model import Model, check_size
from clexact.support.listed import listed
from clexact.training.loss import Loss, as_loss
from clexact.training.optimizers import GD, Optimizer, Rate
from clexact.training.quantities import watched
from clexact.training.risk import Risk, as_fraction
from clexact.training.trajectory import Trajectory


class Ledger:
    r"""What plain gradient steps make of each law $h = h_0 + h_1 + h_2$, h_k homogeneous of degree k.

    $h(\theta^+) = h_0 + c\,h_1(\theta) + c^2 h_2(\theta) + \eta^2 h_2(g)$, $c = 1 - \eta\lambda$, for
    $\theta^+ = c\,\theta - \eta g$: the terms linear in g vanish, $\nabla h(\theta) \perp g$.
    """

    def __init__(self, laws: Sequence[Polynomial | None], theta: Values) -> None:
        self._high = [n for n, h in enumerate(laws) if h is None or h.degree > 2]
        self._quadratic = _part(laws, 2, len(theta))
        self._start = [_part(laws, k, len(theta))(theta[None])[0] for k in range(3)]
        self._linear, self._square = self._start[1], self._start[2]

    def step(self, g: Values, eta: Any, decay: Any) -> None:
        """Enter one step."""
        kept = 1 - eta * decay
        self._linear = kept * self._linear
        self._square = kept**2 * self._square + eta**2 * self._quadratic(g[None])[0]

    def change(self) -> Values:
        """The change of each law so far."""
        change = (self._linear - self._start[1]) + (self._square - self._start[2])
        change[self._high] = None if change.dtype == object else np.nan
        return np.asarray(change)


def _part(laws: Sequence[Polynomial | None], degree: int, dimension: int) -> PolynomialMap:
    """The terms of one degree of each law."""
    terms = [_of_degree(h.terms, degree).owned_by(n) for n, h in enumerate(laws) if h is not None]
    return PolynomialMap(concatenate(terms), dimension, [1 if h is None else h.denominator for h in laws])


def _of_degree(terms: Terms, degree: int) -> Terms:
    return terms.take(np.flatnonzero(terms.degrees() == degree))


def train(
    model: Model,
    data: object,
    loss: str | Loss = "squared",
    start: object = None,
    steps: int = 100,
    optimizer: Optimizer | None = None,
    *,
    weight_decay: Rate = 0,
    laws: object = None,
    every: int = 1,
    exact: bool = False,
) -> Trajectory:
    r"""Take discrete steps and watch the laws of the gradient flow, with their exact ledger.

    For a law of degree 2, $h = \theta^\top A\,\theta$, a step $\theta^+ = (1 - \eta\lambda)\theta - \eta g$ gives
    $h(\theta^+) = (1 - \eta\lambda)^2 h(\theta) + \eta^2 g^\top A\,g$ exactly (arXiv 2506.06194). ``predicted`` sums
    this up along the run: for GD and SGD it is the drift, up to rounding. Other optimizers depart from it, their steps
    being no gradients: heavy ball and Nesterov by terms of order $\eta^2$ too, Adam at first order. So do quantities
    that are no laws.

    Parameters
    ----------
    model : Model
        The network.
    data : Data or pair
        (inputs, targets), see ``Data.read``.
    loss : str or Loss
        "squared", "cross_entropy" or a loss of one's own.
    start : sequence or mapping
        $\theta_0$, (D,) or {parameter: array}.
    steps : int
        How many.
    optimizer : Optimizer, optional
        Default: ``GD(0.01)``.
    weight_decay : float, int or Fraction
        $\lambda$.
    laws : object
        What is watched (``quantities.watched``): polynomials, texts or laws that clexact found; default: those of
        ``clexact.certify``.
    every : int
        Every state is kept, or one in so many.
    exact : bool
        Whether everything runs in rationals: start, data, rates are integers or Fractions, the loss is squared, and the
        network has polynomial pieces. Digits double with every step: for a few steps only.

    Returns
    -------
    Trajectory
        The states and the laws along the run.

    Raises
    ------
    TypeError, ValueError
        For what does not fit.
    ArithmeticError
        Where the steps diverge.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.models.linear([2, 1, 2])
    >>> data = [[1, 0], [0, 1]], [[2, 0], [0, 1]]
    >>> run = train(net, data, start=[1, 1, -1, 2], steps=3, optimizer=GD(1), exact=True)
    >>> run.values[:, -1] - run.values[:, 0] == run.predicted[:, -1]
    array([ True])
    """
    if not isinstance(model, Model):
        raise TypeError(f"train takes a clexact.Model, not {model!r}.")
    optimizer = GD(0.01) if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be one of clexact.training, such as GD(0.01), not {optimizer!r}.")
    count, kept, chosen = check_size(steps, "steps"), check_size(every, "every"), as_loss(loss)
    risk = Risk(model, data, chosen, rational=exact)
    theta, flow = risk.start(start), gradient_flow(model, chosen.span)
    optimizer, decay = optimizer.converted(exact), as_fraction(weight_decay, "weight_decay", exact)
    batches = optimizer.batches(len(risk.data))
    risk.check_loss(theta)
    named = watched(laws, flow)
    ledger = Ledger(named.polynomials, theta)

    def gradient(at: Values) -> Values:
        batch = next(batches)
        g = (risk if batch is None else risk.on(batch)).gradient(at)
        ledger.step(g, optimizer.eta, decay)
        return g

    states, changes = [theta], [ledger.change()]
    with np.errstate(over="ignore", invalid="ignore"):
        for k, point in enumerate(islice(optimizer.points(theta, gradient, decay), count), start=1):
            if not exact and not np.isfinite(point).all():
                raise ArithmeticError(f"the steps diverge: at step {k} of {count} the parameters are not finite.")
            if k % kept == 0 or k == count:
                states.append(point)
                changes.append(ledger.change())
    taken = [0, *(k for k in range(1, count + 1) if k % kept == 0 or k == count)]
    points = np.array(states)
    return Trajectory(
        model=model,
        flow=flow,
        description=f"{count} steps of {type(optimizer).__name__}(eta = {optimizer.eta}) on {model.name}",
        times=np.array(taken),
        states=points,
        laws=named.names,
        values=named.values(points),
        losses=np.array([risk(row) for row in points]),
        predicted=np.array(changes).T,
        evaluations=count,
    )


@dataclass(frozen=True, eq=False)
class Slope:
    """Drift against step size: the largest drift of all laws for each rate, and the slope of the logarithms.

    Attributes
    ----------
    rates : numpy.ndarray
        The R step sizes.
    drifts : numpy.ndarray
        For each the largest drift, (R,).
    value : float
        The slope, by least squares.

    Examples
    --------
    >>> import clexact
    >>> found = slope(clexact.models.linear([1, 1, 1]), ([[1]], [[3]]), start=[1, 2], rates=[1e-2, 1e-3])
    >>> found.rates, round(found.value, 6)
    (array([0.01 , 0.001]), 2.0)
    """

    rates: Values
    drifts: Values
    value: float  # by least squares

    def __repr__(self) -> str:
        least, most = min(self.rates), max(self.rates)
        return f"Slope({self.value:.4f} over {len(self.rates)} step sizes from {least:g} to {most:g})"


def slope(
    model: Model,
    data: object,
    loss: str | Loss = "squared",
    start: object = None,
    rates: Sequence[float] = (1e-1, 1e-2, 1e-3),
    *,
    steps: int | None = None,
    time: float | None = None,
    optimizer: Callable[[float], Optimizer] = GD,
    weight_decay: Rate = 0,
    laws: object = None,
) -> Slope:
    r"""Slope of log drift against log step size, by least squares, in floating point.

    The drift is the largest of all laws at all steps, ``Trajectory.drift().max()``: $\eta^2 h(g)$ a step, slope 2, at a
    fixed number of steps; slope 1 until a fixed time.

    Parameters
    ----------
    model : Model
        The network.
    data : Data or pair
        (inputs, targets), see ``Data.read``.
    loss : str or Loss
        "squared", "cross_entropy" or a loss of one's own.
    start : sequence or mapping
        $\theta_0$, (D,) or {parameter: array}.
    rates : sequence of float
        The step sizes, at least two.
    steps : int, optional
        How many at each rate (default 1).
    time : float, optional
        Instead: as many steps as reach it, $k = \mathrm{time}/\eta$.
    optimizer : callable
        Makes an ``Optimizer`` of a rate.
    weight_decay : float, int or Fraction
        $\lambda$.
    laws : object
        What is watched, as in ``train``.

    Returns
    -------
    Slope
        The drifts and the slope.

    Raises
    ------
    ValueError
        For both ``steps`` and ``time``, fewer than two rates, and where nothing drifts.

    Examples
    --------
    >>> import clexact
    >>> net, data = clexact.models.linear([1, 1, 1]), ([[1]], [[3]])
    >>> [round(slope(net, data, start=[1, 2], rates=[1e-2, 1e-3], **until).value, 2) for until in ({}, {"time": 1})]
    [2.0, 1.01]
    """
    if steps is not None and time is not None:
        raise ValueError("slope takes either steps or time, not both.")
    sizes = np.asarray(listed(rates, "rates must be a list of step sizes"), dtype=float)
    if sizes.ndim != 1 or len(set(sizes.tolist())) < 2 or not (sizes > 0).all():
        raise ValueError(f"rates must be two or more different positive step sizes, not {rates!r}.")
    quantities = watched(laws, gradient_flow(model, as_loss(loss).span))
    drifts = []
    for rate in sizes.tolist():
        count = (1 if steps is None else steps) if time is None else max(1, round(time / rate))
        run = train(model, data, loss, start, count, optimizer(rate), weight_decay=weight_decay, laws=quantities)
        drifts.append(float(run.drift().max(initial=0)))
    if not all(drifts):
        raise ValueError("no law drifts at some step size, so there is no slope: take larger steps, or other laws.")
    fitted = np.polyfit(np.log(sizes), np.log(drifts), 1)
    return Slope(sizes, np.array(drifts), float(fitted[0]))
