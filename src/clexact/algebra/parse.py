"""Text to polynomials and rational functions: an own parser (never eval) that names the place of what it cannot read.

    sum     = ['+' | '-'] product (('+' | '-') product)*
    product = power (['*' | '/'] power)*      # no sign only in 2x, 2(x + 1) and (x + 1)(x - 1), not after a division
    power   = ('+' | '-') power | atom [('^' | '**') exponent | superscript]
    atom    = number | name | function '(' sum (',' sum)* ')' | '(' sum ')' | '\\frac' atom atom
    number  = digits with an optional point and power of ten, read exactly: 0.1 is 1/10
    name    = letter (letter | digit | '_')* ('.' name)* "'"* ['[' integer (',' integer)* ']']

Typographic signs and the commands of LaTeX that write such formulas are read too.
In a polynomial only constants divide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from clexact.algebra.bounded import MAX_DIGITS, Sparse, TooLargeError, whole
from clexact.algebra.quotients import Quotient, Quotients, number, variable
from clexact.support.files import read_bytes
from clexact.support.listed import shown
from clexact.support.nearest import meant

LETTER = "[^\\W⁰¹²³⁴-⁹]"  # or a digit; superscripts are powers
WORD = rf"[^\W\d⁰¹²³⁴-⁹]{LETTER}*(?:(?<=_)\{{\w+\}})?(?:\.[^\W\d⁰¹²³⁴-⁹]{LETTER}*)*"
INDEX = r"\[\s*\d+(?:\s*,\s*\d+)*\s*\]"
TOKEN = re.compile(
    r"\s*(?:(?P<skip>\\(?:left|right|[bB]igg?[lr]?|q?quad|[,;:! ])(?![a-z]))"
    r"|(?P<times>\\(?:cdot|times|ast)(?![a-z])|[·⋅×∗])"
    r"|(?P<minus>[−–])|(?P<frac>\\[dt]?frac(?![a-z]))"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    rf"|(?P<name>\\?{WORD}[’′']*(?:{INDEX})?)|(?P<operator>\*\*|[-+*/^(){{}},])|(?P<other>\S))"
)
RAISED = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
BRACES = {"{": "(", "}": ")"}
NAME = re.compile(rf"[^\W\d⁰¹²³⁴-⁹]{LETTER}*(\.[^\W\d⁰¹²³⁴-⁹]{LETTER}*)*'*(\[\d+(,\d+)*\])?")
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
    """Split a text; unknown characters are refused here."""
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        word, column = match[kind], match.start(kind)
        if kind == "other":
            raise place.error(column, f"unexpected character {word!r} in a polynomial.")
        if kind == "number" and len(word) > MAX_DIGITS:
            raise place.error(column, f"integer of {len(word)} digits; at most {MAX_DIGITS} are read.")
        if kind == "skip":
            continue
        match kind:
            case "name":
                yield Token(kind, plain_name(word), column)
            case "times":
                yield Token("operator", "*", column)
            case "minus":
                yield Token("operator", "-", column)
            case "operator":
                yield Token(kind, BRACES.get(word, word), column)
            case _:
                yield Token(kind, word, column)
    yield Token("end", "end of line", len(text.rstrip()))


def plain_name(word: str) -> str:
    """A name as it is known: x_1 for x_{1}, U[0,1] for U[0, 1], alpha for LaTeX's command."""
    if word.isalnum():
        return word
    word = re.sub(r"_\{(\w+)\}", r"_\1", word.removeprefix("\\"))
    return re.sub(r"\s+", "", re.sub("[’′]", "'", word))


def decimal_number(word: str) -> Fraction | int:
    """The number that digits with a point and a power of ten write, exactly. TooLargeError for very large powers."""
    if word.isdigit():
        return whole(word)
    digits, _, power = word.lower().partition("e")
    before, _, after = digits.partition(".")
    exponent = int(power[:20] or 0) - len(after)
    if abs(exponent) > MAX_DIGITS:
        raise TooLargeError(f"the power of ten of {shown(word)} is too large.")
    value = Fraction(whole((before + after) or "0")) * Fraction(10) ** exponent
    return value.numerator if value.denominator == 1 else value


