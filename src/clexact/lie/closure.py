r"""The Lie algebra of a flow at a point: dimensions of $W_0 \subset W_1 \subset \cdots$, with witness brackets.

$[X, Y](\theta) = \partial X(\theta) Y(\theta) - \partial Y(\theta) X(\theta)$, $W_{k+1} = W_k + [W_0, W_k]$. Values
of brackets are read off jets: $[X, Y](\theta)$ is the e-part of $X(\theta + e\,Y(\theta)) - Y(\theta +
e\,X(\theta))$. Random members are as good as a basis.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from math import factorial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.fields import VectorFields
from clexact.algebra.linalg import Words, residues
from clexact.algebra.polynomial import Number, check_point
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import FieldsFlow, Flow
from clexact.laws.polynomial_laws import proposed_laws
from clexact.laws.result import independent
from clexact.lie.brackets import ExplicitBases, ExplicitWitness, TooManyTermsError, joined, values_mod
from clexact.programs.jets import Jet, Jets
from clexact.programs.sparse_jets import Part
from clexact.support.bounds import check_bounds
from clexact.support.errors import CLOSURE_BITS, MAX_ERROR, RANK_BITS, unlucky_primes
from clexact.support.progress import Progress

ATTEMPTS = 3  # points and primes that a caller may draw; the error of a closure counts them all
MAX_POINTS = 40  # of a closure
MAX_DEPTH = 8  # of brackets from jets, by default
EXPLICIT_FROM = 3  # depth from which brackets are made as explicit polynomials, if they are small
MAX_EXPANDED = 5000  # terms of the fields for that
MEMORY = 2**25  # 64-bit words of one evaluation
FIRST_BATCH, LARGEST_BATCH = 8, 512
DEAREST = 10**9  # numbers of the members of a closure that are evaluated at a point
MISSES = 2  # members of each kind that do not raise the rank before a level counts as exhausted

V = TypeVar("V")
J = TypeVar("J")


class ClosureStatus(Enum):
    """What is known of the last dimension; the value is the sentence a user reads.

    Examples
    --------
    >>> print(ClosureStatus.CLOSED.value)
    the dimension is a proved lower bound, and exact with a stated probability of error
    """

    PROVED = "the dimension is exact: proved from both sides"
    CLOSED = "the dimension is a proved lower bound, and exact with a stated probability of error"
    OPEN = "the dimension is a proved lower bound only"


@dataclass(frozen=True, eq=False)
class Witness:
    """Independent members of one level; seeds (depth + 1, count, seed_size) name nested brackets [X_0, [X_1, ...]]."""

    depth: int
    seeds: Words

    @property
    def count(self) -> int:
        """How many members."""
        return int(self.seeds.shape[1])


@dataclass(frozen=True, eq=False)
class SparseWitness:
    """As ``Witness``, with sparse seeds: those of all X_0, of all X_1, ..., each with a row for every member."""

    depth: int
    seeds: tuple[Part, ...]


@dataclass(frozen=True, eq=False)
class LieClosure:
    """Dimensions of W_0, W_1, ... at a point (each a proved lower bound), and what proves them.

    Attributes
    ----------
    dimension : int
        D of the phase space.
    dims : tuple of int
        The dimensions.
    status : ClosureStatus
        What is known of the last one.
    error : Fraction
        With status CLOSED, the probability that the dimension is larger, at most; else 0.
    point : tuple of int or Fraction
        As given, or drawn below ``modulus(prime)`` of the flow.
    prime : int
        Modulo which the ranks were computed.
    seed : int
        Of all random choices.
    generic : bool
        Whether the point was drawn from all points, not given and not sparse.
    witnesses : tuple
        For each level its independent members: ``Witness``, ``ExplicitWitness`` or ``SparseWitness``.

    Examples
    --------
    >>> import clexact
    >>> found = lie_closure(clexact.gradient_flow(clexact.models.linear([2, 2, 2])))
    >>> found.dims, found.status.name, found.rank
    ((4, 5), 'PROVED', 5)
    """

    dimension: int  # D
    dims: tuple[int, ...]
    status: ClosureStatus
    error: Fraction  # with status CLOSED, the probability that the dimension is larger, at most; else 0
    point: tuple[Number, ...]  # as given, or drawn in [0, prime)
    prime: int
    seed: int
    generic: bool  # whether the point was drawn from all points, not given and not sparse
    witnesses: tuple[Witness | ExplicitWitness | SparseWitness, ...]

    @property
    def rank(self) -> int:
        """The last dimension, a proved lower bound of dim W_infinity."""
        return self.dims[-1]

    def _repr_latex_(self) -> str:
        ranks = r" \to ".join(map(str, self.dims))
        return rf"$\dim W = {ranks} \text{{ of }} {self.dimension}\text{{; {self.status.value}}}$"

    def __repr__(self) -> str:
        ranks = " -> ".join(map(str, self.dims))
        return f"LieClosure(dim W = {ranks} of {self.dimension}, {self.status.name.lower()})"


class JetRing(Protocol[J]):
    """Jets, dense or sparse."""

    def add(self, a: J, b: J) -> J: ...
    def subtract(self, a: J, b: J) -> J: ...


def nested_bracket(
    ring: JetRing[dict[int, V]],
    values: Callable[[dict[int, V], V], dict[int, V]],
    seeds: Sequence[V],
    theta: dict[int, V],
    bit: int = 0,
    symmetric: int = 0,
) -> dict[int, V]:
    r"""Values of the nested brackets $[X_0, [X_1, \ldots]]$ at a jet, for many rows of seeds at once.

    ``values(theta, seeds)`` evaluates fields. Depth k takes 2^(k+1) - 1 sweeps of the program. Bits from ``bit`` on are
    free for new infinitesimals. So many of the innermost brackets are symmetric products $DX\,Y + DY\,X$ instead.
    """
    if len(seeds) == 1:
        return values(theta, seeds[0])
    e = 1 << (bit + len(seeds) - 2)
    inner = nested_bracket(ring, values, seeds[1:], theta, bit, symmetric)
    outer_moved = values(ring.add(theta, _raised(inner, e)), seeds[0])
    outer = {mask: part for mask, part in outer_moved.items() if not mask & e}
    inner_moved = nested_bracket(ring, values, seeds[1:], ring.add(theta, _raised(outer, e)), bit, symmetric)
    combined = ring.add if len(seeds) - 1 <= symmetric else ring.subtract
    return combined(_part(outer_moved, e), _part(inner_moved, e))


def bracket_values(flow: Flow, seeds: Sequence[Words], theta: Jet, prime: int, bit: int = 0) -> Jet:
    """``nested_bracket`` of a flow's members at a dense jet."""

    def values(place: Jet, row: Words) -> Jet:
        return flow.values(place, row, prime)

    return nested_bracket(Jets(prime), values, seeds, theta, bit)


