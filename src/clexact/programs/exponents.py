r"""That no exponent holds a logarithm: $e^{\mathrm{softplus}(u)} = 1 + e^u$, which residues do not respect.

By Ax's theorem exponentials and logarithms, log u or softplus(u), are independent unless a rational combination of
exponents, of several members at one point, is one of logarithms and a constant. A derivation moves each logarithm by a
number of its own, and no parameter and no probe. Such a combination then moves by one number at all points and members;
not by 0, once for all logarithms or for those alone that depend on a probe. So neither may there be a combination of
the motions of exponents of one member that is constant, modulo a prime. Where members are of several kinds, a gate open
in one and closed in another, then of members of all kinds at one point. Exponents of sines, of $e^{iu}$, are imaginary.

It is a derivation only where logarithms that are one function move alike, wherever they stand: log u by a number for
each u, log 1 by 0, and softplus(u) as softplus(-u), which differs from it by u. What is equal in all rows is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import rank
from clexact.algebra.linalg import Words, subtract
from clexact.programs.characters import Characters
from clexact.programs.jets import Jet
from clexact.programs.program import ANALYTIC, LEAVES, Program
from clexact.programs.theorems import EXPONENTIALS, LOGARITHMS, below, kind
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

SPARE = 24  # members more than exponents
MOST = 4000  # exponents
CHOICES = 2  # of the numbers by which values move: a combination of them is 0 by chance with odds p^-2
SAID = {"softplus": "a softplus, which is 1 + exp of its argument", "log": "a logarithm, which is its argument"}

Members = Callable[[int], Sequence[Mapping[str, Jet]]]  # so many of each kind, each at a point of its own


def check_exponents(
    program: Program, members: Members, kinds: int, characters: Characters, draws: Draws, name: str
) -> None:
    """UndefinedError unless no rational combination of exponents is shown to be one of logarithms."""
    found = logarithms_in_exponents(program)
    if not found:
        return
    count = kinds * sum(prod(n.shape) for n in program.nodes if n.op in ANALYTIC and kind(n) in EXPONENTIALS)
    if count > MOST:
        raise UndefinedError(f"{count} exponents of {name}, above values of {found[0]}, are too many to be compared")
    leaves = members(count + SPARE)
    for _ in range(CHOICES):
        for everywhere in (True, False):
            ring = _Motions(characters, draws, count + SPARE)
            for each in leaves:
                _move(program, each, ring, everywhere)
            if ring.motions and _constant_combination(ring.motions, count + SPARE, characters.prime):
                said = " or of ".join(SAID[word] for word in found)
                raise UndefinedError(f"an exponential of {name} may be that of {said}")


def logarithms_in_exponents(program: Program) -> list[str]:
    """Those that exponentials have in their arguments."""
    return below(program, LOGARITHMS, EXPONENTIALS)


class _Motions(TrueJets):
    """Jets with one infinitesimal, by which logarithms move, if ``moving``, over so many rows; and exponents' motions.

    The number by which a logarithm moves is known by what it is of, for members of all kinds.
    """

    def __init__(self, characters: Characters, draws: Draws, rows: int) -> None:
        super().__init__(characters)
        self._draws, self._rows, self._numbers = draws, rows, dict[bytes, Words]()
        self.moving, self.motions = True, list[Words]()

    def function(self, a: Jet, name: str) -> Jet:
        if 1 in a and name in EXPONENTIALS:
            self.motions.append((self.multiply(a, a) if name == "normal_cdf" else a)[1])
        if name not in LOGARITHMS:
            return super().function(a, name)
        value = super().function({0: a[0]}, name)
        return value | {1: self._motions_of(a[0], name)} if self.moving else value

    def _motions_of(self, u: Words, name: str) -> Words:
        """(1, *shape): the numbers of logarithms of u, or of softplus of |u|."""
        of = np.minimum(u, subtract(np.zeros_like(u), u, self.prime)) if name == "softplus" else u
        columns = np.broadcast_to(of, (self._rows, *of.shape[1:])).reshape(self._rows, -1).T
        numbers = [self._number(np.ascontiguousarray(column), name) for column in columns]
        return np.concatenate([np.zeros(0, dtype=np.uint64), *numbers]).reshape(1, *u.shape[1:])

    def _number(self, column: Words, name: str) -> Words:
        if name == "log" and (column == 1).all():
            return np.zeros(1, dtype=np.uint64)
        key = name.encode() + column.tobytes()
        if key not in self._numbers:
            self._numbers[key] = self._draws.residues((1,), self.characters.prime)
        return self._numbers[key]


def _move(program: Program, leaves: Mapping[str, Jet], ring: _Motions, everywhere: bool) -> None:
    """Note the motions of exponents by all logarithms, or by those that depend on a probe."""
    fixed, values = program.independent_of("probe"), list[Jet]()
    for n, node in enumerate(program.nodes):
        ring.moving = everywhere or not fixed[n]
        values.append(leaves[node.data] if node.op in LEAVES else program.value(ring, node, values))


def _constant_combination(motions: list[Words], rows: int, prime: int) -> bool:
    """Whether a combination of columns, one for each exponent, is the same number, not 0, in all rows."""
    flat = [np.broadcast_to(part % np.uint64(prime), (rows, *part.shape[1:])).reshape(rows, -1) for part in motions]
    columns = np.unique(np.concatenate(flat, axis=1), axis=1)
    ones = np.ones((rows, 1), dtype=np.uint64)
    return rank(np.hstack([columns, ones]), prime) == rank(columns, prime)
