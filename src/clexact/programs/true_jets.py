"""Jets with analytic functions: those of ``characters.py``, modulo m."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.linalg import Words
from clexact.programs.analytic import Analytic
from clexact.programs.characters import Characters
from clexact.programs.jets import Jet, Jets
from clexact.programs.places import Mask, Shape


class FunctionJets(Jets, Analytic[Words]):
    """Dense jets modulo a number, with functions that a subclass knows."""

    def shape(self, a: Jet) -> Shape:
        return next(iter(a.values())).shape[1:]

    def number(self, value: int | Fraction, shape: Shape) -> Jet:
        residue = linalg.residues(np.array(value, dtype=object), self.prime)
        return {0: np.broadcast_to(residue, (1, *shape))}


class TrueJets(FunctionJets):
    """Jets modulo m, whose nilpotent parts hold modulo p. ``undefined``: for each function applied, where it is so."""

    def __init__(self, characters: Characters) -> None:
        super().__init__(characters.modulus)
        self.characters = characters
        self.undefined: list[Mask] = []  # (fields, rows, *places)

    @property
    def density(self) -> int:
        return self.characters.density

    def at(self, name: str, a: Jet) -> Jet:
        value, undefined = self.characters.value(name, a[0])
        self.undefined.append(undefined)
        return {0: value}
