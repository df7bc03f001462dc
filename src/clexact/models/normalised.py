"""Networks whose weights or outputs are divided by their norms."""

from __future__ import annotations

from clexact.functions import cosine_similarity, normalize
from clexact.models.parts import ACTS
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size
from clexact.support.nearest import check_word


def cosine(r: int, m: int, n: int) -> Model:
    r"""The cosine of the angle of two linear maps, $\langle U x, V y\rangle / (\|U x\|\,\|V y\|)$.

    As in contrastive learning. Known laws: $\|U\|_F^2$ and $\|V\|_F^2$, and where r > m + n the span of the columns of
    both, which no gradient leaves.

    Parameters
    ----------
    r : int
        Number of outputs, at least 2: U is r x m and V is r x n.
    m : int
        Number of entries of x.
    n : int
        Number of entries of y.

    Returns
    -------
    Model
        With parameters U and V.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1, and r >= 2: a cosine of numbers is a sign.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(cosine(2, 2, 2)))
    exactly 2 independent conservation laws (D = 8, dim W = 5 -> 6)
    """
    outputs = check_size(r, "the outputs of cosine", 2)
    first, second = (check_size(size, "a size of cosine") for size in (m, n))
    return Model(
        {"U": (outputs, first), "V": (outputs, second)},
        {"x": (first,), "y": (second,)},
        lambda U, V, x, y: cosine_similarity(U @ x, V @ y),
        name=f"cosine of {first} -> {outputs} <- {second}",
        recipe={"family": "cosine", "sizes": [outputs, first, second]},
    )


def weight_norm(m: int, r: int, n: int, act: str = "relu", gain: bool = False, bias: bool = False) -> Model:
    r"""$x \mapsto U \sigma(g \odot (\langle v_k, x\rangle / \|v_k\|)_k + b)$: weights of norm 1, with or without gains.

    Known laws: $\|v_k\|^2$ for each unit, and with ReLU and gains $g_k^2 + b_k^2 - \|u_k\|^2$.

    Parameters
    ----------
    m : int
        Number of inputs, at least 2: V is m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.
    act : str
        $\sigma$, as for ``mlp``.
    gain : bool
        Whether there are the gains g.
    bias : bool
        Whether there are the biases b.

    Returns
    -------
    Model
        With parameters U, V and, if wanted, g and b.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1, and m >= 2: $v / |v|$ of a number is a sign; for an unknown activation.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(weight_norm(2, 1, 1, gain=True))).laws
    LawList([U² − g², |V|²])
    """
    inputs = check_size(m, "the inputs of weight_norm", 2)
    hidden, outputs = (check_size(size, "a size of weight_norm") for size in (r, n))
    activation = ACTS[check_word(act, tuple(ACTS), "act")]
    parameters: dict[str, tuple[int, ...]] = {"U": (outputs, hidden), "V": (inputs, hidden)}
    parameters |= {name: (hidden,) for name, wanted in (("g", gain), ("b", bias)) if wanted}

    def output(U: Array, V: Array, x: Array, g: Array | None = None, b: Array | None = None) -> Array:
        z = normalize(V, 0).T @ x
        z = z if g is None else g * z
        return U @ activation(z if b is None else z + b)

    options = {"act": act, "gain": bool(gain), "bias": bool(bias)}
    name = f"weight norm {inputs} -> {hidden} -> {outputs}, {act}" + ", gain" * bool(gain) + ", bias" * bool(bias)
    recipe = {"family": "weight_norm", "sizes": [inputs, hidden, outputs], **options}
    return Model(parameters, {"x": (inputs,)}, output, name, recipe)
