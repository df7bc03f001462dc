"""An example with axes of one entry made longer: laws read there hold where something is broadcast along them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from clexact.torch.trace import arguments

Given = dict[int | str, Any]  # arguments by their place or keyword


def widened(module: nn.Module, example: Any) -> tuple[Any, bool]:
    """The example with two entries along every axis of one where the module runs so, and whether there is any."""
    positional, keywords = arguments(example)
    given: Given = dict((*enumerate(positional), *keywords.items()))
    single = {key: [n for n, size in enumerate(x.shape) if size == 1] for key, x in given.items() if _is_tensor(x)}
    changed = False
    for axis in sorted({axis for axes in single.values() for axis in axes}):
        every = [key for key, axes in single.items() if axis in axes]
        for keys in (every, *([key] for key in every if len(every) > 1)):
            trial = given | {key: torch.cat([given[key], given[key]], axis) for key in keys}
            if _runs(module, trial):
                given, changed = trial, True
                break
    places = [key for key in given if isinstance(key, int)]
    if keywords and not positional:
        return {key: value for key, value in given.items() if isinstance(key, str)}, changed
    return (tuple(given[key] for key in places) if isinstance(example, (tuple, list)) else given[0]), changed


def shapes_of(example: Any) -> Sequence[tuple[int, ...]]:
    """The shapes of the tensors of an example."""
    positional, keywords = arguments(example)
    return [tuple(x.shape) for x in (*positional, *keywords.values()) if _is_tensor(x)]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _runs(module: nn.Module, given: Given) -> bool:
    """Whether the module takes these arguments. Its buffers are not changed."""
    buffers = {name: b.clone() for name, b in module.named_buffers()}
    positional = tuple(value for key, value in given.items() if isinstance(key, int))
    keywords = {key: value for key, value in given.items() if isinstance(key, str)}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            functional_call(module, buffers, positional, keywords)
        except Exception:  # the module's own code: whatever it raises, it does not run so
            return False
    return True
