"""Symbols that record what a function does with them: the arrays of a model's output function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import NDArray

from clexact.algebra.polynomial import Number, exact
from clexact.algebra.terms import Ints
from clexact.programs.dispatch import call
from clexact.programs.identities import simpler
from clexact.programs.operations import Node
from clexact.programs.places import OuterIndex, Shape, places
from clexact.programs.program import Program
from clexact.support.listed import listed


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy as a method."""

    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        return call(function, (self, *args), kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = f"As ``numpy.{function.__name__}``."
    return method


class Array:
    """A symbol: an array of a recorded program. NumPy's functions on it are those of ``dispatch.py``.

    A model's output function is called with such arrays; it does not make them.

    Parameters
    ----------
    program : Program
        In which operations are recorded.
    number : int
        That of the node that it stands for.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"U": (2, 3)}, {"x": (3,)}, lambda U, x: (U @ x)[:1] ** 2 - U.sum() / 2)
    >>> net
    Model(model, D = 6, output of shape (1,))
    """

    def __init__(self, program: Program, number: int) -> None:
        self.program, self.number = program, number

    @property
    def node(self) -> Node:
        """The node of the program that it stands for."""
        return self.program.nodes[self.number]

    @property
    def shape(self) -> Shape:
        """Shape, a tuple of integers."""
        return self.node.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise TypeError(f"np.{ufunc.__name__}.{method} is not defined on arrays of a model.")
        return call(ufunc, inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return call(function, args, kwargs)

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError(
            "an array of a model has no numbers to make a NumPy array of; np.stack joins arrays of a model."
        )

    @property
    def is_zero(self) -> bool:
        """Whether it is a constant, all of whose entries are 0."""
        return self.node.op == "constant" and not np.any(self.node.data != 0)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without axes has no length.")
        return self.shape[0]

    def then(self, op: str, shape: Shape, data: Any = None, *others: Array) -> Array:
        """Record an operation on this array (and others) and return its symbol, of this shape."""
        inputs = (self.number, *(other.number for other in others))
        return Array(self.program, self.program.append(op, inputs, shape, data))

    def leaf(self, op: str, shape: Shape, data: Any) -> Array:
        """A constant or a probe of the same program."""
        return Array(self.program, self.program.append(op, (), shape, data))

    def symbol(self, value: object) -> Array:
        """A constant (number, nested lists or NumPy array of exact numbers) as a symbol of the same program."""
        if isinstance(value, Array):
            if value.program is not self.program:
                raise ValueError("the output mixes arrays of two models.")
            return value
        array = np.asarray(value, dtype=object) if not isinstance(value, np.ndarray) else value
        numbers = array.ravel().tolist()
        if array.dtype.kind not in "iu":
            different = {id(v): v for v in numbers}  # few, in constants of large modules
            made = {key: exact(v, "a constant of a model") for key, v in different.items()}
            numbers = [made[id(v)] for v in numbers]
        constant = np.empty(array.shape, dtype=object)
        constant.ravel()[:] = numbers
        return self.leaf("constant", array.shape, constant)

    def _binary(self, op: str, other: object, reflected: bool = False) -> Array:
        a, b = (self.symbol(other), self) if reflected else (self, self.symbol(other))
        ndim = max(a.ndim, b.ndim)
        a, b = (x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in (a, b))
        return a.then(op, np.broadcast_shapes(a.shape, b.shape), None, b)

    def __add__(self, other: object) -> Array:
        return self._binary("add", other)

    def __mul__(self, other: object) -> Array:
        return self._binary("multiply", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Array:
        return self * -1

    def __sub__(self, other: object) -> Array:
        return self + self.symbol(other) * -1

    def __rsub__(self, other: object) -> Array:
        return -self + other

    __abs__ = _method(np.abs)

    def __rtruediv__(self, other: object) -> Array:
        return self._function("reciprocal") * other

    def _function(self, name: str) -> Array:
        """An analytic function of each entry; of constants, where all values are rational, a constant."""
        if self.node.op == "constant" and name in RATIONAL:
            values = [RATIONAL[name](c) for c in self.node.data.ravel().tolist()]
            if None not in values:
                return self.symbol(values).reshape(self.shape)
        otherwise = simpler(self, name)
        return self.then("function", self.shape, name) if otherwise is None else otherwise

    def __truediv__(self, other: object) -> Array:
        if isinstance(other, Array):
            return self * other._function("reciprocal")
        if isinstance(other, (list, np.ndarray)):
            divisors = np.asarray(other, dtype=object)
            inverses = [_inverse(exact(c, "a divisor")) for c in divisors.ravel().tolist()]
            return self * np.array(inverses, dtype=object).reshape(divisors.shape)
        return self * _inverse(exact(other, "a divisor"))

    def __pow__(self, power: object) -> Array:
        if isinstance(power, (Fraction, float)) and 2 * power == int(2 * power) and power != int(power):
            return self._function("rsqrt") * self ** int(power + Fraction(1, 2))
        if isinstance(power, bool) or not isinstance(power, (int, np.integer)):
            raise TypeError(f"a power must be an integer, or half of one, not {power!r}.")
        if power < 0:
            return self._function("reciprocal") ** -power
        if power == 0:
            return self.symbol(np.ones(self.shape, dtype=int))
        result = self
        for bit in bin(int(power))[3:]:
            result = result * result * self if bit == "1" else result * result
        return result

    def __matmul__(self, other: object) -> Array:
        return _matmul(self, self.symbol(other))

    def __rmatmul__(self, other: object) -> Array:
        return _matmul(self.symbol(other), self)

    def transpose(self, *axes: Any) -> Array:
        """Permute the axes, as ``numpy.transpose``.

        Parameters
        ----------
        *axes : int or sequence of int
            The axes of this array in their new order; reversed if none are given.

        Returns
        -------
        Array
            With as many axes.

        Examples
        --------
        >>> import clexact
        >>> clexact.Model({"W": (2, 3, 4)}, {}, lambda W: W.transpose(1, 0, 2))
        Model(model, D = 24, output of shape (3, 2, 4))
        """
        order = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], Iterable) else axes
        order = order or tuple(range(self.ndim))[::-1]
        shape = np.empty(self.shape, dtype=bool).transpose(order).shape
        return self.then("transpose", shape, tuple(range(self.ndim)[axis] for axis in order))

    @property
    def T(self) -> Array:  # noqa: N802
        """The array with its axes reversed."""
        return self.transpose()

    def reshape(self, *shape: Any) -> Array:
        """The same entries in another shape, as ``numpy.reshape``.

        Parameters
        ----------
        *shape : int or sequence of int
            The new shape; one size may be -1.

        Returns
        -------
        Array
            Of that shape.

        Raises
        ------
        ValueError
            If the numbers of entries differ.

        Examples
        --------
        >>> import clexact
        >>> clexact.Model({"W": (2, 3, 4)}, {}, lambda W: W.reshape(6, -1))
        Model(model, D = 24, output of shape (6, 4))
        """
        given = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Iterable) else shape
        target = np.empty(self.shape, dtype=bool).reshape(given).shape
        if self.node.op == "constant":
            return self.leaf("constant", target, self.node.data.reshape(target))
        return self if target == self.shape else self.then("reshape", target, target)

    def __getitem__(self, key: Any) -> Array:
        along = _along_axes(key, self.shape)
        if along is None:
            index = places(self.shape)[key]
            return self.then("take", np.shape(index), np.asarray(index, dtype=np.int64))
        return self.select(along).reshape(np.empty(self.shape, dtype=bool)[key].shape)

    def select(self, along: Sequence[Ints]) -> Array:
        """The entries at places along each axis: x[i, j, ...] for all i in the first array, all j in the second, ..."""
        chosen = OuterIndex(self.shape, tuple(along))
        if all(map(chosen.whole, range(self.ndim))):
            return self
        return self.then("select", chosen.shape, chosen)

    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
        """Sum over one axis, over several, or over all entries.

        Parameters
        ----------
        axis : int or sequence of int, optional
            The axes; default: all.
        keepdims : bool
            Whether they stay, with one entry.

        Returns
        -------
        Array
            Without these axes.

        Raises
        ------
        AxisError
            If there is no such axis.

        Examples
        --------
        >>> import clexact
        >>> clexact.Model({"W": (2, 3)}, {}, lambda W: W.sum(0))
        Model(model, D = 6, output of shape (3,))
        """
        axes = normalize_axis_tuple(range(self.ndim) if axis is None else axis, self.ndim)
        total = self.reshape((self.size,))._summed(0) if axis is None else self
        for each in sorted(axes, reverse=True) if axis is not None else ():
            total = total._summed(each)
        kept = tuple(1 if n in axes else size for n, size in enumerate(self.shape))
        return total.reshape(kept) if keepdims else total

    def _summed(self, axis: int) -> Array:
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return self.then("sum", shape, axis) if self.shape[axis] else self.symbol(np.zeros(shape, dtype=int))

    mean, var, std = _method(np.mean), _method(np.var), _method(np.std)
    max, min = _method(np.max), _method(np.min)
    dot, cumsum, trace, diagonal = _method(np.dot), _method(np.cumsum), _method(np.trace), _method(np.diagonal)
    ravel, flatten, squeeze = _method(np.ravel), _method(np.ravel), _method(np.squeeze)
    swapaxes, repeat, take = _method(np.swapaxes), _method(np.repeat), _method(np.take)

    def __bool__(self) -> bool:
        raise TypeError("a model may not branch on the values of its parameters or probes.")


