"""Rules of what moves entries: shapes, parts, joins, borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from clexact.programs.array import Array, concatenate
from clexact.torch.translation.convolution import bordered
from clexact.torch.translation.rule import Call, at, number, rule, symbol, widened


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "view_as", "reshape_as",
      "atleast_1d", "atleast_2d")  # fmt: skip
def _reshape(call: Call, x: Array, **_: Any) -> Array:
    return x.reshape(call.shape)


@rule("permute")
def _permute(call: Call, x: Array, dims: Sequence[int]) -> Array:
    return x.transpose(*dims)


@rule("transpose", "swapaxes", "swapdims")
def _swap(call: Call, x: Array, **axes: int) -> Array:
    order = list(range(x.ndim))
    a, b = axes.values()
    order[a], order[b] = order[b], order[a]
    return x.transpose(*order)


@rule("t", "numpy_T", "mT", "matrix_H", "adjoint")
def _turned(call: Call, x: Array) -> Array:
    if call.name in ("t", "numpy_T"):
        return x.T
    return x.transpose(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)


@rule("movedim", "moveaxis")
def _move(call: Call, x: Array, source: Any, destination: Any) -> Array:
    order = np.moveaxis(np.empty([2] * x.ndim), source, destination)
    del order
    places = np.moveaxis(np.arange(x.ndim).reshape([-1] + [1] * (x.ndim - 1)), 0, 0).ravel()
    source, destination = ([v] if isinstance(v, int) else list(v) for v in (source, destination))
    target = {range(x.ndim)[d]: range(x.ndim)[s] for s, d in zip(source, destination, strict=True)}
    rest = iter(axis for axis in places.tolist() if axis not in target.values())
    return x.transpose(*(target[axis] if axis in target else next(rest) for axis in range(x.ndim)))


@rule("expand", "expand_as", "broadcast_to")
def _expand(call: Call, x: Array, **_: Any) -> Array:
    return widened(x, call.shape)


@rule("repeat", "tile")
def _repeat(call: Call, x: Array, **_: Any) -> Array:
    x = x.reshape((1,) * (len(call.shape) - x.ndim) + x.shape)
    return x.select([np.arange(size) % mine for mine, size in zip(x.shape, call.shape, strict=True)])


@rule("select")
def _select(call: Call, x: Array, dim: int, index: int) -> Array:
    return at(x, dim, index % x.shape[dim])


@rule("slice")
def _slice(call: Call, x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    return at(x, dim, np.arange(x.shape[dim])[start:end:step])


@rule("narrow")
def _narrow(call: Call, x: Array, dim: int, start: int, length: int) -> Array:
    return at(x, dim, np.arange(x.shape[dim])[start:][:length])


@rule("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def _split(call: Call, x: Array, dim: int = 0, **_: Any) -> list[Array]:
    """The parts of which the sizes are those of the results: all but their number is known of the first."""
    places = torch.arange(x.shape[dim])
    given = next(iter(_.values()))
    return [at(x, dim, part.numpy()) for part in call.target(places, given, 0)]


@rule("unbind")
def _unbind(call: Call, x: Array, dim: int = 0) -> list[Array]:
    return [at(x, dim, place) for place in range(x.shape[dim])]


@rule("cat", "concat", "concatenate")
def _concatenate(call: Call, tensors: Sequence[Any], dim: int = 0) -> Array:
    like = next(part for part in tensors if isinstance(part, Array))
    parts = [symbol(like, part) for part in tensors]
    whole = [part for part in parts if part.shape != (0,)]  # PyTorch lets vectors without entries join anything
    return whole[0] if len(whole) == 1 else concatenate(whole, dim)


@rule("stack")
def _stack(call: Call, tensors: Sequence[Any], dim: int = 0) -> Array:
    like = next(part for part in tensors if isinstance(part, Array))
    axis = dim % len(call.shape)
    shape = (*call.shape[:axis], 1, *call.shape[axis + 1 :])
    return _concatenate(call, [symbol(like, part).reshape(shape) for part in tensors], axis)


@rule("index_select")
def _index_select(call: Call, x: Array, dim: int, index: Any) -> Array:
    if not isinstance(index, torch.Tensor):
        raise call.refuse("at places that depend on values")
    return at(x, dim, index.cpu().numpy())


@rule("roll")
def _roll(call: Call, x: Array, shifts: Any, dims: Any = ()) -> Array:
    moves, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, dims))
    if not axes:
        return at(x.reshape((x.size,)), 0, np.roll(np.arange(x.size), moves[0])).reshape(x.shape)
    for shift, axis in zip(moves, axes, strict=True):
        x = at(x, axis, np.roll(np.arange(x.shape[axis]), shift))
    return x


@rule("flip")
def _flip(call: Call, x: Array, dims: Sequence[int]) -> Array:
    for axis in dims:
        x = at(x, axis, np.arange(x.shape[axis])[::-1])
    return x


@rule("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d")
def _pad(
    call: Call, x: Array, pad: Any = None, mode: str = "constant", value: Any = None, padding: Any = None
) -> Array:
    """Borders of zeros, of another constant, or of entries moved there; negative ones cut off."""
    sizes = list(pad if padding is None else padding)
    mode = {"refl": "reflect", "repl": "replicate"}.get(call.name[:4], mode)
    if mode == "constant" and value:
        ones = symbol(x, torch.ones(x.shape, dtype=torch.int64))
        return _pad(call, x, sizes) + number(value) * (1 - _pad(call, ones, sizes))
    for n in range(len(sizes) // 2):
        axis = x.ndim - 1 - n
        places = np.arange(-sizes[2 * n], x.shape[axis] + sizes[2 * n + 1])
        if mode == "constant":
            inside = (places >= 0) & (places < x.shape[axis])
            border = x.shape[axis]
            x = at(x if inside.all() else bordered(x, [axis]), axis, np.where(inside, places, border))
        else:
            x = at(x, axis, _moved_inside(places, x.shape[axis], mode))
    return x


def _moved_inside(places: Any, size: int, mode: str) -> Any:
    """Where the entries of a border come from."""
    if mode == "circular":
        return places % size
    if mode == "replicate":
        return places.clip(0, size - 1)
    places = np.abs(places)  # reflect, without the border itself
    return np.where(places < size, places, 2 * (size - 1) - places)


@rule("index", "gather", "unfold", "diagonal", "take", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "rot90",
      "as_strided", "im2col", "diag", "diag_embed")  # fmt: skip
def _moved(call: Call, x: Array, **others: Any) -> Array:
    """Any other way to move entries: PyTorch moves their places, a table of which is taken."""
    if any(isinstance(part, Array) for value in others.values() for part in _parts(value)):
        raise call.refuse("at places that depend on values")
    if call.name in ("diag_embed", "im2col") or (call.name == "diag" and x.ndim == 1):
        raise call.refuse("that makes zeros")
    places = torch.arange(prod(x.shape)).reshape(x.shape)
    kinds = {"gather": ("dim", "index")}.get(call.name, tuple(others))
    table = call.target(places, *(others[key] for key in kinds))
    return x.then("take", tuple(table.shape), table.numpy().astype(np.int64))


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


@rule("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def _upsample(call: Call, x: Array | None = None, input: Any = None, **_: Any) -> Array:
    x = input if x is None else x
    for axis, size in enumerate(call.shape):
        if size % x.shape[axis]:
            raise call.refuse("by a factor that is no integer")
        x = at(x, axis, np.arange(size) // (size // x.shape[axis]))
    return x
