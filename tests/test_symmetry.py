"""Laws that the shape of a program proves: never false, and all quadratic laws where theory says so."""

import random
from itertools import pairwise

import numpy as np
import pytest
from oracles import (
    Net,
    as_element,
    block,
    coefficient_rows,
    dense_laws,
    filled,
    gradient_rank,
    is_law,
    join,
    layered,
    random_net,
    random_point,
    rank,
    same_span,
)

import clexact
from clexact.laws.polynomial_laws import proposed_laws


def net(parameters, probes, output):
    """Short for Net."""
    return Net(parameters, probes, output)


LINEAR = [[2, 3], [1, 1, 2], [2, 1, 1], [2, 1, 2], [2, 2, 2], [2, 3, 2], [1, 4, 2], [2, 1, 2, 2], [2, 2, 2, 2]]
RELU = [[1, 1, 1], [2, 2, 2], [1, 3, 1], [2, 3, 1], [2, 2, 2, 1], [1, 2, 1, 2]]
HEAD = {"Q": (2, 2), "K": (2, 2)}
TRIANGLE = np.array([[1, 0], [1, 1]])
ZEROS = np.zeros((1, 2), dtype=int)

# Every quadratic law of these is proved by their shapes.
COMPLETE = (
    {f"linear {dims}": layered(dims) for dims in LINEAR}
    | {f"relu {dims}": layered(dims, gates=True) for dims in RELU}
    | {f"relu {dims} with bias": layered(dims, gates=True, bias=True) for dims in RELU}
    | {
        "relu with bias on the output": layered([2, 2, 2], gates=True, bias=True, output_bias=True),
        "linear with bias on the output": layered([2, 2, 2], output_bias=True),
        "linear with bias everywhere": layered([2, 2, 2], bias=True, output_bias=True),
        "neuron": net({"u": (2,), "v": (2,)}, {"x": (2,)}, lambda u, v, x: u * (v @ x) ** 3),
        "product": net({"x": (4,)}, {}, lambda x: x[0] * x[1] * x[2] * x[3]),
        "scores": net(HEAD, {"X": (2, 2)}, lambda Q, K, X: (X @ Q) @ (X @ K).T),
        "head": net(
            {**HEAD, "V": (2, 1), "P": (1, 2)},
            {"x": (2,), "y": (2,), "z": (2,)},
            lambda Q, K, V, P, x, y, z: join([block((Q.T @ x) @ (K.T @ y)), P.T @ (V.T @ z)]),
        ),
        "grouped queries": net(
            {"Q": (2, 2, 2), "K": (2, 2)}, {"x": (2,), "y": (2,)}, lambda Q, K, x, y: (x @ Q) @ (K.T @ y)
        ),
        "bilinear gated unit": net(
            {"u": (2, 2), "a": (2, 2), "b": (2, 2)}, {"x": (2,)}, lambda u, a, b, x: u @ ((a @ x) * (b @ x))
        ),
        "gated unit of order 2": net(
            {"u": (1,), "a": (2,), "b": (2,)},
            {"x": (2,)},
            lambda u, a, b, x: join([u * (a @ x) * (b @ x), u * (a @ x) * (b @ x) ** 2]),
        ),
        "depthwise scaling": net({"a": (3,), "b": (3,)}, {"x": (3,)}, lambda a, b, x: a * (b * x)),
        "outer product": net({"a": (2,), "b": (3,)}, {}, lambda a, b: a[:, None] * b[None, :]),
        "outer product of three": net(
            {"a": (2,), "b": (2,), "c": (2,)}, {}, lambda a, b, c: a[:, None, None] * b[:, None] * c
        ),
    }
)

