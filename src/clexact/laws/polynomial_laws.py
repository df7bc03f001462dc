"""``polynomial_laws``: every polynomial conservation law up to a degree, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clexact._kernels.sparse import SparseForm
from clexact.algebra.basis import Vector
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import residues
from clexact.algebra.terms import Terms, concatenate
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import FieldsFlow, Flow, pack_laws
from clexact.flows.gradient import GradientFlow
from clexact.laws.confirmation import confirmed, confirmed_families
from clexact.laws.constant import is_constant, linear_laws
from clexact.laws.listing import LawList
from clexact.laws.monomial_system import as_vectors, law_vectors, pack_vectors
from clexact.laws.parametric import parametric_laws
from clexact.laws.quadratic import all_quadratic_laws
from clexact.laws.result import MOST_ENTRIES, Completeness, ConservationLaws, arranged, positive, without
from clexact.laws.sampled import no_further_laws, products
from clexact.programs.sparse_jets import Part, compressed
from clexact.support.errors import UndefinedError
from clexact.symmetry.groups import Law

MAX_FIELD_TERMS = 5 * 10**6  # of expanded fields; beyond it only laws of the program's shape are given
SAMPLED_FROM = 400  # dimension from which samples are tried before the monomial system of degree 2
MAX_MONOMIALS = 2 * 10**7


def polynomial_laws(flow: Given, degree: int, homogeneous: bool = False, *, seed: int = 0) -> ConservationLaws:
    r"""A basis of all polynomial laws of degree at most ``degree``, constants left out.

    h is a law when $X_i h = \sum_j X_{ij}\,\partial_j h = 0$ for every field: the nullspace of a linear system with one
    unknown for each monomial, one equation for each field and monomial. Rows are primitive integers, as sparse as
    pairwise differences make them.

    Proved: each law, by an exact identity; that there is no other, since the nullity mod p is never smaller than the
    nullity over Q. ``completeness`` is OPEN instead where the fields or the monomials are too many to list, or not all
    are known; then the laws are those that the shape of the program proves (``symmetry/``). That a network with
    analytic functions has no other laws, and a large network has no other quadratic laws is proved by samples, without
    expansion (``quadratic.py``). In a phase space the degree counts positions and velocities, not the clock t or $s =
    e^{rt}$: every power of it that a law can have is searched, or those up to a bound (POWERS, for weight decay with a
    metric, with Nesterov's damping, or negative).

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    degree : int
        At least 1.
    homogeneous : bool
        Whether only h homogeneous of degree exactly ``degree`` are wanted.
    seed : int
        Of the random primes and points.

    Returns
    -------
    ConservationLaws
        The basis, lowest degree first, and whether it is complete.

    Raises
    ------
    TypeError
        For a flow or degree of another type.
    ValueError
        For degree < 1.

    Examples
    --------
    >>> import clexact
    >>> fields = clexact.VectorFields.from_strings(["x", "y"], [["y", "x"]])
    >>> polynomial_laws(fields, degree=2)
    ConservationLaws([x^2 - y^2])
    >>> polynomial_laws(fields, degree=4, homogeneous=True)
    ConservationLaws([x^4 - 2*x^2*y^2 + y^4])
    """
    flow = as_flow(flow)
    check_degree(degree)
    if isinstance(flow, FieldsFlow) and flow.parameters:
        return parametric_laws(flow, degree, homogeneous, seed)
    degrees = [degree] if homogeneous else list(range(degree, 0, -1))
    gradients = flow.plain_gradients
    if flow.analytic and flow.whole:
        return _laws_of_analytic(flow, degree, homogeneous, seed)
    if degree == 2 and gradients is not None and flow.dimension >= SAMPLED_FROM:
        laws = _quadratic_laws_of_shape(gradients, homogeneous, seed)
        if laws.complete:
            return laws
    if not flow.whole or flow.expanded_size > MAX_FIELD_TERMS or flow.monomial_count(degrees) > MAX_MONOMIALS:
        terms = _confirmed_terms(flow, seed)
        foreign = ~np.isin(flow.law_degrees(terms), degrees)
        terms = _linearly_independent(arranged(positive(without(terms, terms.owner[foreign]))), flow.draws(seed))
        return replace(_proposed(flow, terms, degree, seed), homogeneous=homogeneous)
    monomials = flow.monomials(degrees)
    vectors = _vectors(flow, monomials, degree, seed)
    terms, known = pack_vectors(vectors, monomials), _completeness(flow)
    return ConservationLaws(
        flow.variables, degree, homogeneous, known, seed, terms, dict(flow.exponentials), flow.scope
    )


def _vectors(flow: Flow, monomials: Terms, degree: int, seed: int) -> list[Vector]:
    """All laws over the monomials."""
    if degree == 1 and isinstance(flow, FieldsFlow) and is_constant(flow.fields):
        return linear_laws(flow.fields, monomials, flow.draws(seed))
    preferred = as_vectors(positive(flow.shape_terms()), monomials)
    return law_vectors(flow.fields, monomials, preferred, flow.draws(seed))


def _quadratic_laws_of_shape(flow: GradientFlow, homogeneous: bool, seed: int) -> ConservationLaws:
    """The linearly independent laws of degree 2 that the shape of the program proves, complete if samples show it."""
    terms = _confirmed_terms(flow, seed)
    foreign = terms.degrees() != 2 if homogeneous else terms.degrees() > 2
    terms = arranged(positive(without(terms, terms.owner[foreign])))
    draws = flow.draws(seed)
    terms = _linearly_independent(terms, draws)
    known = Completeness.PROVED if all_quadratic_laws(flow, terms, homogeneous, draws) else Completeness.OPEN
    return ConservationLaws(flow.variables, 2, homogeneous, known, seed, terms, dict(flow.exponentials), flow.scope)


def _linearly_independent(terms: Terms, draws: Draws) -> Terms:
    """The first laws that are linearly independent, in display order."""
    monomials, column = np.unique(terms.hashes(), return_inverse=True)
    count, prime = int(terms.owner.max(initial=-1)) + 1, draws.prime(61)
    rows = Part((len(monomials),), terms.owner, column.astype(np.int64), residues(terms.coef, prime))
    fresh = SparseForm(len(monomials), prime).add(*compressed(rows, count), MOST_ENTRIES)
    return arranged(without(terms, np.flatnonzero(~fresh)))


def _laws_of_analytic(flow: Flow, degree: int, homogeneous: bool, seed: int) -> ConservationLaws:
    """The laws that the program's shape proves and their products, complete if samples show it."""
    draws = flow.draws(seed)
    terms = products(flow, _confirmed_terms(flow, seed), degree, homogeneous)
    terms = _linearly_independent(arranged(positive(terms)), draws)
    degrees, count = [degree] if homogeneous else list(range(degree, 0, -1)), int(terms.owner.max(initial=-1)) + 1
    gradients = flow.plain_gradients
    try:
        if degree == 2 and gradients is not None:
            complete = all_quadratic_laws(gradients, terms, homogeneous, draws)
        else:
            complete = no_further_laws(flow, degrees, count, draws)
    except UndefinedError:
        complete = False
    known = _completeness(flow) if complete and flow.whole else Completeness.OPEN
    return ConservationLaws(
        flow.variables, degree, homogeneous, known, seed, terms, dict(flow.exponentials), flow.scope
    )


def _completeness(flow: Flow) -> Completeness:
    """What a search of all monomials of the flow shows."""
    return Completeness.POWERS if flow.some_powers else Completeness.PROVED


def check_degree(degree: int) -> None:
    """TypeError or ValueError unless the degree is an integer >= 1."""
    if isinstance(degree, bool) or not isinstance(degree, int):
        raise TypeError(f"degree must be an integer, not {degree!r}.")
    if degree < 1:
        raise ValueError(f"degree must be at least 1, not {degree}.")


def proposed_laws(flow: Flow, degree: int, *, seed: int = 0) -> ConservationLaws:
    """The laws of degree at most ``degree`` that the shape of the flow's program proves, at any size; confirmed."""
    terms = _confirmed_terms(flow, seed)
    terms = arranged(positive(without(terms, terms.owner[flow.law_degrees(terms) > degree])))
    return _proposed(flow, _linearly_independent(terms, flow.draws(seed)), degree, seed)


def listed_laws(flow: Flow, degree: int, *, seed: int = 0) -> LawList:
    """The same laws, confirmed, as families where the flow has them: these are not written out."""
    if not flow.families:
        return LawList((), proposed_laws(flow, degree, seed=seed))
    wanted = [family for family in flow.families if family.degree <= degree]
    families, numbers = confirmed_families(flow, wanted, flow.draws(seed))
    others = confirmed(flow, flow.single_terms(), flow.draws(seed))
    others = without(others, others.owner[flow.law_degrees(others) > degree])
    last = int(numbers.owner.max(initial=-1)) + 1
    every = concatenate([numbers, others.owned_by(others.owner + last)]).canonical()
    return LawList(tuple(families), _proposed(flow, every, degree, seed))


def _confirmed_terms(flow: Flow, seed: int) -> Terms:
    """The laws of the flow's shape that evaluation confirms, as packed terms."""
    return confirmed(flow, flow.shape_terms(), flow.draws(seed))


def laws_from_dicts(flow: Flow, laws: list[Law], degree: int, seed: int) -> ConservationLaws:
    """Laws given as {variables of a monomial: coefficient}; that they are laws is the caller's word."""
    return _proposed(flow, pack_laws(laws), degree, seed)


def _proposed(flow: Flow, terms: Terms, degree: int, seed: int) -> ConservationLaws:
    """Laws of the flow's shape, in display order."""
    shown = arranged(positive(terms))
    return ConservationLaws(
        flow.variables, degree, False, Completeness.OPEN, seed, shown, dict(flow.exponentials), flow.scope
    )
