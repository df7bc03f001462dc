"""``clexact fit``: certify a family on a grid of sizes, and find a formula for the counts."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from clexact.cli.inputs import read_flow
from clexact.cli.theorem import read_subject
from clexact.counting.certify import certify
from clexact.counting.count import LawCount
from clexact.counting.memory import MemoryLimitError
from clexact.flows.flow import Flow
from clexact.formulas.fit import fit
from clexact.formulas.formula import Formula
from clexact.formulas.grid_axes import Order, integers, read_order
from clexact.formulas.quantities import Sizes
from clexact.models import FAMILIES
from clexact.programs.gates import qualification
from clexact.support.errors import error_bits
from clexact.support.limits import Limits, limits
from clexact.theorems.prove import prove
from clexact.theorems.theorem import Theorem

MOST_SIZES = 20_000
TABLE_WIDTH = 140  # of tables that do not go to a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grid, and how the counts are certified and shown."""
    parser.add_argument("--grid", required=True, metavar="AXES", help="sizes, such as n=1..5,m=1|2|5,r=1..6")
    parser.add_argument("--sizes", metavar="ORDER", help='order of the sizes of the family, such as "n r m" or "n 3 m"')
    parser.add_argument("--max-dimension", type=int, metavar="D", help="skip networks of more than D coordinates")
    parser.add_argument("--degree", type=int, default=2, metavar="K", help="degree of the polynomial laws (default 2)")
    parser.add_argument("--max-depth", type=int, metavar="K", help="depth of nested brackets, at most")
    parser.add_argument("--table", action="store_true", help="one row for each size, with its bounds")
    parser.add_argument("--latex", action="store_true", help="print the formula as LaTeX")


def read_grid(text: str) -> dict[str, list[int]]:
    """The values of each axis of a grid such as n=1..5,m=1|2|5; ValueError saying what was expected."""
    axes: dict[str, list[int]] = {}
    for part in text.split(","):
        name, equals, values = (word.strip() for word in part.partition("="))
        if not equals or not name.isidentifier():
            raise ValueError(f"--grid takes axes such as n=1..5 or n=1|2|5 joined by commas, not {part!r}.")
        if name in axes:
            raise ValueError(f"--grid names the axis {name!r} twice.")
        axes[name] = integers(f"the axis {name}", values, 1, MOST_SIZES)
    if (count := prod(map(len, axes.values()))) > MOST_SIZES:
        raise ValueError(f"--grid may have at most {MOST_SIZES} sizes, not {count}.")
    return axes


@dataclass
class Survey:
    """Certified counts on a grid, in the order of its sizes."""

    names: tuple[str, ...]
    counts: dict[Sizes, LawCount] = field(default_factory=dict)
    skipped: dict[Sizes, int] = field(default_factory=dict)  # with their dimensions
    interrupted: bool = False
    searched: bool = True  # for a formula

    @property
    def exact(self) -> dict[Sizes, int]:
        """The counts of the sizes whose bounds meet."""
        return {at: count.lower for at, count in self.counts.items() if count.exact}

    @property
    def open(self) -> dict[Sizes, tuple[int, int]]:
        """The bounds of the sizes whose bounds do not meet."""
        return {at: (count.lower, count.upper) for at, count in self.counts.items() if not count.exact}

    @property
    def error(self) -> Fraction:
        """The largest error of a count; 0 if all are proved."""
        return max((count.error for count in self.counts.values() if count.exact), default=Fraction(0))

    @property
    def scope(self) -> str:
        """Of which data and starts, and of which gates, the counts speak."""
        return next((count.scope for count in self.counts.values()), "")

    def cell(self, at: Sizes) -> str:
        """The count, its bounds, or - where there is none."""
        if at not in self.counts:
            return "-"
        count = self.counts[at]
        return str(count.lower) if count.exact else f"{count.lower}..{count.upper}"


