"""A function of shaped arrays over a commutative ring, recorded once as a straight-line program.

What a program means is given by an ``Algebra``: NumPy numbers and degrees in ``algebras.py``, jets modulo a prime in
``jets.py``, expanded polynomials in ``expand.py``. What each operation is, is in ``operations/``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from clexact.algebra.polynomial import Number
from clexact.programs.algebras import Algebra
from clexact.programs.operations import OPERATIONS, Node
from clexact.programs.places import OuterIndex, Shape
from clexact.support.digest import digest

V = TypeVar("V")
LEAVES = ("parameter", "probe")
ANALYTIC = ("function", "softmax")


@dataclass(frozen=True)
class Gate:
    """A probe that stands for the local choice of a piecewise function of node ``source``.

    ``axis`` None: a ReLU, 1 where the entry of the source is positive, else ``slope``; otherwise the selection of the
    largest entry along that axis, as a vector of 0 and 1.
    """

    probe: str
    source: int
    slope: Number = 0
    axis: int | None = None


@dataclass
class Program:
    """The nodes in order; leaves are "parameter" and "probe" nodes named by ``data``; ``output`` is a node.

    ``several``: the output holds the entries of several arrays, one after another.
    What is recorded twice is one node, so equal expressions are equal numbers of nodes.
    """

    nodes: list[Node] = field(default_factory=list)
    output: int = -1
    gates: list[Gate] = field(default_factory=list)
    several: bool = False
    _numbers: dict[Hashable, int] = field(default_factory=dict, repr=False, compare=False)  # of the nodes appended

    def append(self, op: str, inputs: tuple[int, ...], shape: Shape, data: Any = None) -> int:
        """Record a node, unless the same one is there, and return its number."""
        inputs = tuple(sorted(inputs)) if OPERATIONS[op].commutative else inputs
        number = self._numbers.setdefault((op, inputs, shape, _key(data)), len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(Node(op, inputs, shape, data))
        return number

    def pruned(self) -> Program:
        """Without what the output does not need. Leaves given stay; a gate that is used keeps its source."""
        needed, sources = {self.output}, {gate.probe: gate.source for gate in self.gates}
        for n in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[n]
            if n in needed:
                needed |= {*node.inputs, *([sources[node.data]] if node.op == "probe" and node.data in sources else [])}
            elif node.op in LEAVES and node.data not in sources:
                needed.add(n)
        number = {n: place for place, n in enumerate(sorted(needed))}
        nodes = [replace(self.nodes[n], inputs=tuple(number[i] for i in self.nodes[n].inputs)) for n in number]
        used = {node.data for node in nodes if node.op == "probe"}
        gates = [replace(gate, source=number[gate.source]) for gate in self.gates if gate.probe in used]
        return Program(nodes, number[self.output], gates, self.several)

    @property
    def shape(self) -> Shape:
        """Shape of the output."""
        return self.nodes[self.output].shape

    @property
    def functions(self) -> list[str]:
        """Names of the analytic functions applied."""
        return sorted({"softmax" if node.op == "softmax" else node.data for node in self.nodes if node.op in ANALYTIC})

    @property
    def digest(self) -> bytes:
        """Of all nodes and the output."""
        nodes = [(node.op, node.inputs, node.shape, node.data) for node in self.nodes]
        return digest(self.output, *nodes)

    def run(self, algebra: Algebra[V], leaves: Mapping[str, V]) -> list[V]:
        """The value of every node."""
        return self.run_some(algebra, leaves, range(len(self.nodes)))

    def run_some(self, algebra: Algebra[V], leaves: Mapping[str, V], numbers: Iterable[int]) -> list[V]:
        """The values of these nodes, which come with all that they need, in order; of others there is none."""
        values: list[Any] = [None] * len(self.nodes)
        for n in numbers:
            node = self.nodes[n]
            values[n] = leaves[node.data] if node.op in LEAVES else self.value(algebra, node, values)
        return values

    def independent_of(self, *kinds: str) -> list[bool]:
        """Which nodes depend on no leaf of these kinds."""
        free: list[bool] = []
        for node in self.nodes:
            free.append(node.op not in kinds and all(free[i] for i in node.inputs))
        return free

    def value(self, algebra: Algebra[V], node: Node, values: list[V]) -> V:
        """The value of a node that is no leaf, from those of the nodes before it."""
        return OPERATIONS[node.op].value(algebra, node, [values[i] for i in node.inputs])

    def shapes(self, node: Node) -> list[Shape]:
        """Shapes of the operands of a node."""
        return [self.nodes[i].shape for i in node.inputs]


def _key(data: Any) -> Hashable:
    """Equal for equal data of nodes."""
    return digest(data) if isinstance(data, (np.ndarray, OuterIndex)) else data
