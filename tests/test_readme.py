"""The README's examples give the output that it shows, and the commands of its page in the reference an answer."""

import doctest
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from pictures import is_blank
from test_system_formats import SBML

from clexact import models
from clexact.cli import main as cli

LINES = re.compile(r"\(\d+ lines\)")  # of a verifier: they change too often to be written down
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "reference" / "command.md").read_text(encoding="utf-8")
ALL = [*dict.fromkeys(re.findall(r"^    clexact (.*?)(?:  #.*)?$", README + PAGE, flags=re.MULTILINE))]
SWEEP = [command for command in ALL if "relu.toml" in command or "relu.db" in command]
COMMANDS = [command for command in ALL if command not in SWEEP]
VERBS = {"certify", "eliminate", "fit", "help", "laws", "models", "orbit", "plot", "reproduce"}


@pytest.mark.slow
def test_python_examples(tmp_path, monkeypatch):
    """Every >>> example, in order, in one namespace; the last draws a picture."""
    monkeypatch.chdir(tmp_path)
    examples = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner()
    assert runner.run(test).failed == 0
    assert runner.tries > 8
    assert not is_blank(Path("drift.png").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_answer(command, tmp_path, monkeypatch, capsys):
    """Every command of both ends with status 0 and says something."""
    monkeypatch.chdir(tmp_path)
    Path("lorenz.ode").write_text("x' = 10*(y - x)\ny' = x*(28 - z) - y\nz' = x*y - 8/3*z  # Lorenz 1963\n")
    Path("mymodel.py").write_text("import clexact\nnet = clexact.models.relu([2, 3, 2])\n")
    Path("euler.ode").write_text("I1 = 1; I2 = 2\nx' = I2*y*z - y*z\ny' = z*x/I2 - I1*z*x/I2\nz' = x*y*(I1 - I2)\n")
    Path("model.xml").write_text(SBML)
    assert cli.run(shlex.split(command)) == 0
    said = capsys.readouterr()
    assert (said.out or said.err).strip()


@pytest.mark.slow
def test_the_sweep(tmp_path, monkeypatch, capsys):
    """Its spec and its commands, one after the other: every case is exact, and every certificate verified."""
    monkeypatch.chdir(tmp_path)
    (spec,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    Path("relu.toml").write_text(spec)
    said = []
    for command in SWEEP:
        assert cli.run(shlex.split(command)) == 0
        said.append(capsys.readouterr().out)
    assert [command.split()[0] for command in SWEEP] == ["sweep", "sweep", "results", "verify"]
    assert "16 cases" in said[0] and "relu.db: 16 done" in said[1] and "16 verified, 0 false" in said[3]
    assert said[2].count("certify relu") == 16


SESSIONS = re.findall(
    r"^    \$ clexact (certify .*)\n((?:    (?!\$).*\n)*)    \$ clexact (verify .*)\n((?:    .*\n)+)", README, re.M
)


@pytest.mark.slow
@pytest.mark.parametrize("session", SESSIONS, ids=[session[0] for session in SESSIONS])
def test_certify_save_verify_in_a_fresh_process(session, tmp_path, monkeypatch, capsys):
    """The session with a proof to keep, word for word; the second command in a process of its own."""
    certified, count, verified, verdict = session
    monkeypatch.chdir(tmp_path)
    assert cli.run(shlex.split(certified)) == 0
    assert capsys.readouterr().out == dedent(count)
    words = [sys.executable, "-m", "clexact", *shlex.split(verified)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert LINES.sub("(n lines)", printed) == LINES.sub("(n lines)", dedent(verdict))


def test_the_readme_names_the_commands():
    """The list above is not empty: it holds each of the verbs; and the README is short."""
    assert len(README.splitlines()) < 150
    assert {command.split()[0] for command in COMMANDS} == VERBS
    assert len(SESSIONS) == 1


@pytest.mark.slow
def test_models_page_is_what_its_script_writes():
    """docs/models.md: every number certified anew."""
    spec = importlib.util.spec_from_file_location("make_models", ROOT / "docs" / "make_models.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert set(script.EXAMPLES) == set(models.FAMILIES)
    assert (ROOT / "docs" / "models.md").read_text(encoding="utf-8") == script.page()
