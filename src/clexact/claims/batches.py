"""The published runs of arXiv 2307.00144 and 2405.12888, drawn from a seed and certified.

The published figures are those of the authors' notebooks (SageMath floats, 64 cores), by their own logs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NamedTuple

from clexact import models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.algebra.terms import Terms, monomials_of_degree
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Size, cases
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.flows.dynamics import HeavyBall, gradient_flow, mirror_flow, momentum_flow
from clexact.flows.flow import Flow
from clexact.formulas.grid_axes import random_sizes
from clexact.laws.polynomial_laws import laws_from_dicts, polynomial_laws
from clexact.laws.result import ConservationLaws, independent
from clexact.support.errors import RANK_BITS
from clexact.symmetry.groups import Law

FIELD_VARIABLES, FIELD_DEGREE, FIELD_COEFFICIENT = 5, 3, 9  # of the random fields
MOST_LISTED = 10_000  # terms of the fields that a certificate lists; a larger network has none here


@dataclass(frozen=True)
class BatchRow:
    """One network or family of fields: certified bounds beside the stated number."""

    batch: str
    network: str
    dimension: int
    lower: int
    upper: int
    stated: int
    verdict: str
    evidence: str
    seconds: float
    count: LawCount | None = field(default=None, compare=False, repr=False)  # None for a search


@dataclass(frozen=True)
class Batch:
    """A list of cases; ``published`` is the time of the published run in seconds, None if none was published."""

    name: str
    statement: str
    published: int | None
    cases: tuple[Callable[[], BatchRow], ...]


def verdict(lower: int, upper: int, stated: int) -> str:
    """``confirmed`` when the certified bounds meet at the stated number, else what is certified instead."""
    if lower == upper:
        return "confirmed" if lower == stated else f"refuted: {lower}"
    return "open" if lower <= stated <= upper else f"refuted: between {lower} and {upper}"


def stated_linear(sizes: list[int], seed: int) -> int:
    r"""How many entries of all $U_l^\top U_l - U_{l+1} U_{l+1}^\top$ are independent, by their definition."""
    flow = gradient_flow(models.linear(sizes))
    place = {name: i for i, name in enumerate(flow.variables)}
    laws: list[Law] = []
    for layer, (rows, width, columns) in enumerate(zip(sizes, sizes[1:], sizes[2:], strict=False), start=1):
        for k in range(width):
            for m in range(k, width):
                left = [tuple(sorted((place[f"U{layer}[{i},{k}]"], place[f"U{layer}[{i},{m}]"]))) for i in range(rows)]
                right = [
                    tuple(sorted((place[f"U{layer + 1}[{k},{j}]"], place[f"U{layer + 1}[{m},{j}]"])))
                    for j in range(columns)
                ]
                laws.append(dict.fromkeys(left, 1) | dict.fromkeys(right, -1))
    return _count_independent(laws_from_dicts(flow, laws, 2, seed), seed)


def _count_independent(laws: ConservationLaws, seed: int) -> int:
    draws = Draws(seed)
    prime = draws.prime(RANK_BITS)
    return len(independent(laws, draws.residues((len(laws.variables),), prime), prime))


def random_fields(
    draws: Draws, count: int, variables: int = FIELD_VARIABLES, degree: int = FIELD_DEGREE
) -> VectorFields:
    """Fields in x1, x2, ..., every coefficient up to the degree uniform in -9..9."""
    names = tuple(f"x{i}" for i in range(1, variables + 1))
    monomials = [
        terms.monomial(t)
        for terms in (monomials_of_degree(variables, k) for k in range(degree + 1))
        for t in range(len(terms))
    ]

    def component() -> Polynomial:
        coefficients = draws.integers(-FIELD_COEFFICIENT, FIELD_COEFFICIENT, len(monomials))
        return Polynomial._from_checked(names, Terms.from_monomials([0] * len(monomials), coefficients, monomials))

    return VectorFields(names, [[component() for _ in names] for _ in range(count)])


def _counted(batch: str, name: str, stated: int, flow: Any, seed: int, start: float) -> BatchRow:
    count = certify(flow, seed=seed)
    seconds = time.perf_counter() - start
    outcome = verdict(count.lower, count.upper, stated)
    evidence = f"lower {count.evidence.lower}; upper {count.evidence.upper}"
    return BatchRow(batch, name, count.dimension, count.lower, count.upper, stated, outcome, evidence, seconds, count)


def _linear_case(batch: str, sizes: list[int], seed: int) -> BatchRow:
    stated, start = stated_linear(sizes, seed), time.perf_counter()
    return _counted(batch, f"linear {sizes}", stated, gradient_flow(models.linear(sizes)), seed, start)


def _relu_case(batch: str, sizes: list[int], bias: bool, seed: int) -> BatchRow:
    start = time.perf_counter()
    net = models.relu(sizes, bias=bias)
    return _counted(batch, net.name, sum(sizes[1:-1]), gradient_flow(net), seed, start)


def _product_case(batch: str, d: int, seed: int) -> BatchRow:
    start = time.perf_counter()
    return _counted(batch, f"x_1 ... x_{d}", d - 1, gradient_flow(models.product(d)), seed, start)


def _fields_case(batch: str, fields: VectorFields, seed: int) -> BatchRow:
    start = time.perf_counter()
    stated = fields.dimension - 1 if len(fields) == 1 else 0
    name = f"{len(fields)} random field{'s' * (len(fields) > 1)}"
    return _counted(batch, name, stated, fields, seed, start)


def _search_case(batch: str, net: Any, stated: int, seed: int) -> BatchRow:
    """All laws of degree 2 from the expanded fields alone, without what the program's shape would propose."""
    start = time.perf_counter()
    fields = gradient_flow(net).fields
    laws = polynomial_laws(fields, 2, seed=seed)
    seconds = time.perf_counter() - start
    found = len(laws.independent)
    upper = len(laws) if laws.complete else fields.dimension  # no more are independent than there are in all
    evidence = f"{len(laws)} laws, exact identities; {laws.known}"
    outcome = verdict(found, upper, stated)
    return BatchRow(batch, net.name, fields.dimension, found, upper, stated, outcome, evidence, seconds)


