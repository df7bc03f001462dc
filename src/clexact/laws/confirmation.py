r"""A second way to the laws that a rule proposes: $\langle\nabla h, X\rangle = 0$ at random residues.

It shares nothing with the rules: a random member of the flow, functions opaque, is evaluated at a random point modulo a
random prime of 61 bits. A law is never lost, and a polynomial that is none passes with the probability that a
polynomial of the degree of $\langle\nabla h, X\rangle$ vanishes there (Schwartz-Zippel).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.algebra.terms import Ints, Terms, concatenate, starts
from clexact.flows.flow import Flow
from clexact.laws.families import change
from clexact.programs.jets import Jets
from clexact.programs.opaque import OpaqueJets
from clexact.support.errors import CLOSURE_BITS
from clexact.symmetry.families import Family

BLOCK = 10**6  # terms at a time


class RefutedLawWarning(RuntimeWarning):
    """A rule of this package proposed a law that is none: it is left out."""


def confirmed(flow: Flow, terms: Terms, draws: Draws) -> Terms:
    """The laws, packed and canonical, that a random member leaves unmoved; ``RefutedLawWarning`` for any other."""
    refuted = moved(flow, terms, draws)
    if not len(refuted):
        return terms
    warnings.warn(
        f"{len(refuted)} of the laws proposed for {flow.description} are moved at random residues and are left out: "
        "a fault of clexact, please report it with the model.",
        RefutedLawWarning,
        stacklevel=2,
    )
    return terms.take(np.flatnonzero(~np.isin(terms.owner, refuted)))


def moved(flow: Flow, terms: Terms, draws: Draws) -> Ints:
    """Numbers of the polynomials, packed and canonical, that change along random members at a random point."""
    ring, theta, field = _members(flow, draws)
    if field is None or not len(terms):
        return np.empty(0, dtype=np.int64)
    found = [
        first + np.flatnonzero(changes(ring, block, count, theta, field).any(axis=0))
        for first, count, block in _blocks(terms)
    ]
    return np.concatenate(found)


def _members(flow: Flow, draws: Draws) -> tuple[Jets, Words, Words | None]:
    """A ring of jets modulo a random prime, a random point, and random members there; None if they are zero."""
    prime = draws.prime(CLOSURE_BITS, avoiding=flow.denominator)
    ring, theta = OpaqueJets(prime, draws), draws.residues((1, flow.dimension), prime)
    return ring, theta, flow.values_in(ring, {0: theta}, flow.spanning_seeds(draws, prime)).get(0)


def confirmed_families(flow: Flow, families: Sequence[Family], draws: Draws) -> tuple[list[Family], Terms]:
    """The families that a random member leaves unmoved, and the numbers of the others that it does, as ``confirmed``.

    A family is not written out, unless it is refuted.
    """
    if not families:
        return [], concatenate([])
    ring, theta, field = _members(flow, draws)
    if field is None:
        return list(families), concatenate([])
    moves = [any(change(family, theta[0], X, ring.prime, draws).any() for X in field) for family in families]
    refuted, first = list[Terms](), 0
    for family in (family for family, moving in zip(families, moves, strict=True) if moving):
        terms = family.expanded()
        refuted.append(terms.owned_by(terms.owner + first))
        first += family.size
    kept = [family for family, moving in zip(families, moves, strict=True) if not moving]
    return kept, confirmed(flow, concatenate(refuted), draws) if refuted else concatenate([])


def changes(ring: Jets, terms: Terms, count: int, theta: Words, field: Words) -> Words:
    r"""$\langle\nabla h, X\rangle$ at points and for values of X (rows, D), of the polynomials that own the terms."""
    found = ring.polynomials(terms, {0: theta, 1: field}, count)
    return found.get(1, np.zeros((len(theta), count), dtype=np.uint64))


def _blocks(terms: Terms) -> Iterator[tuple[int, int, Terms]]:
    """(first polynomial, how many, their terms): about ``BLOCK`` terms at a time."""
    count = int(terms.owner.max()) + 1
    start = starts(terms.owner, count)
    bounds = np.unique([*np.searchsorted(start, np.arange(0, len(terms), BLOCK)), count]).tolist()
    for first, last in pairwise(bounds):
        block = terms.take(np.arange(start[first], start[last]))
        yield first, last - first, block.owned_by(block.owner - first)
