"""Functions of residues: opaque ones, and a ring homomorphism by characters of a chain of fields."""

from __future__ import annotations

import hashlib
import random
from math import gcd, prod
from typing import TYPE_CHECKING

from clexact.proofs.verifier.large.outcome import truth
from clexact.proofs.verifier.large.primes import is_prime, symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clexact.proofs.verifier.large.limits import Jet, Pair
    from clexact.proofs.verifier.large.node import Node
    from clexact.proofs.verifier.large.point import Point

MAX_FIELDS, MAX_MODULUS, MIN_TURN, MAX_TURN = 5, 2**62, 1007, 2**13


class Pole(Exception):  # noqa: N818
    """A function is not defined at an argument."""


class Functions:
    """Values of functions modulo m; slopes of those whose slope is known of any value."""

    m: int

    def value(self, name: str, u: int) -> int:
        """At u; the slope of f is called f'."""
        raise NotImplementedError

    def values(self, name: str, arguments: list[int]) -> list[int]:
        return [self.value(name, u) for u in arguments]

    def slope(self, name: str, at: Point, node: Node, z: Jet, f: Jet) -> Jet:
        """The derivative at z of the function with value f there."""
        match name:
            case "exp":
                return f
            case "reciprocal":
                return at.combined((-1, at.product(f, f)))
            case "rsqrt":
                return at.combined((-pow(2, -1, self.m), at.product(f, at.applied(node, z, "reciprocal"))))
            case "log":
                return at.applied(node, z, "reciprocal")
        return at.applied(node, z, f"{name}'")


class Opaque(Functions):
    """Modulo a prime, without infinitesimals: values drawn at random, equal ones at equal arguments."""

    def __init__(self, p: int) -> None:
        self.m, self.random, self.drawn = p, random.SystemRandom(), dict[tuple[str, int], int]()

    def value(self, name: str, u: int) -> int:
        if name in ("reciprocal", "rsqrt") and not u:
            raise Pole("a reciprocal of 0")
        if name == "reciprocal":
            return pow(u, -1, self.m)
        return self.drawn.setdefault((name, u), self.random.randrange(self.m))


