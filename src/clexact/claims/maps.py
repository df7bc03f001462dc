"""Maps of a grid: which sizes lie where, as panels of rows and columns or as lists of widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from clexact.claims.grid import Size
from clexact.claims.record import Cell, Record

AXES = 3  # a grid with more axes that vary is shown as lists
DENSE = 14  # columns from which on a panel shows no numbers


@dataclass(frozen=True)
class PanelRow:
    """The cells of a panel at one value of the axis that goes down."""

    value: int | None
    cells: tuple[Cell | None, ...]  # None: a size outside the grid


@dataclass(frozen=True)
class Panel:
    """A table of sizes: one axis goes down, one across; the title has the sizes that are fixed."""

    title: str
    down: str
    across: str
    columns: tuple[int, ...]
    rows: tuple[PanelRow, ...]

    @property
    def dense(self) -> bool:
        """Whether it is too wide for numbers."""
        return len(self.columns) > DENSE


@dataclass(frozen=True)
class Strip:
    """A list of sizes that belong together."""

    title: str
    cells: tuple[Cell, ...]


def panels(record: Record, cells: Sequence[Cell]) -> list[Panel]:
    """The grid as panels, where at most three sizes vary; else none.

    The size with the fewest values tells the panels apart.
    """
    if record.layered:
        return []
    values = [sorted({cell.size[axis] for cell in cells}) for axis in range(len(record.names))]
    varying = [axis for axis in range(len(record.names)) if len(values[axis]) > 1]
    if not 1 <= len(varying) <= AXES:
        return []
    outer = [min(varying, key=lambda axis: len(values[axis]))] if len(varying) == AXES else []
    inner = [axis for axis in varying if axis not in outer]
    parts = _grouped(cells, outer)
    return [_panel(record.names, _fixed(record, values, outer, part), inner, part) for part in parts]


def _grouped(cells: Sequence[Cell], outer: Sequence[int]) -> list[list[Cell]]:
    def place(cell: Cell) -> Size:
        return tuple(cell.size[axis] for axis in outer)

    return [list(part) for _, part in groupby(sorted(cells, key=place), key=place)]


def _fixed(record: Record, values: Sequence[Sequence[int]], outer: Sequence[int], part: Sequence[Cell]) -> str:
    """The sizes that are the same in all of a panel."""
    fixed = [axis for axis in range(len(record.names)) if axis in outer or len(values[axis]) == 1]
    return ", ".join(f"{record.names[axis]} = {part[0].size[axis]}" for axis in fixed)


def _panel(names: Sequence[str], title: str, inner: Sequence[int], part: Sequence[Cell]) -> Panel:
    *down, across = inner
    at = {tuple(cell.size[axis] for axis in inner): cell for cell in part}
    columns = sorted({place[-1] for place in at})
    starts = sorted({place[:-1] for place in at})
    rows = [
        PanelRow(start[0] if start else None, tuple(at.get((*start, column)) for column in columns)) for start in starts
    ]
    return Panel(title, names[down[0]] if down else "", names[across], tuple(columns), tuple(rows))


def strips(record: Record, cells: Sequence[Cell]) -> list[Strip]:
    """The grid as lists: of networks by their number of layers, or one list."""
    if not record.layered:
        return [Strip(", ".join(record.names), tuple(cells))]
    layers = _grouped_by_length(cells)
    return [Strip(f"{len(part[0].size) - 1} layers", tuple(part)) for part in layers]


def _grouped_by_length(cells: Sequence[Cell]) -> list[list[Cell]]:
    def length(cell: Cell) -> int:
        return len(cell.size)

    return [list(part) for _, part in groupby(sorted(cells, key=length), key=length)]
