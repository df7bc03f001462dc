r"""Whether the gates met near a start span all that free gates span.

The output of a piecewise polynomial network is a polynomial in its gates, $\sum_m m(\gamma)\, g_m(\theta, x)$ over
monomials m. If the vectors $(m(\gamma))_m$ of the gates met span the whole space, each $g_m$ is a combination of the
network's own pieces, with constant coefficients: then the fields with free gates span those of the network and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clexact.algebra.echelon import rank
from clexact.algebra.linalg import Words, multiply
from clexact.algebra.terms import Terms
from clexact.programs.expand import PolynomialArray, Polynomials
from clexact.programs.gates import gate_degrees
from clexact.programs.places import Shape
from clexact.programs.program import LEAVES, Program

MOST_MONOMIALS = 3000
EXPANDED = 10**5  # of which a part may occur


class _Supports(Polynomials):
    """As ``Polynomials``, with 1 for each constant that is not 0: nothing cancels, so no monomial is missed."""

    def constant(self, value: NDArray[Any]) -> PolynomialArray:
        return super().constant(np.where(value != 0, 1, 0))


def gate_monomials(program: Program, probes: Mapping[str, Shape]) -> Terms | None:
    """The monomials in the gates that the output may hold, their entries numbered one gate after another.

    None where functions are applied to them, or where there are too many.
    """
    shapes = [probes[gate.probe] for gate in program.gates]
    if program.functions or _at_most(program, shapes) > EXPANDED:
        return None
    first = np.cumsum([0, *map(prod, shapes)]).tolist()
    place = {gate.probe: at for gate, at in zip(program.gates, first, strict=False)}
    algebra = _Supports()
    leaves = {
        node.data: PolynomialArray(node.shape, Terms.variables(place[node.data], prod(node.shape)))
        if node.data in place
        else algebra.constant(np.ones(node.shape, dtype=np.int64))
        for node in program.nodes
        if node.op in LEAVES
    }
    found = program.run(algebra, leaves)[program.output].terms
    _, which = np.unique(found.hashes(), return_index=True)
    return found.take(which) if len(which) <= MOST_MONOMIALS else None


def _at_most(program: Program, shapes: Sequence[Shape]) -> int:
    """How many monomials of their degrees in each gate there are."""
    degrees = gate_degrees(program)[program.output].tolist()
    return prod(comb(prod(shape) + d, d) for shape, d in zip(shapes, degrees, strict=True))


def span_all(monomials: Terms, gates: Words, prime: int) -> bool:
    """Whether the monomials at these gates (patterns, entries), modulo p, span all: then they do over Q."""
    values = np.ones((len(gates), len(monomials)), dtype=np.uint64)
    row = np.repeat(np.arange(len(monomials)), np.diff(monomials.start))
    for place, (var, power) in enumerate(zip(monomials.var.tolist(), monomials.power.tolist(), strict=True)):
        for _ in range(power):
            values[:, row[place]] = multiply(values[:, row[place]], gates[:, var], prime)
    return rank(values, prime) == len(monomials)
