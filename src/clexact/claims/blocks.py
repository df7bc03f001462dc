r"""Whole blocks of transformers, with norms, gains and biases (arXiv 2606.17816, section 4; Noether's theorem)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import EXACT, Names, complete, gram_laws, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.functions import layer_norm, rms_norm, softmax
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model

EPS = Fraction(1, 100000)


def row(name: str, size: int) -> Names:
    """The entries of a bias as one row below those of a matrix."""
    return matrix(name, (size,)).reshape(1, -1)


def head(flow: Flow, d: int, h: int, bias: bool = False) -> list[Polynomial]:
    """The entries of Q^T Q - K^T K and of V^T V - O^T O, the biases of Q and V being one more row; those of K's."""
    Q, K, V, O = (matrix(f"{name}1", (d, h)) for name in "QKVO")  # noqa: E741
    if not bias:
        return gram_laws(flow, Q, K) + gram_laws(flow, V, O)
    Q, V = np.concatenate([Q, row("bQ1", h)]), np.concatenate([V, row("bV1", h)])
    return gram_laws(flow, Q, K) + gram_laws(flow, V, O) + sum_laws(flow, row("bK1", h))


def gains(flow: Flow, number: int, d: int, shift: bool, *read: tuple[str, int]) -> list[Polynomial]:
    """g_i^2 (and s_i^2) of a norm less the squares of row i of all the weights that read it."""
    affine = np.concatenate([row(f"{name}{number}", d) for name in ("gs" if shift else "g")])
    weights = np.concatenate([matrix(name, (d, width), axis=0) for name, width in read])
    return gram_laws(flow, affine, weights, diagonal=True)


def _plain(size: Size, seed: int) -> Check:
    d, h, f = size
    flow = gradient_flow(models.transformer(d, h, f))
    return complete(flow, head(flow, d, h), seed)


def _biased(size: Size, seed: int) -> Check:
    d, h, f = size
    flow = gradient_flow(models.transformer(d, h, f, bias=True))
    return complete(flow, head(flow, d, h, bias=True), seed)


def _llama(size: Size, seed: int) -> Check:
    d, h, f = size
    flow = gradient_flow(models.transformer(d, h, f, norm="pre-rms", gain=True, eps=EPS, swiglu=True))
    laws = head(flow, d, h) + gains(flow, 1, d, False, ("Q1", h), ("K1", h), ("V1", h))
    laws += gains(flow, 2, d, False, ("A", f), ("G", f))
    return complete(flow, laws + gram_laws(flow, matrix("A", (d, f)), matrix("B", (d, f)), diagonal=True), seed)


def _pre(size: Size, seed: int) -> Check:
    """Pre-norm, as GPT-2: all that is added to the stream, but for its mean, reaches the second norm."""
    d, h, f = size
    flow = gradient_flow(models.transformer(d, h, f, norm="pre-layer", bias=True, gain=True, eps=EPS))
    laws = head(flow, d, h, bias=True) + gains(flow, 1, d, True, ("Q1", h), ("K1", h), ("V1", h))
    laws += gains(flow, 2, d, True, ("A", f))
    added, text = matrix("bO", (d,)), matrix("bB", (d,))
    difference = " + ".join(added.ravel()) + "".join(f" - {name}" for name in text.ravel())
    return complete(flow, [*laws, Polynomial.from_string(difference, flow.variables)], seed)


def _post(size: Size, seed: int) -> Check:
    """Post-norm, as the first transformers: the means of what is added are taken out."""
    d, h, f = size
    flow = gradient_flow(models.transformer(d, h, f, norm="post-layer", bias=True, gain=True, eps=EPS))
    laws = head(flow, d, h, bias=True)
    for weights in (matrix("O1", (d, h)), matrix("B", (d, f)), matrix("bO", (d,)).reshape(-1, 1),
                    matrix("bB", (d,)).reshape(-1, 1)):  # fmt: skip
        laws += sum_laws(flow, weights)
    return complete(flow, laws, seed)


def experts(m: int, count: int, n: int, norm: Callable[[Array], Array]) -> Model:
    """Softmax gates and linear experts on a normalised input."""
    parameters = {"W": (count, m)} | {f"E{i + 1}": (n, m) for i in range(count)}

    def output(W: Array, x: Array, **E: Array) -> Array:
        z = norm(x)
        return softmax(W @ z) @ concatenate([(E[f"E{i + 1}"] @ z).reshape((1, -1)) for i in range(count)])

    return Model(parameters, {"x": (m,)}, output, f"moe {m} -> {count} experts -> {n} behind a norm")


def _experts(size: Size, seed: int) -> Check:
    m, count, n, kind = size
    flow = gradient_flow(experts(m, count, n, layer_norm if kind == 1 else rms_norm))
    laws = sum_laws(flow, matrix("W", (count, m)))
    if kind == 1:
        laws += sum_laws(flow, matrix("W", (count, m), axis=0))
        laws += [law for i in range(count) for law in sum_laws(flow, matrix(f"E{i + 1}", (n, m), axis=0))]
    return complete(flow, laws, seed)


