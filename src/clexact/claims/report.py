"""The report of findings: ``report.html``, one page that needs no network, and ``report.md``.

Both are filled from records alone: no number of a report is computed here.
"""

from __future__ import annotations

import base64
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from clexact.claims import maps, maths, pictures, sources
from clexact.claims.judge import ClaimVerdict
from clexact.claims.record import Cell, Record
from clexact.support.extras import command
from clexact.support.files import write_atomically
from clexact.support.provenance import engine, versions

FILES = ("report.html", "report.md")
TEMPLATES = Path(__file__).parent / "templates"
ROWS = 150  # of a table of counts; the others are in the stored finding
OPEN_ROWS = 4  # a table of so many rows is not folded
SHORT = 420  # characters of LaTeX of the laws shown as an example
SYMBOLS = {
    ClaimVerdict.PROVED: "∀",
    ClaimVerdict.CONFIRMED: "✓",
    ClaimVerdict.PARTLY: "◐",
    ClaimVerdict.MISPRINT: "✎",
    ClaimVerdict.REFUTED: "✕",
    ClaimVerdict.OPEN: "?",
}
MARKS = {True: "✓", False: "✕", None: "?"}
CLASSES = {True: "yes", False: "no", None: "maybe"}
NO_REPORT = "The report is not written, for want of {}: {} brings it."
NO_PICTURES = "The report has no pictures, for want of matplotlib: {} brings it."


def write(records: Sequence[Record], folder: Path) -> list[str]:
    """Write both forms of the report and its pictures; in sentences, what was written and what is missing."""
    missing = _missing("jinja2", "latex2mathml.converter")
    if missing:
        return [NO_REPORT.format(missing, command("report"))]
    drawn = {} if _missing("matplotlib") else _draw(records)
    for name, data in drawn.items():
        (folder / "pictures").mkdir(exist_ok=True)
        write_atomically(folder / "pictures" / pictures.file_name(name), data)
    for name, text in zip(FILES, (html(records, drawn), markdown(records, drawn)), strict=True):
        write_atomically(folder / name, text.encode())
    wanted = {name for record in records for name in record.pictures}
    return [f"report: {folder / 'report.html'}, {folder / 'report.md'}"] + [NO_PICTURES.format(command("plot"))] * bool(
        wanted - drawn.keys()
    )


def _missing(*modules: str) -> str:
    """The first of these modules that is not installed."""
    for module in modules:
        try:
            __import__(module)
        except ImportError:
            return module.partition(".")[0]
    return ""


def _draw(records: Iterable[Record]) -> dict[str, bytes]:
    """The pictures that the claims name, each once."""
    return {name: pictures.draw(name) for name in dict.fromkeys(n for record in records for n in record.pictures)}


def html(records: Sequence[Record], drawn: Mapping[str, bytes]) -> str:
    """The page."""
    return _filled("report.html.jinja", records, drawn, escaped=True)


def markdown(records: Sequence[Record], drawn: Mapping[str, bytes]) -> str:
    """The same for GitHub."""
    return _filled("report.md.jinja", records, drawn, escaped=False)


def _filled(template: str, records: Sequence[Record], drawn: Mapping[str, bytes], escaped: bool) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=escaped, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    first = {name: record.id for record in reversed(records) for name in record.pictures}
    shown = {name: _Picture(name, data, first[name]) for name, data in drawn.items()}
    environment.filters.update(_filters())
    environment.globals.update(
        topics=_topics(records), totals=_totals(records), records=records, pictures=shown, versions=versions(),
        symbols=SYMBOLS, marks=MARKS, classes=CLASSES, panels=maps.panels, strips=maps.strips, examples=examples,
        date=today(), cited=cited, bibtex=bibtex,
        rows=ROWS, open_rows=OPEN_ROWS, seconds=sum(record.seconds for record in records),
        corrected=sum(record.corrected for record in records),
    )  # fmt: skip
    return str(environment.get_template(template).render())


def _filters() -> dict[str, Callable[..., Any]]:
    from markupsafe import Markup

    return {
        "maths": lambda latex: Markup(maths.to_html(latex)),
        "prose": lambda text: Markup(maths.prose_to_html(text)),
        "stop": lambda latex: Markup(
            ' tabindex="0"' if len(latex) > maths.LONG else ""
        ),  # what a narrow page may scroll
        "linked": lambda source: Markup(maths.linked(source)),
        "verdicts": verdicts,
        "references": sources.references,
        "dollars": maths.to_markdown,
        "plain": maths.plain,
        "anchor": anchor,
        "signs": maths.signs,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }


def today() -> str:
    """The date in UTC, or that of SOURCE_DATE_EPOCH, by which the same report can be made again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch) if epoch.isdecimal() else time.time(), UTC).date().isoformat()


def cited(record: Record) -> str:
    """How a finding is cited, in a line."""
    found = f"claim {record.id} ({record.source}): {record.verdict.value}"
    return f"clexact developers, “{record.title}”, {found}. clexact {engine()}, {_how(record)}, {today()}."


def _how(record: Record) -> str:
    return f"budget {record.budget}, seed {record.seed}"


def bibtex(record: Record) -> str:
    """The same for LaTeX."""
    note = f"Claim {record.id} ({record.source}): {record.verdict.value}; clexact {engine()}, {_how(record)}, {today()}"
    rows = {
        "author": "{clexact developers}",
        "title": record.title,
        "year": today()[:4],
        "howpublished": record.command,
        "note": note,
    }
    entries = [f"  {name} = {{{maths.for_latex(text) if name != 'author' else text}}}" for name, text in rows.items()]
    return ",\n".join([f"@misc{{clexact-{anchor(record.id)}", *entries]) + "\n}"


@dataclass(frozen=True)
class _Picture:
    """A picture as the templates use it."""

    name: str
    data: bytes
    first: str  # the claim that shows it

    @property
    def caption(self) -> str:
        """What it shows, in words."""
        return pictures.CAPTIONS[self.name]

    @property
    def path(self) -> str:
        """Beside the report."""
        return f"pictures/{pictures.file_name(self.name)}"

    @property
    def uri(self) -> str:
        """The picture itself, as an address."""
        kind = "svg+xml" if self.path.endswith(".svg") else "png"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


def anchor(name: str) -> str:
    """The name of a claim's or topic's place in the page."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def _topics(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    return [(topic, list(group)) for topic, group in groupby(records, key=lambda record: record.topic)]


def verdicts(records: Iterable[Record]) -> tuple[str, ...]:
    """The names of the verdicts of these findings, each once."""
    return tuple(sorted({record.verdict.name.lower() for record in records}))


def _totals(records: Iterable[Record]) -> list[tuple[ClaimVerdict, int]]:
    found = Counter(record.verdict for record in records)
    return [(verdict, found[verdict]) for verdict in ClaimVerdict if found[verdict]]


def examples(record: Record) -> list[Cell]:
    """A size where it holds and one where it fails, with laws short enough to be read."""

    def chosen(holds: bool | None) -> list[Cell]:
        short = [c for c in record.written.where(holds) if c.laws and sum(map(len, c.laws)) <= SHORT]
        return [max(short, key=lambda cell: len(cell.laws))] if short else []

    return chosen(True) + chosen(False) + chosen(None)
