"""Which matrices of a network read its residual stream, and which write to it: a layer of attention, then a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clexact.programs.places import Shape
from clexact.programs.program import Program

PASSED_ON = ("transpose", "reshape")  # between a parameter and where it is used
NARROW = 8  # streams below it have too few coordinates for parts


@dataclass(frozen=True)
class Use:
    """Of a matrix: which of its axes is the stream's, whether it writes, and whether it comes after others that do."""

    axis: int
    writes: bool
    later: bool


@dataclass(frozen=True)
class Stream:
    """How many tokens of which width a network adds to; the use of its matrices; vectors that are factors.

    ``probe`` is the tokens, ``pairs`` are probes for each two of them, angles of rotary positions.
    ``centred``: their means are taken, and so probably subtracted; ``rooted``: they are divided by roots.
    """

    probe: str
    pairs: tuple[str, ...]
    tokens: int
    width: int
    uses: dict[str, Use]
    gains: frozenset[str]
    centred: bool
    rooted: bool

    def named(self, *, writes: bool, later: bool) -> list[str]:
        """The matrices that are used so."""
        return [name for name, use in self.uses.items() if (use.writes, use.later) == (writes, later)]

    @property
    def layered(self) -> bool:
        """Whether a layer reads what attention has written."""
        return any(use.later for use in self.uses.values())


def stream_of(program: Program, probes: Mapping[str, Shape]) -> Stream | None:
    """The stream of a program, where all its matrices are used as ``Use`` says; else None."""
    tokens = [name for name, shape in probes.items() if shape == program.shape]
    if len(tokens) != 1 or len(program.shape) != 2:
        return None
    (count, width), reading = program.shape, _Reading(program, program.shape[1])
    pairs = tuple(name for name, shape in probes.items() if shape[:2] == (count, count) and name not in tokens)
    if len(pairs) + 1 < len(probes):
        return None
    if count < 2 or width < NARROW or not reading.understood:
        return None
    nodes = program.nodes
    centred = any(node.op == "sum" and nodes[node.inputs[0]].op == "probe" for node in nodes)
    return Stream(
        tokens[0], pairs, count, width, reading.uses, frozenset(reading.gains), centred, "rsqrt" in program.functions
    )


class _Reading:
    """Node by node: which values are made of what matrices have read, and which of what others have written."""

    def __init__(self, program: Program, width: int) -> None:
        self.program, self.width, self.uses, self.gains = program, width, dict[str, Use](), set[str]()
        inside, written = [False] * len(program.nodes), [False] * len(program.nodes)
        named = {node.data: node.shape for node in program.nodes if node.op == "parameter"}
        self.understood = all(len(shape) in (1, 2) for shape in named.values())
        for n, node in enumerate(program.nodes):
            inside[n], written[n] = (any(flags[i] for i in node.inputs) for flags in (inside, written))
            if node.op == "matmul" and (found := self._parameter(node.inputs[1])):
                use = self._use(*found, named[found[0]], inside[node.inputs[0]], written[node.inputs[0]])
                inside[n], written[n] = not use.writes, written[n] or use.writes
            elif node.op == "multiply":
                self.gains |= {found[0] for i in node.inputs if (found := self._parameter(i))}
        self.understood &= set(self.uses) == {name for name, shape in named.items() if len(shape) == 2}

    def _parameter(self, n: int) -> tuple[str, bool] | None:
        """The parameter that a node is, transposed or not."""
        turned = False
        while (node := self.program.nodes[n]).op in PASSED_ON:
            turned ^= node.op == "transpose"
            n = node.inputs[0]
        return (node.data, turned) if node.op == "parameter" else None

    def _use(self, name: str, turned: bool, shape: Shape, inside: bool, written: bool) -> Use:
        axis = int(inside ^ turned)  # a product sums over axis 0 of the matrix as it enters; what is written is axis 1
        use = Use(axis, inside, written)
        fits = len(shape) == 2 and shape[axis] == self.width and self.uses.get(name, use) == use
        self.understood &= fits
        self.uses[name] = use
        return use
