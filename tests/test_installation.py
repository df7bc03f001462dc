"""What a user tries of an installation: the self-test, ``clexact doctor``, and systems that are not POSIX."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import clexact
from clexact import selftest
from clexact._kernels import balanced, modular
from clexact.algebra import echelon
from clexact.cli import main as cli
from clexact.proofs.certificate import Verdict, VerdictStatus
from clexact.support import extras, system
from clexact.support.limits import limits

ROOT = Path(__file__).parent.parent


def test_the_selftest_passes_and_says_what_it_did(capsys):
    assert selftest.main() == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == f"clexact {clexact.__version__}"
    assert len(lines) == len(selftest.CHECKS) and all(line.startswith("  ok     ") for line in lines)
    assert re.fullmatch(r"(\d+) of \1 checks passed in [\d.]+ s", last)


BREAKS = {
    "check_ranks": (echelon, "rank", lambda words, p: min(words.shape)),
    "check_products": (modular, "multiply", lambda a, b, p: a * b % p),
    "check_laws": (selftest, "polynomial_laws", lambda fields, degree: clexact.polynomial_laws(fields, 1)),
    "check_counts": (selftest, "certify", lambda model: 3),
    "check_certificates": (
        selftest, "verify_bytes", lambda data: Verdict(VerdictStatus.VERIFIED, ("whatever it says",)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("check", BREAKS)
def test_the_selftest_sees_what_is_broken(monkeypatch, capsys, check):
    monkeypatch.setattr(selftest, "CHECKS", [getattr(selftest, check)])
    assert selftest.main() == 0
    monkeypatch.setattr(*BREAKS[check])
    assert selftest.main() == 1
    out = capsys.readouterr().out
    assert "  FAILED " in out and "SelfTestError" in out and "0 of 1 checks passed" in out


def test_doctor_says_what_is_there(capsys):
    assert cli.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"clexact {clexact.__version__}" in out and "BLAS: " in out and "python -m clexact.selftest" in out
    assert str(Path.home()) not in out and str(ROOT) not in out
    assert cli.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kernels"] == {"integers of 128 bits": modular.wide(), "loops for AVX2": balanced.cloned()}
    assert found["limits"] == {"time": True, "memory": True, "sweeps": True}


def test_doctor_says_what_a_build_and_a_system_lack(monkeypatch, capsys):
    monkeypatch.setattr(modular, "wide", lambda: False)
    monkeypatch.setattr(balanced, "cloned", lambda: False)
    monkeypatch.setattr(system, "resource", None)
    assert cli.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "kernels: compiled, portable\n" in out and "--memory-limit: not on this system" in out


def test_doctor_knows_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.EXTRAS) == set(project["optional-dependencies"])


def test_a_missing_extra_is_named_by_a_command_that_works_here(monkeypatch, tmp_path):
    """In a checkout its path, which pip takes whether clexact is installed or not; else its name."""
    monkeypatch.setattr(extras, "ROOT", tmp_path)
    assert extras.command("plot") == "pip install 'clexact[plot]'"
    (tmp_path / "pyproject.toml").touch()
    assert extras.command("plot") == f"pip install '{tmp_path}[plot]'"


# --- systems that are not POSIX --------------------------------------------------------------------------------------


def test_a_memory_limit_is_refused_where_none_can_be_watched(monkeypatch):
    monkeypatch.setattr(system, "resource", None)
    with pytest.raises(ValueError, match="a memory limit needs a POSIX system, which"), limits(mebibytes=10**6):
        pass
    with limits(seconds=60) as limited:
        assert not limited.reached
    assert system.largest_resident() == 0


WITHOUT = """
import os, select, signal, sys
sys.modules.update(fcntl=None, resource=None)
for place, names in ((os, "killpg fchmod O_CLOEXEC sched_getaffinity sysconf getppid"), (select, "poll"),
                     (signal, "SIGKILL pthread_sigmask")):
    for name in names.split():
        if hasattr(place, name):
            delattr(place, name)
import clexact, clexact.sweeps.sandbox, clexact.sweeps.sweep
from clexact.cli import main as cli
commands = ["certify linear 4 3 5 --quiet --save c.json", "verify c.json", "sweep linear", "doctor",
            "certify linear 4 3 5 --memory-limit 1000"]
print([cli.run(command.split()) for command in commands])
"""


@pytest.mark.slow
def test_without_what_only_posix_has_counts_are_made_and_verified(tmp_path):
    """As on Windows: no module ``resource``, no signals to groups; what needs them says so in one sentence."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 2, 0, 2]"
    assert "exactly 6 independent" in done.stdout and len(done.stderr.splitlines()) == 2
    assert "clexact sweep: error: a sweep needs a POSIX system" in done.stderr
    assert not (tmp_path / "linear.db").exists()
