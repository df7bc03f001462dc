"""Analytic functions: entry by entry, and the softmax along an axis. No operations of polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from clexact.programs.algebras import Algebra, Reversible
from clexact.programs.operations.operation import Node, Operation
from clexact.programs.places import Shape

V = TypeVar("V")
ODD = ("tanh", "silu", "gelu")  # that are zero at zero


class Function(Operation):
    """The function that the data names, of each entry."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.function(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.pull_back_function(node.data, operands[0], value, g)

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return inputs[0] and node.data in ODD


class Softmax(Operation):
    r"""$e^{z_i} / \sum_j e^{z_j}$ along the axis that the data names."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.softmax(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.pull_back_softmax(node.data, value, g)

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return False
