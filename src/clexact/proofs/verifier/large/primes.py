"""Primes, and Legendre's symbol."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from clexact.proofs.verifier.large.limits import MAX_FACTOR
from clexact.proofs.verifier.large.outcome import truth

if TYPE_CHECKING:
    from clexact.proofs.verifier.large.outcome import Allowance


def is_prime(n: int) -> bool:
    """Miller-Rabin with the first 13 primes as bases: exact below 3.3e24 (Sorenson and Webster)."""
    small = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
    if n < 2 or any(n % q == 0 for q in small):
        return n in small
    s = ((n - 1) & (1 - n)).bit_length() - 1
    return all(pow(a, n >> s, n) == 1 or any(pow(a, (n >> s) << r, n) == n - 1 for r in range(s)) for a in small)


def symbol(u: int, f: int) -> int:
    """1 for the squares but 0 modulo a prime."""
    return pow(u, (f - 1) // 2, f)


def odd_primes(n: int, allowance: Allowance) -> set[int]:
    """The primes of odd power in n."""
    out = set[int]()
    allowance.spend(MAX_FACTOR)
    for d in range(2, MAX_FACTOR):
        while n % d == 0:
            n, out = n // d, out ^ {d}
    if isqrt(n) ** 2 == n:
        return out
    truth(n < MAX_FACTOR**2 or (n < 2**80 and is_prime(n)), "a root of a number that is not factored here")
    return out ^ {n}
