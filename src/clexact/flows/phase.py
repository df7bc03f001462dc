"""``Phase``: the coordinates of a phase space, and its ``Clock``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from clexact.algebra.fields import VectorFields


@dataclass(frozen=True)
class Clock:
    """The coordinate 0 that is a function of the time alone: t, or $e^{rt}$; and which powers of it laws can have."""

    powers: Callable[[int, int], Iterable[int]]  # that can stand beside b velocities and c positions in a law
    some_powers: bool = False  # whether others could too
    start: int = 0  # 1 where it must not vanish
    rate: Fraction | None = None  # r, where it is e^(r t)


@dataclass(frozen=True)
class Phase:
    """The coordinates of a phase space: a clock or none, D positions, D velocities or none; and the drift on them."""

    variables: tuple[str, ...]
    count: int  # D
    clock: Clock | None = None
    velocities: int | None = None  # number of the first one
    drift: VectorFields | None = None
    velocity_names: tuple[str, ...] = ()  # of the parameters of a model, in their order

    @property
    def start(self) -> int:
        """Where the clock starts; 0 without one."""
        return 0 if self.clock is None else self.clock.start

    @property
    def positions(self) -> int:
        """Number of the first position."""
        return 0 if self.clock is None else 1

    @property
    def gradient_offset(self) -> int:
        """Number of the first coordinate into which gradients are written."""
        return self.positions if self.velocities is None else self.velocities
