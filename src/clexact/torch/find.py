"""``laws``: the laws of a module's program, in its own parameters, and what the loss and the optimizer do to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from clexact.programs.array import record
from clexact.programs.places import offsets
from clexact.support.limits import limits
from clexact.support.losses import check_loss
from clexact.support.progress import Progress, heard
from clexact.symmetry.families import Family, in_order
from clexact.symmetry.groups import Groups
from clexact.symmetry.views import Term
from clexact.torch.certification import Certifier
from clexact.torch.check import ModuleFailedError, checked
from clexact.torch.counting import independent
from clexact.torch.exported import Trace, operation, owner
from clexact.torch.failures import UnreadableError
from clexact.torch.law import ModuleLaw, Status
from clexact.torch.laws import Block, Bounds, ModuleLaws, Uncovered
from clexact.torch.optimizer import effect, unwrapped_optimizer
from clexact.torch.sizes import shapes_of, widened
from clexact.torch.trace import trace, unwrapped
from clexact.torch.translate import DETACHED, Translation

MOST_TOLERANCE = 0.1  # above it the numerical check says nothing
BOUNDED = {"hardtanh", "relu6", "clamp", "clip", "clamp_min", "clamp_max", "hardswish", "hardsigmoid", "hardshrink",
           "softshrink", "threshold", "elu", "selu", "celu"}  # pieces between which there are constants # fmt: skip
CHECKED_PARAMETERS, CHECKED_ENTRIES = 2 * 10**7, 10**5  # at most, for the numerical check to be made unasked


def laws(
    module: nn.Module,
    example_input: Any,
    *,
    loss: object = "mse",
    optimizer: torch.optim.Optimizer | None = None,
    certify: bool = True,
    seed: int = 0,
    class_axis: int | None = None,
    progress: Progress | bool | None = None,
    time_limit: float | None = None,
) -> ModuleLaws:
    """The conservation laws of the training of a module, in its own parameters.

    The module is read as it is now, in training or evaluation mode, by ``torch.export``, and becomes a program, as for
    ``model``. Laws are those of its symmetries, proved by rules, one for each operation; an operation without a rule is
    opaque: what enters it does not move. So is a submodule that cannot be read, with its parameters; a module that
    cannot has no laws, and ``uncovered`` says why. Laws hold for any data, token ids among them, loss and start,
    wherever the module takes the same branches of Python outside of what is cut out. Small modules are also checked
    numerically (``check``), in floating point.

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    example_input : torch.Tensor, tuple or dict
        A tensor, a tuple of arguments or a dict of keywords.
    loss : {"mse", "cross_entropy"} or torch.nn.Module, optional
        "cross_entropy" or ``nn.CrossEntropyLoss()`` adds the laws of classes; "mse", "full", ``nn.MSELoss()`` or None:
        any loss.
    optimizer : torch.optim.Optimizer, optional
        Which says what laws survive.
    certify : bool
        Whether ``clexact.certify`` says if the module has other laws, where that is quick: any, or of the parameters of
        each law alone.
    seed : int
        Of the certification and of the check.
    class_axis : int, optional
        The axis of the classes; default: that of an output of two axes.
    progress : bool or callable, optional
        True for a line that says what is done, or a function of (stage, done, total).
    time_limit : float, optional
        In seconds, after which the laws found are returned without further certificates; in the main thread only.

    Returns
    -------
    ModuleLaws
        The laws, and what is not covered.

    Raises
    ------
    TypeError, ValueError
        For wrong arguments.
    TimeoutError
        If the time limit is reached before the laws are found.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> found = laws(net, torch.ones(4, 2))
    >>> print(found[0])
    0 -> 2: |0.weight[i]|² + 0.bias[i]² − 2.weight[0,i]²  (diagonal, 3; CERTIFIED)
    >>> found.count
    3
    """
    module, optimizer = unwrapped(module), unwrapped_optimizer(optimizer)
    loss = None if loss is None else check_loss(loss, " or None")
    _check_arguments(module, optimizer, class_axis, seed)
    finder: _Finder | None = None
    try:
        with heard(progress) as shown, limits(time_limit) as limited:
            tell = shown or _silent
            tell("reading the module", 0, 4)
            read, note = _read(module, example_input)
            tell("finding symmetries", 1, 4)
            finder = _Finder(module, example_input, read, loss, class_axis, certify, seed)
            finder.notes += note
            finder.search()
            tell("checking in numbers", 2, 4)
            finder.compare()
            tell("certifying", 3, 4)
            finder.certificates()
    except UnreadableError as error:
        return ModuleLaws(type(module).__name__, (), (), (Uncovered("the whole module", f"{error}."),))
    except KeyboardInterrupt:
        if not limited.limit:
            raise
        if finder is None or not finder.searched:
            raise TimeoutError(f"{limited.reached} before the laws were found.") from None
        finder.notes.append(f"{limited.reached[:1].upper()}{limited.reached[1:]}: {finder.left_out}.")
    return finder.result(optimizer)


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody wants to see."""


