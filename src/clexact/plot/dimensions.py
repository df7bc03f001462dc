r"""``filtration``: the dimensions of W_0 $\subset$ W_1 $\subset$ ..., up to D less the number of laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.dynamics import gradient_flow, momentum_flow
from clexact.lie.closure import LieClosure
from clexact.models import linear
from clexact.plot.figures import compose
from clexact.support.errors import error_bits
from clexact.support.palette import BLUE, ORANGE

WIDTH, HEIGHT, SINGLE = 5.5, 2.3, 2.7  # inches


@dataclass(frozen=True)
class Filtration:
    """Dimensions of W_0, W_1, ..., and the bounds lower <= N <= upper of the number of laws."""

    dimension: int  # D
    dims: tuple[int, ...]
    lower: int | None  # None: not known
    upper: int
    error: Fraction  # probability that the number is not the upper bound, where the bounds meet; 0 if that is proved
    generic: bool  # whether the first dimensions are those at a generic point, else they may be larger there


def filtration(counts: object = None, *, ax: Any = None) -> Any:
    r"""Draw how the Lie algebra of a flow grows: dim W_0, dim W_1, ..., and what is left to conservation laws.

    W_0 is spanned by the fields, W_{k+1} by W_k and the brackets [W_0, W_k]; its values at a generic point have dim W_k
    dimensions of D, and at most D - dim W_k independent laws remain.

    Where the bounds of a count meet, the last bar and the laws fill D, dashed at D - N. All numbers are those of the
    count: proved lower bounds of the dimensions, proved upper bounds of the number of laws; a number of laws that is
    not proved is given with its error.

    Parameters
    ----------
    counts : LawCount, LieClosure or mapping, optional
        A count or a closure, or a mapping of titles to these, for panels side by side. Default: U_1 U_2 with its
        gradient flow, and with momentum.
    ax : matplotlib.axes.Axes or sequence of them, optional
        On which to draw, one for each panel.

    Returns
    -------
    matplotlib.figure.Figure
        Or ``ax`` if given.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import clexact
    >>> count = clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 2, 2])))
    >>> [text.get_text() for text in filtration(count).axes[0].get_xticklabels()]
    ['$W_{0}$\n4', '$W_{1}$\n5\n+ 1']
    """
    counts = _example() if counts is None else counts
    parts = dict(counts) if isinstance(counts, Mapping) else {"": counts}
    if not parts:
        raise ValueError("filtration takes at least one LawCount or LieClosure, not an empty mapping.")
    read = {str(title): _read(count) for title, count in parts.items()}
    return compose(_draw, list(read.items()), ax, WIDTH if len(read) > 1 else SINGLE, HEIGHT)


def _example() -> dict[str, LawCount]:
    net = linear([2, 2, 2])
    return {"gradient flow of $U_1 U_2$": certify(gradient_flow(net)), "with momentum": certify(momentum_flow(net))}


def _read(count: object) -> Filtration:
    if isinstance(count, LawCount):
        bounds = count.lower, count.upper, count.error
        return Filtration(count.dimension, count.filtration, *bounds, count.closure.generic)
    if isinstance(count, LieClosure):
        upper = count.dimension - count.rank
        return Filtration(count.dimension, count.dims, None, upper, Fraction(0), count.generic)
    raise TypeError(f"filtration takes a LawCount, a LieClosure or a mapping of these, not {count!r}.")


def _draw(axes: Any, title: str, found: Filtration) -> None:
    D, depths = found.dimension, range(len(found.dims))
    before = (0, *found.dims[:-1])
    axes.bar(depths, before, color=BLUE, width=0.7, alpha=0.35)
    grown = [b - a for a, b in zip(before, found.dims, strict=True)]
    axes.bar(depths, grown, bottom=before, color=BLUE, width=0.7)
    left = [D - dim for dim in found.dims]
    axes.bar(depths, left, bottom=found.dims, width=0.7, color="none", edgecolor=ORANGE, hatch="////", linewidth=0)
    axes.axhline(D, color="0.3", linewidth=0.8)
    axes.axhline(D - found.upper, color=ORANGE, linewidth=1, linestyle="--")
    last = len(found.dims) - 0.55
    axes.text(last, D, f" $D = {D}$", va="bottom", fontsize=7)
    axes.text(last, D, f" {_laws(found)}", va="top", color=ORANGE, fontsize=7)
    added = ["", *(f"\n+ {new}" for new in grown[1:])]
    names = [f"$W_{{{depth}}}$\n{dim}{new}" for depth, dim, new in zip(depths, found.dims, added, strict=True)]
    sign = "dim" if found.generic else "dim, at least"
    axes.set(xticks=list(depths), xticklabels=names, xlim=(-0.6, last), ylim=(0, D * 1.02), title=title, ylabel=sign)


def _laws(found: Filtration) -> str:
    noun = "law" if found.upper == 1 else "laws"
    if found.lower == found.upper:
        return f"{found.upper} {noun}" + (f",\n error ≤\n $2^{{-{error_bits(found.error)}}}$" if found.error else "")
    return f"at most\n {found.upper} {noun}" if found.lower is None else f"{found.lower} to\n {found.upper} {noun}"
