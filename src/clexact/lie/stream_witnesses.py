r"""Sparse witnesses of networks with a residual stream, below norms: a transformer block at its true size.

Of each kind of input rows are drawn while they raise the rank, those of the layer first, which have pivots in its
columns: the matrix of all is then nearly block triangular, and sparse elimination does not fill in. What is missing
after that is sought: rows are evaluated of which it is known that they raise the rank. Entries that what is seen does
not depend on are left out, and inputs at which roots do not exist are dropped. Any point and any members prove a bound;
these are only chosen to be cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.flow import Flow
from clexact.flows.residues import ResidueGradientFlow
from clexact.lie.closure import MAX_DEPTH, SpanBuilder, SparseWitness, nested_bracket
from clexact.lie.directed import brackets_along, missing_direction
from clexact.lie.stream_inputs import ALIKE, StreamInputs
from clexact.lie.stream_kinds import Kind, Parts, columns, kinds, sparse_point
from clexact.programs.places import Mask
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, collected, compressed, repeated
from clexact.programs.streams import Stream, stream_of
from clexact.support.progress import Progress

MOST_FILL = 512  # entries of the echelon form for each coordinate, on the average
FIRST = 2**12  # inputs drawn at a time while most rows raise the rank, at most
PER_COORDINATE = 4  # one in so many coordinates, otherwise
FRESH = 0.2  # of the rows of a kind must raise the rank, for it to be drawn again
SOUGHT, MORE, MOST = 2**10, 4, 2**14  # inputs among which rows are sought; so many times as many when none is found
DIRECTIONS = 2**10  # sought at a time
PAIRED = 2**8  # gradients of which all brackets are looked at
DEEP = 2**5  # inputs for brackets of brackets, which are not sought
BARREN = 6  # rounds in a row that find nothing, until no more are made
SETTLED = 2**7  # candidates from which it is told whether norms are defined at the shared tokens
BASES = 2**6  # tokens tried for that
HEAVY = 2**40  # rows, more than there are: where other columns are left, they are pivots


def streaming(flow: Flow) -> tuple[ResidueGradientFlow, Stream] | None:
    """A flow of which this knows members, and the stream of its network; of attention alone others do as well."""
    gradients = flow.plain_gradients
    if not isinstance(gradients, ResidueGradientFlow) or gradients.program.gates:
        return None
    found = stream_of(gradients.program, gradients.model.probes)
    return (gradients, found) if found is not None and found.layered else None


@dataclass(frozen=True)
class Target:
    """Columns that rows of a kind are for, and the echelon form of the parts of rows there."""

    columns: Mask
    form: SparseForm

    @property
    def others(self) -> Ints:
        """All other columns."""
        return np.flatnonzero(~self.columns)

    def part(self, rows: Part) -> Part:
        """The entries there."""
        kept = self.columns[rows.place]
        return Part(rows.shape, rows.rows[kept], rows.place[kept], rows.value[kept])


class StreamSpanBuilder(SpanBuilder[SparseForm, SparseWitness]):
    """Members of a network with a residual stream at a sparse point; deep ones where gains ask for them.

    ``laws``: gradients of laws at the point, which no member has a part along.
    """

    def __init__(self, flow: ResidueGradientFlow, stream: Stream, prime: int, draws: Draws) -> None:
        parts = Parts.of(stream, dict(flow.model.parameters))
        super().__init__(sparse_point(flow, stream, parts, prime, draws), prime, SparseForm(flow.dimension, prime))
        self._flow, self._draws = flow, draws
        self.laws = self._nothing
        self._inputs = StreamInputs(flow, stream, parts, prime, draws)
        self._kinds = kinds(parts, stream.layered, bool(stream.gains), not stream.rooted)
        self._marks = flow.relevant_to(stream.tokens - 1)
        self._by_depth = [0] * (1 + max(kind.depth for kind in self._kinds.values()))
        self._targets = {
            kind.target: Target(columns(kind, flow, stream), SparseForm(flow.dimension, prime))
            for kind in self._kinds.values()
            if kind.target
        }
        for _ in range(BASES):
            if self._defined(self._inputs.seeds(self._kinds["scores"], SETTLED), SETTLED).any():
                break
            self._inputs.draw_base()

    @property
    def ranks(self) -> tuple[int, ...]:
        """Members of all depths are drawn in turn: of each, those that were independent when they came."""
        last = max((k for k, count in enumerate(self._by_depth) if count), default=0)
        return tuple(np.cumsum(self._by_depth[: last + 1]).tolist())

    def run(self, limit: int, max_depth: int | None, progress: Progress | None) -> None:
        """Add rows kind by kind until the rank is ``limit`` or none raises it; MemoryError on fill-in."""
        deepest = MAX_DEPTH if max_depth is None else max_depth
        for name, kind in self._kinds.items():
            later = 0.0 if kind.depth else 1.0
            while self.form.rank < limit and later >= FRESH:
                later = self._draw(kind, FIRST)
                if progress:
                    progress(f"sparse brackets, {name}", self.form.rank, limit)
        barren, count = 0, SOUGHT
        while self.form.rank < limit and barren < BARREN:
            before = self.form.rank
            for depth in range(min(deepest, len(self._by_depth) - 1) + 1):
                self._seek(depth, count, limit, progress)
            barren, count = (0, count) if self.form.rank > before else (barren + 1, min(MORE * count, MOST))

    def _draw(self, kind: Kind, most: int) -> float:
        """Add rows of a kind; the share of their later half that raised the rank: how it would go on."""
        count = min(most, max(SETTLED, self._flow.dimension // PER_COORDINATE))
        drawn = self._inputs.seeds(kind, count)
        group = np.arange(count) // (ALIKE if kind.depth else 1)
        defined = np.flatnonzero(self._defined(drawn, count))
        group, k = group[defined], kind.depth
        first = np.flatnonzero(group[k:] == group[: len(group) - k])  # in a group, each with those that follow
        fresh = self._add([_taken(drawn, defined[first + n]) for n in range(k + 1)], kind)
        return float(fresh[len(first) // 2 :].mean()) if len(first) else 0.0

    def _add(self, seeds: list[Part], kind: Kind) -> Mask:
        """Add these rows; which raise the rank, by their parts in the target of their kind, if it has one."""
        rows = int(seeds[0].rows.max(initial=-1)) + 1
        values, target, most = self._values(seeds, rows), self._targets.get(kind.target), self._most
        start, column, value, order = compressed(values, rows)
        if target is None:
            fresh = self._added(start, column, value, order)
        else:
            new = target.form.add(*compressed(target.part(values), rows), most)
            self.form.weigh(target.others, HEAVY)
            fresh = self.form.add(start, column, value, order[new[order]], most)
            self.form.weigh(target.others, -HEAVY)
        if fresh.any():
            kept = np.flatnonzero(fresh)
            self.witnesses.append(SparseWitness(kind.depth, tuple(_taken(part, kept) for part in seeds)))
            self._by_depth[kind.depth] += len(kept)
        return fresh

    def _added(self, start: Ints, column: Ints, value: Words, order: Ints) -> Mask:
        """Which rows raise the rank; not reduced are those orthogonal to a random vector that all rows so far are.

        Most of a kind that is nearly spent are in the span of these. One that is not is left out with odds 1 / p.
        """
        vector = self.form.annihilator(self._draws.residues((self._flow.dimension,), self.prime))
        moved = self.form.products(start, column, value, vector) != 0
        return self.form.add(start, column, value, order[moved[order]], self._most)

    @property
    def _most(self) -> int:
        return MOST_FILL * self._flow.dimension

    # -- rows that are known to raise the rank ------------------------------------------------------------------------

    def _seek(self, depth: int, count: int, limit: int, progress: Progress | None) -> None:
        """Add rows of one depth along missing directions, from so many inputs of each kind in turn, while there are."""
        left = [name for name, kind in self._kinds.items() if kind.depth == depth]
        while left:
            for name in left.copy():
                before, again = self.form.rank, True
                while self.form.rank < limit and again:
                    again = self._add_more(self._kinds[name], count)
                    if progress:
                        progress(f"sparse brackets, {name}", self.form.rank, limit)
                if self.form.rank in (before, limit):
                    left.remove(name)

    def _add_more(self, kind: Kind, count: int) -> bool:
        """Add rows from so many inputs of a kind; whether many directions that are missing were met."""
        if kind.depth > 1:
            self._draw(kind, DEEP * count // SOUGHT)
            return False
        before, sought = self.form.rank, self._add_along(kind, count)
        return self.form.rank - before >= FRESH * sought

    def _add_along(self, kind: Kind, count: int) -> int:
        """Add gradients, or brackets, with a part along some missing directions, one for each; how many these are."""
        vector, sought = missing_direction(self.form, self.laws, self.prime, self._draws, DIRECTIONS)
        place = np.flatnonzero(vector)
        theta = self._theta | {1: Part(vector.shape, None, place, vector[place])}
        find = self._brackets_along if kind.depth else self._gradients_along
        seeds = find(self._inputs.seeds(kind, count), count, theta, sought)
        if len(seeds[0].place):
            self._add(seeds, replace(kind, target=()))
        return sought

    def _gradients_along(self, drawn: Part, rows: int, theta: SparseJet, most: int) -> list[Part]:
        """Inputs, each with an output that the directions move."""
        ring, place = self._flow.sparse_ring(self.prime, rows), self._flow.covector_place
        nodes = self._flow.seen_forward(theta, self._inputs.changes(drawn, rows), ring, self._marks)
        found = ring.read({mask: part for mask, part in nodes[self._flow.program.output].items() if mask & 1})
        moves = np.zeros((rows, self._flow.seed_size - place), dtype=np.uint64)
        for part in found.values():
            moves[slice(None) if part.row is None else part.row, part.place] += part.value
        moves[ring.undefined] = 0
        row, seen = np.nonzero(moves % np.uint64(self.prime))
        chosen = self._inputs.order(len(row))[:most]
        kept = drawn.place < place
        inputs = _taken(Part(drawn.shape, drawn.rows[kept], drawn.place[kept], drawn.value[kept]), row[chosen])
        covectors = np.arange(len(chosen)), place + seen[chosen], np.ones(len(chosen), dtype=np.uint64)
        parts = [(inputs.rows, inputs.place, inputs.value), covectors]
        return [Part(drawn.shape, *map(np.concatenate, zip(*parts, strict=True)))]

    def _brackets_along(self, drawn: Part, rows: int, theta: SparseJet, most: int) -> list[Part]:
        """Pairs of gradients whose brackets have a part along the directions."""
        defined = np.flatnonzero(self._defined(drawn, rows))[:PAIRED]
        drawn = _taken(drawn, defined)
        found = self._jets([drawn], len(defined), theta)
        values, derivatives = (found.get(mask, self._nothing) for mask in (ROWS, ROWS | 1))
        pairs = brackets_along(values, derivatives, len(defined), self.prime)
        chosen = self._inputs.order(len(pairs[0]))[:most]
        return [_taken(drawn, which[chosen]) for which in pairs]

    # -- values -----------------------------------------------------------------------------------------------------

    @property
    def _theta(self) -> SparseJet:
        place = np.flatnonzero(self.point)
        return {0: Part((self._flow.dimension,), None, place, self.point[place])}

    @property
    def _nothing(self) -> Part:
        none = np.empty(0, dtype=np.int64)
        return Part((self._flow.dimension,), none, none, np.empty(0, dtype=np.uint64))

    def _defined(self, seeds: Part, rows: int) -> Mask:
        """At which rows all that is seen is defined."""
        ring = self._flow.sparse_ring(self.prime, rows)
        self._flow.seen_forward(self._theta, self._inputs.changes(seeds, rows), ring, self._marks)
        return ~ring.undefined

    def _values(self, seeds: list[Part], rows: int) -> Part:
        part = self._jets(seeds, rows, self._theta).get(ROWS, self._nothing)
        return collected(replace(part, value=part.value % np.uint64(self.prime)), self.prime)

    def _jets(self, seeds: list[Part], rows: int, theta: SparseJet) -> SparseJet:
        """Brackets at a jet of points, which has the first infinitesimal, if any."""
        ring = self._flow.sparse_ring(self.prime, rows)

        def values(theta: SparseJet, own: Part) -> SparseJet:
            return self._flow.seen_values(theta, self._inputs.changes(own, rows), ring, self._marks)

        return nested_bracket(ring, values, seeds, theta, bit=1)


def _taken(part: Part, which: Ints) -> Part:
    """These rows, each as often as it is named, in this order."""
    order = np.argsort(part.rows, kind="stable")
    ordered = part.rows[order]
    first = np.searchsorted(ordered, which)
    owner, member = repeated(first, np.searchsorted(ordered, which, "right") - first)
    return Part(part.shape, owner, part.place[order][member], part.value[order][member])
