"""What the residues of a program's functions rest on, in words: theorems, and what is assumed."""

from __future__ import annotations

from collections.abc import Collection

from clexact.programs.operations import Node
from clexact.programs.program import ANALYTIC, Program

EXPONENTIALS = ("exp", "sigmoid", "tanh", "softmax", "normal_cdf", "softplus")
CONSTANT = ("exp", "sigmoid", "tanh")  # where exponentials are 1
NORMAL, ROOT = "normal_cdf", "rsqrt"


def foundations(program: Program) -> list[str]:
    """The theorems by which functions have residues, and what is assumed where one stands above an error function."""
    names = set(program.functions)
    said = []
    if names & set(EXPONENTIALS):
        said.append(
            "exponentials and logarithms of different functions are independent (Ax 1971, Lindemann-Weierstrass)"
        )
    if NORMAL in names:
        said.append("so are values of the normal distribution function (Kolchin-Ostrowski, Liouville)")
    if ROOT in names:
        said.append("signs of roots are free (Kummer; shown by Legendre symbols)")
    if below_exponentials(program, (NORMAL,)):
        said.append("assumed: so are functions above the normal distribution function, as in Risch's structure theorem")
    return ["; ".join(said)] if said else []


def kind(node: Node) -> str:
    """The name of a function that a node applies."""
    return "softmax" if node.op == "softmax" else str(node.data)


def nested(program: Program) -> bool:
    """Whether an exponential stands above a function that is constant where exponentials are 1."""
    return bool(below_exponentials(program, CONSTANT))


def below_exponentials(program: Program, names: Collection[str]) -> list[str]:
    """Those of these functions whose values a function that is not algebraic has in its argument."""
    below: list[set[str]] = []
    found = set[str]()
    for node in program.nodes:
        some = set[str]().union(*(below[i] for i in node.inputs))
        own = {kind(node)} if node.op in ANALYTIC else set[str]()
        if own & set(EXPONENTIALS):
            found |= some
        below.append(some | own & set(names))
    return sorted(found)
