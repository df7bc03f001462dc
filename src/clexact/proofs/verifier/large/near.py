"""Gates near a start, read exactly, and that there are no others."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import MAX_MONOMIALS
from clexact.proofs.verifier.large.node import common, reduced, residues
from clexact.proofs.verifier.large.outcome import Allowance, TooMuch, truth
from clexact.proofs.verifier.large.point import Point
from clexact.proofs.verifier.large.program import Margin
from clexact.proofs.verifier.large.ranks import eliminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clexact.proofs.verifier.large.limits import Jet, Monomial, Part
    from clexact.proofs.verifier.large.node import Node
    from clexact.proofs.verifier.large.program import Cases, Gate, Program

MERSENNE = (61, 127, 521, 1279, 2203, 4423, 9689, 11213)  # 2^n - 1 is a prime


class Sources(Point):
    """A point at which only what is read off by gates matters: functions are left out, and must not enter it."""

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        return {}

    def margin(self, values: list[Jet], gate: Gate, plus: int, minus: int) -> int:
        z: Part = values[gate.node].get(0, {})
        return (z.get(plus, 0) - z.get(minus, 0)) % self.p  # at -1 there is nothing


class Reading(Sources):
    """A network at its start, exactly: a number of known size and denominator is known by its residue."""

    def __init__(self, program: Program, cases: Cases, allowance: Allowance) -> None:
        self.cases, self.names, start = cases, [*cases.tables], cases.start
        truth(len(start) == program.theta.starts[-1], f"the start must have {program.theta.starts[-1]} numbers")
        self.bounds = program.node_bounds(cases.bits(self.names))
        self.own, self.common = program.own_denominator, common({c.denominator for c in start})
        largest = (1 + int(max(map(abs, start), default=0))).bit_length()
        self.given = [common({self.own, *cases.denominators(self.names, j)}) for j in range(cases.count)]
        constants = max(map(int.bit_length, self.given))
        size = 2 + max(
            bits + degree * (largest + self.common.bit_length()) + factors * constants
            for degree, factors, bits in (self.bounds[gate.node] for gate in cases.gates)
        )
        power = next((n for n in MERSENNE if n > max(size, constants, self.common.bit_length())), 0)
        if not power:
            raise TooMuch("the numbers at the start are too long")
        self.whole, self.weight = allowance, 1 + (power // 256) ** 2 // 4  # division takes its square
        self.left = allowance.left // self.weight
        super().__init__(program, 2**power - 1, residues(enumerate(start), 2**power - 1), Allowance(self.left))

    def at(self, j: int, instead: dict[str, Part] | None = None) -> tuple[list[Jet], list[int]]:
        """Values with the gates of a case, at its input or another of integers; and by what they are multiplied."""
        values = self.values(self.cases.at(j, self.names, self.p) | (instead or {}), {})
        self.whole.spend(self.weight * (self.left - self.allowance.left))
        self.left = self.allowance.left
        p, given = self.p, self.given[j]
        return values, [pow(self.common, degree, p) * pow(given, factors, p) for degree, factors, _ in self.bounds]

    def exactly(self, values: list[Jet], scales: list[int], gate: Gate, plus: int, minus: int) -> int:
        """A margin, times a positive number."""
        x: int = self.margin(values, gate, plus, minus) * scales[gate.node] % self.p
        return x if x < self.p // 2 else x - self.p

    def ties(self, j: int) -> list[Margin]:
        """The margins of a case that are zero at the start; ``Untrue`` if its gates are not as listed."""
        (values, scales), out = self.at(j), list[Margin]()
        for gate, choices in zip(self.cases.gates, self.cases.choices[j], strict=True):
            for k, choice in enumerate(choices):
                for plus, minus in gate.margins(k, choice):
                    x = self.exactly(values, scales, gate, plus, minus)
                    first = plus < minus  # of equal ones the first is chosen; 0, at -1, stands before all
                    truth(x >= (not first), f"case {j}: {gate.name} is not as listed, at entry {max(plus, minus)}")
                    out += [(gate, plus, minus)] if not x else []
        return out


class Branches:
    """Choices of gates that are not listed, each where it leaves those listed: no input, near the start, makes them.

    What enters gates must be affine in the input. With the earlier choices, margins are rows (a, b): a x + b > 0. Where
    sum y_i a_i = 0 and sum y_i b_i = -e <= 0 with y_i > 0, there is no x. If that, with (0, 1) times e > 0, is the only
    relation of these rows at the start, and their generic rank is not larger, their rank is constant near it: the
    relation is continuous, so its terms stay positive. What ties for all parameters is positive nowhere; that of a ReLU
    needs one gate only.
    """

    def __init__(self, reading: Reading, cases: Cases, tied: dict[int, list[Margin]]) -> None:
        self.reading, self.cases, self.tied = reading, cases, {j: set(ties) for j, ties in tied.items()}
        self.places = [(name, i) for name in cases.inputs for i in range(len(cases.tables[name][0]))]
        self.kept: dict[tuple[int, Point], list[Any]] = {}
        self.tested = False  # whether a generic rank was found at random parameters

    def all(self) -> Iterator[tuple[int, list[Margin]]]:
        """A case that makes the choices before, and the margins of these and of the one that is not listed."""
        self.reading.whole.spend(20 * self.cases.count * sum(len(gate.slices) for gate in self.cases.gates))
        flat = [[(gate, k, c) for gate, choices in zip(self.cases.gates, chosen, strict=True)
                 for k, c in enumerate(choices)] for chosen in self.cases.choices]  # fmt: skip
        numbers: dict[tuple[int, int], int] = {}  # of a choice after others, all of which have a number
        listed = [[0] for _ in flat]
        for row, path in zip(flat, listed, strict=True):
            for *_, choice in row:
                path.append(numbers.setdefault((path[-1], choice), len(numbers) + 1))
        for j, (row, path) in enumerate(zip(flat, listed, strict=True)):
            margins = list[Margin]()
            for (gate, k, choice), before in zip(row, path, strict=False):
                for other in gate.options(k):
                    if (before, other) not in numbers:
                        numbers[before, other] = -1
                        yield j, margins + [(gate, *pair) for pair in gate.margins(k, other)]
                made = [(gate, *pair) for pair in gate.margins(k, choice)]
                margins += [margin for margin in made if margin not in self.tied.get(j, ())]

    def rows(self, j: int, margins: list[Margin]) -> list[list[int]]:
        """(a, b) of margins at the start, times positive numbers."""
        reading = self.reading
        found = self.at_frame(j, reading, partial(reading.at, j))
        return [affine([reading.exactly(values, scales, *m) for values, scales in found]) for m in margins]

    def at_frame(self, j: int, at: Point, values: Callable[[dict[str, Part]], Any]) -> list[Any]:
        """What a place computes for a case at the input 0 and the unit vectors: the last ones are kept."""
        if (j, at) not in self.kept:
            zero: dict[str, Part] = {name: {} for name in self.cases.inputs}
            self.kept = {key: found for key, found in self.kept.items() if key[0] == j}
            self.kept[j, at] = [values(x) for x in (zero, *(zero | {name: {i: 1}} for name, i in self.places))]
        return self.kept[j, at]

    def at_random(self, j: int, at: Sources, case: Any, frame: dict[str, Part]) -> list[Jet]:
        return at.values(case(j, at.p, frame), {})

    def excluded(self, j: int, margins: list[Margin], y: list[int], points: list[tuple[Sources, Any]]) -> bool:
        """Whether multipliers exclude a branch near the start."""
        rows, size = self.rows(j, margins), len(self.places)
        *sums, excess = [-sum(c * row[i] for c, row in zip(y, rows, strict=True)) for i in range(size + 1)]
        if not y or min(y) <= 0 or any(sums) or excess < 0:
            return False
        if not all(any(row) or gate.axis is None for row, (gate, *_) in zip(rows, margins, strict=True)):
            return False
        count = len(rows) + (excess > 0)
        if ranked(rows, excess > 0, points[0][0].p, self.reading.whole) != count - 1:  # no less than modulo a prime
            return False
        if count > size + 1:
            return True
        self.tested = True
        for at, case in points:
            found = self.at_frame(j, at, partial(self.at_random, j, at, case))
            rows = [affine([at.margin(values, *margin) for values in found]) for margin in margins]
            if ranked(rows, excess > 0, at.p, self.reading.whole) == count:
                return False
        return True


def affine(values: list[int]) -> list[int]:
    """(a, b) of a x + b from its values at 0 and the unit vectors."""
    return [*(x - values[0] for x in values[1:]), values[0]]


def ranked(rows: list[list[int]], constant: bool, p: int, allowance: Allowance) -> int:
    """The rank modulo p of rows, and of (0, 1) if ``constant``."""
    more = [[0] * (len(rows[0]) - 1) + [1]] * constant
    return eliminated([reduced(dict(enumerate(row)), p) for row in rows + more], p, allowance)


class Support(frozenset):  # type: ignore[type-arg]
    """Monomials, sorted tuples of entries of gates, that may occur in a number: nothing cancels."""

    def __add__(self, other: Any) -> Support:
        return Support(self | other)

    def __radd__(self, zero: int) -> Support:
        return self

    def __mul__(self, other: Any) -> Support:
        if len(self) * len(other) > MAX_MONOMIALS:
            raise TooMuch("the output has too many monomials in the gates")
        return Support(tuple(sorted(m + n)) for m in self for n in other)

    def __mod__(self, p: int) -> Support:
        return self


class Supports(Point):
    """The program with sets of monomials for numbers."""

    def constant(self, node: Node) -> Part:
        return {i: Support([()]) for i, c in node.constants.items() if c}  # type: ignore[misc]

    def monomials(self, cases: Cases) -> list[Monomial]:
        """In entries of gates, of all outputs."""
        one, shapes = Support([()]), self.program.seed.shapes
        seed: Any = {name: dict.fromkeys(range(prod(shapes[name])), one) for name in cases.inputs}
        seed |= {g.name: {i: Support([((g.name, i),)]) for i in range(prod(g.shape))} for g in cases.gates}
        found: Any = self.values(seed, {})[self.program.output].get(0, {})
        return sorted(Support().union(*found.values()))
