"""LaTeX as HTML: MathML that breaks at words and signs, so that it fits a narrow page; LaTeX in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape

from clexact.claims import prose

LONG = 34  # characters from which on a formula may be broken at its signs
TOKEN = re.compile(r"\\text\s*\{([^{}]*)\}|\\(?:[a-zA-Z]+|.)|.", re.DOTALL)
OPENING, CLOSING = {"{", "(", "[", r"\{", r"\left"}, {"}", ")", "]", r"\}", r"\right"}
BARS = {"|", r"\|"}  # open and close
SPACES = {r"\quad", r"\qquad", r"\;", "\\ "}
PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>(&#x0203[234];)</mi></msup>")  # a glyph that is raised by itself
UNARY_AFTER = re.compile(r"([-+=^_,]|\\(?:leq?|geq?|neq?|cdot|times|to|in|pm|subsetneq|subset))$")
SIGNS = {"+": "+", "-": "−", "=": "="}


def to_html(latex: str) -> str:
    """Inline MathML; words and, in a long formula, signs outside of all brackets are text between its pieces."""
    return "".join(_piece(kind, text) for kind, text in _pieces(latex, breakable=len(latex) > LONG))


def _piece(kind: str, text: str) -> str:
    if kind == "maths":
        return f'<span class="m">{_mathml(text)}</span>'
    return escape(text)


def prose_to_html(text: str) -> str:
    """Words, and the formulas among them as MathML."""
    return "".join(to_html(piece) if kind == "maths" else escape(signs(piece)) for kind, piece in prose.pieces(text))


@lru_cache(maxsize=4096)
def _mathml(latex: str) -> str:
    from latex2mathml.converter import convert

    found = str(convert(latex, display="inline")).replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    return PRIME.sub(r'<mrow>\1<mo lspace="0" rspace="0">\2</mo></mrow>', found)


def _pieces(latex: str, breakable: bool) -> Iterator[tuple[str, str]]:
    """("maths", LaTeX) and ("text", words) in turn."""
    held, depth, bars = "", 0, False
    for match in TOKEN.finditer(latex):
        token, words = match[0], match[1]
        outside = depth == 0 and not bars
        if outside and (words is not None or token in SPACES or (breakable and _splits(held, token))):
            if held.strip():
                yield "maths", held.strip()
            yield "text", words if words is not None else f" {SIGNS.get(token, '')} "
            held = ""
            continue
        held += token
        depth += (token in OPENING) - (token in CLOSING)
        bars ^= token in BARS
    if held.strip():
        yield "maths", held.strip()


def _splits(held: str, token: str) -> bool:
    """Whether a sign stands between two terms: not at the start, nor after an index or another relation."""
    before = held.strip()
    return token in SIGNS and bool(before) and UNARY_AFTER.search(before) is None


def to_markdown(latex: str) -> str:
    """Between dollars, with backquotes where Markdown would read the backslashes itself."""
    return f"$`{latex}`$" if re.search(r"\\[^a-zA-Z\s]", latex) else f"${latex}$"


def signs(text: str) -> str:
    """Text with the signs of comparison."""
    return text.replace("<=", "≤").replace(">=", "≥")


def plain(text: str) -> str:
    """Text in Markdown, its special characters escaped."""
    return re.sub(r"([\\`*_<>\[\]|#$~])", r"\\\1", signs(text))


def linked(source: str) -> str:
    """A source as HTML, arXiv numbers as links."""
    return re.sub(r"arXiv (\d{4}\.\d{5})", r'<a href="https://arxiv.org/abs/\1">arXiv \1</a>', escape(source))


def for_latex(text: str) -> str:
    """Text in LaTeX, its special characters escaped."""
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", r"\textbackslash "))
    return escaped.replace("^", r"\^{}").replace("~", r"\~{}")
