r"""Mirror flows, other metrics, natural gradient (arXiv 2405.12888; talk, slide 33)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from clexact import models
from clexact.algebra.polynomial import Number
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import compared, count_at, counted, dimension_of, drawn_point, identity, lawful, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored
from clexact.claims.momentum import DAMPINGS, SCALAR, CheckAt, scalar_relu
from clexact.flows.dynamics import Damping, gradient_flow, mirror_flow, momentum_flow
from clexact.flows.flow import Flow
from clexact.programs.model import Model

PAPER = "arXiv 2405.12888"
FACTORS = ["U", "V"]


EDGES = ((1, 5, 1), (1, 2, 2), (1, 4, 2), (2, 1, 2), (2, 2, 1), (2, 4, 1), (1, 1, 5), (5, 1, 1), (2, 2, 2), (2, 4, 2))
GRID = Grid(("n", "r", "m"), factored, quick=4, full=14, edges=EDGES)
HEAVY = Grid(("n", "r", "m"), factored, quick=2, full=8, edges=((1, 1, 2), (2, 1, 1), (1, 2, 1)))


SUMS = (network("nmf", "n r m", "U[i,k] - V[j,k]", flow="mirror"),)
HALVES = "2*U[i,k] - V[j,k]*V[j,k]"
CONVEX = (
    network("icnn", "n r m", HALVES, flow="mirror"),
    network("icnn", "n r m", f"{HALVES} - b[k]*b[k]", flow="mirror", bias=True),
)


def nmf(size: Size) -> Flow:
    """Of U V^T, both positive."""
    return mirror_flow(models.nmf(*size), FACTORS)


def nmf_laws(size: Size) -> list[str]:
    """sum_i U_ik - sum_j V_jk for each k."""
    n, r, m = size
    return [" + ".join(f"U[{i},{k}]" for i in range(n)) + "".join(f" - V[{j},{k}]" for j in range(m)) for k in range(r)]


def nmf_number(n: int, r: int, m: int) -> int:
    """r; a single field, where n = m = 1, leaves all but one of 2 r coordinates."""
    return 2 * r - 1 if n == m == 1 else r


def icnn(size: Size, bias: bool) -> Model:
    """U relu(V^T x + b)."""
    n, r, m = size
    return models.icnn(n, r, m, bias)


def icnns(size: Size) -> list[Model]:
    """Without and with b."""
    return [icnn(size, bias) for bias in (False, True)]


def icnn_laws(size: Size, bias: bool) -> list[str]:
    """sum_i U_ik - (|v_k|^2 + b_k^2)/2 for each k."""
    n, r, m = size
    plain = [
        " + ".join(f"U[{i},{k}]" for i in range(n)) + "".join(f" - 1/2*V[{j},{k}]^2" for j in range(m))
        for k in range(r)
    ]
    return [law + (f" - 1/2*b[{k}]^2" if bias else "") for k, law in enumerate(plain)]


def _icnn(size: Size, seed: int) -> Check:
    flows = [mirror_flow(net, ["U"]) for net in icnns(size)]
    return together(
        [lawful(flow, icnn_laws(size, bias), seed) for flow, bias in zip(flows, (False, True), strict=True)]
    )


def _momentum(nets: list[Model], positive: list[str], seed: int) -> Check:
    """No law, for each damping."""
    return together([counted(momentum_flow(net, d, positive=positive), 0, seed) for net in nets for d in DAMPINGS])


def slipped(family: str, size: Size, damping: Damping) -> Flow:
    r"""Momentum with the metric of the mirror flow, $\theta$ in place of $\tau\theta + \theta'$ on positive entries."""
    net = models.nmf(*size) if family == "nmf" else icnn(size, family == "icnn with biases")
    return momentum_flow(mirror_flow(net, FACTORS if family == "nmf" else ["U"]).fields, damping)


def _slip(families: list[str], stated: Callable[[Size], int]) -> CheckAt:
    def check(size: Size, seed: int) -> Check:
        each = [(family, size, d) for family in families for d in DAMPINGS]
        return together([compared(count_at(slipped, args, seed, degree=1), stated(size)) for args in each])

    return check


def scalar_icnn(size: Size) -> Flow:
    """n outputs, one input without biases, p units with v > 0 and q with v < 0; the outer layer positive."""
    return mirror_flow(scalar_relu(size), ["U", "W"])


def _scalar(stated: Callable[[Size], int]) -> CheckAt:
    """One input without biases: the units of each sign of v share their gate."""
    return lambda size, seed: compared(count_at(scalar_icnn, (size,), seed), stated(size))


