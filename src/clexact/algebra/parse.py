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
from collections.abc import Callable, Container, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from clexact.algebra.bounded import MAX_DIGITS, BoundedExpansion, Sparse, TooLargeError, add, whole
from clexact.support.files import read_bytes
from clexact.support.listed import shown

TOKEN = re.compile(
    r"\s*(?:(?P<float>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?P<integer>\d+)"
    r"|(?P<name>[^\W\d]\w*'*(?:\[\s*\d+(?:\s*,\s*\d+)*\s*\])?)|(?P<operator>\*\*|[-+*/^()])|(?P<other>\S))"
)
NAME = re.compile(r"[^\W\d]\w*'*(\[\d+(,\d+)*\])?")
MAX_DEPTH = 100  # nested parentheses and signs


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
        word, column = match[kind], match.start(kind)
        if kind == "float":
            raise place.error(column, f"float {word} is not exact; write a rational such as 1/2.")
        if kind == "other":
            raise place.error(column, f"unexpected character {word!r} in a polynomial.")
        if kind == "integer" and len(word) > MAX_DIGITS:
            raise place.error(column, f"integer of {len(word)} digits; at most {MAX_DIGITS} are read.")
        yield Token(kind, re.sub(r"\s+", "", word) if "[" in word else word, column)
    yield Token("end", "end of line", len(text.rstrip()))


class Parser:
    """Recursive descent over the tokens of one polynomial; ``lookup`` gives the index of a variable or None."""

    def __init__(self, text: str, lookup: Callable[[str], int | None], place: Place) -> None:
        self._place = place._replace(text=text)
        self._tokens = list(tokens(text, self._place))
        self._at, self._depth = 0, 0
        self._lookup = lookup
        self._expansion = BoundedExpansion()

    def parse(self) -> Sparse:
        """The polynomial of the whole text."""
        value = self._sum()
        if self._peek().kind != "end":
            raise self._unexpected("an operator")
        return value

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _accept(self, *operators: str) -> Token | None:
        token = self._tokens[self._at]
        if token.text not in operators:
            return None
        self._at += 1
        return token

    def _unexpected(self, expected: str) -> ValueError:
        token = self._peek()
        given = token.text if token.kind == "end" else repr(token.text)
        return self._place.error(token.column, f"expected {expected}, not {given}.")

    def _sum(self) -> Sparse:
        sign, value = self._accept("+", "-"), Sparse()
        add(value, self._product(), -1 if sign and sign.text == "-" else 1)
        while operator := self._accept("+", "-"):
            add(value, self._product(), -1 if operator.text == "-" else 1)
        return value

    def _product(self) -> Sparse:
        value = self._power()
        while operator := self._accept("*", "/"):
            factor = self._power()
            if operator.text == "*":
                value = self._bounded(operator, self._expansion.times, value, factor)
                continue
            if set(factor) != {()}:
                what = "zero" if not factor else "a polynomial with variables"
                raise self._place.error(operator.column, f"division by {what}; only nonzero constants may divide.")
            value = {m: Fraction(c) / factor[()] for m, c in value.items()}
        return value

    def _bounded(self, token: Token, operation: Callable[..., Sparse], *operands: Any) -> Sparse:
        """A product or a power; what is too large is refused where it stands."""
        try:
            return operation(*operands)
        except TooLargeError as error:
            raise self._place.error(token.column, str(error)) from None

    def _power(self) -> Sparse:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._place.error(self._peek().column, f"nested more than {MAX_DEPTH} deep.")
        value = self._signed_power()
        self._depth -= 1
        return value

    def _signed_power(self) -> Sparse:
        if sign := self._accept("+", "-"):
            value = self._power()
            return {m: -c for m, c in value.items()} if sign.text == "-" else value
        base = self._atom()
        if self._accept("^", "**") is None:
            return base
        token = self._peek()
        if token.kind != "integer":
            raise self._unexpected("a power that is an integer >= 0")
        self._at += 1
        return self._bounded(token, self._expansion.power, base, whole(token.text))

    def _atom(self) -> Sparse:
        token = self._peek()
        self._at += 1
        if token.kind == "name":
            return {((self._index(token), 1),): 1}
        if token.kind == "integer":
            number = whole(token.text)
            return {(): number} if number else {}
        if token.text == "(":
            value = self._sum()
            if not self._accept(")"):
                raise self._unexpected("')'")
            return value
        self._at -= 1
        raise self._unexpected("a number, a variable or '('")

    def _index(self, token: Token) -> int:
        index = self._lookup(token.text)
        if index is None:
            raise self._place.error(token.column, f"unknown variable {token.text!r}.")
        return index


FIRST_LINE = Place(1)


class Reader:
    """Reads polynomials over named variables, equal texts once."""

    def __init__(self, variables: Sequence[str]) -> None:
        self._places = {name: i for i, name in enumerate(variables)}
        self._read: dict[str, Sparse] = {}

    def read(self, text: str, place: Place = FIRST_LINE) -> Sparse:
        """The polynomial of a text, not to be changed. ValueError with line and column if it is none."""
        if not isinstance(text, str):
            raise TypeError(f"a polynomial is read from a string such as 'x^2 - 1/2*y', not from {shown(text)}.")
        if text not in self._read:
            self._read[text] = Parser(text, self._places.get, place).parse()
        return self._read[text]


def parse_polynomial(text: str, variables: tuple[str, ...], place: Place = FIRST_LINE) -> Sparse:
    """The polynomial of a text over named variables."""
    return Reader(variables).read(text, place)


def read_text(path: str | Path) -> str:
    """A text file; ValueError if it is not in UTF-8 or very large, OSError if it cannot be read."""
    try:
        return read_bytes(path).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8.") from None


class Equation(NamedTuple):
    variable: str
    text: str
    place: Place


EQUATION = re.compile(r"\s*(?P<name>[^\W\d]\w*(?:\[\s*\d+(?:\s*,\s*\d+)*\s*\])?)\s*'\s*=(?P<right>.*)")


def split_system(text: str) -> list[list[Equation]]:
    """The equations of an ``.ode`` text, field by field."""
    fields: list[dict[str, Equation]] = [{}]
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0]
        if re.fullmatch(r"\s*-{3,}\s*", line):
            fields.append({})
        elif line.strip():
            equation = _equation(line, number, fields[-1])
            fields[-1][equation.variable] = equation
    if not any(fields):
        raise ValueError("the system has no equation; expected lines such as  x' = y*z - 2/3*x^2")
    return [list(field.values()) for field in fields if field]


def _equation(line: str, number: int, earlier: Container[str]) -> Equation:
    match = EQUATION.fullmatch(line)
    column = len(line) - len(line.lstrip())
    if match is None:
        raise Place(number, text=line).error(column, f"expected an equation such as  x' = y + 1, not {line.strip()!r}.")
    name = re.sub(r"\s+", "", match["name"])
    if name in earlier:
        raise Place(number, text=line).error(column, f"a second equation for {name!r} in the same field.")
    return Equation(name, match["right"], Place(number, match.start("right")))


def parse_system(text: str) -> tuple[tuple[str, ...], list[dict[str, Sparse]]]:
    """Variables (in order of first appearance on a left side) and the right sides of each field of an ``.ode`` text.

    A variable without equation in a field has derivative 0 there.
    """
    fields = split_system(text)
    variables = tuple(dict.fromkeys(e.variable for field in fields for e in field))
    reader = Reader(variables)
    return variables, [{e.variable: reader.read(e.text, e.place) for e in field} for field in fields]
