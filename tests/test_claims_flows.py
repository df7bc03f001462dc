"""The claims on momentum, mirror flows, special starts and discrete steps: verdicts, planted errors, edges."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from clexact import lie_derivative, models
from clexact.algebra.polynomial import Polynomial
from clexact.claims import brackets, discrete, mirror, momentum, starts
from clexact.claims.checks import compared, count_at, dimension_of, drawn_point, lawful, together
from clexact.claims.claim import Check, Claim, Statement
from clexact.claims.grid import Reach
from clexact.claims.judge import ClaimVerdict, Judgement, judge
from clexact.counting.starts import STARTS
from clexact.flows.dynamics import HeavyBall, Nesterov, gradient_flow, mirror_flow
from clexact.programs.network import TieError

ALL = {claim.id: claim for topic in (momentum, mirror, starts, discrete) for claim in topic.CLAIMS}


def tiny(claim: Claim, sizes) -> Claim:
    """The claim on these sizes only."""
    return replace(claim, grid=replace(claim.grid, quick=-1, edges=tuple(sizes)))


def judged(name: str, sizes) -> Judgement:
    return judge(tiny(ALL[name], sizes), Reach.QUICK)


def planted(name: str, sizes, check) -> Judgement:
    """The claim with another check in place of the statement's."""
    claim = tiny(ALL[name], sizes)
    wrong = Statement("planted", "0", check)
    return judge(replace(claim, statement=wrong, meant=None, instead=None), Reach.QUICK)


@pytest.fixture(autouse=True)
def no_formulas(monkeypatch):
    """Formulas for the counts are tested elsewhere, and take most of the time on tiny grids."""
    monkeypatch.setattr("clexact.claims.judge.fit", lambda *_, **__: None)


