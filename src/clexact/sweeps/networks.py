"""The networks of a block of a spec: sizes as they are, all of a grid, or random draws from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from clexact.algebra.draws import Draws, check_seed
from clexact.formulas.boundary import DEPTH
from clexact.formulas.grid_axes import WIDTH, Order, integers, random_sizes, read_order
from clexact.models import FAMILIES
from clexact.programs.model import MAX_DIMENSION
from clexact.support.nearest import unknown
from clexact.sweeps.case import FLOW, OPTIONS, QUESTION
from clexact.sweeps.selection import Selection

MOST_VALUES = 10**6  # of an axis, of a grid, of draws
MOST_LAYERS = 1000
Alternatives = Callable[[str, Any], list[Any]]


@dataclass(frozen=True)
class SizedNetwork:
    """``sizes``: the key of a case, or nothing; ``options`` that were drawn with them; ``at``: where, for messages."""

    sizes: dict[str, list[int]]
    options: dict[str, Any] = field(default_factory=dict)
    at: str = ""


@dataclass
class Streams:
    """The random draws of each block: from the spec's seed, from one of its own, or on from those of another block."""

    seed: int
    ended: dict[str, Draws] = field(default_factory=dict)  # by the names of the blocks

    def of(self, draw: Mapping[str, Any]) -> Draws:
        """A new stream; it does not depend on the blocks around, unless the block says ``after``."""
        after = draw.get("after")
        if after is None:
            seed = draw.get("seed", self.seed)
            check_seed(seed)
            return Draws(seed)
        if "seed" in draw:
            raise ValueError(f"a draw takes seed or after, not both: seed = {draw['seed']!r}, after = {after!r}.")
        if not isinstance(after, str) or after not in self.ended:
            known = ", ".join(self.ended) or "none so far"
            raise ValueError(f"after must be the name of an earlier block with a draw ({known}), not {after!r}.")
        return deepcopy(self.ended[after])


def networks(
    table: Mapping[str, Any], family: str | None, streams: Streams, alternatives: Alternatives
) -> Iterator[SizedNetwork]:
    """The networks of a block, in order; ValueError or TypeError for what is not understood."""
    if family is not None and family not in FAMILIES:
        raise ValueError(unknown("family", family, FAMILIES))
    if "grid" in table and "draw" in table:
        raise ValueError("a block takes a grid or a draw, not both.")
    if "grid" in table:
        return _of_grid(table, family)
    if "draw" in table:
        return _drawn(table, family, streams, alternatives)
    if "where" in table:
        raise ValueError(f"where = {table['where']!r} needs a grid or a draw, whose axes it names.")
    return _listed(table)


def _listed(table: Mapping[str, Any]) -> Iterator[SizedNetwork]:
    """Sizes as they are: one network, or a list of networks."""
    if "sizes" not in table:
        yield SizedNetwork({})
        return
    sizes = table["sizes"]
    if not isinstance(sizes, list) or not sizes:
        raise TypeError(f"sizes must be a list of integers or of such lists, not {sizes!r}; axes need a grid.")
    for one in sizes if all(isinstance(n, list) for n in sizes) else [sizes]:
        if not all(type(n) is int for n in one):
            raise TypeError(f"sizes must be a list of integers or of such lists, not {sizes!r}; axes need a grid.")
        yield SizedNetwork({"sizes": one})


# --- grids -----------------------------------------------------------------------------------------------------------


def _of_grid(table: Mapping[str, Any], family: str | None) -> Iterator[SizedNetwork]:
    axes = {name: _axis(name, value) for name, value in _axes(table["grid"], "grid").items()}
    if (count := prod(map(len, axes.values()))) > MOST_VALUES:
        raise ValueError(f"grid may have at most {MOST_VALUES} sizes, not {count}.")
    order, where = _order(table, family, axes), _where(table, axes)
    for values in product(*axes.values()):
        at = dict(zip(axes, values, strict=True))
        if where is None or where.holds(at):
            yield SizedNetwork({"sizes": order.sizes(at)}, at=_written(at))


