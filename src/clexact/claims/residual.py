r"""Residual blocks $x \mapsto x + U_l\,\sigma(V_l^\top x)$, U_l and V_l n x r (arXiv 2506.06194, section 4)."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

from clexact import functions
from clexact.claims.checks import complete, counted, same_span
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.claims.pieces import Activation, local_count, near_count, never_chosen, relu
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.flows.flow import Flow
from clexact.programs.array import Array
from clexact.programs.model import Model

ACTIVATIONS: tuple[Activation, ...] = (lambda z: z, relu, functions.tanh)  # number 1, 2, 3 of a size
TANH = 3


def blocks(
    n: int, r: int, activation: Activation, depth: int = 2, moving: Collection[str] = (), skip: bool = True
) -> Model:
    """Blocks in turn. If some parameters are ``moving``, the others are probes: laws of it depend on these alone."""
    names = [f"{name}{layer}" for layer in range(1, depth + 1) for name in "UV"]
    parameters = {name: (n, r) for name in names if name in (moving or names)}

    def output(x: Array, **W: Array) -> Array:
        for layer in range(1, depth + 1):
            inner = W[f"U{layer}"] @ activation(W[f"V{layer}"].T @ x)
            x = x + inner if skip else inner
        return x

    rest = {name: (n, r) for name in names if name not in parameters}
    return Model(parameters, {"x": n, **rest}, output, name=f"{depth} residual blocks, n = {n}, r = {r}")


def rectified(n: int, r: int) -> Model:
    """Two blocks with ReLUs."""
    return blocks(n, r, relu)


def flow(size: Size, depth: int = 2, moving: Collection[str] = (), skip: bool = True) -> Flow:
    """Of blocks of a size (n, r, number of the activation)."""
    n, r, kind = size
    return gradient_flow(blocks(n, r, ACTIVATIONS[kind - 1], depth, moving, skip))


def laws_of_block(size: Size) -> int:
    """k(2r + 1 - k)/2, k = min(r, 2n), of a linear block, r of a ReLU block, none with tanh."""
    n, r, kind = size
    k = min(r, 2 * n)
    return (k * (2 * r + 1 - k) // 2, r, 0)[kind - 1]


def _skip(size: Size, seed: int) -> Check:
    """The same fields, or with tanh the laws of g as all the laws of x + g."""
    with_skip, alone = flow(size, 1), flow(size, 1, skip=False)
    if size[-1] != TANH:
        return same_span(with_skip.fields, alone.fields)
    return complete(with_skip, list(certify(alone, seed=seed).laws.polynomials()), seed)


def _of_one_block(size: Size, seed: int) -> Check:
    """Laws of two blocks that depend on one of them alone, beside the laws of that block."""
    n, r, kind, layer = size
    alone = certify(flow((n, r, kind), depth=1, skip=False), seed=seed)
    if not alone.exact:
        raise ArithmeticError(f"the laws of one block are not counted: {alone}.")
    return counted(flow((n, r, kind), moving=(f"U{layer}", f"V{layer}")), alone.lower, seed)


def _scalar_point(size: Size) -> tuple[int, ...]:
    """u1, v1, u2, v2 with given signs (1 plus, 2 minus) of v1, of v2 and of 1 + u1 v1."""
    v1, v2, gain = (3 - 2 * sign for sign in size)
    return 3 * gain * v1, 2 * v1, 5, 7 * v2


def _scalar(stated: int, size: Size, seed: int) -> Check:
    return local_count(rectified, (1, 1), stated, seed, _scalar_point(size))


def _drawn(size: Size, seed: int, with_dead: bool = False) -> Check:
    """Whether true gates leave 2r laws near the k-th parameter drawn; ``with_dead``, 2n - 1 more for each dead unit."""
    w, r, k = size
    more = (2 * w + 1) * dead_units(w + 1, r, 1000 * seed + k) if with_dead else 0
    return local_count(rectified, (w + 1, r), 2 * r + more, 1000 * seed + k)


def dead_units(n: int, r: int, seed: int) -> int:
    """The number of units of the second block that are off for all inputs, near the parameter drawn."""
    return never_chosen(near_count(rectified, (n, r), seed), "gate2")


def _block_dimension(size: Size) -> int:
    return 2 * size[0] * size[1]


EDGES = ((1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (1, 5), (2, 5))
GRID = Grid(
    ("n", "r", "sigma"), _block_dimension, quick=4, full=12,
    edges=tuple((n, r, kind) for (n, r), kind in product(EDGES[:5], (1, 2))), most=(6, 6, 2),
)  # fmt: skip

CLAIMS = [
    Claim(
        "residual.skip",
        "A skip connection changes no law",
        "arXiv 2506.06194, proposition 3.2",
        Statement(
            "g and x + g have the same laws",
            r"g(\theta, x) \text{ and } x + g(\theta, x) \text{ have the same conservation laws}",
            _skip,
        ),
        Grid(("n", "r", "sigma"), _block_dimension, quick=6, full=12, edges=((1, 3, 3), (2, 5, 1)), most=(8, 8, 3)),
        note="sigma: 1 the identity, 2 ReLU, 3 tanh. Polynomial fields are the same; with tanh, the laws of g are all "
        "laws of x + g.",
    ),
    Claim(
        "residual.block",
        "Laws that depend on one block are those of the block alone",
        "arXiv 2506.06194, theorem 4.5 (laws of one block)",
        Statement(
            "the laws of two blocks that depend on the parameters of one of them are as many as those of that block",
            r"h(\theta_l) \text{ is a law of the network} \iff h \text{ is a law of block } l",
            _of_one_block,
        ),
        Grid(
            ("n", "r", "sigma", "l"),
            _block_dimension,
            quick=4,
            full=10,
            edges=((1, 3, 1, 1), (1, 3, 1, 2), (1, 5, 2, 2), (2, 2, 1, 1)),
            most=(6, 6, 2, 2),
        ),
        fitted=False,
        note="sigma: 1 the identity, 2 ReLU; l: the block. Those of the other block are free, as the input is.",
    ),
    Claim(
        "residual.across",
        "No law across one skip connection",
        "arXiv 2506.06194, theorem 4.6 (no law of consecutive blocks)",
        Statement(
            "no law depends on the parameters V_2, U_1 on both sides of one skip connection alone",
            r"\text{no conservation law on } (V^{l+1}, U^l)",
            lambda size, seed: counted(flow(size, moving=("V2", "U1")), 0, seed),
        ),
        GRID,
        note="Of any kind: all else being free, the fields of V_2, U_1 span all directions.",
    ),
    Claim(
        "residual.joint",
        "Two blocks have no laws but those of each",
        "arXiv 2506.06194, section 4: example 4.8 and what is computed there",
        Statement(
            "the number of laws of two blocks is twice that of one",
            r"\text{all laws of two blocks: those of the blocks}",
            lambda size, seed: counted(flow(size), 2 * laws_of_block(size), seed),
        ),
        GRID,
        instead=Statement(
            "that, or 4r - 1 for linear blocks on scalars, where there is one field",
            r"\text{twice that of one, or } 4r - 1 \text{ if } n = 1, \sigma = \mathrm{id}",
            lambda size, seed: counted(
                flow(size), 4 * size[1] - 1 if size[::2] == (1, 1) else 2 * laws_of_block(size), seed
            ),
        ),
        fitted=False,
        note="sigma: 1 the identity, 2 ReLU with free gates, which is what data span except as in residual.scalar and "
        "residual.wider.",
    ),
    Claim(
        "residual.scalar",
        "Two ReLU blocks of one unit on scalars: the signs decide",
        "arXiv 2506.06194, example 4.8",
        Statement(
            "there are three laws, not two",
            r"m = 1: \ \text{three conservation laws instead of two}",
            lambda size, seed: _scalar(3, size, seed),
        ),
        Grid(("v1", "v2", "gain"), lambda size: 4, 4, 4, most=2),
        instead=Statement(
            "three where v_1 and v_2 have the same sign, else two",
            r"v_1 v_2 > 0: \ \text{three}, \quad v_1 v_2 < 0: \ \text{two}",
            lambda size, seed: _scalar(3 if size[0] == size[1] else 2, size, seed),
        ),
        note="v1, v2, gain: signs of v_1, v_2 and 1 + u_1 v_1, 1 for plus and 2 for minus. All linear regions of the "
        "input are visited, so the count is exact. With v_1 v_2 > 0 one function of the four weights is learned: "
        "(1 + u_1 v_1)(1 + u_2 v_2), or 1 + u_1 v_1 where that is negative and the second unit always off.",
    ),
    Claim(
        "residual.wider",
        "No more laws than those of the blocks beyond scalars",
        "arXiv 2506.06194, example 4.8 (numerically, for m > 1)",
        Statement(
            "the true gates of two ReLU blocks leave 2r laws",
            r"m > 1: \ \text{no other conservation laws}",
            _drawn,
        ),
        Grid(
            ("w", "r", "draw"),
            lambda size: size[0] * size[1] * size[2],
            quick=6,
            full=24,
            edges=((1, 3, 1), (1, 3, 2), (2, 1, 1), (1, 2, 21)),
            most=(2, 3, 24),
        ),
        instead=Statement(
            "2r laws, and 2n - 1 more for each unit of the second block that is off for all inputs",
            r"2r + (2n - 1)\, \#\{\text{units that are off for all inputs}\}",
            lambda size, seed: _drawn(size, seed, with_dead=True),
        ),
        note="n = w + 1; draw: the parameter drawn. For n = 2 all linear regions of x are visited. The first block "
        "may map all inputs to where a unit of the second is off: so on an open set of parameters.",
        fitted=False,
    ),
]
