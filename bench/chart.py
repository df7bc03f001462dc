"""Draw seconds of clexact against D by family, from the growth table of a result file of bench/run.py.

    python bench/chart.py [RESULTS.json] [OUT.svg or OUT.png]

Without names: bench-results.json and docs/growth.svg. Needs matplotlib, the extra clexact[bench].
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from compare import NoResultFileError, load

Row = dict[str, Any]
ROOT = Path(__file__).parent.parent
MARKERS = "os^Dv*PX"
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#e69f00", "#999999"]  # Okabe and Ito


def curves(record: dict[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """(D, seconds) of each family, in order of D, failed rows left out."""
    out: dict[str, list[tuple[int, float]]] = {}
    for row in record["tables"].get("growth", []):
        if row.get("seconds"):
            out.setdefault(row["family"], []).append((row["D"], row["seconds"]))
    return {family: sorted(points) for family, points in out.items()}


def labels(record: dict[str, Any]) -> dict[str, str]:
    """Each family with its exponent, as mathematics for matplotlib."""
    slopes = {row["family"]: row["exponent"] for row in record["tables"].get("exponents", [])}
    return {
        family: family if slopes.get(family) is None else rf"{family}:  $D^{{\,{slopes[family]:.1f}}}$"
        for family in curves(record)
    }


def draw(record: dict[str, Any], out: Path) -> None:
    """The chart, as the suffix of the file says; the same record gives the same file."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update({"font.size": 11, "svg.hashsalt": "clexact", "svg.fonttype": "path"})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 5), layout="constrained")
    names = labels(record)
    for i, (family, points) in enumerate(curves(record).items()):
        style: dict[str, Any] = {"marker": MARKERS[i % len(MARKERS)], "color": COLORS[i % len(COLORS)]}
        axes.plot(*zip(*points, strict=True), label=names[family], markersize=5, linewidth=1.4, **style)
    axes.set(xscale="log", yscale="log", xlabel="D, number of parameters", ylabel="seconds")
    axes.grid(True, which="major", color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, title="family:  growth at large D", alignment="left", fontsize=10, title_fontsize=10)
    metadata = {"Date": None} if out.suffix == ".svg" else {}
    figure.savefig(out, dpi=150, metadata=metadata)
    pyplot.close(figure)


def main(words: list[str] | None = None) -> int:
    """Draw the chart and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", default="bench-results.json", metavar="RESULTS.json")
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "docs" / "growth.svg", metavar="OUT")
    arguments = parser.parse_args(words)
    if arguments.out.suffix not in (".svg", ".png"):
        parser.error(f"the chart must be .svg or .png, not {arguments.out}.")
    try:
        record = load(arguments.results)
        if not curves(record):
            raise NoResultFileError(f"{arguments.results} has no growth table with times.")
        draw(record, arguments.out)
    except NoResultFileError as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        print("The chart needs matplotlib: pip install 'clexact[bench]'.", file=sys.stderr)
        return 2
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