# --- other metrics ---------------------------------------------------------------------------------------------------


def _metric(**arrays: Any) -> dict[str, Any]:
    """A constant metric with all entries distinct: 2, 3, 4, ..."""
    found, first = {}, 2
    for name, array in arrays.items():
        size = int(np.prod(array.shape))
        found[name] = array * 0 + np.arange(first, first + size).reshape(array.shape)
        first += size
    return found


def weighted(size: Size) -> Flow:
    """Of U V^T, with that metric."""
    return mirror_flow(models.nmf(*size), metric=_metric)


def weighted_laws(size: Size) -> list[str]:
    """sum_i U_ik^2 / M_ik - sum_j V_jk^2 / M_jk for each k."""
    n, r, m = size
    terms = [[(f"U[{i},{k}]", 1, 2 + i * r + k) for i in range(n)] for k in range(r)]
    for k in range(r):
        terms[k] += [(f"V[{j},{k}]", -1, 2 + n * r + j * r + k) for j in range(m)]
    return [" + ".join(f"{sign}/{weight}*{x}^2" for x, sign, weight in row).replace("+ -", "- ") for row in terms]


def _natural(metric: Callable[[list[list[Number]]], list[list[Number]]]) -> CheckAt:
    """Whether the range of the metric is W(theta), at a drawn point of U V^T and of the ReLU network."""

    def check(size: Size, seed: int) -> Check:
        found = []
        for model in (models.nmf(*size), icnn(size, True)):
            fields = gradient_flow(model).fields
            D, values = fields.dimension, fields.values(drawn_point(fields.dimension, seed))
            rows = [[values.get(f * D + j, 0) for j in range(D)] for f in range(len(fields))]
            parts = [rows, metric(rows), rows + metric(rows)]
            ranks = [dimension_of([dict(enumerate(row)) for row in part]) for part in parts]
            said = f"dimensions {ranks[0]} of W, {ranks[1]} of the metric, {ranks[2]} of both"
            found.append(identity(
                len(set(ranks)) == 1, "equal ranges", said,
                "ranks over Q at a point; elsewhere |R x|^2 = <x, R^T R x> vanishes only where R x does", D,
            ))  # fmt: skip
        return together(found)

    return check


def fisher(rows: list[list[Number]]) -> list[list[Number]]:
    """R^T R."""
    columns = list(zip(*rows, strict=True))
    return [[sum(a * b for a, b in zip(x, y, strict=True)) for y in columns] for x in columns]


