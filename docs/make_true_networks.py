"""Write docs/true-networks.md and docs/true-networks.svg: laws near starts against those of free gates.

    clexact sweep true-networks [--jobs N]      # writes true-networks.db, and goes on where it was stopped
    python docs/make_true_networks.py [true-networks.db]

The prose is in true-networks.md.in; every number comes from the rows. Needs matplotlib, the extra clexact[plot].
"""

from __future__ import annotations

import sys
from pathlib import Path

from clexact import plot
from clexact.counting.many_starts import StartCounts
from clexact.sweeps.case import Case
from clexact.sweeps.starts import by_layers, start_counts
from clexact.sweeps.store import Store

DOCS = Path(__file__).parent
HEAD = """\
| network | laws with free gates | starts with as many | mean near a start | most | exact | on a kink |
|---|---|---|---|---|---|---|"""
PICTURE = "--bias"  # the networks of the picture have biases, and starts as they are drawn there


def network(case: Case) -> str:
    """The command line of the generic case."""
    return case.label.removeprefix("certify ").partition(" --near")[0]


def row(case: Case, found: StartCounts) -> str:
    """Of the table: the numbers are those that are proved near each start."""
    laws, free = [c.lower for c in found.counts], found.free.upper
    exact = sum(c.lower == c.upper for c in found.counts)
    alike = round(100 * sum(c.lower == c.upper == free for c in found.counts) / len(laws))
    mean = f"{sum(laws) / len(laws):.1f}"
    cells = [f"`{network(case)}`", free, f"{alike} %", mean, max(laws), exact, len(found.tied)]
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Write the page and the picture."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "true-networks.db")
    with Store(path, write=False) as store:
        found = start_counts(store)
    found = dict(sorted(found.items(), key=lambda item: item[0].dimension or 0))
    drawn = {case: counts for case, counts in found.items() if PICTURE in case.label and "slope" not in case.label}
    plot.save(plot.starts(by_layers(drawn)), DOCS / "true-networks.svg")
    (starts,) = {len(counts.counts) + len(counts.tied) for counts in found.values()}
    rows = "\n".join([HEAD, *(row(case, counts) for case, counts in found.items())])
    text = (DOCS / "true-networks.md.in").read_text(encoding="utf-8")
    filled = text.replace("{starts}", str(starts)).replace("{table}", rows)
    (DOCS / "true-networks.md").write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
