"""Gradients of a program by one reverse sweep, over any algebra of arrays: jets modulo a prime, or exact numbers.

Values and cotangents have one more axis in front, one row for each covector (1 where all rows share a value).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.programs.algebras import Rationals, Reversible
from clexact.programs.operations import OPERATIONS
from clexact.programs.places import Shape
from clexact.programs.program import Program

Exact = NDArray[Any]  # of Python integers and Fractions
V = TypeVar("V")


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
        shapes, operands = program.shapes(each), [values[j] for j in each.inputs]
        for k, j in enumerate(each.inputs):
            if active[j]:
                pulled = OPERATIONS[each.op].pull_back(algebra, each, k, shapes, operands, values[i], cotangent)
                cotangents[j] = algebra.add(cotangents[j], pulled) if j in cotangents else pulled
    return found


class ExactRows(Rationals, Reversible[Exact]):
    """Arrays of exact numbers with one more axis in front."""

    def constant(self, value: NDArray[Any]) -> Exact:
        return self._array(value, value)[None]

    def concatenate(self, parts: list[Exact], axis: int) -> Exact:
        rows = max(map(len, parts))
        return np.concatenate([np.broadcast_to(p, (rows, *p.shape[1:])) for p in parts], axis=axis + 1)

    def sum(self, a: Exact, axis: int) -> Exact:
        return self._array(a.sum(axis=axis + 1), a)

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
