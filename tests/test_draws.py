"""Seeded draws: the same for the same seed, uniform, in range."""

from collections import Counter

import numpy as np
import pytest
import sympy
from reference import PRIMES

from clexact.algebra.draws import Draws


@pytest.mark.parametrize("seed", [0, 1, 7, 2**32, 2**80])
def test_a_seed_gives_the_same_draws(seed):
    a, b = Draws(seed), Draws(seed)
    assert np.array_equal(a.residues((5, 3), 2**61 - 1), b.residues((5, 3), 2**61 - 1))
    assert a.prime(61) == b.prime(61) and a.integers(-9, 9, 20) == b.integers(-9, 9, 20)


def test_seeds_and_calls_give_different_draws():
    draws = Draws(0)
    seen = {tuple(d.residues((4,), 2**61 - 1).tolist()) for d in (draws, draws, Draws(1), Draws(2))}
    assert len(seen) == 4


def test_the_stream_is_the_raw_stream_of_pcg64():
    raw = np.random.PCG64(5).random_raw(14).tolist()
    kept = [r >> 61 for r in raw if r >> 61 < 7]
    assert Draws(5).residues((3,), 7).tolist() == kept[:3]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (2, 3), (4, 0, 2), (2, 1, 3)])
def test_residues_have_the_shape(shape):
    out = Draws(3).residues(shape, 101)
    assert out.shape == shape and out.dtype == np.uint64


@pytest.mark.parametrize("p", [1, *PRIMES, 2**63, 2**63 + 29, 2**64 - 59])
def test_residues_are_in_range_and_reach_both_halves(p):
    out = [int(r) for r in Draws(11).residues((400,), p)]
    assert all(0 <= r < p for r in out)
    assert p == 1 or (min(out) < p / 8 + 1 and max(out) >= p - p / 8 - 1)


@pytest.mark.parametrize("p", [2, 3, 5, 12])
def test_residues_are_uniform(p):
    n = 6000
    counts = Counter(Draws(4).residues((n,), p).tolist())
    assert set(counts) == set(range(p))
    chi_squared = sum((counts[r] - n / p) ** 2 / (n / p) for r in range(p))
    assert chi_squared < p + 6 * (2 * p) ** 0.5


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-3, -3), (-2, 2), (5, 6), (-(2**40), 2**40)])
def test_integers_are_in_the_closed_range(low, high):
    out = Draws(9).integers(low, high, 200)
    assert len(out) == 200 and all(type(x) is int and low <= x <= high for x in out)
    assert high - low > 10 or set(out) == set(range(low, high + 1))


def test_no_integers():
    assert Draws(0).integers(0, 9, 0) == []


@pytest.mark.parametrize("bits", [2, 3, 8, 22, 31, 61, 62, 64])
def test_primes_are_primes_of_that_length(bits):
    draws = Draws(bits)
    for p in (draws.prime(bits) for _ in range(5)):
        assert sympy.isprime(p) and p.bit_length() == bits


def test_small_primes_are_all_met():
    draws = Draws(2)
    assert {draws.prime(4) for _ in range(60)} == {11, 13}


@pytest.mark.parametrize("seed", [1.0, "1", None, True, np.float64(3)])
def test_draws_rejects_a_seed_that_is_no_integer(seed):
    with pytest.raises(TypeError, match="seed must be an integer, not"):
        Draws(seed)


@pytest.mark.parametrize("seed", [-1, -(2**70)])
def test_draws_rejects_a_negative_seed(seed):
    with pytest.raises(ValueError, match=f"seed must be at least 0, not {seed}"):
        Draws(seed)
