"""Networks of dense layers, as one writes them today: any activation, a norm, biases."""

from __future__ import annotations

from collections.abc import Sequence

from clexact.algebra.polynomial import Number, exact_number
from clexact.models.layers import check_dims, layered, weights
from clexact.models.parts import ACTS, NORMS, normed
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size
from clexact.support.nearest import check_word


@layered
def mlp(
    dims: Sequence[int],
    act: str = "relu",
    norm: str = "none",
    bias: bool = False,
    gain: bool = False,
    eps: Number | str = 0,
    batch: int | None = None,
) -> Model:
    r"""Dense layers $x_{l-1} = \sigma(g_l \odot N(U_l x_l + b_l) + s_l)$, the last without norm and activation.

    ``dims`` are as for ``linear``: $U_l$ is $n_l \times n_{l+1}$ and $U_q$ meets the input. N is the identity, the
    norm of a layer or of its root mean square, or that of a batch: then x holds ``batch`` inputs, whose outputs depend
    on each other.

    Known laws: for homogeneous $\sigma$ without norm, as of ``relu``; $\|(U_l)_k\|^2$ behind a batch norm for each
    row, $\|U_l\|_F^2$ behind a layer norm or RMS norm, if eps = 0; biases that a norm takes out do not move.

    Parameters
    ----------
    dims : sequence of int
        The sizes $[n_1, \dots, n_{q+1}]$ from the output to the input.
    act : str
        $\sigma$: relu, leaky (slope 1/100), gelu, gelu_tanh, silu, tanh, sigmoid, softplus, elu, selu, mish,
        sin or none.
    norm : {"none", "layer", "rms", "batch"}
        N, of the hidden layers.
    bias : bool
        Whether every layer has a bias $b_l$, the last one too, and with ``gain`` every norm a shift $s_l$.
    gain : bool
        Whether every norm has gains $g_l$.
    eps : int or Fraction or str
        What is added to the variances or mean squares: >= 0.
    batch : int, optional
        Size of a batch; default 3, with the norm batch only.

    Returns
    -------
    Model
        With parameters ``U1``, ..., ``Uq``, ``b1``, ..., and ``g2``, ``s2``, ... of the norms.

    Raises
    ------
    TypeError, ValueError
        For wrong sizes and words, gains or eps without a norm, a negative eps, and a batch without its norm.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(mlp([1, 2, 2], act="gelu", bias=True)))
    exactly 0 independent conservation laws (D = 9, dim W = 9)
    >>> print(*clexact.certify(clexact.gradient_flow(mlp([1, 2, 2], act="tanh", norm="rms"))).laws)
    |U2|²
    """
    sizes = check_dims(dims, "mlp")
    activation = ACTS[check_word(act, tuple(ACTS), "act")]
    check_word(norm, tuple(NORMS), "norm")
    small = exact_number(eps, "eps")
    if norm == "none" and (gain or small):
        raise ValueError("gain and eps belong to a norm, and this mlp has none.")
    if small < 0:
        raise ValueError(f"eps must be at least 0, not {small}.")
    if batch is not None and norm != "batch":
        raise ValueError("batch belongs to the norm batch.")
    count = 3 if batch is None else check_size(batch, "batch")
    hidden = range(2, len(sizes))
    parameters: dict[str, tuple[int, ...]] = dict(weights(sizes))
    parameters |= {f"b{layer}": (sizes[layer - 1],) for layer in range(1, len(sizes)) if bias}
    parameters |= {f"{name}{layer}": (sizes[layer - 1],) for layer in hidden for name in "gs"[: gain * (1 + bias)]}

    def output(x: Array, **W: Array) -> Array:
        for layer in reversed(range(1, len(sizes))):
            x = x @ W[f"U{layer}"].T
            x = x + W[f"b{layer}"] if bias else x
            if layer in hidden:
                x = activation(normed(x, norm, small, W.get(f"g{layer}"), W.get(f"s{layer}")))
        return x

    probe = (count, sizes[-1]) if norm == "batch" else (sizes[-1],)
    recipe: dict[str, object] = {"family": "mlp", "sizes": sizes, "act": act, "norm": norm, "bias": bool(bias)}
    recipe |= {"gain": True} if gain else {}
    recipe |= {"eps": str(small)} if small else {}
    recipe |= {"batch": count} if norm == "batch" else {}
    name = f"mlp {sizes}, {act}" + f", {norm} norm" * (norm != "none") + " with gain" * bool(gain)
    return Model(parameters, {"x": probe}, output, name + ", bias" * bool(bias), recipe)