def _weights(size: Size) -> int:
    d, h, f = size
    return 4 * d * h + 2 * d * f


def _of_experts(size: Size) -> int:
    return size[0] * size[1] * (1 + size[2])


NAMES = ("d", "h", "f")
SIZES = "d: width of a token, h: of the head, f: of the layer; two tokens. "
HEAD = r"Q^\top Q - K^\top K, \quad V^\top V - O^\top O"
BIASED = r"Q^\top Q + b_Q b_Q^\top - K^\top K, \quad V^\top V + b_V b_V^\top - O^\top O, \quad b_K"
GAINS = r"\|Q_i\|^2 + \|K_i\|^2 + \|V_i\|^2 - g_i^2"

CLAIMS = [
    Claim(
        "blocks.plain",
        "A block without norms has the laws of its attention",
        "arXiv 2606.17816, theorems 4.1 and 4.3",
        Statement("Q^T Q - K^T K and V^T V - O^T O, and no others: GELU has none", HEAD, _plain),
        Grid(NAMES, _weights, 12, 28, edges=((1, 3, 1), (2, 2, 1), (3, 1, 1)), most=(3, 3, 3)),
        note=SIZES + EXACT,
        fitted=False,
    ),
    Claim(
        "blocks.biased",
        "With biases everywhere",
        "Noether's theorem; this package",
        Statement(
            "the same with the biases of Q and V as one more row, and each entry of the bias of K: it does not move",
            BIASED,
            _biased,
        ),
        Grid(NAMES, _weights, 12, 28, edges=((1, 3, 1), (2, 2, 1), (3, 1, 1)), most=(3, 3, 3)),
        note=SIZES + "The bias of K adds one number to all scores of a query, which softmax does not see.",
        fitted=False,
    ),
    Claim(
        "blocks.llama",
        "A pre-norm block with RMSNorm and SwiGLU",
        "arXiv 2606.17816, theorems 4.2 and 4.3; Noether's theorem for the gains",
        Statement(
            "the laws of attention and of each SwiGLU unit; for each gain of a norm the squares of the weights that "
            "read it less its own; and no others",
            HEAD + r", \quad \|a_k\|^2 - \|b_k\|^2, \quad " + GAINS,
            _llama,
        ),
        Grid(NAMES, _weights, 12, 28, edges=((2, 3, 1), (3, 1, 1)), least=(2, 1, 1), most=(3, 3, 3)),
        note=SIZES + "Gains, eps = 10^-5, no biases.",
        fitted=False,
    ),
    Claim(
        "blocks.pre-norm",
        "A pre-norm block with LayerNorm and biases",
        "as GPT-2; Noether's theorem; this package",
        Statement(
            "those of attention with biases; for each gain and shift of a norm the squares of the weights that read it "
            "less their own; and sum_i (b_O - b_B)_i: the second norm does not see the mean of b_O, and both are "
            "added to the output",
            BIASED + r", \quad \|A_i\|^2 - g_i^2 - s_i^2, \ \dots, \quad \textstyle\sum_i (b_O - b_B)_i",
            _pre,
        ),
        Grid(NAMES, _weights, 18, 30, edges=((3, 1, 2),), least=(3, 1, 1), most=(4, 3, 3)),
        note=SIZES + "Gains and shifts, eps = 10^-5.",
        fitted=False,
    ),
    Claim(
        "blocks.post-norm",
        "A post-norm block with LayerNorm and biases",
        "as the first transformers; Noether's theorem; this package",
        Statement(
            "those of attention with biases, and the sums of the columns of O and B and of the biases b_O and b_B",
            BIASED + r", \quad \textstyle\sum_i O_{ik}, \ \sum_i B_{ik}, \ \sum_i (b_O)_i, \ \sum_i (b_B)_i",
            _post,
        ),
        Grid(NAMES, _weights, 18, 30, edges=((3, 1, 2),), least=(3, 1, 1), most=(3, 3, 3)),
        note=SIZES + "Gains and shifts, eps = 10^-5.",
        fitted=False,
    ),
    Claim(
        "blocks.experts",
        "A mixture of experts behind a norm",
        "arXiv 2606.17816, theorem 4.5; Noether's theorem for the norm",
        Statement(
            "sum_i W_ij for each input j, and behind LayerNorm the sums of the rows of W and of all experts",
            r"\sum_i W_{ij}, \quad \text{and with LayerNorm } \sum_j W_{ij}, \ \sum_j (E_i)_{cj}",
            _experts,
        ),
        Grid(("m", "E", "n", "norm"), _of_experts, 12, 24, edges=((3, 1, 1, 1), (3, 2, 2, 2)),
             least=(3, 2, 1, 1), most=(5, 4, 3, 2)),
        note="norm: 1 LayerNorm, 2 RMSNorm; eps = 0. m inputs, E linear experts, n outputs.",
        fitted=False,
    ),
]  # fmt: skip
