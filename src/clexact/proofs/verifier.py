"""Verify a certificate of clexact. Standard library only; imports nothing of the package; runs by itself:

    python verifier.py FILE...      exit status 0: all verified; 1: something is false; 2: not a certificate

Checked, in this order (docs/certificate.md has the format and the mathematics):
1. every law h is one: X h = sum_j X_j dh/dx_j is the zero polynomial over Z for every field X;
2. the gradients of the laws listed have the rank claimed modulo a prime at an integer point;
3. so have the values of the brackets listed, computed with dual numbers, the brackets inside them multiplied out;
4. the bounds: upper = D - rank of the brackets; lower = the rank of the laws, or D - rank of the brackets when the
   family is closed under brackets: at most one field (proved), or shown at fresh random points (error <= 2^-100).
A rank modulo a prime at an integer point never exceeds the generic rank over Q, so 2 and 3 are proofs.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
from collections import Counter
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT = "clexact-certificate-1"
KEYS = ["format", "version", "sha256", "model", "assumptions", "dimension", "fields", "laws", "independence", "lie",
        "closure", "claim"]  # fmt: skip
NAME, NUMBER = r"[^\W\d]\w*'*(?:\[\d+(?:,\d+)*\])?", r"\d+(?:/[1-9]\d*)?"
MAX_DIGITS, MAX_PRIME, MAX_WORK, MAX_DEPTH, MAX_BITS = 4000, 2**64, 2 * 10**7, 12, 10**9
ERROR_BITS, CLOSURE_BITS, MAX_POINTS = 100, 61, 60
MAX_PRODUCTS = 10**6  # of the terms of one law and one field
MAX_STEPS, MAX_COEFFICIENT = 8 * 10**6, 16000  # to multiply out brackets, in all; bits of what is multiplied
SEVERITY = (0, 3, 1, 2)  # exit statuses from good to bad: verified, undecided, false, not a certificate

Poly = dict[tuple[tuple[int, int], ...], Any]  # {((variable, power), ...): Fraction or int}
Jet = dict[int, int]  # {bit mask of infinitesimals: number mod p}


class NotACertificate(Exception):  # noqa: N818
    """The document has not the form of a certificate."""


class Untrue(Exception):  # noqa: N818
    """The certificate claims something that is false or not shown; the message names the first such item."""


class TooMuch(Untrue):
    """What is claimed takes more work to check than is done here."""


def form(condition: object, message: str) -> None:
    if not condition:
        raise NotACertificate(message)


def truth(condition: object, message: str) -> None:
    if not condition:
        raise Untrue(message)


def within(condition: object, message: str) -> None:
    if not condition:
        raise TooMuch(message)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_json(text: str) -> Any:
    """The document; duplicate keys, floats, NaN and what is no JSON are refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        form(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def refuse(word: str) -> None:
        raise NotACertificate(f"{word[:20]} is not a number of a certificate")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_float=refuse)
    except (ValueError, RecursionError) as error:
        raise NotACertificate(f"not JSON ({type(error).__name__})") from None


def typed(value: Any, kind: type, what: str, keys: list[str] | None = None) -> Any:
    """The value, if it has this JSON type (an object: exactly these keys)."""
    form(type(value) is kind, f"{what} must be of type {kind.__name__}")
    form(keys is None or sorted(value) == sorted(keys), f"{what} must have the keys {keys}")
    return value


def index(value: Any, count: int, what: str) -> int:
    """A JSON integer from 0 to count - 1."""
    typed(value, int, what)
    truth(0 <= value < count, f"{what} is not from 0 to {count - 1}")
    return int(value)


def integer(text: Any, what: str) -> int:
    """An integer in a string."""
    form(type(text) is str and len(text) <= MAX_DIGITS and re.fullmatch(r"-?[0-9]+", text), f"{what} is no integer")
    return int(text)


