"""Entries of parameters that nothing moves, all together: a family for each block of them, a product of index sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clexact.programs.places import Shape
from clexact.symmetry.families import Family, Layout
from clexact.symmetry.views import Term, View

Block = tuple[tuple[int, ...], ...]  # for each axis its indices, in order


def gathered(
    families: Sequence[Family], layout: Layout, more: Mapping[str, Sequence[int]]
) -> tuple[list[Family], list[Family]]:
    """The families that are more than single entries, and those of all such entries, and of ``more``, by blocks."""
    kept, alone = [family for family in families if not _single(family)], list[Family]()
    entries = {name: [*flat] for name, flat in more.items()}
    for family in families:
        if _single(family):
            [term] = family.terms
            entries.setdefault(term.parameter, []).extend(term.entries.ravel().tolist())
    for name, shape in layout:
        if name in entries:
            mask = np.zeros(shape, dtype=bool)
            mask.ravel()[entries[name]] = True
            alone += [_family(name, shape, block) for block in blocks(mask)]
    return kept, alone


def _single(family: Family) -> bool:
    """Whether its numbers are entries of one parameter."""
    return family.kind == "translation" and len(family.terms) == 1 and family.rows == 1


def blocks(mask: NDArray[np.bool_]) -> Iterator[Block]:
    """A set of places as products: along the first axis, places at which the rest is the same belong together."""
    if not mask.ndim:
        yield from [()] if mask else []
        return
    groups: dict[bytes, list[int]] = {}
    for n, rest in enumerate(mask):
        groups.setdefault(rest.tobytes(), []).append(n)
    for places in groups.values():
        yield from ((tuple(places), *block) for block in blocks(mask[places[0]]))


def _family(name: str, shape: Shape, block: Block) -> Family:
    """Of the entries of a block."""
    axes = tuple(range(len(shape)))
    if all(len(places) == size for places, size in zip(block, shape, strict=True)):
        return Family("translation", (Term(name, 1, View(shape, axes, None), shape),))
    flat = np.ravel_multi_index(np.ix_(*block), shape).ravel()
    view = View((len(flat),), (0,), None, None, index=tuple(flat.tolist()))
    return Family("translation", (Term(name, 1, view, shape),))
