"""A law of a PyTorch module: signed squares, or sums, of parameters seen as stacks of matrices.

Evaluating a law is floating-point arithmetic; that it is a law is what its ``status`` and ``evidence`` speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from clexact.torch.trace import unwrapped

SHOWN = 12  # entries of an index that are written out
Kind = Literal["gram", "diagonal", "scale", "translation"]


class Status(Enum):
    """How the number of laws of a block, taken alone, is known; a law of any status is proved by rules.

    Examples
    --------
    >>> print(Status.CERTIFIED.value)
    the block alone certified, at its true size
    """

    CERTIFIED = "the block alone certified, at its true size"
    CERTIFIED_SMALLER = "the block alone certified, at a smaller size of the same family"
    SYMMETRY = "a symmetry of the module; its number is not certified"


@dataclass(frozen=True)
class View:
    """A parameter, or a slice of it, seen as matrices (group, unit, rest); a view of its memory.

    Entries ``start`` to ``stop``, or those of ``index``, along ``axis``, their axes split into ``shape``. Only
    ``index`` takes a copy.

    Attributes
    ----------
    shape : tuple of int
        Of the slice, its axes split.
    group : tuple of int
        The axes that number the matrices.
    unit : int or None
        The axis that numbers their rows; None: one row. All others, together, number their columns.
    axis : int or None
        Along which the slice is taken; None: of the flat parameter.
    start : int
        Where the slice starts.
    stop : int or None
        Where it stops; None: at the end.
    index : tuple of int or None
        The entries chosen, instead.

    Examples
    --------
    >>> heads = View((2, 3, 4), (0,), 1)  # two heads of three rows
    >>> heads.groups, heads.rows, heads.columns
    (2, 3, 4)
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
        """The slice with its axes split: no copy where the tensor is contiguous.

        Parameters
        ----------
        tensor : torch.Tensor
            The whole parameter.

        Returns
        -------
        torch.Tensor
            Of shape ``shape``.

        Examples
        --------
        >>> View((2, 1), (), 0, axis=0, start=1, stop=3).split(torch.arange(4))
        tensor([[1],
                [2]])
        """
        if self.axis is None:
            tensor = tensor.reshape(-1)
        if self.index is not None:
            tensor = tensor.index_select(self.axis or 0, torch.tensor(self.index, device=tensor.device))
        elif self.axis is not None and self.stop is not None and self.stop - self.start < tensor.shape[self.axis]:
            tensor = tensor.narrow(self.axis, self.start, self.stop - self.start)
        return tensor.reshape(self.shape)


