"""NumPy's names on arrays of a model, and the functions of layers: every reading of each against NumPy or PyTorch."""

import random
from fractions import Fraction
from inspect import signature
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import clexact
from clexact import functions
from clexact.algebra.draws import Draws
from clexact.algebra.terms import Terms
from clexact.lie.closure import values_at
from clexact.programs.algebras import Numbers
from clexact.programs.array import record
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.jets import Jets
from clexact.programs.reverse import ExactRows, gradients
from clexact.programs.sparse_jets import Part, SparseJets

P = 4194301
SHAPES = {"s": (), "v": (3,), "w": (2,), "A": (2, 3), "B": (3, 2), "S": (3, 3), "T": (2, 3, 2), "N": (1, 3), "Z": (2, 1, 4)}
MASK = np.array([[True, False, True], [False, True, False]])
ROWS = np.array([[1, -2], [0, 3]])

NAMES = {
    "add": lambda A, v, **_: np.add(A, v),
    "subtract": lambda A, v, **_: np.subtract(A, v),
    "subtract from a constant": lambda A, **_: np.subtract(1, A),
    "multiply": lambda A, N, **_: np.multiply(A, N),
    "matmul": lambda A, B, **_: np.matmul(A, B),
    "matmul with a constant": lambda A, **_: np.matmul(ROWS, A),
    "true_divide": lambda A, **_: np.true_divide(A, 6),
    "divide by an array": lambda A, **_: np.divide(A, np.array([1, 2, -3])),
    "negative": lambda A, **_: np.negative(A),
    "positive": lambda A, **_: np.positive(A),
    "square": lambda A, **_: np.square(A),
    "power": lambda A, **_: np.power(A, 3),
    "concatenate": lambda A, N, **_: np.concatenate([A, N, A]),
    "concatenate all": lambda A, v, **_: np.concatenate([A, v], axis=None),
    "concatenate with a constant": lambda A, **_: np.concatenate((np.array([[1, 2, 3]]), A)),
    "stack": lambda A, B, **_: np.stack([A, B.T], axis=1),
    "stack last": lambda v, **_: np.stack([v, v * v, np.array([1, 0, 2])], axis=-1),
    "stack numbers": lambda s, v, **_: np.stack([s, v[0]]),
    "vstack": lambda A, v, **_: np.vstack([A, v]),
    "hstack": lambda A, w, **_: np.hstack([A, w[:, None]]),
    "hstack of vectors": lambda v, w, **_: np.hstack([v, w]),
    "tensordot": lambda A, T, **_: np.tensordot(A, T, axes=([1], [1])),
    "tensordot two axes": lambda T, A, **_: np.tensordot(T, A.T, axes=([0, 1], [1, 0])),
    "tensordot 0": lambda A, w, **_: np.tensordot(A, w, axes=0),
    "tensordot 2": lambda A, **_: np.tensordot(A, A, 2),
    "dot": lambda A, B, **_: np.dot(A, B),
    "dot of vectors": lambda v, **_: np.dot(v, v),
    "dot with a number": lambda s, A, **_: np.dot(s, A),
    "dot of stacks": lambda T, **_: np.dot(T.swapaxes(1, 2), T),
    "inner": lambda A, v, **_: np.inner(A, v),
    "inner of matrices": lambda A, **_: np.inner(A, A),
    "outer": lambda A, w, **_: np.outer(A, w),
    "outer with a constant": lambda w, **_: np.outer(np.array([1, -1]), w),
    "kron": lambda A, B, **_: np.kron(A, B),
    "kron of unequal axes": lambda A, w, **_: np.kron(w, A),
    "trace": lambda S, **_: np.trace(S),
    "trace of a stack": lambda T, **_: np.trace(T, 1, 2, 1),
    "diagonal": lambda S, **_: np.diagonal(S),
    "diagonal above": lambda A, **_: np.diagonal(A, 1),
    "diagonal below": lambda S, **_: np.diagonal(S, -1),
    "diagonal of a stack": lambda T, **_: np.diagonal(T, 0, 0, 2),
    "sum": lambda T, **_: np.sum(T),
    "sum two axes": lambda T, **_: np.sum(T, axis=(0, -1)),
    "sum no axes": lambda A, **_: np.sum(A, axis=()),
    "sum keepdims": lambda T, **_: np.sum(T, axis=1, keepdims=True),
    "sum all keepdims": lambda T, **_: np.sum(T, keepdims=True),
    "mean": lambda A, **_: np.mean(A),
    "mean along an axis": lambda A, **_: A - np.mean(A, axis=1, keepdims=True),
    "mean two axes": lambda T, **_: np.mean(T, axis=(0, 2)),
    "cumsum": lambda T, **_: np.cumsum(T, axis=1),
    "cumsum of all": lambda A, **_: np.cumsum(A),
    "cumsum of a vector": lambda v, **_: np.cumsum(v, -1),
    "reshape": lambda T, **_: np.reshape(T, (4, -1)),
    "ravel": lambda T, **_: np.ravel(T),
    "transpose": lambda T, **_: np.transpose(T, (1, 2, 0)),
    "transpose all": lambda T, **_: np.transpose(T),
    "matrix_transpose": lambda T, **_: np.matrix_transpose(T),
    "swapaxes": lambda T, **_: np.swapaxes(T, 0, -1),
    "moveaxis": lambda T, **_: np.moveaxis(T, 0, -1),
    "moveaxis two": lambda T, **_: np.moveaxis(T, [0, 1], [-1, 0]),
    "expand_dims": lambda A, **_: np.expand_dims(A, (0, 2)),
    "squeeze": lambda Z, **_: np.squeeze(Z),
    "squeeze an axis": lambda N, **_: np.squeeze(N, 0),
    "broadcast_to": lambda N, **_: np.broadcast_to(N, (2, 4, 3)),
    "broadcast_to a vector": lambda s, **_: np.broadcast_to(s, 3),
    "broadcast_arrays": lambda N, w, **_: np.broadcast_arrays(N, w[:, None])[1],
    "repeat": lambda A, **_: np.repeat(A, 2, axis=1),
    "repeat each": lambda A, **_: np.repeat(A, [2, 0, 1], axis=1),
    "repeat all": lambda A, **_: np.repeat(A, 2),
    "tile": lambda A, **_: np.tile(A, 2),
    "tile in front": lambda A, **_: np.tile(A, (2, 1, 3)),
    "tile fewer": lambda T, **_: np.tile(T, (2,)),
    "flip": lambda A, **_: np.flip(A),
    "flip an axis": lambda T, **_: np.flip(T, 1),
    "flip two axes": lambda T, **_: np.flip(T, (0, -1)),
    "roll": lambda A, **_: np.roll(A, 1),
    "roll an axis": lambda A, **_: np.roll(A, -4, axis=1),
    "roll two axes": lambda T, **_: np.roll(T, (1, 2), axis=(0, 1)),
    "roll twice": lambda A, **_: np.roll(A, (1, 1), axis=(1, 1)),
    "pad": lambda A, **_: np.pad(A, 1),
    "pad each": lambda A, **_: np.pad(A, ((0, 2), (1, 0))),
    "pad ones": lambda v, **_: np.pad(v, (1, 2), constant_values=1),
    "pad edge": lambda A, **_: np.pad(A, 2, mode="edge"),
    "pad reflect": lambda A, **_: np.pad(A, ((1, 1), (0, 2)), mode="reflect"),
    "pad wrap": lambda A, **_: np.pad(A, 2, mode="wrap"),
    "pad nothing": lambda A, **_: np.pad(A, 0),
    "take": lambda A, **_: np.take(A, [2, 0, 2], axis=1),
    "take of all": lambda A, **_: np.take(A, [[5, -1], [0, 2]]),
    "take an array": lambda T, **_: np.take(T, np.array([[1, 0], [2, 2]]), axis=1),
    "take one": lambda A, **_: np.take(A, 1, axis=1),
    "split": lambda A, **_: np.split(A, 3, axis=1)[1],
    "split at": lambda v, **_: np.split(v, [1])[1],
    "array_split": lambda v, **_: np.array_split(v, 2)[0],
    "where": lambda A, v, **_: np.where(MASK, A, v),
    "where a constant": lambda A, **_: np.where(MASK, A, -1),
    "tril": lambda S, **_: np.tril(S),
    "triu of a stack": lambda T, **_: np.triu(T, 1),
    "take_along_axis": lambda A, **_: np.take_along_axis(A, np.array([[2, 0], [1, 1]]), axis=1),
    "zeros_like": lambda A, **_: np.zeros_like(A) + A,
    "ones_like": lambda A, **_: np.ones_like(A) * A,
    "shape, ndim, size": lambda T, **_: T * (np.shape(T)[1] + 10 * np.ndim(T) + 100 * np.size(T) + np.size(T, 1)),
    "method mean": lambda T, **_: T.mean(1),
    "method sum": lambda T, **_: T.sum(axis=(0, 1), keepdims=True),
    "method dot": lambda A, B, **_: A.dot(B),
    "method flatten": lambda T, **_: T.flatten(),
    "method ravel": lambda T, **_: T.ravel(),
    "method swapaxes": lambda T, **_: T.swapaxes(0, 1),
    "method squeeze": lambda Z, **_: Z.squeeze(1),
    "method repeat": lambda v, **_: v.repeat(2),
    "method cumsum": lambda A, **_: A.cumsum(axis=0),
    "method trace": lambda S, **_: S.trace(),
    "method diagonal": lambda S, **_: S.diagonal(1),
    "method take": lambda A, **_: A.take([1, 1], axis=0),
    "sliding_window_view": lambda A, **_: np.lib.stride_tricks.sliding_window_view(A, (2, 2)),
    "norm and product": lambda A, B, **_: np.einsum("ij,jk->ik", A - A.mean(0), B) * np.square(A[:, :2]),
}
SUBSCRIPTS = {
    "ij,jk->ik": "AB", "ij,jk": "AB", "ij,kj->ik": "AA", "ij->ji": "A", "ij->": "A", "ij->j": "A", "ii": "S", "ii->i": "S",
    "i,i": "vv", "i,i->i": "vv", "i,j->ji": "vw", "ij,j": "Av", "ij,ij->i": "AA", "ij,ij": "AA", ",ij->ij": "sA",
    "aib,jk->abjk": "TA", "aib,ci->abc": "TA", "aib,aib->ab": "TT", "aib,aic->abc": "TT", "aib,bia->": "TT",
    "ij,jk,kl->il": "ABA", "ij,jk,kl,lm": "ABAB", "i,ij,j->": "wAv", "a,aib,i,b->ib": "wTvw", "...i,i->...": "Tw",
    "...ij,...jk->...ik": "TA", "i...->...i": "T", "...,...": "Av", "a...b->b...": "T", "ij,...": "As", "...ii->...": "S",
    "ij,j->i": "Nv", "xi,xj->ij": "NA", "i j , j k -> k i": "AB", "iji->ij": "T",
}  # fmt: skip


