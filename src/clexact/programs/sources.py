"""What enters the gates of a network as affine functions of the input, gates held: from values at several inputs.

The same evaluation is made over the rationals at the start, modulo primes at random parameters, and with all absolute
values, where nothing cancels: there a coefficient vanishes only if no monomial has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Number
from clexact.programs.algebras import Algebra
from clexact.programs.model import entry_names
from clexact.programs.network import Gates, Network
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Gate
from clexact.programs.reverse import Exact, ExactRows

V = TypeVar("V")
NOTHING = -1  # in place of an entry: zero


class Margin(NamedTuple):
    """A linear function of what enters a gate, the entry ``plus`` minus the entry ``minus``: positive for a choice."""

    gate: int
    plus: int
    minus: int

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Its values, of those (inputs, entries) of what enters the gate."""
        if NOTHING in self[1:]:
            return np.asarray(values[:, self.plus] if self.minus == NOTHING else -values[:, self.minus])
        return np.asarray(values[:, self.plus] - values[:, self.minus])


class Stages:
    """The gates of a network in their order, and the nodes that each of them needs beyond those of the gates before."""

    def __init__(self, network: Network) -> None:
        self.program, self.gates = network.program, list(network.gates.values())
        self.steps: list[list[int]] = []
        done: set[int] = set()
        for gate in self.gates:
            needed = {gate.source}
            for n in range(gate.source, -1, -1):
                needed |= set(self.program.nodes[n].inputs) if n in needed else set()
            self.steps.append(sorted(needed - done))
            done |= needed

    def run(self, algebra: Algebra[V], stage: int, leaves: Mapping[str, V], values: list[V]) -> None:
        """Compute what enters the gate of this number, the values of earlier stages being there."""
        for n in self.steps[stage]:
            node = self.program.nodes[n]
            values[n] = leaves[node.data] if node.op in LEAVES else self.program.value(algebra, node, values)

    def run_until(self, algebra: Algebra[V], stage: int, leaves: Mapping[str, V]) -> list[V]:
        """The values of all nodes up to this stage; of others there is none."""
        values: list[Any] = [None] * len(self.program.nodes)
        for earlier in range(stage + 1):
            self.run(algebra, earlier, leaves, values)
        return values

    def shape(self, gate: Gate) -> Shape:
        """Of what enters a gate."""
        return self.program.nodes[gate.source].shape

    def names(self, margins: Iterable[Margin]) -> list[str]:
        """The entries of gates of which margins speak, as a user reads them."""
        found = dict[str, None]()
        for margin in margins:
            gate = self.gates[margin.gate]
            names = entry_names(gate.probe, self.shape(gate))
            found |= dict.fromkeys(names[entry] for entry in margin[1:] if entry != NOTHING)
        return list(found)


class Absolute(ExactRows):
    """As ``ExactRows``, with |c| for each constant."""

    def constant(self, value: NDArray[Any]) -> Exact:
        return self._array(np.abs(value), value)[None]


def stacked(network: Network, rows: Sequence[Sequence[Number]]) -> dict[str, Exact]:
    """Several inputs, given by their numbers, as one array for each probe."""
    given = [network.shaped(row) for row in rows]
    return {name: np.stack([one[name] for one in given]) for name in network.inputs}


def frame(count: int) -> list[list[Number]]:
    """The input 0 and the unit vectors: an affine function is known by its values there."""
    return [[int(i == j) for j in range(count)] for i in range(-1, count)]


def flat(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Values of a node at inputs as (inputs, entries), one row for each of ``count`` inputs."""
    rows = values.reshape(len(values), prod(values.shape[1:]))
    return np.broadcast_to(rows, (count, rows.shape[1]))


def affine_row(values: Sequence[Number]) -> list[Number]:
    """(a, b) of an affine function, from its values at a frame."""
    return [*(value - values[0] for value in values[1:]), values[0]]


def held(arrays: Gates) -> dict[str, Exact]:
    """Gates, or parameters, for all inputs alike."""
    return {name: array[None] for name, array in arrays.items()}


def key(gates: Iterable[Exact]) -> tuple[Number, ...]:
    """Equal for equal gates."""
    return tuple(c for array in gates for c in array.ravel().tolist())
