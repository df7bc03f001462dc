"""Families of laws: by the rule of shapes, or polynomials."""

from __future__ import annotations

import re
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import MAX_BITS, MAX_CLEARED, MAX_DIGITS, MAX_WEIGHT, NAME, Part
from clexact.proofs.verifier.large.node import reduced, strides
from clexact.proofs.verifier.large.outcome import Untrue, form
from clexact.proofs.verifier.large.reading import rational, typed

if TYPE_CHECKING:
    from clexact.proofs.verifier.large.limits import Poly
    from clexact.proofs.verifier.large.outcome import Allowance
    from clexact.proofs.verifier.large.phase import Phase
    from clexact.proofs.verifier.large.program import Layout, Program

SHOWN = 6  # names in a sentence
POWER = rf"({NAME}'*)(?:\[([0-9]+(?:,[0-9]+)*)\])?(?:\^([1-9][0-9]{{0,8}}))?"
Rational = dict[tuple[tuple[int, int], ...], Fraction]


def cleared(polynomials: dict[int, Rational], what: str) -> dict[int, Poly]:
    """Those that are not 0, with integer coefficients: all multiplied by one number."""
    scale, terms = 1, sum(map(len, polynomials.values()))
    for c in (c for poly in polynomials.values() for c in poly.values()):
        scale = lcm(scale, c.denominator)
        bits = scale.bit_length()
        form(bits <= MAX_BITS and bits * terms <= MAX_CLEARED, f"{what}: the denominators are too long")
    return {j: {m: int(c * scale) for m, c in poly.items()} for j, poly in polynomials.items() if poly}