def _axes(given: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise TypeError(f'{what} must be a table such as {{ n = "1..6", m = [1, 5] }}, not {given!r}.')
    for name in given:
        if not name.isidentifier():
            raise ValueError(f"{what} names an axis {name!r}, which is no name such as n or width.")
    return given


def _axis(name: str, value: Any) -> list[int]:
    """The values of an axis: an integer, a text such as 1..6, or a list of both."""
    most = MOST_LAYERS if name == DEPTH else MAX_DIMENSION
    values = sorted({n for v in (value if isinstance(value, list) else [value]) for n in integer_values(name, v, 1)})
    if not values or values[-1] > most:
        raise ValueError(f"the axis {name} takes integers from 1 to {most}, not {value!r}.")
    return values


def integer_values(name: str, value: Any, least: int) -> list[int]:
    """The integers of a value or a range as text."""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str):
        raise TypeError(f'{name} takes integers or ranges such as "1..6", not {value!r}.')
    return integers(name, value, least, MOST_VALUES)


def _order(table: Mapping[str, Any], family: str | None, axes: Sequence[str] | Mapping[str, Any]) -> Order:
    """How the axes make the sizes."""
    sizes = table.get("sizes")
    if isinstance(sizes, list) and all(isinstance(word, str) or type(word) is int for word in sizes):
        sizes = " ".join(map(str, sizes))
    if sizes is not None and not isinstance(sizes, str):
        raise TypeError(f'sizes must name axes, such as ["n", "r", "m"], not {sizes!r}.')
    return read_order(family, list(axes), sizes)


def _where(table: Mapping[str, Any], axes: Sequence[str] | Mapping[str, Any]) -> Selection | None:
    text = table.get("where")
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f'where must be a condition such as "r <= n + m", not {text!r}.')
    try:
        return Selection.read(text, list(axes))
    except ValueError as error:
        raise ValueError(f"where = {text!r}: {error}") from None


def _written(at: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in at.items())


# --- draws -----------------------------------------------------------------------------------------------------------


def _drawn(
    table: Mapping[str, Any], family: str | None, streams: Streams, alternatives: Alternatives
) -> Iterator[SizedNetwork]:
    """``count`` networks: first the sizes of each, then those of its options that are drawn, in their order."""
    draw = _axes(table["draw"], "draw")
    count = draw.get("count")
    if type(count) is not int or not 1 <= count <= MOST_VALUES:
        raise ValueError(f"draw needs a count of networks from 1 to {MOST_VALUES}, not {count!r}.")
    rest = {key: value for key, value in draw.items() if key not in ("count", "seed", "after")}
    options = {key: alternatives(key, rest.pop(key)) for key in list(rest) if key in (*OPTIONS, *FLOW, *QUESTION)}
    for key in options:
        if key in table:
            raise ValueError(f"{key} is drawn, so the block cannot also say {key} = {table[key]!r}.")
    axes = {name: _axis(name, value) for name, value in rest.items()}
    draws, sized = streams.of(draw), _sizer(table, family, axes)
    where = _where(table, axes)
    for _ in range(count):
        sizes, at = sized(draws)
        chosen = {key: _one(draws, values) for key, values in options.items()}
        if where is None or where.holds(at):
            yield SizedNetwork({"sizes": sizes}, chosen, _written(at) or f"sizes {sizes}")
    if isinstance(table.get("name"), str):
        streams.ended[table["name"]] = draws


def _one(draws: Draws, values: list[Any]) -> Any:
    return values[draws.integers(0, len(values) - 1, 1)[0]]


Sizer = Callable[[Draws], tuple[list[int], dict[str, int]]]


def _sizer(table: Mapping[str, Any], family: str | None, axes: Mapping[str, list[int]]) -> Sizer:
    """Draws sizes, and the values of the axes by which a condition speaks of them."""
    if WIDTH in axes and set(axes) <= {WIDTH, DEPTH} and family is not None and "sizes" not in table:
        widths = _range(WIDTH, axes)
        if FAMILIES[family].listed and DEPTH in axes:
            depths = _range(DEPTH, axes)
            return lambda draws: (random_sizes(draws, depths, widths), {})
        if not FAMILIES[family].listed and DEPTH not in axes:
            count = len(FAMILIES[family].sizes.split())
            return lambda draws: (draws.integers(*widths, count), {})
    if DEPTH in axes or not axes:
        raise ValueError(f"draw takes {DEPTH} and {WIDTH}, or an axis for each size of {family or 'the function'}.")
    order = _order(table, family, axes)

    def sized(draws: Draws) -> tuple[list[int], dict[str, int]]:
        at = {name: _one(draws, values) for name, values in axes.items()}
        return order.sizes(at), at

    return sized


def _range(name: str, axes: Mapping[str, list[int]]) -> tuple[int, int]:
    """The ends of an axis without gaps."""
    values = axes[name]
    if values[-1] - values[0] != len(values) - 1:
        raise ValueError(f"draw takes a range of {name} such as 2..5, not {values}.")
    return values[0], values[-1]
