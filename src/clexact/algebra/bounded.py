"""Polynomials as dictionaries, multiplied out within bounds: what texts and SymPy's expressions are read into."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from math import lcm, log2

from clexact.algebra.terms import MAX_POWER, Monomial

Number = int | Fraction
Sparse = dict[Monomial, Number]  # without zeros

MAX_DIGITS = 20_000  # of an integer, written or made by a power
MAX_BITS = MAX_DIGITS * 10 // 3
MAX_WORK = 5 * 10**5  # to expand one polynomial: products of terms, those of long numbers counting more
MAX_TERMS = 10**7  # of a power
LONG = 2**12  # bits whose product takes about as long as all else that a product of terms needs
PIECE = 4000  # digits; Python's own conversions stop at 4300


class TooLargeError(ValueError):
    """A product or a power is refused before it is made."""


def whole(digits: str) -> int:
    """int(digits), of any length."""
    if len(digits) <= PIECE:
        return int(digits)
    half = len(digits) // 2
    return int(whole(digits[:-half]) * 10**half + whole(digits[-half:]))


def decimal(n: int) -> str:
    """str(n) for n >= 0, of any length."""
    high, low = divmod(n, 10**PIECE)
    return decimal(high) + str(low).zfill(PIECE) if high else str(low)


def add(total: Sparse, p: Sparse, sign: int = 1) -> None:
    """total <- total + sign * p."""
    for monomial, c in p.items():
        if value := total.get(monomial, 0) + sign * c:
            total[monomial] = value
        else:
            total.pop(monomial, None)


def times(a: Sparse, b: Sparse) -> Sparse:
    """a * b."""
    out: Sparse = {}
    for m, c in a.items():
        for n, d in b.items():
            monomial = joined(m, n)
            out[monomial] = out.get(monomial, 0) + c * d
    return {m: c for m, c in out.items() if c}


def joined(m: Monomial, n: Monomial) -> Monomial:
    """The product of two monomials; negative powers are allowed."""
    if not m or not n:
        return m or n
    if m[-1][0] < n[0][0]:
        return m + n
    powers = dict(m)
    for v, k in n:
        powers[v] = powers.get(v, 0) + k
    return tuple(sorted((v, k) for v, k in powers.items() if k))


def largest_power(p: Sparse) -> int:
    """The largest power of a variable in a term, by its size."""
    return max([abs(k) for monomial in p for _, k in monomial], default=0)


class BoundedExpansion:
    """The products and powers that enter one polynomial. TooLargeError before all of them take more than MAX_WORK."""

    def __init__(self) -> None:
        self._work = 0

    def times(self, a: Sparse, b: Sparse) -> Sparse:
        """a * b."""
        self._spend(len(a) * len(b), (1 + _longest(a) // LONG) * (1 + _longest(b) // LONG))
        product = times(a, b)
        if largest_power(product) > MAX_POWER:
            raise TooLargeError(f"a power is too large; at most {MAX_POWER} is read.")
        return product

    def power(self, base: Sparse, power: int) -> Sparse:
        """base^power, for a power >= 0; 0^0 = 1."""
        if not base or not power:
            return base if power else {(): 1}
        bits = check_power(base.values(), largest_power(base), power)
        if len(base) == 1:
            self._spend(1, (1 + bits // LONG) ** 2)
            ((monomial, c),) = base.items()
            return {tuple((v, k * power) for v, k in monomial): c**power}
        return self._squared(base, power)

    def _squared(self, base: Sparse, power: int) -> Sparse:
        value = base
        for bit in bin(power)[3:]:
            value = self.times(value, value)
            value = self.times(value, base) if bit == "1" else value
        return value

    def _spend(self, pairs: int, weight: int) -> None:
        """Products of single terms are free, unless long: there are no more than the text has signs."""
        self._work += max(pairs * weight - 1, 0)
        if self._work > MAX_WORK:
            raise TooLargeError(f"too many terms when expanded, or too long ones: at most {MAX_WORK} are multiplied.")


def _longest(p: Sparse) -> int:
    """Bits of the longest coefficient."""
    return max([c.numerator.bit_length() + c.denominator.bit_length() for c in p.values()], default=0)


def check_power(coefs: Collection[Number], largest: int, power: int) -> int:
    """About how many bits the coefficients of p^power have, at most, p with these coefficients and this largest power.

    TooLargeError if they are more than MAX_BITS, or the powers more than MAX_POWER.
    """
    bits = _growth(coefs) * power if power <= MAX_POWER else MAX_BITS + 1
    if bits > MAX_BITS or largest * power > MAX_POWER:
        raise TooLargeError(f"power {_shown(power)} is too large.")
    return int(bits)


def check_terms(terms: int, variables: int, degree: int, power: int) -> None:
    """TooLargeError if a power of a polynomial with so many terms, of this degree, may have more than MAX_TERMS terms.

    They are at most as many as multisets of ``power`` terms, and as monomials of that degree.
    """
    if min(_choices(terms - 1 + power, power), _choices(variables + degree * power, variables)) > MAX_TERMS:
        raise TooLargeError(f"power {_shown(power)} may have more than {MAX_TERMS} terms.")


def _choices(n: int, k: int) -> int:
    """The binomial coefficient, or some number above MAX_TERMS if it is."""
    value = 1
    for i in range(min(k, n - k)):
        value = value * (n - i) // (i + 1)
        if value > MAX_TERMS:
            break
    return value


def _growth(coefs: Collection[Number]) -> float:
    """At most so many bits does a factor p add to the coefficients of a power of p: none where p is x or -x."""
    if len(coefs) == 1 and abs(next(iter(coefs))) == 1:
        return 0.0
    common = lcm(*(c.denominator for c in coefs))
    return log2(sum(abs(int(c * common)) for c in coefs)) + log2(common)


def _shown(power: int) -> str:
    return str(power) if power < 10**20 else f"of {len(decimal(power))} digits"
