"""Explicit brackets: the same dimensions as jets and as exact ranks of all brackets, at any depth; certificates."""

import copy
import json
import random

import forged_truth
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import as_clexact, generic_rank, lie_bracket, lie_dims, random_point, random_system, value_mod

import clexact
from clexact import ClosureStatus, VectorFields, certify, lie_closure, models
from clexact.algebra.draws import Draws
from clexact.algebra.fields import bracket
from clexact.flows.dynamics import as_flow
from clexact.lie import brackets
from clexact.lie import closure as lie
from clexact.lie.brackets import ExplicitBases, ExplicitWitness, bracket_products, values_mod
from clexact.proofs.certificate import Certificate, VerdictStatus, verify
from clexact.proofs.fields_certificate import written_fields
from clexact.proofs.verifier import large

FEW = settings(max_examples=40, deadline=None, derandomize=True)
BY_JETS = {"MAX_EXPANDED": -1}  # no explicit brackets
FROM_THE_START = {"EXPLICIT_FROM": 0}  # no jets


def chain(n):
    """x1' = 1, x3' = x2, ..., xn' = x(n-1), and a second field x2' = 1: one direction more at each depth."""
    names = [f"x{k}" for k in range(1, n + 1)]
    first = ["1", "0", *names[1:-1]]
    return VectorFields.from_strings(names, [first, ["0", "1", *["0"] * (n - 2)]])


def cascade(layers, width):
    """A signalling cascade by mass action: active kinases b of a layer bind inactive ones a of the next, and free them.

    The last layer acts on the first, a loop as that of NF-kB; the input produces the first species.
    """
    rng = random.Random(layers)
    names = [f"{kind}{k}_{i}" for k in range(layers) for i in range(width) for kind in "abc"]
    rates = {name: [] for name in names}

    def react(c, reactants, products):
        for name, sign in [*((r, "-") for r in reactants), *((p, "+") for p in products)]:
            rates[name].append(f"{sign} {c}*{'*'.join(reactants)}")

    for k in range(layers):
        for i in range(width):
            a, b, c = (f"{kind}{k}_{i}" for kind in "abc")
            above = f"b{k - 1}_{rng.randrange(width)}" if k else f"b{layers - 1}_{i}"
            react(rng.randint(1, 9), [a, above], [c])  # they bind
            react(rng.randint(1, 9), [c], [b, above])  # and part, the kinase active
            react(rng.randint(1, 9), [b], [a])
    drift = [" ".join(["0", *rates[name]]) for name in names]
    return VectorFields.from_strings(names, [drift, [names[0], *["0"] * (len(names) - 1)]])


def closure_with(monkeypatch, fields, settings_, *arguments, **options):
    """The closure with other settings of the engine, at the same point."""
    with monkeypatch.context() as patch:
        for name, value in settings_.items():
            patch.setattr(lie, name, value)
        return lie_closure(fields, *arguments, **options)


def padded(dims, levels):
    return [*dims, *[dims[-1]] * (levels - len(dims))]


def assert_same_levels(a, b):
    """Equal dimensions at the same point; either may have one level more, that adds nothing."""
    assert a.point == b.point and a.prime == b.prime
    levels = max(len(a.dims), len(b.dims))
    assert padded(a.dims, levels) == padded(b.dims, levels)


# --- any depth -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n", range(3, 41))
def test_chains_have_no_law(n):
    """Exactly: n - 2 levels of brackets, and a certificate of them that is verified."""
    count = certify(chain(n))
    assert (count.lower, count.upper, count.error) == (0, 0, 0)
    assert count.filtration == tuple(range(2, n + 1))
    assert verify(count.certificate).status is VerdictStatus.VERIFIED
    assert len(count.certificate.to_bytes()) < 1000 + 200 * n


def test_depth_costs_no_more_than_the_brackets_of_a_basis(monkeypatch):
    """At most (dim W_0) D of them, none twice."""
    made = []

    def noted(X, Y):
        made.append(len(Y))
        return bracket(X, Y)

    monkeypatch.setattr(brackets, "bracket", noted)
    assert certify(chain(30)).upper == 0
    assert 28 <= sum(made) <= 2 * 30


@pytest.mark.parametrize("n", [4, 6, 8])
def test_explicit_brackets_are_as_good_as_jets(monkeypatch, n):
    assert_same_levels(lie_closure(chain(n)), closure_with(monkeypatch, chain(n), BY_JETS))


