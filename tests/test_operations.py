"""NumPy's names on arrays of a model, and the functions of layers: every reading of each against NumPy or PyTorch."""

import json
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
from clexact.programs.characters import Characters, draw_prime
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.jets import Jets
from clexact.programs.network import Network
from clexact.programs.reverse import ExactRows, gradients
from clexact.programs.sparse_jets import ROWS as OWN
from clexact.programs.sparse_jets import Part, SparseJets
from clexact.programs.true_jets import TrueJets
from clexact.proofs import program_certificate
from clexact.proofs.verifier.large import verify_bytes

P = 4194301
SHAPES = {
    "s": (),
    "v": (3,),
    "w": (2,),
    "A": (2, 3),
    "B": (3, 2),
    "S": (3, 3),
    "T": (2, 3, 2),
    "N": (1, 3),
    "Z": (2, 1, 4),
}
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
    "where zero": lambda A, v, **_: np.where([[True], [False]], np.zeros(3, dtype=int), v) + A,
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
    "ij,jk->ik": "AB", "ij,jk": "AB", "ij,kj->ik": "AA", "ij->ji": "A", "ij->": "A", "ij->j": "A", "ii": "S",
    "i,i": "vv", "i,i->i": "vv", "i,j->ji": "vw", "ij,j": "Av", "ij,ij->i": "AA", "ij,ij": "AA", ",ij->ij": "sA",
    "aib,jk->abjk": "TA", "aib,ci->abc": "TA", "aib,aib->ab": "TT", "aib,aic->abc": "TT", "aib,bia->": "TT",
    "ij,jk,kl->il": "ABA", "ij,jk,kl,lm": "ABAB", "i,ij,j->": "wAv", "a,aib,i,b->ib": "wTvw", "...i,i->...": "Tw",
    "...ij,...jk->...ik": "TA", "i...->...i": "T", "...,...": "Av", "a...b->b...": "T", "...ii->...": "S", "ii->i": "S",
    "ij,j->i": "Nv", "xi,xj->ij": "NA", "i j , j k -> k i": "AB", "iji->ij": "T", "ij,...": "As",
}  # fmt: skip


def case(subscripts):
    """A contraction as an output."""
    return lambda **given: np.einsum(subscripts, *(given[name] for name in SUBSCRIPTS[subscripts]))


CASES = NAMES | {f"einsum {subscripts}": case(subscripts) for subscripts in SUBSCRIPTS}


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
    """A program at a point with a direction, and what NumPy itself says of both; with its gates as more arrays.

    Where NumPy has no such function, the values are those of ``Numbers``, which are compared with PyTorch's elsewhere.
    """

    def __init__(self, output, shapes, seed=0, numpy=True):
        self.program = record(output, shapes, {})
        shapes = shapes | {gate.probe: self.program.nodes[gate.source].shape for gate in self.program.gates}
        self.shapes, self.point, self.direction = shapes, fractions(shapes, seed), fractions(shapes, seed + 1)
        leaves = {name: np.empty(shape, dtype=object) for name, shape in shapes.items()}
        for name, array in leaves.items():
            flat = zip(self.point[name].ravel(), self.direction[name].ravel(), strict=True)
            array.ravel()[:] = [Dual(a, b) for a, b in flat]
        found = output(**leaves) if numpy else self.program.run(Numbers(), leaves)[self.program.output]
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
        return self.program.run(algebra, leaves)

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
        values = self.jets(ring, lambda array: array[None])
        found = values[self.program.output]
        assert found[0][0].tolist() == residues(self.value).tolist()
        zero = np.zeros((1, *self.value.shape), dtype=np.uint64)
        assert found.get(1, zero)[0].tolist() == residues(self.slope).tolist()
        short = self.jets(few, sparse)
        for mask in (0, 1):
            part = short[self.program.output].get(mask)
            assert (zero[0] if part is None else dense(part)).tolist() == found.get(mask, zero)[0].tolist()
        self.gradients_agree(ring, few, values, short)

    def without(self, fixed):
        """The derivative in the direction of the parameters alone."""
        leaves = {}
        for name, shape in self.shapes.items():
            zero = name in fixed
            flat = zip(self.point[name].ravel(), self.direction[name].ravel(), strict=True)
            leaves[name] = filled([Dual(a, 0 if zero else b) for a, b in flat], shape)
        return parts(self.program.run(Numbers(), leaves)[self.program.output], "b")

    def gradients_agree(self, ring, few, values, short):
        covector = fractions({"": self.value.shape}, 5)[""]
        rows = [value[None] for value in self.program.run(Numbers(), self.point)]
        exact = gradients(ExactRows(), self.program, rows, self.program.output, covector[None])
        fixed = [name for name in self.shapes if any(gate.probe == name for gate in self.program.gates)]
        moved = self.slope if not fixed else self.without(fixed)
        paired = sum((exact[name].ravel() @ self.direction[name].ravel() for name in exact), Fraction(0))
        assert paired == (covector.ravel() @ moved.ravel() if covector.size else 0)
        seed = residues(covector)
        dense_jets = gradients(ring, self.program, values, self.program.output, {0: seed[None]})
        sparse_jets = gradients(few, self.program, short, self.program.output, {OWN: sparse(seed, 0)})
        for name, shape in self.shapes.items():
            if name in fixed:
                continue
            zero = np.zeros((1, *shape), dtype=np.uint64)
            mine = dense_jets.get(name, {}).get(0, zero)[0]
            assert (
                mine.tolist()
                == residues(exact[name].reshape(shape) if name in exact else np.zeros(shape, object)).tolist()
            )
            for mask in (0, 1):
                part = sparse_jets.get(name, {}).get(mask | OWN)
                theirs = dense_jets.get(name, {}).get(mask, zero)[0]
                assert (zero[0] if part is None else dense(part)).tolist() == theirs.tolist()


