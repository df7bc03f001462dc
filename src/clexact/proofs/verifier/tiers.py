"""Verify a certificate of any kind, small ones twice. Standard library only; what ``standalone`` writes runs it.

A document is examined by ``large``, which knows all there is; what it accepts is examined again, if it is
small enough, by the ``referee``, which multiplies out. It is verified if both accept it. The referee draws nothing at
random, so what it says is a proof where the other tests polynomials with an error. One of the first format is rewritten
in the present one before (``conversion``).
"""

from __future__ import annotations

import linecache
import re
import sys
from types import ModuleType
from typing import Any

from clexact.proofs.verifier import conversion, large, referee, theorem

WORK = 10**5  # of the referee, for a document: half a second
SEVERITY = large.SEVERITY


def holds_theorem(data: bytes) -> bool:
    """Whether a document says that it is a theorem for all sizes."""
    return re.search(rb'"format"\s*:\s*"clexact-theorem-', data) is not None


def verify_bytes(data: bytes, rank: Any = None, work: int = WORK) -> tuple[int, list[str]]:
    """(exit status, sentences) for the bytes of a certificate; ``rank(rows, p)`` of dense rows may be a faster one."""
    try:
        data = conversion.current(data)
    except large.NotACertificate as error:
        return 2, [f"not a certificate: {error}"]
    if holds_theorem(data):
        status, sentences = theorem.verify_bytes(data)
        return status, [*sentences[:-1], *[trusted_base(theorem)] * (not status), *sentences[-1:]]
    status, sentences = large.verify_bytes(data, rank)
    if status:
        return status, sentences
    judged, said = referee.verify_bytes(data, work)
    if judged not in (0, 3):
        return judged, said
    *proved, bounds, subject = sentences if judged == 3 else said
    trusted = trusted_base(large, *([] if judged == 3 else [referee]))
    return 0, [*proved, trusted, bounds, subject]


def trusted_base(*modules: ModuleType) -> str:
    """Which code found a document true, in words."""
    said = [f"verifier/{module.__name__.rpartition('.')[2]} ({lines_of(module)} lines)" for module in modules]
    return f"checked by {' and '.join(said)}, which trust{'s' * (len(said) == 1)} Python's integers, JSON and SHA-256"


def lines_of(module: ModuleType) -> int:
    """Of its file, or of all files of a package."""
    inside = f"{module.__name__}."
    parts = [module, *(part for name, part in sys.modules.items() if name.startswith(inside))]
    return sum(len(linecache.getlines(part.__file__ or "", vars(part))) for part in parts)


def main(paths: list[str]) -> int:
    """Verify files, compressed or not (- is standard input); the exit status is the worst one."""
    worst = 0
    for path in paths:
        try:
            with open(0 if path == "-" else path, "rb") as file:
                status, sentences = verify_bytes(large.unpacked(file.read(large.MAX_BYTES + 1)))
        except (OSError, large.NotACertificate) as error:
            status, sentences = 2, [f"not a certificate: {error}"]
        worst = max(worst, status, key=SEVERITY.index)
        print(
            f"{path}: {('verified', 'NOT VERIFIED', 'NOT A CERTIFICATE', 'UNDECIDED')[status]}", *sentences, sep="\n  "
        )
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