def _inverse(value: Number) -> Fraction:
    """1 / c; ZeroDivisionError for 0."""
    if not value:
        raise ZeroDivisionError("a division by the constant 0")
    return 1 / Fraction(value)


def _inverse_root(value: Number) -> Fraction | None:
    """1 / sqrt(c) where it is rational; ValueError for c that is not positive."""
    c = Fraction(value)
    if c <= 0:
        raise ValueError(f"1 / sqrt is taken of {c}: a positive number is expected")
    root = Fraction(isqrt(c.numerator), isqrt(c.denominator))
    return 1 / root if root**2 == c else None


def _logarithm(value: Number) -> Fraction:
    """log(1); ValueError for another c."""
    if value != 1:
        raise ValueError(f"log is taken of {value}: logarithms of constants are not known to be independent")
    return Fraction(0)


RATIONAL: dict[str, Callable[[Number], Fraction | None]] = {
    "reciprocal": _inverse,
    "rsqrt": _inverse_root,
    "log": _logarithm,
}


def _along_axes(key: Any, shape: Shape) -> list[Ints] | None:
    """Places along each axis, for a key of slices and integers, or slices and one list of them; None for another."""
    given = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not None]
    dots = [n for n, part in enumerate(given) if part is Ellipsis]
    integers = [part for part in given if isinstance(part, (int, np.integer)) and not isinstance(part, bool)]
    listed = [part for part in given if _is_places(part)]
    slices = sum(isinstance(part, slice) for part in given)
    left = len(shape) - (len(given) - len(dots))
    if slices + len(dots) + len(integers) + len(listed) < len(given) or len(dots) > 1 or left < 0:
        return None
    if len(listed) > 1 or (listed and integers):
        return None
    before = dots[0] if dots else len(given)
    given[before : before + len(dots)] = [slice(None)] * left
    return [np.asarray(np.arange(size)[part], dtype=np.int64) for size, part in zip(shape, given, strict=True)]


