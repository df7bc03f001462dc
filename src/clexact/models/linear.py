"""Linear networks."""

from __future__ import annotations

from collections.abc import Sequence

from clexact.models.layers import check_dims, layered, weights
from clexact.programs.array import Array
from clexact.programs.model import Model


@layered
def linear(dims: Sequence[int]) -> Model:
    r"""The linear network $x \mapsto U_1 U_2 \cdots U_q x$ of sizes ``dims`` $= [n_1, \dots, n_{q+1}]$.

    $U_l$ is $n_l \times n_{l+1}$, so $\varphi(\theta) = U_1 \cdots U_q$; two layers are $U V^\top$ with $U = U_1$ and
    $V = U_2^\top$. Its known laws are the entries of $U_l^\top U_l - U_{l+1} U_{l+1}^\top$ (arXiv 2307.00144,
    section 2).

    Parameters
    ----------
    dims : sequence of int
        The sizes, at least two, from the output $n_1$ to the input $n_{q+1}$, each >= 1; ``linear(4, 3, 5)`` is
        ``linear([4, 3, 5])``, as in all families of any depth, whose options then come by name.

    Returns
    -------
    Model
        With parameters ``U1``, ..., ``Uq`` and the probe x.

    Raises
    ------
    TypeError, ValueError
        For sizes that are not at least two integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> print(clexact.certify(clexact.gradient_flow(linear([1, 2, 1]))).laws[0])
    U1ᵀU1 − U2U2ᵀ  (i ≤ j < 2)
    >>> clexact.certify(clexact.gradient_flow(linear(4, 3, 5)))
    exactly 6 independent conservation laws (D = 27, dim W = 18 -> 21)
    """
    sizes = check_dims(dims, "linear")

    def output(x: Array, **layers: Array) -> Array:
        for weight in reversed(layers.values()):
            x = weight @ x
        return x

    return Model(
        weights(sizes), {"x": (sizes[-1],)}, output, name=f"linear {sizes}", recipe={"family": "linear", "sizes": sizes}
    )
