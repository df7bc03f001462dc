r"""Linear laws of a network on given data: combinations of parameters that no input moves.

The first layers are affine in the parameters, with coefficients that the data decide: $z_e = \sum_i M_{ei}(x)
\theta_i$ for each entry e of what they hand on. The output depends on these parameters through all $z_e$ at all
inputs x alone, so each v with $\sum_i M_{ei}(x) v_i = 0$ for all e and x is a translation that changes nothing, and
$\langle v, \theta\rangle$ is a law. Parameters that meet in no entry are solved apart, and units alike once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import count, pairwise
from math import lcm, prod

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import Echelon
from clexact.algebra.linalg import Words, add, matmul, multiply, rational_nullspace, residues
from clexact.algebra.polynomial import Number
from clexact.algebra.terms import Ints, Monomial, Terms, concatenate
from clexact.programs.algebras import TermCounts
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.held import Table
from clexact.programs.program import LEAVES, Program
from clexact.symmetry.shifts import Translation

MOVES = ("transpose", "reshape", "take", "select", "concatenate", "sum", "add")
PRODUCTS = ("multiply", "matmul")
MOST_TERMS = 2 * 10**6  # of the first layers, expanded
MOST_COLUMNS = 200  # of a nullspace over Q
PRIME_BITS = 61
ATTEMPTS = 3  # primes, of which one may be unlucky

Row = tuple[tuple[int, Number, Monomial], ...]  # (column, coefficient, monomial of the data), in the order of columns


def unexcited(
    program: Program, offsets: Mapping[str, int], dimension: int, cases: Mapping[str, Table], draws: Draws
) -> list[Translation]:
    """{entry of theta: coefficient} for each law; none where the first layers are too large to expand."""
    program = Program(list(program.nodes), program.output).pruned()
    kinds = _kinds(program, cases)
    terms = _expanded(program, kinds, offsets, dimension, cases)
    if terms is None or not len(terms):
        return []
    data = _Data(cases, draws)
    found, solved = list[Translation](), dict[tuple[int, tuple[Row, ...]], list[list[int]]]()
    for entries, rows in _components(terms, dimension):
        key = len(entries), rows
        if key not in solved:
            solved[key] = data.nullspace(len(entries), rows)
        found += [{int(entries[i]): c for i, c in enumerate(v) if c} for v in solved[key]]
    return found


def _kinds(program: Program, cases: Collection[str]) -> list[str]:
    """For each node "data", "affine" in the parameters with such coefficients, or "other"."""
    kinds = list[str]()
    for node in program.nodes:
        of = [kinds[i] for i in node.inputs]
        if node.op in LEAVES:
            kinds.append("affine" if node.op == "parameter" else "data" if node.data in cases else "other")
        elif node.op == "constant" or (node.op in (*MOVES, *PRODUCTS) and set(of) == {"data"}):
            kinds.append("data")
        elif node.op in MOVES and "other" not in of:
            kinds.append("affine")
        else:
            kinds.append("affine" if node.op in PRODUCTS and sorted(of) == ["affine", "data"] else "other")
    return kinds


def _handed_on(program: Program, kinds: Sequence[str]) -> set[int]:
    """The affine nodes that others read, and the output if it is one."""
    used = {i for n, node in enumerate(program.nodes) if kinds[n] == "other" for i in node.inputs}
    return {n for n in (*used, program.output) if kinds[n] == "affine"}


def _expanded(
    program: Program, kinds: Sequence[str], offsets: Mapping[str, int], dimension: int, cases: Mapping[str, Table]
) -> Terms | None:
    """All that the affine nodes hand on, in the parameters and the data, entry after entry."""
    tops = sorted(_handed_on(program, kinds))
    needed = set(tops)
    for n in range(max(tops, default=-1), -1, -1):
        needed |= {*program.nodes[n].inputs} if n in needed else set()
    ones = {node.data: np.ones(node.shape) for node in program.nodes if node.op in LEAVES}
    counts = program.run_some(TermCounts(), ones, sorted(needed))
    if sum(float(counts[n].sum()) for n in tops) > MOST_TERMS:
        return None
    first, place = dict(offsets), dimension
    for name, table in cases.items():
        first[name], place = place, place + prod(table.shape[1:])
    leaves = {
        node.data: PolynomialArray(node.shape, Terms.variables(first[node.data], prod(node.shape)))
        for n, node in enumerate(program.nodes)
        if node.op in LEAVES and n in needed
    }
    values, parts, count = program.run_some(Polynomials(), leaves, sorted(needed)), list[Terms](), 0
    for n in tops:
        parts.append(values[n].terms.owned_by(values[n].terms.owner + count))
        count += prod(program.nodes[n].shape)
    return concatenate(parts) if parts else None


def _components(terms: Terms, dimension: int) -> Iterator[tuple[Ints, tuple[Row, ...]]]:
    """Parameters that meet in what is handed on, directly or through others, and the rows in which they do."""
    length = np.diff(terms.start)
    holder = np.repeat(np.arange(len(terms)), length)
    of_parameters = terms.var < dimension
    kept, parameter = holder[of_parameters], terms.var[of_parameters].astype(np.int64)
    owner = terms.owner[kept]
    coefficient = terms.coef[kept].tolist()
    label = _connected(owner, parameter, dimension)[owner]
    order = np.lexsort((parameter, owner, label))
    bounds = np.flatnonzero(np.diff(label[order], prepend=-1, append=-1))
    for first, last in pairwise(bounds.tolist()):
        chosen = order[first:last]
        entries, column = np.unique(parameter[chosen], return_inverse=True)
        rows: dict[int, list[tuple[int, Number, Monomial]]] = {}
        for k, j in zip(chosen.tolist(), column.tolist(), strict=True):
            monomial = tuple((v - dimension, e) for v, e in terms.monomial(kept[k]) if v >= dimension)
            rows.setdefault(int(owner[k]), []).append((j, coefficient[k], monomial))
        yield entries, tuple(dict.fromkeys(map(tuple, rows.values())))


def _connected(owner: Ints, parameter: Ints, dimension: int) -> Ints:
    """For each owner the least owner with which it shares parameters, directly or through others."""
    label = np.arange(int(owner.max(initial=-1)) + 1)
    while True:
        least = np.full(dimension, len(label), dtype=np.int64)
        np.minimum.at(least, parameter, label[owner])
        new = label.copy()
        np.minimum.at(new, owner, least[parameter])
        if (new == label).all():
            return label
        label = new


class _Data:
    """The data, case by case, as numbers and modulo primes."""

    def __init__(self, cases: Mapping[str, Table], draws: Draws) -> None:
        parts = [table.reshape(len(table), -1) for table in cases.values()]
        self._table = np.concatenate(parts, axis=1) if parts else np.zeros((1, 0), dtype=object)
        self._draws, self._primes, self._tables = draws, list[int](), dict[int, Words]()
        self._denominator = lcm(*(Fraction(c).denominator for c in set(self._table.ravel().tolist())))
        self._largest = max((abs(c) for c in set(self._table.ravel().tolist())), default=0)

    def nullspace(self, columns: int, rows: Sequence[Row]) -> list[list[int]]:
        """A basis over Q of what all rows annihilate at all data, as primitive integers; where it is large, a part."""
        nonzero = self._table != 0
        alive = np.zeros(columns, dtype=bool)
        for row in rows:
            for j, _, monomial in row:
                alive[j] |= bool(np.all([nonzero[:, v] for v, _ in monomial], axis=0).any()) if monomial else True
        dead = [[int(i == j) for i in range(columns)] for j in np.flatnonzero(~alive)]
        for n in range(ATTEMPTS if alive.any() else 0):
            form, picked = Echelon(columns, prime := self._prime(n)), list[list[Number]]()
            for row in rows:
                fresh = np.flatnonzero(form.add(self._residues(row, columns, prime)))
                picked += [self._exact(row, columns, case) for case in fresh.tolist()]
            if form.rank == alive.sum() or alive.sum() > MOST_COLUMNS:
                return dead
            basis = self._basis(picked, alive)
            if all(self._annihilated(basis, row) for row in rows):
                return dead + basis
        return dead

    def _basis(self, rows: list[list[Number]], alive: NDArray[np.bool_]) -> list[list[int]]:
        """Of the nullspace of these rows, in the columns that are alive."""
        kept = np.flatnonzero(alive).tolist()
        basis = rational_nullspace([[row[j] for j in kept] for row in rows], len(kept))
        place = {j: n for n, j in enumerate(kept)}
        return [[vector[place[j]] if j in place else 0 for j in range(len(alive))] for vector in basis]

    def _prime(self, n: int) -> int:
        """The n-th of the primes that are used, one after another."""
        while len(self._primes) <= n:
            self._primes.append(self._draws.prime(PRIME_BITS, avoiding=self._denominator))
        return self._primes[n]

    def _residues(self, row: Row, columns: int, prime: int) -> Words:
        """The row at all data, modulo a prime."""
        table = self._reduced(prime)
        out = np.zeros((len(table), columns), dtype=np.uint64)
        for j, c, monomial in row:
            value = np.full(len(table), c.numerator * pow(c.denominator, -1, prime) % prime, dtype=np.uint64)
            for v, power in monomial:
                for _ in range(power):
                    value = multiply(value, table[:, v], prime)
            out[:, j] = add(out[:, j], value, prime)
        return out

    def _reduced(self, prime: int) -> Words:
        if prime not in self._tables:
            self._tables[prime] = residues(self._table, prime)
        return self._tables[prime]

    def _exact(self, row: Row, columns: int, n: int) -> list[Number]:
        """The row at one of the data."""
        out = list[Number]([0] * columns)
        for j, c, monomial in row:
            out[j] += c * prod(self._table[n, v] ** power for v, power in monomial)
        return out

    def _annihilated(self, basis: list[list[int]], row: Row) -> bool:
        """Whether the row at all data annihilates these vectors: modulo primes whose product is beyond any such sum."""
        degree = max((sum(power for _, power in monomial) for _, _, monomial in row), default=0)
        size = sum((abs(Fraction(c)) for _, c, _ in row), Fraction(0)) * max(abs(c) for v in basis for c in v)
        bound = 2 * size * max(1, self._largest) ** degree * self._denominator**degree
        bound *= lcm(*(Fraction(c).denominator for _, c, _ in row))
        for n in count():
            if bound < 1:
                return True
            prime = self._prime(n)
            bound /= prime
            vectors = residues(np.array(basis, dtype=object).T, prime)
            if matmul(self._residues(row, len(basis[0]), prime)[None], vectors[None], prime).any():
                return False
        raise AssertionError
