r"""``balance``: move a module's parameters along their symmetry orbit to given values of its laws.

Where a law is $\sum_k c_k P_k P_k^\top$, its group reaches every value that one layer's size against another's can
have: 0 by default, where the squared norm of all parameters is least on the orbit (Kempf and Ness). The function stays.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clexact.support.display import counted
from clexact.torch.calls import without_cache
from clexact.torch.find import laws as laws_of
from clexact.torch.law import ModuleLaw, parameters_of
from clexact.torch.orbit import Arrays, directions, moved, newton_step, weighted
from clexact.torch.rescalings import Rescalings
from clexact.torch.trace import arguments, unwrapped

LONGEST = 1.0  # step of a group, in its logarithm
SAME = 1e-9  # relative change of the outputs in float64 that rounding may make
MOST_NUMBERS = 2 * 10**8  # of an orbit basis


@dataclass(frozen=True)
class Balanced:
    """What ``balance`` did. Floating point.

    Attributes
    ----------
    before : dict of str to float
        For each law that was moved, by name, how far its value was from the one wanted: the largest entry of the
        difference, over the size of what adds up to the law.
    after : dict of str to float
        How far it is now.
    sweeps : int
        How often all laws were moved in turn.
    change : float
        Of the outputs for the example input, in float64, relative to their largest entry.
    left : tuple of (str, str)
        Laws that were not moved, or not in all numbers, and why.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> done = balance(net, torch.ones(4, 2))
    >>> done.after["0 -> 2"] < 1e-6, done.change < 1e-12, done.left
    (True, True, ())
    """

    before: dict[str, float]
    after: dict[str, float]
    sweeps: int
    change: float
    left: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        moved_ = counted(len(self.after), "law")
        worst = max(self.after.values(), default=0.0)
        said = f"{moved_} moved in {counted(self.sweeps, 'sweep')}, at most {worst:.1e} from the values wanted; "
        said += f"the outputs changed by {self.change:.1e}"
        return "\n".join([said, *(f"  left {name}: {why}" for name, why in self.left)])


def balance(
    module: nn.Module,
    example_input: Any,
    *,
    targets: Mapping[str, Any] | None = None,
    tolerance: float = 1e-10,
    max_sweeps: int = 1000,
) -> Balanced:
    r"""Move the parameters along their symmetry orbit until the laws have given values; the function stays.

    By default to 0: balanced layers, $|W_i|^2 + b_i^2 = |V_i|^2$ for every hidden unit, $U^\top U = V V^\top$ for
    factors, and sums that nothing sees, as biases of keys, at 0. Laws, those of ``laws`` for any loss, are moved in
    turn, each by Newton steps along its group: $P_k \mapsto e^{c_k X} P_k$ with $X M + M X = H - h$ for the wanted
    value H. In float64, whatever the module has; the parameters are changed in place, once the outputs for the example
    input are seen to be the same. A state that an optimizer keeps (momentum) is not moved.

    Parameters
    ----------
    module : torch.nn.Module
        The module, in training or evaluation mode.
    example_input : torch.Tensor, tuple or dict
        As for ``laws``.
    targets : mapping of str to float or array, optional
        For laws by name, the value wanted, as ``law.value`` gives it; laws not named are not moved. Default: 0 for all,
        but for those that are lengths, which cannot be 0.
    tolerance : float
        Of the values, relative to what adds up to the law.
    max_sweeps : int
        After so many, what is reached is kept.

    Returns
    -------
    Balanced
        How far the laws were and are, and what was left.

    Raises
    ------
    TypeError
        If it is given no module.
    ValueError
        For an unknown law, a value of a wrong shape or that is not finite, a tolerance or number of sweeps that is not
        positive, and parameters that are not finite.
    RuntimeError
        If the outputs would change, by more than rounding: then nothing is changed.

    Examples
    --------
    >>> import torch
    >>> from clexact.torch import laws
    >>> first, last = torch.nn.Linear(3, 2, bias=False), torch.nn.Linear(2, 3, bias=False)
    >>> net, x = torch.nn.Sequential(first, last).double(), torch.eye(3, dtype=torch.float64)
    >>> with torch.no_grad():
    ...     before = net(x)
    ...     done = balance(net, x)
    ...     same = torch.allclose(net(x), before, atol=1e-12)
    >>> same, bool(laws(net, x)[0].value(dict(net.named_parameters())).abs().max() < 1e-9)
    (True, True)
    """
    module = unwrapped(module)
    if not tolerance > 0 or max_sweeps < 1:
        raise ValueError(f"tolerance and max_sweeps must be positive, not {tolerance} and {max_sweeps}.")
    found = [law for law in laws_of(module, example_input, loss=None, certify=False) if not law.mixed]
    parameters = parameters_of(found, module)
    arrays = {name: p.detach().double() for name, p in parameters.items()}
    if not all(bool(array.isfinite().all()) for array in arrays.values()):
        raise ValueError("the parameters are not all finite.")
    goals = [_Goal(law, value, arrays) for law, value in _wanted(list(found), targets, arrays)]
    lengths = [law for law in found if _length(law)] if targets is None else []
    left = [(law.name, "a length, which cannot be 0: give its value") for law in lengths]
    left += [(goal.law.name, goal.left) for goal in goals if goal.left]
    before = {goal.law.name: goal.distance(arrays) for goal in goals}
    sweeps = _swept(goals, arrays, tolerance, max_sweeps)
    change = _change(module, example_input, arrays)
    if not change <= SAME:
        raise RuntimeError(
            f"the outputs would change by {change:.1e} of their size, more than rounding: nothing was changed."
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(arrays[name])
    return Balanced(before, {goal.law.name: goal.distance(arrays) for goal in goals}, sweeps, change, tuple(left))


def _length(law: ModuleLaw) -> bool:
    """Whether the law is a sum of squares."""
    return law.degree == 2 and all(term.coefficient > 0 for term in law.terms)


def _wanted(laws: list[ModuleLaw], targets: Mapping[str, Any] | None, arrays: Arrays) -> list[tuple[ModuleLaw, Tensor]]:
    """The laws that are to be moved, with their values."""
    if targets is None:
        return [(law, 0.0 * law.value(arrays)) for law in laws if not _length(law)]
    by_name = {law.name: law for law in laws}
    if unknown := [name for name in targets if name not in by_name]:
        raise ValueError(f"there is no law {unknown[0]!r}: expected one of {', '.join(by_name) or 'none'}.")
    found = []
    for name, given in targets.items():
        law, zero = by_name[name], 0.0 * by_name[name].value(arrays)
        value = torch.as_tensor(given, dtype=torch.float64, device=zero.device)
        if value.ndim and value.shape != zero.shape:
            raise ValueError(f"the value of {name!r} must have shape {tuple(zero.shape)}, not {tuple(value.shape)}.")
        if not bool(value.isfinite().all()):
            raise ValueError(f"the value of {name!r} is not finite.")
        if law.kind == "gram":
            value = value * torch.eye(law.rows, dtype=zero.dtype, device=zero.device) if not value.ndim else value
            if not torch.equal(value, value.mT):
                raise ValueError(f"the value of {name!r} must be a symmetric matrix.")
        found.append((law, zero + value))
    return found


class _Goal:
    """A law and the value that it is to have; of its numbers, those that its group can bring there."""

    def __init__(self, law: ModuleLaw, value: Tensor, arrays: Arrays) -> None:
        self.law, self.value, self.left = law, value, ""
        self.movable = torch.ones_like(value, dtype=torch.bool)
        if law.kind == "translation":
            return
        up, down = (_side(law, arrays, sign) for sign in (1, -1))
        if law.kind == "gram":
            ranks = torch.linalg.matrix_rank(up), torch.linalg.matrix_rank(down)
            if not bool((ranks[0] == ranks[1]).all()) and not bool(value.any()):
                self.movable[...] = False
                self.left = "its two sides have different ranks: no matrix balances them"
            return
        stuck = ((down == 0) & (value <= 0)) | ((up == 0) & (value >= 0))
        stuck &= ~((up == 0) & (down == 0) & (value == 0))
        self.movable &= ~stuck
        if bool(stuck.any()):
            some = f"{int(stuck.sum())} of {counted(stuck.numel(), 'number')}"
            self.left = f"{some}: one side is 0, which no rescaling changes"

    def gap(self, arrays: Arrays) -> Tensor:
        """What is missing, of the numbers that can move."""
        return torch.where(self.movable, self.value - self.law.value(arrays), torch.zeros_like(self.value))

    def distance(self, arrays: Arrays) -> float:
        """The largest entry of the gap over the size of what adds up to the law."""
        size = sum(_side(self.law, arrays, sign).abs().max() for sign in (1, -1)) if self.law.degree == 2 else 1.0
        largest = self.gap(arrays).abs().max()
        return float(largest / size) if float(size) else float(largest)

    def approach(self, arrays: Arrays) -> None:
        """A Newton step along the group, made shorter until it comes nearer."""
        gap = self.gap(arrays)
        step = newton_step(self.law, arrays, gap)
        step = step * min(1.0, LONGEST / max(float(step.abs().max()), LONGEST)) if self.law.degree == 2 else step
        for _ in range(20):
            there = moved(self.law, arrays, step)
            if float(self.gap({**arrays, **there}).norm()) < float(gap.norm()):
                arrays.update(there)
                return
            step = step / 2


def _side(law: ModuleLaw, arrays: Arrays, sign: int) -> Tensor:
    """The terms of one sign, as positive numbers."""
    return weighted(law, arrays, lambda c: max(sign * c, 0))


def _swept(goals: list[_Goal], arrays: Arrays, tolerance: float, most: int) -> int:
    """How many sweeps it takes: over all rescalings together, then over the other laws in turn."""
    diagonal = [goal for goal in goals if goal.law.kind in ("diagonal", "scale")]
    together = Rescalings(*zip(*((g.law, g.value, g.movable) for g in diagonal), strict=True)) if diagonal else None
    for sweep in range(most):
        if all(goal.distance(arrays) <= tolerance for goal in goals):
            return sweep
        if together is not None and any(goal.distance(arrays) > tolerance for goal in diagonal):
            together.approach(arrays)
        for goal in goals:
            if goal not in diagonal:
                goal.approach(arrays)
    return most


def _change(module: nn.Module, example: Any, arrays: Arrays) -> float:
    """Of the outputs for the example, in float64, relative to their largest entry."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        first = _outputs(copy.deepcopy(module).double(), example)
        twin = copy.deepcopy(module).double()
        named = dict(twin.named_parameters(remove_duplicate=False))
        for name, array in arrays.items():
            named[name].copy_(array)
        second = _outputs(twin, example)
    size = max((float(out.abs().max()) for out in first if out.numel()), default=0.0)
    moved_ = max((float((a - b).abs().max()) for a, b in zip(first, second, strict=True) if a.numel()), default=0.0)
    return moved_ / size if size else moved_


