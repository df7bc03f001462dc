"""The degrees of every array of a program under rescalings of its parameters, axis by axis (see ``grading``).

An algebra for programs: each operation says what the degrees of its result are, and which equations it demands. A
matrix product demands that the degrees of each operand are those of a row plus those of a column, so the parameters of
matrix products have units for their rows and columns only; other parameters have a unit for each entry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra, Numbers, Support
from clexact.programs.operations import OPERATIONS, Node
from clexact.programs.places import Mask, OuterIndex, Shape, places, product_columns, product_rows
from clexact.programs.program import LEAVES, Program
from clexact.symmetry.grading import (
    FIXED,
    MAX_EQUATIONS,
    Factor,
    Graded,
    Kind,
    TooManyError,
    Units,
    aligned,
    regrouped,
    repeats,
)

MOVES = ("transpose", "reshape", "select", "take")  # operations that only move entries


class AxisDegrees(Algebra[Graded]):
    """The algebra of degrees; ``units`` collects the equations.

    ``complete`` is False once equations were too many, and more was demanded than is needed.
    """

    def __init__(self) -> None:
        self.units, self.complete = Units(), True

    def _demand(self, factors: Sequence[Factor]) -> None:
        """Demand that degrees add up to 0 at every entry; that each is 0, where that would be too many equations."""
        try:
            self.units.equate(factors)
        except TooManyError:
            self.complete = False
            for factor in factors:
                self.units.equate((factor,))

    def fix(self, a: Graded) -> None:
        """Demand degree 0 of every entry that does not vanish."""
        if not a.zero:
            self._demand_where(a.factors, a.alive)
        self.units.isolate(a.factors)

    def constant(self, value: NDArray[Any]) -> Graded:
        alive = np.asarray(value != 0, dtype=bool)
        return Graded(value.shape, zero=not alive.any(), alive=None if alive.all() else alive)

    def add(self, a: Graded, b: Graded) -> Graded:
        """What is added has one degree, wherever both do not vanish."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        if a.zero or b.zero:
            kept = b if a.zero else a
            return Graded(shape, kept.factors, kept.zero, alive=kept.alive)
        if b.alive is None and (a.alive is not None or _width(b) > _width(a)):
            a, b = b, a
        if a.alive is not None:
            return self._sum_of_parts(shape, a, b)
        if b.alive is None and (pairs := _paired(a.factors, b.factors)):
            self._equate_pairs(pairs)
        else:
            self._demand_where((*a.factors, *(f.times(-1) for f in b.factors)), b.alive)
            if len(b.factors) > 1 or not b.factors or not a.factors:
                self.units.isolate((*a.factors, *b.factors))
        if b.alive is None and b.factors and _width(b) < _width(a):  # the same degrees, of fewer units
            self.units.isolate(a.factors, [n for n in range(len(shape)) if not any(f.varies(n) for f in b.factors)])
            return Graded(shape, b.factors)
        return Graded(shape, a.factors)

    def _equate_pairs(self, pairs: Sequence[tuple[Factor, Factor]]) -> None:
        """f(i) + g(j) + ... = F(i) + G(j) + ...: each pair is equal up to a number, and these add up to 0."""
        shifts = [Factor(1, self.units.fresh((1,) * f.units.ndim, inner=True)) for f, _ in pairs]
        for (f, g), shift in zip(pairs, shifts, strict=True):
            self._demand((f, g.times(-1), shift.times(-1)))
        self._demand(shifts)

    def _sum_of_parts(self, shape: Shape, a: Graded, b: Graded) -> Graded:
        """The sum of two arrays each of which vanishes somewhere: an own unit for each entry."""
        total = Factor(-1, self.units.fresh(shape, inner=True))
        for part in (a, b):
            self._demand_where((*part.factors, total), np.broadcast_to(np.asarray(part.alive), shape))
        self.units.isolate((*a.factors, *b.factors, total))
        return Graded(shape, (total.times(-1),), alive=np.asarray(a.alive | b.alive))  # type: ignore[operator]

    def _demand_where(self, factors: Sequence[Factor], alive: Mask | None) -> None:
        """Demand that degrees add up to 0 where entries do not vanish."""
        if alive is None or not factors:
            self._demand(factors)
            return
        still = tuple(n for n in range(alive.ndim) if not any(f.varies(n) for f in factors))
        alive = np.asarray(alive.any(axis=still, keepdims=True))  # a demand at some entry along them is that at all
        shape = np.broadcast_shapes(alive.shape, *(f.units.shape for f in factors))
        if prod(shape) > MAX_EQUATIONS:  # more demands than are needed
            self._demand(factors)
            return
        chosen = np.broadcast_to(alive, shape)
        self._demand([f.seen(np.broadcast_to(f.units, shape)[chosen]) for f in factors])

    def multiply(self, a: Graded, b: Graded) -> Graded:
        """Degrees add up; entries that are multiplied by different ones cannot be mixed."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        for one, other in ((a, b), (b, a)):
            self.units.isolate(one.factors, [axis for axis, size in enumerate(other.shape) if size > 1])
        alive = _both(a.alive, b.alive)
        return Graded(shape, self.units.sum_of((*a.factors, *b.factors)), a.zero or b.zero, alive=alive)

    def matmul(self, a: Graded, b: Graded) -> Graded:
        """Along the contracted axis, degrees of both add up to one number."""
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        if a.zero or b.zero:
            return Graded(shape, zero=True)
        alive = _product_mask(a, b)
        masked = a.alive is not None or b.alive is not None
        if masked and alive is None and prod(shape) * a.shape[-1] <= MAX_EQUATIONS:
            met: Mask = np.asarray(_somewhere(a, -1) & _somewhere(b, -2))
            if met.all() or not met.any():
                return self._masked_product(shape, a, b)
            return self.matmul(self._restricted(a, -1, met), self._restricted(b, -2, met))  # nothing is added elsewhere
        a, b = self._separated(a, -2, -1), self._separated(b, -1, -2)
        factors = _multiplied(a, b)
        kept = [f for f in factors if not f.varies(len(shape))]
        varying = [f for f in factors if f.varies(len(shape))]
        stack = range(len(shape) - 2)
        if varying:
            wide = np.broadcast_shapes(*(f.units.shape for f in varying))
            total = Factor(1, self.units.fresh((*wide[:-3], 1, 1, 1), inner=True))
            self._demand((*varying, total.times(-1)))
            kept.append(total)
        if len(varying) > 2:
            self.units.isolate(varying)
        for factor in varying:
            self.units.isolate([factor], range(len(shape)))
        self.units.isolate(kept, stack)
        return Graded(shape, self.units.sum_of([f.seen(f.units[..., 0]) for f in kept]), alive=alive)

    def _restricted(self, a: Graded, axis: int, kept: Mask) -> Graded:
        """Some places along an axis."""
        along = [np.arange(size) for size in a.shape]
        along[axis] = np.flatnonzero(kept)
        chosen = self.select(a, OuterIndex(a.shape, tuple(along)))
        return replace(chosen, alive=None if chosen.alive is None or chosen.alive.all() else chosen.alive)

    def _separated(self, a: Graded, free: int, summed: int) -> Graded:
        """With degrees of rows and of columns in place of such of entries: a matrix product demands that."""
        out = list[Factor]()
        for factor in a.factors:
            if factor.varies(free % len(a.shape)) and factor.varies(summed % len(a.shape)):
                sizes = list(factor.units.shape), list(factor.units.shape)
                sizes[0][summed] = sizes[1][free] = 1
                parts = [Factor(1, self.units.fresh(tuple(size), inner=True)) for size in sizes]
                self._demand((factor, *(part.times(-factor.coefficient) for part in parts)))
                out += [part.times(factor.coefficient) for part in parts]
            else:
                out.append(factor)
        return Graded(a.shape, tuple(out), a.zero, alive=a.alive)

    def _masked_product(self, shape: Shape, a: Graded, b: Graded) -> Graded:
        """A product of arrays that vanish somewhere, entry by entry."""
        alive = [np.ones(x.shape, dtype=bool) if x.alive is None else np.broadcast_to(x.alive, x.shape) for x in (a, b)]
        both = product_rows(alive[0]) & product_columns(alive[1])
        total = Factor(-1, self.units.fresh((*shape, 1), inner=True))
        factors = _multiplied(a, b)
        self._demand_where((*factors, total), both)
        self.units.isolate((*factors, total))
        out = np.asarray(both.any(axis=-1))
        return Graded(shape, (Factor(1, total.units[..., 0]),), not out.any(), alive=None if out.all() else out)

    def transpose(self, a: Graded, axes: tuple[int, ...]) -> Graded:
        return self._moved(a, tuple(a.shape[axis] for axis in axes), lambda x: x.transpose(axes))

    def reshape(self, a: Graded, shape: Shape) -> Graded:
        if not prod(shape):
            return Graded(shape)

        def move(x: NDArray[Any]) -> NDArray[Any]:
            moved = regrouped(x, a.shape, shape)
            return moved if moved.size == x.size else compressed(moved)  # along the axes that a split made

        return self._moved(a, shape, move)

    def select(self, a: Graded, chosen: OuterIndex) -> Graded:
        for axis in range(len(a.shape)):
            if not chosen.whole(axis):
                self._leave(a, axis, chosen.along[axis])
        return self._moved(a, chosen.shape, lambda x: selected(x, chosen))

    def take(self, a: Graded, index: Ints) -> Graded:
        self.units.isolate(a.factors)
        return self._moved(a, index.shape, lambda x: compressed(np.broadcast_to(x, a.shape).ravel()[index]))

    def _leave(self, a: Graded, axis: int, index: Ints) -> None:
        """Units of an axis in and out of a selection, or selected often, are not mixed."""
        inside = np.isin(np.arange(a.shape[axis]), index)
        for factor in a.factors:
            if factor.varies(axis):
                self.units.part(factor, inside.reshape([-1 if n == axis else 1 for n in range(len(a.shape))]))
                if index.ndim > 1 or len(np.unique(index)) < index.size or repeats(factor.units):
                    self.units.isolate([factor])

    def _moved(self, a: Graded, shape: Shape, move: Any) -> Graded:
        """The entries at other places."""
        factors = tuple(f.seen(move(f.units)) for f in a.factors)
        self.units.isolate(f for f in factors if repeats(f.units) and not aligned(f.units))
        return Graded(shape, factors, a.zero, alive=None if a.alive is None else move(a.alive))

    def concatenate(self, parts: list[Graded], axis: int) -> Graded:
        """Arrays side by side; those that vanish have any degree."""
        shape = (*parts[0].shape[:axis], sum(part.shape[axis] for part in parts), *parts[0].shape[axis + 1 :])
        alive = _joined_masks(parts, axis)
        present = [part for part in parts if not part.zero]
        if not present:
            return Graded(shape, zero=True)
        if all(_same_along(part, present[0], axis) for part in present):
            return Graded(shape, present[0].factors, alive=alive)
        single = [self._single(part) for part in parts]
        factor = Factor(1, _joined([f.units for f in single], parts, axis))
        self.units.isolate([factor])
        return Graded(shape, (factor,), alive=alive)

    def _single(self, a: Graded) -> Factor:
        """The degrees of an array as those of one factor with coefficient 1."""
        if not a.factors:
            return Factor(1, np.full((1,) * len(a.shape), FIXED, dtype=np.int64))
        if len(a.factors) == 1 and a.factors[0].coefficient == 1:
            return a.factors[0]
        total = Factor(1, self.units.fresh(np.broadcast_shapes(*(f.units.shape for f in a.factors)), inner=True))
        self._demand((*a.factors, total.times(-1)))
        self.units.isolate((*a.factors, total))
        return total

    def sum(self, a: Graded, axis: int) -> Graded:
        """What is added has one degree."""
        if a.alive is not None:
            ones = np.ones((a.shape[axis], 1), dtype=np.int64)
            last = [*(n for n in range(len(a.shape)) if n != axis), axis]
            turned = self.transpose(a, tuple(last))
            turned = turned if len(a.shape) > 1 else self.reshape(turned, (1, a.shape[0]))
            column = self.constant(ones.reshape((1,) * (len(turned.shape) - 2) + ones.shape))
            return self.reshape(self.matmul(turned, column), tuple(a.shape[n] for n in last[:-1]))
        first = (slice(None),) * axis + (slice(0, 1),)
        varying = [factor for factor in a.factors if factor.varies(axis)]
        self._demand((*varying, *(factor.seen(factor.units[first]).times(-1) for factor in varying)))
        for factor in varying:
            self.units.isolate([factor], [axis])
        shape = a.shape[:axis] + a.shape[axis + 1 :]
        return Graded(shape, tuple(f.seen(np.squeeze(f.units[first], axis)) for f in a.factors), a.zero)

    def function(self, a: Graded, name: str) -> Graded:
        """A reciprocal turns degrees round, $u^{-1/2}$ halves them too. Others are opaque: what enters has degree 0."""
        if name == "reciprocal":
            self.units.isolate(a.factors)
            return Graded(a.shape, tuple(f.times(-1) for f in a.factors))
        if name == "rsqrt":
            return self._inverse_root(a)
        self.fix(a)
        return Graded(a.shape)

    def _inverse_root(self, a: Graded) -> Graded:
        """Of half the degrees, turned round: those of units whose doubles are the degrees of a."""
        halves = [Factor(2, self.units.fresh(f.units.shape, inner=True)) for f in a.factors]
        for factor, half in zip(a.factors, halves, strict=True):
            self._demand((factor, half.times(-1)))
        self.units.isolate((*a.factors, *halves))
        return Graded(a.shape, tuple(Factor(-1, half.units) for half in halves))

    def softmax(self, a: Graded, axis: int) -> Graded:
        self.fix(a)
        return Graded(a.shape)


class SignDegrees(AxisDegrees):
    """Degrees modulo 2: which choices of signs of leaves keep or turn the sign of every entry."""

    def function(self, a: Graded, name: str) -> Graded:
        """A root is one of what keeps its sign, and keeps its own; tanh and sin are odd, cos is even."""
        if name in ("tanh", "sin"):
            return a
        if name == "cos":
            return Graded(a.shape)
        if name == "rsqrt":
            self.fix(a)
            return Graded(a.shape)
        return super().function(a, name)


def _multiplied(a: Graded, b: Graded) -> list[Factor]:
    """The factors of both operands of a matrix product, in the axes (*stack, row, column, contracted)."""
    left = [f.seen(product_rows(f.units)) for f in a.factors]
    return left + [f.seen(product_columns(f.units)) for f in b.factors]


def _paired(first: Sequence[Factor], second: Sequence[Factor]) -> list[tuple[Factor, Factor]]:
    """Several factors that vary along axes of their own, each with one that varies along the same; else nothing."""
    pairs = [(f, g) for f in first for g in second if f.axes == g.axes]
    axes = [axis for f in first for axis in f.axes]
    alone = len(set(axes)) == len(axes) and all(f.axes for f in first)
    return pairs if alone and 1 < len(pairs) == len(first) == len(second) else []


def _somewhere(a: Graded, axis: int) -> Mask:
    """At which places along an axis not all entries vanish."""
    if a.alive is None:
        return np.ones(a.shape[axis], dtype=bool)
    others = tuple(n for n in range(len(a.shape)) if n != axis % len(a.shape))
    return np.asarray(np.broadcast_to(a.alive, a.shape).any(axis=others))


def _width(a: Graded) -> int:
    return max((f.units.size for f in a.factors), default=0)


def _both(a: Mask | None, b: Mask | None) -> Mask | None:
    return a if b is None else b if a is None else np.asarray(a & b)


def _product_mask(a: Graded, b: Graded) -> Mask | None:
    """Where a product does not vanish, if zeros of one factor change no demand; None if that is not known.

    Where the degrees of b are the same in all columns, a column without zeros demands all that any other would; so do
    several that are linked by rows where both do not vanish, and together vanish nowhere.
    """
    if b.alive is None and a.alive is not None:
        units = [np.swapaxes(f.units, -1, -2) for f in a.factors]
        rows = _column_mask(a.alive.swapaxes(-1, -2), units, (*a.shape[:-2], a.shape[-1], a.shape[-2]))
        return None if rows is None else rows[..., :, None]
    if a.alive is None and b.alive is not None:
        columns = _column_mask(b.alive, [f.units for f in b.factors], b.shape)
        return None if columns is None else columns[..., None, :]
    return None


def _column_mask(alive: Mask, units: Sequence[NDArray[Any]], shape: Shape) -> Mask | None:
    """Which columns do not vanish, if their units are the same and they are linked; else None."""
    if any(each.shape[-1] > 1 for each in units) or not _linked(alive):
        return None
    return np.asarray(np.broadcast_to(alive, (*alive.shape[:-1], shape[-1])).any(axis=-2))


def _linked(alive: Mask) -> bool:
    """Whether, in each matrix, columns are linked by the rows that they share, and reach every row."""
    first = alive.any(axis=-2).argmax(axis=-1)
    rows: Mask = np.take_along_axis(alive, first[..., None, None], axis=-1)
    while True:
        columns = (alive & rows).any(axis=-2, keepdims=True)
        reached: Mask = np.asarray((alive & columns).any(axis=-1, keepdims=True))
        if np.array_equal(reached, rows):
            return bool(rows.all()) and bool((columns | ~alive.any(axis=-2, keepdims=True)).all())
        rows = reached


def _joined_masks(parts: Sequence[Graded], axis: int) -> Mask | None:
    """Where a concatenation does not vanish; None if everywhere."""
    if all(part.alive is None and not part.zero for part in parts):
        return None
    one = (1,) * len(parts[0].shape)
    return _joined([np.full(one, not p.zero) if p.alive is None else p.alive for p in parts], parts, axis)


def _joined(arrays: Sequence[NDArray[Kind]], parts: Sequence[Graded], axis: int) -> NDArray[Kind]:
    """Arrays that broadcast to parts, side by side."""
    common = np.array([array.shape for array in arrays]).max(axis=0).tolist()
    sizes = [[part.shape[axis] if n == axis else size for n, size in enumerate(common)] for part in parts]
    return np.concatenate([np.broadcast_to(x, size) for x, size in zip(arrays, sizes, strict=True)], axis=axis)


def _same_along(a: Graded, b: Graded, axis: int) -> bool:
    """Whether two arrays have the same degrees, alike along an axis."""
    return len(a.factors) == len(b.factors) and all(
        f.coefficient == g.coefficient
        and not f.varies(axis)
        and not g.varies(axis)
        and np.array_equal(f.units, g.units)
        for f, g in zip(a.factors, b.factors, strict=True)
    )


def selected(x: NDArray[Any], chosen: OuterIndex) -> NDArray[Any]:
    """Entries of an array that broadcasts to the source, which broadcast to the result."""
    for axis, index in reversed(list(enumerate(chosen.along))):
        if x.shape[axis] == 1:
            x = x.reshape(x.shape[:axis] + (1,) * index.ndim + x.shape[axis + 1 :])
        elif not chosen.whole(axis):
            x = x.take(index, axis=axis)
    return x


def compressed(x: NDArray[Any]) -> NDArray[Any]:
    """The smallest array that broadcasts to x."""
    for axis in range(x.ndim if x.size else 0):
        first = x.take([0], axis=axis)
        x = first if x.shape[axis] > 1 and np.array_equal(np.broadcast_to(first, x.shape), x) else x
    return x


def graded(program: Program, units: Units, kinds: Collection[str] = ("parameter",)) -> dict[str, Graded]:
    """Every parameter with its units: for rows and columns where a matrix product takes all of it, else for entries.

    With ``kinds``, the same of probes, which otherwise are of degree 0.
    """
    numbers = {node.data: n for n, node in enumerate(program.nodes) if node.op in kinds}
    matrices = _whole_matrices(program, kinds)
    found = {node.data: Graded(node.shape) for node in program.nodes if node.op in LEAVES}
    for name, n in numbers.items():
        shape = program.nodes[n].shape
        if n in matrices:
            factors = [Factor(1, part) for part in _rows_and_columns(*matrices[n], units)]
        else:
            factors = [Factor(1, units.fresh(shape))]
        found[name] = Graded(shape, tuple(factors))
    return found


def _whole_matrices(program: Program, kinds: Collection[str]) -> dict[int, tuple[_Moves, int]]:
    """{parameter: (how a matrix product takes it, the contracted axis)}, of those taken whole."""
    vanishing = _vanishing_somewhere(program)
    moved: dict[int, tuple[int, _Moves]] = {}  # {node: (parameter, moves)} of what only moves all entries
    found: dict[int, tuple[_Moves, int]] = {}
    for n, node in enumerate(program.nodes):
        if node.op in kinds:
            moved[n] = n, _Moves(node.shape)
        elif node.op in MOVES and node.inputs[0] in moved:
            source, before = moved[node.inputs[0]]
            moves = before.then(node)
            if node.op in ("transpose", "reshape") or moves.once:
                moved[n] = source, moves
        elif node.op == "matmul":
            for k, j in enumerate(node.inputs):
                if j in moved and node.inputs[1 - k] not in vanishing:
                    found.setdefault(moved[j][0], (moved[j][1], -1 if k == 0 else -2))
    return found


@dataclass(frozen=True)
class _Moves:
    """Operations that each move all entries of an array of this shape."""

    source: Shape
    steps: tuple[Node, ...] = ()

    def then(self, node: Node) -> _Moves:
        """With one more."""
        return _Moves(self.source, (*self.steps, node))

    @property
    def shape(self) -> Shape:
        """Of the result."""
        return self.steps[-1].shape if self.steps else self.source

    @property
    def once(self) -> bool:
        """Whether the last moves each entry to one place."""
        data = self.steps[-1].data
        if isinstance(data, OuterIndex):
            return all(
                index.size == size == len(np.unique(index)) for index, size in zip(data.along, data.source, strict=True)
            )
        return bool(data.size == prod(self.source) == len(np.unique(data)))

    def back(self, x: Ints) -> Ints:
        """An array that broadcasts to the result, with its entries where they come from."""
        before = [self.source, *(step.shape for step in self.steps)]
        for step, shape in zip(reversed(self.steps), reversed(before[:-1]), strict=True):
            if step.op == "transpose":
                x = x.transpose(np.argsort(step.data))
            elif step.op == "reshape":
                x = regrouped(x, step.shape, shape)
            else:
                table: Ints = OPERATIONS[step.op].value(Numbers(), step, [places(shape)])
                whole = np.empty(prod(shape), dtype=np.int64)
                whole[table.ravel()] = np.broadcast_to(x, step.shape).ravel()
                x = whole.reshape(shape)
        return compressed(x)


def _vanishing_somewhere(program: Program) -> set[int]:
    """Nodes some entries of which vanish for all parameters and probes, where that is quickly seen."""
    zeros = any(node.op == "constant" and not np.all(node.data != 0) for node in program.nodes)
    if not zeros or sum(prod(node.shape) for node in program.nodes) > MAX_EQUATIONS:
        return set()
    ones = {node.data: np.ones(node.shape, dtype=np.float32) for node in program.nodes if node.op in LEAVES}
    return {n for n, value in enumerate(program.run(Support(), ones)) if not np.all(value > 0)}


def _rows_and_columns(taken: _Moves, contracted: int, units: Units) -> list[Ints]:
    """Units for the rows and columns of the matrices taken, as arrays that broadcast to the parameter's shape."""
    free, out = -3 - contracted, list[Ints]()
    for kept, dropped in ((free, contracted), (contracted, free)):
        if taken.shape[kept] > 1 or (kept == free and taken.shape[contracted] == 1):  # one row: its columns say all
            size = list(taken.shape)
            size[dropped] = 1
            out.append(taken.back(units.fresh(tuple(size))))
    return out
