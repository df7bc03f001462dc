"""What users give as a list: anything with an order, and nothing whose members would be read by mistake."""

from __future__ import annotations

from collections.abc import KeysView, Mapping, Set
from typing import Any

SHOWN = 80  # characters of a value in a message


def listed(value: Any, expected: str) -> list[Any]:
    """The members in their order. TypeError for text, for mappings, for sets, and for what has no members.

    ``expected`` begins the message, for example "variables must be a list of names".
    """
    text, unordered = isinstance(value, (str, bytes, bytearray)), isinstance(value, Set)
    if text or isinstance(value, Mapping) or (unordered and not isinstance(value, KeysView)):
        raise TypeError(f"{expected}, not the {_kind(value)} {shown(value)}.")
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{expected}, not {shown(value)}.") from None


def number_of(count: int, thing: str) -> str:
    """Such as "1 law" and "2 laws"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def shown(value: object) -> str:
    """A value in a message, cut short; Python writes no integer of more than 4300 digits."""
    try:
        text = repr(value)
    except ValueError:
        return f"a very long {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "string"
    return "mapping" if isinstance(value, Mapping) else "set" if isinstance(value, Set) else type(value).__name__
