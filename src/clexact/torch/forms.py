"""All laws of a module as one vector: their values, their sizes and their derivatives along a gradient.

A quadratic law is h(P) = sum_k c_k <P_k, P_k>, so h(P + t G) = h(P) + 2 t b(P, G) + t^2 h(G) with the bilinear form b.
Floating point, on the device of the parameters; what is held at a time is the product of one parameter with its
gradient, or its squares, which all laws that touch it share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from torch import Tensor

from clexact.symmetry.views import Term
from clexact.torch.law import ModuleLaw

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
        self._uses: dict[str, list[tuple[int, Term]]] = {}  # {parameter: (number of a law, its term)}
        for n, law in enumerate(self.laws):
            for term in law.terms:
                self._uses.setdefault(term.parameter, []).append((n, term))
        self._scratch: dict[tuple[torch.dtype, torch.device], Tensor] = {}
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
        value: list[Tensor | None] = [None] * len(self.laws)
        size: list[Tensor | None] = [None] * len(self.laws)  # of each row of a matrix law
        with self._arithmetic():
            for n, term, part, tensor in self._parts(tensors, tensors):
                law = self.laws[n]
                weight = 1.0 if rates is None else abs(rates[term.parameter]) ** law.degree
                norm = part if law.kind != "gram" else part.diagonal(dim1=1, dim2=2)
                if law.kind in ("translation", "total"):
                    norm = (term.sums if law.degree == 1 else term.square)(tensor.abs())
                value[n] = _sum(value[n], part, term.coefficient * weight)
                size[n] = _sum(size[n], norm, abs(term.coefficient) * weight)
            return self._joined(value), self._joined(map(_of_entries, self.laws, size))

    def added(self, size: Tensor, other: Tensor) -> Tensor:
        """The sizes of sums of which these are the sizes; those of the rows of a matrix are on its diagonal."""
        parts = []
        for law, part in zip(self.laws, (size + other).split(self.counts), strict=True):
            rows = part.reshape(law.shape).diagonal(dim1=-2, dim2=-1) if law.kind == "gram" else None
            parts.append(part if rows is None else (rows.unsqueeze(-1) * rows.unsqueeze(-2)).sqrt().reshape(-1))
        return torch.cat(parts)

    def slopes(self, tensors: Tensors, directions: Tensors) -> Tensor:
        """<grad h(P), G>: 2 b(P, G), or h(G) for a linear law."""
        slope: list[Tensor | None] = [None] * len(self.laws)
        with self._arithmetic():
            for n, term, part, _ in self._parts(tensors, directions):
                slope[n] = _sum(slope[n], part, term.coefficient * self.laws[n].degree)
            return self._joined(slope)

    def _product(self, p: Tensor, q: Tensor) -> Tensor:
        """p times q, in memory that the next product takes again: fresh memory costs more than the product."""
        key = (p.dtype, p.device)
        if key not in self._scratch or self._scratch[key].numel() < p.numel():
            self._scratch[key] = torch.empty(p.numel(), dtype=p.dtype, device=p.device)
        return torch.mul(p, q, out=self._scratch[key][: p.numel()].view(p.shape))

    def _parts(self, left: Tensors, right: Tensors) -> Iterator[tuple[int, Term, Tensor, Tensor]]:
        """Number of a law, term, its bilinear form, and the right tensor; parameter by parameter.

        The form of a translation is the sum of the rows of the right tensor. A form may lie in memory that the next
        one takes again.
        """
        for name, uses in self._uses.items():
            given, other = left[name], right[name]
            if given is None or other is None:
                continue
            same, p = given is other, _wide(given)
            q = p if same else _wide(other)
            kinds = {self.laws[n].kind for n, _ in uses}
            product = self._product(p, q) if kinds & {"diagonal", "scale"} else p
            for n, term in uses:
                match self.laws[n].kind:
                    case "translation":
                        yield n, term, term.sums(q), q
                    case "gram":
                        yield n, term, term.gram(p, None if same else q), q
                    case "total":
                        yield n, term, term.square(p, None if same else q), q
                    case _:
                        yield n, term, term.totals(product), q

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """No gradients, and no autocast: the laws are evaluated in the types of the parameters."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            yield

    def _joined(self, parts: Iterable[Tensor | None]) -> Tensor:
        zeros = (torch.zeros(count) for count in self.counts)
        whole = [zero if part is None else part.reshape(-1) for part, zero in zip(parts, zeros, strict=True)]
        return torch.cat([part.to(self.device, self.real) for part in whole])


def _added(law: ModuleLaw, term: Term) -> float:
    """How many entries of a parameter are added up in one number of the law."""
    rows, columns = term.view.rows, term.view.columns
    return float({"translation": rows, "total": rows * columns}.get(law.kind, columns))


def _wide(tensor: Tensor) -> Tensor:
    tensor = tensor.to_dense() if tensor.is_sparse else tensor
    return tensor.to(widened(tensor.dtype))


def _of_entries(law: ModuleLaw, size: Tensor | None) -> Tensor | None:
    """The sizes of the entries of a law; for an entry i, j of a matrix, the root of the sizes of the rows i and j."""
    return size if law.kind != "gram" or size is None else (size.unsqueeze(2) * size.unsqueeze(1)).sqrt()


def _sum(total: Tensor | None, part: Tensor, weight: float) -> Tensor:
    return part * weight if total is None else total.add(part.to(total.device), alpha=weight)
