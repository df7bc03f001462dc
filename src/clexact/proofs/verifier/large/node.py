"""Operations on arrays: the shape of each, and where its entries come from."""

from __future__ import annotations

from array import array
from fractions import Fraction
from functools import cached_property
from math import lcm, prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import ANGLES, FUNCTIONS, MAX_BITS, PRIMITIVES
from clexact.proofs.verifier.large.outcome import form, truth
from clexact.proofs.verifier.large.reading import integers, rational, shape, sparse, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clexact.proofs.verifier.large.limits import Part, Shape
    from clexact.proofs.verifier.large.outcome import Allowance

NAMES = ("exp", "reciprocal", "rsqrt", "sigmoid", "tanh", *PRIMITIVES, "log", *ANGLES)


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
