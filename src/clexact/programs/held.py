"""A model whose gates are held: what does not vary is a constant, what varies together is one probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model
from clexact.programs.program import Program

Table = NDArray[Any]  # (cases, *shape of a probe): its exact values, case by case
Make = Callable[[Program], Array]


def held(model: Model, cases: Mapping[str, Table]) -> tuple[Model, dict[str, Table]]:
    """The model with these probes as they vary from case to case, and the cases of the probes that are left.

    Entries with the same value in all cases are constants; entries with equal values in each are one.
    """
    made, left, shapes = dict[str, Make](), dict[str, Table](), dict(model.probes)
    for name, table in cases.items():
        shape = table.shape[1:]
        flat = table.reshape(len(table), prod(shape))
        columns = [tuple(column) for column in flat.T.tolist()]
        varying = list(dict.fromkeys(column for column in columns if len(set(column)) > 1))
        constants = list(dict.fromkeys(column[0] for column in columns if len(set(column)) == 1))
        number = {column: n for n, column in enumerate(varying)}
        fixed = {value: len(varying) + n for n, value in enumerate(constants)}
        index = np.array([number[c] if c in number else fixed[c[0]] for c in columns], dtype=np.int64).reshape(shape)
        made[name] = _maker(name, len(varying), constants, index)
        shapes.pop(name)
        if varying:
            shapes[name] = (len(varying),)
            left[name] = np.array(varying, dtype=object).T
    found = copy(model)
    found.program, found.probes, found.recipe = _replaced(model.program, made), shapes, {}
    return found, left


def merged(model: Model, name: str, axis: int) -> Program | None:
    """The program with one entry of this probe for all along an axis; None where it is not only multiplied by."""
    program, shape = model.program, model.probes[name]
    number = next(n for n, node in enumerate(program.nodes) if node.op == "probe" and node.data == name)
    users = [node for node in program.nodes if number in node.inputs]
    if any(node.op != "multiply" or node.shape != shape for node in users):
        return None
    kept = tuple(1 if n == axis else size for n, size in enumerate(shape))
    return _replaced(program, {name: lambda new: Array(new, new.append("probe", (), kept, name))})


def alike(table: Table, axis: int) -> list[list[int]]:
    """The places along an axis of a probe at which its entries are the same in all cases, and not all zero."""
    slices = np.moveaxis(table, axis + 1, 0)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for n, entries in enumerate(slices.reshape(len(slices), -1).tolist()):
        groups.setdefault(tuple(entries), []).append(n)
    return [group for entries, group in groups.items() if len(group) > 1 and any(entries)]


def _maker(name: str, count: int, constants: list[Any], index: NDArray[np.int64]) -> Make:
    def make(program: Program) -> Array:
        parts = [Array(program, program.append("probe", (), (count,), name))] if count else []
        if constants:
            value = np.array(constants, dtype=object)
            parts.append(Array(program, program.append("constant", (), value.shape, value)))
        joined = concatenate(parts) if len(parts) > 1 else parts[0]
        return joined.then("take", index.shape, index)

    return make


def _replaced(program: Program, made: Mapping[str, Make]) -> Program:
    """The program with other arrays in place of these probes; gates that are held are gates no more."""
    new, number = Program(several=program.several), list[int]()
    for node in program.nodes:
        if node.op == "probe" and node.data in made:
            number.append(made[node.data](new).number)
        else:
            number.append(new.append(node.op, tuple(number[i] for i in node.inputs), node.shape, node.data))
    new.output = number[program.output]
    new.gates = [replace(gate, source=number[gate.source]) for gate in program.gates if gate.probe not in made]
    return new
