"""Limits of time and memory, and what a stopped run still says."""

import gc
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import clexact
from clexact.cli import main as cli
from clexact.counting.count import LawCount
from clexact.support.limits import limits


def run(*words):
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "clexact", *words], capture_output=True, text=True, timeout=120)


def test_the_time_limit_interrupts_and_says_so():
    """A loop that would not end gets a KeyboardInterrupt."""
    with pytest.raises(KeyboardInterrupt), limits(seconds=0.2) as found:
        while True:
            time.sleep(0.01)
    assert "time limit of 0.2 s" in found.reached


def test_limits_hold_where_ctrl_c_is_ignored():
    """As in what a script runs with &; what is ignored stays so, also inside the block."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with limits(seconds=60):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), limits(seconds=0.2) as found:
            while True:
                time.sleep(0.01)
        assert "time limit" in found.reached and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_memory_limit_interrupts_and_says_so():
    """The peak is above one mebibyte already."""
    with pytest.raises(KeyboardInterrupt), limits(mebibytes=1) as found:
        while True:
            time.sleep(0.01)
    assert "memory limit of 1 MiB" in found.reached


def test_a_block_within_its_limits_is_left_alone():
    """Nothing is raised, nothing is said."""
    with limits(seconds=60, mebibytes=10**6) as found:
        assert clexact.certify(clexact.gradient_flow(clexact.models.product(3))).exact
    assert found.reached == ""


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": -1}, {"mebibytes": 0}])
def test_limits_must_be_positive(wrong):
    """One sentence."""
    with pytest.raises(ValueError, match="must be positive"), limits(**wrong):
        pass


@pytest.mark.slow
def test_certify_stops_with_its_bounds_and_status_3():
    """The bounds are printed, the limit is named on standard error."""
    done = run("certify", "nmf", "80", "80", "80", "--flow", "mirror", "--json", "--time-limit", "3")
    assert done.returncode == 3, done.stderr
    assert "limit" in done.stderr and "Traceback" not in done.stderr
    data = json.loads(done.stdout)
    assert data["interrupted"] and 0 <= data["lower"] <= 80 <= data["upper"] <= 12800


@pytest.mark.slow
@pytest.mark.parametrize("flow", [[], ["--flow", "momentum"]])
def test_what_needs_more_memory_than_allowed_is_not_started(flow):
    """One sentence with both numbers, status 3, at once."""
    start = time.perf_counter()
    done = run("certify", "linear", "60", "60", "60", *flow, "--json", "--memory-limit", "110")
    assert done.returncode == 3 and not done.stdout and "Traceback" not in done.stderr
    assert re.search(r"may take \d+ MiB, over the memory limit of 110 MiB: not started", done.stderr)
    assert time.perf_counter() - start < 30


def hidden_pair():
    """A two-layer linear net whose weights are permuted, so that the shape of its program does not show all laws."""
    order = np.random.default_rng(0).permutation(20 * 15)
    return clexact.Model(
        {"U": (300,), "V": (300,)},
        {"x": (20,)},
        lambda U, V, x: U[order].reshape((20, 15)) @ (V[order].reshape((15, 20)) @ x),
    )


@pytest.mark.slow
def test_dense_brackets_that_would_exceed_the_limit_are_left_out_and_the_bounds_given(monkeypatch):
    """Sparse brackets alone give an upper bound that holds; without the limit the bounds meet."""
    flow = clexact.gradient_flow(hidden_pair())
    monkeypatch.setattr(sys.modules["clexact.counting.certify"], "dense_bytes", lambda flow: 10**12)
    count = clexact.certify(flow, memory_limit=1000)
    assert "may take" in count.stopped and not count.interrupted
    assert count.lower < 120 <= count.upper
    monkeypatch.undo()
    assert clexact.certify(flow).lower == clexact.certify(flow).upper == 120


PEAK = """
import json, sys
from clexact import certify, gradient_flow, momentum_flow
from clexact.support import limits
from clexact.counting import memory
from clexact.models import rebuild
family, flow, *sizes = sys.argv[1:]
made = {"gradient": gradient_flow, "momentum": momentum_flow}[flow](
    rebuild({"family": family, "sizes": [int(n) for n in sizes]}))
