r"""Sparse members of a family that are sure to move given coordinates at a sparse point.

For a coordinate $\theta_j$ a random monomial of the program's output is drawn that holds it, and otherwise factors that
do not vanish at the point: walk from the entry $\theta_j$ up to the output, then from every factor met on the way down
to the leaves. With $\xi$ the indicator of the probes met and C that of the output, the member $\nabla_\theta \langle C,
g(\theta, \xi) \rangle$ has that monomial's derivative among the terms of its j-th component. For a bracket $[X, Y]$ the
monomial of X may hold one more factor $\theta_l$, even one that vanishes, which Y is to move: $\partial X \, Y$ then
moves $\theta_j$. All coordinates are walked at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.terms import Ints
from clexact.programs.program import Node, Numbers, Program, Shape
from clexact.programs.sparse_jets import Part, raveled

Mask = NDArray[np.bool_]
TRIES = 6  # walks from a coordinate before it is given up


class Support(Numbers):
    """The algebra of what may differ from zero: 0 or 1 for each entry."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(value != 0, dtype=np.float32)

    def add(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.maximum(a, b))

    def matmul(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.matmul(a, b) > 0, dtype=np.float32)

    def sum(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        return np.asarray(np.max(a, axis=axis))


@dataclass(frozen=True)
class Touching:
    """For each walk that came to an end: which one, a row of sparse seeds, and another factor of the monomial."""

    walk: Ints
    seeds: Part  # rows as in ``walk``; values 1
    partner: Ints  # -1 where the monomial has no other factor


class MonomialPaths:
    """Random monomials of a program at a point with the given support (D,).

    ``offsets`` says where each parameter begins in theta, ``probes`` where each probe begins in a row of seeds, and
    ``covector`` where C does.
    """

    def __init__(
        self,
        program: Program,
        offsets: dict[str, int],
        probes: dict[str, int],
        covector: int,
        support: Mask,
        draws: Draws,
    ) -> None:
        self._program, self._offsets, self._probes, self._draws = program, offsets, probes, draws
        self._covector, self._support = covector, support
        shapes = {node.data: node.shape for node in program.nodes if node.op in ("parameter", "probe")}
        ones = {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}
        here = ones | {
            name: support[first : first + prod(shapes[name])].reshape(shapes[name]).astype(np.float32)
            for name, first in offsets.items()
            if name in shapes
        }
        self._alive = [value > 0 for value in program.run(Support(), here)]
        self._possible = [value > 0 for value in program.run(Support(), ones)]
        self._leading = [np.zeros(node.shape, dtype=bool) for node in program.nodes]  # entries that lead to the output
        self._leads = {loose: self._find_leads(self._possible if loose else self._alive) for loose in (False, True)}

    def _find_leads(self, factors: list[Mask]) -> list[list[tuple[int, int, Mask]]]:
        """For each node, (node, which operand of it, from which entries): ways on that lead to the output."""
        nodes, output = self._program.nodes, self._program.output
        leads: list[list[tuple[int, int, Mask]]] = [[] for _ in nodes]
        for i in range(output, -1, -1):
            here = np.zeros(nodes[i].shape, dtype=bool) if i != output else np.ones(nodes[i].shape, dtype=bool)
            for _, _, mask in leads[i]:
                here = here | mask
            self._leading[i] |= here
            for k, j in enumerate(nodes[i].inputs):
                mask = _pulled_back(self._program, i, k, factors, here)
                if mask.any():
                    leads[j].append((i, k, mask))
        return leads

    def _pick(self, count: int | Ints, samples: int) -> Ints:
        """Random integers below ``count``."""
        return np.asarray(self._draws.residues((samples,), 2**40).astype(np.int64) % count)

    def _weights(self, samples: int, choices: int) -> Ints:
        """(samples, choices) positive numbers, in each row a random rotation of 1, 2, ...: the largest is chosen."""
        return 1 + (np.arange(choices) + self._pick(max(1, choices), samples)[:, None]) % max(1, choices)

    def touching(self, coordinates: Ints, loose: bool) -> Touching:
        """A walk for each coordinate; with ``loose``, one factor may vanish at the point. Some find no end."""
        left, found = np.arange(len(coordinates)), []
        for _ in range(TRIES):
            walk = _Walk(self, coordinates[left], loose)
            walk.up()
            walk.down()
            part = walk.result()
            found.append(Touching(left[part.walk], part.seeds, part.partner))
            left = np.delete(left, part.walk)
            if not len(left):
                break
        return _together(found)


def _together(parts: list[Touching]) -> Touching:
    """All walks of several lists, their rows numbered on."""
    rows = np.cumsum([0] + [len(part.walk) for part in parts])
    row = np.concatenate([part.seeds.rows + first for part, first in zip(parts, rows, strict=False)])
    place, value = (np.concatenate([getattr(part.seeds, name) for part in parts]) for name in ("place", "value"))
    walk, partner = (np.concatenate([getattr(part, name) for part in parts]) for name in ("walk", "partner"))
    return Touching(walk, Part(parts[0].seeds.shape, row, place, value), partner)


class _Walk:
    """The state of all walks: where each is, which factors it has met, and which leaves."""

    def __init__(self, walks: MonomialPaths, coordinates: Ints, loose: bool) -> None:
        self.of, self.nodes = walks, walks._program.nodes
        self.coordinates, n = coordinates, len(coordinates)
        self.ok: Mask = np.ones(n, dtype=bool)
        self.done: Mask = np.zeros(n, dtype=bool)
        self.loose, self.slack = loose, np.full(n, loose)
        self.next, self.operand, self.place = np.full(n, -1), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.demands: list[list[tuple[Ints, Ints]]] = [[] for _ in self.nodes]  # (walks, places) at each node
        self.factors: list[tuple[Ints, Ints]] = []  # (walks, coordinates)
        self.seeds: list[tuple[Ints, Ints]] = []  # (walks, places in the seeds)

    def _go_on(self, node: int, which: Ints, place: Ints) -> None:
        """MonomialPaths that have come to a place of a node choose where to go from there."""
        self.place[which] = place
        leads = self.of._leads[self.loose][node]
        self.next[which] = -1
        if node == self.of._program.output:
            self.done[which] = True
        elif leads and len(which):
            open_ways = np.stack([mask.ravel()[place] for _, _, mask in leads], axis=1)
            chosen = (open_ways * self.of._weights(*open_ways.shape)).argmax(axis=1)
            ways = np.array([(i, k) for i, k, _ in leads])[chosen]
            self.next[which], self.operand[which] = ways[:, 0], ways[:, 1]

    def up(self) -> None:
        """From the coordinates to the output, noting the factors that stand beside."""
        for i, node in enumerate(self.nodes):
            if node.op == "parameter":
                first = self.of._offsets[node.data]
                here = np.flatnonzero((self.coordinates >= first) & (self.coordinates < first + prod(node.shape)))
                self._go_on(i, here, self.coordinates[here] - first)
            for k in range(len(node.inputs)):
                here = np.flatnonzero(self.ok & (self.next == i) & (self.operand == k))
                if len(here):
                    place, good = self._step_up(i, k, here)
                    self.ok[here[~good]] = False
                    self._go_on(i, here[good], place[good])

    def _step_up(self, i: int, k: int, here: Ints) -> tuple[Ints, Mask]:
        """From operand k to the node: the new places, and which walks could go there."""
        node = self.nodes[i]
        shape, own, n = node.shape, self.nodes[node.inputs[k]].shape, len(here)
        good: Mask = np.ones(n, dtype=bool)
        at = list(np.unravel_index(self.place[here], own)) if own else []
        match node.op:
            case "add":
                return raveled(self._lifted(at, own, shape), shape, n), good
            case "multiply":
                place = raveled(self._lifted(at, own, shape), shape, n)
                other = node.inputs[1 - k]
                beside = _projected(place, shape, self.nodes[other].shape)
                return place, self._demand(other, here, beside)
            case "matmul":
                return self._beside_matmul(node, k, here, at)
            case "transpose":
                return raveled([at[axis] for axis in node.data], shape, n), good
            case "reshape":
                return self.place[here], good
            case "sum":
                return raveled([c for t, c in enumerate(at) if t != node.data], shape, n), good
            case "concatenate":
                at[node.data] = at[node.data] + sum(self.nodes[j].shape[node.data] for j in node.inputs[:k])
                return raveled(at, shape, n), good
            case _:  # take
                table = _rows_of(node.data.ravel(), self.of._leading[i].ravel(), prod(own))
                return self._chosen_in_row(table, self.place[here])

    def _lifted(self, at: list[Ints], own: Shape, shape: Shape) -> list[Ints]:
        """Coordinates in a larger shape: any along the axes on which the operand is repeated."""
        return [
            c if size == wide else self.of._pick(wide, len(c)) for c, size, wide in zip(at, own, shape, strict=True)
        ]

    def _demand(self, node: int, here: Ints, places: Ints) -> Mask:
        """Note entries of a node as factors; those that vanish use up the slack."""
        alive = self.of._alive[node].ravel()[places]
        possible = self.of._possible[node].ravel()[places]
        good: Mask = alive | (possible & self.slack[here])
        self.slack[here[good & ~alive]] = False
        self.demands[node].append((here[good], places[good]))
        return good

    def _beside_matmul(self, node: Node, k: int, here: Ints, at: list[Ints]) -> tuple[Ints, Mask]:
        """The factor beside an entry in a matrix product: any in the row or column that meets it."""
        other = node.inputs[1 - k]
        theirs, stack = self.nodes[other].shape, node.shape[:-2]
        lifted = self._lifted(at[:-2], self.nodes[node.inputs[k]].shape[:-2], stack)
        kept, met = (at[-2], at[-1]) if k == 0 else (at[-1], at[-2])
        above = [c if size > 1 else 0 * c for c, size in zip(lifted, theirs[:-2], strict=True)]
        free = theirs[-1] if k == 0 else theirs[-2]
        rows = raveled([*above, met], (*theirs[:-2], theirs[-2] if k == 0 else theirs[-1]), len(here))
        found, good = np.zeros(len(here), dtype=np.int64), np.zeros(len(here), dtype=bool)
        may = self.slack[here] & (self.of._pick(2, len(here)) == 1)
        for loose, masks in ((False, self.of._alive), (True, self.of._possible)):
            mine = may == loose
            mask = masks[other] if k == 0 else masks[other].swapaxes(-1, -2)
            table = _table(mask.reshape(-1, free))
            found[mine], good[mine] = self._chosen_in_row(table, rows[mine])
        pair = [met, found] if k == 0 else [found, met]
        beside = raveled([*above, *pair], theirs, len(here))
        good[good] = self._demand(other, here[good], beside[good])
        out = [*lifted, kept, found] if k == 0 else [*lifted, found, kept]
        return raveled(out, node.shape, len(here)), good

    def _chosen_in_row(self, table: tuple[Ints, Ints], rows: Ints) -> tuple[Ints, Mask]:
        """A random member of each row of a table, and whether there is one."""
        start, members = table
        count = start[rows + 1] - start[rows]
        good = count > 0
        found = np.zeros(len(rows), dtype=np.int64)
        found[good] = members[start[rows[good]] + self.of._pick(count[good], int(good.sum()))]
        return found, good

    def down(self) -> None:
        """From the factors to the leaves."""
        for i in range(len(self.nodes) - 1, -1, -1):
            for here, place in self.demands[i]:
                self._step_down(i, here, place)

    def _step_down(self, i: int, here: Ints, place: Ints) -> None:
        node = self.nodes[i]
        at = list(np.unravel_index(place, node.shape)) if node.shape else []
        n = len(here)
        match node.op:
            case "parameter":
                self.factors.append((here, place + self.of._offsets[node.data]))
            case "probe":
                self.seeds.append((here, place + self.of._probes[node.data]))
            case "constant":
                pass
            case "add":
                places = [_projected(place, node.shape, self.nodes[j].shape) for j in node.inputs]
                self._descend_one(node.inputs, here, places)
            case "multiply":
                for j in node.inputs:
                    self.demands[j].append((here, _projected(place, node.shape, self.nodes[j].shape)))
            case "matmul":
                self._descend_matmul(node, here, at)
            case "transpose":
                source = self.nodes[node.inputs[0]].shape
                back = [at[int(t)] for t in np.argsort(node.data)]
                self.demands[node.inputs[0]].append((here, raveled(back, source, n)))
            case "reshape":
                self.demands[node.inputs[0]].append((here, place))
            case "take":
                self.demands[node.inputs[0]].append((here, node.data.ravel()[place]))
            case "concatenate":
                first = 0
                for j in node.inputs:
                    size = self.nodes[j].shape[node.data]
                    mine = (at[node.data] >= first) & (at[node.data] < first + size)
                    own = [c[mine] - first * (t == node.data) for t, c in enumerate(at)]
                    self.demands[j].append((here[mine], raveled(own, self.nodes[j].shape, int(mine.sum()))))
                    first += size
            case _:  # sum
                source = self.nodes[node.inputs[0]].shape
                along = [[*at[: node.data], np.full(n, c), *at[node.data :]] for c in range(source[node.data])]
                self._descend_one([node.inputs[0]] * len(along), here, [raveled(c, source, n) for c in along])

    def _descend_one(self, inputs: Any, here: Ints, places: list[Ints]) -> None:
        """Go on to one of several terms of a sum: one that does not vanish, if there is one."""
        alive = np.array([self.of._alive[j].ravel()[place] for j, place in zip(inputs, places, strict=True)])
        possible = np.array([self.of._possible[j].ravel()[place] for j, place in zip(inputs, places, strict=True)])
        usable = np.where(alive.any(axis=0), alive, possible)
        weight = usable * self.of._weights(*usable.T.shape).T
        best = weight.argmax(axis=0)
        for k, (j, place) in enumerate(zip(inputs, places, strict=True)):
            mine = best == k
            self.demands[j].append((here[mine], place[mine]))

    def _descend_matmul(self, node: Node, here: Ints, at: list[Ints]) -> None:
        """Go on to one product of an entry of a matrix product: with both factors alive if there is such, else one."""
        a, b = node.inputs
        shape_a, shape_b = self.nodes[a].shape, self.nodes[b].shape
        step = max(1, 2**24 // max(1, shape_a[-1]))
        for first in range(0, len(here), step):
            part = slice(first, first + step)
            stack = [c[part] for c in at[:-2]]
            on_a = [c if size > 1 else 0 * c for c, size in zip(stack, shape_a[:-2], strict=True)]
            on_b = [c if size > 1 else 0 * c for c, size in zip(stack, shape_b[:-2], strict=True)]
            row, column = at[-2][part], at[-1][part]
            live_a = self.of._alive[a][(*on_a, row)]
            live_b = self.of._alive[b].swapaxes(-1, -2)[(*on_b, column)]
            alive = live_a & live_b
            some = alive.any(axis=1)
            if not some.all():
                live_a, live_b = self.of._alive[a][(*on_a, row)], self.of._alive[b].swapaxes(-1, -2)[(*on_b, column)]
                may_a, may_b = (
                    self.of._possible[a][(*on_a, row)],
                    self.of._possible[b].swapaxes(-1, -2)[(*on_b, column)],
                )
                alive[~some] = ((live_a & may_b) | (may_a & live_b))[~some]
            self.ok[here[part][~alive.any(axis=1)]] = False
            q = (alive * self.of._weights(*alive.shape)).argmax(axis=1)
            self.demands[a].append((here[part], raveled([*on_a, row, q], shape_a, len(q))))
            self.demands[b].append((here[part], raveled([*on_b, q, column], shape_b, len(q))))

    def result(self) -> Touching:
        """The walks that came to an end."""
        kept = np.flatnonzero(self.ok & self.done)
        row_of = np.full(len(self.ok), -1)
        row_of[kept] = np.arange(len(kept))
        ends = (kept, self.of._covector + self.place[kept])
        walk, place = (np.concatenate(parts) for parts in zip(ends, *self.seeds, strict=True))
        row, place = row_of[walk[row_of[walk] >= 0]], place[row_of[walk] >= 0]
        size = self.of._covector + prod(self.of._program.shape)
        row, place = np.divmod(np.unique(row * size + place), size)
        seeds = Part((size,), row, place, np.ones(len(row), dtype=np.uint64))
        return Touching(kept, seeds, self._partners()[kept])

    def _partners(self) -> Ints:
        """For each walk one of its factors: one that vanishes, if there is such."""
        partner = np.full(len(self.ok), -1)
        none = np.empty(0, dtype=np.int64)
        walk, factor = (np.concatenate([none, *parts]) for parts in zip((none, none), *self.factors, strict=True))
        weight = 1 + self.of._pick(2**20, len(walk)) + 2**20 * ~self.of._support[factor]
        order = np.argsort(weight, kind="stable")
        partner[walk[order]] = factor[order]  # the last one, of largest weight, stays
        return partner


def _projected(place: Ints, shape: Shape, own: Shape) -> Ints:
    """Places in an operand of shape ``own``, of places in a result to which it is broadcast."""
    if own == shape:
        return place
    at = np.unravel_index(place, shape)
    return raveled([c if size > 1 else 0 * c for c, size in zip(at, own, strict=True)], own, len(place))


def _table(mask: Mask) -> tuple[Ints, Ints]:
    """(where each row begins, members): the columns in which each row of a mask is true."""
    start = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return start, np.nonzero(mask)[1]


def _rows_of(index: Ints, leading: Mask, size: int) -> tuple[Ints, Ints]:
    """(where each row begins, members): the places that lead on at which an index array holds 0, 1, ..., size - 1."""
    order = np.argsort(index, kind="stable")
    order = order[leading[order]]
    return np.searchsorted(index[order], np.arange(size + 1)), order


def _pulled_back(program: Program, i: int, k: int, factors: list[Mask], here: Mask) -> Mask:
    """The entries of operand k of node i from which entries ``here`` of the node are reached, beside such factors."""
    node, j = program.nodes[i], program.nodes[i].inputs[k]
    shape = program.nodes[j].shape
    match node.op:
        case "add":
            return _any_repeated(here, shape)
        case "multiply":
            return _any_repeated(here & factors[node.inputs[1 - k]], shape)
        case "matmul":
            other = factors[node.inputs[1 - k]].swapaxes(-1, -2).astype(np.float32)
            found = here.astype(np.float32)
            return _any_repeated((np.matmul(found, other) if k == 0 else np.matmul(other, found)) > 0, shape)
        case "transpose":
            return here.transpose(np.argsort(node.data))
        case "reshape":
            return here.reshape(shape)
        case "concatenate":
            first = sum(program.nodes[m].shape[node.data] for m in node.inputs[:k])
            return here.take(range(first, first + shape[node.data]), axis=node.data)
        case "sum":
            return np.broadcast_to(np.expand_dims(here, node.data), shape)
        case _:  # take
            out = np.zeros(prod(shape), dtype=bool)
            out[np.asarray(node.data)[here]] = True
            return out.reshape(shape)


def _any_repeated(mask: Mask, shape: Shape) -> Mask:
    """Whether any of the entries that repeat an entry of an operand of this shape."""
    for axis, size in enumerate(shape):
        if mask.shape[axis] != size:
            mask = np.logical_or.reduce(mask, axis=axis, keepdims=True)
    return mask