PROVED, PARTLY, MISPRINT, CONFIRMED, REFUTED = (
    ClaimVerdict.PROVED,
    ClaimVerdict.PARTLY,
    ClaimVerdict.MISPRINT,
    ClaimVerdict.CONFIRMED,
    ClaimVerdict.REFUTED,
)
SHAPES = [(1, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2), (2, 2, 1)]
VERDICTS = [
    # claim, sizes, verdict, sizes where it fails
    ("momentum.noether", [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 2)], MISPRINT, [(1, 2, 2), (2, 2, 2)]),
    ("momentum.no-others", SHAPES, PARTLY, [(1, 2, 1)]),
    ("momentum.count", [*SHAPES, (1, 5, 1)], PARTLY, [(1, 2, 1), (1, 5, 1)]),
    ("momentum.number", [*SHAPES, (1, 5, 1)], PARTLY, [(1, 2, 1), (1, 5, 1)]),
    ("momentum.fewer", [*SHAPES, (1, 3, 1)], PARTLY, [(1, 3, 1)]),
    ("momentum.time", [(1, 1, 1), (1, 2, 1), (1, 1, 2)], PARTLY, [(1, 2, 1)]),
    ("momentum.orthogonal", SHAPES, CONFIRMED, []),
    ("momentum.relu", [(1, 1, 1), (1, 2, 1), (2, 1, 2), (1, 1, 1, 1)], CONFIRMED, []),
    ("momentum.relu-scalar", [(1, 1, 1), (1, 2, 1), (2, 1, 2)], PARTLY, [(1, 2, 1), (2, 1, 2)]),
    ("momentum.deep", [(1, 1, 1, 1), (1, 2, 1, 1), (2, 2, 2, 2)], PARTLY, [(1, 2, 1, 1)]),
    ("momentum.lifting", [(1, 1, 1), (1, 2, 2)], CONFIRMED, []),
    ("momentum.nesterov", [(1,)], MISPRINT, [(1,)]),
    ("momentum.nesterov-law", SHAPES, MISPRINT, [(1, 2, 1), (1, 2, 2), (2, 2, 1)]),
    ("momentum.nesterov-factor", SHAPES, CONFIRMED, []),
    ("momentum.lagrangian", [(1, k) for k in range(1, 6)], MISPRINT, [(1, k) for k in range(1, 6)]),
    ("mirror.nmf", SHAPES, PROVED, []),
    ("mirror.nmf-count", [*SHAPES, (1, 3, 1)], PARTLY, [(1, 2, 1), (1, 3, 1)]),
    ("mirror.nmf-momentum", [(1, 1, 1), (1, 2, 1), (1, 2, 2)], CONFIRMED, []),
    ("mirror.icnn", SHAPES, PROVED, []),
    ("mirror.icnn-count", SHAPES, PROVED, []),
    ("mirror.icnn-scalar", [(1, 1, 1), (1, 2, 1), (2, 2, 1)], PARTLY, [(1, 2, 1)]),
    ("mirror.icnn-momentum", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("mirror.icnn-slip", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("mirror.nmf-slip", [(1, 1, 1), (1, 1, 2)], REFUTED, [(1, 1, 1), (1, 1, 2)]),
    ("mirror.metric", SHAPES, CONFIRMED, []),
    ("mirror.metric-count", SHAPES, PARTLY, [(1, 2, 1)]),
    ("mirror.natural", SHAPES, CONFIRMED, []),
    ("starts.linear", [(1, 1, 1), (2, 2, 1)], CONFIRMED, []),
    ("starts.relu", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("starts.deep", [(1, 1, 1, 1)], CONFIRMED, []),
    ("starts.linear-rank", [(1, 1, 1), (1, 2, 1), (2, 2, 1)], CONFIRMED, []),
    ("starts.linear-zero", SHAPES, CONFIRMED, []),
    ("starts.linear-identity", [(1, 2, 1), (1, 2, 2), (2, 3, 2)], PARTLY, [(1, 2, 1), (1, 2, 2)]),
    ("starts.linear-balanced", [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 2)], PARTLY, [(1, 1, 1), (1, 2, 1), (2, 2, 2)]),
    ("starts.linear-dead-unit", [(1, 1, 1), (1, 2, 1), (1, 2, 2), (1, 3, 2)], PARTLY, [(1, 2, 1), (1, 3, 2)]),
    ("starts.relu-balanced", [(1, 1, 1), (1, 2, 1), (1, 2, 2)], PARTLY, [(1, 1, 1)]),
    ("starts.relu-identity", [(1, 1, 1), (1, 2, 1), (1, 2, 2)], PARTLY, [(1, 1, 1), (1, 2, 2)]),
    ("starts.relu-dead-unit", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("discrete.step", [(1, 1, 1), (1, 2, 1), (1, 1, 1, 1)], CONFIRMED, []),
    ("discrete.decay", [(1, 1, 1), (2, 1, 1)], CONFIRMED, []),
    ("discrete.decay-after", [(1, 1, 1), (2, 1, 1)], REFUTED, [(1, 1, 1), (2, 1, 1)]),
    ("discrete.ledger", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("discrete.bound", [(1, 1, 1), (1, 2, 1)], CONFIRMED, []),
    ("discrete.order", [(1, 1, 1), (1, 2, 2)], CONFIRMED, []),
    ("discrete.sign", [*SHAPES, (2, 2, 2)], PARTLY, [(1, 2, 1), (1, 2, 2), (2, 2, 1)]),
    ("discrete.norms", [(1, 1, 1), (1, 2, 1), (2, 1, 1, 2)], CONFIRMED, []),
    ("discrete.symmetries", [(1,), (2,), (3,)], CONFIRMED, []),
    ("discrete.weight-decay", [(1,), (2,), (3,)], CONFIRMED, []),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sizes", "verdict", "failing"), VERDICTS, ids=[row[0] for row in VERDICTS])
def test_verdict(name, sizes, verdict, failing):
    finding = judged(name, sizes)
    assert finding.verdict is verdict
    assert sorted(finding.written.sizes(False)) == sorted(failing)
    assert not finding.written.sizes(None)
    if finding.nearby:
        assert finding.nearby.confirmed


def test_every_claim_has_a_test():
    assert ALL.keys() - {row[0] for row in VERDICTS} == {
        "starts.linear-rank-deficient",
        "starts.relu-zero",
        "starts.relu-rank-deficient",
    }


# --- planted errors --------------------------------------------------------------------------------------------------


def stated(make, number, args=lambda size: (size,)):
    """A check of a wrong number of laws."""
    return lambda size, seed: compared(count_at(make, args(size), seed), number(*size))


def _noether_without_factor(size, seed):
    """Noether's laws with the factor of no damping."""
    texts = [str(law) for law in momentum.noether(size, None)]
    return together([lawful(momentum.flow(size, d), texts, seed) for d in (None, HeavyBall(1), Nesterov())])


# checks that take a parameter are not public: here they are given a wrong one
PLANTED = [
    ("momentum.noether", SHAPES, _noether_without_factor, [(1, 2, 1), (1, 2, 2), (2, 2, 1)]),
    ("momentum.number", SHAPES, stated(momentum.flow, lambda n, r, m: r * (r + 1) // 2), SHAPES),
    ("momentum.number", SHAPES, stated(momentum.flow, lambda n, r, m: r - 1), [(1, 2, 1)]),
    ("momentum.fewer", SHAPES, momentum._fewer(lambda size: size != (1, 2, 2)), [(1, 2, 2)]),
    ("momentum.deep", [(1, 2, 1, 1), (1, 1, 1, 1)], stated(momentum.deep_flow, lambda *w: 2), [(1, 1, 1, 1)]),
    ("momentum.nesterov", [(1,)], momentum._scheme(2), [(1,)]),
    ("momentum.nesterov-law", [(1, 1, 1), (1, 2, 1)], momentum._cubed(2), [(1, 2, 1)]),
    ("momentum.nesterov-factor", [(1, 1, 1), (1, 2, 1)], momentum.factored_law(2), [(1, 2, 1)]),
    ("mirror.nmf-count", SHAPES, stated(mirror.nmf, lambda n, r, m: 2 * r - 1), [(1, 2, 2), (2, 2, 1)]),
    ("mirror.nmf", SHAPES, lambda size, seed: lawful(mirror.nmf(size), [_total(size)], seed), SHAPES),
    ("mirror.icnn", SHAPES, lambda size, seed: lawful(_icnn(size), mirror.icnn_laws(size, True), seed), []),
    ("mirror.natural", SHAPES, mirror._natural(lambda rows: [row[::-1] for row in rows]), SHAPES),
    ("discrete.decay", [(1, 1, 1)], discrete._stepped(
        lambda x, g, eta, decay: (1 - eta * decay) * x - eta * g,
        lambda h, hg, eta, decay: (1 - eta * decay) * h + eta**2 * hg,
    ), [(1, 1, 1)]),
    ("discrete.step", [(1, 1, 1)], discrete._stepped(
        lambda x, g, eta, decay: x - eta * g, lambda h, hg, eta, decay: h + 2 * eta**2 * hg,
    ), [(1, 1, 1)]),
    ("discrete.ledger", [(1, 1, 1), (1, 2, 1)], discrete._ledger(3), [(1, 1, 1), (1, 2, 1)]),
    ("discrete.bound", [(1, 1, 1), (1, 2, 1)], discrete._bounded(Fraction(1, 100)), [(1, 1, 1), (1, 2, 1)]),
    ("discrete.order", [(1, 1, 1), (1, 2, 2)], discrete._order(lambda steps, h: h), [(1, 1, 1), (1, 2, 2)]),
    ("discrete.sign", SHAPES, discrete._signs(lambda size: size[1] - 1), [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 1)]),
    ("discrete.weight-decay", [(1,), (2,), (3,)], discrete._symmetric(Fraction(1, 3), (2, 2, 2)), [(1,)]),
    ("discrete.symmetries", [(1,), (2,), (3,)], discrete._symmetric(Fraction(0), (0, 1, 0)), []),
]  # fmt: skip


def _total(size):
    """A sum in place of a difference."""
    n, _, m = size
    return " + ".join([f"U[{i},0]" for i in range(n)] + [f"V[{j},0]" for j in range(m)])


def _icnn(size):
    return mirror_flow(mirror.icnn(size, True), ["U"])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sizes", "check", "failing"), PLANTED)
def test_planted_error(name, sizes, check, failing):
    finding = planted(name, sizes, check)
    assert sorted(finding.written.sizes(False)) == sorted(failing)
    assert finding.verdict is (CONFIRMED if not failing else REFUTED if len(failing) == len(sizes) else PARTLY)


@pytest.mark.slow
def test_wrong_starts_are_refuted(monkeypatch):
    sizes = [(1, 1, 2), (1, 2, 2), (2, 2, 1)]
    monkeypatch.setattr(starts, "reachable", lambda n, m, k: k * (n + m) - k)
    assert judged("starts.linear-rank", sizes).written.sizes(False) == [(1, 2, 2), (2, 2, 1)]
    monkeypatch.setattr(starts, "relu_extra", lambda family, size, start: 1)
    wrong = replace(ALL["starts.relu-dead-unit"], statement=ALL["starts.relu-dead-unit"].instead)
    assert judge(tiny(wrong, sizes), Reach.QUICK).written.sizes(False) == sizes


# --- the numbers, found in other ways --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [(1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 6, 1), (1, 3, 2), (2, 3, 2), (1, 8, 2)]
)
def test_momentum_number_is_the_rank_of_the_gradients(size):
    laws = momentum.noether(size, None) + (momentum.crossed(size, None) if size[0] == size[2] == 1 else [])
    point = drawn_point(2 * size[1] * (size[0] + size[2]) + 1, 3)
    rows = [{j: p(*point) for j, p in enumerate(law.gradient) if not p.is_zero} for law in laws]
    assert dimension_of(rows) == momentum.number(*size)


def test_quotients_of_noether_laws_are_free_of_time():
    size = (1, 3, 1)
    flow = momentum.flow(size, HeavyBall(2))
    first, second, *_ = momentum.noether(size, HeavyBall(2))
    for a, b in zip(lie_derivative(first, flow.fields), lie_derivative(second, flow.fields), strict=True):
        assert a.is_zero and b.is_zero
    assert first.diff("s") * second == first * second.diff("s")
    assert not first.diff("s").is_zero


def test_nesterov_damping_from_small_steps():
    def rest(damping, e):  # of x = t^2 at t = 1, over e^2
        t, k = Fraction(1), 1 / e
        x = [(t + j * e) ** 2 for j in (-1, 0, 1)]
        step = (x[2] - x[1]) - (k - 1) / (k + 2) * (x[1] - x[0])
        return step / e**2 - (2 + damping * 2)

    small = [Fraction(1, 10**j) for j in (2, 4, 6)]
    assert [abs(rest(3, e)) < 20 * e for e in small] == [True] * 3
    t = Fraction(2)  # at t = 1 the powers of t agree
    k = t / small[-1]
    assert abs((1 - (k - 1) / (k + 2)) / small[-1] - 3 / t) < 10 * small[-1] < abs(3 / t - 3 / t**3)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "expected"), [((1, 3, 1), 5), ((1, 2, 2), 2), ((3, 2, 1), 3), ((2, 2, 2), 0)])
def test_sign_laws_by_brute_force(size, expected):
    fields = gradient_flow(models.nmf(*size)).fields
    rows = np.array(brackets.vectors(fields, drawn_point(fields.dimension, 5, 999)), dtype=object)
    values = [c @ rows for c in np.array(list(product(range(-3, 4), repeat=len(fields))), dtype=object)]
    signs = {tuple(1 if v > 0 else -1 for v in row) for row in values if all(row)}
    assert fields.dimension - dimension_of([dict(enumerate(row)) for row in signs]) >= expected
    assert discrete.sign_number(*size) == expected


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 2, 2), (2, 3, 2)])
@pytest.mark.parametrize("start", STARTS)
def test_linear_orbits_are_those_of_so(size, start):
    """dim so(n, m) applied to the columns, from a basis of matrices."""
    n, r, m = size
    N = n + m
    point = starts.named_start(gradient_flow(models.linear(list(size))), start, 0)
    columns = [[point[i * r + k] for i in range(n)] + [point[n * r + k * m + j] for j in range(m)] for k in range(r)]
    rows = []
    for a in range(N):
        for b in range(a):
            sign = 1 if b < n <= a else -1
            rows.append({(k, i): c for k in range(r) for i, c in ((a, columns[k][b]), (b, sign * columns[k][a])) if c})
    assert dimension_of(rows) == starts.reachable(n, m, starts.rank_at(size, point))


