"""``Store``: the results of sweeps in one SQLite file, a row a case, committed as they come."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from clexact.sweeps import leases, tables
from clexact.sweeps.certified import Budget, Row
from clexact.sweeps.columns import COLUMNS, ROW, checked, order, quoted, reader, stored
from clexact.sweeps.database import StoreError, connect, explained, opened

if TYPE_CHECKING:
    import pandas as pd

MEMORY = ":memory:"
LATEST = "engine = (SELECT engine FROM rows ORDER BY written DESC LIMIT 1)"
INSERT = "INSERT INTO results ({}, certificate_sha256, certificate_bytes) VALUES ({})".format(
    quoted(tuple(ROW)), ", ".join("?" * (len(ROW) + 2))
)
NAMES = tuple(ROW)
KNOWN = "SELECT 1 FROM results WHERE key = ?"
UNFINISHED = "SELECT key, status, budget_seconds, budget_mebibytes FROM results WHERE status <> 'done'"
OF_A_RUN = ("seconds", "peak_memory", "failure", "budget_seconds", "budget_mebibytes", "host", "finished")


class Store:
    """Rows and certificates of sweeps in one file, for several drivers and readers at once, on one machine.

    A row is written whole or not at all, and kept whatever happens to the process; one that is ``done`` never changes.
    A power cut may take the rows of the last moments, and damages none (SQLite in WAL mode, ``synchronous = NORMAL``).
    Not for network file systems: WAL needs memory that all its processes share. Every method may be called from any
    thread.

    Parameters
    ----------
    path : str or Path
        The file; ``":memory:"`` is a temporary one that is removed when the store is closed.
    write : bool
        Whether rows may be written; the file is then made if there is none.

    Raises
    ------
    ValueError
        For a file that is no store.
    StoreError
        An OSError, for one that cannot be read or written.

    Examples
    --------
    >>> from clexact import Case
    >>> from clexact.support.provenance import engine
    >>> from clexact.sweeps.certified import certified
    >>> row = certified(Case.of("product", 2), Budget(), engine())
    >>> with Store(":memory:") as store:
    ...     store.add(row), store.counts()
    (True, {'done': 1, 'stopped': 0, 'failed': 0})
    """

    def __init__(self, path: str | Path, *, write: bool = True) -> None:
        self._lock = threading.RLock()
        self._remove: Callable[[], object] | None = None
        if str(path) == MEMORY:
            path = Path(tempfile.mkdtemp(prefix="clexact-"), "sweep.db")
            self._remove = weakref.finalize(self, shutil.rmtree, path.parent, ignore_errors=True)
        self.path = Path(path)
        self._presence = leases.Presence()
        self._driver: int | None = None
        self._stop_heartbeat: Callable[[], object] = lambda: None
        self._since = 0  # rows after this one were written during this sweep
        self._db = opened(self.path, write=write)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the leases back and close the file.

        Examples
        --------
        >>> store = Store(":memory:")
        >>> store.close()
        >>> store.path.exists()
        False
        """
        with self._lock:
            self._stop_heartbeat()
            self._presence.end()
            with suppress(StoreError):  # a full disk: without the presence, the leases are taken over
                self.release()
            if "_reader" in self.__dict__:
                self._reader.close()
            self._db.close()
            if self._remove is not None:
                self._remove()

    # --- the work of a driver ----------------------------------------------------------------------------------------

    def pending(self, wanted: Mapping[str, Budget], retry_failed: bool = False) -> list[str]:
        """Of the keys, those that are still to run; what is written from now on counts as done.

        To run: what has no row; what was stopped under a budget smaller than now in time or in memory; with
        ``retry_failed``, what failed.

        Parameters
        ----------
        wanted : mapping of str to Budget
            The keys of the cases and their budgets.
        retry_failed : bool
            Whether failed cases run again.

        Returns
        -------
        list of str
            Keys, in their order.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     store.pending({"a": Budget(), "b": Budget(seconds=1)})
        ['a', 'b']
        """
        with self._lock, explained(self.path):
            (self._since,) = self._db.execute("SELECT coalesce(max(id), 0) FROM results").fetchone()
            unfinished = {key: row for key, *row in self._db.execute(UNFINISHED)}
            ordered = sorted(wanted)  # as the index is: each of its pages is read once
            known = {key for key in ordered if self._db.execute(KNOWN, (key,)).fetchone()}
        stale = (key for key in unfinished.keys() & wanted.keys() if _again(unfinished[key], wanted[key], retry_failed))
        left = (wanted.keys() - known) | set(stale)
        return [key for key in wanted if key in left]

    def claim(self, keys: Iterable[str]) -> list[str]:
        """Of the keys, those that this driver shall run now: they are leased to it.

        Not those that are done, that have a row since ``pending``, or that a living driver has. The leases of a driver
        that has died are taken over: on this machine at once, elsewhere a minute after its last sign of life.

        Parameters
        ----------
        keys : iterable of str
            The keys of cases.

        Returns
        -------
        list of str
            Keys, in their order.

        Examples
        --------
        >>> with Store(":memory:") as store, Store(store.path) as other:
        ...     store.claim(["a"]), other.claim(["a", "b"])
        (['a'], ['b'])
        """
        with self._lock:
            with self._writing() as db:
                driver = self._driver
                if driver is None or not leases.registered(db, driver):
                    driver = leases.register(db, self._presence)
                mine = [key for key in keys if leases.lease(db, key, driver, self._since)]
            if driver != self._driver:  # once this is committed
                self._sign_on(driver)
        return mine

    def add(self, row: Row) -> bool:
        """Write a row and end its lease, committed at once.

        It replaces a row of the key that was stopped or failed; better bounds that were known stay.

        Parameters
        ----------
        row : Row
            What is known of a case.

        Returns
        -------
        bool
            False if there is a row that is done, which stays.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> row = certified(Case.of("product", 2), Budget(), engine())
        >>> with Store(":memory:") as store:
        ...     store.add(row), store.add(row)
        (True, False)
        """
        with self._writing() as db:
            db.execute("DELETE FROM leases WHERE key = ?", (row.key,))
            match self._status(row.key):
                case "done":
                    return False
                case "stopped":
                    row = self._best(row)
            db.execute("DELETE FROM results WHERE key = ?", (row.key,))
            data = row.certificate
            proof = (None, None) if data is None else (hashlib.sha256(data).hexdigest(), len(data))
            number = db.execute(INSERT, (*(stored(name, getattr(row, name)) for name in NAMES), *proof)).lastrowid
            if data is not None:
                db.execute("INSERT INTO certificates VALUES (?, ?)", (number, data))
            return True

    def _best(self, new: Row) -> Row:
        """The row, or the one that was stopped before under its limits, if that has better bounds."""
        try:
            old = self.row(new.key)
        except ValueError:  # its certificate is damaged
            return new
        if new.status == "done" or old is None or not _better(old, new):
            return new
        return replace(old, **{name: getattr(new, name) for name in OF_A_RUN})

    def release(self, keys: Iterable[str] | None = None) -> None:
        """Give leases back.

        Parameters
        ----------
        keys : iterable of str, optional
            The keys of cases; if none are given, all leases are given back and this driver signs off.

        Examples
        --------
        >>> with Store(":memory:") as store, Store(store.path) as other:
        ...     _ = store.claim(["a"])
        ...     store.release(["a"])
        ...     other.claim(["a"])
        ['a']
        """
        if self._driver is None:
            return
        with self._writing() as db:
            if keys is None:
                leases.end(db, self._driver)
            else:
                mine = ((key, self._driver) for key in keys)
                db.executemany("DELETE FROM leases WHERE key = ? AND driver = ?", mine)

    def held(self, keys: Iterable[str]) -> list[str]:
        """Of the keys, those that other living drivers run now.

        Parameters
        ----------
        keys : iterable of str
            The keys of cases.

        Returns
        -------
        list of str
            Keys, in their order.

        Examples
        --------
        >>> with Store(":memory:") as store, Store(store.path) as other:
        ...     _ = store.claim(["a"])
        ...     other.held(["a", "b"])
        ['a']
        """
        with self._lock, explained(self.path):
            return [key for key in keys if leases.held_by_other(self._db, key, self._driver)]

    def _sign_on(self, driver: int) -> None:
        """From now on this driver, with its heartbeat."""
        self._stop_heartbeat()
        self._driver, heartbeat = driver, leases.Heartbeat(partial(connect, self.path, "rw"), driver)
        self._stop_heartbeat = weakref.finalize(self, heartbeat.stop)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock, explained(self.path):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # --- what is there -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self, where: str = "", *, all_engines: bool = True) -> dict[str, int]:
        """How many rows are done, stopped and failed.

        Parameters
        ----------
        where : str
            A condition in SQL, as for ``rows``.
        all_engines : bool
            Whether rows of any engine count, else those of the engine that wrote the last row.

        Returns
        -------
        dict of str to int
            By status.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     store.counts()
        {'done': 0, 'stopped': 0, 'failed': 0}
        """
        found: dict[str, int] = dict(self.select("status, count(*)", where, "GROUP BY status", all_engines=all_engines))
        return {status: found.get(status, 0) for status in ("done", "stopped", "failed")}

    def done(self, key: str) -> bool:
        """Whether the row of a key is there and done.

        Parameters
        ----------
        key : str
            That of a case.

        Returns
        -------
        bool
            False for a row that was stopped or failed.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     store.done("a")
        False
        """
        with self._lock, explained(self.path):
            return self._status(key) == "done"

    def _status(self, key: str) -> str | None:
        found = self._db.execute("SELECT status FROM results WHERE key = ?", (key,)).fetchone()
        return None if found is None else str(found[0])

    def row(self, key: str) -> Row | None:
        """The row of a key, whole, with its certificate.

        Parameters
        ----------
        key : str
            That of a case.

        Returns
        -------
        Row or None
            None if there is none.

        Raises
        ------
        ValueError
            If the certificate is damaged.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> row = certified(Case.of("product", 2), Budget(), engine())
        >>> with Store(":memory:") as store:
        ...     _ = store.add(row)
        ...     store.row(row.key) == row
        True
        """
        query = f"SELECT {quoted(NAMES)}, certificate_sha256, data FROM results LEFT JOIN certificates USING (id)"
        with self._lock, explained(self.path):
            found = self._db.execute(f"{query} WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        *values, proof, data = found
        if proof is not None and (data is None or hashlib.sha256(data).hexdigest() != proof):
            raise ValueError(f"the certificate of {key} is damaged: it has not the SHA-256 of its row.")
        return Row(**reader(NAMES)(values), certificate=data)

    def certificate(self, key: str) -> bytes:
        """The certificate of a row.

        Parameters
        ----------
        key : str
            That of a case.

        Returns
        -------
        bytes
            Compressed by gzip.

        Raises
        ------
        LookupError
            If there is none.
        ValueError
            If it is damaged.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> row = certified(Case.of("product", 2), Budget(), engine())
        >>> with Store(":memory:") as store:
        ...     _ = store.add(row)
        ...     store.certificate(row.key) == row.certificate
        True
        """
        row = self.row(key)
        if row is None or row.certificate is None:
            raise LookupError(f"{str(self.path)!r} has no certificate of {key!r}.")
        return row.certificate

    def rows(
        self,
        where: str = "",
        columns: Sequence[str] = (),
        sort: str = "",
        *,
        all_engines: bool = False,
        limit: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The rows as {column: value}.

        Parameters
        ----------
        where : str
            An expression in SQL on the columns, as "family = 'relu' and lower < upper". It can read the rows and
            nothing else.
        columns : sequence of str
            Those wanted; default all.
        sort : str
            As "seconds desc, label".
        all_engines : bool
            Whether rows of any engine are given, else those of the engine that wrote the last row.
        limit : int, optional
            How many rows, at most.

        Returns
        -------
        iterator of dict
            One for each row.

        Raises
        ------
        ValueError
            For a wrong expression, column or order.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> with Store(":memory:") as store:
        ...     _ = store.add(certified(Case.of("product", 2), Budget(), engine()))
        ...     list(store.rows("lower = upper", ["label", "lower"]))
        [{'label': 'certify product 2', 'lower': 1}]
        """
        names = checked(columns)
        ordered = f"ORDER BY {order(sort)}" + ("" if limit is None else f" LIMIT {int(limit)}")
        return map(reader(names), self.select(quoted(names), where, ordered, all_engines=all_engines))

    def select(self, what: str, where: str = "", rest: str = "", *, all_engines: bool = False) -> Iterator[Any]:
        """``SELECT what FROM rows WHERE where rest``, by a connection that can read the rows and nothing else.

        Parameters
        ----------
        what : str
            Expressions on the columns.
        where : str
            A condition; default none.
        rest : str
            What follows, as ``GROUP BY status``.
        all_engines : bool
            Whether rows of any engine are read, else those of the engine that wrote the last row.

        Returns
        -------
        iterator of tuple
            One for each line of the answer.

        Raises
        ------
        ValueError
            For wrong SQL.

        Examples
        --------
        >>> with Store(":memory:") as store:
        ...     list(store.select("count(*)"))
        [(0,)]
        """
        conditions = [f"({text}\n)" for text in (where.strip(), "" if all_engines else LATEST) if text]
        query = f"SELECT {what} FROM rows WHERE {' AND '.join(conditions) or 'TRUE'} {rest}"
        with self._lock, explained(self.path):
            try:
                found = self._reader.execute(query)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH):
                    raise
                why, columns = " ".join(str(error).split()), ", ".join(COLUMNS)
                raise ValueError(f"{where!r} is no condition on rows: {why}; the columns are {columns}.") from None
        return self._fetched(found)

    def _fetched(self, found: sqlite3.Cursor) -> Iterator[Any]:
        with explained(self.path):
            yield from map(tuple, found)  # a generator that is left closes what it yields from: not the cursor

    @cached_property
    def _reader(self) -> sqlite3.Connection:
        db = connect(self.path, "ro")
        db.set_authorizer(_only_rows)
        return db

    # --- tables ------------------------------------------------------------------------------------------------------

    def to_frame(self, where: str = "", columns: Sequence[str] = (), *, all_engines: bool = False) -> pd.DataFrame:
        """The rows as a DataFrame of pandas (``pip install 'clexact[frame]'``).

        Parameters
        ----------
        where : str
            A condition in SQL, as for ``rows``.
        columns : sequence of str
            Those wanted; default all.
        all_engines : bool
            Whether rows of any engine are given, else those of the engine that wrote the last row.

        Returns
        -------
        pandas.DataFrame
            A row for each.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> with Store(":memory:") as store:
        ...     _ = store.add(certified(Case.of("product", 2), Budget(), engine()))
        ...     store.to_frame(columns=["label", "lower"])
                       label  lower
        0  certify product 2      1
        """
        return tables.frame(self.rows(where, columns, all_engines=all_engines), checked(columns))

    def to_csv(
        self, path: str | Path, where: str = "", columns: Sequence[str] = (), *, all_engines: bool = False
    ) -> None:
        """Write the rows as CSV.

        Parameters
        ----------
        path : str or Path
            The file.
        where : str
            A condition in SQL, as for ``rows``.
        columns : sequence of str
            Those wanted; default all.
        all_engines : bool
            Whether rows of any engine are written, else those of the engine that wrote the last row.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> with Store(":memory:") as store:
        ...     _ = store.add(certified(Case.of("product", 2), Budget(), engine()))
        ...     store.to_csv(table := store.path.with_name("laws.csv"), columns=["label", "lower"])
        ...     print(table.read_text().strip())
        label,lower
        certify product 2,1
        """
        self._save("csv", path, where, columns, all_engines)

    def to_parquet(
        self, path: str | Path, where: str = "", columns: Sequence[str] = (), *, all_engines: bool = False
    ) -> None:
        """Write the rows as Parquet (``pip install 'clexact[frame]'``).

        Parameters
        ----------
        path : str or Path
            The file.
        where : str
            A condition in SQL, as for ``rows``.
        columns : sequence of str
            Those wanted; default all.
        all_engines : bool
            Whether rows of any engine are written, else those of the engine that wrote the last row.

        Raises
        ------
        ImportError
            Without pyarrow.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> from clexact import Case
        >>> from clexact.support.provenance import engine
        >>> from clexact.sweeps.certified import certified
        >>> with Store(":memory:") as store:
        ...     _ = store.add(certified(Case.of("product", 2), Budget(), engine()))
        ...     store.to_parquet(table := store.path.with_name("laws.parquet"), columns=["label"])
        ...     table.read_bytes()[:4]
        b'PAR1'
        """
        self._save("parquet", path, where, columns, all_engines)

    def _save(self, kind: str, path: str | Path, where: str, columns: Sequence[str], all_engines: bool) -> None:
        tables.save(kind, Path(path), self.rows(where, columns, all_engines=all_engines), checked(columns))


def _better(old: Row, new: Row) -> bool:
    """Whether bounds are better on one side, and no worse on the other."""
    if old.lower is None or old.upper is None:
        return False
    if new.lower is None or new.upper is None:
        return True
    return old.lower >= new.lower and old.upper <= new.upper and (old.lower, old.upper) != (new.lower, new.upper)


def _again(row: Sequence[Any], budget: Budget, retry_failed: bool) -> bool:
    """Whether a case with this row is run again under this budget."""
    status, seconds, mebibytes = row
    if status == "stopped":
        return _more(budget.seconds, seconds) or _more(budget.mebibytes, mebibytes)
    return status == "failed" and retry_failed


def _more(now: float | None, then: float | None) -> bool:
    """Whether a limit is larger; None is no limit."""
    return then is not None and (now is None or now > then)


def _only_rows(action: int, first: str | None, second: str | None, database: str | None, view: str | None) -> int:
    """What a condition may do: compute, and read the view of the rows."""
    reads_rows = action == sqlite3.SQLITE_READ and ("rows" in (first, view) or second == "")  # "": counts them
    allowed = reads_rows or action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
