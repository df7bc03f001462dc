"""Claims of the gradient flows: the verdicts established, planted errors, and the edges of the grids."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import sympy

from clexact import VectorFields, gradient_flow, models
from clexact.algebra.field_span import finite_algebra
from clexact.claims import (
    TOPICS,
    batches,
    brackets,
    checks,
    deep,
    independence,
    linear,
    minimal,
    neuron,
    product,
    relu,
)
from clexact.claims.claim import Statement
from clexact.claims.grid import Grid, Reach, layers, weights
from clexact.claims.judge import ClaimVerdict, judge

MODULES = (independence, neuron, linear, relu, minimal, brackets, deep, product, batches)
CLAIMS = {claim.id: claim for module in MODULES for claim in module.CLAIMS}
SMALL = Grid(("n", "r", "m"), lambda size: (size[0] + size[2]) * size[1], 4, 4, edges=((1, 3, 1), (1, 2, 2), (2, 2, 1)))
LAYERS = layers(weights, 4, 4, depths=(2, 3), edges=((1, 2, 2, 1), (1, 3, 1), (1, 2, 3, 2)))
PARTLY = {
    "linear.count": "fails exactly where r > n + m;",
    "linear.no-others": "fails exactly where n = m = 1 and r >= 2;",
    "linear.filtration": "fails exactly where r = 1, or n = m = 1",
    "minimal.relu": "fails exactly where m = 1 and r >= 2;",
    "brackets.linear": "fails exactly where r = 1, or n = m = 1;",
    "brackets.relu-everywhere": "fails exactly where m >= 2;",
    "brackets.infinite": "fails exactly where depth = 2, or outputs = inputs = 1;",
    "brackets.infinite-relu": "fails exactly where depth = 2, or outputs = inputs = widest = 1;",
    "deep.independent": "fails exactly where a hidden layer is wider than its two neighbours together;",
    "deep.no-others": "fails exactly where two or more hidden layers in a row, of two units or more each, "
    "stand between layers of one unit;",
    "deep.span": "fails exactly where a hidden layer of two units or more has neighbours of one unit;",
    "fields.no-surface": "fails exactly where fields = 1 or fields >= D",
}
PROVED = [
    "example.law", "example.alone", "neuron.only-solutions", "linear.laws", "linear.dimension",
    "relu.laws", "relu.count", "relu.bias-laws", "relu.bias-count",
]  # fmt: skip
VERDICTS = {"definition.independence": ClaimVerdict.REFUTED, "neuron.formula": ClaimVerdict.MISPRINT}
VERDICTS |= dict.fromkeys(PROVED, ClaimVerdict.PROVED)


@cache
def finding(id):
    """The finding of a claim under the quick budget."""
    return judge(CLAIMS[id], Reach.QUICK)


def planted(id, check, grid=None):
    """The finding of a claim with another check in its place, and nothing to fall back on."""
    claim = CLAIMS[id]
    wrong = Statement("planted", "planted", check)
    return judge(replace(claim, statement=wrong, meant=None, instead=None, grid=grid or SMALL), Reach.QUICK)


def test_ids_are_unique_and_registered():
    ids = [claim.id for claims in TOPICS.values() for claim in claims]
    assert len(ids) == len(set(ids)) and set(CLAIMS) <= set(ids)


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id in CLAIMS if not id.startswith("batch.")])
def test_verdicts(id):
    """As established by hand; what is true instead holds on all of the grid."""
    found = finding(id)
    stated = VERDICTS.get(id, ClaimVerdict.PARTLY if id in PARTLY else ClaimVerdict.CONFIRMED)
    assert found.verdict is stated, found.sentence
    assert PARTLY.get(id, "") in found.sentence + ";"
    if found.nearby:
        assert found.nearby.confirmed
    elif stated not in (ClaimVerdict.PROVED, ClaimVerdict.CONFIRMED):
        assert id in ("linear.filtration", "fields.no-surface")


@pytest.mark.slow
def test_formulas():
    """Fitted to the certified counts alone."""
    for id, text in {
        "linear.count": "k*(2*r + 1 - k)/2 with k = min(r, n + m)",
        "relu.count": "r",
        "neuron.only-solutions": "1",
        "neuron.only-if": "[i = j]",
        "product.count": "D - 1",
        "fields.count": "(D - 1)*[fields = 1]",
    }.items():
        assert str(finding(id).formula) == text


def test_what_is_no_polynomial_is_said():
    """One input, one output, two wide layers: one field, hence 7 laws on 8 parameters, 6 of them of degree 2."""
    check = CLAIMS["deep.no-others"].statement.check((1, 2, 2, 1), 0)
    assert (check.holds, check.stated, check.found, check.count) == (False, "6", "7", 7)
    assert check.more.startswith("6 of 7 are polynomials (searched up to degree 4); 1 by Frobenius")


# --- planted errors --------------------------------------------------------------------------------------------------


def outcome(holds):
    """A check that says no more than that."""
    return checks.identity(holds, "planted", "planted", "planted", 1)


def check(id, size):
    """What the statement of a claim says at a size, as the source writes it."""
    return CLAIMS[id].statement.check(size, 0)


def failing(found):
    return set(found.written.sizes(False))


def test_planted_laws():
    """A sign changed in one law."""

    def with_plus(size, seed):
        V = independence.matrices(size)[1]
        return checks.lawful(linear.flow(size), [linear.gram(size)[0] + sum(2 * v * v for v in V[:, 0])], seed)

    assert planted("linear.laws", with_plus).verdict is ClaimVerdict.REFUTED
    crossed = planted("relu.laws", lambda s, seed: checks.lawful(relu.flow(s), linear_entries_of_relu(s), seed))
    assert failing(crossed) == {s for s in SMALL.sizes(Reach.QUICK) if s[1] >= 2}


def linear_entries_of_relu(size):
    """The laws of the linear network, which hold for ReLU only where they are its own."""
    n, r, m = size
    return [
        "+".join(f"U1[{i},{a}]*U1[{i},{b}]" for i in range(n)) + "".join(f"-U2[{a},{j}]*U2[{b},{j}]" for j in range(m))
        for a in range(r)
        for b in range(a, r)
    ]


@pytest.mark.parametrize(
    ("id", "flow", "number"),
    [
        ("linear.count", linear.flow, linear.independent),
        ("relu.count", relu.flow, lambda s: s[1]),
        ("relu.bias-count", lambda s: relu.flow(s, True), lambda s: s[1]),
    ],
)
def test_planted_counts(id, flow, number):
    """A number that is one too large exactly where r = 2."""
    found = planted(id, lambda s, seed: checks.counted(flow(s), number(s) + (s[1] == 2), seed))
    assert found.verdict is ClaimVerdict.PARTLY and "fails exactly where r = 2" in found.sentence


def test_planted_deep():
    """Formulas that forget an overlap, or the single field; spans that forget laws."""
    sizes = LAYERS.sizes(Reach.QUICK)
    fewer = lambda s, seed: outcome(deep.entries_rank(s, seed) == deep.written(s) - 1)  # noqa: E731
    rank = planted("deep.independent", fewer, LAYERS)
    assert failing(rank) == {s for s in sizes if deep.independent(s) != deep.written(s) - 1}
    count = planted("deep.no-others", lambda s, seed: checks.counted(deep.flow(s), deep.independent(s), seed), LAYERS)
    assert failing(count) == {(1, 2, 2, 1)}
    span = planted("deep.span", lambda s, seed: checks.spanned(deep.flow(s), deep.entries(s)[1:], 2, seed), LAYERS)
    assert failing(span) == set(sizes)


@pytest.mark.slow
def test_planted_neuron():
    """Neither the slide's formula nor another one close to it; the powers 1 and 2 have no common law."""
    claim = CLAIMS["neuron.formula"]
    # no public check has another divisor than the two of the claim
    wrong = replace(claim.meant, check=lambda s, seed: neuron._law_and_no_other(s, seed, 2 * s[0] + (s[0] == 3)))
    found = judge(replace(claim, meant=wrong), Reach.QUICK)
    assert found.verdict is ClaimVerdict.REFUTED and found.nearby.sizes(False) == [(3,)]
    always = planted("neuron.only-if", lambda s, seed: checks.counted(neuron.powers(s), 1, seed), neuron.PAIRS)
    assert failing(always) == {s for s in neuron.PAIRS.sizes(Reach.QUICK) if s[0] != s[1]}
    fields = neuron.unit_fields((2, 2))
    assert check("neuron.fields", (2, 2)).holds and not checks.same_span(fields, fields[0]).holds