def test_nmf_laws_that_are_no_polynomials():
    """At n = m = 1 the quotients log(u/v)/(u - v) differ by constants: their derivatives are all the same."""
    flow = mirror.nmf((1, 2, 1))
    names = flow.variables
    u, v = (Polynomial.from_string(x, names) for x in ("U[0,1]", "V[0,1]"))
    (du,), (dv,) = lie_derivative(u, flow.fields), lie_derivative(v, flow.fields)
    assert du * v - u * dv == u * v * (v - u)  # (log u/v)' = v - u, and u - v is conserved
    assert du == dv
    count = count_at(mirror.nmf, ((1, 2, 1),), 0)
    assert (count.lower, count.exhibited) == (3, 2)


def test_a_run_descends_along_the_true_gradient():
    """The gradient of the squared loss by exact difference quotients: it is a polynomial of degree 4 in each weight."""
    run = discrete.DescentRun(models.linear([1, 1, 1]), discrete.constant(1), 0, 3)
    point, gradient = run.points[0], run.gradients[0]

    def loss(a, b):
        draws = discrete.Draws(0)
        x = [c or 1 for c in draws.integers(-5, 5, 1) + draws.integers(-5, 5, 1) + draws.integers(-5, 5, 1)]
        y = draws.integers(-5, 5, 1) + draws.integers(-5, 5, 1) + draws.integers(-5, 5, 1)
        return sum((a * b * p - q) ** 2 for p, q in zip(x, y, strict=True)) / 6

    assert gradient[0] == (loss(point[0] + 1, point[1]) - loss(point[0] - 1, point[1])) / 2
    assert gradient[1] == (loss(point[0], point[1] + 1) - loss(point[0], point[1] - 1)) / 2


