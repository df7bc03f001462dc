"""The full mutation suite against the verifier: python bench/forgery.py [--mutants N] [--seed S].

Exit status 1 if a mutant that claims something untrue is accepted, or one raises or takes more than 10 seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import forged_programs as programs
import mutants as places
from forgery import Mutant, mutants
from rich.console import Console
from rich.table import Table

from clexact.proofs.certificate import verify_bytes
from clexact.proofs.verifier import large

LIMIT = 10  # seconds for one mutant
COLUMNS = ["rejected as false", "no certificate", "undecided", "accepted, true", "accepted, FALSE", "raised", "hung"]
BAD = COLUMNS[4:]


class Hung(BaseException):
    """A mutant takes too long."""


def _hung(*_: Any) -> None:
    raise Hung


@dataclass(frozen=True)
class OfProgram:
    """A forged document of a model, with its program or said to be about it; judged with the model made anew too."""

    kind: str
    change: str
    document: dict[str, Any]

    @property
    def text(self) -> str:
        """As it is verified."""
        return json.dumps(self.document)

    def verified(self) -> int:
        """The status, as it stands; ``truth`` is then asked of what is accepted."""
        return int(verify_bytes(self.text.encode()).status.value)

    @property
    def truth(self) -> bool:
        """Whether what is accepted is true of what is listed; of explicit fields that is judged elsewhere."""
        return "fields" in self.document or programs.is_true(self.document)


def judged(mutant: Mutant | OfProgram) -> tuple[str, float]:
    """(what became of a mutant, seconds)."""
    start = time.perf_counter()
    signal.alarm(LIMIT)
    try:
        text = mutant.text.encode("utf-8", "surrogatepass")
        status = mutant.verified() if isinstance(mutant, OfProgram) else large.verify_bytes(text)[0]
    except Hung:
        return "hung", time.perf_counter() - start
    except Exception:
        return "raised", time.perf_counter() - start
    finally:
        signal.alarm(0)
    seconds = time.perf_counter() - start
    if status:
        return COLUMNS[status - 1], seconds
    return "accepted, true" if mutant.truth else "accepted, FALSE", seconds


def stream(count: int, seed: int) -> Any:
    """Mutants of every kind.

    A sixth of them by blind changes at random places (``tests/mutants.py``), a third of documents of models with
    analytic functions (``tests/forged_programs.py``).
    """
    yield from mutants(count - count // 6 - count // 3, seed)
    for kind, text in places.mutants(count // 6, seed):
        yield Mutant(f"blind: {kind}", kind, text)
    for change, document in programs.mutants(count // 3, seed):
        yield OfProgram("programs", change, document)


def main() -> None:
    """Judge the mutants, print one row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _hung)
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest: dict[str, float] = {}
    bad: list[tuple[str, Mutant | OfProgram]] = []
    for mutant in stream(arguments.mutants, arguments.seed):
        outcome, seconds = judged(mutant)
        outcomes[mutant.kind, outcome] += 1
        slowest[mutant.kind] = max(slowest.get(mutant.kind, 0.0), seconds)
        if outcome in BAD:
            bad.append((outcome, mutant))
    report(outcomes, slowest, bad, arguments.seed)
    sys.exit(1 if bad else 0)


def report(outcomes: Counter[Any], slowest: dict[str, float], bad: list[tuple[str, Any]], seed: int) -> None:
    """The table, the memory and the mutants that should not be."""
    table = Table("kind", "mutants", *COLUMNS, "slowest, s")
    for kind, longest in slowest.items():
        counts = [outcomes[kind, column] for column in COLUMNS]
        table.add_row(kind, str(sum(counts)), *map(str, counts), f"{longest:.2f}")
    totals = [sum(n for (_, column), n in outcomes.items() if column == name) for name in COLUMNS]
    table.add_row("all", str(sum(totals)), *map(str, totals), f"{max(slowest.values(), default=0):.2f}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    console.print(f"seed {seed}, peak memory of the whole run {peak} MiB")
    for outcome, mutant in bad[:10]:
        console.print(f"{outcome}: {mutant.change}\n{mutant.text[:5000]}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
