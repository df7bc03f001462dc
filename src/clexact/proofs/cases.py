"""The cases of a certificate: the inputs given, the gates read at a start, and why there are no others near it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.feasible import Empty, strictly_feasible
from clexact.algebra.linalg import Words
from clexact.algebra.polynomial import Number
from clexact.flows.analytic import of_model
from clexact.flows.cases import CasesFlow, FlowOfCases
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.programs.held import Table
from clexact.programs.model import Model
from clexact.proofs.verifier import large
from clexact.support.errors import RANK_BITS

MOST = 3000  # branches that are shown to be empty

Numbers = Mapping[int, int]  # of nodes, as they are written


def scope_of(flow: Flow) -> str:
    """Of which cases a certificate of a flow speaks; nothing where it speaks of all inputs, gates and starts."""
    gradients = flow.gradients
    start = None if gradients is None else gradients.start
    if isinstance(gradients, FlowOfCases) and gradients.data is not None:
        return large.DATA_NEAR if start else large.DATA
    if start is None or not start.regions.found:
        return ""
    return large.NEAR if isinstance(gradients, FlowOfCases) else large.SPANNED


def source_of(flow: GradientFlow) -> Model:
    """The model, of which nothing is held."""
    return flow.source if isinstance(flow, FlowOfCases) else flow.model


def recipe_of(flow: Flow) -> dict[str, object]:
    """By which the flow of all inputs, with free gates, is made anew."""
    free = flow if flow.start is None else flow.start.free
    return of_model(free.source, free.loss).recipe if isinstance(free, FlowOfCases) else free.recipe


def written_cases(flow: GradientFlow, numbers: Numbers) -> dict[str, Any]:
    """The cases of a flow that has some."""
    source, start, scope = source_of(flow), flow.start, scope_of(flow)
    met = start.regions.found if start else ()
    gates = source.program.gates
    inputs = [name for name in source.probes if all(name != gate.probe for gate in gates)]
    if isinstance(flow, FlowOfCases) and flow.data is not None:
        if left := [name for name in inputs if name not in flow.data]:
            raise ValueError(f"a certificate on data holds all that is no parameter: {left[0]} varies freely.")
        given = {name: [_numbers(row) for row in flow.data[name]] for name in inputs}
    else:
        given = {name: [_numbers(region.input[name]) for region in met] for name in inputs}
    return {
        "scope": scope,
        "gates": gates_read(source, numbers),
        "start": [_number(c) for c in start.point] if start else None,
        "inputs": given,
        "open": {g.probe: [_word(region.gates[g.probe]) for region in met] for g in gates} if start else {},
        "others": None,
    }


def gates_read(source: Model, numbers: Numbers) -> list[list[Any]]:
    """[probe, node, slope or null, axis or null] of each gate."""
    return [
        [g.probe, numbers[g.source], _number(g.slope) if g.axis is None else None, g.axis] for g in source.program.gates
    ]


def _number(value: Number) -> int | str:
    """A JSON integer, or a fraction in a string."""
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else str(exact)


def _numbers(array: Table) -> list[int | str]:
    return [_number(c) for c in np.asarray(array, dtype=object).ravel().tolist()]


def _word(gates: Table) -> str:
    return "".join("01"[c == 1] for c in np.asarray(gates, dtype=object).ravel().tolist())


def named_by_cases(flow: FlowOfCases, seeds: Words, prime: int) -> Words:
    """Seeds of members as (coefficients of all cases, free probes, covector); what no case varies is one to a flow."""
    more = np.zeros((len(seeds), _count(flow) - flow.count), dtype=np.uint64)
    if isinstance(flow, CasesFlow):
        return np.concatenate([seeds[:, : flow.count], more, seeds[:, flow.count :]], axis=1)
    probes = flow.model.probes
    first = np.cumsum([0, *(int(np.prod(shape)) for shape in probes.values())]).tolist()
    place = {name: slice(*ends) for name, *ends in zip(probes, first, first[1:], strict=False)}
    known = {_key(row): j for j, row in enumerate(_residues(flow, flow.modulus(prime)))}
    out = np.zeros((len(seeds), flow.count), dtype=np.uint64)
    held = np.concatenate([seeds[:, place[name]] for name in flow.cases], axis=1) if flow.cases else seeds[:, :0]
    out[np.arange(len(seeds)), [known[_key(row)] for row in held]] = 1
    own = [seeds[:, place[name]] for name in probes if name not in flow.cases]
    return np.concatenate([out, more, *own, seeds[:, first[-1] :]], axis=1)


def _count(flow: FlowOfCases) -> int:
    """How many cases the document lists."""
    if flow.data is not None:
        return len(next(iter(flow.data.values())))
    return len(flow.start.regions.found) if flow.start else flow.count


def _residues(flow: FlowOfCases, modulus: int) -> list[list[int]]:
    """The values that cases give, modulo m."""
    tables = [table.reshape(flow.count, -1) for table in flow.cases.values()]
    rows = np.concatenate(tables, axis=1).tolist() if tables else [[]] * flow.count
    return [[c.numerator * pow(c.denominator, -1, modulus) % modulus for c in row] for row in rows]


def _key(row: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(int, row))


# --- fewer cases, where free gates are spanned ------------------------------------------------------------------------


def with_spanning_cases(data: dict[str, Any], checker: large.Checker) -> dict[str, Any]:
    """The document with as many cases as there are monomials in the gates."""
    cases, prime = checker.program.cases, Draws(0).prime(RANK_BITS, avoiding=checker.program.denominator)
    assert cases is not None
    one: Any = dict.fromkeys(range(checker.program.theta.starts[-1]), large.Support([()]))
    monomials = large.Supports(checker.program, 1, one, checker.allowance).monomials(cases)
    rows = np.zeros((cases.count, len(monomials)), dtype=np.uint64)
    for m, row in enumerate(cases.at_monomials(monomials, prime)):
        rows[list(row), m] = list(row.values())
    kept = np.flatnonzero(Echelon(len(monomials), prime).add(rows)).tolist()
    fewer = {
        key: {name: [part[j] for j in kept] for name, part in data["cases"][key].items()} for key in ("inputs", "open")
    }
    return {**data, "cases": {**data["cases"], **fewer}}


# --- branches that no input takes -------------------------------------------------------------------------------------


def with_others(data: dict[str, Any], checker: large.Checker, branches: large.Branches) -> dict[str, Any]:
    """The document, with multipliers for all branches of gates that are not listed, where all are shown to be empty."""
    try:
        found = list(_multipliers(checker, branches))
    except large.Untrue:
        return data
    return {**data, "cases": {**data["cases"], "others": found}}


def _multipliers(checker: large.Checker, branches: large.Branches) -> Iterator[list[int]]:
    """[margin, multiplier, ...] for each branch; ``Untrue`` for one that is not shown to be empty."""
    checker.check_affine(branches.cases)
    points = [(at, checker.case) for at in checker.random_points(len(branches.places) + 2)]
    for count, (j, margins) in enumerate(branches.all()):
        large.truth(count < MOST, "there are too many branches")
        rows = branches.rows(j, margins)
        tries = (_relation(rows, kept, len(branches.places)) for kept in _kept(rows))
        shown = (y for y in tries if y and branches.excluded(j, [margins[n] for n in y], list(y.values()), points))
        multipliers = next(shown, {})
        large.truth(multipliers, "a branch is not shown to be empty")
        yield [x for n, y in multipliers.items() for x in (n, y)]


def _kept(rows: list[list[int]]) -> Iterator[list[int]]:
    """Rows among which relations are sought: one that vanishes alone, else those that do not, then without each."""
    zero = [n for n, row in enumerate(rows) if not any(row)]
    yield from ([n] for n in zero)
    others = [n for n in range(len(rows)) if n not in zero]
    yield others
    yield from ([n for n in others if n != left_out] for left_out in reversed(others))


def _relation(rows: list[list[int]], kept: list[int], unknowns: int) -> dict[int, int]:
    """Positive integers by the numbers of rows, with which no x makes these positive; none if one does."""
    found = strictly_feasible([rows[n] for n in kept], unknowns) if kept else None
    if not isinstance(found, Empty):
        return {}
    common = lcm(*(Fraction(y).denominator for y in found.multipliers.values()))
    return {kept[n]: int(y * common) for n, y in sorted(found.multipliers.items())}
