r"""The orbit dimension at a special start: the dimension of the set that the flow can reach from it, over all data.

The fields are analytic, so the reachable set is an immersed manifold of dimension $\dim W_\infty(\theta_0)$ (Nagano,
Sussmann), which can be smaller than at a generic start: then there are more laws. Ranks of brackets bound it from
below; from above: an algebra that is finite over Q, the gradients of laws at the start, the generic dimension, and all
of these on the subspace of coordinates that stay zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from clexact.algebra.field_span import finite_algebra
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Number, written
from clexact.algebra.terms import Terms
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.starts import Start, start_of
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import FieldsFlow, Flow, check_no_parameters
from clexact.flows.near import near_start
from clexact.laws.polynomial_laws import polynomial_laws, proposed_laws
from clexact.lie.closure import ClosureStatus, lie_closure
from clexact.programs.gates import FREE, FREE_GATES, TRUE_GATES
from clexact.programs.network import TieError
from clexact.support.bounds import check_bounds
from clexact.support.display import facts
from clexact.support.errors import error_bits

MAX_TERMS = 10**5  # of fields that are expanded for a better upper bound
ORBIT_DEPTH = 5
LAWS_THERE = "the gradients of the laws at the start"


@dataclass(frozen=True, eq=False)
class Orbit:
    """The orbit dimension at a start: exact if ``closed``, else a proved lower bound.

    ``extra_laws``: how many more independent quantities are conserved on the orbit than near a generic start (at most
    so many if not ``closed``); None where the generic number is not known exactly.

    Attributes
    ----------
    dimension : int
        D of the phase space.
    orbit_dimension : int
        Of the set reachable from the start, at least.
    upper : int
        What the dimension is at most.
    error : Fraction
        With which ``upper`` might not hold, at most; 0 where it is proved.
    evidence : str
        What shows it, in words.
    generic : LawCount
        The count near a generic start.
    point : tuple of int or Fraction
        The start, of D coordinates.
    seed : int
        Of all random choices.

    Examples
    --------
    >>> import clexact
    >>> orbit = orbit_dimension(clexact.gradient_flow(clexact.models.linear([2, 2, 2])), "zero")
    >>> orbit.orbit_dimension, orbit.closed, orbit.evidence
    (0, True, 'the fields generate an algebra of finite dimension, closed over Q')
    """

    dimension: int
    orbit_dimension: int
    upper: int  # what the dimension is at most
    error: Fraction  # with which ``upper`` might not hold, at most; 0 where it is proved
    evidence: str
    generic: LawCount
    point: tuple[Number, ...]
    seed: int

    def __post_init__(self) -> None:
        check_bounds(self.orbit_dimension, self.upper, f"the orbit dimension of {self.generic.description}")

    @property
    def qualification(self) -> str:
        """Empty, or " with free gates" where the gates are not those at the start."""
        return f" {FREE}" if self.free_gates else ""

    @property
    def free_gates(self) -> bool:
        """Whether the network has gates, and they are not those at the start."""
        gradients = self.generic.flow.gradients
        return gradients is not None and bool(gradients.model.program.gates) and self.generic.flow.start is None

    @property
    def scope(self) -> str:
        """Of which data and gates the dimension speaks."""
        parts = self.generic.scope.split(", ")
        which = [FREE_GATES if self.free_gates and part == TRUE_GATES else part for part in parts[2:]]
        return ", ".join([parts[0], "from this start", *which])

    @property
    def closed(self) -> bool:
        """Whether the bounds meet."""
        return self.orbit_dimension == self.upper

    @property
    def extra_laws(self) -> int | None:
        """Generic dimension of the orbits minus this one's."""
        return self.dimension - self.generic.lower - self.orbit_dimension if self.generic.exact else None

    def __str__(self) -> str:
        least = "" if self.closed else "at least "
        most = "" if self.closed else "at most "
        plural = "s" * (self.extra_laws != 1)
        extra = "" if self.extra_laws is None else f", {most}{self.extra_laws} law{plural} more than generic"
        return f"orbit dimension {least}{self.orbit_dimension} of {self.dimension}{self.qualification}{extra}"

    __repr__ = __str__

    def _told(self) -> tuple[object, ...]:
        return (self.generic, self.point, self.seed, self.orbit_dimension, self.upper, self.error, self.evidence)

    def __eq__(self, other: object) -> bool:
        return self._told() == other._told() if isinstance(other, Orbit) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._told())

    def _repr_html_(self) -> str:
        evidence = {"exact" if self.closed else "lower bound": self.evidence, "generic": str(self.generic)}
        return facts(str(self), {"flow": self.generic.description, "scope": self.scope, **evidence})

    def to_json(self) -> str:
        """One JSON object with the keys of ``clexact orbit --json``.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> orbit = orbit_dimension(clexact.gradient_flow(clexact.models.product(2)), [0, 1])
        >>> json.loads(orbit.to_json())["orbit_dimension"]
        1
        """
        generic = [self.dimension - self.generic.upper, self.dimension - self.generic.lower]
        data = {
            "model": self.generic.description, "scope": self.scope, "dimension": self.dimension,
            "orbit_dimension": self.orbit_dimension, "closed": self.closed,
            "extra_laws": self.extra_laws, "generic_orbit_dimension": generic,
            "evidence": self.evidence, "point": [written({(): Fraction(c)}, ()) for c in self.point], "seed": self.seed,
        }  # fmt: skip
        return json.dumps(data)


