"""The kernels that sort, collect and join against plain Python."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest

from clexact._kernels import joins

PRIMES = [2, 3, 65537, 2**61 - 1]
SIZES = [(0, 1), (1, 1), (7, 1), (40, 5), (300, 2**11), (300, 2**40)]


def keys(seed: int, count: int, below: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(below) for _ in range(count)]


@pytest.mark.parametrize(("count", "below"), SIZES)
def test_the_order_is_ascending_and_keeps_that_of_equal_keys(count: int, below: int) -> None:
    for given in (keys(1, count, below), sorted(keys(2, count, below)), sorted(keys(3, count, below))[::-1]):
        expected = sorted(range(count), key=lambda i: given[i])  # which is stable
        assert joins.order(np.array(given, dtype=np.int64)).tolist() == expected


@pytest.mark.parametrize("p", PRIMES)
@pytest.mark.parametrize(("count", "below"), SIZES)
def test_values_of_equal_keys_are_added_up_modulo_the_prime(count: int, below: int, p: int) -> None:
    given, values = keys(4, count, below), keys(5, count, 2**62)
    expected, first = defaultdict[int, int](int), dict[int, int]()
    for place, (key, value) in enumerate(zip(given, values, strict=True)):
        expected[key] = (expected[key] + value) % p
        first.setdefault(key, place)
    which, total = joins.collect(np.array(given, dtype=np.int64), np.array(values, dtype=np.uint64), p)
    kept = [key for key in sorted(expected) if expected[key]]
    assert which.tolist() == [first[key] for key in kept] and total.tolist() == [expected[key] for key in kept]


@pytest.mark.parametrize(("count", "below"), [(0, 1), (1, 1), (7, 1), (40, 5), (40, 100)])
def test_all_pairs_of_equal_keys_are_joined(count: int, below: int) -> None:
    for other in (0, 1, count):
        left, right = keys(6, count, below), keys(7, other, below)
        i, j = joins.join(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64))
        expected = [(a, b) for a in range(count) for b in range(other) if left[a] == right[b]]
        assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
