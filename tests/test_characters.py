"""Residues of analytic functions: a homomorphism, on jets too, undefined where it must be."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from clexact import Model
from clexact.algebra.draws import Draws
from clexact.functions import elu, erf, gelu, mish, rsqrt, sigmoid, silu, softmax, softplus, sqrt
from clexact.programs.characters import BASE, Characters, characters, draw_prime
from clexact.programs.defined import ROUNDS, anew, settled, slices
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

PSI = Characters(draw_prime(Draws(1), 22))
DEEP = Characters(draw_prime(Draws(1), 21))  # a chain of three fields
M, P, Q = PSI.modulus, *PSI.fields
NAMES = sorted(PSI.functions)
residue = st.integers(0, M - 1) | st.sampled_from([0, 1, 2, M - 1, P, Q, M - P, PSI.half])


def at(name, *values):
    """One residue for each; None where the function is undefined."""
    found, undefined = PSI.value(name, np.array([v % M for v in values], dtype=np.uint64))
    out = [None if bad else int(v) for v, bad in zip(found, undefined.any(axis=0), strict=True)]
    return out[0] if len(out) == 1 else out


def inverse(value):
    return pow(value, -1, M)


@pytest.mark.parametrize("bits", [19, 21, 22, 24])
def test_primes_are_safe_and_small_numbers_are_squares_modulo_both(bits):
    """A chain p = 2 q + 1, q; and q = 2 r + 1, r below 2^21, where functions stand above functions."""
    draws, found = Draws(0), set()
    for _ in range(3):
        p = draw_prime(draws, bits)
        fields = Characters(p).fields
        assert p.bit_length() == bits and len(fields) == (3 if bits < 22 else 2)
        assert all(sympy.isprime(f) and f % 4 == 3 for f in fields)
        assert all(f == 2 * g + 1 and pow(BASE, g, f) == 1 != BASE for f, g in itertools.pairwise(fields))
        assert all(sympy.jacobi_symbol(k, f) == 1 for f in fields for k in (2, 3, 5))
        found.add(p)
    assert len(found) > 1


def test_primes_keep_clear_of_denominators():
    """Neither p nor q divides what is to be avoided."""
    first = draw_prime(Draws(5), 22)
    for factor in (first, first >> 1):
        assert draw_prime(Draws(5), 22, avoiding=3 * factor) != first
    assert draw_prime(Draws(5), 22, avoiding=3) == first


@given(residue, residue)
def test_the_exponential_turns_sums_into_products(u, v):
    a, b, both = at("exp", u, v, u + v)
    assert both == a * b % M
    assert at("exp", 0) == 1 and at("exp", u) % Q == 1
    assert at("exp", u) % P == pow(4, u % Q, P)


@given(residue)
def test_functions_of_exponentials(u):
    e, s, t = at("exp", u), at("sigmoid", u), at("tanh", u)
    assert s is not None  # 1 + e^-u is 0 nowhere: -1 is no square modulo p, and 2 is not 0 modulo q
    assert s * (1 + e) % M == e
    assert (s + at("sigmoid", -u)) % M == 1
    assert t * (e * e + 1) % M == (e * e - 1) % M
    assert (t + at("tanh", -u)) % M == 0 == at("tanh", 0)


@given(residue)
def test_reciprocals(u):
    found = at("reciprocal", u)
    assert (found is None) == (u % P == 0 or u % Q == 0)
    assert found is None or found * u % M == 1


@given(residue, residue)
def test_roots(u, v):
    """Undefined but at squares modulo both primes; of squares that which is one, so products go to products."""
    a, b, both = at("rsqrt", u, v, u * v)
    square = all(u % r and sympy.jacobi_symbol(u % r, r) == 1 for r in (P, Q))
    assert (a is not None) == square
    if a is not None:
        assert a * a * u % M == 1
        assert all(sympy.jacobi_symbol(a % r, r) == 1 for r in (P, Q))
        if b is not None:
            assert both == a * b % M


@given(residue)
def test_primitives(u):
    assert (at("normal_cdf", u) + at("normal_cdf", -u)) % M == 1
    assert (at("softplus", u) - at("softplus", -u) - u) % M == 0
    assert at("normal_cdf", 0) == PSI.half


def test_primitives_of_other_arguments_differ():
    """No relation but these: a thousand values are all different, and the names have their own."""
    u = np.arange(1, 1001, dtype=np.uint64)
    for name in ("normal_cdf", "softplus"):
        assert len(set(PSI.value(name, u)[0].tolist())) == 1000
    assert not set(PSI.any_value("normal_cdf", u).tolist()) & set(PSI.any_value("softplus", u).tolist())
    assert PSI.density == Characters(P).density not in (0, Characters(draw_prime(Draws(2), 22)).density)


def run(output, shape=(), rows=4, psi=PSI, **masks):
    """Jets of an output of one parameter w at random arguments: (ring, argument, value, program)."""
    program = Model({"w": shape}, {}, output).program
    draws, ring = Draws(0), TrueJets(psi)
    jet = {mask: draws.residues((rows, *shape), psi.prime) for mask in (0, *masks.values())}
    return ring, jet, program.run(ring, {"w": jet})[program.output], program


@pytest.mark.parametrize("psi", [PSI, DEEP], ids=["two fields", "three fields"])
@pytest.mark.parametrize(
    "output",
    [
        lambda w: gelu(w) - gelu(-w) - w,
        lambda w: softplus(w) - softplus(-w) - w,
        lambda w: erf(w) + erf(-w),
        lambda w: silu(w) - silu(-w) - w,
        lambda w: sigmoid(w) + sigmoid(-w) - 1,
        lambda w: np.tanh(w) * (np.exp(w) + np.exp(-w)) - np.exp(w) + np.exp(-w),
        lambda w: np.tanh(w) - (np.exp(2 * w) - 1) / (np.exp(2 * w) + 1),
        lambda w: np.tanh(w) - 2 * sigmoid(2 * w) + 1,
        lambda w: mish(w) * (1 + (1 + np.exp(w)) ** 2) - w * ((1 + np.exp(w)) ** 2 - 1),
        lambda w: np.exp(w) * np.exp(-w) - 1,
        lambda w: np.exp(w + 1) - np.exp(w) * np.exp(w.symbol(1)),
        lambda w: np.exp(w / 2) ** 2 - np.exp(w),
        lambda w: np.tanh(np.tanh(w)) + np.tanh(np.tanh(-w)),
        lambda w: np.exp(np.exp(w) + gelu(w)) - np.exp(np.exp(w)) * np.exp(gelu(w)),
        lambda w: softmax(np.stack([w, 2 * w]))[0] - sigmoid(-w),
        lambda w: softmax(np.stack([w, w * w, 1 - w])) - softmax(np.stack([w, w * w, 1 - w]) + 5 * w),
        lambda w: softmax(np.stack([w, 3 * w])).sum() - 1,
        lambda w: sqrt(w.symbol(2)) ** 2 - 2,
        lambda w: sqrt(w.symbol(Fraction(4, 9))) - Fraction(2, 3),
    ],
)
def test_identities_hold_on_jets(output, psi):
    """In the value and in each derivative, up to the third."""
    ring, _, value, _ = run(output, psi=psi, a=1, b=2, c=4, ab=3, ac=5, bc=6, abc=7)
    assert not any(mask.any() for mask in ring.undefined)
    assert not any((part % (psi.prime if mask else psi.modulus)).any() for mask, part in value.items())


@pytest.mark.parametrize("inner", [np.tanh, np.exp, sigmoid])
def test_functions_of_functions_depend_on_their_arguments(inner):
    """With three fields; with two, exp(exp(u)) is 4 for every u."""
    found = run(lambda w: np.exp(inner(w)), rows=50, psi=DEEP)[2]
    assert len(set((found[0] % DEEP.prime).tolist())) > 45
    shallow = run(lambda w: np.exp(np.exp(w)), rows=50)[2]
    assert set((shallow[0] % P).tolist()) == {BASE}


@pytest.mark.parametrize(
    "output", [lambda w: np.exp(w) - 1, lambda w: gelu(w), lambda w: softplus(w) - softplus(2 * w)]
)
def test_what_is_not_zero_is_seen(output):
    _, _, value, _ = run(output, a=1)
    assert all(part.any() for part in value.values())


def derivatives(name, a, f, f_density):
    """The first three derivatives at a, from the value f, by hand."""
    match name:
        case "exp":
            return f, f, f
        case "reciprocal":
            return -(f**2), 2 * f**3, -6 * f**4
        case "rsqrt":
            return -(f**3) * inverse(2), 3 * f**5 * inverse(4), -15 * f**7 * inverse(8)
        case "sigmoid" | "softplus":
            s = f if name == "sigmoid" else at("sigmoid", a)
            first = s * (1 - s), s * (1 - s) * (1 - 2 * s), s * (1 - s) * (1 - 6 * s + 6 * s * s)
            return first if name == "sigmoid" else (s, *first[:2])
        case "tanh":
            d = 1 - f * f
            return d, -2 * f * d, d * (6 * f * f - 2)
        case "normal_cdf":
            d = f_density * at("exp", -a * a * inverse(2))
            return d, -a * d, (a * a - 1) * d


@pytest.mark.parametrize("name", NAMES)
def test_jets_are_taylor_series(name):
    """f(a + n) = f(a) + f'(a) n + f''(a) n^2/2 + f'''(a) n^3/6 for nilpotent n in three infinitesimals."""
    draws, done = Draws(3), 0
    while done < 5:
        a, *parts = (int(r) for r in draws.residues((8,), P))
        value = at(name, a)
        if value is None:
            continue
        done += 1
        first, second, third = derivatives(name, a, value, PSI.density)
        b, c, bc, d, bd, cd, bcd = parts  # by mask, 1 to 7
        expected = {
            1: first * b,
            2: first * c,
            4: first * d,
            3: first * bc + second * b * c,
            5: first * bd + second * b * d,
            6: first * cd + second * c * d,
            7: first * bcd + second * (b * cd + c * bd + d * bc) + third * b * c * d,
        }
        jet = {mask: np.array([[r]], dtype=np.uint64) for mask, r in enumerate([a, *parts])}
        found = TrueJets(PSI).function(jet, name)
        assert int(found[0][0, 0]) == value
        assert {mask: int(part[0, 0]) % P for mask, part in found.items() if mask} == {
            mask: part % P for mask, part in expected.items()
        }


NETS = {
    "softmax": lambda w: softmax(w @ w.T),
    "softmax over the first axis": lambda w: softmax(w, axis=0) * w,
    "gelu": lambda w: gelu(w @ gelu(w)),
    "tanh": lambda w: np.tanh(w @ np.tanh(w)),
    "softplus": lambda w: softplus(softplus(w) * w),
    "mish": lambda w: mish(w),
    "elu": lambda w: elu(w, alpha=2, beta=3),
    "ratio": lambda w: w / (1 + w * w),
    "norm": lambda w: w / (7 + (w * w).sum(axis=1, keepdims=True)) ** 0.5,
}


@pytest.mark.parametrize("name", NETS)
def test_the_reverse_sweep_is_the_transpose_of_the_derivative(name):
    """<C, g'(w) v> = <gradient, v>, with jets of w: so are their parts."""
    model = Model({"w": (3, 3)}, {}, NETS[name])
    program, draws = model.program, Draws(7)
    ring, leaves = TrueJets(PSI), {k: {0: draws.residues((512, *s), P)} for k, s in model.probes.items()}
    w, v, u = (draws.residues((512, 3, 3), P) for _ in range(3))
    C = draws.residues((512, *program.shape), P)
    forward = program.run(ring, leaves | {"w": {0: w, 1: u, 2: v}})[program.output]
    fine = ~np.any([mask.reshape(2, 512, -1).any(axis=(0, 2)) for mask in ring.undefined], axis=0)
    gradient = ring.gradient(program, leaves | {"w": {0: w, 1: u}}, {0: C})["w"]
    assert fine.any()
    for mask in (0, 1):  # the value, and its change along u
        left = inner(C, forward.get(mask | 2, np.zeros_like(C)))
        right = inner(gradient.get(mask, np.zeros_like(v)), v)
        assert (left == right)[fine].all() and right[fine].any()


