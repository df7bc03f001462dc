r"""Whether a module has other laws than those found: ``certify`` on its own program.

Of all parameters where this is quick. Else of the parameters of one law alone, all others being inputs: a function of
them is conserved iff $\langle\nabla h, \nabla\langle C, g\rangle\rangle = 0$ whatever the others are, so this is exact.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod

from clexact.counting.certify import certify
from clexact.counting.memory import MemoryLimitError
from clexact.flows.analytic import of_model
from clexact.programs.model import Model
from clexact.torch.translate import Translation

WORK = 4 * 10**8  # numbers in all members of a certification, each evaluated once: seconds
DIMENSION = 3000


@dataclass
class Certifier:
    """Certifies subsets of a module's parameters while there is time: ``work`` is what is left."""

    translation: Translation
    seed: int
    work: int = WORK

    def bounds(self, parameters: Collection[str]) -> tuple[int, int, str] | None:
        """Proved bounds of the number of laws in these parameters alone, and their scope; None if it would take long.

        Lower is the number of independent laws found.
        """
        shapes = self.translation.parameters
        dimension = sum(prod(shapes[name]) for name in parameters)
        if dimension > DIMENSION or dimension * sum(map(prod, shapes.values())) > self.work:
            return None
        model = self._model(parameters)
        flow = of_model(model)
        needed = flow.dimension * flow.work
        if needed > self.work:
            return None
        self.work -= needed
        try:
            count = certify(flow, seed=self.seed, max_depth=4)
        except MemoryLimitError:
            return None
        return (count.exhibited if count.error else count.lower), count.upper, flow.scope

    def _model(self, parameters: Collection[str]) -> Model:
        """The module's function of these parameters; the others are probes."""
        again = self.translation.again()
        chosen = {name: shape for name, shape in again.parameters.items() if name in parameters}
        others = {name: shape for name, shape in again.parameters.items() if name not in parameters}
        model = Model(chosen, others | again.probes, again, again.__name__)
        model.notes, model.cuts, model.data = tuple(again.notes), tuple(again.cuts), again.data
        return model
