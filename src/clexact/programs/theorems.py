"""What the residues of a program's functions rest on, in words: theorems, and what is assumed."""

from __future__ import annotations

from collections.abc import Collection

from clexact.programs.characters import ANGLES
from clexact.programs.operations import Node
from clexact.programs.program import ANALYTIC, Program

EXPONENTIALS = ("exp", "sigmoid", "tanh", "softmax", "normal_cdf", "softplus")  # these or their slopes hold such
LOGARITHMS = ("log", "softplus")
TRANSCENDENTAL = (*EXPONENTIALS, "log", *ANGLES)
CONSTANT = ("exp", "sigmoid", "tanh")  # where exponentials are 1
NORMAL, ROOT = "normal_cdf", "rsqrt"


def foundations(program: Program) -> list[str]:
    """The theorems by which functions have residues, and what is assumed where one stands above an error function."""
    names = set(program.functions)
    said = []
    if names & set(TRANSCENDENTAL):
        kinds = "exponentials, sines and logarithms" if names & set(ANGLES) else "exponentials and logarithms"
        said.append(f"{kinds} of different functions are independent (Ax 1971, Lindemann-Weierstrass)")
    if "log" in names:
        said.append("arguments of logarithms are so as factors (shown by Legendre symbols)")
    if NORMAL in names:
        said.append("so are values of the normal distribution function (Kolchin-Ostrowski, Liouville)")
    if ROOT in names:
        said.append("signs of roots are free (Kummer; shown by Legendre symbols)")
    if below(program, (NORMAL,), TRANSCENDENTAL):
        said.append("assumed: so are functions above the normal distribution function, as in Risch's structure theorem")
    return ["; ".join(said)] if said else []


def kind(node: Node) -> str:
    """The name of a function that a node applies."""
    return "softmax" if node.op == "softmax" else str(node.data)


def nested(program: Program) -> bool:
    """Whether an exponential stands above a function that is constant where exponentials are 1."""
    return bool(below(program, CONSTANT, EXPONENTIALS))


def has_angles(program: Program) -> bool:
    """Whether there are sines and cosines, for which residues take more fields."""
    return bool(set(ANGLES) & set(program.functions))


def below(program: Program, names: Collection[str], above: Collection[str]) -> list[str]:
    """Those of these functions whose values one of the others has in its argument."""
    values: list[set[str]] = []
    found = set[str]()
    for node in program.nodes:
        some = set[str]().union(*(values[i] for i in node.inputs))
        own = {kind(node)} if node.op in ANALYTIC else set[str]()
        if own & set(above):
            found |= some
        values.append(some | own & set(names))
    return sorted(found)