def _read(module: nn.Module, example: Any) -> tuple[Trace, list[str]]:
    """The operations, where axes of one entry are longer if the module takes that, and a note that they are."""
    longer, changed = widened(module, example)
    with torch.enable_grad():
        try:
            read = trace(module, longer)
        except UnreadableError:
            if not changed:
                raise
            return trace(module, example), []
    shapes = ", ".join(map(str, shapes_of(longer)))
    said = f"Read at an input of shape {shapes}: what looks broadcast along an axis of one entry may not be."
    return read, [said] * changed


def _check_arguments(module: nn.Module, optimizer: object, class_axis: object, seed: object) -> None:
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in module.parameters()):
        raise ValueError("the module has lazy layers without sizes so far: run it once on the example input.")
    if not any(p.requires_grad for p in module.parameters()):
        raise ValueError(f"{type(module).__name__} has no parameter that is trained.")
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
        classes = self._classes(class_axis) if loss == "cross_entropy" else None
        self.class_axis = classes
        self.translation = Translation(module, read, free_tokens=True, classes=classes)
        self.shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
        self.families = _families(self.translation)
        self.translation.failures.tell()
        self.found = list[ModuleLaw]()
        self.disputed: Disputed = ()
        self.bounds: Bounds | None = None
        self.blocks: list[Block] | None = None
        self.searched = self.compared = False

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

    def search(self) -> None:
        """The laws, by name."""
        mode = "training" if self.module.training else "evaluation"
        self.notes.insert(0, f"Read by torch.export in {mode} mode: {len(self.trace.nodes)} operations.")
        self.notes += [f"{note[:1].upper()}{note[1:]}." for note in self._assumed()]
        self.found = self._named(self.families)
        self.searched = True

    def compare(self) -> None:
        """Set apart those that the module contradicts, in numbers."""
        self.found, self.disputed = self._checked(self.found)
        self.compared = True

    def certificates(self) -> None:
        """Whether there are other laws."""
        self.bounds, self.blocks = self._certified(self.found, bool(self.disputed))

    @property
    def left_out(self) -> str:
        """What a time limit left undone."""
        if not self.compared:
            return "the laws are neither checked numerically nor certified to be all"
        return "whether there are other laws is not certified"

    def result(self, optimizer: torch.optim.Optimizer | None) -> ModuleLaws:
        """Everything."""
        blocks = [_uncertified(law) for law in self.found] if self.blocks is None else self.blocks
        found = [
            replace(law, status=block.status, evidence=block.evidence)
            for law, block in zip(self.found, blocks, strict=True)
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
            tuple(self.notes), independent(kept, self.shapes, self.seed), self.disputed, self.bounds,
            lambda: self._approximate(found),
        )  # fmt: skip

    def _assumed(self) -> list[str]:
        """What is assumed, or rounded, where the module is read."""
        read = self.translation
        given = [f"{', '.join(sorted(read.used))} as in the example, where they do not choose tokens"] * bool(read.used)
        rounded = [f"constants of {', '.join(sorted(read.rounded))} are the floats of PyTorch"] * bool(read.rounded)
        return [*read.notes, *given, *rounded]

    # -- names ----------------------------------------------------------------------------------------------------

    def _named(self, found: Iterable[Family]) -> list[ModuleLaw]:
        """Laws with names that differ, in the order of the parameters."""
        laws = in_order([self._law(family) for family in found], self.shapes.items())
        times, seen = Counter(law.name for law in laws), Counter[str]()
        for n, law in enumerate(laws):
            if times[law.name] > 1:
                seen[law.name] += 1
                laws[n] = replace(law, name=f"{law.name} ({seen[law.name]})")
        return laws

    def _law(self, family: Family) -> ModuleLaw:
        given = {name: parameter for parameter, name in self.translation.names.items()}
        terms = tuple(replace(term, parameter=given[term.parameter]) for term in family.terms)
        law = ModuleLaw(
            family.kind, terms, _name(family.kind, terms), 0, Status.SYMMETRY, "a symmetry of the module, by rule",
            _reason(family), layout=tuple((name, self.shapes[name]) for name in self.translation.names),
        )  # fmt: skip
        return replace(law, count=independent([law], self.shapes, self.seed).count)

    # -- evidence -------------------------------------------------------------------------------------------------

    def _certified(self, found: Sequence[ModuleLaw], disputed: bool) -> tuple[Bounds | None, list[Block]]:
        """Bounds of the laws of the module, and of those in the parameters of each law alone.

        Not where the module's own gradient is another than that of what was read.
        """
        if not self.certify or disputed:
            return None, [_uncertified(law) for law in found]
        certifier = Certifier(self.translation, self.seed)
        live = [name for given, name in self.translation.names.items() if given not in self.trace.dead]
        every = certifier.bounds(live)
        if every is not None:
            known = independent(found, self.shapes, self.seed).count
            return every, [_of_all(law, every, known) for law in found]
        alone: dict[frozenset[str], Bounds | None] = {}
        for law in found:
            names = frozenset(law.parameters)
            if names not in alone:
                alone[names] = certifier.bounds([self.translation.names[name] for name in names])
        return None, [self._of_its_own(law, alone[frozenset(law.parameters)], found) for law in found]

    def _of_its_own(self, law: ModuleLaw, bounds: Bounds | None, found: Sequence[ModuleLaw]) -> Block:
        """What is certified of the parameters of a law, of which there may be others."""
        if bounds is None:
            return _uncertified(law)
        among = [other for other in found if set(other.parameters) <= set(law.parameters)]
        known = independent(among, self.shapes, self.seed).count
        complete = bounds.upper == known
        said = f"of {', '.join(law.parameters)} alone, whatever the other parameters are: {bounds.said}"
        status = Status.CERTIFIED_ALONE if complete else Status.SYMMETRY
        return Block(law.name, law.parameters, law.count, status, said, complete)

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
        ideal = [family for family in _families(self.translation.again(ideal=True)) if family not in self.families]
        taken = {law.name for law in found}
        why = "It would hold if eps of the normalisation were 0."
        return tuple((law, why) for law in self._named(ideal) if law.name not in taken)

    def _uncovered(self, found: Sequence[ModuleLaw]) -> list[Uncovered]:
        """Layers without laws, and the operations that stop them."""
        further = self.bounds.further if self.bounds is not None else ()
        touched = [law.variables[v].partition("[")[0] for law in further for v in law.terms.var.tolist()]
        covered = {_module_of(name) for name in (*(name for law in found for name in law.parameters), *touched)}
        reasons: dict[str, list[str]] = {}
        for node in self.trace.nodes:
            name = self.trace.parameters.get(node.name)
            if name is not None and _module_of(name) not in covered:
                reasons.setdefault(self._stopped(node), []).append(_module_of(name))
        listed = [Uncovered(_shortened(list(dict.fromkeys(layers))), reason) for reason, layers in reasons.items()]
        places: dict[str, list[str]] = {}
        for node in self.trace.nodes:
            if self._stops(node) and "norm" not in operation(node):
                places.setdefault(operation(node), []).append(owner(node) or "the module itself")
        for name, where in places.items():
            listed.append(Uncovered(f"{name} in {_shortened(list(dict.fromkeys(where)))}", _why(name)))
        for what, reason in self.translation.cuts.items():
            beyond = ", beyond what holds with any value in its place" if reason == DETACHED else ""
            listed.append(Uncovered(what, f"{reason}: nothing is claimed of what enters it{beyond}."))
        frozen = [name for name, p in self.module.named_parameters() if not p.requires_grad]
        if frozen:
            listed.append(Uncovered(_shortened(frozen), "not trained (requires_grad is False); taken as constant."))
        if self.trace.dead:
            listed.append(Uncovered(_shortened(list(self.trace.dead)), "gets no gradient: each of its entries stays."))
        return listed

    def _stops(self, node: Node) -> bool:
        """Whether no rescaling passes an operation."""
        return node.op == "call_function" and (node.name in self.translation.functions or operation(node) in BOUNDED)

    def _stopped(self, leaf: Node) -> str:
        """What keeps a parameter from having a law: the first operations after it that pass nothing."""
        stack, seen, ends = [leaf], set[Node](), list[str]()
        present = set(self.trace.nodes)
        while stack:
            for user in stack.pop().users:
                if user in seen or user not in present:
                    continue
                seen.add(user)
                if user.name in self.translation.opaque:
                    ends.append(self.translation.opaque[user.name])
                elif self._stops(user) or "norm" in operation(user):
                    ends.append(_readable(operation(user)))
                elif user in self.trace.outputs:
                    ends.append("the output")
                else:
                    stack.append(user)
        return f"no law found: what it makes enters {', '.join(dict.fromkeys(ends)) or 'what has no law'}."


