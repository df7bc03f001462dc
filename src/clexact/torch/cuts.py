"""Submodules that are cut out while a module is read: one operation, ``clexact::cut``, stands for each call of them.

What it takes is what enters the call and the parameters inside; what it gives is a list of tensors of which only the
shapes are known. Nothing is said of it, so all that is said of the rest holds for any function in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten

from clexact.torch.calls import ONE_AT_A_TIME, Called, intercepted, replaced, tensors
from clexact.torch.exported import Trace
from clexact.torch.failures import UnreadableError

CUT = "cut"  # the name of the operation
LIBRARY = torch.library.Library("clexact", "DEF")
LIBRARY.define(f"{CUT}(str call, Tensor[] entering) -> Tensor[]")
CONSTANTS = (bool, int, float, complex, str, type(None), torch.dtype, torch.device)  # among the arguments of a call
POINTS = 3  # at which what is read and the module are compared
CLOSE = 1e-3  # what is read and the module differ by rounding, or by something of another size

Described = tuple[Any, ...]
Kind = tuple[tuple[int, ...], torch.dtype, torch.device]  # of a tensor


def _described(leaf: Any) -> Described:
    """An argument: the shape and type of a tensor, or a constant."""
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else (type(leaf), leaf)


def _kind(tensor: Tensor) -> Kind:
    return tuple(tensor.shape), tensor.dtype, tensor.device


@dataclass(frozen=True)
class Form:
    """One form in which a submodule is called: its arguments, and the tensors that it then gives."""

    arguments: tuple[Described, ...]
    given: TreeSpec
    output: TreeSpec
    gives: tuple[Kind | None, ...]  # None where it gives None

    @classmethod
    def of(cls, call: Called) -> Form:
        """The form of a call. UnreadableError if more than tensors enters or leaves."""
        leaves, given = tree_flatten(call.given)
        made, output = tree_flatten(call.output)
        if not all(isinstance(leaf, (Tensor, *CONSTANTS)) for leaf in leaves):
            raise UnreadableError(f"{call.name} takes more than tensors and constants")
        if not all(isinstance(leaf, (Tensor, type(None))) for leaf in made):
            raise UnreadableError(f"{call.name} gives more than tensors")
        gives = (None if leaf is None else _kind(leaf) for leaf in made)
        return cls(tuple(map(_described, leaves)), given, output, tuple(gives))

    def called_with(self, given: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with these tensors."""
        left = iter(given)
        leaves = [next(left) if isinstance(first, tuple) else value for first, value in self.arguments]
        positional, keywords = tree_unflatten(leaves, self.given)
        return positional, keywords


@dataclass
class Cut:
    """A submodule that is cut out, with the forms in which it is called."""

    name: str
    part: nn.Module
    forms: list[Form]
    met: int = field(default=0, compare=False)  # how often it was called while the module was read

    @classmethod
    def of(cls, root: Called, calls: Sequence[Called]) -> Cut:
        """All calls of a submodule. UnreadableError if what it does is not seen in what enters and leaves."""
        forms: list[Form] = []
        for form in map(Form.of, calls):
            same = [other for other in forms if (other.arguments, other.given) == (form.arguments, form.given)]
            if any(other != form for other in same):
                raise UnreadableError(f"what {calls[0].name} gives has several forms")
            forms += [] if same else [form]
        if not root.keeping.isdisjoint(calls[0].part.modules()):
            raise UnreadableError(f"{calls[0].name} keeps what it computes")
        for call in calls:
            if call.writes:
                raise UnreadableError(f"{call.name} writes into what enters it")
            if leaks := call.leaks(root.part):
                raise UnreadableError(f"{call.name} reads {leaks[0]} unseen")
        return cls(calls[0].name, calls[0].part, forms)

    def __call__(self, *positional: Any, **keywords: Any) -> Any:
        """Stand for a call, in an export."""
        leaves, spec = tree_flatten((positional, keywords))
        asked = tuple(map(_described, leaves))
        place = next((n for n, form in enumerate(self.forms) if (form.arguments, form.given) == (asked, spec)), None)
        if place is None:
            raise UnreadableError(f"{self.name} is called in another way where the module is read")
        self.met += 1
        entering = [*tensors(leaves), *self.inside()]
        made = iter(getattr(torch.ops.clexact, CUT)(f"{self.name}#{place}", entering))
        form = self.forms[place]
        return tree_unflatten([None if what is None else next(made) for what in form.gives], form.output)

    def inside(self) -> list[nn.Parameter]:
        """The parameters inside that are trained."""
        return [p for p in self.part.parameters() if p.requires_grad]

    def run(self, form: Form, entering: Sequence[Tensor]) -> list[Tensor]:
        """What the submodule gives."""
        inside = self.inside()
        first = len(entering) - len(inside)
        state = {id(p): given for p, given in zip(inside, entering[first:], strict=True)}
        positional, keywords = form.called_with(entering[:first])
        with replaced(self.part, state):
            made = [tensor.clone() for tensor in tensors(self.part(*positional, **keywords))]
        if [_kind(tensor) for tensor in made] != [what for what in form.gives if what is not None]:
            raise UnreadableError(f"the shape of what {self.name} gives depends on values")
        return made


