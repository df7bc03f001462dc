"""``drift`` and ``slope``: how far laws drift in training, over the steps and against the step size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.plot import examples
from clexact.plot.figures import compose
from clexact.support.palette import BLUE, GREEN, GREY, ORANGE, PINK

Floats = NDArray[np.float64]

LINES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (PINK, "D"), ("0.2", "v"), (GREY, "X"))
MARKS = 6  # on a line
CHARACTERS, LINE, ROW = 100, 8, 0.13  # of a legend below panels: its width, what a line takes of it; inches of a row
LONG = 30  # characters of a name; laws with longer ones are called h_0, h_1, ...
FLOOR = 1e-17  # drifts below are not drawn
WIDTH, HEIGHT, SINGLE = 5.5, 2.4, 3.4  # inches


@dataclass(frozen=True)
class Run:
    """The drifts of laws in one run, shape (laws, times), and the drifts predicted for them."""

    at: Floats
    axis: str
    laws: tuple[str, ...]
    drift: Floats
    predicted: Floats | None
    legend: bool = True  # not where the panels share one

    def chosen(self, laws: Sequence[str]) -> Run:
        """Only these laws; ValueError for a name that is none of them."""
        for name in laws:
            if name not in self.laws:
                raise ValueError(f"{name!r} is none of the laws {', '.join(self.laws)}.")
        rows = [self.laws.index(name) for name in laws]
        predicted = None if self.predicted is None else self.predicted[rows]
        return replace(self, laws=tuple(laws), drift=self.drift[rows], predicted=predicted)


def drift(runs: object = None, *, laws: str | Sequence[str] | None = None, ax: Any = None) -> Any:
    """Draw the drift |h(t) - h(0)| / (1 + |h(0)|) of each law along a run, on a logarithmic scale.

    Above six laws, each is a thin line, and the one that drifts most is marked; laws with long names are called h_0,
    h_1, ... The numbers are floating point, the prediction of a discrete run included.

    Parameters
    ----------
    runs : Trajectory, object or mapping, optional
        One run, or a mapping of titles to runs, for panels side by side. A run is a ``Trajectory`` of
        ``clexact.training``, or any object with ``times`` or ``steps`` (T,), ``laws`` (L names) and ``values`` (L, T).
        With ``predicted`` (L, T), the predicted h(t) - h(0), the predicted drift is drawn dashed; with a method
        ``drift()``, what that gives is drawn. Default: gradient descent, momentum and weight decay on a small network.
    laws : str or sequence of str, optional
        Names of those to draw; default all.
    ax : matplotlib.axes.Axes or sequence of them, optional
        On which to draw, one for each panel.

    Returns
    -------
    matplotlib.figure.Figure
        Or ``ax`` if given.

    Raises
    ------
    TypeError, ValueError
        For what is no run.

    Examples
    --------
    >>> import clexact
    >>> run = clexact.training.train(clexact.models.product(2), (None, [1]), start=[2, 1], steps=20)
    >>> panel = drift(run).axes[0]
    >>> panel.get_yscale(), [line.get_label() for line in panel.lines]
    ('log', ['x[0]^2 - x[1]^2', 'predicted'])
    """
    runs = examples.runs() if runs is None else runs
    parts = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    if not parts:
        raise ValueError("drift takes at least one run, not an empty mapping.")
    read = {str(title): _read(run) for title, run in parts.items()}
    if laws is not None:
        names = [laws] if isinstance(laws, str) else list(laws)
        read = {title: run.chosen(names) for title, run in read.items()}
    several, named = len(read) > 1, {run.laws for run in read.values()}
    shared = ax is None and several and len(named) == 1 and len(next(iter(named))) <= len(LINES)
    read = {title: replace(run, legend=not shared) for title, run in read.items()}
    figure = compose(_draw, list(read.items()), ax, WIDTH if several else SINGLE, HEIGHT, sharey=True)
    if shared:
        _add_legend(figure)
    return figure


def _add_legend(figure: Any) -> None:
    """One below the panels, which have the same lines."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    columns = min(len(labels), max(1, CHARACTERS // (LINE + max(map(len, labels)))))
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + ROW * (rows + 1))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=7)


def _read(run: Any) -> Run:
    if not hasattr(run, "values") or not hasattr(run, "laws") or not (hasattr(run, "times") or hasattr(run, "steps")):
        raise TypeError(f"a run has laws, values, and times or steps; {run!r} has not.")
    times = getattr(run, "times", None)
    at = np.asarray(run.steps if times is None else times)
    axis = "step" if times is None or np.issubdtype(at.dtype, np.integer) else "$t$"
    values = np.asarray(run.values, dtype=float)
    names = tuple(str(name) for name in run.laws)
    if values.shape != (len(names), len(at)):
        raise ValueError(f"the values of {len(names)} laws at {len(at)} times have that shape, not {values.shape}.")
    if not values.size:
        raise ValueError("the run has no law or no time: nothing to draw.")
    scale = 1 + np.abs(values[:, :1])
    given = getattr(run, "drift", None)
    found = np.asarray(given() if callable(given) else np.abs(values - values[:, :1]) / scale, dtype=float)
    if found.shape != values.shape:
        raise ValueError(f"drift() of a run has the shape {values.shape} of its values, not {found.shape}.")
    predicted = getattr(run, "predicted", None)
    if predicted is not None:
        predicted = np.asarray(predicted, dtype=float)
        if predicted.shape != values.shape:
            raise ValueError(f"predicted of a run has the shape {values.shape} of its values, not {predicted.shape}.")
        predicted = np.abs(predicted) / scale
    return Run(at.astype(float), axis, names, found, predicted)


