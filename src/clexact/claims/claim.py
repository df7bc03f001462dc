"""``Claim``: what a source states, as data, and how it is checked at one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from clexact.claims.all_sizes import AllSizes
from clexact.claims.grid import Grid, Size
from clexact.counting.count import LawCount


@dataclass(frozen=True)
class Check:
    """What is certified at one size, beside what is stated there."""

    holds: bool | None  # None: the certified bounds leave it open
    stated: str
    found: str
    evidence: str  # what proves it, in words
    dimension: int
    scope: str = ""  # of which data, starts and gates it speaks, where a flow was counted
    count: int | None = None  # the certified number of independent laws, where it is known exactly
    laws: tuple[str, ...] = ()  # some of the laws found, as LaTeX
    more: str = ""  # what is known of laws that are no polynomials of the degree searched
    proof: LawCount | None = field(default=None, compare=False, repr=False)  # what its certificate is made of

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError("a check needs its evidence, in words.")

    def without_proof(self) -> Check:
        """The same, of plain data only."""
        return replace(self, proof=None)


@dataclass(frozen=True)
class Statement:
    """A statement in words, in LaTeX, and how it is checked at one size with a seed; for all sizes, where it can be."""

    words: str
    latex: str
    check: Callable[[Size, int], Check]
    all_sizes: AllSizes | None = None


@dataclass(frozen=True)
class Claim:
    """What a source states.

    ``meant`` is a nearby statement: if it is certified on all of the grid where the one written is refuted, that was a
    misprint. ``instead`` is what is true on all of the grid where the statement, rightly printed, fails at some sizes.
    """

    id: str
    title: str
    source: str  # paper with proposition, slide
    statement: Statement  # as the source writes it
    grid: Grid
    meant: Statement | None = None
    instead: Statement | None = None
    note: str = ""  # what a reader should know: assumptions, what is left out
    pictures: tuple[str, ...] = ()  # names of the pictures that show it
    fitted: bool = True  # whether a formula of the counts is looked for, which takes long where there are many names
