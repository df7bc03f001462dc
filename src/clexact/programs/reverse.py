"""Gradients of a program by one reverse sweep, over any algebra of arrays: jets modulo a prime, or exact numbers.

Values and cotangents have one more axis in front, one row for each covector (1 where all rows share a value).
"""

from __future__ import annotations

from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.programs.program import Numbers, Program, Shape

Exact = NDArray[Any]  # of Python integers and Fractions
V = TypeVar("V")


class Reversible(Protocol[V]):
    """The operations of a program that a reverse sweep needs, and their transposes."""

    def add(self, a: V, b: V) -> V: ...
    def multiply(self, a: V, b: V) -> V: ...
    def matmul(self, a: V, b: V) -> V: ...
    def transpose(self, a: V, axes: tuple[int, ...]) -> V: ...
    def reshape(self, a: V, shape: Shape) -> V: ...
    def unbroadcast(self, a: V, shape: Shape) -> V: ...
    def scatter(self, a: V, index: NDArray[np.int64], shape: Shape) -> V: ...
    def take(self, a: V, index: NDArray[np.int64]) -> V: ...


def gradients(algebra: Reversible[V], program: Program, values: list[V], node: int, covectors: V) -> dict[str, V]:
    r"""$\nabla_\theta \langle C_i, v \rangle$, i = 1..k, of the value v of a node, as {parameter: (k, *shape)}.

    ``values`` are those of the nodes up to ``node`` at least, ``covectors`` has shape (k, *shape of v). A parameter
    on which v does not depend is left out. The cost is about k times that of computing v (Griewank and Walther,
    Evaluating Derivatives, section 3.3).
    """
    active = [False] * (node + 1)
    for i, each in enumerate(program.nodes[: node + 1]):
        active[i] = each.op == "parameter" or any(active[j] for j in each.inputs)
    cotangents: dict[int, V] = {node: covectors}
    found: dict[str, V] = {}
    for i in range(node, -1, -1):
        if i not in cotangents or not active[i]:
            continue
        cotangent, each = cotangents.pop(i), program.nodes[i]
        if each.op == "parameter":
            found[each.data] = cotangent
        for k, j in enumerate(each.inputs):
            if active[j]:
                pulled = _pull_back(algebra, program, i, k, values, cotangent)
                cotangents[j] = algebra.add(cotangents[j], pulled) if j in cotangents else pulled
    return found


def _pull_back(algebra: Reversible[V], program: Program, i: int, k: int, values: list[V], g: V) -> V:
    """The cotangent that operand k of node i receives from the node's cotangent g.

    An algebra that is no ring, or has a faster way, says so by a method ``pull_back_OP(node, k, operands, value, g)``.
    """
    node = program.nodes[i]
    shape = program.nodes[node.inputs[k]].shape
    if own := getattr(algebra, f"pull_back_{node.op}", None):
        return own(node, k, [values[j] for j in node.inputs], values[i], g)  # type: ignore[no-any-return]
    match node.op:
        case "add":
            return algebra.unbroadcast(g, shape)
        case "multiply":
            return algebra.unbroadcast(algebra.multiply(g, values[node.inputs[1 - k]]), shape)
        case "matmul":
            return pull_back_matmul(algebra, shape, k, values[node.inputs[1 - k]], g)
        case "transpose":
            return algebra.transpose(g, tuple(int(axis) for axis in np.argsort(node.data)))
        case "reshape":
            return algebra.reshape(g, shape)
        case "take":
            return algebra.scatter(g, node.data, shape)
        case "concatenate":
            first = sum(program.nodes[j].shape[node.data] for j in node.inputs[:k])
            piece = (slice(None),) * node.data + (slice(first, first + shape[node.data]),)
            return algebra.take(g, _places(node.shape)[piece])
        case "sum":
            return algebra.take(g, np.broadcast_to(np.expand_dims(_places(node.shape), node.data), shape))
        case _:
            raise ValueError(f"{node.op} is no operation of a ring.")


def pull_back_matmul(algebra: Reversible[V], shape: Shape, k: int, other: V, g: V) -> V:
    """The cotangent of operand k, of this shape, of a product with the other operand."""
    axes = len(shape)
    turned = algebra.transpose(other, (*range(axes - 2), axes - 1, axes - 2))
    return algebra.unbroadcast(algebra.matmul(g, turned) if k == 0 else algebra.matmul(turned, g), shape)


def _places(shape: Shape) -> NDArray[np.int64]:
    """The array of this shape that holds the flat place of each entry."""
    return np.arange(prod(shape)).reshape(shape)


class ExactRows(Numbers):
    """Arrays of exact numbers with one more axis in front."""

    def take(self, a: Exact, index: NDArray[np.int64]) -> Exact:
        return a.reshape(len(a), -1)[:, index]

    def transpose(self, a: Exact, axes: tuple[int, ...]) -> Exact:
        return a.transpose(0, *(axis + 1 for axis in axes))

    def reshape(self, a: Exact, shape: Shape) -> Exact:
        return a.reshape(len(a), *shape)

    def unbroadcast(self, a: Exact, shape: Shape) -> Exact:
        """Sum over the axes along which an operand of this shape was repeated."""
        for axis, size in enumerate(shape, start=1):
            if a.shape[axis] != size:
                a = a.sum(axis=axis, keepdims=True)
        return a

    def scatter(self, a: Exact, index: NDArray[np.int64], shape: Shape) -> Exact:
        """The transpose of ``take``: add the entries of a at the places ``index`` of zeros."""
        out = np.zeros((int(np.prod(shape)), len(a)), dtype=a.dtype)
        np.add.at(out, index.ravel(), a.reshape(len(a), -1).T)
        return out.T.reshape(len(a), *shape)
