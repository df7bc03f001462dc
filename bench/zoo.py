"""Laws of published architectures: python bench/zoo.py [--of LIBRARY ...] [--seconds S] [--rows FILE] [NAME ...].

Each network of architectures.py is read by ``clexact.torch.laws``, and its laws are checked by autograd in float64, in
a process of its own, within so many seconds. A row says: parameters that are trained, operations, seconds to read it,
laws, independent numbers, the share of the parameters that laws touch, the largest residual (about 1e-8 where the
network itself computes in float32 on the way); what was cut out or has no rule; or why there is nothing. Libraries that
are not installed are left out. ``--rows FILE`` keeps the rows, as lines of JSON, and takes those that are there;
``--markdown FILE`` writes a table of them. Exit status 1 if a law is contradicted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from architectures import LIBRARIES, Made

from clexact.torch import ModuleLaws, check, laws

PREFACE = """Written by `bench/zoo.py`: {0} architectures, built from their configurations with random weights, most
of them small. {1} are read, {2} of them whole, the others cut at what is named. {3} have laws that autograd checked in
float64 (about 1e-8 is rounding where a network computes in float32 on the way), and {4} a law that it contradicted.
A contradiction may be an error of PyTorch's own gradient, as in BatchNorm for one image ([here](pytorch.md)).
The share is that of the trained parameters that laws touch; seconds are those of `laws` on two cores with other work
on them."""
LARGEST = 10**8  # parameters of a network that is checked by autograd
Row = dict[str, Any]
NEXT = "Next: [PyTorch modules](pytorch.md), what is read and what is proved; [the architectures](models.md).\n"


def row(made: Made) -> Row:
    """What is found of one network."""
    network, example = made
    sizes = {name: p.numel() for name, p in network.named_parameters() if p.requires_grad}
    start = time.perf_counter()
    found = laws(network, example, certify=False)
    seconds = time.perf_counter() - start
    touched = {name for law in found for name in law.parameters}
    share = sum(size for name, size in sizes.items() if name in touched) / sum(sizes.values())
    told = {"parameters": sum(sizes.values()), "seconds": round(seconds, 1), "laws": len(found),
            "numbers": found.count, "share": round(share, 2)}  # fmt: skip
    if found.disputed:
        law, why = found.disputed[0]
        return told | {"outcome": f"CONTRADICTED: {law.formula}: {why}"}
    if found.uncovered and found.uncovered[0].name == "the whole module":
        return told | {"outcome": f"not read: {found.uncovered[0].reason}"}
    told["outcome"] = _opaque(found)
    return told | ({"residual": residual(network, example, found)} if sum(sizes.values()) <= LARGEST else {})


def residual(network: torch.nn.Module, example: Any, found: ModuleLaws) -> float | str:
    """The largest of all laws, or why there is none."""
    try:
        return max(check(network, example, found).values(), default=0.0)
    except RuntimeError as error:
        return f"not run in float64: {str(error)[:80]}"


def _opaque(found: ModuleLaws) -> str:
    """What is cut or has no rule."""
    said = [part.name for part in found.uncovered if "nothing is claimed" in part.reason]
    failed = [part.name for part in found.uncovered if "please report" in part.reason]
    what = "; ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")
    return f"A RULE FAILED: {'; '.join(failed[:3])}" if failed else f"cut at {what}" if said else "read"


def told(library: str, name: str, results: Any) -> None:
    """A row, or the error, for another process."""
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    try:
        made = LIBRARIES[library]()[name]()
    except Exception as error:  # whatever a library raises
        return results.put({"outcome": f"not built: {_first(error)}"})
    try:
        results.put(row(made))
    except Exception as error:
        results.put({"outcome": f"FAILED: {_first(error)}"})


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:150]}"


def within(library: str, name: str, seconds: float) -> Row:
    """A row, from a process of its own."""
    context = multiprocessing.get_context("forkserver")  # which has imported the libraries once
    context.set_forkserver_preload(
        ["architectures", "clexact.torch", *LIBRARIES, "transformers.models.auto.modeling_auto"]
    )
    results = context.SimpleQueue()
    process = context.Process(target=told, args=(library, name, results))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return {"outcome": f"not done in {seconds:.0f} s"}
    return dict(results.get()) if process.exitcode == 0 else {"outcome": f"ended with status {process.exitcode}"}


def line(found: Row) -> str:
    """A row as text."""
    if "laws" not in found:
        return f"  {found['outcome']}"
    numbers = f"{found['parameters']:12,}{found['seconds']:8.1f}{found['laws']:6}{found['numbers']:10,}"
    return f"{numbers}{found['share']:8.0%}  {_residual(found):10}  {found['outcome']}"


def _residual(found: Row) -> str:
    value = found.get("residual", "")
    return f"{value:.1e}" if isinstance(value, float) else str(value)


def markdown(rows: Sequence[Row]) -> str:
    """A page of all rows."""
    read = [found for found in rows if "laws" in found and not found["outcome"].startswith(("not", "CONTRA"))]
    checked = [found for found in read if isinstance(found.get("residual"), float) and found["laws"]]
    wrong = sum("CONTRADICTED" in found["outcome"] for found in rows)
    whole = sum(found["outcome"] == "read" for found in read)
    lines = [
        "# Laws of published architectures",
        "",
        PREFACE.format(len(rows), len(read), whole, len(checked), wrong),
        "",
    ]
    for library in LIBRARIES:
        lines += [f"## {library}", "", "| network | parameters | s | laws | numbers | share | residual | outcome |",
                  "|---|---|---|---|---|---|---|---|"]  # fmt: skip
        for found in rows:
            if found["library"] == library:
                cells = ("", "", "", "", "", "")
                if "laws" in found:
                    cells = (f"{found['parameters']:,}", f"{found['seconds']:.1f}", str(found["laws"]),
                             f"{found['numbers']:,}", f"{found['share']:.0%}", _residual(found))  # fmt: skip
                lines.append(f"| {' | '.join((found['name'], *cells, found['outcome'].replace('|', ' ')))} |")
        lines.append("")
    return "\n".join([*lines, NEXT])


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="networks; default: all")
    parser.add_argument("--of", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    kept = arguments.rows.read_text().splitlines() if arguments.rows and arguments.rows.exists() else []
    rows: list[Row] = [json.loads(text) for text in kept]
    known = {(found["library"], found["name"]) for found in rows}
    print(f"{'':34}{'parameters':>12}{'s':>8}{'laws':>6}{'numbers':>10}{'share':>8}  residual")
    for library in arguments.of:
        try:
            names = list(LIBRARIES[library]())
        except ImportError:
            print(f"{library} is not installed")
            continue
        for name in names:
            if (arguments.names and name not in arguments.names) or (library, name) in known:
                continue
            rows.append({"library": library, "name": name} | within(library, name, arguments.seconds))
            print(f"{name:34}{line(rows[-1])}", flush=True)
            if arguments.rows:
                with arguments.rows.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows))
    sys.exit(any("CONTRADICTED" in found["outcome"] for found in rows))


if __name__ == "__main__":
    main()
