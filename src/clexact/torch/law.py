"""A law of a PyTorch module: signed squares, or sums, of parameters seen as stacks of matrices.

Evaluating a law is floating-point arithmetic; that it is a law is what its ``status`` and ``evidence`` speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from torch import Tensor, nn

from clexact.symmetry.families import Kind
from clexact.symmetry.views import Term
from clexact.torch.trace import unwrapped


class Status(Enum):
    """Whether it is certified that there are no others; a law of any status is proved by rules.

    Examples
    --------
    >>> print(Status.SYMMETRY.value)
    a symmetry of the module; whether there are other laws is not certified
    """

    CERTIFIED = "the module itself is certified to have no laws but those found"
    CERTIFIED_ALONE = "the module is certified to have no others of the parameters of this law alone"
    SYMMETRY = "a symmetry of the module; whether there are other laws is not certified"


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
    * ``total``: $\sum_k c_k \|1^\top P_k\|^2$: what is the same for all rows is not seen;
    * ``translation``: the sum of the rows, $\sum_k c_k 1^\top P_k$, linear.

    Attributes
    ----------
    name : str
        By which the law is listed.
    kind : {"gram", "diagonal", "scale", "total", "translation"}
        Which of the above.
    terms : tuple of Term
        The $P_k$ with their $c_k$.
    shape : tuple of int
        Of its value.
    count : int
        Number of independent numbers in it.
    status : Status
        Whether it is certified that there are no others.
    evidence : str
        What certifies it, in words.
    reason : str
        The symmetry it comes from, in words.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.Linear(3, 1, bias=False))
    >>> law = laws(net, torch.ones(4, 2))[0]
    >>> law.kind, law.formula, law.shape, law.count
    ('gram', '0.weight 0.weight^T - 1.weight^T 1.weight', (3, 3), 6)
    """

    name: str
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
        summed = name if axis is None else f"{name}.sum({axis})"
        if self.kind == "translation":
            return summed
        return style.norm.format(summed if self.kind == "total" else name)

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
        >>> import torch
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
        >>> import torch
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
            elif self.kind == "total":
                part, bound = 2 * term.square(p, v), 2 * term.square(p.abs(), v.abs())
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
            case "total":
                return term.square(tensor)
            case _:
                return term.norms(tensor)


def parameters_of(laws: Iterable[ModuleLaw], module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of the laws, by name, of a module, wrapped or not; ValueError for one that it does not have."""
    named = dict(unwrapped(module).named_parameters(remove_duplicate=False))
    names = list(dict.fromkeys(name for law in laws for name in law.parameters))
    if missing := [name for name in names if name not in named]:
        raise ValueError(f"a law speaks of the parameter {missing[0]!r}, which the module does not have.")
    return {name: named[name] for name in names}
