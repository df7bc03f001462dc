"""``clexact reproduce``: check every statement of the sources on its grid, and write the report."""

from __future__ import annotations

import argparse
import difflib
import json
import multiprocessing
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clexact.algebra.draws import Draws
from clexact.support.files import check_place
from clexact.support.threads import available, set_threads

if TYPE_CHECKING:  # the claims are read where they are used: they are many
    from clexact.claims.archive import Archive
    from clexact.claims.claim import Claim
    from clexact.claims.record import Record

FOLDER = "reproduction"
BUDGETS = ("quick", "full")
LOOK = 0.2  # seconds between two looks at what workers tell
Told = tuple[str, int, int]  # a claim, how many of its sizes are done, and how many there are
LISTED = 3  # ids that an error suggests
COLORS = {
    "proved for all sizes": "bold green",
    "confirmed": "green", "holds on a part": "yellow", "misprint": "magenta", "refuted": "red", "open": "blue",
}  # fmt: skip
PLURALS = {"holds on a part": "hold on a part", "misprint": "misprints"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which claims, how far, and where the results go."""
    parser.add_argument("--claims", metavar="IDS", help="ids or their beginnings, as linear,relu.count (default: all)")
    parser.add_argument("--budget", choices=BUDGETS, default="quick", help="how far the grids reach (default quick)")
    parser.add_argument("--out", default=FOLDER, metavar="DIR", help=f"folder of the results (default {FOLDER}/)")
    parser.add_argument("--jobs", type=int, default=available(), metavar="N", help="processes (default: one a core)")
    parser.add_argument("--list", action="store_true", help="list the ids and titles, and check nothing")


Chosen = list[tuple[str, "Claim"]]  # with the topic of each


def select(text: str | None) -> Chosen:
    """The claims that ids or their beginnings name, in the order of the sources; ValueError for an unknown one."""
    from clexact.claims import TOPICS

    every = [(topic, claim) for topic, claims in TOPICS.items() for claim in claims]
    if text is None:
        return every
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not any(_named(claim.id, word) for _, claim in every):
            raise ValueError(_unknown(word, [claim.id for _, claim in every]))
    return [(topic, claim) for topic, claim in every if any(_named(claim.id, word) for word in words)]


def _named(name: str, word: str) -> bool:
    """Whether a word is an id, or its first parts."""
    return name == word or name.startswith(f"{word}.")


def _unknown(word: str, ids: Sequence[str]) -> str:
    known = sorted({name.partition(".")[0] for name in ids} | set(ids))
    near = difflib.get_close_matches(word, known, LISTED, 0.5) or [name for name in known if "." not in name]
    return f"no claim is called {word!r}; did you mean {', '.join(near)}? clexact reproduce --list has all ids."


@dataclass
class Results:
    """The findings so far."""

    records: list[Record] = field(default_factory=list)
    reused: int = 0
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def totals(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = Counter(record.verdict.value for record in self.records)
        return {verdict: found[verdict] for verdict in COLORS}

    @property
    def corrected(self) -> int:
        """Of how many claims that fail what is true instead is proved for all sizes."""
        return sum(record.corrected for record in self.records)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        rows = [record.to_dict() | {"seconds": round(record.seconds, 6)} for record in self.records]
        ends = {"reused": self.reused, "interrupted": self.interrupted, "seconds": round(self.seconds, 3)}
        return {"totals": self.totals, "corrected_for_all_sizes": self.corrected, "findings": rows} | ends


def run(arguments: argparse.Namespace) -> bool:
    """Check, print and write; whether it was interrupted."""
    chosen = select(arguments.claims)
    if arguments.list:
        _print_list(chosen, arguments.json)
        return False
    from clexact.claims import report
    from clexact.claims.archive import Archive
    from clexact.claims.grid import Reach

    if arguments.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, not {arguments.jobs}.")
    Draws(arguments.seed)  # refuses a wrong seed before any work
    archive = Archive(Path(arguments.out), Reach(arguments.budget), arguments.seed)
    archive.open()
    for name in report.FILES:
        check_place(archive.folder / name)
    with _display(arguments) as display:
        results = _find(chosen, archive, arguments.jobs, display)
    written = _write_report(results, archive)
    for line in [json.dumps(results.to_dict())] if arguments.json else _summary(results, written):
        print(line)
    if results.interrupted:
        done = f"{len(results.records)} of {len(chosen)} claims"
        print(f"clexact: interrupted after {done}; the same command goes on from there.", file=sys.stderr)
    return results.interrupted


def _find(chosen: Chosen, archive: Archive, jobs: int, display: Display) -> Results:
    """One finding after the other; those that were found when Ctrl-C came."""
    results, started = Results(), time.perf_counter()
    try:
        for record, reused in _findings(chosen, archive, min(jobs, len(chosen)), display):
            results.records.append(record)
            results.reused += reused
            display.verdict(record)
    except KeyboardInterrupt:
        results.interrupted = True
    results.seconds = time.perf_counter() - started
    return results


def _findings(chosen: Chosen, archive: Archive, jobs: int, display: Display) -> Iterator[tuple[Record, bool]]:
    """The findings in their order, each with whether it was stored already; in so many processes."""
    if jobs == 1:
        yield from (archive.find(claim, topic, display.size) for topic, claim in chosen)
        return
    told: multiprocessing.SimpleQueue[Told] = multiprocessing.SimpleQueue()
    with _heard(told, display), multiprocessing.Pool(jobs, _start_worker, [told]) as pool:  # ended at once at its end
        yield from pool.imap(partial(_find_by_id, archive), [claim.id for _, claim in chosen])


@contextmanager
def _heard(told: multiprocessing.SimpleQueue[Told], display: Display) -> Iterator[None]:
    """Show what the workers tell, from a thread that nobody waits for: a worker may be ended within a message."""
    over = threading.Event()

    def show() -> None:
        while not over.wait(LOOK):
            while not told.empty():
                display.size(*told.get())

    threading.Thread(target=show, daemon=True).start()
    try:
        yield
    finally:
        over.set()


class _Worker:
    """What a process was started with."""

    told: multiprocessing.SimpleQueue[Told]


def _start_worker(told: multiprocessing.SimpleQueue[Told]) -> None:
    """Ctrl-C is for the parent; one thread for each process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_threads(1)
    _Worker.told = told


def _find_by_id(archive: Archive, name: str) -> tuple[Record, bool]:
    """Claims hold functions, which do not travel between processes: their names do."""
    topic, claim = next(pair for pair in select(name) if pair[1].id == name)
    return archive.find(claim, topic, lambda *size: _Worker.told.put(size))


class Display(Protocol):
    """What a user sees while it runs."""

    def size(self, claim: str, done: int, total: int) -> None:
        """The sizes of a claim that are done."""

    def verdict(self, record: Record) -> None:
        """A claim is done."""


class Silent:
    """Nothing."""

    def size(self, claim: str, done: int, total: int) -> None:
        """Not shown."""

    def verdict(self, record: Record) -> None:
        """Not shown."""


class Lines(Silent):
    """A plain line for each verdict."""

    def verdict(self, record: Record) -> None:
        """Printed at once."""
        print(f"{record.id:<28} {record.verdict.value:<20} {record.sentence}", flush=True)


class Growing:
    """On a terminal: a table that grows verdict by verdict above bars of progress."""

    def __init__(self, console: Console, bar: Progress, claims: int) -> None:
        self.console, self.bar = console, bar
        self.claims = bar.add_task("claims", total=claims)
        self.sizes = bar.add_task("", total=None)
        self.topic = ""

    def size(self, claim: str, done: int, total: int) -> None:
        """The second bar."""
        self.bar.update(self.sizes, description=claim, completed=done, total=total)

    def verdict(self, record: Record) -> None:
        """A row of the table, with the topic above its first."""
        if record.topic != self.topic:
            self.topic = record.topic
            self.console.print(f"\n[bold]{escape(record.topic)}[/bold]")
        row = Table.grid(padding=(0, 2), expand=True)
        for width in (26, 20):
            row.add_column(width=width)
        row.add_column(ratio=1)
        color = COLORS[record.verdict.value]
        row.add_row(escape(record.id), f"[{color}]{record.verdict.value}[/{color}]", escape(record.sentence))
        self.console.print(row)
        self.bar.advance(self.claims)


@contextmanager
def _display(arguments: argparse.Namespace) -> Iterator[Display]:
    if arguments.quiet or arguments.json:
        yield Silent()
        return
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    columns = TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        yield Growing(console, bar, len(select(arguments.claims)))


def _write_report(results: Results, archive: Archive) -> list[str]:
    """Write the report of these findings and of those stored before; what was written, or why not, in sentences."""
    from clexact.claims import report

    found = {record.id: record for record in results.records}
    records = [found.get(claim.id) or archive.stored(claim, topic) for topic, claim in select(None)]
    return report.write([record for record in records if record is not None], archive.folder)


def _summary(results: Results, written: Sequence[str]) -> Iterator[str]:
    done = len(results.records)
    again = f", {results.reused} of them from stored findings" if results.reused else ""
    said = counted(results.totals) or "none checked"
    yield f"{done} claim{'s' * (done != 1)}: {said} ({results.seconds:.1f} s{again})"
    if results.corrected:
        were = "formulas were" if results.corrected > 1 else "formula was"
        yield f"{results.corrected} corrected {were} proved for all sizes"
    yield from written


def counted(totals: Mapping[str, int]) -> str:
    """How many claims have each verdict, in words."""
    return ", ".join(
        f"{count} {PLURALS.get(verdict, verdict) if count > 1 else verdict}"
        for verdict, count in totals.items()
        if count
    )


def _print_list(chosen: Chosen, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"id": c.id, "topic": topic, "title": c.title, "source": c.source} for topic, c in chosen]))
        return
    last = ""
    for topic, claim in chosen:
        if topic != last:
            print(topic)
        last = topic
        print(f"  {claim.id:<28} {claim.title}")
