r"""All rescalings of a module at once: the x for which the diagonal laws have given values, by Newton's method.

An entry p of which the laws v have the coefficients $m_v$ becomes $e^{m \cdot x} p$, so the laws are the gradient of
$F(x) = \frac12 \sum p^2 e^{2 m \cdot x}$, which is convex: $F - H \cdot x$ is least where they are H. Entries of the
same laws are one sum of squares. Floating point.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clexact.torch.law import ModuleLaw

Arrays = dict[str, Tensor]
NEWTON, CONJUGATE = 100, 400  # steps, at most
LONGEST = 4.0  # change of an exponent in a step
HALVED, ROUNDING = 20, 1e-14  # of a step that does not help
SMALL = 1e-15  # of the gradient at the start: less is left to another call


class Rescalings:
    """Diagonal laws with the values that their numbers are to have; those that are not ``movable`` stay."""

    def __init__(self, laws: Sequence[ModuleLaw], values: Sequence[Tensor], movable: Sequence[Tensor]) -> None:
        self.laws = laws
        self.values = torch.cat([value.reshape(-1) for value in values])
        self.movable = torch.cat([each.reshape(-1) for each in movable])
        self.first = [sum(value.numel() for value in values[:n]) for n in range(len(values))]

    def approach(self, arrays: Arrays) -> None:
        """Rescale the arrays, in place of those in the mapping."""
        rows = {name: self._rows(name, arrays[name]) for law in self.laws for name in law.parameters}
        problem = _Least([(r, r.squares(arrays[name])) for name, r in rows.items()], self)
        x = problem.solution()
        for name, r in rows.items():
            scale = torch.exp(r.exponents(x))
            arrays[name] = (arrays[name].reshape(-1) * scale[r.which]).reshape(arrays[name].shape)

    def _rows(self, name: str, array: Tensor) -> _Rows:
        """Which numbers of which laws each entry of a parameter belongs to."""
        columns, weights, none = list[Tensor](), list[int](), len(self.values)
        for law, first in zip(self.laws, self.first, strict=True):
            for term in law.terms:
                if term.parameter == name:
                    column = torch.full((array.numel(),), none)
                    groups, rows, size = term.entries.shape
                    numbers = torch.arange(groups * rows).reshape(groups, rows, 1).expand(groups, rows, size)
                    column[torch.as_tensor(term.entries).reshape(-1)] = first + numbers.reshape(-1)
                    columns.append(column)
                    weights.append(term.coefficient)
        return _Rows(torch.stack(columns, 1), weights, none)


class _Rows:
    """The entries of a parameter by the numbers (entries, terms) that they belong to; ``none``: to no law."""

    def __init__(self, columns: Tensor, coefficients: Sequence[int], none: int) -> None:
        key = columns[:, 0]
        for column in columns.T[1:]:
            key = key * (none + 1) + column
            key = torch.unique(key, return_inverse=True)[1]
        distinct, self.which = torch.unique(key, return_inverse=True)
        example = torch.empty(len(distinct), dtype=torch.int64).scatter_(0, self.which, torch.arange(len(columns)))
        members = columns[example]
        self.terms = [(column.contiguous(), c) for column, c in zip(members.T, coefficients, strict=True)]

    def exponents(self, x: Tensor) -> Tensor:
        """The exponent of each, for those of all numbers; that of no law, the last, is 0."""
        out = torch.zeros(len(self.terms[0][0]), dtype=x.dtype)
        for members, coefficient in self.terms:
            out.add_(x[members], alpha=coefficient)
        return out

    def squares(self, array: Tensor) -> Tensor:
        """The sum of squares of the entries of each."""
        return torch.bincount(self.which, array.reshape(-1).square(), len(self.terms[0][0]))


class _Least:
    """F - H x, of sums of squares with their exponents."""

    def __init__(self, parts: Sequence[tuple[_Rows, Tensor]], goal: Rescalings) -> None:
        self.parts, self.values = parts, goal.values
        self.free = torch.cat([goal.movable.double(), torch.zeros(1, dtype=torch.float64)])  # the last: of no law

    def at(self, x: Tensor) -> list[Tensor]:
        """The sums of squares there."""
        return [squares * torch.exp(2 * rows.exponents(x)) for rows, squares in self.parts]

    def value(self, x: Tensor, sizes: Sequence[Tensor]) -> float:
        """F - H x."""
        return float(sum(part.sum() for part in sizes) / 2 - (self.values * x[:-1]).sum())

    def gathered(self, sizes: Sequence[Tensor], v: Tensor | None = None) -> Tensor:
        """The sum of the sizes times m, and times (m v) if v is given: the laws; half the second derivative along v."""
        out = torch.zeros_like(self.free)
        for (rows, _), part in zip(self.parts, sizes, strict=True):
            each = part if v is None else part * rows.exponents(v)
            for members, coefficient in rows.terms:
                out.index_add_(0, members, each, alpha=coefficient)
        return self.free * out

    def slopes(self, sizes: Sequence[Tensor]) -> Tensor:
        """The diagonal of the second derivative."""
        out = torch.zeros_like(self.free)
        for (rows, _), part in zip(self.parts, sizes, strict=True):
            for members, coefficient in rows.terms:
                out.index_add_(0, members, part, alpha=2 * coefficient**2)
        return torch.where((self.free > 0) & (out > 0), out, 1.0)

    def solution(self) -> Tensor:
        """By Newton steps with a line search, as long as F - H x falls, or at least its gradient."""
        x = torch.zeros_like(self.free)
        wanted = torch.cat([self.values, torch.zeros(1, dtype=torch.float64)]) * self.free
        sizes = self.at(x)
        now, gradient = self.value(x, sizes), self.gathered(sizes) - wanted
        first = float(gradient.norm())
        for _ in range(NEWTON):
            left = float(gradient.norm())
            if left <= SMALL * first:
                break
            step = self._newton(sizes, gradient, min(0.1, left / first) if first else 0.0)
            step = step * min(1.0, LONGEST / max(float(step.abs().max()), LONGEST))
            for _ in range(HALVED):
                there = self.at(x + step)
                value, slope = self.value(x + step, there), self.gathered(there) - wanted
                if value < now - ROUNDING * abs(now) or float(slope.norm()) < left:
                    break
                step = step / 2
            else:
                break
            x, sizes, now, gradient = x + step, there, value, slope
        return x

    def _newton(self, sizes: Sequence[Tensor], gradient: Tensor, precision: float) -> Tensor:
        """The solution of F'' step = - gradient, by conjugate gradients, as precise as it helps."""
        slopes = self.slopes(sizes)
        step, left = torch.zeros_like(gradient), -gradient
        scaled = left / slopes
        along, size = scaled, float(left @ scaled)
        enough = precision**2 * size
        for _ in range(CONJUGATE):
            if not size > enough:
                break
            image = 2 * self.gathered(sizes, along)
            curvature = float(along @ image)
            if not curvature > 0:
                break
            step = step + size / curvature * along
            left = left - size / curvature * image
            scaled = left / slopes
            size, before = float(left @ scaled), size
            along = scaled + size / before * along
        return step
