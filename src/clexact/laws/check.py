r"""Whether a given polynomial is a law: exactly where the fields can be listed, else at random points with an error."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields, lie_derivatives
from clexact.algebra.polynomial import Polynomial
from clexact.flows.flow import Flow, as_flow
from clexact.laws.confirmation import changes
from clexact.laws.polynomial_laws import MAX_FIELD_TERMS
from clexact.programs.jets import Jets
from clexact.support.digest import digest
from clexact.support.errors import CLOSURE_BITS, MAX_ERROR, error_bits, unlucky_primes

ROWS = 4  # random members and points for each prime
MAX_PRIMES = 60


class LawStatus(Enum):
    """What is known; the value is the sentence a user reads.

    Examples
    --------
    >>> LawStatus.PROVED.value
    'a law: an exact identity'
    """

    PROVED = "a law: an exact identity"
    PROBABLE = "a law, with a stated probability of error"
    FALSE = "no law: some field moves it"


@dataclass(frozen=True)
class LawCheck:
    """The outcome for one polynomial; true unless it is no law.

    Attributes
    ----------
    law : Polynomial
        What was asked about.
    status : LawStatus
        What is known.
    error : Fraction
        With PROBABLE, the probability that it is no law, at most 2^-100; else 0.
    truncated : bool
        Whether the fields were Taylor coefficients up to an order: shown for these alone.
    seed : int
        Of the random points.

    Examples
    --------
    >>> import clexact
    >>> found = check_law(clexact.gradient_flow(clexact.models.product(2)), "x[0]^2 - x[1]^2")
    >>> bool(found), found.status.name, found.error
    (True, 'PROVED', Fraction(0, 1))
    """

    law: Polynomial
    status: LawStatus
    error: Fraction  # with PROBABLE, the probability that it is no law, at most 2^-100; else 0
    truncated: bool  # the fields were Taylor coefficients up to an order: shown for these alone
    seed: int

    def __bool__(self) -> bool:
        return self.status is not LawStatus.FALSE

    def __str__(self) -> str:
        bits = f" (error <= 2^-{error_bits(self.error)})" if self.error else ""
        order = ", of the Taylor coefficients used" if self.truncated and self else ""
        return f"{self.status.value}{bits}{order}"


def check_law(flow: Flow | VectorFields, law: Polynomial | str, *, seed: int = 0) -> LawCheck:
    r"""Whether $\langle\nabla h, X\rangle = 0$ for every field X of the flow.

    Exact where the expanded fields have at most ``MAX_FIELD_TERMS`` terms. Else h is tested along random members at
    random points mod random 61-bit primes: a value that is not zero proves that h is no law; zeros at all of them leave
    an error of at most 2^-100 (Schwartz-Zippel, and the primes that could divide all coefficients).

    Parameters
    ----------
    flow : Flow or VectorFields
        A flow of a model, or explicit fields.
    law : Polynomial or str
        h, in the flow's variables.
    seed : int
        Of the random points.

    Returns
    -------
    LawCheck
        What is known of h.

    Raises
    ------
    ValueError
        For text that is no polynomial in the flow's variables.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.product(2))
    >>> print(check_law(flow, "x[0]^2 - x[1]^2"), check_law(flow, "x[0]"), sep="; ")
    a law: an exact identity; no law: some field moves it
    """
    flow = as_flow(flow)
    h = law if isinstance(law, Polynomial) else Polynomial.from_string(law, flow.variables)
    if h.variables != flow.variables:
        raise ValueError(f"a polynomial in {len(h.variables)} variables is no law on the {flow.dimension} of the flow.")
    if flow.expanded_size <= MAX_FIELD_TERMS:
        status = LawStatus.FALSE if len(lie_derivatives([h], flow.fields)) else LawStatus.PROVED
        return LawCheck(h, status, Fraction(0), flow.truncated, seed)
    tested = h.primitive  # a common factor of its coefficients could hide it from the primes that divide it
    draws, total = Draws(seed, digest(flow.digest, *tested.terms.arrays)), Fraction(1)
    per_prime = _error(flow, tested)
    for _ in range(MAX_PRIMES):
        if _moves(flow, tested, draws):
            return LawCheck(h, LawStatus.FALSE, Fraction(0), flow.truncated, seed)
        total *= per_prime
        if total <= MAX_ERROR:
            return LawCheck(h, LawStatus.PROBABLE, total, flow.truncated, seed)
    raise ArithmeticError(f"the sizes of {flow.description} are beyond the bound of the error.")


def _moves(flow: Flow, h: Polynomial, draws: Draws) -> bool:
    """Whether h changes along one of ``ROWS`` random members at random points, modulo a random prime."""
    prime = draws.prime(CLOSURE_BITS, avoiding=flow.denominator)
    ring, D = Jets(prime), flow.dimension
    theta = draws.residues((ROWS, D), prime)
    field = flow.values({0: theta}, draws.residues((ROWS, flow.seed_size), prime), prime).get(0)
    if field is None:
        return False
    return bool(changes(ring, h.terms, 1, theta, field).any())


def _error(flow: Flow, h: Polynomial) -> Fraction:
    r"""The chance, at most, that $\langle\nabla h, X\rangle \ne 0$ is not seen modulo one random prime.

    As a polynomial in the point and the seeds it has degree deg h - 1 + d and norm deg h |h| D |X|.
    """
    degree = max(1, h.degree) - 1 + flow.degree
    norm = max(1, h.degree) * flow.dimension * flow.norm_bound * max(1, sum(abs(int(c)) for c in h.terms.coef.tolist()))
    return unlucky_primes(norm.bit_length()) + Fraction(degree, 2 ** (CLOSURE_BITS - 1)) ** ROWS
