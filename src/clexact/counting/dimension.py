r"""The functional dimension: how many directions at a generic point of parameter space change the network's function.

$\dim W_0$, the rank of $\theta \mapsto g(\cdot\,; \theta)$ at a generic point (arXiv 2209.04036). From below by
gradients of outputs at drawn inputs; from above by directions that change nothing: along the gradient of every law of
the gradient flow, since $\langle\nabla h, \nabla_\theta\langle C, g\rangle\rangle = 0$, and along the rotations of the
axes on which matrices act, which no law of it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from clexact.algebra.echelon import Echelon
from clexact.counting.memory import MemoryLimitError, dense_bytes, over_limit
from clexact.counting.starts import Start, parameters_at
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.flows.gradient import GradientFlow
from clexact.flows.near import near_start
from clexact.laws.families import Gradients, gradients, turnings
from clexact.laws.polynomial_laws import polynomial_laws
from clexact.laws.result import sparse_gradients
from clexact.lie.closure import DenseSpanBuilder, spanned
from clexact.programs.sparse_jets import Part, collected
from clexact.support.bounds import check_bounds, in_words
from clexact.support.display import counted, facts, lines
from clexact.support.errors import RANK_BITS, error_bits
from clexact.support.limits import limits
from clexact.support.progress import Progress, heard
from clexact.symmetry.families import Family

CHUNK = 1024  # directions made dense at a time
MOVES = {
    "gram": "any invertible matrix on the rows behind",
    "diagonal": "a rescaling of each row behind",
    "scale": "the length of each row behind",
    "total": "what is the same for all rows behind",
    "translation": "a shift of what is summed in",
    "rotation": "any orthogonal matrix on the rows of",
}


@dataclass(frozen=True)
class Redundancy:
    """Directions of parameter space, of one group, that change nothing of the function.

    Attributes
    ----------
    family : Family
        The law of the gradient flow that belongs to the group; of orthogonal matrices, the Gram matrix that they turn.
    count : int
        How many directions they are, each a vector field.
    orthogonal : bool
        Whether only orthogonal matrices act.

    Examples
    --------
    >>> import clexact
    >>> for one in dimension(clexact.models.linear(1, 2, 1)).redundancies:
    ...     print(one)
    4: any invertible matrix on the rows behind U1ᵀU1 − U2U2ᵀ
    """

    family: Family
    count: int
    orthogonal: bool = False

    def __str__(self) -> str:
        return f"{self.count}: {MOVES['rotation' if self.orthogonal else self.family.kind]} {self.family.pretty}"


@dataclass(frozen=True, eq=False)
class FunctionalDimension:
    """Bounds of the functional dimension of a model near a generic point: lower <= dim W_0 <= upper.

    Attributes
    ----------
    parameters : int
        D, of the parameter space.
    lower : int
        The rank of gradients of outputs mod a prime at a point: proved.
    upper : int
        D minus the rank of the redundant directions found, at that point: proved. Or ``lower`` again, with ``error``:
        at random points more gradients have no larger rank.
    redundancies : tuple of Redundancy
        The groups that change nothing; their directions may depend on each other.
    unnamed : int
        Further redundant directions, along the gradients of quadratic laws of no group found.
    named : int
        The rank of all redundant directions found.
    error : Fraction
        The chance, at most, with which ``upper`` might not hold: where the rank alone shows it, and, near a start, that
        other gates are met there than those taken. 0 where it is proved.
    prime : int
        Modulo which the ranks were computed.
    seed : int
        Of all random choices.
    description : str
        The flow in words.
    scope : str
        Of which data, starts and gates the dimension is.

    Examples
    --------
    >>> import clexact
    >>> found = dimension(clexact.models.linear(4, 3, 5))
    >>> found.lower, found.upper, found.redundant
    (18, 18, 9)
    """

    parameters: int
    lower: int
    upper: int
    redundancies: tuple[Redundancy, ...]
    unnamed: int
    named: int
    error: Fraction
    prime: int
    seed: int
    description: str
    scope: str

    def __post_init__(self) -> None:
        check_bounds(self.lower, self.upper, f"the functional dimension of {self.description}")

    @property
    def exact(self) -> bool:
        """Whether the bounds meet."""
        return self.lower == self.upper

    @property
    def redundant(self) -> int:
        """Independent directions that change nothing, at least."""
        return self.parameters - self.upper

    def __int__(self) -> int:
        """The dimension; ValueError where the bounds do not meet."""
        if not self.exact:
            raise ValueError(f"the dimension is not known: {self}.")
        return self.lower

    def __str__(self) -> str:
        known = f", with error <= 2^-{error_bits(self.error)}" if self.error else ""
        found = f"functional dimension {in_words(self.lower, self.upper)} of {self.parameters}{known}"
        return f"{found} ({counted(self.redundant, 'redundant direction')})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        named = lines(self.groups) if self.groups else None
        return facts(str(self), {"flow": self.description, "scope": self.scope, "redundant": named})

    @property
    def groups(self) -> tuple[str, ...]:
        """The redundant directions, in words: group by group."""
        further = f"{self.unnamed}: along gradients of quadratic laws of no group" if self.unnamed else ""
        left = self.redundant - self.named
        more = f"{left}: along no direction that was found" if left > 0 else ""
        return (*map(str, self.redundancies), *(said for said in (further, more) if said))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the keys of ``clexact dimension --json``.

        Returns
        -------
        dict
            Of types of JSON.

        Examples
        --------
        >>> import clexact
        >>> data = dimension(clexact.models.product(3)).to_dict()
        >>> data["lower"], data["upper"], data["redundancies"][0]["count"]
        (1, 1, 2)
        """
        return {
            "model": self.description,
            "scope": self.scope,
            "parameters": self.parameters,
            "lower": self.lower,
            "upper": self.upper,
            "exact": self.exact,
            "redundant": self.redundant,
            "redundancies": [
                {"law": one.family.plain, "count": one.count, "orthogonal": one.orthogonal} for one in self.redundancies
            ],
            "unnamed": self.unnamed,
            "named": self.named,
            "error": f"2^-{error_bits(self.error)}" if self.error else "0",
            "prime": self.prime,
            "seed": self.seed,
        }

    def to_json(self) -> str:
        """The data of ``to_dict`` as one JSON object.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import clexact
        >>> json.loads(dimension(clexact.models.product(2)).to_json())["exact"]
        True
        """
        return json.dumps(self.to_dict())


