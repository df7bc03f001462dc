"""``polynomial_laws``: every polynomial conservation law up to a degree, exactly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from clexact import linalg
from clexact._kernels import monomials as monomials_kernel
from clexact._kernels import system
from clexact._kernels.sparse import SparseForm
from clexact.basis import Vector, short_basis
from clexact.confirmation import confirmed
from clexact.digest import digest
from clexact.display import MOST_LAWS, MOST_TERMS, Markup, gathered, listed
from clexact.draws import Draws
from clexact.echelon import Echelon
from clexact.fields import VectorFields, packed_derivatives
from clexact.flow import Flow, GradientFlow, as_flow, pack_laws
from clexact.gates import qualification
from clexact.grading import grading
from clexact.jets import Jets
from clexact.lawsearch import all_quadratic_laws
from clexact.linalg import SparseRows, Words, primitive, reconstruct, residues
from clexact.polynomial import Polynomial, html_name, latex_name
from clexact.sparsejets import Part, collected, compressed
from clexact.symmetry import Law
from clexact.terms import Ints, Terms, concatenate, ranges, starts

if TYPE_CHECKING:
    import sympy

MAX_FIELD_TERMS = 5 * 10**6  # of expanded fields; beyond it only laws of the program's shape are given
SAMPLED_FROM = 400  # dimension from which samples are tried before the monomial system of degree 2
MAX_MONOMIALS = 2 * 10**7
CHUNK = 2 * 10**6  # entries of the monomial system held at a time
LAW_BLOCK = 256  # laws whose gradients are reduced at a time
MOST_ENTRIES = 2 * 10**8  # of a sparse echelon form
MAX_PRIMES = 200  # of 61 bits, for laws with very large coefficients


class Completeness(Enum):
    """Whether the laws given are all polynomial laws of their degree; the value is the sentence a user reads."""

    PROVED = "these are all polynomial laws of this degree: as many as the nullity modulo a prime"
    TRUNCATED = "these are all polynomial laws of the Taylor coefficients used; laws of the functions are among them"
    POWERS = "these are all polynomial laws of this degree with the powers of the clock searched: there may be others"
    OPEN = "these laws are proved, but the search for others was too large to make: there may be more"


@dataclass(frozen=True, eq=False)
class ConservationLaws(Sequence[Polynomial]):
    """Linearly independent polynomial laws, each proved exactly: primitive integers, positive leading coefficient.

    A sequence of ``Polynomial``, lowest degree first. ``completeness`` says whether there can be others of this degree.
    """

    variables: tuple[str, ...]
    degree: int
    homogeneous: bool
    completeness: Completeness
    seed: int
    terms: Terms  # canonical, owned by the number of the law
    exponentials: Mapping[str, Fraction] = field(default_factory=dict)  # {variable: r}: it stands for e^(r t)
    scope: str = ""  # of which data and starts, and of which gates, the completeness speaks

    @cached_property
    def _start(self) -> Ints:
        return starts(self.terms.owner, int(self.terms.owner.max(initial=-1)) + 1)

    def __len__(self) -> int:
        return len(self._start) - 1

    @overload
    def __getitem__(self, i: int) -> Polynomial: ...
    @overload
    def __getitem__(self, i: slice) -> list[Polynomial]: ...
    def __getitem__(self, i: int | slice) -> Polynomial | list[Polynomial]:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        i = range(len(self))[i]
        return Polynomial._from_checked(self.variables, self.packed(i, i + 1).owned_by(0))

    def packed(self, first: int, last: int) -> Terms:
        """The terms of the laws first, ..., last - 1."""
        return self.terms.take(np.arange(self._start[first], self._start[last]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConservationLaws):
            return NotImplemented
        return self.variables == other.variables and self.degree == other.degree and self.terms == other.terms

    __hash__ = None  # type: ignore[assignment]

    @property
    def complete(self) -> bool:
        """Whether these are proved to be all polynomial laws of this degree."""
        return self.completeness is Completeness.PROVED

    @property
    def known(self) -> str:
        """The completeness as a sentence, with what it assumes of gates."""
        free = qualification(self.scope)
        return self.completeness.value + (f",{free}" if free else "")

    @cached_property
    def independent(self) -> tuple[int, ...]:
        """Numbers of laws that are functionally independent (gradients independent at a point), lowest degree first.

        Proved independent; that no other one is independent of them is the generic case (the point is random).
        """
        draws = Draws(self.seed, digest(*self.terms.arrays))
        prime = draws.prime(61)
        return independent(self, draws.residues((len(self.variables),), prime), prime)

    def written(self) -> list[str]:
        """The laws as text, with e^(r*t) in place of a variable that stands for it."""
        return [with_exponentials(str(h), self.exponentials, r"\^(\d+)", "e^({}*t)") for h in self]

    def to_sympy(self) -> list[sympy.Expr]:
        """The laws as SymPy expressions."""
        return [h.to_sympy() for h in self]

    def to_json(self) -> str:
        """One JSON object: degree, homogeneous, complete, seed, scope, variables, laws (strings)."""
        keys = {"degree": self.degree, "homogeneous": self.homogeneous, "complete": self.complete, "seed": self.seed}
        data = {"scope": self.scope, "variables": self.variables, "laws": [str(h) for h in self]}
        return json.dumps(keys | data)

    def to_latex(self, most: int | None = None) -> list[str]:
        """The laws as LaTeX, likewise; the first ``most`` of them, default all."""
        rates = {latex_name(name): rate for name, rate in self.exponentials.items()}
        return [with_exponentials(h.to_latex(), rates, r"\^\{(\d+)\}", r"e^{{{} t}}") for h in self[:most]]

    def to_html(self, most: int = MOST_LAWS) -> Markup:
        """The first ``most`` laws as a table in HTML, likewise; long ones are cut."""
        rates, power = {html_name(name): rate for name, rate in self.exponentials.items()}, r"<sup>(\d+)</sup>"
        texts = [with_exponentials(h.to_html(MOST_TERMS), rates, power, "<i>e</i><sup>{} t</sup>") for h in self[:most]]
        return listed(texts, len(self))

    def _repr_latex_(self) -> str:
        return gathered(self.to_latex(MOST_LAWS), len(self), "no polynomial law")

    def _repr_html_(self) -> str:
        degree = f"degree {self.degree}" if self.homogeneous else f"degree at most {self.degree}"
        headline = f"{len(self)} polynomial law{'s' * (len(self) != 1)} of {degree}"
        return f"<div><b>{headline}</b>{self.to_html()}{self.known}</div>"

    def __repr__(self) -> str:
        shown = ", ".join(str(h) for h in self[:6]) + (", ..." if len(self) > 6 else "")
        return f"ConservationLaws([{shown}])"


def with_exponentials(text: str, rates: Mapping[str, Fraction], power: str, shown: str) -> str:
    """A law with e^(k*r*t) in place of s^k; ``power`` is the pattern of ^k, ``shown`` has a place for k*r."""
    for name, rate in rates.items():
        for match in reversed(list(re.finditer(rf"(?<![\w'\\]){re.escape(name)}(?:{power})?(?![\w'\[])", text))):
            value = shown.format(int(match[1] or 1) * rate)
            text = text[: match.start()] + value + text[match.end() :]
    return text


def polynomial_laws(
    flow: Flow | VectorFields, degree: int, homogeneous: bool = False, *, seed: int = 0
) -> ConservationLaws:
    r"""A basis of all polynomial laws of degree at most ``degree``, constants left out.

    h is a law when $X_i h = \sum_j X_{ij}\,\partial_j h = 0$ for every field: the nullspace of a linear system with one
    unknown for each monomial, one equation for each field and monomial. With ``homogeneous``, only h homogeneous of
    degree exactly ``degree``. Rows are primitive integers, as sparse as pairwise differences make them.

    Proved: each law, by an exact identity; that there is no other, since the nullity mod p is never smaller than the
    nullity over Q. ``completeness`` is OPEN instead where the fields or the monomials are too many to list; then the
    laws are those that the shape of the program proves (``symmetry.py``). That a large network has no other quadratic
    laws is proved by samples, without expansion (``lawsearch.py``). In a phase space the degree counts positions and
    velocities, not the clock t or $s = e^{rt}$: every power of it that a law can have is searched, or those up to a
    bound (POWERS, for weight decay with a metric, with Nesterov's damping, or negative).

    Raises TypeError for a flow or degree of another type, ValueError for degree < 1.

    >>> fields = VectorFields.from_strings(["x", "y"], [["y", "x"]])
    >>> polynomial_laws(fields, degree=2)
    ConservationLaws([x^2 - y^2])
    """
    flow = as_flow(flow)
    check_degree(degree)
    degrees = [degree] if homogeneous else list(range(degree, 0, -1))
    if degree == 2 and isinstance(flow, GradientFlow) and not flow.truncated and flow.dimension >= SAMPLED_FROM:
        laws = _quadratic_laws_of_shape(flow, homogeneous, seed)
        if laws.complete:
            return laws
    if flow.expanded_size > MAX_FIELD_TERMS or flow.monomial_count(degrees) > MAX_MONOMIALS:
        terms = _confirmed_terms(flow, seed)
        foreign = ~np.isin(flow.law_degrees(terms), degrees)
        return replace(_proposed(flow, _without(terms, terms.owner[foreign]), degree, seed), homogeneous=homogeneous)
    monomials = flow.monomials(degrees)
    preferred = _vectors(_positive(flow.proposed_terms()), monomials)
    vectors = _nullspace(flow.fields, monomials, preferred, flow.draws(seed))
    terms, known = _pack(vectors, monomials), _completeness(flow)
    return ConservationLaws(
        flow.variables, degree, homogeneous, known, seed, terms, dict(flow.exponentials), flow.scope
    )


def _quadratic_laws_of_shape(flow: GradientFlow, homogeneous: bool, seed: int) -> ConservationLaws:
    """The linearly independent laws of degree 2 that the shape of the program proves, complete if samples show it."""
    terms = _confirmed_terms(flow, seed)
    foreign = terms.degrees() != 2 if homogeneous else terms.degrees() > 2
    terms = _arranged(_positive(_without(terms, terms.owner[foreign])))
    monomials, column = np.unique(terms.hashes(), return_inverse=True)
    count, draws = int(terms.owner.max(initial=-1)) + 1, flow.draws(seed)
    prime = draws.prime(61)
    rows = Part((len(monomials),), terms.owner, column.astype(np.int64), residues(terms.coef, prime))
    fresh = SparseForm(len(monomials), prime).add(*compressed(rows, count), MOST_ENTRIES)
    terms = _arranged(_without(terms, np.flatnonzero(~fresh)))
    known = Completeness.PROVED if all_quadratic_laws(flow, terms, homogeneous, draws) else Completeness.OPEN
    return ConservationLaws(flow.variables, 2, homogeneous, known, seed, terms, dict(flow.exponentials), flow.scope)


def _completeness(flow: Flow) -> Completeness:
    """What a search of all monomials of the flow shows."""
    if flow.truncated:
        return Completeness.TRUNCATED
    return Completeness.POWERS if flow.some_powers else Completeness.PROVED


def check_degree(degree: int) -> None:
    """TypeError or ValueError unless the degree is an integer >= 1."""
    if isinstance(degree, bool) or not isinstance(degree, int):
        raise TypeError(f"degree must be an integer, not {degree!r}.")
    if degree < 1:
        raise ValueError(f"degree must be at least 1, not {degree}.")


def proposed_laws(flow: Flow, degree: int, *, seed: int = 0) -> ConservationLaws:
    """The laws of degree at most ``degree`` that the shape of the flow's program proves, at any size; confirmed."""
    terms = _confirmed_terms(flow, seed)
    return _proposed(flow, _without(terms, terms.owner[flow.law_degrees(terms) > degree]), degree, seed)


def _confirmed_terms(flow: Flow, seed: int) -> Terms:
    """The laws of the flow's shape that evaluation confirms, as packed terms."""
    return confirmed(flow, flow.proposed_terms(), flow.draws(seed))


def laws_from_dicts(flow: Flow, laws: list[Law], degree: int, seed: int) -> ConservationLaws:
    """Laws given as {variables of a monomial: coefficient}; that they are laws is the caller's word."""
    return _proposed(flow, pack_laws(laws), degree, seed)


def _proposed(flow: Flow, terms: Terms, degree: int, seed: int) -> ConservationLaws:
    """Laws of the flow's shape, in display order."""
    arranged = _arranged(_positive(terms))
    return ConservationLaws(
        flow.variables, degree, False, Completeness.OPEN, seed, arranged, dict(flow.exponentials), flow.scope
    )


def _without(terms: Terms, owners: Ints) -> Terms:
    """The terms of all other laws."""
    return terms.take(np.flatnonzero(~np.isin(terms.owner, owners))) if len(owners) else terms


def _display_ranks(terms: Terms) -> Ints:
    """A number for each term, smaller for what is shown first: higher degree, then x_0 x_0 before x_0 x_1 before ..."""
    degree = terms.degrees()
    most, size = int(degree.max(initial=0)), int(terms.var.max(initial=0)) + 1
    row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
    row, var = np.repeat(row, terms.power), np.repeat(terms.var.astype(np.int64), terms.power)
    place = np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree)
    written = np.zeros((most, len(terms)), dtype=np.int64)
    written[place, row] = var
    if (most + 1) * size**most < 2**63:  # as one number to the base ``size``
        number = most - degree
        for column in written:
            number = number * size + column
        return np.asarray(number)
    ranks = np.empty(len(terms), dtype=np.int64)
    ranks[np.lexsort((*written[::-1], -degree))] = np.arange(len(terms))
    return ranks


