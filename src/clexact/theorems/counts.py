"""Polynomials in the sizes: binomials of linear forms, formulas in Python's syntax, one formula for several regimes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from math import factorial, lcm, prod
from typing import Any

from clexact.algebra.polynomial import Polynomial
from clexact.theorems.conditions import Linear

Count = dict[tuple[str, ...], Fraction]  # monomials in letters, sorted, to coefficients


def linear(form: Linear) -> Count:
    """A linear form as a polynomial."""
    return {((name,) if name else ()): Fraction(c) for name, c in form.terms}


def added(counts: Iterable[Count]) -> Count:
    """The sum."""
    found: Count = {}
    for count in counts:
        for monomial, c in count.items():
            found[monomial] = found.get(monomial, Fraction(0)) + c
    return {monomial: c for monomial, c in found.items() if c}


def scaled(count: Count, factor: int | Fraction) -> Count:
    """A multiple."""
    return {monomial: c * factor for monomial, c in count.items() if factor}


def multiplied(counts: Iterable[Count]) -> Count:
    """The product."""
    found: Count = {(): Fraction(1)}
    for count in counts:
        found = added(
            {tuple(sorted(m + n)): a * b} for m, a in found.items() for n, b in count.items()
        )  # fmt: skip
    return found


def binomial(size: Linear, k: int) -> Count:
    """size choose k."""
    factors = (linear(size.plus(Linear.of({"": -i}))) for i in range(k))
    return scaled(multiplied(factors), Fraction(1, factorial(k)))


def substituted(count: Count, fixed: Mapping[str, int]) -> Count:
    """With values for some letters."""
    return added(
        {tuple(name for name in m if name not in fixed): c * prod(fixed[name] for name in m if name in fixed)}
        for m, c in count.items()
    )


def value(count: Count, sizes: Mapping[str, int]) -> Fraction:
    """At these sizes."""
    total = Fraction(0)
    for monomial, c in count.items():
        for name in monomial:
            c = c * sizes[name]
        total += c
    return total


def written(count: Count) -> str:
    """In Python's syntax, factored: r*(r + 1)/2."""
    if not count:
        return "0"
    names = tuple(sorted({name for monomial in count for name in monomial}))
    whole = lcm(*(c.denominator for c in count.values()))
    if not names:
        (c,) = count.values()
        return str(c)
    terms: dict[Any, int] = {tuple(m.count(name) for name in names): int(c * whole) for m, c in count.items()}
    rest, factors = Polynomial(names, terms), list[Polynomial]()
    for factor in Polynomial(names, terms).factors():
        if factor.degree > 0:
            factor = -factor if sum(c for _, c in factor.items()) < 0 else factor
            while rest.degree > 0 and (quotient := rest.quotient(factor)) is not None:
                factors.append(factor)
                rest = quotient
    content = next(iter(c for _, c in rest.items())) / whole
    negative = next((k for k, f in enumerate(factors) if any(c < 0 for _, c in f.items())), None)
    if content < 0 and negative is not None:
        factors[negative], content = -factors[negative], -content
    return _product([_factor(factor, names) for factor in factors], content)


def _product(factors: Sequence[str], content: Fraction) -> str:
    """Factors and a rational number, as text."""
    powers = {text: factors.count(text) for text in sorted(factors, key=lambda t: (" " in t, len(t), t))}
    top, below = abs(content.numerator), content.denominator
    alone = len(powers) == 1 and factors.count(factors[0]) == 1 and content == 1
    texts = [str(top)] if top != 1 else []
    for text, power in powers.items():
        base = f"({text})" if " " in text and not alone else text
        texts.append(base + (f"**{power}" if power > 1 else ""))
    return ("-" if content < 0 else "") + "*".join(texts) + (f"/{below}" if below != 1 else "")


def _factor(factor: Polynomial, names: Sequence[str]) -> str:
    terms = sorted(factor.items(), key=lambda item: (-sum(p for _, p in item[0]), item[1] < 0, item[0]))
    text = ""
    for monomial, c in terms:
        letters = "*".join(f"{names[i]}**{p}" if p > 1 else names[i] for i, p in monomial)
        size = abs(c)
        own = letters if size == 1 and letters else f"{size}*{letters}" if letters else str(size)
        text += f" {'-' if c < 0 else '+'} {own}" if text else ("-" if c < 0 else "") + own
    return text


def joined(first: Count, second: Count, low: Linear, high: Linear) -> str | None:
    """One formula with k = min(low, high) that is ``first`` where k = low, and ``second`` where k = high; or None."""
    letters = sorted(
        {n for count in (first, second) for m in count for n in m} | {n for f in (low, high) for n, _ in f.terms if n}
    )
    degree = max((len(m) for count in (first, second) for m in count), default=0)
    symbols = ["k_", *letters]
    monomials = [m for size in range(degree + 1) for m in combinations_with_replacement(symbols, size)]
    monomials.sort(key=lambda m: (-m.count("k_"), len(m), m))
    columns = [(_substituted(m, low), _substituted(m, high)) for m in monomials]
    solved = _solve(columns, (first, second))
    if solved is None:
        return None
    found = {tuple(sorted(m)): c for m, c in zip(monomials, solved, strict=True) if c}
    return written(found).replace("k_", f"min({low}, {high})")


def _substituted(monomial: tuple[str, ...], form: Linear) -> Count:
    return multiplied(linear(form) if name == "k_" else {(name,): Fraction(1)} for name in monomial)


def _solve(columns: Sequence[tuple[Count, Count]], wanted: tuple[Count, Count]) -> list[Fraction] | None:
    """Coefficients of the columns, those first preferred, that add up to what is wanted."""
    keys = sorted({(side, m) for pair in (*columns, wanted) for side in (0, 1) for m in pair[side]})
    rows = [[pair[side].get(m, Fraction(0)) for pair in (*columns, wanted)] for side, m in keys]
    pivots, top = list[int](), 0
    for column in range(len(columns)):
        pivot = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[top], rows[pivot] = rows[pivot], rows[top]
        rows[top] = [x / rows[top][column] for x in rows[top]]
        for r in range(len(rows)):
            if r != top and rows[r][column]:
                rows[r] = [x - rows[r][column] * y for x, y in zip(rows[r], rows[top], strict=True)]
        pivots.append(column)
        top += 1
    if any(row[-1] for row in rows[top:]):
        return None
    found = [Fraction(0)] * len(columns)
    for r, column in enumerate(pivots):
        found[column] = rows[r][-1]
    return found
