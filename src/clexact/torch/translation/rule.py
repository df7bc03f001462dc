"""The table of rules, what a rule is given, and constants of PyTorch as exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from clexact.programs.array import Array
from clexact.programs.places import Mask, Shape
from clexact.programs.rearrange import broadcast_to


class NotTranslatableError(ValueError):
    """No program has an operation, or this use of it; the message is what it is, in the words of PyTorch."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Scores of which some are minus infinity: a softmax, which alone reads them, gives those no weight."""

    scores: Array
    hidden: Mask  # of the shape of the scores

    @classmethod
    def hide(cls, scores: Array | Masked, hidden: Mask) -> Masked:
        """Hide more entries, the mask broadcast with the scores."""
        if isinstance(scores, Masked):
            return cls.hide(scores.scores, scores.hidden | hidden)
        shape = np.broadcast_shapes(scores.shape, hidden.shape)
        return cls(broadcast_to(scores, shape), np.broadcast_to(hidden, shape))


@dataclass
class Call:
    """One operation of a graph, and what its rule may ask beside the arguments."""

    name: str
    shape: Shape  # of its result, of the first one if there are several
    dtype: torch.dtype  # of the same
    target: Callable[..., Any]
    probe: Callable[[], Array]  # the probe that stands for its random numbers
    leaf: Callable[[int], torch.Tensor]  # the tensor of the module that one of its arguments is
    argument: Callable[[int], str]  # the operation that one of its arguments is the result of
    rounded: set[str]  # operations of which irrational constants were rounded
    notes: dict[str, None]  # what is assumed, in words

    def refuse(self, why: str) -> NotTranslatableError:
        """The error to raise where the operation cannot be translated."""
        return NotTranslatableError(f"{self.name} {why}")

    def assume(self, what: str) -> None:
        """Note what is assumed, which every result then says."""
        self.notes[what] = None

    def inexact(self, value: float) -> Fraction:
        """An irrational constant of the operation, as the float that stands for it."""
        self.rounded.add(self.name)
        return Fraction(value)


Rule = TypeVar("Rule", bound=Callable[..., Any])
RULES: dict[str, Callable[..., Any]] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function of (call, **arguments) for these operations.

    Arguments have their names in PyTorch's schema, but ``x`` for ``self`` and ``input``, with which they begin.
    """

    def entered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return entered


def number(value: float) -> int | Fraction:
    """A number of Python as an exact one: a float is a dyadic rational. NotTranslatableError if it is not finite."""
    if not isfinite(value):
        raise NotTranslatableError(f"the constant {value}")
    return int(value) if value == int(value) else Fraction(value)


def constants(tensor: torch.Tensor) -> NDArray[Any]:
    """The entries of a tensor as exact numbers, equal ones made once."""
    if tensor.is_complex():
        raise NotTranslatableError("complex constants")
    values = (tensor.double() if tensor.is_floating_point() else tensor).detach().cpu().numpy()
    different, which = np.unique(values, return_inverse=True)
    exact = np.empty(len(different), dtype=object)
    exact[:] = [number(value) for value in different.tolist()]
    return exact[which.ravel()].reshape(values.shape)


def first_array(*values: Any) -> Array:
    """The first array among values: there is one, or the operation would be a constant."""
    return next(value for value in values if isinstance(value, Array))


def symbols(*values: Any) -> list[Array]:
    """What a rule is given (arrays, tensors, numbers) as arrays of one program."""
    like = first_array(*values)
    return [like.symbol(exactly(value)) for value in values]


def exactly(value: Any) -> Any:
    """A tensor or a number as exact numbers; an array as it is."""
    if isinstance(value, torch.Tensor):
        return constants(value)
    return number(value) if isinstance(value, (int, float)) else value
