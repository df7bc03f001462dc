"""The laws of a module to be read: a table that fits a terminal, and a picture of which parameters each law ties.

Repeated blocks are one line; the parts of a fused projection are named q, k and v.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import NamedTuple

from clexact.support.display import counted
from clexact.symmetry.folding import Fold
from clexact.symmetry.views import Term
from clexact.torch.law import ModuleLaw

FUSED = ("in_proj_weight", "in_proj_bias", "c_attn.weight", "c_attn.bias", "qkv.weight", "qkv.bias")  # q, k, v in turn
SMALLEST = 40  # columns of a table
ROW, COLUMN, LETTER, MARGIN = 18, 34, 7.2, 16  # of the picture, in pixels
PLUS, MINUS, LINE = "#1b6ca8", "#c2410c", "#9aa3ad"


def part(term: Term, length: int | None = None) -> str:
    """The parameter of a term, with its slice: q, k or v where it is one of the three thirds of a fused projection."""
    name, view = term.parameter, term.view
    if view.stop is None:
        return name
    third = view.stop - view.start
    whole = 3 * third if length is None else length
    if name.endswith(FUSED) and whole == 3 * third and view.start % third == 0 and view.start < whole:
        return f"{name}.{'qkv'[view.start // third]}"
    before = ":, " * (view.axis or 0)
    return f"{name}[{before}{view.start}:{view.stop}]"


def described(law: ModuleLaw) -> str:
    """What a law is of, in words: its parts with their signs, and what is numbered."""
    lengths = dict(law.layout)
    parts = dict.fromkeys((term.coefficient, _part(term, lengths)) for term in law.terms)
    texts = [f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c)} '}{name}" for c, name in parts]
    joined = " ".join(texts).removeprefix("+ ")
    match law.kind:
        case "gram" if len(law.shape) == 3:
            return f"matrices of {law.shape[-1]} units of each of {counted(law.shape[0], 'head')}: {joined}"
        case "gram":
            return f"a matrix of {counted(law.shape[-1], 'unit')}: {joined}"
        case "diagonal" | "scale":
            return f"squared lengths, {counted(_numbers(law), 'number')}: {joined}"
        case "total":
            return f"squares of sums: {joined}"
        case _:
            return f"sums, {counted(_numbers(law), 'number')}: {joined}"


def entry(law: ModuleLaw, place: Sequence[int]) -> str:
    """One number of a law by its place: "head 3, units 0 and 1", "unit 5".

    Parameters
    ----------
    law : ModuleLaw
        The law.
    place : sequence of int
        Of the number in ``law.value``.

    Returns
    -------
    str
        In words.

    Raises
    ------
    ValueError
        For a place that the law does not have.
    """
    if len(place) != len(law.shape) or any(not 0 <= n < size for n, size in zip(place, law.shape, strict=False)):
        raise ValueError(f"the law has numbers at places below {law.shape}, not at {tuple(place)}.")
    if law.kind != "gram":
        return f"{'entry' if law.kind == 'translation' else 'unit'} {', '.join(map(str, place))}"
    units = f"unit {place[-1]}" if place[-1] == place[-2] else f"units {place[-2]} and {place[-1]}"
    return f"head {place[0]}, {units}" if len(place) == 3 else units


def table(folds: Sequence[Fold[ModuleLaw]], headline: str, width: int) -> str:
    """A row for each law, or for each of repeated blocks; no line is longer than the width."""
    if not isinstance(width, int) or isinstance(width, bool) or width < SMALLEST:
        raise ValueError(f"width must be an integer of at least {SMALLEST}, not {width!r}.")
    numbers = [f"{fold.many} x {fold.shown.count}" if fold.many > 1 else str(fold.shown.count) for fold in folds]
    left = max(map(len, ["numbers", *numbers]))
    lines = [*_wrapped(headline, width, ""), "-" * width, f"{'numbers':>{left}}  law"]
    for fold, number in zip(folds, numbers, strict=True):
        law = fold.shown
        first, *rest = _wrapped(f"{law.name}  ({law.kind}, {law.status.name})", width - left - 2, "")
        lines.append(f"{number:>{left}}  {first}")
        more = _wrapped(described(_unfolded(fold)), width - left - 2, "  ")
        lines += [f"{'':{left}}  {line}" for line in [*rest, *more]]
    return "\n".join(line.rstrip() for line in lines)


def _unfolded(fold: Fold[ModuleLaw]) -> ModuleLaw:
    """The law of a fold with the shapes of its first member, under the names of all."""
    renamed = {a.parameter: b.parameter for a, b in zip(fold.members[0].terms, fold.shown.terms, strict=True)}
    layout = tuple((renamed.get(name, name), shape) for name, shape in fold.members[0].layout)
    return replace(fold.shown, layout=layout)


def _part(term: Term, lengths: dict[str, tuple[int, ...]]) -> str:
    shape = lengths.get(term.parameter)
    return part(term, None if shape is None or term.view.axis is None else shape[term.view.axis])


def _numbers(law: ModuleLaw) -> int:
    total = 1
    for size in law.shape:
        total *= size
    return total


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent) or [""]


# The picture


class _Dot(NamedTuple):
    row: int
    column: int
    plus: bool


def picture(folds: Sequence[Fold[ModuleLaw]], title: str) -> str:
    """SVG: a row for each parameter, a column for each law, a dot where the law has the parameter.

    Blue with a plus sign, orange with a minus: the two sides that are balanced against each other. The dots of a law
    are joined. Repeated blocks are one column.
    """
    laws = [_unfolded(fold) for fold in folds]
    lengths = [dict(law.layout) for law in laws]
    parts = [
        [(_part(term, known), term.coefficient > 0) for term in law.terms]
        for law, known in zip(laws, lengths, strict=True)
    ]
    rows = {name: n for n, name in enumerate(dict.fromkeys(name for each in parts for name, _ in each))}
    dots = [_Dot(rows[name], n, plus) for n, each in enumerate(parts) for name, plus in dict.fromkeys(each)]
    left = MARGIN + LETTER * max(map(len, rows), default=0) + MARGIN
    top = 2 * ROW + MARGIN
    legend = top + ROW * (len(rows) + 1)
    longest = max([len(title), *(len(law.name) + 8 for law in laws)])
    width = max(left + COLUMN * len(laws), LETTER * longest + MARGIN) + MARGIN
    height = legend + ROW * (len(laws) + 1)
    body = [_text(MARGIN, ROW, title, bold=True)]
    body += [_text(MARGIN, top + ROW * n + 4, name) for name, n in rows.items()]
    for n, law in enumerate(laws):
        x = left + COLUMN * n
        mine = [dot.row for dot in dots if dot.column == n]
        body.append(_line(x, top + ROW * min(mine), x, top + ROW * max(mine)))
        body.append(_text(x - 4, top - ROW, str(n + 1)))
        body.append(_text(MARGIN, legend + ROW * n, f"{n + 1}: {law.name}"))
    body += [_dot(left + COLUMN * dot.column, top + ROW * dot.row, dot.plus) for dot in dots]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img" '
        f'font-family="monospace" font-size="12"><title>{escape(title)}</title>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="currentColor"{weight}>{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{to_x:.0f}" y2="{to_y:.0f}" stroke="{LINE}" stroke-width="2"/>'


def _dot(x: float, y: float, plus: bool) -> str:
    color, sign = (PLUS, "+") if plus else (MINUS, "&#8722;")
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="7" fill="{color}"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" fill="white">{sign}</text>'
    )
