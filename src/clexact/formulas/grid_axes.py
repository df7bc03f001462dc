"""Sizes by axes: the values of an axis, how the sizes of a family are made of the axes, and random sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clexact.algebra.draws import Draws
from clexact.formulas.boundary import DEPTH
from clexact.models import FAMILIES

WIDTH = "width"


def integers(what: str, text: str, least: int, most: int) -> list[int]:
    """The values of a text such as 3, 1..5 or 1|3..5, in order; ValueError unless >= ``least`` and at most ``most``."""
    return sorted({value for word in text.split("|") for value in _range(what, word.strip(), least, most)})


def _range(what: str, word: str, least: int, most: int) -> range:
    """The values of a..b, or of a single a."""
    first, dots, last = word.partition("..")
    try:
        low, high = int(first), int(last if dots else first)
    except ValueError:
        raise ValueError(f"{what} takes integers a, a..b or a|b|c, not {word!r}.") from None
    if not least <= low <= high:
        raise ValueError(f"{what} takes integers of at least {least} in increasing order, not {word!r}.")
    if high - low >= most:
        raise ValueError(f"{what} may take at most {most} values, not those of {word!r}.")
    return range(low, high + 1)


@dataclass(frozen=True)
class Order:
    """How the sizes of a family are made of the axes: words that are names of axes or integers."""

    words: tuple[str, ...]
    deep: bool  # the word ``width`` stands for all hidden layers of a network of ``depth`` layers

    def sizes(self, at: Mapping[str, int]) -> list[int]:
        """The sizes of the family at a point of the grid."""
        return [size for word in self.words for size in [at[word] if word in at else int(word)] * self._times(word, at)]

    def _times(self, word: str, at: Mapping[str, int]) -> int:
        return at[DEPTH] + 2 - len(self.words) if self.deep and word == WIDTH else 1

    def __str__(self) -> str:
        ends = len(self.words) - 2
        times = DEPTH if not ends else f"{DEPTH} {'-' if ends > 0 else '+'} {abs(ends)}"
        return ", ".join(f"{w} ({times} times)" if self.deep and w == WIDTH else w for w in self.words)


def read_order(family: str | None, axes: Sequence[str], given: str | None) -> Order:
    """The order given, or that of the family, or n r m, or as written; ValueError where an axis has no place.

    Without a family, the sizes are the arguments of a user's function.
    """
    deep = DEPTH in axes and family is not None and FAMILIES[family].listed
    placed = [x for x in axes if not (deep and x == DEPTH)]
    words = given.split() if given is not None else placed if family is None else _default_order(family, placed, deep)
    for word in words:
        if word not in placed and not word.isdecimal():
            raise ValueError(f"--sizes takes axes of the grid ({', '.join(placed)}) and integers, not {word!r}.")
    if missing := [x for x in placed if x not in words]:
        raise ValueError(f"the axis {missing[0]} of the grid has no place in the sizes {' '.join(words)!r}.")
    if deep and words.count(WIDTH) != 1:
        raise ValueError(f"the axis {DEPTH} needs an axis {WIDTH}, of all hidden layers, once among the sizes.")
    return Order(tuple(words), deep)


def _default_order(family: str, placed: list[str], deep: bool) -> list[str]:
    if not FAMILIES[family].listed:
        words = [word.strip("[]") for word in FAMILIES[family].sizes.split()]
        if stray := [x for x in placed if x not in words]:
            raise ValueError(
                f"{family} takes the sizes {FAMILIES[family].sizes}, and none is called {stray[0]!r}; "
                f"name the axes so, or give their order by --sizes."
            )
        return [word for word in words if word in placed]
    if deep and WIDTH in placed:
        return [WIDTH] if len(placed) == 1 else _between([x for x in placed if x != WIDTH])
    return ["n", "r", "m"] if set(placed) == {"n", "r", "m"} else placed


def _between(ends: list[str]) -> list[str]:
    if len(ends) != 2:
        raise ValueError(f"besides {DEPTH} and {WIDTH}, give no axis or two, or the order by --sizes, not {ends[0]!r}.")
    return [ends[0], WIDTH, ends[1]]


def random_sizes(draws: Draws, depths: tuple[int, int], widths: tuple[int, int]) -> list[int]:
    """Sizes [n_1, ..., n_{q+1}] of a network of q layers, q and the n_l uniform in the two ranges."""
    (depth,) = draws.integers(*depths, 1)
    return draws.integers(*widths, depth + 1)