CLAIMS = [
    Claim(
        "mirror.nmf",
        "The laws of non-negative matrix factorization",
        PAPER + ", NMF",
        Statement(
            "sum_i U_ik - sum_j V_jk is conserved by the mirror flow, for each k",
            r"h_k(U, V) = \sum_i U_{ik} - \sum_j V_{jk}",
            lambda size, seed: lawful(nmf(size), nmf_laws(size), seed),
            AllSizes(SUMS),
        ),
        GRID,
    ),
    Claim(
        "mirror.nmf-count",
        "How many laws NMF has",
        PAPER + ", NMF: all are determined",
        Statement(
            "they are r, and no others",
            r"r",
            lambda size, seed: compared(count_at(nmf, (size,), seed), size[1]),
            AllSizes(SUMS, "r"),
        ),
        GRID,
        instead=Statement(
            "r, but 2r - 1 at n = m = 1",
            r"r; \quad n = m = 1: \; 2r - 1",
            lambda size, seed: compared(count_at(nmf, (size,), seed), nmf_number(*size)),
        ),
        note="At n = m = 1 there is one field; r of the laws are polynomials, the others are "
        "log(u_k/v_k)/(u_k - v_k) - log(u_l/v_l)/(u_l - v_l).",
    ),
    Claim(
        "mirror.nmf-momentum",
        "NMF with momentum",
        PAPER + ", NMF",
        Statement(
            "no law persists in the momentum case, tau = 0, 1 and 3/t",
            r"\text{none persists in the momentum case}",
            lambda size, seed: _momentum([models.nmf(*size)], FACTORS, seed),
        ),
        HEAVY,
        note="The gradients are multiplied by tau theta + theta'.",
    ),
    Claim(
        "mirror.icnn",
        "The laws of input-convex networks",
        PAPER + ", ICNN",
        Statement(
            "sum_i U_ik - (|v_k|^2 + b_k^2)/2 is conserved, U positive, with and without biases",
            r"h_k = \sum_i U_{ik} - (\|v_k\|^2 + b_k^2)/2",
            _icnn,
            AllSizes(CONVEX),
        ),
        GRID,
    ),
    Claim(
        "mirror.icnn-count",
        "How many laws input-convex networks have",
        PAPER + ", ICNN",
        Statement(
            "they are r, and no others, with and without biases",
            r"r",
            lambda size, seed: together([counted(mirror_flow(net, ["U"]), size[1], seed) for net in icnns(size)]),
            AllSizes(CONVEX, "r"),
        ),
        GRID,
        note="Of free gates: see mirror.icnn-scalar for one input without biases.",
    ),
    Claim(
        "mirror.icnn-scalar",
        "Input-convex networks of one input without biases",
        PAPER + ", ICNN",
        Statement(
            "they are one for each of the p units with v > 0 and the q with v < 0",
            r"p + q",
            _scalar(lambda size: size[1] + size[2]),
        ),
        SCALAR,
        instead=Statement(
            "so it is but at n = 1, where the units of each sign leave all but one coordinate: 2p - 1 and 2q - 1",
            r"n = 1: \; (2p-1) + (2q-1)",
            _scalar(lambda size: sum(2 * k - 1 if size[0] == 1 else k for k in size[1:])),
        ),
        note="Units of one sign share their gate for every input, so only the sum of their u v is seen.",
        fitted=False,
    ),
    Claim(
        "mirror.icnn-momentum",
        "Input-convex networks with momentum",
        PAPER + ", ICNN",
        Statement(
            "no law, with and without biases, tau = 0, 1 and 3/t",
            r"\text{none}",
            lambda size, seed: _momentum(icnns(size), ["U"], seed),
        ),
        HEAVY,
    ),
    Claim(
        "mirror.icnn-slip",
        "Input-convex networks with momentum, by the metric of the published code",
        "code of " + PAPER + ": diag(U) in place of diag(tau U + U', Id, Id)",
        Statement(
            "there is no law with that metric either",
            r"M = \text{diag}(U): \; 0",
            _slip(["icnn", "icnn with biases"], lambda size: 0),
        ),
        HEAVY,
        note="So the slip did not change the number reported.",
    ),
    Claim(
        "mirror.nmf-slip",
        "NMF with momentum, by the metric of the mirror flow",
        "the same slip carried to NMF",
        Statement(
            "no law persists if the gradients are multiplied by theta in place of tau theta + theta'",
            r"M = \text{diag}(\theta): \; 0",
            _slip(["nmf"], lambda size: 0),
        ),
        HEAVY,
        instead=Statement(
            "each law h_k of the mirror flow, being linear, then moves freely: h_k' and its centre are 2r laws",
            r"\ddot h_k + \tau\,\dot h_k = 0: \; 2r",
            _slip(["nmf"], lambda size: 2 * size[1]),
        ),
        note="Here the metric decides the answer.",
    ),
    Claim(
        "mirror.metric",
        "A constant metric",
        "talk, slide 33: variable metric, an extension",
        Statement(
            "with a constant diagonal M of distinct entries, sum_j a_j theta_j^2 / M_j is conserved for each scaling a",
            r"\sum_i U_{ik}^2 / M_{ik} - \sum_j V_{jk}^2 / M_{jk}",
            lambda size, seed: lawful(weighted(size), weighted_laws(size), seed),
        ),
        GRID,
        note="For U V^T, M = 2, 3, 4, ...",
    ),
    Claim(
        "mirror.metric-count",
        "How many laws a constant metric leaves",
        "talk, slide 33: variable metric, an extension",
        Statement(
            "those r laws of the scalings alone are left of the r(r + 1)/2",
            r"r",
            lambda size, seed: compared(count_at(weighted, (size,), seed), size[1]),
        ),
        GRID,
        instead=Statement(
            "they are r, but 2r - 1 at n = m = 1",
            r"r; \quad n = m = 1: \; 2r - 1",
            lambda size, seed: compared(count_at(weighted, (size,), seed), nmf_number(*size)),
        ),
        note="Not stated in the sources. The mixed <u_k, u_l> - <v_k, v_l> need the same metric in columns k and l.",
    ),
    Claim(
        "mirror.natural",
        "Natural gradient",
        PAPER + ", natural gradient",
        Statement(
            "with the metric dphi^T dphi, whose range is W(theta), the laws are those of the gradient flow",
            r"\text{range}(\partial\varphi^\top \partial\varphi) = \text{range}(\partial\varphi^\top) = W(\theta)",
            _natural(fisher),
        ),
        Grid(("n", "r", "m"), factored, quick=4, full=14, edges=((1, 4, 1), (2, 2, 2))),
        note="Of U V^T and U relu(V^T x + b). Laws are functions with gradients orthogonal to W(theta) at each theta.",
    ),
]
