"""A module as a ``Model``: its exported graph, recorded operation by operation as a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from itertools import count
from math import prod
from operator import getitem
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.fx import Node

from clexact.flows.data import data_tables
from clexact.programs.array import Array
from clexact.programs.gates import THIS_DATA
from clexact.programs.model import Model
from clexact.programs.places import Shape
from clexact.programs.program import ANALYTIC, LEAVES
from clexact.programs.theorems import kind
from clexact.torch.cuts import CUT, name_of
from clexact.torch.data import Values, cases, gathered, tensor_of
from clexact.torch.exported import Trace, constant, operation, owner
from clexact.torch.failures import Failures, UnreadableError
from clexact.torch.trace import arguments as call_arguments
from clexact.torch.trace import trace, unwrapped
from clexact.torch.translation import RULES, Call, Masked, NotTranslatableError
from clexact.torch.translation.graph import (
    FILLED,
    ancestors,
    arguments,
    computed,
    depends,
    dtype_of,
    exactly_computed,
    is_random,
    leaves,
    shape_of,
)
from clexact.torch.translation.graph import probe_shape as asked_for
from clexact.torch.translation.masks import MOVE_MASKS, READ_MASKS, moved
from clexact.torch.translation.pieces import COMPARED, OF_CHOICES, READ_CHOICES

HOMOGENEOUS = {"reciprocal", "rsqrt"}  # functions that rescalings pass
NOT_READ = {"dtype", "layout", "device", "pin_memory", "memory_format", "implicit",
            "generator"}  # arguments that change no value  # fmt: skip
NUMBERS = (torch.SymInt, torch.SymFloat, torch.SymBool)  # taken out of tensors
NO_RULE = "there is no rule for it"
DETACHED = "no gradient passes"


def model(
    module: nn.Module,
    example_input: Any,
    *,
    name: str | None = None,
    tokens: Literal["given", "free"] = "given",
    inputs: object = None,
) -> Model:
    r"""The function $g(\theta, x)$ that a module computes, as a ``Model``: all that is said of models is said of it.

    $\theta$ are the parameters that are trained, in the module's order and by its names, with ``_`` for each dot, and
    in front of a digit: ``0.weight`` is ``_0_weight``. Where that name is another parameter's own, or taken by one
    before, ``_2`` is put behind it, or the next number that is free. Tied ones are one parameter; unused ones are
    there and do not move. Probes are the floating-point tensors of ``example_input``, which is given as for ``laws``.
    Integers and booleans in it (token ids, masks), frozen parameters and buffers are constants as they stand: a float
    is exactly the dyadic rational that it is. Several outputs make one vector. The module is read in its mode, training
    or evaluation; random numbers, and what dropout keeps, are probes that vary freely. Take a batch of one: what is
    proved is for all inputs, and each sample of a larger batch is an input of its own, which only adds work. Where
    samples meet, as in BatchNorm in training mode, the batch is one input: take it of the size that is trained on.

    Analytic functions, norms and attention among them, stand for themselves, as in ``Model``; ReLUs, maxima and
    comparisons have free gates. Where PyTorch computes a constant that is rounded (1/sqrt(d) of attention, cosines of
    positions, the statistics of BatchNorm in evaluation mode), the model is the one with the float for it, and its name
    says so. An operation that no program has is opaque: its results vary freely, more than they do in the module, and
    what enters it is seen as an output is, unless no gradient passes. So is a submodule that torch.export cannot read,
    and its parameters are seen. So laws are laws of the module, but that there
    are no others is said of the module cut there, as its ``cuts``, the scope of every result and its headline say.
    What else is assumed (softplus is itself above its threshold, lengths are above the eps of ``normalize``) is in the
    model's ``notes``, and so in the assumptions of every result. A model has no recipe: certificates hold its program.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in training or evaluation mode.
    example_input : torch.Tensor, tuple or dict
        A tensor, a tuple of arguments or a dict of keywords, as for ``laws``.
    name : str, optional
        What results call the model (default: the module's class).
    tokens : {"given", "free"}
        Whether the integers in the example (token ids) are constants as they stand, so that results are of these
        alone, or rows of embeddings (of tokens, of positions) are mixtures of all rows, by probes.
    inputs : tensor, array, tuple or dict of these, DataLoader, Dataset or iterable of batches, optional
        The data that the module is trained on: every flow of the model is then the flow on them alone, as
        ``gradient_flow(model, inputs=...)`` is. N inputs for each tensor of the example, along the first axis; of a
        batch (x, y) the first is the input. They are taken one by one, or in batches as large as the example. Integers
        (token ids) are taken all together, in place of the example's. Floats are the binary fractions that they are.

    Returns
    -------
    Model
        The function, and in its name what constants are rounded.

    Raises
    ------
    TypeError
        If it is given no module, or inputs that are none.
    ValueError
        If torch.export cannot read it, with the reason, for another ``tokens``, and for inputs of wrong shapes, or that
        are not finite.

    Examples
    --------
    >>> import torch, clexact
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> g = clexact.torch.model(net, torch.randn(1, 3))
    >>> clexact.certify(clexact.gradient_flow(g))
    exactly 4 independent conservation laws (D = 26, dim W = 22)
    >>> data = torch.utils.data.TensorDataset(torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0]]), torch.zeros(2))
    >>> on_data = clexact.torch.model(net, torch.randn(1, 3), inputs=torch.utils.data.DataLoader(data))
    >>> clexact.certify(clexact.gradient_flow(on_data)).headline
    'exactly 12 independent conservation laws for this data with free gates'
    """
    module = unwrapped(module)
    if tokens not in ("given", "free"):
        raise ValueError(f"tokens must be 'given' or 'free', not {tokens!r}.")
    values = None if inputs is None else gathered(example_input, inputs)
    if values is not None:
        example_input = _with_integers(example_input, values)
    try:
        read = trace(module, example_input)
    except UnreadableError as error:
        raise ValueError(f"{type(module).__name__} cannot be made a model: {error}.") from error
    translation = Translation(module, read, free_tokens=tokens == "free")
    made = translation.model(translation.parameters, name)
    if translation.rounded:
        made.name += f" (constants of {', '.join(sorted(translation.rounded))} rounded)"
    translation.failures.tell()
    made.free = tuple(probe for probe in made.probes if probe not in translation.given)
    if values is not None:
        _give(made, translation.given, example_input, values)
    return made


def _with_integers(example: Any, values: Sequence[Values]) -> Any:
    """The example input, or all data in its place where it holds integers: these are constants of the model."""
    positional, keywords = call_arguments(example)
    tensors = [*positional, *keywords.values()]
    if all(tensor.is_floating_point() for tensor in tensors):
        return example
    for tensor, data in zip(tensors, values, strict=True):
        if data.shape[1:] != tuple(tensor.shape[1:]) or not len(data):
            wanted = ", ".join(["N", *map(str, tensor.shape[1:])])
            raise ValueError(f"inputs must have shape ({wanted}), N at least 1, not {data.shape}.")
    made = [tensor_of(data, tensor) for tensor, data in zip(tensors, values, strict=True)]
    return dict(zip(keywords, made, strict=True)) if keywords else tuple(made)


def _give(made: Model, given: Mapping[str, Any], example: Any, values: Sequence[Values]) -> None:
    """Let a model remember its data: for each probe the cases of the tensor that it stands for."""
    positional, keywords = call_arguments(example)
    order = {id(tensor): n for n, tensor in enumerate((*positional, *keywords.values()))}
    if not given:  # all data are integers, which are constants of the model
        made.data = THIS_DATA
        return
    tables = {probe: cases(values[order[id(tensor)]], tuple(tensor.shape), probe) for probe, tensor in given.items()}
    made.inputs = data_tables(made, tables)


def parameter_names(module: nn.Module) -> dict[str, str]:
    """{name in the module: name in the model} of the parameters that are trained; models have no dots in names."""
    trained = [given for given, parameter in module.named_parameters() if parameter.requires_grad]
    names = {given: given for given in trained if given.isidentifier()}
    for given in trained:
        names[given] = names.get(given) or _fresh(given, names.values())
    return {given: names[given] for given in trained}


def _fresh(given: str, used: Collection[str]) -> str:
    """A name as models have them, that is not used yet."""
    name = re.sub(r"\W|^(?=\d)", "_", given)
    return name if name not in used else next(f"{name}_{n}" for n in count(2) if f"{name}_{n}" not in used)


class Translation:
    """The output function of a model: called once with arrays, it runs the graph on them.

    What cannot be translated is opaque: what it gives is a new probe, and what enters it is one more output, unless no
    gradient passes. So is a submodule that is cut out, with its parameters. ``cuts`` (with the reasons), ``rounded``
    and ``notes`` then say what is opaque, which operations rounded constants, and what is assumed; ``opaque`` which
    nodes are, ``functions`` which apply analytic ones, ``failures`` which rules failed, ``used`` which
    integers of the input are constants as they stand. With ``free_tokens``, rows of embeddings (of tokens, of
    positions) are mixtures of all rows, by probes. ``classes`` is the axis of classes of the
    output, where only differences along it are seen. With ``ideal``, eps of all norms is 0.
    """

    def __init__(
        self, module: nn.Module, read: Trace, *, free_tokens: bool = False, classes: int | None = None,
        ideal: bool = False,
    ) -> None:  # fmt: skip
        self.__name__ = type(module).__name__
        self._options = {"free_tokens": free_tokens, "classes": classes, "ideal": ideal}
        self.module, self.trace, self.classes, self.ideal = module, read, classes, ideal
        self.notes, self.functions, self.failures = dict[str, None](), dict[str, str](), Failures()
        self.outputs = [node for node in read.outputs if not constant(node)] or list(read.outputs)
        self._detached = {node.name for node in self.outputs[0].graph.nodes
                          if operation(node) == "detach" and depends(node, read.parameters)}  # fmt: skip
        self.nodes = ancestors(self.outputs, self._detached)
        self.names, shapes = parameter_names(module), dict(module.named_parameters())
        self.parameters: dict[str, Shape] = {self.names[given]: tuple(shapes[given].shape) for given in self.names}
        self.probes: dict[str, Shape] = {}
        self._given, self._asked = dict[str, str](), dict[str, str]()  # {node: probe}
        for node in self.nodes:
            given = node.name in read.inputs and read.given[node.name].is_floating_point()
            shape = shape_of(node) if given else asked_for(node)
            if shape is not None:
                probe = _fresh(node.name, [*self.parameters, *self.probes])
                (self._given if given else self._asked)[node.name] = probe
                self.probes[probe] = shape
        trained = {leaf: self.names[given] for leaf, given in read.parameters.items()}
        self._leaves = trained | self._given
        self._free_tokens = free_tokens
        self._fixed = list[Array]()
        self._logits: Shape | None = None
        self.cuts, self.opaque = dict[str, str](), dict[str, str]()
        self.rounded, self.used, self.mixed = set[str](), set[str](), False

    def again(self, **changed: Any) -> Translation:
        """The same, to be called once more, or with other options."""
        return Translation(self.module, self.trace, **(self._options | changed))

    def model(self, parameters: Collection[str], name: str | None = None) -> Model:
        """The module's function of these parameters, the others being probes; the translation is called for it."""
        chosen = {own: shape for own, shape in self.parameters.items() if own in parameters}
        others = {own: shape for own, shape in self.parameters.items() if own not in parameters}
        made = Model(chosen, others | self.probes, self, name or self.__name__)
        made.notes, made.cuts, made.data, made.logits = tuple(self.notes), tuple(self.cuts), self.data, self._logits
        return made

    @property
    def given(self) -> dict[str, torch.Tensor]:
        """{probe: the tensor of the example input that it stands for}."""
        return {probe: self.trace.given[leaf] for leaf, probe in self._given.items()}

    @property
    def data(self) -> str:
        """For which data laws are complete."""
        mixed = " and mixtures of tokens" if self.mixed else ""
        return f"all data{mixed}{' with the integers of the example' if self.used else ''}"

    def __call__(self, **arrays: Array) -> Array | tuple[Array, ...]:
        values: dict[str, Any] = {}
        self._like = next(iter(arrays.values()))
        self.notes |= dict.fromkeys(self.trace.notes)
        for given, reason in self.trace.held.items():
            self.cuts[f"the gradient of {given}"] = reason
            self._fix(arrays[self.names[given]])
        for node in self.nodes:
            try:
                values[node.name] = self._value(node, values, arrays)
            except NotTranslatableError as error:
                values[node.name] = self._opaque(node, str(error), values)
            except Exception as error:  # a fault of a rule
                self.failures.note(operation(node), error)
                values[node.name] = self._opaque(node, operation(node), values)
        outputs = [values[node.name] for node in self.outputs]
        symbols = [part for part in outputs if isinstance(part, Array)]  # constants among them move nothing
        for part in outputs:
            if isinstance(part, Masked):
                self._fix(part)
        if self.classes is not None and len(symbols) == 1:
            others = [axis for axis in range(symbols[0].ndim) if axis != self.classes]
            logits = symbols[0].transpose((*others, self.classes))
            symbols = [logits[..., :-1] - logits[..., -1:]]
        every = (*symbols, *self._fixed)
        self._logits = symbols[0].shape if len(outputs) == len(symbols) == 1 < len(every) else None
        return every[0] if len(outputs) == len(every) == 1 else every

    # -- what is opaque ------------------------------------------------------------------------------------------------

    def _opaque(self, node: Node, why: str, values: Mapping[str, Any]) -> Any:
        """Probes for what a node gives; what enters it is fixed, if gradients pass and depend on parameters."""
        self._note(node, why)
        if not constant(node) and depends(node, self.trace.parameters):
            for operand in node.all_input_nodes:
                if depends(operand, self.trace.parameters):
                    self._fix(values.get(operand.name))
        made = node.meta.get("val")
        if isinstance(made, (list, tuple)):
            return [self._probe(node, part) for part in made]
        return self._probe(node, made)

    def _note(self, node: Node, why: str) -> None:
        """Note what is cut at a node, and for what reason."""
        if operation(node) == CUT:
            name = name_of(str(node.args[0]))
            where = f"{name} ({type(self.module.get_submodule(name)).__name__})"
            self.cuts[where] = f"cut out with its parameters, as {self.trace.cuts[name]}"
        else:
            where = f"{why} in {owner(node)}" if owner(node) else why
            failure = self.failures.get(operation(node))
            why = DETACHED if node.name in self._detached else NO_RULE
            self.cuts[where] = f"clexact's rule failed ({failure}), please report it" if failure else why
        self.opaque[node.name] = where

    def _probe(self, node: Node, value: Any) -> Array | None:
        """A new probe for a tensor that a node gives."""
        if not isinstance(value, torch.Tensor):
            return None
        used = [leaf.data for leaf in self._like.program.nodes if leaf.op in LEAVES]
        return self._like.leaf("probe", tuple(value.shape), _fresh(node.name, used))

    def _fix(self, value: Any) -> None:
        """Let what enters an opaque operation be seen, so that nothing moves it."""
        for part in leaves(value):
            if isinstance(part, Masked):
                part = part.scores
            if isinstance(part, Array) and all(part.number != seen.number for seen in self._fixed):
                self._fixed.append(part)

    def _value(self, node: Node, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
        """What a node is: an array, a constant as PyTorch has it, a list of them, masked scores, or unknown."""
        if node.name in self._leaves:
            return arrays[self._leaves[node.name]]
        if node.op == "placeholder":
            return self.trace.given[node.name]
        if node.op == "get_attr":  # the graph of a part that runs without gradients, on constants
            return getattr(node.graph.owning_module, node.target)
        given, name = arguments(node, values), operation(node)
        parts = [part for value in given.values() for part in leaves(value)]
        if name == CUT or node.name in self._detached:
            raise NotTranslatableError(name)
        if any(isinstance(each.meta.get("val"), NUMBERS) for each in node.all_input_nodes):
            raise NotTranslatableError(f"{name} with a number that depends on values")
        if name in FILLED:
            given["self"] = torch.empty(shape_of(node.args[0]), dtype=dtype_of(node.args[0]))
            parts = []
        if node.target is getitem:
            return _part(node, *given.values())
        if node.name in self._asked or any(isinstance(part, (Array, Masked)) for part in parts):
            moving = [each for each in node.all_input_nodes if isinstance(values.get(each.name), Array)]
            return self._translated(node, given, moving, arrays)
        if name not in RULES and is_random(node):
            raise NotTranslatableError(name)
        value = computed(node, given)
        if not exactly_computed(node, given, value):
            self.rounded.add(name)
        return value

    def _translated(
        self, node: Node, given: Mapping[str, Any], moving: Sequence[Node], arrays: Mapping[str, Array]
    ) -> Any:
        """The rule of an operation, applied: ``moving`` are the operands that are arrays."""
        name = operation(node)
        if name not in RULES or not self._has_rule(node):
            raise NotTranslatableError(name)
        if (mixed := self._mixed_rows(node, given)) is not None:
            return mixed
        masked = any(isinstance(part, Masked) for value in given.values() for part in leaves(value))
        if name not in READ_MASKS and masked:
            raise NotTranslatableError(f"{name} of minus infinity")
        if name not in READ_CHOICES and any(map(_is_choice, moving)):
            raise NotTranslatableError(f"{name} of truth values that depend on values")
        call = Call(
            name,
            shape_of(node),
            dtype_of(node),
            node.target,
            lambda: arrays[self._asked[node.name]],
            lambda place: self._leaf(name, node.args[place]),
            lambda place: operation(node.args[place]) if isinstance(node.args[place], Node) else "",
            self.rounded,
            self.notes,
        )
        renamed = {"self": "x", "input": "x"}
        named = {renamed.get(key, key): value for key, value in given.items() if key not in NOT_READ}
        if not fits(RULES[name], call, named):
            raise NotTranslatableError(f"this form of {name}")
        if self.ideal and "eps" in named:
            named["eps"] = 0.0
        before = len(self._like.program.nodes)
        try:
            result = moved(call, named) if masked and name in MOVE_MASKS else RULES[name](call, **named)
        except NotTranslatableError as error:
            said = str(error)
            raise NotTranslatableError(said if said.startswith(name) else f"{name} with {said}") from None
        made = {kind(made) for made in self._like.program.nodes[before:] if made.op in ANALYTIC}
        if made - HOMOGENEOUS:
            self.functions[node.name] = name
        return result

    def _mixed_rows(self, node: Node, given: Mapping[str, Any]) -> Array | None:
        """The rows of a table as mixtures of all rows, where tokens are free; else integers of the input are noted."""
        tokens = {leaf for leaf in self.trace.inputs if leaf not in self._given}
        if operation(node) != "embedding" or not self._free_tokens or given["scale_grad_by_freq"]:
            self.used |= {each.name for each in node.all_input_nodes if constant(each) and depends(each, tokens)}
            return None
        table, padding, shape = given["weight"], given["padding_idx"], shape_of(node)
        share = self._probe(node, torch.empty(prod(shape[:-1]), table.shape[0], device="meta"))
        assert share is not None
        if padding >= 0:  # that row has no gradient: it is a constant, whatever it is
            kept = np.delete(np.arange(table.shape[0]), padding)
            row = self._probe(node, torch.empty(1, table.shape[1], device="meta"))
            rows = share[:, kept] @ table[kept] + share[:, [padding]] * row
        else:
            rows = share @ table
        self.mixed = True
        mixed: Array = rows.reshape(shape)
        return mixed

    def _has_rule(self, node: Node) -> bool:
        """Whether a node has a gradient, or random numbers, or is a choice: made of values, or of other choices."""
        if not constant(node) or node.name in self._asked:
            return True
        name = operation(node)
        if name == "detach":  # of what is given
            return True
        return name in COMPARED or (name in OF_CHOICES and all(map(_is_choice, node.all_input_nodes)))

    def _leaf(self, name: str, node: Any) -> torch.Tensor:
        """The tensor that a leaf of the graph is."""
        if not isinstance(node, Node) or node.name not in self.trace.given:
            raise NotTranslatableError(f"{name} of a tensor that is no parameter")
        return self.trace.given[node.name]


def fits(rule: Callable[..., Any], call: Call, named: Mapping[str, Any]) -> bool:
    """Whether a rule takes these arguments: an operation may have several forms."""
    try:
        signature(rule).bind(call, **named)
    except TypeError:
        return False
    return True


def _is_choice(node: Node) -> bool:
    """Whether a node's values are truth values."""
    return bool(dtype_of(node) == torch.bool)


def _part(node: Node, value: Sequence[Any], place: int) -> Any:
    """One of several results, unless it is one that no program has."""
    if value[place] is None:
        raise NotTranslatableError(f"result {place} of {operation(node.all_input_nodes[0])}")
    return value[place]
