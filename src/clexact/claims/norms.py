r"""Norms: what is left when a scale, a mean or a bias is divided or taken out (Noether's theorem; arXiv 2012.04728)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import EXACT, complete, gram_laws, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow

KINDS = ("batch", "layer", "rms")  # number 1, 2, 3 of a size
EPS = Fraction(1, 100000)
SCALE = "scale symmetry: arXiv 2012.04728, and Noether's theorem"


def hidden(size: Size, norm: str, act: str = "tanh", eps: Fraction | int = 0, affine: bool = False) -> Flow:
    """Of U1 act(g N(U2 x + b) + s), a size being (outputs, hidden units, inputs); b, g and s if ``affine``."""
    return gradient_flow(models.mlp(list(size), act, norm, affine, affine, eps))


def squares(flow: Flow, entries: np.ndarray) -> list[Polynomial]:
    """The squared norm of each column."""
    return gram_laws(flow, entries, entries[:0], diagonal=True)


def rows(name: str, n: int, m: int) -> np.ndarray:
    """The entries of an n x m parameter, with a column for each of its rows."""
    return matrix(name, (n, m), axis=0)


def whole(name: str, n: int, m: int) -> np.ndarray:
    """The entries of an n x m parameter as one column."""
    return matrix(name, (n, m)).reshape(-1, 1)


def _batch(size: Size, seed: int) -> Check:
    _, r, m = size
    flow = hidden(size, "batch")
    return complete(flow, squares(flow, rows("U2", r, m)), seed)


def _layer(size: Size, seed: int) -> Check:
    _, r, m = size
    flow = hidden(size, "layer")
    return complete(flow, sum_laws(flow, matrix("U2", (r, m))) + squares(flow, whole("U2", r, m)), seed)


def _rms(size: Size, seed: int) -> Check:
    _, r, m = size
    flow = hidden(size, "rms")
    return complete(flow, squares(flow, whole("U2", r, m)), seed)


def _affine(size: Size, seed: int) -> Check:
    """With biases before the norm and gains and shifts after it, and ReLU units."""
    n, r, m, kind = size
    flow = hidden((n, r, m), KINDS[kind - 1], "relu", affine=True)
    before, biases = rows("U2", r, m), matrix("b2", (r,)).reshape(1, -1)
    affine = np.concatenate([matrix(f"{name}2", (r,)).reshape(1, -1) for name in "gs"])
    laws = gram_laws(flow, matrix("U1", (n, r)), affine, diagonal=True)
    if KINDS[kind - 1] == "batch":
        laws += squares(flow, before) + sum_laws(flow, biases)
    else:
        laws += squares(flow, np.concatenate([before, biases]).reshape(-1, 1))
    if KINDS[kind - 1] == "layer":
        laws += sum_laws(flow, matrix("U2", (r, m))) + sum_laws(flow, biases.T)
    return complete(flow, laws, seed)


def _eps(size: Size, seed: int) -> Check:
    """With eps > 0 and tanh: the sums that the mean of a layer takes out."""
    n, r, m, kind = size
    flow = hidden((n, r, m), KINDS[kind - 1], eps=EPS)
    return complete(flow, sum_laws(flow, matrix("U2", (r, m))) if KINDS[kind - 1] == "layer" else [], seed)


def _cosine(size: Size, seed: int) -> Check:
    r, m, n = size
    flow = gradient_flow(models.cosine(r, m, n))
    return complete(flow, squares(flow, whole("U", r, m)) + squares(flow, whole("V", r, n)), seed)


def _weights(size: Size, seed: int) -> Check:
    n, r, m = size
    flow = gradient_flow(models.weight_norm(m, r, n, "tanh", gain=True, bias=True))
    return complete(flow, squares(flow, matrix("V", (m, r))), seed)


def _dimension(size: Size) -> int:
    n, r, m = size[:3]
    return (n + m) * r


NAMES = ("n", "r", "m")
KINDS_OF_NORM = ((1, 1, 2, 1), (1, 2, 2, 1), (1, 3, 2, 2), (1, 2, 2, 3), (2, 2, 2, 3))
ALL = "n outputs, r hidden units, m inputs; of tanh, which has no law of its own. " + EXACT
ROOTS = "For m = 1 the radicands of two units have a square as their product: no statement there."
CLAIMS = [
    Claim(
        "norms.batch",
        "BatchNorm keeps the norm of each row before it",
        SCALE,
        Statement(
            "||v_k||^2 for each unit before the norm, and no others",
            r"\|v_k\|^2, \quad k = 1, \dots, r",
            _batch,
        ),
        Grid(NAMES, _dimension, 6, 14, least=(1, 1, 2)),
        note=f"{ALL} A batch of three inputs, eps = 0. {ROOTS}",
    ),
    Claim(
        "norms.layer",
        "LayerNorm keeps the sums of the columns before it, and their norm",
        SCALE,
        Statement(
            "sum_k V_ki for each input i and ||V||_F^2, and no others",
            r"\sum_k V_{ki}, \quad \|V\|_F^2",
            _layer,
        ),
        Grid(NAMES, _dimension, 12, 20, least=(1, 3, 2)),
        note=f"{ALL} r >= 3, m >= 2, eps = 0: of two entries the variance is a square, and the norm a sign.",
    ),
    Claim(
        "norms.rms",
        "RMSNorm keeps the norm of the matrix before it",
        SCALE,
        Statement("||V||_F^2 and no others", r"\|V\|_F^2", _rms),
        Grid(NAMES, _dimension, 8, 16, least=(1, 2, 2)),
        note=f"{ALL} eps = 0.",
    ),
    Claim(
        "norms.affine",
        "Biases before a norm, gains and shifts behind it",
        SCALE,
        Statement(
            "the squared norms that the norm keeps, biases included; ||u_k||^2 - g_k^2 - s_k^2 for each unit; each b_k "
            "before BatchNorm, the sums of b and of the columns of V before LayerNorm; and no others",
            r"\|u_k\|^2 - g_k^2 - s_k^2, \quad b_k \text{ (batch)}, \quad \sum_k b_k, \ \sum_k V_{ki} \text{ (layer)}",
            _affine,
        ),
        Grid((*NAMES, "norm"), _dimension, 9, 15, edges=KINDS_OF_NORM, least=(1, 3, 2, 1), most=(2, 4, 3, 3)),
        fitted=False,
        note="norm: 1 BatchNorm of three inputs, 2 LayerNorm, 3 RMSNorm; ReLU units, eps = 0. What is constant over "
        "what a mean is taken over is taken out: it does not move.",
    ),
    Claim(
        "norms.eps",
        "With eps > 0 no scale is kept",
        "PyTorch's norms have eps = 10^-5; this package",
        Statement(
            "no law but the sums of the columns of V before LayerNorm",
            r"\varepsilon > 0: \quad \sum_k V_{ki} \text{ (layer) and no others}",
            _eps,
        ),
        Grid((*NAMES, "norm"), _dimension, 9, 15, edges=KINDS_OF_NORM, least=(1, 3, 2, 1), most=(2, 4, 3, 3)),
        fitted=False,
        note="norm: 1 BatchNorm of three inputs, 2 LayerNorm, 3 RMSNorm; tanh units, eps = 10^-5.",
    ),
    Claim(
        "norms.cosine",
        "A cosine keeps the norms of both maps",
        SCALE,
        Statement(
            "||U||_F^2 and ||V||_F^2 of cos(U x, V y), and no others",
            r"\cos(U x, V y): \quad \|U\|_F^2, \ \|V\|_F^2",
            _cosine,
        ),
        Grid(("r", "m", "n"), lambda size: size[0] * (size[1] + size[2]), 12, 20, least=(2, 2, 2), most=(4, 8, 8)),
        note="2 <= r <= 4 outputs, m, n >= 2 inputs: for r > m + n the span of all columns of U and V is kept, too.",
    ),
    Claim(
        "norms.weights",
        "Normalised weights with gains, biases and tanh",
        "scale invariance (weight normalisation)",
        Statement(
            "||v_k||^2 for each unit u_k tanh(g_k <v_k, x>/||v_k|| + b_k), and no others",
            r"u_k \tanh(g_k \langle v_k, x\rangle / \|v_k\| + b_k): \quad \|v_k\|^2",
            _weights,
        ),
        Grid(NAMES, _dimension, 6, 14, least=(1, 1, 2)),
        note="others.normalised-gain has ReLU. " + EXACT,
    ),
]
