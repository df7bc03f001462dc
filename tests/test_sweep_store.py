"""The store of sweeps: what is written is there, whatever happens; drivers share; certificates are of their rows."""

import csv
import dataclasses
import gc
import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from store_faults import BUDGET, ENGINE, key, row

from clexact.cli import main as cli
from clexact.proofs.certificate import VerdictStatus
from clexact.support.extras import command
from clexact.support.provenance import engine
from clexact.sweeps import leases
from clexact.sweeps.case import Case
from clexact.sweeps.certified import Budget, Row, certified
from clexact.sweeps.columns import COLUMNS, ROW
from clexact.sweeps.database import VERSION, StoreError
from clexact.sweeps.store import Store
from clexact.sweeps.verification import verify_store

FAULTS = Path(__file__).with_name("store_faults.py")
WANTED = {key(i): BUDGET for i in range(4)}


@pytest.fixture
def path(tmp_path):
    """Of a store that is not there yet; with signs that mean something in an address."""
    return tmp_path / "my sweep?#%20.db"


def filled(path, *rows):
    """A store with these rows."""
    with Store(path) as store:
        for one in rows:
            assert store.add(one)
    return path


def change(path, *statements):
    """Change the file as no store would."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER IF EXISTS rows_are_immutable")
        for statement in statements:
            assert db.execute(statement).rowcount == 1
        db.commit()


# --- rows ------------------------------------------------------------------------------------------------------------


def test_the_columns_are_the_fields_of_a_row():
    """Nothing of a Row is forgotten."""
    assert tuple(ROW) == tuple(f.name for f in dataclasses.fields(Row) if f.name != "certificate")


@pytest.mark.parametrize("status", ["done", "stopped", "failed"])
def test_a_row_comes_back_as_it_was_written(path, status):
    """In another process' eyes: the file is opened anew; texts with quotes and letters, lists, None, bytes."""
    odd = row(5, status, budget_seconds=None, budget_mebibytes=None, filtration=(), assumptions=("a \"b\", 'c' ä", ""))
    filled(path, odd, row(6))
    with Store(path, write=False) as store:
        assert store.row(key(5)) == odd
        assert store.row(key(7)) is None
        (listed,) = store.rows(f"key = '{key(5)}'")
        assert {name: listed[name] for name in ROW} == {name: getattr(odd, name) for name in ROW}
        assert store.done(key(5)) == (status == "done")
        assert len(store) == 2 and store.counts(f"status = '{status}'")[status] == 1 + (status == "done")


def test_certificates_are_kept_apart_and_have_their_sha256_in_the_row(path):
    """A damaged byte is seen; a row without one says so."""
    filled(path, row(0), row(1, "stopped"))
    with Store(path) as store:
        assert store.certificate(key(0)) == row(0).certificate
        for name in (key(1), "nonsense"):
            with pytest.raises(LookupError, match="has no certificate of"):
                store.certificate(name)
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE certificates SET data = zeroblob(10)")
            db.commit()
        with pytest.raises(ValueError, match="is damaged: it has not the SHA-256 of its row"):
            store.certificate(key(0))


def test_a_row_that_is_done_never_changes(path):
    """Neither by the store nor by the file's own rules."""
    filled(path, row(0))
    with Store(path) as store:
        assert not store.add(row(0, "failed")) and not store.add(row(0, lower=99))
        assert store.row(key(0)) == row(0)
    with closing(sqlite3.connect(path)) as db:
        for statement in ("DELETE FROM results", "UPDATE results SET lower = 99"):
            with pytest.raises(sqlite3.IntegrityError, match=r"stays|not changed"):
                db.execute(statement)


@pytest.mark.parametrize("before", ["stopped", "failed"])
def test_a_row_that_is_not_done_is_replaced(path, before):
    """With its certificate; and it is then the last one written."""
    filled(path, row(0, before, certificate=b"old"), row(1), row(0))
    with Store(path) as store:
        assert store.row(key(0)) == row(0)
        assert [found["key"] for found in store.rows()] == [key(1), key(0)]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM certificates").fetchone() == (2,)


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [((None, None), True), ((2, 9), True), ((3, 9), True), ((3, 8), False), ((4, 8), False), ((4, 9), False)],
)
def test_better_bounds_stay(path, bounds, kept):
    """A later run that is stopped with worse ones gives only its limits; with others, it replaces the row."""
    old = row(0, "stopped", lower=3, upper=8, certificate=b"proof")
    changes = {"lower": bounds[0], "upper": bounds[1], "failure": "killed", "budget_seconds": 600.0, "host": "there"}
    new = row(0, "failed" if bounds[0] is None else "stopped", **changes)
    run = {"failure": "killed", "budget_seconds": 600.0, "host": "there"}
    filled(path, old, new)
    with Store(path) as store:
        assert store.row(key(0)) == (dataclasses.replace(old, **run) if kept else new)
        assert store.pending({key(0): Budget(600, 2000)}) == []