def _is_places(part: object) -> bool:
    """Whether a part of a key lists integers along one axis."""
    return isinstance(part, (list, np.ndarray)) and np.asarray(part).dtype.kind in "iu" and np.ndim(part) > 0


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
    kept = shape[:-2] + shape[-2:-1] * (not row) + shape[-1:] * (not column)
    return a.then("matmul", shape, None, b).reshape(kept) if a.shape[-1] else a.symbol(np.zeros(kept, dtype=int))


def symbols(arrays: Iterable[object], what: str = "a function of a model") -> list[Array]:
    """Arrays of a model as they are, with constants among them as symbols of the same program."""
    arrays = listed(arrays, f"{what} takes a list of arrays")
    first = next((a for a in arrays if isinstance(a, Array)), None)
    if first is None:
        raise TypeError(f"{what} takes at least one array of a model.")
    return [first.symbol(a) for a in arrays]


def concatenate(arrays: Sequence[Array | NDArray[Any]], axis: int = 0) -> Array:
    """Join arrays of a model along an axis, as ``numpy.concatenate``.

    Parameters
    ----------
    arrays : sequence of Array or numpy.ndarray
        At least one of them an array of a model; constants are exact numbers.
    axis : int
        The axis along which they are joined.

    Returns
    -------
    Array
        What is joined.

    Raises
    ------
    TypeError
        If none is an array of a model, or a constant is not exact.
    ValueError
        If the shapes do not fit, or the arrays are of two models.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": (2,)}, {}, lambda u, v: concatenate([u * v, v]))
    >>> net
    Model(model, D = 3, output of shape (4,))
    """
    parts = symbols(arrays, "concatenate")
    shape = np.concatenate([np.empty(p.shape, dtype=bool) for p in parts], axis=axis).shape
    return parts[0].then("concatenate", shape, range(len(shape))[axis], *parts[1:])


def record(output: Callable[..., object], parameters: Mapping[str, Shape], probes: Mapping[str, Shape]) -> Program:
    """Call ``output`` on symbols and return the program; ValueError or TypeError if it fails, saying why.

    The entries of several outputs, in nested lists or tuples, are those of one vector, one after another.
    """
    program = Program()
    kinds = {"parameter": parameters, "probe": probes}
    arguments = {
        name: Array(program, program.append(op, (), shape, name))
        for op, shapes in kinds.items()
        for name, shape in shapes.items()
    }
    try:
        result = output(**arguments)
    except Exception as error:
        name = getattr(output, "__name__", "output")
        kind = TypeError if isinstance(error, TypeError) else ValueError
        said = str(error).rstrip(".")
        raise kind(f"the model's output function {name!r} failed: {type(error).__name__}: {said}.") from error
    parts = list(_entries(result))
    if not parts or not all(isinstance(part, Array) and part.program is program for part in parts):
        raise TypeError(f"the model's output must be an array made of its parameters, not {result!r}.")
    program.several = isinstance(result, (list, tuple))
    whole = concatenate([part.reshape(-1) for part in parts]) if program.several else parts[0]
    program.output = whole.number
    return program.pruned()


def _entries(result: object) -> Iterator[Any]:
    """The members of nested lists and tuples."""
    if isinstance(result, (list, tuple)):
        for each in result:
            yield from _entries(each)
    else:
        yield result
