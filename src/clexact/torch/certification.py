r"""Whether a module has other laws than those found: ``certify`` on its own program.

Of all parameters where this is quick. Else of the parameters of one law alone, all others being inputs: a function of
them is conserved iff $\langle\nabla h, \nabla\langle C, g\rangle\rangle = 0$ whatever the others are, so this is exact.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

from clexact.algebra.polynomial import Polynomial
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.memory import MemoryLimitError
from clexact.flows.analytic import of_model
from clexact.flows.gradient import GradientFlow
from clexact.programs.defined import TRIALS
from clexact.programs.theorems import ROOT
from clexact.torch.laws import Bounds
from clexact.torch.translate import Translation

WORK = 4 * 10**8  # numbers in all members of a certification, each evaluated once: seconds
SETTLING = 4 * 10**7  # numbers evaluated until all roots of a program are defined
DIMENSION = 3000


@dataclass
class Certifier:
    """Certifies subsets of a module's parameters while there is time: ``work`` is what is left."""

    translation: Translation
    seed: int
    work: int = WORK

    def bounds(self, parameters: Collection[str]) -> Bounds | None:
        """Proved bounds of the number of laws in these parameters alone; None if it would take long."""
        shapes = self.translation.parameters
        dimension = sum(prod(shapes[name]) for name in parameters)
        if dimension > DIMENSION or dimension * sum(map(prod, shapes.values())) > self.work:
            return None
        flow = of_model(self.translation.again().model(parameters))
        needed = flow.dimension * flow.work
        if needed > self.work or _settling(flow) > SETTLING:
            return None
        self.work -= needed
        try:
            count = certify(flow, seed=self.seed, max_depth=4)
        except MemoryLimitError:
            return None
        lower = count.exhibited if count.error else count.lower
        return Bounds(lower, count.upper, flow.scope, self._further(count))

    def _further(self, count: LawCount) -> tuple[Polynomial, ...]:
        """The independent polynomials shown that belong to no family, in the names of the module."""
        given = {parameter: name for name, parameter in self.translation.names.items()}
        names = []
        for variable in count.laws.variables:
            parameter, bracket, rest = variable.partition("[")
            names.append(given.get(parameter, parameter) + bracket + rest)
        alone = [n for n in count.shown.laws if n >= count.laws.first[-1]]
        packed = (count.laws.packed(n, n + 1).owned_by(0) for n in alone)
        return tuple(Polynomial._from_checked(tuple(names), terms) for terms in packed)


def _settling(flow: GradientFlow) -> int:
    """About how many numbers are evaluated until all roots are defined, each of which is at one input in two."""
    nodes = flow.program.nodes
    return flow.work * TRIALS * sum(prod(node.shape) for node in nodes if node.op == "function" and node.data == ROOT)