def test_an_interruption_inside_a_commit_leaves_nothing_half_written(path, monkeypatch):
    """And the store goes on."""
    with Store(path) as store:
        with monkeypatch.context() as patch:
            patch.setattr("clexact.sweeps.store.stored", interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.add(row(0))
        assert store.row(key(0)) is None
        assert store.add(row(0))


def interrupt(*arguments):
    """As Ctrl-C does."""
    raise KeyboardInterrupt


def test_every_thread_may_use_a_store(path):
    """joblib pulls cases from threads of its own."""

    def work(first):
        for i in range(first, 200, 8):
            assert store.claim([key(i)]) == [key(i)]
            assert store.add(row(i, certificate=b"x"))

    with Store(path) as store:
        threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found["key"] for found in store.rows()) == [key(i) for i in range(200)]


def test_a_store_in_memory_leaves_nothing_behind():
    """Closed or forgotten."""
    with Store(":memory:") as store:
        assert store.add(row(0)) and store.row(key(0)) == row(0)
        assert store.path.is_file()
    assert not store.path.parent.exists()
    with pytest.raises(ValueError, match="no store"):
        Store(":memory:", write=False)


# --- what is still to run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "again"),
    [
        (Budget(60, 2000), False), (Budget(59, 1), False), (Budget(61, 2000), True), (Budget(1, 2001), True),
        (Budget(None, 2000), True), (Budget(60, None), True),
    ],
)  # fmt: skip
def test_a_stopped_case_runs_again_under_a_larger_limit_only(path, budget, again):
    """Of time or of memory; none is larger than all."""
    filled(path, row(0, "stopped"), row(1, "stopped", budget_seconds=None, budget_mebibytes=None))
    with Store(path) as store:
        assert store.pending({key(0): budget, key(1): budget}) == [key(0)] * again


def test_what_is_pending(path):
    """In the order given; what is done never, what failed if asked for."""
    filled(path, row(0), row(1, "failed"))
    with Store(path) as store:
        wanted = {key(i): BUDGET for i in (3, 1, 0, 2)}
        assert store.pending(wanted) == [key(3), key(2)]
        assert store.pending(wanted, retry_failed=True) == [key(3), key(1), key(2)]
        assert store.pending({}) == []


# --- drivers that share ----------------------------------------------------------------------------------------------


def test_a_case_is_leased_to_one_driver(path):
    """Until its row is written, it is given back, or the driver ends."""
    with Store(path) as one, Store(path) as two:
        assert one.claim([key(0), key(1)]) == [key(0), key(1)] == one.claim([key(0), key(1)])
        assert two.claim([key(1), key(2), key(0)]) == [key(2)]
        assert two.held(WANTED) == [key(0), key(1)] and one.held(WANTED) == [key(2)]
        one.add(row(0))
        assert two.claim([key(0)]) == [] and two.held(WANTED) == [key(1)]
        one.release([key(1), key(2)])  # the second is not its own
        assert two.claim([key(1)]) == [key(1)] and one.claim([key(2)]) == []
        two.close()
        assert one.claim(WANTED) == [key(1), key(2), key(3)]


def test_what_another_driver_has_tried_meanwhile_is_not_tried_again(path):
    """Two that retry what failed try it once between them."""
    filled(path, row(0, "failed"), row(1, "failed"))
    with Store(path) as one, Store(path) as two:
        todo = [store.pending(WANTED, retry_failed=True) for store in (one, two)]
        assert todo == [list(WANTED), list(WANTED)]
        assert one.claim([key(0)])
        one.add(row(0, "failed"))
        assert two.claim([key(0), key(1)]) == [key(1)] and one.claim([key(0)]) == []
        assert two.pending(WANTED, retry_failed=True) == list(WANTED)  # a new sweep may
        assert two.claim([key(0)]) == [key(0)]


