r"""Sparse witnesses of networks with a residual stream, below norms: a transformer block at its true size.

The point has few entries, and the coordinates of the stream have parts. Queries, keys and values read the first
``reads``; attention writes to the first ``writes``, its columns being of sum zero, as are those that the layer reads,
which are others: so no mean is moved, and norms leave rows sparse. The layer writes to where it reads. Biases are 0.
Tokens are $b(e_{d-2} - e_{d-1})$ but for two or three; the last one alone is seen. Of each kind of input rows are drawn
while they raise the rank, attention first: the matrix of all is then nearly block triangular, and sparse elimination
does not fill in. Entries that what is seen does not depend on are left out, and inputs at which roots do not exist are
dropped. Any point and any members prove a bound; these are only chosen to be cheap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.flow import Flow
from clexact.flows.residues import ResidueGradientFlow
from clexact.lie.closure import MAX_DEPTH, SpanBuilder, SparseWitness, nested_bracket
from clexact.lie.directed import brackets_along, missing_direction
from clexact.programs.places import Mask
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, collected, compressed, repeated
from clexact.programs.streams import Stream, stream_of
from clexact.support.progress import Progress

MOST_FILL = 512  # entries of the echelon form for each coordinate, on the average
CANDIDATES = 2**14  # inputs drawn at a time, at most
PER_COORDINATE = 4  # one in so many coordinates, otherwise
FRESH = 0.2  # of the rows of a kind must raise the rank, for it to be drawn again before the others
FIRST = 2**12  # candidates, before all kinds have been drawn
FEWEST, MORE = 2**10, 4  # after that, and so many times as many each time that a kind is drawn again
BARREN = 40  # draws in a row that add nothing, until no more are made
SETTLED = 2**7  # candidates from which it is told whether norms are defined at the shared tokens
BASES = 2**6  # tokens tried for that
DIRECTIONS, SAMPLED, PER_DIRECTION = 2**8, 2**9, 2
PATIENCE = 2
ALIKE = 2**4  # candidates for brackets that differ in the token seen alone


def streaming(flow: Flow) -> tuple[ResidueGradientFlow, Stream] | None:
    """A flow of which this knows members, and the stream of its network; of attention alone others do as well."""
    gradients = flow.plain_gradients
    if not isinstance(gradients, ResidueGradientFlow) or gradients.program.gates:
        return None
    found = stream_of(gradients.program, gradients.model.probes)
    return (gradients, found) if found is not None and found.layered else None


@dataclass(frozen=True)
class Parts:
    """Of the coordinates of the stream: the first ``reads`` and ``writes`` are those of attention."""

    width: int
    reads: int
    writes: int

    @property
    def layer(self) -> int:
        """How many coordinates after those the layer has: but for the last two, which shared tokens have."""
        return max(1, self.width - self.writes - 2)

    def written(self, unit: Ints, head: int | Ints, heads: int, second: int | Ints) -> Ints:
        """The first or second of the coordinates to which a unit of a head writes."""
        return (unit + head * self.writes // heads + second) % self.writes

    def unit(self, k: Ints) -> Ints:
        """The coordinate of a unit of the layer."""
        return self.writes + k % self.layer

    @classmethod
    def of(cls, stream: Stream, shapes: dict[str, tuple[int, ...]]) -> Parts:
        """A quarter and a half, or more where the heads are wider."""
        readers = stream.named(writes=False, later=False)
        widest = max((shapes[name][1 - stream.uses[name].axis] for name in readers), default=1)
        writes = max(2, stream.width // 2) if stream.layered else stream.width - 2
        return cls(stream.width, min(max(stream.width // 4, widest), writes), writes)


def sparse_point(flow: ResidueGradientFlow, stream: Stream, parts: Parts, prime: int, draws: Draws) -> Words:
    """The point (D,), modulo m."""
    out, shapes, modulus = dict[str, Words](), flow.model.parameters, flow.modulus(prime)
    writers = stream.named(writes=True, later=False)
    for name, shape in shapes.items():
        drawn = 1 + draws.residues((prod(shape),), prime - 1)
        out[name] = drawn if name in stream.gains else np.zeros_like(drawn)
    for name, use in stream.uses.items():
        unit = np.arange(shapes[name][1 - use.axis])
        weight, minus = 1 + draws.residues(unit.shape, prime - 1), True
        if use.later:
            first, minus = parts.unit(unit), not use.writes
            second = parts.unit(unit + 1)
        elif use.writes:
            first, second = (parts.written(unit, writers.index(name), len(writers), k) for k in (0, 1))
        else:
            first, second, minus = unit % parts.reads, unit, False
        value = np.zeros((parts.width, len(unit)), dtype=np.uint64)
        value[first, unit] = weight
        if minus:
            value[second, unit] = np.uint64(modulus) - weight
        out[name] = (value if use.axis == 0 else value.T).ravel()
    _balance(out, stream, parts, shapes, modulus)
    return np.concatenate([out[name] for name in shapes])


def _balance(
    point: dict[str, Words], stream: Stream, parts: Parts, shapes: dict[str, tuple[int, ...]], modulus: int
) -> None:
    """Change the weights of the layer so that what is seen of a coordinate moves nothing before it, by units at rest.

    The units that write to a coordinate read the same two; the products of what they read and write get the sum 0.
    """
    readers, writers = stream.named(writes=False, later=True), stream.named(writes=True, later=True)
    if len(readers) != 1 or len(writers) != 1:
        return
    read, write = ((point[name].reshape(shapes[name]), stream.uses[name].axis) for name in (*readers, *writers))
    a, b = (x if axis == 0 else x.T for x, axis in (read, write))
    for j in range(parts.writes, parts.writes + parts.layer):
        units = np.flatnonzero(b[j])
        if len(units) < 2:
            continue
        total = sum(int(a[j, k]) * int(b[j, k]) for k in units[:-1].tolist())
        last = int(units[-1])
        b[j, last] = -total * pow(int(a[j, last]), -1, modulus) % modulus


Range = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """Of inputs: from which coordinates the token seen, two others and what is seen of it are drawn.

    A token has an entry there, and its opposite at the last coordinate. With ``units``, the one seen has three: one
    there, and two that the units of a coordinate of the layer read. With ``seen`` None that coordinate is seen, or one
    to which the second token's value is written.
    """

    own: Range
    other: Range | None
    third: Range | None
    seen: Range | None
    units: bool = False
    depth: int = 0


def kinds(parts: Parts, layered: bool, gains: bool, plain: bool) -> dict[str, Kind]:
    """In the order in which they are drawn first; ``plain`` without norms."""
    d, reads, any_but_last = parts.width, (0, parts.reads), (0, parts.width - 1)
    found = {
        "scores": Kind(any_but_last, reads, None, None),
        "keys": Kind(reads, reads, any_but_last, None),
        "values": Kind(reads, reads, None, (0, d)),
    }
    if layered:
        found["layer"] = Kind((parts.writes, d), None, None, None, units=True)
        found["other outputs"] = Kind((d - 1, d), None, None, (-2, parts.writes), units=True)
        found["layer below outputs"] = Kind((parts.reads, parts.writes), None, None, None, units=True)
        found["layer below attention"] = Kind(reads, None, None, None, units=True)
        if parts.reads < parts.writes:
            found["keys below outputs"] = Kind(reads, reads, (parts.reads, parts.writes), None)
    found["brackets"] = Kind(reads, reads, None, None, depth=1)
    if layered and (gains or plain):
        found["brackets of the layer"] = Kind((0, d), None, None, None, units=True, depth=1)
    if gains:
        found["brackets of scores"] = Kind(any_but_last, reads, any_but_last, None, depth=1)
        if layered:
            found["brackets of brackets"] = Kind(any_but_last, None, None, None, units=True, depth=2)
        found["brackets of brackets of scores"] = Kind(any_but_last, reads, any_but_last, None, depth=2)
    return found


class StreamSpanBuilder(SpanBuilder[SparseForm, SparseWitness]):
    """Members of a network with a residual stream at a sparse point; deep ones where gains ask for them."""

    def __init__(self, flow: ResidueGradientFlow, stream: Stream, prime: int, draws: Draws) -> None:
        self._flow, self._stream, self._draws = flow, stream, draws
        self._parts, self._modulus = Parts.of(stream, dict(flow.model.parameters)), flow.modulus(prime)
        self._kinds = kinds(self._parts, stream.layered, bool(stream.gains), not stream.rooted)
        point = sparse_point(flow, stream, self._parts, prime, draws)
        super().__init__(point, prime, SparseForm(flow.dimension, prime))
        self._marks = flow.relevant_to(stream.tokens - 1)
        self._by_depth = [0] * (1 + max(kind.depth for kind in self._kinds.values()))
        self.laws = self._nothing  # their gradients at the point: what no member has a part along
        self._base = self._shared_token()

    @property
    def ranks(self) -> tuple[int, ...]:
        """Members of both depths are drawn in turn: of the first, those that were independent when they came."""
        last = max((k for k, count in enumerate(self._by_depth) if count), default=0)
        return tuple(np.cumsum(self._by_depth[: last + 1]).tolist())

    def run(self, limit: int, max_depth: int | None, progress: Progress | None) -> None:
        """Draw rows kind by kind until the rank is ``limit`` or none raises it; MemoryError on fill-in."""
        deepest = MAX_DEPTH if max_depth is None else max_depth
        rate = {name: 1.0 for name, kind in self._kinds.items() if kind.depth <= deepest}  # of rows, of late
        for depth in range(deepest + 1):
            names = [name for name in rate if self._kinds[name].depth == depth]
            for name in names if depth == 0 else []:
                later = 1.0
                while self.form.rank < limit and later >= FRESH:
                    later = self._try(name, FIRST, limit, rate, progress)
            if names and depth < 2:
                self._direct(names, limit, progress)
        barren, most = 0, dict.fromkeys(rate, FEWEST)  # rates may be old: few at first
        while self.form.rank < limit and barren < BARREN and rate:  # a few directions are met seldom
            name, before = max(rate, key=lambda each: rate[each]), self.form.rank
            self._try(name, most[name], limit, rate, progress)
            most[name] *= MORE
            barren = 0 if self.form.rank > before else barren + 1

    def _try(self, name: str, most: int, limit: int, rate: dict[str, float], progress: Progress | None) -> float:
        """Draw rows of a kind, and note how many of them raised the rank; the share of the later half that did."""
        before = self.form.rank
        rows, later = self._draw(self._kinds[name], most)
        added = self.form.rank - before
        rate[name] = added / rows if added else min(rate[name] / 2, 1 / max(1, rows))
        if progress:
            progress(f"sparse brackets, {name}", self.form.rank, limit)
        return later

    def _draw(self, kind: Kind, most: int = CANDIDATES) -> tuple[int, float]:
        """Rows of a kind, and the share of their later half that raised the rank: how it would go on."""
        per = PER_COORDINATE * (4 if kind.depth else 1)
        count = min(most, CANDIDATES, max(SETTLED, self._flow.dimension // per))
        drawn = self._seeds(kind, count)
        group = np.arange(count) // (ALIKE if kind.depth else 1)
        defined = np.flatnonzero(self._defined(drawn, count))
        group, k = group[defined], kind.depth
        first = np.flatnonzero(group[k:] == group[: len(group) - k])  # in a group, each with those that follow
        seeds, rows = [_chosen(drawn, defined[first + n], count) for n in range(k + 1)], len(first)
        if not rows:
            return 0, 0.0
        fresh = self._keep(seeds, kind.depth, rows)
        return rows, float(fresh[rows // 2 :].mean())

    # -- members that are sure to raise the rank ----------------------------------------------------------------------

    def _direct(self, names: list[str], limit: int, progress: Progress | None) -> None:
        """Rows that have a part along missing directions, from inputs of these kinds in turn."""
        barren = dict.fromkeys(names, 0)
        while self.form.rank < limit and barren:
            for name in list(barren):
                before = self.form.rank
                if before == limit:
                    return
                self._add_along(self._kinds[name])
                barren[name] = 0 if self.form.rank > before else barren[name] + 1
                if barren[name] == PATIENCE:
                    del barren[name]
                if progress:
                    progress(f"sparse brackets, {name}", self.form.rank, limit)

    def _add_along(self, kind: Kind) -> None:
        """Members of a kind with a part along some missing directions, a few for each."""
        vector, count = missing_direction(self.form, self.laws, self.prime, self._draws, DIRECTIONS)
        drawn = self._seeds(kind, SAMPLED)
        moving = Part((self._flow.dimension,), None, np.flatnonzero(vector), vector[vector != 0])
        find = self._brackets_along if kind.depth else self._gradients_along
        seeds = find(drawn, moving, PER_DIRECTION * count)
        rows = int(seeds[0].rows.max(initial=-1)) + 1
        if rows:
            self._keep(seeds, kind.depth, rows)

    def _gradients_along(self, drawn: Part, moving: Part, most: int) -> list[Part]:
        """Inputs, each with an output that the directions move."""
        ring = self._flow.sparse_ring(self.prime, SAMPLED)
        nodes = self._flow.seen_forward(self._theta() | {1: moving}, self._changes(drawn, SAMPLED), ring, self._marks)
        found = ring.read({mask: part for mask, part in nodes[self._flow.program.output].items() if mask & 1})
        moves = np.zeros((SAMPLED, self._stream.tokens * self._parts.width), dtype=np.uint64)
        for part in found.values():
            moves[slice(None) if part.row is None else part.row, part.place] += part.value
        moves[ring.undefined] = 0
        row, place = np.nonzero(moves % np.uint64(self.prime))
        chosen = self._order(len(row))[:most]
        inputs = _taken(_without(drawn, self._flow.covector_place), row[chosen])
        seen = np.arange(len(chosen)), self._flow.covector_place + place[chosen], np.ones(len(chosen), dtype=np.uint64)
        parts = [(inputs.rows, inputs.place, inputs.value), seen]
        return [Part(drawn.shape, *map(np.concatenate, zip(*parts, strict=True)))]

    def _brackets_along(self, drawn: Part, moving: Part, most: int) -> list[Part]:
        """Pairs of gradients, whose brackets have a part along the directions."""
        defined = np.flatnonzero(self._defined(drawn, SAMPLED))
        drawn, rows = _taken(drawn, defined), len(defined)
        found = self._values_at([drawn], rows, self._theta() | {1: moving})
        nothing = self._nothing
        values, derivatives = (found.get(mask, nothing) for mask in (ROWS, ROWS | 1))
        pairs = brackets_along(values, derivatives, rows, self.prime)
        chosen = self._order(len(pairs[0]))[:most]
        return [_taken(drawn, which[chosen]) for which in pairs]

    def _keep(self, seeds: list[Part], depth: int, rows: int) -> Mask:
        """Add these rows; which raise the rank."""
        fresh = self._added(*compressed(self._values(seeds, rows), rows))
        if fresh.any():
            chosen = tuple(_chosen(part, np.flatnonzero(fresh), rows) for part in seeds)
            self.witnesses.append(SparseWitness(depth, chosen))
            self._by_depth[depth] += int(fresh.sum())
        return fresh

    def _added(self, start: Ints, column: Ints, value: Words, order: Ints) -> Mask:
        """Which rows raise the rank; not reduced are those orthogonal to a random vector that all rows so far are.

        Most of a kind that is nearly spent are in the span of these. One that is not is left out with odds 1 / p.
        """
        vector = self.form.annihilator(self._draws.residues((self._flow.dimension,), self.prime))
        moved = self.form.products(start, column, value, vector) != 0
        return self.form.add(start, column, value, order[moved[order]], MOST_FILL * self._flow.dimension)

    # -- inputs -----------------------------------------------------------------------------------------------------

    def _shared_token(self) -> Words:
        """A token (d,) at which norms are defined, if one is found."""
        for _ in range(BASES):
            self._base = self._token(np.array([self._parts.width - 2]))[0]
            if self._defined(self._seeds(self._kinds["scores"], SETTLED), SETTLED).any():
                break
        return self._base

    def _token(self, place: Ints, units: Ints | None = None) -> Words:
        """Tokens (n, d) with entries at ``place`` and at the last, or at two more, which units read."""
        n, rows = len(place), np.arange(len(place))
        out = np.zeros((n, self._parts.width), dtype=np.uint64)
        m, k = (1 + self._draws.residues((n,), self.prime - 1) for _ in range(2))
        values: tuple[Words, ...]
        if units is None:
            values = (m, self._minus(m)) if self._stream.centred else self._squares(m, 0 * m)[1:]
            places = [np.where(place == self._parts.width - 1, 0, place), np.full(n, self._parts.width - 1)]
        else:
            values = self._centred(m) if self._stream.centred else self._squares(m, k)
            places = [self._parts.unit(units), self._parts.unit(units + 1), place]
        for where, value in zip(places, values, strict=True):
            out[rows, where] = linalg.add(out[rows, where], value, self._modulus)
        return out

    def _minus(self, x: Words) -> Words:
        return linalg.subtract(np.zeros_like(x), x, self._modulus)

    def _centred(self, m: Words) -> tuple[Words, Words, Words]:
        """Numbers of sum zero, half the sum of whose squares is one: m^2 - 1, 2m + 1 and what is missing."""
        one, M = np.ones_like(m), self._modulus
        x = linalg.subtract(linalg.multiply(m, m, M), one, M)
        y = linalg.add(linalg.add(m, m, M), one, M)
        return x, y, self._minus(linalg.add(x, y, M))

    def _squares(self, m: Words, k: Words) -> tuple[Words, Words, Words]:
        """Numbers the sum of whose squares is one: 2k, 2m and m^2 + k^2 - 1."""
        M = self._modulus
        total = linalg.add(linalg.multiply(m, m, M), linalg.multiply(k, k, M), M)
        return linalg.add(k, k, M), linalg.add(m, m, M), linalg.subtract(total, np.ones_like(m), M)

    def _combinations(self, ranges: dict[str, Range | None], count: int) -> dict[str, Ints]:
        """Integers of these ranges: of the first together, while so many combinations can be met, each as often."""
        given = {name: among for name, among in ranges.items() if among is not None}
        found, together, size = dict[str, Ints](), dict[str, int](), 1
        for name, (first, end) in given.items():
            span = end - first
            if size * span <= count:
                together[name], size = span, size * span
            else:
                found[name] = self._some(span, count)
        number = self._some(size, count)
        for name, span in together.items():
            number, found[name] = np.divmod(number, span)
        return {name: number + given[name][0] for name, number in found.items()}

    def _some(self, span: int, count: int) -> Ints:
        """Integers from 0, each about as often as any other, in random order."""
        return np.resize(self._order(span), count)[self._order(count)]

    def _order(self, count: int) -> Ints:
        return np.argsort(self._draws.residues((count,), 2**62), kind="stable")

    def _places(self, kind: Kind, count: int, groups: int) -> dict[str, Ints]:
        """The coordinates of so many rows, of which those of a group have some alike."""
        heads = len(self._stream.named(writes=True, later=False))
        own = {"own": kind.own, "units": (0, self._parts.layer) if kind.units else None}
        alike = {"head": (0, heads) if kind.seen is None and not kind.units else None}
        alike |= {"third": kind.third, "other": kind.other, "seen": kind.seen}
        if groups == count:
            return self._combinations(own | alike, count)
        drawn, which = self._combinations(alike, groups), np.arange(count) // ALIKE
        return self._combinations(own, count) | {name: number[which] for name, number in drawn.items()}

    def _seeds(self, kind: Kind, count: int) -> Part:
        """Rows of seeds; of a bracket, so many together differ in the token seen alone."""
        T, d, alike = self._stream.tokens, self._parts.width, ALIKE if kind.depth else 1
        groups, which, rows = -(-count // alike), np.arange(count) // alike, np.arange(count)
        at, first = self._places(kind, count, groups), self._some(T - 1, groups)
        tokens = np.broadcast_to(self._base, (count, T, d)).copy()
        for name, place in (("other", first), ("third", (first + 1) % (T - 1))):
            if name in at and (name == "other" or T > 2):
                tokens[rows, place[which]] = self._token(at[name][::alike])[which]
        tokens[:, T - 1] = self._token(at["own"], at.get("units"))
        if "head" in at:
            heads, second = len(self._stream.named(writes=True, later=False)), self._some(2, groups)[which]
            seen = self._parts.written(at["other"], at["head"], heads, second)
        else:
            seen = at["seen"] if "seen" in at else self._parts.unit(at["units"])
        seen = self._flow.covector_place + (T - 1) * d + seen % d
        row, place = np.nonzero(tokens.reshape(count, T * d))
        parts = [(row, self._flow.probe_place(self._stream.probe) + place, tokens.reshape(count, T * d)[row, place])]
        parts += [self._angles(name, first[which]) for name in self._stream.pairs]
        parts.append((rows, seen, np.ones(count, dtype=np.uint64)))
        return Part((self._flow.seed_size,), *map(np.concatenate, zip(*parts, strict=True)))

    def _angles(self, name: str, first: Ints) -> tuple[Ints, Ints, Words]:
        """Of a probe for each two tokens, for that seen with itself and two others: rows, places, values."""
        T, shape, rows = self._stream.tokens, self._flow.model.probes[name], np.arange(len(first))
        met = np.zeros((len(first), T), dtype=bool)
        for other in (first, (first + 1) % (T - 1), T - 1):
            met[rows, other] = True
        row, key = np.nonzero(met)
        size = prod(shape[2:])
        place = ((T - 1) * T + key[:, None]) * size + np.arange(size)
        values = 1 + self._draws.residues((place.size,), self.prime - 1)
        return np.repeat(row, size), self._flow.probe_place(name) + place.ravel(), values

    # -- values -----------------------------------------------------------------------------------------------------

    def _shared(self) -> Part:
        """The seeds of the shared tokens alone."""
        every = np.tile(self._base, self._stream.tokens)
        place = np.flatnonzero(every)
        first = self._flow.probe_place(self._stream.probe)
        return Part((self._flow.seed_size,), None, first + place, every[place])

    def _changes(self, seeds: Part, rows: int) -> SparseJet:
        """Seeds as what all rows share and what differs from it."""
        shared = self._shared()
        minus, n = np.uint64(self._modulus) - shared.value, len(shared.place)
        parts = (np.repeat(np.arange(rows), n), np.tile(shared.place, rows), np.tile(minus, rows))
        row, place, value = map(np.concatenate, zip((seeds.rows, seeds.place, seeds.value), parts, strict=True))
        return {0: shared, ROWS: collected(Part(seeds.shape, row, place, value), self._modulus)}

    def _theta(self) -> SparseJet:
        place = np.flatnonzero(self.point)
        return {0: Part((self._flow.dimension,), None, place, self.point[place])}

    def _defined(self, seeds: Part, rows: int) -> Mask:
        """At which rows all that is seen is defined."""
        ring = self._flow.sparse_ring(self.prime, rows)
        self._flow.seen_forward(self._theta(), self._changes(seeds, rows), ring, self._marks)
        return ~ring.undefined

    @property
    def _nothing(self) -> Part:
        none = np.empty(0, dtype=np.int64)
        return Part((self._flow.dimension,), none, none, np.empty(0, dtype=np.uint64))

    def _values(self, seeds: list[Part], rows: int) -> Part:
        part = self._values_at(seeds, rows, self._theta()).get(ROWS, self._nothing)
        return collected(replace(part, value=part.value % np.uint64(self.prime)), self.prime)

    def _values_at(self, seeds: list[Part], rows: int, theta: SparseJet) -> SparseJet:
        ring = self._flow.sparse_ring(self.prime, rows)

        def values(theta: SparseJet, own: Part) -> SparseJet:
            return self._flow.seen_values(theta, self._changes(own, rows), ring, self._marks)

        return nested_bracket(ring, values, seeds, theta, 1)


def _chosen(part: Part, which: Ints, rows: int) -> Part:
    """Some of the rows, each at most once, numbered anew."""
    number = np.full(rows, -1)
    number[which] = np.arange(len(which))
    kept = number[part.rows] >= 0
    return Part(part.shape, number[part.rows[kept]], part.place[kept], part.value[kept])


def _taken(part: Part, which: Ints) -> Part:
    """These rows, each as often as it is named, in this order."""
    order = np.argsort(part.rows, kind="stable")
    ordered = part.rows[order]
    first = np.searchsorted(ordered, which)
    owner, member = repeated(first, np.searchsorted(ordered, which, "right") - first)
    return Part(part.shape, owner, part.place[order][member], part.value[order][member])


def _without(part: Part, end: int) -> Part:
    """The places before this one."""
    kept = part.place < end
    return Part(part.shape, part.rows[kept], part.place[kept], part.value[kept])
