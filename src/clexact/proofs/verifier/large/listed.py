"""Polynomial fields that are listed: their reading, laws multiplied out, brackets."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.laws import Polynomials, cleared
from clexact.proofs.verifier.large.limits import FIELDS, MAX_DEPTH, MAX_DIGITS, MAX_LISTED_DEPTH, MAX_PRODUCTS, NAME
from clexact.proofs.verifier.large.node import Node, reduced
from clexact.proofs.verifier.large.outcome import TooMuch, bounded, form, truth
from clexact.proofs.verifier.large.phase import polynomials_at
from clexact.proofs.verifier.large.point import Point
from clexact.proofs.verifier.large.program import Layout, Program
from clexact.proofs.verifier.large.reading import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clexact.proofs.verifier.large.limits import Jet, Pair, Part, Poly
    from clexact.proofs.verifier.large.outcome import Allowance

MAX_STEPS = 8 * 10**6  # to multiply out brackets at a point, in all
VARIABLE = rf"{NAME}'*(?:\[[0-9]+(?:,[0-9]+)*\])?"  # of fields that are listed


class NamedPolynomials(Polynomials):
    """Laws and components in variables that are listed by their names, which may have primes and indices."""

    def power(self, factor: str, what: str) -> tuple[int, int]:
        """(place of the variable, power)."""
        form(len(factor) <= MAX_DIGITS, f"{what}: a factor is too long")
        name, caret, k = factor.partition("^")
        fine = name in self.layout.first and (not caret or re.fullmatch("[1-9][0-9]{0,8}", k, re.ASCII))
        form(fine, f"{what}: {factor[:40]!a} is no power of a variable")
        return self.layout.first[name], int(k or 1)


def named_laws(data: Any, program: Program, what: str, allowance: Allowance, _: Any = None) -> NamedPolynomials:
    """A family of laws of fields that are listed."""
    texts = typed(data, dict, what, ["polynomials"])["polynomials"]
    return NamedPolynomials(texts, program.theta, what, allowance)


class Listed(Program):
    """Polynomial fields that are listed, in place of a program: a seed is a combination of them."""

    depth = MAX_LISTED_DEPTH

    def __init__(self, document: dict[str, Any], allowance: Allowance) -> None:
        optional = ["parameters"] if "parameters" in typed(document["fields"], dict, "fields") else []
        data = typed(document["fields"], dict, "fields", ["variables", "components", *optional])
        names, components = typed(data["variables"], list, "variables"), typed(data["components"], list, "components")
        form(all(type(n) is str and re.fullmatch(VARIABLE, n) for n in names), "a variable has no proper name")
        truth(len(set(names)) == len(names), "a variable stands twice")
        self.parameters = typed(data.get("parameters", []), list, "fields.parameters")
        last = names[len(names) - len(self.parameters) :]
        form("parameters" not in data or self.parameters == last != [], "the parameters are not the last variables")
        self.theta, self.seed = Layout(dict.fromkeys(names, ())), Layout({FIELDS: (len(components),)})
        self.reader, self.norm, self.highest = NamedPolynomials([], self.theta, "fields", allowance), 1, 0
        self.fields = [self.field(parts, f"field {n}") for n, parts in enumerate(components)]
        self.nodes, self.static, self.active, self.moved = list[Node](), list[bool](), list[bool](), list[bool]()
        self.cases, self.held, self.gates, self.functions = None, list[str](), {}, list[str]()

    def field(self, parts: Any, what: str) -> dict[int, Poly]:
        """{place: component}, all times one number, so that coefficients are integers."""
        form(all(name in self.theta.first for name in typed(parts, dict, what)), f"{what} has an unknown component")
        truth(not set(parts) & set(self.parameters), f"{what} moves a parameter")
        read = {self.theta.first[name]: self.reader.rational(text, what) for name, text in parts.items()}
        components = cleared(read, what)
        for poly in components.values():
            self.norm += sum(map(abs, poly.values()))
            self.highest = max(self.highest, *(sum(k for _, k in m) for m in poly))
        return components

    @property
    def single(self) -> int | None:
        """How many fields there are, if all are multiples of one."""
        count = sum(map(bool, self.fields))
        return count if count <= 1 else None

    def bounds(self) -> Pair:
        """Degree and bits of the norm of a combination's component, in the variables and the seed."""
        bounded(self.highest + 1)
        return self.highest + 1, self.norm.bit_length()

    def check_law(self, law: Poly, n: int, allowance: Allowance) -> None:
        """``Untrue`` unless it is conserved by all fields: an identity of polynomials over Z."""
        gradient = partials(law)
        for i, field in enumerate(self.fields):
            shared = gradient.keys() & field.keys()
            terms = sum(len(gradient[j]) * len(field[j]) for j in shared)
            if terms > MAX_PRODUCTS:
                raise TooMuch("a law and a field have too many terms to be multiplied")
            allowance.spend(10 + 10 * terms)
            total: Poly = {}
            for j in shared:
                for monomial, c in gradient[j].items():
                    add_product(total, {monomial: c}, field[j], 1)
            truth(not any(total.values()), f"law {n} is not conserved by field {i}")


