"""Residues of analytic functions: a homomorphism, on jets too, undefined where it must be."""

import itertools
from fractions import Fraction
from math import prod

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from clexact import Model
from clexact.algebra.draws import Draws
from clexact.flows.analytic import AnalyticGradientFlow
from clexact.functions import (
    cos,
    elu,
    erf,
    gelu,
    log,
    log_sigmoid,
    log_softmax,
    logaddexp,
    logsumexp,
    mish,
    rsqrt,
    sigmoid,
    silu,
    sin,
    softmax,
    softplus,
    sqrt,
    tan,
)
from clexact.programs.characters import ANGLES, AROUND, BASE, Characters, characters, draw_prime
from clexact.programs.defined import ROUNDS, anew, check_settled, settle, slices, stages, undefined
from clexact.programs.true_jets import TrueJets
from clexact.support.errors import UndefinedError

PSI = Characters(draw_prime(Draws(1), 22))
DEEP = Characters(draw_prime(Draws(1), 21))  # a chain of three fields
TURNING = Characters(draw_prime(Draws(1), 22, angles=True), angles=True)  # with fields of angles
M, P, Q = PSI.modulus, *PSI.fields
NAMES = sorted(PSI.functions)
residue = st.integers(0, M - 1) | st.sampled_from([0, 1, 2, M - 1, P, Q, M - P, PSI.half])


def at(name, *values, psi=PSI):
    """One residue for each; None where the function is undefined."""
    found, undefined = psi.value(name, np.array([v % psi.modulus for v in values], dtype=np.uint64))
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


@pytest.mark.parametrize("prime", AROUND)
def test_primes_of_angles(prime):
    """p, primes q of p - 1, s of p + 1, t of s + 1, u of q + 1, modulo all of which 2 is a square and -1 is none."""
    psi = Characters(prime, angles=True)
    p, q, s, t, u = fields = psi.fields
    assert 20 < p.bit_length() <= 22 and psi.modulus == p * q * s * t * u < 2**62 and len(set(fields)) == 5
    assert (p - 1) % q == (p + 1) % s == (s + 1) % t == (q + 1) % u == 0
    assert all(sympy.isprime(f) and f % 8 == 7 for f in fields)
    (base,), angles = psi.written()["bases"], psi.written()["angles"]
    assert pow(base, q, p) == 1 != base and [angle[:2] for angle in angles] == [[p, s], [s, t], [q, u]]
    for f, order, a, b in angles:
        assert (a * a + b * b) % f == 1 and turned((a, b), order, f) == (1, 0) != (a, b)


def test_primes_of_angles_are_drawn():
    draws = Draws(0)
    assert {draw_prime(draws, 22, angles=True) for _ in range(100)} == set(AROUND)
    first = Characters(draw_prime(Draws(5), 22, angles=True), angles=True)
    for factor in first.fields:
        assert factor not in Characters(draw_prime(Draws(5), 22, avoiding=3 * factor, angles=True), angles=True).fields
    with pytest.raises(UndefinedError, match="no fields of angles"):
        draw_prime(Draws(5), 22, avoiding=prod(AROUND), angles=True)


def turned(omega, times, field):
    """A power by repeated multiplication."""
    c, d = 1, 0
    for _ in range(times):
        c, d = (omega[0] * c - omega[1] * d) % field, (omega[0] * d + omega[1] * c) % field
    return c, d


def test_angles_are_read_in_their_fields():
    """cos and sin of z modulo p, s and q are those of z modulo s, t and u; 1 and 0 in the other fields."""
    *_, s, t, u = TURNING.fields
    for z in (0, 1, s, t, s * t, 12345678901, TURNING.modulus - 1):
        both = at("cos", z, psi=TURNING), at("sin", z, psi=TURNING)
        for f, order, a, b in TURNING.written()["angles"]:
            assert [x % f for x in both] == list(turned((a, b), z % order, f))
        assert [x % f for x in both for f in (t, u)] == [1, 1, 0, 0]


