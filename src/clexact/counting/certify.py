"""``certify``: bounds of the number of independent conservation laws from both sides, each with its evidence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clexact.algebra.draws import Draws
from clexact.counting.explanation import explained
from clexact.counting.memory import MemoryLimitError, dense_bytes, over_limit, sparse_bytes
from clexact.counting.minimality import minimal_at
from clexact.counting.starts import Start, parameters_at
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.flows.lifted import LiftedFlow
from clexact.flows.near import near_start
from clexact.laws.families import sparse_independent
from clexact.laws.listing import LawList
from clexact.laws.logarithmic import Law
from clexact.laws.polynomial_laws import check_degree, laws_from_dicts, listed_laws, polynomial_laws
from clexact.laws.relations import further_than
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
from clexact.support.bounds import check_bounds, in_words
from clexact.support.display import facts, lines
from clexact.support.errors import RANK_BITS, UndefinedError, error_bits
from clexact.support.extras import needed
from clexact.support.limits import limits
from clexact.support.progress import Progress, heard

if TYPE_CHECKING:
    import pandas

    from clexact.proofs.certificate import Certificate

FEW_LAWS = 6  # listed where a count shows itself
MOST_COMPARED = 20_000  # polynomials of which those that depend on others are left out


@dataclass(frozen=True)
class Evidence:
    """What proves each bound, in words.

    Attributes
    ----------
    lower : str
        Why there are at least so many laws.
    upper : str
        Why there are at most so many.

    Examples
    --------
    >>> import clexact
    >>> evidence = certify(clexact.gradient_flow(clexact.models.product(3))).evidence
    >>> print(evidence.upper.partition(", so ")[2])
    at most 3 - 1 = 2
    """

    lower: str
    upper: str


@dataclass(frozen=True)
class IndependenceWitness:
    """Polynomials of the laws (their numbers) with gradients of full rank mod the prime at the point: independent."""

    laws: tuple[int, ...]
    point: tuple[int, ...]
    prime: int


@dataclass(frozen=True, eq=False)
class LawCount:
    """The number of independent conservation laws near a generic start: lower <= number <= upper, each with evidence.

    ``exhibited`` of them are polynomial and shown in ``laws``. When ``lower`` exceeds ``exhibited``, the others exist
    by Frobenius' theorem but are not polynomials of degree at most ``degree``.

    Attributes
    ----------
    dimension : int
        D of the phase space.
    lower : int
        A bound from below.
    upper : int
        A bound from above.
    laws : LawList
        The polynomial laws found: families first.
    shown : IndependenceWitness
        Which of ``laws.polynomials()`` are independent, and where.
    filtration : tuple of int
        Dimensions of W_0, W_1, ... at the point, each a proved lower bound.
    closure : LieClosure
        The brackets behind ``upper``.
    evidence : Evidence
        What proves each bound, in words.
    error : Fraction
        0 for proved bounds, else the probability, at most 2^-100, that the closure behind ``lower`` does not hold.
    degree : int
        Up to which polynomial laws were looked for.
    seed : int
        Of all random choices.
    interrupted : bool
        Whether Ctrl-C came before the search had ended: the bounds are valid, but might be better.
    stopped : str
        What was left out for want of memory, or of values that prove anything, in words; else empty.
    left_out : str
        Which laws of the program's shape were not looked for, where some are not shown; else empty.
    description : str
        The flow in words.
    scope : str
        Of which data and starts, and of which gates, the count speaks.
    assumptions : tuple of str
        Under which the count holds.
    flow : Flow
        What was counted.
    stats : dict of str to float
        Seconds by stage.
    stage : str
        During which Ctrl-C came.

    Examples
    --------
    >>> import clexact
    >>> count = certify(clexact.gradient_flow(clexact.models.linear([2, 2, 2])))
    >>> count.lower, count.upper, count.exhibited, count.filtration
    (3, 3, 3, (4, 5))
    >>> count.blocks, count.error
    ({('U1', 'U2'): 3}, Fraction(0, 1))
    """

    dimension: int
    lower: int
    upper: int
    laws: LawList
    shown: IndependenceWitness  # which of laws.polynomials() are independent, and where
    filtration: tuple[int, ...]  # dimensions of W_0, W_1, ... at the point, each a proved lower bound
    closure: LieClosure
    evidence: Evidence
    error: Fraction
    degree: int
    seed: int
    interrupted: bool  # Ctrl-C came before the search had ended: the bounds are valid, but might be better
    stopped: str  # what was left out for want of memory, or of values that prove anything, in words; else empty
    left_out: str  # which laws of the program's shape were not looked for, where some are not shown; else empty
    description: str
    scope: str  # of which data and starts, and of which gates, the count speaks
    assumptions: tuple[str, ...]
    flow: Flow = field(repr=False)
    stats: dict[str, float] = field(default_factory=dict)  # seconds by stage
    stage: str = ""  # during which Ctrl-C came

    prover: ClassVar[Callable[[LawCount], Certificate]]  # how a certificate is made: given by ``proofs``, from above

    def __post_init__(self) -> None:
        check_bounds(self.lower, self.upper, f"the laws of {self.description}")

    @property
    def exhibited(self) -> int:
        """Number of independent polynomial laws shown."""
        return len(self.shown.laws)

    @cached_property
    def blocks(self) -> dict[tuple[str, ...], int]:
        """How many of the independent laws shown touch which parameters: {names of parameters: laws}.

        The laws of a composed network that touch one block only are those of the block alone (arXiv 2506.06194, theorem
        4.6).
        """
        found: dict[tuple[str, ...], int] = {}
        shown, first = np.array(self.shown.laws, dtype=np.int64), self.laws.first
        for family, begin, end in zip(self.laws.families, first, first[1:], strict=False):
            if count := int(((begin <= shown) & (shown < end)).sum()):
                key = self._ordered(family.parameters)
                found[key] = found.get(key, 0) + count
        for n in shown[shown >= first[-1]].tolist():
            touched = np.unique(self.laws.packed(n, n + 1).var).tolist()
            names = dict.fromkeys(self.laws.variables[v].partition("[")[0].rstrip("'") for v in touched)
            key = tuple(name for name in names if name not in self.flow.clocks)
            found[key] = found.get(key, 0) + 1
        return found

    def _ordered(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Parameters of a family in the order of theta."""
        return tuple(name for name, _ in self.laws.families[0].layout if name in names)

    @property
    def exact(self) -> bool:
        """Whether the bounds meet (see ``error`` for whether that is proved)."""
        return self.lower == self.upper

    @property
    def fields(self) -> int | None:
        """Number of fields of the finite family; None where counting them would take an expansion that is too large."""
        return self.flow.field_count

    @cached_property
    def explanation(self) -> tuple[str, ...]:
        """Near a start: what its gates do, and how the count differs from that with free gates; else nothing.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.relu([1, 2, 1]))
        >>> for sentence in certify(flow, near=[1, 2, 3, 4]).explanation:
        ...     print(sentence)
        never apart: gate1[0], gate1[1]: linear together
        exactly 3 laws here, exactly 2 with free gates: 1 more
        """
        if self.flow.start is None:
            return ()
        free = certify(self.flow.start.free, self.degree, self.seed)
        return tuple(explained(self.flow.start, (self.lower, self.upper), (free.lower, free.upper)))

    @cached_property
    def minimal(self) -> bool | None:
        r"""Whether true gates span what free gates span at the start: $W_g(\theta_0) = W_\varphi(\theta_0)$.

        None where it is not decided: without a start, on given data, with analytic functions, and where neither the
        gates met nor the linear regions of all inputs show it.

        Examples
        --------
        >>> import clexact
        >>> flow = clexact.gradient_flow(clexact.models.relu([1, 2, 1]))
        >>> certify(flow, near=[1, 2, 3, -4]).minimal, certify(flow, near=[1, 2, 3, 4]).minimal
        (True, False)
        """
        flow, start = self.flow.gradients, self.flow.start
        if start is None or flow is None or self.flow.lifted:
            return None
        return minimal_at(flow, start, flow.draws(self.seed))

    @cached_property
    def certificate(self) -> Certificate:
        """The proof as a document to save and to verify; ValueError where the fields are too many to be listed."""
        return type(self).prover(self)

    def further_laws(self, degree: int | None = None) -> tuple[Law, ...]:
        """Where ``lower`` exceeds ``exhibited``: rational and logarithmic laws independent of the laws shown, if found.

        They are made of Darboux polynomials. Each is proved; none is looked for where all laws counted are shown, or
        where the fields are no polynomials.

        Parameters
        ----------
        degree : int, optional
            Of the Darboux polynomials, at most; default: that of the search.

        Returns
        -------
        tuple of Law
            Independent of the laws shown and of each other.

        Raises
        ------
        TypeError, ValueError
            As ``general_laws``.

        Examples
        --------
        >>> import clexact
        >>> count = certify(clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]]))
        >>> count.lower, count.exhibited, [str(law) for law in count.further_laws()]
        (1, 0, ['y/x^2'])
        """
        degree = self.degree if degree is None else degree
        check_degree(degree)
        if self.lower == self.exhibited or self.flow.analytic:
            return ()
        return further_than(self.flow, self.laws.polynomials(), degree, self.seed).further

    @property
    def seconds(self) -> float:
        """Total time."""
        return sum(self.stats.values())

    @property
    def headline(self) -> str:
        """The answer in one phrase."""
        count = self.lower if self.exact else self.upper
        noun = "independent conservation law" + "s" * (count != 1) + self.flow.qualification
        if self.error:
            return f"exactly {self.lower} {noun}, closed with error <= 2^-{error_bits(self.error)}"
        return f"{in_words(self.lower, self.upper)} {noun}"

    def __int__(self) -> int:
        """The number; ValueError where the bounds do not meet."""
        if not self.exact:
            raise ValueError(f"the number of laws is not known: {self.headline}.")
        return self.lower

    def _told(self) -> tuple[object, ...]:
        """What makes it this result: of which flow, by which search, and what was found."""
        asked = (self.flow.digest, self.description, self.scope, self.assumptions, self.degree, self.seed)
        found = (self.lower, self.upper, self.error, self.filtration, self.shown, self.laws.size)
        return (*asked, *found, self.interrupted, self.stopped, self.left_out)

    def __eq__(self, other: object) -> bool:
        return self._told() == other._told() if isinstance(other, LawCount) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._told())

    @property
    def nothing_yet(self) -> bool:
        """Whether Ctrl-C came before any bound was found: lower is 0 and upper is D."""
        return self.interrupted and not self.exhibited and not self.closure.rank

    @property
    def hint(self) -> str:
        """How to see what is not shown in ``laws``, in a sentence; empty where all laws counted are."""
        missing = self.lower - self.exhibited
        if missing <= 0 or self.flow.analytic:
            return ""
        are, them = ("s are no polynomials", "them") if missing > 1 else (" is no polynomial", "it")
        return f"{missing} further law{are} of degree at most {self.degree}: count.further_laws() looks for {them}"

    def __str__(self) -> str:
        if self.nothing_yet:
            return f"{self.headline} (D = {self.dimension})"
        ranks = " -> ".join(map(str, self.filtration))
        # at a sparse point the first dimensions may be below the generic, and after Ctrl-C the last
        sign = "=" if self.closure.generic and not self.interrupted else ">="
        return f"{self.headline} (D = {self.dimension}, dim W {sign} {ranks})"

    def __repr__(self) -> str:
        return f"{self}\n{self.hint}" if self.hint else str(self)

    def _repr_latex_(self) -> str:
        return rf"$\text{{{self}}}$" + "\n\n" + self.laws._repr_latex_()

    def _repr_html_(self) -> str:
        blocks = (f"{n} of {', '.join(names)}" for names, n in self.blocks.items())
        pairs = {
            "flow": self.description,
            "scope": self.scope,
            "at least": f"{self.lower}: {self.evidence.lower}",
            "at most": f"{self.upper}: {self.evidence.upper}",
            "laws by parameters": lines(blocks) if self.blocks else None,
            "assuming": lines(self.assumptions),
            "left out": self.left_out or None,
            "laws": self.laws.to_html(FEW_LAWS) if len(self.laws) else None,
            "further": self.hint or None,
        }
        return facts(str(self), pairs)

    def to_dict(self, laws: bool = False, polynomials: bool = False) -> dict[str, Any]:
        """Plain data: the keys of ``clexact certify --json``.

        Parameters
        ----------
        laws : bool
            Whether ``laws`` is among them, the laws as strings: families in one line each.
        polynomials : bool
            Whether ``polynomials`` is among them, ``laws.polynomials()`` as strings.

        Returns
        -------
        dict
            Of types of JSON.

        Examples
        --------
        >>> import clexact
        >>> data = certify(clexact.gradient_flow(clexact.models.product(2))).to_dict(laws=True)
        >>> data["lower"], data["upper"], data["laws"]
        (1, 1, ['x[0]^2 - x[1]^2'])
        """
        data: dict[str, Any] = {
            "model": self.description,
            "scope": self.scope,
            "assumptions": list(self.assumptions),
            "dimension": self.dimension,
            "fields": self.fields,
            "lower": self.lower,
            "upper": self.upper,
            "exact": self.exact,
            "exhibited": self.exhibited,
            "degree": self.degree,
            "filtration": list(self.filtration),
            "evidence": {"lower": self.evidence.lower, "upper": self.evidence.upper},
            "error": f"2^-{error_bits(self.error)}" if self.error else "0",
            "prime": self.closure.prime,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "stopped": self.stopped,
            "left_out": self.left_out,
            "seconds": round(self.seconds, 6),
        }
        if self.flow.start is not None:
            data["near"] = {"point": [str(c) for c in self.flow.start.point], "explanation": list(self.explanation)}
        data["blocks"] = [{"parameters": list(names), "laws": n} for names, n in self.blocks.items()]
        data |= {"laws": self.laws.written()} if laws else {}
        return data | ({"polynomials": self.laws.polynomials().written()} if polynomials else {})

    def to_latex(self) -> str:
        r"""The answer for a paper: a sentence, then the laws shown, a family in a line each.

        Returns
        -------
        str
            LaTeX for the body of a document, with ``align*`` of amsmath.

        Examples
        --------
        >>> import clexact
        >>> print(certify(clexact.models.linear(2, 2, 3)).to_latex())
        Exactly 3 independent conservation laws ($D = 10$, $\dim W = 6 \to 7$):
        \begin{align*}
            & U_{1}^\top\,U_{1} - U_{2}\,U_{2}^\top
        \end{align*}
        """
        ranks = r" \to ".join(map(str, self.filtration))
        sentence = f"{self.headline[:1].upper()}{self.headline[1:]} ($D = {self.dimension}$, $\\dim W = {ranks}$)"
        listed = " \\\\\n    ".join(f"& {law}" for law in self.laws.to_latex())
        return f"{sentence}:\n\\begin{{align*}}\n    {listed}\n\\end{{align*}}" if listed else f"{sentence}."

    def to_frame(self) -> pandas.DataFrame:
        """One row, with the keys of ``to_dict`` as columns: ``pandas.concat`` of several is a table of counts.

        Returns
        -------
        pandas.DataFrame
            Lists as tuples, the evidence as two columns.

        Raises
        ------
        ImportError
            Without pandas (the extra ``frame``).

        Examples
        --------
        >>> import clexact
        >>> frame = certify(clexact.models.product(3)).to_frame()
        >>> frame[["model", "lower", "upper"]].values.tolist()
        [['gradient flow of product 3', 2, 2]]
        """
        pandas = needed("pandas", "frame", "to_frame needs")
        data = self.to_dict()
        data |= {f"evidence_{side}": said for side, said in data.pop("evidence").items()}
        data["blocks"] = str(self.blocks)
        return pandas.DataFrame([{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}])

    def save(self, path: str | Path) -> None:
        """Write the certificate: ``count.certificate.save(path)``.

        Parameters
        ----------
        path : str or Path
            The file; it is compressed if its name ends in .gz.

        Raises
        ------
        OSError
            If it cannot be written.
        ValueError
            Where there is no certificate.

        Examples
        --------
        >>> import clexact, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     certify(clexact.models.product(2)).save(path := f"{folder}/product.json")
        ...     print(clexact.verify(path).status.name)
        VERIFIED
        """
        self.certificate.save(path)

    def to_json(self, laws: bool = False, polynomials: bool = False) -> str:
        """The data of ``to_dict`` as one JSON object.

        Parameters
        ----------
        laws : bool
            Whether ``laws`` is among the keys, the laws as strings: families in one line each.
        polynomials : bool
            Whether ``polynomials`` is among them, ``laws.polynomials()`` as strings.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> json.loads(certify(clexact.gradient_flow(clexact.models.product(2))).to_json())["exact"]
        True
        """
        return json.dumps(self.to_dict(laws, polynomials))


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
        return self.flow.dimension - len(self.shown.laws)

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
        upper = flow.dimension - closure.rank
        lower = exhibited if closure.status is ClosureStatus.OPEN else upper
        known = flow.start.error if flow.start is not None and lower else Fraction(0)
        evidence = _evidence(flow, self.shown, lower, upper, closure, self.degree, known)
        if self.interrupted and not exhibited and not closure.rank:
            evidence = Evidence(*(f"interrupted during {self.stage!r}: no {what} yet" for what in ("law", "bracket")))
        return LawCount(
            dimension=flow.dimension,
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
        f"so at most {flow.dimension} - {rank} = {upper}{flow.qualification}"
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
        f"{kind}: {why}, so there are {flow.dimension} - {rank} = {upper} independent laws{flow.qualification} "
        f"(Frobenius), {exhibited} of them polynomials of degree at most {degree}"
    )
    return Evidence(below, above)