def orbit_dimension(
    flow: Given,
    point: Start,
    *,
    seed: int = 0,
    max_depth: int = ORBIT_DEPTH,
    free_gates: bool = False,
) -> Orbit:
    r"""The dimension of the set reachable from a start, $\dim W_\infty(\theta_0)$, at a rational point.

    The value is exact (``closed``) when a bound from above meets it, else a lower bound from brackets of depth at most
    ``max_depth``: a chain that stalls at a special point may grow later.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    point : str, sequence of int or Fraction, or mapping of str to array
        D rationals, arrays by the names of the parameters (velocities are then 0), the name of a start
        (``named_start``), or the path of a file of rationals.
    seed : int
        Of all random choices.
    max_depth : int
        The largest depth of brackets.
    free_gates : bool
        Whether gates vary freely; by default they are those of the start, unless it is on a kink.

    Returns
    -------
    Orbit
        The dimension, its bound from above, and the count near a generic start.

    Raises
    ------
    ValueError
        For an unknown start or a wrong number of coordinates.
    TypeError
        For floats.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.linear([2, 2, 2]))
    >>> orbit_dimension(flow, "dead-unit")
    orbit dimension 3 of 8, 2 laws more than generic
    >>> orbit_dimension(flow, {"U1": [[1, 0], [0, 2]], "U2": [[1, 0], [0, 2]]}).orbit_dimension
    5
    """
    flow = as_flow(flow)
    check_no_parameters(flow, "the orbit")
    start = start_of(flow, point, seed)
    flow = flow if free_gates else _with_true_gates(flow, start, seed)
    generic = certify(flow, seed=seed)
    small = flow.expanded_size <= MAX_TERMS and flow.whole
    algebra = finite_algebra(flow.fields) if small else None
    if algebra is not None:
        rank, known = algebra.rank_at(start), "the fields generate an algebra of finite dimension, closed over Q"
        return Orbit(flow.dimension, rank, rank, Fraction(0), known, generic, start, seed)
    below = lie_closure(flow, start, seed=seed, max_depth=max_depth)
    if below.status is ClosureStatus.PROVED:
        known = "the rank of brackets meets the gradients of the laws at the start"
        known = known if below.rank else "all fields vanish at the start"
        return Orbit(flow.dimension, below.rank, below.rank, Fraction(0), known, generic, start, seed)
    above = _upper(flow, start, generic, small)
    found = f"brackets of depth at most {max_depth} have rank {below.rank} mod {below.prime}"
    meets = below.rank == above.value
    known = f"{found}, which meets {above.why}" if meets else f"{found}; at most {above.value}: {above.why}"
    return Orbit(flow.dimension, below.rank, above.value, above.error, known, generic, start, seed)


