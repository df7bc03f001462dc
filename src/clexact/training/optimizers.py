r"""Discrete optimizers: how $\theta_{k+1}$ comes from $\theta_k$, gradients g and the weight decay $\lambda$."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.evaluation import Values
from clexact.algebra.polynomial import Number
from clexact.programs.model import check_size
from clexact.training.risk import as_fraction

Gradient = Callable[[Values], Values]
Rate = float | Number


@dataclass(frozen=True)
class Optimizer(ABC):
    """An optimizer; a step sees all samples, or a mini-batch of them.

    Parameters
    ----------
    eta : float, int or Fraction
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.

    Examples
    --------
    >>> GD(0.1, batch=2), isinstance(GD(0.1), Optimizer)
    (GD(eta=0.1, batch=2, seed=0), True)
    """

    eta: Rate
    batch: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.eta, bool) or not isinstance(self.eta, (int, float, Fraction)) or not self.eta > 0:
            raise ValueError(f"eta must be a positive number, not {self.eta!r}.")
        if self.batch is not None:
            check_size(self.batch, "batch")
        Draws(self.seed)  # refuses a wrong seed

    @abstractmethod
    def points(self, theta: Values, gradient: Gradient, decay: Any) -> Iterator[Values]:
        r"""$\theta_1, \theta_2, \dots$ from $\theta_0$.

        Parameters
        ----------
        theta : numpy.ndarray
            $\theta_0$, of shape (D,).
        gradient : callable
            Called once a step, at a point of shape (D,).
        decay : float or Fraction
            The weight decay $\lambda$.

        Yields
        ------
        numpy.ndarray
            The points, without end.

        Examples
        --------
        >>> from itertools import islice
        >>> list(islice(GD(0.5).points(np.array([1.0]), lambda theta: theta, 0), 3))
        [array([0.5]), array([0.25]), array([0.125])]
        """

    def converted(self, rational: bool) -> Optimizer:
        """With rates as floats, or as Fractions.

        Parameters
        ----------
        rational : bool
            Whether as Fractions.

        Returns
        -------
        Optimizer
            A new one of the same class.

        Raises
        ------
        TypeError
            For a float where Fractions are wanted.
        ValueError
            For an optimizer that takes square roots, likewise.

        Examples
        --------
        >>> GD(1).converted(True), GD(1).converted(False)
        (GD(eta=Fraction(1, 1), batch=None, seed=0), GD(eta=1.0, batch=None, seed=0))
        """
        names = [name for name in ("eta", "momentum") if getattr(self, name, None) is not None]
        return replace(self, **{name: as_fraction(getattr(self, name), name, rational) for name in names})

    def batches(self, size: int) -> Iterator[NDArray[np.int64] | None]:
        """Numbers of the samples of each step. A last batch of an epoch that is not full is left out.

        Parameters
        ----------
        size : int
            Number of samples.

        Returns
        -------
        iterator of (numpy.ndarray or None)
            Without end; None for all samples.

        Raises
        ------
        ValueError
            If a batch is larger than ``size``.

        Examples
        --------
        >>> from itertools import islice
        >>> [chosen.size for chosen in islice(SGD(0.1, batch=2).batches(5), 3)]
        [2, 2, 2]
        """
        if self.batch is None:
            return repeat(None)
        if self.batch > size:
            raise ValueError(f"batch must be at most the {size} samples given, not {self.batch}.")
        return _shuffled(size, self.batch, np.random.default_rng(self.seed))


def _shuffled(size: int, batch: int, draws: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        order = draws.permutation(size)
        for first in range(0, size - batch + 1, batch):
            yield order[first : first + batch]


class GD(Optimizer):
    r"""Gradient descent, $\theta^+ = (1 - \eta\lambda)\theta - \eta g$; with ``batch``, stochastic.

    Parameters
    ----------
    eta : float, int or Fraction
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.

    Examples
    --------
    >>> next(GD(0.1).points(np.array([1.0]), lambda theta: 2 * theta, 0))
    array([0.8])
    """

    def points(self, theta: Values, gradient: Gradient, decay: Any) -> Iterator[Values]:
        while True:
            theta = (1 - self.eta * decay) * theta - self.eta * gradient(theta)
            yield theta


@dataclass(frozen=True)
class SGD(GD):
    """Gradient descent on mini-batches of ``batch`` samples.

    Parameters
    ----------
    eta : float, int or Fraction
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.

    Examples
    --------
    >>> SGD(0.1)
    SGD(eta=0.1, batch=1, seed=0)
    """

    batch: int | None = 1


@dataclass(frozen=True)
class HeavyBallStep(Optimizer):
    r"""Polyak's steps, $\theta^+ = \theta - \eta (g + \lambda\theta) + \beta(\theta - \theta^-)$.

    Parameters
    ----------
    eta : float, int or Fraction
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.
    momentum : float, int or Fraction
        $\beta$.

    Examples
    --------
    >>> points = HeavyBallStep(0.5, momentum=0.5).points(np.array([1.0]), lambda theta: theta, 0)
    >>> next(points), next(points)
    (array([0.5]), array([0.]))
    """

    momentum: Rate = 0.9

    def points(self, theta: Values, gradient: Gradient, decay: Any) -> Iterator[Values]:
        move = theta * 0
        while True:
            move = self.momentum * move - self.eta * (gradient(theta) + decay * theta)
            theta = theta + move
            yield theta


@dataclass(frozen=True)
class NesterovStep(Optimizer):
    r"""Nesterov's steps: $z = \theta + \beta(\theta - \theta^-)$, $\theta^+ = z - \eta(\nabla E(z) + \lambda z)$.

    Parameters
    ----------
    eta : float, int or Fraction
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.
    momentum : float, int or Fraction, optional
        $\beta$, or k/(k + 3) at step k where None (Su, Boyd and Candès, arXiv 1503.01243).

    Examples
    --------
    >>> points = NesterovStep(0.5).points(np.array([1.0]), lambda theta: theta, 0)
    >>> next(points), next(points)
    (array([0.5]), array([0.1875]))
    """

    momentum: Rate | None = None

    def points(self, theta: Values, gradient: Gradient, decay: Any) -> Iterator[Values]:
        move = theta * 0
        for k in count():
            z = theta + (move * k / (k + 3) if self.momentum is None else self.momentum * move)
            after = z - self.eta * (gradient(z) + decay * z)
            move, theta = after - theta, after
            yield theta


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Adam (arXiv 1412.6980); weight decay is added to the gradient, as $\lambda\theta$. In floating point only.

    Parameters
    ----------
    eta : float
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.
    beta1 : float
        Decay of the mean of gradients.
    beta2 : float
        Decay of the mean of their squares.
    epsilon : float
        What is added to the root of the latter.

    Examples
    --------
    >>> next(Adam(0.1).points(np.array([1.0]), lambda theta: 5 * theta, 0)).round(6)  # a step of size eta
    array([0.9])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decoupled = False

    def converted(self, rational: bool) -> Optimizer:
        if rational:
            raise ValueError(f"{type(self).__name__} takes square roots: not in exact numbers.")
        return super().converted(rational)

    def points(self, theta: Values, gradient: Gradient, decay: Any) -> Iterator[Values]:
        m, v = theta * 0, theta * 0
        for k in count(1):
            g = gradient(theta) + (0 if self.decoupled else decay * theta)
            m = self.beta1 * m + (1 - self.beta1) * g
            v = self.beta2 * v + (1 - self.beta2) * g * g
            step = m / (1 - self.beta1**k) / (np.sqrt(v / (1 - self.beta2**k)) + self.epsilon)
            theta = theta - self.eta * (step + (decay * theta if self.decoupled else 0))
            yield theta


class AdamW(Adam):
    r"""Adam with decoupled decay, $\theta^+ = (1 - \eta\lambda)\theta - \eta\,\mathrm{step}$ (arXiv 1711.05101).

    Parameters
    ----------
    eta : float
        The step size.
    batch : int, optional
        Number of samples that a step sees; None: all.
    seed : int
        By which the samples are shuffled.
    beta1 : float
        Decay of the mean of gradients.
    beta2 : float
        Decay of the mean of their squares.
    epsilon : float
        What is added to the root of the latter.

    Examples
    --------
    >>> next(AdamW(0.1).points(np.array([1.0]), lambda theta: 0 * theta, 0.5))  # decay alone
    array([0.95])
    """

    decoupled = True
