"""A module as a list of operations: ``torch.export`` on the example, without loops, branches or writes in place."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch.fx import Node
from torch.utils._pytree import tree_leaves

from clexact.torch.calls import ONE_AT_A_TIME
from clexact.torch.failures import UnreadableError, told

NO_GRADIENT = {"detach", "bernoulli", "sign", "floor", "ceil", "round", "trunc"} | {
    f"{name}_like" for name in ("rand", "randn", "zeros", "ones", "full", "empty", "randint")
}  # and all whose result is no floating-point tensor
COMPOSED = ("einsum", "bilinear", "repeat_interleave")  # read as the operations that they are made of
VIEWS = {"detach", "view", "reshape", "select", "slice", "transpose", "permute", "t", "unsqueeze", "squeeze", "expand",
         "alias", "narrow", "as_strided", "getitem", "split", "chunk", "unbind", "flatten"}  # fmt: skip
UNREAD = "it could not be read by torch.export"
LOGGERS = ("torch.export._trace", "torch.fx.experimental.symbolic_shapes", "torch.fx.experimental.sym_node",
           "torch._subclasses.fake_tensor")  # of torch.export, on its way to a failure # fmt: skip


@dataclass(frozen=True)
class Trace:
    """The operations that the output's gradient depends on, in order."""

    nodes: tuple[Node, ...]
    parameters: Mapping[str, str]  # {name of a leaf node: name of a parameter that is trained}
    outputs: tuple[Node, ...]
    inputs: frozenset[str]  # names of the leaf nodes that hold the input
    dead: tuple[str, ...]  # parameters that are trained and get no gradient
    given: Mapping[str, torch.Tensor]  # {name of a leaf node: tensor}: parameters, buffers, constants, the input
    cuts: Mapping[str, str] = field(default_factory=dict)  # {submodule that is cut out: the reason, a clause}
    held: Mapping[str, str] = field(default_factory=dict)  # {parameter with a gradient of its own: the reason}
    notes: tuple[str, ...] = ()  # what is assumed


def operation(node: Node) -> str:
    """The name of a node's operation, without its overload."""
    target = getattr(node.target, "overloadpacket", node.target)
    name = str(getattr(target, "__name__", target))
    return name if name == "index_copy" else name.removesuffix("_copy")


def constant(node: Node) -> bool:
    """Whether no gradient passes through a node: then its value is a constant of the gradient, as a gate is."""
    value = node.meta.get("val")
    discrete = isinstance(value, torch.Tensor) and not (value.is_floating_point() or value.is_complex())
    return discrete or (node.op == "call_function" and operation(node) in NO_GRADIENT)


