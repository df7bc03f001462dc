"""The referee: verify a small certificate with a program by multiplying out, in the order in which one proves it.

    python referee.py FILE...      exit status 0: proved; 1: something is false; 2: no certificate; 3: not for a referee

Standard library only; imports nothing of the package and shares no line with ``verifier/``, which it judges
in the tests. No cache, no challenge, nothing random: each step is an identity of polynomials, or a rank.

1. The output g is written as polynomials in the parameters, the probes xi and nothing else; the fields are
   X = d<C, g>/dtheta, times a metric, plus c times a drift, if there are some. C, xi and c are free: X is all fields.
   Or fields X_i are listed in place of a program; then X is the sum of the c_i X_i.
2. Each law h is one: sum_j X_j dh/dx_j = 0, as a polynomial in x, xi, C and c.
3. The gradients of some laws have full rank modulo a prime at an integer point: so near a generic point.
4. So have some fields X_s and brackets [X_s, [X_t, ...]], s and t being integers for xi, C and c. Laws are conserved by
   brackets, so their gradients lie, near a generic point, in a space of D less this rank.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zlib
from fractions import Fraction
from itertools import product as indices
from math import lcm, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES, MAX_WORK, MAX_SIZE, MAX_BITS = 2 * 10**5, 10**6, 500, 16000
EVERY = ["format", "version", "sha256", "model", "assumptions", "dimension", "laws", "independence", "lie", "claim"]
NUMBER, NAME = r"[0-9]{1,4000}(?:/[1-9][0-9]{0,3999})?", r"[^\W\d]\w*'*"

Poly = dict[tuple[str, ...], Any]  # {names of the factors, sorted: coefficient}; no coefficient is 0
Array = dict[tuple[int, ...], Poly]  # {index: entry}


class Refusal(Exception):  # noqa: N818
    """What is no certificate (2), not true (1), or not for a referee (3)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def require(condition: object, message: str, status: int = 1) -> None:
    if not condition:
        raise Refusal(status, message)


def counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


# --- polynomials: sums of products of names ------------------------------------------------------------------------


class Ring:
    """Their arithmetic, over Q or modulo a prime, and the work that is left."""

    def __init__(self, modulus: int = 0, work: int = MAX_WORK) -> None:
        self.p, self.left = modulus, work

    def number(self, c: Fraction | int) -> Any:
        if not self.p:
            longest = max(c.numerator.bit_length(), c.denominator.bit_length())
            require(longest <= MAX_BITS, "its numbers are too long for a referee", 3)
            return c
        require(c.denominator % self.p, f"a denominator is not invertible modulo {self.p}")
        return c.numerator * pow(c.denominator, -1, self.p) % self.p

    def sum(self, *terms: Poly) -> Poly:
        out: Poly = {}
        for term in terms:
            self.work(len(term))
            for m, c in term.items():
                out[m] = self.number(out.get(m, 0) + c)
        return {m: c for m, c in out.items() if c}

    def times(self, a: Poly, b: Poly) -> Poly:
        out: Poly = {}
        for m, c in a.items():
            self.work(sum(len(m) + len(n) for n in b))
            for n, d in b.items():
                key = tuple(sorted(m + n))
                out[key] = self.number(out.get(key, 0) + c * d)
        return {m: c for m, c in out.items() if c}

    def partials(self, a: Poly) -> dict[str, Poly]:
        """{x: da/dx}."""
        out: dict[str, Poly] = {}
        for m, c in a.items():
            self.work(len(m) ** 2)
            for x in set(m):
                n = m.index(x)
                if k := self.number(c * m.count(x)):
                    out.setdefault(x, {})[m[:n] + m[n + 1 :]] = k
        return out

    def along(self, a: Poly, field: dict[str, Poly]) -> Poly:
        """sum_x field_x da/dx."""
        return self.sum(*(self.times(d, field[x]) for x, d in self.partials(a).items() if x in field))

    def bracket(self, a: dict[str, Poly], b: dict[str, Poly]) -> dict[str, Poly]:
        """da b - db a."""
        minus: Poly = {(): self.number(-1)}
        return {x: self.sum(self.along(a.get(x, {}), b), self.times(minus, self.along(b.get(x, {}), a))) for x in a | b}

    def at(self, a: Poly, values: dict[str, int]) -> Poly:
        """With numbers for some names."""
        out: Poly = {}
        for m, c in a.items():
            self.work(len(m) + 1)
            rest = tuple(x for x in m if x not in values)
            out[rest] = self.number(out.get(rest, 0) + c * prod(values[x] for x in m if x in values))
        return {m: c for m, c in out.items() if c}

    def work(self, steps: int) -> None:
        self.left -= steps + 1
        require(self.left >= 0, "it takes more work than a referee does", 3)


