"""What each operation of a trace does to degrees (see ``grading``); one that is not listed fixes all that enters it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from torch.fx import Node

from clexact.torch.grading import (
    FIXED,
    Factor,
    Graded,
    Ints,
    Shape,
    TooManyError,
    Units,
    aligned,
    regrouped,
    repeats,
)
from clexact.torch.trace import Trace, constant, operation

Value = Any  # Graded, a tuple of them, or a Python constant
Rule = Callable[["Degrees", Shape, list[Value], dict[str, Value]], Value]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operations of these names."""

    def register(function: Rule) -> Rule:
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
        self._node = ""
        self.unknown: dict[str, str] = {}  # {node: operation}, of those that have no rule and stop a rescaling
        values: dict[Node, Value] = {}
        for node in trace.nodes:
            self._node = node.name
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
        if name == "getitem":
            return replace(inputs[0][inputs[1]], shape=shape) if isinstance(inputs[0], tuple) else Graded(shape)
        if not any(g.factors for g in _tensors([inputs, keywords])):
            return _ungraded(node)
        try:
            if name in RULES:
                return RULES[name](self, shape, inputs, keywords)
        except (TooManyError, _MisfitError, AttributeError, IndexError, KeyError, TypeError, ValueError):
            pass
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

    # -- what several rules share ---------------------------------------------------------------------------------

    def require(self, condition: bool) -> None:
        """Give up on an operation whose arguments a rule does not cover."""
        if not condition:
            raise _MisfitError

    def keep(self, tensor: Graded, axes: Sequence[int]) -> tuple[Factor, ...]:
        """The factors that do not vary along these axes; those that do must add up to 0."""
        chosen = [axis % max(1, len(tensor.shape)) for axis in axes]
        varies = [any(f.varies(axis) for axis in chosen) for f in tensor.factors]
        if any(varies):
            self.blocked[self._node] = "a sum, or a choice, among its units"
            self.units.fix(Graded(tensor.shape, tuple(f for f, v in zip(tensor.factors, varies, strict=True) if v)))
        return tuple(f for f, v in zip(tensor.factors, varies, strict=True) if not v)

    def joined(self, shape: Shape, *tensors: Graded) -> Graded:
        """The result of adding tensors: all that are not 0 have the degree of the result."""
        wide = [tensor.over(shape) for tensor in tensors if not tensor.zero]
        if not wide:
            return Graded(shape, zero=True)
        if any(g.factors for g in wide) and not all(g.factors for g in wide):
            self.blocked[self._node] = "a sum with what does not rescale"
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
        for factor in tensor.factors:
            first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(len(tensor.shape)))
            self.units.equate((factor, factor.seen(factor.units[first]).times(-1)))
        self.units.isolate(tensor.factors)


class _MisfitError(Exception):
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
    if user.op != "call_function" or operation(user) not in CONVOLUTIONS or user.args[1] is not weight:
        return 0
    return int(user.args[6]) if len(user.args) > 6 else int(user.kwargs.get("groups", 1))


CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


# -- linear in each entry, or moving entries about ---------------------------------------------------------------------


@rule("clone", "contiguous", "alias", "neg", "to", "_to", "lift_fresh", "type_as")
def _same(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, a[0].factors, a[0].zero)


