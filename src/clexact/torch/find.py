"""``laws``: read a module, find its laws, certify their blocks, and say what the loss and the optimizer do to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import isnan
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from clexact.support.display import counted
from clexact.torch import certification
from clexact.torch.check import ModuleFailedError, checked
from clexact.torch.counting import disjoint, independent
from clexact.torch.law import ModuleLaw, Status, Term
from clexact.torch.laws import Block, ModuleLaws, Uncovered
from clexact.torch.optimizer import effect, unwrapped_optimizer
from clexact.torch.rules import RULES, Degrees
from clexact.torch.shifts import translations
from clexact.torch.solve import Found, gathered
from clexact.torch.trace import Trace, UnreadableError, operation, owner, trace, unwrapped

MOST_TOLERANCE = 0.1  # above it the numerical check says nothing
LOSSES = ("mse", "cross_entropy", None)
CHECKED_PARAMETERS, CHECKED_ENTRIES = 2 * 10**7, 10**5  # at most, for the numerical check to be made unasked


def laws(
    module: nn.Module,
    example_input: Any,
    *,
    loss: str | None = "mse",
    optimizer: torch.optim.Optimizer | None = None,
    certify: bool = True,
    seed: int = 0,
    class_axis: int | None = None,
) -> ModuleLaws:
    """The conservation laws of the training of a module, in its own parameters.

    The module is read as it is now, in training or evaluation mode, by ``torch.export``. Laws come from symmetries that
    are proved by rules, one for each operation; an operation without a rule lets nothing pass. They hold for any data,
    loss and start, wherever the module takes the same branches of Python. Small modules are also checked numerically
    (``check``), in floating point. A module that cannot be read has no laws, and ``uncovered`` says why.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    example_input : torch.Tensor, tuple or dict
        A tensor, a tuple of arguments or a dict of keywords.
    loss : {"mse", "cross_entropy"}, optional
        "cross_entropy" adds the laws of classes; "mse" or None: any loss.
    optimizer : torch.optim.Optimizer, optional
        Which says what laws survive.
    certify : bool
        Whether the number of laws of each block is certified by clexact on a model of the same family, at its true size
        where that is quick.
    seed : int
        Of the certification and of the check.
    class_axis : int, optional
        The axis of the classes; default: that of an output of two axes.

    Returns
    -------
    ModuleLaws
        The laws, and what is not covered.

    Raises
    ------
    TypeError, ValueError
        For wrong arguments.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> found = laws(net, torch.ones(4, 2))
    >>> print(found[0])
    0 -> 2: |0.weight|^2 + |0.bias|^2 - |2.weight|^2  (diagonal, 3; CERTIFIED)
    >>> found.count
    3
    """
    module, optimizer = unwrapped(module), unwrapped_optimizer(optimizer)
    _check_arguments(module, loss, optimizer, class_axis, seed)
    try:
        with torch.enable_grad():
            read = trace(module, example_input)
    except UnreadableError as error:
        return ModuleLaws(type(module).__name__, (), (), (Uncovered("the whole module", f"{error}."),))
    return _Finder(module, example_input, read, loss, class_axis, certify, seed).result(optimizer)


def _check_arguments(module: nn.Module, loss: str | None, optimizer: object, class_axis: object, seed: object) -> None:
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise ValueError("the module has lazy layers without sizes so far: run it once on the example input.")
    if not any(p.requires_grad for p in module.parameters()):
        raise ValueError(f"{type(module).__name__} has no parameter that is trained.")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of 'mse', 'cross_entropy' or None, not {loss!r}.")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer or None, not {optimizer!r}.")
    if optimizer is not None and not holds_any(optimizer, module):
        raise ValueError("the optimizer holds no parameter of the module.")
    if class_axis is not None and (isinstance(class_axis, bool) or not isinstance(class_axis, int)):
        raise TypeError(f"class_axis must be an integer or None, not {class_axis!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0, not {seed!r}.")


def holds_any(optimizer: torch.optim.Optimizer, module: nn.Module) -> bool:
    """Whether an optimizer is one of this module."""
    mine = {id(p) for p in module.parameters()}
    return any(id(p) in mine for group in optimizer.param_groups for p in group["params"])


Disputed = tuple[tuple[ModuleLaw, str], ...]


class _Finder:
    """The laws of one trace."""

    def __init__(
        self, module: nn.Module, example: Any, read: Trace, loss: str | None, class_axis: int | None,
        certify: bool, seed: int,
    ) -> None:  # fmt: skip
        self.module, self.example, self.trace, self.certify, self.seed = module, example, read, certify, seed
        self.loss, self.notes = loss, list[str]()
        self.class_axis = self._classes(class_axis) if loss == "cross_entropy" else None
        self.degrees = Degrees(read)
        self.failures = self.degrees.failures
        self.shifts = translations(read, self.class_axis, self.failures)
        self.quadratic = gathered(self.degrees)
        self.place = {node: n for n, node in enumerate(read.nodes)}
        self.budget, self.certified = certification.BUDGET, set[certification.Shape]()
        self.gated: dict[str, bool] = {}
        self.shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}

    def _classes(self, class_axis: int | None) -> int | None:
        """The axis of the classes, where it is known."""
        shapes = [tuple(node.meta["val"].shape) for node in self.trace.outputs]
        if len(shapes) == 1 and class_axis is not None and -len(shapes[0]) <= class_axis < len(shapes[0]):
            return class_axis % len(shapes[0])
        if class_axis is not None:
            raise ValueError(
                f"class_axis {class_axis} is no axis of a single output; the outputs have shapes {shapes}."
            )
        if len(shapes) == 1 and 1 <= len(shapes[0]) <= 2:
            return len(shapes[0]) - 1
        self.notes.append(
            f"Cross-entropy adds laws along the axis of the classes: say which it is with class_axis, of {shapes}."
        )
        return None

    def result(self, optimizer: torch.optim.Optimizer | None) -> ModuleLaws:
        """Everything."""
        mode = "training" if self.module.training else "evaluation"
        self.notes.insert(0, f"Read by torch.export in {mode} mode: {len(self.trace.nodes)} operations.")
        found = self._named([*self.quadratic, *self.shifts])
        found, disputed = self._checked(found)
        blocks = [self._block(law) for law in found if law.kind != "translation"]
        status = {block.name: block for block in blocks}
        found = [
            replace(law, status=status[law.name].status, evidence=status[law.name].evidence)
            if law.name in status
            else law
            for law in found
        ]
        kept, broken = list[ModuleLaw](), list[tuple[ModuleLaw, str]]()
        for law in found:
            keeps, said = effect(law, self.module, optimizer) if optimizer is not None else (True, "")
            law = replace(law, reason=f"{law.reason} {said}".strip())
            if keeps:
                kept.append(law)
            else:
                broken.append((law, said))
        return ModuleLaws(
            type(self.module).__name__, tuple(kept), tuple(blocks), tuple(self._uncovered(found)), tuple(broken),
            tuple(self.notes), independent(kept, self.shapes, self.seed), disputed, lambda: self._approximate(found),
        )  # fmt: skip

    # -- names ----------------------------------------------------------------------------------------------------

    def _named(self, found: Iterable[Found]) -> list[ModuleLaw]:
        """Laws with names that differ, in the order of the parameters."""
        order = {name: n for n, (name, _) in enumerate(self.module.named_parameters())}
        found = sorted(found, key=lambda f: min(order[t.parameter] for t in f.terms))
        named = [self._law(law) for law in found]
        times, seen = Counter(law.name for law in named), Counter[str]()
        for n, law in enumerate(named):
            if times[law.name] > 1:
                seen[law.name] += 1
                named[n] = replace(law, name=f"{law.name} ({seen[law.name]})")
            self.gated[named[n].name] = found[n].gated
        return named

    def _law(self, found: Found) -> ModuleLaw:
        name = _name(found)
        shape: tuple[int, ...] = (found.groups * found.rows,)
        if found.kind == "gram":
            shape = (found.groups, found.rows, found.rows) if found.groups > 1 else (found.rows, found.rows)
        elif found.kind == "translation":
            view = found.terms[0].view
            shape = (view.groups,) if view.groups > 1 or view.unit is None else ()
        terms = tuple(replace(term, shape=self.shapes[term.parameter]) for term in found.terms)
        law = ModuleLaw(
            name, name, found.kind, terms, shape, 0, Status.SYMMETRY, "a symmetry of the module, by rule",
            _reason(found),
        )  # fmt: skip
        return replace(law, count=independent([law], self.shapes, self.seed).count)

    # -- evidence -------------------------------------------------------------------------------------------------

    def _block(self, law: ModuleLaw) -> Block:
        """How the number of laws of a block is known."""
        status, evidence, complete = Status.SYMMETRY, "a symmetry of the module, by rule; not certified", False
        shape = self._shape(law) if self.certify else None
        if shape is not None:
            status, evidence, complete = self._certified(shape, self.gated[law.name])
        return Block(law.name, law.parameters, law.count, status, evidence, complete)

    def _certified(self, shape: certification.Shape, gated: bool) -> tuple[Status, str, bool]:
        """Bounds of the number of laws of a block, or of one of its heads or units."""
        true = shape.one_unit()
        small = true
        fits = true.dimension <= certification.TRUE_SIZE and true.kernel == 1
        if true not in self.certified and not (fits and true.dimension <= self.budget):
            small = shape.smaller()
        elif true not in self.certified:
            self.budget -= true.dimension
            self.certified.add(true)
        lower, upper = certification.certified(small, self.seed)
        where = f"{'its true' if small == true else 'a smaller'} size: {small.name}"
        if lower < small.count:
            return (
                Status.SYMMETRY,
                _of_the_block(shape, f"only {lower} of {small.count} laws are certified at {where}"),
                False,
            )
        status = Status.CERTIFIED if small == true else Status.CERTIFIED_SMALLER
        if upper > small.count or not (shape.matrix or gated):
            more = f", at most {upper}" if shape.matrix or gated else "; without gates there may be more"
            return status, _of_the_block(shape, f"at least {counted(small.count, 'law')}{more}, at {where}"), False
        return status, _of_the_block(shape, f"exactly {counted(upper, 'law')} at {where}"), True

    def _shape(self, law: ModuleLaw) -> certification.Shape | None:
        """The block of a law as the family of ``certification``; None if it is of another."""
        if law.kind not in ("gram", "diagonal") or any(abs(t.coefficient) != 1 for t in law.terms):
            return None
        if not disjoint(law, self.shapes):  # the block has each term as a parameter of its own
            return None
        terms = [term for term in law.terms if not self._unseen(term)]
        writers = [t for t in terms if t.coefficient > 0]
        readers = [t for t in terms if t.coefficient < 0]
        if not writers or not readers:
            return None
        sees, first = [], self.first
        for reader in readers:
            before = [k for k, writer in enumerate(writers) if first[writer.parameter] <= first[reader.parameter]]
            sees.append(tuple(before) or tuple(range(len(writers))))
        kernel = self._kernel(writers, readers) if law.kind == "gram" else 1
        columns = [tuple(_columns(t) for t in part) for part in (writers, readers)]
        return certification.Shape(law.kind == "gram", _units(law), columns[0], columns[1], tuple(sees), kernel)

    def _unseen(self, term: Term) -> bool:
        """Whether a translation law says that no entry of a term has a gradient."""
        for shift in self.shifts:
            zero = shift.terms[0]
            if zero.view.unit is None and zero.parameter == term.parameter:
                (first, last), (start, stop) = _range(term), _range(zero)
                return start <= first and last <= stop
        return False

    @cached_property
    def first(self) -> dict[str, int]:
        """When each parameter is first used."""
        found: dict[str, int] = {}
        for leaf in self.trace.nodes:
            for user in leaf.users if leaf.name in self.trace.parameters else ():
                if user in self.place:
                    name = self.trace.parameters[leaf.name]
                    found[name] = min(found.get(name, self.place[user]), self.place[user])
        return found

    def _kernel(self, writers: Sequence[Term], readers: Sequence[Term]) -> int:
        """The size of the kernels, if both sides are convolutions."""
        sizes = [max((t.view.shape[axis] for axis in t.view.rest[1:]), default=1) for t in (*writers, *readers)]
        return max(sizes) if any(len(t.view.rest) > 1 for t in readers) else 1

    def _checked(self, found: list[ModuleLaw]) -> tuple[list[ModuleLaw], Disputed]:
        """The laws, and apart from them those that the module itself contradicts, numerically, if it is small."""
        size = sum(p.numel() for p in self.module.parameters())
        inputs = [node.meta.get("val") for node in self.trace.nodes if node.name in self.trace.inputs]
        entries = sum(value.numel() for value in inputs if isinstance(value, torch.Tensor))
        if size > CHECKED_PARAMETERS or entries > CHECKED_ENTRIES:
            self.notes.append("Not checked numerically, for its size: clexact.torch.check does it.")
            return found, ()
        try:
            residuals, precision = checked(
                self.module, self.example, found, loss=self.loss, class_axis=self.class_axis, seed=self.seed
            )
        except ModuleFailedError as error:
            self.notes.append(f"Not checked numerically: the module fails in float64 ({error}).")
            return found, ()
        largest, tolerance = max(residuals.values(), default=0.0), tolerated(precision)
        self.notes.append(_said_of_check(precision, largest))
        if any(isnan(residual) for residual in residuals.values()):
            self.notes.append("The gradient is not finite at the point of the numerical check, which so says nothing.")
        if tolerance > MOST_TOLERANCE:
            return found, ()
        return [law for law in found if not residuals[law.name] > tolerance], tuple(
            (law, _contradicted(residuals[law.name], tolerance, precision))
            for law in found if residuals[law.name] > tolerance
        )  # fmt: skip

    # -- what has no law ------------------------------------------------------------------------------------------

    def _approximate(self, found: Sequence[ModuleLaw]) -> tuple[tuple[ModuleLaw, str], ...]:
        """Laws that hold but for eps of a normalisation."""
        if not any("norm" in operation(node) for node in self.trace.nodes if node.op == "call_function"):
            return ()
        ideal = [law for law in gathered(Degrees(self.trace, ideal=True)) if law not in self.quadratic]
        taken = {law.name for law in found}
        why = "It would hold if eps of the normalisation were 0."
        return tuple((law, why) for law in self._named(ideal) if law.name not in taken)

    def _uncovered(self, found: Sequence[ModuleLaw]) -> list[Uncovered]:
        """Layers without laws, and the operations that stop them."""
        covered = {name.rpartition(".")[0] for law in found for name in law.parameters}
        reasons: dict[str, list[str]] = {}
        for node in self.trace.nodes:
            name = self.trace.parameters.get(node.name)
            if name is not None and name.rpartition(".")[0] not in covered:
                reasons.setdefault(self._stopped(node), []).append(name.rpartition(".")[0] or name)
        listed = [Uncovered(_shortened(list(dict.fromkeys(layers))), reason) for reason, layers in reasons.items()]
        places: dict[str, list[str]] = {}
        for node in self.trace.nodes:
            if node.name in self.degrees.unknown:
                places.setdefault(self.degrees.unknown[node.name], []).append(owner(node) or "the module itself")
        for name, where in places.items():
            if name not in self.failures:
                listed.append(Uncovered(f"{name} in {_shortened(list(dict.fromkeys(where)))}", _why(name)))
        for name, error in self.failures.items():
            said = f"clexact's rule failed ({error}), so nothing is claimed of what enters it: please report this."
            listed.append(Uncovered(name, said))
        frozen = [name for name, p in self.module.named_parameters() if not p.requires_grad]
        if frozen:
            listed.append(Uncovered(_shortened(frozen), "not trained (requires_grad is False); taken as constant."))
        if self.trace.dead:
            listed.append(Uncovered(_shortened(list(self.trace.dead)), "gets no gradient: each of its entries stays."))
        return listed

    def _stopped(self, leaf: Node) -> str:
        """What keeps a parameter from having a law: the first operations after it that pass nothing."""
        stack, seen, ends = [leaf], set[Node](), list[str]()
        while stack:
            for user in stack.pop().users:
                if user in seen or user not in self.place:
                    continue
                seen.add(user)
                if user.name in self.degrees.blocked:
                    ends.append(self.degrees.blocked[user.name])
                elif user.name in self.degrees.unknown or "norm" in operation(user):
                    ends.append(_readable(operation(user)))
                elif user in self.trace.outputs:
                    ends.append("the output")
                else:
                    stack.append(user)
        return f"no law: what it makes enters {', '.join(dict.fromkeys(ends)) or 'what has no law'}."


def tolerated(precision: torch.dtype) -> float:
    """The largest residual of the numerical check that rounding may make, where this is the lowest precision met."""
    return max(1e-9, 1000 * float(torch.finfo(precision).eps))


def _said_of_check(precision: torch.dtype, largest: float) -> str:
    name = str(precision).removeprefix("torch.")
    if tolerated(precision) > MOST_TOLERANCE:
        return f"The module computes in {name} on the way: the numerical check says nothing."
    lowered = "" if precision == torch.float64 else f", with {name} on the way"
    where = f"on the module in float64{lowered} (floating point)"
    return f"Checked numerically {where}: largest residual of a law {largest:.1e}."


def _contradicted(residual: float, tolerance: float, precision: torch.dtype) -> str:
    """How the module's own gradient contradicts a law of the rules."""
    name = str(precision).removeprefix("torch.")
    return (
        "The rules prove it of the operations read, but the module's gradient contradicts it: "
        f"residual {residual:.1e}, tolerance {tolerance:.1e} ({name}). "
        "A gradient of its own, a hook, or a branch that was not read?"
    )


