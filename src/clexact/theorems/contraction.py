r"""A recorded program as a sum of products over indices: $\sum_{ijk} C_i U_{ik} V_{kj} x_j$.

Axes whose length is the value of a letter become indices; all others are written out, entry by entry. What comes out
says the same at every size, so programs recorded at other sizes can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise, permutations, product
from math import lcm, prod
from typing import Any

import numpy as np

from clexact.programs.operations import Node
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Program

Factor = tuple[str, tuple[int, ...]]  # a leaf, and the variables at its axes
Entry = list["Product"]  # a sum
MOST = 20_000  # products in a network


class NotUniformError(ValueError):
    """Why a program is no sum of products over indices, the same at all sizes."""


@dataclass(frozen=True)
class Product:
    """A coefficient and its factors; variables are numbers."""

    coefficient: Fraction
    factors: tuple[Factor, ...]

    @property
    def variables(self) -> list[int]:
        """In the order in which they are met."""
        return list(dict.fromkeys(v for _, variables in self.factors for v in variables))

    def renamed(self, names: Mapping[int, int]) -> Product:
        """With other variables."""
        return Product(self.coefficient, tuple((leaf, tuple(names[v] for v in own)) for leaf, own in self.factors))


@dataclass(frozen=True)
class Contraction:
    """A network as a sum of products; ``axes`` holds the letters of the axes of each leaf that are indices.

    ``covectors``: the seeds that end with the last axis of the output, where that is one of symbolic size.
    """

    products: tuple[Product, ...]
    parameters: Mapping[str, tuple[str, ...]]
    seeds: Mapping[str, tuple[str, ...]]
    covectors: tuple[str, ...] = ()

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Of parameters and of seeds."""
        return {**self.parameters, **self.seeds}


@dataclass(frozen=True)
class _Value:
    """An array of sums; at an axis with a variable it has length 1, and stands for all values of that variable."""

    array: Any  # of dtype object
    free: tuple[int | None, ...]


@dataclass(frozen=True)
class _Merged:
    """A value some of whose axes are several of an array, one after another: ``groups`` of axes, of these lengths."""

    value: _Value
    lengths: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, value: _Value | _Merged, lengths: Shape, shape: Shape) -> _Merged:
        """In a shape whose axes are products of consecutive ones; axes of length 1 are dropped."""
        if isinstance(value, _Merged):
            lengths = value.lengths
            value = value.value
        kept = [k for k, size in enumerate(lengths) if size > 1]
        short = tuple(value.array.shape[k] for k in kept)
        value = _Value(value.array.reshape(short), tuple(value.free[k] for k in kept))
        lengths, groups, k = tuple(lengths[k] for k in kept), list[tuple[int, ...]](), 0
        for size in shape:
            first = k
            while prod(lengths[first:k]) < size and k < len(lengths):
                k += 1
            if prod(lengths[first:k]) != size:
                raise NotUniformError("a reshape mixes axes of symbolic size with others")
            groups.append(tuple(range(first, k)))
        return cls(value, lengths, tuple(groups))

    def plain(self) -> _Value | _Merged:
        """An array, if no axis is several."""
        if any(len(group) > 1 for group in self.groups):
            return self
        shape = tuple(self.value.array.shape[group[0]] if group else 1 for group in self.groups)
        free = tuple(self.value.free[group[0]] if group else None for group in self.groups)
        return _Value(self.value.array.reshape(shape), free)


