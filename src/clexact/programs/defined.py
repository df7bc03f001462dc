"""Arguments at which the functions of a program are defined: random ones, drawn anew in parts until they are.

A root exists of one residue in two, in each field of ``characters.py``. What belongs to one slice of an array, a token
or a unit, is drawn anew together, and kept where no more functions are undefined than before. Residues modulo q do not
depend on those modulo p, so arguments are settled in one field after the other, the last one first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.programs.characters import Characters
from clexact.programs.jets import Jet
from clexact.programs.places import Mask, Shape, places
from clexact.programs.program import LEAVES, Program
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

ROUNDS = 2**11  # of trials, at most
TRIALS = 2**8  # rows tried at a time, at least: each row that is left several times

Counts = Callable[[Words, Ints], Ints]  # rows, and their numbers, to (rows, fields): how many are undefined
Change = Callable[[Words], Words]  # rows drawn anew


def slices(shapes: Mapping[str, Shape], left_out: Collection[str] = ()) -> list[Ints]:
    """Entries of arrays one after another that are drawn together: all of an array, and each slice of it."""
    first, found = 0, list[Ints]()
    for name, shape in shapes.items():
        entries = first + places(shape)
        first += prod(shape)
        if name in left_out:
            continue
        found.append(entries.ravel())
        for axis, size in enumerate(shape):
            found += [entries.take(k, axis).ravel() for k in range(size)] if size > 1 else []
    return found


def undefined(
    program: Program,
    ring: TrueJets,
    leaves: Mapping[str, Jet],
    numbers: Sequence[int],
    relevant: Sequence[Mask] | None,
    pairs: bool = False,
) -> Ints:
    """(rows, fields): how many places of functions, of those that matter to each row, are undefined there.

    With ``pairs``, rows 2k and 2k + 1 have other inputs at one point: only places that these do not move count.
    """
    values = list[Jet]([{}] * len(program.nodes))
    count = len(ring.characters.fields)
    total = np.zeros((1, count), dtype=np.int64)
    for n in numbers:
        node = program.nodes[n]
        if node.op in LEAVES:
            values[n] = leaves[node.data]
            continue
        ring.undefined.clear()
        values[n] = program.value(ring, node, values)
        for mask in ring.undefined:
            bad = mask if relevant is None else mask & relevant[n]
            if pairs:
                argument = values[node.inputs[0]][0]
                bad = bad & (node.op == "function" and _unmoved(argument))
            total = total + bad.reshape(count, bad.shape[1], -1).sum(axis=2).T
    return total


def _unmoved(a: Words) -> Mask:
    """Where rows 2k and 2k + 1 are equal."""
    same = a[0::2] == a[1::2] if len(a) > 1 else np.ones_like(a, dtype=bool)
    return np.repeat(same, 2, axis=0) if len(a) > 1 else same


def settled(
    undefined: Counts, rows: Words, together: list[Ints], draws: Draws, field: Sequence[int], new: Change, what: str
) -> Words:
    """The rows with entries replaced by new ones until nothing is undefined in these fields."""
    left = undefined(rows, np.arange(len(rows)))[:, field].sum(axis=1)
    tables = np.zeros((len(together), rows.shape[1]), dtype=bool)
    for table, entries in zip(tables, together, strict=True):
        table[entries] = True
    for _ in range(ROUNDS):
        which = np.flatnonzero(left)
        if not len(which):
            return rows
        copies = max(1, TRIALS // len(which))
        owner = np.repeat(which, copies)
        turned = tables[draws.residues((len(owner),), 2**32).astype(np.int64) % len(together)]
        changed = np.where(turned, new(rows[owner]), rows[owner])
        found = undefined(changed, owner)[:, field].sum(axis=1).reshape(len(which), copies)
        best = found.argmin(axis=1)
        least, chosen = found.min(axis=1), np.arange(len(which)) * copies + best
        better = least <= left[which]
        rows[which[better]], left[which[better]] = changed[chosen[better]], least[better]
    raise UndefinedError(f"no arguments were found at which all functions of {what} are defined")


def anew(characters: Characters, draws: Draws, field: int) -> Change:
    """Rows with other residues in the field of this number, the others kept."""

    def changed(rows: Words) -> Words:
        parts = characters.split(rows)
        parts[field] = draws.residues(rows.shape, characters.fields[field])
        return characters.joined(parts)

    return changed
