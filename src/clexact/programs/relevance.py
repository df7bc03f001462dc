"""Which entries of a program matter to some of its outputs: a reverse sweep that only asks what is sure to vanish."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.programs.algebras import Reversible
from clexact.programs.operations import OPERATIONS
from clexact.programs.places import Mask, Shape
from clexact.programs.program import LEAVES, Program
from clexact.programs.reverse import ExactRows

Marks = NDArray[Any]  # (rows, *shape): 1 where an entry may differ from zero


def relevant(program: Program, outputs: Mask) -> list[Mask]:
    """For each node the entries (rows, *shape) on which the outputs of each row depend; zeros of constants count."""
    algebra = _Marked()
    leaves = {node.data: np.ones((1, *node.shape), np.float32) for node in program.nodes if node.op in LEAVES}
    values = program.run(algebra, leaves)
    marks: list[Marks] = [np.zeros((len(outputs), *node.shape), np.float32) for node in program.nodes]
    marks[program.output] = outputs.astype(np.float32)
    for n in range(program.output, -1, -1):
        node = program.nodes[n]
        if node.op in LEAVES or not marks[n].any():
            continue
        shapes, operands = program.shapes(node), [values[i] for i in node.inputs]
        for k, j in enumerate(node.inputs):
            pulled = OPERATIONS[node.op].pull_back(algebra, node, k, shapes, operands, values[n], marks[n])
            marks[j] = algebra.add(marks[j], pulled)
    return [mark > 0 for mark in marks]


class _Marked(ExactRows, Reversible[Marks]):
    """0 or 1 for each entry, one more axis in front."""

    @staticmethod
    def _array(value: Any, *operands: Marks) -> Marks:
        return np.asarray(value != 0, dtype=np.float32)

    def unbroadcast(self, a: Marks, shape: Shape) -> Marks:
        return self._array(super().unbroadcast(a, shape))

    def scatter(self, a: Marks, index: NDArray[np.int64], shape: Shape) -> Marks:
        return self._array(super().scatter(a, index, shape))

    def function(self, a: Marks, name: str) -> Marks:
        return np.ones_like(a)

    def softmax(self, a: Marks, axis: int) -> Marks:
        return np.ones_like(a)

    def pull_back_function(self, name: str, a: Marks, value: Marks, g: Marks) -> Marks:
        return g

    def pull_back_softmax(self, axis: int, value: Marks, g: Marks) -> Marks:
        return np.broadcast_to(g.max(axis=axis + 1, keepdims=True), g.shape)
