r"""Gradient flows of models some of whose probes take finitely many values, together: gates near a start, or data.

A member is $\sum_j c_j\, \nabla_\theta\langle C, g(\theta, \xi, \eta_j)\rangle$ over the cases $\eta_j$, named by
(c, $\xi$, C): a polynomial family, like that of all probes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from math import lcm, prod
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, multiply, residues, segment_sums
from clexact.algebra.terms import Ints, Terms, concatenate, starts
from clexact.flows.analytic import AnalyticGradientFlow
from clexact.flows.flow import joined, pack_laws
from clexact.flows.gradient import GradientFlow, Loss, distinct, probe_coefficients
from clexact.programs.algebras import Degrees, Magnitudes
from clexact.programs.expand import Polynomials
from clexact.programs.held import Table, alike, merged
from clexact.programs.independence import check_moved
from clexact.programs.jets import Jet, Jets
from clexact.programs.model import Model
from clexact.programs.patterns import Choices
from clexact.programs.places import Mask, Shape
from clexact.programs.program import Gate, Program
from clexact.programs.relevance import relevant
from clexact.support.digest import digest
from clexact.support.errors import RANK_BITS, UndefinedError
from clexact.symmetry.groups import FactorClass, Groups, Law
from clexact.symmetry.unexcited import unexcited

CHUNK = 2**12  # members evaluated at a time
MOST_KINDS = 64  # brackets that do not raise the rank until a level ends, unless there are more cases
MOST_GATES = 256  # of which each is looked at
FEW = 16  # cases of which brackets are made


class FlowOfCases(GradientFlow):
    """See the module's text. ``cases``: for some probes of the model, their exact values (cases, *shape).

    ``whole``: whether the members span all that the scope speaks of; where they may not, only what the shape of the
    program proves is a law.
    """

    source: Model  # of which probes are held
    data: dict[str, Table] | None = None  # the inputs, where they are given
    tables: dict[str, Table]  # the gates of the source, case by case

    def __init__(self, model: Model, loss: Loss, cases: Mapping[str, Table], whole: bool = True) -> None:
        super().__init__(model, loss)
        self.cases, self.whole, self.recipe = dict(cases), whole, {}
        self.count = len(next(iter(self.cases.values()))) if cases else 1
        self._own = [name for name in model.probes if name not in self.cases]

    @property
    def plain_gradients(self) -> None:
        return None

    def single_terms(self) -> Terms:
        """Those of no family: not the single entries, which are a family."""
        entries = _single_owners(self._of_cases)
        return self._of_cases.take(np.flatnonzero(~np.isin(self._of_cases.owner, [*entries.values()])))

    @cached_property
    def _of_shape(self) -> Terms:
        """The laws that the shape of the program proves whatever the cases are."""
        return joined([family.expanded() for family in self._families_of_shape])

    @cached_property
    def _of_cases(self) -> Terms:
        return laws_of_cases(self._of_shape, self)

    @property
    def _frozen(self) -> dict[str, list[int]]:
        entries, found = np.array(sorted(_single_owners(self._of_cases)), dtype=np.int64), dict[str, list[int]]()
        for name, first in self.model.offsets().items():
            here = entries[(first <= entries) & (entries < first + prod(self.model.parameters[name]))]
            found |= {name: (here - first).tolist()} if len(here) else {}
        return found

    @cached_property
    def digest(self) -> bytes:
        return digest(super().digest, *_written(self.cases))


class CasesFlow(FlowOfCases):
    """The flow of cases of a model without analytic functions."""

    uniform_seeds = False

    def __init__(self, model: Model, loss: Loss, cases: Mapping[str, Table], whole: bool = True) -> None:
        super().__init__(model, loss, cases, whole)
        self.seed_size = self.count + sum(prod(model.probes[name]) for name in self._own) + prod(self.program.shape)
        values = (c for table in self.cases.values() for c in table.ravel().tolist())
        self.denominator = lcm(self.denominator, *(Fraction(c).denominator for c in values))
        self.degree += 1

    def kinds(self, depth: int) -> int:
        return self.count if depth == 0 and self.count > FEW else -(-self.count // FEW)

    @property
    def uniform_cost(self) -> int:
        return self.count

    @cached_property
    def norm_bound(self) -> int:
        leaves = dict.fromkeys(self.model.parameters | self.model.probes, 1)
        clearing = self.denominator ** int(self.program.run(Degrees(of_constant=1), leaves)[self.program.output])
        ones = self._ones(object) | {name: np.abs(table).max(axis=0) for name, table in self.cases.items()}
        total = sum(self.program.run(Magnitudes(), ones)[self.program.output].ravel().tolist())
        return max(1, int(self.degree * clearing * total * self.count) + 1)

    def values_in(self, ring: Jets, theta: Jet, seeds: Words) -> Jet:
        out: Jet = {}
        row, case = np.nonzero(seeds[:, : self.count])
        for first in range(0, len(row), CHUNK):
            part = slice(first, first + CHUNK)
            at = {mask: x if len(x) == 1 else x[row[part]] for mask, x in theta.items()}
            found = super().values_in(ring, at, self._resolved(seeds[row[part]], case[part], ring.prime))
            each = _summed(found, row[part], len(seeds), ring.prime)
            out = ring.add(out, each) if out else each
        return out

    def _resolved(self, seeds: Words, case: Any, prime: int) -> Words:
        """Seeds as all probes' and covectors, these times the coefficient of the one case."""
        parts, first = dict[str, Words](), self.count
        for name in self._own:
            size = prod(self.model.probes[name])
            parts[name] = seeds[:, first : first + size]
            first += size
        for name, table in self._residues(prime).items():
            parts[name] = table[case]
        weight = seeds[np.arange(len(seeds)), case][:, None]
        covector = multiply(seeds[:, first:], np.broadcast_to(weight, seeds[:, first:].shape).copy(), prime)
        return np.concatenate([*(parts[name] for name in self.model.probes), covector], axis=1)

    def _residues(self, prime: int) -> dict[str, Words]:
        if self._reduced is None or self._reduced[0] != prime:
            tables = {name: residues(t.reshape(self.count, -1), prime) for name, t in self.cases.items()}
            self._reduced = prime, tables
        return self._reduced[1]

    _reduced: tuple[int, dict[str, Words]] | None = None

    # -- what is drawn: members of few cases each, which are cheaper and span the same -------------------------------

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        found = super().draw_seeds(draws, levels, count, point, prime)
        found[..., : self.count] *= self._chosen(count, 1 if levels == 1 else FEW, draws)
        return found

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = super().draw_samples(draws, count, prime)
        seeds[:, : self.count] *= self._chosen(count, 1, draws)
        return theta, seeds

    def _chosen(self, count: int, size: int, draws: Draws) -> Mask:
        """(members, cases): so many cases for each member, more often those of a basis; all, where they are few.

        The levels of a bracket share their cases: what belongs to one case alone would else seldom meet itself.
        """
        order = np.argsort(draws.residues((self.count,), 2**62), kind="stable")
        chosen = np.zeros((count, self.count), dtype=bool)
        picked = np.resize(order, (count, size if self.count > FEW else self.count))
        if self.count > FEW:
            first = order[np.isin(order, self._basis)]
            picked[: count - count // 4] = np.resize(first, (count - count // 4, size))
        np.put_along_axis(chosen, picked, True, axis=1)
        return chosen

    @cached_property
    def _basis(self) -> Ints:
        """Cases that span all, and of each gate those at which it is open, as vectors with a 1 for biases.

        Some entries of data are moved by one case among thousands, which would seldom be drawn: three members of four
        are of these.
        """
        draws = Draws(6, self.program.digest)
        prime = draws.prime(RANK_BITS, avoiding=self.denominator)
        parts, every = self._residues(prime), np.arange(self.count)
        ones = np.ones((self.count, 1), dtype=np.uint64)
        inputs = np.concatenate([ones, *(table for name, table in parts.items() if name not in self.tables)], axis=1)
        gates = np.concatenate([ones, *(table for name, table in parts.items() if name in self.tables)], axis=1)
        found = {*_independent(np.concatenate([inputs, gates], axis=1), every, prime)}
        for gate in gates.T[1 : MOST_GATES + 1]:
            found |= {*_independent(inputs, np.flatnonzero(gate), prime)}
        return np.array(sorted(found), dtype=np.int64)

    # -- expanded ---------------------------------------------------------------------------------------------------

    @cached_property
    def expanded_size(self) -> int:
        return int(super().expanded_size) * self.count

    @cached_property
    def fields(self) -> VectorFields:
        parts, count = [], 0
        symbols, algebra = self._symbols(), Polynomials()
        for n in range(self.count):
            leaves = symbols | {
                name: algebra.constant(np.asarray(table[n], dtype=object)) for name, table in self.cases.items()
            }
            phi = probe_coefficients(self._expanded(leaves), self.dimension)
            parts.append(phi.owned_by(phi.owner + count))
            count = 1 + int(parts[-1].owner.max(initial=count - 1))
        partial, variable = concatenate(parts).partials()
        gradients = partial.owned_by(partial.owner * self.dimension + variable).canonical()
        return distinct(self.variables, gradients, count)


def laws_of_cases(known: Terms, flow: FlowOfCases) -> Terms:
    """Laws beside those known: parameters that the cases never read, what data never excite, units that are alike."""
    read = relevant(flow.program, np.ones((1, *flow.program.shape), dtype=bool))
    laws, alone = list[Law](), _single(known)
    for node, marks in zip(flow.program.nodes, read, strict=True):
        if node.op == "parameter":
            first = flow.model.offsets()[node.data]
            unread = first + np.flatnonzero(~marks.any(axis=0).ravel())
            laws += [{(n,): 1} for n in unread.tolist() if n not in alone]
    if flow.data is not None:
        found = unexcited(flow.program, flow.model.offsets(), flow.dimension, flow.cases, flow.draws(0))
        laws += [{(i,): c for i, c in law.items()} for law in found if len(law) > 1 or not alone & {*law}]
    if flow.whole:
        laws += _mixed(flow)
    return pack_laws(laws)


def _mixed(flow: FlowOfCases) -> Iterator[Law]:
    """Gram laws of units whose gates are the same: with one gate for all units any matrix acts on them.

    So it does where it commutes with the gates: on those that are alike.
    """
    for name, table in flow.tables.items():
        for axis, size in enumerate(table.shape[1:]):
            pairs = [pair for group in alike(table, axis) for pair in combinations(group, 2)]
            program = merged(flow.source, name, axis) if pairs else None
            if program is None:
                continue
            for factor in Groups(flow.seen(program), flow.model.offsets()).symmetries.free_factors:
                index = _indices(flow.source, name, axis, factor) if factor.size == size else None
                yield from (factor.gram(index[k], index[m]) for k, m in pairs if index)


def _indices(model: Model, name: str, axis: int, factor: FactorClass) -> list[int] | None:
    """For each place of a gate along an axis the index at which the factor acts on what enters it; None if not one."""
    gate = next(gate for gate in model.program.gates if gate.probe == name)
    shape, offsets = model.probes[name], model.offsets()
    places = np.moveaxis(np.zeros((shape[axis], *shape), dtype=bool), axis + 1, 1)
    places[np.arange(shape[axis]), np.arange(shape[axis])] = True
    marks = relevant(Program(list(model.program.nodes), gate.source), np.moveaxis(places, 1, axis + 1))
    found = list[set[int]]()
    for k in range(shape[axis]):
        entries = {
            offsets[node.data] + int(j)
            for node, mark in zip(model.program.nodes, marks, strict=True)
            if node.op == "parameter"
            for j in np.flatnonzero(mark[k])
        }
        found.append(set().union(*factor.rows(entries).values()))
    index = [min(each) for each in found if len(each) == 1]
    return index if len(set(index)) == shape[axis] else None


def _single(terms: Terms) -> set[int]:
    """The entries of theta that are laws by themselves."""
    return set(_single_owners(terms))


def _single_owners(terms: Terms) -> dict[int, int]:
    """{entry: number of the law} of the same."""
    if not len(terms):
        return {}
    alone = np.flatnonzero((np.bincount(terms.owner)[terms.owner] == 1) & (terms.degrees() == 1))
    return dict(zip(terms.var[terms.start[:-1][alone]].tolist(), terms.owner[alone].tolist(), strict=True))


def _written(cases: Mapping[str, Table]) -> list[str]:
    """The cases as text."""
    return [f"{name} {table.shape} {' '.join(map(str, table.ravel().tolist()))}" for name, table in cases.items()]


def _independent(table: Words, rows: Ints, prime: int) -> list[int]:
    """Some of these rows of a table, which span them."""
    fresh: list[int] = rows[Echelon(table.shape[1], prime).add(table[rows])].tolist()
    return fresh


def _summed(found: Jet, row: Ints, count: int, prime: int) -> Jet:
    """The sums of the members of each row."""
    if len(row) == count and (row == np.arange(count)).all():
        return found
    start = starts(row, count)
    return {mask: segment_sums(part.T, start, prime).T for mask, part in found.items()}


class AnalyticCasesFlow(FlowOfCases, AnalyticGradientFlow):
    """As ``CasesFlow``, of a model with analytic functions: each member belongs to one case."""

    def __init__(self, model: Model, loss: Loss, cases: Mapping[str, Table], whole: bool = True) -> None:
        super().__init__(model, loss, cases, whole)
        self.held = tuple(cases)

    def kinds(self, depth: int) -> int:
        each = super().kinds(depth) * self.count
        own = sum(prod(shape) for shape, _ in super()._kinds_of_gates)
        together: int = pow(each * 2 ** min(own, MOST_KINDS), depth + 1)  # members of different cases and gates meet
        return max(each, min(together, MOST_KINDS))

    @property
    def field_count(self) -> int | None:
        """One where there is one case of one output: its multiples."""
        return 1 if self.count == prod(self.program.shape) == 1 and not self._own else super().field_count

    @cached_property
    def _unproved(self) -> str:
        if self.data is None:
            return super()._unproved
        try:
            check_moved(self.program, self.model.name)
        except UndefinedError as error:
            return str(error)
        return super()._unproved

    @property
    def _kinds_of_gates(self) -> list[tuple[Shape, Gate]]:
        """As of gates, and which case it is: one of all."""
        return [*super()._kinds_of_gates, ((self.count,), Gate("", -1, axis=0))]

    def _with_gates(self, seeds: Words, choices: Choices, modulus: int) -> Words:
        seeds, case = super()._with_gates(seeds, choices[:-1], modulus), choices[-1].argmax(axis=1)
        for name, table in self.cases.items():
            first, size = self._probe_offsets[name], prod(self.model.probes[name])
            seeds[:, first : first + size] = residues(table.reshape(self.count, size), modulus)[case]
        return seeds

    def spanning_seeds(self, draws: Draws, prime: int) -> Words:
        choices = self._any_choices(self.count, draws)
        return self._with_gates(
            draws.residues((self.count, self.seed_size), prime), [*choices[:-1], np.eye(self.count, dtype=bool)], prime
        )
