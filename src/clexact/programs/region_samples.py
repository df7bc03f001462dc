"""Gates that are met where not all regions can be enumerated: by random inputs, along lines, and across boundaries.

Random inputs meet large regions. A line meets all that it crosses, however narrow. From a region that was met the
linear program looks for an input at which one unit is on the other side and the units before it are as they were: so
small regions are met too.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.feasible import Inside, primitive_row, strictly_feasible
from clexact.algebra.polynomial import Number
from clexact.programs.algebras import Rationals
from clexact.programs.nearby import Nearby
from clexact.programs.network import Gates, Network, TieError, inner_points, intervals
from clexact.programs.places import Mask, places
from clexact.programs.program import Gate
from clexact.programs.region_tree import Region
from clexact.programs.reverse import Exact, ExactRows
from clexact.programs.sources import NOTHING, Margin, Stages, affine_row, flat, held, key, stacked

SCALES = ((1, 1), (10, 1), (1000, 1), (1000, 1000), (1000, 30), (10**6, 1))  # largest numerator, and the denominator
CROSSINGS = 6  # intervals of a line, and boundaries of a region, tried in one round
LONG = 32  # entries of an input: above, lines are left out, since rationals are slow and boundaries are crossed too
DIRECTIONS = 6  # of the slice of inputs in which a boundary is crossed


class _Met(NamedTuple):
    numbers: list[Number]
    gates: Gates


def random_numbers(draws: Draws, size: int, largest: int, denominator: int) -> list[Number]:
    """An input, dense or of few entries."""
    drawn = draws.integers(-largest, largest, size)
    if size > 1 and _pick(draws, 2):
        kept = {_pick(draws, size) for _ in range(1 + _pick(draws, 3))}
        drawn = [c if i in kept else 0 for i, c in enumerate(drawn)]
    return [_number(Fraction(c, denominator)) for c in drawn]


def _pick(draws: Draws, count: int) -> int:
    return draws.integers(0, count - 1, 1)[0]


class RegionSamples:
    """Regions as they are met, each once. ``affine``: what enters the gates is affine in the input."""

    def __init__(self, network: Network, stages: Stages, nearby: Nearby, draws: Draws, affine: bool) -> None:
        self._network, self._stages, self._nearby, self._draws = network, stages, nearby, draws
        self._affine, self._size = affine, network.input_size
        self._seen: set[tuple[Number, ...]] = set()
        self._met: list[_Met] = []
        self._tie: TieError | None = None

    def regions(self, patience: int) -> Iterator[Region]:
        """Until ``patience`` inputs in a row have met no other region. TieError if all inputs tried have ties."""
        misses = 0
        for numbers in self._candidates():
            region = self._visit(numbers)
            misses = 0 if region else misses + 1
            if region:
                yield region
            if misses >= patience:
                break
        if not self._seen and self._tie:
            raise self._tie

    def _candidates(self) -> Iterator[list[Number]]:
        """One round after another: a random input, inputs of one line, inputs behind the boundaries of one region."""
        for largest, denominator in cycle(SCALES):
            yield self._random(largest, denominator)
            if self._affine:
                if self._size <= LONG:
                    yield from self._on_line(self._random(largest, denominator), self._random(largest, denominator))
                yield from self._across()

    def _random(self, largest: int, denominator: int) -> list[Number]:
        return random_numbers(self._draws, self._size, largest, denominator)

    def _pick(self, count: int) -> int:
        return _pick(self._draws, count)

    def _visit(self, numbers: list[Number]) -> Region | None:
        """The region of an input, if it was not met yet and the input is not on its edge."""
        given = self._network.shaped(numbers)
        try:
            values, gates = self._network.values(given)
        except TieError as error:
            self._tie = error
            return None
        found = key(gates.values())
        silent = None if found in self._seen else silent_gates(self._stages, self._nearby, values, gates)
        if silent is None:
            return None
        self._seen.add(found)
        self._met.append(_Met(numbers, gates))
        return Region(given, gates, silent)

    def _on_line(self, a: list[Number], b: list[Number]) -> Iterator[list[Number]]:
        """Inputs a + t b of some intervals of gates that come one after another, from minus infinity on."""

        def numbers(t: Number) -> list[Number]:
            return [_number(c + t * d) for c, d in zip(a, b, strict=True)]

        found = intervals(self._network, lambda t: self._network.shaped(numbers(t)))
        try:
            for left, right in islice(found, CROSSINGS):
                yield numbers(inner_points(left, right, 1)[0])
        except TieError as error:
            self._tie = error

    # --- across boundaries ------------------------------------------------------------------------------------------

    def _across(self) -> Iterator[list[Number]]:
        """Inputs behind some boundaries of a region that was met: in a random slice through its input."""
        if not self._met:
            return
        numbers, gates = self._met[self._pick(len(self._met))]
        steps = self._directions()
        base, moved = np.array([numbers], dtype=object), np.array(steps, dtype=object)
        inputs = np.concatenate([base, base + moved]).tolist()
        leaves = stacked(self._network, inputs) | held(gates) | held(self._network.parameters)
        values = self._stages.run_until(ExactRows(), len(self._stages.gates) - 1, leaves)
        sources = [flat(values[gate.source], len(inputs)) for gate in self._stages.gates]
        for _ in range(CROSSINGS):
            moves = self._crossed(self._pick(len(sources)), gates, sources)
            if moves is not None:
                there = base + Rationals().matmul(np.array([moves], dtype=object), moved)
                yield [_number(c) for c in there[0].tolist()]

    def _directions(self) -> list[list[Number]]:
        if self._size <= DIRECTIONS:
            return [[int(i == j) for j in range(self._size)] for i in range(self._size)]
        return [self._random(*SCALES[1]) for _ in range(DIRECTIONS)]

    def _crossed(self, stage: int, gates: Gates, sources: list[Exact]) -> list[Number] | None:
        """A point of a slice at which one choice of this gate is another, and those before are as they were."""
        wanted = self._changed(self._stages.gates[stage], gates)
        rows: list[list[int]] = []
        for number, gate in enumerate(self._stages.gates[: stage + 1]):
            read = wanted if number == stage else gates[gate.probe]
            for margin, _ in _margins(number, gate, self._stages, read):
                rows.append(primitive_row(affine_row(margin.of(sources[number]).tolist())))
        decided = [row for row in rows if any(row)]
        found = strictly_feasible(decided, len(sources[0]) - 1)
        return found.rounded(decided) if isinstance(found, Inside) else None

    def _changed(self, gate: Gate, gates: Gates) -> Exact:
        """The gates with one entry, or the selection of one slice, changed."""
        read = gates[gate.probe].copy()
        if gate.axis is None:
            entry = self._pick(read.size)
            read.ravel()[entry] = gate.slope if read.ravel()[entry] == 1 else 1
            return read
        rows = np.moveaxis(places(read.shape), gate.axis, -1).reshape(-1, read.shape[gate.axis])
        chosen = rows[self._pick(len(rows))]
        read.ravel()[chosen] = 0
        read.ravel()[chosen[self._pick(len(chosen))]] = 1
        return read


def silent_gates(stages: Stages, nearby: Nearby, values: list[Exact], gates: Gates) -> dict[str, Mask] | None:
    """The gates that do not matter at an input; None on an edge, where a margin vanishes that elsewhere does not."""
    silent = dict[str, Mask]()
    for number, gate in enumerate(stages.gates):
        z = values[gate.source].reshape(1, -1)
        quiet = np.ones(z.shape[1], dtype=bool)
        for margin, entries in _margins(number, gate, stages, gates[gate.probe]):
            if margin.of(z)[0] != 0:
                quiet[entries] = False
            elif not nearby.vanishes(gates, margin):
                return None
        silent[gate.probe] = quiet.reshape(stages.shape(gate))
    return silent


def _margins(number: int, gate: Gate, stages: Stages, read: Exact) -> Iterator[tuple[Margin, list[int]]]:
    """The margins that are positive for the choices read, each with the entries of the gate that it concerns."""
    chosen = (read == 1).ravel().tolist()
    if gate.axis is None:
        for entry, on in enumerate(chosen):
            yield Margin(number, entry, NOTHING) if on else Margin(number, NOTHING, entry), [entry]
        return
    shape = stages.shape(gate)
    for entries in np.moveaxis(places(shape), gate.axis, -1).reshape(-1, shape[gate.axis]).tolist():
        winner = next(entry for entry in entries if chosen[entry])
        for other in entries:
            if other != winner:
                yield Margin(number, winner, other), entries


def _number(value: Number) -> Number:
    return value.numerator if value.denominator == 1 else value
