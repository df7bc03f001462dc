r"""Sparse members of a family that are sure to move given coordinates at a sparse point.

For a coordinate $\theta_j$ a random monomial of the program's output is drawn that holds it, and otherwise factors that
do not vanish at the point: walk from the entry $\theta_j$ up to the output, then from every factor met on the way down
to the leaves. With $\xi$ the indicator of the probes met and C that of the output, the member $\nabla_\theta \langle C,
g(\theta, \xi) \rangle$ has that monomial's derivative among the terms of its j-th component. For a bracket $[X, Y]$ the
monomial of X may hold one more factor $\theta_l$, even one that vanishes, which Y is to move: $\partial X \, Y$ then
moves $\theta_j$. All coordinates are walked at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.terms import Ints
from clexact.programs.algebras import Support
from clexact.programs.operations import OPERATIONS
from clexact.programs.places import Mask
from clexact.programs.program import LEAVES, Program
from clexact.programs.sparse_jets import Part

TRIES = 6  # walks from a coordinate before it is given up


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
        self.program, self.first, self.draws = program, {"parameter": offsets, "probe": probes}, draws
        self.covector, self.support = covector, support
        shapes = {node.data: node.shape for node in program.nodes if node.op in LEAVES}
        ones = {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}
        here = ones | {
            name: support[first : first + prod(shapes[name])].reshape(shapes[name]).astype(np.float32)
            for name, first in offsets.items()
            if name in shapes
        }
        self.alive = [value > 0 for value in program.run(Support(), here)]
        self.possible = [value > 0 for value in program.run(Support(), ones)]
        self.leading = [np.zeros(node.shape, dtype=bool) for node in program.nodes]  # entries that lead to the output
        self.leads = {loose: self._find_leads(self.possible if loose else self.alive) for loose in (False, True)}

    def _find_leads(self, factors: list[Mask]) -> list[list[tuple[int, int, Mask]]]:
        """For each node, (node, which operand of it, from which entries): ways on that lead to the output."""
        nodes, output = self.program.nodes, self.program.output
        leads: list[list[tuple[int, int, Mask]]] = [[] for _ in nodes]
        for i in range(output, -1, -1):
            node = nodes[i]
            here = np.zeros(node.shape, dtype=bool) if i != output else np.ones(node.shape, dtype=bool)
            for _, _, mask in leads[i]:
                here = here | mask
            self.leading[i] |= here
            shapes, operands = self.program.shapes(node), [factors[j] for j in node.inputs]
            for k, j in enumerate(node.inputs):
                mask = OPERATIONS[node.op].leads(node, k, shapes, operands, here)
                if mask.any():
                    leads[j].append((i, k, mask))
        return leads

    def pick(self, count: int | Ints, samples: int) -> Ints:
        """Random integers below ``count``."""
        return np.asarray(self.draws.residues((samples,), 2**40).astype(np.int64) % count)

    def weights(self, samples: int, choices: int) -> Ints:
        """(samples, choices) positive numbers, in each row a random rotation of 1, 2, ...: the largest is chosen."""
        return 1 + (np.arange(choices) + self.pick(max(1, choices), samples)[:, None]) % max(1, choices)

    def touching(self, coordinates: Ints, loose: bool) -> Touching:
        """A walk for each coordinate; with ``loose``, one factor may vanish at the point. Some find no end."""
        left, parts = np.arange(len(coordinates)), list[Touching]()
        for _ in range(TRIES):
            walk = _Walk(self, coordinates[left], loose)
            walk.up()
            walk.down()
            part = walk.result()
            parts.append(Touching(left[part.walk], part.seeds, part.partner))
            left = np.delete(left, part.walk)
            if not len(left):
                break
        return _together(parts)


def _together(parts: list[Touching]) -> Touching:
    """All walks of several lists, their rows numbered on."""
    rows = np.cumsum([0] + [len(part.walk) for part in parts])
    row = np.concatenate([part.seeds.rows + first for part, first in zip(parts, rows, strict=False)])
    place, value = (np.concatenate([getattr(part.seeds, name) for part in parts]) for name in ("place", "value"))
    walk, partner = (np.concatenate([getattr(part, name) for part in parts]) for name in ("walk", "partner"))
    return Touching(walk, Part(parts[0].seeds.shape, row, place, value), partner)


class _Walk:
    """The state of all walks: where each is, which factors it has met, and which leaves (``operations.Walk``)."""

    def __init__(self, paths: MonomialPaths, coordinates: Ints, loose: bool) -> None:
        self.of, self.nodes = paths, paths.program.nodes
        self.coordinates, n = coordinates, len(coordinates)
        self.ok: Mask = np.ones(n, dtype=bool)
        self.done: Mask = np.zeros(n, dtype=bool)
        self.loose, self.slack = loose, np.full(n, loose)
        self.next, self.operand, self.place = np.full(n, -1), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.demands: list[list[tuple[Ints, Ints]]] = [[] for _ in self.nodes]  # (walks, places) at each node
        self.leaves: dict[str, list[tuple[Ints, Ints]]] = {"parameter": [], "probe": []}  # (walks, places in all)

    # -- what operations ask ----------------------------------------------------------------------------------------

    def pick(self, count: int | Ints, samples: int) -> Ints:
        return self.of.pick(count, samples)

    def pick_in_rows(self, table: tuple[Ints, Ints], rows: Ints) -> tuple[Ints, Mask]:
        start, members = table
        count = start[rows + 1] - start[rows]
        good = count > 0
        chosen = np.zeros(len(rows), dtype=np.int64)
        chosen[good] = members[start[rows[good]] + self.of.pick(count[good], int(good.sum()))]
        return chosen, good

    def pick_largest(self, usable: Ints | Mask) -> Ints:
        return np.asarray((usable * self.of.weights(*usable.shape)).argmax(axis=1))

    def leading(self, node: int) -> Mask:
        return self.of.leading[node]

    def alive(self, node: int) -> Mask:
        return self.of.alive[node]

    def possible(self, node: int) -> Mask:
        return self.of.possible[node]

    def may_vanish(self, which: Ints) -> Mask:
        return self.slack[which]

    def drop(self, which: Ints) -> None:
        self.ok[which] = False

    def meet(self, node: int, which: Ints, place: Ints) -> None:
        self.demands[node].append((which, place))

    def meet_beside(self, node: int, which: Ints, place: Ints) -> Mask:
        alive = self.of.alive[node].ravel()[place]
        good: Mask = alive | (self.of.possible[node].ravel()[place] & self.slack[which])
        self.slack[which[good & ~alive]] = False
        self.meet(node, which[good], place[good])
        return good

    def meet_one(self, nodes: Sequence[int], which: Ints, places: Sequence[Ints]) -> None:
        alive = np.array([self.of.alive[j].ravel()[place] for j, place in zip(nodes, places, strict=True)])
        possible = np.array([self.of.possible[j].ravel()[place] for j, place in zip(nodes, places, strict=True)])
        best = self.pick_largest(np.where(alive.any(axis=0), alive, possible).T)
        for k, (j, place) in enumerate(zip(nodes, places, strict=True)):
            self.meet(j, which[best == k], place[best == k])

    def meet_leaf(self, kind: str, name: str, which: Ints, place: Ints) -> None:
        self.leaves[kind].append((which, place + self.of.first[kind][name]))

    # -- the walks --------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """From the coordinates to the output, noting the factors that stand beside."""
        for i, node in enumerate(self.nodes):
            if node.op == "parameter":
                first = self.of.first["parameter"][node.data]
                here = np.flatnonzero((self.coordinates >= first) & (self.coordinates < first + prod(node.shape)))
                self._go_on(i, here, self.coordinates[here] - first)
            operation, shapes = OPERATIONS[node.op], self.of.program.shapes(node)
            for k in range(len(node.inputs)):
                here = np.flatnonzero(self.ok & (self.next == i) & (self.operand == k))
                if len(here):
                    place, good = operation.ascend(self, i, node, k, shapes, here, self.place[here])
                    self.ok[here[~good]] = False
                    self._go_on(i, here[good], place[good])

    def _go_on(self, node: int, which: Ints, place: Ints) -> None:
        """Walks that have come to a place of a node choose where to go from there."""
        self.place[which] = place
        leads = self.of.leads[self.loose][node]
        self.next[which] = -1
        if node == self.of.program.output:
            self.done[which] = True
        elif leads and len(which):
            open_ways = np.stack([mask.ravel()[place] for _, _, mask in leads], axis=1)
            ways = np.array([(i, k) for i, k, _ in leads])[self.pick_largest(open_ways)]
            self.next[which], self.operand[which] = ways[:, 0], ways[:, 1]

    def down(self) -> None:
        """From the factors to the leaves."""
        for i in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[i]
            for which, place in self.demands[i]:
                OPERATIONS[node.op].descend(self, node, self.of.program.shapes(node), which, place)

    def result(self) -> Touching:
        """The walks that came to an end."""
        kept = np.flatnonzero(self.ok & self.done)
        row_of = np.full(len(self.ok), -1)
        row_of[kept] = np.arange(len(kept))
        ends = (kept, self.of.covector + self.place[kept])
        walk, place = (np.concatenate(parts) for parts in zip(ends, *self.leaves["probe"], strict=True))
        row, place = row_of[walk[row_of[walk] >= 0]], place[row_of[walk] >= 0]
        size = self.of.covector + prod(self.of.program.shape)
        row, place = np.divmod(np.unique(row * size + place), size)
        seeds = Part((size,), row, place, np.ones(len(row), dtype=np.uint64))
        return Touching(kept, seeds, self._partners()[kept])

    def _partners(self) -> Ints:
        """For each walk one of its factors: one that vanishes, if there is such."""
        partner = np.full(len(self.ok), -1)
        none = np.empty(0, dtype=np.int64)
        walk, factor = (np.concatenate([none, *x]) for x in zip((none, none), *self.leaves["parameter"], strict=True))
        weight = 1 + self.of.pick(2**20, len(walk)) + 2**20 * ~self.of.support[factor]
        order = np.argsort(weight, kind="stable")
        partner[walk[order]] = factor[order]  # the last one, of largest weight, stays
        return partner
