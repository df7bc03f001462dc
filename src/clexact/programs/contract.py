"""NumPy's products of arrays of a model: einsum and what it contains, as products of stacks of matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from clexact.programs.array import Array, symbols
from clexact.programs.dispatch import implements
from clexact.programs.rearrange import diagonal, permuted, ravel


class Labelled(NamedTuple):
    """An array with a label for each axis, none twice."""

    array: Array
    labels: tuple[str, ...]

    def ordered(self, labels: Sequence[str], sizes: Sequence[int]) -> Array:
        """The axes in the order of these labels, in a shape of as many entries."""
        return permuted(self.array, [self.labels.index(label) for label in labels]).reshape(tuple(sizes))

    def size(self, labels: Sequence[str]) -> list[int]:
        """Along the axes of these labels."""
        return [self.array.shape[self.labels.index(label)] for label in labels]


@implements(np.einsum)
def einsum(subscripts: str, *operands: Any, optimize: object = False) -> Array:
    """As ``numpy.einsum``, one operand after another."""
    if not isinstance(subscripts, str):
        raise TypeError("einsum of arrays of a model takes its subscripts as one string: 'ij,jk->ik'.")
    arrays = symbols(operands, "einsum")
    inputs, output = _read(subscripts, arrays)
    factors = [_on_diagonals(array, labels) for array, labels in zip(arrays, inputs, strict=True)]
    factors = _without_single(factors)
    while True:
        later = {label for factor in factors[1:] for label in factor.labels} | set(output)
        first, *rest = [_summed(factors[0], later), *factors[1:]]
        if not rest:
            return first.ordered(output, first.size(output))
        later = {label for factor in rest[1:] for label in factor.labels} | set(output)
        second = _summed(rest[0], later | set(first.labels))
        factors = [_product(first, second, later), *rest[1:]]


def _read(subscripts: str, arrays: Sequence[Array]) -> tuple[list[list[str]], list[str]]:
    """The labels of the axes of operands and result; those of an ellipsis are numbers, counted from its end."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(arrays):
        raise ValueError(f"einsum {subscripts!r} names {len(parts)} operands, not {len(arrays)}.")
    inputs = [_labels(part, a.ndim, subscripts) for part, a in zip(parts, arrays, strict=True)]
    count = Counter(label for labels in inputs for label in labels)
    dots = sorted((label for label in count if not label.isalpha()), key=int, reverse=True)
    if not arrow:
        return inputs, dots + sorted(label for label in count if label.isalpha() and count[label] == 1)
    before, given, after = right.partition("...")
    output = [*before, *(dots if given else []), *after]
    if dots and not given:
        raise ValueError(f"einsum {subscripts!r} keeps no axes of its ellipsis; write ... in its result.")
    if len(set(output)) < len(output) or not count.keys() >= set(output):
        raise ValueError(f"einsum {subscripts!r} must have each letter of its result once, and in an operand.")
    return inputs, output


def _labels(part: str, ndim: int, subscripts: str) -> list[str]:
    before, given, after = part.partition("...")
    dots = ndim - len(before) - len(after)
    if not all(letter.isascii() and letter.isalpha() for letter in before + after) or dots < 0 or (dots and not given):
        raise ValueError(f"einsum {subscripts!r} has no subscripts {part!r} of {ndim} axes.")
    return [*before, *map(str, reversed(range(dots))), *after]


def _on_diagonals(array: Array, labels: list[str]) -> Labelled:
    """Axes of equal labels are one, the diagonal."""
    while repeated := [label for label in labels if labels.count(label) > 1]:
        label = repeated[0]
        i = labels.index(label)
        j = labels.index(label, i + 1)
        if array.shape[i] != array.shape[j]:
            raise ValueError(f"axes named {label} have different sizes, {array.shape[i]} and {array.shape[j]}.")
        array = diagonal(array, 0, i, j)
        labels = [each for n, each in enumerate(labels) if n not in (i, j)] + [label]
    return Labelled(array, tuple(labels))


