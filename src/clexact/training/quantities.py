"""Laws, and whatever else is to be watched, as numbers along a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clexact.algebra.evaluation import PolynomialMap, Values
from clexact.algebra.polynomial import Polynomial
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.flow import Flow
from clexact.laws.angles import Angle
from clexact.laws.listing import LawList
from clexact.laws.logarithmic import Form, Law, constant
from clexact.laws.result import ConservationLaws
from clexact.symmetry.families import Family


@dataclass(frozen=True)
class Watched:
    """What is watched along a trajectory: names, and laws (of any form) or what might be one."""

    names: tuple[str, ...]
    laws: tuple[Law, ...]

    @cached_property
    def polynomials(self) -> list[Polynomial | None]:
        """Each as a polynomial; None for other forms."""
        return [law.rest if law.form is Form.POLYNOMIAL else None for law in self.laws]

    def values(self, states: Values) -> Values:
        """Values (laws, T) along states (T, D)."""
        D = states.shape[1]
        out = np.zeros((len(self.laws), len(states)), dtype=states.dtype)
        plain = [n for n, p in enumerate(self.polynomials) if p is not None]
        if plain:
            out[plain] = PolynomialMap.of([self.laws[n].rest for n in plain], D)(states).T
        for n, law in enumerate(self.laws):
            if law.form is not Form.POLYNOMIAL:
                out[n] = _value(law, states)
        return out


def _value(law: Law, states: Values) -> Values:
    """A product of powers, or a sum of logarithms, angles and a rational function, along states (T, D)."""
    D = states.shape[1]
    factors = PolynomialMap.of(law.factors, D)(states)
    if law.form is Form.RATIONAL:
        powers = [factors[:, j] ** constant(weight) for j, weight in enumerate(law.weights)]
        return np.asarray(np.prod(powers, axis=0))
    functions = [np.log(np.abs(factors)), *(_angle(angle, states)[:, None] for angle in law.angles)]
    tops = PolynomialMap.of([*law.weights, law.rest], D)(states)
    if law.divisors:
        tops = tops / PolynomialMap.of(law.divisors, D)(states)
    return np.asarray((tops[:, :-1] * np.concatenate(functions, axis=1)).sum(axis=1) + tops[:, -1])


def _angle(angle: Angle, states: Values) -> Values:
    """Along a trajectory, without jumps: the angle of (u, v sqrt|d|) unwrapped, or a logarithm."""
    u, v = PolynomialMap.of([angle.u, angle.v], states.shape[1])(states).T
    root = np.sqrt(np.asarray(abs(angle.d), dtype=states.dtype))
    if angle.d < 0:
        return np.asarray(np.unwrap(np.arctan2(root * v, u)) / root)
    return np.asarray(np.log(np.abs((u + root * v) / (u - root * v))) / (2 * root))


def watched(given: Any, flow: Flow) -> Watched:
    """Laws as users give them: those of ``certify`` if None, a result of it, polynomials, texts, forms, or named ones.

    None of them needs to be a law of the flow. TypeError or ValueError for what is no quantity in its variables.
    """
    if isinstance(given, Watched):
        return given
    if given is None:
        given = certify(flow)
    if isinstance(given, LawCount):
        given = given.laws
    if isinstance(given, LawList):
        given = given.polynomials()
    if isinstance(given, ConservationLaws):
        given = dict(zip(given.written(), given, strict=True))
    if isinstance(given, (str, Polynomial, Law, Family)):
        given = [given]
    if not isinstance(given, (Mapping, Sequence)):
        raise TypeError(f"laws must be polynomials, texts or laws that clexact found, not {given!r}.")
    pairs = given.items() if isinstance(given, Mapping) else [(_name(law), law) for law in given]
    named = [(text, _law(law, flow)) for name, given in pairs for text, law in _numbers(str(name), given)]
    return Watched(tuple(name for name, _ in named), tuple(law for _, law in named))


def _numbers(name: str, law: object) -> list[tuple[str, object]]:
    """A law under its name; those of a family numbered behind it, if they are several."""
    if not isinstance(law, Family):
        return [(name, law)]
    numbers = law.polynomials()
    return [(f"{name} [{n}]" if len(numbers) > 1 else name, h) for n, h in enumerate(numbers)]


def _name(law: object) -> str:
    return law.written() if isinstance(law, Law) else str(law)


def _law(given: object, flow: Flow) -> Law:
    if isinstance(given, str):
        given = Polynomial.from_string(given, flow.variables)
    if isinstance(given, Polynomial):
        given = Law(Form.POLYNOMIAL, (), (), given, dict(flow.exponentials))
    if not isinstance(given, Law):
        raise TypeError(f"a law must be a Polynomial, a text or a Law, not {given!r}.")
    if given.rest.variables != flow.variables:
        raise ValueError(
            f"the law {_name(given)} is in {len(given.rest.variables)} variables {given.rest.variables[0]}, ..., but "
            f"the flow has {flow.dimension}: {flow.variables[0]}, ..."
        )
    return given