def _module_of(name: str) -> str:
    """The submodule of a parameter; of the module itself, the parameter."""
    return name.rpartition(".")[0] or name


def _families(translation: Translation) -> tuple[Family, ...]:
    """The laws of the symmetries of a module's program; of parameters that it reads."""
    program = record(translation, translation.parameters, translation.probes)
    dead = {translation.names[name] for name in translation.trace.dead}
    read = {name: first for name, first in offsets(translation.parameters).items() if name not in dead}
    return Groups(program, read).families


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


def _uncertified(law: ModuleLaw) -> Block:
    said = "a symmetry of the module, by rule; whether there are other laws is not certified"
    return Block(law.name, law.parameters, law.count, Status.SYMMETRY, said, False)


def _of_all(law: ModuleLaw, bounds: Bounds, known: int) -> Block:
    """What is certified of all parameters, where so many numbers of families are independent."""
    listed = known + len(bounds.further)
    complete = bounds.upper == listed
    said = f"of the module: {bounds.said}"
    if bounds.lower > listed:
        said += f", of which {listed} are listed; clexact.certify says why there are others"
    return Block(law.name, law.parameters, law.count, Status.CERTIFIED if complete else Status.SYMMETRY, said, complete)


NOT_HOMOGENEOUS = (
    "gelu", "silu", "tanh", "sigmoid", "exp", "softplus", "elu", "selu", "mish", "hardswish", "erf", "log", "log1p",
    "logsumexp", "sin", "cos", "tan",
)  # fmt: skip


