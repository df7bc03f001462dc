r"""A verifier of theorems for all sizes, in standard Python: it shares no code with what found them.

A document states networks as sums of products over indices, such as $C_i U_{ik} V_{jk} x_j$, their laws likewise, and
regimes: conditions on the sizes where a polynomial counts the independent laws near a generic parameter. The proof is
that of ``docs/explanation/theorems.md``:

* laws: $\langle\nabla h, X\rangle = 0$ at all sizes if at those that hold all indices of two products (``check_laws``);
* locality: the point is zero but where indices are of certain kinds (*atoms*), and equal where it says so. With a set
  J of indices inside, no product with at most one factor that is dead (zero at the point, an index outside) leaves J:
  fields with seeds in J, and their brackets, are those of the network of J. Equalities survive when indices of one atom
  are merged, so one index inside and one outside for each atom decide this (``check_local``);
* ranks: for each type of contents (the indices of a coordinate), combinations of brackets vanish outside one content
  and earlier types, and are independent there. So rank >= the sum of rank * product of binomials (``check_block``);
* counts: dimension minus that rank, and the rank of the laws' gradients by the same argument, are one polynomial, and
  all indices that the combinations need exist throughout the regime (``check_sizes``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import factorial, prod
from typing import Any

FORMAT, PRIME, LIMIT = "clexact-theorem-1", 2**61 - 1, 10**6  # products looked at in one step, at most
FAULTS = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, SyntaxError, RecursionError)

Poly = dict[tuple[Any, ...], Any]  # sorted letters or coordinates, repeated, to coefficients
Coordinate = tuple[str, ...]  # the name of a parameter, then indices such as A1: number 1 of the atom A
Vector = dict[Coordinate, Poly]
Indices = dict[str, list[str]]  # of each sort


class RefusedError(Exception):
    """Why a document proves nothing."""


def need(holds: object, reason: str) -> None:
    if not holds:
        raise RefusedError(reason)


def verify_bytes(data: bytes) -> tuple[int, list[str]]:
    """Of a file: 0 and what is proved, 1 and what is false, or 2 if it is no document."""
    try:
        document = json.loads(data.decode(), parse_float=str, parse_constant=str)
        title, proved = str(document.get("title")), verify_theorem(document)
    except RefusedError as error:
        return 1, [f"FALSE: {error}"]
    except (ValueError, AttributeError, RecursionError) as error:
        return 2, [f"not a certificate: {error}"]
    about = f"of the networks and laws written in it (it calls them {title!a:.200})"
    return 0, [*(f"exactly {count} independent laws for all {where}" for where, count in proved), about]


def verify_theorem(document: Any) -> list[tuple[str, str]]:
    """The regimes proved: conditions on the sizes, and the number of laws. Whatever is wrong is a RefusedError."""
    try:
        need(document["format"] == FORMAT, "this is no theorem of a known format")
        letters = document["letters"]
        need(len(set(letters)) == len(letters) and all(name.isidentifier() for name in letters), "the letters are bad")
        need(document["parts"] and document["regimes"], "nothing is claimed")
        parts = [Part(part, letters) for part in document["parts"]]
        check_apart([(part, names) for part in parts for names in part.copies])
        for part in parts:
            check_laws(part)
        return [check_regime(parts, regime, letters) for regime in document["regimes"]]
    except FAULTS as fault:
        raise RefusedError(f"not well formed ({type(fault).__name__}: {fault})") from None


class Product:
    """A coefficient and factors (leaf, variables...); a variable is of the sort of the axes where it stands."""

    def __init__(self, data: Any, leaves: Indices, given: dict[str, str]) -> None:
        self.coefficient, factors = data
        self.factors, self.sorts = [tuple(factor) for factor in factors], dict(given)
        need(type(self.coefficient) is int and self.coefficient, "a coefficient must be an integer other than 0")
        for leaf, *variables in self.factors:
            for variable, sort in zip(variables, leaves[leaf], strict=True):
                need(self.sorts.setdefault(variable, sort) == sort, f"the index {variable} is of two sorts")

    def at(self, universe: Indices, fixed: dict[str, str]) -> Iterator[list[Coordinate]]:
        """The products of entries, over all indices of the universe; some variables are fixed."""
        free = [universe[sort] for variable, sort in self.sorts.items() if variable not in fixed]
        need(prod(map(len, free)) <= LIMIT, "a sum is too large")
        for chosen in product(*free):
            value = {**fixed, **dict(zip((v for v in self.sorts if v not in fixed), chosen, strict=True))}
            yield [(leaf, *(value[v] for v in variables)) for leaf, *variables in self.factors]


class Part:
    """Products of a network with their laws; ``copies`` name the leaves of each part that is this one but for names."""

    def __init__(self, data: Any, letters: list[str]) -> None:
        self.copies, self.sorts, self.positive = data["copies"], data["sorts"], set(data["positive"])
        self.parameters, self.seeds = data["parameters"], data["seeds"]
        leaves = {**self.parameters, **self.seeds}
        alike = all(c.keys() == leaves.keys() and len(set(c.values())) == len(c) for c in self.copies)
        need(self.copies and alike, "a copy does not name each leaf once")
        need(all(letter in letters for letter in self.sorts.values()), "a sort has a size that is no letter")
        need(len(leaves) == len(self.parameters) + len(self.seeds), "a name is both a parameter and a seed")
        need(self.positive <= self.parameters.keys(), "what is positive must be a parameter")
        need(all(sort in self.sorts for axes in leaves.values() for sort in axes), "an axis is of no sort")
        self.network = [Product(term, leaves, {}) for term in data["network"]]
        self.laws = [
            (law["indices"], [Product(term, self.parameters, law["indices"]) for term in law["terms"]])
            for law in data["laws"]
        ]
        for term in self.network:  # so the network of fewer indices is this one with what has others zero
            twice = all(sum(v in factor[1:] for factor in term.factors) >= 2 for v in term.sorts)
            need(twice, "an index stands in one factor alone")

    def function(self, seed: Indices, universe: Indices) -> Poly:
        """The network as a polynomial of the parameters: each seed is 1 at the indices given, others are zero."""
        found: Poly = {}
        for term in self.network:
            placed = [factor for factor in term.factors if factor[0] in self.seeds]
            if any(leaf not in seed for leaf, *_ in placed):
                continue
            pairs = [pair for leaf, *own in placed for pair in zip(own, seed[leaf], strict=True)]
            fixed: dict[str, str] = {}
            if all(fixed.setdefault(variable, index) == index for variable, index in pairs):
                need(all(index in universe[term.sorts[v]] for v, index in fixed.items()), "a seed has a foreign index")
                for entries in term.at(universe, fixed):
                    add(found, tuple(sorted(c for c in entries if c[0] in self.parameters)), term.coefficient)
        return found

    def law(self, which: int, indices: list[str], universe: Indices) -> Poly:
        """A law as a polynomial of the parameters."""
        names, terms = self.laws[which]
        fixed, found = dict(zip(names, indices, strict=True)), dict[Any, Any]()
        need(all(fixed[name] in universe[sort] for name, sort in names.items()), "a law has a foreign index")
        for term in terms:
            for entries in term.at(universe, fixed):
                add(found, tuple(sorted(entries)), term.coefficient)
        return found


def check_apart(every: list[tuple[Part, dict[str, str]]]) -> None:
    """No parameter stands in two copies, and each product of one has a seed that no other copy has."""
    for here, (one, names) in enumerate(every):
        seeds, own = {names[leaf] for leaf in one.seeds}, {names[leaf] for leaf in one.parameters}
        for there, (other, theirs) in enumerate(every):
            if there != here:
                need(not own & set(theirs.values()), "two parts share a parameter")
                for term in other.network:
                    need(
                        {theirs[leaf] for leaf, *_ in term.factors if leaf in other.seeds} - seeds, "parts share seeds"
                    )


def check_laws(part: Part) -> None:
    """Each law is constant along all fields, at all sizes: it is at the sizes that all indices of two products need."""
    for which, (names, terms) in enumerate(part.laws):
        most = dict.fromkeys(part.sorts, 1)
        for a, b in product(terms, part.network):
            for (leaf, *f), (other, *g) in product(a.factors, b.factors):
                for sort in part.sorts if leaf == other else ():
                    met = max(len({v for v in own if t.sorts[v] == sort}) for own, t in ((f, a), (g, b)))
                    both = [*a.sorts.values(), *b.sorts.values()].count(sort) - met
                    most[sort] = max(most[sort], both)
        universe = {sort: [f"{sort}.{k}" for k in range(most[sort])] for sort in part.sorts}
        network: Poly = {}
        for term in part.network:
            for entries in term.at(universe, {}):
                add(network, tuple(sorted(entries)), term.coefficient)
        fields = gradient(network)  # with the seeds as variables
        for indices in product(*(universe[sort] for sort in names.values())):
            change: Poly = {}
            for c, slope in gradient(part.law(which, list(indices), universe)).items():
                metric = {(c,): 1} if c[0] in part.positive else {(): 1}
                change = total([change, times(slope, metric, fields.get(c, {}))])
            need(not change, f"law {which + 1} is not conserved")


def check_regime(parts: list[Part], regime: Any, letters: list[str]) -> tuple[str, str]:
    """Its conditions and its count, once all is verified."""
    where, count = regime["where"], {tuple(m): Fraction(n, d) for n, d, *m in regime["law_count"] if n}
    need(
        all({*form} <= {"", *letters} and {int} >= {type(c) for c in (bound, *form.values())} for form, bound in where),
        "a condition must be a linear form in the letters and an integer",
    )
    need(all([*m] == sorted(m) and set(m) <= set(letters) for m in count), "a count has letters in order")
    need(len(count) == len(regime["law_count"]), "a count has each monomial once")
    above, below = list[Poly](), list[Poly]()
    for part, proof in zip(parts, regime["parts"], strict=True):
        atoms = {name: Atom(name, data, letters, where) for name, data in proof["atoms"].items()}
        for sort, size in part.sorts.items():
            held = total(atom.size for atom in atoms.values() if sort in atom.sorts)
            need(held == {(size,): 1}, f"the atoms of {sort} do not add up to {size}")
        moved, laws = (Blocks(part, atoms, proof[rows], rows == "laws").rank() for rows in ("fields", "laws"))
        sizes = [times(*({(part.sorts[sort],): 1} for sort in axes)) for axes in part.parameters.values()]
        above += [*sizes, times(moved, {(): -1})] * len(part.copies)
        below += [laws] * len(part.copies)
    need(total(above) == count, "dimension minus rank is not the count")
    need(total(below) == count, "the rank of the laws is not the count")
    forms = [({(name,) if name else (): c for name, c in form.items()}, bound) for form, bound in where]
    return ", ".join(f"{written(form)} >= {bound}" for form, bound in forms), written(count)


def written(poly: Poly) -> str:
    words = ["*".join([*([str(abs(c))] * (abs(c) != 1 or not m)), *m]) for m, c in poly.items()]
    signs = ["-" if c < 0 else "+" for c in poly.values()]
    return " ".join(f"{sign} {word}" for sign, word in zip(signs, words, strict=True)).removeprefix("+ ") or "0"


class Atom:
    """A kind of indices: of which sorts they are, how many there are, and at least how many."""

    def __init__(self, name: str, data: Any, letters: list[str], where: list[Any]) -> None:
        self.sorts, self.least = set(data["sorts"]), data["least"]
        size, self.constant = {n: c for n, c in data["size"].items() if n and c}, data["size"].get("", 0)
        need(name.isalpha() and set(size) <= set(letters), "an atom has a bad name or size")
        need(all(type(c) is int for c in (*size.values(), self.constant, self.least)), "sizes must be integers")
        self.size: Poly = {(n,): c for n, c in size.items()} | ({(): self.constant} if self.constant else {})
        self.single = self.size == {(): 1}
        says = [b for form, b in where if {n: c for n, c in form.items() if c} == size and type(b) is int]
        least = any(bound + self.constant >= self.least for bound in says)
        need(
            self.single or (least and self.least >= 0), f"the regime does not say how many indices {name} has at least"
        )


class Blocks:
    """Ranks by contents: of fields with their brackets, or of the gradients of laws."""

    def __init__(self, part: Part, atoms: dict[str, Atom], data: Any, laws: bool) -> None:
        self.part, self.atoms, self.laws = part, atoms, laws
        self.point, self.blocks, self.columns = data["point"], data["blocks"], data.get("columns") if laws else None
        self.check_local()
        self.check_sizes()
        earlier: list[dict[str, int]] = []
        for block in self.blocks:
            need(block["content"] not in earlier, "a type of contents stands twice")
            for way in block["ways"]:
                self.check_block(block, way, earlier)
            earlier.append(block["content"])

    def rank(self) -> Poly:
        chosen = ([binomial(self.atoms[a].size, k) for a, k in block["content"].items()] for block in self.blocks)
        return total(times({(): b["rank"]}, *some) for b, some in zip(self.blocks, chosen, strict=True) if b["rank"])

    def alive(self, c: Coordinate) -> bool:
        """Whether the point is not zero there."""
        return any(fits(pattern, c) for pattern in self.point)

    def seen(self, c: Coordinate) -> bool:
        """Whether ranks are of this coordinate too: of laws, some may be left out."""
        return self.columns is None or any(fits(pattern, c) for pattern in self.columns)

    def universe(self, indices: list[str]) -> Indices:
        return {sort: [i for i in indices if sort in self.atoms[kind(i)].sorts] for sort in self.part.sorts}

    def check_local(self) -> None:
        """One index inside (1) and one outside (2) for each atom; of single atoms, inside."""
        inside = self.universe([f"{a}1" for a in self.atoms])
        every = self.universe([f"{a}{k}" for a, atom in self.atoms.items() for k in range(1, 3 - atom.single)])
        laws = [(term, list(names)) for names, terms in self.part.laws for term in terms]
        for term, held in laws if self.laws else [(term, list[str]()) for term in self.part.network]:
            held = [*held, *(v for leaf, *own in term.factors if leaf in self.part.seeds for v in own)]
            held = list(dict.fromkeys(held))
            for values in product(*(inside[term.sorts[v]] for v in held)):
                for entries in term.at(every, dict(zip(held, values, strict=True))):
                    outer = [c for c in entries if any(i.endswith("2") for i in c[1:])]
                    dead = [c for c in outer if not self.alive(c)]
                    own = any(map(self.seen, dead or entries))  # one of these may be the coordinate of this component
                    need(not outer or len(dead) >= 2 or not own, "a value at the point is not local")

    def check_sizes(self) -> None:
        """The indices that a way needs exist wherever its contents do, at all sizes of the regime."""
        used, most = list[Any](), {a: atom.least for a, atom in self.atoms.items()}
        for block in self.blocks:
            content, ways = block["content"], [way["aux"] for way in block["ways"]]
            counts = [*content.values(), *(k for aux in ways for k in aux.values())]
            need(all(type(k) is int and k >= 1 for k in counts), "contents and auxiliary indices are positive numbers")
            need(type(block["rank"]) is int and block["rank"] >= 0, "a rank must be an integer, not negative")
            both = [{a: content.get(a, 0) + aux.get(a, 0) for a in {**content, **aux}} for aux in ways]
            for each in (content, *both):
                most |= {a: max(most[a], k) for a, k in each.items()}
            used += [(content, both)] if block["rank"] else []
        ranges = [[1] if atom.single else range(atom.least, most[a] + 1) for a, atom in self.atoms.items()]
        for sizes in product(*ranges):
            have = dict(zip(self.atoms, sizes, strict=True))
            for content, both in used:
                there = any(all(have[a] >= k for a, k in each.items()) for each in both)
                need(there or any(have[a] < k for a, k in content.items()), "an auxiliary index may be missing")

    def check_block(self, block: Any, way: Any, earlier: list[dict[str, int]]) -> None:
        """Combinations that vanish outside one content and earlier types, and are independent there."""
        content, known, matrix = block["content"], dict[str, Vector](), list[dict[Any, int]]()
        own = {f"{a}{k}" for a, most in content.items() for k in range(1, most + 1)}
        both = {a: max(content.get(a, 0) + way["aux"].get(a, 0), atom.single) for a, atom in self.atoms.items()}
        universe = self.universe([f"{a}{k}" for a, most in both.items() for k in range(1, most + 1)])
        for combination in way["rows"]:
            row: Vector = {}
            for coefficient, recipe in combination:
                factor = {tuple(sorted(map(tuple, factors))): number for number, factors in coefficient}
                alive = all(self.alive(c) for monomial in factor for c in monomial)
                need(alive and all(type(c) is int for c in factor.values()), "a coefficient is not of the point")
                for c, value in self.value(recipe, universe, known).items():
                    row[c] = total([row.get(c, {}), times(value, factor)])
            for c in [c for c in row if self.seen(c) and row[c]]:
                types = {a: sum(kind(i) == a for i in set(c[1:])) for a in map(kind, c[1:])}
                need(set(c[1:]) == own or types in earlier, "a combination does not vanish where it must")
            matrix.append({c: residue(row[c]) for c in row if self.seen(c) and set(c[1:]) == own})
        need(rank(matrix) == len(matrix) == block["rank"], "the combinations are not independent, as many as the rank")

    def value(self, recipe: Any, universe: Indices, known: dict[str, Vector]) -> Vector:
        """A bracket or a law's gradient, at the point; where parameters are positive, of their logarithms: as good."""
        if self.laws:
            which, indices = recipe
            need(type(which) is int and which >= 0, "a law has a number")
            vector = gradient(self.part.law(which, indices, universe))
        else:
            moves = self.bracket(recipe, universe, known)
            vector = {c: without(p, c) if c[0] in self.part.positive else p for c, p in moves.items()}
        return {c: {m: v for m, v in p.items() if all(map(self.alive, m))} for c, p in vector.items()}

    def bracket(self, recipe: Any, universe: Indices, known: dict[str, Vector]) -> Vector:
        """Of fields, or a field itself: the gradient, times the parameter where that is positive."""
        if (key := repr(recipe)) not in known:
            if isinstance(recipe, dict):
                slopes = gradient(self.part.function(recipe, universe))
                known[key] = {c: times(p, {(c,): 1}) if c[0] in self.part.positive else p for c, p in slopes.items()}
            else:
                x, y = (self.bracket(each, universe, known) for each in recipe)
                a, b = along(x, y), along(y, x)
                known[key] = {c: total([a.get(c, {}), times(b.get(c, {}), {(): -1})]) for c in a.keys() | b.keys()}
        return known[key]


