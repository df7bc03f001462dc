r"""Whether strict linear inequalities have a solution, exactly: a point inside, or multipliers that show there is none.

Rows are $(a_j, b_j)$, of n + 1 numbers, and stand for $\langle a_j, x\rangle + b_j > 0$. Either there is such an x, or
(Farkas, Gordan) there are $y \ge 0$, not all zero, with $\sum_j y_j a_j = 0$ and $\sum_j y_j b_j \le 0$. Both come from
one linear program, $\max t$ with $\langle a_j, x\rangle + b_j \ge t$ and $t \le 1$, of which the dual is solved:
$\min \langle b, y\rangle + s$ with $\sum_j y_j a_j = 0$, $\sum_j y_j + s = 1$ and $y, s \ge 0$. It begins at s = 1. At
a vertex with y != 0, s is 0 and the $(a_j, 1)$ of the support are independent: these $a_j$ have one relation only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

BITS = (0, 2, 4, 8, 16, 32)  # of the denominators tried for a solution, before it is left as it is

Number = int | Fraction
Row = Sequence[Number]


@dataclass(frozen=True)
class Inside:
    """A solution x = ``numerators`` / ``denominator``, the denominator positive."""

    numerators: tuple[int, ...]
    denominator: int

    @property
    def point(self) -> tuple[Fraction, ...]:
        """x."""
        return tuple(Fraction(c, self.denominator) for c in self.numerators)

    def rounded(self, rows: Sequence[Sequence[int]]) -> list[Number]:
        """A solution close by, of small denominators, that of these integer rows too; itself if none is found."""
        for bits in BITS:
            numerators = (round(Fraction(c << bits, self.denominator)) for c in self.numerators)
            near = Inside(tuple(numerators), 1 << bits)
            if all(dot(row, near) > 0 for row in rows):
                return near._numbers()
        return self._numbers()

    def _numbers(self) -> list[Number]:
        """Integers where they are."""
        return [c.numerator if c.denominator == 1 else c for c in self.point]


@dataclass(frozen=True)
class Empty:
    r"""Multipliers $y_j > 0$ by the row j, with $\sum y_j a_j = 0$ and $\sum y_j b_j = -$ ``excess`` $\le 0$.

    No relation of fewer of these rows has $\sum y_j a_j = 0$. With the row (0, 1), whose multiplier is ``excess``, the
    multipliers are the only relation of all these rows, up to a factor.
    """

    multipliers: dict[int, Number]
    excess: Number


def strictly_feasible(rows: Sequence[Row], unknowns: int) -> Inside | Empty:
    """A point at which all rows are positive, well inside, or multipliers that show there is none: checked exactly."""
    whole = [primitive_row(row) for row in rows]
    chosen = _coordinates(whole, unknowns) if unknowns > len(rows) else range(unknowns)
    kept = whole if len(chosen) == unknowns else [[*(row[c] for c in chosen), row[-1]] for row in whole]
    tableau = _Tableau(kept, len(chosen))
    tableau.minimise()
    if tableau.value > 0:
        found = dict(zip(chosen, tableau.dual(), strict=True))
        inside = Inside(tuple(found.get(c, 0) for c in range(unknowns)), tableau.denominator)
        _check_inside(whole, inside)
        return inside
    empty = _empty(rows, whole, tableau.primal())
    _check_empty(rows, unknowns, empty)
    return empty


def primitive_row(row: Row) -> list[int]:
    """The positive multiple of a row that has coprime integers."""
    common = lcm(*(c.denominator for c in row))
    whole = [c.numerator * (common // c.denominator) for c in row]
    divisor = gcd(*whole)
    return [c // divisor for c in whole] if divisor > 1 else whole


def dot(row: Sequence[int], point: Inside) -> int:
    """The value of an integer row at a point, times its denominator."""
    return sum(map(int.__mul__, row, point.numerators)) + row[-1] * point.denominator


def _empty(rows: Sequence[Row], whole: list[list[int]], multipliers: dict[int, int]) -> Empty:
    """Multipliers of the rows as given, from those of their primitive multiples."""
    scaled: dict[int, Number] = {}
    for j, y in multipliers.items():
        here = next((c for c, entry in enumerate(whole[j]) if entry), -1)  # any column, if the row is zero
        scaled[j] = y if rows[j][here] == whole[j][here] else y * Fraction(whole[j][here]) / rows[j][here]
    return Empty(scaled, -sum(y * rows[j][-1] for j, y in scaled.items()))


def _check_inside(whole: list[list[int]], inside: Inside) -> None:
    if inside.denominator <= 0 or any(dot(row, inside) <= 0 for row in whole):
        raise ArithmeticError("a point of the linear program is not inside; this is a fault of clexact.")


def _check_empty(rows: Sequence[Row], unknowns: int, empty: Empty) -> None:
    y = empty.multipliers
    sums = [sum(m * rows[j][c] for j, m in y.items()) for c in range(unknowns)]
    if not y or min(y.values()) <= 0 or any(sums) or empty.excess < 0:
        raise ArithmeticError("multipliers of the linear program are no relation; this is a fault of clexact.")


def _coordinates(rows: list[list[int]], unknowns: int) -> list[int]:
    """Unknowns that can take on all values that all of them can give to the rows: the others may stay zero."""
    left, chosen = [row[:unknowns] for row in rows], list[int]()
    while left:
        row = left.pop()
        pivot = next((c for c, value in enumerate(row) if value), None)
        if pivot is not None:
            chosen.append(pivot)
            left = [primitive_row(_eliminated(other, row, pivot)) if other[pivot] else other for other in left]
    return sorted(chosen)


def _eliminated(row: list[int], by: list[int], pivot: int) -> list[int]:
    a, b = by[pivot], row[pivot]
    return [a * x - b * y for x, y in zip(row, by, strict=True)]


class _Tableau:
    """The dual program as integers over one positive denominator (Edmonds): pivots divide without remainder.

    Columns are y, s, an artificial unknown for each coordinate, of which the reduced costs are x, and the right-hand
    side; rows are the coordinates, the sum, and last the reduced costs.
    """

    def __init__(self, rows: list[list[int]], unknowns: int) -> None:
        m = self.columns = len(rows)
        self.artificial = m + 1
        self.rows = [
            [*(row[i] for row in rows), 0, *(int(k == i) for k in range(unknowns)), 0] for i in range(unknowns)
        ]
        self.rows.append([*[1] * (m + 1), *[0] * unknowns, 1])
        self.rows.append([*(row[-1] - 1 for row in rows), *[0] * (unknowns + 1), -1])
        self.basis = [*range(self.artificial, self.artificial + unknowns), m]
        self.denominator = 1

    @property
    def value(self) -> int:
        """What is minimised, times the denominator."""
        return -self.rows[-1][-1]

    def dual(self) -> list[int]:
        """x, times the denominator."""
        return self.rows[-1][self.artificial : -1]

    def primal(self) -> dict[int, int]:
        """The y that are not zero, times the denominator."""
        return {j: row[-1] for j, row in zip(self.basis, self.rows, strict=False) if j < self.columns and row[-1]}

    def minimise(self) -> None:
        """Pivot until the minimum is reached, or is sure to be negative. The most negative reduced cost enters."""
        for i in range(len(self.basis) - 1):  # coordinates are free: any y may take the place, at zero, of their own
            entering = next((j for j in range(self.columns) if self.rows[i][j]), None)
            if entering is not None:  # else the coordinate depends on the others
                self._pivot(i, entering)
        self.first = list(self.basis)
        while self.value >= 0:
            costs = self.rows[-1][: self.artificial]
            least = min(costs)
            if least >= 0:
                return
            entering = costs.index(least)
            self._pivot(self._leaving(entering), entering)

    def _leaving(self, entering: int) -> int:
        """The row of the least ratio: of several, the lexicographically least in the columns of the first basis.

        So no basis comes twice, as if the right-hand side were perturbed (Dantzig, Orden and Wolfe 1955). The sum of
        all unknowns is bounded, so there is one.
        """
        left = [i for i, row in enumerate(self.rows[:-1]) if row[entering] > 0]
        for column in (-1, *self.first):
            if len(left) == 1:
                break
            best = [left[0]]
            for i in left[1:]:
                here, there = self.rows[i], self.rows[best[0]]
                order = here[column] * there[entering] - there[column] * here[entering]
                best = [*best, i] if order == 0 else [i] if order < 0 else best
            left = best
        return left[0]

    def _pivot(self, i: int, j: int) -> None:
        chosen, old = self.rows[i], self.denominator
        if chosen[j] < 0:  # only at a right-hand side of zero
            chosen = self.rows[i] = [-c for c in chosen]
        pivot = chosen[j]
        for k, row in enumerate(self.rows):
            if k != i:
                factor = row[j]
                if factor:
                    self.rows[k] = [(pivot * x - factor * y) // old for x, y in zip(row, chosen, strict=True)]
                elif pivot != old:
                    self.rows[k] = [pivot * x // old for x in row]
        self.basis[i], self.denominator = j, pivot
