"""Claims that no source states, against oracles that share no code: floats with the true functions, runs, SymPy."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy
from float_oracle import float_rank
from scipy.integrate import solve_ivp

from clexact.algebra.polynomial import Polynomial
from clexact.claims import families, games, invariants, multiplier, natural, streams, transformers
from clexact.claims.checks import complete, counted, drawn_point
from clexact.claims.claim import Statement
from clexact.claims.deep import entries, flow
from clexact.claims.grid import Grid, Reach
from clexact.claims.judge import ClaimVerdict, judge
from clexact.counting.certify import certify
from clexact.flows.dynamics import gradient_flow
from clexact.models import factorization, gru, lstm, shared
from clexact.proofs.verifier import large

FILES = (families, games, invariants, multiplier, natural, streams, transformers)
CLAIMS = {claim.id: claim for file in FILES for claim in file.CLAIMS}
SMALL = {  # a size of each family, where floats decide ranks
    "families.graph": (1, 1, 1), "families.graph-linear": (1, 2, 1), "families.kan": (1, 2, 1, 2),
    "families.sets": (1, 2, 1), "families.sets-mixed": (1, 1, 2), "families.recurrent": (1, 2, 1, 1),
    "families.cells": (1, 1, 1, 2), "families.euler": (2, 2, 2, 2), "families.cp": (2, 2, 2, 4),
    "families.train": (2, 2), "families.symmetric": (2, 4), "families.dora": (2, 2, 1), "families.retention": (2, 2, 2),
    "streams.across": (3, 1, 2), "streams.final": (3, 1, 2), "streams.none": (2, 1, 2, 3), "streams.gram": (2, 2, 1, 2),
    "streams.tied": (2, 2, 1, 2), "transformers.llama": (2, 1, 1, 1, 1, 1, 2),
    "transformers.experts": (2, 1, 2, 2),
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


def proof(name):
    """What is certified at the small size."""
    return CLAIMS[name].statement.check(SMALL[name], 0)


def on(claim, *sizes):
    """The claim on these sizes alone."""
    grid = Grid(claim.grid.names, claim.grid.dimension, 0, 0, edges=sizes, lengths=claim.grid.lengths, numbered=True)
    return replace(claim, grid=grid)


@pytest.mark.parametrize("name", SMALL)
def test_floats_have_the_rank_of_the_fields(name):
    """PyTorch's gradients and brackets of the true functions, at points of its own."""
    check = proof(name)
    count = check.proof
    assert check.holds and count.exact
    model = count.flow.model
    found = float_rank(model, "full", len(count.filtration))
    assert found.ranks[-1] == count.filtration[-1] == count.dimension - count.lower


def test_every_family_is_tried_by_floats():
    """None is left out but GPT-2, whose singular values have no clear gap: its certificate, without the engine."""
    every = {claim.id for file in (families, streams, transformers) for claim in file.CLAIMS}
    assert set(SMALL) == every - {"transformers.gpt2"}
    check = CLAIMS["transformers.gpt2"].statement.check((3, 1, 1, 1, 1, 2), 0)
    assert check.holds and large.verify_bytes(check.proof.certificate.to_bytes())[0] == 0


@pytest.mark.parametrize("name", SMALL)
def test_one_law_less_is_refuted(name):
    """The number stated matters: with another one the same networks refute the claim."""
    claim, count = CLAIMS[name], proof(name).proof
    planted = Statement("planted", "0", lambda size, seed: counted(count.flow, count.lower + 1, seed))
    claim = on(replace(claim, statement=planted, instead=None), SMALL[name])
    assert judge(claim, Reach.QUICK).verdict is ClaimVerdict.REFUTED


def test_a_law_crosses_two_blocks_and_belongs_to_neither():
    """Of one block alone the bias has no law, its counts are 1 and 1, and that of both is 3."""
    one, two = (certify(gradient_flow(streams.stream(3, 1, blocks, streams.LAYER, final=False))) for blocks in (1, 2))
    assert (one.lower, one.upper, two.lower, two.upper) == (1, 1, 3, 3)