def owner(node: Node) -> str:
    """The submodule whose code made a node."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def read(module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any], *, inner: bool = False) -> Trace:
    """Read a module as it is now (training or evaluation mode). UnreadableError if that cannot be done faithfully.

    An ``inner`` one is part of another: what enters it depends on parameters.
    """
    with _silently():
        try:
            program = torch.export.export(module, positional, keywords, strict=False)
        except Exception as error:
            raise UnreadableError(_said(error)) from error
        _check_regions(program, inner)
        if any(map(_to_decompose, program.graph.nodes)):
            program = program.run_decompositions(_decompositions())
    signature = program.graph_signature
    if signature.parameters_to_mutate:
        raise UnreadableError(f"it writes into its parameter {next(iter(signature.parameters_to_mutate.values()))}")
    first = {id(p): name for name, p in module.named_parameters()}
    named = dict(module.named_parameters(remove_duplicate=False))
    trained = {
        leaf: first[id(named[name])] for leaf, name in signature.inputs_to_parameters.items() if _trains(named[name])
    }
    by_name = {node.name: node for node in program.graph.nodes}
    outputs = tuple(by_name[name] for name in signature.user_outputs if name in by_name)
    nodes = tuple(_live(tuple(program.graph.nodes), outputs))
    _check_shapes(nodes)
    present = {node.name for node in nodes}
    used = {trained[leaf] for leaf in trained if leaf in present}
    everything = [name for name, p in module.named_parameters() if _trains(p)]
    given = frozenset(name for name in signature.user_inputs if isinstance(name, str))
    dead = tuple(name for name in everything if name not in used)
    return Trace(nodes, trained, outputs, given, dead, _leaves(program, named))


def _leaves(program: Any, parameters: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that the leaves of a graph are, those of the example input among them."""
    signature, stored = program.graph_signature, program.state_dict | program.constants
    leaves = {leaf: parameters[name] for leaf, name in signature.inputs_to_parameters.items()}
    others = {**signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    leaves |= {leaf: stored[name] for leaf, name in others.items()}
    if any(leaf.grad_fn is not None for leaf in leaves.values() if isinstance(leaf, torch.Tensor)):
        raise UnreadableError("it reads a tensor that an earlier run computed")
    example = zip(signature.user_inputs, tree_leaves(program.example_inputs), strict=True)
    return leaves | {leaf: value for leaf, value in example if isinstance(value, torch.Tensor)}


def _to_decompose(node: Node) -> bool:
    """Whether an operation writes in place or is read as the operations that it is made of."""
    return node.op == "call_function" and (_writes(node) or operation(node) in (*COMPOSED, "batch_norm"))


@lru_cache
def _decompositions() -> dict[Any, Any]:
    every = torch.export.default_decompositions().items()
    return {op: how for op, how in every if op._schema.name.removeprefix("aten::") in COMPOSED}


def _trains(parameter: nn.Parameter) -> bool:
    return bool(parameter.requires_grad)


def _live(nodes: tuple[Node, ...], outputs: tuple[Node, ...]) -> list[Node]:
    """The nodes through which the outputs' gradient passes, and constants read there, in order."""
    wanted, stack = set[Node](), list(outputs)
    while stack:
        node = stack.pop()
        if node not in wanted:
            wanted.add(node)
            if not constant(node):
                stack += node.all_input_nodes
    return [node for node in nodes if node in wanted]


def _check_shapes(nodes: tuple[Node, ...]) -> None:
    """Refuse shapes that depend on values, such as that of ``h[h > 0]``."""
    for node in nodes:
        sizes = [size for value in tree_leaves(node.meta.get("val")) for size in getattr(value, "shape", ())]
        if not all(isinstance(size, int) for size in sizes):
            raise UnreadableError(f"the shape of what {operation(node)} gives depends on values")


def _check_regions(program: Any, inner: bool) -> None:
    """Refuse parts run under another gradient mode, or by an operator that holds a graph, if parameters enter them."""
    signature = program.graph_signature
    depends = {*signature.inputs_to_parameters, *(signature.user_inputs if inner else ())}
    for node in program.graph.nodes:
        if node.op == "call_function" and _writes(node) and _detached(node.args[0]):
            raise UnreadableError(f"it writes in place ({operation(node)}) into a detached view")
        if not any(parent.name in depends for parent in node.all_input_nodes):
            continue
        depends.add(node.name)
        if node.op == "call_function" and operation(node) == "detach_":
            raise UnreadableError("it detaches a tensor in place (detach_)")
        if node.op == "call_function" and isinstance(node.target, torch._ops.HigherOrderOperator):
            raise UnreadableError(
                f"parameters enter a part of it that runs as {node.target}: no_grad, a branch, a loop"
            )


def _writes(node: Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and bool(node.target._schema.is_mutable)


def _detached(node: Any) -> bool:
    """Whether a tensor is a view of a detached one: writing there changes values behind the gradient's back."""
    while isinstance(node, Node) and node.op == "call_function" and operation(node) in VIEWS:
        if operation(node) == "detach":
            return True
        node = node.args[0]
    return False


def _said(error: Exception) -> str:
    """Why the export failed, in a clause."""
    if type(error).__name__.startswith("GuardOnDataDependent"):
        return "its control flow, or a number that it takes out of a tensor, depends on values"
    if found := re.search(r"Found <class '([^']*)'> in output", str(error)):
        return f"its output holds a {found[1].rpartition('.')[2]}, which is no tensor, tuple, list or dict of them"
    if "fake tensor in the exported program" in str(error):
        return f"{UNREAD}, which loses sight of tensors that leave the graph (.data, autograd.grad, a list kept)"
    return f"{UNREAD}: {told(error, 160).rstrip('.')}"


@contextmanager
def _silently() -> Iterator[None]:
    """Without what torch.export says in this thread on its way to a failure, which is reported in one clause instead.

    Whatever else the module's code prints and logs comes through; it gave its warnings when it was run before.
    """
    thread = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    with ExitStack() as stack:
        stack.enter_context(ONE_AT_A_TIME)
        for logger in map(logging.getLogger, LOGGERS):
            logger.addFilter(others)
            stack.callback(logger.removeFilter, others)
        stack.enter_context(patch("torch.export._trace.print", _nothing, create=True))  # the graph read so far
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


def _nothing(*words: object, **options: object) -> None:
    """In place of a print."""
