"""A module as a list of operations: read whole, or with the smallest submodules cut out that cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from clexact.torch.calls import Called, Troubles, recorded, troubles, without_cache
from clexact.torch.cuts import Cut, agree, cut_out
from clexact.torch.exported import Trace, read
from clexact.torch.failures import UnreadableError, told
from clexact.torch.own_gradients import COMPARED, are_true

Names = frozenset[str]


def arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The example input as arguments of the module: a tensor, a tuple or list of arguments, or a dict of keywords."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return tuple(example) if isinstance(example, (tuple, list)) else (example,), {}


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile or DataParallel: laws are named as its parameters are."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, not {module!r}.")
    while isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)) or hasattr(module, "_orig_mod"):
        module = module._orig_mod if hasattr(module, "_orig_mod") else module.module
    return module


def trace(module: nn.Module, example: Any) -> Trace:
    """Read a module as it is now (training or evaluation mode). UnreadableError if that cannot be done faithfully.

    Where a part of it cannot be read, or has gradients that are not those of its operations, the smallest submodules
    around are cut out: each call of them is one operation ``cut``. A function with a gradient of its own is read as its
    operations where that is their gradient, as far as a comparison shows. A cache of keys and values is no answer, and
    left out.
    """
    positional, keywords = arguments(example)
    with without_cache(module) as left:
        found = _trace(module, positional, keywords)
    return replace(found, notes=(*found.notes, *(f"no loss reads the {what} that it gives" for what in left)))


def _trace(module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Trace:
    """Likewise, of a module that gives no cache of keys and values."""
    root = recorded(module, positional, keywords)
    found = troubles(module, root)
    if not found.parts or (found.functions and are_true(module, positional, keywords)):
        del root  # its tensors, before the export
        own = " and ".join(found.functions)
        notes = (f"gradients that {own} defines are taken as those of its operations: {COMPARED}",) if own else ()
        try:
            return replace(read(module, positional, keywords), held=found.parameters, notes=notes)
        except UnreadableError as error:
            why = error
        root = recorded(module, positional, keywords)
    else:
        why = UnreadableError(found.first)
    search = _Search(root, found)
    seen = search.result()
    if seen is None or not agree(module, seen, positional, keywords, search.cuts):
        raise why
    return replace(seen, cuts=search.reasons, held=found.parameters)


class _Search:
    """The smallest submodules that are to be cut out of one module."""

    def __init__(self, root: Called, found: Troubles) -> None:
        self.root, self._reasons = root, dict(found.parts)
        self._calls: dict[str, list[Called]] = {}
        for call in root.every():
            self._calls.setdefault(call.name, []).append(call)
        self._made: dict[str, Cut | None] = {}
        self._chosen = Names()
        self._seen: Trace | None = None

    @property
    def cuts(self) -> list[Cut]:
        """Those that are cut out of what was read."""
        return self._cuts(self._chosen)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each of them is, but for those that are called only inside others."""
        return {name: self._reasons[name] for name in sorted(self._met(self._chosen))}

    def result(self) -> Trace | None:
        """What is read of the module; None if no cuts are enough."""
        start = self._around(self._reasons)
        chosen = None if start is None else self._enough(self.root, start, known=not start)
        if chosen is not None:
            self._chosen = chosen
        return self._seen

    def _around(self, names: Iterable[str]) -> Names | None:
        """The smallest submodules around these that can be cut out; None if the module itself would be one."""
        found, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if not name:
                return None
            if self._cut(name) is not None:
                found.add(name)
                continue
            for call in self._calls[name]:
                if call.caller is not None:
                    self._reasons.setdefault(call.caller.name, self._reasons[name])
                    waiting.append(call.caller.name)
        return Names(found)

    def _enough(self, call: Called, cuts: Names, known: bool = False) -> Names | None:
        """These cuts and the fewest more with which a call can be read, or is itself one; None if there are none.

        ``known``: that these alone are not enough.
        """
        if not known and self._reads(call, cuts):
            return cuts
        every: Names | None = cuts
        for inner in {id(inner.part): inner for inner in reversed(call.inner)}.values():
            if every is not None and inner.name not in every:
                every = self._enough(inner, every)
        if every is not None and every != cuts and self._reads(call, every):
            return every
        return cuts | {call.name} if call is not self.root and self._cut(call.name) is not None else None

    def _reads(self, call: Called, cuts: Names) -> bool:
        """Whether a call can be read with these cut out."""
        chosen = self._cuts(cuts)
        positional, keywords = call.given if call is self.root else tree_map(_apart, call.given)
        with cut_out(chosen):
            try:
                seen = read(call.part, positional, keywords, inner=call is not self.root)
            except Exception as error:  # of a part run by itself, whatever it needs
                self._reasons[call.name] = str(error) if isinstance(error, UnreadableError) else told(error)
                return False
        if call is self.root:
            met = self._met(cuts)
            if any(cut.met % met[cut.name] or not cut.met for cut in chosen if cut.name in met):
                return False  # it goes another way when it is exported
            self._seen = seen
        return True

    def _met(self, cuts: Names) -> Counter[str]:
        """How often each of the cuts is called, but inside of others."""
        met, stack = Counter[str](), [self.root]
        while stack:
            call = stack.pop()
            if call.name in cuts:
                met[call.name] += 1
            else:
                stack += call.inner
        return met

    def _cuts(self, names: Names) -> list[Cut]:
        return [cut for cut in map(self._cut, sorted(names)) if cut is not None]

    def _cut(self, name: str) -> Cut | None:
        """A submodule as one to be cut out; None if more than its output shows what it does."""
        if name not in self._made:
            try:
                self._made[name] = Cut.of(self.root, self._calls[name])
            except UnreadableError:
                self._made[name] = None
        return self._made[name]


def _apart(value: Any) -> Any:
    """A tensor without its history."""
    return value.detach().clone() if isinstance(value, Tensor) else value
