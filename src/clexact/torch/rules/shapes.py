"""Rules of operations that move, repeat, cut, join or reduce entries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from clexact.programs.places import Shape
from clexact.symmetry.grading import FIXED, Factor, Graded, aligned, regrouped, repeats
from clexact.torch.rules.degrees import DegreesAt, Rule, Value, argument, rule


@rule("clone", "contiguous", "alias", "neg", "to", "_to", "lift_fresh", "type_as")
def _same(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, a[0].factors, a[0].zero)


@rule("view", "_unsafe_view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze")
def view(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    factors = tuple(f.seen(regrouped(f.units, a[0].shape, shape)) for f in a[0].factors)
    d.units.isolate(f for f in factors if repeats(f.units) and not aligned(f.units))
    return Graded(shape, factors, a[0].zero)


@rule("permute", "transpose", "t", "numpy_T", "swapaxes")
def permute(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
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
def _turned(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return permute(d, shape, [a[0], -1, -2], k)


@rule("expand", "expand_as", "broadcast_to")
def _expand(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, a[0].over(shape).factors, a[0].zero)


@rule("repeat", "tile")
def _tiled(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    wide = a[0].over(shape)
    copied = [axis for axis, (old, new) in enumerate(zip(wide.shape, shape, strict=True)) if old != new]
    return Graded(shape, d.keep(wide, copied), a[0].zero)


def pieces(d: DegreesAt, tensor: Graded, axis: int, ranges: Sequence[range], drop: bool = False) -> tuple[Graded, ...]:
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


@rule("slice")
def _slice(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 1, "dim", 0) % len(a[0].shape)
    chosen = slice(*(argument(a, k, n, name, None) for n, name in ((2, "start"), (3, "end"), (4, "step"))))
    return pieces(d, a[0], axis, [range(a[0].shape[axis])[chosen]])[0]


@rule("select")
def _select(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = a[1] % len(a[0].shape)
    index = a[2] % a[0].shape[axis]
    return pieces(d, a[0], axis, [range(index, index + 1)], drop=True)[0]


@rule("unbind")
def _unbind(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 1, "dim", 0) % len(a[0].shape)
    return pieces(d, a[0], axis, [range(n, n + 1) for n in range(a[0].shape[axis])], drop=True)


@rule("split", "split_with_sizes")
def _split(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 2, "dim", 0) % len(a[0].shape)
    total, sizes = a[0].shape[axis], a[1]
    sizes = [min(sizes, total - first) for first in range(0, total, sizes)] if isinstance(sizes, int) else sizes
    ends = np.cumsum([0, *sizes]).tolist()
    return pieces(d, a[0], axis, [range(*pair) for pair in pairwise(ends)])


@rule("chunk")
def _chunk(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 2, "dim", 0) % len(a[0].shape)
    return _split(d, shape, [a[0], -(-a[0].shape[axis] // a[1]), axis], {})


@rule("cat", "concat", "concatenate")
def _cat(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 1, "dim", 0) % len(shape)
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
def _stack(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 1, "dim", 0) % len(shape)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    return _cat(d, shape, [[view(d, one, [part], {}) for part in a[0]], axis], {})


@rule("index_select")
def _index_select(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return Graded(shape, d.keep(a[0], [a[1]]))


@rule("sum", "mean")
def _sum(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return reduced(d, shape, a, k)


def reduced(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Graded:
    axes = argument(a, k, 1, "dim", None)
    axes = [axes] if isinstance(axes, int) else axes or list(range(len(a[0].shape)))
    axes = [axis % max(1, len(a[0].shape)) for axis in axes]
    kept = d.alike(a[0], axes)
    small = tuple(1 if axis in axes else size for axis, size in enumerate(a[0].shape))
    return Graded(shape, tuple(f.seen(regrouped(f.units, small, shape)) for f in kept), a[0].zero)


@rule("constant_pad_nd", "pad")
def _pad(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    mode, fill = (argument(a, k, 2, "mode", "constant"), argument(a, k, 3, "value", None))
    if not isinstance(mode, str):  # constant_pad_nd(self, pad, value)
        mode, fill = "constant", mode
    d.require(mode != "constant" or not fill)
    moved = [axis for axis, (old, new) in enumerate(zip(a[0].shape, shape, strict=True)) if old != new]
    return Graded(shape, d.keep(a[0], moved), a[0].zero)


@rule("reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
      "upsample_nearest1d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_linear1d")  # fmt: skip
def _spatial(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    moved = [axis for axis, (old, new) in enumerate(zip(a[0].shape, shape, strict=True)) if old != new]
    return Graded(shape, d.keep(a[0], moved), a[0].zero)


def _pooling(dims: int, mixes: bool) -> Rule:
    def pooled(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
        kept = d.keep(a[0], range(len(a[0].shape) - dims, len(a[0].shape)))
        if not mixes:
            d.units.gate(a[0].factors)
        return Graded(tuple(shape) or a[0].shape, kept, a[0].zero)

    return pooled


def _paired(single: Rule) -> Rule:
    """An operation that also returns the places of what it took."""
    return lambda d, shape, a, k: (single(d, shape, a, k), Graded(()))


for _n in (1, 2, 3):
    rule(f"avg_pool{_n}d", f"adaptive_avg_pool{_n}d", f"_adaptive_avg_pool{_n}d")(_pooling(_n, mixes=True))
    rule(f"max_pool{_n}d")(_pooling(_n, mixes=False))
    rule(f"max_pool{_n}d_with_indices", f"adaptive_max_pool{_n}d")(_paired(_pooling(_n, mixes=False)))
