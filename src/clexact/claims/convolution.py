r"""Convolutions and pooling (arXiv 2506.06194, theorem 3.6; talk, slide 34, extensions)."""

from __future__ import annotations

from math import prod

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import complete, counted, gram_laws, matrix
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.claims.pieces import local_count, near_count, never_chosen, relu
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.programs.model import Model


def flow(size: Size, axes: int = 1, rectified: bool = False) -> Flow:
    """Of two convolutions of a size (channels in, hidden, out, kernel, stride), in one or two dimensions."""
    a, b, c, kernel, stride = size
    family = models.conv1d if axes == 1 else models.conv2d
    return gradient_flow(family([a, b, c], kernel, stride, relu=rectified))


def channel_laws(size: Size, axes: int = 1, rectified: bool = False) -> list[Polynomial]:
    """Inner products of what leaves hidden channels minus those of what enters; of each with itself for ReLU."""
    a, b, c, kernel, _ = size
    offsets = (kernel,) * axes
    leaving, entering = matrix("W2", (c, b, *offsets), axis=1), matrix("W1", (b, a, *offsets), axis=0)
    return gram_laws(flow(size, axes, rectified), leaving, entering, diagonal=rectified)


def dimension(size: Size, axes: int = 1) -> int:
    """Number of weights."""
    a, b, c, kernel, _ = size
    return b * (a + c) * prod([kernel] * axes)


def linear_count(size: Size) -> int:
    """k(2b - k), k = min(b, K), for scalars in and out at stride 1, else that of a Gram matrix."""
    a, b, c, kernel, stride = size
    k, every = min(b, kernel), min(b, (a + c) * kernel)
    return k * (2 * b - k) if a == c == stride == 1 else every * (2 * b + 1 - every) // 2


def pooled(size: Size, mean: bool = False) -> Flow:
    """Of U pool(V^T x), a size being (inputs, pools, outputs, units in a pool but one)."""
    m, r, n, q = size
    return gradient_flow((models.avgpool if mean else models.maxpool)(m, r, n, pool=q + 1))


def pool_laws(size: Size, mean: bool = False) -> list[Polynomial]:
    """The squared norm of what leaves a pool minus that of all that enters it."""
    m, r, n, q = size
    entering = matrix("V", (m, r * (q + 1))).reshape(m, r, q + 1).swapaxes(1, 2).reshape(-1, r)
    return gram_laws(pooled(size, mean), matrix("U", (n, r)), entering, diagonal=True)


def pool_dimension(size: Size) -> int:
    """Number of weights."""
    m, r, n, q = size
    return r * (n + m * (q + 1))


def _pool_network(m: int, r: int, n: int, q: int) -> Model:
    parameters, shape = {"U": (n, r), "V": (m, r * (q + 1))}, (r, q + 1)
    return Model(parameters, {"x": (m,)}, lambda U, V, x: U @ relu((V.T @ x).reshape(shape)))


def _with_true_maxima(size: Size, seed: int, stated: int) -> Check:
    return local_count(_pool_network, size, stated, seed)


def _never_largest(size: Size, seed: int) -> int:
    """The number of units that are the largest of their pool for no input, near the parameter drawn."""
    return never_chosen(near_count(_pool_network, size, seed), "choice1")


def _true_count(size: Size, seed: int) -> int:
    """r, and the m weights of each unit that is never the largest. Scalars: see the claim."""
    m, r, n, q = size
    k = min(r, n + 2)
    return k * (2 * r + 1 - k) // 2 + r * (q - 1) if m == 1 else r + m * _never_largest(size, seed)


NAMES = ("a", "b", "c", "K", "s")
WRITTEN = "a, b, c: channels in, hidden, out; K: kernel; s: stride."
POOLS = Grid(
    ("m", "r", "n", "q"), pool_dimension, quick=6, full=18,
    edges=((1, 1, 1, 3), (1, 3, 1, 1), (2, 2, 1, 2), (2, 1, 2, 1), (2, 2, 2, 1)),
)  # fmt: skip
POOL_SIZES = "m inputs, r pools of q + 1 units, n outputs."