@pytest.mark.parametrize("name", CASES)
def test_every_reading_is_that_of_numpy(name):
    """Numbers, expanded polynomials, jets with one infinitesimal, sparse jets, and both reverse sweeps."""
    output = CASES[name]
    Readings(output, used(name), len(name)).agree()


# --- layers ----------------------------------------------------------------------------------------------------------

F = torch.nn.functional
CONVOLUTIONS = [
    # channels, out, space, kernel, batch, options
    (2, 3, (5,), (3,), (), {}),
    (2, 4, (6,), (3,), (2,), {"stride": 2, "padding": 1}),
    (4, 2, (7,), (2,), (), {"dilation": 3, "groups": 2}),
    (1, 1, (1,), (1,), (1,), {}),
    (2, 2, (1,), (3,), (), {"padding": 1}),
    (2, 3, (4, 5), (3, 2), (), {"padding": (1, 0)}),
    (4, 4, (4, 4), (2, 2), (2,), {"groups": 4, "stride": (2, 1)}),
    (2, 2, (5, 4), (2, 2), (), {"dilation": (2, 1), "padding": 2, "stride": 3}),
    (2, 1, (3, 3, 2), (2, 2, 2), (), {}),
    (2, 2, (2, 3, 3), (2, 1, 3), (2,), {"padding": (1, 0, 1), "stride": (1, 2, 1), "groups": 2}),
]


