"""``Trajectory``: what a simulated flow or a run of discrete steps went through, and the laws along it."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clexact.algebra.evaluation import Values
from clexact.flows.flow import Flow
from clexact.programs.model import Model
from clexact.programs.numeric import pieces
from clexact.support.display import counted
from clexact.support.extras import needed

if TYPE_CHECKING:
    import pandas

SHOWN = 12  # laws in a table


@dataclass(frozen=True, eq=False)
class Trajectory:
    r"""States along a run and the values of the laws watched. Numbers are measured, not proved.

    Attributes
    ----------
    model : Model
        The network.
    flow : Flow
        In whose variables the states and the laws are.
    description : str
        The run in words.
    times : numpy.ndarray
        The time, (T,); for discrete steps the number of the step.
    states : numpy.ndarray
        Of shape (T, D of the phase space), in the order of ``flow.variables``.
    laws : tuple of str
        Names of the L laws.
    values : numpy.ndarray
        The laws along the run, (L, T).
    losses : numpy.ndarray
        The risk, (T,).
    predicted : numpy.ndarray or None
        For discrete steps, (L, T): the change $h(\theta_k) - h(\theta_0)$ that plain gradient steps make of each law,
        $\sum \eta^2 g^\top A g$ (see ``clexact.training.train``); NaN (None in exact runs) if h has a degree over 2.
    evaluations : int
        How often the gradient was evaluated.

    Examples
    --------
    >>> import clexact
    >>> run = clexact.training.train(clexact.models.product(2), (None, [1]), start=[2, 1], steps=5)
    >>> run.laws, run.times, run.states.shape
    (('x[0]^2 - x[1]^2',), array([0, 1, 2, 3, 4, 5]), (6, 2))
    >>> bool(run.unexplained().max() < 1e-14)
    True
    """

    model: Model = field(repr=False)
    flow: Flow = field(repr=False)  # in whose variables the states and the laws are
    description: str
    times: Values  # (T,) the time; for discrete steps the number of the step
    states: Values = field(repr=False)  # (T, D of the phase space), in the order of flow.variables
    laws: tuple[str, ...]  # names
    values: Values = field(repr=False)  # (laws, T)
    losses: Values = field(repr=False)  # (T,) the risk
    predicted: Values | None = field(default=None, repr=False)  # (laws, T)
    evaluations: int = 0  # of the gradient

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the columns of ``states``."""
        return self.flow.variables

    @property
    def parameters(self) -> dict[str, Values]:
        """The parameters along the run, {name: (T, *shape)}."""
        return pieces(self._columns("positions"), self.model.parameters)

    @property
    def velocities(self) -> dict[str, Values]:
        """Likewise the velocities of a momentum flow; none for other runs."""
        columns = self._columns("velocities")
        return pieces(columns, self.model.parameters) if columns.size else {}

    @property
    def final(self) -> Values:
        r"""$\theta$ at the end, (D,): a start for another run."""
        return np.asarray(self._columns("positions")[-1])

    def _columns(self, kind: str) -> Values:
        phase = getattr(self.flow, "phase", None)
        first = getattr(phase, kind) if phase is not None else 0 if kind == "positions" else None
        return self.states[:, :0] if first is None else self.states[:, first : first + self.model.dimension]

    def drift(self) -> Values:
        """$|h(t) - h(0)| / (1 + |h(0)|)$ for each law and time: relative to large values, else absolute.

        Returns
        -------
        numpy.ndarray
            Of shape (laws, T).

        Examples
        --------
        >>> import clexact
        >>> run = clexact.training.train(clexact.models.product(2), (None, [1]), start=[2, 1], steps=5)
        >>> run.drift().shape, float(run.drift()[0, 0])
        ((1, 6), 0.0)
        """
        return self._relative(self.values - self.values[:, :1])

    def unexplained(self) -> Values:
        r"""$|h(\theta_k) - h(\theta_0) - \mathrm{predicted}_k| / (1 + |h(\theta_0)|)$.

        Returns
        -------
        numpy.ndarray
            Of shape (laws, T).

        Raises
        ------
        ValueError
            For a flow, of which nothing but 0 is predicted.

        Examples
        --------
        >>> import clexact
        >>> from clexact.training import Adam, train
        >>> adam = train(clexact.models.product(2), (None, [1]), start=[2, 1], steps=5, optimizer=Adam(0.1))
        >>> bool(adam.unexplained().max() > 0.01)  # its steps are no gradients
        True
        """
        if self.predicted is None:
            raise ValueError("a flow has no prediction besides 0; look at drift().")
        return self._relative(self.values - self.values[:, :1] - self.predicted)

    def _relative(self, change: Values) -> Values:
        return np.asarray(np.abs(change) / (1 + np.abs(self.values[:, :1])))

    def to_frame(self) -> pandas.DataFrame:
        """One row a time: ``time``, ``loss`` and the value of each law.

        Returns
        -------
        pandas.DataFrame
            Of T rows.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> import clexact
        >>> run = clexact.training.train(clexact.models.product(2), (None, [1]), start=[2, 1], steps=5)
        >>> list(run.to_frame().columns)
        ['time', 'loss', 'x[0]^2 - x[1]^2']
        """
        pandas = needed("pandas", "frame", "to_frame needs")
        columns = {"time": self.times, "loss": self.losses}
        return pandas.DataFrame(columns | dict(zip(self.laws, self.values, strict=True)))

    def __repr__(self) -> str:
        count = len(self.laws)
        worst = f", largest drift {float(self.drift().max()):.2g}" if count else ""
        unit = "time" if self.predicted is None else "step"
        return (
            f"Trajectory({self.description}: {len(self.times)} states up to {unit} {float(self.times[-1]):g}, "
            f"loss {float(self.losses[0]):.4g} -> {float(self.losses[-1]):.4g}, {counted(count, 'law')}{worst})"
        )

    def _repr_html_(self) -> str:
        heads = ["law", "at the start", "at the end", "largest drift"] + ["predicted change"] * (
            self.predicted is not None
        )
        rows = "".join(self._row(n) for n in range(min(SHOWN, len(self.laws))))
        more = len(self.laws) - SHOWN
        rest = f"<p>{counted(more, 'more law')} not shown.</p>" if more > 0 else ""
        head = "".join(f"<th>{text}</th>" for text in heads)
        return f"<p>{html.escape(repr(self))}</p><table><tr>{head}</tr>{rows}</table>{rest}"

    def _row(self, n: int) -> str:
        numbers: list[Any] = [self.values[n, 0], self.values[n, -1], self.drift()[n].max()]
        if self.predicted is not None:
            numbers.append(self.predicted[n, -1])
        cells = "".join(f"<td>{'' if c is None else format(float(c), '.6g')}</td>" for c in numbers)
        return f"<tr><td>{html.escape(self.laws[n])}</td>{cells}</tr>"
