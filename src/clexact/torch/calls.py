"""A module run once: which submodule calls which on what, and where gradients are not those of its operations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from clexact.torch.failures import UnreadableError, told

ONLY_READS = "clexact_only_reads"  # an attribute of hooks that leave gradients as they are
ONE_AT_A_TIME = threading.RLock()  # modules run with calls intercepted, torch.export, and filters of warnings
SETS_HOOK = ("register_hook", "register_post_accumulate_grad_hook")
HELD = {"_parameters", "_buffers", "_modules"}
CALL = "_compiled_call_impl"  # what nn.Module.__call__ runs in place of forward and hooks, if it is set

Functions = set[Any]  # nodes of the graph of autograd


@dataclass(eq=False)
class Called:
    """One call of a submodule, hooks among it."""

    name: str  # the submodule's; "" is the module itself
    part: nn.Module
    given: tuple[tuple[Any, ...], dict[str, Any]]
    caller: Called | None = None
    inner: list[Called] = field(default_factory=list)
    hooked: list[Tensor] = field(default_factory=list)  # on which its own code sets hooks
    output: Any = None
    writes: bool = False  # whether it writes into a tensor that enters
    span: tuple[int, int] = (0, 0)  # sequence numbers of autograd, before and after
    keeping: set[nn.Module] = field(default_factory=set)  # of the whole run: those whose attributes are others after it

    def __post_init__(self) -> None:
        self.entering = tensors(self.given)
        self.entered = {tensor.grad_fn for tensor in self.entering} - {None}
        self._versions = [tensor._version for tensor in self.entering]
        self.span = (torch._C._autograd._get_sequence_nr(), 0)

    def end(self, output: Any) -> None:
        """Note what leaves."""
        self.output, self.span = output, (self.span[0], torch._C._autograd._get_sequence_nr())
        self.writes = self._versions != [tensor._version for tensor in self.entering]

    def every(self) -> Iterator[Called]:
        """This call and all within it."""
        yield self
        for call in self.inner:
            yield from call.every()

    def innermost(self, function: Any) -> Called:
        """The call in which a node of autograd was made."""
        number = function._sequence_nr()
        for call in self.inner:
            if call.span[0] <= number < call.span[1]:
                return call.innermost(function)
        return self

    def leaks(self, module: nn.Module) -> list[str]:
        """Parameters of the module to which gradients pass from here, but by what enters or as this part's own."""
        known = {id(p) for p in self.part.parameters()} | {id(tensor) for tensor in self.entering}
        start = [tensor.grad_fn for tensor in (*tensors(self.output), *self.hooked)]
        reached = behind([fn for fn in start if fn is not None and fn not in self.entered], self.entered)
        leaves = {id(fn.variable) for fn in reached if hasattr(fn, "variable")}
        leaves = (leaves | {id(tensor) for tensor in self.hooked if tensor.grad_fn is None}) - known
        return [name for name, p in module.named_parameters() if id(p) in leaves]


def tensors(value: Any) -> list[Tensor]:
    """The tensors among what a call takes or gives."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def behind(start: Collection[Any], stop: Collection[Any] = ()) -> Functions:
    """The nodes of autograd's graph through which gradients pass from some on, as far as others."""
    seen, stack = set(start), list(start)
    while stack:
        for parent, _ in stack.pop().next_functions:
            if parent is not None and parent not in seen and parent not in stop:
                seen.add(parent)
                stack.append(parent)
    return seen


class _Recording(TorchFunctionMode):  # type: ignore[misc]
    """The stack of calls, and the tensors on which hooks are set."""

    def __init__(self, root: Called) -> None:
        super().__init__()
        self.stack = [root]

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") in SETS_HOOK:
            self.stack[-1].hooked.append(args[0])
        return function(*args, **(kwargs or {}))

    def calling(self, name: str, part: nn.Module) -> Callable[..., Any]:
        """A call of a submodule that is recorded."""

        def run(*args: Any, **kwargs: Any) -> Any:
            call = Called(name, part, (args, kwargs), self.stack[-1])
            self.stack[-1].inner.append(call)
            self.stack.append(call)
            try:
                call.end(part._call_impl(*args, **kwargs))
            finally:
                self.stack.pop()
            return call.output

        return run


