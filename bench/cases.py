"""The models that are timed, each with the source of its laws and the answers known for it.

Searches and peers have a ``Case`` of their own; counts and their growth are cases of sweeps. Laws known, all from arXiv
2307.00144, section 2: linear, the entries of U_l^T U_l - U_{l+1} U_{l+1}^T (for n n ... n they are independent); ReLU,
one for each hidden unit; x_1 ... x_D, the D - 1 differences of squares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import clexact
from clexact import Model, models

HERE = Path(__file__).parent
of = clexact.Case.of


class Case(NamedTuple):
    """A model of the library."""

    family: str
    sizes: tuple[int, ...]
    bias: bool = False

    @property
    def name(self) -> str:
        """Family and sizes, as on the command line of clexact."""
        return " ".join([self.family, *map(str, self.sizes), *["--bias"] * self.bias])

    @property
    def model(self) -> Model:
        """The model, built anew."""
        options = {"bias": True} if self.bias else {}
        return models.rebuild({"family": self.family, "sizes": list(self.sizes), **options})


class Search(NamedTuple):
    """A law search with its target in seconds and the answer known: laws of at most that degree, independent ones."""

    case: Case
    degree: int
    target: float
    answer: tuple[int, int]


class Growth(NamedTuple):
    """A family that grows with n: the number of laws known for n, and what theory says of the exponent of D."""

    name: str
    case: Callable[[int], clexact.Case]
    known: Callable[[int], int]
    sizes: tuple[int, ...]
    theory: str


# With N independent laws of degree 2 that generate all others, degree 4 adds their N (N + 1) / 2 products.
SEARCHES = [
    Search(Case("linear", (20, 20, 20)), 2, 5.0, (210, 210)),
    Search(Case("linear", (30, 50, 30)), 2, 60.0, (1275, 1275)),
    Search(Case("linear", (28, 28, 28, 28, 28)), 2, 60.0, (3 * 406, 3 * 406)),
    Search(Case("relu", (30, 50, 30), True), 2, 60.0, (50, 50)),
    Search(Case("linear", (4, 5, 4)), 4, 60.0, (15 + 120, 15)),
    Search(Case("product", (10,)), 6, 60.0, (9 + 45 + 165, 9)),
    Search(Case("linear", (2, 2, 3)), 6, 60.0, (3 + 6 + 10, 3)),
    Search(Case("product", (8,)), 4, 5.0, (7 + 28, 7)),
    Search(Case("linear", (2, 3, 2)), 4, 5.0, (6 + 21, 6)),
]


class Count(NamedTuple):
    """A case of a sweep, with its targets in seconds and MiB and the number of laws known."""

    case: clexact.Case
    target: float
    known: int
    memory: float = 2048.0


# Known: U_l^T U_l - U_(l+1) U_(l+1)^T, independent; one for each hidden unit; Q^T Q - K^T K and V^T V - O^T O for each
# head, one for each plane under rotary positions; Noether's r (r - 1) / 2 under momentum (arXiv 2405.12888).
COUNTS = [
    Count(of("linear", 30, 30, 30), 10.0, 465),
    Count(of("linear", 70, 70, 70), 20.0, 2485),
    Count(of("linear", 30, 30, 30, 30), 60.0, 930),
    Count(of("linear", 50, 50, 50, 50, 50), 60.0, 3 * 1275),
    Count(of("relu", 100, 100, 100, bias=True), 30.0, 100),
    Count(of("relu", 50, 50, 50, 50), 60.0, 100),
    Count(of("attention", 64, 16, heads=4), 60.0, 4 * (136 + 136)),
    Count(of("attention", 16, 16, heads=4, rope=True), 30.0, 4 * (8 + 136)),
    Count(of("attention", 16, 4, heads=4, tokens=3), 30.0, 4 * (10 + 10)),
    Count(of("conv2d", 3, 16, 16, kernel=3), 30.0, 136),
    Count(of("conv2d", 3, 16, 16, kernel=3, relu=True), 30.0, 16),
    Count(of("linear", 20, 20, 20, flow="momentum"), 60.0, 190),
    Count(of("linear", 20, 20, 20, flow="momentum", damping="nesterov"), 60.0, 190),
    Count(of("linear", 40, 40, 40, flow="momentum"), 60.0, 780),
    Count(of("linear", 100, 100, 100, flow="momentum"), 60.0, 4950),
    Count(of("linear", 100, 100, 100, weight_decay=1), 60.0, 5050),
    Count(of("nmf", 20, 20, 20, flow="mirror"), 60.0, 20),
    Count(of("linear", 223, 223, 223), 120.0, 24976, 12288.0),
    Count(of(str(HERE / "attention_head.py:net")), 120.0, 2080, 12288.0),
    Count(of("product", 10, flow="momentum"), 10.0, 0),
    Count(of(str(HERE / "chain.ode")), 1.0, 0),
]

PEERS = [
    Case("linear", (1, 2, 1)),
    Case("linear", (2, 1, 2)),
    Case("linear", (2, 2, 2)),
    Case("linear", (2, 3, 2)),
    Case("relu", (1, 2, 1)),
    Case("relu", (2, 2, 2)),
    Case("relu", (2, 3, 2)),
    Case("product", (3,)),
    Case("product", (4,)),
    Case("product", (5,)),
    Case("linear", (3, 3, 3)),
    Case("relu", (3, 3, 3)),
    Case("linear", (3, 4, 3)),
]
PEER_DEGREE = 2
PEER_WARM_UP = Case("product", (2,))  # none of the above, so that SymPy's cache knows none of them


class System(NamedTuple):
    """The monomial system of a model's laws of at most some degree."""

    case: Case
    degree: int


