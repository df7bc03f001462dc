"""Limits of time and memory, and what a stopped run still says."""

import gc
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest

import clexact
from clexact.limits import limits


def run(*words):
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "clexact", *words], capture_output=True, text=True, timeout=120)


def test_the_time_limit_interrupts_and_says_so():
    """A loop that would not end gets a KeyboardInterrupt."""
    with pytest.raises(KeyboardInterrupt), limits(seconds=0.2) as found:
        while True:
            time.sleep(0.01)
    assert "time limit of 0.2 s" in found.reached


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


def test_certify_stops_with_its_bounds_and_status_3():
    """The bounds are printed, the limit is named on standard error."""
    done = run("certify", "linear", "60", "60", "60", "--flow", "momentum", "--json", "--time-limit", "3")
    assert done.returncode == 3, done.stderr
    assert "limit" in done.stderr and "Traceback" not in done.stderr
    data = json.loads(done.stdout)
    assert data["interrupted"] and 0 <= data["lower"] <= 1770 <= data["upper"] <= 14401


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


def test_dense_brackets_that_would_exceed_the_limit_are_left_out_and_the_bounds_given(monkeypatch):
    """Sparse brackets alone give an upper bound that holds; without the limit the bounds meet."""
    flow = clexact.gradient_flow(hidden_pair())
    monkeypatch.setattr(sys.modules["clexact.certify"], "dense_bytes", lambda flow: 10**12)
    count = clexact.certify(flow, memory_limit=1000)
    assert "may take" in count.stopped and not count.interrupted
    assert count.lower < 120 <= count.upper
    monkeypatch.undo()
    assert clexact.certify(flow).lower == clexact.certify(flow).upper == 120


PEAK = """
import json, sys
from clexact import certify, limits, gradient_flow, memory, momentum_flow
from clexact.models import rebuild
family, flow, *sizes = sys.argv[1:]
made = {"gradient": gradient_flow, "momentum": momentum_flow}[flow](
    rebuild({"family": family, "sizes": [int(n) for n in sizes]}))
needed = memory.sparse_bytes(made) if flow == "gradient" else memory.dense_bytes(made)
assert certify(made).exact
print(json.dumps([needed, limits.peak_memory()]))
"""


@pytest.mark.parametrize("words", ["linear gradient 60 60 60", "relu gradient 60 60 60", "linear momentum 20 20 20"])
def test_no_more_memory_is_taken_than_stated(words):
    """The peak of a fresh process."""
    done = subprocess.run([sys.executable, "-c", PEAK, *words.split()], capture_output=True, text=True, check=True)
    needed, peak = json.loads(done.stdout)
    assert peak <= needed


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


def test_keep_partial_returns_valid_bounds(no_collection):
    """The Python call, interrupted from a limit."""
    flow = clexact.momentum_flow(clexact.models.linear([60, 60, 60]))
    with limits(seconds=1) as found:
        count = clexact.certify(flow, keep_partial=True)
    assert found.reached and count.interrupted
    assert count.lower <= 60 * 59 // 2 <= count.upper


def test_without_keep_partial_the_interrupt_is_raised(no_collection):
    """As any Python call."""
    flow = clexact.momentum_flow(clexact.models.linear([60, 60, 60]))
    with pytest.raises(KeyboardInterrupt), limits(seconds=1):
        clexact.certify(flow)
