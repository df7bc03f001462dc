"""Scores of which some are minus infinity: what moves them moves their mask, and rows are taken by what they see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from clexact.algebra.terms import Ints
from clexact.programs.array import Array, concatenate
from clexact.programs.places import Mask
from clexact.programs.rearrange import moveaxis
from clexact.torch.translation.rule import RULES, Call, Masked

MOVE_MASKS = {"cat", "concat", "concatenate", "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze",
              "squeeze", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "expand", "repeat",
              "tile", "select", "slice", "narrow", "roll", "flip", "index_select"}  # fmt: skip

READ_MASKS = MOVE_MASKS | {
    "softmax", "_softmax", "_safe_softmax", "scaled_dot_product_attention", "exp", "add", "sub", "subtract", "mul",
    "div", "masked_fill", "where", "contiguous", "clone", "alias", "to", "_to", "type_as", "max", "maximum", "amax",
    *(f"max_pool{n}d{more}" for n in (1, 2, 3) for more in ("", "_with_indices")),
}  # fmt: skip


def hiding(value: Any) -> Mask | None:
    """Where a tensor is minus infinity, or the least number of its type, which hides as well; None if nowhere."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return None
    hidden: Mask = (value <= torch.finfo(value.dtype).min).cpu().numpy()
    return hidden if hidden.any() else None


def moved(call: Call, named: Mapping[str, Any]) -> Masked:
    """What moves entries, of scores and, by PyTorch, of their mask: parts without one hide nothing."""
    scores = RULES[call.name](call, **{name: _each(value, _seen) for name, value in named.items()})
    hidden = call.target(*(_each(value, _mask) for value in named.values()))
    return Masked(scores, hidden.numpy())


def _each(value: Any, of: Callable[[Any], Any]) -> Any:
    """An argument, or the members of a list: what is no array, no scores and no tensor is as it is."""
    return [of(part) for part in value] if isinstance(value, list) else of(value)


def _seen(part: Any) -> Any:
    """Scores, with anything in the places that are hidden."""
    if isinstance(part, Masked):
        return part.scores
    hidden = hiding(part)
    return part if hidden is None else part.masked_fill(torch.from_numpy(hidden).to(part.device), 0)


def _mask(part: Any) -> Any:
    """Where scores are hidden; of an index, itself."""
    if isinstance(part, Masked):
        return torch.from_numpy(part.hidden.copy())
    if isinstance(part, Array):
        return torch.zeros(part.shape, dtype=torch.bool)
    if isinstance(part, torch.Tensor) and part.is_floating_point():
        return (part <= torch.finfo(part.dtype).min).cpu()
    return part


def by_rows(call: Call, masked: Masked, dim: int, of: Callable[[Array, Ints, Mask], Array]) -> Array:
    """A function of rows along an axis: of all of them, the places of those with the same mask, and that mask."""
    z, hidden = moveaxis(masked.scores, dim, -1), np.moveaxis(masked.hidden, dim, -1)
    rows, mask = z.reshape((-1, z.shape[-1])), hidden.reshape(-1, z.shape[-1])
    patterns, which = np.unique(mask, axis=0, return_inverse=True)
    if patterns.all(axis=1).any():
        raise call.refuse("of minus infinities alone")
    parts = [of(rows, np.flatnonzero(which == n), pattern) for n, pattern in enumerate(patterns)]
    back = np.argsort(np.argsort(which.ravel(), kind="stable"))
    made: Any = concatenate(parts).take(back, 0)
    return moveaxis(made.reshape((*z.shape[:-1], -1)), -1, dim)
