"""Values of gradients with analytic functions under a homomorphism, and arguments at which they are defined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.gradient import GradientFlow
from clexact.programs.characters import Characters, characters
from clexact.programs.defined import (
    ROUNDS,
    TRIALS,
    Change,
    Counts,
    anew,
    check_settled,
    may_be_undefined,
    moved,
    settle_field,
    slices,
    stages,
    undefined,
)
from clexact.programs.jets import Jet, Jets
from clexact.programs.patterns import Choices
from clexact.programs.places import Mask, Shape, raveled, unraveled
from clexact.programs.program import Gate
from clexact.programs.relevance import relevant
from clexact.programs.sparse_jets import ROWS, Part, SparseJet, SparseJets
from clexact.programs.sparse_true_jets import SparseTrueJets, run_marked
from clexact.programs.theorems import ROOT, has_angles
from clexact.programs.true_jets import TrueJets

UNLISTED = 10**18  # terms of what is no polynomial
CHOICES = 8  # at gates that are met before no others are expected: at many a choice units are closed
INPUTS, FEW = 2, 8  # that tell what inputs move; in small fields two are often equal: so many


class ResidueGradientFlow(GradientFlow):
    """Members of a model's gradient flow at points and seeds modulo m, and how these are settled."""

    analytic = True
    held: tuple[str, ...] = ()  # probes that take certain values together, as gates do

    def _degree_bound(self) -> int:
        return 1  # never asked for, nor is the next: no closure of analytic fields has an error that is known

    @property
    def norm_bound(self) -> int:
        return 1

    def kinds(self, depth: int) -> int:
        slices = 1 if self._relevant is None else self.program.shape[0]
        return slices * (CHOICES if self._gates else 1)

    @cached_property
    def expanded_size(self) -> int:
        return UNLISTED

    @cached_property
    def fields(self) -> VectorFields:
        names = ", ".join(self.model.program.functions)
        raise ValueError(f"the fields of {self.model.name} are no polynomials: it holds {names}.")

    def values(self, theta: Jet, seeds: Words, prime: int) -> Jet:
        found = self.values_in(TrueJets(self._characters(prime)), theta, seeds)
        return {mask: part % np.uint64(prime) for mask, part in found.items()}

    def _characters(self, prime: int) -> Characters:
        return characters(prime, self._angles)

    @cached_property
    def _angles(self) -> bool:
        return has_angles(self.program)

    def modulus(self, prime: int) -> int:
        return self._characters(prime).modulus

    @cached_property
    def _gates(self) -> list[tuple[int, Shape, Gate]]:
        """(place of the first entry in a row of seeds, shape, gate) of the probes that are gates."""
        of = {gate.probe: gate for gate in self.program.gates}
        first, shapes = self._probe_offsets, self.model.probes
        return [(first[name], shapes[name], of[name]) for name in shapes if name in of]

    def _with_gates(self, seeds: Words, choices: Choices, modulus: int) -> Words:
        """Seeds with true choices at gates, on or off and one of several: functions are not affine in them."""
        seeds = seeds.copy()
        for (first, shape, gate), on in zip(self._gates, choices, strict=True):
            off = linalg.residues(np.array(gate.slope, dtype=object), modulus)
            seeds[:, first : first + prod(shape)] = np.where(on, np.uint64(1), off).reshape(len(on), -1)
        return seeds

    # -- sparse -----------------------------------------------------------------------------------------------------

    def sparse_ring(self, prime: int, rows: int) -> SparseTrueJets:
        return SparseTrueJets(self._characters(prime), rows)

    def sparse_seeds(self, seeds: Part, draws: Draws, prime: int) -> Part:
        """Random values, for what depends on an input's size; gates that are met stay open, one choice of several."""
        modulus, count = self.modulus(prime), int(seeds.rows.max(initial=-1)) + 1
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

    def relevant_to(self, token: int) -> list[Mask]:
        """The entries of each node that matter to one slice of the output along its first axis."""
        outputs = np.zeros((1, *self.program.shape), dtype=bool)
        outputs[0, token] = True
        return [mark[0] for mark in relevant(self.program, outputs)]

    def seen_forward(
        self, theta: SparseJet, seeds: SparseJet, ring: SparseTrueJets, marks: Sequence[Mask]
    ) -> list[SparseJet]:
        """Values of all nodes, as far as they are marked; the ring says in which rows these are undefined."""
        return run_marked(self.program, ring, self.sparse_leaves(theta, seeds), marks)

    def seen_values(self, theta: SparseJet, seeds: SparseJet, ring: SparseTrueJets, marks: Sequence[Mask]) -> SparseJet:
        """As ``sparse_values``, of seeds whose covectors see what is marked alone, with a part that all rows share."""
        values = self.seen_forward(theta, seeds, ring, marks)
        return ring.read(self.sparse_gradients(values, seeds[ROWS], ring))

    def _of_nodes(self, nodes: Sequence[int], rows: int, ring: Jets, leaves: dict[str, Jet]) -> list[Words]:
        """The values of some nodes, in all rows."""
        found = self.program.run_some(ring, leaves, range(max(nodes) + 1))
        return [np.broadcast_to(found[n][0], (rows, *found[n][0].shape[1:])) for n in nodes]

    @property
    def covector_place(self) -> int:
        """The place of the first entry of covectors in a row of seeds."""
        return self._probe_size

    def probe_place(self, name: str) -> int:
        """The place of the first entry of a probe in a row of seeds."""
        return self._probe_offsets[name]

    @property
    def _all(self) -> Sequence[int]:
        return range(len(self.program.nodes))

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
        """Points drawn anew in parts, modulo m, until functions of these nodes that no input moves are defined.

        What no input moves is told field by field, from values at some inputs: where sines are 0 it may be more.
        """
        psi = self._characters(prime)
        inputs = super().draw_seeds(draws, 1, FEW if self._angles else INPUTS, theta[0], prime)[0]
        if not may_be_undefined(self.program, nodes):
            return theta
        fixed = self._unmoved(theta[:1], inputs, nodes, prime)
        if not self._angles:
            nodes = range(max((n + 1 for n in nodes if fixed[n].any()), default=0))

        def counts(which: Sequence[Mask] | None) -> Counts:
            def found(rows: Words, _: Ints) -> Ints:
                places = self._unmoved(rows, inputs, nodes, prime) if which is None else which
                return self._undefined(rows, inputs[:1], nodes, prime, places)

            return found

        everywhere = None if self._angles else fixed
        if counts(everywhere)(theta, np.arange(len(theta))).any():
            for k in reversed(range(len(psi.fields))):
                change = anew(psi, draws, [k])
                here, last = [places[k] for places in fixed], (slices(self.model.parameters), everywhere)
                groups = self._stages(theta[:1], inputs[:1], here, nodes, psi.fields[k], change, prime)
                for together, which in chain(groups, [last]):
                    check_settled(settle_field(counts(which), theta, together, draws, k, psi), self.model.name)
        return theta

    def _unmoved(self, theta: Words, inputs: Words, nodes: Sequence[int], prime: int) -> list[Mask]:
        """For each node (fields, rows, *places): at which of its arguments all these inputs have the same value."""
        ring, size = TrueJets(self._characters(prime)), len(inputs)
        leaves = self._leaves({0: np.repeat(theta, size, axis=0)}, np.tile(inputs, (len(theta), 1)))
        moves = moved(self.program, ring, leaves, nodes, ring.characters.fields, size)
        functions = [node.op == "function" for node in self.program.nodes]
        return [np.asarray(~move.any(axis=2) & own) for move, own in zip(moves, functions, strict=True)]

    def _stages(
        self,
        point: Words,
        inputs: Words,
        fixed: Sequence[Mask],
        nodes: Sequence[int],
        field: int,
        change: Change,
        prime: int,
    ) -> Iterator[tuple[list[Ints], Sequence[Mask]]]:
        """Slices, and where all is to be defined when they have been settled, roots stage by stage."""
        together, moves = slices(self.model.parameters), list[Mask]()
        roots = [n for n in nodes if fixed[n].any() and self.program.nodes[n].data == ROOT]
        for first in range(0, len(together) if roots else 0, TRIALS):
            part = together[first : first + TRIALS]
            rows = np.repeat(point, 1 + len(part), axis=0)
            for k, entries in enumerate(part, start=1):
                rows[k : k + 1, entries] = change(rows[k : k + 1, entries])
            ring = TrueJets(self._characters(prime))
            found = moved(self.program, ring, self._leaves({0: rows}, inputs), nodes, [field], len(rows))
            own = [np.broadcast_to(found[n][0, 0] & fixed[n], (len(rows), *fixed[n].shape[1:])) for n in roots]
            moves.append(np.concatenate([places[1:].reshape(len(part), -1) for places in own], axis=1))
        which, ends = [np.zeros_like(places) for places in fixed], np.cumsum([fixed[n].size for n in roots])[:-1]
        for which_move, group in stages(np.concatenate(moves)) if roots else ():
            for n, places in zip(roots, np.split(group, ends), strict=True):
                which[n] = which[n] | places.reshape(fixed[n].shape)
            yield [together[k] for k in which_move], which

    def _settled_seeds(
        self,
        theta: Words,
        seeds: Words,
        nodes: Sequence[int],
        draws: Draws,
        prime: int,
        choices: Choices,
        *,
        seen: bool = False,
    ) -> Words:
        """Seeds with probes drawn anew, modulo m, until these nodes are defined at their points.

        With ``seen``, each covector is made to see one slice of the output, and what does not matter to it may be
        undefined.
        """
        seeds = self._with_gates(seeds, choices, self.modulus(prime))
        marks = self._relevant if seen else None
        if marks is not None:
            kind = draws.residues((len(seeds),), 2**32).astype(np.int64) % self.program.shape[0]
            seeds = self._seeing(seeds, kind)
            marks = [mark[kind] for mark in marks]
        check_settled(self._settle_seeds(theta, seeds, nodes, draws, prime, marks), self.model.name)
        return seeds

    def _settle_seeds(
        self,
        theta: Words,
        seeds: Words,
        nodes: Sequence[int],
        draws: Draws,
        prime: int,
        marks: Sequence[Mask] | None = None,
        rounds: int = ROUNDS,
    ) -> Mask:
        """Draw probes anew, in place, until these nodes are defined, as far as they are marked; which rows are not."""

        def counts(rows: Words, which: Ints) -> Ints:
            relevant = None if marks is None else [mark[which] for mark in marks]
            return self._undefined(theta if len(theta) == 1 else theta[which], rows, nodes, prime, relevant)

        together = slices(self.model.probes, left_out=[*self.held, *(gate.probe for _, _, gate in self._gates)])
        psi, left = self._characters(prime), np.zeros(len(seeds), dtype=bool)
        if not may_be_undefined(self.program, nodes):
            return left
        if not together:  # nothing to draw: what is undefined at these points stays so
            return np.asarray(counts(seeds, np.arange(len(seeds))).any(axis=1))
        for k in reversed(range(len(psi.fields))):
            left |= settle_field(counts, seeds, together, draws, k, psi, rounds)
            if rounds == ROUNDS and left.any():
                break
        return left

    def _seeing(self, seeds: Words, kind: Ints) -> Words:
        """Seeds whose covectors are zero but on the slice of the output of this number."""
        first, slices = self._probe_size, self.program.shape[0]
        covector = seeds[:, first:].reshape(len(seeds), slices, prod(self.program.shape[1:]))
        kept = np.where((np.arange(slices) == kind[:, None])[:, :, None], covector, np.uint64(0))
        return np.concatenate([seeds[:, :first], kept.reshape(len(seeds), -1)], axis=1)

    def _undefined(
        self, theta: Words, seeds: Words, nodes: Sequence[int], prime: int, relevant: Sequence[Mask] | None = None
    ) -> Ints:
        ring = TrueJets(self._characters(prime))
        found = undefined(self.program, ring, self._leaves({0: theta}, seeds), nodes, relevant)
        return np.broadcast_to(found, (max(len(theta), len(seeds)), found.shape[1]))
