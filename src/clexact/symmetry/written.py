r"""How a family of laws is written: U1ᵀU1 − U2U2ᵀ, or |W[i]|² + b[i]² − |V[:,i]|² for i < 3; in ASCII and LaTeX too.

Between names that are more than a letter stands a dot: 0.weight·0.weightᵀ.

A parameter, or a slice of it, is indexed as NumPy does. What is no such thing (its axes split, or entries chosen one by
one) is called P1, P2, ... and said behind "where".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from clexact.algebra.polynomial import latex_name
from clexact.programs.places import Shape
from clexact.symmetry.phases import PhaseNames
from clexact.symmetry.views import SHOWN, Term, View

if TYPE_CHECKING:
    from clexact.symmetry.families import Family

MATRICES = ("gram", "rotation")  # kinds whose numbers are the entries of matrices
LETTERS = "ijklmnopqrstuvw"
STACK = "hgfedcba"  # of matrices with several rows


@dataclass(frozen=True)
class Style:
    """How products with a transpose, squares, sums and signs are written."""

    rows: str
    columns: str
    norm: str
    square: str
    sum: str
    minus: str
    least: str
    rotation: tuple[str, str]  # P Q^T - Q P^T, of matrices and of their transposes
    power: str  # of e, with its exponent
    times: str  # between the factors of a product
    tex: bool = False

    def named(self, name: str, index: Sequence[str] = ()) -> str:
        """A parameter, or entries of it."""
        if not self.tex:
            return f"{name}[{','.join(index)}]" if index else name
        if name.rstrip("'").isidentifier():
            return latex_name(f"{name}[{','.join(index)}]" if index else name)
        escaped = name.replace("_", r"\_")
        return rf"\text{{{escaped}}}" + (f"_{{{','.join(index)}}}" if index else "")

    def gram(self, name: str, turned: bool) -> str:
        """P P^T, or P^T P."""
        return (self.columns if turned else self.rows).format(name, self._times(name))

    def turning(self, name: str, velocity: str, turned: bool, minus: bool) -> str:
        """P Q^T - Q P^T, or P^T Q - Q^T P; or the negative."""
        pairs = [(name, velocity), (velocity, name)]
        parts = [self.rotation[turned].format(*pair, self._times(*pair)) for pair in pairs]
        return f" {self.minus} ".join(parts[::-1] if minus else parts)

    def _times(self, *names: str) -> str:
        """What stands between two factors: nothing between letters, with their numbers, where a dot helps no reader."""
        return "" if self.times == DOT and all(map(LETTER.fullmatch, names)) else self.times

    def clock(self, phase: PhaseNames, power: int) -> str:
        """A power of the clock, as a factor with a space behind it; nothing for the power 0."""
        if not power:
            return ""
        if phase.rate is None:
            name = self.named(phase.clock)
            return f"{name if power == 1 else self.raised(name, power)} "
        rate = power * phase.rate
        return (
            self.power.format("" if rate == 1 else "-" if rate == -1 else f"{rate} " if self.tex else f"{rate}*") + " "
        )

    def raised(self, name: str, power: int) -> str:
        """A name with an exponent."""
        if self.tex:
            return f"{name}^{{{power}}}"
        return f"{name}{str(power).translate(SUPERSCRIPTS)}" if self is PRETTY else f"{name}^{power}"


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LETTER = re.compile(r"[^\W\d_]\d*(_[^\W_]|_\d+|_\(\w[+-]\d+\))?'*")  # U, U1', U_k, U_(k+1)
DOT = "·"
PLAIN = Style(
    "{0}{1}{0}^T", "{0}^T{1}{0}", "|{}|^2", "{}^2", "sum_{0} {1}", "-", "<=", ("{0}{2}{1}^T", "{0}^T{2}{1}"),
    "e^({}t)", " ",
)  # fmt: skip
PRETTY = Style(
    "{0}{1}{0}ᵀ", "{0}ᵀ{1}{0}", "|{}|²", "{}²", "Σ_{0} {1}", "−", "≤", ("{0}{2}{1}ᵀ", "{0}ᵀ{2}{1}"), "e^({}t)", DOT
)
TEX = Style(
    r"{0}{1}{0}^\top",
    r"{0}^\top{1}{0}",
    r"\|{}\|^2",
    r"{}^2",
    r"\textstyle\sum_{{{0}}} {1}",
    "-",
    r"\le",
    (r"{0}{2}{1}^\top", r"{0}^\top{2}{1}"),
    r"e^{{{}t}}",
    r"\,",
    tex=True,
)


def formula(family: Family, style: Style) -> str:
    """The law in the names of the parameters: ``+`` and ``-`` of squares, of sums, or of products with velocities.

    A power of the clock that all terms have stands before them.
    """
    if block := _block(family):
        return style.named(family.terms[0].parameter, _of_block(*block))
    letters, text, where = _Letters(family), "", list[str]()
    powers = {term.power for term in family.terms}
    shared = min(powers) if len(powers) == 1 else 0
    for term in family.terms:
        sign, part = _signed(family, letters, term, style, where)
        size = "" if abs(term.coefficient) == 1 else f"{abs(term.coefficient)} "
        if family.kind == "rotation" and (size or term.power != shared):
            part = f"({part})"
        if family.phase is not None:
            size += style.clock(family.phase, term.power - shared)
        text += f" {sign} {size}{part}"
    text = text.removeprefix(" + ").lstrip()
    if shared and family.phase is not None:
        several = len(family.terms) > 1 or family.kind == "rotation" or text.startswith(style.minus)
        text = style.clock(family.phase, shared) + (f"({text})" if several else text)
    if where:
        text += (r"\quad\text{where }" + r",\quad ".join(where)) if style.tex else f" where {'; '.join(where)}"
    each = " for each h" * (family.kind in MATRICES and family.groups > 1)
    return text + (rf"\text{{{each}}}" if each and style.tex else each)


def _signed(family: Family, letters: _Letters, term: Term, style: Style, where: list[str]) -> tuple[str, str]:
    """The sign of a term, and the term without its coefficient."""
    minus = term.coefficient < 0
    sign = style.minus if minus else "+"
    match family.kind:
        case "gram":
            return sign, _gram(term, style, where)
        case "rotation":  # a negative one is turned around
            return "+", _turning(term, style, where, minus)
        case _:
            return sign, letters.single(term, style, where)


def indices(family: Family, style: Style) -> str:
    """Of which indices there is a number of the law each: i < 3; empty for a single number."""
    if block := _block(family):
        return ", ".join(f"{letter} {_among(places, size)}" for letter, places, size in _ranging(*block))
    if family.kind not in MATRICES:
        return ", ".join(f"{letter} < {size}" for letter, size in _Letters(family).sizes)
    stack = [f"h < {family.groups}"] * (family.groups > 1)
    less = style.least if family.kind == "gram" else "<"
    return ", ".join(stack + [f"i {less} j < {family.rows}"] * (family.rows > 1))


Block = tuple[list[list[int]], Shape]  # for each axis its indices, and the shape of the whole


def _block(family: Family) -> Block | None:
    """The index sets whose product the entries are, of a family of some entries of one parameter by themselves."""
    term = family.terms[0]
    if family.kind != "translation" or len(family.terms) > 1 or family.rows > 1 or not term.shape:
        return None
    if term.view.index is None or term.velocity or term.power:
        return None
    entries = term.entries.ravel()
    places = [np.unique(along).tolist() for along in np.unravel_index(entries, term.shape)]
    product = np.ravel_multi_index(np.ix_(*places), term.shape).ravel()
    return (places, term.shape) if np.array_equal(product, entries) else None


def _ranging(places: list[list[int]], whole: Shape) -> list[tuple[str, list[int], int]]:
    """The axes along which there are several entries, each with its letter, indices and size."""
    several = [(along, size) for along, size in zip(places, whole, strict=True) if len(along) > 1]
    return [(letter, *each) for letter, each in zip(LETTERS, several, strict=False)]


def _of_block(places: list[list[int]], whole: Shape) -> list[str]:
    """The indices of an entry."""
    letters = iter([letter for letter, *_ in _ranging(places, whole)])
    return [next(letters) if len(along) > 1 else str(along[0]) for along in places]


def _among(places: list[int], size: int) -> str:
    """Which values an index takes: < 3, or in {0, 2, 5..9}."""
    if len(places) == size:
        return f"< {size}"
    cuts = [0, *(n for n in range(1, len(places)) if places[n] != places[n - 1] + 1), len(places)]
    runs = [places[a:b] for a, b in pairwise(cuts)]
    texts = [f"{run[0]}..{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"in {{{', '.join(texts[:SHOWN])}{', ...' * (len(texts) > SHOWN)}}}"


def _gram(term: Term, style: Style, where: list[str]) -> str:
    """P P^T, or P^T P."""
    written, turned = matrix(term)
    if written == term.written:
        return style.gram(style.named(written), turned)
    return style.gram(_defined(written, style, where), turned)


def _turning(term: Term, style: Style, where: list[str], minus: bool) -> str:
    """P Q^T - Q P^T, or P^T Q - Q^T P: the velocities are seen as the parameter is."""
    written, turned = matrix(term)
    if written != term.written:
        name = _defined(written, style, where)
        return style.turning(name, f"{name}'", turned, minus)
    velocity = replace(term, parameter=term.velocity)
    return style.turning(style.named(written), style.named(velocity.written), turned, minus)


def _defined(written: str, style: Style, where: list[str]) -> str:
    """The name of what is said behind "where"."""
    number = f"{len(where) + 1}"
    name = f"P_{{{number}}}" if style.tex else f"P{number}"
    where.append(f"{name} = {style.named(written)}")
    return name


class _Letters:
    """The letters for indices of a family whose numbers are no matrix, and of how many values each is."""

    def __init__(self, family: Family) -> None:
        self.kind = family.kind
        self.listed = [self._numbering(term.view) for term in family.terms]
        self.alike = len({tuple(n for _, n in each) for each in self.listed}) == 1
        sizes = [n for _, n in self.listed[0]] if self.alike else [family.size]
        several = self.kind in ("diagonal", "scale") and family.rows > 1 and len(sizes) > 1
        names = [*STACK[: len(sizes) - 1][::-1], "i"] if several else list(LETTERS[: len(sizes)])
        self.sizes = list(zip(names, sizes, strict=True))

    def _numbering(self, view: View) -> list[tuple[int, int]]:
        """The axes, with their sizes, that number the numbers."""
        if self.kind == "translation":
            axes: tuple[int, ...] = (*view.group, *view.rest)
        else:
            axes = view.group if self.kind == "total" else view.kept
        return [(axis, view.shape[axis]) for axis in axes if view.shape[axis] > 1]

    def single(self, term: Term, style: Style, where: list[str]) -> str:
        """A squared norm, or a sum."""
        if self.kind == "translation" and term.velocity:
            term = replace(term, parameter=term.velocity)
        view, own, plain, written = self._seen(term)
        letters = {axis: letter for (axis, _), (letter, _) in zip(own, self.sizes, strict=True)}
        one = all(size == 1 for axis, size in enumerate(view.shape) if axis not in letters)
        summed = list[int]()
        if self.kind in ("translation", "total") and view.unit is not None and view.rows > 1:
            summed = [view.unit]
        elif term.linear:
            summed = [axis for axis in range(len(view.shape)) if axis not in letters and view.shape[axis] > 1]
        for axis in summed:
            letters[axis] = next(letter for letter in LETTERS if letter not in letters.values())
        index = _index(view, letters, term.whole if plain else view.shape)
        name = style.named(term.parameter, index) if plain else _entries(_defined(written, style, where), index, style)
        if summed:
            name = style.sum.format(",".join(letters[axis] for axis in summed), name)
        if self.kind == "translation" or term.linear:
            return name
        return (style.square if one else style.norm).format(name)

    def _seen(self, term: Term) -> tuple[View, list[tuple[int, int]], bool, str]:
        """The view, its axes that have letters, whether it is of a parameter or a slice, and else of what it is."""
        view, own = term.view, self._numbering(term.view)
        if self.alike or len(own) < 2:
            return view, own, is_slice(term), _reshaped(term)
        axes = [axis for axis, _ in own]  # several have one letter: together they are the first
        order = axes + [axis for axis in range(len(view.shape)) if axis not in axes]
        written = f"{_reshaped(term)}.permute({', '.join(map(str, order))}).flatten(0, {len(axes) - 1})"
        shape = (self.sizes[0][1], *(view.shape[axis] for axis in order[len(axes) :]))
        unit = None if view.unit is None or view.unit in axes else order.index(view.unit) - len(axes) + 1
        return View(shape, (0,), unit), [(0, shape[0])], False, written


def _entries(name: str, index: Sequence[str], style: Style) -> str:
    """Entries of what has a name of its own."""
    if not index:
        return name
    return f"({name})_{{{','.join(index)}}}" if style.tex else f"{name}[{','.join(index)}]"


def _index(view: View, letters: Mapping[int, str], whole: Shape) -> list[str]:
    """How entries of a parameter, or a slice of it, are indexed; nothing where all of it is meant."""
    index, some = list[str](), False
    if not whole:  # a scalar
        return index
    for axis, size in enumerate(view.shape):
        first = view.start if axis == view.axis and view.stop is not None else 0
        if axis in letters:
            index.append(f"{letters[axis]}+{first}" if first else letters[axis])
        elif size == 1:
            index.append(str(first))
        else:
            index.append(":" if size == whole[axis] else f"{first}:{first + size}")
        some |= axis in letters or size < whole[axis]
    while index and index[-1] == ":":
        index.pop()
    return index if some else []


def is_slice(term: Term) -> bool:
    """Whether a term is a parameter, or a slice of one, with the axes that it has there."""
    return term.view.index is None and (not term.whole or term.view.shape == _sliced(term))


def _sliced(term: Term) -> Shape:
    """The shape of the slice."""
    view, shape = term.view, list(term.whole)
    if view.axis is not None and term.shape:
        shape[view.axis] = len(range(shape[view.axis])[view.start : view.stop])
    return tuple(shape)


def _reshaped(term: Term) -> str:
    """What the view splits, as torch would write it."""
    return term.written if is_slice(term) else f"{term.written}.reshape({', '.join(map(str, term.view.shape))})"


def matrix(term: Term) -> tuple[str, bool]:
    """A matrix M (number h of a stack) as torch would write it, and whether P is its transpose.

    A slice of one axis is a column.
    """
    view, written = term.view, term.written
    axes = [axis for axis in range(len(view.shape)) if view.groups > 1 or axis not in view.group]
    split = tuple(view.shape[axis] for axis in axes)
    if not is_slice(term) and split != _sliced(term):
        written += f".reshape({', '.join(map(str, split))})"
    if view.groups > 1:
        places = ["h" if axis in view.group else ":" for axis in range(max(view.group) + 1)]
        written += f"[{', '.join(places)}]"
        axes = [axis for axis in axes if axis not in view.group]
    place = 0 if view.unit is None else axes.index(view.unit)
    if len(axes) <= 2:
        return written, place == 1
    return f"{written}.flatten(1)" if place == 0 else f"{written}.movedim({place}, 0).flatten(1)", False