@given(st.integers(0, TURNING.modulus - 1), st.integers(0, TURNING.modulus - 1))
def test_turns_add_up(u, v):
    m = TURNING.modulus
    (a, c, e), (b, d, f) = ([at(name, w, psi=TURNING) for w in (u, v, u + v)] for name in ("cos", "sin"))
    assert (a * a + b * b) % m == 1 and (a * c - b * d - e) % m == 0 == (a * d + b * c - f) % m
    assert at("cos", -u, psi=TURNING) == a and (at("sin", -u, psi=TURNING) + b) % m == 0
    g, h, k = (at("exp", w, psi=TURNING) for w in (u, v, u + v))
    assert g * h % m == k


def test_functions_without_angles_have_none():
    assert not set(ANGLES) & set(PSI.functions) and "angles" not in PSI.written()
    assert DEEP.written()["bases"] == [BASE, BASE]


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
    for name in ("normal_cdf", "softplus", "log"):
        assert len(set(PSI.value(name, u)[0].tolist())) == 1000
    assert at("log", 1) == 0 and at("log", M + 1) == 0
    assert at("log", 0) is at("log", P) is at("log", 5 * Q) is None
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


@pytest.mark.parametrize(
    "output",
    [
        lambda w: sin(2 * w) - 2 * sin(w) * cos(w),
        lambda w: sin(w) ** 2 + cos(w) ** 2 - 1,
        lambda w: sin(w + 1) - sin(w) * cos(w.symbol(1)) - cos(w) * sin(w.symbol(1)),
        lambda w: cos(3 * w) - 4 * cos(w) ** 3 + 3 * cos(w),
        lambda w: sin(w / 2) ** 2 - (1 - cos(w)) / 2,
        lambda w: tan(2 * w) * (cos(w) ** 2 - sin(w) ** 2) - 2 * sin(w) * cos(w),
        lambda w: sin(sin(w) + sin(-w)),
        lambda w: sin(w * sin(w)) + sin(w * sin(-w)),
        lambda w: cos(np.exp(w) - np.exp(w / 2) ** 2) - 1,
        lambda w: np.exp(w) * np.exp(sin(w)) - np.exp(w + sin(w)),
        lambda w: log(2 + np.exp(w)) - log((4 + 2 * np.exp(w)) / 2),
        lambda w: log_softmax(np.stack([w, w * w])) - log_softmax(np.stack([w, w * w]))
        + 0 * logsumexp(np.stack([w, 2 * w])),
        lambda w: log_sigmoid(w) - log_sigmoid(-w) - w,
        lambda w: logaddexp(w, 1) - logaddexp(1, w),
    ],
)  # fmt: skip
def test_identities_of_turns_hold_on_jets(output):
    """And of logarithms: those that equal arguments imply."""
    ring, _, value, _ = run(output, psi=TURNING, a=1, b=2, c=4, ab=3, ac=5, bc=6, abc=7)
    assert not any(mask.any() for mask in ring.undefined)
    assert not any((part % (TURNING.prime if mask else TURNING.modulus)).any() for mask, part in value.items())


def test_turns_of_turns_depend_on_their_arguments():
    """By the second field of angles, and exponentials by the third; not those of a third turn, without a bias."""
    above = run(lambda w: np.exp(sin(w)), rows=50, psi=TURNING)[2]
    assert len(set((above[0] % TURNING.prime).tolist())) > 20
    two = run(lambda w: sin(sin(w)), rows=50, psi=TURNING)[2]
    assert len(set((two[0] % TURNING.prime).tolist())) > 20
    three = run(lambda w: sin(sin(sin(w))), rows=50, psi=TURNING)[2]
    assert not (three[0] % TURNING.prime).any()
    biased = run(lambda w: sin(3 * sin(2 * sin(w) + 5 * w) + 7 * w), rows=50, psi=TURNING)[2]
    assert len(set((biased[0] % TURNING.prime).tolist())) > 20


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
        case "log":
            return inverse(a), -(inverse(a) ** 2), 2 * inverse(a) ** 3
        case "sin":
            c = at("cos", a, psi=TURNING)
            return c, -f, -c
        case "cos":
            s = at("sin", a, psi=TURNING)
            return -s, -f, s


