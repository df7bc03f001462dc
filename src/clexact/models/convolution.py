"""Convolutional networks in one and two dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clexact.functions import convolve
from clexact.functions import relu as rectified
from clexact.models.layers import check_dims, layered
from clexact.programs.array import Array
from clexact.programs.model import Model, check_size


@layered
def conv1d(
    channels: Sequence[int],
    kernel: int,
    stride: int = 1,
    length: int | None = None,
    padding: int = 0,
    relu: bool = False,
    bias: bool = False,
) -> Model:
    r"""Convolutions with ``channels`` $C_0, \dots, C_k$ on a signal; W_l has shape $C_l \times C_{l-1} \times K$.

    $\varphi$: the composed kernels (linear), or products along paths of channels (ReLU; minimal only with biases where
    a unit sees one number: one channel, kernel of size 1). Known laws of ReLU networks: one for each hidden channel
    (arXiv 2506.06194, theorem 3.6).

    Parameters
    ----------
    channels : sequence of int
        Numbers of channels, from the input $C_0$ to the output $C_k$, at least two.
    kernel : int
        The size K of every kernel.
    stride : int
        Distance of neighbouring entries of an output, in entries of its input.
    length : int, optional
        Length of the signal; default: the least for which the last output has two entries.
    padding : int
        Number of zeros put before and after the input of each layer.
    relu : bool
        Whether there is a ReLU after every layer but the last.
    bias : bool
        Whether the channels of these layers have biases.

    Returns
    -------
    Model
        With parameters ``W1``, ..., ``Wk`` and, with ``bias``, ``b1``, ...

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, and where a kernel is larger than its padded input.

    Examples
    --------
    >>> import clexact
    >>> print(*clexact.certify(clexact.gradient_flow(conv1d([1, 2, 1], 2, relu=True))).laws, sep="\n")
    |W1[i,0]|² − |W2[0,i]|²  (i < 2)
    """
    return _network("conv1d", 1, channels, kernel, stride, length, padding, relu, bias)


@layered
def conv2d(
    channels: Sequence[int],
    kernel: int,
    stride: int = 1,
    length: int | None = None,
    padding: int = 0,
    relu: bool = False,
    bias: bool = False,
) -> Model:
    r"""As ``conv1d`` on square images; W_l has shape $C_l \times C_{l-1} \times K \times K$.

    Parameters
    ----------
    channels : sequence of int
        Numbers of channels, from the input $C_0$ to the output $C_k$, at least two.
    kernel : int
        The side K of every kernel.
    stride : int
        Distance of neighbouring entries of an output, in entries of its input, along both axes.
    length : int, optional
        Side of the image; default: the least for which the last output has two entries a side.
    padding : int
        Number of zeros put on every side of the input of each layer.
    relu : bool
        Whether there is a ReLU after every layer but the last.
    bias : bool
        Whether the channels of these layers have biases.

    Returns
    -------
    Model
        With parameters ``W1``, ..., ``Wk`` and, with ``bias``, ``b1``, ...

    Raises
    ------
    TypeError, ValueError
        For wrong sizes, and where a kernel is larger than its padded input.

    Examples
    --------
    >>> import clexact
    >>> clexact.certify(clexact.gradient_flow(conv2d([1, 2, 1], 2)))
    exactly 4 independent conservation laws (D = 16, dim W = 9 -> 12 -> 12)
    """
    return _network("conv2d", 2, channels, kernel, stride, length, padding, relu, bias)


def _network(
    family: str, axes: int, channels: Sequence[int], kernel: int, stride: int, length: int | None, padding: int,
    relu: bool, bias: bool,
) -> Model:  # fmt: skip
    sizes = check_dims(channels, family)
    width, step = check_size(kernel, f"the kernel of {family}"), check_size(stride, f"the stride of {family}")
    if isinstance(padding, bool) or not isinstance(padding, (int, np.integer)) or padding < 0:
        raise ValueError(f"the padding of {family} must be an integer >= 0, not {padding!r}.")
    padding = int(padding)
    layers = range(1, len(sizes))
    side = _default_length(len(layers), width, step, padding) if length is None else check_size(length, "the length")
    _check_fit(len(layers), width, step, side, padding)
    parameters: dict[str, tuple[int, ...]] = {
        f"W{layer}": (sizes[layer], sizes[layer - 1], *([width] * axes)) for layer in layers
    }
    if bias:
        parameters |= {f"b{layer}": (sizes[layer],) for layer in layers[:-1]}

    def output(x: Array, **arrays: Array) -> Array:
        for layer in layers:
            x = convolve(x, arrays[f"W{layer}"], step, padding)
            if layer < len(layers):
                x = x + arrays[f"b{layer}"].reshape((-1, *([1] * axes))) if bias else x
                x = rectified(x) if relu else x
        return x

    options: dict[str, object] = {
        "kernel": width, "stride": step, "length": side, "padding": padding, "relu": bool(relu), "bias": bool(bias),
    }  # fmt: skip
    name = f"{family} {sizes}, kernel {width}, stride {step}, length {side}"
    name += f", padding {padding}" * (padding > 0) + ", ReLU" * bool(relu) + ", bias" * bool(bias)
    return Model(
        parameters, {"x": (sizes[0], *([side] * axes))}, output, name, {"family": family, "sizes": sizes, **options}
    )


def _check_fit(layers: int, kernel: int, stride: int, length: int, padding: int) -> None:
    """ValueError unless every layer's padded input holds the kernel."""
    for _ in range(layers):
        if length + 2 * padding < kernel:
            raise ValueError(_misfit(kernel, length + 2 * padding))
        length = (length + 2 * padding - kernel) // stride + 1


def _misfit(kernel: int, length: int) -> str:
    return f"a kernel of size {kernel} does not fit an input of length {length}, padding included."


def _default_length(layers: int, kernel: int, stride: int, padding: int) -> int:
    """The least input whose output has length two."""
    length = 2
    for _ in range(layers):
        length = max(1, (length - 1) * stride + kernel - 2 * padding)
    return length