DEEP = {
    "product of 5": lambda: clexact.momentum_flow(models.product(5)),
    "linear 1 2 1, heavy ball": lambda: clexact.momentum_flow(models.linear([1, 2, 1]), clexact.HeavyBall(1)),
    "linear 1 2 1, Nesterov": lambda: clexact.momentum_flow(models.linear([1, 2, 1]), clexact.Nesterov()),
    "linear 1 1 1 1": lambda: clexact.momentum_flow(models.linear([1, 1, 1, 1])),
    "linear 2 2 2 2": lambda: clexact.momentum_flow(models.linear([2, 2, 2, 2])),
    "linear 1 2 2 1": lambda: clexact.momentum_flow(models.linear([1, 2, 2, 1])),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP)
def test_momentum_flows(monkeypatch, name):
    """The dimensions of jets, the same evidence, and a certificate that is verified."""
    flow = DEEP[name]()
    closure, count = lie_closure(flow), certify(flow)
    by_jets = closure_with(monkeypatch, flow, BY_JETS)
    assert_same_levels(closure, by_jets)
    assert closure.status is by_jets.status and all(isinstance(w, ExplicitWitness) for w in closure.witnesses)
    assert count.exact and verify(count.certificate).status is VerdictStatus.VERIFIED


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "width"), [(3, 1), (2, 2), (4, 1), (5, 1)])
def test_signalling_networks(layers, width):
    """Conserved is each kinase in all its forms but the first, on which the input acts; brackets of depth 5 to 8."""
    count = certify(cascade(layers, width))
    assert count.dimension == 3 * layers * width and len(count.filtration) > 6
    assert count.lower == count.upper == count.exhibited == layers * width - 1 and count.error == 0
    assert verify(count.certificate).status is VerdictStatus.VERIFIED


# --- against exact twins ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6))
def test_random_systems_at_generic_points(seed):
    """From the first level on, level by level: jets, and the exact ranks of all brackets."""
    monkeypatch, fields = pytest.MonkeyPatch(), random_system(random.Random(seed))
    explicit = closure_with(monkeypatch, as_clexact(fields), FROM_THE_START, seed=seed)
    assert_same_levels(explicit, closure_with(monkeypatch, as_clexact(fields), BY_JETS, seed=seed))
    assert explicit.rank == generic_rank(fields, len(fields[0]))
    levels = min(3, len(explicit.dims) - 1)
    dims = lie_dims(fields, random_point(len(fields[0])), levels)[0]
    assert padded(explicit.dims, 4)[: levels + 1] == padded(dims, levels + 1)


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6))
def test_random_systems_at_special_points(seed):
    """There Leibniz' rule would lose brackets: all members over Q are kept; exact when they are all of the algebra."""
    rng = random.Random(seed)
    fields = random_system(rng)
    point = [rng.choice([0, 0, 1, -2]) for _ in fields[0]]
    explicit = closure_with(pytest.MonkeyPatch(), as_clexact(fields), FROM_THE_START, point, seed=seed, max_depth=3)
    dims, complete = lie_dims(fields, point, 3)
    assert padded(explicit.dims, 4) == padded(dims, 4)
    if explicit.status is ClosureStatus.PROVED and complete:
        assert explicit.rank == dims[-1]


@pytest.mark.slow
@FEW
@given(st.integers(0, 10**6))
def test_counts_and_certificates_of_random_systems(seed):
    """With explicit brackets alone, closure included: bounds that hold the number, a proof that is verified."""
    fields = random_system(random.Random(seed))
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(lie, "EXPLICIT_FROM", 0)
        count = certify(as_clexact(fields), seed=seed)
    exact = len(fields[0]) - generic_rank(fields, len(fields[0]))
    assert count.lower <= exact == count.upper
    assert all(isinstance(w, ExplicitWitness) for w in count.closure.witnesses)
    assert verify(count.certificate).status is VerdictStatus.VERIFIED


@pytest.mark.slow
@pytest.mark.parametrize("start", ["identity", "rank-deficient"])
@pytest.mark.parametrize("sizes", [[2, 2, 2], [2, 2, 2, 2, 2]], ids=str)
def test_special_starts_of_networks(monkeypatch, sizes, start):
    """The dimensions of jets, whether the members are explicit to the end or become too many."""
    flow = clexact.gradient_flow(models.linear(sizes))
    point = clexact.counting.starts.named_start(flow, start)
    closure = lie_closure(flow, point, max_depth=5)
    assert_same_levels(closure, closure_with(monkeypatch, flow, BY_JETS, point, max_depth=5))


@pytest.mark.parametrize("power", [4, 9, 20])
def test_a_chain_that_stalls_for_many_levels(power):
    """d/dx and x^k d/dy at 0: the last of k brackets alone does not vanish there."""
    closure = lie_closure(VectorFields.from_strings(["x", "y"], [["1", "0"], ["0", f"x^{power}"]]), [0, 0])
    assert closure.dims == (1,) * power + (2,) and closure.status is ClosureStatus.PROVED


