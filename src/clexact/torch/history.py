"""The laws along a run as plain arrays, and where they go: a data frame, a picture, TensorBoard."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.support.extras import needed

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class History:
    """L laws at T steps, the first of them the start. Floating point.

    A law of several numbers is summed up by norms: ``values`` has the norm of h, ``moved`` that of h - h(start),
    ``predicted`` that of the change predicted, ``excess`` that of the difference. All are (L, T).
    """

    laws: tuple[str, ...]
    steps: NDArray[np.int64]
    values: Floats
    moved: Floats
    predicted: Floats
    excess: Floats

    def drift(self) -> Floats:
        """|h - h(start)| / (1 + |h(start)|)."""
        drift: Floats = self.moved / (1 + np.abs(self.values[:, :1]))
        return drift

    def to_frame(self) -> Any:
        """One row for each law and step, as a pandas DataFrame; ImportError without pandas."""
        pandas = needed("pandas", "frame")
        columns = {"value": self.values, "moved": self.moved, "predicted": self.predicted, "excess": self.excess}
        return pandas.DataFrame(
            {
                "step": np.tile(self.steps, len(self.laws)),
                "law": np.repeat(self.laws, len(self.steps)),
                **{name: rows.reshape(-1) for name, rows in {**columns, "drift": self.drift()}.items()},
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """The drifts against the steps, predicted ones dashed: a matplotlib Figure, or the axes given."""
        from clexact.plot import drift

        return drift(self, ax=ax)


def open_writer(writer: Any) -> Any:
    """A TensorBoard writer: the one given, or a new one for a folder."""
    if not isinstance(writer, str | PathLike):
        if not hasattr(writer, "add_scalar"):
            raise TypeError(f"writer must be a SummaryWriter or a folder, not {writer!r}.")
        return writer
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError("this needs tensorboard: pip install tensorboard.") from None
    return SummaryWriter(fspath(writer))