class _Reader:
    def __init__(self, program: Program, letters: Mapping[int, str]) -> None:
        self.program, self.letters, self.fresh = program, letters, count()
        self.axes: dict[str, tuple[str, ...]] = {}

    def read(self) -> list[_Value]:
        """The arrays that are the output, one after another."""
        values: list[Any] = []
        for node in self.program.nodes:
            values.append(self.value(node, values))
        found = values[self.program.output]
        if isinstance(found, _Merged):
            raise NotUniformError("the output has an axis that is several")
        return found if isinstance(found, list) else [found]

    def value(self, node: Node, values: list[Any]) -> Any:
        """Of a node, from those before it."""
        inputs = [values[i] for i in node.inputs]
        if any(isinstance(value, _Merged) for value in inputs) and node.op not in ("matmul", "reshape"):
            raise NotUniformError("an axis that is several is used by itself")
        if any(isinstance(value, list) for value in inputs) and node.op not in ("concatenate", "reshape"):
            raise NotUniformError("what is joined along an axis of symbolic size is used again")
        match node.op:
            case "parameter" | "probe":
                return self.leaf(node.data, node.shape)
            case "constant":
                return self.constant(node)
            case "add":
                a, b, free = self.aligned(*inputs)
                return _Value(_each(lambda x, y: x + y, a, b), free)
            case "multiply":
                return self.multiplied(*inputs)
            case "matmul" if any(isinstance(value, _Merged) for value in inputs):
                return self.matmul_merged(*inputs, *self.program.shapes(node))
            case "matmul":
                return self.matmul(*inputs)
            case "sum":
                return self.summed(inputs[0], node.data)
            case "transpose":
                (value,) = inputs
                return _Value(value.array.transpose(node.data), tuple(value.free[axis] for axis in node.data))
            case "reshape":
                return self.reshaped(inputs[0], self.program.shapes(node)[0], node.shape)
            case "select":
                return self.reshaped(self.selected(inputs[0], node.data), node.data.sizes, node.shape)
            case "take" if None in {*inputs[0].free} or not inputs[0].free:
                return self.taken(inputs[0], node.data)
            case "concatenate":
                return self.joined(inputs, node.data)
        raise NotUniformError(f"{_said(node)} is no sum of products")

    def leaf(self, name: str, shape: Shape) -> _Value:
        free = tuple(next(self.fresh) if size in self.letters else None for size in shape)
        short = tuple(1 if v is not None else size for v, size in zip(free, shape, strict=True))
        array = np.empty(short, dtype=object)
        for index in np.ndindex(short):
            label = entry_label(name, index, free)
            self.axes[label] = tuple(self.letters[size] for size in shape if size in self.letters)
            array[index] = [Product(Fraction(1), ((label, tuple(v for v in free if v is not None)),))]
        return _Value(array, free)

    def constant(self, node: Node) -> _Value:
        data: Any = np.asarray(node.data, dtype=object)
        for axis, size in enumerate(data.shape):
            if size in self.letters:
                first = data.take([0], axis)
                if not (data == first).all():
                    raise NotUniformError("a constant is not the same at all places of an axis of symbolic size")
                data = first
        array = np.empty(data.shape, dtype=object)
        for index in np.ndindex(data.shape):
            array[index] = [Product(Fraction(data[index]), ())] if data[index] else []
        return _Value(array, tuple(next(self.fresh) if size in self.letters else None for size in node.shape))

    def instance(self, value: _Value, free: Sequence[int | None]) -> Any:
        """The array with these variables at its axes, and new ones for all that are summed."""
        outer = {old: new for old, new in zip(value.free, free, strict=True) if old is not None and new is not None}
        array = np.empty(value.array.shape, dtype=object)
        for index in np.ndindex(value.array.shape):
            found: Entry = []
            for term in value.array[index]:
                found.append(term.renamed({v: outer[v] if v in outer else next(self.fresh) for v in term.variables}))
            array[index] = found
        return array

    def aligned(self, a: _Value, b: _Value) -> tuple[Any, Any, tuple[int | None, ...]]:
        """Both with the same variables, and axes in front where one has fewer."""
        dims = max(a.array.ndim, b.array.ndim)
        a, b = (_Value(v.array.reshape((1,) * (dims - v.array.ndim) + v.array.shape),
                       (None,) * (dims - v.array.ndim) + v.free) for v in (a, b))  # fmt: skip
        free = tuple(None if x is None and y is None else next(self.fresh) for x, y in zip(a.free, b.free, strict=True))
        ours = [
            tuple(v if own is not None else None for v, own in zip(free, each.free, strict=True)) for each in (a, b)
        ]
        return self.instance(a, ours[0]), self.instance(b, ours[1]), free

    def multiplied(self, a: _Value, b: _Value) -> _Value:
        x, y, free = self.aligned(a, b)
        return _Value(_each(_times, x, y), free)

    def matmul(self, a: _Value, b: _Value) -> _Value:
        left = _Value(a.array[..., None], (*a.free, None))
        right = _Value(b.array[..., None, :, :], (*b.free[:-2], None, *b.free[-2:]))
        joined = self.multiplied(left, right)
        return self.summed(joined, joined.array.ndim - 2)

    def summed(self, value: _Value, axis: int) -> _Value:
        free, v = value.free[:axis] + value.free[axis + 1 :], value.free[axis]
        if v is None:
            total = np.empty(value.array.shape[:axis] + value.array.shape[axis + 1 :], dtype=object)
            for index in np.ndindex(total.shape):
                parts = [value.array[(*index[:axis], k, *index[axis:])] for k in range(value.array.shape[axis])]
                total[index] = [term for part in parts for term in part]
            return _Value(total, free)
        if any(v not in term.variables for entry in value.array.flat for term in entry):
            raise NotUniformError("a sum over an axis of symbolic size has terms that do not depend on the index")
        return _Value(value.array.reshape(value.array.shape[:axis] + value.array.shape[axis + 1 :]), free)

    def matmul_merged(self, a: _Value | _Merged, b: _Value | _Merged, left: Shape, right: Shape) -> _Value | _Merged:
        """Of matrices whose inner axes are several, the same ones."""
        if len(left) != 2 or len(right) != 2:
            raise NotUniformError("stacks of matrices whose axes are several are multiplied")
        x, y = _Merged.of(a, left, left), _Merged.of(b, right, right)
        rows, inner, columns = len(x.groups[0]), len(x.groups[1]), len(y.groups[1])
        if x.lengths[rows:] != y.lengths[:inner]:
            raise NotUniformError("a product sums over axes that are several in different ways")
        wide = _Value(x.value.array[(..., *(None,) * columns)], (*x.value.free, *(None,) * columns))
        joined = self.multiplied(wide, y.value)
        for axis in reversed(range(rows, rows + inner)):
            joined = self.summed(joined, axis)
        lengths = x.lengths[:rows] + y.lengths[inner:]
        groups = tuple(range(rows)), tuple(range(rows, rows + columns))
        return _Merged(joined, lengths, groups).plain()

    def reshaped(self, value: Any, before: Shape, shape: Shape) -> Any:
        """Axes of length 1 come and go, and axes may be merged and split; outputs may be one vector."""
        try:
            if isinstance(value, _Merged):
                return _Merged.of(value, before, shape).plain()
            return self.same_axes(value, shape)
        except NotUniformError:
            if isinstance(value, list):
                raise
            return _Merged.of(value, before, shape).plain()

    def same_axes(self, value: Any, shape: Shape) -> Any:
        """Where the axes of symbolic size stay."""
        if isinstance(value, list):
            if len(shape) != 1:
                raise NotUniformError("what is joined along an axis of symbolic size is reshaped")
            return value
        kept = [(v, k) for k, v in enumerate(value.free) if v is not None]
        new = [k for k, size in enumerate(shape) if size in self.letters]
        if not kept:
            if new:
                raise NotUniformError("an axis of symbolic size comes out of one that is not")
            return _Value(value.array.reshape(shape), (None,) * len(shape))
        if len(shape) == 1 and not new and sum(v is not None for v in value.free) == 1:
            return self.flat(value)
        edges, heads = [-1, *(k for _, k in kept), value.array.ndim], [-1, *new, len(shape)]
        if len(new) != len(kept) or any(
            prod(value.array.shape[a + 1 : b]) != prod(shape[c + 1 : d])
            for (a, b), (c, d) in zip(_steps(edges), _steps(heads), strict=True)
        ):
            raise NotUniformError("a reshape mixes axes of symbolic size with others")
        short = tuple(1 if k in new else size for k, size in enumerate(shape))
        free: list[int | None] = [None] * len(shape)
        for (v, _), k in zip(kept, new, strict=True):
            free[k] = v
        return _Value(value.array.reshape(short), tuple(free))

    @staticmethod
    def flat(value: _Value) -> list[_Value]:
        """Rows one after another, of which each has one axis that is an index."""
        axis = next(k for k, v in enumerate(value.free) if v is not None)
        if prod(value.array.shape[axis:]) != 1:
            raise NotUniformError("a reshape mixes an axis of symbolic size with others")
        return [_Value(np.array([entry, None], dtype=object)[:1], (value.free[axis],)) for entry in value.array.flat]

    def selected(self, value: _Value, outer: Any) -> _Value:
        array = value.array
        for axis, index in enumerate(outer.along):
            flat = index.ravel()
            if value.free[axis] is None:
                array = array.take(flat, axis)
            elif len(flat) not in self.letters or (flat != np.arange(len(flat))).any():
                raise NotUniformError("an axis of symbolic size is cut")
        return _Value(array, value.free)

    def taken(self, value: _Value, data: Any) -> _Value:
        if any(v is not None for v in value.free) or any(size in self.letters for size in data.shape):
            raise NotUniformError("an axis of symbolic size is cut")
        return _Value(value.array.ravel()[data], (None,) * data.ndim)

    def joined(self, inputs: list[Any], axis: int) -> Any:
        flat = [part for value in inputs for part in (value if isinstance(value, list) else [value])]
        if any(part.free[axis] is not None for part in flat):
            if any(len(part.free) != 1 for part in flat):
                raise NotUniformError("arrays are joined along an axis of symbolic size")
            return flat
        first = flat[0]
        arrays = [self.instance(part, first.free) for part in flat]
        return _Value(np.concatenate(arrays, axis=axis), first.free)