def _raised(a: dict[int, V], e: int) -> dict[int, V]:
    return {mask | e: part for mask, part in a.items()}


def _part(a: dict[int, V], e: int) -> dict[int, V]:
    return {mask & ~e: part for mask, part in a.items() if mask & e}


def values_at(flow: Flow, seeds: Words, point: Words, prime: int) -> Words:
    """Values (count, D) of the brackets named by seeds (depth + 1, count, seed_size), in batches that fit memory."""
    depth, count = seeds.shape[0] - 1, seeds.shape[1]
    step = max(1, MEMORY // ((flow.work + 1) << depth))
    theta = {0: point[None]}
    parts = [np.zeros((0, flow.dimension), dtype=np.uint64)]
    for first in range(0, count, step):
        chosen = list(seeds[:, first : first + step])
        value = bracket_values(flow, chosen, theta, prime).get(0)
        rows = len(chosen[0])
        parts.append(
            np.zeros((rows, flow.dimension), np.uint64)
            if value is None
            else np.broadcast_to(value, (rows, flow.dimension))
        )
    return np.concatenate(parts)


class Ranked(Protocol):
    """An echelon form, dense or sparse."""

    @property
    def rank(self) -> int: ...


F = TypeVar("F", bound=Ranked)
W = TypeVar("W", Witness | ExplicitWitness, SparseWitness)


class SpanBuilder(Generic[F, W]):
    """The rank of members of W_0, W_1, ... at one point, as far as it has been driven: valid at any moment."""

    def __init__(self, point: Words, prime: int, form: F) -> None:
        self.point, self.prime, self.form = point, prime, form
        self.witnesses: list[W] = []
        self._finished: list[int] = []

    @property
    def ranks(self) -> tuple[int, ...]:
        """The filtration: ranks level by level, that of the level under way included."""
        under_way: bool = not self._finished or self.form.rank > self._finished[-1]
        return (*self._finished, *([self.form.rank] if under_way else []))


class DenseSpanBuilder(SpanBuilder[Echelon, Witness | ExplicitWitness]):
    """Members at a dense point: random ones from jets; deep brackets as explicit polynomials, while they are small."""

    def __init__(self, flow: Flow, point: Words, prime: int) -> None:
        super().__init__(point, prime, Echelon(flow.dimension, prime))
        self.explicit: ExplicitBases | None = None  # where all members are explicit

    def run(
        self,
        flow: Flow,
        limit: int,
        max_depth: int | None,
        draws: Draws,
        *,
        stop_at_stall: bool,
        progress: Progress | None,
    ) -> None:
        """Add members level by level until the rank is ``limit``, a level adds nothing, or the depth is exhausted."""
        for depth in itertools.count():
            if depth == EXPLICIT_FROM:
                self.explicit = self._expanded(flow, generic=stop_at_stall)
            if max_depth is not None and depth > max_depth:
                break
            if not self._expand_level(depth, limit, progress):
                if max_depth is None and depth > MAX_DEPTH:
                    break
                self.draw_level(flow, depth, limit, draws, progress)
            self._finished.append(self.form.rank)
            stalled = depth > 0 and self._finished[-1] == self._finished[-2]
            if self.form.rank >= limit or (stop_at_stall and stalled) or (self.explicit and self.explicit.complete):
                break
        if self.form.rank == limit < flow.dimension:
            self._look_beyond(flow, len(self._finished) - 1, limit, draws)

    def _look_beyond(self, flow: Flow, depth: int, limit: int, draws: Draws) -> None:
        """One more member of this depth and of the next: a rank above the limit contradicts the laws that set it.

        Not beyond the depth from which brackets are explicit, where jets would take too long.
        """
        first = min(depth, EXPLICIT_FROM - 1)
        for k in (first, first + 1):
            seeds = flow.draw_seeds(draws, k + 1, 1, self.point, self.prime)
            self.form.add(values_at(flow, seeds, self.point, self.prime))
        check_bounds(self.form.rank, limit, f"the dimension of W of {flow.description}")

    def proved_at(self, point: Sequence[Number] | None) -> bool:
        """Whether the rank is exact at a given point: it is that of a basis, over Q, of the whole algebra."""
        made = self.explicit
        return point is not None and made is not None and made.complete and made.basis.rank_at(point) == self.form.rank

    def closed(self, flow: Flow, draws: Draws, progress: Progress | None) -> Fraction | None:
        """The error with which the members found are closed under brackets, None where that is not shown."""
        if self.explicit:
            return closed_explicitly(self.explicit.fields, self.explicit.basis, draws, progress)
        return closed(flow, self.witnesses, draws, progress)

    def _expanded(self, flow: Flow, *, generic: bool) -> ExplicitBases | None:
        """The levels so far as explicit polynomials, if they are small; their members take the place of those drawn."""
        if flow.expanded_size > MAX_EXPANDED:
            return None
        found = ExplicitBases(flow.fields, self.point, self.prime, generic=generic)
        try:
            for rank in self._finished:
                found.grow(rank if generic else flow.dimension + 1)
                if found.form.rank < rank:
                    return None
        except TooManyTermsError:
            return None
        self.form, self.witnesses = found.form, list(found.witnesses)
        return found

    def _expand_level(self, depth: int, limit: int, progress: Progress | None) -> bool:
        """Whether the level could be made of explicit polynomials."""
        if self.explicit is None:
            return False
        made = self.explicit
        try:
            made.grow(limit)
        except TooManyTermsError:
            self.explicit = None
        finally:
            self.witnesses[:] = made.witnesses
        if progress:
            progress(f"brackets of depth {depth}", self.form.rank, limit)
        return self.explicit is not None

    def draw_level(self, flow: Flow, depth: int, limit: int, draws: Draws, progress: Progress | None) -> None:
        """Add members drawn of one depth until the rank is the limit, or no more is found."""
        misses, batch, most = 0, FIRST_BATCH, MISSES * flow.kinds(depth)
        while self.form.rank < limit and misses < most:
            count = max(MISSES, min(batch, limit - self.form.rank))
            seeds = flow.draw_seeds(draws, depth + 1, count, self.point, self.prime)
            fresh = self.form.add(values_at(flow, seeds, self.point, self.prime))
            if fresh.any():
                self.witnesses.append(Witness(depth, seeds[:, fresh]))
            misses += int((~fresh).sum())
            batch = min(2 * batch, LARGEST_BATCH)
            if progress:
                progress(f"brackets of depth {depth}", self.form.rank, limit)


def closure_error(flow: Flow, depths: Sequence[int], extra: int, bits: int = CLOSURE_BITS) -> Fraction:
    r"""The chance, at most, that one random point mod a random prime shows a closure that does not hold.

    Were the family not closed, a minor of the K brackets and one of the ``extra`` members would be a nonzero polynomial
    over Z in the point and the seeds. It must then vanish mod p: either p divides all its coefficients, or a root is
    hit (Schwartz-Zippel, degree / p). A bracket of degrees a, b and norms A, B has degree a + b and norm (a + b) A B.
    The minor's coefficients are below (K + 1)! times the product of the norms; a number N has at most log2(N) / (bits
    - 1) prime factors of ``bits`` bits, of the more than 2^(bits - 1) / (2 bits) primes there are.
    """
    degree, norm_bits = 0, factorial(len(depths) + 1).bit_length()
    for depth in [*depths, max(depths, default=0) + 1]:
        degree += (depth + 1) * flow.degree
        norm_bits += (depth + 1) * flow.norm_bound.bit_length()
        norm_bits += sum(((k + 1) * flow.degree).bit_length() for k in range(1, depth + 1))
    return extra * (Fraction(degree, 2 ** (bits - 1)) + unlucky_primes(norm_bits, bits))


def closed(
    flow: Flow,
    witnesses: Sequence[Witness | ExplicitWitness],
    draws: Draws,
    progress: Progress | None = None,
) -> Fraction | None:
    r"""Test that the span of the brackets over Q(theta) holds every field and every bracket of a field with it.

    Returns the probability of error, at most 2^-100, or None if it is not closed (or the sizes are beyond the bound).
    At each of several random points mod fresh random primes, all seeds are drawn anew: K brackets of the witnesses'
    depths, one field X, and [X, B] for one B of each depth, which by symmetry stands for all of them.
    """
    counts = {w.depth: 0 for w in witnesses}
    for w in witnesses:
        counts[w.depth] += w.count
    depths = [depth for depth, count in counts.items() for _ in range(count)]
    if flow.uniform_cost > 1 and flow.uniform_cost * flow.work * sum(2**depth for depth in depths) > DEAREST:
        return None
    per_point = closure_error(flow, depths, 1 + len(counts))
    return _repeated(per_point, lambda: _closed_at_random_point(flow, counts, draws), progress)


def spanned(flow: Flow, count: int, draws: Draws, progress: Progress | None = None) -> Fraction | None:
    """The error with which so many members span W_0 over Q(theta), at most 2^-100; None where that is not shown.

    As ``closed``, of W_0 alone: at random points, so many random members and one more.
    """
    if flow.analytic or not flow.whole or flow.uniform_cost * flow.work * count > DEAREST:
        return None
    return _repeated(closure_error(flow, [0] * count, 1), lambda: _spanned_by(flow, count, draws), progress)


def _spanned_by(flow: Flow, count: int, draws: Draws) -> bool:
    """Whether one random member more has its value among those of so many, which are independent."""
    prime = draws.prime(CLOSURE_BITS, avoiding=flow.denominator)
    point = draws.residues((flow.dimension,), prime)
    seeds = draws.residues((1, count + 1, flow.seed_size), prime)
    fresh = Echelon(flow.dimension, prime).add(values_at(flow, seeds, point, prime))
    return bool(fresh[:count].all() and not fresh[count])


def _repeated(per_point: Fraction, test: Callable[[], bool], progress: Progress | None) -> Fraction | None:
    """The error of as many tests as make it at most 2^-100; None if one fails, or too many would be needed."""
    points, total = 0, Fraction(ATTEMPTS)
    while total > MAX_ERROR:
        if points == MAX_POINTS or per_point >= 1 or not test():
            return None
        points, total = points + 1, total * per_point
        if progress:
            progress("closure at random points", points, MAX_POINTS)
    return total


def closed_explicitly(
    fields: VectorFields, basis: VectorFields, draws: Draws, progress: Progress | None = None
) -> Fraction | None:
    r"""As ``closed``, for a basis that is explicit: tested are a random X and [X, B], B in the span of the basis.

    Were the span over Q(theta) not closed, a minor of the K members and one of these two would be a nonzero polynomial
    over Z in the point and the coefficients of X and B, whose degree and norm are bounded as in ``closure_error``.
    """
    sizes = [_size(X) for X in basis]
    whole, spanning = _size(fields), _size(basis)
    degree = sum(d for d, _ in sizes) + whole[0] + spanning[0] + 2
    norm_bits = sum(bits for _, bits in [*sizes, whole, spanning]) + (whole[0] + spanning[0]).bit_length()
    norm_bits += factorial(len(basis) + 1).bit_length()
    per_point = 2 * (Fraction(degree, 2 ** (CLOSURE_BITS - 1)) + unlucky_primes(norm_bits))
    family = FieldsFlow(joined([fields, basis]))
    return _repeated(per_point, lambda: _spanned_at_random_point(family, basis, draws), progress)


def _size(fields: VectorFields) -> tuple[int, int]:
    """Degree of the components, and bits of the sum of all absolute coefficients, denominators cleared."""
    coefs = map(abs, fields.terms.coef.tolist())
    return int(fields.terms.degrees().max(initial=0)), int(sum(coefs)).bit_length()


def _spanned_at_random_point(family: FieldsFlow, basis: VectorFields, draws: Draws) -> bool:
    """Whether a random field and bracket lie in the span of the basis, with which the family ends."""
    prime, fields = draws.prime(CLOSURE_BITS), family.field_count - len(basis)
    point = draws.residues((family.dimension,), prime)
    form = Echelon(family.dimension, prime)
    if not form.add(values_mod(basis, point, prime)).all():
        return False  # the basis does not span here: nothing is shown
    mixed = np.zeros((2, 1, family.seed_size), dtype=np.uint64)
    mixed[0, 0, :fields] = draws.residues((fields,), prime)
    mixed[1, 0, fields:] = draws.residues((len(basis),), prime)
    further = [values_at(family, mixed[:1], point, prime), values_at(family, mixed, point, prime)]
    return not form.add(np.concatenate(further)).any()


def _closed_at_random_point(flow: Flow, counts: dict[int, int], draws: Draws) -> bool:
    prime = draws.prime(CLOSURE_BITS, avoiding=flow.denominator)
    point = draws.residues((flow.dimension,), prime)
    form = Echelon(flow.dimension, prime)
    extra = [values_at(flow, draws.residues((1, 1, flow.seed_size), prime), point, prime)]
    for depth, count in counts.items():
        seeds = draws.residues((depth + 1, count, flow.seed_size), prime)
        if not form.add(values_at(flow, seeds, point, prime)).all():
            return False  # the brackets do not span here: nothing is shown
        further = draws.residues((1, 1, flow.seed_size), prime)
        extra.append(values_at(flow, np.concatenate([further, seeds[:, :1]]), point, prime))
    return not form.add(np.concatenate(extra)).any()


def lie_closure(
    flow: Given, point: Sequence[Number] | None = None, *, seed: int = 0, max_depth: int | None = None
) -> LieClosure:
    r"""Dimensions of $W_0(\theta) \subset W_1(\theta) \subset \cdots$ at a point, with witness brackets.

    Each dimension is a proved lower bound: a rank mod a prime at an integer point. At a drawn (generic) point the
    last one is exact when it meets the laws that the flow's shape proves (PROVED), or when the brackets are shown to
    be closed (CLOSED, error at most 2^-100). At a given point the chain may stall and grow later, so a stall proves
    nothing there (OPEN) and every depth up to ``max_depth`` is tried; the last dimension is exact when it meets the
    rank of the laws' gradients.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    point : sequence of int or Fraction, optional
        D coordinates; default: drawn.
    seed : int
        Of all random choices.
    max_depth : int, optional
        The largest depth of brackets, at least 0. Where they are small as polynomials depth costs little, and without
        ``max_depth`` there is no bound; else each level doubles the cost, and depth 8 is the last.

    Returns
    -------
    LieClosure
        The dimensions and their witnesses.

    Raises
    ------
    ValueError
        For a point of another length.
    TypeError
        For floats.

    Examples
    --------
    >>> lie_closure(VectorFields.from_strings(["x", "y", "z"], [["1", "0", "0"], ["0", "1", "x"]]))
    LieClosure(dim W = 2 -> 3 of 3, proved)
    """
    flow = as_flow(flow)
    draws = flow.draws(seed)
    check_depth(max_depth)
    prime = flow.draw_prime(draws, RANK_BITS)
    given = None if point is None else check_point(point, flow.dimension)
    place = flow.draw_point(draws, prime) if given is None else point_residues(given, flow.modulus(prime))
    laws = proposed_laws(flow, 2, seed=seed)
    limit = flow.dimension - len(independent(laws, place % np.uint64(prime), prime))
    growth = DenseSpanBuilder(flow, place, prime)
    trivial = given is not None and (flow.field_count == 1 or vanishes(flow, given))
    growth.run(flow, limit, max_depth, draws, stop_at_stall=given is None or trivial, progress=None)
    status, error = closure_status(flow, growth, limit, draws, given=given)
    found = closure_of(flow, growth, status, error, seed, generic=given is None)
    return found if given is None else replace(found, point=given)


def closure_of(
    flow: Flow, growth: SpanBuilder[Any, Any], status: ClosureStatus, error: Fraction, seed: int, *, generic: bool
) -> LieClosure:
    """The result as plain data."""
    point = tuple(int(c) for c in growth.point)
    witnesses = tuple(growth.witnesses)
    return LieClosure(flow.dimension, growth.ranks, status, error, point, growth.prime, seed, generic, witnesses)


def closure_status(
    flow: Flow,
    growth: DenseSpanBuilder,
    limit: int,
    draws: Draws,
    *,
    given: Sequence[Number] | None = None,
    progress: Progress | None = None,
) -> tuple[ClosureStatus, Fraction]:
    """What is known of the last dimension, at the point given or a generic one: exact, closed, or a lower bound."""
    ranks = growth.ranks
    check_bounds(ranks[-1], limit, f"the dimension of W of {flow.description}")
    if ranks[-1] == limit or _exact(flow, growth, given):
        return ClosureStatus.PROVED, Fraction(0)
    if flow.analytic or not flow.whole:  # no bound of a degree, so none of the error; or members may be missing
        return ClosureStatus.OPEN, Fraction(0)
    stalled = len(ranks) > 1 and ranks[-1] == ranks[-2]
    error = growth.closed(flow, draws, progress) if given is None and stalled else None
    return (ClosureStatus.OPEN, Fraction(0)) if error is None else (ClosureStatus.CLOSED, error)


def _exact(flow: Flow, growth: DenseSpanBuilder, given: Sequence[Number] | None) -> bool:
    """Whether the last dimension is known without a closure."""
    return flow.whole and (trivially_exact(flow, growth.ranks[-1], given) or growth.proved_at(given))


def trivially_exact(flow: Flow, rank: int, point: Sequence[Number] | None) -> bool:
    """Whether ``rank`` is exact for a trivial reason: no field, one field only, or all fields vanish at the point.

    The brackets of one field with itself vanish, and so do all brackets, at a point, of fields that vanish there.
    """
    if rank == 0 and point is not None:
        return vanishes(flow, point)
    return rank <= 1 and (flow.field_count == 0 or (flow.field_count == 1 and rank == 1))


def vanishes(flow: Flow, point: Sequence[Number]) -> bool:
    """Whether all fields are 0 at a rational point, over Q; False too where deciding it would take an expansion."""
    if flow.field_count is None:
        return False
    return not any(flow.fields.values(point).values())


def check_depth(max_depth: int | None) -> None:
    """TypeError or ValueError unless the depth is an integer >= 0, or None."""
    if max_depth is None:
        return
    if isinstance(max_depth, bool) or not isinstance(max_depth, int):
        raise TypeError(f"max_depth must be an integer, not {max_depth!r}.")
    if max_depth < 0:
        raise ValueError(f"max_depth must be at least 0, not {max_depth}.")


def point_residues(point: Sequence[Number], prime: int) -> Words:
    """A rational point mod p; ValueError for an unlucky denominator (never in practice)."""
    try:
        return residues(np.array([Fraction(c) for c in point], dtype=object), prime)
    except ZeroDivisionError:
        raise ValueError(f"a denominator of the point is divisible by {prime}; take another seed.") from None
