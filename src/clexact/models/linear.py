"""Linear networks."""

from __future__ import annotations

from collections.abc import Sequence

from clexact.models.layers import check_dims, weights
from clexact.programs.array import Array
from clexact.programs.model import Model


def linear(dims: Sequence[int]) -> Model:
    r"""The linear network $x \mapsto U_1 U_2 \cdots U_q x$ of sizes ``dims`` $= [n_1, \dots, n_{q+1}]$.

    $U_l$ is $n_l \times n_{l+1}$, so $\varphi(\theta) = U_1 \cdots U_q$; two layers are $U V^\top$ with $U = U_1$ and
    $V = U_2^\top$. Its known laws are the entries of $U_l^\top U_l - U_{l+1} U_{l+1}^\top$ (arXiv 2307.00144,
    section 2). Raises TypeError or ValueError for sizes that are not at least two integers >= 1.
    """
    sizes = check_dims(dims, "linear")

    def output(x: Array, **layers: Array) -> Array:
        for weight in reversed(layers.values()):
            x = weight @ x
        return x

    return Model(
        weights(sizes), {"x": (sizes[-1],)}, output, name=f"linear {sizes}", recipe={"family": "linear", "sizes": sizes}
    )
