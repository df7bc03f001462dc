"""``Selection``: which sizes of a grid are taken, such as ``r <= n + m and n != m``, read by the package's own parser.

condition  = conjunction ('or' conjunction)*
conjunction = comparison ('and' comparison)*
comparison = sum (relation sum)+          # relation: <= >= == != < > =
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod

from clexact.algebra.bounded import Sparse
from clexact.algebra.parse import Place, parse_polynomial

RELATIONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
    "=": operator.eq,
}  # fmt: skip
RELATION = re.compile("|".join(RELATIONS))
LARGEST_POWER = 16  # of a size


@dataclass(frozen=True)
class Selection:
    """``alternatives``: lists of comparisons of polynomials in the names, of which one list must hold."""

    names: tuple[str, ...]
    alternatives: tuple[tuple[tuple[Sparse, str, Sparse], ...], ...]

    @classmethod
    def read(cls, text: str, names: Sequence[str]) -> Selection:
        """ValueError naming the column of what cannot be read."""
        found = [
            tuple(comparison for start, part in _split(r"\band\b", option, first)
                  for comparison in _comparisons(part, tuple(names), Place(1, start)))
            for first, option in _split(r"\bor\b", text, 0)
        ]  # fmt: skip
        return cls(tuple(names), tuple(found))

    def holds(self, at: Mapping[str, int]) -> bool:
        """Whether it holds at these sizes."""
        values = [at[name] for name in self.names]
        return any(
            all(RELATIONS[relation](_value(left, values), _value(right, values)) for left, relation, right in listed)
            for listed in self.alternatives
        )


def _split(pattern: str, text: str, first: int) -> Iterator[tuple[int, str]]:
    """The pieces between the matches, each with the place where it begins."""
    start = 0
    for match in re.finditer(pattern, text):
        yield first + start, text[start : match.start()]
        start = match.end()
    yield first + start, text[start:]


def _comparisons(text: str, names: tuple[str, ...], place: Place) -> Iterator[tuple[Sparse, str, Sparse]]:
    """Of a chain a < b <= c: a < b, b <= c."""
    signs = RELATION.findall(text)
    if not signs:
        raise place._replace(text=text).error(0, f"expected a comparison such as r <= n + m, not {text.strip()!r}.")
    sides = [_side(part, names, place._replace(offset=at)) for at, part in _split(RELATION.pattern, text, place.offset)]
    for (left, right), sign in zip(pairwise(sides), signs, strict=True):
        yield left, sign, right


def _side(text: str, names: tuple[str, ...], place: Place) -> Sparse:
    found = parse_polynomial(text, names, place)
    if any(power > LARGEST_POWER for monomial in found for _, power in monomial):
        raise place._replace(text=text).error(0, f"powers of sizes may be at most {LARGEST_POWER} in {text.strip()!r}.")
    return found


def _value(polynomial: Sparse, values: Sequence[int]) -> Fraction:
    return sum((c * prod(values[v] ** k for v, k in monomial) for monomial, c in polynomial.items()), Fraction(0))
