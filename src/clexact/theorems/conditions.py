r"""Linear conditions on sizes: read from text, written, and compared as sets of integer points.

A condition is a linear form and a bound: form >= bound. A domain is a tuple of conditions. That a domain has no point
is shown over the rationals, exactly, so "covered" is always true of the integers; "not covered" may be too careful.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from clexact.algebra.feasible import Empty, strictly_feasible

SLACK = Fraction(1, 1000)  # conditions are not strict, and made a little weaker to be so

Form = tuple[tuple[str, int], ...]  # letters in order, with coefficients other than 0; "" for a constant


@dataclass(frozen=True)
class Linear:
    """A linear form with integer coefficients; ``terms`` has no zeros, and "" for the constant."""

    terms: Form

    @classmethod
    def of(cls, terms: Mapping[str, int]) -> Linear:
        """From a mapping."""
        return cls(tuple(sorted((name, c) for name, c in terms.items() if c)))

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """Itself and a multiple of another."""
        sums = dict(self.terms)
        for name, c in other.terms:
            sums[name] = sums.get(name, 0) + factor * c
        return Linear.of(sums)

    @property
    def constant(self) -> int:
        """What it is where all letters are zero."""
        return dict(self.terms).get("", 0)

    def at(self, sizes: Mapping[str, int]) -> int:
        """Its value."""
        return sum(c * (sizes[name] if name else 1) for name, c in self.terms)

    def __str__(self) -> str:
        parts = [(c, name) for name, c in self.terms if name] + [(c, "") for name, c in self.terms if not name]
        text = "".join(
            f" {'-' if c < 0 else '+'} {_monomial(abs(c), name)}"
            for c, name in sorted(parts, key=lambda part: (not part[1], part[0] < 0))
        )
        return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text[3:] or "0"


def _monomial(size: int, name: str) -> str:
    return str(size) if not name else name if size == 1 else f"{size}*{name}"


@dataclass(frozen=True)
class Condition:
    """``form`` >= ``bound``, the form without a constant."""

    form: Linear
    bound: int

    @classmethod
    def of(cls, linear: Linear, least: int = 0) -> Condition:
        """linear >= least."""
        return cls(linear.plus(Linear.of({"": linear.constant}), -1), least - linear.constant)

    def negated(self) -> Condition:
        """form <= bound - 1."""
        return Condition(Linear(()).plus(self.form, -1), 1 - self.bound)

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether these sizes satisfy it."""
        return self.form.at(sizes) >= self.bound

    @property
    def idle(self) -> bool:
        """Whether it speaks of no letter and is true."""
        return not self.form.terms and self.bound <= 0

    def __str__(self) -> str:
        up = Linear(tuple((name, c) for name, c in self.form.terms if c > 0))
        down = Linear(tuple((name, -c) for name, c in self.form.terms if c < 0))
        if not up.terms:
            return f"{down} <= {-self.bound}"
        if not down.terms or self.bound > 1:
            right = down.plus(Linear.of({"": self.bound}))
            return f"{up} >= {right}"
        if self.bound == 1:
            return f"{up} > {down}"
        left = up.plus(Linear.of({"": -self.bound}))
        return f"{left} >= {down}"


Domain = tuple[Condition, ...]


def empty(conditions: Sequence[Condition]) -> bool:
    """Whether no point satisfies all, so surely no integer one."""
    letters = sorted({name for condition in conditions for name, _ in condition.form.terms})
    rows: list[list[int | Fraction]] = []
    for condition in conditions:
        own = dict(condition.form.terms)
        rows.append([*(own.get(name, 0) for name in letters), SLACK - condition.bound])
    return bool(rows) and isinstance(strictly_feasible(rows, len(letters)), Empty)


def reduced(conditions: Iterable[Condition]) -> Domain:
    """Without those that the others imply."""
    kept = [c for c in dict.fromkeys(conditions) if not c.idle]
    for condition in list(kept):
        others = [c for c in kept if c != condition]
        if empty([*others, condition.negated()]):
            kept = others
    return tuple(kept)


def left_over(domain: Domain, covers: Sequence[Domain]) -> list[Domain]:
    """What of a domain no cover holds, as domains without common points; none only if there is no integer point."""
    if empty(domain):
        return []
    if not covers:
        return [domain]
    first, rest = covers[0], covers[1:]
    if empty((*domain, *first)):
        return left_over(domain, rest)
    found, inside = list[Domain](), domain
    for condition in first:
        found += left_over((*inside, condition.negated()), rest)
        inside = (*inside, condition)
    return found


