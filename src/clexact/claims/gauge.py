r"""Gauge dimensions of attention: how many directions of its parameters change nothing, by ``clexact.dimension``.

The gauge group of a head is $GL(d_k) \times GL(d_v)$: $Q \mapsto QA$, $K \mapsto KA^{-\top}$, likewise of V and O. At
a generic point the directions that change nothing of the function, D minus the functional dimension, are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from clexact import functions, models
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims.checks import drawn_point
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Grid, Size
from clexact.counting.dimension import FunctionalDimension, dimension
from clexact.flows.dynamics import gradient_flow
from clexact.programs.array import Array
from clexact.programs.model import Model


def _compared(model: Model, stated: int, seed: int) -> Check:
    """The certified number of directions beside the number stated."""
    found = dimension(gradient_flow(model), seed=seed)
    most, least = found.parameters - found.lower, found.parameters - found.upper
    holds = _holds(found, least, most, stated)
    said = str(most) if least == most else f"{least} to {most}"
    return Check(
        holds, f"{stated} directions", f"{said} directions", _evidence(found), found.parameters, scope=found.scope,
        count=most if holds is not None and least == most else None,
    )  # fmt: skip


def _holds(found: FunctionalDimension, least: int, most: int, stated: int) -> bool | None:
    """More directions than the rank leaves are refuted; that there are so many is proved by directions alone."""
    if stated > most:
        return False
    if found.error or least < most:
        return None
    return stated == most


def _evidence(found: FunctionalDimension) -> str:
    groups = ", ".join(str(each.count) for each in found.redundancies) or "no group"
    more = " (the rank at random points, with an error)" if found.error else ""
    return (
        f"at least: directions of groups that change nothing, {groups}{more}; at most: D = {found.parameters} less the "
        f"rank {found.lower} of gradients of outputs modulo a prime"
    )


def _heads(size: Size, seed: int, whole: bool = False) -> Check:
    d, h, heads = size
    return _compared(models.attention(d, h, heads), heads * 2 * _factor(d, h, whole), seed)


def _factor(d: int, h: int, whole: bool) -> int:
    """Of A B^T with A, B of d x h: h^2, or all of 2dh - r(2d - r), r = min(d, h)."""
    r = min(d, h)
    return 2 * d * h - r * (2 * d - r) if whole else h * h


def _softmax(size: Size, seed: int) -> Check:
    d, h, tokens = size
    return _compared(models.attention(d, h, tokens=tokens), 2 * h * h, seed)


def _rotary(size: Size, seed: int, whole: bool = False) -> Check:
    """Complex numbers act on the planes of Q and K, two directions each: given, and proved to change nothing."""
    d, planes = size
    flow = gradient_flow(models.attention(d, 2 * planes, rope=True))
    stated = 2 * planes + _factor(d, 2 * planes, whole)
    moves = VectorFields.from_strings(flow.variables, [*_turns(d, planes), *_mixings(d, 2 * planes)])
    fields = flow.fields
    every = [moves.components(k) for k in range(len(moves))]
    for gradient, move in product((fields.components(i) for i in range(len(fields))), every):
        terms = (a * b for a, b in zip(gradient, move, strict=True) if a and b)
        if not sum(terms, Polynomial(flow.variables, {})).is_zero:
            raise AssertionError("a direction of the group changes the function.")
    least = moves.rank_at(drawn_point(flow.dimension, seed))
    most = flow.dimension - dimension(flow, seed=seed).lower
    holds = stated == most if least == most else False if not least <= stated <= most else None
    found = f"{most} directions" if least == most else f"{least} to {most} directions"
    evidence = (
        f"at least: {least} directions of the group, each shown to change no coefficient and independent at a point; "
        f"at most: D = {flow.dimension} less the rank of gradients of outputs modulo a prime"
    )
    return Check(
        holds, f"{stated} directions", found, evidence, flow.dimension, scope=flow.scope,
        count=most if least == most else None,
    )  # fmt: skip


def _turns(d: int, planes: int) -> list[dict[str, str]]:
    """Q_j -> Q_j (a + bJ), and the inverse transposed of K_j, at a = 1 and b = 0: of each plane j."""
    found = []
    for j in range(planes):
        even, odd = 2 * j, 2 * j + 1
        sizes: dict[str, str] = {}
        turns: dict[str, str] = {}
        for i in range(d):
            for name, sign in (("Q1", ""), ("K1", "-")):
                sizes |= {f"{name}[{i},{k}]": f"{sign}{name}[{i},{k}]" for k in (even, odd)}
                turns |= {
                    f"{name}[{i},{even}]": f"{name}[{i},{odd}]", f"{name}[{i},{odd}]": f"-{name}[{i},{even}]"
                }  # fmt: skip
        found += [sizes, turns]
    return found


def _mixings(d: int, h: int) -> list[dict[str, str]]:
    """V -> V A, O -> O A^-T at A = 1: for each entry (a, b) of A."""
    return [
        {f"V1[{i},{b}]": f"V1[{i},{a}]" for i in range(d)} | {f"O1[{i},{a}]": f"-O1[{i},{b}]" for i in range(d)}
        for a in range(h)
        for b in range(h)
    ]


def _grouped(size: Size, seed: int, whole: bool = False) -> Check:
    d, h, sharing, keys = size
    stated = keys * 2 * (_shared(d, h, sharing) if whole else h * h)
    return _compared(models.attention(d, h, sharing * keys, keys=keys), stated, seed)


def _shared(d: int, h: int, sharing: int) -> int:
    """Of A_i B^T, i to s, with one B: (s + 1) d h less the dimension of matrices of rank r = min(h, d) of sd x d."""
    r = min(h, d)
    return (sharing + 1) * d * h - r * (sharing * d + d - r)


def with_gains(d: int, h: int, tokens: int) -> Model:
    """A head on tokens whose channels are rescaled by gains g, as after a norm."""

    def output(g: Array, Q: Array, K: Array, V: Array, O: Array, X: Array) -> Array:  # noqa: E741
        Y = X * g
        return functions.softmax(Y @ Q @ K.T @ Y.T) @ Y @ V @ O.T

    return Model({"g": (d,), **dict.fromkeys("QKVO", (d, h))}, {"X": (tokens, d)}, output)


def _gains(size: Size, seed: int) -> Check:
    d, h = size
    return _compared(with_gains(d, h, 2), 2 * h * h + d, seed)


def _sizes(size: Sequence[int]) -> int:
    d, h, heads = size
    return 4 * d * h * heads


FORMULA = "folklore of transformers: GL(d_k) x GL(d_v) for each head"
NOTE = "The directions at a generic point: D minus the functional dimension. "

CLAIMS = [
    Claim(
        "gauge.heads",
        "The gauge dimension of heads",
        FORMULA,
        Statement("d_k^2 + d_v^2 directions for each head", r"\sum_{i} (d_k^2 + d_v^2)", _heads),
        Grid(("d", "h", "H"), _sizes, quick=24, full=64, edges=((2, 3, 1), (2, 2, 2), (3, 2, 2)), most=(4, 4, 2)),
        instead=Statement(
            "2(2dh - r(2d - r)) directions for each head, r = min(d, h)",
            r"2 H (2dh - r(2d - r)), \quad r = \min(d, h)",
            lambda size, seed: _heads(size, seed, whole=True),
        ),
        note=NOTE + "d_k = d_v = h; heads factored, (Q_i K_i^T, V_i O_i^T).",
        fitted=False,
    ),
    Claim(
        "gauge.softmax",
        "The gauge dimension of a head with the true softmax",
        FORMULA,
        Statement("d_k^2 + d_v^2 directions", r"d_k^2 + d_v^2", _softmax),
        Grid(("d", "h", "T"), lambda size: 4 * size[0] * size[1], quick=16, full=24, least=(2, 1, 2), most=(4, 2, 3)),
        note=NOTE + "At least two tokens; h is at most d.",
        fitted=False,
    ),
    Claim(
        "gauge.rope",
        "The gauge dimension of rotary attention",
        "the commutant of the rotations is C for each plane; arXiv 2606.17816, theorem 4.4",
        Statement("2 directions for each plane of queries and keys, and d_v^2", r"2 p + (2p)^2", _rotary),
        Grid(("d", "p"), lambda size: 8 * size[0] * size[1], quick=24, full=48, edges=((1, 1), (1, 2))),
        instead=Statement(
            "2p + 2dh - r(2d - r) directions, h = 2p, r = min(d, h)",
            r"2p + 2dh - r(2d - r), \quad h = 2p, \ r = \min(d, h)",
            lambda size, seed: _rotary(size, seed, whole=True),
        ),
        note=NOTE + "p planes, h = 2p.",
        fitted=False,
    ),
    Claim(
        "gauge.grouped-queries",
        "The gauge dimension of heads that share keys and values",
        FORMULA + ", one for all queries of a group",
        Statement("d_k^2 + d_v^2 directions for each key and value head", r"G (d_k^2 + d_v^2)", _grouped),
        Grid(
            ("d", "h", "s", "G"), lambda size: 2 * size[0] * size[1] * (size[2] + 1) * size[3], quick=24, full=48,
            least=(1, 1, 2, 1), most=(3, 2, 2, 2), edges=((1, 3, 2, 1), (1, 4, 2, 1)),
        ),
        instead=Statement(
            "2G((s + 1)dh - r((s + 1)d - r)) directions, r = min(d, h)",
            r"2G\left((s+1)dh - r((s+1)d - r)\right), \quad r = \min(d, h)",
            lambda size, seed: _grouped(size, seed, whole=True),
        ),
        note=NOTE + "s query heads share each of G keys and values; factored; not for d < h < sd, left open.",
        fitted=False,
    ),
    Claim(
        "gauge.gains",
        "Gains before a head add one direction for each channel",
        FORMULA + ", with the gains of a norm",
        Statement("d_k^2 + d_v^2 + d directions", r"d_k^2 + d_v^2 + d", _gains),
        Grid(("d", "h"), lambda size: size[0] * (4 * size[1] + 1), quick=18, full=27, least=(2, 1), most=(4, 2)),
        note=NOTE + "Two tokens, the true softmax; the norm itself is no part of it. h is at most d.",
        fitted=False,
    ),
]  # fmt: skip