class Homomorphism(Functions):
    """The images of functions modulo m = f_0 f_1 ... f_n, primes with f_(i+1) | f_i - 1.

    Exponentials mod f_i are powers of a base of order f_(i+1), with the exponent mod f_(i+1), and 1 mod f_n; roots are
    those that are squares, so that products go to products; normal_cdf - 1/2, odd, and softplus(u) - u/2, even, have
    any value for each |u|, by a key, as has log for each u but 1, where it is 0.

    sin and cos take more fields: e^(iu) mod f is omega^(u mod s), with omega = a + b i of norm 1 and order s | f + 1,
    for the angles (f, s, a, b) given, and 1 in all other fields. What is modulo a field depends on residues modulo it
    and those after it alone.
    """

    def __init__(
        self,
        fields: list[int],
        bases: list[int],
        key: int,
        angles: Sequence[Sequence[int]] = (),
    ) -> None:
        self.chain, self.bases, self.key, self.words = fields, bases, key, dict[str, list[int]]()
        more = [order for _, order, _, _ in angles if order not in fields]
        self.angles, self.fields = angles, [*fields, *dict.fromkeys(more)]
        self.m = prod(self.fields)
        truth(2 <= len(fields) <= MAX_FIELDS, f"there must be from 1 to {MAX_FIELDS - 1} fields beside F_p")
        truth(len(bases) == len(fields) - 1, f"{len(fields) - 1} bases are needed")
        truth(
            all(f > 2 for f in self.fields) and self.m < MAX_MODULUS,
            "the product of the fields is too large, or negative",
        )
        for f in self.fields:
            truth(f % 4 == 3 and is_prime(f), f"the field {f} is not a prime that is 3 modulo 4")
        self.steps = list(zip(bases, fields[1:], fields, strict=False))
        truth(len({f for f, *_ in angles}) == len(angles), "a field has angles twice")
        for f, order, a, b in angles:
            truth(f in self.fields and (f + 1) % order == 0, f"the field {order} does not divide {f} + 1")
            truth(0 <= a < f and 0 <= b < f and (a * a + b * b) % f == 1, f"({a}, {b}) is not of norm 1 modulo {f}")
            truth((a, b) != (1, 0) == turn((a, b), order, f), f"({a}, {b}) is not of order {order} modulo {f}")
        for base, order, f in self.steps:
            truth((f - 1) % order == 0, f"the field {order} does not divide {f} - 1")
            truth(1 < base < f and pow(base, order, f) == 1, f"the base {base} is not of order {order} modulo {f}")
        truth(0 <= key < 2**64, "the key is not a number of 64 bits")
        rest = [(self.m // f, f) for f in self.fields]
        self.units = [n * pow(n, -1, f) for n, f in rest]  # 1 modulo one field, 0 modulo the others

    def joined(self, residues: Iterable[int]) -> int:
        """The residue mod m of residues in the fields."""
        return sum(x * unit for x, unit in zip(residues, self.units, strict=True)) % self.m

    def any_value(self, name: str, u: int, parity: int = 0) -> int:
        """Any residue for u, or for |u| (parity 1: even, -1: odd): in each field by u modulo it and those after it."""
        parts, modulus = list[int](), self.m
        for f in self.fields:
            z, minus = u % modulus, -u % modulus
            part = 0 if parity < 0 and not z else self.hashed(name, min(z, minus) if parity else z)
            parts.append(-part if parity < 0 and z > minus else part)
            modulus //= f
        return self.joined(parts)

    def hashed(self, name: str, z: int) -> int:
        """64 bits, the same for the same name and argument: the keyed finaliser of SplitMix64, twice."""
        if name not in self.words:
            texts = [f"{name} {i} {self.key}".encode() for i in range(2)]
            self.words[name] = [int.from_bytes(hashlib.sha256(text).digest()[:8], "big") for text in texts]
        for word in self.words[name]:
            z = (z + word) % 2**64
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            z ^= z >> 31
        return z

    def value(self, name: str, u: int) -> int:
        m = self.m
        match name:
            case "exp":
                powers = [pow(h, u % order, f) for h, order, f in self.steps]
                return self.joined([*powers, *[1] * (len(self.fields) - len(powers))])
            case "reciprocal":
                if gcd(u, m) > 1:
                    raise Pole("a reciprocal of 0")
                return pow(u, -1, m)
            case "rsqrt":
                if any(symbol(u, f) != 1 for f in self.fields):
                    raise Pole("a root of what is no square")
                return self.root(u)
            case "sigmoid":
                return self.value("reciprocal", 1 + self.value("exp", -u))
            case "tanh":
                return 2 * self.value("sigmoid", 2 * u) - 1
            case "normal_cdf":
                return (m + 1) // 2 + self.any_value(name, u, parity=-1)
            case "log":
                if gcd(u, m) > 1:
                    raise Pole("a logarithm of 0")
                return self.logarithm(u)
            case "cos" | "sin":
                return self.turned(u)[name == "sin"]
        return u * ((m + 1) // 2) + self.any_value(name, u, parity=1)  # softplus

    def logarithm(self, u: int) -> int:
        """Of 1 it is 0."""
        return self.any_value("log", u) - self.any_value("log", 1)

    def turned(self, u: int) -> Pair:
        """cos and sin of u."""
        parts = {f: turn((a, b), u % order, f) for f, order, a, b in self.angles}
        both = [parts.get(f, (1, 0)) for f in self.fields]
        return self.joined(a for a, _ in both), self.joined(b for _, b in both)

    def root(self, u: int) -> int:
        """u^(-1/2), itself a square."""
        return self.joined(pow(u, (f - 3) // 4, f) for f in self.fields)

    def slope(self, name: str, at: Point, node: Node, z: Jet, f: Jet) -> Jet:
        match name:
            case "sigmoid":
                return at.combined((1, f), (-1, at.product(f, f)))
            case "tanh":
                return at.combined((1, {0: dict.fromkeys(range(prod(node.shape)), 1)}), (-1, at.product(f, f)))
            case "normal_cdf":
                density = at.applied(node, at.combined((-pow(2, -1, self.m), at.product(z, z))), "exp")
                return at.combined((self.any_value("density", 1), density))
            case "softplus":
                return at.applied(node, z, "sigmoid")
            case "sin":
                return at.applied(node, z, "cos")
            case "cos":
                return at.combined((-1, at.applied(node, z, "sin")))
        return super().slope(name, at, node, z, f)


def turn(omega: Pair, power: int, f: int) -> Pair:
    """(a + b i)^power modulo f."""
    (a, b), (c, d) = omega, (1, 0)
    while power:
        if power & 1:
            c, d = (a * c - b * d) % f, (a * d + b * c) % f
        a, b, power = (a * a - b * b) % f, 2 * a * b % f, power >> 1
    return c, d


def drawn(source: random.Random) -> Homomorphism:
    """One that no document can know, with a field of angles."""
    while True:
        q, a = 8 * source.randrange(2**20, 2**21) + 7, source.randrange(2**20)
        p, norm = 2 * q + 1, a * a + 1
        if not (is_prime(q) and is_prime(p)):
            continue
        s = next((d for d in range(MIN_TURN, MAX_TURN, 8) if (p + 1) % d == 0 and is_prime(d)), 0)
        omega = turn(((a * a - 1) * pow(norm, -1, p), 2 * a * pow(norm, -1, p)), (p + 1) // s, p) if s else (1, 0)
        if omega != (1, 0):
            return Homomorphism([p, q], [4], source.randrange(2**64), [(p, s, *omega)])
