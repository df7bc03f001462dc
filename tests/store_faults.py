"""Faults done for real to a store of sweeps, and counted.

    python tests/store_faults.py kill ROUNDS SEED
    python tests/store_faults.py share DRIVERS CASES KILLS SEED
    python tests/store_faults.py full|limit

The processes that write are forked from this one, which has only imported the store: a round takes milliseconds. Each
says which row it has written after ``add`` has returned.
"""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from clexact.sweeps.certified import Budget, Row
from clexact.sweeps.database import StoreError
from clexact.sweeps.store import Store

ENGINE = "engine"
BUDGET = Budget(60, 2000)
SMALL = bytes(1500)  # a certificate


def key(i):
    """Of row i."""
    return f"{i:064x}"


def row(i, status="done", **changes):
    """Row i, the same in every process; some certificates fill many pages."""
    draws = random.Random(i)
    done = status != "failed"
    fields = {
        "key": key(i), "case": json.dumps({"family": "linear", "sizes": [i, 2, 2]}), "label": f"certify linear {i} 2 2",
        "family": "linear", "flow": "gradient", "dimension": i + 4, "status": status, "lower": i % 7 if done else None,
        "upper": i % 7 + (status == "stopped") if done else None, "exhibited": i % 7 if done else None, "error": "0",
        "scope": "all data, generic start", "gates": i % 5 if done else None, "all_gates": i % 2 if done else None,
        "filtration": (i, i + 1), "evidence_lower": "shown", "evidence_upper": "modulo a prime",
        "assumptions": ("a generic start",), "prime": 2**61 - 1 - i if done else None,
        "stages": '{"flow": 0.001}', "seconds": i / 1000, "peak_memory": 10**8 + i,
        "failure": "" if status == "done" else f"{status}, \"that is\" 'it', ä", "engine": ENGINE, "seed": 0,
        "certificate": draws.randbytes(draws.choice([10, 1500, 200_000])) if status == "done" else None,
        "certificate_note": "" if status == "done" else "none", "budget_seconds": 60.0, "budget_mebibytes": 2000,
        "host": "here", "finished": "2026-01-01T00:00:00.000+00:00",
    }  # fmt: skip
    return Row(**(fields | changes))


def write(path, first, report):
    """Claim and write rows from number ``first`` on, for ever; every third is first stopped, then done."""
    with Store(path) as store:
        for i in range(first, 2**31):
            if not store.claim([key(i)]):
                continue  # it was in flight at the last kill, and written
            if i % 3 == 0:
                store.add(row(i, "stopped"))
            assert store.add(row(i))
            os.write(report, i.to_bytes(4, "big"))


def forked(work, *arguments):
    """The number of a process that does the work, and the end of a pipe on which it reports."""
    reading, report = os.pipe()
    pid = os.fork()
    if pid:
        os.close(report)
        return pid, reading
    try:
        os.close(reading)
        work(*arguments, report)
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def reported(reading):
    """The numbers of the rows that a process said it has written."""
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    return [int.from_bytes(data[n : n + 4], "big") for n in range(0, len(data), 4)]


def inspect(path, expected, **changes):
    """How many of the rows are lost, and how many rows are not what was written; AssertionError for a broken file."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    with Store(path, write=False) as store:
        there = {int(found["key"], 16): found["status"] for found in store.rows(columns=["key", "status"])}
        wrong = sum(store.row(key(i)) != row(i, status, **changes) for i, status in there.items())
    return sum(there.get(i) != "done" for i in expected), wrong


def kill(folder, rounds, seed):
    """kill -9 a process at a random moment, again and again: of opening and writing, or after its first row."""
    path = Path(folder, "sweep.db")
    draws, written, first, inside = random.Random(seed), [], 0, 0
    for n in range(rounds):
        pid, reading = forked(write, path, first)
        new = [int.from_bytes(os.read(reading, 4), "big")] if n % 2 else []
        time.sleep(draws.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        new += reported(reading)
        written += new
        inside += bool(new)
        first = max([first, *(i + 1 for i in new)])
    lost, wrong = inspect(path, written)
    return {"faults": rounds, "of them while writing": inside, "rows": len(written), "lost": lost, "wrong": wrong}


def work_through(path, cases, report):
    """One of several drivers: run what can be claimed until all is done."""
    with Store(path) as store:
        wanted = {key(i): BUDGET for i in range(cases)}
        while todo := store.pending(wanted):
            for one in todo:
                for mine in store.claim([one]):
                    i = int(mine, 16)
                    os.write(report, i.to_bytes(4, "big"))  # it runs here
                    store.add(row(i))


def share(folder, drivers, cases, kills, seed):
    """Several drivers at once on one store, some killed on the way and started anew."""
    path = Path(folder, "sweep.db")
    draws, ran, killed = random.Random(seed), Counter(), []
    running = dict(forked(work_through, path, cases) for _ in range(drivers))
    while running:
        if kills:  # counted as they are sent: another one may have ended meanwhile, and is waited for first
            time.sleep(draws.uniform(0.01, 0.05))
            os.kill(draws.choice(sorted(running)), signal.SIGKILL)
            kills -= 1
        pid, status = os.wait()
        new = reported(running.pop(pid))
        ran.update(new)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            killed += [new[-1:]]  # what was in flight
            running |= dict([forked(work_through, path, cases)])
        else:
            assert code == 0, code
    twice = {i for i, times in ran.items() if times > 1}
    lost, wrong = inspect(path, range(cases))
    in_flight = {i for last in killed for i in last}
    return {"faults": len(killed), "rows": cases, "lost": lost, "wrong": wrong, "run twice": len(twice),
            "of them not in flight at a kill": len(twice - in_flight)}  # fmt: skip


def fill(path, make_room):
    """Write until nothing more can be written; make room; the same store goes on. Rows have small certificates."""
    written, refused, left = [], [], 20
    with Store(path) as store:
        for i in range(1000):
            try:
                store.claim([key(i)])
                store.add(row(i, certificate=SMALL))
            except StoreError as error:
                refused.append(str(error))
                assert store.counts()["done"] == len(written)
                if len(refused) == 3:
                    make_room()
                continue
            written.append(i)
            left -= len(refused) >= 3
            if not left:
                break
    lost, wrong = inspect(path, written, certificate=SMALL)
    return {"faults": len(refused), "rows": len(written), "lost": lost, "wrong": wrong, "said": sorted(set(refused))}


def full(folder):
    """A disk of 1 MiB, most of it taken."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        return {"skipped": mounted.stderr.strip()}
    try:
        taken = Path(folder, "taken")
        taken.write_bytes(bytes(700_000))
        return fill(Path(folder, "sweep.db"), taken.unlink)
    finally:
        subprocess.run(["umount", folder], check=True)


def limit(folder):
    """A limit of the size of files."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    return fill(Path(folder, "sweep.db"), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))


FAULTS = {"kill": kill, "share": share, "full": full, "limit": limit}


def main(what, *numbers):
    """Print the figures, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(FAULTS[what](folder, *map(int, numbers))))


if __name__ == "__main__":
    main(*sys.argv[1:])
