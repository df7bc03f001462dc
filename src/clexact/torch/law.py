"""A law of a PyTorch module: signed squares, or sums, of parameters seen as stacks of matrices.

Evaluating a law is floating-point arithmetic; that it is a law is what its ``status`` and ``evidence`` speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Literal

import torch
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

    Entries ``start`` to ``stop``, or those of ``index``, along ``axis`` (None: of the flat parameter), their axes split
    into ``shape``; the axes ``group`` number the matrices, ``unit`` (None: one row) numbers their rows, and all others,
    together, their columns. Only ``index`` takes a copy.
    """

    shape: tuple[int, ...]
    group: tuple[int, ...]
    unit: int | None
    axis: int | None = 0
    start: int = 0
    stop: int | None = None
    index: tuple[int, ...] | None = None

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
        if self.axis is None:
            tensor = tensor.reshape(-1)
        if self.index is not None:
            tensor = tensor.index_select(self.axis or 0, torch.tensor(self.index, device=tensor.device))
        elif self.axis is not None and self.stop is not None and self.stop - self.start < tensor.shape[self.axis]:
            tensor = tensor.narrow(self.axis, self.start, self.stop - self.start)
        return tensor.reshape(self.shape)


@dataclass(frozen=True)
class Term:
    """``coefficient`` times the square (or the sum, for a translation) of a parameter seen through ``view``."""

    parameter: str
    coefficient: int
    view: View

    def written(self, tex: bool = False) -> str:
        """The parameter and what of it is meant: its slice and the axes that number rows."""
        view = self.view
        name = rf"\text{{{self.parameter}}}".replace("_", r"\_") if tex else self.parameter
        if view.index is not None:
            return f"{name}[...]"
        part = "" if view.stop is None or view.axis is None else f"[{':, ' * view.axis}{view.start}:{view.stop}]"
        return f"{name}{part}"

    def gram(self, tensor: Tensor, other: Tensor | None = None) -> Tensor:
        """P Q^T for each matrix P of the view of one tensor and Q of the other (default: P): (groups, rows, rows)."""
        view, names = self.view, "abcdefghijkl"[: len(self.view.shape)]
        if view.unit is None:
            return self.norms(tensor, other).reshape(-1, 1, 1)
        p = view.split(tensor)
        q = p if other is None else view.split(other)
        row, group = names[view.unit], "".join(names[axis] for axis in view.group)
        return einsum(f"{names},{names.replace(row, 'z')}->{group}{row}z", p, q).reshape(-1, view.rows, view.rows)

    def norms(self, tensor: Tensor, other: Tensor | None = None) -> Tensor:
        """The product of each row with that of the other tensor (default: its squared norm): (groups * rows,)."""
        view, p = self.view, self.view.split(tensor)
        if other is None:
            kept = linalg.vector_norm(p, dim=view.rest) ** 2 if view.rest else p**2
        else:
            product = p * view.split(other)
            kept = product.sum(view.rest) if view.rest else product
        return self._in_order(kept, [*view.group, *([] if view.unit is None else [view.unit])])

    def sums(self, tensor: Tensor) -> Tensor:
        """The sum over the rows: (groups * columns,)."""
        view, p = self.view, self.view.split(tensor)
        return self._in_order(p if view.unit is None else p.sum(view.unit), [*view.group, *view.rest])

    @staticmethod
    def _in_order(tensor: Tensor, axes: list[int]) -> Tensor:
        """A tensor that kept these axes, flat, with the axes in the order given."""
        return tensor.permute([sorted(axes).index(axis) for axis in axes]).reshape(-1)


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

    @property
    def formula(self) -> str:
        """The law in the names of the parameters: ``+`` and ``-`` of squares, or of sums."""
        return self._written("{}^T", "diag {}", "|{}|^2", " ")

    @property
    def latex(self) -> str:
        """The same in LaTeX."""
        return self._written(r"{}^\top", r"\operatorname{{diag}} {}", r"\|{}\|^2", r"\,")

    def _written(self, transposed: str, diagonal: str, norm: str, space: str) -> str:
        tex = space != " "
        parts = []
        for term in self.terms:
            name = term.written(tex)
            match self.kind:
                case "gram":
                    part = f"{name}{space}{transposed.format(name)}"
                case "translation":
                    axis = term.view.unit
                    part = name if axis is None else f"{name}.sum({axis})"
                case _:
                    part = norm.format(name)
            sign = "-" if term.coefficient < 0 else "+"
            size = "" if abs(term.coefficient) == 1 else f"{abs(term.coefficient)} "
            parts.append(f"{sign} {size}{part}")
        return " ".join(parts).removeprefix("+ ")

    def value(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The law at these tensors, on their device: of shape ``shape``. Floating point.

        A quadratic law is a quadratic form: its value at the gradients is the $g^\\top A g$ of the drift of a step.
        """
        total: Tensor | None = None
        for term in self.terms:
            part = self._read(term, parameters[term.parameter])
            total = term.coefficient * part if total is None else total.add(part, alpha=term.coefficient)
        assert total is not None
        return total.reshape(self.shape)

    def change(self, parameters: Mapping[str, Tensor], velocity: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        r"""$\langle\nabla h, v\rangle$ for velocities v, and the sum of the absolute sizes of what adds up to it."""
        total, size = 0.0 * self.value(parameters), 0.0 * self.value(parameters)
        for term in self.terms:
            p, v = parameters[term.parameter], velocity[term.parameter]
            if self.kind == "translation":
                part, bound = term.sums(v), term.sums(v.abs())
            elif self.kind == "gram":
                product, bound = term.gram(p, v), 2 * term.gram(p.abs(), v.abs())
                part = product + product.mT
            else:
                part, bound = 2 * term.norms(p, v), 2 * term.norms(p.abs(), v.abs())
            total = total + term.coefficient * part.reshape(self.shape)
            size = size + abs(term.coefficient) * bound.reshape(self.shape)
        return total, size

    def _read(self, term: Term, tensor: Tensor) -> Tensor:
        match self.kind:
            case "gram":
                return term.gram(tensor)
            case "translation":
                return term.sums(tensor)
            case _:
                return term.norms(tensor)
