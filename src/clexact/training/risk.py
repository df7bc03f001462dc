r"""The risk $E(\theta) = \frac1N \sum_i \ell(g(\theta, x_i), y_i)$ of a model on data, and its gradient.

The model's program runs once on all samples, with the true gates and maxima at each and the true analytic functions;
then one reverse sweep. In floating point, or in rationals where the program and the loss allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from fractions import Fraction
from math import pi, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from clexact.algebra.evaluation import Values
from clexact.programs.model import Model
from clexact.programs.numeric import FUNCTIONS, Samples, converted, pieces, sigmoid, values
from clexact.programs.places import Shape
from clexact.programs.reverse import gradients
from clexact.training.data import Data, numbers
from clexact.training.loss import SQUARED, Loss, as_loss

Slope = Callable[[Values, Values], Values]  # (z, f(z)) -> f'(z)

SLOPES: dict[str, Slope] = {
    "exp": lambda z, y: y,
    "tanh": lambda z, y: 1 - y * y,
    "sigmoid": lambda z, y: y * (1 - y),
    "normal_cdf": lambda z, y: np.exp(-z * z / 2) / sqrt(2 * pi),
    "softplus": lambda z, y: sigmoid(z),
    "log": lambda z, y: 1 / z,
    "sin": lambda z, y: np.cos(z),
    "cos": lambda z, y: -np.sin(z),
    "reciprocal": lambda z, y: -y * y,
    "rsqrt": lambda z, y: -y / (2 * z),
}


class Rows(Samples):
    """As ``Samples``, with SciPy's normal distribution function, which is faster."""

    functions = FUNCTIONS | {"normal_cdf": ndtr}


class Cotangents(Rows):
    """What the reverse sweep needs. A cotangent of a shared array may have one row: then samples are summed already."""

    def add(self, a: Values, b: Values) -> Values:
        """The sum of two cotangents of one array."""
        if len(a) != len(b):
            a, b = a.sum(axis=0, keepdims=True), b.sum(axis=0, keepdims=True)
        return a + b

    def pull_back_matmul(self, shape: Shape, k: int, operands: list[Values], g: Values) -> Values:
        """Summed over samples at once where they share the operand: the outer products are not made."""
        operand, other = operands[k], operands[1 - k]
        if operand.ndim == 3 and len(operand) == 1:
            pairs = ((0, 2), (0, 2)) if k == 0 else ((0, 1), (0, 1))
            other = np.broadcast_to(other, (len(g), *other.shape[1:]))
            return np.asarray(np.tensordot(*((g, other) if k == 0 else (other, g)), axes=pairs))[None]
        return super().pull_back_matmul(shape, k, operands, g)

    def pull_back_function(self, name: str, a: Values, value: Values, g: Values) -> Values:
        """f'(z) g."""
        return SLOPES[name](a, value) * g

    def pull_back_softmax(self, axis: int, value: Values, g: Values) -> Values:
        r"""$y\,(g - \langle g, y\rangle)$."""
        return np.asarray(value * (g - (g * value).sum(axis=axis + 1, keepdims=True)))