@dataclass(frozen=True)
class Term:
    """A part of a law: ``coefficient`` times the square of a parameter (or its sum, for a translation).

    Attributes
    ----------
    parameter : str
        Its name in the module.
    coefficient : int
        By which it is multiplied.
    view : View
        How it is seen as matrices.
    shape : tuple of int
        Of the parameter, for the formula; if it is not said, that of the view.

    Examples
    --------
    >>> term = Term("fc.weight", -1, View((2, 3), (), 0))
    >>> term.written, term.norms(torch.ones(2, 3))
    ('fc.weight', tensor([3., 3.]))
    """

    parameter: str
    coefficient: int
    view: View
    shape: tuple[int, ...] = ()  # of the parameter, for the formula; if it is not said, that of the view

    @property
    def written(self) -> str:
        """The parameter and what of it is meant: its slice."""
        view = self.view
        if view.index is not None:
            some = ", ".join(map(str, view.index[:SHOWN])) + ", ..." * (len(view.index) > SHOWN)
            before = ".flatten()[" if view.axis is None else f"[{':, ' * view.axis}"
            return f"{self.parameter}{before}[{some}]]"
        part = "" if view.stop is None or view.axis is None else f"[{':, ' * view.axis}{view.start}:{view.stop}]"
        return f"{self.parameter}{part}"

    @property
    def matrix(self) -> tuple[str, bool]:
        """A matrix M (number h of a stack) as torch would write it, and whether P is its transpose.

        A slice of one axis is a column.
        """
        view, written = self.view, self.written
        axes = [axis for axis in range(len(view.shape)) if view.groups > 1 or axis not in view.group]
        split = tuple(view.shape[axis] for axis in axes)
        if view.index is not None or (self.shape and split != self._sliced):
            written += f".reshape({', '.join(map(str, split))})"
        if view.groups > 1:
            places = ["h" if axis in view.group else ":" for axis in range(max(view.group) + 1)]
            written += f"[{', '.join(places)}]"
            axes = [axis for axis in axes if axis not in view.group]
        place = 0 if view.unit is None else axes.index(view.unit)
        if len(axes) <= 2:
            return written, place == 1
        return f"{written}.flatten(1)" if place == 0 else f"{written}.movedim({place}, 0).flatten(1)", False

    @property
    def _sliced(self) -> tuple[int, ...]:
        """The shape of the slice."""
        view, shape = self.view, list(self.shape)
        if view.axis is not None:
            shape[view.axis] = len(range(shape[view.axis])[view.start : view.stop])
        return tuple(shape)

    def gram(self, tensor: Tensor, other: Tensor | None = None) -> Tensor:
        """The symmetric part of P Q^T for the matrices P of one tensor and Q of the other.

        Parameters
        ----------
        tensor : torch.Tensor
            The parameter, or a tensor of its shape.
        other : torch.Tensor, optional
            Another; default: the same.

        Returns
        -------
        torch.Tensor
            Of shape (groups, rows, rows).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).gram(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        tensor([[[5., 2.],
                 [2., 1.]]])
        """
        p = self.matrices(tensor)
        if other is None:
            return p @ p.mT
        product = p @ self.matrices(other).mT
        return (product + product.mT) / 2

    def norms(self, tensor: Tensor, other: Tensor | None = None) -> Tensor:
        """The product of each row with that of the other tensor.

        Parameters
        ----------
        tensor : torch.Tensor
            The parameter, or a tensor of its shape.
        other : torch.Tensor, optional
            Another; default: the same, so squared norms.

        Returns
        -------
        torch.Tensor
            Of shape (groups * rows,).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).norms(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        tensor([5., 1.])
        """
        return self.totals(tensor * (tensor if other is None else other))

    def totals(self, tensor: Tensor) -> Tensor:
        """The sum of each row.

        Parameters
        ----------
        tensor : torch.Tensor
            The parameter, or a tensor of its shape.

        Returns
        -------
        torch.Tensor
            Of shape (groups * rows,).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).totals(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        tensor([3., 1.])
        """
        rest, kept = self.view.rest, min(self._kept, default=0)
        part = self.view.split(tensor)
        outer = [axis for axis in rest if axis < kept]
        if outer:  # the outer axes first: the inner loop then runs along the memory
            part = part.sum(outer, keepdim=True)
        if len(outer) < len(rest):
            part = part.sum([axis for axis in rest if axis not in outer], keepdim=True)
        return part.permute([*self._kept, *rest]).reshape(-1)

    def sums(self, tensor: Tensor) -> Tensor:
        """The sum over the rows.

        Parameters
        ----------
        tensor : torch.Tensor
            The parameter, or a tensor of its shape.

        Returns
        -------
        torch.Tensor
            Of shape (groups * columns,).

        Examples
        --------
        >>> Term("W", 1, View((2, 2), (), 0)).sums(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        tensor([1., 3.])
        """
        part = self.view.split(tensor)
        if self.view.unit is not None:
            part = part.sum(self.view.unit, keepdim=True)
        return part.permute([*self._kept, *self.view.rest]).reshape(-1)

    @property
    def _kept(self) -> list[int]:
        """The axes that number matrices and rows."""
        return [*self.view.group, *([] if self.view.unit is None else [self.view.unit])]

    def matrices(self, tensor: Tensor) -> Tensor:
        """The matrices P that the view sees.

        Parameters
        ----------
        tensor : torch.Tensor
            The parameter, or a tensor of its shape.

        Returns
        -------
        torch.Tensor
            Of shape (groups, rows, columns).

        Examples
        --------
        >>> Term("W", 1, View((2, 3, 4), (0,), 2)).matrices(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 4, 3])
        """
        view = self.view
        return view.split(tensor).permute([*self._kept, *view.rest]).reshape(view.groups, view.rows, view.columns)


