r"""Translations $\theta' = c$ that leave every output of a program alone: the linear laws $\langle c, \theta\rangle$.

An algebra for programs: every entry of a parameter has an unknown velocity, and the velocity of an entry of any other
array is a sum $\sum_h k_h u_h f_h$ of unknowns u times numbers k times functions f of parameters and probes. What the
functions are is not said, only which are known to be the same; that different ones are independent is not claimed: the
coefficient of each is made zero, which is enough. A softmax does not see what is the same along its axis. Where entries
add up to a known number along the axis that a matrix product contracts, the first of them is no function of its own.

An exponential moves by a multiple of itself. Such *rates* are kept apart, through products, quotients and sums of what
has one rate, so that $e^z / \sum e^z$ is seen to be what a softmax is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import count
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.polynomial import Number
from clexact.algebra.sparse_vectors import SparseVectors, distinct, numbered, runs
from clexact.algebra.terms import Ints
from clexact.programs.algebras import Algebra
from clexact.programs.places import OuterIndex, Shape, places, product_columns, product_rows
from clexact.programs.program import LEAVES, Program
from clexact.symmetry.axes import compressed, selected
from clexact.symmetry.behind_gates import Sweep
from clexact.symmetry.grading import regrouped
from clexact.symmetry.known_sums import Sums, known
from clexact.symmetry.solutions import integer_nullspace

MOST = 10**6  # terms of one array; beyond it every velocity that enters is made zero
MANY = 10**5  # the same, where functions are products of entries of several arrays
LARGE = 2 * 10**5  # entries of a parameter above which they move alike along an axis
SMALL = 2**31  # integers of which sums of a million are words
NONE = 0  # the unknown that is 0
NOTHING = np.empty(0, dtype=np.int64)
POWERS = {"reciprocal": Fraction(-1), "rsqrt": Fraction(-1, 2)}  # exponents

Translation = dict[int, int]  # {entry of theta: velocity}
Numbers = NDArray[Any]
Change = Callable[[Numbers], Numbers]


@dataclass(frozen=True)
class Moved:
    """Terms of the velocity of an array: arrays with one more axis, of terms, that broadcast to each other.

    Entry e moves by the sum over h of ``number`` * ``unknown`` * the function that ``label`` says, all at [e, h].
    """

    unknown: Ints
    number: Numbers
    label: Ints

    def like(self, change: Any) -> Moved:
        """The same change of all three arrays."""
        return Moved(change(self.unknown), change(self.number), change(self.label))

    @property
    def shape(self) -> Shape:
        """Of all terms."""
        return np.broadcast_shapes(self.unknown.shape, self.number.shape, self.label.shape)


Family = tuple[int, ...]  # numbers of the arrays of which the functions are products of entries


@dataclass(frozen=True)
class Velocity:
    """An array, known by its number, with the terms of its velocity for each family of functions.

    ``rates`` are the terms of what multiplies the array itself in its velocity, beside the terms in ``parts``.
    ``value`` holds the entries of a constant, ``sums`` what is known of sums along axes, ``operands`` are of a product.
    """

    shape: Shape
    number: int
    parts: Mapping[Family, Moved]
    value: Numbers | None = None
    sums: Sums = field(default_factory=dict)
    rates: Mapping[Family, Moved] = field(default_factory=dict)
    operands: tuple[Velocity, Velocity] | None = None


class Shifts(Algebra[Velocity]):
    """The algebra of velocities; it collects equations between unknowns, numbered from 1."""

    def __init__(self) -> None:
        self.unknowns, self._numbers = 1, count()
        self._zero = np.ones(1, dtype=bool)  # the unknowns that are 0
        self._equations: list[tuple[Ints, Ints, Numbers]] = []  # (row, unknown, number)
        self._rows = 0
        self._stopped = set[int]()  # numbers of arrays

    def fresh(self, shape: Shape) -> Ints:
        """New unknowns."""
        first, self.unknowns = self.unknowns, self.unknowns + prod(shape)
        if self.unknowns > len(self._zero):
            self._zero = np.concatenate([self._zero, np.zeros(self.unknowns, dtype=bool)])
        return np.arange(first, self.unknowns, dtype=np.int64).reshape(shape)

    def leaf(self, shape: Shape, unknown: Ints | None = None) -> Velocity:
        """A parameter with the velocities of its entries, or a probe, which does not move."""
        one = np.ones((1,) * (len(shape) + 1), dtype=np.int64)
        parts: dict[Family, Moved] = {}
        if unknown is not None:
            parts[()] = Moved(unknown[..., None], one, np.zeros_like(one))
        return Velocity(shape, next(self._numbers), parts)

    def demand(self, row: Ints, unknown: Ints, number: Numbers) -> None:
        """Sums over terms with equal rows are 0; the numbers are integers."""
        row, rows = numbered(row)
        place = row * self.unknowns + unknown
        order = np.argsort(place, kind="stable")
        place, number = place[order], number[order]
        first = runs(place)  # an unknown may occur twice
        if len(first) < len(place):
            place, number = place[first], np.add.reduceat(number, first)
        place, number = place[number != 0], number[number != 0]
        row, unknown = place // self.unknowns, place % self.unknowns
        alone = np.bincount(row, minlength=rows)[row] == 1
        self._zero[unknown[alone]] = True
        if not alone.all():
            self._equations.append((row[~alone] + self._rows, unknown[~alone], number[~alone]))
            self._rows += rows

    def _settle(self) -> None:
        """Unknowns that alone are left of an equation are 0, so that what is still is known to be."""
        row, unknown = (np.concatenate([part[k] for part in self._equations] or [NOTHING]) for k in range(2))
        while True:
            left = ~self._zero[unknown]
            row, unknown = row[left], unknown[left]
            alone = unknown[np.bincount(row, minlength=self._rows)[row] == 1]
            if not len(alone):
                return
            self._zero[alone] = True

    def stop(self, velocity: Velocity) -> None:
        """Nothing moves the array."""
        for part in (*velocity.parts.values(), *velocity.rates.values()):
            self._still(part)

    def vanish(self, first: int, stop: int) -> bool:
        """Whether all of these unknowns are known to be 0."""
        return bool(self._zero[first:stop].all())

    def stopped(self, velocity: Velocity) -> Velocity:
        """The array, when nothing moves it from here on."""
        if velocity.parts or velocity.rates:
            self.stop(self._plain(velocity))
            self._settle()
        return replace(velocity, parts={}, rates={})

    def _stop_parts(self, a: Velocity) -> None:
        """Nothing moves the array beside its rates: its terms add up to 0 from here on."""
        self._stopped.add(a.number)
        for part in a.parts.values():
            self._still(part)
        self._settle()

    def _seen(self, a: Velocity) -> Velocity:
        """Without terms that were demanded to add up to 0."""
        return replace(a, parts={}) if a.number in self._stopped else a

    def _still(self, part: Moved) -> None:
        """The same of some terms; every unknown is 0 where that is too much to ask."""
        if prod(part.shape) > MOST:
            self._zero[part.unknown.ravel()] = True
            return
        self._still_alone(_corner(part))
        if self._zero[part.unknown].all():
            return
        if part.shape[-1] == 1:  # a single term
            moving = np.broadcast_to(part.number != 0, part.shape)
            self._zero[np.broadcast_to(part.unknown, part.shape)[moving.astype(bool)]] = True
            return
        shape = part.shape
        moving = np.broadcast_to((part.number != 0).astype(bool) & ~self._zero[part.unknown], shape)
        unknown, label = (np.broadcast_to(x, shape)[moving] for x in (part.unknown, part.label))
        place = np.flatnonzero(moving)
        if prod(shape) * (int(label.max(initial=0)) + 1) >= 2**62:
            label = numbered(label)[0]
        row, rows = numbered(place // shape[-1] * (int(label.max(initial=0)) + 1) + label)
        left = self._not_lone(row, unknown, rows)
        index = zip(np.unravel_index(place[left], shape), part.number.shape, strict=True)
        number = _integers(part.number)[0][tuple(np.minimum(x, size - 1) for x, size in index)]
        self.demand(row[left], unknown[left], number)

    def _not_lone(self, row: Ints, unknown: Ints, rows: int) -> Ints:
        """Unknowns are 0 that have no other in a row; the terms that are left then."""
        left = np.flatnonzero(~self._zero[unknown])
        while True:
            lone = unknown[left][np.bincount(row[left], minlength=rows)[row[left]] == 1]
            if not len(lone):
                return left
            self._zero[lone] = True
            left = left[~self._zero[unknown[left]]]

    def _still_alone(self, part: Moved) -> None:
        """Unknowns are 0 that are the only one, or have the only function of its kind, in the terms of an entry."""
        label = np.broadcast_to(part.label, (*part.label.shape[:-1], part.shape[-1]))
        if label.ndim == 1 or prod(label.shape[:-1]) == 1:
            alone = _different(label.ravel())
        else:
            label = np.sort(label, axis=-1)
            alone = bool((label[..., 1:] != label[..., :-1]).all())
        if alone:
            moving = np.broadcast_to(part.number != 0, part.shape)
            self._zero[np.broadcast_to(part.unknown, part.shape)[moving.astype(bool)]] = True

    def _made(
        self,
        shape: Shape,
        parts: Mapping[Family, Moved],
        value: Numbers | None = None,
        rates: Mapping[Family, Moved] = {},
        gather: bool = True,
    ) -> Velocity:
        """An array with terms."""
        kept, rated = self._kept(parts, gather), self._kept(rates, gather)
        return Velocity(shape, next(self._numbers), kept, value, rates=rated)

    def _kept(self, parts: Mapping[Family, Moved], gather: bool = True) -> dict[Family, Moved]:
        """Terms, which are gathered, or stopped where they are too many."""
        kept = {}
        for family, part in parts.items():
            if prod(part.shape) > _most(family):
                self._still(part)
            elif not self._zero[part.unknown].all():
                kept[family] = self._gathered(part) if gather else part
        return kept

    def _merged(self, pieces: Sequence[tuple[Family, Moved]]) -> dict[Family, Moved]:
        """All terms of each family together; where these are too many, every velocity that enters is 0."""
        every: dict[Family, list[Moved]] = {}
        for family, part in pieces:
            every.setdefault(family, []).append(part)
        out = {}
        for family, parts in every.items():
            lead = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
            if len(parts) > 1 and prod(lead) * sum(part.shape[-1] for part in parts) > MOST:
                for part in parts:
                    self._zero[part.unknown.ravel()] = True
            else:
                out[family] = _together(parts)
        return out

    def _plain(self, a: Velocity) -> Velocity:
        """With rates as terms like any other: times the entries of the array itself."""
        a = self._seen(a)
        if not a.rates:
            return a
        own = [pair for family, part in a.rates.items() for pair in self._times(part, family, a)]
        return replace(a, parts=self._kept(self._merged([*a.parts.items(), *own])), rates={})

    def _gathered(self, part: Moved) -> Moved:
        """One unknown in place of a sum of those of one function, where the same terms share one at all entries."""
        terms = part.shape[-1]
        label = np.broadcast_to(part.label, (*part.label.shape[:-1], terms))
        rows = label.reshape(-1, terms) if label.size else np.arange(terms)[None]
        if _different(rows[0]):
            return part
        functions, first, function = np.unique(rows[0], return_index=True, return_inverse=True)
        if len(functions) == terms or not np.array_equal(rows, rows[:, first[function]]):
            return part
        shape = (*np.broadcast_shapes(part.unknown.shape, part.number.shape)[:-1], terms)
        total = self.fresh((*shape[:-1], len(functions)))
        row = total[..., function]
        integers, scale = _integers(part.number)
        unknown, number = (np.broadcast_to(x, shape).ravel() for x in (part.unknown, integers))
        self.demand(
            np.concatenate([row.ravel(), total.ravel()]), np.concatenate([unknown, total.ravel()]),
            np.concatenate([number, np.full(total.size, -scale, dtype=number.dtype)]),
        )  # fmt: skip
        return Moved(total, np.ones((1,) * total.ndim, dtype=np.int64), label[..., first])

    def constant(self, value: Numbers) -> Velocity:
        return self._made(value.shape, {}, value)

    def add(self, a: Velocity, b: Velocity) -> Velocity:
        a, b = self._plain(a), self._plain(b)
        parts = self._merged([*a.parts.items(), *b.parts.items()])
        return self._made(np.broadcast_shapes(a.shape, b.shape), parts)

    def multiply(self, a: Velocity, b: Velocity) -> Velocity:
        """(a b)' = a' b + a b'; rates add up. A square does not move: 2 a a' is 0 only if a' is."""
        if a.number == b.number and a.parts:
            self._stop_parts(a)
        a, b = self._seen(a), self._seen(b)
        shape, value = np.broadcast_shapes(a.shape, b.shape), None
        if a.value is not None and b.value is not None:
            value = np.asarray(a.value * b.value, dtype=object)
        parts = [pair for family, part in a.parts.items() for pair in self._times(part, family, b)]
        parts += [pair for family, part in b.parts.items() for pair in self._times(part, family, a)]
        made = self._made(shape, self._merged(parts), value, self._merged([*a.rates.items(), *b.rates.items()]))
        return replace(made, operands=(a, b))

    def _times(
        self, part: Moved, family: Family, other: Velocity, change: Change = np.asarray
    ) -> list[tuple[Family, Moved]]:
        """Terms times the entries of an array, rearranged by ``change``; a constant changes the numbers only."""
        product = family if other.value is not None else (*family, other.number)
        shape = change(np.broadcast_to(0, other.shape)).shape
        if prod(np.broadcast_shapes(part.shape, (*shape, 1))) > _most(product):
            self._still(part)
            return []
        if other.value is not None:
            values = compressed(change(other.value)).astype(object)[..., None]
            return [(family, replace(part, number=part.number * values))]
        if (int(part.label.max(initial=0)) + 1) * prod(other.shape) >= 2**62:
            self._still(part)
            return []
        where = change(places(other.shape))[..., None]
        return [(product, replace(part, label=part.label * prod(other.shape) + where))]

    def matmul(self, a: Velocity, b: Velocity) -> Velocity:
        """As ``multiply``, in the axes (*stack, row, column, contracted); the last one then numbers terms."""
        a, b = self._plain(a), self._plain(b)
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        parts = self._contraction(a, b, product_rows, product_columns, -2, a.shape[-1])
        parts += self._contraction(b, a, product_columns, product_rows, -1, a.shape[-1])
        return self._made(shape, self._merged(parts))

    def _contraction(
        self, one: Velocity, other: Velocity, mine: Change, theirs: Change, axis: int, size: int
    ) -> list[tuple[Family, Moved]]:
        """Terms of an array times the entries of another, each rearranged so that the contracted axis is the last.

        That is ``axis`` of the other array; it numbers terms.
        """
        out, total = list[tuple[Family, Moved]](), _known_sum(other, axis)
        for family, part in one.parts.items():
            wide = part.like(partial(_before_terms, mine))
            if total is None:
                out += _contracted(self._times(wide, family, other, theirs), size)
                continue
            first, others = _at(wide, slice(1)), _at(wide, slice(1, None))
            out += _contracted([(family, replace(first, number=first.number.astype(object) * total))], 1)
            differences = _together([others, replace(first, number=-first.number)])
            out += _contracted(self._times(differences, family, other, lambda x: theirs(x)[..., 1:]), size - 1)
        return out

    def transpose(self, a: Velocity, axes: tuple[int, ...]) -> Velocity:
        shape = tuple(a.shape[axis] for axis in axes)
        return self._moved(a, shape, lambda x: x.transpose((*axes, len(axes))), fewer=False)

    def reshape(self, a: Velocity, shape: Shape) -> Velocity:
        if not prod(shape):
            return self._made(shape, {})

        def change(x: Numbers) -> Numbers:
            terms = x.shape[-1]
            return regrouped(x, (*a.shape, terms), (*shape, terms))

        return self._moved(a, shape, change, fewer=False)

    def select(self, a: Velocity, chosen: OuterIndex) -> Velocity:
        return self._moved(a, chosen.shape, lambda x: selected(x, chosen))

    def take(self, a: Velocity, index: Ints) -> Velocity:
        size = prod(a.shape)
        return self._moved(
            a, index.shape, lambda x: np.broadcast_to(x, (*a.shape, x.shape[-1])).reshape(size, x.shape[-1])[index]
        )

    def _moved(self, a: Velocity, shape: Shape, change: Any, fewer: bool = True) -> Velocity:
        """The entries at other places; where they are ``fewer``, terms may be gathered that were not before."""
        value = None if a.value is None else change(a.value[..., None])
        value = None if value is None else np.broadcast_to(value, (*shape, 1))[..., 0]
        parts, rates = ({family: part.like(change) for family, part in each.items()} for each in (a.parts, a.rates))
        return self._made(shape, parts, value, rates, gather=fewer)

    def concatenate(self, parts: list[Velocity], axis: int) -> Velocity:
        """What a part does not fill does not move there."""
        parts = [self._plain(part) for part in parts]
        sizes = [part.shape[axis] for part in parts]
        shape = (*parts[0].shape[:axis], sum(sizes), *parts[0].shape[axis + 1 :])
        pieces = list[tuple[Family, Moved]]()
        filled = [n for n, part in enumerate(parts) if prod(part.shape)]
        for n in filled:
            part, before, after = parts[n], sum(sizes[:n]), sum(sizes[n + 1 :])
            for family, moved in part.parts.items():
                others = [parts[m].parts.get(family) for m in filled]
                if _same_along(moved, axis) and all(other and _equal(moved, other) for other in others):
                    pieces += [(family, moved)] * (n == filled[0])  # the same in all parts, and along the axis
                else:
                    pieces.append((family, _placed(moved, axis, sizes[n], before, after)))
        return self._made(shape, self._merged(pieces))

    def sum(self, a: Velocity, axis: int) -> Velocity:
        """The axis numbers terms; what is added has one rate."""
        shape = a.shape[:axis] + a.shape[axis + 1 :]
        several = a.operands and a.operands[0].number != a.operands[1].number  # not a square
        if a.operands and several and any(_known_sum(each, axis) is not None for each in a.operands):
            parts = self._product_summed(*a.operands, axis, a.shape[axis])
        else:
            parts = self._summed(a, axis)
        self._demand_same(a.rates, axis)
        first = (slice(None),) * axis + (0,)
        return self._made(shape, parts, None, {f: part.like(lambda x: x[first]) for f, part in a.rates.items()})

    def _summed(self, a: Velocity, axis: int) -> dict[Family, Moved]:
        parts = {}
        first = (slice(None),) * axis + (0,)
        for family, part in a.parts.items():
            if _same_along(part, axis):
                single = part.like(lambda x: x[first])
                parts[family] = replace(single, number=single.number.astype(object) * a.shape[axis])
            elif prod(part.shape) > _most(family):
                self._still(part)
            else:
                turned = part.like(partial(np.moveaxis, source=axis, destination=-2))
                parts[family] = _flattened(turned, a.shape[axis])
        return parts

    def _product_summed(self, a: Velocity, b: Velocity, axis: int, size: int) -> dict[Family, Moved]:
        """Terms of the sum of a product along an axis: that of a row and a column, for each of the others."""
        last: Change = partial(np.moveaxis, source=axis - len(a.shape), destination=-1)
        parts = self._contraction(a, b, last, last, axis, size)
        return self._merged(parts + self._contraction(b, a, last, last, axis, size))

    def function(self, a: Velocity, name: str) -> Velocity:
        """The rate of an exponential is the velocity of a, that of a power a multiple of a's; others may not move.

        A logarithm moves by the rate of a.
        """
        if name == "exp":
            return self._made(a.shape, {}, None, self._plain(a).parts)
        if name == "log" and not a.parts:
            return self._made(a.shape, a.rates)
        if name in POWERS and not a.parts:
            rates = {family: replace(part, number=part.number * POWERS[name]) for family, part in a.rates.items()}
            return self._made(a.shape, {}, None, rates)
        self.stopped(a)
        return self._made(a.shape, {})

    def softmax(self, a: Velocity, axis: int) -> Velocity:
        """What is the same along the axis is not seen; nothing else may move."""
        self._demand_same(self._plain(a).parts, axis)
        return self._made(a.shape, {})

    def _demand_same(self, parts: Mapping[Family, Moved], axis: int) -> None:
        """Demand that terms are the same along an axis: those that are the same function together."""
        first = (slice(None),) * axis + (slice(0, 1),)
        for part in parts.values():
            if not _same_along(part, axis):
                minus = part.like(lambda x: x[first])
                self._still(_together([part, replace(minus, number=-minus.number)]))

    def solutions(self, chosen: int) -> list[dict[int, int]]:
        """A basis of the integer velocities {unknown: number} of the unknowns 1, ..., ``chosen``."""
        row, unknown, number = (np.concatenate([part[k] for part in self._equations] or [NOTHING]) for k in range(3))
        alive = ~self._zero[: self.unknowns]
        keep = alive[unknown] & (number != 0).astype(bool)
        row, unknown, number = row[keep], unknown[keep], number[keep]
        left = np.flatnonzero(alive)
        left = np.concatenate([left[left > chosen], left[left <= chosen]])  # inner ones first
        place = np.zeros(self.unknowns, dtype=np.int64)
        place[left] = np.arange(len(left))
        found = integer_nullspace(row, place[unknown], number, len(left))
        return _primitive(replace(found, index=left[found.index]), chosen)


