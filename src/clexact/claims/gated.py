r"""Two-layer networks with analytic activations, and gated units (arXiv 2606.17816, theorems 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Callable

from clexact import models
from clexact.algebra.polynomial import Polynomial
from clexact.claims.all_sizes import AllSizes, network
from clexact.claims.checks import EXACT, complete, counted, gram_laws, matrix
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size, factored, layers, weights
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.programs.model import Model


def unit_laws(flow: Flow, size: Size, gate: str) -> list[Polynomial]:
    """The squared norm of what leaves each unit minus that of its column of A or B."""
    m, r, n = size
    return gram_laws(flow, matrix("U", (n, r)), matrix(gate, (m, r)), diagonal=True)


def _none(family: Callable[..., Model], size: Size, seed: int) -> Check:
    """No law of a two-layer network m -> r -> n."""
    return counted(gradient_flow(family(*size)), 0, seed)


def _swiglu(size: Size, seed: int) -> Check:
    flow = gradient_flow(models.swiglu(*size))
    return complete(flow, unit_laws(flow, size, "A"), seed)


def _bilinear(size: Size, seed: int) -> Check:
    flow = gradient_flow(models.glu(*size))
    return complete(flow, unit_laws(flow, size, "A") + unit_laws(flow, size, "B"), seed)


def _bilinear_count(m: int, r: int, n: int) -> int:
    return 3 * r - 1 if m == n == 1 else 2 * r


NAMES = ("m", "r", "n")
TWO_LAYER = Grid(NAMES, factored, quick=5, full=14,
                 edges=((1, 4, 1), (1, 1, 4), (4, 1, 1), (2, 3, 2)))  # fmt: skip
GATED = Grid(NAMES, lambda size: (2 * size[0] + size[2]) * size[1], quick=6, full=16,
             edges=((1, 3, 1), (1, 3, 2), (2, 3, 1), (2, 3, 2), (1, 4, 2)))  # fmt: skip


def _activation(name: str, family: Callable[..., Model], source: str) -> Claim:
    return Claim(
        f"gated.{name.lower()}",
        f"A network with {name} has no law",
        source,
        Statement(
            f"U {name}(V^T x) has constant laws only",
            rf"U\, \text{{{name}}}(V^\top x): \text{{ no conservation law}}",
            lambda size, seed: _none(family, size, seed),
        ),
        TWO_LAYER,
        note=EXACT,
    )


CLAIMS = [
    _activation("GELU", models.gelu, "arXiv 2606.17816, theorem 4.1"),
    _activation("SiLU", models.silu, "arXiv 2606.17816, theorem 4.1"),
    _activation("tanh", models.tanh, "arXiv 2307.00144: laws only if sigma is homogeneous; talk, slide 4"),
    Claim(
        "gated.deep",
        "Nor have deeper ones, with biases",
        "arXiv 2606.17816, theorem 4.1 has two layers; this package",
        Statement(
            "networks of three layers or more with GELU and biases have constant laws only",
            r"U_1\, \text{GELU}(U_2\, \text{GELU}(\cdots) + b_2) + b_1: \text{ no conservation law}",
            lambda size, seed: counted(gradient_flow(models.mlp(list(size), "gelu", bias=True)), 0, seed),
        ),
        layers(weights, quick=5, full=10, depths=(3, 4, 5), edges=((1, 1, 1, 1, 1, 1), (2, 2, 2, 2), (1, 3, 1, 2))),
        note=EXACT,
    ),
    Claim(
        "gated.swiglu",
        "The laws of a SwiGLU network",
        "arXiv 2606.17816, theorem 4.2",
        Statement(
            "||A[:, i]||^2 - ||C[i, :]||^2 for each hidden unit i, and none that depends on B",
            r"\|A_{:,i}\|^2 - \|C_{i,:}\|^2, \quad \nabla_B h = 0",
            _swiglu,
        ),
        GATED,
        note="U here is C^T there. " + EXACT,
    ),
    Claim(
        "gated.bilinear",
        "The laws of a bilinear gated network",
        "the gate of theorem 4.2 in arXiv 2606.17816 with the identity in place of SiLU",
        Statement(
            "two laws for each unit, ||u||^2 - ||a||^2 and ||u||^2 - ||b||^2, and no others",
            r"\|u_i\|^2 - \|a_i\|^2, \quad \|u_i\|^2 - \|b_i\|^2",
            _bilinear,
        ),
        GATED,
        fitted=False,
        instead=Statement(
            "2r laws; but 3r - 1 where m = n = 1: one field on 3r parameters",
            r"2r, \quad \text{or } 3r - 1 \text{ if } m = n = 1",
            lambda size, seed: counted(gradient_flow(models.glu(*size)), _bilinear_count(*size), seed),
            AllSizes((network("glu", "n r m"),), "2*r if n + m >= 3 else 3*r - 1"),
        ),
    ),
]
