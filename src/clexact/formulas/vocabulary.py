"""The quantities that a formula may use besides the sizes themselves, simplest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from clexact.formulas.boundary import DEPTH
from clexact.formulas.quantities import (
    Amount,
    Extreme,
    Indicator,
    Product,
    Quantity,
    Relation,
    minus,
    number,
    size,
    total,
)

OFFSETS = (1, 2, 3)  # c of max(0, x - c)


def vocabulary(columns: dict[str, NDArray[np.int64]]) -> list[tuple[Quantity, int]]:
    """Quantities with their costs; of those that are the same on the columns the first, and no constants.

    Sizes that do not vary enter none: what is said of them could not be tested.
    """
    varied = {x: column for x, column in columns.items() if len(np.unique(column)) > 1}
    alike = [x for x in varied if x != DEPTH]
    found = [*_minima(alike), *_excesses(list(varied), alike), *_indicators(varied, alike)]
    seen = {column.tobytes() for column in columns.values()}
    kept = []
    for quantity, cost in sorted(found, key=lambda item: item[1]):
        column = np.asarray(quantity.value(columns), dtype=np.int64)
        if column.tobytes() not in seen and len(np.unique(column)) > 1:
            seen.add(column.tobytes())
            kept.append((quantity, cost))
    return kept


def _minima(names: Sequence[str]) -> Iterator[tuple[Quantity, int]]:
    """min(r, n), min(r, n + m), min(r, n + m - 1), min(r, 2*(n + m)), min(r, n*m), max(n, m), ..."""
    for x, y in combinations(names, 2):
        yield _extreme("min", size(x), size(y)), 2
        yield _extreme("max", size(x), size(y)), 3
    for x, y in permutations(names, 2):
        yield _extreme("min", size(x), total([y], -1)), 4
        yield _extreme("min", size(x), total([y], factor=2)), 4
    for group in combinations(names, 3):
        yield _extreme("min", *map(size, group)), 3
    for x in names:
        others = [y for y in names if y != x]
        for pair in combinations(others, 2):
            yield _extreme("min", size(x), total(pair)), 3
            yield _extreme("min", size(x), total(pair, -1)), 4
            yield _extreme("min", size(x), total(pair, 1)), 5
            yield _extreme("min", size(x), total(pair, factor=2)), 4
            yield _extreme("min", size(x), Product(pair)), 4


def _excesses(names: Sequence[str], alike: Sequence[str]) -> Iterator[tuple[Quantity, int]]:
    """max(0, x - 2), max(0, r - n), max(0, r - n - m), max(0, r - 2*(n + m)), ..."""
    for x in names:
        yield from ((_extreme("max", number(0), minus(x, [], constant=-c)), 3) for c in OFFSETS)
    for x in alike:
        others = [y for y in alike if y != x]
        for k, factor in ((1, 1), (1, 2), (2, 1), (2, 2)):
            for group in combinations(others, k):
                yield _extreme("max", number(0), minus(x, group, factor)), 2 + k + factor
        for group in combinations(others, 2):
            yield _extreme("max", number(0), minus(x, group, 1, 1)), 6


def _indicators(columns: dict[str, NDArray[np.int64]], alike: Sequence[str]) -> Iterator[tuple[Quantity, int]]:
    """[x = c] for the two least values c, [x = y], [x > y], [x > y + z], [x = y = c], ..."""
    least = {x: [int(v) for v in np.unique(column)[:2]] for x, column in columns.items()}
    for x, low in least.items():
        yield from ((Indicator((Relation(size(x), "=", number(v)),)), 3) for v in low)
    for x, y in combinations(columns, 2):
        for v in sorted(set(least[x][:1]) & set(least[y][:1])):
            yield Indicator((Relation(size(x), "=", number(v)), Relation(size(y), "=", number(v)))), 4
    for x, y in combinations(alike, 2):
        yield Indicator((Relation(size(x), "=", size(y)),)), 3
    for x, y in permutations(alike, 2):
        yield Indicator((Relation(size(x), ">", size(y)),)), 3
    for x in alike:
        for pair in combinations([y for y in alike if y != x], 2):
            yield Indicator((Relation(size(x), ">", total(pair)),)), 4


def _extreme(kind: str, *amounts: Amount) -> Extreme:
    return Extreme(kind, amounts)
