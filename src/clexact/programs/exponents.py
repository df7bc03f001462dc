r"""That no exponent holds a logarithm: $e^{\mathrm{softplus}(u)} = 1 + e^u$, which residues do not respect.

By Ax's theorem exponentials and values of softplus are independent unless a rational combination of exponents, of
several members at one point, is one of values of softplus and a constant. A derivation moves each value of softplus by
a number of its own, and no parameter and no probe. Such a combination then moves by one number at all points and
members; not by 0, once for all values of softplus or for those alone that depend on a probe. So neither may there be a
combination of the motions of exponents of one member that is constant, modulo a prime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import rank
from clexact.algebra.linalg import Words
from clexact.programs.characters import Characters
from clexact.programs.jets import Jet
from clexact.programs.program import ANALYTIC, LEAVES, Program
from clexact.programs.theorems import EXPONENTIALS, below_exponentials, kind
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

SPARE = 24  # members more than exponents
MOST = 4000  # exponents
CHOICES = 2  # of the numbers by which values move: a combination of them is 0 by chance with odds p^-2

Members = Callable[[int], Mapping[str, Jet]]  # so many, each at a point of its own


def check_exponents(program: Program, members: Members, characters: Characters, draws: Draws, name: str) -> None:
    """UndefinedError unless no rational combination of exponents is shown to be one of values of softplus."""
    if "softplus" not in below_exponentials(program, ("softplus",)):
        return
    count = sum(prod(n.shape) for n in program.nodes if n.op in ANALYTIC and kind(n) in EXPONENTIALS)
    if count > MOST:
        raise UndefinedError(f"{count} exponents of {name}, above values of softplus, are too many to be compared")
    leaves = members(count + SPARE)
    for _ in range(CHOICES):
        for everywhere in (True, False):
            motions = _motions(program, leaves, _Motions(characters, draws), everywhere)
            if motions and _constant_combination(motions, count + SPARE, characters.prime):
                raise UndefinedError(
                    f"an exponential of {name} may be that of a softplus, which is 1 + exp of its argument"
                )


class _Motions(TrueJets):
    """Jets with one infinitesimal, by which values of softplus move, if ``moving``; and all exponents' motions."""

    def __init__(self, characters: Characters, draws: Draws) -> None:
        super().__init__(characters)
        self._draws = draws
        self.moving, self.motions = True, list[Words]()

    def function(self, a: Jet, name: str) -> Jet:
        if 1 in a and name in EXPONENTIALS:
            self.motions.append((self.multiply(a, a) if name == "normal_cdf" else a)[1])
        if name != "softplus":
            return super().function(a, name)
        value = super().function({0: a[0]}, name)
        numbers = self._draws.residues((1, *self.shape(a)), self.characters.prime)
        return value | {1: numbers} if self.moving else value


def _motions(program: Program, leaves: Mapping[str, Jet], ring: _Motions, everywhere: bool) -> list[Words]:
    """The motions of exponents; of all values of softplus, or of those that depend on a probe."""
    fixed, values = program.independent_of("probe"), list[Jet]()
    for n, node in enumerate(program.nodes):
        ring.moving = everywhere or not fixed[n]
        values.append(leaves[node.data] if node.op in LEAVES else program.value(ring, node, values))
    return ring.motions


def _constant_combination(motions: list[Words], rows: int, prime: int) -> bool:
    """Whether a combination of columns, one for each exponent, is the same number, not 0, in all rows."""
    flat = [np.broadcast_to(part % np.uint64(prime), (rows, *part.shape[1:])).reshape(rows, -1) for part in motions]
    columns = np.unique(np.concatenate(flat, axis=1), axis=1)
    ones = np.ones((rows, 1), dtype=np.uint64)
    return rank(np.hstack([columns, ones]), prime) == rank(columns, prime)
