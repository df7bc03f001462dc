"""``LawCount``: bounds of the number of independent conservation laws from both sides, each with its evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clexact.algebra.polynomial import written
from clexact.counting.explanation import explained
from clexact.counting.minimality import minimal_at
from clexact.flows.flow import Flow
from clexact.laws.listing import LawList
from clexact.laws.logarithmic import Law
from clexact.laws.polynomial_laws import check_degree
from clexact.laws.relations import further_than
from clexact.lie.closure import (
    LieClosure,
)
from clexact.support.bounds import check_bounds, in_words
from clexact.support.display import facts, lines
from clexact.support.errors import error_bits
from clexact.support.extras import needed

if TYPE_CHECKING:
    import pandas

    from clexact.proofs.certificate import Certificate

FEW_LAWS = 6  # listed where a count shows itself


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
    >>> evidence = clexact.certify(clexact.gradient_flow(clexact.models.product(3))).evidence
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
    >>> count = clexact.certify(clexact.gradient_flow(clexact.models.linear([2, 2, 2])))
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
            key = tuple(name for name in names if name not in (*self.flow.clocks, *self.flow.parameters))
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
        >>> for sentence in clexact.certify(flow, near=[1, 2, 3, 4]).explanation:
        ...     print(sentence)
        never apart: gate1[0], gate1[1]: linear together
        exactly 3 laws here, exactly 2 with free gates: 1 more
        """
        if self.flow.start is None:
            return ()
        from clexact.counting.certify import certify  # which makes counts, and is above this file

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
        >>> clexact.certify(flow, near=[1, 2, 3, -4]).minimal, clexact.certify(flow, near=[1, 2, 3, 4]).minimal
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
        >>> count = clexact.certify(clexact.VectorFields.from_strings(["x", "y"], [["x", "2*y"]]))
        >>> count.lower, count.exhibited, [str(law) for law in count.further_laws()]
        (1, 0, ['y/x^2'])
        """
        degree = self.degree if degree is None else degree
        check_degree(degree)
        if self.lower == self.exhibited or self.flow.analytic or self.flow.parameters:
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
        noun = "independent conservation law" + "s" * (count != 1) + self.flow.qualification + self._locally
        if self.error:
            return f"exactly {self.lower} {noun}, closed with error <= 2^-{error_bits(self.error)}"
        return f"{in_words(self.lower, self.upper)} {noun}"

    @property
    def _locally(self) -> str:
        """That not all laws counted are shown: one field has them near each generic point, by Frobenius' theorem."""
        fields = self.flow.given_fields
        one = fields is not None and len(fields) == 1 and len(fields.terms) > 0
        return " locally (one field)" if one and self.exhibited < self.lower else ""

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
        >>> data = clexact.certify(clexact.gradient_flow(clexact.models.product(2))).to_dict(laws=True)
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
            data["near"] = {
                "point": [written({(): Fraction(c)}, ()) for c in self.flow.start.point],
                "explanation": list(self.explanation),
            }
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
        >>> print(clexact.certify(clexact.models.linear(2, 2, 3)).to_latex())
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
        >>> frame = clexact.certify(clexact.models.product(3)).to_frame()
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
        ...     clexact.certify(clexact.models.product(2)).save(path := f"{folder}/product.json")
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
        >>> json.loads(clexact.certify(clexact.gradient_flow(clexact.models.product(2))).to_json())["exact"]
        True
        """
        return json.dumps(self.to_dict(laws, polynomials))
