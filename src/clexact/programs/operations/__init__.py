"""The operations of programs, by name: a new one is a class here, and a line."""

from __future__ import annotations

from clexact.programs.operations.analytic import Function, Softmax
from clexact.programs.operations.arithmetic import Add, Matmul, Multiply
from clexact.programs.operations.operation import Constant, Leaf, Node, Operation
from clexact.programs.operations.rearrangement import Concatenate, Reshape, Select, Sum, Take, Transpose

__all__ = ["OPERATIONS", "Node", "Operation"]

OPERATIONS: dict[str, Operation] = {
    "parameter": Leaf(),
    "probe": Leaf(),
    "constant": Constant(),
    "add": Add(),
    "multiply": Multiply(),
    "matmul": Matmul(),
    "transpose": Transpose(),
    "reshape": Reshape(),
    "take": Take(),
    "select": Select(),
    "concatenate": Concatenate(),
    "sum": Sum(),
    "function": Function(),
    "softmax": Softmax(),
}