def _draw(axes: Any, title: str, run: Run) -> None:
    drifts, predicted = _positive(run.drift), None if run.predicted is None else _positive(run.predicted)
    many = len(run.laws) > len(LINES)
    shown = [int(np.argmax(np.nan_to_num(run.drift[:, -1], nan=np.inf)))] if many else range(len(run.laws))
    if many:
        axes.plot(run.at, drifts.T, color=BLUE, linewidth=0.4, alpha=0.4)
    every = max(1, len(run.at) // MARKS)
    for place, row in enumerate(shown):
        color, mark = LINES[place]
        name = run.laws[row] if len(run.laws[row]) <= LONG else f"$h_{{{row}}}$"
        label = f"largest of {len(run.laws)}: {name}" if many else name
        marks = {"marker": mark, "markersize": 3, "markevery": (place * every // len(LINES), every)}
        axes.plot(run.at, drifts[row], color=color, linewidth=1.4, label=label, **marks)
        if predicted is not None:
            word = "predicted" if place == len(shown) - 1 else None
            axes.plot(run.at, predicted[row], color="black", linewidth=0.8, linestyle=(0, (4, 3)), label=word)
    axes.set(yscale="log", xlabel=run.axis, title=title)
    if axes.get_subplotspec() is None or axes.get_subplotspec().is_first_col():
        axes.set_ylabel("drift of the law")
    _finish(axes, run.legend)


def _positive(values: Floats) -> Floats:
    """Values that a logarithmic axis shows; others are left out."""
    return np.asarray(np.where(values > FLOOR, values, np.nan))


def _finish(axes: Any, legend: bool = True) -> None:
    axes.grid(True, color="0.9", linewidth=0.5)
    axes.set_axisbelow(True)
    if legend:
        axes.legend()


def slope(found: object = None, *, ax: Any = None) -> Any:
    r"""Draw drifts against step sizes on logarithmic axes, with straight lines fitted to their logarithms.

    A quadratic law drifts by $\eta^2 g^\top A g$ in one step of gradient descent, slope 2, and by the sum of these
    until a fixed time, slope 1.

    Parameters
    ----------
    found : Slope, pair or mapping, optional
        What ``clexact.training.slope`` returns, or a pair (step sizes, drifts), or a mapping of labels to such.
        Default: the two cases above, measured on a small network.
    ax : matplotlib.axes.Axes, optional
        On which to draw.

    Returns
    -------
    matplotlib.figure.Figure
        Or the Axes ``ax`` if given.

    Raises
    ------
    TypeError, ValueError
        For anything else, for fewer than two step sizes and for numbers that are not positive.

    Examples
    --------
    >>> panel = slope(([0.1, 0.01], [1e-2, 1e-4])).axes[0]
    >>> [text.get_text() for text in panel.get_legend().get_texts()]
    ['slope 2.00']
    """
    found = examples.slopes() if found is None else found
    parts = dict(found) if isinstance(found, Mapping) else {"": found}
    if not parts:
        raise ValueError("slope takes at least one series of drifts, not an empty mapping.")
    return compose(_draw_slopes, [("", {str(k): _series(v) for k, v in parts.items()})], ax, SINGLE, HEIGHT)


def _series(found: Any) -> tuple[Floats, Floats]:
    """Step sizes and drifts."""
    pair = (found.rates, found.drifts) if hasattr(found, "rates") and hasattr(found, "drifts") else found
    try:
        rates, drifts = (np.asarray(values, dtype=float) for values in pair)
    except (TypeError, ValueError):
        wanted = "a Slope of clexact.training or a pair (step sizes, drifts)"
        raise TypeError(f"slope takes {wanted}, not {found!r}.") from None
    if rates.ndim != 1 or len(rates) < 2 or rates.shape != drifts.shape:
        raise ValueError(f"step sizes and drifts are equally many, at least 2, not {rates.shape} and {drifts.shape}.")
    for values in (rates, drifts):
        if not np.isfinite(values).all() or not (values > 0).all():
            raise ValueError("step sizes and drifts must be positive, for logarithmic axes.")
    return rates, drifts


def _draw_slopes(axes: Any, title: str, series: Mapping[str, tuple[Floats, Floats]]) -> None:
    for place, (label, (rates, drifts)) in enumerate(series.items()):
        color, mark = LINES[place % len(LINES)]
        power, height = np.polyfit(np.log(rates), np.log(drifts), 1)
        name = f"{label}, slope {power:.2f}" if label else f"slope {power:.2f}"
        axes.plot(rates, np.exp(height) * rates**power, color=color, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.plot(rates, drifts, mark, color=color, markersize=3.5, label=name)
    axes.set(xscale="log", yscale="log", xlabel=r"step size $\eta$", ylabel="drift of the law", title=title)
    _finish(axes)
