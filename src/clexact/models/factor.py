"""Matrix factorizations and two-layer networks by the names of their parameters."""

from __future__ import annotations

from clexact.functions import relu
from clexact.programs.model import Model, check_size


def nmf(n: int, r: int, m: int) -> Model:
    r"""Factorization $\varphi = U V^\top$, U n x r, V m x r; non-negative (NMF) under mirror flow with both positive.

    Then its laws are $\sum_i U_{ik} - \sum_j V_{jk}$, one for each k (arXiv 2405.12888). Raises TypeError or ValueError
    unless the sizes are integers >= 1.
    """
    rows, inner, columns = (check_size(size, "a size of nmf") for size in (n, r, m))
    return Model(
        {"U": (rows, inner), "V": (columns, inner)},
        {"x": (columns,)},
        lambda U, V, x: U @ (V.T @ x),
        name=f"nmf {rows} x {inner} x {columns}",
        recipe={"family": "nmf", "sizes": [rows, inner, columns]},
    )


def icnn(n: int, r: int, m: int, bias: bool = False) -> Model:
    r"""The input-convex network $x \mapsto U \sigma(V^\top x + b)$, $\sigma$ = ReLU, U n x r, V m x r, b of size r.

    It is convex while U is positive, which mirror flow keeps; laws $\sum_i U_{ik} - (\|v_k\|^2 + b_k^2)/2$ (arXiv
    2405.12888). Raises TypeError or ValueError unless the sizes are integers >= 1.
    """
    rows, inner, columns = (check_size(size, "a size of icnn") for size in (n, r, m))
    parameters: dict[str, tuple[int, ...]] = {"U": (rows, inner), "V": (columns, inner)}
    name = f"icnn {rows} x {inner} x {columns}"
    recipe = {"family": "icnn", "sizes": [rows, inner, columns], "bias": bool(bias)}
    probes = {"x": (columns,)}
    if not bias:
        return Model(parameters, probes, lambda U, V, x: U @ relu(V.T @ x), name, recipe)
    return Model(
        parameters | {"b": (inner,)}, probes, lambda U, V, b, x: U @ relu(V.T @ x + b), f"{name} with bias", recipe
    )


def shared(n: int, r: int) -> Model:
    r"""Factorization with shared weights, $\varphi = U U^\top$, U n x r.

    Only orthogonal matrices act on U: no law of the gradient flow comes of them, and r(r - 1)/2 laws of momentum do.
    """
    rows, inner = (check_size(size, "a size of shared") for size in (n, r))
    return Model(
        {"U": (rows, inner)},
        {"x": (rows,)},
        lambda U, x: U @ (U.T @ x),
        name=f"shared {rows} x {inner}",
        recipe={"family": "shared", "sizes": [rows, inner]},
    )
