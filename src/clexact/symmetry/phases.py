r"""Phase spaces as laws read them: which arrays are velocities, and which variable is a function of the time alone."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from clexact.symmetry.arrays import is_tensor


@dataclass(frozen=True)
class PhaseNames:
    """The names of a phase space beside those of the parameters.

    Attributes
    ----------
    clock : str
        The variable that is a function of the time t alone.
    rate : Fraction or None
        r, where it is e^(r t); None where it is t itself.
    velocities : tuple of str
        The names of the velocities, in the order of the parameters; none where a flow has no momentum.

    Examples
    --------
    >>> PhaseNames("s", Fraction(1, 2)).at(0), PhaseNames("t").at(3)
    (1, 3)
    """

    clock: str
    rate: Fraction | None = None
    velocities: tuple[str, ...] = ()

    def at(self, time: Any) -> Any:
        """The clock at a time: exactly for t itself and for e^0, else in floating point.

        Parameters
        ----------
        time : number, array_like or torch.Tensor
            The time.

        Returns
        -------
        number, numpy.ndarray or torch.Tensor
            Its value, of the same shape.

        Examples
        --------
        >>> round(float(PhaseNames("s", Fraction(1, 2)).at(2)), 6)
        2.718282
        """
        if self.rate is None:
            return time
        if is_tensor(time):
            return (float(self.rate) * time).exp()
        if isinstance(time, int) and time == 0:
            return 1
        return np.exp(float(self.rate) * np.asarray(time, dtype=float))
