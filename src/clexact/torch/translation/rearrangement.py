"""Rules of what moves entries: shapes, parts, joins, borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np
import torch

from clexact.programs.array import Array, concatenate
from clexact.torch.translation.convolution import padded
from clexact.torch.translation.rule import Call, Masked, number, rule, symbols


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
    if value == -inf:
        hidden = np.pad(np.zeros(x.shape, dtype=bool), widths, constant_values=True)
        return Masked(padded(x, before, after), hidden)
    return np.pad(x, widths, constant_values=number(value))  # type: ignore[arg-type]


@rule(
    "index", "gather", "unfold", "diagonal", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "rot90",
    "take_along_dim", "diag", "fliplr", "flipud",
)  # fmt: skip
def _moved(call: Call, x: Array, **others: Any) -> Array:
    """Other ways to move entries: PyTorch moves their places, of which a table is taken."""
    if any(isinstance(part, Array) for value in others.values() for part in _parts(value)):
        raise call.refuse("at places that depend on values")
    table = call.target(torch.arange(prod(x.shape)).reshape(x.shape), **others)
    return x.then("take", tuple(table.shape), table.numpy())


@rule("select_scatter", "slice_scatter", "diagonal_scatter", "index_put", "index_copy", "index_fill", "scatter")
def _placed(call: Call, x: Any, **others: Any) -> Any:
    """Entries put in the places of others: PyTorch puts their numbers there, by which those of both are taken."""
    source = next(name for name in ("src", "values", "source", "value") if name in others)
    if others.get("accumulate") or others.get("reduce"):
        raise call.refuse("that adds or multiplies")
    rest = [part for name, value in others.items() if name != source for part in _parts(value)]
    if any(isinstance(part, Array) for part in rest):
        raise call.refuse("at places that depend on values")
    a, b = symbols(x, others[source])
    places, new = torch.arange(a.size).reshape(a.shape), a.size + torch.arange(b.size).reshape(b.shape)
    others[source] = int(new) if isinstance(others[source], (int, float)) else new
    table = call.target(places, **others)
    return concatenate([a.reshape(-1), b.reshape(-1)]).then("take", tuple(table.shape), table.numpy())


@rule("index_add", "scatter_add")
def _added(call: Call, x: Any, dim: int, index: Any, **others: Any) -> Any:
    """x + S b, S with a 1 where an entry of b goes."""
    if not isinstance(index, torch.Tensor):
        raise call.refuse("at places that depend on values")
    a, b = symbols(x, others.get("src", others.get("source")))
    places = torch.arange(a.size).reshape(a.shape)
    if call.name == "scatter_add":
        targets = places.gather(dim, index).numpy().ravel()
        b = b[tuple(map(slice, index.shape))]
    else:
        targets = places.index_select(dim, index).numpy().ravel()
    goes = np.zeros((b.size, a.size), dtype=int)
    goes[np.arange(b.size), targets] = 1
    return a + (b.reshape((1, -1)) @ goes).reshape(a.shape) * number(others.get("alpha", 1))


@rule("im2col")
def _patches(call: Call, x: Array, **others: Any) -> Array:
    """Places counted from 1: those of a border are 0."""
    table = call.target(torch.arange(1.0, x.size + 1, dtype=torch.float64).reshape(x.shape), **others).long()
    return concatenate([x.symbol([0]), x.reshape(-1)]).then("take", tuple(table.shape), table.numpy())


@rule("col2im")
def _folded(call: Call, x: Any, **others: Any) -> Any:
    """The transpose of ``im2col``: sums of the entries of patches, found by PyTorch for one sample."""
    samples, size = (1, *x.shape)[-3], prod(x.shape[-2:])
    units = torch.eye(size, dtype=torch.float64).reshape(size, *x.shape[-2:])
    return (x.reshape((samples, size)) @ call.target(units, **others).reshape(size, -1).long().numpy()).reshape(
        call.shape
    )


def _parts(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
