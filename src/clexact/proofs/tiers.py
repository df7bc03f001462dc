"""Verify a certificate of any kind, small ones twice. Standard library only; what ``standalone`` writes runs it.

A document is examined by ``program_verifier``, which knows all there is; what it accepts is examined again, if it is
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

from clexact.proofs import conversion, program_verifier, referee, theorem_verifier

WORK = 10**5  # of the referee, for a document: half a second
SEVERITY = program_verifier.SEVERITY


def holds_theorem(data: bytes) -> bool:
    """Whether a document says that it is a theorem for all sizes."""
    return re.search(rb'"format"\s*:\s*"clexact-theorem-', data) is not None


def verify_bytes(data: bytes, rank: Any = None, work: int = WORK) -> tuple[int, list[str]]:
    """(exit status, sentences) for the bytes of a certificate; ``rank(rows, p)`` of dense rows may be a faster one."""
    try:
        data = conversion.current(data)
    except program_verifier.NotACertificate as error:
        return 2, [f"not a certificate: {error}"]
    if holds_theorem(data):
        return theorem_verifier.verify_bytes(data)
    status, sentences = program_verifier.verify_bytes(data, rank)
    if status:
        return status, sentences
    judged, said = referee.verify_bytes(data, work)
    if judged not in (0, 3):
        return judged, said
    *proved, bounds, subject = sentences if judged == 3 else said
    trusted = trusted_base(program_verifier, *([] if judged == 3 else [referee]))
    return 0, [*proved, trusted, bounds, subject]


def trusted_base(*modules: ModuleType) -> str:
    """Which files found a document true, in words."""
    lines = [len(linecache.getlines(module.__file__ or "", vars(module))) for module in modules]
    files = [f"{module.__name__.rpartition('.')[2]}.py ({n} lines)" for module, n in zip(modules, lines, strict=True)]
    return f"checked by {' and '.join(files)}, which trust{'s' * (len(files) == 1)} Python's integers, JSON and SHA-256"


def main(paths: list[str]) -> int:
    """Verify files, compressed or not; the exit status is the worst one."""
    worst = 0
    for path in paths:
        try:
            with open(path, "rb") as file:
                status, sentences = verify_bytes(program_verifier.unpacked(file.read(program_verifier.MAX_BYTES + 1)))
        except (OSError, program_verifier.NotACertificate) as error:
            status, sentences = 2, [f"not a certificate: {error}"]
        worst = max(worst, status, key=SEVERITY.index)
        print(
            f"{path}: {('verified', 'NOT VERIFIED', 'NOT A CERTIFICATE', 'UNDECIDED')[status]}", *sentences, sep="\n  "
        )
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
