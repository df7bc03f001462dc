"""Certificates near a start and on data: gates are recomputed, other gates excluded, forgeries refused."""

import copy
import json
import random
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from mutants import VALUES, changed_list, changed_text, slots

import clexact
from clexact.algebra.feasible import strictly_feasible
from clexact.cli import main as cli
from clexact.functions import maximum, relu
from clexact.programs.network import Network
from clexact.proofs import cases as written
from clexact.proofs import program_certificate as pc
from clexact.proofs.certificate import Certificate, VerdictStatus, same_flow, verify_bytes
from clexact.proofs.verifier import large as pv

nets = clexact.models
DATA = [[1, 2, 0], [3, -1, 0], ["1/2", 4, 0], [-2, -3, 0], [2, 4, 0]]
SEVENTHS = [Fraction(n, 7) for n in (3, 1, -2, 2, -3, 1, 2, -1)]
FLOATS = np.random.default_rng(1).normal(size=(4, 3))
START = [1, 2, 3, 4, -5, 6]  # of [1, 3, 1]
DEEP = [3, 1, -2, 2, -3, 1, 2, -1, 1, 13, -21, 5, 17, 29, -11, 3]
WIDE = [1, 2, 3, -1, 2, 5, 7, 3, 1, -4, 11, 2, 3, -8, 6]  # of [2, 3, 3]


def mixed():
    """A max, an absolute value and a leaky ReLU after another."""
    return clexact.Model(
        {"u": (2,), "V": (2, 2), "W": (2, 1), "b": (2,)},
        {"x": (1,)},
        lambda u, V, W, b, x: u @ relu(V @ np.abs(W @ x + b), slope=Fraction(1, 3)) + maximum(W @ x),
    )


def squashed():
    return clexact.Model({"u": (2,), "V": (2, 2)}, {"x": (2,)}, lambda u, V, x: np.tanh(u * relu(V @ x)).sum())


FLOWS = {
    "one input": lambda: near(clexact.gradient_flow(nets.relu([1, 3, 1])), START),
    "two layers": lambda: near(clexact.gradient_flow(nets.relu([1, 3, 3, 1])), DEEP[:15]),
    "biases": lambda: near(clexact.gradient_flow(nets.relu([1, 3, 3, 1], bias=True)), [*DEEP, 4, -7, 3, 1, -2]),
    "one layer": lambda: near(clexact.gradient_flow(nets.relu([1, 3, 1], bias=True)), [*START, 1, 2, -1]),
    "rest": lambda: near(clexact.gradient_flow(nets.relu([1, 2, 1])), [1, 2, 3, 4]),
    "mixed": lambda: near(clexact.gradient_flow(mixed()), [1, -2, 3, 1, 2, -1, 1, -3, 2, 1]),
    "spanned": lambda: near(clexact.gradient_flow(nets.relu([2, 3, 2])), DEEP[:12]),
    "pool": lambda: near(clexact.gradient_flow(nets.maxpool(2, 2, 2)), "random"),
    "covectors": lambda: near(clexact.gradient_flow(nets.relu([3, 3, 1]), "cross_entropy"), DEEP[:12]),
    "momentum": lambda: near(clexact.momentum_flow(nets.relu([1, 3, 1])), START),
    "behind": lambda: near(clexact.gradient_flow(squashed()), [1, 2, 3, -4, 5, 6]),
    "data": lambda: clexact.gradient_flow(nets.relu([2, 3, 3]), inputs=DATA),
    "linear data": lambda: clexact.gradient_flow(nets.linear([2, 2, 3]), inputs=DATA),
    "data near": lambda: near(clexact.gradient_flow(nets.relu([2, 3, 3]), inputs=DATA), WIDE),
    "linear data near": lambda: near(clexact.gradient_flow(nets.linear([2, 2, 3]), inputs=DATA), DEEP[:10]),
    "floats": lambda: near(clexact.gradient_flow(nets.relu([1, 2, 3]), inputs=FLOATS), SEVENTHS),
    "functions": lambda: clexact.gradient_flow(nets.mlp([2, 2, 3], "tanh"), inputs=DATA),
    "momentum on data": lambda: clexact.momentum_flow(
        clexact.gradient_flow(nets.mlp([2, 2, 2], "tanh"), inputs=[[1, 2], [3, -1]]), clexact.Nesterov()
    ),
    "weight decay": lambda: near(
        clexact.gradient_flow(nets.relu([2, 2, 2]), inputs=[[1, 2], [3, -1]], weight_decay=1), WIDE[:8]
    ),
    "one input twice": lambda: near(clexact.gradient_flow(nets.relu([1, 2, 2]), inputs=[[2, 1], [2, 1]]), WIDE[:6]),
    "functions of one twice": lambda: clexact.gradient_flow(nets.mlp([1, 2, 2], "tanh"), inputs=[[2, 1], [2, 1]]),
    "one case": lambda: clexact.gradient_flow(nets.mlp([2, 2, 3], "gelu"), inputs=DATA[:1]),
    "functions with gates": lambda: clexact.gradient_flow(squashed(), inputs=[row[:2] for row in DATA]),
}  # fmt: skip
COUNTS = {}


