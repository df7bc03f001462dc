"""The data that a module is trained on: tensors, arrays, or the batches of a loader, gathered as one array a tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from clexact.programs.places import Shape
from clexact.torch.trace import arguments

Values = NDArray[Any]  # (inputs, *shape of one): numbers as they are given
MOST = 10**7  # numbers
BATCH = 1024  # samples that are taken out of a data set at a time


def gathered(example: Any, inputs: object) -> list[Values]:
    """For each tensor of the example input all data for it; ValueError or TypeError for what is none."""
    positional, keywords = arguments(example)
    tensors = [*positional, *keywords.values()]
    if not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise TypeError("inputs are for modules whose arguments are tensors, each an argument of its own.")
    names = list(keywords) or None
    if (whole := _parts(inputs, names, len(tensors))) is not None:
        return [_array(part) for part in whole]
    batches: list[list[Values]] = []
    left = MOST
    for batch in _batches(inputs):
        found = _parts(_input_of(batch, names, len(tensors)), names, len(tensors))
        if found is None:
            raise TypeError(f"a batch of inputs must be {_wanted(names, len(tensors))}, not {type(batch).__name__}.")
        batches.append([_array(part) for part in found])
        left -= sum(part.size for part in batches[-1])
        if left < 0:
            raise ValueError(f"inputs hold over {MOST} numbers: give fewer batches.")
    if not batches:
        raise ValueError("inputs must hold at least one batch.")
    return [_joined(parts) for parts in zip(*batches, strict=True)]


def cases(values: Values, example: Shape, name: str) -> Values:
    """Data as cases of the shape of the example: inputs of that shape, or as many batches of its first axis."""
    if values.shape[1:] == example:
        return values
    if example and values.ndim == len(example) and values.shape[1:] == example[1:] and len(values):
        if len(values) % example[0] == 0:
            return values.reshape(-1, *example)
        raise ValueError(
            f"inputs for {name!r}: {len(values)} are no whole number of batches of {example[0]}, as the example input "
            "has them."
        )
    wanted = ", ".join(["N", *map(str, example[1:])])
    raise ValueError(f"inputs for {name!r} must have shape ({wanted}), N at least 1, not {values.shape}.")


def tensor_of(values: Values, like: Tensor) -> Tensor:
    """Data as an input of the module: integers as they are."""
    if like.is_floating_point():
        return torch.tensor(values.astype(float), dtype=like.dtype, device=like.device)
    if any(value != int(value) for value in values.ravel().tolist()):
        raise ValueError("inputs must be integers where the example input has integers.")
    return torch.tensor(values.astype(np.int64), device=like.device).to(like.dtype)


def _parts(inputs: object, names: Sequence[str] | None, count: int) -> list[Any] | None:
    """One array for each tensor of the example; None for what is no such thing."""
    if names is not None:
        if not isinstance(inputs, Mapping):
            return None
        if missing := [name for name in names if name not in inputs]:
            raise ValueError(f"inputs must give {', '.join(names)}: {missing[0]} is missing.")
        found = [inputs[name] for name in names]
    elif count == 1:
        found = [inputs]
    else:
        found = list(inputs) if isinstance(inputs, (tuple, list)) and len(inputs) == count else []
    return found if found and all(map(_is_array, found)) else None


def _is_array(value: object) -> bool:
    """Whether it is an array of numbers, or nested lists of them."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(not isinstance(x, (Tensor, np.ndarray, Mapping)) for x in _first(value))
    return isinstance(value, (Tensor, np.ndarray))


def _first(value: Sequence[Any]) -> Iterator[Any]:
    """The members of nested lists, first ones first."""
    for x in value:
        yield x
        if isinstance(x, (list, tuple)):
            yield from _first(x)


def _input_of(batch: Any, names: Sequence[str] | None, count: int) -> Any:
    """The input of a batch: the first of a pair; of several, as many as the module takes."""
    if not isinstance(batch, (tuple, list)) or not batch or _is_array(batch):
        return batch
    if names is not None or count == 1 or isinstance(batch[0], (tuple, list)):
        return batch[0]
    return tuple(batch[:count])


def _batches(inputs: object) -> Iterable[Any]:
    if isinstance(inputs, Dataset):
        if not isinstance(inputs, IterableDataset) and hasattr(inputs, "__len__") and not len(inputs):
            return ()
        loader: Iterable[Any] = DataLoader(inputs, batch_size=BATCH)
        return loader
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise TypeError(
            f"inputs must be a tensor, an array, or a DataLoader, a Dataset or an iterable of batches, not "
            f"{type(inputs).__name__}."
        )
    return inputs


def _wanted(names: Sequence[str] | None, count: int) -> str:
    if names is not None:
        return f"a mapping that gives {', '.join(names)}"
    return "a tensor, or a tuple that begins with one" if count == 1 else f"a tuple that begins with {count} tensors"


def _array(value: Any) -> Values:
    """As numbers: of floats the ones that they are."""
    if isinstance(value, Tensor):
        if value.is_complex():
            raise TypeError("inputs must be real numbers, not complex ones.")
        value = value.detach().cpu()
        return np.asarray(value.double().numpy() if value.is_floating_point() else value.long().numpy())
    made = value if isinstance(value, np.ndarray) else np.array(value, dtype=object)
    if prod(made.shape) > MOST:
        raise ValueError(f"inputs hold over {MOST} numbers: give fewer.")
    return made.astype(np.int64) if made.dtype == bool else made


def _joined(parts: Sequence[Values]) -> Values:
    """Batches one after another."""
    if len(shapes := {part.shape[1:] for part in parts}) > 1:
        first, second = sorted(shapes)[:2]
        raise ValueError(f"batches of inputs must hold inputs of one shape, not {first} and {second}.")
    return np.concatenate(parts)