@contextmanager
def intercepted(calls: Mapping[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Let calls of these modules, their hooks among them, run something else."""
    with ONE_AT_A_TIME:
        before = {part: part.__dict__.get(CALL) for part in calls}
        for part, run in calls.items():
            part.__dict__[CALL] = run
        try:
            yield
        finally:
            for part, own in before.items():
                part.__dict__.pop(CALL)
                part.__dict__.update({CALL: own} if own is not None else {})


def recorded(module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Called:
    """The calls of one run of a module, whose buffers are not changed."""
    root = Called("", module, (positional, keywords))
    recording, before = _Recording(root), {part: _attributes(part) for part in module.modules()}
    runs = {part: recording.calling(name, part) for name, part in module.named_modules() if part is not module}
    with torch.random.fork_rng(devices=[]), replaced(module), intercepted(runs), recording:
        try:
            root.end(module(*positional, **keywords))
        except Exception as error:
            raise ValueError(f"the module fails on the example input: {told(error)}") from error
    root.keeping = {part for part, own in before.items() if _differ(own, _attributes(part))}
    if not any(tensor.grad_fn is not None for tensor in tensors(root.output)):
        raise ValueError("no output of the module has a gradient.")
    return root


@contextmanager
def without_cache(module: nn.Module) -> Iterator[list[str]]:
    """For a while: a decoder gives its answer alone, without keys and values for the next token, which are named."""
    left = list[str]()

    def answer(part: nn.Module, given: Any, output: Any) -> Any:
        if not isinstance(output, (Mapping, tuple, list)):
            return output
        caches = [key for key, value in _members(output) if _is_cache(key, value)]
        left[:] = [f"{type(dict(_members(output))[key]).__name__} of keys and values" for key in caches]
        kept = {key: value for key, value in _members(output) if key not in caches}
        return output if not caches else kept if isinstance(output, Mapping) else tuple(kept.values())

    hook = module.register_forward_hook(answer)
    try:
        yield left
    finally:
        hook.remove()


def _members(output: Any) -> list[tuple[Any, Any]]:
    return list(output.items() if isinstance(output, Mapping) else enumerate(output))


def _is_cache(key: Any, value: Any) -> bool:
    """Whether a member of an output holds keys and values: an object that is called so, or tensors of that name."""
    return type(value).__name__.endswith("Cache") or (key == "past_key_values" and value is not None)


@contextmanager
def replaced(module: nn.Module, state: Mapping[int, Tensor] | None = None) -> Iterator[None]:
    """Other tensors in the places of parameters, by their id, and copies in those of buffers, for a while.

    ``torch.func.functional_call`` does not restore those of a submodule that is there under two names.
    """
    places = [own for part in module.modules() for own in (part._parameters, part._buffers)]
    before = [dict(own) for own in places]
    given = dict(state or {}) | {id(b): b.clone() for b in module.buffers()}
    for own in places:
        own.update({name: given.get(id(tensor), tensor) for name, tensor in own.items()})
    try:
        yield
    finally:
        for own, old in zip(places, before, strict=True):
            own.clear()
            own.update(old)


def _attributes(part: nn.Module) -> dict[str, Any]:
    """What a submodule holds beside parameters, buffers and submodules."""
    return {name: own for name, own in part.__dict__.items() if name not in HELD}


def _differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an attribute is another, but for tensors with a history, which are seen where they are read."""
    if before.keys() - after.keys():
        return True
    new = [(before.get(name), own) for name, own in after.items() if name not in before or own is not before[name]]
    seen = [own for old, own in new if not (isinstance(own, (bool, int, float, str, tuple)) and own == old)]
    return not all(isinstance(own, Tensor) and own.grad_fn is not None for own in seen)


@dataclass
class Troubles:
    """Where gradients are not those of the operations: submodules and parameters, each with the reason, a clause."""

    parts: dict[str, str]
    parameters: dict[str, str]
    functions: tuple[str, ...] = ()  # that define gradients of their own, where nothing else is the trouble with parts

    def __bool__(self) -> bool:
        return bool(self.parts or self.parameters)

    @property
    def first(self) -> str:
        """The first reason."""
        return next(iter((self.parameters | self.parts).values()))


def troubles(module: nn.Module, root: Called) -> Troubles:
    """What keeps gradients from being those of a module's operations. UnreadableError if that is not in one part."""
    if shared := _overlapping(module):
        raise UnreadableError(f"{shared[0]} and {shared[1]} share memory, though they are not one parameter")
    parts, called = dict[str, str](), {call.name for call in root.every()}
    for name, part in module.named_modules():
        if getattr(part, "max_norm", None) is not None:
            parts[name] = f"{name} writes into its weights (max_norm)"
        elif part._backward_hooks or part._backward_pre_hooks:
            parts[name] = f"{name or 'the module'} has a backward hook"
        if name in parts and name not in called:
            raise UnreadableError(parts[name])
    for call in root.every():
        if call.hooked:
            parts[call.name] = "a hook set while it runs changes or reads the gradient of a hidden tensor"
    own = dict[str, str]()
    for fn in behind([tensor.grad_fn for tensor in tensors(root.output) if tensor.grad_fn is not None]):
        if isinstance(fn, torch.autograd.function.BackwardCFunction):
            own[root.innermost(fn).name] = type(fn).__name__.removesuffix("Backward")
    alone = () if parts else tuple(sorted(set(own.values())))
    reasons = {name: f"{function} defines a gradient of its own" for name, function in own.items()}
    return Troubles(reasons | parts, dict(_hooked(module)), alone)


def _hooked(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Parameters whose gradients hooks change or read."""
    for name, p in module.named_parameters():
        hooks = [*(p._backward_hooks or {}).values(), *(p._post_accumulate_grad_hooks or {}).values()]
        if not all(getattr(hook, ONLY_READS, False) for hook in hooks):
            yield name, f"a hook changes or reads the gradient of {name}"


def _overlapping(module: nn.Module) -> tuple[str, str] | None:
    """Two parameters, one of them trained, that share memory though they are not the same: both steps move it."""
    spans = sorted(
        (p.untyped_storage().data_ptr(), p.storage_offset() * p.element_size(), _end(p), name, p.requires_grad)
        for name, p in module.named_parameters()
        if p.numel() and p.layout is torch.strided and p.device.type != "meta"
    )
    for n, (memory, _, stop, name, trains) in enumerate(spans):
        for other, start, _, second, also in spans[n + 1 :]:
            if other != memory or start >= stop:
                break
            if trains or also:
                return name, second
    return None


def _end(p: torch.Tensor) -> int:
    """One past the last byte of a tensor in its storage."""
    last = sum((size - 1) * stride for size, stride in zip(p.shape, p.stride(), strict=True))
    return int((p.storage_offset() + last + 1) * p.element_size())
