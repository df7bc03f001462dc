"""How claims are checked at one size: by a certified count, by exact identities, by dimensions of the Lie algebra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.certify import LawCount, certify
from clexact.claims.claim import Check
from clexact.draws import Draws
from clexact.fields import VectorFields
from clexact.flow import Flow, as_flow
from clexact.lawcheck import check_law
from clexact.laws import ConservationLaws, polynomial_laws
from clexact.lie import LieClosure, lie_closure
from clexact.linalg import rational_rank
from clexact.model import entry_names
from clexact.polynomial import Number, Polynomial

SHOWN = 6  # laws that a check carries
POINT = 10**6  # largest entry of a point at which gradients of laws are compared
Names = NDArray[np.object_]  # a matrix of names of entries


def counted(flow: Flow | VectorFields, stated: int, seed: int, degree: int = 2) -> Check:
    """The certified number of independent laws beside the number stated."""
    count = certify(flow, degree, seed)
    holds = count.lower == stated if count.exact else (None if count.lower <= stated <= count.upper else False)
    return of_count(count, holds, str(stated))


def of_count(count: LawCount, holds: bool | None, stated: str) -> Check:
    """A check of what a certified count says."""
    found = str(count.lower) if count.exact else f"{count.lower} to {count.upper}"
    return Check(
        holds, stated, found, f"at least: {count.evidence.lower}; at most: {count.evidence.upper}", count.dimension,
        count=count.lower if count.exact else None, laws=tuple(count.laws.to_latex()[:SHOWN]),
        certificate=certificate_or_none(count),
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
    return sparse_rank([dict(law.items()) for law in laws])


def sparse_rank(rows: Sequence[Mapping[Any, Number]]) -> int:
    """Rank over Q of rows given as {column: entry}."""
    columns = {key: k for k, key in enumerate(dict.fromkeys(key for row in rows for key in row))}
    dense: list[list[Number]] = []
    for row in rows:
        dense.append([0] * len(columns))
        for key, entry in row.items():
            dense[-1][columns[key]] = entry
    return rational_rank(dense)


def filtered(flow: Flow | VectorFields, stated: str, holds: Callable[[LieClosure], bool | None], seed: int) -> Check:
    """What the dimensions of W_0, W_1, ... at a generic point say of a statement."""
    closure = lie_closure(flow, seed=seed)
    dims = " -> ".join(map(str, closure.dims))
    return Check(holds(closure), stated, f"dim W = {dims}", closure.status.value, closure.dimension)


def identity(true: bool, stated: str, found: str, evidence: str, dimension: int) -> Check:
    """The outcome of an exact computation."""
    return Check(bool(true), stated, found, evidence, dimension)


def drawn_point(dimension: int, seed: int, bound: int = 9) -> tuple[int, ...]:
    """An integer point with entries in -bound..bound, none of them 0."""
    return tuple(entry or bound for entry in Draws(seed).integers(-bound, bound, dimension))


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


def gradient_rank(laws: Sequence[Polynomial], seed: int) -> int:
    """Rank over Q of the gradients at an integer point: so many are independent, and all of them with this rank.

    The generic rank is larger with a probability of at most D * degree / 2 POINT: where it matters, at two points.
    """
    if not laws:
        return 0
    at = dict(zip(laws[0].variables, drawn_point(len(laws[0].variables), seed, POINT), strict=True))
    return rational_rank([[partial(**at) for partial in law.gradient] for law in laws])


def complete(flow: Flow | VectorFields, laws: Sequence[Polynomial], seed: int, degree: int = 2) -> Check:
    """Whether the given polynomials are laws, and all laws are functions of them: as many are independent as exist.

    Of Taylor coefficients, where the bounds meet, the laws are those of the functions: no fewer, and so the same.
    """
    count = certify(flow, degree, seed)
    conserved = all(check_law(flow, law, seed=seed) for law in laws)
    rank = max(gradient_rank(laws, seed + k) for k in range(2))
    stated = f"{len(laws)} polynomials conserved, {rank} of them independent, and no others"
    holds = False if not conserved or rank < count.lower else True if count.exact else None
    check = of_count(count, holds, stated)
    return check if conserved else replace(check, stated=f"{stated} (not all of them are conserved)")


def refined(flow: Callable[[int], Flow], orders: Sequence[int], check: Callable[[Flow], Check]) -> Check:
    """A check at the first Taylor order at which it is decided, or at the last."""
    for order in orders:
        outcome = check(flow(order))
        if outcome.count is not None:
            break
    return outcome


def field_rank(*families: VectorFields) -> int:
    """Dimension of the span over Q of all fields, as polynomials."""
    rows: list[dict[Any, Number]] = []
    for family in families:
        for i in range(len(family)):
            parts = enumerate(family.components(i))
            rows.append({(j, m): c for j, part in parts for m, c in part.items()})
    return sparse_rank(rows)


def same_span(one: VectorFields, other: VectorFields) -> Check:
    """Whether two families of fields span the same space over Q: then all that is conserved is the same."""
    first, second, both = field_rank(one), field_rank(other), field_rank(one, other)
    return identity(
        first == second == both, "the same fields", f"spans of dimension {first} and {second}, together {both}",
        "exact ranks over Q of the coefficients of all fields", one.dimension,
    )  # fmt: skip
