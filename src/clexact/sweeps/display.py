"""What a user sees of a sweep while it runs: a live line on a terminal, else a plain line every few seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

REFRESH = 2.0  # times a second, on a terminal
EVERY = 5.0  # seconds between two plain lines
COLORS = {"done": "green", "stopped": "yellow", "failed": "red", "running": "cyan"}


@dataclass
class Tally:
    """How far a sweep is: cases to run and those run, with their estimated costs in seconds of one core."""

    total: int
    cost: float
    reused: int = 0  # rows that were in the store before
    slots: int = 1  # cases that run at once
    elsewhere: int = 0  # cases that another driver on the same store has taken
    counts: Counter[str] = field(default_factory=Counter)
    spent: float = 0.0  # of the estimated cost
    last: str = ""  # the case that ended last
    start: float = field(default_factory=time.monotonic)

    def add(self, status: str, cost: float, case: str = "") -> None:
        """A case has come to its end."""
        self.last = case
        self.counts[status] += 1
        self.spent += cost

    def leave(self, costs: Sequence[float]) -> None:
        """Cases are left to another driver."""
        self.elsewhere += len(costs)
        self.total -= len(costs)
        self.cost -= sum(costs)

    @property
    def ended(self) -> int:
        """How many cases have a row."""
        return self.counts.total()

    @property
    def running(self) -> int:
        """How many cases run, at most."""
        return min(self.slots, self.total - self.ended)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def remaining(self) -> float | None:
        """Seconds until the end, if the rest takes as long for its estimated cost as what is done; None at first."""
        return self.elapsed * (self.cost - self.spent) / self.spent if self.spent > 0 else None

    def parts(self) -> Iterator[tuple[str, str]]:
        """What is shown, each with the name of its color."""
        yield f"{self.ended:,} of {self.total:,} cases", ""
        yield f"{timedelta(seconds=round(self.elapsed))} so far", ""
        for status in ("running", "stopped", "failed"):
            count = self.running if status == "running" else self.counts[status]
            if count:
                yield f"{count:,} {status}", status
        if self.ended:
            yield f"{self.ended / self.elapsed:.3g} a second", ""
        left = self.remaining
        if left is not None and self.running:
            end = datetime.now() + timedelta(seconds=left)
            yield f"{timedelta(seconds=round(left))} left, ends about {end:%a %H:%M}", ""
        if self.last:
            yield f"last: {self.last}", ""

    def __str__(self) -> str:
        return ", ".join(words for words, _ in self.parts())

    def __rich__(self) -> Group:
        line = Text(", ").join(Text(words, COLORS.get(color, "")) for words, color in self.parts())
        return Group(ProgressBar(total=max(self.cost, 1e-9), completed=self.spent), line)


@contextmanager
def shown(tally: Tally, progress: bool) -> Iterator[None]:
    """With ``progress``, show a tally on standard error while the block runs: a thread draws it now and then."""
    console = Console(stderr=True)
    if not progress:
        yield
    elif console.is_terminal:
        with Live(console=console, get_renderable=tally.__rich__, refresh_per_second=REFRESH, transient=True):
            yield
    else:
        with _lines(tally):
            yield


@contextmanager
def _lines(tally: Tally) -> Iterator[None]:
    over = threading.Event()

    def write() -> None:
        while not over.wait(EVERY):
            print(tally, file=sys.stderr, flush=True)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
