"""How results show themselves: in words, and in a notebook as plain HTML, which needs no script and no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

BREAK = r" \\ "  # a new line in LaTeX
MOST_LAWS, MOST_TERMS = 24, 40  # that are shown, of a result and of a law
CELL = ' style="text-align: left; vertical-align: top"'


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def counted(count: int, what: str) -> str:
    """1 law, 2 laws."""
    return f"{count} {what}{'s' * (count != 1)}"


def facts(headline: str, pairs: Mapping[str, object]) -> str:
    """A line in bold, and below it a table of two columns; pairs whose value is None are left out."""
    rows = [(name, value) for name, value in pairs.items() if value is not None]
    return f"<div><b>{_html(headline)}</b>{table(rows)}</div>"


def table(rows: Iterable[Sequence[object]], heads: Sequence[str] = ()) -> Markup:
    """A table; what is not ``Markup`` is escaped."""
    head = "".join(f"<th{CELL}>{_html(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td{CELL}>{_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return Markup(f"<table>{f'<tr>{head}</tr>' if heads else ''}{body}</table>")


def lines(texts: Iterable[object]) -> Markup:
    """Texts below each other."""
    return Markup("<br>".join(map(_html, texts)))


def listed(items: Sequence[str], total: int, numbers: Sequence[int] | None = None) -> Markup:
    """Lines of HTML, the first of so many, with their numbers (default: from 0, as Python counts)."""
    counted = range(len(items)) if numbers is None else numbers
    rows = [(f"[{n}]", Markup(item)) for n, item in zip(counted, items, strict=False)]
    more = f"<i>... {total - len(items)} more</i>" if total > len(items) else ""
    return Markup(table(rows) + more)


def gathered(rows: Sequence[str], total: int, empty: str) -> str:
    """Formulas of LaTeX below each other, the first of so many; ``empty`` where there is none."""
    if not rows:
        return empty
    more = [rf"\text{{... {total - len(rows)} more}}"] if total > len(rows) else []
    return rf"$$\begin{{gathered}} {BREAK.join([*rows, *more])} \end{{gathered}}$$"


def _html(text: object) -> str:
    return str(text) if isinstance(text, Markup) else escape(str(text))
