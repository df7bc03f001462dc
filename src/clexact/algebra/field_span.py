r"""The Lie algebra that a family of fields generates as a space of fields over Q, where it is finite and small.

Where all brackets of the span lie in the span, exactly, the values of a basis at any point span $W_\infty$ there: no
genericity is needed. Linear fields, such as those of two-layer networks, always generate such an algebra.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from clexact.algebra.fields import VectorFields, bracket

MAX_FIELDS = 150  # of the algebra
MAX_TERMS = 2 * 10**4  # of a basis

Key = tuple[int, tuple[tuple[int, int], ...]]  # (component, monomial)


def finite_algebra(fields: VectorFields) -> VectorFields | None:
    """A basis, over Q, of the algebra that the fields generate; None where it is not shown to be finite and small."""
    if len(fields) > MAX_FIELDS or len(fields.terms) > MAX_TERMS:
        return None
    span = Span()
    found = span.extended(fields)
    n = 0
    while n < len(found):
        for X in found[:n]:
            Y = bracket(X, found[n])
            if span.add(Y):
                found.append(Y.in_lowest_terms())
            if len(found) > MAX_FIELDS or sum(len(Z.terms) for Z in found) > MAX_TERMS:
                return None
        n += 1
    basis = found[0] if found else fields
    for X in found[1:]:
        basis = basis + X
    return basis


def independent_fields(fields: Iterable[VectorFields]) -> list[VectorFields]:
    """Those of these fields that are independent over Q of the ones before them: a basis of their span, as fields."""
    return Span().extended(fields)


def span_dimensions(*families: Iterable[VectorFields]) -> list[int]:
    """Dimensions over Q of the span of each family, as fields, and of all together."""
    listed = [list(family) for family in families]
    return [len(independent_fields(family)) for family in [*listed, [X for family in listed for X in family]]]


class Span:
    """Independent fields over Q, by exact elimination on their sparse coefficient vectors."""

    def __init__(self) -> None:
        self._rows: dict[Key, dict[Key, Fraction]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def extended(self, fields: Iterable[VectorFields]) -> list[VectorFields]:
        """Add all, and return those that were independent of the ones before."""
        return [X for X in fields if self.add(X)]

    def add(self, X: VectorFields) -> bool:
        """Whether the one field X is independent of those before; it is kept if so."""
        terms, D = X.terms, X.dimension
        row = {
            (int(terms.owner[t]) % D, terms.monomial(t)): Fraction(int(terms.coef[t]), X.denominators[0])
            for t in range(len(terms))
        }
        while row:
            lead = min(row)
            if lead not in self._rows:
                scale = row[lead]
                self._rows[lead] = {key: c / scale for key, c in row.items()}
                return True
            factor = row[lead]
            for key, c in self._rows[lead].items():
                value = row.get(key, Fraction(0)) - factor * c
                if value:
                    row[key] = value
                else:
                    row.pop(key, None)
        return False
