"""A transformer block."""

from __future__ import annotations

from clexact.algebra.polynomial import Number, exact_number
from clexact.models.attention import Heads
from clexact.models.parts import ACTS, normed
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size
from clexact.support.nearest import check_word

PLACES = ("none", "pre-layer", "post-layer", "pre-rms", "post-rms")


def transformer(
    d: int,
    h: int,
    f: int,
    heads: int = 1,
    tokens: int = 2,
    norm: str = "none",
    act: str | None = None,
    bias: bool = False,
    gain: bool = False,
    eps: Number | str = 0,
    keys: int | None = None,
    rope: bool = False,
    causal: bool = False,
    swiglu: bool = False,
) -> Model:
    r"""A transformer block: $Y = X + \mathrm{attention}(N(X))$, then $Y + \sigma(N(Y) A) B^\top$.

    Attention as in ``attention`` with the true softmax. N is a norm of each token, or nothing; after attention and
    layer (``post``), $Y = N(X + \mathrm{attention}(X))$ and $N(Y + \sigma(Y A) B^\top)$. With ``swiglu``, $(Y A \odot
    \mathrm{SiLU}(Y G)) B^\top$.

    Known laws: those of the attention, and of ``swiglu`` $\|a_k\|^2 - \|b_k\|^2$ for each unit; GELU has none (arXiv
    2606.17816, theorems 4.1 to 4.3). Gains of a norm before them: $g_i^2$ less the squares of row i of all weights that
    they meet.

    Parameters
    ----------
    d : int
        Width of a token: X is tokens x d.
    h : int
        Width of a head.
    f : int
        Width of the feed-forward layer: A and B (and G) are d x f.
    heads : int
        Number of heads.
    tokens : int
        Number of tokens.
    norm : {"none", "pre-layer", "post-layer", "pre-rms", "post-rms"}
        Which norm, and whether before or after.
    act : str, optional
        $\sigma$, as for ``mlp``; default gelu.
    bias : bool
        Whether attention and layer have biases, and with ``gain`` the norms shifts.
    gain : bool
        Whether the norms have gains.
    eps : int or Fraction or str
        What is added to the variances or mean squares: >= 0.
    keys : int, optional
        The number of key and value heads; default: one for each head.
    rope : bool
        Whether positions rotate the planes of a head; h must be even.
    causal : bool
        Whether a token sees only those before it and itself.
    swiglu : bool
        Whether the layer is gated by SiLU.

    Returns
    -------
    Model
        With parameters ``Q1``, ``O1``, ..., ``K1``, ``V1``, ..., A, B, (G), biases as in ``attention`` and bA, bB,
        (bG), and ``g1``, ``s1``, ``g2``, ``s2`` of the norms.

    Raises
    ------
    TypeError, ValueError
        For wrong sizes and words, gains or eps without a norm, a negative eps, and an activation with ``swiglu``.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(transformer(2, 1, 2))).laws, sep="\n")
    |Q1|² − |K1|²
    |V1|² − |O1|²
    """
    width, inner, hidden = (check_size(size, "a size of transformer") for size in (d, h, f))
    some, T = Heads.of(width, inner, heads, keys, rope, bias), check_size(tokens, "tokens")
    check_word(norm, PLACES, "norm")
    small = exact_number(eps, "eps")
    if norm == "none" and (gain or small):
        raise ValueError("gain and eps belong to a norm, and this transformer has none.")
    if small < 0:
        raise ValueError(f"eps must be at least 0, not {small}.")
    if swiglu and act is not None:
        raise ValueError(f"swiglu has an activation of its own, and takes no act = {act}.")
    activation = ACTS["silu" if swiglu else check_word(act or "gelu", tuple(ACTS), "act")]
    names = "AB" + "G" * bool(swiglu)
    weights = sorted(some.parameters.items(), key=lambda item: (item[0][1:], "QKVO".find(item[0][0])))
    parameters = dict(weights) | dict.fromkeys(names, (width, hidden))
    parameters |= {f"b{name}": (width if name == "B" else hidden,) for name in names if bias}
    parameters |= {f"{name}{place}": (width,) for place in (1, 2) for name in "gs"[: gain * (1 + bias)]}
    place, _, kind = norm.partition("-")

    def output(X: Array, **W: Array) -> Array:
        def norm_at(where: str, number: int, Z: Array) -> Array:
            return normed(Z, kind, small, W.get(f"g{number}"), W.get(f"s{number}")) if place == where else Z

        def dense(Z: Array, name: str) -> Array:
            return Z @ W[name] + W[f"b{name}"] if bias else Z @ W[name]

        def layer(Z: Array) -> Array:
            inner = activation(dense(Z, "G")) * dense(Z, "A") if swiglu else activation(dense(Z, "A"))
            outer = inner @ W["B"].T
            return outer + W["bB"] if bias else outer

        Y = norm_at("post", 1, X + some.attend(norm_at("pre", 1, X), W, causal))
        return norm_at("post", 2, Y + layer(norm_at("pre", 2, Y)))

    recipe: dict[str, object] = {
        "family": "transformer", "sizes": [width, inner, hidden], "heads": some.count, "tokens": T,
    }  # fmt: skip
    flags = {"bias": bias, "gain": gain, "rope": rope, "causal": causal, "swiglu": swiglu}
    chosen = {"norm": norm if place != "none" else "", "act": act, "eps": str(small) if small else "", "keys": keys}
    recipe |= {key: value for key, value in chosen.items() if value} | {key: True for key, on in flags.items() if on}
    name = f"transformer block d = {width}, h = {inner}, f = {hidden}, {some.count} heads, {T} tokens"
    said = [str(chosen[key]) for key in ("norm", "act") if chosen[key]] + [key for key, on in flags.items() if on]
    return Model(parameters, some.probes(T), output, ", ".join([name, *said]), recipe)