def case(subscripts):
    """A contraction as an output."""
    return lambda **given: np.einsum(subscripts, *(given[name] for name in SUBSCRIPTS[subscripts]))


CASES = NAMES | {f"einsum {subscripts}": case(subscripts) for subscripts in SUBSCRIPTS}
PROBES = ("v", "w", "N")  # the others are parameters


def filled(numbers, shape):
    """An object array of Python numbers, also without axes."""
    out = np.empty(prod(shape), dtype=object)
    out[:] = numbers
    return out.reshape(shape)


class Dual:
    """a + b e, e^2 = 0, of rationals: NumPy computes derivatives with it."""

    def __init__(self, a, b=0):
        self.a, self.b = a, b

    def __add__(self, other):
        other = dual(other)
        return Dual(self.a + other.a, self.b + other.b)

    def __mul__(self, other):
        other = dual(other)
        return Dual(self.a * other.a, self.a * other.b + self.b * other.a)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + dual(other) * -1

    def __rsub__(self, other):
        return dual(other) - self

    def __truediv__(self, number):
        return self * Fraction(1, int(number))

    def __pos__(self):
        return self

    def __pow__(self, power):
        return prod([self] * int(power), start=Dual(1))

    def conjugate(self):
        return self

    __radd__, __rmul__ = __add__, __mul__


