"""Rules of normalisations."""

from __future__ import annotations

from clexact.programs.places import Shape
from clexact.symmetry.grading import Graded
from clexact.torch.rules.degrees import DegreesAt, Value, argument, rule
from clexact.torch.rules.shapes import reduced, view


@rule("layer_norm", "rms_norm")
def _layer_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axes = range(len(shape) - len(a[1]), len(shape))
    weight = argument(a, k, 2, "weight", None)
    bias = a[3] if len(a) > 3 and (a[3] is None or isinstance(a[3], Graded)) else k.get("bias")
    numbers = [value for value in (*a[2:], k.get("eps")) if isinstance(value, float)]
    d.normalised(a[0], list(axes), numbers[0] if numbers else None)
    return d.affine(shape, list(axes), weight, bias)


@rule("linalg_vector_norm")
def _size(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    """Homogeneous of degree 1, as a sum is linear."""
    order, axes = argument(a, k, 1, "ord", 2), argument(a, k, 2, "dim", None)
    d.require(isinstance(order, (int, float)) and order > 0)  # of order 0: how many are not 0
    d.units.isolate(a[0].factors)
    return reduced(d, shape, [a[0], axes], {})


@rule("_weight_norm")
def _weight_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    """g v / |v|, with sizes of all axes but one."""
    kept = argument(a, k, 2, "dim", 0)
    d.normalised(a[0], [axis for axis in range(len(shape)) if kept == -1 or axis != kept % len(shape)], 0.0)
    return d.product(shape, Graded(shape), a[1])


@rule("_native_batch_norm_legit")
def _plain_batch_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    """Without running statistics."""
    d.require(len(a) == 6 and a[3] is True)
    return _batch_norm(d, shape, [*a[:3], None, None, True, *a[4:]], k)


@rule("_native_batch_norm_legit_functional", "_native_batch_norm_legit_no_training")
def _batch_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias, training, eps = *a[:3], a[5] is True, a[-1]
    if training and len(a) == 8:
        axes = [axis for axis in range(len(x.shape)) if axis != 1]
        d.normalised(x, axes, eps)
    else:
        d.units.fix(x)
    return d.affine(x.shape, [1], weight, bias), *(Graded(()) for _ in range(4))


@rule("instance_norm")
def _instance_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, weight, bias = a[:3]
    if a[5]:
        d.normalised(x, list(range(2, len(shape))), a[7])
    else:
        d.units.fix(x)
    return d.affine(shape, [1], weight, bias)


@rule("group_norm")
def _group_norm(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    x, groups = a[0], a[1]
    split = (shape[0], groups, shape[1] // groups, *shape[2:])
    numbers = [value for value in (*a[2:], k.get("eps")) if isinstance(value, float)]
    eps = numbers[0] if numbers else 1e-5
    d.normalised(view(d, split, [x], {}), list(range(2, len(split))), eps)
    return d.affine(shape, [1], argument(a, k, 2, "weight", None), argument(a, k, 3, "bias", None))