@pytest.mark.parametrize("name", [*NAMES, *ANGLES])
def test_jets_are_taylor_series(name):
    """f(a + n) = f(a) + f'(a) n + f''(a) n^2/2 + f'''(a) n^3/6 for nilpotent n in three infinitesimals."""
    draws, done, psi = Draws(3), 0, TURNING if name in ANGLES else PSI
    P = psi.prime
    while done < 5:
        a, *parts = (int(r) for r in draws.residues((8,), P))
        value = at(name, a, psi=psi)
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
        found = TrueJets(psi).function(jet, name)
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
    "log softmax": lambda w: log_softmax(w @ w),
    "logarithm": lambda w: log(w @ log(1 + w * w)),
    "turns": lambda w: sin(w @ cos(w)) * w,
}


@pytest.mark.parametrize("name", NETS)
def test_the_reverse_sweep_is_the_transpose_of_the_derivative(name):
    """<C, g'(w) v> = <gradient, v>, with jets of w: so are their parts."""
    model = Model({"w": (3, 3)}, {}, NETS[name])
    program, draws, psi = model.program, Draws(7), TURNING if name == "turns" else PSI
    P = psi.prime
    ring, leaves = TrueJets(psi), {k: {0: draws.residues((512, *s), P)} for k, s in model.probes.items()}
    w, v, u = (draws.residues((512, 3, 3), P) for _ in range(3))
    C = draws.residues((512, *program.shape), P)
    forward = program.run(ring, leaves | {"w": {0: w, 1: u, 2: v}})[program.output]
    fine = ~np.any([mask.reshape(len(mask), 512, -1).any(axis=(0, 2)) for mask in ring.undefined], axis=0)
    gradient = ring.gradient(program, leaves | {"w": {0: w, 1: u}}, {0: C})["w"]
    assert fine.any()
    for mask in (0, 1):  # the value, and its change along u
        left = inner(C, forward.get(mask | 2, np.zeros_like(C)), P)
        right = inner(gradient.get(mask, np.zeros_like(v)), v, P)
        assert (left == right)[fine].all() and right[fine].any()


def inner(a, b, p):
    flat = [x.reshape(len(x), -1).astype(object) % p for x in (a, b)]
    return (flat[0] * flat[1]).sum(axis=1) % p


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
    found = rows.copy()
    left = settle(roots_missing, found, slices({"x": (3, 4)}), draws, [field], anew(PSI, draws, [field]))
    assert not left.any() and not roots_missing(found, None)[:, field].any()
    other = np.uint64((Q, P)[field])
    assert (found % other == rows % other).all() and (found[:3] == kept).all()
    assert (found[3:] != rows[3:]).any(axis=1).all()


@pytest.mark.parametrize("psi", [PSI, DEEP, TURNING])
def test_each_field_asks_for_those_after_it_alone(psi):
    """What is changed modulo p changes nothing modulo q: not even values that are drawn. Nor in any two fields."""
    draws = Draws(8)
    u = np.concatenate([draws.residues((50,), psi.modulus), np.array([0, 1, 2, psi.modulus - 1], dtype=np.uint64)])
    for k in range(1, len(psi.fields)):
        after = prod(psi.fields[k:])
        others = psi.joined([anew(psi, draws, [j])(u) % np.uint64(f) if j < k else u % np.uint64(f)
                             for j, f in enumerate(psi.fields)])  # fmt: skip
        assert (u % np.uint64(after) == others % np.uint64(after)).all() and (u != others).any()
        for name in psi.functions:
            (x, bad), (y, worse) = psi.value(name, u), psi.value(name, others)
            assert (bad[k:] == worse[k:]).all()
            fine = ~bad[k:].any(axis=0)
            assert fine.any() and (x % np.uint64(after) == y % np.uint64(after))[fine].all()
            if name in ("log", "softplus", "normal_cdf"):
                assert (x % np.uint64(psi.prime) != y % np.uint64(psi.prime))[fine].any()


