"""How claims are checked at one size: by a certified count, by exact identities, by dimensions of the Lie algebra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from clexact.algebra import span_dimensions
from clexact.certify import LawCount, certify
from clexact.claims.claim import Check
from clexact.draws import Draws
from clexact.fields import VectorFields
from clexact.flow import Flow, as_flow
from clexact.lawcheck import check_law
from clexact.laws import ConservationLaws, polynomial_laws
from clexact.lie import ClosureStatus, LieClosure, lie_closure
from clexact.linalg import rational_rank
from clexact.polynomial import Number, Polynomial

SHOWN = 6  # laws that a check carries


def counted(flow: Flow | VectorFields, stated: int, seed: int, degree: int = 2) -> Check:
    """The certified number of independent laws beside the number stated."""
    return compared(certify(flow, degree, seed), stated)


def of_count(count: LawCount, holds: bool | None, stated: str) -> Check:
    """A check of what a certified count says."""
    found = str(count.lower) if count.exact else f"{count.lower} to {count.upper}"
    beyond = f"{count.exhibited} of them are polynomials of degree <= {count.degree}; the others exist by Frobenius"
    return Check(
        holds, stated, found, f"at least: {count.evidence.lower}; at most: {count.evidence.upper}", count.dimension,
        count=count.lower if count.exact else None, laws=tuple(count.laws.to_latex()[:SHOWN]),
        more=beyond if count.lower > count.exhibited else "", certificate=certificate_or_none(count),
    )  # fmt: skip


def certificate_or_none(count: LawCount) -> object:
    """The certificate; None where the fields are too many to be listed."""
    try:
        return count.certificate
    except ValueError:
        return None


def lawful(flow: Flow | VectorFields, laws: Iterable[Polynomial | str], seed: int) -> Check:
    """Whether all the given polynomials are laws, by exact identities where the fields can be listed."""
    flow, given = as_flow(flow), list(laws)
    outcomes = [check_law(flow, law, seed=seed) for law in given]
    wrong = [outcome for outcome in outcomes if not outcome]
    stated = f"{len(given)} polynomial{'s' * (len(given) != 1)} conserved"
    found = f"{len(given) - len(wrong)} of {len(given)} conserved"
    said = dict.fromkeys(str(outcome) for outcome in outcomes)
    return Check(
        not wrong, stated, found, "; ".join(said) or "nothing to check", flow.dimension,
        laws=tuple(outcome.law.to_latex() for outcome in (wrong or outcomes)[:SHOWN]),
    )  # fmt: skip


def spanned(flow: Flow | VectorFields, laws: Sequence[Polynomial], degree: int, seed: int) -> Check:
    """Whether every polynomial law of at most this degree is a linear combination of the given laws."""
    found = polynomial_laws(flow, degree, seed=seed)
    inside = _dimension([*laws, *found]) == _dimension(laws)
    return Check(
        None if not found.complete and inside else inside,
        f"a span of dimension {_dimension(laws)}",
        f"{len(found)} linearly independent laws of degree <= {degree}",
        f"exact identities; {found.completeness.value}",
        len(found.variables),
        laws=tuple(found.to_latex()[:SHOWN]),
    )


def _dimension(laws: Sequence[Polynomial] | ConservationLaws) -> int:
    """Of the linear span over Q."""
    return dimension_of([dict(law.items()) for law in laws])


def filtered(flow: Flow | VectorFields, stated: str, holds: Callable[[LieClosure], bool | None], seed: int) -> Check:
    """What the dimensions of W_0, W_1, ... at a generic point say of a statement."""
    closure = lie_closure(flow, seed=seed)
    dims = " -> ".join(map(str, closure.dims))
    known = None if closure.status is ClosureStatus.OPEN else holds(closure)
    return Check(known, stated, f"dim W = {dims}", closure.status.value, closure.dimension)


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
        count=counts.pop() if len(counts) == 1 else None,
        laws=wrong[0].laws,
        more="; ".join(dict.fromkeys(check.more for check in checks if check.more)),
        certificate=checks[0].certificate,
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


def gradient_rank(laws: Sequence[Polynomial], point: Sequence[Number]) -> int:
    """Rank over Q of the gradients at a rational point."""
    return VectorFields(laws[0].variables, [h.gradient for h in laws]).rank_at(point) if laws else 0


def orthogonal(h: Polynomial, direction: Sequence[Polynomial]) -> bool:
    r"""Whether $\langle\nabla h, X\rangle = 0$, as polynomials."""
    products = (a * b for a, b in zip(h.gradient, direction, strict=True) if a and b)
    return sum(products, Polynomial(h.variables, {})).is_zero


def same_span(mine: VectorFields, stated: VectorFields) -> Check:
    """Whether two families span the same space of fields over Q."""
    first, second, both = span_dimensions(mine, stated)
    found = f"dimensions {first}, {second} and {both} together"
    return identity(first == second == both, "the same span", found, "exact ranks of coefficients", mine.dimension)
