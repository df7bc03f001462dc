r"""One-parameter groups that leave every output of a program unchanged, read off its shape, at any size.

Each flow makes laws of them (``flows/``): along the generator $\theta' = A\theta + c$ of a group,
$\langle A\theta + c, \nabla\langle C, g\rangle\rangle = 0$. Three kinds are found:

* scalings: degrees of all entries (``axes.py``), and of exponentials of parameters (``exponentials.py``);
* factors: a matrix g acting on an axis of some arrays and its inverse on the axes contracted with it (U g, g^-1 V), any
  g (``gather.py``, ``axis_classes.py``), orthogonal ones where the axis is also contracted with itself (U U^T), or
  $1 + t\,11^\top$ where what is the same along the axis is not seen, since its mean is subtracted;
* translations, also of what softmaxes and the loss do not see (``shifts.py``).

Analytic functions are opaque here: nothing moves their arguments. But reciprocals and $u^{-1/2}$ are homogeneous, an
exponential moves by a multiple of itself, and a softmax lets pass what is the same along its axis.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from clexact.algebra.sparse_vectors import runs
from clexact.algebra.terms import Ints
from clexact.programs.places import Shape, corner
from clexact.programs.program import Program
from clexact.symmetry.axis_classes import axis_classes
from clexact.symmetry.exponentials import Exponentials
from clexact.symmetry.families import Family, Kind
from clexact.symmetry.gather import Rescalings
from clexact.symmetry.shifts import Translation, shifts
from clexact.symmetry.solutions import independent
from clexact.symmetry.sums import gathered
from clexact.symmetry.unread import moved, read_rows
from clexact.symmetry.views import Term, View

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

    def plane(self) -> bytes:
        """The same for equal ``gram(0, 1)``, but for a sign."""
        pairs = [np.sort(np.stack([entries[0], entries[1]]), axis=0) for entries, _ in self.parts]
        low, high = np.concatenate(pairs, axis=1)
        sign = np.repeat([sign for _, sign in self.parts], [pair.shape[1] for pair in pairs])
        order = np.lexsort((high, low))
        low, high, sign = low[order], high[order], sign[order]
        first = runs(low, high)
        total = np.add.reduceat(sign, first) if len(first) else sign
        first, total = first[total != 0], total[total != 0]
        total = total * np.sign(total[:1])
        return np.stack([low[first], high[first], total]).astype(np.int64).tobytes()

    def diagonals(self) -> Iterator[frozenset[tuple[int, int]]]:
        """The pairs (entry, coefficient) of ``gram(k, k)``, and of its negative, for each k."""
        for k in range(self.size):
            law = {i: c for (i, _), c in self.gram(k, k).items()}
            yield frozenset(law.items())
            yield frozenset((i, -c) for i, c in law.items())

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


_Axis = tuple[str, int, Shape, int, int]  # (parameter, offset of the first entry, shape, axis, sign)


class _Axes(NamedTuple):
    """Axes of parameters on which one matrix acts, or its inverse."""

    members: tuple[_Axis, ...]
    orthogonal: bool

    @property
    def size(self) -> int:
        """Of the matrix."""
        _, _, shape, axis, _ = self.members[0]
        return shape[axis]

    def factor(self) -> FactorClass:
        """With all entries."""
        parts = [(_along(axis, shape, offset, shape[axis]), sign) for _, offset, shape, axis, sign in self.members]
        return FactorClass(tuple(parts), self.orthogonal)

    def corner(self) -> FactorClass:
        """``factor()``, of the first two indices."""
        parts = [(_along(axis, shape, offset, 2), sign) for _, offset, shape, axis, sign in self.members]
        return FactorClass(tuple(parts), self.orthogonal)

    def family(self, kind: Kind) -> Family:
        """All laws along the axes."""
        return Family(
            kind, tuple(Term(name, sign, View(shape, (), axis), shape) for name, _, shape, axis, sign in self.members)
        )


def _along(axis: int, shape: Shape, offset: int, count: int) -> Ints:
    """The entries of the first so many slices along an axis of a parameter."""
    entries = corner(shape, [count if n == axis else size for n, size in enumerate(shape)])
    return np.moveaxis(entries, axis, 0).reshape(count, -1) + offset


def _first_positive(axes: list[_Axis]) -> tuple[_Axis, ...]:
    """The same, with all signs turned if that of the first is -1: g and its inverse are exchanged."""
    return tuple((*axis, sign * axes[0][-1]) for *axis, sign in axes)  # type: ignore[misc]


def factor_axes(program: Program, offsets: Mapping[str, int]) -> tuple[list[_Axes], list[_Axes]]:
    r"""The classes of axes of parameters on which matrices may act, and those on which only $1 + t\,11^\top$ may."""
    classes = axis_classes(program)
    for axis in range(len(program.shape)):
        classes.fix((program.output, axis))
    members: dict[tuple[int, int], list[_Axis]] = {}
    for n, node in enumerate(program.nodes):
        if node.op == "parameter" and node.data in offsets:
            for axis in range(len(node.shape)):
                root, sign = classes.find((n, axis))
                members.setdefault(root, []).append((node.data, offsets[node.data], node.shape, axis, sign))
    every = {root: _Axes(_first_positive(axes), not classes.free(root)) for root, axes in members.items()}
    movable = [axes for root, axes in every.items() if classes.movable(root)]
    return movable, [axes for root, axes in every.items() if classes.uniform(root)]


def _known(axes: _Axes, planes: Collection[bytes], others: Callable[[], Sequence[FactorClass]]) -> bool:
    """Whether the law of the first plane is one of other classes, or a combination of theirs."""
    if axes.size < 2:
        return True
    factor = axes.corner()
    if factor.plane() in planes:
        return True
    law, laws = factor.gram(0, 1), list[Law]()
    for other in others():
        rows = other.rows({i for key in law for i in key})
        found = {(min(k, m), max(k, m)) for i, j in law for k in rows.get(i, ()) for m in rows.get(j, ())}
        laws += [other.gram(k, m) for k, m in sorted(found)]
    monomials = {key: n for n, key in enumerate(dict.fromkeys(key for each in (*laws, law) for key in each))}
    every = [*laws, law]
    columns = [np.array([monomials[key] for key in each], dtype=np.int64) for each in every]
    values = [np.array(list(each.values()), dtype=np.int64) for each in every]
    return not independent(list(zip(columns, values, strict=True)))[-1]


def _seen(factor: FactorClass, translations: Sequence[Translation]) -> bool:
    """Whether not all sums along the axes are linear laws, of which the law of their squares would be made."""
    columns = [column for entries, _ in factor.parts for column in np.sort(entries, axis=0).T]
    rows = [(np.array(sorted(c), dtype=np.int64), np.array([c[j] for j in sorted(c)])) for c in translations]
    rows += [(column, np.ones_like(column)) for column in columns]
    return bool(independent(rows)[len(translations) :].any())


@dataclass(frozen=True)
class Symmetries:
    """All groups found."""

    scalings: tuple[Scaling, ...]
    factors: tuple[FactorClass, ...]
    translations: tuple[Translation, ...]
    uniform: tuple[FactorClass, ...] = ()  # on which only 1 + t 11^T acts
    exponentials: tuple[Law, ...] = ()  # of rescalings that shift logarithms: no homogeneous ones

    def euclidean_laws(self) -> list[Law]:
        r"""Laws h of the gradient flow with $\nabla h = A\theta + c$, A symmetric, for every group.

        $\langle c, \theta\rangle$ of a translation, $\sum_j a_j\theta_j^2$ of a scaling, and $\langle\theta_k,
        \theta_m\rangle$ summed over the factors that a matrix and its inverse act on, with signs; and over all k and m
        where only $1 + t\,11^\top$ acts.
        """
        return self.diagonal_laws() + self.gram_laws()

    def diagonal_laws(self) -> list[Law]:
        """Those of translations and scalings, also of logarithms."""
        laws: list[Law] = [{(j,): a for j, a in c.items()} for c in self.translations]
        laws += [{(j, j): a for j, a in scaling.items()} for scaling in self.scalings]
        return [*laws, *self.exponentials]

    @property
    def free_factors(self) -> list[FactorClass]:
        """The factors on which any invertible matrix acts."""
        return [factor for factor in self.factors if not factor.orthogonal]

    def gram_laws(self) -> list[Law]:
        """Those of factors, off the diagonal, which belongs to the scalings."""
        planes = [factor.gram(k, m) for factor in self.free_factors for k, m in factor.planes()]
        return planes + [factor.total() for factor in self.uniform]


class Groups:
    """Groups that leave unchanged all outputs of a program, that of what the loss sees: as families, or all entries."""

    def __init__(self, program: Program, offsets: Mapping[str, int]) -> None:
        # what only decides gates need not stay the same: gates are constant near a start
        program, self._rows = read_rows(Program(list(program.nodes), program.output).pruned())
        self._all_offsets, offsets = offsets, moved(offsets, self._rows)
        self._program, self._offsets = program, offsets
        self._rescalings, self._exponentials = Rescalings(program, offsets), Exponentials(program, offsets)
        self._shifts = shifts(program, offsets)

    @cached_property
    def _axes(self) -> tuple[list[_Axes], list[_Axes]]:
        """Orthogonal classes and those that the rescalings do not know; those on which only 1 + t 11^T acts."""
        movable, uniform = factor_axes(self._program, self._offsets)
        planes = {FactorClass(parts, orthogonal=False).plane() for parts in self._rescalings.first_planes()}
        return [axes for axes in movable if axes.orthogonal or not _known(axes, planes, lambda: self._mixed)], uniform

    @cached_property
    def _translations(self) -> tuple[Translation, ...]:
        """Those found, and of each entry that is not read."""
        found = [shift.expanded(self._offsets) for shift in self._shifts]
        for name, rows in self._rows.items():
            first = self._all_offsets[name]
            found += [{first + n: 1} for a, b in rows.rest for n in range(a * rows.width, b * rows.width)]
        return tuple(found)

    @cached_property
    def _mixed(self) -> list[FactorClass]:
        return [FactorClass(parts, orthogonal=False) for parts in self._rescalings.mixed]

    @cached_property
    def _uniform(self) -> list[tuple[_Axes, FactorClass]]:
        every = [(axes, axes.factor()) for axes in self._axes[1]]
        return [(axes, factor) for axes, factor in every if _seen(factor, self._translations)]

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """The laws of the gradient flow that belong to all groups."""
        free = [axes for axes in self._axes[0] if not axes.orthogonal]
        more = [axes.family("gram") for axes in free]
        more += [axes.family("total") for axes, _ in self._uniform]
        diagonals = {each for axes in free for each in axes.factor().diagonals()}
        rescalings = self._exponentials if self._exponentials.logarithms else self._rescalings
        rescaled = rescalings.families(self._still, diagonals)
        unread = [family for name, rows in self._rows.items() for family in rows.families(name)]
        return (*(self._placed(family) for family in (*rescaled, *more, *gathered(self._shifts))), *unread)

    @cached_property
    def _still(self) -> set[int]:
        """The entries of theta that do not move at all."""
        single = [shift.expanded(self._offsets) for shift in self._shifts if shift.single]
        return {entry for translation in single for entry in translation}

    def matrices(self, moving: bool) -> tuple[Family, ...]:
        """The parameters on whose rows a matrix acts, or an orthogonal one, as Gram matrices: laws if any one does.

        ``moving``: without entries that do not move at all.
        """
        still = self._still if moving else ()
        mixed = [family for family in self._rescalings.families(still, ()) if family.kind == "gram"]
        return tuple(self._placed(family) for family in (*mixed, *(axes.family("gram") for axes in self._axes[0])))

    def _placed(self, family: Family) -> Family:
        """In whole parameters."""
        terms = [
            self._rows[term.parameter].placed(term) if term.parameter in self._rows else term for term in family.terms
        ]
        return replace(family, terms=tuple(terms))

    @property
    def symmetries(self) -> Symmetries:
        """With all entries."""
        factors = (*self._mixed, *(axes.factor() for axes in self._axes[0]))
        uniform = tuple(factor for _, factor in self._uniform)
        exponentials = tuple(self._exponentials.laws())
        return Symmetries(self._rescalings.scalings, factors, self._translations, uniform, exponentials)

    @property
    def all_scalings(self) -> bool:
        """Whether none was given up for its size."""
        return self._rescalings.complete
