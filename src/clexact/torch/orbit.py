r"""The orbit of a module's parameters under the symmetries that belong to its laws: one-parameter groups, as matrices.

A symmetric X acts on the rows of the matrices $P_k$ of a law by $P_k \mapsto e^{c_k X} P_k$, which changes
$\sum_k c_k P_k P_k^\top$ at the rate $X M + M X$ with $M = \sum_k c_k^2 P_k P_k^\top$; a rescaling is a diagonal X, and
a translation moves what is summed. Floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from clexact.torch.law import ModuleLaw

Arrays = dict[str, Tensor]


def moved(law: ModuleLaw, arrays: Mapping[str, Tensor], step: Tensor) -> Arrays:
    """The arrays that a law speaks of, moved along its group by a step of the shape of the law's value."""
    found = {name: arrays[name].clone() for name in law.parameters}
    for term in law.terms:
        flat, place = found[term.parameter].reshape(-1), torch.as_tensor(term.entries)
        rows = flat[place]
        flat[place] = _acted(law, rows, term.coefficient * step)
        found[term.parameter] = flat.reshape(arrays[term.parameter].shape)
    return found


def _acted(law: ModuleLaw, rows: Tensor, step: Tensor) -> Tensor:
    """The matrices (groups, rows, columns) of a term, moved."""
    groups, count, columns = rows.shape
    match law.kind:
        case "gram":
            return torch.linalg.matrix_exp(step.reshape(groups, count, count)) @ rows
        case "translation":
            return rows + step.reshape(groups, 1, columns)
        case "total":
            mean = rows.mean(1, keepdim=True)
            return rows + torch.expm1(step.reshape(groups, 1, 1)) * mean
        case _:
            return torch.exp(step.reshape(groups, count, 1)) * rows


def newton_step(law: ModuleLaw, arrays: Mapping[str, Tensor], gap: Tensor) -> Tensor:
    """The step along the group that closes a gap of the law's value to first order; nothing where it has no effect."""
    match law.kind:
        case "gram":
            sizes, vectors = torch.linalg.eigh(_squares(law, arrays).reshape(-1, law.rows, law.rows))
            inside = vectors.mT @ gap.reshape(-1, law.rows, law.rows) @ vectors
            step = vectors @ _divided(inside, sizes[:, :, None] + sizes[:, None, :]) @ vectors.mT
            return step.reshape(law.shape)
        case "translation":
            return gap / sum(term.coefficient**2 * term.view.rows for term in law.terms)
        case _:
            return _divided(gap, 2 * _squares(law, arrays))


def _squares(law: ModuleLaw, arrays: Mapping[str, Tensor]) -> Tensor:
    """The law with its coefficients squared."""
    return weighted(law, arrays, lambda c: c**2)


def weighted(law: ModuleLaw, arrays: Mapping[str, Tensor], weight: Callable[[int], int]) -> Tensor:
    """A quadratic law with other coefficients."""
    terms = tuple(replace(term, coefficient=weight(term.coefficient)) for term in law.terms)
    return replace(law, terms=terms).value(arrays)


def _divided(gap: Tensor, slope: Tensor) -> Tensor:
    """The quotient; 0 where nothing moves."""
    least = torch.finfo(slope.dtype).tiny + torch.finfo(slope.dtype).eps * slope.abs().max()
    return torch.where(slope > least, gap / slope.clamp_min(least), 0.0 * gap)


def directions(law: ModuleLaw, arrays: Mapping[str, Tensor]) -> Iterator[Arrays]:
    """The directions in which the group of a law moves the arrays: of matrices, every two rows both ways."""
    for number in range(law.groups * law.rows**2 if law.kind == "gram" else prod(law.shape)):
        yield _along(law, arrays, number)


def _along(law: ModuleLaw, arrays: Mapping[str, Tensor], number: int) -> Arrays:
    """The derivative of ``moved`` at 0 along one entry of the step."""
    found = {name: torch.zeros_like(arrays[name]).reshape(-1) for name in law.parameters}
    for term in law.terms:
        place = torch.as_tensor(term.entries)
        rows = arrays[term.parameter].reshape(-1)[place]
        change = _rate(law, rows, number, term.coefficient)
        found[term.parameter].index_add_(0, place.reshape(-1), change.reshape(-1))
    return {name: part.reshape(arrays[name].shape) for name, part in found.items()}


def _rate(law: ModuleLaw, rows: Tensor, number: int, c: int) -> Tensor:
    """Of the matrices of a term: along e_i e_j^T, of which the inverse transposed moves what has the sign -."""
    change, (_, count, columns) = torch.zeros_like(rows), rows.shape
    match law.kind:
        case "gram":
            group, i, j = number // count**2, number // count % count, number % count
            i, j = (i, j) if c > 0 else (j, i)
            change[group, i] = c * rows[group, j]
        case "translation":
            change[number // columns, :, number % columns] = c
        case "total":
            change[number] = c * rows[number].mean(0)
        case _:
            change[number // count, number % count] = c * rows[number // count, number % count]
    return change
