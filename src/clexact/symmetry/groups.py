r"""One-parameter groups that leave every output of a program unchanged, read off its shape, at any size.

Each flow makes laws of them (``flows/``): along the generator $\theta' = A\theta + c$ of a group,
$\langle A\theta + c, \nabla\langle C, g\rangle\rangle = 0$. Three kinds are found:

* factor pairs: a matrix g acting on an axis of some arrays and its inverse on the axes contracted with it (U g,
  g^-1 V), any g, or orthogonal ones where the axis is also contracted with itself (U U^T);
* scalings: degrees of all entries, inferred as types are;
* translations of all logits, along directions that cross-entropy, or a softmax inside, does not see.

Analytic functions are opaque here: nothing moves their arguments (a softmax lets translations pass). So a group that is
found is one of the functions themselves, whatever the order of the Taylor coefficients that are used elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.linalg import SparseRows, primitive, reconstruct
from clexact.algebra.terms import Ints, Terms, concatenate
from clexact.programs.algebras import Numbers
from clexact.programs.operations import Node
from clexact.programs.program import Program

PRIME = 2**61 - 1
MAX_EQUATIONS = 5 * 10**6  # of the scaling rule; beyond it the diagonal laws of the factor pairs are used
Law = dict[tuple[int, ...], int]  # {variables of the monomial, with repetition: coefficient}
Scaling = dict[int, int]  # {parameter: degree}
Translation = dict[int, int]  # {parameter: velocity}


class AxisClasses:
    """Axes of all arrays, joined when a matrix acting on one must act on the other, in the same way or inversely."""

    def __init__(self) -> None:
        self._parent: dict[tuple[int, int], tuple[int, int]] = {}
        self._sign: dict[tuple[int, int], int] = {}
        self._fixed: set[tuple[int, int]] = set()
        self._orthogonal: set[tuple[int, int]] = set()

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
            for marked in (self._fixed, self._orthogonal):
                if root_a in marked:
                    marked.add(root_b)
        elif sign_a * sign_b != sign:
            self._orthogonal.add(root_a)

    def fix(self, axis: tuple[int, int]) -> None:
        """Nothing acts on this axis."""
        self._fixed.add(self.find(axis)[0])

    def movable(self, axis: tuple[int, int]) -> bool:
        """Whether orthogonal matrices, at least, may act on this axis."""
        return self.find(axis)[0] not in self._fixed

    def free(self, axis: tuple[int, int]) -> bool:
        """Whether any invertible matrix may act on this axis."""
        return self.movable(axis) and self.find(axis)[0] not in self._orthogonal


def axis_classes(program: Program, passing: Collection[int] = ()) -> AxisClasses:
    """The classes of axes that every operation respects; the output's axes are left open.

    ``passing`` names nodes that let translations pass along the axis of logits: softmaxes, and what picks for them.
    """
    classes = AxisClasses()
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
                    if n not in passing or axis != node.data:
                        classes.fix((node.inputs[0], axis))
            case "take" | "select" if n in passing:
                pass
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


@dataclass(frozen=True)
class FactorClass:
    """Axes on which one matrix g acts (sign +1) or its inverse (-1): for each, (size of the axis, other entries)."""

    parts: tuple[tuple[Ints, int], ...]
    orthogonal: bool  # only orthogonal g

    @property
    def size(self) -> int:
        """Size of g."""
        return len(self.parts[0][0])

    @property
    def entries(self) -> Ints:
        """All parameters on which g acts."""
        return np.concatenate([entries.ravel() for entries, _ in self.parts])

    def planes(self) -> Iterator[tuple[int, int]]:
        """Every two indices."""
        return combinations(range(self.size), 2)

    def gram(self, k: int, m: int) -> Law:
        r"""$\sum \pm$ entry (k, m) of the Gram matrices along the axes: the generator $e_k e_m^\top + e_m e_k^\top$."""
        law: Law = {}
        for entries, sign in self.parts:
            for i, j in zip(entries[k].tolist(), entries[m].tolist(), strict=True):
                add_to(law, (i, j), sign)
        return {key: c for key, c in law.items() if c}

    def gram_terms(self) -> Terms:
        """``gram(k, m)`` for all k < m at once, owned by their numbers, as packed terms; not canonical."""
        k, m = np.triu_indices(self.size, 1)
        parts = []
        for entries, sign in self.parts:
            pairs = np.stack([entries[k].ravel(), entries[m].ravel()], axis=1)
            pairs.sort(axis=1)
            owner = np.repeat(np.arange(len(k)), entries.shape[1])
            var = pairs.ravel().astype(np.int32)
            start = 2 * np.arange(len(pairs) + 1, dtype=np.int64)
            parts.append(Terms(owner, np.full(len(pairs), sign), start, var, np.ones_like(var)))
        return concatenate(parts)

    def rotation(self, k: int, m: int) -> list[tuple[int, int]]:
        """Pairs (i, j) of parameters, turned as the plane of k and m is: the generator i -> j, j -> -i."""
        return [
            (i, j) for entries, _ in self.parts for i, j in zip(entries[k].tolist(), entries[m].tolist(), strict=True)
        ]


def add_to(law: Law, variables: tuple[int, ...], c: int) -> None:
    """law += c * product of the variables."""
    key = tuple(sorted(variables))
    law[key] = law.get(key, 0) + c


def factor_classes(program: Program, offsets: dict[str, int]) -> list[FactorClass]:
    """The classes of axes of parameters on which matrices may act."""
    classes = axis_classes(program)
    for axis in range(len(program.shape)):
        classes.fix((program.output, axis))
    members: dict[tuple[int, int], list[tuple[Ints, int]]] = {}
    for n, node in enumerate(program.nodes):
        if node.op != "parameter":
            continue
        entries = np.arange(prod(node.shape)).reshape(node.shape) + offsets[node.data]
        for axis in range(len(node.shape)):
            if classes.movable((n, axis)):
                root, sign = classes.find((n, axis))
                rows = np.moveaxis(entries, axis, 0).reshape(node.shape[axis], -1)
                members.setdefault(root, []).append((rows, sign))
    return [FactorClass(tuple(parts), not classes.free(root)) for root, parts in members.items()]


@dataclass(frozen=True)
class Logits:
    """An array, one axis of it, the nodes that see it up to translations, and the directions that they do not see."""

    node: int
    axis: int
    passing: tuple[int, ...]
    directions: Sequence[Sequence[int]]


def softmax_logits(program: Program) -> list[Logits]:
    """The arguments of softmaxes; entries picked from one vector for several of them make one argument.

    A pick passes translations where nothing but softmaxes sees it: any other use would see them.
    """
    seen: dict[tuple[int, int], list[tuple[tuple[int, ...], Ints]]] = {}
    alone = _seen_by_softmax_alone(program)
    for n, node in enumerate(program.nodes):
        if node.op == "softmax":
            j = node.inputs[0]
            if j in alone:
                source = program.nodes[j]
                seen.setdefault((source.inputs[0], 0), []).append(((n, j), _taken_places(source).ravel()))
            else:
                seen.setdefault((j, node.data), []).append(((n,), np.arange(node.shape[node.data])))
    found = []
    for (j, axis), picks in seen.items():
        label = np.arange(program.nodes[j].shape[axis])
        for _, index in picks:  # logits of one softmax move together
            label[np.isin(label, label[index])] = label[index[0]]
        directions = [(label == name).astype(int).tolist() for name in np.unique(label)]
        found.append(Logits(j, axis, tuple(n for nodes, _ in picks for n in nodes), directions))
    return found


def _taken_places(node: Node) -> Ints:
    return node.data.table if node.op == "select" else np.asarray(node.data)


def _seen_by_softmax_alone(program: Program) -> set[int]:
    """Picks from a vector that only softmaxes use."""
    seen = {j for node in program.nodes if node.op != "softmax" for j in node.inputs} | {program.output}
    return {
        n
        for n, node in enumerate(program.nodes)
        if node.op in ("take", "select") and len(program.nodes[node.inputs[0]].shape) == 1 and n not in seen
    }


def translations(program: Program, offsets: dict[str, int], logits: Logits) -> Iterator[Translation]:
    """Translations of logits along constant directions, as vectors on every parameter that carries them linearly."""
    classes = axis_classes(program, logits.passing)
    root, sign = classes.find((logits.node, logits.axis))
    for axis in range(len(program.shape)):
        if (program.output, axis) != (logits.node, logits.axis):
            classes.fix((program.output, axis))
    carriers = [
        (carrier, axis, classes.find((n, axis))[1])
        for n, carrier in enumerate(program.nodes)
        if carrier.op == "parameter"
        for axis in range(len(carrier.shape))
        if classes.find((n, axis))[0] == root
    ]
    names = [carrier.data for carrier, _, _ in carriers]
    if not classes.free(root) or any(s != sign for _, _, s in carriers) or len(set(names)) < len(names):
        return
    for carrier, axis, _ in carriers:
        entries = np.arange(prod(carrier.shape)).reshape(carrier.shape) + offsets[carrier.data]
        for column in np.moveaxis(entries, axis, 0).reshape(carrier.shape[axis], -1).T.tolist():
            for direction in logits.directions:
                yield {j: c for j, c in zip(column, direction, strict=True) if c}


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

    def function(self, a: Ints, name: str) -> Ints:
        if name == "reciprocal":
            out = np.where(a < 0, FIXED, a)
            out[a >= 0] = self.fresh((int((a >= 0).sum()),))
            self.equate(out[a >= 0], a[a >= 0], signs=(1, 1))
            return out
        self.equate(a[a >= 0], signs=(1,))
        return np.full(a.shape, FIXED)

    def softmax(self, a: Ints, axis: int) -> Ints:
        return self.function(a, "softmax")

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


def scalings(program: Program, offsets: dict[str, int], dimension: int) -> list[Scaling]:
    """A basis of the gradings of the parameters for which all outputs have degree 0.

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
    gradings: list[Scaling] = []
    for found in degrees:
        exact = {(x + dimension) % total: c for x, c in found.items() if c is not None}
        if len(exact) == len(found) and _balanced(equation, unknown, value, exact):
            gradings.append(primitive({j: a for j, a in exact.items() if j < dimension}))
    return [grading for grading in gradings if grading]


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


