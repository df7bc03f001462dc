"""Random programs against an independent oracle: python bench/fuzz_programs.py [--count N] [--seed S] [--from N].

Every law and bound that ``certify`` gives for a random program (``tests/random_programs.py``) is checked with PyTorch
(``tests/program_oracle.py``). Exit status 1 if one is false; each is printed as a script that shows it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from program_checks import Judgement, judged
from random_programs import Case, case
from rich.console import Console
from rich.progress import track
from rich.table import Table
from smaller_programs import minimal

STRIDE = 10**6  # programs of one seed
THOROUGH = 10  # one program of so many is checked with deeper brackets, all quadratic laws and its certificate
LIMIT = 30  # seconds for one program
MOST_SHOWN = 6  # programs of each kind of violation that are made smaller and shown whole
OUTCOMES = ["exact", "bounds", "refused", "slow"]


class TooSlow(BaseException):
    """A program takes too long."""


def _too_slow(*_: Any) -> None:
    raise TooSlow


def outcome_of(program: Case, thorough: bool, gates: bool) -> Judgement:
    """The judgement, within the time there is."""
    signal.alarm(LIMIT)
    try:
        return judged(program, thorough, gates=gates)
    except TooSlow:
        return Judgement("slow")
    finally:
        signal.alarm(0)


def shown(program: Case, kind: str, *how: bool) -> str:
    """A small program with the same kind of violation, as a script, and what is wrong with it."""

    def shows(other: Case) -> bool:
        return kind in dict(outcome_of(other, *how).violations)

    small = minimal(program, shows)
    said = dict(outcome_of(small, *how).violations).get(kind, "")
    return f"# {kind}: {said}\n# of the program {program.seed}\n{small.script}"


def main() -> None:
    """Judge the programs, print one row for each kind of operation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=25000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the number of the first program")
    parser.add_argument("--thorough", action="store_true", help="all checks of every program")
    parser.add_argument("--gates", action="store_true", help="bounds must hold for the values that gates have, too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_slow)
    console, start = Console(width=None if sys.stdout.isatty() else 120), time.perf_counter()
    table, notes, kinds, bad = Counter[tuple[str, str]](), Counter[str](), Counter[str](), 0
    numbers = range(arguments.first, arguments.first + arguments.count)
    for n in track(numbers, "programs", console=console, disable=not console.is_terminal):
        if n > arguments.first and n % 1000 == 0 and not console.is_terminal:
            print(f"# {n - arguments.first} programs, {bad} with violations", flush=True)
        program = case(arguments.seed * STRIDE + n)
        thorough = arguments.thorough or n % THOROUGH == 0
        found = outcome_of(program, thorough, arguments.gates)
        for word in ["all", f"{program.flow['flow']} flow", _loss(program), *program.words]:
            table[word, found.outcome] += 1
            table[word, "violations"] += bool(found.violations)
        notes.update([*found.checks, *(f"unclear: {said.split()[0]}" for said in found.unclear)])
        bad += bool(found.violations)
        for kind in dict(found.violations):
            kinds[kind] += 1
            few = kinds[kind] <= MOST_SHOWN
            said = shown(program, kind, thorough, arguments.gates) if few else f"# {kind}: program {program.seed}"
            console.print(said, soft_wrap=True, markup=False, highlight=False)
            sys.stdout.flush()
    console.print(summary(table))
    console.print(", ".join(f"{count} {said}" for said, count in sorted((notes + kinds).items())), highlight=False)
    console.print(f"{arguments.count} programs of seed {arguments.seed} from {arguments.first}: {bad} with violations, "
                  f"{time.perf_counter() - start:.0f} s")  # fmt: skip
    sys.exit(1 if bad else 0)


def _loss(program: Case) -> str:
    return f"loss {program.loss}" if isinstance(program.loss, str) else "loss given"


def summary(counts: Counter[tuple[str, str]]) -> Table:
    """One row for each operation, flow and loss."""
    table = Table("programs with", "number", *OUTCOMES, "violations")
    words = {word for word, _ in counts} - {"all"}
    for word in [*sorted(words), "all"]:
        row = [counts[word, outcome] for outcome in OUTCOMES]
        table.add_row(word, str(sum(row)), *map(str, row), str(counts[word, "violations"]))
    return table


if __name__ == "__main__":
    main()
