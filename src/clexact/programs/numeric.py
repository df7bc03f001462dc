"""A program at numbers, with its true gates: floats, or exact numbers where no function stands in it.

Values have one more axis in front, the samples (1 where all share a value).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import erfc, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Gate, Program
from clexact.programs.reverse import ExactRows
from clexact.support.listed import shown

Values = NDArray[Any]  # of floats, or of integers and Fractions


def numbers(given: object, what: str) -> Values:
    """An array of integers and Fractions as objects, or of floats; TypeError or ValueError, saying what, else."""
    try:
        array = np.asarray(given)
    except ValueError:
        raise ValueError(f"{what} must be an array of numbers with rows of equal length.") from None
    if array.dtype.kind in "iu":
        return array.astype(object)
    if array.dtype.kind == "f":
        return array
    if array.dtype == object and all(isinstance(c, (int, float, Fraction)) for c in array.ravel().tolist()):
        exact = all(isinstance(c, (int, Fraction)) for c in array.ravel().tolist())
        return array if exact else array.astype(float)
    raise TypeError(f"{what} must be an array of numbers, not {shown(given)}.")


def sigmoid(z: Values) -> Values:
    """1 / (1 + exp(-z)), without overflow."""
    return np.exp(-np.logaddexp(0, -z))


def normal_cdf(z: Values) -> Values:
    """The normal distribution function."""
    return np.asarray(np.frompyfunc(erfc, 1, 1)(-z / sqrt(2)) / 2, dtype=float)


FUNCTIONS: dict[str, Callable[[Values], Values]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "normal_cdf": normal_cdf,
    "softplus": lambda z: np.logaddexp(0, z),
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "reciprocal": lambda z: 1 / z,
    "rsqrt": lambda z: 1 / np.sqrt(z),
}


class Samples(ExactRows):
    """Arrays of floats or of exact numbers, a sample in each row."""

    functions: Mapping[str, Callable[[Values], Values]] = FUNCTIONS

    def matmul(self, a: Values, b: Values) -> Values:
        """One product of matrices where all samples share one of them."""
        if a.ndim == 3 and len(a) == 1 and b.shape[2] == 1:
            return np.asarray((b[:, :, 0] @ a[0].T)[:, :, None])
        if a.ndim == 3 and len(b) == 1:
            return np.asarray(a.reshape(-1, a.shape[2]) @ b[0]).reshape(*a.shape[:2], b.shape[2])
        return super().matmul(a, b)

    def function(self, z: Values, name: str) -> Values:
        return self.functions[name](z)

    def softmax(self, z: Values, axis: int) -> Values:
        powers = np.exp(z - z.max(axis=axis + 1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=axis + 1, keepdims=True))


def pieces(theta: Values, shapes: Mapping[str, Shape]) -> dict[str, Values]:
    """Consecutive entries of the last axis as arrays of these shapes."""
    ends = np.cumsum([0, *map(prod, shapes.values())]).tolist()
    return {
        name: theta[..., first : first + prod(shape)].reshape((*theta.shape[:-1], *shape))
        for first, (name, shape) in zip(ends, shapes.items(), strict=False)
    }


def converted(program: Program, kind: type) -> Program:
    """The program with constants of the numbers used: float, or object for exact ones."""
    nodes = [replace(n, data=n.data.astype(kind)) if n.op == "constant" else n for n in program.nodes]
    return Program(nodes, program.output, program.gates)


def values(program: Program, leaves: Mapping[str, Values], algebra: Samples) -> list[Values]:
    """Those of all nodes, with the gates read on the way."""
    found: list[Values] = []
    gates = {gate.probe: gate for gate in program.gates}
    for node in program.nodes:
        if node.op not in LEAVES:
            found.append(program.value(algebra, node, found))
        elif node.data in gates:
            found.append(read_gate(gates[node.data], found[gates[node.data].source]))
        else:
            found.append(leaves[node.data])
    return found


def read_gate(gate: Gate, z: Values) -> Values:
    """The true gates, sample by sample: at a tie one of the pieces, a unit that receives 0 is off."""
    if gate.axis is None:
        slope = int(gate.slope) if gate.slope == int(gate.slope) else gate.slope
        read: Values = np.full(z.shape, slope, dtype=z.dtype)
        read[np.asarray(z > 0, dtype=bool)] = 1
        return read
    axis = gate.axis + 1
    largest = np.expand_dims(np.argmax(z, axis=axis), axis)
    places = np.arange(z.shape[axis]).reshape((-1, *[1] * (z.ndim - axis - 1)))
    return np.asarray((places == largest).astype(np.int64), dtype=z.dtype)