def inner(a, b):
    flat = [x.reshape(len(x), -1).astype(object) % P for x in (a, b)]
    return (flat[0] * flat[1]).sum(axis=1) % P


def test_a_program_is_evaluated_as_by_hand():
    """A small network in Python's integers, one residue after another."""
    ring, jet, value, _ = run(lambda w: softmax(w)[0] * gelu(w[1]) + np.tanh(w[2] + np.exp(w[0])), (3,), rows=6)
    for (a, b, c), found in zip(jet[0].tolist(), value[0].tolist(), strict=True):
        e = [at("exp", z) for z in (a, b, c)]
        expected = e[0] * inverse(sum(e)) * b * at("normal_cdf", b) + at("tanh", c + e[0])
        assert found == expected % M
    assert not any(mask.any() for mask in ring.undefined)


def test_undefined_places_are_noted_modulo_each_prime():
    ring = TrueJets(PSI)
    u = np.array([[1, 0, 4], [P, Q, 9], [4, M - 1, 16]], dtype=np.uint64)
    for name in ("reciprocal", "rsqrt", "exp"):  # -1 is no square modulo either
        ring.at(name, {0: u})
    first, second, third = (mask.reshape(2, -1).tolist() for mask in ring.undefined)
    bad = {0: {1, 3}, 1: {1, 4}}
    assert first == [[n in bad[k] for n in range(9)] for k in (0, 1)]
    for k in (0, 1):
        squares = [v % r and sympy.jacobi_symbol(v % r, r) == 1 for r in [(P, Q)[k]] for v in u.ravel().tolist()]
        assert second[k] == [not square for square in squares]
    assert third == [[False] * 9] * 2


