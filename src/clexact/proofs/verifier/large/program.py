"""Programs, their gates, and the cases of given inputs or of a start."""

from __future__ import annotations

import re
from bisect import bisect_right
from fractions import Fraction
from functools import cached_property
from math import gcd, prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import (
    CASES,
    DATA,
    DATA_NEAR,
    FUNCTIONS,
    MAX_DEGREE,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_NODES,
    NEAR,
    PRIMITIVES,
    SCOPES,
    TRANSCENDENTAL,
    Pair,
)
from clexact.proofs.verifier.large.node import Node, common, reduced, residues, strides
from clexact.proofs.verifier.large.outcome import bounded, form, truth
from clexact.proofs.verifier.large.reading import number, rational, shapes, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clexact.proofs.verifier.large.limits import Monomial, Part, Shape
    from clexact.proofs.verifier.large.outcome import Allowance


class Layout:
    """Arrays laid one after another in a vector."""

    def __init__(self, sizes: dict[str, Shape]) -> None:
        self.names, self.shapes, self.starts = list(sizes), sizes, [0]
        for s in sizes.values():
            self.starts.append(self.starts[-1] + prod(s))
        form(self.starts[-1] <= MAX_ENTRIES, "too many parameters or probes")
        self.first = dict(zip(self.names, self.starts, strict=False))

    def split(self, part: Part) -> dict[str, Part]:
        """{name: part of its array}."""
        out: dict[str, Part] = {}
        for i, x in part.items():
            n = bisect_right(self.starts, i) - 1
            out.setdefault(self.names[n], {})[i - self.starts[n]] = x
        return out


def gates(data: Any, probes: dict[str, Shape]) -> dict[str, Fraction | int]:
    """{probe: the slope of a ReLU, or the axis of a choice}."""
    out: dict[str, Fraction | int] = {}
    for name, kind in typed(data, dict, "gates").items():
        form(name in probes, "gates have names of probes")
        axis = type(kind) is int
        out[name] = kind if axis else rational(kind, "the slope of a gate")
        form(0 <= kind < len(probes[name]) if axis else out[name] != 1, f"the gate {name!a} has no such axis or slope")
    return out


class Gate:
    """A probe that is read off a node: 1 where that is positive, else the slope; or 1 at the largest along an axis."""

    def __init__(self, data: Any, probes: dict[str, Shape], nodes: list[Node]) -> None:
        form(type(data) is list and len(data) == 4, "a gate must be [probe, node, slope, axis]")
        self.name, self.node, slope, self.axis = data
        form(type(self.name) is str and self.name in probes, "a gate must be a probe")
        form(type(self.node) is int and 0 <= self.node < len(nodes), f"{self.name} is read off no node")
        form((slope is None) != (self.axis is None), f"{self.name} must have a slope or an axis")
        self.shape, self.slope = probes[self.name], Fraction(0) if slope is None else number(slope)
        places = range(len(self.shape)) if self.axis is not None else [None]
        form(type(self.axis) is not bool and self.axis in places, f"{self.name} has no such axis")
        form(nodes[self.node].shape == self.shape, f"{self.name} has not the shape of what it is read off")
        first = next((n for n, node in enumerate(nodes) if (node.op, node.data) == ("probe", self.name)), len(nodes))
        form(self.node < first, f"{self.name} is read off what depends on it")
        step, size = (strides(self.shape)[self.axis], self.shape[self.axis]) if self.axis is not None else (1, 1)
        self.slices = [
            [i + k * step for k in range(size)] for i in range(prod(self.shape)) if i // step % size == 0
        ]  # of a ReLU, its entries

    def choices(self, word: Any) -> list[int]:
        """From text of 0 and 1: for each entry whether it is open, for each slice which one is."""
        form(type(word) is str and re.fullmatch(f"[01]{{{prod(self.shape)}}}", word), f"{self.name} must be 0 or 1")
        if self.axis is None:
            return [int(c) for c in word]
        form(all(sum(word[i] == "1" for i in one) == 1 for one in self.slices), f"{self.name} must choose one of each")
        return [next(i for i in one if word[i] == "1") for one in self.slices]

    def options(self, k: int) -> Sequence[int]:
        return (0, 1) if self.axis is None else self.slices[k]

    def margins(self, k: int, choice: int) -> list[Pair]:
        """(plus, minus): entries whose difference is positive for this choice; -1 stands for zero."""
        if self.axis is None:
            return [(k, -1) if choice else (-1, k)]
        return [(choice, i) for i in self.slices[k] if i != choice]

    def values(self, choices: list[int]) -> list[Fraction]:
        if self.axis is None:
            return [Fraction(1) if c else self.slope for c in choices]
        chosen = set(choices)
        return [Fraction(i in chosen) for i in range(prod(self.shape))]


