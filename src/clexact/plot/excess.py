"""``starts``: how often, and by how much, networks near random starts have more laws than with free gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clexact.counting.many_starts import StartCounts, near_starts
from clexact.flows.dynamics import gradient_flow
from clexact.models import relu
from clexact.plot.figures import compose
from clexact.support.palette import BLUE, GREEN, ORANGE, PINK

WIDTH, HEIGHT = 5.5, 2.2  # inches
LINES = list(zip((BLUE, ORANGE, GREEN, PINK), "os^D", strict=True))  # of each number of hidden layers, in turn
SHARE, EXCESS = "starts with more laws", "laws more"

Counts = Mapping[tuple[int, int], StartCounts]  # by the hidden layers and the units of each


def starts(counts: Mapping[str, Counts] | Counts | None = None, *, ax: Any = None) -> Any:
    """Draw counts near random starts against depth and width, beside the counts with free gates.

    On the left the share of starts near which more laws are proved than there are with free gates; on the right how
    many more: their mean over all starts, and dashed their largest number.

    Parameters
    ----------
    counts : mapping, optional
        {(hidden layers, units of each): StartCounts}, or such mappings by their titles, for a row of panels each.
        Default: ReLU networks with biases, of one input, near 12 starts each.
    ax : sequence of matplotlib.axes.Axes, optional
        On which to draw, two for each title.

    Returns
    -------
    matplotlib.figure.Figure
        Or ``ax`` if given.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For no counts.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.relu([1, 2, 2, 1], bias=True))
    >>> figure = starts({(2, 2): clexact.near_starts(flow, 4)})
    >>> [float(line.get_ydata()[0]) for axes in figure.axes for line in axes.lines if len(line.get_xdata())]
    [25.0, 0.25, 1.0]
    """
    parts = [(title, (what, found)) for title, found in _titled(counts).items() for what in (SHARE, EXCESS)]
    return compose(_draw, parts, ax, WIDTH, HEIGHT, columns=2)


def _titled(counts: Any) -> dict[str, Counts]:
    counts = _example() if counts is None else counts
    if not isinstance(counts, Mapping):
        raise TypeError(f"starts takes StartCounts by hidden layers and units, not {counts!r}.")
    titled = counts if all(isinstance(found, Mapping) for found in counts.values()) else {"": counts}
    for found in titled.values():
        for key, value in found.items():
            if not isinstance(value, StartCounts) or not isinstance(key, tuple) or len(key) != 2:
                raise TypeError(f"starts takes StartCounts by (hidden layers, units of each), not {key!r}: {value!r}.")
    if not any(titled.values()):
        raise ValueError("starts takes at least one network.")
    return dict(titled)


def _example() -> dict[str, Counts]:
    sizes = {(depth, width): [1, *[width] * depth, 1] for depth in (1, 2) for width in (2, 3)}
    found = {key: near_starts(gradient_flow(relu(widths, bias=True)), 12) for key, widths in sizes.items()}
    return {"relu with biases, 1 input": found}


def _draw(axes: Any, title: str, part: tuple[str, Counts]) -> None:
    what, found = part
    depths = sorted({depth for depth, _ in found})
    for depth, (color, marker) in zip(depths, LINES * len(depths), strict=False):
        style = {"color": color, "marker": marker, "markersize": 4, "clip_on": False}
        excess = {width: counts.excess for (one, width), counts in sorted(found.items()) if one == depth}
        widths, label = [width for width in excess if excess[width]], f"{depth} hidden layer{'s' * (depth > 1)}"
        if what == SHARE:
            axes.plot(widths, [share(excess[width]) for width in widths], label=label, **style)
            continue
        axes.plot(widths, [sum(excess[width]) / len(excess[width]) for width in widths], **style)
        axes.plot(widths, [max(excess[width]) for width in widths], linestyle="--", markerfacecolor="white", **style)
    _dress(axes, title, what, sorted({width for _, width in found}))


def share(excess: tuple[int, ...]) -> float:
    """In percent, those that are positive."""
    return 100 * sum(map(bool, excess)) / len(excess)


def _dress(axes: Any, title: str, what: str, widths: list[int]) -> None:
    """Ticks, names and the meaning of the lines."""
    axes.set(xticks=widths, xlabel="units of a hidden layer", title=title)
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.08)
    if what == SHARE:
        axes.set(ylabel=f"{SHARE} (%)", ylim=(0, 100))
    else:
        axes.plot([], [], color="0.3", label="mean")
        axes.plot([], [], color="0.3", linestyle="--", label="most")
        axes.set(ylabel=EXCESS)
        axes.set_ylim(0, max(1, axes.get_ylim()[1]))
    axes.legend()
