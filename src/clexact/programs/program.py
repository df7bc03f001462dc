"""A function of shaped arrays over a commutative ring, recorded once as a straight-line program.

The user's function is called on ``Array`` symbols; each operation appends a node. What a program means is given by an
``Algebra``: NumPy numbers here, jets modulo a prime in ``jets.py``, expanded polynomials in ``expand.py``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Number, exact
from clexact.support.digest import digest
from clexact.support.listed import listed

Shape = tuple[int, ...]
V = TypeVar("V")

LEAVES = ("parameter", "probe")
COMMUTATIVE = ("add", "multiply")
ANALYTIC = ("function", "softmax")


@dataclass(frozen=True)
class Node:
    """One operation: ``op`` applied to earlier nodes, with its data (name, axes, axis, index array, constant)."""

    op: str
    inputs: tuple[int, ...]
    shape: Shape
    data: Any = None


class Algebra(Protocol[V]):
    """The meaning of each operation on values of one kind. Binary operands have equally many axes and broadcast.

    Analytic functions are no operations of most rings: ``taylor.py`` replaces them first.
    """

    def constant(self, value: NDArray[Any]) -> V: ...
    def add(self, a: V, b: V) -> V: ...
    def multiply(self, a: V, b: V) -> V: ...
    def matmul(self, a: V, b: V) -> V: ...
    def transpose(self, a: V, axes: tuple[int, ...]) -> V: ...
    def reshape(self, a: V, shape: Shape) -> V: ...
    def take(self, a: V, index: NDArray[np.int64]) -> V: ...
    def concatenate(self, parts: list[V], axis: int) -> V: ...
    def sum(self, a: V, axis: int) -> V: ...


@dataclass(frozen=True)
class Gate:
    """A probe that stands for the local choice of a piecewise function of node ``source``.

    ``axis`` None: a ReLU, 1 where the entry of the source is positive, else ``slope``; otherwise the selection of the
    largest entry along that axis, as a vector of 0 and 1.
    """

    probe: str
    source: int
    slope: Number = 0
    axis: int | None = None


@dataclass
class Program:
    """The nodes in order; leaves are "parameter" and "probe" nodes named by ``data``; ``output`` is a node.

    What is recorded twice is one node, so equal expressions are equal numbers of nodes.
    """

    nodes: list[Node] = field(default_factory=list)
    output: int = -1
    gates: list[Gate] = field(default_factory=list)
    _numbers: dict[Hashable, int] = field(default_factory=dict, repr=False, compare=False)  # of the nodes appended

    def append(self, op: str, inputs: tuple[int, ...], shape: Shape, data: Any = None) -> Array:
        """Record a node, unless the same one is there, and return its symbol."""
        inputs = tuple(sorted(inputs)) if op in COMMUTATIVE else inputs
        number = self._numbers.setdefault((op, inputs, shape, _key(data)), len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(Node(op, inputs, shape, data))
        return Array(self, number)

    def pruned(self) -> Program:
        """Without what the output does not need. Leaves given stay; a gate that is used keeps its source."""
        needed, sources = {self.output}, {gate.probe: gate.source for gate in self.gates}
        for n in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[n]
            if n in needed:
                needed |= {*node.inputs, *([sources[node.data]] if node.op == "probe" and node.data in sources else [])}
            elif node.op in LEAVES and node.data not in sources:
                needed.add(n)
        number = {n: place for place, n in enumerate(sorted(needed))}
        nodes = [replace(self.nodes[n], inputs=tuple(number[i] for i in self.nodes[n].inputs)) for n in number]
        used = {node.data for node in nodes if node.op == "probe"}
        gates = [replace(gate, source=number[gate.source]) for gate in self.gates if gate.probe in used]
        return Program(nodes, number[self.output], gates)

    @property
    def shape(self) -> Shape:
        """Shape of the output."""
        return self.nodes[self.output].shape

    @property
    def functions(self) -> list[str]:
        """Names of the analytic functions applied."""
        return sorted({"softmax" if node.op == "softmax" else node.data for node in self.nodes if node.op in ANALYTIC})

    @property
    def digest(self) -> bytes:
        """Of all nodes and the output."""
        nodes = [(node.op, node.inputs, node.shape, node.data) for node in self.nodes]
        return digest(self.output, *nodes)

    def run(self, algebra: Algebra[V], leaves: Mapping[str, V]) -> list[V]:
        """The value of every node."""
        values: list[V] = []
        for node in self.nodes:
            inputs = [values[i] for i in node.inputs]
            values.append(leaves[node.data] if node.op in LEAVES else apply(algebra, node, inputs))
        return values


def _key(data: Any) -> Hashable:
    """Equal for equal data of nodes."""
    return digest(data) if isinstance(data, np.ndarray) else data


def apply(algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
    """The value of a node that is no leaf."""
    match node.op:
        case "constant":
            return algebra.constant(node.data)
        case "concatenate":
            return algebra.concatenate(inputs, node.data)
        case "add" | "multiply" | "matmul":
            return getattr(algebra, node.op)(*inputs)  # type: ignore[no-any-return]
        case _:  # transpose, reshape, take, sum; function and softmax
            return getattr(algebra, node.op)(inputs[0], node.data)  # type: ignore[no-any-return]


class Numbers:
    """NumPy arrays of any dtype (float, or object holding int or Fraction)."""

    @staticmethod
    def _array(value: Any, *operands: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(value, dtype=np.result_type(*operands))  # NumPy turns results without axes into scalars

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return value

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(a + b, a, b)

    def multiply(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(a * b, a, b)

    def take(self, a: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
        return self._array(a.ravel()[index], a)

    def sum(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        return self._array(np.sum(a, axis=axis), a)

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return self._array(np.matmul(a, b), a, b)

    def transpose(self, a: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
        return a.transpose(axes)

    def reshape(self, a: NDArray[Any], shape: Shape) -> NDArray[Any]:
        return a.reshape(shape)

    def concatenate(self, parts: list[NDArray[Any]], axis: int) -> NDArray[Any]:
        return np.concatenate(parts, axis=axis)


class Magnitudes(Numbers):
    """As ``Numbers``, with |c| for each constant: at ones, an upper bound of the sum of the absolute coefficients."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return self._array(np.abs(value), value)


