r"""Free gates: what is assumed where the gates of ReLUs and the choices of maxima are probes of their own.

The fields with free gates span those of the network itself, so what all of them conserve is a law of it; but true
inputs may open fewer gates, and then there are more laws. Four cases are known in which they do or may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints
from clexact.programs.algebras import Uniform
from clexact.programs.operations import OPERATIONS
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Program

FREE = "with free gates"


CUT = "cut at"


def scope_of(data: str, program: Program, cuts: Sequence[str]) -> str:
    """Of which data and starts, of which gates, and of which part of a network results speak."""
    gates = ["free gates"] if program.gates else []
    return ", ".join([data, "generic start", *gates, *([f"{CUT} {' and '.join(cuts)}"] if cuts else [])])


def qualification(scope: str) -> str:
    """What a headline of this scope must say: " with free gates", " of the network cut at ...", or nothing."""
    before, _, cuts = scope.partition(f", {CUT} ")
    free = f" {FREE}" if before.endswith("free gates") else ""
    return f"{free} of the network {CUT} {cuts}" if cuts else free


def assumption(program: Program, probes: Mapping[str, Shape]) -> str:
    """The assumption in words, and where it is known that it may fail."""
    said = f"{FREE}: which units are on, or which entry is largest, is taken to vary freely"
    known = list(doubtful(program, probes))
    return f"{said}; true inputs may open fewer here: {'; '.join(known)}" if known else said


def doubtful(program: Program, probes: Mapping[str, Shape]) -> Iterator[str]:
    """The cases in which true inputs may span less than free gates: for ``probes`` of the model, gates included."""
    inputs = [name for name in probes if all(name != gate.probe for gate in program.gates)]
    entries = sum(prod(probes[name]) for name in inputs)
    degrees = _degrees(program, inputs)
    for n, gate in enumerate(program.gates):
        if degrees[program.output][n] > 1:
            yield f"{gate.probe} multiplies itself"
        if not degrees[gate.source][-1]:
            yield f"no input decides {gate.probe}"
        if gate.axis is not None and program.nodes[gate.source].shape[gate.axis] > entries + 1:
            yield f"{gate.probe} chooses among more entries than the {entries} of the input and one more"
    vanishing = _vanishing(program, inputs)
    if entries == 1 and any(vanishing[gate.source] for gate in program.gates):
        yield "the input is one number, and units without bias see its sign only"


def _degrees(program: Program, inputs: list[str]) -> list[Ints]:
    """Degrees of every node in each gate and, last, in all inputs together, at most; functions pass them on."""
    numbers = {gate.probe: n for n, gate in enumerate(program.gates)} | dict.fromkeys(inputs, len(program.gates))
    units, none = np.eye(len(program.gates) + 1, dtype=np.int64), np.zeros(len(program.gates) + 1, dtype=np.int64)
    leaves = {
        node.data: units[numbers[node.data]] if node.data in numbers else none
        for node in program.nodes
        if node.op in LEAVES
    }
    return program.run(_DegreesOfMany(none), leaves)


class _DegreesOfMany(Uniform[Ints]):
    """As ``Degrees``, in several leaves at once: a value is an array. Functions pass degrees on."""

    def __init__(self, none: Ints) -> None:
        self._none = none

    def constant(self, value: NDArray[Any]) -> Ints:
        return self._none

    def add(self, a: Ints, b: Ints) -> Ints:
        return np.maximum(a, b)

    def multiply(self, a: Ints, b: Ints) -> Ints:
        return a + b

    def function(self, a: Ints, name: str) -> Ints:
        return a

    def softmax(self, a: Ints, axis: int) -> Ints:
        return a


def _vanishing(program: Program, names: list[str]) -> list[bool]:
    """Which nodes are zero where the leaves named are, as far as the operations show."""
    zero: list[bool] = []
    for node in program.nodes:
        operands = [zero[i] for i in node.inputs]
        named = node.op in LEAVES and node.data in names
        zero.append(named or OPERATIONS[node.op].vanishes(node, operands))
    return zero
