"""``clexact sweep``: all cases of a spec, in parallel, into a store from which an interrupted sweep goes on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from clexact.support.limits import MIB
from clexact.support.threads import available

if TYPE_CHECKING:  # SQLite and more is read where it is used
    from clexact.sweeps.display import Tally
    from clexact.sweeps.store import Store
    from clexact.sweeps.sweep import Plan

EPILOG = """\
examples:
  clexact sweep linear                         a spec that comes with clexact, into linear.db here
  clexact sweep myspec.toml --dry-run          list the cases and what they may take
  clexact sweep myspec.toml --jobs 8           the same command goes on after Ctrl-C or a crash
  clexact sweep myspec.toml --cluster tcp://host:8786
  clexact sweep myspec.toml --shard 3/20 --db shard-3.db
  clexact results myspec.db
"""
CUT_SHORT, INTERRUPTED = 3, 130
WIDTH = 140  # of a table that does not go to a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is run, where, and within what limits."""
    parser.add_argument("spec", metavar="SPEC", help="a file SPEC.toml, or the name of a spec that comes with clexact")
    parser.add_argument("--db", metavar="FILE", help="the store (default: the spec's name with .db, here)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a dask scheduler, tcp://host:8786, instead of processes")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="only every N-th case, from the I-th")
    parser.add_argument("--dry-run", action="store_true", help="list the cases with their estimated cost; run none")
    parser.add_argument("--retry-failed", action="store_true", help="also run again what failed before")
    parser.add_argument("--time-limit", type=float, metavar="S", help="seconds of a case (default: as the spec says)")
    parser.add_argument("--memory-limit", type=int, metavar="MIB", help="memory of a case (default: as the spec says)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress, and only the answer")


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with 1 <= I <= N, as 3/20, not {text!r}")
    return int(index), int(count)


def run(arguments: argparse.Namespace) -> int:
    """The exit status: 0 at the end, 3 if the sweep cannot go on, 130 after Ctrl-C."""
    from clexact.sweeps.database import StoreError
    from clexact.sweeps.execute import SweepError
    from clexact.sweeps.sandbox import SandboxError
    from clexact.sweeps.store import Store
    from clexact.sweeps.sweep import carry_out, check_jobs

    if arguments.cluster is not None and arguments.jobs is not None:
        raise ValueError("give either --jobs or --cluster: a cluster has the processes that its workers have.")
    plans = _plans(arguments)
    if arguments.dry_run:
        _print_plans(plans, arguments.json)
        return 0
    path = Path(f"{Path(arguments.spec).stem}.db" if arguments.db is None else arguments.db)
    jobs = available() if arguments.jobs is None else arguments.jobs
    check_jobs(jobs)  # before the store is made
    with Store(path) as store:
        try:
            tally = carry_out(plans, store, jobs, arguments.cluster, arguments.retry_failed, not arguments.quiet)
        except KeyboardInterrupt:
            print(f"clexact: interrupted. {_resume(store)}", file=sys.stderr)
            return INTERRUPTED
        except (SweepError, SandboxError, StoreError) as error:
            print(f"clexact sweep: {error} {_resume(store)}", file=sys.stderr)
            return CUT_SHORT
    for line in [json.dumps(_data(tally, path))] if arguments.json else _summary(tally, path):
        print(line)
    return 0


def _resume(store: Store) -> str:
    return f"{len(store)} rows are in {store.path}, and the same command goes on from there."


def _plans(arguments: argparse.Namespace) -> list[Plan]:
    """The cases of this shard, the largest first, so that all shards take about as long."""
    from clexact.sweeps.certified import Budget
    from clexact.sweeps.spec import read_spec
    from clexact.sweeps.sweep import planned

    given = {"seconds": arguments.time_limit, "mebibytes": arguments.memory_limit}
    given = {name: value for name, value in given.items() if value is not None}
    Budget(**given)  # refuses wrong limits before any work
    budgets = read_spec(arguments.spec).budgets
    plans = planned({case: replace(budget, **given) for case, budget in budgets.items()})
    index, count = arguments.shard or (1, 1)
    return sorted(plans, key=lambda plan: -plan.cost)[index - 1 :: count]


def _print_plans(plans: Sequence[Plan], as_json: bool) -> None:
    from clexact.sweeps.spec import dry_run

    rows = [
        {"case": one.case.label, "D": one.dimension, "seconds": round(one.seconds, 4), "MiB": -(-one.memory // MIB)}
        for one in dry_run(plan.case for plan in plans)
    ]
    seconds = sum(plan.cost for plan in plans)
    if as_json:
        print(json.dumps({"cases": rows, "seconds": round(seconds, 3)}))
        return
    table = Table("case", *(Column(name, justify="right") for name in ("D", "seconds", "MiB")))
    for row in rows:
        table.add_row(*("?" if value is None else escape(f"{value}") for value in row.values()))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    print(f"{len(plans):,} cases, estimated at {timedelta(seconds=round(seconds))} of one core")


def _data(tally: Tally, path: Path) -> dict[str, Any]:
    counts = {status: tally.counts[status] for status in ("done", "stopped", "failed")}
    rest = {"reused": tally.reused, "elsewhere": tally.elsewhere, "seconds": round(tally.elapsed, 3)}
    return {"db": str(path), **counts, **rest}


def _summary(tally: Tally, path: Path) -> Iterator[str]:
    said = [f"{tally.counts[status]:,} {status}" for status in ("done", "stopped", "failed") if tally.counts[status]]
    said += [f"{tally.reused:,} from before"] if tally.reused else []
    yield f"{path}: {', '.join(said) or 'nothing to run'} ({tally.elapsed:.1f} s)"
    if tally.elsewhere:
        yield f"{tally.elsewhere:,} cases were left to another sweep that writes to {path}"
    for status in ("stopped", "failed"):
        if tally.counts[status]:
            yield f"  clexact results {path} --where \"status = '{status}'\" --columns label,failure"
