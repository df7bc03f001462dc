"""Losses of an output against a target, with their gradients: two of the library, or the user's own, validated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from clexact.support.losses import loss_kind

Values = NDArray[Any]  # of floats, or of Fractions
Shape = tuple[int, ...]

STEP, AGREEMENT = 1e-5, 1e-4  # of the finite differences that a gradient given is compared with


def many(shape: Shape) -> str:
    """The shape of N arrays of this shape, as text."""
    return f"(N, {', '.join(map(str, shape))})" if shape else "(N,)"


@dataclass(frozen=True)
class Loss:
    r"""$\ell(z, y)$, sample by sample. Targets are handed over as given.

    Parameters
    ----------
    name : str
        What it is called.
    value : callable
        Maps outputs (N, \*shape) and targets to (N,).
    gradient : callable
        Maps them to the gradients by z, (N, \*shape).
    span : {"full", "cross_entropy"}
        What the gradients by z span, as the ``loss`` of ``clexact.gradient_flow``: ``"full"``, or ``"cross_entropy"``
        where their entries along the last axis sum to zero.

    Examples
    --------
    >>> import numpy as np
    >>> huber = Loss(
    ...     "pseudo-Huber",
    ...     lambda z, y: (np.sqrt(1 + (z - y) ** 2) - 1).sum(axis=1),
    ...     lambda z, y: (z - y) / np.sqrt(1 + (z - y) ** 2),
    ... )
    >>> huber.check(np.ones((4, 2)), np.zeros((4, 2)))
    """

    name: str
    value: Callable[[Values, Values], Values]
    gradient: Callable[[Values, Values], Values]
    span: str = "full"

    def __post_init__(self) -> None:
        if not callable(self.value) or not callable(self.gradient):
            raise TypeError(f"loss {self.name!r} needs two functions of outputs and targets: value and gradient.")
        if self.span not in ("full", "cross_entropy"):
            raise ValueError(f"the span of a loss must be 'full' or 'cross_entropy', not {self.span!r}.")

    def targets(self, given: Values, shape: Shape) -> Values:
        """The targets as ``value`` and ``gradient`` take them.

        Parameters
        ----------
        given : numpy.ndarray
            As users give them, (N, ...).
        shape : tuple of int
            Of an output of the model.

        Returns
        -------
        numpy.ndarray
            For cross-entropy labels become rows of 0 and 1.

        Raises
        ------
        ValueError
            If they do not fit outputs of this shape.

        Examples
        --------
        >>> CROSS_ENTROPY.targets(np.array([0, 2]), (3,))
        array([[1., 0., 0.],
               [0., 0., 1.]])
        """
        return given

    def check(self, z: Values, y: Values) -> None:
        r"""Compare the gradient with finite differences, in floating point.

        Parameters
        ----------
        z : numpy.ndarray
            Outputs, (N, \*shape).
        y : numpy.ndarray
            Targets.

        Raises
        ------
        ValueError
            Unless both functions have the right shapes and the gradient agrees.

        Examples
        --------
        >>> SQUARED.check(np.ones((4, 2)), np.zeros((4, 2)))
        >>> wrong = Loss("wrong", SQUARED.value, lambda z, y: y - z)
        >>> wrong.check(np.ones((4, 2)), np.zeros((4, 2)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        ValueError: ...
        """
        value, gradient = np.asarray(self.value(z, y)), np.asarray(self.gradient(z, y))
        if value.shape != (len(z),):
            raise ValueError(f"loss {self.name!r} must have one value a sample, {(len(z),)}, not {value.shape}.")
        if gradient.shape != z.shape:
            raise ValueError(f"the gradient of loss {self.name!r} must have shape {z.shape}, not {gradient.shape}.")
        if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
            raise ValueError(f"loss {self.name!r} is not finite at the start.")
        axes = tuple(range(1, z.ndim))
        if self.span == "cross_entropy" and not np.allclose(gradient.sum(axis=-1), 0, atol=AGREEMENT):
            raise ValueError(f"the gradient of loss {self.name!r} has span 'cross_entropy', but its sum is not zero.")
        direction = np.random.default_rng(0).standard_normal(z.shape)
        moved = [np.asarray(self.value(z + side * STEP * direction, y)) for side in (1, -1)]
        slope, said = (moved[0] - moved[1]) / (2 * STEP), (gradient * direction).sum(axis=axes)
        if not np.allclose(slope, said, rtol=AGREEMENT, atol=AGREEMENT * (1 + np.abs(value).max())):
            worst = int(np.argmax(np.abs(slope - said)))
            raise ValueError(
                f"the gradient of loss {self.name!r} gives a slope of {said[worst]:.6g} at sample {worst}, but finite "
                f"differences of its value give {slope[worst]:.6g}."
            )


class _Squared(Loss):
    def targets(self, given: Values, shape: Shape) -> Values:
        if given.shape[1:] != shape:
            raise ValueError(f"targets must have shape {many(shape)}, not {given.shape}.")
        return given


class _CrossEntropy(Loss):
    def targets(self, given: Values, shape: Shape) -> Values:
        """Labels 0, 1, ... as rows of 0 and 1; probabilities stay as they are."""
        if not shape:
            raise ValueError("cross-entropy needs an output with a last axis of classes, not a scalar.")
        if given.shape[1:] == shape:
            if (given < 0).any() or not np.allclose(given.astype(float).sum(axis=-1), 1):
                raise ValueError("targets of the outputs' shape must be probabilities: at least 0, of sum 1.")
            return given.astype(float)
        labels = given.astype(float)
        if given.shape[1:] != shape[:-1]:
            wanted = f"labels of shape {many(shape[:-1])} or probabilities of shape {many(shape)}"
            raise ValueError(f"targets must be {wanted}, not {given.shape}.")
        if (labels != np.floor(labels)).any() or (labels < 0).any() or (labels >= shape[-1]).any():
            raise ValueError(f"labels must be integers from 0 to {shape[-1] - 1}, the classes of the output.")
        return np.eye(shape[-1])[labels.astype(np.int64)]


def _other_axes(z: Values) -> tuple[int, ...]:
    return tuple(range(1, z.ndim))


SQUARED = _Squared(
    "squared",
    lambda z, y: ((z - y) * (z - y)).sum(axis=_other_axes(z)) / 2,
    lambda z, y: z - y,
)
r"""$\frac12 |z - y|^2$, also in rationals."""

CROSS_ENTROPY = _CrossEntropy(
    "cross_entropy",
    lambda z, y: -(y * log_softmax(z, axis=-1)).sum(axis=_other_axes(z)),
    lambda z, y: softmax(z, axis=-1) - y,
    "cross_entropy",
)
r"""$-\sum_c y_c \log \mathrm{softmax}(z)_c$ along the last axis; targets are labels or probabilities."""

NAMED = {loss.name: loss for loss in (SQUARED, CROSS_ENTROPY)}


def as_loss(loss: str | Loss) -> Loss:
    """A loss by its name, or as given; ValueError or TypeError for anything else."""
    if isinstance(loss, Loss):
        return loss
    if not isinstance(loss, str):
        raise TypeError(f"loss must be one of {', '.join(map(repr, NAMED))} or a Loss, not {loss!r}.")
    if loss == "full" or (kind := loss_kind(loss)) is None:
        raise ValueError(f"loss must be one of {', '.join(map(repr, NAMED))} or a Loss, not {loss!r}.")
    return SQUARED if kind == "full" else CROSS_ENTROPY
