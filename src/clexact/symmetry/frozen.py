"""Entries of parameters that nothing moves, all together: a family for each block of them, a product of index sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clexact.programs.places import Shape
from clexact.symmetry.families import Family, Layout
from clexact.symmetry.views import Term, View

MOST = 10**5  # entries of a family that are listed

Block = tuple[tuple[int, ...], ...]  # for each axis its indices, in order


def gathered(
    families: Sequence[Family], layout: Layout, more: Mapping[str, Sequence[int]]
) -> tuple[list[Family], list[Family]]:
    """The families that are more than single entries, and those of all such entries, and of ``more``, by blocks.

    Large families stay as they are: their entries are not listed. So does the only one of a parameter.
    """
    single = Counter(family.terms[0].parameter for family in families if _single(family))
    apart = {name for name, count in single.items() if count > 1} | set(more)
    kept, alone, entries = list[Family](), list[Family](), {name: [*flat] for name, flat in more.items()}
    for family in families:
        name = family.terms[0].parameter
        if _single(family) and name in apart:
            entries.setdefault(name, []).extend(family.terms[0].entries.ravel().tolist())
        else:
            kept.append(family)
    for name, shape in layout:
        if name in entries:
            mask = np.zeros(shape, dtype=bool)
            mask.ravel()[entries[name]] = True
            alone += [_family(name, shape, block) for block in blocks(mask)]
    return kept, alone


def _single(family: Family) -> bool:
    """Whether its numbers are entries of one parameter, not too many to be listed."""
    return family.kind == "translation" and len(family.terms) == 1 and family.rows == 1 and family.size <= MOST


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
