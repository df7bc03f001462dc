r"""Whether a given function is a law: exactly where the fields can be listed, else at random points with an error."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields, lie_derivatives
from clexact.algebra.polynomial import Polynomial
from clexact.flows.dynamics import Given, as_flow
from clexact.flows.flow import Flow
from clexact.laws.confirmation import changes
from clexact.laws.expressions import Expression
from clexact.laws.logarithmic import Form, Law
from clexact.laws.polynomial_laws import MAX_FIELD_TERMS, polynomial_laws
from clexact.laws.result import spans
from clexact.programs.jets import Jets
from clexact.support.digest import digest
from clexact.support.errors import CLOSURE_BITS, MAX_ERROR, RANK_BITS, error_bits, unlucky_primes

if TYPE_CHECKING:
    import sympy

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
    OPEN = "not known: nothing seen moves it, which is no proof with functions in it or in fields, or not all known"


@dataclass(frozen=True)
class LawCheck:
    """The outcome for one function; true if it is a law.

    Attributes
    ----------
    law : Polynomial, Law, str or sympy.Expr
        What was asked about: a Polynomial, where it is one.
    status : LawStatus
        What is known.
    error : Fraction
        With PROBABLE, the probability that it is no law, at most 2^-100; else 0.
    seed : int
        Of the random points.

    Examples
    --------
    >>> import clexact
    >>> found = check_law(clexact.gradient_flow(clexact.models.product(2)), "x[0]^2 - x[1]^2")
    >>> bool(found), found.status.name, found.error
    (True, 'PROVED', Fraction(0, 1))
    """

    law: Polynomial | Law | str | sympy.Expr
    status: LawStatus
    error: Fraction  # with PROBABLE, the probability that it is no law, at most 2^-100; else 0
    seed: int

    def __bool__(self) -> bool:
        return self.status in (LawStatus.PROVED, LawStatus.PROBABLE)

    def __str__(self) -> str:
        bits = f" (error <= 2^-{error_bits(self.error)})" if self.error else ""
        return f"{self.status.value}{bits}"


def check_law(flow: Given, law: Polynomial | Law | str | sympy.Expr, *, seed: int = 0) -> LawCheck:
    r"""Whether $\langle\nabla h, X\rangle = 0$ for every field X of the flow.

    Exact where the expanded fields have at most ``MAX_FIELD_TERMS`` terms. Else h is tested along random members at
    random points mod random 61-bit primes: a value that is not zero proves that h is no law; zeros at all of them leave
    an error of at most 2^-100 (Schwartz-Zippel, and the primes that could divide all coefficients). Where functions
    stand in the program h is a law if it is a combination of those that the program's shape proves and their products,
    no law if residues of the functions show it, else open.

    A quotient, or a sum with log, exp, sqrt, sin, cos or arctan, is one along fields that can be listed: an exact
    identity, in which functions are variables with their derivatives, proves it; that it is none is proved by the
    identity, where it has no function left, else by a ball of real numbers, without zero, around its value at a point.

    Parameters
    ----------
    flow : Flow, Model or VectorFields
        A flow; a model, for its gradient flow; or explicit fields.
    law : Polynomial, Law, str or sympy.Expr
        h, in the flow's variables; in SymPy symbols are known by their names.
    seed : int
        Of the random points.

    Returns
    -------
    LawCheck
        What is known of h.

    Raises
    ------
    TypeError, ValueError
        For what is no function of the flow's variables, and for one that is no polynomial along fields that cannot be
        listed.

    Examples
    --------
    >>> import clexact
    >>> flow = clexact.gradient_flow(clexact.models.product(2))
    >>> print(check_law(flow, "x[0]^2 - x[1]^2"), check_law(flow, "x[0]"), sep="; ")
    a law: an exact identity; no law: some field moves it
    >>> print(check_law(clexact.VectorFields.from_ode("x' = x; y' = x + y"), "y/x - log(x)"))
    a law: an exact identity
    """
    flow = as_flow(flow)
    h = _polynomial(law, flow.variables)
    if h is None:
        return LawCheck(law, _status_of_expression(flow, law, seed), Fraction(0), seed)
    if h.variables != flow.variables:
        raise ValueError(f"a polynomial in {len(h.variables)} variables is no law on the {flow.dimension} of the flow.")
    if flow.analytic or not flow.whole:
        return LawCheck(h, _status_by_shape(flow, h, seed), Fraction(0), seed)
    if flow.expanded_size <= MAX_FIELD_TERMS:
        status = LawStatus.FALSE if len(lie_derivatives([h], flow.fields)) else LawStatus.PROVED
        return LawCheck(h, status, Fraction(0), seed)
    tested = h.primitive  # a common factor of its coefficients could hide it from the primes that divide it
    draws, total = Draws(seed, digest(flow.digest, *tested.terms.arrays)), Fraction(1)
    per_prime = _error(flow, tested)
    for _ in range(MAX_PRIMES):
        if _moves(flow, tested, draws):
            return LawCheck(h, LawStatus.FALSE, Fraction(0), seed)
        total *= per_prime
        if total <= MAX_ERROR:
            return LawCheck(h, LawStatus.PROBABLE, total, seed)
    raise ArithmeticError(f"the sizes of {flow.description} are beyond the bound of the error.")


def _polynomial(law: object, variables: tuple[str, ...]) -> Polynomial | None:
    """The law as a polynomial; None if it may be another function."""
    if isinstance(law, Law):
        return law.rest if law.form is Form.POLYNOMIAL else None
    try:
        return Polynomial.given(law, variables)
    except ValueError as error:
        try:
            Expression(law, VectorFields(variables, []))
        except (ValueError, LookupError):
            raise error from None
    return None


def _status_of_expression(flow: Flow, law: Law | str | sympy.Expr, seed: int) -> LawStatus:
    """By an exact identity, or a value that is not zero."""
    if flow.analytic or not flow.whole or flow.expanded_size > MAX_FIELD_TERMS:
        raise ValueError(
            f"a law that is no polynomial is checked along fields that can be listed, which those of "
            f"{flow.description} are not."
        )
    expression, draws = Expression(law, flow.fields), flow.draws(seed)
    left = [h for h in expression.derivatives() if h.top]
    if not left:
        return LawStatus.PROVED
    return LawStatus.FALSE if any(expression.is_nonzero(h, draws) for h in left) else LawStatus.OPEN


def _status_by_shape(flow: Flow, h: Polynomial, seed: int) -> LawStatus:
    """Whether h is among the laws of the program's shape; else whether residues refute it."""
    known = polynomial_laws(flow, max(1, int(flow.law_degrees(h.terms).max(initial=1))), seed=seed)
    if spans(known, h):
        return LawStatus.PROVED
    return LawStatus.FALSE if _moves(flow, h.primitive, flow.draws(seed)) else LawStatus.OPEN


