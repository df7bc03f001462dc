r"""Which members raise a rank: those with a part along a direction that neither rows nor laws account for.

Let v be orthogonal to the rows so far, and no combination of the laws' gradients. A member X with $\langle X, v\rangle
\ne 0$ is no combination of the rows. Of gradients it is the derivative of $\langle C, g(\xi)\rangle$ along v, which one
sweep forward gives for all covectors; and since derivatives $X'$ of gradients are symmetric,

.. math:: \langle [X, Y], v\rangle = \langle X' v, Y\rangle - \langle Y' v, X\rangle,

so n gradients and their derivatives along v tell it for all their brackets.
"""

from __future__ import annotations

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints
from clexact.programs.sparse_jets import Part, compressed


def missing_direction(form: SparseForm, laws: Part, prime: int, draws: Draws, most: int) -> tuple[Words, int]:
    """A vector (D,) orthogonal to the rows of a form, no combination of the laws' gradients; its number of directions.

    It is random, of so many of those that are missing, at most: each has few entries where rows and laws have.
    """
    (columns,) = laws.shape
    free = np.setdiff1d(np.arange(columns), form.pivots)
    number = np.full(columns, -1)
    number[free] = np.arange(len(free))
    known, kept = SparseForm(len(free), prime), number[laws.place] >= 0
    part = Part((len(free),), laws.rows[kept], number[laws.place[kept]], laws.value[kept])
    known.add(*compressed(part, int(laws.rows.max(initial=-1)) + 1), len(free) ** 2)
    left = free[np.setdiff1d(np.arange(len(free)), known.pivots)]  # on which a combination of laws is not zero alone
    chosen = left[np.argsort(draws.residues((len(left),), 2**62), kind="stable")[:most]]
    vector = np.zeros(columns, dtype=np.uint64)
    vector[chosen] = 1 + draws.residues((len(chosen),), prime - 1)
    return form.annihilator(vector), len(chosen)


def brackets_along(values: Part, derivatives: Part, rows: int, prime: int) -> tuple[Ints, Ints]:
    """The pairs i < j of so many gradients whose bracket has a part along v; ``derivatives``: those along it."""
    touched = np.intersect1d(values.place, derivatives.place)
    total = np.zeros((rows, rows), dtype=np.uint64)
    for first in range(0, len(touched), linalg.PANEL):
        panel = touched[first : first + linalg.PANEL]
        ahead, behind = (_dense(part, panel, rows) for part in (derivatives, values))
        total = linalg.add(total, linalg.matmul(ahead[None], behind.T[None], prime)[0], prime)
    i, j = np.nonzero(np.triu(total != total.T))
    return i, j


def _dense(part: Part, columns: Ints, rows: int) -> Words:
    """Some columns, in order."""
    out = np.zeros((rows, len(columns)), dtype=np.uint64)
    at = np.minimum(np.searchsorted(columns, part.place), len(columns) - 1)
    kept = columns[at] == part.place
    out[part.rows[kept], at[kept]] = part.value[kept]
    return out