def kind(index: str) -> str:
    return index.rstrip("0123456789")


def fits(pattern: list[str], c: Coordinate) -> bool:
    """Equal names in a pattern mean equal indices; different names of one atom may be equal ones or not."""
    if len(pattern) != len(c) or pattern[0] != c[0]:
        return False
    pairs, met = list(zip(pattern[1:], c[1:], strict=True)), dict[str, str]()
    return all(kind(p) == kind(i) and met.setdefault(p, i) == i for p, i in pairs)


def add(poly: Poly, monomial: tuple[Any, ...], coefficient: Any) -> None:
    poly[monomial] = poly.get(monomial, 0) + coefficient
    if not poly[monomial]:
        del poly[monomial]


def total(polys: Any) -> Poly:
    found: Poly = {}
    for poly in polys:
        for monomial, coefficient in poly.items():
            add(found, monomial, coefficient)
    return found


def times(*polys: Poly) -> Poly:
    found: Poly = {(): 1}
    for poly in polys:
        before, found = found, {}
        for (m, a), (n, b) in product(before.items(), poly.items()):
            add(found, tuple(sorted(m + n)), a * b)
    return found


def binomial(size: Poly, k: int) -> Poly:
    return times({(): Fraction(1, factorial(k))}, *(total([size, {(): -i}]) for i in range(k)))