_standing: dict[str, tuple[Cut, Form]] = {}  # by the name of the call, while a module is read


def _shapes(call: str, entering: list[Tensor]) -> list[Tensor]:
    """What a cut gives where only shapes are known."""
    made = [what for what in _standing[call][1].gives if what is not None]
    return [torch.empty(shape, dtype=dtype, device=device) for shape, dtype, device in made]


def _values(call: str, entering: list[Tensor]) -> list[Tensor]:
    """What a cut gives, by the submodule itself."""
    cut, form = _standing[call]
    return cut.run(form, entering)


torch.library.register_fake(f"clexact::{CUT}", _shapes, lib=LIBRARY)
LIBRARY.impl(CUT, _values, "CompositeExplicitAutograd")


@contextmanager
def cut_out(cuts: Sequence[Cut]) -> Iterator[None]:
    """While a module is read: let the operation stand for these submodules."""
    with ONE_AT_A_TIME, _known(cuts), intercepted({cut.part: cut for cut in cuts}):
        for cut in cuts:
            cut.met = 0
        yield


@contextmanager
def _known(cuts: Sequence[Cut]) -> Iterator[None]:
    with ONE_AT_A_TIME:
        before = dict(_standing)
        _standing.update({f"{cut.name}#{n}": (cut, form) for cut in cuts for n, form in enumerate(cut.forms)})
        try:
            yield
        finally:
            _standing.clear()
            _standing.update(before)


def name_of(call: str) -> str:
    """The submodule that a call of the operation stands for."""
    return call.rpartition("#")[0]


# -- what is read and the module --------------------------------------------------------------------------------------


def agree(
    module: nn.Module, read: Trace, positional: tuple[Any, ...], keywords: dict[str, Any], cuts: Sequence[Cut]
) -> bool:
    """Whether the operations, with the submodules in the places of the cuts, give what the module gives elsewhere.

    At other parameters and inputs, in floating point: what a submodule hands on otherwise than by its output (to a
    list, say, that others read) is a constant in the operations.
    """
    draws = torch.Generator().manual_seed(0)
    return all(_agree_at(draws, module, read, (positional, keywords), cuts) for _ in range(POINTS))


def _agree_at(draws: torch.Generator, module: nn.Module, read: Trace, given: Any, cuts: Sequence[Cut]) -> bool:
    """Likewise at one point."""
    moved = {id(p): moved_randomly(p, draws) for p in module.parameters() if p.requires_grad}
    positional, keywords = tree_map(
        lambda leaf: moved_randomly(leaf, draws) if isinstance(leaf, Tensor) else leaf, given
    )
    state = moved | {id(a): b for a, b in zip(tensors(given), tensors((positional, keywords)), strict=True)}
    leaves = {name: state.get(id(leaf), leaf) for name, leaf in read.given.items()}
    with torch.random.fork_rng(devices=[]), torch.no_grad(), _known(cuts):
        try:
            torch.manual_seed(0)
            with replaced(module, moved):
                true = tensors(module(*positional, **keywords))
            torch.manual_seed(0)
            with replaced(module, moved):
                seen = run(read, leaves)
        except Exception:  # the module's own code, whatever it raises elsewhere
            return False
    return len(true) == len(seen) and all(map(_close, true, seen))


def moved_randomly(p: Tensor, draws: torch.Generator) -> Tensor:
    """A tensor moved by random numbers of its own size or 0.1, so that no entry is special; integers stay."""
    if not p.is_floating_point():
        return p.detach()
    noise = torch.randn(p.shape, generator=draws, dtype=torch.float32).to(p.device, p.dtype)
    spread = float(p.detach().float().std(correction=0)) if p.numel() > 1 else 0.0
    return p.detach() + (0.1 + spread) * noise


def run(read: Trace, leaves: Mapping[str, Tensor]) -> list[Tensor]:
    """The outputs of the operations on these leaves."""
    module = read.outputs[0].graph.owning_module
    values = torch.fx.Interpreter(module)
    order = [node.name for node in read.outputs[0].graph.nodes if node.op == "placeholder"]
    made = values.run(*(leaves.get(name) for name in order))
    (last,) = [node for node in read.outputs[0].graph.nodes if node.op == "output"]
    by_node = dict(zip(last.args[0], made, strict=True))
    return [by_node[node] for node in read.outputs]


def _close(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype or not bool(torch.isfinite(a).all()):
        return False
    size = float(a.abs().max()) if a.numel() else 0.0
    return bool(torch.allclose(a, b, rtol=CLOSE, atol=CLOSE * size))
