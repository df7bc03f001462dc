"""Sizes of layered networks, shared by the families."""

from __future__ import annotations

from collections.abc import Sequence

from clexact.programs.model import check_size


def check_dims(dims: Sequence[int], family: str) -> list[int]:
    """Return the sizes n_1, ..., n_{q+1} of a layered network; at least two, each at least 1."""
    if isinstance(dims, str) or not isinstance(dims, Sequence):
        raise TypeError(f"{family} takes a list of sizes [n_1, ..., n_(q+1)], not {dims!r}.")
    if len(dims) < 2:
        raise ValueError(f"{family} takes at least two sizes [n_1, ..., n_(q+1)], not {list(dims)}.")
    return [check_size(n, f"a size of {family}") for n in dims]


def weights(sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Shapes of U1, ..., Uq: U_l is n_l x n_{l+1}."""
    return {f"U{layer}": (sizes[layer - 1], sizes[layer]) for layer in range(1, len(sizes))}
