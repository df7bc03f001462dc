"""Operations that move entries: transpose, reshape, take, concatenate; and sum, which adds them up along an axis."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra, Reversible
from clexact.programs.operations.operation import Node, Operation, Walk
from clexact.programs.places import Mask, Shape, places, raveled, rows_of, unraveled

V = TypeVar("V")


class Transpose(Operation):
    """The axes in the order of the data."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.transpose(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.transpose(g, self._back(node))

    def written(self, node: Node) -> tuple[str, Any]:
        return node.op, list(node.data)

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return here.transpose(self._back(node))

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        at = unraveled(place, shapes[0])
        moved = raveled([at[axis] for axis in node.data], node.shape, len(place))
        return moved, np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        at = unraveled(place, node.shape)
        walk.meet(node.inputs[0], which, raveled([at[axis] for axis in self._back(node)], shapes[0], len(place)))

    @staticmethod
    def _back(node: Node) -> tuple[int, ...]:
        return tuple(int(axis) for axis in np.argsort(node.data))


class Reshape(Operation):
    """The same entries in the node's shape."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.reshape(inputs[0], node.shape)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.reshape(g, shapes[0])

    def written(self, node: Node) -> tuple[str, Any]:
        return node.op, None

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return here.reshape(shapes[0])

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        return place, np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        walk.meet(node.inputs[0], which, place)


class Take(Operation):
    """The entries at the flat places that the data, an index array of the node's shape, holds."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.take(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.scatter(g, node.data, shapes[0])

    def written(self, node: Node) -> tuple[str, Any]:
        return node.op, node.data.ravel().tolist()

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        out = np.zeros(shapes[0], dtype=bool)
        out.ravel()[node.data[here]] = True
        return out

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        copies = rows_of(node.data.ravel(), walk.leading(i).ravel(), int(np.prod(shapes[0])))
        return walk.pick_in_rows(copies, place)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        walk.meet(node.inputs[0], which, node.data.ravel()[place])


class Select(Operation):
    """The entries at places along each axis that the data, a ``OuterIndex``, holds: slices, windows, repetitions."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.select(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.pull_back_select(g, node.data)

    def written(self, node: Node) -> tuple[str, Any]:
        return "take", node.data.table.ravel().tolist()

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        out = np.zeros(shapes[0], dtype=bool)
        out.ravel()[node.data.table[here]] = True
        return out

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        """Any copy along each axis, where there is one; walks that so come to no way on are given up."""
        good, chosen = np.ones(len(which), dtype=bool), list[Ints]()
        for c, index, size in zip(unraveled(place, shapes[0]), node.data.along, shapes[0], strict=True):
            copies = rows_of(index.ravel(), np.ones(index.size, dtype=bool), size)
            copy, some = walk.pick_in_rows(copies, c)
            chosen.append(copy)
            good &= some
        moved = raveled(chosen, node.data.sizes, len(place))
        return moved, good & walk.leading(i).ravel()[moved]

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        at = [index.ravel()[c] for c, index in zip(unraveled(place, node.data.sizes), node.data.along, strict=True)]
        walk.meet(node.inputs[0], which, raveled(at, shapes[0], len(place)))


class Concatenate(Operation):
    """The operands one after the other along the axis that the data names."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.concatenate(inputs, node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.take(g, self._part(places(node.shape), node, k, shapes))

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return np.asarray(self._part(here, node, k, shapes))

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        at = unraveled(place, shapes[k])
        at[node.data] = at[node.data] + self._first(node, k, shapes)
        return raveled(at, node.shape, len(place)), np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        at = unraveled(place, node.shape)
        for k, (j, own) in enumerate(zip(node.inputs, shapes, strict=True)):
            first = self._first(node, k, shapes)
            mine = (at[node.data] >= first) & (at[node.data] < first + own[node.data])
            inside = [c[mine] - first * (axis == node.data) for axis, c in enumerate(at)]
            walk.meet(j, which[mine], raveled(inside, own, int(mine.sum())))

    @staticmethod
    def _first(node: Node, k: int, shapes: list[Shape]) -> int:
        return sum(shape[node.data] for shape in shapes[:k])

    def _part(self, array: Any, node: Node, k: int, shapes: list[Shape]) -> Any:
        """The part of an array of the node's shape that operand k fills."""
        first = self._first(node, k, shapes)
        return array[(slice(None),) * node.data + (slice(first, first + shapes[k][node.data]),)]


class Sum(Operation):
    """Entries added up along the axis that the data names."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.sum(inputs[0], node.data)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.take(g, np.broadcast_to(np.expand_dims(places(node.shape), node.data), shapes[0]))

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return np.broadcast_to(np.expand_dims(here, node.data), shapes[0])

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        at = [c for axis, c in enumerate(unraveled(place, shapes[0])) if axis != node.data]
        return raveled(at, node.shape, len(place)), np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        at, axis, own = unraveled(place, node.shape), node.data, shapes[0]
        terms = [[*at[:axis], np.full(len(place), c), *at[axis:]] for c in range(own[axis])]
        walk.meet_one(node.inputs * len(terms), which, [raveled(term, own, len(place)) for term in terms])
