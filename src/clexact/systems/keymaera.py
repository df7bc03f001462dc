"""KeYmaera X's ``.kyx``: the differential equations of each continuous program, a field each; no hybrid steps."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clexact.algebra import systems
from clexact.algebra.fields import VectorFields

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
PROGRAM = re.compile(r"\{([^{}]*'\s*=[^{}]*)\}")


def read_kyx(text: str, parameters: Sequence[str] = ()) -> VectorFields:
    """The fields of all ``{x' = ..., y' = ... & domain}``; names without an equation are parameters."""
    plain = COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    plain = re.sub(r"\(\)", "  ", plain)
    found = list(PROGRAM.finditer(plain))
    if not found:
        raise ValueError("expected a continuous program such as  {x' = y, y' = -x & x >= 0}.")
    parts, domains, line = list[str](), False, 0
    for match in found:
        equations, sign, _ = match[1].partition("&")
        domains = domains or bool(sign)
        start = plain[: match.start(1)].count("\n")
        parts.append("\n" * max(0, start - line) + equations)
        line = start + equations.count("\n") + 1
    body = "\n---\n".join(dict.fromkeys(" ".join(part.split()) for part in parts))
    notes = ["left out: domains of evolution, and all discrete steps"] if domains or len(found) > 1 else []
    system = systems.parse_system(body, parameters, declare_unknown=True)
    return VectorFields.from_system(system._replace(notes=(*notes, *system.notes)))
