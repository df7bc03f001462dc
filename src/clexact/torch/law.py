"""A law of a PyTorch module: signed squares, or sums, of parameters seen as stacks of matrices.

Evaluating a law is floating-point arithmetic; that it is a law is what its ``status`` and ``evidence`` speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from torch import Tensor, nn

from clexact.symmetry.families import Family
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


@dataclass(frozen=True, repr=False)
class ModuleLaw(Family):
    """Numbers that training conserves, in the parameters of a module: a ``Family``, with what is certified of it.

    Attributes
    ----------
    kind : {"gram", "diagonal", "scale", "total", "translation", "rotation"}
        What is conserved, as ``Family`` has it.
    terms : tuple of Term
        The matrices with their coefficients.
    layout : tuple of (str, tuple of int)
        The trained parameters of the module with their shapes, in its order.
    phase : PhaseNames or None
        None: laws of modules are those of gradient flows.
    name : str
        By which the law is listed.
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
    >>> law(torch.arange(9.0))  # all parameters as one vector
    tensor([[-35., -39., -43.],
            [-39., -36., -33.],
            [-43., -33., -23.]])
    """

    name: str
    count: int  # independent numbers
    status: Status
    evidence: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.pretty}  ({self.kind}, {self.count}; {self.status.name})"

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
            elif term.linear:
                part, bound = term.totals(v), term.totals(v.abs())
            else:
                part, bound = 2 * term.norms(p, v), 2 * term.norms(p.abs(), v.abs())
            total = total + term.coefficient * part.reshape(self.shape)
            size = size + abs(term.coefficient) * bound.reshape(self.shape)
        return total, size


def parameters_of(laws: Iterable[ModuleLaw], module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of the laws, by name, of a module, wrapped or not; ValueError for one that it does not have."""
    named = dict(unwrapped(module).named_parameters(remove_duplicate=False))
    names = list(dict.fromkeys(name for law in laws for name in law.parameters))
    if missing := [name for name in names if name not in named]:
        raise ValueError(f"a law speaks of the parameter {missing[0]!r}, which the module does not have.")
    return {name: named[name] for name in names}
