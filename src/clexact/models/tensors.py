"""Factorizations of matrices and tensors, measured; diagonal networks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from clexact.algebra.draws import Draws
from clexact.models.layers import check_dims, layered
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size
from clexact.support.nearest import one_of

SCHEMES = ("cp", "tucker", "shared")
AXES = "abcdefgh"  # of tensors, in einsum


@layered
def factorization(dims: Sequence[int], rank: int = 1, scheme: str = "cp", measurements: int | None = None) -> Model:
    r"""A tensor of shape ``dims``: a sum of r products $u^1_k \otimes \cdots \otimes u^d_k$, or another factorization.

    ``tucker``: a core G, r x ... x r, times $U_1, \dots, U_d$; ``shared``: $\sum_k u_k \otimes \cdots \otimes u_k$.
    It is seen through all products of vectors, or through a few measurements: its inner products with certain tensors
    of integers, as in matrix sensing. Two sizes are those of a matrix, $U_1 U_2^\top$.

    Known laws: $\|u^i_k\|^2 - \|u^j_k\|^2$ (all entries of $U_1^\top U_1 - U_2^\top U_2$ for a matrix), of ``tucker``
    the entries of $U_i^\top U_i - G_{(i)} G_{(i)}^\top$, of ``shared`` none.

    Parameters
    ----------
    dims : sequence of int
        The sizes $n_1, \dots, n_d$ of the tensor, 2 to 8 of them; equal ones for ``shared``.
    rank : int
        The number r: $U_i$ is $n_i \times r$.
    scheme : {"cp", "tucker", "shared"}
        Which factorization.
    measurements : int, optional
        How many measurements there are; default: all.

    Returns
    -------
    Model
        With parameters ``U1``, ..., ``Ud`` and G, or U.

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, an unknown scheme and different sizes of ``shared``.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(factorization([2, 1, 1]))).laws, sep="\n")
    |U1|² − U3²
    U2² − U3²
    """
    sizes, inner = check_dims(dims, "factorization"), check_size(rank, "the rank of factorization")
    if scheme not in SCHEMES:
        raise ValueError(one_of("scheme", scheme, SCHEMES))
    if len(sizes) > len(AXES):
        raise ValueError(f"factorization takes at most {len(AXES)} sizes, not {len(sizes)}.")
    if scheme == "shared" and len(set(sizes)) > 1:
        raise ValueError(f"shared factors have equal sizes, not {sizes}.")
    names = ["U"] * len(sizes) if scheme == "shared" else [f"U{i + 1}" for i in range(len(sizes))]
    parameters: dict[str, tuple[int, ...]] = {name: (n, inner) for name, n in zip(names, sizes, strict=True)}
    places, bound = AXES[: len(sizes)], [axis.upper() if scheme == "tucker" else "Z" for axis in AXES[: len(sizes)]]
    terms = [place + index for place, index in zip(places, bound, strict=True)]
    if scheme == "tucker":
        parameters["G"] = (inner,) * len(sizes)
        names, terms = [*names, "G"], [*terms, "".join(bound)]
    seen = None if measurements is None else check_size(measurements, "measurements")

    def output(**arrays: Array) -> Array:
        factors: list[Any] = [arrays[name] for name in names]
        if seen is None:  # contracted with a vector each
            given = [arrays[f"x{i + 1}"] for i in range(len(sizes))]
            return np.einsum(",".join([*terms, *places]) + "->", *factors, *given)  # type: ignore[no-any-return]
        tensor = np.einsum(",".join(terms) + "->" + places, *factors)
        tensors: Any = np.array(Draws(0).integers(-9, 9, seen * prod(sizes))).reshape(seen, -1)
        return tensors @ tensor.reshape((-1,))  # type: ignore[no-any-return]

    probes = {f"x{i + 1}": (n,) for i, n in enumerate(sizes)} if seen is None else {}
    recipe: dict[str, object] = {"family": "factorization", "sizes": sizes, "rank": inner, "scheme": scheme}
    recipe |= {"measurements": seen} if seen else {}
    name = f"{scheme} factorization {sizes}, rank {inner}" + f", {seen} measurements" * (seen is not None)
    return Model(parameters, probes, output, name, recipe)


def diagonal(d: int, layers: int = 2) -> Model:
    r"""The diagonal linear network $x \mapsto \langle u^L - v^L, x\rangle$, powers entry by entry.

    Known laws: $u_i v_i$ for two layers, $u_i + v_i$ for one, $u_i^{2 - L} + v_i^{2 - L}$ for more (arXiv 2002.09277).

    Parameters
    ----------
    d : int
        Number of entries of u, v and x.
    layers : int
        The number L of layers.

    Returns
    -------
    Model
        With parameters u and v.

    Raises
    ------
    TypeError, ValueError
        Unless both are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(diagonal(2))).laws
    LawList([u[0]*v[0], u[1]*v[1]])
    """
    count, power = check_size(d, "the size of diagonal"), check_size(layers, "layers")
    return Model(
        {"u": (count,), "v": (count,)},
        {"x": (count,)},
        lambda u, v, x: (u**power - v**power) @ x,
        name=f"diagonal {count}, {power} layers",
        recipe={"family": "diagonal", "sizes": [count], "layers": power},
    )
