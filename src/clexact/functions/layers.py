"""What layers of networks do with entries: embeddings of tokens, upsampling, shuffles of channels and pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clexact.functions.convolutions import Sizes, axes_of
from clexact.programs.array import Array, concatenate
from clexact.programs.model import check_size
from clexact.programs.rearrange import broadcast_to, permuted, selected


def embedding(table: Array, tokens: object, padding_idx: int | None = None, padding: object = 0) -> Array:
    """The rows of a table (rows, \\*features) at constant tokens, an array of integers: shape (\\*tokens, \\*features).

    Row ``padding_idx`` has no gradient, as in PyTorch, so it stays what it was at the start: a constant, ``padding``
    (default 0, as ``torch.nn.Embedding`` makes it). The table's own entries there are not read, and so are conserved;
    where the table has another use that moves this row, the embedding is a different one.
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
    """Every entry repeated ``scale`` times along axes (as for ``windows``): the nearest one."""
    chosen, scales = axes_of(x, scale, axes)
    return selected(x, {axis: np.repeat(np.arange(x.shape[axis]), k) for axis, k in zip(chosen, scales, strict=True)})


def pixel_shuffle(x: Array, factor: int) -> Array:
    r"""(..., channels $r^2$, height, width) as (..., channels, height r, width r), as ``torch.nn.PixelShuffle``."""
    r = check_size(factor, "the factor of pixel_shuffle")
    if not isinstance(x, Array) or x.ndim < 3 or x.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle takes an array (..., channels * {r * r}, height, width), not {x!r}.")
    *batch, channels, height, width = x.shape
    b = len(batch)
    apart = x.reshape((*batch, channels // (r * r), r, r, height, width))
    turned = permuted(apart, [*range(b + 1), b + 3, b + 1, b + 4, b + 2])
    return turned.reshape((*batch, channels // (r * r), height * r, width * r))


def channel_shuffle(x: Array, groups: int, axis: int = 0) -> Array:
    """The channels, along ``axis``, of groups in turn: the first of each, the second of each, and so on."""
    _, (groups,) = axes_of(x, groups, axis)
    channels = x.shape[axis]
    if channels % groups:
        raise ValueError(f"{channels} channels do not fall in {groups} equal groups.")
    places = np.arange(channels).reshape(groups, channels // groups).T.ravel()
    return selected(x, {range(x.ndim)[axis]: places})