def dimension(
    flow: Given,
    *,
    near: Start | None = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
) -> FunctionalDimension:
    r"""The functional dimension of a model, with proof: D minus the directions that change nothing.

    $\dim W_0(\theta)$ with $W_0 = \mathrm{span}\{\nabla_\theta\langle C, g(\theta, x)\rangle\}$ at a generic point: the
    rank of $\theta \mapsto g(\cdot\,; \theta)$, for ReLU networks the functional dimension of arXiv 2209.04036. Of the
    output, only what the loss sees counts.

    Parameters
    ----------
    flow : GradientFlow, Model or MomentumFlow
        A model, for its gradient flow with the squared loss; or a flow, for the gradients it is made of.
    near : str, sequence of int or Fraction, or mapping of str to array, optional
        A start, as in ``certify``: the gates are then as they are near it, not free.
    seed : int
        Of all random choices, at least 0.
    progress : bool or callable, optional
        As in ``certify``.
    time_limit : float, optional
        In seconds, after which the bounds so far are returned; in the main thread only.
    memory_limit : int, optional
        In MiB; default: what the machine has.

    Returns
    -------
    FunctionalDimension
        Both bounds, and the redundant directions by group.

    Raises
    ------
    TypeError
        For no flow, for a start of floats.
    ValueError
        For explicit fields, which are of no function, for seed < 0, for a start of a wrong shape, and for limits that
        are not positive.
    TieError
        For a start on a kink.
    MemoryLimitError
        Before the start, for a model whose ranks may take more memory.
    TimeoutError
        If the time limit is reached before any bound is known.

    Examples
    --------
    >>> import clexact
    >>> dimension(clexact.models.linear(4, 3, 5))
    functional dimension exactly 18 of 27 (9 redundant directions)
    >>> dimension(clexact.models.relu([1, 2, 1]), near=[1, 2, 3, 4])  # both units are on together
    functional dimension exactly 1 of 4 (3 redundant directions)
    """
    search: _Search | None = None
    try:
        with heard(progress) as shown, limits(time_limit) as limited:
            made = _of_model(as_flow(flow), near, seed)
            if excess := over_limit(dense_bytes(made), made.description, memory_limit):
                raise MemoryLimitError(f"{excess}: not started.")
            search = _Search(made, seed, shown)
            search.run()
    except KeyboardInterrupt:
        if not limited.limit:
            raise
        if search is None:
            raise TimeoutError(f"{limited.reached} before any bound was known.") from None
    return search.result()


