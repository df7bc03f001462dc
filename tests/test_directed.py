"""Directions that rows and laws leave out, and brackets along them, against dense elimination and single brackets."""

from __future__ import annotations

import numpy as np
import pytest

from clexact._kernels.sparse import SparseForm
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.lie.directed import brackets_along, missing_direction
from clexact.programs.sparse_jets import Part, compressed

PRIME, COLUMNS = 2097143, 12


def part(dense: Words) -> Part:
    row, place = np.nonzero(dense)
    return Part((dense.shape[1],), row, place, dense[row, place])


def sparse(seed: int, rows: int, columns: int = COLUMNS) -> Words:
    draws = Draws(seed)
    kept = draws.residues((rows, columns), 3) == 0
    return np.where(kept, draws.residues((rows, columns), PRIME), np.uint64(0))


def form_of(dense: Words) -> SparseForm:
    form = SparseForm(dense.shape[1], PRIME)
    form.add(*compressed(part(dense), len(dense)), 10**6)
    return form


def dot(a: Words, b: Words) -> int:
    return sum(int(x) * int(y) for x, y in zip(a, b, strict=True)) % PRIME


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("known", [0, 3])
def test_a_missing_direction_is_orthogonal_to_the_rows_and_no_combination_of_laws(seed: int, known: int) -> None:
    rows = sparse(seed, 5)
    orthogonal = linalg.flint_rank(rows.tolist(), PRIME)
    laws = np.zeros((known, COLUMNS), dtype=np.uint64)
    for k in range(known):  # combinations of what is orthogonal to the rows
        laws[k] = form_of(rows).annihilator(Draws(100 + k).residues((COLUMNS,), PRIME))
    missing = COLUMNS - orthogonal - known
    for most in (1, 2, COLUMNS):
        vector, count = missing_direction(form_of(rows), part(laws), PRIME, Draws(seed), most)
        assert count == min(most, missing)
        assert not any(dot(row, vector) for row in rows)
        assert linalg.flint_rank([*laws.tolist(), vector.tolist()], PRIME) == known + 1


def test_nothing_is_missing_where_laws_account_for_all_that_rows_leave() -> None:
    rows = sparse(1, 5)
    free = COLUMNS - linalg.flint_rank(rows.tolist(), PRIME)
    laws = np.array([form_of(rows).annihilator(Draws(k).residues((COLUMNS,), PRIME)) for k in range(free)])
    vector, count = missing_direction(form_of(rows), part(laws), PRIME, Draws(0), 3)
    assert count == 0 and not vector.any()


@pytest.mark.parametrize("columns", [1, 12, 1200])
def test_brackets_along_a_direction_are_differences_of_products(columns: int) -> None:
    rows = 9
    values, derivatives = sparse(2, rows, columns), sparse(3, rows, columns)
    i, j = brackets_along(part(values), part(derivatives), rows, PRIME)
    pairs = [(a, b) for a in range(rows) for b in range(a + 1, rows)]
    expected = [(a, b) for a, b in pairs if dot(derivatives[a], values[b]) != dot(derivatives[b], values[a])]
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
