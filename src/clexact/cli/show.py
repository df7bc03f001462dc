"""Answers: on a terminal the headline in bold, bounds in colour, lines broken between words; elsewhere plain text."""

from __future__ import annotations

import os
import shutil
import sys
from textwrap import wrap

BOLD, GREEN, YELLOW, RESET = "\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[0m"


def on_terminal() -> bool:
    """Whether somebody reads along."""
    return sys.stdout.isatty()


def headline(text: str) -> None:
    """The answer."""
    print(_styled(text, BOLD))


def bound(label: str, text: str, met: bool) -> None:
    """A bound and what proves it: green where both meet, else yellow."""
    first, *others = _lines(f"{label}: {text}")
    print("\n".join([first.replace(label, _styled(label, GREEN if met else YELLOW), 1), *others]))


def detail(text: str) -> None:
    """A line below the answer."""
    print("\n".join(_lines(text)))


def _lines(text: str) -> list[str]:
    """Indented; on a terminal broken between words, to go on a little further in."""
    columns = shutil.get_terminal_size().columns if on_terminal() else len(text) + 4
    return wrap(
        text, columns, initial_indent="  ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
    )


def _styled(text: str, style: str) -> str:
    plain = not on_terminal() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else f"{style}{text}{RESET}"
