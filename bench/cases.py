"""The models that are timed, each with the source of its laws and the answers known for it.

A case is a family with its sizes. Laws known, all from arXiv 2307.00144, section 2: linear, the entries of
U_l^T U_l - U_{l+1} U_{l+1}^T (for n n ... n they are independent); ReLU, one for each hidden unit; x_1 ... x_D, the
D - 1 differences of squares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from clexact import Model, models


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
    """A family that grows with n, with the number of laws known for n and what theory says of the exponent of D."""

    name: str
    case: Callable[[int], Case]
    known: Callable[[int], int]
    sizes: tuple[int, ...]
    theory: str = "dense rank 3; rows: D x one network pass"


# With N independent laws of degree 2 that generate all others, degree 4 adds their N (N + 1) / 2 products.
SEARCHES = [
    Search(Case("linear", (20, 20, 20)), 2, 5.0, (210, 210)),
    Search(Case("product", (8,)), 4, 5.0, (7 + 28, 7)),
    Search(Case("linear", (2, 3, 2)), 4, 5.0, (6 + 21, 6)),
]


class Count(NamedTuple):
    """A count by the command line, with its target in seconds and the number of laws known."""

    words: str
    target: float
    known: int


# Known: U_l^T U_l - U_(l+1) U_(l+1)^T, independent; one for each hidden unit; Q^T Q - K^T K and V^T V - O^T O for each
# head, one for each plane under rotary positions; Noether's r (r - 1) / 2 under momentum (arXiv 2405.12888).
COUNTS = [
    Count("linear 30 30 30", 10.0, 465),
    Count("linear 30 30 30 30", 60.0, 930),
    Count("relu 50 50 50 50", 60.0, 100),
    Count("attention 16 16 --heads 4", 30.0, 4 * (136 + 136)),
    Count("attention 16 16 --heads 4 --rope", 30.0, 4 * (8 + 136)),
    Count("attention 16 4 --heads 4 --tokens 3", 30.0, 4 * (10 + 10)),
    Count("conv2d 3 16 16 --kernel 3 --relu", 30.0, 16),
    Count("linear 20 20 20 --flow momentum", 60.0, 190),
    Count("linear 20 20 20 --flow momentum --damping nesterov", 60.0, 190),
    Count("nmf 20 20 20 --flow mirror", 60.0, 20),
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

GROWTH = [
    Growth(
        "linear n n n", lambda n: Case("linear", (n,) * 3), lambda n: n * (n + 1) // 2, (4, 6, 8, 12, 16, 24, 32, 40)
    ),
    Growth("linear n n n n", lambda n: Case("linear", (n,) * 4), lambda n: n * (n + 1), (3, 4, 6, 8, 12, 16, 24, 32)),
    Growth("relu n n n", lambda n: Case("relu", (n,) * 3), lambda n: n, (4, 6, 8, 12, 16, 24, 32, 40)),
    Growth(
        "relu n n n n --bias", lambda n: Case("relu", (n,) * 4, True), lambda n: 2 * n, (3, 4, 6, 8, 12, 16, 24, 32)
    ),
    Growth("product n", lambda n: Case("product", (n,)), lambda n: n - 1, (8, 32, 64, 128, 256, 512, 1024, 2048)),
]

SEARCH_GROWTH = Growth(
    "laws of degree 2, linear n n n",
    lambda n: Case("linear", (n,) * 3),
    lambda n: n * (n + 1) // 2,
    (4, 6, 8, 10, 12, 16, 20, 24),
    theory="2.5: D^2/2 unknowns, 2 sqrt(D/2) entries for each",
)