def test_logarithms_of_one_are_nothing_in_each_field():
    """Where a residue is 1 modulo a field and those after it, the logarithm is 0 there; that of a sign is another."""
    for psi in (PSI, DEEP, TURNING):
        for k, field in enumerate(psi.fields):
            after = prod(psi.fields[k:])
            u = np.array([1 + after * j for j in range(min(20, psi.modulus // after))], dtype=np.uint64)
            found, bad = psi.value("log", u)
            assert not (found % np.uint64(field)).any() and not bad[k:].any()
    u = np.arange(2, 1002, dtype=np.uint64)
    assert (PSI.value("log", u)[0] != PSI.value("log", np.uint64(M) - u)[0]).all()


ABOVE = {
    "log": lambda u: log(3 + u * u),
    "softplus": softplus,
    "erf": erf,
    "log of a sine": lambda u: log(3 + sin(u) + u * u),
    "log below exp": lambda u: np.exp(u) * log(5 + u * u),
}


@pytest.mark.parametrize("inner", ABOVE.values(), ids=ABOVE)
def test_roots_above_drawn_values_stay_defined(inner):
    """A root modulo q above a logarithm exists still when arguments have been settled modulo p: in all fields."""

    def output(W, v, u):
        return (v * rsqrt(7 + inner(W @ u) ** 2 + (v * v).sum())).sum() + rsqrt(3 + inner(v[0]) ** 2) * u[0]

    flow = AnalyticGradientFlow(Model({"W": (6, 2), "v": (6,)}, {"u": (2,)}, output))
    draws = flow.draws(0)
    psi = flow._characters(prime := flow.draw_prime(draws, 22))
    point = flow.draw_point(draws, prime)
    seeds = flow.draw_seeds(draws, 1, 40, point, prime)[0]
    theta, others = flow.draw_samples(draws, 40, prime)
    for rows, more in ((point[None], seeds), (theta, others)):
        leaves = flow._leaves({0: rows}, more)
        found = undefined(flow.program, TrueJets(psi), leaves, range(len(flow.program.nodes)), None)
        assert not found.any() and (more >= prime).any()


def test_arguments_that_vanish_at_a_point_in_a_small_field_are_drawn_anew():
    """log(v u) modulo 23 is not defined for any u if v is 0 there, nor one of a sine where sines are 0."""
    flow = AnalyticGradientFlow(Model({"v": (5,)}, {"u": ()}, lambda v, u: log(v * u).sum() + log(v + sin(u)).sum()))
    draws = flow.draws(0)
    for prime in AROUND:
        theta, seeds = flow.draw_samples(draws, 60, prime)
        psi, leaves = flow._characters(prime), flow._leaves({0: theta}, seeds)
        assert not undefined(flow.program, TrueJets(psi), leaves, range(len(flow.program.nodes)), None).any()
        assert all((theta % np.uint64(f)).all() for f in psi.fields)


def test_stages_settle_places_in_small_groups():
    """Of tokens of which each depends on those before it, and of a last one on all."""
    moves = np.array([[True, True, True, True], [False, True, True, True], [False, False, True, True], [False] * 4])
    found = [(rows.tolist(), np.flatnonzero(group).tolist()) for rows, group in stages(moves)]
    assert found == [([0], [0]), ([1], [1]), ([2], [2, 3])]
    done = np.zeros(4, dtype=bool)
    for rows, group in stages(moves):
        assert not (moves[rows] & done).any() and (moves[rows] & group == group).all()
        done |= group
    assert stages(np.zeros((2, 3), dtype=bool)) == []


def test_roots_of_parameters_exist_all_at_once():
    """More of them than could by chance, and each moves all those after it."""

    def output(W, u):
        total = u * 0
        for row in W:
            total = total + rsqrt(1 + (row * row).sum() + total * total)
        return total * u

    flow = AnalyticGradientFlow(Model({"W": (24, 2), "u": ()}, {}, output))
    draws, prime = flow.draws(0), draw_prime(Draws(0), 22)
    point, psi = flow.draw_point(draws, prime), characters(prime)
    found = undefined(flow.program, TrueJets(psi), flow._leaves({0: point[None]}, np.zeros((1, 1), np.uint64)),
                      range(len(flow.program.nodes)), None)  # fmt: skip
    assert not found.any() and (point >= prime).any() and (point < psi.modulus).all()


def test_a_search_for_arguments_ends():
    calls = []

    def never(rows, _):
        calls.append(len(rows))
        return np.ones((len(rows), 2), dtype=np.int64)

    zeros, draws = np.zeros((2, 3), dtype=np.uint64), Draws(0)
    left = settle(never, zeros, slices({"x": (3,)}), draws, [0], anew(PSI, draws, [0]))
    with pytest.raises(UndefinedError, match="no arguments were found at which all functions of it are defined"):
        check_settled(left, "it")
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
