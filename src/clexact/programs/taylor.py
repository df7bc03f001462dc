r"""A program with analytic functions as one without: its Taylor coefficients in the probes, up to an order.

With $\xi$ replaced by $t\,\xi$ for the probes that are expanded, every array is a power series in t, and the
coefficients of the output are programs of polynomial operations. They span part of W(theta), a coefficient in t
being a limit of differences of outputs: upper bounds on the number of laws are proofs for the functions themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.programs.array import Array, concatenate
from clexact.programs.operations import Node
from clexact.programs.program import Program

MAX_ORDER = 12
MAX_NODES = 10**6

Constant = NDArray[Any]
Series = dict[int, Array | Constant]  # {power of t: coefficient}; absent ones are zero


def taylor_coefficients(name: str, order: int) -> list[Fraction]:
    """Coefficients of z^0, ..., z^order of a function at 0 (of gelu: with a = 1/sqrt(2 pi) set to 1).

    >>> [str(c) for c in taylor_coefficients("silu", 4)]
    ['0', '1/2', '1/4', '0', '-1/48']
    """
    match name:
        case "exp":
            return [Fraction(1, factorial(k)) for k in range(order + 1)]
        case "tanh":  # y' = 1 - y^2
            return _solution(order, Fraction(0), lambda y, k: Fraction(k == 0) - _square(y, k))
        case "sigmoid":  # y' = y - y^2
            return _solution(order, Fraction(1, 2), lambda y, k: y[k] - _square(y, k))
        case "silu":
            return [Fraction(0), *taylor_coefficients("sigmoid", order)][: order + 1]
        case "gelu":  # z/2 + a z^2 sum_j (-1/2)^j z^(2j) / (j! (2j + 1))
            even = {2 * j + 2: Fraction((-1) ** j, 2**j * factorial(j) * (2 * j + 1)) for j in range(order + 1)}
            return [even.get(k, Fraction(k == 1, 2)) for k in range(order + 1)]
        case _:
            raise ValueError(f"no Taylor coefficients at 0 are known for {name!r}.")


def _solution(order: int, start: Fraction, slope: Any) -> list[Fraction]:
    """Coefficients of the solution of y' = slope(y): (k + 1) y_(k+1) = [t^k] slope."""
    y = [start]
    for k in range(order):
        y.append(slope(y, k) / (k + 1))
    return y


def _square(y: Sequence[Fraction], k: int) -> Fraction:
    return sum((y[i] * y[k - i] for i in range(k + 1)), Fraction(0))


def expanded(program: Program, order: int, probes: Sequence[str]) -> Program:
    """The coefficients of t, ..., t^order (and those of t^0 that depend on parameters) of the output, stacked first.

    ValueError if a function meets an argument that is no constant at t = 0, where its value is not polynomial.
    """
    target = Program(gates=program.gates)
    values: list[Series] = []
    for node in program.nodes:
        if node.op == "concatenate":
            shapes = [program.nodes[i].shape for i in node.inputs]
            step = _joined([values[i] for i in node.inputs], shapes, node.data)
        else:
            step = _step(target, node, [values[i] for i in node.inputs], order, probes)
        coefficients = {k: c if isinstance(c, Array) else _array(c) for k, c in step.items()}
        values.append({k: c for k, c in coefficients.items() if isinstance(c, Array) or np.any(c != 0)})
        if len(target.nodes) > MAX_NODES:
            raise ValueError(f"the Taylor coefficients up to order {order} take over {MAX_NODES} operations.")
    parts = [c.reshape((1, *program.shape)) for _, c in sorted(values[program.output].items()) if isinstance(c, Array)]
    if not parts:
        raise ValueError(f"no Taylor coefficient of the output up to order {order} depends on the parameters.")
    target.output = concatenate(parts).number
    return target


def _step(target: Program, node: Node, inputs: list[Series], order: int, probes: Sequence[str]) -> Series:
    """The series of one node."""
    match node.op:
        case "parameter" | "probe":
            leaf = Array(target, target.append(node.op, (), node.shape, node.data))
            return {int(node.data in probes): leaf} if order or node.data not in probes else {}
        case "constant":
            return {0: node.data}
        case "add":
            return {
                k: _sum([_wide(x[k], node.shape) for x in inputs if k in x])
                for k in sorted(inputs[0].keys() | inputs[1].keys())
            }
        case "multiply":
            return _product(inputs[0], inputs[1], order, lambda a, b: a * b)
        case "matmul":
            return _product(inputs[0], inputs[1], order, lambda a, b: a @ b)
        case "function":
            return _composed(inputs[0], node.data, node.shape, order)
        case "softmax":
            return _softmax(inputs[0], node, order)
        case _:
            return {k: _linear(node, c) for k, c in inputs[0].items()}