def _leading(terms: Terms) -> tuple[Ints, Ints]:
    """(laws, the term of each that is shown first); canonical terms."""
    laws, first = np.unique(terms.owner, return_index=True)
    if not len(laws):
        return laws, first
    ranks = _display_ranks(terms)
    smallest = np.minimum.reduceat(ranks, first)
    length = np.diff(np.append(first, len(terms)))
    return laws, np.flatnonzero(ranks == np.repeat(smallest, length))


def _positive(terms: Terms) -> Terms:
    """Laws with positive leading coefficients."""
    laws, leading = _leading(terms)
    sign = np.where(terms.coef[leading] > 0, 1, -1)
    return terms.scaled(sign[np.searchsorted(laws, terms.owner)]) if len(laws) else terms


def _arranged(terms: Terms) -> Terms:
    """Laws numbered anew in display order: lowest degree first."""
    laws, leading = _leading(terms)
    if not len(laws):
        return terms
    degree = terms.degrees()[leading]
    order = np.lexsort((_display_ranks(terms)[leading], degree))
    if (order == np.arange(len(laws))).all() and laws[-1] == len(laws) - 1:
        return terms
    number, member = ranges(np.append(np.unique(terms.owner, return_index=True)[1], len(terms)), order)
    return terms.take(member).owned_by(number)


