"""What a monitor sees of a run: it hooks backward() and the optimizers, and enters each step into the ledger.

With one optimizer a step is one of its steps. With several (Muon for matrices and AdamW for the rest, or one for each
parameter that steps within backward()) it is one round, in which each steps at most once: <grad h, g> = 0 only for the
gradient of all parameters together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from clexact.torch.calls import ONLY_READS
from clexact.torch.forms import Forms
from clexact.torch.law import ModuleLaw, parameters_of
from clexact.torch.ledger import Gradients, Ledger
from clexact.torch.optimizer import unwrapped_optimizer
from clexact.torch.sample import Entries
from clexact.torch.settings import Setting, read_settings, without_gradient

PROBES = 4  # first observed steps at which the slopes <grad h, g> are taken, and then every PROBE_EVERY-th
PROBE_EVERY = 16


class Observer:
    """The hooks on a module and its optimizers, and the books of what they see."""

    def __init__(
        self, module: nn.Module, optimizers: Sequence[torch.optim.Optimizer], laws: Sequence[ModuleLaw],
        every: int, seed: int, averaged: bool,
    ) -> None:  # fmt: skip
        self.module, self.optimizers, self.every = module, optimizers, every
        self.parameters = _parameters(module, laws)
        self.forms = Forms(laws, self.parameters)
        self._size = _count(module)
        mine = {id(parameter) for parameter in self.parameters.values()}
        self._others = [parameter for parameter in module.parameters() if id(parameter) not in mine]
        self._entries = Entries([*self.parameters.values(), *self._others], seed)
        self.count = 0  # steps so far
        self.skipped = 0  # calls of step() before which no optimizer made a step
        self.backwards = 0  # passes of backward() since the last step of an optimizer
        self.carried: int | Tensor = 0  # steps whose backward() added to gradients left from the step before
        self.calls = dict.fromkeys(map(id, optimizers), 0)  # steps of each since the last call of step()
        self._owned = self._parts()
        self._gradients: Gradients | None = None
        self._first: dict[int, Tensor] = {}  # watched entries of gradients, by the first backward() after the last step
        self._backward: dict[int, Tensor] = {}  # and by the last one
        self._places: dict[int, Tensor] = {}  # watched entries of parameters at the last backward()
        self._found: dict[int, Tensor] = {}  # and as the optimizer finds them
        self._look()
        self.ledger = Ledger(self.forms, self._now[0])
        self.handles: list[Any] = []
        self.round_over: Callable[[], object] | None = None  # what is told that a round of several optimizers is over
        self._stepped = False  # once an optimizer made a step
        self._add_hooks(averaged)

    # Hooks

    def _add_hooks(self, averaged: bool) -> None:
        """To see gradients as backward() leaves them, unless they are averaged later, and as the optimizer has them."""
        trained = [parameter for parameter in self.parameters.values() if parameter.requires_grad]
        if trained:
            self.handles.append(trained[0].register_hook(self._before_backward(trained[0])))
        for index, parameter in enumerate(self.parameters.values()):
            if parameter.requires_grad:
                handle = parameter.register_post_accumulate_grad_hook(self._after_backward(index, averaged))
                _put_first(parameter._post_accumulate_grad_hooks, handle.id)
                self.handles.append(handle)
        for optimizer in self.optimizers:
            self.handles.append(optimizer.register_step_pre_hook(self._before_step))

    def _before_backward(self, parameter: Tensor) -> Callable[[Tensor], None]:
        """Count the passes, and see at the first after a step whether its gradient was set to zero."""

        def look(_: Tensor) -> None:
            if not self.backwards and self._stepped and parameter.grad is not None:
                self.carried = self.carried + (parameter.grad.detach() != 0).any()
            self.backwards += 1

        setattr(look, ONLY_READS, True)
        return look

    def _after_backward(self, index: int, averaged: bool) -> Callable[[Tensor], None]:
        name = list(self.parameters)[index]

        def keep(parameter: Tensor) -> None:
            self._end_round(optimizer for optimizer in self.optimizers if name in self._owned[id(optimizer)])
            if not self._due(self.count + 1) or parameter.grad is None:
                return
            self._places[index] = self._entries.take(index, parameter)
            if not averaged:
                self._backward[index] = self._entries.take(index, parameter.grad)
                self._first.setdefault(index, self._backward[index])

        setattr(keep, ONLY_READS, True)
        return keep

    def _before_step(self, optimizer: torch.optim.Optimizer, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._end_round([optimizer])
        self.calls[id(optimizer)] += 1
        self._stepped, self.backwards = True, 0
        if not self._due(self.count + 1):
            return
        owned = self._owned[id(optimizer)]
        for index, (name, parameter) in enumerate(self.parameters.items()):
            if name in owned:
                self._found[index] = self._entries.take(index, parameter)
        if not any(callable(argument) for argument in (*arguments, *named.values())):  # which makes gradients later
            read = self._read_gradients(owned, slopes=True)
            self._gradients = read if self._gradients is None else self._gradients.joined(read, self.forms)

    def _end_round(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """A round of several optimizers is over when one has stepped that is to step again, or gets new gradients."""
        if self.round_over is not None and any(self.calls[id(optimizer)] for optimizer in optimizers):
            self.round_over()

    def _parts(self) -> dict[int, set[str]]:
        """Names of the parameters read at a step of each optimizer: its own, all if it is alone."""
        if len(self.optimizers) == 1:
            return {id(self.optimizers[0]): set(self.parameters)}
        known = {id(parameter): name for name, parameter in self.parameters.items()}
        return {
            id(optimizer): {known[id(p)] for group in optimizer.param_groups for p in group["params"] if id(p) in known}
            for optimizer in self.optimizers
        }

    # Steps

    @property
    def pending(self) -> int:
        """Steps of the optimizer since the last call of step(), the most of any."""
        return max(self.calls.values(), default=0)

    def step(self) -> bool:
        """After a step of the optimizers; whether it was observed."""
        if self.optimizers and self.pending != 1:
            if self.pending == 0:
                self.skipped += 1
                return False
            raise ValueError(
                f"step() must follow each optimizer.step(), but {self.pending} of them came since its last call; "
                "every=k observes one step in k."
            )
        ran, self.calls = self.calls, dict.fromkeys(self.calls, 0)
        self.count += 1
        if not self.optimizers:
            self._stepped, self.backwards = True, 0
        if self._due(self.count):
            self._observe(self._gradients or self._read_gradients(set(self.parameters), slopes=False), ran)
            return True
        if self._due(self.count + 1):
            self._look()
        self._forget()
        return False

    def _due(self, step: int) -> bool:
        return step % self.every == 0

    def _look(self) -> None:
        """The laws and the watched entries, now."""
        self._now = self.forms.values(self.parameters)
        self._watched = self._entries.take_all(list(self.parameters.values()))

    def _forget(self) -> None:
        self._gradients, self._first, self._backward, self._places, self._found = None, {}, {}, {}, {}

    def _read_gradients(self, names: set[str], slopes: bool) -> Gradients:
        """What is kept of the gradients, with their slopes only before the parameters move, and at some steps."""
        gradients = {name: p.grad if name in names else None for name, p in self.parameters.items()}
        if not self.optimizers and all(gradient is None for gradient in gradients.values()):
            raise ValueError("no gradient was there at step(): call it before zero_grad(), or give the optimizer.")
        settings = {
            name: setting if gradients[name] is not None else without_gradient(setting)
            for name, setting in read_settings(self.optimizers, self.parameters).items()
        }
        rates = {name: setting.rate for name, setting in settings.items()} if self.optimizers else None
        seen = self.ledger.observed
        second, size = self.forms.values(gradients, rates)
        watched = self._entries.take_all([*gradients.values(), *(other.grad for other in self._others)])
        mine, top = watched[: len(gradients)], watched.abs().max()
        read = Gradients(settings, second.masked_fill(self.forms.linear, 0), size, mine, top)
        if not slopes or (seen >= PROBES and seen % PROBE_EVERY):
            return read
        _, plain = self.forms.values(gradients)
        return replace(read, slopes=self.forms.slopes(self.parameters, gradients), bound=plain)

    def _observe(self, gradients: Gradients, ran: Mapping[int, int]) -> None:
        """Compare the laws after the step with their prediction."""
        _same(self.module, self.parameters, self._size)
        before, entries = self._now, self._watched
        self._look()
        idle = {name for optimizer in self.optimizers if not ran[id(optimizer)] for name in self._owned[id(optimizer)]}
        gradients = replace(gradients, settings=_idle(gradients.settings, idle))
        for index, name in enumerate(self.parameters):
            if name in idle:  # its gradient was not read
                self._first.pop(index, None)
                self._backward.pop(index, None)
        taken = (self._first, self._backward, self._places, self._found)
        first, last, places, found = (
            self._entries.stacked([each.get(n) for n in range(len(self.parameters))]) for each in taken
        )
        away = (places - found) * self._both(self._places, self._found)
        sample = self._entries.sample(entries, self._watched, gradients.watched, first, last, away)
        self.ledger.enter(self.count, self.every, before, self._now, gradients, sample)
        self._forget()

    def _both(self, places: Mapping[int, Tensor], found: Mapping[int, Tensor]) -> Tensor:
        """(P, 1) which parameters were seen both by backward() and by the optimizer."""
        seen = [n in places and n in found for n in range(len(self.parameters))]
        return torch.tensor(seen, device=self.forms.device).unsqueeze(1)

    def close(self) -> None:
        """Remove all hooks."""
        while self.handles:
            self.handles.pop().remove()

    def state_dict(self) -> dict[str, Any]:
        """What was recorded, as plain data and tensors."""
        mine = {"count": self.count, "skipped": self.skipped, "carried": int(self.carried)}
        return {**mine, **self.ledger.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from it."""
        self.count, self.skipped = state["count"], state["skipped"]
        self.carried = state.get("carried", 0)
        self.ledger.load_state_dict(state)
        self.calls = dict.fromkeys(self.calls, 0)
        self._forget()
        self._look()


