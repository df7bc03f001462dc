"""Ranks modulo a prime: sparse elimination, or solutions of challenges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import MAX_CELLS, MAX_ELIMINATION
from clexact.proofs.verifier.large.outcome import Allowance, TooMuch, truth

if TYPE_CHECKING:
    from clexact.proofs.verifier.large.limits import Part


def core(rows: list[Part], allowance: Allowance) -> list[Part]:
    """What is left of the rows when each that has a column for itself, or one entry only, has left with that column.

    The rows are independent if and only if those left are. ``Untrue`` if one becomes zero.
    """
    allowance.spend(2 * sum(map(len, rows)))
    holders: dict[int, list[int]] = {}
    for r, row in enumerate(rows):
        for c in row:
            holders.setdefault(c, []).append(r)
    width, height = [len(row) for row in rows], {c: len(found) for c, found in holders.items()}
    gone_rows, gone = set[int](), set[int]()
    queue = [(r, -1) for r, n in enumerate(width) if n <= 1] + [(-1, c) for c, n in height.items() if n == 1]
    while queue:
        r, c = queue.pop()
        if r in gone_rows or c in gone or (r < 0 and height[c] != 1):
            continue
        truth(r < 0 or width[r], "they are not independent: one is zero, or becomes zero")
        r = r if r >= 0 else next(q for q in holders[c] if q not in gone_rows)
        c = c if c >= 0 else next(d for d in rows[r] if d not in gone)
        gone_rows.add(r)
        gone.add(c)
        for d in rows[r]:
            height[d] -= 1
            if height[d] == 1 and d not in gone:
                queue.append((-1, d))
        for q in holders[c]:
            width[q] -= 1
            if width[q] <= 1 and q not in gone_rows:
                queue.append((q, -1))
    return [{c: x for c, x in row.items() if c not in gone} for r, row in enumerate(rows) if r not in gone_rows]


def components(rows: list[Part]) -> list[list[Part]]:
    """Sets of rows that share no column with others."""
    parent: dict[int, int] = {}

    def find(c: int) -> int:
        while parent.setdefault(c, c) != c:
            parent[c] = c = parent[parent[c]]
        return c

    for row in rows:
        first = find(next(iter(row)))
        for c in row:
            parent[find(c)] = first
            first = find(first)
    out: dict[int, list[Part]] = {}
    for row in rows:
        out.setdefault(find(next(iter(row))), []).append(row)
    return list(out.values())


def eliminated(rows: list[Part], p: int, allowance: Allowance) -> int:
    """Rank mod p by sparse elimination, short rows first, pivots in columns of few entries."""
    height: dict[int, int] = {}
    for row in rows:
        for c in row:
            height[c] = height.get(c, 0) + 1
    pivots: list[tuple[int, Part]] = []  # (column, row with 1 there)
    for given in sorted(rows, key=len):
        row = dict(given)
        allowance.spend(len(pivots) + len(row))
        for column, pivot in pivots:
            if c := row.get(column, 0):
                allowance.spend(len(pivot))
                for j, y in pivot.items():
                    row[j] = (row.get(j, 0) - c * y) % p
        row = {j: x for j, x in row.items() if x}
        if row:
            lead = min(row, key=lambda j: height[j])
            c = pow(row[lead], -1, p)
            pivots.append((lead, {j: x * c % p for j, x in row.items()}))
    return len(pivots)


def dense(rows: list[Part]) -> list[list[int]]:
    """The rows without columns of zeros."""
    places = {c: n for n, c in enumerate(sorted({c for row in rows for c in row}))}
    if len(rows) * len(places) > MAX_CELLS:
        raise TooMuch("a matrix is too large for this verifier")
    out = [[0] * len(places) for _ in rows]
    for filled, row in zip(out, rows, strict=True):
        for c, x in row.items():
            filled[places[c]] = x
    return out


def check_full_rank(rows: list[Part], p: int, rank: Any, hopeful: bool = True) -> None:
    """``Untrue`` unless rows that ``core`` left are independent; ``TooMuch`` where that takes too much work.

    Elimination is not begun, unless ``hopeful``, where it would be too much for dense rows.
    """
    allowance = Allowance(MAX_ELIMINATION)
    columns = len({c for row in rows for c in row})
    if not (hopeful or rank) and len(rows) ** 2 * columns > 2 * MAX_ELIMINATION:
        raise TooMuch("the elimination takes more work than this verifier does")
    for block in components(rows):
        columns = len({c for row in block for c in row})
        found = (
            len(block) if len(block) > columns else rank(dense(block), p) if rank else eliminated(block, p, allowance)
        )
        truth(len(block) <= columns and found == len(block), "they are not independent")
