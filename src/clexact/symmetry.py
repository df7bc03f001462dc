r"""Laws that the shape of a program proves, at any size, without expanding it.

A one-parameter group of linear maps $\theta \mapsto e^{sA}\theta$ with A symmetric that leaves every output unchanged
gives the law $\theta^\top A\,\theta / 2$ of the gradient flow, because $\langle A\theta, \nabla\langle C,
g\rangle\rangle = 0$. Two such groups, and one of translations, are read off the program:

* factor pairs: a matrix g acting on an axis of some arrays and its inverse on the axes contracted with it
  (U g, g^-1 V); laws: off-diagonal entries of the Gram matrices, $U^\top U - V V^\top$ for a product $U V$;
* scalings: degrees of all entries, inferred as types are; laws $\sum_j a_j \theta_j^2$;
* translations of all logits by a common number, which cross-entropy does not see; laws: column sums of the last layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.linalg import SparseRows, primitive, reconstruct
from clexact.program import Node, Numbers, Program
from clexact.terms import Ints

PRIME = 2**61 - 1
MAX_EQUATIONS = 5 * 10**6  # of the scaling rule; beyond it the diagonal laws of the factor pairs are used
Law = dict[tuple[int, ...], int]  # {variables of the monomial, with repetition: coefficient}


class AxisClasses:
    """Axes of all arrays, joined when a matrix acting on one must act on the other, in the same way or inversely."""

    def __init__(self) -> None:
        self._parent: dict[tuple[int, int], tuple[int, int]] = {}
        self._sign: dict[tuple[int, int], int] = {}
        self._rigid: set[tuple[int, int]] = set()

    def find(self, axis: tuple[int, int]) -> tuple[tuple[int, int], int]:
        """The class of an axis and its sign in it: +1 if g acts, -1 if its inverse does."""
        sign = 1
        while self._parent.get(axis, axis) != axis:
            sign *= self._sign[axis]
            axis = self._parent[axis]
        return axis, sign

    def join(self, a: tuple[int, int], b: tuple[int, int], sign: int = 1) -> None:
        """Join two axes; one that is joined to itself inversely is rigid (only orthogonal matrices would remain)."""
        (root_a, sign_a), (root_b, sign_b) = self.find(a), self.find(b)
        if root_a != root_b:
            self._parent[root_a], self._sign[root_a] = root_b, sign_a * sign_b * sign
            if root_a in self._rigid:
                self._rigid.add(root_b)
        elif sign_a * sign_b != sign:
            self._rigid.add(root_a)

    def fix(self, axis: tuple[int, int]) -> None:
        """Nothing acts on this axis."""
        self._rigid.add(self.find(axis)[0])

    def free(self, axis: tuple[int, int]) -> bool:
        """Whether any invertible matrix may act on this axis."""
        return self.find(axis)[0] not in self._rigid


def axis_classes(program: Program) -> AxisClasses:
    """The classes of axes that every operation of the program respects; the output's axes are left open."""
    classes = AxisClasses()
    for n, node in enumerate(program.nodes):
        match node.op:
            case "parameter":
                pass
            case "probe" | "constant":
                _fix_all(classes, n, node)
            case "add" | "multiply":
                _type_elementwise(classes, program, n)
            case "matmul":
                _type_matmul(classes, program, n)
            case _:
                _type_structural(classes, program, n)
    return classes


def _fix_all(classes: AxisClasses, n: int, node: Node) -> None:
    for axis in range(len(node.shape)):
        classes.fix((n, axis))


def _type_elementwise(classes: AxisClasses, program: Program, n: int) -> None:
    """add: all operands transform alike. multiply: only axes along which the other operand is constant transform."""
    node = program.nodes[n]
    for axis, size in enumerate(node.shape):
        whole = [j for j in node.inputs if program.nodes[j].shape[axis] == size]
        for j in node.inputs:
            if j in whole:
                classes.join((n, axis), (j, axis))
            else:
                classes.fix((j, axis))
        if (len(whole) == 2) == (node.op == "multiply"):
            classes.fix((n, axis))


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