def dual(value):
    return value if isinstance(value, Dual) else Dual(value if isinstance(value, Fraction) else Fraction(int(value)))


def parts(array, part):
    """Values or derivatives of an array of dual numbers, constants among them."""
    flat = [getattr(dual(c), part) for c in np.asarray(array, dtype=object).ravel().tolist()]
    return filled(flat, np.shape(array))


def fractions(shapes, seed):
    rng = random.Random(seed)
    draw = lambda: Fraction(rng.randint(-9, 9), rng.randint(1, 4))  # noqa: E731
    return {name: filled([draw() for _ in range(prod(shape))], shape) for name, shape in shapes.items()}


def used(name):
    """The arrays that a case names."""
    names = signature(CASES[name]).parameters if name in NAMES else SUBSCRIPTS[name.removeprefix("einsum ")]
    return {name: SHAPES[name] for name in dict.fromkeys(names) if name in SHAPES}


def residues(array, p=P):
    flat = [c.numerator * pow(c.denominator, -1, p) % p for c in map(Fraction, array.ravel().tolist())]
    return np.array(flat, dtype=np.uint64).reshape(array.shape)


def sparse(array, row=None):
    """An array of residues as a part."""
    place = np.flatnonzero(array)
    return Part(array.shape, None if row is None else np.full(len(place), row), place, array.ravel()[place])


