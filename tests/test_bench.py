"""The tools of bench/: comparison of result files, chart, matrices and peers. No speed is asserted."""

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import flint
import numpy as np
import pytest
from pictures import elements, is_blank
from rich.console import Console

import clexact

BENCH = Path(__file__).parent.parent / "bench"
sys.path.append(str(BENCH))  # at the end: tests/ has a forgery.py too

import chart  # noqa: E402
import compare  # noqa: E402
import integers  # noqa: E402
import kernel  # noqa: E402
import run  # noqa: E402
from peers import MissingPeerError, Ranked, fflas, sage_peer, sympy_peer  # noqa: E402

RECORD = {
    "machine": {"processor": "A", "load": [0, 0, 0]},
    "python": "3.11.7",
    "versions": {"clexact": "0.1.0", "numpy": "2.4.6"},
    "seed": 0,
    "tables": {
        "engine": [{"batch": "50 linear networks", "confirmed": "50 of 50", "seconds": 0.3, "right": True}],
        "laws": [{"search": "product 8", "degree": 4, "laws, independent": [35, 7], "seconds": 0.04, "right": True}],
        "kernel": [
            {"matrix": "random", "n": n, "p": p, "threads": 1, "rank": n, "clexact, s": n**3 / 1e11, "FFLAS, s": 1.0}
            for n in (1000, 2000)
            for p in (2, 3)
        ],
        "growth": [
            {"family": "linear n n n", "n": n, "D": 2 * n * n, "laws": n, "seconds": n**4 / 1e6} for n in (8, 16, 32)
        ],
        "exponents": [{"family": "linear n n n", "exponent": 2.0, "seconds": 1.0}],
    },
}


@pytest.fixture
def files(tmp_path):
    """Two equal records, as objects to change, and a function that writes and compares them."""
    old, new = copy.deepcopy(RECORD), copy.deepcopy(RECORD)

    def status(*options):
        for name, record in (("old", old), ("new", new)):
            (tmp_path / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
        return compare.main([str(tmp_path / "old.json"), str(tmp_path / "new.json"), *options])

    return old, new, status


def test_every_table_of_the_run_is_compared():
    assert set(run.MEASURES) == set(compare.TABLES)


def test_equal_files_agree(files, capsys):
    _, _, status = files
    assert status() == 0
    assert capsys.readouterr().out.split("\n") == ["answers differ: 0", "slower: 0", "faster: 0", "notes: 0", ""]


@pytest.mark.parametrize(
    ("table", "column", "line"),
    [
        ("engine", "seconds", "engine: 50 linear networks: 0.3 s -> 0.6 s, new / old 2.00"),
        ("laws", "seconds", "laws: product 8, 4: 0.04 s -> 0.08 s, new / old 2.00"),
        ("kernel", "clexact, s", "kernel: random, 1000, 2, 1: 0.01 s -> 0.02 s, new / old 2.00"),
        ("growth", "seconds", "growth: linear n n n, 8: 0.0041 s -> 0.00819 s, new / old 2.00"),
    ],
)
def test_planted_slowdowns_are_found(files, capsys, table, column, line):
    old, new, status = files
    new["tables"][table][0][column] *= 2
    assert status() == 1
    assert f"slower: 1\n  {line}\nfaster: 0" in capsys.readouterr().out
    assert status("--tolerance", "2.1") == 0
    old["tables"], new["tables"] = new["tables"], old["tables"]
    assert status() == 0
    assert "slower: 0\nfaster: 1\n" in capsys.readouterr().out.partition("answers")[2].partition("answers")[2]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("engine", "confirmed", "49 of 50"),
        ("laws", "laws, independent", [35, 8]),
        ("kernel", "rank", 999),
        ("growth", "laws", None),
    ],
)
def test_planted_wrong_answers_are_found(files, capsys, table, column, value):
    _, new, status = files
    before = new["tables"][table][0][column]
    new["tables"][table][0][column] = value
    assert status("--tolerance", "100") == 1
    out = capsys.readouterr().out
    assert out.startswith("answers differ: 1\n") and f": {column} {before} -> {value}\n" in out


