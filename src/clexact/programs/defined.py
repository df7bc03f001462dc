"""Arguments at which the functions of a program are defined: random ones, drawn anew in parts until they are.

A root exists of one residue in two, in each field of ``characters.py``. What belongs to one slice of an array, a token
or a unit, is drawn anew together, and kept where no more functions are undefined than before. Residues modulo q do not
depend on those modulo p (``Characters.any_value``), so arguments are settled in one field after the other, the last one
first. Points are settled in ``stages``: all members share them, so all roots of parameters have to exist at once.
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
from clexact.programs.program import ANALYTIC, LEAVES, Program
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

ROUNDS = 2**11  # of trials, at most
IDLE = 2**6  # of them in which nothing changes: then nothing will
EVERYWHERE = frozenset({"exp", "cos", "sin", "normal_cdf", "softplus"})  # functions defined at every residue
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


def may_be_undefined(program: Program, numbers: Sequence[int]) -> bool:
    """Whether some of these nodes is undefined at some arguments."""
    nodes = (program.nodes[n] for n in numbers)
    return any(node.op in ANALYTIC and not (node.op == "function" and node.data in EVERYWHERE) for node in nodes)


def undefined(
    program: Program,
    ring: TrueJets,
    leaves: Mapping[str, Jet],
    numbers: Sequence[int],
    relevant: Sequence[Mask] | None,
) -> Ints:
    """(rows, fields): how many places of functions, of those that matter to each row, are undefined there."""
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
            total = total + bad.reshape(count, bad.shape[1], -1).sum(axis=2).T
    return total


def moved(
    program: Program,
    ring: TrueJets,
    leaves: Mapping[str, Jet],
    numbers: Sequence[int],
    fields: Sequence[int],
    size: int,
) -> list[Mask]:
    """For each node where the argument of a function is not, modulo these fields, what it is in the first row.

    In the first of so many rows, and so on: (fields, rows / size, size, *places).
    """
    values = program.run_some(ring, leaves, numbers)
    found: list[Mask] = [np.zeros((len(fields), 1, 1, *node.shape), dtype=bool) for node in program.nodes]
    for n in numbers:
        if program.nodes[n].op == "function":
            argument = values[program.nodes[n].inputs[0]][0]
            rows = argument.reshape(-1, min(size, len(argument)), *argument.shape[1:])
            parts = [rows % np.uint64(field) for field in fields]
            found[n] = np.stack([part != part[:, :1] for part in parts])
    return found


def stages(moves: Mask) -> list[tuple[Ints, Mask]]:
    """Places (columns) in groups, each with the slices (rows) that move it and none of the groups before it.

    So groups can be settled one by one. They are small: a group is made of the places that the slice moves that moves
    least of those not yet in a later one.
    """
    left, found = moves.any(axis=0), list[tuple[Ints, Mask]]()
    while left.any():
        count = (moves & left).sum(axis=1)
        least = int(np.where(count, count, moves.shape[1] + 1).argmin())
        group = moves[least] & left
        alike = (count == count[least]) & ((moves & left) == group).all(axis=1)
        found.append((np.flatnonzero(alike), group))
        left = left & ~group
    return found[::-1]


def settle_field(
    undefined: Counts,
    rows: Words,
    together: list[Ints],
    draws: Draws,
    k: int,
    characters: Characters,
    rounds: int = ROUNDS,
) -> Mask:
    """Rows settled, in place, in the field of this number, all fields after it being so; which are not.

    What is undefined may depend on residues in those alone, a root above an exponential: then they are drawn anew, too.
    """
    left = settle(undefined, rows, together, draws, [k], anew(characters, draws, [k]), rounds)
    last = len(characters.fields)
    if k == last - 1 or not left.any():
        return left
    fields = range(k, last)
    return settle(undefined, rows, together, draws, fields, anew(characters, draws, fields), rounds)


def settle(
    undefined: Counts,
    rows: Words,
    together: list[Ints],
    draws: Draws,
    fields: Sequence[int],
    new: Change,
    rounds: int = ROUNDS,
) -> Mask:
    """Replace entries of rows by new ones until nothing is undefined in these fields; which rows are not settled."""
    left, idle = undefined(rows, np.arange(len(rows)))[:, fields].sum(axis=1), 0
    tables = np.zeros((len(together), rows.shape[1]), dtype=bool)
    for table, entries in zip(tables, together, strict=True):
        table[entries] = True
    for _ in range(rounds):
        which = np.flatnonzero(left)
        if not len(which) or idle == IDLE:
            break
        copies = max(1, TRIALS // len(which))
        owner = np.repeat(which, copies)
        turned = tables[draws.residues((len(owner),), 2**32).astype(np.int64) % len(together)]
        changed = np.where(turned, new(rows[owner]), rows[owner])
        found = undefined(changed, owner)[:, fields].sum(axis=1).reshape(len(which), copies)
        idle = idle + 1 if (found == left[which][:, None]).all() else 0
        best = found.argmin(axis=1)
        least, chosen = found.min(axis=1), np.arange(len(which)) * copies + best
        better = least <= left[which]
        rows[which[better]], left[which[better]] = changed[chosen[better]], least[better]
    return np.asarray(left > 0)


def check_settled(left: Mask, what: str) -> None:
    """UndefinedError if some rows are not settled."""
    if left.any():
        raise UndefinedError(f"no arguments were found at which all functions of {what} are defined")


def anew(characters: Characters, draws: Draws, fields: Sequence[int]) -> Change:
    """Rows with other residues in one of the fields of these numbers, each in any, the others kept."""

    def changed(rows: Words) -> Words:
        parts = characters.split(rows)
        which = draws.residues((len(rows), 1), 2**32) % np.uint64(len(fields)) if len(fields) > 1 else np.uint64(0)
        for n, k in enumerate(fields):
            parts[k] = np.where(which == n, draws.residues(rows.shape, characters.fields[k]), parts[k])
        return characters.joined(parts)

    return changed