def _linear_search_case(batch: str, sizes: list[int], seed: int) -> BatchRow:
    return _search_case(batch, models.linear(sizes), stated_linear(sizes, seed), seed)


def _flow_case(batch: str, network: str, flow: Flow, stated: int, seed: int) -> BatchRow:
    """The count, and beside it the search for polynomial laws of degree 2 in the fields alone."""
    start = time.perf_counter()
    row = _counted(batch, network, stated, flow, seed, start)
    laws = polynomial_laws(flow, 2, seed=seed)
    evidence = f"{row.evidence}; search: {len(laws.independent)} independent polynomial laws of degree 2"
    return replace(row, evidence=evidence, seconds=time.perf_counter() - start)


def stated_momentum(n: int, r: int, m: int) -> int:
    r"""Noether's laws of $U V^\top$ under momentum: r(r - 1)/2 - s(s - 1)/2, s = max(0, r - 2(n + m))."""
    s = max(0, r - 2 * (n + m))
    return r * (r - 1) // 2 - s * (s - 1) // 2


class FlowBatch(NamedTuple):
    """20 networks n x r x m of widths up to ``width`` on one flow; ``make`` gives the flow and the number stated."""

    name: str
    statement: str
    width: int
    published: int  # seconds
    make: Callable[[tuple[int, int, int], HeavyBall, bool], tuple[Flow, int]]


