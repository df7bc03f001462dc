r"""Families without a paper of their laws: graph attention, KANs, equivariant layers, tensors, recurrences, adapters.

What a source states of some of them is one law; here all are counted. The laws are those of Noether's theorem for the
symmetries named; that there are no others is a rank of brackets.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import EXACT, complete, counted, gram_laws, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.functions import relu, rsqrt, silu, softmax
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model

HERE = "this package; Noether's theorem for the laws"
SLOPE = Fraction(1, 5)  # of the leaky ReLU of graph attention
NODES = 3

# --- graph attention -------------------------------------------------------------------------------------------------


def graph_attention(widths: Size, leaky: bool) -> Model:
    """Layers of one head on the complete graph: x_i <- sum_j softmax_j(phi(<a, W x_i> + <b, W x_j>)) W x_j."""
    layers = range(len(widths) - 1)
    parameters: dict[str, tuple[int, ...]] = {}
    for k in layers:
        parameters |= {f"W{k + 1}": (widths[k], widths[k + 1])} | {f"{name}{k + 1}": (widths[k + 1],) for name in "ab"}

    def output(X: Array, **P: Array) -> Array:
        for k in layers:
            Z = X @ P[f"W{k + 1}"]
            scores = (Z @ P[f"a{k + 1}"]).reshape(NODES, 1) + (Z @ P[f"b{k + 1}"]).reshape(1, NODES)
            X = softmax(relu(scores, slope=SLOPE) if leaky else scores, axis=1) @ Z
            X = relu(X) if k < len(widths) - 2 else X
        return X

    return Model(parameters, {"X": (NODES, widths[0])}, output, f"graph attention {' -> '.join(map(str, widths))}")


def _norms_of_layers(size: Size, leaky: bool) -> tuple[Flow, list[Polynomial]]:
    """|W_k|^2 - a_k^2 - b_k^2 less the norm of what reads unit k, for each unit between two layers."""
    flow = gradient_flow(graph_attention(size, leaky))
    laws = []
    for k in range(1, len(size) - 1):
        read = [matrix(f"{name}{k}", (size[k],)).reshape(1, -1) for name in "ab"]
        read.append(matrix(f"W{k + 1}", (size[k], size[k + 1]), axis=0))
        laws += gram_laws(flow, matrix(f"W{k}", (size[k - 1], size[k])), np.concatenate(read), diagonal=True)
    return flow, laws


def _graph(size: Size, seed: int) -> Check:
    return complete(*_norms_of_layers(size, leaky=True), seed)


def _graph_linear(size: Size, seed: int) -> Check:
    """Scores without the leaky ReLU: what a node adds to all of its scores is not seen."""
    flow, laws = _norms_of_layers(size, leaky=False)
    for k in range(1, len(size)):
        laws += sum_laws(flow, matrix(f"a{k}", (size[k],)).reshape(1, -1))
    return complete(flow, laws, seed)


def _graph_parameters(size: Size) -> int:
    return sum(a * b + 2 * b for a, b in pairwise(size))


# --- KANs, equivariant layers, recurrences ----------------------------------------------------------------------------


def powers(widths: Size, degree: int) -> Model:
    """Kolmogorov-Arnold layers: unit i is the sum over j and k of c_ijk x_j^k, 1 <= k <= degree."""
    parameters = {f"C{layer}": (n, degree, m) for layer, (m, n) in enumerate(pairwise(widths), 1)}

    def output(x: Array, **C: Array) -> Array:
        for c in C.values():
            basis = concatenate([(x**k).reshape(1, -1) for k in range(1, degree + 1)])
            x = (c * basis.reshape(1, degree, -1)).sum(2).sum(1)
        return x

    return Model(parameters, {"x": widths[0]}, output, f"KAN {' -> '.join(map(str, widths))}, degree {degree}")


def _powers(size: Size, seed: int) -> Check:
    """The k-th coefficient weighs k times as much: x_j^k scales by the k-th power."""
    *widths, degree = size
    flow = gradient_flow(powers(tuple(widths), degree))
    m, r, n = widths
    before, after = matrix("C1", (r, degree, m), axis=0), matrix("C2", (n, degree, r)).reshape(n, degree, r)
    texts = [
        " + ".join(f"{name}^2" for name in before[:, i])
        + "".join(f" - {k + 1}*{name}^2" for k in range(degree) for name in after[:, k, i])
        for i in range(r)
    ]
    return complete(flow, [Polynomial.from_string(text, flow.variables) for text in texts], seed)


def equivariant(m: int, r: int, n: int, apart: bool) -> Model:
    """Two linear layers on sets: X A + mean(X) B, or, with the intertwiners ``apart``, (X - mean(X)) A + mean(X) B."""

    def layer(A: Array, B: Array, X: Array) -> Array:
        mean = X.mean(axis=0).reshape(1, -1)
        result: Array = (X - mean if apart else X) @ A + mean @ B
        return result

    return Model(
        {"A1": (m, r), "B1": (m, r), "A2": (r, n), "B2": (r, n)}, {"X": (NODES, m)},
        lambda A1, B1, A2, B2, X: layer(A2, B2, layer(A1, B1, X)),
        f"linear layers on sets {m} -> {r} -> {n}",
    )  # fmt: skip


def _pair(flow: Flow, name: str, size: Size) -> list[Polynomial]:
    m, r, n = size
    return gram_laws(flow, matrix(f"{name}1", (m, r)), matrix(f"{name}2", (r, n), axis=0))


def _apart(size: Size, seed: int) -> Check:
    m, r, n = size
    flow = gradient_flow(equivariant(m, r, n, apart=True))
    return complete(flow, _pair(flow, "A", size) + _pair(flow, "B", size), seed)


def _mixed(size: Size, seed: int) -> Check:
    """[A1; B1]^T [A1; B1] - [A2, B2] [A2, B2]^T, and for m = n = 1 the entries i < j of a_1 a_2^T - a_2 a_1^T + ..."""
    m, r, n = size
    flow = gradient_flow(equivariant(m, r, n, apart=False))
    first, second = (np.concatenate([matrix(f"{name}1", (m, r)) for name in "AB"]),
                     np.concatenate([matrix(f"{name}2", (r, n), axis=0) for name in "AB"]))  # fmt: skip
    laws = gram_laws(flow, first, second)
    if m == n == 1:
        texts = [
            " + ".join(f"{a[i]}*{b[j]} - {a[j]}*{b[i]}" for a, b in zip(first, second, strict=True))
            for i in range(r) for j in range(i + 1, r)
        ]  # fmt: skip
        laws += [Polynomial.from_string(text, flow.variables) for text in texts]
    return complete(flow, laws, seed)


def _recurrent(size: Size, seed: int) -> Check:
    """U h_T, h_t = W h_{t-1} + V^T x_t; W is on both sides of its state."""
    m, r, n, rectified = size
    flow = gradient_flow(models.recurrent(m, r, n, relu=rectified == 2))
    plus = np.concatenate([matrix("U", (n, r)), matrix("W", (r, r))])
    minus = np.concatenate([matrix("W", (r, r), axis=0), matrix("V", (m, r))])
    return complete(flow, gram_laws(flow, plus, minus, diagonal=rectified == 2), seed)


def _gated_cells(size: Size, seed: int) -> Check:
    m, r, n, kind = size
    return counted(gradient_flow((models.gru, models.lstm)[kind - 1](m, r, n)), 0, seed)


def _depth_tied(size: Size, seed: int) -> Check:
    """Euler steps x <- x + U sigma(V^T x) of a neural ODE: all steps share U and V."""
    d, h, steps, rectified = size

    def output(U: Array, V: Array, x: Array) -> Array:
        for _ in range(steps):
            hidden = V.T @ x
            x = x + U @ (relu(hidden) if rectified == 2 else hidden)
        return x

    flow = gradient_flow(Model({"U": (d, h), "V": (d, h)}, {"x": d}, output, f"{steps} Euler steps"))
    return complete(flow, gram_laws(flow, matrix("U", (d, h)), matrix("V", (d, h)), diagonal=rectified == 2), seed)


# --- tensors and adapters ---------------------------------------------------------------------------------------------


def _sums_of_products(size: Size, seed: int) -> Check:
    """CP: |u^1_k|^2 - |u^i_k|^2, however many products there are."""
    *dims, rank = size
    flow = gradient_flow(models.factorization(dims, rank=rank))
    factors = [matrix(f"U{i}", (n, rank)) for i, n in enumerate(dims, 1)]
    return complete(flow, [law for f in factors[1:] for law in gram_laws(flow, factors[0], f, diagonal=True)], seed)


def _train(size: Size, seed: int) -> Check:
    """A tensor train A B C: a Gram law at each bond."""
    n, r = size
    model = Model(
        {"A": (n, r), "B": (r, n, r), "C": (r, n)}, {},
        lambda A, B, C: (A @ B.reshape(r, n * r)).reshape(n * n, r) @ C, f"tensor train {n} x {n} x {n}, bonds {r}",
    )  # fmt: skip
    flow = gradient_flow(model)
    left, right = matrix("B", (r, n, r), axis=0), matrix("B", (r, n, r))
    laws = gram_laws(flow, matrix("A", (n, r)), left) + gram_laws(flow, right, matrix("C", (r, n), axis=0))
    return complete(flow, laws, seed)


def _symmetric(size: Size, seed: int) -> Check:
    """U U^T: its fields are S U, S symmetric, whose brackets are all A U; the rows of U keep their span."""
    n, r = size
    return counted(gradient_flow(models.shared(n, r)), n * max(r - n, 0), seed)


def _dora(size: Size, seed: int) -> Check:
    """Columns of W_0 + B A normalised, times gains; W_0 is the matrix of 1, 2, 3, ..."""
    n, m, r = size
    fixed = np.arange(1, n * m + 1).reshape(n, m)

    def output(A: Array, B: Array, g: Array, x: Array) -> Array:
        W: Array = B @ A + fixed
        return W @ (g * rsqrt((W * W).sum(0)) * x)

    flow = gradient_flow(Model({"A": (r, m), "B": (n, r), "g": (m,)}, {"x": m}, output, f"DoRA {n} x {m}, rank {r}"))
    return complete(flow, gram_laws(flow, matrix("A", (r, m), axis=0), matrix("B", (n, r))), seed)


def _retention(size: Size, seed: int) -> Check:
    """Linear attention without softmax; with SiLU features and RMSNorm before the last map."""
    d, h, normed = size

    def output(Q: Array, K: Array, V: Array, O: Array, X: Array) -> Array:  # noqa: E741
        q, k = X @ Q, X @ K
        if normed == 2:
            q, k = silu(q), silu(k)
        Y = q @ (k.T @ (X @ V))
        if normed == 2:
            Y = Y * rsqrt((Y * Y).mean(axis=1)).reshape(2, 1)
        return Y @ O.T

    flow = gradient_flow(Model(dict.fromkeys("QKVO", (d, h)), {"X": (2, d)}, output, f"linear attention {d} {h}"))
    Q, K, V, O = (matrix(name, (d, h)) for name in "QKVO")  # noqa: E741
    values, keys = V.reshape(-1, 1), K.reshape(-1, 1)
    if normed == 2:
        return complete(flow, gram_laws(flow, values, values[:0]), seed)
    return complete(flow, gram_laws(flow, Q, K) + gram_laws(flow, V, O) + gram_laws(flow, values, keys), seed)


def _matrix(size: Size) -> int:
    m, r, n = size[:3]
    return r * (m + n)


def _square(size: Size) -> int:
    return _matrix(size) + size[1] ** 2


def _widths(size: Size) -> int:
    return 4 * size[0] * size[1]


def _tensor(size: Size) -> int:
    return sum(size[:-1]) * size[-1]


NAMES = ("m", "r", "n")
CLAIMS = [
    Claim(
        "families.graph",
        "Graph attention keeps a norm for each unit between two layers",
        "arXiv 2310.07235 (that it is kept); this package (no others)",
        Statement(
            "|W_k|^2 - a_k^2 - b_k^2 - |M_k|^2 for each unit k, M what reads it, and no others",
            r"\|W_k\|^2 - a_k^2 - b_k^2 - \|M_k\|^2",
            _graph,
        ),
        Grid(("widths...",), _graph_parameters, 12, 24, edges=((1, 1, 1), (1, 2, 2, 1)), lengths=(3,)),
        note="One head, complete graph of three nodes, leaky ReLU of slope 1/5 in the scores, ReLU between layers.",
    ),
    Claim(
        "families.graph-linear",
        "Without the leaky ReLU half of its scores never moves",
        HERE,
        Statement(
            "the same and each a_k: what a node adds to all of its scores is not seen by softmax",
            r"\|W_k\|^2 - a_k^2 - b_k^2 - \|M_k\|^2, \quad a_k",
            _graph_linear,
        ),
        Grid(("widths...",), _graph_parameters, 12, 20, edges=((1, 1, 1), (1, 2, 2, 1)), lengths=(3,)),
        note="As families.graph; this is the static attention of arXiv 2105.14491.",
    ),
    Claim(
        "families.kan",
        "Kolmogorov-Arnold layers of polynomials keep one law for each unit",
        HERE,
        Statement(
            "sum c_ij^2 - sum_k k d_ki^2 for each unit i, d_k being the coefficients of its k-th power, and no others",
            r"\sum_{j, k} c_{ijk}^2 - \sum_{l, k} k\, d_{lki}^2",
            _powers,
        ),
        Grid((*NAMES, "degree"), lambda size: _matrix(size) * size[3], 12, 24, edges=((1, 1, 1, 4),),
             least=(1, 1, 1, 2), most=(3, 3, 3, 4)),
        note="Powers 1 to degree (>= 2) on each edge, two layers.",
        fitted=False,
    ),
    Claim(
        "families.sets",
        "Equivariant linear layers keep a Gram matrix for each kind of feature",
        HERE,
        Statement(
            "A_1^T A_1 - A_2 A_2^T and B_1^T B_1 - B_2 B_2^T, and no others",
            r"A_1^\top A_1 - A_2 A_2^\top, \quad B_1^\top B_1 - B_2 B_2^\top",
            _apart,
        ),
        Grid(NAMES, _matrix, 6, 12, edges=((1, 3, 1),)),
        note="Layers (X - mean) A + mean B on sets of three: A acts on differences, B on means.",
    ),
    Claim(
        "families.sets-mixed",
        "Written as X A + mean(X) B they keep one Gram matrix for both",
        HERE,
        Statement(
            "A_1^T A_1 + B_1^T B_1 - A_2 A_2^T - B_2 B_2^T, for m = n = 1 also the antisymmetric parts of "
            "A_1^T A_2^T + B_1^T B_2^T, and no others",
            r"A_1^\top A_1 + B_1^\top B_1 - A_2 A_2^\top - B_2 B_2^\top",
            _mixed,
        ),
        Grid(NAMES, _matrix, 6, 12, edges=((1, 3, 1),)),
        note="The functions of families.sets in the coordinates of Deep Sets: the laws depend on them.",
        fitted=False,
    ),
    Claim(
        "families.recurrent",
        "A linear recurrence keeps a Gram matrix of its state",
        HERE,
        Statement(
            "U^T U + W^T W - W W^T - V^T V, with ReLU its diagonal, and no others",
            r"U^\top U + W^\top W - W W^\top - V^\top V",
            _recurrent,
        ),
        Grid((*NAMES, "act"), _square, 12, 24, edges=((1, 1, 1, 1), (1, 1, 1, 2)), most=(3, 3, 3, 2)),
        note="U h_T, h_t = act(W h_{t-1} + V^T x_t), three steps; act: 1 linear, 2 ReLU.",
        fitted=False,
    ),
    Claim(
        "families.cells",
        "GRU and LSTM keep nothing",
        HERE,
        Statement("no law, without biases", r"\text{none}", _gated_cells),
        Grid((*NAMES, "cell"), _square, 5, 12, edges=((1, 1, 1, 1), (1, 1, 1, 2)), most=(2, 3, 2, 2)),
        note="cell: 1 GRU, 2 LSTM, two steps. Of two biases that are added their difference is kept.",
        fitted=False,
    ),
    Claim(
        "families.euler",
        "Steps that share their weights keep what one step keeps",
        HERE,
        Statement("U^T U - V^T V, with ReLU its diagonal, and no others", r"U^\top U - V^\top V", _depth_tied),
        Grid(("d", "h", "steps", "act"), lambda size: 2 * size[0] * size[1], 6, 16,
             edges=((1, 3, 2, 1), (1, 3, 3, 1), (2, 2, 4, 2)), least=(1, 1, 2, 1), most=(3, 4, 3, 2)),
        note="A neural ODE by Euler's method; act: 1 linear, 2 ReLU. Beyond one step ReLUs are those of free gates.",
        fitted=False,
    ),
    Claim(
        "families.cp",
        "A sum of many products keeps two numbers for each product",
        HERE,
        Statement(
            "|u_k|^2 - |v_k|^2 and |u_k|^2 - |w_k|^2 for each product, and no others",
            r"\|u_k\|^2 - \|v_k\|^2, \quad \|u_k\|^2 - \|w_k\|^2",
            _sums_of_products,
        ),
        Grid(("n1", "n2", "n3", "rank"), _tensor, 18, 30, edges=((2, 2, 2, 8),), least=(2, 2, 2, 1), most=(3, 3, 3, 8)),
        note="All of a 2 x 2 x 2 tensor is reached by three products; eight keep 16 numbers all the same. " + EXACT,
        fitted=False,
    ),
    Claim(
        "families.train",
        "A tensor train keeps a Gram matrix at each bond",
        HERE,
        Statement(
            "A^T A - B_(1) B_(1)^T and B_(3) B_(3)^T - C C^T, B_(i) its unfoldings, and no others",
            r"A^\top A - B_{(1)} B_{(1)}^\top, \quad B_{(3)} B_{(3)}^\top - C C^\top",
            _train,
        ),
        Grid(("n", "r"), lambda size: 2 * size[0] * size[1] + size[0] * size[1] ** 2, 24, 45,
             edges=((2, 3),), least=(2, 1)),
        note="n x n x n tensors, n >= 2, both bonds of size r. For n = 1 it is linear 1 r r 1 (deep.last).",
        fitted=False,
    ),
    Claim(
        "families.symmetric",
        "U U^T keeps the span of its rows, and no polynomial",
        "Burer-Monteiro factorization; this package",
        Statement("n (r - n) laws if r > n, else none", r"n\,(r - n)^+", _symmetric),
        Grid(("n", "r"), lambda size: size[0] * size[1], 10, 18, edges=((1, 5), (2, 5), (3, 3))),
        note="U is n x r. The laws are coordinates of the row space, quotients of minors of size n.",
    ),
    Claim(
        "families.dora",
        "DoRA keeps what LoRA keeps",
        HERE,
        Statement("A A^T - B^T B, and no others", r"A A^\top - B^\top B", _dora),
        Grid(("n", "m", "r"), lambda size: size[2] * (size[0] + size[1]), 6, 12, edges=((2, 2, 3),), least=(2, 2, 1)),
        note="Columns of W_0 + B A, normalised, times gains; n, m >= 2. The gains take no part.",
    ),
    Claim(
        "families.retention",
        "Linear attention, and what features and a norm leave of it",
        HERE,
        Statement(
            "Q^T Q - K^T K, V^T V - O^T O and |V|^2 - |K|^2; with SiLU features and RMSNorm |V|^2 alone",
            r"Q^\top Q - K^\top K, \ V^\top V - O^\top O, \ \|V\|^2 - \|K\|^2 \quad \text{or} \quad \|V\|^2",
            _retention,
        ),
        Grid(("d", "h", "norm"), _widths, 16, 36, edges=((1, 2, 1), (1, 3, 1), (2, 1, 1)), least=(2, 2, 1),
             most=(3, 3, 2)),
        note="X Q (X K)^T X V O^T on two tokens; norm: 1 without, 2 with SiLU features and RMSNorm, eps = 0.",
        fitted=False,
    ),
]  # fmt: skip
