r"""Analytic functions on jets: $f(a + b\,e) = f(a) + f'(a)\,b\,e$ where $e^2 = 0$, and their transposes.

What a function is at numbers, a ring says (``at``); each derivative is an expression in the argument and the value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Generic, TypeVar

from clexact.programs.algebras import Reversible
from clexact.programs.places import Shape
from clexact.programs.sparse_jets import ROWS

P = TypeVar("P")  # one part of a jet: {mask: part}


class Analytic(Reversible[dict[int, P]], ABC, Generic[P]):
    """To be mixed into a ring of jets: functions of its elements, and the transposes of their derivatives."""

    @abstractmethod
    def at(self, name: str, a: dict[int, P]) -> dict[int, P]:
        """A function of numbers: of a jet without infinitesimals."""

    @abstractmethod
    def shape(self, a: dict[int, P]) -> Shape:
        """Of the array."""

    @abstractmethod
    def number(self, value: int | Fraction, shape: Shape) -> dict[int, P]:
        """An exact number at every place."""

    @abstractmethod
    def subtract(self, a: dict[int, P], b: dict[int, P]) -> dict[int, P]:
        """a - b."""

    @property
    @abstractmethod
    def density(self) -> int:
        r"""What stands for $1/\sqrt{2\pi}$."""

    def function(self, a: dict[int, P], name: str) -> dict[int, P]:
        last = max(mask & ~ROWS for mask in a)
        if not last:
            return self.at(name, a)
        e = 1 << (last.bit_length() - 1)
        low = {mask: part for mask, part in a.items() if not mask & e}
        high = {mask ^ e: part for mask, part in a.items() if mask & e}
        value = self.function(low, name)
        moved = self.multiply(self.slope(name, low, value), high)
        return value | {mask | e: part for mask, part in moved.items()}

    def slope(self, name: str, z: dict[int, P], f: dict[int, P]) -> dict[int, P]:
        """The derivative at z of the function with value f there."""
        match name:
            case "exp":
                return f
            case "reciprocal":
                return self._times(-1, self.multiply(f, f))
            case "rsqrt":
                return self._times(Fraction(-1, 2), self.multiply(f, self.multiply(f, f)))
            case "sigmoid":
                return self.subtract(f, self.multiply(f, f))
            case "tanh":
                return self.subtract(self.number(1, self.shape(f)), self.multiply(f, f))
            case "normal_cdf":
                exponent = self._times(Fraction(-1, 2), self.multiply(z, z))
                return self._times(self.density, self.function(exponent, "exp"))
            case "softplus":
                return self.function(z, "sigmoid")
            case "log":
                return self.function(z, "reciprocal")
            case "sin":
                return self.function(z, "cos")
            case "cos":
                return self._times(-1, self.function(z, "sin"))
            case _:
                raise ValueError(f"the function {name} has no rule.")

    def pull_back_function(self, name: str, a: dict[int, P], value: dict[int, P], g: dict[int, P]) -> dict[int, P]:
        return self.multiply(g, self.slope(name, a, value))

    def softmax(self, a: dict[int, P], axis: int) -> dict[int, P]:
        powers = self.function(a, "exp")
        return self.multiply(powers, self.function(self._total(powers, axis), "reciprocal"))

    def pull_back_softmax(self, axis: int, value: dict[int, P], g: dict[int, P]) -> dict[int, P]:
        r"""$s_i (g_i - \sum_j s_j g_j)$."""
        weighted = self.multiply(g, value)
        return self.subtract(weighted, self.multiply(value, self._total(weighted, axis)))

    def _times(self, factor: int | Fraction, a: dict[int, P]) -> dict[int, P]:
        return self.multiply(a, self.number(factor, (1,) * len(self.shape(a))))

    def _total(self, a: dict[int, P], axis: int) -> dict[int, P]:
        """The sum along an axis, which stays."""
        shape = self.shape(a)
        return self.reshape(self.sum(a, axis), (*shape[:axis], 1, *shape[axis + 1 :]))