def _vectors(laws: Terms, monomials: Terms) -> list[Vector]:
    """Packed laws as vectors over the given monomials; those with other monomials are left out."""
    hashes = monomials.hashes()
    order = np.argsort(hashes, kind="stable")
    place = order[np.minimum(np.searchsorted(hashes[order], laws.hashes()), max(0, len(order) - 1))]
    known = concatenate([laws.owned_by(0), monomials.take(place).owned_by(0)])
    here = np.arange(len(laws))
    same = monomials_kernel.equal_pairs(*known.rows, here, here + len(laws))
    vectors: dict[int, Vector] = {}
    for n, x, c in zip(laws.owner.tolist(), place.tolist(), laws.coef.tolist(), strict=True):
        vectors.setdefault(n, {})[x] = c
    foreign = set(laws.owner[~same].tolist())
    return [dict(sorted(vector.items())) for n, vector in vectors.items() if n not in foreign]


def independent(laws: ConservationLaws, point: Words, prime: int) -> tuple[int, ...]:
    """Numbers of the first laws whose gradients at the point are linearly independent mod p (so also over Q)."""
    return tuple(n for block in independent_blocks(laws, point, prime) for n in block)


def independent_blocks(laws: ConservationLaws, point: Words, prime: int) -> Iterator[list[int]]:
    """As ``independent``, some hundred laws at a time, so that a long run can be stopped with what it has."""
    ring, D, form = Jets(prime), len(laws.variables), Echelon(len(laws.variables), prime)
    for first in range(0, len(laws), LAW_BLOCK):
        last = min(first + LAW_BLOCK, len(laws))
        partial, variable = laws.packed(first, last).partials()
        owned = partial.owned_by((partial.owner - first) * D + variable)
        gradients = ring.polynomials(owned, {0: point[None]}, (last - first) * D)[0]
        fresh = form.add(gradients.reshape(last - first, D))
        yield (first + np.flatnonzero(fresh)).tolist()


