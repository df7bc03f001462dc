"""From degrees to laws: the solutions of the equations, gathered into stacks of matrices of a module's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.terms import Ints
from clexact.symmetry.grading import Graded
from clexact.symmetry.mixing import Matching
from clexact.symmetry.solutions import solutions
from clexact.torch.law import Kind, Term, View
from clexact.torch.rules import Degrees

Shape = tuple[tuple[tuple[int, int], int], ...]  # of a solution: ((frame, degree), how many units)


@dataclass(frozen=True)
class Frame:
    """The units first, first + 1, ... of an axis (or of two, jointly) of a parameter reshaped to ``shape``."""

    parameter: str
    first: int
    size: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """A law before it is named and certified."""

    kind: Kind
    terms: tuple[Term, ...]
    groups: int
    rows: int
    gated: bool = False  # whether its hidden units go through gates


def frames(parameters: dict[str, Graded]) -> list[Frame]:
    """All axes of all parameters, by their first unit."""
    found = []
    for name, graded in parameters.items():
        for factor in graded.factors:
            first = int(factor.units.min()) if factor.units.size else 0
            size = len(np.unique(factor.units))
            if len(factor.axes) == 2 and size < prod(factor.units.shape):  # the columns of each group of a convolution
                groups = size // graded.shape[1]
                split = (groups, graded.shape[0] // groups, *graded.shape[1:])
                found.append(Frame(name, first, size, split, (0, 2)))
            else:
                found.append(Frame(name, first, size, graded.shape, factor.axes))
    return sorted(found, key=lambda frame: frame.first)


def gathered(degrees: Degrees) -> list[Found]:
    """The laws of all solutions, as few stacks of matrices as the shapes of parameters allow."""
    every, matching = frames(degrees.parameters), Matching(degrees.units)
    blocks: dict[Shape, dict[tuple[tuple[int, int, int], ...], list[Solution]]] = {}
    for solution in _on_parameters(solutions(degrees.units), every, degrees.units.gated):
        if not _trivial(degrees, every, solution):
            shape = tuple(
                (key, len(list(same))) for key, same in groupby(zip(solution.frame, solution.degree, strict=True))
            )
            mixable = all(abs(c) == 1 for c in solution.degree)  # what those share that may be mixed by a matrix
            block = matching.key(solution.vector) if mixable else ()
            blocks.setdefault(shape, {}).setdefault(block, []).append(solution)
    stacks: dict[tuple[Shape, int], list[list[Solution]]] = {}
    for shape, parts in blocks.items():
        for block, members in parts.items():
            if block and len(members) > 1 and (_single(shape) or matching.holds([m.vector for m in members])):
                stacks.setdefault((shape, len(members)), []).append(members)
            else:
                stacks.setdefault((shape, 1), []).extend([member] for member in members)
    return [_law(every, stack) for stack in stacks.values()]


@dataclass(frozen=True)
class Solution:
    """Degrees of units of parameters, sorted by frame, degree and place in the frame; the first degree positive."""

    frame: tuple[int, ...]
    degree: tuple[int, ...]
    place: tuple[int, ...]
    unit: tuple[int, ...]
    gated: bool
    vector: dict[int, int]  # of all units, those of no parameter too


def _on_parameters(
    vectors: Sequence[dict[int, int]], every: Sequence[Frame], gated: NDArray[np.bool_]
) -> Iterator[Solution]:
    """The vectors without the units that belong to no parameter."""
    first = np.array([frame.first for frame in every], dtype=np.int64)
    last = np.array([frame.first + frame.size for frame in every], dtype=np.int64)
    owner = np.repeat(np.arange(len(vectors)), [len(vector) for vector in vectors])
    unit = np.array([x for vector in vectors for x in vector], dtype=np.int64)
    degree = np.array([c for vector in vectors for c in vector.values()], dtype=np.int64)
    gates = np.zeros(len(vectors), dtype=bool)
    gates[owner[gated[unit]]] = True
    frame = np.searchsorted(first, unit, side="right") - 1
    own = (frame >= 0) & (unit < last[frame])
    owner, unit, degree, frame = owner[own], unit[own], degree[own], frame[own]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    degree *= np.repeat(np.sign(degree[starts]), np.diff(np.append(starts, len(owner))))
    order = np.lexsort((unit, -degree, frame, owner))
    rows = np.stack([frame, degree, unit - first[frame], unit])[:, order]
    parts = np.split(rows, starts[1:], axis=1) if len(starts) else []
    for part, number in zip(parts, owner[starts].tolist(), strict=True):
        frames_, degrees_, places, units_ = (tuple(row) for row in part.tolist())
        yield Solution(frames_, degrees_, places, units_, bool(gates[number]), vectors[number])


def _single(shape: Shape) -> bool:
    """Whether each axis gives one unit to a solution: then two solutions match in one way."""
    return all(count == 1 for _, count in shape)


def _trivial(degrees: Degrees, every: Sequence[Frame], solution: Solution) -> bool:
    """Whether a solution scales the rows of a parameter and its columns inversely, and so changes nothing."""
    frames_of: dict[str, set[int]] = {}
    for w in set(solution.frame):
        frames_of.setdefault(every[w].parameter, set()).add(w)
    if any(len(touched) < 2 for touched in frames_of.values()):
        return False
    degree = dict(zip(solution.unit, solution.degree, strict=True))
    read = np.vectorize(lambda unit: degree.get(unit, 0), otypes=[np.int64])
    return not any(
        np.any(sum(factor.coefficient * read(factor.units) for factor in degrees.parameters[name].factors))
        for name in frames_of
    )


def _law(every: Sequence[Frame], stack: list[list[Solution]]) -> Found:
    """One law: blocks of solutions, all of one shape."""
    blocks = sorted((sorted(block, key=_start) for block in stack), key=lambda block: _start(block[0]))
    places = np.array([[solution.place for solution in block] for block in blocks], dtype=np.int64)
    pairs = list(zip(blocks[0][0].frame, blocks[0][0].degree, strict=True))
    terms = []
    for w, c in dict.fromkeys(pairs):
        chosen = [n for n, pair in enumerate(pairs) if pair == (w, c)]
        terms.append(Term(every[w].parameter, c, _view(every[w], places[:, :, chosen])))
    rows = len(blocks[0])
    kind: Kind = "gram" if rows > 1 else "scale" if all(t.coefficient > 0 for t in terms) else "diagonal"
    return Found(kind, tuple(terms), len(blocks), rows, all(solution.gated for block in blocks for solution in block))


def _start(solution: Solution) -> int:
    return solution.unit[0]


def _view(frame: Frame, index: Ints) -> View:
    """The part of a parameter whose entries (group, row, repetition) have these places along the frame's axes."""
    count, rows, times = index.shape
    total = index.size
    if not frame.axes:
        return View(frame.shape, (), None)  # a single entry for all that it scales
    if len(frame.axes) == 2:
        return _stacked_view(frame, index)
    axis, start = frame.axes[0], int(index.min())
    whole = np.arange(start, start + total)
    split, group, unit, irregular = (count, rows, times), 0, 1, False
    if np.array_equal(index.transpose(2, 0, 1).ravel(), whole):
        split, group, unit = (times, count, rows), 1, 2
    elif np.array_equal(index.transpose(0, 2, 1).ravel(), whole):
        split, group, unit = (count, times, rows), 0, 2
    elif not np.array_equal(index.ravel(), whole):
        irregular = True
    kept = [n for n in range(3) if split[n] > 1 or n == group or (n == unit and rows > 1)]
    return View(
        (*frame.shape[:axis], *(split[n] for n in kept), *frame.shape[axis + 1 :]),
        (axis + kept.index(group),),
        axis + kept.index(unit) if unit in kept else None,
        axis,
        start,
        None if total == frame.shape[axis] else start + total,
        tuple(index.ravel().tolist()) if irregular else None,
    )


def _stacked_view(frame: Frame, index: Ints) -> View:
    """As ``_view``, of units that are numbered by two axes: a stack of matrices and the rows or columns of each."""
    count, rows, times = index.shape
    stack, axis = frame.axes
    if times == 1 and np.array_equal(index.ravel(), np.arange(frame.size)):
        if rows == 1:
            return View(frame.shape, (stack, axis), None)
        if (count, rows) == (frame.shape[stack], frame.shape[axis]):
            return View(frame.shape, (stack,), axis)
    entries = np.moveaxis(np.arange(prod(frame.shape)).reshape(frame.shape), (stack, axis), (0, 1))
    chosen = entries.reshape(frame.size, -1)[index.ravel()]
    shape = (count, rows, times * chosen.shape[1])
    return (
        View(shape, (0,), 1 if rows > 1 else None, None, index=tuple(chosen.ravel().tolist()))
        if rows > 1
        else View((count, shape[2]), (0,), None, None, index=tuple(chosen.ravel().tolist()))
    )
