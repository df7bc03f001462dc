"""``Grid``: the sizes on which a claim is checked, all within a reach and the edges always."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

Size = tuple[int, ...]


class Reach(Enum):
    """How far a grid reaches; the value is the word on the command line."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True)
class Grid:
    """All sizes from ``least`` (else 1) to ``most`` whose ``dimension`` is within reach, and the ``edges``.

    ``names`` names the entries of a size. A grid of layered networks has sizes of several ``lengths``: the widths from
    output to input, named by one name that ends in "...". ``dimension`` must not fall when an entry grows.
    """

    names: tuple[str, ...]
    dimension: Callable[[Size], int]
    quick: int
    full: int
    edges: tuple[Size, ...] = ()
    most: tuple[int, ...] | int | None = None  # the largest entry: of each place, or of all
    lengths: tuple[int, ...] = ()
    least: tuple[int, ...] = ()  # the smallest entry of each place, if not 1
    numbered: bool = False  # the sizes are numbers of cases: no condition or formula describes them

    def sizes(self, reach: Reach) -> list[Size]:
        """Smallest dimension first."""
        limit = self.quick if reach is Reach.QUICK else self.full
        found = {size for length in self.lengths or (len(self.names),) for size in self._grown((), length, limit)}
        return sorted(found | set(self.edges), key=lambda size: (self.dimension(size), len(size), size))

    def written(self, size: Size) -> str:
        """A size as text: "n = 2, r = 1", or "2 x 3 x 1" for the widths of a network."""
        if self.lengths:
            return " x ".join(map(str, size))
        return ", ".join(f"{name} = {entry}" for name, entry in zip(self.names, size, strict=True))

    def _grown(self, start: Size, length: int, limit: int) -> Iterator[Size]:
        place = len(start)
        if place == length:
            yield start
            return
        entry, last = self._first(place), self._most(place)
        while (last is None or entry <= last) and self._smallest((*start, entry), length) <= limit:
            yield from self._grown((*start, entry), length, limit)
            entry += 1

    def _most(self, place: int) -> int | None:
        return self.most[place] if isinstance(self.most, tuple) else self.most

    def _first(self, place: int) -> int:
        return self.least[place] if self.least else 1

    def _smallest(self, start: Size, length: int) -> int:
        return self.dimension(start + tuple(map(self._first, range(len(start), length))))


def single(note: str = "case") -> Grid:
    """A claim without sizes."""
    return Grid((note,), lambda size: 1, 1, 1, most=1)


def cases(name: str, count: int, dimension: Callable[[Size], int] = lambda size: 1) -> Grid:
    """A claim on a list of cases, numbered from 1."""
    every = tuple((k,) for k in range(1, count + 1))
    return Grid((name,), dimension, count, count, every, most=count, numbered=True)


def layers(
    dimension: Callable[[Size], int],
    quick: int,
    full: int,
    depths: tuple[int, ...] = (2, 3, 4, 5),
    edges: tuple[Size, ...] = (),
) -> Grid:
    """Widths of layered networks of these depths, output first."""
    return Grid(("widths...",), dimension, quick, full, edges, lengths=tuple(depth + 1 for depth in depths))


def factored(size: Size) -> int:
    """Number of parameters (n + m) r of U V^T, of size n, r, m."""
    n, r, m = size
    return (n + m) * r


def weights(widths: Size) -> int:
    """Number of weights of a layered network."""
    return sum(a * b for a, b in pairwise(widths))
