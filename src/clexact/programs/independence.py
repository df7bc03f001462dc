r"""That every choice of signs of a program's square roots is a homomorphism, so that residues of roots prove ranks.

Adjoin the roots of a program's functions $u_1, u_2, \ldots$ one node after another. If no product of some of a
node's radicands is a square in the field made before, the signs of its roots are free (Kummer). A homomorphism to
$\mathbb{F}_p$ takes squares to squares. So it is shown by Legendre symbols: as vectors over $\mathbb{F}_2$, one entry
for each radicand, those of several inputs have full rank. Members share the parameters, and a factor that depends on
these alone must not count: what has full rank is the *differences* of the vectors, of inputs at one point; for
radicands that no input moves, of points. Radicands that are rational must have different squarefree parts.

Roots of constants come first, then those of functions of parameters, then the others; all that are adjoined before must
exist where symbols are taken: those of all earlier *nodes*, also where a radicand stands before them, and those of
parameters that stand after it.

Functions with other gates are other functions: with the gates (1, 0), the mean square of relu(z) is a square, and none
with (1, 1). So where gates move a radicand the signs are shown to be free at each choice of gates by itself
(``free_at``), of that root and of all after it: at each, one point is enough. There no radicand may depend on gates and
parameters alone, which are shared by all members, but as a constant of which the root is a square itself.

On given inputs all radicands are functions of the parameters. Their roots are adjoined node after node, at all inputs
together; no product of some of a node's is a square, up to a constant, if the symbols at random points show it. At x
and 2x they may be u and 4u: sqrt(4u) = 2 sqrt(u), which the root that is a square itself respects, as 2 is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from math import prod

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words, odd_prime_factors, row_reduce
from clexact.programs.characters import draw_prime, power, square_primes
from clexact.programs.operations import Node
from clexact.programs.places import Mask
from clexact.programs.program import Program
from clexact.programs.theorems import LOGARITHMS, NORMAL, has_angles
from clexact.support.errors import RANK_BITS, UndefinedError

POWERS = 3  # of small primes in ratios of radicands at several inputs
SPARE = 24  # inputs more than radicands: rank is missed by chance with odds 2^-24

# (nodes of functions, rows, whether at one point, draws, prime): residues modulo m of their arguments, where all nodes
# before the last of them are defined
Evaluate = Callable[[Sequence[int], int, bool, Draws, int], list[Words]]


def check_roots(program: Program, values: Evaluate, name: str, denominator: int) -> None:
    """UndefinedError, saying which, unless the signs of all roots are shown to be free.

    Of those that ``gated_roots`` lists at the gates of the arguments drawn; for which ``free_at`` has to show it.
    """
    draws = Draws(0, program.digest)
    prime = draw_prime(draws, RANK_BITS, denominator, has_angles(program), constants_with_roots(program))
    constant, gated = program.independent_of("probe", "parameter"), gated_roots(program)
    for n, node in enumerate(program.nodes):
        if not _is_root(node) or constant[n]:
            continue

        def radicands(one_point: bool, n: int = n, node: Node = node) -> Words:
            [found] = values([n], prod(node.shape) + SPARE, one_point, draws, prime)
            return found.reshape(len(found), -1) % np.uint64(prime)

        at_one_point = radicands(True)
        moved = (at_one_point != at_one_point[:1]).any(axis=0)
        free = n in gated or not moved.any() or _independent(at_one_point[:, moved], prime)
        if not free or not (moved.all() or _independent(radicands(False)[:, ~moved], prime)):
            raise UndefinedError(
                f"a root of {name} is not shown to have a free sign: its argument, of shape {node.shape}, may be a "
                "square"
            )
    if not _different(_kernels(_rational(program, name))):
        raise UndefinedError(f"the roots of constants in {name} are not shown to have free signs")


Together = Callable[[Sequence[int], int], list[Words]]  # (nodes, points): their arguments, (points, cases, *places)


def check_roots_together(program: Program, values: Together, name: str, angles: bool, prime: int) -> None:
    """UndefinedError unless the signs of the roots at several inputs, functions of the parameters, are free together.

    All members share the parameters, so no factor is left out: what may not be a square, up to a constant, is a product
    of radicands of a node at all inputs, in the field with the roots of all nodes before at all of them.
    """
    inert, constant = program.independent_of("parameter"), program.independent_of("probe", "parameter")
    squares = square_constants(program, name, angles)
    known = {c.numerator * pow(c.denominator, -1, prime) % prime for c in squares}
    smooth = _smooth_squares(square_primes(angles), prime)
    for n, node in enumerate(program.nodes):
        if not _is_root(node) or constant[n]:
            continue
        if inert[n]:
            raise UndefinedError(
                f"a root of {name} is one of the inputs alone: such numbers are not shown to be independent"
            )
        [found] = values([n], SPARE)
        [found] = values([n], prod(found.shape[1:]) + SPARE)
        u = found.reshape(len(found), -1) % np.uint64(prime)
        moved = (u != u[:1]).any(axis=0)
        if not set(u[0, ~moved].tolist()) <= known:
            raise UndefinedError(f"a root of {name} is, where gates are closed, one of a number that may be no square")
        u = _classes(u[:, moved][(u[:, moved] != 0).all(axis=1)], smooth, prime)
        if u.size and not free_signs(u, prime):
            raise UndefinedError(
                f"roots of {name} at several inputs are not shown to be independent: a product of their arguments, of "
                f"shape {node.shape}, may be a square"
            )
    if not _different(_kernels(_rational(program, name))):
        raise UndefinedError(f"the roots of constants in {name} are not shown to have free signs")


def _classes(u: Words, smooth: frozenset[int], prime: int) -> Words:
    """One column of those that are squares of smooth numbers times each other, whose roots residues respect.

    Others that are proportional stay: their product is a square up to a constant.
    """
    kept: dict[bytes, list[int]] = {}
    for j, column in enumerate(u.T.tolist()):
        inverse = pow(column[0], -1, prime)
        key = np.array([c * inverse % prime for c in column], dtype=np.uint64).tobytes()
        others = kept.setdefault(key, [])
        if not any(column[0] * pow(int(u[0, i]), -1, prime) % prime in smooth for i in others):
            others.append(j)
    return u[:, sorted(j for others in kept.values() for j in others)]


def _smooth_squares(primes: Sequence[int], prime: int) -> frozenset[int]:
    """Squares of products of small powers of these primes, modulo another."""
    found = {1}
    for q in primes:
        found = {c * pow(q, 2 * e, prime) % prime for c in found for e in range(-POWERS, POWERS + 1)}
    return frozenset(found)


def check_moved(program: Program, name: str) -> None:
    """UndefinedError where a logarithm or a normal distribution function is one of numbers, of the data alone."""
    inert = program.independent_of("parameter")
    for n, node in enumerate(program.nodes):
        if inert[n] and node.op == "function" and node.data in (*LOGARITHMS, NORMAL):
            raise UndefinedError(
                f"{node.data} of {name} is one of the inputs alone: no theorem says that such numbers are independent"
            )


def gated_roots(program: Program, held: Collection[str] = ()) -> list[int]:
    """The roots whose signs must be shown to be free at each choice of gates: the first that gates move, and later.

    Probes that are held take certain values too.
    """
    gates, moved = {*held, *(gate.probe for gate in program.gates)}, list[bool]()
    for node in program.nodes:
        moved.append((node.op == "probe" and node.data in gates) or any(moved[i] for i in node.inputs))
    constant = program.independent_of("probe", "parameter")
    roots = [n for n, node in enumerate(program.nodes) if _is_root(node) and not constant[n]]
    return [n for n in roots if any(moved[k] for k in roots if k <= n)]


def free_at(u: Words, given: Mask, kept: Mask, prime: int) -> Mask:
    """For each choice of gates, whether radicands (choices, rows, entries) of a node have roots of free signs.

    ``given``: (choices, rows), where all roots before are; ``kept``: (choices, entries), those that no input moves but
    are shown otherwise to have roots.
    """
    return np.array([_free_in(rows[there], known, prime) for rows, there, known in zip(u, given, kept, strict=True)])


def _free_in(u: Words, kept: Mask, prime: int) -> bool:
    if not len(u):
        return False
    moved = (u != u[:1]).any(axis=0)
    return bool((moved | kept).all() and (not moved.any() or _independent(u[:, moved], prime)))


def square_constants(program: Program, name: str, angles: bool) -> list[Fraction]:
    """Constants of a program whose residues have roots that are squares, as all have, whatever the prime.

    They may be radicands where gates are closed: epsilons. None where a root of another constant is bound to theirs.
    """
    primes = square_primes(angles)
    others = [c for c in _rational(program, name) if not _is_square(c, primes)]
    if not _different([kernel - set(primes) for kernel in _kernels(others)]):
        return []
    constants = {Fraction(c) for n in program.nodes if n.op == "constant" for c in set(n.data.ravel().tolist())}
    return sorted(c for c in constants if c > 0 and _is_square(c, primes))


def constants_with_roots(program: Program) -> tuple[int, ...]:
    """Numbers that are squares where all constants of which roots are taken are."""
    roots = [program.nodes[node.inputs[0]] for node in program.nodes if _is_root(node)]
    kernels = _kernels([Fraction(c) for n in roots if n.op == "constant" for c in set(n.data.ravel().tolist())])
    return tuple(sorted({prod(kernel) for kernel in kernels}))


def _is_square(number: Fraction, primes: Sequence[int]) -> bool:
    """Whether no other primes divide the two parts of a positive number."""
    left = number.numerator * number.denominator
    for p in primes:
        while left and left % p == 0:
            left //= p
    return left == 1


def _is_root(node: Node) -> bool:
    return node.op == "function" and node.data == "rsqrt"


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


def _rational(program: Program, name: str) -> list[Fraction]:
    """The radicands that depend on no parameter and no probe, each once."""
    constant, found = program.independent_of("probe", "parameter"), set[Fraction]()
    for n, node in enumerate(program.nodes):
        if _is_root(node) and constant[n]:
            radicand = program.nodes[node.inputs[0]]
            if radicand.op != "constant":
                raise UndefinedError(f"{name} takes a root of an expression in constants: write its value")
            found |= {Fraction(c) for c in set(radicand.data.ravel().tolist())}
    return sorted(found)


def _kernels(numbers: Sequence[Fraction]) -> list[set[int]]:
    """The primes of odd powers in each."""
    return [odd_prime_factors(c.numerator * c.denominator) for c in numbers]


def _different(kernels: Sequence[set[int]]) -> bool:
    """Whether no product of some of the numbers of these primes is a square."""
    primes = sorted(set().union(*kernels))
    odd = np.array([[p in kernel for p in primes] for kernel in kernels], dtype=np.uint64)
    return not kernels or bool(primes and _rank(odd) == len(kernels))
