r"""That every choice of signs of a program's square roots is a homomorphism, so that residues of roots prove ranks.

Adjoin the roots of a program's functions $u_1, u_2, \ldots$ one node after another. If no product of some of a
node's radicands is a square in the field made before, the signs of its roots are free (Kummer). A homomorphism to
$\mathbb{F}_p$ takes squares to squares. So it is shown by Legendre symbols: as vectors over $\mathbb{F}_2$, one entry
for each radicand, those of several inputs have full rank. Members share the parameters, and a factor that depends on
these alone must not count: what has full rank is the *differences* of the vectors, of inputs at one point; for
radicands that no input moves, of points. Radicands that are rational must have different squarefree parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words, odd_prime_factors, row_reduce
from clexact.programs.characters import draw_prime, power
from clexact.programs.operations import Node
from clexact.programs.program import Program
from clexact.programs.theorems import has_angles
from clexact.support.errors import RANK_BITS, UndefinedError

SPARE = 24  # inputs more than radicands: rank is missed by chance with odds 2^-24

# (nodes, rows, whether at one point, draws, prime): residues modulo m of these nodes at random arguments
Evaluate = Callable[[Sequence[int], int, bool, Draws, int], list[Words]]


def check_roots(program: Program, values: Evaluate, name: str, denominator: int) -> None:
    """UndefinedError, saying which, unless the signs of all roots are shown to be free."""
    draws = Draws(0, program.digest)
    prime = draw_prime(draws, RANK_BITS, denominator, has_angles(program))
    constant, rational = program.independent_of("probe", "parameter"), list[Fraction]()
    for n, node in enumerate(program.nodes):
        if node.op != "function" or node.data != "rsqrt":
            continue
        if constant[n]:
            rational += _constants(program, node.inputs[0], name)
            continue

        def radicands(one_point: bool, node: Node = node) -> Words:
            [found] = values(node.inputs, prod(node.shape) + SPARE, one_point, draws, prime)
            return found.reshape(len(found), -1) % np.uint64(prime)

        at_one_point = radicands(True)
        moved = (at_one_point != at_one_point[:1]).any(axis=0)
        free = not moved.any() or _independent(at_one_point[:, moved], prime)
        if not free or not (moved.all() or _independent(radicands(False)[:, ~moved], prime)):
            raise UndefinedError(
                f"a root of {name} is not shown to have a free sign: its argument, of shape {node.shape}, may be a "
                "square"
            )
    if not _different(rational):
        raise UndefinedError(f"the roots of constants in {name} are not shown to have free signs")


def _independent(u: Words, prime: int) -> bool:
    """Whether Legendre symbols show that no product of these columns, but of equal ones, is a square up to a factor."""
    return free_signs(np.unique(u[(u != 0).all(axis=1)], axis=1), prime)


def free_signs(u: Words, prime: int) -> bool:
    """The same of columns without zeros, of which no two may be equal."""
    odd = (power(u, (prime - 1) // 2, prime) != 1).astype(np.uint64)
    return bool(_rank(odd[1:] ^ odd[:1]) == u.shape[1])


def _rank(odd: Words) -> int:
    """Over F_2."""
    return int(row_reduce(odd, 2).any(axis=1).sum())


def _constants(program: Program, n: int, name: str) -> list[Fraction]:
    """The rational entries of a node that depends on no parameter and no probe."""
    node = program.nodes[n]
    if node.op != "constant":
        raise UndefinedError(f"{name} takes a root of an expression in constants: write its value")
    return [Fraction(c) for c in set(node.data.ravel().tolist())]


def _different(numbers: list[Fraction]) -> bool:
    """Whether no product of some of these, distinct, is a square."""
    kernels = [odd_prime_factors(c.numerator * c.denominator) for c in set(numbers)]
    primes = sorted(set().union(*kernels))
    odd = np.array([[p in kernel for p in primes] for kernel in kernels], dtype=np.uint64)
    return not kernels or bool(primes and _rank(odd) == len(kernels))
