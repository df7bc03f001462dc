"""Counts by closure in certificates, of programs and of listed fields; and documents of the first format, rewritten.

The stored documents were written by the version before the format changed: linear, by closure at random points, by a
single field, and with brackets of depth 5.
"""

import copy
import json
from itertools import combinations
from pathlib import Path

import pytest
from forged_truth import integral, may_be_accepted, parsed, value_mod
from oracles import lie_bracket, ring_of

import clexact
from clexact.proofs.verifier import conversion, tiers
from clexact.proofs.verifier import large as pv

DATA = Path(__file__).parent / "data"
FIRST = {path.stem: path.read_bytes() for path in sorted(DATA.glob("first-*.json"))}


def two_functions():
    """Two outputs of parameters of their own, each with a law that is no polynomial."""
    leaves = {"u": (), "v": (), "w": (), "z": ()}
    return clexact.Model(leaves, {"x": (2,)}, lambda u, v, w, z, x: x[0] * (u * u * v + u) + x[1] * (w * w * z + z))


def single():
    return clexact.Model({"u": (), "v": ()}, {}, lambda u, v: u * u * v + u)


def multiples():
    return clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: (u * u * v + u) * x)


FLOWS = {
    "gradient": lambda: clexact.gradient_flow(two_functions()),
    "mirror": lambda: clexact.mirror_flow(two_functions(), positive=["u"]),
    "one field": lambda: clexact.gradient_flow(single()),
    "multiples of one field": lambda: clexact.gradient_flow(multiples()),
    "listed": lambda: clexact.VectorFields.from_strings(["x[1]", "y'"], [["x[1] - x[1]*y'", "x[1]*y' - y'"]]),
    "brackets": lambda: clexact.VectorFields.from_strings(
        ["x", "y", "t", "z", "w"], [["1", "0", "0", "0", "0"], ["0", "1", "x", "0", "0"], ["0", "0", "0", "3*z", "w"]]
    ),
}
LAWS = {
    "gradient": 2, "mirror": 2, "one field": 1, "multiples of one field": 1, "listed": 1, "brackets": 1,
}  # fmt: skip


def document_of(name):
    return json.loads(clexact.certify(FLOWS[name](), degree=1).certificate.to_json())


def status(document):
    return tiers.verify_bytes(json.dumps(document).encode())[0]


# --- closure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOWS)
def test_what_is_known_by_closure_is_certified(name):
    """As many laws as brackets leave, though none of them is shown; proved of one field, with an error of several."""
    document = document_of(name)
    claim, kind = document["claim"], document.get("closure")
    assert claim["lower"] == claim["upper"] == LAWS[name] > document["independence"]["rank"]
    assert kind == ("one field" if "field" in name or name == "listed" else "random points")
    assert claim["lower_evidence"] == ("proved" if kind == "one field" else pv.CLOSED)
    assert ("program" in document) == (name in ("gradient", "mirror", "one field"))
    assert status(document) == 0
    certificate = clexact.Certificate(document)
    assert clexact.verify(certificate, fast=True) and ("2^-100" in repr(certificate)) == (kind == "random points")
    assert "fields" not in document or may_be_accepted(json.dumps(document))


def _fewer(d):
    """A member less, bounds and ranks moved with it."""
    d["lie"]["members"].pop()
    counts = [sum(len(m) <= k + 1 for m in d["lie"]["members"]) for k in range(len(d["lie"]["ranks"]))]
    d["lie"]["ranks"] = counts
    d["claim"]["upper"] += 1
    d["claim"]["lower"] += 1


FORGED = {
    "a member less": _fewer,
    "no member": lambda d: [_fewer(d) for _ in list(d["lie"]["members"])],
    "no closure": lambda d: d.pop("closure"),
    "one more law": lambda d: d["claim"].update(lower=d["claim"]["lower"] + 1),
    "one law less": lambda d: d["claim"].update(lower=d["claim"]["lower"] - 1),
    "proved": lambda d: d["claim"].update(lower_evidence="closed" if d["closure"] == "one field" else "proved"),
    "another word": lambda d: d.update(closure="proved"),
    "a list": lambda d: d.update(closure=["one field"]),
}


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("lie", FORGED)
def test_forged_closures_are_refused(name, lie):
    document = document_of(name)
    FORGED[lie](document)
    assert status(document) in (1, 2)