def test_a_row_marked_wrong_is_found(files, capsys):
    _, new, status = files
    new["tables"]["laws"][0]["right"] = False
    assert status() == 1
    assert "laws: product 8, 4: marked wrong in NEW" in capsys.readouterr().out


def test_a_row_that_failed_counts_as_slower(files, capsys):
    _, new, status = files
    new["tables"]["kernel"][0]["clexact, s"] = None
    assert status() == 1
    assert "slower: 1\n  kernel: random, 1000, 2, 1: no time in NEW\n" in capsys.readouterr().out


def test_what_only_the_old_file_lacks_is_a_note(files, capsys):
    old, _, status = files
    old["tables"]["kernel"][0] |= {"clexact, s": None, "rank": None}
    assert status() == 0
    assert "no rank in OLD" in (out := capsys.readouterr().out) and "no time in OLD" in out


def test_missing_rows_and_tables_are_reported(files, capsys):
    old, new, status = files
    del new["tables"]["kernel"][0], old["tables"]["growth"][2], new["tables"]["laws"]
    new["tables"]["tomorrow"] = []
    assert status() == 0
    out = capsys.readouterr().out
    assert "only in OLD: kernel: random, 1000, 2, 1" in out and "only in OLD: laws: product 8, 4" in out
    assert "only in NEW: growth: linear n n n, 32" in out and "table tomorrow is unknown here" in out


def test_other_machines_and_versions_are_mentioned(files, capsys):
    _, new, status = files
    new["machine"] |= {"processor": "B", "load": [9, 9, 9]}
    new["versions"]["numpy"], new["python"] = "3.0", "3.13.0"
    assert status() == 0
    out = capsys.readouterr().out
    assert "other machine processor: A -> B" in out and "other python: 3.11.7 -> 3.13.0" in out
    assert "other versions numpy: 2.4.6 -> 3.0" in out and "load" not in out


