r"""Attention: its heads, masks, positions, shared keys (arXiv 2506.06194, section 3; 2606.17816, section 4)."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from clexact import functions, models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import EXACT, complete, counted, drawn_point, gram_laws, matrix, same_span, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import HeavyBall, gradient_flow, momentum_flow
from clexact.flows.flow import Flow
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model

ROTATIONS = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (20, 21, 29))  # (a, b, c): the plane turns by (a + ib)/c


def head_laws(flow: Flow, d: int, h: int, heads: int = 1, keys: int | None = None) -> list[Polynomial]:
    """The entries of Q^T Q - K^T K and of O^T O - V^T V, Q and O summed over the heads that share K and V."""
    groups = keys or heads
    found: list[Polynomial] = []
    for g, (many, one) in product(range(groups), (("Q", "K"), ("O", "V"))):
        sharing = range(g * heads // groups + 1, (g + 1) * heads // groups + 1)
        stacked = np.concatenate([matrix(f"{many}{i}", (d, h)) for i in sharing])
        found += gram_laws(flow, stacked, matrix(f"{one}{g + 1}", (d, h)))
    return found


def constant_softmax_laws(flow: Flow, d: int, h: int, heads: int) -> list[Polynomial]:
    """Where scores do not matter: the entries of Q and K, and the laws of [V_1 V_2 ...] [O_1 O_2 ...]^T."""
    outward, values = (np.concatenate([matrix(f"{x}{i + 1}", (d, h)) for i in range(heads)], axis=1) for x in "OV")
    fixed = np.array([[name for name in flow.variables if name[0] in "QK"]], dtype=object)
    return sum_laws(flow, fixed) + gram_laws(flow, outward, values)


def plane_laws(flow: Flow, d: int, planes: int) -> list[Polynomial]:
    """The differences of the squared norms of Q and K in each plane."""
    entries = [matrix(f"{name}1", (d, 2 * planes)).reshape(d, planes, 2) for name in "QK"]
    q, k = (each.swapaxes(1, 2).reshape(2 * d, planes) for each in entries)
    return gram_laws(flow, q, k, diagonal=True)


def _head(size: Size, seed: int) -> Check:
    d, h = size
    flow = gradient_flow(models.attention(d, h))
    return complete(flow, head_laws(flow, d, h), seed)


def _softmax(size: Size, seed: int, causal: bool = False, single: bool = False) -> Check:
    """Sizes (d, h, heads, tokens); with ``single``, the entries of Q and K are laws too if there is one token."""
    d, h, heads, tokens = size
    flow = gradient_flow(models.attention(d, h, heads, tokens=tokens, causal=causal))
    laws = constant_softmax_laws(flow, d, h, heads) if single and tokens == 1 else head_laws(flow, d, h, heads)
    return complete(flow, laws, seed)


def biased_laws(flow: Flow, d: int, h: int, heads: int, diagonal: int = 0) -> list[Polynomial]:
    """As ``head_laws``, the biases of queries, keys and values being one more row; with ``diagonal`` planes, theirs."""
    found: list[Polynomial] = []
    for i in range(1, heads + 1):
        Q, K, V = (np.concatenate([matrix(f"{x}{i}", (d, h)), matrix(f"b{x}{i}", (h,)).reshape(1, -1)]) for x in "QKV")
        if diagonal:
            Q, K = (x.reshape(d + 1, diagonal, 2).swapaxes(1, 2).reshape(-1, diagonal) for x in (Q, K))
        found += gram_laws(flow, Q, K, diagonal=bool(diagonal)) + gram_laws(flow, matrix(f"O{i}", (d, h)), V)
    return found


def _bias(size: Size, seed: int) -> Check:
    d, h, heads, tokens = size
    flow = gradient_flow(models.attention(d, h, heads, tokens=tokens, bias=True))
    keys = [law for i in range(heads) for law in sum_laws(flow, matrix(f"bK{i + 1}", (h,)).reshape(1, -1))]
    return complete(flow, biased_laws(flow, d, h, heads) + keys, seed)


def _rotary_bias(size: Size, seed: int) -> Check:
    d, planes, tokens = size
    flow = gradient_flow(models.attention(d, 2 * planes, tokens=tokens, rope=True, bias=True))
    return complete(flow, biased_laws(flow, d, 2 * planes, 1, planes), seed)


def _polynomial_attention(size: Size, position: np.ndarray) -> Flow:
    """X Q K^T X^T X V O^T of the tokens plus their positions."""
    d, h, tokens = size

    def output(Q: Array, K: Array, V: Array, O: Array, X: Array) -> Array:  # noqa: E741
        Y = X + position
        return Y @ Q @ K.T @ Y.T @ Y @ V @ O.T

    return gradient_flow(Model(dict.fromkeys("QKVO", (d, h)), {"X": (tokens, d)}, output))


def _positions(size: Size, seed: int) -> Check:
    d, _, tokens = size
    constant = np.array(drawn_point(tokens * d, seed), dtype=object).reshape(tokens, d)
    return same_span(_polynomial_attention(size, constant).fields, _polynomial_attention(size, 0 * constant).fields)


def _rotary(size: Size, seed: int) -> Check:
    d, planes = size
    flow = gradient_flow(models.attention(d, 2 * planes, rope=True))
    values = gram_laws(flow, matrix("O1", (d, 2 * planes)), matrix("V1", (d, 2 * planes)))
    return complete(flow, plane_laws(flow, d, planes) + values, seed)


def scores(d: int, planes: int, tokens: int, equal: bool = False) -> Model:
    """The scores of rotary attention of tokens at all distances up to tokens - 1, with fixed rational rotations."""

    def output(Q1: Array, K1: Array, x: Array, y: Array) -> Array:
        q, k = (Q1.T @ x).reshape((planes, 2)), (K1.T @ y).reshape((planes, 2))
        return concatenate([_turned(q, k, distance, equal).reshape((1,)) for distance in range(1 - tokens, tokens)])

    shape = (d, 2 * planes)
    return Model({"Q1": shape, "K1": shape}, {"x": (d,), "y": (d,)}, output)


def _turned(q: Array, k: Array, distance: int, equal: bool) -> Array:
    """The sum over planes of <q_j, R_j^distance k_j>."""
    total: Array | None = None
    for j in range(q.shape[0]):
        a, b, c = ROTATIONS[0 if equal else j]
        re, im = _power(a, b if distance >= 0 else -b, abs(distance))
        score = re * (q[j, 0] * k[j, 0] + q[j, 1] * k[j, 1]) + im * (q[j, 1] * k[j, 0] - q[j, 0] * k[j, 1])
        score = score * Fraction(1, c ** abs(distance))
        total = score if total is None else total + score
    assert total is not None
    return total


def _power(a: int, b: int, exponent: int) -> tuple[int, int]:
    """(a + ib)^exponent."""
    re, im = 1, 0
    for _ in range(exponent):
        re, im = re * a - im * b, re * b + im * a
    return re, im


def _distances(size: Size, seed: int, single: bool = False) -> Check:
    """Sizes (d, planes, tokens); with ``single``, the whole Gram matrices where there is one token."""
    d, planes, tokens = size
    flow = gradient_flow(scores(d, planes, tokens))
    whole = gram_laws(flow, matrix("Q1", (d, 2 * planes)), matrix("K1", (d, 2 * planes)))
    return complete(flow, whole if single and tokens == 1 else plane_laws(flow, d, planes), seed)


def planes_only(d: int, planes: int) -> Model:
    """The scores of every plane: (Q_j K_j^T, Q_j J K_j^T)."""

    def output(Q1: Array, K1: Array, x: Array, y: Array) -> Array:
        q, k = (Q1.T @ x).reshape((planes, 2)), (K1.T @ y).reshape((planes, 2))
        even = q[:, 0] * k[:, 0] + q[:, 1] * k[:, 1]
        return concatenate([even, q[:, 1] * k[:, 0] - q[:, 0] * k[:, 1]])

    shape = (d, 2 * planes)
    return Model({"Q1": shape, "K1": shape}, {"x": (d,), "y": (d,)}, output)


def _rotary_momentum(size: Size, seed: int) -> Check:
    d, planes = size
    return counted(momentum_flow(planes_only(d, planes), HeavyBall(1)), planes, seed)


def _shared(size: Size, seed: int) -> Check:
    d, h, heads = size
    flow = gradient_flow(models.attention(d, h, heads, keys=1))
    return complete(flow, head_laws(flow, d, h, heads, 1), seed)


def relu_attention(size: Size) -> Flow:
    """Of relu(X W X^T) X w."""
    d, tokens = size
    parameters = {"W": (d, d), "w": (d,)}
    model = Model(parameters, {"X": (tokens, d)}, lambda W, w, X: functions.relu(X @ W @ X.T) @ (X @ w))
    return gradient_flow(model)


def _relu_attention(size: Size, seed: int) -> Check:
    d, flow = size[0], relu_attention(size)
    scores, values = matrix("W", (d, d)).reshape(-1, 1), matrix("w", (d,)).reshape(-1, 1)
    return complete(flow, gram_laws(flow, scores, values), seed)


def _weights(size: Size) -> int:
    d, h, heads, _ = size
    return 4 * d * h * heads


HEAD = "Q1[i,k]*Q1[i,l] - K1[j,k]*K1[j,l]", "V1[i,k]*V1[i,l] - O1[j,k]*O1[j,l]"
HEADS = r"Q_i Q_i^\top - K_i K_i^\top, \quad V_i V_i^\top - O_i O_i^\top"
TRUE = f"d: width of a token, h: of a head, H heads, T tokens. {EXACT} The laws hold by the shape of the head."
TRUE_EDGES = ((1, 1, 1, 1), (1, 1, 1, 2), (1, 3, 1, 2), (1, 1, 2, 2), (1, 2, 2, 2), (2, 1, 2, 1), (2, 1, 1, 3))

CLAIMS = [
    Claim(
        "attention.head",
        "All laws of an attention head, factored",
        "arXiv 2506.06194, corollary 3.9",
        Statement(
            "all laws are functions of Q Q^T - K K^T and V V^T - O O^T",
            r"Q Q^\top - K K^\top, \quad V V^\top - O O^\top",
            _head,
            AllSizes((network("attention", "d h", *HEAD),), complete=True),
        ),
        Grid(
            ("d", "h"),
            lambda size: 4 * size[0] * size[1],
            quick=24,
            full=60,
            edges=((1, 5), (1, 7), (2, 6), (5, 1)),
        ),
        note="There Q, K, V, O are transposed. The fields are those of (Q K^T, V O^T): attention.softmax has more.",
    ),
    Claim(
        "attention.softmax",
        "All laws of heads with the true softmax",
        "arXiv 2506.06194, corollaries 3.9 and 3.10; arXiv 2606.17816, theorem 4.3",
        Statement("all laws are functions of these matrices of each head", HEADS, _softmax),
        Grid(("d", "h", "H", "T"), _weights, quick=8, full=24, edges=TRUE_EDGES, most=(4, 4, 2, 3)),
        fitted=False,
        instead=Statement(
            "the same for T >= 2 tokens; of one token it is constant: then Q and K, and the laws of sum_i V_i O_i^T",
            HEADS + r" \text{ if } T \ge 2, \text{ else } Q_i, K_i \text{ and the laws of } \sum_i V_i O_i^\top",
            lambda size, seed: _softmax(size, seed, single=True),
        ),
        note=TRUE,
    ),
    Claim(
        "attention.causal",
        "A causal mask changes no law",
        "arXiv 2506.06194, corollary 3.10 (attention layers)",
        Statement(
            "all laws are functions of the same matrices of each head",
            HEADS,
            lambda size, seed: _softmax(size, seed, causal=True),
        ),
        Grid(("d", "h", "H", "T"), _weights, quick=4, full=16, edges=TRUE_EDGES, most=(4, 4, 2, 3)),
        fitted=False,
        instead=Statement(
            "the same for T >= 2 tokens; of one token it is constant: then Q and K, and the laws of sum_i V_i O_i^T",
            HEADS + r" \text{ if } T \ge 2, \text{ else } Q_i, K_i \text{ and the laws of } \sum_i V_i O_i^\top",
            lambda size, seed: _softmax(size, seed, causal=True, single=True),
        ),
        note=TRUE,
    ),
    Claim(
        "attention.bias",
        "The bias of the keys does not move",
        "Noether's theorem; this package",
        Statement(
            "the same matrices of each head with one more row, the biases of queries, keys and values, each entry of "
            "the bias of the keys, and no others",
            r"\tilde Q_i \tilde Q_i^\top - \tilde K_i \tilde K_i^\top, \ \tilde V_i \tilde V_i^\top - O_i O_i^\top, "
            r"\ b_{K_i}",
            _bias,
        ),
        Grid(
            ("d", "h", "H", "T"),
            _weights,
            quick=8,
            full=24,
            edges=((1, 3, 1, 2), (2, 1, 2, 2)),
            least=(1, 1, 1, 2),
            most=(4, 4, 2, 3),
        ),
        fitted=False,
        note="It adds one number to all scores of a query, which softmax does not see. " + EXACT,
    ),
    Claim(
        "attention.rope-bias",
        "Unless positions turn it",
        "Noether's theorem; this package",
        Statement(
            "with rotary positions the squared norms of each plane, biases included, and those of V and O; no others",
            r"\|\tilde Q^{(j)}\|_F^2 - \|\tilde K^{(j)}\|_F^2, \quad \tilde V \tilde V^\top - O O^\top",
            _rotary_bias,
        ),
        Grid(
            ("d", "p", "T"),
            lambda size: 8 * size[0] * size[1],
            quick=8,
            full=32,
            edges=((2, 2, 2),),
            least=(1, 1, 2),
            most=(4, 4, 3),
        ),
        fitted=False,
        note="p planes; the angles between two tokens are free.",
    ),
    Claim(
        "attention.position",
        "Adding constants to the tokens changes no law",
        "arXiv 2606.17816, theorem 4.3 (sinusoidal positional encoding)",
        Statement(
            "attention on X + P has the fields of attention on X",
            r"g(\theta, X + P) \text{ and } g(\theta, X) \text{ have the same conservation laws}",
            _positions,
        ),
        Grid(("d", "h", "T"), lambda size: 4 * size[0] * size[1], quick=8, full=16, edges=((1, 1, 1),), most=(2, 4, 3)),
        note="Of X Q K^T X^T X V O^T, any P. With softmax too: all X + P are all X.",
    ),
    Claim(
        "attention.rope",
        "The laws of rotary attention",
        "arXiv 2606.17816, theorem 4.4",
        Statement(
            "||Q_j||_F^2 - ||K_j||_F^2 for each plane j of columns and the entries of V V^T - O O^T, and no others",
            r"\|Q^{(j)}\|_F^2 - \|K^{(j)}\|_F^2, \quad V V^\top - O O^\top",
            _rotary,
        ),
        Grid(("d", "p"), lambda size: 8 * size[0] * size[1], quick=32, full=64, edges=((1, 3), (2, 2), (4, 1))),
        note="p planes, h = 2p: p + k(4p + 1 - k)/2 laws, k = min(2p, 2d). All angles are free in each plane; "
        "attention.distances has tokens at fixed places.",
        fitted=False,
    ),
    Claim(
        "attention.distances",
        "The same laws with rotations of a few distances",
        "arXiv 2606.17816, theorem 4.4",
        Statement(
            "||Q_j||_F^2 - ||K_j||_F^2 for each plane j, and no others",
            r"\|Q^{(j)}\|_F^2 - \|K^{(j)}\|_F^2",
            _distances,
        ),
        Grid(
            ("d", "p", "T"),
            lambda size: 4 * size[0] * size[1],
            quick=8,
            full=16,
            edges=((1, 3, 1), (1, 3, 2), (2, 2, 2)),
            most=(6, 4, 4),
        ),
        instead=Statement(
            "the same for T >= 2 tokens; of one, all entries of Q^T Q - K^T K",
            r"T = 1: \ Q^\top Q - K^\top K",
            lambda size, seed: _distances(size, seed, single=True),
        ),
        fitted=False,
        note="Scores of tokens at distances up to T - 1, rotations by the angles of the triangles 3-4-5, 5-12-13, ...",
    ),
    Claim(
        "attention.rope-momentum",
        "Rotary attention under momentum",
        "open: arXiv 2606.17816 has gradient flows only",
        Statement(
            "one law for each plane with the heavy ball",
            r"e^{\tau t} (\langle \dot Q^{(j)}, Q^{(j)} J\rangle + \langle \dot K^{(j)}, K^{(j)} J\rangle)",
            _rotary_momentum,
        ),
        Grid(("d", "p"), lambda size: 4 * size[0] * size[1], quick=8, full=12, edges=((1, 1), (1, 3), (3, 1))),
        note="Of Q and K alone, tau = 1: V and O have the laws of two linear layers.",
    ),
    Claim(
        "attention.shared-keys",
        "The laws of heads that share keys",
        "grouped-query attention; by the symmetries of arXiv 2506.06194, corollary 3.9",
        Statement(
            "all laws are functions of sum_i Q_i^T Q_i - K^T K and sum_i O_i^T O_i - V^T V",
            r"\sum_i Q_i^\top Q_i - K^\top K, \quad \sum_i O_i^\top O_i - V^\top V",
            _shared,
        ),
        Grid(
            ("d", "h", "s"),
            lambda size: 2 * size[0] * size[1] * (size[2] + 1),
            quick=10,
            full=60,
            edges=((1, 5, 2), (1, 4, 3), (1, 7, 2), (1, 1, 5)),
        ),
        note="s query heads with one key and value head, factored: k(2h + 1 - k) laws, k = min(h, (s + 1)d).",
        fitted=False,
    ),
    Claim(
        "attention.relu",
        "The law of one layer of ReLU attention",
        "a post on conservation laws: relu(X W_QK X^T) X w_V",
        Statement(
            "||W_QK||_F^2 - ||w_V||^2 and no others",
            r"\|W_{QK}\|_F^2 - \|w_V\|^2",
            _relu_attention,
        ),
        Grid(
            ("d", "T"),
            lambda size: size[0] * (size[0] + 1),
            quick=12,
            full=30,
            edges=((1, 1), (4, 1), (4, 2), (3, 3)),
            most=(5, 3),
        ),
        instead=Statement(
            "with T = 1 there are d(d - 1)/2 more: the antisymmetric part of W_QK does not move",
            r"1 + [T = 1]\, d(d-1)/2",
            lambda size, seed: counted(relu_attention(size), 1 + (size[1] == 1) * size[0] * (size[0] - 1) // 2, seed),
        ),
        note="Gates of the scores are free.",
        fitted=False,
    ),
]