def polynomial(text: Any, places: dict[str, int], what: str) -> Poly:
    """{((variable, power), ...): coefficient} from text such as 2/3*x^2*y - z."""
    typed(text, str, what)
    out: Poly = {}
    form(not re.search(r"[\w'] +\w", text), f"{what}: a blank inside a number or between factors")
    packed = text.replace(" ", "")
    terms = re.findall(r"([+-]?)([^+-]+)", packed)
    form(
        terms and "".join(s + t for s, t in terms) == packed and all(s for s, _ in terms[1:]), f"{what}: no polynomial"
    )
    for sign, term in terms:
        c, powers = Fraction(-1 if sign == "-" else 1), dict[int, int]()
        for n, factor in enumerate(term.split("*")):
            form(len(factor) <= MAX_DIGITS, f"{what}: a factor is too long")
            if n == 0 and re.fullmatch(NUMBER, factor, re.ASCII):
                c *= Fraction(factor)
                continue
            match = re.fullmatch(rf"({NAME})(?:\^([1-9][0-9]{{0,8}}))?", factor)
            form(match and match[1] in places, f"{what}: {factor[:40]!a} is no power of a variable")
            name, k = match.groups() if match else ("", "")
            powers[places[name]] = powers.get(places[name], 0) + int(k or 1)
        key = tuple(sorted(powers.items()))
        out[key] = out.get(key, Fraction(0)) + c
        form(out[key].denominator.bit_length() <= 4 * MAX_DIGITS, f"{what}: a denominator is too long")
    return {m: c for m, c in out.items() if c}


