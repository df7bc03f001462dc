"""NumPy's functions on arrays of a model: which there are, and what is said of the others.

Each is composed of the operations that programs have, when it is recorded: every reading has it for nothing. The table
is filled by ``rearrange.py``, ``sums.py``, ``contract.py``, ``ufuncs.py`` and ``clexact.functions``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Implementation = TypeVar("Implementation", bound=Callable[..., Any])

NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {}  # NumPy's function: that of the same arguments here

_BRANCH = "a model may not branch on values; relu and maximum of clexact.functions choose"
_ANALYTIC = "no exact residues of it are known; the analytic functions of models are those of clexact.functions"
INSTEAD: dict[Callable[..., Any], str] = {
    **dict.fromkeys((np.expm1, np.cbrt, np.arctan, np.sinh, np.cosh, np.exp2, np.log2, np.log10), _ANALYTIC),
    **dict.fromkeys((np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.sign), _BRANCH),
    **dict.fromkeys((np.argmax, np.argmin, np.argsort, np.sort, np.nonzero, np.heaviside, np.any, np.all), _BRANCH),
    np.clip: "np.minimum and np.maximum are defined",
    np.prod: "multiply its slices with *",
    np.linalg.inv: "clexact.functions.reciprocal inverts entries",
    np.linalg.solve: "clexact.functions.reciprocal inverts entries",
    np.linalg.det: "write it out in entries",
    np.block: "np.concatenate is",
    np.floor_divide: "divide with /",
}


def implements(*functions: Callable[..., Any]) -> Callable[[Implementation], Implementation]:
    """Enter an implementation in the table."""

    def entered(implementation: Implementation) -> Implementation:
        NUMPY.update(dict.fromkeys(functions, implementation))
        return implementation

    return entered


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A function of NumPy on arrays of a model; TypeError, naming what replaces it, where there is none."""
    name = _name(function)
    if function not in NUMPY:
        hint = f"; {INSTEAD[function]}" if function in INSTEAD else ""
        raise TypeError(f"{name} is not defined on arrays of a model{hint}.")
    try:
        inspect.signature(NUMPY[function]).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name} on arrays of a model: {error}.") from None
    return NUMPY[function](*args, **kwargs)


def _name(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{getattr(function, '__name__', function)}"
