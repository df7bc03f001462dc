"""Rules of what moves entries: shapes, parts, joins, borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from clexact import functions
from clexact.programs.array import Array, concatenate
from clexact.torch.translation.convolution import padded
from clexact.torch.translation.rule import Call, number, rule, symbols


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "view_as", "reshape_as")
def _reshape(call: Call, x: Array, **_: Any) -> Array:
    return x.reshape(call.shape)


@rule("permute")
def _permute(call: Call, x: Array, dims: Sequence[int]) -> Array:
    return x.transpose(tuple(dims))


@rule("transpose", "swapaxes", "swapdims")
def _swap(call: Call, x: Any, **axes: int) -> Any:
    return x.swapaxes(*axes.values())


@rule("t", "numpy_T")
def _reversed(call: Call, x: Array) -> Array:
    return x.T


@rule("mT", "adjoint")
def _turned(call: Call, x: Any) -> Any:
    return x.swapaxes(-1, -2)


@rule("movedim", "moveaxis")
def _move(call: Call, x: Any, source: Any, destination: Any) -> Any:
    return np.moveaxis(x, source, destination)


@rule("expand", "expand_as", "broadcast_to")
def _expand(call: Call, x: Any, **_: Any) -> Any:
    return np.broadcast_to(x, call.shape)


@rule("repeat", "tile")
def _repeat(call: Call, x: Any, **counts: Sequence[int]) -> Any:
    return np.tile(x, next(iter(counts.values())))


@rule("select")
def _select(call: Call, x: Any, dim: int, index: int) -> Any:
    return x.take(index, dim)


@rule("slice")
def _slice(call: Call, x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x.take(np.arange(x.shape[dim])[start:end:step], dim)


@rule("narrow")
def _narrow(call: Call, x: Any, dim: int, start: int, length: int) -> Any:
    return x.take(np.arange(x.shape[dim])[start:][:length], dim)


@rule("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def _split(call: Call, x: Any, dim: int = 0, **sizes: Any) -> list[Any]:
    """PyTorch splits the places along the axis."""
    parts = call.target(torch.arange(x.shape[dim]), *sizes.values(), 0)
    return [x.take(part.numpy(), dim) for part in parts]


@rule("unbind")
def _unbind(call: Call, x: Any, dim: int = 0) -> list[Any]:
    return [x.take(place, dim) for place in range(x.shape[dim])]


@rule("cat", "concat", "concatenate")
def _concatenate(call: Call, tensors: Sequence[Any], dim: int = 0) -> Array:
    """Vectors without entries join anything in PyTorch, and are left out."""
    return concatenate(symbols(*(part for part in tensors if tuple(part.shape) != (0,))), dim)


@rule("stack")
def _stack(call: Call, tensors: Sequence[Any], dim: int = 0) -> Any:
    return np.stack(symbols(*tensors), dim)


@rule("index_select")
def _index_select(call: Call, x: Any, dim: int, index: Any) -> Any:
    if not isinstance(index, torch.Tensor):
        raise call.refuse("at places that depend on values")
    return x.take(index.cpu().numpy(), dim)


@rule("roll")
def _roll(call: Call, x: Any, shifts: Any, dims: Any = ()) -> Any:
    return np.roll(x, shifts, dims) if dims else np.roll(x, shifts if isinstance(shifts, int) else shifts[0])


@rule("flip")
def _flip(call: Call, x: Any, dims: Sequence[int]) -> Any:
    return np.flip(x, tuple(dims))


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@rule("pad", "constant_pad_nd")
def _pad(call: Call, x: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Borders, the last axis first; negative ones cut off."""
    before, after = list(pad)[-2::-2], list(pad)[::-2]
    for n, (first, last) in enumerate(zip(before, after, strict=True), x.ndim - len(before)):
        size = x.shape[n]
        x = x if min(first, last) >= 0 else x.take(np.arange(size)[max(0, -first) : size - max(0, -last)], n)
    before, after = ([max(0, width) for width in widths] for widths in (before, after))
    if not value:
        return padded(x, before, after, MODES[mode])
    widths = [(0, 0)] * (x.ndim - len(before)) + list(zip(before, after, strict=True))
    return np.pad(x, widths, constant_values=number(value))  # type: ignore[arg-type]


@rule("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def _upsample(call: Call, x: Array, **_: Any) -> Array:
    if any(size % mine for size, mine in zip(call.shape, x.shape, strict=True)):
        raise call.refuse("by a factor that is no integer")
    return functions.upsample(x, [size // mine for size, mine in zip(call.shape, x.shape, strict=True)][2:])


@rule("index", "gather", "unfold", "diagonal", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "rot90")
def _moved(call: Call, x: Array, **others: Any) -> Array:
    """Other ways to move entries: PyTorch moves their places, of which a table is taken."""
    if any(isinstance(part, Array) for value in others.values() for part in _parts(value)):
        raise call.refuse("at places that depend on values")
    table = call.target(torch.arange(prod(x.shape)).reshape(x.shape), **others)
    return x.then("take", tuple(table.shape), table.numpy())


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
