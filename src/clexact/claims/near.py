r"""True gates near starts that are drawn: which laws networks have beside those of the re-parametrization.

What the sources prove of $\varphi$ holds of the network where $W_g = W_\varphi$, which is not proved in general for
deep networks (arXiv 2307.00144). Here the network itself is counted, near parameters drawn as networks are initialised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np

from clexact import models
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.deep import all_laws
from clexact.claims.grid import Grid, Size, factored, layers, weights
from clexact.claims.relu import BIASED, hidden, with_biases
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.starts import INITS, random_start
from clexact.flows.dynamics import gradient_flow
from clexact.flows.near import Start
from clexact.programs.network import TieError

KAIMING = INITS.index("kaiming")
FEW, MANY = 4, 12  # starts of each size
ZERO, HALF = Fraction(0), Fraction(1, 2)
Net = tuple[Size, bool, int, Fraction]  # widths, outputs first; biases; which of INITS; slope


@cache
def near(net: Net, starts: int, seed: int) -> tuple[LawCount, ...]:
    """The counts near so many starts, the k-th drawn from the seed 1000 seed + k; none near one on a kink."""
    widths, bias, init, slope = net
    model, found = models.relu(list(widths), bias=bias, slope=slope), list[LawCount]()
    for k in range(1000 * seed, 1000 * seed + starts):
        try:
            found.append(certify(gradient_flow(model), near=random_start(model, INITS[init], seed=k), seed=k))
        except TieError:
            continue
    return tuple(found)


def net_of(widths: Iterable[int], bias: bool = True, init: int = KAIMING, slope: Fraction = ZERO) -> Net:
    """A network with its starts, in order to be looked up."""
    return tuple(widths), bias, init, slope


def always_off(start: Start, widths: Size) -> list[tuple[int, int]]:
    """The hidden units, as (layer from the output, place), that are off for all inputs near a start."""
    last = len(widths) - 1
    gates = {layer: [region.gates[f"gate{last - layer}"] for region in start.regions.found] for layer in range(1, last)}
    return [(layer, k) for layer, met in gates.items() for k in np.flatnonzero((np.stack(met) == 0).all(0)).tolist()]


def touching(units: Iterable[tuple[int, int]], widths: Size, bias: bool) -> int:
    """How many parameters enter or leave one of these units, biases included."""
    found = set[tuple[str, int, int, int]]()
    for layer, k in units:
        found |= {("U", layer, i, k) for i in range(widths[layer - 1])}
        found |= {("U", layer + 1, k, j) for j in range(widths[layer + 1])}
        found |= {("b", layer + 1, k, 0)} if bias else set()
    return len(found)


def explained(count: LawCount, net: Net) -> int:
    """One for each unit that some input turns on, and the parameters of all others, which do not move."""
    widths, bias, _, _ = net
    assert count.flow.start is not None
    off = always_off(count.flow.start, widths)
    return hidden(widths) - len(off) + touching(off, widths, bias)


# --- checks ----------------------------------------------------------------------------------------------------------


def _check(found: Sequence[LawCount], holds: Sequence[bool | None], stated: str) -> Check:
    """Of statements near each of several starts: it holds where all do."""
    table = sorted(Counter((c.lower, c.upper) for c in found).items())
    shown = ", ".join(f"{low if low == high else f'{low} to {high}'} near {n}" for (low, high), n in table)
    known = sum(c.flow.start is not None and c.flow.start.complete for c in found)
    return Check(
        False if False in holds else None if None in holds or not holds else True,
        stated, shown or "all starts are on a kink",
        f"certified near {len(found)} starts; all gates that are met there are known near {known} of them",
        found[0].dimension if found else 0, scope=found[0].scope if found else "",
    )  # fmt: skip


def counted_near(net: Net, stated: Callable[[LawCount], int], words: str, seed: int, starts: int = FEW) -> Check:
    """Whether there are exactly so many laws near each start."""
    found = near(net, starts, seed)
    return _check(found, [_equal(count, stated(count)) for count in found], words)


def at_least(net: Net, seed: int) -> Check:
    """Whether there are as many laws as ``explained``, or more."""
    found = near(net, FEW, seed)
    bounds = [(count.lower, count.upper, explained(count, net)) for count in found]
    holds = [True if low >= least else None if high >= least else False for low, high, least in bounds]
    return _check(found, holds, f"at least {', '.join(str(least) for *_, least in bounds)}")


def _equal(count: LawCount, stated: int) -> bool | None:
    if not count.lower <= stated <= count.upper:
        return False
    return True if count.exact else None


def _hidden(widths: Size, seed: int, bias: bool = True, slope: Fraction = ZERO) -> Check:
    """As many laws as hidden units near all starts."""
    stated = hidden(widths)
    return counted_near(net_of(widths, bias, slope=slope), lambda count: stated, f"{stated} near all", seed)


def _explained(widths: Size, seed: int) -> Check:
    net = net_of(widths)
    return counted_near(net, lambda count: explained(count, net), "one a unit, and what does not move", seed)


def _by_signs(widths: Size, seed: int) -> Check:
    """On scalars without biases, units of each sign of v are a linear network n, p, 1."""
    n, r, m = widths

    def stated(count: LawCount) -> int:
        if m > 1:
            return r
        assert count.flow.start is not None
        signs = [c > 0 for c in count.flow.start.point[n * r :]]
        return sum(all_laws((n, p, 1)) for p in (sum(signs), r - sum(signs)) if p)

    return counted_near(net_of(widths, False), stated, "r, or by signs where m = 1", seed)


def _share(net: Net, least: Fraction, words: str, seed: int) -> Check:
    """Whether more laws than hidden units are met near at least this share of the starts."""
    found, usual = near(net, MANY, seed), hidden(net[0])
    more, perhaps = (sum(getattr(c, bound) > usual for c in found) for bound in ("lower", "upper"))
    holds = (
        None if not found else True if more >= least * len(found) else None if perhaps >= least * len(found) else False
    )
    return _check(found, [holds], words)


def _often(size: Size, seed: int) -> Check:
    depth, width, inputs = size
    return _share(net_of([1, *[width] * depth, inputs]), HALF, "more near half of them, or more", seed)


def _however_drawn(size: Size, seed: int) -> Check:
    init, width = size
    net = net_of([1, width, width, 1], init=init - 1)
    return _share(net, Fraction(1, MANY), f"more near some ({INITS[init - 1]})", seed)


def listed(grid: Grid) -> Grid:
    """Where statements fail is listed: few starts show no condition on the sizes."""
    return replace(grid, numbered=True)


PLAIN = Grid(
    ("n", "r", "m"), factored, quick=3, full=10, edges=((1, 3, 1), (2, 2, 1), (1, 2, 2), (2, 3, 2), (1, 4, 2)),
)  # fmt: skip
ONE = Grid(BIASED.names, BIASED.dimension, quick=3, full=12, edges=((1, 3, 1), (2, 3, 2)))
EDGES = ((1, 2, 2, 1), (1, 3, 3, 1), (1, 2, 2, 2), (1, 2, 2, 3))
DEEP = listed(layers(with_biases, quick=5, full=12, depths=(3, 4), edges=EDGES))
DEEP_PLAIN = listed(layers(weights, quick=3, full=9, depths=(3, 4), edges=((2, 2, 2, 2),)))
NETWORK = "arXiv 2307.00144, published notebook: of the network itself, near starts"
OURS = "not stated in the sources"
STARTS = f"Near {FEW} starts of each size: weights as by He et al., biases uniform in [-1, 1]."
ON_REGIONS = "With up to three inputs all linear regions are found, so the counts are those of the network."


def _live_units(bias: bool) -> Statement:
    return Statement(
        "at least one for each unit that some input turns on, and all parameters of the units that none does",
        r"N \ge \#\{\text{units that are on for some input}\} + \#\{\text{parameters of the others}\}",
        lambda widths, seed: at_least(net_of(widths, bias), seed),
    )


CLAIMS = [
    Claim(
        "near.one-layer",
        "One hidden layer with biases, near starts",
        NETWORK,
        Statement(
            "near each start there are r independent laws, one for each hidden unit, and no others",
            r"r \text{ conservation laws}",
            _hidden,
        ),
        ONE,
        note="There true gates span what free gates span.",
        fitted=False,
    ),
    Claim(
        "near.plain",
        "One hidden layer without biases, near starts",
        "talk, slide 28, corollary: of the network itself, near starts",
        Statement(
            "near each start there are r independent laws, one for each hidden unit, and no others",
            r"\text{for ReLu networks, no other conservation laws}",
            lambda widths, seed: _hidden(widths, seed, bias=False),
        ),
        PLAIN,
        instead=Statement(
            "r, but on scalar inputs the units of each sign of v have the laws of a linear network",
            r"m = 1: \ N = N_{\text{linear}}(n, p, 1) + N_{\text{linear}}(n, q, 1), \quad p + q = r",
            _by_signs,
        ),
        fitted=False,
    ),
    Claim(
        "near.deep",
        "Deep ReLU networks with biases, near starts",
        NETWORK,
        Statement(
            "near each start there are as many independent laws as hidden units",
            r"\sum_l r_l",
            _hidden,
        ),
        DEEP,
        instead=_live_units(bias=True),
        note=f"{STARTS} With free gates there are as many as hidden units: relu.deep-bias-count. {ON_REGIONS}",
        fitted=False,
    ),
    Claim(
        "near.deep-off",
        "Units that are always off explain the others",
        OURS,
        Statement(
            "there is one law for each unit that some input turns on, all parameters of the other units, and no others",
            r"N = \#\{\text{units that are on for some input}\} + \#\{\text{parameters of the others}\}",
            _explained,
        ),
        DEEP,
        note=f"{STARTS} Where it fails, inputs open fewer gates together than free gates do, beside units that are "
        f"always off: so it is on scalar inputs above all. {ON_REGIONS}",
        fitted=False,
    ),
    Claim(
        "near.deep-plain",
        "Deep ReLU networks without biases, near starts",
        NETWORK,
        Statement(
            "near each start there are as many independent laws as hidden units",
            r"\sum_l r_l",
            lambda widths, seed: _hidden(widths, seed, bias=False),
        ),
        DEEP_PLAIN,
        instead=_live_units(bias=False),
        note=f"{STARTS} {ON_REGIONS}",
        fitted=False,
    ),
    Claim(
        "near.slope",
        "Deep leaky ReLU networks, near starts",
        OURS,
        Statement(
            "with slope 1/10 there are as many independent laws as hidden units near each start",
            r"\sum_l r_l",
            lambda widths, seed: _hidden(widths, seed, slope=Fraction(1, 10)),
        ),
        listed(layers(with_biases, quick=5, full=10, depths=(3, 4), edges=EDGES[:2])),
        note=f"{STARTS} No unit is off, but gates may still span less than free ones.",
        fitted=False,
    ),
    Claim(
        "near.often",
        "How often there are more laws than hidden units",
        OURS,
        Statement(
            f"near at least half of {MANY} starts there are more laws than hidden units",
            r"\#\{\theta_0: N(\theta_0) > \sum_l r_l\} \ge \tfrac12 \#\{\theta_0\}",
            _often,
        ),
        Grid(
            ("layers", "r", "inputs"), lambda size: size[0] * size[1] * size[2], quick=2, full=9,
            edges=((2, 2, 1), (2, 2, 2)), most=(3, 4, 3), least=(1, 2, 1), numbered=True,
        ),
        note="Hidden layers of r units each, with biases; weights as by He et al., biases uniform in [-1, 1]. "
        "The sweep true-networks has 60 starts of larger networks: docs/true-networks.md.",
        fitted=False,
    ),
    Claim(
        "near.init",
        "However the weights are drawn",
        OURS,
        Statement(
            f"near some of {MANY} starts a network 1, r, r, 1 with biases has more laws than hidden units, for each of "
            "four ways to draw its weights",
            r"\exists\, \theta_0: \ N(\theta_0) > 2r",
            _however_drawn,
        ),
        Grid(
            ("init", "r"), lambda size: size[0] * size[1], quick=2, full=16, edges=((3, 2),), most=(len(INITS), 4),
            least=(1, 2), numbered=True,
        ),
        note=f"init: {', '.join(f'{k} {word}' for k, word in enumerate(INITS, start=1))} (random_start).",
        fitted=False,
    ),
]  # fmt: skip
