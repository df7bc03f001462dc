r"""Residues of analytic functions: a homomorphism $\psi$ from the functions of a program to integers modulo a number m.

m is the product of a chain of primes, p = 2q + 1, q, and, where functions stand above functions, q = 2r + 1, r: so
$\mathbb{Z}/m$ is a product of fields. By the functional Lindemann-Weierstrass theorem (Ax 1971) exponentials of
functions satisfy no algebraic relation but $e^{u+v} = e^u e^v$ and those with constants, so any character of the
additive group of exponents extends a homomorphism of polynomials: modulo p, $\psi(e^u) = 4^{u \bmod q}$, 4 being of
order q; modulo q likewise with r; modulo the last, 1. Reciprocals are inverses. $u^{-1/2}$ is that root which is a
square itself, a power of u: products go to products. softplus(u) - u/2, which is even, takes any value for each |u|,
and so do log u for each u but 1, and $\Phi(u) - 1/2$, which is odd (Kolchin-Ostrowski, Liouville). That roots and
logarithms allow this, ``independence.py``, ``logarithms.py`` and ``exponents.py`` have to show. All of it depends,
modulo a field, on residues modulo it and those after it alone.

For sin and cos, m is a product of primes p, q of p - 1, s of p + 1, t of s + 1 and u of q + 1: $e^{iz}$ is
$\omega^{z \bmod s}$ modulo p, $\omega = a + b i$ of norm 1 and order s, likewise modulo s with t and modulo q with u,
and 1 modulo the others; sin and cos are its parts. Since a relation $\sum a_j u_j + i \sum b_k v_k = c$ of real
functions is one of each kind, both characters are free.

A minor of brackets that is not 0 under $\psi$ is not the zero function: ranks modulo p are proved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property, lru_cache, partial
from hashlib import sha256
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.programs.places import Mask
from clexact.support.errors import UndefinedError

BASE = 4  # a square other than 1: of order q modulo p
CLASS = 240  # primes p are -1 modulo it: q is then 7 modulo 8, 2 modulo 3 and 4 modulo 5
LONG = 2**21  # primes below it are those of a chain of three
TRIES = 2**15  # of primes: there are few chains of three
STEP = 2**12  # powers of the base are products of two from tables of so many
ANGLES = ("sin", "cos")
AROUND = {  # primes p for these, with q, s, t, u: all that are 7 modulo 8, p of 21 or 22 bits, their product below 2^62
    1698311: (169831, 919, 23, 71),
    1713791: (13183, 4463, 31, 103),
    1739039: (4007, 3623, 151, 167),
    2453519: (12647, 10223, 71, 31),
    2523359: (13007, 751, 47, 271),
    2785031: (278503, 823, 103, 31),
    3291719: (4231, 27431, 127, 23),
}


def chain(prime: int) -> tuple[int, ...]:
    """p, q, and r where p is below ``LONG``."""
    fields = [prime, prime >> 1, prime >> 2]
    return tuple(fields if prime < LONG else fields[:2])


def square_primes(angles: bool) -> tuple[int, ...]:
    """Numbers that are squares modulo all fields of every prime that is drawn."""
    return (2,) if angles else (2, 3, 5)


def draw_prime(draws: Draws, bits: int, avoiding: int = 1, angles: bool = False, squares: Collection[int] = ()) -> int:
    """A random first prime of a chain, of so many bits, modulo all of which 2, 3, 5 and ``squares`` are squares.

    For ``angles`` one of ``AROUND``; 3 and 5 may then be none. UndefinedError where there is no such prime.
    """
    if angles:
        return _draw_prime_of_angles(draws, avoiding, squares)
    first = (1 << bits - 1) // CLASS + 1
    for _ in range(TRIES):
        p = CLASS * (first + int(draws.residues((1,), first)[0])) - 1
        fields = chain(p)
        if p >> bits or not all(linalg.is_prime(f) and avoiding % f for f in fields):
            continue
        if all(f % 8 == 7 for f in fields) and _are_squares(squares, fields):
            return p
    raise UndefinedError("no primes are found modulo which all constants have residues and roots")


def _draw_prime_of_angles(draws: Draws, avoiding: int, squares: Collection[int]) -> int:
    known = {p: (p, *others) for p, others in AROUND.items()}
    left = [p for p, fields in known.items() if all(avoiding % f for f in fields) and _are_squares(squares, fields)]
    if not left:
        raise UndefinedError("no fields of angles are known in which all constants have residues and roots")
    return left[int(draws.residues((1,), 2**32)[0]) % len(left)]


def _are_squares(numbers: Collection[int], fields: Sequence[int]) -> bool:
    """Whether these are squares other than 0 modulo all of these primes."""
    return all(pow(n, (f - 1) // 2, f) == 1 for n in numbers for f in fields)


class Characters:
    """The homomorphism for a prime p: values of functions as residues modulo m, and where they are undefined.

    With ``angles``, that for sin and cos too.
    """

    def __init__(self, prime: int, angles: bool = False) -> None:
        self.prime, self.angles = prime, angles
        self.fields = (prime, *AROUND[prime]) if angles else chain(prime)
        self.modulus = prod(self.fields)
        self._exponents = self.fields[:2] if angles else self.fields  # a chain
        self._turns = list[tuple[int, int]]()  # fields, and those of the angles in them
        if angles:
            p, q, s, t, u = self.fields
            self._turns = [(p, s), (s, t), (q, u)]
        self.functions: dict[str, Callable[[Words], tuple[Words, Mask]]] = {
            "exp": self._exp,
            "reciprocal": self._reciprocal,
            "rsqrt": self._rsqrt,
            "sigmoid": self._sigmoid,
            "tanh": self._tanh,
            "normal_cdf": self._normal_cdf,
            "softplus": self._softplus,
            "log": self._log,
        }
        if angles:
            self.functions |= {"cos": partial(self._turned, part=0), "sin": partial(self._turned, part=1)}

    def written(self) -> dict[str, Any]:
        """Its choices, in a document."""
        later = list(self._exponents[1:])
        said: dict[str, Any] = {"fields": later, "bases": self._bases, "key": self.prime}
        if self.angles:
            said["angles"] = [[f, order, *_of_order(order, f)] for f, order in self._turns]
        return said

    def value(self, name: str, u: Words) -> tuple[Words, Mask]:
        """A function of residues, and where it is undefined, (fields, ...)."""
        return self.functions[name](u)

    def any_value(self, name: str, u: Words, parity: int = 0) -> Words:
        """Values drawn for u, even or odd ones (parity 1 or -1) for |u|: in each field by u modulo it and those after.

        So they depend on later fields alone, as exponentials and turns do.
        """
        parts, modulus = list[Words](), self.modulus
        for field in self.fields:
            z = u % np.uint64(modulus)
            minus = linalg.subtract(np.zeros_like(z), z, modulus)
            part = drawn(name, self.prime, np.minimum(z, minus) if parity else z) % np.uint64(field)
            if parity < 0:
                part = np.where(z == 0, np.uint64(0), part)
                part = np.where(z <= minus, part, linalg.subtract(np.zeros_like(part), part, field))
            parts.append(part)
            modulus //= field
        return self.joined(parts)

    @property
    def half(self) -> int:
        """1/2."""
        return (self.modulus + 1) // 2

    @cached_property
    def density(self) -> int:
        r"""$\kappa = 1/\sqrt{2\pi}$, transcendental: any residue."""
        return int(self.any_value("density", np.ones(1, dtype=np.uint64))[0])

    @property
    def _bases(self) -> list[int]:
        """Powers of 4, of the order of the next field modulo each."""
        return [pow(BASE, (f - 1) // (2 * order), f) for f, order in pairwise(self._exponents)]

    @cached_property
    def _powers(self) -> list[tuple[Words, Words]]:
        """For each field but the last, base^k and base^(STEP k) modulo it."""
        fields = zip(self._bases, self._exponents, strict=False)
        return [(_powers(base, f), _powers(pow(base, STEP, f), f)) for base, f in fields]

    @cached_property
    def _circles(self) -> list[tuple[Words, Words]]:
        """For each of these fields, the parts of the powers of omega modulo it."""
        return [_turns(_of_order(order, f), order, f) for f, order in self._turns]

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
        for order, field, (low, high) in zip(self._exponents[1:], self._exponents, self._powers, strict=False):
            place = (u % np.uint64(order)).astype(np.int64)
            parts.append(low[place % STEP] * high[place // STEP] % np.uint64(field))
        parts += [np.ones_like(u)] * (len(self.fields) - len(parts))
        return self.joined(parts), self._nowhere(u)

    def _turned(self, u: Words, part: int) -> tuple[Words, Mask]:
        """cos (part 0) and sin (part 1): where there are no angles 1 and 0."""
        parts = [np.full_like(u, 1 - part)] * len(self.fields)
        for (field, order), circle in zip(self._turns, self._circles, strict=True):
            parts[self.fields.index(field)] = circle[part][(u % np.uint64(order)).astype(np.int64)]
        return self.joined(parts), self._nowhere(u)

    def _log(self, u: Words) -> tuple[Words, Mask]:
        of_one = self.any_value("log", np.ones_like(u))
        values = linalg.subtract(self.any_value("log", u), of_one, self.modulus)
        return values, np.stack([x == 0 for x in self.split(u)])

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

    def _normal_cdf(self, u: Words) -> tuple[Words, Mask]:
        odd = self.any_value("normal_cdf", u, parity=-1)
        return linalg.add(odd, np.full_like(u, self.half), self.modulus), self._nowhere(u)

    def _softplus(self, u: Words) -> tuple[Words, Mask]:
        even = self.any_value("softplus", u, parity=1)
        half = linalg.multiply(u, np.full_like(u, self.half), self.modulus)
        return linalg.add(half, even, self.modulus), self._nowhere(u)


@lru_cache(maxsize=8)
def characters(prime: int, angles: bool = False) -> Characters:
    """The homomorphism for a prime, made once."""
    return Characters(prime, angles)


def _powers(base: int, field: int) -> Words:
    """base^0, ..., base^(STEP - 1)."""
    table = [1]
    for _ in range(1, STEP):
        table.append(table[-1] * base % field)
    return np.array(table, dtype=np.uint64)


def _of_order(order: int, field: int) -> tuple[int, int]:
    """a + b i of norm 1 and this order, a prime factor of field + 1: a power of (k + i) / (k - i)."""
    for k in range(2, field):
        norm = pow(k * k + 1, -1, field)
        found = (1, 0)
        for bit in bin((field + 1) // order)[2:]:
            found = _times(found, found, field)
            found = _times(found, ((k * k - 1) * norm % field, 2 * k * norm % field), field) if bit == "1" else found
        if found != (1, 0):
            return found
    raise ValueError(f"no turn of order {order} modulo {field}.")


def _times(x: tuple[int, int], y: tuple[int, int], field: int) -> tuple[int, int]:
    """(a + b i)(c + d i)."""
    return (x[0] * y[0] - x[1] * y[1]) % field, (x[0] * y[1] + x[1] * y[0]) % field


def _turns(omega: tuple[int, int], order: int, field: int) -> tuple[Words, Words]:
    """The two parts of omega^0, ..., omega^(order - 1)."""
    table = [(1, 0)]
    for _ in range(1, order):
        table.append(_times(table[-1], omega, field))
    first, second = np.array(table, dtype=np.uint64).T
    return first, second


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