def dense(part):
    """A part of one row as an array."""
    out = np.zeros(prod(part.shape), dtype=np.uint64)
    np.add.at(out, part.place, part.value)
    return out.reshape(part.shape)


class Readings:
    """A program at a point with a direction, and what NumPy itself says of both."""

    def __init__(self, output, shapes, seed=0):
        self.program = record(output, shapes, {})
        self.shapes, self.point, self.direction = shapes, fractions(shapes, seed), fractions(shapes, seed + 1)
        leaves = {name: np.empty(shape, dtype=object) for name, shape in shapes.items()}
        for name, array in leaves.items():
            flat = zip(self.point[name].ravel(), self.direction[name].ravel(), strict=True)
            array.ravel()[:] = [Dual(a, b) for a, b in flat]
        found = output(**leaves)
        self.value, self.slope = parts(found, "a"), parts(found, "b")

    def numbers(self):
        values = self.program.run(Numbers(), self.point)
        assert [node.shape for node in self.program.nodes] == [value.shape for value in values]
        return values[self.program.output]

    def jets(self, algebra, as_leaf):
        leaves = {
            name: {0: as_leaf(residues(self.point[name])), 1: as_leaf(residues(self.direction[name]))}
            for name in self.shapes
        }
        return leaves, algebra.run(self.program, leaves) if hasattr(algebra, "run") else self.program.run(algebra, leaves)

    def polynomials(self):
        first, leaves, point = 0, {}, []
        for name, shape in self.shapes.items():
            leaves[name] = PolynomialArray(shape, Terms.variables(first, prod(shape)))
            first += prod(shape)
            point += self.point[name].ravel().tolist()
        found = self.program.run(Polynomials(), leaves)[self.program.output]
        total = [Fraction(0)] * prod(found.shape)
        for t in range(len(found.terms)):
            factors = [point[var] ** power for var, power in found.terms.monomial(t)]
            total[found.terms.owner[t]] += Fraction(found.terms.coef[t]) * prod(factors)
        return filled(total, found.shape)

    def agree(self):
        """All forward readings, then both reverse sweeps by <C, slope> = <gradient, direction>."""
        assert self.program.shape == self.value.shape
        assert self.numbers().tolist() == self.value.tolist()
        assert self.polynomials().tolist() == self.value.tolist()
        ring, few = Jets(P), SparseJets(P, 1)
        leaves, values = self.jets(ring, lambda array: array[None])
        found = values[self.program.output]
        assert found[0][0].tolist() == residues(self.value).tolist()
        zero = np.zeros((1, *self.value.shape), dtype=np.uint64)
        assert found.get(1, zero)[0].tolist() == residues(self.slope).tolist()
        scattered, short = self.jets(few, sparse)
        for mask in (0, 1):
            part = short[self.program.output].get(mask)
            assert (zero[0] if part is None else dense(part)).tolist() == found.get(mask, zero)[0].tolist()
        self.gradients_agree(ring, few, leaves, values, short)

    def gradients_agree(self, ring, few, leaves, values, short):
        covector = fractions({"": self.value.shape}, 5)[""]
        rows = [value[None] for value in self.program.run(Numbers(), self.point)]
        exact = gradients(ExactRows(), self.program, rows, self.program.output, covector[None])
        paired = sum((exact[name].ravel() @ self.direction[name].ravel() for name in exact), Fraction(0))
        assert paired == (covector.ravel() @ self.slope.ravel() if covector.size else 0)
        seed = residues(covector)
        dense_jets = gradients(ring, self.program, values, self.program.output, {0: seed[None]})
        sparse_jets = gradients(few, self.program, short, self.program.output, {0: sparse(seed, 0)})
        for name, shape in self.shapes.items():
            zero = np.zeros((1, *shape), dtype=np.uint64)
            mine = dense_jets.get(name, {}).get(0, zero)[0]
            assert mine.tolist() == residues(exact[name][0] if name in exact else np.zeros(shape, object)).tolist()
            for mask in (0, 1):
                part = sparse_jets.get(name, {}).get(mask)
                theirs = dense_jets.get(name, {}).get(mask, zero)[0]
                assert (zero[0] if part is None else dense(part)).tolist() == theirs.tolist()


@pytest.mark.parametrize("name", CASES)
def test_every_reading_is_that_of_numpy(name):
    """Numbers, expanded polynomials, jets with one infinitesimal, sparse jets, and both reverse sweeps."""
    output = CASES[name]
    Readings(output, used(name), len(name)).agree()
