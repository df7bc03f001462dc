"""Sums and products: add and multiply entry by entry, matmul on the last two axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra, Reversible
from clexact.programs.operations.operation import Node, Operation, Walk
from clexact.programs.places import Mask, Shape, any_repeated, projected, raveled, table, unraveled

V = TypeVar("V")
PAIRS = 2**24  # entries of a table of contracted places, at most


class Add(Operation):
    """a + b, axes of length 1 repeated."""

    commutative = True

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.add(*inputs)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.unbroadcast(g, shapes[k])

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return any_repeated(here, shapes[k])

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        return _lifted(walk, place, shapes[k], node.shape), np.ones(len(which), dtype=bool)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        walk.meet_one(node.inputs, which, [projected(place, node.shape, own) for own in shapes])


class Multiply(Operation):
    """a b, axes of length 1 repeated."""

    commutative = True

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.multiply(*inputs)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.unbroadcast(algebra.multiply(g, operands[1 - k]), shapes[k])

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return any(inputs)

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        return any_repeated(here & factors[1 - k], shapes[k])

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        lifted = _lifted(walk, place, shapes[k], node.shape)
        beside = projected(lifted, node.shape, shapes[1 - k])
        return lifted, walk.meet_beside(node.inputs[1 - k], which, beside)

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        for j, own in zip(node.inputs, shapes, strict=True):
            walk.meet(j, which, projected(place, node.shape, own))


class Matmul(Operation):
    """NumPy's product of stacks of matrices."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.matmul(*inputs)

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        return algebra.pull_back_matmul(shapes[k], k, operands, g)

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return any(inputs)

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        other, mine = factors[1 - k].swapaxes(-1, -2).astype(np.float32), here.astype(np.float32)
        return any_repeated((np.matmul(mine, other) if k == 0 else np.matmul(other, mine)) > 0, shapes[k])

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        """The factor beside an entry is any in the row or column that meets it."""
        at, theirs, other, n = unraveled(place, shapes[k]), shapes[1 - k], node.inputs[1 - k], len(which)
        stack = _spread(walk, at[:-2], shapes[k][:-2], node.shape[:-2])
        kept, met = (at[-2], at[-1]) if k == 0 else (at[-1], at[-2])
        above = _repeated(stack, theirs)
        free = theirs[-1] if k == 0 else theirs[-2]
        rows = raveled([*above, met], (*theirs[:-2], theirs[-2] if k == 0 else theirs[-1]), n)
        chosen, good = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
        may = walk.may_vanish(which) & (walk.pick(2, n) == 1)
        for loose, mask in ((False, walk.alive(other)), (True, walk.possible(other))):
            mine = may == loose
            mask = mask if k == 0 else mask.swapaxes(-1, -2)
            chosen[mine], good[mine] = walk.pick_in_rows(table(mask.reshape(-1, free)), rows[mine])
        beside = raveled([*above, *([met, chosen] if k == 0 else [chosen, met])], theirs, n)
        good[good] = walk.meet_beside(other, which[good], beside[good])
        return raveled([*stack, *([kept, chosen] if k == 0 else [chosen, kept])], node.shape, n), good

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        step = max(1, PAIRS // max(1, shapes[0][-1]))
        for first in range(0, len(which), step):
            part = slice(first, first + step)
            self._descend_some(walk, node, shapes, which[part], unraveled(place[part], node.shape))

    @staticmethod
    def _descend_some(walk: Walk, node: Node, shapes: list[Shape], which: Ints, at: list[Ints]) -> None:
        """Go on to one product of an entry: with both factors alive if there is such, else one."""
        a, b = node.inputs
        row = (*_repeated(at[:-2], shapes[0]), at[-2])
        column = (*_repeated(at[:-2], shapes[1]), at[-1])
        live_a, live_b = walk.alive(a)[row], walk.alive(b).swapaxes(-1, -2)[column]
        alive = live_a & live_b
        none = ~alive.any(axis=1)
        if none.any():
            may_a, may_b = walk.possible(a)[row], walk.possible(b).swapaxes(-1, -2)[column]
            alive[none] = ((live_a & may_b) | (may_a & live_b))[none]
        walk.drop(which[~alive.any(axis=1)])
        q = walk.pick_largest(alive)
        walk.meet(a, which, raveled([*row, q], shapes[0], len(q)))
        walk.meet(b, which, raveled([*column[:-1], q, column[-1]], shapes[1], len(q)))


def _repeated(stack: Sequence[Ints], own: Shape) -> list[Ints]:
    """Coordinates in the stack of an operand, of coordinates in the stack of the result."""
    return [c if size > 1 else 0 * c for c, size in zip(stack, own[:-2], strict=True)]


def _spread(walk: Walk, at: Sequence[Ints], own: Shape, shape: Shape) -> list[Ints]:
    """Coordinates in a larger shape: any along the axes on which the operand is repeated."""
    return [c if size == wide else walk.pick(wide, len(c)) for c, size, wide in zip(at, own, shape, strict=True)]


def _lifted(walk: Walk, place: Ints, own: Shape, shape: Shape) -> Ints:
    return raveled(_spread(walk, unraveled(place, own), own, shape), shape, len(place))