FLOW_BATCHES = [
    FlowBatch(
        "momentum, 20 linear networks", "r(r-1)/2 - s(s-1)/2 laws for U V^T, s = max(0, r-2(n+m))", 3, 139,
        lambda s, damping, _: (momentum_flow(models.nmf(*s), damping), stated_momentum(*s)),
    ),
    FlowBatch(
        "momentum, 20 ReLU networks", "no law", 3, 63,
        lambda s, damping, bias: (momentum_flow(models.relu(s, bias=bias), damping), 0),
    ),
    FlowBatch(
        "mirror flow, 20 NMF", "the laws are sum_i U_ik - sum_j V_jk, and no others", 7, 448,
        lambda s, *_: (mirror_flow(models.nmf(*s), ["U", "V"]), s[1]),
    ),
    FlowBatch(
        "mirror momentum, 20 NMF", "no law", 5, 105,
        lambda s, damping, _: (momentum_flow(models.nmf(*s), damping, positive=["U", "V"]), 0),
    ),
    FlowBatch(
        "mirror flow, 20 ICNN", "the laws are sum_i U_ik - (|v_k|^2 + b_k^2)/2, and no others", 5, 756,
        lambda s, _, bias: (mirror_flow(models.icnn(*s, bias=bias), ["U"]), s[1]),
    ),
    FlowBatch(
        "mirror momentum, 20 ICNN", "no law", 5, 729,
        lambda s, damping, bias: (momentum_flow(models.icnn(*s, bias=bias), damping, positive=["U"]), 0),
    ),
]  # fmt: skip


def _flow_batch(batch: FlowBatch, draws: Draws, seed: int) -> Batch:
    """The cases of a batch, with damping tau = 0, 1/2, 1 or 3/2, and with biases or not."""
    cases = []
    for _ in range(20):
        n, r, m = draws.integers(1, batch.width, 3)
        damping = HeavyBall(Fraction(draws.integers(0, 3, 1)[0], 2))
        bias = bool(draws.integers(0, 1, 1)[0])
        flow, stated = batch.make((n, r, m), damping, bias)
        tau = f", tau = {damping.tau}" if "momentum" in batch.name else ""
        network = f"{batch.name.split()[-1]} {n} x {r} x {m}{tau}"
        cases.append(partial(_flow_case, batch.name, network, flow, stated, seed))
    return Batch(batch.name, batch.statement, batch.published, tuple(cases))


def batches(seed: int = 0) -> list[Batch]:
    """All batches with their cases, drawn from the seed."""
    draws = Draws(seed)
    linear, relu = "50 linear networks", "50 ReLU networks"
    linear_search, relu_search = "law search, 10 linear networks", "law search, 10 ReLU networks"
    product, random = "x_1 ... x_D, D = 2..8", "random fields, 5 variables, degree 3"

    def sizes(depths: tuple[int, int], widths: tuple[int, int], count: int) -> list[list[int]]:
        return [random_sizes(draws, depths, widths) for _ in range(count)]

    linear_sizes, relu_sizes = sizes((2, 4), (2, 5), 50), sizes((2, 4), (2, 9), 50)
    searched, searched_relu = sizes((2, 3), (2, 4), 10), sizes((2, 3), (2, 4), 10)
    families = [random_fields(draws, count) for count in range(1, 6)]
    drawn: dict[str, list[Callable[[], BatchRow]]] = {
        linear: [partial(_linear_case, linear, s, seed) for s in linear_sizes],
        relu: [partial(_relu_case, relu, s, n % 2 == 1, seed) for n, s in enumerate(relu_sizes)],
        linear_search: [partial(_linear_search_case, linear_search, s, seed) for s in searched],
        relu_search: [partial(_search_case, relu_search, models.relu(s), sum(s[1:-1]), seed) for s in searched_relu],
        product: [partial(_product_case, product, d, seed) for d in range(2, 9)],
        random: [partial(_fields_case, random, fields, seed) for fields in families],
    }
    statements = {
        linear: "the laws are the entries of U_l^T U_l - U_(l+1) U_(l+1)^T, and no others",
        relu: "one law for each hidden unit, and no others",
        linear_search: "the polynomial laws of degree 2 are the entries of U_l^T U_l - U_(l+1) U_(l+1)^T",
        relu_search: "the polynomial laws of degree 2 are one for each hidden unit",
        product: "D - 1 laws",
        random: "D - 1 laws for one field, none for two or more",
    }
    published = {linear: 2063, relu: 6780, linear_search: 91, relu_search: 44}
    first = [Batch(name, statements[name], published.get(name), tuple(cases)) for name, cases in drawn.items()]
    return first + [_flow_batch(batch, draws, seed) for batch in FLOW_BATCHES]


