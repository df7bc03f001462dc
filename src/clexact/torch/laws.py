"""``ModuleLaws``: the laws of a module, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, overload

import torch
from torch import Tensor, nn

from clexact.algebra.polynomial import Polynomial
from clexact.support.display import counted
from clexact.support.extras import needed
from clexact.symmetry.folding import Fold, folded
from clexact.torch.counting import NOTHING, Independent
from clexact.torch.law import ModuleLaw, Status, parameters_of
from clexact.torch.reading import picture, table

FEW = 6  # further laws, where the laws are printed


@dataclass(frozen=True)
class Bounds:
    """Of the number of independent laws, proved by ``clexact.certify``.

    Attributes
    ----------
    lower : int
        At least so many.
    upper : int
        At most.
    scope : str
        Of which data, starts, gates, and cuts of the module.
    further : tuple of Polynomial
        Laws among these, independent, that no rule of symmetry finds: exact identities, in the module's own names.

    Examples
    --------
    >>> print(Bounds(3, 3, "all data, generic start").said)
    exactly 3 laws (all data, generic start)
    """

    lower: int
    upper: int
    scope: str
    further: tuple[Polynomial, ...] = ()

    @property
    def said(self) -> str:
        """In words."""
        if self.lower == self.upper:
            return f"exactly {counted(self.upper, 'law')} ({self.scope})"
        return f"at least {self.lower} and at most {counted(self.upper, 'law')} ({self.scope})"


@dataclass(frozen=True)
class Block:
    """The parameters of one law: whether the module has other laws in them alone, or any others.

    Attributes
    ----------
    name : str
        That of its law.
    parameters : tuple of str
        Their names in the module.
    count : int
        Number of its laws.
    status : Status
        Whether it is certified that there are no others.
    evidence : str
        What certifies it, and of what, in words.
    complete : bool
        Whether the module has no other laws: none at all, or none in these parameters alone, as the status says.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> block, = laws(net, torch.ones(4, 2)).blocks
    >>> block.parameters, block.count, block.complete
    (('0.weight', '0.bias', '2.weight'), 3, True)
    >>> block.evidence
    'of the module: exactly 3 laws (all data, generic start, true gates)'
    """

    name: str
    parameters: tuple[str, ...]
    count: int
    status: Status
    evidence: str
    complete: bool


@dataclass(frozen=True)
class Uncovered:
    """A part of the module without a law that is listed, and why.

    Attributes
    ----------
    name : str
        Of the parameter, layer or operation.
    reason : str
        In one sentence.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    >>> [part.name for part in laws(net, torch.ones(4, 2)).uncovered]
    ['0', '2', 'tanh in 1']
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class ModuleLaws:
    """The laws of a module as a sequence of ``ModuleLaw``.

    Attributes
    ----------
    module : str
        The class of the module.
    laws : tuple of ModuleLaw
        The laws.
    blocks : tuple of Block
        For each law whether there are others.
    uncovered : tuple of Uncovered
        What has no law, and why.
    broken : tuple of (ModuleLaw, str)
        Laws of the gradient flow that the optimizer breaks, and why.
    notes : tuple of str
        How the module was read, what is assumed, what the optimizer and the loss do.
    independent : Independent
        Bounds of the number of independent numbers of all laws together.
    disputed : tuple of (ModuleLaw, str)
        Proved by rule, contradicted by the numerical check, and how.
    bounds : Bounds or None
        Of all laws of the module, where they are certified.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> found = laws(net, torch.ones(4, 2))
    >>> len(found), found.count, found[0].formula
    (1, 3, '|0.weight[i]|^2 + 0.bias[i]^2 - 2.weight[0,i]^2')
    """

    module: str
    laws: tuple[ModuleLaw, ...]
    blocks: tuple[Block, ...]
    uncovered: tuple[Uncovered, ...]
    broken: tuple[tuple[ModuleLaw, str], ...] = ()  # laws of the gradient flow that the optimizer breaks, and why
    notes: tuple[str, ...] = ()  # how the module was read, what is assumed, what the optimizer and the loss do
    independent: Independent = NOTHING  # of the numbers of all laws together
    disputed: tuple[tuple[ModuleLaw, str], ...] = ()  # proved by rule, contradicted by the numerical check, and how
    bounds: Bounds | None = None
    _ideal: Callable[[], tuple[tuple[ModuleLaw, str], ...]] = tuple

    @cached_property
    def approximate(self) -> tuple[tuple[ModuleLaw, str], ...]:
        """Laws but for the small constant eps of a normalisation, and why; found when they are asked for."""
        return self._ideal()

    @property
    def further(self) -> tuple[Polynomial, ...]:
        r"""Laws of the gradient flow that no rule of symmetry finds but ``clexact.certify`` does, independent of these.

        Polynomials in the entries of the module's parameters; none where the module is too large to be certified whole.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> class Diagonal(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.u, self.v = (torch.nn.Parameter(torch.ones(2)) for _ in "uv")
        ...     def forward(self, x):
        ...         return x @ (self.u**2 - self.v**2)
        >>> found = laws(Diagonal(), torch.ones(5, 2))
        >>> len(found), [str(law) for law in found.further]
        (0, ['u[0]*v[0]', 'u[1]*v[1]'])
        """
        return () if self.bounds is None else self.bounds.further

    @property
    def count(self) -> int:
        """Conserved numbers of all laws together, proved independent; ``independent`` has an upper bound too."""
        return self.independent.count

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: the nearly conserved laws themselves in place of how they are found."""
        return {**self.__dict__, "approximate": self.approximate, "_ideal": tuple}

    def __len__(self) -> int:
        return len(self.laws)

    @overload
    def __getitem__(self, index: int) -> ModuleLaw: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ModuleLaw, ...]: ...
    def __getitem__(self, index: int | slice) -> ModuleLaw | tuple[ModuleLaw, ...]:
        return self.laws[index]

    def __iter__(self) -> Iterator[ModuleLaw]:
        return iter(self.laws)

    def folded(self) -> list[Fold[ModuleLaw]]:
        """The laws with those of repeated blocks in one: h.0..11 for h.0, ..., h.11.

        Returns
        -------
        list of Fold
            Each with its ``members``, in order.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> def block():
        ...     first, last = torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)
        ...     return torch.nn.Sequential(first, torch.nn.ReLU(), last, torch.nn.Tanh())
        >>> net = torch.nn.Sequential(block(), block(), block())
        >>> [(fold.shown.name, fold.many) for fold in laws(net, torch.ones(4, 2), certify=False).folded()]
        [('0..2: 0 -> 2', 3)]
        """
        return folded(self.laws, lambda law: (law.count, law.status, law.reason))

    def values(self, module: nn.Module) -> dict[str, Tensor]:
        """The laws at the module's present parameters, on their device. Floating point.

        Parameters
        ----------
        module : torch.nn.Module
            The one they are of, or another with parameters of these names and shapes.

        Returns
        -------
        dict of str to torch.Tensor
            For each law, by name.

        Raises
        ------
        ValueError
            For a parameter that the module does not have.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> {name: value.shape for name, value in laws(net, torch.ones(4, 2)).values(net).items()}
        {'0 -> 2': torch.Size([3])}
        """
        parameters = parameters_of(self, module)
        with torch.no_grad():
            return {law.name: law.value(parameters) for law in self.laws}

    def to_frame(self) -> Any:
        """One row a law, as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            Its columns are what a law says of itself.

        Raises
        ------
        ImportError
            In one sentence, without pandas.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> laws(net, torch.ones(4, 2)).to_frame()[["name", "kind", "count"]]
             name      kind  count
        0  0 -> 2  diagonal      3
        """
        pandas = needed("pandas", "frame")
        columns = ["name", "kind", "degree", "count", "shape", "formula", "parameters", "status", "evidence", "reason"]
        rows = [
            [law.name, law.kind, law.degree, law.count, law.shape, law.formula, law.parameters, law.status.name,
             law.evidence, law.reason]
            for law in self
        ]  # fmt: skip
        return pandas.DataFrame(rows, columns=columns)

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        found = f"{self._numbers} in {counted(len(self), 'law')} of {self.module}{self._alone}"
        doubt = f"; {counted(len(self.disputed), 'more law')} disputed by the numerical check" if self.disputed else ""
        return f"{found}{doubt}{self._certified}"

    @property
    def _numbers(self) -> str:
        """How many numbers are independent, as far as it is proved."""
        count, most = self.independent.count, self.independent.most
        if count < most:
            return f"at least {count} and at most {most} independent conserved numbers"
        return counted(count, "independent conserved number")

    @property
    def _alone(self) -> str:
        """The sum of the numbers of each law, where it is more than those of all laws together."""
        total = sum(law.count for law in self.laws)
        if total == self.count:
            return ""
        return (
            f" (the laws one by one have {total} in all, which are not all independent of each other)"
            if (self.independent.count == self.independent.most)
            else f" (the laws one by one have {total} in all: too many for their independence to be certified here)"
        )

    @property
    def _certified(self) -> str:
        """What is certified of the module, or of the parameters of each law."""
        if self.bounds is not None:
            return f"; its gradient flow has {self.bounds.said}"
        if not self.blocks:
            return ""
        complete = sum(block.complete for block in self.blocks)
        return (
            f"; of {complete} of {counted(len(self.blocks), 'law')} it is certified that the module has no others in "
            "their parameters alone; whether it has others is not"
        )

    @property
    def _further(self) -> list[str]:
        """What certify adds, in a line."""
        if not self.further:
            return []
        more = f", and {len(self.further) - FEW} more" if len(self.further) > FEW else ""
        return [f"further, of the gradient flow by certify: {', '.join(map(str, self.further[:FEW]))}{more}"]

    @property
    def why_none(self) -> str:
        """What keeps the module from having more laws: each reason once."""
        reasons: dict[str, list[str]] = {}
        for law, why in (*self.disputed, *self.broken):
            reasons.setdefault(why, []).append(law.name)
        for part in self.uncovered:
            reasons.setdefault(part.reason, []).append(part.name)
        return " ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  DISPUTED, {law.name}: {law.formula}. {why}" for law, why in self.disputed]
        lines += [f"  {fold}" for fold in self.folded()]
        lines += [f"  {line}" for line in self._further]
        lines += [f"  not conserved: {law.name}. {why}" for law, why in self.broken]
        lines += [f"  nearly conserved: {law.name}: {law.formula}. {why}" for law, why in self.approximate]
        lines += [f"  not covered: {part.name}: {part.reason}" for part in self.uncovered]
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    __repr__ = __str__

    def table(self, width: int = 80) -> str:
        """The laws as a table that fits a terminal: repeated blocks in one row, parts of fused projections by name.

        Parameters
        ----------
        width : int
            No line is longer; at least 40.

        Returns
        -------
        str
            Plain text.

        Raises
        ------
        ValueError
            For another width.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> print(laws(net, torch.ones(4, 2), certify=False).table(60).rpartition("-" * 60 + chr(10))[-1])
        numbers  law
              3  0 -> 2  (diagonal, SYMMETRY)
                   squared lengths, 3 numbers: 0.weight + 0.bias -
                   2.weight
        """
        return table(self.folded(), self.headline, width)

    def to_svg(self) -> str:
        """A picture of the module's parameters and of which of them each law ties: blue with plus, orange with minus.

        Returns
        -------
        str
            An SVG document.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> laws(net, torch.ones(4, 2), certify=False).to_svg().count("<circle")
        3
        """
        return picture(self.folded(), f"What training conserves in {self.module}")

    def to_html(self) -> str:
        """The laws as HTML, as a notebook shows them.

        Returns
        -------
        str
            A paragraph, a table and a list.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
        >>> laws(net, torch.ones(4, 2), certify=False).to_html().count("<tr>")
        2
        """
        return self._repr_html_()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in ("law", "formula", "kind", "numbers", "status"))
        rows = "".join(
            f"<tr><td>{escape(law.name)}</td><td>{escape(law.pretty)}</td><td>{law.kind}</td>"
            f"<td>{f'{fold.many} × ' * (fold.many > 1)}{law.count}</td>"
            f'<td title="{escape(law.evidence)}">{law.status.name.lower().replace("_", ", ")}</td></tr>'
            for fold in self.folded()
            for law in [fold.shown]
        )
        rest = [f"{law.name}: {law.formula} is disputed. {why}" for law, why in self.disputed]
        rest += self._further
        rest += [f"{law.name} is not conserved. {why}" for law, why in self.broken]
        rest += [f"{law.name} is nearly conserved. {why}" for law, why in self.approximate]
        rest += [f"{part.name}: {part.reason}" for part in self.uncovered] + list(self.notes)
        listed = "".join(f"<li>{escape(line)}</li>" for line in rest)
        return f"<p>{escape(self.headline)}.</p><table><tr>{head}</tr>{rows}</table><ul>{listed}</ul>"

    def to_latex(self) -> str:
        r"""The laws for a paper, one in each line with its name.

        Returns
        -------
        str
            LaTeX for a displayed formula, with ``aligned`` of amsmath; empty without laws.

        Examples
        --------
        >>> import torch
        >>> from clexact.torch import laws
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.Linear(3, 1, bias=False))
        >>> print(laws(net, torch.ones(4, 2)).to_latex())
        \begin{aligned}
            \text{0 $\to$ 1:}\quad & \text{0.weight}\,\text{0.weight}^\top - \text{1.weight}^\top\,\text{1.weight}
        \end{aligned}
        """
        lines = " \\\\\n    ".join(rf"\text{{{_texed(law.name)}:}}\quad & {law.latex}" for law in self)
        return f"\\begin{{aligned}}\n    {lines}\n\\end{{aligned}}" if lines else ""

    def _repr_latex_(self) -> str:
        shown = self.to_latex()
        return f"$${shown}$$" if shown else ""


def _texed(text: str) -> str:
    return text.replace("_", r"\_").replace("->", r"$\to$")