def _type_structural(classes: AxisClasses, program: Program, n: int) -> None:
    """Axes that keep all their entries in order are passed on; the others do not transform."""
    node = program.nodes[n]
    kept: set[tuple[int, int]] = set()
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
            mine = [axis for axis, size in enumerate(node.shape) if size > 1]
            theirs = [axis for axis, size in enumerate(shape) if size > 1]
            same = [node.shape[axis] for axis in mine] == [shape[axis] for axis in theirs]
            return list(zip(theirs, mine, strict=True)) if same else []
        case _:  # take: entries are picked one by one
            return []


def gram_laws(program: Program, offsets: dict[str, int], diagonal: bool) -> Iterator[Law]:
    r"""Entries (k, k') of $\sum \pm$ Gram matrices along the axes of each free class; k < k', or k <= k'."""
    classes = axis_classes(program)
    for axis in range(len(program.shape)):
        classes.fix((program.output, axis))
    members: dict[tuple[int, int], list[tuple[Ints, int]]] = {}
    for n, node in enumerate(program.nodes):
        if node.op != "parameter":
            continue
        entries = np.arange(prod(node.shape)).reshape(node.shape) + offsets[node.data]
        for axis in range(len(node.shape)):
            if classes.free((n, axis)):
                root, sign = classes.find((n, axis))
                # (size of the axis, other entries)
                members.setdefault(root, []).append((np.moveaxis(entries, axis, 0).reshape(node.shape[axis], -1), sign))
    for parts in members.values():
        size = len(parts[0][0])
        for k in range(size):
            for m in range(k if diagonal else k + 1, size):
                yield _gram_entry(parts, k, m)


def _gram_entry(parts: list[tuple[Ints, int]], k: int, m: int) -> Law:
    law: Law = {}
    for entries, sign in parts:
        for i, j in zip(entries[k].tolist(), entries[m].tolist(), strict=True):
            key = (min(i, j), max(i, j))
            law[key] = law.get(key, 0) + sign
    return {key: c for key, c in law.items() if c}


def translation_laws(program: Program, offsets: dict[str, int]) -> Iterator[Law]:
    """Sums over the class axis of every parameter that carries it linearly; the output's last axis holds the logits."""
    classes = axis_classes(program)
    root, sign = classes.find((program.output, len(program.shape) - 1))
    for axis in range(len(program.shape) - 1):
        classes.fix((program.output, axis))
    carriers = [
        (node, axis, classes.find((n, axis))[1])
        for n, node in enumerate(program.nodes)
        if node.op == "parameter"
        for axis in range(len(node.shape))
        if classes.find((n, axis))[0] == root
    ]
    names = [node.data for node, _, _ in carriers]
    if not classes.free(root) or any(s != sign for _, _, s in carriers) or len(set(names)) < len(names):
        return
    for node, axis, _ in carriers:
        entries = np.arange(prod(node.shape)).reshape(node.shape) + offsets[node.data]
        for column in np.moveaxis(entries, axis, 0).reshape(node.shape[axis], -1).T.tolist():
            yield {(j,): 1 for j in column}


FIXED, ZERO = -1, -2  # in place of an unknown degree: degree 0 (probes, constants); the number 0, of any degree


