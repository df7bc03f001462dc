r"""What holds of the gates for all parameters near a start: shown by structure, else at random parameters mod primes.

Inequalities that hold at a start hold near it. That a choice of gates is met by no input may fail near it: rows $r_j =
(a_j, b_j)$ that vary with $\theta$ have a relation $\sum y_j r_j = 0$, y > 0, at the start. Where it is the only one
there, and the generic rank of these rows is one less than their number too, their rank is constant near the start, the
relation is continuous, and stays positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from math import ceil, factorial, lcm

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import flint_rank, residues
from clexact.algebra.polynomial import Number
from clexact.programs.algebras import Degrees
from clexact.programs.jets import Jet, Jets
from clexact.programs.network import Gates, Network
from clexact.programs.program import LEAVES
from clexact.programs.reverse import Exact
from clexact.programs.sources import NOTHING, Absolute, Margin, Stages, affine_row, flat, frame, key, stacked
from clexact.support.errors import CLOSURE_BITS, MAX_ERROR, unlucky_primes

MAX_TESTS = 2**24  # that an error counts, whatever their outcomes

Point = tuple[int, dict[str, Jet]]  # a prime, and leaves that are random modulo it


class Nearby:
    """A network at unknown parameters near a start, with gates held.

    ``affine``: what enters the gates is affine in the input, so that its rows are known. ``given``: the numbers of the
    one input that is asked about, in place of all.
    """

    def __init__(
        self, network: Network, stages: Stages, draws: Draws, affine: bool, given: Sequence[Number] | None = None
    ) -> None:
        self._network, self._stages, self._draws = network, stages, draws
        self._size, self._given = network.input_size, given
        self._frame = frame(self._size) if affine else []
        self._random = False  # whether anything was shown at random parameters
        self._tests = 0
        self._structures: tuple[object, list[Exact]] = ((), [])  # the last ones, and what they are of
        self._residues: tuple[object, list[list[Exact]]] = ((), [])

    @property
    def error(self) -> Fraction:
        """The chance, at most, that anything was shown wrongly: 0, or at most 2^-100."""
        return MAX_TESTS * self._per_point ** len(self._points) if self._random else Fraction(0)

    def vanishes(self, gates: Gates, margin: Margin) -> bool:
        """Whether a margin, with the earlier gates held, is zero for all parameters and inputs, or for that given."""
        if not self._absolute(gates, margin)[-1]:
            return True
        if self._tests == MAX_TESTS:
            return False
        self._tests += 1
        zero = all(not margin.of(point[margin.gate])[-1] % p for p, point in self._at_points(gates, margin.gate))
        self._random |= zero
        return zero

    def lasts(self, gates: Gates, margins: Sequence[Margin], constant: bool) -> bool:
        """Whether the only relation of the rows of margins, and of (0, 1) if ``constant``, has positive terms nearby.

        It has them at the start. The rows must be too few for the columns that they may have, or have a generic rank
        below their number.
        """
        count = len(margins) + constant
        if count > self._size + 1 or self._columns(gates, margins, constant) < count:
            return True
        if self._tests == MAX_TESTS:
            return False
        self._tests += 1
        last = max(margin.gate for margin in margins)
        unit: list[list[Number]] = [[*[0] * self._size, 1]] if constant else []
        for prime, values in self._at_points(gates, last):
            rows = [affine_row(margin.of(values[margin.gate])[:-1].tolist()) for margin in margins]
            if flint_rank([[int(c) % prime for c in row] for row in [*rows, *unit]], prime) == count:
                return False
        self._random = True
        return True

    def _columns(self, gates: Gates, margins: Sequence[Margin], constant: bool) -> int:
        """How many columns of the rows do not vanish for all parameters, as far as the structure shows."""
        found = np.zeros(self._size + 1, dtype=bool)
        found[-1] = constant
        for margin in margins:
            row = affine_row(self._absolute(gates, margin)[:-1].tolist())
            found |= np.array([c != 0 for c in row], dtype=bool)
        return int(found.sum())

    def _absolute(self, gates: Gates, margin: Margin) -> Exact:
        """Sums of the absolute coefficients of a margin: at the inputs of a frame, and with all entries 1."""
        values = self._structure(gates, margin.gate)[margin.gate]
        both = [values[:, entry] for entry in margin[1:] if entry != NOTHING]
        return np.asarray(sum(both))

    def _structure(self, gates: Gates, stage: int) -> list[Exact]:
        """What enters the gates up to a stage, nothing cancelling, parameters being 1."""
        held = {gate.probe: gates[gate.probe] for gate in self._stages.gates[:stage]}
        about = (stage, key(held.values()))
        if self._structures[0] != about:
            self._structures = (about, self._run_absolute(stage, held))
        return self._structures[1]

    def _run_absolute(self, stage: int, gates: Gates) -> list[Exact]:
        ones: list[Number] = [1] * self._size
        if self._given is not None:
            ones = [c if c >= 0 else -c for c in self._given]
        inputs = [*self._frame, ones]
        leaves = {name: np.ones((1, *shape), dtype=object) for name, shape in self._parameters.items()}
        leaves |= stacked(self._network, inputs) | {name: np.abs(gate[None]) for name, gate in gates.items()}
        values = self._stages.run_until(Absolute(), stage, leaves)
        return [flat(values[gate.source], len(inputs)) for gate in self._stages.gates[: stage + 1]]

    # --- random parameters ------------------------------------------------------------------------------------------

    @cached_property
    def _parameters(self) -> dict[str, tuple[int, ...]]:
        program = self._network.program
        return {node.data: node.shape for node in program.nodes if node.op == "parameter"}

    @cached_property
    def _points(self) -> list[Point]:
        """As many as make the error of all tests at most 2^-100."""
        total, points = Fraction(MAX_TESTS), list[Point]()
        while total > MAX_ERROR:
            points.append(self._draw_point())
            total *= self._per_point
        return points

    def _draw_point(self) -> Point:
        prime = self._draws.prime(CLOSURE_BITS, avoiding=self._denominator)
        leaves: dict[str, Jet] = {
            name: {0: self._draws.residues((1, *shape), prime)} for name, shape in self._parameters.items()
        }
        drawn = [int(c) for c in self._draws.residues((self._size,), prime)]
        last: Sequence[Number] = drawn if self._given is None else self._given
        inputs = stacked(self._network, [*self._frame, last])
        return prime, leaves | {name: {0: residues(array, prime)} for name, array in inputs.items()}

    def _at_points(self, gates: Gates, stage: int) -> list[tuple[int, list[Exact]]]:
        """For each random point its prime, and what enters the gates up to a stage, as Python integers."""
        held = {gate.probe: gates[gate.probe] for gate in self._stages.gates[:stage]}
        about = (stage, key(held.values()))
        if self._residues[0] != about:
            self._residues = (about, [self._run_point(point, stage, held) for point in self._points])
        return [(prime, values) for (prime, _), values in zip(self._points, self._residues[1], strict=True)]

    def _run_point(self, point: Point, stage: int, gates: Gates) -> list[Exact]:
        prime, leaves = point
        held = {name: {0: residues(gate, prime)[None]} for name, gate in gates.items()}
        values = self._stages.run_until(Jets(prime), stage, leaves | held)
        sources = [values[gate.source][0].astype(object) for gate in self._stages.gates[: stage + 1]]
        return [flat(source, len(self._frame) + 1) for source in sources]

    @cached_property
    def _denominator(self) -> int:
        """What clears the denominators of the constants and the slopes."""
        constants = [
            c for node in self._network.program.nodes if node.op == "constant" for c in node.data.ravel().tolist()
        ]
        slopes = [gate.slope for gate in self._stages.gates]
        return lcm(*(Fraction(c).denominator for c in [*constants, *slopes, *(self._given or ())]))

    @cached_property
    def _per_point(self) -> Fraction:
        """The chance, at most, that a random point mod a random prime shows what does not hold.

        A minor of the rows of a relation, or a margin, is then a nonzero polynomial over Z in the parameters (and the
        input) that vanishes there: as in ``lie.closure.closure_error``.
        """
        nodes = self._network.program.nodes
        last, ones = len(self._stages.gates) - 1, dict.fromkeys((node.data for node in nodes if node.op in LEAVES), 1)
        degrees = self._stages.run_until(Degrees(of_constant=1), last, ones)
        open_gates = {
            gate.probe: np.full(self._stages.shape(gate), max(1, abs(Fraction(gate.slope))))
            for gate in self._stages.gates
        }
        values = self._run_absolute(last, open_gates)
        degree = max(degrees[gate.source] for gate in self._stages.gates)
        norm = 2 * ceil(max(each[-1].max() for each in values)) * self._denominator**degree
        count = self._size + 2
        bits = count * norm.bit_length() + factorial(count).bit_length()
        return Fraction(count * degree, 2 ** (CLOSURE_BITS - 1)) + unlucky_primes(bits)
