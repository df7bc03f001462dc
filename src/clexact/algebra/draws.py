"""Seeded random choices. The raw stream of PCG64 is fixed by its definition: a seed gives the same draws everywhere."""

from __future__ import annotations

import numpy as np

from clexact.algebra.linalg import Words, is_prime
from clexact.support.digest import digest


def check_seed(seed: int) -> None:
    """TypeError or ValueError unless the seed is an integer >= 0."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an integer, not {seed!r}.")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}.")


class Draws:
    """Random primes and residues from a seed and, with ``about``, from a digest of what they are drawn for.

    Errors of a random test are small for every input that is chosen before the primes and points are: a digest of the
    input makes them follow it. Raises TypeError or ValueError unless the seed is an integer >= 0.
    """

    def __init__(self, seed: int, about: bytes = b"") -> None:
        check_seed(seed)
        self._bits = np.random.PCG64(int.from_bytes(digest(seed, about), "big") if about else seed)

    def residues(self, shape: tuple[int, ...], prime: int) -> Words:
        """Uniform integers in [0, prime), by rejection."""
        count, shift = int(np.prod(shape)), np.uint64(64 - (prime - 1).bit_length())
        kept = np.empty(0, dtype=np.uint64)
        while len(kept) < count:
            raw = np.asarray(self._bits.random_raw(2 * (count - len(kept)) + 8), dtype=np.uint64) >> shift
            kept = np.concatenate([kept, raw[raw < prime]])
        return kept[:count].reshape(shape)

    def integers(self, low: int, high: int, count: int) -> list[int]:
        """Uniform integers in [low, high]."""
        return [low + int(r) for r in self.residues((count,), high - low + 1)]

    def prime(self, bits: int, avoiding: int = 1) -> int:
        """A uniform random prime in [2^(bits-1), 2^bits), of those that do not divide ``avoiding``."""
        low = 1 << (bits - 1)
        while True:
            candidate = low + int(self.residues((1,), low)[0])
            if avoiding % candidate and is_prime(candidate):
                return candidate
