"""Text to polynomials: an own parser (never eval) that names the line and column of what it cannot read.

    sum     = ['+' | '-'] product (('+' | '-') product)*
    product = power (('*' | '/') power)*            # only constants may divide
    power   = ('+' | '-') power | atom [('^' | '**') integer]
    atom    = integer | name | '(' sum ')'
    name    = letter (letter | digit | '_')* "'"* ['[' integer (',' integer)* ']']

Systems (``.ode``): lines ``x' = sum``, comments from ``#``, fields separated by lines ``---``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from clexact.terms import Monomial

Sparse = dict[Monomial, Fraction]

TOKEN = re.compile(
    r"\s*(?:(?P<float>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?P<integer>\d+)"
    r"|(?P<name>[^\W\d]\w*'*(?:\[\s*\d+(?:\s*,\s*\d+)*\s*\])?)|(?P<operator>\*\*|[-+*/^()])|(?P<other>\S))"
)
NAME = re.compile(r"[^\W\d]\w*'*(\[\d+(,\d+)*\])?")
MAX_DEPTH = 100  # nested parentheses and signs
MAX_DIGITS = 4000  # of an integer
MAX_POWER = 2**31 - 1  # of a single term, what packed monomials hold
MAX_WORK = 5 * 10**5  # products of terms, to expand one polynomial


class Place(NamedTuple):
    """Where a text stands, for messages."""

    line: int
    offset: int = 0  # columns before the text on its line
    text: str = ""

    def error(self, position: int, message: str) -> ValueError:
        """The error to raise for what stands at this position of the text (from 0)."""
        before = self.text[:position].split("\n")
        column = len(before[-1]) + (self.offset if len(before) == 1 else 0)
        return ValueError(f"line {self.line + len(before) - 1}, column {column + 1}: {message}")


class Token(NamedTuple):
    kind: str
    text: str
    column: int


def tokens(text: str, place: Place) -> Iterator[Token]:
    """Split a text; floats and unknown characters are refused here."""
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        token = Token(kind, re.sub(r"\s+", "", match[kind]), match.start(kind))
        if kind == "float":
            raise place.error(token.column, f"float {token.text} is not exact; write a rational such as 1/2.")
        if kind == "other":
            raise place.error(token.column, f"unexpected character {token.text!r} in a polynomial.")
        if kind == "integer" and len(token.text) > MAX_DIGITS:
            raise place.error(token.column, f"integer of {len(token.text)} digits; at most {MAX_DIGITS} are read.")
        yield token
    yield Token("end", "end of line", len(text.rstrip()))


def plus(a: Sparse, b: Sparse, sign: int = 1) -> Sparse:
    """a + sign * b."""
    out = dict(a)
    for monomial, c in b.items():
        out[monomial] = out.get(monomial, Fraction(0)) + sign * c
    return {m: c for m, c in out.items() if c}


def times(a: Sparse, b: Sparse) -> Sparse:
    """a * b."""
    out: Sparse = {}
    for m, c in a.items():
        for n, d in b.items():
            powers = dict(m)
            for v, k in n:
                powers[v] = powers.get(v, 0) + k
            key = tuple(sorted(powers.items()))
            out[key] = out.get(key, Fraction(0)) + c * d
    return {m: c for m, c in out.items() if c}


def _bits(c: Fraction) -> int:
    """Size of a coefficient; 0 for 1 and -1, whose powers do not grow."""
    return (abs(c.numerator) * c.denominator).bit_length() - 1


class Parser:
    """Recursive descent over the tokens of one polynomial; ``lookup`` gives the index of a variable or None."""

    def __init__(self, text: str, lookup: Callable[[str], int | None], place: Place) -> None:
        self._place = place._replace(text=text)
        self._tokens = list(tokens(text, self._place))
        self._at, self._depth, self._work = 0, 0, 0
        self._lookup = lookup

    def parse(self) -> Sparse:
        """The polynomial of the whole text."""
        value = self._sum()
        if self._peek().kind != "end":
            raise self._unexpected("an operator")
        return value

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _accept(self, *operators: str) -> Token | None:
        token = self._peek()
        if token.kind != "operator" or token.text not in operators:
            return None
        self._at += 1
        return token

    def _unexpected(self, expected: str) -> ValueError:
        token = self._peek()
        given = token.text if token.kind == "end" else repr(token.text)
        return self._place.error(token.column, f"expected {expected}, not {given}.")

    def _sum(self) -> Sparse:
        sign = self._accept("+", "-")
        value = plus({}, self._product(), -1 if sign and sign.text == "-" else 1)
        while operator := self._accept("+", "-"):
            value = plus(value, self._product(), -1 if operator.text == "-" else 1)
        return value

    def _product(self) -> Sparse:
        value = self._power()
        while operator := self._accept("*", "/"):
            factor = self._power()
            if operator.text == "*":
                value = self._times(value, factor, operator)
                continue
            if set(factor) != {()}:
                what = "zero" if not factor else "a polynomial with variables"
                raise self._place.error(operator.column, f"division by {what}; only nonzero constants may divide.")
            value = {m: c / factor[()] for m, c in value.items()}
        return value

    def _times(self, a: Sparse, b: Sparse, token: Token) -> Sparse:
        """a * b, as long as all of the text stays of ordinary size."""
        self._work += len(a) * len(b)
        if self._work > MAX_WORK:
            raise self._place.error(token.column, f"too many terms when expanded; at most {MAX_WORK} are multiplied.")
        product = times(a, b)
        if any(k > MAX_POWER for monomial in product for _, k in monomial):
            raise self._place.error(token.column, f"a power is too large; at most {MAX_POWER} is read.")
        return product

    def _power(self) -> Sparse:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._place.error(self._peek().column, f"nested more than {MAX_DEPTH} deep.")
        value = self._signed_power()
        self._depth -= 1
        return value

    def _signed_power(self) -> Sparse:
        if sign := self._accept("+", "-"):
            return plus({}, self._power(), -1 if sign.text == "-" else 1)
        base = self._atom()
        if self._accept("^", "**") is None:
            return base
        token = self._peek()
        if token.kind != "integer":
            raise self._unexpected("a power that is an integer >= 0")
        self._at += 1
        return self._raised(base, int(token.text), token)

    def _raised(self, base: Sparse, power: int, token: Token) -> Sparse:
        digits = max((len(base) * max(_bits(c) for c in base.values()) * power) // 3 if base else 0, 0)
        largest = max((k for monomial in base for _, k in monomial), default=0)
        if digits > MAX_DIGITS or largest * power > MAX_POWER or power > MAX_POWER:
            raise self._place.error(token.column, f"power {power} is too large.")
        if len(base) == 1:
            ((monomial, c),) = base.items()
            return {tuple((v, k * power) for v, k in monomial if power): c**power}
        value: Sparse = {(): Fraction(1)}
        for bit in bin(power)[2:] if base or not power else "":
            value = self._times(value, value, token)
            value = self._times(value, base, token) if bit == "1" else value
        return value if base or not power else {}

    def _atom(self) -> Sparse:
        if self._accept("("):
            value = self._sum()
            if not self._accept(")"):
                raise self._unexpected("')'")
            return value
        token = self._peek()
        if token.kind == "integer":
            self._at += 1
            return {(): Fraction(int(token.text))} if int(token.text) else {}
        if token.kind == "name":
            self._at += 1
            index = self._lookup(token.text)
            if index is None:
                raise self._place.error(token.column, f"unknown variable {token.text!r}.")
            return {((index, 1),): Fraction(1)}
        raise self._unexpected("a number, a variable or '('")


def read_text(path: str | Path) -> str:
    """A text file; ValueError if it is not in UTF-8, OSError if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8.") from None


