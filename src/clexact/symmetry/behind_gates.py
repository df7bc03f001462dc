r"""What stands behind gates and is seen by the output, entry by entry: no translation moves it.

Let y = g h entry by entry, where the probe g, such as the gate of a ReLU, is used nowhere else. A translation moves the
output by $\sum_e g_e v_e D_e$, v the velocity of h and D the derivatives of the output by y. If this is 0 for all g
then it is so to first order in g, where D is that at y = 0: $v_e D_e = 0$ for each e. So v = 0 where each entry of y
moves the output. A sweep from the output finds where: products with parameters and probes pass what moves, sums do.
What moves alike along an axis may cancel where means are subtracted, or behind a softmax; such axes are called blind,
and are remembered. To miss an entry costs time, not laws.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.operations import Node
from clexact.programs.places import Mask, OuterIndex, Shape
from clexact.programs.program import LEAVES, Program
from clexact.symmetry.grading import matching, regrouped


class Seen(NamedTuple):
    """Which places along each axis of an array are seen, and the axes along which what moves alike may not be."""

    along: tuple[Mask, ...]
    blind: frozenset[int]

    @property
    def whole(self) -> bool:
        """Whether all entries are."""
        return all(bool(places.all()) for places in self.along)

    @property
    def size(self) -> int:
        """How many are."""
        return prod(int(places.sum()) for places in self.along)


class _Whole(NamedTuple):
    """Of a parameter that an array shows whole: the node that it is multiplied by, or -1; before that, its rows."""

    met: int
    rows: Ints | None

    def moved(self, change: Callable[[Ints], Ints]) -> _Whole:
        """With the rows at other places."""
        return self if self.rows is None else _Whole(self.met, change(self.rows))


class Sweep:
    """Over a program, from its leaves to what depends on them, and from its output back."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._sources = list(range(len(program.nodes)))  # whose entries a node moves, adds up, takes multiples of
        self._varies = list[bool]()  # different entries are different functions
        self._vanishes = list[bool]()  # perhaps somewhere
        self._bordered = list[bool]()  # at a border alone
        for n, node in enumerate(program.nodes):
            self._look(n, node)

    def _look(self, n: int, node: Node) -> None:
        moves = node.op in ("transpose", "reshape", "select", "take")
        inputs = node.inputs
        if moves or node.op == "sum":
            self._sources[n] = self._sources[inputs[0]]
        elif node.op == "multiply":
            fixed = [i for i in inputs if self._program.nodes[i].op == "constant"]
            if len(fixed) == 1:
                self._sources[n] = self._sources[inputs[0] if fixed[0] == inputs[1] else inputs[1]]
        size = prod(node.shape)
        whole = moves and node.op != "take" and size == prod(self._program.nodes[inputs[0]].shape)
        if node.op == "select":
            whole = all(len(np.unique(index)) == index.size for index in node.data.along)
        self._varies.append(node.op in LEAVES or (whole and self._varies[inputs[0]]))
        self._vanishes.append(self._zeros(node))

    def _zeros(self, node: Node) -> bool:
        """Whether some entries may vanish; not where only some of those that are added up are a border of zeros."""
        if node.op == "constant":
            self._bordered.append(False)
            return not bool(np.all(node.data != 0))
        given = [i for i in node.inputs if self._vanishes[i]]
        joins = node.op == "concatenate"
        nodes = self._program.nodes
        border = all(self._bordered[i] or (joins and nodes[i].op == "constant") for i in given)
        self._bordered.append(bool(given) and border)
        if node.op == "add":
            return len(given) == len(node.inputs)
        return bool(given) and not (node.op in ("sum", "matmul") and self._bordered[-1])

    def behind_gates(self) -> set[int]:
        """The nodes that are multiplied by probes of their own, and are so seen entry by entry."""
        nodes, found = self._program.nodes, set[int]()
        times = np.bincount([i for node in nodes for i in node.inputs], minlength=len(nodes))
        times[self._program.output] += 1
        for node, mine in zip(nodes, self.seen(), strict=True):
            if node.op == "multiply" and mine is not None and mine.whole:
                for gate, other in (node.inputs, node.inputs[::-1]):
                    probe = nodes[gate]
                    if probe.op == "probe" and probe.shape == node.shape and times[gate] == 1 and other != gate:
                        found.add(other)
        return found

    def shown(self) -> set[str]:
        """Parameters that are matrices W of some W x, all of whose entries show in what nothing may move.

        That is what stands behind gates, in a function or a square, and the output.
        """
        nodes = self._program.nodes
        ends = {self._program.output} | self.behind_gates()
        ends |= {node.inputs[0] for node in nodes if node.op == "function"}
        ends |= {node.inputs[0] for node in nodes if node.op == "multiply" and len(set(node.inputs)) == 1}
        found = list[dict[str, _Whole]]()  # for each node
        for node in nodes:
            found.append(self._shows(node, [found[i] for i in node.inputs]))
        return {name for n in ends for name, whole in found[n].items() if whole.met >= 0}

    def _shows(self, node: Node, before: list[dict[str, _Whole]]) -> dict[str, _Whole]:
        """The parameters that an array shows whole: as they are, or as matrices times something."""
        pairs = list(zip(before, node.inputs[::-1], strict=True)) if len(before) == 2 else []
        match node.op:
            case "parameter" if node.shape:
                rows = np.arange(node.shape[0]).reshape((-1, *(1,) * (len(node.shape) - 1)))
                return {node.data: _Whole(-1, rows)}
            case "transpose":
                return {name: whole.moved(lambda x: x.transpose(node.data)) for name, whole in before[0].items()}
            case "reshape" if prod(node.shape):
                old = self._program.nodes[node.inputs[0]].shape
                return {name: whole.moved(lambda x: regrouped(x, old, node.shape)) for name, whole in before[0].items()}
            case "add":
                a, b = before
                return {
                    name: whole
                    for mine, others in ((a, b), (b, a))
                    for name, whole in mine.items()
                    if name not in others and not any(whole.met == other.met >= 0 for other in others.values())
                }
            case "multiply":
                return {name: w for mine, other in pairs if not self._vanishes[other] for name, w in mine.items()}
            case "matmul":
                return {
                    name: whole._replace(met=other, rows=None)
                    for k, (mine, other) in enumerate(pairs)
                    if not (self._vanishes[other] and not self._bordered[other])
                    and self._program.nodes[other].op != "constant"
                    for name, whole in mine.items()
                    if whole.rows is not None and whole.rows.shape[-1 - k] == 1
                }
            case _:
                return {}

    def seen(self) -> list[Seen | None]:
        """What is seen of each node; None if nothing is known to be."""
        nodes = self._program.nodes
        found: list[Seen | None] = [None] * len(nodes)
        found[self._program.output] = Seen(
            tuple(np.ones(size, dtype=bool) for size in self._program.shape), frozenset()
        )
        for n in range(len(nodes) - 1, -1, -1):
            mine = found[n]
            if mine is not None:
                for k, i in enumerate(nodes[n].inputs):
                    found[i] = _better(found[i], self._through(nodes[n], k, mine))
        return found

    def _through(self, node: Node, k: int, seen: Seen) -> Seen | None:
        """What is seen of an operand through a node."""
        own = self._program.nodes[node.inputs[k]].shape
        match node.op:
            case "add":
                return self._added(node, own, seen)
            case "multiply":
                return self._multiplied(node, node.inputs[1 - k], own, seen)
            case "matmul":
                return self._contracted(node, k, own, seen)
            case "transpose":
                return _renamed(seen, list(enumerate(node.data)))
            case "reshape":
                return _reshaped(node.shape, own, seen)
            case "select":
                return _selected(node.data, own, seen)
            case "concatenate":
                return self._part(node, k, own, seen)
            case "sum":
                after = [axis - (axis > node.data) for axis in range(len(own))]
                along = [
                    np.ones(size, dtype=bool) if axis == node.data else seen.along[after[axis]]
                    for axis, size in enumerate(own)
                ]
                return Seen(
                    tuple(along), frozenset(a for a in range(len(own)) if a != node.data and after[a] in seen.blind)
                )
            case "function":
                return seen
            case "softmax":
                return Seen(seen.along, seen.blind | {node.data}) if own[node.data] > 1 else None
            case _:
                return None

    def _added(self, node: Node, own: Shape, seen: Seen) -> Seen | None:
        """Both terms pass; those made of one array may cancel where it moves alike along an axis."""
        a, b = node.inputs
        if self._sources[a] == self._sources[b]:
            seen = Seen(seen.along, frozenset(range(len(node.shape))))
        return _narrowed(seen, node.shape, own, lambda axis: False)

    def _multiplied(self, node: Node, other: int, own: Shape, seen: Seen) -> Seen | None:
        if self._vanishes[other]:
            return None
        theirs = self._program.nodes[other].shape
        return _narrowed(seen, node.shape, own, lambda axis: self._varies[other] and theirs[axis] > 1)

    def _contracted(self, node: Node, k: int, own: Shape, seen: Seen) -> Seen | None:
        """Entry (i, c) of a left factor moves row i, by row c of the other one; likewise of a right one."""
        other, ndim = node.inputs[1 - k], len(node.shape)
        theirs = ndim - 1 if k == 0 else ndim - 2
        if self._vanishes[other] or not seen.along[theirs].any() or not own[theirs]:
            return None
        if theirs in seen.blind and not (self._varies[other] and node.shape[theirs] > 1):
            return None
        along = list(seen.along)
        along[theirs] = np.ones(own[theirs], dtype=bool)
        wide = (*node.shape[:-2], *own[-2:])
        return _narrowed(Seen(tuple(along), seen.blind - {theirs}), wide, own, lambda axis: self._varies[other])

    def _part(self, node: Node, k: int, own: Shape, seen: Seen) -> Seen:
        first = sum(self._program.nodes[i].shape[node.data] for i in node.inputs[:k])
        along = list(seen.along)
        along[node.data] = along[node.data][first : first + own[node.data]]
        return Seen(tuple(along), seen.blind)


