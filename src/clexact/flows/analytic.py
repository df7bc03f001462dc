"""The gradient flow of a model with analytic functions: its members have exact residues, where they are defined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.gradient import GradientFlow, Loss
from clexact.programs.characters import Characters, characters, draw_prime
from clexact.programs.defined import (
    TRIALS,
    Change,
    Counts,
    anew,
    may_be_undefined,
    moved,
    settled_field,
    slices,
    stages,
    undefined,
)
from clexact.programs.exponents import check_exponents, logarithms_in_exponents
from clexact.programs.independence import check_roots
from clexact.programs.jets import Jet, Jets
from clexact.programs.logarithms import check_logarithms
from clexact.programs.model import Model
from clexact.programs.opaque import OpaqueJets
from clexact.programs.places import Mask, Shape, raveled, unraveled
from clexact.programs.program import Gate
from clexact.programs.relevance import relevant
from clexact.programs.sparse_jets import Part, SparseJet, SparseJets
from clexact.programs.sparse_true_jets import SparseTrueJets
from clexact.programs.theorems import ROOT, foundations, has_angles, nested
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import CLOSURE_BITS, RANK_BITS, UndefinedError

UNLISTED = 10**18  # terms of what is no polynomial
PATTERNS = 24  # choices at gates that are tried where each must be shown to suit logarithms
PATTERNS_TOGETHER = 8  # and where all are compared
INPUTS, FEW = 2, 8  # that tell what inputs move; in small fields two are often equal: so many

Choices = list[Mask]  # for each gate, (rows, *shape): whether it is open


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
        found = self.values_in(TrueJets(self._characters(prime)), theta, seeds)
        return {mask: part % np.uint64(prime) for mask, part in found.items()}

    # -- sparse -----------------------------------------------------------------------------------------------------

    def sparse_ring(self, prime: int, rows: int) -> SparseJets:
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

    # -- what is drawn ----------------------------------------------------------------------------------------------

    def draw_prime(self, draws: Draws, bits: int) -> int:
        if self._unproved:
            raise UndefinedError(self._unproved)
        return draw_prime(draws, bits - self._nested, self.denominator, self._angles)

    def _characters(self, prime: int) -> Characters:
        return characters(prime, self._angles)

    @cached_property
    def _angles(self) -> bool:
        return has_angles(self.program)

    @property
    def chosen_gates(self) -> bool:  # type: ignore[override]
        """Whether gates must be some of those at which logarithms are shown to be independent."""
        return bool(self._gates) and self._logarithms

    @cached_property
    def _logarithms(self) -> bool:
        """Whether something has to be shown of logarithms."""
        return "log" in self.program.functions or bool(logarithms_in_exponents(self.program))

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

    def _choices(self, rows: int, draws: Draws) -> Choices:
        """Random ones: of those at which logarithms are shown to be independent, where that is asked of them."""
        if not self._gates or self._patterns is None:
            return self._any_choices(rows, draws)
        which = draws.residues((rows,), 2**32).astype(np.int64) % len(self._patterns)
        return [np.concatenate(each)[which] for each in zip(*self._patterns, strict=True)]

    def _any_choices(self, rows: int, draws: Draws) -> Choices:
        choices = list[Mask]()
        for _, shape, gate in self._gates:
            if gate.axis is None:
                choices.append(draws.residues((rows, *shape), 2) == 1)
                continue
            winner = draws.residues((rows, *shape), 2**32).argmax(axis=gate.axis + 1)
            choices.append(np.zeros((rows, *shape), dtype=bool))
            np.put_along_axis(choices[-1], np.expand_dims(winner, gate.axis + 1), True, axis=gate.axis + 1)
        return choices

    def modulus(self, prime: int) -> int:
        return self._characters(prime).modulus

    def draw_point(self, draws: Draws, prime: int) -> Words:
        point: Words = self._settled_points(super().draw_point(draws, prime)[None], self._all, draws, prime)[0]
        return point

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        seeds = super().draw_seeds(draws, levels, count, point, prime)
        rows = seeds.reshape(levels * count, self.seed_size)
        return self._settled_seeds(point[None], rows, self._all, draws, prime, seen=True).reshape(seeds.shape)

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = super().draw_samples(draws, count, prime)
        theta = self._settled_points(theta, self._all, draws, prime)
        return theta, self._settled_seeds(theta, seeds, self._all, draws, prime, seen=True)

    @cached_property
    def _nested(self) -> bool:
        """Whether exponentials stand above functions that are constant modulo q unless there is a third field."""
        return nested(self.program)

    @cached_property
    def _unproved(self) -> str:
        """What is not shown of roots and of logarithms, in words; empty where all is."""
        try:
            check_roots(self.program, self._values_of, self.model.name, self.denominator)
            self._patterns  # noqa: B018
        except UndefinedError as error:
            return str(error)
        return ""

    @cached_property
    def _patterns(self) -> list[Choices] | None:
        """Choices at gates at which logarithms are shown to be independent; None where there is nothing to show.

        They are shown for functions with these gates, which are no functions of gates: log(1 + g u) is 0 for g = 0.
        """
        if not self._logarithms:
            return None
        draws, found, said = Draws(1, self.program.digest), list[Choices](), ""
        below, tried = bool(logarithms_in_exponents(self.program)), set[bytes]()
        for _ in range((PATTERNS_TOGETHER if below else PATTERNS) if self._gates else 1):
            choices = self._any_choices(1, draws)
            if (key := b"".join(map(np.ndarray.tobytes, choices))) in tried:
                continue
            tried.add(key)
            try:
                if below:
                    self._check_exponents([*found, choices], draws)
                if self._gates or "log" in self.program.functions:
                    self._check_logarithms(choices, draws)
                found.append(choices)
            except UndefinedError as error:
                said = str(error)
        if not found:
            raise UndefinedError(said)
        return found

    def _check_exponents(self, patterns: list[Choices], draws: Draws) -> None:
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator, self._angles)

        def members(rows: int) -> list[dict[str, Jet]]:
            theta, seeds = super(AnalyticGradientFlow, self).draw_samples(draws, rows, prime)
            theta = self._settled_points(theta, self._all, draws, prime)
            settled = [self._settled_seeds(theta, seeds, self._all, draws, prime, choices) for choices in patterns]
            return [self._leaves({0: theta}, seeds) for seeds in settled]

        check_exponents(self.program, members, len(patterns), self._characters(prime), draws, self.model.name)

    def _check_logarithms(self, choices: Choices, draws: Draws) -> None:
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator, self._angles)
        large = draws.prime(CLOSURE_BITS, self.denominator)

        def opaque(nodes: Sequence[int], rows: int, one_point: bool, any_gates: bool) -> list[Words]:
            theta, seeds = super(AnalyticGradientFlow, self).draw_samples(draws, rows, large)
            seeds = seeds if any_gates else self._with_gates(seeds, choices, large)
            leaves = self._leaves({0: theta[:1] if one_point else theta}, seeds)
            return self._of_nodes(nodes, rows, OpaqueJets(large, draws), leaves)

        values = partial(self._values_of, choices=choices)
        check_logarithms(self.program, values, opaque, large, self._characters(prime), draws, self.model.name)

    def _values_of(
        self,
        nodes: Sequence[int],
        rows: int,
        one_point: bool,
        draws: Draws,
        prime: int,
        choices: Choices | None = None,
    ) -> list[Words]:
        """Values modulo m of nodes at random arguments at which all nodes up to them are defined.

        At one point, at which all roots of parameters exist; or at several, where only what no input moves is defined.
        """
        last = max(nodes) + 1
        theta, seeds = super().draw_samples(draws, rows, prime)
        choices = self._any_choices(rows, draws) if choices is None else choices
        if one_point:
            theta = self._settled_points(theta[:1], self._all, draws, prime)
            seeds = self._settled_seeds(theta, seeds, range(last), draws, prime, choices)
        else:
            theta = self._settled_points(theta, range(last), draws, prime)
            seeds = self._with_gates(seeds, choices, self.modulus(prime))
        return self._of_nodes(nodes, rows, TrueJets(self._characters(prime)), self._leaves({0: theta}, seeds))

    def _of_nodes(self, nodes: Sequence[int], rows: int, ring: Jets, leaves: dict[str, Jet]) -> list[Words]:
        """The values of some nodes, in all rows."""
        found = self.program.run_some(ring, leaves, range(max(nodes) + 1))
        return [np.broadcast_to(found[n][0], (rows, *found[n][0].shape[1:])) for n in nodes]

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
                    theta = settled_field(counts(which), theta, together, draws, k, psi, self.model.name)
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
        for chosen, group in stages(np.concatenate(moves)) if roots else ():
            for n, places in zip(roots, np.split(group, ends), strict=True):
                which[n] = which[n] | places.reshape(fixed[n].shape)
            yield [together[k] for k in chosen], which

    def _settled_seeds(
        self,
        theta: Words,
        seeds: Words,
        nodes: Sequence[int],
        draws: Draws,
        prime: int,
        choices: Choices | None = None,
        *,
        seen: bool = False,
    ) -> Words:
        """Seeds with probes drawn anew, modulo m, until these nodes are defined at their points.

        With ``seen``, each covector is made to see one slice of the output, and what does not matter to it may be
        undefined.
        """
        choices = self._choices(len(seeds), draws) if choices is None else choices
        seeds = self._with_gates(seeds, choices, self.modulus(prime))
        marks = self._relevant if seen else None
        if marks is not None:
            kind = draws.residues((len(seeds),), 2**32).astype(np.int64) % self.program.shape[0]
            seeds = self._seeing(seeds, kind)

        def counts(rows: Words, which: Ints) -> Ints:
            relevant = None if marks is None else [mark[kind[which]] for mark in marks]
            return self._undefined(theta if len(theta) == 1 else theta[which], rows, nodes, prime, relevant)

        gates = [gate.probe for _, _, gate in self._gates]
        together = slices(self.model.probes, left_out=gates)
        psi = self._characters(prime)
        settle = together and may_be_undefined(self.program, nodes)
        for k in reversed(range(len(psi.fields))) if settle else ():
            seeds = settled_field(counts, seeds, together, draws, k, psi, self.model.name)
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
        ring = TrueJets(self._characters(prime))
        found = undefined(self.program, ring, self._leaves({0: theta}, seeds), nodes, relevant)
        return np.broadcast_to(found, (max(len(theta), len(seeds)), found.shape[1]))


def of_model(model: Model, loss: Loss = "full") -> GradientFlow:
    """The gradient flow of a model, as its functions need it."""
    return AnalyticGradientFlow(model, loss) if model.program.functions else GradientFlow(model, loss)
