"""Convolutions and pooling: one selection of windows, then one product of matrices or one function of each window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from clexact.algebra.terms import Ints
from clexact.functions.piecewise import maximum
from clexact.programs.array import Array, concatenate, symbols
from clexact.programs.dispatch import implements
from clexact.programs.model import check_size
from clexact.programs.rearrange import permuted
from clexact.support.listed import listed, shown

Sizes = int | Sequence[int]


def convolve(x: Array, W: Array, stride: Sizes = 1, padding: Sizes = 0, dilation: Sizes = 1, groups: int = 1) -> Array:
    r"""$y_{c,i} = \sum_{c',k} W_{c,c',k}\, x_{c',\,s i + d k - p}$, x being zero outside, in 1 to 3 dimensions.

    As ``torch.nn.functional.conv1d`` to ``conv3d``, without bias. The channels of x, and the rows of W, fall in
    ``groups`` equal parts, each convolved alone: the formula is that of one group.

    Parameters
    ----------
    x : Array
        The input, (channels, \*space) or (batch, channels, \*space); it may be constant if W is not.
    W : Array
        The kernel, (out, channels / groups, \*kernel); it may be constant if x is not.
    stride : int or sequence of int
        The step s between windows: one integer, or one for each dimension.
    padding : int or sequence of int
        The number p of zeros before and after each axis of space, likewise.
    dilation : int or sequence of int
        The step d between the entries of a window, likewise.
    groups : int
        The number of parts.

    Returns
    -------
    Array
        Of shape (out, \*places) or (batch, out, \*places), with $\lfloor (n + 2p - d (k - 1) - 1) / s \rfloor + 1$
        places along an axis of length n for a kernel of size k.

    Raises
    ------
    TypeError
        If neither x nor W is an array of a model, a constant is not exact, or an option not an integer.
    ValueError
        If the shapes do not fit each other or the groups, the kernel does not fit the padded input, or an option is
        too small.

    Examples
    --------
    >>> import clexact
    >>> parameters = {"W": (1, 1, 2), "V": (1, 1, 2)}
    >>> net = clexact.Model(parameters, {"x": (1, 3)}, lambda W, V, x: convolve(convolve(x, W), V))
    >>> net
    Model(model, D = 4, output of shape (1, 1))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([|W|² − |V|²])
    """
    x, W = _pair(x, W)
    kernel, channels = W.shape[2:], x.shape[1 - W.ndim]
    steps, pads, gaps, groups = _options(len(kernel), stride, padding, dilation, groups)
    along = []
    for n, k, s, p, d in zip(x.shape[2 - W.ndim :], kernel, steps, pads, gaps, strict=True):
        if n + 2 * p < d * (k - 1) + 1:
            raise ValueError(f"a kernel of size {k} does not fit an input of length {n + 2 * p}, padding included.")
        along.append(np.arange(0, n + 2 * p - d * (k - 1), s) + d * np.arange(k)[:, None] - p)
    if W.shape[0] % groups or W.shape[1] * groups != channels:
        raise ValueError(f"W of shape {W.shape} does not convolve {channels} channels in {groups} groups.")
    parts = (groups,) if groups > 1 else ()
    return _convolved(x, W.reshape((*parts, W.shape[0] // groups, prod(W.shape[1:]))), along)


def convolve_transposed(
    x: Array,
    W: Array,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array:
    r"""$y_{c,i} = \sum_{c',k,j} W_{c',c,k}\, x_{c',j}$ over all $s j + d k - p = i$: the transpose of ``convolve``.

    As ``torch.nn.functional.conv_transpose1d`` to ``conv_transpose3d``, without bias. The channels, and the rows of W,
    fall in ``groups`` equal parts, each convolved alone: the formula is that of one group.

    Parameters
    ----------
    x : Array
        The input, (channels, \*space) or (batch, channels, \*space); it may be constant if W is not.
    W : Array
        The kernel, (channels, out / groups, \*kernel); it may be constant if x is not.
    stride : int or sequence of int
        The step s in the output for each step in the input: one integer, or one for each dimension.
    padding : int or sequence of int
        The number p of entries cut off both ends of each axis of space, likewise.
    output_padding : int or sequence of int
        By how much the output is longer at its end, likewise; less than the stride or the dilation.
    dilation : int or sequence of int
        The step d between the entries of the kernel, likewise.
    groups : int
        The number of parts.

    Returns
    -------
    Array
        Of shape (out, \*places) or (batch, out, \*places), with $(n - 1) s - 2p + d (k - 1) + 1$ places, and
        ``output_padding`` more, along an axis of length n for a kernel of size k.

    Raises
    ------
    TypeError
        If neither x nor W is an array of a model, a constant is not exact, or an option not an integer.
    ValueError
        If the shapes do not fit each other or the groups, the paddings leave no place or are too long, or an option is
        too small.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model(
    ...     {"u": (1,), "W": (1, 1, 2)}, {"x": (1, 2)}, lambda u, W, x: u @ convolve_transposed(x, W, stride=2)
    ... )
    >>> net
    Model(model, D = 3, output of shape (4,))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([u² − |W|²])
    """
    x, W = _pair(x, W)
    kernel, channels, out = W.shape[2:], x.shape[1 - W.ndim], W.shape[1]
    steps, pads, gaps, groups = _options(len(kernel), stride, padding, dilation, groups)
    longer = _each(output_padding, len(kernel), "output_padding", 0)
    along = []
    for n, k, s, p, d, more in zip(x.shape[2 - W.ndim :], kernel, steps, pads, gaps, longer, strict=True):
        size = (n - 1) * s - 2 * p + d * (k - 1) + 1 + more
        if size < 1 or more >= max(s, d):
            raise ValueError(f"a transposed convolution from length {n} cannot have length {size}: check its paddings.")
        place, rest = np.divmod(np.arange(size) - d * np.arange(k)[:, None] + p, s)
        along.append(np.where((rest == 0) & (place < n), place, -1))
    if W.shape[0] != channels or channels % groups:
        raise ValueError(f"W of shape {W.shape} does not convolve {channels} channels in {groups} groups.")
    parts = (groups,) if groups > 1 else ()
    apart = W.reshape((*parts, channels // groups, out, prod(kernel)))
    turned = apart.transpose((*range(len(parts)), -2, -3, -1))
    return _convolved(x, turned.reshape((*parts, out, channels // groups * prod(kernel))), along)


def _convolved(x: Array, matrix: Array, along: list[Ints]) -> Array:
    """The product of a matrix (out, channels times offsets), one for each group, with the windows of x."""
    before, d = x.ndim - len(along), len(along)
    picked = _picked(x, along)  # axes: batch, channels, then for each dimension offsets and positions
    offsets, positions = range(before, picked.ndim, 2), range(before + 1, picked.ndim, 2)
    picked = permuted(picked, [*range(before), *offsets, *positions])
    batch, space = x.shape[: before - 1], picked.shape[before + d :]
    y = matrix @ picked.reshape((*batch, *matrix.shape[:-2], matrix.shape[-1], prod(space)))
    return y.reshape((*batch, prod(matrix.shape[:-1]), *space))


def _picked(x: Array, along: Sequence[Ints]) -> Array:
    """The entries at places along the last axes; for places outside, a zero that is put at the end of the axis."""
    first, places = x.ndim - len(along), list[Ints]()
    for axis, index in enumerate(along, first):
        n = x.shape[axis]
        outside = (index < 0) | (index >= n)
        if outside.any():
            x = concatenate([x, np.zeros((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype=int)], axis)
        places.append(np.where(outside, n, index))
    return x.select([*map(np.arange, x.shape[:first]), *places])


def windows(
    x: Array, size: Sizes, stride: Sizes = 1, dilation: Sizes = 1, axes: int | Sequence[int] | None = None
) -> Array:
    r"""All windows of these sizes along axes: $y_{i,k} = x_{s i + d k}$, with the offsets k last.

    Places i stay where the axis was. As ``torch.Tensor.unfold`` along each of the axes in turn, with dilation besides.
    ``numpy.lib.stride_tricks.sliding_window_view`` of an array of a model is this function, with stride 1.

    Parameters
    ----------
    x : Array
        An array of at least one axis.
    size : int or sequence of int
        The sizes of the windows: one integer for all axes, or one for each.
    stride : int or sequence of int
        The step s from window to window, likewise.
    dilation : int or sequence of int
        The step d between the entries of a window, likewise.
    axes : int or sequence of int, optional
        The axes; may be left out where ``size`` has one integer for each of the last axes.

    Returns
    -------
    Array
        Of the shape of x with the number of places, $\lfloor (n - d (k - 1) - 1) / s \rfloor + 1$, for the length n of
        each axis with windows of size k, followed by the sizes.

    Raises
    ------
    TypeError
        If x is no array of a model, or a size, step or axis not an integer.
    ValueError
        If the axes are not given or not axes of x, the sizes or steps not one for each or less than 1, or a window
        longer than its axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "v": (2,)}, {"x": (4,)}, lambda u, v, x: u * windows(x, (2,)) @ v)
    >>> net  # three windows of two entries
    Model(model, D = 3, output of shape (3,))
    >>> clexact.certify(clexact.gradient_flow(net)).laws
    LawList([u² − |v|²])
    """
    chosen, sizes = axes_of(x, size, axes)
    steps, gaps = _each(stride, len(sizes), "stride"), _each(dilation, len(sizes), "dilation")
    along = [np.arange(n) for n in x.shape]
    for axis, k, s, d in zip(chosen, sizes, steps, gaps, strict=True):
        if (span := d * (k - 1) + 1) > x.shape[axis]:
            raise ValueError(f"a window of length {span} does not fit an axis of length {x.shape[axis]}.")
        along[axis] = np.arange(0, x.shape[axis] - span + 1, s)[:, None] + d * np.arange(k)
    firsts = np.cumsum([0, *(index.ndim for index in along)])[:-1]
    return permuted(x.select(along), [*firsts.tolist(), *(int(firsts[axis]) + 1 for axis in chosen)])


@implements(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(x: Array, window_shape: Sizes, axis: int | Sequence[int] | None = None) -> Array:
    if axis is None and isinstance(window_shape, (int, np.integer)):
        axis = 0 if x.ndim == 1 else None
    return windows(x, window_shape, axes=axis)


def average_pool(x: Array, size: Sizes, stride: Sizes | None = None, axes: int | Sequence[int] | None = None) -> Array:
    r"""The mean of each window along axes: $y_i = \frac{1}{k} \sum_{j<k} x_{s i + j}$.

    As ``torch.nn.functional.avg_pool1d`` to ``avg_pool3d`` without padding.

    Parameters
    ----------
    x : Array
        An array of at least one axis.
    size : int or sequence of int
        The sizes of the windows: one integer for all axes, or one for each.
    stride : int or sequence of int, optional
        The step s from window to window, likewise; by default the size, so that windows lie side by side.
    axes : int or sequence of int, optional
        The axes; may be left out where ``size`` has one integer for each of the last axes.

    Returns
    -------
    Array
        Of the shape of x with the number of windows, $\lfloor (n - k) / s \rfloor + 1$, for the length n of each axis.

    Raises
    ------
    TypeError
        If x is no array of a model, or a size, step or axis not an integer.
    ValueError
        If the axes are not given or not axes of x, the sizes or steps not one for each or less than 1, or a window
        longer than its axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (2,), "v": (4,)}, {"x": (4,)}, lambda u, v, x: u @ average_pool(v * x, (2,)))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")  # one law for each window
    u[i]² − |P1[i]|² where P1 = v.reshape(2, 2)  (i < 2)
    """
    return _pooled(x, size, stride, axes, lambda each: each.mean(-1))


def max_pool(x: Array, size: Sizes, stride: Sizes | None = None, axes: int | Sequence[int] | None = None) -> Array:
    r"""The largest entry of each window along axes: $y_i = \max_{j<k} x_{s i + j}$.

    As ``torch.nn.functional.max_pool1d`` to ``max_pool3d`` without padding; by ``maximum``, whose choices are probes.

    Parameters
    ----------
    x : Array
        An array of at least one axis.
    size : int or sequence of int
        The sizes of the windows: one integer for all axes, or one for each.
    stride : int or sequence of int, optional
        The step s from window to window, likewise; by default the size, so that windows lie side by side.
    axes : int or sequence of int, optional
        The axes; may be left out where ``size`` has one integer for each of the last axes.

    Returns
    -------
    Array
        Of the shape of x with the number of windows, $\lfloor (n - k) / s \rfloor + 1$, for the length n of each axis.

    Raises
    ------
    TypeError
        If x is no array of a model, or a size, step or axis not an integer.
    ValueError
        If the axes are not given or not axes of x, the sizes or steps not one for each or less than 1, or a window
        longer than its axis.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (2,), "v": (4,)}, {"x": (4,)}, lambda u, v, x: u @ max_pool(v * x, (2,)))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")  # one law for each window
    u[i]² − |P1[i]|² where P1 = v.reshape(2, 2)  (i < 2)
    """
    return _pooled(x, size, stride, axes, maximum)


def _pooled(x: Array, size: Sizes, stride: Sizes | None, axes: Any, pool: Callable[[Array], Array]) -> Array:
    found = windows(x, size, size if stride is None else stride, axes=axes)
    return pool(found.reshape((*found.shape[: x.ndim], prod(found.shape[x.ndim :]))))


# --- sizes -----------------------------------------------------------------------------------------------------------


def axes_of(x: object, size: Sizes, axes: int | Sequence[int] | None) -> tuple[tuple[int, ...], list[int]]:
    """The axes meant and a size for each; ValueError where neither says how many there are."""
    if not isinstance(x, Array):
        raise TypeError(f"expected an array of a model, not {x!r}.")
    if axes is None and isinstance(size, (int, np.integer)):
        raise ValueError(f"one size, {size}, does not say along which axes: give a size for each of the last, or axes.")
    if axes is None:
        axes = range(-len(size), 0)  # type: ignore[arg-type]
    chosen = normalize_axis_tuple(axes, x.ndim)
    return chosen, _each(size, len(chosen), "size")


def _each(value: Sizes, count: int, what: str, least: int = 1) -> list[int]:
    """One integer for each dimension."""
    values = [value] * count if isinstance(value, (int, np.integer)) else listed(value, f"{what} must list integers")
    if len(values) != count:
        raise ValueError(f"{what} must be one integer, or one for each of {count} dimensions, not {shown(value)}.")
    return [check_size(each, what, least) for each in values]


def _options(
    dimensions: int, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> tuple[list[int], list[int], list[int], int]:
    """Strides, paddings and dilations of every dimension, and the number of groups."""
    steps, pads = _each(stride, dimensions, "stride"), _each(padding, dimensions, "padding", 0)
    return steps, pads, _each(dilation, dimensions, "dilation"), check_size(groups, "groups")


def _pair(x: object, W: object) -> tuple[Array, Array]:
    """An input and a kernel whose axes fit."""
    x, W = symbols([x, W], "a convolution")
    dimensions = W.ndim - 2
    if not 1 <= dimensions <= 3 or x.ndim - dimensions not in (1, 2):
        raise ValueError(
            f"a convolution takes W (out, channels, *kernel) with a kernel of 1 to 3 axes and x (channels, *space) or "
            f"(batch, channels, *space), not W of shape {W.shape} and x of shape {x.shape}."
        )
    return x, W
