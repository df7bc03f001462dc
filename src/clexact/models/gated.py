"""Two-layer networks with analytic activations, and gated units."""

from __future__ import annotations

from collections.abc import Callable

from clexact import functions
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


def _two_layer(family: str, activation: Callable[[Array], Array], m: int, r: int, n: int) -> Model:
    inputs, hidden, outputs = (check_size(size, f"a size of {family}") for size in (m, r, n))
    return Model(
        {"U": (outputs, hidden), "V": (inputs, hidden)},
        {"x": (inputs,)},
        lambda U, V, x: U @ activation(V.T @ x),
        name=f"{family} {inputs} -> {hidden} -> {outputs}",
        recipe={"family": family, "sizes": [inputs, hidden, outputs]},
    )


def tanh(m: int, r: int, n: int) -> Model:
    r"""$x \mapsto U \tanh(V^\top x)$; no law (arXiv 2307.00144).

    Parameters
    ----------
    m : int
        Number of inputs: V is m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.

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
    >>> clexact.certify(clexact.gradient_flow(tanh(2, 2, 1)))
    exactly 0 independent conservation laws (D = 6, dim W = 6)
    """
    return _two_layer("tanh", functions.tanh, m, r, n)


def gelu(m: int, r: int, n: int) -> Model:
    r"""$x \mapsto U\,\mathrm{GELU}(V^\top x)$; no law (arXiv 2606.17816, theorem 4.1).

    Parameters
    ----------
    m : int
        Number of inputs: V is m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.

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
    >>> clexact.certify(clexact.gradient_flow(gelu(2, 2, 1)))
    exactly 0 independent conservation laws (D = 6, dim W = 6)
    """
    return _two_layer("gelu", functions.gelu, m, r, n)


def silu(m: int, r: int, n: int) -> Model:
    r"""$x \mapsto U\,\mathrm{SiLU}(V^\top x)$; no law (arXiv 2606.17816, theorem 4.1).

    Parameters
    ----------
    m : int
        Number of inputs: V is m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.

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
    >>> clexact.certify(clexact.gradient_flow(silu(2, 2, 1)))
    exactly 0 independent conservation laws (D = 6, dim W = 6)
    """
    return _two_layer("silu", functions.silu, m, r, n)


def _gated(family: str, gate: Callable[[Array], Array], sizes: tuple[int, int, int]) -> Model:
    inputs, hidden, outputs = (check_size(size, f"a size of {family}") for size in sizes)
    return Model(
        {"U": (outputs, hidden), "A": (inputs, hidden), "B": (inputs, hidden)},
        {"x": (inputs,)},
        lambda U, A, B, x: U @ ((A.T @ x) * gate(B.T @ x)),
        name=f"{family} {inputs} -> {hidden} -> {outputs}",
        recipe={"family": family, "sizes": [inputs, hidden, outputs]},
    )


def glu(m: int, r: int, n: int) -> Model:
    r"""The bilinear gated unit $x \mapsto U\,((A^\top x) \odot (B^\top x))$.

    $\varphi$ has the coefficients of $u\,(a \cdot x)(b \cdot x)$ in x; two laws for each unit, $\|u\|^2 - \|a\|^2$ and
    $\|u\|^2 - \|b\|^2$.

    Parameters
    ----------
    m : int
        Number of inputs: A and B are m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.

    Returns
    -------
    Model
        With parameters U, A and B.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> for law in clexact.certify(clexact.gradient_flow(glu(2, 1, 1))).laws:
    ...     print(law)
    U² − |A|²
    U² − |B|²
    """
    return _gated("glu", lambda z: z, (m, r, n))


def swiglu(m: int, r: int, n: int) -> Model:
    r"""$x \mapsto U\,((A^\top x) \odot \mathrm{SiLU}(B^\top x))$.

    One law for each unit, $\|u\|^2 - \|a\|^2$, and none with b (arXiv 2606.17816, theorem 4.2).

    Parameters
    ----------
    m : int
        Number of inputs: A and B are m x r.
    r : int
        Number of hidden units.
    n : int
        Number of outputs: U is n x r.

    Returns
    -------
    Model
        With parameters U, A and B.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(swiglu(2, 1, 1))).laws
    LawList([U² − |A|²])
    """
    return _gated("swiglu", functions.silu, (m, r, n))