def _of_the_block(shape: certification.Shape, certified: str) -> str:
    """What is certified, and of what."""
    free = "free inputs" if shape.matrix else "free gates and free inputs"
    return f"of the block alone, with {free}: {certified}; whether the module has others is not certified"


def _why(name: str) -> str:
    if name in ("gelu", "silu", "tanh", "sigmoid", "exp", "softplus", "elu", "selu", "mish", "hardswish", "erf"):
        source = " (arXiv 2606.17816, theorem 4.1)" if name in ("gelu", "silu") else ""
        return f"{name} is not homogeneous: no rescaling of its units passes{source}."
    if "softmax" in name:
        return f"{name} lets no rescaling pass."
    if "norm" in name:
        return "the normalisation makes what it gives independent of the size of what enters, but for eps."
    if name in RULES:
        return f"the rule for {name} does not cover its arguments here: nothing is claimed of what enters it."
    return f"there is no rule for {name}: nothing is claimed of what enters it."


def _readable(name: str) -> str:
    return "batch_norm" if "batch_norm" in name else name.strip("_")


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _units(law: ModuleLaw) -> int:
    return law.shape[-1]


def _columns(term: Term) -> int:
    """Columns of a term's matrices; of a diagonal law, entries for each unit."""
    view = term.view
    return max(1, view.columns)


