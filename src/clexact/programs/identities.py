r"""Functions of products and sums that are simpler than they are written: $\log(uv)$, $e^{\log u}$, $(4u)^{-1/2}$.

Residues of logarithms and of roots must be those of independent functions (``logarithms.py``, ``independence.py``). So
what an identity relates is written in the same functions when it is recorded, wherever that identity holds at all real
numbers: logarithms and roots of squares need factors that are positive, which is told from how these are made.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from math import isqrt
from operator import add, mul
from typing import TYPE_CHECKING

from clexact.programs.operations import Node

if TYPE_CHECKING:
    from clexact.programs.array import Array

POSITIVE = ("exp", "sigmoid", "softplus", "normal_cdf", "rsqrt")  # functions, where they are defined
MOVED = ("sum", "reshape", "transpose", "take", "select", "concatenate")  # operations of which no entry is smaller
MOST = 64  # terms or powers that are looked at
DEPTH = 6  # to which it is looked at how a number is made


def simpler(z: Array, name: str) -> Array | None:
    """A function of z otherwise, where an identity makes it simpler; else None."""
    rule = {"log": _logarithm, "exp": _exponential, "rsqrt": _root}.get(name)
    return rule(z) if rule else None


def _root(z: Array) -> Array | None:
    r"""$(c^2 u\,v^2 e^w \cdots)^{-1/2}$ is $u^{-1/2} e^{-w/2} / (c\,v \cdots)$ for c and v > 0."""
    factor, powers = _product(z)
    exact = Fraction(isqrt(factor.numerator), isqrt(factor.denominator)) if factor > 0 else Fraction(1)
    root = exact if exact**2 == factor else Fraction(1)
    parts: list[Array] = []
    left: list[Array] = [z.symbol(factor)] if factor != root**2 else []
    for n, power in powers.items():
        node, halves = z.program.nodes[n], power // 2 if _sign(z, n) == 1 else 0
        if _is(node, "exp"):
            parts.append((_at(z, node.inputs[0]) * Fraction(-power, 2))._function("exp"))
            continue
        parts += [_at(z, n)._function("reciprocal") ** halves] if halves else []
        left += [_at(z, n) ** (power - 2 * halves)] if power > 2 * halves else []
    if root == 1 and not parts:
        return None
    return reduce(mul, [*parts, *([reduce(mul, left)._function("rsqrt")] if left else [])]) * (1 / root)


def _logarithm(z: Array) -> Array | None:
    r"""$\log(u v \cdots)$ of positive factors is $\log u + \log v + \cdots$, $\log e^u$ is u."""
    if z.node.op == "function" and z.node.data in ("exp", "rsqrt", "reciprocal"):
        inner = _at(z, z.node.inputs[0])
        if z.node.data == "exp":
            return inner
        if z.node.data == "rsqrt" or _sign(z, inner.number) == 1:
            return inner._function("log") * (Fraction(-1, 2) if z.node.data == "rsqrt" else -1)
        return None
    factor, powers = _product(z)
    if factor != 1 or powers == {z.number: 1}:
        return None
    unseen = [n for n in powers if _sign(z, n) != 1]  # one is positive if all others are
    if len(unseen) > 1 or any(powers[n] > 1 for n in unseen):
        return None
    return reduce(add, [_at(z, n)._function("log") * power for n, power in powers.items()])


def _exponential(z: Array) -> Array | None:
    r"""$e^{k \log u + v}$ is $u^k e^v$ for u > 0 and integers and half integers k, softplus(u) being log(1 + e^u)."""
    powers: list[Array] = []
    left: list[Array] = []
    for term in _terms(z):
        factor, found = _product(term)
        n, power = next(iter(found.items()), (z.number, 0))
        node, whole = z.program.nodes[n], len(found) == power == 1 and (2 * factor).denominator == 1
        if whole and _is(node, "softplus"):
            powers.append((_at(z, node.inputs[0])._function("exp") + 1) ** _exponent(factor))
        elif whole and _is(node, "log") and _sign(z, node.inputs[0]) == 1:
            powers.append(_at(z, node.inputs[0]) ** _exponent(factor))
        else:
            left.append(term)
    if not powers:
        return None
    return reduce(mul, [*powers, *([reduce(add, left)._function("exp")] if left else [])])


def _exponent(factor: Fraction) -> int | Fraction:
    return int(factor) if factor.denominator == 1 else factor


def _is(node: Node, name: str) -> bool:
    return node.op == "function" and node.data == name


def _at(z: Array, n: int) -> Array:
    return type(z)(z.program, n)


def _terms(z: Array) -> list[Array]:
    """What z is the sum of, where these are not too many."""
    found, left = list[int](), [z.number]
    while left and len(found) + len(left) <= MOST:
        node = z.program.nodes[n := left.pop()]
        left += reversed(node.inputs) if node.op == "add" else []
        found += [n] if node.op != "add" else []
    return [z] if left else [_at(z, n) for n in found]


def _product(z: Array) -> tuple[Fraction, dict[int, int]]:
    """What z is the product of: a number, and nodes with their powers."""
    factor, powers, left = Fraction(1), dict[int, int](), {z.number: 1}
    while left:
        power = left.pop(n := max(left))  # what it is used in comes after it
        node = z.program.nodes[n]
        if node.op == "multiply" and power <= MOST and len(left) <= MOST:
            for i in node.inputs:
                left[i] = left.get(i, 0) + power
        elif node.op == "constant" and n != z.number and len(values := set(node.data.ravel().tolist())) == 1:
            factor *= Fraction(values.pop()) ** power
        else:
            powers[n] = powers.get(n, 0) + power
    return factor, powers


def _sign(z: Array, n: int, depth: int = DEPTH) -> int | None:
    """1 for a node that is positive where it is defined, 0 where it may be 0 too; None where no sign is seen."""
    node = z.program.nodes[n]
    if node.op == "constant":
        least = min(node.data.ravel().tolist(), default=1)
        return None if least < 0 else int(least > 0)
    if node.op == "softmax" or (node.op == "function" and node.data in POSITIVE):
        return 1
    if depth and node.op == "multiply":
        factor, powers = _product(_at(z, n))
        signs = [_sign(z, i, depth - 1) for i in powers]
        even = [
            0 if sign is None and power % 2 == 0 else sign for sign, power in zip(signs, powers.values(), strict=True)
        ]
        known = [sign for sign in even if sign is not None]
        return None if factor < 0 or len(known) < len(powers) else min(known, default=1) if factor else 0
    if not depth or not (node.op in (*MOVED, "add") or _is(node, "reciprocal")):
        return None
    known = [sign for i in node.inputs if (sign := _sign(z, i, depth - 1)) is not None]
    if len(known) < len(node.inputs):
        return None
    return max(known) if node.op == "add" else min(known)