class TermCounts(Numbers):
    """As ``Numbers``, with 1 for each constant: at ones, an upper bound of the number of terms when expanded."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return np.ones(value.shape)


class Degrees:
    """Total degree of the entries of an array, at most; a value is one integer. Constants count ``of_constant``."""

    def __init__(self, of_constant: int = 0) -> None:
        self.constant = lambda value: of_constant

    add = staticmethod(max)
    multiply = staticmethod(operator.add)
    matmul = staticmethod(operator.add)
    transpose = reshape = take = sum = staticmethod(lambda a, _: a)
    concatenate = staticmethod(lambda parts, _: max(parts))


class Array:
    """A symbol: an array of a recorded program. Supports the operations of NumPy arrays that are polynomial."""

    __array_ufunc__ = None  # NumPy arrays on the left defer to the reflected operators

    def __init__(self, program: Program, node: int) -> None:
        self._program, self._node = program, node

    @property
    def shape(self) -> Shape:
        """Shape, a tuple of integers."""
        return self._program.nodes[self._node].shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without axes has no length.")
        return self.shape[0]

    def _apply(self, op: str, shape: Shape, data: Any) -> Array:
        return self._program.append(op, (self._node,), shape, data)

    def _symbol(self, value: object) -> Array:
        """A constant (number, nested lists or NumPy array of exact numbers) as a symbol of the same program."""
        if isinstance(value, Array):
            if value._program is not self._program:
                raise ValueError("the output mixes arrays of two models.")
            return value
        array = np.asarray(value, dtype=object) if not isinstance(value, np.ndarray) else value
        numbers = [exact(v, "a constant of a model") for v in array.ravel().tolist()]
        constant = np.empty(array.shape, dtype=object)
        constant.ravel()[:] = numbers
        return self._program.append("constant", (), array.shape, constant)

    def _binary(self, op: str, other: object, reflected: bool = False) -> Array:
        a, b = (self._symbol(other), self) if reflected else (self, self._symbol(other))
        ndim = max(a.ndim, b.ndim)
        a, b = (x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in (a, b))
        return self._program.append(op, (a._node, b._node), np.broadcast_shapes(a.shape, b.shape))

    def __add__(self, other: object) -> Array:
        return self._binary("add", other)

    def __mul__(self, other: object) -> Array:
        return self._binary("multiply", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Array:
        return self * -1

    def __sub__(self, other: object) -> Array:
        return self + self._symbol(other) * -1

    def __rsub__(self, other: object) -> Array:
        return -self + other

    def __truediv__(self, other: object) -> Array:
        return self * (1 / Fraction(exact(other, "a divisor")))

    def __pow__(self, power: object) -> Array:
        if isinstance(power, bool) or not isinstance(power, (int, np.integer)) or power < 0:
            raise TypeError(f"a power must be an integer >= 0, not {power!r}.")
        if power == 0:
            return self._symbol(np.ones(self.shape, dtype=int))
        result = self
        for bit in bin(int(power))[3:]:
            result = result * result * self if bit == "1" else result * result
        return result

    def __matmul__(self, other: object) -> Array:
        return _matmul(self, self._symbol(other))

    def __rmatmul__(self, other: object) -> Array:
        return _matmul(self._symbol(other), self)

    def transpose(self, *axes: Any) -> Array:
        """Permute the axes, as ``numpy.transpose``; reverse them if none are given."""
        order = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], Iterable) else axes
        order = order or tuple(range(self.ndim))[::-1]
        shape = np.empty(self.shape, dtype=bool).transpose(order).shape
        return self._apply("transpose", shape, tuple(range(self.ndim)[axis] for axis in order))

    @property
    def T(self) -> Array:  # noqa: N802
        """The array with its axes reversed."""
        return self.transpose()

    def reshape(self, *shape: Any) -> Array:
        """The same entries in another shape, as ``numpy.reshape``."""
        given = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Iterable) else shape
        target = np.empty(self.shape, dtype=bool).reshape(given).shape
        node = self._program.nodes[self._node]
        if node.op == "constant":
            return self._program.append("constant", (), target, node.data.reshape(target))
        return self if target == self.shape else self._apply("reshape", target, target)

    def __getitem__(self, key: Any) -> Array:
        index = np.arange(self.size).reshape(self.shape)[key]
        return self._apply("take", np.shape(index), np.asarray(index, dtype=np.int64))

    def sum(self, axis: int | None = None) -> Array:
        """Sum over one axis, or over all entries."""
        if axis is None:
            return self.reshape((self.size,)).sum(0)
        axis = range(self.ndim)[axis]
        return self._apply("sum", self.shape[:axis] + self.shape[axis + 1 :], axis)

    def __bool__(self) -> bool:
        raise TypeError("a model may not branch on the values of its parameters or probes.")


def _matmul(a: Array, b: Array) -> Array:
    """NumPy's matmul: vectors become matrices and back; stacks of equally many axes."""
    if not a.ndim or not b.ndim:
        raise ValueError("matmul needs arrays of one axis or more; multiply by numbers with *.")
    row, column = a.ndim == 1, b.ndim == 1
    a = a.reshape((1, *a.shape)) if row else a
    b = b.reshape((*b.shape, 1)) if column else b
    ndim = max(a.ndim, b.ndim)
    a, b = (x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in (a, b))
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul of shapes {a.shape} and {b.shape}: {a.shape[-1]} columns meet {b.shape[-2]} rows.")
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    out = a._program.append("matmul", (a._node, b._node), shape)
    kept = shape[:-2] + shape[-2:-1] * (not row) + shape[-1:] * (not column)
    return out.reshape(kept)


