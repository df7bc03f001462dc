"""What somebody may have meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

W = TypeVar("W")
ALIKE = 0.6  # of difflib


def meant(word: object, words: Iterable[str]) -> str:
    """``" (did you mean 'relu'?)"``, where a known word is like this one; else empty."""
    if not isinstance(word, str):
        return ""
    known = {each.lower().lstrip("-"): each for each in words}
    found = get_close_matches(word.lower().lstrip("-"), known, 1, ALIKE)
    return f" (did you mean {known[found[0]]!r}?)" if found else ""


def unknown(what: str, word: object, words: Iterable[str], also: str = "") -> str:
    """A sentence that names the words expected."""
    known = list(words)
    return f"unknown {what} {word!r}{meant(word, known)}: expected one of {', '.join(known)}{also}."


def one_of(what: str, word: object, words: Iterable[str], also: str = "") -> str:
    """Likewise, of an option."""
    known = list(words)
    return f"{what} must be one of {', '.join(known)}{also}, not {word!r}{meant(word, known)}."


def check_word(word: W, words: Iterable[str], what: str) -> W:
    """ValueError unless it is one of the words."""
    known = list(words)
    if word not in known:
        raise ValueError(one_of(what, word, known))
    return word