CLAIMER = """
import sys
from clexact.sweeps.store import Store
print(Store(sys.argv[1]).claim(sys.argv[2:]), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("reaped", [True, False])
def test_leases_of_a_killed_driver_are_taken_over_at_once(path, reaped):
    """Also while its parent has not asked for its exit status."""
    command = [sys.executable, "-c", CLAIMER, str(path), key(0), key(1)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        Store(path) as store,
    ):
        assert process.stdout.readline().strip() == str([key(0), key(1)])
        assert store.claim(WANTED) == [key(2), key(3)] and store.held(WANTED) == [key(0), key(1)]
        process.kill()
        if reaped:
            process.wait()
        else:
            while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.01)
        assert store.held(WANTED) == []
        assert store.claim(WANTED) == list(WANTED)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM drivers").fetchone() == (1,)


@pytest.mark.parametrize("jump", [-(10**9), 10**9])
def test_jumps_of_the_clock_do_not_matter_on_one_host(path, monkeypatch, jump):
    """A living driver keeps its leases, a dead one loses them, whatever time it is said to be."""
    now = time.time
    with Store(path) as one, Store(path) as two:
        one.claim([key(0)])
        monkeypatch.setattr(leases.time, "time", lambda: now() + jump)
        assert two.claim([key(0), key(1)]) == [key(1)]
        with closing(sqlite3.connect(path)) as db:  # as if its number were now another process'
            db.execute("UPDATE drivers SET started = started - 1 WHERE id = 1")
            db.commit()
        assert two.claim([key(0)]) == [key(0)]


@pytest.mark.parametrize(("age", "taken"), [(0, False), (50, False), (70, True), (-50, False), (-70, True)])
def test_a_driver_elsewhere_lives_by_its_heartbeat(path, age, taken):
    """60 seconds after the last one it counts as dead, and so if that lies in the future."""
    with Store(path) as one, Store(path) as two:
        one.claim([key(0)])
        with closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE drivers SET place = 'elsewhere', heartbeat = ?", (time.time() - age,))
            db.commit()
        assert two.claim([key(0)]) == [key(0)] * taken


@pytest.mark.slow
@pytest.mark.parametrize("way", ["closed", "forgotten"])
def test_a_store_that_cannot_sign_off_leaves_no_lease_behind(path, monkeypatch, way):
    """Its process lives on, as in a notebook: on a full disk, or if it is never closed."""
    one = Store(path)
    assert one.claim([key(0)]) == [key(0)]
    if way == "closed":
        with monkeypatch.context() as patch:
            patch.setattr(leases, "end", fail)
            one.close()
    else:
        del one
        gc.collect()
    with Store(path) as two:
        assert two.claim([key(0)]) == [key(0)]


def fail(*arguments):
    """As on a full disk."""
    raise sqlite3.OperationalError("database or disk is full")


def test_a_claim_that_is_not_committed_leaves_no_driver(path, monkeypatch):
    """Its number may be another's by then."""
    with Store(path) as one, Store(path) as two:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "lease", fail)
            with pytest.raises(StoreError):
                one.claim([key(0)])
        assert two.claim([key(0)]) == [key(0)]
        assert one.claim([key(0), key(1)]) == [key(1)]


def test_the_heartbeat_beats_and_ends(path, monkeypatch):
    """Without any call; not after the store is closed."""
    monkeypatch.setattr(leases, "BEAT", 0.01)
    with Store(path) as store, closing(sqlite3.connect(path)) as db:
        store.claim([key(0)])
        db.execute("UPDATE drivers SET heartbeat = 0")
        db.commit()
        until = time.monotonic() + 20
        while db.execute("SELECT heartbeat FROM drivers").fetchone() == (0,):
            assert time.monotonic() < until
            time.sleep(0.01)
        store.close()
        assert db.execute("SELECT count(*) FROM drivers").fetchone() == (0,)
    path.unlink()
    time.sleep(0.1)
    assert not path.exists()


def test_a_driver_that_was_taken_for_dead_signs_on_again(path):
    """And does not run what another has taken over."""
    with Store(path) as one, Store(path) as two:
        one.claim([key(0), key(1)])
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("DELETE FROM drivers")
            db.commit()
        assert two.claim([key(0)]) == [key(0)]
        assert one.claim(WANTED) == [key(1), key(2), key(3)]
        assert one.add(row(0)) and not two.add(row(0))  # both ran it: the first row stays


# --- faults, done for real -------------------------------------------------------------------------------------------


def faults(*words):
    """The figures of ``store_faults.py``."""
    command = [sys.executable, str(FAULTS), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_kill_9_loses_no_row_that_was_reported():
    """At random moments of opening and writing; the file is whole, and so is every row."""
    found = faults("kill", 30, 0)
    assert (found["faults"], found["lost"], found["wrong"]) == (30, 0, 0)
    assert found["of them while writing"] >= 15 and found["rows"] >= 15


@pytest.mark.slow
@pytest.mark.parametrize(("drivers", "cases", "kills"), [(2, 300, 0), (4, 300, 0), (4, 300, 6)])
def test_drivers_at_once_run_each_case_once(drivers, cases, kills):
    """From the making of the file on; killed ones are replaced, and only what they had in flight runs again."""
    found = faults("share", drivers, cases, kills, 0)
    assert (found["rows"], found["lost"], found["wrong"]) == (cases, 0, 0)
    assert found["of them not in flight at a kill"] == 0 and found["run twice"] <= found["faults"]
    assert bool(kills) <= found["faults"] <= kills  # on a busy machine all is done before the last kill


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disk", "said"), [("full", "no space is left on its disk"), ("limit", "cannot be read or written")]
)
def test_a_full_disk_takes_no_row_and_the_sweep_goes_on_when_there_is_room(disk, said):
    """A tmpfs of 1 MiB, and a limit of file sizes."""
    found = faults(disk)
    if "skipped" in found:
        pytest.skip(found["skipped"])
    assert (found["faults"], found["lost"], found["wrong"]) == (3, 0, 0)
    assert found["rows"] > 20 and len(found["said"]) == 1 and said in found["said"][0]


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("", [0, 1, 2, 3]),
        ("lower < upper", [2]),
        ("status = 'failed' OR dimension = 4", [0, 3]),
        ("exact AND certificate_bytes > 0", [0, 1]),
        ("label LIKE '%linear 1%' -- a comment", [1]),
        ("lower IS NULL", [3]),
        ("seconds = (SELECT max(seconds) FROM rows)", [3]),
        ('"case" LIKE \'%[2, 2, 2]%\'', [2]),
        ("1) OR (0", [0, 1, 2, 3]),
        ("count(*) OVER () > 0", None),
    ],
)  # fmt: skip
def test_where_is_a_condition_on_the_rows(path, where, numbers):
    """In SQL, with what SQL offers."""
    filled(path, row(0), row(1), row(2, "stopped", lower=2, upper=3), row(3, "failed"))
    with Store(path, write=False) as store:
        if numbers is None:
            with pytest.raises(ValueError, match="is no condition on rows"):
                store.rows(where)
        else:
            assert [found["key"] for found in store.rows(where, ["key"])] == [key(i) for i in numbers]
            assert sum(store.counts(where).values()) == len(numbers)


