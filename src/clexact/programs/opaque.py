"""Values of a program modulo a prime in which analytic functions are opaque: any values, equal for equal arguments.

What vanishes for opaque functions vanishes for every function. The exponential and the logarithm keep their
derivatives, so a softmax and its logarithm do not see translations; reciprocals are true; the slope of f = u^(-1/2) is
-f/(2u), so that it is seen to be homogeneous.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from clexact.algebra.draws import Draws
from clexact.programs.characters import drawn, power
from clexact.programs.jets import Jet
from clexact.programs.true_jets import FunctionJets


class OpaqueJets(FunctionJets):
    """Residues, without infinitesimals, with functions drawn at random; and one reverse sweep of them."""

    def __init__(self, prime: int, draws: Draws) -> None:
        super().__init__(prime)
        self._key = draws.integers(0, 2**61 - 1, 1)[0]

    @property
    def density(self) -> int:
        return 1

    def at(self, name: str, a: Jet) -> Jet:
        if name == "reciprocal":
            return {0: power(a[0], self.prime - 2, self.prime)}
        return {0: drawn(name, self._key, a[0]) % np.uint64(self.prime)}

    def slope(self, name: str, z: Jet, f: Jet) -> Jet:
        if name in ("exp", "reciprocal", "log"):
            return super().slope(name, z, f)
        if name == "rsqrt":
            return self._times(Fraction(-1, 2), self.multiply(f, self.function(z, "reciprocal")))
        return self.at(f"{name}'", z)
