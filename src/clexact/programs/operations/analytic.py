"""Analytic functions: entry by entry, and the softmax along an axis. No operations of polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra, Reversible
from clexact.programs.operations.operation import Node, Operation, Walk
from clexact.programs.places import Mask, Shape, raveled, unraveled

V = TypeVar("V")
ODD = ("tanh", "sin")  # that are zero at zero


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

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return here

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        """With something that moves the argument: slopes at 0 are equal for all units."""
        there = walk.alive(node.inputs[0]).ravel()[place]
        walk.meet(node.inputs[0], which[there], place[there])
        return place, np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        """To the argument, where it can be other than 0: values of most functions are the more different."""
        there = walk.possible(node.inputs[0]).ravel()[place]
        walk.meet(node.inputs[0], which[there], place[there])


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

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return np.broadcast_to(here.any(axis=node.data, keepdims=True), here.shape)

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        """To any entry along the axis that leads to the output."""
        at = unraveled(place, node.shape)
        at[node.data] = walk.pick(node.shape[node.data], len(place))
        moved = raveled(at, node.shape, len(place))
        return moved, walk.leading(i).ravel()[moved]

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        pass  # no weight is 0
