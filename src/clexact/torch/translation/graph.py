"""Nodes of an exported graph: their arguments by name, their shapes, and what their constants are."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import torch
from torch.fx import Node

from clexact.programs.places import Shape
from clexact.torch.exported import operation

MOVES = {"view", "reshape", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose", "t",
         "numpy_T", "mT", "expand", "expand_as", "repeat", "repeat_interleave", "select", "slice", "narrow", "split",
         "split_with_sizes", "chunk", "unbind", "getitem", "cat", "stack", "index_select", "index", "gather", "roll",
         "flip", "pad", "constant_pad_nd", "diagonal", "embedding", "tril", "triu", "where", "masked_fill",
         "contiguous", "clone", "alias", "detach", "lift_fresh_copy", "neg", "abs", "relu", "maximum", "minimum",
         "amax", "amin", "max", "min", "dropout"}  # fmt: skip
FILLED = {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}  # of whatever has this shape
MADE = {"arange", "zeros", "ones", "full", "eye", "scalar_tensor"} | FILLED
RING = {"add", "sub", "rsub", "mul", "square", "sum", "cumsum", "matmul", "mm", "bmm", "to", "_to", "type_as"}
LARGEST = 2**24  # below it every integer is a float32


def ancestors(outputs: Sequence[Node], leaves: Container[str] = ()) -> list[Node]:
    """All nodes on which the outputs depend, in the order of the graph; what leaves depend on does not count."""
    needed, stack = set[Node](), list(outputs)
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack += [] if node.name in leaves else node.all_input_nodes
    return [node for node in (outputs[0].graph.nodes if outputs else ()) if node in needed]


def depends(node: Node, leaves: Container[str]) -> bool:
    """Whether a node depends on some of these leaves."""
    return any(each.name in leaves for each in ancestors([node]))


def arguments(node: Node, values: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a node by their names in the schema, defaults among them; nodes replaced by their values."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {str(n): _read(value, values) for n, value in enumerate(node.args)}
    found = {}
    for n, argument in enumerate(node.target._schema.arguments):
        given = node.args[n] if n < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
        found[argument.name] = _read(given, values)
    return found


def _read(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Node):
        return values.get(value.name)
    return [_read(part, values) for part in value] if isinstance(value, (list, tuple)) else value


def leaves(value: Any) -> Sequence[Any]:
    """The members of a list, or what is none alone."""
    return value if isinstance(value, (list, tuple)) else [value]


def shape_of(node: Any) -> Shape:
    """Shape of what a node gives; of the first, if it gives several tensors."""
    value = next(iter(leaves(node.meta.get("val"))), None)
    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()


def probe_shape(node: Node) -> Shape | None:
    """The shape of the probe for which a node asks: its random numbers, or what its dropout keeps; None for none."""
    if node.op != "call_function":
        return None
    name, given = operation(node), arguments(node, {})
    if name in ("rand", "randn", "rand_like", "randn_like"):
        return shape_of(node)
    if name in ("dropout", "native_dropout", "feature_dropout") and given["train"] and given["p"]:
        shape = shape_of(node)
        return (*shape[:2], *[1] * (len(shape) - 2)) if name == "feature_dropout" else shape
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and given["train"] and given["dropout"]:
        return (given["num_layers"] - 1, *shape_of(node))  # between the layers
    if name == "scaled_dot_product_attention" and given["dropout_p"]:
        return (*shape_of(node.args[0])[:-1], shape_of(node.args[1])[-2])
    return None


def dtype_of(node: Any) -> torch.dtype:
    """Type of what a node gives; of the first, if it gives several tensors."""
    value = next(iter(leaves(node.meta.get("val"))), None)
    return value.dtype if isinstance(value, torch.Tensor) else torch.get_default_dtype()


def is_random(node: Node) -> bool:
    """Whether a node draws random numbers: one draw of them is no constant of the module."""
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def computed(node: Node, given: Mapping[str, Any]) -> Any:
    """What a node gives on these constants, by PyTorch."""
    placed = list(given)[: len(node.args)]
    named = {name: value for name, value in given.items() if name in node.kwargs}
    with torch.no_grad():
        return node.target(*(given[name] for name in placed), **named)


def exactly_computed(node: Node, given: Mapping[str, Any], value: Any) -> bool:
    """Whether nothing was rounded, as far as this is plain: by the kind of the operation, or as all are integers."""
    floats = [each for each in leaves(value) if isinstance(each, torch.Tensor) and each.is_floating_point()]
    if not floats or operation(node) in MOVES | MADE:
        return True
    tensors = [each for argument in given.values() for each in leaves(argument) if isinstance(each, torch.Tensor)]
    return operation(node) in RING and all(map(_whole, [*tensors, *floats]))


def _whole(tensor: torch.Tensor) -> bool:
    whole = (tensor == tensor.round()).all() if tensor.is_floating_point() else True
    return bool(whole and (tensor.double().abs() < LARGEST).all())