def test_coordinates_of_equivariant_layers_decide():
    """The same functions have 6 laws in one basis of intertwiners, 3 in another; a Gram matrix of one kind moves."""
    apart, mixed = (certify(gradient_flow(families.equivariant(2, 2, 2, kind))) for kind in (True, False))
    assert (apart.lower, apart.upper, mixed.lower, mixed.upper) == (6, 6, 3, 3)
    laws = families._pair(mixed.flow, "A", (2, 2, 2))
    assert complete(mixed.flow, laws, 0).holds is False


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_tensors_of_order_two_keep_more(rank):
    """Matrices have Gram laws, tensors of order three only norms, whatever the rank."""
    matrix, tensor = (certify(gradient_flow(factorization(dims, rank=rank))) for dims in ([2, 2], [2, 2, 2]))
    k = min(rank, 4)
    assert tensor.lower == tensor.upper == 2 * rank
    assert matrix.lower == matrix.upper == k * (2 * rank + 1 - k) // 2


def test_symmetric_factors_keep_their_row_space():
    """The quotients of minors of U are kept by S U, S symmetric; there is no polynomial of degree 2."""
    n, r = 2, 4
    count = certify(gradient_flow(shared(n, r)))
    U = sympy.Matrix(n, r, lambda i, j: sympy.Symbol(f"u{i}{j}"))
    S = sympy.Matrix(n, n, lambda i, j: sympy.Symbol(f"s{min(i, j)}{max(i, j)}"))
    minors = [U.extract([0, 1], [i, j]).det() for i in range(r) for j in range(i)]
    along = [sum(sympy.diff(d, x) * v for x, v in zip(U, S * U, strict=True)) for d in minors]
    assert all(sympy.expand(a * minors[0] - along[0] * d) == 0 for a, d in zip(along, minors, strict=True))
    quotients = sympy.Matrix([d / minors[0] for d in minors]).jacobian(list(U))
    point = dict(zip(U, range(1, 9), strict=True)) | {U[1, 1]: 11}
    assert quotients.subs(point).rank() == n * (r - n) == count.lower == count.upper and not count.laws


@pytest.mark.parametrize("make", [gru, lstm])
def test_gated_cells_move_everywhere(make):
    """Floats find as many fields as there are weights."""
    model = make(1, 2, 1)
    assert float_rank(model, "full", 1).ranks[-1] == model.dimension


# --- the last law -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(1, 2, 2, 1), (1, 2, 3, 1)])
def test_the_last_law_needs_a_field_without_divergence(widths):
    """Times a function the field has the same laws, and the form is not closed."""
    net = flow(widths)
    field = net.fields.components(0)
    point = drawn_point(net.dimension, 4)
    level = multiplier.level_of(entries(widths), point)
    assert multiplier.divergence(field).is_zero and multiplier.closed(field, level, point)
    factor = Polynomial.from_string(f"1 + {net.variables[0]}^2", net.variables)
    other = [factor * x for x in field]
    assert not multiplier.divergence(other).is_zero and not multiplier.closed(other, level, point)


def float_value(p, x):
    """Of a polynomial."""
    return sum(float(c) * np.prod([x[place] ** power for place, power in monomial]) for monomial, c in p.items())