Margin = tuple[Gate, int, int]  # plus and minus


class Cases:
    """Inputs, and the gates that a network has there at a start, unless they are free.

    On data the inputs are all there are. Else each stands for an open set of inputs, which are free.
    """

    def __init__(self, data: Any, probes: dict[str, Shape], nodes: list[Node]) -> None:
        typed(data, dict, "cases", ["scope", "gates", "start", "inputs", "open", "others"])
        self.scope, self.others = data["scope"], data["others"]
        form(self.scope in SCOPES, f"the scope must be one of {SCOPES}")
        self.on_data, self.near = self.scope in (DATA, DATA_NEAR), self.scope != DATA
        found = [Gate(gate, probes, nodes) for gate in typed(data["gates"], list, "cases.gates")]
        self.gates = sorted(found, key=lambda gate: gate.node)  # each may depend on those before it
        names = [gate.name for gate in self.gates]
        form(len(set(names)) == len(names), "a gate stands twice")
        self.inputs = [name for name in probes if name not in names]
        self.start = [number(c) for c in typed(data["start"], list, "cases.start")] if self.near else []
        form(self.near or data["start"] is None, "gates that are free need no start")
        given = typed(data["inputs"], dict, "cases.inputs", self.inputs)
        read = typed(data["open"], dict, "cases.open", names if self.near else [])
        rows = [typed(x, list, "a list of cases") for x in (*given.values(), *read.values())]
        form(rows and len(set(map(len, rows))) == 1 and rows[0], "cases must be listed, as many everywhere")
        form(self.others is None or self.scope == NEAR, "other gates are excluded where all data near a start count")
        self.count, sizes = len(rows[0]), sum(prod(probes[name]) for name in [*given, *read])
        form(self.count * sizes <= MAX_ENTRIES, f"the cases have over {MAX_ENTRIES} numbers")
        self.tables: dict[str, list[list[Fraction]]] = {
            name: [[number(c) for c in typed(row, list, "a case")] for row in given[name]] for name in given
        }
        form(all(len(row) == prod(probes[name]) for name in given for row in given[name]), "a case has a wrong shape")
        self.choices = [
            [gate.choices(read[gate.name][j]) for gate in self.gates] for j in range(self.count if read else 0)
        ]
        for n, gate in enumerate(self.gates if read else ()):
            self.tables[gate.name] = [gate.values(choices[n]) for choices in self.choices]
        form(self.on_data or len({str(c) for c in self.choices}) == self.count, "the same gates stand twice")
        held = (self.inputs if self.on_data else []) + (names if self.scope in (DATA_NEAR, NEAR) else [])
        self.held = [name for name in probes if name in held]

    @property
    def inputs_listed(self) -> str:
        return f"{self.count} input{'s' * (self.count != 1)} listed"

    def denominators(self, names: Iterable[str], j: int | None = None) -> set[int]:
        """Of a case, or of all."""
        rows = [row for name in names for row in (self.tables[name] if j is None else [self.tables[name][j]])]
        return {c.denominator for row in rows for c in row}

    def bits(self, names: Iterable[str]) -> dict[str, int]:
        """Of the largest absolute value of each of these probes."""
        every = {name: {abs(c) for row in self.tables[name] for c in row} for name in names}
        return {name: (1 + int(max(values, default=0))).bit_length() for name, values in every.items()}

    def at(self, j: int, names: Iterable[str], p: int) -> dict[str, Part]:
        """A case modulo a prime."""
        return {name: residues(enumerate(self.tables[name][j]), p) for name in names}

    def at_monomials(self, monomials: Sequence[Monomial], p: int) -> list[Part]:
        """For each monomial its values at the cases modulo a prime."""
        gates = [self.at(j, (gate.name for gate in self.gates), p) for j in range(self.count)]
        rows = [{j: prod(at[name].get(i, 0) for name, i in m) for j, at in enumerate(gates)} for m in monomials]
        return [reduced(row, p) for row in rows]