def _primitive(vectors: SparseVectors, chosen: int) -> list[dict[int, int]]:
    """The primitive multiples of what vectors are at 1, ..., ``chosen``, of those that do not vanish there."""
    kept = np.flatnonzero(vectors.index <= chosen)
    kept = kept[np.lexsort((vectors.index[kept], vectors.owner[kept]))]
    first = runs(vectors.owner[kept])
    start = np.append(first, len(kept)).astype(np.int64)
    value = vectors.value[kept]
    if len(first):
        content = np.gcd.reduceat(value, first) * np.where(value[first] > 0, 1, -1)
        value = value // np.repeat(content, np.diff(start))
    return SparseVectors(start, vectors.index[kept], value).dicts()


def _different(labels: Ints) -> bool:
    """Whether no label occurs twice."""
    if len(labels) < 2 or bool((labels[1:] > labels[:-1]).all()):  # in order, as most are
        return True
    least, most = int(labels.min()), int(labels.max())
    if most - least < 8 * len(labels):  # then counting is quicker than sorting
        return int(np.bincount(labels - least).max()) == 1
    return len(distinct(labels)) == len(labels)


def _integers(number: Numbers) -> tuple[Numbers, int]:
    """Rational numbers times a common denominator, and that; as words if they are small."""
    if number.dtype != object:
        return number, 1
    flat = number.ravel().tolist()
    scale = lcm(*{c.denominator for c in flat})
    whole = [c.numerator * (scale // c.denominator) for c in flat]
    small = max(map(abs, whole), default=0) < SMALL and scale < SMALL
    return np.array(whole, dtype=np.int64 if small else object).reshape(number.shape), scale


def _known_sum(a: Velocity, axis: int) -> Number | None:
    """The number to which entries that vary add up along an axis, if it is known."""
    return a.sums.get((axis % len(a.shape),)) if a.value is None else None


def _before_terms(change: Change, x: Numbers) -> Numbers:
    """A change of all axes but that of the terms."""
    return np.moveaxis(change(np.moveaxis(x, -1, 0)), 0, -1)


def _most(family: Family) -> int:
    """How many terms an array may have whose functions are of this family."""
    return MOST if len(family) < 2 else MANY


def _flattened(part: Moved, size: int) -> Moved:
    """The last axis of entries, of this size, as one of terms."""
    terms = part.shape[-1]

    def flat(x: Numbers, whole: bool = False) -> Numbers:
        if x.shape[-2:] == (1, 1) and not whole:
            return x[..., 0]
        return np.broadcast_to(x, (*x.shape[:-2], size, terms)).reshape(*x.shape[:-2], size * terms)

    return Moved(flat(part.unknown, True), flat(part.number), flat(part.label))


def _contracted(parts: Sequence[tuple[Family, Moved]], size: int) -> list[tuple[Family, Moved]]:
    return [(family, _flattened(part, size)) for family, part in parts]


def _at(part: Moved, chosen: slice) -> Moved:
    """Terms at some places of the last axis of entries."""
    return part.like(lambda x: x if x.shape[-2] == 1 else x[..., chosen, :])


def _corner(part: Moved) -> Moved:
    """The terms at the first places along the axes along which unknowns are the same: they hold all unknowns."""
    first = tuple(slice(0, 1) if size == 1 else slice(None) for size in part.unknown.shape[:-1])
    return part.like(lambda x: x[first] if x.size else x)


def _wide(x: Numbers, axis: int, size: int) -> Numbers:
    """With an axis repeated to its size."""
    return np.broadcast_to(x, (*x.shape[:axis], size, *x.shape[axis + 1 :]))


def _together(parts: Sequence[Moved]) -> Moved:
    """All terms of several arrays, as broadcasting adds them."""
    if len(parts) == 1:
        return parts[0]
    arrays = []
    for n, each in enumerate(zip(*((part.unknown, part.number, part.label) for part in parts), strict=True)):
        lead = np.broadcast_shapes(*(x.shape[:-1] for x in each))
        wide = [np.broadcast_to(x, (*lead, part.shape[-1])) for x, part in zip(each, parts, strict=True)]
        shared = n > 0 and all(x.shape[-1] == 1 and np.array_equal(x, each[0]) for x in each)  # by all terms
        arrays.append(each[0] if shared else np.concatenate(wide, axis=-1))
    return Moved(*arrays)


def _same_along(part: Moved, axis: int) -> bool:
    return part.shape[axis] == 1


def _equal(a: Moved, b: Moved) -> bool:
    pairs = ((a.unknown, b.unknown), (a.number, b.number), (a.label, b.label))
    return all(np.array_equal(x, y) for x, y in pairs)


def _placed(part: Moved, axis: int, size: int, before: int, after: int) -> Moved:
    """Terms that fill some entries along an axis."""
    widths = [(before, after) if n == axis else (0, 0) for n in range(part.unknown.ndim)]
    unknown = np.pad(_wide(part.unknown, axis, size), widths, constant_values=NONE)
    number, label = (x if x.shape[axis] == 1 else np.pad(x, widths, mode="edge") for x in (part.number, part.label))
    return Moved(unknown, number, label)


@dataclass(frozen=True)
class Leaf:
    """A parameter whose entries have the unknowns ``first``, ``first`` + 1, ...: of ``shape``, or, of a large one, of
    ``met``, where all entries along the axis ``alike`` have the same."""

    name: str
    shape: Shape
    first: int
    alike: int | None = None

    @property
    def met(self) -> Shape:
        """The shape of the unknowns."""
        return tuple(1 if axis == self.alike else size for axis, size in enumerate(self.shape))

    @property
    def stop(self) -> int:
        """One past the last unknown."""
        return self.first + prod(self.met)

    def place(self, unknown: int) -> int:
        """The first entry of the parameter that has an unknown."""
        if self.alike is None:
            return unknown - self.first
        index = np.unravel_index(unknown - self.first, self.met)
        return int(np.ravel_multi_index(index, self.shape))

    def entries(self, unknown: int) -> Ints:
        """All entries that have it."""
        if self.alike is None:
            return np.array([unknown - self.first])
        return self.place(unknown) + prod(self.shape[self.alike + 1 :]) * np.arange(self.shape[self.alike])


@dataclass(frozen=True)
class Shift:
    """A translation: {unknown: velocity}, of the unknowns of these leaves."""

    velocity: dict[int, int]
    leaves: Sequence[Leaf]

    def owner(self, unknown: int) -> Leaf:
        """The leaf of an unknown."""
        return self.leaves[bisect_right(self.leaves, unknown, key=lambda leaf: leaf.first) - 1]

    @property
    def single(self) -> bool:
        """Whether it moves a single entry."""
        return len(self.velocity) == 1 and self.owner(next(iter(self.velocity))).alike is None

    def expanded(self, offsets: Mapping[str, int]) -> Translation:
        """With all entries of theta."""
        found: Translation = {}
        for unknown, c in self.velocity.items():
            leaf = self.owner(unknown)
            found |= dict.fromkeys((leaf.entries(unknown) + offsets[leaf.name]).tolist(), c)
        return found


def shifts(program: Program, names: Collection[str]) -> list[Shift]:
    """A basis of the translations found of some parameters; of large ones, those alike along their first or last axis.

    Where both are found of a large one, the former.
    """
    search = _Search(program, names)
    found = search.solved(0)
    large = [node.data for node in program.nodes if node.op == "parameter" and prod(node.shape) > LARGE]
    if any(name in names and name not in search.settled for name in large):
        seen = {leaf.name for leaf in _large(found)}
        found += [shift for shift in search.solved(-1) if _fresh(shift, seen)]
    return found


def _large(found: Iterable[Shift]) -> Iterator[Leaf]:
    """The large parameters that translations move."""
    for shift in found:
        owners = (shift.owner(unknown) for unknown in shift.velocity)
        yield from (leaf for leaf in owners if leaf.alike is not None)


def _fresh(shift: Shift, seen: Collection[str]) -> bool:
    """Whether a translation moves large parameters, and none of those seen."""
    large = {leaf.name for leaf in _large([shift])}
    return bool(large) and large.isdisjoint(seen)


class _Search:
    """The translations of a program; ``settled`` are parameters of which one pass has found that nothing moves them.

    They are matrices that show in what may not move: $V x = 0$, where V vanishes if its rows are alike, has none.
    """

    def __init__(self, program: Program, names: Collection[str]) -> None:
        self._program, self._names = program, names
        self._sums, sweep = known(program), Sweep(program)
        self._still, self._shown = sweep.behind_gates(), sweep.shown()
        self.settled = set[str]()

    def solved(self, alike: int) -> list[Shift]:
        """The translations; of large parameters, those alike along this axis."""
        algebra, values, leaves = Shifts(), list[Velocity](), list[Leaf]()
        for n, (node, found) in enumerate(zip(self._program.nodes, self._sums, strict=True)):
            if node.op not in LEAVES:
                velocity = self._program.value(algebra, node, values)
            elif node.op == "probe" or node.data not in self._names or node.data in self.settled:
                velocity = algebra.leaf(node.shape)
            else:
                axis = alike % len(node.shape) if prod(node.shape) > LARGE else None
                leaves.append(Leaf(node.data, node.shape, algebra.unknowns, axis))
                velocity = algebra.leaf(node.shape, algebra.fresh(leaves[-1].met))
            if n in self._still:
                velocity = algebra.stopped(velocity)
            values.append(replace(velocity, sums=found.sums))
        algebra.stop(values[self._program.output])
        shown = (leaf for leaf in leaves if leaf.name in self._shown)
        self.settled |= {leaf.name for leaf in shown if algebra.vanish(leaf.first, leaf.stop)}
        last = leaves[-1].stop if leaves else 1
        return [Shift(vector, leaves) for vector in algebra.solutions(last - 1)]
