"""How often each outcome was met, kind by kind, of networks judged against floating point."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

FOUND = ("violations", "weaker", "unclear")


class Tally:
    """A row for each kind, and one for all."""

    def __init__(self, outcomes: Iterable[str]) -> None:
        self.words = [*outcomes, *FOUND]
        self.table, self.start = Counter[tuple[str, str]](), time.perf_counter()

    def add(self, kind: str, found: Any) -> None:
        """Count one network."""
        for row in (kind, "all"):
            self.table[row, found.outcome] += 1
            for word in FOUND:
                self.table[row, word] += bool(getattr(found, word))

    def end(self) -> None:
        """Print the table; exit with status 1 if something is false."""
        print(f"{'':12}" + "".join(f"{word:>12}" for word in self.words))
        for row in [*sorted({row for row, _ in self.table} - {"all"}), "all"]:
            print(f"{row:12}" + "".join(f"{self.table[row, word]:12}" for word in self.words))
        print(f"{time.perf_counter() - self.start:.0f} s")
        sys.exit(1 if self.table["all", "violations"] else 0)
