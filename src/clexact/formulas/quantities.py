"""Small integer quantities of named sizes: sums, minima, maxima, and relations between them.

All of them are evaluated on columns, one integer or one integer array for each name, and are written as text and LaTeX.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import latex_name
from clexact.support.listed import listed

if TYPE_CHECKING:
    import sympy

Columns = Mapping[str, Any]  # integers, or int64 arrays of one shape, by name
Sizes = tuple[int, ...]

LARGEST = 2**24  # of a size: then a quantity fits in int64
COMPARE = {
    "=": np.equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
LATEX_SIGNS = {">=": r"\ge", "<=": r"\le"}


@dataclass(frozen=True)
class Sum:
    """An integer combination of sizes and a constant, such as n + m - 1."""

    parts: tuple[tuple[str, int], ...]
    constant: int = 0

    def value(self, columns: Columns) -> Any:
        """The sum of c * x over the parts, plus the constant."""
        return sum((c * columns[x] for x, c in self.parts), start=self.constant)

    def to_sympy(self) -> sympy.Expr:
        """As a SymPy expression in symbols of the same names."""
        return self.value(_Symbols())

    def __str__(self) -> str:
        return self._written("*", str)

    def to_latex(self) -> str:
        """As LaTeX."""
        return self._written(" ", latex_name)

    def _written(self, times: str, name: Any) -> str:
        shared = {c for _, c in self.parts}
        if len(self.parts) > 1 and len(shared) == 1 and shared != {1} and shared != {-1} and not self.constant:
            return f"{shared.pop()}{times}({' + '.join(name(x) for x, _ in self.parts)})"
        return signed([(c, "" if abs(c) == 1 else f"{abs(c)}{times}", name(x)) for x, c in self.parts], self.constant)


def signed(parts: Sequence[tuple[Any, str, str]], constant: int = 0) -> str:
    """Parts (a number whose sign counts, text before, text) and a constant, joined by + and -."""
    entries = [*parts, *([(constant, "", str(abs(constant)))] if constant else [])]
    out = "".join(f" {'-' if c < 0 else '+'} {before}{text}" for c, before, text in entries)
    return (f"-{out[3:]}" if out.startswith(" - ") else out[3:]) or "0"


@dataclass(frozen=True)
class Product:
    """A product of sizes."""

    names: tuple[str, ...]

    def value(self, columns: Columns) -> Any:
        """The product."""
        return prod(columns[x] for x in self.names)

    def to_sympy(self) -> sympy.Expr:
        """As a SymPy expression in symbols of the same names."""
        return self.value(_Symbols())

    def __str__(self) -> str:
        return "*".join(self.names)

    def to_latex(self) -> str:
        """As LaTeX."""
        return " ".join(map(latex_name, self.names))


@dataclass(frozen=True)
class Extreme:
    """The minimum ("min") or maximum ("max") of some amounts."""

    kind: str
    amounts: tuple[Amount, ...]

    def value(self, columns: Columns) -> Any:
        """The least or the largest amount."""
        choose = np.minimum if self.kind == "min" else np.maximum
        return reduce(choose, [amount.value(columns) for amount in self.amounts])

    def to_sympy(self) -> sympy.Expr:
        """As a SymPy expression in symbols of the same names."""
        import sympy

        return (sympy.Min if self.kind == "min" else sympy.Max)(*(amount.to_sympy() for amount in self.amounts))

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(map(str, self.amounts))})"

    def to_latex(self) -> str:
        """As LaTeX."""
        return rf"\{self.kind}({', '.join(amount.to_latex() for amount in self.amounts)})"


Amount = Sum | Product | Extreme


class _Symbols(dict[str, Any]):
    """Symbols by their names."""

    def __missing__(self, name: str) -> Any:
        import sympy

        return sympy.Symbol(name)


class Written(Protocol):
    """What has a form as LaTeX besides its text."""

    def to_latex(self) -> str:
        """As LaTeX."""


@dataclass(frozen=True)
class Relation:
    """left = right, or with another sign of COMPARE."""

    left: Amount
    sign: str
    right: Amount

    def value(self, columns: Columns) -> Any:
        """Where it is true."""
        return COMPARE[self.sign](self.left.value(columns), self.right.value(columns))

    def to_sympy(self) -> sympy.Basic:
        """As a SymPy relation in symbols of the same names."""
        import sympy

        return sympy.Rel(self.left.to_sympy(), self.right.to_sympy(), "==" if self.sign == "=" else self.sign)

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right}"

    def to_latex(self) -> str:
        """As LaTeX."""
        return f"{self.left.to_latex()} {LATEX_SIGNS.get(self.sign, self.sign)} {self.right.to_latex()}"


@dataclass(frozen=True)
class Fact:
    """A column of zeros and ones that is named by a phrase."""

    name: str

    def value(self, columns: Columns) -> Any:
        """Where it is true."""
        return np.equal(columns[self.name], 1)

    def __str__(self) -> str:
        return self.name

    def to_latex(self) -> str:
        """As LaTeX."""
        return rf"\text{{{self.name}}}"


@dataclass(frozen=True)
class Indicator:
    """[a = b = 1]: one where all the relations are true, else zero."""

    relations: tuple[Relation, ...]

    def value(self, columns: Columns) -> Any:
        """One or zero."""
        return np.logical_and.reduce([relation.value(columns) for relation in self.relations]).astype(np.int64)

    @property
    def one_value(self) -> bool:
        """Whether it is [x = c]."""
        first = self.relations[0]
        return len(self.relations) == 1 and first.sign == "=" and isinstance(first.right, Sum) and not first.right.parts

    def to_sympy(self) -> sympy.Expr:
        """As a SymPy expression in symbols of the same names."""
        import sympy

        return sympy.Piecewise((1, sympy.And(*(relation.to_sympy() for relation in self.relations))), (0, True))

    def __str__(self) -> str:
        return f"[{_chain(self.relations, latex=False)}]"

    def to_latex(self) -> str:
        """As LaTeX."""
        return f"[{_chain(self.relations, latex=True)}]"


Quantity = Sum | Product | Extreme | Indicator


def _chain(relations: Sequence[Relation], latex: bool) -> str:
    return (r" \text{ and } " if latex else " and ").join(merged(relations, latex))


def text(thing: Written, latex: bool) -> str:
    """A quantity or a relation, as LaTeX or not."""
    return thing.to_latex() if latex else str(thing)


def merged(relations: Sequence[Relation], latex: bool) -> list[str]:
    """Relations as text. Equalities with one right side become one, n = m = 1, and bounds of one size 2 <= r <= 5."""
    equal: dict[str, list[str]] = {}
    others: dict[str, list[Relation]] = {}
    for relation in relations:
        if relation.sign == "=":
            equal.setdefault(text(relation.right, latex), []).append(text(relation.left, latex))
        else:
            others.setdefault(text(relation.left, latex), []).append(relation)
    written = [" = ".join([*lefts, right]) for right, lefts in equal.items()]
    for left, bounds in others.items():
        written += _interval(left, bounds, latex) or [text(bound, latex) for bound in bounds]
    return written


def _interval(left: str, bounds: Sequence[Relation], latex: bool) -> list[str]:
    """[c <= x <= d] for the bounds x >= c and x <= d, else nothing."""
    by_sign = {bound.sign: text(bound.right, latex) for bound in bounds}
    if len(bounds) != 2 or by_sign.keys() != {"<=", ">="}:
        return []
    sign = LATEX_SIGNS["<="] if latex else "<="
    return [f"{by_sign['>=']} {sign} {left} {sign} {by_sign['<=']}"]


def size(name: str) -> Sum:
    """The size of that name."""
    return Sum(((name, 1),))


def total(names: Sequence[str], constant: int = 0, factor: int = 1) -> Sum:
    """factor * (the sum of those sizes) + constant."""
    return Sum(tuple((x, factor) for x in names), constant)


def number(value: int) -> Sum:
    """A constant."""
    return Sum((), value)


def minus(name: str, others: Sequence[str], factor: int = 1, constant: int = 0) -> Sum:
    """name - factor * (the sum of the others) + constant."""
    return Sum(((name, 1), *((x, -factor) for x in others)), constant)


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of sizes: distinct identifiers, at least one. TypeError or ValueError else."""
    expected = "the names of the sizes must be a sequence of strings such as ('n', 'r')"
    names = tuple(listed(names, expected))
    if not all(isinstance(x, str) for x in names):
        raise TypeError(f"{expected}, not {names!r}.")
    if not names or len(set(names)) < len(names) or not all(x.isidentifier() for x in names):
        raise ValueError(f"the names of the sizes must be distinct identifiers, at least one, not {list(names)!r}.")
    return names