class Risk:
    r"""$E(\theta)$, the mean loss of a model on data: call it for the value, ``gradient`` for $\nabla E$.

    At a tie the gradient is that of one piece: a unit that receives exactly 0 is off, of equal entries the first is
    largest.

    Parameters
    ----------
    model : Model
        The network.
    data : Data or pair
        (inputs, targets), see ``Data.read``.
    loss : str or Loss
        "squared", "cross_entropy" or a loss of one's own.
    rational : bool
        Whether all is in Fractions, else in floats.

    Raises
    ------
    TypeError, ValueError
        For data, a loss or a model that do not fit; in ``rational`` numbers for analytic functions and any loss but the
        squared one.

    Examples
    --------
    >>> import clexact
    >>> risk = Risk(clexact.models.linear([1, 1, 1]), ([[1], [2]], [[2], [4]]))
    >>> theta = risk.start([1, 1])
    >>> float(risk(theta)), risk.gradient(theta)
    (1.25, array([-2.5, -2.5]))
    """

    def __init__(self, model: Model, data: object, loss: str | Loss = "squared", *, rational: bool = False) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"expected a clexact.Model, not {model!r}.")
        self.model, self.loss, self.rational = model, as_loss(loss), rational
        if rational and model.program.functions:
            raise ValueError(f"{model.name} applies {', '.join(model.program.functions)}: not in exact numbers.")
        if rational and self.loss is not SQUARED:
            raise ValueError(f"loss {self.loss.name!r} is not rational: exact numbers take the squared loss.")
        self.data = Data.read(model, data, self.loss, rational)
        self._program = converted(model.program, object if rational else float)

    def on(self, chosen: NDArray[np.int64]) -> Risk:
        """The risk on some of the samples: a mini-batch.

        Parameters
        ----------
        chosen : numpy.ndarray
            Their numbers, from 0.

        Returns
        -------
        Risk
            Their mean.

        Examples
        --------
        >>> import clexact
        >>> risk = Risk(clexact.models.linear([1, 1, 1]), ([[1], [2]], [[2], [4]]))
        >>> [float(risk.on(np.array([n]))(risk.start([1, 1]))) for n in (0, 1)]
        [0.5, 2.0]
        """
        batch = copy(self)
        batch.data = self.data.rows(chosen)
        return batch

    def start(self, given: object) -> Values:
        """Theta as a vector.

        Parameters
        ----------
        given : sequence or mapping
            A vector (D,), or {parameter: array}.

        Returns
        -------
        numpy.ndarray
            Of shape (D,).

        Raises
        ------
        TypeError, ValueError
            If it does not fit.

        Examples
        --------
        >>> import clexact
        >>> Risk(clexact.models.linear([1, 2]), ([[1, 0]], [[1]])).start({"U1": [[3, 4]]})
        array([3., 4.])
        """
        return parameter_vector(self.model, given, "the start", self.rational)

    def outputs(self, theta: Values) -> Values:
        r"""The model's outputs, with its true gates.

        Parameters
        ----------
        theta : numpy.ndarray
            Of shape (D,).

        Returns
        -------
        numpy.ndarray
            Of shape (N, \*shape).

        Examples
        --------
        >>> import clexact
        >>> risk = Risk(clexact.models.relu([1, 1, 1]), ([[1], [-1]], [[0], [0]]))
        >>> risk.outputs(np.array([2.0, 3.0]))
        array([[6.],
               [0.]])
        """
        return self._outputs(self._values(theta))

    def __call__(self, theta: Values) -> Any:
        """E(theta), a float or a Fraction."""
        return self.loss.value(self.outputs(theta), self.data.targets).sum() / len(self.data)

    def gradient(self, theta: Values) -> Values:
        r"""$\nabla E(\theta)$.

        Parameters
        ----------
        theta : numpy.ndarray
            Of shape (D,).

        Returns
        -------
        numpy.ndarray
            Of shape (D,).

        Examples
        --------
        >>> import clexact
        >>> Risk(clexact.models.product(2), (None, [1])).gradient(np.array([2.0, 3.0]))  # 5 * (3, 2)
        array([15., 10.])
        """
        values = self._values(theta)
        covectors = self.loss.gradient(self._outputs(values), self.data.targets) / len(self.data)
        found = gradients(Cotangents(), self._program, values, self._program.output, covectors)
        zero: Values = np.zeros(1, dtype=theta.dtype)
        parts = [
            found[name].reshape(len(found[name]), -1).sum(axis=0) if name in found else zero.repeat(prod(shape))
            for name, shape in self.model.parameters.items()
        ]
        return np.concatenate(parts)

    def check_loss(self, theta: Values) -> None:
        """Compare the loss's gradient with finite differences at this point, in floating point.

        Parameters
        ----------
        theta : numpy.ndarray
            Of shape (D,).

        Raises
        ------
        ValueError
            Unless they agree.

        Examples
        --------
        >>> import clexact
        >>> Risk(clexact.models.product(2), (None, [1])).check_loss(np.array([2.0, 3.0]))
        """
        if not self.rational:
            self.loss.check(self.outputs(theta), self.data.targets)

    def _outputs(self, values: list[Values]) -> Values:
        """Outputs of a model without inputs are the same for all samples."""
        return np.broadcast_to(values[self._program.output], (len(self.data), *self._program.shape))

    def _values(self, theta: Values) -> list[Values]:
        parameters = {name: array[None] for name, array in pieces(theta, self.model.parameters).items()}
        return values(self._program, parameters | self.data.inputs, Rows())


def parameter_vector(model: Model, given: object, what: str, rational: bool = False) -> Values:
    """A vector (D,) from a vector, or from {parameter: array}."""
    if given is None:
        raise TypeError(f"{what} must be a vector of {model.dimension} numbers or {{parameter: array}}, not None.")
    if isinstance(given, Mapping):
        if set(given) != set(model.parameters):
            raise ValueError(f"{what} must give the parameters {list(model.parameters)}, not {list(given)}.")
        arrays = {name: numbers(given[name], f"{name!r} of {what}", rational) for name in model.parameters}
        for name, shape in model.parameters.items():
            if arrays[name].shape != shape:
                raise ValueError(f"{name!r} of {what} must have shape {shape}, not {arrays[name].shape}.")
        return np.concatenate([array.ravel() for array in arrays.values()])
    vector = numbers(given, what, rational)
    if vector.shape != (model.dimension,):
        raise ValueError(f"{what} must have shape ({model.dimension},), one number a parameter, not {vector.shape}.")
    return vector


def as_fraction(value: object, what: str, rational: bool) -> Any:
    """A rate as a float, or a Fraction in exact runs; TypeError for a float there."""
    if rational:
        return Fraction(numbers(value, what, True).item())
    return float(numbers(value, what, False))
