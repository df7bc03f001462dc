"""A module as a ``Model``: its exported graph, recorded operation by operation as a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from math import prod
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

RANDOM = ("rand", "randn", "rand_like", "randn_like", "normal", "uniform")
DROPPED = {"dropout": (1, 2), "feature_dropout": (1, 2), "native_dropout": (1, 2)}  # places of p and of train
EXACT = {"arange", "zeros", "ones", "full", "eye", "tril", "triu", "empty", "zeros_like", "ones_like", "full_like",
         "where", "masked_fill", "view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze",
         "permute", "transpose", "t", "numpy_T", "mT", "expand", "expand_as", "repeat", "select", "slice", "narrow",
         "split", "split_with_sizes", "chunk", "unbind", "cat", "stack", "index_select", "index", "gather", "roll",
         "flip", "pad", "contiguous", "clone", "alias", "detach", "lift_fresh_copy", "getitem", "neg", "abs", "relu",
         "maximum", "minimum", "amax", "amin", "max", "min", "scalar_tensor", "constant_pad_nd", "dropout",
         "embedding", "diagonal", "repeat_interleave", "new_zeros", "new_ones", "new_full"}  # fmt: skip
INTEGRAL = {"add", "sub", "rsub", "mul", "sum", "to", "_to_copy", "type_as", "square", "matmul", "mm", "bmm", "cumsum"}
LARGEST = 2**24  # integers below it are exact in every arithmetic down to float32
UNKNOWN = object()  # the result of an operation that is not translated


def model(module: nn.Module, example_input: Any, *, name: str | None = None) -> Model:
    r"""The function $g(\theta, x)$ that a module computes, as a ``Model``: what holds for models holds for it.

    $\theta$ are the parameters that are trained, in their order and by their names, with ``_`` for each dot (and in
    front of a digit: ``0.weight`` is ``_0_weight``); tied ones are one parameter, unused ones do not move. Probes are
    the floating-point tensors of ``example_input``, given as for ``laws``. What is an integer there (token ids, masks),
    frozen parameters and buffers are constants as they stand, exactly: floats are dyadic rationals. Several outputs
    are one vector. The module is read in its mode, training or evaluation; random numbers and the masks of dropout are
    probes that vary freely. Take a batch of one: each sample of a larger one is a sample of its own, which adds only
    work.

    ReLUs and maxima enter by free gates, analytic functions by their Taylor coefficients, as in ``Model``. Where
    PyTorch computes a constant that is irrational (1/sqrt(d) of attention, cosines of positions, the statistics of
    BatchNorm in evaluation mode), the count is that of the module with the float for it, and the name says so.
    ``name`` is that of the model (default: the module's class).

    Raises TypeError for what is no module, ValueError where the module cannot be read by torch.export, with the reason,
    and for operations that no program has, with all their names.

    >>> import torch, clexact
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> clexact.certify(clexact.gradient_flow(clexact.torch.model(net, torch.randn(1, 3))))
    exactly 4 independent conservation laws with free gates (D = 26, dim W = 22)
    """
    module = unwrapped(module)
    try:
        read = trace(module, example_input)
    except UnreadableError as error:
        raise ValueError(f"{type(module).__name__} cannot be made a model: {error}.") from error
    translation = Translation(module, read)
    title = name or type(module).__name__
    try:
        made = Model(translation.parameters, translation.probes, translation, title, expand=translation.inputs)
    except ValueError:
        if translation.refused:
            raise ValueError(translation.refusal) from None
        raise
    if translation.rounded:
        made.name += f" (constants of {', '.join(sorted(translation.rounded))} rounded)"
    return made


def parameter_names(module: nn.Module) -> dict[str, str]:
    """{name in the module: name in the model} of the parameters that are trained: dots are no part of names there."""
    names: dict[str, str] = {}
    for given, parameter in module.named_parameters():
        if parameter.requires_grad:
            names[given] = _fresh(re.sub(r"\W", "_", given), names.values())
    return names


def _fresh(name: str, used: Any) -> str:
    """A name as models have them that is not used yet."""
    name = f"_{name}" if name[:1].isdigit() else name
    return name if name not in used else next(f"{name}_{n}" for n in count(2) if f"{name}_{n}" not in used)


class Translation:
    """The output function of the model: called once with arrays, it runs the graph on them."""

    def __init__(self, module: nn.Module, read: Trace) -> None:
        self.__name__ = type(module).__name__
        self.trace, self.nodes = read, list(_ancestors(read.outputs))
        names, shapes = parameter_names(module), dict(module.named_parameters())
        self.parameters: dict[str, Shape] = {names[given]: tuple(shapes[given].shape) for given in names}
        self.leaves = {leaf: names[given] for leaf, given in read.parameters.items()}  # {node: parameter or probe}
        self.probes: dict[str, Shape] = {}
        for node in self.nodes:
            if (shape := _probe_shape(node, read)) is not None:
                self.leaves[node.name] = _fresh(node.name, [*self.parameters, *self.probes])
                self.probes[self.leaves[node.name]] = shape
        self.inputs = [self.leaves[node.name] for node in self.nodes if node.name in read.inputs & self.leaves.keys()]
        self.refused: list[str] = []
        self.rounded: set[str] = set()

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
            values[node.name] = self._value(node, values, arrays)
        if not self.refused and any(isinstance(values[node.name], Masked) for node in self.trace.outputs):
            self.refused.append("minus infinity")
        if self.refused:
            raise NotTranslatableError("; ".join(self.refused))
        outputs = [values[node.name] for node in self.trace.outputs]
        symbols = tuple(part for part in outputs if isinstance(part, Array))  # constants among them move nothing
        return symbols[0] if len(outputs) == 1 else symbols

    def _value(self, node: Node, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
        if node.op == "placeholder":
            leaf = self.leaves.get(node.name)
            return self.trace.given[node.name] if leaf is None else arrays[leaf]
        given = dict(_arguments(node, values))
        parts = [part for value in given.values() for part in (value if isinstance(value, (list, tuple)) else [value])]
        if any(part is UNKNOWN for part in parts):
            self._note_unknown(node)
            return UNKNOWN
        if node.target is getitem:
            return self._part(node, *given.values())
        if node.name not in self.leaves and not any(isinstance(part, (Array, Masked)) for part in parts):
            return self._constant(node, given)
        return self._translated(node, given, arrays)

    def _part(self, node: Node, value: Sequence[Any], place: int) -> Any:
        """One of several results, unless it is one that no program has."""
        if value[place] is not None:
            return value[place]
        self.refused.append(f"result {place} of {operation(node.all_input_nodes[0])}")
        return UNKNOWN

    def _note_unknown(self, node: Node) -> None:
        if node.target is not getitem and operation(node) not in RULES:
            self.refused.append(operation(node))

    def _constant(self, node: Node, given: Mapping[str, Any]) -> Any:
        """What depends on no parameter and no probe, computed by PyTorch."""
        args, keywords = _call_with(node, given)
        with torch.no_grad():
            value = node.target(*args, **keywords)  # type: ignore[operator]
        if not _exact(operation(node), [v for v in given.values() if isinstance(v, torch.Tensor)], value):
            self.rounded.add(operation(node))
        return value

    def _translated(self, node: Node, given: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
        name = operation(node)
        if name not in RULES or (constant(node) and node.name not in self.leaves):  # a cast to integers is none
            self.refused.append(name)
            return UNKNOWN
        call = Call(
            name,
            _shape(node),
            node.target,  # type: ignore[arg-type]
            lambda: arrays[self.leaves[node.name]],
            lambda place: self._tensor(node.args[place]),
            self.rounded,
        )
        keywords = {"x" if key in ("self", "input") else key: value for key, value in given.items() if key not in IGNORED}
        if any(isinstance(value, Masked) for value in given.values()) and name not in READ_MASKS:
            self.refused.append(f"{name} of minus infinity")
            return UNKNOWN
        try:
            return RULES[name](call, **keywords)
        except NotTranslatableError as error:
            said = str(error)
            self.refused.append(said if said.startswith(name) else f"{name} with {said}")
            return UNKNOWN

    def _tensor(self, node: Any) -> torch.Tensor:
        """The tensor that a leaf of the graph is."""
        while isinstance(node, Node) and node.op != "placeholder" and operation(node) in ("alias", "clone"):
            node = node.args[0]
        if not isinstance(node, Node) or node.name not in self.trace.given:
            raise NotTranslatableError("of a table that is no parameter")
        return self.trace.given[node.name]


IGNORED = ("dtype", "layout", "device", "pin_memory", "memory_format", "cudnn_enable", "generator", "implicit")
READ_MASKS = {"softmax", "_softmax", "_safe_softmax", "add", "mul", "div", "masked_fill", "where", "contiguous",
              "clone", "alias", "to", "_to_copy", "float", "scaled_dot_product_attention"}  # fmt: skip


def _ancestors(outputs: Sequence[Node]) -> Iterator[Node]:
    """All nodes on which the outputs depend, in the order of the graph."""
    needed, stack = set[Node](), list(outputs)
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack += node.all_input_nodes
    return (node for node in (outputs[0].graph.nodes if outputs else ()) if node in needed)


def _shape(node: Node) -> Shape:
    """Shape of what a node gives; of the first, if it gives several tensors."""
    value = node.meta.get("val")
    value = value[0] if isinstance(value, (list, tuple)) and value else value
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def _probe_shape(node: Node, read: Trace) -> Shape | None:
    """The shape of the probe that a node is, or asks for: the input, random numbers, what dropout keeps."""
    if node.op == "placeholder":
        value = node.meta.get("val")
        floating = isinstance(value, torch.Tensor) and value.is_floating_point()
        return tuple(value.shape) if floating and node.name in read.inputs else None
    if node.op != "call_function":
        return None
    name = operation(node)
    if name in RANDOM:
        return _shape(node)
    given = dict(_arguments(node, {}))
    if name in DROPPED and given["train"] and given["p"]:
        shape = _shape(node)
        return (*shape[:2], *[1] * (len(shape) - 2)) if name == "feature_dropout" else shape
    if name == "scaled_dot_product_attention" and given["dropout_p"]:
        query, key = (_shape(part) for part in node.args[:2])  # type: ignore[arg-type]
        return (*query[:-1], key[-2])
    return None


def _arguments(node: Node, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name in the schema, value) of all arguments of a node, defaults among them, nodes replaced by their values."""
    if not isinstance(node.target, torch._ops.OpOverload):
        yield from ((str(n), _read(value, values)) for n, value in enumerate(node.args))
        return
    for n, argument in enumerate(node.target._schema.arguments):
        if n < len(node.args):
            value = node.args[n]
        else:
            value = node.kwargs.get(argument.name, argument.default_value)
        yield argument.name, _read(value, values)


def _read(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Node):
        return values.get(value.name)
    if isinstance(value, (list, tuple)):
        return [_read(part, values) for part in value]
    return value


def _call_with(node: Node, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a node for a call of its operation."""
    names = list(given)
    args = [given[name] for name in names[: len(node.args)]]
    return args, {name: given[name] for name in names[len(node.args) :] if name in node.kwargs}


def _exact(name: str, tensors: Sequence[torch.Tensor], value: Any) -> bool:
    """Whether a constant was computed without rounding, as far as this is plain."""
    results = [v for v in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(v, torch.Tensor)]
    floating = [v for v in results if v.is_floating_point()]
    if not floating or name in EXACT:
        return True
    whole = all(bool((v == v.round()).all()) and float(v.abs().max()) < LARGEST for v in [*tensors, *floating] if v.numel())
    return name in INTEGRAL and whole


