"""How a check ends: what is no certificate, what is untrue, and the work that may still be done."""

from __future__ import annotations

from clexact.proofs.verifier.large.limits import MAX_DEGREE


class NotACertificate(Exception):  # noqa: N818
    """The document has not the form of a certificate."""


class Untrue(Exception):  # noqa: N818
    """The certificate claims something that is false or not shown; the message names the first such item."""


class TooMuch(Untrue):
    """What is left takes more work than is done here."""


def form(condition: object, message: str) -> None:
    if not condition:
        raise NotACertificate(message)


def bounded(degree: int) -> None:
    """``TooMuch`` where the chance of an error cannot be made small: random points show nothing of such a degree."""
    if degree > MAX_DEGREE:
        raise TooMuch("the degree of the output is too large for random points to show that these are laws")


def truth(condition: object, message: str) -> None:
    if not condition:
        raise Untrue(message)


def counted(n: int, noun: str) -> str:
    """One of them, or several."""
    return f"{n} {noun}{'s' * (n != 1)}"


class Allowance:
    """Elementary steps that may still be taken."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch("it takes more work than this verifier does")