def cleared(polynomials: dict[int, Poly]) -> dict[int, Poly]:
    """{key: polynomial} with integer coefficients: all multiplied by one number, which changes no law, span or rank."""
    scale, terms = 1, sum(map(len, polynomials.values()))
    for d in {c.denominator for p in polynomials.values() for c in p.values()}:
        scale = lcm(scale, d)
        bits = scale.bit_length()
        form(bits <= 4 * MAX_DIGITS and bits * terms <= MAX_BITS, "the denominators are too long")
    return {j: {m: c.numerator * (scale // c.denominator) for m, c in p.items()} for j, p in polynomials.items() if p}


def canonical_hash(dimension: int, fields: Any) -> str:
    """SHA-256 of the canonical input."""
    text = json.dumps([dimension, fields], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


# --- arithmetic ------------------------------------------------------------------------------------------------------


def partials(p: Poly) -> dict[int, Poly]:
    """{variable: dp/dx}."""
    out: dict[int, Poly] = {}
    for monomial, c in p.items():
        for n, (v, k) in enumerate(monomial):
            rest = monomial[:n] + (((v, k - 1),) if k > 1 else ()) + monomial[n + 1 :]
            out.setdefault(v, {})[rest] = c * k
    return out


def moves(gradient: dict[int, Poly], field: dict[int, Poly]) -> bool:
    """Whether a polynomial with this gradient is not conserved by the field."""
    products = sum(len(gradient[j]) * len(field[j]) for j in gradient.keys() & field.keys())
    within(products <= MAX_PRODUCTS, "a law and a field have too many terms to be multiplied")
    return bool(derivative(gradient, field))


def derivative(gradient: dict[int, Poly], field: dict[int, Poly]) -> Poly:
    """sum_j field_j dh/dx_j, exactly, from the gradient of h."""
    out: Poly = {}
    for j in gradient.keys() & field.keys():
        for m, a in gradient[j].items():
            for n, b in field[j].items():
                powers = dict(m)
                for v, k in n:
                    powers[v] = powers.get(v, 0) + k
                key = tuple(sorted(powers.items()))
                out[key] = out.get(key, 0) + a * b
    return {m: c for m, c in out.items() if c}


def lie_bracket(a: dict[int, Poly], b: dict[int, Poly]) -> dict[int, Poly]:
    """The components of [a, b] = da b - db a."""
    out: dict[int, Poly] = {}
    for sign, one, other in ((1, a, b), (-1, b, a)):
        for j, p in one.items():
            add(out.setdefault(j, {}), derivative(partials(p), other), sign)
    return nonzero(out)


def add(total: Poly, p: Poly, c: int) -> None:
    """total += c * p."""
    for m, x in p.items():
        total[m] = total.get(m, 0) + c * x


def nonzero(components: dict[int, Poly]) -> dict[int, Poly]:
    """The same without zeros."""
    kept = {j: {m: c for m, c in p.items() if c} for j, p in components.items()}
    return {j: p for j, p in kept.items() if p}


def product(a: Jet, b: Jet, p: int) -> Jet:
    """Product of jets {bit mask of infinitesimals: number}; the square of an infinitesimal is 0."""
    out: Jet = {}
    for s, x in a.items():
        for t, y in b.items():
            if s & t == 0:
                out[s | t] = (out.get(s | t, 0) + x * y) % p
    return out


def power(a: Jet, k: int, p: int) -> Jet:
    """a^k = a_0^k + k a_0^(k-1) n + ..., n nilpotent, by squaring."""
    if len(a) == 1 and 0 in a:
        return {0: pow(a[0], k, p)}
    result = {0: 1}
    for bit in bin(k)[2:]:
        result = product(result, result, p)
        result = product(result, a, p) if bit == "1" else result
    return result


def evaluate(field: dict[int, Poly], theta: list[Jet], p: int) -> dict[int, Jet]:
    """{component: jet} of a field at a list of jets."""
    value: dict[int, Jet] = {}
    for j, poly in field.items():
        total: Jet = {}
        for monomial, c in poly.items():
            term = {0: int(c) % p}
            for v, k in monomial:
                term = product(term, power(theta[v], k, p), p)
            accumulate(total, term, 1, p)
        value[j] = total
    return value


def accumulate(total: Jet, jet: Jet, c: int, p: int) -> None:
    """total += c * jet."""
    for s, x in jet.items():
        total[s] = (total.get(s, 0) + c * x) % p


def rank(rows: list[list[int]], p: int) -> int:
    """Rank mod p by elimination."""
    pivots: list[tuple[int, list[int]]] = []  # (column, row with 1 there)
    for row in rows:
        for column, pivot in pivots:
            if c := row[column]:
                row = [(x - c * y) % p for x, y in zip(row, pivot, strict=True)]
        lead = next((j for j, x in enumerate(row) if x % p), None)
        if lead is not None:
            c = pow(row[lead], -1, p)
            pivots.append((lead, [x * c % p for x in row]))
    return len(pivots)


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 13 primes as bases: exact below 3.3e24 (Sorenson and Webster)."""
    small = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if n < 2 or any(n % q == 0 for q in small):
        return n in small
    s = ((n - 1) & (1 - n)).bit_length() - 1
    return all(pow(a, n >> s, n) == 1 or any(pow(a, (n >> s) << r, n) == n - 1 for r in range(s)) for a in small)


class Member:
    """A vector field of the Lie algebra, with bounds of its size."""

    depth: int  # of nested brackets
    nested: int  # how many of them are evaluated by dual numbers inside one another
    degree: int
    bits: int  # of the sum of the absolute coefficients, at most
    work: int  # multiplications of jets to evaluate it

    def at(self, theta: list[Jet], p: int, bit: int) -> dict[int, Jet]:
        """{component: jet} at a list of jets; the infinitesimals from ``bit`` on are free."""
        raise NotImplementedError


class Field(Member):
    """A field with its components: one of the family, or a member multiplied out."""

    def __init__(self, components: dict[int, Poly], depth: int = 0) -> None:
        terms = [(m, c) for p in components.values() for m, c in p.items()]
        self.components, self.depth, self.nested = components, depth, 0
        self.degree = max((sum(k for _, k in m) for m, _ in terms), default=0)
        self.bits = int(sum(abs(c) for _, c in terms)).bit_length()
        self.work = 1 + sum(1 + sum(k.bit_length() for _, k in m) for m, _ in terms)

    @cached_property
    def longest(self) -> int:
        """The most variables of a monomial."""
        return max((len(m) for p in self.components.values() for m in p), default=0)

    @cached_property
    def holding(self) -> dict[int, int]:
        """{variable: how many of the terms hold it}."""
        out: dict[int, int] = {}
        for v in (v for p in self.components.values() for m in p for v, _ in m):
            out[v] = out.get(v, 0) + 1
        return out

    @cached_property
    def steps(self) -> int:
        """What it takes to form all partial derivatives, for which a component costs as much as some monomials."""
        each = sum((1 + len(m)) ** 2 for p in self.components.values() for m in p)
        return 9 * len(self.components) + each * (1 + self.bits // 64)

    def at(self, theta: list[Jet], p: int, bit: int) -> dict[int, Jet]:
        return evaluate(self.components, theta, p)


class Combination(Member):
    """sum of c * member."""

    def __init__(self, parts: list[tuple[int, Member]]) -> None:
        self.parts = parts
        members = [m for _, m in parts]
        self.depth, self.degree = max(m.depth for m in members), max(m.degree for m in members)
        self.nested = max(m.nested for m in members)
        self.bits = max(abs(c).bit_length() + m.bits for c, m in parts) + len(parts).bit_length()
        self.work = 1 + sum(m.work for m in members)

    def at(self, theta: list[Jet], p: int, bit: int) -> dict[int, Jet]:
        out: dict[int, Jet] = {}
        for c, member in self.parts:
            for j, jet in member.at(theta, p, bit).items():
                accumulate(out.setdefault(j, {}), jet, c, p)
        return out


class Bracket(Member):
    """[A, B] = dA B - dB A: the e-part of A(theta + e B) - B(theta + e A)."""

    def __init__(self, a: Member, b: Member) -> None:
        self.a, self.b = a, b
        self.depth, self.degree = 1 + max(a.depth, b.depth), a.degree + b.degree
        self.nested = 1 + max(a.nested, b.nested)
        self.bits, self.work = (a.degree + b.degree).bit_length() + a.bits + b.bits, 3 * (a.work + 2 * b.work)
        within(self.work <= MAX_WORK and self.nested <= MAX_DEPTH, "the brackets are too deep to be evaluated")

    def at(self, theta: list[Jet], p: int, bit: int) -> dict[int, Jet]:
        e = 1 << (bit + self.nested - 1)
        a_moved = self.a.at(moved(theta, self.b.at(theta, p, bit), e), p, bit)
        a = {j: {s: x for s, x in jet.items() if not s & e} for j, jet in a_moved.items()}
        out: dict[int, Jet] = {}
        for sign, value in ((1, a_moved), (-1, self.b.at(moved(theta, a, e), p, bit))):
            for j, jet in value.items():
                accumulate(out.setdefault(j, {}), {s & ~e: x for s, x in jet.items() if s & e}, sign, p)
        return out


class Expansion:
    """Brackets inside brackets multiplied out, as long as MAX_STEPS suffice for all of a document."""

    def __init__(self) -> None:
        self.left, self.known = MAX_STEPS, dict[Member, Member]()

    def bracket(self, a: Member, b: Member) -> Bracket:
        """[a, b], either multiplied out if it is a bracket: evaluated one in the other they take 3^depth."""
        return Bracket(self.field(a) if a.nested else a, self.field(b) if b.nested else b)

    def field(self, member: Member) -> Member:
        """The same as a ``Field``, or as it is where that takes too much."""
        if member not in self.known:
            self.known[member] = self.multiplied_out(member)
        return self.known[member]

    def multiplied_out(self, member: Member) -> Member:
        if isinstance(member, Combination):
            parts = [(c, m) for c, m in member.parts if isinstance(m, Field)]
            if len(parts) == len(member.parts) and self.affords(sum(m.steps for _, m in parts), member.bits):
                out: dict[int, Poly] = {}
                for c, m in parts:
                    for j, p in m.components.items():
                        add(out.setdefault(j, {}), p, c)
                return Field(nonzero(out), member.depth)
        if isinstance(member, Bracket):
            a, b = self.field(member.a), self.field(member.b)
            if not (isinstance(a, Field) and isinstance(b, Field)):
                return member
            if self.affords(len(a.components) + len(b.components), 0) and self.affords(steps(a, b), member.bits):
                return Field(lie_bracket(a.components, b.components), member.depth)
        return member

    def affords(self, steps: int, bits: int) -> bool:
        """Whether so many steps are left; if so they are taken."""
        affordable = steps <= self.left and bits <= MAX_COEFFICIENT
        self.left -= steps * affordable
        return affordable


def steps(a: Field, b: Field) -> int:
    """What it takes to multiply out [a, b]: products of terms, counted with the lengths of their factors."""
    products = sum(x.holding.get(j, 0) * len(p) for x, y in ((a, b), (b, a)) for j, p in y.components.items())
    length = 1 + a.longest + b.longest + (a.bits + b.bits) // 64
    return products * length + a.steps + b.steps


def moved(theta: list[Jet], direction: dict[int, Jet], e: int) -> list[Jet]:
    """theta + e * direction."""
    out = list(theta)
    for j, jet in direction.items():
        out[j] = out[j] | {s | e: x for s, x in jet.items()}
    return out


def rows_at(members: Sequence[Member], point: list[int], p: int) -> list[list[int]]:
    """Values at a point, mod p."""
    within(sum(m.work for m in members) <= MAX_WORK, "the brackets are too deep to be evaluated")
    theta = [{0: x % p} for x in point]
    values = [member.at(theta, p, 0) for member in members]
    return [[value.get(j, {}).get(0, 0) for j in range(len(point))] for value in values]


# --- the checks ------------------------------------------------------------------------------------------------------


class Checker:
    """One certificate under examination; ``sentences`` collects what is verified, in words."""

    def __init__(self, document: Any, rank: Callable[[list[list[int]], int], int] = rank) -> None:
        self.rank = rank
        self.doc: dict[str, Any] = typed(document, dict, "a certificate", KEYS)
        self.sentences: list[str] = []
        self.random = random.SystemRandom()
        form(document["format"] == FORMAT, f"the format must be {FORMAT}")
        data = typed(document["fields"], dict, "fields", ["variables", "components"])
        names = typed(data["variables"], list, "variables")
        form(all(type(n) is str and re.fullmatch(NAME, n) for n in names), "a variable has no proper name")
        self.D: int = typed(document["dimension"], int, "dimension")
        truth(len(set(names)) == len(names) == self.D, "the dimension is not the number of distinct variables")
        self.places = {name: i for i, name in enumerate(names)}
        self.fields = [self.read_field(f, n) for n, f in enumerate(typed(data["components"], list, "components"))]
        self.laws = [self.read_law(h, f"law {n}") for n, h in enumerate(typed(document["laws"], list, "laws"))]
        for key, kind in (("version", str), ("sha256", str), ("model", dict), ("assumptions", list)):
            typed(document[key], kind, key)

    def read_field(self, field: Any, n: int) -> Field:
        for name in typed(field, dict, f"field {n}"):
            form(name in self.places, f"field {n} has a component {name[:40]!a} that is no variable")
        parts = {self.places[name]: polynomial(text, self.places, f"field {n}") for name, text in field.items()}
        return Field(cleared(parts))

    def read_law(self, text: Any, what: str) -> Poly:
        return cleared({0: polynomial(text, self.places, what)}).get(0, {})

    def run(self) -> None:
        """All checks; ``Untrue`` at the first that fails."""
        truth(self.doc["sha256"] == canonical_hash(self.D, self.doc["fields"]), "sha256 is not that of the fields")
        self.gradients = [partials(law) for law in self.laws]
        for n, gradient in enumerate(self.gradients):
            for i, field in enumerate(self.fields):
                truth(not moves(gradient, field.components), f"law {n} is not conserved by field {i}")
        self.sentences.append(
            f"{len(self.laws)} polynomials are conserved by all {len(self.fields)} fields: exact identities"
        )
        self.check_claim(self.check_independence(), self.check_brackets())

    def place(self, data: dict[str, Any], what: str) -> tuple[int, list[int]]:
        """The prime and the integer point of a rank."""
        p = integer(data["prime"], f"{what}.prime")
        truth(p < MAX_PRIME and is_prime(p), f"{what}.prime = {str(p)[:40]} is not a prime below 2^64")
        point = [integer(x, f"{what}.point") for x in typed(data["point"], list, f"{what}.point")]
        truth(len(point) == self.D, f"{what}.point has {len(point)} coordinates, not {self.D}")
        return p, point

    def check_independence(self) -> int:
        data = typed(self.doc["independence"], dict, "independence", ["prime", "point", "laws", "rank"])
        p, point = self.place(data, "independence")
        chosen = [index(n, len(self.laws), "a law of independence") for n in typed(data["laws"], list, "its laws")]
        found = self.rank(rows_at([Field(self.gradients[n]) for n in chosen], point, p), p)
        truth(typed(data["rank"], int, "rank") == found == len(chosen), f"the laws' gradients have rank {found}")
        self.sentences.append(f"{found} of them are independent: gradients of rank {found} mod {p} at a point")
        return found

    def check_brackets(self) -> int:
        data = typed(self.doc["lie"], dict, "lie", ["prime", "point", "nodes", "basis", "ranks"])
        p, point = self.place(data, "lie")
        nodes, expansion = list[Member](), Expansion()
        for n, node in enumerate(typed(data["nodes"], list, "lie.nodes")):
            nodes.append(self.read_node(typed(node, dict, f"node {n}"), nodes, n, expansion))
        basis = [index(n, len(nodes), "a node of the basis") for n in typed(data["basis"], list, "lie.basis")]
        self.basis, ranks = [nodes[n] for n in basis], typed(data["ranks"], list, "lie.ranks")
        truth(len(basis) <= self.D, f"the brackets of the basis are not independent: they are more than {self.D}")
        rows = rows_at(self.basis, point, p)
        truth(ranks and all(type(r) is int for r in ranks), "lie.ranks must list the rank of each depth")
        found, depths = self.rank(rows, p), Counter(node.depth for node in self.basis)
        truth(found == len(rows), f"the brackets of the basis are not independent: their rank is {found}")
        below = 0  # of a basis that is independent every part is
        for depth, claimed in enumerate(ranks):
            below += depths[depth]
            truth(claimed == below, f"brackets of depth {depth} or less have rank {below}, not {str(claimed)[:20]}")
        truth(below == found, "the basis has brackets deeper than lie.ranks")
        self.sentences.append(f"{found} brackets of the fields have rank {found} mod {p} at a point")
        return found

    def read_node(self, node: dict[str, Any], earlier: list[Member], n: int, expansion: Expansion) -> Member:
        if list(node) == ["combination"]:
            parts = typed(node["combination"], dict, f"node {n}")
            form(parts and all(re.fullmatch("[0-9]{1,9}", i) for i in parts), f"node {n} must name fields by numbers")
            fields = [self.fields[index(int(i), len(self.fields), "a field")] for i in parts]
            return Combination([(integer(c, f"node {n}"), f) for c, f in zip(parts.values(), fields, strict=True)])
        form(list(node) == ["bracket"], f"node {n} must be a combination or a bracket")
        pair = typed(node["bracket"], list, f"node {n}")
        form(len(pair) == 2, f"node {n}: a bracket has two nodes")
        return expansion.bracket(*(earlier[index(i, n, f"a node in node {n}")] for i in pair))

    def check_claim(self, independent: int, brackets: int) -> None:
        kind = typed(self.doc["closure"], dict, "closure", ["kind"])["kind"]
        claim = typed(self.doc["claim"], dict, "claim", ["lower", "lower_evidence", "upper", "upper_evidence"])
        form(kind in ("none", "one field", "random points"), "closure.kind must be none, one field or random points")
        lower, evidence = independent, "proved"
        if kind == "one field":
            truth(sum(bool(f.components) for f in self.fields) <= 1, "there are several fields: closure is not trivial")
            lower = self.D - brackets
        elif kind == "random points":
            lower, evidence = self.D - brackets, f"closed with error <= 2^-{ERROR_BITS}"
            self.check_closure()
        if kind == "one field":
            truth(brackets == sum(bool(f.components) for f in self.fields), "the field vanishes at the point given")
            self.sentences.append("a single field is closed under brackets")
        truth(
            type(claim["upper"]) is int and claim["upper"] == self.D - brackets,
            f"the upper bound is {self.D - brackets}",
        )
        truth(type(claim["lower"]) is int and claim["lower"] == lower, f"the lower bound is {lower}")
        truth(claim["lower_evidence"] == evidence, f"the lower bound is {evidence}")
        truth(claim["upper_evidence"] == "proved", "the upper bound is proved")
        self.sentences.append(f"at least {lower} independent laws ({evidence}), at most {self.D - brackets} (proved)")
        self.sentences.append(
            f"a proof about the {len(self.fields)} fields listed; whether they are those of "
            f"{self.doc['model'].get('description')!a:.200} was not checked"
        )

    def check_closure(self) -> None:
        """At random points mod random primes, a random field and a random [X, B] lie in the span of the basis."""
        truth(self.basis, "an empty basis spans no field")
        whole, spanning = Combination([(1, f) for f in self.fields]), Combination([(1, b) for b in self.basis])
        # a minor of the basis and one row more: its degree, and the bits of its coefficients ((K + 1)! and the norms)
        degree = sum(b.degree for b in self.basis) + whole.degree + spanning.degree + 2
        bits = (
            sum(b.bits for b in self.basis) + (whole.degree + spanning.degree).bit_length() + whole.bits + spanning.bits
        )
        bits += sum(k.bit_length() for k in range(1, len(self.basis) + 2))
        low = 1 << (CLOSURE_BITS - 1)  # more than low / (2 * CLOSURE_BITS) primes lie in [low, 2 low)
        error = 2 * (Fraction(degree, low) + Fraction(bits // (CLOSURE_BITS - 1) + 1, low // (2 * CLOSURE_BITS)))
        total, points = Fraction(1), 0
        while total > Fraction(1, 2**ERROR_BITS):
            truth(error < 1 and points < MAX_POINTS, "the closure cannot be shown with a small error: sizes too large")
            p = self.random_prime(low)
            point = [self.random.randrange(p) for _ in range(self.D)]
            mixed = [self.mixed(self.fields, p), Bracket(self.mixed(self.fields, p), self.mixed(self.basis, p))]
            rows = rows_at([*self.basis, *mixed], point, p)
            truth(self.rank(rows[:-2], p) == len(self.basis), "the basis is not independent at a random point")
            truth(
                self.rank(rows, p) == len(self.basis),
                "the brackets are not closed: a further one is independent of them",
            )
            total, points = total * error, points + 1
        self.sentences.append(f"the brackets are closed at {points} random points: error <= 2^-{ERROR_BITS}")

    def mixed(self, members: Sequence[Member], p: int) -> Combination:
        return Combination([(self.random.randrange(p), m) for m in members])

    def random_prime(self, low: int) -> int:
        while not is_prime(p := low + self.random.randrange(low)):
            pass
        return p


def verify_text(text: str, rank: Callable[[list[list[int]], int], int] = rank) -> tuple[int, list[str]]:
    """(exit status, sentences) for the text of a certificate; ``rank`` may be a faster one."""
    checker = None
    try:
        checker = Checker(read_json(text), rank)
        checker.run()
        return 0, checker.sentences
    except NotACertificate as error:
        return 2, [f"not a certificate: {error}"]
    except TooMuch as error:
        return 3, [*(checker.sentences if checker else []), f"undecided: {error}"]
    except Untrue as error:
        return 1, [*(checker.sentences if checker else []), f"FALSE: {error}"]


def main(paths: list[str]) -> int:
    """Verify files (- is standard input); the exit status is the worst one."""
    worst = 0
    for path in paths:
        try:
            with open(0 if path == "-" else path, encoding="utf-8") as file:
                status, sentences = verify_text(file.read())
        except (OSError, UnicodeDecodeError) as error:
            status, sentences = 2, [f"not a certificate: {error}"]
        worst = max(worst, status, key=SEVERITY.index)
        print(
            f"{path}: {('verified', 'NOT VERIFIED', 'NOT A CERTIFICATE', 'UNDECIDED')[status]}", *sentences, sep="\n  "
        )
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["-"]))
