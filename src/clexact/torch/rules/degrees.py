"""The degrees of every node of a trace (see ``grading``), by a rule for each operation.

An operation without a rule fixes all that enters it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch.fx import Node

from clexact.algebra.terms import Ints
from clexact.programs.places import Shape
from clexact.symmetry.grading import Factor, Graded, TooManyError, Units, regrouped
from clexact.torch.failures import Failures
from clexact.torch.trace import Trace, constant, operation

Value = Any  # Graded, a tuple of them, or a Python constant
Rule = Callable[["DegreesAt", Shape, list[Value], dict[str, Value]], Value]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operations of these names; ValueError if one has a rule already."""

    def register(function: Rule) -> Rule:
        if twice := RULES.keys() & set(names):
            raise ValueError(f"there is a rule for {', '.join(sorted(twice))} already.")
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


class Degrees:
    """The degrees of every node of a trace.

    ``ideal`` takes the constant eps of a normalisation to be 0: then what it normalises may be rescaled.
    """

    def __init__(self, trace: Trace, ideal: bool = False) -> None:
        self.trace, self.ideal, self.units = trace, ideal, Units()
        self.parameters: dict[str, Graded] = {}
        self._present = set(trace.nodes)
        self.blocked: dict[str, str] = {}  # {node: why}, of those that stop a rescaling though they have a rule
        self.unknown: dict[str, str] = {}  # {node: operation}, of those that have no rule and stop a rescaling
        self.failures = Failures()  # of rules that stop a rescaling by an error of their own
        values: dict[Node, Value] = {}
        for node in trace.nodes:
            values[node] = self._value(node, values)
        for node in trace.outputs:
            self._fix_all(values[node])

    def _value(self, node: Node, values: Mapping[Node, Value]) -> Value:
        shape = _shape(node)
        if node.op == "placeholder":
            given = node.name in self.trace.inputs
            return self._parameter(node) if node.name in self.trace.parameters else Graded(shape, constant=not given)
        if node.op != "call_function" or constant(node):
            return Graded(shape, zero=operation(node) == "zeros_like" if node.op == "call_function" else False)
        name = operation(node)
        inputs = [_replaced(a, values) for a in node.args]
        keywords = {key: _replaced(a, values) for key, a in node.kwargs.items()}
        try:
            if name == "getitem":
                return replace(inputs[0][inputs[1]], shape=shape) if isinstance(inputs[0], tuple) else Graded(shape)
            if not any(g.factors for g in _tensors([inputs, keywords])):
                return _ungraded(node)
            if name in RULES:
                at = DegreesAt(node.name, self.units, self.ideal, self.blocked)
                return RULES[name](at, shape, inputs, keywords)
        except (TooManyError, MisfitError):
            pass  # not covered
        except Exception as error:
            self.failures.note(name, error)
        self.unknown[node.name] = name
        self._fix_all([inputs, keywords])
        return _ungraded(node)

    def _parameter(self, node: Node) -> Graded:
        """A parameter: units for each axis, but not for offsets of a kernel, numbers of a stack, and axes of size 1."""
        name, shape = self.trace.parameters[node.name], _shape(node)
        if name not in self.parameters:
            groups = {_groups(user, node) for user in node.users if user in self._present}
            convolved = bool(groups) and 0 not in groups
            axes = [axis for axis, size in enumerate(shape[:2] if convolved else shape) if size > 1]
            factors = []
            if convolved and len(groups) == 1 and 1 not in groups and 1 in axes:
                axes.remove(1)
                factors.append(Factor(1, self._group_columns(shape, groups.pop())))
            stack = axes[:1] if len(axes) == 3 and not convolved else []  # matrices in a stack: each has its own units
            for axis in axes[len(stack) :]:
                size = tuple(n if a in (axis, *stack) else 1 for a, n in enumerate(shape))
                factors.append(Factor(1, self.units.fresh(size)))
            self.parameters[name] = Graded(shape, tuple(factors) or (Factor(1, self.units.fresh((1,) * len(shape))),))
            if node.meta["val"].is_complex():
                self.units.fix(self.parameters[name])
        return self.parameters[name]

    def _group_columns(self, shape: Shape, count: int) -> Ints:
        """Units for the input channels of a grouped convolution, each group its own."""
        columns = np.repeat(self.units.fresh((count, 1, shape[1])), shape[0] // count, axis=1)
        return columns.reshape(shape[0], shape[1], *[1] * (len(shape) - 2))

    def _fix_all(self, values: Value) -> None:
        for tensor in _tensors(values):
            self.units.fix(tensor)


@dataclass(frozen=True)
class DegreesAt:
    """The degrees at one node, and what several rules share."""

    node: str
    units: Units
    ideal: bool
    blocked: dict[str, str]

    def require(self, condition: bool) -> None:
        """Give up on an operation whose arguments a rule does not cover."""
        if not condition:
            raise MisfitError

    def keep(self, tensor: Graded, axes: Sequence[int]) -> tuple[Factor, ...]:
        """The factors that do not vary along these axes; those that do must add up to 0."""
        chosen = [axis % max(1, len(tensor.shape)) for axis in axes]
        varies = [any(f.varies(axis) for axis in chosen) for f in tensor.factors]
        if any(varies):
            self.blocked[self.node] = "a sum, or a choice, among its units"
            self.units.fix(Graded(tensor.shape, tuple(f for f, v in zip(tensor.factors, varies, strict=True) if v)))
        return tuple(f for f, v in zip(tensor.factors, varies, strict=True) if not v)

    def alike(self, tensor: Graded, axes: Sequence[int]) -> tuple[Factor, ...]:
        """The factors of a tensor of one degree along these axes, which are reduced: of their first entries."""
        chosen = [axis % max(1, len(tensor.shape)) for axis in axes]
        first = tuple(slice(0, 1) if axis in chosen else slice(None) for axis in range(len(tensor.shape)))
        kept = list[Factor]()
        for factor in tensor.factors:
            kept.append(factor.seen(factor.units[first]))
            if any(factor.varies(axis) for axis in chosen):
                self.units.equate((factor, kept[-1].times(-1)))
                self.units.isolate([factor], chosen)
        return tuple(kept)

    def joined(self, shape: Shape, *tensors: Graded) -> Graded:
        """The result of adding tensors: all that are not 0 have the degree of the result."""
        wide = [tensor.over(shape) for tensor in tensors if not tensor.zero]
        if not wide:
            return Graded(shape, zero=True)
        if any(g.factors for g in wide) and not all(g.factors for g in wide):
            self.blocked[self.node] = "a sum with what does not rescale"
        first = max(wide, key=lambda g: max((f.units.size for f in g.factors), default=0))
        for other in wide:
            if other is not first:
                self.units.equate((*first.factors, *(f.times(-1) for f in other.factors)))
            if len(other.factors) > 1 or not other.factors or not first.factors:
                self.units.isolate((*first.factors, *other.factors))
        return Graded(shape, first.factors)

    def product(self, shape: Shape, a: Graded, b: Graded, sign: int = 1) -> Graded:
        """The result of a product, entry by entry: degrees add up."""
        a, b = a.over(shape), b.over(shape)
        for one, other in ((a, b), (b, a)):
            axes = [axis for axis, size in enumerate(other.shape) if size > 1]
            self.units.isolate(one.factors, axes)
            if not other.constant and all(axis in axes for f in one.factors for axis in f.axes):
                self.units.gate(one.factors)
        return Graded(shape, self.units.sum_of((*a.factors, *(f.times(sign) for f in b.factors))), a.zero or b.zero)

    def contracted(
        self, factors: Sequence[Factor], batch: Sequence[int], summed: int, single: bool
    ) -> tuple[Factor, ...]:
        """Sum over the last ``summed`` axes: what varies along them cancels; matrices act there, batch by batch.

        Where nothing else gives the result a degree, what varies may add up to one number for all.
        """
        kept, varying = list[Factor](), list[Factor]()
        for factor in factors:
            last = range(factor.units.ndim - summed, factor.units.ndim)
            (varying if any(factor.varies(axis) for axis in last) else kept).append(factor)
        if varying and not kept and single:
            free = Factor(-1, self.units.fresh((1,) * varying[0].units.ndim, inner=True))
            self.units.equate((*varying, free))
            kept.append(free.times(-1))
        else:
            self.units.equate(varying)
        if len(varying) > 2:
            self.units.isolate(varying)
        for factor in varying:
            others = range(factor.units.ndim - summed)
            along = [axis for axis in factor.axes if axis not in others]
            self.units.isolate([factor], [*others, *along[1:]])
        self.units.isolate(kept, batch)
        return self.units.sum_of([f.seen(f.units.reshape(f.units.shape[: f.units.ndim - summed])) for f in kept])

    def affine(self, shape: Shape, axes: Sequence[int], weight: Graded | None, bias: Graded | None) -> Graded:
        """A normalised tensor of degree 0 times ``weight`` plus ``bias``, which lie along ``axes``."""
        lie = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
        placed = [
            Graded(lie, tuple(f.seen(regrouped(f.units, g.shape, lie)) for f in g.factors)) if g is not None else None
            for g in (weight, bias)
        ]
        out = Graded(shape, placed[0].factors if placed[0] is not None else ())
        self.units.gate(out.factors)
        if placed[1] is None:
            return out
        return self.joined(shape, out, placed[1])

    def normalised(self, tensor: Graded, axes: Sequence[int], eps: float | None) -> None:
        """A tensor is divided by its size along ``axes``: its degree is the same along them; 0 if eps is not."""
        if eps != 0 and not self.ideal:
            self.units.fix(tensor)
            return
        self.alike(tensor, axes)
        self.units.isolate(tensor.factors)


class MisfitError(Exception):
    """The arguments are not those that a rule covers."""


def _shape(node: Node) -> Shape:
    value = node.meta.get("val")
    return tuple(int(size) for size in getattr(value, "shape", ()))


def _ungraded(node: Node) -> Value:
    value = node.meta.get("val")
    if isinstance(value, (tuple, list)):
        return tuple(Graded(tuple(int(n) for n in getattr(v, "shape", ()))) for v in value)
    zero = operation(node) in ("zeros", "zeros_like", "new_zeros")
    return Graded(_shape(node), zero=zero)


def _replaced(argument: Any, values: Mapping[Node, Value]) -> Value:
    if isinstance(argument, Node):
        return values.get(argument, Graded(_shape(argument)))
    if isinstance(argument, (tuple, list)):
        return [_replaced(a, values) for a in argument]
    return argument


def _tensors(value: Value) -> list[Graded]:
    if isinstance(value, Graded):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [g for v in value for g in _tensors(v)] if isinstance(value, (tuple, list)) else []


def _groups(user: Node, weight: Node) -> int:
    """The groups of a convolution with this weight; 0 for anything else."""
    name = operation(user) if user.op == "call_function" else ""
    if name not in (*CONVOLUTIONS, *TRANSPOSED) or user.args[1] is not weight:
        return 0
    groups = int(user.args[6]) if len(user.args) > 6 else int(user.kwargs.get("groups", 1))
    return groups if name in CONVOLUTIONS or groups == 1 else 0


CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def argument(a: list[Value], k: dict[str, Value], place: int, name: str, default: Any) -> Any:
    """An argument of an operation, by its place or its name."""
    return a[place] if len(a) > place else k.get(name, default)


def number(value: Value) -> Graded:
    """A number as a tensor."""
    return value if isinstance(value, Graded) else Graded((), zero=value == 0)
