"""Parameters as users give them to a law: a flat vector, arrays by name, of NumPy, PyTorch or exact numbers.

PyTorch is not imported: its tensors are told by their methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from clexact.algebra.terms import INT64_MAX, Ints
from clexact.programs.places import Shape

Arrays = dict[str, Any]


def read(
    shapes: Mapping[str, Shape],
    layout: tuple[tuple[str, Shape], ...],
    theta: Any,
    parameters: Mapping[str, Any],
    weights: Any,
    shape: Shape,
    degree: int = 2,
    coefficient: int = 1,
) -> Arrays:
    """Arrays (*batch, *shape) by name, and under "" the weights of the numbers of the law, if they are given.

    ``degree`` and largest ``coefficient`` are those of the law.
    """
    if isinstance(theta, Mapping):
        theta, parameters = None, {**theta, **parameters}
    if (theta is None) == (not parameters):
        raise TypeError("a law takes either theta, one vector of all parameters, or arrays by name.")
    if theta is not None:
        arrays = _split(_numbers(theta, "theta"), layout, shapes)
    else:
        arrays = _named(shapes, dict(layout), parameters)
    if weights is not None:
        arrays[""] = _numbers(weights, "weights")
        _check_shape(arrays[""], shape, "weights")
    return _wide(arrays, degree + 1, coefficient)


def _split(theta: Any, layout: tuple[tuple[str, Shape], ...], shapes: Mapping[str, Shape]) -> Arrays:
    """The parameters of the law, of a vector of all, along the last axis."""
    size = sum(prod(shape) for _, shape in layout)
    if not len(theta.shape) or theta.shape[-1] != size:
        given = tuple(theta.shape)
        raise ValueError(f"theta must have {size} entries along its last axis, not the shape {given}.")
    arrays, first = {}, 0
    for name, shape in layout:
        if name in shapes:
            arrays[name] = theta[..., first : first + prod(shape)].reshape((*theta.shape[:-1], *shape))
        first += prod(shape)
    return arrays


def _named(shapes: Mapping[str, Shape], known: Mapping[str, Shape], parameters: Mapping[str, Any]) -> Arrays:
    if missing := [name for name in shapes if name not in parameters]:
        raise ValueError(f"the law speaks of {', '.join(shapes)}, but {missing[0]} is not given.")
    if unknown := [name for name in parameters if name not in known]:
        raise ValueError(f"there is no parameter {unknown[0]}: there are {', '.join(known)}.")
    arrays = {name: _numbers(parameters[name], name) for name in shapes}
    for name, array in arrays.items():
        _check_shape(array, shapes[name], name)
    return arrays


def _check_shape(array: Any, shape: Shape, what: str) -> None:
    given = tuple(array.shape)
    if given[len(given) - len(shape) :] != tuple(shape) or len(given) < len(shape):
        raise ValueError(f"{what} must have the shape {tuple(shape)}, with batches in front of it, not {given}.")


def is_tensor(array: Any) -> bool:
    """Whether an array is one of PyTorch."""
    return hasattr(array, "new_zeros")


def _numbers(given: Any, what: str) -> Any:
    """A tensor as it is, anything else as a NumPy array; TypeError for what holds no numbers."""
    if is_tensor(given):
        return given
    try:
        array = np.asarray(given)
    except ValueError:
        raise ValueError(f"{what} must be an array, not rows of different lengths.") from None
    if array.dtype.kind not in "biufcO":
        raise TypeError(f"{what} must hold numbers, not {array.dtype}.")
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _wide(arrays: Arrays, most: int, coefficient: int) -> Arrays:
    """With Python's integers where machine integers might overflow in a sum of multiples of products of so many."""
    whole = [a for a in arrays.values() if isinstance(a, np.ndarray) and a.dtype.kind in "iu"]
    largest = max((max(abs(int(a.max())), abs(int(a.min()))) for a in whole if a.size), default=0)
    count = sum(prod(a.shape) for a in arrays.values())
    bound = 8 * coefficient * count * count * max(1, largest) ** most
    kind = np.int64 if bound <= INT64_MAX else object
    return {
        name: a.astype(kind) if isinstance(a, np.ndarray) and a.dtype.kind in "iu" else a for name, a in arrays.items()
    }


def identity(size: int, like: Any) -> Any:
    """The identity matrix, as an array of the same kind."""
    zeros = like.new_zeros((size, size)) if is_tensor(like) else np.zeros((size, size), dtype=like.dtype)
    zeros[range(size), range(size)] = 1
    return zeros


def placed(values: Any, places: Ints, size: int) -> Any:
    """Values (*batch, n) added up at their places in arrays of so many entries: (*batch, size)."""
    shape = (*values.shape[:-1], size)
    if is_tensor(values):
        zeros = values.new_zeros(shape)
        return zeros.index_add(-1, zeros.new_zeros(0).long().new_tensor(places.tolist()), values)
    out = np.zeros(shape, dtype=values.dtype)
    np.add.at(out.T, places, values.T)  # type: ignore[call-overload, unused-ignore]
    return out
