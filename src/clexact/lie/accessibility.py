"""``accessibility``: the Lie rank of a control system, and the rank of the brackets that a control stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clexact.algebra.bounded import Number
from clexact.algebra.fields import VectorFields
from clexact.lie.closure import ClosureStatus, LieClosure, lie_closure


@dataclass(frozen=True)
class Accessibility:
    """Ranks of a control system x' = f(x) + sum of u_i g_i(x) at a point, or at a generic one.

    Attributes
    ----------
    dimension : int
        D.
    rank : int
        Of the Lie algebra of f and the g_i: D where the system is accessible. Proved from below.
    strong_rank : int
        Of the brackets in which a g_i stands: D where it is strongly accessible. Proved from below.
    closures : tuple of LieClosure
        The evidence of both: their ``status`` says whether a rank is exact.

    Examples
    --------
    >>> f, g = (VectorFields.from_strings(["x", "y"], [field]) for field in (["0", "x"], ["1", "0"]))
    >>> accessibility(f, g)
    Accessibility(rank 2 of 2, strong rank 2, exact)
    """

    dimension: int
    rank: int
    strong_rank: int
    closures: tuple[LieClosure, LieClosure]

    @property
    def exact(self) -> bool:
        """Whether both ranks are proved from both sides."""
        return all(found.status is ClosureStatus.PROVED for found in self.closures)

    def __repr__(self) -> str:
        known = "exact" if self.exact else ", ".join(dict.fromkeys(c.status.name.lower() for c in self.closures))
        return f"Accessibility(rank {self.rank} of {self.dimension}, strong rank {self.strong_rank}, {known})"


def accessibility(
    drift: VectorFields, controls: VectorFields, point: Sequence[Number] | None = None, *, seed: int = 0
) -> Accessibility:
    r"""The accessibility and the strong accessibility rank of $x' = f(x) + \sum_i u_i g_i(x)$, certified.

    Strong accessibility is read off the system with a clock, $f + \partial_t$ and the $g_i$: brackets have no component
    along t, so that its Lie rank is one more than that of the brackets in which a g_i stands.

    Parameters
    ----------
    drift : VectorFields
        The one field f.
    controls : VectorFields
        The g_i, in the same variables.
    point : sequence of int or Fraction, optional
        D coordinates; default: a generic point.
    seed : int
        Of all random choices.

    Returns
    -------
    Accessibility
        Both ranks with their evidence.

    Raises
    ------
    TypeError, ValueError
        For what are no fields in the same variables, for several drifts, and for a wrong point.

    Examples
    --------
    A drift that no control reaches moves along x: accessible, not strongly.

    >>> f, g = (VectorFields.from_strings(["x", "y"], [field]) for field in (["1", "0"], ["0", "1"]))
    >>> accessibility(f, g)
    Accessibility(rank 2 of 2, strong rank 1, proved, closed)
    """
    for given in (drift, controls):
        if not isinstance(given, VectorFields):
            raise TypeError(f"accessibility takes VectorFields, not {given!r}.")
    if len(drift) != 1:
        raise ValueError(f"drift must be one field, not {len(drift)}.")
    both = drift + controls
    if both.parameters:
        raise ValueError(f"accessibility is of fields without parameters: give values to {', '.join(both.parameters)}.")
    with_clock = [both.components(i) for i in range(len(both))]
    clock = next(name for name in ("t", "clock", "clock_") if name not in both.variables)
    timed = VectorFields.from_strings(
        [clock, *both.variables], [[str(int(i == 0)), *map(str, field)] for i, field in enumerate(with_clock)]
    )
    place = None if point is None else [0, *point]
    weak, strong = lie_closure(both, point, seed=seed), lie_closure(timed, place, seed=seed)
    return Accessibility(both.dimension, weak.rank, strong.rank - 1, (weak, strong))