def _without_single(factors: list[Labelled]) -> list[Labelled]:
    """Axes of size 1 of what is longer elsewhere, which are repeated, left out; ValueError where sizes differ."""
    sizes: dict[str, set[int]] = {}
    for factor in factors:
        for label, size in zip(factor.labels, factor.array.shape, strict=True):
            sizes.setdefault(label, set()).add(size)
    for label, found in sizes.items():
        if len(found - {1}) > 1:
            raise ValueError(f"axes named {label} have different sizes, {' and '.join(map(str, sorted(found)))}.")
    kept = [[label for label, size in zip(f.labels, f.array.shape, strict=True) if {size} == sizes[label] or size != 1]
            for f in factors]  # fmt: skip
    return [Labelled(f.array.reshape(tuple(f.size(k))), tuple(k)) for f, k in zip(factors, kept, strict=True)]


def _summed(factor: Labelled, needed: set[str]) -> Labelled:
    """Summed along the axes whose labels are not needed."""
    axes = [n for n, label in enumerate(factor.labels) if label not in needed]
    return Labelled(factor.array.sum(axes), tuple(x for x in factor.labels if x in needed)) if axes else factor


def _product(a: Labelled, b: Labelled, needed: set[str]) -> Labelled:
    """Axes that both have are contracted by a product of matrices, unless they are needed: these stack it."""
    both = [label for label in a.labels if label in b.labels]
    stack, contracted = [x for x in both if x in needed], [x for x in both if x not in needed]
    rows, columns = [x for x in a.labels if x not in both], [x for x in b.labels if x not in both]
    wide, tall, long = a.size(stack), a.size(rows), b.size(columns)
    if contracted:
        k = prod(a.size(contracted))
        left = a.ordered(stack + rows + contracted, [*wide, prod(tall), k])
        right = b.ordered(stack + contracted + columns, [*wide, k, prod(long)])
        out = left @ right
    else:
        left = a.ordered(stack + rows, wide + tall + [1] * len(long))
        right = b.ordered(stack + columns, wide + [1] * len(tall) + long)
        out = left * right
    return Labelled(out.reshape(tuple(wide + tall + long)), tuple(stack + rows + columns))


def _both(a: Any, b: Any) -> tuple[Array, Array]:
    first, second = symbols([a, b])
    return first, second


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """As ``numpy.tensordot``."""
    a, b = _both(a, b)
    mine, theirs = (range(a.ndim - axes, a.ndim), range(axes)) if isinstance(axes, (int, np.integer)) else axes
    left, right = normalize_axis_tuple(mine, a.ndim), normalize_axis_tuple(theirs, b.ndim)
    if [a.shape[i] for i in left] != [b.shape[j] for j in right]:
        raise ValueError(f"tensordot of shapes {a.shape} and {b.shape} contracts axes of different sizes.")
    rows = [f"a{i}" for i in range(a.ndim)]
    columns = [f"a{left[right.index(j)]}" if j in right else f"b{j}" for j in range(b.ndim)]
    needed = set(rows) ^ set(columns)
    product = _product(Labelled(a, tuple(rows)), Labelled(b, tuple(columns)), needed)
    return product.array


@implements(np.dot)
def _dot(a: Any, b: Any) -> Array:
    first, second = _both(a, b)
    if not first.ndim or not second.ndim:
        return first * second
    return first @ second if second.ndim <= 2 else tensordot(first, second, ([-1], [-2]))


@implements(np.inner)
def _inner(a: Any, b: Any) -> Array:
    first, second = _both(a, b)
    return tensordot(first, second, ([-1], [-1])) if first.ndim and second.ndim else first * second


@implements(np.outer)
def _outer(a: Any, b: Any) -> Array:
    first, second = _both(a, b)
    return ravel(first).reshape((first.size, 1)) * ravel(second)


@implements(np.kron)
def _kron(a: Any, b: Any) -> Array:
    first, second = _both(a, b)
    ndim = max(first.ndim, second.ndim)
    mine, theirs = ((1,) * (ndim - x.ndim) + x.shape for x in (first, second))
    left = first.reshape(tuple(n for size in mine for n in (size, 1)))
    right = second.reshape(tuple(n for size in theirs for n in (1, size)))
    return (left * right).reshape(tuple(m * n for m, n in zip(mine, theirs, strict=True)))
