"""Axes of the arrays of a program on which one matrix acts, the same way or inversely: as types are inferred."""

from __future__ import annotations

from math import prod

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.operations import Node
from clexact.programs.program import Program
from clexact.symmetry.known_sums import known


class AxisClasses:
    """Axes of all arrays, joined when a matrix acting on one must act on the other, in the same way or inversely."""

    def __init__(self) -> None:
        self._parent: dict[tuple[int, int], tuple[int, int]] = {}
        self._sign: dict[tuple[int, int], int] = {}
        self._fixed: set[tuple[int, int]] = set()
        self._orthogonal: set[tuple[int, int]] = set()
        self._uniform: set[tuple[int, int]] = set()

    def find(self, axis: tuple[int, int]) -> tuple[tuple[int, int], int]:
        """The class of an axis and its sign in it: +1 if g acts, -1 if its inverse does."""
        sign = 1
        while self._parent.get(axis, axis) != axis:
            sign *= self._sign[axis]
            axis = self._parent[axis]
        return axis, sign

    def join(self, a: tuple[int, int], b: tuple[int, int], sign: int = 1) -> None:
        """Join two axes; one that is joined to itself inversely leaves only orthogonal matrices."""
        (root_a, sign_a), (root_b, sign_b) = self.find(a), self.find(b)
        if root_a != root_b:
            self._parent[root_a], self._sign[root_a] = root_b, sign_a * sign_b * sign
            for marked in (self._fixed, self._orthogonal, self._uniform):
                if root_a in marked:
                    marked.add(root_b)
        elif sign_a * sign_b != sign:
            self._orthogonal.add(root_a)

    def fix(self, axis: tuple[int, int]) -> None:
        """Nothing acts on this axis."""
        self._fixed.add(self.find(axis)[0])

    def make_uniform(self, axis: tuple[int, int]) -> None:
        """What is the same along this axis is not seen there: only matrices 1 + t 11^T act on it."""
        self._uniform.add(self.find(axis)[0])

    def movable(self, axis: tuple[int, int]) -> bool:
        """Whether orthogonal matrices, at least, may act on this axis."""
        return self.find(axis)[0] not in self._fixed | self._uniform

    def uniform(self, axis: tuple[int, int]) -> bool:
        """Whether the matrices 1 + t 11^T may act on this axis, and no others."""
        root = self.find(axis)[0]
        return root in self._uniform and root not in self._fixed | self._orthogonal

    def free(self, axis: tuple[int, int]) -> bool:
        """Whether any invertible matrix may act on this axis."""
        return self.movable(axis) and self.find(axis)[0] not in self._orthogonal


def axis_classes(program: Program) -> AxisClasses:
    """The classes of axes that every operation respects; the output's axes are left open."""
    classes, added, centring = AxisClasses(), _added_up(program), _Centring(program)
    for n, node in enumerate(program.nodes):
        match node.op:
            case "parameter":
                pass
            case "constant" if not np.any(node.data != 0):
                pass  # zeros stay zeros, whatever acts
            case "probe" | "constant":
                _fix_all(classes, n, node)
            case "function" | "softmax":
                _fix_all(classes, n, node)
                for axis in range(len(node.shape)):
                    seen = node.op == "function" or axis != node.data
                    (classes.fix if seen else classes.make_uniform)((node.inputs[0], axis))
            case "add" | "multiply":
                _type_elementwise(classes, program, n, added[n] if node.op == "multiply" else set(), centring)
            case "matmul":
                _type_matmul(classes, program, n)
            case _:
                _type_structural(classes, program, n, centring.of(n))
    return classes


def _fix_all(classes: AxisClasses, n: int, node: Node) -> None:
    for axis in range(len(node.shape)):
        classes.fix((n, axis))


def _type_elementwise(classes: AxisClasses, program: Program, n: int, added: set[int], centring: _Centring) -> None:
    """add: all operands transform alike. multiply: only axes along which the other operand is constant transform.

    Along the axes ``added`` only the sum of the products is used: they are contracted, as by a matrix product.
    """
    node, centred = program.nodes[n], centring.of(n)
    for axis, size in enumerate(node.shape):
        whole = [j for j in node.inputs if program.nodes[j].shape[axis] == size]
        if axis in added and len(whole) == 2:
            a, b = ((j, axis) for j in whole)
            if a == b and centring.vanishes(*a):
                classes.make_uniform(a)
            else:
                classes.join(a, b, -1)
            continue
        if centred and axis == centred[1]:
            classes.make_uniform(centred)
            classes.make_uniform((n, axis))  # which leave what adds up to 0
            continue
        for j in node.inputs:
            if j in whole:
                classes.join((n, axis), (j, axis))
            else:
                classes.fix((j, axis))
        if (len(whole) == 2) == (node.op == "multiply"):
            classes.fix((n, axis))


def _added_up(program: Program) -> list[set[int]]:
    """For each node, the axes along which all that is used of its entries is their sum."""
    read = {program.output, *(gate.source for gate in program.gates)}
    found: list[set[int] | None] = [set() if n in read else None for n in range(len(program.nodes))]
    for n in range(len(program.nodes) - 1, -1, -1):
        node, later = program.nodes[n], found[n] or set()
        for j in node.inputs:
            mine = _added_by(program, node, j, later)
            before = found[j]
            found[j] = mine if before is None else before & mine
    return [axes or set() for axes in found]


