"""``touches``: which law touches which block of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Polynomial, latex_name
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.dynamics import gradient_flow
from clexact.models import attention
from clexact.plot.figures import compose
from clexact.support.palette import BLUE, ORANGE, PINK
from clexact.symmetry.families import Family

MOST_ROWS = 24  # of single laws; beyond it laws with the same pattern share a row
PLUS, MINUS, BOTH = 1, 2, 3  # what stands in a cell: bit 0 for a positive sign, bit 1 for a negative one
SIGNS = {PLUS: "+", MINUS: "−", BOTH: "±"}
COLORS = {PLUS: BLUE, MINUS: ORANGE, BOTH: PINK}
CELL, MOST_WIDTH, MOST_HEIGHT = 0.32, 11.0, 9.0  # inches
SMALL = 0.16  # inches of a cell below which it has no sign


@dataclass(frozen=True)
class Touched:
    """Rows are laws, or groups of laws with the same pattern, columns are blocks of parameters.

    An entry is 0 where a law does not touch a block; else bit 0 says that a term in the block has a positive
    coefficient, bit 1 that one has a negative coefficient.
    """

    rows: tuple[str, ...]  # names
    columns: tuple[str, ...]
    counts: tuple[int, ...]  # how many laws a row stands for
    signs: NDArray[np.int64]  # (rows, columns)


def touches(laws: object = None, *, ax: Any = None) -> Any:
    """Draw which law touches which block of parameters, as a matrix with the signs of the law's terms in the block.

    Above 24 laws, those with the same pattern share a row, which says how many they are.

    Parameters
    ----------
    laws : object, optional
        A ``LawCount`` (its independent polynomials), its ``laws`` (a row for each family), ``ConservationLaws``,
        ``Polynomial`` or a list of these, with the variables of one array, such as U[0,1], as a block; or the laws of a
        PyTorch module (``clexact.torch.laws``).
        Default: the laws of a small attention head.
    ax : matplotlib.axes.Axes, optional
        On which to draw.

    Returns
    -------
    matplotlib.figure.Figure
        Or the Axes ``ax`` if given.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For no law.

    Examples
    --------
    >>> import clexact
    >>> laws = clexact.certify(clexact.gradient_flow(clexact.models.relu([2, 1, 2]))).laws
    >>> panel = touches(laws).axes[0]
    >>> [text.get_text() for text in (*panel.get_xticklabels(), *panel.texts)]
    ['$U_{1}$', '$U_{2}$', '+', '−']
    """
    found = touched(_example() if laws is None else laws)
    rows, columns = found.signs.shape
    width = min(MOST_WIDTH, 1.2 + CELL * columns + 0.05 * max(map(len, found.rows)))
    height = min(MOST_HEIGHT, 0.7 + CELL * rows + 0.04 * max(map(len, found.columns)))
    return compose(_draw, [("", found)], ax, width, height)


def touched(laws: object) -> Touched:
    """The matrix of signs; errors as ``touches``."""
    clocks: tuple[str, ...] = ()
    if isinstance(laws, LawCount):
        polynomials = laws.laws.polynomials()
        clocks, laws = laws.flow.clocks, [polynomials[n] for n in laws.shown.laws]
    laws = [laws] if isinstance(laws, Polynomial) else laws
    if isinstance(laws, (str, Mapping)) or not isinstance(laws, Iterable):
        raise TypeError(f"touches takes a LawCount, laws or the laws of a module, not {laws!r}.")
    listed = list(laws)
    if not listed:
        raise ValueError("there is no law among those given: nothing to draw.")
    rows = [_row(n, law) for n, law in enumerate(listed)]
    blocks = {block: None for law in listed if isinstance(law, Polynomial) for block in map(_block, law.variables)}
    touching = {block: None for row in rows for block in row.signs}
    columns = tuple(block for block in blocks | touching if block in touching and block not in clocks)
    rows = rows if len(rows) <= MOST_ROWS else _grouped(rows)
    signs = np.array([[row.signs.get(block, 0) for block in columns] for row in rows])
    return Touched(tuple(row.name for row in rows), columns, tuple(row.count for row in rows), signs)


@dataclass(frozen=True)
class _Row:
    name: str
    count: int
    signs: dict[str, int]


def _block(variable: str) -> str:
    """The array that a variable is an entry of: U for U[0,1], U' for U'[0,1]."""
    return variable.partition("[")[0]


def _row(n: int, law: Any) -> _Row:
    """A polynomial, or a law of a PyTorch module: terms, each a coefficient times a square or sum of a parameter."""
    if isinstance(law, Polynomial):
        factors = [(_block(law.variables[v]), c) for monomial, c in law.items() for v, _ in monomial]
        return _Row(f"$h_{{{n}}}$", 1, _signs(factors))
    if type(law) is Family:
        signs = _signs([(term.parameter, term.coefficient) for term in law.terms])
        return _Row(f"${law.latex}$" + f" ({law.size})" * (law.size > 1), law.size, signs)
    if not all(hasattr(law, name) for name in ("name", "count", "terms")):
        raise TypeError(f"a law must be a Polynomial or a law of a module, not {law!r}.")
    name = law.name if law.count == 1 else f"{law.name} ({law.count})"
    return _Row(name, law.count, _signs([(term.parameter, term.coefficient) for term in law.terms]))


def _signs(factors: Iterable[tuple[str, Any]]) -> dict[str, int]:
    """The signs of the coefficients with which each block occurs."""
    found: dict[str, int] = {}
    for block, c in factors:
        found[block] = found.get(block, 0) | (PLUS if c > 0 else MINUS)
    return found


def _grouped(rows: Sequence[_Row]) -> list[_Row]:
    """One row for each pattern, in the order of their first laws."""
    groups: dict[tuple[tuple[str, int], ...], list[_Row]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row.signs.items())), []).append(row)
    found = []
    for group in groups.values():
        count = sum(row.count for row in group)
        name = group[0].name if len(group) == 1 else f"{count} laws"
        found.append(_Row(name, count, group[0].signs))
    return found


def _draw(axes: Any, title: str, found: Touched) -> None:
    from matplotlib.colors import ListedColormap

    rows, columns = found.signs.shape
    colors = ListedColormap(["white", *(COLORS[sign] for sign in (PLUS, MINUS, BOTH))])
    axes.pcolormesh(found.signs, cmap=colors, vmin=-0.5, vmax=3.5, edgecolors="0.85", linewidth=0.5)
    size = axes.get_window_extent().width / axes.figure.dpi / columns
    if size > SMALL:
        for (row, column), sign in np.ndenumerate(found.signs):
            if sign:
                place = column + 0.5, row + 0.5
                axes.text(*place, SIGNS[int(sign)], ha="center", va="center", color="white", fontsize=9)
    names = [_shown(name) for name in found.columns]
    turned = {"rotation": 90} if max(map(len, found.columns)) > 4 else {}
    axes.set_xticks(np.arange(columns) + 0.5, names, **turned)
    axes.set_yticks(np.arange(rows) + 0.5, found.rows)
    axes.set(title=title, ylim=(rows, 0))
    legend = "" if size > SMALL else ": blue +, orange −, pink ±"
    axes.set_xlabel(f"signs of the terms in a block{legend}", fontsize=6)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _shown(block: str) -> str:
    """Names of arrays as mathematics; a parameter of a module, with its dots, as it is."""
    return block if "." in block or len(block) > 6 else f"${latex_name(block)}$"


def _example() -> LawCount:
    return certify(gradient_flow(attention(3, 2)))