@dataclass(frozen=True)
class Style:
    """How names, numbered matrices, P P^T, P^T P and squared norms are written."""

    name: str
    underscore: str
    matrix: str
    rows: str
    columns: str
    norm: str

    def named(self, text: str) -> str:
        """The name of a parameter, or what is taken of it."""
        return self.name.format(text.replace("_", self.underscore))


PLAIN = Style("{}", "_", "P{}", "{0} {0}^T", "{0}^T {0}", "|{}|^2")
TEX = Style(r"\text{{{}}}", r"\_", "P_{{{}}}", r"{0}\,{0}^\top", r"{0}^\top\,{0}", r"\|{}\|^2")


@dataclass(frozen=True)
class ModuleLaw:
    r"""Numbers that training conserves, in the parameters of a module.

    With $P_k$ the matrices (groups, rows, columns) of the terms and $c_k$ their coefficients, and for each group,

    * ``gram``: the symmetric matrix $\sum_k c_k P_k P_k^\top$;
    * ``diagonal``: its diagonal alone, one number for each row, $\sum_k c_k \|P_k[i]\|^2$;
    * ``scale``: one number for each group, $\sum_k c_k \|P_k\|^2$: what leaves $P_k$ sees only its direction;
    * ``translation``: the sum of the rows of $P$, linear.

    Attributes
    ----------
    name : str
        By which the law is listed.
    block : str
        Of the block it belongs to.
    kind : {"gram", "diagonal", "scale", "translation"}
        Which of the above.
    terms : tuple of Term
        The $P_k$ with their $c_k$.
    shape : tuple of int
        Of its value.
    count : int
        Number of independent numbers in it.
    status : Status
        How the number of laws of the block is known.
    evidence : str
        What certifies it, in words.
    reason : str
        The symmetry it comes from, in words.

    Examples
    --------
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.Linear(3, 1, bias=False))
    >>> law = laws(net, torch.ones(4, 2))[0]
    >>> law.kind, law.formula, law.shape, law.count
    ('gram', '0.weight 0.weight^T - 1.weight^T 1.weight', (3, 3), 6)
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

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}  ({self.kind}, {self.count}; {self.status.name})"

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
        """The law in the names of the parameters: ``+`` and ``-`` of squares, or of sums.

        A matrix that is no parameter, or slice of one, is called P1, P2, ... and said behind ``where``, as torch would
        write it.
        """
        parts, matrices = self._parts(PLAIN)
        return parts + (f" where {'; '.join(matrices)}" if matrices else "") + self._each

    @property
    def latex(self) -> str:
        """The same in LaTeX."""
        parts, matrices = self._parts(TEX)
        said = r"\quad\text{where }" + r",\quad ".join(matrices)
        return parts + (said if matrices else "") + (rf"\text{{{self._each}}}" if self._each else "")

    @property
    def _each(self) -> str:
        stacked = self.kind == "gram" and any(term.view.groups > 1 for term in self.terms)
        return " for each h" if stacked else ""

    def _parts(self, style: Style) -> tuple[str, list[str]]:
        """The sum, and what the matrices in it are that are no slices of parameters."""
        parts, matrices = "", list[str]()
        for term in self.terms:
            if self.kind == "gram":
                written, turned = term.matrix
                if written != term.written:
                    matrices.append(f"{style.matrix.format(len(matrices) + 1)} = {style.named(written)}")
                    name = style.matrix.format(len(matrices))
                else:
                    name = style.named(written)
                part = (style.columns if turned else style.rows).format(name)
            else:
                part = self._single(term, style)
            size = "" if abs(term.coefficient) == 1 else f"{abs(term.coefficient)} "
            parts += f" {'-' if term.coefficient < 0 else '+'} {size}{part}"
        return parts.removeprefix(" + ").lstrip(), matrices

    def _single(self, term: Term, style: Style) -> str:
        """A squared norm, or a sum."""
        name, axis = style.named(term.written), term.view.unit
        if self.kind != "translation":
            return style.norm.format(name)
        return name if axis is None else f"{name}.sum({axis})"

    def value(self, parameters: Mapping[str, Tensor]) -> Tensor:
        r"""The law at these tensors, on their device. Floating point.

        A quadratic law is a quadratic form: its value at the gradients is the $g^\top A g$ of the drift of a step.

        Parameters
        ----------
        parameters : mapping of str to torch.Tensor
            Those that the law speaks of, by name.

        Returns
        -------
        torch.Tensor
            Of shape ``shape``.

        Examples
        --------
        >>> from clexact.torch import laws
        >>> first, last = torch.nn.Linear(1, 2, bias=False), torch.nn.Linear(2, 1, bias=False)
        >>> net = torch.nn.Sequential(first, torch.nn.ReLU(), last)
        >>> law = laws(net, torch.ones(4, 1))[0]
        >>> law.value({"0.weight": torch.tensor([[1.0], [2.0]]), "2.weight": torch.tensor([[3.0, 4.0]])})
        tensor([ -8., -12.])
        """
        total: Tensor | None = None
        for term in self.terms:
            part = self._read(term, parameters[term.parameter])
            total = term.coefficient * part if total is None else total.add(part, alpha=term.coefficient)
        assert total is not None
        return total.reshape(self.shape)

    def change(self, parameters: Mapping[str, Tensor], velocity: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        r"""$\langle\nabla h, v\rangle$ for velocities v, and the sum of the absolute sizes of what adds up to it.

        Parameters
        ----------
        parameters : mapping of str to torch.Tensor
            Those that the law speaks of, by name.
        velocity : mapping of str to torch.Tensor
            For each v, of the same shape.

        Returns
        -------
        change : torch.Tensor
            Of shape ``shape``.
        size : torch.Tensor
            Likewise.

        Examples
        --------
        >>> from clexact.torch import laws
        >>> first, last = torch.nn.Linear(1, 2, bias=False), torch.nn.Linear(2, 1, bias=False)
        >>> net = torch.nn.Sequential(first, torch.nn.ReLU(), last)
        >>> law = laws(net, torch.ones(4, 1))[0]
        >>> theta = {"0.weight": torch.tensor([[1.0], [2.0]]), "2.weight": torch.tensor([[1.0, 2.0]])}
        >>> law.change(theta, theta)  # as much from the first layer as to the second
        (tensor([0., 0.]), tensor([ 4., 16.]))
        """
        total, size = 0.0 * self.value(parameters), 0.0 * self.value(parameters)
        for term in self.terms:
            p, v = parameters[term.parameter], velocity[term.parameter]
            if self.kind == "translation":
                part, bound = term.sums(v), term.sums(v.abs())
            elif self.kind == "gram":
                part, bound = 2 * term.gram(p, v), 2 * term.gram(p.abs(), v.abs())
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


def parameters_of(laws: Iterable[ModuleLaw], module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of the laws, by name, of a module, wrapped or not; ValueError for one that it does not have."""
    named = dict(unwrapped(module).named_parameters(remove_duplicate=False))
    names = list(dict.fromkeys(name for law in laws for name in law.parameters))
    if missing := [name for name in names if name not in named]:
        raise ValueError(f"a law speaks of the parameter {missing[0]!r}, which the module does not have.")
    return {name: named[name] for name in names}
