r"""Families of laws that belong to one group: a stack of symmetric matrices, of numbers, or of sums, in a few terms.

With $P_k$ the matrices (groups, rows, columns) of the terms and $c_k$ their coefficients, and for each group,

* ``gram``: $\sum_k c_k P_k P_k^\top$: any matrix acts on the rows, or its inverse;
* ``diagonal``: its diagonal alone, one number for each row: rescalings; ``scale``, if all coefficients are positive;
* ``total``: the sum of all its entries: $1 + t\,11^\top$ acts on the rows;
* ``translation``: the sums of the rows, linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clexact.symmetry.views import Term

Kind = Literal["gram", "diagonal", "scale", "total", "translation"]


@dataclass(frozen=True)
class Family:
    """Laws of one kind, of terms with equally many groups and rows."""

    kind: Kind
    terms: tuple[Term, ...]

    @property
    def groups(self) -> int:
        """Number of matrices."""
        return self.terms[0].view.groups

    @property
    def rows(self) -> int:
        """Rows of each."""
        return self.terms[0].view.rows
