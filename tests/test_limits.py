"""Limits of time and memory, and what a stopped run still says."""

import gc
import json
import subprocess
import sys
import time

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


@pytest.mark.parametrize("option", [("--time-limit", "2"), ("--memory-limit", "150")])
def test_certify_stops_with_its_bounds_and_status_3(option):
    """The bounds are printed, the limit is named on standard error."""
    done = run("certify", "linear", "60", "60", "60", "60", "--json", *option)
    assert done.returncode == 3, done.stderr
    assert "limit" in done.stderr and "Traceback" not in done.stderr
    data = json.loads(done.stdout)
    assert data["interrupted"] and 0 <= data["lower"] <= 3660 <= data["upper"] <= 10800


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
    flow = clexact.gradient_flow(clexact.models.linear([60, 60, 60]))
    with limits(seconds=1) as found:
        count = clexact.certify(flow, keep_partial=True)
    assert found.reached and count.interrupted
    assert count.lower <= 60 * 61 // 2 <= count.upper


def test_without_keep_partial_the_interrupt_is_raised(no_collection):
    """As any Python call."""
    flow = clexact.gradient_flow(clexact.models.linear([60, 60, 60]))
    with pytest.raises(KeyboardInterrupt), limits(seconds=1):
        clexact.certify(flow)
