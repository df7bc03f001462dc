r"""Laws of fields that are no polynomials: products of those known, and that there are no others, by samples.

A law $h = \sum_m c_m m$ of rational coefficients satisfies $\langle\nabla h, X\rangle = 0$ at every sample, a point
and a member modulo a prime. The nullity of any number of samples is at least the number of laws; if it is the number of
those at hand, these are all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.echelon import rank
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms, concatenate
from clexact.flows.flow import Flow
from clexact.laws.confirmation import changes
from clexact.programs.jets import Jets
from clexact.support.errors import RANK_BITS

MOST_MONOMIALS = 3000  # of a system of samples
MOST_PRODUCTS = 10**4
SPARE = 8  # samples more than monomials: a nullity that is too large by chance has odds p^-8


def products(flow: Flow, known: Terms, degree: int, homogeneous: bool) -> Terms:
    """The laws known, packed, and the products of several, of this degree at most, or exactly; at most so many."""
    count = int(known.owner.max(initial=-1)) + 1
    parts = [known.take(np.flatnonzero(known.owner == n)).owned_by(0) for n in range(count)]
    single = [Polynomial._from_checked(flow.variables, part) for part in parts if len(part)]
    degrees = [int(flow.law_degrees(h.terms).max()) for h in single]
    found = [(h, d, n) for n, (h, d) in enumerate(zip(single, degrees, strict=True)) if d <= degree]
    for h, d, n in found:
        for k in range(n, len(single)):
            if d + degrees[k] <= degree and len(found) < MOST_PRODUCTS:
                found.append((h * single[k], d + degrees[k], k))
    kept = [h for h, d, _ in found if d == degree or not homogeneous]
    return concatenate([h.terms.owned_by(n) for n, h in enumerate(kept)]) if kept else known.take(np.arange(0))


def no_further_laws(flow: Flow, degrees: Sequence[int], count: int, draws: Draws) -> bool:
    """Whether laws of these degrees are not more than ``count``; False also where the monomials are too many."""
    size = flow.monomial_count(degrees)
    if size > MOST_MONOMIALS:
        return False
    monomials = flow.monomials(degrees)
    each = monomials.owned_by(np.arange(size))
    prime = flow.draw_prime(draws, RANK_BITS)
    theta, seeds = flow.draw_samples(draws, size + SPARE, prime)
    field = flow.values({0: theta}, seeds, prime).get(0, np.zeros((1, flow.dimension), dtype=np.uint64))
    rows = changes(Jets(prime), each, size, theta % np.uint64(prime), np.broadcast_to(field, theta.shape))
    return size - rank(np.ascontiguousarray(rows), prime) == count
