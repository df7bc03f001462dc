"""Bounds of the error of a random test: how they are computed and written."""

from __future__ import annotations

from fractions import Fraction

CLOSURE_BITS = 61  # large primes make the error of a closure small
RANK_BITS = 22  # any prime proves a rank; below 2^22 the elimination runs on float64 matrix products, exactly
MAX_ERROR = Fraction(1, 2**100)


class UndefinedError(ArithmeticError):
    """No point and no inputs were found at which all functions of a program are defined."""


def unlucky_primes(norm_bits: int, bits: int = CLOSURE_BITS) -> Fraction:
    """The chance, at most, that a random prime of ``bits`` bits divides a nonzero number of ``norm_bits`` bits."""
    return Fraction(norm_bits // (bits - 1) + 1, 2 ** (bits - 1) // (2 * bits))


def error_bits(error: Fraction) -> int:
    """The largest k with error <= 2^-k."""
    return (error.denominator // error.numerator).bit_length() - 1