@pytest.mark.parametrize(
    "where",
    [
        "nope = 1", "lower =", "lower = 'x", "1; DROP TABLE results", "1) UNION SELECT data FROM certificates --",
        "key IN (SELECT key FROM leases)", "EXISTS (SELECT * FROM sqlite_master)", "load_extension('x') IS NULL",
        "EXISTS (SELECT data FROM certificates)", "EXISTS (SELECT * FROM pragma_database_list)",
        "EXISTS (WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT x FROM t)",
    ],
)  # fmt: skip
def test_a_condition_reads_rows_and_nothing_else(path, where):
    """One sentence that lists the columns."""
    filled(path, row(0))
    for write in (False, True):
        with Store(path, write=write) as store:
            with pytest.raises(
                ValueError, match=r"is no condition on rows: .*; the columns are key, case, label"
            ) as caught:
                store.rows(where)
            assert "\n" not in str(caught.value).replace(where, "")
            assert store.row(key(0)) == row(0)


def test_columns_order_and_limit(path):
    """Rows come as they were written, or sorted by columns."""
    filled(path, row(3), row(1, seconds=9.0), row(2, seconds=9.0))
    with Store(path) as store:
        assert list(store.rows(columns=["label"], limit=1)) == [{"label": "certify linear 3 2 2"}]
        for sort, numbers in {
            "": [3, 1, 2],
            "key": [1, 2, 3],
            "seconds desc, key DESC": [2, 1, 3],
            "seconds": [3, 1, 2],
        }.items():
            assert [found["dimension"] - 4 for found in store.rows(sort=sort)] == numbers
        for columns, sort, said in (((), "nope", "'nope'"), (["nope"], "", "'nope'"), ((), "key down", "'key down'")):
            with pytest.raises(ValueError, match=said):
                store.rows(columns=columns, sort=sort)


def test_a_reader_sees_the_rows_of_the_engine_used_last(path):
    """Or of all; the key is of one engine, so nothing is replaced."""
    filled(path, row(0, engine="old"), row(1, engine="old"), row(2))
    with Store(path) as store:
        assert [found["engine"] for found in store.rows()] == [ENGINE]
        assert [found["engine"] for found in store.rows(all_engines=True)] == ["old", "old", ENGINE]
        assert list(store.rows("engine = 'old'")) == []
        assert len(store) == 3


def test_readers_see_what_is_committed_while_it_is_written(path):
    """And a reader in the middle does not keep a writer from going on."""
    with Store(path) as writer, Store(path, write=False) as other:
        writer.add(row(0))
        writer.add(row(1))
        rows = other.rows(columns=["key"])
        assert next(rows) == {"key": key(0)}
        writer.add(row(2))
        assert list(rows) == [{"key": key(1)}]
        assert len(other) == 3
        with pytest.raises(StoreError, match="it can only be read"):
            other.add(row(3))


