r"""The risk $E(\theta) = \frac1N \sum_i \ell(g(\theta, x_i), y_i)$ of a model on data, and its gradient.

The model's program runs once on all samples, with the true gates and maxima at each and the true analytic functions;
then one reverse sweep. In floating point, or in rationals where the program and the loss allow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from fractions import Fraction
from math import pi, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, softmax

from clexact.algebra.evaluation import Values
from clexact.programs.model import Model
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Gate, Program
from clexact.programs.reverse import ExactRows, gradients
from clexact.training.data import Data, numbers
from clexact.training.loss import SQUARED, Loss, as_loss

Function = Callable[[Values], Values]
Slope = Callable[[Values, Values], Values]  # (z, f(z)) -> f'(z)

FUNCTIONS: dict[str, tuple[Function, Slope]] = {
    "exp": (np.exp, lambda z, y: y),
    "tanh": (np.tanh, lambda z, y: 1 - y * y),
    "sigmoid": (expit, lambda z, y: y * (1 - y)),
    "normal_cdf": (ndtr, lambda z, y: np.exp(-z * z / 2) / sqrt(2 * pi)),
    "softplus": (lambda z: np.logaddexp(0, z), lambda z, y: expit(z)),
    "log": (np.log, lambda z, y: 1 / z),
    "sin": (np.sin, lambda z, y: np.cos(z)),
    "cos": (np.cos, lambda z, y: -np.sin(z)),
    "reciprocal": (lambda z: 1 / z, lambda z, y: -y * y),
    "rsqrt": (lambda z: 1 / np.sqrt(z), lambda z, y: -y / (2 * z)),
}


class Samples(ExactRows):
    """Arrays with one more axis in front, the samples (1 where all share a value), of floats or of Fractions."""

    def constant(self, value: Values) -> Values:
        return value[None]

    def matmul(self, a: Values, b: Values) -> Values:
        """One product of matrices where all samples share one of them."""
        if a.ndim == 3 and len(a) == 1 and b.shape[2] == 1:
            return np.asarray((b[:, :, 0] @ a[0].T)[:, :, None])
        if a.ndim == 3 and len(b) == 1:
            return np.asarray(a.reshape(-1, a.shape[2]) @ b[0]).reshape(*a.shape[:2], b.shape[2])
        return super().matmul(a, b)

    def sum(self, a: Values, axis: int) -> Values:
        return np.asarray(a.sum(axis=axis + 1))

    def concatenate(self, parts: list[Values], axis: int) -> Values:
        count = max(map(len, parts))
        return np.concatenate([np.broadcast_to(p, (count, *p.shape[1:])) for p in parts], axis=axis + 1)

    def function(self, z: Values, name: str) -> Values:
        return FUNCTIONS[name][0](z)

    def softmax(self, z: Values, axis: int) -> Values:
        return np.asarray(softmax(z, axis=axis + 1))


class Cotangents(Samples):
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
        return FUNCTIONS[name][1](a, value) * g

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
        self._program = _converted(model.program, rational)
        self._gates = {gate.probe: gate for gate in model.program.gates}

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
        values: list[Values] = []
        parameters = pieces(theta, self.model.parameters)
        for node in self._program.nodes:
            if node.op not in LEAVES:
                values.append(self._program.value(Samples(), node, values))
            elif node.op == "parameter":
                values.append(parameters[node.data][None])
            elif node.data in self._gates:
                gate = self._gates[node.data]
                values.append(_read(gate, values[gate.source]))
            else:
                values.append(self.data.inputs[node.data])
        return values


def _converted(program: Program, rational: bool) -> Program:
    """The program with constants of the numbers used."""
    kind: type = object if rational else float
    nodes = [replace(n, data=n.data.astype(kind)) if n.op == "constant" else n for n in program.nodes]
    return Program(nodes, program.output, program.gates)


def _read(gate: Gate, z: Values) -> Values:
    """The true gates, sample by sample, at the values of their source."""
    if gate.axis is None:
        gates: Values = np.full(z.shape, gate.slope, dtype=z.dtype)
        gates[np.asarray(z > 0, dtype=bool)] = 1
        return gates
    axis = gate.axis + 1
    largest = np.expand_dims(np.argmax(z, axis=axis), axis)
    places = np.arange(z.shape[axis]).reshape((-1, *[1] * (z.ndim - axis - 1)))
    return np.asarray(places == largest, dtype=z.dtype)


def pieces(theta: Values, shapes: Mapping[str, Shape]) -> dict[str, Values]:
    """Consecutive entries of the last axis as arrays of these shapes."""
    ends = np.cumsum([0, *map(prod, shapes.values())]).tolist()
    return {
        name: theta[..., first : first + prod(shape)].reshape((*theta.shape[:-1], *shape))
        for first, (name, shape) in zip(ends, shapes.items(), strict=False)
    }


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
