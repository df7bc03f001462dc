"""NumPy's ufuncs that are operators, on arrays of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from clexact.programs.array import Array
from clexact.programs.dispatch import implements


def _operator(name: str) -> Callable[[Any, Any], Any]:
    """A binary operator of Python; reflected where the first operand is a constant."""

    def operator(x1: Any, x2: Any) -> Any:
        return getattr(x1, f"__{name}__")(x2) if isinstance(x1, Array) else getattr(x2, f"__r{name}__")(x1)

    return operator


OPERATORS = {np.add: "add", np.subtract: "sub", np.multiply: "mul", np.matmul: "matmul", np.true_divide: "truediv"}
for _ufunc, _name in OPERATORS.items():
    implements(_ufunc)(_operator(_name))


@implements(np.power)
def _power(x1: Array, x2: Any) -> Array:
    if isinstance(x2, Array):
        raise TypeError("a power must be an integer, or half of one, not an array of a model.")
    return x1.__pow__(x2)


@implements(np.negative)
def _negative(x: Array) -> Array:
    return -x


@implements(np.positive)
def _positive(x: Array) -> Array:
    return x


@implements(np.square)
def _square(x: Array) -> Array:
    return x * x
