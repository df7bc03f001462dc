"""The models that are timed, each with the source of its laws."""

from __future__ import annotations

from collections.abc import Callable

from clexact import Model, models

# arXiv 2307.00144: linear (laws U_l^T U_l - U_{l+1} U_{l+1}^T), ReLU (one law a hidden unit), x_1 ... x_D (D - 1 laws)
PEERS: list[tuple[str, Model]] = [
    ("linear 1 2 1", models.linear([1, 2, 1])),
    ("linear 2 1 2", models.linear([2, 1, 2])),
    ("linear 2 2 2", models.linear([2, 2, 2])),
    ("linear 2 3 2", models.linear([2, 3, 2])),
    ("relu 1 2 1", models.relu([1, 2, 1])),
    ("relu 2 2 2", models.relu([2, 2, 2])),
    ("relu 2 3 2", models.relu([2, 3, 2])),
    ("product 3", models.product(3)),
    ("product 5", models.product(5)),
]

SEARCHES: list[tuple[str, int, float]] = [  # family and sizes, degree, target in seconds
    ("linear 20 20 20", 2, 5.0),
    ("product 8", 4, 5.0),
    ("linear 2 3 2", 4, 5.0),
]

GROWTH: list[tuple[str, Callable[[int], Model], list[int]]] = [
    ("linear n n n", lambda n: models.linear([n] * 3), [4, 6, 8, 12, 16, 24, 32]),
    ("linear n n n n", lambda n: models.linear([n] * 4), [3, 4, 6, 8, 12, 16, 24]),
    ("relu n n n", lambda n: models.relu([n] * 3), [4, 6, 8, 12, 16, 24, 32]),
    ("relu n n n n, bias", lambda n: models.relu([n] * 4, bias=True), [3, 4, 6, 8, 12, 16, 24]),
    ("product n", models.product, [8, 16, 32, 64, 128, 256]),
]

SEARCH_GROWTH: tuple[str, Callable[[int], Model], list[int]] = (
    "laws of degree 2, linear n n n",
    lambda n: models.linear([n] * 3),
    [4, 6, 8, 10, 12, 16, 20],
)