def test_tables_of_other_tools(path, tmp_path):
    """CSV, Parquet and pandas hold the same, with types, also where a column holds nothing."""
    filled(
        path, row(0, budget_seconds=None, lower=None, upper=None), row(1, budget_seconds=None, lower=None, upper=None)
    )
    import pyarrow as pa
    from pyarrow import parquet

    with Store(path) as store:
        store.to_csv(tmp_path / "rows.csv", columns=["label", "lower", "assumptions"])
        store.to_parquet(tmp_path / "rows.parquet")
        frame = store.to_frame("dimension > 4")
    with (tmp_path / "rows.csv").open(newline="") as file:
        read = list(csv.reader(file))
    assert read == [["label", "lower", "assumptions"]] + [
        [f"certify linear {i} 2 2", "", '["a generic start"]'] for i in (0, 1)
    ]
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert tuple(table.column_names) == tuple(COLUMNS)
    assert table.schema.field("lower").type == pa.int64() and table.schema.field("budget_seconds").type == pa.float64()
    assert table["filtration"].to_pylist() == [[0, 1], [1, 2]] and table["lower"].to_pylist() == [None, None]
    assert list(frame["label"]) == ["certify linear 1 2 2"] and list(frame["filtration"]) == [(1, 2)]
    assert str(frame["lower"].dtype) == str(frame["dimension"].dtype) == "Int64" and frame["lower"].isna().all()


@pytest.mark.parametrize(("module", "export"), [("pandas", "frame"), ("pyarrow", "parquet")])
def test_a_missing_package_is_one_sentence(path, tmp_path, monkeypatch, module, export):
    """That names the extra; no file is left."""
    monkeypatch.setitem(sys.modules, module, None)
    with (
        Store(filled(path, row(0))) as store,
        pytest.raises(ImportError, match=re.escape(f"needs pandas and pyarrow: {command('frame')}")),
    ):
        store.to_frame() if export == "frame" else store.to_parquet(tmp_path / "rows.parquet")
    assert not list(tmp_path.glob("*parquet*"))


# --- files that are no store -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [True, False])
def test_files_that_are_no_store_are_refused_and_left_alone(tmp_path, write):
    """In one sentence: another SQLite file, a text, a folder, a newer schema, a path to nowhere."""
    other, text, newer = tmp_path / "other.db", tmp_path / "text.db", filled(tmp_path / "newer.db", row(0))
    with closing(sqlite3.connect(other)) as db, closing(sqlite3.connect(newer)) as later:
        db.execute("CREATE TABLE mine (x)")
        later.execute(f"PRAGMA user_version = {VERSION + 1}")
    text.write_text("not a database, but a text that is longer than the header of one. " * 9)
    before = {file: file.read_bytes() for file in (other, text, newer)}
    for file in (other, text):
        with pytest.raises(ValueError, match="is no store of clexact"):
            Store(file, write=write)
    with pytest.raises(ValueError, match="was written by a newer clexact: schema 3; this one reads 2"):
        Store(newer, write=write)
    with closing(sqlite3.connect(newer)) as older:
        older.execute(f"PRAGMA user_version = {VERSION - 1}")
    with pytest.raises(ValueError, match="was written by an older clexact: schema 1; this one reads 2"):
        Store(newer, write=write)
    with pytest.raises(ValueError, match="there is no folder"):
        Store(tmp_path / "nowhere" / "sweep.db", write=write)
    with pytest.raises((StoreError, ValueError), match=r"cannot be used|there is no store"):
        Store(tmp_path, write=write)
    assert {file: file.read_bytes() for file in (other, text)} == {file: before[file] for file in (other, text)}


def test_a_reader_makes_no_file(path):
    """A name mistyped is not an empty store."""
    with pytest.raises(ValueError, match="there is no store"):
        Store(path, write=False)
    assert not path.exists()


def test_a_damaged_file_is_one_sentence(path):
    """Whether it is seen at opening or later."""
    filled(path, *(row(i, certificate=b"x") for i in range(100)))
    data = bytearray(path.read_bytes())
    data[4096:-4096] = bytes(len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="it is damaged"), Store(path, write=False) as store:
        list(store.rows())


# --- verification ----------------------------------------------------------------------------------------------------

NET = """
import pathlib
import clexact
pathlib.Path({!r}).touch()
def net(n):
    return clexact.models.linear([n, 2, n])
"""


DATA = "1, 2\n-1, 1/2\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A store of real certificates of all kinds, and the file that the user's Python leaves when it is run."""
    folder = tmp_path_factory.mktemp("certified")
    ran = folder / "ran"
    (folder / "net.py").write_text(NET.format(str(ran)))
    (folder / "body.ode").write_text("x' = y*z\ny' = -2*x*z\nz' = x*y\n")
    cases = [
        Case.of("linear", 2, 2, 1), Case.of("linear", 2, 1, 2), Case.of("relu", 2, 5, 3, bias=True),
        Case.of("linear", 2, 2, 1, flow="momentum"), Case.of("nmf", 2, 1, 2, flow="mirror"),
        Case.of(str(folder / "body.ode")), Case.of(f"{folder / 'net.py'}:net", 2), Case.of("linear", 1, 1, at="zero"),
        Case.of("relu", 1, 2, 2, 1, near=[1, 2, 3, 4, 5, 6, 7, 8]), Case.of("relu", 2, 2, 1, near="random"),
        Case.of("relu", 1, 2, 2, near=[1, 2, 3, 4, -5, 6], data={"file": "x.csv", "text": DATA}),
        Case.of("linear", 2, 1, 1, flow="momentum", near="random"),
    ]  # fmt: skip
    filled(folder / "sweep.db", *(certified(case, BUDGET, engine()) for case in cases))
    ran.unlink()
    return folder / "sweep.db", ran