SYSTEMS = [
    System(Case("linear", (2, 2, 2)), 2),
    System(Case("product", (4,)), 3),
    System(Case("product", (5,)), 4),
    System(Case("linear", (2, 3, 2)), 2),
    System(Case("relu", (2, 3, 2)), 2),
    System(Case("linear", (2, 2, 2)), 4),
]

SPARSE = "1: sparse rows, as many as coordinates"
GRAMS = "1.5: the laws have n^3 terms"
GROWTH = [
    Growth("linear n n n", lambda n: of("linear", n, n, n), lambda n: n * (n + 1) // 2,
           (8, 16, 24, 32, 48, 64, 96, 128), GRAMS),
    Growth("linear n n n n", lambda n: of("linear", n, n, n, n), lambda n: n * (n + 1),
           (8, 16, 24, 32, 48, 64, 96), GRAMS),
    Growth("relu n n n", lambda n: of("relu", n, n, n), lambda n: n, (8, 16, 32, 64, 96, 128, 192), SPARSE),
    Growth("relu n n n n --bias", lambda n: of("relu", n, n, n, n, bias=True), lambda n: 2 * n,
           (8, 16, 32, 48, 64, 96, 128), SPARSE),
    Growth("attention n n", lambda n: of("attention", n, n), lambda n: n * (n + 1),
           (8, 16, 24, 32, 48, 64), GRAMS),
    Growth("product n", lambda n: of("product", n), lambda n: n - 1, (8, 32, 64, 128, 256, 512, 1024, 2048),
           "2: the laws are found by elimination"),
    Growth("momentum, linear n n n", lambda n: of("linear", n, n, n, flow="momentum"), lambda n: n * (n - 1) // 2,
           (4, 8, 12, 16, 20, 24, 28), "3: dense rank"),
]  # fmt: skip

SEARCH_GROWTH = Growth(
    "laws of degree 2, linear n n n",
    lambda n: of("linear", n, n, n),
    lambda n: n * (n + 1) // 2,
    (4, 6, 8, 10, 12, 16, 20, 24),
    theory="2.5: D^2/2 unknowns, 2 sqrt(D/2) entries for each",
)