def _why(name: str) -> str:
    if name in NOT_HOMOGENEOUS:
        source = " (arXiv 2606.17816, theorem 4.1)" if name in ("gelu", "silu") else ""
        return f"{name} is not homogeneous: no rescaling of its units passes{source}."
    if "softmax" in name:
        return f"{name} lets no rescaling pass."
    return f"{name} lets no rescaling pass."


def _readable(name: str) -> str:
    return "batch_norm" if "batch_norm" in name else name.strip("_")


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _name(kind: str, terms: Sequence[Term]) -> str:
    """Where a law is: the common part of the layers, then writers -> readers."""
    if kind == "translation":
        axis = terms[0].view.unit
        what = "every entry" if axis is None else f"sums over axis {axis}"
        return f"{', '.join(dict.fromkeys(_part(term) for term in terms))}: {what}"
    sides = [[t for t in terms if t.coefficient > 0], [t for t in terms if t.coefficient < 0]]
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


def _reason(family: Family) -> str:
    match family.kind:
        case "gram":
            return "A matrix acting on the hidden units, and its inverse on what reads them, leave the outputs alone."
        case "diagonal":
            return "Rescaling a hidden unit, and what reads it inversely, leaves the outputs alone."
        case "scale":
            return "What follows sees only the direction."
        case "total":
            return "What is the same for all hidden units is not seen: their mean is subtracted."
        case _:
            if len(family.terms) > 1:
                return "Only their sum is seen, or what they shift is not seen."
            if family.terms[0].view.unit is None:
                return "The outputs do not depend on it: a normalisation or a softmax takes it away."
            return "A number added to all of the sum is not seen by the normalisation, softmax or loss that follows."