def _with_true_gates(flow: Flow, start: tuple[Number, ...], seed: int) -> Flow:
    """The flow with the gates that it has at the start; on a kink it has none, and they stay free."""
    gradients = flow.gradients
    if gradients is None or not gradients.model.program.gates:
        return flow
    first = flow.phase.positions
    try:
        return near_start(flow, start[first : first + gradients.dimension], seed=seed)
    except TieError:
        return flow


class Bound(NamedTuple):
    """A bound from above, the error with which it might not hold, and what gives it."""

    value: int
    error: Fraction
    why: str


def _upper(flow: Flow, start: tuple[Number, ...], generic: LawCount, small: bool) -> Bound:
    """The best bound from above."""
    bounds = [_generic_bound(generic, ""), Bound(flow.dimension - _law_rank(flow, start), Fraction(0), LAWS_THERE)]
    if small:
        bounds += _on_invariant_subspace(flow.fields, start, generic.seed)
    return min(bounds, key=lambda bound: (bound.value, bound.error))


def _generic_bound(count: LawCount, where: str) -> Bound:
    """The generic dimension."""
    error = f", which is exact with error <= 2^-{error_bits(count.error)}" if count.error else ""
    return Bound(count.dimension - count.lower, count.error, f"the generic dimension{where}{error}")


def _law_rank(flow: Flow, start: tuple[Number, ...]) -> int:
    """Rank over Q, at the start, of the gradients of the polynomial laws of degree 2."""
    by_shape = flow.analytic or flow.plain_gradients is not None or not flow.whole
    laws = proposed_laws(flow, 2) if by_shape else polynomial_laws(flow, 2)
    partial, variable = laws.terms.partials()
    gradients = partial.owned_by(partial.owner * flow.dimension + variable).canonical()
    listed = VectorFields._from_checked(flow.variables, gradients, [1] * len(laws))
    return listed.rank_at(start)


def _on_invariant_subspace(fields: VectorFields, start: tuple[Number, ...], seed: int) -> list[Bound]:
    """Bounds from the coordinates that stay zero: the generic dimension and the laws of the fields on the others."""
    kept = moving_coordinates(fields, start)
    if len(kept) == fields.dimension:
        return []
    inside, where = restricted(fields, kept), f" on the {len(kept)} coordinates that do not stay zero"
    flow, place = FieldsFlow(inside), tuple(start[j] for j in kept)
    by_laws = Bound(flow.dimension - _law_rank(flow, place), Fraction(0), f"the gradients of the laws{where}")
    return [_generic_bound(certify(flow, seed=seed), where), by_laws]


def moving_coordinates(fields: VectorFields, start: tuple[Number, ...]) -> list[int]:
    """The least set of coordinates, those nonzero at the start included, outside which all fields vanish with them."""
    terms, D = fields.terms, fields.dimension
    row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
    moving = np.array([c != 0 for c in start])
    while True:
        alive = np.bincount(row[~moving[terms.var]], minlength=len(terms)) == 0
        grown = moving.copy()
        grown[terms.owner[alive] % D] = True
        if (grown == moving).all():
            return np.flatnonzero(moving).tolist()
        moving = grown


def restricted(fields: VectorFields, kept: list[int]) -> VectorFields:
    """The fields on the invariant subspace where all coordinates but ``kept`` are zero."""
    terms, D = fields.terms, fields.dimension
    place = np.full(D, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    row = np.repeat(np.arange(len(terms)), np.diff(terms.start))
    alive = np.bincount(row[place[terms.var] < 0], minlength=len(terms)) == 0
    chosen = terms.take(np.flatnonzero(alive))
    owner = chosen.owner // D * len(kept) + place[chosen.owner % D]
    moved = Terms(owner, chosen.coef, chosen.start, place[chosen.var].astype(np.int32), chosen.power)
    names = tuple(fields.variables[j] for j in kept)
    return VectorFields._from_checked(names, moved.canonical(), fields.denominators)