# These share weights, add, cut and paste; their shapes may prove fewer laws than there are, never a false one.
OTHERS = {
    "U U^T": net({"U": (2, 3)}, {"x": (2,)}, lambda U, x: U @ (U.T @ x)),
    "U^T U": net({"U": (2, 2)}, {"x": (2,)}, lambda U, x: U.T @ (U @ x)),
    "U U": net({"U": (2, 2)}, {"x": (2,)}, lambda U, x: U @ (U @ x)),
    "A W W B": net({"A": (1, 2), "W": (2, 2), "B": (2, 1)}, {}, lambda A, W, B: A @ W @ W @ B),
    "A (W + W^T) B": net({"A": (1, 2), "W": (2, 2), "B": (2, 1)}, {}, lambda A, W, B: A @ (W + W.T) @ B),
    "A W A^T": net({"A": (2, 2), "W": (2, 2)}, {}, lambda A, W: A @ W @ A.T),
    "A W^T W A^T": net({"A": (1, 2), "W": (2, 2)}, {}, lambda A, W: A @ W.T @ W @ A.T),
    "U V^T and V shared": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: join([U @ V.T, V])),
    "U V^T and U W^T": net({"U": (2, 2), "V": (1, 2), "W": (1, 2)}, {}, lambda U, V, W: join([U @ V.T, U @ W.T], 1)),
    "U V^T + W V^T": net({"U": (2, 2), "V": (2, 2), "W": (2, 2)}, {}, lambda U, V, W: U @ V.T + W @ V.T),
    "U (V + W)": net({"U": (2, 2), "V": (2, 2), "W": (2, 2)}, {}, lambda U, V, W: U @ (V + W)),
    "U (V + I)": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (V + np.eye(2, dtype=int))),
    "residual": net({"U": (2, 2), "V": (2, 2)}, {"x": (2,)}, lambda U, V, x: x + U @ (V @ x)),
    "residual twice": net(
        {"U": (2, 1), "V": (1, 2), "A": (2, 1), "B": (1, 2)},
        {"x": (2,)},
        lambda U, V, A, B, x: (x + U @ (V @ x)) + A @ (B @ (x + U @ (V @ x))),
    ),
    "residual with gates": net(
        {"U": (2, 2), "V": (2, 2)}, {"x": (2,), "g": (2,)}, lambda U, V, x, g: x + U @ (g * (V @ x))
    ),
    "residual in the middle": net(
        {"U": (2, 2), "V": (2, 2), "E": (2, 2), "F": (2, 2)},
        {"x": (2,)},
        lambda U, V, E, F, x: F @ (E @ x + U @ (V @ (E @ x))),
    ),
    "gate shared by two units": net(
        {"U": (2, 4), "V": (4, 2)}, {"x": (2,), "g": (2,)}, lambda U, V, x, g: U @ (join([g, g]) * (V @ x))
    ),
    "one gate for all": net({"U": (2, 2), "V": (2, 2)}, {"x": (2,), "g": ()}, lambda U, V, x, g: U @ (g * (V @ x))),
    "gate of one entry": net({"U": (2, 2), "V": (2, 2)}, {"x": (2,), "g": (1,)}, lambda U, V, x, g: U @ (g * (V @ x))),
    "scalar parameter between": net(
        {"U": (2, 2), "s": (), "V": (2, 2)}, {"x": (2,)}, lambda U, s, V, x: U @ (s * (V @ x))
    ),
    "diagonal between": net({"U": (2, 2), "s": (2,), "V": (2, 2)}, {"x": (2,)}, lambda U, s, V, x: U @ (s * (V @ x))),
    "constant mask between": net({"U": (2, 3), "V": (3, 2)}, {}, lambda U, V: U @ (np.array([[1], [1], [0]]) * V)),
    "constant matrix between": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (np.array([[1, 2], [0, 1]]) @ V)),
    "slices of one matrix": net({"W": (4, 2)}, {"x": (2,)}, lambda W, x: W[:2] @ W[2:] @ x),
    "halves joined": net({"U": (2, 1), "W": (2, 1), "V": (2, 2)}, {}, lambda U, W, V: join([U, W], 1) @ V),
    "rows reversed": net({"U": (2, 3), "V": (3, 2)}, {}, lambda U, V: U[:, ::-1] @ V),
    "flattened": net({"U": (2, 2), "V": (4,)}, {}, lambda U, V: U.reshape(4) @ V),
    "flattened and scaled": net({"U": (2, 2), "V": (4,)}, {}, lambda U, V: U.reshape(4)[:, None] * V[None]),
    "reshaped to other rows": net({"U": (2, 3), "V": (2, 2)}, {}, lambda U, V: U.reshape(3, 2) @ V),
    "reshaped through ones": net({"U": (2, 3), "V": (3, 2)}, {}, lambda U, V: (U.reshape(2, 1, 3) @ V).reshape(2, 2)),
    "square reshaped to itself": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U.reshape(1, 2, 2) @ V),
    "heads cut by reshape": net(
        {"Q": (2, 4), "K": (2, 4)},
        {"x": (2,), "y": (2,)},
        lambda Q, K, x, y: ((x @ Q).reshape(2, 2) * (y @ K).reshape(2, 2)).sum(axis=1),
    ),
    "transposed stacks": net(
        {"Q": (2, 2, 2), "K": (2, 2, 2)}, {}, lambda Q, K: Q @ K.transpose(0, 2, 1)
    ),
    "transposed across the stack": net({"Q": (2, 2, 2), "K": (2, 2, 2)}, {}, lambda Q, K: Q @ K.transpose(2, 1, 0)),
    "stack of one": net({"Q": (1, 2, 2), "K": (2, 2, 2)}, {}, lambda Q, K: Q @ K),
    "sum over the contracted axis": net({"U": (2, 3), "V": (3, 2)}, {}, lambda U, V: U.sum(1) * V.sum(0)),
    "sum of products": net({"U": (2, 3), "V": (3, 2)}, {}, lambda U, V: (U * V.T).sum(axis=1)),
    "sum of all": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: (U @ V).sum()),
    "mean of rows": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (V - V.sum(axis=0) / 2)),
    "sizes of one": net({"u": (1, 1), "v": (1, 1)}, {"x": (1,)}, lambda u, v, x: u @ (v @ x)),
    "broadcast column": net({"U": (2, 1), "V": (2, 2)}, {}, lambda U, V: U * V),
    "broadcast column contracted": net({"U": (2, 1), "V": (2, 2), "W": (2, 2)}, {}, lambda U, V, W: (U + V) @ W),
    "broadcast row contracted": net({"U": (1, 2), "V": (2, 2), "W": (2, 2)}, {}, lambda U, V, W: (U * V) @ W),
    "power of a product": net({"U": (1, 2), "V": (2, 1)}, {}, lambda U, V: (U @ V) ** 2),
    "powers mixed": net({"u": (), "v": ()}, {}, lambda u, v: u * v + (u * v) ** 2 + u**2 * v),
    "power 0": net({"u": (2,), "v": (2,)}, {}, lambda u, v: u * v**0 + v * 0),
    "cancellation": net({"u": (2,), "v": (2,)}, {}, lambda u, v: u * v + u - u),
    "zero constant inside": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (np.array([[1, 0], [0, 0]]) * V)),
    "zeros added": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (V + 0)),
    "ones added": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U @ (V + 1)),
    "idle parameter": net({"U": (2, 2), "V": (2, 2), "idle": (2, 2)}, {}, lambda U, V, idle: U @ V),
    "dead branch": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: (V + 1, U @ V)[1]),
    "entries picked": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: U[0, 0] * V[0, 0] + U[0, 1] * V[1, 0]),
    "trace": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: (U @ V)[[0, 1], [0, 1]].sum()),
    "outer square": net({"a": (2,)}, {}, lambda a: a[:, None] * a[None, :]),
    "commutator": net({"A": (2, 2), "B": (2, 2)}, {}, lambda A, B: A @ B - B @ A),
    "convolution": net(
        {"a": (2,), "b": (2,)}, {"x": (4,)}, lambda a, b, x: cross(b, cross(a, x, 3), 2)
    ),
    "triangles": net({"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: (TRIANGLE * W) @ (TRIANGLE.T * V)),
    "padded and contracted": net(
        {"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: join([W, ZEROS.T], 1) @ join([ZEROS, V])
    ),
    "blocks on the diagonal": net(
        {"A": (1, 2), "B": (1, 2), "C": (2, 1), "D": (2, 1)},
        {},
        lambda A, B, C, D: (
            join([join([A, ZEROS], 1), join([ZEROS, B], 1)]) @ join([join([C, ZEROS.T], 1), join([ZEROS.T, D], 1)])
        ),
    ),
    "masks that differ in a stack": net(
        {"A": (2, 2, 2), "B": (2, 2)}, {}, lambda A, B: (np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) * A) @ B
    ),
    "complementary masks": net(
        {"A": (2, 2), "B": (2, 2), "C": (2, 2)},
        {},
        lambda A, B, C: (np.eye(2, dtype=int) * A + (1 - np.eye(2, dtype=int)) * B) @ C,
    ),
    "mask of a product": net({"A": (2, 2), "B": (2, 2), "C": (2, 2)}, {}, lambda A, B, C: (TRIANGLE * (A @ B)) @ C),
    "diagonal as a matrix": net(
        {"A": (2, 1, 2), "B": (2, 1), "d": (2,)}, {}, lambda A, B, d: A @ (d * np.eye(2, dtype=int)) @ B
    ),
    "rows taken twice": net({"W": (2, 2), "V": (2, 3)}, {}, lambda W, V: V @ W[[0, 0, 1]]),
    "units beside shuffled ones": net(
        {"W": (4, 1), "V": (1, 4)}, {}, lambda W, V: join([V @ W, V @ W[[1, 0, 3, 2]]])
    ),
    "units plus shifted ones": net({"W": (4, 1), "V": (1, 4)}, {}, lambda W, V: V @ (W + W[[1, 2, 3, 0]])),
    "two strides": net(
        {"W": (1, 4), "V": (2, 1), "U": (2, 1)}, {}, lambda W, V, U: W[:, ::2] @ V + W[:, 1::2] @ U
    ),
    "product flattened and contracted": net(
        {"W": (2, 1), "V": (1, 2), "u": (1, 4)}, {}, lambda W, V, u: u @ (W @ V).reshape(4, 1)
    ),
    "product reshaped and contracted": net(
        {"A": (2, 1), "B": (1, 4), "C": (2, 1)}, {}, lambda A, B, C: (A @ B).reshape(4, 2) @ C
    ),
    "matrix minus its transpose": net({"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: (W - W.T) @ V),
    "as a matrix and by entries": net({"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: join([W @ V, W * V])),
    "centred twice": net({"W": (2, 2)}, {}, lambda W: W - W.sum(axis=0) / 2 - W.sum(axis=1)[:, None] / 2),
    "centred and contracted": net(
        {"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: (W - W.sum(axis=0) / 2) @ (V - V.sum(axis=0) / 2)
    ),
    "running sums": net({"W": (2, 2), "V": (2, 2)}, {}, lambda W, V: W @ TRIANGLE @ V),
    "differences of neighbours": net({"w": (4,), "v": (3,)}, {}, lambda w, v: (w[1:] - w[:-1]) * v),
    "powers contracted": net({"A": (1, 2), "B": (2, 1)}, {}, lambda A, B: (A**2) @ (B**3)),
    "no entries": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: join([U[:, :0] @ V[:0], U @ V])),
    "hidden units joined with an output": net(
        {"U": (2, 2), "V": (2, 2), "W": (4, 1)}, {}, lambda U, V, W: join([U @ V, U], 1) @ W
    ),
    "tied encoder and decoder": net(
        {"E": (3, 2), "W": (2, 2)}, {"x": (3,)}, lambda E, W, x: E @ (W @ (E.T @ x))
    ),
    "rotary scores": net(
        {"q": (2, 2), "k": (2, 2)},
        {"x": (2,), "y": (2,), "c": (), "s": ()},
        lambda q, k, x, y, c, s: (x @ q) @ (c * np.eye(2, dtype=int) + s * np.array([[0, -1], [1, 0]])) @ (y @ k),
    ),
}  # fmt: skip

# Logits under cross-entropy.
LOGITS = {
    "linear": layered([3, 2, 2]),
    "linear with bias": layered([3, 2, 2], output_bias=True),
    "relu": layered([2, 2, 2], gates=True, bias=True, output_bias=True),
    "one class": layered([1, 2, 2]),
    "one layer": layered([3, 2]),
    "positions": net({"U": (2, 3), "V": (2, 2)}, {"X": (2, 2)}, lambda U, V, X: X @ V @ U),
    "square positions": net({"U": (2, 2)}, {}, lambda U: U + U.T),
    "tied embeddings": net({"E": (3, 2)}, {"x": (3,)}, lambda E, x: E @ (E.T @ x)),
    "tied embeddings around a layer": net(
        {"E": (3, 2), "W": (2, 2)}, {"x": (3,)}, lambda E, W, x: E @ (W @ (E.T @ x))
    ),
    "bias used twice": net({"W": (2, 2), "b": (2,)}, {"x": (2,)}, lambda W, b, x: W @ (x + b) + b),
    "bias doubled": net({"W": (2, 2), "b": (2,)}, {"x": (2,)}, lambda W, b, x: W @ x + b + b),
    "logits squared": net({"W": (2, 2)}, {"x": (2,)}, lambda W, x: (W @ x) ** 2),
    "logits times a scale": net({"W": (2, 2), "s": ()}, {"x": (2,)}, lambda W, s, x: s * (W @ x)),
    "logits times gates": net({"W": (2, 2)}, {"x": (2,), "g": (2,)}, lambda W, x, g: g * (W @ x)),
    "logits minus their mean": net({"W": (3, 2)}, {"x": (2,)}, lambda W, x: W @ x - (W @ x).sum() / 3),
    "logits reversed": net({"W": (2, 2)}, {"x": (2,)}, lambda W, x: (W @ x)[::-1]),
    "two last layers": net(
        {"W": (2, 2), "Z": (2, 2)}, {"x": (2,), "y": (2,)}, lambda W, Z, x, y: W @ x + Z @ (y * (Z.T @ (W @ x)).sum())
    ),
    "two heads": net({"W": (2, 2), "Z": (2, 1)}, {"x": (2,), "y": (1,)}, lambda W, Z, x, y: W @ x + Z @ y),
    "logits from joined blocks": net({"W": (1, 2), "Z": (2, 2)}, {"x": (2,)}, lambda W, Z, x: join([W, Z]) @ x),
    "residual logits": net({"W": (2, 2)}, {"x": (2,)}, lambda W, x: x + W @ x),
    "logits of two outer factors": net({"a": (2,), "b": (2,)}, {}, lambda a, b: a[:, None] * b[None, :]),
    "outer square": net({"a": (2,)}, {}, lambda a: a[:, None] * a[None, :]),
    "contracted with itself": net({"W": (2, 2)}, {"x": (2,)}, lambda W, x: W @ (W.T @ (W @ x))),
    "idle matrix of the same size": net({"W": (2, 2), "idle": (2, 2)}, {"x": (2,)}, lambda W, idle, x: W @ x),
}  # fmt: skip


def cross(kernel, x, size):
    """The correlation of a kernel of two entries with x."""
    return join([block(kernel[0] * x[i] + kernel[1] * x[i + 1]) for i in range(size)])


def elements(laws, case):
    """Laws as elements of the oracle's ring."""
    return [as_element(h, case.ring) for h in laws]


def assert_sound(case, loss):
    """Each law proposed is one, by an exact identity; together they are linearly independent. Returns them."""
    laws = elements(proposed_laws(case.flow(loss), 2), case)
    fields = case.fields(loss)
    assert [str(h) for h in laws if not is_law(h, fields)] == []
    assert rank(coefficient_rows(laws)) == len(laws)
    return laws


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPLETE)
def test_shapes_prove_all_quadratic_laws(name):
    """The laws proposed span the nullspaces of the engine and of the oracle."""
    case = COMPLETE[name]
    laws = assert_sound(case, "full")
    assert same_span(laws, dense_laws(case.fields(), case.ring, 2))
    explicit = clexact.polynomial_laws(case.flow().fields, 2)
    assert explicit.complete and same_span(laws, elements(explicit, case))


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_shapes_prove_no_false_law(name):
    """Shared weights, cuts, reshapes, constants in between; and the search finds what shapes do not show."""
    case = OTHERS[name]
    laws = assert_sound(case, "full")
    every = elements(clexact.polynomial_laws(case.flow(), 2), case)
    assert same_span([*every, *laws], every)
    assert same_span(every, dense_laws(case.fields(), case.ring, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGITS | COMPLETE | OTHERS)
def test_no_false_law_under_cross_entropy(name):
    """Every model with an output axis, under the loss that sees differences of logits only."""
    case = (OTHERS | COMPLETE | LOGITS)[name]
    if case.expanded.ndim == 0:
        with pytest.raises(ValueError, match="cross_entropy needs an output with a last axis"):
            case.flow("cross_entropy")
        return
    laws = assert_sound(case, "cross_entropy")
    every = elements(clexact.polynomial_laws(case.flow("cross_entropy"), 2), case)
    assert same_span([*every, *laws], every)


@pytest.mark.parametrize("name", ["linear", "linear with bias", "relu", "positions", "one layer", "two heads"])
def test_column_sums_under_cross_entropy(name):
    """Exactly the laws of degree 1: a column sum for each input of the last layers and one for the bias."""
    case = LOGITS[name]
    laws = [h for h in assert_sound(case, "cross_entropy") if max(map(sum, h)) == 1]
    assert len(laws) > 0
    assert same_span(laws, dense_laws(case.fields("cross_entropy"), case.ring, 1))
    assert dense_laws(case.fields(), case.ring, 1) == []


def test_cross_entropy_adds_the_column_sums_of_the_last_layer():
    """Their number, and that they are independent of the others."""
    case = layered([3, 2, 2], output_bias=True)
    point = random_point(case.dimension)
    plain, logits = (elements(proposed_laws(case.flow(loss), 2), case) for loss in ("full", "cross_entropy"))
    assert gradient_rank(logits, point) == gradient_rank(plain, point) + 2 + 1


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 160, 20))
def test_no_false_law_of_random_programs(first):
    """Random compositions of all operations, under both losses."""
    laws = 0
    for seed in range(first, first + 20):
        rng = random.Random(seed)
        case = random_net(rng, steps=rng.randint(3, 8))
        laws += len(assert_sound(case, "full"))
        laws += len(assert_sound(case, "cross_entropy")) if case.expanded.ndim else 0
    assert laws > 20


@pytest.mark.parametrize("name", ["linear [2, 3, 2]", "relu [2, 2, 2] with bias", "head", "outer product"])
def test_with_fewer_equations_laws_are_missed_and_none_is_false(name, monkeypatch):
    """Beyond the limit of equations of an operation more is demanded than is needed."""
    case = COMPLETE[name]
    full = assert_sound(case, "full")
    monkeypatch.setattr("clexact.symmetry.grading.MAX_EQUATIONS", 1)
    laws = assert_sound(case, "full")
    assert same_span([*full, *laws], full)
    assert case.flow().left_out or same_span(full, laws)


def test_gram_laws_of_a_linear_pair_are_those_of_the_formula():
    """U^T U - V V^T, entry by entry, up to sign."""
    case = layered([2, 3, 4])
    U, V = filled(case.ring.gens[:6], (2, 3)), filled(case.ring.gens[6:], (3, 4))
    gram = U.T @ U - V @ V.T
    expected = [gram[i, j] for i in range(3) for j in range(i, 3)]
    found = [h * 2 for h in elements(proposed_laws(case.flow(), 2), case)]
    assert {canonical(h) for h in found} == {canonical(h * 2) for h in expected}


@pytest.mark.parametrize("dims", [[1, 2, 1], [1, 3, 1], [1, 2, 1, 2], [2, 1, 2, 1]], ids=str)
def test_pairs_of_a_row_and_a_column_have_further_laws(dims):
    """For u v with u a row and v a column, u_i v_j - u_j v_i is conserved too: the Gram matrices are not all."""
    case = layered(dims)
    laws, gens = assert_sound(case, "full"), case.ring.gens
    k = next(k for k in range(len(dims) - 2) if dims[k] == dims[k + 2] == 1)
    first, r = sum(n * m for n, m in list(pairwise(dims))[:k]), dims[k + 1]
    u, v = gens[first : first + r], gens[first + r : first + 2 * r]
    further = [u[i] * v[j] - u[j] * v[i] for i in range(r) for j in range(i)]
    assert same_span([*laws, *further], dense_laws(case.fields(), case.ring, 2))
    assert rank(coefficient_rows([*laws, *further])) == len(laws) + len(further)


def canonical(h):
    """A polynomial up to sign."""
    return max(str(h), str(-h))


def test_relu_laws_are_one_for_each_unit():
    """Squared norm of what leaves minus that of what enters, bias included: three terms and more each."""
    case = layered([2, 3, 2], gates=True, bias=True)
    gens = dict(zip(map(str, case.ring.symbols), case.ring.gens, strict=True))
    square = lambda name: gens[name] ** 2  # noqa: E731
    expected = {
        canonical(sum(square(f"U1[{i},{k}]") - square(f"U2[{k},{i}]") for i in range(2)) - square(f"b2[{k}]"))
        for k in range(3)
    }
    assert {canonical(h) for h in elements(proposed_laws(case.flow(), 2), case)} == expected


def test_large_networks_need_no_expansion():
    """A network of 10^4 parameters and more: each law checked against random members modulo a prime."""
    from clexact.algebra.draws import Draws
    from clexact.algebra.linalg import matmul
    from clexact.laws.result import independent
    from clexact.lie.closure import values_at

    flow = clexact.gradient_flow(clexact.models.relu([40, 30, 20, 40], bias=True))
    draws, p = Draws(5), 2**31 - 1
    point = draws.residues((flow.dimension,), p)
    laws = proposed_laws(flow, 2)
    assert len(laws) == 50 and len(independent(laws, point, p)) == 50
    members = values_at(flow, draws.residues((1, 5, flow.seed_size), p), point, p)
    slopes = np.zeros((flow.dimension, len(laws)), dtype=np.uint64)
    for n, h in enumerate(laws):
        for ((j, _),), c in h.items():
            slopes[j, n] = 2 * int(c) * int(point[j]) % p
    assert not matmul(members[None], slopes[None], p).any()


def test_arrays_without_entries():
    """Axes of size 0, reshaped and joined: nothing moves them, and nothing is missed beside them."""
    empty = net(
        {"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: join([(U @ V).reshape(-1), U[:0].reshape((0, 1)).reshape(-1)])
    )
    assert len(assert_sound(empty, "full")) == len(assert_sound(layered([2, 2, 2]), "full")) == 3


WRONGLY_SHIFTED = {
    "doubled": net({"a": (2,)}, {}, lambda a: a + a - a),
    "doubled and scaled": net({"b": (2,), "c": (2,)}, {"x": (2,)}, lambda b, c, x: (x + b + b) * c - b * c),
    "long chain": net({"a": (4,)}, {"x": (4,), "g": (8,)}, lambda a, x, g: chained(g * (a * x).sum(), g, 25)),
    "rows of nothing": net({"U": (2, 2), "V": (2, 2)}, {}, lambda U, V: join([U[:0] @ V, U @ V])),
    "nothing reshaped": net({"B": (2, 2)}, {}, lambda B: B[:0].reshape((0, 2, 1))),
}


def chained(z, g, times):
    """z g g ... g."""
    for _ in range(times):
        z = z * g
    return z


@pytest.mark.parametrize("name", WRONGLY_SHIFTED)
def test_translations_that_are_none(name):
    """What is added to itself moves twice; labels of long products do not wrap; arrays without entries."""
    assert_sound(WRONGLY_SHIFTED[name], "full")