@dataclass(frozen=True)
class Symmetries:
    """All groups found. Where the scalings were too many to infer, the diagonal of each free class stands for them."""

    scalings: tuple[Scaling, ...]
    factors: tuple[FactorClass, ...]
    translations: tuple[Translation, ...]
    all_scalings: bool = True  # whether the scalings were inferred, not only those of the factors taken

    def euclidean_laws(self) -> list[Law]:
        r"""Laws h of the gradient flow with $\nabla h = A\theta + c$, A symmetric, for every group.

        $\langle c, \theta\rangle$ of a translation, $\sum_j a_j\theta_j^2$ of a scaling, and $\langle\theta_k,
        \theta_m\rangle$ summed over the factors that a matrix and its inverse act on, with signs.
        """
        return self.diagonal_laws() + self.gram_laws()

    def diagonal_laws(self) -> list[Law]:
        """Those of translations and scalings."""
        laws: list[Law] = [{(j,): a for j, a in c.items()} for c in self.translations]
        return laws + [{(j, j): a for j, a in scaling.items()} for scaling in self.scalings]

    @property
    def free_factors(self) -> list[FactorClass]:
        """The factors on which any invertible matrix acts."""
        return [factor for factor in self.factors if not factor.orthogonal]

    def gram_laws(self) -> list[Law]:
        """Those of factors, off the diagonal, which belongs to the scalings."""
        return [factor.gram(k, m) for factor in self.free_factors for k, m in factor.planes()]


def symmetries(
    seen: Program, program: Program, offsets: dict[str, int], dimension: int, unseen: Sequence[Sequence[int]]
) -> Symmetries:
    """Groups that leave unchanged all outputs of ``seen``: of ``program``, the parts that the loss sees.

    ``unseen`` are the directions of logits, the last axis of ``program``'s output, that the loss does not see.
    """
    factors, inferred = factor_classes(seen, offsets), True
    try:
        diagonal = scalings(seen, offsets, dimension)
    except OverflowError:
        inferred = False
        diagonal = [
            {i: c for (i, _), c in factor.gram(k, k).items()}
            for factor in factors
            if not factor.orthogonal
            for k in range(factor.size)
        ]
    last = Logits(program.output, len(program.shape) - 1, (), unseen)
    moved = list(translations(program, offsets, last)) if len(unseen) else []
    for logits in softmax_logits(seen):
        moved += translations(seen, offsets, logits)
    return Symmetries(tuple(diagonal), tuple(factors), tuple(moved), inferred)