@pytest.fixture
def copy(certificates, path):
    """A copy that may be forged."""
    path.write_bytes(certificates[0].read_bytes())
    return path


def found_false(path, **options):
    """{label: (status, last sentence)} of what is not verified."""
    checked = list(verify_store(path, **options))
    assert len(checked) == 11
    return {one.label: (one.verdict.status, one.verdict.sentences[-1]) for one in checked if not one.verdict}


@pytest.mark.parametrize("options", [{}, {"fast": True}, {"rebuild": True}])
def test_every_certificate_is_verified(certificates, options):
    """The user's Python is run only when the fields are to be rebuilt."""
    path, ran = certificates
    assert found_false(path, **options) == {}
    assert ran.exists() == ("rebuild" in options)
    ran.unlink(missing_ok=True)


FIRST, SECOND = (f"(SELECT id FROM results ORDER BY id LIMIT 1 OFFSET {n})" for n in (0, 1))


@pytest.mark.parametrize(
    ("forgery", "status", "said"),
    [
        (f"DELETE FROM certificates WHERE id = {FIRST}", 2, "damaged"),
        (f"UPDATE results SET upper = upper + 1 WHERE id = {FIRST}", 1, "the row says upper = 4, its certificate 3"),
        (f"UPDATE results SET lower = NULL WHERE id = {FIRST}", 1, "the row says lower = None, its certificate 3"),
        (f"UPDATE results SET dimension = 7 WHERE id = {FIRST}", 1, "the row says dimension = 7, its certificate 6"),
        (f"UPDATE results SET error = '2^-100' WHERE id = {FIRST}", 1, "the row says error = 2^-100"),
        (f"UPDATE results SET key = 'x' WHERE id = {FIRST}", 1, "the key of the row is not that of its case"),
        (f"UPDATE results SET engine = 'x' WHERE id = {FIRST}", 1, "the key of the row is not that of its case"),
        (f"UPDATE results SET \"case\" = '{{}}' WHERE id = {FIRST}", 1, "the case of the row cannot be read"),
        (f"UPDATE results SET \"case\" = '[]' WHERE id = {FIRST}", 1, "the case of the row cannot be read"),
    ],
)
def test_forgeries_are_seen(copy, forgery, status, said):
    """A damaged or lost certificate; a row that says other than its certificate."""
    change(copy, forgery)
    (found,) = found_false(copy).values()
    assert found[0].value == status and said in found[1]


LINEAR = "relu 1 2 2 1 --near 1,2,3,4,5,6,7,8"
POINT = ["1", "2", "3", "4", "-5", "6"]
ON_DATA = "relu 1 2 2 --data x.csv --near 1,2,3,4,-5,6"
BODY = "x' = y*z\ny' = {}*x*z\nz' = x*y\n"
OTHER_NET = "import clexact\ndef net(n):\n    return clexact.models.linear([1, n, 3])\n"


@pytest.mark.parametrize("place", [0, 5, 100, -1])
def test_a_damaged_byte_is_seen(copy, place):
    """Also one that gzip does not mind."""
    with Store(copy) as store:
        first = next(store.rows())["key"]
        data = bytearray(store.certificate(first))
    data[place] ^= 1
    with closing(sqlite3.connect(copy)) as db:
        db.execute(f"UPDATE certificates SET data = ? WHERE id = {FIRST}", (bytes(data),))
        db.commit()
    (found,) = found_false(copy).values()
    assert found[0] is VerdictStatus.NOT_A_CERTIFICATE and "it has not the SHA-256 of its row" in found[1]


@pytest.mark.parametrize(
    ("label", "case", "options"),
    [
        ("linear 2 2 1", {"family": "linear", "sizes": [1, 2, 2]}, {}),
        ("linear 2 2 1", {"family": "linear", "sizes": [10**7, 10**7]}, {}),  # which would take all memory
        ("nmf 2 1 2 --flow mirror", {"family": "nmf", "sizes": [2, 1, 2], "flow": "mirror", "positive": ["U"]}, {}),
        ("linear 2 2 1 --flow momentum", {"family": "linear", "sizes": [2, 2, 1], "flow": "momentum", "tau": 1,
                                          "damping": "heavy-ball"}, {}),
        ("--system body.ode", {"system": "body.ode", "text": BODY.format(-3)}, {}),
        (LINEAR, {"family": "relu", "sizes": [1, 2, 2, 1], "near": ["1"] * 8}, {}),
        ("relu 2 2 1 --near random", {"family": "relu", "sizes": [2, 2, 1], "near": POINT}, {}),
        ("relu 2 2 1 --near random", {"family": "relu", "sizes": [2, 2, 1]}, {}),
        (ON_DATA, {"family": "relu", "sizes": [1, 2, 2], "near": POINT, "data": {"file": "x.csv", "text": "1 1"}}, {}),
        (ON_DATA, {"family": "relu", "sizes": [1, 2, 2], "near": POINT}, {}),
        ("net.py:net 2", {"python": "net.py:net", "text": OTHER_NET, "sizes": [2]}, {"rebuild": True}),
    ],
)  # fmt: skip
def test_a_true_certificate_of_another_case_is_not_of_the_row(copy, label, case, options):
    """Even where it has the same dimension and bounds."""
    other = Case.from_dict(case)
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TRIGGER rows_are_immutable")
        new = other.to_json(), other.key(engine()), f"certify {label}"
        assert db.execute('UPDATE results SET "case" = ?, key = ? WHERE label = ?', new).rowcount == 1
        db.commit()
    (found,) = found_false(copy, **options).values()
    assert found[0] is VerdictStatus.FALSE
    assert "is not about the case of its row" in found[1] or "its sizes are too large" in found[1]


