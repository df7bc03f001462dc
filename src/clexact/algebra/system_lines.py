"""The text of a system cut into statements: what each is, a derivative, definition or declaration, and where."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from clexact.algebra.parse import INDEX, WORD, Place, plain_name

COMMENT = re.compile(r"#|%|//")
SEPARATOR = re.compile(r"\s*-{3,}\s*")
CONTINUED = re.compile(r"(?:\\|\.\.\.|&)\s*$")
SIGNS = {sign: re.compile(rf"[()\[\]{{}}{sign}]") for sign in ";,"}
OPERATORS = "+-*/^(,=−–·×⋅~"
NAME = rf"\\?{WORD}['’′]*(?:{INDEX})?"
OF_TIME = r"\s*(?:\(\s*t\s*\))?\s*"
DECLARED = re.compile(
    r"\s*(?P<kind>param(?:eter)?s?|par|inputs?|controls?|const(?:ant)?s?)\s+(?![=~:'])(?P<rest>.*)", re.DOTALL
)
KINDS = {"p": "parameter", "i": "input", "c": "parameter"}
FORMS = [  # of a left side that is a derivative; "twice" is there for the second one
    rf"(?P<name>{WORD}(?:{INDEX})?)\s*(?:'(?P<twice>')?|’(?P<twice2>’)?|′(?P<twice3>′)?){OF_TIME}",
    rf"(?P<name>{WORD}(?:{INDEX})?)\s*\(\s*t\s*\)\s*'(?P<twice>')?",
    rf"d\s*(?P<twice>\^?\{{?2\}}?|²)?\s*(?P<name>{NAME}){OF_TIME}/\s*d\s*t\s*(?:\^?\{{?2\}}?|²)?",
    rf"d\s*(?P<twice>\^?\{{?2\}}?|²)?\s*/\s*d\s*t\s*(?:\^?\{{?2\}}?|²)?\s*[(\[]?\s*(?P<name>{NAME}){OF_TIME}[)\]]?",
    rf"\\[dt]?frac\s*\{{\s*d\s*(?P<twice>\^\{{?2\}}?)?\s*(?P<name>{NAME}){OF_TIME}\}}\s*\{{\s*d\s*t\s*(?:\^\{{?2\}}?)?\s*\}}",
    rf"\\d(?P<twice>d)?ot\s*(?:\{{\s*(?P<name>{NAME})\s*\}}|(?P<name2>{WORD})){OF_TIME}",
    rf"(?P<name>{WORD}?)_?d(?P<twice>d)?ot{OF_TIME}",
    rf"d(?P<name>{WORD})dt",
    rf"(?:D|der|diff|Derivative|Differential\(t\))\s*\(\s*(?P<name>{NAME}){OF_TIME}(?:,\s*t\s*)?\)",
]
DERIVATIVES = [re.compile(rf"\s*{form}\s*") for form in FORMS]
DEFINITION = re.compile(rf"\s*(?P<name>{NAME}){OF_TIME}")
EXPECTED = "expected an equation such as  x' = y + 1"


class Statement(NamedTuple):
    """``kind`` is derivative, second derivative, definition, parameter or input."""

    kind: str
    name: str
    text: str
    place: Place  # of the text
    begin: Place  # of the statement


def statements(text: str) -> list[list[Statement]]:
    """Those of each field of a text; ValueError with line and column for a line that is none."""
    fields: list[list[Statement]] = [[]]
    for line, place in _lines(unicodedata.normalize("NFC", text.removeprefix("\ufeff"))):
        if SEPARATOR.fullmatch(line):
            fields.append([])
            continue
        for part, start in _pieces(line, 0, ";"):
            declared = DECLARED.fullmatch(part)
            rest, first = (_apart(declared["rest"]), start + declared.start("rest")) if declared else (part, start)
            for piece, at in _pieces(rest, first, ","):
                found = _declaration(declared["kind"], piece, at, place) if declared else _equation(piece, at, place)
                fields[-1].append(found)
    return fields


def _lines(text: str) -> Iterator[tuple[str, Place]]:
    """The lines without comments, those that go on joined; the place knows the whole text of each."""
    joined, first = "", 0
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        comment = COMMENT.search(raw)
        line = (raw[: comment.start()] if comment else raw).rstrip()
        if joined and line and _goes_on(joined, line):
            joined = f"{CONTINUED.sub('', joined)}\n{line}"
            continue
        if joined:
            yield joined, Place(first, text=joined)
        joined, first = line, number


def _goes_on(before: str, line: str) -> bool:
    """Whether a line continues the one before: that ends in a sign or an open parenthesis, or this begins with one."""
    if SEPARATOR.fullmatch(line) or SEPARATOR.fullmatch(before):
        return False
    start = line.lstrip()
    opened = sum(map(before.count, "([{")) > sum(map(before.count, ")]}"))
    begins = start[0] in "+-*/^)−–·×⋅" and "=" not in start
    return bool(CONTINUED.search(before)) or before[-1] in OPERATORS or opened or (begins and bool(start.strip("-")))


def _pieces(line: str, offset: int, sign: str) -> Iterator[tuple[str, int]]:
    """What stands between signs outside of parentheses, and where."""
    depth, first = 0, 0
    for match in SIGNS[sign].finditer(line):
        letter, at = match[0], match.start()
        depth += (letter in "([{") - (letter in ")]}")
        if letter == sign and depth <= 0:
            if line[first:at].strip():
                yield line[first:at], offset + first
            first = at + 1
    if line[first:].strip():
        yield line[first:], offset + first


def _apart(rest: str) -> str:
    """Declarations that only spaces keep apart, as in  par a=1 b=2, with commas in place of these."""
    return re.sub(rf"(?<=[\w)\]])[ \t](?=[ \t]*{NAME}\s*=)", ",", rest)


def _declaration(kind: str, piece: str, at: int, place: Place) -> Statement:
    """A parameter, with its value if it has one: then it is a definition."""
    left, sign, right = piece.partition("=")
    match = DEFINITION.fullmatch(left)
    if match is None:
        given = " ".join(piece.split())
        raise place.error(at + len(left) - len(left.lstrip()), f"expected names such as  par a, b = 2, not {given!r}.")
    name, where = plain_name(match["name"]), _moved(place, at + len(left) + 1)
    return Statement(
        "definition" if sign else KINDS[kind[0]], name, right, where, _moved(place, at + len(left) - len(left.lstrip()))
    )


def _equation(piece: str, at: int, place: Place) -> Statement:
    match = re.search(r":=|=|~", piece)
    column = at + len(piece) - len(piece.lstrip())
    refused = place.error(column, f"{EXPECTED}, not {' '.join(piece.split())!r}.")
    if match is None:
        raise refused
    left, right = piece[: match.start()], piece[match.end() :]
    where = (_moved(place, at + match.end()), _moved(place, column))
    dotted = unicodedata.normalize("NFD", left)
    if "\u0307" in dotted or "\u0308" in dotted:
        name = unicodedata.normalize("NFC", dotted.replace("\u0307", "").replace("\u0308", ""))
        return Statement(
            "second derivative" if "\u0308" in dotted else "derivative", plain_name(name.strip()), right, *where
        )
    for form in DERIVATIVES:
        if found := form.fullmatch(left):
            groups = found.groupdict()
            twice = any(groups.get(key) for key in ("twice", "twice2", "twice3"))
            name = plain_name(groups["name"] or groups.get("name2") or "")
            return Statement("second derivative" if twice else "derivative", name, right, *where)
    if found := DEFINITION.fullmatch(left):
        return Statement("definition", plain_name(found["name"]), right, *where)
    raise refused


def _moved(place: Place, at: int) -> Place:
    """The place of what stands from there on."""
    before = place.text[:at].split("\n")
    return Place(place.line + len(before) - 1, len(before[-1]) + (place.offset if len(before) == 1 else 0))
