"""Write docs/true-networks.md and docs/true-networks.svg: laws near starts against those of free gates.

    python docs/make_true_networks.py [STARTS]

A few minutes for 100 starts of each network. Needs matplotlib, the extra clexact[plot].
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

import clexact
from clexact.counting.many_starts import StartCounts

DOCS = Path(__file__).parent
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]  # Okabe and Ito
INIT = "kaiming", "uniform"
DEPTHS, WIDTHS = {1: (1, 2, 3), 2: (1, 2)}, (2, 3, 4)  # hidden layers to a number of inputs; units of each
SINGLE = [
    ("relu 1 4 4 1 --bias", "relu", [1, 4, 4, 1], {"bias": True}),
    ("relu 1 3 3 1 --bias --slope 1/10", "relu", [1, 3, 3, 1], {"bias": True, "slope": "1/10"}),
    ("relu 1 4 1", "relu", [1, 4, 1], {}),
    ("relu 2 4 2", "relu", [2, 4, 2], {}),
    ("relu 2 3 3 2", "relu", [2, 3, 3, 2], {}),
    ("maxpool 3 2 2", "maxpool", [3, 2, 2], {}),
    ("residual 2 3 --blocks 2 --relu", "residual", [2, 3], {"blocks": 2, "relu": True}),
]
HEAD = "| network | laws with free gates | starts with as many | mean near a start | most | exact | on a kink |"


def counted(family: str, sizes: list[int], options: dict[str, Any], starts: int) -> StartCounts:
    """The counts near starts of a network of the library."""
    model = clexact.models.rebuild({"family": family, "sizes": sizes, **options})
    return clexact.near_starts(clexact.gradient_flow(model), starts, *INIT)


def same(found: StartCounts) -> float:
    """The share of starts near which there are exactly as many laws as with free gates."""
    free = found.free.upper
    return sum(c.lower == c.upper == free for c in found.counts) / max(1, len(found.counts))


def mean(found: StartCounts) -> float:
    """Of the laws that are proved near each start."""
    return sum(c.lower for c in found.counts) / max(1, len(found.counts))


def row(command: str, found: StartCounts) -> str:
    """Of the table."""
    exact = sum(c.lower == c.upper for c in found.counts)
    most = max((c.lower for c in found.counts), default=0)
    alike = f"{round(100 * same(found))} %"
    cells = [f"`{command}`", found.free.upper, alike, f"{mean(found):.1f}", most, exact, len(found.tied)]
    return "| " + " | ".join(map(str, cells)) + " |"


def draw(found: dict[tuple[int, int, int], StartCounts]) -> None:
    """For each number of inputs the mean number of laws beyond those of free gates, over the width."""
    matplotlib.rcParams.update({"font.size": 11, "svg.hashsalt": "clexact", "svg.fonttype": "path"})
    figure, axes = pyplot.subplots(1, len(DEPTHS), figsize=(8, 3.6), layout="constrained", sharey=True)
    for axis, (inputs, depths) in zip(axes, DEPTHS.items(), strict=True):
        for color, depth in zip(COLORS, depths, strict=False):
            more = [mean(found[inputs, depth, w]) - found[inputs, depth, w].free.upper for w in WIDTHS]
            label = f"{depth} hidden layer{'s' * (depth > 1)}"
            axis.plot(WIDTHS, more, marker="o", color=color, label=label)
        axis.set(title=f"{inputs} input{'s' * (inputs > 1)}, with biases", xlabel="units of a layer", xticks=WIDTHS)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(True, color="0.88")
        axis.legend(frameon=False)
    axes[0].set_ylabel("laws beyond those of free gates")
    figure.savefig(DOCS / "true-networks.svg", metadata={"Date": None})


def main() -> None:
    """Write the page and the picture."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    grid, rows = dict[tuple[int, int, int], StartCounts](), [HEAD, "|---|---|---|---|---|---|---|"]
    for inputs, depths in DEPTHS.items():
        for depth in depths:
            for width in WIDTHS:
                sizes = [1, *[width] * depth, inputs]
                grid[inputs, depth, width] = counted("relu", sizes, {"bias": True}, starts)
                rows.append(row(f"relu {' '.join(map(str, sizes))} --bias", grid[inputs, depth, width]))
    rows += [row(command, counted(*rest, starts)) for command, *rest in SINGLE if command not in "".join(rows)]
    draw(grid)
    text = (DOCS / "true-networks.md.in").read_text(encoding="utf-8")
    filled = text.replace("{starts}", str(starts)).replace("{table}", "\n".join(rows))
    (DOCS / "true-networks.md").write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
