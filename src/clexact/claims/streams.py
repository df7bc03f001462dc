r"""Residual streams: what several blocks keep together, beyond what each keeps (arXiv 2506.06194 has none across one).

Blocks $x \leftarrow x + B_l \sigma(A_l N(x) + a_l) + b_l$ write into a stream and read from it, N being a norm or none.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import complete, gram_laws, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.functions import layer_norm, rms_norm, tanh
from clexact.programs.array import Array
from clexact.programs.model import Model

EPS = Fraction(1, 100000)
NORMS = (None, layer_norm, rms_norm)
PLAIN, LAYER, RMS = range(3)


def stream(d: int, f: int, blocks: int, norm: int, final: bool) -> Model:
    """Blocks with biases and a norm of a number before each, and before the output if ``final``."""
    normed = NORMS[norm]
    parameters: dict[str, tuple[int, ...]] = {}
    for k in range(1, blocks + 1):
        parameters |= {f"A{k}": (f, d), f"a{k}": (f,), f"B{k}": (d, f), f"b{k}": (d,)}

    def output(x: Array, **P: Array) -> Array:
        for k in range(1, blocks + 1):
            read = normed(x, eps=EPS) if normed else x
            x = x + P[f"B{k}"] @ tanh(P[f"A{k}"] @ read + P[f"a{k}"]) + P[f"b{k}"]
        return normed(x, eps=EPS) if normed and final else x

    return Model(parameters, {"x": d}, output, f"{blocks} blocks on a stream of {d}")


def embedded(v: int, d: int, f: int, blocks: int, tied: bool) -> Model:
    """U h of the stream h that starts as E^T x, with tanh blocks without biases; U is E if ``tied``."""
    parameters: dict[str, tuple[int, ...]] = {"E": (v, d)}
    if not tied:
        parameters["U"] = (v, d)
    for k in range(1, blocks + 1):
        parameters |= {f"A{k}": (f, d), f"B{k}": (d, f)}

    def output(x: Array, E: Array, U: Array | None = None, **P: Array) -> Array:
        h = E.T @ x
        for k in range(1, blocks + 1):
            h = h + P[f"B{k}"] @ tanh(P[f"A{k}"] @ h)
        return (E if U is None else U) @ h

    return Model(parameters, {"x": v}, output, f"{blocks} blocks between embeddings {v} -> {d}")


def _differences(flow: Flow, d: int, blocks: int) -> list[Polynomial]:
    """The sum of the entries of b_k less that of b_(k + 1)."""
    biases = [matrix(f"b{k}", (d,)).ravel() for k in range(1, blocks + 1)]
    texts = [" + ".join(first) + "".join(f" - {name}" for name in second) for first, second in pairwise(biases)]
    return [Polynomial.from_string(text, flow.variables) for text in texts]


def _across(size: Size, seed: int) -> Check:
    """The sums of the rows of A_k, as LayerNorm takes the mean out; and the differences of biases."""
    d, f, blocks = size
    flow = gradient_flow(stream(d, f, blocks, LAYER, final=False))
    rows = [law for k in range(1, blocks + 1) for law in sum_laws(flow, matrix(f"A{k}", (f, d), axis=0))]
    return complete(flow, rows + _differences(flow, d, blocks), seed)


def _final(size: Size, seed: int) -> Check:
    """With LayerNorm before the output: the sums of all that is written, too."""
    d, f, blocks = size
    flow = gradient_flow(stream(d, f, blocks, LAYER, final=True))
    laws = []
    for k in range(1, blocks + 1):
        laws += sum_laws(flow, matrix(f"A{k}", (f, d), axis=0)) + sum_laws(flow, matrix(f"B{k}", (d, f)))
        laws += sum_laws(flow, matrix(f"b{k}", (d,)).reshape(-1, 1))
    return complete(flow, laws, seed)


def _none(size: Size, seed: int) -> Check:
    d, f, blocks, norm = size
    final = norm == 3
    return complete(gradient_flow(stream(d, f, blocks, PLAIN if norm == 1 else RMS, final)), [], seed)


def _gram(size: Size, seed: int) -> Check:
    """E^T E and B_k B_k^T, which write, less A_k^T A_k and U^T U, which read."""
    v, d, f, blocks = size
    flow = gradient_flow(embedded(v, d, f, blocks, tied=False))
    numbers = range(1, blocks + 1)
    writing = [matrix("E", (v, d)), *(matrix(f"B{k}", (d, f), axis=0) for k in numbers)]
    reading = [matrix("U", (v, d)), *(matrix(f"A{k}", (f, d)) for k in numbers)]
    return complete(flow, gram_laws(flow, np.concatenate(writing), np.concatenate(reading)), seed)


def _tied(size: Size, seed: int) -> Check:
    v, d, f, blocks = size
    return complete(gradient_flow(embedded(v, d, f, blocks, tied=True)), [], seed)


def _weights(size: Size) -> int:
    d, f, blocks = size[:3]
    return blocks * (2 * d * f + d + f)


def _with_embeddings(size: Size) -> int:
    v, d, f, blocks = size
    return 2 * d * (v + f * blocks)


NAMES = ("d", "f", "blocks")
SIZES = "d: width of the stream, f: units of a block, tanh. "
HERE = "Noether's theorem; this package"
SUMS = r"\textstyle\sum_i (A_k)_{ji}"
CLAIMS = [
    Claim(
        "streams.across",
        "LayerNorms let one law cross each pair of blocks",
        HERE,
        Statement(
            "the sum of each row of A_k, and sum_i (b_k - b_{k+1})_i for each two blocks in turn, and no others",
            SUMS + r", \quad \textstyle\sum_i (b_k - b_{k+1})_i",
            _across,
        ),
        Grid(NAMES, _weights, 20, 32, edges=((3, 1, 3),), least=(3, 1, 1), most=(4, 2, 4)),
        note=SIZES + "Pre-norm, none at the end, eps = 10^-5: each norm is blind to the mean of what was added "
        "before it; the output sees the sum of these means. One block alone has no law of its bias.",
        fitted=False,
    ),
    Claim(
        "streams.final",
        "With a LayerNorm before the output each block keeps its own sums",
        HERE,
        Statement(
            "the sums of the rows of A_k, of the columns of B_k and of b_k, and no others",
            SUMS + r", \quad \textstyle\sum_i (B_k)_{ij}, \ \sum_i (b_k)_i",
            _final,
        ),
        Grid(NAMES, _weights, 20, 32, edges=((3, 1, 3),), least=(3, 1, 1), most=(4, 2, 4)),
        note=SIZES + "As streams.across, with the last norm of GPT-2.",
        fitted=False,
    ),
    Claim(
        "streams.none",
        "RMSNorm lets none cross, nor do blocks without norms",
        HERE,
        Statement("no law at all", r"\text{none}", _none),
        Grid((*NAMES, "norm"), _weights, 14, 26, least=(2, 1, 1, 1), most=(3, 2, 3, 3)),
        note=SIZES + "norm: 1 none, 2 RMSNorm before each block, 3 before the output too; eps = 10^-5.",
        fitted=False,
    ),
    Claim(
        "streams.gram",
        "Between embeddings the whole stream keeps a Gram matrix",
        HERE,
        Statement(
            "E^T E + sum_k B_k B_k^T - sum_k A_k^T A_k - U^T U: what writes less what reads; no others",
            r"E^\top E + \textstyle\sum_k B_k B_k^\top - \sum_k A_k^\top A_k - U^\top U",
            _gram,
        ),
        Grid(("v", "d", "f", "blocks"), _with_embeddings, 16, 28, edges=((2, 2, 1, 2), (2, 1, 1, 3)),
             least=(2, 1, 1, 1), most=(3, 3, 2, 3)),
        note="v tokens, stream of width d without norms, blocks of f tanh units without biases.",
        fitted=False,
    ),
    Claim(
        "streams.tied",
        "Tied embeddings keep nothing of it",
        HERE,
        Statement("no law at all", r"U = E: \text{ none}", _tied),
        Grid(("v", "d", "f", "blocks"), _with_embeddings, 16, 28, edges=((2, 2, 1, 2),), least=(2, 1, 1, 1),
             most=(3, 3, 2, 3)),
        note="As streams.gram with U = E: a change of basis of the stream must be orthogonal, which gives no law.",
        fitted=False,
    ),
]  # fmt: skip
