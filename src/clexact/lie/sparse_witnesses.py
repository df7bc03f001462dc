r"""Sparse witnesses: brackets of sparse members at a sparse point, whose rank sparse elimination finds at any size.

Any integer point and any members prove a lower bound of $\dim W_\infty$. Two points are tried: one on which every
matrix is diagonal, wrapped around if it is not square, and one without zeros, where sparse seeds alone keep the rows
sparse (a unit of a ReLU network moves only its own weights). Members are drawn so that each coordinate is moved by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.lie.closure import MAX_DEPTH, SpanBuilder, SparseWitness, nested_bracket
from clexact.programs.places import Mask
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, SparseJets, collected, compressed
from clexact.support.progress import Progress

SPARSE_FROM = 500  # dimension from which sparse witnesses are tried first
EXTRA = 1  # entries beside the diagonal in each row of the second point, about
MOST_FILL = 128  # entries of the echelon form for each coordinate, on the average
CHUNK = 2**14  # rows evaluated at a time, at most
PER_RANK = 16  # rows evaluated at a time for each unit of the rank that the laws leave
SPARSE_COST = 800.0  # nanoseconds for an entry handled by sparse jets, which are so in about five passes
DENSE_COST, ELIMINATION_COST = 30.0, 0.12  # for a number of a dense member; for D^3 of the dense elimination
SHORT = 2e9  # nanoseconds that are tried in any case
SAMPLE = 16  # coordinates from which the work is estimated
SPARE = 2  # coordinates tried again for each unit of rank that is missing
MISSES = 3  # rounds of members that do not raise the rank before a level counts as exhausted


def sparsely_evaluated(flow: Flow) -> GradientFlow | None:
    """The gradients of which sparse members have values: not below roots, which few sparse inputs have.

    Nor where gates must be some of those at which logarithms are shown to be independent.
    """
    gradients = flow.bracketed_gradients
    seldom = gradients is None or "rsqrt" in gradients.program.functions or gradients.chosen_gates
    return None if seldom else gradients


def dense_cost(flow: Flow) -> float:
    """Nanoseconds that dense members of all coordinates and their elimination take, about."""
    return flow.dimension * flow.work * DENSE_COST + flow.dimension**3 * ELIMINATION_COST


def supports(flow: GradientFlow, draws: Draws) -> Iterator[Mask]:
    """Where the points that are tried do not vanish."""
    shapes = flow.model.parameters.values()
    if flow.analytic and any(len(shape) == 1 for shape in shapes) and any(len(shape) > 1 for shape in shapes):
        yield np.concatenate([wrapped_diagonal(s).ravel() & (len(s) > 1) for s in shapes])  # most units are at rest
    numbers = [int(found[1]) if (found := re.search(r"(\d+)$", name)) else 1 for name in flow.model.parameters]
    if flow.analytic and len(set(numbers)) > 1:  # an output sees all heads at once: each has inputs of its own
        yield np.concatenate([wrapped_diagonal(s, block=n - 1).ravel() for s, n in zip(shapes, numbers, strict=True)])
    diagonal = np.concatenate([wrapped_diagonal(shape).ravel() for shape in shapes])
    yield diagonal
    longest = np.concatenate([np.full(prod(shape), max(shape, default=1)) for shape in shapes])
    yield diagonal | (draws.residues((flow.dimension,), 2**32).astype(np.int64) % longest < EXTRA)
    yield np.ones(flow.dimension, dtype=bool)


def wrapped_diagonal(shape: tuple[int, ...], block: int | None = None) -> Mask:
    """True where the places along the two longest axes are equal modulo the shorter one; vectors have no zeros.

    With ``block``, in one square of so many rows only: the one of this number, counted around.
    """
    long = sorted(sorted(range(len(shape)), key=lambda axis: -shape[axis])[:2])
    if len(long) < 2 or min(shape[axis] for axis in long) == 1:
        return np.ones(shape, dtype=bool)
    i, k = (np.expand_dims(np.arange(shape[axis]), [t for t in range(len(shape)) if t != axis]) for axis in long)
    rows, columns = (shape[axis] for axis in long)
    if block is None:
        return np.broadcast_to((i - k) % min(rows, columns) == 0, shape)
    first = block * columns if rows >= columns else -block * rows
    return np.broadcast_to((i - k - first) % max(rows, columns) == 0, shape)


class SparseSpanBuilder(SpanBuilder[SparseForm, SparseWitness]):
    """Sparse members at a sparse point.

    ``symmetric``: how many of the innermost brackets are symmetric products instead.
    """

    symmetric = 0
    entries = 0  # handled so far

    def __init__(self, flow: GradientFlow, support: Mask, prime: int, draws: Draws) -> None:
        point = np.where(support, 1 + draws.residues((flow.dimension,), prime - 1), np.uint64(0))
        super().__init__(point, prime, SparseForm(flow.dimension, prime))
        self._flow, self._walks, self._draws = flow, flow.monomial_paths(support, draws), draws

    def dear(self, limit: int) -> bool:
        """Whether dense brackets of this rank are sure to take less time: rows that are not sparse, few coordinates."""
        return limit > SAMPLE and self._work() * SPARSE_COST > max(dense_cost(self._flow), SHORT)

    def _work(self) -> int:
        """Entries handled to evaluate members that move all coordinates once, estimated from some."""
        step = max(1, self._flow.dimension // SAMPLE)
        reached, seeds = self._drawn(np.arange(0, self._flow.dimension, step), 0)
        if not len(reached):
            return 0
        ring = self._flow.sparse_ring(self.prime, len(reached))
        self._values(seeds, ring)
        return ring.entries * self._flow.dimension // len(reached)

    def run(self, limit: int, max_depth: int | None, progress: Progress | None) -> None:
        """Draw members level by level until the rank is ``limit`` or the depth is exhausted; MemoryError on fill-in."""
        for depth in range((MAX_DEPTH if max_depth is None else max_depth) + 1):
            self.run_level(depth, limit, progress)
            self._finished.append(self.form.rank)
            stalled = depth > 0 and self._finished[-1] == self._finished[-2]
            if self.form.rank >= limit or stalled:
                break

    def run_level(self, depth: int, limit: int, progress: Progress | None) -> None:
        """Draw members of one level until the rank is ``limit`` or they do not raise it."""
        missed, sought = 0, np.arange(self._flow.dimension)
        step = min(CHUNK, PER_RANK * max(1, limit))
        while self.form.rank < limit and missed < MISSES:
            before = self.form.rank
            for first in range(0, len(sought), step):
                self._add(depth, sought[first : first + step])
                if progress:
                    progress(f"sparse brackets of depth {depth}", self.form.rank, limit)
                if self.form.rank >= limit:
                    break
            missed = 0 if self.form.rank > before else missed + 1
            everywhere = np.arange(self._flow.dimension)  # again where the coordinates still free did not help
            sought = self._some(everywhere, limit) if missed else np.setdiff1d(everywhere, self.form.pivots)

    def _some(self, coordinates: Ints, limit: int) -> Ints:
        """All coordinates; where members with functions are dear and as good as any, some at random."""
        count = SPARE * (limit - self.form.rank)
        if not self._flow.analytic or count >= len(coordinates):
            return coordinates
        return np.unique(self._draws.residues((count,), 2**40).astype(np.int64) % len(coordinates))

    def values(self, witness: SparseWitness) -> Words:
        """Values (members, D) of a witness at the point, dense."""
        rows = int(witness.seeds[0].rows.max(initial=-1)) + 1
        found, out = (
            self._values(list(witness.seeds), self._flow.sparse_ring(self.prime, rows)),
            np.zeros((rows, self._flow.dimension), dtype=np.uint64),
        )
        out[found.rows, found.place] = found.value
        return out

    def _add(self, depth: int, coordinates: Ints) -> None:
        """Members that move these coordinates."""
        reached, seeds = self._drawn(coordinates, depth)
        rows = len(reached)
        if not rows:
            return
        fresh = self.form.add(
            *compressed(self._values(seeds, self._flow.sparse_ring(self.prime, rows)), rows),
            MOST_FILL * self._flow.dimension,
        )
        if fresh.any():
            self.witnesses.append(SparseWitness(depth, tuple(_selected(part, fresh) for part in seeds)))

    def _drawn(self, coordinates: Ints, depth: int) -> tuple[Ints, list[Part]]:
        """(which coordinates were reached, seeds of brackets that move them)."""
        found = self._walks.touching(coordinates, loose=depth > 0)
        seeds = self._flow.sparse_seeds(found.seeds, self._draws, self.prime)
        if depth == 0:
            return found.walk, [seeds]
        paired = found.partner >= 0
        outer, partner = _selected(seeds, paired), found.partner[paired]
        reached, inner = self._drawn(partner, depth - 1)
        return found.walk[paired][reached], [_reordered(outer, reached, len(partner)), *inner]

    def _values(self, seeds: list[Part], ring: SparseJets) -> Part:
        place = np.flatnonzero(self.point)
        theta: SparseJet = {0: Part((self._flow.dimension,), None, place, self.point[place])}
        found = nested_bracket(
            ring, lambda at, row: self._flow.sparse_values(at, row, ring), seeds, theta, 0, self.symmetric
        )
        self.entries += ring.entries
        none = np.empty(0, dtype=np.int64)
        part = found.get(ROWS, Part((self._flow.dimension,), none, none, np.empty(0, dtype=np.uint64)))
        value = part.value % np.uint64(self.prime)  # the ring may be one modulo a multiple of it
        return part if (value == part.value).all() else collected(replace(part, value=value), self.prime)


def _reordered(part: Part, order: Ints, rows: int) -> Part:
    """The rows ``order``, all different, of ``rows``, in this order."""
    number = np.full(rows, -1)
    number[order] = np.arange(len(order))
    kept = number[part.rows] >= 0
    return Part(part.shape, number[part.rows[kept]], part.place[kept], part.value[kept])


def _selected(part: Part, which: Mask) -> Part:
    """Some rows, numbered anew."""
    return _reordered(part, np.flatnonzero(which), len(which))