class Program:
    """The nodes, with what is inferred from them."""

    depth = MAX_DEPTH  # of brackets

    def __init__(self, document: dict[str, Any]) -> None:
        data = typed(document["program"], dict, "program", ["nodes", "output"])
        leaves = {
            "parameter": shapes(document["parameters"], "parameters"),
            "probe": shapes(document["probes"], "probes"),
        }
        self.theta, self.nodes, entries = Layout(leaves["parameter"]), list[Node](), 0
        form(len(typed(data["nodes"], list, "program.nodes")) <= MAX_NODES, f"over {MAX_NODES} nodes")
        for n, written in enumerate(data["nodes"]):
            self.nodes.append(Node(written, self.nodes, leaves, f"node {n}"))
            entries += prod(self.nodes[-1].shape) + sum(map(prod, self.nodes[-1].theirs))
            form(entries <= MAX_ENTRIES, f"the nodes have over {MAX_ENTRIES} entries")
        form(type(data["output"]) is int and 0 <= data["output"] < len(self.nodes), "program.output is no node")
        self.output, self.entries = data["output"], entries
        self.cases = Cases(document["cases"], leaves["probe"], self.nodes) if "cases" in document else None
        self.held = self.cases.held if self.cases else []  # probes that cases give
        free = {name: sizes for name, sizes in leaves["probe"].items() if name not in self.held}
        several = {CASES: (self.cases.count,)} if self.cases and self.held else {}
        self.seed = Layout(several | free | {"": self.nodes[self.output].shape})
        listed = gates(document.get("gates", {}), leaves["probe"])
        self.gates = {name: kind for name, kind in listed.items() if name in free}
        self.active, self.static, self.moved = list[bool](), list[bool](), list[bool]()
        for node in self.nodes:  # depends on parameters; on no probes; on parameters or free probes
            self.active.append(node.op == "parameter" or any(self.active[i] for i in node.inputs))
            self.static.append(node.op != "probe" and all(self.static[i] for i in node.inputs))
            free_probe = node.op == "probe" and node.data not in self.held
            self.moved.append(free_probe or node.op == "parameter" or any(self.moved[i] for i in node.inputs))
        self.functions = sorted({node.function for node in self.nodes if node.function})

    @cached_property
    def gated(self) -> list[bool]:
        """Whether gates move a node."""
        moved = list[bool]()
        for node in self.nodes:
            moved.append((node.op == "probe" and node.data in self.gates) or any(moved[i] for i in node.inputs))
        return moved

    def choice(self, seed: dict[str, Part], m: int) -> frozenset[int]:
        """The places of seeds at which the gates of one are open: all must be true ones, one of those along an axis."""
        out = set[int]()
        for name, kind in self.gates.items():
            part, sizes, first = seed.get(name, {}), self.seed.shapes[name], self.seed.first[name]
            opened = [i for i, x in part.items() if x == 1]
            if isinstance(kind, Fraction):
                off = self.slope(kind, m)
                true = all(part.get(i, 0) in (1, off) for i in range(prod(sizes)))
            else:
                step = strides(sizes)[kind]
                groups = {i - i // step % sizes[kind] * step for i in opened}
                true = len(part) == len(opened) == len(groups) == prod(sizes) // max(1, sizes[kind])
            truth(true, f"a seed has values of {name!a} that are no choice at a gate")
            out.update(first + i for i in opened)
        return frozenset(out)

    def slope(self, kind: Fraction, m: int) -> int:
        """Modulo m."""
        truth(gcd(kind.denominator, m) == 1, f"the slope of a gate has no residue modulo {m}")
        return kind.numerator * pow(kind.denominator, -1, m) % m

    def opened(self, choice: frozenset[int], m: int) -> Part:
        """The values of all gates modulo m at a choice, 0 too, by their places in seeds."""
        out: Part = {}
        for name, kind in self.gates.items():
            first, off = self.seed.first[name], self.slope(kind, m) if isinstance(kind, Fraction) else 0
            places = range(first, first + prod(self.seed.shapes[name]))
            out |= {i: 1 if i in choice else off for i in places}
        return out

    @cached_property
    def below(self) -> set[str]:
        """Functions below those that are not algebraic; "1" is a constant below them, but a rational one."""
        return self.beneath(TRANSCENDENTAL)

    def beneath(self, above: tuple[str, ...]) -> set[str]:
        """``below`` of these."""
        under, found = list[set[str]](), set[str]()
        for n, node in enumerate(self.nodes):
            here = set[str]().union(*(under[i] for i in node.inputs))
            if node.function in above:
                constant = not self.moved[n] and (here or node.function in PRIMITIVES)
                found |= here | ({"1"} if constant else set())
            if node.function in TRANSCENDENTAL:
                here.add(node.function)
            under.append(here)
        return found

    @property
    def assumed(self) -> str:
        """What is assumed beyond theorems, in words."""
        said = {
            "1": "values of functions at constants are independent",
            "normal_cdf": "values of normal_cdf below functions are independent of the rest",
        }
        return "; ".join(words for name, words in said.items() if name in self.below)

    def respects(self, parts: dict[tuple[str, int], int], r: int, diagonal: bool, allowance: Allowance) -> None:
        """``Untrue`` unless the output is the same when g, or a diagonal g, acts on these axes of parameters."""
        types: list[list[int] | None] = []
        for node in self.nodes:
            allowance.spend(20 + len(node.inputs))
            signs = node.signs([types[i] for i in node.inputs], r, diagonal, allowance)
            if node.op == "parameter":
                signs = [parts.get((node.data, axis), 0) for axis in range(len(node.shape))]
            types.append(signs)
        truth(not any(types[self.output] or ()), "the output is not left unchanged")

    def entering(self, nodes: Iterable[int]) -> set[int]:
        """These nodes and those that enter them."""
        found = set(nodes)
        for n in range(max(found, default=-1), -1, -1):
            found |= set(self.nodes[n].inputs) if n in found else set()
        return found

    @cached_property
    def denominator(self) -> int:
        """Of all constants together, and of what cases give."""
        given = self.cases.denominators(self.held) if self.cases else set()
        return common(given | {self.own_denominator})

    @cached_property
    def own_denominator(self) -> int:
        """Of all constants together."""
        return common({c.denominator for node in self.nodes if node.op == "constant" for c in node.constants.values()})

    def degrees(self, names: Sequence[str]) -> list[int]:
        """Of nodes in these probes."""
        found = list[int]()
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            product = node.op in ("multiply", "matmul")
            degree = sum(inputs) if product else max(inputs, default=int(node.op == "probe" and node.data in names))
            bounded(degree)
            found.append(degree if not node.function or not degree else MAX_DEGREE)
        return found

    def bounds(self) -> tuple[int, int]:
        """Degree and bits of the norm of a field's component, in theta and the seeds, denominators cleared."""
        degree, bits = self.rational_bounds() if self.functions else self.whole_bounds()
        if not (self.cases and self.held):
            return degree, bits
        count = self.cases.count  # of terms, with all denominators for a common one; and any two of them may meet
        return (degree * count**2, bits * count**2) if self.functions else (degree + 1, bits + count.bit_length())

    def rational_bounds(self) -> tuple[int, int]:
        """The same with functions: of the numerator, where each entry of a function and its slope are variables.

        Every entry is a quotient u of polynomials of degree at most d and norm at most 2^b, so its partial derivatives
        are (N'D - ND') / D^2. By the chain rule a component is a sum over chains of at most m entries of functions, one
        after another, of products of slopes and partial derivatives; all D^2 together are a common denominator. The
        slopes of a reciprocal, a root and a logarithm, -1/u^2, -f/(2u) and 1/u, make N^2, 2ND and ND of D^2: of no
        larger degree and norm.
        """
        found, chained, chained_bits, entries = list[Pair](), 0, 0, 0
        held = self.cases.bits(self.held) if self.cases else {}
        held = {name: bits + self.denominator.bit_length() for name, bits in held.items()}
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            degree, bits = (max((x[k] for x in inputs), default=0) for k in range(2))
            if node.op in ("parameter", "probe"):
                degree, bits = 1, held.get(node.data, 0)
            elif node.op == "constant":
                sizes = [max(abs(c.numerator), c.denominator) for c in node.constants.values()]
                bits = max(sizes, default=1).bit_length()
            elif node.op in ("add", "multiply", "matmul"):
                degree, bits = (sum(x[k] for x in inputs) for k in range(2))
            if node.op in FUNCTIONS:
                size = prod(node.shape)
                chained, entries = chained + size * (2 * degree + 1), entries + size
                chained_bits += size * (2 * bits + degree.bit_length() + 1)
            if node.op == "softmax":
                degree, bits = 1, node.shape[node.data].bit_length()
            elif node.op == "function" and node.data != "reciprocal":
                degree, bits = 1, 0
            terms = 1 if node.op == "add" else node.summed
            degree, bits = degree * terms, bits * terms + node.summed.bit_length()
            bounded(max(degree, bits, chained, chained_bits))
            found.append((degree, bits))
        outputs = prod(self.nodes[self.output].shape)
        degree, bits = (outputs * (x + 1) for x in found[self.output])
        # and no two arguments of functions that differ may meet by chance
        meeting_degree, meeting_bits = (2 * entries**2 * max(x[k] for x in found) for k in range(2))
        bits = 2 * (bits + degree.bit_length()) + chained_bits + entries
        return 2 * degree + chained + meeting_degree, bits + meeting_bits

    def whole_bounds(self) -> tuple[int, int]:
        """``bounds`` without functions."""
        degree, constants, bits = self.node_bounds(self.cases.bits(self.held) if self.cases else {})[self.output]
        clearing = constants * (self.denominator - 1).bit_length()
        return degree, degree.bit_length() + bits + clearing + prod(self.nodes[self.output].shape).bit_length()

    def node_bounds(self, given: dict[str, int]) -> list[tuple[int, int, int]]:
        """Of nodes: degree; constants that are multiplied; bits of the sum of the |coefficients|.

        ``given``: bits of the probes that count as constants.
        """
        found: list[tuple[int, int, int]] = []
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            degree, constants, bits = (max((x[k] for x in inputs), default=0) for k in range(3))
            if node.op == "probe" and node.data in given:
                constants, bits = 1, given[node.data]
            elif node.op in ("parameter", "probe"):
                degree = 1
            elif node.op == "constant":
                constants, bits = 1, int(max((abs(c) for c in node.constants.values()), default=0)).bit_length()
            elif node.op in ("multiply", "matmul"):
                degree, constants, bits = (sum(x[k] for x in inputs) for k in range(3))
            bits += (node.summed - 1).bit_length()
            bounded(max(degree, constants, bits))
            found.append((degree, constants, bits))
        return found