Known = Callable[[str], Quotient | None]
Applied = Callable[[str, list[Quotient]], Quotient]


class Parser:
    """Recursive descent over the tokens of one text.

    ``lookup`` gives the value of a name or None, ``apply`` that of a function at its arguments; without it there are
    none, and the value is a polynomial.
    """

    def __init__(
        self, text: str, lookup: Known, place: Place, unknown: Callable[[str], str] = str, apply: Applied | None = None
    ) -> None:
        self._place = place._replace(text=text)
        self._tokens = list(tokens(text, self._place))
        self._at, self._depth = 0, 0
        self._lookup, self._unknown, self._apply = lookup, unknown, apply
        self._ring = Quotients()
        self._closed = False  # whether a factor may follow without a sign

    def parse(self) -> Quotient:
        """The value of the whole text."""
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
        hint = "; write products as x*y" if expected == "an operator" and token.kind in ("name", "number") else ""
        return self._place.error(token.column, f"expected {expected}, not {given}{hint}.")

    def _sum(self) -> Quotient:
        sign, value = self._accept("+", "-"), self._product()
        if sign and sign.text == "-":
            value = _negative(value)
        more = list[Quotient]()
        while operator := self._accept("+", "-"):
            term = self._product()
            more.append(_negative(term) if operator.text == "-" else term)
        return self._bounded(self._peek(), self._ring.total, [value, *more]) if more else value

    def _product(self) -> Quotient:
        value, divided = self._power(), False
        while True:
            if operator := self._accept("*"):
                value = self._bounded(operator, self._ring.times, value, self._power())
            elif operator := self._accept("/"):
                value, divided = self._divided(operator, value, self._power()), True
            elif self._implied():
                if divided:
                    raise self._place.error(self._peek().column, "a/2x may be (a/2)*x or a/(2*x): write which with *.")
                value = self._bounded(self._peek(), self._ring.times, value, self._power())
            else:
                return value

    def _implied(self) -> bool:
        """Whether a factor without a sign follows: a name or a parenthesis after a number or a parenthesis."""
        token = self._peek()
        return self._closed and (token.kind == "name" or token.text == "(" or token.kind == "frac")

    def _divided(self, operator: Token, value: Quotient, divisor: Quotient) -> Quotient:
        what = "zero" if not divisor.top else "a polynomial with variables"
        if not divisor.top or (self._apply is None and divisor.constant is None):
            raise self._place.error(operator.column, f"division by {what}; only nonzero constants may divide.")
        if (c := divisor.constant) is not None:
            return Quotient({m: Fraction(a) / c for m, a in value.top.items()}, value.bottom)
        inverse = self._bounded(operator, self._ring.inverse, divisor)
        return self._bounded(operator, self._ring.times, value, inverse)

    def _bounded(self, token: Token, operation: Callable[..., Quotient], *operands: Any) -> Quotient:
        """What is too large is refused where it stands."""
        try:
            return operation(*operands)
        except TooLargeError as error:
            raise self._place.error(token.column, str(error)) from None
        except ZeroDivisionError:
            raise self._place.error(token.column, "division by zero.") from None

    def _power(self) -> Quotient:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._place.error(self._peek().column, f"nested more than {MAX_DEPTH} deep.")
        value = self._signed_power()
        self._depth -= 1
        return value

    def _signed_power(self) -> Quotient:
        if sign := self._accept("+", "-"):
            value = self._power()
            return _negative(value) if sign.text == "-" else value
        base, token = self._atom(), self._peek()
        if token.kind == "raised":
            self._at += 1
            self._closed = False
            return self._raised(base, token, int(token.text.translate(RAISED)))
        if self._accept("^", "**") is None:
            return base
        token = self._peek()
        power = self._exponent()
        self._closed = False
        return self._raised(base, token, power)

    def _raised(self, base: Quotient, token: Token, power: int) -> Quotient:
        if power < 0 and self._apply is None and base.constant is None:
            raise self._place.error(token.column, f"power {power} of a variable: a polynomial has powers >= 0 only.")
        return self._bounded(token, self._ring.power, base, power)

    def _exponent(self) -> int:
        """An integer, with a sign or in parentheses, or a name that has such a value."""
        sign, token = self._accept("+", "-"), self._peek()
        if token.kind not in ("number", "name") and token.text != "(":
            raise self._unexpected("a power that is an integer >= 0")
        power = self._atom().constant if token.kind != "name" or self._lookup(token.text) else None
        if power is None or power.denominator != 1:
            given = repr(token.text) if token.text != "(" else "that in parentheses"
            hint = "; a root is a variable of its own: r = sqrt(x) has r' = x'/(2*r)" if power is not None else ""
            raise self._place.error(token.column, f"expected a power that is an integer >= 0, not {given}{hint}.")
        return int(-power if sign and sign.text == "-" else power)

    def _atom(self) -> Quotient:
        token = self._peek()
        self._at += 1
        self._closed = False
        if token.kind == "name":
            return self._named(token)
        if token.kind == "number":
            self._closed = True
            return self._bounded(token, lambda: number(decimal_number(token.text)))
        if token.text == "(":
            value = self._sum()
            self._close()
            self._closed = True
            return value
        if token.kind == "frac":
            top, bottom = self._atom(), self._atom()
            value = self._divided(token, top, bottom)
            self._closed = True
            return value
        self._at -= 1
        raise self._unexpected("a number, a variable or '('")

    def _close(self) -> None:
        if not self._accept(")"):
            raise self._unexpected("')'")

    def _named(self, token: Token) -> Quotient:
        value = self._lookup(token.text)
        opened = self._peek().text == "("
        if value is not None and opened and self._of_time():
            self._at += 3
        if value is not None:
            return value
        if not opened or self._apply is None:
            raise self._place.error(token.column, f"unknown variable {token.text!r}{self._unknown(token.text)}.")
        return self._applied(token)

    def _of_time(self) -> bool:
        """Whether (t) follows, t being no variable: x(t) is x."""
        texts = [token.text for token in self._tokens[self._at : self._at + 3]]
        return texts == ["(", "t", ")"] and self._lookup("t") is None

    def _applied(self, token: Token) -> Quotient:
        self._at += 1
        arguments = [self._sum()]
        while self._accept(","):
            arguments.append(self._sum())
        self._close()
        self._closed = True
        assert self._apply is not None
        try:
            return self._bounded(token, self._apply, token.text, arguments)
        except LookupError as error:
            raise self._place.error(token.column, str(error.args[0])) from None


