r"""A formula that is stated, such as r*(r + 1)/2 or k*(2*r + 1 - k)/2 with k = min(r, n + m), against a theorem.

``min``, ``max`` and conditions split the sizes into pieces on each of which the formula is one polynomial. Where a
piece meets a regime both are polynomials: that they are equal is shown on all of it, that they differ at one of its
points.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from clexact.theorems import counts
from clexact.theorems.conditions import Condition, Domain, Linear, empty, implies, left_over, parse, reduced
from clexact.theorems.counts import Count
from clexact.theorems.theorem import Theorem

Pieces = list[tuple[Domain, Count]]
FAR = 6  # sizes up to which two polynomials that differ are compared at points, past the least of a domain
MOST_POWER = 6


@dataclass(frozen=True)
class Agreement:
    """Where a formula is what a theorem proves, and where it is not."""

    agree: tuple[Domain, ...]
    differ: tuple[tuple[Domain, Count, dict[str, int]], ...]  # where, what the theorem counts, and such a size
    left: tuple[Domain, ...]  # of which nothing is known

    @property
    def holds(self) -> bool | None:
        """Whether the formula is proved for all sizes asked for; False if it is wrong somewhere, None if it is open."""
        return False if self.differ else None if self.left or not self.agree else True


def agreement(theorem: Theorem, formula: str) -> Agreement:
    """Of a formula in the letters of a theorem, on the domain of the theorem; ValueError if it cannot be read."""
    agree, differ = list[Domain](), list[tuple[Domain, Count, dict[str, int]]]()
    for (piece, stated), regime in product(pieces(formula, theorem.letters), theorem.regimes):
        where = (*theorem.domain, *regime.domain, *piece)
        if empty(where):
            continue
        difference = counts.added([stated, counts.scaled(regime.count, -1)])
        if not on(where, difference):
            agree.append(where)
        elif (point := _differing(where, difference, theorem.letters)) is not None:
            differ.append((reduced(where), regime.count, point))
    known = [*agree, *(where for where, _, _ in differ)]
    return Agreement(tuple(agree), tuple(differ), tuple(left_over(theorem.domain, known)))


def value_of(formula: str, sizes: Mapping[str, int]) -> Fraction:
    """At sizes that are numbers."""
    return next(
        counts.value(count, sizes)
        for where, count in pieces(formula, tuple(sizes))
        if all(condition.holds(sizes) for condition in where)
    )


def on(where: Domain, count: Count) -> Count:
    """The same on a domain, once letters are replaced that its conditions fix: r <= n and r >= n make r equal n."""
    for condition in where:
        if implies(where, (Condition(Linear(()).plus(condition.form, -1), -condition.bound),)):
            name = next((name for name, c in condition.form.terms if abs(c) == 1 and _has(count, name)), None)
            if name is not None:
                count = _replaced(count, name, condition)
    return count


def _has(count: Count, name: str) -> bool:
    return any(name in monomial for monomial in count)


def _replaced(count: Count, name: str, equal: Condition) -> Count:
    """With a letter as the others have it where form = bound."""
    sign = dict(equal.form.terms)[name]
    others = Linear.of({other: -sign * c for other, c in equal.form.terms if other != name} | {"": sign * equal.bound})
    return counts.added(
        counts.scaled(
            counts.multiplied([counts.linear(others) if own == name else {(own,): Fraction(1)} for own in monomial]), c
        )
        for monomial, c in count.items()
    )


def _differing(where: Domain, difference: Count, letters: Sequence[str]) -> dict[str, int] | None:
    """A size in a domain where a polynomial is not zero, among small ones."""
    for values in sorted(product(range(1, FAR + 1), repeat=len(letters)), key=sum):
        sizes = dict(zip(letters, values, strict=True))
        if all(condition.holds(sizes) for condition in where) and counts.value(difference, sizes):
            return sizes
    return None


# -- reading ----------------------------------------------------------------------------------------------------------


def pieces(formula: str, letters: Sequence[str]) -> Pieces:
    """The formula as polynomials, each on a domain."""
    try:
        return _pieces(ast.parse(formula, mode="eval").body, letters)
    except (SyntaxError, TypeError, KeyError, RecursionError):
        known = ", ".join(letters)
        raise ValueError(f"a formula has +, -, *, /, **, min, max and the letters {known}, not {formula!r}.") from None


def _pieces(node: ast.expr, letters: Sequence[str]) -> Pieces:
    match node:
        case ast.Name(id=name) if name in letters:
            return [((), {(name,): Fraction(1)})]
        case ast.Constant(value=int(value)) if type(value) is int:
            return [((), {(): Fraction(value)} if value else {})]
        case ast.UnaryOp(op=ast.USub(), operand=one):
            return [(where, counts.scaled(count, -1)) for where, count in _pieces(one, letters)]
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return [(w, counts.added([x, y])) for w, x, y in _both(a, b, letters)]
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return [(w, counts.added([x, counts.scaled(y, -1)])) for w, x, y in _both(a, b, letters)]
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            return [(w, counts.multiplied([x, y])) for w, x, y in _both(a, b, letters)]
        case ast.BinOp(left=a, op=ast.Div(), right=ast.Constant(value=int(k))) if k:
            return [(where, counts.scaled(count, Fraction(1, k))) for where, count in _pieces(a, letters)]
        case ast.BinOp(left=a, op=ast.Pow(), right=ast.Constant(value=int(k))) if 0 < k <= MOST_POWER:
            return [(where, counts.multiplied([count] * k)) for where, count in _pieces(a, letters)]
        case ast.Call(func=ast.Name(id="min" | "max" as which), args=forms, keywords=[]) if forms:
            return list(_least(which, forms, letters))
        case ast.IfExp(test=test, body=body, orelse=other):
            return list(_chosen(parse(ast.unparse(test), letters), body, other, letters))
    raise TypeError


def _both(a: ast.expr, b: ast.expr, letters: Sequence[str]) -> Iterator[tuple[Domain, Count, Count]]:
    """Two sides, where both are one polynomial."""
    for (here, x), (there, y) in product(_pieces(a, letters), _pieces(b, letters)):
        if not empty((*here, *there)):
            yield tuple(dict.fromkeys((*here, *there))), x, y


def _least(which: str, forms: Sequence[ast.expr], letters: Sequence[str]) -> Iterator[tuple[Domain, Count]]:
    """One of the forms, where it is at most (at least) each of the others."""
    sign = 1 if which == "min" else -1
    for chosen in product(*(_pieces(form, letters) for form in forms)):
        within = tuple(condition for where, _ in chosen for condition in where)
        for k, (_, count) in enumerate(chosen):
            gaps = [counts.scaled(counts.added([x, counts.scaled(count, -1)]), sign) for _, x in chosen]
            where = (*within, *(Condition.of(_form(gap)) for j, gap in enumerate(gaps) if j != k))
            if not empty(where):
                yield where, count


def _form(count: Count) -> Linear:
    """A polynomial that must be linear, with integer coefficients."""
    if any(len(monomial) > 1 or c.denominator > 1 for monomial, c in count.items()):
        raise TypeError
    return Linear.of({monomial[0] if monomial else "": int(c) for monomial, c in count.items()})


def _chosen(test: Domain, body: ast.expr, other: ast.expr, letters: Sequence[str]) -> Iterator[tuple[Domain, Count]]:
    """One side where the conditions hold, and the other where one does not."""
    yield from (((*test, *where), count) for where, count in _pieces(body, letters))
    for k, condition in enumerate(test):
        for where, count in _pieces(other, letters):
            yield (*test[:k], condition.negated(), *where), count