class DegreeInference(Numbers):
    """The algebra in which an array is the numbers of its entries' unknown degrees; equations are collected."""

    def __init__(self, parameters: int) -> None:
        self.unknowns = parameters
        self._equations: list[tuple[Ints, Ints]] = []  # unknowns (k, width), signs (width,)

    def fresh(self, shape: tuple[int, ...]) -> Ints:
        """New unknowns."""
        first, self.unknowns = self.unknowns, self.unknowns + prod(shape)
        return np.arange(first, self.unknowns).reshape(shape)

    def equate(self, *sides: Ints, signs: tuple[int, ...]) -> None:
        """Demand sum of signs * degrees = 0, entry by entry."""
        rows = np.stack([side.ravel() for side in np.broadcast_arrays(*sides)], axis=1)
        self._equations.append((rows, np.array(signs)))
        if sum(len(rows) for rows, _ in self._equations) > MAX_EQUATIONS:
            raise OverflowError

    def constant(self, value: NDArray[Any]) -> Ints:
        return np.where(value == 0, ZERO, FIXED)

    def add(self, a: Ints, b: Ints) -> Ints:
        a, b = np.broadcast_arrays(a, b)
        both = (a != ZERO) & (b != ZERO)
        self.equate(a[both], b[both], signs=(1, -1))
        return np.where(a == ZERO, b, a)

    def multiply(self, a: Ints, b: Ints) -> Ints:
        a, b = np.broadcast_arrays(a, b)
        out = np.where(a == FIXED, b, a)
        both = (a >= 0) & (b >= 0)
        out = np.where((a == ZERO) | (b == ZERO), ZERO, out)
        out[both] = self.fresh((int(both.sum()),))
        self.equate(out[both], a[both], b[both], signs=(1, -1, -1))
        return out

    def matmul(self, a: Ints, b: Ints) -> Ints:
        # all products in the shape (*stack, row, column, contracted), then their sum
        return self._total(*np.broadcast_arrays(a[..., :, None, :], np.swapaxes(b, -1, -2)[..., None, :, :]))

    def sum(self, a: Ints, axis: int) -> Ints:
        moved = np.moveaxis(a, axis, -1)
        return self._total(moved, np.full_like(moved, FIXED))

    def _total(self, a: Ints, b: Ints) -> Ints:
        """Sum over the last axis of products of entries of degrees a and b: all must agree."""
        if a.size > MAX_EQUATIONS:
            raise OverflowError
        counts = (a != ZERO) & (b != ZERO)
        known = counts & (a == FIXED) & (b == FIXED)
        out = np.where(counts.any(axis=-1), FIXED, ZERO)
        fresh = (counts & ~known).any(axis=-1)
        out[fresh] = self.fresh((int(fresh.sum()),))
        wide = np.broadcast_to(out[..., None], a.shape)
        chosen = counts & fresh[..., None]
        self.equate(wide[chosen], a[chosen], b[chosen], signs=(1, -1, -1))
        return out

    def entries(self) -> tuple[Ints, Ints, Ints]:
        """All equations as triples (equation, unknown, coefficient); known degrees, being 0, left out."""
        equation, unknown, value, first = [], [], [], 0
        for rows, signs in self._equations:
            kept = rows >= 0
            equation.append(np.nonzero(kept)[0] + first)
            unknown.append(rows[kept])
            value.append(np.broadcast_to(signs, rows.shape)[kept])
            first += len(rows)
        return tuple(np.concatenate(x) if x else np.empty(0, dtype=np.int64) for x in (equation, unknown, value))  # type: ignore[return-value]


def scaling_laws(program: Program, offsets: dict[str, int], dimension: int) -> list[Law]:
    r"""A basis of the laws $\sum_j a_j \theta_j^2$, a grading the parameters so that all outputs have degree 0.

    OverflowError if the program has more products of entries than ``MAX_EQUATIONS``.
    """
    algebra = DegreeInference(dimension)
    leaves = {
        node.data: np.arange(prod(node.shape)).reshape(node.shape) + offsets[node.data]
        if node.op == "parameter"
        else np.full(node.shape, FIXED)
        for node in program.nodes
        if node.op in ("parameter", "probe")
    }
    output = program.run(algebra, leaves)[program.output]
    algebra.equate(output[output >= 0], signs=(1,))
    equation, unknown, value = algebra.entries()
    # Inner entries come first, so the basis has one vector for each free inner entry (a hidden unit).
    total = algebra.unknowns
    place = (unknown - dimension) % total
    vectors = SparseRows(equation, place, (value % PRIME).astype(np.uint64), total, PRIME).nullspace()
    degrees = [{x: reconstruct(c, PRIME) for x, c in vector.items()} for vector in vectors]
    laws: list[Law] = []
    for found in degrees:
        exact = {(x + dimension) % total: c for x, c in found.items() if c is not None}
        if len(exact) == len(found) and _balanced(equation, unknown, value, exact):
            law = primitive({j: a for j, a in exact.items() if j < dimension})
            laws.append({(j, j): a for j, a in law.items()})
    return [law for law in laws if law]


def _balanced(equation: Ints, unknown: Ints, value: Ints, degrees: dict[int, Fraction]) -> bool:
    """Whether the degrees satisfy every equation, over Q."""
    size = int(unknown.max(initial=-1)) + 1
    exact = np.zeros(max(size, max(degrees) + 1), dtype=object)
    for x, a in degrees.items():
        exact[x] = a
    chosen = np.isin(unknown, list(degrees))
    sums: dict[int, Fraction] = {}
    for e, term in zip(equation[chosen].tolist(), (exact[unknown[chosen]] * value[chosen]).tolist(), strict=True):
        sums[e] = sums.get(e, Fraction(0)) + term
    return not any(sums.values())
