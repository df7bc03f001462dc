r"""The loss: with softmax cross-entropy, sums over the classes are conserved (arXiv 2506.06194, proposition 3.11)."""

from __future__ import annotations

from collections.abc import Callable

from clexact import models
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import counted, lawful, matrix, sum_laws
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.functions import softmax
from clexact.programs.model import Model


def attention(n: int, r: int, m: int) -> Model:
    """One head on two tokens of m entries, with scores of width 1, values of width r and n classes."""
    return Model(
        {"Q": (m, 1), "K": (m, 1), "V": (m, r), "O": (n, r)},
        {"X": (2, m)},
        lambda Q, K, V, O, X: softmax(X @ Q @ K.T @ X.T) @ X @ V @ O.T,  # noqa: E741
    )


Family = Callable[[Size], Model]
LINEAR: Family = lambda size: models.nmf(*size)  # noqa: E731
RELU: Family = lambda size: models.relu(list(size))  # noqa: E731
ATTENTION: Family = lambda size: attention(*size)  # noqa: E731
REGRESSION: Family = lambda size: models.linear(list(size))  # noqa: E731


def _sums(family: Family, last: str, size: Size, seed: int) -> Check:
    """The sums over the classes of what leaves each unit of the last layer."""
    flow = gradient_flow(family(size), "cross_entropy")
    return lawful(flow, sum_laws(flow, matrix(last, size[:2])), seed)


def _more(family: Family, size: Size, seed: int) -> Check:
    """As many laws as with squared loss, and one more for each unit of the last layer."""
    full = certify(gradient_flow(family(size)), seed=seed)
    return counted(gradient_flow(family(size), "cross_entropy"), full.lower + size[1], seed)


def _as_if(family: Family, size: Size, seed: int) -> Check:
    """One for each unit of the last layer, and the laws of the network with one output less; all if there is none."""
    n, r = size[:2]
    flow = gradient_flow(family(size), "cross_entropy")
    rest = certify(gradient_flow(family((n - 1, *size[1:]))), seed=seed).lower if n > 1 else flow.dimension - r
    return counted(flow, rest + r, seed)


def _claims(
    name: str, words: str, family: Family, last: str, grid: Grid, all_sizes: AllSizes | None = None
) -> list[Claim]:
    return [
        Claim(
            f"losses.{name}-sums",
            f"The sums over classes, for {words}",
            "arXiv 2506.06194, proposition 3.11",
            Statement(
                "h_j = sum_i theta_ij is conserved for each column j of the last layer theta",
                r"h_j(\theta) = \sum_i \theta_{ij}",
                lambda size, seed: _sums(family, last, size, seed),
            ),
            grid,
            note="The covectors of softmax cross-entropy are those of sum zero.",
        ),
        Claim(
            f"losses.{name}-count",
            f"How many laws cross-entropy adds, for {words}",
            "arXiv 2506.06194, proposition 3.11, with the counts for squared loss",
            Statement(
                "as many laws more than with squared loss as the last layer has columns",
                r"N_{\text{cross-entropy}} = N_{\text{squared}} + r",
                lambda size, seed: _more(family, size, seed),
            ),
            grid,
            fitted=False,
            instead=Statement(
                "r, and as many as with squared loss and n - 1 outputs; all D parameters if n = 1",
                r"N_{\text{cross-entropy}}(n) = r + N_{\text{squared}}(n - 1)",
                lambda size, seed: _as_if(family, size, seed),
                all_sizes,
            ),
        ),
    ]


def _grid(quick: int, full: int) -> Grid:
    return Grid(
        ("n", "r", "m"), factored, quick, full,
        edges=((1, 1, 1), (1, 3, 2), (1, 4, 3), (2, 2, 1), (2, 1, 2), (2, 3, 1), (2, 4, 1), (2, 3, 2), (2, 4, 2),
               (3, 3, 1), (2, 1, 4), (2, 1, 5)),
    )  # fmt: skip


LISTED = Grid(
    ("n", "r", "m"), lambda size: 2 * size[2] + (size[0] + size[2]) * size[1], 0, 0,
    edges=((2, 1, 1), (2, 1, 2), (2, 2, 1), (2, 3, 1), (2, 4, 1), (2, 4, 2), (3, 1, 1), (3, 2, 1), (3, 1, 2)),
)  # fmt: skip

FEWER = "min(r, n - 1 + m)"  # the rank with n - 1 outputs
FACTORS = AllSizes(
    (network("nmf", "n r m", loss="cross_entropy"),),
    f"r + {FEWER}*(2*r + 1 - {FEWER})/2 if n >= 2 else (n + m)*r",
)
UNITS = AllSizes((network("relu", "n r m", loss="cross_entropy"),), "2*r if n >= 2 else (n + m)*r")

CLAIMS = [
    *_claims("regression", "softmax regression", REGRESSION, "U1",
             Grid(("n", "r"), lambda size: size[0] * size[1], 5, 20, edges=((1, 4), (2, 1)))),
    *_claims("linear", "two-layer linear networks", LINEAR, "U", _grid(6, 18), FACTORS),
    *_claims("attention", "attention heads", ATTENTION, "O", LISTED),
    *_claims("relu", "two-layer ReLU networks", RELU, "U1", _grid(5, 14), UNITS),
]  # fmt: skip
