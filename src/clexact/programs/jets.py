"""Jets modulo a prime: numbers a_0 + a_1 e_1 + a_2 e_2 + a_12 e_1 e_2 + ... with e_i^2 = 0.

A jet is {mask: array}, bit i of the mask standing for e_i, absent parts being zero; arrays have shape
(fields, *shape), with 1 in place of ``fields`` for what all fields share. Evaluating a field X at x + e Y(x) gives its
directional derivative: X(x) + e dX(x)Y(x). One forward and one reverse sweep of a program give gradients of jets.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra import linalg
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Terms, starts
from clexact.programs.algebras import Reversible
from clexact.programs.places import Shape
from clexact.programs.program import Program
from clexact.programs.reverse import gradients

Jet = dict[int, Words]


class Jets(Reversible[Jet]):
    """The ring of jets modulo ``prime``, as an algebra for programs."""

    def __init__(self, prime: int) -> None:
        self.prime = prime

    def constant(self, value: NDArray[Any]) -> Jet:
        return {0: linalg.residues(value, self.prime)[None]}

    def add(self, a: Jet, b: Jet) -> Jet:
        out = {mask: self._broadcast(part, a, b) for mask, part in a.items() if mask not in b}
        out |= {mask: self._broadcast(part, a, b) for mask, part in b.items() if mask not in a}
        return out | {mask: linalg.add(a[mask], b[mask], self.prime) for mask in a.keys() & b.keys()}

    @staticmethod
    def _broadcast(part: Words, a: Jet, b: Jet) -> Words:
        shape = np.broadcast_shapes(*(next(iter(x.values())).shape[1:] for x in (a, b) if x))
        return part if part.shape[1:] == shape else np.broadcast_to(part, (len(part), *shape))

    def subtract(self, a: Jet, b: Jet) -> Jet:
        """a - b."""
        return self.add(a, {mask: linalg.subtract(np.zeros_like(part), part, self.prime) for mask, part in b.items()})

    def _bilinear(self, a: Jet, b: Jet, product: Any) -> Jet:
        out: Jet = {}
        for s, x in a.items():
            for t, y in b.items():
                if s & t == 0:
                    value = product(x, y)
                    out[s | t] = linalg.add(out[s | t], value, self.prime) if s | t in out else value
        return out

    def multiply(self, a: Jet, b: Jet) -> Jet:
        return self._bilinear(a, b, lambda x, y: linalg.multiply(x, y, self.prime))

    def matmul(self, a: Jet, b: Jet) -> Jet:
        return self._bilinear(a, b, self._matmul)

    def _matmul(self, x: Words, y: Words) -> Words:
        if x.ndim == 3:
            return linalg.matmul(x, y, self.prime)
        stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])  # stacks inside the program: one flat stack of all
        x, y = (np.broadcast_to(z, stack + z.shape[-2:]).reshape(-1, *z.shape[-2:]) for z in (x, y))
        return linalg.matmul(x, y, self.prime).reshape(*stack, x.shape[-2], y.shape[-1])

    def transpose(self, a: Jet, axes: tuple[int, ...]) -> Jet:
        order = (0, *(axis + 1 for axis in axes))
        return {mask: part.transpose(order) for mask, part in a.items()}

    def reshape(self, a: Jet, shape: Shape) -> Jet:
        return {mask: part.reshape(len(part), *shape) for mask, part in a.items()}

    def take(self, a: Jet, index: NDArray[np.int64]) -> Jet:
        return {mask: part.reshape(len(part), prod(part.shape[1:]))[:, index] for mask, part in a.items()}

    def concatenate(self, parts: list[Jet], axis: int) -> Jet:
        # every input is present in its ordinary part, from which the shape of an absent part is read
        out: Jet = {}
        for mask in set().union(*parts):
            pieces = [part.get(mask, np.zeros_like(part[0])) for part in parts]
            fields = max(len(piece) for piece in pieces)
            wide = [np.broadcast_to(piece, (fields, *piece.shape[1:])) for piece in pieces]
            out[mask] = np.concatenate(wide, axis=axis + 1)
        return out

    def sum(self, a: Jet, axis: int) -> Jet:
        return {mask: self.sum_axis(part, axis + 1) for mask, part in a.items()}

    def sum_axis(self, part: Words, axis: int) -> Words:
        """Sum over one axis mod p: a product with ones, whose kernel never overflows."""
        moved = np.moveaxis(part, axis, -1)
        ones = np.ones((1, part.shape[axis], 1), dtype=np.uint64)
        flat = np.ascontiguousarray(moved).reshape(1, prod(moved.shape[:-1]), part.shape[axis])
        return linalg.matmul(flat, ones, self.prime).reshape(moved.shape[:-1])

    def unbroadcast(self, a: Jet, shape: Shape) -> Jet:
        """Sum over the axes along which an operand of this shape was repeated."""
        out = {}
        for mask, part in a.items():
            for axis, size in enumerate(shape, start=1):
                if part.shape[axis] != size:
                    part = np.expand_dims(self.sum_axis(part, axis), axis)
            out[mask] = part
        return out

    def scatter(self, a: Jet, index: NDArray[np.int64], shape: Shape) -> Jet:
        """The transpose of ``take``: add the entries of a at the places ``index`` of zeros."""
        order = np.argsort(index.ravel(), kind="stable")
        first = starts(index.ravel()[order], prod(shape))
        out = {}
        for mask, part in a.items():
            flat = part.reshape(len(part), prod(part.shape[1:]))[:, order]
            out[mask] = linalg.segment_sums(flat, first, self.prime).reshape(len(part), *shape)
        return out

    def power(self, a: Jet, exponent: int) -> Jet:
        """a^exponent for exponent >= 1, entry by entry."""
        result = a
        for bit in bin(exponent)[3:]:
            result = self.multiply(result, result)
            result = self.multiply(result, a) if bit == "1" else result
        return result

    def monomials(self, terms: Terms, theta: Jet) -> Jet:
        """Values (fields, T) of the monomials of packed terms at theta (fields, D)."""
        ones = {0: np.ones((1, len(terms)), dtype=np.uint64)}
        length = np.diff(terms.start)
        values = ones
        for place in range(int(length.max(initial=0))):
            rows = np.flatnonzero(length > place)
            entries = terms.start[rows] + place
            factors = dict(ones)
            for exponent in np.unique(terms.power[entries]).tolist():
                chosen = terms.power[entries] == exponent
                raised = self.power(self.take(theta, terms.var[entries[chosen]]), exponent)
                factors = self._placed(factors, raised, rows[chosen])
            values = self.multiply(values, factors)
        return values

    def polynomials(self, terms: Terms, theta: Jet, count: int) -> Jet:
        """Values (fields, count) at theta of the polynomials that own the terms, whatever the order of these."""
        order = np.argsort(terms.owner, kind="stable")
        each = self.multiply(self.monomials(terms, theta), {0: linalg.residues(terms.coef, self.prime)[None]})
        return self.segment_sums(self.take(each, order), starts(terms.owner[order], count))

    def segment_sums(self, a: Jet, start: NDArray[np.int64]) -> Jet:
        """Sums over the segments start[j]:start[j + 1] of the one axis."""
        return {mask: linalg.segment_sums(part, start, self.prime) for mask, part in a.items()}

    @staticmethod
    def _placed(a: Jet, part: Jet, columns: NDArray[np.int64]) -> Jet:
        """a with the entries at ``columns`` replaced by those of ``part``."""
        out = {}
        fields = max(len(x) for jet in (a, part) for x in jet.values())
        width = a[0].shape[1]
        for mask in a.keys() | part.keys():
            whole = np.broadcast_to(a.get(mask, np.zeros((1, width), np.uint64)), (fields, width)).copy()
            whole[:, columns] = part.get(mask, np.uint64(0))
            out[mask] = whole
        return out

    def gradient(self, program: Program, leaves: Mapping[str, Jet], covector: Jet) -> dict[str, Jet]:
        r"""$\nabla_\theta \langle C, g(\theta, \xi) \rangle$ for each parameter: a forward and a reverse sweep."""
        return gradients(self, program, program.run(self, leaves), program.output, covector)