def near(flow, point):
    return clexact.certify(flow, near=point)


def count_of(name):
    if name not in COUNTS:
        found = FLOWS[name]()
        COUNTS[name] = found if isinstance(found, clexact.LawCount) else clexact.certify(found)
    return COUNTS[name]


def document(name):
    return json.loads(json.dumps(count_of(name).certificate.data))


def verdict_on(data, **options):
    """With the hash that the change asks for."""
    data["sha256"] = pv.program_hash(data)
    return verify_bytes(json.dumps(data).encode(), **options)


@pytest.mark.parametrize("name", FLOWS)
def test_counts_are_verified_and_say_of_what(name, tmp_path):
    count = count_of(name)
    certificate = count.certificate
    verdict = clexact.verify(certificate)
    assert verdict, verdict
    claim = certificate.data["claim"]
    assert (claim["lower"], claim["upper"]) == (count.exhibited, count.upper)
    assert certificate.data["cases"]["scope"] in pv.SCOPES
    assert count.flow.qualification.strip() in repr(certificate)
    assert f"{count.exhibited} independent laws" in verdict.sentences[-2]
    assert certificate.data["cases"]["scope"].split(",")[0] in certificate._repr_html_()
    certificate.save(tmp_path / "a.json.gz")
    assert Certificate.load(tmp_path / "a.json.gz") == certificate
    assert same_flow(certificate.data, count.flow) and same_flow(certificate.data, count_of("rest").flow) == (
        name == "rest"
    )


@pytest.mark.parametrize("name", ["one input", "spanned", "covectors", "momentum", "data", "data near", "functions"])
def test_the_model_is_compared(name):
    data = document(name)
    verdict = verdict_on(data, rebuild=True)
    assert verdict and "program and gates are those of" in verdict.sentences[-1]
    assert ("with free gates" in verdict.sentences[-1]) == (name == "data") and "true gates" not in verdict.sentences[
        -1
    ]
    data["model"]["sizes"] = [2, 2, 2]
    assert not verdict_on(data, rebuild=True)


def test_another_slope_is_another_network():
    data = json.loads(
        near(clexact.gradient_flow(nets.relu([1, 3, 1], slope=Fraction(1, 3))), START).certificate.to_json()
    )
    assert verdict_on(data, rebuild=True)
    data["cases"]["gates"][0][2] = "1/2"
    assert verdict_on(data).status is not VerdictStatus.NOT_A_CERTIFICATE
    assert verdict_on(data, rebuild=True).status is VerdictStatus.FALSE