def _better(a: Seen | None, b: Seen | None) -> Seen | None:
    """Of two ways to see an array the one that sees more of it; both, where both see all."""
    if a is None or b is None:
        return a if b is None else b
    if a.whole and b.whole:
        return Seen(a.along, a.blind & b.blind)
    return a if a.size >= b.size else b


def _narrowed(seen: Seen, shape: Shape, own: Shape, varied: Callable[[int], bool]) -> Seen | None:
    """Of an operand that is broadcast: what moves it moves all along the axis alike, times what may vary."""
    along = list[Mask]()
    for axis, (size, mine) in enumerate(zip(shape, own, strict=True)):
        if size == mine:
            along.append(seen.along[axis])
        elif axis in seen.blind and not varied(axis):
            return None
        else:
            along.append(np.asarray(seen.along[axis].any(keepdims=True)))
    return Seen(tuple(along), frozenset(axis for axis in seen.blind if shape[axis] == own[axis]))


def _renamed(seen: Seen, pairs: list[tuple[int, int]]) -> Seen:
    """With the axes moved: (before, after)."""
    along = list(seen.along)
    for mine, theirs in pairs:
        along[theirs] = seen.along[mine]
    return Seen(tuple(along), frozenset(theirs for mine, theirs in pairs if mine in seen.blind))


