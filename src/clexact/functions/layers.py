"""What layers of networks do with entries: embeddings of tokens, upsampling, shuffles of channels and pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clexact.functions.convolutions import Sizes, axes_of
from clexact.programs.array import Array, concatenate
from clexact.programs.model import check_size
from clexact.programs.rearrange import broadcast_to, permuted, selected


def embedding(table: Array, tokens: object, padding_idx: int | None = None, padding: object = 0) -> Array:
    r"""The rows of a table at constant tokens: $y_{t,f} = E_{\tau_t,f}$, as ``torch.nn.functional.embedding``.

    Row ``padding_idx`` has no gradient, as in PyTorch, so it stays what it was at the start: a constant, ``padding``
    (default 0, as ``torch.nn.Embedding`` makes it). The table's own entries there are not read, and so are conserved;
    where the table has another use that moves this row, the embedding is a different one.

    Parameters
    ----------
    table : Array
        The table E, (rows, \*features).
    tokens : int or array of int
        The numbers of rows, constant, of any shape.
    padding_idx : int, optional
        The number of the row without gradient; negative ones count from the end.
    padding : object
        The value of that row, that is broadcast to its shape \*features.

    Returns
    -------
    Array
        Of shape (\*tokens, \*features).

    Raises
    ------
    TypeError
        If the table is no array of a model with rows, the tokens or ``padding_idx`` are not constant integers, or the
        padding is not exact.
    ValueError
        If a token or ``padding_idx`` is not the number of a row, or the padding does not fit a row.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (), "E": (3,)}, {}, lambda u, E: u * embedding(E, [0, 2]))
    >>> clexact.certify(clexact.gradient_flow(net)).laws  # row 1 is not read
    LawList([u² − |P1|² where P1 = E[[0, 2]].reshape(2), E[1]])
    """
    if not isinstance(table, Array) or not table.ndim:
        raise TypeError(f"embedding takes a table of a model with rows, not {table!r}.")
    if isinstance(tokens, Array):
        raise TypeError("tokens must be constant integers; tokens that vary are probes, one-hot rows: onehot @ table.")
    index = np.asarray(tokens)
    if index.dtype.kind not in "iu":
        raise TypeError(f"tokens must be integers, not of type {index.dtype}.")
    rows = table.shape[0]
    if index.size and not 0 <= index.min() <= index.max() < rows:
        raise ValueError(f"tokens must be integers from 0 to {rows - 1}, not {index.min()} to {index.max()}.")
    if padding_idx is not None:
        if not -rows <= check_size(padding_idx, "padding_idx", -rows) < rows:
            raise ValueError(f"padding_idx must be the number of one of {rows} rows, not {padding_idx}.")
        row = broadcast_to(table.symbol(padding), table.shape[1:])
        table = concatenate([table, row.reshape((1, *row.shape))])
        index = np.where(index == padding_idx % rows, rows, index)
    return selected(table, {0: index})


def upsample(x: Array, scale: Sizes, axes: int | Sequence[int] | None = None) -> Array:
    r"""Every entry repeated k times along axes: $y_i = x_{\lfloor i / k \rfloor}$, the nearest one.

    As ``torch.nn.Upsample`` with mode "nearest" and an integer ``scale_factor``.

    Parameters
    ----------
    x : Array
        An array of at least one axis.
    scale : int or sequence of int
        The numbers k of repetitions: one integer for all axes, or one for each.
    axes : int or sequence of int, optional
        The axes; may be left out where ``scale`` has one integer for each of the last axes.

    Returns
    -------
    Array
        Of the shape of x with k times the length of each axis.

    Raises
    ------
    TypeError
        If x is no array of a model, or a scale or axis not an integer.
    ValueError
        If the axes are not given or not axes of x, or the scales not one for each or less than 1.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (4,), "v": (2,)}, {"x": (2,)}, lambda u, v, x: u * upsample(v * x, (2,)))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")
    |P1[i]|² − v[i]² where P1 = u.reshape(2, 2)  (i < 2)
    """
    chosen, scales = axes_of(x, scale, axes)
    return selected(x, {axis: np.repeat(np.arange(x.shape[axis]), k) for axis, k in zip(chosen, scales, strict=True)})


def pixel_shuffle(x: Array, factor: int) -> Array:
    r"""Channels become pixels: $y_{c,\,r h + a,\,r w + b} = x_{r^2 c + r a + b,\,h,\,w}$ with $a, b < r$.

    As ``torch.nn.functional.pixel_shuffle``.

    Parameters
    ----------
    x : Array
        Of shape (..., channels $r^2$, height, width).
    factor : int
        The factor r.

    Returns
    -------
    Array
        Of shape (..., channels, height r, width r).

    Raises
    ------
    TypeError
        If the factor is not an integer.
    ValueError
        If the factor is less than 1, or x is no array of a model of such a shape.

    Examples
    --------
    >>> import clexact
    >>> parameters = {"U": (2, 2), "W": (4, 1, 1)}
    >>> net = clexact.Model(parameters, {"x": ()}, lambda U, W, x: U * pixel_shuffle(W * x, 2))
    >>> net  # one channel of 2 by 2 pixels
    Model(model, D = 8, output of shape (1, 2, 2))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")
    P1[i]² − W[i,0,0]² where P1 = U.reshape(4)  (i < 4)
    """
    r = check_size(factor, "the factor of pixel_shuffle")
    if not isinstance(x, Array) or x.ndim < 3 or x.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle takes an array (..., channels * {r * r}, height, width), not {x!r}.")
    *batch, channels, height, width = x.shape
    b = len(batch)
    apart = x.reshape((*batch, channels // (r * r), r, r, height, width))
    turned = permuted(apart, [*range(b + 1), b + 3, b + 1, b + 4, b + 2])
    return turned.reshape((*batch, channels // (r * r), height * r, width * r))


def channel_shuffle(x: Array, groups: int, axis: int = 0) -> Array:
    r"""The first channel of each of g groups, then the second, and so on: $y_{g j + i} = x_{(c / g)\, i + j}$, $i < g$.

    As ``torch.nn.ChannelShuffle``, where the channels are along axis 1, after the batch.

    Parameters
    ----------
    x : Array
        An array of at least one axis.
    groups : int
        The number g of groups, which divides the number c of channels.
    axis : int
        The axis of the channels.

    Returns
    -------
    Array
        Of the shape of x.

    Raises
    ------
    TypeError
        If x is no array of a model, or the number of groups or the axis not an integer.
    ValueError
        If x has no such axis, or its channels do not fall in so many equal groups.

    Examples
    --------
    >>> import clexact
    >>> net = clexact.Model({"u": (4,), "v": (4,)}, {"x": ()}, lambda u, v, x: u * channel_shuffle(v * x, 2))
    >>> print(*clexact.certify(clexact.gradient_flow(net)).laws, sep="\n")
    u[i]² − P1[i]² where P1 = v.reshape(2, 2).permute(1, 0).flatten(0, 1)  (i < 4)
    """
    _, (groups,) = axes_of(x, groups, axis)
    channels = x.shape[axis]
    if channels % groups:
        raise ValueError(f"{channels} channels do not fall in {groups} equal groups.")
    places = np.arange(channels).reshape(groups, channels // groups).T.ravel()
    return selected(x, {range(x.ndim)[axis]: places})