@pytest.mark.parametrize("name", ["gradient", "mirror", "brackets"])
def test_several_fields_are_not_one(name):
    document = document_of(name) | {"closure": "one field"}
    document["claim"]["lower_evidence"] = "proved"
    assert status(document) == 1


def test_functions_and_cases_are_not_closed():
    """Closure is shown of polynomial fields alone."""
    count = clexact.certify(clexact.gradient_flow(clexact.models.tanh(1, 1, 1)))
    document = json.loads(count.certificate.to_json()) | {"closure": "random points"}
    document["claim"] |= {"lower": document["claim"]["upper"], "lower_evidence": pv.CLOSED}
    said = pv.verify_bytes(json.dumps(document).encode())
    assert said[0] == 1 and "polynomial fields" in said[1][-1]


def test_rows_of_a_closure_are_those_of_the_polynomials():
    """Members, a field X, and [X, sum of c_i B_i], at a point modulo a prime; by SymPy's rings."""
    document = document_of("brackets")
    checker, p = pv.Checker(document), 2**61 - 1
    checker.members()
    theta, X, c = {0: 3, 1: 5, 2: 7, 3: 11, 4: 13}, {0: 2, 1: 9, 2: 4}, iter(range(2, 99))
    drawn = iter([theta, X])
    checker.draw = lambda count, p: next(drawn)
    checker.random = type("Fixed", (), {"randrange": lambda self, p: next(c)})()
    rows = checker.closure.rows(p)
    names = document["fields"]["variables"]
    gens = dict(zip(names, ring_of(names).gens, strict=True))
    fields = [integral([parsed(F.get(n, "0"), gens) for n in names]) for F in document["fields"]["components"]]

    def combined(parts, of):
        return [sum((x * of[i][j] for i, x in parts.items()), 0 * of[0][j]) for j in range(len(names))]

    seeds = [combined(dict(zip(s[::2], s[1::2], strict=True)), fields) for s in document["lie"]["seeds"]]
    made = []
    for *outer, last in document["lie"]["members"]:
        B = seeds[last]
        for s in reversed(outer):
            B = lie_bracket(seeds[s], B)
        made.append(B)
    whole = combined(X, fields)
    expected = [*made, whole, lie_bracket(whole, combined({i: i + 2 for i in range(len(made))}, made))]
    point = [theta[j] for j in range(5)]
    assert rows == [{j: x for j, x in enumerate(value_mod(F, point, p)) if x} for F in expected]
    assert document["lie"]["ranks"] == [3, 4] and len(expected) == 6


def test_minors_are_bounded():
    """Their degree and norm, by SymPy, at seeds that are integers."""
    names = ["x", "y", "z", "w"]
    ring = ring_of([*names, "s0", "s1", "c0"])
    gens = dict(zip(names, ring.gens, strict=False))
    listed = [{"x": "y^2", "w": "3*w"}, {"y": "x - z"}]
    fields = [[ring(0) + parsed(F.get(n, "0"), gens) for n in names] for F in listed]
    data = {"fields": {"variables": names, "components": listed}}
    family, seeds, members = pv.Listed(data, pv.Allowance(10**6)), [{0: -7, 1: 2}, {1: 5}], [[0], [0, 1]]
    A, B = ([sum((c * fields[i][j] for i, c in s.items()), ring(0)) for j in range(4)] for s in seeds)

    def bracket(F, G):
        return [sum((F[j].diff(g) * G[i] - G[j].diff(g) * F[i] for i, g in enumerate(ring.gens[:4])), ring(0))
                for j in range(4)]  # fmt: skip

    X = [ring.gens[4] * fields[0][j] + ring.gens[5] * fields[1][j] for j in range(4)]
    AB = bracket(A, B)
    mixed = [ring.gens[6] * A[j] + AB[j] for j in range(4)]
    degree, bits = pv.bound_of_minor(family.bounds(), seeds, members)
    for last in (X, bracket(X, mixed)):
        for columns in combinations(range(4), 3):
            a, b, c = ([row[j] for j in columns] for row in (A, AB, last))
            minor = (a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
                     + a[2] * (b[0] * c[1] - b[1] * c[0]))  # fmt: skip
            if minor:
                assert max(map(sum, minor.to_dict())) <= degree
                assert sum(abs(int(x)) for x in minor.to_dict().values()) < 2**bits


