r"""Certify the number of laws of a block with clexact itself, on a ``Model`` of the same family.

A block is what the parameters of one law do: writers add up to hidden units, which are read through free gates (a law
for each unit) or as they are (a matrix of laws): $y_j = R_j\,(g_j \odot \sum_{k \prec j} (W_k x_k))$, all $x_k$ and all
covectors on $y_j$ being free; a bias is a writer with one column. A convolution sees patches: a matrix whose columns
are (channel, offset); two of them without gates are composed as ``models.conv1d`` composes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.models import conv1d
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model
from clexact.support.display import counted

TRUE_SIZE = 1500  # parameters of a block that is certified as it is
BUDGET = 6000  # parameters of all blocks of a module that are

PARTS = 16  # writers, and readers, of a smaller block, at most
SHOWN = 8  # parts whose columns are written out


@dataclass(frozen=True)
class Shape:
    """A block: units, columns of the writers and of the readers, and which reader sees which writers."""

    matrix: bool  # whether the units are read without gates
    units: int
    writers: tuple[int, ...]
    readers: tuple[int, ...]
    sees: tuple[tuple[int, ...], ...]
    kernel: int = 1  # of two convolutions that are composed without gates

    @property
    def dimension(self) -> int:
        """Number of parameters."""
        return self.units * (sum(self.writers) + sum(self.readers))

    @property
    def count(self) -> int:
        """The laws of the rule: one for each unit, or for each entry of a symmetric matrix of rank at most k."""
        k = min(self.units, sum(self.writers) + sum(self.readers))
        return k * (2 * self.units + 1 - k) // 2 if self.matrix else self.units

    def one_unit(self) -> Shape:
        """One of the units of a block with gates: they share no parameter, and free gates tell them apart."""
        return self if self.matrix else replace(self, units=1)

    def smaller(self) -> Shape:
        """A block of the same family: three units, ``PARTS`` writers and readers, two columns or channels, at most."""
        if self.kernel > 1:
            side = (2 * min(self.kernel, 3),)
            return Shape(True, min(self.units, 3), side, side, ((0,),), min(self.kernel, 3))
        writers, readers = (tuple(min(c, 2) for c in columns[:PARTS]) for columns in (self.writers, self.readers))
        sees = tuple(tuple(k for k in seen if k < len(writers)) or (0,) for seen in self.sees[: len(readers)])
        return Shape(self.matrix, min(self.units, 3), writers, readers, sees)

    @property
    def name(self) -> str:
        """In words."""
        if self.kernel > 1:
            return f"{self.units} channels between two convolutions of kernel {self.kernel}"
        units = f"{counted(self.units, 'unit')} {'without gates' if self.matrix else 'with free gates'}"
        return f"{units}, {_added(self.writers)} columns in, {_added(self.readers)} out"


def _added(columns: tuple[int, ...]) -> str:
    if len(columns) > SHOWN:
        return f"{sum(columns)} (in {len(columns)} parts)"
    return "+".join(map(str, columns))


@lru_cache(maxsize=256)
def certified(shape: Shape, seed: int) -> tuple[int, int]:
    """Proved bounds of the number of laws of a block."""
    count = certify(gradient_flow(_model(shape)), seed=seed)
    return (count.lower, count.upper) if not count.error else (count.exhibited, count.upper)


def _model(shape: Shape) -> Model:
    if shape.kernel > 1:
        inward, outward = (sum(columns) // shape.kernel for columns in (shape.writers, shape.readers))
        return conv1d([inward, shape.units, outward], kernel=shape.kernel)
    writers = {f"W{k}": (shape.units, columns) for k, columns in enumerate(shape.writers)}
    readers = {f"R{j}": (columns, shape.units) for j, columns in enumerate(shape.readers)}
    probes = {f"x{k}": (columns,) for k, columns in enumerate(shape.writers)}
    gates = {} if shape.matrix else {f"g{j}": (shape.units,) for j in range(len(shape.readers))}

    def output(**a: Array) -> Array:
        written = [a[f"W{k}"] @ a[f"x{k}"] for k in range(len(shape.writers))]
        sums = _sums(shape.sees, written)
        outputs = []
        for j, seen in enumerate(shape.sees):
            outputs.append(a[f"R{j}"] @ (sums[seen] if shape.matrix else a[f"g{j}"] * sums[seen]))
        return concatenate(outputs)

    return Model(writers | readers, probes | gates, output, name=shape.name)


def _sums(sees: tuple[tuple[int, ...], ...], written: list[Array]) -> dict[tuple[int, ...], Array]:
    """What each reader sees; along a stream each sees all that was written before, and the sums grow one by one."""
    sums: dict[tuple[int, ...], Array] = {(k,): part for k, part in enumerate(written)}
    for seen in sees:
        for n in range(2, len(seen) + 1):
            if seen[:n] not in sums:
                sums[seen[:n]] = sums[seen[: n - 1]] + written[seen[n - 1]]
    return sums
