r"""Which inputs move what in a network with a residual stream below norms, at a point that has few entries.

The coordinates of the stream have parts. Queries, keys and values read the first ``reads``; attention writes to the
first ``writes``, its columns being of sum zero, as are those that the layer reads, which are others: so no mean is
moved, and norms leave rows sparse. The layer writes to where it reads. Biases are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.residues import ResidueGradientFlow
from clexact.programs.places import Mask
from clexact.programs.streams import Stream


@dataclass(frozen=True)
class Parts:
    """Of the coordinates of the stream: the first ``reads`` and ``writes`` are those of attention."""

    width: int
    reads: int
    writes: int

    @property
    def layer(self) -> int:
        """How many coordinates after those the layer has: but for the last two, which shared tokens have."""
        return max(1, self.width - self.writes - 2)

    def written(self, unit: Ints, head: int | Ints, heads: int, second: int | Ints) -> Ints:
        """The first or second of the coordinates to which a unit of a head writes."""
        return (unit + head * self.writes // heads + second) % self.writes

    def unit(self, k: Ints) -> Ints:
        """The coordinate of a unit of the layer."""
        return self.writes + k % self.layer

    @classmethod
    def of(cls, stream: Stream, shapes: dict[str, tuple[int, ...]]) -> Parts:
        """A quarter and a half, or more where the heads are wider."""
        readers = stream.named(writes=False, later=False)
        widest = max((shapes[name][1 - stream.uses[name].axis] for name in readers), default=1)
        writes = max(2, stream.width // 2) if stream.layered else stream.width - 2
        return cls(stream.width, min(max(stream.width // 4, widest), writes), writes)


def sparse_point(flow: ResidueGradientFlow, stream: Stream, parts: Parts, prime: int, draws: Draws) -> Words:
    """The point (D,), modulo m."""
    out, shapes, modulus = dict[str, Words](), flow.model.parameters, flow.modulus(prime)
    writers = stream.named(writes=True, later=False)
    for name, shape in shapes.items():
        drawn = 1 + draws.residues((prod(shape),), prime - 1)
        out[name] = drawn if name in stream.gains else np.zeros_like(drawn)
    for name, use in stream.uses.items():
        unit = np.arange(shapes[name][1 - use.axis])
        weight, minus = 1 + draws.residues(unit.shape, prime - 1), True
        if use.later:
            first, minus = parts.unit(unit), not use.writes
            second = parts.unit(unit + 1)
        elif use.writes:
            first, second = (parts.written(unit, writers.index(name), len(writers), k) for k in (0, 1))
        else:
            first, second, minus = unit % parts.reads, unit, False
        value = np.zeros((parts.width, len(unit)), dtype=np.uint64)
        value[first, unit] = weight
        if minus:
            value[second, unit] = np.uint64(modulus) - weight
        out[name] = (value if use.axis == 0 else value.T).ravel()
    _balance(out, stream, parts, shapes, modulus)
    return np.concatenate([out[name] for name in shapes])


def _balance(
    point: dict[str, Words], stream: Stream, parts: Parts, shapes: dict[str, tuple[int, ...]], modulus: int
) -> None:
    """Change the weights of the layer so that what is seen of a coordinate moves nothing before it, by units at rest.

    The units that write to a coordinate read the same two; the products of what they read and write get the sum 0.
    """
    readers, writers = stream.named(writes=False, later=True), stream.named(writes=True, later=True)
    if len(readers) != 1 or len(writers) != 1:
        return
    read, write = ((point[name].reshape(shapes[name]), stream.uses[name].axis) for name in (*readers, *writers))
    a, b = (x if axis == 0 else x.T for x, axis in (read, write))
    for j in range(parts.writes, parts.writes + parts.layer):
        units = np.flatnonzero(b[j])
        if len(units) < 2:
            continue
        total = sum(int(a[j, k]) * int(b[j, k]) for k in units[:-1].tolist())
        last = int(units[-1])
        b[j, last] = -total * pow(int(a[j, last]), -1, modulus) % modulus


Range = tuple[int, int]


@dataclass(frozen=True)
class Kind:
    """Of inputs: from which coordinates the token seen, two others and what is seen of it are drawn.

    A token has an entry there, and its opposite at the last coordinate. With ``units``, the one seen has three: one
    there, and two that the units of a coordinate of the layer read. With ``seen`` None that coordinate is seen, or one
    to which the second token's value is written.
    """

    own: Range
    other: Range | None
    third: Range | None
    seen: Range | None
    units: bool = False
    depth: int = 0
    target: tuple[tuple[bool, bool, Range], ...] = ()  # (writes, later, coordinates) of the matrices they are for


def kinds(parts: Parts, layered: bool, gains: bool, plain: bool) -> dict[str, Kind]:
    """In the order in which they are drawn first; ``plain`` without norms.

    Rows of the layer come first, and have pivots in its matrices, where others are few: those of its outputs, with the
    units at rest, meet them, and would fill in if the first pivots below attention were not their own.
    """
    d, any_but_last, layer = parts.width, (0, parts.width - 1), (parts.writes, parts.width)
    reads, between, whole = (0, parts.reads), (parts.reads, parts.writes), (0, parts.width)
    found = dict[str, Kind]()
    if layered:
        below, above = (False, True, reads), (False, True, between)
        found["units at rest"] = Kind(reads, reads, None, layer, target=(below,))
        found["layer below attention"] = Kind(reads, None, None, None, units=True, target=(below,))
        found["layer below outputs"] = Kind(between, None, None, None, units=True, target=(above,))
        found["layer"] = Kind(layer, None, None, None, units=True, target=((False, True, whole), (True, True, whole)))
    found["scores"] = Kind(any_but_last, reads, None, None)
    found["keys"] = Kind(reads, reads, any_but_last, None)
    if layered and parts.reads < parts.writes:
        found["keys below outputs"] = Kind(reads, reads, between, None)
    found["values"] = Kind(reads, reads, None, (0, parts.writes))
    if layered:
        found["values of the layer"] = Kind(reads, reads, None, layer, target=((True, False, layer),))
        found["other outputs"] = Kind((d - 1, d), None, None, (-2, parts.writes), units=True)
    found["brackets"] = Kind(reads, reads, None, None, depth=1)
    if layered and (gains or plain):
        found["brackets of the layer"] = Kind(whole, None, None, None, units=True, depth=1)
    if gains:
        found["brackets of scores"] = Kind(any_but_last, reads, any_but_last, None, depth=1)
        if layered:
            found["brackets of brackets"] = Kind(any_but_last, None, None, None, units=True, depth=2)
        found["brackets of brackets of scores"] = Kind(any_but_last, reads, any_but_last, None, depth=2)
    return found


def columns(kind: Kind, flow: ResidueGradientFlow, stream: Stream) -> Mask:
    """The coordinates of the parameters (D,) that rows of a kind are for."""
    out = np.zeros(flow.dimension, dtype=bool)
    for name, use in stream.uses.items():
        inside = np.zeros(flow.model.parameters[name], dtype=bool)
        for writes, later, (first, end) in kind.target:
            if (use.writes, use.later) == (writes, later):
                (inside if use.axis == 0 else inside.T)[first:end] = True
        place = flow.model.offsets()[name]
        out[place : place + inside.size] = inside.ravel()
    return out
