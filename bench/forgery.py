"""The full mutation suite against the verifier: python bench/forgery.py [--mutants N] [--seed S].

Exit status 1 if a mutant that claims something untrue is accepted, or one takes more than 10 seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from mutants import is_true, mutants
from rich.console import Console
from rich.table import Table

from clexact import verifier

LIMIT = 10.0  # seconds


def main() -> None:
    """Judge the mutants, print one row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest, forged = 0.0, []
    for kind, text in mutants(arguments.mutants, arguments.seed):
        start = time.perf_counter()
        status, _ = verifier.verify_text(text)
        slowest = max(slowest, time.perf_counter() - start)
        outcome = ("accepted, true", "false", "no certificate")[status]
        if status == 0 and not is_true(json.loads(text)):
            outcome = "accepted, UNTRUE"
            forged.append(text)
        outcomes[kind, outcome] += 1
    columns = ["false", "no certificate", "accepted, true", "accepted, UNTRUE"]
    table = Table("kind", "mutants", *columns)
    for kind in sorted({kind for kind, _ in outcomes}):
        counts = [outcomes[kind, column] for column in columns]
        table.add_row(kind, str(sum(counts)), *map(str, counts))
    table.add_row(
        "all", str(arguments.mutants), *(str(sum(outcomes[k] for k in outcomes if k[1] == c)) for c in columns)
    )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    console.print(f"seed {arguments.seed}, slowest mutant {slowest:.2f} s, peak memory of the whole run {peak} MiB")
    for text in forged[:3]:
        console.print(text, soft_wrap=True)
    sys.exit(1 if forged or slowest > LIMIT else 0)


if __name__ == "__main__":
    main()
