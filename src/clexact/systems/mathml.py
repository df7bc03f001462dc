"""MathML's content elements to rational functions, with the functions of the state that systems have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from clexact.algebra import systems
from clexact.algebra.parse import decimal_number
from clexact.algebra.quotients import Quotient, Quotients, number

Node = Any  # xml.etree.ElementTree.Element
MOST_DEEP = 200
PLAIN = {"exp", "sin", "cos", "tan", "sinh", "cosh"}
AVOGADRO = Fraction(602214179) * 10**15  # as SBML defines the symbol


def tag(node: Node) -> str:
    """Its name without a namespace."""
    return _local(node.tag)


@lru_cache(maxsize=1024)
def _local(name: object) -> str:
    return str(name).rpartition("}")[2]


class Reader:
    """Formulas over the names of a builder. ValueError for what is no rational function of the state."""

    def __init__(
        self, builder: systems.Builder, functions: Mapping[str, Node], values: Callable[[str], Quotient | None]
    ):
        self._builder, self._functions, self._values = builder, functions, values

    def read(self, node: Node, local: Mapping[str, Quotient] | None = None, depth: int = 0) -> Quotient:
        """The value of an element, with values of local names."""
        if depth > MOST_DEEP:
            raise ValueError(f"a formula is nested more than {MOST_DEEP} deep.")
        names = local or {}
        match tag(node):
            case "math" | "semantics":
                return self.read(node[0], names, depth + 1)
            case "cn":
                return number(_number(node))
            case "ci":
                return self._name((node.text or "").strip(), names)
            case "csymbol" if str(node.get("definitionURL", "")).endswith("avogadro"):
                return number(AVOGADRO)
            case "csymbol":
                raise ValueError(f"a formula has {(node.text or 'time').strip()!r}, which is no function of the state.")
            case "apply":
                return self._applied(node, names, depth)
            case other:
                raise ValueError(f"a formula has <{other}>: {systems.NO_RATIONAL}.")

    def _name(self, name: str, local: Mapping[str, Quotient]) -> Quotient:
        value = local.get(name) or self._values(name)
        if value is None:
            raise ValueError(f"a formula has {name!r}, which has no value in the model.")
        return value

    def _applied(self, node: Node, local: Mapping[str, Quotient], depth: int) -> Quotient:
        head, name = node[0], tag(node[0])
        if name == "ci":
            return self._called((head.text or "").strip(), node, local, depth)
        rest = [part for part in node[1:] if tag(part) not in ("degree", "logbase")]
        values, ring = [self.read(part, local, depth + 1) for part in rest], Quotients()
        match name:
            case "plus":
                return ring.total(values) if values else number(0)
            case "minus" if len(values) in (1, 2):
                last = Quotient({m: -c for m, c in values[-1].top.items()}, values[-1].bottom)
                return ring.total([*values[:-1], last])
            case "times":
                return _product(values, ring)
            case "divide" if len(values) == 2:
                return ring.times(values[0], _inverse(values[1], ring))
            case "power" if len(values) == 2:
                return self._power(values[0], values[1], ring)
            case "root" | "ln" | "log":
                return self._special(name, node, values)
            case other if other in PLAIN:
                return _asked(self._builder, other, values)
            case other:
                raise ValueError(f"a formula has <{other}>: {systems.NO_RATIONAL}.")

    def _power(self, base: Quotient, power: Quotient, ring: Quotients) -> Quotient:
        value = power.constant
        if value is not None and value.denominator == 2:
            return ring.power(_asked(self._builder, "sqrt", [base]), int(2 * value))
        if value is None or value.denominator != 1:
            given = "that is no number" if value is None else str(value)
            raise ValueError(f"a formula has a power {given}: give an integer.")
        return ring.power(base, int(value)) if value >= 0 else ring.power(_inverse(base, ring), -int(value))

    def _special(self, name: str, node: Node, values: list[Quotient]) -> Quotient:
        """Roots of degree 2 and natural logarithms."""
        given = next((part for part in node if tag(part) in ("degree", "logbase")), None)
        degree = self.read(given[0]).constant if given is not None and len(given) else None
        if name == "root" and degree in (None, 2):
            return _asked(self._builder, "sqrt", values)
        if name == "ln":
            return _asked(self._builder, "log", values)
        raise ValueError(f"a formula has <{name}>: only square roots and natural logarithms become variables.")

    def _called(self, name: str, node: Node, local: Mapping[str, Quotient], depth: int) -> Quotient:
        if name not in self._functions:
            raise ValueError(f"a formula calls {name!r}, which the model does not define.")
        body = self._functions[name]
        bound = [(part[0].text or "").strip() for part in body if tag(part) == "bvar"]
        values = [self.read(part, local, depth + 1) for part in node[1:]]
        if len(bound) != len(values):
            raise ValueError(f"a formula calls {name!r} with {len(values)} arguments, not {len(bound)}.")
        return self.read(body[-1], dict(zip(bound, values, strict=True)), depth + 1)


def _product(values: list[Quotient], ring: Quotients) -> Quotient:
    value = number(1)
    for each in values:
        value = ring.times(value, each)
    return value


def _inverse(value: Quotient, ring: Quotients) -> Quotient:
    if not value.top:
        raise ValueError("a formula divides by zero.")
    return ring.inverse(value)


def _asked(builder: systems.Builder, name: str, values: list[Quotient]) -> Quotient:
    try:
        return builder.apply(name, values)
    except LookupError as error:
        raise ValueError(f"in a formula, {error.args[0]}") from None


def _number(node: Node) -> Fraction | int:
    texts = [node.text or "", *(part.tail or "" for part in node)]
    words = [word.strip() for word in texts]
    sign = -1 if words[0].startswith("-") else 1
    first = words[0].lstrip("+-")
    try:
        if node.get("type") == "rational":
            return Fraction(int(words[0]), int(words[1]))
        if node.get("type") == "e-notation":
            first = f"{first}e{words[1]}"
        return sign * decimal_number(first)
    except (ValueError, IndexError, ZeroDivisionError):
        raise ValueError(f"a formula has the number {' '.join(words)!r}, which is none that is read.") from None
