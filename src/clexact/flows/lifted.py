"""Phase spaces: gradients times a diagonal metric, lifted into some of the coordinates, beside a drift no data change.

Multiplying a field by a function without zeros changes neither its laws nor the trace of the Lie algebra, so
denominators are cleared. Nothing is expanded to evaluate a member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints, Terms, concatenate, monomials_of_degree, sum_of_products
from clexact.flows.flow import FieldsFlow, Flow
from clexact.flows.phase import Phase
from clexact.programs.jets import Jet, Jets
from clexact.support.digest import digest
from clexact.symmetry.families import Family, in_order
from clexact.symmetry.phases import PhaseNames

if TYPE_CHECKING:
    from clexact.flows.gradient import GradientFlow


@dataclass(frozen=True)
class DiagonalMetric:
    """The diagonal of a metric, without denominators: c clock^k times the true one, (c, k) being ``cleared``."""

    terms: Terms
    cleared: tuple[int, int] = (1, 0)


class LiftedFlow(Flow):
    """Gradients of ``base`` times a diagonal metric, lifted to a phase space, and its drift; see the module's text.

    A member is c * drift + a lifted gradient, named by (c, seeds of the gradient). ``laws`` makes laws of the base's.
    ``recipe`` is None for what cannot be rebuilt from a description.
    """

    lifted = True

    def __init__(
        self,
        base: Flow,
        phase: Phase,
        metric: DiagonalMetric | None,
        laws: Callable[[Flow], Iterable[Family]],
        description: str,
        recipe: Mapping[str, object] | None,
    ) -> None:
        self.base, self.phase, self._rule = base, phase, laws
        self.variables, self.analytic, self.denominator = phase.variables, base.analytic, base.denominator
        self.description, self.assumptions, self.scope = description, base.assumptions, base.scope
        self.whole = base.whole
        self.recipe = {**base.recipe, **recipe} if base.recipe and recipe is not None else {}
        self._metric, self._recipe = metric, recipe
        if (clock := phase.clock) is not None:
            self.clocks, self.some_powers = phase.variables[:1], clock.some_powers
            self.exponentials = {} if clock.rate is None else {phase.variables[0]: clock.rate}
        self.seed_size, self.work, self.degree = base.seed_size, base.work, base.degree
        if metric is not None:
            self.metric, self.cleared = metric.terms, metric.cleared
            self.work += 3 * len(metric.terms)
            self.degree += int(metric.terms.degrees().max(initial=0))
        self._drift = None if phase.drift is None else FieldsFlow(phase.drift)
        if self._drift is not None:
            self.seed_size, self.work = self.seed_size + 1, self.work + self._drift.work
            self.degree = max(self.degree, self._drift.degree)

        if base.start is not None:
            self.start = replace(base.start, free=self.over(base.start.free))

    def over(self, base: Flow) -> LiftedFlow:
        """The same flow of other gradients."""
        return LiftedFlow(base, self.phase, self._metric, self._rule, self.description, self._recipe)

    @cached_property
    def norm_bound(self) -> int:
        """That of the gradients times the metric, and of the drift."""
        factor = 1 if self.metric is None else max(1, sum(abs(c) for c in self.metric.coef.tolist()))
        return self.base.norm_bound * factor + (self._drift.norm_bound if self._drift else 0)

    @cached_property
    def digest(self) -> bytes:
        phase, metric = self.phase, [] if self.metric is None else self.metric.arrays
        clock, drift = None if phase.clock is None else 0, b"" if self._drift is None else self._drift.digest
        return digest(self.base.digest, phase.count, clock, phase.velocities, drift, *metric)

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        kick = self.base.values(self._positions(theta), self._of_base(seeds), prime)
        return self._lifted(kick, {mask: part % np.uint64(prime) for mask, part in theta.items()}, seeds, Jets(prime))

    def values_in(self, ring: Jets, theta: Jet, seeds: Words) -> Jet:
        kick = self.base.values_in(ring, self._positions(theta), self._of_base(seeds))
        return self._lifted(kick, theta, seeds, ring)

    def kinds(self, depth: int) -> int:
        return self.base.kinds(depth)

    def draw_prime(self, draws: Draws, bits: int) -> int:
        return self.base.draw_prime(draws, bits) if self.analytic else super().draw_prime(draws, bits)

    def modulus(self, prime: int) -> int:
        return self.base.modulus(prime)

    def draw_point(self, draws: Draws, prime: int) -> Words:
        point = super().draw_point(draws, prime)
        if self.analytic:
            first = self.phase.positions
            point[first : first + self.phase.count] = self.base.draw_point(draws, prime)
        return point

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = super().draw_samples(draws, count, prime)
        if not self.base.uniform_seeds:
            first, drift = self.phase.positions, int(self._drift is not None)
            theta[:, first : first + self.phase.count], seeds[:, drift:] = self.base.draw_samples(draws, count, prime)
        return theta, seeds

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        if self.base.uniform_seeds:
            return super().draw_seeds(draws, levels, count, point, prime)
        found = self.base.draw_seeds(draws, levels, count, self._positions({0: point[None]})[0][0], prime)
        drift = draws.residues((levels, count, int(self._drift is not None)), prime)
        return np.concatenate([drift, found], axis=2)

    def spanning_seeds(self, draws: Draws, prime: int) -> Words:
        found = self.base.spanning_seeds(draws, prime)
        return np.concatenate([draws.residues((len(found), int(self._drift is not None)), prime), found], axis=1)

    @property
    def uniform_cost(self) -> int:
        return self.base.uniform_cost

    def _positions(self, theta: Jet) -> Jet:
        first = self.phase.positions
        return {mask: part[:, first : first + self.phase.count] for mask, part in theta.items()}

    def _of_base(self, seeds: Words) -> Words:
        """The seeds of the gradients: all but the drift's."""
        return seeds[:, int(self._drift is not None) :]

    def _lifted(self, kick: Jet, theta: Jet, seeds: Words, ring: Jets) -> Jet:
        """Gradients times the metric, in their place of the phase space, and the drift."""
        phase = self.phase
        if self.metric is not None:
            kick = ring.multiply(kick, ring.polynomials(self.metric, theta, phase.count))
        lifted: Jet = {}
        for mask, part in kick.items():
            lifted[mask] = np.zeros((len(seeds), self.dimension), dtype=np.uint64)
            lifted[mask][:, phase.gradient_offset : phase.gradient_offset + phase.count] = part
        return ring.add(lifted, self._drift.values_in(ring, theta, seeds[:, :1])) if self._drift else lifted

    @cached_property
    def fields(self) -> VectorFields:
        """The drift, if there is one, and the lifted gradients."""
        base, phase, D = self.base.fields, self.phase, self.dimension
        field, component = np.divmod(base.terms.owner, max(1, phase.count))
        moved = base.terms.shifted(phase.positions)
        if self.metric is None:
            lifted = moved.owned_by(field * D + phase.gradient_offset + component).canonical()
        else:
            entries = np.unique(moved.owner)
            field, component = np.divmod(entries, max(1, phase.count))
            out = field * D + phase.gradient_offset + component
            size = len(base) * phase.count
            lifted = sum_of_products(moved.canonical(), self.metric, size, phase.count, entries, component, out)
        parts, denominators = [lifted], list(base.denominators)
        if phase.drift is not None:
            parts = [phase.drift.terms, lifted.owned_by(lifted.owner + D)]
            denominators = [1, *denominators]
        return VectorFields._from_checked(self.variables, concatenate(parts).canonical(), denominators)

    @property
    def expanded_size(self) -> int:
        """Terms of the gradients times the most terms of an entry of the metric, and those of the drift."""
        most = 1 if self.metric is None else int(np.bincount(self.metric.owner).max(initial=0))
        return self.base.expanded_size * most + (len(self.phase.drift.terms) if self.phase.drift else 0)

    @property
    def field_count(self) -> int | None:
        count = self.base.field_count
        return None if count is None else count + (self._drift is not None)

    @property
    def left_out(self) -> str:
        return self.base.left_out

    @cached_property
    def families(self) -> tuple[Family, ...]:
        if self.gradients is None:
            return ()
        layout, phase = tuple(self.gradients.model.parameters.items()), None
        if self.phase.clock is not None:
            name, velocities = self.phase.variables[0], self.phase.velocity_names
            phase = PhaseNames(name, self.phase.clock.rate, velocities)
            moving = zip(velocities, (shape for _, shape in layout), strict=False)
            layout = ((name, ()), *layout, *moving)
        found = in_order(self._rule(self.base), layout)
        return tuple(replace(family, layout=layout, phase=phase) for family in found)

    @property
    def gradients(self) -> GradientFlow | None:
        return self.base.gradients

    @property
    def bracketed_gradients(self) -> GradientFlow | None:
        plain = self.metric is None and self.phase.drift is not None
        return self.base.plain_gradients if plain else None

    def law_degrees(self, terms: Terms) -> Ints:
        if self.phase.clock is None:
            return terms.degrees()
        power = np.where(terms.var == 0, 0, terms.power)
        total = np.concatenate([[0], np.cumsum(power, dtype=np.int64)])
        return np.asarray(total[terms.start[1:]] - total[terms.start[:-1]])

    def monomials(self, degrees: Sequence[int]) -> Terms:
        blocks = [block for n in degrees for block in self._blocks(n)]
        return concatenate([self._block(*block) for block in blocks]).owned_by(0)

    def monomial_count(self, degrees: Sequence[int]) -> int:
        D = self.phase.count
        return sum(_choices(D, b) * _choices(D, c) for n in degrees for _, b, c in self._blocks(n))

    def _blocks(self, degree: int) -> Iterable[tuple[int, int, int]]:
        """(power of the clock, number of velocities, number of positions) of the monomials of a degree."""
        most, clock = 0 if self.phase.velocities is None else degree, self.phase.clock
        powers = [{0} if clock is None else set(clock.powers(b, degree - b)) for b in range(most + 1)]
        return [(a, b, degree - b) for b in range(most + 1) for a in sorted(powers[b])]

    def _block(self, a: int, b: int, c: int) -> Terms:
        """clock^a times all products of b velocities and c positions."""
        factors = [(self.phase.positions, c), (self.phase.velocities or 0, b)]
        total = monomials_of_degree(1, 0) if self.phase.clock is None else monomials_of_degree(1, a)
        for first, k in factors:
            other = monomials_of_degree(self.phase.count, k).shifted(first)
            pairs = np.indices((len(total), len(other))).reshape(2, -1)
            total = total.times(other, pairs[0], pairs[1])
        return total


def _choices(variables: int, degree: int) -> int:
    return comb(variables + degree - 1, degree)
