r"""Rescalings of exponentials of parameters: $e^g \odot (Wx)$ stays where the row of W is divided by what $e^g$ gains.

A parameter g of which only integer powers of $q = e^{cg}$ are seen, entry by entry, is a logarithm of a positive
parameter. Where a
rescaling $\theta_j \mapsto t^{a_j}\theta_j$, $q_i \mapsto t^{b_i}q_i$ leaves the outputs alone, so does $g_i \mapsto
g_i + (b_i / c)\log t$: the generator $(a_j\theta_j, b_i / c)$ is the gradient of half the law $\sum_j a_j\theta_j^2 +
(2/c)\sum_i b_i g_i$.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import gcd, lcm, prod

from clexact.programs.operations import Node
from clexact.programs.program import Program
from clexact.symmetry.axes import MOVES
from clexact.symmetry.families import Family, Kind
from clexact.symmetry.gather import Rescalings


class Exponentials:
    """The rescalings of a program's parameters and of exponentials of some; ``logarithms`` are these, {g: c}."""

    def __init__(self, program: Program, offsets: Mapping[str, int]) -> None:
        found = _exponentials(program, offsets)
        self.logarithms = {name: factor for name, (factor, _) in found.items()}
        if found:
            seen = _without(program, {n: i for _, each in found.values() for n, i in each.items()})
            self._rescalings = Rescalings(seen, offsets, apart=found)
            sizes = {node.data: prod(node.shape) for node in program.nodes if node.op == "parameter"}
            entries = {name: range(offsets[name], offsets[name] + sizes[name]) for name in found}
            self._factors = {j: self.logarithms[name] for name, each in entries.items() for j in each}

    def families(self, still: Collection[int], known: Collection[frozenset[tuple[int, int]]]) -> list[Family]:
        """All laws of rescalings, as ``Rescalings.families``; those of logarithms alone are translations."""
        found = self._rescalings.families(still, known)
        others = [family for family in found if not {*family.parameters} <= self.logarithms.keys()]
        return [
            partly_linear(family, self.logarithms) if {*family.parameters} & self.logarithms.keys() else family
            for family in others
        ]

    def laws(self) -> Iterator[dict[tuple[int, ...], int]]:
        """Those that speak of logarithms and of others, entry by entry: {monomial: coefficient}."""
        for scaling in self._rescalings.scalings if self.logarithms else ():
            logarithms = self._factors.keys() & scaling.keys()
            if logarithms and len(logarithms) < len(scaling):
                sums = {(j,): 2 * scaling[j] / self._factors[j] for j in logarithms}
                squares = {(j, j): Fraction(a) for j, a in scaling.items() if j not in logarithms}
                yield dict(zip((*sums, *squares), _primitive([*sums.values(), *squares.values()]), strict=True))


def partly_linear(family: Family, names: Mapping[str, Fraction]) -> Family:
    r"""The sums of rows of some parameters, by 2 / c, and the squares of the others; of a matrix the diagonal.

    ``names`` has the c of each of these parameters.
    """
    coefficients = [
        2 * term.coefficient / names[term.parameter] if term.parameter in names else Fraction(term.coefficient)
        for term in family.terms
    ]
    kind: Kind = "scale" if all(term.coefficient > 0 for term in family.terms) else "diagonal"
    if coefficients[0] < 0:
        coefficients = [-c for c in coefficients]
    terms = [
        replace(term, linear=term.linear or term.parameter in names, coefficient=c)
        for term, c in zip(family.terms, _primitive(coefficients), strict=True)
    ]
    return replace(family, kind=kind, terms=tuple(terms))


def _primitive(numbers: Sequence[Fraction]) -> list[int]:
    """Their multiples, by one positive number, that are integers without a common divisor."""
    scale = Fraction(lcm(*(c.denominator for c in numbers)), gcd(*(c.numerator for c in numbers)))
    return [int(c * scale) for c in numbers]


Ends = dict[int, tuple[int, int]]  # {node: (an input, the power of it that stands for the node)}
MOST = 64  # powers of an exponential


def _exponentials(program: Program, names: Collection[str]) -> dict[str, tuple[Fraction, Ends]]:
    """{g: (c, nodes)} of parameters of which nothing but powers of exp(c g) is seen, with what g stands for then."""
    users: dict[int, list[int]] = {}
    for n, node in enumerate(program.nodes):
        for i in {*node.inputs}:
            users.setdefault(i, []).append(n)
    found = dict[str, tuple[Fraction, Ends]]()
    for n, node in enumerate(program.nodes):
        if node.op == "parameter" and node.data in names:
            passed = _passed(program, users, n)
            if passed is not None:
                found[node.data] = passed
    return found


def _passed(program: Program, users: Mapping[int, list[int]], first: int) -> tuple[Fraction, Ends] | None:
    """c and what is left out behind a parameter, as above; None if it is seen otherwise, or not at all."""
    stack, ends, factors = [(first, Fraction(1))], Ends(), dict[int, Fraction]()
    while stack:
        n, factor = stack.pop()
        if n == program.output:
            return None
        for user in users.get(n, ()):
            node = program.nodes[user]
            if node.op in MOVES:
                stack.append((user, factor))
            elif node.op == "function" and node.data == "exp":
                ends[user] = n, 1
                factors[user] = factor
            elif (multiple := _multiple(program, node, n)) is not None:
                ends[user] = n, 1
                stack.append((user, factor * multiple))
            else:
                return None
    if not factors:
        return None
    base = _common(factors.values())
    powers = {user: int(factor / base) for user, factor in factors.items()}
    ends |= {user: (ends[user][0], power) for user, power in powers.items()}
    return (base, ends) if max(map(abs, powers.values())) <= MOST else None


def _common(numbers: Collection[Fraction]) -> Fraction:
    """The largest number of which all are multiples, of their sign if they have one."""
    scale = lcm(*(c.denominator for c in numbers))
    return Fraction(gcd(*(int(c * scale) for c in numbers)) * (-1 if max(numbers) < 0 else 1), scale)


def _multiple(program: Program, node: Node, source: int) -> Fraction | None:
    """By what number a node multiplies all entries of another; None if it does something else."""
    if node.op != "multiply" or node.shape != program.nodes[source].shape:
        return None
    others = [program.nodes[i] for i in node.inputs if i != source]
    if len(others) != 1 or others[0].op != "constant" or not others[0].data.size:
        return None
    numbers = others[0].data.ravel().tolist()
    return Fraction(numbers[0]) if numbers[0] and numbers.count(numbers[0]) == len(numbers) else None


def _without(program: Program, left_out: Ends) -> Program:
    """With a power of an input of each of these nodes in its place."""
    place, nodes = list[int](), list[Node]()

    def added(node: Node) -> int:
        nodes.append(node)
        return len(nodes) - 1

    for n, node in enumerate(program.nodes):
        if n in left_out:
            source, power = left_out[n]
            base = place[source]
            if power < 0:
                base = added(replace(node, data="reciprocal", inputs=(base,)))
            found = base
            for _ in range(abs(power) - 1):
                found = added(Node("multiply", (found, base), node.shape))
            place.append(found)
        else:
            place.append(added(replace(node, inputs=tuple(place[i] for i in node.inputs))))
    return Program(nodes, place[program.output])