def _negative(value: Quotient) -> Quotient:
    return Quotient({m: -c for m, c in value.top.items()}, value.bottom)


FIRST_LINE = Place(1)


class Reader:
    """Reads polynomials over named variables, equal texts once."""

    def __init__(self, variables: Sequence[str]) -> None:
        self._values = {name: variable(i) for i, name in enumerate(variables)}
        self._read: dict[str, Sparse] = {}

    def read(self, text: str, place: Place = FIRST_LINE) -> Sparse:
        """The polynomial of a text, not to be changed. ValueError with line and column if it is none."""
        if not isinstance(text, str):
            raise TypeError(f"a polynomial is read from a string such as 'x^2 - 1/2*y', not from {shown(text)}.")
        if text not in self._read:
            self._read[text] = Parser(text, self._values.get, place, self._hint).parse().top
        return self._read[text]

    def _hint(self, name: str) -> str:
        return meant(name, self._values)


def parse_polynomial(text: str, variables: tuple[str, ...], place: Place = FIRST_LINE) -> Sparse:
    """The polynomial of a text over named variables."""
    return Reader(variables).read(text, place)


def read_text(path: str | Path) -> str:
    """A text file; ValueError if it is not in UTF-8 or very large, OSError if it cannot be read."""
    try:
        return read_bytes(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8.") from None