def _linear(node: Node, c: Array | Constant) -> Array | Constant:
    match node.op:
        case "transpose":
            return c.transpose(node.data)
        case "reshape":
            return c.reshape(node.shape)
        case "sum":
            return c.sum(node.data) if isinstance(c, Array) else _array(np.sum(c, axis=node.data))
        case "select":
            return c.select(node.data.along) if isinstance(c, Array) else _array(c.ravel()[node.data.table])
        case _:  # take
            return c.reshape(-1)[node.data] if isinstance(c, Array) else _array(c.ravel()[node.data])


def _sum(parts: Sequence[Array | Constant]) -> Array | Constant:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _wide(c: Array | Constant, shape: tuple[int, ...]) -> Array | Constant:
    """A coefficient broadcast to the shape of its sum."""
    return c if c.shape == shape else c + _zeros(shape)


def _product(a: Series, b: Series, order: int, times: Any) -> Series:
    out: dict[int, list[Array | Constant]] = {}
    for j, x in a.items():
        for k, y in b.items():
            if j + k <= order:
                out.setdefault(j + k, []).append(times(x, y))
    return {k: _sum(parts) for k, parts in out.items()}


def _joined(inputs: list[Series], shapes: list[tuple[int, ...]], axis: int) -> Series:
    """Concatenation; a part without a coefficient is zero there."""
    out: Series = {}
    for k in sorted(set().union(*inputs)):
        parts = [x[k] if k in x else _zeros(shape) for x, shape in zip(inputs, shapes, strict=True)]
        out[k] = np.concatenate(parts, axis)
    return out


def _array(c: Any) -> Constant:
    """A constant; NumPy turns those without axes into numbers."""
    return np.asarray(c, dtype=object)


def _zeros(shape: tuple[int, ...]) -> Constant:
    return np.zeros(shape, dtype=int).astype(object)


def _composed(z: Series, name: str, shape: tuple[int, ...], order: int) -> Series:
    """f(z_0 + n) for a constant z_0 (0 except for the reciprocal) and a series n without constant term."""
    start, rest = z.get(0, _zeros(shape)), {k: c for k, c in z.items() if k}
    if name == "reciprocal":
        if isinstance(start, Array) or not np.all(start):
            raise ValueError("the argument of reciprocal must be a nonzero constant where the expanded probes vanish.")
        inverse = np.array([1 / Fraction(c) for c in start.ravel().tolist()], dtype=object).reshape(start.shape)
        geometric = _power_series({k: c * -inverse for k, c in rest.items()}, [Fraction(1)] * (order + 1), shape, order)
        return {k: c * inverse for k, c in geometric.items()}
    if isinstance(start, Array) or np.any(start != 0):
        raise ValueError(f"the argument of {name} must be 0 where the expanded probes vanish: a bias is not supported.")
    return _power_series(rest, taylor_coefficients(name, order), shape, order)


def _power_series(n: Series, coefficients: Sequence[Fraction], shape: tuple[int, ...], order: int) -> Series:
    """sum of coefficients[k] * n^k up to t^order, n without constant term."""
    lowest = min(n, default=order + 1)
    power: Series = {0: _zeros(shape) + 1}
    terms: dict[int, list[Array | Constant]] = {}
    for k, c in enumerate(coefficients):
        if k and k * lowest > order:
            break
        if k:
            power = _product(power, n, order, lambda a, b: a * b) if k > 1 else n
        for j, x in power.items():
            if c and j <= order:
                terms.setdefault(j, []).append(x * c if c != 1 else x)
    return {j: _sum(parts) for j, parts in terms.items()}


def _softmax(z: Series, node: Node, order: int) -> Series:
    """exp(z) times the reciprocal of its sum along the axis."""
    powers = _composed(z, "exp", node.shape, order)
    summed = Node("sum", (), node.shape[: node.data] + node.shape[node.data + 1 :], node.data)
    kept = (*node.shape[: node.data], 1, *node.shape[node.data + 1 :])
    total = {k: _linear(summed, c).reshape(kept) for k, c in powers.items()}
    return _product(powers, _composed(total, "reciprocal", kept, order), order, lambda a, b: a * b)