def _idle(settings: Mapping[str, Setting], names: set[str]) -> dict[str, Setting]:
    """The settings, where the optimizers of these parameters made no step."""
    why = "its optimizer made no step"
    return {
        name: replace(setting, moves=False, shrink=0.0, why_not=why) if name in names else setting
        for name, setting in settings.items()
    }


def _put_first(hooks: dict[int, Any], key: int) -> None:
    """Before a hook that makes the step; C++ reads the dict in the order of insertion."""
    ours, others = hooks.pop(key), dict(hooks)
    hooks.clear()
    hooks.update({key: ours, **others})


def as_optimizers(given: Any) -> tuple[torch.optim.Optimizer, ...]:
    """None, an optimizer or several, each unwrapped; that inside of one like SAM, which moves the weights around it."""
    several = given if isinstance(given, (list, tuple)) else [] if given is None else [given]
    found = [_innermost(unwrapped_optimizer(each)) for each in several]
    for each in found:
        if not isinstance(each, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer or None, not {type(each).__name__}.")
    return tuple(dict.fromkeys(found))


def _innermost(optimizer: Any) -> Any:
    """What steps inside: SAM as published calls the ``base_optimizer`` once the weights are back."""
    inner = getattr(optimizer, "base_optimizer", None)
    return unwrapped_optimizer(inner) if isinstance(inner, torch.optim.Optimizer) else optimizer


def _parameters(module: nn.Module, laws: Sequence[ModuleLaw]) -> dict[str, nn.Parameter]:
    """The parameters of the laws, by name."""
    parameters = parameters_of(laws, module)
    meta = {name: torch.empty(p.shape, device="meta") for name, p in parameters.items()}
    for law in laws:
        try:
            law.value(meta)
        except (RuntimeError, IndexError) as error:
            raise ValueError(f"the law '{law.name}' is of a module whose parameters have other shapes.") from error
    return parameters


def _same(module: nn.Module, parameters: Mapping[str, nn.Parameter], size: int) -> None:
    """Refuse a module whose parameters were exchanged."""
    named = dict(module.named_parameters(remove_duplicate=False))
    if len(named) != size or any(named.get(name) is not parameter for name, parameter in parameters.items()):
        raise ValueError("parameters of the module were added, removed or replaced: make a new LawMonitor.")


def _count(module: nn.Module) -> int:
    return sum(1 for _ in module.named_parameters(remove_duplicate=False))