def _added_by(program: Program, node: Node, j: int, later: set[int]) -> set[int]:
    """The axes of operand j along which a node adds it up, where it is itself added up along axes ``later``.

    A factor that is the same along an axis may be taken out of the sum.
    """
    shape = program.nodes[j].shape
    if node.op == "sum":
        return {node.data, *(axis + (axis >= node.data) for axis in later)}
    if node.op == "multiply" and len(set(node.inputs)) == 2:
        (other,) = set(node.inputs) - {j}
        return {axis for axis in later if program.nodes[other].shape[axis] == 1 < shape[axis]}
    every = all(axis in later or size == 1 for axis, size in enumerate(node.shape))
    return set(range(len(shape))) if node.op == "reshape" and every and node.shape else set()


class _Centring:
    """Which nodes are an operand less its mean, and which sums serve that alone."""

    def __init__(self, program: Program) -> None:
        self._program, self._known = program, known(program)
        read = {program.output, *(gate.source for gate in program.gates)}
        self._serves: list[set[tuple[int, int]] | None] = [
            set() if n in read else None for n in range(len(self._known))
        ]
        for n in range(len(program.nodes) - 1, -1, -1):
            for j in program.nodes[n].inputs:
                mine, before = self._served(n, j), self._serves[j]
                self._serves[j] = mine if before is None else before & mine

    def _served(self, n: int, j: int) -> set[tuple[int, int]]:
        """(number, axis) of the arrays that are centred along an axis with what node n makes of node j."""
        node, centred = self._program.nodes[n], self._known[n].centred
        if node.op == "add":
            return {centred} if centred and self._known[j].number != centred[0] else set()
        passed = node.op == "reshape" or (
            node.op == "multiply" and any(self._known[i].value is not None for i in node.inputs)
        )
        return (self._serves[n] or set()) if passed else set()

    def vanishes(self, n: int, axis: int) -> bool:
        """Whether the entries of a node add up to 0 along an axis."""
        return self._known[n].sums.get((axis,)) == 0

    def of(self, n: int) -> tuple[int, int] | None:
        """The operand of a node, and its axis, that it centres, or whose sum it takes to that end."""
        node = self._program.nodes[n]
        for j in node.inputs:
            number, centred = self._known[j].number, self._known[n].centred
            if centred and centred[0] == number:
                return j, centred[1]
            if node.op == "sum" and (number, node.data) in (self._serves[n] or ()):
                return j, node.data
        return None


def _type_matmul(classes: AxisClasses, program: Program, n: int) -> None:
    """Rows and columns are passed on; the contracted axes transform inversely; stacks do not transform."""
    a, b = program.nodes[n].inputs
    last = len(program.nodes[n].shape) - 1
    classes.join((n, last - 1), (a, last - 1))
    classes.join((n, last), (b, last))
    classes.join((a, last), (b, last - 1), -1)
    for axis in range(last - 1):
        for j in (n, a, b):
            classes.fix((j, axis))


def _type_structural(classes: AxisClasses, program: Program, n: int, centred: tuple[int, int] | None) -> None:
    """Axes that keep all their entries in order are passed on; the others do not transform.

    One along which a mean is taken only to be subtracted is judged where it is.
    """
    node = program.nodes[n]
    kept: set[tuple[int, int]] = {centred} if centred else set()
    for j in node.inputs:
        for theirs, mine in _kept_axes(program, node, j):
            classes.join((n, mine), (j, theirs))
            kept |= {(n, mine), (j, theirs)}
    for j in (n, *node.inputs):
        for axis in range(len(program.nodes[j].shape)):
            if (j, axis) not in kept:
                classes.fix((j, axis))


def _kept_axes(program: Program, node: Node, j: int) -> list[tuple[int, int]]:
    """Pairs (axis of operand j, axis of the result) that carry the same entries."""
    shape = program.nodes[j].shape
    match node.op:
        case "transpose":
            return [(axis, place) for place, axis in enumerate(node.data)]
        case "concatenate":
            return [(axis, axis) for axis in range(len(shape)) if axis != node.data]
        case "sum":
            return [(axis, axis - (axis > node.data)) for axis in range(len(shape)) if axis != node.data]
        case "reshape":
            mine, theirs = _size_and_step(node.shape), _size_and_step(shape)
            return [(theirs[axis], mine[axis]) for axis in mine if axis in theirs]
        case "select":
            return [(axis, first) for axis, first in enumerate(node.data.firsts) if node.data.whole(axis)]
        case _:  # take
            return _taken_whole(np.asarray(node.data), shape)


def _size_and_step(shape: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """{(size, entries from one step along it to the next): axis}: what an axis keeps when an array is reshaped."""
    return {(size, prod(shape[axis + 1 :])): axis for axis, size in enumerate(shape) if size > 1}


def _taken_whole(index: Ints, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Pairs (axis taken from, axis of the index): taken whole and in order, apart from what is picked on the others."""
    if index.size == 0 or not shape:
        return []
    places, found = np.unravel_index(index, shape), list[tuple[int, int]]()
    for mine, size in enumerate(index.shape):
        steps = np.arange(size).reshape([-1 if axis == mine else 1 for axis in range(index.ndim)])
        still = [bool(np.all(place == place.take([0], axis=mine))) for place in places]
        for theirs in range(len(shape)):
            others = all(still[axis] for axis in range(len(shape)) if axis != theirs)
            whole = shape[theirs] == size and others and bool(np.all(places[theirs] == steps))
            if whole and all(theirs != axis for axis, _ in found):
                found.append((theirs, mine))
                break
    return found
