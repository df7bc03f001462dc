"""Other bases of the same laws: in echelon form, without negative coefficients; and generators of all of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import Any

from clexact.algebra.linalg import rational_rank
from clexact.algebra.parametric import Branch, solutions
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Monomial, Terms, concatenate
from clexact.laws.result import ConservationLaws, further
from clexact.support.nearest import check_word

BASES = ("sparse", "echelon", "nonnegative")
MOST_LAWS = 1500  # of which generators are looked for
MOST_PRODUCTS = 5000
MOST_RAYS = 4000
Row = dict[Monomial, Fraction]


def in_basis(laws: ConservationLaws, basis: str) -> ConservationLaws:
    """The laws in another basis of the same space.

    Parameters
    ----------
    laws : ConservationLaws
        A basis.
    basis : {"sparse", "echelon", "nonnegative"}
        As they are; reduced echelon form in the order in which monomials are shown; of linear laws, those without
        negative coefficients, of least support first.

    Returns
    -------
    ConservationLaws
        As many laws, but for ``nonnegative`` fewer where the space has fewer independent ones without negative signs.

    Raises
    ------
    ValueError
        For another word, for laws with parameters, and for ``nonnegative`` of laws that are not linear.

    Examples
    --------
    >>> import clexact
    >>> X = clexact.VectorFields.from_strings(["x", "y", "z"], [["y*z", "-y*z", "-y*z"]])
    >>> in_basis(clexact.polynomial_laws(X, 1), "nonnegative")
    ConservationLaws([x + y, x + z])
    """
    check_word(basis, BASES, "the basis")
    if basis == "sparse":
        return laws
    if laws.parameters:
        raise ValueError(f"the basis {basis!r} is of laws without parameters.")
    rows = [dict(h.items()) for h in laws]
    found = _echelon(rows) if basis == "echelon" else _nonnegative(rows)
    return _listed(laws, found)


def _listed(laws: ConservationLaws, rows: list[Row]) -> ConservationLaws:
    """As a result in the same variables."""
    owner, coef, monomials = list[int](), list[int](), list[Monomial]()
    for n, row in enumerate(rows):
        for m, c in _primitive(row).items():
            owner.append(n)
            coef.append(c)
            monomials.append(m)
    return replace(laws, terms=Terms.from_monomials(owner, coef, monomials).canonical())


def _primitive(row: Row) -> dict[Monomial, int]:
    common = lcm(*(c.denominator for c in row.values()))
    whole = {m: int(c * common) for m, c in row.items()}
    divisor = gcd(*whole.values())
    return {m: c // divisor for m, c in whole.items()}


def _echelon(rows: list[Row]) -> list[Row]:
    """Reduced, the leading monomials those shown first."""
    pivots = list[tuple[Monomial, Row]]()
    for row in rows:
        rest = dict(row)
        for lead, pivot in pivots:
            rest = _less(rest, pivot, lead)
        if not rest:
            continue
        lead = min(rest, key=_key)
        rest = {m: c / rest[lead] for m, c in rest.items()}
        pivots = [(old, _less(pivot, rest, lead)) for old, pivot in pivots]
        pivots.append((lead, rest))
    return [row for _, row in sorted(pivots, key=lambda item: (sum(k for _, k in item[0]), _key(item[0])))]


def _key(monomial: Monomial) -> tuple[int, Monomial]:
    return (-sum(k for _, k in monomial), monomial)


def _less(row: Row, pivot: Row, lead: Monomial) -> Row:
    """row minus the multiple of the pivot that takes away its leading monomial."""
    factor = row.get(lead)
    if not factor:
        return row
    out = dict(row)
    for m, c in pivot.items():
        value = out.get(m, Fraction(0)) - factor * c
        if value:
            out[m] = value
        else:
            out.pop(m, None)
    return out


def _nonnegative(rows: list[Row]) -> list[Row]:
    """Independent extreme rays of the cone of nonnegative vectors, block by block, shortest first."""
    if any(sum(k for _, k in m) != 1 for row in rows for m in row):
        raise ValueError("the basis 'nonnegative' is of linear laws: give degree 1.")
    found = list[Row]()
    for block in _blocks(rows):
        rays = sorted(_rays(block), key=lambda ray: (len(ray), sorted(ray)))
        chosen = list[Row]()
        columns = sorted({m for ray in rays for m in ray})
        for ray in rays:
            matrix = [[other.get(m, Fraction(0)) for m in columns] for other in [*chosen, ray]]
            if len(chosen) < len(block) and rational_rank(matrix) > len(chosen):
                chosen.append(ray)
        found += chosen
    return sorted(found, key=lambda row: min(row))


def _blocks(rows: list[Row]) -> list[list[Row]]:
    """The rows in groups without a monomial in common."""
    groups = list[tuple[set[Monomial], list[Row]]]()
    for row in rows:
        mine, members = set(row), [row]
        kept = list[tuple[set[Monomial], list[Row]]]()
        for names, group in groups:
            if names & mine:
                mine, members = mine | names, group + members
            else:
                kept.append((names, group))
        groups = [*kept, (mine, members)]
    return [group for _, group in groups]


def _rays(rows: list[Row]) -> list[Row]:
    """The extreme rays of {y in the span of the rows: y >= 0}, by double description, from the coordinate functionals.

    A ray is kept as its values y; two rays are adjacent when no other ray is 0 wherever both are.
    """
    columns = sorted({m for row in rows for m in row})
    basis = _echelon(rows)  # rows with unit pivots: y at the pivots are the coordinates of y
    pivots = [min(row, key=_key) for row in basis]
    rays = [dict(row) for row in basis]
    done = list(pivots)
    for m in (m for m in columns if m not in set(pivots)):
        plus = [r for r in rays if r.get(m, 0) > 0]
        zero = [r for r in rays if not r.get(m)]
        minus = [r for r in rays if r.get(m, 0) < 0]
        made = [_joined(p, q, m) for p in plus for q in minus if _adjacent(p, q, rays, done)]
        rays = plus + zero + made
        done.append(m)
        if len(rays) > MOST_RAYS:
            raise ValueError(f"more than {MOST_RAYS} laws without negative coefficients: ask for the basis 'sparse'.")
    return rays


def _adjacent(p: Row, q: Row, rays: list[Row], done: list[Monomial]) -> bool:
    zeros = {m for m in done if not p.get(m) and not q.get(m)}
    return not any(r is not p and r is not q and all(not r.get(m) for m in zeros) for r in rays)


def _joined(p: Row, q: Row, m: Monomial) -> Row:
    """The combination of both that is 0 at m."""
    a, b = p[m], -q[m]
    out = {k: b * p.get(k, Fraction(0)) + a * q.get(k, Fraction(0)) for k in {*p, *q}}
    whole = _primitive({k: c for k, c in out.items() if c})
    return {k: Fraction(c) for k, c in whole.items()}


def generators(laws: ConservationLaws) -> ConservationLaws:
    """Those of the laws that are no combinations of products of the ones before: all others are made of these.

    Parameters
    ----------
    laws : ConservationLaws
        A basis up to a degree.

    Returns
    -------
    ConservationLaws
        Some of the laws, from the lowest degree up.

    Raises
    ------
    ValueError
        For more than 1,500 laws, or more than 5,000 products.

    Examples
    --------
    >>> import clexact
    >>> X = clexact.VectorFields.from_strings(["x", "y", "z"], [["y*z", "-y*z", "-y*z"]])
    >>> laws = clexact.polynomial_laws(X, 2)
    >>> len(laws), generators(laws)
    (5, ConservationLaws([x + y, x + z]))
    """
    if len(laws) > MOST_LAWS:
        raise ValueError(f"generators are looked for among at most {MOST_LAWS} laws, not {len(laws)}.")
    states = len(laws.variables) - len(laws.parameters)
    every = [(h, _degree(h, states)) for h in laws]
    chosen = list[tuple[Polynomial, int]]()
    for degree in sorted({d for _, d in every}):
        mine = [h for h, d in every if d == degree]
        known = [h for h, _ in _products(chosen, degree)]
        if laws.parameters:
            fresh = _fresh_over_parameters(known, mine, states)
        else:
            fresh = further(_packed(known), replace(laws, terms=_packed(mine))).tolist()
        chosen += [(h, degree) for h, new in zip(mine, fresh, strict=True) if new]
    return replace(laws, terms=_packed([h for h, _ in chosen]))


def _degree(h: Polynomial, states: int) -> int:
    """In the variables that are no parameters."""
    return max((sum(k for v, k in m if v < states) for m, _ in h.items()), default=0)


def _packed(laws: list[Polynomial]) -> Terms:
    if not laws:
        return Terms.from_monomials([], [], [])
    return concatenate([h.terms.owned_by(n) for n, h in enumerate(laws)]).canonical()


def _products(chosen: list[tuple[Polynomial, int]], degree: int) -> list[tuple[Polynomial, int]]:
    """All products of the polynomials of this degree at most, each once."""
    found = [(h, d, n) for n, (h, d) in enumerate(chosen)]
    for h, d, n in found:
        for k in range(n, len(chosen)):
            if d + chosen[k][1] <= degree:
                found.append((h * chosen[k][0], d + chosen[k][1], k))
        if len(found) > MOST_PRODUCTS:
            raise ValueError(f"more than {MOST_PRODUCTS} products of laws: ask for a lower degree.")
    return [(h, d) for h, d, _ in found]


def _fresh_over_parameters(known: list[Polynomial], mine: list[Polynomial], states: int) -> list[bool]:
    """Which raise the rank over Q(a)."""
    ranks = [_rank([*known, *mine[:n]], states) for n in range(len(mine) + 1)]
    return [after > before for before, after in pairwise(ranks)]


def _rank(laws: list[Polynomial], states: int) -> int:
    """Over Q(a), by elimination."""
    from sympy import ZZ, Symbol
    from sympy.polys.rings import PolyRing

    if not laws:
        return 0
    ring = PolyRing([Symbol(name) for name in laws[0].variables[states:]], ZZ, "grevlex")
    columns: dict[Monomial, int] = {}
    rows = list[dict[int, Any]]()
    for h in laws:
        entries: dict[int, dict[tuple[int, ...], int]] = {}
        for m, c in h.primitive.items():
            mine = tuple((v, k) for v, k in m if v < states)
            powers = {v - states: k for v, k in m if v >= states}
            column = columns.setdefault(mine, len(columns))
            entries.setdefault(column, {})[tuple(powers.get(i, 0) for i in range(ring.ngens))] = int(c)
        rows.append({column: ring.from_dict(p) for column, p in entries.items()})
    (found,) = solutions(rows, [], Branch(ring, generic=True))
    return len(found.pivots)
