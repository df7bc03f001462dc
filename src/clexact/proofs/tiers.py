"""Verify a certificate of any kind, small ones twice. Standard library only; what ``standalone`` writes runs it.

A document with a program is examined by ``program_verifier``, which knows all there is; what it accepts is examined
again, if it is small enough, by the ``referee``, which multiplies out. It is verified if both accept it. The referee
draws nothing at random, so what it says is a proof where the other tests polynomials with an error.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from clexact.proofs import program_verifier, referee, theorem_verifier, verifier

GZIP = b"\x1f\x8b"
WORK = 10**5  # of the referee, for a document: half a second
SEVERITY = verifier.SEVERITY


def holds_program(data: bytes) -> bool:
    """Whether a document says that it holds a program, or is compressed and could not be opened."""
    return data[:2] == GZIP or re.search(rb'"format"\s*:\s*"clexact-program-', data) is not None


def holds_theorem(data: bytes) -> bool:
    """Whether a document says that it is a theorem for all sizes."""
    return re.search(rb'"format"\s*:\s*"clexact-theorem-', data) is not None


def text_of(data: bytes) -> str:
    """UTF-8; NotACertificate for other bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise verifier.NotACertificate("not a text file in UTF-8") from None


def verify_bytes(data: bytes, rank: Any = None, work: int = WORK) -> tuple[int, list[str]]:
    """(exit status, sentences) for the bytes of a certificate; ``rank(rows, p)`` of dense rows may be a faster one."""
    if holds_theorem(data):
        return theorem_verifier.verify_bytes(data)
    if not holds_program(data):
        try:
            return verifier.verify_text(text_of(data), rank or verifier.rank)
        except verifier.NotACertificate as error:
            return 2, [f"not a certificate: {error}"]
    status, sentences = program_verifier.verify_bytes(data, rank)
    if status:
        return status, sentences
    judged, said = referee.verify_bytes(data, work)
    return (status, sentences) if judged == 3 else (judged, said)


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
