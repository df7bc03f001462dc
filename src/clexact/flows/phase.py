"""``Phase``: the coordinates of a phase space."""

from __future__ import annotations

from dataclasses import dataclass

from clexact.algebra.fields import VectorFields


@dataclass(frozen=True)
class Phase:
    """The coordinates of a phase space: a clock or none, D positions, D velocities or none; and the drift on them."""

    variables: tuple[str, ...]
    count: int  # D
    clock: int | None = None
    velocities: int | None = None  # number of the first one
    drift: VectorFields | None = None
    start: int = 0  # of the clock: 1 where it must not vanish

    @property
    def positions(self) -> int:
        """Number of the first position."""
        return 0 if self.clock is None else 1

    @property
    def gradient_offset(self) -> int:
        """Number of the first coordinate into which gradients are written."""
        return self.positions if self.velocities is None else self.velocities