# --- commands --------------------------------------------------------------------------------------------------------


def run(capsys, *words):
    """Exit status, standard output and error."""
    try:
        status = cli.run([str(word) for word in words])
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def test_verify_says_what_it_found_in_a_line(certificates, capsys):
    """And counts the rows without a certificate."""
    path, _ = certificates
    said = f"{path}: 11 verified, 0 false, 0 not a certificate, 0 undecided; without a certificate: 1 done\n"
    assert run(capsys, "verify", "--db", path) == (0, said, "")


@pytest.mark.slow
def test_verify_in_several_processes_finds_what_is_damaged(copy):
    """The exit status is the worst; each forgery is named."""
    change(
        copy,
        f"UPDATE results SET upper = 4 WHERE id = {FIRST}",
        f"UPDATE certificates SET data = x'00' WHERE id = {SECOND}",
    )
    command = [sys.executable, "-m", "clexact", "verify", "--db", str(copy), "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    said = "9 verified, 1 false, 1 not a certificate, 0 undecided; without a certificate: 1 done\n"
    assert done.stdout.endswith(said)
    assert (
        "certify linear 2 2 1 (" in done.stdout and "the row says upper = 4" in done.stdout and "damaged" in done.stdout
    )


@pytest.mark.slow
def test_a_process_that_dies_as_it_verifies_is_one_sentence(copy):
    """Here by the user's Python file, which is run only if asked for."""
    case = Case.from_dict({"python": "net.py:net", "text": "import os\ndef net(n):\n    os._exit(9)\n", "sizes": [2]})
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TRIGGER rows_are_immutable")
        new = case.to_json(), case.key(engine())
        db.execute("UPDATE results SET \"case\" = ?, key = ? WHERE label = 'certify net.py:net 2'", new)
        db.commit()
    assert found_false(copy) == {}
    command = [sys.executable, "-m", "clexact", "verify", "--db", str(copy), "--jobs", "2", "--rebuild"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "a process was killed as it verified" in done.stderr


def test_verify_of_a_store_without_certificates_verifies_nothing(path, capsys):
    """Which is no success."""
    filled(path, row(1, "failed"))
    status, out, err = run(capsys, "verify", "--db", path)
    assert (status, out) == (2, "") and "holds no certificate, in 1 rows" in err


def test_results_as_a_table(path, capsys):
    """By default the columns that matter, and of them those that hold something."""
    filled(path, row(0), row(1, "stopped"), row(2, "failed"))
    status, out, _ = run(capsys, "results", path, "--sort", "dimension desc")
    assert status == 0 and out.endswith("3 rows\n")
    assert out.index("linear 2 2 2") < out.index("linear 1 2 2") < out.index("linear 0 2 2")
    assert "failure" in out and "failure" not in run(capsys, "results", path, "--where", "exact")[1]
    assert run(capsys, "results", path, "--limit", 1)[1].endswith(
        "1 of 3 rows; --limit N lists more, and --format csv all.\n"
    )
    assert run(capsys, "results", path, "--where", "0")[1].endswith("0 rows\n")


def test_results_in_other_formats(path, tmp_path, capsys):
    """To standard output, or to a file by whose name the format is known."""
    filled(path, row(0), row(1, "stopped"))
    columns = ["--columns", "label,filtration,lower"]
    assert json.loads(run(capsys, "results", path, "--format", "json", *columns)[1]) == [
        {"label": f"certify linear {i} 2 2", "filtration": [i, i + 1], "lower": i} for i in (0, 1)
    ]
    assert json.loads(run(capsys, "results", path, "--format", "json", "--where", "0")[1]) == []
    text = run(capsys, "results", path, "--format", "csv", *columns)[1]
    assert text == 'label,filtration,lower\ncertify linear 0 2 2,"[0, 1]",0\ncertify linear 1 2 2,"[1, 2]",1\n'
    out = tmp_path / "rows.csv"
    assert run(capsys, "results", path, "--out", out, *columns) == (0, "", "")
    assert out.read_text() == text
    assert run(capsys, "results", path, "--out", tmp_path / "rows.parquet")[0] == 0
    assert run(capsys, "results", path, "--out", tmp_path / "rows.txt")[0] == 0
    assert (tmp_path / "rows.txt").read_text().endswith("2 rows\n")


def test_the_summary_counts_by_family_and_flow(path, capsys):
    """With the reasons of failures."""
    filled(path, row(0), row(1, error="2^-100"), row(2, "stopped"), row(3, "failed"), row(4, "failed", flow="momentum"))
    rows = json.loads(run(capsys, "results", path, "--summary", "--format", "json")[1])
    assert [one["flow"] for one in rows] == ["gradient", "momentum"]
    wanted = {"rows": 4, "done": 2, "exact": 2, "proved": 1, "stopped": 1, "failed": 1, "certificates": 2}
    assert wanted.items() <= rows[0].items() and rows[0]["largest_dimension"] == 7 and rows[0]["longest"] == 0.003
    assert (rows[1]["exact"], rows[1]["failed"]) == (0, 1)
    status, out, _ = run(capsys, "results", path, "--summary")
    assert status == 0 and "2 done, 1 stopped, 2 failed\nfailed 2 times: failed, " in out


def test_certificates_are_written_as_files(certificates, tmp_path, capsys):
    """Which anyone can verify."""
    status, out, _ = run(
        capsys,
        "results",
        certificates[0],
        "--certificates",
        tmp_path / "proofs",
        "--where",
        "label like '%relu 2 5 3%'",
    )
    assert (status, out) == (0, f"1 certificate in {tmp_path / 'proofs'}\n")
    (file,) = (tmp_path / "proofs").iterdir()
    assert run(capsys, "verify", file)[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("results", "nowhere.db"), "there is no store 'nowhere.db'"),
        (("results", "DB", "--where", "nope = 1"), "no such column: nope; the columns are key, case"),
        (("results", "DB", "--columns", "label,nope"), "no column is called 'nope'; the columns are key"),
        (("results", "DB", "--sort", "label up"), "expected a column, or a column and desc, not 'label up'"),
        (("results", "DB", "--limit", "-1"), "--limit must not be negative, not -1"),
        (("results", "DB", "--summary", "--limit", "3"), "give it without --columns, --sort and --limit"),
        (("results", "DB", "--certificates", "FOLDER"), "'../outside' is not the key of a case"),
        (("results", "DB", "--format", "parquet"), "--format parquet needs --out FILE"),
        (("results", "DB", "--summary", "--out", "x.parquet"), "is for rows, not for --summary"),
        (("results", "DB", "--out", "/nowhere/x.csv"), "cannot open '/nowhere/x.csv'"),
        (("verify",), "give either certificates in files or --db DB"),
        (("verify", "x.json", "--db", "DB"), "give either certificates in files or --db DB"),
        (("verify", "--db", "DB", "--jobs", "0"), "--jobs must be at least 1, not 0"),
        (("verify", "--db", "nowhere.db"), "there is no store 'nowhere.db'"),
    ],
)  # fmt: skip
def test_wrong_words_are_one_sentence(path, capsys, words, said):
    """Exit status 2, nothing on standard output."""
    filled(path, row(0, key="../outside"))
    places = {"DB": path, "FOLDER": path.parent / "folder"}
    status, out, err = run(capsys, *(places.get(word, word) for word in words))
    assert (status, out) == (2, "") and said in err and err.count("\n") == 1