def roots_missing(rows, _):
    """How many entries are no squares, modulo p and q."""
    return PSI.value("rsqrt", rows)[1].sum(axis=2).T


@pytest.mark.parametrize("field", [0, 1])
def test_arguments_are_drawn_until_all_is_defined(field):
    """Modulo one prime, without a change modulo the other; what was defined stays as it was."""
    draws = Draws(0)
    rows = draws.residues((40, 12), M)
    kept = rows[:3] = np.arange(1, 13, dtype=np.uint64) ** 2
    found = settled(
        roots_missing, rows.copy(), slices({"x": (3, 4)}), draws, [field], anew(PSI, draws, field), "the model"
    )
    assert not roots_missing(found, None)[:, field].any()
    other = np.uint64((Q, P)[field])
    assert (found % other == rows % other).all() and (found[:3] == kept).all()
    assert (found[3:] != rows[3:]).any(axis=1).all()


def test_a_search_for_arguments_ends():
    calls = []

    def never(rows, _):
        calls.append(len(rows))
        return np.ones((len(rows), 2), dtype=np.int64)

    zeros, draws = np.zeros((2, 3), dtype=np.uint64), Draws(0)
    with pytest.raises(UndefinedError, match="no arguments were found at which all functions of it are defined"):
        settled(never, zeros, slices({"x": (3,)}), draws, [0], anew(PSI, draws, 0), "it")
    assert 10 < len(calls) <= ROUNDS + 1


def test_a_homomorphism_is_made_once():
    assert characters(P) is characters(P)
    assert characters(P).value("exp", np.arange(9, dtype=np.uint64))[0].tolist() == at("exp", *range(9))


def test_slices_are_an_array_and_each_of_its_rows_and_columns():
    shapes = {"a": (), "gate": (3,), "X": (2, 2), "y": (1, 2)}
    found = [part.tolist() for part in slices(shapes, left_out=["gate"])]
    assert found == [[0], [4, 5, 6, 7], [4, 5], [6, 7], [4, 6], [5, 7], [8, 9], [8], [9]]


def test_rsqrt_of_a_rational_square_is_a_rational():
    assert Model({"w": ()}, {}, lambda w: w * rsqrt(w.symbol(Fraction(9, 4)))).program.functions == []
