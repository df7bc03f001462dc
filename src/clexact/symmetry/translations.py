r"""Translations of all logits, along directions that cross-entropy, or a softmax inside, does not see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from clexact.algebra.terms import Ints
from clexact.programs.operations import Node
from clexact.programs.program import Program
from clexact.symmetry.axis_classes import axis_classes

Translation = dict[int, int]  # {parameter: velocity}


@dataclass(frozen=True)
class Logits:
    """An array, one axis of it, the nodes that see it up to translations, and the directions that they do not see."""

    node: int
    axis: int
    passing: tuple[int, ...]
    directions: Sequence[Sequence[int]]


def softmax_logits(program: Program) -> list[Logits]:
    """The arguments of softmaxes; entries picked from one vector for several of them make one argument.

    A pick passes translations where nothing but softmaxes sees it: any other use would see them.
    """
    seen: dict[tuple[int, int], list[tuple[tuple[int, ...], Ints]]] = {}
    alone = _seen_by_softmax_alone(program)
    for n, node in enumerate(program.nodes):
        if node.op == "softmax":
            j = node.inputs[0]
            if j in alone:
                source = program.nodes[j]
                seen.setdefault((source.inputs[0], 0), []).append(((n, j), _taken_places(source).ravel()))
            else:
                seen.setdefault((j, node.data), []).append(((n,), np.arange(node.shape[node.data])))
    found = []
    for (j, axis), picks in seen.items():
        label = np.arange(program.nodes[j].shape[axis])
        for _, index in picks:  # logits of one softmax move together
            label[np.isin(label, label[index])] = label[index[0]]
        directions = [(label == name).astype(int).tolist() for name in np.unique(label)]
        found.append(Logits(j, axis, tuple(n for nodes, _ in picks for n in nodes), directions))
    return found


def _taken_places(node: Node) -> Ints:
    return node.data.table if node.op == "select" else np.asarray(node.data)


def _seen_by_softmax_alone(program: Program) -> set[int]:
    """Picks from a vector that only softmaxes use."""
    seen = {j for node in program.nodes if node.op != "softmax" for j in node.inputs} | {program.output}
    return {
        n
        for n, node in enumerate(program.nodes)
        if node.op in ("take", "select") and len(program.nodes[node.inputs[0]].shape) == 1 and n not in seen
    }


def translations(program: Program, offsets: dict[str, int], logits: Logits) -> Iterator[Translation]:
    """Translations of logits along constant directions, as vectors on every parameter that carries them linearly."""
    classes = axis_classes(program, logits.passing)
    root, sign = classes.find((logits.node, logits.axis))
    for axis in range(len(program.shape)):
        if (program.output, axis) != (logits.node, logits.axis):
            classes.fix((program.output, axis))
    carriers = [
        (carrier, axis, classes.find((n, axis))[1])
        for n, carrier in enumerate(program.nodes)
        if carrier.op == "parameter"
        for axis in range(len(carrier.shape))
        if classes.find((n, axis))[0] == root
    ]
    names = [carrier.data for carrier, _, _ in carriers]
    if not classes.free(root) or any(s != sign for _, _, s in carriers) or len(set(names)) < len(names):
        return
    for carrier, axis, _ in carriers:
        entries = np.arange(prod(carrier.shape)).reshape(carrier.shape) + offsets[carrier.data]
        for column in np.moveaxis(entries, axis, 0).reshape(carrier.shape[axis], -1).T.tolist():
            for direction in logits.directions:
                yield {j: c for j, c in zip(column, direction, strict=True) if c}
