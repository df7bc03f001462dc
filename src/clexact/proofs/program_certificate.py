"""Certificates that hold the program of a model: the proof of a count, with no field expanded.

``document`` builds one from plain data, sparse or dense; ``verifier/`` checks it without the engine.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, prod
from typing import Any

import flint
import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.polynomial import written
from clexact.algebra.terms import Monomial, Terms
from clexact.counting.count import LawCount
from clexact.counting.memory import dense_bytes, over_limit
from clexact.flows.cases import FlowOfCases
from clexact.flows.flow import Flow, pack_laws
from clexact.flows.gradient import GradientFlow
from clexact.flows.lifted import LiftedFlow
from clexact.laws.confirmation import moved
from clexact.lie.brackets import ExplicitWitness
from clexact.lie.closure import ClosureStatus, DenseSpanBuilder, LieClosure, SparseWitness, Witness, closure_of
from clexact.programs.characters import characters
from clexact.programs.operations import OPERATIONS
from clexact.programs.program import Program
from clexact.programs.theorems import has_angles
from clexact.proofs.cases import (
    gates_read,
    named_by_cases,
    recipe_of,
    scope_of,
    source_of,
    with_others,
    with_spanning_cases,
    written_cases,
)
from clexact.proofs.verifier import large
from clexact.support.errors import RANK_BITS
from clexact.support.version import __version__
from clexact.symmetry.groups import FactorClass, Law

SOLVED = 300  # rows of the core from which on solutions are included
MAX_SOLVED = 10**8  # entries of a core that is solved

Sparse = dict[int, int]  # {place: integer}
Family = dict[str, Any]  # {"gram": {"parts": ...}} or {"polynomials": [text, ...]}


@dataclass(frozen=True)
class ModularPoint:
    """An integer point (absent coordinates are 0) and a prime."""

    point: Sparse
    prime: int

    def written(self) -> dict[str, Any]:
        return {"prime": str(self.prime), "point": flat(self.point)}


@dataclass(frozen=True)
class Members:
    """Independent members of the Lie algebra at a place: for each, the seeds of X_0, ... in [X_0, [X_1, ...]]."""

    place: ModularPoint
    seeds: Sequence[Sequence[Sparse]] = field(repr=False)
    analytic: bool = False  # whether functions have residues at the place
    angles: bool = False  # sines too

    def written(self) -> dict[str, Any]:
        """The keys of ``lie``; members in the order of their depths, equal seeds once."""
        numbers: dict[tuple[int, ...], int] = {}
        members = [
            [numbers.setdefault(tuple(flat(seed)), len(numbers)) for seed in seeds]
            for seeds in sorted(self.seeds, key=len)
        ]
        depths = max(map(len, members), default=1)
        ranks = [sum(len(member) <= depth for member in members) for depth in range(1, depths + 1)]
        place = self.place.written()
        if self.analytic:  # without members, of which none may be known, the prime is any one
            place |= {"angles": []} if self.angles else {}
            place |= characters(self.place.prime, self.angles and bool(self.seeds)).written()
        return {**place, "seeds": [list(seed) for seed in numbers], "members": members, "ranks": ranks}


def flat(part: Sparse) -> list[int]:
    """[place, integer, place, integer, ...] of what is not zero."""
    return [x for i in sorted(part) if part[i] for x in (int(i), int(part[i]))]


def document(
    flow: Flow,
    families: Sequence[Family],
    numbers: Sequence[int],
    shown: ModularPoint,
    members: Members,
    *,
    closed_by: str = "",
    solve: bool = True,
) -> dict[str, Any]:
    """The certificate: laws, the numbers of those that are independent at ``shown``, and independent members.

    With ``solve``, the members are evaluated and solutions of challenges are included if what peeling leaves of their
    matrix is large; ValueError if they turn out to be dependent. Whether the whole is true, ``verify_bytes`` of
    ``verifier`` says.
    """
    data = assembled(flow, written_flow(flow), families, ranges(numbers), shown, members, closed_by)
    if "cases" in data:
        data = _with_evidence(flow, data)
        data["sha256"] = large.program_hash(data)
    return with_solutions(data) if solve else data


def assembled(
    flow: Flow,
    source: Mapping[str, Any],
    families: Sequence[Family],
    numbers: Sequence[Sequence[int]],
    shown: ModularPoint,
    members: Members,
    closed_by: str,
) -> dict[str, Any]:
    """The document, of a program or of fields; ``numbers``: ranges [first, last] of the independent laws."""
    D = len(flow.variables)  # with the parameters of fields
    exhibited, upper = sum(last - first + 1 for first, last in numbers), D - len(members.seeds)
    data: dict[str, Any] = {
        "format": large.FORMAT,
        "version": __version__,
        "sha256": "",
        "model": {"description": flow.description, **recipe_of(flow)},
        "assumptions": assumptions_of(flow),
        "dimension": D,
        **source,
        "laws": list(families),
        "independence": {**shown.written(), "laws": list(numbers), "rank": exhibited},
        "lie": members.written(),
        **({"closure": closed_by} if closed_by else {}),
        "claim": {
            "lower": upper if closed_by else exhibited,
            "lower_evidence": large.CLOSED if closed_by == large.RANDOM_POINTS else "proved",
            "upper": upper,
            "upper_evidence": "proved",
        },
    }
    return data | {"sha256": large.program_hash(data)}


def _with_evidence(flow: Flow, data: dict[str, Any]) -> dict[str, Any]:
    """The document with what shows that its gates span all, or that there are no others; else it says so."""
    checker = large.Checker(data)
    cases, start = checker.program.cases, flow.start
    assert cases is not None
    if start is None or not cases.gates:
        return data
    try:
        branches = checker.check_gates(cases)
    except large.Untrue as error:
        raise ValueError(f"the gates have no certificate: {error}.") from None
    if cases.scope == large.SPANNED:
        return with_spanning_cases(data, checker)
    if cases.scope != large.NEAR:
        return data
    if start.regions.complete:
        data = with_others(data, checker, branches)
    if data["cases"]["others"] is None:
        checker.lower_evidence = large.LISTED
        checker.check_free()
        data["claim"]["lower_evidence"] = checker.lower_evidence
    return data


def assumptions_of(flow: Flow) -> list[str]:
    """In words; a start without gates is as good as any other."""
    return list(flow.assumptions if flow.start is None or scope_of(flow) else flow.start.free.assumptions)


def of_count(count: LawCount) -> dict[str, Any]:
    """The certificate of a count of a flow of a model's gradients, with the seeds and the point of its closure.

    ValueError for another flow, and where a closure, on which the bound from below rests, cannot be certified. Near a
    start and on data the document claims the laws shown alone.
    """
    flow, closure = count.flow, count.closure
    closed_by = "" if scope_of(flow) else closed_by_of(count)
    if flow.gradients is None:
        raise ValueError(f"{count.description} has no program-level certificate: it is no gradient flow of a model.")
    if closed_by and (flow.analytic or (closed_by == large.ONE_FIELD and flow.seed_size > 1)):
        raise ValueError("a certificate with a program shows laws: this lower bound by closure is beyond it.")
    held = isinstance(flow.gradients, FlowOfCases) and closure.witnesses
    if held and {"rsqrt", "log"} & {*flow.gradients.program.functions}:
        raise ValueError("roots and logarithms at cases have no certificate: its verifier does not compare them.")
    shown = place_of(count.shown.point, count.shown.prime)
    families = [] if flow.plain_gradients is None else law_families(flow.plain_gradients)
    numbers = independent_laws(flow.gradients, families, shown)
    if len(numbers) != count.exhibited:
        families, numbers = [{"polynomials": [str(h) for h in count.laws.polynomials()]}], list(count.shown.laws)
    drawn = [witness for witness in closure.witnesses if not isinstance(witness, ExplicitWitness)]
    if len(drawn) < len(closure.witnesses) and scope_of(flow):
        drawn = [*drawn_anew(flow, closure, flow.draws(count.seed))]
    elif len(drawn) < len(closure.witnesses):
        raise ValueError("a program-level certificate holds brackets of members drawn, not of fields by their numbers.")
    seeds = [member for witness in drawn for member in seeds_of(_by_cases(flow, witness, closure.prime))]
    place, angles = place_of(closure.point, closure.prime), has_angles(flow.gradients.program)
    return document(flow, families, numbers, shown, Members(place, seeds, flow.analytic, angles), closed_by=closed_by)


def fits(count: LawCount) -> bool:
    """Whether the program says all that a certificate needs: members that were drawn, and which of them are one."""
    explicit = any(isinstance(witness, ExplicitWitness) for witness in count.closure.witnesses)
    single = closed_by_of(count) == large.ONE_FIELD and count.flow.seed_size > 1
    return count.flow.gradients is not None and not explicit and not single


def closed_by_of(count: LawCount) -> str:
    """How closure is shown where the bound from below rests on it; else nothing."""
    if count.lower == count.exhibited:
        return ""
    return large.RANDOM_POINTS if count.closure.status is ClosureStatus.CLOSED else large.ONE_FIELD


def dense_closure(count: LawCount) -> LieClosure:
    """Brackets of the flow itself at a generic point, where the rank was found by those of its gradients alone."""
    flow = count.flow
    if excess := over_limit(dense_bytes(flow), "a certificate", None):
        raise ValueError(f"{excess}: it needs dense brackets of {flow.description}.")
    draws = flow.draws(count.seed)
    prime = flow.draw_prime(draws, RANK_BITS)
    growth = DenseSpanBuilder(flow, flow.draw_point(draws, prime), prime)
    growth.run(flow, count.dimension - count.exhibited, None, draws, stop_at_stall=True, progress=None)
    if growth.form.rank != count.closure.rank:
        raise ValueError(f"dense brackets have rank {growth.form.rank}, not {count.closure.rank}; take another seed.")
    return closure_of(flow, growth, count.closure.status, count.closure.error, count.seed, generic=True)


def drawn_anew(flow: Flow, closure: LieClosure, draws: Draws) -> list[Witness]:
    """Members drawn at the point of a closure, of the same rank; ValueError if that is not reached."""
    growth = DenseSpanBuilder(flow, np.array(closure.point, dtype=np.uint64), closure.prime)
    for depth in range(len(closure.dims)):
        growth.draw_level(flow, depth, closure.rank, draws, None)
    if growth.form.rank < closure.rank:
        raise ValueError(f"brackets drawn have rank {growth.form.rank}, not {closure.rank}; take another seed.")
    return [witness for witness in growth.witnesses if isinstance(witness, Witness)]


def _by_cases(flow: Flow, witness: Witness | SparseWitness, prime: int) -> Witness | SparseWitness:
    """The seeds as the document names members, where there are cases."""
    gradients = flow.gradients
    if not isinstance(gradients, FlowOfCases) or not isinstance(witness, Witness):
        return witness
    levels, count, size = witness.seeds.shape
    drift = size - gradients.seed_size
    rows = witness.seeds.reshape(levels * count, size)
    named = np.concatenate([rows[:, :drift], named_by_cases(gradients, rows[:, drift:], prime)], axis=1)
    return Witness(witness.depth, named.reshape(levels, count, -1))


def seeds_of(witness: Witness | SparseWitness) -> list[list[Sparse]]:
    """For each member of a witness, the sparse seeds of X_0, X_1, ..."""
    if isinstance(witness, Witness):
        return [[_sparse(seed) for seed in seeds] for seeds in witness.seeds.swapaxes(0, 1).tolist()]
    count = int(witness.seeds[0].rows.max(initial=-1)) + 1
    members: list[list[Sparse]] = [[{} for _ in witness.seeds] for _ in range(count)]
    for level, part in enumerate(witness.seeds):
        for row, place, value in zip(part.rows.tolist(), part.place.tolist(), part.value.tolist(), strict=True):
            members[row][level][place] = value
    return members


def place_of(point: Iterable[Any], prime: int) -> ModularPoint:
    """A point and a prime, without the coordinates that are 0."""
    return ModularPoint(_sparse(point), prime)


def _sparse(values: Iterable[Any]) -> Sparse:
    return {j: int(x) for j, x in enumerate(values) if x}


def written_model(flow: GradientFlow, whole: bool = False) -> dict[str, Any]:
    """Parameters, probes and program; with functions, its gates; ``whole``: with all that gates are read off."""
    model = source_of(flow)
    program = flow.seen(model.program)
    gates = written_gates(program) if program.functions else {}
    return ({"gates": gates} if gates else {}) | {
        "parameters": {name: list(shape) for name, shape in model.parameters.items()},
        "probes": {name: list(shape) for name, shape in model.probes.items()},
        "program": written_program(program, kept_nodes(program, whole)),
    }


def written_gates(program: Program) -> dict[str, str | int]:
    """{probe: the slope of a ReLU, or the axis along which one entry is chosen}."""
    return {gate.probe: str(gate.slope) if gate.axis is None else gate.axis for gate in program.gates}


def written_flow(flow: Flow, whole: bool = False) -> dict[str, Any]:
    """What the model is, the cases, if there are, and the phase space on which gradients act, if there is one."""
    gradients, scope = flow.gradients, scope_of(flow)
    assert gradients is not None
    written = written_model(gradients, whole or bool(scope))
    if scope:
        numbers = kept_nodes(gradients.seen(source_of(gradients).program), True)
        written |= {"cases": written_cases(gradients, numbers)}
    return written | ({"phase": written_phase(flow)} if isinstance(flow, LiftedFlow) else {})


def written_phase(flow: LiftedFlow) -> dict[str, Any]:
    """The clock, whether there are velocities, the drift and the metric."""
    phase, drift = flow.phase, flow.phase.drift
    return {
        "clock": None if phase.clock is None else phase.variables[0],
        "velocities": phase.velocities is not None,
        "drift": None if drift is None else _texts(drift.terms, flow.variables),
        "metric": None if flow.metric is None else _texts(flow.metric, flow.variables),
    }


def _texts(terms: Terms, variables: Sequence[str]) -> list[Any]:
    """[owner, polynomial, owner, polynomial, ...]."""
    found: dict[int, dict[Monomial, Fraction]] = {}
    for t, owner in enumerate(terms.owner.tolist()):
        found.setdefault(owner, {})[terms.monomial(t)] = Fraction(int(terms.coef[t]))
    return [x for owner in sorted(found) for x in (owner, written(found[owner], variables))]


def kept_nodes(program: Program, whole: bool = False) -> dict[int, int]:
    """The nodes of a program that matter, numbered anew; ``whole``: and those that gates are read off."""
    needed = {program.output, *(gate.source for gate in program.gates if whole)}
    for n in range(max(needed), -1, -1):
        needed |= set(program.nodes[n].inputs) if n in needed else set()
    return {n: k for k, n in enumerate(sorted(needed))}


def written_program(program: Program, number: Mapping[int, int]) -> dict[str, Any]:
    """These nodes of a program."""
    out = list[Any]()
    for n in number:
        node = program.nodes[n]
        op, data = OPERATIONS[node.op].written(node)
        out.append([op, [number[i] for i in node.inputs], list(node.shape), data])
    return {"nodes": out, "output": number[program.output]}


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """[[first, last], ...] of increasing numbers."""
    out: list[list[int]] = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return out


# --- laws ------------------------------------------------------------------------------------------------------------


def law_families(flow: GradientFlow) -> list[Family]:
    """The laws that the shape of a program proves: as families that the verifier proves likewise, or confirmed text."""
    groups, families, in_grams = flow.symmetries, list[Family](), set[Key]()
    laws: list[Law] = [{(j,): a for j, a in c.items()} for c in groups.translations]
    for factor in groups.factors:
        parts = [] if factor.orthogonal else _parts(flow, factor)
        if parts and _shown(flow, gram := {"gram": {"parts": parts}}):
            families.append(gram)
            in_grams |= {_key(factor.gram(k, k)) for k in range(factor.size)}
        elif not factor.orthogonal:
            laws += [factor.gram(k, m) for k, m in factor.planes()]
    laws += [*(factor.total() for factor in groups.uniform), *groups.exponentials]
    squares: list[Law] = [{(j, j): a for j, a in scaling.items()} for scaling in groups.scalings]
    diagonal, rest = _diagonal(flow, [h for h in squares if _key(h) not in in_grams])
    texts = [polynomial_text(flow, h) for h in _confirmed(flow, laws + rest)]
    return families + diagonal + ([{"polynomials": texts}] if texts else [])


def _confirmed(flow: GradientFlow, laws: list[Law]) -> list[Law]:
    """Those that a random member leaves unmoved: the verifier would call others false."""
    refuted = set(moved(flow, pack_laws(laws).canonical(), flow.draws(0)).tolist()) if laws else set[int]()
    return [law for n, law in enumerate(laws) if n not in refuted]


Key = tuple[tuple[tuple[int, ...], int], ...]


def _key(law: Law) -> Key:
    """A law up to a factor."""
    terms = sorted(law.items())
    scale = gcd(*law.values()) * (1 if terms[0][1] > 0 else -1)
    return tuple((monomial, c // scale) for monomial, c in terms)


def _parts(flow: GradientFlow, factor: FactorClass) -> list[list[Any]]:
    """[[parameter, axis, sign], ...] of a factor that acts on whole axes; nothing for another."""
    parts = list[list[Any]]()
    for entries, sign in factor.parts:
        axes = [
            {(name, axis) for name, axis, index in _slice(flow, np.sort(row).tolist()) if index == k}
            for k, row in enumerate(entries)
        ]
        name, axis = min(set.intersection(*axes), default=("", 0))
        if not name or flow.model.parameters[name][axis] != factor.size:
            return []
        parts.append([name, axis, sign])
    return parts


def _slice(flow: GradientFlow, entries: Sequence[int]) -> list[tuple[str, int, int]]:
    """(parameter, axis, index) of the slices that these variables, increasing, are: none, one, or several."""
    name = next(n for n in reversed(flow.model.parameters) if flow.model.offsets()[n] <= entries[0])
    shape, first = flow.model.parameters[name], flow.model.offsets()[name]
    places = np.arange(first, first + prod(shape)).reshape(shape)
    found = []
    for axis, size in enumerate(shape):
        index = (entries[0] - first) // large.strides(shape)[axis] % size
        if np.array_equal(places.take(index, axis=axis).ravel(), entries):
            found.append((name, axis, index))
    return found


def _diagonal(flow: GradientFlow, laws: Sequence[Law]) -> tuple[list[Family], list[Law]]:
    """Sums of weighted squares as families of squared norms of slices, as far as they are; and the others."""
    groups: dict[tuple[tuple[str, int, int], ...], dict[int, Law]] = {}
    for law in laws:
        parts, indices = _weighted_slices(flow, law)
        if len(indices) == 1:
            groups.setdefault(parts, {})[indices.pop()] = law
    families, shown = list[Family](), set[int]()
    for parts, members in groups.items():
        size = flow.model.parameters[parts[0][0]][parts[0][1]]
        family = {"diagonal": {"parts": [list(part) for part in parts]}}
        if len(members) == size and _shown(flow, family):
            families.append(family)
            shown |= {id(law) for law in members.values()}
    return families, [law for law in laws if id(law) not in shown]


def _weighted_slices(flow: GradientFlow, law: Law) -> tuple[tuple[tuple[str, int, int], ...], set[int]]:
    """((parameter, axis, weight), ...) and the indices of the slices of which a law is the sum of squares."""
    entries: dict[tuple[str, int], list[int]] = {}
    offsets = flow.model.offsets()
    for (j, *_), c in sorted(law.items()):
        entries.setdefault((next(n for n in reversed(offsets) if offsets[n] <= j), c), []).append(j)
    slices = [(c, _slice(flow, found)) for (_, c), found in entries.items()]
    if not all(found for _, found in slices):
        return (), set()
    return tuple((found[0][0], found[0][1], c) for c, found in slices), {found[0][2] for _, found in slices}


def _shown(flow: GradientFlow, family: Family) -> bool:
    """Whether the verifier's rule of shapes proves a family."""
    allowance = large.Allowance(large.MAX_WORK)
    try:
        read = large.laws_of(family, _program(flow), "laws", allowance)
        if isinstance(read, large.Gram):
            read.check(allowance)
    except (large.Untrue, large.NotACertificate):
        return False
    return True


