"""Matrix factorizations and two-layer networks by the names of their parameters."""

from __future__ import annotations

from clexact.functions import relu
from clexact.programs.model import Model, check_size


def nmf(n: int, r: int, m: int) -> Model:
    r"""Factorization $\varphi = U V^\top$; non-negative (NMF) under mirror flow with both factors positive.

    Then its laws are $\sum_i U_{ik} - \sum_j V_{jk}$, one for each k (arXiv 2405.12888).

    Parameters
    ----------
    n : int
        Rows of U, of shape n x r.
    r : int
        Columns of U and of V.
    m : int
        Rows of V, of shape m x r.

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
    >>> clexact.certify(clexact.mirror_flow(nmf(2, 1, 2), positive=["U", "V"])).laws
    LawList([Σ_i U[i,0] − Σ_i V[i,0]])
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
    r"""The input-convex network $x \mapsto U \sigma(V^\top x + b)$, $\sigma$ = ReLU.

    It is convex while U is positive, which mirror flow keeps; laws $\sum_i U_{ik} - (\|v_k\|^2 + b_k^2)/2$ (arXiv
    2405.12888).

    Parameters
    ----------
    n : int
        Number of outputs: U is n x r.
    r : int
        Number of hidden units.
    m : int
        Number of inputs: V is m x r.
    bias : bool
        Whether there is the bias b of size r.

    Returns
    -------
    Model
        With parameters U, V and, with ``bias``, b.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.mirror_flow(icnn(2, 1, 1, bias=True), positive=["U"])).laws
    LawList([2 Σ_i U[i,0] − V² − b²])
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
    r"""Factorization with shared weights, $\varphi = U U^\top$.

    Only orthogonal matrices act on U: no law of the gradient flow comes of them, and r(r - 1)/2 laws of momentum do.

    Parameters
    ----------
    n : int
        Rows of U.
    r : int
        Columns of U.

    Returns
    -------
    Model
        With one parameter U of shape (n, r).

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.momentum_flow(shared(2, 2))).laws
    LawList([UᵀU' − U'ᵀU  (i < j < 2)])
    """
    rows, inner = (check_size(size, "a size of shared") for size in (n, r))
    return Model(
        {"U": (rows, inner)},
        {"x": (rows,)},
        lambda U, x: U @ (U.T @ x),
        name=f"shared {rows} x {inner}",
        recipe={"family": "shared", "sizes": [rows, inner]},
    )
