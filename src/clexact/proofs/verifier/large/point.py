"""Values, gradients and brackets of a program at one point, modulo a prime."""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.homomorphism import Opaque, Pole
from clexact.proofs.verifier.large.limits import CASES, FUNCTIONS, LINEAR, VALUE_STEPS, Jet, Part
from clexact.proofs.verifier.large.node import Node, reduced, residues, strides
from clexact.proofs.verifier.large.outcome import truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clexact.proofs.verifier.large.homomorphism import Functions
    from clexact.proofs.verifier.large.limits import Pair
    from clexact.proofs.verifier.large.node import Link
    from clexact.proofs.verifier.large.outcome import Allowance
    from clexact.proofs.verifier.large.program import Program


class Point:
    """The program at a point modulo a prime: what does not depend on the seeds is computed once and pinned.

    Functions are opaque, or those of a homomorphism, the modulus being its m.
    """

    def __init__(
        self,
        program: Program,
        p: int,
        theta: Part,
        allowance: Allowance,
        functions: Functions | None = None,
    ) -> None:
        truth(gcd(program.denominator, p) == 1, f"a denominator of the program is not invertible modulo {p}")
        self.program, self.p, self.allowance, self.functions = program, p, allowance, functions or Opaque(p)
        self.cache: dict[tuple[int, ...], Any] = {}
        self.pinned: dict[int, Part] = {}
        self.matters: dict[tuple[int, ...], dict[Node, Any]] = {}  # where functions matter, by the places of covectors
        self.matter: dict[Node, Any] = {}
        self.fixed: list[Jet] = []
        given = program.theta.split(reduced(theta, p))
        for node, static in zip(program.nodes, program.static, strict=True):
            jet: Jet = {}
            if node.op == "parameter":
                jet = {0: given.get(node.data, {})}
            elif node.op == "constant":
                jet = {0: self.constant(node)}
            elif static:
                jet = self.value(node, [self.fixed[i] for i in node.inputs], None)
            self.fixed.append({mask: self.pin(part) for mask, part in jet.items() if part})

    def constant(self, node: Node) -> Part:
        return residues(node.constants.items(), self.p)

    def add(self, jet: Jet, mask: int, part: Part) -> None:
        """jet[mask] += part; parts are shared, so never changed."""
        if mask in jet:
            small, large = sorted((jet[mask], part), key=len)
            self.allowance.spend(len(small) + len(large))
            total = dict(large)
            for i, x in small.items():
                total[i] = (total.get(i, 0) + x) % self.p
                if not total[i]:
                    del total[i]
            jet[mask] = total
        elif part:
            jet[mask] = part

    def pin(self, part: Part) -> Part:
        return self.pinned.setdefault(id(part), part)

    def push(self, part: Part, link: Link | None, forward: bool) -> Part:
        if link is None:
            return part
        key = (id(part), id(link), forward)
        if key in self.cache:
            return self.cache[key]  # type: ignore[no-any-return]
        self.allowance.spend(len(part))
        out = link.push(part, forward, self.p)
        self.allowance.spend(len(out))
        if id(part) in self.pinned:
            self.cache[key] = self.pin(out)
        return out

    def spread(self, jet: Jet, link: Link | None) -> Jet:
        return jet if link is None else {mask: self.push(part, link, True) for mask, part in jet.items()}

    def groups(self, part: Part, rows: int, columns: int, last: bool) -> dict[int, list[tuple[int, int]]]:
        """A stack of matrices by its last or first index: {stack * size + index: [(the other index, entry), ...]}."""
        key = (id(part), rows, columns, last)
        if key in self.cache:
            return self.cache[key]  # type: ignore[no-any-return]
        self.allowance.spend(len(part))
        out: dict[int, list[tuple[int, int]]] = {}
        for i, x in part.items():
            row, column = divmod(i, columns)
            index, other = (row // rows * columns + column, row % rows) if last else (row, column)
            out.setdefault(index, []).append((other, x))
        if id(part) in self.pinned:
            self.cache[key] = out
        return out

    def contract(self, a: Part, m: Pair, b: Part, n: Pair, last: tuple[bool, bool]) -> Part:
        """Products of stacks of matrices of shapes m and n, contracted along the last or the first index of each."""
        left, right = self.groups(a, *m, last[0]), self.groups(b, *n, last[1])
        size, width, height = m[last[0]], n[not last[1]], m[not last[0]]
        common = [key for key in min(left, right, key=len) if key in left and key in right]
        self.allowance.spend(sum(len(left[key]) * len(right[key]) for key in common))
        out: Part = {}
        for key in common:
            for i, x in left[key]:
                first = (key // size * height + i) * width
                for j, y in right[key]:
                    out[first + j] = out.get(first + j, 0) + x * y
        return reduced(out, self.p)

    def entrywise(self, a: Part, b: Part) -> Part:
        small, large = (a, b) if len(a) <= len(b) else (b, a)
        self.allowance.spend(len(small))
        return reduced({i: x * large[i] for i, x in small.items() if i in large}, self.p)

    def times(self, node: Node, a: Part, b: Part, pulled: int = -1) -> Part:
        """The product of a node; with ``pulled``, the adjoint for that operand, of cotangent a and other operand b."""
        if node.op == "multiply":
            return self.entrywise(a, b)
        n, k, m = node.matrix
        if pulled < 0:
            return self.contract(a, (n, k), b, (k, m), (True, False))
        if pulled == 0:
            return self.contract(a, (n, m), b, (k, m), (True, True))
        return self.contract(b, (n, k), a, (n, m), (False, False))

    def bilinear(self, a: Jet, b: Jet, times: Callable[[Part, Part], Part], known: Part | None = None) -> Jet:
        """Sum of products over pairs of masks that do not meet; the part 0 may be known."""
        out: Jet = {} if known is None else {0: known}
        self.allowance.spend(len(a) * len(b))
        for s, x in a.items():
            for t, y in b.items():
                if not s & t and (known is None or s | t):
                    self.add(out, s | t, times(x, y))
        return out

    def product(self, a: Jet, b: Jet) -> Jet:
        """Entry by entry."""
        return self.bilinear(a, b, self.entrywise)

    def combined(self, *terms: tuple[int, Jet]) -> Jet:
        """The sum of multiples."""
        out: Jet = {}
        for c, jet in terms:
            for mask, part in jet.items():
                self.allowance.spend(len(part))
                self.add(out, mask, part if c == 1 else reduced({i: c * x for i, x in part.items()}, self.p))
        return out

    def along(self, node: Node, part: Part) -> Part:
        """At each place the sum along the axis of a softmax."""
        size, step, sums = node.shape[node.data], strides(node.shape)[node.data], dict[int, int]()
        self.allowance.spend(2 * len(part) + size)
        for i, x in part.items():
            first = i - i // step % size * step
            sums[first] = sums.get(first, 0) + x
        return reduced({i + k * step: x for i, x in sums.items() for k in range(size)}, self.p)

    def applied(self, node: Node, z: Jet, name: str, known: Part | None = None) -> Jet:
        """f(a + b e) = f(a) + f'(a) b e, e the last infinitesimal, for a function or a softmax at the place of a node.

        The part 0 may be known.
        """
        last = max(z, default=0)
        if not last:
            return {0: self.evaluated(node, z.get(0, {}), name) if known is None else known}
        e = 1 << (last.bit_length() - 1)
        a, b = ({mask & ~e: part for mask, part in z.items() if mask & e == bit} for bit in (0, e))
        f = self.applied(node, a, name, known)
        return f | {mask | e: part for mask, part in self.through(node, a, name, f, b).items()}

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        """Where there are no infinitesimals: at all places, or those that matter."""
        if name == "softmax":
            powers = self.evaluated(node, z, "exp")
            return self.entrywise(powers, self.evaluated(node, self.along(node, powers), "reciprocal"))
        places = self.matter.get(node, range(prod(node.shape)))
        self.allowance.spend(VALUE_STEPS * len(places))
        try:
            found = self.functions.values(name, [z.get(i, 0) for i in places])
        except Pole as error:
            raise Pole(f"{node.what} takes {error}") from None
        return reduced(dict(zip(places, found, strict=True)), self.p)

    def through(self, node: Node, z: Jet, name: str, f: Jet, x: Jet) -> Jet:
        """The derivative at z, where the value is f, applied to x: it is its own transpose."""
        if name != "softmax":
            return self.product(self.functions.slope(name, self, node, z, f), x)
        weighted = self.product(f, x)
        totals = {mask: self.along(node, part) for mask, part in weighted.items()}
        return self.combined((1, weighted), (-1, self.product(f, totals)))

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        """The value of an operation; the part 0 may be known."""
        if node.op in FUNCTIONS:
            return self.applied(node, inputs[0], node.function, known)
        if node.op not in LINEAR:
            a, b = (self.spread(jet, link) for jet, link in zip(inputs, node.links, strict=True))
            return self.bilinear(a, b, lambda x, y: self.times(node, x, y), known)
        out: Jet = {} if known is None else {0: known}
        for jet, link in zip(inputs, node.links, strict=True):
            for mask, part in jet.items():
                if mask or known is None:
                    self.add(out, mask, self.push(part, link, True))
        return out

    def values(self, seed: dict[str, Part], extra: Jet, stop: int | None = None) -> list[Jet]:
        """Values of all nodes, or of the first ones, for the probes of a seed, at the point moved by infinitesimals."""
        program, moved, self.matter = self.program, dict[str, Jet](), self.matters.get(tuple(seed.get("", ())), {})
        for mask, part in extra.items():
            for name, piece in program.theta.split(part).items():
                moved.setdefault(name, {})[mask] = piece
        values: list[Jet] = []
        for n, node in enumerate(program.nodes[:stop]):
            static, fixed = program.static[n], self.fixed[n]
            if node.op == "probe":
                values.append({0: seed[node.data]} if node.data in seed else {})
            elif node.op == "parameter":
                values.append(fixed | moved.get(node.data, {}))
            elif static and (not extra or not program.active[n]):
                values.append(fixed)
            else:
                values.append(self.value(node, [values[i] for i in node.inputs], fixed.get(0, {}) if static else None))
        return values

    def field(self, seed: dict[str, Part], extra: Jet) -> Jet:
        """A member: a gradient, or the sum of those of cases, times their coefficients."""
        cases, held = self.program.cases, self.program.held
        if cases is None or not held:
            return self.gradient(seed, extra)
        given = seed.get(CASES, {}).items()
        return self.combined(*((c, self.gradient(seed | cases.at(j, held, self.p), extra)) for j, c in given))

    def gradient(self, seed: dict[str, Part], extra: Jet) -> Jet:
        """The gradient in theta of <C, output>: a forward and a reverse sweep.

        Functions may be undefined where they do not matter to it.
        """
        program, out = self.program, Jet()
        self.allowance.spend(10 * len(program.nodes) + sum(map(len, extra.values())))
        try:
            values = self.values(seed, extra)
        except Pole:
            places = tuple(seed.get("", ()))
            if places in self.matters:
                raise
            self.matters[places] = Marks(program, self.allowance).on(places)
            values = self.values(seed, extra)
        cotangents: dict[int, Jet] = {program.output: {0: seed[""]}} if "" in seed else {}
        for n in range(program.output, -1, -1):
            jet, node = cotangents.pop(n, {}), program.nodes[n]
            if node.op == "parameter":
                first = program.theta.first[node.data]
                for mask, part in jet.items():
                    self.allowance.spend(len(part))
                    self.add(out, mask, {first + i: x for i, x in part.items()})
            for k, j in enumerate(node.inputs if jet else ()):
                if program.active[j]:
                    target = cotangents.setdefault(j, {})
                    link = None if node.op in FUNCTIONS else node.links[k]
                    for mask, part in self.pulled(n, k, values, jet).items():
                        self.add(target, mask, self.push(part, link, False))
        return out

    def pulled(self, n: int, k: int, values: list[Jet], jet: Jet) -> Jet:
        """The cotangent that operand k of a node receives, before it is pushed back to the operand."""
        node = self.program.nodes[n]
        if node.op in LINEAR:
            return jet
        if node.op in FUNCTIONS:
            return self.through(node, values[node.inputs[0]], node.function, values[n], jet)
        other = self.spread(values[node.inputs[1 - k]], node.links[1 - k])
        return self.bilinear(jet, other, lambda g, y: self.times(node, g, y, k))

    def bracket(self, seeds: Sequence[dict[str, Part]], extra: Jet, bit: int = 0) -> Jet:
        """[X_0, [X_1, ...]]: the e-part of A(theta + e B) - B(theta + e A), A = X_0, B = [X_1, ...]."""
        if len(seeds) == 1:
            return self.field(seeds[0], extra)
        e, out = 1 << (bit + len(seeds) - 2), Jet()
        b = self.bracket(seeds[1:], extra, bit)
        a_moved = self.field(seeds[0], extra | {mask | e: part for mask, part in b.items()})
        a = {mask | e: part for mask, part in a_moved.items() if not mask & e}
        for sign, jet in ((1, a_moved), (-1, self.bracket(seeds[1:], extra | a, bit))):
            for mask, part in jet.items():
                if mask & e:
                    self.add(out, mask & ~e, {i: sign * x % self.p for i, x in part.items()})
        return out


class Marks(Point):
    """The same with 1 for what may differ from 0, at every point: which entries matter to entries of the output."""

    def __init__(self, program: Program, allowance: Allowance) -> None:
        self.pins: dict[str, Part] = {}  # probes that do not move
        super().__init__(program, 2**61 - 1, {}, allowance)  # more than there are entries

    def constant(self, node: Node) -> Part:
        return {i: 1 for i, c in node.constants.items() if c}

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        jet: Any = super().value(node, inputs, known) if node.inputs else {0: range(prod(node.shape))}
        return {mask: dict.fromkeys(part, 1) for mask, part in jet.items()}

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        self.allowance.spend(prod(node.shape))
        return dict.fromkeys(range(prod(node.shape)), 1)

    def through(self, node: Node, z: Jet, name: str, f: Jet, x: Jet) -> Jet:
        return {mask: self.along(node, part) if name == "softmax" else part for mask, part in x.items()}

    def marked(self) -> list[Jet]:
        """What may differ from 0, and, as the part of an infinitesimal, what may depend on probes."""
        values = list[Jet]()
        self.allowance.spend(50 * len(self.program.nodes) + 2 * self.program.entries)
        for node in self.program.nodes:
            fixed = {0: self.constant(node)} if node.op == "constant" else None
            if node.op == "probe" and node.data in self.pins:
                fixed = {0: dict.fromkeys(self.pins[node.data], 1)}
            jet = fixed or self.value(node, [values[i] for i in node.inputs], None)
            values.append(jet | {1: jet[0]} if node.op == "probe" and not fixed else jet)
        return values

    def unmoved(self) -> dict[Node, list[int]]:
        """For each node of a function that depends on probes the places at which its argument does not."""
        values, out = self.marked(), dict[Node, list[int]]()
        for node, static in zip(self.program.nodes, self.program.static, strict=True):
            if node.function and not static:
                moved = values[node.inputs[0]].get(1, {})
                out[node] = [i for i in range(prod(node.shape)) if i not in moved]
        return out

    def on(self, places: Sequence[int]) -> dict[Node, Part]:
        """For each node of a function the places that matter to these of the output."""
        nodes, out = self.program.nodes, dict[Node, Part]()
        values = [{0: jet.get(0, {})} for jet in self.marked()]
        marks: list[Jet] = [{} for _ in nodes]
        marks[self.program.output] = {0: dict.fromkeys(places, 1)}
        for n in range(self.program.output, -1, -1):
            for k, j in enumerate(nodes[n].inputs):
                pulled = self.pulled(n, k, values, {0: dict.fromkeys(marks[n].get(0, {}), 1)}).get(0, {})
                if nodes[n].function:
                    out[nodes[n]] = pulled
                link = None if nodes[n].function else nodes[n].links[k]
                self.add(marks[j], 0, self.push(pulled, link, False))
        return out
