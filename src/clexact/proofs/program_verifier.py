"""Verify a program-level certificate of clexact. Standard library only; imports nothing of the package; runs by itself:

    python program_verifier.py FILE...      exit status 0: all verified; 1: something is false; 2: not a certificate

The model is a straight-line program of arrays; nothing is expanded (docs/certificate.md). Or polynomial fields are
listed in its place: then laws are identities, multiplied out. Checked, in order:
1. every law is one, with functions opaque: entries of Gram matrices by the rule of shapes, polynomials by the chain
   rule (proofs); where these do not show it, at random points modulo random primes (error <= 2^-100);
2. the gradients of the laws listed are independent modulo a prime at an integer point, and
3. so are the values of the fields and brackets listed: by elimination (a proof), or, where that is too much work, by
   solutions of M y = b for challenges b derived from the document (error <= 2^-100);
4. the bounds: lower = the number of those laws, upper = D - the number of those fields and brackets. With ``closure``
   lower = upper, by Frobenius' theorem: of a single field (a proof), or shown at random points (error <= 2^-100).
A rank modulo a prime at an integer point never exceeds the generic rank over Q, so 2 and 3 are proofs.

With ``cases`` it speaks of given inputs, or of the gates that a network has near a start: each is recomputed exactly
(``Reading``); that near the start there are no others is checked where the document shows it (``Branches``).

With analytic functions the values in 3 are images under a ring homomorphism (``Homomorphism``), so the same holds. That
it is one rests on Ax 1971 (functional Lindemann-Weierstrass) for exponentials and logarithms, on Lindemann-Weierstrass
for those of constants, on Kolchin and Ostrowski with Liouville for normal_cdf, and on what ``Roots`` checks: that signs
of roots are free, logarithms independent, and exponents no logarithms. What is assumed beyond theorems is said
(``assumed``).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import zlib
from array import array
from bisect import bisect_right
from fractions import Fraction
from functools import cached_property, partial
from itertools import combinations
from math import comb, gcd, isqrt, lcm, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

FORMAT = "clexact-program-certificate-1"
EVERY = ["format", "version", "sha256", "model", "assumptions", "dimension", "laws", "independence", "lie", "claim"]
KEYS = [*EVERY, "parameters", "probes", "program"]  # of a document that holds a program; of one that lists fields:
LISTED_KEYS = [*EVERY, "fields"]
LINEAR, FUNCTIONS = ("add", "transpose", "reshape", "take", "concatenate", "sum"), ("function", "softmax")
MOVES = ("transpose", "reshape", "take")
PRIMITIVES = ("normal_cdf", "softplus")
ALIKE = 3  # points at which logarithms are compared
MOTIONS = 5  # of logarithms: numbers by which they move make up for each other with odds 1/p
EXPONENTIAL = ("exp", "sigmoid", "tanh", "softmax", *PRIMITIVES)  # these, or their slopes, hold exponentials
LOGARITHMS, ANGLES = ("log", "softplus"), ("sin", "cos")
TRANSCENDENTAL = (*EXPONENTIAL, "log", *ANGLES)
NAMES = ("exp", "reciprocal", "rsqrt", "sigmoid", "tanh", *PRIMITIVES, "log", *ANGLES)
MAX_BYTES, MAX_NODES, MAX_ENTRIES, MAX_LAWS = 10**8, 10**5, 5 * 10**6, 10**6
MAX_DIGITS, MAX_PRIME, MAX_DEPTH, MAX_BITS, MAX_DEGREE = 4000, 2**64, 12, 16000, 2**30
MAX_WORK, MIN_WORK, WORK_PER_BYTE = 3 * 10**8, 3 * 10**7, 300  # steps; those of a document grow with its length
MAX_STORED, MAX_ELIMINATION, MAX_CELLS = 10**7, 3 * 10**7, 3 * 10**7
VALUE_STEPS, SPARE, MAX_FACTOR = 50, 20, 10**4  # of a function; samples over their rank; primes that are tried
KNOWN = 64  # probes that are tried at other choices of gates
WALK, MAX_STRIDE = 4, 64  # steps for each sample that is needed; slices that are changed in one
MAX_FIELDS, MAX_MODULUS, MIN_TURN, MAX_TURN = 5, 2**62, 1007, 2**13
TRIALS, IDLE = 16, 30  # of probes at one theta, at least; after so many that change nothing more is changed
SHOWN = 6  # names in a sentence
SEVERITY = (0, 3, 1, 2)  # exit statuses from good to bad: verified, undecided, false, not a certificate
MAX_WEIGHT, LAW_BITS, ERROR_BITS, CHALLENGE_BITS = 1000, 80, 100, 128
CLOSED = f"closed with error <= 2^-{ERROR_BITS}"
MAX_TERMS, MAX_FACTORS, MAX_ATOMS = 5000, 8, 16  # of velocities: terms, and their factors, at first and at last
MAX_OPENED, SHARE = 3, 4  # sums in sums; of the work that is left
MAX_PHASE_DEGREE, DRIFT = 100, "the drift"  # of polynomials of a phase space; no name of a probe
CLOSURE_BITS, FIELDS = 61, "the fields"  # of primes for which there are fast ranks; no name of a probe
MAX_LISTED_DEPTH, MAX_PRODUCTS, MAX_CLEARED = 1000, 10**6, 10**9  # terms of a law and a field; bits of a field
MAX_STEPS = 8 * 10**6  # to multiply out brackets at a point, in all
DATA, DATA_NEAR, NEAR, SPANNED = SCOPES = (
    "this data", "this data, near this start", "near this start", "near this start, free gates spanned")  # fmt: skip
ONE_FIELD, RANDOM_POINTS = "one field", "random points"  # how closure is shown
CASES, LISTED = "the cases", "of the gates listed"  # no name of a probe; how a bound is known
GROUNDS = "a rank at a point modulo a prime is at most the generic one; what fields conserve their brackets conserve"
THEOREMS = (  # by which functions have the values that a homomorphism gives them
    ((*EXPONENTIAL, "log", *ANGLES), "exponentials and logarithms are independent (Ax 1971, Lindemann-Weierstrass)"),
    (("normal_cdf",), "values of normal_cdf are (Kolchin, Ostrowski, Liouville)"),
    (("rsqrt",), "square roots of independent radicands have free signs (Kummer)"),
)
MERSENNE = (61, 127, 521, 1279, 2203, 4423, 9689, 11213)  # 2^n - 1 is a prime
MAX_MONOMIALS, SETS = 3000, 300  # in gates; how much dearer sets of them are than numbers
NAME, NUMBER = r"[^\W\d]\w*", r"[0-9]+(?:/[1-9][0-9]*)?"
VARIABLE = rf"{NAME}'*(?:\[[0-9]+(?:,[0-9]+)*\])?"  # of fields that are listed
POWER = rf"({NAME}'*)(?:\[([0-9]+(?:,[0-9]+)*)\])?(?:\^([1-9][0-9]{{0,8}}))?"

Shape = tuple[int, ...]
Pair = tuple[int, int]
Part = dict[int, int]  # {place in an array: residue, not 0}
Jet = dict[int, Part]  # {bit mask of infinitesimals, each of square 0: part}
Poly = dict[tuple[tuple[int, int], ...], int]  # {((variable, power), ...): coefficient}
Rational = dict[tuple[tuple[int, int], ...], Fraction]
Atoms = tuple[int, ...]  # a product, sorted
Form = dict[Atoms, Any]  # {product of atoms: rational number, not 0}
Product = tuple[Any, Atoms]  # of a rational number and atoms
Uses = dict[int, list[tuple[int, Pair | None]]]  # {entry of an operand: [(entry of the result, what multiplies it)]}


class NotACertificate(Exception):  # noqa: N818
    """The document has not the form of a certificate."""


class Untrue(Exception):  # noqa: N818
    """The certificate claims something that is false or not shown; the message names the first such item."""


class TooMuch(Untrue):
    """What is left takes more work than is done here."""


def form(condition: object, message: str) -> None:
    if not condition:
        raise NotACertificate(message)


def bounded(degree: int) -> None:
    """``TooMuch`` where the chance of an error cannot be made small: random points show nothing of such a degree."""
    if degree > MAX_DEGREE:
        raise TooMuch("the degree of the output is too large for random points to show that these are laws")


def truth(condition: object, message: str) -> None:
    if not condition:
        raise Untrue(message)


class Allowance:
    """Elementary steps that may still be taken."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch("it takes more work than this verifier does")


# --- reading ---------------------------------------------------------------------------------------------------------


def unpacked(data: bytes) -> bytes:
    """The text of a document, compressed or not."""
    if data[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=31)
        try:
            data = stream.decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise NotACertificate("the compressed data are damaged") from None
        form(len(data) <= MAX_BYTES, f"over {MAX_BYTES} bytes when decompressed")
        form(stream.eof and not stream.unused_data, "the compressed data are cut off, or more follows them")
    form(len(data) <= MAX_BYTES, f"over {MAX_BYTES} bytes")
    return data


def read(text: bytes) -> Any:
    """The document in JSON; duplicate keys, floats and what is no JSON are refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        form(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def refuse(word: str) -> None:
        raise NotACertificate(f"{word[:20]} is not a number of a certificate")

    try:
        return json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=refuse)
    except (ValueError, RecursionError) as error:
        raise NotACertificate(f"not JSON ({type(error).__name__})") from None


def typed(value: Any, kind: type, what: str, keys: Sequence[str] | None = None) -> Any:
    """The value, if it has this JSON type (an object: exactly these keys)."""
    form(type(value) is kind, f"{what} must be of type {kind.__name__}")
    form(keys is None or sorted(value) == sorted(keys), f"{what} must have the keys {keys}")
    return value


def integers(value: Any, what: str, bound: int = MAX_PRIME) -> list[int]:
    """A list of JSON integers of absolute value below the bound."""
    form(all(type(x) is int and -bound < x < bound for x in typed(value, list, what)), f"{what} must hold integers")
    return list(value)


def sparse(value: Any, size: int, what: str) -> Part:
    """{place: integer} from [place, integer, place, integer, ...], places increasing."""
    flat = integers(value, what)
    places = flat[::2]
    form(len(flat) % 2 == 0 and places == sorted(set(places)), f"{what} must list places, increasing, and values")
    form(not places or 0 <= places[0] <= places[-1] < size, f"{what} has a place that is not below {size}")
    return dict(zip(places, flat[1::2], strict=True))


def rational(text: Any, what: str) -> Fraction:
    """An integer or a fraction in a string."""
    form(type(text) is str and re.fullmatch(f"-?{NUMBER}", text), f"{what} is no rational number")
    form(len(text) <= MAX_DIGITS, f"{what}: a factor is too long")
    return Fraction(text)


def number(value: Any) -> Fraction:
    """A JSON integer, or a fraction in a string."""
    return Fraction(value) if type(value) is int else rational(value, "an input, a parameter or a slope")


def shapes(value: Any, what: str) -> dict[str, Shape]:
    """{name: shape}, in order."""
    form(all(re.fullmatch(NAME, name) for name in typed(value, dict, what)), f"{what} have improper names")
    return {name: shape(sizes, what) for name, sizes in value.items()}


def shape(value: Any, what: str) -> Shape:
    sizes = tuple(integers(value, what, MAX_ENTRIES))
    form(
        len(sizes) <= 32 and min(sizes, default=1) >= 0 and prod(sizes) <= MAX_ENTRIES, f"{what} has a shape too large"
    )
    return sizes


def canonical(value: Any) -> bytes:
    """The canonical text of a value."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    except RecursionError:
        raise NotACertificate("nested too deeply") from None


def program_hash(document: dict[str, Any]) -> str:
    """SHA-256 of the canonical text of what the fields are.

    Parameters, probes and program; phase space, gates and cases if there are. Else the dimension and the fields.
    """
    if "fields" in document:
        return hashlib.sha256(canonical([document["dimension"], document["fields"]])).hexdigest()
    leaves = [list(document[key].items()) for key in ("parameters", "probes")]
    more = [document["phase"]] if "phase" in document else []
    more += [[key, document[key]] for key in ("gates", "cases") if key in document]
    return hashlib.sha256(canonical([*leaves, document["program"], *more])).hexdigest()


def challenges(document: dict[str, Any], rows: int, prime: int) -> list[list[int]]:
    """Vectors b mod p derived from everything in the document but the solutions; p^(their number) >= 2^128."""
    lie = {key: value for key, value in document["lie"].items() if key != "solutions"}
    count = next(t for t in range(1, CHALLENGE_BITS + 1) if prime**t >= 2**CHALLENGE_BITS)
    stream = hashlib.shake_256(canonical(document | {"lie": lie})).digest(16 * rows * count)
    words = [int.from_bytes(stream[i : i + 16], "big") % prime for i in range(0, len(stream), 16)]
    return [words[j * rows : (j + 1) * rows] for j in range(count)]


# --- the program -----------------------------------------------------------------------------------------------------


def strides(sizes: Shape) -> list[int]:
    """Distance in the flat array of neighbours along each axis."""
    return [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]


def positions(sizes: Sequence[int], steps: Sequence[int], first: int = 0) -> array[int]:
    """first + sum of index * step, for all indices in order."""
    out = array("q", [first])
    for size, step in zip(sizes, steps, strict=True):
        out = array("q", [x + i * step for x in out for i in range(size)])
    return out


class Link:
    """A map of the entries of an operand to those of the result, or back; read both ways."""

    def __init__(self, table: array[int], onto_result: bool) -> None:
        self.table, self.onto_result = table, onto_result

    @cached_property
    def inverse(self) -> dict[int, list[int]]:
        out: dict[int, list[int]] = {}
        for i, j in enumerate(self.table):
            out.setdefault(j, []).append(i)
        return out

    def push(self, part: Part, forward: bool, p: int) -> Part:
        """The part carried to the result, or its adjoint."""
        if forward != self.onto_result:
            return {j: x for i, x in part.items() for j in self.inverse.get(i, ())}
        out: Part = {}
        for i, x in part.items():
            out[self.table[i]] = out.get(self.table[i], 0) + x
        return reduced(out, p)


def reduced(part: Part, p: int) -> Part:
    return {i: r for i, x in part.items() if (r := x % p)}


def residues(values: Iterable[tuple[int, Fraction]], p: int) -> Part:
    """Of rational numbers whose denominators are invertible."""
    out = {i: c.numerator if c.denominator == 1 else c.numerator * pow(c.denominator, -1, p) for i, c in values}
    return reduced(out, p)


def common(denominators: Iterable[int]) -> int:
    """Their least common multiple."""
    out = 1
    for d in denominators:
        out = lcm(out, d)
        truth(out.bit_length() <= MAX_BITS, "the denominators are too long")
    return out


def broadcast(a: Shape, b: Shape) -> Shape:
    form(len(a) == len(b) and all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True)), "shapes do not match")
    return tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))


