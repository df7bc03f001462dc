"""Gradients of a program at one exact point, by one reverse sweep over Q: the twin of ``Jets.gradient``.

Arrays hold Python integers and Fractions (dtype object). Cotangents have one more axis in front, one row for each
covector: (k, *shape).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.program import Program, Shape

Exact = NDArray[Any]  # of Python integers and Fractions


def gradients(program: Program, values: list[Exact], node: int, covectors: Exact) -> dict[str, Exact]:
    r"""$\nabla_\theta \langle C_i, v \rangle$, i = 1..k, of the value v of a node, as {parameter: (k, *shape)}.

    ``values`` are those of the nodes up to ``node`` at least, ``covectors`` has shape (k, *shape of v). A parameter
    on which v does not depend is left out. The cost is about k times that of computing v (Griewank and Walther,
    Evaluating Derivatives, section 3.3).
    """
    active = [False] * (node + 1)
    for i, each in enumerate(program.nodes[: node + 1]):
        active[i] = each.op == "parameter" or any(active[j] for j in each.inputs)
    cotangents: dict[int, Exact] = {node: covectors}
    found: dict[str, Exact] = {}
    for i in range(node, -1, -1):
        if i not in cotangents or not active[i]:
            continue
        cotangent, each = cotangents.pop(i), program.nodes[i]
        if each.op == "parameter":
            found[each.data] = cotangent
        for k, j in enumerate(each.inputs):
            if active[j]:
                pulled = _pull_back(program, i, k, values, cotangent)
                cotangents[j] = cotangents[j] + pulled if j in cotangents else pulled
    return found


def _pull_back(program: Program, i: int, k: int, values: list[Exact], g: Exact) -> Exact:
    """The cotangent that operand k of node i receives from the node's cotangent g."""
    node = program.nodes[i]
    shape = program.nodes[node.inputs[k]].shape
    match node.op:
        case "add":
            return _unbroadcast(g, shape)
        case "multiply":
            return _unbroadcast(g * values[node.inputs[1 - k]], shape)
        case "matmul":
            other = values[node.inputs[1 - k]].swapaxes(-1, -2)
            return _unbroadcast(np.matmul(g, other) if k == 0 else np.matmul(other, g), shape)
        case "transpose":
            return g.transpose(0, *(1 + int(axis) for axis in np.argsort(node.data)))
        case "reshape":
            return g.reshape(len(g), *shape)
        case "take":
            return _scatter(g, node.data, shape)
        case "concatenate":
            first = sum(program.nodes[j].shape[node.data] for j in node.inputs[:k])
            piece = slice(first, first + shape[node.data])
            return np.asarray(g[(slice(None),) * (node.data + 1) + (piece,)])
        case "sum":
            return np.broadcast_to(np.expand_dims(g, node.data + 1), (len(g), *shape))
        case _:
            raise ValueError(f"{node.op} has no gradient over Q.")


def _unbroadcast(g: Exact, shape: Shape) -> Exact:
    """Sum over the axes along which an operand of this shape was repeated."""
    for axis, size in enumerate(shape, start=1):
        if g.shape[axis] != size:
            g = g.sum(axis=axis, keepdims=True)
    return g


def _scatter(g: Exact, index: NDArray[np.int64], shape: Shape) -> Exact:
    """The transpose of ``take``: add the entries of g at the places ``index`` of zeros."""
    out = np.zeros((int(np.prod(shape)), len(g)), dtype=object)
    np.add.at(out, index.ravel(), g.reshape(len(g), -1).T)
    return out.T.reshape(len(g), *shape)