def test_planted_definitions(monkeypatch):
    """What is no function of laws, a check that accepts all, and risks of a single input."""
    size = (2, 1, 2)
    assert check("definition.functions", size).holds
    with monkeypatch.context() as patch:
        near = independence.planted(size, 0)
        patch.setattr(independence, "gram", lambda s: near)
        assert check("definition.functions", size).holds is False
    with monkeypatch.context() as patch:
        patch.setattr(independence, "check_law", lambda *args, **kwargs: True)
        assert check("definition.conserved", size).holds is False
    risk = independence.risk(size, independence.Draws(0))
    with monkeypatch.context() as patch:
        patch.setattr(independence, "risks", lambda s, seed: [risk] * 9)
        assert check("definition.jacobians", size).holds is False
        assert check("definition.conserved", size).evidence


def test_planted_orbits():
    """The slide's formula with the number of columns in place of the rank."""

    def with_columns(size, seed):
        n, r, m = size
        found = linear.orbits(size, seed)
        stated = ((n + m) * r - r * (r + 1) // 2,) * (linear.rank(size) + 1)
        assert found is not None
        return outcome(found == stated)

    assert planted("linear.everywhere", with_columns).verdict is ClaimVerdict.REFUTED


def test_planted_brackets(monkeypatch):
    """Statements that are false at known sizes only."""

    def none_leaves(size, seed):
        fields = linear.flow(size).fields
        outside, _ = brackets.leaving(fields, checks.drawn_point(fields.dimension, seed))
        return outcome(not outside)

    stays = planted("brackets.linear", none_leaves)
    assert failing(stays) == {s for s in SMALL.sizes(Reach.QUICK) if s[1] > 1 and (s[0], s[2]) != (1, 1)}
    true = brackets.linear_algebra
    monkeypatch.setattr(brackets, "linear_algebra", lambda widths: (true(widths) or 0) + 1)
    less = planted("brackets.infinite", CLAIMS["brackets.infinite"].instead.check, LAYERS)
    assert less.verdict is ClaimVerdict.REFUTED


def test_planted_bracket_formula(monkeypatch):
    """A bracket with a plus sign is neither antisymmetric nor minus the commutator."""

    def wrong(X, Y):
        a, b = X.components(0), Y.components(0)
        moved = [p + x * y for p, x, y in zip(brackets.as_written(X, Y), a, b, strict=True)]
        return VectorFields(X.variables, [moved])

    monkeypatch.setattr(brackets, "bracket", wrong)
    found = check("brackets.lie", (2, 2))
    assert found.holds is False and "antisymmetry" in found.found and "the formula" in found.found


@pytest.mark.slow
def test_planted_minimality(monkeypatch):
    """If the bound were no smaller, nothing would be shown; if it were too small, the dead unit would contradict it."""
    assert check("minimal.deeper", (1, 2, 2, 1)).holds
    monkeypatch.setattr(minimal, "without", lambda widths, dead: 99)
    assert check("minimal.deeper", (1, 2, 2, 1)).holds is None
    monkeypatch.setattr(minimal, "without", lambda widths, dead: 0)
    assert check("minimal.deeper", (1, 2, 2, 1)).holds is False


def test_planted_products():
    """D laws, and sums of squares, are too many and wrong."""
    grid = product.FACTORS
    many = planted("product.count", lambda s, seed: checks.counted(product.flow(s), s[0], seed), grid)
    assert many.verdict is ClaimVerdict.REFUTED

    def one_only(size, seed):
        return checks.spanned(product.flow(size), product.differences(size)[:1], 2, seed)

    few = planted("product.degree", one_only, grid)
    assert failing(few) == {(d,) for d in range(3, grid.quick + 1)}


def test_open_is_not_confirmed(monkeypatch):
    """An algebra that is not found, and a chain that is not closed, decide nothing."""
    monkeypatch.setattr(linear, "orbits", lambda *_, **__: None)
    unknown = check("linear.everywhere", (1, 1, 1))
    assert unknown.holds is None and checks.together([outcome(True), unknown]).holds is None
    assert checks.together([unknown, outcome(False)]).holds is False


# --- facts found otherwise -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(1, 3, 1), (1, 2, 2, 1), (1, 4, 2, 1), (2, 1, 3, 1, 2)])
def test_laws_by_sympy(widths):
    """Along the gradient of tr(C U_1 ... U_q), entries and crossed laws are constant, and their rank is as stated."""
    matrices = [
        sympy.Matrix(a, b, lambda i, j, k=k: sympy.Symbol(f"U{k}[{i},{j}]"))
        for k, (a, b) in enumerate(pairwise(widths), start=1)
    ]
    C = sympy.Matrix(widths[-1], widths[0], lambda i, j: sympy.Symbol(f"c{i}{j}"))
    risk = (C * sympy.prod(matrices[1:], start=matrices[0])).trace()
    names = [x for matrix in matrices for x in matrix]
    field = [sympy.diff(risk, x) for x in names]
    laws = [h.to_sympy() for h in [*deep.entries(widths), *deep.crossed(widths)]]
    for h in laws:
        assert sympy.expand(sum(sympy.diff(h, x) * v for x, v in zip(names, field, strict=True))) == 0
    point = {x: 7 + 5 * k + k**3 for k, x in enumerate(names)}
    gradients = sympy.Matrix([[sympy.diff(h, x).subs(point) for x in names] for h in laws])
    assert gradients.rank() == deep.independent(widths) == deep.entries_rank(widths, 0)


def test_algebras_by_hand():
    """so(n, m) for U V^T, whatever r; the Heisenberg algebra is nilpotent, so not endless."""
    sizes = {(1, 1, 1): 1, (2, 1, 1): 3, (2, 3, 2): 6, (3, 2, 1): 6}
    assert {size: len(finite_algebra(linear.flow(size).fields)) for size in sizes} == sizes
    heisenberg = VectorFields.from_strings(["x", "y", "z"], [["1", "0", "0"], ["0", "1", "x"]])
    assert brackets.space_dimensions(heisenberg) == [2, 3, 3, 3] and not brackets.endless(heisenberg, 0)
    assert not brackets.endless(product.flow((4,)).fields, 0)


def test_endless_by_hand():
    """u1 w v and u2 w v: the brackets of their gradients go on, in degrees 2, 3, 4, ..."""
    fields = deep.flow((2, 1, 1)).fields
    assert not brackets.endless(fields, 0)
    fields = deep.flow((2, 1, 1, 1)).fields
    assert brackets.endless(fields, 0)
    X, Y = fields
    for degree in range(3, 7):
        Y = brackets.bracket(X, Y)
        assert brackets.homogeneous_degree(Y) == degree and len(Y.terms)


def test_batches_as_claims():
    """Each case is the row of the batch, and the grid of the full budget has them all."""
    drawn = batches.batches(2)
    assert [claim.title for claim in batches.CLAIMS] == [batch.name for batch in drawn]
    for claim, batch in zip(batches.CLAIMS, drawn, strict=True):
        assert claim.grid.sizes(Reach.FULL) == [(k,) for k in range(1, len(batch.cases) + 1)]
    row, check = drawn[0].cases[1](), batches.CLAIMS[0].statement.check((2,), 2)
    assert (check.count, check.stated, check.holds) == (row.lower, str(row.stated), row.verdict == "confirmed")


@pytest.mark.slow
def test_planted_batch(monkeypatch):
    """A number stated wrongly comes out refuted, at the networks of two layers."""
    true = batches.stated_linear
    monkeypatch.setattr(batches, "stated_linear", lambda sizes, seed: true(sizes, seed) + (len(sizes) == 3))
    found = judge(batches.CLAIMS[0], Reach.QUICK)
    names = {o.size: o.check.found for o in found.written.outcomes}
    assert failing(found) == {size for size, name in names.items() if name.partition(":")[0].count(",") == 2}


# --- grids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [id for id, claim in CLAIMS.items() if claim.grid.names == ("n", "r", "m")])
def test_two_layer_grids_have_the_edges(id):
    """One output, one input, one column, and more columns than rows."""
    sizes = CLAIMS[id].grid.sizes(Reach.QUICK)
    for edge in (lambda n, r, m: n == 1, lambda n, r, m: m == 1, lambda n, r, m: r == 1, lambda n, r, m: r > n + m):
        assert any(edge(*size) for size in sizes)
    assert (1, 1, 1) in sizes and all(min(size) >= 1 for size in sizes)


@pytest.mark.parametrize("id", [id for id, claim in CLAIMS.items() if claim.grid.lengths])
def test_layered_grids_have_the_edges(id):
    """Five layers, layers of one unit between wider ones, one input and one output."""
    sizes = CLAIMS[id].grid.sizes(Reach.QUICK)
    assert (1,) * 6 in sizes and any(size[0] == size[-1] == 1 < max(size) for size in sizes)
    assert any(min(size[1:-1]) == 1 < max(size[1:-1]) for size in sizes if len(size) > 3)
    assert {len(size) for size in sizes} == set(CLAIMS[id].grid.lengths)


def test_other_grids():
    assert {(1, 1), (1, 9), (9, 1)} <= set(neuron.VECTORS.sizes(Reach.QUICK))
    assert [(k,) for k in range(1, 7)] == neuron.POWERS.sizes(Reach.QUICK)
    assert (1,) in product.FACTORS.sizes(Reach.QUICK)
    assert gradient_flow(models.product(1)).dimension == 1
