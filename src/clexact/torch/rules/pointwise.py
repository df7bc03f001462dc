"""Rules of gates: what is piecewise linear, entry by entry or among entries, and homogeneous of degree 1."""

from __future__ import annotations

from clexact.programs.places import Shape
from clexact.symmetry.grading import Graded
from clexact.torch.rules.degrees import DegreesAt, Value, argument, number, rule
from clexact.torch.rules.shapes import pieces, reduced


@rule("where")
def _where(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.require(len(a) == 3)
    out = d.joined(shape, number(a[1]), number(a[2]))
    d.units.gate(out.factors)
    return out


@rule("maximum", "minimum")
def _larger(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    out = d.joined(shape, a[0], a[1])
    d.units.gate(out.factors)
    return out


@rule("masked_fill")
def _masked_fill(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return d.joined(shape, a[0], number(a[2]))


@rule("relu", "leaky_relu", "abs")
def _rectified(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return Graded(shape, a[0].factors)


@rule("prelu", "_prelu_kernel")
def _prelu(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.fix(a[1])
    return _rectified(d, shape, a, k)


@rule("clamp", "clamp_min", "threshold")
def _clamp(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    low, high = argument(a, k, 1, "min", None), argument(a, k, 2, "max", None)
    d.require(low in (None, 0) and high in (None, 0))
    return _rectified(d, shape, a, k)


@rule("amax", "amin")
def _largest(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    d.units.gate(a[0].factors)
    return reduced(d, shape, a, k)


@rule("max", "min")
def _largest_with_place(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    if len(a) == 2 and isinstance(a[1], Graded):
        return _larger(d, shape, a, k)
    d.require(len(a) >= 2 and isinstance(a[1], int))
    axis = a[1] % len(a[0].shape)
    kept = len(a) > 2 and bool(a[2])
    small = tuple(1 if n == axis else size for n, size in enumerate(a[0].shape))
    return _largest(d, small if kept else small[:axis] + small[axis + 1 :], [a[0], [axis]], {}), Graded(())


@rule("dropout", "feature_dropout")
def _dropout(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    if a[2] and a[1] > 0:
        d.units.gate(a[0].factors)
    return Graded(a[0].shape, a[0].factors, a[0].zero)


@rule("native_dropout")
def _native_dropout(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    return _dropout(d, shape, a, k), Graded(a[0].shape)


@rule("glu")
def _glu(d: DegreesAt, shape: Shape, a: list[Value], k: dict[str, Value]) -> Value:
    axis = argument(a, k, 1, "dim", -1) % len(shape)
    value, gate = pieces(d, a[0], axis, [range(shape[axis]), range(shape[axis], 2 * shape[axis])])
    d.units.fix(gate)
    return d.product(shape, value, Graded(shape))