FIRST_LINE = Place(1)


def parse_polynomial(text: str, variables: tuple[str, ...], place: Place = FIRST_LINE) -> Sparse:
    """The polynomial of a text over named variables."""
    places = {name: i for i, name in enumerate(variables)}
    return Parser(text, places.get, place).parse()


class Equation(NamedTuple):
    variable: str
    text: str
    place: Place


EQUATION = re.compile(r"\s*(?P<name>[^\W\d]\w*(?:\[\s*\d+(?:\s*,\s*\d+)*\s*\])?)\s*'\s*=(?P<right>.*)")


def split_system(text: str) -> list[list[Equation]]:
    """The equations of an ``.ode`` text, field by field."""
    fields: list[list[Equation]] = [[]]
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0]
        if re.fullmatch(r"\s*-{3,}\s*", line):
            fields.append([])
        elif line.strip():
            fields[-1].append(_equation(line, number, fields[-1]))
    if not any(fields):
        raise ValueError("the system has no equation; expected lines such as  x' = y*z - 2/3*x^2")
    return [field for field in fields if field]


def _equation(line: str, number: int, earlier: list[Equation]) -> Equation:
    match = EQUATION.fullmatch(line)
    column = len(line) - len(line.lstrip())
    if match is None:
        raise Place(number, text=line).error(column, f"expected an equation such as  x' = y + 1, not {line.strip()!r}.")
    name = re.sub(r"\s+", "", match["name"])
    if any(e.variable == name for e in earlier):
        raise Place(number, text=line).error(column, f"a second equation for {name!r} in the same field.")
    return Equation(name, match["right"], Place(number, match.start("right")))


def parse_system(text: str) -> tuple[tuple[str, ...], list[dict[str, Sparse]]]:
    """Variables (in order of first appearance on a left side) and the right sides of each field of an ``.ode`` text.

    A variable without equation in a field has derivative 0 there.
    """
    fields = split_system(text)
    variables = tuple(dict.fromkeys(e.variable for field in fields for e in field))
    return variables, [{e.variable: parse_polynomial(e.text, variables, e.place) for e in field} for field in fields]
