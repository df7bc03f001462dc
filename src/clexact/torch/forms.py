"""All laws of a module as one vector: their values, their sizes and their derivatives along a gradient.

A quadratic law is h(P) = sum_k c_k <P_k, P_k>, so h(P + t G) = h(P) + 2 t b(P, G) + t^2 h(G) with the bilinear form b.
Floating point, on the device of the parameters; what is held at a time is the product of one parameter with another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from torch import Tensor

from clexact.torch.law import ModuleLaw, Term, View

Tensors = Mapping[str, Tensor | None]  # None: no gradient, which counts as zero


def widened(dtype: torch.dtype) -> torch.dtype:
    """The type to compute in: float32 for the 16-bit types."""
    return dtype if dtype.itemsize >= 4 else torch.float32


class Forms:
    """The laws evaluated together; entry i of each vector is a number of the law ``owner[i]``."""

    def __init__(self, laws: Sequence[ModuleLaw], parameters: Mapping[str, Tensor]) -> None:
        self.laws = tuple(laws)
        self.counts = [prod(law.shape) for law in self.laws]
        self.owner = np.repeat(np.arange(len(self.laws)), self.counts)
        self.device = next(iter(parameters.values())).device
        self.real = torch.float32 if self.device.type == "mps" else torch.float64  # of the sums, not of the products
        self.linear = self.spread([law.degree == 1 for law in self.laws])
        self.entries = self.spread([sum(_added(law, term) for term in law.terms) for law in self.laws])
        types = [[parameters[name].dtype for name in law.parameters] for law in self.laws]
        self.unit = self.spread([max(torch.finfo(dtype).eps for dtype in each) for each in types])
        self.resolution = self.spread([max(torch.finfo(widened(dtype)).eps for dtype in each) for each in types])

    def spread(self, numbers: Sequence[float | bool]) -> Tensor:
        """One number for each law, repeated for each of its entries."""
        dtype = torch.bool if isinstance(numbers[0], bool) else self.real
        return torch.tensor(np.repeat(np.asarray(numbers), self.counts), dtype=dtype, device=self.device)

    def values(self, tensors: Tensors, rates: Mapping[str, float] | None = None) -> tuple[Tensor, Tensor]:
        """h, and its size: the same sum with |c_k| (for an entry i, j of a matrix, the root of the sizes i and j).

        With ``rates``, each parameter is multiplied by its own first.
        """
        with self._arithmetic():
            pairs = [_value(law, tensors, rates) for law in self.laws]
            return self._joined([value for value, _ in pairs]), self._joined([size for _, size in pairs])

    def slopes(self, tensors: Tensors, directions: Tensors) -> Tensor:
        """<grad h(P), G>: 2 b(P, G), or h(G) for a linear law."""
        with self._arithmetic():
            return self._joined([_slope(law, tensors, directions) for law in self.laws])

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """No gradients, and no autocast: the laws are evaluated in the types of the parameters."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            yield

    def _joined(self, parts: Sequence[Tensor | None]) -> Tensor:
        zeros = (torch.zeros(count) for count in self.counts)
        whole = [zero if part is None else part.reshape(-1) for part, zero in zip(parts, zeros, strict=True)]
        return torch.cat([part.to(self.device, self.real) for part in whole])


def _added(law: ModuleLaw, term: Term) -> float:
    """How many entries of a parameter are added up in one number of the law."""
    return float(term.view.rows if law.kind == "translation" else term.view.columns)


def _value(law: ModuleLaw, tensors: Tensors, rates: Mapping[str, float] | None) -> tuple[Tensor | None, Tensor | None]:
    value: Tensor | None = None
    size: Tensor | None = None  # of each row of a matrix law
    for term in law.terms:
        tensor = tensors[term.parameter]
        if tensor is None:
            continue
        rate = 1.0 if rates is None else abs(rates[term.parameter])
        weight = rate**law.degree
        part = _form(law, term, tensor, tensor)
        if law.kind == "translation":
            norm = _sums(term.view, tensor.abs())
        else:
            norm = part if law.kind != "gram" else part.diagonal(dim1=1, dim2=2)
        value = _sum(value, part, term.coefficient * weight)
        size = _sum(size, norm, abs(term.coefficient) * weight)
    if law.kind == "gram" and size is not None:
        size = (size.unsqueeze(2) * size.unsqueeze(1)).sqrt()
    return value, size


def _slope(law: ModuleLaw, tensors: Tensors, directions: Tensors) -> Tensor | None:
    slope: Tensor | None = None
    for term in law.terms:
        tensor, direction = tensors[term.parameter], directions[term.parameter]
        if tensor is not None and direction is not None:
            slope = _sum(slope, _form(law, term, tensor, direction), term.coefficient * law.degree)
    return slope


def _sum(total: Tensor | None, part: Tensor, weight: float) -> Tensor:
    return part * weight if total is None else total.add(part.to(total.device), alpha=weight)


def _form(law: ModuleLaw, term: Term, left: Tensor, right: Tensor) -> Tensor:
    """The bilinear form of a term; for a translation, the sum of the rows of ``right``."""
    if law.kind == "translation":
        return _sums(term.view, right)
    return _gram(term.view, left, right) if law.kind == "gram" else _dots(term.view, left, right)


def _part(view: View, tensor: Tensor) -> Tensor:
    part = view.split(tensor.to_dense() if tensor.is_sparse else tensor)
    return part.to(widened(part.dtype))


def _dots(view: View, left: Tensor, right: Tensor) -> Tensor:
    """The inner product of each row of one with that of the other: (groups * rows,)."""
    product = _part(view, left) * _part(view, right)
    kept = [*view.group, *([] if view.unit is None else [view.unit])]
    outer = [axis for axis in view.rest if axis < min(kept, default=0)]
    if outer:  # the outer axes first: the inner loop then runs along the memory
        product = product.sum(outer, keepdim=True)
    if len(outer) < len(view.rest):
        product = product.sum([axis for axis in view.rest if axis not in outer], keepdim=True)
    return product.permute([*kept, *view.rest]).reshape(-1)


def _gram(view: View, left: Tensor, right: Tensor) -> Tensor:
    """The symmetric part of P Q^T for each pair of matrices: (groups, rows, rows)."""
    shape = (view.groups, view.rows, view.columns)
    order = [*view.group, *([] if view.unit is None else [view.unit]), *view.rest]
    first, second = (_part(view, tensor).permute(order).reshape(shape) for tensor in (left, right))
    product = first @ second.mT
    return product if left is right else (product + product.mT) / 2


def _sums(view: View, tensor: Tensor) -> Tensor:
    """The sum of the rows: (groups * columns,)."""
    part = _part(view, tensor)
    if view.unit is not None:
        part = part.sum(view.unit, keepdim=True)
    return part.permute([*view.group, *([] if view.unit is None else [view.unit]), *view.rest]).reshape(-1)
