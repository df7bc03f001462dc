r"""That logarithms of a program's functions are independent, so that any values of theirs make a homomorphism.

By Ax's theorem $\log v_1, \log v_2, \ldots$ satisfy no algebraic relation over the field of all other functions, unless
a product $\prod v_i^{n_i}$ of integer powers is a constant times an exponential of a function; members share the
parameters, so a function of these alone counts as a constant. The $n_i$ may be divided by their common divisor: some
are odd then, and exponentials are squares. So a product of some of the $v_i$ would be a square up to such a factor, and
Legendre symbols exclude that as for roots (``independence.py``), of all logarithms together. The arguments $1 + e^u$ of
softplus count among them. What is the same for opaque functions is one argument, and what then moves with inputs at one
point, depends on them. The logarithm of 1 is 0.

Functions with other gates are other functions: each choice is looked at alone. So no argument but 1 may depend on gates
and parameters alone: there is one for each choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.programs.characters import Characters
from clexact.programs.independence import SPARE, Evaluate, Together, free_signs
from clexact.programs.operations import Node
from clexact.programs.places import Mask
from clexact.programs.program import Program
from clexact.programs.theorems import LOGARITHMS
from clexact.support.errors import UndefinedError

FEW = 4  # rows of opaque values: what is equal in all of them is the same
MOST = 4000  # logarithms

# (nodes, rows, whether at one point, whether gates are any residues): values modulo a large prime, functions opaque
Opaque = Callable[[Sequence[int], int, bool, bool], list[Words]]


def check_logarithms(
    program: Program, values: Evaluate, opaque: Opaque, large: int, characters: Characters, draws: Draws, name: str
) -> None:
    """UndefinedError unless the arguments of logarithms are shown to be independent."""
    places = [n for n, node in enumerate(program.nodes) if node.op == "function" and node.data in LOGARITHMS]
    nodes = [program.nodes[n] for n in places]
    if (count := sum(prod(node.shape) for node in nodes)) > MOST:
        raise UndefinedError(f"{count} logarithms of {name} are too many to be compared")
    numbers = [node.inputs[0] for node in nodes]

    def seen(one_point: bool, any_gates: bool = False) -> Words:
        return _joined(opaque(numbers, FEW, one_point, any_gates), nodes, large)

    rows, columns = seen(True), seen(False)
    ones = (columns == 1).all(axis=0) & np.repeat([n.data == "log" for n in nodes], [prod(n.shape) for n in nodes])
    depends = _moved(rows)
    if ((depends != _moved(seen(True, any_gates=True))) & ~ones).any():
        raise UndefinedError(f"inputs do not move a logarithm of {name} where some gates are closed")
    if "log" not in program.functions:
        return
    entries = _different(columns, nodes)
    entries = entries[~ones[entries]]
    for one_point, chosen in ((True, entries[depends[entries]]), (False, entries[~depends[entries]])):
        if not len(chosen):
            continue
        found = values(places, len(chosen) + SPARE, one_point, draws, characters.prime)
        columns = _arguments(found, nodes, characters)[:, chosen]
        if not free_signs(columns[(columns != 0).all(axis=1)], characters.prime):
            raise UndefinedError(
                f"logarithms of {name} are not shown to be independent: a product of their arguments may be a square, "
                "or an exponential"
            )


def check_logarithms_together(
    program: Program,
    values: Together,
    opaque: Together,
    large: int,
    characters: Characters,
    name: str,
) -> None:
    """UndefinedError unless logarithms at several inputs, functions of the parameters, are independent together."""
    places = [n for n, node in enumerate(program.nodes) if node.op == "function" and node.data in LOGARITHMS]
    nodes = [program.nodes[n] for n in places]
    first = opaque([node.inputs[0] for node in nodes], FEW)
    cases = first[0].shape[1]
    if (count := cases * sum(prod(node.shape) for node in nodes)) > MOST:
        raise UndefinedError(f"{count} logarithms of {name} are too many to be compared")
    several = [replace(node, shape=(cases, *node.shape)) for node in nodes]
    seen = _joined(first, several, large)
    moved, kinds = _moved(seen), np.repeat([n.data == "log" for n in several], [prod(n.shape) for n in several])
    if (~moved & ~((seen[0] == 1) & kinds)).any():
        raise UndefinedError(f"no parameter moves a logarithm of {name} at one of the inputs")
    entries = _different(seen, several)
    entries = entries[moved[entries]]
    if not len(entries):
        return
    columns = _arguments(values(places, len(entries) + SPARE), several, characters)[:, entries]
    if not free_signs(columns[(columns != 0).all(axis=1)], characters.prime):
        raise UndefinedError(
            f"logarithms of {name} at several inputs are not shown to be independent: a product of their arguments may "
            "be a square, or an exponential"
        )


def _moved(rows: Words) -> Mask:
    """Which entries are not the same in all rows."""
    return np.asarray((rows != rows[:1]).any(axis=0))


def _different(columns: Words, nodes: Sequence[Node]) -> Ints:
    """One entry for each argument: of log, and of softplus up to sign."""
    kinds = np.repeat([LOGARITHMS.index(node.data) for node in nodes], [prod(node.shape) for node in nodes])
    labelled = np.concatenate([kinds.astype(np.uint64)[None], columns])
    return np.unique(labelled, axis=1, return_index=True)[1]


def _joined(found: Sequence[Words], nodes: Sequence[Node], prime: int) -> Words:
    """(rows, entries): opaque values of log's arguments, and of softplus's without their signs."""
    flat = [part.reshape(len(part), -1) for part in found]
    minus = [linalg.subtract(np.zeros_like(part), part, prime) for part in flat]
    sizes = [np.minimum(a, b) if n.data == "softplus" else a for a, b, n in zip(flat, minus, nodes, strict=True)]
    return np.concatenate(sizes, axis=1)


def _arguments(found: Sequence[Words], nodes: Sequence[Node], characters: Characters) -> Words:
    """(rows, entries) modulo p: what the logarithms are of."""
    columns = []
    for part, node in zip(found, nodes, strict=True):
        flat = part.reshape(len(part), -1)
        of = flat if node.data == "log" else characters.value("exp", flat)[0] + np.uint64(1)
        columns.append(of % np.uint64(characters.prime))
    return np.concatenate(columns, axis=1)
