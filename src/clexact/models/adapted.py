"""Low-rank adaptation of a frozen network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.models.layers import check_dims, layered
from clexact.models.parts import ACTS
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size
from clexact.support.nearest import check_word


@layered
def lora(dims: Sequence[int], rank: int = 1, act: str = "none", fixed: bool = False) -> Model:
    r"""Layers $W_l + B_l A_l$ with frozen $W_l$ and activations between them.

    Known laws: the entries of $B_l^\top B_l - A_l A_l^\top$ for every layer, whatever the activation.

    Parameters
    ----------
    dims : sequence of int
        The sizes $[n_1, \dots, n_{q+1}]$ as for ``linear``: $W_l$ is $n_l \times n_{l+1}$.
    rank : int
        The rank r: $B_l$ is $n_l \times r$ and $A_l$ is $r \times n_{l+1}$.
    act : str
        The activation of the hidden layers, as for ``mlp``.
    fixed : bool
        Whether the $W_l$ are certain integers, not probes: what is certified then is of these, not of all.

    Returns
    -------
    Model
        With parameters ``B1``, ``A1``, ``B2``, ...

    Raises
    ------
    TypeError, ValueError
        For wrong sizes and an unknown activation.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(lora([2, 1, 2], act="tanh"))).laws, sep="\n")
    |B1|² − A1²
    B2² − |A2|²
    """
    sizes, inner = check_dims(dims, "lora"), check_size(rank, "the rank of lora")
    activation = ACTS[check_word(act, tuple(ACTS), "act")]
    layers = range(1, len(sizes))
    shapes = {f"W{layer}": (sizes[layer - 1], sizes[layer]) for layer in layers}
    parameters: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        parameters |= {f"B{layer}": (sizes[layer - 1], inner), f"A{layer}": (inner, sizes[layer])}
    draws = Draws(0)
    frozen = (
        {name: np.array(draws.integers(-9, 9, n * m)).reshape(n, m) for name, (n, m) in shapes.items()} if fixed else {}
    )

    def output(x: Array, **W: Array) -> Array:
        for layer in reversed(layers):
            kept: Any = frozen[f"W{layer}"] if fixed else W[f"W{layer}"]
            x = kept @ x + W[f"B{layer}"] @ (W[f"A{layer}"] @ x)
            x = activation(x) if layer > 1 else x
        return x

    recipe = {"family": "lora", "sizes": sizes, "rank": inner, "act": act, "fixed": bool(fixed)}
    name = f"lora {sizes}, rank {inner}, {act}" + ", fixed weights" * bool(fixed)
    return Model(parameters, {"x": (sizes[-1],), **({} if fixed else shapes)}, output, name, recipe)
