"""Sizes that are letters: families called with them are not built, but described, for theorems at all sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from clexact.models.family import Family

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Size:
    """A size that is a letter, and stands for all integers >= 1.

    Parameters
    ----------
    name : str
        A letter, or letters and digits, as Python writes a name.

    Raises
    ------
    TypeError, ValueError
        If the name is no such text.

    Examples
    --------
    >>> import clexact
    >>> n = clexact.Size("n")
    >>> clexact.models.linear(n, n, 1)
    linear(n, n, 1) at all sizes
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"the name of a size must be a text, not {self.name!r}.")
        if not self.name.isidentifier() or self.name in ("and", "or", "not", "if", "else", "min", "max", "k_"):
            raise ValueError(f"the name of a size must be a letter such as n, not {self.name!r}.")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class SymbolicModel:
    """A family of the library at sizes of which some are letters.

    Attributes
    ----------
    family : str
        Its name.
    sizes : tuple of int and Size
        In the order of the family.
    options : mapping
        As in a recipe.
    """

    family: str
    sizes: tuple[int | Size, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters, in the order in which they come."""
        return tuple(dict.fromkeys(size.name for size in self.sizes if isinstance(size, Size)))

    def at(self, values: Mapping[str, int]) -> list[int]:
        """The sizes where the letters have these values."""
        return [values[size.name] if isinstance(size, Size) else size for size in self.sizes]

    def __str__(self) -> str:
        options = [key if value is True else f"{key}={value}" for key, value in self.options.items()]
        return f"{self.family}({', '.join([*map(str, self.sizes), *options])})"

    def __repr__(self) -> str:
        return f"{self} at all sizes"


def symbolic(name: str, family: Family, build: F) -> F:
    """The same function, which describes a ``SymbolicModel`` where a size is a ``Size`` or a text."""

    parameters = list(signature(build).parameters)
    own = [key for key in parameters if key not in family.options]

    @wraps(build)
    def described(*given: Any, **options: Any) -> Any:
        words, others = _apart(given, len(own))
        named = [key for key in own if key in options]
        sizes = [*words, *(options[key] for key in named)]
        many = not family.listed and len(sizes) > len(family.sizes.split())
        named_well = all(size.isidentifier() for size in sizes if isinstance(size, str))
        if many or not named_well or not any(isinstance(size, (str, Size)) for size in sizes):
            return build(*given, **options)
        letters = tuple(Size(size) if isinstance(size, str) else size for size in sizes)
        chosen = {key: value for key, value in options.items() if key not in named}
        chosen |= dict(zip((key for key in parameters if key not in own), others, strict=False))
        family.check(name, [1 if isinstance(size, Size) else size for size in letters], chosen)
        return SymbolicModel(name, letters, chosen)

    return described  # type: ignore[return-value]


def _apart(given: tuple[Any, ...], own: int) -> tuple[list[Any], tuple[Any, ...]]:
    """The sizes among arguments by position, in a list or one by one, and the options behind them."""
    if given and isinstance(given[0], (list, tuple)):
        return list(given[0]), given[1:]
    return (list(given), ()) if own < 2 else (list(given[:own]), given[own:])