def _reshaped(shape: Shape, own: Shape, seen: Seen) -> Seen | None:
    """Groups of axes hold the same entries: seen whole, or as they are."""
    if not prod(own):
        return None
    along, blind = [np.ones(size, dtype=bool) for size in own], set[int]()
    for before, after in matching(own, shape):
        wide = [axis for axis in before if own[axis] > 1], [axis for axis in after if shape[axis] > 1]
        if len(wide[0]) == len(wide[1]) == 1:
            along[wide[0][0]] = seen.along[wide[1][0]]
        elif not all(bool(seen.along[axis].all()) for axis in after):
            return None
        if any(axis in seen.blind for axis in after):
            blind |= set(wide[0])
    return Seen(tuple(along), frozenset(blind))


def _selected(chosen: OuterIndex, own: Shape, seen: Seen) -> Seen | None:
    """What is selected anywhere; what is selected twice along a blind axis moves alike there."""
    along, blind = list[Mask](), set[int]()
    for axis, (index, first) in enumerate(zip(chosen.along, chosen.firsts, strict=True)):
        mine = range(first, first + index.ndim)
        here = np.ones((1,) * index.ndim, dtype=bool)
        for place, at in enumerate(mine):
            here = here & seen.along[at].reshape([-1 if n == place else 1 for n in range(index.ndim)])
        places = np.zeros(own[axis], dtype=bool)
        places[index[np.broadcast_to(here, index.shape)]] = True
        along.append(places)
        if any(at in seen.blind for at in mine):
            if index.ndim < 2 and len(np.unique(index)) < index.size:
                return None
            blind.add(axis)
    return Seen(tuple(along), frozenset(blind))