def implies(domain: Domain, other: Domain) -> bool:
    """Whether each point of the one is a point of the other."""
    return all(empty((*domain, condition.negated())) for condition in other)


def parse(text: str, letters: Sequence[str]) -> Domain:
    """Conditions separated by commas or "and"; ValueError for what is none in these letters."""
    found: list[Condition] = []
    for part in _separated(text.replace("&&", ",").replace(" and ", ",")):
        if part.strip():
            found += _condition(part.strip(), letters)
    return tuple(found)


def _separated(text: str) -> list[str]:
    """At commas that are not in parentheses, as those of max(n, m) are."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _condition(text: str, letters: Sequence[str]) -> list[Condition]:
    wrong = ValueError(f"--where takes linear conditions on {', '.join(letters)} such as 'n >= r', not {text!r}.")
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Compare):
            raise wrong
        sides = [node.left, *node.comparators]
        found: list[Condition] = []
        for (a, b), relation in zip(pairwise(sides), node.ops, strict=True):
            found += _compared(_alternatives(a, letters), relation, _alternatives(b, letters))
    except (SyntaxError, TypeError, KeyError, RecursionError):
        raise wrong from None
    return found


Side = tuple[str, list[Linear]]  # "max" or "min" of forms; "" of one


def _compared(a: Side, relation: ast.cmpop, b: Side) -> list[Condition]:
    match relation:
        case ast.GtE() | ast.Gt():
            if a[0] == "max" or b[0] == "min":
                raise TypeError
            strict = int(isinstance(relation, ast.Gt))
            return [Condition.of(x.plus(y, -1), strict) for x in a[1] for y in b[1]]
        case ast.LtE():
            return _compared(b, ast.GtE(), a)
        case ast.Lt():
            return _compared(b, ast.Gt(), a)
        case ast.Eq() if not a[0] and not b[0]:
            return _compared(a, ast.GtE(), b) + _compared(b, ast.GtE(), a)
    raise TypeError


def _alternatives(node: ast.expr, letters: Sequence[str]) -> Side:
    match node:
        case ast.Call(func=ast.Name(id="max" | "min" as which), args=forms, keywords=[]) if forms:
            return which, [_linear(form, letters) for form in forms]
    return "", [_linear(node, letters)]


def _linear(node: ast.expr, letters: Sequence[str]) -> Linear:
    match node:
        case ast.Name(id=name) if name in letters:
            return Linear.of({name: 1})
        case ast.Constant(value=int(value)) if type(value) is int:
            return Linear.of({"": value})
        case ast.UnaryOp(op=ast.USub(), operand=one):
            return Linear(()).plus(_linear(one, letters), -1)
        case ast.BinOp(left=a, op=ast.Add(), right=b):
            return _linear(a, letters).plus(_linear(b, letters))
        case ast.BinOp(left=a, op=ast.Sub(), right=b):
            return _linear(a, letters).plus(_linear(b, letters), -1)
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            x, y = _linear(a, letters), _linear(b, letters)
            if set(dict(x.terms)) - {""}:
                x, y = y, x
            if set(dict(x.terms)) - {""}:
                raise TypeError
            return Linear(()).plus(y, x.constant)
    raise TypeError


def said(domain: Domain) -> str:
    """As a theorem says it: chains where one condition goes on where another ends."""
    return ", ".join(_chained(domain))


def python(domain: Domain) -> str:
    """As a Python expression."""
    return " and ".join(_chained(domain)) or "True"


def _chained(domain: Domain) -> list[str]:
    """a >= b and b >= c as a >= b >= c."""
    texts = [str(condition) for condition in domain]
    for _ in texts:
        for first in texts:
            ends = first.rsplit(" >= ", 1)
            follow = next((t for t in texts if t != first and len(ends) == 2 and t.startswith(f"{ends[1]} >= ")), None)
            if follow is not None:
                at = texts.index(first)
                texts = [t for t in texts if t not in (first, follow)]
                texts.insert(min(at, len(texts)), first + follow.removeprefix(ends[1]))
                break
    return texts