def test_without_clexact_and_on_the_command_line(tmp_path, capsys, alone):
    path = tmp_path / "near.json"
    Path(tmp_path / "start.txt").write_text(" ".join(map(str, START)))
    near_it = ["--near", str(tmp_path / "start.txt"), "--save", str(path), "--quiet"]
    for arguments in (["certify", "relu", "1", "3", "1", *near_it], ["verify", str(path), "--rebuild"]):
        with pytest.raises(SystemExit, match="0"):
            cli.main(arguments)
    out = capsys.readouterr().out
    assert "no other gates are met near the start" in out and "at least 4 independent laws" in out
    done = subprocess.run([sys.executable, "-I", alone, str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "recomputed exactly" in done.stdout


# --- the gates -------------------------------------------------------------------------------------------------------


def gates_in_fractions(network, given):
    return {name: gates.ravel().tolist() for name, gates in network.values(given)[1].items()}


@pytest.mark.parametrize("name", ["two layers", "mixed", "spanned", "pool", "data near", "floats"])
def test_gates_are_those_of_exact_arithmetic(name):
    """``Network`` computes with fractions; the verifier modulo a prime."""
    flow, data = count_of(name).flow, document(name)
    model, checker = written.source_of(flow.gradients), pv.Checker(data)
    network, cases = Network(model, flow.start.point), checker.program.cases
    for j in range(cases.count):
        given = {n: np.array(cases.tables[n][j], dtype=object).reshape(network.inputs[n]) for n in cases.inputs}
        read = gates_in_fractions(network, given)
        assert {gate.name: cases.tables[gate.name][j] for gate in cases.gates} == read
    reading = pv.Reading(checker.program, cases, checker.allowance)
    numbers = pc.kept_nodes(flow.gradients.seen(model.program), True)
    values, scales = reading.at(cases.count - 1)
    expected = network.values(given)[0]
    for gate in cases.gates:
        node = next(n for n, k in numbers.items() if k == gate.node)
        for i, z in enumerate(expected[node].ravel().tolist()):
            x = reading.exactly(values, scales, gate, i, -1)
            assert (x > 0) == (z > 0) and (x < 0) == (z < 0)


def test_every_flipped_gate_is_refused():
    for name in ("one input", "mixed", "spanned", "data near"):
        data = document(name)
        for gate, words in data["cases"]["open"].items():
            for j, word in enumerate(words):
                for i in range(len(word)):
                    forged = copy.deepcopy(data)
                    forged["cases"]["open"][gate][j] = word[:i] + "10"[int(word[i])] + word[i + 1 :]
                    verdict = verdict_on(forged)
                    assert not verdict and verdict.status in (VerdictStatus.FALSE, VerdictStatus.NOT_A_CERTIFICATE)


@pytest.mark.parametrize("word", ["01", "0120", "2", "", "0 1", "١٠٠", None, 3, [0, 1, 1], "1/3"])
def test_gates_are_zero_or_one(word):
    data = document("one input")
    data["cases"]["open"]["gate1"][0] = word
    assert verdict_on(data).status is VerdictStatus.NOT_A_CERTIFICATE


def test_selections_choose_one():
    data = document("pool")
    word = data["cases"]["open"]["choice1"][0]
    data["cases"]["open"]["choice1"][0] = "0" * len(word)
    assert verdict_on(data).status is VerdictStatus.NOT_A_CERTIFICATE


# --- inputs and the start --------------------------------------------------------------------------------------------


def test_an_input_with_other_gates_is_refused():
    for name in ("one input", "data near"):
        data = document(name)
        data["cases"]["inputs"]["x"][0] = [-c for c in data["cases"]["inputs"]["x"][0] if type(c) is int]
        assert "not as listed" in str(verdict_on(data))


def test_an_input_on_a_kink_is_refused():
    data = document("one input")
    data["cases"]["inputs"]["x"][0] = [0]
    assert "not as listed" in str(verdict_on(data))
    closed(data)
    assert "on a kink" in str(verdict_on(data))
    data = document("data near")
    data["cases"]["inputs"]["x"][0] = [0, 0, 0]  # here all is zero whatever the parameters
    closed(data)
    assert "tie for all parameters" in " ".join(verdict_on(data).sentences)


def closed(data):
    """All gates of the first case."""
    for words in data["cases"]["open"].values():
        words[0] = "0" * len(words[0])


@pytest.mark.parametrize(
    ("gate", "node", "chosen"),
    [
        (["g", 4, 0, None], [["reshape", [3], [2], None]], "00"),
        (["g", 4, None, 0], [["reshape", [3], [2], None]], "10"),
    ],
)
def test_of_what_ties_for_all_parameters_one_choice_is_true(gate, node, chosen):
    """A gate may multiply what does not enter it: b, where a x is 0 because x is."""
    nodes = [["parameter", [], [2], "a"], ["parameter", [], [2], "b"], ["probe", [], [1], "x"],
             ["multiply", [0, 2], [2], None], *node, ["probe", [], [2], "g"],
             ["multiply", [1, 5], [2], None]]  # fmt: skip
    place = {"prime": "101", "point": [0, 1, 1, 1, 2, 1, 3, 1]}
    found = []
    for word in ("00", "01", "10", "11"):
        moved = [2 + i for i in range(2) if word[i] == "1"]  # the places of b that move
        laws = [f"{name}[{i}]" for name, first in (("a", 0), ("b", 2)) for i in range(2) if first + i not in moved]
        cases = {"scope": "this data, near this start", "gates": [gate], "start": [1] * 4, "inputs": {"x": [[0]]},
                 "open": {"g": [word]}, "others": None}  # fmt: skip
        data = {
            "format": pv.FORMAT, "version": "1", "model": {}, "assumptions": [], "dimension": 4,
            "parameters": {"a": [2], "b": [2]}, "probes": {"x": [1], "g": [2]}, "cases": cases,
            "program": {"nodes": nodes, "output": 6}, "laws": [{"polynomials": laws}],
            "independence": place | {"laws": [[0, len(laws) - 1]], "rank": len(laws)},
            "lie": place | {"seeds": [[0, 1, 1 + i - 2, 1] for i in moved], "members": [[k] for k in range(len(moved))],
                            "ranks": [len(moved)]},
            "claim": {"lower": len(laws), "lower_evidence": "proved", "upper": 4 - len(moved),
                      "upper_evidence": "proved"},
        }  # fmt: skip
        status, _ = pv.verify_bytes(json.dumps(data | {"sha256": pv.program_hash(data)}).encode())
        found += [word] if status == 0 else []
    assert found == [chosen]


def test_what_ties_behind_a_layer_that_is_off_is_shown():
    point = [1, 2, 3, 4, -1, -2]  # [1, 2, 1, 1]: the first layer is on for x < 0 only, or for none
    flow = clexact.gradient_flow(nets.relu([1, 1, 2, 1]))
    count = near(flow, [1, 2, 3, 4, 5])
    assert clexact.verify(count.certificate)
    data = near(clexact.gradient_flow(nets.relu([1, 1, 2, 1]), inputs=[[-1], [1]]), [1, 2, 3, 4, 5]).certificate
    assert "tie for all parameters near it" in str(clexact.verify(data)), point


def test_a_tie_of_second_order_is_no_tie_near_the_start():
    """u v x is zero to first order where u = v = 0, but not near it."""
    net = clexact.Model({"u": (), "v": (), "w": ()}, {"x": ()}, lambda u, v, w, x: w * relu(u * v * x) + w * x)
    data = near(clexact.gradient_flow(net, inputs=[1, 2]), [1, 1, 1]).certificate.data
    forged = json.loads(json.dumps(data))
    forged["cases"]["start"] = [0, 0, 1]
    for word, why in (("0", "on a kink"), ("1", "not as listed")):
        forged["cases"]["open"]["gate1"] = [word, word]
        assert why in str(verdict_on(forged))


def test_what_the_verifier_would_refuse_is_not_written():
    """A tie of second order at data, and a gate behind a function."""
    net = clexact.Model({"u": (), "v": (), "w": ()}, {"x": ()}, lambda u, v, w, x: w * relu(u * v * x) + w * x)
    with pytest.raises(ValueError, match="second order near this start"):
        near(clexact.gradient_flow(net), [0, 0, 1]).certificate  # noqa: B018
    net = clexact.Model({"u": (1,), "v": (1,), "w": (1,)}, {"x": (1,)}, lambda u, v, w, x: u @ relu(v * w * x))
    with pytest.raises(clexact.TieError, match="input 0: terms of second order decide its gates"):
        near(clexact.gradient_flow(net, inputs=[[1]]), [1, 0, 0])
    assert near(clexact.gradient_flow(net, inputs=[[0]]), [1, 0, 0]).lower == 3  # zero for all parameters
    net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * relu(v * x))  # arrays of one number
    with pytest.raises(clexact.TieError, match="input 0: unit gate1 receives exactly 0"):
        near(clexact.gradient_flow(net, inputs=[1]), [1, 0])
    net = clexact.Model({"u": (), "v": ()}, {"x": ()}, lambda u, v, x: u * relu(np.tanh(v * x)))
    with pytest.raises(ValueError, match="a function enters a gate"):
        near(clexact.gradient_flow(net), [1, 2]).certificate  # noqa: B018


def test_the_start_is_read():
    for name in ("one input", "spanned", "data near"):
        data = document(name)
        data["cases"]["start"][-3:] = [-c for c in data["cases"]["start"][-3:]]
        assert "not as listed" in str(verdict_on(data))


@pytest.mark.parametrize(
    "start", [[1, 2], [1] * 7, *([*START[:5], c] for c in (1.5, "1/0", None, True, "6/-1")), 3, None]
)
def test_a_start_is_so_many_rationals(start):
    data = document("one input")
    data["cases"]["start"] = start
    assert verdict_on(data).status in (VerdictStatus.FALSE, VerdictStatus.NOT_A_CERTIFICATE)


@pytest.mark.parametrize(
    "row", [[], [1, 2, 3, 4], ["1/0", 1, 1], [1.5, 1, 1], [True, 1, 1], ["x", 1, 1], 3, [[1, 2, 3]], None]
)
def test_inputs_are_rows_of_rationals(row):
    for name in ("data", "data near"):
        data = document(name)
        data["cases"]["inputs"]["x"][1] = row
        assert verdict_on(data).status is VerdictStatus.NOT_A_CERTIFICATE


def test_huge_numbers_are_undecided_or_refused():
    data = document("one input")
    data["cases"]["start"][0] = "9" * 3999
    assert verdict_on(data).status in (VerdictStatus.UNDECIDED, VerdictStatus.VERIFIED)
    data["cases"]["start"][0] = "9" * 4001
    assert verdict_on(data).status is VerdictStatus.NOT_A_CERTIFICATE
    data = document("data near")
    data["cases"]["inputs"]["x"][0][0] = "1/" + "7" * 3900
    assert not verdict_on(data)


@pytest.mark.parametrize("power", [61, 127, 521])
def test_no_denominator_is_a_prime_that_is_used(power):
    """Gates are read modulo Mersenne primes: one that divides a denominator is none of them."""
    prime = f"1/{2**power - 1}"
    net = clexact.Model({"u": (1,), "v": (1,)}, {"x": (1,)}, lambda u, v, x: (u * relu(v)) @ x)
    assert clexact.verify(near(clexact.gradient_flow(net, inputs=[[prime], [2]]), [1, Fraction(prime)]).certificate)
    data = document("one input")
    data["cases"]["inputs"]["x"][0] = [prime if data["cases"]["inputs"]["x"][0][0] > 0 else f"-{prime}"]
    assert verdict_on(data)


# --- which cases -----------------------------------------------------------------------------------------------------


def without_case(data, j):
    for part in ("inputs", "open"):
        for values in data["cases"][part].values():
            del values[j]
    return data


def test_a_case_dropped_is_missed():
    """The same laws and members; then those of the cases that are left, which have more laws."""
    for j in range(2):
        data = without_case(document("one input"), j)
        assert not verdict_on(data)
    few = fewer("biases")
    assert few["claim"]["lower"] > document("biases")["claim"]["lower"]
    assert few["cases"]["others"] is None and few["claim"]["lower_evidence"] == pv.LISTED
    verdict = verdict_on(few)
    assert verdict and "not checked here" in verdict.sentences[-2] and pv.LISTED in repr(Certificate(few))
    few["claim"]["lower_evidence"] = "proved"
    assert f"evidence of the lower bound is {pv.LISTED!r}" in str(verdict_on(few))
    for others in ([], document("biases")["cases"]["others"]):
        few["cases"]["others"] = others
        assert not verdict_on(few)


def fewer(name):
    """The certificate of the first half of the gates, said to be all."""
    count = count_of(name)
    flow = copy.copy(count.flow)
    start = flow.start
    regions = type(start.regions)(start.regions.found[:2], True, Fraction(0), "all")
    tables = {n: table[:2] for n, table in flow.tables.items()}
    model, held = clexact.programs.held.held(flow.source, tables)
    flow = clexact.flows.together.cases_flow(model, flow.loss, held, source=flow.source, tables=tables)
    flow.start = type(start)(start.point, regions, False, start.free)
    return json.loads(clexact.certify(flow).certificate.to_json())


def test_gates_listed_twice_are_refused():
    data = document("one input")
    for part in ("inputs", "open"):
        for values in data["cases"][part].values():
            values.append(values[0])
    assert "the same gates stand twice" in str(verdict_on(data))


def test_repeated_data_are_data():
    count = clexact.certify(clexact.gradient_flow(nets.relu([2, 3, 3]), inputs=[*DATA, *DATA]))
    assert clexact.verify(count.certificate) and count.upper == count_of("data").upper


def test_laws_of_some_cases_only_are_refused():
    data, some = document("biases"), fewer("biases")
    data["laws"], data["independence"] = some["laws"], some["independence"]
    data["claim"]["lower"] = some["claim"]["lower"]
    assert "no law" in str(verdict_on(data))
    flow = clexact.gradient_flow(nets.relu([2, 3, 3]), inputs=DATA[:1])
    other, data = json.loads(clexact.certify(flow).certificate.to_json()), document("data")
    data["laws"], data["independence"] = other["laws"], other["independence"]
    assert "no law" in str(verdict_on(data))


def test_monomials_that_are_missing_are_missed():
    for name in ("spanned", "pool"):
        for j in range(len(document(name)["cases"]["inputs"]["x"])):
            assert "do not span" in str(verdict_on(without_case(document(name), j)))


def test_free_gates_are_spanned_only_where_they_are():
    """Where fewer gates are met, the statement about free gates is no statement about the network."""
    free = json.loads(json.dumps(pc.of_count(clexact.certify(clexact.gradient_flow(nets.relu([1, 3, 1]))))))
    free["cases"] = document("one input")["cases"] | {"scope": pv.SPANNED, "others": None}
    assert "do not span" in str(verdict_on(free))
    free["cases"]["scope"] = pv.DATA
    assert not verdict_on(free)


@pytest.mark.parametrize("scope", [*pv.SCOPES, "all data", None, 3, ["this data"]])
def test_no_other_scope_fits(scope):
    for name in ("one input", "spanned", "data", "data near"):
        data = document(name)
        if scope not in (data["cases"]["scope"], pv.NEAR):  # what is spanned is true of the gates listed too
            data["cases"]["scope"] = scope
            assert not verdict_on(data)


@pytest.mark.parametrize("gate", [
    ["gate1", 0, 0, None], ["gate1", 3, 0, 0], ["gate1", 3, None, None], ["gate1", 99, 0, None],
    ["gate1", -1, 0, None],
    ["x", 3, 0, None], ["gate1", 3, "1/0", None], ["gate1", 3, None, 5], ["gate1", 3, 0], "gate1",
    ["gate1", True, 0, None],
    [["gate1"], 3, 0, None], ["gate1", 3, None, True],
])  # fmt: skip
def test_gates_are_read_off_what_enters_them(gate):
    data = document("one input")
    data["cases"]["gates"] = [gate]
    assert not verdict_on(data)


def test_no_gate_is_read_off_itself():
    data = document("one input")
    nodes = data["program"]["nodes"]
    after = next(n for n, node in enumerate(nodes) if node[0] == "multiply")
    data["cases"]["gates"][0][1] = after
    assert "depends on it" in str(verdict_on(data))


# --- other gates near the start --------------------------------------------------------------------------------------


def changed_branches(others):
    """(what, the list changed)."""
    yield "one missing", others[1:]
    yield "one more", [*others, others[0]]
    yield "none", []
    yield "swapped", others[::-1]
    for n, branch in enumerate(others):
        for i in range(len(branch)):
            for value in (0, -branch[i], branch[i] + 1, 10**6, "1", None):
                if value != branch[i]:
                    yield f"{n} {i} {value}", [*others[:n], [*branch[:i], value, *branch[i + 1 :]], *others[n + 1 :]]


def test_branches_are_excluded_by_their_own_multipliers():
    data = document("one input")
    assert data["cases"]["others"]
    for what, others in changed_branches(data["cases"]["others"]):
        forged = {**data, "cases": {**data["cases"], "others": others}}
        assert others == data["cases"]["others"][::-1] == data["cases"]["others"] or not verdict_on(forged), what


@pytest.mark.parametrize(
    ("rows", "biases"),
    [
        ([[1], [1]], [2, 2]),  # equal
        ([[1], [-3]], [2, -6]),  # opposite
        ([[1, 2], [2, 4]], [1, 5]),  # parallel
        ([[1, 0], [0, 1], [1, 1]], [0, 0, 0]),  # three lines in a point
        ([[0, 0], [1, 2]], [3, 1]),  # no input reaches the first
    ],
)
def test_what_holds_at_the_start_only_is_no_exclusion(rows, biases):
    """Nearby other gates are met (``test_regions.py``), so true multipliers at the start show nothing."""
    flow = clexact.gradient_flow(nets.relu([2, len(rows), len(rows[0])], bias=True))
    point = [*range(1, 2 * len(rows) + 1), *(c for row in rows for c in row), *biases]
    count = near(flow, point)
    assert not count.flow.start.regions.complete and clexact.verify(count.certificate)
    data = json.loads(count.certificate.to_json())
    assert data["cases"]["others"] is None
    data["cases"]["scope"] = pv.NEAR
    assert "not shown to be empty near the start" in str(verdict_on(forged_branches(data)))


def forged_branches(data):
    """With multipliers that hold at the start, whether or not near it."""
    checker = pv.Checker({**data, "cases": {**data["cases"], "others": None}})
    cases = checker.program.cases
    reading = pv.Reading(checker.program, cases, checker.allowance)
    branches, found = pv.Branches(reading, cases, {}), []
    for j, margins in branches.all():
        y = written._relation(branches.rows(j, margins), list(range(len(margins))), len(branches.places))
        found.append([x for n, c in y.items() for x in (n, c)])
    data["cases"]["others"] = found
    return data


def test_where_branches_are_not_shown_the_certificate_says_so(monkeypatch):
    monkeypatch.setattr(written, "MOST", 1)
    data = json.loads(json.dumps(pc.of_count(count_of("two layers"))))
    assert data["cases"]["others"] is None and data["claim"]["lower_evidence"] == pv.LISTED
    verdict = verdict_on(data)
    assert verdict and "that no others are met near the start is not checked here" in verdict.sentences[-2]
    data["claim"]["lower_evidence"] = "proved"
    assert verdict_on(data).status is VerdictStatus.FALSE
    data = json.loads(json.dumps(pc.of_count(count_of("biases"))))  # its laws are laws with free gates
    assert data["cases"]["others"] is None and data["claim"]["lower_evidence"] == "proved"
    assert "the laws hold with free gates" in str(verdict_on(data))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.sampled_from([(1, 2, 2, 1), (1, 3, 1), (2, 2, 1), (1, 2, 2)]), st.booleans())