def check_sizes(sizes: object, names: Sequence[str] | None) -> Sizes:
    """A tuple of integers, one for each name (None: any number of them, at least two). TypeError or ValueError else."""
    if not isinstance(sizes, tuple) or not all(isinstance(s, (int, np.integer)) for s in sizes):
        raise TypeError(f"sizes must be a tuple of integers, not {sizes!r}.")
    if names is not None and len(sizes) != len(names):
        raise ValueError(f"expected {len(names)} sizes, for {', '.join(names)}, not {sizes!r}.")
    if names is None and len(sizes) < 2:
        raise ValueError(f"the widths of a network must be at least two, not {sizes!r}.")
    if any(abs(s) > LARGEST for s in sizes):
        raise ValueError(f"sizes must be between -{LARGEST} and {LARGEST}, not {sizes!r}.")
    return tuple(int(s) for s in sizes)


def columns_of(sizes: Collection[Sizes], names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """One array for each name."""
    table = np.array(list(sizes), dtype=np.int64).reshape(len(sizes), len(names))
    return {x: table[:, i] for i, x in enumerate(names)}


def check_call(given: Mapping[str, int], names: Sequence[str]) -> Sizes:
    """Keyword arguments as a tuple of sizes in the order of the names. TypeError for missing or unknown names."""
    if set(given) != set(names):
        raise TypeError(f"expected the sizes {', '.join(names)}, not {', '.join(given) or 'none'}.")
    return check_sizes(tuple(given[x] for x in names), names)
