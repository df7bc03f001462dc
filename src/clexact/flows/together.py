r"""The flow on given data of models with roots or logarithms: functions of the parameters, which all members share.

At inputs $x_1, \ldots, x_N$ the radicands $u_e(\theta, x_n)$ are functions of $\theta$ alone, and brackets of members
at different inputs hold all their roots: so these have to be independent *together*, at all inputs and gates that are
used. That is shown at random points (``check_roots_together``, ``check_logarithms_together``), for as many inputs as
have roots at one point: each root exists with odds 1/2. Any members prove a bound, so others are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.flows.cases import FEW, AnalyticCasesFlow, CasesFlow, FlowOfCases
from clexact.flows.gradient import GradientFlow, Loss
from clexact.programs.characters import draw_prime
from clexact.programs.defined import check_settled, may_be_undefined, settle_field, slices
from clexact.programs.exponents import logarithms_in_exponents
from clexact.programs.held import Table
from clexact.programs.independence import check_moved, check_roots_together
from clexact.programs.jets import Jets
from clexact.programs.logarithms import check_logarithms_together
from clexact.programs.model import Model
from clexact.programs.opaque import OpaqueJets
from clexact.programs.patterns import Choices, chosen
from clexact.programs.theorems import ROOT
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import CLOSURE_BITS, RANK_BITS, UndefinedError

MOST_CASES = 64  # whose logarithms are compared
MOST_ROOTS = 14  # that are made to exist at one point: each does with odds 1/2


class TogetherFlow(AnalyticCasesFlow):
    """As ``AnalyticCasesFlow``, on data: the cases used are those whose functions are shown independent together."""

    @cached_property
    def _unproved(self) -> str:
        try:
            check_moved(self.program, self.model.name)
            self._patterns  # noqa: B018
        except UndefinedError as error:
            return str(error)
        return ""

    def spanning_seeds(self, draws: Draws, prime: int) -> Words:
        if self._unproved:
            return super().spanning_seeds(draws, prime)
        seeds = draws.residues((len(self._patterns), self.seed_size), prime)
        return self._with_gates(seeds, [np.concatenate(each) for each in zip(*self._patterns, strict=True)], prime)

    @cached_property
    def _patterns(self) -> list[Choices]:
        """Of the cases, with some gates, those whose roots and logarithms are shown to be independent together."""
        if left := {*self._own} - {gate.probe for gate in self.program.gates}:
            raise UndefinedError(f"roots or logarithms of {self.model.name} depend on {min(left)} beside the data")
        draws, said = Draws(5, self.program.digest), ""
        each = self._any_choices(self.count, draws)
        found = [
            [*chosen(each[:-1], np.array([n])), np.eye(self.count, dtype=bool)[n : n + 1]] for n in range(self.count)
        ]
        found += [self._any_choices(1, draws) for _ in range(self._most - len(found) if each[:-1] else 0)]
        found, shown = _different(found)[: self._most], list[Choices]()
        try:
            self._check_together(found, draws)
            return found
        except UndefinedError as error:
            said = str(error)
        for pattern in found if len(found) <= FEW else ():
            try:
                self._check_together([*shown, pattern], draws)
                shown.append(pattern)
            except UndefinedError as error:
                said = str(error)
        if not shown:
            raise UndefinedError(said)
        self._suited = shown
        return shown

    @cached_property
    def _most(self) -> int:
        """So many cases at most, that a point is found at which the roots of all exist."""
        each = sum(prod(node.shape) for node in self.program.nodes if node.op == "function" and node.data == ROOT)
        return max(1, MOST_ROOTS // each) if each else MOST_CASES

    _suited: Sequence[Choices] = ()  # at which all functions must be defined, at a point

    def _check_together(self, patterns: Sequence[Choices], draws: Draws) -> None:
        """UndefinedError unless roots and logarithms of these cases are shown to be independent together."""
        self._suited = patterns
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator, self._angles, self._squares)
        values = partial(self._values_together, patterns, draws, prime)
        check_roots_together(self.program, values, self.model.name, self._angles, prime)
        if "log" in self.program.functions:
            large = draws.prime(CLOSURE_BITS, self.denominator)

            def opaque(nodes: Sequence[int], rows: int) -> list[Words]:
                theta = draws.residues((rows, self.dimension), large)
                return self._in_all(patterns, nodes, theta, OpaqueJets(large, draws), large)

            check_logarithms_together(self.program, values, opaque, large, self._characters(prime), self.model.name)
        if logarithms_in_exponents(self.program):
            self._check_exponents(list(patterns), draws)

    def _values_together(
        self, patterns: Sequence[Choices], draws: Draws, prime: int, nodes: Sequence[int], rows: int
    ) -> list[Words]:
        """(points, cases, *places) for each node: its argument, at points at which all nodes before are defined."""
        last, arguments = max(nodes), [self.program.nodes[n].inputs[0] for n in nodes]
        theta = draws.residues((rows, self.dimension), self.modulus(prime))
        theta = self._suiting(theta, patterns, range(last), draws, prime)
        return self._in_all(patterns, arguments, theta, TrueJets(self._characters(prime)), self.modulus(prime))

    def _in_all(
        self, patterns: Sequence[Choices], nodes: Sequence[int], theta: Words, ring: Jets, modulus: int
    ) -> list[Words]:
        """(points, cases, *places) for each node: its values in all cases at points."""
        count, seeds = len(patterns), self._seeds_of(patterns, modulus)
        leaves = self._leaves({0: np.repeat(theta, count, axis=0)}, np.tile(seeds, (len(theta), 1)))
        found = self._of_nodes(nodes, len(theta) * count, ring, leaves)
        return [part.reshape(len(theta), count, *part.shape[1:]) for part in found]

    def _seeds_of(self, patterns: Sequence[Choices], modulus: int) -> Words:
        """One row for each pattern, its covector zero."""
        every = [np.concatenate(each) for each in zip(*patterns, strict=True)]
        return self._with_gates(np.zeros((len(patterns), self.seed_size), dtype=np.uint64), every, modulus)

    def _suiting(
        self, theta: Words, patterns: Sequence[Choices], nodes: Sequence[int], draws: Draws, prime: int
    ) -> Words:
        """Points drawn anew in parts until these nodes are defined in all these cases."""
        seeds, psi = self._seeds_of(patterns, self.modulus(prime)), self._characters(prime)

        def counts(rows: Words, _: Ints) -> Ints:
            points, each = np.repeat(rows, len(seeds), axis=0), np.tile(seeds, (len(rows), 1))
            found = self._undefined(points, each, nodes, prime)
            return np.asarray(found.reshape(len(rows), len(seeds), -1).sum(axis=1))

        if may_be_undefined(self.program, nodes):
            for k in reversed(range(len(psi.fields))):
                check_settled(
                    settle_field(counts, theta, slices(self.model.parameters), draws, k, psi), self.model.name
                )
        return theta

    def _settled_points(self, theta: Words, nodes: Sequence[int], draws: Draws, prime: int) -> Words:
        if self._suited:
            return self._suiting(theta, self._suited, nodes, draws, prime)
        return super()._settled_points(theta, nodes, draws, prime)

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = GradientFlow.draw_samples(self, draws, count, prime)
        seeds, psi = self._with_gates(seeds, self._choices(count, draws), self.modulus(prime)), self._characters(prime)

        def counts(rows: Words, which: Ints) -> Ints:
            return self._undefined(rows, seeds[which], self._all, prime)

        for k in reversed(range(len(psi.fields))):  # each member has a point of its own
            check_settled(settle_field(counts, theta, slices(self.model.parameters), draws, k, psi), self.model.name)
        return theta, seeds


def _different(patterns: Sequence[Choices]) -> list[Choices]:
    """Each of them once, in order."""
    return list({b"".join(choice.tobytes() for choice in pattern): pattern for pattern in patterns}.values())


def cases_flow(
    model: Model,
    loss: Loss,
    cases: Mapping[str, Table],
    *,
    whole: bool = True,
    source: Model | None = None,
    data: Mapping[str, Table] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> FlowOfCases:
    """The flow of these cases of a model, as its functions need it; of what is held of ``source``, on ``data``."""
    functions = {*model.program.functions}
    together = data is not None and {"rsqrt", "log"} & functions
    kind = TogetherFlow if together else AnalyticCasesFlow if functions else CasesFlow
    flow = kind(model, loss, cases, whole)
    flow.source, flow.data, flow.tables = source or model, dict(data) if data else None, dict(tables or {})
    return flow
