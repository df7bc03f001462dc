"""Attention, in the factored form of theory and with the true softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clexact.functions import softmax
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model, check_size

UNSEEN = {"causal": "order of tokens", "bias": "sum of weights"}  # in the factored form


def attention(
    d: int,
    h: int,
    heads: int = 1,
    rope: bool = False,
    keys: int | None = None,
    tokens: int | None = None,
    causal: bool = False,
    bias: bool = False,
) -> Model:
    r"""Attention with ``heads`` heads of width h on tokens of width d: Q, K, V, O are d x h for each head.

    Without ``tokens``, the factored form $\varphi = (Q_i K_i^\top, V_i O_i^\top)_i$, minimal for one head (arXiv
    2506.06194, corollary 3.9); with ``rope``, $(Q_{ij} K_{ij}^\top, Q_{ij} J K_{ij}^\top)$ for each plane j of
    columns 2j, 2j + 1, $J = [[0, -1], [1, 0]]$ (arXiv 2606.17816, theorem 4.4).

    With ``tokens`` T, the true $\sum_i \mathrm{softmax}(X Q_i K_i^\top X^\top) X V_i O_i^\top$ on X of T x d. Under
    ``rope`` the scores then turn by the angle between the two tokens, a probe. With ``bias``, $X Q_i + b_{Q_i}$ in
    place of $X Q_i$, likewise of K and V, and $b_O$ added to the sum.

    Known laws: the entries of $Q_i^\top Q_i - K_i^\top K_i$ (summed over the heads that share K) and of $V^\top V -
    O^\top O$, biases of Q, K and V being one more row; and each entry of $b_K$, which adds a number to all scores of a
    query: softmax does not see it (``rope`` turns it with the tokens, and does).

    Parameters
    ----------
    d : int
        Width of a token.
    h : int
        Width of a head.
    heads : int
        Number of heads.
    rope : bool
        Whether positions rotate the planes of a head; h must be even.
    keys : int, optional
        The number G of key and value heads, each shared by heads/G query heads; default: one for each.
    tokens : int, optional
        The number T of tokens under the true softmax; default: the factored form.
    causal : bool
        Whether a token sees only those before it and itself; needs ``tokens``.
    bias : bool
        Whether queries, keys, values and outputs have biases; needs ``tokens``.

    Returns
    -------
    Model
        With parameters ``Q1``, ``O1``, ``Q2``, ..., ``K1``, ``V1``, ... and, with ``bias``, ``bQ1``, ..., bO.

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, an odd h with ``rope``, and heads not divisible by ``keys``.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(attention(2, 1))).laws, sep="\n")
    |Q1|² − |K1|²
    |O1|² − |V1|²
    >>> clexact.certify(clexact.gradient_flow(attention(4, 2, tokens=3)))
    exactly 6 independent conservation laws (D = 32, dim W = 24 -> 26)
    """
    width, inner = check_size(d, "the width of attention"), check_size(h, "the width of a head")
    some = Heads.of(width, inner, heads, keys, rope, bias)
    for option, given in (("causal", causal), ("bias", bias)):
        if given and tokens is None:
            raise ValueError(f"{option} needs tokens: the factored form has no {UNSEEN[option]}.")
    recipe: dict[str, object] = {
        "family": "attention", "sizes": [width, inner], "heads": some.count, "rope": some.rope, "keys": some.groups,
    }  # fmt: skip
    name = f"attention d = {width}, h = {inner}{some.said}"
    if tokens is None:
        probes: dict[str, tuple[int, ...]] = {"x": (width,), "y": (width,), "z": (width,)}
        probes |= {"c": (inner // 2,), "s": (inner // 2,)} if rope else {}
        return Model(some.parameters, probes, some.factored, name, recipe)
    T = check_size(tokens, "tokens")
    recipe |= {"tokens": T, "causal": bool(causal)} | ({"bias": True} if bias else {})
    name += f", softmax on {T} tokens" + ", causal" * bool(causal)
    return Model(some.parameters, some.probes(T), lambda X, **W: some.attend(X, W, causal), name, recipe)


@dataclass(frozen=True)
class Heads:
    """Heads of attention: query and output weights for each, key and value weights for each group of them."""

    width: int  # of a token
    inner: int  # of a head
    count: int
    groups: int
    rope: bool
    bias: bool

    @classmethod
    def of(cls, width: int, inner: int, heads: int, keys: int | None, rope: bool, bias: bool) -> Heads:
        """TypeError or ValueError for numbers that do not go together."""
        count = check_size(heads, "heads")
        groups = count if keys is None else check_size(keys, "keys")
        if count % groups:
            raise ValueError(f"keys = {groups} must divide heads = {count}.")
        if rope and inner % 2:
            raise ValueError(f"rope turns planes, so the width of a head must be even, not {inner}.")
        return cls(width, inner, count, groups, bool(rope), bool(bias))

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        weights = [f"{name}{i + 1}" for i in range(self.count) for name in "QO"]
        weights += [f"{name}{g + 1}" for g in range(self.groups) for name in "KV"]
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(weights, (self.width, self.inner))
        if self.bias:
            shapes |= {f"b{name}": (self.inner,) for name in weights if name[0] != "O"} | {"bO": (self.width,)}
        return shapes

    @property
    def said(self) -> str:
        """What a name says of them."""
        shared = f", {self.groups} key heads" * (self.groups < self.count)
        return f", {self.count} heads" * (self.count > 1) + shared + ", rotary" * self.rope + ", bias" * self.bias

    def probes(self, tokens: int) -> dict[str, tuple[int, ...]]:
        """The tokens, and the cosines and sines between every two of them in each plane."""
        angles = (tokens, tokens, self.inner // 2)
        return {"X": (tokens, self.width)} | ({"c": angles, "s": angles} if self.rope else {})

    def group(self, i: int) -> int:
        """The number of the keys and values of a head; both count from 1."""
        return (i - 1) * self.groups // self.count + 1

    def factored(self, x: Array, y: Array, z: Array, **W: Array) -> Array:
        """The products of a form without softmax."""
        parts = []
        for i in range(1, self.count + 1):
            q, k = W[f"Q{i}"].T @ x, W[f"K{self.group(i)}"].T @ y
            parts.append((_planes(q, k, W["c"], W["s"]) if self.rope else q @ k).reshape((-1,)))
            parts.append(W[f"O{i}"] @ (W[f"V{self.group(i)}"].T @ z))
        return concatenate(parts)

    def attend(self, X: Array, W: Mapping[str, Array], causal: bool) -> Array:
        r"""$\sum_i \mathrm{softmax}(Q_i K_i^\top)\, V_i O_i^\top$ of the queries, keys and values of X."""
        total: Array | None = None
        for i in range(1, self.count + 1):
            g = self.group(i)
            q, k, v = (self._mapped(X, W, name) for name in (f"Q{i}", f"K{g}", f"V{g}"))
            mixed = _weighted(_scores(q, k, W.get("c"), W.get("s")), v, causal) @ W[f"O{i}"].T
            total = mixed if total is None else total + mixed
        assert total is not None
        return total + W["bO"] if self.bias else total

    def _mapped(self, X: Array, W: Mapping[str, Array], name: str) -> Array:
        return X @ W[name] + W[f"b{name}"] if self.bias else X @ W[name]


def _planes(q: Array, k: Array, c: Array, s: Array) -> Array:
    r"""$\langle q_j, (c_j + s_j J) k_j\rangle$ for every plane j."""
    (q0, q1), (k0, k1) = ((z[..., 0::2], z[..., 1::2]) for z in (q, k))
    return c * (q0 * k0 + q1 * k1) + s * (q1 * k0 - q0 * k1)


def _scores(q: Array, k: Array, c: Array | None, s: Array | None) -> Array:
    """Scores of all pairs of tokens."""
    if c is None or s is None:
        return q @ k.T
    T, h = q.shape
    return _planes(q.reshape((T, 1, h)), k.reshape((1, T, h)), c, s).sum(axis=-1)


def _weighted(scores: Array, v: Array, causal: bool) -> Array:
    """softmax of the scores times the values; row i of a causal one sees the tokens up to i."""
    if not causal:
        return softmax(scores) @ v
    rows = [softmax(scores[i, : i + 1]) @ v[: i + 1] for i in range(scores.shape[0])]
    return concatenate([row.reshape((1, -1)) for row in rows])