def _name(found: Found) -> str:
    """Where a law is: the common part of the layers, then writers -> readers."""
    if found.kind == "translation":
        term = found.terms[0]
        what = "every entry" if term.view.unit is None else f"sums over axis {term.view.unit}"
        return f"{_part(term)}: {what}"
    sides = [[t for t in found.terms if t.coefficient > 0], [t for t in found.terms if t.coefficient < 0]]
    layers = [list(dict.fromkeys(_layer(term) for term in side)) for side in sides]
    every = [layer.split(".") for side in layers for layer in side]
    depth = 0
    while all(len(path) > depth + 1 for path in every) and len({path[depth] for path in every}) == 1:
        depth += 1
    prefix = ".".join(every[0][:depth])
    short = [" + ".join(_shortened_path(layer, depth) for layer in side) for side in layers if side]
    return f"{prefix}: {' -> '.join(short)}" if prefix else " -> ".join(short)


def _shortened_path(layer: str, depth: int) -> str:
    return ".".join(layer.split(".")[depth:])


def _layer(term: Term) -> str:
    """The layer of a term, with the rows that it takes of it."""
    layer = term.parameter.rpartition(".")[0] or term.parameter
    return f"{layer}{_rows(term)}"


def _part(term: Term) -> str:
    return f"{term.parameter}{_rows(term)}"


def _rows(term: Term) -> str:
    return f"[{term.view.start}:{term.view.stop}]" if term.view.axis == 0 and term.view.stop is not None else ""


def _range(term: Term) -> tuple[float, float]:
    return term.view.start, float("inf") if term.view.stop is None else term.view.stop


def _reason(found: Found) -> str:
    match found.kind:
        case "gram":
            return "A matrix acting on the hidden units, and its inverse on what reads them, leave the outputs alone."
        case "diagonal":
            return "Rescaling a hidden unit, and what reads it inversely, leaves the outputs alone."
        case "scale":
            return "What follows sees only the direction."
        case _:
            if found.terms[0].view.unit is None:
                return "The outputs do not depend on it: a normalisation or a softmax takes it away."
            return "A number added to all of the sum is not seen by the normalisation, softmax or loss that follows."