def sparse_independent(laws: ConservationLaws, point: Words, prime: int) -> tuple[int, ...]:
    """As ``independent`` where the gradients are sparse: only terms that do not vanish at the point are touched."""
    terms, D = laws.terms, len(laws.variables)
    dead = np.concatenate([[0], np.cumsum(point[terms.var] == 0)])
    few = np.flatnonzero(dead[terms.start[1:]] - dead[terms.start[:-1]] <= 1)
    partial, variable = terms.take(few).partials()
    values = Jets(prime).monomials(partial, {0: point[None]})[0][0]
    values = linalg.multiply(values, residues(partial.coef, prime), prime)
    gradients = collected(Part((D,), partial.owner, variable.astype(np.int64), values), prime)
    fresh = SparseForm(D, prime).add(*compressed(gradients, len(laws)), MOST_ENTRIES)
    return tuple(np.flatnonzero(fresh).tolist())


def _nullspace(fields: VectorFields, monomials: Terms, preferred: list[Vector], draws: Draws) -> list[Vector]:
    """All laws as sparse integer vectors over the monomials, class by class, sorted for display."""
    labels = grading(fields, int(draws.residues((1,), 2**32)[0])).labels(monomials)
    order = np.lexsort(labels)
    boundary = np.flatnonzero(np.any([label[order][1:] != label[order][:-1] for label in labels], axis=0)) + 1
    class_of = np.zeros(len(monomials), dtype=np.int64)
    class_of[order] = np.searchsorted(boundary, np.arange(len(monomials)), side="right")
    solver = MonomialSystem(fields, monomials, draws)
    vectors = [vector for chunk in _chunks(order, boundary, solver.entries) for vector in solver.laws(np.sort(chunk))]
    by_class: dict[int, list[Vector]] = {}
    for vector in vectors:
        by_class.setdefault(int(class_of[next(iter(vector))]), []).append(vector)
    wanted: dict[int, list[Vector]] = {}
    for vector in preferred:
        wanted.setdefault(int(class_of[next(iter(vector))]), []).append(vector)
    shorter = {name: short_basis(group, wanted.get(name, []), draws) for name, group in by_class.items()}
    if not solver.verified([vector for group in shorter.values() for vector in group]):
        shorter = {name: short if solver.verified(short) else by_class[name] for name, short in shorter.items()}
    sparse = [vector for group in shorter.values() for vector in group]
    degree = monomials.degrees()
    return sorted(sparse, key=lambda v: (max(int(degree[x]) for x in v), min(v)))