@rule("view", "_unsafe_view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze")
def _view(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    factors = tuple(f.seen(regrouped(f.units, a[0].shape, shape)) for f in a[0].factors)
    d.units.isolate(f for f in factors if repeats(f.units) and not aligned(f.units))
    return Graded(shape, factors, a[0].zero)


@rule("permute", "transpose", "t", "numpy_T", "swapaxes")
def _permute(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    order = list(range(len(shape)))
    if len(a) == 2:
        order = [axis % len(shape) for axis in a[1]]
    elif len(a) == 3:
        d.require(isinstance(a[1], int))
        order[a[1]], order[a[2]] = order[a[2]], order[a[1]]
    else:
        order = order[::-1]
    return Graded(shape, tuple(f.seen(f.units.transpose(order)) for f in a[0].factors), a[0].zero)


@rule("mT")
def _turned(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _permute(d, shape, [a[0], -1, -2], k)


@rule("expand", "broadcast_to")
def _expand(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, a[0].over(shape).factors, a[0].zero)


def _pieces(d: Degrees, tensor: Graded, axis: int, ranges: Sequence[range], drop: bool = False) -> tuple[Graded, ...]:
    """Parts of a tensor along an axis."""
    found = []
    for chosen in ranges:
        index, factors = np.array(chosen, dtype=np.int64), list[Factor]()
        inside = np.isin(np.arange(tensor.shape[axis]), index)
        inside = inside.reshape([-1 if n == axis else 1 for n in range(len(tensor.shape))])
        for factor in tensor.factors:
            units = factor.units
            if factor.varies(axis):
                d.units.part(factor, inside)
                if repeats(units):
                    d.units.isolate([factor])
                units = units.take(index, axis=axis)
            factors.append(factor.seen(units.reshape(units.shape[:axis] + units.shape[axis + 1 :]) if drop else units))
        size = () if drop else (len(index),)
        found.append(Graded(tensor.shape[:axis] + size + tensor.shape[axis + 1 :], tuple(factors), tensor.zero))
    return tuple(found)


def _argument(a: list[Value], k: dict[str, Value], place: int, name: str, default: Any) -> Any:
    return a[place] if len(a) > place else k.get(name, default)


@rule("slice")
def _slice(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 1, "dim", 0) % len(a[0].shape)
    chosen = slice(*(_argument(a, k, n, name, None) for n, name in ((2, "start"), (3, "end"), (4, "step"))))
    return _pieces(d, a[0], axis, [range(a[0].shape[axis])[chosen]])[0]


@rule("select")
def _select(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = a[1] % len(a[0].shape)
    index = a[2] % a[0].shape[axis]
    return _pieces(d, a[0], axis, [range(index, index + 1)], drop=True)[0]


@rule("unbind")
def _unbind(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 1, "dim", 0) % len(a[0].shape)
    return _pieces(d, a[0], axis, [range(n, n + 1) for n in range(a[0].shape[axis])], drop=True)


@rule("split", "split_with_sizes")
def _split(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 2, "dim", 0) % len(a[0].shape)
    total, sizes = a[0].shape[axis], a[1]
    sizes = [min(sizes, total - first) for first in range(0, total, sizes)] if isinstance(sizes, int) else sizes
    ends = np.cumsum([0, *sizes]).tolist()
    return _pieces(d, a[0], axis, [range(*pair) for pair in pairwise(ends)])


@rule("chunk")
def _chunk(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 2, "dim", 0) % len(a[0].shape)
    return _split(d, shape, [a[0], -(-a[0].shape[axis] // a[1]), axis], {})


@rule("cat", "concat", "concatenate")
def _cat(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 1, "dim", 0) % len(shape)
    parts: list[Graded] = [part for part in a[0] if len(part.shape) == len(shape)]
    d.require(all(len(part.factors) <= 1 for part in parts) and len(parts) == len(a[0]))
    coefficients = {f.coefficient for part in parts for f in part.factors}
    if not coefficients:
        return Graded(shape, zero=all(part.zero for part in parts))
    d.require(len(coefficients) == 1)
    wide = [
        part.factors[0].units if part.factors else np.full((1,) * len(shape), FIXED, dtype=np.int64) for part in parts
    ]
    common = [max(units.shape[n] for units in wide) for n in range(len(shape))]
    sized = [
        np.broadcast_to(units, [part.shape[axis] if n == axis else common[n] for n in range(len(shape))])
        for units, part in zip(wide, parts, strict=True)
    ]
    factor = Factor(coefficients.pop(), np.concatenate(sized, axis=axis))
    d.units.isolate([factor])
    return Graded(shape, (factor,))


@rule("stack")
def _stack(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 1, "dim", 0) % len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    return _cat(d, shape, [[_view(d, one, [part], {}) for part in a[0]], axis], {})


@rule("index_select")
def _index_select(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, d.keep(a[0], [a[1]]))


@rule("sum", "mean")
def _sum(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _reduced(d, shape, a, k)


def _reduced(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Graded:
    axes = _argument(a, k, 1, "dim", None)
    axes = [axes] if isinstance(axes, int) else axes or list(range(len(a[0].shape)))
    axes = [axis % max(1, len(a[0].shape)) for axis in axes]
    kept = d.keep(a[0], axes)
    small = tuple(1 if axis in axes else size for axis, size in enumerate(a[0].shape))
    return Graded(shape, tuple(f.seen(regrouped(f.units, small, shape)) for f in kept), a[0].zero)


@rule("constant_pad_nd", "pad")
def _pad(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    mode, fill = (_argument(a, k, 2, "mode", "constant"), _argument(a, k, 3, "value", None))
    if not isinstance(mode, str):  # constant_pad_nd(self, pad, value)
        mode, fill = "constant", mode
    d.require(mode != "constant" or not fill)
    moved = [axis for axis, (old, new) in enumerate(zip(a[0].shape, shape, strict=True)) if old != new]
    return Graded(shape, d.keep(a[0], moved), a[0].zero)


@rule("reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
      "upsample_nearest1d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_linear1d")  # fmt: skip
def _spatial(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    moved = [axis for axis, (old, new) in enumerate(zip(a[0].shape, shape, strict=True)) if old != new]
    return Graded(shape, d.keep(a[0], moved), a[0].zero)


def _pooling(dims: int, mixes: bool) -> Rule:
    def pooled(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
        kept = d.keep(a[0], range(len(a[0].shape) - dims, len(a[0].shape)))
        if not mixes:
            d.units.gate(a[0].factors)
        return Graded(tuple(shape) or a[0].shape, kept, a[0].zero)

    return pooled


for _n in (1, 2, 3):
    RULES |= {f"avg_pool{_n}d": _pooling(_n, True), f"adaptive_avg_pool{_n}d": _pooling(_n, True)}
    RULES |= {f"_adaptive_avg_pool{_n}d": _pooling(_n, True), f"max_pool{_n}d": _pooling(_n, False)}


def _paired(single: Rule) -> Rule:
    """An operation that also returns the places of what it took."""
    return lambda d, shape, a, k: (single(d, shape, a, k), Graded(()))


for _n in (1, 2, 3):
    RULES |= {f"max_pool{_n}d_with_indices": _paired(_pooling(_n, False))}
    RULES |= {f"adaptive_max_pool{_n}d": _paired(_pooling(_n, False))}


# -- sums and products -------------------------------------------------------------------------------------------------


@rule("add", "sub", "rsub")
def _add(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    tensors = [_constant(value) for value in a[:2]]
    return d.joined(shape, *tensors)


def _constant(value: Value) -> Graded:
    """A number as a tensor."""
    return value if isinstance(value, Graded) else Graded((), zero=value == 0)


@rule("where")
def _where(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(len(a) == 3)
    out = d.joined(shape, _constant(a[1]), _constant(a[2]))
    d.units.gate(out.factors)
    return out


@rule("masked_fill")
def _masked_fill(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return d.joined(shape, a[0], _constant(a[2]))


@rule("mul")
def _mul(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return d.product(shape, _constant(a[0]), _constant(a[1]))


@rule("div")
def _div(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(k.get("rounding_mode") is None)
    return d.product(shape, _constant(a[0]), _constant(a[1]), -1)


@rule("pow")
def _pow(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(isinstance(a[1], (int, float)) and float(a[1]).is_integer() and a[1] >= 1)
    d.units.isolate(a[0].factors)
    return Graded(shape, tuple(f.times(int(a[1])) for f in a[0].factors), a[0].zero)


@rule("square")
def _square(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _pow(d, shape, [a[0], 2], {})


@rule("matmul", "bmm", "mm", "mv", "dot")
def _matmul(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    left, right = a[0], a[1]
    row, column = len(left.shape) == 1, len(right.shape) == 1
    left = _view(d, (1, *left.shape), [left], {}) if row else left
    right = _view(d, (*right.shape, 1), [right], {}) if column else right
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    ndim = len(batch)
    factors = [  # in the axes (*batch, n, m, k)
        f.seen(f.units.reshape((*f.units.shape[:ndim], f.units.shape[-2], 1, f.units.shape[-1])))
        for f in left.over((*batch, 1, 1)).factors
    ]
    factors += [f.seen(np.swapaxes(f.units, -1, -2)[..., None, :, :]) for f in right.over((*batch, 1, 1)).factors]
    whole = (*batch, left.shape[-2], right.shape[-1])
    kept = d.contracted(factors, range(ndim), 1, 1 in whole[-2:])
    return _view(d, shape, [Graded(whole, kept, left.zero or right.zero)], {}) if row or column else Graded(shape, kept)


@rule("addmm", "baddbmm")
def _addmm(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return d.joined(shape, a[0], _matmul(d, shape, a[1:3], {}))


@rule("linear")
def _linear(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[0], a[1], _argument(a, k, 2, "bias", None)
    out = _matmul(d, shape, [x, _permute(d, weight.shape[::-1], [weight], {})], {})
    return out if bias is None else d.joined(shape, out, bias)


@rule(*CONVOLUTIONS)
def _convolution(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[0], a[1], _argument(a, k, 2, "bias", None)
    groups = _argument(a, k, 6, "groups", 1)
    kernel = len(weight.shape) - 2
    channel = len(x.shape) - kernel - 1
    places = [axis for axis in range(len(x.shape)) if axis != channel]
    wide = (groups, 1, weight.shape[1], *[1] * kernel)  # axes (group, out, in, *kernel)
    factors = [
        f.seen(np.broadcast_to(f.units.reshape(-1), (x.shape[channel],)).reshape(wide)) if f.varies(channel)
        else f.seen(f.units.reshape((1,) * len(wide)))
        for f in d.keep(x, places)
    ]  # fmt: skip
    split = (groups, weight.shape[0] // groups, *weight.shape[1:])
    factors += [f.seen(_unrepeated(regrouped(f.units, weight.shape, split))) for f in weight.factors]
    kept = d.contracted(factors, [0] if groups > 1 else [], 1 + kernel, weight.shape[0] == 1)
    whole = tuple(size if axis == channel else 1 for axis, size in enumerate(shape))
    out = Graded(shape, tuple(f.seen(regrouped(f.units, split[:2], whole)) for f in kept))
    if bias is None:
        return out
    return d.joined(shape, out, _view(d, whole, [bias], {}))


def _unrepeated(units: Any) -> Any:
    """Units (group, out, in, ...) with the axis "out" left out where they do not depend on it."""
    first = units[:, :1]
    return first if units.shape[1] > 1 and bool(np.all(units == first)) else units


@rule("embedding")
def _embedding(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(_argument(a, k, 2, "padding_idx", -1) < 0 and not _argument(a, k, 3, "scale_grad_by_freq", False))
    kept = d.keep(a[0], [0])
    return Graded(shape, tuple(f.seen(f.units.reshape([1] * (len(shape) - 1) + [-1])) for f in kept))


@rule("scaled_dot_product_attention")
def _attention(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    q, key, v = a[:3]
    mask = _argument(a, k, 3, "attn_mask", None)
    if isinstance(mask, Graded):
        d.units.fix(mask)
    if len(q.shape) > 2 and q.shape[-3] != key.shape[-3]:
        key, v = (_repeated(g, q.shape[-3] // g.shape[-3]) for g in (key, v))
    scores = (*shape[:-1], key.shape[-2])
    turned = _permute(d, (*key.shape[:-2], key.shape[-1], key.shape[-2]), [key, -1, -2], {})
    d.units.fix(_matmul(d, scores, [q, turned], {}))
    return _matmul(d, shape, [Graded(scores), v], {})


def _repeated(tensor: Graded, times: int) -> Graded:
    """Key heads, each repeated for the query heads that share it."""
    shape = (*tensor.shape[:-3], tensor.shape[-3] * times, *tensor.shape[-2:])
    return Graded(
        shape, tuple(f.seen(np.repeat(f.units, times, axis=-3) if f.varies(-3) else f.units) for f in tensor.factors)
    )


# -- piecewise linear, and homogeneous of degree 1 ---------------------------------------------------------------------


@rule("relu", "leaky_relu", "abs")
def _rectified(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return Graded(shape, a[0].factors)


@rule("prelu", "_prelu_kernel")
def _prelu(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.fix(a[1])
    return _rectified(d, shape, a, k)


@rule("clamp", "clamp_min", "threshold")
def _clamp(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    low, high = _argument(a, k, 1, "min", None), _argument(a, k, 2, "max", None)
    d.require(low in (None, 0) and high in (None, 0))
    return _rectified(d, shape, a, k)


@rule("amax", "amin")
def _largest(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return _reduced(d, shape, a, k)


@rule("max", "min")
def _largest_with_place(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(len(a) >= 2 and isinstance(a[1], int))
    axis = a[1] % len(a[0].shape)
    kept = len(a) > 2 and bool(a[2])
    small = tuple(1 if n == axis else size for n, size in enumerate(a[0].shape))
    return _largest(d, small if kept else small[:axis] + small[axis + 1 :], [a[0], [axis]], {}), Graded(())


@rule("dropout", "native_dropout", "feature_dropout")
def _dropout(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    if a[2] and a[1] > 0:
        d.units.gate(a[0].factors)
    return Graded(a[0].shape, a[0].factors, a[0].zero)


@rule("native_dropout")
def _native_dropout(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _dropout(d, shape, a, k), Graded(a[0].shape)


@rule("glu")
def _glu(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = _argument(a, k, 1, "dim", -1) % len(shape)
    value, gate = _pieces(d, a[0], axis, [range(shape[axis]), range(shape[axis], 2 * shape[axis])])
    d.units.fix(gate)
    return d.product(shape, value, Graded(shape))


# -- normalisation -----------------------------------------------------------------------------------------------------


@rule("layer_norm", "rms_norm")
def _layer_norm(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axes = range(len(shape) - len(a[1]), len(shape))
    weight = _argument(a, k, 2, "weight", None)
    bias = a[3] if len(a) > 3 and (a[3] is None or isinstance(a[3], Graded)) else k.get("bias")
    numbers = [value for value in (*a[2:], k.get("eps")) if isinstance(value, float)]
    d.normalised(a[0], list(axes), numbers[0] if numbers else None)
    return d.affine(shape, list(axes), weight, bias)


@rule("_native_batch_norm_legit_functional", "_native_batch_norm_legit_no_training")
def _batch_norm(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias, training, eps = *a[:3], a[5] is True, a[-1]
    if training and len(a) == 8:
        axes = [axis for axis in range(len(x.shape)) if axis != 1]
        d.normalised(x, axes, eps)
    else:
        d.units.fix(x)
    return d.affine(x.shape, [1], weight, bias), *(Graded(()) for _ in range(4))


@rule("instance_norm")
def _instance_norm(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[:3]
    if a[5]:
        d.normalised(x, list(range(2, len(shape))), a[7])
    else:
        d.units.fix(x)
    return d.affine(shape, [1], weight, bias)


@rule("group_norm")
def _group_norm(d: Degrees, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, groups = a[0], a[1]
    split = (shape[0], groups, shape[1] // groups, *shape[2:])
    numbers = [value for value in (*a[2:], k.get("eps")) if isinstance(value, float)]
    eps = numbers[0] if numbers else 1e-5
    d.normalised(_view(d, split, [x], {}), list(range(2, len(split))), eps)
    return d.affine(shape, [1], _argument(a, k, 2, "weight", None), _argument(a, k, 3, "bias", None))
