r"""``project``: the nearest parameters at which laws have given values, for example a balanced start.

Minimize $\frac12 |\theta - \theta_0|^2$ subject to $h(\theta) = c$. Newton's method with least-norm corrections,
$\theta \leftarrow \theta - J^+ (h(\theta) - c)$, finds a first point of the constraint, and returns to it after each
step of the minimization; the steps are those of Newton's method for the Lagrangian, in the tangent space of the
constraint. Each is accepted only if it comes closer to $\theta_0$.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, qr, solve_triangular

from clexact.algebra.evaluation import PolynomialMap, Values
from clexact.flows.dynamics import gradient_flow
from clexact.programs.model import Model
from clexact.training.data import numbers
from clexact.training.quantities import watched
from clexact.training.risk import parameter_vector

MAX_STEPS = 200
HALVINGS = 40
RANK = 1e-9  # of the gradients of the laws: smaller pivots, relative to the largest, are zero
STILL = 1e-9  # a tangent part of theta_0 - theta below it, relative to 1 + its size, is zero
FLAT = 1e-8  # a curvature below its negative, at a stationary point, shows that it is no minimum
SHORT = 1e-4  # steps below it are taken without comparing distances, which are equal up to rounding


class ProjectionError(ArithmeticError):
    """No point with the values asked for was found."""


def project(
    model: Model,
    laws: object = None,
    values: object = 0,
    *,
    start: object,
    tolerance: float = 1e-12,
) -> Values:
    r"""The parameters nearest to ``start`` at which ``laws`` have ``values``, in floating point.

    At the point returned, laws are met to ``tolerance`` times 1 + the largest value, and the point is a local minimum
    of the distance: $\theta_0 - \theta$ is a combination of the gradients of the laws (to 1e-9), and no curvature is
    negative. Another point may be nearer. Matrices of D x D are decomposed at each step.

    A gradient flow keeps these values, so they choose which of the minimizers it reaches: its implicit bias.

    Parameters
    ----------
    model : Model
        The network.
    laws : object
        Those of ``certify(gradient_flow(model))`` if None, else polynomials or texts in the model's parameters.
    values : float or sequence of float
        One number for all laws, or one for each.
    start : sequence or mapping
        $\theta_0$, (D,) or {parameter: array}.
    tolerance : float
        To which the laws are met.

    Returns
    -------
    numpy.ndarray
        $\theta$, of shape (D,).

    Raises
    ------
    TypeError, ValueError
        For what does not fit.
    ProjectionError
        Where no such point is found: the values may be out of reach, or the gradients of the laws become dependent on
        the way (a start that is not generic).

    Examples
    --------
    >>> import clexact
    >>> net = clexact.models.linear([1, 1, 1])
    >>> project(net, start=[2, 1]).round(12)
    array([1.5, 1.5])
    """
    if not isinstance(model, Model):
        raise TypeError(f"project takes a clexact.Model, not {model!r}.")
    origin = parameter_vector(model, start, "the start")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, not {tolerance!r}.")
    named = watched(laws, gradient_flow(model))
    if not named.laws or any(p is None for p in named.polynomials):
        raise ValueError(
            "project takes one polynomial law or more." if named.laws else "there is no law to project on."
        )
    wanted = numbers(values, "values", False)
    if wanted.shape not in ((), (len(named.laws),)):
        raise ValueError(f"values must be one number, or one for each of the {len(named.laws)} laws, not {values!r}.")
    surface = Surface([p for p in named.polynomials if p is not None], wanted, model.dimension, tolerance)
    return surface.nearest(origin)


@dataclass(frozen=True)
class _Tangent:
    """The gradients of the laws at a point, split: J^T P = Q R."""

    normal: Values  # (D, rank) an orthonormal basis of the span of the gradients
    tangent: Values  # (D, D - rank) of its complement, if asked for
    triangle: Values  # (rank, rank)
    chosen: Values  # (rank,) laws whose gradients span it

    @property
    def rank(self) -> int:
        return len(self.chosen)


class Surface:
    """The points at which laws have given values."""

    def __init__(self, laws: Any, wanted: Values, dimension: int, tolerance: float) -> None:
        self._map, self._wanted = PolynomialMap.of(laws, dimension), np.broadcast_to(wanted, len(laws))
        self._near = tolerance * (1 + float(np.abs(self._wanted).max()))

    def missed(self, point: Values) -> Values:
        """h(point) - c."""
        return np.asarray(self._map(point[None])[0] - self._wanted)

    def at(self, point: Values, *, tangent: bool = True) -> _Tangent:
        """Normal space, and the tangent space if asked for, which takes a matrix of D x D."""
        Q, R, order = qr(self._map.jacobian(point).T, pivoting=True, mode="full" if tangent else "economic")
        sizes = np.abs(np.diag(R))
        rank = int((sizes > RANK * max(1e-300, sizes.max(initial=0))).sum())
        return _Tangent(Q[:, :rank], Q[:, rank:], R[:rank, :rank], order[:rank])

    def met(self, point: Values) -> Values | None:
        """A point of the surface near a point, by damped Newton steps of least norm; None if they do not converge."""
        size = np.abs(self.missed(point)).max()
        for _ in range(MAX_STEPS):
            if size <= self._near:
                return point
            here = self.at(point, tangent=False)
            if not here.rank:
                return None
            gap = self.missed(point)[here.chosen]
            move = -here.normal @ solve_triangular(here.triangle, gap, trans="T")
            for _ in range(HALVINGS):
                after = np.abs(self.missed(point + move)).max()
                if after < size:
                    break
                move = move / 2
            else:
                return None
            point, size = point + move, after
        return None

    def nearest(self, origin: Values) -> Values:
        """The local minimum of the distance to the origin that is reached from it."""
        full = self.at(origin, tangent=False).rank
        point = self.met(origin)
        if point is None:
            raise ProjectionError(
                f"no point with these values was found near the start, where the laws miss them by up to "
                f"{np.abs(self.missed(origin)).max():.3g}: they may be out of reach, or the start is not generic."
            )
        for _ in range(MAX_STEPS):
            here = self.at(point)
            if here.rank < full:
                raise ProjectionError(
                    f"the gradients of the laws become dependent on the way (rank {here.rank}, {full} at the start): "
                    "the surface is singular there; move the start a little."
                )
            step = self._step(origin, point, here)
            if step is None:
                return point
            closer = self._closer(origin, point, step)
            if closer is None:
                break
            point = closer
        raise ProjectionError(
            "the nearest point was not reached: no further step comes closer; start nearer to the surface."
        )

    def _step(self, origin: Values, point: Values, here: _Tangent) -> Values | None:
        """A tangent step towards the minimum; None at it."""
        away = origin - point
        slope = here.tangent.T @ away
        weights = np.zeros(self._map.count)
        weights[here.chosen] = solve_triangular(here.triangle, here.normal.T @ away)
        curved = here.tangent.T @ self._map.hessian(point, weights) @ here.tangent
        curvature = np.eye(len(slope)) + curved
        still = np.linalg.norm(slope) <= STILL * (1 + np.linalg.norm(away))
        try:
            factor = cho_factor(curvature + FLAT * np.eye(len(slope)))
            return None if still else np.asarray(here.tangent @ cho_solve(factor, slope))
        except LinAlgError:
            eigenvalues, basis = eigh(curvature)
        if still:  # a saddle: down along the most negative curvature
            return np.asarray(here.tangent @ basis[:, 0] * 0.1 * max(1.0, float(np.linalg.norm(away))))
        return np.asarray(here.tangent @ (basis @ (basis.T @ slope / np.maximum(np.abs(eigenvalues), FLAT))))

    def _closer(self, origin: Values, point: Values, step: Values) -> Values | None:
        """A point of the surface along the step that is closer to the origin, or near its minimum; None if none is."""
        distance = np.linalg.norm(point - origin)
        for _ in range(HALVINGS):
            after = self.met(point + step)
            short = np.linalg.norm(step) <= SHORT * (1 + distance)
            if after is not None and (short or np.linalg.norm(after - origin) < distance):
                return after
            step = step / 2
        return None