def convolution(n, transposed):
    """Shapes, an output, and PyTorch's: of case n."""
    channels, out, space, kernel, batch, options = CONVOLUTIONS[n]
    groups, d = options.get("groups", 1), len(space)
    W = (channels, out // groups, *kernel) if transposed else (out, channels // groups, *kernel)
    shapes = {"x": (*batch, channels, *space), "W": W}
    mine = functions.convolve_transposed if transposed else functions.convolve
    theirs = getattr(F, f"conv_transpose{d}d" if transposed else f"conv{d}d")
    return shapes, lambda x, W: mine(x, W, **options), lambda x, W: theirs(x, W, **options)


LAYERS = {
    **{f"convolve {n}": convolution(n, False) for n in range(len(CONVOLUTIONS))},
    **{f"convolve_transposed {n}": convolution(n, True) for n in range(len(CONVOLUTIONS))},
    "convolve_transposed longer": (
        {"x": (2, 3, 2), "W": (2, 1, 3, 3)},
        lambda x, W: functions.convolve_transposed(x, W, stride=3, output_padding=(1, 2), padding=1),
        lambda x, W: F.conv_transpose2d(x, W, stride=3, output_padding=(1, 2), padding=1),
    ),
    "windows": (
        {"x": (2, 7)},
        lambda x: functions.windows(x, 3, stride=2, axes=1),
        lambda x: x.unfold(1, 3, 2),
    ),
    "windows of two axes": (
        {"x": (2, 4, 5)},
        lambda x: functions.windows(x, (2, 3)),
        lambda x: x.unfold(1, 2, 1).unfold(2, 3, 1),
    ),
    "windows of another order of axes": (
        {"x": (4, 5)},
        lambda x: functions.windows(x, (3, 2), axes=(1, 0)),
        lambda x: x.unfold(1, 3, 1).unfold(0, 2, 1),
    ),
    "windows with gaps": (
        {"x": (6,)},
        lambda x: functions.windows(x, (2,), dilation=3),
        lambda x: torch.stack([x[:3], x[3:]], -1),
    ),
    "average_pool": (
        {"x": (2, 4, 5)},
        lambda x: functions.average_pool(x, (2, 2)),
        lambda x: F.avg_pool2d(x, 2),
    ),
    "average_pool overlapping": (
        {"x": (2, 6)},
        lambda x: functions.average_pool(x, (3,), stride=1),
        lambda x: F.avg_pool1d(x, 3, 1),
    ),
    "max_pool": ({"x": (2, 4, 4)}, lambda x: functions.max_pool(x, (2, 2)), lambda x: F.max_pool2d(x, 2)),
    "max_pool overlapping": (
        {"x": (1, 2, 5)},
        lambda x: functions.max_pool(x, 3, 2, axes=-1),
        lambda x: F.max_pool1d(x, 3, 2),
    ),
    "max_pool of one": ({"x": (1, 2)}, lambda x: functions.max_pool(x, 1, axes=1), lambda x: x),
    "embedding": (
        {"x": (4, 3)},
        lambda x: functions.embedding(x, [[0, 3, 3], [1, 0, 1]]),
        lambda x: F.embedding(torch.tensor([[0, 3, 3], [1, 0, 1]]), x),
    ),
    "upsample": (
        {"x": (2, 3, 2)},
        lambda x: functions.upsample(x, (2, 3)),
        lambda x: F.interpolate(x[None], scale_factor=(2, 3))[0],
    ),
    "pixel_shuffle": (
        {"x": (2, 8, 2, 3)},
        lambda x: functions.pixel_shuffle(x, 2),
        lambda x: F.pixel_shuffle(x, 2),
    ),
    "channel_shuffle": (
        {"x": (6, 2)},
        lambda x: functions.channel_shuffle(x, 3),
        lambda x: F.channel_shuffle(x[None], 3)[0],
    ),
    "channel_shuffle of a batch": (
        {"x": (2, 6, 2)},
        lambda x: functions.channel_shuffle(x, 2, axis=1),
        lambda x: F.channel_shuffle(x, 2),
    ),
    "abs": ({"x": (2, 3)}, lambda x: np.abs(x) + abs(x) + np.fabs(x), lambda x: 3 * x.abs()),
    "maximum with zero": ({"x": (2, 3)}, lambda x: np.maximum(x, 0), torch.relu),
    "maximum with zero first": ({"x": (2, 3)}, lambda x: np.maximum(0, x), torch.relu),
    "maximum with a number": ({"x": (2, 3)}, lambda x: np.maximum(x, 2), lambda x: x.clamp(min=2)),
    "maximum with zeros that broadcast": (
        {"x": (3,)},
        lambda x: np.maximum(x, np.zeros((2, 1), dtype=int)),
        lambda x: torch.relu(x).expand(2, 3),
    ),
    "maximum of two": ({"x": (2, 3), "W": (3,)}, lambda x, W: np.maximum(x, W), torch.maximum),
    "minimum of two": ({"x": (2, 3), "W": (3,)}, lambda x, W: np.minimum(x, W), torch.minimum),
    "minimum with zero": ({"x": (2, 3)}, lambda x: np.minimum(x, 0), lambda x: x.clamp(max=0)),
    "max": ({"x": (2, 3)}, lambda x: np.max(x), torch.amax),
    "max along an axis": ({"x": (2, 3, 2)}, lambda x: x.max(axis=1), lambda x: x.amax(1)),
    "max of two axes": (
        {"x": (2, 3, 2)},
        lambda x: np.max(x, axis=(0, -1), keepdims=True),
        lambda x: x.amax((0, 2), keepdim=True),
    ),
    "min": ({"x": (2, 3)}, lambda x: np.min(x, axis=0), lambda x: x.amin(0)),
    "einsum of attention": (
        {"x": (2, 3, 4), "W": (2, 4, 2)},
        lambda x, W: np.einsum("hnd,hdk,hmd->hknm", x, W, x),
        lambda x, W: torch.einsum("hnd,hdk,hmd->hknm", x, W, x),
    ),
    "cumsum, tile, roll": (
        {"x": (2, 3)},
        lambda x: np.roll(np.tile(np.cumsum(x, 1) * x, (2, 2)), 1, 0),
        lambda x: (torch.cumsum(x, 1) * x).tile(2, 2).roll(1, 0),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_those_of_pytorch(name):
    """Values and gradients at a rational point, with the true gates, against float64 and autograd."""
    shapes, output, theirs = LAYERS[name]
    model = clexact.Model(shapes, {}, output)
    point = fractions(shapes, 3 + len(name))
    network = Network(model, [c for array in point.values() for c in array.ravel().tolist()])
    values, _ = network.values({})
    tensors = {key: torch.tensor(array.astype(float), requires_grad=True) for key, array in point.items()}
    expected = theirs(*tensors.values())
    assert model.program.shape == tuple(expected.shape)
    np.testing.assert_allclose(values[model.program.output].astype(float), expected.detach(), rtol=1e-12)
    jacobian = network.jacobian(values, model.program.output).astype(float)
    for row, entry in zip(jacobian, expected.ravel(), strict=True):
        found = torch.autograd.grad(entry, list(tensors.values()), retain_graph=True, allow_unused=True)
        flat = [torch.zeros(t.shape) if g is None else g for g, t in zip(found, tensors.values(), strict=True)]
        np.testing.assert_allclose(row, torch.cat([g.ravel() for g in flat]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_every_reading_of_layers(name):
    """Their gates free."""
    shapes, output, _ = LAYERS[name]
    Readings(output, shapes, len(name), numpy=False).agree()


# --- walks -----------------------------------------------------------------------------------------------------------

WALKED = {name: (used(name), CASES[name]) for name in CASES} | {name: LAYERS[name][:2] for name in LAYERS}


@pytest.mark.parametrize("name", WALKED)
def test_walks_move_their_coordinates(name):
    """The seeds of a walk are a member that moves the coordinate it set out from; most coordinates find one."""
    shapes, output = WALKED[name]
    flow = clexact.gradient_flow(clexact.Model(shapes, {}, output))
    draws, point = Draws(7), np.arange(2, 2 + flow.dimension, dtype=np.uint64) ** 3
    reached = flow.monomial_paths(point > 0, draws).touching(np.arange(flow.dimension), False)
    seeds = np.zeros((1, len(reached.walk), flow.seed_size), dtype=np.uint64)
    gates = bool(flow.model.program.gates)  # free ones that are 1 may cancel, as in last + c (z - last)
    values = draws.residues((len(reached.seeds.place),), P - 1) + 1 if gates else 1
    seeds[0, reached.seeds.rows, reached.seeds.place] = values
    moved = values_at(flow, seeds, point, P)
    assert all(moved[row, coordinate] for row, coordinate in enumerate(reached.walk.tolist()))
    general = values_at(flow, draws.residues((1, 6, flow.seed_size), P), point, P)
    moving = set(np.flatnonzero(general.any(axis=0)).tolist())
    assert set(reached.walk.tolist()) <= moving
    assert len(reached.walk) >= 0.7 * len(moving)


# --- shapes at random ------------------------------------------------------------------------------------------------

FEW = settings(max_examples=40, deadline=None, derandomize=True)
sizes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


def agree(output, shape):
    Readings(output, {"a": shape}, sum(shape)).agree()


@FEW
@given(sizes, st.data())
def test_axes_of_any_shape(shape, data):
    """Sums, means, flips, rolls, pads, cumulative sums and repetitions along axes drawn."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    axes = tuple(data.draw(st.lists(st.sampled_from(range(len(shape))), unique=True)))
    shift, keep = data.draw(st.integers(-4, 4)), data.draw(st.booleans())
    width = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    mode = data.draw(st.sampled_from(["constant", "edge", "reflect", "wrap", "symmetric"]))
    pads = [width if n == axis % len(shape) else (0, 0) for n in range(len(shape))]
    agree(lambda a: np.sum(a * a, axis=axes, keepdims=keep), shape)
    agree(lambda a: np.mean(np.flip(a, axes), axis=axis, keepdims=keep), shape)
    agree(lambda a: np.cumsum(np.roll(a, shift, axis), axis=axis), shape)
    agree(lambda a: np.repeat(np.moveaxis(a, axis, 0), 2, axis=-1), shape)
    agree(lambda a: np.pad(a, pads, mode=mode), shape)
    agree(lambda a: np.stack([a, a * 2], axis=axis), shape)


@FEW
@given(st.data())
def test_contractions_of_any_subscripts(data):
    """Two or three operands of letters with sizes 1 to 3, repeated letters and size-1 axes that repeat included."""
    size = {letter: data.draw(st.integers(1, 3)) for letter in "abcd"}
    words = data.draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    output = data.draw(st.permutations(sorted(set("".join(words)))))[: data.draw(st.integers(0, 3))]
    subscripts = f"{','.join(words)}->{''.join(output)}"
    single = data.draw(st.sampled_from([None, *(n for n, word in enumerate(words) if len(set(word)) == len(word))]))
    shapes = {f"x{n}": tuple(size[letter] for letter in word) for n, word in enumerate(words)}
    if single is not None and all(word in "".join(words[:single] + words[single + 1 :]) for word in words[single]):
        shapes[f"x{single}"] = (1,) * len(words[single])
    Readings(lambda **given: np.einsum(subscripts, *given.values()), shapes, 1).agree()


EMPTY = {
    "concatenate": lambda A: np.concatenate([A[:, 3:], A], axis=1),
    "sum of none": lambda A: A[:, 3:].sum(1) + A[:, 0],
    "product over none": lambda A: A[:, 3:] @ A[2:].T.reshape(0, 4) + A[0, 0],
    "dot of nothing": lambda A: A[:, 0] * np.dot(A[0, 3:], A[1, 3:]),
    "einsum over nothing": lambda A: np.einsum("ij,kj->ik", A[:, 3:], A[:, 3:]) + A[:, :2],
    "stack of nothing": lambda A: np.concatenate([np.stack([A[2:], A[2:]]).ravel(), A[0]]),
    "cumsum of nothing": lambda A: np.concatenate([np.cumsum(A[0, 3:]), A[0]]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(name):
    """As NumPy: what has no entries adds zeros."""
    readings = Readings(EMPTY[name], {"A": (2, 3)}, 1)
    readings.agree()
    flow = clexact.gradient_flow(clexact.Model({"A": (2, 3)}, {}, EMPTY[name]))
    assert clexact.certify(flow).lower == clexact.certify(flow).upper


# --- analytic functions, several outputs, embeddings -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("numpy", "ours"),
    [
        (np.tanh, functions.tanh),
        (np.exp, functions.exp),
        (np.reciprocal, functions.reciprocal),
        (np.abs, functions.absolute),
        (lambda z: np.maximum(z, 0), functions.relu),
    ],
)
def test_functions_by_their_numpy_names(numpy, ours):
    """The same program."""
    made = [record(lambda A, each=each: each(A + 1), {"A": (2, 3)}, {}) for each in (numpy, ours)]
    assert made[0].digest == made[1].digest and made[0].gates == made[1].gates


def test_several_outputs_are_one_vector():
    """The entries one after another, of nested lists and tuples; one array keeps its shape."""
    shapes = {"A": (2, 3), "v": (3,), "s": ()}
    outputs = [lambda A, v, s: [A, (v, [s * 2])], lambda A, v, s: np.concatenate([A.ravel(), v, (s * 2).reshape(1)])]
    nested, joined = (record(output, shapes, {}) for output in outputs)
    assert nested.shape == (10,) and nested.several and not joined.several
    values = [program.run(Numbers(), fractions(shapes, 1))[program.output].tolist() for program in (nested, joined)]
    assert values[0] == values[1]
    assert record(lambda A, v, s: (A,), shapes, {}).shape == (6,)
    assert record(lambda A, v, s: A, shapes, {}).shape == (2, 3)


def test_cross_entropy_of_several_outputs_is_refused():
    """Their classes would be mixed."""
    model = clexact.Model({"A": (2, 3)}, {"x": (3,)}, lambda A, x: (A @ x, A[0] * x))
    assert clexact.certify(clexact.gradient_flow(model)).lower == 0
    with pytest.raises(ValueError, match="cross_entropy needs one output, not several"):
        clexact.gradient_flow(model, "cross_entropy")


@pytest.mark.parametrize("padding", [0, [3, -1]], ids=str)
def test_the_row_of_padding_has_no_gradient(padding):
    """Values and gradients of PyTorch's embedding whose row of padding holds this."""
    tokens = [[0, 2], [1, 2]]
    model = clexact.Model(
        {"E": (3, 2), "w": (2,)}, {}, lambda E, w: functions.embedding(E, tokens, padding_idx=-1, padding=padding) @ w
    )
    point = fractions({"E": (3, 2), "w": (2,)}, 2)
    point["E"][2] = padding
    network = Network(model, [c for array in point.values() for c in array.ravel().tolist()])
    values, _ = network.values({})
    E, w = (torch.tensor(array.astype(float), requires_grad=True) for array in point.values())
    expected = F.embedding(torch.tensor(tokens), E, padding_idx=2) @ w
    assert values[model.program.output].astype(float).tolist() == pytest.approx(expected.detach().numpy())
    jacobian = network.jacobian(values, model.program.output).astype(float)
    for row, entry in zip(jacobian, expected.ravel(), strict=True):
        found = torch.autograd.grad(entry, [E, w], retain_graph=True)
        np.testing.assert_allclose(row, torch.cat([g.ravel() for g in found]), rtol=1e-12)


def test_the_row_of_padding_is_conserved():
    """Its d entries, besides what the same table without padding conserves."""

    def lower(**options):
        output = lambda E, w, x: functions.embedding(E, [0, 1, 2], **options) @ w * x  # noqa: E731
        return clexact.certify(clexact.gradient_flow(clexact.Model({"E": (3, 2), "w": (2,)}, {"x": (3,)}, output)))

    assert [lower().lower, lower().upper] == [3, 3]  # E^T E - w w^T
    assert [lower(padding_idx=2).lower, lower(padding_idx=2).upper] == [5, 5]


def test_analytic_functions_of_rearranged_arrays():
    """Residues through convolutions, pads, joins and contractions are those of the same sums written out."""
    shapes, probes = {"W": (2, 1, 2), "U": (2, 3)}, {"x": (1, 2)}

    def layers(W, U, x):
        h = np.tanh(functions.convolve(np.flip(x, 1), W, padding=1))
        return np.einsum("ct,ct->t", U, np.concatenate([h[:, 1:], h[:, :1]], axis=1))

    def written(W, U, x):
        y = [x[0, 1] * W[:, 0, 1], x[0, 1] * W[:, 0, 0] + x[0, 0] * W[:, 0, 1], x[0, 0] * W[:, 0, 0]]
        return np.stack([U[:, t] @ functions.tanh(y[(t + 1) % 3]) for t in range(3)])

    ring, draws = TrueJets(Characters(draw_prime(Draws(0), 22))), Draws(1)
    leaves = {name: {0: draws.residues((5, *shape), 2**20)} for name, shape in (shapes | probes).items()}
    programs = [clexact.Model(shapes, probes, output).program for output in (layers, written)]
    first, second = (program.run(ring, leaves)[program.output][0] for program in programs)
    assert first.shape == (5, 3) and first.all() and first.tolist() == second.tolist()


CERTIFIED = {
    "convolution": (
        {"W": (4, 1, 2), "b": (4, 1), "U": (2, 4)},
        {"x": (2, 2, 3)},
        lambda W, b, U, x: U @ np.maximum(functions.convolve(x, W, groups=2) + b, 0),
    ),
    "pooling": (
        {"W": (2, 1, 2, 2), "U": (2, 2)},
        {"x": (1, 3, 3)},
        lambda W, U, x: U @ functions.max_pool(functions.convolve(x, W, padding=1), (2, 2)).mean((1, 2)),
    ),
    "embedding": (
        {"E": (3, 2), "P": (2, 2), "U": (2, 2)},
        {"x": (2,)},
        lambda E, P, U, x: (functions.embedding(E, [2, 0], padding_idx=1) + np.flip(P, 0)) @ U * x[:, None],
    ),
    "einsum": (
        {"Q": (2, 3, 1), "K": (2, 3, 1), "V": (3, 2)},
        {"X": (2, 3)},
        lambda Q, K, V, X: np.einsum("nd,hdk,hek,me,mf,fv->nv", X, Q, K, X, X, V),
    ),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_certificates_of_composed_operations(name):
    """The verifier, which knows the few operations alone, accepts the counts."""
    count = clexact.certify(clexact.gradient_flow(clexact.Model(*CERTIFIED[name])))
    assert 0 < count.lower == count.upper
    status, said = verify_bytes(json.dumps(program_certificate.of_count(count)).encode(), None)
    assert status == 0, said


# --- refusals --------------------------------------------------------------------------------------------------------

NO_SUCH_NAME = {
    "np.sinh is not defined on arrays of a model; no exact residues of it are known; the analytic functions": (
        lambda A: np.sinh(A)
    ),
    "np.log2 is not defined on arrays of a model; no exact residues": lambda A: np.log2(A),
    "np.linalg.inv is not defined on arrays of a model; clexact.functions.reciprocal inverts entries": lambda A: (
        np.linalg.inv(A)
    ),
    "np.greater is not defined on arrays of a model; a model may not branch": lambda A: np.array([1, 2, 3]) > A,
    "np.argmax is not defined": lambda A: np.argmax(A),
    "np.clip is not defined on arrays of a model; np.minimum and": lambda A: np.clip(A, 0, 1),
    "np.add.reduce is not defined": lambda A: np.add.reduce(A),
    "np.fft.fft is not defined on arrays of a model": lambda A: np.fft.fft(A),
    "np.sum on arrays of a model: got an unexpected keyword argument 'dtype'": lambda A: np.sum(A, dtype=float),
    "np.add on arrays of a model: .*'out'": lambda A: np.add(A, 1, out=A),
    "np.stack joins arrays": lambda A: np.array([A, A]),
    "a power must be an integer, or half of one, not an array": lambda A: np.power(2, A),
    "a power must be an integer, or half of one, not 0.3": lambda A: A**0.3,
    "the condition of np.where must be constant": lambda A: np.where(A, A, 0),
    "the indices of take must be constant": lambda A: np.take(A, A),
    "einsum of arrays of a model takes its subscripts as one string": lambda A: np.einsum(A, [0, 1]),
    "a constant of a model": lambda A: np.add(A, 0.5),
    "tokens must be constant integers; tokens that vary are probes": lambda A: functions.embedding(A, A[0]),
    "tokens must be integers, not of type float64": lambda A: functions.embedding(A, [0.5]),
    "stride must be an integer": lambda A: functions.convolve(A, A[:, :, None], stride=True),
    "expected an array of a model": lambda A: functions.windows(3, 2),
    "a convolution takes at least one array": lambda A: functions.convolve(np.eye(2), np.eye(2)),
}


@pytest.mark.parametrize("said", NO_SUCH_NAME)
def test_a_name_without_a_meaning_names_what_replaces_it(said):
    """TypeError in one sentence."""
    with pytest.raises(TypeError, match=said) as caught:
        record(NO_SUCH_NAME[said], {"A": (2, 3)}, {})
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


WRONG_SIZES = {
    "contracts axes of different sizes": lambda A: np.tensordot(A, A, 1),
    "axes named j have different sizes, 2 and 3": lambda A: np.einsum("ij,jk->ik", A, A),
    "names 2 operands, not 1": lambda A: np.einsum("ij,jk", A),
    "no subscripts 'ijk' of 2 axes": lambda A: np.einsum("ijk->i", A),
    "each letter of its result once": lambda A: np.einsum("ij->ii", A),
    "in an operand": lambda A: np.einsum("ij->k", A),
    "keeps no axes of its ellipsis": lambda A: np.einsum("...j->j", A),
    "axes named i have different sizes": lambda A: np.einsum("ii", A),
    "no entries have no mean": lambda A: A[:, 3:].mean(),
    "arrays of one shape": lambda A: np.stack([A, A[0]]),
    "3 entries do not make 2 equal parts": lambda A: np.split(A, 2, axis=1),
    "modes of pad": lambda A: np.pad(A, 1, mode="mean"),
    "widths of pad": lambda A: np.pad(A, -1),
    "equally many axes": lambda A: np.moveaxis(A, [0, 1], 0),
    "out of bounds": lambda A: np.sum(A, axis=2),
    "ZeroDivisionError: a division by the constant 0": lambda A: A / np.array([1, 0, 1]),
    "failed: ZeroDivisionError: a division by the constant 0": lambda A: A / A.symbol([1, 2, 0]),
    "1 / sqrt is taken of -2: a positive number is expected": lambda A: A * A.symbol(-2) ** 0.5,
    "1 / sqrt is taken of 0: a positive number is expected": lambda A: A * np.sqrt(A.symbol([1, 0, 4])),
    "1 / sqrt is taken of -1/3": lambda A: A * functions.rsqrt(A.symbol(Fraction(-1, 3))),
    "approximate must be 'none' or 'tanh', not 'erf'": lambda A: functions.gelu(A, approximate="erf"),
    "kernel of size 3 does not fit an input of length 2": lambda A: functions.convolve(A[:, :2], A[None]),
    "does not convolve 2 channels in 1 groups": lambda A: functions.convolve(A, A[:, :1, None]),
    "does not convolve 2 channels in 3 groups": lambda A: functions.convolve(A, A[:, :1, None], groups=3),
    "a kernel of 1 to 3 axes": lambda A: functions.convolve(A, A),
    "one for each of 1 dimensions": lambda A: functions.convolve(A, A[:, :, None], stride=(1, 2)),
    "padding must be at least 0": lambda A: functions.convolve(A, A[:, :, None], padding=-1),
    "groups must be at least 1": lambda A: functions.convolve(A, A[:, :, None], groups=0),
    "does not convolve 2 channels in 1": lambda A: functions.convolve_transposed(A, A[:1, :, None]),
    "check its paddings": lambda A: functions.convolve_transposed(A, A[:, :, None], padding=2),
    "does not say along which axes": lambda A: functions.max_pool(A, 2),
    "a window of length 4 does not fit an axis of length 3": lambda A: functions.average_pool(A, (4,)),
    "tokens must be integers from 0 to 1, not 0 to 2": lambda A: functions.embedding(A, [0, 2]),
    "number of one of 2 rows, not 2": lambda A: functions.embedding(A, [0], padding_idx=2),
    "channels \\* 4, height, width": lambda A: functions.pixel_shuffle(A[None], 2),
    "2 channels do not fall in 3 equal groups": lambda A: functions.channel_shuffle(A, 3),
}  # fmt: skip


@pytest.mark.parametrize("said", WRONG_SIZES)
def test_wrong_sizes_are_refused(said):
    """ValueError in one sentence."""
    with pytest.raises(ValueError, match=said) as caught:
        record(WRONG_SIZES[said], {"A": (2, 3)}, {})
    assert "\n" not in str(caught.value)
