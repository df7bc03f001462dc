"""The gates of a network with analytic functions, at exact parameters and inputs: signs are proved by ball arithmetic.

Every value is an interval that holds it (FLINT's ``arb``, Johansson 2017). Where an interval that decides a gate holds
zero, all is evaluated anew with twice as many bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from math import prod
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.polynomial import Number, check_point
from clexact.programs.algebras import Numbers
from clexact.programs.model import Model, entry_names
from clexact.programs.network import Gates, Input, TieError, pieces
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Gate
from clexact.programs.region_samples import SCALES, random_numbers
from clexact.programs.region_tree import Region
from clexact.programs.sources import key

FIRST_BITS, LAST_BITS = 64, 4096
Ball = Any  # flint.arb


class Balls(Numbers):
    """Arrays of real intervals, at the precision of FLINT's context."""

    def constant(self, value: NDArray[Any]) -> NDArray[Any]:
        return balls(value)

    def function(self, a: NDArray[Any], name: str) -> NDArray[Any]:
        return _each(a, lambda x: _function(name, x))

    def softmax(self, a: NDArray[Any], axis: int) -> NDArray[Any]:
        powers = self.function(a, "exp")
        return np.asarray(powers / powers.sum(axis=axis, keepdims=True), dtype=object)


def balls(values: NDArray[Any]) -> NDArray[Any]:
    """Exact numbers as intervals."""
    return _each(values, lambda c: flint.arb(flint.fmpq(Fraction(c).numerator, Fraction(c).denominator)))


def _each(a: NDArray[Any], function: Any) -> NDArray[Any]:
    out = np.empty(a.size, dtype=object)
    out[:] = [function(x) for x in a.ravel().tolist()]
    return out.reshape(a.shape)


def _function(name: str, x: Ball) -> Ball:
    match name:
        case "exp" | "rsqrt" | "tanh" | "log" | "sin" | "cos":
            return getattr(x, name)()
        case "reciprocal":
            return 1 / x
        case "sigmoid":
            return 1 / (1 + (-x).exp())
        case "softplus":
            return (1 + x.exp()).log()
        case "normal_cdf":
            return (1 + (x / flint.arb(2).sqrt()).erf()) / 2
        case _:
            raise ValueError(f"the function {name} has no intervals: gates behind it cannot be read.")


class AnalyticNetwork:
    """A model with functions at a rational point: its true gates at inputs."""

    def __init__(self, model: Model, point: Sequence[Number]) -> None:
        self.program, self.point = model.program, check_point(point, model.dimension)
        self.gates = {gate.probe: gate for gate in self.program.gates}
        self.inputs: dict[str, Shape] = {k: shape for k, shape in model.probes.items() if k not in self.gates}
        self._parameters = pieces(self.point, model.parameters)

    def sampled(self, draws: Draws, patience: int) -> Iterator[Region]:
        """Gates as they are met by inputs that are drawn, until ``patience`` of these in a row have met no others."""
        seen, misses, size = set[tuple[Number, ...]](), 0, sum(map(prod, self.inputs.values()))
        for largest, denominator in cycle(SCALES):
            given = pieces(random_numbers(draws, size, largest, denominator), self.inputs)
            try:
                gates = self.gates_at(given)
            except TieError:
                gates = {}
            found = key(gates.values())
            misses = 0 if gates and found not in seen else misses + 1
            if not misses:
                seen.add(found)
                yield Region(given, gates, {name: np.zeros(gate.shape, dtype=bool) for name, gate in gates.items()})
            if misses >= patience:
                return

    def gates_at(self, given: Input) -> Gates:
        """The true gates at an input; TieError where no precision decides one."""
        before, bits = flint.ctx.prec, FIRST_BITS
        try:
            while True:
                flint.ctx.prec = bits
                try:
                    return self._gates_at(given)
                except TieError:
                    if bits >= LAST_BITS:
                        raise
                    bits *= 2
        finally:
            flint.ctx.prec = before

    def _gates_at(self, given: Input) -> Gates:
        values, found = list[NDArray[Any]](), dict[str, NDArray[Any]]()
        for node in self.program.nodes:
            if node.op not in LEAVES:
                values.append(self.program.value(Balls(), node, values))
            elif node.op == "parameter":
                values.append(balls(self._parameters[node.data]))
            elif node.data in self.gates:
                found[node.data] = _read(self.gates[node.data], values[self.gates[node.data].source])
                values.append(balls(found[node.data]))
            else:
                values.append(balls(np.asarray(given[node.data], dtype=object)))
        return found


def _read(gate: Gate, z: NDArray[Any]) -> NDArray[Any]:
    """The gates at intervals of their source; TieError where one is not decided."""
    read = np.empty(z.size, dtype=object)
    if gate.axis is None:
        read[:] = [_slope(gate, x, n, z.shape) for n, x in enumerate(z.ravel().tolist())]
        return read.reshape(z.shape)
    read = np.zeros(z.shape, dtype=object)
    for place in np.ndindex(*(1 if n == gate.axis else size for n, size in enumerate(z.shape))):
        along = [(*place[: gate.axis], k, *place[gate.axis + 1 :]) for k in range(z.shape[gate.axis])]
        first = [k for k in along if all(z[k] > z[m] for m in along if m != k)]
        if not first:
            raise TieError(f"entries of {gate.probe} tie with the largest, where a maximum has no derivative.")
        read[first[0]] = 1
    return read


def _slope(gate: Gate, x: Ball, n: int, shape: Shape) -> Number:
    if x > 0:
        return 1
    if x < 0:
        return gate.slope
    name = entry_names(gate.probe, shape)[n]
    raise TieError(f"unit {name} receives what is not told from 0, where a relu has no derivative.")
