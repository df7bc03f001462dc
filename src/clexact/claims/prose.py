"""Prose with formulas written plainly ("r(r + 1)/2", "h_kk' = <u_k, u_k'>"): which parts are formulas, as LaTeX.

A formula ends where a word begins. What is not understood to its end stays text: a reader loses nothing by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "eta",
    "lambda",
    "mu",
    "sigma",
    "tau",
    "theta",
    "pi",
    "rho",
    "omega",
    "psi",
    "Phi",
    "Psi",
    "Sigma",
    "Omega",
    "Gamma",
    "Delta",
    "Theta",
]
SYMBOLS = {name: f"\\{name}" for name in GREEK} | {
    "phi": r"\varphi", "dphi": r"d\varphi", "dh": "dh", "dw": "dw", "dM": "dM", "infinity": r"\infty",
    "Id": r"\mathrm{Id}",
}  # fmt: skip
FUNCTIONS = [
    "min",
    "max",
    "exp",
    "log",
    "cos",
    "sin",
    "tanh",
    "sqrt",
    "rank",
    "dim",
    "ker",
    "diag",
    "det",
    "sum",
    "grad",
    "so",
    "sign",
    "relu",
    "sigmoid",
]
CALLED = ("so", "sign", "relu", "sigmoid")  # words too, where no bracket follows
OF_THEIR_OWN = {"sum": r"\sum", "grad": r"\nabla", "sqrt": r"\operatorname{sqrt}"}
RELATIONS = {
    "=": "=", "!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "≤": r"\leq", "≥": r"\geq", "<": "<", ">": ">", "->": r"\to",
    "<->": r"\leftrightarrow",
}  # fmt: skip
SIGNS = {"+": "+", "-": "-", "−": "-"}
BETWEEN = RELATIONS | SIGNS | {"/": "/", "*": r"\ast"}
OPEN, CLOSE = {"(": "(", "[": "["}, {")": ")", "]": "]"}
PAIRS = {"(": ")", "[": "]", "<": ">", "|": "|", "||": "||"}
INNER = {",": ",", ";": ";"}  # inside of brackets only
LEXEME = re.compile(r"\.\.\.|\d+(?:\.\d+)?|[A-Za-z]+\d*'*|!=|<->|<=|>=|->|\|\||[|<>=≤≥+\-−*/()\[\],;]|\^|_")
SECONDS = re.compile(r"[\d.]+s?")  # a number alone, or with its unit
SCRIPT = re.compile(r"\{([A-Za-z0-9+\-,< ]+)\}|(-?[A-Za-z0-9]+'*)")
ARTICLES = ("a", "A", "I")
START = re.compile(r"(?:^|[ \u201c]|(?:^|[ (])\()$")  # what stands before a formula
ENDS = {"", *" .,;:?!)\u201d"}  # and what behind it


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """("text", words) and ("maths", LaTeX) in turn."""
    held, at = "", 0
    while at < len(text):
        found = formula(text, at) if START.search(text[max(0, at - 2) : at]) else None
        if found is None:
            held, at = held + text[at], at + 1
            continue
        if held:
            yield "text", held
        held, (latex, at) = "", found
        yield "maths", latex
    if held:
        yield "text", held


def formula(text: str, start: int) -> tuple[str, int] | None:
    """The longest formula that starts here, with its end; None if there is none, or one that is not understood."""
    reader = _Reader(text, start)
    reader.read()
    if reader.best is None:
        return None
    latex, end, operands = reader.best
    word = text[start:end]
    if text[end : end + 1] not in ENDS or text[end : end + 2] == ".." or SECONDS.fullmatch(word):
        return None
    alone = operands == 1 and word in ARTICLES
    return None if alone and text[end : end + 1] not in (",", ":") else (latex, end)


@dataclass
class _Reader:
    """Reads lexemes as long as they make a formula; ``best`` is the longest beginning that is whole."""

    text: str
    at: int
    latex: str = ""
    stack: list[str] = field(default_factory=list)  # the brackets that are open
    ready: bool = False  # whether what was read last can end a formula
    operands: int = 0
    best: tuple[str, int, int] | None = None

    def read(self) -> None:
        """Until a lexeme does not fit."""
        begin = self.at
        while match := LEXEME.match(self.text, self.at + self._gap()):
            if self.operands == 1 and self.text[begin : self.at] in ARTICLES and match[0][0].isalnum():
                return  # an article and a word
            if not self._take(match):
                return
            if self.ready and not self.stack and self.operands:
                self.best = (self.latex, self.at, self.operands)

    def _gap(self) -> int:
        return int(bool(self.latex) and self.text[self.at : self.at + 1] == " ")

    def _take(self, match: re.Match[str]) -> bool:
        """Whether a lexeme goes on with the formula."""
        lexeme, end = match[0], match.end()
        spaced = match.start() > self.at
        behind = self.text[end : end + 1]
        if lexeme in ("^", "_"):
            return self.ready and not spaced and self._script(lexeme, end)
        if lexeme == "x" and self.ready and spaced and behind == " " and self._factor(end + 1):
            return self._add(r"\times", end, False)
        if lexeme == "a" and self.ready and spaced:
            return False  # the article again
        if lexeme[0].isalpha():
            return self._name(lexeme, end)
        if lexeme[0].isdigit():
            return self._add(lexeme, end, True, operand=True)
        if lexeme == "<" and behind not in ("", " ", "=") and (not self.ready or spaced or self.latex[-1:] == "("):
            return self._open(lexeme, r"\langle ", end)
        if lexeme == ">" and self.stack[-1:] == ["<"] and self.ready and not spaced:
            return self._close(lexeme, r"\rangle ", end)
        if lexeme in ("|", "||"):
            mark = r"\|" if lexeme == "||" else "|"
            if self.stack[-1:] == [lexeme] and self.ready:
                return self._close(lexeme, mark + " ", end)
            return behind not in ("", " ") and self._open(lexeme, mark + " ", end)
        if lexeme in OPEN:
            return self._open(lexeme, lexeme, end)
        if lexeme in CLOSE:
            return (
                bool(self.stack) and PAIRS[self.stack[-1]] == lexeme and self.ready and self._close(lexeme, lexeme, end)
            )
        if lexeme == "...":
            return bool(self.latex) and self._add(r"\ldots", end, True)
        if lexeme in INNER:
            return bool(self.stack) and self._add(INNER[lexeme], end, False)
        signed = lexeme in SIGNS and not self.ready and behind not in ("", " ")
        return (self.ready or signed) and self._add(BETWEEN[lexeme], end, False)

    def _factor(self, start: int) -> bool:
        """Whether a name or a number that we know comes here."""
        match = LEXEME.match(self.text, start)
        return match is not None and (match[0].isdigit() or match[0] == "(" or _known(match[0]) is not None)

    def _name(self, lexeme: str, end: int) -> bool:
        if lexeme in FUNCTIONS:
            if lexeme in CALLED and self.text[end : end + 1] != "(":
                return False
            return self._add(OF_THEIR_OWN.get(lexeme, rf"\operatorname{{{lexeme}}} "), end, False, scripted=True)
        latex = _known(lexeme)
        return latex is not None and self._add(latex, end, True, operand=True)

    def _script(self, mark: str, end: int) -> bool:
        """An index or a power, which may be a bracket of its own."""
        if self.text[end : end + 1] == "(":
            inner = _Reader(self.text, end)
            inner.read_bracket()
            if inner.best is None:
                return False
            latex, self.at, _ = inner.best
            self.latex += f"{mark}{{{latex[1:-1]}}}"
            return True
        match = SCRIPT.match(self.text, end)
        if match is None:
            return False
        inner_text = match[1] if match[1] is not None else match[2]
        self.latex += f"{mark}{{{_scripted(inner_text)}}}"
        self.at = match.end()
        return True

    def read_bracket(self) -> None:
        """One bracket, and nothing behind it."""
        while match := LEXEME.match(self.text, self.at + self._gap()):
            if not self._take(match):
                return
            if not self.stack:
                self.best = (self.latex, self.at, self.operands) if self.ready else None
                return

    def _open(self, lexeme: str, latex: str, end: int) -> bool:
        self.stack.append(lexeme)
        return self._add(latex, end, False)

    def _close(self, lexeme: str, latex: str, end: int) -> bool:
        self.stack.pop()
        return self._add(latex, end, True, operand=True)

    def _add(self, latex: str, end: int, ready: bool, operand: bool = False, scripted: bool = False) -> bool:
        self.latex += latex + " " * latex.startswith("\\")  # where a letter may follow
        self.at, self.ready = end, ready
        self.operands += operand
        if scripted and self.text[end : end + 1] in ("_", "^"):
            self.ready = True  # for its index alone
            done = self._script(self.text[end], end + 1)
            self.ready = False
            return done
        return True


def _known(lexeme: str) -> str | None:
    """The LaTeX of a symbol: a letter, with a number or primes perhaps, or a name that stands for one."""
    body = lexeme.rstrip("'")
    primes = lexeme[len(body) :]
    name = body.rstrip("0123456789")
    number = body[len(name) :]
    latex = SYMBOLS.get(name, name if len(name) == 1 else None)
    if latex is None:
        return None
    return f"{latex}{f'_{{{number}}}' if number else ''}{primes} "


def _scripted(text: str) -> str:
    """An index: letters that stand beside each other, or the name of a symbol."""
    body = text.rstrip("'")
    if body == "T":
        return r"\top"
    return f"{SYMBOLS.get(body, body)}{text[len(body) :]}"
