"""The README's examples give the output that it shows."""

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from clexact import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    clexact (.*?)(?:  #.*)?$", README, flags=re.MULTILINE)


def test_python_examples():
    """Every >>> example, in order, in one namespace."""
    examples = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner()
    assert runner.run(test).failed == 0
    assert runner.tries > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_answer(command, tmp_path, monkeypatch, capsys):
    """Every command of the README ends with status 0 and says something."""
    monkeypatch.chdir(tmp_path)
    Path("lorenz.ode").write_text("x' = 10*(y - x)\ny' = x*(28 - z) - y\nz' = x*y - 8/3*z  # Lorenz 1963\n")
    Path("mymodel.py").write_text("import clexact\nnet = clexact.models.relu([2, 3, 2])\n")
    assert cli.run(shlex.split(command)) == 0
    assert capsys.readouterr().out.strip()


def test_certify_save_verify_in_a_fresh_process(tmp_path, monkeypatch, capsys):
    """The session under "A proof to keep", word for word; the second command in a process of its own."""
    session = re.search(
        r"^    \$ clexact (certify .*)\n((?:    .*\n)*?)    \$ clexact (verify .*)\n((?:    .*\n)+)", README, re.M
    )
    monkeypatch.chdir(tmp_path)
    assert cli.run(shlex.split(session[1])) == 0
    assert capsys.readouterr().out == dedent(session[2])
    words = [sys.executable, "-m", "clexact", *shlex.split(session[3])]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == dedent(session[4])


def test_the_readme_names_the_commands():
    """The list above is not empty: it holds each of the three verbs."""
    assert {command.split()[0] for command in COMMANDS} == {"certify", "laws", "reproduce"}
