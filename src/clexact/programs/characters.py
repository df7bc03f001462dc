r"""Residues of analytic functions: a homomorphism $\psi$ from the functions of a program to integers modulo a number m.

m is the product of a chain of primes, p = 2q + 1, q, and, where functions stand above functions, q = 2r + 1, r: so
$\mathbb{Z}/m$ is a product of fields. By the functional Lindemann-Weierstrass theorem (Ax 1971) exponentials of
functions satisfy no algebraic relation but $e^{u+v} = e^u e^v$ and those with constants, so any character of the
additive group of exponents extends a homomorphism of polynomials: modulo p, $\psi(e^u) = 4^{u \bmod q}$, 4 being of
order q; modulo q likewise with r; modulo the last, 1. Reciprocals are inverses. $u^{-1/2}$ is that root which is a
square itself, a power of u: products go to products. softplus(u) - u/2, which is even, takes any value for each |u|,
and so does $\Phi(u) - 1/2$, which is odd (Kolchin-Ostrowski, Liouville). That roots and softplus allow this,
``independence.py`` and ``exponents.py`` have to show. A minor of brackets that is not 0 under $\psi$ is not the zero
function: ranks modulo p are proved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.programs.places import Mask

BASE = 4  # a square other than 1: of order q modulo p
CLASS = 240  # primes p are -1 modulo it: q is then 7 modulo 8, 2 modulo 3 and 4 modulo 5
LONG = 2**21  # primes below it are those of a chain of three
STEP = 2**12  # powers of the base are products of two from tables of so many


def chain(prime: int) -> tuple[int, ...]:
    """p, q, and r where p is below ``LONG``."""
    fields = [prime, prime >> 1, prime >> 2]
    return tuple(fields if prime < LONG else fields[:2])


def draw_prime(draws: Draws, bits: int, avoiding: int = 1) -> int:
    """A random first prime of a chain, of so many bits, modulo all of which 2, 3 and 5 are squares."""
    first = (1 << bits - 1) // CLASS + 1
    while True:
        p = CLASS * (first + int(draws.residues((1,), first)[0])) - 1
        fields = chain(p)
        if p >> bits or not all(linalg.is_prime(f) and avoiding % f for f in fields):
            continue
        if all(f % 8 == 7 for f in fields):
            return p


class Characters:
    """The homomorphism for a prime p: values of functions as residues modulo m, and where they are undefined."""

    def __init__(self, prime: int) -> None:
        self.prime, self.fields = prime, chain(prime)
        self.modulus = prod(self.fields)
        self.functions: dict[str, Callable[[Words], tuple[Words, Mask]]] = {
            "exp": self._exp,
            "reciprocal": self._reciprocal,
            "rsqrt": self._rsqrt,
            "sigmoid": self._sigmoid,
            "tanh": self._tanh,
            "normal_cdf": self._normal_cdf,
            "softplus": self._softplus,
        }

    def written(self) -> dict[str, Any]:
        """Its choices, in a document."""
        later = list(self.fields[1:])
        return {"fields": later, "bases": [BASE] * len(later), "key": self.prime}

    def value(self, name: str, u: Words) -> tuple[Words, Mask]:
        """A function of residues, and where it is undefined, (fields, ...)."""
        return self.functions[name](u)

    def any_value(self, name: str, u: Words) -> Words:
        """Values drawn for a name, equal for equal arguments."""
        return drawn(name, self.prime, u) % np.uint64(self.modulus)

    @property
    def half(self) -> int:
        """1/2."""
        return (self.modulus + 1) // 2

    @cached_property
    def density(self) -> int:
        r"""$\kappa = 1/\sqrt{2\pi}$, transcendental: any residue."""
        return int(self.any_value("density", np.ones(1, dtype=np.uint64))[0])

    @cached_property
    def _powers(self) -> list[tuple[Words, Words]]:
        """For each field but the last, base^k and base^(STEP k) modulo it."""
        return [(_powers(BASE, f), _powers(pow(BASE, STEP, f), f)) for f in self.fields[:-1]]

    def joined(self, parts: Sequence[Words]) -> Words:
        """The residues modulo m of those modulo each field (Garner)."""
        whole, modulus = parts[0], 1
        for before, field, part in zip(self.fields, self.fields[1:], parts[1:], strict=False):
            modulus *= before
            f, inverse = np.uint64(field), np.uint64(pow(modulus, -1, field))
            whole = whole + np.uint64(modulus) * ((part + f - whole % f) * inverse % f)
        return whole

    def split(self, u: Words) -> list[Words]:
        """The residues modulo each field."""
        return [u % np.uint64(f) for f in self.fields]

    def _exp(self, u: Words) -> tuple[Words, Mask]:
        parts = []
        for exponent, field, (low, high) in zip(self.split(u)[1:], self.fields, self._powers, strict=False):
            place = exponent.astype(np.int64)
            parts.append(low[place % STEP] * high[place // STEP] % np.uint64(field))
        return self.joined([*parts, np.ones_like(u)]), self._nowhere(u)

    def _reciprocal(self, u: Words) -> tuple[Words, Mask]:
        inverses = [power(x, f - 2, f) for x, f in zip(self.split(u), self.fields, strict=True)]
        return self.joined(inverses), np.stack([x == 0 for x in self.split(u)])

    def _rsqrt(self, u: Words) -> tuple[Words, Mask]:
        """u^((f - 3)/4): its square times u is the Legendre symbol of u."""
        roots, undefined = [], []
        for x, f in zip(self.split(u), self.fields, strict=True):
            roots.append(power(x, (f - 3) // 4, f))
            undefined.append(roots[-1] * roots[-1] % np.uint64(f) * x % np.uint64(f) != 1)
        return self.joined(roots), np.stack(undefined)

    def _sigmoid(self, u: Words) -> tuple[Words, Mask]:
        powers, _ = self._exp(linalg.subtract(np.zeros_like(u), u, self.modulus))
        return self._reciprocal(linalg.add(powers, np.ones_like(u), self.modulus))

    def _tanh(self, u: Words) -> tuple[Words, Mask]:
        s, undefined = self._sigmoid(linalg.add(u, u, self.modulus))
        return linalg.subtract(linalg.add(s, s, self.modulus), np.ones_like(u), self.modulus), undefined

    def _nowhere(self, u: Words) -> Mask:
        return np.zeros((len(self.fields), *u.shape), dtype=bool)

    def _absolute(self, u: Words) -> tuple[Words, Mask]:
        """|u|, the same for u and -u, and where it is u."""
        minus = linalg.subtract(np.zeros_like(u), u, self.modulus)
        return np.minimum(u, minus), u <= minus

    def _normal_cdf(self, u: Words) -> tuple[Words, Mask]:
        size, positive = self._absolute(u)
        odd = np.where(size == 0, np.uint64(0), self.any_value("normal_cdf", size))
        odd = np.where(positive, odd, linalg.subtract(np.zeros_like(u), odd, self.modulus))
        return linalg.add(odd, np.full_like(u, self.half), self.modulus), self._nowhere(u)

    def _softplus(self, u: Words) -> tuple[Words, Mask]:
        even = self.any_value("softplus", self._absolute(u)[0])
        half = linalg.multiply(u, np.full_like(u, self.half), self.modulus)
        return linalg.add(half, even, self.modulus), self._nowhere(u)


@lru_cache(maxsize=8)
def characters(prime: int) -> Characters:
    """The homomorphism for a prime, made once."""
    return Characters(prime)


def _powers(base: int, field: int) -> Words:
    """base^0, ..., base^(STEP - 1)."""
    table = [1]
    for _ in range(1, STEP):
        table.append(table[-1] * base % field)
    return np.array(table, dtype=np.uint64)


def power(u: Words, exponent: int, prime: int) -> Words:
    """u^exponent modulo a prime below 2^32, entry by entry."""
    result, base = np.ones_like(u), u
    while exponent:
        if exponent & 1:
            result = linalg.multiply(result, base, prime)
        base, exponent = linalg.multiply(base, base, prime), exponent >> 1
    return result


def drawn(name: str, key: int, u: Words) -> Words:
    """Words that look random, equal for equal arguments: SplitMix64's finaliser, keyed by the name and key, twice."""
    for turn in range(2):
        u = _mixed(u, int.from_bytes(sha256(f"{name} {turn} {key}".encode()).digest()[:8], "big"))
    return u


def _mixed(z: Words, key: int) -> Words:
    z = z + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
