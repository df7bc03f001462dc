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

from clexact.algebra.draws import Draws
from clexact.algebra.terms import Ints
from clexact.programs.algebras import Uniform
from clexact.programs.jets import Jet, Jets
from clexact.programs.operations import OPERATIONS
from clexact.programs.places import Shape
from clexact.programs.program import ANALYTIC, LEAVES, Program

FREE = "with free gates"
RATIO_BITS = 61
CUT = "cut at"
ALL_DATA = "all data"
SPANNED = "true gates span what free gates span: one layer of units, of which no two are alike at a generic start"
GENERIC, NEAR = "generic start", "near this start"
FREE_GATES, TRUE_GATES = "free gates", "true gates"
THIS_DATA = "this data"
SAID = {THIS_DATA: "for this data", NEAR: NEAR, FREE_GATES: FREE}  # in headlines


def scope_of(data: str, start: str, gates: str, cuts: Sequence[str]) -> str:
    """Of which data and starts, of which gates (if there are any), and of which part of a network results speak."""
    return ", ".join([data, start, *filter(None, [gates]), *([f"{CUT} {' and '.join(cuts)}"] if cuts else [])])


def gates_of(program: Program, probes: Mapping[str, Shape], data: str) -> str:
    """Of which gates results speak, for these probes and data: none, free ones, or true ones."""
    if not program.gates:
        return ""
    return TRUE_GATES if data == ALL_DATA and spanning(program, probes) else FREE_GATES


def qualification(scope: str) -> str:
    """What a headline of this scope must say: " with free gates", " of the network cut at ...", or nothing."""
    before, _, cuts = scope.partition(f", {CUT} ")
    said = "".join(f" {SAID[part]}" for part in before.split(", ") if part in SAID)
    return f"{said} of the network {CUT} {cuts}" if cuts else said


def spanning(program: Program, probes: Mapping[str, Shape]) -> bool:
    """Whether at a generic start the gates of true inputs are known to span what free gates span.

    So it is for one layer of ReLUs whose arguments are affine in the input, none constant and no two proportional: an
    input at which one unit alone is at its kink meets both of its gates, all others held, and their difference is that
    gate alone. That no two are proportional is shown by their values at two inputs, modulo a prime: no two ratios are
    equal. The output must be affine in the gates together, and no function may see them.
    """
    if len(program.gates) != 1 or program.gates[0].axis is not None:
        return False
    [gate] = program.gates
    inputs = [name for name in probes if name != gate.probe]
    degrees = _degrees(program, inputs)
    seen = [bool(found[0]) for found in degrees]
    behind = any(seen[node.inputs[0]] for node in program.nodes if node.op in ANALYTIC)
    before = _ancestors(program, gate.source)
    if behind or degrees[program.output][0] > 1 or degrees[gate.source][-1] != 1:
        return False
    if any(program.nodes[n].op in ANALYTIC for n in before):
        return False
    return _apart(program, gate.source, before)


def _ancestors(program: Program, node: int) -> list[int]:
    """The nodes of which a node is made, with itself, in order."""
    needed = {node}
    for n in range(node, -1, -1):
        needed |= {*program.nodes[n].inputs} if n in needed else set()
    return sorted(needed)


def _apart(program: Program, source: int, before: list[int]) -> bool:
    """Whether the entries of a node, at two random inputs, are neither constant nor proportional to each other."""
    draws = Draws(0, program.digest)
    prime = draws.prime(RATIO_BITS)
    leaves = dict[str, Jet]()
    for n in before:
        node = program.nodes[n]
        if node.op in LEAVES:
            leaves[node.data] = {0: draws.residues((1 if node.op == "parameter" else 2, *node.shape), prime)}
    try:
        found = program.run_some(Jets(prime), leaves, before)[source][0]
    except ZeroDivisionError:  # a constant has no residue
        return False
    a, b = np.broadcast_to(found, (2, *found.shape[1:])).reshape(2, -1).tolist()
    ratios = {x * pow(y, -1, prime) % prime for x, y in zip(a, b, strict=True) if y}
    return len(ratios) == len(a) and 1 not in ratios and 0 not in ratios


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


def gate_degrees(program: Program) -> list[Ints]:
    """Degrees of every node in each gate, at most; functions pass them on."""
    return [found[:-1] for found in _degrees(program, [])]


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
