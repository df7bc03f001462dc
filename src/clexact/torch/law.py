"""A law of a PyTorch module: signed squares, or sums, of parameters seen as stacks of matrices.

Evaluating a law is floating-point arithmetic; that it is a law is what its ``status`` and ``evidence`` speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Literal

from torch import Tensor, einsum, linalg

Kind = Literal["gram", "diagonal", "scale", "translation"]


class Status(Enum):
    """How the laws of a block, and their number, are known."""

    CERTIFIED = "certified at its true size"
    CERTIFIED_SMALLER = "certified at a smaller size of the same family"
    SYMMETRY = "a symmetry of the module; its number is not certified"


@dataclass(frozen=True)
class View:
    """A parameter, or a slice of it, seen as matrices (group, unit, rest); a view of its memory.

    Entries ``start`` to ``stop`` along ``axis``, their axes split into ``shape``; the axes ``group`` number the
    matrices, ``unit`` (None: one row) numbers their rows, and all others, together, their columns.
    """

    shape: tuple[int, ...]
    group: tuple[int, ...]
    unit: int | None
    axis: int = 0
    start: int = 0
    stop: int | None = None

    @property
    def groups(self) -> int:
        """Number of matrices."""
        count = 1
        for axis in self.group:
            count *= self.shape[axis]
        return count

    @property
    def rows(self) -> int:
        """Rows of each matrix."""
        return 1 if self.unit is None else self.shape[self.unit]

    @property
    def columns(self) -> int:
        """Columns of each matrix."""
        count = 1
        for size in self.shape:
            count *= size
        return count // (self.groups * self.rows)

    @cached_property
    def rest(self) -> tuple[int, ...]:
        """The axes of the columns."""
        return tuple(axis for axis in range(len(self.shape)) if axis not in (*self.group, self.unit))

    def split(self, tensor: Tensor) -> Tensor:
        """The slice with its axes split, of shape ``shape``: no copy where the tensor is contiguous."""
        stop = tensor.shape[self.axis] if self.stop is None and tensor.ndim else self.stop
        if tensor.ndim and (self.start, stop) != (0, tensor.shape[self.axis]):
            tensor = tensor.narrow(self.axis, self.start, (stop or 0) - self.start)
        return tensor.reshape(self.shape)


@dataclass(frozen=True)
class Term:
    """``coefficient`` times the square (or the sum, for a translation) of a parameter seen through ``view``."""

    parameter: str
    coefficient: int
    view: View

    def gram(self, tensor: Tensor) -> Tensor:
        """P P^T for each matrix P of the view: (groups, rows, rows)."""
        part, names = self.view.split(tensor), "abcdefghijkl"[: len(self.view.shape)]
        group = "".join(names[axis] for axis in self.view.group)
        if self.view.unit is None:
            return (linalg.vector_norm(part, dim=self.view.rest) ** 2 if self.view.rest else part**2).reshape(-1, 1, 1)
        row = names[self.view.unit]
        product = einsum(f"{names},{names.replace(row, 'z')}->{group}{row}z", part, part)
        return product.reshape(self.view.groups, self.view.rows, self.view.rows)

    def norms(self, tensor: Tensor) -> Tensor:
        """The squared norm of each row: (groups * rows,)."""
        part = self.view.split(tensor)
        kept = (linalg.vector_norm(part, dim=self.view.rest) ** 2) if self.view.rest else part**2
        order = [*self.view.group, *([] if self.view.unit is None else [self.view.unit])]
        return kept.permute([sorted(order).index(axis) for axis in order]).reshape(-1)

    def sums(self, tensor: Tensor) -> Tensor:
        """The sum over the rows: (groups * columns,)."""
        part = self.view.split(tensor)
        order = [*self.view.group, *self.view.rest]
        kept = part if self.view.unit is None else part.sum(self.view.unit)
        return kept.permute([sorted(order).index(axis) for axis in order]).reshape(-1)


@dataclass(frozen=True)
class ModuleLaw:
    r"""Numbers that training conserves, in the parameters of a module.

    With $P_k$ the matrices (groups, rows, columns) of the terms and $c_k$ their coefficients, and for each group,

    * ``gram``: the symmetric matrix $\sum_k c_k P_k P_k^\top$;
    * ``diagonal``: its diagonal alone, one number for each row, $\sum_k c_k \|P_k[i]\|^2$;
    * ``scale``: one number for each group, $\sum_k c_k \|P_k\|^2$: what leaves $P_k$ sees only its direction;
    * ``translation``: the sum of the rows of $P$, linear.
    """

    name: str
    block: str
    kind: Kind
    terms: tuple[Term, ...]
    shape: tuple[int, ...]
    count: int  # independent numbers
    status: Status
    evidence: str
    reason: str

    @property
    def degree(self) -> Literal[1, 2]:
        """Degree in the parameters."""
        return 1 if self.kind == "translation" else 2

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters it touches."""
        return tuple(dict.fromkeys(term.parameter for term in self.terms))

    def value(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The law at these tensors, on their device: of shape ``shape``. Floating point.

        A quadratic law is a quadratic form: its value at the gradients is the $g^\\top A g$ of the drift of a step.
        """
        read = {"gram": Term.gram, "diagonal": Term.norms, "scale": Term.norms, "translation": Term.sums}[self.kind]
        total: Tensor | None = None
        for term in self.terms:
            part = read(term, parameters[term.parameter])
            total = term.coefficient * part if total is None else total.add(part, alpha=term.coefficient)
        assert total is not None
        return total.reshape(self.shape)
