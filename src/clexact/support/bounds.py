"""Bounds of a number from both sides that must not contradict each other."""

from __future__ import annotations


class ContradictionError(ArithmeticError):
    """Two proofs contradict each other: one of them is a fault of this package."""


def check_bounds(lower: int, upper: int, what: str) -> None:
    """``ContradictionError`` unless lower <= upper."""
    if lower > upper:
        raise ContradictionError(
            f"{what}: at least {lower} and at most {upper} contradict each other; this is a fault of clexact, "
            "please report it with the input."
        )


def in_words(lower: int, upper: int) -> str:
    """exactly 3; at least 3, at most 5."""
    return f"exactly {lower}" if lower == upper else f"at least {lower}, at most {upper}"
