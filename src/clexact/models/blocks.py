"""Residual blocks, pooling and recurrent networks."""

from __future__ import annotations

from collections.abc import Callable

from clexact import functions
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


def residual(n: int, r: int, blocks: int = 1, relu: bool = False) -> Model:
    r"""Residual blocks $x \mapsto x + U_l\,\sigma(V_l^\top x)$, l = 1, ..., ``blocks``.

    $\sigma$ is the identity or ReLU. A skip connection changes no law of a block (arXiv 2506.06194, proposition 3.2).

    Parameters
    ----------
    n : int
        Width of x: U_l and V_l are n x r.
    r : int
        Hidden width of each block.
    blocks : int
        Number of blocks.
    relu : bool
        Whether $\sigma$ is ReLU.

    Returns
    -------
    Model
        With parameters ``U1``, ``V1``, ``U2``, ...

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(residual(2, 1, relu=True))).laws
    LawList([|U1|² − |V1|²])
    """
    width, hidden, count = (check_size(size, "a size of residual") for size in (n, r, blocks))
    parameters = {f"{name}{layer}": (width, hidden) for layer in range(1, count + 1) for name in "UV"}

    def output(x: Array, **W: Array) -> Array:
        for layer in range(1, count + 1):
            z = W[f"V{layer}"].T @ x
            x = x + W[f"U{layer}"] @ (functions.relu(z) if relu else z)
        return x

    name = f"residual n = {width}, r = {hidden}" + f", {count} blocks" * (count > 1) + ", ReLU" * bool(relu)
    recipe = {"family": "residual", "sizes": [width, hidden], "blocks": count, "relu": bool(relu)}
    return Model(parameters, {"x": (width,)}, output, name, recipe)


def maxpool(m: int, r: int, n: int, pool: int = 2) -> Model:
    r"""$x \mapsto U \max_j\, (V^\top x)_{\cdot j}$: the maxima of groups of ``pool`` units.

    Locally a fixed selection; one law for each group, if pool >= 2: $\|u_k\|^2 - \sum_j \|v_{kj}\|^2$. That each unit
    is the largest for some x is an assumption if pool > m + 1: one may then lie in the convex hull of the others.

    Parameters
    ----------
    m : int
        Number of inputs: V is m x (r pool).
    r : int
        Number of groups.
    n : int
        Number of outputs: U is n x r.
    pool : int
        Units of a group.

    Returns
    -------
    Model
        With parameters U and V.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(maxpool(2, 1, 2))).laws
    LawList([|U|² − |V|²])
    """
    return _pooled("maxpool", functions.maximum, m, r, n, pool)


def avgpool(m: int, r: int, n: int, pool: int = 2) -> Model:
    """As ``maxpool`` with the means of ReLU units in place of maxima.

    Parameters
    ----------
    m : int
        Number of inputs: V is m x (r pool).
    r : int
        Number of groups.
    n : int
        Number of outputs: U is n x r.
    pool : int
        Units of a group.

    Returns
    -------
    Model
        With parameters U and V.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(avgpool(2, 1, 2))).laws
    LawList([|U|² − |V|²])
    """
    return _pooled("avgpool", lambda z: functions.relu(z).sum(1) / z.shape[1], m, r, n, pool)


def _pooled(family: str, pooling: Callable[[Array], Array], m: int, r: int, n: int, pool: int) -> Model:
    inputs, hidden, outputs = (check_size(size, f"a size of {family}") for size in (m, r, n))
    width = check_size(pool, "pool")
    return Model(
        {"U": (outputs, hidden), "V": (inputs, hidden * width)},
        {"x": (inputs,)},
        lambda U, V, x: U @ pooling((V.T @ x).reshape((hidden, width))),
        name=f"{family} {inputs} -> {hidden} x {width} -> {outputs}",
        recipe={"family": family, "sizes": [inputs, hidden, outputs], "pool": width},
    )


def recurrent(m: int, r: int, n: int, steps: int = 2, relu: bool = False) -> Model:
    r"""A recurrent network $h_t = \sigma(W h_{t-1} + V^\top x_t)$, $h_0 = 0$, with the output $U h_T$.

    The same weights at each step; with $\sigma$ the identity, matrices g act by $(U g, g^{-1} W g, g^{-1} V^\top)$.

    Parameters
    ----------
    m : int
        Size of each input: V is m x r.
    r : int
        Size of the state: W is r x r.
    n : int
        Number of outputs: U is n x r.
    steps : int
        The number T of steps.
    relu : bool
        Whether $\sigma$ is ReLU, else the identity.

    Returns
    -------
    Model
        With parameters U, V and W.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(recurrent(1, 2, 1)))
    exactly 3 independent conservation laws (D = 8, dim W = 2 -> 3 -> 5)
    """
    inputs, hidden, outputs = (check_size(size, "a size of recurrent") for size in (m, r, n))
    T = check_size(steps, "steps")

    def output(U: Array, W: Array, V: Array, x: Array) -> Array:
        state: Array | None = None
        for t in range(T):
            z = V.T @ x[t] if state is None else W @ state + V.T @ x[t]
            state = functions.relu(z) if relu else z
        assert state is not None
        return U @ state

    sizes = [inputs, hidden, outputs]
    return Model(
        {"U": (outputs, hidden), "W": (hidden, hidden), "V": (inputs, hidden)},
        {"x": (T, inputs)},
        output,
        name=f"recurrent {inputs} -> {hidden} -> {outputs}, {T} steps" + ", ReLU" * bool(relu),
        recipe={"family": "recurrent", "sizes": sizes, "steps": T, "relu": bool(relu)},
    )
