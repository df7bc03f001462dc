"""Attention, in the factored form of theory and with the true softmax; a transformer block."""

from __future__ import annotations

from collections.abc import Iterable

from clexact.functions import gelu, softmax
from clexact.programs.array import Array, concatenate
from clexact.programs.model import Model, check_size


def attention(
    d: int,
    h: int,
    heads: int = 1,
    rope: bool = False,
    keys: int | None = None,
    tokens: int | None = None,
    causal: bool = False,
    order: int | None = None,
) -> Model:
    r"""Attention with ``heads`` heads of width h on tokens of width d: Q, K, V, O are d x h for each head.

    Without ``tokens``, the factored form $\varphi = (Q_i K_i^\top, V_i O_i^\top)_i$, minimal for one head (arXiv
    2506.06194, corollary 3.9); with ``rope``, $(Q_{ij} K_{ij}^\top, Q_{ij} J K_{ij}^\top)$ for each plane j of
    columns 2j, 2j + 1, $J = [[0, -1], [1, 0]]$ (arXiv 2606.17816, theorem 4.4).

    With ``tokens`` T, the true $\sum_i \mathrm{softmax}(X Q_i K_i^\top X^\top) X V_i O_i^\top$ on X of T x d, by Taylor
    coefficients in X up to ``order``. Under ``rope`` the scores then turn by the angle between the two tokens, a probe.
    With shared keys the bounds meet at order 5 and three tokens, or 7 and two: a softmax of two scores has no quadratic
    term.

    Known laws: the entries of $Q_i^\top Q_i - K_i^\top K_i$ (summed over the heads that share K) and of $V^\top V -
    O^\top O$.

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
    order : int, optional
        The largest degree in X of the coefficients used (default 3, the first with Q K^T); needs ``tokens``.

    Returns
    -------
    Model
        With parameters ``Q1``, ``O1``, ``Q2``, ..., ``K1``, ``V1``, ...

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, an odd h with ``rope``, and heads not divisible by ``keys``.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(attention(2, 1))).laws, sep="\n")
    Q1[0,0]^2 + Q1[1,0]^2 - K1[0,0]^2 - K1[1,0]^2
    O1[0,0]^2 + O1[1,0]^2 - V1[0,0]^2 - V1[1,0]^2
    >>> clexact.certify(clexact.gradient_flow(attention(4, 2, tokens=3)))
    exactly 6 independent conservation laws (D = 32, dim W = 24 -> 26)
    """
    width, inner = check_size(d, "the width of attention"), check_size(h, "the width of a head")
    count = check_size(heads, "heads")
    groups = count if keys is None else check_size(keys, "keys")
    if count % groups:
        raise ValueError(f"keys = {groups} must divide heads = {count}.")
    if rope and inner % 2:
        raise ValueError(f"rope turns planes, so the width of a head must be even, not {inner}.")
    if causal and tokens is None:
        raise ValueError("causal needs tokens: the factored form has no order of tokens.")
    if order is not None and tokens is None:
        raise ValueError("order needs tokens: the factored form is polynomial.")
    query, shared = range(1, count + 1), range(1, groups + 1)
    parameters = {f"{name}{i}": (width, inner) for i in query for name in "QO"}
    parameters |= {f"{name}{g}": (width, inner) for g in shared for name in "KV"}
    of = {i: (i - 1) * groups // count + 1 for i in query}
    name = f"attention d = {width}, h = {inner}" + f", {count} heads" * (count > 1)
    name += f", {groups} key heads" * (groups < count) + ", rotary" * bool(rope)
    recipe: dict[str, object] = {
        "family": "attention", "sizes": [width, inner], "heads": count, "rope": bool(rope), "keys": groups,
    }  # fmt: skip
    if tokens is None:
        probes: dict[str, tuple[int, ...]] = {"x": (width,), "y": (width,), "z": (width,)}
        probes |= {"c": (inner // 2,), "s": (inner // 2,)} if rope else {}

        def factored(x: Array, y: Array, z: Array, c: Array | None = None, s: Array | None = None, **W: Array) -> Array:
            parts = []
            for i in query:
                q, k = W[f"Q{i}"].T @ x, W[f"K{of[i]}"].T @ y
                parts.append((_planes(q, k, c, s) if c is not None else q @ k).reshape((-1,)))
                parts.append(W[f"O{i}"] @ (W[f"V{of[i]}"].T @ z))
            return concatenate(parts)

        return Model(parameters, probes, factored, name, recipe)
    T, degree = check_size(tokens, "tokens"), 3 if order is None else order
    probes = {"X": (T, width)} | ({"c": (T, T, inner // 2), "s": (T, T, inner // 2)} if rope else {})

    def attend(X: Array, c: Array | None = None, s: Array | None = None, **W: Array) -> Array:
        total: Array | None = None
        for i in query:
            mixed = _head(X, (W[f"Q{i}"], W[f"K{of[i]}"], W[f"V{of[i]}"], W[f"O{i}"]), c, s, causal)
            total = mixed if total is None else total + mixed
        assert total is not None
        return total

    recipe |= {"tokens": T, "causal": bool(causal), "order": degree}
    name += f", softmax on {T} tokens" + ", causal" * bool(causal)
    return Model(parameters, probes, attend, name, recipe, order=degree, expand=["X"])


def _head(
    X: Array, weights: Iterable[Array], c: Array | None = None, s: Array | None = None, causal: bool = False
) -> Array:
    r"""$\mathrm{softmax}(X Q K^\top X^\top) X V O^\top$ for the weights Q, K, V, O."""
    q, k, v, outward = weights
    return _weighted(_scores(X @ q, X @ k, c, s), X @ v, causal) @ outward.T


def _planes(q: Array, k: Array, c: Array | None, s: Array | None) -> Array:
    r"""$\langle q_j, (c_j + s_j J) k_j\rangle$ for every plane j."""
    assert c is not None and s is not None
    even, odd = slice(0, None, 2), slice(1, None, 2)
    return c * (q[even] * k[even] + q[odd] * k[odd]) + s * (q[odd] * k[even] - q[even] * k[odd])


def _scores(q: Array, k: Array, c: Array | None, s: Array | None) -> Array:
    """Scores of all pairs of tokens."""
    if c is None or s is None:
        return q @ k.T
    T = q.shape[0]
    rows = [_planes(q[i], k[j], c[i, j], s[i, j]).sum().reshape((1,)) for i in range(T) for j in range(T)]
    return concatenate(rows).reshape((T, T))


def _weighted(scores: Array, v: Array, causal: bool) -> Array:
    """softmax of the scores times the values; row i of a causal one sees the tokens up to i."""
    if not causal:
        return softmax(scores) @ v
    rows = [softmax(scores[i, : i + 1]) @ v[: i + 1] for i in range(scores.shape[0])]
    return concatenate([row.reshape((1, -1)) for row in rows])


def transformer(d: int, h: int, f: int, heads: int = 1, tokens: int = 2, order: int = 3) -> Model:
    r"""A transformer block without norms: $Y = X + \mathrm{attention}(X)$, then $Y + \mathrm{GELU}(Y A) B^\top$.

    Attention as in ``attention`` with the true softmax. By Taylor coefficients in X up to ``order``. Its laws are those
    of the attention alone: GELU has none (arXiv 2606.17816, theorems 4.1 and 4.3).

    Parameters
    ----------
    d : int
        Width of a token: X is tokens x d.
    h : int
        Width of a head.
    f : int
        Width of the feed-forward layer: A and B are d x f.
    heads : int
        Number of heads.
    tokens : int
        Number of tokens.
    order : int
        The largest degree in X of the coefficients used.

    Returns
    -------
    Model
        With parameters ``Q1``, ``K1``, ``V1``, ``O1``, ``Q2``, ..., A and B.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes and the order are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(transformer(2, 1, 2))).laws
    ConservationLaws([Q1[0,0]^2 + Q1[1,0]^2 - K1[0,0]^2 - K1[1,0]^2, V1[0,0]^2 + V1[1,0]^2 - O1[0,0]^2 - O1[1,0]^2])
    """
    width, inner, hidden = (check_size(size, "a size of transformer") for size in (d, h, f))
    count, T = check_size(heads, "heads"), check_size(tokens, "tokens")
    parameters = {f"{name}{i}": (width, inner) for i in range(1, count + 1) for name in "QKVO"}
    parameters |= {"A": (width, hidden), "B": (width, hidden)}

    def output(X: Array, A: Array, B: Array, **W: Array) -> Array:
        Y = X
        for i in range(1, count + 1):
            Y = Y + _head(X, (W[f"{name}{i}"] for name in "QKVO"))
        return Y + gelu(Y @ A) @ B.T

    sizes = [width, inner, hidden]
    recipe = {"family": "transformer", "sizes": sizes, "heads": count, "tokens": T, "order": order}
    name = f"transformer block d = {width}, h = {inner}, f = {hidden}, {count} heads, {T} tokens"
    return Model(parameters, {"X": (T, width)}, output, name, recipe, order=order)
