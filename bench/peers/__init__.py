"""What clexact is timed against. Each peer says which package it needs; one that is not installed is a '-'."""

from __future__ import annotations

from typing import Any, NamedTuple


class MissingPeerError(Exception):
    """A peer is not installed; the text is the name of its package."""


class Ranked(NamedTuple):
    """Seconds of each run, the rank of each, and what else the peer says of itself."""

    seconds: list[float]
    ranks: list[int]
    notes: dict[str, Any]