needed = memory.sparse_bytes(made) if flow == "gradient" else memory.dense_bytes(made)
assert certify(made).exact
print(json.dumps([needed, limits.peak_memory()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", ["linear gradient 60 60 60", "relu gradient 60 60 60", "linear momentum 20 20 20"])
def test_no_more_memory_is_taken_than_stated(words):
    """The peak of a fresh process."""
    done = subprocess.run([sys.executable, "-c", PEAK, *words.split()], capture_output=True, text=True, check=True)
    needed, peak = json.loads(done.stdout)
    assert peak <= needed


@pytest.mark.slow
def test_laws_stop_with_status_3():
    """A search has no bounds to show, and says which limit it was."""
    done = run("laws", "linear", "30", "30", "30", "30", "--time-limit", "1")
    assert done.returncode == 3 and "time limit" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def no_collection():
    """Hypothesis has a callback in the garbage collector, in which an interrupt would be lost."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
def test_keep_partial_returns_valid_bounds(no_collection):
    """The Python call, interrupted from a limit."""
    flow = clexact.mirror_flow(clexact.models.nmf(80, 80, 80), positive=["U", "V"])
    with limits(seconds=1) as found:
        count = clexact.certify(flow, keep_partial=True)
    assert found.reached and count.interrupted
    assert count.lower <= 80 <= count.upper


@pytest.mark.slow
def test_without_keep_partial_the_interrupt_is_raised(no_collection):
    """As any Python call."""
    flow = clexact.mirror_flow(clexact.models.nmf(80, 80, 80), positive=["U", "V"])
    with pytest.raises(KeyboardInterrupt), limits(seconds=1):
        clexact.certify(flow)


# --- limits and Ctrl-C before there is any bound ---------------------------------------------------------------------

NOTHING = "nothing is known yet.\n"
SLEEPING = "import pathlib, time\npathlib.Path('started').touch()\nwhile True:\n    time.sleep(0.01)\n"
RECORDING = """
from clexact import Model
def net(n):
    def output(U, x):
        while True:
            x = U @ (x - 2 * x)
        return x
    return Model({"U": (n, n)}, {"x": (n,)}, output)
"""
READING = {
    "a system": ("--system slow.ode", "reading slow.ode"),
    "a user's file": ("sleeping.py:net", "running sleeping.py:net"),
    "the recording of a model": ("recording.py:net 3", "running recording.py:net 3"),
}


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """Inputs that take very long to read."""
    monkeypatch.chdir(tmp_path)
    fields = (f"x' = (x + y + {n})^30\ny' = x" for n in range(10**4))
    Path("slow.ode").write_text("\n---\n".join(fields))
    Path("sleeping.py").write_text(SLEEPING)
    Path("recording.py").write_text(RECORDING)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["certify", "laws", "orbit --at zero"])
@pytest.mark.parametrize(("words", "doing"), READING.values(), ids=READING)
def test_the_time_limit_holds_while_the_input_is_read(slow, command, words, doing):
    done = run(*command.split(), *words.split(), "--time-limit", "0.5")
    said = f"clexact: stopped by the time limit of 0.5 s while {doing}: {NOTHING}"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


@pytest.mark.slow
def test_the_memory_limit_holds_while_the_input_is_read(slow):
    done = run("certify", "--system", "slow.ode", "--memory-limit", "50")
    said = f"clexact: stopped by the memory limit of 50 MiB while reading slow.ode: {NOTHING}"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


def interrupted(*words):
    """The command in a process of its own, with Ctrl-C once it runs the user's file."""
    words = [sys.executable, "-u", "-m", "clexact", *words]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not Path("started").exists() and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    return running.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["certify", "laws", "orbit --at zero"])
def test_ctrl_c_while_the_input_is_read(slow, command):
    status, out, err = interrupted(*command.split(), "sleeping.py:net")
    assert (status, out, err) == (130, "", f"clexact: interrupted while running sleeping.py:net: {NOTHING}")


def stopped_at(monkeypatch, name):
    """Let the interrupt of a limit come when the function of certify is called."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["clexact.counting.certify"], name, interrupt)


def test_an_interruption_before_any_bound_says_so(monkeypatch, capsys, tmp_path):
    """Nothing is called proved, and no certificate of nothing is written."""
    stopped_at(monkeypatch, "listed_laws")
    with pytest.raises(SystemExit) as stop:
        cli.run(["certify", "linear", "2", "3", "2", "--save", str(tmp_path / "c.json")])
    out, err = capsys.readouterr()
    assert stop.value.code == 130 and not list(tmp_path.iterdir())
    assert "at least 0, at most 12 independent conservation laws (D = 12)\n" in out
    assert "proved" not in out and "dim W" not in out
    assert """at least 0: interrupted during "laws of the program's shape": no law yet""" in out
    said = """clexact: interrupted during "laws of the program's shape": no bound beyond 0 <= laws <= 12 yet.\n"""
    assert err == said


def test_an_interruption_after_laws_names_the_stage(monkeypatch):
    """The dimensions so far are lower bounds."""
    stopped_at(monkeypatch, "closure_status")
    flow = clexact.gradient_flow(clexact.models.linear([4, 3, 5]))
    count = clexact.certify(flow, keep_partial=True)
    assert count.interrupted and not count.nothing_yet and count.stage == "closure"
    assert str(count).endswith("(D = 27, dim W >= 18 -> 21)")
    monkeypatch.undo()
    assert not clexact.certify(flow).stage


@pytest.mark.slow
def test_the_certificate_is_made_within_the_limits(monkeypatch, capsys, tmp_path):
    """The answer is printed; what is not written is named."""

    def slowly(count):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(LawCount, "prover", slowly)
    path = tmp_path / "c.json"
    with pytest.raises(SystemExit) as stop:
        cli.run(["certify", "linear", "1", "1", "--save", str(path), "--time-limit", "1"])
    out, err = capsys.readouterr()
    assert stop.value.code == 3 and "exactly 0 independent conservation laws" in out
    said = f"clexact: stopped by the time limit of 1 s while making the certificate: {path} is not written.\n"
    assert err == said and not path.exists()


@pytest.mark.slow
def test_a_formula_is_searched_for_within_the_limits(monkeypatch, capsys):
    """The counts are printed, and it is not said that there is no formula."""

    def slowly(*_, **__):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(cli.fit_command, "fit", slowly)
    with pytest.raises(SystemExit) as stop:
        cli.run(["fit", "product", "--grid", "d=1..4", "--time-limit", "1"])
    out, err = capsys.readouterr()
    assert stop.value.code == 3 and "4 counts" in out and "none was looked for to the end" in out
    assert err == "clexact: stopped by the time limit of 1 s while certifying product: these are the counts so far.\n"


@pytest.mark.parametrize("words", ["certify slow.ode", "certify", "laws nothing 3", "orbit linear 2 2"])
def test_wrong_limits_are_refused_before_anything_is_read(words, capsys):
    given = [*words.split(), *(["--at", "zero"] if "orbit" in words else []), "--time-limit", "0"]
    assert cli.run(given) == 2
    assert capsys.readouterr().err.endswith("error: the time limit must be positive, not 0.0.\n")
