"""The product of all parameters."""

from __future__ import annotations

from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


def product(d: int) -> Model:
    r"""The model $\varphi(x) = x_1 \cdots x_d$: one field, and d - 1 laws $x_i^2 - x_j^2$ (arXiv 2307.00144).

    Parameters
    ----------
    d : int
        The number of factors, at least 1.

    Returns
    -------
    Model
        With one parameter x of shape (d,), and no probe.

    Raises
    ------
    TypeError, ValueError
        Unless d is an integer >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(product(3))).laws
    LawList([x[i]² − x[i+1]²  (i < 2)])
    """
    count = check_size(d, "the number of factors of product")

    def output(x: Array) -> Array:
        value = x[0]
        for i in range(1, count):
            value = value * x[i]
        return value

    return Model({"x": (count,)}, {}, output, name=f"product {count}", recipe={"family": "product", "sizes": [count]})
