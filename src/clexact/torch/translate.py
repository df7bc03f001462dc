"""A module as a ``Model``: its exported graph, recorded operation by operation as a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from itertools import count
from operator import getitem
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from clexact.programs.array import Array
from clexact.programs.model import Model
from clexact.programs.places import Shape
from clexact.torch.trace import Trace, UnreadableError, constant, operation, owner, trace, unwrapped
from clexact.torch.translation import RULES, Call, Masked, NotTranslatableError
from clexact.torch.translation.graph import (
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
from clexact.torch.translation.pieces import COMPARED, OF_CHOICES, READ_CHOICES

NOT_READ = {"dtype", "layout", "device", "pin_memory", "memory_format", "implicit",
            "generator"}  # arguments that change no value  # fmt: skip
READ_MASKS = {"softmax", "_softmax", "_safe_softmax", "add", "mul", "div", "masked_fill", "where", "contiguous",
              "clone", "alias", "to", "_to", "scaled_dot_product_attention"}  # fmt: skip
UNKNOWN = object()  # the result of an operation that is not translated


def model(module: nn.Module, example_input: Any, *, name: str | None = None) -> Model:
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
    says so. An operation that no program has is a probe where it depends on no parameter that is trained: its results
    then vary freely, more than they do in the module, so laws are laws of the module, but that there are no others is
    said of free results only. This, and what else is assumed (softplus is itself above its threshold, lengths are above
    the eps of ``normalize``), is in the model's ``notes``, and so in the assumptions of every result. A model has no
    recipe: certificates hold its program.

    Parameters
    ----------
    module : torch.nn.Module
        The network, in training or evaluation mode.
    example_input : torch.Tensor, tuple or dict
        A tensor, a tuple of arguments or a dict of keywords, as for ``laws``.
    name : str, optional
        What results call the model (default: the module's class).

    Returns
    -------
    Model
        The function, and in its name what constants are rounded.

    Raises
    ------
    TypeError
        If it is given no module.
    ValueError
        If torch.export cannot read it, with the reason, or parameters enter operations that no program has, naming
        every one and the submodule.

    Examples
    --------
    >>> import torch, clexact
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> g = clexact.torch.model(net, torch.randn(1, 3))
    >>> clexact.certify(clexact.gradient_flow(g))
    exactly 4 independent conservation laws with free gates (D = 26, dim W = 22)
    """
    module = unwrapped(module)
    try:
        translation = Translation(module, trace(module, example_input))
    except UnreadableError as error:
        raise ValueError(f"{type(module).__name__} cannot be made a model: {error}.") from error
    title = name or type(module).__name__
    try:
        made = Model(translation.parameters, translation.probes, translation, title)
    except ValueError:
        if translation.refused:
            raise ValueError(translation.refusal) from None
        raise
    if translation.rounded:
        made.name += f" (constants of {', '.join(sorted(translation.rounded))} rounded)"
    made.notes = tuple(translation.notes)
    return made


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
    """The output function of the model: called once with arrays, it runs the graph on them.

    ``refused``, ``rounded`` and ``notes`` then say what could not be translated, which operations rounded constants,
    and what is assumed.
    """

    def __init__(self, module: nn.Module, read: Trace) -> None:
        self.__name__ = type(module).__name__
        self.trace, self.notes = read, dict[str, None]()
        opaque = _opaque(read)
        self.nodes = ancestors(read.outputs, opaque)
        names, shapes = parameter_names(module), dict(module.named_parameters())
        self.parameters: dict[str, Shape] = {names[given]: tuple(shapes[given].shape) for given in names}
        self.inputs, asked = dict[str, str](), dict[str, str]()  # {node: probe}
        self.probes: dict[str, Shape] = {}
        for node in self.nodes:
            given = node.name in read.inputs and read.given[node.name].is_floating_point()
            cut = node.name in opaque
            if cut:
                self.notes[_freely(node)] = None
            shape = shape_of(node) if given or cut else asked_for(node)
            if shape is not None:
                probe = _fresh(node.name, [*self.parameters, *self.probes])
                (self.inputs if given or cut else asked)[node.name] = probe
                self.probes[probe] = shape
        trained = {leaf: names[given] for leaf, given in read.parameters.items()}
        self._leaves, self._asked = trained | self.inputs, asked
        self.refused, self.rounded = list[str](), set[str]()

    @property
    def refusal(self) -> str:
        """What could not be translated, in a sentence."""
        return (
            f"{self.__name__} cannot be made a model: no program has {', '.join(dict.fromkeys(self.refused))}; "
            "take a module without, or clexact.torch.laws, which leaves what it does not know uncovered."
        )

    def __call__(self, **arrays: Array) -> Array | tuple[Array, ...]:
        values: dict[str, Any] = {}
        for node in self.nodes:
            try:
                values[node.name] = self._value(node, values, arrays)
            except NotTranslatableError as error:
                self.refused.append(f"{error} in {owner(node)}" if owner(node) else str(error))
                values[node.name] = UNKNOWN
        outputs = [values[node.name] for node in self.trace.outputs]
        if any(isinstance(part, Masked) for part in outputs):
            self.refused.append("minus infinity")
        if self.refused:
            raise NotTranslatableError("; ".join(self.refused))
        symbols = tuple(part for part in outputs if isinstance(part, Array))  # constants among them move nothing
        return symbols[0] if len(outputs) == 1 else symbols

    def _value(self, node: Node, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
        """What a node is: an array, a constant as PyTorch has it, a list of them, masked scores, or unknown."""
        if node.name in self._leaves:
            return arrays[self._leaves[node.name]]
        if node.op == "placeholder":
            return self.trace.given[node.name]
        given, name = arguments(node, values), operation(node)
        parts = [part for value in given.values() for part in leaves(value)]
        if any(part is UNKNOWN for part in parts):
            if node.target is not getitem and name not in RULES:
                raise NotTranslatableError(name)
            return UNKNOWN
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
        if name not in READ_MASKS and any(isinstance(value, Masked) for value in given.values()):
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
        try:
            return RULES[name](call, **named)
        except NotTranslatableError as error:
            said = str(error)
            raise NotTranslatableError(said if said.startswith(name) else f"{name} with {said}") from None

    def _has_rule(self, node: Node) -> bool:
        """Whether a node has a gradient, or random numbers, or is a choice: made of values, or of other choices."""
        if not constant(node) or node.name in self._asked:
            return True
        name = operation(node)
        if name == "detach":
            return not depends(node, self.trace.parameters)
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


def _opaque(read: Trace) -> set[str]:
    """The floating-point nodes of operations without a rule that vary with the input, and depend on no parameter."""
    found, varying = set[str](), {leaf for leaf in read.inputs if read.given[leaf].is_floating_point()}
    for node in ancestors(read.outputs):
        ruled = node.op != "call_function" or node.target is getitem or operation(node) in RULES
        value = node.meta.get("val")
        if ruled or not isinstance(value, torch.Tensor) or not value.is_floating_point():
            continue
        if (is_random(node) or depends(node, varying)) and not depends(node, read.parameters):
            found.add(node.name)
    return found


def _freely(node: Node) -> str:
    """What is assumed of an opaque node, in words."""
    where = f" in {owner(node)}" if owner(node) else ""
    return (
        f"the results of {operation(node)}{where} vary freely: they vary less in the module, which may have more laws"
    )


def _part(node: Node, value: Sequence[Any], place: int) -> Any:
    """One of several results, unless it is one that no program has."""
    if value[place] is None:
        raise NotTranslatableError(f"result {place} of {operation(node.all_input_nodes[0])}")
    return value[place]