# --- the first format ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIRST)
def test_documents_of_the_first_format_are_read(name, tmp_path):
    """Verified, rebuilt, loaded; the same claim, fields and hash; the oracle agrees."""
    old, path = json.loads(FIRST[name]), tmp_path / "c.json"
    path.write_bytes(FIRST[name])
    assert clexact.verify(path) and clexact.verify(path, rebuild=True) and clexact.verify(path, fast=True)
    new = clexact.Certificate.load(path).data
    assert all(new[key] == old[key] for key in ("claim", "fields", "sha256", "model", "assumptions", "dimension"))
    assert new["format"] == pv.FORMAT and pv.program_hash(new) == new["sha256"]
    assert may_be_accepted(json.dumps(new))
    assert conversion.current(json.dumps(new).encode()) == json.dumps(new).encode()


def _at(document, path):
    for key in path:
        document = document[key]
    return document


OLD_LIES = {
    "a bound": lambda d: d["claim"].update(upper=d["claim"]["upper"] + 1),
    "a law": lambda d: d["laws"].append(d["fields"]["variables"][0]),
    "a field": lambda d: d["fields"]["components"].pop(),
    "a node of the basis": lambda d: d["lie"]["basis"].__setitem__(-1, d["lie"]["basis"][0] + 99),
    "a member twice": lambda d: d["lie"]["basis"].append(d["lie"]["basis"][0]),
    "a point of fewer coordinates that are not 0": lambda d: d["lie"].update(point=["0"] * d["dimension"]),
    "ranks": lambda d: d["lie"]["ranks"].__setitem__(-1, 99),
    "the closure": lambda d: d["closure"].update(kind="none" if d["closure"]["kind"] != "none" else "one field"),
    "a word for a closure": lambda d: d["closure"].update(kind="proved"),
    "a prime": lambda d: d["lie"].update(prime="1"),
    "no prime": lambda d: d["lie"].update(prime="0"),
    "a number that is none": lambda d: d["lie"]["nodes"][0].update(combination={"0": "1e3"}),
    "a field that is none": lambda d: d["lie"]["nodes"][0].update(combination={"99": "1"}),
    "a key less": lambda d: d.pop("lie"),
    "a key more": lambda d: d.update(extra=1),
    "a later node": lambda d: d["lie"]["nodes"].insert(0, {"bracket": [0, 1]}),
    "a node of another kind": lambda d: d["lie"]["nodes"].append({"field": 0}),
}


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("lie", OLD_LIES)
def test_forged_documents_of_the_first_format_are_refused(name, lie):
    document = json.loads(FIRST[name])
    OLD_LIES[lie](document)
    found = status(document)
    assert found in (1, 2), found


def test_any_value_of_the_first_format_may_be_wrong():
    """A value of another type at any place: a verdict, never an exception, and no lie is accepted."""
    for text in FIRST.values():
        paths = list(_paths(json.loads(text)))
        for n, path in enumerate(paths):
            for value in ([None, {}, "x", [], -1, "0", 1.5, True][(n + k) % 8] for k in (0, 3)):
                document = json.loads(text)
                _at(document, path[:-1])[path[-1]] = copy.deepcopy(value)
                found = status(document)
                if found == 0:
                    assert may_be_accepted(conversion.current(json.dumps(document).encode()).decode()), path


def _paths(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def test_brackets_that_no_version_wrote():
    """[B, X] is [X, B] up to its sign; brackets of brackets, and towers of them, are refused."""
    document = json.loads(FIRST["first-linear-2-2-1"])
    nodes = document["lie"]["nodes"]
    for node in nodes:
        if "bracket" in node:
            node["bracket"].reverse()
    assert status(document) == 0
    last = len(nodes) - 1
    assert "bracket" in nodes[last]
    nodes.append({"bracket": [last, last]})
    assert status(document) == 2
    tower = [*nodes[:last], *({"bracket": [0, last - 1 + k]} for k in range(5000))]
    document["lie"]["nodes"] = tower
    assert status(document) == 2