def test_the_last_law_is_kept_by_a_run():
    """Its integral along a loop on the level vanishes, and that along the flow as well: by quadrature in floats."""
    net = flow((1, 2, 2, 1))
    field = net.fields.components(0)
    start = np.array(drawn_point(8, 5), dtype=float) / 10
    level = multiplier.level_of(entries((1, 2, 2, 1)), tuple(drawn_point(8, 5)))
    a, b = level.free

    def parts(x):
        X = np.array([float_value(p, x) for p in field])
        G = np.array([[float_value(p, x) for p in law.gradient] for law in level.laws])
        J = np.linalg.det(G[:, level.bound])
        tangent = np.zeros((8, 2))
        tangent[[a, b], [0, 1]] = 1
        tangent[level.bound] = -np.linalg.solve(G[:, level.bound], G[:, [a, b]])
        return X, J, tangent

    def moved(_, x, way):
        _, J, tangent = parts(x[:8])
        X, *_ = parts(x[:8])
        return np.append(tangent @ way, (X[a] * way[1] - X[b] * way[0]) / J)

    side, x = 1e-2, np.append(start, 0.0)
    for way in ((side, 0), (0, side), (-side, 0), (0, -side)):
        x = solve_ivp(moved, (0, 1), x, args=(np.array(way),), rtol=1e-12, atol=1e-14).y[:, -1]
    once = abs(moved(0, np.append(start, 0.0), np.array((side, 0)))[-1])
    assert np.allclose(x[:8], start, atol=1e-10) and abs(x[8]) < 1e-9 * max(1, once)


# --- games and steps --------------------------------------------------------------------------------------------------


def test_the_coupling_is_kept_by_a_run_of_the_replicator():
    """Of a game with another basis, by SciPy; the coupling of a wrong equilibrium is not kept."""
    A = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])

    def replicator(_, z):
        x, y = z[:3], z[3:]
        value = x @ A @ y
        return np.concatenate([x * (A @ y - value), -y * (A.T @ x - value)])

    z = solve_ivp(replicator, (0, 7), [0.5, 0.3, 0.2, 0.2, 0.6, 0.2], rtol=1e-11, atol=1e-13).y
    kept, other = np.log(z).sum(axis=0), np.log(z[:3]).sum(axis=0)
    assert np.ptp(kept) < 1e-8 < 1e-2 < np.ptp(other)
    claim = CLAIMS["games.coupling"]
    p, q = games.EQUILIBRIA[0]
    wrong = Statement(
        "planted", "0", lambda size, seed: complete(games.fields(p, q), [games.coupling((2, 1), q)], seed, 5)
    )
    assert judge(on(replace(claim, statement=wrong), (1,)), Reach.QUICK).verdict is ClaimVerdict.REFUTED


def test_every_game_of_the_basis_has_the_equilibrium():
    """A q = 0 and p A = 0, and they are independent."""
    for p, q in games.EQUILIBRIA:
        found = games.games(p, q)
        assert all(not (np.array(A) @ q).any() and not (p @ np.array(A)).any() for A in found)
        assert np.linalg.matrix_rank([np.ravel(A) for A in found]) == (len(p) - 1) * (len(q) - 1)


def test_descent_keeps_quotients_in_a_run():
    """Any loss and rate: each step draws the derivative by the output."""
    draws = np.random.default_rng(0)
    u, v = draws.normal(size=(2, 4))
    first, last = None, None
    for t in draws.uniform(-0.3, 0.3, size=50):
        last = np.array([u[0] * u[1] - v[0] * v[1], u[2] * v[3] - u[3] * v[2], u @ u - v @ v])
        first = last if first is None else first
        u, v = u - t * v, v - t * u
    assert np.allclose(last[1:] / last[0], first[1:] / first[0], rtol=1e-9) and abs(last[0] / first[0] - 1) > 0.1


def test_a_step_that_keeps_a_polynomial_is_found(monkeypatch):
    """A rotation keeps u^2 + v^2: the rank is not full, and the claim refuted."""
    monkeypatch.setattr(
        invariants, "descent", lambda size, targets: lambda theta: [theta[1], -theta[0] % invariants.PRIME]
    )
    assert invariants._none((1, 1, 1), 0).holds is False


def test_one_unit_keeps_no_polynomial_by_sympy():
    """The same by an ansatz with unknown coefficients, solved over Q, for one unit and degree 2."""
    u, v = sympy.symbols("u v")
    e = u * v - 2
    after = [sympy.expand(u - e * v / 10), sympy.expand(v - e * u / 10)]
    monomials = [u, v, u**2, u * v, v**2]
    c = sympy.symbols(f"c:{len(monomials)}")
    change = sum(
        k * (m.subs({u: after[0], v: after[1]}, simultaneous=True) - m) for k, m in zip(c, monomials, strict=True)
    )
    assert sympy.solve(sympy.Poly(sympy.expand(change), u, v).coeffs(), c, dict=True) == [dict.fromkeys(c, 0)]


