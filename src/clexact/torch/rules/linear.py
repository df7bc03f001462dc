"""Rules of sums, products, and of the linear maps and attention made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from clexact.programs.places import Shape
from clexact.symmetry.grading import Graded, regrouped
from clexact.torch.rules.degrees import CONVOLUTIONS, TRANSPOSED, DegreesAt, Value, argument, number, rule
from clexact.torch.rules.shapes import permute, view


@rule("add", "sub", "rsub")
def _add(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    tensors = [number(value) for value in a[:2]]
    return d.joined(shape, *tensors)


@rule("mul")
def _mul(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return d.product(shape, number(a[0]), number(a[1]))


@rule("div")
def _div(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(k.get("rounding_mode") is None)
    return d.product(shape, number(a[0]), number(a[1]), -1)


@rule("tril", "triu")
def _triangle(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return d.product(shape, a[0], Graded(shape, constant=True))


@rule("pow")
def _pow(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(isinstance(a[1], (int, float)) and float(a[1]).is_integer() and a[1] >= 1)
    d.units.isolate(a[0].factors)
    return Graded(shape, tuple(f.times(int(a[1])) for f in a[0].factors), a[0].zero)


@rule("square")
def _square(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _pow(d, shape, [a[0], 2], {})


@rule("matmul", "bmm", "mm", "mv", "dot")
def _matmul(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    left, right = a[0], a[1]
    row, column = len(left.shape) == 1, len(right.shape) == 1
    left = view(d, (1, *left.shape), [left], {}) if row else left
    right = view(d, (*right.shape, 1), [right], {}) if column else right
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    ndim = len(batch)
    factors = [  # in the axes (*batch, n, m, k)
        f.seen(f.units.reshape((*f.units.shape[:ndim], f.units.shape[-2], 1, f.units.shape[-1])))
        for f in left.over((*batch, 1, 1)).factors
    ]
    factors += [f.seen(np.swapaxes(f.units, -1, -2)[..., None, :, :]) for f in right.over((*batch, 1, 1)).factors]
    whole = (*batch, left.shape[-2], right.shape[-1])
    kept = d.contracted(factors, range(ndim), 1, 1 in whole[-2:])
    return view(d, shape, [Graded(whole, kept, left.zero or right.zero)], {}) if row or column else Graded(shape, kept)


@rule("addmm", "baddbmm")
def _addmm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return d.joined(shape, a[0], _matmul(d, shape, a[1:3], {}))


@rule("linear")
def _linear(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[0], a[1], argument(a, k, 2, "bias", None)
    out = _matmul(d, shape, [x, permute(d, weight.shape[::-1], [weight], {})], {})
    return out if bias is None else d.joined(shape, out, bias)


@rule(*CONVOLUTIONS)
def _convolution(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[0], a[1], argument(a, k, 2, "bias", None)
    groups = argument(a, k, 6, "groups", 1)
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
    return d.joined(shape, out, view(d, whole, [bias], {}))


@rule(*TRANSPOSED)
def _transposed(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    """Each entry of the result is a sum over channels and places, as in a convolution of one group."""
    d.require(argument(a, k, 6, "groups", 1) == 1)
    turned = permute(d, (a[1].shape[1], a[1].shape[0], *a[1].shape[2:]), [a[1], 0, 1], {})
    bias = argument(a, k, 2, "bias", None)
    return _convolution(d, shape, [a[0], turned] if bias is None else [a[0], turned, bias], {})


def _unrepeated(units: Any) -> Any:
    """Units (group, out, in, ...) with the axis "out" left out where they do not depend on it."""
    first = units[:, :1]
    return first if units.shape[1] > 1 and bool(np.all(units == first)) else units


@rule("embedding")
def _embedding(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(argument(a, k, 2, "padding_idx", -1) < 0 and not argument(a, k, 3, "scale_grad_by_freq", False))
    kept = d.keep(a[0], [0])
    return Graded(shape, tuple(f.seen(f.units.reshape([1] * (len(shape) - 1) + [-1])) for f in kept))


@rule("scaled_dot_product_attention")
def _attention(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    q, key, v = a[:3]
    mask = argument(a, k, 3, "attn_mask", None)
    if isinstance(mask, Graded):
        d.units.fix(mask)
    if len(q.shape) > 2 and q.shape[-3] != key.shape[-3]:
        key, v = (_repeated(g, q.shape[-3] // g.shape[-3]) for g in (key, v))
    scores = (*shape[:-1], key.shape[-2])
    turned = permute(d, (*key.shape[:-2], key.shape[-1], key.shape[-2]), [key, -1, -2], {})
    d.units.fix(_matmul(d, scores, [q, turned], {}))
    return _matmul(d, shape, [Graded(scores), v], {})


def _repeated(tensor: Graded, times: int) -> Graded:
    """Key heads, each repeated for the query heads that share it."""
    shape = (*tensor.shape[:-3], tensor.shape[-3] * times, *tensor.shape[-2:])
    return Graded(
        shape, tuple(f.seen(np.repeat(f.units, times, axis=-3) if f.varies(-3) else f.units) for f in tensor.factors)
    )
