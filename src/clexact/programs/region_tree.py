"""All gates that inputs open, what enters them being affine in the input: a search through the gates in their order.

With the earlier gates held, each entry of a ReLU halves the inputs left, and each slice of a maximum shares them among
its entries. Every branch is decided by linear programming over the rationals: a point inside, from which the branch is
followed, or multipliers that show that it is empty, which must last near the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.feasible import Empty, Inside, dot, primitive_row, strictly_feasible
from clexact.algebra.polynomial import Number
from clexact.programs.nearby import Nearby
from clexact.programs.network import Gates, Input, Network, TieError
from clexact.programs.places import Mask, places
from clexact.programs.program import Gate
from clexact.programs.reverse import Exact, ExactRows
from clexact.programs.sources import NOTHING, Margin, Stages, affine_row, flat, frame, held, stacked


@dataclass(frozen=True)
class Region:
    """A choice of all gates that is met by an open set of inputs, at a start and near it.

    Attributes
    ----------
    input : mapping of str to array
        One of them, {probe: exact array}.
    gates : mapping of str to array
        {gate probe: exact array}, as ``Network.values`` reads them there.
    silent : mapping of str to array
        {gate probe: mask}: true where what enters is zero for these inputs at all parameters, so the gate does not
        matter. For a maximum, where it is so for the differences to the entry selected.
    """

    input: Input
    gates: Gates
    silent: Mapping[str, Mask]


@dataclass(frozen=True)
class _Choice:
    """One choice for a gate: its entries, which of them do not matter, a point inside."""

    read: list[Number]
    silent: list[bool]
    point: Inside


class RegionTree:
    """The search. ``doubts`` are reasons for which the regions found may not be all of those near the start.

    Regions whose gates terms of second order decide are left out: near the start others may be met in their place.
    """

    def __init__(self, network: Network, stages: Stages, nearby: Nearby) -> None:
        self.doubts: list[str] = []
        self._network, self._stages, self._nearby = network, stages, nearby
        self._size = network.input_size
        self._frame = frame(self._size)
        self._leaves = stacked(network, self._frame) | held(network.parameters)
        self._rows: list[list[int]] = []  # positive at the inputs left, in the order of ``_margins``
        self._margins: list[Margin] = []
        self._gates: dict[str, Exact] = {}

    def regions(self) -> Iterator[Region]:
        """All regions. TieError if the network has no gradient in the parameters on one of them."""
        origin = Inside((0,) * self._size, 1)
        values: list[Any] = [None] * len(self._stages.program.nodes)
        return self._from(0, values, {}, origin)

    def _from(self, stage: int, values: list[Exact], silent: dict[str, Mask], point: Inside) -> Iterator[Region]:
        if stage == len(self._stages.gates):
            yield self._region(silent, point)
            return
        gate, values = self._stages.gates[stage], list(values)
        self._stages.run(ExactRows(), stage, self._leaves | held(self._gates), values)
        z, shape = flat(values[gate.source], self._size + 1), self._stages.shape(gate)
        for choice in self._choices(stage, gate, z, point):
            self._gates[gate.probe] = _shaped(choice.read, shape, object)
            quiet = silent | {gate.probe: _shaped(choice.silent, shape, bool)}
            yield from self._from(stage + 1, values, quiet, choice.point)
            del self._gates[gate.probe]

    def _region(self, silent: dict[str, Mask], point: Inside) -> Region:
        given, gates = self._network.shaped(point.rounded(self._rows)), dict(self._gates)
        read = self._network.values(given)[1]
        if any(not np.array_equal(read[name], gates[name]) for name in gates):
            raise ArithmeticError("a region's point does not open its gates; this is a fault of clexact.")
        return Region(given, gates, silent)

    # --- the choices for one gate -----------------------------------------------------------------------------------

    def _choices(self, stage: int, gate: Gate, z: Exact, point: Inside) -> Iterator[_Choice]:
        start = _Choice([0] * z.shape[1], [False] * z.shape[1], point)
        if gate.axis is None:
            slope = int(gate.slope) if gate.slope == int(gate.slope) else gate.slope
            return self._signs(stage, z, slope, 0, start)
        slices = np.moveaxis(places(self._stages.shape(gate)), gate.axis, -1).reshape(-1, self._width(gate))
        return self._winners(stage, z, slices, 0, start)

    def _width(self, gate: Gate) -> int:
        return self._stages.shape(gate)[gate.axis or 0]

    def _signs(self, stage: int, z: Exact, slope: Number, entry: int, chosen: _Choice) -> Iterator[_Choice]:
        """Entry by entry, both signs."""
        if entry == z.shape[1]:
            yield chosen
            return
        for value, margin in ((1, Margin(stage, entry, NOTHING)), (slope, Margin(stage, NOTHING, entry))):
            row = self._row(margin, z)
            silent = not any(row)
            if silent:  # one gate for both signs, the one that is read at zero
                if not self._matters_not(margin):
                    return
                value = slope
            point = chosen.point if silent else self._enter([row], [margin], chosen.point)
            if point is None:
                continue
            read = [*chosen.read[:entry], value, *chosen.read[entry + 1 :]]
            quiet = [*chosen.silent[:entry], silent, *chosen.silent[entry + 1 :]]
            yield from self._signs(stage, z, slope, entry + 1, _Choice(read, quiet, point))
            if silent:
                return
            self._leave(1)

    def _winners(
        self, stage: int, z: Exact, slices: NDArray[np.int64], number: int, chosen: _Choice
    ) -> Iterator[_Choice]:
        """Slice by slice, all entries that may be the largest. Of entries that are always equal the first is read."""
        if number == len(slices):
            yield chosen
            return
        entries = slices[number].tolist()
        for winner in entries:
            margins = [Margin(stage, winner, other) for other in entries if other != winner]
            rows = [self._row(margin, z) for margin in margins]
            tied = [margin for margin, row in zip(margins, rows, strict=True) if not any(row)]
            if any(margin.minus < winner and self._nearby.vanishes(self._gates, margin) for margin in tied):
                continue
            decided = [(row, margin) for row, margin in zip(rows, margins, strict=True) if any(row)]
            point = self._enter([row for row, _ in decided], [margin for _, margin in decided], chosen.point)
            if point is None:
                continue
            known = all(self._matters_not(margin) for margin in tied)
            if known and all(margin.minus > winner for margin in tied):
                read, quiet = list(chosen.read), list(chosen.silent)
                read[winner] = 1
                for entry in entries:
                    quiet[entry] = not decided
                yield from self._winners(stage, z, slices, number + 1, _Choice(read, quiet, point))
            self._leave(len(decided))

    def _row(self, margin: Margin, z: Exact) -> list[int]:
        return primitive_row(affine_row(margin.of(z).tolist()))

    def _matters_not(self, margin: Margin) -> bool:
        """Whether a margin that is zero on all inputs left is so near the start too; TieError if it has a gradient.

        If not, terms of second order decide the gates near the start: they may differ from those that are read at it.
        """
        if self._nearby.vanishes(self._gates, margin):
            return True
        name = self._stages.names([margin])[0]
        gate = self._stages.gates[margin.gate]
        later = {g.probe: np.zeros(self._stages.shape(g), dtype=object) for g in self._stages.gates[margin.gate :]}
        for numbers in self._frame:
            values, _ = self._network.values(self._network.shaped(numbers), self._gates | later)
            if (margin.of(self._network.jacobian(values, gate.source).T) != 0).any():
                what = "receives exactly 0" if gate.axis is None else "ties with the largest"
                raise TieError(f"on all inputs of a region, {name} {what}, where the network has no gradient.")
        self.doubts.append(f"{name} is decided by terms of second order near this start")
        return False

    # --- which branches are empty -----------------------------------------------------------------------------------

    def _enter(self, rows: list[list[int]], margins: list[Margin], point: Inside) -> Inside | None:
        """A point of the inputs left at which these rows too are positive; they then stay, until ``_leave``."""
        self._rows += rows
        self._margins += margins
        if all(dot(row, point) > 0 for row in rows):
            return point
        found = strictly_feasible(self._rows, self._size)
        if isinstance(found, Inside):
            return found
        if not self._lasts(found):
            self._doubt(found)
        self._leave(len(rows))
        return None

    def _leave(self, count: int) -> None:
        if count:
            del self._rows[-count:], self._margins[-count:]

    def _lasts(self, empty: Empty) -> bool:
        """Whether the branch is empty near the start too: by these multipliers, or by others without one of them."""
        if self._shown(empty, range(len(self._rows))):
            return True
        for left_out in empty.multipliers:
            kept = [j for j in range(len(self._rows)) if j != left_out]
            other = strictly_feasible([self._rows[j] for j in kept], self._size)
            if isinstance(other, Empty) and self._shown(other, kept):
                return True
        return False

    def _shown(self, empty: Empty, kept: range | list[int]) -> bool:
        margins = [self._margins[kept[j]] for j in empty.multipliers]
        return self._nearby.lasts(self._gates, margins, empty.excess > 0)

    def _doubt(self, empty: Empty) -> None:
        names = self._stages.names(self._margins[j] for j in empty.multipliers)
        several = f"the boundaries of {', '.join(names)} meet" if len(names) > 1 else f"{names[0]} keeps its sign"
        self.doubts.append(f"{several} at this start as they do not near it")


def _shaped(values: list[Number] | list[bool], shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    array: NDArray[Any] = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array.reshape(shape)