def _flow_at(arguments: argparse.Namespace, order: Order, at: Mapping[str, int]) -> Flow:
    words = [arguments.target[0], *map(str, order.sizes(at))]
    try:
        return read_flow(argparse.Namespace(**(vars(arguments) | {"target": words})))
    except (ValueError, TypeError) as error:
        where = ", ".join(f"{x} = {v}" for x, v in at.items())
        raise ValueError(f"at {where}: {error}") from None


def survey(arguments: argparse.Namespace, axes: Mapping[str, list[int]], order: Order) -> Survey:
    """Certify every size of the grid; after Ctrl-C or a limit, those that were done."""
    found = Survey(tuple(axes))
    try:
        for at in _with_bar(list(product(*axes.values())), arguments):
            flow = _flow_at(arguments, order, dict(zip(axes, at, strict=True)))
            if arguments.max_dimension is not None and flow.dimension > arguments.max_dimension:
                found.skipped[at] = flow.dimension
                continue
            try:
                found.counts[at] = certify(
                    flow,
                    arguments.degree,
                    arguments.seed,
                    max_depth=arguments.max_depth,
                    memory_limit=arguments.memory_limit,
                )
            except MemoryLimitError:
                found.skipped[at] = flow.dimension
    except KeyboardInterrupt:
        found.interrupted = True
    return found


def _with_bar(sizes: list[Sizes], arguments: argparse.Namespace) -> Iterator[Sizes]:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, disable=arguments.quiet or not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        yield from bar.track(sizes, description=f"certifying {arguments.target[0]}")


def run(arguments: argparse.Namespace) -> tuple[bool, Limits]:
    """Certify, fit and print; whether it was interrupted, and by which limit."""
    started = time.perf_counter()
    if arguments.system is not None or len(arguments.target) != 1 or arguments.target[0] not in FAMILIES:
        given = " ".join(arguments.target) if arguments.system is None else f"--system {arguments.system}"
        raise ValueError(f"fit takes one family ({', '.join(FAMILIES)}) and its sizes by --grid, not {given!r}.")
    if arguments.max_dimension is not None and arguments.max_dimension < 1:
        raise ValueError(f"--max-dimension must be at least 1, not {arguments.max_dimension}.")
    axes = read_grid(arguments.grid)
    order = read_order(arguments.target[0], list(axes), arguments.sizes)
    with limits(arguments.time_limit, arguments.memory_limit) as limited:
        found = survey(arguments, axes, order)
        formula = _formula(found, arguments.seed, limited)
        theorem = None if formula is None or limited.reached else _theorem(arguments, order, found)
    if arguments.json:
        data = _data(arguments, found, formula, order, time.perf_counter() - started)
        print(json.dumps(data | {"theorem": None if theorem is None else theorem.to_dict()}))
    else:
        _print(arguments, axes, found, formula, order, theorem)
    return found.interrupted, limited


def _theorem(arguments: argparse.Namespace, order: Order, found: Survey) -> Theorem | None:
    """What is proved for all sizes, if anything is. ArithmeticError if a count of the grid contradicts it."""
    if order.deep:
        return None
    words = {"target": [arguments.target[0], *order.words], "where": None}
    try:
        theorem = prove(read_subject(argparse.Namespace(**(vars(arguments) | words))), grid=False)
    except KeyboardInterrupt:  # the formula stays
        return None
    for at, count in found.exact.items():
        stated = theorem.count(**dict(zip(found.names, at, strict=True))) if theorem.regimes else None
        if stated not in (None, count):
            raise ArithmeticError(f"{count} laws at {at} contradict a theorem: {stated}; this is a fault of clexact.")
    return theorem if theorem.regimes else None


def _formula(found: Survey, seed: int, limited: Limits) -> Formula | None:
    """The formula of the counts, if there is one and time to find it."""
    found.searched = bool(found.exact) and not limited.reached
    try:
        return fit(found.exact, found.names, seed=seed) if found.searched else None
    except KeyboardInterrupt:
        found.interrupted, found.searched = True, False
        return None


