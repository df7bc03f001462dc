"""Words of the command: what was meant by one that is not known, pages of families, completion, terminals."""

import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clexact.cli.main import run
from clexact.models import FAMILIES
from clexact.support.nearest import meant


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("certfy linear 2 2", "certify"),
        ("certify liner 2 2", "linear"),
        ("certify linear 2 2 --flwo momentum", "--flow"),
        ("certify linear 2 2 --flow momentm", "momentum"),
        ("certify linear 2 2 --flow momentum --damping nesterof", "nesterov"),
        ("certify linear 2 2 --loss cross-entrpy", "cross-entropy"),
        ("certify mlp 2 2 --act rellu", "relu"),
        ("certify linear 2 2 --deg 3", "--degree"),
        ("certify relu 2 2 --bias-int zero", "--bias-init"),
        ("certify relu 2 2 --near randm", "random"),
        ("orbit linear 2 2 --at balancd", "balanced"),
        ("sweep atlass", "atlas"),
        ("models attenton", "attention"),
        ("help vrify", "verify"),
        ("plot lvel-sets", "level-sets"),
        ("reproduce --budget quik", "quick"),
        ("reproduce --claims linaer", "linear"),
    ],
)
def test_a_word_that_is_not_known_is_guessed(line, word, capsys):
    """One line on standard error, status 2."""
    try:
        status = run(line.split())
    except SystemExit as ended:
        status = ended.code
    out, err = capsys.readouterr()
    assert status == 2 and out == "" and err.count("\n") == 1
    assert f"did you mean '{word}'" in err or f"did you mean {word}" in err


@given(st.sampled_from(sorted(FAMILIES)), st.data())
def test_guesses_are_known_words(word, data):
    """One letter less is close to a word of five letters and more; nothing is guessed for what is no word."""
    if len(word) >= 5:
        at = data.draw(st.integers(0, len(word) - 1))
        assert meant(word[:at] + word[at + 1 :], FAMILIES).startswith(" (did you mean ")
    assert meant("zzzzzz", FAMILIES) == meant(3, FAMILIES) == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_page(family, capsys):
    """Its options and examples, in 80 columns but for commands, which are one line."""
    assert run(["help", family]) == 0
    page = capsys.readouterr().out
    assert run(["models", family]) == 0
    assert capsys.readouterr().out == page
    assert max(len(line) for line in page.splitlines() if not line.startswith("  clexact ")) <= 80
    assert FAMILIES[family].formula in page
    assert all(f"--{option}" in page for option in FAMILIES[family].options)
    assert f"  clexact certify {family} " in page


def test_help_version_and_all_families(capsys):
    """Words for what options do."""
    assert run(["help"]) == 0
    assert capsys.readouterr().out.startswith("usage: clexact ")
    assert run(["help", "orbit"]) == 0
    assert capsys.readouterr().out.startswith("usage: clexact orbit ")
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("clexact 0.")
    assert run(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and len([line for line in lines if not line.startswith(" ")]) == len(FAMILIES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_shells_complete(shell, capsys):
    """The script knows the commands."""
    pytest.importorskip("shtab", reason="the extra completion is absent")
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("certify", "reproduce", "completion"))
    assert shell == "tcsh" or "--weight-decay" in script


def test_completion_is_a_script_that_bash_reads(tmp_path, capsys):
    """No syntax error."""
    pytest.importorskip("shtab", reason="the extra completion is absent")
    run(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    assert subprocess.run(["bash", "-n", tmp_path / "script"], check=False).returncode == 0


@pytest.mark.slow
def test_a_terminal_gets_a_bold_headline_and_whole_words():
    """Elsewhere, and with NO_COLOR, plain text."""
    words = [sys.executable, "-m", "clexact", "certify", "linear", "3", "2", "3", "--quiet"]
    shown = {}
    for plain in (False, True):
        master, slave = pty.openpty()
        env = {**os.environ, "COLUMNS": "60", "TERM": "xterm"} | ({"NO_COLOR": "1"} if plain else {})
        env = env if plain else {k: v for k, v in env.items() if k != "NO_COLOR"}
        subprocess.run(words, stdout=slave, stderr=subprocess.DEVNULL, env=env, check=True)
        os.close(slave)
        shown[plain] = os.read(master, 10**5).decode()
        os.close(master)
    assert shown[False].startswith("\x1b[1mexactly 3 independent") and "\x1b" not in shown[True]
    assert shown[True] == subprocess.run(words, capture_output=True, text=True, check=True).stdout.replace("\n", "\r\n")


def test_long_lines_break_between_words(capsys, monkeypatch):
    """At the width of the terminal, colour not counted."""
    from clexact.cli import show

    monkeypatch.setattr(show, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show.bound("at least 3", "proved: " + "brackets of depth one " * 6, met=True)
    lines = capsys.readouterr().out.replace(show.GREEN, "").replace(show.RESET, "").splitlines()
    assert len(lines) > 3 and max(map(len, lines)) <= 40
    assert "".join(lines).replace(" ", "") == "atleast3:proved:" + "bracketsofdepthone" * 6


def test_free_gates_come_with_the_way_to_the_true_ones(capsys):
    """Only where gates are free."""
    assert run(["certify", "relu", "1", "4", "4", "1", "--bias"]) == 0
    assert "with its true gates: --near random" in capsys.readouterr().out
    assert run(["certify", "relu", "1", "4", "4", "1", "--bias", "--near", "random"]) == 0
    assert "--near" not in capsys.readouterr().out
