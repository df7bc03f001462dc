"""Repeated blocks of a network in one line: laws whose names are alike but for numbers that go up together."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Generic, TypeVar

from clexact.symmetry.families import Family

LEAST = 3  # laws that are worth a line of their own
NUMBER = re.compile(r"\d+")

Law = TypeVar("Law", bound=Family)


@dataclass(frozen=True)
class Fold(Generic[Law]):
    """Laws that are one law for consecutive numbers k in their names, or a single law.

    Attributes
    ----------
    first : int
        The number of the first one in the sequence.
    members : tuple of Family
        The laws.
    shown : Family
        The law with what stands for all numbers: a range, as in h.0..11.weight, or k, as in U_k.
    suffix : str
        Which values k takes, where it stands for numbers.
    """

    first: int
    members: tuple[Law, ...]
    shown: Law
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.shown}{self.suffix}"

    @property
    def plain(self) -> str:
        """The same in ASCII."""
        return f"{self.shown.plain}{self.suffix}"

    @property
    def many(self) -> int:
        """How many laws it stands for."""
        return len(self.members)


def folded(laws: Sequence[Law], more: Callable[[Law], Hashable] = lambda law: None) -> list[Fold[Law]]:
    """The laws in order of their first ones, at least three in a row in one; ``more`` is what must be alike too."""
    runs: list[list[int]] = []
    last: dict[Hashable, int] = {}  # the run that a law may continue
    for n, law in enumerate(laws):
        key = (_form(law), more(law))
        run = last.get(key)
        if run is None or not _continues([laws[m] for m in runs[run]], law):
            run = last[key] = len(runs)
            runs.append([])
        runs[run].append(n)
    groups = [run for run in runs if len(run) >= LEAST] + [[n] for run in runs if len(run) < LEAST for n in run]
    return [_fold(group[0], [laws[n] for n in group]) for group in sorted(groups)]


def _names(law: Family) -> list[str]:
    """All that numbers stand in: of a law that has a name, that too."""
    return [getattr(law, "name", ""), *(name for term in law.terms for name in (term.parameter, term.velocity))]


def _form(law: Family) -> Hashable:
    """What a law is but for the numbers in its names."""
    terms = tuple((t.coefficient, t.view, t.whole, t.power, t.linear) for t in law.terms)
    return law.kind, law.phase, terms, tuple(NUMBER.sub("#", name) for name in _names(law))


def _numbers(law: Family) -> list[int]:
    return [int(text) for name in _names(law) for text in NUMBER.findall(name)]


def _continues(run: Sequence[Family], law: Family) -> bool:
    """Whether the numbers that changed along a run, one at least, go up by one more, and no others."""
    before = [_numbers(other) for other in (*run[-2:], law)]
    steps = [[b - a for a, b in zip(*pair, strict=True)] for pair in pairwise(before)]
    return set(steps[-1]) in ({1}, {0, 1}) and all(step == steps[-1] for step in steps)


def _fold(first: int, members: Sequence[Law]) -> Fold[Law]:
    if len(members) == 1:
        return Fold(first, tuple(members), members[0])
    start, end = _numbers(members[0]), _numbers(members[-1])
    ranges = all("." not in term.parameter for term in members[0].terms)
    moving = [n for n, (a, b) in enumerate(zip(start, end, strict=True)) if a != b]
    k = start[moving[0]]
    texts = {n: _letter(start[n] - k) if ranges else f"{start[n]}..{end[n]}" for n in moving}
    place = iter(range(len(start)))

    def numbered(name: str) -> str:
        """With what stands for the numbers, in the order of ``_names``."""
        return NUMBER.sub(lambda match: _put(match, texts.get(next(place)), ranges), name)

    law = members[0]
    given: dict[str, Any] = {"name": numbered(_names(law)[0])} if hasattr(law, "name") else {}
    terms = tuple(
        replace(term, parameter=numbered(term.parameter), velocity=numbered(term.velocity)) for term in law.terms
    )
    shown = replace(law, terms=terms, **given)
    said = f" for k = {k}, ..., {k + len(members) - 1}" if ranges else f", {len(members)} such laws"
    return Fold(first, tuple(members), shown, said)


def _letter(distance: int) -> str:
    return f"(k{distance:+d})" if distance else "k"


def _put(match: re.Match[str], text: str | None, letter: bool) -> str:
    """What stands for a number; a letter is set off from those before it."""
    if text is None:
        return match[0]
    before = match.string[: match.start()]
    return f"_{text}" if letter and before and before[-1] != "_" else text