def contraction(program: Program, letters: Mapping[int, str]) -> Contraction:
    """The program as a sum of products; ``letters`` are the sizes that are symbolic, by their values here.

    The covector of output p is a seed ``C``, or ``C1``, ``C2``, ... of several. NotUniformError says what is in the
    way.
    """
    pruned = program.pruned()
    reader = _Reader(pruned, letters)
    outputs = reader.read()
    found: list[Product] = []
    covectors = list[str]()
    names = {node.data for node in pruned.nodes if node.op in LEAVES}
    covector = next(name for name in ("C", "covector", "covector_") if name not in names)
    for place, value in enumerate(outputs):
        name = covector + (str(place + 1) if len(outputs) > 1 else "")
        free = tuple(next(reader.fresh) if v is not None else None for v in value.free)
        array = reader.instance(value, free)
        for index in np.ndindex(array.shape):
            label = entry_label(name, index, free)
            by = {v: letter for term in array[index] for leaf, own in term.factors
                  for v, letter in zip(own, reader.axes[leaf], strict=True)}  # fmt: skip
            seed = (label, tuple(v for v in free if v is not None))
            if array[index]:
                if any(v not in by for v in seed[1]):
                    raise NotUniformError("an output does not depend on its index")
                reader.axes[label] = tuple(by[v] for v in seed[1])
                if len(outputs) == 1 and free and free[-1] is not None:
                    covectors.append(label)
            found += [Product(term.coefficient, (seed, *term.factors)) for term in array[index]]
    if len(found) > MOST:
        raise NotUniformError(f"it has more than {MOST} products")
    return _split(collected(found), reader.axes, _labels(pruned, "parameter"), covectors)


