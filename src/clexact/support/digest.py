"""Digests of exact data: equal for equal data, whatever the size of the numbers in it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(*parts: object) -> bytes:
    """SHA-256 of numbers, strings, arrays of integers or of exact numbers, and tuples or lists of these."""
    whole = sha256()
    for part in parts:
        piece = _bytes(part)
        whole.update(len(piece).to_bytes(8, "big"))
        whole.update(piece)
    return whole.digest()


def _bytes(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, np.ndarray):
        return digest(str(part.dtype), part.shape, _entries(part))
    return digest(*part) if isinstance(part, (tuple, list)) else repr(part).encode()


def _entries(array: NDArray[Any]) -> bytes:
    """In hexadecimal where they are Python's: its decimal digits are limited."""
    if array.dtype != object:
        return array.tobytes()
    entries = array.ravel().tolist()
    written = {id(c): f"{c.numerator:x}/{c.denominator:x}" for c in {id(c): c for c in entries}.values()}
    return ";".join([written[id(c)] for c in entries]).encode()
