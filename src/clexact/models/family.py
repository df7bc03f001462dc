"""``Family``: what the command line and ``rebuild`` need to know of an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clexact.model import Model
from clexact.polynomial import rational

Kind = type | tuple[str, ...] | str  # bool, int, "ints", "rational", or the words allowed


@dataclass(frozen=True)
class Family:
    """A family: ``build(sizes, **options)``, or ``build(*sizes, **options)`` if it has fixed numbers of ``sizes``."""

    build: Callable[..., Model]
    sizes: str  # as shown to users; one ending in "..." is a list
    formula: str
    options: Mapping[str, Kind] = field(default_factory=dict)
    positive: tuple[str, ...] = ()  # parameters that are positive under its mirror flow

    @property
    def listed(self) -> bool:
        """Whether the family takes one list of any length."""
        return self.sizes.endswith("...")

    def model(self, name: str, sizes: Sequence[int], options: Mapping[str, Any]) -> Model:
        """The model of these sizes; ValueError for a wrong number of sizes or an option of another family."""
        for option in options:
            if option not in self.options:
                raise ValueError(f"{name} has no option {option!r}; it takes {', '.join(self.options) or 'none'}.")
        if "kernel" in self.options and "kernel" not in options:
            raise ValueError(f"{name} needs the size of its kernel.")
        options = {key: _read(value, self.options[key]) for key, value in options.items()}
        if self.listed:
            return self.build(list(sizes), **options)
        words = self.sizes.split()
        least = sum(not word.startswith("[") for word in words)
        if not least <= len(sizes) <= len(words):
            raise ValueError(f"{name} takes the sizes {self.sizes}, not {len(sizes)} sizes.")
        return self.build(*sizes, **options)


def _read(value: Any, kind: Kind) -> Any:
    """An option as a recipe holds it, in JSON, as the function takes it."""
    if kind is bool and not isinstance(value, bool):
        raise TypeError(f"expected true or false, not {value!r}.")
    return rational(value) if kind == "rational" and isinstance(value, str) else value
