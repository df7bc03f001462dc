"""ReLU networks near a generic parameter: all path products (talk, slides 6, 24, 26 and 28; arXiv 2307.00144)."""

from __future__ import annotations

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import counted, drawn_point, filtered, gradient_rank, identity, lawful, spanned
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored, layers, weights
from clexact.flows.gradient import GradientFlow
from clexact.lie.closure import LieClosure

GRID = Grid(
    ("n", "r", "m"), factored, quick=6, full=16,
    edges=((1, 6, 1), (1, 1, 6), (6, 1, 1), (4, 3, 5)),
)  # fmt: skip
BIASED = Grid(
    ("n", "r", "m"), lambda size: (size[0] + size[2] + 1) * size[1], quick=7, full=16,
    edges=((1, 6, 1), (1, 1, 6), (6, 1, 1), (4, 3, 5)),
)  # fmt: skip
EDGES = ((1, 1, 1, 1, 1, 1), (1, 2, 2, 1), (1, 3, 1, 2), (2, 2, 2, 2), (1, 5, 1, 1))
DEEP = layers(weights, quick=5, full=11, edges=EDGES)


def with_biases(widths: Size) -> int:
    """Number of weights and biases of hidden units."""
    return weights(widths) + sum(widths[1:-1])


BIASED_DEEP = layers(with_biases, quick=7, full=13, edges=EDGES)


def flow(widths: Size, bias: bool = False) -> GradientFlow:
    """Of a ReLU network of these widths, outputs first; (n, r, m) has two layers."""
    return GradientFlow(models.relu(list(widths), bias=bias))


def norms(widths: Size, bias: bool = False) -> list[Polynomial]:
    """For each hidden unit: squares of what leaves it, minus squares of what enters it, its bias included."""
    names = flow(widths, bias).variables
    texts = []
    for layer, (rows, width, columns) in enumerate(zip(widths, widths[1:], widths[2:], strict=False), start=1):
        for k in range(width):
            leaving = " + ".join(f"U{layer}[{i},{k}]^2" for i in range(rows))
            entering = "".join(f" - U{layer + 1}[{k},{j}]^2" for j in range(columns))
            texts.append(leaving + entering + (f" - b{layer + 1}[{k}]^2" if bias else ""))
    return [Polynomial.from_string(text, names) for text in texts]


NORMS = "U1[i,k]*U1[i,k] - U2[k,j]*U2[k,j]"
TWO = (network("relu", "n r m", NORMS),)
TWO_BIASED = (network("relu", "n r m", f"{NORMS} - b2[k]*b2[k]", bias=True),)
NEXT = "U2[i,k]*U2[i,k] - U3[k,j]*U3[k,j]"
THREE = (network("relu", "n r s m", NORMS, NEXT),)
THREE_BIASED = (network("relu", "n r s m", f"{NORMS} - b2[k]*b2[k]", f"{NEXT} - b3[k]*b3[k]", bias=True),)


def hidden(widths: Size) -> int:
    """Number of hidden units."""
    return sum(widths[1:-1])


def _involutive(closure: LieClosure) -> bool:
    """W_0 has the last dimension already."""
    return closure.dims[0] == closure.rank


