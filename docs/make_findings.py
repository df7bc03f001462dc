"""Write docs/findings.md from the findings of a run of clexact reproduce.

    clexact reproduce [--budget full]      # writes reproduction/
    python docs/make_findings.py [reproduction/]

The prose is here, every number and verdict comes from the stored findings, which must be those of this very source.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from clexact.claims.archive import Archive, read
from clexact.claims.grid import Reach
from clexact.claims.judge import ClaimVerdict
from clexact.claims.maths import plain, to_markdown
from clexact.claims.record import Record
from clexact.cli.reproduce import FOLDER, Results, counted, select

PAGE = Path(__file__).parent / "findings.md"
HEAD = """\
# Findings

What the sources state, checked by exact arithmetic on grids of sizes that hold the edges: width 1, one input, one
output, middles wider than both ends together, five layers. Written by `python docs/make_findings.py` from a run of

    clexact reproduce --budget {budget} --seed {seed}

{claims} statements: {totals}; of those that fail, {corrected} corrected formulas are proved for all sizes. Any other
verdict speaks of the sizes checked. A formula marked *fitted* was found on some of them and is right on all others,
which is no proof beyond them. The command under each statement repeats it.
"""
SECTIONS: list[tuple[str, str, tuple[ClaimVerdict, ...]]] = [
    (
        "Fails at some sizes",
        "Stated without conditions, or with others; the condition given here is exact on the grid.",
        (ClaimVerdict.PARTLY, ClaimVerdict.REFUTED),
    ),
    ("Misprints", "False as written; what was meant is true on all of the grid.", (ClaimVerdict.MISPRINT,)),
    ("Open", "Nothing fails, but somewhere the certified bounds do not meet.", (ClaimVerdict.OPEN,)),
    (
        "Proved for all sizes",
        "True at every size of the grid, and a theorem with a certificate covers all sizes ([theorems](theorems.md)).",
        (ClaimVerdict.PROVED,),
    ),
    ("Confirmed", "True at every size of the grid.", (ClaimVerdict.CONFIRMED,)),
]
TRUE = (ClaimVerdict.PROVED, ClaimVerdict.CONFIRMED)


def records_in(folder: Path) -> list[Record]:
    """The findings of a folder, in the order of the sources. ValueError if one is missing or of another source."""
    found, missing = [], []
    for topic, claim in select(None):
        stored = read(folder / "findings" / f"{claim.id}.json")
        budget, seed = (stored[0].budget, stored[0].seed) if stored else ("quick", 0)
        record = Archive(folder, Reach(budget), seed).stored(claim, topic)
        if record is None:
            missing.append(claim.id)
        else:
            found.append(record)
    if missing:
        raise ValueError(f"no current finding in {folder} on {', '.join(missing)}: run clexact reproduce first.")
    if len({(record.budget, record.seed) for record in found}) > 1:
        raise ValueError(f"the findings in {folder} are of several budgets or seeds: run clexact reproduce again.")
    return found


def page(records: Sequence[Record]) -> str:
    """The page."""
    totals = counted(Results(list(records)).totals)
    corrected = sum(record.corrected for record in records)
    head = HEAD.format(
        budget=records[0].budget, seed=records[0].seed, claims=len(records), totals=totals, corrected=corrected
    )
    lines = [head]
    for title, meaning, verdicts in SECTIONS:
        mine = [record for record in records if record.verdict in verdicts]
        lines += _section(title, meaning, mine, _short if verdicts[0] in TRUE else _long)
        if ClaimVerdict.MISPRINT in verdicts:
            lines += _section("New", NEW, [r for r in records if r.verdict not in TRUE and _new(r)], _true)
    lines += _section("Beyond the polynomial laws", MORE, [r for r in records if _more(r)], _beyond)
    return "\n".join([*lines, NEXT])


NEXT = "Next: [certified counts as CSV](data/README.md); [how a number is cited](how-to/cite.md).\n"
NEW = "What holds on all of the grid where the statement as written does not, and the formulas fitted to the counts."
MORE = "More independent laws are certified at these sizes than are polynomials of the degree searched."


def _section(
    title: str, meaning: str, records: Iterable[Record], written: Callable[[Record], Iterator[str]]
) -> list[str]:
    entries = ["\\\n".join(written(record)) + "\n" for record in records]  # each line stays a line
    return [f"## {title}\n", f"{meaning}\n", *entries] if entries else []


def _headline(record: Record) -> str:
    return f"- **{plain(record.title)}** ({plain(record.source)}): {plain(record.written.words)}."


def _short(record: Record) -> Iterator[str]:
    yield _headline(record)
    yield f"  {plain(_sentence(record.sentence))}"
    yield f"  `{record.command}`"


def _long(record: Record) -> Iterator[str]:
    yield _headline(record)
    yield f"  As written: {to_markdown(record.written.latex)}."
    yield f"  **{plain(_sentence(record.sentence))}**"
    if record.verdict is ClaimVerdict.MISPRINT and record.nearby:
        yield f"  Meant: {plain(record.nearby.words)}, {to_markdown(record.nearby.latex)}."
    if record.note:
        yield f"  {plain(record.note)}"
    yield f"  `{record.command}`"


def _new(record: Record) -> bool:
    return bool(record.formula or (record.nearby and _confirmed(record)))


def _confirmed(record: Record) -> bool:
    """Whether the nearby statement holds on all of the grid."""
    return record.nearby is not None and len(record.nearby.where(True)) == len(record.nearby.cells)


def _true(record: Record) -> Iterator[str]:
    yield f"- **{plain(record.title)}**"
    if record.nearby and _confirmed(record):
        sizes = len(record.nearby.cells)
        where = "Proved for all sizes" if record.nearby.proved else f"At all {sizes} sizes"
        yield f"  {plain(_sentence(record.nearby.words))} {where}: {to_markdown(record.nearby.latex)}."
    if record.formula:
        fitted, tested = len(record.formula["fitted"]), len(record.formula["tested"])
        yield f"  Fitted on {fitted} sizes, right on {tested} others: {to_markdown(record.formula['latex'])}."
    yield f"  `{record.command}`"


def _more(record: Record) -> list[str]:
    return list(dict.fromkeys(cell.more for cell in record.written.cells if cell.more))


def _beyond(record: Record) -> Iterator[str]:
    yield f"- **{plain(record.title)}**"
    for more in _more(record):
        places = [cell.at for cell in record.written.cells if cell.more == more]
        yield f"  {plain(_sentence(more))} At {plain('; '.join(places[:8]))}{' and others' * (len(places) > 8)}."
    yield f"  `{record.command}`"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def main(arguments: Sequence[str]) -> int:
    """Write the page; 2 if the findings are not all there."""
    try:
        records = records_in(Path(arguments[0] if arguments else FOLDER))
    except ValueError as error:
        print(f"make_findings: {error}", file=sys.stderr)
        return 2
    PAGE.write_text(page(records), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