def rank(rows: list[list[int]], p: int) -> int:
    """Modulo a prime, by elimination."""
    rows, found = [row[:] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column] % p), None)
        if pivot is not None:
            rows[found], rows[pivot] = rows[pivot], rows[found]
            inverse = pow(rows[found][column], -1, p)
            for r in range(found + 1, len(rows)):
                c = rows[r][column] * inverse % p
                rows[r] = [(x - c * y) % p for x, y in zip(rows[r], rows[found], strict=True)]
            found += 1
    return found


def is_prime(n: int) -> bool:
    """For n < 2^64: n is a strong probable prime to the first twelve primes (Sorenson and Webster 2015)."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n < 41 or n % 2 == 0:
        return n in bases
    twos = next(k for k in range(64) if (n - 1) >> k & 1)
    return all(
        pow(a, (n - 1) >> twos, n) == 1 or any(pow(a, (n - 1) >> k, n) == n - 1 for k in range(1, twos + 1))
        for a in bases
    )


# --- reading -------------------------------------------------------------------------------------------------------


def of(value: Any, kind: type, what: str, keys: list[str] | None = None) -> Any:
    require(type(value) is kind, f"{what} must be of type {kind.__name__}", 2)
    require(keys is None or sorted(value) == sorted(keys), f"{what} must have the keys {keys}", 2)
    return value


def integers(value: Any, what: str) -> list[int]:
    require(all(type(x) is int and abs(x) < 2**64 for x in of(value, list, what)), f"{what} must hold integers", 2)
    return list(value)


def sparse(value: Any, names: list[str], what: str) -> dict[str, int]:
    """{name: integer} from [place, integer, ...], places increasing; names that are not listed are 0."""
    flat, out = integers(value, what), dict.fromkeys(names, 0)
    places = flat[::2]
    fine = len(flat) % 2 == 0 and places == sorted(set(places)) and all(0 <= i < len(names) for i in places)
    require(fine, f"{what} must list places, increasing, and values", 2)
    return out | {names[i]: x for i, x in zip(places, flat[1::2], strict=True)}


def rational(text: Any, what: str) -> Fraction:
    require(type(text) is str and re.fullmatch(f"-?{NUMBER}", text, re.ASCII), f"{what} is no rational number", 2)
    return Fraction(text)


def polynomial(text: Any, names: set[str], what: str) -> Poly:
    """From text such as 2/3*x^2*U[0,1] - z."""
    out: Poly = {}
    require(not re.search(r"[\w\]'] +\w", of(text, str, what)), f"{what}: a blank inside a term", 2)
    packed = text.replace(" ", "")
    terms = re.findall(r"([+-]?)([^+-]+)", packed)
    whole = "".join(map("".join, terms)) == packed and all(sign for sign, _ in terms[1:])
    require(terms and whole, f"{what}: no polynomial", 2)
    for sign, term in terms:
        factors, monomial, c = term.split("*"), list[str](), Fraction(-1 if sign == "-" else 1)
        if factors[0][:1].isdigit():
            c *= rational(factors.pop(0), what)
        for factor in factors:
            match = re.fullmatch(rf"({NAME}(?:\[[0-9,]+\])?)(?:\^([1-9][0-9]?))?", factor)
            require(match or not re.search(r"\^[0-9]{3}", factor), f"{what}: a power above 99 is not for a referee", 3)
            require(match and match[1] in names, f"{what}: {factor[:40]!a} is no power of a variable", 2)
            monomial += [match[1]] * int(match[2] or 1) if match else []
        key = tuple(sorted(monomial))
        out[key] = out.get(key, Fraction(0)) + c
    return {m: c for m, c in out.items() if c}


def entries(name: str, sizes: tuple[int, ...]) -> list[str]:
    """The names of the entries of an array, row by row."""
    return [f"{name}[{','.join(map(str, i))}]" if i else name for i in indices(*map(range, sizes))]


def arrays(value: Any, what: str) -> dict[str, tuple[int, ...]]:
    found = {name: tuple(integers(sizes, what)) for name, sizes in of(value, dict, what).items()}
    require(all(re.fullmatch(NAME, n) and "'" not in n for n in found), f"{what} have improper names", 2)
    for sizes in found.values():
        require(all(n >= 0 for n in sizes), f"{what} have a negative size", 2)
        require(
            prod(max(n, 1) for n in sizes) <= MAX_SIZE and len(sizes) <= 8, f"{what} are too large for a referee", 3
        )
    return found


# --- 1. the fields -------------------------------------------------------------------------------------------------


def operation(ring: Ring, node: list[Any], given: list[Array], theirs: list[tuple[int, ...]], what: str) -> Array:
    """The value of a node, whose shape must be the one that follows."""
    op, _, written, data = node
    sizes = tuple(integers(written, what))
    require(all(n >= 0 for n in sizes), f"{what} has a negative size", 2)
    require(prod(max(n, 1) for n in sizes) <= MAX_SIZE and len(sizes) <= 8, f"{what} is too large for a referee", 3)
    mine, arity = list(indices(*map(range, sizes))), {"add": 2, "multiply": 2, "matmul": 2, "constant": 0}.get(op, 1)
    require(len(given) == arity or (op == "concatenate" and given), f"{what} has not the inputs of its operation", 2)
    if op == "constant":
        flat = of(data, list, what)
        require(len(flat) % 2 == 0, f"{what} must list places and values", 2)
        places = sparse([x for i in flat[::2] for x in (i, 1)], list(map(str, range(len(mine)))), what)
        values = iter(flat[1::2])
        numbers = [rational(next(values), what) if there else Fraction(0) for there in places.values()]
        return {i: {(): c} if c else {} for i, c in zip(mine, numbers, strict=True)}
    first, shape = given[0], theirs[0]
    flat_first = [first[i] for i in indices(*map(range, shape))]
    match op:
        case "add" | "multiply":
            require(data is None and len(theirs[0]) == len(theirs[1]), f"{what}: shapes do not match", 2)
            pairs = list(zip(*theirs, strict=True))
            fit = all(m == n or 1 in (m, n) for m, n in pairs)
            require(fit and sizes == tuple(n if m == 1 else m for m, n in pairs), f"{what}: shapes do not match", 2)
            a, b = ([g[tuple(k % n for k, n in zip(i, s, strict=True))] for i in mine]
                    for g, s in zip(given, theirs, strict=True))  # fmt: skip
            combine = ring.sum if op == "add" else ring.times
            return {i: combine(x, y) for i, x, y in zip(mine, a, b, strict=True)}
        case "matmul":
            require(data is None and all(len(s) == 2 for s in theirs), f"{what}: stacks are not for a referee", 3)
            (n, k), (k2, m) = theirs
            require(k == k2 and sizes == (n, m), f"{what}: matrices do not match", 2)
            return {(i, j): ring.sum(*(ring.times(given[0][i, r], given[1][r, j]) for r in range(k))) for i, j in mine}
        case "transpose":
            axes = integers(data, what)
            right = sorted(axes) == list(range(len(shape))) and sizes == tuple(shape[a] for a in axes)
            require(right, f"{what} permutes no axes", 2)
            return {i: first[tuple(i[axes.index(a)] for a in range(len(axes)))] for i in mine}
        case "reshape":
            require(data is None and prod(sizes) == prod(shape), f"{what} changes the size", 2)
            return dict(zip(mine, flat_first, strict=True))
        case "take":
            taken = integers(data, what)
            right = len(taken) == len(mine) and all(0 <= i < len(flat_first) for i in taken)
            require(right, f"{what} takes what is not there", 2)
            return {i: flat_first[k] for i, k in zip(mine, taken, strict=True)}
        case "sum" | "concatenate":
            require(type(data) is int and all(0 <= data < len(s) for s in theirs), f"{what} has no such axis", 2)
            require(len({s[:data] + s[data + 1 :] for s in theirs}) == 1, f"{what}: shapes do not match", 2)
            rest, total = shape[:data] + shape[data + 1 :], sum(s[data] for s in theirs)
            if op == "sum":
                require(sizes == rest, f"{what}: the shape is wrong", 2)
                return {i: ring.sum(*(first[(*i[:data], k, *i[data:])] for k in range(total))) for i in mine}
            require(sizes == (*shape[:data], total, *shape[data + 1 :]), f"{what}: the shape is wrong", 2)
            row = [(g, k) for g, s in zip(given, theirs, strict=True) for k in range(s[data])]
            return {i: row[i[data]][0][(*i[:data], row[i[data]][1], *i[data + 1 :])] for i in mine}
    raise Refusal(3, f"{what}: the operation {str(op)[:40]!a} is not for a referee")


class Referee:
    """One document; ``sentences`` collects what is proved."""

    def __init__(self, document: Any, work: int) -> None:
        doc = self.doc = of(document, dict, "a certificate")
        require(doc.get("format") == "clexact-program-certificate-1", "the format is not that of a program", 2)
        for key, words in (("cases", "given inputs and starts"), ("source", "programs of earlier versions")):
            require(key not in doc, f"{words} are not for a referee", 3)
        optional = ["closure", *(() if "fields" in doc else ("phase", "gates"))]
        keys = ["fields"] if "fields" in doc else ["parameters", "probes", "program"]
        of(doc, dict, "a certificate", [*EVERY, *keys, *(key for key in optional if key in doc)])
        require(doc.get("closure", "one field") == "one field", "closure at random points is not for a referee", 3)
        for key, kind in (("version", str), ("sha256", str), ("model", dict), ("assumptions", list)):
            of(doc[key], kind, key)
        self.ring, self.sentences, self.still = Ring(0, work), list[str](), list[str]()
        if "fields" in doc:
            return
        self.parameters, self.probes = arrays(doc["parameters"], "parameters"), arrays(doc["probes"], "probes")
        require(not set(self.parameters) & set(self.probes), "a probe has the name of a parameter", 3)
        self.theta = [x for name, sizes in self.parameters.items() for x in entries(name, sizes)]
        self.xi = [f"probe {x}" for name, sizes in self.probes.items() for x in entries(name, sizes)]

    def run(self) -> None:
        what = "fields" if "fields" in self.doc else "program"
        text = json.dumps(self.hashed(), sort_keys=True, separators=(",", ":"))
        require(self.doc["sha256"] == hashlib.sha256(text.encode()).hexdigest(), f"sha256 is not that of the {what}")
        self.field = self.listed() if "fields" in self.doc else self.fields()
        D = self.doc["dimension"]
        require(type(D) is int and len(self.x) == D, f"the dimension is {len(self.x)}")
        self.claim(self.independent(self.laws()), self.brackets())

    def hashed(self) -> list[Any]:
        """What the fields are."""
        if "fields" in self.doc:
            return [self.doc["dimension"], self.doc["fields"]]
        leaves = [list(self.doc[key].items()) for key in ("parameters", "probes")]
        more = [self.doc["phase"]] if "phase" in self.doc else []
        more += [["gates", self.doc["gates"]]] if "gates" in self.doc else []
        return [*leaves, self.doc["program"], *more]

    def listed(self) -> dict[str, Poly]:
        """The sum of c_i X_i, each X_i times a number that makes its coefficients integers."""
        optional = ["parameters"] * ("parameters" in of(self.doc["fields"], dict, "fields"))
        data, out = of(self.doc["fields"], dict, "fields", ["variables", "components", *optional]), dict[str, Poly]()
        self.x, written = of(data["variables"], list, "variables"), of(data["components"], list, "components")
        fine = all(type(x) is str and re.fullmatch(rf"{NAME}(?:\[[0-9]+(?:,[0-9]+)*\])?", x) for x in self.x)
        require(fine, "a variable has no proper name", 2)
        require(len(set(self.x)) == len(self.x), "a variable stands twice")
        self.still = of(data.get("parameters", []), list, "fields.parameters")
        last = self.x[len(self.x) - len(self.still) :]
        require(not optional or self.still == last != [], "the parameters are not the last variables", 2)
        self.seed = [f"field {i}" for i in range(len(written))]
        for c, parts in zip(self.seed, written, strict=True):
            require(set(of(parts, dict, c)) <= set(self.x), f"{c} has an unknown component", 2)
            require(not set(parts) & set(self.still), f"{c} moves a parameter")
            read = {x: polynomial(text, set(self.x), c) for x, text in parts.items()}
            scale = self.common(k for p in read.values() for k in p.values())
            for x, p in read.items():
                out[x] = self.ring.sum(out.get(x, {}), self.ring.times({(c,): scale}, p))
        return out

    def fields(self) -> dict[str, Poly]:
        """{coordinate: component}, of all fields at once; sets the coordinates x and the names of seeds."""
        output, ring = list(self.output().values()), self.ring
        covector = [f"C {n}" for n in range(len(output))]
        self.x, self.seed = self.theta, self.xi + covector
        whole = ring.sum(*(ring.times({(c,): Fraction(1)}, g) for c, g in zip(covector, output, strict=True)))
        gradient = {x: d for x, d in ring.partials(whole).items() if x in set(self.theta)}
        return self.phase(gradient) if "phase" in self.doc else gradient

    def output(self) -> Array:
        data, values, shapes = of(self.doc["program"], dict, "program", ["nodes", "output"]), list[Array](), list[Any]()
        leaves = {"parameter": (self.parameters, ""), "probe": (self.probes, "probe ")}
        for n, node in enumerate(of(data["nodes"], list, "program.nodes")):
            what = f"node {n}"
            require(len(of(node, list, what)) == 4, f"{what} must be [op, inputs, shape, data]", 2)
            inputs = integers(node[1], what)
            require(type(node[0]) is str and all(0 <= i < n for i in inputs), f"{what} has no such input", 2)
            if node[0] in leaves:
                known, prefix = leaves[node[0]]
                right = not inputs and type(node[3]) is str and node[3] in known
                require(right and integers(node[2], what) == list(known[node[3]]), f"{what} is no {node[0]}", 2)
                places = indices(*map(range, known[node[3]]))
                names = entries(node[3], known[node[3]])
                values.append({i: {(prefix + x,): Fraction(1)} for i, x in zip(places, names, strict=True)})
            else:
                args = [values[i] for i in inputs], [shapes[i] for i in inputs]
                values.append(operation(self.ring, node, *args, what))
            shapes.append(tuple(node[2]))
            self.ring.work(prod(shapes[-1]))
        require(type(data["output"]) is int and 0 <= data["output"] < len(values), "program.output is no node", 2)
        return values[int(data["output"])]

    def phase(self, gradient: dict[str, Poly]) -> dict[str, Poly]:
        """c * drift + metric * gradient, on the clock, the parameters and their velocities."""
        data = of(self.doc["phase"], dict, "phase", ["clock", "velocities", "drift", "metric"])
        clock, moving, ring = data["clock"], of(data["velocities"], bool, "phase.velocities"), self.ring
        named = type(clock) is str and re.fullmatch(NAME, clock) and "'" not in clock and clock not in self.parameters
        require(clock is None or named, "phase.clock must be a new name, or null", 2)
        velocities = [x for n, sizes in self.parameters.items() for x in entries(f"{n}'", sizes)] if moving else []
        self.x = ([clock] if named else []) + self.theta + velocities
        kicked = dict(zip(self.theta, velocities or self.theta, strict=True))
        out = gradient
        if data["metric"] is not None:
            metric = self.polynomials(data["metric"], self.theta, "phase.metric")
            out = {x: ring.times(d, metric[x]) for x, d in gradient.items() if x in metric}
        out = {kicked[x]: d for x, d in out.items()}
        if data["drift"] is not None:
            self.seed = ["the drift", *self.seed]
            for x, d in self.polynomials(data["drift"], self.x, "phase.drift").items():
                out[x] = ring.sum(out.get(x, {}), ring.times({("the drift",): Fraction(1)}, d))
        return out

    def polynomials(self, data: Any, names: list[str], what: str) -> dict[str, Poly]:
        """{name: polynomial} from [place, text, ...]."""
        flat = of(data, list, what)
        require(len(flat) % 2 == 0, f"{what} must list places and polynomials", 2)
        there = sparse([x for i in flat[::2] for x in (i, 1)], names, what)
        texts = iter(flat[1::2])
        read = {x: polynomial(next(texts), set(self.x), what) for x, listed in there.items() if listed}
        integral = all(c.denominator == 1 for poly in read.values() for c in poly.values())
        require(integral and "/" not in "".join(flat[1::2]), f"{what} must have integer coefficients", 2)
        return read

    # --- 2. and 3. the laws ----------------------------------------------------------------------------------------

    def laws(self) -> list[Poly]:
        """All laws, each an identity."""
        out = [h for n, family in enumerate(of(self.doc["laws"], list, "laws")) for h in self.family(family, n)]
        for n, h in enumerate(out):
            require(not self.ring.along(h, self.field), f"law {n} is no law: a field moves it")
        said = f"{counted(len(out), 'law')} {'is' if len(out) == 1 else 'are'} conserved by all fields"
        self.sentences.append(f"{said}: exact identities of polynomials")
        return out

    def family(self, family: Any, n: int) -> list[Poly]:
        """Polynomials; or h_kl, the sum of sign * <slice k, slice l> along axes, k <= l, or k = l."""
        what = f"family {n} of laws"
        key = next(iter(of(family, dict, what)), "")
        require(len(family) == 1 and key in ("gram", "diagonal", "polynomials"), f"{what} is of no known kind", 2)
        if key == "polynomials":
            return [polynomial(text, set(self.x), what) for text in of(family[key], list, what)]
        free = "phase" not in self.doc and "fields" not in self.doc
        require(free, f"{what}: laws of a phase space, or of fields listed, are polynomials", 2)
        parts, seen, sizes = of(of(family[key], dict, what, ["parts"])["parts"], list, what), set(), set()
        for part in parts:
            require(type(part) is list and len(part) == 3, f"{what}: a part is [parameter, axis, sign]", 2)
            name, axis, sign = part
            fine = type(name) is str and name in self.parameters and type(axis) is type(sign) is int
            fine = fine and 0 <= axis < len(self.parameters[name]) and (name, axis) not in seen
            require(fine and 0 < abs(sign) <= (1000 if key == "diagonal" else 1), f"{what}: {str(part)[:40]!a}", 2)
            seen.add((name, axis))
            sizes.add(self.parameters[name][axis])
        require(len(sizes) == 1, f"{what}: the axes must have one size", 2)
        r = sizes.pop()
        pairs = [(k, m) for k in range(r) for m in range(k, r) if key == "gram" or k == m]
        return [self.ring.sum(*(self.slices(part[0], part[1], part[2], k, m) for part in parts)) for k, m in pairs]

    def slices(self, name: str, axis: int, sign: int, k: int, m: int) -> Poly:
        """sign * <slice k, slice m>."""
        sizes, out = self.parameters[name], Poly()
        known = dict(zip(indices(*map(range, sizes)), entries(name, sizes), strict=True))
        for i, x in known.items():
            if i[axis] == k:
                out[tuple(sorted((x, known[(*i[:axis], m, *i[axis + 1 :])])))] = Fraction(sign)
        return out

    def place(self, data: dict[str, Any], what: str) -> tuple[int, dict[str, int]]:
        text = data["prime"]
        require(type(text) is str and re.fullmatch("[0-9]{1,20}", text, re.ASCII), f"{what}.prime is no number", 2)
        require(int(text) < 2**64 and is_prime(int(text)), f"{what}.prime = {text} is not a prime below 2^64")
        return int(text), sparse(data["point"], self.x, f"{what}.point")

    def full_rank(self, rows: list[dict[str, Poly]], p: int, point: dict[str, int], what: str) -> int:
        """The number of rows, which are independent at the point modulo p."""
        ring = Ring(p, self.ring.left)
        require(len(rows) <= len(self.x), f"{what} are more than the dimension")
        numbers = [[ring.at(row.get(x, {}), point).get((), 0) for x in self.x] for row in rows]
        self.ring.work(len(rows) ** 2 * len(self.x) // 4)
        require(rank(numbers, p) == len(rows), f"{what} are not independent at the point")
        return len(rows)

    def independent(self, laws: list[Poly]) -> int:
        data, chosen = (
            of(self.doc["independence"], dict, "independence", ["prime", "point", "laws", "rank"]),
            list[Poly](),
        )
        p, point = self.place(data, "independence")
        for pair in of(data["laws"], list, "independence.laws"):
            require(len(integers(pair, "a range of laws")) == 2, "a range of laws is [first, last]", 2)
            require(0 <= pair[0] <= pair[1] < len(laws), "a range of laws names none")
            chosen += laws[pair[0] : pair[1] + 1]
            require(len(chosen) <= len(laws), "more laws are listed than there are")
        scaled = [self.integral(h) for h in chosen]
        found = self.full_rank([self.ring.partials(h) for h in scaled], p, point, "the gradients of the laws")
        require(type(data["rank"]) is int and data["rank"] == found, f"the laws' gradients have rank {found}")
        self.sentences.append(f"{found} of them are independent: gradients of rank {found} mod {p} at a point")
        return found

    def integral(self, h: Poly) -> Poly:
        """A multiple with integer coefficients."""
        scale = self.common(h.values())
        return {m: c * scale for m, c in h.items()}

    def common(self, numbers: Iterable[Fraction]) -> Fraction:
        """A denominator of all."""
        scale = Fraction(1)
        for c in numbers:
            scale = self.ring.number(Fraction(lcm(scale.numerator, c.denominator)))
        return scale

    # --- 4. the brackets -------------------------------------------------------------------------------------------

    def brackets(self) -> int:
        data = of(self.doc["lie"], dict, "lie")
        require("solutions" not in data, "ranks shown by solutions are not for a referee", 3)
        of(data, dict, "lie", ["prime", "point", "seeds", "members", "ranks"])
        p, point = self.place(data, "lie")
        seeds = [sparse(seed, self.seed, "a seed") for seed in of(data["seeds"], list, "lie.seeds")]
        for seed in seeds:
            if "gates" in self.doc:
                self.true_gates(seed, p)
        members = [integers(m, "a member") for m in of(data["members"], list, "lie.members")]
        require(all(m and all(0 <= s < len(seeds) for s in m) for m in members), "a member lists numbers of seeds", 2)
        require(len(members) <= len(self.x), "there are more fields and brackets than the dimension")
        ranks = integers(data["ranks"], "lie.ranks")
        counts = [sum(len(m) <= depth for m in members) for depth in range(1, len(ranks) + 1)]
        require(len(ranks) <= 12, "deep brackets are not for a referee", 3)
        right = ranks == counts and (counts or [-1])[-1] == len(members)
        require(right, f"the ranks of independent members are {counts}")
        ring, rows = Ring(p, self.ring.left), list[dict[str, Poly]]()
        fields = {s: {x: ring.at(c, seeds[s]) for x, c in self.field.items()} for m in members for s in m}
        for member in members:
            row = fields[member[-1]]
            for s in reversed(member[:-1]):
                row = ring.bracket(fields[s], row)
            rows.append(row)
        found = self.full_rank(rows, p, point, "the fields and brackets")
        what = "1 field has" if found == 1 else f"{found} fields and brackets have"
        self.sentences.append(f"{what} rank {found} mod {p} at a point: multiplied out")
        return found

    def true_gates(self, seed: dict[str, int], p: int) -> None:
        """Gates that are listed have the values of a choice: 1 or the slope; or a single 1 along the axis."""
        for name, kind in of(self.doc["gates"], dict, "gates").items():
            require(name in self.probes, "gates names no probe", 2)
            sizes = self.probes[name]
            values = {i: seed[f"probe {x}"] % p
                      for i, x in zip(indices(*map(range, sizes)), entries(name, sizes), strict=True)}  # fmt: skip
            if type(kind) is int:
                require(0 <= kind < len(sizes), f"the gate {name} has no such axis", 2)
                along: dict[Any, list[int]] = {}
                for i, v in values.items():
                    along.setdefault(i[:kind] + i[kind + 1 :], []).append(v)
                true = all(sorted(line) == [0] * (len(line) - 1) + [1] for line in along.values())
            else:
                off = Ring(p).number(rational(kind, "a slope"))
                true = all(v in (1, off) for v in values.values())
            require(true, f"a seed has values of {name!a} that are no choice at a gate")

    def claim(self, lower: int, members: int) -> None:
        data = of(self.doc["claim"], dict, "claim", ["lower", "lower_evidence", "upper", "upper_evidence"])
        if "closure" in self.doc:
            lower = self.single(members)
        for key, value in (("lower", lower), ("upper", len(self.x) - members)):
            require(type(data[key]) is int and data[key] == value, f"the {key} bound is {value}")
            require(data[f"{key}_evidence"] == "proved", f"the {key} bound is proved")
        rests = (
            "it rests on this: a rank at a point modulo a prime is at most the generic one, what fields conserve their "
        )
        rests += "brackets conserve" + ", and Frobenius' theorem" * ("closure" in self.doc)
        self.sentences.append(f"{rests}; nothing is assumed of the program" if "program" in self.doc else rests)
        upper, count = len(self.x) - members, len(self.still)
        self.sentences.append(f"at least {lower} independent laws (proved), at most {upper} (proved)")
        if count:
            self.sentences[-1] += f"; {count} of them say that the parameters {', '.join(self.still)} stand"
            self.sentences[-1] += f" still: at generic ones at least {max(0, lower - count)}, at most {upper - count}"
        self.sentences.append(self.subject())

    def single(self, members: int) -> int:
        """The number of laws of a single field that is not 0 at the point, by Frobenius: D - 1; of none, D."""
        several = "there are several fields: closure is not trivial"
        if "fields" in self.doc:
            used = {y for p in self.field.values() for m in p for y in m if y in self.seed}
            require(len(used) <= 1, several)
            require(members == len(used), "the field vanishes at the point given")
        else:
            require(len(self.seed) == 1, several)
            require(members == 1, "the field vanishes at the point given")
        self.sentences.append("a single field is closed under brackets")
        return len(self.x) - members

    def subject(self) -> str:
        """What this is a proof about."""
        said = f"{self.doc['model'].get('description')!a:.200}"
        if "fields" in self.doc:
            fields = counted(len(self.seed), "field")
            return f"a proof about {fields} listed; whether they are those of {said} was not checked"
        listed = "program, drift and metric" if "phase" in self.doc else "program"
        return f"a proof about the {listed} listed; whether it is that of {said} was not checked"


def verify_bytes(data: bytes, work: int = MAX_WORK) -> tuple[int, list[str]]:
    """(exit status, sentences): 0 proved, 1 false, 2 no certificate, 3 not for a referee."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(pairs)) == len(pairs), "a key stands twice", 2)
        return dict(pairs)

    def refuse(word: str) -> None:
        raise Refusal(2, f"{word[:20]} is not a number of a certificate")

    referee = None
    try:
        if data[:2] == b"\x1f\x8b":
            stream = zlib.decompressobj(wbits=31)
            data = stream.decompress(data, MAX_BYTES + 1)
            require(
                len(data) > MAX_BYTES or (stream.eof and not stream.unused_data), "the compressed data end badly", 2
            )
        require(len(data) <= MAX_BYTES, "the document is too long for a referee", 3)
        text = data.decode()
        document = json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_float=refuse)
        referee = Referee(document, work)
        referee.run()
        return 0, referee.sentences
    except (ValueError, RecursionError, zlib.error) as error:
        return 2, [f"not a certificate: {type(error).__name__}"]
    except Refusal as error:
        said = {1: "FALSE", 2: "not a certificate", 3: "undecided"}[error.status]
        return error.status, [*(referee.sentences if referee else []), f"{said}: {error}"]


def main(paths: list[str]) -> int:
    """Verify files; the exit status is the worst one."""
    statuses = []
    for path in paths:
        with open(path, "rb") as file:
            status, sentences = verify_bytes(file.read(MAX_BYTES + 1))
        statuses.append(status)
        print(f"{path}: {('proved', 'NOT TRUE', 'NOT A CERTIFICATE', 'UNDECIDED')[status]}", *sentences, sep="\n  ")
    return max(statuses, key=(0, 3, 1, 2).index)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
