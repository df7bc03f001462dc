r"""Whether the quadratic laws that a program's shape proves are all there are, without expanding anything.

A law $h = \sum a_{ij} x_i x_j$ satisfies $\langle\nabla h, X\rangle = 0$ at every sample: a point and a member of the
family, modulo a prime. The nullity of any number of samples is at least that over Q of all of them. So if it is no
larger than the number of laws at hand, these are all, whatever the samples were.

The samples are solved class by class. A choice of signs $\sigma$ of the parameters under which every coefficient of the
output in its probes keeps or changes its sign maps laws to laws: $\nabla\varphi_i(\sigma\theta) = \pm\sigma
\nabla\varphi_i(\theta)$, so $\langle\nabla(h\circ\sigma), X\rangle = \pm\langle\nabla h, X\rangle\circ\sigma$. Hence a
law splits into laws of one class each: of monomials with the same sign under all $\sigma$. The signs are inferred on
the program: each entry, of probes and outputs too, has an unknown degree modulo 2. Classes are made a shard at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.draws import Draws
from clexact.algebra.echelon import rank
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints, Terms
from clexact.flows.gradient import GradientFlow
from clexact.programs.program import LEAVES
from clexact.support.errors import RANK_BITS
from clexact.symmetry.axes import SignDegrees, graded
from clexact.symmetry.grading import Graded
from clexact.symmetry.solutions import equations

MAX_CLASS = 8000  # monomials of a class that is solved
SHARD = 2**20  # monomials held at a time, about
BATCH = 2**22  # numbers in a batch of small systems, or of values of members
SMALL = 96  # monomials of a class that is solved in a batch
SPARE = 8  # samples more than monomials: a nullity that is too large by chance has odds p^-8
MOST_ENTRIES = 10**8


def all_quadratic_laws(flow: GradientFlow, laws: Terms, homogeneous: bool, draws: Draws) -> bool:
    """Whether there are no more laws of degree 2 (or at most 2) than these, which are linearly independent.

    False also where that is not decided: a class is too large.
    """
    found = int(laws.owner.max(initial=-1)) + 1
    labels = sign_labels(flow, draws)
    if not homogeneous:  # degree 1 is the product with a coordinate that is 1 everywhere
        labels = np.append(labels, np.uint64(0))
    samples = _Samples(flow, homogeneous, draws)
    nullity = 0
    for first, second, sizes in _classes(labels, homogeneous):
        if sizes.max() > MAX_CLASS:
            return False
        nullity += samples.nullity(first, second, sizes)
        if nullity > found:
            return False
    return nullity == found


def sign_labels(flow: GradientFlow, draws: Draws) -> Words:
    """(D,) random 64-bit masks: bit b says which coordinates the b-th of 64 random choices of signs turns."""
    degrees = SignDegrees()
    leaves = graded(flow.program, degrees.units, LEAVES)
    flow.program.run(degrees, leaves)
    equation, unit, coefficient = equations(degrees.units)
    odd = coefficient % 2 == 1
    equation, unit = equation[odd], unit[odd]
    rows = int(equation.max(initial=-1)) + 1
    start = np.searchsorted(equation, np.arange(rows + 1))
    order = np.argsort(np.diff(start), kind="stable")
    form = SparseForm(degrees.units.count, 2)
    form.add(start, unit, np.ones(len(unit), dtype=np.uint64), order, MOST_ENTRIES)
    words = _random_solution(form, degrees.units.count, draws)
    labels = [_signs(words, leaves[name]).ravel() for name in flow.model.parameters]
    return np.concatenate(labels)


def _signs(words: Words, tensor: Graded) -> Words:
    """Those of the entries of a parameter: the sums of those of its units, modulo 2."""
    total = np.zeros(tensor.shape, dtype=np.uint64)
    for factor in tensor.factors:
        total ^= words[factor.units]
    return total


def _random_solution(form: SparseForm, unknowns: int, draws: Draws) -> Words:
    """64 random vectors of the nullspace modulo 2, as the bits of one word for each unknown."""
    words: list[int] = draws.residues((unknowns,), 2**63).tolist()
    start, columns, _ = form.rows()
    pivots = form.pivots.tolist()
    for k in range(form.rank - 1, -1, -1):  # a row is zero on the pivots of the rows before it
        pivot, word = pivots[k], 0
        for c in columns[start[k] : start[k + 1]].tolist():
            word ^= words[c] if c != pivot else 0
        words[pivot] = word
    return np.array(words, dtype=np.uint64)


def _classes(labels: Words, homogeneous: bool) -> Iterator[tuple[Ints, Ints, Ints]]:
    """All pairs of coordinates, shard by shard: (first, second), class after class, and the sizes of the classes.

    A shard holds the pairs whose labels, added modulo 2, end in the same bits.
    """
    count = len(labels)
    bits = max(0, (count * count // 2 // SHARD).bit_length())
    bucket = (labels & np.uint64((1 << bits) - 1)).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    start = np.searchsorted(bucket[order], np.arange((1 << bits) + 1))
    members = [order[start[b] : start[b + 1]] for b in range(1 << bits)]
    for shard in range(1 << bits):
        pairs = [_pairs(members[b], members[b ^ shard], b == b ^ shard) for b in range(1 << bits) if b <= b ^ shard]
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        if not homogeneous:  # not the constant alone
            kept = (first != count - 1) | (second != count - 1)
            first, second = first[kept], second[kept]
        if not len(first):
            continue
        label = labels[first] ^ labels[second]
        place = np.argsort(label, kind="stable")
        ends = np.flatnonzero(np.append(label[place][1:] != label[place][:-1], True)) + 1
        yield first[place], second[place], np.diff(ends, prepend=0)


def _pairs(a: Ints, b: Ints, same: bool) -> tuple[Ints, Ints]:
    """All pairs of members of two buckets, once each."""
    if same:
        i, j = np.triu_indices(len(a))
        return a[i], a[j]
    return np.repeat(a, len(b)), np.tile(b, len(a))


class _Samples:
    """Random points and members modulo a prime, as many as were needed so far."""

    def __init__(self, flow: GradientFlow, homogeneous: bool, draws: Draws) -> None:
        self._flow, self._homogeneous, self._draws = flow, homogeneous, draws
        self.prime = flow.draw_prime(draws, RANK_BITS)
        width = flow.dimension + (not homogeneous)
        self._theta, self._field = (np.empty((0, width), dtype=np.int64) for _ in range(2))

    def _extend(self, count: int) -> None:
        """Have so many samples at least."""
        more = count - len(self._theta)
        if more <= 0:
            return
        D = self._flow.dimension
        theta, seeds = self._flow.draw_samples(self._draws, more, self.prime)
        step = max(1, BATCH // (self._flow.work + D))
        batches = [slice(n, n + step) for n in range(0, more, step)]
        field = np.concatenate([self._members(theta[batch], seeds[batch]) for batch in batches])
        theta = theta % np.uint64(self.prime)
        if not self._homogeneous:
            theta, field = (np.column_stack([x, np.full(more, c, np.uint64)]) for x, c in ((theta, 1), (field, 0)))
        self._theta = np.concatenate([self._theta, theta.astype(np.int64)])
        self._field = np.concatenate([self._field, field.astype(np.int64)])

    def _members(self, theta: Words, seeds: Words) -> Words:
        values = self._flow.values({0: theta}, seeds, self.prime).get(0)
        return np.zeros(theta.shape, dtype=np.uint64) if values is None else np.broadcast_to(values, theta.shape)

    def nullity(self, first: Ints, second: Ints, sizes: Ints) -> int:
        """Sum over the classes of (monomials - rank of the samples)."""
        self._extend(int(sizes.max()) + SPARE)
        ends, total = np.cumsum(sizes), 0
        for size in np.unique(sizes).tolist():
            begin = ends[sizes == size] - size
            step = max(1, BATCH // (size * (size + SPARE)))
            for k in range(0, len(begin), step):
                chosen = begin[k : k + step, None] + np.arange(size)
                values = self._values(first[chosen], second[chosen], size + SPARE)
                ranks = batched_ranks(values, self.prime) if size <= SMALL else self._large_ranks(values)
                total += int((size - ranks).sum())
        return total

    def _values(self, first: Ints, second: Ints, samples: int) -> Ints:
        """(classes, samples, monomials): the derivatives of x_i x_j along the members, halved for squares."""
        theta, field = self._theta[:samples], self._field[:samples]
        out = theta[:, first] * field[:, second]
        out += np.where(first == second, 0, theta[:, second] * field[:, first])
        return np.moveaxis(out % self.prime, 0, 1)

    def _large_ranks(self, values: Ints) -> Ints:
        return np.array([rank(np.ascontiguousarray(each.astype(np.uint64)), self.prime) for each in values])


def batched_ranks(systems: Ints, prime: int) -> Ints:
    """Ranks mod p < 2^31 of many small matrices (k, rows, columns) of residues at once."""
    systems = systems.copy()
    k, rows, columns = systems.shape
    ranks, here = np.zeros(k, dtype=np.int64), np.arange(k)
    for column in range(columns):
        open_rows = (systems[:, :, column] != 0) & (np.arange(rows) >= ranks[:, None])
        found = open_rows.argmax(axis=1)
        some = open_rows[here, found]
        target = np.minimum(ranks, rows - 1)
        pivot = systems[here, found].copy()
        systems[here[some], found[some]] = systems[here[some], target[some]]
        inverse = _inverses(np.where(some, pivot[:, column], 1), prime)
        pivot = pivot * inverse[:, None] % prime
        systems[here[some], target[some]] = pivot[some]
        factor = np.where(some[:, None] & (np.arange(rows) > target[:, None]), systems[:, :, column], 0)
        systems[:, :, column:] -= factor[:, :, None] * pivot[:, None, column:] % prime
        systems[:, :, column:] += prime * (systems[:, :, column:] < 0)
        ranks += some
    return ranks


def _inverses(values: Ints, prime: int) -> Ints:
    """Inverses mod p of numbers that are not 0: the power p - 2."""
    result, base, exponent = np.ones_like(values), values.copy(), prime - 2
    while exponent:
        if exponent & 1:
            result = result * base % prime
        base, exponent = base * base % prime, exponent >> 1
    return result