def _split(
    products: tuple[Product, ...], axes: Mapping[str, tuple[str, ...]], names: set[str], covectors: Sequence[str]
) -> Contraction:
    used = {leaf for term in products for leaf, _ in term.factors}
    own = {leaf: axes[leaf] for leaf in axes if leaf.split("[")[0] in names}
    if idle := [leaf for leaf in own if leaf not in used]:
        raise NotUniformError(f"{idle[0]} does not stand in the output")
    return Contraction(products, own, {leaf: axes[leaf] for leaf in axes if leaf in used and leaf not in own},
                       tuple(covectors))  # fmt: skip


def _labels(program: Program, op: str) -> set[str]:
    return {node.data for node in program.nodes if node.op == op}


def collected(products: Iterable[Product]) -> tuple[Product, ...]:
    """Equal products once, with whole coefficients and variables 0, 1, ...; in a fixed order."""
    sums: dict[tuple[Factor, ...], Fraction] = {}
    for term in products:
        key = canonical(term.factors)
        sums[key] = sums.get(key, Fraction(0)) + term.coefficient
    kept = {key: value for key, value in sums.items() if value}
    whole = lcm(*(value.denominator for value in kept.values()))
    return tuple(Product(kept[key] * whole, key) for key in sorted(kept))


def canonical(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """The same product with its factors in order and its variables numbered as they come."""
    by_leaf: dict[str, list[Factor]] = {}
    for factor in factors:
        by_leaf.setdefault(factor[0], []).append(factor)
    orders = product(*(permutations(by_leaf[leaf]) for leaf in sorted(by_leaf)))
    return min(_numbered([factor for group in order for factor in group]) for order in orders)


def _numbered(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    names: dict[int, int] = {}
    return tuple((leaf, tuple(names.setdefault(v, len(names)) for v in own)) for leaf, own in factors)


def entry_label(name: str, index: Sequence[int], free: Sequence[object]) -> str:
    """U for a leaf all of whose axes are indices; W[:,:,2] where some are written out."""
    if all(v is not None for v in free):
        return name
    return f"{name}[{','.join(':' if v is not None else str(k) for k, v in zip(index, free, strict=True))}]"


def _steps(edges: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(edges))


def _each(join: Any, a: Any, b: Any) -> Any:
    shape = np.broadcast_shapes(a.shape, b.shape)
    a, b, found = np.broadcast_to(a, shape), np.broadcast_to(b, shape), np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        found[index] = join(a[index], b[index])
        if len(found[index]) > MOST:
            raise NotUniformError(f"it has more than {MOST} products")
    return found


def _times(x: Entry, y: Entry) -> Entry:
    return [Product(a.coefficient * b.coefficient, a.factors + b.factors) for a in x for b in y]


def _said(node: Node) -> str:
    return f"the function {node.data}" if node.op == "function" else f"the operation {node.op}"
