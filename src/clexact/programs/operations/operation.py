"""What an operation of a program is: its values, its transpose, and how entries of its operands meet in its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra, Reversible
from clexact.programs.places import Mask, Shape

V = TypeVar("V")


@dataclass(frozen=True)
class Node:
    """One operation: ``op`` applied to earlier nodes, with its data (name, axes, axis, index array, constant)."""

    op: str
    inputs: tuple[int, ...]
    shape: Shape
    data: Any = None


class Walk(Protocol):
    """Random walks through the monomials of a program, as ``paths.py`` takes them: many at once.

    ``which`` are numbers of walks, ``place`` flat places, one for each of them.
    """

    def pick(self, count: int | Ints, samples: int) -> Ints:
        """Random integers below ``count``."""

    def pick_in_rows(self, table: tuple[Ints, Ints], rows: Ints) -> tuple[Ints, Mask]:
        """A random member of each of these rows of a table (starts, members), and whether there is one."""

    def pick_largest(self, usable: Ints | Mask) -> Ints:
        """In each row one of the columns of largest value: a random one of a mask's."""

    def leading(self, node: int) -> Mask:
        """The entries of a node that lead to the output."""

    def alive(self, node: int) -> Mask:
        """The entries of a node that do not vanish at the point."""

    def possible(self, node: int) -> Mask:
        """Those that do not vanish everywhere."""

    def may_vanish(self, which: Ints) -> Mask:
        """Which walks may still meet one factor that vanishes."""

    def drop(self, which: Ints) -> None:
        """End walks without a monomial."""

    def meet(self, node: int, which: Ints, place: Ints) -> None:
        """Make entries factors of the walks' monomials."""

    def meet_beside(self, node: int, which: Ints, place: Ints) -> Mask:
        """The same on the way up, where they may; those that vanish use up what ``may_vanish``."""

    def meet_one(self, nodes: Sequence[int], which: Ints, places: Sequence[Ints]) -> None:
        """Make one of several entries a factor: one that does not vanish, if there is one."""

    def meet_leaf(self, kind: str, name: str, which: Ints, place: Ints) -> None:
        """Note entries of a parameter or of a probe."""


class Operation(ABC):
    """One operation. ``shapes`` are those of the operands; k is the number of one of them.

    ``value`` and ``pull_back`` say what it is in any algebra. ``leads``, ``ascend`` and ``descend`` say how entries of
    operand and result belong together, for walks through monomials.
    """

    commutative: ClassVar[bool] = False

    @abstractmethod
    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        """The value of the node."""

    def pull_back(
        self, algebra: Reversible[V], node: Node, k: int, shapes: list[Shape], operands: list[V], value: V, g: V
    ) -> V:
        """The cotangent that operand k receives from the node's cotangent g."""
        raise ValueError(f"{node.op} has no gradient.")

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        """Whether the node is sure to be zero, where these operands are."""
        return all(inputs)

    def written(self, node: Node) -> tuple[str, Any]:
        """Its name and data in a document."""
        return node.op, node.data

    def leads(self, node: Node, k: int, shapes: list[Shape], factors: list[Mask], here: Mask) -> Mask:
        """The entries of operand k from which entries ``here`` are reached, where the operands have such entries."""
        raise ValueError(f"{node.op} is no operation of polynomials.")

    def ascend(
        self, walk: Walk, i: int, node: Node, k: int, shapes: list[Shape], which: Ints, place: Ints
    ) -> tuple[Ints, Mask]:
        """From places of operand k to places of node i, any of those that they reach, and which walks could go on."""
        raise ValueError(f"{node.op} is no operation of polynomials.")

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        """From places of the node to the entries of its operands of which one monomial there is made."""
        raise ValueError(f"{node.op} is no operation of polynomials.")


class Leaf(Operation):
    """A parameter or a probe, named by its data."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        raise ValueError(f"the {node.op} {node.data} has no value of its own.")

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return False

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        walk.meet_leaf(node.op, node.data, which, place)


class Constant(Operation):
    """An array of exact numbers, its data."""

    def value(self, algebra: Algebra[V], node: Node, inputs: list[V]) -> V:
        return algebra.constant(node.data)

    def vanishes(self, node: Node, inputs: Sequence[bool]) -> bool:
        return not (node.data != 0).any()

    def written(self, node: Node) -> tuple[str, Any]:
        return node.op, [x for i, c in enumerate(node.data.ravel().tolist()) if c for x in (i, str(c))]

    def descend(self, walk: Walk, node: Node, shapes: list[Shape], which: Ints, place: Ints) -> None:
        pass
