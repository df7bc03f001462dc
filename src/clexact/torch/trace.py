"""A module as a list of operations: ``torch.export`` on the example, without loops, branches or writes in place."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.fx import Node

NO_GRADIENT = {"detach", "bernoulli", "sign", "floor", "ceil", "round", "trunc"} | {
    f"{name}_like" for name in ("rand", "randn", "zeros", "ones", "full", "empty", "randint")
}  # and all whose result is no floating-point tensor
UNREAD = "it could not be read by torch.export"


class UnreadableError(Exception):
    """A module that cannot be turned into a list of operations; the message is the reason, a clause."""


@dataclass(frozen=True)
class Trace:
    """The operations that the output's gradient depends on, in order."""

    nodes: tuple[Node, ...]
    parameters: Mapping[str, str]  # {name of a leaf node: name of a parameter that is trained}
    outputs: tuple[Node, ...]
    inputs: frozenset[str]  # names of the leaf nodes that hold the input
    dead: tuple[str, ...]  # parameters that are trained and get no gradient


def arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The example input as arguments of the module: a tensor, a tuple or list of arguments, or a dict of keywords."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return tuple(example) if isinstance(example, (tuple, list)) else (example,), {}


def operation(node: Node) -> str:
    """The name of a node's operation, without its overload."""
    return str(getattr(node.target, "overloadpacket", node.target).__name__).removesuffix("_copy")


def constant(node: Node) -> bool:
    """Whether no gradient passes through a node: then its value is a constant of the gradient, as a gate is."""
    value = node.meta.get("val")
    discrete = isinstance(value, torch.Tensor) and not (value.is_floating_point() or value.is_complex())
    return discrete or (node.op == "call_function" and operation(node) in NO_GRADIENT)


def owner(node: Node) -> str:
    """The submodule whose code made a node."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def trace(module: nn.Module, example: Any) -> Trace:
    """Read a module as it is now (training or evaluation mode). UnreadableError if that cannot be done faithfully."""
    positional, keywords = arguments(example)
    with _silently():
        try:
            program = torch.export.export(module, positional, keywords, strict=False)
        except Exception as error:
            raise UnreadableError(_said(error)) from error
        _check_regions(program)
        program = program.run_decompositions({})
    signature = program.graph_signature
    first = {id(p): name for name, p in module.named_parameters()}
    named = dict(module.named_parameters(remove_duplicate=False))
    trained = {
        leaf: first[id(named[name])] for leaf, name in signature.inputs_to_parameters.items() if _trains(named[name])
    }
    by_name = {node.name: node for node in program.graph.nodes}
    outputs = tuple(by_name[name] for name in signature.user_outputs if name in by_name)
    nodes = tuple(_live(tuple(program.graph.nodes), outputs))
    present = {node.name for node in nodes}
    used = {trained[leaf] for leaf in trained if leaf in present}
    everything = [name for name, p in module.named_parameters() if _trains(p)]
    given = frozenset(name for name in signature.user_inputs if isinstance(name, str))
    return Trace(nodes, trained, outputs, given, tuple(name for name in everything if name not in used))


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


def _check_regions(program: Any) -> None:
    """Refuse parts run under another gradient mode, or by an operator that holds a graph, if parameters enter them."""
    signature = program.graph_signature
    depends = set(signature.inputs_to_parameters)
    for node in program.graph.nodes:
        if not any(parent.name in depends for parent in node.all_input_nodes):
            continue
        depends.add(node.name)
        if node.op == "call_function" and isinstance(node.target, torch._ops.HigherOrderOperator):
            raise UnreadableError(
                f"parameters enter a part of it that runs as {node.target}: no_grad, a branch, a loop"
            )


def _said(error: Exception) -> str:
    """Why the export failed, in a clause."""
    if type(error).__name__.startswith("GuardOnDataDependent"):
        return "its control flow, or a number that it takes out of a tensor, depends on values"
    return f"{UNREAD}: {type(error).__name__}: {str(error).strip().splitlines()[0][:160].rstrip('.')}"


@contextmanager
def _silently() -> Iterator[None]:
    """Without the warnings and the log of torch.export, whose failures are reported in one clause instead."""
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict) if name.startswith("torch")]
    states = [(logger, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, state in states:
            logger.disabled = state
