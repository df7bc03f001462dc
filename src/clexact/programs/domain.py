"""Whether the functions of a program are defined anywhere on the reals: else there is nothing to count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.programs import numeric
from clexact.programs.balls import Balls
from clexact.programs.operations import Node
from clexact.programs.places import Shape
from clexact.programs.program import ANALYTIC, Program

PARTIAL = {  # functions, and where they are undefined
    "reciprocal": "a denominator in {} is 0",
    "rsqrt": "the argument of a root in {} is not positive",
    "log": "the argument of a logarithm in {} is not positive",
}
TINY = 1e-9
POINTS = 64  # tried, at several scales, every second one positive
MOST = 10**6  # entries of all nodes, beyond which nothing is tried
MOST_ENTRY = 2**62  # of exact points, at which what is zero is zero everywhere but for odds of about 2^-60


def nowhere(
    program: Program, shapes: Mapping[str, Shape], name: str, given: Mapping[str, numeric.Values] | None = None
) -> str:
    """What is assumed if no parameters and inputs were found at which all functions are defined; mostly nothing.

    ``shapes`` are those of parameters and inputs; of the inputs that are ``given`` rows are taken in turn.
    ValueError where a constant argument, or a difference that is always zero, shows that there are none.
    """
    partial = [n for n, node in enumerate(program.nodes) if node.op == "function" and node.data in PARTIAL]
    if not partial or sum(prod(node.shape) for node in program.nodes) > MOST:
        return ""
    always: dict[int, np.ndarray] = {}
    for leaves in _points(program, shapes, given or {}):
        with np.errstate(all="ignore"):
            found = numeric.values(numeric.converted(program, float), leaves, numeric.Samples())
        arguments = {n: found[program.nodes[n].inputs[0]] for n in partial}
        if not always:  # what floats leave of a difference that is zero
            _check_exactly(program, shapes, name, [n for n, z in arguments.items() if (np.abs(z) < TINY).any()])
        bad = {n: _undefined(program.nodes[n], z) for n, z in arguments.items()}
        if not any(mask.any() for mask in bad.values()):
            return ""
        always = {n: always.get(n, True) & mask for n, mask in bad.items()}
    first = next((n for n, mask in always.items() if mask.any()), None)
    if first is None:
        return f"it is defined at some parameters and inputs (at none of {POINTS} random ones)"
    _check_exactly(program, shapes, name, [n for n, mask in always.items() if mask.any()])
    return f"it is defined somewhere, though {_words(program, first, name)} at {POINTS} random points"


def _words(program: Program, n: int, name: str) -> str:
    return PARTIAL[program.nodes[n].data].format(name)


def _check_exactly(program: Program, shapes: Mapping[str, Shape], name: str, suspects: Sequence[int]) -> None:
    """ValueError if one of these nodes is undefined everywhere."""
    for n in suspects:
        if _never(program, shapes, n):
            what = _words(program, n, name)
            raise ValueError(f"{what} at all parameters and inputs: it is defined nowhere.")


def _points(
    program: Program, shapes: Mapping[str, Shape], given: Mapping[str, numeric.Values]
) -> Iterator[dict[str, numeric.Values]]:
    """Random parameters and inputs."""
    draws = Draws(8, program.digest)
    for k in range(POINTS):
        scale = 2.0 ** (k // 2 % 9 - 4 if k > 1 else 0)
        found = {}
        for name, shape in shapes.items():
            drawn = draws.residues((1, *shape), 2**53).astype(float) / 2**53
            found[name] = scale * (drawn if k % 2 else 2 * drawn - 1)
        yield found | {name: rows[k % len(rows)][None].astype(float) for name, rows in given.items()}


def _undefined(node: Node, argument: numeric.Values) -> np.ndarray:
    fine = argument != 0 if node.data == "reciprocal" else argument > 0
    return ~(fine & np.isfinite(argument))


def _never(program: Program, shapes: Mapping[str, Shape], n: int) -> bool:
    """Whether the argument of a node is proved to be out of its domain everywhere, in some entry.

    It is constant, by intervals; or no function enters it, and it is zero at an exact random point.
    """
    [argument] = program.nodes[n].inputs
    entering = _entering(program, argument)
    if program.independent_of("parameter", "probe")[argument]:
        constant = program.run_some(Balls(), {}, entering)[argument]
        negative = program.nodes[n].data != "reciprocal"
        return any(bool(ball == 0) or (negative and bool(ball < 0)) for ball in constant.ravel())
    if program.gates or any(program.nodes[i].op in ANALYTIC for i in entering):
        return False
    draws = Draws(9, program.digest)
    leaves = {
        name: np.array(draws.integers(-MOST_ENTRY, MOST_ENTRY, prod(shape)), dtype=object).reshape(1, *shape)
        for name, shape in shapes.items()
    }
    exact = program.run_some(numeric.Samples(), leaves, entering)[argument]
    return bool((exact == 0).any())


def _entering(program: Program, n: int) -> list[int]:
    """The nodes that a node is made of, and itself, in order."""
    found = {n}
    for i in range(n, -1, -1):
        if i in found:
            found |= {*program.nodes[i].inputs}
    return sorted(found)
