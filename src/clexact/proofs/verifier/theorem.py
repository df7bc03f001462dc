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
  all indices that the combinations need exist throughout the regime (``check_sizes``);
* momentum: velocities stand beside the positions, with a prime, and fields move them. The drift (theta', 0) leaves the
  places where dead coordinates are zero if a velocity is alive only where its position is; then its brackets with local
  fields are local. Where velocities are large, damping, weight decay and the clock only add smaller terms to them, so
  the rank is as large with these, and one more of the clock. Laws are bilinear, <theta', A theta>: with damping they
  are multiplied by a function of the time;
* weight decay: laws that are homogeneous are multiplied by a power of e^(decay t), and the clock adds one to the rank;
* classes: where the covectors sum to zero over an index that stands in them and one parameter of each product, turn
  that axis so that all ones become one unit vector. What is left is the network with one class fewer, and parameters
  that do not move (``check_classes``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import factorial, prod
from typing import Any

FORMAT, PRIME, LIMIT = "clexact-theorem-2", 2**61 - 1, 10**6  # products looked at in one step, at most
DRIFT = "drift"
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


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def verify_bytes(data: bytes) -> tuple[int, list[str]]:
    """Of a file: 0 and what is proved, 1 and what is false, or 2 if it is no document."""
    try:
        document = json.loads(data.decode(), parse_float=str, parse_constant=str, object_pairs_hook=unique)
        title, proved = str(document.get("title")), verify_theorem(document)
    except RefusedError as error:
        return 1, [f"FALSE: {error}"]
    except (ValueError, AttributeError, RecursionError) as error:
        return 2, [f"not a certificate: {error}"]
    flow = "mirror" if any(part["positive"] for part in document["parts"]) else document["flow"]
    with_decay = " with weight decay" * document["decay"] + ", covectors of sum zero," * bool(document["classes"])
    about = f"of the {flow} flow{with_decay} of the networks and laws written in it (it calls them {title!a:.200})"
    return 0, [*(f"exactly {count} independent laws for all {where}" for where, count in proved), about]


def verify_theorem(document: Any) -> list[tuple[str, str]]:
    """The regimes proved: conditions on the sizes, and the number of laws. Whatever is wrong is a RefusedError."""
    try:
        need(document["format"] == FORMAT, "this is no theorem of a known format")
        check_keys(document)
        letters = document["letters"]
        need(len(set(letters)) == len(letters) and all(name.isidentifier() for name in letters), "the letters are bad")
        need(document["parts"] and document["regimes"], "nothing is claimed")
        flow, decay = document["flow"], document["decay"]
        need(flow in ("gradient", "momentum") and type(decay) is bool, "this is no flow")
        parts = [Part(part, letters, flow == "momentum") for part in document["parts"]]
        need(not decay or not any(part.positive for part in parts), "with weight decay no parameter is positive")
        check_apart([(part, names) for part in parts for names in part.copies])
        for part in parts:
            check_laws(part, decay)
        classes = document["classes"] and Classes(parts, document["classes"], letters)
        return [check_regime(parts, regime, letters, classes) for regime in document["regimes"]]
    except FAULTS as fault:
        raise RefusedError(f"not well formed ({type(fault).__name__}: {fault})") from None


def check_keys(document: Any) -> None:
    """Nothing is written that is not read, so nothing is that says of the rest what was not checked."""
    exactly(document, "format title letters flow decay classes parts regimes")
    if document["classes"] is not None:
        exactly(document["classes"], "fewer letter seeds")
    for part in document["parts"]:
        exactly(part, "copies sorts parameters seeds positive network laws")
        for law in part["laws"]:
            exactly(law, "indices terms")
    for regime in document["regimes"]:
        exactly(regime, "where law_count parts")
        for proof in regime["parts"]:
            exactly(proof, "atoms fields laws")
            exactly(proof["fields"], "point blocks")
            exactly({"columns": None} | proof["laws"], "point blocks columns")
            for atom in proof["atoms"].values():
                exactly(atom, "sorts twins size least")
            for block in proof["fields"]["blocks"] + proof["laws"]["blocks"]:
                exactly(block, "content rank ways")
                for way in block["ways"]:
                    exactly(way, "aux rows")


def exactly(data: Any, names: str) -> None:
    need(type(data) is dict and {*data} == {*names.split()}, f"it must have these keys: {names}")


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

    def __init__(self, data: Any, letters: list[str], momentum: bool) -> None:
        self.copies, self.sorts, self.positive = data["copies"], data["sorts"], set(data["positive"])
        self.parameters, self.seeds, self.momentum = data["parameters"], data["seeds"], momentum
        leaves = {**self.parameters, **self.seeds}
        need(not any(leaf.endswith("'") for leaf in leaves), "the names of velocities alone end so")
        need(not momentum or not self.positive, "with momentum no parameter is positive")
        velocities = {f"{leaf}'": axes for leaf, axes in self.parameters.items() if momentum}
        self.coordinates: Indices = {**self.parameters, **velocities}
        alike = all(c.keys() == leaves.keys() and len(set(c.values())) == len(c) for c in self.copies)
        need(self.copies and alike, "a copy does not name each leaf once")
        need(all(letter in letters for letter in self.sorts.values()), "a sort has a size that is no letter")
        need(len(leaves) == len(self.parameters) + len(self.seeds), "a name is both a parameter and a seed")
        need(self.positive <= self.parameters.keys(), "what is positive must be a parameter")
        need(all(sort in self.sorts for axes in leaves.values() for sort in axes), "an axis is of no sort")
        self.network = [Product(term, leaves, {}) for term in data["network"]]
        self.laws = [
            (law["indices"], [Product(term, self.coordinates, law["indices"]) for term in law["terms"]])
            for law in data["laws"]
        ]
        for term in self.network:  # so the network of fewer indices is this one with what has others zero
            twice = all(sum(v in factor[1:] for factor in term.factors) >= 2 for v in term.sorts)
            need(twice, "an index stands in one factor alone")
            seeded = any(leaf in self.seeds for leaf, *_ in term.factors)  # so that fields can be told from a drift
            need(seeded, "a product has no seed")

    def function(self, seed: dict[str, list[list[str]]], universe: Indices) -> Poly:
        """The network as a polynomial of the parameters: each seed is 1 at the entries given, others are zero."""
        found: Poly = {}
        for term in self.network:
            placed = [factor for factor in term.factors if factor[0] in self.seeds]
            for chosen in product(*(seed.get(leaf, []) for leaf, *_ in placed)):
                pairs = [p for (_, *own), at in zip(placed, chosen, strict=True) for p in zip(own, at, strict=True)]
                fixed: dict[str, str] = {}
                if all(fixed.setdefault(variable, index) == index for variable, index in pairs):
                    foreign = any(index not in universe[term.sorts[v]] for v, index in fixed.items())
                    need(not foreign, "a seed has a foreign index")
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

    def moves(self, function: Poly) -> Vector:
        """The field: the gradient, times the parameter where that is positive; with momentum it moves velocities."""
        slopes = gradient(function)
        if self.momentum:
            return {velocity(c): p for c, p in slopes.items()}
        return {c: times(p, {(c,): 1}) if c[0] in self.positive else p for c, p in slopes.items()}

    def drift(self, universe: Indices) -> Vector:
        """With momentum, the velocities move the positions."""
        axes = self.parameters.items() if self.momentum else ()
        entries = [(leaf, *own) for leaf, sorts in axes for own in product(*(universe[sort] for sort in sorts))]
        return {c: {(velocity(c),): 1} for c in entries}


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


def check_laws(part: Part, decay: bool) -> None:
    """Each law is constant along all fields, at all sizes: it is at the sizes that all indices of two products need."""
    for which, (names, terms) in enumerate(part.laws):
        degrees = [sorted(leaf.endswith("'") for leaf, *_ in term.factors) for term in terms]
        need(not part.momentum or all(each == [False, True] for each in degrees), "a law of momentum is not bilinear")
        need(not decay or len({len(each) for each in degrees}) == 1, "with weight decay a law is not homogeneous")
        most = {s: max([1, *([*term.sorts.values()].count(s) for term in terms)]) for s in part.sorts}
        for a, b in product(terms, part.network):
            for (leaf, *f), (other, *g) in product(a.factors, b.factors):
                for sort in part.sorts if leaf.rstrip("'") == other else ():
                    met = max(len({v for v in own if t.sorts[v] == sort}) for own, t in ((f, a), (g, b)))
                    both = [*a.sorts.values(), *b.sorts.values()].count(sort) - met
                    most[sort] = max(most[sort], both)
        universe = {sort: [f"{sort}.{k}" for k in range(most[sort])] for sort in part.sorts}
        network: Poly = {}
        for term in part.network:
            for entries in term.at(universe, {}):
                add(network, tuple(sorted(entries)), term.coefficient)
        fields = part.moves(network) | part.drift(universe)  # with the seeds as variables
        for indices in product(*(universe[sort] for sort in names.values())):
            slopes = gradient(part.law(which, list(indices), universe))
            change = total(times(slope, fields.get(c, {})) for c, slope in slopes.items())
            need(not change, f"law {which + 1} is not conserved")


class Classes:
    """Covectors of sum zero along their last axis: there is one class fewer, and some parameters do not move."""

    def __init__(self, parts: list[Part], data: Any, letters: list[str]) -> None:
        """Those named have one axis of the size ``fewer``, ``letter`` minus 1, which is the size of nothing else."""
        self.fewer, self.letter, names = data["fewer"], data["letter"], data["seeds"]
        need({self.fewer, self.letter} <= set(letters) and self.fewer != self.letter, "classes have two letters")
        self.idle = list[Poly]()
        for part in parts:
            sorts = [sort for sort, size in part.sorts.items() if size == self.fewer]
            need(len(sorts) == 1, "one sort of a part must be that of the classes")
            covectors = [[leaf for leaf in part.seeds if copy[leaf] in names] for copy in part.copies]
            need(all(each == covectors[0] for each in covectors), "copies have the same covectors")
            need(all(part.seeds[leaf][-1:] == sorts for leaf in covectors[0]), "covectors end with the axis of classes")
            for term in part.network:
                (variable,) = [v for v, sort in term.sorts.items() if sort == sorts[0]]
                held = [leaf for leaf, *own in term.factors for v in own if v == variable]
                own = sorted(held, key=lambda leaf: leaf in part.parameters)
                once = len(held) == 2 and own[0] in covectors[0] and own[1] in part.parameters
                need(once, "the classes stand elsewhere than in one covector and one parameter of each product")
            for leaf, axes in part.parameters.items():
                if sorts[0] in axes:
                    need(leaf not in part.positive, "a parameter of the classes is positive")
                    need(axes.count(sorts[0]) == 1, "a parameter has the axis of classes twice")
                    rest = [{(part.sorts[s],): 1} for s in axes if s != sorts[0]]
                    self.idle += [times(*rest)] * len(part.copies) * (1 + part.momentum)

    def said(self, poly: Poly) -> Poly:
        """A polynomial in the letters that are said."""
        one_fewer = {(self.letter,): 1, (): -1}
        return total(times({(): v}, *(one_fewer if n == self.fewer else {(n,): 1} for n in m)) for m, v in poly.items())


def check_regime(parts: list[Part], regime: Any, letters: list[str], classes: Any) -> tuple[str, str]:
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
            held = total(atom.size for atom in atoms.values() for own in (atom.sorts, atom.twins) if sort in own)
            need(held == {(size,): 1}, f"the atoms of {sort} do not add up to {size}")
        moved, laws = (Blocks(part, atoms, proof[rows], rows == "laws").rank() for rows in ("fields", "laws"))
        sizes = [times(*({(part.sorts[sort],): 1} for sort in axes)) for axes in part.coordinates.values()]
        above += [*sizes, times(moved, {(): -1})] * len(part.copies)
        below += [laws] * len(part.copies)
    need(total(above) == count, "dimension minus rank is not the count")
    need(total(below) == count, "the rank of the laws is not the count")
    forms = [({(name,) if name else (): c for name, c in form.items()}, bound) for form, bound in where]
    if classes:
        forms = [(classes.said(form), bound) for form, bound in forms]
        count = classes.said(total([count, *classes.idle]))
    return ", ".join(f"{written(form)} >= {bound}" for form, bound in forms), written(count)


def written(poly: Poly) -> str:
    words = ["*".join([*([str(abs(c))] * (abs(c) != 1 or not m)), *m]) for m, c in poly.items()]
    signs = ["-" if c < 0 else "+" for c in poly.values()]
    return " ".join(f"{sign} {word}" for sign, word in zip(signs, words, strict=True)).removeprefix("+ ") or "0"


class Atom:
    """A kind of indices: of which sorts they are, and of which twice, how many there are, and at least how many."""

    def __init__(self, name: str, data: Any, letters: list[str], where: list[Any]) -> None:
        self.sorts, self.twins, self.least = set(data["sorts"]), set(data["twins"]), data["least"]
        need(self.twins <= self.sorts, "a sort has twins of what it has not")
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
        """Of each sort; where it has an atom twice, A1* is another index, which is in a content where A1 is."""
        found: Indices = {}
        for sort in self.part.sorts:
            found[sort] = [i for i in indices if sort in self.atoms[kind(i)].sorts]
            found[sort] += [f"{i}*" for i in indices if sort in self.atoms[kind(i)].twins]
        return found

    def check_local(self) -> None:
        """One index inside (1) and one outside (2) for each atom; of single atoms, inside."""
        inside = self.universe([f"{a}1" for a in self.atoms])
        every = self.universe([f"{a}{k}" for a, atom in self.atoms.items() for k in range(1, 3 - atom.single)])
        for leaf, *own in () if self.laws else self.point:
            need(not leaf.endswith("'") or [leaf[:-1], *own] in self.point, "a velocity moves what must stay zero")
        laws = [(term, list(names)) for names, terms in self.part.laws for term in terms]
        for term, held in laws if self.laws else [(term, list[str]()) for term in self.part.network]:
            held = [*held, *(v for leaf, *own in term.factors if leaf in self.part.seeds for v in own)]
            held = list(dict.fromkeys(held))
            for values in product(*(inside[term.sorts[v]] for v in held)):
                for entries in term.at(every, dict(zip(held, values, strict=True))):
                    outer = [c for c in entries if any(i.endswith("2") for i in indices_of(c))]
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
                types = {a: sum(kind(i) == a for i in indices_of(c)) for a in map(kind, c[1:])}
                need(indices_of(c) == own or types in earlier, "a combination does not vanish where it must")
            matrix.append({c: residue(row[c]) for c in row if self.seen(c) and indices_of(c) == own})
        need(rank(matrix) == len(matrix) == block["rank"], "the combinations are not independent, as many as the rank")

    def value(self, recipe: Any, universe: Indices, known: dict[str, Vector]) -> Vector:
        """A bracket or a law's gradient, at the point; where parameters are positive, of their logarithms: as good."""
        if self.laws:
            which, indices = recipe
            need(type(which) is int and which >= 0, "a law has a number")
            vector = gradient(self.part.law(which, indices, universe))
        else:
            need(recipe != DRIFT, "the drift by itself is not local")
            moves = self.bracket(recipe, universe, known)
            vector = {c: without(p, c) if c[0] in self.part.positive else p for c, p in moves.items()}
        return {c: {m: v for m, v in p.items() if all(map(self.alive, m))} for c, p in vector.items()}

    def bracket(self, recipe: Any, universe: Indices, known: dict[str, Vector]) -> Vector:
        """Of fields, or a field itself, or the drift."""
        if (key := repr(recipe)) not in known:
            if recipe == DRIFT:
                need(self.part.momentum, "a drift belongs to momentum")
                known[key] = self.part.drift(universe)
            elif isinstance(recipe, dict):
                known[key] = self.part.moves(self.part.function(recipe, universe))
            else:
                x, y = (self.bracket(each, universe, known) for each in recipe)
                a, b = along(x, y), along(y, x)
                known[key] = {c: total([a.get(c, {}), times(b.get(c, {}), {(): -1})]) for c in a.keys() | b.keys()}
        return known[key]


def velocity(c: Coordinate) -> Coordinate:
    return (f"{c[0]}'", *c[1:])


def kind(index: str) -> str:
    return index.rstrip("0123456789*")


def indices_of(c: Coordinate) -> set[str]:
    return {i.rstrip("*") for i in c[1:]}


def fits(pattern: list[str], c: Coordinate) -> bool:
    """Equal names in a pattern mean equal indices; different names of one atom may be equal ones or not."""
    if len(pattern) != len(c) or pattern[0] != c[0]:
        return False
    met: dict[str, str] = {}
    for p, i in zip(pattern[1:], c[1:], strict=True):
        own = i.rstrip("*")
        if kind(p) != kind(i) or p.endswith("*") != i.endswith("*") or met.setdefault(p.rstrip("*"), own) != own:
            return False
    return True


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