def _outputs(module: nn.Module, example: Any) -> list[Tensor]:
    """All tensors of floating point that a module returns."""
    torch.manual_seed(0)  # what dropout draws, the same both times
    positional, keywords = arguments(example)
    given = torch.utils._pytree.tree_map(_doubled, (positional, keywords))
    with without_cache(module):
        found = torch.utils._pytree.tree_leaves(module(*given[0], **given[1]))
    return [leaf for leaf in found if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def _doubled(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def orbit_basis(module: nn.Module, example_input: Any) -> dict[str, Tensor]:
    r"""An orthonormal basis of the directions in which the symmetries of a module's laws move its parameters now.

    Along them the outputs do not change, so no gradient has a part in them: for authors of optimizers, what a step
    adds there is noise. For each law its whole group: of a Gram matrix of r rows, all r^2 directions. Singular values,
    in float64, decide; directions of less than 1e-10 of the largest are taken to depend on the others.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    example_input : torch.Tensor, tuple or dict
        As for ``laws``.

    Returns
    -------
    dict of str to torch.Tensor
        For each parameter that a law speaks of, by name, an array (k, *its shape) of float64: the k vectors.

    Raises
    ------
    TypeError
        If it is given no module.
    ValueError
        For a module with so many directions and parameters that the basis has over 200,000,000 numbers.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> basis = orbit_basis(net, torch.ones(4, 2))
    >>> {name: tuple(vectors.shape) for name, vectors in basis.items()}
    {'0.weight': (3, 3, 2), '0.bias': (3, 3), '2.weight': (3, 1, 3)}
    """
    module = unwrapped(module)
    found = [law for law in laws_of(module, example_input, loss=None, certify=False) if not law.mixed]
    arrays = {name: p.detach().double() for name, p in parameters_of(found, module).items()}
    size = sum(array.numel() for array in arrays.values())
    count = sum(law.groups * law.rows**2 if law.kind == "gram" else law.size for law in found)
    if size * count > MOST_NUMBERS:
        raise ValueError(f"the basis would be {count} vectors of {size} numbers, more than {MOST_NUMBERS} in all.")
    rows = [_flat(direction, arrays) for law in found for direction in directions(law, arrays)]
    if not rows:
        return {}
    sizes, vectors = torch.linalg.svd(torch.stack(rows), full_matrices=False)[1:]
    kept = vectors[sizes > 1e-10 * sizes[0]]
    pieces = kept.split([array.numel() for array in arrays.values()], 1)
    return {
        name: piece.reshape(len(kept), *array.shape)
        for (name, array), piece in zip(arrays.items(), pieces, strict=True)
    }


def _flat(direction: Arrays, arrays: Arrays) -> Tensor:
    """A direction in some of the arrays as one vector of all."""
    return torch.cat([direction.get(name, torch.zeros_like(array)).reshape(-1) for name, array in arrays.items()])
