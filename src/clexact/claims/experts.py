r"""Mixtures of experts $x \mapsto \sum_i g_i(W x)\, E_i(x)$ (arXiv 2606.17816, theorems 4.5 to 4.7)."""

from __future__ import annotations

from itertools import product

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import complete, gram_laws, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.functions import relu, softmax
from clexact.programs.array import Array
from clexact.programs.model import Model


def gate_laws(flow: Flow, experts: int, m: int) -> list[Polynomial]:
    """sum_i W_ij for each input j."""
    return sum_laws(flow, matrix("W", (experts, m)))


def _dense(size: Size, seed: int) -> Check:
    m, experts, n = size
    flow = gradient_flow(models.moe(m, experts, n))
    return complete(flow, gate_laws(flow, experts, m), seed)


def _sigmoid(size: Size, seed: int, with_sums: bool) -> Check:
    """With normalised sigmoid gates: the sums, or nothing where there are two experts or more."""
    m, experts, n = size
    gate = "sigmoid" if experts > 1 else "softmax"  # of one expert, both gates are 1
    flow = gradient_flow(models.moe(m, experts, n, gate))
    return complete(flow, gate_laws(flow, experts, m) if with_sums or experts == 1 else [], seed)


def _top(size: Size, seed: int, single: bool = False) -> Check:
    """Sizes (m, experts, k); with ``single``, all entries of W are laws where one expert is chosen."""
    m, experts, k = size
    flow = gradient_flow(models.moe(m, experts, 1, "topk", k))
    chosen = matrix("W", (experts, m)).reshape(1, -1) if single and k == 1 else matrix("W", (experts, m))
    return complete(flow, sum_laws(flow, chosen), seed)


def rectified_experts(m: int, experts: int, r: int, n: int) -> Model:
    """Softmax gates on experts U_i relu(V_i^T x)."""
    parameters = {"W": (experts, m)} | {f"U{i}": (n, r) for i in range(experts)}
    parameters |= {f"V{i}": (m, r) for i in range(experts)}

    def output(W: Array, x: Array, **E: Array) -> Array:
        gates = softmax(W @ x)
        total: Array | None = None
        for i in range(experts):
            part = gates[i : i + 1] * (E[f"U{i}"] @ relu(E[f"V{i}"].T @ x))
            total = part if total is None else total + part
        assert total is not None
        return total

    return Model(parameters, {"x": (m,)}, output)


def _rectified(size: Size, seed: int) -> Check:
    m, experts, r, n = size
    flow = gradient_flow(rectified_experts(m, experts, r, n))
    laws = gate_laws(flow, experts, m)
    for i in range(experts):
        laws += gram_laws(flow, matrix(f"U{i}", (n, r)), matrix(f"V{i}", (m, r)), diagonal=True)
    return complete(flow, laws, seed)


TOP = tuple((m, e, k) for m, e, k in product((1, 2, 3), repeat=3) if 2 <= k <= e <= m + 1)
TOP_ONE = tuple((m, e) for m, e in product((1, 2, 3), repeat=2) if e <= m + 1)
GRID = Grid(("m", "E", "n"), lambda size: size[0] * size[1] * (1 + size[2]), quick=4, full=16,
            edges=((1, 1, 1), (1, 3, 1), (1, 1, 3), (3, 2, 1), (2, 3, 2)), most=(5, 4, 5))  # fmt: skip
SUMS = r"\sum_i W_{ij}, \quad j = 1, \dots, m"

CLAIMS = [
    Claim(
        "experts.softmax",
        "The laws of a dense softmax mixture",
        "arXiv 2606.17816, theorem 4.5",
        Statement("sum_i W_ij for each input j, and no others but those of the experts", SUMS, _dense),
        GRID,
        note="m inputs, E linear experts, n outputs: such experts have no law of their own.",
    ),
    Claim(
        "experts.relu",
        "With ReLU experts, which have laws of their own",
        "arXiv 2606.17816, theorem 4.5",
        Statement(
            "sum_i W_ij for each input j, ||u||^2 - ||v||^2 for each unit of an expert, and no others",
            SUMS + r", \quad \|u_{ik}\|^2 - \|v_{ik}\|^2",
            _rectified,
        ),
        Grid(
            ("m", "E", "r", "n"),
            lambda size: size[1] * (size[0] + size[2] * (size[0] + size[3])),
            quick=5,
            full=12,
            edges=((1, 2, 1, 1), (2, 2, 1, 1), (1, 1, 2, 1)),
        ),
        fitted=False,
    ),
    Claim(
        "experts.top-k",
        "Top-k softmax gates have the same laws",
        "arXiv 2606.17816, theorem 4.6 (k > 1)",
        Statement("sum_i W_ij for each input j, and no others but those of the experts", SUMS, _top),
        Grid(("m", "E", "k"), lambda size: size[0] * size[1] * 2, 0, 0, edges=TOP),
        note="E <= m + 1 experts, each set of k of which is selected by some input. One output.",
    ),
    Claim(
        "experts.top-1",
        "What the theorem leaves out: top-1 gates",
        "arXiv 2606.17816, theorem 4.6 takes k > 1",
        Statement(
            "for k = 1 too, sum_i W_ij for each input j, and no others",
            SUMS,
            lambda size, seed: _top((*size, 1), seed),
        ),
        Grid(("m", "E"), lambda size: size[0] * size[1] * 2, 0, 0, edges=TOP_ONE),
        instead=Statement(
            "all entries of W: the gate of the one expert chosen is 1",
            r"W_{ij}, \quad i = 1, \dots, E, \ j = 1, \dots, m",
            lambda size, seed: _top((*size, 1), seed, single=True),
        ),
        note="E <= m + 1, as above.",
    ),
    Claim(
        "experts.sigmoid",
        "Normalised sigmoid gates have the same laws",
        "arXiv 2606.17816, theorem 4.7",
        Statement(
            "sum_i W_ij for each input j, as with softmax gates",
            SUMS,
            lambda size, seed: _sigmoid(size, seed, True),
        ),
        GRID,
        instead=Statement(
            "no law at all with two experts or more; with one, W is not used and does not move",
            r"E \ge 2: \text{ no conservation law}",
            lambda size, seed: _sigmoid(size, seed, False),
        ),
        fitted=False,
        note="Adding one number to all logits leaves a softmax as it is; it changes sigmoid(z_i) / sum_j sigmoid(z_j).",
    ),
]
