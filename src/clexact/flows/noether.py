r"""From the groups of a model's program to the laws of its mirror and momentum flows, and under weight decay.

With $\nabla h = (a_j\theta_j / M_j)_j$, $\langle\nabla h, M\nabla\varphi\rangle = \langle a\theta,
\nabla\varphi\rangle = 0$ for a scaling a: in a mirror flow $\sum_j a_j\theta_j$ over positive entries plus $\sum_j
a_j\theta_j^2 / 2$ over the others. Of momentum, a rotation $\theta' = A\theta$ makes $e^{\int\tau}\langle\theta',
A\theta\rangle$, with $e^{\int\tau}$ = 1, s or $t^3$; a translation c makes $e^{\int\tau}\langle c,
\theta'\rangle$ and $\langle c, \theta - t\theta'\rangle$, $\langle c, \tau\theta + \theta'\rangle$ or $\langle
c, 2\theta + t\theta'\rangle$ (arXiv 2405.12888, section 3). Weight decay keeps the rotations only, and homogeneous
laws of a gradient flow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from clexact.symmetry.exponentials import partly_linear
from clexact.symmetry.families import Family
from clexact.symmetry.views import Term


def decayed(families: Iterable[Family]) -> list[Family]:
    """s^k times a law, of those that are homogeneous, of degree k."""
    return [
        replace(family, terms=tuple(replace(term, power=family.degree) for term in family.terms))
        for family in families
        if not family.mixed
    ]


def untouched(families: Iterable[Family], positive: Collection[str]) -> list[Family]:
    """The laws of no positive parameter."""
    return [family for family in families if not {*family.parameters} & {*positive}]


def mirrored(families: Iterable[Family], positive: Collection[str]) -> list[Family]:
    """The laws of a mirror flow, of those of the gradient flow.

    Those of positive parameters are linear in these; of a matrix of laws the diagonal is left.
    """
    found = list[Family]()
    for family in families:
        if not {*family.parameters} & {*positive}:
            found.append(family)
        elif any(term.linear and term.parameter in positive for term in family.terms):
            continue  # of an exponential of a positive parameter
        elif family.kind in ("gram", "diagonal", "scale"):
            found.append(partly_linear(family, dict.fromkeys(positive, Fraction(1))))
        elif family.kind == "translation" and len(family.terms) == 1 and family.rows == 1:
            found.append(family)  # entries that do not move at all
    return found


@dataclass(frozen=True)
class Noether:
    r"""What a damping makes of a symmetry: the power of the clock that is $e^{\int\tau}$, and the law of the position.

    ``position``: the integers p, q of $p\theta + q\,\mathrm{clock}^k\theta'$, with k last.
    """

    power: int
    position: tuple[int, int, int]

    def rotations(self, matrices: Iterable[Family], velocities: Mapping[str, str]) -> Iterator[Family]:
        """Of matrices that act on the rows: an orthogonal one acts as its inverse transposed does."""
        for family in matrices:
            if family.rows > 1:
                terms = tuple(
                    replace(term, coefficient=1, velocity=velocities[term.parameter], power=self.power)
                    for term in family.terms
                )
                yield replace(family, kind="rotation", terms=terms)

    def translations(self, families: Iterable[Family], velocities: Mapping[str, str]) -> Iterator[Family]:
        """Of sums that do not move: of their velocities, and of their positions."""
        p, q, power = self.position
        for family in families:
            moving = [replace(term, velocity=velocities[term.parameter]) for term in family.terms]
            yield replace(family, terms=tuple(replace(term, power=self.power) for term in moving))
            positions = [_times(term, p) for term in family.terms]
            centre = [*positions, *(replace(_times(term, q), power=power) for term in moving)]
            yield replace(family, terms=tuple(term for term in centre if term.coefficient))


def _times(term: Term, factor: int) -> Term:
    return replace(term, coefficient=factor * term.coefficient)


UNDAMPED = Noether(0, (1, -1, 1))
NESTEROV = Noether(3, (2, 1, 1))


def heavy_ball(tau: Fraction) -> Noether:
    r"""Of constant damping: $\tau\theta + \theta'$, without denominators."""
    return Noether(1, (tau.numerator, tau.denominator, 0))
