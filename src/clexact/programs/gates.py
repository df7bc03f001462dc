r"""Free gates: what is assumed where the gates of ReLUs and the choices of maxima are probes of their own.

The fields with free gates span those of the network itself, so what all of them conserve is a law of it; but true
inputs may open fewer gates, and then there are more laws. Four cases are known in which they do or may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from clexact.programs.program import LEAVES, Degrees, Program, Shape

FREE = "with free gates"


def qualification(scope: str) -> str:
    """What a headline of this scope must say: " with free gates", or nothing."""
    return f" {FREE}" if scope.endswith("free gates") else ""


def assumption(program: Program, probes: Mapping[str, Shape]) -> str:
    """The assumption in words, and where it is known that it may fail."""
    said = f"{FREE}: which units are on, or which entry is largest, is taken to vary freely"
    known = list(doubtful(program, probes))
    return f"{said}; true inputs may open fewer here: {'; '.join(known)}" if known else said


def doubtful(program: Program, probes: Mapping[str, Shape]) -> Iterator[str]:
    """The cases in which true inputs may span less than free gates: for ``probes`` of the model, gates included."""
    inputs = [name for name in probes if all(name != gate.probe for gate in program.gates)]
    entries = sum(prod(probes[name]) for name in inputs)
    for gate in program.gates:
        if _degree(program, [gate.probe], program.output) > 1:
            yield f"{gate.probe} multiplies itself"
        if not _depends(program, gate.source, inputs):
            yield f"no input decides {gate.probe}"
        if gate.axis is not None and program.nodes[gate.source].shape[gate.axis] > entries + 1:
            yield f"{gate.probe} chooses among more entries than the {entries} of the input and one more"
    vanishing = _vanishing(program, inputs)
    if entries == 1 and any(vanishing[gate.source] for gate in program.gates):
        yield "the input is one number, and units without bias see its sign only"


def _degree(program: Program, names: list[str], node: int) -> int:
    """Degree of a node in the leaves named, at most; analytic functions pass it on."""
    leaves = {each.data: int(each.data in names) for each in program.nodes if each.op in LEAVES}
    return int(program.run(_DegreesThrough(), leaves)[node])


class _DegreesThrough(Degrees):
    function = softmax = staticmethod(lambda a, _: a)


def _depends(program: Program, node: int, names: list[str]) -> bool:
    return _degree(program, names, node) > 0


def _vanishing(program: Program, names: list[str]) -> list[bool]:
    """Which nodes are zero where the leaves named are, as far as the operations show."""
    zero: list[bool] = []
    for node in program.nodes:
        inputs = [zero[i] for i in node.inputs]
        match node.op:
            case "parameter" | "probe":
                zero.append(node.data in names)
            case "constant":
                zero.append(not np.any(node.data != 0))
            case "multiply" | "matmul":
                zero.append(any(inputs))
            case "softmax":
                zero.append(False)
            case "function":
                zero.append(inputs[0] and node.data in ("tanh", "silu", "gelu"))
            case _:
                zero.append(all(inputs))
    return zero
