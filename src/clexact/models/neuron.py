"""One hidden neuron with a polynomial activation."""

from __future__ import annotations

from collections.abc import Sequence

from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


def neuron(inputs: int, outputs: int = 1, powers: Sequence[int] = (1,)) -> Model:
    r"""One neuron $x \mapsto \sum_k u\,\langle v, x\rangle^k$, k in ``powers``.

    $\varphi = (u_i v^\alpha)$ over $|\alpha| = k$, all k in ``powers``. A positively k-homogeneous activation is
    ``powers=[k]``, with the law $k\|u\|^2 - \|v\|^2$; with two powers or more there is none (arXiv 2307.00144,
    proposition of the talk's slide 4).

    Parameters
    ----------
    inputs : int
        The size of v and x.
    outputs : int
        The size of u.
    powers : sequence of int
        The powers k, each >= 1.

    Returns
    -------
    Model
        With parameters u and v.

    Raises
    ------
    TypeError, ValueError
        For sizes or powers that are not integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(neuron(2, powers=[3]))).laws
    LawList([3 u² − |v|²])
    >>> clexact.certify(clexact.gradient_flow(neuron(2, powers=[1, 3]))).upper
    0
    """
    n, m = check_size(inputs, "the inputs of neuron"), check_size(outputs, "the outputs of neuron")
    if isinstance(powers, str) or not isinstance(powers, Sequence) or not powers:
        raise TypeError(f"powers must be a list of one or more integers, not {powers!r}.")
    exponents = [check_size(k, "a power of neuron") for k in powers]

    def output(u: Array, v: Array, x: Array) -> Array:
        activation = sum(((v @ x) ** k for k in exponents[1:]), (v @ x) ** exponents[0])
        return u * activation

    recipe = {"family": "neuron", "sizes": [n, m], "powers": exponents}
    name = f"neuron {n} -> {m}, powers {exponents}"
    return Model({"u": (m,), "v": (n,)}, {"x": (n,)}, output, name, recipe)
