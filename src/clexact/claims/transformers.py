r"""Whole transformers, from the embedding to the logits: what they keep is what their parts keep, and no more.

GPT-2 is $x \leftarrow x + \mathrm{attention}(N(x))$, $x \leftarrow x + B \phi(A N(x) + a) + b$ with LayerNorms N that
have gains and biases; Llama has RMSNorms with gains, rotary positions, grouped queries, SwiGLU and no biases. There are
two positions, of which the second sees both: more see no less.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from clexact.claims.checks import counted
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.flows.dynamics import gradient_flow
from clexact.functions import layer_norm, rms_norm, silu, softmax, tanh
from clexact.programs.array import Array
from clexact.programs.array import concatenate as stacked
from clexact.programs.model import Model

EPS = Fraction(1, 100000)
TOKENS, POSITIONS = 2, 2
TURNS = ((3, 4, 5), (5, 12, 13), (8, 15, 17))  # cosine, sine and radius of the angle of each plane
TIED = 2  # whose embedding is the last layer, too


def positions(z: Array) -> list[Array]:
    """The row of each position."""
    return [z[t] for t in range(POSITIONS)]


def attended(queries: Sequence[Array], keys: Sequence[Array], values: Array) -> Array:
    """What each position sees of itself and of those before it."""
    rows = [values[:1]]
    for t in range(1, POSITIONS):
        scores = stacked([(queries[t] * key).sum().reshape(1) for key in keys[: t + 1]])
        rows.append(softmax(scores).reshape(1, -1) @ values[: t + 1])
    return stacked(rows)


def rotation(t: int, planes: int) -> NDArray[np.object_]:
    """By t times the angle of each plane, on pairs of entries in turn."""
    out = np.full((2 * planes, 2 * planes), Fraction(0), dtype=object)
    for n, (a, b, c) in enumerate(TURNS[:planes]):
        cosine, sine = Fraction(1), Fraction(0)
        for _ in range(t):
            cosine, sine = (a * cosine - b * sine) / c, (b * cosine + a * sine) / c
        out[2 * n : 2 * n + 2, 2 * n : 2 * n + 2] = [[cosine, -sine], [sine, cosine]]
    return out


def gpt2(d: int, heads: int, k: int, f: int, blocks: int, tied: int) -> Model:
    """Of width d, with heads of width k and f hidden units, tanh, in each block."""
    P: dict[str, tuple[int, ...]] = {"E": (TOKENS, d), "S": (POSITIONS, d)}
    for b in range(1, blocks + 1):
        P |= {f"g{b}": (d,), f"h{b}": (d,)}
        for i in (f"{b}_{n}" for n in range(1, heads + 1)):
            P |= {f"{name}{i}": (k, d) for name in "QKV"} | {f"{name}{i}": (k,) for name in "qkv"} | {f"O{i}": (d, k)}
        P |= {f"o{b}": (d,), f"m{b}": (d,), f"n{b}": (d,)}
        P |= {f"A{b}": (f, d), f"a{b}": (f,), f"B{b}": (d, f), f"b{b}": (d,)}
    P |= {"m": (d,), "n": (d,)} | ({} if tied == TIED else {"U": (TOKENS, d)})

    def output(X: Array, **P: Array) -> Array:
        x = X @ P["E"] + P["S"]
        for b in range(1, blocks + 1):
            y, more = layer_norm(x, eps=EPS) * P[f"g{b}"] + P[f"h{b}"], P[f"o{b}"]
            for i in (f"{b}_{n}" for n in range(1, heads + 1)):
                q, key, v = (y @ P[name.upper() + i].T + P[name + i] for name in "qkv")
                more = attended(positions(q), positions(key), v) @ P[f"O{i}"].T + more
            x = x + more
            y = layer_norm(x, eps=EPS) * P[f"m{b}"] + P[f"n{b}"]
            x = x + tanh(y @ P[f"A{b}"].T + P[f"a{b}"]) @ P[f"B{b}"].T + P[f"b{b}"]
        return (layer_norm(x, eps=EPS) * P["m"] + P["n"]) @ (P["E"] if tied == TIED else P["U"]).T

    return Model(P, {"X": (POSITIONS, TOKENS)}, output, f"GPT-2 of width {d}, {blocks} blocks")


def llama(d: int, heads: int, groups: int, planes: int, f: int, blocks: int, tied: int, experts: int = 1) -> Model:
    """Of width d, with queries of 2 planes entries that share keys and values in groups, and f units in each expert."""
    k = 2 * planes
    P: dict[str, tuple[int, ...]] = {"E": (TOKENS, d)}
    names = [f"_{e}" for e in range(1, experts + 1)] if experts > 1 else [""]
    for b in range(1, blocks + 1):
        P |= {f"g{b}": (d,), f"m{b}": (d,)}
        P |= {f"{name}{b}_{n}": (k, d) for n in range(1, groups + 1) for name in "KV"}
        P |= {f"{name}{b}_{n}": shape for n in range(1, heads + 1) for name, shape in (("Q", (k, d)), ("O", (d, k)))}
        P |= {f"R{b}": (experts, d)} if experts > 1 else {}
        P |= {f"{name}{b}{e}": shape for e in names for name, shape in (("A", (f, d)), ("B", (f, d)), ("C", (d, f)))}
    P |= {"m": (d,)} | ({} if tied == TIED else {"U": (TOKENS, d)})

    def output(X: Array, **P: Array) -> Array:
        x = X @ P["E"]
        for b in range(1, blocks + 1):
            y = rms_norm(x, eps=EPS) * P[f"g{b}"]
            for n in range(1, heads + 1):
                i = f"{b}_{1 + (n - 1) * groups // heads}"
                q, key, v = y @ P[f"Q{b}_{n}"].T, y @ P[f"K{i}"].T, y @ P[f"V{i}"].T
                turned, seen = ([row @ rotation(t, planes).T for t, row in enumerate(positions(z))] for z in (q, key))
                x = x + attended(turned, seen, v) @ P[f"O{b}_{n}"].T
            y = rms_norm(x, eps=EPS) * P[f"m{b}"]
            router = softmax(y @ P[f"R{b}"].T, axis=-1) if experts > 1 else None
            for n, e in enumerate(names):
                made = (silu(y @ P[f"A{b}{e}"].T) * (y @ P[f"B{b}{e}"].T)) @ P[f"C{b}{e}"].T
                x = x + (made if router is None else router[:, n : n + 1] * made)
        return (rms_norm(x, eps=EPS) * P["m"]) @ (P["E"] if tied == TIED else P["U"]).T

    return Model(P, {"X": (POSITIONS, TOKENS)}, output, f"Llama of width {d}, {blocks} blocks")


def laws_of_gpt2(d: int, heads: int, k: int, f: int, blocks: int, tied: int) -> int:
    """For each block, its norms, heads, biases of keys, and sums of what is written; positions; what is not tied."""
    block = 2 * d + heads * (k * (k + 1) + 2 * k) + f + 2
    return blocks * block + POSITIONS + (0 if tied == TIED else d + TOKENS)


def laws_of_llama(d: int, groups: int, planes: int, f: int, blocks: int, tied: int, experts: int = 1) -> int:
    """For each block, its norms, planes of queries and keys, values, units, router; the last norm if not tied."""
    block = 2 * d + groups * (planes + planes * (2 * planes + 1)) + experts * f + (d if experts > 1 else 0)
    return blocks * block + (0 if tied == TIED else d)


def _mixture(d: int, f: int, experts: int, tied: int) -> Model:
    """A Llama of one block with one head of two entries."""
    return llama(d, 1, 1, 1, f, 1, tied, experts)


def _gpt2(size: Size, seed: int) -> Check:
    return counted(gradient_flow(gpt2(*size)), laws_of_gpt2(*size), seed)


def _llama(size: Size, seed: int) -> Check:
    d, heads, groups, planes, f, blocks, tied = size
    flow = gradient_flow(llama(d, heads, groups, planes, f, blocks, tied))
    return counted(flow, laws_of_llama(d, groups, planes, f, blocks, tied), seed)


def _experts(size: Size, seed: int) -> Check:
    d, f, experts, tied = size
    flow = gradient_flow(_mixture(d, f, experts, tied))
    return counted(flow, laws_of_llama(d, 1, 1, f, 1, tied, experts), seed)


def _weights(model: Model) -> int:
    return sum(map(prod, model.parameters.values()))


HERE = "Noether's theorem; this package"
READ = "tied: 1 no, 2 yes. Two tokens, two positions, eps = 10^-5; all data, so that longer texts keep no more. "
CLAIMS = [
    Claim(
        "transformers.gpt2",
        "A whole GPT-2 keeps what its parts keep, and tying its embedding costs d + v laws",
        HERE,
        Statement(
            "blocks (2 d + heads (k (k + 1) + 2 k) + f + 2) + positions laws, and d + tokens more if not tied",
            r"L\left(2d + h(k^2 + 3k) + f + 2\right) + T\ [{} + d + v]",
            _gpt2,
        ),
        Grid(
            ("d", "heads", "k", "f", "blocks", "tied"), lambda size: _weights(gpt2(*size)), 0, 104,
            edges=((3, 1, 1, 1, 1, 1), (3, 1, 1, 1, 1, 2), (3, 2, 1, 1, 1, 2), (4, 1, 2, 2, 1, 1)),
            least=(3, 1, 1, 1, 2, 1), most=(3, 1, 1, 1, 2, 2),
        ),
        note=READ + "Gram matrices of queries less keys and of values less what reads them, gains and biases of norms "
        "less what reads them, biases of keys, and the sums over the stream of all that is written. At the sizes of "
        "GPT-2 (768, 12 heads, 12 blocks, 1024 positions) these are 673,816.",
        fitted=False,
    ),
    Claim(
        "transformers.llama",
        "A whole Llama keeps what its parts keep, and tying its embedding costs the d laws of the last norm",
        HERE,
        Statement(
            "blocks (2 d + groups (k/2 + k (k + 1)/2) + f) laws, and d more if not tied, k = 2 planes",
            r"L\left(2d + g\left(\tfrac k2 + \tfrac{k(k+1)}2\right) + f\right)\ [{} + d]",
            _llama,
        ),
        Grid(
            ("d", "heads", "groups", "planes", "f", "blocks", "tied"),
            lambda size: _weights(llama(*size)), 0, 62,
            edges=(
                (2, 1, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1, 1, 2), (2, 2, 1, 1, 1, 1, 1), (2, 2, 2, 1, 2, 1, 2),
                (3, 2, 1, 2, 2, 1, 2), (3, 2, 1, 1, 2, 1, 1),
            ),
            least=(2, 1, 1, 1, 1, 2, 1), most=(2, 1, 1, 1, 1, 2, 2),
        ),
        note=READ + "Rotations leave one scaling to each plane of queries and keys; heads that share keys and values "
        "share their laws. No law belongs to two blocks, or to the embedding.",
        fitted=False,
    ),
    Claim(
        "transformers.experts",
        "Experts behind a norm keep their units', and their router a sum for each entry of the stream",
        HERE,
        Statement(
            "3 d + experts f + 4 laws, and d more if not tied",
            r"3d + Ef + 4\ [{} + d]",
            _experts,
        ),
        Grid(
            ("d", "f", "experts", "tied"), lambda size: _weights(_mixture(*size)), 0, 0,
            edges=((2, 1, 2, 1), (2, 1, 2, 2), (3, 1, 2, 2), (2, 2, 2, 2), (2, 1, 3, 2)),
        ),
        note=READ + "Llama of one block and one head of two entries, whose SwiGLU is a mixture of experts with a "
        "softmax router R: to 2 d + 4 + E f come the d sums of the columns of R.",
        fitted=False,
    ),
]  # fmt: skip