def _independent_where_alive(size: Size, seed: int) -> Check:
    """With the first k units dead, for every k: as many independent gradients as units alive."""
    n, r, m = size
    laws, names = norms(size), flow(size).variables
    point = drawn_point(len(names), seed)

    def dead(k: int) -> list[int]:
        unit = [i % r for i in range(n * r)] + [i // m for i in range(r * m)]
        return [0 if unit[i] < k else c for i, c in enumerate(point)]

    found = [gradient_rank(laws, dead(k)) for k in range(r + 1)]
    return identity(
        found == list(range(r, -1, -1)), f"ranks {', '.join(map(str, range(r, -1, -1)))}",
        f"with 0, ..., {r} units dead: ranks {', '.join(map(str, found))}", "exact ranks over Q at drawn points",
        len(names),
    )  # fmt: skip


def _span(size: Size, seed: int, bias: bool = False) -> Check:
    return spanned(flow(size, bias), norms(size, bias), 2, seed)


CLAIMS = [
    Claim(
        "relu.laws",
        "The laws of a two-layer ReLU network",
        "talk, slide 6",
        Statement(
            "h_k = |u_k|^2 - |v_k|^2 is conserved for every hidden unit",
            r"h_k(U, V) = \|u_k\|^2 - \|v_k\|^2",
            lambda size, seed: lawful(flow(size), norms(size), seed),
            AllSizes(TWO),
        ),
        GRID,
    ),
    Claim(
        "relu.count",
        "No other laws",
        "talk, slide 28, corollary",
        Statement(
            "there are r independent laws, one for each hidden unit, and no others",
            r"\text{for ReLu networks, no other conservation laws}",
            lambda size, seed: counted(flow(size), size[1], seed),
            AllSizes(TWO, "r"),
        ),
        GRID,
        note="Of the flow of phi = (u_i v_i^T)_i, which is that of the network but with one input and no biases: see "
        "minimal.relu, and near.plain for the laws there.",
    ),
    Claim(
        "relu.span",
        "No other laws of degree 2",
        "talk, slide 28, corollary",
        Statement(
            "every law of degree at most 2 is a linear combination of the h_k",
            r"\text{no other conservation laws}",
            _span,
        ),
        GRID,
    ),
    Claim(
        "relu.independent",
        "Where the laws are independent",
        "talk, slide 8",
        Statement(
            "the gradients of as many h_k are independent as hidden units have a weight that is not 0",
            r"\operatorname{rank}(\nabla h_1(\theta), \dots, \nabla h_r(\theta)) = \#\{k : (u_k, v_k) \neq 0\}",
            _independent_where_alive,
        ),
        GRID,
    ),
    Claim(
        "relu.involutive",
        "The fields are closed under brackets",
        "talk, slides 24 and 26",
        Statement(
            "W_infinity(theta) = W_0(theta) at a generic theta",
            r"[w_i, w_j](\theta) \in W(\theta) \Rightarrow W_\infty = W_0",
            lambda size, seed: filtered(flow(size), "W_infinity = W_0", _involutive, seed),
        ),
        GRID,
        note="At a generic theta only: see brackets.relu-everywhere.",
    ),
    Claim(
        "relu.bias-laws",
        "The laws with biases",
        "arXiv 2307.00144, published notebook",
        Statement(
            "h_k = |u_k|^2 - |v_k|^2 - b_k^2 is conserved for every hidden unit",
            r"h_k = \|u_k\|^2 - \|v_k\|^2 - b_k^2",
            lambda size, seed: lawful(flow(size, True), norms(size, True), seed),
            AllSizes(TWO_BIASED),
        ),
        BIASED,
    ),
    Claim(
        "relu.bias-count",
        "No other laws with biases",
        "arXiv 2307.00144, published notebook",
        Statement(
            "there are r independent laws, one for each hidden unit, and no others",
            r"r \text{ conservation laws}",
            lambda size, seed: counted(flow(size, True), size[1], seed),
            AllSizes(TWO_BIASED, "r"),
        ),
        BIASED,
    ),
    Claim(
        "relu.bias-involutive",
        "The fields with biases are closed under brackets",
        "talk, slide 24; arXiv 2307.00144, published notebook",
        Statement(
            "W_infinity(theta) = W_0(theta) at a generic theta",
            r"W_\infty = W_0",
            lambda size, seed: filtered(flow(size, True), "W_infinity = W_0", _involutive, seed),
        ),
        BIASED,
    ),
    Claim(
        "relu.deep-laws",
        "The laws of a deep ReLU network",
        "arXiv 2307.00144, published notebook",
        Statement(
            "for every hidden unit, the squared norm of what leaves minus that of what enters is conserved",
            r"\|U_l e_k\|^2 - \|e_k^\top U_{l+1}\|^2",
            lambda size, seed: lawful(flow(size), norms(size), seed),
            AllSizes(THREE, part="of three layers"),
        ),
        DEEP,
    ),
    Claim(
        "relu.deep-count",
        "No other laws of deep ReLU networks",
        "arXiv 2307.00144, published notebook",
        Statement(
            "there are as many independent laws as hidden units",
            r"\sum_l r_l",
            lambda size, seed: counted(flow(size), hidden(size), seed),
            AllSizes(THREE, "r + s", part="of three layers"),
        ),
        DEEP,
        note="Of the flow of all path products. That W_g = W_phi is not proved in general for deep networks "
        "(arXiv 2307.00144); it fails on open sets: see minimal.deeper, and near.deep-plain for the "
        "network's own laws.",
    ),
    Claim(
        "relu.deep-bias-count",
        "No other laws of deep ReLU networks with biases",
        "arXiv 2307.00144, published notebook",
        Statement(
            "there are as many independent laws as hidden units",
            r"\sum_l r_l",
            lambda size, seed: counted(flow(size, True), hidden(size), seed),
            AllSizes(THREE_BIASED, "r + s", part="of three layers"),
        ),
        BIASED_DEEP,
        note="Of the flow of all path products: near.deep has the laws of the network itself, with its true gates.",
    ),
    Claim(
        "relu.deep-involutive",
        "The fields of deep ReLU networks are closed under brackets",
        "talk, slide 24",
        Statement(
            "W_infinity(theta) = W_0(theta) at a generic theta",
            r"[w_i, w_j](\theta) \in W(\theta)",
            lambda size, seed: filtered(flow(size), "W_infinity = W_0", _involutive, seed),
        ),
        DEEP,
        note="Of the flow of all path products.",
    ),
]
