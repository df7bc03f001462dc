"""The file of a store: opened, made and checked; what SQLite says, in one sentence."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from clexact.sweeps import leases
from clexact.sweeps.columns import ROW, SQL, quoted

APPLICATION, VERSION = 0x636C6578, 2  # "clex"; of the tables below
PATIENCE = 60.0  # seconds that a driver waits for another's commit
Mode = Literal["rwc", "rw", "ro"]  # make the file if there is none; write; read
CHECKPOINT = 4000  # pages of the log that are written into the file at a time

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- grows with every row written
    {", ".join(f"{quoted([name])} {SQL[kind]}{' NOT NULL UNIQUE' * (name == 'key')}" for name, kind in ROW.items())},
    certificate_sha256 TEXT, certificate_bytes INTEGER
);
CREATE TABLE IF NOT EXISTS certificates ( -- apart, so that no listing reads them
    id INTEGER PRIMARY KEY REFERENCES results ON DELETE CASCADE, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS unfinished ON results (status) WHERE status <> 'done';
CREATE TRIGGER IF NOT EXISTS done_rows_stay BEFORE DELETE ON results WHEN OLD.status = 'done'
BEGIN SELECT RAISE(ABORT, 'a row that is done stays'); END;
CREATE TRIGGER IF NOT EXISTS rows_are_immutable BEFORE UPDATE ON results
BEGIN SELECT RAISE(ABORT, 'rows are not changed'); END;
CREATE VIEW IF NOT EXISTS rows AS
SELECT {quoted(tuple(ROW))}, lower = upper AS exact, certificate_sha256, certificate_bytes, id AS written FROM results;
{leases.SCHEMA}
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
SENTENCES = {
    sqlite3.SQLITE_FULL: "no space is left on its disk; the rows that it holds are kept",
    sqlite3.SQLITE_IOERR: "its disk cannot be read or written (full? over a limit?); the rows that it holds are kept",
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for {PATIENCE:g} s",
    sqlite3.SQLITE_READONLY: "it can only be read",
    sqlite3.SQLITE_CANTOPEN: "it, or the files -wal and -shm beside it, cannot be opened",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
}


class StoreError(OSError):
    """A store that cannot be read or written now. What it holds is kept, and a row that was being written is not in it.

    The same ``Store`` goes on when the cause is gone.
    """


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of SQLite become a ``StoreError`` of one sentence; a ValueError for a file of another kind."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the last byte: the kind of error
        if code == sqlite3.SQLITE_NOTADB:
            raise ValueError(f"{str(path)!r} is no store of clexact.") from None
        raise StoreError(f"the store {str(path)!r} cannot be used: {SENTENCES.get(code, str(error))}.") from error


def connect(path: Path, mode: Mode) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time; a transaction begins where it is said."""
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    if mode == "ro" and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        uri += "&immutable=1"  # on a medium that can only be read, which holds no log beside it
    db = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    if mode != "ro":
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last rows, but damages nothing
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
    return db


def opened(path: Path, *, write: bool) -> sqlite3.Connection:
    """The store at a path; made, with ``write``, where there is none. ValueError for a file that is no store."""
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} for the store {path.name!r}.")
    if not write and not path.is_file():
        raise ValueError(f"there is no store {str(path)!r}.")
    if write and not path.exists():
        _place(path)
    with explained(path):
        db = connect(path, "rwc" if write else "ro")
        try:
            if write:
                _make(db)
            _check(db, path)
        except BaseException:
            db.close()
            raise
    return db


def _place(path: Path) -> None:
    """Make an empty store beside the path and link it there, whole, unless another process has put one there.

    SQLite refuses at once, without patience, where two processes turn one new file to WAL. Where no link can be made,
    the file is made in place.
    """
    with suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(dir=path.parent, prefix=".clexact-") as folder:
        new = Path(folder, path.name)
        new.touch()  # SQLite would make it with other permissions than those that the umask leaves
        with closing(connect(new, "rwc")) as db:
            _make(db)
        os.link(new, path)


def _make(db: sqlite3.Connection) -> None:
    """The tables, in a file that is still empty; another process may be making them at this moment."""
    if db.execute("PRAGMA user_version").fetchone() != (0,) or db.execute("SELECT 1 FROM sqlite_master").fetchone():
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")


def _check(db: sqlite3.Connection, path: Path) -> None:
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != APPLICATION:
        raise ValueError(f"{str(path)!r} is no store of clexact.")
    if version > VERSION:
        raise ValueError(f"{str(path)!r} was written by a newer clexact: schema {version}; this one reads {VERSION}.")
    if version < VERSION:
        raise ValueError(f"{str(path)!r} was written by an older clexact: schema {version}; this one reads {VERSION}.")
