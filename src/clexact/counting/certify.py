"""``certify``: how a count is made, by sparse or dense brackets from above and laws from below."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.counting.count import Evidence, IndependenceWitness, LawCount
from clexact.counting.memory import MemoryLimitError, dense_bytes, over_limit, sparse_bytes
from clexact.counting.starts import Start, parameters_at
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.flows.lifted import LiftedFlow
from clexact.flows.near import near_start
from clexact.laws.families import law_gradients, sparse_independent
from clexact.laws.listing import LawList
from clexact.laws.polynomial_laws import check_degree, laws_from_dicts, listed_laws, polynomial_laws
from clexact.laws.result import Completeness, independent_blocks
from clexact.lie.closure import (
    ATTEMPTS,
    ClosureStatus,
    DenseSpanBuilder,
    LieClosure,
    SpanBuilder,
    check_depth,
    closure_of,
    closure_status,
)
from clexact.lie.lifted_witnesses import LiftedSpanBuilder
from clexact.lie.sparse_witnesses import SPARSE_FROM, SparseSpanBuilder, sparsely_evaluated, supports
from clexact.lie.stream_witnesses import StreamSpanBuilder, streaming
from clexact.programs.places import Mask
from clexact.support.errors import RANK_BITS, UndefinedError, error_bits
from clexact.support.limits import limits
from clexact.support.progress import Progress, heard

MOST_COMPARED = 20_000  # polynomials of which those that depend on others are left out


def certify(
    flow: Given,
    degree: int = 2,
    seed: int = 0,
    *,
    near: Start | None = None,
    max_depth: int | None = None,
    progress: Progress | bool | None = None,
    keep_partial: bool = False,
    time_limit: float | None = None,
    memory_limit: int | None = None,
) -> LawCount:
    """Count the independent conservation laws of a flow near a generic start, with proof.

    Lower: N polynomial laws of degree at most ``degree``, exact identities, with gradients of rank N mod p at a point.
    Upper: brackets of the fields whose values have rank K mod p at a point prove dim W_inf >= K, so at most D - K laws.
    When N < D - K, the brackets are shown to be closed: exactly if there is one field, else by random points with an
    error of at most 2^-100, and then there are D - K laws although not all are polynomial. If that fails too, both
    bounds are given. The count D - dim W_inf is theorem 2.11 of arXiv 2506.06194, after arXiv 2307.00144.

    From D = 500 on, sparse brackets at a sparse point are tried first: any point and any brackets prove a bound.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    degree : int
        Of the polynomial laws, at most; at least 1.
    seed : int
        Of all random choices, at least 0: the same seed gives the same answer.
    near : str, sequence of int or Fraction, or mapping of str to array, optional
        A start: then the count is of the network near it, with its gates as they truly are there (``count.explanation``
        says which). D rationals, arrays by the names of the parameters, ``"random"`` (``random_start``), a name of
        ``orbit_dimension`` or the path of a file of rationals. Default: near a generic start, with free gates.
    max_depth : int, optional
        The largest depth of brackets. Without it brackets that are small polynomials are made to any depth, others to
        depth 8, each level of which doubles the cost.
    progress : bool or callable, optional
        True: a line on a terminal or in a notebook says what is done; or a function of (stage, done, total).
    keep_partial : bool
        Whether Ctrl-C returns the best bounds so far (the result says ``interrupted``) instead of raising
        KeyboardInterrupt.
    time_limit : float, optional
        In seconds, after which the best bounds so far are returned (the result says ``interrupted``); in the main
        thread only.
    memory_limit : int, optional
        In MiB; default: what the machine has. If only dense brackets may take more, they are left out, which
        ``stopped`` then says.

    Returns
    -------
    LawCount
        Both bounds, the laws, and the evidence.

    Raises
    ------
    TypeError
        For no flow, for a start of floats, and for another ``progress``.
    ValueError
        For degree < 1, seed < 0 or max_depth < 0, for a limit that is not positive, or of time outside the main thread,
        for a start of a wrong shape, and beside it for explicit fields.
    TimeoutError
        If the time limit is reached before any bound is looked for: while a model or the gates of a start are read.
    TieError
        For a start or data on a kink, where the network has no gradient.
    MemoryLimitError
        Before the start, if the laws and the sparse brackets may take more than ``memory_limit``.

    Examples
    --------
    >>> import clexact
    >>> certify(clexact.gradient_flow(clexact.models.linear([4, 3, 5])))
    exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)
    >>> flow = clexact.gradient_flow(clexact.models.relu([1, 3, 1]))
    >>> certify(flow).headline, certify(flow, near=[1, 2, 3, 4, -5, 6]).headline  # doctest: +NORMALIZE_WHITESPACE
    ('exactly 3 independent conservation laws with free gates',
     'exactly 4 independent conservation laws near this start')
    """
    check_degree(degree)
    check_depth(max_depth)
    certification: _Certification | None = None
    with heard(progress) as shown:
        try:
            with limits(time_limit) as limited:
                flow = as_flow(flow) if near is None else _near(as_flow(flow), near, seed)
                certification = _Certification(flow, degree, seed, max_depth, shown, memory_limit)
                certification.run()
        except KeyboardInterrupt:
            if certification is None and limited.limit:
                raise TimeoutError(f"{limited.reached} before any bound was looked for.") from None
            if certification is None or not (keep_partial or limited.limit):
                raise
            certification.interrupted = True
    return certification.result()


def _near(flow: Flow, near: Start, seed: int) -> Flow:
    """The flow near a start."""
    return near_start(flow, parameters_at(flow, near, seed), seed=seed)


class _Certification:
    """The bounds so far, and how to better them: laws from below, brackets from above, closure between."""

    def __init__(
        self,
        flow: Flow,
        degree: int,
        seed: int,
        max_depth: int | None,
        progress: Progress | None,
        memory_limit: int | None = None,
    ) -> None:
        self.memory_limit, self.stopped, self.left_out, self.unbounded = memory_limit, "", "", ""
        self.flow, self.degree, self.seed, self.max_depth, self.progress = flow, degree, seed, max_depth, progress
        self.draws, self.stats, self.stage, self.interrupted = flow.draws(seed), dict[str, float](), "", False
        self.laws = LawList((), laws_from_dicts(flow, [], degree, seed))
        self.status, self.error = ClosureStatus.OPEN, Fraction(0)
        self.growths: list[SpanBuilder[Any, Any]] = []
        self.settled: SpanBuilder[Any, Any] | None = None  # the one that meets the laws, or is closed
        self.growth = self._growth(flow.draws(seed))
        self.shown = self._shown([])

    def new_point(self) -> None:
        """Draw another prime and point for the brackets; what was found at the old one stays valid."""
        try:
            prime = self.flow.draw_prime(self.draws, RANK_BITS)
            point = self.flow.draw_point(self.draws, prime)
        except UndefinedError as error:  # then no bracket has a value that proves anything, but laws are laws
            self.unbounded = f"no bracket was evaluated: {error}"
            self.growth = self._growth(self.draws)
        else:
            self.growth = DenseSpanBuilder(self.flow, point, prime)
        self.growths.append(self.growth)

    def _growth(self, draws: Draws) -> DenseSpanBuilder:
        """No bracket, at any point."""
        prime = draws.prime(RANK_BITS)
        return DenseSpanBuilder(self.flow, draws.residues((self.flow.dimension,), prime), prime)

    @property
    def limit(self) -> int:
        """The largest rank that the laws shown leave for the brackets."""
        return self.flow.counted_dimension - len(self.shown.laws)

    def _shown(self, laws: list[int], growth: SpanBuilder[Any, Any] | None = None) -> IndependenceWitness:
        place = growth or self.growth
        return IndependenceWitness(tuple(laws), tuple(place.point.tolist()), place.prime)

    def run(self) -> None:
        """Cheapest first: laws of the program's shape, sparse brackets, then any brackets."""
        with self._timed("a point with values"):
            self.new_point()
        self.shown = self._shown([])
        large = self.flow.dimension >= SPARSE_FROM and not self.unbounded
        sparse = large and (sparsely_evaluated(self.flow) is not None or streaming(self.flow) is not None)
        with self._timed("laws of the program's shape"):
            needed = sparse_bytes(self.flow) if sparse else dense_bytes(self.flow)
            if excess := self._over_limit(needed):
                raise MemoryLimitError(f"{excess}: not started.")
            proposed = listed_laws(self.flow, self.degree, seed=self.seed)
            self.left_out = self.flow.left_out
        if sparse and self._run_sparsely(proposed):
            return
        if excess := self._over_limit(dense_bytes(self.flow)):
            self.stopped = f"{excess}: dense brackets were left out"
            return
        if self.unbounded:
            self._show_laws(proposed)
            self.stopped = self.unbounded
            return
        try:
            self._run(proposed)
        except UndefinedError as error:
            self.stopped = f"not all brackets were evaluated: {error}"

    def _over_limit(self, needed: int) -> str:
        return over_limit(needed, f"{self.flow.description} (D = {self.flow.dimension})", self.memory_limit)

    def _sparse_growths(self) -> Iterator[StreamSpanBuilder | SparseSpanBuilder | LiftedSpanBuilder]:
        """Those for a network with a residual stream, and those for any that is defined at most sparse inputs."""
        if (found := streaming(self.flow)) is not None:
            yield StreamSpanBuilder(*found, self.flow.draw_prime(self.draws, RANK_BITS), self.draws)
        if (flow := sparsely_evaluated(self.flow)) is not None:
            for support in supports(flow, self.draws):
                yield self._sparse_growth(flow, support, flow.draw_prime(self.draws, RANK_BITS))

    def _run_sparsely(self, proposed: LawList) -> bool:
        """Whether sparse brackets, of the gradients for a flow made of them, meet the laws at a sparse point."""
        D = self.flow.dimension
        for growth in self._sparse_growths():
            self.growths.append(growth)
            try:
                with self._timed("independence of the laws"):
                    found = sparse_independent(proposed, growth.point % np.uint64(growth.prime), growth.prime)
                if len(found) > len(self.shown.laws):
                    self.laws, self.shown = proposed, self._shown(list(found), growth)
                if isinstance(growth, StreamSpanBuilder):
                    growth.laws = law_gradients(proposed, growth.point % np.uint64(growth.prime), growth.prime)
                dense = not self._over_limit(dense_bytes(self.flow))
                if dense and not isinstance(growth, StreamSpanBuilder) and growth.dear(D - len(found)):
                    continue
                if isinstance(growth, LiftedSpanBuilder):
                    growth.still = _linear(proposed, found) // 2
                    if dense:
                        growth.spare()
                with self._timed("sparse brackets"):
                    growth.run(D - len(found), self.max_depth, self.progress)
            except MemoryError:
                continue
            if growth.form.rank == D - len(found):
                self.laws, self.shown = proposed, self._shown(list(found), growth)
                self.settled, self.status = growth, ClosureStatus.PROVED
                return True
        return False

    def _sparse_growth(
        self, gradients: GradientFlow, support: Mask, prime: int
    ) -> SparseSpanBuilder | LiftedSpanBuilder:
        """Of gradients, or of a flow that is made of them and a drift."""
        if isinstance(self.flow, LiftedFlow):
            return LiftedSpanBuilder(self.flow, gradients, support, prime, self.draws)
        return SparseSpanBuilder(gradients, support, prime, self.draws)

    def _run(self, proposed: LawList) -> None:
        """Brackets, the monomial system, closure; then a new point."""
        self._show_laws(proposed)
        for attempt in range(ATTEMPTS):
            if attempt:
                self.new_point()
                self._show_laws(self.laws)
            with self._timed("brackets"):
                self.growth.run(
                    self.flow, self.limit, self.max_depth, self.draws, stop_at_stall=True, progress=self.progress
                )
            if not self.flow.whole:  # members may be missing: nothing but what meets the laws is known
                if self.growth.form.rank == self.limit:
                    self.settled, self.status = self.growth, ClosureStatus.PROVED
                    break
                continue
            if self.growth.form.rank < self.limit and not self.laws.complete:
                self._search_laws()
            with self._timed("closure"):
                self.status, self.error = closure_status(
                    self.flow, self.growth, self.limit, self.draws, progress=self.progress
                )
            if self.status is not ClosureStatus.OPEN:
                self.settled = self.growth
                break

    def _show_laws(self, laws: LawList) -> None:
        """Take these laws instead of those so far, as soon as no fewer of them are shown to be independent."""
        found, point = list[int](), self.growth.point % np.uint64(self.growth.prime)
        with self._timed("independence of the laws"):
            for numbers in chain([[]], independent_blocks(laws, point, self.growth.prime)):
                found += numbers
                if len(found) >= len(self.shown.laws):
                    self.laws, self.shown = laws, self._shown(found)

    def _search_laws(self) -> None:
        """All polynomial laws; where the search is too large to make, those of the program's shape stay."""
        with self._timed("monomial system"):
            found = polynomial_laws(self.flow, self.degree, seed=self.seed)
        if found.completeness is not Completeness.OPEN:
            self._show_laws(self.laws.beside(found))

    def _leave_out_dependent(self) -> None:
        """List no law that is a function of others, by its gradient at the point: U[0,0]^2 beside U[0,0]."""
        laws, shown = self.laws, self.shown
        linear = len(laws.others) or any(
            family.degree == 1 for family in laws.families
        )  # of which others are functions
        if not linear or not len(shown.laws) < laws.size <= MOST_COMPARED:
            return
        point = np.array(shown.point, dtype=np.uint64) % np.uint64(shown.prime)
        numbers = laws.simplest(point, shown.prime)
        if len(numbers) >= len(shown.laws):
            self.laws, kept = laws.only(numbers)
            self.shown = IndependenceWitness(kept, shown.point, shown.prime)

    def result(self) -> LawCount:
        """The bounds as they stand."""
        self._leave_out_dependent()
        flow, exhibited = self.flow, len(self.shown.laws)
        growth = self.settled or max(self.growths or [self.growth], key=lambda g: g.form.rank)
        dense = isinstance(growth, DenseSpanBuilder)
        closure = closure_of(flow, growth, self.status, self.error, self.seed, generic=dense)
        upper = flow.counted_dimension - closure.rank
        lower = exhibited if closure.status is ClosureStatus.OPEN else upper
        known = flow.start.error if flow.start is not None and lower else Fraction(0)
        evidence = _evidence(flow, self.shown, lower, upper, closure, self.degree, known)
        if self.interrupted and not exhibited and not closure.rank:
            evidence = Evidence(*(f"interrupted during {self.stage!r}: no {what} yet" for what in ("law", "bracket")))
        return LawCount(
            dimension=flow.counted_dimension,
            lower=lower,
            upper=upper,
            laws=self.laws,
            shown=self.shown,
            filtration=closure.dims,
            closure=closure,
            evidence=evidence,
            error=closure.error + known,
            degree=self.degree,
            seed=self.seed,
            interrupted=self.interrupted,
            stopped=self.stopped,
            left_out=self.left_out if exhibited < upper else "",
            description=flow.description,
            scope=flow.scope,
            assumptions=flow.assumptions,
            flow=flow,
            stats=self.stats,
            stage=self.stage if self.interrupted else "",
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start, self.stage = time.perf_counter(), stage
        try:
            yield
        finally:
            self.stats[stage] = self.stats.get(stage, 0.0) + time.perf_counter() - start


def _linear(laws: LawList, numbers: tuple[int, ...]) -> int:
    """How many of these numbers of polynomials belong to linear families."""
    each = zip(laws.families, pairwise(laws.first), strict=True)
    return sum(a <= n < b for family, (a, b) in each if family.degree == 1 for n in numbers)


def _evidence(
    flow: Flow,
    shown: IndependenceWitness,
    lower: int,
    upper: int,
    closure: LieClosure,
    degree: int,
    known: Fraction,
) -> Evidence:
    """The two bounds in words, as theory has them: proved, or closed with an error."""
    rank, depth, exhibited = closure.rank, len(closure.dims) - 1, len(shown.laws)
    above = (
        f"proved: brackets of depth {depth} or less have rank {rank} mod {closure.prime} at a point, "
        f"so at most {flow.counted_dimension} - {rank} = {upper}{flow.qualification}"
    )
    if lower == exhibited:
        below = (
            f"proved: {exhibited} polynomial law{'s' * (exhibited != 1)} of degree at most {degree}, exact identities, "
            f"with gradients of rank {exhibited} mod {shown.prime} at a point"
        )
        if known:
            below += f"; that no other gates are met near the start is shown with error <= 2^-{error_bits(known)}"
        return Evidence(below, above)
    why, kind = "a single field is closed under brackets", "proved"
    if closure.error:
        why, kind = "the brackets are closed at random points", f"closed with error <= 2^-{error_bits(closure.error)}"
    below = (
        f"{kind}: {why}, so there are {flow.counted_dimension} - {rank} = {upper} independent laws{flow.qualification} "
        f"(Frobenius), {exhibited} of them polynomials of degree at most {degree}"
    )
    return Evidence(below, above)
