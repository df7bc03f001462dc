"""Recurrent networks with gates, and linear recurrences."""

from __future__ import annotations

from typing import Any

import numpy as np

from clexact.functions import sigmoid, tanh
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


def gru(m: int, r: int, n: int, steps: int = 2, bias: bool = False) -> Model:
    r"""A gated recurrent unit, then $U h_T$, from $h_0 = 0$.

    $\rho, \zeta = \sigma(W x_t + b + R h + c)$, $\nu = \tanh(W x_t + b + \rho \odot (R h + c))$ with the thirds of W,
    R, b and c in turn, and $h_t = (1 - \zeta) \odot \nu + \zeta \odot h_{t-1}$, as in PyTorch.

    No law of the weights; with biases, $b - c$ of the two gates: a network sees their sum.

    Parameters
    ----------
    m : int
        Size of each input: W is 3r x m.
    r : int
        Size of the state: R is 3r x r.
    n : int
        Number of outputs: U is n x r.
    steps : int
        The number T of steps.
    bias : bool
        Whether there are the biases b and c.

    Returns
    -------
    Model
        With parameters U, W, R and, with ``bias``, b and c.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(gru(1, 1, 1, bias=True))).laws, sep=", ")
    b[i] − c[i]  (i < 2)
    """
    inputs, width, outputs, T = _sizes("gru", m, r, n, steps)

    def step(z: Array, kept: Array, state: tuple[Any, Any]) -> tuple[Any, Any]:
        reset, update = sigmoid(z[:width] + kept[:width]), sigmoid(z[width : 2 * width] + kept[width : 2 * width])
        new = tanh(z[2 * width :] + reset * kept[2 * width :])
        return new + update * (state[0] - new), None

    return _cells("gru", 3, step, (inputs, width, outputs), T, bias)


def lstm(m: int, r: int, n: int, steps: int = 2, bias: bool = False) -> Model:
    r"""Long short-term memory, then $U h_T$, from $h_0 = c_0 = 0$.

    $\iota, \varphi, \omega = \sigma(W x_t + b + R h + c)$ and $\gamma = \tanh(\cdot)$ of the same, with the quarters of
    W, R, b and c for $\iota, \varphi, \gamma, \omega$ in turn; the memory is $\varphi \odot \mathrm{memory} + \iota
    \odot \gamma$ and $h_t = \omega \odot \tanh(\mathrm{memory})$, as in PyTorch.

    No law of the weights; with biases, $b - c$ of all gates: a network sees their sum.

    Parameters
    ----------
    m : int
        Size of each input: W is 4r x m.
    r : int
        Size of the state: R is 4r x r.
    n : int
        Number of outputs: U is n x r.
    steps : int
        The number T of steps; of one, the second quarters are not used.
    bias : bool
        Whether there are the biases b and c.

    Returns
    -------
    Model
        With parameters U, W, R and, with ``bias``, b and c.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(lstm(1, 1, 1, bias=True))).laws, sep=", ")
    b[i] − c[i]  (i < 4)
    """
    inputs, width, outputs, T = _sizes("lstm", m, r, n, steps)

    def step(z: Array, kept: Array, state: tuple[Any, Any]) -> tuple[Any, Any]:
        every = z + kept
        enter, forget, new, leave = (every[k * width : (k + 1) * width] for k in range(4))
        memory = sigmoid(forget) * state[1] + sigmoid(enter) * tanh(new)
        return sigmoid(leave) * tanh(memory), memory

    return _cells("lstm", 4, step, (inputs, width, outputs), T, bias)


def ssm(m: int, r: int, n: int, steps: int = 3, dense: bool = False) -> Model:
    r"""A linear state space model $h_t = A h_{t-1} + B x_t$, $h_0 = 0$, with the outputs $C h_t$ at all times.

    A is diagonal, $h_t = a \odot h_{t-1} + B x_t$, or ``dense``. It maps signals by the matrices $C A^k B$, k < T.
    Known laws: $\|b_k\|^2 - \|c_k\|^2$ for each state if A is diagonal; the entries of $C^\top C - B B^\top + A^\top A
    - A A^\top$ if it is dense.

    Parameters
    ----------
    m : int
        Size of each input: B is r x m.
    r : int
        Size of the state.
    n : int
        Size of each output: C is n x r.
    steps : int
        The number T of steps.
    dense : bool
        Whether A is a matrix, not the vector a.

    Returns
    -------
    Model
        With parameters C, A (r x r, or a of size r) and B.

    Raises
    ------
    TypeError, ValueError
        Unless the sizes are integers >= 1.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(ssm(2, 1, 1))).laws
    LawList([C² − |B|²])
    """
    inputs, width, outputs, T = _sizes("ssm", m, r, n, steps)

    def output(C: Array, B: Array, x: Array, A: Array | None = None, a: Array | None = None) -> list[Array]:
        found, state = list[Array](), B @ x[0]
        for t in range(T):
            if t:
                state = (A @ state if A is not None else a * state) + B @ x[t]
            found.append(C @ state)
        return found

    return Model(
        {"C": (outputs, width), **({"A": (width, width)} if dense else {"a": (width,)}), "B": (width, inputs)},
        {"x": (T, inputs)},
        output,
        name=f"{'dense' if dense else 'diagonal'} ssm {inputs} -> {width} -> {outputs}, {T} steps",
        recipe={"family": "ssm", "sizes": [inputs, width, outputs], "steps": T, "dense": bool(dense)},
    )


def _sizes(family: str, m: int, r: int, n: int, steps: int) -> tuple[int, int, int, int]:
    inputs, width, outputs = (check_size(size, f"a size of {family}") for size in (m, r, n))
    return inputs, width, outputs, check_size(steps, "steps")


def _cells(family: str, gates: int, step: Any, sizes: tuple[int, int, int], T: int, bias: bool) -> Model:
    """``step`` takes W x + b, R h + c and the state (h, memory) to the next state."""
    inputs, width, outputs = sizes
    parameters: dict[str, tuple[int, ...]] = {
        "U": (outputs, width), "W": (gates * width, inputs), "R": (gates * width, width),
    }  # fmt: skip
    parameters |= {name: (gates * width,) for name in "bc" if bias}

    def output(x: Array, U: Array, W: Array, R: Array, b: Any = 0, c: Any = 0) -> Array:
        nothing = np.zeros(width, dtype=int)
        state: tuple[Any, Any] = nothing, nothing
        for t in range(T):
            state = step(W @ x[t] + b, R @ state[0] + c, state)
        last: Array = U @ state[0]
        return last

    name = f"{family} {inputs} -> {width} -> {outputs}, {T} steps" + ", bias" * bool(bias)
    recipe = {"family": family, "sizes": list(sizes), "steps": T, "bias": bool(bias)}
    return Model(parameters, {"x": (T, inputs)}, output, name, recipe)