def test_an_algebra_that_ends_is_exact_at_a_given_point():
    """A nilpotent algebra: at 0 its last bracket vanishes, and no further one can follow."""
    fields = VectorFields.from_strings(["x", "y", "z"], [["1", "0", "0"], ["0", "x^4*z", "0"]])
    closure = lie_closure(fields, [0, 0, 0])
    assert closure.rank == 1 and closure.status is ClosureStatus.PROVED
    bounded = lie_closure(fields, [0, 0, 0], max_depth=3)
    assert bounded.rank == 1 and bounded.status is ClosureStatus.OPEN


@FEW
@given(st.integers(0, 10**6))
def test_the_verifier_multiplies_out_brackets_as_the_oracle_does(seed):
    """Or evaluates them by dual numbers, moved by an infinitesimal too; their degrees and norms are bounded."""
    fields = random_system(random.Random(seed))
    cleared, D, p = [forged_truth.integral(X) for X in fields], len(fields[0]), 2**61 - 1
    listed = large.Listed({"fields": written_fields(as_clexact(fields))}, large.Allowance(10**8))
    a, b = ({large.FIELDS: {i: 1}} for i in (0, len(fields) - 1))
    A, B = cleared[0], cleared[-1]
    exact = lie_bracket(A, lie_bracket(B, lie_bracket(A, B)))
    point, direction = random_point(D), random_point(D, 7)
    along = [sum((q.diff(g) * c for g, c in zip(q.ring.gens, direction, strict=True)), 0 * q) for q in exact]
    for steps in (-1, large.MAX_STEPS):
        at = large.ListedPoint(listed, p, dict(enumerate(point)), large.Allowance(10**8))
        at.left = steps
        moved = at.bracket([a, b, a, b], {1: dict(enumerate(direction))}, 1)
        assert (at.multiplied([b, a, b]) is None) == (steps < 0)
        assert at.bracket([a, b, a, b], {}).get(0, {}) == moved.get(0, {}) == nonzero(value_mod(exact, point, p))
        assert moved.get(1, {}) == nonzero(value_mod(along, point, p))
    one, bound = listed.bounds(), listed.bounds()
    for _ in range(3):
        bound = large.bound_of_bracket(one, bound)
    assert bound[0] >= max((sum(m) for q in exact for m in q.to_dict()), default=0)
    assert 2 ** bound[1] > max(sum(map(abs, q.to_dict().values())) for q in exact)


def nonzero(values):
    """{place: value}."""
    return {j: x for j, x in enumerate(values) if x}


# --- parts -----------------------------------------------------------------------------------------------------------


def test_products_are_counted():
    """Those of all terms of X's derivatives with Y's, and the other way round."""
    X = VectorFields.from_strings(["x", "y"], [["x*y + x^2 + 1", "y"], ["0", "0"]])
    Y = VectorFields.from_strings(["x", "y"], [["y^2", "x + y"]])
    assert bracket_products(X, Y).tolist() == [[2 * 1 + 2 * 2 + 1 * 3 + 2 * 1], [0]]


def test_values_are_those_of_the_polynomials():
    X = VectorFields.from_strings(["x", "y"], [["x*y - 3", "0"], ["0", "0"], ["x^3", "-y"]])
    values = values_mod(X, np.array([2, 5], dtype=np.uint64), 101)
    assert values.tolist() == [[7, 0], [0, 0], [8, 96]]


def test_an_expansion_tells_when_it_is_complete():
    fields = chain(4)
    made = ExplicitBases(fields, np.array([3, 1, 4, 1], dtype=np.uint64), 101, generic=True)
    for rank in (2, 3, 4):
        assert not made.complete
        made.grow(5)
        assert made.form.rank == rank == len(made.basis)
    made.grow(5)
    assert made.complete and made.form.rank == 4


def test_closure_of_explicit_members():
    """Closed with all of them, not closed without the last, nor without a field."""
    fields = VectorFields.from_strings(["x", "y", "z", "w"], [["x", "y", "0", "0"], ["y", "0", "x*y", "0"]])
    closure = closure_with(pytest.MonkeyPatch(), fields, FROM_THE_START)
    made = ExplicitBases(fields, np.array(closure.point, dtype=np.uint64), closure.prime, generic=True)
    while not made.complete:
        made.grow(5)
    basis = made.basis
    error = lie.closed_explicitly(fields, basis, Draws(1))
    assert error is not None and 0 < error <= lie.MAX_ERROR
    assert lie.closed_explicitly(fields, basis.select(range(len(basis) - 1)), Draws(1)) is None
    assert lie.closed_explicitly(fields, basis.select(range(1, len(basis))), Draws(1)) is None
    assert lie.closed_explicitly(fields, basis + basis[0], Draws(1)) is None  # no basis