def partials(poly: Poly) -> dict[int, Poly]:
    """{variable: derivative}."""
    out: dict[int, Poly] = {}
    for monomial, c in poly.items():
        for n, (v, k) in enumerate(monomial):
            rest = monomial[:n] + (((v, k - 1),) if k > 1 else ()) + monomial[n + 1 :]
            out.setdefault(v, {})[rest] = c * k
    return out


def add_product(total: Poly, a: Poly, b: Poly, sign: int) -> None:
    """total += sign * a * b."""
    for m, x in a.items():
        for n, y in b.items():
            powers = dict(m)
            for v, k in n:
                powers[v] = powers.get(v, 0) + k
            key = tuple(sorted(powers.items()))
            total[key] = total.get(key, 0) + sign * x * y


class Expanded:
    """A field multiplied out modulo p, and what it takes to multiply it by others."""

    def __init__(self, components: dict[int, Poly], p: int) -> None:
        found = {j: {m: r for m, c in poly.items() if (r := c % p)} for j, poly in components.items()}
        self.components = {j: poly for j, poly in found.items() if poly}

    @cached_property
    def longest(self) -> int:
        """The most variables of a monomial."""
        return max((len(m) for poly in self.components.values() for m in poly), default=0)

    @cached_property
    def holding(self) -> Part:
        """{variable: how many of the terms hold it}."""
        out: Part = {}
        for v in (v for poly in self.components.values() for m in poly for v, _ in m):
            out[v] = out.get(v, 0) + 1
        return out

    @cached_property
    def steps(self) -> int:
        """What it takes to form all partial derivatives, for which a component costs as much as some monomials."""
        return 9 * len(self.components) + sum((1 + len(m)) ** 2 for poly in self.components.values() for m in poly)

    def bracket(self, other: Expanded, p: int) -> Expanded:
        """[A, B] = dA B - dB A."""
        out: dict[int, Poly] = {}
        for sign, a, b in ((1, self.components, other.components), (-1, other.components, self.components)):
            for j, poly in a.items():
                gradient, total = partials(poly), out.setdefault(j, {})
                for v in gradient.keys() & b.keys():
                    add_product(total, gradient[v], b[v], sign)
        return Expanded(out, p)


class ListedPoint(Point):
    """A point where listed fields and their brackets have values; brackets inside others are multiplied out, mod p."""

    def __init__(self, program: Listed, p: int, theta: Part, allowance: Allowance, *_: Any) -> None:
        self.whole, self.listed, self.left = reduced(theta, p), program.fields, MAX_STEPS
        self.known = dict[tuple[int, ...], tuple[Any, ...]]()  # (what is meant, the result): by their places in memory
        super().__init__(program, p, {}, allowance)

    def field(self, seed: Any, extra: Jet) -> Jet:
        return polynomials_at(self.expanded(seed).components, {0: self.whole} | extra, self.p, self.allowance)

    def bracket(self, seeds: Sequence[Any], extra: Jet, bit: int = 0) -> Jet:
        inner = self.multiplied(seeds[1:]) if len(seeds) > 2 else None
        if len(seeds) > MAX_DEPTH and inner is None:
            raise TooMuch("the brackets are too deep to be evaluated")
        shorter: Sequence[Any] = seeds if inner is None else [seeds[0], inner]
        return super().bracket(shorter, extra, bit)

    def expanded(self, seed: Any) -> Expanded:
        """The combination of fields that a seed is."""
        if isinstance(seed, Expanded):
            return seed
        if (id(seed),) not in self.known:
            total: dict[int, Poly] = {}
            for i, c in seed.get(FIELDS, {}).items():
                for j, poly in self.listed[i].items():
                    self.allowance.spend(len(poly))
                    add_product(total.setdefault(j, {}), {(): c}, poly, 1)
            self.known[id(seed),] = (seed, Expanded(total, self.p))
        return self.known[id(seed),][-1]  # type: ignore[no-any-return]

    def multiplied(self, seeds: Sequence[Any]) -> Expanded | None:
        """[X_0, [X_1, ...]] multiplied out, each bracket in it once; None where that takes too many steps."""
        inner = self.expanded(seeds[-1])
        for seed in reversed(seeds[:-1]):
            outer = self.expanded(seed)
            key = (id(outer), id(inner))
            if key not in self.known:
                affordable = self.affords(outer, inner)
                self.known[key] = (outer, inner, outer.bracket(inner, self.p) if affordable else None)
            inner = self.known[key][-1]
            if inner is None:
                return None
        return inner

    def affords(self, a: Expanded, b: Expanded) -> bool:
        """Whether so many steps are left as it takes to multiply out a bracket; if so they are taken."""
        self.allowance.spend(9 * (len(a.components) + len(b.components)))
        products = sum(x.holding.get(j, 0) * len(poly) for x, y in ((a, b), (b, a)) for j, poly in y.components.items())
        steps = products * (1 + a.longest + b.longest) + a.steps + b.steps
        if steps > self.left:
            return False
        self.left -= steps
        self.allowance.spend(steps)
        return True