def _chunks(order: Ints, boundary: Ints, entries: Ints) -> Iterator[Ints]:
    """Whole classes, as many at a time as have ``CHUNK`` entries of the system in all (one class at the least)."""
    total = np.concatenate([[0], np.cumsum(entries[order])])
    first = 0
    ends = np.append(boundary, len(order))
    while first < len(order):
        fitting = ends[(ends > first) & (total[ends] - total[first] <= CHUNK)]
        end = int(fitting[-1]) if len(fitting) else int(ends[ends > first][0])
        yield order[first:end]
        first = end


class MonomialSystem:
    """The equations X_i(sum_a a x^a) = 0, made for some monomials at a time and solved modulo primes.

    Equations are named by 64-bit hashes. Should two collide, their sum stands in place of both: still a consequence, so
    no law is lost, and what is found is checked exactly.
    """

    def __init__(self, fields: VectorFields, monomials: Terms, draws: Draws) -> None:
        D = fields.dimension
        by_component = np.argsort(fields.terms.owner % max(1, D), kind="stable")
        self._fields, self._monomials = fields, monomials
        self._terms = fields.terms.take(by_component)
        self._component_start = starts(self._terms.owner % max(1, D), D)
        names = Terms.variables(0, D + len(fields)).hashes()
        self._variable_hash = names[:D]
        self._term_hash = self._terms.hashes() + names[D + self._terms.owner // max(1, D)]
        self._monomial_hash = monomials.hashes()
        self._primes = [draws.prime(61)]
        self._draws = draws
        counts = np.diff(self._component_start)[monomials.var]
        totals = np.concatenate([[0], np.cumsum(counts)])
        self.entries: Ints = totals[monomials.start[1:]] - totals[monomials.start[:-1]]  # (M,) of each monomial

    def laws(self, chosen: Ints) -> list[Vector]:
        """All laws in the chosen monomials: solve mod p, lift, verify; add primes until every vector is verified."""
        modulus, solution = 1, dict[int, dict[int, int]]()
        for n in range(MAX_PRIMES):
            if n == len(self._primes):
                self._primes.append(self._draws.prime(61))
            prime = self._primes[n]
            found = {next(iter(vector)): vector for vector in self._solve(chosen, prime)}
            if modulus > 1 and found.keys() != solution.keys():
                # one of the primes is unlucky: the larger nullity is wrong, and a pivot that moved right too
                if (len(found), sorted(found, reverse=True)) > (len(solution), sorted(solution, reverse=True)):
                    continue
                modulus, solution = 1, {}
            solution = {lead: _crt(solution.get(lead, {}), modulus, found[lead], prime) for lead in found}
            modulus *= prime
            lifted = [_lift(vector, modulus) for vector in solution.values()]
            vectors = [vector for vector in lifted if vector is not None]
            if len(vectors) == len(solution) and self.verified(vectors):
                return vectors
        raise ArithmeticError(f"a law has coefficients of more than {MAX_PRIMES * 30} bits; none was found smaller.")

    def _solve(self, chosen: Ints, prime: int) -> list[dict[int, int]]:
        subset = self._monomials.take(chosen)
        key, unknown, value = system.equations(
            *subset.rows,
            self._monomial_hash[chosen],
            self._variable_hash,
            self._component_start,
            self._term_hash,
            residues(self._terms.coef, prime),
            prime,
        )
        vectors = SparseRows(key, unknown, value, len(chosen), prime).nullspace()
        return [{int(chosen[x]): c for x, c in vector.items()} for vector in vectors]

    def verified(self, vectors: list[Vector]) -> bool:
        """Whether every vector is a law, exactly."""
        return len(packed_derivatives(_pack(vectors, self._monomials), len(vectors), self._fields)) == 0


def _pack(vectors: list[Vector], monomials: Terms) -> Terms:
    """The laws as packed terms, owned by their numbers."""
    index = np.array([x for vector in vectors for x in vector], dtype=np.int64)
    owner = np.repeat(np.arange(len(vectors)), [len(vector) for vector in vectors]).astype(np.int64)
    terms = monomials.take(index)
    values = [c for vector in vectors for c in vector.values()]
    coef: NDArray[Any] = np.array(values, dtype=object) if len(values) else terms.coef
    return Terms(owner, coef, *terms.rows).canonical()


def _crt(old: dict[int, int], modulus: int, new: dict[int, int], prime: int) -> dict[int, int]:
    """Residues mod modulus * prime with the given residues."""
    inverse = pow(modulus, -1, prime)
    out = {}
    for x in sorted(old.keys() | new.keys()):
        a = old.get(x, 0)
        out[x] = a + modulus * ((new.get(x, 0) - a) * inverse % prime)
    return out


def _lift(vector: dict[int, int], modulus: int) -> Vector | None:
    """The primitive integer vector with these residues, if every entry reconstructs."""
    exact: dict[int, Fraction] = {}
    for x, c in vector.items():
        lifted = reconstruct(c, modulus)
        if lifted is None:
            return None
        exact[x] = lifted
    return primitive(exact)