class Node:
    """One operation on earlier nodes; its shape must be the one that follows from theirs."""

    def __init__(self, data: Any, earlier: list[Node], leaves: dict[str, dict[str, Shape]], what: str) -> None:
        form(len(typed(data, list, what)) == 4, f"{what} must be [op, inputs, shape, data]")
        self.op, inputs, sizes, self.data = data
        self.inputs, self.shape = integers(inputs, what), shape(sizes, what)
        form(all(0 <= i < len(earlier) for i in self.inputs), f"{what} has an input that is no earlier node")
        self.theirs, self.what = [earlier[i].shape for i in self.inputs], what
        arity = {"parameter": 0, "probe": 0, "constant": 0, "add": 2, "multiply": 2, "matmul": 2}
        expected = max(1, len(self.inputs)) if self.op == "concatenate" else arity.get(str(self.op), 1)
        form(len(self.inputs) == expected, f"{what} has not the inputs of its operation")
        form(self.implied(leaves) == self.shape, f"{what} has not the shape that follows from its inputs")

    def implied(self, leaves: dict[str, dict[str, Shape]]) -> Shape:
        """The shape that follows; reads the data too."""
        theirs, what = self.theirs, self.what
        match self.op:
            case "parameter" | "probe":
                form(type(self.data) is str and self.data in leaves[self.op], f"{what} names no {self.op}")
                return leaves[self.op][self.data]
            case "constant":
                flat = typed(self.data, list, what)
                given = sparse([x for i in flat[::2] for x in (i, 0)], prod(self.shape), what)
                self.constants = dict(zip(given, (rational(c, what) for c in flat[1::2]), strict=False))
                form(2 * len(self.constants) == len(flat), f"{what} must list places and values")
                return self.shape
            case "take":
                places, size = integers(self.data, what), prod(theirs[0])
                form(all(0 <= i < size for i in places), f"{what} takes what is not there")
                return self.shape if len(self.data) == prod(self.shape) else (-1,)
            case "transpose":
                form(sorted(integers(self.data, what)) == list(range(len(theirs[0]))), f"{what} permutes no axes")
                return tuple(theirs[0][axis] for axis in self.data)
            case "function":
                form(type(self.data) is str and self.data in NAMES, f"{what} names no function")
                return theirs[0]
            case "softmax":
                form(type(self.data) is int and 0 <= self.data < len(theirs[0]), f"{what} has no such axis")
                return theirs[0]
            case "sum" | "concatenate":
                form(type(self.data) is int and 0 <= self.data < len(theirs[0]), f"{what} has no such axis")
                rest = [s[: self.data] + s[self.data + 1 :] for s in theirs]
                form(len(set(map(len, theirs))) == len(set(rest)) == 1, f"{what} joins shapes that do not match")
                total = (sum(s[self.data] for s in theirs),) if self.op == "concatenate" else ()
                return rest[0][: self.data] + total + rest[0][self.data :]
        form(self.data is None, f"{what} has data")
        if self.op == "reshape":
            return self.shape if prod(self.shape) == prod(theirs[0]) else (-1,)
        if self.op != "matmul":
            form(self.op in ("add", "multiply"), f"{what} is no operation")
            return broadcast(*theirs)
        a, b = theirs
        form(len(a) >= 2 <= len(b) and a[-1] == b[-2], f"{what} multiplies matrices that do not match")
        self.matrix = (a[-2], a[-1], b[-1])
        return (*broadcast(a[:-2], b[:-2]), a[-2], b[-1])

    @cached_property
    def links(self) -> list[Link | None]:
        """How each operand enters; None: as it is."""
        mine, first = self.shape, 0
        match self.op:
            case "reshape":
                return [None]
            case "take":
                return [Link(array("q", self.data), False)]
            case "transpose":
                steps = strides(self.theirs[0])
                return [Link(positions(mine, [steps[axis] for axis in self.data]), False)]
            case "sum":
                steps = strides(mine)
                return [Link(positions(self.theirs[0], [*steps[: self.data], 0, *steps[self.data :]]), True)]
            case "concatenate":
                out: list[Link | None] = []
                for theirs in self.theirs:
                    out.append(Link(positions(theirs, strides(mine), first), True))
                    first += theirs[self.data] * strides(mine)[self.data]
                return out
        return [self.widened(theirs) for theirs in self.theirs]

    def widened(self, theirs: Shape) -> Link | None:
        """How an operand is repeated along axes of size 1."""
        wide = self.shape[:-2] + theirs[-2:] if self.op == "matmul" else self.shape
        steps = [step if size == n else 0 for step, size, n in zip(strides(theirs), theirs, wide, strict=True)]
        return None if wide == theirs else Link(positions(wide, steps), False)

    @property
    def function(self) -> str:
        """The name of the function that is applied, if one is."""
        return str(self.data) if self.op == "function" else self.op if self.op == "softmax" else ""

    @property
    def summed(self) -> int:
        """How many terms make an entry."""
        match self.op:
            case "add":
                return 2
            case "matmul":
                return int(self.matrix[1])
            case "sum":
                return int(self.theirs[0][self.data])
        return 1

    def signs(self, types: list[list[int] | None], r: int, diagonal: bool, allowance: Allowance) -> list[int] | None:
        """How a matrix g acts on each axis: 1, its inverse transposed: -1, nothing: 0; diagonal ones: the power of g.

        None: an array of zeros, on which anything acts. ``Untrue`` if the operation does not let g act.
        """
        known = [t for t in types if t is not None]
        if self.op in FUNCTIONS:  # of zeros they are constants; of all else, nothing may act on it
            truth(not any(known[0] if known else ()), f"{self.what} does not let it act")
            return [0] * len(self.shape)
        if self.op == "constant" and not any(self.constants.values()):
            return None
        if not self.inputs:
            return [0] * len(self.shape)
        if len(known) < (len(types) if self.op in ("multiply", "matmul") else 1):
            return None
        first, ok = known[0], True
        match self.op:
            case "add" | "concatenate":
                out, ok = first, all(t == first for t in known)
                ok = ok and (self.op == "add" or first[self.data] == 0)
            case "multiply":
                out = [s + t for s, t in zip(*known, strict=True)]
                for s, t, m, n in zip(*known, *self.theirs, strict=True):
                    ok = ok and (s == t == 0 or diagonal if m == n else (s if m == 1 else t) == 0)
            case "matmul":
                out = [*first[:-1], known[1][-1]]
                ok = not any(first[:-2]) and not any(known[1][:-2]) and first[-1] + known[1][-2] == 0
            case "transpose":
                out = [first[axis] for axis in self.data]
            case "sum":
                out, ok = first[: self.data] + first[self.data + 1 :], first[self.data] == 0
            case "reshape":
                long = [s for s, n in zip(first, self.theirs[0], strict=True) if n > 1]
                ok = [n for n in self.shape if n > 1] == [n for n in self.theirs[0] if n > 1] and r > 1
                out = [long.pop(0) if n > 1 and ok else 0 for n in self.shape]
                ok = ok or not any(first)
            case _:  # take
                out = self.taken(first, r, allowance)
                ok = sum(map(abs, out)) == sum(map(abs, first))
        truth(ok and all(n == r for n, s in zip(self.shape, out, strict=True) if s), f"{self.what} does not let it act")
        return out

    def taken(self, signs: list[int], r: int, allowance: Allowance) -> list[int]:
        """For a take: the axes that run along an axis on which g acts, whole and in order."""
        out, table = [0] * len(self.shape), array("q", self.data)
        for step, sign in zip(strides(self.theirs[0]), signs, strict=True):
            for axis, mine in enumerate(strides(self.shape)):
                if sign and not out[axis] and self.shape[axis] == r:
                    at = [i // mine % r for i in range(len(table))]
                    allowance.spend(5 * len(table))
                    if all(
                        x == table[i - k * mine] + k * step and x // step % r == k
                        for i, (x, k) in enumerate(zip(table, at, strict=True))
                    ):
                        out[axis] = sign
                        break
        return out


class Layout:
    """Arrays laid one after another in a vector."""

    def __init__(self, sizes: dict[str, Shape]) -> None:
        self.names, self.shapes, self.starts = list(sizes), sizes, [0]
        for s in sizes.values():
            self.starts.append(self.starts[-1] + prod(s))
        form(self.starts[-1] <= MAX_ENTRIES, "too many parameters or probes")
        self.first = dict(zip(self.names, self.starts, strict=False))

    def split(self, part: Part) -> dict[str, Part]:
        """{name: part of its array}."""
        out: dict[str, Part] = {}
        for i, x in part.items():
            n = bisect_right(self.starts, i) - 1
            out.setdefault(self.names[n], {})[i - self.starts[n]] = x
        return out


def gates(data: Any, probes: dict[str, Shape]) -> dict[str, Fraction | int]:
    """{probe: the slope of a ReLU, or the axis of a choice}."""
    out: dict[str, Fraction | int] = {}
    for name, kind in typed(data, dict, "gates").items():
        form(name in probes, "gates have names of probes")
        axis = type(kind) is int
        out[name] = kind if axis else rational(kind, "the slope of a gate")
        form(0 <= kind < len(probes[name]) if axis else out[name] != 1, f"the gate {name!a} has no such axis or slope")
    return out


class Gate:
    """A probe that is read off a node: 1 where that is positive, else the slope; or 1 at the largest along an axis."""

    def __init__(self, data: Any, probes: dict[str, Shape], nodes: list[Node]) -> None:
        form(type(data) is list and len(data) == 4, "a gate must be [probe, node, slope, axis]")
        self.name, self.node, slope, self.axis = data
        form(type(self.name) is str and self.name in probes, "a gate must be a probe")
        form(type(self.node) is int and 0 <= self.node < len(nodes), f"{self.name} is read off no node")
        form((slope is None) != (self.axis is None), f"{self.name} must have a slope or an axis")
        self.shape, self.slope = probes[self.name], Fraction(0) if slope is None else number(slope)
        places = range(len(self.shape)) if self.axis is not None else [None]
        form(type(self.axis) is not bool and self.axis in places, f"{self.name} has no such axis")
        form(nodes[self.node].shape == self.shape, f"{self.name} has not the shape of what it is read off")
        first = next((n for n, node in enumerate(nodes) if (node.op, node.data) == ("probe", self.name)), len(nodes))
        form(self.node < first, f"{self.name} is read off what depends on it")
        step, size = (strides(self.shape)[self.axis], self.shape[self.axis]) if self.axis is not None else (1, 1)
        self.slices = [
            [i + k * step for k in range(size)] for i in range(prod(self.shape)) if i // step % size == 0
        ]  # of a ReLU, its entries

    def choices(self, word: Any) -> list[int]:
        """From text of 0 and 1: for each entry whether it is open, for each slice which one is."""
        form(type(word) is str and re.fullmatch(f"[01]{{{prod(self.shape)}}}", word), f"{self.name} must be 0 or 1")
        if self.axis is None:
            return [int(c) for c in word]
        form(all(sum(word[i] == "1" for i in one) == 1 for one in self.slices), f"{self.name} must choose one of each")
        return [next(i for i in one if word[i] == "1") for one in self.slices]

    def options(self, k: int) -> Sequence[int]:
        return (0, 1) if self.axis is None else self.slices[k]

    def margins(self, k: int, choice: int) -> list[Pair]:
        """(plus, minus): entries whose difference is positive for this choice; -1 stands for zero."""
        if self.axis is None:
            return [(k, -1) if choice else (-1, k)]
        return [(choice, i) for i in self.slices[k] if i != choice]

    def values(self, choices: list[int]) -> list[Fraction]:
        if self.axis is None:
            return [Fraction(1) if c else self.slope for c in choices]
        chosen = set(choices)
        return [Fraction(i in chosen) for i in range(prod(self.shape))]


Margin = tuple[Gate, int, int]  # plus and minus
Monomial = tuple[tuple[str, int], ...]  # (gate, entry) of its factors


class Cases:
    """Inputs, and the gates that a network has there at a start, unless they are free.

    On data the inputs are all there are. Else each stands for an open set of inputs, which are free.
    """

    def __init__(self, data: Any, probes: dict[str, Shape], nodes: list[Node]) -> None:
        typed(data, dict, "cases", ["scope", "gates", "start", "inputs", "open", "others"])
        self.scope, self.others = data["scope"], data["others"]
        form(self.scope in SCOPES, f"the scope must be one of {SCOPES}")
        self.on_data, self.near = self.scope in (DATA, DATA_NEAR), self.scope != DATA
        found = [Gate(gate, probes, nodes) for gate in typed(data["gates"], list, "cases.gates")]
        self.gates = sorted(found, key=lambda gate: gate.node)  # each may depend on those before it
        names = [gate.name for gate in self.gates]
        form(len(set(names)) == len(names), "a gate stands twice")
        self.inputs = [name for name in probes if name not in names]
        self.start = [number(c) for c in typed(data["start"], list, "cases.start")] if self.near else []
        form(self.near or data["start"] is None, "gates that are free need no start")
        given = typed(data["inputs"], dict, "cases.inputs", self.inputs)
        read = typed(data["open"], dict, "cases.open", names if self.near else [])
        rows = [typed(x, list, "a list of cases") for x in (*given.values(), *read.values())]
        form(rows and len(set(map(len, rows))) == 1 and rows[0], "cases must be listed, as many everywhere")
        form(self.others is None or self.scope == NEAR, "other gates are excluded where all data near a start count")
        self.count, sizes = len(rows[0]), sum(prod(probes[name]) for name in [*given, *read])
        form(self.count * sizes <= MAX_ENTRIES, f"the cases have over {MAX_ENTRIES} numbers")
        self.tables: dict[str, list[list[Fraction]]] = {
            name: [[number(c) for c in typed(row, list, "a case")] for row in given[name]] for name in given
        }
        form(all(len(row) == prod(probes[name]) for name in given for row in given[name]), "a case has a wrong shape")
        self.choices = [
            [gate.choices(read[gate.name][j]) for gate in self.gates] for j in range(self.count if read else 0)
        ]
        for n, gate in enumerate(self.gates if read else ()):
            self.tables[gate.name] = [gate.values(choices[n]) for choices in self.choices]
        form(self.on_data or len({str(c) for c in self.choices}) == self.count, "the same gates stand twice")
        held = (self.inputs if self.on_data else []) + (names if self.scope in (DATA_NEAR, NEAR) else [])
        self.held = [name for name in probes if name in held]

    @property
    def inputs_listed(self) -> str:
        return f"{self.count} input{'s' * (self.count != 1)} listed"

    def denominators(self, names: Iterable[str], j: int | None = None) -> set[int]:
        """Of a case, or of all."""
        rows = [row for name in names for row in (self.tables[name] if j is None else [self.tables[name][j]])]
        return {c.denominator for row in rows for c in row}

    def bits(self, names: Iterable[str]) -> dict[str, int]:
        """Of the largest absolute value of each of these probes."""
        every = {name: {abs(c) for row in self.tables[name] for c in row} for name in names}
        return {name: (1 + int(max(values, default=0))).bit_length() for name, values in every.items()}

    def at(self, j: int, names: Iterable[str], p: int) -> dict[str, Part]:
        """A case modulo a prime."""
        return {name: residues(enumerate(self.tables[name][j]), p) for name in names}

    def at_monomials(self, monomials: Sequence[Monomial], p: int) -> list[Part]:
        """For each monomial its values at the cases modulo a prime."""
        gates = [self.at(j, (gate.name for gate in self.gates), p) for j in range(self.count)]
        rows = [{j: prod(at[name].get(i, 0) for name, i in m) for j, at in enumerate(gates)} for m in monomials]
        return [reduced(row, p) for row in rows]


class Program:
    """The nodes, with what is inferred from them."""

    depth = MAX_DEPTH  # of brackets

    def __init__(self, document: dict[str, Any]) -> None:
        data = typed(document["program"], dict, "program", ["nodes", "output"])
        leaves = {
            "parameter": shapes(document["parameters"], "parameters"),
            "probe": shapes(document["probes"], "probes"),
        }
        self.theta, self.nodes, entries = Layout(leaves["parameter"]), list[Node](), 0
        form(len(typed(data["nodes"], list, "program.nodes")) <= MAX_NODES, f"over {MAX_NODES} nodes")
        for n, written in enumerate(data["nodes"]):
            self.nodes.append(Node(written, self.nodes, leaves, f"node {n}"))
            entries += prod(self.nodes[-1].shape) + sum(map(prod, self.nodes[-1].theirs))
            form(entries <= MAX_ENTRIES, f"the nodes have over {MAX_ENTRIES} entries")
        form(type(data["output"]) is int and 0 <= data["output"] < len(self.nodes), "program.output is no node")
        self.output, self.entries = data["output"], entries
        self.cases = Cases(document["cases"], leaves["probe"], self.nodes) if "cases" in document else None
        self.held = self.cases.held if self.cases else []  # probes that cases give
        free = {name: sizes for name, sizes in leaves["probe"].items() if name not in self.held}
        several = {CASES: (self.cases.count,)} if self.cases and self.held else {}
        self.seed = Layout(several | free | {"": self.nodes[self.output].shape})
        listed = gates(document.get("gates", {}), leaves["probe"])
        self.gates = {name: kind for name, kind in listed.items() if name in free}
        self.active, self.static, self.moved = list[bool](), list[bool](), list[bool]()
        for node in self.nodes:  # depends on parameters; on no probes; on parameters or free probes
            self.active.append(node.op == "parameter" or any(self.active[i] for i in node.inputs))
            self.static.append(node.op != "probe" and all(self.static[i] for i in node.inputs))
            free_probe = node.op == "probe" and node.data not in self.held
            self.moved.append(free_probe or node.op == "parameter" or any(self.moved[i] for i in node.inputs))
        self.functions = sorted({node.function for node in self.nodes if node.function})

    @cached_property
    def gated(self) -> list[bool]:
        """Whether gates move a node."""
        moved = list[bool]()
        for node in self.nodes:
            moved.append((node.op == "probe" and node.data in self.gates) or any(moved[i] for i in node.inputs))
        return moved

    def choice(self, seed: dict[str, Part], m: int) -> frozenset[int]:
        """The places of seeds at which the gates of one are open: all must be true ones, one of those along an axis."""
        out = set[int]()
        for name, kind in self.gates.items():
            part, sizes, first = seed.get(name, {}), self.seed.shapes[name], self.seed.first[name]
            opened = [i for i, x in part.items() if x == 1]
            if isinstance(kind, Fraction):
                off = self.slope(kind, m)
                true = all(part.get(i, 0) in (1, off) for i in range(prod(sizes)))
            else:
                step = strides(sizes)[kind]
                groups = {i - i // step % sizes[kind] * step for i in opened}
                true = len(part) == len(opened) == len(groups) == prod(sizes) // max(1, sizes[kind])
            truth(true, f"a seed has values of {name!a} that are no choice at a gate")
            out.update(first + i for i in opened)
        return frozenset(out)

    def slope(self, kind: Fraction, m: int) -> int:
        """Modulo m."""
        truth(gcd(kind.denominator, m) == 1, f"the slope of a gate has no residue modulo {m}")
        return kind.numerator * pow(kind.denominator, -1, m) % m

    def opened(self, choice: frozenset[int], m: int) -> Part:
        """The values of all gates modulo m at a choice, 0 too, by their places in seeds."""
        out: Part = {}
        for name, kind in self.gates.items():
            first, off = self.seed.first[name], self.slope(kind, m) if isinstance(kind, Fraction) else 0
            places = range(first, first + prod(self.seed.shapes[name]))
            out |= {i: 1 if i in choice else off for i in places}
        return out

    @cached_property
    def below(self) -> set[str]:
        """Functions below those that are not algebraic; "1" is a constant below them, but a rational one."""
        return self.beneath(TRANSCENDENTAL)

    def beneath(self, above: tuple[str, ...]) -> set[str]:
        """``below`` of these."""
        under, found = list[set[str]](), set[str]()
        for n, node in enumerate(self.nodes):
            here = set[str]().union(*(under[i] for i in node.inputs))
            if node.function in above:
                constant = not self.moved[n] and (here or node.function in PRIMITIVES)
                found |= here | ({"1"} if constant else set())
            if node.function in TRANSCENDENTAL:
                here.add(node.function)
            under.append(here)
        return found

    @property
    def assumed(self) -> str:
        """What is assumed beyond theorems, in words."""
        said = {
            "1": "values of functions at constants are independent",
            "normal_cdf": "values of normal_cdf below functions are independent of the rest",
        }
        return "; ".join(words for name, words in said.items() if name in self.below)

    def respects(self, parts: dict[tuple[str, int], int], r: int, diagonal: bool, allowance: Allowance) -> None:
        """``Untrue`` unless the output is the same when g, or a diagonal g, acts on these axes of parameters."""
        types: list[list[int] | None] = []
        for node in self.nodes:
            allowance.spend(20 + len(node.inputs))
            signs = node.signs([types[i] for i in node.inputs], r, diagonal, allowance)
            if node.op == "parameter":
                signs = [parts.get((node.data, axis), 0) for axis in range(len(node.shape))]
            types.append(signs)
        truth(not any(types[self.output] or ()), "the output is not left unchanged")

    def entering(self, nodes: Iterable[int]) -> set[int]:
        """These nodes and those that enter them."""
        found = set(nodes)
        for n in range(max(found, default=-1), -1, -1):
            found |= set(self.nodes[n].inputs) if n in found else set()
        return found

    @cached_property
    def denominator(self) -> int:
        """Of all constants together, and of what cases give."""
        given = self.cases.denominators(self.held) if self.cases else set()
        return common(given | {self.own_denominator})

    @cached_property
    def own_denominator(self) -> int:
        """Of all constants together."""
        return common({c.denominator for node in self.nodes if node.op == "constant" for c in node.constants.values()})

    def degrees(self, names: Sequence[str]) -> list[int]:
        """Of nodes in these probes."""
        found = list[int]()
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            product = node.op in ("multiply", "matmul")
            degree = sum(inputs) if product else max(inputs, default=int(node.op == "probe" and node.data in names))
            bounded(degree)
            found.append(degree if not node.function or not degree else MAX_DEGREE)
        return found

    def bounds(self) -> tuple[int, int]:
        """Degree and bits of the norm of a field's component, in theta and the seeds, denominators cleared."""
        degree, bits = self.rational_bounds() if self.functions else self.whole_bounds()
        if not (self.cases and self.held):
            return degree, bits
        count = self.cases.count  # of terms, with all denominators for a common one; and any two of them may meet
        return (degree * count**2, bits * count**2) if self.functions else (degree + 1, bits + count.bit_length())

    def rational_bounds(self) -> tuple[int, int]:
        """The same with functions: of the numerator, where each entry of a function and its slope are variables.

        Every entry is a quotient u of polynomials of degree at most d and norm at most 2^b, so its partial derivatives
        are (N'D - ND') / D^2. By the chain rule a component is a sum over chains of at most m entries of functions, one
        after another, of products of slopes and partial derivatives; all D^2 together are a common denominator. The
        slopes of a reciprocal, a root and a logarithm, -1/u^2, -f/(2u) and 1/u, make N^2, 2ND and ND of D^2: of no
        larger degree and norm.
        """
        found, chained, chained_bits, entries = list[Pair](), 0, 0, 0
        held = self.cases.bits(self.held) if self.cases else {}
        held = {name: bits + self.denominator.bit_length() for name, bits in held.items()}
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            degree, bits = (max((x[k] for x in inputs), default=0) for k in range(2))
            if node.op in ("parameter", "probe"):
                degree, bits = 1, held.get(node.data, 0)
            elif node.op == "constant":
                sizes = [max(abs(c.numerator), c.denominator) for c in node.constants.values()]
                bits = max(sizes, default=1).bit_length()
            elif node.op in ("add", "multiply", "matmul"):
                degree, bits = (sum(x[k] for x in inputs) for k in range(2))
            if node.op in FUNCTIONS:
                size = prod(node.shape)
                chained, entries = chained + size * (2 * degree + 1), entries + size
                chained_bits += size * (2 * bits + degree.bit_length() + 1)
            if node.op == "softmax":
                degree, bits = 1, node.shape[node.data].bit_length()
            elif node.op == "function" and node.data != "reciprocal":
                degree, bits = 1, 0
            terms = 1 if node.op == "add" else node.summed
            degree, bits = degree * terms, bits * terms + node.summed.bit_length()
            bounded(max(degree, bits, chained, chained_bits))
            found.append((degree, bits))
        outputs = prod(self.nodes[self.output].shape)
        degree, bits = (outputs * (x + 1) for x in found[self.output])
        # and no two arguments of functions that differ may meet by chance
        meeting_degree, meeting_bits = (2 * entries**2 * max(x[k] for x in found) for k in range(2))
        bits = 2 * (bits + degree.bit_length()) + chained_bits + entries
        return 2 * degree + chained + meeting_degree, bits + meeting_bits

    def whole_bounds(self) -> tuple[int, int]:
        """``bounds`` without functions."""
        degree, constants, bits = self.node_bounds(self.cases.bits(self.held) if self.cases else {})[self.output]
        clearing = constants * (self.denominator - 1).bit_length()
        return degree, degree.bit_length() + bits + clearing + prod(self.nodes[self.output].shape).bit_length()

    def node_bounds(self, given: dict[str, int]) -> list[tuple[int, int, int]]:
        """Of nodes: degree; constants that are multiplied; bits of the sum of the |coefficients|.

        ``given``: bits of the probes that count as constants.
        """
        found: list[tuple[int, int, int]] = []
        for node in self.nodes:
            inputs = [found[i] for i in node.inputs]
            degree, constants, bits = (max((x[k] for x in inputs), default=0) for k in range(3))
            if node.op == "probe" and node.data in given:
                constants, bits = 1, given[node.data]
            elif node.op in ("parameter", "probe"):
                degree = 1
            elif node.op == "constant":
                constants, bits = 1, int(max((abs(c) for c in node.constants.values()), default=0)).bit_length()
            elif node.op in ("multiply", "matmul"):
                degree, constants, bits = (sum(x[k] for x in inputs) for k in range(3))
            bits += (node.summed - 1).bit_length()
            bounded(max(degree, constants, bits))
            found.append((degree, constants, bits))
        return found


# --- arithmetic ------------------------------------------------------------------------------------------------------


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 13 primes as bases: exact below 3.3e24 (Sorenson and Webster)."""
    small = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if n < 2 or any(n % q == 0 for q in small):
        return n in small
    s = ((n - 1) & (1 - n)).bit_length() - 1
    return all(pow(a, n >> s, n) == 1 or any(pow(a, (n >> s) << r, n) == n - 1 for r in range(s)) for a in small)


def symbol(u: int, f: int) -> int:
    """1 for the squares but 0 modulo a prime."""
    return pow(u, (f - 1) // 2, f)


class Pole(Exception):  # noqa: N818
    """A function is not defined at an argument."""


class Functions:
    """Values of functions modulo m; slopes of those whose slope is known of any value."""

    m: int

    def value(self, name: str, u: int) -> int:
        """At u; the slope of f is called f'."""
        raise NotImplementedError

    def values(self, name: str, arguments: list[int]) -> list[int]:
        return [self.value(name, u) for u in arguments]

    def slope(self, name: str, at: Point, node: Node, z: Jet, f: Jet) -> Jet:
        """The derivative at z of the function with value f there."""
        match name:
            case "exp":
                return f
            case "reciprocal":
                return at.combined((-1, at.product(f, f)))
            case "rsqrt":
                return at.combined((-pow(2, -1, self.m), at.product(f, at.applied(node, z, "reciprocal"))))
            case "log":
                return at.applied(node, z, "reciprocal")
        return at.applied(node, z, f"{name}'")


class Opaque(Functions):
    """Modulo a prime, without infinitesimals: values drawn at random, equal ones at equal arguments."""

    def __init__(self, p: int) -> None:
        self.m, self.random, self.drawn = p, random.SystemRandom(), dict[tuple[str, int], int]()

    def value(self, name: str, u: int) -> int:
        if name in ("reciprocal", "rsqrt") and not u:
            raise Pole("a reciprocal of 0")
        if name == "reciprocal":
            return pow(u, -1, self.m)
        return self.drawn.setdefault((name, u), self.random.randrange(self.m))


class Homomorphism(Functions):
    """The images of functions modulo m = f_0 f_1 ... f_n, primes with f_(i+1) | f_i - 1.

    Exponentials mod f_i are powers of a base of order f_(i+1), with the exponent mod f_(i+1), and 1 mod f_n; roots are
    those that are squares, so that products go to products; normal_cdf - 1/2, odd, and softplus(u) - u/2, even, have
    any value for each |u|, by a key, as has log for each u but 1, where it is 0.

    sin and cos take more fields: e^(iu) mod f is omega^(u mod s), with omega = a + b i of norm 1 and order s | f + 1,
    for the angles (f, s, a, b) given, and 1 in all other fields. What is modulo a field depends on residues modulo it
    and those after it alone.
    """

    def __init__(
        self,
        fields: list[int],
        bases: list[int],
        key: int,
        angles: Sequence[Sequence[int]] = (),
    ) -> None:
        self.chain, self.bases, self.key, self.words = fields, bases, key, dict[str, list[int]]()
        more = [order for _, order, _, _ in angles if order not in fields]
        self.angles, self.fields = angles, [*fields, *dict.fromkeys(more)]
        self.m = prod(self.fields)
        truth(2 <= len(fields) <= MAX_FIELDS, f"there must be from 1 to {MAX_FIELDS - 1} fields beside F_p")
        truth(len(bases) == len(fields) - 1, f"{len(fields) - 1} bases are needed")
        truth(
            all(f > 2 for f in self.fields) and self.m < MAX_MODULUS,
            "the product of the fields is too large, or negative",
        )
        for f in self.fields:
            truth(f % 4 == 3 and is_prime(f), f"the field {f} is not a prime that is 3 modulo 4")
        self.steps = list(zip(bases, fields[1:], fields, strict=False))
        truth(len({f for f, *_ in angles}) == len(angles), "a field has angles twice")
        for f, order, a, b in angles:
            truth(f in self.fields and (f + 1) % order == 0, f"the field {order} does not divide {f} + 1")
            truth(0 <= a < f and 0 <= b < f and (a * a + b * b) % f == 1, f"({a}, {b}) is not of norm 1 modulo {f}")
            truth((a, b) != (1, 0) == turn((a, b), order, f), f"({a}, {b}) is not of order {order} modulo {f}")
        for base, order, f in self.steps:
            truth((f - 1) % order == 0, f"the field {order} does not divide {f} - 1")
            truth(1 < base < f and pow(base, order, f) == 1, f"the base {base} is not of order {order} modulo {f}")
        truth(0 <= key < 2**64, "the key is not a number of 64 bits")
        rest = [(self.m // f, f) for f in self.fields]
        self.units = [n * pow(n, -1, f) for n, f in rest]  # 1 modulo one field, 0 modulo the others

    def joined(self, residues: Iterable[int]) -> int:
        """The residue mod m of residues in the fields."""
        return sum(x * unit for x, unit in zip(residues, self.units, strict=True)) % self.m

    def any_value(self, name: str, u: int, parity: int = 0) -> int:
        """Any residue for u, or for |u| (parity 1: even, -1: odd): in each field by u modulo it and those after it."""
        parts, modulus = list[int](), self.m
        for f in self.fields:
            z, minus = u % modulus, -u % modulus
            part = 0 if parity < 0 and not z else self.hashed(name, min(z, minus) if parity else z)
            parts.append(-part if parity < 0 and z > minus else part)
            modulus //= f
        return self.joined(parts)

    def hashed(self, name: str, z: int) -> int:
        """64 bits, the same for the same name and argument: the keyed finaliser of SplitMix64, twice."""
        if name not in self.words:
            texts = [f"{name} {i} {self.key}".encode() for i in range(2)]
            self.words[name] = [int.from_bytes(hashlib.sha256(text).digest()[:8], "big") for text in texts]
        for word in self.words[name]:
            z = (z + word) % 2**64
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            z ^= z >> 31
        return z

    def value(self, name: str, u: int) -> int:
        m = self.m
        match name:
            case "exp":
                powers = [pow(h, u % order, f) for h, order, f in self.steps]
                return self.joined([*powers, *[1] * (len(self.fields) - len(powers))])
            case "reciprocal":
                if gcd(u, m) > 1:
                    raise Pole("a reciprocal of 0")
                return pow(u, -1, m)
            case "rsqrt":
                if any(symbol(u, f) != 1 for f in self.fields):
                    raise Pole("a root of what is no square")
                return self.root(u)
            case "sigmoid":
                return self.value("reciprocal", 1 + self.value("exp", -u))
            case "tanh":
                return 2 * self.value("sigmoid", 2 * u) - 1
            case "normal_cdf":
                return (m + 1) // 2 + self.any_value(name, u, parity=-1)
            case "log":
                if gcd(u, m) > 1:
                    raise Pole("a logarithm of 0")
                return self.logarithm(u)
            case "cos" | "sin":
                return self.turned(u)[name == "sin"]
        return u * ((m + 1) // 2) + self.any_value(name, u, parity=1)  # softplus

    def logarithm(self, u: int) -> int:
        """Of 1 it is 0."""
        return self.any_value("log", u) - self.any_value("log", 1)

    def turned(self, u: int) -> Pair:
        """cos and sin of u."""
        parts = {f: turn((a, b), u % order, f) for f, order, a, b in self.angles}
        both = [parts.get(f, (1, 0)) for f in self.fields]
        return self.joined(a for a, _ in both), self.joined(b for _, b in both)

    def root(self, u: int) -> int:
        """u^(-1/2), itself a square."""
        return self.joined(pow(u, (f - 3) // 4, f) for f in self.fields)

    def slope(self, name: str, at: Point, node: Node, z: Jet, f: Jet) -> Jet:
        match name:
            case "sigmoid":
                return at.combined((1, f), (-1, at.product(f, f)))
            case "tanh":
                return at.combined((1, {0: dict.fromkeys(range(prod(node.shape)), 1)}), (-1, at.product(f, f)))
            case "normal_cdf":
                density = at.applied(node, at.combined((-pow(2, -1, self.m), at.product(z, z))), "exp")
                return at.combined((self.any_value("density", 1), density))
            case "softplus":
                return at.applied(node, z, "sigmoid")
            case "sin":
                return at.applied(node, z, "cos")
            case "cos":
                return at.combined((-1, at.applied(node, z, "sin")))
        return super().slope(name, at, node, z, f)


def turn(omega: Pair, power: int, f: int) -> Pair:
    """(a + b i)^power modulo f."""
    (a, b), (c, d) = omega, (1, 0)
    while power:
        if power & 1:
            c, d = (a * c - b * d) % f, (a * d + b * c) % f
        a, b, power = (a * a - b * b) % f, 2 * a * b % f, power >> 1
    return c, d


def drawn(source: random.Random) -> Homomorphism:
    """One that no document can know, with a field of angles."""
    while True:
        q, a = 8 * source.randrange(2**20, 2**21) + 7, source.randrange(2**20)
        p, norm = 2 * q + 1, a * a + 1
        if not (is_prime(q) and is_prime(p)):
            continue
        s = next((d for d in range(MIN_TURN, MAX_TURN, 8) if (p + 1) % d == 0 and is_prime(d)), 0)
        omega = turn(((a * a - 1) * pow(norm, -1, p), 2 * a * pow(norm, -1, p)), (p + 1) // s, p) if s else (1, 0)
        if omega != (1, 0):
            return Homomorphism([p, q], [4], source.randrange(2**64), [(p, s, *omega)])


class Point:
    """The program at a point modulo a prime: what does not depend on the seeds is computed once and pinned.

    Functions are opaque, or those of a homomorphism, the modulus being its m.
    """

    def __init__(
        self,
        program: Program,
        p: int,
        theta: Part,
        allowance: Allowance,
        functions: Functions | None = None,
    ) -> None:
        truth(gcd(program.denominator, p) == 1, f"a denominator of the program is not invertible modulo {p}")
        self.program, self.p, self.allowance, self.functions = program, p, allowance, functions or Opaque(p)
        self.cache: dict[tuple[int, ...], Any] = {}
        self.pinned: dict[int, Part] = {}
        self.matters: dict[tuple[int, ...], dict[Node, Any]] = {}  # where functions matter, by the places of covectors
        self.matter: dict[Node, Any] = {}
        self.fixed: list[Jet] = []
        given = program.theta.split(reduced(theta, p))
        for node, static in zip(program.nodes, program.static, strict=True):
            jet: Jet = {}
            if node.op == "parameter":
                jet = {0: given.get(node.data, {})}
            elif node.op == "constant":
                jet = {0: self.constant(node)}
            elif static:
                jet = self.value(node, [self.fixed[i] for i in node.inputs], None)
            self.fixed.append({mask: self.pin(part) for mask, part in jet.items() if part})

    def constant(self, node: Node) -> Part:
        return residues(node.constants.items(), self.p)

    def add(self, jet: Jet, mask: int, part: Part) -> None:
        """jet[mask] += part; parts are shared, so never changed."""
        if mask in jet:
            small, large = sorted((jet[mask], part), key=len)
            self.allowance.spend(len(small) + len(large))
            total = dict(large)
            for i, x in small.items():
                total[i] = (total.get(i, 0) + x) % self.p
                if not total[i]:
                    del total[i]
            jet[mask] = total
        elif part:
            jet[mask] = part

    def pin(self, part: Part) -> Part:
        return self.pinned.setdefault(id(part), part)

    def push(self, part: Part, link: Link | None, forward: bool) -> Part:
        if link is None:
            return part
        key = (id(part), id(link), forward)
        if key in self.cache:
            return self.cache[key]  # type: ignore[no-any-return]
        self.allowance.spend(len(part))
        out = link.push(part, forward, self.p)
        self.allowance.spend(len(out))
        if id(part) in self.pinned:
            self.cache[key] = self.pin(out)
        return out

    def spread(self, jet: Jet, link: Link | None) -> Jet:
        return jet if link is None else {mask: self.push(part, link, True) for mask, part in jet.items()}

    def groups(self, part: Part, rows: int, columns: int, last: bool) -> dict[int, list[tuple[int, int]]]:
        """A stack of matrices by its last or first index: {stack * size + index: [(the other index, entry), ...]}."""
        key = (id(part), rows, columns, last)
        if key in self.cache:
            return self.cache[key]  # type: ignore[no-any-return]
        self.allowance.spend(len(part))
        out: dict[int, list[tuple[int, int]]] = {}
        for i, x in part.items():
            row, column = divmod(i, columns)
            index, other = (row // rows * columns + column, row % rows) if last else (row, column)
            out.setdefault(index, []).append((other, x))
        if id(part) in self.pinned:
            self.cache[key] = out
        return out

    def contract(self, a: Part, m: Pair, b: Part, n: Pair, last: tuple[bool, bool]) -> Part:
        """Products of stacks of matrices of shapes m and n, contracted along the last or the first index of each."""
        left, right = self.groups(a, *m, last[0]), self.groups(b, *n, last[1])
        size, width, height = m[last[0]], n[not last[1]], m[not last[0]]
        common = [key for key in min(left, right, key=len) if key in left and key in right]
        self.allowance.spend(sum(len(left[key]) * len(right[key]) for key in common))
        out: Part = {}
        for key in common:
            for i, x in left[key]:
                first = (key // size * height + i) * width
                for j, y in right[key]:
                    out[first + j] = out.get(first + j, 0) + x * y
        return reduced(out, self.p)

    def entrywise(self, a: Part, b: Part) -> Part:
        small, large = (a, b) if len(a) <= len(b) else (b, a)
        self.allowance.spend(len(small))
        return reduced({i: x * large[i] for i, x in small.items() if i in large}, self.p)

    def times(self, node: Node, a: Part, b: Part, pulled: int = -1) -> Part:
        """The product of a node; with ``pulled``, the adjoint for that operand, of cotangent a and other operand b."""
        if node.op == "multiply":
            return self.entrywise(a, b)
        n, k, m = node.matrix
        if pulled < 0:
            return self.contract(a, (n, k), b, (k, m), (True, False))
        if pulled == 0:
            return self.contract(a, (n, m), b, (k, m), (True, True))
        return self.contract(b, (n, k), a, (n, m), (False, False))

    def bilinear(self, a: Jet, b: Jet, times: Callable[[Part, Part], Part], known: Part | None = None) -> Jet:
        """Sum of products over pairs of masks that do not meet; the part 0 may be known."""
        out: Jet = {} if known is None else {0: known}
        self.allowance.spend(len(a) * len(b))
        for s, x in a.items():
            for t, y in b.items():
                if not s & t and (known is None or s | t):
                    self.add(out, s | t, times(x, y))
        return out

    def product(self, a: Jet, b: Jet) -> Jet:
        """Entry by entry."""
        return self.bilinear(a, b, self.entrywise)

    def combined(self, *terms: tuple[int, Jet]) -> Jet:
        """The sum of multiples."""
        out: Jet = {}
        for c, jet in terms:
            for mask, part in jet.items():
                self.allowance.spend(len(part))
                self.add(out, mask, part if c == 1 else reduced({i: c * x for i, x in part.items()}, self.p))
        return out

    def along(self, node: Node, part: Part) -> Part:
        """At each place the sum along the axis of a softmax."""
        size, step, sums = node.shape[node.data], strides(node.shape)[node.data], dict[int, int]()
        self.allowance.spend(2 * len(part) + size)
        for i, x in part.items():
            first = i - i // step % size * step
            sums[first] = sums.get(first, 0) + x
        return reduced({i + k * step: x for i, x in sums.items() for k in range(size)}, self.p)

    def applied(self, node: Node, z: Jet, name: str, known: Part | None = None) -> Jet:
        """f(a + b e) = f(a) + f'(a) b e, e the last infinitesimal, for a function or a softmax at the place of a node.

        The part 0 may be known.
        """
        last = max(z, default=0)
        if not last:
            return {0: self.evaluated(node, z.get(0, {}), name) if known is None else known}
        e = 1 << (last.bit_length() - 1)
        a, b = ({mask & ~e: part for mask, part in z.items() if mask & e == bit} for bit in (0, e))
        f = self.applied(node, a, name, known)
        return f | {mask | e: part for mask, part in self.through(node, a, name, f, b).items()}

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        """Where there are no infinitesimals: at all places, or those that matter."""
        if name == "softmax":
            powers = self.evaluated(node, z, "exp")
            return self.entrywise(powers, self.evaluated(node, self.along(node, powers), "reciprocal"))
        places = self.matter.get(node, range(prod(node.shape)))
        self.allowance.spend(VALUE_STEPS * len(places))
        try:
            found = self.functions.values(name, [z.get(i, 0) for i in places])
        except Pole as error:
            raise Pole(f"{node.what} takes {error}") from None
        return reduced(dict(zip(places, found, strict=True)), self.p)

    def through(self, node: Node, z: Jet, name: str, f: Jet, x: Jet) -> Jet:
        """The derivative at z, where the value is f, applied to x: it is its own transpose."""
        if name != "softmax":
            return self.product(self.functions.slope(name, self, node, z, f), x)
        weighted = self.product(f, x)
        totals = {mask: self.along(node, part) for mask, part in weighted.items()}
        return self.combined((1, weighted), (-1, self.product(f, totals)))

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        """The value of an operation; the part 0 may be known."""
        if node.op in FUNCTIONS:
            return self.applied(node, inputs[0], node.function, known)
        if node.op not in LINEAR:
            a, b = (self.spread(jet, link) for jet, link in zip(inputs, node.links, strict=True))
            return self.bilinear(a, b, lambda x, y: self.times(node, x, y), known)
        out: Jet = {} if known is None else {0: known}
        for jet, link in zip(inputs, node.links, strict=True):
            for mask, part in jet.items():
                if mask or known is None:
                    self.add(out, mask, self.push(part, link, True))
        return out

    def values(self, seed: dict[str, Part], extra: Jet, stop: int | None = None) -> list[Jet]:
        """Values of all nodes, or of the first ones, for the probes of a seed, at the point moved by infinitesimals."""
        program, moved, self.matter = self.program, dict[str, Jet](), self.matters.get(tuple(seed.get("", ())), {})
        for mask, part in extra.items():
            for name, piece in program.theta.split(part).items():
                moved.setdefault(name, {})[mask] = piece
        values: list[Jet] = []
        for n, node in enumerate(program.nodes[:stop]):
            static, fixed = program.static[n], self.fixed[n]
            if node.op == "probe":
                values.append({0: seed[node.data]} if node.data in seed else {})
            elif node.op == "parameter":
                values.append(fixed | moved.get(node.data, {}))
            elif static and (not extra or not program.active[n]):
                values.append(fixed)
            else:
                values.append(self.value(node, [values[i] for i in node.inputs], fixed.get(0, {}) if static else None))
        return values

    def field(self, seed: dict[str, Part], extra: Jet) -> Jet:
        """A member: a gradient, or the sum of those of cases, times their coefficients."""
        cases, held = self.program.cases, self.program.held
        if cases is None or not held:
            return self.gradient(seed, extra)
        given = seed.get(CASES, {}).items()
        return self.combined(*((c, self.gradient(seed | cases.at(j, held, self.p), extra)) for j, c in given))

    def gradient(self, seed: dict[str, Part], extra: Jet) -> Jet:
        """The gradient in theta of <C, output>: a forward and a reverse sweep.

        Functions may be undefined where they do not matter to it.
        """
        program, out = self.program, Jet()
        self.allowance.spend(10 * len(program.nodes) + sum(map(len, extra.values())))
        try:
            values = self.values(seed, extra)
        except Pole:
            places = tuple(seed.get("", ()))
            if places in self.matters:
                raise
            self.matters[places] = Marks(program, self.allowance).on(places)
            values = self.values(seed, extra)
        cotangents: dict[int, Jet] = {program.output: {0: seed[""]}} if "" in seed else {}
        for n in range(program.output, -1, -1):
            jet, node = cotangents.pop(n, {}), program.nodes[n]
            if node.op == "parameter":
                first = program.theta.first[node.data]
                for mask, part in jet.items():
                    self.allowance.spend(len(part))
                    self.add(out, mask, {first + i: x for i, x in part.items()})
            for k, j in enumerate(node.inputs if jet else ()):
                if program.active[j]:
                    target = cotangents.setdefault(j, {})
                    link = None if node.op in FUNCTIONS else node.links[k]
                    for mask, part in self.pulled(n, k, values, jet).items():
                        self.add(target, mask, self.push(part, link, False))
        return out

    def pulled(self, n: int, k: int, values: list[Jet], jet: Jet) -> Jet:
        """The cotangent that operand k of a node receives, before it is pushed back to the operand."""
        node = self.program.nodes[n]
        if node.op in LINEAR:
            return jet
        if node.op in FUNCTIONS:
            return self.through(node, values[node.inputs[0]], node.function, values[n], jet)
        other = self.spread(values[node.inputs[1 - k]], node.links[1 - k])
        return self.bilinear(jet, other, lambda g, y: self.times(node, g, y, k))

    def bracket(self, seeds: Sequence[dict[str, Part]], extra: Jet, bit: int = 0) -> Jet:
        """[X_0, [X_1, ...]]: the e-part of A(theta + e B) - B(theta + e A), A = X_0, B = [X_1, ...]."""
        if len(seeds) == 1:
            return self.field(seeds[0], extra)
        e, out = 1 << (bit + len(seeds) - 2), Jet()
        b = self.bracket(seeds[1:], extra, bit)
        a_moved = self.field(seeds[0], extra | {mask | e: part for mask, part in b.items()})
        a = {mask | e: part for mask, part in a_moved.items() if not mask & e}
        for sign, jet in ((1, a_moved), (-1, self.bracket(seeds[1:], extra | a, bit))):
            for mask, part in jet.items():
                if mask & e:
                    self.add(out, mask & ~e, {i: sign * x % self.p for i, x in part.items()})
        return out


class Marks(Point):
    """The same with 1 for what may differ from 0, at every point: which entries matter to entries of the output."""

    def __init__(self, program: Program, allowance: Allowance) -> None:
        self.pins: dict[str, Part] = {}  # probes that do not move
        super().__init__(program, 2**61 - 1, {}, allowance)  # more than there are entries

    def constant(self, node: Node) -> Part:
        return {i: 1 for i, c in node.constants.items() if c}

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        jet: Any = super().value(node, inputs, known) if node.inputs else {0: range(prod(node.shape))}
        return {mask: dict.fromkeys(part, 1) for mask, part in jet.items()}

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        self.allowance.spend(prod(node.shape))
        return dict.fromkeys(range(prod(node.shape)), 1)

    def through(self, node: Node, z: Jet, name: str, f: Jet, x: Jet) -> Jet:
        return {mask: self.along(node, part) if name == "softmax" else part for mask, part in x.items()}

    def marked(self) -> list[Jet]:
        """What may differ from 0, and, as the part of an infinitesimal, what may depend on probes."""
        values = list[Jet]()
        self.allowance.spend(50 * len(self.program.nodes) + 2 * self.program.entries)
        for node in self.program.nodes:
            fixed = {0: self.constant(node)} if node.op == "constant" else None
            if node.op == "probe" and node.data in self.pins:
                fixed = {0: dict.fromkeys(self.pins[node.data], 1)}
            jet = fixed or self.value(node, [values[i] for i in node.inputs], None)
            values.append(jet | {1: jet[0]} if node.op == "probe" and not fixed else jet)
        return values

    def unmoved(self) -> dict[Node, list[int]]:
        """For each node of a function that depends on probes the places at which its argument does not."""
        values, out = self.marked(), dict[Node, list[int]]()
        for node, static in zip(self.program.nodes, self.program.static, strict=True):
            if node.function and not static:
                moved = values[node.inputs[0]].get(1, {})
                out[node] = [i for i in range(prod(node.shape)) if i not in moved]
        return out

    def on(self, places: Sequence[int]) -> dict[Node, Part]:
        """For each node of a function the places that matter to these of the output."""
        nodes, out = self.program.nodes, dict[Node, Part]()
        values = [{0: jet.get(0, {})} for jet in self.marked()]
        marks: list[Jet] = [{} for _ in nodes]
        marks[self.program.output] = {0: dict.fromkeys(places, 1)}
        for n in range(self.program.output, -1, -1):
            for k, j in enumerate(nodes[n].inputs):
                pulled = self.pulled(n, k, values, {0: dict.fromkeys(marks[n].get(0, {}), 1)}).get(0, {})
                if nodes[n].function:
                    out[nodes[n]] = pulled
                link = None if nodes[n].function else nodes[n].links[k]
                self.add(marks[j], 0, self.push(pulled, link, False))
        return out


# --- gates near a start ----------------------------------------------------------------------------------------------


class Sources(Point):
    """A point at which only what is read off by gates matters: functions are left out, and must not enter it."""

    def evaluated(self, node: Node, z: Part, name: str) -> Part:
        return {}

    def margin(self, values: list[Jet], gate: Gate, plus: int, minus: int) -> int:
        z: Part = values[gate.node].get(0, {})
        return (z.get(plus, 0) - z.get(minus, 0)) % self.p  # at -1 there is nothing


class Reading(Sources):
    """A network at its start, exactly: a number of known size and denominator is known by its residue."""

    def __init__(self, program: Program, cases: Cases, allowance: Allowance) -> None:
        self.cases, self.names, start = cases, [*cases.tables], cases.start
        truth(len(start) == program.theta.starts[-1], f"the start must have {program.theta.starts[-1]} numbers")
        self.bounds = program.node_bounds(cases.bits(self.names))
        self.own, self.common = program.own_denominator, common({c.denominator for c in start})
        largest = (1 + int(max(map(abs, start), default=0))).bit_length()
        self.given = [common({self.own, *cases.denominators(self.names, j)}) for j in range(cases.count)]
        constants = max(map(int.bit_length, self.given))
        size = 2 + max(
            bits + degree * (largest + self.common.bit_length()) + factors * constants
            for degree, factors, bits in (self.bounds[gate.node] for gate in cases.gates)
        )
        power = next((n for n in MERSENNE if n > max(size, constants, self.common.bit_length())), 0)
        if not power:
            raise TooMuch("the numbers at the start are too long")
        self.whole, self.weight = allowance, 1 + (power // 256) ** 2 // 4  # division takes its square
        self.left = allowance.left // self.weight
        super().__init__(program, 2**power - 1, residues(enumerate(start), 2**power - 1), Allowance(self.left))

    def at(self, j: int, instead: dict[str, Part] | None = None) -> tuple[list[Jet], list[int]]:
        """Values with the gates of a case, at its input or another of integers; and by what they are multiplied."""
        values = self.values(self.cases.at(j, self.names, self.p) | (instead or {}), {})
        self.whole.spend(self.weight * (self.left - self.allowance.left))
        self.left = self.allowance.left
        p, given = self.p, self.given[j]
        return values, [pow(self.common, degree, p) * pow(given, factors, p) for degree, factors, _ in self.bounds]

    def exactly(self, values: list[Jet], scales: list[int], gate: Gate, plus: int, minus: int) -> int:
        """A margin, times a positive number."""
        x: int = self.margin(values, gate, plus, minus) * scales[gate.node] % self.p
        return x if x < self.p // 2 else x - self.p

    def ties(self, j: int) -> list[Margin]:
        """The margins of a case that are zero at the start; ``Untrue`` if its gates are not as listed."""
        (values, scales), out = self.at(j), list[Margin]()
        for gate, choices in zip(self.cases.gates, self.cases.choices[j], strict=True):
            for k, choice in enumerate(choices):
                for plus, minus in gate.margins(k, choice):
                    x = self.exactly(values, scales, gate, plus, minus)
                    truth(x >= 0, f"case {j}: {gate.name} is not as listed, at entry {max(plus, minus)}")
                    out += [(gate, plus, minus)] if not x else []
        return out


class Branches:
    """Choices of gates that are not listed, each where it leaves those listed: no input, near the start, makes them.

    What enters gates must be affine in the input. With the earlier choices, margins are rows (a, b): a x + b > 0. Where
    sum y_i a_i = 0 and sum y_i b_i = -e <= 0 with y_i > 0, there is no x. If that, with (0, 1) times e > 0, is the only
    relation of these rows at the start, and their generic rank is not larger, their rank is constant near it: the
    relation is continuous, so its terms stay positive. What ties for all parameters is positive nowhere; that of a ReLU
    needs one gate only.
    """

    def __init__(self, reading: Reading, cases: Cases, tied: dict[int, list[Margin]]) -> None:
        self.reading, self.cases, self.tied = reading, cases, {j: set(ties) for j, ties in tied.items()}
        self.places = [(name, i) for name in cases.inputs for i in range(len(cases.tables[name][0]))]
        self.kept: dict[tuple[int, Point], list[Any]] = {}
        self.tested = False  # whether a generic rank was found at random parameters

    def all(self) -> Iterator[tuple[int, list[Margin]]]:
        """A case that makes the choices before, and the margins of these and of the one that is not listed."""
        self.reading.whole.spend(20 * self.cases.count * sum(len(gate.slices) for gate in self.cases.gates))
        flat = [[(gate, k, c) for gate, choices in zip(self.cases.gates, chosen, strict=True)
                 for k, c in enumerate(choices)] for chosen in self.cases.choices]  # fmt: skip
        numbers: dict[tuple[int, int], int] = {}  # of a choice after others, all of which have a number
        listed = [[0] for _ in flat]
        for row, path in zip(flat, listed, strict=True):
            for *_, choice in row:
                path.append(numbers.setdefault((path[-1], choice), len(numbers) + 1))
        for j, (row, path) in enumerate(zip(flat, listed, strict=True)):
            margins = list[Margin]()
            for (gate, k, choice), before in zip(row, path, strict=False):
                for other in gate.options(k):
                    if (before, other) not in numbers:
                        numbers[before, other] = -1
                        yield j, margins + [(gate, *pair) for pair in gate.margins(k, other)]
                made = [(gate, *pair) for pair in gate.margins(k, choice)]
                margins += [margin for margin in made if margin not in self.tied.get(j, ())]

    def rows(self, j: int, margins: list[Margin]) -> list[list[int]]:
        """(a, b) of margins at the start, times positive numbers."""
        reading = self.reading
        found = self.at_frame(j, reading, partial(reading.at, j))
        return [affine([reading.exactly(values, scales, *m) for values, scales in found]) for m in margins]

    def at_frame(self, j: int, at: Point, values: Callable[[dict[str, Part]], Any]) -> list[Any]:
        """What a place computes for a case at the input 0 and the unit vectors: the last ones are kept."""
        if (j, at) not in self.kept:
            zero: dict[str, Part] = {name: {} for name in self.cases.inputs}
            self.kept = {key: found for key, found in self.kept.items() if key[0] == j}
            self.kept[j, at] = [values(x) for x in (zero, *(zero | {name: {i: 1}} for name, i in self.places))]
        return self.kept[j, at]

    def at_random(self, j: int, at: Sources, case: Any, frame: dict[str, Part]) -> list[Jet]:
        return at.values(case(j, at.p, frame), {})

    def excluded(self, j: int, margins: list[Margin], y: list[int], points: list[tuple[Sources, Any]]) -> bool:
        """Whether multipliers exclude a branch near the start."""
        rows, size = self.rows(j, margins), len(self.places)
        *sums, excess = [-sum(c * row[i] for c, row in zip(y, rows, strict=True)) for i in range(size + 1)]
        if not y or min(y) <= 0 or any(sums) or excess < 0:
            return False
        if not all(any(row) or gate.axis is None for row, (gate, *_) in zip(rows, margins, strict=True)):
            return False
        count = len(rows) + (excess > 0)
        if ranked(rows, excess > 0, points[0][0].p, self.reading.whole) != count - 1:  # no less than modulo a prime
            return False
        if count > size + 1:
            return True
        self.tested = True
        for at, case in points:
            found = self.at_frame(j, at, partial(self.at_random, j, at, case))
            rows = [affine([at.margin(values, *margin) for values in found]) for margin in margins]
            if ranked(rows, excess > 0, at.p, self.reading.whole) == count:
                return False
        return True


def affine(values: list[int]) -> list[int]:
    """(a, b) of a x + b from its values at 0 and the unit vectors."""
    return [*(x - values[0] for x in values[1:]), values[0]]


def ranked(rows: list[list[int]], constant: bool, p: int, allowance: Allowance) -> int:
    """The rank modulo p of rows, and of (0, 1) if ``constant``."""
    more = [[0] * (len(rows[0]) - 1) + [1]] * constant
    return eliminated([reduced(dict(enumerate(row)), p) for row in rows + more], p, allowance)


class Support(frozenset):  # type: ignore[type-arg]
    """Monomials, sorted tuples of entries of gates, that may occur in a number: nothing cancels."""

    def __add__(self, other: Any) -> Support:
        return Support(self | other)

    def __radd__(self, zero: int) -> Support:
        return self

    def __mul__(self, other: Any) -> Support:
        if len(self) * len(other) > MAX_MONOMIALS:
            raise TooMuch("the output has too many monomials in the gates")
        return Support(tuple(sorted(m + n)) for m in self for n in other)

    def __mod__(self, p: int) -> Support:
        return self


class Supports(Point):
    """The program with sets of monomials for numbers."""

    def constant(self, node: Node) -> Part:
        return {i: Support([()]) for i, c in node.constants.items() if c}  # type: ignore[misc]

    def monomials(self, cases: Cases) -> list[Monomial]:
        """In entries of gates, of all outputs."""
        one, shapes = Support([()]), self.program.seed.shapes
        seed: Any = {name: dict.fromkeys(range(prod(shapes[name])), one) for name in cases.inputs}
        seed |= {g.name: {i: Support([((g.name, i),)]) for i in range(prod(g.shape))} for g in cases.gates}
        found: Any = self.values(seed, {})[self.program.output].get(0, {})
        return sorted(Support().union(*found.values()))


# --- roots and logarithms ---------------------------------------------------------------------------------------------


class Symbols(Homomorphism):
    """The same; Legendre symbols in a field are noted for each node of roots, up to one of which a root fails."""

    def __init__(self, hom: Homomorphism) -> None:
        super().__init__(hom.chain, hom.bases, hom.key, hom.angles)
        self.noted, self.asked = list[list[bool]](), self.fields[:1]  # where all must exist; symbols: of the first

    def value(self, name: str, u: int) -> int:
        if name not in ("reciprocal", "log"):
            return super().value(name, u)
        if not all(u % f for f in self.asked):
            raise Pole(f"a {name} of 0")
        return self.logarithm(u) if name == "log" else self.joined(pow(u, f - 2, f) for f in self.fields)

    def values(self, name: str, arguments: list[int]) -> list[int]:
        if name != "rsqrt" or not arguments:
            return super().values(name, arguments)
        if not all(u % self.asked[0] for u in arguments):
            raise Pole("a root of 0")
        self.noted.append([symbol(u, self.asked[0]) == 1 for u in arguments])
        if not all(symbol(u, f) == 1 for f in self.asked for u in arguments):
            raise Pole("a root of what is no square")
        return [self.root(u) for u in arguments]


class Moving(Point):
    """A point at which logarithms move by numbers of their own, and nothing else by itself."""

    def __init__(self, numbers: dict[int, Part], *place: Any) -> None:
        self.numbers = numbers
        super().__init__(*place)

    def value(self, node: Node, inputs: list[Jet], known: Part | None) -> Jet:
        out = super().value(node, inputs, known)
        if node.function not in LOGARITHMS:
            return out
        moved = self.numbers.get(id(node))
        return {0: out.get(0, {})} | ({1: moved} if moved else {})


class Roots:
    """That the signs of the roots of a program are free, so that any choice of them is a homomorphism; and logarithms.

    Adjoin the roots node by node: those of constants, then of functions of theta, then of the probes too. By Kummer
    the signs are free if no product of radicands of a node is a square in the field made before, up to a factor from
    what is shared: theta, or constants. A homomorphism to F_p takes a square to a square; so it is enough that the
    differences of the vectors of Legendre symbols of several inputs at one theta, or of several theta, have full rank
    over F_2. A node of which only some entries depend on probes comes twice.

    Where gates are listed, members are functions with the gates that they have, so this is shown at each choice of
    gates by itself (``check_at``), at which no radicand may depend on gates and theta alone, but as a constant.
    """

    def __init__(self, program: Program, hom: Homomorphism, allowance: Allowance) -> None:
        self.program, self.allowance, self.random = program, allowance, random.SystemRandom()
        self.symbols = Symbols(hom)
        self.place: Callable[..., Point] = Point
        self.stride = 1  # slices that are drawn anew at once
        self.failed = 1  # the field in which arguments were last sought in vain
        self.choice: frozenset[int] | None = None  # open gates, by their places in seeds; None: gates are any numbers
        self.known = list[Part]()  # probes, found at other choices
        self.epsilons = set[Fraction]()  # radicands that are constants where gates are closed
        found = [n for n, node in enumerate(program.nodes) if node.function == "rsqrt"]
        self.marks = Marks(program, allowance) if {"rsqrt", "log"} & set(program.functions) else None
        self.unmoved = self.marks.unmoved() if self.marks else {}
        every = {n: range(prod(program.nodes[n].shape)) for n in found}
        fixed = {n: self.unmoved.get(program.nodes[n], list(every[n])) for n in found}
        self.stop = max(found, default=-1) + 1
        self.partial = any(self.unmoved[node] for node in self.unmoved if node.function in ("rsqrt", "log"))
        self.constant = [n for n in found if program.static[n] and not program.active[n]]
        self.static = {n: fixed[n] for n in sorted(found, key=lambda n: not program.static[n]) if fixed[n]}
        self.dynamic = {n: sorted({*every[n]} - {*fixed[n]}) for n in found if not program.static[n]}

    def check(self, choices: Iterable[frozenset[int]] = ()) -> None:
        """``Untrue`` unless it is shown, at these choices if gates move them; ``TooMuch`` where roots are rare."""
        self.check_constants()
        if self.stop and self.constant != [*self.static, *self.dynamic]:
            theta = self.check_nodes(self.static, None)
            if any(self.dynamic.values()):  # in small fields not all theta have probes at which all is defined
                at = None if self.symbols.angles else self.point(theta)
                first = next((k for k, n in enumerate(self.dynamic) if self.program.gated[n]), len(self.dynamic))
                self.check_nodes(dict([*self.dynamic.items()][:first]), at or self.anywhere())
                for choice in choices if first < len(self.dynamic) else ():
                    self.choice = choice
                    self.check_at(choice, first, at)
                self.choice = None
        if self.epsilons:
            self.check_constants()

    def check_at(self, choice: frozenset[int], first: int, at: Point | None) -> None:
        """The same of roots from this one on, at a choice of gates."""
        nodes = self.moved(self.dynamic, choice)
        entries = {n: places if k >= first else [] for k, (n, places) in enumerate(nodes.items())}
        if any(entries.values()):
            self.check_nodes(entries, at or self.anywhere())

    def moved(self, nodes: dict[int, list[int]], choice: frozenset[int]) -> dict[int, list[int]]:
        """Of these entries of nodes those that depend on probes at a choice of gates; the others must be constants."""
        assert self.marks
        opened = self.program.seed.split(reduced(self.program.opened(choice, self.marks.p), self.marks.p))
        self.marks.pins = {name: opened.get(name, {}) for name in self.program.gates}
        unmoved, out = self.marks.unmoved(), dict[int, list[int]]()
        for n, places in nodes.items():
            fixed = {*unmoved[self.program.nodes[n]]}
            out[n] = [i for i in places if i not in fixed]
            if len(out[n]) < len(places):
                self.check_epsilons(n, [i for i in places if i in fixed])
        return out

    def check_epsilons(self, n: int, places: list[int]) -> None:
        """Entries of a node that no probe moves at the choice of gates are constants of the program."""
        constants = {c for node in self.program.nodes if node.op == "constant" for c in node.constants.values()}
        try:
            found, p = self.opaque([n])
        except Pole as error:
            raise Untrue(f"node {n}: the arguments of its roots are defined nowhere: {error}") from None
        known = {c.numerator * pow(c.denominator, -1, p) % p: c for c in constants}
        for i in places:
            shown = len(set(found[n, i])) == 1 and found[n, i][0] in known
            truth(shown, f"node {n}: a root of what depends on gates and parameters alone is not shown to be free")
            self.epsilons.add(known[found[n, i][0]])

    def point(self, theta: Part | None = None) -> Any:
        """A theta at which all roots of functions of it exist; sought from this one on."""
        return self.sample(None, len(self.static), theta)[0]

    def check_logarithms(self, choices: Iterable[frozenset[int]] = ()) -> None:
        """``Untrue`` unless the logarithms of a program are independent, so that any values are a homomorphism's.

        At each of these choices, if there are gates. There none may depend on gates and theta alone, but log(1).

        By Ax they are unless a product of integer powers of their arguments, not all of them even, is a constant times
        an exponential, which is a square; a factor of theta alone is shared by members. That is excluded as for roots,
        for all together and the arguments 1 + e^u of softplus. Those that are equal for opaque functions are one.
        """
        self.stop = len(self.program.nodes)
        _, free = self.arguments()
        for choice in choices if self.program.gates else [None]:
            self.choice = choice
            places, moved = self.arguments()
            bound = (free - moved) & {*places}
            truth(not bound, "a logarithm of what depends on gates and parameters alone is not shown to be independent")
            self.check_factors(places, moved)
        self.choice = None

    def check_factors(self, places: list[Pair], moved: set[Pair]) -> None:
        """``Untrue`` unless no product of these arguments is a square up to a factor; those moved by probes first."""
        for static in (False, True):
            chosen, basis, first = [place for place in places if (place in moved) != static], list[int](), -1
            walk = self.walk(None if static or not chosen else self.anywhere())
            for _ in range(self.steps(len(chosen))):
                if len(basis) == len(chosen):
                    break
                next(walk)
                self.allowance.spend(VALUE_STEPS * len(chosen) + len(basis))
                vector = sum(self.is_square(*place) << j for j, place in enumerate(chosen))
                first = vector if first < 0 else first
                extend(basis, vector ^ first)
            free = len(basis) == len(chosen)
            truth(free, "logarithms are not shown to be independent: log(u v) = log(u) + log(v), log(exp(u)) = u")

    def arguments(self) -> tuple[list[Pair], set[Pair]]:
        """(node, entry) of each argument, those equal for opaque functions once; and all that move with probes."""
        nodes = self.program.nodes
        try:
            found, _ = self.opaque([n for n, node in enumerate(nodes) if node.function in LOGARITHMS])
        except Pole as error:
            raise Untrue(f"the arguments of logarithms are defined nowhere: {error}") from None
        first = {(nodes[n].function, *row): (n, i) for (n, i), row in reversed(found.items())}
        first.pop(("log", 1, 1, 1, 1), None)  # log(1) is 0
        return list(first.values()), {place for place, row in found.items() if row[0] != row[1]}

    def opaque(self, nodes: list[int]) -> tuple[dict[Pair, list[int]], int]:
        """For each entry of these its argument where functions are opaque, that of softplus without sign; the prime.

        At two points, for two seeds each.
        """
        program, p = self.program, 1
        while not is_prime(p) or program.denominator % p == 0:
            p = self.random.randrange(1 << (LAW_BITS - 1), 1 << LAW_BITS)
        found: dict[Pair, list[int]] = {(n, i): [] for n in nodes for i in range(prod(program.nodes[n].shape))}
        for _ in range(2):
            theta = {j: self.random.randrange(p) for j in range(program.theta.starts[-1])}
            at = Point(program, p, theta, self.allowance)
            for _ in range(2):
                seed = {j: self.random.randrange(p) for j in range(program.seed.first[""])}
                seed |= {} if self.choice is None else program.opened(self.choice, p)
                self.allowance.spend(10 * program.entries)
                values = at.values(program.seed.split(seed), {})
                for (n, i), row in found.items():
                    u = values[program.nodes[n].inputs[0]].get(0, {}).get(i, 0)
                    row.append(min(u, -u % p) if program.nodes[n].function == "softplus" else u)
        return found, p

    def is_square(self, n: int, i: int) -> bool:
        """Whether the argument of a logarithm is one modulo p, at the arguments found."""
        node, p = self.program.nodes[n], self.symbols.fields[0]
        u = self.found[node.inputs[0]].get(0, {}).get(i, 0)
        return symbol(u if node.function == "log" else 1 + self.symbols.value("exp", u), p) == 1

    def check_exponents(self) -> None:
        """``Untrue`` if a rational combination of exponents may be one of logarithms, and what members share.

        A softplus is a logarithm: exp(softplus(z)) = 1 + exp(z). By Ax logarithms and exponentials are independent
        otherwise. A derivation moves each logarithm by a number, the same one wherever it stands, log(1) by 0, and no
        parameter and no probe: such a combination moves by one number, not 0, at all arguments. So none may; of all
        logarithms, or of those that depend on probes. (Exponents of sines are imaginary.)
        """
        nodes, p = self.program.nodes, self.symbols.fields[0]
        size, self.stop = sum(prod(node.shape) for node in nodes if node.function in EXPONENTIAL), len(nodes)
        kinds = self.same_logarithms()
        for turn in range(2 * MOTIONS):
            drawn = {kind: self.random.randrange(p) for kind in kinds.values()}
            numbers: dict[int, Part] = {}
            for (n, i), kind in kinds.items():
                if not (turn % 2 and self.program.static[n]):
                    numbers.setdefault(id(nodes[n]), {})[i] = drawn[kind]
            self.place, rows = partial(Moving, numbers), list[list[int]]()
            self.allowance.spend((size + SPARE) * size)
            while numbers and len(rows) < size + SPARE:
                self.anywhere()
                rows.append(self.motions())
            shown = not rows or self.rank([[*row, 1] for row in rows]) > self.rank(rows)
            truth(
                shown,
                "exponents are not shown to differ from logarithms: exp(softplus(z)) = 1 + exp(z), exp(log(z)) = z",
            )

    def same_logarithms(self) -> dict[Pair, tuple[Any, ...]]:
        """What each logarithm is of, those of 1 left out: log u and softplus(|u|), by values at some points."""
        nodes, m = self.program.nodes, self.symbols.m
        found: dict[Pair, tuple[Any, ...]] = {
            (n, i): (node.function,)
            for n, node in enumerate(nodes)
            if node.function in LOGARITHMS
            for i in range(prod(node.shape))
        }
        for _ in range(ALIKE):
            self.anywhere()
            self.allowance.spend(len(found))
            for (n, i), kind in found.items():
                u = self.found[nodes[n].inputs[0]].get(0, {}).get(i, 0)
                found[n, i] = (*kind, min(u, -u % m) if kind[0] == "softplus" else u)
        return {place: kind for place, kind in found.items() if kind != ("log", *[1] * ALIKE)}

    def motions(self) -> list[int]:
        """By how much each exponent moves at the arguments found."""
        row = list[int]()
        for node in self.program.nodes:
            if node.function in EXPONENTIAL:
                z = self.found[node.inputs[0]]
                at, by = z.get(0, {}), z.get(1, {})
                twice = node.function == "normal_cdf"  # z^2
                row += [by.get(i, 0) * (at.get(i, 0) if twice else 1) for i in range(prod(node.shape))]
        return row

    def rank(self, rows: list[list[int]]) -> int:
        """Modulo p."""
        p = self.symbols.fields[0]
        return eliminated([reduced(dict(enumerate(row)), p) for row in rows], p, self.allowance)

    def check_nodes(self, nodes: dict[int, list[int]], at: Point | None) -> Part:
        """The roots of these entries of nodes, those before them existing, on a walk through arguments; its end."""
        kept: Part = {}
        for k, (n, places) in enumerate(nodes.items()):
            entries, vectors = [] if n in self.constant else self.different(n, places), list[int]()
            basis, again = list[int](), self.again(at, k)
            for step in range(self.steps(len(entries))):
                if len(basis) == len(entries):
                    break
                kept = next(again, {}) or self.sample(at, k, kept, onward=step > 0)[1]
                if self.choice is not None and len(self.known) < KNOWN:
                    self.known.append(kept)
                noted = self.symbols.noted[k]
                symbols = dict(enumerate(noted) if at else zip(places, noted, strict=True))
                vectors.append(sum(symbols[i] << j for j, i in enumerate(entries)))
                self.allowance.spend(len(entries) + len(basis))
                extend(basis, vectors[-1] ^ vectors[0])
            free = len(basis) == len(entries) or self.different_are_free(n, entries, vectors)
            truth(free, f"node {n}: the signs of its roots are not shown to be free: a product of them may have none")
        return kept

    def again(self, at: Point | None, k: int) -> Iterator[Part]:
        """Of probes found at other choices of gates those at which the roots of k nodes exist at this one, too."""
        choice = self.choice
        if not at or choice is None:
            return
        for probes in [*self.known]:
            self.symbols.asked = self.fields
            numbers = probes | self.program.opened(choice, self.symbols.m)
            self.attempt(at, numbers)
            if len(self.symbols.noted) > k:
                yield numbers

    @property
    def fields(self) -> list[int]:
        """Those in which roots must exist: only exponentials depend on others than the first."""
        transcendental = set(TRANSCENDENTAL) & set(self.program.functions)
        return self.symbols.fields if transcendental else self.symbols.fields[:1]

    def anywhere(self) -> Any:
        """A random theta, with random probes, at which all is defined: not all theta have such."""
        at, theta, probes = None, Part(), Part()
        for trials in patience():
            point, theta = self.sample(None, len(self.static), theta)
            at, probes = self.sample(point, len(self.dynamic), probes, trials=trials)
            if at:
                break
            theta = self.other(theta)
        return at

    def other(self, theta: Part) -> Part:
        """Another one where probes were sought in vain: in that field only, so that what was found in others stays."""
        step = self.symbols.m // self.failed
        return {i: x + step * self.random.randrange(self.failed) for i, x in theta.items()}

    def steps(self, size: int) -> int:
        """Of a walk, for so many symbols: most change something in one field only."""
        return WALK * (size + SPARE) * len(self.symbols.fields)

    def walk(self, at: Point | None) -> Iterator[None]:
        """Probes for a point one after another, or theta with probes, at which all is defined."""
        theta, probes, trials = Part(), Part(), patience()
        while at:
            probes = self.sample(at, len(self.dynamic), probes, onward=bool(probes))[1]
            yield
        found = None
        while True:
            point, theta = self.sample(None, len(self.static), theta, onward=found is not None)
            found, probes = self.sample(point, len(self.dynamic), probes, trials=next(trials))
            if found:
                trials = patience()
                yield
            else:  # in small fields not all theta have probes at which all is defined
                theta = self.other(theta)

    def sample(
        self, at: Point | None, k: int, kept: Part | None = None, onward: bool = False, trials: int = 0
    ) -> tuple[Any, Part]:
        """Note symbols at a theta, or at probes for that of a point, where the roots of k nodes exist.

        Exponentials in a field depend on the next one, so arguments are found in the last field first, then in the one
        before it: slices are drawn anew and kept where no fewer roots exist; in later fields too, where that changes
        nothing. ``onward`` from such arguments, to others. None if so many trials, where they are limited, do not
        suffice for one of the fields.
        """
        point, symbols = None, self.symbols
        layout, places = self.program.seed if at else self.program.theta, list[int]()
        gates = self.program.opened(self.choice, symbols.m) if at and self.choice is not None else {}
        if not kept:
            places = [i for i in range(layout.first.get("", layout.starts[-1])) if i not in gates]
            kept = {i: self.random.randrange(symbols.m) for i in places} | gates
        fields = self.fields
        for n in range(0 if onward else len(fields) - 1, -1, -1):
            symbols.asked, best, r, left = fields[n:], (k + 1, 0) if onward else (0, 0), fields[n], trials
            idle = 0
            while True:
                if onward:
                    places = [i for _ in range(self.stride) for i in self.slice(layout)]
                    r = self.random.choice([fields[0], self.random.choice(fields)])
                trial = kept | {i: kept[i] + symbols.m // r * self.random.randrange(r) for i in places}
                if r != fields[n] and not onward:
                    symbols.asked = fields[n + 1 :]
                    self.attempt(at, trial)
                    stays, symbols.asked = len(symbols.noted) > k, fields[n:]
                    trial = trial if stays else kept
                point = self.attempt(at, trial)
                reached = (len(symbols.noted), sum(symbols.noted[-1]) if symbols.noted else 0)
                idle = idle + 1 if reached == best or r != fields[n] else 0
                if reached >= best:
                    kept, best = trial, reached
                if len(symbols.noted) > k:
                    self.stride = min(2 * self.stride, MAX_STRIDE)
                    break
                left -= 1
                if not left:
                    self.failed = fields[n]
                    return None, kept
                self.stride, places = max(1, self.stride // 2), self.slice(layout)
                r = fields[n] if idle < IDLE else self.random.choice(fields[n:])
        return point, kept

    def slice(self, layout: Layout) -> list[int]:
        """The places of a random slice of a random array, or of all of it."""
        gates = self.program.gates if self.choice is not None else {}
        name = self.random.choice([name for name in layout.names if name and name not in gates])
        sizes, first = layout.shapes[name], layout.first[name]
        axis = self.random.randrange(len(sizes) + 1)
        size, step = (sizes[axis], strides(sizes)[axis]) if axis < len(sizes) else (1, 1)
        chosen = self.random.randrange(max(1, size))
        return [first + i for i in range(prod(sizes)) if i // step % size == chosen]

    def attempt(self, at: Point | None, numbers: Part) -> Point | None:
        """Note symbols up to a node with a root that does not exist; the point, and one note more, if all do."""
        program, symbols, self.symbols.noted = self.program, self.symbols, []
        self.allowance.spend(200 + 40 * self.stop + 30 * len(numbers))
        try:
            if at:
                self.found = at.values(program.seed.split(reduced(numbers, symbols.m)), {}, self.stop)
            else:
                at = self.place(program, symbols.m, numbers, self.allowance, symbols)
                at.matters[()] = self.unmoved
                at.values({}, {}, self.stop if self.partial else 0)
                at.matters.clear()
        except Pole:
            return None
        symbols.noted.append([])
        return at

    def different(self, n: int, places: list[int]) -> list[int]:
        """Those entries of a node of roots whose arguments are not the same entry of the same node, moved about."""
        found: dict[Pair, int] = {}
        self.allowance.spend(10 * len(places))
        for i in places:
            k, place = self.program.nodes[n].inputs[0], i
            while (node := self.program.nodes[k]).op in MOVES:
                link, k = node.links[0], node.inputs[0]
                place = link.table[place] if link else place
            found.setdefault((k, place), i)
        return list(found.values())

    def different_are_free(self, n: int, entries: list[int], vectors: list[int]) -> bool:
        """Whether vectors of symbols show it of the entries that differ for opaque functions, in no simple way."""
        try:
            found, _ = self.opaque([n])
        except Pole:
            return False
        first = {tuple(found[n, i]): 1 << j for j, i in enumerate(entries)}
        chosen, basis = sum(first.values()), list[int]()
        for vector in vectors:
            self.allowance.spend(len(basis))
            extend(basis, (vector ^ vectors[0]) & chosen)
        return len(basis) == len(first)

    def check_constants(self) -> None:
        """Radicands are rational; products of them that are squares w^2 need w to be a square, as roots are."""
        basis, found = dict[int, tuple[set[int], Fraction]](), {-1: self.epsilons}
        for n in self.constant:
            node = self.program.nodes[self.program.nodes[n].inputs[0]]
            while node.op in MOVES:
                node = self.program.nodes[node.inputs[0]]
            truth(node.op == "constant", f"node {n}: the root of an expression in constants is not shown to be one")
            found[n] = set(node.constants.values())
        for n, constants in found.items():
            what = f"node {n}" if n >= 0 else "where gates are closed"
            for c in constants - {0}:
                truth(c > 0, f"{what}: a root of a negative number")
                primes, value = odd_primes(c.numerator * c.denominator, self.allowance), c
                while primes and max(primes) in basis:
                    others, factor = basis[max(primes)]
                    primes, value = primes ^ others, value * factor
                    truth(value.numerator.bit_length() < MAX_BITS, "roots of constants that are too long")
                if primes:
                    basis[max(primes)] = (primes, value)
                else:
                    w = isqrt(value.numerator) * isqrt(value.denominator)
                    signs = all(symbol(w, f) == 1 for f in self.symbols.fields)
                    truth(signs, f"{what}: a wrong sign of a rational root")


def patience() -> Iterator[int]:
    """Trials of probes at one theta, at the next, and so on: 1, 1, 2, 1, 1, 2, 4, ... times ``TRIALS`` (Luby, Sinclair
    and Zuckerman 1993), since of some theta no trials are enough, and of others few are not."""
    n = 1
    while True:
        k = n
        while k & (k + 1):  # the sequence repeats its beginning before each new power of 2
            k -= (1 << (k.bit_length() - 1)) - 1
        yield TRIALS * (k + 1) // 2
        n += 1


def odd_primes(n: int, allowance: Allowance) -> set[int]:
    """The primes of odd power in n."""
    out = set[int]()
    allowance.spend(MAX_FACTOR)
    for d in range(2, MAX_FACTOR):
        while n % d == 0:
            n, out = n // d, out ^ {d}
    if isqrt(n) ** 2 == n:
        return out
    truth(n < MAX_FACTOR**2 or (n < 2**80 and is_prime(n)), "a root of a number that is not factored here")
    return out ^ {n}


def extend(basis: list[int], vector: int) -> None:
    """By a vector over F_2, unless it depends on those there."""
    for b in basis:
        vector = min(vector, vector ^ b)
    basis += [vector] if vector else []


# --- ranks -----------------------------------------------------------------------------------------------------------


def core(rows: list[Part], allowance: Allowance) -> list[Part]:
    """What is left of the rows when each that has a column for itself, or one entry only, has left with that column.

    The rows are independent if and only if those left are. ``Untrue`` if one becomes zero.
    """
    allowance.spend(2 * sum(map(len, rows)))
    holders: dict[int, list[int]] = {}
    for r, row in enumerate(rows):
        for c in row:
            holders.setdefault(c, []).append(r)
    width, height = [len(row) for row in rows], {c: len(found) for c, found in holders.items()}
    gone_rows, gone = set[int](), set[int]()
    queue = [(r, -1) for r, n in enumerate(width) if n <= 1] + [(-1, c) for c, n in height.items() if n == 1]
    while queue:
        r, c = queue.pop()
        if r in gone_rows or c in gone or (r < 0 and height[c] != 1):
            continue
        truth(r < 0 or width[r], "they are not independent: one is zero, or becomes zero")
        r = r if r >= 0 else next(q for q in holders[c] if q not in gone_rows)
        c = c if c >= 0 else next(d for d in rows[r] if d not in gone)
        gone_rows.add(r)
        gone.add(c)
        for d in rows[r]:
            height[d] -= 1
            if height[d] == 1 and d not in gone:
                queue.append((-1, d))
        for q in holders[c]:
            width[q] -= 1
            if width[q] <= 1 and q not in gone_rows:
                queue.append((q, -1))
    return [{c: x for c, x in row.items() if c not in gone} for r, row in enumerate(rows) if r not in gone_rows]


def components(rows: list[Part]) -> list[list[Part]]:
    """Sets of rows that share no column with others."""
    parent: dict[int, int] = {}

    def find(c: int) -> int:
        while parent.setdefault(c, c) != c:
            parent[c] = c = parent[parent[c]]
        return c

    for row in rows:
        first = find(next(iter(row)))
        for c in row:
            parent[find(c)] = first
            first = find(first)
    out: dict[int, list[Part]] = {}
    for row in rows:
        out.setdefault(find(next(iter(row))), []).append(row)
    return list(out.values())


def eliminated(rows: list[Part], p: int, allowance: Allowance) -> int:
    """Rank mod p by sparse elimination, short rows first, pivots in columns of few entries."""
    height: dict[int, int] = {}
    for row in rows:
        for c in row:
            height[c] = height.get(c, 0) + 1
    pivots: list[tuple[int, Part]] = []  # (column, row with 1 there)
    for given in sorted(rows, key=len):
        row = dict(given)
        allowance.spend(len(pivots) + len(row))
        for column, pivot in pivots:
            if c := row.get(column, 0):
                allowance.spend(len(pivot))
                for j, y in pivot.items():
                    row[j] = (row.get(j, 0) - c * y) % p
        row = {j: x for j, x in row.items() if x}
        if row:
            lead = min(row, key=lambda j: height[j])
            c = pow(row[lead], -1, p)
            pivots.append((lead, {j: x * c % p for j, x in row.items()}))
    return len(pivots)


def dense(rows: list[Part]) -> list[list[int]]:
    """The rows without columns of zeros."""
    places = {c: n for n, c in enumerate(sorted({c for row in rows for c in row}))}
    if len(rows) * len(places) > MAX_CELLS:
        raise TooMuch("a matrix is too large for this verifier")
    out = [[0] * len(places) for _ in rows]
    for filled, row in zip(out, rows, strict=True):
        for c, x in row.items():
            filled[places[c]] = x
    return out


def check_full_rank(rows: list[Part], p: int, rank: Any, hopeful: bool = True) -> None:
    """``Untrue`` unless rows that ``core`` left are independent; ``TooMuch`` where that takes too much work.

    Elimination is not begun, unless ``hopeful``, where it would be too much for dense rows.
    """
    allowance = Allowance(MAX_ELIMINATION)
    columns = len({c for row in rows for c in row})
    if not (hopeful or rank) and len(rows) ** 2 * columns > 2 * MAX_ELIMINATION:
        raise TooMuch("the elimination takes more work than this verifier does")
    for block in components(rows):
        columns = len({c for row in block for c in row})
        found = (
            len(block) if len(block) > columns else rank(dense(block), p) if rank else eliminated(block, p, allowance)
        )
        truth(len(block) <= columns and found == len(block), "they are not independent")


# --- laws by the chain rule ------------------------------------------------------------------------------------------


class Moves:
    """How all nodes move when coordinates move along a polynomial field: by the chain rule, exactly.

    A law is conserved if the output stays when the parameters move as its gradient says. Velocities are polynomials in
    *atoms*: coordinates, probes, values and slopes of functions, and entries of nodes that are sums. An entry that is a
    product is written as one. Nothing is used of an atom but what it is made of, so what cancels does so wherever the
    network is defined, for every function.

    Nothing is expanded that need not be: where z = sum u_k v_k, the velocity sum 2 u_k v_k is 2 z (``folded``); and an
    entry is opened where the terms become fewer, as in the sum of x - mean(x) (``shortened``).
    """

    def __init__(self, program: Program, first: int, coordinates: int, allowance: Allowance) -> None:
        self.program, self.first, self.allowance = program, first, allowance  # theta begins at coordinate ``first``
        probes = Layout({node.data: node.shape for node in program.nodes if node.op == "probe"})
        self.probes = {name: coordinates + start for name, start in probes.first.items()}
        self.starts = [coordinates + probes.starts[-1]]  # the atoms of the entries of each node
        self.known: list[list[Product]] = []  # the entries of each node: a single atom, where they are sums
        self.used, self.written = dict[int, list[Uses]](), dict[int, tuple[dict[int, Form], dict[Atoms, int]]]()
        for n, node in enumerate(program.nodes):
            allowance.spend(20 * prod(node.shape) + 20)
            self.starts.append(self.starts[-1] + prod(node.shape))
            self.known.append(self.products(n, node))

    def products(self, n: int, node: Node) -> list[Product]:
        """The entries of a node."""
        places, op = range(prod(node.shape)), node.op
        if op == "constant":
            return [(whole(node.constants.get(e, Fraction(0))), ()) for e in places]
        leaf = op in ("parameter", "probe")
        start = self.probes[node.data] if op == "probe" else self.starts[n]
        start = self.first + self.program.theta.first[node.data] if op == "parameter" else start
        own: list[Product] = [(1, (start + e,)) for e in places]
        numbers = any(not atoms for i in node.inputs for _, atoms in self.known[i])
        if leaf or op in FUNCTIONS or (op in ("add", "matmul", "sum") and not numbers):
            return own
        return [short_product(form) or own[e] for e, form in enumerate(self.made(n))]

    def uses(self, n: int) -> list[Uses]:
        """For each operand {entry: [(an entry of the result, the node and the entry that multiply it, if any)]}."""
        if n not in self.used:
            node = self.program.nodes[n]
            self.allowance.spend(60 * (prod(node.shape) * node.summed + sum(map(prod, node.theirs))))
            out: list[Uses] = [{} for _ in node.inputs]
            if node.op in ("multiply", "matmul"):
                (i, j), (a, b) = node.inputs, node.links
                for e, x, y in pairs(node):
                    x, y = a.table[x] if a else x, b.table[y] if b else y
                    out[0].setdefault(x, []).append((e, (j, y)))
                    out[1].setdefault(y, []).append((e, (i, x)))
            else:
                for uses, link, theirs in zip(out, node.links, node.theirs, strict=True):
                    for k, m in enumerate(link.table if link else range(prod(theirs))):
                        x, e = (k, m) if not link or link.onto_result else (m, k)
                        uses.setdefault(x, []).append((e, None))
            self.used[n] = out
        return self.used[n]

    def made(self, n: int) -> list[Form]:
        """The entries of a node that is no leaf and no function, of its operands."""
        node = self.program.nodes[n]
        out, uses = [Form() for _ in range(prod(node.shape))], self.uses(n)
        for i, used in zip(node.inputs, uses[: 1 if node.op in ("multiply", "matmul") else None], strict=False):
            for x, targets in used.items():
                c, atoms = self.known[i][x]
                for e, other in targets:
                    self.add(out[e], {atoms: c} if c else {}, self.factor(other))
        return out

    def sums(self, n: int) -> tuple[dict[int, Form], dict[Atoms, int]]:
        """The entries that are sums; and for each a term to know it by, which as few others as possible have."""
        if n not in self.written:
            start, entries = self.starts[n], self.known[n]
            own = [e for e, product in enumerate(entries) if product == (1, (start + e,))]
            made = self.made(n) if own else []
            forms, count, known_by = {e: made[e] for e in own}, dict[Atoms, int](), dict[Atoms, int]()
            for atoms in (atoms for form in forms.values() for atoms in form):
                count[atoms] = count.get(atoms, 0) + 1
            for e, form in ((e, form) for e, form in forms.items() if form):
                known_by.setdefault(min(form, key=lambda atoms: (count[atoms], atoms)), e)
            self.written[n] = forms, known_by
        return self.written[n]

    # polynomials in atoms

    def factor(self, other: Pair | None) -> Product:
        return self.known[other[0]][other[1]] if other else (1, ())

    def add(self, out: Form, form: Form, factor: Product = (1, ())) -> None:
        """out += form * factor."""
        number, more = factor
        self.allowance.spend(40 * len(form) + 10)
        if len(out) > MAX_TERMS:
            raise TooMuch("velocities have too many terms")
        for atoms, c in form.items() if number else ():
            key = tuple(sorted(atoms + more)) if more else atoms
            total = out.get(key, 0) + c * number
            if len(key) > MAX_ATOMS or total.numerator.bit_length() + total.denominator.bit_length() > MAX_DIGITS:
                raise TooMuch("velocities are too long")
            out[key] = whole(total)
            if not total:
                del out[key]

    def folded(self, n: int, form: Form) -> Form:
        """The same, with entries of this node in place of the sums that they are."""
        forms, known_by = self.sums(n)
        lengths = {len(term) for term in known_by}
        for atoms in list(form) if lengths else ():
            self.allowance.spend(10 * sum(comb(len(atoms), r) for r in lengths))
            for term in {term for r in lengths for term in combinations(atoms, r) if term in known_by}:
                if atoms in form:
                    self.fold(form, without(atoms, term), form[atoms], term, self.starts[n], forms, known_by[term])
        return form

    def fold(
        self, form: Form, rest: Atoms, c: Any, term: Atoms, start: int, forms: dict[int, Form], entry: int
    ) -> None:
        """A multiple of an entry, where c * term * rest is one, if no more terms are left then."""
        made = forms[entry]
        ratio = whole(Fraction(c) / made[term])
        self.allowance.spend(20 * len(made))
        there = [(form.get(tuple(sorted(atoms + rest))), ratio * k) for atoms, k in made.items()]
        if sum(k == wanted for k, wanted in there) > sum(k is None for k, _ in there):
            self.add(form, made, (-ratio, rest))
            self.add(form, {(start + entry,): ratio}, (1, rest))

    def opened(self, form: Form) -> Form | None:
        """The same, with sums in place of the entries of the last node that has some; None if none has."""
        self.allowance.spend(10 * sum(map(len, form)))
        last = max((self.node(a) for atoms in form for a in atoms), default=-1)
        if last < 0:
            return None
        sums, start, out = self.sums(last)[0], self.starts[last], Form()
        for atoms, c in form.items():
            entry = next((a for a in atoms if start <= a < self.starts[last + 1]), None)
            self.add(out, *(({atoms: c},) if entry is None else (sums[entry - start], (c, without(atoms, (entry,))))))
        return out

    def node(self, atom: int) -> int:
        """The node of which an atom is an entry that is a sum; -1 for other atoms."""
        n = bisect_right(self.starts, atom) - 1
        return n if n >= 0 and self.program.nodes[n].op not in FUNCTIONS else -1

    def expanded(self, form: Form) -> Form:
        """The same, without entries that are sums."""
        while (longer := self.opened(form)) is not None:
            form = longer
        return form

    def shortened(self, form: Form) -> Form:
        """The same, with entries opened as long as that leaves fewer terms, soon."""
        trial, tries = form, 0
        while tries < MAX_OPENED and trial and len(trial) <= SHARE * (len(form) + SHARE):
            opened, tries = self.opened(trial), tries + 1
            if opened is None:
                break
            trial = opened
            if len(trial) < len(form):
                form, tries = trial, 0
        return form

    # velocities

    def velocity(self, field: dict[int, Form]) -> dict[int, Form]:
        """That of the entries of the output, without those that stay, when coordinates move along a field."""
        every: list[dict[int, Form]] = []
        for n, node in enumerate(self.program.nodes):
            self.allowance.spend(20 + len(field) * (node.op == "parameter"))
            theirs = [every[i] for i in node.inputs]
            here = dict[int, Form]()
            if node.op == "parameter":
                start = self.first + self.program.theta.first[node.data]
                here = {j - start: form for j, form in field.items() if 0 <= j - start < prod(node.shape)}
            elif any(theirs):
                if node.op == "softmax":
                    here = self.of_softmax(n, node, theirs[0])
                elif node.op == "function":
                    here = {e: self.of_function(n, node, e, moved) for e, moved in theirs[0].items()}
                else:
                    here = self.of_operands(n, theirs)
            every.append({e: form for e, form in here.items() if form})
        return every[int(self.program.output)]

    def of_operands(self, n: int, theirs: list[dict[int, Form]]) -> dict[int, Form]:
        """Of sums and products."""
        out = dict[int, Form]()
        for uses, moving in zip(self.uses(n), theirs, strict=True):
            for x, form in moving.items():
                for e, other in uses.get(x, ()):
                    self.add(out.setdefault(e, {}), form, self.factor(other))
        return {e: self.shortened(self.folded(n, form)) for e, form in out.items()}

    def of_function(self, n: int, node: Node, e: int, moved: Form) -> Form:
        """f'(u) times the velocity of u; u f = 1 for a reciprocal, and u f^2 = 1 for a root."""
        entry, (c, atoms) = self.starts[n] + e, self.known[node.inputs[0]][e]
        out = Form()
        match node.data:
            case "exp":
                self.add(out, moved, (1, (entry,)))
            case "reciprocal" | "rsqrt":
                power, scale = (2, -1) if node.data == "reciprocal" else (3, Fraction(-1, 2))
                one = atoms + (entry,) * (power - 1)  # c times these is 1
                self.add(out, moved, (scale, (entry,) * power))
                for term in [term for term in out if c and contains(term, one)]:
                    self.add(out, {without(term, one): Fraction(out.pop(term)) / c})
            case "log" if atoms and all(contains(term, atoms) for term in moved):
                for term, k in moved.items():
                    self.add(out, {without(term, atoms): Fraction(k) / c})
            case _:
                self.add(out, moved, (1, (-1 - entry,)))
        return out

    def of_softmax(self, n: int, node: Node, moved: dict[int, Form]) -> dict[int, Form]:
        """f_e (u'_e - sum_k f_k u'_k): what is the same along the axis does not matter, and is left out first."""
        out, first = dict[int, Form](), self.starts[n]
        step, size = strides(node.shape)[node.data], node.shape[node.data]
        for start in {e - e // step % size * step for e in moved}:
            mean, relative = Form(), dict[int, Form]()
            for e in range(start, start + size * step, step):
                relative[e] = dict(moved.get(e, {}))
                self.add(relative[e], moved.get(start, {}), (-1, ()))
                self.add(mean, relative[e], (-1, (first + e,)))
            for e, form in relative.items():
                out[e] = Form()
                self.add(out[e], form, (1, (first + e,)))
                self.add(out[e], mean, (1, (first + e,)))
        return out

    def still(self, field: dict[int, Form], cases: list[dict[int, Any]]) -> bool:
        """Whether the output is seen not to move, at all cases: {atom: number} of what is given there."""
        left = [form for form in self.velocity(field).values() if not self.zero(form, cases)]
        return all(self.zero(self.expanded(form), cases) for form in left)

    def zero(self, form: Form, cases: list[dict[int, Any]]) -> bool:
        """Whether it is zero, or so at all cases."""
        return not form or (bool(cases) and not any(self.at(form, case) for case in cases))

    def at(self, form: Form, case: dict[int, Any]) -> Form:
        out = Form()
        for atoms, c in form.items():
            free = tuple(a for a in atoms if a not in case)
            self.add(out, {free: Fraction(c) * prod(case[a] for a in atoms if a in case)})
        return out


def whole(c: Any) -> Any:
    """An integer, if it is one."""
    return c.numerator if c.denominator == 1 else c


def pairs(node: Node) -> Iterator[tuple[int, int, int]]:
    """(entry, entries of the operands) of all products of a product, or of matrices; operands as they are repeated."""
    rows, inner, columns = node.matrix if node.op == "matmul" else (1, 1, 1)
    for e in range(prod(node.shape)):
        x, y = e // columns * inner, e // (rows * columns) * inner * columns + e % columns
        yield from ((e, x + k, y + k * columns) for k in range(inner))


def contains(atoms: Atoms, part: Atoms) -> bool:
    return all(atoms.count(a) >= part.count(a) for a in part)


def without(atoms: Atoms, part: Atoms) -> Atoms:
    """What is left of a product."""
    left = list(atoms)
    for a in part:
        left.remove(a)
    return tuple(left)


def short_product(form: Form) -> Product | None:
    """A polynomial of one short term, or none."""
    if not form:
        return 0, ()
    atoms, c = next(iter(form.items()))
    return (c, atoms) if len(form) == 1 and len(atoms) <= MAX_FACTORS else None


def form_of(poly: Poly) -> Form:
    """The same, with each power written out; ``TooMuch`` for large ones."""
    if max((sum(k for _, k in monomial) for monomial in poly), default=0) > MAX_FACTORS:
        raise TooMuch("the degree of a law is too large")
    return {tuple(v for v, k in monomial for _ in range(k)): c for monomial, c in poly.items()}


def derivatives(form: Form) -> dict[int, Form]:
    """{x: derivative by x}."""
    out = dict[int, Form]()
    for atoms, c in form.items():
        for x in set(atoms):
            out.setdefault(x, {})[without(atoms, (x,))] = c * atoms.count(x)
    return out


# --- laws ------------------------------------------------------------------------------------------------------------


def cleared(polynomials: dict[int, Rational], what: str) -> dict[int, Poly]:
    """Those that are not 0, with integer coefficients: all multiplied by one number."""
    scale, terms = 1, sum(map(len, polynomials.values()))
    for c in (c for poly in polynomials.values() for c in poly.values()):
        scale = lcm(scale, c.denominator)
        bits = scale.bit_length()
        form(bits <= MAX_BITS and bits * terms <= MAX_CLEARED, f"{what}: the denominators are too long")
    return {j: {m: int(c * scale) for m, c in poly.items()} for j, poly in polynomials.items() if poly}


class Gram:
    """Laws h_kl = sum of sign * <k-th slice, l-th slice> along axes, k <= l; diagonal: only h_kk, signs are weights."""

    def __init__(self, data: Any, program: Program, diagonal: bool, what: str) -> None:
        self.parts: dict[tuple[str, int], int] = {}
        self.program, self.diagonal, self.what = program, diagonal, what
        for part in typed(data["parts"], list, what):
            name, axis, sign = part if type(part) is list and len(part) == 3 else ("", 0, 0)
            fine = type(name) is str and name in program.theta.shapes and type(axis) is type(sign) is int
            form(
                fine and 0 < abs(sign) <= (MAX_WEIGHT if diagonal else 1), f"{what}: a part is [parameter, axis, sign]"
            )
            form(
                0 <= axis < len(program.theta.shapes[name]) and (name, axis) not in self.parts, f"{what}: a wrong axis"
            )
            self.parts[name, axis] = sign
        sizes = {program.theta.shapes[name][axis] for name, axis in self.parts}
        form(len(sizes) == 1, f"{what}: the axes must have one size")
        self.size = sizes.pop()
        self.count = self.size if diagonal else self.size * (self.size + 1) // 2

    @property
    def named(self) -> str:
        """Of which parameters, some of them."""
        names = [*dict.fromkeys(name for name, _ in self.parts)]
        return ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)

    def check(self, allowance: Allowance) -> None:
        """``Untrue`` unless these are laws by the rule of shapes."""
        try:
            self.program.respects(self.parts, self.size, self.diagonal, allowance)
        except Untrue as error:
            raise type(error)(f"{self.what} is not shown by the rule of shapes: {error}") from None

    def entries_at(self, theta: Part) -> int:
        """Entries of all gradients, at most."""
        return (1 if self.diagonal else self.size) * len(self.parts) * len(theta)

    def gradients(self, theta: Part, p: int, allowance: Allowance) -> list[Part]:
        """Gradients at a point, in the order of (k, l)."""
        out, r = list[Part]({} for _ in range(self.count)), self.size
        first = [0 if self.diagonal else k * r - k * (k + 1) // 2 for k in range(r)]  # h_kl is number first[k] + l
        arrays = self.program.theta.split(reduced(theta, p))
        allowance.spend(2 * self.entries_at(theta))
        for (name, axis), sign in self.parts.items():
            step, start = strides(self.program.theta.shapes[name])[axis], self.program.theta.first[name]
            for i, x in arrays.get(name, {}).items():  # x in slice m: it stands in h_km for every k
                m = i // step % r
                for k in (m,) if self.diagonal else range(r):
                    row, j = out[first[min(k, m)] + max(k, m)], start + i + (k - m) * step
                    row[j] = row.get(j, 0) + (2 if k == m else 1) * sign * x
        return [reduced(row, p) for row in out]


class Polynomials:
    """Laws given as text, and how polynomials are read."""

    def __init__(self, data: Any, layout: Layout, what: str, allowance: Allowance) -> None:
        self.layout, self.allowance, texts = layout, allowance, typed(data, list, what)
        self.laws = [self.polynomial(text, f"{what}, law {n}") for n, text in enumerate(texts)]
        self.count, self.entries = len(texts), sum(len(m) for law in self.laws for m in law)
        self.degree = max((sum(k for _, k in m) for law in self.laws for m in law), default=0)

    def polynomial(self, text: Any, what: str) -> Poly:
        """From text such as 2/3*x^2*U[0,1] - z; denominators cleared."""
        return cleared({0: self.rational(text, what)}, what).get(0, {})

    def rational(self, text: Any, what: str) -> Rational:
        """From text such as 2/3*x^2*U[0,1] - z."""
        form(not re.search(r"[\w\]] +\w", typed(text, str, what)), f"{what}: a blank inside a term")
        packed, out = text.replace(" ", ""), dict[tuple[tuple[int, int], ...], Fraction]()
        terms = re.findall(r"([+-]?)([^+-]+)", packed)
        whole = "".join(s + t for s, t in terms) == packed and all(s for s, _ in terms[1:])
        form(terms and whole, f"{what}: no polynomial")
        self.allowance.spend(10 * (len(terms) + packed.count("*")))
        for sign, term in terms:
            c, powers, factors = Fraction(-1 if sign == "-" else 1), dict[int, int](), term.split("*")
            if factors[0][:1].isdigit():
                c *= rational(factors.pop(0), what)
            for factor in factors:
                variable, k = self.power(factor, what)
                powers[variable] = powers.get(variable, 0) + k
            key = tuple(sorted(powers.items()))
            out[key] = out.get(key, Fraction(0)) + c
            form(out[key].denominator.bit_length() <= MAX_BITS, f"{what}: the denominators are too long")
        return {m: c for m, c in out.items() if c}

    def power(self, factor: str, what: str) -> tuple[int, int]:
        """(place in theta, power)."""
        form(len(factor) <= MAX_DIGITS, f"{what}: a factor is too long")
        match = re.fullmatch(POWER, factor)
        sizes = self.layout.shapes.get(match[1]) if match else None
        index = tuple(int(i) for i in (match[2] or "").split(",") if i) if match else ()
        form(match and sizes is not None and len(index) == len(sizes), f"{what}: {factor[:40]!a} is no power")
        form(all(i < n for i, n in zip(index, sizes or (), strict=True)), f"{what}: {factor[:40]!a} is no power")
        place = self.layout.first[match[1]] + sum(i * s for i, s in zip(index, strides(sizes or ()), strict=True))  # type: ignore[index]
        return place, int((match and match[3]) or 1)

    def entries_at(self, theta: Part) -> int:
        """Entries of all gradients, at most."""
        return self.entries

    def gradients(self, theta: Part, p: int, allowance: Allowance) -> list[Part]:
        """Gradients at a point."""
        allowance.spend(20 * sum(len(m) ** 2 for law in self.laws for m in law))
        out = []
        for law in self.laws:
            row: Part = {}
            for monomial, c in law.items():
                for v, k in monomial:
                    x = c * k * pow(theta.get(v, 0), k - 1, p)
                    for w, n in monomial:
                        x = x * pow(theta.get(w, 0), n, p) % p if w != v else x
                    row[v] = row.get(v, 0) + x
            out.append(reduced(row, p))
        return out

    def only(self, laws: list[Poly]) -> Polynomials:
        """Some of them."""
        out = Polynomials([], self.layout, "", self.allowance)
        out.laws, out.count, out.degree = laws, len(laws), self.degree
        return out

    def norm_bits(self) -> int:
        """Bits of a bound of the sum over j of |dh/dtheta_j|, summed over the laws h."""
        total = sum(abs(c) for law in self.laws for c in law.values())
        return total.bit_length() + self.degree.bit_length()


# --- phase spaces ----------------------------------------------------------------------------------------------------


class Phase:
    """A phase space: a clock or none, the parameters, their velocities or none; a drift, and a diagonal metric or none.

    A field of it is a multiple of the drift and a gradient, times the metric, in the place of the velocities, if there
    are some.
    """

    def __init__(self, data: Any, program: Program, allowance: Allowance) -> None:
        typed(data, dict, "phase", ["clock", "velocities", "drift", "metric"])
        clock, theta = data["clock"], program.theta
        named = type(clock) is str and re.fullmatch(NAME, clock) and clock not in theta.shapes
        form(clock is None or named, "phase.clock must be a new name, or null")
        self.first, self.count = int(clock is not None), theta.starts[-1]  # of positions
        moved = {f"{name}'": sizes for name, sizes in theta.shapes.items()}
        moving = typed(data["velocities"], bool, "phase.velocities")
        self.offset = self.first + moving * self.count  # of gradients
        self.layout = Layout(({clock: ()} if named else {}) | theta.shapes | (moved if moving else {}))
        self.drift = self.polynomials(data["drift"], self.layout.starts[-1], "phase.drift", allowance)
        self.metric = self.polynomials(data["metric"], self.count, "phase.metric", allowance)
        self.seed = Layout(({} if self.drift is None else {DRIFT: ()}) | program.seed.shapes)

    def polynomials(self, data: Any, size: int, what: str, allowance: Allowance) -> dict[int, Poly] | None:
        """{place: polynomial} from [place, text, ...], with integer coefficients, as they stand; None from null."""
        if data is None:
            return None
        flat = typed(data, list, what)
        places = sparse([x for i in flat[::2] for x in (i, 0)], size, what)
        form(2 * len(places) == len(flat), f"{what} must list places and polynomials")
        read = Polynomials(flat[1::2], self.layout, what, allowance)
        form("/" not in "".join(flat[1::2]), f"{what} must have integer coefficients")
        form(read.degree <= MAX_PHASE_DEGREE, f"{what} is of too large a degree")
        return dict(zip(places, read.laws, strict=True))

    def bounds(self) -> Pair:
        """Degree and bits of the norm that drift and metric add to those of a field."""
        parts = [list(polynomials.values()) for polynomials in (self.drift or {}, self.metric or {})]
        degree = sum(max((sum(k for _, k in m) for poly in part for m in poly), default=0) for part in parts)
        bits = sum(max((sum(map(abs, poly.values())) for poly in part), default=1).bit_length() for part in parts)
        return degree + 1, bits + 1


class PhasePoint(Point):
    """A point of a phase space: fields and brackets there."""

    def __init__(self, phase: Phase, program: Program, p: int, theta: Part, *rest: Any) -> None:
        self.phase, self.whole = phase, reduced(theta, p)
        super().__init__(program, p, self.positions(theta), *rest)

    def positions(self, part: Part) -> Part:
        return {i - self.phase.first: x for i, x in part.items() if 0 <= i - self.phase.first < self.phase.count}

    def field(self, seed: dict[str, Part], extra: Jet) -> Jet:
        phase, here, out = self.phase, {0: self.whole} | extra, Jet()
        moved = {mask: positions for mask, part in extra.items() if (positions := self.positions(part))}
        kick = super().field(seed, moved)
        if phase.metric is not None:
            kick = self.product(kick, self.polynomials(phase.metric, here))
        for mask, part in kick.items():
            self.add(out, mask, {phase.offset + i: x for i, x in part.items()})
        if phase.drift is None or DRIFT not in seed:
            return out
        return self.combined((1, out), (seed[DRIFT][0], self.polynomials(phase.drift, here)))

    def polynomials(self, polynomials: dict[int, Poly], here: Jet) -> Jet:
        """Their values at a jet."""
        return polynomials_at(polynomials, here, self.p, self.allowance)


def polynomials_at(polynomials: dict[int, Poly], here: Jet, p: int, allowance: Allowance) -> Jet:
    """Values of polynomials {place: polynomial} at a jet."""
    out, powers = Jet(), dict[Pair, dict[int, int]]()
    for place, poly in polynomials.items():
        for monomial, c in poly.items():
            factors = list[dict[int, int]]()
            for v, k in monomial:
                if (v, k) not in powers:
                    allowance.spend(10 + len(here))
                    x = {mask: part[v] for mask, part in here.items() if v in part}
                    powers[v, k] = power_of(x, k, p, allowance)
                factors.append(powers[v, k])
            for mask, y in product_of(c % p, factors, here, p, allowance).items():
                part = out.setdefault(mask, {})
                part[place] = part.get(place, 0) + y
    return {mask: reduced(part, p) for mask, part in out.items()}


def product_of(c: int, factors: list[dict[int, int]], here: Jet, p: int, allowance: Allowance) -> dict[int, int]:
    """c times the factors: numbers with the infinitesimals of a jet."""
    if len(here) > 2:
        term = {0: c}
        for factor in factors:
            term = multiplied(term, factor, p, allowance)
        return term
    allowance.spend(50 + 5 * len(factors))
    e, moved = max(here), 0  # of square 0, if there is one: f + f' e
    for factor in factors:
        x = factor.get(0, 0)
        moved = (moved * x + c * factor.get(e, 0)) % p if e else 0
        c = c * x % p
    return {0: c, e: moved} if e else {0: c}


def multiplied(a: dict[int, int], b: dict[int, int], p: int, allowance: Allowance) -> dict[int, int]:
    """The product of numbers with infinitesimals {bit mask: residue}."""
    allowance.spend(10 + len(a) * len(b))
    out: dict[int, int] = {}
    for s, x in a.items():
        for t, y in b.items():
            if not s & t:
                out[s | t] = (out.get(s | t, 0) + x * y) % p
    return out


def power_of(x: dict[int, int], k: int, p: int, allowance: Allowance) -> dict[int, int]:
    """x^k, k > 0, by squaring."""
    if not any(x):
        return {0: pow(x[0], k, p)} if x else {}
    out = x
    for bit in bin(k)[3:]:
        out = multiplied(out, out, p, allowance)
        out = multiplied(out, x, p, allowance) if bit == "1" else out
    return out


def laws_of(data: Any, program: Program, what: str, allowance: Allowance, phase: Phase | None = None) -> Any:
    """A family of laws: Gram, or Polynomials."""
    keys = list(typed(data, dict, what))
    form(keys in (["gram"], ["diagonal"], ["polynomials"]), f"{what} must be gram, diagonal or polynomials")
    if keys == ["polynomials"]:
        return Polynomials(data["polynomials"], phase.layout if phase else program.theta, what, allowance)
    form(not phase, f"{what}: laws of a phase space are polynomials")
    return Gram(typed(data[keys[0]], dict, what, ["parts"]), program, keys == ["diagonal"], what)


# --- explicit fields -------------------------------------------------------------------------------------------------


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
        data = typed(document["fields"], dict, "fields", ["variables", "components"])
        names, components = typed(data["variables"], list, "variables"), typed(data["components"], list, "components")
        form(all(type(n) is str and re.fullmatch(VARIABLE, n) for n in names), "a variable has no proper name")
        truth(len(set(names)) == len(names), "a variable stands twice")
        self.theta, self.seed = Layout(dict.fromkeys(names, ())), Layout({FIELDS: (len(components),)})
        self.reader, self.norm, self.highest = NamedPolynomials([], self.theta, "fields", allowance), 1, 0
        self.fields = [self.field(parts, f"field {n}") for n, parts in enumerate(components)]
        self.nodes, self.static, self.active, self.moved = list[Node](), list[bool](), list[bool](), list[bool]()
        self.cases, self.held, self.gates, self.functions = None, list[str](), {}, list[str]()

    def field(self, parts: Any, what: str) -> dict[int, Poly]:
        """{place: component}, all times one number, so that coefficients are integers."""
        form(all(name in self.theta.first for name in typed(parts, dict, what)), f"{what} has an unknown component")
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


# --- closure ---------------------------------------------------------------------------------------------------------


def bound_of_bracket(a: Pair, b: Pair) -> Pair:
    """Degree and bits of the norm of a component of [A, B] = dA B - dB A, from those of A and B."""
    degree = a[0] + b[0]
    return degree, a[1] + b[1] + degree.bit_length()


def bound_of_minor(field: Pair, seeds: Sequence[Part], members: Sequence[Sequence[int]]) -> Pair:
    """Degree and bits of the norm of a minor of the members and one row more: a field X, or [X, sum of c_i B_i].

    ``field``: of a field, in the variables and its seed together; a member has integers for its seed.
    """
    degree, bits = field
    of_seeds = [(degree, bits + degree * max(map(abs, seed.values()), default=1).bit_length()) for seed in seeds]
    bounds = list[Pair]()
    for member in members:
        bound = of_seeds[member[-1]]
        for s in reversed(member[:-1]):
            bound = bound_of_bracket(of_seeds[s], bound)
        bounds.append(bound)
    count, (highest, longest) = len(bounds), (max((b[k] for b in bounds), default=0) for k in range(2))
    further = bound_of_bracket(field, (highest + 1, longest + count.bit_length()))
    of_factorial = sum(k.bit_length() for k in range(1, count + 2))
    bounded(further[0] + sum(b[0] for b in bounds))
    return further[0] + sum(b[0] for b in bounds), further[1] + sum(b[1] for b in bounds) + of_factorial


class Closure:
    """That members span, over the rational functions, all fields and their brackets with a field: so all brackets.

    Then the bound from above is the number of laws near a generic point, by Frobenius' theorem. A single field is
    closed: a proof. Else a field X, a member B of the span and [X, B], all of them random, are looked at at random
    points modulo random primes: were one of them out of the span, a minor would be a polynomial over Z that is not 0,
    and it would vanish each time, because p divides all its coefficients or a root was hit (Schwartz-Zippel).
    """

    def __init__(self, checker: Checker, seeds: Sequence[Part], members: Sequence[Sequence[int]]) -> None:
        self.checker, self.seeds, self.members = checker, seeds, members

    def check(self, kind: Any) -> str:
        """The evidence of the bound from below."""
        form(kind in (ONE_FIELD, RANDOM_POINTS), f"closure must be {ONE_FIELD!r} or {RANDOM_POINTS!r}")
        program = self.checker.program
        algebraic = not program.functions and program.cases is None
        truth(algebraic, "closure is shown for polynomial fields near a generic point alone")
        if kind == ONE_FIELD:
            self.check_single()
            return "proved"
        points = self.check_at_random()
        said = f"the brackets are closed at {points} random points: error <= 2^-{ERROR_BITS}"
        self.checker.sentences.append(said)
        return CLOSED

    def check_single(self) -> None:
        program, numbers = self.checker.program, self.checker.seed.starts[-1]
        count = program.single if isinstance(program, Listed) else 1 if numbers == 1 else None
        truth(count is not None, "there are several fields: closure is not trivial")
        truth(len(self.members) == count, "the field vanishes at the point given")
        self.checker.sentences.append("a single field is closed under brackets")

    def check_at_random(self) -> int:
        """How many points it took."""
        checker, total, points = self.checker, Fraction(1), 0
        (degree, bits), (more, longer) = checker.program.bounds(), checker.phase.bounds() if checker.phase else (0, 0)
        bound = bound_of_minor((degree + more, bits + longer), self.seeds, self.members)
        error = checker.chance(*bound, CLOSURE_BITS)
        while total > Fraction(1, 2**ERROR_BITS):
            truth(error < Fraction(1, 4), "the degrees are too large for a test of the closure")
            p = checker.random_prime(CLOSURE_BITS)
            found = self.rank(self.rows(p), p)
            truth(found <= len(self.members), "the brackets are not closed: a further one is independent of them")
            points, total = points + 1, total * error
        return points

    def rows(self, p: int) -> list[Part]:
        """The members, X and [X, sum of c_i B_i] at a random point, the c_i and X being random too."""
        checker, layout = self.checker, self.checker.seed
        at = checker.at(p, checker.draw(checker.D, p))
        X, mixed = layout.split(checker.draw(layout.starts[-1], p)), Jet()
        seeds = [layout.split(reduced(seed, p)) for seed in self.seeds]
        rows, along = list[Part](), at.field(X, {}).get(0, {})
        for member in self.members:  # at theta + e X, e the first infinitesimal
            value = at.bracket([seeds[s] for s in member], {1: along}, 1)
            rows.append(value.get(0, {}))
            mixed = at.combined((1, mixed), (checker.random.randrange(p), value))
        moved = at.field(X, {1: mixed.get(0, {})})
        bracket = at.combined((1, {0: moved.get(1, {})}), (-1, {0: mixed.get(1, {})}))
        return [*rows, along, bracket.get(0, {})]

    def rank(self, rows: list[Part], p: int) -> int:
        """Modulo p."""
        if self.checker.rank:
            return int(self.checker.rank(dense(rows), p)) if any(rows) else 0
        return eliminated(rows, p, Allowance(MAX_ELIMINATION))


# --- the checks ------------------------------------------------------------------------------------------------------


class Checker:
    """One certificate under examination; ``said`` collects what is verified, in words."""

    def __init__(self, document: Any, rank: Any = None, work: int = MAX_WORK) -> None:
        self.doc: dict[str, Any] = typed(document, dict, "a certificate")
        form(self.doc.get("format") == FORMAT, f"the format must be {FORMAT}")
        form("source" not in document, "made by an earlier version: its program is of Taylor coefficients")
        keys, optional = (KEYS, ["phase", "gates", "cases"]) if "fields" not in document else (LISTED_KEYS, [])
        keys = [*keys, *(key for key in [*optional, "closure"] if key in document)]
        typed(document, dict, "a certificate", keys)
        for key, kind in (("version", str), ("sha256", str), ("model", dict), ("assumptions", list)):
            typed(document[key], kind, key)
        self.rank, self.sentences, self.allowance = rank, list[str](), Allowance(work)
        self.random = random.SystemRandom()
        self.lower = self.upper = self.lower_evidence = "proved"  # how this verifier has shown the bounds
        listed = "fields" in document
        self.program = Listed(document, self.allowance) if listed else Program(document)
        self.phase = Phase(document["phase"], self.program, self.allowance) if "phase" in document else None
        self.layout, self.seed = (x.layout, x.seed) if (x := self.phase) else (self.program.theta, self.program.seed)
        self.D = self.layout.starts[-1]
        self.choices = dict[frozenset[int], None]()  # at gates, of all members
        family = named_laws if listed else laws_of
        self.families = [
            family(f, self.program, f"family {n} of laws", self.allowance, self.phase)
            for n, f in enumerate(typed(document["laws"], list, "laws"))
        ]
        form(sum(f.count for f in self.families) <= MAX_LAWS, f"over {MAX_LAWS} laws")

    def run(self) -> None:
        """All checks; ``Untrue`` at the first that fails."""
        what = "fields" if isinstance(self.program, Listed) else "program"
        truth(self.doc["sha256"] == program_hash(self.doc), f"sha256 is not that of the {what}")
        truth(type(self.doc["dimension"]) is int and self.doc["dimension"] == self.D, f"the dimension is {self.D}")
        self.check_cases()
        self.check_laws()
        self.check_claim(self.check_independence(), self.check_members())

    def check_cases(self) -> None:
        """The gates of all cases; whether there are others near the start, or whether they span all."""
        cases = self.program.cases
        if cases is None:
            return
        if not (cases.near and cases.gates):
            self.sentences.append(f"on the {cases.inputs_listed}" + ", with free gates" * bool(cases.gates))
            return
        branches = self.check_gates(cases)
        if cases.scope == SPANNED:
            self.check_spanned(cases)
        elif cases.others is not None:
            self.check_others(branches, cases.others)
        elif not cases.on_data:
            self.lower_evidence = LISTED

    def check_gates(self, cases: Cases) -> Branches:
        """The gates, exactly; for what else there is."""
        entering = self.program.entering([gate.node for gate in cases.gates])
        algebraic = not any(self.program.nodes[n].function for n in entering)
        truth(algebraic, "a function enters a gate, so its sign is not found exactly")
        reading = Reading(self.program, cases, self.allowance)
        tied = {j: ties for j in range(cases.count) if (ties := reading.ties(j))}
        self.check_ties(tied)
        where = f"the {cases.inputs_listed}" if cases.on_data else f"open sets around the {cases.inputs_listed}"
        self.sentences.append(f"at the start, on {where}, the gates are as listed: recomputed exactly")
        if count := sum(map(len, tied.values())):
            self.sentences[-1] += f"; {count} tie for all parameters near it, error <= 2^-{ERROR_BITS}"
        return Branches(reading, cases, tied)

    def check_ties(self, tied: dict[int, list[Margin]]) -> None:
        """What is zero at the start is zero at random parameters too; and at random inputs, where these are free."""
        for at in self.random_points() if tied else ():
            for j, margins in tied.items():
                values = at.values(self.case(j, at.p), {})
                for gate, plus, minus in margins:
                    fine = not at.margin(values, gate, plus, minus)
                    truth(fine, f"case {j} is on a kink: {gate.name}, entry {max(plus, minus)}, which parameters move")

    def random_points(self, count: int = 1) -> list[Sources]:
        """As many as show that what enters gates, or minors of ``count`` rows of it, is not zero: error <= 2^-100."""
        assert self.program.cases
        cases, out, total = self.program.cases, list[Sources](), Fraction(1)
        given = cases.tables if cases.on_data else [gate.name for gate in cases.gates]
        found = self.program.node_bounds(cases.bits(given))
        degree, constants, bits = (max(found[gate.node][k] for gate in cases.gates) for k in range(3))
        clearing = constants * common({self.program.own_denominator, *cases.denominators(given)}).bit_length()
        bits = count * (bits + 2 + clearing + count.bit_length())
        while total > Fraction(1, 2**ERROR_BITS):
            p = self.random_prime()
            out.append(Sources(self.program, p, self.draw(self.program.theta.starts[-1], p), self.allowance))
            total *= self.chance(count * degree, bits)
        return out

    def case(self, j: int, p: int, instead: dict[str, Part] | None = None) -> dict[str, Part]:
        """A case modulo p, at its input on data, else at a random one or another."""
        cases = self.program.cases
        assert cases
        if cases.on_data:
            return cases.at(j, cases.tables, p)
        sizes = {name: prod(self.seed.shapes[name]) for name in cases.inputs}
        drawn = instead or {name: self.draw(size, p) for name, size in sizes.items()}
        return cases.at(j, (gate.name for gate in cases.gates), p) | drawn

    def check_others(self, branches: Branches, others: Any) -> None:
        """Each branch that is not listed is empty, near the start too, by the multipliers of the document."""
        self.check_affine(branches.cases)
        points = [(at, self.case) for at in self.random_points(len(branches.places) + 2)]
        given, count = iter(typed(others, list, "cases.others")), 0
        for count, (j, margins) in enumerate(branches.all(), start=1):
            item = typed(next(given, None), list, f"branch {count}")
            y, used = integers(item[1::2], "multipliers", 1 << MAX_BITS), integers(item[::2], "margins")
            form(len(y) == len(used) == len(set(used)), f"branch {count} must list margins and multipliers")
            form(all(0 <= n < len(margins) for n in used), f"branch {count}: a margin is none of it")
            fine = branches.excluded(j, [margins[n] for n in used], y, points)
            truth(fine, f"branch {count} is not shown to be empty near the start")
        truth(next(given, None) is None, "more branches are listed than there are")
        self.sentences.append(f"no other gates are met near the start: {count} branches are empty")
        self.sentences[-1] += f", error <= 2^-{ERROR_BITS}" * branches.tested

    def check_affine(self, cases: Cases) -> None:
        degrees = self.program.degrees(cases.inputs)
        truth(all(degrees[gate.node] <= 1 for gate in cases.gates), "what enters a gate is not affine in the input")

    def check_spanned(self, cases: Cases) -> None:
        """The monomials in the gates are independent at the cases: free gates span what these do."""
        truth(not self.program.functions, "with functions the output is no polynomial in the gates")
        sets = Allowance(self.allowance.left // SETS)
        theta: Any = dict.fromkeys(range(self.program.theta.starts[-1]), Support([()]))
        monomials, p = Supports(self.program, 1, theta, sets).monomials(cases), self.random_prime()
        truth(len(monomials) <= cases.count, f"{cases.count} cases do not span {len(monomials)} monomials")
        self.allowance.spend(10 * cases.count * sum(map(len, monomials)))
        try:
            check_full_rank(core(cases.at_monomials(monomials, p), self.allowance), p, self.rank)
        except Untrue as error:
            raise type(error)(f"the monomials in the gates: {error}") from None
        self.sentences.append(f"the {len(monomials)} monomials in gates are independent there: these span free gates")

    def check_laws(self) -> None:
        if isinstance(self.program, Listed):
            self.check_identities(self.program)
            return
        for family in self.families:
            if isinstance(family, Gram):
                family.check(self.allowance)
                kind = f"{'squared norms' if family.diagonal else 'Gram matrices'} of {family.named}"
                self.sentences.append(
                    f"{family.count} laws of {kind}{self.functions}: identities, by the rule of shapes"
                )
        listed = [family for family in self.families if isinstance(family, Polynomials) and family.laws]
        tested = self.check_by_chain_rule(listed)
        if not tested:
            return
        (degree, bits), (more, longer) = self.program.bounds(), self.phase.bounds() if self.phase else (0, 0)
        degree += more + max(family.degree for family in tested)
        bits += longer + sum(family.norm_bits() for family in tested)
        error, points, total = self.chance(degree, bits), 0, Fraction(1)
        while total > Fraction(1, 2**ERROR_BITS):
            truth(error < Fraction(1, 2**16), "the degrees are too large for a test of the laws")
            self.check_at_random_point(tested)
            points, total = points + 1, total * error
        count, self.lower = sum(len(family.laws) for family in tested), f"error <= 2^-{ERROR_BITS}"
        self.sentences.append(
            f"{count} polynomials are laws{self.functions}: tested at {points} random points, error <= 2^-{ERROR_BITS}"
        )

    def check_identities(self, listed: Listed) -> None:
        """Each law, multiplied out."""
        laws = [law for family in self.families for law in family.laws]
        for n, law in enumerate(laws):
            listed.check_law(law, n, self.allowance)
        count = len(listed.fields)
        self.sentences.append(f"{len(laws)} polynomials are conserved by all {count} fields: exact identities")

    def check_by_chain_rule(self, families: list[Polynomials]) -> list[Polynomials]:
        """What is not seen to be a law by differentiating the program along the field that belongs to it."""
        if not families:
            return []
        whole_effort, count = self.allowance.left // SHARE, 0
        effort = Allowance(whole_effort)
        try:
            moves = Moves(self.program, self.phase.first if self.phase else 0, self.D, effort)
        except TooMuch:
            self.allowance.spend(whole_effort)
            return families
        cases, left = self.cases_by_atoms(moves), list[Polynomials]()
        for family in families:
            rest = [law for law in family.laws if not self.shown(law, moves, cases, effort)]
            count += len(family.laws) - len(rest)
            left += [family.only(rest)] * bool(rest)
        self.allowance.spend(whole_effort - max(0, effort.left))
        if count:
            self.sentences.append(f"{count} laws{self.functions}: identities, by the chain rule")
        return left

    def shown(self, law: Poly, moves: Moves, cases: list[dict[int, Any]], effort: Allowance) -> bool:
        """Whether the drift keeps a law, and the output stays when parameters move as its gradient says."""
        moves.allowance = share = Allowance(effort.left // SHARE)
        before = share.left
        try:
            gradient = derivatives(form_of(law))
            return not self.along_drift(gradient, moves) and moves.still(self.kicks(gradient, moves), cases)
        except TooMuch:
            return False
        finally:
            effort.left -= before - max(0, share.left)

    def along_drift(self, gradient: dict[int, Form], moves: Moves) -> Form:
        """<gradient, drift>."""
        out = Form()
        for x, poly in ((self.phase and self.phase.drift) or {}).items():
            for atoms, c in form_of(poly).items() if x in gradient else ():
                moves.add(out, gradient[x], (c, atoms))
        return out

    def kicks(self, gradient: dict[int, Form], moves: Moves) -> dict[int, Form]:
        """The metric times the part of a gradient that the gradients of outputs meet, as velocities of parameters."""
        phase = self.phase
        if not phase:
            return gradient
        out = dict[int, Form]()
        for j in range(phase.count):
            metric = {(): 1} if phase.metric is None else form_of(phase.metric.get(j, {}))
            for atoms, c in metric.items() if phase.offset + j in gradient else ():
                moves.add(out.setdefault(phase.first + j, {}), gradient[phase.offset + j], (c, atoms))
        return out

    def cases_by_atoms(self, moves: Moves) -> list[dict[int, Any]]:
        """What cases give, as numbers for atoms."""
        cases, held = self.program.cases, self.program.held
        if not (cases and held):
            return []
        return [
            {moves.probes[name] + i: c for name in held if name in moves.probes
             for i, c in enumerate(cases.tables[name][j])}
            for j in range(cases.count)
        ]  # fmt: skip

    @staticmethod
    def chance(degree: int, bits: int, size: int = LAW_BITS) -> Fraction:
        """That a polynomial that is not zero is, at a random point modulo a random prime of this size, at most."""
        low = 1 << (size - 1)  # more than low / (2 * size) primes lie in [low, 2 low)
        return 2 * (Fraction(degree, low) + Fraction(bits // (size - 1) + 1, low // (2 * size)))  # 2: no pole

    def random_prime(self, size: int = LAW_BITS) -> int:
        """One that divides no denominator."""
        while True:
            p = self.random.randrange(1 << (size - 1), 1 << size)
            if is_prime(p) and self.program.denominator % p:
                return p

    @property
    def functions(self) -> str:
        return ", functions opaque" if self.program.functions else ""

    def check_at_random_point(self, families: list[Polynomials]) -> None:
        """A random combination of the laws is conserved by a random field at a random point mod a random prime."""
        p, theta, field = self.random_field()
        total = 0
        for family in families:
            for gradient in family.gradients(theta, p, self.allowance):
                moved = sum(x * field.get(j, 0) for j, x in gradient.items())
                total += self.random.randrange(p) * moved
        truth(total % p == 0, "one of the polynomials is no law: a field moves it")

    def random_field(self) -> tuple[int, Part, Part]:
        """A random prime, a random point, and the value there of a random field."""
        while True:
            p = self.random_prime()
            theta, seed = self.draw(self.D, p), self.seed.split(self.draw(self.seed.starts[-1], p))
            self.allowance.spend(5000)
            try:
                return p, theta, self.at(p, theta).field(seed, {}).get(0, {})
            except Pole:  # as likely as that a law is missed: at another point
                continue

    def at(self, modulus: int, theta: Part, functions: Functions | None = None) -> Point:
        """A point."""
        if isinstance(self.program, Listed):
            return ListedPoint(self.program, modulus, theta, self.allowance)
        place = (self.program, modulus, theta, self.allowance, functions)
        return PhasePoint(self.phase, *place) if self.phase else Point(*place)

    def draw(self, count: int, p: int) -> Part:
        return {i: self.random.randrange(p) for i in range(count)}

    def place(self, data: dict[str, Any], what: str) -> tuple[int, Part]:
        """The prime and the integer point of a rank."""
        text = data["prime"]
        form(
            type(text) is str and re.fullmatch("[0-9]{1,20}", text, re.ASCII),
            f"{what}.prime must be a number in a string",
        )
        p = int(text)
        truth(p < MAX_PRIME and is_prime(p), f"{what}.prime = {p} is not a prime below 2^64")
        return p, sparse(data["point"], self.D, f"{what}.point")

    def check_independence(self) -> int:
        data = typed(self.doc["independence"], dict, "independence", ["prime", "point", "laws", "rank"])
        p, point = self.place(data, "independence")
        entries = sum(family.entries_at(point) for family in self.families)
        truth(entries <= MAX_STORED, f"the gradients of the laws have over {MAX_STORED} entries at this point")
        gradients = [g for family in self.families for g in family.gradients(point, p, self.allowance)]
        chosen: list[Part] = []
        for pair in typed(data["laws"], list, "independence.laws"):
            first, last = integers(pair, "a range of laws") if type(pair) is list and len(pair) == 2 else (1, 0)
            truth(0 <= first <= last < len(gradients), f"a range of laws must be [first, last] below {len(gradients)}")
            chosen += gradients[first : last + 1]
            truth(len(chosen) <= len(gradients), "more laws are listed than there are")
        self.check_independent(chosen, p, "the gradients of the laws")
        truth(type(data["rank"]) is int and data["rank"] == len(chosen), f"the laws' gradients have rank {len(chosen)}")
        self.sentences.append(
            f"{len(chosen)} of them are independent: gradients of rank {len(chosen)} mod {p} at a point"
        )
        return len(chosen)

    def check_independent(self, rows: list[Part], p: int, what: str) -> None:
        try:
            truth(len(rows) <= self.D, "there are more than the dimension")
            check_full_rank(core(rows, self.allowance), p, self.rank)
        except Untrue as error:
            raise type(error)(f"{what}: {error}") from None

    def members(self) -> tuple[list[Part], int]:
        """The values of the fields and brackets at the point, and the prime."""
        data = typed(self.doc["lie"], dict, "lie")
        optional = ["solutions"] if "solutions" in data else []
        optional += ["fields", "bases", "key"] if self.program.functions else []
        optional += ["angles"] if set(ANGLES) & set(self.program.functions) else []
        typed(data, dict, "lie", ["prime", "point", "seeds", "members", "ranks", *optional])
        p, theta = self.place(data, "lie")
        functions = self.homomorphism(p) if self.program.functions and data["members"] else None
        modulus = functions.m if functions else p
        layout, depth = self.seed, self.program.depth
        written = [sparse(s, layout.starts[-1], "a seed") for s in typed(data["seeds"], list, "lie.seeds")]
        seeds = [layout.split(reduced(seed, modulus)) for seed in written]
        self.choices = {self.program.choice(seed, modulus): None for seed in seeds}
        members = [integers(m, "a member", len(seeds)) for m in typed(data["members"], list, "lie.members")]
        form(all(m and min(m) >= 0 for m in members), "a member must be a list of numbers of seeds")
        self.closure = Closure(self, written, members)
        ranks = integers(data["ranks"], "lie.ranks")
        form(0 < len(ranks) <= depth, f"lie.ranks must list from 1 to {depth} ranks")
        counts = [sum(len(m) <= depth + 1 for m in members) for depth in range(len(ranks))]
        truth(ranks == counts and counts[-1] == len(members), f"the ranks of independent members are {counts}")
        truth(len(members) <= self.D, "there are more fields and brackets than the dimension")
        rows, stored = list[Part](), Allowance(MAX_STORED)
        try:
            if members:
                at = self.at(modulus, theta, functions)
            for member in members:
                rows.append(reduced(at.bracket([seeds[s] for s in member], {}).get(0, {}), p))
                stored.spend(len(rows[-1]))
        except Pole as error:
            raise Untrue(f"the fields and brackets are not defined there: {error}") from None
        return rows, p

    def homomorphism(self, p: int) -> Homomorphism:
        fields, bases, key = (self.doc["lie"][name] for name in ("fields", "bases", "key"))
        fields, bases = integers(fields, "lie.fields"), integers(bases, "lie.bases")
        given = typed(self.doc["lie"].get("angles", []), list, "lie.angles")
        angles = [integers(angle, "an angle") for angle in given]
        form(all(len(angle) == 4 for angle in angles), "an angle must be [field, order, a, b]")
        (number,) = integers([key], "lie.key")
        return Homomorphism([p, *fields], bases, number, angles)

    def check_members(self) -> int:
        rows, p = self.members()
        how = self.check_rank(rows, p, self.doc["lie"])
        if self.program.functions and rows:
            assumed, under = self.program.assumed, self.program.beneath(EXPONENTIAL) & set(LOGARITHMS)
            open_case = self.program.held and ({"rsqrt", "log"} & set(self.program.functions) or under)
            truth(not open_case, "roots and logarithms at cases are not shown to be independent")
            Roots(self.program, self.homomorphism(p), self.allowance).check(self.choices)
            if "log" in self.program.functions:
                Roots(self.program, self.homomorphism(p), self.allowance).check_logarithms(self.choices)
            if under:
                Roots(self.program, drawn(self.random), self.allowance).check_exponents()
            self.upper += f", assuming that {assumed}" * bool(assumed)
            how += f"; {', '.join(self.program.functions)}: by a homomorphism to F_p"
            how += f"; gates are true ones, {len(self.choices)} different" if self.program.gates else ""
        self.sentences.append(f"{len(rows)} fields and brackets have rank {len(rows)} mod {p} at a point: {how}")
        return len(rows)

    def check_rank(self, rows: list[Part], p: int, data: dict[str, Any]) -> str:
        """Full rank, by elimination or by the solutions of the document; in words, which."""
        try:
            left = core(rows, self.allowance)
            if "solutions" in data:
                self.check_solutions(left, p, typed(data["solutions"], list, "lie.solutions"))
            try:
                check_full_rank(left, p, self.rank, hopeful="solutions" not in data)
            except TooMuch:
                if "solutions" not in data:
                    raise
                self.upper = f"error <= 2^-{ERROR_BITS}"
                return f"{self.upper} (challenges derived from the document)"
        except Untrue as error:
            raise type(error)(f"the fields and brackets: {error}") from None
        return "recomputed, a proof"

    def check_solutions(self, rows: list[Part], p: int, solutions: list[Any]) -> None:
        """M y = b for challenges b: were M not of full rank, a random b would be reached with chance <= 1 / p."""
        wanted = challenges(self.doc, len(rows), p)
        truth(len(solutions) == len(wanted), f"{len(wanted)} solutions are needed")
        self.allowance.spend(len(wanted) * sum(map(len, rows)))
        for b, solution in zip(wanted, solutions, strict=True):
            y = sparse(solution, self.D, "a solution")
            solved = all(
                (sum(x * y.get(c, 0) for c, x in row.items()) - n) % p == 0 for row, n in zip(rows, b, strict=True)
            )
            truth(solved, "a solution does not solve its equations")

    def check_claim(self, lower: int, members: int) -> None:
        claim = typed(self.doc["claim"], dict, "claim", ["lower", "lower_evidence", "upper", "upper_evidence"])
        self.check_free()
        upper = self.D - members
        if "closure" in self.doc:
            lower, self.lower_evidence = upper, self.closure.check(self.doc["closure"])
            self.lower = self.lower_evidence
        truth(type(claim["upper"]) is int and claim["upper"] == upper, f"the upper bound is {upper}")
        truth(type(claim["lower"]) is int and claim["lower"] == lower, f"the lower bound is {lower}")
        truth(
            claim["lower_evidence"] == self.lower_evidence,
            f"the evidence of the lower bound is {self.lower_evidence!r}",
        )
        truth(claim["upper_evidence"] == "proved", "the evidence of the upper bound must be proved")
        self.sentences.append(self.grounds(members))
        self.sentences.append(f"at least {lower} independent laws ({self.lower}), at most {upper} ({self.upper})")
        self.sentences.append(self.subject)

    def grounds(self, members: int) -> str:
        """The theorems that it rests on."""
        named = [words for names, words in THEOREMS if members and {*names} & {*self.program.functions}]
        return "; ".join([f"it rests on this: {GROUNDS}", *named])

    def check_free(self) -> None:
        """Where other gates are not excluded: laws are laws near the start if they are with free gates."""
        if self.lower_evidence != LISTED:
            return
        free = Checker({key: value for key, value in self.doc.items() if key != "cases"}, self.rank)
        free.allowance = self.allowance
        try:
            free.check_laws()
        except TooMuch:
            raise
        except Untrue:
            self.lower += f", {LISTED}: that no others are met near the start is not checked here"
            return
        self.lower_evidence = "proved"
        self.sentences.append("the laws hold with free gates: whichever gates are met near the start")

    @property
    def subject(self) -> str:
        """What this is a proof about."""
        model = self.doc["model"].get("description")
        if isinstance(self.program, Listed):
            fields = f"a proof about the {len(self.program.fields)} fields listed"
            return f"{fields}; whether they are those of {model!a:.200} was not checked"
        listed = "program, drift and metric" if self.phase else "program"
        if cases := self.program.cases:
            more = [f"{cases.count} input{'s' * (cases.count != 1)}"] * cases.on_data
            more += ["gates"] * bool(cases.gates) + ["start"] * cases.near
            listed = " and ".join([", ".join([listed, *more[:-1]]), more[-1]])
        return f"a proof about the {listed} listed; whether it is that of {model!a:.200} was not checked"


def verify_bytes(data: bytes, rank: Any = None) -> tuple[int, list[str]]:
    """(exit status, sentences) for the bytes of a certificate; ``rank(rows, p)`` of dense rows may be a faster one."""
    checker = None
    try:
        text = unpacked(data)
        checker = Checker(read(text), rank, min(MAX_WORK, MIN_WORK + WORK_PER_BYTE * len(text)))
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
            with open(0 if path == "-" else path, "rb") as file:
                status, sentences = verify_bytes(file.read(MAX_BYTES + 1))
        except OSError as error:
            status, sentences = 2, [f"not a certificate: {error}"]
        worst = max(worst, status, key=SEVERITY.index)
        print(
            f"{path}: {('verified', 'NOT VERIFIED', 'NOT A CERTIFICATE', 'UNDECIDED')[status]}", *sentences, sep="\n  "
        )
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["-"]))
