"""Sparse inputs of a network with a residual stream: tokens at which norms may be defined, and what is seen."""

from __future__ import annotations

from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.residues import ResidueGradientFlow
from clexact.lie.stream_kinds import Kind, Parts, Range
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, collected
from clexact.programs.streams import Stream

ALIKE = 2**4  # candidates for brackets that differ in the token seen alone


class StreamInputs:
    """Rows of seeds of a kind. Tokens are $b(e_{d-2} - e_{d-1})$ but for two or three; the last one alone is seen."""

    def __init__(self, flow: ResidueGradientFlow, stream: Stream, parts: Parts, prime: int, draws: Draws) -> None:
        self._flow, self._stream, self._parts, self._draws = flow, stream, parts, draws
        self._prime, self._modulus = prime, flow.modulus(prime)
        self.draw_base()

    def draw_base(self) -> None:
        """Draw the token (d,) that all rows share."""
        self._base = self._token(np.array([self._parts.width - 2]))[0]

    def _token(self, place: Ints, units: Ints | None = None) -> Words:
        """Tokens (n, d) with entries at ``place`` and at the last, or at two more, which units read."""
        n, rows = len(place), np.arange(len(place))
        out = np.zeros((n, self._parts.width), dtype=np.uint64)
        m, k = (1 + self._draws.residues((n,), self._prime - 1) for _ in range(2))
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

    def combinations(self, ranges: dict[str, Range | None], count: int) -> dict[str, Ints]:
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
        return np.resize(self.order(span), count)[self.order(count)]

    def order(self, count: int) -> Ints:
        """The numbers below this one, in random order."""
        return np.argsort(self._draws.residues((count,), 2**62), kind="stable")

    def _places(self, kind: Kind, count: int, groups: int) -> dict[str, Ints]:
        """The coordinates of so many rows, of which those of a group have some alike."""
        heads = len(self._stream.named(writes=True, later=False))
        own = {"own": kind.own, "units": (0, self._parts.layer) if kind.units else None}
        alike = {"head": (0, heads) if kind.seen is None and not kind.units else None}
        alike |= {"third": kind.third, "other": kind.other, "seen": kind.seen}
        if groups == count:
            return self.combinations(own | alike, count)
        drawn, which = self.combinations(alike, groups), np.arange(count) // ALIKE
        return self.combinations(own, count) | {name: number[which] for name, number in drawn.items()}

    def seeds(self, kind: Kind, count: int) -> Part:
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
        values = 1 + self._draws.residues((place.size,), self._prime - 1)
        return np.repeat(row, size), self._flow.probe_place(name) + place.ravel(), values

    def _shared(self) -> Part:
        """The seeds of the shared tokens alone."""
        every = np.tile(self._base, self._stream.tokens)
        place = np.flatnonzero(every)
        first = self._flow.probe_place(self._stream.probe)
        return Part((self._flow.seed_size,), None, first + place, every[place])

    def changes(self, seeds: Part, rows: int) -> SparseJet:
        """Seeds as what all rows share and what differs from it."""
        shared = self._shared()
        minus, n = np.uint64(self._modulus) - shared.value, len(shared.place)
        parts = (np.repeat(np.arange(rows), n), np.tile(shared.place, rows), np.tile(minus, rows))
        row, place, value = map(np.concatenate, zip((seeds.rows, seeds.place, seeds.value), parts, strict=True))
        return {0: shared, ROWS: collected(Part(seeds.shape, row, place, value), self._modulus)}