CLAIMS = [
    Claim(
        "convolution.relu",
        "The laws of a convolutional ReLU network",
        "arXiv 2506.06194, theorem 3.6",
        Statement(
            "one law for each hidden channel, sum_k ||u_kj||^2 - sum_i ||v_ji||^2, and no others",
            r"\sum_k \|u_{kj}\|^2 - \sum_i \|v_{ji}\|^2, \quad j = 1, \dots, c_1",
            lambda size, seed: complete(flow(size, rectified=True), channel_laws(size, rectified=True), seed),
        ),
        Grid(
            NAMES,
            dimension,
            quick=4,
            full=16,
            edges=((1, 3, 1, 2, 1), (1, 2, 1, 3, 2), (2, 1, 1, 2, 3), (1, 2, 1, 1, 1)),
            most=(4, 6, 4, 4, 3),
        ),
        note=WRITTEN + " Gates are free: where a = K = 1 a unit sees one number, and data span less without biases.",
    ),
    Claim(
        "convolution.relu-2d",
        "The same on images",
        "arXiv 2506.06194, theorem 3.6",
        Statement(
            "one law for each hidden channel, sum_k ||u_kj||^2 - sum_i ||v_ji||^2, and no others",
            r"\sum_k \|u_{kj}\|^2 - \sum_i \|v_{ji}\|^2, \quad j = 1, \dots, c_1",
            lambda size, seed: complete(flow(size, 2, rectified=True), channel_laws(size, 2, rectified=True), seed),
        ),
        Grid(
            NAMES,
            lambda size: dimension(size, 2),
            quick=2,
            full=18,
            edges=((1, 1, 1, 2, 1), (1, 2, 1, 2, 1), (1, 1, 2, 2, 2), (2, 1, 1, 2, 1)),
            most=(3, 4, 3, 3, 2),
        ),
        note=WRITTEN,
    ),
    Claim(
        "convolution.linear",
        "The laws of a linear convolutional network",
        "arXiv 2506.06194, abstract (linear networks, with or without convolution); talk, slide 34",
        Statement(
            "all laws are functions of the inner products of what leaves hidden channels minus those of what enters",
            r"\langle u_j, u_{j'}\rangle - \langle v_j, v_{j'}\rangle \text{ and no others}",
            lambda size, seed: complete(flow(size), channel_laws(size), seed),
        ),
        Grid(
            NAMES,
            dimension,
            quick=4,
            full=18,
            edges=(
                (1, 2, 1, 2, 1),
                (1, 2, 1, 3, 1),
                (1, 2, 1, 2, 2),
                (2, 2, 1, 2, 1),
                (1, 2, 2, 2, 1),
                (1, 3, 1, 2, 1),
                (1, 3, 1, 1, 1),
                (2, 2, 2, 2, 1),
                (1, 2, 1, 3, 2),
                (2, 3, 1, 2, 1),
                (2, 4, 1, 2, 1),
                (1, 2, 2, 4, 1),
                (1, 3, 1, 2, 2),
                (1, 3, 2, 2, 1),
                (1, 2, 2, 2, 2),
                (2, 2, 1, 2, 2),
                (1, 3, 2, 2, 2),
            ),
            most=(3, 4, 3, 4, 3),
        ),
        instead=Statement(
            "k(2b - k) of them, k = min(b, K), if a = c = s = 1, else k(2b + 1 - k)/2 with k = min(b, (a + c)K)",
            r"k(2b - k), \ k = \min(b, K), \text{ if } a = c = s = 1, \text{ else as for matrices}",
            lambda size, seed: counted(flow(size), linear_count(size), seed),
        ),
        note=WRITTEN + " With one channel in and out at stride 1, the kernels of both layers can be exchanged: "
        "sum_j u_j * v_j is a form of signature (b, b), and its group has b^2 symmetric generators.",
        fitted=False,
    ),
    Claim(
        "pooling.max",
        "The laws of a max-pooling network",
        "talk, slide 34, extensions; max-pooling is 1-homogeneous",
        Statement(
            "one law for each pool, ||u_k||^2 - sum_j ||v_kj||^2, and no others",
            r"\|u_k\|^2 - \sum_j \|v_{kj}\|^2, \quad k = 1, \dots, r",
            lambda size, seed: complete(pooled(size), pool_laws(size), seed),
        ),
        POOLS,
        note=POOL_SIZES + " Which unit is the largest is free: pooling.max-data has true maxima.",
        fitted=False,
    ),
    Claim(
        "pooling.max-data",
        "The same with true maxima",
        "talk, slide 34, extensions",
        Statement(
            "r laws near a parameter that is drawn",
            r"\|u_k\|^2 - \sum_j \|v_{kj}\|^2, \quad k = 1, \dots, r",
            lambda size, seed: _with_true_maxima(size, seed, size[1]),
        ),
        Grid(
            ("m", "r", "n", "q"),
            pool_dimension,
            quick=5,
            full=14,
            edges=((1, 1, 1, 2), (1, 2, 1, 1), (2, 1, 1, 1), (2, 1, 1, 2), (2, 1, 1, 3), (2, 2, 1, 1)),
            most=(2, 3, 3, 4),
        ),
        instead=Statement(
            "r laws and the m weights of each unit that is never the largest of its pool; on scalars, r(q - 1) "
            "weights and the laws of a linear network n, r, 2: k(2r + 1 - k)/2, k = min(r, n + 2)",
            r"r + m \,\#\{\text{units that are never the largest}\}, \quad m \ge 2",
            lambda size, seed: _with_true_maxima(size, seed, _true_count(size, seed)),
        ),
        fitted=False,
        note=POOL_SIZES
        + " A unit in the convex hull of the others of its pool is never the largest: there are such at "
        "some parameters where q > m. m <= 2, where all linear regions of the input are visited.",
    ),
    Claim(
        "pooling.mean",
        "The laws of a network that averages ReLU units",
        "talk, slide 34, extensions",
        Statement(
            "one law for each pool, ||u_k||^2 - sum_j ||v_kj||^2, and no others",
            r"\|u_k\|^2 - \sum_j \|v_{kj}\|^2, \quad k = 1, \dots, r",
            lambda size, seed: complete(pooled(size, mean=True), pool_laws(size, mean=True), seed),
        ),
        POOLS,
        note=POOL_SIZES,
        fitted=False,
    ),
]
