"""The table of rules, what a rule is given, and constants of PyTorch as exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import isinf
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clexact.programs.array import Array
from clexact.programs.places import Shape

LARGEST = 2**53  # below it every integer is a double


class NotTranslatableError(ValueError):
    """An operation, or this use of it, is none of programs; the message is a clause, or empty."""


class Masked(NamedTuple):
    """Scores of which some are minus infinity: they get no weight from a softmax, which alone reads them."""

    scores: Array
    hidden: NDArray[np.bool_]  # of the shape of the scores

    @classmethod
    def hide(cls, scores: Array | Masked, hidden: NDArray[np.bool_]) -> Masked:
        """Hide more entries, the mask broadcast with the scores."""
        if isinstance(scores, Masked):
            scores, hidden = scores.scores, scores.hidden | hidden
        shape = np.broadcast_shapes(scores.shape, hidden.shape)
        return cls(widened(scores, shape), np.broadcast_to(hidden, shape))


@dataclass
class Call:
    """One operation of a graph: its result's shape, and what rules ask beside their arguments."""

    name: str
    shape: Shape  # of its result, the first one if there are several
    target: Callable[..., Any]
    probe: Callable[[], Array]  # the probe that stands for its random numbers
    value: Callable[[int], torch.Tensor]  # the tensor that one of its arguments is in the module as it stands
    rounded: set[str] = field(default_factory=set)  # operations of which constants were rounded

    def refuse(self, why: str) -> NotTranslatableError:
        """The error to raise: the operation cannot be translated here."""
        return NotTranslatableError(f"{self.name} {why}")

    def inexact(self, value: float) -> Fraction:
        """A constant of the operation that is irrational, as the float that stands for it."""
        self.rounded.add(self.name)
        return Fraction(value)


Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a function of (call, **arguments named as in the schema, ``self`` as ``x``) for these operations."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def number(value: float) -> int | Fraction:
    """A number of Python as an exact one: a float is a dyadic rational. NotTranslatableError if it is not finite."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value == value and not isinf(value):
        return int(value) if value.is_integer() and abs(value) < LARGEST else Fraction(value)
    raise NotTranslatableError(f"with the constant {value}")


def constants(tensor: torch.Tensor) -> NDArray[Any]:
    """The entries of a tensor as exact numbers, equal ones made once."""
    if tensor.is_complex():
        raise NotTranslatableError("with complex constants")
    array = (tensor.double() if tensor.is_floating_point() else tensor).detach().cpu().numpy()
    values, inverse = np.unique(array, return_inverse=True)
    exact = np.empty(len(values), dtype=object)
    exact[:] = [number(v) for v in values.tolist()]
    return exact[inverse].reshape(array.shape)


def symbol(like: Array, value: Any) -> Array:
    """A value that a rule is given (an array, a tensor, a number) as an array of the same program."""
    if isinstance(value, torch.Tensor):
        value = constants(value)
    elif isinstance(value, (bool, int, float)):
        value = number(value)
    return like.symbol(value)


def widened(x: Array, shape: Shape) -> Array:
    """Broadcast to a shape, as a selection that repeats places; new axes in front."""
    x = x.reshape((1,) * (len(shape) - x.ndim) + x.shape)
    along = [np.arange(mine) if mine == size else np.zeros(size, dtype=np.int64) for mine, size in zip(x.shape, shape)]
    return x.select(along)


def at(x: Array, axis: int, index: Any) -> Array:
    """The entries at these places of one axis, which the axes of the index replace."""
    along = [np.arange(size) for size in x.shape]
    along[range(x.ndim)[axis]] = np.asarray(index, dtype=np.int64)
    return x.select(along)