def test_below_a_millisecond_and_times_of_peers_do_not_count(files):
    old, new, status = files
    old["tables"]["laws"][0]["seconds"], new["tables"]["laws"][0]["seconds"] = 1e-4, 9e-4
    new["tables"]["kernel"][0]["FFLAS, s"] = 100.0
    assert status() == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "it is not JSON"),
        ("[]", "it has no tables of rows"),
        ('{"tables": [1]}', "it has no tables of rows"),
        ('{"tables": {"laws": [1]}}', "it has no tables of rows"),
        ("\udc80", "it is not JSON"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_result_file_is_refused(tmp_path, capsys, content, message):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(RECORD), encoding="utf-8")
    if content is not None:
        bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    for pair in ((good, bad), (bad, good)):
        assert compare.main([str(path) for path in pair]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1 and "bad.json" in error


@pytest.mark.parametrize("tolerance", ["0.5", "nan", "inf", "x"])
def test_a_tolerance_that_makes_no_sense_is_refused(files, capsys, tolerance):
    _, _, status = files
    with pytest.raises(SystemExit, match="2"):
        status("--tolerance", tolerance)
    assert "--tolerance" in capsys.readouterr().err


def test_compare_runs_as_a_command(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(RECORD), encoding="utf-8")
    words = [sys.executable, str(BENCH / "compare.py"), "a.json", "a.json"]
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    words[-1] = "b.json"
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == 2


def test_the_chart_shows_each_family_with_its_exponent():
    assert chart.curves(RECORD) == {"linear n n n": [(128, 0.004096), (512, 0.065536), (2048, 1.048576)]}
    assert chart.labels(RECORD) == {"linear n n n": r"linear n n n:  $D^{\,2.0}$"}


@pytest.mark.slow
def test_the_chart_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    results = tmp_path / "results.json"
    results.write_text(json.dumps(RECORD), encoding="utf-8")
    drawn = []
    for name in ("a.svg", "b.svg", "c.png"):
        assert chart.main([str(results), str(tmp_path / name)]) == 0
        drawn.append((tmp_path / name).read_bytes())
    assert elements(drawn[0]) == elements(drawn[1]) and not is_blank(drawn[2])
    lines = [data["d"].count("L") for kind, data, _ in elements(drawn[0]) if kind == "path" and "clip-path" in data]
    assert max(lines) == len(RECORD["tables"]["growth"]) - 1  # the family's curve; those of the grid have two ends


def test_the_chart_without_matplotlib_or_results_says_so(tmp_path, capsys, monkeypatch):
    results = tmp_path / "results.json"
    results.write_text(json.dumps(RECORD), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert chart.main([str(results), str(tmp_path / "out.svg")]) == 2
    assert capsys.readouterr().err == "The chart needs matplotlib: pip install 'clexact[bench]'.\n"
    results.write_text('{"tables": {}}', encoding="utf-8")
    assert chart.main([str(results), str(tmp_path / "out.svg")]) == 2
    assert "has no growth table with times" in capsys.readouterr().err


@pytest.mark.parametrize("prime", [2, 3, kernel.LARGE_PRIME])
def test_the_product_of_residues_is_exact(prime):
    draws = np.random.default_rng(0)
    a, b = (kernel.uniform(draws, *shape, prime) for shape in ((3, 1100), (1100, 4)))
    assert np.array_equal(kernel.product(a, b, prime), a.astype(object) @ b.astype(object) % prime)
    with pytest.raises(ValueError, match="prime must be at most 4194305, not 8388593"):
        kernel.product(a, b, 8388593)


def test_the_matrices_have_the_ranks_they_are_made_for():
    made = {kind: make(np.random.default_rng(0), 60, kernel.LARGE_PRIME) for kind, make in kernel.KINDS.items()}
    ranks = {kind: flint.nmod_mat(rows.tolist(), kernel.LARGE_PRIME).rank() for kind, rows in made.items()}
    assert ranks == {"random": 60, "half rank": 30, "zero columns": 40}
    wide = np.hstack([made["zero columns"], np.eye(60, dtype=np.uint64)[:, :45]])
    assert flint.nmod_mat(wide.tolist(), kernel.LARGE_PRIME).rank() == 60  # the last 15 rows depend on the others


def ranked(monkeypatch, matrix):
    """The row of one matrix."""
    monkeypatch.setattr(kernel, "matrices", lambda quick: [matrix])
    (row,) = kernel.table(0, 1, True)
    return row


@pytest.mark.slow
def test_a_missing_peer_is_a_dash_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    fflas.program.cache_clear()
    row = ranked(monkeypatch, kernel.Matrix("half rank", 40, 3, 1))
    assert (
        row["right"] is True
        and row["rank"] == row["ranks"]["FLINT"][0]
        and row["missing"] == {"FFLAS, s": "fflas-ffpack"}
    )
    with open(tmp_path / "table", "w", encoding="utf-8") as file:
        run.print_table(Console(width=run.WIDTH, file=file), "kernel", [row])
    assert "- fflas-ffpack" in (tmp_path / "table").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ranks_that_differ_are_wrong(monkeypatch):
    monkeypatch.setattr(fflas, "rank", lambda *_: Ranked([0.1, 0.2], [39, 39], {}))
    row = ranked(monkeypatch, kernel.Matrix("random", 40, kernel.LARGE_PRIME, 1))
    assert row["right"] is False and row["rank"] == 40 and row["ranks"]["FFLAS"] == [39]


@pytest.mark.slow
def test_a_crash_of_ours_is_wrong_and_one_of_a_peer_is_not(monkeypatch):
    monkeypatch.setattr(fflas, "rank", lambda *_: subprocess.run(["false"], check=True))
    matrix = kernel.Matrix("random", 40, kernel.LARGE_PRIME, 1)
    row = ranked(monkeypatch, matrix)
    assert row["right"] is True and row["failures"].keys() == {"FFLAS"}
    monkeypatch.setattr(kernel, "OURS", "raise MemoryError")
    row = ranked(monkeypatch, matrix)
    assert row["right"] is False and row["failures"].keys() == {"FFLAS", "clexact"}


def test_fflas_agrees_where_it_is_installed(tmp_path):
    try:
        fflas.program.cache_clear()
        fflas.program()
    except MissingPeerError as error:
        pytest.skip(f"{error} is not installed")
    for prime in (2, 3, kernel.LARGE_PRIME):
        rows = kernel.half_rank(np.random.default_rng(0), 50, prime)[:, :45]
        np.ascontiguousarray(rows).tofile(tmp_path / "matrix")
        found = fflas.rank(tmp_path / "matrix", rows.shape, prime, 2, 1, 60.0)
        assert set(found.ranks) == {flint.nmod_mat(rows.tolist(), prime).rank()} and len(found.seconds) == 2


def test_without_sage_its_package_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    sage_peer.version.cache_clear()
    with pytest.raises(MissingPeerError, match="sagemath"):
        sage_peer.runs("rank", "linear", (1, 2, 1), 1, 1.0)
    monkeypatch.setattr(run.cases, "PEERS", [run.cases.PEER_WARM_UP])
    assert [row["missing"] for row in run.peers(1, True)] == [{"Sage, s": "sagemath"}] * 2
    sage_peer.version.cache_clear()


def test_the_rational_matrices_have_the_rank_asked_for():
    assert flint.fmpz_mat(integers.matrix(0, 8, 8, 8)).rank() == 8
    assert flint.fmpz_mat(integers.matrix(0, 8, 8, 4)).rank() == 4


@pytest.mark.slow
def test_sympy_counts_what_is_known():
    fields, variables = sympy_peer.gradient_fields("linear", (2, 2, 2))
    assert sympy_peer.law_count(fields, variables, 2) == 3 and sympy_peer.lie_rank(fields, variables, 0) == 8 - 3


@pytest.mark.slow
def test_the_two_largest_stages_are_named(monkeypatch):
    stages = json.dumps({"flow": 100.0, "a": 1.0, "b": 6.0, "c": 3.0})
    name, case, known, _, theory = run.cases.GROWTH[0]
    family = run.cases.Growth(name, case, known, (1,), theory)
    (found,) = clexact.sweep([family.case(1)], budget=run.WITHOUT_PROOF)
    monkeypatch.setattr(run.cases, "GROWTH", [family])
    monkeypatch.setattr(run.cases, "SEARCH_GROWTH", family)

    def grown(*repeats):
        """The row of the family, where the repeats after the warm-up found this."""
        sweeps = iter([[found], *([row] for row in repeats)])
        monkeypatch.setattr(clexact, "sweep", lambda *_, **__: next(sweeps))
        return run.growth(len(repeats), True)[0]

    row = grown(replace(found, stages=stages))
    assert row["most time"] == "b 60%, c 30%" and row["right"] and row["D"] == 2
    wrong, failed = grown(replace(found, lower=0)), grown(found, replace(found, failure="no memory"))
    assert wrong["right"] is False and (failed["seconds"], failed["failure"]) == (None, "no memory")


def test_exponents_stand_beside_theory():
    rows = [{"family": "product n", "D": D, "seconds": D**2 / 1e4} for D in (10, 20, 40, 80)]
    (found,) = run.exponents(rows)
    assert found["exponent"] == pytest.approx(2) and found["theory"].startswith("2: ")


def test_a_table_measured_anew_replaces_that_table_alone(tmp_path, monkeypatch):
    """``--only``: the other tables of the file stay, and the exponents follow the growth."""
    out = tmp_path / "results.json"
    rows = [{"family": "linear n n n", "D": n, "seconds": n**2 / 1e3, "right": True} for n in (4, 8, 16, 32, 64)]
    out.write_text(json.dumps({"tables": {"laws": [{"search": "old", "right": True}], "growth": []}}))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setitem(run.MEASURES, "growth", lambda repeats, quick: rows)
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "growth", "--out", str(out)])
    with pytest.raises(SystemExit, match="0"):
        run.main()
    tables = json.loads(out.read_text())["tables"]
    assert tables["laws"] == [{"search": "old", "right": True}] and tables["growth"] == rows
    assert [round(row["exponent"], 6) for row in tables["exponents"]] == [2.0]


def test_an_unknown_table_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "growth,speed"])
    with pytest.raises(SystemExit, match="2"):
        run.main()
    assert "not 'speed'" in capsys.readouterr().err
