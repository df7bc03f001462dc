"""Of a program that is defined nowhere all is true: certificates of such ones, written by hand, are not verified."""

import json
from math import prod

import pytest

from clexact.proofs.verifier import large, tiers

Q = 1000151  # and 2 Q + 1 are primes that are 3 modulo 4
LAW = [{"polynomials": ["a[0]^2 - b[0]^2"]}]
BEFORE = [
    ["parameter", [], [1], "a"],
    ["parameter", [], [1], "b"],
    ["probe", [], [1], "x"],
    ["multiply", [0, 1], [1], None],
    ["multiply", [3, 2], [1], None],  # u = a b x, which has one law
]


def times(k, i, n):
    """Two nodes: k times node i, the first of them having number n."""
    return [["constant", [], [1], [0, str(k)]], ["multiply", [i, n], [1], None]]


def document(denominator, laws=LAW, members=1, **more):
    """(u, 1 / denominator): nodes that begin at number 5, the last one being the denominator; x may be given, as 3."""
    nodes = [*BEFORE, *denominator]
    nodes += [["function", [len(nodes) - 1], [1], "reciprocal"], ["concatenate", [4, len(nodes)], [2], 0]]
    probes = {"x": [1]} | {name: [1] for name in more.get("gates", {})}
    covector = sum(map(prod, probes.values()))  # after the coefficient of the case, where x is given
    place = {"prime": str(2 * Q + 1), "point": [0, 1]}
    made = {
        "format": large.FORMAT, "version": "1", "model": {"description": "by hand"}, "assumptions": [],
        "dimension": 2, "parameters": {"a": [1], "b": [1]}, "probes": probes,
        "program": {"nodes": nodes, "output": len(nodes) - 1}, "laws": laws,
        "independence": place | {"laws": [[0, 0]] * len(laws), "rank": len(laws)},
        "lie": place | {"seeds": [[0, 1, covector, 1]] * members, "members": [[0]] * members, "ranks": [members],
                        "fields": [Q], "bases": [4], "key": 0},
        "claim": {"lower": len(laws), "lower_evidence": "proved", "upper": 2 - members, "upper_evidence": "proved"},
    } | more  # fmt: skip
    return json.dumps(made | {"sha256": large.program_hash(made)}).encode()


def minus(k):
    """x - k."""
    return [["constant", [], [1], [0, str(-k)]], ["add", [2, 5], [1], None]]


def combined(k):
    """e^(2 u) + k (e^u)^2."""
    nodes = [["add", [4, 4], [1], None], ["function", [5], [1], "exp"], ["function", [4], [1], "exp"],
             ["multiply", [7, 7], [1], None]]  # fmt: skip
    return [*nodes, *times(k, 8, 9), ["add", [6, 10], [1], None]]


GATE = [["probe", [], [1], "g"], ["multiply", [5, 5], [1], None], *times(-1, 5, 7), ["add", [6, 8], [1], None]]
GIVEN = {
    "cases": {"scope": "this data", "gates": [], "start": None, "inputs": {"x": [[3]]}, "open": {}, "others": None}
}
NOWHERE = {
    "0": ([["constant", [], [1], []]], {"members": 0, "laws": []}),
    "u - u": ([*times(-1, 4, 5), ["add", [4, 6], [1], None]], {}),
    "exp(2 u) - exp(u)^2": (combined(-1), {}),
    "exp(2 u) - exp(u)^2, nothing shown": (combined(-1), {"members": 0}),
    "x - 3 at x = 3": (minus(3), GIVEN),
    "g^2 - g at true gates": (GATE, {"gates": {"g": "0"}}),
}


@pytest.mark.parametrize("name", NOWHERE)
def test_what_is_defined_nowhere_is_not_verified(name):
    denominator, more = NOWHERE[name]
    for verify in (large.verify_bytes, tiers.verify_bytes):
        status, sentences = verify(document(denominator, **more))
        assert status in (1, 3), sentences
        assert "not shown to have values" in sentences[-1] or "not defined there" in sentences[-1]


@pytest.mark.parametrize("members", [0, 1])
@pytest.mark.parametrize("made", [(combined(1), {}), (minus(4), GIVEN), (minus(0), GIVEN)])
def test_what_is_defined_somewhere_is_verified(made, members):
    denominator, more = made
    status, sentences = large.verify_bytes(document(denominator, members=members, **more))
    assert (status, f"at least 1 independent laws (proved), at most {2 - members} (proved)") == (0, sentences[-2])
