"""The gradient flow of a model with analytic functions: its members have exact residues, where they are defined."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.gradient import GradientFlow, Loss
from clexact.programs.characters import characters, draw_prime
from clexact.programs.defined import Counts, anew, settled, slices, undefined
from clexact.programs.exponents import check_exponents
from clexact.programs.independence import check_roots
from clexact.programs.jets import Jet
from clexact.programs.model import Model
from clexact.programs.places import Mask, Shape, raveled, unraveled
from clexact.programs.program import Gate
from clexact.programs.relevance import relevant
from clexact.programs.sparse_jets import Part, SparseJet, SparseJets
from clexact.programs.sparse_true_jets import SparseTrueJets
from clexact.programs.theorems import foundations, nested
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import RANK_BITS, UndefinedError

UNLISTED = 10**18  # terms of what is no polynomial


class AnalyticGradientFlow(GradientFlow):
    r"""As ``GradientFlow``: $\psi(\nabla_\theta\langle C, g\rangle)$, read modulo p (``programs/characters.py``)."""

    analytic = True

    def __init__(self, model: Model, loss: Loss = "full") -> None:
        super().__init__(model, loss)
        self.assumptions = (*self.assumptions, *foundations(self.program))

    def _degree_bound(self) -> int:
        return 1  # never asked for, nor is the next: no closure of analytic fields has an error that is known

    @property
    def norm_bound(self) -> int:
        return 1

    @property
    def kinds(self) -> int:
        return 1 if self._relevant is None else self.program.shape[0]

    @cached_property
    def expanded_size(self) -> int:
        return UNLISTED

    @cached_property
    def fields(self) -> VectorFields:
        names = ", ".join(self.model.program.functions)
        raise ValueError(f"the fields of {self.model.name} are no polynomials: it holds {names}.")

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        found = self.values_in(TrueJets(characters(prime)), theta, seeds)
        return {mask: part % np.uint64(prime) for mask, part in found.items()}

    # -- sparse -----------------------------------------------------------------------------------------------------

    def sparse_ring(self, prime: int, rows: int) -> SparseJets:
        return SparseTrueJets(characters(prime), rows)

    def sparse_seeds(self, seeds: Part, draws: Draws, prime: int) -> Part:
        """Random values, for what depends on an input's size; gates that are met stay open, one choice of several."""
        modulus, count = characters(prime).modulus, int(seeds.rows.max(initial=-1)) + 1
        value = 1 + draws.residues(seeds.value.shape, prime - 1)
        kept, more = np.ones(len(value), dtype=bool), list[Part]()
        for first, shape, gate in self._gates:
            here = np.flatnonzero((seeds.place >= first) & (seeds.place < first + prod(shape)))
            value[here] = 1
            if gate.axis is not None:
                at = unraveled(seeds.place[here] - first, shape)
                at[gate.axis] = 0 * at[gate.axis]
                group = seeds.rows[here] * prod(shape) + raveled(at, shape, len(here))
                kept[np.delete(here, np.unique(group, return_index=True)[1])] = False
            elif gate.slope:
                kept[here] = False
                gates = np.full((count, prod(shape)), linalg.residues(np.array(gate.slope, dtype=object), modulus))
                gates[seeds.rows[here], seeds.place[here] - first] = 1
                row, place = (x.ravel() for x in np.indices(gates.shape))
                more.append(Part(seeds.shape, row, first + place, gates.ravel()))
        parts = [Part(seeds.shape, seeds.rows[kept], seeds.place[kept], value[kept]), *more]
        row, place, value = (np.concatenate([getattr(part, x) for part in parts]) for x in ("row", "place", "value"))
        return Part(seeds.shape, row, place, value)

    def sparse_values(self, theta: SparseJet, seeds: Part, ring: SparseJets) -> SparseJet:
        assert isinstance(ring, SparseTrueJets)
        return ring.read(super().sparse_values(theta, seeds, ring))

    # -- what is drawn ----------------------------------------------------------------------------------------------

    def draw_prime(self, draws: Draws, bits: int) -> int:
        if self._unproved:
            raise UndefinedError(self._unproved)
        return draw_prime(draws, bits - self._nested, self.denominator)

    @cached_property
    def _gates(self) -> list[tuple[int, Shape, Gate]]:
        """(place of the first entry in a row of seeds, shape, gate) of the probes that are gates."""
        of = {gate.probe: gate for gate in self.program.gates}
        first, shapes = self._probe_offsets, self.model.probes
        return [(first[name], shapes[name], of[name]) for name in shapes if name in of]

    def _with_gates(self, seeds: Words, draws: Draws, prime: int) -> Words:
        """Seeds with true choices at gates, on or off and one of several: functions are not affine in them."""
        seeds = seeds.copy()
        for first, shape, gate in self._gates:
            if gate.axis is None:
                off = linalg.residues(np.array(gate.slope, dtype=object), characters(prime).modulus)
                on = draws.residues((len(seeds), *shape), 2) == 1
                chosen = np.where(on, np.uint64(1), off)
            else:
                winner = draws.residues((len(seeds), *shape), 2**32).argmax(axis=gate.axis + 1)
                chosen = np.zeros((len(seeds), *shape), dtype=np.uint64)
                np.put_along_axis(chosen, np.expand_dims(winner, gate.axis + 1), np.uint64(1), axis=gate.axis + 1)
            seeds[:, first : first + prod(shape)] = chosen.reshape(len(seeds), -1)
        return seeds

    def modulus(self, prime: int) -> int:
        return characters(prime).modulus

    def draw_point(self, draws: Draws, prime: int) -> Words:
        point = super().draw_point(draws, prime)[None]
        inputs = super().draw_seeds(draws, 1, 2, point[0], prime)[0]

        def counts(rows: Words, _: Ints) -> Ints:
            theta, seeds = np.repeat(rows, 2, axis=0), np.tile(inputs, (len(rows), 1))
            ring = TrueJets(characters(prime))
            found = undefined(self.program, ring, self._leaves({0: theta}, seeds), self._all, None, pairs=True)
            return np.broadcast_to(found, (len(theta), found.shape[1]))[::2]

        settled_point: Words = self._settled(counts, point, draws, prime)[0]
        return settled_point

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        seeds = super().draw_seeds(draws, levels, count, point, prime)
        rows = seeds.reshape(levels * count, self.seed_size)
        return self._settled_seeds(point[None], rows, self._all, draws, prime, seen=True).reshape(seeds.shape)

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = super().draw_samples(draws, count, prime)
        theta = self._settled_points(theta, self._free, draws, prime)
        return theta, self._settled_seeds(theta, seeds, self._all, draws, prime, seen=True)

    @cached_property
    def _nested(self) -> bool:
        """Whether exponentials stand above functions that are constant modulo q unless there is a third field."""
        return nested(self.program)

    @cached_property
    def _unproved(self) -> str:
        """What is not shown of roots and of softplus, in words; empty where all is."""
        try:
            self.mixed_roots = check_roots(self.program, self._values_of, self.model.name, self.denominator)
            self._check_exponents()
        except UndefinedError as error:
            return str(error)
        return ""

    def _check_exponents(self) -> None:
        draws = Draws(1, self.program.digest)
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator)

        def members(rows: int) -> dict[str, Jet]:
            theta, seeds = super(AnalyticGradientFlow, self).draw_samples(draws, rows, prime)
            theta = self._settled_points(theta, self._free, draws, prime)
            return self._leaves({0: theta}, self._settled_seeds(theta, seeds, self._all, draws, prime))

        check_exponents(self.program, members, characters(prime), draws, self.model.name)

    def _values_of(self, nodes: Sequence[int], rows: int, one_point: bool, draws: Draws, prime: int) -> list[Words]:
        """Values modulo p of nodes at random arguments at which all nodes up to them are defined."""
        last = max(nodes) + 1
        theta, seeds = super().draw_samples(draws, rows, prime)
        before = self._free if one_point else [k for k in self._free if k < last]
        theta = self._settled_points(theta[:1] if one_point else theta, before, draws, prime)
        seeds = self._settled_seeds(theta, seeds, range(last), draws, prime)
        ring = TrueJets(characters(prime))
        found = self.program.run_some(ring, self._leaves({0: theta}, seeds), range(last))
        return [np.broadcast_to(found[n][0] % np.uint64(prime), (rows, *found[n][0].shape[1:])) for n in nodes]

    @property
    def _all(self) -> Sequence[int]:
        return range(len(self.program.nodes))

    @cached_property
    def _free(self) -> list[int]:
        """The nodes that depend on no probe."""
        return [n for n, free in enumerate(self.program.independent_of("probe")) if free]

    @cached_property
    def _relevant(self) -> list[Mask] | None:
        """For covectors on one slice of the output along its first axis each: the entries of nodes that matter to them.

        None where there are no roots, which alone make it worth the while, or no such slices.
        """
        shape = self.program.shape
        if "rsqrt" not in self.program.functions or len(shape) < 2 or shape[0] == 1:
            return None
        outputs = np.zeros((shape[0], *shape), dtype=bool)
        outputs[np.arange(shape[0]), np.arange(shape[0])] = True
        return relevant(self.program, outputs)

    def _settled_points(self, theta: Words, nodes: Sequence[int], draws: Draws, prime: int) -> Words:
        """Points with coordinates drawn anew until these nodes, of no probe, are defined."""

        def counts(rows: Words, _: Ints) -> Ints:
            return self._undefined(rows, np.zeros((1, self.seed_size), dtype=np.uint64), nodes, prime)

        return self._settled(counts, theta, draws, prime)

    def _settled(self, counts: Counts, theta: Words, draws: Draws, prime: int) -> Words:
        def change(rows: Words) -> Words:
            return draws.residues(rows.shape, prime)

        fields = range(len(characters(prime).fields))
        return settled(counts, theta, slices(self.model.parameters), draws, fields, change, self.model.name)

    def _settled_seeds(
        self, theta: Words, seeds: Words, nodes: Sequence[int], draws: Draws, prime: int, *, seen: bool = False
    ) -> Words:
        """Seeds with probes drawn anew, modulo m, until these nodes are defined at their points.

        With ``seen``, each covector is made to see one slice of the output, and what does not matter to it may be
        undefined.
        """
        seeds = self._with_gates(seeds, draws, prime)
        marks = self._relevant if seen else None
        if marks is not None:
            kind = draws.residues((len(seeds),), 2**32).astype(np.int64) % self.program.shape[0]
            seeds = self._seeing(seeds, kind)

        def counts(rows: Words, which: Ints) -> Ints:
            relevant = None if marks is None else [mark[kind[which]] for mark in marks]
            return self._undefined(theta if len(theta) == 1 else theta[which], rows, nodes, prime, relevant)

        gates = [gate.probe for _, _, gate in self._gates]
        together = slices(self.model.probes, left_out=gates)
        for field in reversed(range(len(characters(prime).fields))) if together else ():
            change = anew(characters(prime), draws, field)
            seeds = settled(counts, seeds, together, draws, [field], change, self.model.name)
        return seeds

    def _seeing(self, seeds: Words, kind: Ints) -> Words:
        """Seeds whose covectors are zero but on the slice of the output of this number."""
        first, slices = self._probe_size, self.program.shape[0]
        covector = seeds[:, first:].reshape(len(seeds), slices, prod(self.program.shape[1:]))
        kept = np.where((np.arange(slices) == kind[:, None])[:, :, None], covector, np.uint64(0))
        return np.concatenate([seeds[:, :first], kept.reshape(len(seeds), -1)], axis=1)

    def _undefined(
        self, theta: Words, seeds: Words, nodes: Sequence[int], prime: int, relevant: Sequence[Mask] | None = None
    ) -> Ints:
        found = undefined(self.program, TrueJets(characters(prime)), self._leaves({0: theta}, seeds), nodes, relevant)
        return np.broadcast_to(found, (max(len(theta), len(seeds)), found.shape[1]))


def of_model(model: Model, loss: Loss = "full") -> GradientFlow:
    """The gradient flow of a model, as its functions need it."""
    return AnalyticGradientFlow(model, loss) if model.program.functions else GradientFlow(model, loss)