def _moves(flow: Flow, h: Polynomial, draws: Draws) -> bool:
    """Whether h changes along one of ``ROWS`` random members at random points, modulo a random prime."""
    prime = flow.draw_prime(draws, RANK_BITS if flow.analytic else CLOSURE_BITS)
    ring = Jets(prime)
    if flow.analytic:
        theta, seeds = flow.draw_samples(draws, ROWS, prime)
    else:  # uniform, as the error has it
        theta, seeds = (draws.residues((ROWS, size), prime) for size in (flow.dimension, flow.seed_size))
    field = flow.values({0: theta}, seeds, prime).get(0)
    if field is None:
        return False
    return bool(changes(ring, h.terms, 1, theta % np.uint64(prime), field).any())


def _error(flow: Flow, h: Polynomial) -> Fraction:
    r"""The chance, at most, that $\langle\nabla h, X\rangle \ne 0$ is not seen modulo one random prime.

    As a polynomial in the point and the seeds it has degree deg h - 1 + d and norm deg h |h| D |X|.
    """
    degree = max(1, h.degree) - 1 + flow.degree
    norm = max(1, h.degree) * flow.dimension * flow.norm_bound * max(1, sum(abs(int(c)) for c in h.terms.coef.tolist()))
    return unlucky_primes(norm.bit_length()) + Fraction(degree, 2 ** (CLOSURE_BITS - 1)) ** ROWS