def _program(flow: GradientFlow) -> large.Program:
    """The program, as the verifier reads it."""
    return large.Program(written_model(flow))


def polynomial_text(flow: GradientFlow, law: Law) -> str:
    """A law as text."""
    terms: dict[tuple[tuple[int, int], ...], Fraction] = {}
    for variables, c in law.items():
        terms[tuple((v, variables.count(v)) for v in sorted(set(variables)))] = Fraction(c)
    return written(terms, flow.variables)


def independent_laws(flow: GradientFlow, families: Sequence[Family], place: ModularPoint) -> list[int]:
    """Numbers of laws whose gradients at a place are independent: all of them if they are, else the first ones."""
    program, allowance, rows = _program(flow), large.Allowance(large.MAX_WORK), list[Sparse]()
    for family in families:
        read = large.laws_of(family, program, "laws", allowance)
        rows += read.gradients(dict(place.point), place.prime, allowance)
    try:
        large.check_full_rank(large.core(rows, allowance), place.prime, None)
        return list(range(len(rows)))
    except large.Untrue:
        form = Echelon(flow.dimension, place.prime)
        return np.flatnonzero(form.add(dense(rows, flow.dimension))).tolist()


def dense(rows: Sequence[Sparse], columns: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Sparse rows as a matrix."""
    out = np.zeros((len(rows), columns), dtype=np.uint64)
    for n, row in enumerate(rows):
        for j, x in row.items():
            out[n, j] = x
    return out


# --- solutions -------------------------------------------------------------------------------------------------------


def with_solutions(data: dict[str, Any]) -> dict[str, Any]:
    """The document, with solutions of the challenges that it gives rise to if the core of its members is large."""
    try:
        rows, p = large.Checker(data).members()
        left = large.core(rows, large.Allowance(large.MAX_WORK))
    except (large.NotACertificate, large.Untrue) as error:
        raise ValueError(f"the members have no certificate: {error}.") from None
    if len(left) <= SOLVED or len(left) * len({c for row in left for c in row}) > MAX_SOLVED:
        return data
    found = solutions(left, large.challenges(data, len(left), p), p)
    return {**data, "lie": {**data["lie"], "solutions": [flat(y) for y in found]}}


def solutions(rows: Sequence[Sparse], wanted: Sequence[Sequence[int]], prime: int) -> list[dict[int, int]]:
    """Sparse solutions y of M y = b mod p for each b. ValueError if the rows of M are not independent.

    M is reduced to the columns where it is invertible, so y is zero on the others.
    """
    columns = sorted({c for row in rows for c in row})
    places = {c: n for n, c in enumerate(columns)}
    matrix = dense([{places[c]: x for c, x in row.items()} for row in rows], len(columns))
    form = Echelon(len(columns), prime)
    if not form.add(matrix).all():
        raise ValueError("the rows are not independent, so there is no solution for every right-hand side.")
    pivots = np.sort(form.pivots)
    square = flint.nmod_mat(matrix[:, pivots].tolist(), prime)
    right = flint.nmod_mat([list(column) for column in zip(*wanted, strict=True)], prime)
    solved = square.solve(right)
    chosen = [columns[j] for j in pivots.tolist()]
    return [{c: int(solved[i, j]) for i, c in enumerate(chosen)} for j in range(len(wanted))]


# --- files -----------------------------------------------------------------------------------------------------------


def to_bytes(data: Mapping[str, Any], compressed: bool = True) -> bytes:
    """The document as bytes: the same certificate gives the same bytes."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
    return gzip.compress(text, mtime=0) if compressed else text


def same_program(data: Mapping[str, Any], flow: Flow) -> bool:
    """Whether a document is about the program, cases and phase space, description and assumptions of a flow."""
    wanted = written_flow(flow)
    words = [data["model"].get("description"), data["assumptions"]] == [flow.description, assumptions_of(flow)]
    return words and _told(data) == _told(wanted) and _same_parts(data, wanted)


def _told(data: Mapping[str, Any]) -> list[Any]:
    """What must be the same of cases: those near a start may be others."""
    cases = data.get("cases")
    told = [cases[key] for key in ("scope", "gates", "start")] if cases else []
    on_data = cases and cases["scope"] in (large.DATA, large.DATA_NEAR)
    return [*told, cases["inputs"]] if cases and on_data else told


def same_source(data: Mapping[str, Any], flow: Flow) -> bool:
    """Whether the program and the gates of a document with cases are those of a flow that has none."""
    assert flow.gradients is not None
    model = flow.gradients.model
    gates = gates_read(model, kept_nodes(flow.gradients.program, True))
    return bool(data["cases"]["gates"] == gates) and _same_parts(data, written_flow(flow, whole=True))


def _same_parts(data: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    same = all(list(data[key].items()) == list(wanted[key].items()) for key in ("parameters", "probes"))
    return same and all(data.get(key) == wanted.get(key) for key in ("program", "phase", "gates"))
