"""Values of a program modulo a prime in which analytic functions are opaque: any values, equal for equal arguments.

What vanishes for opaque functions vanishes for every function. The exponential keeps its derivative, so a softmax does
not see translations; reciprocals are true.
"""

from __future__ import annotations

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.programs.jets import Jet, Jets
from clexact.support.digest import digest


class OpaqueJets(Jets):
    """Residues, without infinitesimals, with functions drawn at random; and one reverse sweep of them."""

    def __init__(self, prime: int, draws: Draws) -> None:
        super().__init__(prime)
        self._key = draws.integers(0, 2**61 - 1, 2)

    def function(self, a: Jet, name: str) -> Jet:
        return {0: self._inverse(a[0]) if name == "reciprocal" else self._any(name, a[0])}

    def softmax(self, a: Jet, axis: int) -> Jet:
        powers = self._any("exp", a[0])
        total = np.expand_dims(self.sum_axis(powers, axis + 1), axis + 1)
        return {0: linalg.multiply(powers, self._inverse(total), self.prime)}

    def pull_back_function(self, name: str, a: Jet, value: Jet, g: Jet) -> Jet:
        return self.multiply(g, self._slope(name, a, value))

    def _slope(self, name: str, a: Jet, value: Jet) -> Jet:
        if name == "reciprocal":
            return self.subtract({}, self.multiply(value, value))
        return value if name == "exp" else {0: self._any(f"{name}'", a[0])}

    def pull_back_softmax(self, axis: int, value: Jet, g: Jet) -> Jet:
        r"""$s_i (g_i - \sum_j s_j g_j)$."""
        weighted = self.multiply(g, value)
        total = np.expand_dims(self.sum_axis(weighted[0], axis + 1), axis + 1)
        return self.subtract(weighted, self.multiply(value, {0: total}))

    def _any(self, name: str, z: Words) -> Words:
        """A function drawn at random for its name: the finaliser of SplitMix64, keyed, twice."""
        words = [int.from_bytes(digest(name, key)[:8], "big") for key in self._key]
        return _mixed(_mixed(z, words[0]), words[1]) % np.uint64(self.prime)

    def _inverse(self, z: Words) -> Words:
        return self.power({0: z}, self.prime - 2)[0]


def _mixed(z: Words, key: int) -> Words:
    z = z + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
