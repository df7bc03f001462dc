r"""One-parameter groups that leave every output of a program unchanged, read off its shape, at any size.

Each flow makes laws of them (``flows/``): along the generator $\theta' = A\theta + c$ of a group,
$\langle A\theta + c, \nabla\langle C, g\rangle\rangle = 0$. Three kinds are found:

* scalings: degrees of all entries (``axes.py``);
* factors: a matrix g acting on an axis of some arrays and its inverse on the axes contracted with it (U g, g^-1 V), any
  g (``gather.py``, ``axis_classes.py``), orthogonal ones where the axis is also contracted with itself (U U^T), or
  $1 + t\,11^\top$ where what is the same along the axis is not seen, since its mean is subtracted;
* translations, also of what softmaxes and the loss do not see (``shifts.py``).

Analytic functions are opaque here: nothing moves their arguments. But reciprocals and $u^{-1/2}$ are homogeneous, an
exponential moves by a multiple of itself, and a softmax lets pass what is the same along its axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np

from clexact.algebra.terms import Ints, Terms, concatenate
from clexact.programs.places import places
from clexact.programs.program import Program
from clexact.symmetry.axis_classes import axis_classes
from clexact.symmetry.gather import rescalings
from clexact.symmetry.shifts import Translation, translations
from clexact.symmetry.solutions import independent

Law = dict[tuple[int, ...], int]  # {variables of the monomial, with repetition: coefficient}
Scaling = dict[int, int]  # {parameter: degree}


@dataclass(frozen=True)
class FactorClass:
    """Axes on which one matrix g acts (sign +1) or its inverse (-1): for each, (size of the axis, other entries)."""

    parts: tuple[tuple[Ints, int], ...]
    orthogonal: bool  # only orthogonal g

    @property
    def size(self) -> int:
        """Size of g."""
        return len(self.parts[0][0])

    @property
    def entries(self) -> Ints:
        """All parameters on which g acts."""
        return np.concatenate([entries.ravel() for entries, _ in self.parts])

    @property
    def key(self) -> tuple[int, bytes]:
        """Its size and entries: equal for classes that are the same but for the order."""
        return self.size, np.sort(self.entries).tobytes()

    def rows(self, wanted: set[int]) -> dict[int, set[int]]:
        """{entry: the indices at which g acts on it}, of the entries wanted."""
        found: dict[int, set[int]] = {}
        for entries, _ in self.parts:
            for k, at in np.argwhere(np.isin(entries, list(wanted))).tolist():
                found.setdefault(int(entries[k, at]), set()).add(k)
        return found

    def planes(self) -> Iterator[tuple[int, int]]:
        """Every two indices."""
        return combinations(range(self.size), 2)

    def gram(self, k: int, m: int) -> Law:
        r"""$\sum \pm$ entry (k, m) of the Gram matrices along the axes: the generator $e_k e_m^\top + e_m e_k^\top$."""
        law: Law = {}
        for entries, sign in self.parts:
            for i, j in zip(entries[k].tolist(), entries[m].tolist(), strict=True):
                add_to(law, (i, j), sign)
        return {key: c for key, c in law.items() if c}

    def gram_terms(self) -> Terms:
        """``gram(k, m)`` for all k < m at once, owned by their numbers, as packed terms; not canonical."""
        k, m = np.triu_indices(self.size, 1)
        parts = []
        for entries, sign in self.parts:
            pairs = np.stack([entries[k].ravel(), entries[m].ravel()], axis=1)
            pairs.sort(axis=1)
            owner = np.repeat(np.arange(len(k)), entries.shape[1])
            var = pairs.ravel().astype(np.int32)
            start = 2 * np.arange(len(pairs) + 1, dtype=np.int64)
            parts.append(Terms(owner, np.full(len(pairs), sign), start, var, np.ones_like(var)))
        return concatenate(parts)

    def total_terms(self) -> Terms:
        """``total`` likewise: squares, and twice the products."""
        products = self.gram_terms()
        parts = [replace(products, coef=2 * products.coef)]
        for entries, sign in self.parts:
            var = entries.ravel().astype(np.int32)
            start = np.arange(len(var) + 1, dtype=np.int64)
            parts.append(
                Terms(np.zeros(len(var), dtype=np.int64), np.full(len(var), sign), start, var, 2 * np.ones_like(var))
            )
        return concatenate(parts).owned_by(0)

    def rotation(self, k: int, m: int) -> list[tuple[int, int]]:
        """Pairs (i, j) of parameters, turned as the plane of k and m is: the generator i -> j, j -> -i."""
        return [
            (i, j) for entries, _ in self.parts for i, j in zip(entries[k].tolist(), entries[m].tolist(), strict=True)
        ]

    def total(self) -> Law:
        r"""The sum of the Gram matrices along the axes, with signs: the generator $11^\top$."""
        law: Law = {}
        for entries, sign in self.parts:
            for column in entries.T.tolist():
                for i, j in product(column, repeat=2):
                    add_to(law, (i, j), sign)
        return {key: c for key, c in law.items() if c}


def add_to(law: Law, variables: tuple[int, ...], c: int) -> None:
    """law += c * product of the variables."""
    key = tuple(sorted(variables))
    law[key] = law.get(key, 0) + c


def factor_classes(program: Program, offsets: dict[str, int]) -> tuple[list[FactorClass], list[FactorClass]]:
    r"""The classes of axes of parameters on which matrices may act, and those on which only $1 + t\,11^\top$ may."""
    classes = axis_classes(program)
    for axis in range(len(program.shape)):
        classes.fix((program.output, axis))
    members: dict[tuple[int, int], list[tuple[Ints, int]]] = {}
    for n, node in enumerate(program.nodes):
        if node.op != "parameter":
            continue
        entries = places(node.shape) + offsets[node.data]
        for axis in range(len(node.shape)):
            root, sign = classes.find((n, axis))
            rows = np.moveaxis(entries, axis, 0).reshape(node.shape[axis], -1)
            members.setdefault(root, []).append((rows, sign))
    every = {root: FactorClass(tuple(parts), not classes.free(root)) for root, parts in members.items()}
    movable = [factor for root, factor in every.items() if classes.movable(root)]
    return movable, [factor for root, factor in every.items() if classes.uniform(root)]


def _known(factor: FactorClass, others: Sequence[FactorClass]) -> bool:
    """Whether a class is one of the others, or the law of its first plane is a combination of theirs."""
    if factor.size < 2 or any(factor.key == other.key for other in others):
        return True
    law, laws = factor.gram(0, 1), list[Law]()
    for other in others:
        rows = other.rows({i for key in law for i in key})
        planes = {(min(k, m), max(k, m)) for i, j in law for k in rows.get(i, ()) for m in rows.get(j, ())}
        laws += [other.gram(k, m) for k, m in sorted(planes)]
    monomials = {key: n for n, key in enumerate(dict.fromkeys(key for each in (*laws, law) for key in each))}
    every = [*laws, law]
    columns = [np.array([monomials[key] for key in each], dtype=np.int64) for each in every]
    values = [np.array(list(each.values()), dtype=np.int64) for each in every]
    return not independent(list(zip(columns, values, strict=True)), len(monomials))[-1]


def _seen(factor: FactorClass, translations: Sequence[Translation]) -> bool:
    """Whether not all sums along the axes are linear laws, of which the law of their squares would be made."""
    columns = [column for entries, _ in factor.parts for column in np.sort(entries, axis=0).T]
    rows = [(np.array(sorted(c), dtype=np.int64), np.array([c[j] for j in sorted(c)])) for c in translations]
    rows += [(column, np.ones_like(column)) for column in columns]
    last = 1 + max((int(entries.max(initial=0)) for entries, _ in rows), default=0)
    return bool(independent(rows, last)[len(translations) :].any())


@dataclass(frozen=True)
class Symmetries:
    """All groups found."""

    scalings: tuple[Scaling, ...]
    factors: tuple[FactorClass, ...]
    translations: tuple[Translation, ...]
    uniform: tuple[FactorClass, ...] = ()  # on which only 1 + t 11^T acts
    all_scalings: bool = True  # whether none was given up for its size

    def euclidean_laws(self) -> list[Law]:
        r"""Laws h of the gradient flow with $\nabla h = A\theta + c$, A symmetric, for every group.

        $\langle c, \theta\rangle$ of a translation, $\sum_j a_j\theta_j^2$ of a scaling, and $\langle\theta_k,
        \theta_m\rangle$ summed over the factors that a matrix and its inverse act on, with signs; and over all k and m
        where only $1 + t\,11^\top$ acts.
        """
        return self.diagonal_laws() + self.gram_laws()

    def diagonal_laws(self) -> list[Law]:
        """Those of translations and scalings."""
        laws: list[Law] = [{(j,): a for j, a in c.items()} for c in self.translations]
        return laws + [{(j, j): a for j, a in scaling.items()} for scaling in self.scalings]

    @property
    def free_factors(self) -> list[FactorClass]:
        """The factors on which any invertible matrix acts."""
        return [factor for factor in self.factors if not factor.orthogonal]

    def gram_laws(self) -> list[Law]:
        """Those of factors, off the diagonal, which belongs to the scalings."""
        planes = [factor.gram(k, m) for factor in self.free_factors for k, m in factor.planes()]
        return planes + [factor.total() for factor in self.uniform]


def symmetries(program: Program, offsets: dict[str, int]) -> Symmetries:
    """Groups that leave unchanged all outputs of a program, that of what the loss sees."""
    found = rescalings(program, offsets)
    factors = [FactorClass(parts, orthogonal=False) for parts in found.mixed]
    free = tuple(factors)
    movable, uniform = factor_classes(program, offsets)
    factors += [factor for factor in movable if factor.orthogonal or not _known(factor, free)]
    moved = tuple(translations(program, offsets))
    uniform = [factor for factor in uniform if _seen(factor, moved)]
    return Symmetries(found.scalings, tuple(factors), moved, tuple(uniform), found.complete)
