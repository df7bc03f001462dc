"""Leases: which driver runs which case now, so that two drivers on one store share the work and run nothing twice."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import ClassVar
from weakref import WeakValueDictionary

BEAT, LOST = 15.0, 60.0  # seconds between two signs of life; and after which a driver elsewhere counts as dead
SCHEMA = """
CREATE TABLE IF NOT EXISTS drivers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that a driver taken for dead cannot meet its heir
    place TEXT NOT NULL, pid INTEGER NOT NULL, started INTEGER NOT NULL, -- a process
    number INTEGER NOT NULL, -- of its Presence
    heartbeat REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS leases (
    key TEXT PRIMARY KEY, driver INTEGER NOT NULL REFERENCES drivers ON DELETE CASCADE
) WITHOUT ROWID;
"""
LEASE = """
INSERT OR IGNORE INTO leases SELECT :key, :driver
WHERE NOT EXISTS (SELECT 1 FROM results WHERE key = :key AND (id > :since OR status = 'done'))
"""
HOLDER = "SELECT drivers.* FROM leases JOIN drivers ON drivers.id = leases.driver WHERE leases.key = ?"


class Presence:
    """That a store is open in this process: held by the store, and known by its number as long as it is."""

    numbers = count(1)
    known: ClassVar[WeakValueDictionary[int, Presence]] = WeakValueDictionary()

    def __init__(self) -> None:
        self.number = next(self.numbers)
        self.known[self.number] = self

    def end(self) -> None:
        """The store is closed."""
        self.known.pop(self.number, None)


@dataclass(frozen=True)
class Driver:
    """A store open in a process that runs a sweep, as the file knows it."""

    id: int
    place: str
    pid: int
    started: int
    number: int
    heartbeat: float

    @property
    def alive(self) -> bool:
        """Here, whether the process is there: no clock is asked. Elsewhere, whether it gave a sign of life lately."""
        if self.place != here():
            return abs(time.time() - self.heartbeat) <= LOST
        same = process_start(self.pid) == self.started
        return same and (self.pid != os.getpid() or self.number in Presence.known)


@cache
def here() -> str:
    """Where process numbers mean the same: a host since its start, and a container on it."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def process_start(pid: int) -> int | None:
    """When a process started, in ticks since the machine's start; None if there is none, or only its remains.

    0 for one that runs, where the system does not say when it started (other than Linux).
    """
    if not Path("/proc/self/stat").exists():
        with suppress(ProcessLookupError):
            with suppress(PermissionError):  # it is another user's
                os.kill(pid, 0)
            return 0
        return None
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if words[0] in "ZX" else int(words[19])


def register(db: sqlite3.Connection, presence: Presence) -> int:
    """Enter a store of this process as a driver; its id."""
    pid = os.getpid()
    driver = here(), pid, process_start(pid), presence.number, time.time()
    names = "place, pid, started, number, heartbeat"
    return int(db.execute(f"INSERT INTO drivers ({names}) VALUES (?, ?, ?, ?, ?)", driver).lastrowid or 0)


def registered(db: sqlite3.Connection, driver: int | None) -> bool:
    """Whether the driver is entered, and was not taken for dead meanwhile."""
    return db.execute("SELECT 1 FROM drivers WHERE id = ?", (driver,)).fetchone() is not None


def lease(db: sqlite3.Connection, key: str, driver: int, since: int) -> bool:
    """Give a case to a driver, unless it is done, has a row after ``since``, or a living driver has it."""
    wanted = {"key": key, "driver": driver, "since": since}
    if db.execute(LEASE, wanted).rowcount == 1:
        return True
    holder = _holder(db, key)
    if holder is None or (holder.id != driver and holder.alive):
        return False
    if holder.id != driver:
        end(db, holder.id)
        return db.execute(LEASE, wanted).rowcount == 1
    return True


def held_by_other(db: sqlite3.Connection, key: str, driver: int | None) -> bool:
    """Whether another driver, which lives, has the case."""
    holder = _holder(db, key)
    return holder is not None and holder.id != driver and holder.alive


def _holder(db: sqlite3.Connection, key: str) -> Driver | None:
    found = db.execute(HOLDER, (key,)).fetchone()
    return None if found is None else Driver(*found)


def end(db: sqlite3.Connection, driver: int) -> None:
    """Take a driver off the list, and all its leases with it."""
    db.execute("DELETE FROM drivers WHERE id = ?", (driver,))


class Heartbeat:
    """A thread that gives signs of life, by a connection of its own, until it is stopped."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], driver: int) -> None:
        self._connect, self._driver, self._over = connect, driver, threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._over.wait(BEAT):
            with suppress(sqlite3.Error), closing(self._connect()) as db:  # a full disk today may be free at the next
                db.execute("UPDATE drivers SET heartbeat = ? WHERE id = ?", (time.time(), self._driver))

    def stop(self) -> None:
        """End the thread; it is not waited for, since it may be waiting for a commit of ours."""
        self._over.set()