class Gram:
    """Laws h_kl = sum of sign * <k-th slice, l-th slice> along axes, k <= l; diagonal: only h_kk, signs are weights."""

    def __init__(self, data: Any, program: Program, diagonal: bool, what: str) -> None:
        self.parts: dict[tuple[str, int], int] = {}
        self.program, self.diagonal, self.what = program, diagonal, what
        for part in typed(data["parts"], list, what):
            name, axis, sign = part if type(part) is list and len(part) == 3 else ("", 0, 0)
            fine = type(name) is str and name in program.theta.shapes and type(axis) is type(sign) is int
            form(
                fine and 0 < abs(sign) <= (MAX_WEIGHT if diagonal else 1), f"{what}: a part is [parameter, axis, sign]"
            )
            form(
                0 <= axis < len(program.theta.shapes[name]) and (name, axis) not in self.parts, f"{what}: a wrong axis"
            )
            self.parts[name, axis] = sign
        sizes = {program.theta.shapes[name][axis] for name, axis in self.parts}
        form(len(sizes) == 1, f"{what}: the axes must have one size")
        self.size = sizes.pop()
        self.count = self.size if diagonal else self.size * (self.size + 1) // 2

    @property
    def named(self) -> str:
        """Of which parameters, some of them."""
        names = [*dict.fromkeys(name for name, _ in self.parts)]
        return ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)

    def check(self, allowance: Allowance) -> None:
        """``Untrue`` unless these are laws by the rule of shapes."""
        try:
            self.program.respects(self.parts, self.size, self.diagonal, allowance)
        except Untrue as error:
            raise type(error)(f"{self.what} is not shown by the rule of shapes: {error}") from None

    def entries_at(self, theta: Part) -> int:
        """Entries of all gradients, at most."""
        return (1 if self.diagonal else self.size) * len(self.parts) * len(theta)

    def gradients(self, theta: Part, p: int, allowance: Allowance) -> list[Part]:
        """Gradients at a point, in the order of (k, l)."""
        out, r = list[Part]({} for _ in range(self.count)), self.size
        first = [0 if self.diagonal else k * r - k * (k + 1) // 2 for k in range(r)]  # h_kl is number first[k] + l
        arrays = self.program.theta.split(reduced(theta, p))
        allowance.spend(2 * self.entries_at(theta))
        for (name, axis), sign in self.parts.items():
            step, start = strides(self.program.theta.shapes[name])[axis], self.program.theta.first[name]
            for i, x in arrays.get(name, {}).items():  # x in slice m: it stands in h_km for every k
                m = i // step % r
                for k in (m,) if self.diagonal else range(r):
                    row, j = out[first[min(k, m)] + max(k, m)], start + i + (k - m) * step
                    row[j] = row.get(j, 0) + (2 if k == m else 1) * sign * x
        return [reduced(row, p) for row in out]


class Polynomials:
    """Laws given as text, and how polynomials are read."""

    def __init__(self, data: Any, layout: Layout, what: str, allowance: Allowance) -> None:
        self.layout, self.allowance, texts = layout, allowance, typed(data, list, what)
        self.laws = [self.polynomial(text, f"{what}, law {n}") for n, text in enumerate(texts)]
        self.count, self.entries = len(texts), sum(len(m) for law in self.laws for m in law)
        self.degree = max((sum(k for _, k in m) for law in self.laws for m in law), default=0)

    def polynomial(self, text: Any, what: str) -> Poly:
        """From text such as 2/3*x^2*U[0,1] - z; denominators cleared."""
        return cleared({0: self.rational(text, what)}, what).get(0, {})

    def rational(self, text: Any, what: str) -> Rational:
        """From text such as 2/3*x^2*U[0,1] - z."""
        form(not re.search(r"[\w\]] +\w", typed(text, str, what)), f"{what}: a blank inside a term")
        packed, out = text.replace(" ", ""), dict[tuple[tuple[int, int], ...], Fraction]()
        terms = re.findall(r"([+-]?)([^+-]+)", packed)
        whole = "".join(s + t for s, t in terms) == packed and all(s for s, _ in terms[1:])
        form(terms and whole, f"{what}: no polynomial")
        self.allowance.spend(10 * (len(terms) + packed.count("*")))
        for sign, term in terms:
            c, powers, factors = Fraction(-1 if sign == "-" else 1), dict[int, int](), term.split("*")
            if factors[0][:1].isdigit():
                c *= rational(factors.pop(0), what)
            for factor in factors:
                variable, k = self.power(factor, what)
                powers[variable] = powers.get(variable, 0) + k
            key = tuple(sorted(powers.items()))
            out[key] = out.get(key, Fraction(0)) + c
            form(out[key].denominator.bit_length() <= MAX_BITS, f"{what}: the denominators are too long")
        return {m: c for m, c in out.items() if c}

    def power(self, factor: str, what: str) -> tuple[int, int]:
        """(place in theta, power)."""
        form(len(factor) <= MAX_DIGITS, f"{what}: a factor is too long")
        match = re.fullmatch(POWER, factor)
        sizes = self.layout.shapes.get(match[1]) if match else None
        index = tuple(int(i) for i in (match[2] or "").split(",") if i) if match else ()
        form(match and sizes is not None and len(index) == len(sizes), f"{what}: {factor[:40]!a} is no power")
        form(all(i < n for i, n in zip(index, sizes or (), strict=True)), f"{what}: {factor[:40]!a} is no power")
        place = self.layout.first[match[1]] + sum(i * s for i, s in zip(index, strides(sizes or ()), strict=True))  # type: ignore[index]
        return place, int((match and match[3]) or 1)

    def entries_at(self, theta: Part) -> int:
        """Entries of all gradients, at most."""
        return self.entries

    def gradients(self, theta: Part, p: int, allowance: Allowance) -> list[Part]:
        """Gradients at a point."""
        allowance.spend(20 * sum(len(m) ** 2 for law in self.laws for m in law))
        out = []
        for law in self.laws:
            row: Part = {}
            for monomial, c in law.items():
                for v, k in monomial:
                    x = c * k * pow(theta.get(v, 0), k - 1, p)
                    for w, n in monomial:
                        x = x * pow(theta.get(w, 0), n, p) % p if w != v else x
                    row[v] = row.get(v, 0) + x
            out.append(reduced(row, p))
        return out

    def only(self, laws: list[Poly]) -> Polynomials:
        """Some of them."""
        out = Polynomials([], self.layout, "", self.allowance)
        out.laws, out.count, out.degree = laws, len(laws), self.degree
        return out

    def norm_bits(self) -> int:
        """Bits of a bound of the sum over j of |dh/dtheta_j|, summed over the laws h."""
        total = sum(abs(c) for law in self.laws for c in law.values())
        return total.bit_length() + self.degree.bit_length()


def laws_of(data: Any, program: Program, what: str, allowance: Allowance, phase: Phase | None = None) -> Any:
    """A family of laws: Gram, or Polynomials."""
    keys = list(typed(data, dict, what))
    form(keys in (["gram"], ["diagonal"], ["polynomials"]), f"{what} must be gram, diagonal or polynomials")
    if keys == ["polynomials"]:
        return Polynomials(data["polynomials"], phase.layout if phase else program.theta, what, allowance)
    form(not phase, f"{what}: laws of a phase space are polynomials")
    return Gram(typed(data[keys[0]], dict, what, ["parts"]), program, keys == ["diagonal"], what)