def _data(
    arguments: argparse.Namespace, found: Survey, formula: Formula | None, order: Order, seconds: float
) -> dict[str, Any]:
    return {
        "family": arguments.target[0],
        "flow": arguments.flow,
        "scope": found.scope,
        "sizes": str(order),
        "names": list(found.names),
        "counts": [{"sizes": list(at), "count": count} for at, count in found.exact.items()],
        "open": [{"sizes": list(at), "lower": low, "upper": high} for at, (low, high) in found.open.items()],
        "skipped": [{"sizes": list(at), "dimension": dimension} for at, dimension in found.skipped.items()],
        "error": f"2^-{error_bits(found.error)}" if found.error else "0",
        "formula": None if formula is None else formula.to_dict(),
        "seed": arguments.seed,
        "interrupted": found.interrupted,
        "seconds": round(seconds, 6),
    }


def _print(
    arguments: argparse.Namespace,
    axes: Mapping[str, list[int]],
    found: Survey,
    formula: Formula | None,
    order: Order,
    theorem: Theorem | None,
) -> None:
    if not arguments.quiet:
        print(f"{arguments.target[0]} of sizes [{order}], {arguments.flow} flow: {len(found.exact)} counts")
        table = _long_table(found) if arguments.table else _table(axes, found)
        Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(table)
    if formula is None and not found.searched:
        print("no formula: none was looked for to the end")
    elif formula is None:
        print("no formula: none fits some of these counts and holds at those held out; more sizes allow more terms")
    else:
        print(formula.to_latex() if arguments.latex else formula)
    if not arguments.quiet:
        for line in _remarks(found, formula, theorem):
            print(f"  {line}")


def _remarks(found: Survey, formula: Formula | None, theorem: Theorem | None) -> Iterator[str]:
    if formula is not None:
        unproved = "" if theorem is not None else "; nothing is proved at further sizes"
        yield (
            f"fitted at {len(formula.fitted)} sizes, tested at {len(formula.tested)} others: right at all of them "
            f"(seed {formula.seed}){unproved}"
        )
        for line in () if theorem is None else str(theorem).splitlines():
            yield line if line.startswith("not proved") else f"a theorem: {line}"
        if fixed := {x: v for x, v in zip(formula.names, formula.fitted[0], strict=True) if _fixed(formula, x)}:
            yield f"at {' and '.join(f'{x} = {v}' for x, v in fixed.items())} only"
        if formula.excluded:
            yield f"excluded, with their counts: {_listed({at: str(count) for at, count in formula.excluded})}"
    if free := qualification(found.scope):
        yield f"the counts are those{free}"
    if found.error:
        yield f"some counts are closed with error <= 2^-{error_bits(found.error)} each, not proved"
    if found.open:
        bounds = {at: f"{low}..{high}" for at, (low, high) in found.open.items()}
        yield f"open, left out since their bounds do not meet: {_listed(bounds)}"
    if found.skipped:
        yield f"skipped {len(found.skipped)} sizes, of up to {max(found.skipped.values())} coordinates"
    if found.interrupted:
        yield "interrupted: the counts so far"


def _fixed(formula: Formula, name: str) -> bool:
    """Whether a size has one value only where the formula was found."""
    i = formula.names.index(name)
    return len({at[i] for at in formula.fitted + formula.tested}) == 1


def _listed(rows: Mapping[Sizes, str]) -> str:
    return ", ".join(f"({', '.join(map(str, at))}): {text}" for at, text in rows.items())


def _table(axes: Mapping[str, list[int]], found: Survey) -> Table:
    """A row for each choice of all axes but the last, a column for each value of the last."""
    *outer, last = axes
    table = Table(*outer, *(f"{last} = {v}" if i == 0 else str(v) for i, v in enumerate(axes[last])))
    for column in table.columns:
        column.justify = "right"
    for at in product(*(axes[x] for x in outer)):
        table.add_row(*map(str, at), *(found.cell((*at, v)) for v in axes[last]))
    return table


def _long_table(found: Survey) -> Table:
    table = Table(*found.names, "D", "at least", "at most")
    for column in table.columns:
        column.justify = "right"
    for at, count in found.counts.items():
        table.add_row(*map(str, at), str(count.dimension), str(count.lower), str(count.upper))
    return table