# --- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 7])
@pytest.mark.parametrize("least", [0, 1, 2])
def test_jets_go_on_where_brackets_are_too_large(monkeypatch, n, least):
    """At whatever level that happens: the same dimensions, and a certificate of brackets of both kinds."""
    fields = DEEP["product of 5"]() if n == 5 else chain(n)
    expected = lie_closure(fields).dims
    monkeypatch.setattr(brackets, "MIN_PRODUCTS", 10 * least)
    monkeypatch.setattr(brackets, "PIECE", 5)
    count = certify(fields)
    assert count.filtration == expected and count.exact
    assert verify(count.certificate).status is VerdictStatus.VERIFIED


def test_huge_coefficients_are_left_to_jets():
    big = 10**200
    fields = VectorFields.from_strings(
        ["x", "y", "z", "u", "v"], [["1", "0", "0", "0", "0"], ["0", "1", f"{big}*x", f"{big}*x^2", f"{big}*x^3*y"]]
    )
    closure = lie_closure(fields)
    assert closure.rank == 5 and closure.status is ClosureStatus.PROVED
    assert any(not isinstance(w, ExplicitWitness) for w in closure.witnesses)


@pytest.mark.slow
@pytest.mark.parametrize("max_depth", [0, 2, 3, 4, 7, 12])
def test_a_depth_that_is_given_is_obeyed(max_depth):
    """Also beyond that of jets."""
    count = certify(chain(16), max_depth=max_depth)
    assert count.filtration == tuple(range(2, max_depth + 3)) and count.upper == 14 - max_depth
    assert lie_closure(chain(16), max_depth=max_depth).dims == count.filtration


def test_dimensions_do_not_depend_on_the_seed():
    for seed in range(3):
        a, b = (lie_closure(chain(9), seed=seed) for _ in range(2))
        assert a.dims == tuple(range(2, 10)) and a.point == b.point
        assert [w.numbers.tolist() for w in a.witnesses] == [w.numbers.tolist() for w in b.witnesses]


# --- certificates ----------------------------------------------------------------------------------------------------


def forged(change):
    """A certificate of a chain, changed."""
    document = copy.deepcopy(dict(certify(chain(20)).certificate.data))
    change(document)
    return json.dumps(document)


FORGERIES = {
    "a member left out": lambda d: d["lie"]["members"].pop(7),
    "a member twice": lambda d: d["lie"]["members"].__setitem__(-1, d["lie"]["members"][-2]),
    "a field of the last level replaced": lambda d: d["lie"]["members"][-1].__setitem__(0, 0),
    "a seed that is none": lambda d: d["lie"]["members"][5].__setitem__(0, 9),
    "a rank too many": lambda d: d["lie"]["ranks"].__setitem__(9, 12),
    "a level less": lambda d: d["lie"]["ranks"].pop(),
    "a level before its time": lambda d: d["lie"]["ranks"].__setitem__(0, 3),
    "a law less": lambda d: d["claim"].update(upper=-1),
    "one field only": lambda d: d["lie"].update(seeds=[[0, 1], [0, 1]]),
    "a seed left out": lambda d: d["lie"]["seeds"].pop(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORGERIES)
def test_forged_chains_are_rejected(name):
    assert large.verify_bytes(forged(lambda d: None).encode())[0] == 0
    assert large.verify_bytes(forged(FORGERIES[name]).encode())[0] in (1, 2)


def test_deep_certificates_travel(tmp_path):
    """To a file and back, verified by each rank, the same bytes again."""
    count = certify(chain(25))
    count.certificate.save(tmp_path / "chain.json")
    again = Certificate.load(tmp_path / "chain.json")
    assert again.to_bytes() == certify(chain(25)).certificate.to_bytes()
    assert verify(again, fast=True).status is verify(again).status is VerdictStatus.VERIFIED


def test_flows_are_expanded_only_when_small(monkeypatch):
    flow = as_flow(chain(6))
    monkeypatch.setattr(lie, "MAX_EXPANDED", flow.expanded_size - 1)
    assert not any(isinstance(w, ExplicitWitness) for w in lie_closure(flow).witnesses)
    monkeypatch.setattr(lie, "MAX_EXPANDED", flow.expanded_size)
    assert all(isinstance(w, ExplicitWitness) for w in lie_closure(flow).witnesses)