def concatenate(arrays: Sequence[Array | NDArray[Any]], axis: int = 0) -> Array:
    """Join arrays of a model along an axis, as ``numpy.concatenate``."""
    arrays = listed(arrays, "concatenate takes a list of arrays")
    symbols = [a for a in arrays if isinstance(a, Array)]
    if not symbols:
        raise TypeError("concatenate takes at least one array of a model.")
    parts = [symbols[0]._symbol(a) for a in arrays]
    shape = np.concatenate([np.empty(p.shape, dtype=bool) for p in parts], axis=axis).shape
    program = symbols[0]._program
    return program.append("concatenate", tuple(p._node for p in parts), shape, range(len(shape))[axis])


def record(output: Callable[..., object], parameters: Mapping[str, Shape], probes: Mapping[str, Shape]) -> Program:
    """Call ``output`` on symbols and return the program; ValueError or TypeError if it fails, saying why."""
    program = Program()
    arguments = {name: program.append("parameter", (), shape, name) for name, shape in parameters.items()}
    arguments |= {name: program.append("probe", (), shape, name) for name, shape in probes.items()}
    try:
        result = output(**arguments)
    except Exception as error:
        name = getattr(output, "__name__", "output")
        kind = TypeError if isinstance(error, TypeError) else ValueError
        said = str(error).rstrip(".")
        raise kind(f"the model's output function {name!r} failed: {type(error).__name__}: {said}.") from error
    if not isinstance(result, Array) or result._program is not program:
        raise TypeError(f"the model's output must be an array made of its parameters, not {result!r}.")
    program.output = result._node
    return program.pruned()
