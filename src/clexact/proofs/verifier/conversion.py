"""Documents of the first format, ``clexact-certificate-1``, in the present one. Standard library only.

The fields are written alike; laws, points and members otherwise. What is rewritten is not trusted: the verifier
examines the new document as any other. Read for one release.
"""

from __future__ import annotations

import json
import re
from typing import Any

from clexact.proofs.verifier import large
from clexact.proofs.verifier.large import FORMAT, LISTED_KEYS, NotACertificate, form, typed

FIRST = "clexact-certificate-1"
MAX_NUMBERS, MAX_DIGITS = 10**6, 4000  # of all members together; of a number


def holds_first(data: bytes) -> bool:
    """Whether a document says that it is of the first format."""
    return re.search(rb'"format"\s*:\s*"clexact-certificate-', data) is not None


def current(data: bytes) -> bytes:
    """The bytes of a document in the present format; NotACertificate for one of the first that cannot be read."""
    if not holds_first(data):
        return data
    try:
        return json.dumps(converted(large.read(data))).encode()
    except RecursionError:
        raise NotACertificate("nested too deeply") from None


def converted(document: Any) -> dict[str, Any]:
    """The same claim: of the same fields, laws, points and brackets."""
    old = typed(document, dict, "a certificate", [*LISTED_KEYS, "closure"])
    form(old["format"] == FIRST, f"the format must be {FORMAT}, or {FIRST}")
    kind = typed(old["closure"], dict, "closure", ["kind"])["kind"]
    form(kind in ("none", "one field", "random points"), "closure.kind must be none, one field or random points")
    laws, shown = typed(old["laws"], list, "laws"), typed(old["independence"], dict, "independence", PLACED["laws"])
    new = {key: value for key, value in old.items() if key != "closure"} | {"format": FORMAT}
    new["laws"] = [{"polynomials": laws}] if laws else []
    new["independence"] = {**_place(shown), "laws": [[n, n] for n in typed(shown["laws"], list, "independence.laws")]}
    new["independence"]["rank"] = shown["rank"]
    new["lie"] = _members(typed(old["lie"], dict, "lie", PLACED["lie"]))
    return new if kind == "none" else new | {"closure": kind}


PLACED = {"laws": ["prime", "point", "laws", "rank"], "lie": ["prime", "point", "nodes", "basis", "ranks"]}


def _place(data: dict[str, Any]) -> dict[str, Any]:
    """The prime, and the coordinates that are not 0 modulo it."""
    p = max(1, abs(_integer(data["prime"])))
    point = [_integer(x) % p for x in typed(data["point"], list, "a point")]
    return {"prime": data["prime"], "point": [x for i, c in enumerate(point) if c for x in (i, c)]}


def _integer(text: Any) -> int:
    """An integer in a string."""
    fine = type(text) is str and len(text) <= MAX_DIGITS and re.fullmatch("-?[0-9]+", text)
    form(fine, "a number is no integer in a string")
    return int(text)


def _members(data: dict[str, Any]) -> dict[str, Any]:
    """Nodes as [X_s, [X_t, ...]], s and t numbers of seeds: [A, B] is one if A or B is a combination of fields."""
    p, made, numbers = max(1, abs(_integer(data["prime"]))), list[list[int]](), dict[tuple[int, ...], int]()
    for n, node in enumerate(typed(data["nodes"], list, "lie.nodes")):
        keys = list(typed(node, dict, f"node {n}"))
        form(keys in (["combination"], ["bracket"]), f"node {n} must be a combination or a bracket")
        if keys == ["combination"]:
            seed = _seed(typed(node["combination"], dict, f"node {n}"), p)
            made.append([numbers.setdefault(seed, len(numbers))])
            continue
        pair = typed(node["bracket"], list, f"node {n}")
        form(len(pair) == 2 and all(type(i) is int and 0 <= i < n for i in pair), f"node {n}: a bracket has two nodes")
        a, b = sorted((made[i] for i in pair), key=len)
        form(len(a) == 1, f"node {n} is a bracket of brackets, which no version has written")
        form(len(b) < MAX_NUMBERS // (n + 1), "the brackets are nested too deeply")
        made.append([*a, *b])
    basis = typed(data["basis"], list, "lie.basis")
    form(all(type(n) is int and 0 <= n < len(made) for n in basis), "the basis must list numbers of nodes")
    members = [made[n] for n in basis]
    form(sum(map(len, members)) <= MAX_NUMBERS, "the brackets are too many, and nested too deeply")
    seeds = [list(seed) for seed in numbers]
    return {**_place(data), "seeds": seeds, "members": members, "ranks": data["ranks"]}


def _seed(parts: dict[str, Any], p: int) -> tuple[int, ...]:
    """(field, coefficient, ...), fields increasing, coefficients modulo p."""
    form(parts and all(re.fullmatch("[0-9]{1,9}", i, re.ASCII) for i in parts), "fields are named by numbers")
    found = {int(i): _integer(c) % p for i, c in parts.items()}
    form(len(found) == len(parts), "a field stands twice in a combination")
    return tuple(x for i in sorted(found) for x in (i, found[i]))
