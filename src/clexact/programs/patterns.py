"""Choices at gates, for many rows at once: whether a ReLU is on, and which entry is largest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.terms import Ints
from clexact.programs.places import Mask, Shape
from clexact.programs.program import Gate

Choices = list[Mask]  # for each gate, (rows, *shape): whether it is open
Gates = Sequence[tuple[Shape, Gate]]


def any_choices(gates: Gates, rows: int, draws: Draws) -> Choices:
    """Random ones."""
    choices = Choices()
    for shape, gate in gates:
        if gate.axis is None:
            choices.append(draws.residues((rows, *shape), 2) == 1)
            continue
        winner = draws.residues((rows, *shape), 2**32).argmax(axis=gate.axis + 1)
        choices.append(np.zeros((rows, *shape), dtype=bool))
        np.put_along_axis(choices[-1], np.expand_dims(winner, gate.axis + 1), True, axis=gate.axis + 1)
    return choices


def chosen(choices: Choices, which: Ints | Mask) -> Choices:
    """Some rows."""
    return [choice[which] for choice in choices]


def changed(gates: Gates, choices: Choices, which: Ints, draws: Draws) -> Choices:
    """Some rows changed at random: more ReLUs on, so that fewer of their functions are constants or single terms."""
    for choice, new, (_, gate) in zip(choices, any_choices(gates, len(which), draws), gates, strict=True):
        choice[which] = new if gate.axis is not None else choice[which] | new
    return choices


def distinct(choices: Choices) -> tuple[Choices, Ints]:
    """Different ones, and for each row which of them it is."""
    flat = np.concatenate([choice.reshape(len(choice), -1) for choice in choices], axis=1)
    packed = np.ascontiguousarray(np.packbits(flat, axis=1))
    _, first, number = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return chosen(choices, first), number.ravel()
