"""Meanings of the operations of a program: what an algebra must have, and the algebras of numbers and of degrees.

Others are in files of their own: jets modulo a prime, sparse jets, expanded polynomials, opaque functions.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from math import lcm
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.programs.places import OuterIndex, Shape

V = TypeVar("V")


class Algebra(Protocol[V]):
    """The meaning of each operation on values of one kind. Binary operands have equally many axes and broadcast."""

    def constant(self, value: NDArray[Any]) -> V: ...
    def add(self, a: V, b: V) -> V: ...
    def multiply(self, a: V, b: V) -> V: ...
    def matmul(self, a: V, b: V) -> V: ...
    def transpose(self, a: V, axes: tuple[int, ...]) -> V: ...
    def reshape(self, a: V, shape: Shape) -> V: ...
    def take(self, a: V, index: NDArray[np.int64]) -> V: ...
    def concatenate(self, parts: list[V], axis: int) -> V: ...
    def sum(self, a: V, axis: int) -> V: ...

    def select(self, a: V, places: OuterIndex) -> V:
        """Entries at places along each axis: a table of them is taken, unless the algebra has a shorter way."""
        return self.take(a, places.table)

    def function(self, a: V, name: str) -> V:
        """An analytic function of each entry: no operation of most algebras."""
        raise ValueError(f"{name} is no operation of polynomials.")

    def softmax(self, a: V, axis: int) -> V:
        """Likewise."""
        raise ValueError("softmax is no operation of polynomials.")


class Reversible(Algebra[V], Protocol[V]):
    """An algebra with the transposes of its operations: what a reverse sweep needs.

    Values have one more axis in front; shapes and axes are counted without it.
    """

    def unbroadcast(self, a: V, shape: Shape) -> V:
        """Sum over the axes along which an operand of this shape was repeated."""

    def scatter(self, a: V, index: NDArray[np.int64], shape: Shape) -> V:
        """The transpose of ``take``: add the entries of a at the places ``index`` of zeros."""

    def pull_back_select(self, g: V, places: OuterIndex) -> V:
        """The transpose of ``select``."""
        return self.scatter(g, places.table, places.source)

    def pull_back_matmul(self, shape: Shape, k: int, operands: list[V], g: V) -> V:
        """The cotangent of operand k, of this shape, of a matrix product with cotangent g."""
        axes = len(shape)
        turned = self.transpose(operands[1 - k], (*range(axes - 2), axes - 1, axes - 2))
        return self.unbroadcast(self.matmul(g, turned) if k == 0 else self.matmul(turned, g), shape)

    def pull_back_function(self, name: str, a: V, value: V, g: V) -> V:
        """The cotangent of a, of which ``value`` is the function."""
        raise ValueError(f"{name} is no operation of polynomials.")

    def pull_back_softmax(self, axis: int, value: V, g: V) -> V:
        """The cotangent of the argument of a softmax with this value."""
        raise ValueError("softmax is no operation of polynomials.")


class Numbers(Algebra[NDArray[Any]]):
    """NumPy arrays of any dtype (float, or object holding int or Fraction)."""

    @staticmethod
    def _array(value: Any, *operands: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(value, dtype=np.result_type(*operands))  # NumPy turns results without axes into scalars

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return value

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(a + b, a, b)

    def multiply(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(a * b, a, b)

    def take(self, a: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
        return self._array(a.ravel()[index], a)

    def sum(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        return self._array(np.sum(a, axis=axis), a)

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(np.matmul(a, b), a, b)

    def transpose(self, a: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
        return a.transpose(axes)

    def reshape(self, a: NDArray[Any], shape: Shape) -> NDArray[Any]:
        return a.reshape(shape)

    def concatenate(self, parts: list[NDArray[Any]], axis: int) -> NDArray[Any]:
        return np.concatenate(parts, axis=axis)


class Rationals(Numbers):
    """As ``Numbers``, for objects that are integers and Fractions: products of matrices are made of integers.

    Of matrices that are ``kept`` the integers are made once.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[NDArray[Any], tuple[NDArray[Any], int]]] = {}

    def keep(self, a: NDArray[Any]) -> NDArray[Any]:
        """The same array, of which products will be made again and again."""
        if a.dtype == np.dtype(object):
            self._known[id(a)] = a, _cleared(a)
        return a

    def _integers(self, a: NDArray[Any]) -> tuple[NDArray[Any], int]:
        return self._known[id(a)][1] if id(a) in self._known else _cleared(a)

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        if np.result_type(a, b) != np.dtype(object):
            return super().matmul(a, b)
        (a, below_a), (b, below_b) = self._integers(a), self._integers(b)
        product, below = self._array(np.matmul(a, b), a, b), below_a * below_b
        return product if below == 1 else _divided(product, below)


def _cleared(a: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Integers and a number: an array of integers and Fractions is their quotient."""
    entries = a.ravel().tolist()
    if all(type(c) is int for c in entries):
        return a, 1
    below = lcm(*{c.denominator for c in entries})
    return _objects([c.numerator * (below // c.denominator) for c in entries], a.shape), below


def _divided(a: NDArray[Any], below: int) -> NDArray[Any]:
    """Integers over a number, as integers where they are."""
    quotients = (Fraction(c, below) for c in a.ravel().tolist())
    return _objects([q.numerator if q.denominator == 1 else q for q in quotients], a.shape)


def _objects(entries: list[Any], shape: Shape) -> NDArray[Any]:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array.reshape(shape)


class Magnitudes(Numbers):
    """As ``Numbers``, with |c| for each constant: at ones, an upper bound of the sum of the absolute coefficients."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return self._array(np.abs(value), value)


class TermCounts(Numbers):
    """As ``Numbers``, with 1 for each constant: at ones, an upper bound of the number of terms when expanded."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return np.ones(value.shape)


class Support(Numbers):
    """What may differ from zero: 0 or 1 for each entry."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(value != 0, dtype=np.float32)

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.maximum(a, b))

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.matmul(a, b) > 0, dtype=np.float32)

    def sum(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        return np.asarray(np.max(a, axis=axis))

    def function(self, a: NDArray[Any], name: str) -> NDArray[Any]:
        return np.ones_like(a)  # a function of zero need not vanish

    def softmax(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        return np.ones_like(a)


class Uniform(Algebra[V]):
    """One value stands for all entries of an array: moving entries leaves it, and a sum of them is like any."""

    def matmul(self, a: V, b: V) -> V:
        return self.multiply(a, b)

    def transpose(self, a: V, axes: tuple[int, ...]) -> V:
        return a

    def reshape(self, a: V, shape: Shape) -> V:
        return a

    def take(self, a: V, index: NDArray[np.int64]) -> V:
        return a

    def select(self, a: V, places: OuterIndex) -> V:
        return a

    def concatenate(self, parts: list[V], axis: int) -> V:
        return reduce(self.add, parts)

    def sum(self, a: V, axis: int) -> V:
        return a


class Degrees(Uniform[int]):
    """Total degree of the entries of an array, at most. Constants count ``of_constant``."""

    def __init__(self, of_constant: int = 0) -> None:
        self._of_constant = of_constant

    def constant(self, value: NDArray[Any]) -> int:
        return self._of_constant

    def add(self, a: int, b: int) -> int:
        return max(a, b)

    def multiply(self, a: int, b: int) -> int:
        return a + b