def test_bounds_near_a_start_are_those_of_its_certificate(copy):
    """It shows polynomial laws: as many as the row exhibits, and fewer than its bound only if that is said."""
    near = "label LIKE '%1 2 2 1%'"
    with Store(copy, write=False) as store:
        (row,) = store.rows(near, ["lower", "upper", "exhibited", "scope", "gates", "all_gates"])
    assert row["scope"] == "all data, near this start, true gates" and row["gates"] > 1 and row["all_gates"] == 1
    assert (row["lower"], row["upper"]) == (7, 7) and row["exhibited"] < 7  # all units are on: a linear network
    said = [one.verdict.sentences[-1] for one in verify_store(copy) if "1 2 2 1" in one.label]
    assert said[0].endswith(f"of the {row['lower']} laws it proves {row['exhibited']}")
    for column, forged in (("exhibited", 7), ("upper", 8), ("lower", 8), ("all_gates", 0), ("scope", "'all data'")):
        before = f"'{row[column]}'" if column == "scope" else row[column]
        change(copy, f"UPDATE results SET {column} = {forged} WHERE {near}")
        (found,) = found_false(copy).values()
        assert found[0] is VerdictStatus.FALSE and "the row says" in found[1] and column in found[1]
        change(copy, f"UPDATE results SET {column} = {before} WHERE {near}")
