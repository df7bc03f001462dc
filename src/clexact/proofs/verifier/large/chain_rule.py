"""Laws by the chain rule: the output stays when the parameters move as the gradient of a law says."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import combinations
from math import comb, prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import FUNCTIONS, MAX_DIGITS, MAX_OPENED, SHARE, Atoms, Form, Pair
from clexact.proofs.verifier.large.node import strides
from clexact.proofs.verifier.large.outcome import TooMuch
from clexact.proofs.verifier.large.program import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clexact.proofs.verifier.large.limits import Poly
    from clexact.proofs.verifier.large.node import Node
    from clexact.proofs.verifier.large.outcome import Allowance
    from clexact.proofs.verifier.large.program import Program

MAX_TERMS, MAX_FACTORS, MAX_ATOMS = 5000, 8, 16  # of velocities: terms, and their factors, at first and at last
Product = tuple[Any, Atoms]  # of a rational number and atoms
Uses = dict[int, list[tuple[int, Pair | None]]]  # {entry of an operand: [(entry of the result, what multiplies it)]}


class Moves:
    """How all nodes move when coordinates move along a polynomial field: by the chain rule, exactly.

    A law is conserved if the output stays when the parameters move as its gradient says. Velocities are polynomials in
    *atoms*: coordinates, probes, values and slopes of functions, and entries of nodes that are sums. An entry that is a
    product is written as one. Nothing is used of an atom but what it is made of, so what cancels does so wherever the
    network is defined, for every function.

    Nothing is expanded that need not be: where z = sum u_k v_k, the velocity sum 2 u_k v_k is 2 z (``folded``); and an
    entry is opened where the terms become fewer, as in the sum of x - mean(x) (``shortened``).
    """

    def __init__(self, program: Program, first: int, coordinates: int, allowance: Allowance) -> None:
        self.program, self.first, self.allowance = program, first, allowance  # theta begins at coordinate ``first``
        probes = Layout({node.data: node.shape for node in program.nodes if node.op == "probe"})
        self.probes = {name: coordinates + start for name, start in probes.first.items()}
        self.starts = [coordinates + probes.starts[-1]]  # the atoms of the entries of each node
        self.known: list[list[Product]] = []  # the entries of each node: a single atom, where they are sums
        self.used, self.written = dict[int, list[Uses]](), dict[int, tuple[dict[int, Form], dict[Atoms, int]]]()
        for n, node in enumerate(program.nodes):
            allowance.spend(20 * prod(node.shape) + 20)
            self.starts.append(self.starts[-1] + prod(node.shape))
            self.known.append(self.products(n, node))

    def products(self, n: int, node: Node) -> list[Product]:
        """The entries of a node."""
        places, op = range(prod(node.shape)), node.op
        if op == "constant":
            return [(whole(node.constants.get(e, Fraction(0))), ()) for e in places]
        leaf = op in ("parameter", "probe")
        start = self.probes[node.data] if op == "probe" else self.starts[n]
        start = self.first + self.program.theta.first[node.data] if op == "parameter" else start
        own: list[Product] = [(1, (start + e,)) for e in places]
        numbers = any(not atoms for i in node.inputs for _, atoms in self.known[i])
        if leaf or op in FUNCTIONS or (op in ("add", "matmul", "sum") and not numbers):
            return own
        return [short_product(form) or own[e] for e, form in enumerate(self.made(n))]

    def uses(self, n: int) -> list[Uses]:
        """For each operand {entry: [(an entry of the result, the node and the entry that multiply it, if any)]}."""
        if n not in self.used:
            node = self.program.nodes[n]
            self.allowance.spend(60 * (prod(node.shape) * node.summed + sum(map(prod, node.theirs))))
            out: list[Uses] = [{} for _ in node.inputs]
            if node.op in ("multiply", "matmul"):
                (i, j), (a, b) = node.inputs, node.links
                for e, x, y in pairs(node):
                    x, y = a.table[x] if a else x, b.table[y] if b else y
                    out[0].setdefault(x, []).append((e, (j, y)))
                    out[1].setdefault(y, []).append((e, (i, x)))
            else:
                for uses, link, theirs in zip(out, node.links, node.theirs, strict=True):
                    for k, m in enumerate(link.table if link else range(prod(theirs))):
                        x, e = (k, m) if not link or link.onto_result else (m, k)
                        uses.setdefault(x, []).append((e, None))
            self.used[n] = out
        return self.used[n]

    def made(self, n: int) -> list[Form]:
        """The entries of a node that is no leaf and no function, of its operands."""
        node = self.program.nodes[n]
        out, uses = [Form() for _ in range(prod(node.shape))], self.uses(n)
        for i, used in zip(node.inputs, uses[: 1 if node.op in ("multiply", "matmul") else None], strict=False):
            for x, targets in used.items():
                c, atoms = self.known[i][x]
                for e, other in targets:
                    self.add(out[e], {atoms: c} if c else {}, self.factor(other))
        return out

    def sums(self, n: int) -> tuple[dict[int, Form], dict[Atoms, int]]:
        """The entries that are sums; and for each a term to know it by, which as few others as possible have."""
        if n not in self.written:
            start, entries = self.starts[n], self.known[n]
            own = [e for e, product in enumerate(entries) if product == (1, (start + e,))]
            made = self.made(n) if own else []
            forms, count, known_by = {e: made[e] for e in own}, dict[Atoms, int](), dict[Atoms, int]()
            for atoms in (atoms for form in forms.values() for atoms in form):
                count[atoms] = count.get(atoms, 0) + 1
            for e, form in ((e, form) for e, form in forms.items() if form):
                known_by.setdefault(min(form, key=lambda atoms: (count[atoms], atoms)), e)
            self.written[n] = forms, known_by
        return self.written[n]

    # polynomials in atoms

    def factor(self, other: Pair | None) -> Product:
        return self.known[other[0]][other[1]] if other else (1, ())

    def add(self, out: Form, form: Form, factor: Product = (1, ())) -> None:
        """out += form * factor."""
        number, more = factor
        self.allowance.spend(40 * len(form) + 10)
        if len(out) > MAX_TERMS:
            raise TooMuch("velocities have too many terms")
        for atoms, c in form.items() if number else ():
            key = tuple(sorted(atoms + more)) if more else atoms
            total = out.get(key, 0) + c * number
            if len(key) > MAX_ATOMS or total.numerator.bit_length() + total.denominator.bit_length() > MAX_DIGITS:
                raise TooMuch("velocities are too long")
            out[key] = whole(total)
            if not total:
                del out[key]

    def folded(self, n: int, form: Form) -> Form:
        """The same, with entries of this node in place of the sums that they are."""
        forms, known_by = self.sums(n)
        lengths = {len(term) for term in known_by}
        for atoms in list(form) if lengths else ():
            self.allowance.spend(10 * sum(comb(len(atoms), r) for r in lengths))
            for term in {term for r in lengths for term in combinations(atoms, r) if term in known_by}:
                if atoms in form:
                    self.fold(form, without(atoms, term), form[atoms], term, self.starts[n], forms, known_by[term])
        return form

    def fold(
        self, form: Form, rest: Atoms, c: Any, term: Atoms, start: int, forms: dict[int, Form], entry: int
    ) -> None:
        """A multiple of an entry, where c * term * rest is one, if no more terms are left then."""
        made = forms[entry]
        ratio = whole(Fraction(c) / made[term])
        self.allowance.spend(20 * len(made))
        there = [(form.get(tuple(sorted(atoms + rest))), ratio * k) for atoms, k in made.items()]
        if sum(k == wanted for k, wanted in there) > sum(k is None for k, _ in there):
            self.add(form, made, (-ratio, rest))
            self.add(form, {(start + entry,): ratio}, (1, rest))

    def opened(self, form: Form) -> Form | None:
        """The same, with sums in place of the entries of the last node that has some; None if none has."""
        self.allowance.spend(10 * sum(map(len, form)))
        last = max((self.node(a) for atoms in form for a in atoms), default=-1)
        if last < 0:
            return None
        sums, start, out = self.sums(last)[0], self.starts[last], Form()
        for atoms, c in form.items():
            entry = next((a for a in atoms if start <= a < self.starts[last + 1]), None)
            self.add(out, *(({atoms: c},) if entry is None else (sums[entry - start], (c, without(atoms, (entry,))))))
        return out

    def node(self, atom: int) -> int:
        """The node of which an atom is an entry that is a sum; -1 for other atoms."""
        n = bisect_right(self.starts, atom) - 1
        return n if n >= 0 and self.program.nodes[n].op not in FUNCTIONS else -1

    def expanded(self, form: Form) -> Form:
        """The same, without entries that are sums."""
        while (longer := self.opened(form)) is not None:
            form = longer
        return form

    def shortened(self, form: Form) -> Form:
        """The same, with entries opened as long as that leaves fewer terms, soon."""
        trial, tries = form, 0
        while tries < MAX_OPENED and trial and len(trial) <= SHARE * (len(form) + SHARE):
            opened, tries = self.opened(trial), tries + 1
            if opened is None:
                break
            trial = opened
            if len(trial) < len(form):
                form, tries = trial, 0
        return form

    # velocities

    def velocity(self, field: dict[int, Form]) -> dict[int, Form]:
        """That of the entries of the output, without those that stay, when coordinates move along a field."""
        every: list[dict[int, Form]] = []
        for n, node in enumerate(self.program.nodes):
            self.allowance.spend(20 + len(field) * (node.op == "parameter"))
            theirs = [every[i] for i in node.inputs]
            here = dict[int, Form]()
            if node.op == "parameter":
                start = self.first + self.program.theta.first[node.data]
                here = {j - start: form for j, form in field.items() if 0 <= j - start < prod(node.shape)}
            elif any(theirs):
                if node.op == "softmax":
                    here = self.of_softmax(n, node, theirs[0])
                elif node.op == "function":
                    here = {e: self.of_function(n, node, e, moved) for e, moved in theirs[0].items()}
                else:
                    here = self.of_operands(n, theirs)
            every.append({e: form for e, form in here.items() if form})
        return every[int(self.program.output)]

    def of_operands(self, n: int, theirs: list[dict[int, Form]]) -> dict[int, Form]:
        """Of sums and products."""
        out = dict[int, Form]()
        for uses, moving in zip(self.uses(n), theirs, strict=True):
            for x, form in moving.items():
                for e, other in uses.get(x, ()):
                    self.add(out.setdefault(e, {}), form, self.factor(other))
        return {e: self.shortened(self.folded(n, form)) for e, form in out.items()}

    def of_function(self, n: int, node: Node, e: int, moved: Form) -> Form:
        """f'(u) times the velocity of u; u f = 1 for a reciprocal, and u f^2 = 1 for a root."""
        entry, (c, atoms) = self.starts[n] + e, self.known[node.inputs[0]][e]
        out = Form()
        match node.data:
            case "exp":
                self.add(out, moved, (1, (entry,)))
            case "reciprocal" | "rsqrt":
                power, scale = (2, -1) if node.data == "reciprocal" else (3, Fraction(-1, 2))
                one = atoms + (entry,) * (power - 1)  # c times these is 1
                self.add(out, moved, (scale, (entry,) * power))
                for term in [term for term in out if c and contains(term, one)]:
                    self.add(out, {without(term, one): Fraction(out.pop(term)) / c})
            case "log" if atoms and all(contains(term, atoms) for term in moved):
                for term, k in moved.items():
                    self.add(out, {without(term, atoms): Fraction(k) / c})
            case _:
                self.add(out, moved, (1, (-1 - entry,)))
        return out

    def of_softmax(self, n: int, node: Node, moved: dict[int, Form]) -> dict[int, Form]:
        """f_e (u'_e - sum_k f_k u'_k): what is the same along the axis does not matter, and is left out first."""
        out, first = dict[int, Form](), self.starts[n]
        step, size = strides(node.shape)[node.data], node.shape[node.data]
        for start in {e - e // step % size * step for e in moved}:
            mean, relative = Form(), dict[int, Form]()
            for e in range(start, start + size * step, step):
                relative[e] = dict(moved.get(e, {}))
                self.add(relative[e], moved.get(start, {}), (-1, ()))
                self.add(mean, relative[e], (-1, (first + e,)))
            for e, form in relative.items():
                out[e] = Form()
                self.add(out[e], form, (1, (first + e,)))
                self.add(out[e], mean, (1, (first + e,)))
        return out

    def still(self, field: dict[int, Form], cases: list[dict[int, Any]]) -> bool:
        """Whether the output is seen not to move, at all cases: {atom: number} of what is given there."""
        left = [form for form in self.velocity(field).values() if not self.zero(form, cases)]
        return all(self.zero(self.expanded(form), cases) for form in left)

    def zero(self, form: Form, cases: list[dict[int, Any]]) -> bool:
        """Whether it is zero, or so at all cases."""
        return not form or (bool(cases) and not any(self.at(form, case) for case in cases))

    def at(self, form: Form, case: dict[int, Any]) -> Form:
        out = Form()
        for atoms, c in form.items():
            free = tuple(a for a in atoms if a not in case)
            self.add(out, {free: Fraction(c) * prod(case[a] for a in atoms if a in case)})
        return out


def whole(c: Any) -> Any:
    """An integer, if it is one."""
    return c.numerator if c.denominator == 1 else c


def pairs(node: Node) -> Iterator[tuple[int, int, int]]:
    """(entry, entries of the operands) of all products of a product, or of matrices; operands as they are repeated."""
    rows, inner, columns = node.matrix if node.op == "matmul" else (1, 1, 1)
    for e in range(prod(node.shape)):
        x, y = e // columns * inner, e // (rows * columns) * inner * columns + e % columns
        yield from ((e, x + k, y + k * columns) for k in range(inner))


def contains(atoms: Atoms, part: Atoms) -> bool:
    return all(atoms.count(a) >= part.count(a) for a in part)


def without(atoms: Atoms, part: Atoms) -> Atoms:
    """What is left of a product."""
    left = list(atoms)
    for a in part:
        left.remove(a)
    return tuple(left)


def short_product(form: Form) -> Product | None:
    """A polynomial of one short term, or none."""
    if not form:
        return 0, ()
    atoms, c = next(iter(form.items()))
    return (c, atoms) if len(form) == 1 and len(atoms) <= MAX_FACTORS else None


def form_of(poly: Poly) -> Form:
    """The same, with each power written out; ``TooMuch`` for large ones."""
    if max((sum(k for _, k in monomial) for monomial in poly), default=0) > MAX_FACTORS:
        raise TooMuch("the degree of a law is too large")
    return {tuple(v for v, k in monomial for _ in range(k)): c for monomial, c in poly.items()}


def derivatives(form: Form) -> dict[int, Form]:
    """{x: derivative by x}."""
    out = dict[int, Form]()
    for atoms, c in form.items():
        for x in set(atoms):
            out.setdefault(x, {})[without(atoms, (x,))] = c * atoms.count(x)
    return out