def test_random_networks(seed, sizes, bias):
    """Lists said to be complete hold all gates that a fine grid of inputs meets, at starts near by too."""
    model = nets.relu(list(sizes), bias=bias)
    rng = random.Random(seed)
    point = [Fraction(rng.choice([-1, 1]) * rng.randint(1, 9)) for _ in range(model.dimension)]
    try:
        count = near(clexact.gradient_flow(model), point)
    except clexact.TieError:  # small integers may cancel: such a start is on a kink, and has no count
        reject()
    assert clexact.verify(count.certificate)
    cases = count.certificate.data["cases"]
    if cases["others"] is None:
        return
    listed = set(zip(*cases["open"].values(), strict=True))
    for _ in range(2):
        network = Network(model, [c + Fraction(rng.randint(-99, 99), 10**6) for c in point])
        for x in product([Fraction(n, 7) - Fraction(1, 1001) for n in range(-40, 41, 3)], repeat=sizes[-1]):
            read = network.values({"x": np.array(x, dtype=object)})[1]
            words = tuple("".join(str(int(c)) for c in read[name].ravel()) for name in cases["open"])
            assert words in listed


def test_multipliers_need_a_relation():
    assert not written._relation([[1, 1]], [0], 1) and written._relation([[1, 0], [-1, -1]], [0, 1], 1) == {0: 1, 1: 1}
    assert strictly_feasible([[1, 1]], 1)


