"""What all figures share: their style, their panels, and how they become files."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from clexact.support.files import write_atomically

FORMATS: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
DPI = 200
SHOWN_DPI = 110  # in a notebook
COLUMNS = 3  # of panels
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
}
SAVED: dict[str, Any] = {"svg.hashsalt": "clexact", "svg.fonttype": "path", "pdf.fonttype": 42}

T = TypeVar("T")


class Picture(Figure):
    """A matplotlib Figure that pyplot does not hold, and that shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return rendered(self, "png", SHOWN_DPI)


def compose(
    draw: Callable[[Any, str, T], None],
    parts: Sequence[tuple[str, T]],
    ax: Any,
    width: float,
    height: float,
    *,
    columns: int = COLUMNS,
    **options: Any,
) -> Any:
    """Draw parts, each with its title, on the panels of a new figure, or on the axes given, one Axes for each part.

    ``width`` and ``height`` are those of the figure's rows, of so many columns, in inches; ``options`` are those
    of ``Figure.subplots``.
    """
    if ax is not None:
        axes = list(np.ravel(np.asarray(ax, dtype=object)))
        if len(axes) != len(parts):
            raise ValueError(f"ax takes as many Axes as the figure has panels, {len(parts)}, not {len(axes)}.")
        for axis, (title, part) in zip(axes, parts, strict=True):
            draw(axis, title, part)
        return ax
    columns = min(len(parts), columns)
    rows = -(-len(parts) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(width, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
        for axis, (title, part) in zip(axes, parts, strict=False):
            draw(axis, title, part)
        for axis in axes[len(parts) :]:
            axis.remove()
    return figure


def rendered(figure: Any, kind: str, dpi: float = DPI) -> bytes:
    """The bytes of a figure's file: the same for the same figure, matplotlib and NumPy."""
    out = io.BytesIO()
    with matplotlib.rc_context(SAVED):
        figure.savefig(out, format=kind, dpi=dpi, metadata=FORMATS[kind])
    return out.getvalue()


def kind_of(path: str | Path) -> str:
    """The format that a file's name asks for: png, svg or pdf; ValueError for another."""
    kind = Path(path).suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ValueError(f"a figure's file is named .png, .svg or .pdf, not {str(path)!r}.")
    return kind


def save(figure: Any, path: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF, without a date.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is written.
    path : str or Path
        The file, whose name says the kind.

    Raises
    ------
    ValueError
        For another name.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile, clexact
    >>> figure = clexact.plot.slope(([0.1, 0.01], [1e-2, 1e-4]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(figure, path := Path(folder, "slope.svg"))
    ...     path.read_text()[:5]
    '<?xml'
    """
    write_atomically(Path(path), rendered(figure, kind_of(path)))