def test_ties_are_drawn_again(monkeypatch):
    net, tried = models.relu([1, 1, 1]), []

    def sometimes(model, rates, seed, batch):
        tried.append(seed)
        if seed < 2:
            raise TieError("a tie")
        return seed

    monkeypatch.setattr(discrete, "DescentRun", sometimes)
    assert discrete.drawn_run(net, [], 0, 1) == 2 and tried == [0, 1, 2]
    monkeypatch.setattr(discrete, "DRAWS", 2)
    with pytest.raises(TieError, match="each of 2 runs"):
        discrete.drawn_run(net, [], 0, 1)


# --- grids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, claim in ALL.items() if claim.grid.names == ("n", "r", "m")])
@pytest.mark.parametrize("reach", list(Reach))
def test_edges_are_in(name, reach):
    sizes = ALL[name].grid.sizes(reach)
    assert (1, 1, 1) in sizes
    assert any(n == 1 < m for n, r, m in sizes)
    assert any(m == 1 < n for n, r, m in sizes)
    assert any(r > 1 for n, r, m in sizes)
    assert not name.startswith("momentum.no") or any(n > 1 and m > 1 for n, r, m in sizes)


@pytest.mark.parametrize("name", ["momentum.count", "mirror.nmf-count", "starts.linear-rank", "discrete.sign"])
def test_over_parameterized_sizes_are_in(name):
    assert any(r > n + m for n, r, m in ALL[name].grid.sizes(Reach.QUICK))


@pytest.mark.parametrize("name", [name for name, claim in ALL.items() if claim.grid.lengths])
def test_networks_of_width_one_are_in(name):
    sizes = ALL[name].grid.sizes(Reach.QUICK)
    assert any(set(widths) == {1} for widths in sizes)
    assert any(max(widths) > 1 for widths in sizes)


def test_together_takes_the_worst():
    good = Check(True, "a", "b", "c", 1, count=2)
    assert together([good, good]).count == 2
    assert together([good, replace(good, holds=None)]).holds is None
    bad = together([good, replace(good, holds=False, found="wrong", count=3), replace(good, holds=None)])
    assert (bad.holds, bad.count, bad.found) == (False, None, "wrong; b")