def run(batch: Batch) -> Iterator[BatchRow]:
    """The rows of a batch, one by one."""
    for case in batch.cases:
        yield case()


# --- as claims -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _drawn(seed: int) -> dict[str, Batch]:
    return {batch.name: batch for batch in batches(seed)}


def _checked(name: str, size: Size, seed: int) -> Check:
    """One network of a batch, drawn from the seed."""
    row = _drawn(seed)[name].cases[size[0] - 1]()
    exact = row.lower == row.upper
    found = f"{row.network}: {row.lower if exact else f'{row.lower} to {row.upper}'}"
    holds = None if row.verdict == "open" else row.verdict == "confirmed"
    small = row.count is not None and row.count.flow.expanded_size <= MOST_LISTED
    return Check(
        holds, str(row.stated), found, row.evidence, row.dimension, count=row.lower if exact else None,
        proof=row.count if small else None,
    )  # fmt: skip


def _claim(id: str, name: str, count: int, source: str, latex: str, published: str = "", remark: str = "") -> Claim:
    """A batch as a claim, a case for each network."""
    statement = Statement(f"{name}: the stated number of laws", latex, partial(_checked, name))
    note = "Sizes drawn from the seed in the ranges of the notebook." + f" Published: {published}." * bool(published)
    note += f" {remark}" * bool(remark)
    grid = cases("network", count)
    return Claim(f"batch.{id}", name, f"{source}, published notebook", statement, grid, note=note)


_GRADIENT, _OTHER = "arXiv 2307.00144", "arXiv 2405.12888"
_SAGE = "{} s, SageMath on 64 cores"
_REMARKS = {
    "momentum-linear": "A network of one input, one output and r >= 2 has more laws: momentum.number says how many.",
}

CLAIMS = [
    _claim("linear", "50 linear networks", 50, _GRADIENT, r"U_l^\top U_l - U_{l+1} U_{l+1}^\top \text{ and no others}",
           _SAGE.format(2063)),
    _claim("relu", "50 ReLU networks", 50, _GRADIENT, r"\text{one law for each hidden unit}", _SAGE.format(6780)),
    _claim("linear-search", "law search, 10 linear networks", 10, _GRADIENT,
           r"U_l^\top U_l - U_{l+1} U_{l+1}^\top \text{ are all of degree } 2", _SAGE.format(91)),
    _claim("relu-search", "law search, 10 ReLU networks", 10, _GRADIENT,
           r"\text{one law of degree } 2 \text{ for each hidden unit}", _SAGE.format(44)),
    _claim("product", "x_1 ... x_D, D = 2..8", 7, _GRADIENT, r"D - 1 \text{ laws}"),
    _claim("fields", "random fields, 5 variables, degree 3", 5, _GRADIENT,
           r"D - 1 \text{ laws for one field, else } 0"),
    *(
        _claim(id, batch.name, 20, _OTHER, latex, _SAGE.format(batch.published), _REMARKS.get(id, ""))
        for (id, latex), batch in zip(
            {
                "momentum-linear": r"r(r-1)/2 - s(s-1)/2, \quad s = \max(0, r - 2(n+m))",
                "momentum-relu": r"\text{no law}",
                "nmf": r"\sum_i U_{ik} - \sum_j V_{jk}",
                "nmf-momentum": r"\text{no law}",
                "icnn": r"\sum_i U_{ik} - (\|v_k\|^2 + b_k^2)/2",
                "icnn-momentum": r"\text{no law}",
            }.items(),
            FLOW_BATCHES,
            strict=True,
        )
    ),
]  # fmt: skip
