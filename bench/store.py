"""The store of sweeps at so many rows: what a row costs in time and on disk, and how long readers take.

    python bench/store.py [ROWS ...] [--folder DIR]      # default 10000; a million rows need 4 GB and some minutes

The rows are those of real certifications (linear networks with D <= 20), certificates included, each many times under
another seed, so that all keys differ. Times are wall times in one process, with the disk that DIR is on;
where it is busy, the flush of the log every few hundred rows is most of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import mean

from clexact.support.provenance import engine
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Budget, Row, certified
from clexact.sweeps.store import Store

BUDGET = Budget(60, 2000)
SIZES = [(n, r, m) for n in range(1, 5) for r in range(1, 5) for m in range(1, 5) if r * (n + m) <= 20]
CODE = "import sys; from clexact.cli.main import main; main(sys.argv[1:])"
MICRO, KIB = 1e6, 1024


def rows(count: int) -> Iterator[Row]:
    """So many rows, all different."""
    cases = [Case.of("linear", *sizes) for sizes in SIZES]
    real = [(case, certified(case, BUDGET, engine())) for case in cases]
    for seed, (case, row) in enumerate(islice(cycle(real), count)):
        again = replace(case, seed=seed)
        yield replace(row, key=again.key(engine()), case=again.to_json(), label=again.label, seed=seed)


def measured(folder: Path, count: int) -> dict[str, float]:
    """The figures at so many rows."""
    path, claims, adds, keys = folder / f"{count}.db", list[float](), list[float](), list[str]()
    certificates, cpu = 0, 0.0
    with Store(path) as store:
        for row in rows(count):
            keys.append(row.key)
            certificates += len(row.certificate or b"")
            begun = time.process_time()
            claims.append(seconds(store.claim, [row.key]))
            adds.append(seconds(store.add, row))
            cpu += time.process_time() - begun
        wanted = dict.fromkeys(keys, BUDGET)
        begun = time.process_time()
        pending = seconds(store.pending, wanted)
        pending_cpu = time.process_time() - begun
    size, found = path.stat().st_size, {"rows": count}
    found |= {"claim, microseconds": MICRO * mean(claims), "add, microseconds": MICRO * mean(adds)}
    found["claim and add, CPU microseconds"] = MICRO * cpu / count
    tail = adds[-count // 10 :]
    found |= {"add of the last tenth, microseconds": MICRO * mean(tail), "longest add, ms": 1000 * max(adds)}
    found |= {"KiB a row": size / count / KIB, "of them certificate": certificates / count / KIB, "MB": size / 1e6}
    found |= {"pending, s": pending, "pending, CPU s": pending_cpu}
    with Store(path, write=False) as store:
        found["all labels and bounds, s"] = seconds(
            lambda: sum(1 for _ in store.rows(columns=["label", "lower", "upper"]))
        )
    for words in (["--summary"], ["--where", "lower < upper"], ["--out", str(folder / "rows.csv")], ["--limit", "10"]):
        found[f"results {words[0]}, s"] = seconds(run, "results", str(path), *words)
    path.unlink()
    return found


def seconds(call: Callable[..., object], *arguments: object) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def run(*words: str) -> None:
    """The command in a fresh process."""
    subprocess.run([sys.executable, "-c", CODE, *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """A line of JSON for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=[10_000])
    parser.add_argument("--folder", help="where the stores are made (default: the folder for temporary files)")
    arguments = parser.parse_args()
    for count in arguments.rows:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = measured(Path(folder), count)
        print(json.dumps({name: round(value, 3) for name, value in found.items()}), flush=True)


if __name__ == "__main__":
    main()
