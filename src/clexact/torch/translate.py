"""A module as a ``Model``: its exported graph, recorded operation by operation as a program."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from operator import getitem
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from clexact.programs.array import Array
from clexact.programs.model import Model
from clexact.programs.places import Shape
from clexact.torch.trace import Trace, UnreadableError, constant, operation, trace, unwrapped
from clexact.torch.translation import RULES, Call, Masked, NotTranslatableError
from clexact.torch.translation.graph import (
    ancestors,
    arguments,
    computed,
    exactly_computed,
    is_random,
    leaves,
    shape_of,
)
from clexact.torch.translation.graph import probe_shape as asked_for

NOT_READ = {"dtype", "layout", "device", "pin_memory", "memory_format", "implicit"}  # arguments that change no value
READ_MASKS = {"softmax", "_softmax", "_safe_softmax", "add", "mul", "div", "masked_fill", "where", "contiguous",
              "clone", "alias", "to", "_to", "scaled_dot_product_attention"}  # fmt: skip
UNKNOWN = object()  # the result of an operation that is not translated


def model(module: nn.Module, example_input: Any, *, name: str | None = None) -> Model:
    r"""The function $g(\theta, x)$ that a module computes, as a ``Model``: all that is said of models is said of it.

    $\theta$ are the parameters that are trained, in the module's order and by its names, with ``_`` for each dot, and
    in front of a digit: ``0.weight`` is ``_0_weight``. Tied ones are one parameter; unused ones are there and do not
    move. Probes are the floating-point tensors of ``example_input``, which is given as for ``laws``. Integers and
    booleans in it (token ids, masks), frozen parameters and buffers are constants as they stand: a float is exactly the
    dyadic rational that it is. Several outputs make one vector. The module is read in its mode, training or evaluation;
    random numbers, and what dropout keeps, are probes that vary freely. Take a batch of one: what is proved is for all
    inputs, and each sample of a larger batch is an input of its own, which only adds work.

    ReLUs and maxima have free gates, and analytic functions enter by their Taylor coefficients in the inputs, as in
    ``Model``. Where PyTorch computes a constant that is rounded (1/sqrt(d) of attention, cosines of positions, the
    statistics of BatchNorm in evaluation mode), the model is the one with the float for it, and its name says so.
    A model has no recipe: certificates hold its program.

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
        If torch.export cannot read it, with the reason, or it has operations that no program has, naming every one.

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
        made = Model(
            translation.parameters, translation.probes, translation, title, expand=list(translation.inputs.values())
        )
    except ValueError:
        if translation.refused:
            raise ValueError(translation.refusal) from None
        raise
    if translation.rounded:
        made.name += f" (constants of {', '.join(sorted(translation.rounded))} rounded)"
    return made


def parameter_names(module: nn.Module) -> dict[str, str]:
    """{name in the module: name in the model} of the parameters that are trained; models have no dots in names."""
    names: dict[str, str] = {}
    for given, parameter in module.named_parameters():
        if parameter.requires_grad:
            names[given] = _fresh(given, names.values())
    return names


def _fresh(given: str, used: Collection[str]) -> str:
    """A name as models have them, that is not used yet."""
    name = re.sub(r"\W|^(?=\d)", "_", given)
    return name if name not in used else next(f"{name}_{n}" for n in count(2) if f"{name}_{n}" not in used)


class Translation:
    """The output function of the model: called once with arrays, it runs the graph on them.

    ``refused`` and ``rounded`` then say what could not be translated, and which operations rounded constants.
    """

    def __init__(self, module: nn.Module, read: Trace) -> None:
        self.__name__ = type(module).__name__
        self.trace, self.nodes = read, ancestors(read.outputs)
        names, shapes = parameter_names(module), dict(module.named_parameters())
        self.parameters: dict[str, Shape] = {names[given]: tuple(shapes[given].shape) for given in names}
        self.inputs, asked = dict[str, str](), dict[str, str]()  # {node: probe}
        self.probes: dict[str, Shape] = {}
        for node in self.nodes:
            given = node.name in read.inputs and read.given[node.name].is_floating_point()
            shape = shape_of(node) if given else asked_for(node)
            if shape is not None:
                probe = _fresh(node.name, [*self.parameters, *self.probes])
                (self.inputs if given else asked)[node.name] = probe
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
                self.refused.append(str(error))
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
        if node.op == "placeholder":
            return arrays[self._leaves[node.name]] if node.name in self._leaves else self.trace.given[node.name]
        given, name = arguments(node, values), operation(node)
        parts = [part for value in given.values() for part in leaves(value)]
        if any(part is UNKNOWN for part in parts):
            if node.target is not getitem and name not in RULES:
                raise NotTranslatableError(name)
            return UNKNOWN
        if node.target is getitem:
            return _part(node, *given.values())
        if node.name in self._asked or any(isinstance(part, (Array, Masked)) for part in parts):
            return self._translated(node, given, arrays)
        if name not in RULES and is_random(node):
            raise NotTranslatableError(name)
        value = computed(node, given)
        if not exactly_computed(node, given, value):
            self.rounded.add(name)
        return value

    def _translated(self, node: Node, given: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
        """The rule of an operation, applied."""
        name = operation(node)
        if name not in RULES or (constant(node) and node.name not in self._asked):  # a cast to integers is no rule's
            raise NotTranslatableError(name)
        if name not in READ_MASKS and any(isinstance(value, Masked) for value in given.values()):
            raise NotTranslatableError(f"{name} of minus infinity")
        call = Call(
            name,
            shape_of(node),
            node.target,
            lambda: arrays[self._asked[node.name]],
            lambda place: self._leaf(name, node.args[place]),
            self.rounded,
        )
        renamed = {"self": "x", "input": "x"}
        try:
            return RULES[name](call, **{renamed.get(k, k): value for k, value in given.items() if k not in NOT_READ})
        except NotTranslatableError as error:
            said = str(error)
            raise NotTranslatableError(said if said.startswith(name) else f"{name} with {said}") from None

    def _leaf(self, name: str, node: Any) -> torch.Tensor:
        """The tensor that a leaf of the graph is."""
        if not isinstance(node, Node) or node.name not in self.trace.given:
            raise NotTranslatableError(f"{name} of a tensor that is no parameter")
        return self.trace.given[node.name]


def _part(node: Node, value: Sequence[Any], place: int) -> Any:
    """One of several results, unless it is one that no program has."""
    if value[place] is None:
        raise NotTranslatableError(f"result {place} of {operation(node.all_input_nodes[0])}")
    return value[place]