def test_the_paper_names_every_claim_that_is_new():
    """And no other, each as the command repeats it."""
    text = (Path(__file__).parents[1] / "docs" / "paper.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:deep|discrete|families|games|natural|streams|transformers)\.[a-z\d-]+", text))
    assert named == set(CLAIMS)


@pytest.mark.parametrize("tied", [False, True])
def test_published_modules_have_the_laws_of_the_formulas(tied):
    """GPT-2 and Llama of Hugging Face, small, read by torch.export: laws by rule, one by one independent."""
    library = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from clexact.torch import laws

    common = {"tie_word_embeddings": tied, "use_cache": False, "attn_implementation": "eager", "vocab_size": 2}
    small = library.GPT2Config(n_positions=2, n_embd=4, n_layer=2, n_head=2, n_inner=3, **common)
    words = torch.arange(2)[None]
    found = laws(library.GPT2LMHeadModel(small).eval(), words, certify=False).independent
    assert found.count == found.most == transformers.laws_of_gpt2(4, 2, 2, 3, 2, 1 + tied)
    small = library.LlamaConfig(
        hidden_size=8, intermediate_size=3, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, **common
    )
    found = laws(library.LlamaForCausalLM(small).eval(), words, certify=False).independent
    assert found.count == found.most == transformers.laws_of_llama(8, 2, 1, 3, 2, 1 + tied)


def _layerwise(G, U, V):
    """The natural gradient of each factor alone, in floats."""
    return -G @ V @ np.linalg.inv(V.T @ V), -G.T @ U @ np.linalg.inv(U.T @ U)


def test_layerwise_natural_gradients_keep_a_ratio_of_volumes():
    """In a run towards a drawn matrix, where each balance of the gradient flow moves."""
    draws = np.random.default_rng(5)
    start, target = draws.normal(size=14), draws.normal(size=(3, 4))

    def parts(x):
        return x[:6].reshape(3, 2), x[6:].reshape(4, 2)

    def slope(_, x):
        U, V = parts(x)
        return np.concatenate([part.ravel() for part in _layerwise(U @ V.T - target, U, V)])

    def kept(x):
        U, V = parts(x)
        return np.linalg.det(U.T @ U) / np.linalg.det(V.T @ V), U.T @ U - V.T @ V

    end = solve_ivp(slope, (0, 1), start, rtol=1e-11, atol=1e-12).y[:, -1]
    (before, balances), (after, moved) = kept(start), kept(end)
    assert abs(after / before - 1) < 1e-8 and np.abs(moved - balances).min() > 1e-3


def test_layerwise_natural_gradients_keep_nothing_else():
    """Brackets by PyTorch's own derivatives: at a point all directions but one."""
    torch = pytest.importorskip("torch")

    def field(i, j):
        def value(x):
            U, V = x[:4].reshape(2, 2), x[4:].reshape(2, 2)
            E = torch.zeros(2, 2, dtype=x.dtype)
            E[i, j] = 1
            both = E @ V @ torch.linalg.inv(V.T @ V), E.T @ U @ torch.linalg.inv(U.T @ U)
            return torch.cat([part.ravel() for part in both])

        return value

    def bracket(X, Y):
        def value(x):
            return torch.func.jvp(Y, (x,), (X(x),))[1] - torch.func.jvp(X, (x,), (Y(x),))[1]

        return value

    fields = [field(i, j) for i in range(2) for j in range(2)]
    point = torch.from_numpy(np.random.default_rng(2).normal(size=8))
    every = [*fields, *(bracket(X, Y) for n, X in enumerate(fields) for Y in fields[:n])]
    values = np.linalg.svd(np.array([X(point).numpy() for X in every]), compute_uv=False)
    assert values[6] > 1e-3 and values[7] < 1e-12
