"""A piecewise polynomial network at one rational parameter: its true gates, its gradients, its linear regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import ceil, floor, inf, prod

import numpy as np

from clexact.algebra.polynomial import Number, check_point
from clexact.programs import numeric
from clexact.programs.algebras import Rationals, Uniform
from clexact.programs.model import Model, entry_names
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Gate, Program
from clexact.programs.reverse import Exact, ExactRows, gradients

MAX_STEPS = 200  # halvings, of which finitely many land on a boundary, before a region is given up

Input = Mapping[str, Exact]  # probe name -> array
Gates = Mapping[str, Exact]  # gate -> array of slopes, or of selections 0 and 1
Bound = Fraction | float  # a rational, or minus or plus infinity
Line = Callable[[Number], Input]  # an affine function of t


class TieError(ValueError):
    """The network has no gradient in the parameters at an input: two of its pieces meet there.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.models.relu([1, 1, 2])
    >>> clexact.data_fields(net, [[1, 1]], [1, 1, -1])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    clexact.programs.network.TieError: ...
    """


class Network:
    """A model of polynomial pieces at a rational point; ValueError for analytic functions or a wrong point."""

    def __init__(self, model: Model, point: Sequence[Number]) -> None:
        if model.program.functions:
            names = ", ".join(model.program.functions)
            raise ValueError(f"{model.name} applies {names}: rows from data are exact for polynomial pieces only.")
        self.program, self.dimension = model.program, model.dimension
        self.point = check_point(point, model.dimension)
        self.gates = {gate.probe: gate for gate in self.program.gates}
        self.inputs: dict[str, Shape] = {k: shape for k, shape in model.probes.items() if k not in self.gates}
        self.parameters = pieces(self.point, model.parameters)

    @cached_property
    def _static(self) -> tuple[Rationals, dict[int, Exact]]:
        """The numbers, and the values of the nodes that no input moves."""
        ring, values = Rationals(), list[Exact]()
        fixed = self.program.independent_of("probe")
        for n, node in enumerate(self.program.nodes):
            if not fixed[n]:
                values.append(np.zeros(0))
            elif node.op == "parameter":
                values.append(ring.keep(self.parameters[node.data]))
            else:
                values.append(ring.keep(self.program.value(ring, node, values)))
        return ring, {n: value for n, value in enumerate(values) if fixed[n]}

    @property
    def input_size(self) -> int:
        """How many numbers an input consists of."""
        return sum(map(prod, self.inputs.values()))

    def shaped(self, numbers: Sequence[Number]) -> Input:
        """The input of these numbers, probe after probe."""
        return pieces(numbers, self.inputs)

    def values(self, given: Input, gates: Gates | None = None) -> tuple[list[Exact], Gates]:
        """Values of all nodes at an input, and the gates: those given, else the true ones, read on the way.

        Raises TieError where the network has no gradient.
        """
        values: list[Exact] = []
        found = dict(gates or {})
        ring, static = self._static
        for n, node in enumerate(self.program.nodes):
            if n in static:
                values.append(static[n])
            elif node.op not in LEAVES:
                values.append(self.program.value(ring, node, values))
            elif node.data in self.gates:
                if gates is None:
                    found[node.data] = self._read(self.gates[node.data], values)
                values.append(found[node.data])
            else:
                values.append(given[node.data])
        return values, found

    def gates_at(self, given: Input) -> Gates:
        """The true gates at an input; TieError where the network has no gradient."""
        return self.values(given)[1]

    def tied(self, values: list[Exact], gates: Gates) -> bool:
        """Whether a margin is zero: then the gates were read as if it were not."""
        for name, gate in self.gates.items():
            zero = margins(gate, values[gate.source], gates[name]) == 0
            if np.any(zero & ((gates[name] == 0) | (gate.axis is None))):
                return True
        return False

    def jacobian(self, values: list[Exact], node: int) -> Exact:
        """Gradients by theta of all entries of a node, its gates held: shape (entries, D)."""
        shape = self.program.nodes[node].shape
        size = prod(shape)
        each = np.eye(size, dtype=np.int64).astype(object).reshape(size, *shape)
        found = gradients(ExactRows(), self.program, [np.asarray(value)[None] for value in values], node, each)
        zeros = np.zeros(size * self.dimension, dtype=object)
        parts = [
            found[name].reshape(size, -1) if name in found else zeros[: size * array.size].reshape(size, -1)
            for name, array in self.parameters.items()
        ]
        return np.concatenate(parts, axis=1)

    def _read(self, gate: Gate, values: list[Exact]) -> Exact:
        """The true gates at the values of their source."""
        z = values[gate.source]
        read = numeric.read_gate(gate, z.astype(object, copy=False)[None]).reshape(z.shape)
        tied = np.asarray(z == 0 if gate.axis is None else (margins(gate, z, read) == 0) & (read == 0), dtype=bool)
        if tied.any():
            self._check_ties(gate, values, read, tied)
        return read

    def _check_ties(self, gate: Gate, values: list[Exact], read: Exact, tied: Exact) -> None:
        r"""Raise TieError unless each tied margin has gradient zero.

        Then the margin is $o(|d\theta|)$ and both pieces have the same gradient, that of the network. So it is for all
        units behind a layer that is off.
        """
        slopes = self.jacobian(values, gate.source).reshape(*read.shape, self.dimension)
        moving = tied & (margins(gate, slopes, read[..., None]) != 0).any(axis=-1)
        if moving.any():
            unit = np.array(entry_names(gate.probe, read.shape)).reshape(read.shape)[moving].tolist()[0]
            if gate.axis is None:
                raise TieError(f"unit {unit} receives exactly 0, where a relu has no derivative.")
            raise TieError(f"entry {unit} ties with the largest, where a maximum has no derivative.")


def margins(gate: Gate, z: Exact, read: Exact) -> Exact:
    """Linear functions of the source, positive where the gates are the ones read; 0 for an entry that is selected."""
    if gate.axis is None:
        return np.where(read == 1, z, -z)
    return np.asarray((read * z).sum(axis=gate.axis, keepdims=True) - z)


def pieces(numbers: Sequence[Number], shapes: Mapping[str, Shape]) -> dict[str, Exact]:
    """Consecutive numbers as arrays of these shapes."""
    vector = np.empty(len(numbers), dtype=object)
    vector[:] = numbers
    return numeric.pieces(vector, shapes)


# --- all linear regions ----------------------------------------------------------------------------------------------


class InputDegrees(Uniform[frozenset[int]]):
    """The degrees in the input that occur in an array."""

    def constant(self, value: Exact) -> frozenset[int]:
        return frozenset({0})

    def add(self, a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return a | b

    def multiply(self, a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return frozenset(i + j for i, j in product(a, b))


def input_degrees(program: Program, inputs: Mapping[str, Shape]) -> list[frozenset[int]]:
    """The degrees in the input of every node, its gates held."""
    leaves = {node.data: frozenset({int(node.data in inputs)}) for node in program.nodes if node.op in LEAVES}
    return program.run(InputDegrees(), leaves)


def spanning_inputs(network: Network) -> Iterator[Input] | None:
    r"""Finitely many inputs whose rows span all of $W_g(\theta)$, or None where regions are not enumerated.

    The regions of one scalar input are intervals; those of two inputs in a network without biases are cones, which
    cut the lines $x_1 = \pm 1$ in intervals. With the gates of an interval the output is a polynomial of some degree
    k along the line, so k + 1 of its points span all rows of the interval. What enters a gate must be affine in the
    input. Raises TieError while it runs if the network has no gradient by theta on a whole region.
    """
    if network.input_size == 0:
        return iter([{}])
    output, sources = _degrees(network)
    if any(max(each) > 1 for each in sources):
        return None
    if network.input_size == 1:
        return line_inputs(network, iter([([0], [1])]))
    if network.input_size == 2 and all(len(each) == 1 for each in [output, *sources]):
        return line_inputs(network, iter([([1, 0], [0, 1]), ([-1, 0], [0, 1])]))
    return None


def line_inputs(network: Network, lines: Iterator[tuple[list[Number], list[Number]]]) -> Iterator[Input]:
    """Inputs on lines $a + t b$, given as (a, b), that span the rows of all their intervals.

    There are none where what enters a gate is not affine.
    """
    output, sources = _degrees(network)
    if any(max(each) > 1 for each in sources):
        return
    for a, b in lines:
        line = _line(network, a, b)
        for left, right in intervals(network, line):
            yield from map(line, inner_points(left, right, max(output) + 1))


def _line(network: Network, a: list[Number], b: list[Number]) -> Line:
    return lambda t: network.shaped([c + t * d for c, d in zip(a, b, strict=True)])


def _degrees(network: Network) -> tuple[frozenset[int], list[frozenset[int]]]:
    """Degrees in the input of the output, and of what enters each gate."""
    degrees = input_degrees(network.program, network.inputs)
    return degrees[network.program.output], [degrees[gate.source] for gate in network.gates.values()]


def intervals(network: Network, line: Line) -> Iterator[tuple[Bound, Bound]]:
    """The open intervals of a line on which the gates are constant, from left to right."""
    left, right = _first_interval(network, line)
    yield left, right
    while right != inf:
        left, right = _next_interval(network, line, Fraction(right))
        yield left, right


def _first_interval(network: Network, line: Line) -> tuple[Bound, Bound]:
    """The interval that reaches to minus infinity."""
    t = -1
    for _ in range(MAX_STEPS):
        left, right = _interval(network, line, t)
        if left == -inf:
            return left, right
        t = min(2 * t, floor(left) - 1)
    raise TieError(f"on all of the inputs from {t} on towards minus infinity, a unit is tied.")


def _next_interval(network: Network, line: Line, boundary: Fraction) -> tuple[Bound, Bound]:
    """The interval that begins at a boundary: steps to its right are halved until they land inside."""
    t = boundary + 1
    for _ in range(MAX_STEPS):
        left, right = _interval(network, line, t)
        if left == boundary:
            return left, right
        t = (boundary + min(t, Fraction(left))) / 2
    raise TieError(f"on all of the inputs right of {boundary}, up to the next region, a unit is tied.")


def _interval(network: Network, line: Line, t: Number) -> tuple[Bound, Bound]:
    """The interval of t, from the roots of the margins, which are affine; (t, t) if t is no inner point of one."""
    try:
        values, read = network.values(line(t))
    except TieError:
        return Fraction(t), Fraction(t)
    further, _ = network.values(line(t + 1), read)
    left: Bound = -inf
    right: Bound = inf
    for gate in network.gates.values():
        here, there = (margins(gate, v[gate.source], read[gate.probe]).ravel().tolist() for v in (values, further))
        for a, b in zip(here, there, strict=True):
            if a == 0 != b:
                return Fraction(t), Fraction(t)
            if a > b:
                right = min(right, t + Fraction(a) / (a - b))
            elif a < b:
                left = max(left, t + Fraction(a) / (a - b))
    return left, right


def inner_points(left: Bound, right: Bound, count: int) -> list[Number]:
    """Distinct rationals in an open interval, integers where it is infinite."""
    if left == -inf:
        last = 0 if right == inf else ceil(right) - 1
        return [last - i for i in range(count)]
    if right == inf:
        return [floor(left) + 1 + i for i in range(count)]
    first, step = Fraction(left), (Fraction(right) - Fraction(left)) / (count + 1)
    return [first + (i + 1) * step for i in range(count)]
