"""ReLU networks, near a generic parameter: every ReLU is a gate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from clexact import functions
from clexact.algebra.polynomial import Number, exact_number
from clexact.models.layers import check_dims, layered, weights
from clexact.programs.array import Array
from clexact.programs.model import Model


@layered
def relu(dims: Sequence[int], bias: bool = False, slope: Number | str = 0) -> Model:
    r"""The ReLU network $x \mapsto U_1 \sigma(U_2 \sigma(\cdots U_q x + b_q \cdots) + b_2)$ of sizes ``dims``.

    Gates are probes, so $\varphi$ is the family of all path products (arXiv 2307.00144, section 2): minimal for two
    layers with two inputs or biases; else counts are with free gates, and ``clexact.minimality`` compares these with
    true ones. Known laws, one for each hidden unit: squared norm of what enters, bias included, minus that of what
    leaves.

    Parameters
    ----------
    dims : sequence of int
        The sizes $[n_1, \dots, n_{q+1}]$ as for ``linear``: $U_l$ is $n_l \times n_{l+1}$.
    bias : bool
        Whether the hidden unit k between $U_{l-1}$ and $U_l$ has a bias $b_l[k]$; the output has none.
    slope : int or Fraction or str
        The slope s that makes it leaky, not 1.

    Returns
    -------
    Model
        With parameters ``U1``, ..., ``Uq`` and, with ``bias``, ``b2``, ..., ``bq``.

    Raises
    ------
    TypeError, ValueError
        For sizes that are not at least two integers >= 1, and for a slope that is not exact or is 1.

    Examples
    --------
    >>> import clexact
    >>> count = clexact.certify(clexact.gradient_flow(relu([1, 2, 2], bias=True)))
    >>> print(count)
    exactly 2 independent conservation laws (D = 8, dim W = 6)
    >>> print(count.laws[0])
    U1[0,i]² − |U2[i]|² − b2[i]²  (i < 2)
    """
    sizes = check_dims(dims, "relu")
    hidden = range(2, len(sizes))  # layer l has sizes[l - 1] units
    parameters: dict[str, tuple[int, ...]] = dict(weights(sizes))
    if bias:
        parameters |= {f"b{layer}": (sizes[layer - 1],) for layer in hidden}
    leak = Fraction(exact_number(slope, "the slope of relu"))
    if leak == 1:
        raise ValueError("a slope of 1 makes relu the identity; take linear.")

    def output(x: Array, **arrays: Array) -> Array:
        for layer in reversed(range(1, len(sizes))):
            x = arrays[f"U{layer}"] @ x
            if layer in hidden:
                x = functions.relu(x + arrays[f"b{layer}"] if bias else x, leak)
        return x

    name = f"relu {sizes}{' with bias' if bias else ''}{f', slope {leak}' if leak else ''}"
    recipe: dict[str, object] = {"family": "relu", "sizes": sizes, "bias": bool(bias)}
    return Model(parameters, {"x": (sizes[-1],)}, output, name, recipe | ({"slope": str(leak)} if leak else {}))
