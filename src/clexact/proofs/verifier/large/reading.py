"""Documents as text: JSON without floats or repeated keys, integers, sparse arrays, hashes, challenges."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from clexact.proofs.verifier.large.limits import (
    CHALLENGE_BITS,
    MAX_BYTES,
    MAX_DIGITS,
    MAX_ENTRIES,
    MAX_PRIME,
    NAME,
    NUMBER,
)
from clexact.proofs.verifier.large.outcome import NotACertificate, form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clexact.proofs.verifier.large.limits import Part, Shape


def unpacked(data: bytes) -> bytes:
    """The text of a document, compressed or not."""
    if data[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=31)
        try:
            data = stream.decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise NotACertificate("the compressed data are damaged") from None
        form(len(data) <= MAX_BYTES, f"over {MAX_BYTES} bytes when decompressed")
        form(stream.eof and not stream.unused_data, "the compressed data are cut off, or more follows them")
    form(len(data) <= MAX_BYTES, f"over {MAX_BYTES} bytes")
    return data


def read(text: bytes) -> Any:
    """The document in JSON; duplicate keys, floats and what is no JSON are refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        form(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def refuse(word: str) -> None:
        raise NotACertificate(f"{word[:20]} is not a number of a certificate")

    try:
        return json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=refuse)
    except (ValueError, RecursionError) as error:
        raise NotACertificate(f"not JSON ({type(error).__name__})") from None


def typed(value: Any, kind: type, what: str, keys: Sequence[str] | None = None) -> Any:
    """The value, if it has this JSON type (an object: exactly these keys)."""
    form(type(value) is kind, f"{what} must be of type {kind.__name__}")
    form(keys is None or sorted(value) == sorted(keys), f"{what} must have the keys {keys}")
    return value


def integers(value: Any, what: str, bound: int = MAX_PRIME) -> list[int]:
    """A list of JSON integers of absolute value below the bound."""
    form(all(type(x) is int and -bound < x < bound for x in typed(value, list, what)), f"{what} must hold integers")
    return list(value)


def sparse(value: Any, size: int, what: str) -> Part:
    """{place: integer} from [place, integer, place, integer, ...], places increasing."""
    flat = integers(value, what)
    places = flat[::2]
    form(len(flat) % 2 == 0 and places == sorted(set(places)), f"{what} must list places, increasing, and values")
    form(not places or 0 <= places[0] <= places[-1] < size, f"{what} has a place that is not below {size}")
    return dict(zip(places, flat[1::2], strict=True))


def rational(text: Any, what: str) -> Fraction:
    """An integer or a fraction in a string."""
    form(type(text) is str and re.fullmatch(f"-?{NUMBER}", text), f"{what} is no rational number")
    form(len(text) <= MAX_DIGITS, f"{what}: a factor is too long")
    return Fraction(text)


def number(value: Any) -> Fraction:
    """A JSON integer, or a fraction in a string."""
    return Fraction(value) if type(value) is int else rational(value, "an input, a parameter or a slope")


def shapes(value: Any, what: str) -> dict[str, Shape]:
    """{name: shape}, in order."""
    form(all(re.fullmatch(NAME, name) for name in typed(value, dict, what)), f"{what} have improper names")
    return {name: shape(sizes, what) for name, sizes in value.items()}


def shape(value: Any, what: str) -> Shape:
    sizes = tuple(integers(value, what, MAX_ENTRIES))
    form(
        len(sizes) <= 32 and min(sizes, default=1) >= 0 and prod(sizes) <= MAX_ENTRIES, f"{what} has a shape too large"
    )
    return sizes


def canonical(value: Any) -> bytes:
    """The canonical text of a value."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    except RecursionError:
        raise NotACertificate("nested too deeply") from None


def program_hash(document: dict[str, Any]) -> str:
    """SHA-256 of the canonical text of what the fields are.

    Parameters, probes and program; phase space, gates and cases if there are. Else the dimension and the fields.
    """
    if "fields" in document:
        return hashlib.sha256(canonical([document["dimension"], document["fields"]])).hexdigest()
    leaves = [list(document[key].items()) for key in ("parameters", "probes")]
    more = [document["phase"]] if "phase" in document else []
    more += [[key, document[key]] for key in ("gates", "cases") if key in document]
    return hashlib.sha256(canonical([*leaves, document["program"], *more])).hexdigest()


def challenges(document: dict[str, Any], rows: int, prime: int) -> list[list[int]]:
    """Vectors b mod p derived from everything in the document but the solutions; p^(their number) >= 2^128."""
    lie = {key: value for key, value in document["lie"].items() if key != "solutions"}
    count = next(t for t in range(1, CHALLENGE_BITS + 1) if prime**t >= 2**CHALLENGE_BITS)
    stream = hashlib.shake_256(canonical(document | {"lie": lie})).digest(16 * rows * count)
    words = [int.from_bytes(stream[i : i + 16], "big") % prime for i in range(0, len(stream), 16)]
    return [words[j * rows : (j + 1) * rows] for j in range(count)]