def _of_model(flow: Flow, near: Start | None, seed: int) -> GradientFlow:
    """The gradients that a flow is made of, near a start if one is given."""
    made: Flow | None = flow.gradients
    if made is None:
        raise ValueError("a functional dimension is one of a model, and explicit fields are of no function.")
    if near is not None:
        made = near_start(made, parameters_at(made, near, seed), seed=seed)
    assert isinstance(made, GradientFlow)
    return made


class _Search:
    """The bounds so far, at one point modulo a prime."""

    def __init__(self, flow: GradientFlow, seed: int, progress: Progress | None) -> None:
        self.flow, self.seed, self.draws, self.progress = flow, seed, flow.draws(seed), progress
        self.prime = flow.draw_prime(self.draws, RANK_BITS)
        self.growth = DenseSpanBuilder(flow, flow.draw_point(self.draws, self.prime), self.prime)
        self.idle = Echelon(flow.dimension, self.prime)  # of what changes nothing
        self.unnamed = 0
        self.error: Fraction | None = None  # with which the rank is that of W_0, where it is shown by chance

    def run(self) -> None:
        """What changes nothing, then what does, and one gradient more, which a wrong symmetry would not bear."""
        place = self.growth.point % np.uint64(self.prime)
        for family in self.flow.families:
            self._add(gradients(family, place, self.prime), family.size)
        for family in self.flow.matrices(moving=False):
            self._add(turnings(family, place, self.prime), _planes(family))
        self._draw(self.upper)
        if self.growth.form.rank < self.upper and self.flow.whole:  # else laws may be of some members only
            laws = polynomial_laws(self.flow, 2, seed=self.seed)
            part = sparse_gradients(laws, place, self.prime)
            named = self.idle.rank
            self._add([(part.rows, part.place, part.value)], len(laws))
            self.unnamed = self.idle.rank - named
        self._draw(min(self.upper + 1, self.flow.dimension))
        if self.growth.form.rank < self.upper:
            self.error = spanned(self.flow, self.growth.form.rank, self.draws, self.progress)

    def _draw(self, limit: int) -> None:
        self.growth.draw_level(self.flow, 0, limit, self.draws, self.progress)

    def _add(self, found: Iterable[Gradients], count: int) -> None:
        """Directions, given by what is not zero of each."""
        numbers, places, values = (np.concatenate(column) for column in zip(*found, strict=True))
        part = collected(Part((self.flow.dimension,), numbers, places, values), self.prime)
        for first in range(0, count, CHUNK):
            chosen = (first <= part.rows) & (part.rows < first + CHUNK)
            dense = np.zeros((min(CHUNK, count - first), self.flow.dimension), dtype=np.uint64)
            dense[part.rows[chosen] - first, part.place[chosen]] = part.value[chosen]
            self.idle.add(dense)

    @property
    def upper(self) -> int:
        """D minus the rank of what changes nothing."""
        return self.flow.dimension - self.idle.rank

    def result(self) -> FunctionalDimension:
        """The bounds as they stand."""
        flow, start, rank = self.flow, self.flow.start, self.growth.form.rank
        met = start.error if start is not None and self.idle.rank else Fraction(0)
        return FunctionalDimension(
            parameters=flow.dimension,
            lower=rank,
            upper=self.upper if self.error is None else rank,
            redundancies=tuple(_redundancies(flow)),
            unnamed=self.unnamed,
            named=self.idle.rank,
            error=met if self.error is None else met + self.error,
            prime=self.prime,
            seed=self.seed,
            description=flow.description,
            scope=flow.scope,
        )


def _planes(family: Family) -> int:
    """Of the rows of its matrices."""
    return family.groups * family.rows * (family.rows - 1) // 2


def _redundancies(flow: GradientFlow) -> Iterator[Redundancy]:
    """Of each law, and of matrices that act: any, where a law has all of its Gram matrix, else orthogonal ones."""
    acting = {family.terms for family in flow.matrices(moving=False)}
    for family in flow.families:
        yield Redundancy(family, family.size + (_planes(family) if family.terms in acting else 0))
    lawful = {family.terms for family in flow.families if family.kind == "gram"}
    for family in flow.matrices(moving=False):
        if family.terms not in lawful and family.rows > 1:
            yield Redundancy(family, _planes(family), orthogonal=True)
