"""Rational functions p / (f_1^k_1 ... f_m^k_m) as texts give them, the f_j irreducible."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple

from clexact.algebra.bounded import BoundedExpansion, Number, Sparse, add, largest_power
from clexact.algebra.linalg import Whole, exact_quotient, irreducible_factors
from clexact.algebra.terms import Monomial

Factor = frozenset[tuple[Monomial, Number]]  # the items of a Sparse: primitive over Z, irreducible if small
Bottom = Mapping[Factor, int]  # the power of each factor
MOST_TERMS, MOST_POWER = 1000, 300  # of polynomials that are factored or divided
NONE: Bottom = {}


class Quotient(NamedTuple):
    """``top`` over the product of the factors."""

    top: Sparse
    bottom: Bottom = NONE

    @property
    def constant(self) -> Number | None:
        """Its value, if it is a number."""
        if self.bottom or not self.top.keys() <= {()}:
            return None
        return self.top.get((), 0)


def variable(index: int) -> Quotient:
    """The variable of this number."""
    return Quotient({((index, 1),): 1})


def number(value: Number) -> Quotient:
    """A constant."""
    return Quotient({(): value} if value else {})


class Quotients:
    """Arithmetic within the bounds of one ``BoundedExpansion``."""

    def __init__(self) -> None:
        self._expansion = BoundedExpansion()

    def total(self, parts: list[Quotient]) -> Quotient:
        """Their sum."""
        bottom = parts[0].bottom
        if any(part.bottom != bottom for part in parts):
            bottom = common_bottom([part.bottom for part in parts])
        top: Sparse = {}
        for part in parts:
            add(top, self.over(part, bottom) if part.bottom != bottom else part.top)
        return self.cancelled(Quotient(top, bottom)) if bottom else Quotient(top)

    def over(self, a: Quotient, bottom: Bottom) -> Sparse:
        """The polynomial a * bottom, for a multiple of a's own."""
        top = a.top
        for factor, power in bottom.items():
            if more := power - a.bottom.get(factor, 0):
                top = self._expansion.times(top, self._expansion.power(dict(factor), more))
        return top

    def times(self, a: Quotient, b: Quotient) -> Quotient:
        """a * b."""
        top = self._expansion.times(a.top, b.top)
        if not a.bottom and not b.bottom:
            return Quotient(top)
        bottom = {f: a.bottom.get(f, 0) + b.bottom.get(f, 0) for f in {**a.bottom, **b.bottom}}
        return self.cancelled(Quotient(top, bottom))

    def power(self, a: Quotient, power: int) -> Quotient:
        """a^power; ZeroDivisionError for a negative power of 0."""
        if power < 0:
            a, power = self.inverse(a), -power
        top = self._expansion.power(a.top, power)
        return Quotient(top, {f: k * power for f, k in a.bottom.items()} if power else NONE)

    def inverse(self, a: Quotient) -> Quotient:
        """1 / a; ZeroDivisionError for 0."""
        if (value := a.constant) is not None:
            return number(1 / Fraction(value))
        scale, factors = factored(a.top)
        top: Sparse = {(): 1 / scale}
        for factor, power in a.bottom.items():
            top = self._expansion.times(top, self._expansion.power(dict(factor), power))
        return self.cancelled(Quotient(top, factors))

    def cancelled(self, a: Quotient) -> Quotient:
        """Without the factors that divide the top."""
        top, bottom = a.top, dict(a.bottom)
        for factor in list(bottom):
            while factor in bottom and top and (less := divided(top, dict(factor))) is not None:
                top = less
                bottom[factor] -= 1
                if not bottom[factor]:
                    del bottom[factor]
        return Quotient(top, bottom if top else NONE)


def derivative(a: Quotient, v: int, ring: Quotients) -> Quotient:
    """The partial derivative by a variable: p'/q - p/q * sum of k f'/f over the factors f^k of q."""
    terms = [Quotient(_partial(a.top, v), a.bottom)]
    for factor, power in a.bottom.items():
        if slope := _partial(dict(factor), v):
            scaled: Sparse = {m: -power * c for m, c in slope.items()}
            terms.append(ring.times(a, Quotient(scaled, {factor: 1})))
    return ring.total(terms)


def _partial(p: Sparse, v: int) -> Sparse:
    return {tuple((w, n - (w == v)) for w, n in m if n > (w == v)): c * k for m, c in p.items() for w, k in m if w == v}


def common_bottom(bottoms: list[Bottom]) -> Bottom:
    """The least common multiple."""
    out: dict[Factor, int] = {}
    for bottom in bottoms:
        for factor, power in bottom.items():
            out[factor] = max(power, out.get(factor, 0))
    return out


def factored(p: Sparse) -> tuple[Fraction, dict[Factor, int]]:
    """p = c * product of f^k, p no constant; irreducible unless p is large. ZeroDivisionError for 0."""
    if not p:
        raise ZeroDivisionError
    whole, used, denominator = _whole(p, [])
    parts = irreducible_factors(whole) if _small(p) else [_primitive(whole)]
    powers: dict[Factor, int] = {}
    rest: Whole = whole
    for part in parts:
        while (less := exact_quotient(rest, part)) is not None:
            rest = less
            powers[Factor(_sparse(part, used).items())] = powers.get(Factor(_sparse(part, used).items()), 0) + 1
    return Fraction(next(iter(rest.values())), denominator), powers


def _small(p: Sparse) -> bool:
    return len(p) <= MOST_TERMS and largest_power(p) <= MOST_POWER


def _whole(p: Sparse, used: list[int]) -> tuple[Whole, list[int], int]:
    """p times its denominator over the variables that it or ``used`` has; these; the denominator."""
    variables = sorted({*used, *(v for m in p for v, _ in m)}) or [0]
    places = {v: n for n, v in enumerate(variables)}
    denominator = lcm(*(c.denominator for c in p.values()))
    whole: Whole = {}
    for m, c in p.items():
        exponents = [0] * len(variables)
        for v, k in m:
            exponents[places[v]] = k
        whole[tuple(exponents)] = int(c * denominator)
    return whole, variables, denominator


def _sparse(whole: Whole, variables: list[int]) -> Sparse:
    return {tuple((v, k) for v, k in zip(variables, m, strict=True) if k): c for m, c in whole.items()}


def _primitive(whole: Whole) -> Whole:
    content = gcd(*whole.values()) * (1 if whole[max(whole)] > 0 else -1)
    return {m: c // content for m, c in whole.items()}


def divided(p: Sparse, divisor: Sparse) -> Sparse | None:
    """p / divisor if that is a polynomial, and small enough to be looked for; the divisor is primitive over Z."""
    if len(divisor) == 1:
        return _without(p, divisor)
    if not _small(p):
        return None
    used = sorted({v for m in [*p, *divisor] for v, _ in m})
    whole, variables, denominator = _whole(p, used)
    quotient = exact_quotient(whole, _whole(divisor, used)[0])
    return None if quotient is None else {m: Fraction(c, denominator) for m, c in _sparse(quotient, variables).items()}


def _without(p: Sparse, variable_alone: Sparse) -> Sparse | None:
    """p over a variable."""
    ((((v, _),), sign),) = variable_alone.items()
    if any(all(w != v for w, _ in m) for m in p):
        return None
    return {tuple((w, k - (w == v)) for w, k in m if k > (w == v)): c * sign for m, c in p.items()}
