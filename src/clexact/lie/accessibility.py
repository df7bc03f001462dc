"""``accessibility``: the Lie rank of a control system, and the rank of the brackets that a control stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import residues
from clexact.algebra.polynomial import Number, check_point
from clexact.lie.brackets import values_mod
from clexact.lie.chains import draw_prime, drift_chains
from clexact.lie.closure import ClosureStatus, LieClosure, lie_closure
from clexact.support.digest import digest

LARGEST = 2**20  # coordinates of a point that is drawn are below
MOST_WORK = 3 * 10**8  # multiplications for chains of brackets: depth^2 D^3 / 2


@dataclass(frozen=True)
class ChainRank:
    r"""The rank modulo a prime, at a point, of brackets of a drift with the controls: proved from below.

    Attributes
    ----------
    rank : int
        Of the $\mathrm{ad}_f^k g_i$, k up to ``depth``.
    with_drift : int
        Of these and f.
    depth : int
        The largest k.
    prime : int
        The modulus.
    point : tuple of int or Fraction
        Where.

    Examples
    --------
    >>> ChainRank(2, 3, 1, 65537, (1, 2, 3)).rank
    2
    """

    rank: int
    with_drift: int
    depth: int
    prime: int
    point: tuple[Number, ...]


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
        The evidence of both: their ``status`` says whether a rank is exact. Where the chain has rank D, which is exact,
        other brackets are not looked for.
    chain : ChainRank
        The rank of the g_i and the brackets [f, [f, ..., [f, g_i]]], to depth D - 1 or less: a lower bound.

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
    chain: ChainRank

    @property
    def exact(self) -> bool:
        """Whether both ranks are proved from both sides."""
        if self.strong_rank == self.dimension:
            return True
        ranks = self.closures[0].rank, self.closures[1].rank - 1
        return ranks == (self.rank, self.strong_rank) and all(
            found.status is ClosureStatus.PROVED for found in self.closures
        )

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
    start = None if point is None else check_point(point, both.dimension)
    chain = _chain(drift, controls, start, seed)
    enough = 0 if chain.rank == both.dimension else None
    place = None if start is None else [0, *start]
    weak, strong = (lie_closure(X, where, seed=seed, max_depth=enough) for X, where in ((both, start), (timed, place)))
    ranks = max(weak.rank, chain.with_drift), max(strong.rank - 1, chain.rank)
    return Accessibility(both.dimension, *ranks, (weak, strong), chain)


def _chain(drift: VectorFields, controls: VectorFields, point: Sequence[Number] | None, seed: int) -> ChainRank:
    """The rank of the brackets of the drift with each control, at a point or a drawn one."""
    D, draws = drift.dimension, Draws(seed, digest(*drift.terms.arrays, *controls.terms.arrays))
    place = tuple(draws.residues((D,), LARGEST).tolist()) if point is None else tuple(point)
    depth = min(max(0, D - 1), isqrt(2 * MOST_WORK // max(1, D) ** 3))
    prime = draw_prime(drift + controls, place, draws)
    values = drift_chains(drift, controls, place, depth, prime, draws).reshape(-1, D)
    form = Echelon(D, prime)
    form.add(values)
    rank = form.rank
    form.add(values_mod(drift, residues(np.array(place, dtype=object), prime), prime))
    return ChainRank(rank, form.rank, depth, prime, place)