def gradient(function: Poly) -> Vector:
    found: Vector = {}
    for monomial, coefficient in function.items():
        for k, c in enumerate(monomial):
            add(found.setdefault(c, {}), monomial[:k] + monomial[k + 1 :], coefficient)
    return found


def along(x: Vector, y: Vector) -> Vector:
    slopes = {c: gradient(value) for c, value in x.items()}
    return {c: total(times(p, y[v]) for v, p in slope.items() if v in y) for c, slope in slopes.items()}


def without(poly: Poly, c: Coordinate) -> Poly:
    return {m[: m.index(c)] + m[m.index(c) + 1 :]: v for m, v in poly.items()}


def residue(poly: Poly) -> int:
    """Its value modulo a prime where each coordinate is a number made of its name: not 0 only if it is not 0."""
    numbers = {c: pow(int.from_bytes(repr(c).encode(), "big"), 5, PRIME) for m in poly for c in m}
    return int(sum(v * prod(numbers[c] for c in m) for m, v in poly.items()) % PRIME)


def rank(matrix: list[dict[Any, int]]) -> int:
    pivots: dict[Any, dict[Any, int]] = {}
    for row in matrix:
        while (row := {c: v for c, v in row.items() if v}) and (lead := min(row)) in pivots:
            own = pivots[lead]
            row = {c: (row.get(c, 0) - row[lead] * own.get(c, 0)) % PRIME for c in row.keys() | own.keys()}
        if row:
            pivots[lead] = {c: v * pow(row[lead], -1, PRIME) % PRIME for c, v in row.items()}
    return len(pivots)
