"""Sizes of layered networks, shared by the families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, overload

import numpy as np

from clexact.programs.model import Model, check_size
from clexact.support.listed import listed

P = ParamSpec("P")


class Layered(Protocol[P]):
    """A family of networks of any depth, called with a list of sizes or with one size after another."""

    @overload
    def __call__(self, sizes: Sequence[int], *options: P.args, **named: P.kwargs) -> Model: ...
    @overload
    def __call__(self, *sizes: int, **named: Any) -> Model: ...


def layered(build: Callable[Concatenate[Sequence[int], P], Model]) -> Layered[P]:
    """``build(4, 3, 5, ...)`` for ``build([4, 3, 5], ...)``; options then come by name."""

    @wraps(build)
    def family(*given: Any, **options: Any) -> Model:
        if given and isinstance(given[0], (int, np.integer)):
            given = (given,)
        return build(*given, **options)

    return family


def check_dims(dims: Sequence[int], family: str) -> list[int]:
    """Return the sizes n_1, ..., n_{q+1} of a layered network; at least two, each at least 1."""
    sizes = listed(dims, f"{family} takes a list of sizes [n_1, ..., n_(q+1)]")
    if len(sizes) < 2:
        raise ValueError(f"{family} takes at least two sizes [n_1, ..., n_(q+1)], not {sizes}.")
    return [check_size(n, f"a size of {family}") for n in sizes]


def weights(sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes of U1, ..., Uq: U_l is n_l x n_{l+1}."""
    return {f"U{layer}": (sizes[layer - 1], sizes[layer]) for layer in range(1, len(sizes))}
