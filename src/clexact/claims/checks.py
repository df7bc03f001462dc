"""How claims are checked at one size: by a certified count, by exact identities, by dimensions of the Lie algebra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import count as natural_numbers
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.field_span import span_dimensions
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import rational_rank
from clexact.algebra.polynomial import Number, Polynomial
from clexact.claims.claim import Check
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.dynamics import as_flow
from clexact.flows.flow import Flow
from clexact.laws.check import LawStatus, check_law
from clexact.laws.logarithmic import Law
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.result import ConservationLaws
from clexact.lie.closure import ClosureStatus, LieClosure, lie_closure
from clexact.programs.model import entry_names
from clexact.support.errors import MAX_ERROR, error_bits

SHOWN = 6  # laws that a check carries
HIGHEST, MOST_MONOMIALS = 4, 500  # degree and monomials up to which laws that are missing are searched
MOST_FOR_FORMS = 4  # dimension up to which they are sought among rational and logarithmic laws
POINT = 10**15  # largest entry of a point at which gradients of laws are compared: none that is special by chance
EXACT = (  # the note of claims on analytic functions
    "The functions stand for themselves: exponentials satisfy no algebraic relation but e^(u + v) = e^u e^v (Ax 1971), "
    "so ranks of residues put in their place are proofs."
)
Names = NDArray[np.object_]  # a matrix of names of entries


def counted(flow: Flow | VectorFields, stated: int, seed: int, degree: int = 2) -> Check:
    """The certified number of independent laws beside the number stated."""
    return compared(certify(flow, degree, seed), stated)


def of_count(count: LawCount, holds: bool | None, stated: str) -> Check:
    """A check of what a certified count says."""
    found = str(count.lower) if count.exact else f"{count.lower} to {count.upper}"
    further = others(count)
    return Check(
        holds, stated, found, f"at least: {count.evidence.lower}; at most: {count.evidence.upper}", count.dimension,
        scope=count.scope, count=count.lower if count.exact else None,
        laws=(*count.laws.polynomials().to_latex(SHOWN), *(law.to_latex() for law in further)),
        more=beyond(count, further), proof=count,
    )  # fmt: skip


def others(count: LawCount) -> tuple[Law, ...]:
    """Rational and logarithmic laws where a count exceeds the polynomial laws shown, sought in small dimensions."""
    return _further(count) if count.dimension <= MOST_FOR_FORMS else ()


@cache
def _further(count: LawCount) -> tuple[Law, ...]:
    """Once for all statements about a count."""
    return count.further_laws()


def beyond(count: LawCount, further: Sequence[Law]) -> str:
    """Where a count exceeds the polynomial laws shown, what was tried to find the others, and what was found."""
    missing = count.lower - count.exhibited
    if not missing:
        return ""
    degree, polynomials = _raised(count)
    said = f"{polynomials} of {count.lower} are polynomials (searched up to degree {degree})"
    if further:
        forms = " and ".join(dict.fromkeys(law.form.value for law in further))
        said += f", {len(further)} more found: {forms}"
    left = count.lower - polynomials - len(further)
    tried = "none found" if count.dimension <= MOST_FOR_FORMS else "not sought at this size"
    return said + (f"; {left} by Frobenius' theorem (rational or logarithmic: {tried})" if left > 0 else "")


def _raised(count: LawCount) -> tuple[int, int]:
    """The largest degree searched, and how many independent polynomial laws there are up to it."""
    degree, found = count.degree, count.exhibited
    while found < count.lower and degree < HIGHEST and comb(count.dimension + degree + 1, degree + 1) <= MOST_MONOMIALS:
        degree += 1
        found = len(polynomial_laws(count.flow, degree, seed=count.seed).independent)
    return degree, found


def lawful(flow: Flow | VectorFields, laws: Iterable[Polynomial | str], seed: int) -> Check:
    """Whether all the given polynomials are laws, by exact identities where the fields can be listed."""
    flow, given = as_flow(flow), list(laws)
    outcomes = [check_law(flow, law, seed=seed) for law in given]
    wrong = [outcome for outcome in outcomes if not outcome]
    stated = f"{len(given)} polynomial{'s' * (len(given) != 1)} conserved"
    found = f"{len(given) - len(wrong)} of {len(given)} conserved"
    said = dict.fromkeys(str(outcome) for outcome in outcomes)
    holds = False if any(outcome.status is LawStatus.FALSE for outcome in wrong) else None if wrong else True
    return Check(
        holds, stated, found, "; ".join(said) or "nothing to check", flow.dimension,
        laws=tuple(h.law.to_latex() for h in (wrong or outcomes)[:SHOWN] if isinstance(h.law, Polynomial)),
    )  # fmt: skip


def spanned(flow: Flow | VectorFields, laws: Sequence[Polynomial], degree: int, seed: int) -> Check:
    """Whether every polynomial law of at most this degree is a linear combination of the given laws."""
    found = polynomial_laws(flow, degree, seed=seed)
    dimension = _dimension(laws)
    inside = _dimension([*laws, *found]) == dimension
    return Check(
        None if not found.complete and inside else inside,
        f"a span of dimension {dimension}",
        f"{len(found)} linearly independent laws of degree <= {degree}",
        f"exact identities; {found.known}",
        len(found.variables),
        laws=tuple(found.to_latex()[:SHOWN]),
    )


def _dimension(laws: Sequence[Polynomial] | ConservationLaws) -> int:
    """Of the linear span over Q."""
    return dimension_of([dict(law.items()) for law in laws])


def filtered(flow: Flow | VectorFields, stated: str, holds: Callable[[LieClosure], bool | None], seed: int) -> Check:
    """What the dimensions of W_0, W_1, ... at a generic point say of a statement."""
    flow = as_flow(flow)
    closure = lie_closure(flow, seed=seed)
    ranks = " -> ".join(map(str, closure.dims)) + flow.qualification
    known = None if closure.status is ClosureStatus.OPEN else holds(closure)
    return Check(known, stated, f"dim W = {ranks}", closure.status.value, closure.dimension, flow.scope)


def identity(true: bool, stated: str, found: str, evidence: str, dimension: int) -> Check:
    """The outcome of an exact computation."""
    return Check(bool(true), stated, found, evidence, dimension)


def drawn_point(dimension: int, seed: int, bound: int = 9) -> tuple[int, ...]:
    """An integer point with entries in -bound..bound, none of them 0."""
    return tuple(entry or bound for entry in Draws(seed).integers(-bound, bound, dimension))


def together(checks: Sequence[Check]) -> Check:
    """Several checks of one statement at one size: it holds where all do."""
    outcomes = [check.holds for check in checks]
    counts = {check.count for check in checks} - {None}
    wrong = [check for check in checks if not check.holds] or checks
    return Check(
        False if False in outcomes else (None if None in outcomes else True),
        "; ".join(dict.fromkeys(check.stated for check in checks)),
        "; ".join(dict.fromkeys(check.found for check in wrong)),
        "; ".join(dict.fromkeys(check.evidence for check in wrong)),
        max(check.dimension for check in checks),
        scope="; ".join(dict.fromkeys(check.scope for check in checks if check.scope)),
        count=counts.pop() if len(counts) == 1 else None,
        laws=wrong[0].laws,
        more="; ".join(dict.fromkeys(check.more for check in checks if check.more)),
        proof=checks[0].proof,
    )  # fmt: skip


def dimension_of(rows: Sequence[Mapping[Any, Number]]) -> int:
    """Of the linear span over Q of sparse vectors {place: coefficient}."""
    columns = {place: k for k, place in enumerate(dict.fromkeys(place for row in rows for place in row))}
    dense: list[list[Number]] = []
    for row in rows:
        dense.append([0] * len(columns))
        for place, coefficient in row.items():
            dense[-1][columns[place]] = coefficient
    return rational_rank(dense)


def compared(count: LawCount, stated: int) -> Check:
    """A certified number beside the number stated."""
    holds = count.lower == stated if count.exact else (None if count.lower <= stated <= count.upper else False)
    return of_count(count, holds, str(stated))


@cache
def count_at(make: Callable[..., Flow | VectorFields], args: tuple[Any, ...], seed: int, degree: int = 2) -> LawCount:
    """``certify(make(*args))``, once for all statements about that flow."""
    return certify(make(*args), degree, seed)


def at(h: Polynomial, point: Sequence[Any]) -> Any:
    """h at polynomials, which it is composed with, or at rationals."""
    total: Any = 0
    for monomial, c in h.items():
        term: Any = c
        for v, k in monomial:
            term = term * point[v] ** k
        total = total + term
    return total


def gradient_rank(laws: Sequence[Polynomial], point: Sequence[Number]) -> int:
    """Rank over Q of the gradients at a rational point."""
    return VectorFields(laws[0].variables, [h.gradient for h in laws]).rank_at(point) if laws else 0


def independent_rank(laws: Sequence[Polynomial], dimension: int, wanted: int, seed: int) -> tuple[int, Fraction]:
    """How many laws are independent, as far as ``wanted`` asks, and the probability that more of them are.

    A minor of the gradients of degree d that is not 0 vanishes at a drawn point with probability at most d / POINT
    (Schwartz-Zippel: no entry of a point is more likely than 1 / POINT): points are drawn until this is below 2^-100.
    """
    rank, error = 0, Fraction(1)
    minor = Fraction(max(1, sum(max(0, law.degree - 1) for law in laws)), POINT)
    for number in natural_numbers():
        rank = max(rank, gradient_rank(laws, drawn_point(dimension, seed + number, POINT)))
        error *= minor
        if rank >= min(wanted, len(laws)):
            return rank, Fraction(0)
        if error <= MAX_ERROR:
            return rank, error
    raise AssertionError("unreachable: the error shrinks at each point.")


def orthogonal(h: Polynomial, direction: Sequence[Polynomial]) -> bool:
    r"""Whether $\langle\nabla h, X\rangle = 0$, as polynomials."""
    products = (a * b for a, b in zip(h.gradient, direction, strict=True) if a and b)
    return sum(products, Polynomial(h.variables, {})).is_zero


def same_span(mine: VectorFields, stated: VectorFields) -> Check:
    """Whether two families span the same space of fields over Q."""
    first, second, both = span_dimensions(mine, stated)
    found = f"dimensions {first}, {second} and {both} together"
    return identity(first == second == both, "the same span", found, "exact ranks of coefficients", mine.dimension)


# --- matrices of entries, and the laws they make ---------------------------------------------------------------------


def matrix(name: str, shape: tuple[int, ...], axis: int = -1) -> Names:
    """The names of the entries of a parameter as a matrix, with a column for each index along the axis."""
    entries = np.array(entry_names(name, shape), dtype=object).reshape(shape)
    return np.moveaxis(entries, axis, -1).reshape(-1, shape[axis])


def gram_laws(flow: Flow | VectorFields, plus: Names, minus: Names, diagonal: bool = False) -> list[Polynomial]:
    """The entries k <= l of P^T P - M^T M, or its diagonal alone: squared norms of columns."""
    columns = range(plus.shape[1])
    pairs = [(k, k) for k in columns] if diagonal else [(k, j) for k in columns for j in columns if k <= j]
    texts = [_pairing(plus, k, j, "+") + _pairing(minus, k, j, "-") for k, j in pairs]
    return [Polynomial.from_string(text, as_flow(flow).variables) for text in texts]


def _pairing(entries: Names, k: int, j: int, sign: str) -> str:
    return "".join(f"{sign} {row[k]}*{row[j]} " for row in entries)


def sum_laws(flow: Flow | VectorFields, entries: Names) -> list[Polynomial]:
    """The sums of the columns."""
    return [Polynomial.from_string(" + ".join(column), as_flow(flow).variables) for column in entries.T]


# --- more checks -----------------------------------------------------------------------------------------------------


def complete(flow: Flow | VectorFields, laws: Sequence[Polynomial], seed: int, degree: int = 2) -> Check:
    """Whether the given polynomials are laws, and all laws are functions of them: as many are independent as exist.

    That fewer are independent is not proved when as many are given: it has an error of at most 2^-100, and says so.
    """
    count = certify(flow, degree, seed)
    statuses = {check_law(flow, law, seed=seed).status for law in laws}
    rank, error = independent_rank(laws, count.dimension, count.lower, seed)
    stated = f"{len(laws)} polynomials conserved, {rank} of them independent, and no others"
    refuted, unknown = LawStatus.FALSE in statuses, LawStatus.OPEN in statuses
    holds = False if refuted or rank < count.lower else True if count.exact and not unknown else None
    check = of_count(count, holds, stated)
    if error and not refuted:
        said = f"no more than {rank} of the given laws are independent, with error <= 2^-{error_bits(error)}"
        check = replace(check, evidence=f"{check.evidence}; {said}")
    if refuted or unknown:
        said = "conserved" if refuted else "shown to be conserved"
        check = replace(check, stated=f"{stated} (not all of them are {said})")
    return check