def test_blind_changes_end_in_a_verdict_and_prove_nothing_false():
    """The program and the cases being as they were, the bounds verified hold for the exact count."""
    outcomes, about = Counter(), ("program", "parameters", "probes", "cases", "gates", "phase")
    for n in range(90):
        rng = random.Random(n)
        name = rng.choice(["one input", "mixed", "spanned", "pool", "data near", "floats", "functions", "behind"])
        count, data = count_of(name), document(name)
        *path, key = rng.choice(
            [path for path in slots(data) if path and path[0] in ("cases", "cases", "lie", "claim", "laws")]
        )
        place = data
        for step in path:
            place = place[step]
        place[key] = changed(rng, place[key])
        try:
            verdict = verdict_on(data)
        except pv.NotACertificate:  # of the hash, where parts are missing
            continue
        outcomes[verdict.status] += 1
        if verdict and all(data.get(part) == document(name).get(part) for part in about):
            assert data["claim"]["lower"] <= count.upper and count.lower <= data["claim"]["upper"]
    assert min(outcomes[status] for status in (VerdictStatus.FALSE, VerdictStatus.NOT_A_CERTIFICATE)) > 9


def changed(rng, value):
    if rng.random() < 0.2 or isinstance(value, (dict, bool, type(None))):
        return copy.deepcopy(rng.choice(VALUES))
    if isinstance(value, str):
        return changed_text(rng, value) if value else "x"
    return changed_list(rng, value) if isinstance(value, list) else rng.choice([0, 1, -1, value + 1, 2**64 + 13])
