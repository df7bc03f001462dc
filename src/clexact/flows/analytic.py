"""The gradient flow of a model with analytic functions: its members have exact residues, where they are defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from math import prod

import numpy as np

from clexact.algebra import linalg
from clexact.algebra.draws import Draws
from clexact.algebra.linalg import Words
from clexact.flows.gradient import GradientFlow, Loss
from clexact.flows.residues import FEW, INPUTS, ResidueGradientFlow
from clexact.programs.characters import draw_prime
from clexact.programs.domain import nowhere
from clexact.programs.exponents import check_exponents, logarithms_in_exponents
from clexact.programs.independence import (
    check_roots,
    constants_with_roots,
    free_at,
    gated_roots,
    square_constants,
)
from clexact.programs.jets import Jet
from clexact.programs.logarithms import check_logarithms
from clexact.programs.model import Model
from clexact.programs.opaque import OpaqueJets
from clexact.programs.patterns import Choices, any_choices, changed, chosen, distinct
from clexact.programs.places import Mask, Shape
from clexact.programs.program import Gate
from clexact.programs.theorems import foundations, nested
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import CLOSURE_BITS, RANK_BITS, UndefinedError

PATTERNS = 24  # choices at gates that are tried where each must be shown to suit logarithms
PATTERNS_TOGETHER = 8  # and where all are compared
TURNS = 8  # of choices at gates that are drawn anew where signs of roots are not free
SPARE = 10  # inputs more than roots at each choice: one is missed by chance with odds 2^-10, and drawn anew
SETTLING = 2**6  # rounds in which inputs must be found at a choice
MEMORY = 2**24  # 64-bit words of the values at once


class AnalyticGradientFlow(ResidueGradientFlow):
    r"""As ``GradientFlow``: $\psi(\nabla_\theta\langle C, g\rangle)$, read modulo p (``programs/characters.py``)."""

    def __init__(self, model: Model, loss: Loss = "full") -> None:
        super().__init__(model, loss)
        undefined = nowhere(self.program, model.parameters | model.probes, model.name, model.inputs)
        self.assumptions = (*self.assumptions, *foundations(self.program), *([undefined] if undefined else []))

    # -- what is drawn ----------------------------------------------------------------------------------------------

    def draw_prime(self, draws: Draws, bits: int) -> int:
        if self._unproved:
            raise UndefinedError(self._unproved)
        return draw_prime(draws, bits - self._nested, self.denominator, self._angles, self._squares)

    @cached_property
    def _squares(self) -> tuple[int, ...]:
        return constants_with_roots(self.program)

    @property
    def chosen_gates(self) -> bool:  # type: ignore[override]
        """Whether gates must be some of those at which logarithms are shown to be independent."""
        return bool(self._kinds_of_gates) and self._logarithms

    @cached_property
    def _logarithms(self) -> bool:
        """Whether something has to be shown of logarithms."""
        return "log" in self.program.functions or bool(logarithms_in_exponents(self.program))

    def _choices(self, rows: int, draws: Draws) -> Choices:
        """Random ones, of those at which roots have free signs and logarithms are shown to be independent."""
        if self._kinds_of_gates and self._patterns is not None:
            return _some(self._patterns, rows, draws)
        choices = self._any_choices(rows, draws)
        return self._with_free_roots(choices) if self._gated else choices

    def _any_choices(self, rows: int, draws: Draws) -> Choices:
        return any_choices(self._kinds_of_gates, rows, draws)

    @property
    def _kinds_of_gates(self) -> list[tuple[Shape, Gate]]:
        return [(shape, gate) for _, shape, gate in self._gates]

    def _with_free_roots(self, choices: Choices) -> Choices:
        """These choices, changed where signs of roots are not shown to be free."""
        draws, left = Draws(3, self.program.digest), np.arange(len(choices[0]))
        for _ in range(TURNS):
            if not len(left):
                return choices
            left = left[~self._free(chosen(choices, left), draws)]
            choices = changed(self._kinds_of_gates, choices, left, draws)
        for choice, shown in zip(choices, _some(self._shown, len(left), draws), strict=True):
            choice[left] = shown
        return choices

    def draw_point(self, draws: Draws, prime: int) -> Words:
        point: Words = self._settled_points(super().draw_point(draws, prime)[None], self._all, draws, prime)[0]
        return point

    def draw_seeds(self, draws: Draws, levels: int, count: int, point: Words, prime: int) -> Words:
        seeds = super().draw_seeds(draws, levels, count, point, prime)
        rows = seeds.reshape(levels * count, self.seed_size)
        choices = self._choices(len(rows), draws)
        return self._settled_seeds(point[None], rows, self._all, draws, prime, choices, seen=True).reshape(seeds.shape)

    def draw_samples(self, draws: Draws, count: int, prime: int) -> tuple[Words, Words]:
        theta, seeds = super().draw_samples(draws, count, prime)
        theta = self._settled_points(theta, self._all, draws, prime)
        choices = self._choices(count, draws)
        return theta, self._settled_seeds(theta, seeds, self._all, draws, prime, choices, seen=True)

    @cached_property
    def _nested(self) -> bool:
        """Whether exponentials stand above functions that are constant modulo q unless there is a third field."""
        return nested(self.program)

    @cached_property
    def _unproved(self) -> str:
        """What is not shown of roots and of logarithms, in words; empty where all is."""
        try:
            shown = partial(_some, self._shown) if self._gated else self._any_choices
            values = partial(self._values_of, choices=shown)
            check_roots(self.program, values, self.model.name, self.denominator)
            self._patterns  # noqa: B018
        except UndefinedError as error:
            return str(error)
        return ""

    @cached_property
    def _gated(self) -> list[int]:
        return gated_roots(self.program, self.held)

    @cached_property
    def _shown(self) -> list[Choices]:
        """Some choices at gates at which signs of roots are shown to be free."""
        draws = Draws(2, self.program.digest)
        choices = self._any_choices(PATTERNS, draws)
        for _ in range(TURNS):
            if len(free := np.flatnonzero(self._free(choices, draws))):
                return [chosen(choices, free[k : k + 1]) for k in range(len(free))]
            choices = changed(self._kinds_of_gates, choices, np.arange(PATTERNS), draws)
        raise UndefinedError(
            f"no choice at the gates of {self.model.name} is found at which its roots are shown to have free signs: an "
            "argument may be a square there, or depend on gates and parameters alone"
        )

    @cached_property
    def _place_of_roots(self) -> tuple[int, Words, list[Mask], Words]:
        """A prime, a point at which all roots of parameters exist, where those are, and constants with square roots."""
        draws = Draws(4, self.program.digest)
        prime = draw_prime(draws, RANK_BITS, self.denominator, self._angles, self._squares)
        theta = super().draw_point(draws, prime)[None]
        theta = self._settled_points(theta, self._all, draws, prime)
        inputs = super().draw_seeds(draws, 1, FEW, theta[0], prime)[0]
        fixed = [places[0, 0] for places in self._unmoved(theta, inputs, self._all, prime)]
        constants = square_constants(self.program, self.model.name, self._angles)
        return prime, theta, fixed, linalg.residues(np.array(constants, dtype=object), self.modulus(prime))

    def _free(self, choices: Choices, draws: Draws) -> Mask:
        """At which of these choices the signs of all roots are shown to be free."""
        different, number = distinct(choices)
        free: Mask = np.ones(len(different[0]), dtype=bool)
        most = SPARE + max(prod(self.program.nodes[n].shape) for n in self._gated)
        step = max(1, MEMORY // (self.work + 1) // most)
        for first in range(0, len(free), step):
            there = np.arange(first, min(first + step, len(free)))
            for n in [-1, *self._gated]:
                if len(there := there[free[there]]):
                    free[there] = self._free_in(n, chosen(different, there), draws)
        return np.asarray(free[number])

    def _free_in(self, n: int, choices: Choices, draws: Draws) -> Mask:
        """The same of the roots of one node, where roots before exist; of none (-1), that all can be settled."""
        prime, theta, fixed, constants = self._place_of_roots
        nodes = self._gated if n < 0 else [n]
        rows = INPUTS if n < 0 else prod(self.program.nodes[n].shape) + SPARE
        count = len(choices[0])
        every = chosen(choices, np.repeat(np.arange(count), rows))
        seeds = super().draw_seeds(draws, 1, count * rows, theta[0], prime)[0]
        seeds = self._with_gates(seeds, every, self.modulus(prime))
        left: Mask = np.zeros(len(seeds), dtype=bool)
        if n >= 0:
            left = self._settle_seeds(theta, seeds, range(n), draws, prime, rounds=SETTLING)
        arguments = [self.program.nodes[k].inputs[0] for k in nodes]
        ring, leaves = TrueJets(self._characters(prime)), self._leaves({0: theta}, seeds)
        found = self._of_nodes(arguments, len(seeds), ring, leaves)
        free: Mask = np.ones(count, dtype=bool)
        for k, part in zip(nodes, found, strict=True):
            u = part.reshape(count, rows, -1)
            kept = fixed[k].ravel() | np.isin(u[:, 0], constants)
            if n < 0:
                free &= ((u != u[:, :1]).any(axis=1) | kept).all(axis=1)
            else:
                free &= free_at(u % np.uint64(prime), ~left.reshape(count, rows), kept, prime)
        return free

    @cached_property
    def _patterns(self) -> list[Choices] | None:
        """Choices at gates at which logarithms are shown to be independent; None where there is nothing to show.

        They are shown for functions with these gates, which are no functions of gates: log(1 + g u) is 0 for g = 0.
        """
        if not self._logarithms:
            return None
        draws, found, said = Draws(1, self.program.digest), list[Choices](), ""
        below, tried = bool(logarithms_in_exponents(self.program)), set[bytes]()
        for _ in range((PATTERNS_TOGETHER if below else PATTERNS) if self._kinds_of_gates else 1):
            choices = self._any_choices(1, draws)
            if (key := b"".join(map(np.ndarray.tobytes, choices))) in tried:
                continue
            tried.add(key)
            if self._gated and not self._free(choices, draws).all():
                said = f"signs of roots of {self.model.name} are not shown to be free"
                continue
            try:
                if below:
                    self._check_exponents([*found, choices], draws)
                if self._kinds_of_gates or "log" in self.program.functions:
                    self._check_logarithms(choices, draws)
                found.append(choices)
            except UndefinedError as error:
                said = str(error)
        if not found:
            raise UndefinedError(said)
        return found

    def _check_exponents(self, patterns: list[Choices], draws: Draws) -> None:
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator, self._angles, self._squares)

        def members(rows: int) -> list[dict[str, Jet]]:
            theta, seeds = super(AnalyticGradientFlow, self).draw_samples(draws, rows, prime)
            theta = self._settled_points(theta, self._all, draws, prime)
            settled = [self._settled_seeds(theta, seeds, self._all, draws, prime, choices) for choices in patterns]
            return [self._leaves({0: theta}, seeds) for seeds in settled]

        check_exponents(self.program, members, len(patterns), self._characters(prime), draws, self.model.name)

    def _check_logarithms(self, choices: Choices, draws: Draws) -> None:
        prime = draw_prime(draws, RANK_BITS - 1, self.denominator, self._angles, self._squares)
        large = draws.prime(CLOSURE_BITS, self.denominator)

        def opaque(nodes: Sequence[int], rows: int, one_point: bool, any_gates: bool) -> list[Words]:
            theta, seeds = super(AnalyticGradientFlow, self).draw_samples(draws, rows, large)
            seeds = seeds if any_gates else self._with_gates(seeds, choices, large)
            leaves = self._leaves({0: theta[:1] if one_point else theta}, seeds)
            return self._of_nodes(nodes, rows, OpaqueJets(large, draws), leaves)

        values = partial(self._values_of, choices=choices)
        check_logarithms(self.program, values, opaque, large, self._characters(prime), draws, self.model.name)

    def _values_of(
        self,
        nodes: Sequence[int],
        rows: int,
        one_point: bool,
        draws: Draws,
        prime: int,
        choices: Choices | Callable[[int, Draws], Choices],
    ) -> list[Words]:
        """Values modulo m of arguments of nodes, at random ones at which all nodes before the last are defined.

        At one point, at which all roots of parameters exist; or at several, where only what no input moves is defined.
        """
        last, arguments = max(nodes), [self.program.nodes[n].inputs[0] for n in nodes]
        theta, seeds = super().draw_samples(draws, rows, prime)
        choices = choices(rows, draws) if callable(choices) else choices
        if one_point:
            theta = self._settled_points(theta[:1], self._all, draws, prime)
            seeds = self._settled_seeds(theta, seeds, range(last), draws, prime, choices)
        else:
            theta = self._settled_points(theta, range(last), draws, prime)
            seeds = self._with_gates(seeds, choices, self.modulus(prime))
        return self._of_nodes(arguments, rows, TrueJets(self._characters(prime)), self._leaves({0: theta}, seeds))


def _some(of: Sequence[Choices], rows: int, draws: Draws) -> Choices:
    """Of these choices, each one row, so many at random."""
    which = draws.residues((rows,), 2**32).astype(np.int64) % len(of)
    return [np.concatenate(each)[which] for each in zip(*of, strict=True)]


def of_model(model: Model, loss: Loss = "full") -> GradientFlow:
    """The gradient flow of a model, as its functions need it."""
    return AnalyticGradientFlow(model, loss) if model.program.functions else GradientFlow(model, loss)
