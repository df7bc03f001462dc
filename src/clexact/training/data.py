"""Training data: (N, ...) inputs for the probes of a model, and N targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.evaluation import Values
from clexact.algebra.polynomial import exact
from clexact.programs.model import Model
from clexact.training.loss import Loss, many

Given = object  # an array, or nested lists


def numbers(given: Given, what: str, rational: bool) -> Values:
    """An array of floats, or of Fractions; TypeError or ValueError, saying what, for anything else."""
    try:
        if not rational:
            array = np.asarray(given, dtype=float)
        else:
            listed = np.asarray(given, dtype=object)
            array = np.empty(listed.shape, dtype=object)
            array.ravel()[:] = [Fraction(exact(c, f"an entry of {what}")) for c in listed.ravel().tolist()]
    except TypeError:
        if rational:
            raise
        raise TypeError(f"{what} must be an array of numbers, not {given!r}.") from None
    except ValueError:
        raise ValueError(f"{what} must be an array of numbers with rows of equal length.") from None
    if not rational and not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite.")
    return array


@dataclass(frozen=True, eq=False)
class Data:
    r"""Inputs and targets of one model, checked and converted.

    Attributes
    ----------
    inputs : dict of str to numpy.ndarray
        For each probe N arrays of its shape, (N, \*shape).
    targets : numpy.ndarray
        Of shape (N, ...), as the loss takes them.

    Examples
    --------
    >>> import clexact
    >>> data = Data.read(clexact.models.linear([1, 2]), ([[1, 2], [3, 4]], [[0], [1]]), clexact.training.SQUARED)
    >>> data.inputs["x"].shape, data.targets.shape
    ((2, 2), (2, 1))
    """

    inputs: dict[str, Values]
    targets: Values

    @classmethod
    def read(cls, model: Model, given: object, loss: Loss, rational: bool = False) -> Data:
        """Check and convert the data of a model.

        Gates and choices are no inputs: the true ones are read.

        Parameters
        ----------
        model : Model
            The network.
        given : Data or pair
            (inputs, targets); inputs are {probe: array}, an array for one probe, or None for none.
        loss : Loss
            Which says what targets are.
        rational : bool
            Whether numbers become Fractions, else floats.

        Returns
        -------
        Data
            With N samples.

        Raises
        ------
        TypeError, ValueError
            For anything that does not fit.

        Examples
        --------
        >>> import clexact
        >>> data = Data.read(clexact.models.product(2), (None, [1, 2]), clexact.training.SQUARED)
        >>> data.inputs, data.targets
        ({}, array([1., 2.]))
        """
        if isinstance(given, Data):
            given = (given.inputs, given.targets)
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
            raise TypeError(f"data must be a pair (inputs, targets), not {type(given).__name__}.")
        gates = {gate.probe for gate in model.program.gates}
        shapes = {name: shape for name, shape in model.probes.items() if name not in gates}
        arrays = {
            name: numbers(array, f"input {name!r}", rational) for name, array in _named(given[0], list(shapes)).items()
        }
        for name, shape in shapes.items():
            if arrays[name].ndim == 0 or arrays[name].shape[1:] != shape:
                raise ValueError(f"input {name!r} must have shape {many(shape)}, not {arrays[name].shape}.")
        targets = numbers(given[1], "targets", rational)
        counts = {len(array) for array in [*arrays.values(), *([targets] if targets.ndim else [])]}
        if not targets.ndim or len(counts) != 1 or counts == {0}:
            raise ValueError(f"inputs and targets must be equally many, at least one, not {sorted(counts)}.")
        return cls(arrays, loss.targets(targets, model.program.shape))

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, chosen: NDArray[np.int64]) -> Data:
        """The samples chosen.

        Parameters
        ----------
        chosen : numpy.ndarray
            Their numbers, from 0.

        Returns
        -------
        Data
            As many as are chosen.

        Examples
        --------
        >>> Data({"x": np.array([[1.0], [2.0]])}, np.array([3.0, 4.0])).rows(np.array([1])).targets
        array([4.])
        """
        return Data({name: array[chosen] for name, array in self.inputs.items()}, self.targets[chosen])


def _named(given: object, names: list[str]) -> dict[str, Any]:
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise TypeError(f"inputs must map the probes {names} to arrays, not be {type(given).__name__}.")
        given = {names[0]: given}
    if set(given) != set(names):
        raise ValueError(f"inputs must give the probes {names}, not {list(given)}.")
    return {name: given[name] for name in names}
