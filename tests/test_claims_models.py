"""Claims on residual and convolutional networks, attention, gated units, experts, losses and other sources."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from clexact import models
from clexact.algebra.field_span import span_dimensions
from clexact.algebra.fields import VectorFields
from clexact.algebra.polynomial import Polynomial
from clexact.claims import (
    TOPICS,
    attention,
    blocks,
    convolution,
    experts,
    gated,
    losses,
    near,
    norms,
    others,
    relu,
    residual,
)
from clexact.claims.checks import complete, counted, gram_laws, independent_rank, lawful, matrix, same_span, sum_laws
from clexact.claims.claim import Statement
from clexact.claims.grid import Grid, Reach
from clexact.claims.judge import ClaimVerdict, judge
from clexact.claims.pieces import local_count, near_count
from clexact.flows.dynamics import gradient_flow
from clexact.laws.check import LawStatus, check_law
from clexact.models import nmf

FILES = (residual, convolution, attention, losses, gated, experts, norms, blocks, others, near)
CLAIMS = {claim.id: claim for file in FILES for claim in file.CLAIMS}
relu_claims = {claim.id: claim for claim in relu.CLAIMS}


def on(claim, *sizes):
    """The claim on these sizes alone."""
    return replace(
        claim, grid=Grid(claim.grid.names, claim.grid.dimension, 0, 0, edges=sizes, lengths=claim.grid.lengths)
    )


def stating(claim, check):
    """The claim with another check, and nothing to fall back on."""
    return replace(claim, statement=Statement("planted", "0", check), meant=None, instead=None)


def failing(claim, *sizes):
    """The sizes among these where the certified numbers refute the claim, none being open."""
    trial = judge(on(claim, *sizes), Reach.QUICK).written
    assert not trial.sizes(None)
    return set(trial.sizes(False))


# --- what is stated, where it fails, what is true --------------------------------------------------------------------

# id: (sizes where the statement holds, sizes where it fails)
VERDICTS = {
    "near.one-layer": ([(1, 1, 1), (2, 2, 1)], []),
    "near.plain": ([(1, 1, 1), (1, 2, 2)], [(1, 3, 1)]),
    "near.deep": ([(1, 1, 1, 1), (1, 2, 2, 2)], [(1, 2, 2, 1)]),
    "near.deep-off": ([(1, 1, 1, 1)], [(1, 2, 2, 1)]),
    "near.deep-plain": ([(1, 1, 2, 2)], [(1, 1, 1, 1)]),
    "near.slope": ([(1, 2, 2, 1)], []),
    "convolution.relu": ([(1, 1, 1, 1, 1), (1, 2, 1, 2, 1), (2, 1, 1, 2, 2), (1, 2, 1, 2, 3)], []),
    "convolution.relu-2d": ([(1, 1, 1, 2, 1), (1, 2, 1, 2, 1)], []),
    "convolution.linear": ([(1, 1, 1, 2, 1), (2, 2, 1, 2, 1), (1, 2, 1, 2, 2)], [(1, 2, 1, 2, 1), (1, 3, 1, 2, 1)]),
    "pooling.max": ([(1, 1, 1, 1), (2, 2, 1, 2), (1, 2, 1, 1)], []),
    "pooling.max-data": ([(1, 1, 1, 1), (2, 2, 1, 1)], [(1, 1, 1, 2), (1, 2, 1, 1)]),
    "pooling.mean": ([(1, 1, 1, 1), (2, 2, 1, 3)], []),
    "residual.skip": ([(1, 1, 1), (2, 1, 2), (1, 2, 3)], []),
    "residual.block": ([(1, 1, 1, 1), (1, 3, 1, 2), (2, 1, 2, 1)], []),
    "residual.across": ([(1, 1, 1), (1, 3, 2), (2, 1, 1)], []),
    "residual.scalar": (
        [(1, 1, 1), (1, 1, 2), (2, 2, 1), (2, 2, 2)],
        [(1, 2, 1), (1, 2, 2), (2, 1, 1), (2, 1, 2)],
    ),
    "residual.wider": ([(1, 1, 1), (2, 1, 1), (1, 2, 1)], [(1, 2, 3), (1, 2, 21)]),
    "residual.joint": ([(1, 2, 2), (2, 1, 1)], [(1, 1, 1), (1, 3, 1)]),
    "attention.head": ([(1, 1), (1, 5), (2, 2)], []),
    "attention.softmax": ([(1, 1, 1, 2), (1, 1, 2, 2)], [(1, 1, 1, 1), (2, 1, 2, 1)]),
    "attention.causal": ([(1, 1, 1, 2)], [(1, 1, 1, 1)]),
    "attention.bias": ([(1, 1, 1, 2), (2, 1, 2, 2), (1, 2, 1, 3)], []),
    "attention.rope-bias": ([(1, 1, 2), (1, 2, 2)], []),
    "attention.position": ([(1, 1, 1), (1, 2, 2)], []),
    "attention.rope": ([(1, 1), (2, 1), (1, 2)], []),
    "attention.distances": ([(1, 1, 2), (2, 2, 2)], [(2, 2, 1)]),
    "attention.rope-momentum": ([(1, 1), (2, 1)], []),
    "attention.shared-keys": ([(1, 1, 1), (1, 4, 2), (1, 2, 3)], []),
    "attention.relu": ([(1, 1), (2, 2)], [(2, 1), (3, 1)]),
    "losses.regression-count": ([(1, 1), (1, 3), (3, 2)], []),
    "losses.linear-count": ([(2, 2, 1), (3, 1, 2)], [(1, 1, 2), (2, 3, 1)]),
    "losses.attention-count": ([(2, 1, 1), (3, 1, 2)], [(2, 4, 1)]),
    "losses.relu-count": ([(1, 1, 1), (2, 3, 1)], [(1, 1, 2)]),
    "gated.gelu": ([(1, 1, 1), (1, 3, 1)], []),
    "gated.silu": ([(1, 1, 1), (2, 1, 1)], []),
    "gated.tanh": ([(1, 1, 1), (1, 2, 1)], []),
    "gated.deep": ([(1, 1, 1, 1), (2, 1, 2, 1), (1, 1, 2, 1, 1)], []),
    "gated.swiglu": ([(1, 1, 1), (1, 2, 1)], []),
    "gated.bilinear": ([(1, 1, 1), (1, 3, 2), (2, 2, 1)], [(1, 2, 1), (1, 3, 1)]),
    "experts.softmax": ([(1, 1, 1), (1, 3, 1), (2, 2, 1)], []),
    "experts.relu": ([(1, 2, 1, 1), (1, 1, 2, 1)], []),
    "experts.top-k": ([(1, 2, 2), (2, 3, 2)], []),
    "experts.top-1": ([(1, 1), (2, 1)], [(1, 2), (2, 3)]),
    "experts.sigmoid": ([(1, 1, 1), (2, 1, 1)], [(1, 2, 1), (1, 3, 1), (2, 2, 1)]),
    "others.balanced-intrinsic": ([(1, 1, 1), (2, 2, 2), (1, 3, 1)], [(3, 2, 1), (1, 2, 3)]),
    "others.intrinsic": ([(1, 1, 1), (2, 1, 2)], [(2, 2, 2)]),
    "others.symmetric-analytic": ([(1, 1, 1), (2, 1, 1), (2, 2, 1)], []),
    "others.symmetric-squared": ([(2, 1, 1), (3, 2, 1), (2, 2, 1)], [(1, 1, 1), (2, 2, 2)]),
    "others.reactions": ([(k,) for k in range(1, 13)], []),
    "others.reactions-fixed": ([(1,), (2,), (6,)], [(3,), (11,)]),
    "others.normalised": ([(1, 1, 1), (2, 2, 1)], []),
    "others.normalised-gain": ([(1, 1, 1), (2, 1, 2)], []),
    "norms.batch": ([(1, 1, 2), (2, 2, 2)], []),
    "norms.layer": ([(1, 3, 2), (1, 4, 3)], []),
    "norms.rms": ([(1, 2, 2), (2, 3, 2)], []),
    "norms.affine": ([(1, 1, 2, 1), (1, 3, 2, 2), (2, 2, 2, 3)], []),
    "norms.eps": ([(1, 1, 2, 1), (1, 3, 2, 2), (2, 2, 2, 3)], []),
    "norms.cosine": ([(2, 2, 2), (3, 2, 3)], []),
    "norms.weights": ([(1, 1, 2), (1, 2, 3)], []),
    "blocks.plain": ([(1, 1, 1), (1, 3, 1), (2, 2, 2)], []),
    "blocks.biased": ([(1, 1, 1), (1, 2, 1), (2, 1, 2)], []),
    "blocks.llama": ([(2, 1, 1), (2, 3, 1)], []),
    "blocks.pre-norm": ([(3, 1, 1)], []),
    "blocks.post-norm": ([(3, 1, 1)], []),
    "blocks.experts": ([(3, 1, 1, 1), (3, 2, 1, 1), (3, 2, 2, 2)], []),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VERDICTS)
def test_where_the_statements_hold_and_what_is_true_instead(name):
    holding, refuted = VERDICTS[name]
    claim = CLAIMS[name]
    found = judge(on(claim, *holding, *refuted), Reach.QUICK)
    assert set(found.written.sizes(True)) == set(holding)
    assert set(found.written.sizes(False)) == set(refuted)
    right = ClaimVerdict.PROVED if name == "attention.head" else ClaimVerdict.CONFIRMED
    assert found.verdict is (ClaimVerdict.PARTLY if refuted else right)
    assert not refuted or claim.instead is None or found.nearby.confirmed


def test_all_claims_are_listed_once_with_their_edges():
    listed = [claim for claims in TOPICS.values() for claim in claims]
    assert len({claim.id for claim in listed}) == len(listed)
    for claim in CLAIMS.values():
        assert claim in listed
        for reach in Reach:
            assert set(claim.grid.edges) <= set(claim.grid.sizes(reach))
        assert len(claim.grid.sizes(Reach.QUICK)) <= len(claim.grid.sizes(Reach.FULL))


def test_cross_entropy_sums_over_classes_for_every_family():
    for name in ("losses.regression-sums", "losses.linear-sums", "losses.attention-sums", "losses.relu-sums"):
        assert not failing(CLAIMS[name], (2, 1, 2)[: len(CLAIMS[name].grid.names)])


# --- planted errors --------------------------------------------------------------------------------------------------


def test_a_law_left_out_is_missed_where_it_matters():
    """Of the Gram matrix, its diagonal is all for one column only."""

    def diagonal_only(size, seed):
        n, r, m = size
        flow = gradient_flow(nmf(*size))
        return complete(flow, gram_laws(flow, matrix("U", (n, r)), matrix("V", (m, r)), diagonal=True), seed)

    sizes = [(1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 2, 2)]
    planted = replace(on(losses.CLAIMS[2], *sizes), statement=Statement("diagonal", "0", diagonal_only))
    assert failing(planted, *sizes) == {(1, 2, 1), (2, 2, 2)}


def test_dependent_laws_are_said_to_be_so_with_an_error():
    """More laws given than are independent: no error where they suffice, at most 2^-100 where they do not."""
    variables = ("x", "y", "z")
    laws = [Polynomial.from_string(text, variables) for text in ("x*y", "y^2", "x*y + y^2", "x^2*y^2")]
    assert independent_rank(laws, 3, 2, seed=0) == (2, 0)
    rank, error = independent_rank(laws, 3, 3, seed=0)
    assert rank == 2 and 0 < error <= Fraction(1, 2**100)
    assert independent_rank([], 3, 3, seed=0) == (0, 0)
    flow = gradient_flow(nmf(2, 2, 2))
    diagonal = gram_laws(flow, matrix("U", (2, 2)), matrix("V", (2, 2)), diagonal=True)
    check = complete(flow, [*diagonal, diagonal[0] - 2 * diagonal[1]], seed=0)
    assert check.holds is False
    assert "no more than 2 of the given laws are independent, with error <= 2^-1" in check.evidence


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("convolution.relu", [(1, 1, 1, 2, 1), (1, 2, 1, 2, 1)]), ("convolution.relu-2d", [(1, 1, 1, 2, 1)])],
)
def test_a_sign_planted_in_the_laws_of_channels_is_found(name, sizes):
    axes = 2 if name.endswith("2d") else 1

    def wrong(size, seed):
        flow = convolution.flow(size, axes, rectified=True)
        laws = [Polynomial.from_string(str(h).replace(" - ", " + "), flow.variables)
                for h in convolution.channel_laws(size, axes, rectified=True)]  # fmt: skip
        return complete(flow, laws, seed)

    assert failing(stating(CLAIMS[name], wrong), *sizes) == set(sizes)


@pytest.mark.parametrize(
    ("name", "flow", "wrong", "sizes", "refuted"),
    [
        ("gated.gelu", lambda s: gradient_flow(gated.models.gelu(*s)), lambda s: s[1] - 1,
         [(1, 1, 1), (1, 2, 1)], {(1, 2, 1)}),
        ("attention.head", lambda s: gradient_flow(attention.models.attention(*s)), lambda s: s[1] * (s[1] + 1),
         [(1, 1), (1, 2), (1, 3), (2, 3)], {(1, 3)}),
        ("convolution.linear", convolution.flow, lambda s: s[1] ** 2,
         [(1, 2, 1, 2, 1), (2, 1, 1, 2, 1), (2, 2, 1, 2, 1)], {(2, 2, 1, 2, 1)}),
        ("residual.across", lambda s: residual.flow(s, moving=("V2", "U1"), skip=False), lambda s: 0,
         [(1, 1, 1), (2, 1, 2)], {(1, 1, 1), (2, 1, 2)}),
        ("experts.softmax", lambda s: gradient_flow(experts.models.moe(*s)), lambda s: 1,
         [(1, 2, 1), (2, 2, 1)], {(2, 2, 1)}),
        ("others.normalised", others.normalised, lambda s: 1, [(1, 1, 1), (1, 2, 1)], {(1, 2, 1)}),
        ("norms.batch", lambda s: norms.hidden(s, "batch"), lambda s: 1, [(1, 1, 2), (1, 2, 2)], {(1, 2, 2)}),
        ("norms.layer", lambda s: norms.hidden(s, "layer", eps=norms.EPS), lambda s: s[2] + 1,
         [(1, 3, 2), (1, 3, 3)], {(1, 3, 2), (1, 3, 3)}),
    ],
)  # fmt: skip
def test_a_wrong_number_is_refuted_at_the_right_sizes(name, flow, wrong, sizes, refuted):
    planted = stating(CLAIMS[name], lambda size, seed: counted(flow(size), wrong(size), seed))
    assert failing(planted, *sizes) == refuted


def test_a_skip_that_scales_its_input_keeps_the_fields_and_a_wider_block_does_not():
    assert same_span(residual.flow((2, 1, 1), 1).fields, residual.flow((2, 1, 1), 1, skip=False).fields).holds
    one, two = (VectorFields.from_strings(["x", "y"], rows) for rows in ([["x", "0"]], [["x", "0"], ["0", "y"]]))
    assert not same_span(one, two).holds and not same_span(two, one).holds
    assert span_dimensions(one, two)[-1] == 2


def test_sums_over_inputs_are_no_laws_of_cross_entropy():
    flow = gradient_flow(nmf(2, 2, 2), "cross_entropy")
    rows = [Polynomial.from_string(f"U[{i},0] + U[{i},1]", flow.variables) for i in range(2)]
    assert lawful(flow, rows, 0).holds is False


# --- facts found in other ways ---------------------------------------------------------------------------------------


def scalar_blocks(activation):
    return residual.blocks(1, 1, activation)


@pytest.mark.parametrize("size", [(a, b, c) for a in (1, 2) for b in (1, 2) for c in (1, 2)])
def test_fields_of_two_scalar_blocks_are_those_worked_out_by_hand(size):
    """Of x > 0 and x < 0: 1, 1 + u1 v1, 1 + u2 v2, or (1 + u1 v1)(1 + u2 v2)."""
    s1, s2, gain = (3 - 2 * sign for sign in size)  # of v1, of v2 and of 1 + u1 v1
    u1, v1, u2, v2 = 3 * gain * s1, 2 * s1, 5, 7 * s2
    assert (1 + u1 * v1) * gain > 0

    def factors(x):
        first = v1 * x > 0
        y = x * (1 + u1 * v1 if first else 1)
        return first, v2 * y > 0

    first, second = ["v1", "u1", "0", "0"], ["0", "0", "v2", "u2"]
    both = ["v1*(1+u2*v2)", "u1*(1+u2*v2)", "v2*(1+u1*v1)", "u2*(1+u1*v1)"]
    by_hand = {(True, False): first, (False, True): second, (True, True): both}
    rows = [by_hand[factors(x)] for x in (1, -1) if any(factors(x))]
    names = ["U1[0,0]", "V1[0,0]", "U2[0,0]", "V2[0,0]"]
    full = [[re.sub(r"([uv])(\d)", lambda m: f"{m[1].upper()}{m[2]}[0,0]", c) for c in row] for row in rows]
    expected = VectorFields.from_strings(names, full)
    found = near_count(residual.rectified, (1, 1), 0, (u1, v1, u2, v2)).flow.fields
    assert len(set(span_dimensions(found, expected))) == 1


def test_reactions_are_read_with_their_numbers():
    assert others.reactions("2 A <-> B; B -> 0") == [({"A": 2}, {"B": 1}), ({"B": 1}, {"A": 2}), ({"B": 1}, {})]
    assert others.stoichiometry("2 A <-> B; B -> 0") == [[-2, 1], [2, -1], [0, -1]]
    assert others.mass_action("A + B -> 2 B", [3]) == VectorFields.from_strings(["A", "B"], [["-3*A*B", "3*A*B"]])
    assert others.kinetic("A -> B; A -> C", [2, 5]) == [[-7, 2, 5]]


def test_a_wrong_matrix_of_reactions_is_refuted():
    """Half of the reactions leave too many laws where the others are independent of them."""
    claim = CLAIMS["others.reactions"]

    def first_only(size, seed):
        text = others.NETWORKS[size[0] - 1]
        return complete(others.mass_action(text), others.linear_laws(text, others.stoichiometry(text)[:1]), seed, 1)

    assert failing(stating(claim, first_only), (1,), (2,), (4,), (5,)) == {(2,), (5,)}


def test_a_law_that_is_not_known_leaves_a_claim_open():
    """Not refuted; a law that is missing or moves refutes it."""
    flow = norms.hidden((1, 3, 2), "layer")
    known = sum_laws(flow, matrix("U2", (3, 2))) + norms.squares(flow, norms.whole("U2", 3, 2))
    assert complete(flow, known, 0).holds is True
    assert complete(flow, known[:-1], 0).holds is False  # one is missing
    assert complete(flow, [*known[:-1], norms.squares(flow, norms.rows("U2", 3, 2))[0]], 0).holds is False  # it moves
    unknown = replace(check_law(flow, known[-1]), status=LawStatus.OPEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clexact.claims.checks.check_law", lambda *_, **__: unknown)
        check = complete(flow, known, 0)
        assert check.holds is None and "not all of them are shown to be conserved" in check.stated
        assert lawful(flow, known, 0).holds is None


@pytest.mark.parametrize("r", [1, 2, 3])
def test_rotations_are_orthogonal_and_relaxed_balanced_starts_are(r):
    Q = np.array(others.rotation(r, 1), dtype=object)
    assert (np.eye(r, dtype=int) == Q @ Q.T).all()
    for n, m in ((3, 3), (3, 1), (1, 3), (2, 2)):
        U, V = (np.array(table, dtype=object) for table in others.relaxed_balanced((n, r, m), 2))
        excess = U.T @ U - V.T @ V
        assert (excess == excess[0, 0] * np.eye(r, dtype=int)).all() and (U.shape, V.shape) == ((n, r), (m, r))


def test_the_criterion_sees_a_start_that_is_not_balanced():
    U, V = others.relaxed_balanced((2, 2, 2), 0)
    assert others.is_intrinsic(U, V) == (True, 1)
    U[0][0] += Fraction(1, 7)
    assert others.is_intrinsic(U, V) == (False, 1)


def test_normalised_fields_are_gradients_times_a_power_of_the_norm():
    """Against derivatives of u <w, x>/|w| by SymPy."""
    import sympy

    u, w0, w1 = sympy.symbols("u w0 w1")
    norm = sympy.sqrt(w0**2 + w1**2)
    fields = others.normalised((2, 1, 1))
    for i, w in enumerate((w0, w1)):
        by_hand = [sympy.simplify(norm**3 * sympy.diff(u * w / norm, v)) for v in (u, w0, w1)]
        text = [str(sympy.expand(p)).replace("w0", "w[0,0]").replace("w1", "w[1,0]") for p in by_hand]
        expected = [
            Polynomial.from_string(re.sub(r"\bu\b", "u[0,0]", t.replace("**", "^")), fields.variables) for t in text
        ]
        assert fields.components(i) == expected


def test_units_that_are_never_on_are_counted():
    assert [residual.dead_units(2, 2, seed) for seed in (1, 3, 21)] == [0, 2, 1]
    assert local_count(residual.rectified, (1, 1), 2, 0, (3, 2, 5, -7)).holds


def test_statements_are_single_lines_of_latex():
    for claim in CLAIMS.values():
        for statement in filter(None, (claim.statement, claim.meant, claim.instead)):
            assert statement.latex.isprintable() and statement.words.isprintable()
            assert statement.latex.count("{") == statement.latex.count("}")


def test_units_that_are_off_near_a_start_are_those_that_no_input_turns_on():
    """By forward passes of another program, and the parameters that touch them by their names."""
    widths = (1, 3, 2, 2)
    names = models.relu(list(widths), bias=True).variables
    inputs, found = np.random.default_rng(0).normal(size=(4000, 2)) * np.logspace(-2, 3, 4000)[:, None], 0
    for count in near.near(near.net_of(widths), 8, 0):
        theta = dict(zip(names, map(float, count.flow.start.point), strict=True))
        off, values = [], inputs
        for layer in (2, 1):
            W = [[theta[f"U{layer + 1}[{k},{j}]"] for j in range(widths[layer + 1])] for k in range(widths[layer])]
            values = np.maximum(values @ np.array(W).T + [theta[f"b{layer + 1}[{k}]"] for k in range(widths[layer])], 0)
            off += [(layer, int(k)) for k in np.flatnonzero((values == 0).all(0))]
        assert sorted(near.always_off(count.flow.start, widths)) == sorted(off)
        touched = {
            name
            for layer, k in off
            for name in names
            if re.fullmatch(rf"U{layer}\[\d+,{k}\]|U{layer + 1}\[{k},\d+\]|b{layer + 1}\[{k}\]", name)
        }  # fmt: skip
        assert near.touching(off, widths, True) == len(touched)
        assert count.lower >= near.explained(count, near.net_of(widths)) == 5 - len(off) + len(touched)
        found += len(off)
    assert found > 1


def test_too_few_and_too_many_laws_near_starts_are_refuted():
    """Planted numbers; a start on a kink has no count, and without any count nothing is stated."""
    net = near.net_of((1, 2, 2, 1))
    assert near.counted_near(net, lambda count: count.lower, "itself", 0).holds
    for wrong in (-1, 1):
        assert near.counted_near(net, lambda count, by=wrong: count.lower + by, "another", 0).holds is False
    assert near._check([], [], "all").holds is None


@pytest.mark.slow
def test_free_gates_are_told_where_they_are_and_nowhere_else():
    """With one layer true gates span what free ones do, but on scalar inputs without biases."""
    found = judge(on(relu_claims["relu.count"], (1, 2, 1), (2, 2, 2), (1, 1, 1), (1, 2, 2)), Reach.QUICK)
    holds, gates, theorem = found.sentence.split("; ")
    assert (holds, gates) == ("holds on all 4 sizes of the grid", "certified with free gates exactly where r > m")
    assert theorem == "proved with free gates for all n >= 1, r >= 1, m >= 1"
    scopes = {outcome.size: outcome.check.scope for outcome in found.written.outcomes}
    assert scopes[2, 2, 2] == "all data, generic start, true gates"
    assert scopes[1, 2, 1] == "all data, generic start, free gates"
    found = judge(on(relu_claims["relu.bias-count"], (1, 2, 1), (2, 2, 2)), Reach.QUICK)
    assert "free" not in found.sentence.split("; proved")[0]
